//! Settings that changed between two complete reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::RequestSpec;
use catalog::manifest::Paging;
use model::finding::Drift;
use model::value::{Record, Shape, Type, Value};

use crate::reading::{Read, Reading};
use crate::{Prior, PriorDataset};

/// Compares every dataset that was read completely now and before, by the same revision of the manifest. Instants and
/// durations are left out: they tell of activity, not of settings.
pub(crate) fn between(reading: &Reading<'_>, prior: &Prior<'_>) -> Vec<Drift> {
    let mut drift = Vec::new();
    for (name, read) in &reading.datasets {
        let Some(before) = prior.datasets.get(name).filter(|before| before.revision == reading.revision)
        else {
            continue;
        };
        if read.availability.is_complete() && before.data.availability.is_complete() {
            dataset(name, read, before, reading.instance.tenant_uid, &mut drift);
        }
    }
    drift
}

fn dataset(name: &str, read: &Read<'_>, before: &PriorDataset<'_>, tenant: &str, drift: &mut Vec<Drift>) {
    let Some(data) = read.data else { return };
    // The records of a listing without a key cannot be told apart, not even where there is one only.
    let listing = |request: &RequestSpec| {
        request.spec.for_each.is_some() || !matches!(request.spec.paging, Paging::None)
    };
    if data.key.is_none() && read.spec.requests.iter().any(listing) {
        return;
    }
    if data.key != before.data.key || data.collected_at == before.data.collected_at {
        return;
    }
    let at = data.collected_at;
    let one = |resource: &str, field: Option<&str>, before, after| Drift {
        dataset: name.to_owned(),
        resource: resource.to_owned(),
        field: field.map(str::to_owned),
        before,
        after,
        at,
    };
    let now = keyed(&data.records, &data.shape, data.key.as_deref(), tenant);
    let old = keyed(&before.data.records, &before.data.shape, before.data.key.as_deref(), tenant);
    let (Some(now), Some(old)) = (now, old) else { return };
    for (resource, record) in &now {
        match old.get(resource) {
            None => drift.push(one(resource, None, None, Some(record.to_json(&data.shape)))),
            Some(was) => {
                for (field, before, after) in changes(record, &data.shape, was, &before.data.shape) {
                    drift.push(one(resource, Some(field), Some(before), Some(after)));
                }
            }
        }
    }
    for (resource, was) in old.iter().filter(|(resource, _)| !now.contains_key(*resource)) {
        drift.push(one(resource, None, Some(was.to_json(&before.data.shape)), None));
    }
}

/// Records by key. `None` when they cannot be told apart: then nothing is known to have come or gone.
fn keyed<'r>(
    records: &'r [Record],
    shape: &Shape,
    key: Option<&str>,
    tenant: &str,
) -> Option<BTreeMap<Arc<str>, &'r Record>> {
    let Some(key) = key else {
        return match records {
            [] => Some(BTreeMap::new()),
            [only] => Some(BTreeMap::from([(tenant.into(), only)])),
            _ => None,
        };
    };
    let mut by_key = BTreeMap::new();
    for record in records {
        if by_key.insert(resource(record.get(shape, key))?, record).is_some() {
            return None;
        }
    }
    Some(by_key)
}

/// The text by which a record is known. `None` for a value that identifies nothing.
pub(crate) fn resource(key: &Value) -> Option<Arc<str>> {
    match key {
        Value::String(text) => Some(Arc::clone(text)),
        Value::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn changes<'s>(
    now: &Record,
    shape: &'s Shape,
    was: &Record,
    old_shape: &Shape,
) -> Vec<(&'s str, serde_json::Value, serde_json::Value)> {
    let mut changes = Vec::new();
    for (field, after) in shape.fields.iter().zip(&now.values) {
        let Some((at, old)) = old_shape.field(&field.name) else { continue };
        let before = was.values.get(at).unwrap_or(&Value::Unknown);
        let comparable = old.kind == field.kind
            && !matches!(field.kind, Type::Timestamp | Type::Duration)
            && is_known(before)
            && is_known(after);
        if comparable && before != after {
            changes.push((field.name.as_str(), before.to_json(&old.kind), after.to_json(&field.kind)));
        }
    }
    changes
}

/// Whether a value is known to its last part: what is not known has not changed.
fn is_known(value: &Value) -> bool {
    match value {
        Value::Unknown => false,
        Value::List(list) => list.complete && list.items.iter().all(is_known),
        Value::Object(record) => record.values.iter().all(is_known),
        Value::Map(map) => map.iter().all(|(_, value)| is_known(value)),
        _ => true,
    }
}
