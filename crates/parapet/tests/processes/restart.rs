//! PostgreSQL is stopped at once in the middle of runs and started again: nodes go on without being started anew.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sim::seed::Seed;
use tempfile::TempDir;

use crate::database::{Database, now};
use crate::installation::{Installation, QUICK};
use crate::lives::{PACE, STILL, restless, settles};
use crate::node::{Node, get, until};
use crate::whole;

/// A PostgreSQL of this test's own, which forgets nothing that it has committed.
struct Server {
    programs: PathBuf,
    folder: TempDir,
    root: bool,
    port: u16,
    running: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// `None`: the programs are not there, and tests on PostgreSQL are not required.
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL is")]
    async fn start() -> Option<Self> {
        let Some(programs) = std::env::var_os("PARAPET_TEST_POSTGRES_PROGRAMS") else {
            assert!(
                std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
                "PARAPET_TEST_POSTGRES_PROGRAMS is not set though PostgreSQL tests are required"
            );
            eprintln!("not run: PARAPET_TEST_POSTGRES_PROGRAMS is not set (`cargo xtask test` does)");
            return None;
        };
        let root = Command::new("id").arg("-u").output().expect("id is there").stdout == b"0\n";
        let folder = tempfile::tempdir().expect("a temporary folder");
        if root {
            let given = Command::new("chown").arg("nobody").arg(folder.path()).status();
            assert!(given.expect("chown is there").success());
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let mut this = Self { programs: programs.into(), folder, root, port, running: None };
        let mut make = this.program("initdb");
        make.args([
            "--username=parapet",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
            "data",
        ]);
        let made = make.output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        this.go_on().await;
        Some(this)
    }

    /// A program of PostgreSQL, which refuses to run as root; it ends with this process.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        if self.root {
            command.args(["--reuid=nobody", "--regid=65534", "--clear-groups"]);
        }
        command.args(["--pdeathsig", "INT"]).arg(self.programs.join(name)).current_dir(self.folder.path());
        command
    }

    fn url(&self) -> String {
        format!("postgres://parapet@127.0.0.1:{}/postgres", self.port)
    }

    async fn go_on(&mut self) {
        let mut server = self.program("postgres");
        server
            .args(["-D", "data", "-k"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            // The machine stays up, so nothing need reach the disk; but a commit is written before it is told.
            .args(["-c", "fsync=off", "-c", "synchronous_commit=on"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(server.spawn().expect("postgres starts"));
        let ready = || {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .is_ok_and(|s| s.success())
        };
        until("PostgreSQL answers", async || ready()).await;
    }

    /// At once, as a crash is: what was under way is rolled back.
    fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let stopped = self.program("pg_ctl").args(["stop", "-s", "-m", "immediate", "-D", "data"]).status();
        if !stopped.is_ok_and(|s| s.success()) {
            // It may have ended by itself, which is what is wanted.
            let _ = running.kill();
        }
        let _ = running.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_go_on_when_postgresql_has_been_restarted() {
    let Some(mut server) = Server::start().await else { return };
    let here = Installation::on(Database::schema_at(&server.url()).await, 4, QUICK).await;
    let seed = u64::try_from(now()).expect("after 1970");
    println!("seed {seed}");
    let changing = restless(&here.tenants, Seed::new(seed));
    here.database.change(PACE).await;
    let nodes = [Node::start(&here, &[]).await, Node::start(&here, &[]).await];
    let addresses = [nodes[0].address().await, nodes[1].address().await];
    let answers = async |path: &str, status: u16| {
        for address in &addresses {
            if get(address, path, "").await.is_none_or(|(found, _)| found != status) {
                return false;
            }
        }
        true
    };
    let mut seen = BTreeSet::new();
    let mut cut = 0;
    for round in 1..=2 {
        let before = seen.len() + 3;
        while seen.len() < before {
            seen.extend(here.database.ask("SELECT id FROM runs").await.into_iter().flatten());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Scans that are wanted begin at once: the stop falls into them.
        here.database.want_all().await;
        let held = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL";
        until("something is under way", async || here.database.number(held).await > 0).await;
        server.stop();
        until("both say that they are not ready", async || answers("/readyz", 503).await).await;
        assert!(answers("/healthz", 200).await, "a restart of theirs would mend nothing");
        tokio::time::sleep(Duration::from_secs(round)).await;
        server.go_on().await;
        cut += here.database.number(held).await;
        until("both are ready again", async || answers("/readyz", 200).await).await;
    }
    changing.abort();
    here.database.change(STILL).await;
    let from = now();
    here.database.want_all().await;
    settles(&here, &nodes[0], from).await;
    until("the other node knows it", async || nodes[1].scans_that_are("up").await == here.scans()).await;
    whole::check(&here.database, &seen).await;
    println!(
        "2 restarts, {} runs seen before and none lost, {cut} claims were held when it came back",
        seen.len()
    );
    assert!(cut > 0, "nothing was under way: the test has shown nothing");
    for node in nodes {
        node.stop().await;
    }
}
