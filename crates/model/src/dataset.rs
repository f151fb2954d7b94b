//! Datasets as they were read: records with their shape, and how far they may be trusted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnosis::{Fault, Warning};
use crate::id::AppId;
use crate::scan::ScanKind;
use crate::time::Timestamp;
use crate::value::{Record, Shape};

/// How far a dataset was read. Only [`Availability::Complete`] lets anything be concluded from absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Availability {
    /// Read to its end (an answer that means "there is none" is complete and empty).
    Complete,
    /// Some records were read, then a fault ended it. The tail is unknown.
    Partial {
        /// What ended it.
        fault: Fault,
    },
    /// A dataset with a `refresh` age whose first full sweep is not finished; not a fault.
    Sweeping {
        /// Keys read so far.
        read: u64,
        /// Keys there are.
        of: u64,
    },
    /// Nothing could be read.
    Unavailable {
        /// Why.
        fault: Fault,
    },
    /// The plan, licence or version of this tenant does not have it.
    NotApplicable {
        /// Why, in a sentence.
        reason: String,
    },
}

impl Availability {
    /// Whether everything there is was read.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// The fault, where there is one.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Partial { fault } | Self::Unavailable { fault } => Some(fault),
            _ => None,
        }
    }
}

/// One dataset of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetSnapshot {
    /// The fields of its records.
    pub shape: Arc<Shape>,
    /// The name of the field that identifies a record, when there is one.
    pub key: Option<String>,
    /// The records, in the vendor's order.
    pub records: Vec<Record>,
    /// How far it was read.
    pub availability: Availability,
    /// When its oldest part was read: the age that pages show.
    pub collected_at: Timestamp,
    /// The request it came from, without secrets (evidence).
    pub request: String,
    /// Requests spent on it in this run.
    pub requests: u32,
}

/// All that one run read. Never an error: a run that read nothing is a snapshot of unavailable datasets.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The application.
    pub app: AppId,
    /// The manifest's revision it was read with.
    pub revision: u32,
    /// What for.
    pub kind: ScanKind,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it had read all it could.
    pub finished_at: Timestamp,
    /// The datasets of this scan kind, by name. Every dataset of the kind is present.
    pub datasets: BTreeMap<String, DatasetSnapshot>,
    /// What is not broken yet.
    pub warnings: Vec<Warning>,
    /// What reading it cost.
    pub cost: Cost,
}

/// What a run spent at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// HTTP requests sent, retries and authentication included.
    pub requests: u32,
    /// Of these, retries.
    pub retries: u32,
    /// Bytes of answers read, after decompression.
    pub bytes: u64,
    /// Milliseconds spent waiting for the vendor's rate limit.
    pub throttled_ms: u64,
}
