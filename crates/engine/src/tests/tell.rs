//! What becomes of digests and alerts, told from the outside: by the mails that a server took.

use std::sync::{Arc, Mutex};

use collect::Clock;
use futures_util::future::BoxFuture;
use model::id::OwnerId;
use model::scan::FailureCause;
use model::time::Duration;
use notify::address::Address;
use notify::event::{Kind, Subscription};
use notify::{Answer as Posted, Network, Trouble, Trust, smtp};
use secrecy::SecretString;
use store::destinations::Destination;
use store::{destinations, digests, instances, outbox, owners};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fake::Answer;
use super::world::{World, entry, onboard};
use crate::tell::{Context, Setup, alerts, digest, sender::Sender};

/// A mail server that takes everything, or refuses by what it was told to answer to addressees.
struct Server {
    port: u16,
    taken: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Option<&'static str>>>,
    posts: Mutex<Vec<serde_json::Value>>,
}

impl Server {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (taken, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(None)));
        let (mails, refusal) = (Arc::clone(&taken), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&mails), Arc::clone(&refusal)));
            }
        });
        Arc::new(Self { port, taken, answers, posts: Mutex::default() })
    }

    /// Message-IDs of the mails taken, in order.
    fn ids(&self) -> Vec<String> {
        let id = |mail: &String| {
            let line = mail.lines().find_map(|l| l.strip_prefix("Message-ID: "));
            line.expect("every mail has one").trim_matches(['<', '>']).to_owned()
        };
        self.taken.lock().expect("nobody panicked").iter().map(id).collect()
    }

    fn last(&self) -> String {
        self.taken.lock().expect("nobody panicked").last().cloned().expect("a mail")
    }

    fn answer(&self, answer: Option<&'static str>) {
        *self.answers.lock().expect("nobody panicked") = answer;
    }
}

async fn serve(stream: TcpStream, taken: Arc<Mutex<Vec<String>>>, refusal: Arc<Mutex<Option<&'static str>>>) {
    let mut stream = BufReader::new(stream);
    drop(stream.write_all(b"220 here\r\n").await);
    let mut line = String::new();
    while let Ok(1..) = stream.read_line(&mut line).await {
        let refused = *refusal.lock().expect("nobody panicked");
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-here\r\n250 8BITMIME",
            "RCPT" => refused.unwrap_or("250 yes"),
            "DATA" => {
                drop(stream.write_all(b"354 go on\r\n").await);
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut mail).await.expect("a mail");
                }
                taken.lock().expect("nobody panicked").push(mail);
                "250 taken"
            }
            "QUIT" => return drop(stream.write_all(b"221 bye\r\n").await),
            _ => "250 ok",
        };
        line.clear();
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Everything leads to the one server; webhooks are taken down.
struct Lines(Arc<Server>);

impl Network for Lines {
    fn dial<'a>(&'a self, host: &'a str, _: u16) -> BoxFuture<'a, Result<TcpStream, Trouble>> {
        Box::pin(async move {
            if host == "away" {
                return Err(Trouble::passing("away did not answer"));
            }
            #[expect(clippy::disallowed_methods, reason = "the test's own server")]
            TcpStream::connect(("127.0.0.1", self.0.port)).await.map_err(|e| Trouble::passing(e.to_string()))
        })
    }

    fn post<'a>(
        &'a self,
        _: &'a str,
        _: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Posted, Trouble>> {
        let value = serde_json::from_slice(&body).expect("JSON");
        self.0.posts.lock().expect("nobody panicked").push(value);
        Box::pin(async { Ok(Posted { status: 200, retry_after_seconds: None, says: String::new() }) })
    }
}

fn teller(world: &World, server: &Arc<Server>, host: &str, node: &str) -> Arc<Context> {
    let mail = smtp::Server {
        host: host.to_owned(),
        port: server.port,
        security: smtp::Security::None,
        login: None,
        from: "parapet@example.com".parse().expect("an address"),
        hello: "parapet.example.com".to_owned(),
        seconds: 20,
    };
    let (_, draining) = watch::channel(false);
    Arc::new(Context {
        db: world.db.clone(),
        catalog: Arc::clone(&world.catalog),
        network: Arc::new(Lines(Arc::clone(server))),
        trust: Trust::new(&[]).expect("authorities"),
        clock: Arc::clone(&world.clock) as _,
        setup: Setup {
            mail: Some(mail),
            admins: vec!["admins@example.com".to_owned()],
            admin_zone: "UTC".to_owned(),
            admin_minute: 480,
            base: Some("https://parapet.example.com".to_owned()),
            host: "parapet.example.com".to_owned(),
            simulated: false,
            node: node.to_owned(),
        },
        draining,
        idle: Mutex::default(),
    })
}

async fn own(world: &World, id: &str, zone: &str) -> OwnerId {
    let now = world.clock.now();
    let owner = owners::Owner {
        id: id.into(),
        name: "Ada Berg".to_owned(),
        email: format!("{id}@example.com"),
        time_zone: zone.to_owned(),
        active: true,
        digest_minute: 480,
        quiet: false,
        created_at: now,
        instances: 0,
    };
    owners::create(&world.db, &owner, now, entry("owner")).await.expect("new");
    instances::assign_owner(&world.db, &world.id, Some(&owner.id), now, entry("assign"))
        .await
        .expect("onboarded");
    owner.id
}

/// One minute of deciding and sending.
async fn minute(context: &Arc<Context>) {
    let now = context.now();
    digest::look(context, now).await.expect("a database in memory");
    alerts::look(context, now).await.expect("a database in memory");
    Sender::new(Arc::clone(context)).settle().await.expect("a database in memory");
}

/// Lets time pass in steps of ten minutes, scanning and telling.
async fn pass(world: &mut World, context: &Arc<Context>, time: Duration) {
    let until = world.clock.now() + time;
    while world.clock.now() < until {
        world.pass(Duration::minutes(10)).await;
        minute(context).await;
    }
}

#[tokio::test]
async fn one_digest_an_owner_and_day_also_with_two_nodes() {
    let mut world = World::config_only().await;
    own(&world, "o1", "Europe/Berlin").await;
    let server = Server::start().await;
    let (one, two) = (teller(&world, &server, "here", "one"), teller(&world, &server, "here", "two"));
    world.settle().await;
    // It is 09:00 UTC on the 2nd of March: today's hour was before the owner was added.
    for _ in 0..(3 * 24 * 6) {
        world.pass(Duration::minutes(10)).await;
        tokio::join!(minute(&one), minute(&two));
    }
    let days: Vec<String> =
        ["03", "04", "05"].iter().map(|d| format!("digest.2026-03-{d}.o1@parapet.example.com")).collect();
    assert_eq!(server.ids(), days);
    assert_eq!(digests::recent(&world.db).await.expect("rows").len(), 3);
    assert!(server.last().contains("Subject: Parapet: the one application is Up"), "{}", server.last());
    assert!(server.last().contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
}

#[tokio::test]
async fn killed_between_claim_and_end_it_is_sent_again_with_the_same_id() {
    let mut world = World::config_only().await;
    own(&world, "o1", "UTC").await;
    let server = Server::start().await;
    let dead = teller(&world, &server, "here", "dead");
    world.pass(Duration::hours(23)).await;
    digest::look(&dead, dead.now()).await.expect("a database in memory");
    // The node took it and was killed: before it sent anything, or after the server took the mail.
    let claimed =
        outbox::claim(&world.db, "mail", "dead", dead.now(), Duration::minutes(3)).await.expect("a claim");
    assert!(claimed.is_some());
    let heir = teller(&world, &server, "here", "heir");
    minute(&heir).await;
    assert_eq!(server.ids(), Vec::<String>::new(), "the claim still holds");
    world.clock.advance(Duration::minutes(4));
    minute(&heir).await;
    minute(&heir).await;
    assert_eq!(server.ids(), ["digest.2026-03-03.o1@parapet.example.com"], "not none");
    // The dead node comes back to life and cannot make it unsent.
    let late = outbox::Ending::Again { at: heir.now(), error: "late".to_owned(), all: true };
    assert!(
        !outbox::end(&world.db, &claimed.expect("claimed"), &late, heir.now()).await.expect("a database")
    );
    pass(&mut world, &heir, Duration::hours(2)).await;
    assert_eq!(server.ids().len(), 1, "and not for ever");
}

#[tokio::test]
async fn a_server_that_is_away_for_days_loses_nothing() {
    let mut world = World::config_only().await;
    own(&world, "o1", "UTC").await;
    let server = Server::start().await;
    let away = teller(&world, &server, "away", "one");
    pass(&mut world, &away, Duration::hours(71)).await;
    let facts = outbox::transports(&world.db).await.expect("facts")["mail"].clone();
    assert_eq!(facts.mark(), model::view::Mark::Down);
    assert_eq!(facts.last_error.as_deref(), Some("away did not answer"));
    assert!(facts.failures_in_a_row < 80, "it is tried hourly in the end: {}", facts.failures_in_a_row);
    assert_eq!(outbox::waiting(&world.db).await.expect("counts")["mail"].0, 3);
    let back = teller(&world, &server, "here", "one");
    pass(&mut world, &back, Duration::hours(2)).await;
    let day = |d: &str| format!("digest.2026-03-{d}.o1@parapet.example.com");
    assert_eq!(server.ids(), [day("03"), day("04"), day("05")], "all of them, in order");
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_is_kept_and_told_elsewhere() {
    let mut world = World::config_only().await;
    own(&world, "o1", "UTC").await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(&world, Subscription { kinds: vec![Kind::DigestFailed], ..Subscription::default() }).await;
    server.answer(Some("550 5.1.1 no such user"));
    pass(&mut world, &context, Duration::hours(24)).await;
    let (_, failed) = outbox::recent(&world.db).await.expect("rows");
    assert_eq!(failed.len(), 1);
    let error = failed[0].error.clone().expect("a reason");
    assert!(error.contains("550") && error.contains("no such user"), "{error}");
    let facts = outbox::transports(&world.db).await.expect("facts");
    assert!(facts.get("mail").is_none_or(|f| f.failures_in_a_row == 0), "the server itself works");
    let posts = server.posts.lock().expect("nobody panicked").clone();
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert_eq!(posts[0]["kind"], "digest_failed");
}

async fn webhook(world: &World, subscription: Subscription) {
    let address = Address::Webhook {
        url: "https://hooks.example.com/x".to_owned(),
        secret: "0123456789abcdef".to_owned(),
    };
    let destination = Destination {
        id: "d1".to_owned(),
        name: "On call".to_owned(),
        kind: address.kind().to_owned(),
        shown: address.shown(),
        subscription: serde_json::to_string(&subscription).expect("JSON"),
        created_at: world.clock.now(),
        paused: None,
    };
    let sealed = SecretString::from(serde_json::to_string(&address).expect("JSON"));
    destinations::create(&world.db, &destination, &sealed, world.clock.now(), entry("destination"))
        .await
        .expect("new");
}

fn kinds(server: &Server) -> Vec<(String, String)> {
    let posts = server.posts.lock().expect("nobody panicked");
    posts
        .iter()
        .map(|p| {
            (
                p["kind"].as_str().unwrap_or_default().to_owned(),
                p["title"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn down_is_told_once_it_has_held_and_so_is_the_recovery() {
    let mut world = World::config_only().await;
    world.settle().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(&world, Subscription::default()).await;
    pass(&mut world, &context, Duration::hours(1)).await;
    assert_eq!(kinds(&server), []);
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    pass(&mut world, &context, Duration::hours(5)).await;
    assert_eq!(kinds(&server), [("status_changed".to_owned(), "Acme (Vault) is Down".to_owned())]);
    world.fake.answer([Answer::Open(&[])]);
    pass(&mut world, &context, Duration::hours(3)).await;
    let told = kinds(&server);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1], ("recovered".to_owned(), "Acme (Vault) is Up again".to_owned()));
    let says = server.posts.lock().expect("nobody panicked")[1]["applications"][0]["says"].to_string();
    assert!(says.contains("Recovered after") && says.contains("h") && says.contains("Down."), "{says}");
}

#[tokio::test]
async fn a_short_episode_is_not_told() {
    let mut world = World::config_only().await;
    world.settle().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(&world, Subscription::default()).await;
    world.fake.answer([Answer::Refused(FailureCause::Remote), Answer::Open(&[])]);
    pass(&mut world, &context, Duration::hours(6)).await;
    assert_eq!(kinds(&server), []);
}

#[tokio::test]
async fn a_storm_of_one_product_is_folded() {
    let mut world = World::config_only().await;
    let stopped = world.scan(model::scan::ScanKind::Accounts).await.enablement;
    for n in 0..30 {
        onboard(&world.db, &world.clock, &format!("Other {n}"), stopped.clone()).await;
    }
    world.settle().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(&world, Subscription::default()).await;
    pass(&mut world, &context, Duration::minutes(30)).await;
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    pass(&mut world, &context, Duration::hours(4)).await;
    let told = kinds(&server);
    assert!(told.len() <= 3, "{told:?}");
    let posts = server.posts.lock().expect("nobody panicked");
    let named: usize = posts.iter().map(|p| p["applications"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(named, 31, "each of them once");
}

#[tokio::test]
async fn new_findings_are_told_by_severity_and_once() {
    let mut world = World::config_only().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(
        &world,
        Subscription {
            kinds: vec![Kind::NewFindings],
            severity: model::finding::Severity::Low,
            ..Subscription::default()
        },
    )
    .await;
    world.fake.answer([Answer::Open(&["front"])]);
    world.settle().await;
    pass(&mut world, &context, Duration::hours(6)).await;
    let told = kinds(&server);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.starts_with("Acme (Vault): 1 new finding"), "{told:?}");
}

#[tokio::test]
async fn what_nobody_answers_for_goes_to_the_admins() {
    let mut world = World::config_only().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    world.settle().await;
    pass(&mut world, &context, Duration::hours(24)).await;
    let ids = server.ids();
    assert_eq!(
        ids.last().map(String::as_str),
        Some("digest.2026-03-03.admins@parapet.example.com"),
        "{ids:?}"
    );
    assert!(server.last().contains("To: admins@example.com"));
}

#[tokio::test]
async fn whoever_wants_no_all_clear_gets_the_others() {
    let mut world = World::config_only().await;
    let owner = own(&world, "o1", "UTC").await;
    owners::set_quiet(&world.db, &owner, world.clock.now(), entry("quiet")).await.expect("there");
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    pass(&mut world, &context, Duration::hours(24)).await;
    let made = digests::recent(&world.db).await.expect("rows");
    assert_eq!((made.len(), made[0].mails, made[0].all_clear), (1, 0, true), "the day is made, and silent");
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    pass(&mut world, &context, Duration::hours(24)).await;
    assert_eq!(server.ids(), ["digest.2026-03-04.o1@parapet.example.com"]);
}

#[tokio::test]
async fn the_link_in_an_all_clear_mail_is_for_one_owner_and_ends() {
    let world = World::config_only().await;
    let now = world.clock.now();
    let token = owners::quiet_token(&world.db, &"o1".into(), now).expect("sealed");
    assert_eq!(owners::read_quiet_token(&world.db, &token, now), Some("o1".into()));
    assert_eq!(owners::read_quiet_token(&world.db, &token, now + Duration::days(61)), None);
    assert_eq!(owners::read_quiet_token(&world.db, &format!("{token}A"), now), None);
    assert_eq!(owners::read_quiet_token(&world.db, "", now), None);
}
