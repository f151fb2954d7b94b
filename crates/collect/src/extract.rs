//! From JSON to typed records.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use catalog::manifest::{Absence, DurationFormat, Field, Pivot, Sensitive, TimeFormat, Transform};
use catalog::{DatasetSpec, RequestSpec};
use model::time::{Duration, Timestamp};
use model::value::{List, Record, Shape, Type, Value, storable};
use serde_json::Value as Json;
use url::Url;

use crate::answer::scalar;
use crate::path::{Found, Path, is_withheld};

/// What a fan-out is walking.
#[derive(Debug, Clone)]
pub(crate) enum Each<'a> {
    /// Nothing: the request is made once.
    Once,
    /// A record of another dataset.
    Record(&'a Record, &'a Shape),
    /// A value of one of its lists.
    Value(&'a Value),
    /// Several values at once.
    Batch(Vec<Value>),
}

impl Each<'_> {
    /// The value of one of its fields; `"."` is the walked value itself.
    pub(crate) fn value(&self, name: &str) -> Value {
        match self {
            // Of several, which one an answer is for is not known.
            Self::Once | Self::Batch(_) => Value::Unknown,
            Self::Record(record, shape) => record.get(shape, name).clone(),
            Self::Value(value) => (*value).clone(),
        }
    }
}

/// Turns the records of one request's answers into typed ones.
pub(crate) struct Extractor {
    fields: Vec<Plan>,
    hash_key: Option<hmac::Key>,
}

struct Plan {
    name: String,
    source: Source,
    kind: Type,
    missing: Value,
    null: Value,
    transforms: Vec<Transform>,
    sensitive: Option<Sensitive>,
    incomplete_at: Option<Path>,
    nested: Vec<Plan>,
    format: TimeFormat,
}

enum Source {
    At(Path),
    Each(String),
    Constant(Value),
}

/// A record, and whether anything of it stood in the answer.
pub(crate) struct Extracted {
    pub(crate) record: Record,
    /// At least one field that is read from the answer was there.
    pub(crate) found: bool,
}

impl Extractor {
    /// Prepares the fields of a dataset for one of its requests.
    pub(crate) fn new(dataset: &DatasetSpec, request: &RequestSpec, hash_key: Option<&[u8; 32]>) -> Self {
        let paths = &request.spec.paths;
        let mut fields = plans(&dataset.spec.field, &dataset.shape, paths);
        for plan in &mut fields {
            if let Some(constant) = request.spec.set.get(&plan.name) {
                plan.source = Source::Constant(literal(constant, &plan.kind));
            }
        }
        Self { fields, hash_key: hash_key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)) }
    }

    /// One record.
    pub(crate) fn record(&self, json: &Json, each: &Each<'_>) -> Extracted {
        let mut found = false;
        let mut looked = false;
        let values = self
            .fields
            .iter()
            .map(|plan| match &plan.source {
                Source::Constant(value) => value.clone(),
                Source::Each(name) => fit(each.value(name), &plan.kind),
                Source::At(path) => {
                    let at = path.get(json);
                    looked = true;
                    found |= !matches!(at, Found::Missing);
                    self.value(plan, at, json)
                }
            })
            .collect();
        Extracted { record: Record { values }, found: found || !looked }
    }

    fn value(&self, plan: &Plan, at: Found<'_>, record: &Json) -> Value {
        let json = match at {
            Found::Missing => return plan.missing.clone(),
            Found::Withheld => return Value::Unknown,
            Found::Value(json) => json,
        };
        if json.is_null() && plan.transforms.first() != Some(&Transform::Present) {
            return plan.null.clone();
        }
        let mut owned = None;
        for transform in &plan.transforms {
            match transformed(transform, owned.as_ref().unwrap_or(json)) {
                Some(Json::Null) => return plan.null.clone(),
                Some(next) => owned = Some(next),
                None => return Value::Unknown,
            }
        }
        let json = owned.as_ref().unwrap_or(json);
        match plan.sensitive {
            Some(Sensitive::Presence) => return Value::Bool(is_present(json)),
            Some(Sensitive::Hash) => return self.hash(json),
            None => {}
        }
        let value = self.typed(plan, json, &plan.kind);
        match (&plan.incomplete_at, value) {
            (Some(path), Value::List(list)) => {
                // Only a clear "no more" makes a list whole.
                let complete = matches!(path.get(record), Found::Value(Json::Bool(false)));
                Value::List(Arc::new(List { items: list.items.clone(), complete: complete && list.complete }))
            }
            (_, value) => value,
        }
    }

    fn hash(&self, json: &Json) -> Value {
        let (Some(key), Some(text)) = (&self.hash_key, scalar(json)) else { return Value::Unknown };
        let tag = hmac::sign(key, text.as_bytes());
        // 128 bits tell any two values apart.
        Value::string(tag.as_ref()[..16].iter().map(|b| format!("{b:02x}")).collect::<String>())
    }

    fn typed(&self, plan: &Plan, json: &Json, kind: &Type) -> Value {
        if is_withheld(json) {
            return Value::Unknown;
        }
        match (kind, json) {
            (Type::List(inner), Json::Array(items)) => Value::list(
                items
                    .iter()
                    .map(|item| if item.is_null() { Value::Null } else { self.typed(plan, item, inner) })
                    .collect(),
            ),
            (Type::Map(inner), Json::Object(map)) => {
                let mut entries: Vec<(Arc<str>, Value)> = map
                    .iter()
                    .map(|(key, item)| {
                        let value = if item.is_null() { Value::Null } else { self.typed(plan, item, inner) };
                        (Arc::from(key.as_str()), value)
                    })
                    .collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Map(entries.into())
            }
            (Type::Object(_), Json::Object(_)) => {
                let values = plan
                    .nested
                    .iter()
                    .map(|field| match &field.source {
                        Source::At(path) => self.value(field, path.get(json), json),
                        Source::Constant(value) => value.clone(),
                        // The fan-out's record is for the outer record's fields.
                        Source::Each(_) => Value::Unknown,
                    })
                    .collect();
                Value::Object(Arc::new(Record { values }))
            }
            _ => simple(json, kind, plan.format),
        }
    }
}

fn plans(fields: &[Field], shape: &Shape, paths: &BTreeMap<String, String>) -> Vec<Plan> {
    fields
        .iter()
        .zip(&shape.fields)
        .map(|(field, declared)| {
            let kind = declared.kind.clone();
            let nested =
                object_shape(&kind).map_or_else(Vec::new, |s| plans(&field.field, &s, &BTreeMap::new()));
            let path = paths.get(&field.name).or(field.path.as_ref()).unwrap_or(&field.name);
            Plan {
                name: field.name.clone(),
                source: match &field.each {
                    // Worked out when it is compared with earlier readings; the answer has no word for it.
                    _ if field.first_seen.is_some() => Source::Constant(Value::Unknown),
                    Some(name) => Source::Each(name.clone()),
                    None => Source::At(Path::new(path)),
                },
                missing: absence(&field.missing, &kind),
                null: absence(&field.null, &kind),
                transforms: field.transform.clone(),
                sensitive: field.sensitive,
                incomplete_at: field.incomplete_at.as_deref().map(Path::new),
                nested,
                format: field.format,
                kind,
            }
        })
        .collect()
}

fn object_shape(kind: &Type) -> Option<Arc<Shape>> {
    match kind {
        Type::Object(shape) => Some(Arc::clone(shape)),
        Type::List(inner) | Type::Map(inner) => object_shape(inner),
        _ => None,
    }
}

fn absence(absence: &Absence, kind: &Type) -> Value {
    match absence {
        Absence::Unknown => Value::Unknown,
        Absence::Absent => Value::Null,
        Absence::Value(value) => literal(value, kind),
    }
}

/// A value of the manifest. What does not fit the type, which the loader refuses, is unknown.
pub(crate) fn literal(value: &impl serde::Serialize, kind: &Type) -> Value {
    serde_json::to_value(value).map_or(Value::Unknown, |json| Value::from_json(&json, kind))
}

/// A value of another dataset's field in a field of this type.
pub(crate) fn fit(value: Value, kind: &Type) -> Value {
    match (&value, kind) {
        (Value::Unknown | Value::Null, _)
        | (Value::Bool(_), Type::Bool)
        | (Value::Int(_), Type::Int)
        | (Value::Double(_), Type::Double)
        | (Value::String(_), Type::String)
        | (Value::Timestamp(_), Type::Timestamp)
        | (Value::Duration(_), Type::Duration)
        | (Value::List(_), Type::List(_))
        | (Value::Map(_), Type::Map(_))
        | (Value::Object(_), Type::Object(_)) => value,
        (Value::Int(i), Type::String) => Value::string(i.to_string()),
        (Value::Bool(b), Type::String) => Value::string(b.to_string()),
        _ => Value::Unknown,
    }
}

/// A scalar of the declared type. What is of another type is unknown: it is not what the vendor documents.
fn simple(json: &Json, kind: &Type, format: TimeFormat) -> Value {
    match (kind, json) {
        (Type::Bool, Json::Bool(b)) => Value::Bool(*b),
        (Type::Bool, Json::String(text)) if text == "true" => Value::Bool(true),
        (Type::Bool, Json::String(text)) if text == "false" => Value::Bool(false),
        (Type::Int, Json::Number(n)) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Value::Int(i),
            // 3.0 is a whole number that was written long-windedly.
            (None, Some(d)) if d.fract() == 0.0 && d.abs() < 9.0e15 => Value::Int(d as i64),
            _ => Value::Unknown,
        },
        (Type::Int, Json::String(text)) => text.parse().map_or(Value::Unknown, Value::Int),
        (Type::Double, Json::Number(n)) => n.as_f64().map_or(Value::Unknown, Value::Double),
        (Type::String, Json::String(text)) => Value::string(storable(text)),
        (Type::String, Json::Number(_) | Json::Bool(_)) => Value::string(json.to_string()),
        (Type::Timestamp, Json::Number(n)) => match (format, n.as_i64()) {
            (TimeFormat::EpochSeconds, Some(s)) => instant(s.saturating_mul(1000)),
            (TimeFormat::EpochMillis, Some(ms)) => instant(ms),
            _ => Value::Unknown,
        },
        (Type::Timestamp, Json::String(text)) => {
            let number = || text.parse::<i64>().ok();
            match (format, number()) {
                (TimeFormat::Rfc3339, _) => Timestamp::parse(text).map_or(Value::Unknown, Value::Timestamp),
                (TimeFormat::EpochSeconds, Some(s)) => instant(s.saturating_mul(1000)),
                (TimeFormat::EpochMillis, Some(ms)) => instant(ms),
                (_, None) => Value::Unknown,
            }
        }
        (Type::Duration, Json::String(text)) => Duration::parse(text).map_or(Value::Unknown, Value::Duration),
        _ => Value::Unknown,
    }
}

/// Milliseconds since 1970, unless no calendar reaches there.
fn instant(ms: i64) -> Value {
    let at = Timestamp(ms);
    if at.to_jiff().as_millisecond() == ms { Value::Timestamp(at) } else { Value::Unknown }
}

fn is_present(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(map) => !map.is_empty(),
        Json::Bool(true) | Json::Number(_) => true,
    }
}

/// Whether a transform makes a text of a text, and so a list of texts of a list of texts.
const fn of_texts(transform: &Transform) -> bool {
    matches!(
        transform,
        Transform::LastSegment
            | Transform::After(_)
            | Transform::Between(_)
            | Transform::HostOf
            | Transform::SchemeOf
            | Transform::Lower
    )
}

/// One transform. `None`: it does not apply to such a value, which is then unknown.
fn transformed(transform: &Transform, json: &Json) -> Option<Json> {
    if let (Json::Array(items), true) = (json, of_texts(transform)) {
        // An element it does not apply to keeps its place and is not known; none is dropped.
        let each = |item: &Json| transformed(transform, item).unwrap_or_else(crate::path::withheld);
        return Some(Json::Array(items.iter().map(each).collect()));
    }
    let text = json.as_str();
    Some(match transform {
        Transform::Split(separator) => {
            let parts: Vec<Json> = if separator.trim().is_empty() {
                text?.split_whitespace().map(Json::from).collect()
            } else {
                text?
                    .split(separator.as_str())
                    .map(str::trim)
                    .filter(|p| !p.is_empty())
                    .map(Json::from)
                    .collect()
            };
            Json::Array(parts)
        }
        Transform::LastSegment => Json::from(text?.rsplit('/').next().unwrap_or_default()),
        Transform::After(mark) => match text?.split_once(mark.as_str()) {
            Some((_, behind)) => Json::from(behind),
            None => Json::Null,
        },
        Transform::Between([before, behind]) => {
            let inner =
                text?.split_once(before.as_str()).and_then(|(_, rest)| rest.split_once(behind.as_str()));
            inner.map_or(Json::Null, |(inner, _)| Json::from(inner))
        }
        Transform::HostOf => Json::from(Url::parse(text?).ok()?.host_str()?.to_lowercase()),
        Transform::SchemeOf => Json::from(Url::parse(text?).ok()?.scheme().to_lowercase()),
        Transform::Lower => Json::from(text?.to_lowercase()),
        Transform::Present => Json::Bool(is_present(json)),
        Transform::MapEntries => Json::Array(
            json.as_object()?
                .iter()
                .filter_map(|(key, value)| Some(Json::from(format!("{key}:{}", scalar(value)?))))
                .collect(),
        ),
        Transform::Pluck(path) => {
            let path = Path::new(path);
            let pluck = |item: &Json| match path.get(item) {
                Found::Value(value) => value.clone(),
                // Its place is kept: the list is as long as the vendor's, with an element that is not known.
                Found::Missing | Found::Withheld => crate::path::withheld(),
            };
            Json::Array(json.as_array()?.iter().map(pluck).collect())
        }
        Transform::Pivot(pivot) => pivoted(pivot, json)?,
        Transform::Duration(format) => length(*format, json)?,
        Transform::Lookup(table) => Json::from(table.get(&scalar(json)?)?.as_str()),
    })
}

/// A list of objects as one object.
fn pivoted(pivot: &Pivot, json: &Json) -> Option<Json> {
    let (key, value) = (Path::new(&pivot.key), Path::new(&pivot.value));
    let mut map = serde_json::Map::new();
    for item in json.as_array()? {
        // Which entry this is cannot be known, so that none can be known to be missing.
        let Found::Value(name) = key.get(item) else { return None };
        let name = scalar(name).filter(|_| !name.is_null())?;
        let value = match value.get(item) {
            Found::Value(value) => value.clone(),
            Found::Missing | Found::Withheld => crate::path::withheld(),
        };
        match map.get(&name) {
            Some(other) if *other != value => {
                map.insert(name, crate::path::withheld());
            }
            _ => {
                map.insert(name, value);
            }
        }
    }
    Some(Json::Object(map))
}

/// A length of time as the type `duration` is written.
fn length(format: DurationFormat, json: &Json) -> Option<Json> {
    let unit = match format {
        DurationFormat::Iso8601 => return iso8601(json.as_str()?).map(|d| Json::from(d.to_string())),
        DurationFormat::Milliseconds => 1.0,
        DurationFormat::Seconds => 1e3,
        DurationFormat::Minutes => 60e3,
        DurationFormat::Hours => 3_600e3,
        DurationFormat::Days => 86_400e3,
    };
    let number = match json {
        Json::Number(n) => n.as_f64()?,
        Json::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let ms = number * unit;
    (ms.is_finite() && ms.abs() < 9.0e15).then(|| Json::from(Duration(ms.round() as i64).to_string()))
}

/// ISO 8601 section 5.5.2: `P2W`, `P1DT12H30M5.5S`. Years and months have no length of their own.
fn iso8601(text: &str) -> Option<Duration> {
    let (negative, text) = text.trim().strip_prefix('-').map_or((false, text.trim()), |rest| (true, rest));
    let text = text.strip_prefix('P')?;
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    if time == Some("") || (date.is_empty() && time.is_none()) {
        return None;
    }
    let mut total = 0.0;
    for (part, units) in [
        (date, &[('W', 604_800e3), ('D', 86_400e3)][..]),
        (time.unwrap_or(""), &[('H', 3_600e3), ('M', 60e3), ('S', 1e3)]),
    ] {
        let mut rest = part;
        let mut units = units.iter();
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))?;
            let number: f64 = rest[..end].replace(',', ".").parse().ok()?;
            let unit = rest[end..].chars().next()?;
            // In this order, each at most once.
            total += number * units.find(|(name, _)| *name == unit)?.1;
            rest = &rest[end + 1..];
        }
    }
    let ms = if negative { -total } else { total };
    (ms.abs() < 9.0e15).then(|| Duration(ms.round() as i64))
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
