//! A database that grows from ten instances to ten thousand: what a run and a page cost on the way.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use collect::Clock as _;
use engine::clock::SystemClock;
use model::scan::ScanKind;
use model::time::Duration;
use serde::{Deserialize, Serialize};
use store::Db;
use tower::ServiceExt as _;

use crate::common::{session, use_cases};
use crate::place::{self, ACCOUNTS, FINDINGS, Place};
use crate::simulator::Simulator;
use crate::{Size, percentile};

/// The database that grows.
pub(crate) const NAME: &str = "grown";
/// Of so many instances one is at the vendor that hardly answers.
pub(crate) const SLOW_ONE_IN: usize = 20;

/// Pages, as people open them.
pub(crate) const PAGES: [(&str, &str); 6] = [
    ("Applications", "/applications"),
    ("Accounts", "/accounts"),
    ("Accounts, searched", "/accounts?search=person00042"),
    ("Findings", "/findings"),
    ("One application", "/applications/i00007"),
    ("Its history", "/applications/i00007/history"),
];

/// Measured at one size; times in milliseconds, half of them are shorter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) instances: usize,
    /// Storing a run of 100 accounts that are known.
    pub(crate) commit: f64,
    /// Reading the facts of all instances, as a node does at its start.
    pub(crate) load: f64,
    /// Of [`PAGES`], in their order.
    pub(crate) pages: Vec<f64>,
    /// Megabytes on disk.
    pub(crate) disk: f64,
}

pub(crate) async fn measure(place: &Place, size: Size, simulator: &Simulator) -> Vec<Step> {
    let db = place.create(NAME, SystemClock.now()).await;
    let mut steps = Vec::new();
    let mut there = 0;
    for wanted in size.steps {
        let begun = Instant::now();
        grow(&db, there, *wanted, simulator).await;
        there = *wanted;
        let seconds = begun.elapsed().as_secs_f64();
        let step = look(place, &db, there).await;
        println!("  grown to {there} instances in {seconds:.0} s: {step:?}");
        steps.push(step);
    }
    db.close().await;
    steps
}

/// Instances `from` to `to`, each with a run of both scans.
async fn grow(db: &Db, from: usize, to: usize, simulator: &Simulator) {
    let now = SystemClock.now();
    let failing = place::findings(0, FINDINGS);
    let people = place::accounts(0, ACCOUNTS, now);
    for n in from..to {
        let origin = if n.is_multiple_of(SLOW_ONE_IN) { &simulator.slow } else { &simulator.quick };
        place::onboard(db, n, origin, now).await;
        let id = place::instance(n);
        place::run(db, &id, ScanKind::Config, now, |commit| commit.results = &failing).await;
        place::run(db, &id, ScanKind::Accounts, now, |commit| commit.accounts = place::all_of(&people)).await;
    }
}

async fn look(place: &Place, db: &Db, instances: usize) -> Step {
    let now = SystemClock.now();
    let people = place::accounts(0, ACCOUNTS, now);
    let mut commits = Vec::new();
    for n in 0..20 {
        let id = place::instance(n * instances / 20);
        let at = now + Duration(n as i64);
        let begun = Instant::now();
        place::run(db, &id, ScanKind::Accounts, at, |commit| commit.accounts = place::all_of(&people)).await;
        commits.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let begun = Instant::now();
    let all = store::instances::all(db).await.expect("readable");
    assert_eq!(all.len(), instances);
    let load = begun.elapsed().as_secs_f64() * 1e3;
    let ops = use_cases(db).await;
    let cookie = session(&ops).await;
    let router = web::router(
        Arc::new(ops),
        web::WebConfig { https: false, version: "bench".to_owned(), draining: None },
    );
    let mut pages = Vec::new();
    for (_, path) in PAGES {
        pages.push(page(&router, &cookie, path).await);
    }
    commits.sort_by(f64::total_cmp);
    Step { instances, commit: percentile(&commits, 50), load, pages, disk: place.size(NAME).await }
}

/// The median of a page's times.
async fn page(router: &axum::Router, cookie: &str, path: &str) -> f64 {
    let mut times = Vec::new();
    for _ in 0..15 {
        let ask = Request::get(path)
            .header(header::COOKIE, cookie)
            .header(header::HOST, "localhost")
            .body(Body::empty())
            .expect("a request");
        let begun = Instant::now();
        let answer = router.clone().oneshot(ask).await.expect("an answer");
        let status = answer.status();
        to_bytes(answer.into_body(), usize::MAX).await.expect("a page");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    times.sort_by(f64::total_cmp);
    percentile(&times, 50)
}
