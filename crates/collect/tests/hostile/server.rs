//! A server that speaks HTTP byte by byte, so that it can do what no library lets it do.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is done with one request.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// The first bytes once, the others again and again until the client hangs up or has had so many MiB.
    Endless(Vec<u8>, Vec<u8>, usize),
    /// The same with a pause between.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Nothing, and the connection stays.
    Silence,
}

/// 200 with a JSON body.
pub(crate) fn json(body: impl AsRef<[u8]>) -> Say {
    with("", body)
}

/// The same with header lines, each ended by `\r\n`.
pub(crate) fn with(headers: &str, body: impl AsRef<[u8]>) -> Say {
    status("200 OK", headers, body)
}

/// The same with a status line of its own.
pub(crate) fn status(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Say {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    Say::Bytes([head.as_bytes(), body].concat())
}

/// The path and query of a request, and how many came before it.
pub(crate) struct Asked {
    pub(crate) path: String,
    /// The server's own name and port.
    pub(crate) host: String,
    pub(crate) before: usize,
}

/// What a server saw and did.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    pub(crate) written: AtomicU64,
    pub(crate) heads: Mutex<Vec<String>>,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) tally: Arc<Tally>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tally = Arc::<Tally>::default();
        let (seen, answer) = (Arc::clone(&tally), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { return };
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (tally, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut socket = socket;
                    if let Some(asked) = heard(&mut socket, &tally).await {
                        say(&mut socket, answer(&asked), &tally).await;
                    }
                });
            }
        });
        Self { url, tally, task }
    }

    pub(crate) fn connections(&self) -> usize {
        self.tally.connections.load(Ordering::SeqCst)
    }
}

/// Reads one request; its body, if it has one, is of no interest.
async fn heard(socket: &mut TcpStream, tally: &Tally) -> Option<Asked> {
    let mut head = Vec::new();
    let mut piece = [0; 2 << 10];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(n) if n > 0 && head.len() < 64 << 20 => head.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    }
    let before = tally.requests.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let host = |line: &str| line.to_lowercase().strip_prefix("host:").map(|host| host.trim().to_owned());
    let host = head.lines().find_map(host).unwrap_or_default();
    tally.heads.lock().unwrap().push(head.chars().take(4_000).collect());
    Some(Asked { path, host, before })
}

async fn say(socket: &mut TcpStream, what: Say, tally: &Tally) {
    match what {
        Say::Bytes(bytes) => {
            write(socket, &bytes, tally).await;
            // An error here is a client that has hung up already.
            let _ = socket.shutdown().await;
        }
        Say::Endless(head, piece, mib) => {
            let mut left = mib << 20;
            let mut goes_on = write(socket, &head, tally).await;
            while goes_on && left > 0 {
                goes_on = write(socket, &piece, tally).await;
                left = left.saturating_sub(piece.len());
            }
            let _ = socket.shutdown().await;
        }
        Say::Drip(head, piece, every) => {
            let mut goes_on = write(socket, &head, tally).await;
            while goes_on {
                tokio::time::sleep(every).await;
                goes_on = write(socket, &piece, tally).await;
            }
        }
        Say::Silence => {
            let mut rest = [0; 64];
            while matches!(socket.read(&mut rest).await, Ok(n) if n > 0) {}
        }
    }
}

/// Whether the client still takes bytes.
async fn write(socket: &mut TcpStream, bytes: &[u8], tally: &Tally) -> bool {
    for part in bytes.chunks(64 << 10) {
        if socket.write_all(part).await.is_err() {
            return false;
        }
        tally.written.fetch_add(part.len() as u64, Ordering::SeqCst);
    }
    true
}
