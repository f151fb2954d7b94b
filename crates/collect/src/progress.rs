//! What a run is asked for, what it tells while it runs, and what it leaves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use futures_util::future::BoxFuture;
use model::credential::Identity;
use model::dataset::Snapshot;
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sweep::Sweep;

/// What to read, and what is known from before.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The scan.
    pub kind: ScanKind,
    /// All parts that an earlier lease of the same run handed to [`Progress::checkpoint`], in any order. Parts of
    /// another manifest revision are ignored.
    pub resume: Vec<Checkpoint>,
    /// What is kept from earlier runs of datasets with a `refresh_hours` age, by dataset.
    pub reuse: BTreeMap<String, Sweep>,
    /// When the run has failed for want of time.
    pub deadline: Timestamp,
    /// A vendor's back-off that another run of the same credential met.
    pub blocked_until: Option<Timestamp>,
    /// Most requests of this run for datasets with a `refresh_hours` age. What it does not reach is read by later runs,
    /// and is a gap until then.
    pub sweep_requests: u32,
    /// Key of the hashes that stand for `sensitive = "hash"` fields: constant for an instance, known to nobody else.
    /// Without it such fields are unknown.
    pub hash_key: Option<[u8; 32]>,
    /// What the credential was when it was last verified: permissions that are gone become warnings.
    pub known: Option<Identity>,
}

impl RunRequest {
    /// A first run: nothing to resume or to reuse.
    #[must_use]
    pub fn new(kind: ScanKind, deadline: Timestamp) -> Self {
        Self {
            kind,
            resume: Vec::new(),
            reuse: BTreeMap::new(),
            deadline,
            blocked_until: None,
            sweep_requests: SWEEP_REQUESTS,
            hash_key: None,
            known: None,
        }
    }
}

/// The usual value of [`RunRequest::sweep_requests`]; a manifest may allow more (`limits.sweep_requests`).
pub const SWEEP_REQUESTS: u32 = 600;

/// What a run has read since the part before: to be stored under (run, dataset, part) as long as the run is open.
/// Opaque; serialise it whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The dataset.
    pub dataset: String,
    /// Counts up within the dataset, over all leases of the run.
    pub part: u32,
    /// The manifest's revision.
    pub revision: u32,
    /// When the oldest of it was read.
    pub(crate) read_at: Timestamp,
    /// What was read.
    pub(crate) listings: Vec<ListingPart>,
}

impl Checkpoint {
    /// How many records it holds.
    #[must_use]
    pub fn records(&self) -> usize {
        self.listings.iter().map(|l| l.records.len()).sum()
    }
}

/// Progress of one listing (one request with all its pages) within a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListingPart {
    /// `alternative/request/each`.
    pub(crate) id: String,
    /// Where it goes on.
    pub(crate) at: ListingAt,
    /// The records since the part before, as `model::value::Record::to_json` writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) records: Vec<serde_json::Value>,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListingAt {
    /// It was read to its end.
    End,
    /// The vendor does not have it for this plan or version.
    NotApplicable(String),
    /// With this page.
    Page(crate::page::Cursor),
}

/// What a run tells while it runs. Calls come in order, from one task.
pub trait Progress: Send + Sync {
    /// A dataset began or ended.
    fn dataset(&self, name: &str, state: DatasetState);
    /// So many records of a dataset have been read so far.
    fn records(&self, name: &str, records: u64);
    /// Whether [`Progress::checkpoint`] keeps anything. If not, no parts are made.
    fn keeps_checkpoints(&self) -> bool {
        true
    }
    /// Stores a part, under the lease's fence. `Break` stops the run: the lease is lost or the run was cancelled.
    fn checkpoint(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ControlFlow<()>>;
}

/// Where a dataset stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetState {
    /// It is being read.
    Reading,
    /// It was read completely, or there is nothing to read.
    Read,
    /// It was read in part, or a sweep over it is not finished.
    ReadInPart,
    /// It could not be read.
    NotRead,
}

/// A listener that stores and shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn dataset(&self, _: &str, _: DatasetState) {}
    fn records(&self, _: &str, _: u64) {}
    fn keeps_checkpoints(&self) -> bool {
        false
    }
    fn checkpoint(&self, _: Checkpoint) -> BoxFuture<'_, ControlFlow<()>> {
        Box::pin(std::future::ready(ControlFlow::Continue(())))
    }
}

/// How a run ended, as far as reading goes.
#[derive(Debug)]
pub enum Collected {
    /// It has read all it could.
    Done(Box<Done>),
    /// The vendor wants to be left alone for long. The run goes on then, from its checkpoints: these parts have not
    /// been handed to [`Progress::checkpoint`] yet. They are to be stored with the end of the lease.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// The last parts.
        checkpoints: Vec<Checkpoint>,
    },
    /// [`Progress::checkpoint`] said stop. Nothing is to be concluded.
    Stopped,
}

/// What a finished run leaves.
#[derive(Debug)]
pub struct Done {
    /// What was read. Never an error: every dataset of the scan is in it, with how far it was read.
    pub snapshot: Snapshot,
    /// What to keep of the datasets with a `refresh_hours` age, for [`RunRequest::reuse`] of the instance's next runs of
    /// any kind. Store each under (instance, dataset), in the transaction that commits the run.
    pub sweeps: BTreeMap<String, Sweep>,
    /// The vendor's back-off, where one was met that is not over: nothing else should be started before it.
    pub blocked_until: Option<Timestamp>,
}
