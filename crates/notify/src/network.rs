//! Connections, made by whoever calls the transports: every address passes the one filter, and time is bounded.

use futures_util::future::BoxFuture;
use model::words::acts;

/// A connection.
pub type Stream = tokio::net::TcpStream;

/// How transports reach their servers.
pub trait Network: Send + Sync {
    /// Connects, if the address may be contacted.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Stream, Trouble>>;

    /// Posts over https, if the address may be contacted. Follows no redirect.
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Answer, Trouble>>;
}

/// What a web server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds, where given so.
    pub retry_after_seconds: Option<u32>,
    /// The first words of the body.
    pub says: String,
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Trouble {
    /// This message will never be taken: not worth repeating. A transport that is misconfigured is mended by people, and
    /// the message waits for that; only what is wrong with the message itself is lasting.
    pub lasting: bool,
    /// It would meet every message alike: the server is away, refuses the sign-in or the whole connection.
    pub whole: bool,
    /// The server asked to be left alone for so long.
    pub wait_seconds: Option<u32>,
    /// What happened, one sentence without secrets.
    pub says: String,
}

impl Trouble {
    /// Worth repeating; every message would have met it.
    #[must_use]
    pub fn passing(says: impl Into<String>) -> Self {
        Self { lasting: false, whole: true, wait_seconds: None, says: clean(&says.into()) }
    }

    /// Worth repeating, and about this message only.
    #[must_use]
    pub fn single(says: impl Into<String>) -> Self {
        Self { whole: false, ..Self::passing(says) }
    }

    /// Not worth repeating.
    #[must_use]
    pub fn lasting(says: impl Into<String>) -> Self {
        Self { lasting: true, whole: false, wait_seconds: None, says: clean(&says.into()) }
    }
}

/// One line of at most 300 characters: it may quote a server.
pub(crate) fn clean(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || acts(c)).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= 300 { line } else { line.chars().take(299).chain(['\u{2026}']).collect() }
}
