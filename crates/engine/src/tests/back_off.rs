//! What tries of a credential and looks at permissions are told, and what they heed.

use std::sync::atomic::Ordering;

use collect::Clock;
use model::health::{Enablement, InstanceFacts, Suspension};
use model::scan::FailureCause;
use model::time::Duration;
use store::instances;

use super::fake::{Answer, START};
use super::world::{World, entry};
use crate::credential::try_suspended;
use crate::recheck::recheck;

#[tokio::test]
async fn what_a_try_was_told_holds_for_the_next() {
    let mut world = World::new().await;
    world.fake.answer([Answer::Refused(FailureCause::Credentials)]);
    *world.fake.accepts.lock().expect("nobody panicked") = Err(FailureCause::Throttled);
    *world.fake.asks.lock().expect("nobody panicked") = Some(Duration::hours(3));
    world.pass(Duration::hours(2)).await;
    assert!(world.standing().await.instance.suspension.is_some());
    assert_eq!(world.fake.tries.load(Ordering::SeqCst), 1);
    world.pass(Duration::minutes(110)).await;
    assert_eq!(world.fake.tries.load(Ordering::SeqCst), 1, "not by its own pace, but by the vendor's");
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.fake.tries.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_a_look_at_permissions_was_told_holds_for_the_scans() {
    let missing = vec!["people:read".to_owned()];
    let mut world = World::with(Enablement::NotEnabled { missing, checked_at: START, offered: false }).await;
    *world.fake.asks.lock().expect("nobody panicked") = Some(Duration::hours(4));
    world.pass(Duration::hours(25)).await;
    assert_eq!(world.fake.preflights.load(Ordering::SeqCst), 1);
    let begun = world.fake.begun().len();
    world.pass(Duration::minutes(170)).await;
    assert_eq!(world.fake.begun().len(), begun, "until 28 h nothing is sent");
    world.pass(Duration::hours(1)).await;
    assert!(world.fake.begun().len() > begun, "then it goes on");
}

/// As of another node, which has not heard of it.
#[tokio::test]
async fn a_look_or_a_try_that_was_due_heeds_what_was_stored_since() {
    let mut world = World::new().await;
    world.settle().await;
    let change = async |change: &(dyn Fn(&InstanceFacts) -> InstanceFacts + Send + Sync)| {
        instances::update_facts(&world.db, &world.id, change).await.expect("onboarded");
    };
    let until = world.clock.now() + Duration::hours(2);
    let suspension = Suspension { since: START, tries: 0, next_try_at: START };
    let suspended =
        |facts: &InstanceFacts| InstanceFacts { suspension: Some(suspension.clone()), ..facts.clone() };
    let told = |facts: &InstanceFacts| InstanceFacts { blocked_until: Some(until), ..facts.clone() };
    change(&suspended).await;
    recheck(&world.context, &world.id).await.expect("stored");
    change(&told).await;
    recheck(&world.context, &world.id).await.expect("stored");
    try_suspended(&world.context, &world.id).await.expect("stored");
    change(&|facts| InstanceFacts { blocked_until: None, ..facts.clone() }).await;
    instances::pause(&world.db, &world.id, "ada", until, entry("instance.pause")).await.expect("onboarded");
    recheck(&world.context, &world.id).await.expect("stored");
    try_suspended(&world.context, &world.id).await.expect("stored");
    let sent = (world.fake.preflights.load(Ordering::SeqCst), world.fake.tries.load(Ordering::SeqCst));
    assert_eq!(sent, (0, 0));
}
