//! Where the messages of tests go: a mail server and a webhook's receiver, with the teller that sends to them.

use std::sync::{Arc, Mutex};

use catalog::Catalog;
use collect::Clock;
use futures_util::future::BoxFuture;
use model::id::{InstanceId, OwnerId};
use notify::address::Address;
use notify::event::Subscription;
use notify::{Answer as Posted, Network, Trouble, Trust, smtp};
use secrecy::SecretString;
use store::destinations::Destination;
use store::{Db, destinations, instances, owners};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fake::HandClock;
use super::world::entry;
use crate::tell::{Context, Setup, alerts, digest, sender::Sender};

/// A mail server that takes everything, or refuses by what it was told to answer to addressees.
pub(super) struct Server {
    port: u16,
    taken: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Option<&'static str>>>,
    /// What webhooks were sent.
    pub(super) posts: Mutex<Vec<serde_json::Value>>,
}

impl Server {
    pub(super) async fn start() -> Arc<Self> {
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
    pub(super) fn ids(&self) -> Vec<String> {
        let id = |mail: &String| {
            let line = mail.lines().find_map(|l| l.strip_prefix("Message-ID: "));
            line.expect("every mail has one").trim_matches(['<', '>']).to_owned()
        };
        self.taken.lock().expect("nobody panicked").iter().map(id).collect()
    }

    pub(super) fn last(&self) -> String {
        self.taken.lock().expect("nobody panicked").last().cloned().expect("a mail")
    }

    pub(super) fn answer(&self, answer: Option<&'static str>) {
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

/// Tells people by this server; a mail server called `away` does not answer.
pub(super) fn teller(
    db: &Db,
    catalog: &Arc<Catalog>,
    clock: &Arc<HandClock>,
    server: &Arc<Server>,
    (host, node): (&str, &str),
) -> Arc<Context> {
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
        db: db.clone(),
        catalog: Arc::clone(catalog),
        network: Arc::new(Lines(Arc::clone(server))),
        trust: Trust::new(&[]).expect("authorities"),
        clock: Arc::clone(clock) as _,
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
        left: store::directories::Kept::default(),
    })
}

/// Ada Berg, who answers for an instance from now on and whose digest is due at this minute of her day.
pub(super) async fn own(
    db: &Db,
    clock: &HandClock,
    instance: &InstanceId,
    id: &str,
    (zone, digest_minute): (&str, u16),
) -> OwnerId {
    let now = clock.now();
    let owner = owners::Owner {
        id: id.into(),
        name: "Ada Berg".to_owned(),
        email: format!("{id}@example.com"),
        time_zone: zone.to_owned(),
        active: true,
        digest_minute,
        quiet: false,
        created_at: now,
        instances: 0,
    };
    owners::create(db, &owner, now, entry("owner")).await.expect("new");
    instances::assign_owner(db, instance, Some(&owner.id), now, entry("assign")).await.expect("onboarded");
    owner.id
}

/// A webhook that is told of this.
pub(super) async fn webhook(db: &Db, clock: &HandClock, subscription: Subscription) {
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
        created_at: clock.now(),
        paused: None,
    };
    let sealed = SecretString::from(serde_json::to_string(&address).expect("JSON"));
    destinations::create(db, &destination, &sealed, clock.now(), entry("destination")).await.expect("new");
}

/// One minute of deciding and sending.
pub(super) async fn minute(context: &Arc<Context>) {
    let now = context.now();
    digest::look(context, now).await.expect("a database in memory");
    alerts::look(context, now).await.expect("a database in memory");
    Sender::new(Arc::clone(context)).settle().await.expect("a database in memory");
}
