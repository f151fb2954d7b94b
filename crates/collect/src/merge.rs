//! One list of records out of several listings: each key once, or of each key the latest.

use std::collections::BTreeMap;

use catalog::DatasetSpec;
use catalog::manifest::Latest;
use expr::{Inputs, Truth};
use model::time::Timestamp;
use model::value::{Record, Value};

use crate::fanout::word;

/// The records, and what contradicts itself in them.
pub(crate) struct Merged {
    pub(crate) records: Vec<Record>,
    pub(crate) contradiction: Option<String>,
}

/// Records of all listings, each key once. Within a listing the later one counts, since it was read later; across
/// listings two different records with one key are a contradiction. Where the dataset says which is the latest, that one
/// counts, whatever listing it is of.
pub(crate) fn merge(spec: &DatasetSpec, parts: Vec<(&str, Vec<Record>)>, now: Timestamp) -> Merged {
    let position = spec.spec.key.as_ref().and_then(|key| spec.shape.field(key)).map(|(at, _)| at);
    let all: usize = parts.iter().map(|(_, r)| r.len()).sum();
    let listed =
        parts.into_iter().enumerate().flat_map(|(n, (_, records))| records.into_iter().map(move |r| (n, r)));
    let Some(position) = position else {
        return Merged { records: listed.map(|(_, r)| r).collect(), contradiction: None };
    };
    let order = spec.spec.latest.as_ref().and_then(|latest| spec.shape.field(&latest.by)).map(|(at, _)| at);
    let mut merged: Vec<Record> = Vec::with_capacity(all);
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut contradiction = None;
    for (listing, record) in listed {
        // A record whose key is not known cannot be told from others: all are kept.
        let Some(key) = record.values.get(position).and_then(word) else {
            merged.push(record);
            continue;
        };
        let Some((of, at)) = places.get(&key).copied() else {
            places.insert(key, (listing, merged.len()));
            merged.push(record);
            continue;
        };
        match order {
            Some(order) => match is_later(&record.values[order], &merged[at].values[order]) {
                Some(true) => merged[at] = record,
                Some(false) => {}
                None => contradiction = Some(format!("Which record of `{key}` is the latest is not known")),
            },
            None if of == listing => merged[at] = record,
            None if merged[at] == record => {}
            None => contradiction = Some(format!("Two different records have the same key `{key}`")),
        }
    }
    if let Some(latest) = &spec.spec.latest {
        gone(spec, latest, &mut merged, now);
    }
    Merged { records: merged, contradiction }
}

/// Whether a record with this value counts rather than one with that, which came first.
fn is_later(this: &Value, that: &Value) -> Option<bool> {
    match (this, that) {
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a >= b),
        (Value::Int(a), Value::Int(b)) => Some(a >= b),
        (Value::Double(a), Value::Double(b)) => Some(a >= b),
        _ => None,
    }
}

/// Leaves out what says that it is over.
fn gone(spec: &DatasetSpec, _: &Latest, records: &mut Vec<Record>, now: Timestamp) {
    let Some(program) = &spec.gone else { return };
    let (none, params) = (BTreeMap::new(), BTreeMap::new());
    let inputs = Inputs { datasets: &none, params: &params, now };
    let program = program.bind(&inputs);
    records.retain(|record| program.test(Some(record)) != Truth::True);
}
