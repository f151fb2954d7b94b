//! What becomes of scans, told from the outside: by the words on the page and the run log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use collect::Clock;
use model::diagnosis::Warning;
use model::health::Enablement;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::Duration;
use store::params::{self, SetParam};
use store::scans::{self, Claim, Release};
use store::{Cut, findings};
use tokio::sync::Notify;

use super::fake::{Answer, START};
use super::world::{World, entry};
use crate::worker;

const UP: RunOutcome = RunOutcome::Succeeded;
const REFUSED: RunOutcome = RunOutcome::Failed(FailureCause::Credentials);
const INTERNAL: RunOutcome = RunOutcome::Failed(FailureCause::Internal);

#[tokio::test]
async fn up_unhealthy_down_reauthenticate_up() {
    let mut world = World::config_only().await;
    assert_eq!(world.words().await, "Up: Scanning", "waiting for the first scan");
    world.settle().await;
    assert_eq!(world.words().await, "Up: Up");

    world.fake.answer([Answer::Refused(FailureCause::Credentials)]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.words().await, "Down: Unhealthy", "the only scan's latest run failed");
    assert_eq!(world.log(ScanKind::Config).await, [UP, REFUSED]);
    world.pass(Duration::minutes(15)).await;
    assert_eq!(world.words().await, "Down: Unhealthy");
    world.pass(Duration::minutes(15)).await;
    assert_eq!(world.words().await, "Down: Down");
    assert_eq!(world.log(ScanKind::Config).await, [UP, REFUSED, REFUSED, REFUSED]);

    world.fake.answer([Answer::Open(&[])]);
    world.reauthenticate().await;
    assert!(world.standing().await.instance.suspension.is_none(), "Reauthenticate lifts the suspension");
    world.settle().await;
    assert_eq!(world.words().await, "Up: Up");
    assert_eq!(world.log(ScanKind::Config).await, [UP, REFUSED, REFUSED, REFUSED, UP], "history is kept");
}

#[tokio::test]
async fn a_suspended_credential_is_not_sent_and_every_status_follows() {
    let mut world = World::new().await;
    world.settle().await;
    world.fake.answer([Answer::Refused(FailureCause::Credentials)]);
    *world.fake.accepts.lock().expect("nobody panicked") = Err(FailureCause::Credentials);
    world.pass(Duration::hours(6)).await;
    let begun = world.fake.begun().len();
    let suspension = world.standing().await.instance.suspension.expect("three refusals");
    assert_eq!(begun, 2 + 3, "two good runs, three refused, then nothing was sent");
    world.pass(Duration::hours(48)).await;
    assert_eq!(world.fake.begun().len(), begun, "no scan sent anything");
    assert_eq!(world.words().await, "Down: Down, Down", "also of the scan that never met the refusal itself");
    // 1 h after the suspension, 4 h after that, then daily.
    let hours = (world.clock.now() - suspension.since).0 / 3_600_000;
    let tries = world.fake.tries.load(Ordering::SeqCst);
    assert_eq!((hours, tries), (52, 3), "at 1 h, 5 h and 29 h");

    *world.fake.accepts.lock().expect("nobody panicked") = Ok(());
    world.fake.answer([Answer::Open(&[])]);
    world.pass(Duration::hours(2)).await;
    assert_eq!(world.fake.tries.load(Ordering::SeqCst), 4, "at 53 h");
    assert_eq!(world.words().await, "Up: Up, Up", "an accepted try lifts the suspension and runs every scan");
}

#[tokio::test]
async fn scan_now_during_a_run_is_kept() {
    let world = World::config_only().await;
    let gate = Arc::new(Notify::new());
    world.fake.answer([Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&[]))), Answer::Open(&[])]);
    let run = tokio::spawn({
        let (context, id) = (Arc::clone(&world.context), world.id.clone());
        async move { worker::scan(&context, &id, ScanKind::Config).await }
    });
    world.fake.begun.notified().await;
    assert_eq!(world.words().await, "Up: Scanning");
    let asked_at = world.clock.now() + Duration::seconds(5);
    world.clock.advance(Duration::seconds(5));
    assert!(scans::want(&world.db, &world.id, ScanKind::Config, asked_at, None).await.expect("onboarded"));
    gate.notify_one();
    run.await.expect("no panic").expect("stored");
    assert_eq!(world.scan(ScanKind::Config).await.wanted_at, Some(asked_at), "the commit left it alone");
    let mut world = world;
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [UP, UP]);
    assert_eq!(world.scan(ScanKind::Config).await.wanted_at, None);
}

#[tokio::test]
async fn a_lease_that_was_lost_cannot_commit() {
    let mut world = World::config_only().await;
    let gate = Arc::new(Notify::new());
    world
        .fake
        .answer([Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&["front"]))), Answer::Open(&[])]);
    let run = tokio::spawn({
        let (context, id) = (Arc::clone(&world.context), world.id.clone());
        async move { worker::scan(&context, &id, ScanKind::Config).await }
    });
    world.fake.begun.notified().await;
    world.reauthenticate().await;
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [UP], "the run of the new credential");
    gate.notify_one();
    assert_eq!(run.await.expect("no panic").expect("no fault of the database"), worker::Ended::Nothing);
    assert_eq!(world.log(ScanKind::Config).await, [UP], "the old credential's run counts as nothing");
    assert_eq!(open_findings(&world).await, 0, "nor do its findings");
}

#[tokio::test]
async fn a_crash_leaves_a_lease_that_is_closed_as_failed() {
    let mut world = World::config_only().await;
    world.settle().await;
    world.clock.advance(Duration::hours(1));
    let held = claim(&world).await;
    assert_eq!(world.words().await, "Up: Scanning");
    world.clock.advance(Duration::minutes(2));
    world.fake.answer([Answer::Open(&[])]);
    let before = world.fake.begun().len();
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [UP, INTERNAL]);
    let last = world.scan(ScanKind::Config).await.last.expect("closed");
    assert_eq!((last.run, last.finished_at), (held.run, held.expires_at), "it ended when its lease did");
    assert_eq!(world.fake.begun().len(), before, "the next attempt is 15 min later");
    world.pass(Duration::minutes(15)).await;
    assert_eq!(world.log(ScanKind::Config).await, [UP, INTERNAL, UP]);
}

#[tokio::test]
async fn a_run_that_is_handed_back_is_resumed_and_given_up_the_third_time() {
    let mut world = World::config_only().await;
    let first = claim(&world).await;
    for _ in 0..3 {
        let held = claim_again(&world, &first.run).await;
        assert!(scans::release(&world.db, &held, Release::Drained).await.expect("held"));
    }
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [INTERNAL]);
    assert_eq!(world.fake.begun(), [], "nothing was sent for it");
}

#[tokio::test]
async fn the_vendors_pause_is_kept_by_every_scan_and_ends_as_throttled() {
    let mut world = World::new().await;
    world.settle().await;
    world.fake.answer([Answer::Later(Duration::hours(2)), Answer::Open(&[])]);
    world.pass(Duration::hours(1)).await;
    let begun = world.fake.begun().len();
    assert_eq!(world.words().await, "Up: Up, Up", "it counts by its last finished run");
    let until = world.clock.now() + Duration::hours(2);
    assert_eq!(world.standing().await.instance.blocked_until, Some(until));
    // Scan now of the other scan waits as well, and says so.
    let now = world.clock.now();
    scans::want(&world.db, &world.id, ScanKind::Accounts, now, None).await.expect("onboarded");
    world.pass(Duration::minutes(115)).await;
    assert_eq!(world.fake.begun().len(), begun, "nothing starts inside the vendor's pause");
    let waiting = world.scan(ScanKind::Accounts).await;
    assert_eq!(model::health::is_waiting(&waiting, world.clock.now()), Some(until));
    world.pass(Duration::minutes(10)).await;
    assert_eq!(world.fake.begun().len(), begun + 2, "both go on when it is over");
    assert_eq!(world.log(ScanKind::Config).await, [UP, UP]);

    world.fake.answer([Answer::Later(Duration::hours(20))]);
    world.pass(Duration::hours(1)).await;
    let begun = world.fake.begun().len();
    world.pass(Duration::minutes(185)).await;
    assert_eq!(world.log(ScanKind::Config).await, [UP, UP, RunOutcome::Failed(FailureCause::Throttled)]);
    assert_eq!(world.fake.begun().len(), begun);
    let standing = world.standing().await;
    assert!(!model::health::is_overdue(&standing.scans[0], &standing.instance, world.clock.now()));
}

#[tokio::test]
async fn a_panic_is_our_own_fault_and_says_so() {
    let mut world = World::config_only().await;
    world.fake.answer([Answer::Panic]);
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [INTERNAL]);
    let detail = world.scan(ScanKind::Config).await.last.expect("one").fault.expect("failed").detail;
    assert!(!detail.contains("as told"), "a panic may quote what was read: {detail}");
}

#[tokio::test]
async fn what_cannot_be_stored_fails_for_that_reason_and_at_once() {
    let mut world = World::new().await;
    world.settle().await;
    // An account that cannot be told from others.
    world.fake.staff("Acme", &[("", true)]);
    world.pass(Duration::hours(24)).await;
    let scan = world.scan(ScanKind::Accounts).await;
    assert!(scan.open.is_none(), "{scan:?}");
    let last = scan.last.expect("one");
    assert_eq!(last.outcome, INTERNAL);
    let detail = last.fault.expect("failed").detail;
    assert!(detail.starts_with("what was read cannot be stored: "), "{detail}");
    world.fake.staff("Acme", &[("ada@example.com", true)]);
    world.pass(Duration::hours(24)).await;
    assert_eq!(world.scan(ScanKind::Accounts).await.last.expect("one").outcome, UP);
}

#[tokio::test]
async fn an_expiry_stays_in_sight_while_the_vendor_is_away_and_goes_with_the_credential() {
    let mut world = World::config_only().await;
    let expires = Warning::CredentialExpires { at: START + Duration::days(10) };
    world.fake.answer([Answer::Expiring(START + Duration::days(10))]);
    world.settle().await;
    assert_eq!(world.warnings(ScanKind::Config).await, std::slice::from_ref(&expires));
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.warnings(ScanKind::Config).await, [expires], "a failed run does not know better");
    world.reauthenticate().await;
    assert_eq!(world.warnings(ScanKind::Config).await, [], "it was the old credential's");
    world.fake.answer([Answer::Open(&[])]);
    world.settle().await;
    assert_eq!(world.warnings(ScanKind::Config).await, []);
}

#[tokio::test]
async fn a_dataset_that_shrank_is_pointed_out_for_a_week() {
    let mut world = World::config_only().await;
    world.fake.answer([Answer::Doors(40)]);
    world.settle().await;
    assert_eq!(world.warnings(ScanKind::Config).await, []);
    world.fake.answer([Answer::Doors(19)]);
    world.pass(Duration::hours(1)).await;
    let [Warning::Shrank { dataset, title, had: 40, has: 19, at }] =
        &world.warnings(ScanKind::Config).await[..]
    else {
        panic!("{:?}", world.warnings(ScanKind::Config).await)
    };
    assert_eq!((dataset.as_str(), title.as_str(), *at), ("doors", "Doors", world.clock.now()));
    let seen = *at;
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.warnings(ScanKind::Config).await.len(), 1, "the next run compares with the smaller one");
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.warnings(ScanKind::Config).await.len(), 1, "a failed run does not know better");
    world.fake.answer([Answer::Doors(19)]);
    world.pass(seen + model::ahead::SHRANK_FOR - world.clock.now() + Duration::hours(1)).await;
    assert_eq!(world.warnings(ScanKind::Config).await, []);
}

#[tokio::test]
async fn a_permission_lost_after_onboarding_is_a_failure_and_a_warning() {
    let mut world = World::config_only().await;
    world.settle().await;
    world.fake.answer([Answer::Lacking("doors:read")]);
    world.pass(Duration::hours(1)).await;
    let lost = [Warning::PermissionLost { permission: "doors:read".into() }];
    assert_eq!(world.warnings(ScanKind::Config).await, lost);
    assert_eq!(world.log(ScanKind::Config).await, [UP, RunOutcome::Failed(FailureCause::Permission)]);
    world.fake.answer([Answer::Refused(FailureCause::Unreachable)]);
    world.pass(Duration::minutes(15)).await;
    assert_eq!(
        world.warnings(ScanKind::Config).await,
        lost,
        "nobody has granted it meanwhile, as far as is known"
    );
    world.fake.answer([Answer::Open(&[])]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.warnings(ScanKind::Config).await, []);
}

#[tokio::test]
async fn runs_that_take_more_than_half_the_interval_are_told_ahead() {
    let world = World::config_only().await;
    for n in 1..=5 {
        let gate = Arc::new(Notify::new());
        world.fake.answer([Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&[])))]);
        scans::want(&world.db, &world.id, ScanKind::Config, world.clock.now(), None)
            .await
            .expect("onboarded");
        let context = Arc::clone(&world.context);
        let id = world.id.clone();
        let run = tokio::spawn(async move { worker::scan(&context, &id, ScanKind::Config).await });
        world.fake.begun.notified().await;
        world.clock.advance(Duration::minutes(31));
        gate.notify_one();
        run.await.expect("no panic").expect("a database in memory");
        let told = world.warnings(ScanKind::Config).await;
        assert_eq!(told.len(), usize::from(n == 5), "{n}: {told:?}");
        world.clock.advance(Duration::minutes(1));
    }
    let takes = Duration::minutes(31);
    let interval = Duration::hours(1);
    assert_eq!(
        world.warnings(ScanKind::Config).await,
        [Warning::Slow { scan: ScanKind::Config, takes, took: None, interval }]
    );
}

#[tokio::test]
async fn a_failed_scan_changes_no_finding_and_a_complete_one_resolves_it() {
    let mut world = World::config_only().await;
    world.fake.answer([Answer::Open(&["front"])]);
    world.settle().await;
    assert_eq!(open_findings(&world).await, 1);
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.log(ScanKind::Config).await.last(), Some(&RunOutcome::Failed(FailureCause::Remote)));
    assert_eq!(open_findings(&world).await, 1, "stale, not gone");
    world.fake.answer([Answer::Open(&[])]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(open_findings(&world).await, 0);
}

#[tokio::test]
async fn a_parameter_holds_from_the_next_scan_on_and_is_evidence() {
    let mut world = World::config_only().await;
    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.settle().await;
    assert_eq!(open_findings(&world).await, 2);
    let set = |value: serde_json::Value| SetParam { value, by: "ada".to_owned(), at: world.clock.now() };
    let place = ("vault/door-locked".into(), "may_stand_open");
    let chosen = Some(set(serde_json::json!(["front"])));
    let now = world.clock.now();
    params::set(&world.db, &world.id, (&place.0, place.1), chosen, now, entry("parameter changed"))
        .await
        .expect("set");
    assert_eq!(open_findings(&world).await, 2, "what was found stands until it is looked at again");
    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(open_findings(&world).await, 1);
    let filter = findings::Filter { instance: Some(world.id.clone()), ..findings::Filter::default() };
    let page = findings::list(&world.db, &filter, Default::default(), Default::default(), Cut::first(50));
    let rows = page.await.expect("findings").rows;
    let back = rows.iter().find(|f| f.resource == "back").expect("it stands open");
    let used = back.evidence.iter().find(|e| &*e.field == "params.may_stand_open").expect("evidence");
    assert_eq!(used.value.value(), serde_json::json!(["front"]));

    // Kept for a parameter of another type: nobody has chosen what holds now, and nothing passes by it.
    let foreign = Some(SetParam { value: serde_json::json!(3), by: "ada".to_owned(), at: now });
    params::set(&world.db, &world.id, (&place.0, place.1), foreign, now, entry("parameter changed"))
        .await
        .expect("set");
    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.pass(Duration::hours(1)).await;
    assert_eq!(open_findings(&world).await, 1, "neither resolved nor opened by a value that says nothing");
}

#[tokio::test]
async fn scans_that_are_not_enabled_are_looked_at_daily_and_offered() {
    let missing = vec!["people:read".to_owned()];
    let lacking = Enablement::NotEnabled { missing: missing.clone(), checked_at: START, offered: false };
    let mut world = World::with(lacking).await;
    missing.clone_into(&mut world.fake.missing.lock().expect("nobody panicked"));
    world.pass(Duration::hours(25)).await;
    assert_eq!(world.fake.preflights.load(Ordering::SeqCst), 1);
    let Enablement::NotEnabled { missing: still, checked_at, offered } =
        world.scan(ScanKind::Accounts).await.enablement
    else {
        panic!("a re-check enables nothing")
    };
    assert_eq!((still, offered, checked_at), (missing, false, START + Duration::hours(24)));
    world.fake.missing.lock().expect("nobody panicked").clear();
    world.pass(Duration::hours(24)).await;
    let enablement = world.scan(ScanKind::Accounts).await.enablement;
    assert!(
        matches!(&enablement, Enablement::NotEnabled { offered: true, missing, .. } if missing.is_empty())
    );
    assert!(!world.fake.begun().contains(&ScanKind::Accounts), "enabling it is an operator's decision");
}

#[tokio::test]
async fn paused_nothing_runs_and_resuming_makes_everything_due() {
    let mut world = World::new().await;
    world.settle().await;
    let begun = world.fake.begun().len();
    store::instances::pause(&world.db, &world.id, "ada", world.clock.now(), entry("instance.pause"))
        .await
        .expect("onboarded");
    world.pass(Duration::hours(30)).await;
    assert_eq!(world.fake.begun().len(), begun);
    store::instances::resume(&world.db, &world.id, world.clock.now(), entry("instance.resume"))
        .await
        .expect("onboarded");
    assert_eq!(world.words().await, "Up: Up, Up", "not overdue at once");
    world.settle().await;
    assert_eq!(world.fake.begun().len(), begun + 2);
}

#[tokio::test]
async fn a_scan_that_no_worker_completes_is_overdue() {
    let mut world = World::config_only().await;
    world.settle().await;
    world.clock.advance(Duration::hours(3));
    assert_eq!(world.words().await, "Up: Up");
    world.clock.advance(Duration::minutes(1));
    assert_eq!(world.words().await, "Down: Unhealthy");
}

#[tokio::test]
async fn an_application_that_left_the_catalogue_fails_and_keeps_its_findings() {
    let mut world = World::config_only().await;
    world.fake.answer([Answer::Open(&["front"])]);
    world.settle().await;
    let begun = world.fake.begun().len();
    let mut world = world.with_catalog(catalog::Catalog::default()).await;
    world.clock.advance(Duration::hours(1));
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await, [UP, INTERNAL]);
    assert_eq!((world.fake.begun().len(), open_findings(&world).await), (begun, 1));
    let detail = world.scan(ScanKind::Config).await.last.expect("one").fault.expect("failed").detail;
    assert!(detail.contains("`vault`"), "{detail}");
}

#[tokio::test]
async fn old_runs_are_deleted_but_never_the_last_one() {
    let mut world = World::config_only().await;
    world.settle().await;
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.log(ScanKind::Config).await.len(), 2);
    let last = world.scan(ScanKind::Config).await.last.expect("finished").run;
    world.fake.answer([Answer::Later(Duration::hours(1))]);
    world.clock.advance(Duration::days(100));
    world.settle().await;
    assert_eq!(world.log(ScanKind::Config).await.len(), 1);
    assert_eq!(world.scan(ScanKind::Config).await.last.map(|run| run.run), Some(last));
}

async fn open_findings(world: &World) -> usize {
    let filter = findings::Filter { instance: Some(world.id.clone()), ..findings::Filter::default() };
    let page =
        findings::list(&world.db, &filter, Default::default(), Default::default(), Cut::first(50)).await;
    let open = page.expect("findings").rows.into_iter();
    open.filter(|f| f.state != model::finding::FindingState::Resolved).count()
}

/// A worker that takes the scan and is never heard of again.
async fn claim(world: &World) -> scans::Held {
    let now = world.clock.now();
    let claim = Claim {
        instance: &world.id,
        kind: ScanKind::Config,
        holder: "dead",
        now,
        ttl: Duration::minutes(1),
        deadline: now + Duration::hours(3),
    };
    scans::claim(&world.db, claim).await.expect("a database in memory").expect("nobody holds it")
}

/// The same, or the lease that is there already.
async fn claim_again(world: &World, run: &model::id::RunId) -> scans::Held {
    let facts = world.scan(ScanKind::Config).await;
    let open = facts.open.expect("begun");
    assert_eq!(&open.run, run, "a run that is handed back goes on");
    match open.lease {
        None => claim(world).await,
        Some(lease) => scans::Held {
            instance: world.id.clone(),
            kind: ScanKind::Config,
            run: open.run,
            fence: lease.fence,
            credential_version: 1,
            started_at: open.started_at,
            deadline: open.deadline,
            expires_at: lease.expires_at,
            abandoned: open.abandoned,
            wanted: true,
        },
    }
}
