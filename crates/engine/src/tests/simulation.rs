//! Days of a small fleet from one seed: vendors that fail, lie and ask for pauses, workers that die, clocks that jump,
//! operators who press every button. After each step the facts must equal a fold of the run log; once the faults cease,
//! everything must come up. A seed that found a fault stays in the list.

use std::collections::BTreeMap;

use collect::Clock;
use model::health::{Enablement, ScanFacts, ScanStatus, scan_status};
use model::id::InstanceId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{MAX_ABANDONED, after_interval_saved};
use model::time::Duration;
use store::runs::Run;
use store::scans::{self, Claim};
use store::{Cut, instances, runs};

use super::fake::Answer;
use super::world::{World, entry, onboard, reauthenticate};

const SEEDS: [u64; 4] = [1, 3, 7, 42];
const STEPS: u32 = 120;

struct Dice(u64);

impl Dice {
    /// 0 to n-1.
    fn roll(&mut self, n: u64) -> u64 {
        // xorshift64*: good enough for dice, and the same everywhere.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn minutes(&mut self, upto: u64) -> Duration {
        Duration::minutes(i64::try_from(self.roll(upto)).expect("small") + 1)
    }

    fn answer(&mut self) -> Answer {
        let causes = FailureCause::ALL;
        match self.roll(12) {
            0..5 => Answer::Open(&[]),
            5 => Answer::Open(&["front"]),
            6 => Answer::Later(self.minutes(170)),
            7 => Answer::Panic,
            _ => Answer::Refused(causes[usize::try_from(self.roll(causes.len() as u64)).expect("small")]),
        }
    }
}

#[tokio::test]
async fn days_of_a_fleet() {
    for seed in SEEDS {
        let story = Box::pin(live(seed));
        story.await;
    }
}

async fn live(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut world = World::new().await;
    let mut fleet = vec![(world.id.clone(), "Acme")];
    for name in ["Bolt", "Cube"] {
        fleet.push((onboard(&world.db, &world.clock, name, Enablement::Enabled).await, name));
    }
    let mut grown = Grown::new();
    for step in 0..STEPS {
        let answers: Vec<Answer> = (0..6).map(|_| dice.answer()).collect();
        world.fake.answer(answers);
        let (id, name) = fleet[usize::try_from(dice.roll(3)).expect("small")].clone();
        meddle(&world, &mut dice, &id, name).await;
        world.clock.advance(dice.minutes(45));
        world.settle().await;
        for (id, name) in &fleet {
            equals_its_log(&world, &mut grown, id, &format!("seed {seed}, step {step}, {name}")).await;
        }
    }

    assert_eq!(*world.fake.trespasses.lock().expect("nobody panicked"), [""; 0], "seed {seed}");

    // The faults cease.
    world.fake.answer([Answer::Open(&[])]);
    for (id, _) in &fleet {
        instances::resume(&world.db, id, world.clock.now(), entry("instance.resume"))
            .await
            .expect("onboarded");
    }
    for _ in 0..120 {
        world.clock.advance(Duration::minutes(15));
        world.settle().await;
    }
    for (id, name) in &fleet {
        let standing = instances::get(&world.db, id).await.expect("onboarded").standing();
        for scan in &standing.scans {
            let status = scan_status(scan, &standing.instance, world.clock.now());
            assert_eq!(status, ScanStatus::Up, "seed {seed}: {name} never came up: {scan:#?}");
            assert_eq!((&scan.open, scan.wanted_at), (&None, None), "seed {seed}: {name} is left half done");
        }
        assert_eq!(standing.instance.suspension, None, "seed {seed}: {name}");
    }
}

/// Somebody or something does something to one instance.
async fn meddle(world: &World, dice: &mut Dice, id: &InstanceId, name: &str) {
    let (db, now) = (&world.db, world.clock.now());
    let kind = if dice.roll(2) == 0 { ScanKind::Config } else { ScanKind::Accounts };
    match dice.roll(14) {
        0 => drop(instances::pause(db, id, "ada", now, entry("instance.pause")).await.expect("onboarded")),
        1 | 2 => drop(instances::resume(db, id, now, entry("instance.resume")).await.expect("onboarded")),
        3 | 4 => drop(scans::want(db, id, kind, now, None).await.expect("onboarded")),
        5 => {
            let next_at = now + Duration::hours(1);
            let cancelled = scans::cancel(db, id, kind, next_at, now, entry("scan.cancel")).await;
            cancelled.expect("onboarded");
        }
        6 => {
            let interval = dice.minutes(24 * 60);
            let change = |facts: &ScanFacts| after_interval_saved(facts, interval, now);
            let saved = scans::set_pace(db, id, kind, &change, now, entry("scan.interval"));
            saved.await.expect("onboarded");
        }
        7 => reauthenticate(db, &world.clock, id, name).await,
        // A worker takes the scan and dies.
        8 | 9 => {
            let ttl = Duration::minutes(1);
            let deadline = now + Duration::hours(3);
            let claim = Claim { instance: id, kind, holder: "dead", now, ttl, deadline };
            scans::claim(db, claim).await.expect("a database in memory");
        }
        // The clock jumps.
        10 => world.clock.advance(dice.minutes(60 * 40)),
        11 => world.clock.advance(Duration(-dice.minutes(110).0)),
        _ => {}
    }
}

/// What each scan's log has grown by, in the order of committing: a clock that is set back puts the log itself, which is
/// listed by time, out of order.
type Grown = BTreeMap<(InstanceId, ScanKind), Vec<Run>>;

/// Health is a fold of the run log.
async fn equals_its_log(world: &World, grown: &mut Grown, id: &InstanceId, place: &str) {
    let row = instances::get(&world.db, id).await.expect("onboarded");
    for scan in row.scans.iter().map(|scan| &scan.facts) {
        let place = format!("{place}, {}", scan.kind);
        let filter = runs::Filter { instance: Some(id.clone()), kind: Some(scan.kind), outcome: None };
        let log = runs::log(&world.db, &filter, Cut::first(40)).await.expect("a log").rows;
        let grown = grown.entry((id.clone(), scan.kind)).or_default();
        let mut new: Vec<Run> =
            log.into_iter().filter(|run| grown.iter().all(|old| old.id != run.id)).collect();
        new.sort_by_key(|run| run.finished_at);
        grown.extend(new);

        let last = grown.last().map(|run| (run.id.clone(), run.outcome, run.finished_at));
        let facts = scan.last.as_ref().map(|run| (run.run.clone(), run.outcome, run.finished_at));
        assert_eq!(facts, last, "{place}");
        let row_of_failures =
            grown.iter().rev().take_while(|run| matches!(run.outcome, RunOutcome::Failed(_))).count();
        assert_eq!(scan.failures_in_a_row as usize, row_of_failures, "{place}");
        let good = grown.iter().rposition(|run| run.outcome == RunOutcome::Succeeded);
        assert_eq!(scan.last_success_at, good.map(|at| grown[at].finished_at), "{place}");
        let bad = grown.get(good.map_or(0, |at| at + 1)).map(|run| run.finished_at);
        assert_eq!(scan.failing_since, bad, "{place}");
        if let Some(last) = &scan.last {
            assert_eq!(last.fault.is_some(), last.outcome != RunOutcome::Succeeded, "{place}");
        }
        assert!(scan.open.as_ref().is_none_or(|open| open.abandoned <= MAX_ABANDONED), "{place}");
    }
}
