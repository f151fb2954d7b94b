//! Values that changed between two complete snapshots.

use model::finding::Drift;
use model::id::{InstanceId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::Page;

/// A change with where it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which.
    pub id: String,
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The run that saw it.
    pub run: RunId,
    /// The change.
    pub drift: Drift,
}

/// What a list of drift is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One scan.
    pub kind: Option<ScanKind>,
    /// One dataset.
    pub dataset: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Words in the resource or the field.
    pub text: Option<String>,
}

/// A page of drift, latest first.
///
/// # Errors
/// When the database cannot be read or `after` is not one of ours.
pub async fn list(
    db: &Db,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Seen>, StoreError> {
    todo!()
}
