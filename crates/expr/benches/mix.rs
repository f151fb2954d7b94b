//! What judging costs: 20 checks of one settings record, 9 of each of 10,000 (and 100,000) accounts, 1 of each of 200 plugins.
//!
//! `cargo bench -p expr` prints the best of several rounds, in total and per evaluation. Figures, no verdict: a machine's
//! speed is no test.
#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expr::{Bound, DatasetType, DatasetView, Env, Expected, Inputs, Program, Truth, compile};
use model::time::Timestamp;
use model::value::{Record, Shape, ShapeField, Type, Value};

const NOW: Timestamp = Timestamp(1_769_817_600_000);
const DAY: i64 = 86_400_000;

fn shape(fields: &[(&str, Type)]) -> Arc<Shape> {
    let field = |(name, kind): &(&str, Type)| ShapeField {
        name: (*name).into(),
        kind: kind.clone(),
        sensitive: false,
    };
    Arc::new(Shape { fields: fields.iter().map(field).collect() })
}

fn account_shape() -> Arc<Shape> {
    shape(&[
        ("id", Type::String),
        ("login", Type::String),
        ("state", Type::String),
        ("email", Type::String),
        ("two_factor", Type::Bool),
        ("admin", Type::Bool),
        ("guest", Type::Bool),
        ("last_active_at", Type::Timestamp),
        ("roles", Type::List(Box::new(Type::String))),
        ("identity", Type::String),
        ("owner", Type::String),
    ])
}

fn accounts(count: usize) -> Vec<Record> {
    let active: Arc<str> = "active".into();
    (0..count)
        .map(|n| {
            let role = |name: &str| Value::string(name);
            let roles =
                if n % 10 == 0 { vec![role("member"), role("billing")] } else { vec![role("member")] };
            Record {
                values: Box::new([
                    Value::string(format!("u{n}")),
                    Value::string(format!("login-{n}")),
                    Value::String(Arc::clone(&active)),
                    Value::string(format!("login-{n}@example.com")),
                    if n % 97 == 0 { Value::Unknown } else { Value::Bool(n % 13 != 0) },
                    Value::Bool(n % 50 == 0),
                    Value::Bool(false),
                    Value::Timestamp(Timestamp(NOW.0 - (n as i64 % 120) * DAY)),
                    Value::list(roles),
                    Value::string(format!("i{n}")),
                    if n % 7 == 0 { Value::Null } else { Value::string("ann") },
                ]),
            }
        })
        .collect()
}

const ACCOUNT_CHECKS: [&str; 9] = [
    "two_factor == true",
    "!admin || two_factor",
    "state != 'active' || now - last_active_at <= duration('2160h')",
    "email.endsWith('@example.com')",
    "!guest || !('admin' in roles)",
    "owner != null",
    "roles.all(r, r in ['member', 'billing', 'owner'])",
    "datasets.identities.exists(i, i.id == identity && i.active)",
    "login.matches('^[a-z0-9-]+$')",
];

const PLUGIN_CHECK: &str = "!scopes.exists(s, s.endsWith(':write') && !s.startsWith('issues')) || (reviewed && publisher in ['a', 'b'])";

fn settings() -> (Arc<Shape>, Record, Vec<String>) {
    let mut fields: Vec<(String, Type)> = (0..16).map(|n| (format!("setting_{n}"), Type::Bool)).collect();
    fields.push(("default_role".into(), Type::String));
    fields.push(("session_minutes".into(), Type::Int));
    fields.push(("allowed".into(), Type::List(Box::new(Type::String))));
    fields.push(("sso".into(), Type::String));
    let named: Vec<(&str, Type)> = fields.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let mut values: Vec<Value> = (0..16).map(|n| Value::Bool(n % 3 != 0)).collect();
    values.push(Value::string("read"));
    values.push(Value::Int(480));
    values.push(Value::list(vec![Value::string("a"), Value::string("b")]));
    values.push(Value::Null);
    let mut checks: Vec<String> = (0..16).map(|n| format!("setting_{n} == true")).collect();
    checks.push("default_role in ['none', 'read']".into());
    checks.push("session_minutes <= params.max_minutes".into());
    checks.push("allowed.all(a, a != '*')".into());
    checks.push("sso != null".into());
    (shape(&named), Record { values: values.into() }, checks)
}

fn plugins() -> (Arc<Shape>, Vec<Record>) {
    let shape = shape(&[
        ("name", Type::String),
        ("publisher", Type::String),
        ("scopes", Type::List(Box::new(Type::String))),
        ("reviewed", Type::Bool),
    ]);
    let records = (0..200)
        .map(|n| Record {
            values: Box::new([
                Value::string(format!("plugin-{n}")),
                Value::string("c"),
                Value::list((0..6).map(|s| Value::string(format!("contents-{s}:read"))).collect()),
                Value::Bool(n % 2 == 0),
            ]),
        })
        .collect();
    (shape, records)
}

/// Asks every check about every record, record by record as assess does: the plain answer, and the evidence of what does
/// not pass.
fn judge(checks: &[Bound<'_>], records: &[Record], evidence: bool) -> usize {
    let mut failing = 0;
    for record in records {
        for check in checks {
            if check.test(Some(record)) != Truth::True {
                failing += 1;
                if evidence {
                    black_box(check.eval(Some(record)));
                }
            }
        }
    }
    failing
}

fn bind<'a>(programs: &'a [Program], inputs: &Inputs<'a>) -> Vec<Bound<'a>> {
    programs.iter().map(|p| p.bind(inputs)).collect()
}

fn best(rounds: usize, mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}

fn report(what: &str, time: Duration, evaluations: usize) {
    let per = time.as_nanos() as f64 / evaluations as f64;
    println!("{what:<58} {:>9.3} ms {per:>8.1} ns per evaluation", time.as_secs_f64() * 1000.0);
}

fn main() {
    let (settings_shape, settings, settings_checks) = settings();
    let (plugin_shape, plugins) = plugins();
    let identity_shape = shape(&[("id", Type::String), ("active", Type::Bool)]);
    let env = |record: &Arc<Shape>| Env {
        record: Some(Arc::clone(record)),
        datasets: BTreeMap::from([(
            "identities".to_owned(),
            DatasetType { shape: Arc::clone(&identity_shape), key: Some("id".into()) },
        )]),
        params: BTreeMap::from([("max_minutes".to_owned(), Type::Int)]),
        dynamic: false,
    };
    let all = |sources: &[&str], shape: &Arc<Shape>| -> Vec<Program> {
        sources
            .iter()
            .map(|s| compile(s, &env(shape), &Expected::Bool).unwrap_or_else(|e| panic!("{s}: {e}")))
            .collect()
    };
    let settings_sources: Vec<&str> = settings_checks.iter().map(String::as_str).collect();
    let start = Instant::now();
    let scalar = all(&settings_sources, &settings_shape);
    let per_account = all(&ACCOUNT_CHECKS, &account_shape());
    let per_plugin = all(&[PLUGIN_CHECK], &plugin_shape);
    println!("compiling 30 checks: {:.3} ms", start.elapsed().as_secs_f64() * 1000.0);
    let params = BTreeMap::from([("max_minutes".to_owned(), Value::Int(480))]);

    for count in [10_000, 100_000] {
        let accounts = accounts(count);
        let identities: Vec<Record> = (0..count)
            .map(|n| Record { values: Box::new([Value::string(format!("i{n}")), Value::Bool(n % 40 != 0)]) })
            .collect();
        let rounds = if count > 10_000 { 5 } else { 20 };
        let mix = |evidence: bool| {
            // A fresh view each time: the index is part of the price.
            let view = DatasetView::complete(&identity_shape, &identities);
            let datasets = BTreeMap::from([("identities".to_owned(), view)]);
            let inputs = Inputs { datasets: &datasets, params: &params, now: NOW };
            let one = std::slice::from_ref(&settings);
            judge(&bind(&scalar, &inputs), one, evidence)
                + judge(&bind(&per_account, &inputs), &accounts, evidence)
                + judge(&bind(&per_plugin, &inputs), &plugins, evidence)
        };
        let evaluations = scalar.len() + per_account.len() * count + plugins.len();
        println!("\n{count} accounts, {evaluations} evaluations, {} do not pass", mix(false));
        report("the mix, answers only", best(rounds, || _ = black_box(mix(false))), evaluations);
        report(
            "the mix, with the evidence of what does not pass",
            best(rounds, || _ = black_box(mix(true))),
            evaluations,
        );

        let view = DatasetView::complete(&identity_shape, &identities);
        let datasets = BTreeMap::from([("identities".to_owned(), view)]);
        let inputs = Inputs { datasets: &datasets, params: &params, now: NOW };
        for (source, program) in ACCOUNT_CHECKS.iter().zip(&per_account) {
            let bound = [program.bind(&inputs)];
            report(source, best(rounds, || _ = black_box(judge(&bound, &accounts, false))), count);
        }
        let index = best(rounds, || {
            let view = DatasetView::complete(&identity_shape, &identities);
            let datasets = BTreeMap::from([("identities".to_owned(), view)]);
            let inputs = Inputs { datasets: &datasets, params: &params, now: NOW };
            black_box(per_account[7].bind(&inputs).test(accounts.first()));
        });
        report("building the index (per record)", index, count);
    }
    let view = DatasetView::complete(&identity_shape, &[]);
    let datasets = BTreeMap::from([("identities".to_owned(), view)]);
    let bound = [per_plugin[0].bind(&Inputs { datasets: &datasets, params: &params, now: NOW })];
    println!();
    report(
        "plugins: six scopes each",
        best(50, || _ = black_box(judge(&bound, &plugins, false))),
        plugins.len(),
    );
}
