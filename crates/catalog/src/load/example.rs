//! Examples of a check: JSON blocks, checked against the shapes they are about.

use std::collections::BTreeMap;

use expr::DatasetType;
use model::finding::Outcome;
use model::time::{Duration, Timestamp};
use model::value::{Shape, Type, Value};
use serde_json::Value as Json;

use crate::LoadError;
use crate::check::{Example, Given, Param};
use crate::load::doc::suggest;
use crate::load::files::Source;

/// A fenced block as it was found.
pub(crate) struct RawExample {
    pub(crate) expected: Outcome,
    pub(crate) text: String,
    /// Where its text begins in the file.
    pub(crate) offset: usize,
    /// Its block has not ended yet.
    pub(crate) open: bool,
}

/// What an example is checked against.
pub(crate) struct Facts<'a> {
    pub(crate) over: &'a str,
    pub(crate) shape: &'a Shape,
    pub(crate) types: &'a BTreeMap<String, DatasetType>,
    pub(crate) params: &'a BTreeMap<String, Param>,
}

const KEYS: [&str; 6] = ["record", "datasets", "incomplete", "unavailable", "params", "now"];

/// Reads the examples of a check. At least one of each outcome that the check can have must be there.
pub(crate) fn read(
    source: &Source,
    raw: &[RawExample],
    facts: &Facts<'_>,
    has_when: bool,
    errors: &mut Vec<LoadError>,
) -> Vec<Example> {
    let mut examples = Vec::new();
    for block in raw {
        match given(&block.text, facts) {
            Ok(_) => examples.push(Example {
                expected: block.expected,
                text: source.kept(block.text.trim()),
                line: source.line(block.offset),
            }),
            Err((offset, message, remedy)) => {
                errors.push(source.error(block.offset + offset, message, remedy));
            }
        }
    }
    let mut needed = vec![Outcome::Pass, Outcome::Fail, Outcome::Inconclusive];
    if has_when {
        needed.push(Outcome::NotApplicable);
    }
    for outcome in needed {
        if !raw.iter().any(|e| e.expected == outcome) {
            let word = outcome.as_str().replace('_', "-");
            let message = format!("no example is {word}");
            errors.push(source.error(source.text.len(), message, format!("Add a block ```json {word}")));
        }
    }
    examples
}

/// Where in the text, what, and what to do.
type Wrong = (usize, String, String);

/// Reads an example: every field exists and has its type.
pub(crate) fn given(text: &str, facts: &Facts<'_>) -> Result<Given, Wrong> {
    let wrong = |message: String, remedy: String| (0, message, remedy);
    let json: Json = serde_json::from_str(text).map_err(|e| {
        let line_start: usize =
            text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
        let words = e.to_string();
        let words = words.split(" at line ").next().unwrap_or_default().to_owned();
        (line_start + e.column().saturating_sub(1), format!("not JSON: {words}"), String::new())
    })?;
    let Json::Object(object) = &json else {
        return Err(wrong("an example is an object".to_owned(), "Write a record: `{...}`".to_owned()));
    };
    let mut given = Given::default();
    if !(object.contains_key("record")
        || object.contains_key("datasets")
        || object.contains_key("unavailable"))
    {
        record_fits(&json, facts.shape).map_err(|(m, r)| wrong(m, r))?;
        given.record = Some(json);
        return Ok(given);
    }
    for key in object.keys() {
        if !KEYS.contains(&key.as_str()) {
            return Err(wrong(format!("unknown part `{key}` of an example"), suggest(key, &KEYS)));
        }
    }
    if let Some(record) = object.get("record") {
        record_fits(record, facts.shape).map_err(|(m, r)| wrong(m, r))?;
        given.record = Some(record.clone());
    }
    datasets(object, facts, &mut given).map_err(|(m, r)| wrong(m, r))?;
    if let Some(params) = object.get("params") {
        given.params = params_of(params, facts).map_err(|(m, r)| wrong(m, r))?;
    }
    if let Some(now) = object.get("now") {
        given.now = now.as_str().and_then(Timestamp::parse).ok_or_else(|| {
            wrong("`now` is not an instant".to_owned(), "For example \"2026-01-31T00:00:00Z\"".to_owned())
        })?;
    }
    Ok(given)
}

fn datasets(
    object: &serde_json::Map<String, Json>,
    facts: &Facts<'_>,
    given: &mut Given,
) -> Result<(), (String, String)> {
    let known: Vec<&str> = facts.types.keys().map(String::as_str).collect();
    let kind = |name: &str| {
        facts.types.get(name).ok_or_else(|| {
            let message = format!("the check looks into no dataset `{name}`");
            (message, suggest(name, &known))
        })
    };
    if let Some(datasets) = object.get("datasets") {
        let Json::Object(datasets) = datasets else {
            return Err(("`datasets` is not an object".to_owned(), "`{name: [records]}`".to_owned()));
        };
        for (name, records) in datasets {
            let shape = &kind(name)?.shape;
            let Json::Array(records) = records else {
                return Err((format!("`{name}` is not a list"), "Write its records in `[...]`".to_owned()));
            };
            for record in records {
                record_fits(record, shape).map_err(|(m, r)| (format!("in `{name}`: {m}"), r))?;
            }
            given.datasets.insert(name.clone(), records.clone());
        }
    }
    for (key, set) in [("incomplete", &mut given.incomplete), ("unavailable", &mut given.unavailable)] {
        let Some(names) = object.get(key) else { continue };
        let Json::Array(names) = names else {
            return Err((format!("`{key}` is not a list"), "Names of datasets".to_owned()));
        };
        for name in names {
            let name = name.as_str().unwrap_or_default();
            kind(name)?;
            set.insert(name.to_owned());
        }
    }
    if given.record.is_none()
        && ![given.datasets.contains_key(facts.over), given.unavailable.contains(facts.over)].contains(&true)
    {
        let message = format!("without `record`, `{}` itself must be given or unavailable", facts.over);
        return Err((message, "Add it to `datasets` (empty) or `unavailable`".to_owned()));
    }
    Ok(())
}

fn params_of(params: &Json, facts: &Facts<'_>) -> Result<BTreeMap<String, Value>, (String, String)> {
    let Json::Object(params) = params else {
        return Err(("`params` is not an object".to_owned(), "`{name: value}`".to_owned()));
    };
    let known: Vec<&str> = facts.params.keys().map(String::as_str).collect();
    let mut all = BTreeMap::new();
    for (name, value) in params {
        let Some(param) = facts.params.get(name) else {
            return Err((format!("no parameter `{name}`"), suggest(name, &known)));
        };
        fits(value, &param.kind, name)?;
        all.insert(name.clone(), Value::from_json(value, &param.kind));
    }
    Ok(all)
}

/// Whether every field of a JSON record exists and has its type.
fn record_fits(json: &Json, shape: &Shape) -> Result<(), (String, String)> {
    let Json::Object(object) = json else {
        return Err(("a record is an object".to_owned(), "Write `{...}`".to_owned()));
    };
    for (name, value) in object {
        let Some((_, field)) = shape.field(name) else {
            let known: Vec<&str> = shape.fields.iter().map(|f| f.name.as_str()).collect();
            return Err((format!("the dataset has no field `{name}`"), suggest(name, &known)));
        };
        fits(value, &field.kind, name)?;
    }
    Ok(())
}

fn fits(json: &Json, kind: &Type, name: &str) -> Result<(), (String, String)> {
    let fine = match (json, kind) {
        (Json::Null, _) | (Json::Bool(_), Type::Bool) | (Json::String(_), Type::String) => true,
        (Json::Object(o), _) if o.get("$unknown") == Some(&Json::Bool(true)) && o.len() == 1 => true,
        (Json::Number(n), Type::Int) => n.is_i64(),
        (Json::Number(_), Type::Double) => true,
        (Json::String(s), Type::Timestamp) => Timestamp::parse(s).is_some(),
        (Json::String(s), Type::Duration) => Duration::parse(s).is_some(),
        (Json::Array(items), Type::List(inner)) => {
            return items.iter().try_for_each(|item| fits(item, inner, name));
        }
        (Json::Object(o), Type::List(inner)) => match o.get("$incomplete") {
            Some(Json::Array(items)) => return items.iter().try_for_each(|item| fits(item, inner, name)),
            _ => false,
        },
        (Json::Object(_), Type::Object(shape)) => return record_fits(json, shape),
        (Json::Object(o), Type::Map(inner)) => {
            return o.values().try_for_each(|item| fits(item, inner, name));
        }
        _ => false,
    };
    if fine {
        Ok(())
    } else {
        Err((
            format!("`{name}` is not a {}", word(kind)),
            "Write a value of the field's type, or null".to_owned(),
        ))
    }
}

/// A type as the manifest writes it.
pub(crate) fn word(kind: &Type) -> String {
    match kind {
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Double => "double".to_owned(),
        Type::String => "string".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::List(inner) => format!("list<{}>", word(inner)),
        Type::Object(_) => "object".to_owned(),
        Type::Map(inner) => format!("map<{}>", word(inner)),
    }
}
