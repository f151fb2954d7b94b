//! What accounts and plugins have in common when they are stored.

use model::value::{Record, Shape, Value};

use crate::error::StoreError;

/// How many characters of a text it is sorted by.
const SORTED: usize = 200;

/// A record's key. A subject without one cannot be told from another; a connector does not make such records.
pub(crate) fn key(record: &Record, shape: &Shape) -> Result<String, StoreError> {
    match record.get(shape, "id").as_str() {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(StoreError::unreadable("an account or plugin without an id")),
    }
}

/// A text field, where it is known.
pub(crate) fn text(record: &Record, shape: &Shape, name: &str) -> Option<String> {
    record.get(shape, name).as_str().map(str::to_owned)
}

/// The words that a search looks through.
pub(crate) fn search(parts: &[Option<String>]) -> String {
    let known: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    known.join(" ").to_lowercase()
}

/// A text as it is sorted by. Its beginning decides; an index takes no long ones.
pub(crate) fn sorted(text: &str) -> String {
    text.chars().take(SORTED).collect::<String>().to_lowercase()
}

/// An instant as it is sorted by: -2 when it is not known, -1 when there was none.
pub(crate) fn last(value: &Value) -> i64 {
    match value {
        Value::Timestamp(t) => t.0.max(0),
        Value::Null => -1,
        _ => -2,
    }
}
