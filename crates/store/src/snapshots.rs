//! The last complete reading of each dataset: what drift compares with, what `refresh` datasets are reused from, and what a
//! check is explained on. And everything else an assessment wants to know about before.

use std::collections::BTreeMap;

use model::dataset::DatasetSnapshot;
use model::id::{CheckId, FindingId, InstanceId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;

/// A stored dataset. Its availability is always complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The run that read it.
    pub run: RunId,
    /// The manifest's revision it was read with.
    pub revision: u32,
    /// What was read.
    pub data: DatasetSnapshot,
}

/// What was known before a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prior {
    /// Findings that are not resolved, of checks this scan answers.
    pub open: Vec<(FindingId, CheckId, String)>,
    /// The last complete snapshot of each dataset of the instance.
    pub datasets: BTreeMap<String, Stored>,
    /// Datasets that were found empty after having had 10 or more records.
    pub shrunk: BTreeMap<String, Shrunk>,
}

/// An emptiness that has not been believed yet, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The first run that found it empty.
    pub first_at: Timestamp,
    /// When an operator confirmed that it is empty.
    pub agreed_at: Option<Timestamp>,
    /// Who.
    pub agreed_by: Option<String>,
}

/// What was known before a run of this scan.
///
/// # Errors
/// When the database cannot be read.
pub async fn prior(db: &Db, instance: &InstanceId, kind: ScanKind) -> Result<Prior, StoreError> {
    todo!()
}

/// The last complete snapshots of an instance, all or the named one.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_instance(
    db: &Db,
    instance: &InstanceId,
    dataset: Option<&str>,
) -> Result<BTreeMap<String, Stored>, StoreError> {
    todo!()
}

/// An operator confirms that a dataset is empty now.
///
/// # Errors
/// [`StoreError::NotFound`] when no run has found it empty.
pub async fn agree_empty(
    db: &Db,
    instance: &InstanceId,
    dataset: &str,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Emptinesses that wait for an operator or a second run.
///
/// # Errors
/// When the database cannot be read.
pub async fn shrunk(db: &Db, instance: &InstanceId) -> Result<BTreeMap<String, Shrunk>, StoreError> {
    todo!()
}
