//! Two records that are about the same account or plugin, made one.

use std::sync::Arc;

use model::value::{List, Record, Shape, Value};

/// Merges the second record into the first.
pub(crate) type Merge = fn(&Shape, &mut Record, &Record);

/// Fields that only describe: where two datasets differ, the first in the manifest's order is as good as the other.
const DESCRIBING: [&str; 7] =
    ["username", "display_name", "email", "role", "created_at", "invited_at", "console_url"];

/// Accounts: what one dataset does not know is taken from the other. Where they contradict each other about something that
/// checks judge, it is not known.
pub(crate) fn account(shape: &Shape, into: &mut Record, other: &Record) {
    for ((field, value), other) in shape.fields.iter().zip(into.values.iter_mut()).zip(&other.values) {
        if value.is_unknown() {
            *value = other.clone();
        } else if !other.is_unknown() && value != other && !DESCRIBING.contains(&field.name.as_str()) {
            *value = Value::Unknown;
        }
    }
}

/// What is known of a plugin when further records about it may exist that were not read.
pub(crate) fn doubted(shape: &Shape, record: &mut Record) {
    let more = Record { values: record.values.iter().map(|_| Value::Unknown).collect() };
    plugin(shape, record, &more);
}

/// Plugins: users and scopes are united, dates take the widest span, a plugin is active where any grant is and safe where all
/// are. What one side does not know stays unknown where it could matter.
pub(crate) fn plugin(shape: &Shape, into: &mut Record, other: &Record) {
    for ((field, value), other) in shape.fields.iter().zip(into.values.iter_mut()).zip(&other.values) {
        *value = match field.name.as_str() {
            "users" | "scopes" => united(value, other),
            "created_at" => earlier(value, other),
            // Null is "never used", before all dates.
            "last_used_at" => later(value, other, &Value::Null),
            // Null is "never expires", after all dates.
            "expires_at" => match (&*value, other) {
                (Value::Null, _) | (_, Value::Null) => Value::Null,
                _ => later(value, other, &Value::Unknown),
            },
            "active" => any(value, other),
            "publisher_verified" | "secure_transport" => not(&any(&not(value), &not(other))),
            _ if value.is_unknown() => other.clone(),
            _ => value.clone(),
        };
    }
}

fn united(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            let mut items = a.items.clone();
            items.extend(b.items.iter().filter(|item| !a.items.contains(item)).cloned());
            Value::List(Arc::new(List { items, complete: a.complete && b.complete }))
        }
        // Of one side nothing is known: there may be more.
        (Value::List(list), Value::Unknown) | (Value::Unknown, Value::List(list)) => {
            Value::List(Arc::new(List { items: list.items.clone(), complete: false }))
        }
        (Value::List(_), _) => a.clone(),
        (_, Value::List(_)) => b.clone(),
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        _ => a.clone(),
    }
}

fn earlier(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Timestamp(x), Value::Timestamp(y)) => Value::Timestamp(*x.min(y)),
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (Value::Timestamp(_), _) => a.clone(),
        _ => b.clone(),
    }
}

/// The later of two instants; `least` is what counts as before all.
fn later(a: &Value, b: &Value, least: &Value) -> Value {
    match (a, b) {
        (Value::Timestamp(x), Value::Timestamp(y)) => Value::Timestamp(*x.max(y)),
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (value, other) if value == least => other.clone(),
        (value, _) => value.clone(),
    }
}

/// Three-valued or; null says nothing.
fn any(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (Value::Bool(_), _) => a.clone(),
        _ => b.clone(),
    }
}

fn not(value: &Value) -> Value {
    match value {
        Value::Bool(b) => Value::Bool(!b),
        other => other.clone(),
    }
}
