//! What becomes of digests and alerts, told from the outside: by the mails that a server took.

use std::sync::Arc;

use collect::Clock;
use model::id::OwnerId;
use model::scan::FailureCause;
use model::time::Duration;
use notify::event::{Kind, Subscription};
use store::{digests, outbox, owners, scans};

use super::fake::Answer;
use super::post::{self, Server, minute};
use super::world::{World, entry, onboard};
use crate::tell::{Context, digest};

fn teller(world: &World, server: &Arc<Server>, host: &str, node: &str) -> Arc<Context> {
    post::teller(&world.db, &world.catalog, &world.clock, server, (host, node))
}

async fn own(world: &World, id: &str, zone: &str) -> OwnerId {
    post::own(&world.db, &world.clock, &world.id, id, (zone, 480)).await
}

async fn webhook(world: &World, subscription: Subscription) {
    post::webhook(&world.db, &world.clock, subscription).await;
}

/// Lets time pass in steps of ten minutes, scanning and telling.
async fn pass(world: &mut World, context: &Arc<Context>, time: Duration) {
    let until = world.clock.now() + time;
    while world.clock.now() < until {
        world.pass(Duration::minutes(10)).await;
        minute(context).await;
    }
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

/// The ids of digests without the instant at which each was made.
fn days_of(ids: Vec<String>) -> Vec<String> {
    let day = |id: String| {
        let (of, host) = id.split_once('@').expect("an id");
        format!("{}@{host}", of.rsplit_once('.').expect("an instant").0)
    };
    ids.into_iter().map(day).collect()
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
    assert_eq!(days_of(server.ids()), days);
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
    assert_eq!(days_of(server.ids()), ["digest.2026-03-03.o1@parapet.example.com"], "not none");
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
    assert_eq!(days_of(server.ids()), [day("03"), day("04"), day("05")], "all of them, in order");
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
async fn what_was_told_by_a_clock_days_ahead_silences_nothing_after_it() {
    let mut world = World::config_only().await;
    world.settle().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    webhook(&world, Subscription::default()).await;
    let days = Duration::days(9);
    world.clock.advance(days);
    pass(&mut world, &context, Duration::hours(1)).await;
    for _ in 0..2 {
        world.fake.answer([Answer::Refused(FailureCause::Remote)]);
        pass(&mut world, &context, Duration::hours(5)).await;
        world.fake.answer([Answer::Open(&[])]);
        pass(&mut world, &context, Duration::hours(3)).await;
        world.clock.advance(Duration(-days.0));
    }
    let told: Vec<String> = kinds(&server).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, ["status_changed", "recovered", "status_changed", "recovered"]);
}

/// What was told until an instant that has not come is not what is new until then.
#[tokio::test]
async fn a_clock_that_is_set_back_hides_no_finding_from_the_digest() {
    let mut world = World::config_only().await;
    own(&world, "o1", "UTC").await;
    world.settle().await;
    let server = Server::start().await;
    let context = teller(&world, &server, "here", "one");
    // 09:00 on the 2nd of March; the digest of the 3rd is due at 08:00, and made an hour early.
    pass(&mut world, &context, Duration::hours(22)).await;
    let ahead = Duration::minutes(70);
    world.clock.advance(ahead);
    pass(&mut world, &context, Duration::minutes(10)).await;
    assert_eq!(server.ids().len(), 1);
    world.clock.advance(Duration(-ahead.0));
    pass(&mut world, &context, Duration::minutes(10)).await;
    world.fake.answer([Answer::Open(&["front"])]);
    scans::want(&world.db, &world.id, model::scan::ScanKind::Config, world.clock.now(), None)
        .await
        .expect("there");
    pass(&mut world, &context, Duration::hours(25)).await;
    assert_eq!(server.ids().len(), 2);
    assert!(server.last().contains("1 new finding"), "{}", server.last());
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
    let ids = days_of(server.ids());
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
    assert_eq!(days_of(server.ids()), ["digest.2026-03-04.o1@parapet.example.com"]);
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
