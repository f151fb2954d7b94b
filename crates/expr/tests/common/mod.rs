//! Inputs for tests, from short notation.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{DatasetType, DatasetView, Env, Evaluation, Expected, Inputs, Truth, compile};
use model::time::Timestamp;
use model::value::{Record, Shape, ShapeField, Type, Value};
use serde_json::Value as Json;

/// The present of every test: 2026-01-31T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_769_817_600_000);

pub(crate) fn shape(fields: &[(&str, Type)]) -> Arc<Shape> {
    let field = |(name, kind): &(&str, Type)| ShapeField {
        name: (*name).into(),
        kind: kind.clone(),
        sensitive: false,
    };
    Arc::new(Shape { fields: fields.iter().map(field).collect() })
}

pub(crate) fn list(inner: Type) -> Type {
    Type::List(Box::new(inner))
}

/// A world of one record and two datasets: `people` (key `id`) and `rules` (without key).
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) people: Vec<Record>,
    pub(crate) rules: Vec<Record>,
    /// Why a dataset is incomplete.
    pub(crate) missing: BTreeMap<&'static str, &'static str>,
    pub(crate) params: BTreeMap<String, Value>,
}

impl World {
    pub(crate) fn new() -> Self {
        let plan = shape(&[("name", Type::String), ("seats", Type::Int)]);
        let record = shape(&[
            ("login", Type::String),
            ("state", Type::String),
            ("two_factor", Type::Bool),
            ("admin", Type::Bool),
            ("seats", Type::Int),
            ("ratio", Type::Double),
            ("last_active_at", Type::Timestamp),
            ("idle", Type::Duration),
            ("tags", list(Type::String)),
            ("plan", Type::Object(plan)),
            ("permissions", Type::Map(Box::new(Type::String))),
            ("manager", Type::String),
        ]);
        let people = shape(&[
            ("id", Type::String),
            ("team", Type::String),
            ("active", Type::Bool),
            ("age", Type::Int),
        ]);
        let rules = shape(&[("kind", Type::String), ("enforced", Type::Bool)]);
        let mut world = Self {
            env: Env {
                record: Some(record),
                datasets: BTreeMap::from([
                    ("people".into(), DatasetType { shape: people, key: Some("id".into()) }),
                    ("rules".into(), DatasetType { shape: rules, key: None }),
                ]),
                params: BTreeMap::from([("max_days".into(), Type::Int)]),
                dynamic: false,
            },
            people: vec![],
            rules: vec![],
            missing: BTreeMap::new(),
            params: BTreeMap::from([("max_days".into(), Value::Int(90))]),
        };
        world.people = world.records(
            "people",
            r#"[{"id": "ann", "team": "core", "active": true, "age": 40}, {"id": "bob", "team": "core", "active": false, "age": null},
                {"id": "cyd", "team": "web", "age": 30}]"#,
        );
        world.rules =
            world.records("rules", r#"[{"kind": "a", "enforced": true}, {"kind": "b", "enforced": false}]"#);
        world
    }

    /// Records of a dataset; a field that is left out is unknown, null is null.
    pub(crate) fn records(&self, dataset: &str, json: &str) -> Vec<Record> {
        let shape = &self.env.datasets[dataset].shape;
        let json: Json = serde_json::from_str(json).expect("test data is JSON");
        json.as_array().expect("a list").iter().map(|r| Record::from_json(r, shape)).collect()
    }

    pub(crate) fn record(&self, json: &str) -> Record {
        let json: Json = serde_json::from_str(json).expect("test data is JSON");
        Record::from_json(&json, self.env.record.as_ref().expect("there is a record"))
    }

    /// The traced evaluation, after checking that the untraced one agrees and that the lists fit the answer.
    pub(crate) fn eval(&self, source: &str, record: &str) -> Evaluation {
        let program = compile(source, &self.env, &Expected::Any).unwrap_or_else(|e| panic!("{source}: {e}"));
        let view = |name: &'static str, records| {
            let shape = &self.env.datasets[name].shape;
            match self.missing.get(name) {
                Some(why) => DatasetView::incomplete(shape, records, *why),
                None => DatasetView::complete(shape, records),
            }
        };
        let datasets = BTreeMap::from([
            ("people".to_owned(), view("people", &self.people)),
            ("rules".to_owned(), view("rules", &self.rules)),
        ]);
        let bound = program.bind(&Inputs { datasets: &datasets, params: &self.params, now: NOW });
        let record = self.record(record);
        let evaluation = bound.eval(Some(&record));
        assert_eq!(bound.test(Some(&record)), evaluation.truth(), "{source}");
        match &evaluation.value {
            Ok(Value::Unknown) => {
                assert!(!evaluation.unknown.is_empty(), "{source} is unknown, and nothing says why");
                assert!(evaluation.decided_by.is_empty(), "{source}");
            }
            Ok(_) => assert!(evaluation.unknown.is_empty(), "{source}"),
            Err(_) => {}
        }
        evaluation
    }

    pub(crate) fn truth(&self, source: &str, record: &str) -> Truth {
        self.eval(source, record).truth()
    }

    /// The answer in one line: `true by two_factor=true`, `unknown for tags (incomplete list)`, `error ...`.
    pub(crate) fn line(&self, source: &str, record: &str) -> String {
        let evaluation = self.eval(source, record);
        let decided: Vec<String> = evaluation
            .decided_by
            .iter()
            .map(|d| format!("{}={}", d.place, show(&d.value, d.kind.as_ref())))
            .collect();
        let unknown: Vec<String> = evaluation
            .unknown
            .iter()
            .map(|u| match &u.why {
                expr::Missing::Unknown => u.place.to_string(),
                expr::Missing::Null => format!("{} (null)", u.place),
                expr::Missing::IncompleteList => format!("{} (incomplete list)", u.place),
                expr::Missing::IncompleteDataset(why) => format!("{} (incomplete: {why})", u.place),
            })
            .collect();
        let mut line = match &evaluation.value {
            Ok(value) => show(value, None),
            Err(error) => format!("error: {error}"),
        };
        if !decided.is_empty() {
            line += &format!(" by {}", decided.join(", "));
        }
        if !unknown.is_empty() {
            line += &format!(" for {}", unknown.join(", "));
        }
        if evaluation.left_out > 0 {
            line += &format!(" and {} more", evaluation.left_out);
        }
        line
    }
}

fn show(value: &Value, kind: Option<&Type>) -> String {
    match value {
        Value::Unknown => "unknown".into(),
        value => value.to_json(kind.unwrap_or(&Type::Bool)).to_string(),
    }
}
