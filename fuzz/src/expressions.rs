//! The check language.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use expr::fuzzing::understood;
use expr::{DatasetType, DatasetView, Env, Evaluation, Expected, Inputs, compile, limits};
use model::time::{Duration, Timestamp};
use model::value::{List, Record, Shape, ShapeField, Type, Value};

use crate::input::Dice;

const NOW: Timestamp = Timestamp(1_769_817_600_000);

/// Any text is parsed or refused at a place in it; what was parsed reads back as the same tree.
pub(crate) fn parse(input: &[u8]) {
    let Ok(source) = std::str::from_utf8(input) else { return };
    compiles(source, &ENV);
    let Ok(first) = understood(source) else { return };
    assert!(first.depth <= limits::DEPTH, "nested {} levels deep: {source}", first.depth);
    match understood(&first.source) {
        Ok(again) => {
            assert_eq!(again.tree, first.tree, "{source:?}, written as {:?}", first.source);
            assert_eq!(again.source, first.source, "written down differently at the second time");
        }
        // With all its brackets it may be longer, or nested deeper, than a source may be.
        Err(message) => assert!(
            first.source.len() > limits::SOURCE_BYTES || first.depth * 2 > limits::DEPTH,
            "{source:?}, written as {:?}: {message}",
            first.source
        ),
    }
}

fn compiles(source: &str, env: &Env) -> Option<expr::Program> {
    match compile(source, env, &Expected::Any) {
        Ok(program) => Some(program),
        Err(error) => {
            let (line, column) = error.line_col(source);
            assert!(line >= 1 && column >= 1, "{source:?}: {error:?}");
            let span = error.span;
            assert!(span.start <= span.end && span.end <= source.len(), "{source:?}: {error:?}");
            assert!(source.is_char_boundary(span.start) && source.is_char_boundary(span.end), "{source:?}");
            None
        }
    }
}

/// The first line is an expression; from the rest two worlds are drawn: one whole, and what could be read of it.
pub(crate) fn eval(input: &[u8]) {
    let cut = input.iter().position(|b| *b == b'\n').unwrap_or(input.len());
    let Ok(source) = std::str::from_utf8(&input[..cut]) else { return };
    let Some(program) = compiles(source, &ENV) else { return };
    let mut dice = Dice::new(input.get(cut + 1..).unwrap_or_default());
    let whole = World::drawn(&mut dice);
    let part = whole.veiled(&mut dice);
    let (from_whole, from_part) = (whole.answers(&program), part.answers(&program));
    if from_whole.steps.max(from_part.steps) > limits::STEPS / 2 {
        return;
    }
    assert!(from_whole.value != Ok(Value::Unknown), "nothing is unknown, the answer is: {source}");
    if from_part.value == Ok(Value::Unknown) {
        assert!(
            !from_part.unknown.is_empty() || from_part.left_out > 0,
            "nothing says what is missing: {source}"
        );
    } else {
        let holds = match (&from_part.value, &from_whole.value) {
            (Ok(part), Ok(whole)) => goes_on(part, whole),
            (part, whole) => part.is_err() && whole.is_err(),
        };
        assert!(
            holds,
            "turns when more is known: {source}\n{part:?}\n{whole:?}\n{:?}\n{:?}",
            from_part.value, from_whole.value
        );
    }
}

/// Whether what is known in part may become the other when everything is known: what was unknown in it becomes anything, and
/// nothing else changes.
fn goes_on(part: &Value, whole: &Value) -> bool {
    let all = |part: &[Value], whole: &[Value]| {
        part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| goes_on(part, whole))
    };
    match (part, whole) {
        (Value::Unknown, _) => true,
        (Value::List(part), Value::List(whole)) if part.complete => all(&part.items, &whole.items),
        // What was not read of it may stand anywhere.
        (Value::List(part), Value::List(whole)) => {
            part.items.iter().all(|item| whole.items.iter().any(|other| goes_on(item, other)))
        }
        (Value::Object(part), Value::Object(whole)) => all(&part.values, &whole.values),
        (Value::Map(part), Value::Map(whole)) => {
            let mut both = part.iter().zip(whole.iter());
            part.len() == whole.len() && both.all(|((a, x), (b, y))| a == b && goes_on(x, y))
        }
        // By their text: NaN is not equal to itself.
        (part, whole) => format!("{part:?}") == format!("{whole:?}"),
    }
}

static ENV: LazyLock<Env> = LazyLock::new(|| {
    let plan = shape(&[("name", Type::String), ("seats", Type::Int), ("paid", Type::Bool)]);
    let record = shape(&[
        ("login", Type::String),
        ("state", Type::String),
        ("two_factor", Type::Bool),
        ("admin", Type::Bool),
        ("seats", Type::Int),
        ("ratio", Type::Double),
        ("last_active_at", Type::Timestamp),
        ("idle", Type::Duration),
        ("tags", Type::List(Box::new(Type::String))),
        ("sizes", Type::List(Box::new(Type::Int))),
        ("plan", Type::Object(plan)),
        ("permissions", Type::Map(Box::new(Type::String))),
    ]);
    let people = shape(&[
        ("id", Type::String),
        ("team", Type::String),
        ("active", Type::Bool),
        ("age", Type::Int),
        ("groups", Type::List(Box::new(Type::String))),
    ]);
    Env {
        record: Some(record),
        datasets: BTreeMap::from([("people".into(), DatasetType { shape: people, key: Some("id".into()) })]),
        params: BTreeMap::from([("max_days".into(), Type::Int)]),
        dynamic: false,
    }
});

fn shape(fields: &[(&str, Type)]) -> Arc<Shape> {
    let field = |(name, kind): &(&str, Type)| ShapeField {
        name: (*name).to_owned(),
        kind: kind.clone(),
        sensitive: false,
    };
    Arc::new(Shape { fields: fields.iter().map(field).collect() })
}

#[derive(Debug)]
struct World {
    record: Record,
    people: Vec<Record>,
    complete: bool,
}

impl World {
    fn drawn(dice: &mut Dice<'_>) -> Self {
        let record = known_record(dice, ENV.record.as_deref());
        let mut people: Vec<Record> =
            (0..dice.pick(4)).map(|_| known_record(dice, Some(&ENV.datasets["people"].shape))).collect();
        // Keys identify: each occurs once.
        for (at, person) in people.iter_mut().enumerate() {
            person.values[0] = Value::string(format!("k{at}"));
        }
        Self { record, people, complete: true }
    }

    fn veiled(&self, dice: &mut Dice<'_>) -> Self {
        let complete = dice.pick(3) > 0;
        let read = if complete { self.people.len() } else { dice.pick(self.people.len() + 1) };
        Self {
            record: veiled_record(dice, &self.record),
            people: self.people[..read].iter().map(|person| veiled_record(dice, person)).collect(),
            complete,
        }
    }

    fn answers(&self, program: &expr::Program) -> Evaluation {
        let shape = &ENV.datasets["people"].shape;
        let view = if self.complete {
            DatasetView::complete(shape, &self.people)
        } else {
            DatasetView::incomplete(shape, &self.people, "cut off")
        };
        let datasets = BTreeMap::from([("people".to_owned(), view)]);
        let params = BTreeMap::from([("max_days".to_owned(), Value::Int(1))]);
        let bound = program.bind(&Inputs { datasets: &datasets, params: &params, now: NOW });
        let evaluation = bound.eval(Some(&self.record));
        if evaluation.steps < limits::STEPS / 2 {
            let test = bound.test(Some(&self.record));
            assert_eq!(test, evaluation.truth(), "traced and untraced differ: {}", program.source());
        }
        evaluation
    }
}

fn known_record(dice: &mut Dice<'_>, shape: Option<&Shape>) -> Record {
    let fields = shape.map_or(&[][..], |shape| &shape.fields);
    Record { values: fields.iter().map(|field| known(dice, &field.kind)).collect() }
}

/// A value that the vendor has, whether it can be read or not.
fn known(dice: &mut Dice<'_>, kind: &Type) -> Value {
    if dice.pick(9) == 8 {
        return Value::Null;
    }
    match kind {
        Type::Bool => Value::Bool(dice.pick(2) == 1),
        Type::Int => {
            let choices = [0, 1, -1, 2, 90, i64::MAX, i64::MIN];
            Value::Int(choices[dice.pick(choices.len())])
        }
        Type::Double => {
            let choices = [0.0, 1.0, -0.5, 1e300, -1e300];
            Value::Double(choices[dice.pick(choices.len())])
        }
        Type::String => Value::string(dice.of(&["k0", "k1", "", "active", "a b", "\u{c4}\u{1f600}"])),
        Type::Timestamp => {
            let choices = [NOW, Timestamp(0), NOW - Duration::days(90), Timestamp(-1)];
            Value::Timestamp(choices[dice.pick(choices.len())])
        }
        Type::Duration => {
            let choices = [Duration::ZERO, Duration::hours(1), Duration::days(400), Duration(-1)];
            Value::Duration(choices[dice.pick(choices.len())])
        }
        Type::List(inner) => Value::list((0..dice.pick(4)).map(|_| known(dice, inner)).collect()),
        Type::Object(shape) => Value::Object(Arc::new(known_record(dice, Some(shape)))),
        Type::Map(inner) => {
            let keys = ["issues", "wiki"];
            Value::Map(keys[..dice.pick(3)].iter().map(|k| (Arc::from(*k), known(dice, inner))).collect())
        }
    }
}

/// The same value as far as it could be read.
fn veiled(dice: &mut Dice<'_>, value: &Value) -> Value {
    if dice.pick(4) == 3 {
        return Value::Unknown;
    }
    match value {
        Value::List(whole) if dice.pick(3) == 2 => {
            let read = dice.pick(whole.items.len() + 1);
            let items = whole.items[..read].iter().map(|v| veiled(dice, v)).collect();
            Value::List(Arc::new(List { items, complete: false }))
        }
        Value::List(whole) => Value::list(whole.items.iter().map(|v| veiled(dice, v)).collect()),
        Value::Object(record) => Value::Object(Arc::new(veiled_record(dice, record))),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (Arc::clone(k), veiled(dice, v))).collect()),
        other => other.clone(),
    }
}

fn veiled_record(dice: &mut Dice<'_>, record: &Record) -> Record {
    Record { values: record.values.iter().map(|v| veiled(dice, v)).collect() }
}
