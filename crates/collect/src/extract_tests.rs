use super::*;
use serde_json::json;

/// An extractor from the `[[field]]` list of a manifest, with its types beside it.
fn extractor(fields: &str, shape: Vec<(&str, Type)>) -> (Extractor, Shape) {
    #[derive(serde::Deserialize)]
    struct File {
        field: Vec<Field>,
    }
    let shape = Shape {
        fields: shape
            .into_iter()
            .map(|(name, kind)| model::value::ShapeField { name: name.into(), kind, sensitive: false })
            .collect(),
    };
    let fields = toml::from_str::<File>(&format!("field = [{fields}]")).unwrap().field;
    let plans = plans(&fields, &shape, &BTreeMap::new());
    (Extractor { fields: plans, hash_key: Some(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])) }, shape)
}

fn one(field: &str, kind: Type, json: Json) -> Value {
    let (extractor, _) = extractor(field, vec![("x", kind)]);
    extractor.record(&json, &Each::Once).record.values[0].clone()
}

fn text() -> Type {
    Type::String
}

fn texts() -> Type {
    Type::List(Box::new(Type::String))
}

const PIVOT: &str = r#"[{ pivot = { key = "k", value = "v.x" } }]"#;

fn map() -> Type {
    Type::Map(Box::new(Type::Int))
}

fn entries(of: &[(&str, Value)]) -> Value {
    Value::Map(of.iter().map(|(k, v)| (std::sync::Arc::from(*k), v.clone())).collect())
}

fn hours(n: i64) -> Value {
    Value::Duration(Duration::hours(n))
}

fn days(n: i64) -> Value {
    Value::Duration(Duration::days(n))
}

fn list(items: &[&str]) -> Value {
    Value::list(items.iter().map(|i| Value::string(*i)).collect())
}

#[test]
fn scalars_are_read_as_their_type_or_not_at_all() {
    let plain = r#"{ name = "x", type = "any" }"#;
    let at = |t: &str| Value::Timestamp(Timestamp::parse(t).unwrap());
    let cases = [
        (Type::Bool, json!(true), Value::Bool(true)),
        (Type::Bool, json!("false"), Value::Bool(false)),
        (Type::Bool, json!("no"), Value::Unknown),
        (Type::Bool, json!(1), Value::Unknown),
        (Type::Int, json!(3), Value::Int(3)),
        (Type::Int, json!(3.0), Value::Int(3)),
        (Type::Int, json!(3.5), Value::Unknown),
        (Type::Int, json!("42"), Value::Int(42)),
        (Type::Int, json!(u64::MAX), Value::Unknown),
        (Type::Int, json!([1]), Value::Unknown),
        (Type::Double, json!(3), Value::Double(3.0)),
        (Type::String, json!(17), Value::string("17")),
        (Type::String, json!({"a": 1}), Value::Unknown),
        (Type::Timestamp, json!("2026-01-31T08:00:00+01:00"), at("2026-01-31T07:00:00Z")),
        (Type::Timestamp, json!("2026-01-31"), at("2026-01-31T00:00:00Z")),
        (Type::Timestamp, json!("soon"), Value::Unknown),
        (Type::Timestamp, json!(1_769_846_400), Value::Unknown),
        (Type::Duration, json!("90s"), Value::Duration(Duration::seconds(90))),
        (
            texts(),
            json!(["a", 1, {}]),
            Value::list(vec![Value::string("a"), Value::string("1"), Value::Unknown]),
        ),
        (texts(), json!("a"), Value::Unknown),
    ];
    for (kind, json, expected) in cases {
        assert_eq!(one(plain, kind.clone(), json!({ "x": json })), expected, "{kind:?} {json}");
    }
    let seconds = r#"{ name = "x", type = "timestamp", format = "epoch_seconds" }"#;
    assert_eq!(one(seconds, Type::Timestamp, json!({ "x": 1_769_846_400 })), at("2026-01-31T08:00:00Z"));
    assert_eq!(one(seconds, Type::Timestamp, json!({ "x": "2026-01-31" })), Value::Unknown);
    assert_eq!(one(seconds, Type::Timestamp, json!({ "x": i64::MAX })), Value::Unknown);
    let millis = r#"{ name = "x", type = "timestamp", format = "epoch_millis" }"#;
    assert_eq!(one(millis, Type::Timestamp, json!({ "x": "1769846400000" })), at("2026-01-31T08:00:00Z"));
}

#[test]
fn transforms() {
    let cases = [
        (r#"["last_segment"]"#, text(), json!("a/b/c"), Value::string("c")),
        (
            r#"["host_of"]"#,
            text(),
            json!("HTTPS://Hooks.Example.COM:8443/x"),
            Value::string("hooks.example.com"),
        ),
        (r#"["scheme_of"]"#, text(), json!("HTTP://x.example"), Value::string("http")),
        (r#"["host_of"]"#, text(), json!("not an address"), Value::Unknown),
        (r#"["lower"]"#, text(), json!("ABC"), Value::string("abc")),
        (r#"["lower"]"#, text(), json!(1), Value::Unknown),
        (
            r#"[{ pluck = "n" }, "lower"]"#,
            texts(),
            json!([{"n": "A"}, {}, {"n": 1}, {"n": "b"}]),
            Value::list(vec![Value::string("a"), Value::Unknown, Value::Unknown, Value::string("b")]),
        ),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P90D"), days(90)),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P1DT12H"), hours(36)),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P2W"), days(14)),
        (
            r#"[{ duration = "iso8601" }]"#,
            Type::Duration,
            json!("PT0,5H"),
            Value::Duration(Duration::minutes(30)),
        ),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("-PT1H"), hours(-1)),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P1Y"), Value::Unknown),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P1M"), Value::Unknown),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("PT"), Value::Unknown),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("P"), Value::Unknown),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!("PT1M1H"), Value::Unknown),
        (r#"[{ duration = "iso8601" }]"#, Type::Duration, json!(90), Value::Unknown),
        (r#"[{ duration = "minutes" }]"#, Type::Duration, json!(120), hours(2)),
        (r#"[{ duration = "days" }]"#, Type::Duration, json!("30"), days(30)),
        (r#"[{ duration = "hours" }]"#, Type::Duration, json!(1.5), Value::Duration(Duration::minutes(90))),
        (r#"[{ duration = "seconds" }]"#, Type::Duration, json!("soon"), Value::Unknown),
        (r#"[{ duration = "milliseconds" }]"#, Type::Duration, json!(1500), Value::Duration(Duration(1500))),
        (
            PIVOT,
            map(),
            json!([{"k": "a", "v": {"x": 1}}, {"k": "b", "v": {"x": 2}}]),
            entries(&[("a", Value::Int(1)), ("b", Value::Int(2))]),
        ),
        (PIVOT, map(), json!([]), entries(&[])),
        (
            PIVOT,
            map(),
            json!([{"k": "a", "v": {"x": 1}}, {"k": "a", "v": {"x": 1}}]),
            entries(&[("a", Value::Int(1))]),
        ),
        // Two values for one key: neither is known to hold.
        (
            PIVOT,
            map(),
            json!([{"k": "a", "v": {"x": 1}}, {"k": "a", "v": {"x": 2}}]),
            entries(&[("a", Value::Unknown)]),
        ),
        (PIVOT, map(), json!([{"k": "a"}]), entries(&[("a", Value::Unknown)])),
        (PIVOT, map(), json!([{"k": "a", "v": {"x": 1}}, {"v": {"x": 2}}]), Value::Unknown),
        (PIVOT, map(), json!({"k": "a"}), Value::Unknown),
        (r#"["present"]"#, Type::Bool, json!("s"), Value::Bool(true)),
        (r#"["present"]"#, Type::Bool, json!(""), Value::Bool(false)),
        (r#"["present"]"#, Type::Bool, json!(null), Value::Bool(false)),
        (r#"["present"]"#, Type::Bool, json!([]), Value::Bool(false)),
        (r#"["map_entries"]"#, texts(), json!({"a": "read", "b": "write"}), list(&["a:read", "b:write"])),
        (r#"[{ split = " " }]"#, texts(), json!("a  b "), list(&["a", "b"])),
        (r#"[{ split = "," }]"#, texts(), json!("a, b,,c"), list(&["a", "b", "c"])),
        (r#"[{ pluck = "n.m" }]"#, texts(), json!([{"n": {"m": "a"}}]), list(&["a"])),
        (
            r#"[{ pluck = "n" }]"#,
            texts(),
            json!([{"n": "a"}, {}]),
            Value::list(vec![Value::string("a"), Value::Unknown]),
        ),
        (r#"[{ lookup = { "0" = "true", "1" = "false" } }]"#, Type::Bool, json!("1"), Value::Bool(false)),
        (r#"[{ lookup = { "0" = "true" } }]"#, Type::Bool, json!(0), Value::Bool(true)),
        (r#"[{ lookup = { "0" = "true" } }]"#, Type::Bool, json!("2"), Value::Unknown),
        (r#"["host_of", "lower", { split = "." }]"#, texts(), json!("https://A.B/"), list(&["a", "b"])),
    ];
    for (transform, kind, json, expected) in cases {
        let field = format!(r#"{{ name = "x", type = "any", transform = {transform} }}"#);
        assert_eq!(one(&field, kind, json!({ "x": json })), expected, "{transform} {json}");
    }
}

#[test]
fn lists_are_whole_only_when_the_server_says_so() {
    let field = r#"{ name = "x", type = "list<string>", path = "x.nodes", incomplete_at = "x.more" }"#;
    let complete = |more: Json| match one(field, texts(), json!({ "x": { "nodes": ["a"], "more": more } })) {
        Value::List(list) => list.complete,
        other => panic!("{other:?}"),
    };
    assert!(complete(json!(false)));
    for more in [json!(true), json!(null), json!("false"), json!(0)] {
        assert!(!complete(more));
    }
    match one(field, texts(), json!({ "x": { "nodes": ["a"] } })) {
        Value::List(list) => assert!(!list.complete),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sensitive_values_are_not_kept() {
    let presence = r#"{ name = "x", type = "bool", sensitive = "presence", missing = { value = false } }"#;
    assert_eq!(one(presence, Type::Bool, json!({ "x": "hunter2" })), Value::Bool(true));
    assert_eq!(one(presence, Type::Bool, json!({ "x": "" })), Value::Bool(false));
    assert_eq!(one(presence, Type::Bool, json!({})), Value::Bool(false));
    let hash = r#"{ name = "x", type = "string", sensitive = "hash" }"#;
    let of = |text: &str| one(hash, text_type(), json!({ "x": text }));
    assert_eq!(of("hunter2"), of("hunter2"));
    assert_ne!(of("hunter2"), of("hunter3"));
    assert!(!format!("{:?}", of("hunter2")).contains("hunter"));
    let (mut without, _) = extractor(hash, vec![("x", text_type())]);
    without.hash_key = None;
    assert_eq!(without.record(&json!({ "x": "hunter2" }), &Each::Once).record.values[0], Value::Unknown);
}

fn text_type() -> Type {
    Type::String
}

#[test]
fn nested_objects_and_maps() {
    let inner = Arc::new(Shape {
        fields: vec![
            model::value::ShapeField { name: "mode".into(), kind: Type::String, sensitive: false },
            model::value::ShapeField { name: "admin".into(), kind: Type::Bool, sensitive: false },
        ],
    });
    let kind = Type::List(Box::new(Type::Object(inner)));
    let field = r#"{ name = "x", type = "list<object>", field = [{ name = "mode", type = "string" }, { name = "admin", type = "bool", path = "is.admin", null = "absent" }] }"#;
    let value = one(field, kind.clone(), json!({ "x": [{ "mode": "ALWAYS", "is": { "admin": null } }, {}] }));
    assert_eq!(
        value.to_json(&kind),
        json!([{ "mode": "ALWAYS", "admin": null }, { "mode": { "$unknown": true }, "admin": { "$unknown": true } }])
    );
    let map = Type::Map(Box::new(Type::String));
    let value =
        one(r#"{ name = "x", type = "map<string>" }"#, map.clone(), json!({ "x": { "b": "read", "a": 1 } }));
    assert_eq!(value.to_json(&map), json!({ "a": "1", "b": "read" }));
}

#[test]
fn the_walked_record_lends_its_fields() {
    let (extractor, _) = extractor(
        r#"{ name = "repo", type = "string", each = "name" }, { name = "id", type = "string", each = "id" }, { name = "x", type = "int" }"#,
        vec![("repo", Type::String), ("id", Type::String), ("x", Type::Int)],
    );
    let (_, walked) = self::extractor(
        r#"{ name = "name", type = "string" }, { name = "id", type = "int" }"#,
        vec![("name", Type::String), ("id", Type::Int)],
    );
    let record = Record { values: vec![Value::string("r"), Value::Int(5)].into() };
    let extracted = extractor.record(&json!({ "x": 1 }), &Each::Record(&record, &walked));
    assert!(extracted.found);
    assert_eq!(*extracted.record.values, [Value::string("r"), Value::string("5"), Value::Int(1)]);
    // Nothing of the answer is documented.
    assert!(!extractor.record(&json!({ "y": 1 }), &Each::Record(&record, &walked)).found);
}

fn any_json() -> impl proptest::strategy::Strategy<Value = Json> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
        Just(crate::path::withheld()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::vec(("[abx.]{1,3}", inner), 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    /// Whatever a server answers, a record comes out of it, each of its values of the declared type, unknown or null.
    #[test]
    fn no_answer_breaks_the_extraction(json in any_json()) {
        let fields = r#"
            { name = "a", type = "bool" }, { name = "b", type = "int", path = "a.b" },
            { name = "c", type = "list<string>", path = "x", transform = [{ pluck = "a.x" }], incomplete_at = "b" },
            { name = "d", type = "list<string>", path = "b", transform = ["map_entries"] },
            { name = "e", type = "string", path = "x", transform = ["host_of", "lower"], null = "absent" },
            { name = "f", type = "timestamp", path = "a.0.x", format = "epoch_seconds" },
            { name = "g", type = "bool", path = "x.0", transform = ["present"], missing = { value = false } }"#;
        let kinds = [Type::Bool, Type::Int, texts(), texts(), text(), Type::Timestamp, Type::Bool];
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let (extractor, _) = extractor(fields, names.into_iter().zip(kinds.clone()).collect());
        let record = extractor.record(&json, &Each::Once).record;
        for (value, kind) in record.values.iter().zip(&kinds) {
            // A value of another type would not survive its own storage.
            let stored = Value::from_json(&value.to_json(kind), kind);
            proptest::prop_assert_eq!(&stored, value);
        }
    }
}
