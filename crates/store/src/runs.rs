//! Finished runs: the one transaction that stores everything a run found, and the run log.

use std::collections::BTreeSet;

use model::dataset::{Cost, DatasetSnapshot};
use model::diagnosis::{Fault, Warning};
use model::finding::{CheckResult, CheckTally, Drift};
use model::health::{InstanceFacts, ScanFacts};
use model::id::{CheckId, FindingId, InstanceId, RunId};
use model::scan::{RunOutcome, ScanKind};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::Page;
use crate::scans::Held;

/// A dataset that a run could not read, or not wholly, though the run goes on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The dataset.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// What ended it, where it was a fault.
    pub fault: Option<Fault>,
    /// Why, in a sentence.
    pub reason: String,
}

/// The records of one scan's subject (accounts or plugins), in the canonical shape.
#[derive(Debug, Clone, Copy)]
pub struct Subjects<'a> {
    /// What was read.
    pub records: &'a [Record],
    /// Whether these are all there are. Only then does absence mean gone.
    pub complete: bool,
}

/// Computes the facts after this run from fresh ones, under a lock: [`model::health`]'s `after_run`. Called once
/// within the transaction. Of the scan's facts only what a run decides is stored: `next_at`, `last`,
/// `last_success_at`, the counters and `failing_since`; an interval or a request that came meanwhile stays.
pub type AfterRun<'a> = dyn Fn(&InstanceFacts, &ScanFacts) -> (InstanceFacts, ScanFacts) + Send + Sync + 'a;

/// Everything a finished run leaves behind.
pub struct Commit<'a> {
    /// How it ended.
    pub outcome: RunOutcome,
    /// When.
    pub finished_at: Timestamp,
    /// The fault that gave it its cause.
    pub fault: Option<&'a Fault>,
    /// What it went on without.
    pub gaps: &'a [Gap],
    /// What is not broken yet.
    pub warnings: &'a [Warning],
    /// What it spent.
    pub cost: Cost,
    /// Records read.
    pub records: u64,
    /// Datasets whose reading ended well.
    pub datasets_read: u32,
    /// Datasets of this scan.
    pub datasets_total: u32,
    /// The facts afterwards.
    pub after: &'a AfterRun<'a>,
    /// Outcomes of checks about records. Failures become or keep findings; inconclusive and not applicable ones (and
    /// passes, where given) are kept as this scan's latest results.
    pub results: &'a [CheckResult],
    /// Outcomes per check. Replaces this scan's.
    pub tallies: &'a [CheckTally],
    /// Findings that passed or are gone, seen in a complete read.
    pub resolved: &'a [FindingId],
    /// Checks whose findings could not be looked at: they become stale since this run. A finding that fails again
    /// in `results` is not stale.
    pub stale: &'a [CheckId],
    /// Accounts, when this scan reads them.
    pub accounts: Option<Subjects<'a>>,
    /// Plugins, when this scan reads them.
    pub plugins: Option<Subjects<'a>>,
    /// Values that changed.
    pub drift: &'a [Drift],
    /// Datasets read completely, kept for the next comparison and for reuse.
    pub snapshots: Vec<(&'a str, &'a DatasetSnapshot)>,
    /// The manifest's revision, kept with the snapshots.
    pub revision: u32,
    /// Datasets that had 10 or more records and now none: noted with the time of the first such run.
    pub shrunk: BTreeSet<String>,
    /// Datasets whose checkpoint outlives the run (a `refresh` sweep that goes on). All others are dropped.
    pub carry: BTreeSet<String>,
}

/// What a commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Findings that are new.
    pub opened: u64,
    /// Findings that were resolved and fail again.
    pub reopened: u64,
    /// Findings resolved.
    pub resolved: u64,
}

/// Stores a finished run and ends its lease, all or nothing.
///
/// # Errors
/// [`StoreError::Stale`] when the lease is no longer held or the credential was replaced: nothing is written.
pub async fn commit(db: &Db, held: &Held, commit: Commit<'_>) -> Result<Committed, StoreError> {
    todo!()
}

/// Stores a failed run that had no lease: a suspended credential, where nothing was sent. Does nothing (`false`) when
/// the scan is held or not enabled meanwhile.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn record_unsent(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    run: &RunId,
    fault: &Fault,
    now: Timestamp,
    after: &AfterRun<'_>,
) -> Result<bool, StoreError> {
    todo!()
}

/// One finished run of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The fault that gave it its cause, with the ladder's material.
    pub fault: Option<Fault>,
    /// What it went on without.
    pub gaps: Vec<Gap>,
    /// What it warned of.
    pub warnings: Vec<Warning>,
    /// When it was first claimed.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What it spent.
    pub cost: Cost,
    /// Records read.
    pub records: u64,
    /// Datasets read.
    pub datasets_read: u32,
    /// Datasets of the scan.
    pub datasets_total: u32,
    /// Whether somebody asked for it.
    pub wanted: bool,
}

/// The run log, latest first. `kind` and `only_failed` narrow it.
///
/// # Errors
/// When the database cannot be read or `after` is not one of ours.
pub async fn log(
    db: &Db,
    instance: &InstanceId,
    kind: Option<ScanKind>,
    only_failed: bool,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Run>, StoreError> {
    todo!()
}

/// One run.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &RunId) -> Result<Run, StoreError> {
    todo!()
}

/// One day (UTC) of one scan, for the 90-day bar. Days without a finished run have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The scan.
    pub kind: ScanKind,
    /// Midnight UTC at which it begins.
    pub day: Timestamp,
    /// Runs that succeeded.
    pub succeeded: u32,
    /// Runs that were partial.
    pub partial: u32,
    /// Runs that failed.
    pub failed: u32,
    /// The longest row of failures that stood after a run of that day.
    pub worst_row: u32,
    /// Whether a run of that day left it Down (`worst_row` reached the instance's `down_after` then).
    pub down: bool,
    /// The cause of the last run that did not succeed.
    pub cause: Option<model::scan::FailureCause>,
}

/// The days since `since`, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn days(db: &Db, instance: &InstanceId, since: Timestamp) -> Result<Vec<Day>, StoreError> {
    todo!()
}

/// The tallies of a scan's last committed assessment, or of all scans of an instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn tallies(db: &Db, instance: &InstanceId) -> Result<Vec<Tally>, StoreError> {
    todo!()
}

/// The tallies of one check on every instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn tallies_of_check(db: &Db, check: &CheckId) -> Result<Vec<Tally>, StoreError> {
    todo!()
}

/// A [`CheckTally`] with where and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The counts.
    pub tally: CheckTally,
    /// When that run finished.
    pub at: Timestamp,
}

/// The results that are not findings (inconclusive, not applicable) of a scan's last committed assessment.
///
/// # Errors
/// When the database cannot be read.
pub async fn results(db: &Db, instance: &InstanceId, kind: ScanKind) -> Result<Vec<CheckResult>, StoreError> {
    todo!()
}
