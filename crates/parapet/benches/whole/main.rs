//! What the whole product costs, measured on the built binary and on real pages: `cargo bench -p parapet`.
//!
//! Scans of simulated organisations and of a whole company of 10,000 people (requests, wall clock, peak memory), the start
//! of the process, the memory of an idle server, the Applications page of 10,000 instances, and lists of 100,000 rows as
//! files. Figures are printed; nothing is asserted, because a machine's speed is no test. Memory is the peak and the present
//! resident size that Linux tells of the process.
//! A word as argument measures only that part: `cargo bench -p parapet -- pages`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures time and prints it")]

#[path = "../common/mod.rs"]
mod common;
mod company;
mod export;
mod pages;
mod scans;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{BINARY, memory, serve};

#[tokio::main]
async fn main() {
    // `cargo bench` itself says `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let asked = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    if asked("start") {
        start();
    }
    if asked("idle") {
        idle();
    }
    if asked("scans") {
        scans::measure().await;
    }
    if asked("company") {
        company::measure().await;
    }
    if asked("pages") {
        pages::measure().await;
    }
    if asked("export") {
        export::measure().await;
    }
}

/// From the start of the process to its end.
fn start() {
    let mut times: Vec<f64> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            let ended = Command::new(BINARY).arg("--help").stdout(Stdio::null()).status();
            assert!(ended.is_ok_and(|s| s.success()), "--help ends well");
            milliseconds(begun.elapsed())
        })
        .collect();
    println!("start: `parapet --help`");
    println!("  {}", spread(&mut times));
}

/// A server that was set up by nobody yet and has nothing to do.
fn idle() {
    let folder = tempfile::tempdir().expect("a folder");
    new_key(folder.path());
    let begun = Instant::now();
    let (mut server, _) = serve(&configuration(folder.path()));
    let answers = milliseconds(begun.elapsed());
    std::thread::sleep(Duration::from_secs(10));
    println!("idle: `parapet serve` on an empty SQLite database, 10 s after its start");
    println!("  says its address after {answers:.0} ms");
    println!("  resident {:.1} MB, at its peak {:.1} MB", memory(&server, "VmRSS"), memory(&server, "VmHWM"));
    server.kill().expect("the server ends");
    server.wait().expect("the server ended");
}

/// The sealing key of a server in this folder, as hexadecimal digits.
fn new_key(folder: &Path) -> String {
    let key = folder.join("parapet.key");
    let made = Command::new(BINARY).args(["key", "new"]).arg(&key).stdout(Stdio::null()).status();
    assert!(made.is_ok_and(|s| s.success()), "a key is made");
    std::fs::read_to_string(key).expect("a key")
}

/// A configuration with key and SQLite database in this folder.
fn configuration(folder: &Path) -> PathBuf {
    let config = folder.join("parapet.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite:{}\"\nsealing_key_file = \"{}\"\n",
        folder.join("parapet.db").display(),
        folder.join("parapet.key").display()
    );
    std::fs::write(&config, text).expect("a configuration");
    config
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Median, 99th percentile and worst of some times in milliseconds.
fn spread(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).clamp(1, times.len()) - 1];
    format!("p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms ({} times)", at(50), at(99), at(100), times.len())
}
