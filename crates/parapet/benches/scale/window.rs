//! Ten minutes of the built server on the grown database: how late scans begin, what it takes, how fast pages stay.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration as Real, Instant};

use collect::Clock as _;
use engine::clock::SystemClock;
use model::id::InstanceId;
use model::scan::{RunOutcome, ScanKind};
use model::schedule::due_at;
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use store::runs::{self, Filter};
use store::{Cut, Db};

use crate::common::{get, memory, serve, session, use_cases};
use crate::growth::{NAME, SLOW_ONE_IN};
use crate::place::{self, INTERVAL, KINDS, Place};
use crate::simulator::Simulator;
use crate::{Size, percentile};

/// What ten minutes showed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) instances: usize,
    pub(crate) seconds: f64,
    /// Runs that finished, and those of them that succeeded.
    pub(crate) runs: usize,
    pub(crate) succeeded: usize,
    /// Runs that were due and had not begun at the end, of tenants of the vendor that answers.
    pub(crate) waiting: usize,
    /// From due to claimed, in milliseconds, sorted: tenants of the vendor that answers, and of the one that hardly does.
    pub(crate) late: Vec<f64>,
    pub(crate) late_slow: Vec<f64>,
    /// Runs that began in each ten seconds.
    pub(crate) starts: Vec<f64>,
    /// Of one processor: the server, the database beside it, the simulator.
    pub(crate) cpu: [f64; 3],
    /// Resident megabytes of the server every ten seconds.
    pub(crate) memory: Vec<f64>,
    /// Times of pages over HTTP in milliseconds, sorted.
    pub(crate) pages: BTreeMap<String, Vec<f64>>,
}

/// Over HTTP while scans run.
const ASKED: [(&str, &str); 3] =
    [("Applications", "/applications"), ("Accounts", "/accounts"), ("Findings", "/findings")];

pub(crate) async fn measure(place: &Place, size: Size, simulator: &Simulator) -> Window {
    let instances = *size.steps.last().expect("a size");
    let now = SystemClock.now();
    let db = place.open(NAME, now).await;
    // The facts are set so that what is due is spread evenly over the interval that begins here.
    let begin = now + Duration::seconds(40 + instances as i64 / 60);
    spread(&db, instances, begin).await;
    let due = due(&db, begin).await;
    let cookie = session(&use_cases(&db).await).await;
    db.close().await;
    // A server that starts looks its SQLite file over first, which takes seconds for more than a gigabyte: what was due meanwhile
    // would be late by that.
    let (mut server, at) = serve(&place.configuration(NAME));
    let early = begin - SystemClock.now();
    assert!(early.0 > 0, "setting the facts and starting took {early:?} too long");
    tokio::time::sleep(early.to_std()).await;
    let mut window = Window { instances, ..Window::default() };
    let begun = Instant::now();
    let before = [cpu(server.id()), database_cpu(), cpu(simulator.child.id())];
    let end = Real::from_secs(size.window_seconds);
    let mut next = Real::from_secs(10);
    while begun.elapsed() < end {
        for (name, path) in ASKED {
            window.pages.entry(name.to_owned()).or_default().push(timed(at, &cookie, path));
            tokio::time::sleep(Real::from_millis(400)).await;
        }
        if begun.elapsed() >= next {
            next += Real::from_secs(10);
            window.memory.push(memory(&server, "VmRSS"));
        }
    }
    window.seconds = begun.elapsed().as_secs_f64();
    let after = [cpu(server.id()), database_cpu(), cpu(simulator.child.id())];
    for (share, (after, before)) in window.cpu.iter_mut().zip(after.iter().zip(before)) {
        *share = (after - before) / window.seconds;
    }
    let ended_at = SystemClock.now();
    // In order: what runs is handed back.
    let told = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(told.is_ok_and(|s| s.success()) && server.wait().is_ok_and(|s| s.success()), "the server ends");

    let db = place.open(NAME, SystemClock.now()).await;
    weigh(&db, &mut window, &due, begin, ended_at).await;
    db.close().await;
    window.pages.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
    println!(
        "  {} runs in {:.0} s, {} succeeded; late p50 {:.0} p99 {:.0} worst {:.0} ms (slow vendor p50 {:.0} ms); CPU {:?}; {:?} MB",
        window.runs,
        window.seconds,
        window.succeeded,
        percentile(&window.late, 50),
        percentile(&window.late, 99),
        percentile(&window.late, 100),
        percentile(&window.late_slow, 50),
        window.cpu,
        window.memory.last()
    );
    window
}

fn is_slow(id: &InstanceId) -> bool {
    id.as_str().trim_start_matches('i').parse::<usize>().is_ok_and(|n| n.is_multiple_of(SLOW_ONE_IN))
}

/// Each scan as if its last run had ended so long ago that it is due at its place in the coming interval.
async fn spread(db: &Db, instances: usize, begin: Timestamp) {
    for n in 0..instances {
        let id = place::instance(n);
        for (k, kind) in KINDS.into_iter().enumerate() {
            // A stride that visits every place once, so that neighbours are not due together.
            let at = (n * KINDS.len() + k) * 7_919 % (instances * KINDS.len());
            let share = at as f64 / (instances * KINDS.len()) as f64;
            let ended = begin - INTERVAL + Duration((share * INTERVAL.0 as f64) as i64);
            place::run(db, &id, kind, ended, |_| {}).await;
        }
    }
}

/// When each scan is due.
async fn due(db: &Db, now: Timestamp) -> BTreeMap<(InstanceId, ScanKind), Timestamp> {
    let all = store::instances::all(db).await.expect("readable");
    let mut due = BTreeMap::new();
    for row in &all {
        let standing = row.standing();
        for scan in &standing.scans {
            let at = due_at(scan, &standing.instance, now).expect("every scan is enabled");
            due.insert((row.instance.id.clone(), scan.kind), at);
        }
    }
    due
}

async fn weigh(
    db: &Db,
    window: &mut Window,
    due: &BTreeMap<(InstanceId, ScanKind), Timestamp>,
    begin: Timestamp,
    end: Timestamp,
) {
    window.starts = vec![0.0; (window.seconds / 10.0).ceil() as usize];
    let mut first = BTreeMap::new();
    let mut after = None;
    loop {
        let cut = Cut { after: after.as_deref(), ..Cut::first(500) };
        let page = runs::log(db, &Filter::default(), cut).await.expect("a log");
        let mut older = false;
        for run in page.rows {
            if run.finished_at < begin {
                older = true;
                break;
            }
            window.runs += 1;
            window.succeeded += usize::from(run.outcome == RunOutcome::Succeeded);
            let slot = ((run.started_at - begin).0.max(0) / 10_000) as usize;
            if let Some(count) = window.starts.get_mut(slot) {
                *count += 1.0;
            }
            // The log begins with the latest: of a scan that ran again within the window the first run is what stays.
            first.insert((run.instance, run.kind), run.started_at);
        }
        after = page.next;
        if older || after.is_none() {
            break;
        }
    }
    let mut waiting = due.clone();
    for (scan, started_at) in first {
        let Some(due_at) = waiting.remove(&scan) else { continue };
        let late = (started_at - due_at).0 as f64;
        if is_slow(&scan.0) { window.late_slow.push(late) } else { window.late.push(late) }
    }
    // Two seconds before the end is too late to blame a scan that has not finished.
    window.waiting =
        waiting.iter().filter(|((id, _), at)| !is_slow(id) && **at < end - Duration::seconds(2)).count();
    window.late.sort_by(f64::total_cmp);
    window.late_slow.sort_by(f64::total_cmp);
}

/// Milliseconds of one page.
fn timed(at: SocketAddr, cookie: &str, path: &str) -> f64 {
    let begun = Instant::now();
    get(at, cookie, path);
    begun.elapsed().as_secs_f64() * 1e3
}

/// Seconds of processor that a process has used.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    used(&stat)
}

fn used(stat: &str) -> f64 {
    // After the name, which may hold anything: fields 14 and 15, in hundredths of a second.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let field = |n: usize| rest.split(' ').nth(n).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) / 100.0
}

/// The same of every PostgreSQL process of this machine, with that of its children that have ended.
fn database_cpu() -> f64 {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0.0 };
    let stats =
        processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.contains("(postgres)")).map(|stat| used(&stat)).sum()
}
