//! Since when records are there: instants that no vendor tells, carried from one complete reading to the next.
//!
//! Two words, because one alone would either be unknown for ever or make old things look young. `at_latest` is the first of
//! the readings in a row that all had the record: it may have been there long before. `exactly` is the same instant where
//! the reading before that one was kept, was complete and did not have it; otherwise it is unknown. So where `exactly` is
//! known, both are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::App;
use catalog::manifest::{Field, FirstSeen, Known};
use model::dataset::{DatasetSnapshot, Snapshot};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};

use crate::drift::resource;
use crate::{Prior, PriorDataset};

/// How far apart the reading without a record and the first one with it may be for its beginning to count as seen. As
/// long as an identity provider's word is good for: twice the longest interval of scans.
const SEEN_WITHIN: Duration = Duration::hours(48);

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
            let Some(id) = resource(record.get(&shape, &key)).filter(|id| unique.contains(id)) else {
                continue;
            };
            let was = known.as_ref().map_or(Was::Untold, |known| known.about(&id));
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
    /// There is none before this one, or it cannot be told which of its records this is.
    Untold,
    /// It was not there, in a reading of this instant.
    Absent(Timestamp),
    /// It was there.
    There(&'p DatasetSnapshot, &'p Record),
}

/// The records of the last complete reading by key.
struct Earlier<'p> {
    data: &'p DatasetSnapshot,
    /// `None`: more than one record has this key.
    by_key: BTreeMap<Arc<str>, Option<&'p Record>>,
    /// Every record has a key: only then was what is not among them not there.
    whole: bool,
}

impl<'p> Earlier<'p> {
    fn of(before: Option<&PriorDataset<'p>>, key: &str) -> Option<Self> {
        let data = before?.data;
        if !data.availability.is_complete() || data.key.as_deref() != Some(key) {
            return None;
        }
        let mut by_key: BTreeMap<Arc<str>, Option<&Record>> = BTreeMap::new();
        let mut whole = true;
        for record in &data.records {
            match resource(record.get(&data.shape, key)) {
                Some(id) => {
                    by_key.entry(id).and_modify(|record| *record = None).or_insert(Some(record));
                }
                None => whole = false,
            }
        }
        Some(Self { data, by_key, whole })
    }

    fn about(&self, id: &str) -> Was<'p> {
        match self.by_key.get(id) {
            Some(Some(record)) => Was::There(self.data, record),
            None if self.whole => Was::Absent(self.data.collected_at),
            Some(None) | None => Was::Untold,
        }
    }
}

/// Keys that stand once.
fn unique(data: &DatasetSnapshot, key: &str) -> BTreeSet<Arc<str>> {
    let (mut once, mut more) = (BTreeSet::new(), BTreeSet::new());
    for id in data.records.iter().filter_map(|r| resource(r.get(&data.shape, key))) {
        if !once.insert(id.clone()) {
            more.insert(id);
        }
    }
    once.difference(&more).cloned().collect()
}

/// What the reading before says of what is looked for: the record, or its present value.
enum Began<'p> {
    /// It was there then: what was known of it, and when it was read.
    Before(&'p Value, Timestamp),
    /// It was not there in the reading of this instant.
    Since(Timestamp),
    /// Nothing can be told.
    Unclear,
}

/// The instant; `None` where it is not known.
fn since(
    was: &Was<'_>,
    field: &str,
    first: &FirstSeen,
    with: Option<&Value>,
    now: &Reading,
) -> Option<Timestamp> {
    if !with.is_none_or(is_plain) {
        return None;
    }
    let began = match (was, &first.with) {
        (Was::Untold, _) => Began::Unclear,
        (Was::Absent(at), _) => Began::Since(*at),
        (Was::There(data, record), name) => {
            let old = name.as_deref().map(|name| record.get(&data.shape, name));
            match old {
                Some(old) if !is_plain(old) => Began::Unclear,
                Some(old) if with != Some(old) => Began::Since(data.collected_at),
                _ => Began::Before(record.get(&data.shape, field), data.collected_at),
            }
        }
    };
    match (first.known, began) {
        // An instant that has not come yet was written by a clock that was wrong.
        (Known::Exactly, Began::Before(Value::Timestamp(at), _)) => {
            Some(*at).filter(|at| *at <= now.collected_at)
        }
        (Known::Exactly, Began::Since(at)) => {
            let apart = now.collected_at - at;
            let seen = now.complete && (Duration::ZERO..=SEEN_WITHIN).contains(&apart);
            seen.then_some(now.collected_at)
        }
        (Known::Exactly, Began::Before(..) | Began::Unclear) => None,
        (Known::AtLatest, Began::Before(known, read_at)) => {
            // It was there in that reading, whatever is known of the time before.
            let at = if let Value::Timestamp(at) = known { *at } else { read_at };
            Some(at.min(now.collected_at))
        }
        (Known::AtLatest, Began::Since(_) | Began::Unclear) => Some(now.collected_at),
    }
}

/// Whether a value can be told to be the same as another.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Int(_) | Value::String(_))
}
