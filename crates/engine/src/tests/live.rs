//! The ticker itself, asleep and woken, on a clock that stands still.

use std::sync::Arc;
use std::time::Duration as Real;

use model::scan::{RunOutcome, ScanKind};
use model::time::Duration;
use store::scans;
use tokio::sync::Notify;

use super::fake::Answer;
use super::world::{World, entry, onboard};
use crate::Engine;
use crate::config::Config;
use crate::ticker::Handle;

/// Far longer than anything takes: a test that hangs says where.
const PATIENCE: Real = Real::from_secs(30);

async fn start(world: &World) -> Handle {
    let collector = Arc::clone(&world.fake) as _;
    let clock = Arc::clone(&world.clock) as _;
    Engine::start(world.db.clone(), Arc::clone(&world.catalog), collector, clock, Config::default())
        .await
        .expect("a database in memory")
}

/// Waits for a change after which the condition holds.
async fn until<F: Future<Output = bool>>(world: &World, what: &str, holds: impl Fn() -> F) {
    let mut changes = world.db.changes();
    let waiting = async {
        while !holds().await {
            changes.recv().await.expect("the database is open");
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn the_ticker_wakes_for_what_is_wanted_and_for_new_instances() {
    let world = World::config_only().await;
    let handle = start(&world).await;
    until(&world, "the first scan", || async { world.log(ScanKind::Config).await.len() == 1 }).await;
    let now = collect::Clock::now(&*world.clock);
    scans::want(&world.db, &world.id, ScanKind::Config, now, None).await.expect("onboarded");
    until(&world, "scan now", || async { world.log(ScanKind::Config).await.len() == 2 }).await;
    let stopped = world.scan(ScanKind::Accounts).await.enablement;
    onboard(&world.db, &world.clock, "Other", stopped).await;
    until(&world, "the new instance", || async { world.fake.begun().len() == 3 }).await;
    handle.drain().await;
}

#[tokio::test]
async fn cancel_ends_a_run_without_outcome() {
    let world = World::config_only().await;
    let gate = Arc::new(Notify::new());
    world.fake.answer([Answer::Gated(gate, Box::new(Answer::Open(&[])))]);
    let handle = start(&world).await;
    world.fake.begun.notified().await;
    let now = collect::Clock::now(&*world.clock);
    let next_at = now + Duration::hours(1);
    let cancelled =
        scans::cancel(&world.db, &world.id, ScanKind::Config, next_at, now, entry("scan.cancel")).await;
    assert!(cancelled.expect("onboarded"));
    until(&world, "cancelled", || async { world.scan(ScanKind::Config).await.open.is_none() }).await;
    assert_eq!(world.log(ScanKind::Config).await, []);
    assert_eq!(world.scan(ScanKind::Config).await.next_at, next_at);
    handle.drain().await;
}

#[tokio::test]
async fn a_machine_that_slept_fails_no_run() {
    let world = World::config_only().await;
    let gate = Arc::new(Notify::new());
    world.fake.answer([Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&[])))]);
    let handle = start(&world).await;
    world.fake.begun.notified().await;
    world.clock.advance(Duration::minutes(50));
    until(&world, "renewed", || async {
        let open = world.scan(ScanKind::Config).await.open;
        let lease = open.and_then(|open| open.lease);
        lease.is_some_and(|lease| lease.expires_at > collect::Clock::now(&*world.clock))
    })
    .await;
    gate.notify_one();
    until(&world, "finished", || async { !world.log(ScanKind::Config).await.is_empty() }).await;
    assert_eq!(world.log(ScanKind::Config).await, [RunOutcome::Succeeded]);
    handle.drain().await;
}

#[tokio::test]
async fn drain_hands_the_run_back_and_the_next_start_resumes_it() {
    let world = World::config_only().await;
    let gate = Arc::new(Notify::new());
    let gated = Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&[])));
    world.fake.answer([gated, Answer::Open(&[])]);
    let handle = start(&world).await;
    world.fake.begun.notified().await;
    tokio::time::timeout(PATIENCE, handle.drain()).await.expect("a drain ends");
    let open = world.scan(ScanKind::Config).await.open.expect("still open");
    assert_eq!((open.abandoned, &open.lease), (1, &None));
    assert_eq!(world.log(ScanKind::Config).await, [], "a drain is no outcome");

    let handle = start(&world).await;
    until(&world, "resumed", || async { world.log(ScanKind::Config).await == [RunOutcome::Succeeded] }).await;
    let last = world.scan(ScanKind::Config).await.last.expect("finished");
    assert_eq!(last.run, open.run, "the same run went on");
    handle.drain().await;
}

/// Begins a run that is told to come back two hours later and does not end; when that is over.
async fn told_in_the_middle(world: &World) -> model::time::Timestamp {
    let gated = Answer::Gated(Arc::default(), Box::new(Answer::Open(&[])));
    let wait = Duration::hours(2);
    world.fake.answer([Answer::Told(wait, Box::new(gated)), Answer::Open(&[])]);
    collect::Clock::now(&*world.clock) + wait
}

#[tokio::test]
async fn what_a_cancelled_run_was_told_holds_for_the_next() {
    let world = World::config_only().await;
    let over = told_in_the_middle(&world).await;
    let handle = start(&world).await;
    world.fake.begun.notified().await;
    let now = collect::Clock::now(&*world.clock);
    let cancelled =
        scans::cancel(&world.db, &world.id, ScanKind::Config, now, now, entry("scan.cancel")).await;
    assert!(cancelled.expect("onboarded"));
    until(&world, "cancelled", || async { world.scan(ScanKind::Config).await.open.is_none() }).await;
    assert_eq!(world.standing().await.instance.blocked_until, Some(over));
    handle.drain().await;
}

#[tokio::test]
async fn what_a_drained_run_was_told_holds_when_it_goes_on() {
    let world = World::config_only().await;
    let over = told_in_the_middle(&world).await;
    let handle = start(&world).await;
    world.fake.begun.notified().await;
    tokio::time::timeout(PATIENCE, handle.drain()).await.expect("a drain ends");
    assert_eq!(world.standing().await.instance.blocked_until, Some(over));
    let handle = start(&world).await;
    let waits =
        async || world.scan(ScanKind::Config).await.open.and_then(|open| open.waiting_until) == Some(over);
    until(&world, "it waits", waits).await;
    assert_eq!(world.fake.begun().len(), 1, "nothing was sent in between");
    handle.drain().await;
}

#[tokio::test]
async fn a_ticker_that_dies_is_noticed_and_can_still_be_drained() {
    let world = World::config_only().await;
    world.fake.answer([Answer::Open(&[])]);
    let mut handle = start(&world).await;
    let alive = tokio::time::timeout(Real::from_millis(50), handle.failed()).await;
    assert!(alive.is_err(), "it lives");
    handle.kill();
    tokio::time::timeout(PATIENCE, handle.failed()).await.expect("noticed");
    handle.drain().await;
}
