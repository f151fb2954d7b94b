//! The sentences about an application and about all of them.

use crate::health::{
    AppStatus, FinishedRun, ScanFacts, ScanStatus, is_overdue, is_running, is_waiting, scan_status,
    settled_status,
};
use crate::scan::{FailureCause, RunOutcome};
use crate::words::scan::plural;
use crate::words::{About, Sentence, list, times};

impl About<'_> {
    /// The sentence that explains the application's status: the page's header and the mail's first line.
    #[must_use]
    pub fn application(&self) -> Sentence {
        if let Some(paused) = &self.instance.paused {
            return self.paused(paused.since, &paused.by);
        }
        let enabled: Vec<&ScanFacts> = self.enabled_scans().collect();
        if enabled.is_empty() {
            return Sentence::new(
                "Unhealthy: no scan is enabled, so nothing is known about this application.",
            );
        }
        let status = crate::health::app_status(self.instance, self.scans, self.now);
        let no_result = enabled.iter().all(|s| s.last.is_none());
        if status == AppStatus::Up && no_result {
            return Sentence::new("Up: first scan running, no result yet.");
        }
        let (bad, fine): (Vec<&ScanFacts>, Vec<&ScanFacts>) = enabled.iter().partition(|s| self.is_bad(s));
        let mut says = Sentence::new(format!("{status}: "));
        if bad.is_empty() {
            says = says.text(if status == AppStatus::Up && fine.iter().all(|s| s.last.is_some()) {
                "the latest finished run of every scan succeeded."
            } else {
                "every scan that has finished a run succeeded."
            });
        }
        for (i, scan) in bad.iter().enumerate() {
            says = if i == 0 { says } else { says.text(" ") };
            says = self.why(scan, says);
        }
        if !bad.is_empty() && !fine.is_empty() {
            says = says.then(are_up(&fine));
        }
        let merely_unhealthy = |s: &&ScanFacts| {
            scan_status(s, self.instance, self.now) == ScanStatus::Unhealthy
                && !is_overdue(s, self.instance, self.now)
        };
        if status == AppStatus::Down && bad.iter().any(merely_unhealthy) {
            says = says.text(
                " The application is Down because the latest run of every scan failed; a single scan reads Down only after \
                 more failures in a row.",
            );
        }
        let told = bad.iter().any(|s| is_running(s, self.now));
        match self.tile_note().filter(|_| !told) {
            Some(note) => says.text(" Now ").then_inline(note).text("."),
            None => says,
        }
    }

    fn enabled_scans(&self) -> impl Iterator<Item = &ScanFacts> {
        self.scans.iter().filter(|s| s.enablement.is_enabled())
    }

    fn is_bad(&self, scan: &ScanFacts) -> bool {
        is_overdue(scan, self.instance, self.now)
            || scan.last.as_ref().is_some_and(|last| last.outcome != RunOutcome::Succeeded)
    }

    /// `Risky Account Scan failed twice since ... (permission: read:org).`
    fn why(&self, scan: &ScanFacts, says: Sentence) -> Sentence {
        let title = scan.kind.title();
        if is_overdue(scan, self.instance, self.now) {
            let since = scan.last.as_ref().map_or(scan.watched_since, |last| last.finished_at);
            return says
                .text(format!("{title} is overdue: Parapet has not completed it since "))
                .exact(since)
                .text(".");
        }
        let Some(last) = &scan.last else { return says.text(format!("{title} has no result yet.")) };
        let since = scan.failing_since.unwrap_or(last.finished_at);
        let failed = matches!(last.outcome, RunOutcome::Failed(_));
        let says = if is_running(scan, self.now) {
            let how = if failed { "failed" } else { "was partial" };
            says.text(format!("{title} is running again; its last finished run {how} ")).at(last.finished_at)
        } else if failed {
            let n = u64::from(scan.failures_in_a_row.max(1));
            says.text(format!("{title} failed {} since ", times(n))).exact(since)
        } else {
            says.text(format!("{title} has been partial since ")).exact(since)
        };
        says.text(format!(" ({}).", why_says(last)))
    }

    fn paused(&self, since: crate::time::Timestamp, by: &str) -> Sentence {
        let says = Sentence::new(format!("Paused by {by} "))
            .at(since)
            .text(". Nothing runs, and the application is in no count and no alert.");
        let settled = settled_status(self.instance, self.scans, self.now);
        let newest = self.enabled_scans().filter_map(|s| s.last_success_at).max();
        let says = says.text(format!(" Before that: {}", settled.title()));
        match newest {
            Some(at) => says.text("; the newest data is from ").at(at).text("."),
            None => says.text("; there is no data yet."),
        }
    }

    /// What stands beside the tile's word: `scanning; last finished run failed`, `waiting for the vendor until ...`, or
    /// `first scan running, no result yet`. `None` when nothing runs.
    #[must_use]
    pub fn tile_note(&self) -> Option<Sentence> {
        if self.instance.paused.is_some() {
            return None;
        }
        let running: Vec<&ScanFacts> = self.enabled_scans().filter(|s| is_running(s, self.now)).collect();
        if self.enabled_scans().all(|s| s.last.is_none()) {
            let any = self.enabled_scans().next().is_some();
            return any.then(|| Sentence::new("first scan running, no result yet"));
        }
        if !running.is_empty() {
            let last = |test: fn(&RunOutcome) -> bool| {
                running.iter().any(|s| s.last.as_ref().is_some_and(|l| test(&l.outcome)))
            };
            return Some(Sentence::new(if last(|o| matches!(o, RunOutcome::Failed(_))) {
                "scanning; last finished run failed"
            } else if last(|o| matches!(o, RunOutcome::Partial(_))) {
                "scanning; last finished run was partial"
            } else {
                "scanning"
            }));
        }
        let until = self.enabled_scans().filter_map(|s| is_waiting(s, self.now)).max()?;
        Some(Sentence::new("waiting for the vendor until ").exact(until))
    }
}

/// `permission: members:read`, `permission: read members`, `remote, while reading members`.
fn why_says(last: &FinishedRun) -> String {
    let Some(cause) = last.outcome.cause() else { return last.outcome.as_str().to_owned() };
    let fault = last.fault.as_deref();
    let needs = fault.map(|f| f.needs.as_slice()).unwrap_or_default();
    match (cause, needs, fault.and_then(|f| f.dataset.as_deref())) {
        (FailureCause::Permission, [_, ..], _) => format!("{cause}: {}", list(needs)),
        (FailureCause::Permission, [], Some(dataset)) => format!("{cause}: read {dataset}"),
        (_, _, Some(dataset)) => format!("{cause}, while reading {dataset}"),
        (_, _, None) => cause.to_string(),
    }
}

fn are_up(fine: &[&ScanFacts]) -> Sentence {
    let up: Vec<&str> = fine.iter().filter(|s| s.last.is_some()).map(|s| s.kind.title()).collect();
    let none: Vec<&str> = fine.iter().filter(|s| s.last.is_none()).map(|s| s.kind.title()).collect();
    let mut says = Sentence::default();
    if !up.is_empty() {
        says = says.text(format!("{} {} Up.", list(&up), if up.len() == 1 { "is" } else { "are" }));
    }
    if !none.is_empty() {
        says = says.then(Sentence::new(format!("{} has no result yet.", list(&none))));
    }
    says
}

/// What the Applications page counts, paused instances apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetCounts {
    /// Instances that are not paused.
    pub total: u64,
    /// Of these, settled Down.
    pub down: u64,
    /// Of these, settled Unhealthy.
    pub unhealthy: u64,
    /// Of these, without any finished run yet.
    pub no_result: u64,
    /// Paused instances.
    pub paused: u64,
    /// Credentials that expire within 14 days.
    pub expiring: u64,
    /// When the first of them expires.
    pub first_expiry_at: Option<crate::time::Timestamp>,
}

/// What needs attention, in one sentence.
#[must_use]
pub fn fleet(counts: &FleetCounts) -> Sentence {
    if counts.total == 0 && counts.paused == 0 {
        return Sentence::new("No application is onboarded yet.");
    }
    let not_up = counts.down + counts.unhealthy;
    let mut says = match (not_up, counts.total) {
        (_, 0) => Sentence::new("Every application is paused"),
        (0, total) if counts.no_result == total => {
            Sentence::new(format!("No result yet of {}", plural(total, "application")))
        }
        (0, total) if counts.no_result > 0 => Sentence::new(format!(
            "{} of {} Up, {} without a result yet",
            total - counts.no_result,
            plural(total, "application"),
            counts.no_result
        )),
        (0, 1) => Sentence::new("The one application is Up"),
        (0, total) => Sentence::new(format!("All {} are Up", plural(total, "application"))),
        (n, total) => Sentence::new(format!(
            "{n} of {} {} not Up",
            plural(total, "application"),
            if n == 1 { "is" } else { "are" }
        )),
    };
    if counts.paused > 0 && counts.total > 0 {
        says = says.text(format!("; {} paused", counts.paused));
    }
    match (counts.expiring, counts.first_expiry_at) {
        (0, _) => says.text("."),
        (n, Some(at)) => says
            .text(format!(
                "; {} {} ",
                plural(n, "credential"),
                if n == 1 { "expires" } else { "expire, the first" }
            ))
            .at(at)
            .text("."),
        (n, None) => says.text(format!("; {} about to expire.", plural(n, "credential"))),
    }
}
