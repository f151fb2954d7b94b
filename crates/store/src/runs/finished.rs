//! What a finished run leaves behind.

use std::collections::BTreeSet;

use model::dataset::{Cost, DatasetSnapshot};
use model::diagnosis::{Fault, Warning};
use model::finding::{CheckResult, CheckTally, Drift};
use model::id::{CheckId, FindingId};
use model::schedule::{Finish, Spread};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

/// A dataset that a run could not read, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The dataset.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// Whether the scan has no meaning without such datasets: then the run is partial or failed.
    pub required: bool,
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

/// Everything a finished run leaves behind. The facts afterwards are computed within the transaction, from fresh ones
/// ([`model::schedule::after_run`]); an interval or a request that came during the run stays.
#[derive(Debug)]
pub struct Commit<'a> {
    /// How it ended.
    pub finish: Finish,
    /// When it is stored. By then it is judged which back-offs are believed: the lease of a worker that died days ago ends its
    /// run days ago.
    pub now: Timestamp,
    /// Spreads the next start.
    pub spread: Spread,
    /// The end of the lease, where it is closed for a worker that has died: one that lives after all has renewed it since,
    /// and nothing is stored. `None`: whoever stores it holds the lease.
    pub lease_end: Option<Timestamp>,
    /// A vendor's back-off that is not over.
    pub blocked_until: Option<Timestamp>,
    /// What it could not read.
    pub gaps: &'a [Gap],
    /// What is not broken yet.
    pub warnings: &'a [Warning],
    /// What it spent.
    pub cost: Cost,
    /// Datasets that were read.
    pub datasets_read: u32,
    /// Datasets of this scan.
    pub datasets_total: u32,
    /// Outcomes of checks about records. Failures become or keep findings; inconclusive and not applicable ones (and
    /// passes, where given) are kept as this scan's latest results.
    pub results: &'a [CheckResult],
    /// Outcomes per check. Replaces this scan's.
    pub tallies: &'a [CheckTally],
    /// Findings that passed or are gone, seen in a complete read.
    pub resolved: &'a [FindingId],
    /// Checks whose findings could not all be looked at: those neither in `results` nor in `resolved` become stale.
    pub stale: &'a [CheckId],
    /// Accounts, when this scan reads them; empty and incomplete when it could not. `None`: another kind of scan.
    pub accounts: Option<Subjects<'a>>,
    /// The version of what identity providers knew ([`crate::directories::version`]) that these accounts were judged by. Where
    /// it is another by now, they are asked for once more. `None`: they were judged without.
    pub judged_by: Option<i64>,
    /// Plugins, likewise.
    pub plugins: Option<Subjects<'a>>,
    /// Values that changed.
    pub drift: &'a [Drift],
    /// Datasets read completely, kept for the next comparison. An emptiness noted before is forgotten for these.
    pub snapshots: Vec<(&'a str, &'a DatasetSnapshot)>,
    /// The manifest's revision, kept with the snapshots.
    pub revision: u32,
    /// Datasets that had 10 or more records and now none: noted with the time of the first such run.
    pub shrunk: BTreeSet<String>,
    /// What to keep of datasets with a `refresh` age: name and bytes, opaque.
    pub sweeps: Vec<(String, Vec<u8>)>,
}

impl<'a> Commit<'a> {
    /// A run that found nothing at all: failed, and these checks' findings are stale since. It is stored as it ends.
    #[must_use]
    pub fn nothing(finish: Finish, spread: Spread, stale: &'a [CheckId]) -> Self {
        Self {
            now: finish.run.finished_at,
            finish,
            spread,
            lease_end: None,
            blocked_until: None,
            gaps: &[],
            warnings: &[],
            cost: Cost::default(),
            datasets_read: 0,
            datasets_total: 0,
            results: &[],
            tallies: &[],
            resolved: &[],
            stale,
            accounts: None,
            judged_by: None,
            plugins: None,
            drift: &[],
            snapshots: Vec::new(),
            revision: 0,
            shrunk: BTreeSet::new(),
            sweeps: Vec::new(),
        }
    }
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
