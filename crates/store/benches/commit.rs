//! What storing a large run costs: `cargo bench -p store`. PostgreSQL too when `PARAPET_TEST_POSTGRES_URL` names one
//! (an empty database: the schema is created in it). Figures are printed; nothing is asserted.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures time and prints it")]

#[path = "../tests/contract/support.rs"]
#[expect(dead_code, unused_macros, unused_imports, reason = "a bench uses a part of what the tests use")]
mod support;

use std::time::Instant;

use model::finding::Severity;
use model::scan::ScanKind;
use model::value::Value;
use store::{Cut, Order, accounts, findings, instances, numbers, snapshots};

use support::*;

const ACCOUNTS: usize = 10_000;
const FAILING: usize = 2_000;

async fn measure(name: &str, f: Fixture) {
    let kind = ScanKind::Accounts;
    let id = onboard(&f.db, "bench", &[kind]).await;
    let people: Vec<_> = (0..ACCOUNTS)
        .map(|n| account(&n.to_string(), &format!("user{n:05}"), Value::Bool(n % 9 == 0)))
        .collect();
    let mut failing: Vec<_> =
        (0..FAILING).map(|n| fails("shared/second-factor", &(n * 5).to_string(), Severity::High)).collect();
    for f in &mut failing {
        f.scan = kind;
    }
    let logins: Vec<String> = (0..ACCOUNTS).map(|n| format!("user{n:05}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let data = dataset(&logins, min(1));
    println!("{name}: {ACCOUNTS} accounts, {FAILING} findings, one snapshot");
    for what in ["first commit", "second commit", "third commit"] {
        let begun = Instant::now();
        run_with(&f.db, &id, kind, min(1), |c| {
            c.accounts = all_of(&people);
            c.results = &failing;
            c.snapshots = vec![("members", &data)];
        })
        .await;
        println!("  {what:<28}{:>9.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    }
    let timed = |what: &str, begun: Instant| {
        println!("  {what:<28}{:>9.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    };
    let begun = Instant::now();
    let prior = snapshots::prior(&f.db, &id, kind).await.expect("readable");
    timed("what was known before", begun);
    assert_eq!(prior.open.len(), FAILING);
    let begun = Instant::now();
    let (sort, order) = (accounts::Sort::Username, Order::Ascending);
    let page = accounts::list(&f.db, &accounts::Filter::default(), sort, order, Cut::first(50)).await;
    timed("a page of accounts", begun);
    assert_eq!(page.expect("readable").total, ACCOUNTS as u64);
    let begun = Instant::now();
    let sort = accounts::Sort::Findings;
    accounts::list(&f.db, &accounts::Filter::default(), sort, Order::Descending, Cut::first(50))
        .await
        .expect("readable");
    timed("the same by findings", begun);
    let begun = Instant::now();
    let sort = findings::Sort::Severity;
    let filter = findings::Filter::default();
    findings::list(&f.db, &filter, sort, Order::Descending, Cut::first(50)).await.expect("readable");
    timed("a page of findings", begun);
    let begun = Instant::now();
    numbers::all(&f.db, min(0)).await.expect("readable");
    timed("the numbers of all tiles", begun);
    for n in 0..1000 {
        onboard(&f.db, &format!("more-{n}"), &ScanKind::ALL).await;
    }
    let begun = Instant::now();
    let all = instances::all(&f.db).await.expect("readable");
    timed(&format!("{} instances with scans", all.len()), begun);
}

#[tokio::main]
async fn main() {
    measure("SQLite", lite().await).await;
    if let Some(f) = pg().await {
        measure("PostgreSQL", f).await;
    }
}
