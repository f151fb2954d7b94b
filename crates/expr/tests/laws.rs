//! Laws that hold for every expression and every input, tried on random ones (always the same).

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expr::{DatasetType, DatasetView, Env, Evaluation, Expected, Inputs, compile};
use model::value::{List, Record, Shape, Type, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use common::{NOW, list, shape};

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() }
}

/// Choices drawn from random bytes; zero, the simplest choice, when they run out.
struct Dice<'b>(std::slice::Iter<'b, u8>);

impl Dice<'_> {
    fn pick(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.pick(choices.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.pick(100) < percent
    }
}

// ---- random expressions ---------------------------------------------------------------------------------------------

/// A random condition. `row` are the names of enclosing macro variables over the dataset.
fn condition(d: &mut Dice<'_>, depth: usize, rows: &[String]) -> String {
    if depth == 0 {
        if let Some(row) = rows.last()
            && d.chance(50)
        {
            return format!("{row}.f");
        }
        return d.of(&["a", "b", "true", "false", "o.p"]).to_owned();
    }
    let below = depth - 1;
    let next = |d: &mut Dice<'_>| condition(d, below, rows);
    match d.pick(16) {
        0 => format!("({} && {})", next(d), next(d)),
        1 => format!("({} || {})", next(d), next(d)),
        2 => format!("!{}", next(d)),
        3 => format!("({} ? {} : {})", next(d), next(d), next(d)),
        4 => {
            let operator = d.of(&["==", "!=", "<", "<=", ">", ">="]);
            format!("({} {operator} {})", number(d, below, rows), number(d, below, rows))
        }
        5 => {
            let operator = d.of(&["==", "!=", "<"]);
            format!("({} {operator} {})", text(d, below, rows), text(d, below, rows))
        }
        6 => format!("({} == null)", d.of(&["a", "i", "s", "l", "o", "o.n", "m"])),
        7 => format!("({} in {})", number(d, below, rows), numbers(d, below, rows)),
        8 => {
            let kind = d.of(&["exists", "all", "exists_one"]);
            let range = numbers(d, below, rows);
            let operator = d.of(&["==", "<", "!="]);
            let condition = next(d);
            let glue = d.of(&["&&", "||"]);
            format!(
                "{range}.{kind}(x{depth}, x{depth} {operator} {} {glue} {condition})",
                number(d, below, rows)
            )
        }
        9 | 10 => {
            let kind = d.of(&["exists", "all", "exists_one"]);
            let row = format!("r{depth}");
            let mut inner = rows.to_vec();
            inner.push(row.clone());
            let condition = condition(d, below, &inner);
            match d.pick(3) {
                0 => format!("datasets.d.{kind}({row}, {condition})"),
                1 => format!("datasets.d.{kind}({row}, {row}.id == {} && {condition})", text(d, below, rows)),
                _ => {
                    format!("datasets.d.{kind}({row}, {condition} && {} == {row}.n)", number(d, below, rows))
                }
            }
        }
        11 => format!("(datasets.d.get({}) {} null)", text(d, below, rows), d.of(&["==", "!="])),
        12 => format!("datasets.d.get({}).f", text(d, below, rows)),
        13 => format!("has({})", d.of(&["o.p", "o.n", "m.x"])),
        14 => format!("({} {} {})", numbers(d, below, rows), d.of(&["==", "!="]), numbers(d, below, rows)),
        _ => format!(
            "{}.{}({})",
            text(d, below, rows),
            d.of(&["contains", "startsWith"]),
            text(d, below, rows)
        ),
    }
}

fn number(d: &mut Dice<'_>, depth: usize, rows: &[String]) -> String {
    if depth == 0 {
        if let Some(row) = rows.last()
            && d.chance(40)
        {
            return format!("{row}.n");
        }
        return d.of(&["i", "j", "0", "1", "2", "o.n", "m.x", "params.k"]).to_owned();
    }
    let below = depth - 1;
    match d.pick(6) {
        0 | 1 => {
            let operator = d.of(&["+", "-", "*", "/", "%"]);
            format!("({} {operator} {})", number(d, below, rows), number(d, below, rows))
        }
        2 => format!("size({})", numbers(d, below, rows)),
        3 => format!("{}[{}]", numbers(d, below, rows), number(d, below, rows)),
        4 => format!(
            "({} ? {} : {})",
            condition(d, below, rows),
            number(d, below, rows),
            number(d, below, rows)
        ),
        _ => format!("size({})", text(d, below, rows)),
    }
}

fn text(d: &mut Dice<'_>, depth: usize, rows: &[String]) -> String {
    if depth == 0 || d.chance(60) {
        if let Some(row) = rows.last()
            && d.chance(40)
        {
            return format!("{row}.id");
        }
        return d.of(&["s", "t", "'k0'", "'k1'", "''", "'k'"]).to_owned();
    }
    format!("({} + {})", text(d, depth - 1, rows), text(d, depth - 1, rows))
}

fn numbers(d: &mut Dice<'_>, depth: usize, rows: &[String]) -> String {
    if depth == 0 {
        return d.of(&["l", "[1, 2]", "[i, j]", "(true ? [] : [1])", "l"]).to_owned();
    }
    let below = depth - 1;
    match d.pick(5) {
        0 => format!("({} + {})", numbers(d, below, rows), numbers(d, below, rows)),
        1 => {
            format!("{}.filter(y{depth}, {})", numbers(d, below, rows), condition(d, below, rows))
        }
        2 => format!("{}.map(y{depth}, y{depth} + {})", numbers(d, below, rows), number(d, below, rows)),
        3 => {
            let row = format!("q{depth}");
            let mut inner = rows.to_vec();
            inner.push(row.clone());
            format!("datasets.d.map({row}, {}, {row}.n)", condition(d, below, &inner))
        }
        _ => numbers(d, 0, rows),
    }
}

// ---- random inputs --------------------------------------------------------------------------------------------------

fn env() -> Env {
    let o = shape(&[("p", Type::Bool), ("n", Type::Int)]);
    let record = shape(&[
        ("a", Type::Bool),
        ("b", Type::Bool),
        ("i", Type::Int),
        ("j", Type::Int),
        ("s", Type::String),
        ("t", Type::String),
        ("l", list(Type::Int)),
        ("o", Type::Object(o)),
        ("m", Type::Map(Box::new(Type::Int))),
    ]);
    let d = shape(&[("id", Type::String), ("n", Type::Int), ("f", Type::Bool), ("g", list(Type::String))]);
    Env {
        record: Some(record),
        datasets: BTreeMap::from([("d".into(), DatasetType { shape: d, key: Some("id".into()) })]),
        params: BTreeMap::from([("k".into(), Type::Int)]),
        dynamic: false,
    }
}

/// A known value: what the vendor has, whether we can read it or not.
fn known(d: &mut Dice<'_>, kind: &Type) -> Value {
    if d.chance(12) {
        return Value::Null;
    }
    match kind {
        Type::Bool => Value::Bool(d.chance(50)),
        Type::Int => Value::Int(i64::try_from(d.pick(5)).expect("small") - 1),
        Type::String => Value::string(d.of(&["k0", "k1", "k2", "", "k"])),
        Type::List(inner) => Value::list((0..d.pick(4)).map(|_| known(d, inner)).collect()),
        Type::Object(shape) => Value::Object(Arc::new(known_record(d, shape))),
        Type::Map(inner) => {
            let keys = ["x", "y"];
            let entries: Vec<(Arc<str>, Value)> =
                keys[..d.pick(3)].iter().map(|k| (Arc::from(*k), known(d, inner))).collect();
            Value::Map(entries.into())
        }
        other => panic!("{other:?} is not drawn"),
    }
}

fn known_record(d: &mut Dice<'_>, shape: &Shape) -> Record {
    Record { values: shape.fields.iter().map(|f| known(d, &f.kind)).collect() }
}

/// The same value as far as it could be read.
fn veiled(d: &mut Dice<'_>, value: &Value) -> Value {
    if d.chance(25) {
        return Value::Unknown;
    }
    match value {
        Value::List(whole) if d.chance(35) => {
            let read = d.pick(whole.items.len() + 1);
            let items = whole.items[..read].iter().map(|v| veiled(d, v)).collect();
            Value::List(Arc::new(List { items, complete: false }))
        }
        Value::List(whole) => Value::list(whole.items.iter().map(|v| veiled(d, v)).collect()),
        Value::Object(record) => Value::Object(Arc::new(veiled_record(d, record))),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (Arc::clone(k), veiled(d, v))).collect()),
        other => other.clone(),
    }
}

fn veiled_record(d: &mut Dice<'_>, record: &Record) -> Record {
    Record { values: record.values.iter().map(|v| veiled(d, v)).collect() }
}

/// What an expression is asked about.
#[derive(Debug, Clone)]
struct World {
    record: Record,
    rows: Vec<Record>,
    complete: bool,
}

fn known_world(d: &mut Dice<'_>, env: &Env) -> World {
    let record = known_record(d, env.record.as_ref().expect("there is a record"));
    let rows = (0..d.pick(4))
        .map(|n| {
            let mut row = known_record(d, &env.datasets["d"].shape);
            // Keys identify: each occurs once.
            row.values[0] = Value::string(format!("k{n}"));
            row
        })
        .collect();
    World { record, rows, complete: true }
}

fn veiled_world(d: &mut Dice<'_>, whole: &World) -> World {
    let complete = d.chance(70);
    let read = if complete { whole.rows.len() } else { d.pick(whole.rows.len() + 1) };
    World {
        record: veiled_record(d, &whole.record),
        rows: whole.rows[..read].iter().map(|row| veiled_record(d, row)).collect(),
        complete,
    }
}

fn eval(source: &str, env: &Env, world: &World) -> Evaluation {
    let program = compile(source, env, &Expected::Bool).unwrap_or_else(|e| panic!("{source}: {e}"));
    let shape = &env.datasets["d"].shape;
    let view = if world.complete {
        DatasetView::complete(shape, &world.rows)
    } else {
        DatasetView::incomplete(shape, &world.rows, "cut off")
    };
    let datasets = BTreeMap::from([("d".to_owned(), view)]);
    let params = BTreeMap::from([("k".to_owned(), Value::Int(1))]);
    let bound = program.bind(&Inputs { datasets: &datasets, params: &params, now: NOW });
    let evaluation = bound.eval(Some(&world.record));
    assert_eq!(bound.test(Some(&world.record)), evaluation.truth(), "traced and untraced differ: {source}");
    evaluation
}

/// The answer, errors without their words.
fn answer(evaluation: &Evaluation) -> Option<Value> {
    evaluation.value.clone().ok()
}

/// An equation that an index can answer, and the same one written so that none does.
fn equals(field: &str, wanted: &str) -> (String, String) {
    (format!("r.{field} == {wanted}"), format!("!(r.{field} != {wanted})"))
}

proptest! {
    #![proptest_config(config(2000))]

    /// The law: what could be decided from a part of the facts stays decided when the rest is known, whatever the rest is.
    #[test]
    fn an_unknown_never_flips_a_decided_result(bytes in prop::collection::vec(any::<u8>(), 400)) {
        let mut d = Dice(bytes.iter());
        let env = env();
        let depth = 1 + d.pick(4);
        let source = condition(&mut d, depth, &[]);
        let whole = known_world(&mut d, &env);
        let part = veiled_world(&mut d, &whole);
        let from_part = eval(&source, &env, &part);
        let from_whole = eval(&source, &env, &whole);
        prop_assert_ne!(&from_whole.value, &Ok(Value::Unknown), "nothing is unknown, the answer is: {}", source);
        if from_part.value != Ok(Value::Unknown) {
            prop_assert_eq!(answer(&from_part), answer(&from_whole), "{} flips", source);
        }
    }

    /// An answer that is not there says what was missing; one that is there needs nothing.
    #[test]
    fn an_unknown_answer_names_what_is_missing(bytes in prop::collection::vec(any::<u8>(), 400)) {
        let mut d = Dice(bytes.iter());
        let env = env();
        let depth = 1 + d.pick(4);
        let source = condition(&mut d, depth, &[]);
        let whole = known_world(&mut d, &env);
        let part = veiled_world(&mut d, &whole);
        let evaluation = eval(&source, &env, &part);
        match evaluation.value {
            Ok(Value::Unknown) => prop_assert!(!evaluation.unknown.is_empty(), "{}", source),
            Ok(_) => prop_assert!(evaluation.unknown.is_empty(), "{}", source),
            Err(_) => {}
        }
    }

    /// Evidence suffices: with every field that is not in it unknown, the answer is the same.
    #[test]
    fn the_evidence_alone_decides(bytes in prop::collection::vec(any::<u8>(), 400)) {
        let mut d = Dice(bytes.iter());
        let env = env();
        let depth = 1 + d.pick(4);
        let source = condition(&mut d, depth, &[]);
        let whole = known_world(&mut d, &env);
        let part = veiled_world(&mut d, &whole);
        let evaluation = eval(&source, &env, &part);
        if evaluation.left_out > 0 || !matches!(evaluation.value, Ok(Value::Bool(_))) {
            return Ok(());
        }
        let used: BTreeSet<&str> = evaluation
            .decided_by
            .iter()
            .filter(|u| u.place.dataset.is_none())
            .map(|u| u.place.path.split(['.', '[']).next().unwrap_or(""))
            .collect();
        let mut bare = part.clone();
        let fields = &env.record.as_ref().expect("there is a record").fields;
        for (value, field) in bare.record.values.iter_mut().zip(fields) {
            if !used.contains(field.name.as_str()) {
                *value = Value::Unknown;
            }
        }
        let again = eval(&source, &env, &bare);
        prop_assert_eq!(answer(&again), answer(&evaluation), "{} needs more than {:?}", source, used);
        // A dataset that is not in the evidence was not needed either.
        if evaluation.decided_by.iter().all(|u| u.place.dataset.is_none()) {
            bare.rows.clear();
            bare.complete = false;
            let again = eval(&source, &env, &bare);
            prop_assert_eq!(answer(&again), answer(&evaluation), "{} needs the dataset", source);
        }
    }

    /// A look-up through the index gives what asking every record gives.
    #[test]
    fn an_index_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 400)) {
        let mut d = Dice(bytes.iter());
        let env = env();
        let kind = d.of(&["exists", "exists_one"]);
        let rest = condition(&mut d, 2, &["r".to_owned()]);
        // Written with a double negation the condition is the same, and no index is used.
        let (first, same) = match d.pick(4) {
            0 => equals("id", &text(&mut d, 1, &[])),
            1 => equals("n", &number(&mut d, 1, &[])),
            2 => equals("f", &condition(&mut d, 1, &[])),
            _ => {
                let wanted = text(&mut d, 1, &[]);
                (format!("{wanted} in r.g"), format!("!!({wanted} in r.g)"))
            }
        };
        let whole = known_world(&mut d, &env);
        let part = veiled_world(&mut d, &whole);
        let indexed = format!("datasets.d.{kind}(r, {first} && {rest})");
        let asked = format!("datasets.d.{kind}(r, {same} && {rest})");
        prop_assert_eq!(answer(&eval(&indexed, &env, &part)), answer(&eval(&asked, &env, &part)), "{}", indexed);
    }

    /// Whatever is written, compiling it ends, without a panic, in a program or an error inside the source.
    #[test]
    fn any_text_compiles_or_is_refused(text in "\\PC{0,80}") {
        refused_inside(&text)?;
    }

    /// The same for texts made of the language's own parts, which get further.
    #[test]
    fn any_tokens_compile_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        const PARTS: [&str; 48] = [
            "a", "i", "s", "l", "o", "m", "r", "now", "datasets", ".d", ".get(", ".exists(r,", ".all(r,", ".map(r,", "params", ".k",
            ".", "(", ")", "[", "]", "{", "}", ",", "?", ":", "&&", "||", "!", "-", "+", "*", "/", "%", "==", "!=", "<", "<=", "in",
            "null", "true", "1", "2.5", "'x'", "\"", "has(", "size(", ".matches('[a-')",
        ];
        let text: Vec<&str> = bytes.iter().map(|b| PARTS[usize::from(*b) % PARTS.len()]).collect();
        refused_inside(&text.join(" "))?;
    }
}

fn refused_inside(text: &str) -> Result<(), TestCaseError> {
    for dynamic in [false, true] {
        let env = Env { dynamic, ..env() };
        match compile(text, &env, &Expected::Any) {
            Ok(program) => {
                // And running it ends, too.
                let (datasets, params) = (BTreeMap::new(), BTreeMap::new());
                let _ = program.bind(&Inputs { datasets: &datasets, params: &params, now: NOW }).eval(None);
            }
            Err(error) => {
                let (line, column) = error.line_col(text);
                prop_assert!(line >= 1 && column >= 1);
                prop_assert!(
                    error.span.start <= error.span.end && error.span.end <= text.len(),
                    "{:?}",
                    error
                );
                prop_assert!(text.is_char_boundary(error.span.start), "{:?}", error);
            }
        }
    }
    Ok(())
}
