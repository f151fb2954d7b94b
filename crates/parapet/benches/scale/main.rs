//! How Parapet grows: `cargo xtask scale`, which writes `docs/scale/`.
//!
//! Three parts, each on SQLite, and on PostgreSQL where `PARAPET_TEST_POSTGRES_URL` names a server: a database grown to
//! 10,000 instances with 100 accounts and 10 findings each, measured on the way; ten minutes of the built server on it,
//! with two scans of each instance every 39 minutes (a little more than three scans every hour) against a simulator in a
//! process of its own, a part of whose tenants hardly answers; and 500 days of runs with retention. Nothing is asserted but
//! that the work was done: a machine's speed is no test.
//!
//! A word as argument measures only that part anew (`growth`, which `window` needs, or `year`), or on that database only
//! (`sqlite`, `postgresql`); `hour` lets the window go on for an hour, of which only memory is kept; `report` measures
//! nothing and writes the report anew; `small` is a trial of the bench itself, which writes to `target/` instead.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures time and prints it")]

#[path = "../common/mod.rs"]
mod common;
mod growth;
mod place;
mod plot;
mod report;
mod simulator;
mod spread;
mod window;
mod year;

use std::path::PathBuf;

/// How large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Instances at which the growing database is measured.
    steps: &'static [usize],
    /// Length of the window in seconds.
    window_seconds: u64,
    /// Length of the year in days.
    days: i64,
    /// Instances of the year, each of which runs every hour.
    year_instances: usize,
}

const FULL: Size =
    Size { steps: &[10, 100, 1_000, 3_000, 10_000], window_seconds: 600, days: 500, year_instances: 5 };
const SMALL: Size = Size { steps: &[10, 50, 100], window_seconds: 30, days: 100, year_instances: 1 };

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if arguments.first().is_some_and(|word| word == simulator::WORD) {
        return simulator::serve().await;
    }
    let has = |word: &str| arguments.iter().any(|a| a == word);
    let small = has("small");
    let parts = ["growth", "window", "hour", "year", "report"];
    let all = !parts.iter().any(|part| has(part));
    let size = if small { SMALL } else { FULL };
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = if small { project.join("target/scale") } else { project.join("docs/scale") };
    std::fs::create_dir_all(&folder).expect("a folder for the report");

    let mut measured = report::known(&folder);
    let databases = ["sqlite", "postgresql"];
    let any = !databases.iter().any(|database| has(database));
    for place in place::all().await.into_iter().filter(|p| any || has(&p.name.to_lowercase())) {
        println!("{}", place.name);
        let at = measured.iter().position(|one| one.database == place.name).unwrap_or_else(|| {
            measured.push(report::Measured { database: place.name.to_owned(), ..Default::default() });
            measured.len() - 1
        });
        let one = &mut measured[at];
        if all || has("growth") || has("window") || has("hour") {
            let simulator = simulator::Simulator::start();
            one.growth = growth::measure(&place, size, &simulator).await;
            if all || has("window") {
                one.window = Some(window::measure(&place, size, &simulator).await);
            }
            if has("hour") {
                let hour = Size { window_seconds: 3600, ..size };
                one.hour = window::measure(&place, hour, &simulator).await.memory;
            }
        }
        if all || has("year") {
            one.year = year::measure(&place, size).await;
        }
        place.clear().await;
        report::write(&folder, &measured, size);
    }
    println!("written to {}", folder.display());
}

/// The value below which so many percent lie; `values` are sorted. 0 without any.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let at = (values.len() * percent).div_ceil(100).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or(0.0)
}
