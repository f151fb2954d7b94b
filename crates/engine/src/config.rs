//! How the engine is set up.

use model::time::Duration;

/// How the engine is set up. The default is what a server wants.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this node in the logs and on leases.
    pub node: String,
    /// Runs at the same time, of all instances.
    pub workers: usize,
    /// Runs at the same time at one vendor's address, so that thousands of instances of one product do not keep
    /// everybody else waiting.
    pub per_origin: usize,
    /// How long a lease lives without renewal: so long a crash stays unnoticed.
    pub lease: Duration,
    /// How often a worker looks whether there is progress to store.
    pub heartbeat: Duration,
    /// The longest sleep of the ticker. It wakes sooner for what is due and for what changes in this process.
    pub longest_sleep: Duration,
    /// How often everything is read again, for what other nodes change. `None`: every minute on PostgreSQL, and never
    /// on SQLite, where this process is alone.
    pub reload: Option<Duration>,
    /// How long a worker may go on after it was told to drain, before it is dropped.
    pub drain: Duration,
    /// Most requests of one run for datasets that are read over several runs.
    pub sweep_requests: u32,
    /// What is deleted by age.
    pub keep: Keep,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Finished runs and days of the health bar; the bar shows 90 days.
    pub runs: Duration,
    /// Drift.
    pub drift: Duration,
    /// Resolved findings.
    pub resolved: Duration,
    /// Accounts and plugins that are gone.
    pub gone: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: "parapet".to_owned(),
            workers: 8,
            per_origin: 4,
            lease: Duration::minutes(1),
            heartbeat: Duration::seconds(2),
            longest_sleep: Duration::minutes(1),
            reload: None,
            drain: Duration::seconds(20),
            sweep_requests: collect::SWEEP_REQUESTS,
            keep: Keep::default(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            runs: Duration::days(92),
            drift: Duration::days(400),
            resolved: Duration::days(400),
            gone: Duration::days(400),
        }
    }
}
