//! One-off scans of simulated GitHub organisations by the built binary.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collect::Clock as _;
use engine::clock::SystemClock;
use sim::Server;
use sim::github::{AppKey, GitHub, Plan};

use super::{BINARY, memory};

const ORGANIZATION: &str = "acme";

/// Repositories, latency in milliseconds, whether what is read one repository at a time is read, too.
const CASES: [(usize, u64, bool); 5] =
    [(100, 0, false), (100, 100, false), (1_000, 0, false), (1_000, 100, false), (100, 0, true)];

pub(crate) async fn measure() {
    println!("scans: `parapet scan github --kind config`, requests at the vendor, wall clock, peak memory");
    for (repositories, latency, all) in CASES {
        let case = Case::start(repositories, latency).await;
        println!("  {}", case.scan("config", all, "table").await);
    }
    println!("the same with every pass and its evidence written as JSON");
    let case = Case::start(1_000, 0).await;
    println!("  {}", case.scan("config", false, "json").await);
    println!("scans of 1,000 repositories and 500 members at 0 ms, the other kinds");
    for kind in ["accounts", "plugins"] {
        println!("  {}", case.scan(kind, false, "table").await);
    }
}

struct Case {
    server: Server<GitHub>,
    folder: tempfile::TempDir,
    repositories: usize,
    latency: u64,
}

impl Case {
    async fn start(repositories: usize, latency: u64) -> Self {
        let plan = Plan {
            organization: ORGANIZATION.to_owned(),
            seed: 7,
            now: SystemClock.now(),
            repositories,
            members: repositories / 2,
            care: 60,
            enterprise: true,
        };
        let mut vendor = GitHub::generate(&plan);
        let app = catalog::Catalog::builtin().catalog.apps[&"github".into()].clone();
        let granted: Vec<(String, String)> = app
            .datasets
            .iter()
            .filter_map(|d| d.spec.permission.get("app"))
            .flatten()
            .filter_map(|p| p.split_once(':').map(|(n, l)| (n.to_owned(), l.to_owned())))
            .collect();
        let granted: Vec<(&str, &str)> = granted.iter().map(|(n, l)| (n.as_str(), l.as_str())).collect();
        let (key, pem) = AppKey::generate("1001", "parapet", &granted).expect("a key");
        vendor.app = Some(key);
        let server = Server::start(vendor, Arc::new(|| SystemClock.now())).await.expect("a loopback port");
        server.tenant().latency = Duration::from_millis(latency);
        let folder = tempfile::tempdir().expect("a folder");
        let credential = format!("app_id = \"1001\"\nprivate_key = '''\n{pem}'''\n");
        std::fs::write(folder.path().join("credential.toml"), credential).expect("a credential");
        Self { server, folder, repositories, latency }
    }

    async fn scan(&self, kind: &str, all: bool, format: &str) -> String {
        self.server.tenant().requests.clear();
        let mut command = Command::new(BINARY);
        command
            .args(["scan", "github", "--set", "organization=acme", "--auth", "app", "--format", format])
            .args(["--kind", kind, "--address", &self.server.origin(), "--credential"])
            .arg(self.folder.path().join("credential.toml"))
            .arg("--output")
            .arg(self.folder.path().join("report"));
        if !all {
            command.arg("--quick");
        }
        let (wall, peak) = timed(&mut command).await;
        let requests = self.server.tenant().requests.len();
        let Self { repositories, latency, .. } = self;
        let what = if all { "with all sweeps" } else { "batched" };
        format!(
            "{kind:<9}{repositories:>5} repositories at {latency:>3} ms, {what:<16}{requests:>5} requests {wall:>7.2} s {peak:>6.1} MB"
        )
    }
}

/// Runs a scan that succeeds: wall clock in seconds and peak memory in megabytes.
pub(crate) async fn timed(command: &mut Command) -> (f64, f64) {
    let begun = Instant::now();
    let said = tempfile::NamedTempFile::new().expect("a file");
    let mut child = command.stderr(said.reopen().expect("a file")).spawn().expect("the scan starts");
    // The peak is read while the process lives; what it does in its last 2 ms is to write the report and to end.
    let mut peak = 0.0_f64;
    let ended = loop {
        peak = peak.max(memory(&child, "VmHWM"));
        match child.try_wait().expect("the scan can be waited for") {
            Some(status) => break status,
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    let words = || std::fs::read_to_string(said.path()).unwrap_or_default();
    assert_eq!(ended.code(), Some(0), "the scan succeeds: {}", words());
    (begun.elapsed().as_secs_f64(), peak)
}
