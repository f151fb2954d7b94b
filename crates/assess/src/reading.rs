//! How far each dataset of the run may be believed, and with that how the run ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{App, DatasetSpec};
use expr::DatasetView;
use model::dataset::{Availability, DatasetSnapshot, Snapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::Timestamp;
use model::value::Record;

use crate::{Gap, Instance, Prior};

/// A dataset that had this many records does not become empty without a second look.
const SUSPICIOUSLY_MANY: usize = 10;

/// Everything that was read, with what it is worth.
pub(crate) struct Reading<'a> {
    pub(crate) app: &'a App,
    pub(crate) kind: ScanKind,
    pub(crate) revision: u32,
    pub(crate) instance: Instance<'a>,
    /// By name; those of the application for this scan.
    pub(crate) datasets: BTreeMap<&'a str, Read<'a>>,
    /// Datasets whose emptiness is not believed yet.
    pub(crate) emptied: BTreeSet<String>,
}

/// One dataset.
pub(crate) struct Read<'a> {
    pub(crate) spec: &'a DatasetSpec,
    /// What came; `None` when the run does not tell of it.
    pub(crate) data: Option<&'a DatasetSnapshot>,
    /// How far it was read, after all doubts.
    pub(crate) availability: Availability,
    /// Its name and its request, as evidence tells them: shared, because every answer about every record does.
    pub(crate) origin: (Arc<str>, Arc<str>),
    required: bool,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(
        snapshot: &'a Snapshot,
        app: &'a App,
        instance: &Instance<'a>,
        prior: &Prior<'_>,
        now: Timestamp,
    ) -> Self {
        let kind = snapshot.kind;
        let mut emptied = BTreeSet::new();
        let mut datasets = BTreeMap::new();
        for spec in app.datasets_of(kind) {
            let name = spec.spec.name.as_str();
            let data = snapshot.datasets.get(name);
            let availability = match data {
                None => Availability::Unavailable { fault: not_told(name, now) },
                Some(data) => match doubted(name, data, instance, prior, now) {
                    Some(fault) => {
                        emptied.insert(name.to_owned());
                        Availability::Unavailable { fault }
                    }
                    None => data.availability.clone(),
                },
            };
            let required = spec.spec.required.contains(&kind);
            let origin = (name.into(), data.map_or("", |data| data.request.as_str()).into());
            datasets.insert(name, Read { spec, data, availability, origin, required });
        }
        Self { app, kind, revision: snapshot.revision, instance: *instance, datasets, emptied }
    }

    /// In the manifest's order, which is the order of reading.
    fn in_order(&self) -> impl Iterator<Item = &Read<'a>> {
        self.app.datasets_of(self.kind).filter_map(|spec| self.datasets.get(spec.spec.name.as_str()))
    }

    /// How the run ended, and the fault behind its cause.
    ///
    /// What this plan does not have, and what is still being swept, is neither read nor failed. Where nothing is required,
    /// the run has failed when nothing at all could be read. The cause is the most actionable of those that kept required
    /// datasets from being read: that an optional one lacks its permission does not explain why the run failed.
    pub(crate) fn outcome(&self, now: Timestamp) -> (RunOutcome, Option<Fault>) {
        let any_required = self.datasets.values().any(|read| read.required);
        let considered: Vec<&Read<'_>> =
            self.in_order().filter(|read| read.required || !any_required).collect();
        let (mut whole, mut part) = (0, 0);
        let mut worst: Option<&Fault> = None;
        for read in &considered {
            match &read.availability {
                Availability::Complete
                | Availability::Sweeping { .. }
                | Availability::NotApplicable { .. } => whole += 1,
                Availability::Partial { .. } if !read.records().is_empty() => part += 1,
                Availability::Partial { .. } | Availability::Unavailable { .. } => {}
            }
            if let Some(fault) = read.availability.fault()
                && worst.is_none_or(|worst| fault.cause < worst.cause)
            {
                worst = Some(fault);
            }
        }
        match worst {
            // Optional datasets alone do not spoil a run, as long as there is anything.
            Some(_) if !any_required && whole > 0 => (RunOutcome::Succeeded, None),
            Some(fault) if whole + part > 0 => (RunOutcome::Partial(fault.cause), Some(fault.clone())),
            Some(fault) => (RunOutcome::Failed(fault.cause), Some(fault.clone())),
            None if considered.is_empty() => {
                let fault =
                    internal(format!("{} has nothing to read for this scan", self.app.manifest.name), now);
                (RunOutcome::Failed(fault.cause), Some(fault))
            }
            None => (RunOutcome::Succeeded, None),
        }
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let gap = |read: &Read<'_>| {
            let reason = match &read.availability {
                Availability::Complete | Availability::NotApplicable { .. } => return None,
                _ => read.lack()?,
            };
            Some(Gap {
                dataset: read.spec.spec.name.clone(),
                title: read.spec.spec.title.clone(),
                required: read.required,
                fault: read.availability.fault().cloned(),
                reason,
            })
        };
        self.in_order().filter_map(gap).collect()
    }

    pub(crate) fn complete(&self) -> BTreeSet<String> {
        let complete = self.datasets.iter().filter(|(_, read)| read.availability.is_complete());
        complete.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The datasets as expressions see them.
    pub(crate) fn views(&self) -> BTreeMap<String, DatasetView<'_>> {
        let view = |read: &'_ Read<'a>| match read.lack() {
            None => DatasetView::complete(&read.spec.shape, read.records()),
            Some(reason) => DatasetView::incomplete(&read.spec.shape, read.records(), reason),
        };
        self.datasets.iter().map(|(name, read)| ((*name).to_owned(), view(read))).collect()
    }
}

impl<'a> Read<'a> {
    pub(crate) fn records(&self) -> &'a [Record] {
        self.data.map_or(&[], |data| data.records.as_slice())
    }

    /// Why it is not known whole, in a sentence without a full stop; `None` when it is.
    pub(crate) fn lack(&self) -> Option<String> {
        let title = &self.spec.spec.title;
        Some(match &self.availability {
            Availability::Complete => return None,
            Availability::Partial { fault } => {
                format!("{title}: only a part could be read, {}", fault.detail)
            }
            Availability::Sweeping { read, of } => {
                format!("{title}: {} of {} read so far", grouped(*read), grouped(*of))
            }
            Availability::Unavailable { fault } => format!("{title}: could not be read, {}", fault.detail),
            Availability::NotApplicable { reason } => format!("{title}: {}", reason.trim_end_matches('.')),
        })
    }

    /// How many records are known to be lacking; at least 1 where some are.
    pub(crate) fn lacking(&self) -> u64 {
        match &self.availability {
            Availability::Complete | Availability::NotApplicable { .. } => 0,
            Availability::Sweeping { read, of } => of.saturating_sub(*read).max(1),
            Availability::Partial { .. } | Availability::Unavailable { .. } => 1,
        }
    }

    /// The permissions, in the vendor's words, that would let it be read, where that is what it lacks.
    pub(crate) fn needs(&self, auth: &str) -> Vec<String> {
        match self.availability.fault() {
            Some(fault) if !fault.needs.is_empty() => fault.needs.clone(),
            Some(fault) if fault.cause == FailureCause::Permission => {
                self.spec.spec.permission.get(auth).cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// A dataset that had many records and now has none counts as not read until a second run, at least one interval later,
/// or an operator says the same.
fn doubted(
    name: &str,
    data: &DatasetSnapshot,
    instance: &Instance<'_>,
    prior: &Prior<'_>,
    now: Timestamp,
) -> Option<Fault> {
    let before = prior.datasets.get(name)?;
    let had = before.data.records.len();
    if !data.availability.is_complete() || !data.records.is_empty() || had < SUSPICIOUSLY_MANY {
        return None;
    }
    let believed = prior
        .emptied
        .get(name)
        .is_some_and(|emptied| emptied.agreed || now - emptied.first_at >= instance.interval);
    if believed {
        return None;
    }
    Some(Fault {
        cause: FailureCause::Protocol,
        reached: Rung::Permission,
        dataset: Some(name.to_owned()),
        request: Some(data.request.clone()).filter(|request| !request.is_empty()),
        status: None,
        vendor_message: None,
        request_id: None,
        needs: Vec::new(),
        detail: format!(
            "it had {} records on {} and now has none; that is believed when the next run agrees or an operator confirms it",
            grouped(had as u64),
            before.data.collected_at
        ),
        at: data.collected_at,
    })
}

fn not_told(name: &str, now: Timestamp) -> Fault {
    Fault { dataset: Some(name.to_owned()), ..internal("the run does not tell of it".to_owned(), now) }
}

fn internal(detail: String, now: Timestamp) -> Fault {
    Fault::local(FailureCause::Internal, Rung::NotSent, detail, now)
}

/// A number with its thousands apart: `10,000`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
