//! What is unknown, null or incomplete: what it decides, what it leaves open, and what the evidence says.

mod common;

use common::World;
use expr::{Fault, Truth, limits};

#[track_caller]
fn check(world: &World, record: &str, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(source, wanted)| (source, world.line(source, record), wanted))
        .filter(|(_, got, wanted)| got != *wanted)
        .map(|(source, got, wanted)| format!("{source}\n  gives  {got}\n  wanted {wanted}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `&&`, `||` and `?:` over true, false, unknown and an error, all combinations.
#[test]
fn truth_tables() {
    let world = World::new();
    // two_factor is not given, so it is unknown; seats is null, so ordering it is an error.
    let record = r#"{"seats": null}"#;
    let values = [
        ("true", Truth::True),
        ("false", Truth::False),
        ("two_factor", Truth::Unknown),
        ("seats > 1", Truth::Error),
    ];
    for (left, l) in values {
        for (right, r) in values {
            let and = match (l, r) {
                (Truth::False, _) | (_, Truth::False) => Truth::False,
                (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
                (Truth::Error, _) | (_, Truth::Error) => Truth::Error,
                _ => Truth::True,
            };
            let or = match (l, r) {
                (Truth::True, _) | (_, Truth::True) => Truth::True,
                (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
                (Truth::Error, _) | (_, Truth::Error) => Truth::Error,
                _ => Truth::False,
            };
            assert_eq!(world.truth(&format!("{left} && {right}"), record), and, "{left} && {right}");
            assert_eq!(world.truth(&format!("{left} || {right}"), record), or, "{left} || {right}");
            for (condition, c) in values {
                let choice = match c {
                    Truth::True => l,
                    Truth::False => r,
                    undecided => undecided,
                };
                let source = format!("({condition}) ? ({left}) : ({right})");
                assert_eq!(world.truth(&source, record), choice, "{source}");
            }
        }
        let not = match l {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            undecided => undecided,
        };
        assert_eq!(world.truth(&format!("!({left})"), record), not, "!({left})");
    }
}

#[test]
fn only_what_decided_is_evidence() {
    let record = r#"{"login": "ann", "state": "active", "two_factor": false, "admin": true, "seats": 3,
        "plan": {"name": "free", "seats": 5}, "permissions": {"issues": "write"}}"#;
    check(
        &World::new(),
        record,
        &[
            ("two_factor == true", "false by two_factor=false"),
            ("state == 'active' && two_factor", "false by two_factor=false"),
            ("admin || two_factor", "true by admin=true"),
            ("two_factor || admin", "true by admin=true"),
            ("state != 'active' || two_factor", "false by state=\"active\", two_factor=false"),
            ("admin ? seats > 2 : two_factor", "true by admin=true, seats=3"),
            ("seats < plan.seats", "true by seats=3, plan.seats=5"),
            ("permissions.issues == 'write'", "true by permissions[\"issues\"]=\"write\""),
            ("permissions.exists(p, permissions[p] == 'write')", "true by permissions[\"issues\"]=\"write\""),
            ("permissions.exists(p, p == 'issues')", "true by permissions[\"issues\"]=\"write\""),
            ("'code' in permissions", "false by permissions={\"issues\":\"write\"}"),
            ("seats <= params.max_days", "true by seats=3, params.max_days=90"),
            ("timestamp('2026-01-01T00:00:00Z') < now", "true by now=\"2026-01-31T00:00:00Z\""),
        ],
    );
}

#[test]
fn unknown_fields_are_named_when_they_matter() {
    let record = r#"{"login": "ann", "state": "active", "admin": false, "plan": {"name": "free"}}"#;
    check(
        &World::new(),
        record,
        &[
            ("two_factor", "unknown for two_factor"),
            ("two_factor == true && state == 'active'", "unknown for two_factor"),
            ("two_factor && admin", "false by admin=false"),
            ("two_factor || seats > 3", "unknown for two_factor, seats"),
            ("two_factor == null", "unknown for two_factor"),
            ("two_factor != two_factor", "unknown for two_factor"),
            ("plan.seats > 3", "unknown for plan.seats"),
            ("permissions.issues == 'write'", "unknown for permissions"),
            ("tags.exists(t, t == 'x')", "unknown for tags"),
            ("login in [state, manager, 'ann']", "true by login=\"ann\", state=\"active\""),
            ("login in [state, manager]", "unknown for manager"),
            ("size([manager, login]) == 2", "true by login=\"ann\""),
            ("has(plan.seats)", "unknown for plan.seats"),
            ("seats + 1 > 3", "unknown for seats"),
            ("admin ? two_factor : true", "true by admin=false"),
            ("two_factor ? true : true", "unknown for two_factor"),
            ("seats > 3 && last_active_at > now", "unknown for seats, last_active_at"),
        ],
    );
}

#[test]
fn null_is_a_value_to_compare_and_an_error_to_compute_with() {
    let record = r#"{"manager": null, "seats": null, "last_active_at": null, "plan": null, "tags": null, "two_factor": null,
        "permissions": {"issues": null}, "admin": true}"#;
    check(
        &World::new(),
        record,
        &[
            ("manager == null", "true by manager=null"),
            ("manager != null && manager.startsWith('a')", "false by manager=null"),
            ("manager == 'ann'", "false by manager=null"),
            ("manager in ['ann', 'bob']", "false by manager=null"),
            ("seats > 3", "error: `seats` is null for seats (null)"),
            ("!(seats > 3)", "error: `seats` is null for seats (null)"),
            ("3 < seats", "error: `seats` is null for seats (null)"),
            ("seats + 1 == 2", "error: `seats` is null for seats (null)"),
            ("-seats == 2", "error: `seats` is null for seats (null)"),
            (
                "now - last_active_at > duration('720h')",
                "error: `last_active_at` is null by now=\"2026-01-31T00:00:00Z\" for last_active_at (null)",
            ),
            ("manager.startsWith('a')", "error: `manager` is null for manager (null)"),
            ("manager.matches('^a')", "error: `manager` is null for manager (null)"),
            ("plan.name == 'free'", "error: `plan` is null for plan (null)"),
            ("has(plan.name)", "false by plan=null"),
            ("tags.exists(t, t == 'x')", "error: `tags` is null for tags (null)"),
            ("'x' in tags", "error: `tags` is null for tags (null)"),
            ("two_factor", "null by two_factor=null"),
            ("two_factor && admin", "error: `two_factor` is null by admin=true for two_factor (null)"),
            ("two_factor ? 1 : 2", "error: `two_factor` is null for two_factor (null)"),
            ("seats > 3 || admin", "true by admin=true"),
            ("permissions.issues == null", "true by permissions[\"issues\"]=null"),
            (
                "permissions.code == null",
                "error: `permissions.code` has no such key by permissions={\"issues\":null}",
            ),
        ],
    );
}

/// A null where a check wants true or false is not an answer either.
#[test]
fn null_is_no_truth() {
    assert_eq!(World::new().truth("two_factor", r#"{"two_factor": null}"#), Truth::Error);
}

#[test]
fn an_incomplete_list_says_only_what_is_in_it() {
    let record = r#"{"tags": {"$incomplete": ["a", "b"]}, "login": "b"}"#;
    let open = "unknown for tags (incomplete list)";
    check(
        &World::new(),
        record,
        &[
            ("tags.exists(t, t == 'b')", "true by tags[1]=\"b\""),
            ("tags.exists(t, t == 'c')", open),
            ("tags.all(t, t == 'a')", "false by tags[1]=\"b\""),
            ("tags.all(t, t < 'c')", open),
            ("tags.exists_one(t, t == 'a')", open),
            ("tags.filter(t, t == 'a').size() == 1", open),
            ("tags.map(t, t + 'x') == ['ax', 'bx']", open),
            ("size(tags) > 1", open),
            ("'a' in tags", "true by tags={\"$incomplete\":[\"a\",\"b\"]}"),
            ("'c' in tags", open),
            ("tags[1] == login", "true by tags[1]=\"b\", login=\"b\""),
            ("tags[2] == 'c'", open),
            ("tags == ['a', 'b']", open),
            ("tags == ['a', 'c', 'd']", "false by tags={\"$incomplete\":[\"a\",\"b\"]}"),
            ("tags == ['a']", "false by tags={\"$incomplete\":[\"a\",\"b\"]}"),
            ("tags.join(',') == 'a,b'", open),
            ("'d' in (['d'] + tags)", "true by tags={\"$incomplete\":[\"a\",\"b\"]}"),
            ("'d' in (tags + ['d'])", open),
        ],
    );
}

#[test]
fn a_complete_dataset_answers_by_record() {
    check(
        &World::new(),
        r#"{"login": "bob", "manager": "eve"}"#,
        &[
            (
                "datasets.rules.exists(r, r.kind == 'a' && r.enforced)",
                "true by datasets.rules[#0].kind=\"a\", datasets.rules[#0].enforced=true",
            ),
            ("datasets.rules.exists(r, r.kind == 'z')", "false by datasets.rules=2"),
            ("datasets.rules.all(r, r.enforced)", "false by datasets.rules[#1].enforced=false"),
            ("datasets.rules.all(r, r.kind < login)", "true by login=\"bob\", datasets.rules=2"),
            ("datasets.rules.size() == 2", "true by datasets.rules=2"),
            ("size(datasets.rules) == 2", "true by datasets.rules=2"),
            (
                "datasets.people.exists(p, p.id == login && p.active)",
                "false by login=\"bob\", datasets.people=3",
            ),
            (
                "datasets.people.exists(p, login == p.id && !p.active)",
                "true by login=\"bob\", datasets.people[\"bob\"].id=\"bob\", datasets.people[\"bob\"].active=false",
            ),
            (
                "datasets.people.get(login).team == 'core'",
                "true by login=\"bob\", datasets.people[\"bob\"].team=\"core\"",
            ),
            ("datasets.people.get(login) != null", "true by login=\"bob\", datasets.people[\"bob\"]=\"bob\""),
            ("datasets.people.get(manager) == null", "true by manager=\"eve\", datasets.people=3"),
            ("datasets.people.get('cyd').active", "unknown for datasets.people[\"cyd\"].active"),
            (
                "datasets.people.exists(p, p.active && p.team == 'web')",
                "unknown for datasets.people[\"cyd\"].active",
            ),
            (
                "datasets.people.filter(p, p.team == 'core').map(p, p.id) == ['ann', 'bob']",
                "true by datasets.people=3",
            ),
            ("datasets.people.exists_one(p, p.team == 'web')", "true by datasets.people=3"),
            (
                "datasets.people.exists(p, p.age > 100)",
                "error: `p.age` is null by datasets.people=3 for datasets.people[\"bob\"].age (null)",
            ),
            (
                "datasets.people.get('bob').age > 3",
                "error: `datasets.people.get('bob').age` is null for datasets.people[\"bob\"].age (null)",
            ),
        ],
    );
}

#[test]
fn an_incomplete_dataset_is_never_taken_for_all() {
    let mut world = World::new();
    world.missing.insert("people", "page 3 answered 502");
    let open = "unknown for datasets.people (incomplete: page 3 answered 502)";
    check(
        &world,
        r#"{"login": "bob", "manager": "eve"}"#,
        &[
            ("datasets.people.exists(p, p.id == 'ann')", "true by datasets.people[\"ann\"].id=\"ann\""),
            ("datasets.people.exists(p, p.id == manager)", open),
            ("datasets.people.all(p, p.team == 'core')", "false by datasets.people[\"cyd\"].team=\"web\""),
            ("datasets.people.all(p, p.id != 'x')", open),
            ("datasets.people.exists_one(p, p.id == 'ann')", open),
            ("datasets.people.filter(p, p.id == 'ann').size() == 1", open),
            ("datasets.people.map(p, p.id).size() == 3", open),
            ("datasets.people.size() > 0", open),
            ("datasets.people.get(login) != null", "true by login=\"bob\", datasets.people[\"bob\"]=\"bob\""),
            ("datasets.people.get(manager) == null", open),
            ("datasets.people.get(manager).active", open),
        ],
    );
}

#[test]
fn a_record_with_an_unknown_key_may_be_the_one() {
    let mut world = World::new();
    world.people = world.records("people", r#"[{"id": "ann", "team": "core"}, {"team": "web"}]"#);
    check(
        &world,
        "{}",
        &[
            ("datasets.people.get('ann').team == 'core'", "true by datasets.people[\"ann\"].team=\"core\""),
            ("datasets.people.get('eve') == null", "unknown for datasets.people[#1].id"),
            ("datasets.people.exists(p, p.id == 'eve')", "unknown for datasets.people[#1].id"),
            ("datasets.people.exists(p, p.id == 'eve' && p.team == 'core')", "false by datasets.people=2"),
        ],
    );
}

#[test]
fn absence_identifies_no_record() {
    let mut world = World::new();
    world.missing.insert("people", "it was not read");
    check(
        &world,
        r#"{"manager": null}"#,
        &[("datasets.people.get(manager) == null", "true by manager=null")],
    );
}

/// A dataset or parameter that was not handed over is unknown, not empty.
#[test]
fn what_is_not_handed_over_is_unknown() {
    use expr::{Expected, Inputs, compile};
    use std::collections::BTreeMap;

    let world = World::new();
    let record = world.record("{}");
    let inputs = Inputs { datasets: &BTreeMap::new(), params: &BTreeMap::new(), now: common::NOW };
    for source in [
        "datasets.people.all(p, p.active)",
        "datasets.people.size() == 0",
        "!datasets.people.exists(p, p.active)",
        "datasets.people.get('x') == null",
        "params.max_days == 3",
    ] {
        let program = compile(source, &world.env, &Expected::Bool).expect(source);
        let evaluation = program.bind(&inputs).eval(Some(&record));
        assert_eq!(evaluation.truth(), Truth::Unknown, "{source}");
        assert_eq!(evaluation.unknown.len(), 1, "{source}: {:?}", evaluation.unknown);
    }
    // Nor is a record that is missing or of an older revision.
    let program = compile("two_factor || admin", &world.env, &Expected::Bool).expect("it compiles");
    assert_eq!(program.bind(&inputs).test(None), Truth::Unknown);
    let short = model::value::Record { values: Box::new([]) };
    assert_eq!(program.bind(&inputs).test(Some(&short)), Truth::Unknown);
}

#[test]
fn evaluation_errors_name_the_part() {
    let record = r#"{"seats": 9223372036854775807, "tags": ["a"], "login": "x", "permissions": {}}"#;
    check(
        &World::new(),
        record,
        &[
            ("seats + 1 > 0", "error: `seats + 1` is out of range by seats=9223372036854775807"),
            ("seats / 0 == 1", "error: `seats / 0` divides by zero by seats=9223372036854775807"),
            ("tags[1] == 'a'", "error: `tags[1]` is beyond the end by tags=[\"a\"]"),
            ("int(login) == 1", "error: `int(login)` does not have the form it needs by login=\"x\""),
            ("permissions['a'] == 'b'", "error: `permissions['a']` has no such key by permissions={}"),
        ],
    );
}

#[test]
fn endless_work_ends_in_an_error() {
    let mut world = World::new();
    world.people = (0..3000)
        .flat_map(|n| {
            world.records("people", &format!(r#"[{{"id": "{n}", "team": "t", "active": true, "age": {n}}}]"#))
        })
        .collect();
    for source in [
        "datasets.people.all(p, datasets.people.all(q, p.age == q.age || p.id != q.id))",
        // Absorbing the error does not bring the steps back.
        "datasets.people.all(p, datasets.people.all(q, p.age == q.age || p.id != q.id)) || true",
    ] {
        let evaluation = world.eval(source, "{}");
        assert_eq!(evaluation.value.map_err(|e| e.fault), Err(Fault::TooManySteps), "{source}");
        assert!(evaluation.steps < limits::STEPS + 1000, "{source}: {}", evaluation.steps);
    }
    // A text that doubles at each turn is stopped before it is built.
    let mut doubling = "['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']".to_owned();
    for _ in 0..40 {
        doubling += ".map(a, a + a)";
    }
    let evaluation = world.eval(&doubling, "{}");
    assert_eq!(evaluation.value.map_err(|e| e.fault), Err(Fault::TooManySteps));
}

#[test]
fn long_evidence_is_cut_and_counted() {
    let mut world = World::new();
    let people: Vec<String> = (0..100).map(|n| format!(r#"{{"id": "{n}"}}"#)).collect();
    world.people = world.records("people", &format!("[{}]", people.join(",")));
    let evaluation = world.eval("datasets.people.all(p, p.active)", "{}");
    assert_eq!(evaluation.truth(), Truth::Unknown);
    assert_eq!(evaluation.unknown.len() + evaluation.left_out, 100);
    assert_eq!(evaluation.unknown.len(), limits::EVIDENCE);
}
