//! Runs CEL's published conformance cases, as far as the language goes: see `conformance/README.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use expr::{Env, Expected, Inputs, compile};
use model::time::{Duration, Timestamp};
use model::value::{Record, Shape, ShapeField, Type, Value};
use serde_json::Value as Json;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// Our notation of a value: JSON, with `{"double": "1.5"}`, `{"timestamp_ms": 0}`, `{"duration_ms": 0}` and `{"map": {}}`
/// for what JSON lacks or would confuse.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| panic!("{n} is not whole"), Value::Int),
        Json::String(s) => Value::string(s.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(object) => {
            let (kind, inner) = object.iter().next().expect("a tagged value has one member");
            match kind.as_str() {
                "double" => Value::Double(
                    inner.as_str().and_then(|text| text.parse().ok()).expect("a number as text"),
                ),
                "timestamp_ms" => Value::Timestamp(Timestamp(inner.as_i64().expect("milliseconds"))),
                "duration_ms" => Value::Duration(Duration(inner.as_i64().expect("milliseconds"))),
                "map" => {
                    let entries = inner.as_object().expect("a map is an object");
                    let mut entries: Vec<(Arc<str>, Value)> =
                        entries.iter().map(|(k, v)| (Arc::from(k.as_str()), value(v))).collect();
                    entries.sort_by(|a, b| a.0.cmp(&b.0));
                    Value::Map(entries.into())
                }
                other => panic!("unknown tag {other}"),
            }
        }
    }
}

fn kind(json: &Json) -> Type {
    match json {
        Json::String(name) => match name.as_str() {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "double" => Type::Double,
            "string" => Type::String,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            other => panic!("unknown type {other}"),
        },
        Json::Object(object) => match object.iter().next() {
            Some((name, inner)) if name == "list" => Type::List(Box::new(kind(inner))),
            Some((name, inner)) if name == "map" => Type::Map(Box::new(kind(inner))),
            _ => panic!("unknown type {json}"),
        },
        _ => panic!("unknown type {json}"),
    }
}

/// Equality of results: as the type says, and NaN is the result NaN.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b).is_eq() || (a.is_nan() && b.is_nan()),
        (Value::List(a), Value::List(b)) => {
            a.complete
                && b.complete
                && a.items.len() == b.items.len()
                && a.items.iter().zip(&b.items).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
        }
        (a, b) => a == b,
    }
}

#[derive(Default)]
struct Count {
    cases: usize,
    /// Cases whose failure is found at load already.
    early: usize,
    /// Cases that also pass typed as a check is.
    typed: usize,
    /// Cases that the types of a check refuse at load.
    refused: usize,
}

/// Runs one case; what is wrong with it, if anything is.
fn run(case: &Json, count: &mut Count) -> Option<String> {
    let source = case["expr"].as_str().expect("a case has an expression");
    let mut fields = Vec::new();
    let mut values = Vec::new();
    for (name, given) in case["with"].as_object().into_iter().flatten() {
        fields.push(ShapeField { name: name.clone(), kind: kind(&given["type"]), sensitive: false });
        values.push(value(&given["value"]));
    }
    let record = Record { values: values.into() };
    let shape = Arc::new(Shape { fields });
    let inputs = Inputs { datasets: &BTreeMap::new(), params: &BTreeMap::new(), now: Timestamp(0) };
    let wanted = case.get("is").map(value);
    assert!(wanted.is_some() != (case["fails"] == true), "a case has a value or fails");
    count.cases += 1;

    // Untyped, the way CEL's own runs without a checker: every result must be CEL's.
    let env = Env { record: Some(Arc::clone(&shape)), dynamic: true, ..Env::default() };
    let program = match compile(source, &env, &Expected::Any) {
        Ok(program) => program,
        // What CEL finds when it runs may be found at load here: unknown names, calls that no function takes.
        Err(_) if wanted.is_none() => {
            count.early += 1;
            return None;
        }
        Err(error) => return Some(format!("does not compile: {error}")),
    };
    let got = program.bind(&inputs).eval(Some(&record)).value;
    let right = |got: &Result<Value, expr::EvalError>| match (got, &wanted) {
        (Ok(got), Some(wanted)) => same(got, wanted),
        (Err(_), None) => true,
        _ => false,
    };
    if !right(&got) {
        return Some(format!("gives {got:?}, not {wanted:?}"));
    }

    // Typed, as checks are: refused at load, or CEL's result.
    let env = Env { dynamic: false, ..env };
    match compile(source, &env, &Expected::Any) {
        Err(_) => count.refused += 1,
        Ok(program) => {
            let got = program.bind(&inputs).eval(Some(&record)).value;
            if !right(&got) {
                return Some(format!("typed, gives {got:?}, not {wanted:?}"));
            }
            count.typed += 1;
        }
    }
    None
}

#[test]
fn every_kept_case_gives_cels_result() {
    let mut count = Count::default();
    let mut wrong = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of cases exists")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    for file in &files {
        let stem = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("a file of cases can be read");
        for line in text.lines() {
            let case: Json = serde_json::from_str(line).expect("a line is a JSON object");
            if let Some(fault) = run(&case, &mut count) {
                wrong.push(format!(
                    "{stem}/{}: {}\n    {fault}",
                    case["name"].as_str().unwrap_or("?"),
                    case["expr"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), count.cases, wrong.join("\n"));

    // No case is lost on the way: as many as the script says it kept, and the README says how many run typed.
    let cut = std::fs::read_to_string(folder().join("cut.md")).expect("cut.md can be read");
    assert!(
        cut.contains(&format!("\n{} of ", count.cases)),
        "cut.md tells another number than {}",
        count.cases
    );
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("README.md can be read");
    for told in [
        format!("| compiled without types, CEL's result | {} |", count.cases - count.early),
        format!("| a failure that is found at load already | {} |", count.early),
        format!("| compiled with types, CEL's result | {} |", count.typed),
        format!("| compiled with types, refused at load | {} |", count.refused),
    ] {
        assert!(readme.contains(&told), "README.md should say {told:?}");
    }
}
