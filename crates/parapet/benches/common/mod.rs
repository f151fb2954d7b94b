//! What benches of the whole product share: the built server as a child, its pages over HTTP, a session on a database.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use collect::{Outbound, OutboundConfig};
use engine::clock::{SystemClock, SystemEntropy};
use secrecy::{ExposeSecret as _, SecretString};
use store::Db;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_parapet");

/// Starts a server with that configuration, and waits until it says where it answers.
pub(crate) fn serve(configuration: &Path) -> (Child, SocketAddr) {
    let mut server = Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(configuration)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut log = std::io::BufReader::new(server.stderr.take().expect("piped")).lines();
    let said = log.by_ref().map_while(Result::ok).find(|line| line.contains("Parapet answers"));
    let said = said.expect("the server says where it answers");
    // What nobody reads would stop the server once the pipe is full.
    std::thread::spawn(move || log.for_each(drop));
    let at = said
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| c.is_whitespace() || c == '/').next())
        .and_then(|address| address.trim_end_matches('.').parse().ok());
    (server, at.unwrap_or_else(|| panic!("the server says its address: {said:?}")))
}

/// A line of `/proc/PID/status` in megabytes (10^6 bytes); 0 when the process is gone.
pub(crate) fn memory(child: &Child, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let kib = status.lines().find_map(|l| {
        l.strip_prefix(line)?.strip_prefix(':')?.split_whitespace().next()?.parse::<f64>().ok()
    });
    kib.unwrap_or(0.0) * 1024.0 / 1e6
}

/// The body of a page or a file. HTTP/1.0, so that it ends with the connection and is nothing but that.
pub(crate) fn get(at: SocketAddr, cookie: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).expect("a connection");
    let ask = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]);
    assert!(head.get(8..12) == Some(" 200"), "{path}: {head}");
    answer.split_off(end + 4)
}

/// Use cases over a database, with everything it holds in memory.
pub(crate) async fn use_cases(db: &Db) -> ops::Ops {
    let loaded = catalog::Catalog::builtin();
    let opened = ops::Ops::open(ops::Config {
        db: db.clone(),
        catalog: Arc::new(loaded.catalog),
        load_errors: loaded.errors,
        outbound: Outbound::new(OutboundConfig::default()).expect("an outbound client"),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        simulated: false,
        telling: ops::Telling::default(),
    });
    opened.await.expect("opens")
}

/// The cookie of a session.
pub(crate) async fn session(ops: &ops::Ops) -> String {
    let password: SecretString = "correct horse battery staple".to_owned().into();
    let signed = match ops.offer_setup().await.expect("readable") {
        Some(token) => ops.set_up(&token, "admin", &password, None).await.expect("set up"),
        None => ops.sign_in("admin", &password, None).await.expect("signed in"),
    };
    format!("parapet_session={}", signed.token.expose_secret())
}
