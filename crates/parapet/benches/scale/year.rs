//! More than a year of hourly runs, with what is deleted by age: whether a database stops growing. It goes on beyond the 400 days
//! that what is resolved, gone or drifted is kept.

use std::time::Instant;

use engine::Keep;
use model::finding::{CheckResult, Drift, FindingState};
use model::id::{CheckId, FindingId, InstanceId};
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use store::retention::{self, Before};
use store::runs::{self, Filter};
use store::{Cut, Db, Order, accounts, drift, findings, snapshots};

use crate::Size;
use crate::place::{self, ACCOUNTS, FINDINGS, Place};

const NAME: &str = "year";
/// 1 January 2026.
const BEGIN: Timestamp = Timestamp(1_767_225_600_000);

/// The database after so many days.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Day {
    pub(crate) day: i64,
    /// Runs in the log.
    pub(crate) runs: u64,
    /// Resolved findings, accounts that are gone, and drift.
    #[serde(default)]
    pub(crate) past: u64,
    /// Megabytes on disk.
    pub(crate) disk: f64,
    /// The latest page of one instance's log, in milliseconds.
    pub(crate) log: f64,
    /// Deleting what is too old, in milliseconds.
    pub(crate) prune: f64,
}

pub(crate) async fn measure(place: &Place, size: Size) -> Vec<Day> {
    let db = place.create(NAME, BEGIN).await;
    for n in 0..size.year_instances {
        place::onboard(&db, n, "http://127.0.0.1:1", BEGIN).await;
    }
    let mut days = Vec::new();
    let begun = Instant::now();
    for day in 0..size.days {
        let midnight = BEGIN + Duration::days(day);
        // One account a day goes and one comes; two findings a day are mended and two are new.
        let moved = usize::try_from(day).unwrap_or(0);
        let people = place::accounts(moved, ACCOUNTS, midnight);
        let failing = place::findings(moved * 2, FINDINGS);
        let changed = [drift_of(moved, midnight)];
        for hour in 0..24 {
            let at = midnight + Duration::hours(hour);
            for n in 0..size.year_instances {
                let id = place::instance(n);
                if hour % 2 == 0 {
                    let resolved = if hour == 0 { mended(&db, &id, &failing).await } else { Vec::new() };
                    place::run(&db, &id, ScanKind::Config, at, |commit| {
                        commit.results = &failing;
                        commit.resolved = &resolved;
                        commit.drift = if hour == 0 { &changed } else { &[] };
                    })
                    .await;
                } else {
                    place::run(&db, &id, ScanKind::Accounts, at, |commit| {
                        commit.accounts = place::all_of(&people);
                    })
                    .await;
                }
            }
        }
        let keep = Keep::default();
        let now = midnight + Duration::days(1);
        let before = Before {
            runs: now - keep.runs,
            drift: now - keep.drift,
            resolved: now - keep.resolved,
            gone: now - keep.gone,
        };
        let pruning = Instant::now();
        retention::prune(&db, before, now).await.expect("deleted");
        let prune = pruning.elapsed().as_secs_f64() * 1e3;
        place.vacuum(NAME).await;
        if day % 10 == 9 || day + 1 == size.days {
            let reading = Instant::now();
            let one = Filter { instance: Some(place::instance(0)), ..Filter::default() };
            runs::log(&db, &one, Cut::first(50)).await.expect("a log");
            let log = reading.elapsed().as_secs_f64() * 1e3;
            let all = runs::log(&db, &Filter::default(), Cut::first(1)).await.expect("a log").total;
            let (past, disk) = (past(&db).await, place.size(NAME).await);
            days.push(Day { day: day + 1, runs: all, past, disk, log, prune });
        }
    }
    println!(
        "  {} days of hourly runs in {:.0} s: {:?}",
        size.days,
        begun.elapsed().as_secs_f64(),
        days.last()
    );
    db.close().await;
    days
}

/// Open findings that do not fail any more.
async fn mended(db: &Db, id: &InstanceId, failing: &[CheckResult]) -> Vec<FindingId> {
    let prior = snapshots::prior(db, id, ScanKind::Config).await.expect("what was found before");
    let fails = |check: &CheckId, resource: &str| {
        failing.iter().any(|result| result.check == *check && *result.resource == *resource)
    };
    prior.open.into_iter().filter(|(_, check, resource)| !fails(check, resource)).map(|(id, ..)| id).collect()
}

fn drift_of(n: usize, at: Timestamp) -> Drift {
    Drift {
        dataset: "users".to_owned(),
        resource: format!("user-{n:05}"),
        field: Some("active".to_owned()),
        before: Some(true.into()),
        after: Some(false.into()),
        at,
    }
}

/// What is over, and kept for its time: resolved findings, accounts that are gone, drift.
async fn past(db: &Db) -> u64 {
    let one = || Cut::first(1);
    let resolved = findings::Filter { states: vec![FindingState::Resolved], ..Default::default() };
    let resolved = findings::list(db, &resolved, findings::Sort::Severity, Order::Ascending, one()).await;
    let gone = accounts::Filter { gone: true, ..Default::default() };
    let gone = accounts::list(db, &gone, accounts::Sort::Username, Order::Ascending, one()).await;
    let drift = drift::list(db, &drift::Filter::default(), one()).await;
    resolved.expect("findings").total + gone.expect("accounts").total + drift.expect("drift").total
}
