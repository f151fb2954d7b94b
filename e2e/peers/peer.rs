//! Starting a peer from a Rust test: `#[path = "../../../e2e/peers/peer.rs"] mod peer;` (the crate needs serde_json).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A running server that somebody else wrote; it ends when this is dropped.
pub struct Peer {
    /// What it printed when it answered: its address and what a client needs to sign in.
    pub facts: serde_json::Value,
    child: Child,
    /// The peer runs for as long as this is open.
    stdin: Option<ChildStdin>,
}

impl Peer {
    /// Starts `e2e/peers/peer NAME ARGUMENTS` and waits until it answers.
    ///
    /// `None` where the tests' tools are not installed and were not asked for: the test says so and ends. Under `cargo
    /// xtask test` they are asked for (`PARAPET_TEST_PEERS=1`), and a peer that does not start is a panic.
    pub fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/peers/peer");
        let mut child = Command::new(launcher)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its log would fill a pipe that nobody reads; it belongs to the test's output.
            .stderr(Stdio::inherit())
            .spawn()
            .expect("e2e/peers/peer is part of the repository");
        let stdin = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("standard output is piped"))
            .read_line(&mut line)
            .expect("a peer prints text");
        if let Ok(facts) = serde_json::from_str(&line) {
            return Some(Self { facts, child, stdin });
        }
        let ended = child.wait().expect("the peer was started here");
        assert!(
            ended.code() == Some(3) && !required(),
            "the peer {name} did not start ({ended}); what it said is above. `cargo xtask setup` installs what it needs"
        );
        println!("not run: the peer {name} is not installed; `cargo xtask test` installs and runs it");
        None
    }

    /// A fact as text: `url`, `client_secret`.
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("the peer told no {name}: {}", self.facts))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // A stopped peer (SIGSTOP) does not see its input close.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test runner says through the environment what must run")]
fn required() -> bool {
    std::env::var_os("PARAPET_TEST_PEERS").is_some()
}
