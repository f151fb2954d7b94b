//! The sentences of one scan's row.

use crate::diagnosis::Fault;
use crate::health::{
    Enablement, FinishedRun, Mark, OpenRun, ScanFacts, ScanStatus, is_running, is_waiting, overdue_since,
    scan_mark, scan_status,
};
use crate::scan::{FailureCause, RunOutcome, ScanKind};
use crate::schedule::{due_at, vendor_wait};
use crate::time::Timestamp;
use crate::words::fault::{fault_says, remedy};
use crate::words::{About, Action, Remedy, Sentence, count, duration, list, times};

/// Everything a row says about its scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanWords {
    /// The mark and its word.
    pub mark: Mark,
    /// What happened, since when.
    pub says: Sentence,
    /// What follows: the next run or attempt.
    pub next: Option<Sentence>,
    /// What else explains it: gaps, a last finished run that failed, a suspended credential, what the other scans tell.
    pub notes: Vec<Sentence>,
    /// What to do, where there is anything to do.
    pub remedy: Option<Remedy>,
}

impl ScanWords {
    /// Everything in one paragraph, for mail and the command line.
    #[must_use]
    pub fn whole(&self) -> Sentence {
        let rest = self
            .notes
            .iter()
            .cloned()
            .chain(self.remedy.iter().map(|r| r.says.clone()))
            .chain(self.next.clone());
        rest.fold(self.says.clone(), Sentence::then)
    }
}

impl About<'_> {
    /// What the row of this scan says.
    #[must_use]
    pub fn scan(&self, scan: &ScanFacts) -> ScanWords {
        let mark = scan_mark(scan, self.instance, self.now);
        match &scan.enablement {
            Enablement::NotEnabled { missing, checked_at, offered } => {
                self.not_enabled(scan.kind, missing, *checked_at, *offered)
            }
            Enablement::Stopped { since, by } => ScanWords {
                mark,
                says: Sentence::new(format!("Stopped by {by} "))
                    .at(*since)
                    .text(", because the credential cannot run it. It is not in the application's status."),
                next: None,
                notes: Vec::new(),
                remedy: Some(Remedy {
                    says: Sentence::new(
                        "Reauthenticate with a credential that has the permissions for this scan.",
                    ),
                    action: Action::Reauthenticate,
                    who: format!("an administrator of {}", self.app),
                }),
            },
            Enablement::Enabled => match &self.instance.paused {
                Some(paused) => ScanWords {
                    mark,
                    says: Sentence::new(format!("Paused by {} ", paused.by))
                        .at(paused.since)
                        .text(". Nothing runs."),
                    next: None,
                    notes: scan.last.iter().map(last_finished).collect(),
                    remedy: None,
                },
                None => self.enabled(scan, mark),
            },
        }
    }

    fn not_enabled(
        &self,
        kind: ScanKind,
        missing: &[String],
        checked_at: Timestamp,
        offered: bool,
    ) -> ScanWords {
        let (says, advice) = if offered {
            (
                Sentence::new(format!("The credential now suffices for the {}, as checked ", kind.title()))
                    .at(checked_at)
                    .text(". The scan does not run yet."),
                "Enable it with Check again.".to_owned(),
            )
        } else {
            let lacks = if missing.is_empty() { "a permission for it".to_owned() } else { list(missing) };
            (
                Sentence::new(format!("The credential lacks {lacks}, as checked "))
                    .at(checked_at)
                    .text(". The scan does not run and is not in the application's status."),
                format!("Grant it at {}, then Check again.", self.app),
            )
        };
        ScanWords {
            mark: Mark::NotEnabled,
            says,
            next: None,
            notes: Vec::new(),
            remedy: Some(Remedy {
                says: Sentence::new(advice),
                action: Action::CheckAgain,
                who: format!("an administrator of {}", self.app),
            }),
        }
    }

    fn enabled(&self, scan: &ScanFacts, mark: Mark) -> ScanWords {
        let mut words = ScanWords {
            mark,
            says: Sentence::default(),
            next: self.next(scan),
            notes: Vec::new(),
            remedy: None,
        };
        let last_bad = scan.last.as_ref().filter(|last| last.outcome != RunOutcome::Succeeded);
        if let Some(since) = overdue_since(scan, self.instance, self.now) {
            words.says = self.overdue(scan, since);
            words.remedy = Some(Remedy {
                says: Sentence::new(
                    "The credential is not to blame. Check that this server has been running, see its log and run \
                     `parapet doctor`.",
                ),
                action: Action::ScanNow,
                who: "whoever runs this server".to_owned(),
            });
            words.notes.extend(self.running(scan));
            words.notes.extend(last_bad.map(last_finished));
        } else if let Some(running) = self.running(scan) {
            words.says = running;
            words.notes.extend(last_bad.map(last_finished));
        } else if let Some(until) = is_waiting(scan, self.now) {
            words.says = self.waiting(scan, until);
            words.notes.extend(scan.last.as_ref().map(last_finished));
        } else {
            match &scan.last {
                None => words.says = Sentence::new("Waiting for the first scan."),
                Some(last) => self.finished(scan, last, &mut words),
            }
        }
        if let (Some(_), Some(suspended)) = (last_bad, self.credential()) {
            words.notes.push(suspended);
        }
        words
    }

    /// The row of a scan at rest after a finished run.
    fn finished(&self, scan: &ScanFacts, last: &FinishedRun, words: &mut ScanWords) {
        let took = duration(last.finished_at - last.started_at);
        let Some(fault) = last.fault.as_deref() else {
            words.says = match last.outcome {
                RunOutcome::Succeeded => {
                    Sentence::new("Working: the last run succeeded ").at(last.finished_at)
                }
                outcome => {
                    Sentence::new(format!("The last run was {} ", outcome.as_str())).at(last.finished_at)
                }
            }
            .text(format!(", in {took}."));
            words.notes.extend(gaps(last));
            return;
        };
        words.says = match last.outcome {
            RunOutcome::Failed(_) => failed(scan, last).then(fault_says(fault)),
            _ => Sentence::new("The last run, ")
                .at(last.finished_at)
                .text(", was partial: what could not be read is Inconclusive.")
                .then(fault_says(fault)),
        };
        words.notes.push(since(scan, last));
        words.notes.extend(gaps(last));
        words.notes.extend(self.suspicion(scan, last));
        if words.mark == Mark::Unhealthy && advises_patience(fault.cause) {
            words.notes.push(Sentence::new("If it lasts, check the credential and its permissions as well."));
        }
        words.remedy = Some(remedy(fault, self.app));
    }

    /// When Config Scan is Up and another scan is refused: what that tells. GraphQL refuses with status 200.
    fn suspicion(&self, scan: &ScanFacts, last: &FinishedRun) -> Option<Sentence> {
        let refused = |f: &&Fault| f.cause == FailureCause::Permission || matches!(f.status, Some(401 | 403));
        let fault = last.fault.as_deref().filter(refused)?;
        let config = self.scans.iter().find(|s| s.kind == ScanKind::Config && s.enablement.is_enabled())?;
        if scan.kind == ScanKind::Config || scan_status(config, self.instance, self.now) != ScanStatus::Up {
            return None;
        }
        let permission = match (fault.needs.as_slice(), &fault.dataset) {
            ([], Some(dataset)) => format!("the permission to read {dataset}"),
            ([], None) => "the permission for it".to_owned(),
            (needs, _) => list(needs),
        };
        Some(Sentence::new(format!(
            "Config Scan is Up with the same credential, so the credential most likely lacks the permission for the {}: \
             {permission}.",
            scan.kind.title()
        )))
    }

    fn overdue(&self, scan: &ScanFacts, since: Timestamp) -> Sentence {
        let from = match &scan.last {
            Some(last) => Sentence::new("Parapet has not completed this scan since ").exact(last.finished_at),
            None => Sentence::new("Parapet has not completed this scan since it was due first, ")
                .exact(scan.watched_since),
        };
        from.text(". It has been overdue since ").exact(since).text(" and counts as failed (internal).")
    }

    fn running(&self, scan: &ScanFacts) -> Option<Sentence> {
        let open = scan.open.as_ref().filter(|_| is_running(scan, self.now))?;
        let progress = open.lease.as_ref()?.progress;
        let of = match progress.datasets_total {
            0 => "nothing read yet".to_owned(),
            total => format!(
                "{} of {} read, {}",
                progress.datasets_done,
                plural(u64::from(total), "dataset"),
                plural(progress.records, "record")
            ),
        };
        Some(Sentence::new("Scanning, begun ").at(open.started_at).text(format!(": {of}.")))
    }

    fn waiting(&self, scan: &ScanFacts, until: Timestamp) -> Sentence {
        let says =
            Sentence::new(format!("Waiting for {}, which asked for a pause, until ", self.app)).exact(until);
        match &scan.open {
            Some(OpenRun { deadline, .. }) => says
                .text(". The run then goes on from where it stopped; if it cannot finish by ")
                .exact(*deadline)
                .text(", it has failed (throttled)."),
            None => says.text("."),
        }
    }

    /// What follows by itself.
    fn next(&self, scan: &ScanFacts) -> Option<Sentence> {
        if is_running(scan, self.now) {
            let wanted = scan.wanted_at?;
            return Some(Sentence::new("Another run, asked for ").at(wanted).text(", follows this one."));
        }
        if is_waiting(scan, self.now).is_some() {
            let wanted = scan.wanted_at?;
            return Some(
                Sentence::new("Scan now was asked for ")
                    .at(wanted)
                    .text("; nothing starts before the vendor allows it."),
            );
        }
        let due = due_at(scan, self.instance, self.now)?;
        if let Some(until) = vendor_wait(self.instance, self.now).filter(|until| *until > due) {
            let says = Sentence::new("The next run is ").at(until);
            return Some(says.text(format!(", when the pause that {} asked for is over.", self.app)));
        }
        let bad = scan.last.as_ref().is_some_and(|last| last.outcome != RunOutcome::Succeeded);
        if self.instance.suspension.is_some() {
            let says = Sentence::new("The next run is ");
            let says = if due <= self.now { says.text("due now") } else { says.at(due) };
            return Some(says.text("; it sends nothing unless the credential has been accepted before."));
        }
        Some(match (due <= self.now, bad) {
            (true, true) => Sentence::new("Parapet goes on trying; the next attempt is due now."),
            (true, false) => Sentence::new("The next run is due now."),
            (false, true) => Sentence::new("Parapet goes on trying; the next attempt is ").at(due).text("."),
            (false, false) => Sentence::new("The next run is ").at(due).text("."),
        })
    }

    /// What is to be said about the credential as a whole: that nothing is sent with it. `None` while it is in use.
    #[must_use]
    pub fn credential(&self) -> Option<Sentence> {
        let suspension = self.instance.suspension.as_ref()?;
        Some(
            Sentence::new(format!(
                "{} refused the credential {}. Since ",
                self.app,
                times_in_a_row(u64::from(self.instance.credential_failures_in_a_row))
            ))
            .exact(suspension.since)
            .text(
                " Parapet has sent nothing with it, lest its account be locked: each due scan is recorded as failed. It is \
                 tried once more ",
            )
            .at(suspension.next_try_at)
            .text("."),
        )
    }
}

/// `The last run failed ...`, `Failed twice in a row, the last time ...`.
fn failed(scan: &ScanFacts, last: &FinishedRun) -> Sentence {
    let says = match scan.failures_in_a_row {
        0 | 1 => Sentence::new("The last run failed "),
        n => Sentence::new(format!("Failed {}, the last time ", times_in_a_row(u64::from(n)))),
    };
    says.at(last.finished_at).text(".")
}

/// Since when it has not succeeded, and how old the newest whole data is.
fn since(scan: &ScanFacts, last: &FinishedRun) -> Sentence {
    let says = Sentence::new("Not Up since ").exact(scan.failing_since.unwrap_or(last.finished_at));
    match scan.last_success_at {
        Some(at) => says.text("; the last run that succeeded ended ").at(at).text("."),
        None => says.text("; no run has succeeded yet."),
    }
}

/// Causes that usually pass by themselves.
const fn advises_patience(cause: FailureCause) -> bool {
    matches!(
        cause,
        FailureCause::Remote | FailureCause::Throttled | FailureCause::Unreachable | FailureCause::Protocol
    )
}

fn times_in_a_row(n: u64) -> String {
    if n == 1 { times(n) } else { format!("{} in a row", times(n)) }
}

/// The last finished run in one sentence, whatever the scan does now.
pub(super) fn last_finished(last: &FinishedRun) -> Sentence {
    match (last.outcome, last.fault.as_deref()) {
        (RunOutcome::Succeeded, _) => {
            Sentence::new("The last finished run succeeded ").at(last.finished_at).text(".")
        }
        (outcome, fault) => {
            let word = if matches!(outcome, RunOutcome::Partial(_)) { "was partial" } else { "failed" };
            let says = Sentence::new(format!("The last finished run {word} ")).at(last.finished_at).text(".");
            fault.map_or(says.clone(), |fault| says.then(fault_says(fault)))
        }
    }
}

fn gaps(last: &FinishedRun) -> Option<Sentence> {
    (last.gaps > 0).then(|| {
        Sentence::new(format!(
            "{} could not be read; the checks that need {} are Inconclusive.",
            plural(u64::from(last.gaps), "optional dataset"),
            if last.gaps == 1 { "it" } else { "them" }
        ))
    })
}

/// `1 dataset`, `2 datasets`.
pub(super) fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}
