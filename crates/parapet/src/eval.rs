//! `parapet check eval`: an expression over a JSON record, with what decided it and what was unknown.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use expr::{Env, Expected, Inputs, Program};
use model::time::Timestamp;
use model::value::{Record, Shape, ShapeField, Type, Value};
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::output::say;
use crate::wiring;

pub(crate) fn run(
    expression: &str,
    record: Option<&Path>,
    now: Option<&str>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let now = match now {
        None => wiring::now(),
        Some(text) => Timestamp::parse(text).ok_or_else(|| {
            Failure::usage(format!("{text} is not an instant; write it like 2026-01-31T08:00:00Z."))
        })?,
    };
    let text = read(record)?;
    let given: Json = serde_json::from_str(&text).map_err(|e| {
        Failure::usage(format!("The record is not JSON: line {}, column {}: {e}.", e.line(), e.column()))
    })?;
    let Json::Object(_) = given else { return Err(Failure::usage("The record must be a JSON object.")) };
    let (shape, program) = compile(expression, shape(&given))?;
    let record = Record::from_json(&given, &shape);
    let (datasets, params) = (BTreeMap::new(), BTreeMap::new());
    let inputs = Inputs { datasets: &datasets, params: &params, now };
    let evaluation = program.bind(&inputs).eval(Some(&record));
    let shown = match &evaluation.value {
        Ok(Value::Unknown) => "unknown".to_owned(),
        Ok(value) => plain(value),
        Err(e) => format!("error: {e}"),
    };
    let decided: Vec<(String, Json)> = evaluation
        .decided_by
        .iter()
        .map(|f| {
            (
                f.place.to_string(),
                f.kind.as_ref().map_or_else(|| json!(plain(&f.value)), |k| f.value.to_json(k)),
            )
        })
        .collect();
    let unknown: Vec<String> = evaluation.unknown.iter().map(|u| u.place.to_string()).collect();
    if as_json {
        let decided: serde_json::Map<String, Json> = decided.into_iter().collect();
        say(&format!(
            "{:#}",
            json!({ "outcome": shown, "decided_by": decided, "unknown": unknown, "steps": evaluation.steps })
        ));
        return Ok(ExitCode::SUCCESS);
    }
    say(&shown);
    for (place, value) in decided {
        say(&format!("  decided by {place} = {value}"));
    }
    for place in unknown {
        say(&format!("  unknown: {place}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Compiles against the record's form. A field that the expression names and the record lacks is unknown, as it would be
/// from a vendor.
fn compile(expression: &str, mut shape: Shape) -> Result<(Shape, Program), Failure> {
    loop {
        let env = Env { record: Some(Arc::new(shape.clone())), dynamic: true, ..Env::default() };
        let error = match expr::compile(expression, &env, &Expected::Any) {
            Ok(program) => return Ok((shape, program)),
            Err(error) => error,
        };
        let name = error.span.text(expression);
        let lacking = error.message.starts_with("the record has no field") && shape.field(name).is_none();
        let (line, column) = error.line_col(expression);
        if !lacking || name.is_empty() {
            return Err(Failure::usage(format!(
                "The expression cannot be used, at {line}:{column}: {error}"
            )));
        }
        shape.fields.push(ShapeField { name: name.to_owned(), kind: Type::String, sensitive: false });
    }
}

fn read(record: Option<&Path>) -> Result<String, Failure> {
    match record {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("The record {} cannot be read: {e}.", path.display()))),
        None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::usage(format!("Standard input cannot be read: {e}.")))?;
            Ok(text)
        }
    }
}

/// The form of a record that no manifest describes. Texts that are instants are instants: that is what checks compare.
fn shape(object: &Json) -> Shape {
    let fields = object.as_object().into_iter().flatten();
    Shape {
        fields: fields
            .map(|(name, value)| ShapeField { name: name.clone(), kind: kind(value), sensitive: false })
            .collect(),
    }
}

fn kind(value: &Json) -> Type {
    match value {
        Json::Bool(_) => Type::Bool,
        Json::Number(n) if n.is_i64() => Type::Int,
        Json::Number(_) => Type::Double,
        Json::String(s) if s.len() >= 20 && Timestamp::parse(s).is_some() => Type::Timestamp,
        Json::String(_) | Json::Null => Type::String,
        Json::Array(items) => Type::List(Box::new(items.first().map_or(Type::String, kind))),
        Json::Object(_) => Type::Object(Arc::new(shape(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Unknown => "unknown".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Double(d) => d.to_string(),
        Value::String(s) => format!("{s:?}"),
        Value::Timestamp(t) => t.to_string(),
        Value::Duration(d) => d.to_string(),
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(plain).collect();
            format!("[{}]{}", items.join(", "), if list.complete { "" } else { " and an unknown tail" })
        }
        Value::Object(_) => "an object".to_owned(),
        Value::Map(map) => {
            let items: Vec<String> = map.iter().map(|(k, v)| format!("{k:?}: {}", plain(v))).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}
