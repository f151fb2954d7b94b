//! Destinations that the operator configured, mail servers and webhooks: not a SaaS, but through the same filter.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::diagnosis::Rung;
use tokio::net::TcpStream;
use url::Url;

use super::filter::class;
use super::{Bounds, Call, NetError, Outbound, error};

/// Most bytes of an answer to a post: enough for what it says.
const ANSWER: u64 = 64 << 10;
/// Seconds for one post.
const SECONDS: u32 = 30;

/// An answer to a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds, where given so.
    pub retry_after_seconds: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

impl Outbound {
    /// Connects to a host that the operator configured, if its address may be contacted. A proxy for requests is not used.
    ///
    /// # Errors
    /// What happened, one sentence.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let limit = Duration::from_secs(self.config.connect_seconds.into());
        let connected = tokio::time::timeout(limit, self.connect(host, port)).await;
        let late =
            |_| format!("{host} did not answer on port {port} within {} s", self.config.connect_seconds);
        connected.map_err(late)?.map_err(|e| e.detail)
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let bare = host.trim_matches(['[', ']']);
        let found: Vec<IpAddr> = match (&self.config.resolve, bare.parse::<IpAddr>()) {
            (_, Ok(ip)) => vec![ip],
            (Some(answer), _) => answer(bare),
            (None, _) => tokio::net::lookup_host((bare, port))
                .await
                .map_or_else(|_| Vec::new(), |all| all.map(|a| a.ip()).collect()),
        };
        let unknown = || NetError::unreachable(Rung::Name, format!("The name {host} could not be resolved"));
        let first = *found.first().ok_or_else(unknown)?;
        let allow = self.config.allow(host);
        let mut last = NetError::refused(Rung::Name, error::refusal(host, first, class(first)));
        for ip in found.into_iter().filter(|ip| allow.admits(class(*ip))) {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that connects, behind the filter"
            )]
            match TcpStream::connect(SocketAddr::new(ip, port)).await {
                Ok(stream) => return Ok(stream),
                Err(e) => {
                    let detail = format!("No connection to {host} on port {port} ({e})");
                    last = NetError::unreachable(Rung::Address, detail);
                }
            }
        }
        Err(last)
    }

    /// Posts to an address that the operator configured, if it may be contacted. Follows no redirect.
    ///
    /// # Errors
    /// What happened, one sentence. Of the address it names the host alone: the rest may be a secret.
    pub async fn post(
        &self,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<Posted, String> {
        let url = Url::parse(url).map_err(|_| "The address is not one".to_owned())?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value =
                HeaderValue::from_str(&value).map_err(|_| format!("The header {name} cannot be sent"))?;
            map.insert(HeaderName::from_static(name), value);
        }
        let bytes = AtomicU64::new(ANSWER);
        let bounds = Bounds { answer_bytes: ANSWER, run_bytes: &bytes, seconds: SECONDS };
        let call = Call { method: Method::POST, url, headers: map, body: Some(body) };
        // Not through the tap: what is told to people is no fixture.
        let answer = self.exchange(call, &bounds).await.map_err(|e| e.detail)?;
        let wait = answer.headers.get(http::header::RETRY_AFTER);
        Ok(Posted {
            status: answer.status.as_u16(),
            retry_after_seconds: wait.and_then(|v| v.to_str().ok()?.trim().parse().ok()),
            body: answer.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundConfig;

    #[tokio::test]
    async fn a_mail_server_passes_the_same_filter() {
        let names = |name: &str| -> Vec<IpAddr> {
            match name {
                "inside.example.com" => vec!["10.0.0.1".parse().unwrap()],
                "cloud.example.com" => vec!["169.254.169.254".parse().unwrap()],
                _ => Vec::new(),
            }
        };
        let config =
            OutboundConfig { resolve: Some(std::sync::Arc::new(names)), ..OutboundConfig::default() };
        let outbound = Outbound::new(config).unwrap();
        for (host, says) in [
            ("inside.example.com", "private range"),
            ("cloud.example.com", "never contacted"),
            ("127.0.0.1", "this machine itself"),
            ("nowhere.example.com", "could not be resolved"),
        ] {
            let refused = outbound.dial(host, 25).await.unwrap_err();
            assert!(refused.contains(says), "{host}: {refused}");
        }
    }
}
