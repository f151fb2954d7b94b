//! Datasets that are dear to read: kept across runs, refreshed piece by piece.

use std::collections::BTreeMap;

use model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is kept of one dataset with a `refresh_hours` age. Opaque; serialise it whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// The manifest's revision: of another one, nothing is reused.
    pub(crate) revision: u32,
    /// The listings by id.
    pub(crate) listings: BTreeMap<String, Swept>,
}

impl Sweep {
    /// How many pieces are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listings.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listings.is_empty()
    }
}

/// One listing as it was last read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Swept {
    /// When.
    pub(crate) at: Timestamp,
    /// The vendor's validator of the answer, where it was a single page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    /// Why there is none, where the plan or version does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_applicable: Option<String>,
    /// The records, as `model::value::Record::to_json` writes them.
    pub(crate) records: Vec<serde_json::Value>,
}
