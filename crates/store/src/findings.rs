//! Persistent failing results.

use std::collections::BTreeMap;

use model::finding::{Evidence, FindingState, Severity};
use model::id::{AppId, CheckId, FindingId, InstanceId, OwnerId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Order, Page};

/// A finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The check that fails.
    pub check: CheckId,
    /// Its revision at the last run that looked.
    pub revision: u32,
    /// The scan that answers it.
    pub kind: ScanKind,
    /// The record's key.
    pub resource: String,
    /// The dataset.
    pub resource_kind: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// One sentence about this record.
    pub says: String,
    /// What decided.
    pub evidence: Vec<Evidence>,
    /// When it first failed (since it was last resolved, see `reopened`).
    pub first_seen_at: Timestamp,
    /// When a run last saw it fail.
    pub last_seen_at: Timestamp,
    /// When it passed or was gone.
    pub resolved_at: Option<Timestamp>,
    /// Since when no run could look at it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// How often it came back after having been resolved.
    pub reopened: u32,
    /// The run that last saw it.
    pub run: RunId,
    /// When an operator last changed its state, and who.
    pub state_changed: Option<(Timestamp, String)>,
    /// The exception that suppresses it.
    pub exception: Option<Exception>,
}

/// Why, by whom and until when a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Why it is accepted.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a list of findings is narrowed to. The default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One application.
    pub app: Option<AppId>,
    /// One owner's instances.
    pub owner: Option<OwnerId>,
    /// One check.
    pub check: Option<CheckId>,
    /// One scan.
    pub kind: Option<ScanKind>,
    /// Any of these; none: all.
    pub severities: Vec<Severity>,
    /// Any of these; none: all.
    pub states: Vec<FindingState>,
    /// Stale ones only, or fresh ones only.
    pub stale: Option<bool>,
    /// First seen at or after.
    pub first_seen_since: Option<Timestamp>,
    /// Words in the sentence, the resource, the check's id or the instance's name.
    pub text: Option<String>,
}

/// What findings are sorted by; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// How bad.
    #[default]
    Severity,
    /// When first seen.
    FirstSeen,
    /// When last seen.
    LastSeen,
    /// The check's id.
    Check,
    /// The record's key.
    Resource,
    /// The instance's name.
    Instance,
}

/// A page of findings.
///
/// # Errors
/// When the database cannot be read or `after` is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Finding>, StoreError> {
    todo!()
}

/// One finding.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &FindingId) -> Result<Finding, StoreError> {
    todo!()
}

/// Takes a finding up, puts it back, or suppresses it by an exception. Resolving is a run's business.
///
/// # Errors
/// [`StoreError::NotFound`] when it does not exist or is resolved.
pub async fn set_state(
    db: &Db,
    id: &FindingId,
    state: &OperatorState,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// The states that an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorState {
    /// Nobody works on it.
    New,
    /// Somebody does.
    InProgress,
    /// Accepted.
    Suppressed(Exception),
}

/// Exceptions that have expired: their findings are new again. How many.
///
/// # Errors
/// When the database cannot be written.
pub async fn expire_exceptions(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    todo!()
}

/// Numbers of unresolved, unsuppressed findings of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// By severity; a severity without findings is not in it.
    pub open: BTreeMap<Severity, u64>,
    /// Of these, stale.
    pub stale: u64,
    /// Of these, first seen at or after the given time.
    pub new: u64,
    /// Suppressed ones, not in the numbers above.
    pub suppressed: u64,
}

/// The numbers of every instance that has any, or of one. `new_since` is what `new` counts from.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts(
    db: &Db,
    instance: Option<&InstanceId>,
    new_since: Timestamp,
) -> Result<BTreeMap<InstanceId, Counts>, StoreError> {
    todo!()
}

/// Open findings per check: how many, on how many instances.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts_by_check(db: &Db) -> Result<BTreeMap<CheckId, (u64, u64)>, StoreError> {
    todo!()
}
