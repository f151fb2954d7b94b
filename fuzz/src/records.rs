//! From an answer to typed records.

use std::sync::{Arc, LazyLock};

use catalog::App;
use catalog::fuzzing::load_texts;
use collect::fuzzing::extracted;
use model::value::{Type, Value};
use serde_json::Value as Json;

static APP: LazyLock<Arc<App>> = LazyLock::new(|| {
    let files = [
        ("apps/test/app.toml", crate::catalogue::APP),
        ("apps/test/onboarding.md", "Ask somebody who knows the system for a token.\n"),
    ];
    let loaded = load_texts(files);
    loaded.catalog.apps.get(&"test".into()).cloned().unwrap_or_else(|| panic!("{:?}", loaded.errors))
});

/// The input is one record as JSON.
pub(crate) fn extract(input: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Json>(input) else { return };
    let Some(dataset) = APP.datasets_of(model::scan::ScanKind::Config).next() else { return };
    let (record, found) = extracted(dataset, &dataset.requests[0], &json);
    let shape = &dataset.shape;
    assert_eq!(record.values.len(), shape.fields.len());
    for (field, value) in shape.fields.iter().zip(&record.values) {
        assert!(has_type(value, &field.kind), "{}: {value:?} is no {:?}", field.name, field.kind);
    }
    // What is stored is what was read.
    let stored = record.to_json(shape);
    let back = model::value::Record::from_json(&stored, shape);
    assert_eq!(back.to_json(shape), stored, "stored and read back it is another record: {json}");
    if let Json::Object(map) = &json {
        if map.is_empty() {
            assert!(!found, "nothing was there, and something was found");
        }
        // A secret leaves a mark, not its text.
        let secret = map.get("secret").and_then(Json::as_str).filter(|text| text.len() >= 8);
        if let (Some(text), Value::String(kept)) = (secret, record.get(shape, "secret")) {
            assert!(&**kept != text && kept.len() == 32, "{kept} of {text}");
        }
        // Missing and null are not the same, and neither is a value.
        if !map.contains_key("id") {
            assert_eq!(record.get(shape, "id"), &Value::Unknown, "an id out of nothing: {json}");
        }
        if !map.contains_key("teams") {
            assert_eq!(record.get(shape, "teams"), &Value::Unknown, "teams out of nothing: {json}");
        }
        if let Value::List(teams) = record.get(shape, "teams") {
            let told = map.get("teams").and_then(|teams| teams.get("more")) == Some(&Json::Bool(false));
            assert!(!teams.complete || told, "a list is whole that nobody called so: {json}");
        }
    } else {
        assert!(!found, "something was found in what is no object: {json}");
    }
}

fn has_type(value: &Value, kind: &Type) -> bool {
    match (value, kind) {
        (Value::Unknown | Value::Null, _)
        | (Value::Bool(_), Type::Bool)
        | (Value::Int(_), Type::Int)
        | (Value::String(_), Type::String)
        | (Value::Timestamp(_), Type::Timestamp)
        | (Value::Duration(_), Type::Duration) => true,
        (Value::Double(d), Type::Double) => d.is_finite(),
        (Value::List(list), Type::List(inner)) => list.items.iter().all(|item| has_type(item, inner)),
        (Value::Map(map), Type::Map(inner)) => {
            map.windows(2).all(|pair| pair[0].0 < pair[1].0)
                && map.iter().all(|(_, item)| has_type(item, inner))
        }
        (Value::Object(record), Type::Object(shape)) => {
            record.values.len() == shape.fields.len()
                && shape.fields.iter().zip(&record.values).all(|(f, v)| has_type(v, &f.kind))
        }
        _ => false,
    }
}
