//! Since when records are there: instants that no vendor tells, carried from one complete reading to the next.

use std::collections::{BTreeMap, BTreeSet};

use catalog::App;
use catalog::manifest::{Field, FirstSeen, Known};
use model::dataset::{DatasetSnapshot, Snapshot};
use model::time::Timestamp;
use model::value::{Record, Value};

use crate::drift::resource;
use crate::{Prior, PriorDataset};

/// Fills the fields that a manifest declares as `first_seen`. To be done before a snapshot is assessed and stored: the
/// instants are carried in what is stored. Where it is not done, as for a scan that knows nothing of before, they stay
/// unknown.
pub fn first_seen(snapshot: &mut Snapshot, app: &App, prior: &Prior<'_>) {
    let revision = snapshot.revision;
    for (name, data) in &mut snapshot.datasets {
        let Some(spec) = app.dataset(name) else { continue };
        let fields: Vec<(usize, &Field, &FirstSeen)> = (spec.spec.field.iter().enumerate())
            .filter_map(|(at, field)| Some((at, field, field.first_seen.as_ref()?)))
            .collect();
        let Some(key) = data.key.clone().filter(|_| !fields.is_empty()) else { continue };
        // Across revisions a key or a field may mean something else.
        let before = prior.datasets.get(name.as_str()).filter(|p| p.revision == revision);
        let known = Earlier::of(before, &key);
        let now = Reading { collected_at: data.collected_at, complete: data.availability.is_complete() };
        let unique = unique(data, &key);
        let shape = data.shape.clone();
        for record in &mut data.records {
            let id = resource(record.get(&shape, &key)).filter(|id| unique.contains(id));
            let was = match (&id, &known) {
                (None, _) => Was::Unclear,
                (Some(_), None) => Was::Untold,
                (Some(id), Some(known)) => known.about(id),
            };
            for (at, field, first) in &fields {
                let with = first.with.as_deref().map(|name| record.get(&shape, name).clone());
                let value = since(&was, &field.name, first, with.as_ref(), &now);
                if let Some(slot) = record.values.get_mut(*at) {
                    *slot = value.map_or(Value::Unknown, Value::Timestamp);
                }
            }
        }
    }
}

/// The reading that is being filled.
struct Reading {
    collected_at: Timestamp,
    complete: bool,
}

/// What the last complete reading says about a record.
enum Was<'p> {
    /// There is no complete reading before this one.
    Untold,
    /// Which record it is cannot be told.
    Unclear,
    /// It was not there.
    Absent,
    /// It was there, in a reading of this instant.
    There(&'p PriorDataset<'p>, &'p Record),
}

/// The records of the last complete reading by key.
struct Earlier<'p> {
    data: &'p PriorDataset<'p>,
    by_key: BTreeMap<String, Option<&'p Record>>,
    /// Every record could be told apart: only then was what is not among them not there.
    whole: bool,
}

impl<'p> Earlier<'p> {
    fn of(before: Option<&'p PriorDataset<'p>>, key: &str) -> Option<Self> {
        let data =
            before.filter(|p| p.data.availability.is_complete() && p.data.key.as_deref() == Some(key))?;
        let mut by_key: BTreeMap<String, Option<&Record>> = BTreeMap::new();
        let mut whole = true;
        for record in &data.data.records {
            match resource(record.get(&data.data.shape, key)) {
                Some(id) => {
                    by_key.entry(id).and_modify(|r| *r = None).or_insert(Some(record));
                }
                None => whole = false,
            }
        }
        Some(Self { data, by_key, whole })
    }

    fn about(&self, id: &str) -> Was<'_> {
        match self.by_key.get(id) {
            Some(Some(record)) => Was::There(self.data, record),
            Some(None) => Was::Unclear,
            None if self.whole => Was::Absent,
            None => Was::Unclear,
        }
    }
}

/// Keys that stand once.
fn unique(data: &DatasetSnapshot, key: &str) -> BTreeSet<String> {
    let (mut once, mut more) = (BTreeSet::new(), BTreeSet::new());
    for id in data.records.iter().filter_map(|r| resource(r.get(&data.shape, key))) {
        if !once.insert(id.clone()) {
            more.insert(id);
        }
    }
    once.difference(&more).cloned().collect()
}

/// The instant, or that it is not known.
fn since(
    was: &Was<'_>,
    field: &str,
    first: &FirstSeen,
    with: Option<&Value>,
    now: &Reading,
) -> Option<Timestamp> {
    // Whether what is looked for began in this reading: it was not there, or another value was.
    let began = match (was, with) {
        (Was::Untold | Was::Unclear, _) => None,
        (Was::Absent, _) => Some(true),
        (Was::There(..), None) => Some(false),
        (Was::There(before, record), Some(with)) => {
            let name = first.with.as_deref().unwrap_or_default();
            let old = record.get(&before.data.shape, name);
            (is_plain(with) && is_plain(old)).then(|| with != old)
        }
    };
    let here = now.complete.then_some(now.collected_at).filter(|_| with.is_none_or(is_plain));
    let carried = match was {
        Was::There(before, record) if began == Some(false) => match record.get(&before.data.shape, field) {
            Value::Timestamp(at) => Some((Some(*at), before.data.collected_at)),
            _ => Some((None, before.data.collected_at)),
        },
        _ => None,
    };
    let at = match (first.known, began, carried) {
        (Known::Exactly, Some(false), Some((at, _))) => at,
        (Known::Exactly, Some(true), _) => here,
        (Known::Exactly, ..) => None,
        // It was there in that reading, whatever is known of the time before.
        (Known::AtLatest, Some(false), Some((at, read_at))) => Some(at.unwrap_or(read_at)),
        (Known::AtLatest, ..) if matches!(was, Was::Unclear) => None,
        (Known::AtLatest, ..) => here,
    };
    // A clock that was set back must not make anything younger than nothing.
    at.map(|at| at.min(now.collected_at))
}

/// Whether a value can be the same as another without doubt.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Int(_) | Value::String(_))
}
