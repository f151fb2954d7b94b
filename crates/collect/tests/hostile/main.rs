//! Hostile and huge applications: what a server may do against what must hold, driven by the connector engine over
//! loopback. A test program of its own, because it counts what the whole process allocates.
//!
//! Small budgets by default; `cargo xtask hostile` runs the same table with the budgets of the product.

mod bodies;
mod elsewhere;
mod heads;
mod server;
mod slow;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "a test uses a part of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration as Wall;

use catalog::App;
use collect::{Clock as _, Collected, Outbound, OutboundConfig, Quiet};
use model::dataset::Availability;
use model::diagnosis::Rung;
use model::scan::FailureCause;
use model::time::Duration;

use crate::server::{Asked, Say, Server};
use crate::support::{TestClock, app, listing, manifest, request, target_at, token};
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// One at a time: memory is counted for the whole process.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Whether the budgets are the product's own, as `cargo xtask hostile` says.
#[expect(clippy::disallowed_methods, reason = "a test asks which of its forms is wanted")]
pub(crate) fn full() -> bool {
    std::env::var_os("PARAPET_HOSTILE_FULL").is_some()
}

/// A behaviour and what must come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What stands under `[limits]`; nothing where the product's own budgets are wanted.
    pub(crate) limits: &'static str,
    /// The request, as a manifest has it.
    pub(crate) request: &'static str,
    pub(crate) answer: fn(&Asked) -> Say,
    /// Why the dataset is not complete: one of these.
    pub(crate) causes: &'static [FailureCause],
    pub(crate) reached: Rung,
    /// What the fault says of it.
    pub(crate) says: &'static str,
    /// Requests at most.
    pub(crate) requests: usize,
    /// MiB of memory beyond what was in use before, at most.
    pub(crate) memory_mib: usize,
    /// The same with the budgets of the product: an answer of 32 MiB may become 12 times that (`collect::weight`), and what
    /// is read of all answers is kept.
    pub(crate) full_mib: usize,
    /// Seconds by the wall at most; far above what is needed, for slow machines.
    pub(crate) seconds: u64,
}

pub(crate) const ITEMS: &str = r#"{ path = "/items" }"#;
pub(crate) const LINKS: &str = r#"{ path = "/items", paging = { kind = "link" } }"#;
/// Budgets that a test reaches quickly.
pub(crate) const SMALL: &str =
    "pages = 50\nrequests = 60\nrecords = 2000\nanswer_mib = 2\nrun_mib = 8\nrequest_seconds = 1";

impl Case {
    pub(crate) const fn new(name: &'static str, answer: fn(&Asked) -> Say) -> Self {
        Self {
            name,
            limits: SMALL,
            request: ITEMS,
            answer,
            causes: &[FailureCause::Protocol],
            reached: Rung::Permission,
            says: "",
            requests: 1,
            memory_mib: 16,
            full_mib: 450,
            seconds: 30,
        }
    }

    /// What the case cost, after everything that must hold has held.
    async fn run(&self, outbound: &Outbound) -> Figures {
        let server = Server::start(self.answer).await;
        let limits = if full() { "" } else { self.limits };
        let app = items(limits, self.request);
        let clock = TestClock::default();
        let began = clock.now();
        let (target, credential) = (target_at(&app, &server.url), token());
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let wall = tokio::time::Instant::from_std(now());
        let run = collect::run(outbound, &target, &credential, &clock, request(), &Quiet);
        let most = Wall::from_secs(if full() { self.seconds * 20 } else { self.seconds });
        let collected = tokio::time::timeout(most, run)
            .await
            .unwrap_or_else(|_| panic!("{}: it does not end", self.name));
        let memory = MEMORY.peak_usage().saturating_sub(before);
        let took = now().duration_since(wall.into_std());
        let requests = server.tally.requests.load(Ordering::SeqCst);
        let written = server.tally.written.load(Ordering::SeqCst);
        match &collected {
            Collected::Done(done) => {
                let dataset = &done.snapshot.datasets["items"];
                let fault = match &dataset.availability {
                    Availability::Partial { fault } | Availability::Unavailable { fault } => fault,
                    other => panic!("{}: {other:?} with {} records", self.name, dataset.records.len()),
                };
                let said =
                    format!("{}: {:?} at {:?}: {}", self.name, fault.cause, fault.reached, fault.detail);
                assert!(self.causes.contains(&fault.cause), "{said}");
                assert_eq!(fault.reached, self.reached, "{said}");
                assert!(fault.detail.contains(self.says), "{said}");
                let texts = [Some(&fault.detail), fault.vendor_message.as_ref(), fault.request_id.as_ref()];
                for text in texts.into_iter().flatten() {
                    assert!(!text.chars().any(char::is_control) && text.len() < 2_000, "{said}: {text:?}");
                }
                let limits = &app.manifest.limits;
                assert!(done.snapshot.cost.bytes <= u64::from(limits.run_mib) << 20, "{said}");
                assert!(requests <= limits.requests as usize, "{said}: {requests} requests");
            }
            // The vendor asks to be left alone: believed for a day.
            Collected::Waiting { until, .. } => {
                assert!(self.causes.contains(&FailureCause::Throttled), "{}: waits", self.name);
                assert!(*until - began <= Duration::hours(24), "{}: waits until {until}", self.name);
            }
            other => panic!("{}: {other:?}", self.name),
        }
        let most = if full() { self.full_mib } else { self.memory_mib };
        assert!(memory <= most << 20, "{}: {} MiB of memory", self.name, memory >> 20);
        assert!(full() || requests <= self.requests, "{}: {requests} requests", self.name);
        // What is waited for by the clock of the run is within its deadline.
        assert!(clock.now() - began <= Duration::hours(3), "{}: past the deadline", self.name);
        Figures { name: self.name, requests, written, memory, took }
    }
}

/// What a case cost.
struct Figures {
    name: &'static str,
    requests: usize,
    /// Bytes the server got rid of: those that were read, and those that the system had buffered.
    written: u64,
    memory: usize,
    took: Wall,
}

#[expect(clippy::disallowed_methods, reason = "what a case costs by the wall is what is measured")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// An application with one dataset. Loading one loads the whole catalogue, so that each is made once.
pub(crate) fn items(limits: &str, request: &str) -> Arc<App> {
    static MADE: Mutex<BTreeMap<String, Arc<App>>> = Mutex::new(BTreeMap::new());
    let text = manifest(&format!("[limits]\n{limits}\n{}", listing("items", request, "")));
    let mut made = MADE.lock().unwrap();
    Arc::clone(made.entry(text).or_insert_with_key(|text| app(text)))
}

/// Runs cases one after another and prints what each cost.
pub(crate) async fn run(cases: &[Case]) {
    let _turn = TURN.lock().await;
    let outbound =
        Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap();
    let mut all = Vec::new();
    for case in cases {
        all.push(case.run(&outbound).await);
    }
    show(&all);
}

#[expect(clippy::print_stdout, reason = "the figures are what `cargo xtask hostile` is for")]
fn show(all: &[Figures]) {
    println!("{:<44}  {:>8}  {:>9}  {:>9}  {:>8}", "case", "requests", "sent MiB", "peak MiB", "seconds");
    for f in all {
        println!(
            "{:<44}  {:>8}  {:>9.1}  {:>9.1}  {:>8.2}",
            f.name,
            f.requests,
            f.written as f64 / f64::from(1 << 20),
            f.memory as f64 / f64::from(1 << 20),
            f.took.as_secs_f64()
        );
    }
}
