//! What is started, and in which order.

use std::collections::BTreeMap;
use std::sync::Arc;

use collect::Clock as _;
use model::health::{Enablement, InstanceFacts, ScanFacts, Standing};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use store::{instances, simulation};

use super::fake::START;
use super::world::{World, entry, onboard};
use crate::due::{Agenda, Busy, Known, Work, agenda};

const SCAN: Work = Work::Scan(ScanKind::Config);

/// An instance at this vendor whose config scan is due then.
fn instance(origin: &str, next_at: Timestamp, wanted: bool) -> Known {
    let scan = ScanFacts {
        kind: ScanKind::Config,
        enablement: Enablement::Enabled,
        interval: Duration::hours(1),
        watched_since: START,
        next_at,
        wanted_at: wanted.then_some(START),
        open: None,
        last: None,
        last_success_at: None,
        failures_in_a_row: 0,
        retryable_partials_in_a_row: 0,
        failing_since: None,
    };
    let instance = InstanceFacts {
        id: "1".into(),
        down_after: 3,
        onboarded_at: START,
        paused: None,
        credential_version: 1,
        credential_failures_in_a_row: 0,
        suspension: None,
        blocked_until: None,
    };
    Known { standing: Standing { instance, scans: vec![scan] }, origin: origin.into() }
}

fn world(instances: impl IntoIterator<Item = (&'static str, Known)>) -> BTreeMap<InstanceId, Known> {
    instances.into_iter().map(|(id, known)| (id.into(), known)).collect()
}

fn ids(agenda: &Agenda) -> Vec<&str> {
    agenda.start.iter().map(|(id, _)| id.as_str()).collect()
}

#[test]
fn it_sleeps_until_the_next_is_due() {
    let soon = START + Duration::minutes(3);
    let known =
        world([("a", instance("x", START + Duration::hours(1), false)), ("b", instance("x", soon, false))]);
    let nothing = agenda(&known, &Busy::default(), 8, 8, START);
    assert_eq!(nothing, Agenda { start: vec![], next_at: Some(soon) });
    let later = agenda(&known, &Busy::default(), 8, 8, soon);
    assert_eq!((ids(&later), later.next_at), (vec!["b"], Some(START + Duration::hours(1))));
    assert_eq!(
        agenda(&BTreeMap::new(), &Busy::default(), 8, 8, START),
        Agenda { start: vec![], next_at: None }
    );
}

#[test]
fn what_was_asked_for_comes_first_then_what_waits_longest() {
    let ago = |minutes| START - Duration::minutes(minutes);
    let known = world([
        ("a", instance("x", ago(1), false)),
        ("b", instance("x", ago(9), false)),
        ("c", instance("x", START + Duration::hours(5), true)),
    ]);
    assert_eq!(ids(&agenda(&known, &Busy::default(), 8, 8, START)), ["c", "b", "a"]);
    assert_eq!(ids(&agenda(&known, &Busy::default(), 2, 8, START)), ["c", "b"], "as far as workers reach");
}

#[test]
fn thousands_at_one_vendor_do_not_keep_another_waiting() {
    let mut known: BTreeMap<InstanceId, Known> = (0..1000)
        .map(|n| (format!("big-{n:04}").into(), instance("big", START - Duration::hours(2), false)))
        .collect();
    known.insert("small".into(), instance("small", START, false));
    let first = agenda(&known, &Busy::default(), 8, 4, START);
    assert_eq!(first.start.len(), 5, "four at the big vendor, and the small one");
    assert!(ids(&first).contains(&"small"));

    let big: Arc<str> = "big".into();
    let flying = (0..4).map(|n| ((format!("big-{n:04}").into(), SCAN), Arc::clone(&big))).collect();
    let busy = Busy { flying, ..Busy::default() };
    assert_eq!(ids(&agenda(&known, &busy, 8, 4, START)), ["small"]);
}

/// An instance of which so many scans are due.
fn with_scans(origin: &str, next_at: Timestamp) -> Known {
    let mut known = instance(origin, next_at, false);
    let one = known.standing.scans[0].clone();
    for kind in [ScanKind::Accounts, ScanKind::Plugins] {
        known.standing.scans.push(ScanFacts { kind, ..one.clone() });
    }
    known
}

#[test]
fn a_tenant_that_is_slow_leaves_room_for_others_at_its_vendor() {
    let ago = |minutes| START - Duration::minutes(minutes);
    let mut known = world([
        ("slow-1", with_scans("vendor", ago(50))),
        ("slow-2", with_scans("vendor", ago(40))),
        ("quick", instance("vendor", ago(1), false)),
    ]);
    // Each gets one, and one more of what is left while less than half of the share is used.
    let first = agenda(&known, &Busy::default(), 8, 4, START);
    assert_eq!(ids(&first), ["slow-1", "slow-1", "slow-2", "quick"]);

    // Theirs go on for hours, and the fourth place is free for whoever else is due, again and again.
    let vendor: Arc<str> = "vendor".into();
    let flying = first.start.into_iter().filter(|(id, _)| id.as_str() != "quick");
    let busy = Busy { flying: flying.map(|job| (job, Arc::clone(&vendor))).collect(), ..Busy::default() };
    known.insert("other".into(), instance("vendor", ago(3), false));
    assert_eq!(ids(&agenda(&known, &busy, 8, 4, START)), ["other"]);
}

#[test]
fn slow_tenants_of_their_own_vendors_do_not_take_all_workers() {
    let mut known: BTreeMap<InstanceId, Known> = (0..4)
        .map(|n| (format!("slow-{n}").into(), with_scans(&format!("vendor-{n}"), START - Duration::hours(1))))
        .collect();
    let first = agenda(&known, &Busy::default(), 8, 4, START);
    let vendor = |id: &InstanceId| known[id].origin.clone();
    let busy = Busy {
        flying: first.start.iter().map(|job| (job.clone(), vendor(&job.0))).collect(),
        ..Busy::default()
    };
    assert_eq!(busy.flying.len(), 4, "one each: {busy:?}");
    known.insert("quick".into(), with_scans("another", START));
    assert_eq!(ids(&agenda(&known, &busy, 8, 4, START)), ["quick"]);
    // Alone it has all three of its scans at once.
    known.retain(|id, _| id.as_str() == "quick");
    assert_eq!(ids(&agenda(&known, &Busy::default(), 8, 4, START)), ["quick"; 3]);
}

#[test]
fn what_flies_or_is_held_off_is_left_alone() {
    let known = world([("a", instance("x", START, false)), ("b", instance("x", START, false))]);
    let until = START + Duration::seconds(15);
    let busy = Busy {
        flying: [(("a".into(), SCAN), "x".into())].into(),
        held_off: [(("b".into(), SCAN), until)].into(),
    };
    assert_eq!(agenda(&known, &busy, 8, 8, START), Agenda { start: vec![], next_at: Some(until) });
}

/// Nobody tells it again: on SQLite there is no other node whose changes would be read every minute.
#[tokio::test]
async fn what_was_heard_of_while_the_database_failed_is_not_forgotten() {
    let mut world = World::new().await;
    let other = onboard(&world.db, &world.clock, "Other", Enablement::Enabled).await;
    world.settle().await;
    for id in [&world.id, &other] {
        instances::pause(&world.db, id, "ada", world.clock.now(), entry("instance.pause"))
            .await
            .expect("there");
    }
    world.pass(Duration::hours(1)).await;
    let begun = world.fake.begun().len();
    for id in [&world.id, &other] {
        instances::resume(&world.db, id, world.clock.now(), entry("instance.resume")).await.expect("there");
    }
    simulation::trouble(Some(Box::new(|_| true)));
    assert!(world.ticker.tick().await.is_err());
    simulation::trouble(None);
    world.pass(Duration::minutes(5)).await;
    assert_eq!(world.fake.begun().len(), begun + 4, "both scans of both");
}
