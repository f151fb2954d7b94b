//! A year of hourly runs, with what is deleted by age: whether a database stops growing.

use std::time::Instant;

use engine::Keep;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use store::Cut;
use store::retention::{self, Before};
use store::runs::{self, Filter};

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
        for hour in 0..24 {
            let at = midnight + Duration::hours(hour);
            for n in 0..size.year_instances {
                let id = place::instance(n);
                if hour % 2 == 0 {
                    place::run(&db, &id, ScanKind::Config, at, |commit| commit.results = &failing).await;
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
        if day % 10 == 9 || day + 1 == size.days {
            let reading = Instant::now();
            let one = Filter { instance: Some(place::instance(0)), ..Filter::default() };
            runs::log(&db, &one, Cut::first(50)).await.expect("a log");
            let log = reading.elapsed().as_secs_f64() * 1e3;
            let all = runs::log(&db, &Filter::default(), Cut::first(1)).await.expect("a log").total;
            days.push(Day { day: day + 1, runs: all, disk: place.size(NAME).await, log, prune });
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
