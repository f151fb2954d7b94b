//! The laws of the schedule, over whole lives of a scan.

mod common;

use common::{NOW, finish, instance, run_id, scan};
use model::health::{InstanceFacts, Lease, OpenRun, Paused, Progress, ScanFacts, Suspension, is_overdue};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{
    After, Finish, MAX_INTERVAL, MIN_INTERVAL, RETRY_AFTER, Spread, TOO_FAR_AHEAD, after_accepted,
    after_back_off, after_interval_saved, after_refused_try, after_resume, after_run, due_at, is_over,
    run_allowance, try_at, vendor_wait,
};
use model::time::{Duration, Timestamp};
use proptest::prelude::*;

fn outcome() -> impl Strategy<Value = RunOutcome> {
    let cause = || proptest::sample::select(FailureCause::ALL.to_vec());
    prop_oneof![
        Just(RunOutcome::Succeeded),
        cause().prop_map(RunOutcome::Partial),
        cause().prop_map(RunOutcome::Failed),
    ]
}

fn interval() -> impl Strategy<Value = Duration> {
    (MIN_INTERVAL.0..=MAX_INTERVAL.0).prop_map(Duration)
}

fn run(facts: &ScanFacts, instance: &InstanceFacts, outcome: RunOutcome, at: Timestamp) -> After {
    after_run(facts, instance, finish(outcome, at), Spread(0))
}

const REMOTE: RunOutcome = RunOutcome::Partial(FailureCause::Remote);
const FAILED: RunOutcome = RunOutcome::Failed(FailureCause::Remote);
const REFUSED: RunOutcome = RunOutcome::Failed(FailureCause::Credentials);

proptest! {
    /// The engine of a life: whenever the scan is due it runs for up to 20 minutes and ends somehow.
    #[test]
    fn a_scan_that_runs_when_due_is_never_overdue(
        interval in interval(),
        life in proptest::collection::vec((outcome(), 0..20i64, any::<u16>()), 1..40),
    ) {
        let mut facts = ScanFacts { interval, ..scan(ScanKind::Config) };
        let mut instance = instance();
        let mut now = NOW;
        for (outcome, minutes, spread) in life {
            let due = due_at(&facts, &instance, now).expect("enabled, at rest");
            prop_assert!(due <= now + TOO_FAR_AHEAD);
            now = now.max(due);
            prop_assert!(!is_overdue(&facts, &instance, now), "overdue at the start of a due run");
            now = now + Duration::minutes(minutes);
            prop_assert!(!is_overdue(&facts, &instance, now), "overdue during a run of {minutes} min");
            let after = after_run(&facts, &instance, finish(outcome, now), Spread(spread));
            let wait = after.scan.next_at - now;
            prop_assert!(wait >= RETRY_AFTER, "the vendor is left alone for {RETRY_AFTER}: {wait}");
            let longest = interval.max(Duration::hours(1));
            prop_assert!(wait <= Duration(longest.0 + longest.0 / 32), "{wait}");
            if matches!(outcome, RunOutcome::Failed(_)) && after.scan.failures_in_a_row >= 3 {
                prop_assert!(wait >= longest, "Down waits max(interval, 1 h)");
            }
            facts = after.scan;
            instance = after.instance;
        }
    }

    #[test]
    fn a_request_made_during_a_run_survives_its_commit(outcome in outcome(), wanted in 0..10_000i64) {
        let wanted_at = Some(NOW + Duration(wanted));
        let facts = ScanFacts { wanted_at, ..scan(ScanKind::Plugins) };
        let after = run(&facts, &instance(), outcome, NOW + Duration(20_000)).scan;
        prop_assert_eq!(after.wanted_at, wanted_at);
        let now = NOW + Duration(20_001);
        prop_assert!(due_at(&after, &instance(), now).expect("due") <= now);
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nothing(ahead in TOO_FAR_AHEAD.0 + 1..Duration::days(4000).0) {
        let facts = ScanFacts { next_at: NOW + Duration(ahead), ..scan(ScanKind::Config) };
        prop_assert_eq!(due_at(&facts, &instance(), NOW), Some(NOW));
        let blocked = InstanceFacts { blocked_until: Some(NOW + Duration(ahead)), ..instance() };
        prop_assert_eq!(vendor_wait(&blocked, NOW), None);
        // What is not believed hides no back-off that is asked for now.
        let until = NOW + Duration::hours(2);
        prop_assert_eq!(after_back_off(blocked.blocked_until, Some(until), NOW), Some(until));
        prop_assert_eq!(after_back_off(Some(until), blocked.blocked_until, NOW), Some(until));
        // Nor is it kept, to be believed when its time draws near.
        prop_assert_eq!(after_back_off(blocked.blocked_until, None, NOW), None);
        let suspension = Suspension { since: NOW, tries: 2, next_try_at: NOW + Duration(ahead) };
        prop_assert_eq!(try_at(&suspension, NOW), NOW);
    }

    #[test]
    fn an_end_that_a_clock_put_far_ahead_is_over(ahead in Duration::hours(49).0 + 1..Duration::days(4000).0) {
        prop_assert!(is_over(NOW + Duration(ahead), NOW) && is_over(NOW, NOW));
        prop_assert!(!is_over(NOW + run_allowance(MAX_INTERVAL), NOW));
    }

    #[test]
    fn of_two_back_offs_the_later_one_is_kept(one in 1..Duration::hours(24).0, other in 1..Duration::hours(24).0) {
        let at = |ahead| Some(NOW + Duration(ahead));
        prop_assert_eq!(after_back_off(at(one), at(other), NOW), at(one.max(other)));
        prop_assert_eq!(after_back_off(None, at(other), NOW), at(other));
        prop_assert_eq!(after_back_off(at(one), None, NOW), at(one));
    }

    #[test]
    fn saving_an_interval_moves_the_next_run_and_nothing_else(
        first in interval(), second in interval(), after in 0..Duration::hours(24).0,
    ) {
        let facts = run(&ScanFacts { interval: first, ..scan(ScanKind::Config) }, &instance(), RunOutcome::Succeeded, NOW);
        let open = OpenRun {
            run: run_id(), started_at: NOW, deadline: NOW + run_allowance(first), waiting_until: None, abandoned: 0,
            lease: Some(Lease { fence: 3, expires_at: NOW, progress: Progress::default() }),
        };
        let before = ScanFacts { open: Some(open), ..facts.scan };
        let now = NOW + Duration(after);
        let saved = after_interval_saved(&before, second, now);
        prop_assert_eq!(saved.next_at, NOW + second);
        prop_assert!(!is_overdue(&saved, &instance(), now), "a shorter interval is not overdue at once");
        prop_assert_eq!(&saved.open, &before.open, "a live run keeps its deadline");
        let rest = ScanFacts {
            interval: first, next_at: before.next_at, watched_since: before.watched_since, ..saved
        };
        prop_assert_eq!(rest, before);
    }

    #[test]
    fn one_life_of_failures_is_counted_right(life in proptest::collection::vec(outcome(), 1..60)) {
        let (mut facts, mut facts_instance) = (scan(ScanKind::Config), instance());
        for (i, outcome) in life.iter().enumerate() {
            let at = NOW + Duration::hours(i64::try_from(i).expect("short"));
            let after = run(&facts, &facts_instance, *outcome, at);
            facts = after.scan;
            facts_instance = after.instance;
            let row = life[..=i].iter().rev().take_while(|o| matches!(o, RunOutcome::Failed(_))).count();
            prop_assert_eq!(facts.failures_in_a_row as usize, row);
            let last_good = life[..=i].iter().rposition(|o| *o == RunOutcome::Succeeded);
            let bad_from = last_good.map_or(0, |good| good + 1);
            let since = (bad_from <= i).then(|| NOW + Duration::hours(i64::try_from(bad_from).expect("short")));
            prop_assert_eq!(facts.failing_since, since);
            let good_at = last_good.map(|good| NOW + Duration::hours(i64::try_from(good).expect("short")));
            prop_assert_eq!(facts.last_success_at, good_at);
        }
    }
}

#[test]
fn partial_runs_by_the_vendor_are_retried_down_after_times_then_keep_the_interval() {
    let mut facts = scan(ScanKind::Accounts);
    let mut waits = Vec::new();
    for outcome in [REMOTE, REMOTE, FAILED, REMOTE, REMOTE, REMOTE, RunOutcome::Succeeded, REMOTE] {
        facts = run(&facts, &instance(), outcome, NOW).scan;
        waits.push((facts.next_at - NOW).0 / 60_000);
    }
    assert_eq!(waits, [15, 15, 15, 15, 360, 360, 360, 15]);
    for cause in
        [FailureCause::Permission, FailureCause::Protocol, FailureCause::Internal, FailureCause::Credentials]
    {
        let facts = run(&scan(ScanKind::Accounts), &instance(), RunOutcome::Partial(cause), NOW).scan;
        assert_eq!(facts.next_at - NOW, Duration::hours(6), "{cause}");
    }
}

#[test]
fn failed_runs_are_retried_after_15_minutes_until_down() {
    for (interval, wanted) in [(15, [15, 15, 60, 60]), (60, [15, 15, 60, 60]), (360, [15, 15, 360, 360])] {
        let mut facts = ScanFacts { interval: Duration::minutes(interval), ..scan(ScanKind::Config) };
        let waits = [(); 4].map(|()| {
            facts = run(&facts, &instance(), FAILED, NOW).scan;
            (facts.next_at - NOW).0 / 60_000
        });
        assert_eq!(waits, wanted, "interval {interval} min");
    }
}

#[test]
fn nothing_is_due_while_paused_or_not_enabled_or_held() {
    let facts = scan(ScanKind::Config);
    assert_eq!(due_at(&facts, &instance(), NOW), Some(NOW));
    let paused = InstanceFacts { paused: Some(Paused { since: NOW, by: "ada".into() }), ..instance() };
    assert_eq!(due_at(&facts, &paused, NOW), None);
    let open = |waiting_until, lease| {
        let deadline = NOW + Duration::hours(3);
        let open = OpenRun { run: run_id(), started_at: NOW, deadline, waiting_until, abandoned: 0, lease };
        ScanFacts { open: Some(open), wanted_at: Some(NOW), ..facts.clone() }
    };
    let lease = Some(Lease { fence: 1, expires_at: NOW, progress: Progress::default() });
    assert_eq!(
        due_at(&open(None, lease), &instance(), NOW),
        None,
        "even when its lease expired: it is closed first"
    );
    let reset = NOW + Duration::hours(1);
    assert_eq!(
        due_at(&open(Some(reset), None), &instance(), NOW),
        Some(reset),
        "Scan now does not shorten the wait"
    );
    let beyond = NOW + Duration::hours(9);
    assert_eq!(
        due_at(&open(Some(beyond), None), &instance(), NOW),
        Some(NOW + Duration::hours(3)),
        "its deadline"
    );
    assert_eq!(due_at(&open(None, None), &instance(), NOW), Some(NOW), "handed back by a drain");
}

#[test]
fn a_credential_refused_down_after_times_by_whichever_scans_is_suspended() {
    let (config, accounts) = (scan(ScanKind::Config), scan(ScanKind::Accounts));
    let one = run(&config, &instance(), REFUSED, NOW).instance;
    let two = run(&accounts, &one, REFUSED, NOW).instance;
    assert_eq!((two.credential_failures_in_a_row, two.suspension.clone()), (2, None));
    let timed_out = run(&config, &two, RunOutcome::Failed(FailureCause::Unreachable), NOW).instance;
    assert_eq!(timed_out, two, "a time-out says nothing about the credential");
    let three = run(&accounts, &two, REFUSED, NOW).instance;
    let suspended = Suspension { since: NOW, tries: 0, next_try_at: NOW + Duration::hours(1) };
    assert_eq!(three.suspension, Some(suspended.clone()));

    let unsent = Finish { sent: false, ..finish(REFUSED, NOW + Duration::minutes(15)) };
    let after = after_run(&config, &three, unsent, Spread(0));
    assert_eq!(after.instance, three, "a run that was not sent is no refusal");
    assert_eq!(after.scan.failures_in_a_row, 1, "but it is a failed run");

    for good in [RunOutcome::Succeeded, RunOutcome::Failed(FailureCause::Permission)] {
        assert_eq!(run(&config, &two, good, NOW).instance.credential_failures_in_a_row, 0, "{good:?}");
    }
    assert_eq!(
        after_accepted(&three),
        InstanceFacts { credential_failures_in_a_row: 0, suspension: None, ..three }
    );

    let ladder = |tries: &[bool]| {
        let mut now = suspended.next_try_at;
        let mut at = suspended.clone();
        let waits = tries.iter().map(|refused| {
            at = after_refused_try(&at, *refused, now);
            let wait = (at.next_try_at - now).0 / 3_600_000;
            now = at.next_try_at;
            wait
        });
        waits.collect::<Vec<_>>()
    };
    assert_eq!(ladder(&[true, true, true, true]), [4, 24, 24, 24]);
    assert_eq!(ladder(&[false, true, false, true]), [1, 4, 1, 24], "unreachable climbs nothing");
}

#[test]
fn resuming_makes_the_scan_due_and_starts_its_debt_anew() {
    let facts = run(&scan(ScanKind::Config), &instance(), RunOutcome::Succeeded, NOW).scan;
    let later = NOW + Duration::days(9);
    assert!(is_overdue(&facts, &instance(), later));
    let resumed = after_resume(&facts, later);
    assert!(!is_overdue(&resumed, &instance(), later));
    assert_eq!(due_at(&resumed, &instance(), later).map(|at| at <= later), Some(true));
    assert!(is_overdue(&resumed, &instance(), later + Duration::hours(3) + Duration(1)));
}
