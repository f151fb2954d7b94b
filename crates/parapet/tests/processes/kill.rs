//! `kill -9` at any moment, again and again: nothing that was committed is lost, nothing is counted twice, nothing is half,
//! and nothing stays stuck.

use std::collections::BTreeSet;
use std::time::Duration;

use sim::seed::Seed;

use crate::database::{Database, now};
use crate::installation::{Installation, QUICK};
use crate::lives::{PACE, recovers, restless};
use crate::node::Node;
use crate::whole;

/// Applications; two scans each, so that there are more than workers.
const TENANTS: usize = 6;
/// Kills in the short form.
const TIMES: usize = 20;
/// How often to kill, and the seed of the moments: from the environment, or else few and another one each time.
#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask crash` says by the environment how long to go on"
)]
fn asked() -> (usize, u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let times = number("PARAPET_TEST_KILLS").map_or(TIMES, |n| usize::try_from(n).expect("few"));
    let seed = number("PARAPET_TEST_SEED").unwrap_or_else(|| u64::try_from(now()).expect("after 1970"));
    (times, seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_sqlite() {
    killed(Installation::sqlite(TENANTS, "").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_postgresql() {
    let Some(database) = Database::postgresql().await else { return };
    killed(Installation::on(database, TENANTS, QUICK).await).await;
}

/// What was seen to be committed.
#[derive(Default)]
struct Seen {
    runs: BTreeSet<String>,
    claims_cut: i64,
    while_starting: usize,
}

async fn killed(here: Installation) {
    let (times, number) = asked();
    println!("seed {number}, {times} kills on {:?}", here.database);
    let mut seed = Seed::new(number);
    let changing = restless(&here.tenants, Seed::new(number + 1));
    here.database.change(PACE).await;
    let mut seen = Seen::default();
    for n in 1..=times {
        one_life(&here, &mut seed, &mut seen).await;
        // Not each time: often the next process is the first to open what the killed one left.
        if seed.chance(50) || n == times {
            seen.claims_cut += here.database.number(LEASES).await;
            whole::check(&here.database, &seen.runs).await;
            // A run that was cut off is tried again at once, and not in a quarter of an hour.
            here.database.want_all().await;
            if let Database::Postgresql(_) = here.database {
                here.database.change(&time_passes()).await;
            }
        }
        if n % 10 == 0 {
            let runs = here.database.number("SELECT COUNT(*) FROM runs").await;
            println!("{n} kills, {runs} runs, {} of them seen before a kill", seen.runs.len());
        }
    }
    changing.abort();
    recovers(&here).await;
    whole::check(&here.database, &seen.runs).await;
    let count = async |text: &str| here.database.number(text).await;
    let (runs, failed) = (count("SELECT COUNT(*) FROM runs").await, count(FAILED).await);
    println!(
        "seed {number}: {times} kills ({} before the pages answered), {runs} runs committed ({failed} failed as cut off), {} seen \
         before a kill and none lost, {} claims found cut off in the looks, {} claims in all",
        seen.while_starting,
        seen.runs.len(),
        seen.claims_cut,
        count("SELECT SUM(fence) FROM scans").await
    );
    assert!(!seen.runs.is_empty(), "nothing was ever committed before a kill: the test has shown nothing");
    assert!(times < 10 || seen.claims_cut > 0, "no run was ever cut off: the test has shown nothing");
}

/// The leases of the killed node end: the next one need not wait for that, as it does in the other lives.
fn time_passes() -> String {
    format!("UPDATE scans SET lease_expires_at = {} WHERE lease_expires_at IS NOT NULL", now())
}

const LEASES: &str = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL";
const FAILED: &str = "SELECT COUNT(*) FROM runs WHERE outcome = 'failed'";

/// From a start to a kill.
async fn one_life(here: &Installation, seed: &mut Seed, seen: &mut Seen) {
    let node = Node::spawn(here, &[]);
    let moment = |seed: &mut Seed, upto| Duration::from_millis(seed.below(upto) as u64);
    if seed.chance(20) {
        tokio::time::sleep(moment(seed, 400)).await;
        seen.while_starting += 1;
    } else {
        node.says("Parapet answers").await;
        let end = tokio::time::sleep(moment(seed, 900));
        let look = async {
            loop {
                let rows = here.database.ask("SELECT id FROM runs").await;
                seen.runs.extend(rows.into_iter().flatten());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = end => {}
            () = look => {}
        }
    }
    // What it said it had finished, it had committed.
    let mark = " run=";
    for line in node.kill() {
        if line.trim_end().ends_with("finished") || line.contains(": finished ") {
            let run =
                line.split_once(mark).map(|(_, rest)| rest.split(' ').next().unwrap_or_default().to_owned());
            seen.runs.insert(run.unwrap_or_else(|| panic!("no run in {line}")));
        }
    }
}
