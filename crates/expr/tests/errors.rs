//! What is said about expressions that do not compile: the place, what is wrong, and what to write instead.

mod common;

use common::World;
use expr::{Env, Expected, compile};
use model::value::Type;

/// `column: message; hint` for each expression, with the part that is marked.
fn errors(sources: &[&str]) -> String {
    let env = World::new().env;
    let line = |source: &&str| {
        let error = compile(source, &env, &Expected::Bool).expect_err(source);
        let (line, column) = error.line_col(source);
        let part = error.span.text(source);
        format!("{source}\n  {line}:{column} {part:?}: {error}\n")
    };
    sources.iter().map(line).collect()
}

#[test]
fn names() {
    insta::assert_snapshot!(errors(&[
        "two_facter == true",
        "plan.nam == 'x'",
        "seat > 3",
        "zzz",
        "datasets.peeple.exists(p, p.active)",
        "datasets.people.exists(p, p.actve)",
        "datasets.people",
        "datasets.people == []",
        "datasets",
        "params.max_day > 3",
        "params > 3",
        "login.startswith('a')",
        "has(login)",
        "tags.exist(t, t == 'x')",
        "exists(tags, admin)",
        "login.get('x') == null",
        "matches(login) == true",
        "has(params.max_days)",
    ]));
}

#[test]
fn types() {
    insta::assert_snapshot!(errors(&[
        "login",
        "seats + 1",
        "null",
        "login == 3",
        "login in [1, 2]",
        "seats < 'x'",
        "tags && admin",
        "login && admin",
        "plan && admin",
        "!login",
        "-login == 'x'",
        "seats + ratio > 1.0",
        "now + now > now",
        "[1, 'a'].size() == 2",
        "(admin ? 1 : 'x') == 1",
        "login.name == 'x'",
        "tags.name == 'x'",
        "tags['x'] == 'x'",
        "plan['name'] == 'x'",
        "seats.exists(s, s)",
        "tags.exists(t, t)",
        "size(seats) == 1",
        "login.split(1) == []",
        "{1: 2}.size() == 1",
        "{'a': 1, 'a': 2}.size() == 1",
        "dyn(login) == 1",
        "login < null",
    ]));
}

#[test]
fn form() {
    insta::assert_snapshot!(errors(&[
        "",
        "   // nothing",
        "admin &&",
        "admin && && admin",
        "(admin",
        "admin)",
        "admin = true",
        "admin & admin",
        "admin | admin",
        "login == 'x",
        "login == \"x\ny\"",
        r"login == '\q'",
        r"login == '\u12'",
        "login == b'x'",
        "seats == 1u",
        "seats == 99999999999999999999",
        "seats == 1x",
        "ratio == 1e",
        "if == 1",
        "in == 1",
        "plan.in == 1",
        "Plan{name: 'x'}",
        "login # admin",
        "tags.exists(t)",
        "tags.exists('t', true)",
        "tags.exists(now, true)",
        "tags.map(t)",
    ]));
}

#[test]
fn values_and_look_ups() {
    insta::assert_snapshot!(errors(&[
        "login.matches('[a-')",
        "login.matches(manager)",
        "seats.matches('x')",
        "last_active_at > timestamp('yesterday')",
        "idle > duration('3 days')",
        "duration('999999999h') > idle",
        "datasets.rules.get('x') == null",
        "datasets.people.get(3) == null",
        "datasets.people.get() == null",
        "datasets.people.get('x', 'y') == null",
        "datasets['people'].size() == 1",
    ]));
}

/// Whatever is nested as deep as it may be fits three quarters of the stack that threads have by default, also without optimisation.
#[test]
fn bounds() {
    let small = std::thread::Builder::new()
        .stack_size(3 << 19)
        .spawn(bounds_in_a_small_stack)
        .expect("a thread starts");
    small.join().expect("nothing panics");
}

fn bounds_in_a_small_stack() {
    let env = World::new().env;
    let says = |source: &str| compile(source, &env, &Expected::Bool).expect_err("it is too large").message;
    let long = format!("login == '{}'", "x".repeat(17_000));
    assert_eq!(says(&long), "the expression is longer than 16384 bytes");
    for deep in [
        format!("{}admin{}", "(".repeat(200), ")".repeat(200)),
        format!("{}admin", "!".repeat(200)),
        format!("seats{} > 0", " + 1".repeat(200)),
        format!("tags{} > 1", ".size()".repeat(200)),
        "[".repeat(200),
        format!("{}admin", "admin ? admin : ".repeat(200)),
    ] {
        assert_eq!(says(&deep), "the expression is nested deeper than 64 levels", "{deep}");
    }
    // The deepest that compile are evaluated, too.
    let world = World::new();
    for deep in [
        format!("{}admin{}", "(".repeat(62), ")".repeat(62)),
        format!("{}admin", "!".repeat(62)),
        format!("seats{} > 0", " + 1".repeat(61)),
        format!("{}admin", "admin ? admin : ".repeat(62)),
        format!("{}true{}", "tags.exists(t, ".repeat(61), ")".repeat(61)),
        format!("{}admin{}", "admin && (admin || (".repeat(30), "))".repeat(30)),
    ] {
        assert_eq!(
            world.truth(&deep, r#"{"admin": true, "seats": 1, "tags": ["x"]}"#),
            expr::Truth::True,
            "{deep}"
        );
    }
    // Joined parts are no nesting.
    assert!(compile(&format!("admin{}", " && admin".repeat(1000)), &env, &Expected::Bool).is_ok());
    let huge = "login.matches('(a{1,1000}){1,1000}')";
    assert_eq!(says(huge), "the pattern needs more than 262144 bytes when compiled");
}

#[test]
fn the_expected_type_is_asked_for() {
    let env = World::new().env;
    let says =
        |source: &str, kind: Type| compile(source, &env, &Expected::Type(kind)).err().map(|e| e.message);
    assert_eq!(says("login", Type::String), None);
    assert_eq!(says("admin ? login : null", Type::String), None);
    assert_eq!(says("[]", Type::List(Box::new(Type::String))), None);
    assert_eq!(says("seats", Type::String).as_deref(), Some("the result is an int, not a string"));
    assert_eq!(says("null", Type::String).as_deref(), Some("the result is null, not a string"));
    assert_eq!(
        says("tags", Type::List(Box::new(Type::Int))).as_deref(),
        Some("the result is a list (a string each), not a list (an int each)")
    );
}

#[test]
fn what_an_expression_names_is_told() {
    let env = World::new().env;
    let source = "seats > params.max_days && datasets.people.exists(p, p.id == login && p.active) && datasets.people.get(manager).team == 'x' && last_active_at < now";
    let program = compile(source, &env, &Expected::Bool).expect("it compiles");
    let uses = program.uses();
    assert_eq!(uses.fields.iter().collect::<Vec<_>>(), ["last_active_at", "login", "manager", "seats"]);
    assert_eq!(uses.params.iter().collect::<Vec<_>>(), ["max_days"]);
    assert_eq!(uses.datasets["people"].iter().collect::<Vec<_>>(), ["active", "id", "team"]);
    assert!(uses.now);
    assert_eq!((program.source(), program.result()), (source, Some(Type::Bool)));
}

/// A field that is called like something of the environment does not hide it; a macro's variable hides a field.
#[test]
fn names_are_found_from_the_inside_out() {
    let world = World::new();
    let record = r#"{"login": "ann", "tags": ["x"]}"#;
    assert_eq!(world.line("tags.exists(login, login == 'x')", record), "true by tags[0]=\"x\"");
    let mut env = world.env.clone();
    env.record = Some(common::shape(&[("now", Type::String), ("params", Type::String)]));
    assert!(compile("now == 'x'", &env, &Expected::Bool).is_err());
    assert!(compile("params == 'x'", &env, &Expected::Bool).is_err());
    assert!(
        compile("a", &Env::default(), &Expected::Any)
            .expect_err("nothing is there")
            .message
            .contains("no record")
    );
}
