//! The vendors, in a process of their own so that their share of the processors can be told: one directory that answers
//! at once and one that hardly answers, each for all of its tenants.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use collect::Clock as _;
use engine::clock::SystemClock;
use sim::Server;
use sim::scim::{Plan, Scim};

use crate::place::ACCOUNTS;

/// The argument that makes this program the simulator.
pub(crate) const WORD: &str = "simulator";
/// How long the slow vendor takes for each answer.
pub(crate) const SLOW: std::time::Duration = std::time::Duration::from_secs(5);

/// Serves until it is killed, or left behind by the process that started it.
pub(crate) async fn serve() {
    let start = || async {
        let now = SystemClock.now();
        let plan = Plan { domain: "example.com".to_owned(), seed: 5, now, users: ACCOUNTS, inactive: 5 };
        let mut directory = Scim::generate(&plan);
        directory.clients.insert("parapet".to_owned(), "of-a-bench".to_owned());
        Server::start(directory, Arc::new(|| SystemClock.now())).await.expect("a loopback port")
    };
    let (quick, slow) = (start().await, start().await);
    slow.tenant().latency = SLOW;
    println!("{} {}", quick.origin(), slow.origin());
    loop {
        // What was asked for is not looked at, and would grow.
        quick.tenant().requests.clear();
        slow.tenant().requests.clear();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if std::os::unix::process::parent_id() == 1 {
            return;
        }
    }
}

/// A running simulator; stopped when dropped.
pub(crate) struct Simulator {
    pub(crate) child: Child,
    pub(crate) quick: String,
    pub(crate) slow: String,
}

impl Simulator {
    pub(crate) fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child =
            Command::new(program).arg(WORD).stdout(Stdio::piped()).spawn().expect("the simulator starts");
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut out, &mut line).expect("its addresses");
        let (quick, slow) = line.trim().split_once(' ').expect("two addresses");
        Self { child, quick: quick.to_owned(), slow: slow.to_owned() }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
