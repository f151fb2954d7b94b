//! A full disk under SQLite: what cannot be stored is said, nothing looks well by it, and when there is room again the same
//! process goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::database::{Database, now};
use crate::installation::Installation;
use crate::lives::settles;
use crate::node::{Node, until};
use crate::whole;

/// A file system of the server's own: room for the database and a little more.
const SIZE: &str = "size=12m";
/// Enough to begin with; the rest is taken away while scans are under way.
const FILLER: &str = "filler";
const FULL: &str = "the disk that holds the database is full";

/// Arguments of `unshare` by which this machine lets us mount a file system that only the server sees. `None`: it does not.
fn own_mounts() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    ways.into_iter().find(|way| {
        let try_it = ["sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"];
        Command::new("unshare").args(*way).args(try_it).output().is_ok_and(|out| out.status.success())
    })
}

/// Writes until there is no room left at all.
fn fill(disk: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(disk.join(FILLER)).expect("a file");
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_survived() {
    let Some(way) = own_mounts() else {
        println!(
            "not run on a real file system: this machine lets nobody mount one; the next test stands for it"
        );
        return;
    };
    let mut here = Installation::sqlite(2, "[engine]\nlease_seconds = 3\n").await;
    let disk = here.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let config = std::fs::read_to_string(here.path().join("parapet.toml")).expect("a configuration");
    let moved = config.replace("/parapet.db\"", "/disk/parapet.db\"");
    std::fs::write(here.path().join("parapet.toml"), moved).expect("written");
    slow(&here, 700);
    // The file system is there before the server; the database lies on it.
    let begin = format!(
        "mount -t tmpfs -o {SIZE} tmpfs disk && cp parapet.db disk/ && exec {} serve --config parapet.toml",
        env!("CARGO_BIN_EXE_parapet")
    );
    let mut wrapped = vec!["unshare"];
    wrapped.extend(way);
    wrapped.extend(["sh", "-c", &begin]);
    let node = Node::wrapped(&here, &wrapped);
    node.says("Parapet answers").await;
    // Seen from outside through the process itself.
    let seen =
        PathBuf::from(format!("/proc/{}/root", node.id())).join(disk.strip_prefix("/").expect("absolute"));
    here.database = Database::Copied(seen.join("parapet.db"));
    let cookie = node.signed_in().await;
    interrupted(&here, &node, async || fill(&seen), [FULL, "a run was given up"]).await;
    std::fs::remove_file(seen.join(FILLER)).expect("removed");
    // What was given up is recorded as what it is, and shown so.
    until("all read Unhealthy", async || node.scans_that_are("unhealthy").await == here.scans()).await;
    let failed = "SELECT COUNT(*) FROM runs WHERE outcome = 'failed' AND cause = 'internal'";
    assert_eq!(here.database.number(failed).await, i64::try_from(here.scans()).expect("few"));
    goes_on(&here, &node, &cookie).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_are_said_and_survived() {
    let here = Installation::sqlite(2, "[engine]\nlease_seconds = 3\n").await;
    slow(&here, 700);
    // A write beyond the limit is an error and no signal.
    let begin = format!("trap '' XFSZ; exec {} serve --config parapet.toml", env!("CARGO_BIN_EXE_parapet"));
    let node = Node::wrapped(&here, &["sh", "-c", &begin]);
    node.says("Parapet answers").await;
    let id = node.id().to_string();
    let limit = |size: &str| {
        let set = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={size}:")]).status();
        assert!(set.expect("prlimit is there").success());
    };
    let cookie = node.signed_in().await;
    interrupted(&here, &node, async || limit("4096"), ["a run could not be stored", "it is tried again"])
        .await;
    limit("unlimited");
    // What had been read is stored at the next attempt.
    until("all read Up", async || node.scans_that_are("up").await == here.scans()).await;
    goes_on(&here, &node, &cookie).await;
    node.stop().await;
}

/// So slow that something can happen between a claim and its commit.
fn slow(here: &Installation, milliseconds: u64) {
    for server in here.tenants.iter() {
        server.tenant().latency = Duration::from_millis(milliseconds);
    }
}

/// Takes the room away in the middle of the first scans, and waits until each of them has said this.
async fn interrupted(here: &Installation, node: &Node, take: impl AsyncFn(), says: [&str; 2]) {
    let held = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL";
    let scans = i64::try_from(here.scans()).expect("few");
    until("every scan is under way", async || here.database.number(held).await == scans).await;
    take().await;
    let said = |text: &str| node.log().iter().filter(|line| line.contains(text)).count();
    for text in says {
        until(text, async || said(text) >= here.scans()).await;
    }
    assert_eq!(here.database.number("SELECT COUNT(*) FROM runs").await, 0, "nothing was stored");
    assert_eq!(node.scans_that_are("up").await, 0, "what was not stored is no good news");
    assert_eq!(said(": finished"), 0, "nor is it said to be");
}

/// There is room again and every run has ended: somebody asks for all of them, and the same process goes on.
async fn goes_on(here: &Installation, node: &Node, cookie: &str) {
    let scans = i64::try_from(here.scans()).expect("few");
    until("every run has ended", async || here.database.number("SELECT COUNT(*) FROM runs").await == scans)
        .await;
    whole::check(&here.database, &std::collections::BTreeSet::new()).await;
    slow(here, 5);
    let from = now();
    for instance in here.database.ask("SELECT id FROM instances").await {
        node.scan_now(&instance[0], cookie).await;
    }
    settles(here, node, from).await;
    whole::check(&here.database, &std::collections::BTreeSet::new()).await;
}
