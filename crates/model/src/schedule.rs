//! When things happen next. Pure: facts and `now` in, facts out. Product.md section 2, "Retries".

use serde::{Deserialize, Serialize};

use crate::health::{FinishedRun, InstanceFacts, OpenRun, ScanFacts, Suspension};
use crate::scan::{FailureCause, RunOutcome, ScanKind};
use crate::time::{Duration, Timestamp};

/// The shortest interval that may be set.
pub const MIN_INTERVAL: Duration = Duration::minutes(15);
/// The longest interval that may be set.
pub const MAX_INTERVAL: Duration = Duration::hours(24);
/// The wait after a failed run, and after a partial run that the vendor or the network caused.
pub const RETRY_AFTER: Duration = Duration::minutes(15);
/// The shortest wait of a scan that is Down.
pub const DOWN_WAIT: Duration = Duration::hours(1);
/// A next run further ahead than this is a clock that was set back: it is due.
pub const TOO_FAR_AHEAD: Duration = Duration::hours(25);
/// No lease lasts longer, by far, so one that would was given by a clock that ran ahead.
pub const LONGEST_LEASE: Duration = Duration::hours(3);
/// How often a worker may hand back a run (drain) before it has failed.
pub const MAX_ABANDONED: u32 = 3;

/// Where in the spread of an interval this run falls: 0 is the beginning, 65 535 the end. A random number given by
/// the caller, so that instances onboarded together do not stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spread(pub u16);

impl Spread {
    /// At most 1/32 of the wait: 24 h become at most 24 h 45 min, short of [`TOO_FAR_AHEAD`].
    #[must_use]
    pub fn of(self, wait: Duration) -> Duration {
        Duration((wait.0 / 32).max(0) * i64::from(self.0) / 65_536)
    }
}

/// The interval a new instance begins with: config 1 h, accounts and plugins 6 h.
#[must_use]
pub const fn default_interval(kind: ScanKind) -> Duration {
    match kind {
        ScanKind::Config => Duration::hours(1),
        ScanKind::Accounts | ScanKind::Plugins => Duration::hours(6),
    }
}

/// How long a run may take from its first claim: max(2 x interval, 3 h).
#[must_use]
pub fn run_allowance(interval: Duration) -> Duration {
    Duration(interval.0.saturating_mul(2)).max(Duration::hours(3))
}

/// Whether a time lies further ahead than any that is set: a clock that ran ahead set it.
fn is_too_far(at: Timestamp, now: Timestamp) -> bool {
    at > now + TOO_FAR_AHEAD
}

/// A time at which something is due, seen from `now`: what a clock put too far ahead is due.
fn sane(at: Timestamp, now: Timestamp) -> Timestamp {
    if is_too_far(at, now) { now } else { at }
}

/// Whether the request for a run that is kept is to be answered by one that begins at `now`.
#[must_use]
pub fn is_wanted(scan: &ScanFacts, now: Timestamp) -> bool {
    scan.wanted_at.is_some_and(|at| sane(at, now) <= now)
}

/// Whether a run's time is over at `now`; also that of a run whose end a clock that ran ahead put further off than any.
#[must_use]
pub fn is_over(deadline: Timestamp, now: Timestamp) -> bool {
    now >= deadline || deadline > now + run_allowance(MAX_INTERVAL) + Duration::hours(1)
}

/// When the scan may start next, seen from `now`; a time that is not after `now` means "due". `None`: it does not run by
/// itself (paused, not enabled, or a worker holds it). A run that waits is due at the vendor's reset, or at its
/// deadline to be closed.
#[must_use]
pub fn due_at(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> Option<Timestamp> {
    if instance.paused.is_some() || !scan.enablement.is_enabled() {
        return None;
    }
    match &scan.open {
        Some(OpenRun { lease: Some(_), .. }) => None,
        Some(OpenRun { waiting_until: Some(until), deadline, .. }) => {
            Some(sane((*until).min(*deadline), now))
        }
        // Handed back by a drain: it goes on as soon as anybody can take it.
        Some(OpenRun { .. }) => Some(now),
        None => {
            let paced = sane(scan.next_at, now);
            Some(scan.wanted_at.map_or(paced, |wanted| sane(wanted, now).min(paced)))
        }
    }
}

/// The vendor's back-off that keeps a due scan from sending anything at `now`.
#[must_use]
pub fn vendor_wait(instance: &InstanceFacts, now: Timestamp) -> Option<Timestamp> {
    instance.blocked_until.filter(|until| *until > now && !is_too_far(*until, now))
}

/// The vendor's back-off after one until then was asked for at `now`: the later of this and the one that is kept. One that
/// [`vendor_wait`] does not believe, because a clock was set back, hides none.
#[must_use]
pub fn after_back_off(
    kept: Option<Timestamp>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let believed = |until: &Timestamp| !is_too_far(*until, now);
    // What is not believed now must not come to be believed when its time draws near.
    kept.filter(believed).max(until.filter(believed))
}

/// How a run ended, with what health keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The run.
    pub run: FinishedRun,
    /// Whether the credential was sent at all. A suspended credential's runs are recorded without.
    pub sent: bool,
}

/// The facts after a finished run. `scan.open` is gone, `scan.wanted_at` is as it was given: whoever stores this must
/// leave the stored `wanted_at` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The scan's.
    pub scan: ScanFacts,
    /// The instance's: credential failures, suspension.
    pub instance: InstanceFacts,
}

/// What a finished run makes of the facts. Call it inside the transaction that stores the result, on facts read there:
/// two scans of one instance may finish at once.
#[must_use]
pub fn after_run(scan: &ScanFacts, instance: &InstanceFacts, finish: Finish, spread: Spread) -> After {
    let mut scan = scan.clone();
    let mut instance = instance.clone();
    let outcome = finish.run.outcome;
    let at = finish.run.finished_at;

    scan.open = None;
    scan.failures_in_a_row = match outcome {
        RunOutcome::Failed(_) => scan.failures_in_a_row.saturating_add(1),
        _ => 0,
    };
    scan.retryable_partials_in_a_row = match outcome {
        RunOutcome::Partial(cause) if is_retryable(cause) => {
            scan.retryable_partials_in_a_row.saturating_add(1)
        }
        // A failure in between does not give a flapping vendor a fresh set of retries.
        RunOutcome::Failed(_) => scan.retryable_partials_in_a_row,
        _ => 0,
    };
    if outcome == RunOutcome::Succeeded {
        scan.last_success_at = Some(at);
        scan.failing_since = None;
    } else {
        scan.failing_since.get_or_insert(at);
    }
    scan.last = Some(finish.run);
    // What a clock that ran ahead had put later than this is not owed from then on.
    scan.watched_since = scan.watched_since.min(at);
    scan.next_at = next_at(&scan, &instance, spread);
    if finish.sent {
        count_credential(&mut instance, outcome, at);
    }
    After { scan, instance }
}

/// Whether a partial run by this cause is worth repeating soon.
const fn is_retryable(cause: FailureCause) -> bool {
    matches!(cause, FailureCause::Remote | FailureCause::Throttled | FailureCause::Unreachable)
}

/// The next start by our own pace after the last finished run; [`ScanFacts::next_at`] where there is none.
#[must_use]
pub fn next_at(scan: &ScanFacts, instance: &InstanceFacts, spread: Spread) -> Timestamp {
    let Some(last) = &scan.last else { return scan.next_at };
    let paced = |wait: Duration| wait + spread.of(wait);
    let wait = match last.outcome {
        RunOutcome::Failed(_) if scan.failures_in_a_row >= instance.down_after => {
            paced(scan.interval.max(DOWN_WAIT))
        }
        RunOutcome::Failed(_) => RETRY_AFTER,
        RunOutcome::Partial(cause)
            if is_retryable(cause) && scan.retryable_partials_in_a_row <= instance.down_after =>
        {
            RETRY_AFTER
        }
        _ => paced(scan.interval),
    };
    last.finished_at + wait
}

/// Counts `credentials` failures across the scans of a credential and suspends it at `down_after`. Only a run that the
/// vendor let in ends the row: a time-out says nothing about the credential.
fn count_credential(instance: &mut InstanceFacts, outcome: RunOutcome, at: Timestamp) {
    match outcome {
        RunOutcome::Failed(FailureCause::Credentials) => {
            instance.credential_failures_in_a_row = instance.credential_failures_in_a_row.saturating_add(1);
            if instance.credential_failures_in_a_row >= instance.down_after && instance.suspension.is_none() {
                instance.suspension =
                    Some(Suspension { since: at, tries: 0, next_try_at: at + suspension_wait(0) });
            }
        }
        RunOutcome::Succeeded | RunOutcome::Partial(_) | RunOutcome::Failed(FailureCause::Permission) => {
            instance.credential_failures_in_a_row = 0;
            instance.suspension = None;
        }
        RunOutcome::Failed(_) => {}
    }
}

/// The wait before the next cheap authentication request of a suspended credential that was refused `tries` times
/// since: 1 h, 4 h, then daily.
#[must_use]
pub const fn suspension_wait(tries: u32) -> Duration {
    match tries {
        0 => Duration::hours(1),
        1 => Duration::hours(4),
        _ => Duration::days(1),
    }
}

/// When a suspended credential is tried next, seen from `now`: a time that a clock put too far ahead is due.
#[must_use]
pub fn try_at(suspension: &Suspension, now: Timestamp) -> Timestamp {
    sane(suspension.next_try_at, now)
}

/// The suspension after its authentication request at `now` did not succeed. Only a refusal climbs the ladder; a vendor
/// that could not be reached is asked again after the first wait.
#[must_use]
pub fn after_refused_try(suspension: &Suspension, refused: bool, now: Timestamp) -> Suspension {
    let tries = if refused { suspension.tries.saturating_add(1) } else { suspension.tries };
    let wait = if refused { suspension_wait(tries) } else { suspension_wait(0) };
    Suspension { since: suspension.since, tries, next_try_at: now + wait }
}

/// The facts after a credential proved good (Reauthenticate, or the cheap request): nothing is suspended.
#[must_use]
pub fn after_accepted(instance: &InstanceFacts) -> InstanceFacts {
    InstanceFacts { credential_failures_in_a_row: 0, suspension: None, ..instance.clone() }
}

/// The facts after an interval was saved: next run at last finish + new interval; a live run keeps its deadline.
#[must_use]
pub fn after_interval_saved(scan: &ScanFacts, interval: Duration, now: Timestamp) -> ScanFacts {
    let mut scan = scan.clone();
    scan.interval = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
    if let Some(last) = &scan.last {
        scan.next_at = last.finished_at + scan.interval;
        // A shorter interval must not find the scan overdue for a time in which nobody asked for it.
        scan.watched_since = now;
    }
    scan
}

/// The facts after a pause was lifted: every enabled scan is due, and owes a run from now on only.
#[must_use]
pub fn after_resume(scan: &ScanFacts, now: Timestamp) -> ScanFacts {
    ScanFacts { wanted_at: Some(now), watched_since: now, ..scan.clone() }
}
