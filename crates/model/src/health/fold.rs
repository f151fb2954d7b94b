//! The readings of product.md section 2: one scan, the application, the settled value.

use super::{AppStatus, InstanceFacts, Mark, OpenRun, ScanFacts, ScanStatus, SettledStatus};
use crate::scan::RunOutcome;
use crate::schedule::is_over;
use crate::time::{Duration, Timestamp};

/// How long Parapet may take over a first run.
const FIRST_RUN_WITHIN: Duration = Duration::hours(1);

/// Whether a worker holds the scan now: a lease that has not expired.
#[must_use]
pub fn is_running(scan: &ScanFacts, now: Timestamp) -> bool {
    open_lease(scan).is_some_and(|lease| lease.expires_at > now)
}

fn open_lease(scan: &ScanFacts) -> Option<&super::Lease> {
    scan.open.as_ref().and_then(|open| open.lease.as_ref())
}

/// The vendor's reset that an unfinished run waits for, without a lease and before its deadline.
#[must_use]
pub fn is_waiting(scan: &ScanFacts, now: Timestamp) -> Option<Timestamp> {
    let OpenRun { deadline, waiting_until, lease, .. } = scan.open.as_ref()?;
    waiting_until.filter(|_| lease.is_none() && !is_over(*deadline, now))
}

/// When the scan became overdue, if it is: it owes a finished run that Parapet has not completed in time, counted
/// from the last finish (or from [`ScanFacts::watched_since`], when that is later). Paused and not enabled scans owe
/// nothing; a run that waits for the vendor is exempt until its own deadline, a run that is merely slow is not.
#[must_use]
pub fn overdue_since(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> Option<Timestamp> {
    if instance.paused.is_some() || !scan.enablement.is_enabled() || is_waiting(scan, now).is_some() {
        return None;
    }
    let (from, allowed) = match &scan.last {
        Some(last) => {
            let allowed = Duration(scan.interval.0.saturating_mul(2)) + Duration::hours(1);
            // An interval that was saved, or a pause that was lifted, while a clock ran ahead neither excuses nor makes late.
            let watched = Some(scan.watched_since).filter(|since| *since <= now + Duration::hours(1));
            (watched.map_or(last.finished_at, |since| last.finished_at.max(since)), allowed)
        }
        None => (scan.watched_since, FIRST_RUN_WITHIN),
    };
    // A finish that lies as far in the future is a clock that was set back; it must not keep anything green.
    if now > from + allowed {
        Some(from + allowed)
    } else if from > now + allowed {
        Some(now)
    } else {
        None
    }
}

/// Whether [`overdue_since`] says so.
#[must_use]
pub fn is_overdue(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> bool {
    overdue_since(scan, instance, now).is_some()
}

/// The status of an enabled scan. While the instance is paused: that of its last finished run.
#[must_use]
pub fn scan_status(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> ScanStatus {
    let settled = match &scan.last {
        None => ScanStatus::Scanning,
        Some(last) => match last.outcome {
            RunOutcome::Succeeded => ScanStatus::Up,
            RunOutcome::Failed(_) if scan.failures_in_a_row >= instance.down_after => ScanStatus::Down,
            RunOutcome::Partial(_) | RunOutcome::Failed(_) => ScanStatus::Unhealthy,
        },
    };
    if is_overdue(scan, instance, now) {
        if settled == ScanStatus::Down { ScanStatus::Down } else { ScanStatus::Unhealthy }
    } else if is_running(scan, now) {
        ScanStatus::Scanning
    } else {
        settled
    }
}

/// What one enabled scan contributes to a fold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Fine,
    Partial,
    Failed,
    NoRun,
}

/// By finished runs and overdue only.
fn settled_share(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> Share {
    if is_overdue(scan, instance, now) {
        return Share::Failed;
    }
    match scan.last.as_ref().map(|last| last.outcome) {
        None => Share::NoRun,
        Some(RunOutcome::Succeeded) => Share::Fine,
        Some(RunOutcome::Partial(_)) => Share::Partial,
        Some(RunOutcome::Failed(_)) => Share::Failed,
    }
}

fn enabled(scans: &[ScanFacts]) -> impl Iterator<Item = &ScanFacts> {
    scans.iter().filter(|s| s.enablement.is_enabled())
}

/// The status on the tile: a scan that runs now, or has no finished run yet, counts as fine until it is overdue; one
/// that waits for the vendor counts by its last finished run. An instance without any enabled scan is Unhealthy:
/// nothing is known about it. Callers show [`InstanceFacts::paused`] instead, where set (see [`app_mark`]).
#[must_use]
pub fn app_status(instance: &InstanceFacts, scans: &[ScanFacts], now: Timestamp) -> AppStatus {
    let share = |scan| {
        let settled = settled_share(scan, instance, now);
        let running = instance.paused.is_none() && is_running(scan, now) && !is_overdue(scan, instance, now);
        if running || settled == Share::NoRun { Share::Fine } else { settled }
    };
    let shares: Vec<Share> = enabled(scans).map(share).collect();
    if shares.is_empty() {
        AppStatus::Unhealthy
    } else if shares.iter().all(|s| *s == Share::Fine) {
        AppStatus::Up
    } else if shares.iter().all(|s| *s == Share::Failed) {
        AppStatus::Down
    } else {
        AppStatus::Unhealthy
    }
}

/// The status from finished runs only: what sorting, filters, counts, the favicon, history and alerts use.
#[must_use]
pub fn settled_status(instance: &InstanceFacts, scans: &[ScanFacts], now: Timestamp) -> SettledStatus {
    let shares: Vec<Share> = enabled(scans).map(|s| settled_share(s, instance, now)).collect();
    if shares.is_empty() {
        SettledStatus::Unhealthy
    } else if shares.iter().all(|s| *s == Share::NoRun) {
        SettledStatus::NoneYet
    } else if shares.iter().all(|s| *s == Share::Fine) {
        SettledStatus::Up
    } else if shares.iter().all(|s| *s == Share::Failed) {
        SettledStatus::Down
    } else {
        SettledStatus::Unhealthy
    }
}

/// What the row of a scan draws.
#[must_use]
pub fn scan_mark(scan: &ScanFacts, instance: &InstanceFacts, now: Timestamp) -> Mark {
    if !scan.enablement.is_enabled() {
        Mark::NotEnabled
    } else if instance.paused.is_some() {
        Mark::Paused
    } else {
        scan_status(scan, instance, now).into()
    }
}

/// What the tile draws: Paused replaces the status; without any finished run the word is "Up" (or what overdue makes
/// of it) and the mark is the blue one.
#[must_use]
pub fn app_mark(instance: &InstanceFacts, scans: &[ScanFacts], now: Timestamp) -> Mark {
    if instance.paused.is_some() {
        return Mark::Paused;
    }
    let status = app_status(instance, scans, now);
    let no_result = enabled(scans).all(|s| s.last.is_none());
    if status == AppStatus::Up && no_result { Mark::Scanning } else { status.into() }
}
