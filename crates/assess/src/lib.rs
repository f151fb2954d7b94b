//! From what was read to what it means: outcomes, findings, accounts, plugins, drift, and how the run ended.
//!
//! Pure: the same snapshot, catalogue, prior knowledge and present give the same assessment. Nothing here can fail; what
//! cannot be known is in the answer as inconclusive, with the reason.

mod canonical;
mod directories;
mod drift;
mod explain;
mod identify;
mod judge;
mod merge;
mod reading;
mod resolve;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

use catalog::App;
use model::dataset::{DatasetSnapshot, Snapshot};
use model::diagnosis::Fault;
use model::finding::{CheckResult, CheckTally, Drift};
use model::id::{CheckId, FindingId};
use model::scan::{RunOutcome, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};

use crate::canonical::{Canonical, Canonicals};
pub use crate::directories::{Directories, departed};
pub use crate::identify::Identities;
use crate::reading::Reading;

pub use crate::seen::first_seen;

/// What is configured for the tenancy that was scanned.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'a> {
    /// The vendor's id of the tenant: the resource of findings about a dataset that is a single object.
    pub tenant_uid: &'a str,
    /// The way of authenticating, which decides how missing permissions are called.
    pub auth: &'a str,
    /// The settings given at onboarding (`params.<setting>` in mappings).
    pub settings: &'a BTreeMap<String, String>,
    /// Parameters of checks that differ from their defaults.
    pub params: &'a BTreeMap<CheckId, BTreeMap<String, Value>>,
    /// The scan's interval: how much later a second run must agree that a dataset has become empty.
    pub interval: Duration,
}

/// What was known before the run.
#[derive(Debug, Clone, Default)]
pub struct Prior<'a> {
    /// Findings that are not resolved, of checks that this scan answers.
    pub open: Vec<PriorFinding<'a>>,
    /// The last complete snapshot of each dataset.
    pub datasets: BTreeMap<&'a str, PriorDataset<'a>>,
    /// Datasets that were found empty after having had 10 or more records.
    pub emptied: BTreeMap<&'a str, Emptied>,
    /// What the organisation's identity providers know.
    pub identities: Identities<'a>,
}

/// A finding that was open before the run.
#[derive(Debug, Clone, Copy)]
pub struct PriorFinding<'a> {
    /// Its id.
    pub id: &'a FindingId,
    /// The check that fails.
    pub check: &'a CheckId,
    /// The resource about which it fails.
    pub resource: &'a str,
}

/// A dataset as it was last read completely.
#[derive(Debug, Clone, Copy)]
pub struct PriorDataset<'a> {
    /// The manifest's revision it was read with: across revisions nothing is compared.
    pub revision: u32,
    /// What was read.
    pub data: &'a DatasetSnapshot,
}

/// An emptiness that is not believed yet, or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emptied {
    /// The end of the first run that found it so.
    pub first_at: Timestamp,
    /// Whether an operator has confirmed it.
    pub agreed: bool,
}

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What fails and what could not be judged. Passes, and records that a check is known not to ask about, are counted.
    Findings,
    /// Every answer, with its evidence.
    All,
}

/// What a run means.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// How it ended.
    pub outcome: RunOutcome,
    /// The fault behind the outcome's cause; `None` exactly when it succeeded.
    pub fault: Option<Fault>,
    /// Datasets that were not read, or not wholly.
    pub gaps: Vec<Gap>,
    /// Answers about records, by check, each (check, resource) once: failures, and what could not be judged or does not
    /// exist in this plan; with [`Detail::All`] also passes and what a check does not ask about.
    pub results: Vec<CheckResult>,
    /// One for every check of the scan.
    pub tallies: Vec<CheckTally>,
    /// Findings that passed, do not apply any more, or whose resource is gone, seen in a complete read.
    pub resolved: Vec<FindingId>,
    /// Checks with findings that could not all be looked at: those of their findings that are neither failing in
    /// `results` nor in `resolved` keep standing, stale.
    pub stale: BTreeSet<CheckId>,
    /// The accounts, for a scan that reads them.
    pub accounts: Option<Subjects>,
    /// The plugins, for a scan that reads them.
    pub plugins: Option<Subjects>,
    /// Settings that changed since the last complete read.
    pub drift: Vec<Drift>,
    /// Datasets that were read to their end and are believed: worth keeping for the next comparison.
    pub complete: BTreeSet<String>,
    /// Datasets whose emptiness is not believed yet. They count as not read.
    pub emptied: BTreeSet<String>,
}

/// Canonical records: [`model::account::SHAPE`] or [`model::plugin::SHAPE`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subjects {
    /// One a subject, by id.
    pub records: Vec<Record>,
    /// Whether these are all there are. Only then does absence mean gone.
    pub complete: bool,
}

/// A dataset that was not read, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The dataset.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// Whether the scan has no meaning without such datasets.
    pub required: bool,
    /// What ended it, where it was a fault.
    pub fault: Option<Fault>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Says what a run means.
#[must_use]
pub fn assess(
    snapshot: &Snapshot,
    app: &App,
    instance: &Instance<'_>,
    prior: &Prior<'_>,
    now: Timestamp,
    detail: Detail,
) -> Assessment {
    let reading = Reading::of(snapshot, app, instance, prior, now);
    let (outcome, fault) = reading.outcome(now);
    let canonical = Canonicals::of(&reading, &prior.identities, now);
    let verdicts = judge::all(&reading, &canonical, prior, now, detail);
    let (resolved, stale) = resolve::findings(prior, &verdicts);
    let subjects = |kind, made: &Canonical| {
        (snapshot.kind == kind && !made.is_unmapped())
            .then(|| Subjects { records: made.records.clone(), complete: made.is_complete() })
    };
    Assessment {
        outcome,
        fault,
        gaps: reading.gaps(),
        results: verdicts.results,
        tallies: verdicts.tallies,
        resolved,
        stale,
        accounts: subjects(ScanKind::Accounts, &canonical.accounts),
        plugins: subjects(ScanKind::Plugins, &canonical.plugins),
        drift: drift::between(&reading, prior),
        complete: reading.complete(),
        emptied: reading.emptied.clone(),
    }
}
