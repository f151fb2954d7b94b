//! What may be asked of an instant that is a bound, and what may not.

use std::collections::BTreeMap;

use model::time::Timestamp;
use model::value::{Record, ShapeField, Type};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::{DatasetType, DatasetView, Env, Expected, Inputs, Truth, compile};

fn shape() -> Arc<Shape> {
    let field = |(name, kind): (&str, Type)| ShapeField { name: name.to_owned(), kind, sensitive: false };
    let fields = [
        ("id", Type::String),
        ("bound", Type::Timestamp),
        ("exact", Type::Timestamp),
        ("made", Type::Timestamp),
        ("a", Type::Bool),
        ("b", Type::Bool),
    ];
    Arc::new(Shape { fields: fields.into_iter().map(field).collect() })
}

fn env(shape: &Arc<Shape>) -> Env {
    let things = DatasetType { shape: Arc::clone(shape), key: Some("id".to_owned()) };
    Env {
        record: Some(Arc::clone(shape)),
        datasets: BTreeMap::from([("things".to_owned(), things)]),
        params: BTreeMap::from([("n".to_owned(), Type::Duration)]),
        dynamic: false,
    }
}

fn bounding(shape: &Arc<Shape>) -> Bounding<'_> {
    Bounding { shape, field: "bound", exact: vec!["exact"], is_record: true }
}

/// The part that leans.
fn leans(source: &str) -> Option<String> {
    let shape = shape();
    let program = compile(source, &env(&shape), &Expected::Bool).expect(source);
    program.leans(&bounding(&shape)).map(|span| span.text(source).to_owned())
}

#[test]
fn what_holds_for_anything_older() {
    for source in [
        "now - made <= params.n",
        "now - exact <= params.n",
        // Both together: young only where that is known.
        "now - bound <= params.n && now - exact <= params.n",
        "!(now - bound > params.n) && now - exact <= params.n",
        "now - bound > params.n ? false : now - exact <= params.n",
        "now - made <= params.n || now - bound <= params.n && now - exact <= params.n",
        "bound >= now - params.n && exact >= now - params.n",
        "!(bound < now - params.n || now - exact > params.n)",
        "(a ? bound : made) >= now - params.n && exact >= now - params.n",
        // Of every record by itself.
        "datasets.things.all(t, now - t.bound <= params.n && now - t.exact <= params.n)",
        "!datasets.things.exists(t, now - t.bound > params.n || now - t.exact > params.n)",
        "datasets.things.exists(t, t.id == id && t.made > made)",
        "datasets.things.get(id) != null",
    ] {
        assert_eq!(leans(source), None, "{source}");
    }
}

#[test]
fn what_would_be_another_answer_for_something_older() {
    for (source, part) in [
        ("now - bound <= params.n", "now - bound <= params.n"),
        ("now - bound > params.n", "now - bound > params.n"),
        ("bound >= now - params.n || a", "bound >= now - params.n"),
        ("a && !(now - bound > params.n)", "(now - bound > params.n)"),
        ("now - bound <= params.n || now - exact <= params.n", "now - bound <= params.n"),
        ("a || now - bound <= params.n && b", "now - bound <= params.n"),
        ("now - exact <= params.n ? true : now - bound > params.n", ""),
        ("a ? now - bound <= params.n : now - exact <= params.n", "now - bound <= params.n"),
        ("bound == made", "bound"),
        ("bound.getFullYear() > 2020 && a", "bound.getFullYear() > 2020"),
        ("bound - bound < params.n", "bound - bound < params.n"),
        ("bound in [made]", "bound"),
        (
            "now - (bound > made ? bound : made) <= params.n",
            "now - (bound > made ? bound : made) <= params.n",
        ),
        // That one record's instant is known says nothing of another's.
        (
            "now - exact <= params.n && datasets.things.get('x').bound > made",
            "datasets.things.get('x').bound > made",
        ),
        (
            "datasets.things.all(t, now - t.bound <= params.n && now - exact <= params.n)",
            "now - t.bound <= params.n",
        ),
        (
            "datasets.things.all(t, now - bound <= params.n && now - t.exact <= params.n)",
            "now - bound <= params.n",
        ),
        (
            "datasets.things.exists(t, now - t.exact <= params.n) && datasets.things.exists(t, now - t.bound <= params.n)",
            "now - t.bound <= params.n",
        ),
        (
            "datasets.things.all(t, datasets.things.exists(u, now - t.bound <= params.n && now - u.exact <= params.n))",
            "now - t.bound <= params.n",
        ),
        ("datasets.things.map(t, t.bound).exists(x, x > made)", "t.bound"),
        ("datasets.things.filter(t, t.bound > made).size() > 3", "t.bound > made"),
        ("datasets.things.exists_one(t, t.bound > made)", "t.bound > made"),
        (
            "datasets.things.get('x') == datasets.things.get('y')",
            "datasets.things.get('x') == datasets.things.get('y')",
        ),
    ] {
        let told = leans(source);
        if part.is_empty() {
            assert_eq!(told, None, "{source}: without the instant there is no condition to choose by");
        } else {
            assert_eq!(told.as_deref(), Some(part), "{source}");
        }
    }
}

#[test]
fn where_it_is_read() {
    let shape = shape();
    let read = |source: &str| {
        let program = compile(source, &env(&shape), &Expected::Bool).expect(source);
        program.reads(&bounding(&shape)).map(|span| span.text(source).to_owned())
    };
    assert_eq!(read("now - exact > params.n && a"), None);
    assert_eq!(read("a || now - bound > params.n").as_deref(), Some("bound"));
    assert_eq!(read("datasets.things.exists(t, t.bound > made)").as_deref(), Some("t.bound"));
    assert_eq!(
        read("datasets.things.exists(t, datasets.things.exists(u, t.bound > u.made))").as_deref(),
        Some("t.bound")
    );
    assert_eq!(
        read("datasets.things.get(id).bound > made").as_deref(),
        Some("datasets.things.get(id).bound")
    );
}

/// A random condition, from numbers: parts over the bound, the exact instant, another instant, and facts.
fn condition(dice: &mut impl FnMut(usize) -> usize, depth: usize) -> String {
    let operator = |dice: &mut dyn FnMut(usize) -> usize| ["<", "<=", ">", ">="][dice(4)];
    match dice(if depth == 0 { 5 } else { 9 }) {
        0 => format!("now - bound {} params.n", operator(dice)),
        1 => format!("now - exact {} params.n", operator(dice)),
        2 => format!("bound {} made", operator(dice)),
        3 => "a".to_owned(),
        4 => format!("params.n {} now - bound", operator(dice)),
        5 => format!("({} && {})", condition(dice, depth - 1), condition(dice, depth - 1)),
        6 => format!("({} || {})", condition(dice, depth - 1), condition(dice, depth - 1)),
        7 => format!("!({})", condition(dice, depth - 1)),
        _ => format!(
            "({} ? {} : {})",
            condition(dice, depth - 1),
            condition(dice, depth - 1),
            condition(dice, depth - 1)
        ),
    }
}

proptest! {
    #![proptest_config(Config { cases: 4000, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() })]

    /// The law: where nothing leans, an answer that is given for a bound is given for every earlier instant, too, whether
    /// that is then known exactly or not.
    #[test]
    fn an_answer_that_does_not_lean_is_never_turned_by_knowing_more(
        choices in prop::collection::vec(0..1000usize, 40),
        bound in 0..6i64,
        earlier in 0..6i64,
        made in 0..6i64,
        n in 0..6i64,
        a in any::<bool>(),
    ) {
        let mut choices = choices.into_iter();
        let source = condition(&mut |n| choices.next().unwrap_or(0) % n, 3);
        let shape = shape();
        let program = compile(&source, &env(&shape), &Expected::Bool).expect("it is of the language");
        let now = Timestamp(6);
        let ask = |bound: i64, exact: Option<i64>| {
            let at = |at: i64| Value::Timestamp(Timestamp(at));
            let exact = exact.map_or(Value::Unknown, at);
            let record = Record {
                values: [Value::string("x"), at(bound), exact, at(made), Value::Bool(a), Value::Bool(true)].into(),
            };
            let params = BTreeMap::from([("n".to_owned(), Value::Duration(model::time::Duration(n)))]);
            let datasets: BTreeMap<String, DatasetView<'_>> = BTreeMap::new();
            program.bind(&Inputs { datasets: &datasets, params: &params, now }).test(Some(&record))
        };
        if program.leans(&bounding(&shape)).is_none() {
            let told = ask(bound, None);
            let true_at = bound.min(earlier);
            for more in [ask(true_at, None), ask(true_at, Some(true_at))] {
                let turned = matches!((told, more), (Truth::True, Truth::False) | (Truth::False, Truth::True));
                prop_assert!(!turned, "{source}: {told:?} by {bound}, {more:?} by {true_at}");
            }
        }
    }
}
