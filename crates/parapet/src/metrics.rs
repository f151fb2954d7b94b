//! `/metrics` for Prometheus, on an address of its own.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ops::Ops;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config;
use crate::failure::Failure;

/// A token that can be guessed is none.
const SHORTEST: usize = 16;

#[derive(Clone)]
struct Door {
    ops: Ops,
    token: Option<SecretString>,
}

/// Whether the configured address may be served with this token.
fn token(listen: SocketAddr, file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    let Some(file) = file else {
        return if listen.ip().is_loopback() {
            Ok(None)
        } else {
            Err(Failure::usage(format!(
                "metrics.listen is {listen}, beyond this machine: set metrics.token_file, or listen on 127.0.0.1."
            )))
        };
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("The token {shown} cannot be read: {e}.")))?;
    let text = text.trim();
    if text.len() < SHORTEST {
        return Err(Failure::usage(format!("The token {shown} is shorter than {SHORTEST} characters.")));
    }
    Ok(Some(SecretString::from(text.to_owned())))
}

/// Serves the metrics in a task until the server drains; does nothing where none are configured.
pub(crate) async fn start(
    config: &config::Metrics,
    ops: Ops,
    mut draining: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let Some(listen) = config.listen else { return Ok(()) };
    let token = token(listen, config.token_file.as_deref())?;
    let listener = TcpListener::bind(listen).await.map_err(|e| {
        Failure::usage(format!("Metrics cannot be served on {listen}: {e}. Choose another metrics.listen."))
    })?;
    // Port 0 takes a free one.
    let listen = listener.local_addr().unwrap_or(listen);
    tracing::info!(%listen, "metrics are served");
    let served = axum::serve(listener, router(ops, token))
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which is the same wish.
            let _ = draining.wait_for(|d| *d).await;
        })
        .into_future();
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the metrics stopped being served");
        }
    });
    Ok(())
}

fn router(ops: Ops, token: Option<SecretString>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Door { ops, token })
}

async fn metrics(State(door): State<Door>, headers: HeaderMap) -> Response {
    if let Some(token) = &door.token {
        let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let given = given.strip_prefix("Bearer ").unwrap_or_default();
        if !same(given.trim().as_bytes(), token.expose_secret().as_bytes()) {
            let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
            return (StatusCode::UNAUTHORIZED, ask, "a token is needed\n").into_response();
        }
    }
    let kind = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (kind, door.ops.metrics()).into_response()
}

/// Compares in a time that does not tell where they differ.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let mut differ = u8::from(given.len() != wanted.len());
    for (n, byte) in wanted.iter().enumerate() {
        differ |= byte ^ given.get(n).copied().unwrap_or(0);
    }
    differ == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collect::Clock as _;
    use engine::clock::{SystemClock, SystemEntropy};

    use super::*;

    #[test]
    fn only_loopback_needs_no_token() {
        let beyond: SocketAddr = "0.0.0.0:9464".parse().expect("an address");
        let here: SocketAddr = "127.0.0.1:9464".parse().expect("an address");
        assert!(token(beyond, None).is_err());
        assert!(token(here, None).expect("allowed").is_none());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, "short\n").expect("written");
        assert!(token(here, Some(&file)).is_err());
        std::fs::write(&file, "0123456789abcdef\n").expect("written");
        let read = token(beyond, Some(&file)).expect("read").expect("one");
        assert_eq!(read.expose_secret(), "0123456789abcdef");
    }

    /// The use cases over an empty database.
    async fn empty() -> Ops {
        let key = store::SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
        let (entropy, now) = (Arc::new(SystemEntropy), SystemClock.now());
        let options = store::Options::default();
        let db = store::Db::open("sqlite::memory:", &key, Arc::clone(&entropy) as _, now, options).await;
        let opened = Ops::open(ops::Config {
            db: db.expect("a database in memory"),
            catalog: Arc::default(),
            load_errors: Vec::new(),
            outbound: collect::Outbound::new(collect::OutboundConfig::default()).expect("a client"),
            clock: Arc::new(SystemClock),
            entropy,
            simulated: false,
            telling: ops::Telling::default(),
        });
        opened.await.expect("use cases")
    }

    /// One request over a socket; the whole answer.
    async fn get(port: u16, path: &str, token: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        #[expect(clippy::disallowed_methods, reason = "the test's own server")]
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("text");
        answer
    }

    #[tokio::test]
    async fn what_prometheus_is_answered() {
        let token = SecretString::from("0123456789abcdef".to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = axum::serve(listener, router(empty().await, Some(token))).into_future();
        tokio::spawn(served);
        let answer = get(port, "/metrics", "0123456789abcdef").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        assert!(body.contains("# TYPE parapet_queue_depth gauge\nparapet_queue_depth 0\n"), "{body}");
        let refused = get(port, "/metrics", "0123456789abcdeg").await;
        assert!(refused.starts_with("HTTP/1.1 401") && !refused.contains("parapet_"), "{refused}");
        assert!(get(port, "/", "0123456789abcdef").await.starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn tokens_are_equal_or_not() {
        for (given, equal) in [("abc", true), ("abd", false), ("ab", false), ("abcd", false), ("", false)] {
            assert_eq!(same(given.as_bytes(), b"abc"), equal, "{given}");
        }
    }
}
