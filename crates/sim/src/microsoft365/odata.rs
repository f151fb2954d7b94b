//! As much of OData's query options as is asked of Graph here. Anything else is refused, as Graph refuses it: a filter that is
//! quietly not applied would answer too much.

use serde_json::{Map, Value};

/// A condition on a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `path eq 'a'` and `path in ('a','b')`.
    Is(String, Vec<String>),
    /// `path/any(x:x eq 'a')`.
    Any(String, String),
    /// `a and b`.
    All(Vec<Self>),
}

impl Condition {
    pub(super) fn holds(&self, record: &Value) -> bool {
        let at = |path: &str| path.split('/').fold(record, |value, name| &value[name]).clone();
        match self {
            Self::Is(path, values) => at(path).as_str().is_some_and(|v| values.iter().any(|w| w == v)),
            Self::Any(path, value) => {
                at(path).as_array().is_some_and(|all| all.iter().any(|v| v == value.as_str()))
            }
            Self::All(all) => all.iter().all(|condition| condition.holds(record)),
        }
    }
}

/// Reads a filter; none from an empty text.
pub(super) fn filter(text: &str) -> Result<Option<Condition>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.split(" and ").map(one).collect::<Option<Vec<_>>>();
    parts.map(|parts| Some(Condition::All(parts))).ok_or_else(|| format!("Unsupported query: {text}"))
}

fn one(text: &str) -> Option<Condition> {
    if let Some((path, rest)) = text.split_once("/any(") {
        let (name, body) = rest.strip_suffix(')')?.split_once(':')?;
        let value = quoted(body.strip_prefix(name)?.strip_prefix(" eq ")?)?;
        return Some(Condition::Any(path.to_owned(), value));
    }
    if let Some((path, list)) = text.split_once(" in ") {
        let list = list.strip_prefix('(')?.strip_suffix(')')?;
        let values = list.split(',').map(|v| quoted(v.trim())).collect::<Option<Vec<_>>>()?;
        return Some(Condition::Is(path.to_owned(), values));
    }
    let (path, value) = text.split_once(" eq ")?;
    Some(Condition::Is(path.to_owned(), vec![quoted(value)?]))
}

fn quoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())
}

/// The fields that are asked for; all, where none are named. A property that an object does not have is not answered.
pub(super) fn select(record: &Value, fields: &str) -> Value {
    let Some(object) = record.as_object().filter(|_| !fields.is_empty()) else { return record.clone() };
    let wanted: Vec<&str> = fields.split(',').map(str::trim).collect();
    let kept: Map<String, Value> = object
        .iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()) || name.starts_with("@odata."))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

/// What is only answered when it is asked for stands in the data under `+name`.
pub(super) fn expand(record: &Value, what: &str) -> Value {
    let Some(object) = record.as_object() else { return record.clone() };
    let (name, inner) = match what.split_once("($expand=") {
        Some((name, inner)) => (name, inner.trim_end_matches(')')),
        None => (what, ""),
    };
    let answered = object.iter().filter_map(|(key, value)| match key.strip_prefix('+') {
        None => Some((key.clone(), value.clone())),
        Some(key) if key == name => Some((key.to_owned(), expand(value, inner))),
        Some(_) => None,
    });
    Value::Object(answered.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_hold_or_are_refused() {
        let record = json!({ "a": { "b": "x" }, "kinds": ["Unified"], "state": "on" });
        let holds = |text: &str| filter(text).expect("it is supported").expect("one").holds(&record);
        assert!(holds("kinds/any(c:c eq 'Unified')") && !holds("kinds/any(c:c eq 'Other')"));
        assert!(holds("a/b eq 'x' and state in ('off','on')") && !holds("a/b eq 'y' and state eq 'on'"));
        assert!(filter("startswith(state,'o')").is_err() && filter("state ne 'on'").is_err());
        assert_eq!(filter(""), Ok(None));
    }

    #[test]
    fn what_is_not_asked_for_is_not_answered() {
        let record = json!({ "id": 1, "name": "n", "+policy": { "x": 1, "+rules": [2] } });
        assert_eq!(expand(&record, ""), json!({ "id": 1, "name": "n" }));
        assert_eq!(expand(&record, "policy")["policy"], json!({ "x": 1 }));
        assert_eq!(expand(&record, "policy($expand=rules)")["policy"], json!({ "x": 1, "rules": [2] }));
        assert_eq!(select(&json!({ "id": 1, "name": "n" }), "id,other"), json!({ "id": 1 }));
    }
}
