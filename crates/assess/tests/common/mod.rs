//! Snapshots of the test application, from short notation.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use assess::{Assessment, Detail, Emptied, Instance, Prior, PriorDataset, PriorFinding, assess};
use catalog::{App, Catalog};
use model::dataset::{Availability, Cost, DatasetSnapshot, Snapshot};
use model::diagnosis::{Fault, Rung};
use model::id::{AppId, CheckId, FindingId};
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use serde_json::Value as Json;

/// The end of every test run: 2026-01-31T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_769_817_600_000);
pub(crate) const HOUR: Duration = Duration::hours(1);

static APP: LazyLock<Arc<App>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalog");
    let loaded = Catalog::of_folder(&folder);
    assert!(loaded.errors.is_empty(), "{:#?}", loaded.errors);
    Arc::clone(loaded.catalog.app(&AppId::new("acme")).expect("the test application loads"))
});

/// One run of the test application.
pub(crate) struct Run {
    pub(crate) kind: ScanKind,
    pub(crate) datasets: BTreeMap<String, DatasetSnapshot>,
    pub(crate) open: Vec<(FindingId, CheckId, String)>,
    pub(crate) before: BTreeMap<String, (u32, DatasetSnapshot)>,
    pub(crate) emptied: BTreeMap<String, Emptied>,
    pub(crate) params: BTreeMap<CheckId, BTreeMap<String, Value>>,
    pub(crate) detail: Detail,
}

/// A fault with a cause.
pub(crate) fn fault(cause: FailureCause, detail: &str) -> Fault {
    Fault {
        cause,
        reached: Rung::Http,
        dataset: None,
        request: None,
        status: None,
        vendor_message: None,
        request_id: None,
        needs: Vec::new(),
        detail: detail.to_owned(),
        at: NOW,
    }
}

impl Run {
    /// A run in which every dataset is complete and empty, but for those that are set after.
    pub(crate) fn new(kind: ScanKind) -> Self {
        let mut run = Self {
            kind,
            datasets: BTreeMap::new(),
            open: Vec::new(),
            before: BTreeMap::new(),
            emptied: BTreeMap::new(),
            params: BTreeMap::new(),
            detail: Detail::Findings,
        };
        let names: Vec<String> = APP.datasets_of(kind).map(|d| d.spec.name.clone()).collect();
        for name in names {
            run.read(&name, "[]");
        }
        run
    }

    /// Sets what a dataset holds: a JSON list of records, fields left out unknown.
    pub(crate) fn read(&mut self, name: &str, json: &str) -> &mut Self {
        let data = snapshot(name, json, NOW);
        self.datasets.insert(name.to_owned(), data);
        self
    }

    /// Sets how far a dataset was read.
    pub(crate) fn availability(&mut self, name: &str, availability: Availability) -> &mut Self {
        self.datasets.get_mut(name).expect(name).availability = availability;
        self
    }

    /// A dataset of which nothing was read.
    pub(crate) fn fails(&mut self, name: &str, cause: FailureCause) -> &mut Self {
        self.read(name, "[]");
        self.availability(name, Availability::Unavailable { fault: fault(cause, &format!("{cause} fault")) })
    }

    /// What a dataset held before, an hour ago.
    pub(crate) fn held(&mut self, name: &str, json: &str) -> &mut Self {
        let at = NOW - HOUR;
        self.before.insert(name.to_owned(), (3, snapshot(name, json, at)));
        self
    }

    pub(crate) fn finding(&mut self, check: &str, resource: &str) -> &mut Self {
        let id = FindingId::new(format!("{check} {resource}"));
        self.open.push((id, CheckId::new(format!("acme/{check}")), resource.to_owned()));
        self
    }

    pub(crate) fn assess(&self) -> Assessment {
        let snapshot = Snapshot {
            app: AppId::new("acme"),
            revision: 3,
            kind: self.kind,
            started_at: NOW - Duration::minutes(1),
            finished_at: NOW,
            datasets: self.datasets.clone(),
            warnings: Vec::new(),
            cost: Cost::default(),
        };
        let settings = BTreeMap::from([("org".to_owned(), "acme".to_owned())]);
        let instance = Instance {
            tenant_uid: "tenant-7",
            auth: "token",
            settings: &settings,
            params: &self.params,
            interval: HOUR,
        };
        let open = self.open.iter().map(|(id, check, resource)| PriorFinding { id, check, resource });
        let before = self
            .before
            .iter()
            .map(|(name, (revision, data))| (name.as_str(), PriorDataset { revision: *revision, data }));
        let prior = Prior {
            open: open.collect(),
            datasets: before.collect(),
            emptied: self.emptied.iter().map(|(name, emptied)| (name.as_str(), *emptied)).collect(),
            identities: Default::default(),
        };
        assess(&snapshot, &APP, &instance, &prior, NOW, self.detail)
    }
}

fn snapshot(name: &str, json: &str, at: Timestamp) -> DatasetSnapshot {
    let spec = APP.dataset(name).expect(name);
    let json: Json = serde_json::from_str(json).expect("test data is JSON");
    let records = json.as_array().expect("a list");
    DatasetSnapshot {
        shape: Arc::clone(&spec.shape),
        key: spec.spec.key.clone(),
        records: records.iter().map(|r| Record::from_json(r, &spec.shape)).collect(),
        availability: Availability::Complete,
        collected_at: at,
        request: format!("GET https://api.example.com/{name}"),
        requests: 1,
    }
}

/// The answers in short: `check resource: outcome: sentence`.
pub(crate) fn answers(assessment: &Assessment) -> Vec<String> {
    let line = |r: &model::finding::CheckResult| {
        let check = r.check.as_str().trim_start_matches("acme/");
        format!("{check} {}: {}: {}", r.resource, r.outcome.as_str(), r.says)
    };
    assessment.results.iter().map(line).collect()
}

/// The tallies in short: `check pass/fail/inconclusive/not applicable (reason)`.
pub(crate) fn tallies(assessment: &Assessment) -> Vec<String> {
    let line = |t: &model::finding::CheckTally| {
        let check = t.check.as_str().trim_start_matches("acme/");
        let mut line = format!("{check} {}/{}/{}/{}", t.pass, t.fail, t.inconclusive, t.not_applicable);
        if let Some(reason) = &t.reason {
            line += &format!(" ({reason})");
        }
        if !t.needs.is_empty() {
            line += &format!(" needs {}", t.needs.join(", "));
        }
        line
    };
    assessment.tallies.iter().map(line).collect()
}

pub(crate) fn ids(findings: &[FindingId]) -> Vec<&str> {
    findings.iter().map(FindingId::as_str).collect()
}

pub(crate) fn stale(assessment: &Assessment) -> Vec<&str> {
    assessment.stale.iter().map(|check| check.as_str().trim_start_matches("acme/")).collect()
}
