//! The server's configuration file. Unknown fields are errors with their place.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use catalog::AllowedPosts;
use serde::Deserialize;

use crate::failure::Failure;

/// `parapet.toml`. Every field has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// How browsers reach it; https marks cookies Secure.
    pub(crate) public_url: Option<String>,
    pub(crate) database: String,
    pub(crate) sealing_key_file: PathBuf,
    /// Further catalogue folders.
    pub(crate) catalog: Vec<PathBuf>,
    /// Paths to which applications of these folders may send POST requests, by application.
    pub(crate) allow_post: AllowedPosts,
    pub(crate) outbound: Outbound,
    pub(crate) node: Node,
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) mail: Mail,
}

/// The mail server, and who is told of what no active owner answers for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    /// Without one nothing is mailed.
    pub(crate) host: Option<String>,
    /// By default that of `security`: 587, 465 or 25.
    pub(crate) port: Option<u16>,
    pub(crate) security: notify::smtp::Security,
    pub(crate) username: Option<String>,
    /// `PARAPET_SMTP_PASSWORD` comes first.
    pub(crate) password_file: Option<PathBuf>,
    /// `Parapet <parapet@example.com>`
    pub(crate) from: Option<String>,
    pub(crate) admins: Vec<String>,
    pub(crate) admin_time_zone: String,
    /// `08:00`
    pub(crate) admin_digest_at: String,
    pub(crate) seconds: u32,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            security: notify::smtp::Security::StartTls,
            username: None,
            password_file: None,
            from: None,
            admins: Vec::new(),
            admin_time_zone: "UTC".to_owned(),
            admin_digest_at: "08:00".to_owned(),
            seconds: 60,
        }
    }
}

/// How requests leave this machine.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outbound {
    /// Plain http to this machine: an application, a proxy or an emulator that runs beside the server.
    pub(crate) allow_loopback_http: bool,
    pub(crate) allow_private: Vec<String>,
    pub(crate) proxy: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where Prometheus reads.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// An address of its own; nothing is served without it.
    pub(crate) listen: Option<SocketAddr>,
    /// A file with the token that a reader must send; needed beyond this machine.
    pub(crate) token_file: Option<PathBuf>,
}

/// This process among others on the same database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Node {
    pub(crate) role: Role,
    /// Its name in logs and on leases; by default the machine's, where the environment tells it.
    pub(crate) name: Option<String>,
    /// How long pages go on after the process was told to stop, while `/readyz` already says so: the time a load balancer
    /// takes to notice.
    pub(crate) linger_seconds: u32,
}

impl Default for Node {
    fn default() -> Self {
        Self { role: Role::Both, name: None, linger_seconds: 0 }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Pages; it neither scans nor tells anybody.
    Web,
    /// Scans, digests and alerts; of pages only those that say how it is.
    Worker,
    /// Everything.
    Both,
}

impl Role {
    pub(crate) const fn serves_pages(self) -> bool {
        matches!(self, Self::Web | Self::Both)
    }

    pub(crate) const fn works(self) -> bool {
        matches!(self, Self::Worker | Self::Both)
    }
}

/// How scans run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Engine {
    /// Scans at the same time.
    pub(crate) workers: usize,
    /// Scans at the same time at one vendor's address, so that one vendor that is slow does not take all workers.
    pub(crate) per_origin: usize,
    /// How long a crash stays unnoticed by other nodes.
    pub(crate) lease_seconds: u16,
}

impl Default for Engine {
    fn default() -> Self {
        let engine::Config { workers, per_origin, .. } = engine::Config::default();
        Self { workers, per_origin, lease_seconds: 60 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            database: "sqlite:parapet.db".to_owned(),
            sealing_key_file: PathBuf::from("parapet.key"),
            catalog: Vec::new(),
            allow_post: AllowedPosts::default(),
            outbound: Outbound::default(),
            node: Node::default(),
            engine: Engine::default(),
            metrics: Metrics::default(),
            mail: Mail::default(),
        }
    }
}

impl Config {
    /// The name of this process in logs and on leases.
    pub(crate) fn node_name(&self) -> String {
        let named = self.node.name.clone().or_else(|| crate::wiring::environment("HOSTNAME"));
        named.unwrap_or_else(|| engine::Config::default().node)
    }
}

/// Shorter ones would be lost to a slow commit, longer ones would hide a crash.
const LEASE_SECONDS: std::ops::RangeInclusive<u16> = 3..=600;
/// Whoever stops a process kills it when its patience is over.
const LONGEST_LINGER: u32 = 300;

/// Reads the file; without one, the defaults.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, Failure> {
    let Some(file) = file else { return Ok(Config::default()) };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("The configuration {shown} cannot be read: {e}.")))?;
    let config: Config = toml::from_str(&text).map_err(|e| {
        let (line, column) = e.span().map_or((1, 1), |s| place(&text, s.start));
        Failure::usage(format!("{shown}:{line}:{column}: {}.", e.message().trim_end_matches('.')))
    })?;
    if config.engine.workers == 0 {
        return Err(Failure::usage(format!(
            "{shown}: engine.workers must be at least 1, or nothing would be scanned."
        )));
    }
    if config.engine.per_origin == 0 {
        return Err(Failure::usage(format!(
            "{shown}: engine.per_origin must be at least 1, or no vendor would be asked."
        )));
    }
    if !LEASE_SECONDS.contains(&config.engine.lease_seconds) {
        return Err(Failure::usage(format!(
            "{shown}: engine.lease_seconds must be {} to {}: how long a crash stays unnoticed.",
            LEASE_SECONDS.start(),
            LEASE_SECONDS.end()
        )));
    }
    if config.node.linger_seconds > LONGEST_LINGER {
        return Err(Failure::usage(format!(
            "{shown}: node.linger_seconds must be at most {LONGEST_LINGER}."
        )));
    }
    Ok(config)
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
