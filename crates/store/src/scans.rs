//! Standing scans: the due-table, and leases with their fence.

use model::diagnosis::Warning;
use model::health::{Enablement, Progress, ScanFacts};
use model::id::{InstanceId, RunId};
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;

/// One supported scan of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// What health reads.
    pub facts: ScanFacts,
    /// Missing permissions that leave gaps, as of the last verification.
    pub readiness_gaps: Vec<String>,
    /// What its last finished run warned of.
    pub warnings: Vec<Warning>,
}

/// A supported scan as it is set up at onboarding.
#[derive(Debug, Clone)]
pub struct ScanSetup {
    /// Which.
    pub kind: ScanKind,
    /// Whether the credential suffices.
    pub enablement: Enablement,
    /// Time between runs.
    pub interval: Duration,
    /// Missing permissions that leave gaps.
    pub gaps: Vec<String>,
}

/// The hold of one worker on one run. Only a lease whose fence is still the scan's may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The run: a new one, or the open one that is resumed.
    pub run: RunId,
    /// The fencing token.
    pub fence: i64,
    /// The credential's version at the claim.
    pub credential_version: i64,
    /// When the run was first claimed.
    pub started_at: Timestamp,
    /// When the run must have ended.
    pub deadline: Timestamp,
    /// When the lease ends unless renewed.
    pub expires_at: Timestamp,
    /// How often a worker handed the run back unfinished before.
    pub abandoned: u32,
    /// Whether the run was asked for by somebody (Scan now, onboarding, Reauthenticate).
    pub wanted: bool,
}

/// A claim of a scan.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The instance.
    pub instance: &'a InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// Who holds it: a name for the logs.
    pub holder: &'a str,
    /// Now.
    pub now: Timestamp,
    /// How long the lease lives without renewal.
    pub ttl: Duration,
    /// The deadline if this begins a new run.
    pub deadline: Timestamp,
    /// The id if this begins a new run.
    pub new_run: RunId,
}

/// What a renewal learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Still held.
    Held {
        /// The new end of the lease.
        expires_at: Timestamp,
    },
    /// Somebody pressed Cancel: stop and [`release`].
    Cancelled,
    /// No longer held: expired and closed, paused, removed or fenced. Stop; nothing can be written.
    Lost,
}

/// Why a lease is handed back without outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Cancelled: the open run is dropped with its checkpoints; the next run is due at the given time.
    Cancelled {
        /// When the scan is due again.
        next_at: Timestamp,
    },
    /// Drained: the open run stays, is resumed by the next claim, and counts as abandoned once more.
    Drained,
    /// The vendor's long back-off: the open run stays and is not due before the given time.
    Waiting {
        /// The vendor's reset.
        until: Timestamp,
    },
}

/// Takes a scan that nobody holds. One statement. `None`: held by another, not enabled, paused, or gone.
/// Takes `wanted_at` with it. An expired lease is not taken over; [`expired`] lists those to be closed first.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(db: &Db, claim: Claim<'_>) -> Result<Option<Held>, StoreError> {
    todo!()
}

/// Prolongs a lease and stores the progress.
///
/// # Errors
/// When the database cannot be written; a lost lease is not an error but [`Renewed::Lost`].
pub async fn renew(
    db: &Db,
    held: &Held,
    now: Timestamp,
    ttl: Duration,
    progress: Progress,
) -> Result<Renewed, StoreError> {
    todo!()
}

/// Hands a lease back without outcome. `false`: it was lost already, nothing was changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn release(db: &Db, held: &Held, how: Release, now: Timestamp) -> Result<bool, StoreError> {
    todo!()
}

/// Leases that ended without a word from their worker. The ticker closes each by committing a failed run
/// (finished at the lease's end, cause internal) or, below the limit of abandonments, by [`release`].
///
/// # Errors
/// When the database cannot be read.
pub async fn expired(db: &Db, now: Timestamp) -> Result<Vec<Held>, StoreError> {
    todo!()
}

/// At start of the process that holds the SQLite lock: every lease is a dead process's, and is handed back as drained.
/// How many there were. Does nothing on PostgreSQL, where other nodes may be alive.
///
/// # Errors
/// When the database cannot be written.
pub async fn close_all_at_start(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    todo!()
}

/// Asks for a run now (Scan now). Kept when one is running: it runs again afterwards. `false`: not enabled.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn want(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    now: Timestamp,
    audit: Option<Entry>,
) -> Result<bool, StoreError> {
    todo!()
}

/// Cancels: a running scan is told at its next renewal; an open run that waits or was drained is dropped at once, and so is a
/// request that has not started. `false`: there was nothing to cancel.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn cancel(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    now: Timestamp,
    audit: Entry,
) -> Result<bool, StoreError> {
    todo!()
}

/// Changes one scan's interval: `change` computes the new facts (interval, next_at, watched_since) from fresh ones
/// under a lock ([`model::schedule`]).
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_interval(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    change: &(dyn Fn(&ScanFacts) -> ScanFacts + Send + Sync),
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Notes whether a scan that is not enabled could run now (the daily check, or "Check again"), or enables it
/// (wanted at once, watched from now) or stops it. A scan that is enabled never becomes not enabled by this.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_enablement(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    enablement: &Enablement,
    now: Timestamp,
    audit: Option<Entry>,
) -> Result<(), StoreError> {
    todo!()
}
