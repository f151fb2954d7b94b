//! The only sockets to SaaS: one client with an address filter inside name resolution, no automatic redirects, and
//! answers bounded in bytes (after decompression) and time.

mod dial;
mod error;
mod filter;
mod resolve;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use model::diagnosis::Rung;
use url::{Host, Url};

use crate::target::is_loopback;
use filter::{Allow, class};

pub use dial::Posted;
pub(crate) use error::NetError;

/// How requests leave this machine.
#[derive(Clone)]
pub struct OutboundConfig {
    /// Allows plain http to this machine (the demo, tests, an emulator or proxy started beside Parapet).
    pub allow_loopback_http: bool,
    /// Hosts (names or addresses) that may be at private addresses, as the operator listed them.
    pub allowed_private_hosts: Vec<String>,
    /// Proxy for all requests: `http://[user:password@]host:port`. Names are then resolved by the proxy, whose
    /// operator answers for where they lead; private addresses given as such are refused all the same.
    pub proxy: Option<Url>,
    /// Certificates of further authorities (PEM, any number), beside the system's.
    pub extra_ca_pem: Vec<u8>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Seconds for connecting, TLS included.
    pub connect_seconds: u32,
    /// Answers names instead of DNS, before the address filter: for tests.
    pub resolve: Option<ResolveOverride>,
    /// Hears every whole answer with its request, secrets included: for recording fixtures.
    pub tap: Option<Tap>,
}

/// Hears exchanges.
pub type Tap = Arc<dyn Fn(&Heard<'_>) + Send + Sync>;

/// One exchange as it crossed the wire, after decompression. The request's headers, which carry the credential, are not
/// in it; its body and the answer may hold secrets.
#[derive(Debug)]
pub struct Heard<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// Whole address.
    pub url: &'a Url,
    /// Body of the request.
    pub sent: &'a [u8],
    /// Status code.
    pub status: u16,
    /// Headers of the answer.
    pub headers: &'a HeaderMap,
    /// Body of the answer.
    pub body: &'a [u8],
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
            tap: None,
        }
    }
}

impl OutboundConfig {
    /// What a host may resolve to.
    fn allow(&self, host: &str) -> Allow {
        let bare = host.trim_matches(['[', ']']);
        let listed = |h: &String| h.trim_matches(['[', ']']).eq_ignore_ascii_case(bare);
        let is_proxy =
            self.proxy.as_ref().and_then(Url::host_str).is_some_and(|p| p.eq_ignore_ascii_case(host));
        if self.allowed_private_hosts.iter().any(listed) || is_proxy {
            return Allow::Private;
        }
        let here = Host::parse(host).is_ok_and(|h| is_loopback(&h));
        if here && self.allow_loopback_http { Allow::Loopback } else { Allow::Public }
    }
}

/// Why no outbound client could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The certificates of further authorities are not PEM.
    #[error("the additional certificates cannot be read; give one or more PEM certificates")]
    ExtraCa,
    /// The proxy's address is not one.
    #[error("the proxy's address cannot be used; give it as http://host:port")]
    Proxy,
    /// No certificate authorities on this machine, or TLS could not be set up.
    #[error(
        "TLS could not be set up: {0}; install the system's certificate authorities (package ca-certificates)"
    )]
    Tls(String),
}

/// The one client. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Outbound {
    config: Arc<OutboundConfig>,
    client: reqwest::Client,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's address may hold a password.
        f.debug_struct("Outbound").field("proxied", &self.config.proxy.is_some()).finish_non_exhaustive()
    }
}

/// One request as it is sent.
pub(crate) struct Call {
    /// GET, or POST for tokens and GraphQL queries.
    pub(crate) method: Method,
    /// Whole address.
    pub(crate) url: Url,
    /// Headers, the credential among them.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Option<Vec<u8>>,
}

/// What bounds one exchange.
pub(crate) struct Bounds<'a> {
    /// Most bytes of this answer, after decompression.
    pub(crate) answer_bytes: u64,
    /// What is left for all answers of the run.
    pub(crate) run_bytes: &'a AtomicU64,
    /// From connecting to the last byte.
    pub(crate) seconds: u32,
}

/// One answer, whole.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: StatusCode,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Decompressed body.
    pub(crate) body: Vec<u8>,
}

impl Outbound {
    /// Sets the client up.
    ///
    /// # Errors
    /// What is wrong with the configuration or the machine, and the remedy.
    pub fn new(config: OutboundConfig) -> Result<Self, OutboundError> {
        let config = Arc::new(config);
        let mut builder = reqwest::Client::builder()
            .user_agent(config.user_agent.clone())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(Duration::from_secs(config.connect_seconds.into()))
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .dns_resolver(Arc::new(resolve::Filtered::new(Arc::clone(&config))));
        if let Some(proxy) = &config.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|_| OutboundError::Proxy)?);
        }
        if !config.extra_ca_pem.is_empty() {
            let certificates = reqwest::Certificate::from_pem_bundle(&config.extra_ca_pem)
                .ok()
                .filter(|all| !all.is_empty())
                .ok_or(OutboundError::ExtraCa)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|e| {
            let mut text = e.to_string();
            let mut source = std::error::Error::source(&e);
            while let Some(inner) = source {
                text = inner.to_string();
                source = inner.source();
            }
            OutboundError::Tls(text)
        })?;
        Ok(Self { config, client })
    }

    /// Whether an address could be contacted as far as its text tells, without resolving its name.
    ///
    /// # Errors
    /// The sentence for the person who entered it.
    pub fn admits(&self, url: &Url) -> Result<(), String> {
        self.check(url).map_err(|e| e.detail)
    }

    fn check(&self, url: &Url) -> Result<(), NetError> {
        let Some(host) = url.host() else {
            return Err(NetError::refused(Rung::NotSent, "The address has no host"));
        };
        let text = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) && self.config.allow_loopback_http => {}
            "http" if is_loopback(&host) => {
                return Err(NetError::refused(
                    Rung::NotSent,
                    format!(
                        "Plain http to {text} is not allowed here; it is only in a demo or where an operator allows it"
                    ),
                ));
            }
            _ => {
                return Err(NetError::refused(
                    Rung::NotSent,
                    format!("{text} would receive the credential unencrypted; only https is used"),
                ));
            }
        }
        let literal = match host {
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
            Host::Domain(_) => return Ok(()),
        };
        let class = class(literal);
        if self.config.allow(text).admits(class) {
            Ok(())
        } else {
            Err(NetError::refused(Rung::NotSent, error::refusal(text, literal, class)))
        }
    }

    /// Sends one request and reads the whole answer within its bounds. Follows no redirect.
    pub(crate) async fn send(&self, call: Call, bounds: &Bounds<'_>) -> Result<Answer, NetError> {
        let Some(tap) = &self.config.tap else { return self.exchange(call, bounds).await };
        let (method, url, sent) = (call.method.clone(), call.url.clone(), call.body.clone());
        let answer = self.exchange(call, bounds).await?;
        tap(&Heard {
            method: method.as_str(),
            url: &url,
            sent: sent.as_deref().unwrap_or_default(),
            status: answer.status.as_u16(),
            headers: &answer.headers,
            body: &answer.body,
        });
        Ok(answer)
    }

    async fn exchange(&self, call: Call, bounds: &Bounds<'_>) -> Result<Answer, NetError> {
        self.check(&call.url)?;
        let host = call.url.host_str().unwrap_or_default().to_owned();
        #[cfg(feature = "simulation")]
        if let Some(told) = crate::simulation::ask(&call, bounds) {
            let take = |body: &mut Vec<u8>, sent: &[u8]| take(body, sent, &host, bounds);
            return crate::simulation::answer(&host, told.await, take);
        }
        let explain =
            |e: &reqwest::Error| error::classify(e, &host, bounds.seconds, self.config.connect_seconds);
        let mut request = self
            .client
            .request(call.method, call.url)
            .headers(call.headers)
            .timeout(Duration::from_secs(bounds.seconds.into()));
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|e| explain(&e))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        let told = response.content_length().unwrap_or(0);
        if told > bounds.answer_bytes {
            return Err(too_large(&host, bounds.answer_bytes));
        }
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Answer { status, headers, body }),
                Err(e) => {
                    let mut error = explain(&e);
                    error.reached = error.reached.max(Rung::Http);
                    return Err(error);
                }
            };
            take(&mut body, &chunk, &host, bounds)?;
        }
    }
}

/// Adds what came to a body, within the bounds.
fn take(body: &mut Vec<u8>, chunk: &[u8], host: &str, bounds: &Bounds<'_>) -> Result<(), NetError> {
    let length = chunk.len() as u64;
    if body.len() as u64 + length > bounds.answer_bytes {
        return Err(too_large(host, bounds.answer_bytes));
    }
    let left =
        bounds.run_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length));
    if left.is_err() {
        return Err(NetError::protocol(format!(
            "{host} has sent more in this run than the application's `limits.run_mib` allows; reading ended"
        )));
    }
    body.extend_from_slice(chunk);
    Ok(())
}

fn too_large(host: &str, limit: u64) -> NetError {
    NetError::protocol(format!(
        "The answer of {host} is larger than {} MiB (`limits.answer_mib`); it was not read further",
        limit >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(config: OutboundConfig, url: &str) -> Result<(), String> {
        Outbound::new(config).unwrap().admits(&Url::parse(url).unwrap())
    }

    #[test]
    fn addresses_are_judged_by_their_text_before_anything_is_sent() {
        let plain = OutboundConfig::default;
        let demo = || OutboundConfig { allow_loopback_http: true, ..plain() };
        let own = || OutboundConfig {
            allowed_private_hosts: vec!["10.0.0.5".into(), "[fd00::5]".into()],
            ..plain()
        };
        assert_eq!(admits(plain(), "https://api.example.com/"), Ok(()));
        assert_eq!(admits(demo(), "http://127.0.0.1:1/"), Ok(()));
        assert_eq!(admits(demo(), "http://localhost:1/"), Ok(()));
        assert_eq!(admits(demo(), "http://[::1]:1/"), Ok(()));
        assert_eq!(admits(own(), "https://10.0.0.5/"), Ok(()));
        assert_eq!(admits(own(), "https://[fd00::5]/"), Ok(()));
        for (config, url) in [
            (plain(), "http://api.example.com/"),
            (demo(), "http://api.example.com/"),
            (demo(), "https://10.0.0.5/"),
            (plain(), "http://127.0.0.1/"),
            (plain(), "https://127.0.0.1/"),
            // Other spellings of 127.0.0.1.
            (plain(), "https://2130706433/"),
            (plain(), "https://0x7f.1/"),
            (plain(), "https://[::ffff:127.0.0.1]/"),
            (plain(), "https://169.254.169.254/"),
            (own(), "https://10.0.0.6/"),
            (own(), "https://169.254.169.254/"),
            (plain(), "ftp://example.com/"),
        ] {
            assert!(admits(config, url).is_err(), "{url}");
        }
    }

    #[test]
    fn configuration_errors_name_the_remedy() {
        let bad = OutboundConfig { extra_ca_pem: b"not a certificate".to_vec(), ..OutboundConfig::default() };
        assert_eq!(Outbound::new(bad).unwrap_err(), OutboundError::ExtraCa);
    }

    #[test]
    fn debug_tells_nothing_of_the_proxy() {
        let proxy = Some(Url::parse("http://user:hunter2@proxy.example:3128").unwrap());
        let outbound = Outbound::new(OutboundConfig { proxy, ..OutboundConfig::default() }).unwrap();
        assert_eq!(format!("{outbound:?}"), "Outbound { proxied: true, .. }");
    }
}
