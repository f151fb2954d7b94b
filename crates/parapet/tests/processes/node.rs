//! One server process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::installation::Installation;

/// Longer than anything takes that must come: a test that waits in vain says for what.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a test that has failed shows of each node's log.
const LINES: usize = 60;

/// A running server. Killed when dropped.
pub(crate) struct Node {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let last = log.len().saturating_sub(LINES);
            println!("the last words of a node:\n{}", log[last..].join("\n"));
        }
    }
}

impl Node {
    /// Starts a process and does not wait for it.
    pub(crate) fn spawn(of: &Installation, arguments: &[&str]) -> Self {
        let mut command = of.command();
        command.arg("serve").args(arguments);
        if !arguments.contains(&"--config") {
            command.args(["--config", "parapet.toml"]);
        }
        Self::run(command)
    }

    /// Starts a process by others, which become it in the end.
    pub(crate) fn wrapped(of: &Installation, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(of.path());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        command.env("PARAPET_LOG", "info,engine=debug").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary under test starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stderr.take().expect("it is piped")),
            Box::new(child.stdout.take().expect("it is piped")),
        ];
        for stream in streams {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        Self { child, log }
    }

    /// Starts one and waits until it answers.
    pub(crate) async fn start(of: &Installation, arguments: &[&str]) -> Self {
        let node = Self::spawn(of, arguments);
        node.says("Parapet answers").await;
        node
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line with this text.
    pub(crate) async fn says(&self, text: &str) -> String {
        let find = || self.log().into_iter().find(|line| line.contains(text));
        let waiting = async {
            loop {
                if let Some(line) = find() {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("never said {text:?}:\n{}", self.log().join("\n")))
    }

    /// `127.0.0.1:PORT` of its pages.
    pub(crate) async fn address(&self) -> String {
        let line = self.says("Parapet answers").await;
        after(&line, "url=http://")
    }

    /// What it measures, as Prometheus reads it.
    pub(crate) async fn metrics(&self) -> String {
        let line = self.says("metrics are served").await;
        let (status, body) = get(&after(&line, "listen="), "/metrics", "").await.expect("metrics");
        assert_eq!(status, 200);
        body
    }

    /// How many scans have this status, by the product's own word.
    pub(crate) async fn scans_that_are(&self, status: &str) -> usize {
        let status = format!("status=\"{status}\"}} 1");
        let metrics = self.metrics().await;
        metrics.lines().filter(|l| l.starts_with("parapet_scan_status{") && l.ends_with(&status)).count()
    }

    /// Goes through first set-up with the token on the console; the header that says who is signed in.
    pub(crate) async fn signed_in(&self) -> String {
        let is_token = |line: &String| line.trim().len() > 30 && !line.trim().contains(' ');
        let token = self.log().into_iter().find(is_token).expect("a token on the console");
        let password = "twelve-and-more-letters";
        let form = format!("token={}&name=warden&password={password}&again={password}", token.trim());
        let sent = send(&self.address().await, "POST /set-up", &form).await.expect("it answers");
        let (status, text) = answer(sent).await.expect("an answer");
        assert_eq!(status, 303, "{text}");
        let cookie = text.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        format!("Cookie: {}", cookie.split(';').next().unwrap_or_default())
    }

    /// Presses every Scan now of an application's page.
    pub(crate) async fn scan_now(&self, instance: &str, cookie: &str) {
        let address = self.address().await;
        let (_, page) =
            get(&address, &format!("/applications/{instance}/settings"), cookie).await.expect("a page");
        let quoted = |text: &str| text.split('"').next().unwrap_or_default().to_owned();
        let csrf = quoted(page.split_once("name=\"csrf\" value=\"").expect("a form").1);
        let actions =
            page.split("action=\"").skip(1).map(quoted).filter(|action| action.ends_with("/scan-now"));
        let mut pressed = 0;
        for action in actions {
            let sent = send(&address, &format!("POST {action}\n{cookie}"), &format!("csrf={csrf}")).await;
            let (status, text) = answer(sent.expect("it answers")).await.expect("an answer");
            assert_eq!(status, 303, "{text}");
            pressed += 1;
        }
        assert!(pressed > 0, "no Scan now: {page}");
    }

    /// `kill -9`; what it had said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.log()
    }

    /// SIGTERM, without waiting.
    pub(crate) fn tell_to_stop(&self) {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(told.expect("kill is there").success());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let waiting = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log().join("\n")))
    }

    /// SIGTERM, and a good end.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        self.tell_to_stop();
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.log().join("\n"));
        self.log()
    }
}

fn after(line: &str, mark: &str) -> String {
    let rest = line.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {line}")).1;
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Opens a connection and sends one request. `None`: nobody takes it.
pub(crate) async fn send(address: &str, head: &str, body: &str) -> Option<TcpStream> {
    #[expect(clippy::disallowed_methods, reason = "the test's own server")]
    let mut socket = TcpStream::connect(address).await.ok()?;
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    // The head may carry further lines: they stand before the version.
    let (first, more) = head.split_once('\n').unwrap_or((head, ""));
    let text = if more.is_empty() {
        text
    } else {
        text.replacen(&format!("{head} HTTP/1.1\r\n"), &format!("{first} HTTP/1.1\r\n{more}\r\n"), 1)
    };
    socket.write_all(text.as_bytes()).await.ok()?;
    Some(socket)
}

/// One request; its status and everything that came. `None`: nobody answers.
pub(crate) async fn get(address: &str, path: &str, headers: &str) -> Option<(u16, String)> {
    let head = if headers.is_empty() { format!("GET {path}") } else { format!("GET {path}\n{headers}") };
    answer(send(address, &head, "").await?).await
}

/// The whole of an answer.
pub(crate) async fn answer(mut socket: TcpStream) -> Option<(u16, String)> {
    let mut text = String::new();
    socket.read_to_string(&mut text).await.ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, text))
}

/// Waits for what must come.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
