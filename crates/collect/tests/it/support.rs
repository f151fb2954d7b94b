//! A clock that does not wait, a server that answers by a function, an application from a text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use catalog::{App, Catalog};
use collect::{
    Checkpoint, Clock, Collected, Credential, DatasetState, Done, Origins, Outbound, OutboundConfig,
    Progress, Quiet, RunRequest, Target,
};
use futures_util::future::BoxFuture;
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::Fault;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use serde_json::Value as Json;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp(1_767_225_600_000);

/// A clock whose waits are over at once.
#[derive(Clone, Default)]
pub(crate) struct TestClock {
    ms: Arc<AtomicI64>,
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.ms.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(START.0 + self.ms.load(Ordering::SeqCst))
    }
    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.advance(length);
            tokio::task::yield_now().await;
        })
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    pub(crate) fn q(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or(Json::Null)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn json(value: Json) -> Answer {
    Answer { status: 200, headers: Vec::new(), body: value.to_string().into_bytes() }
        .with("content-type", "application/json")
}

pub(crate) fn status(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new() }
}

pub(crate) fn error(code: u16, message: &str) -> Answer {
    Answer { status: code, ..json(serde_json::json!({ "message": message })) }
}

impl Answer {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// A server on this machine that answers by a function and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) clock: TestClock,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Server {
    /// Starts one whose `Date` is the clock's.
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let clock = TestClock::default();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (log, time, answer) = (Arc::clone(&seen), clock.clone(), Arc::new(answer));
        let router = axum::Router::new().fallback(move |request: Request| {
            let (log, time, answer) = (Arc::clone(&log), time.clone(), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
                let query = parts.uri.query().unwrap_or_default();
                let seen = Seen {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                    headers: parts.headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                let answer = answer(&seen);
                log.lock().unwrap().push(seen);
                let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
                if !answer.headers.iter().any(|(name, _)| name == "date") {
                    response = response.header("date", http_date(time.now()));
                }
                for (name, value) in &answer.headers {
                    response = response.header(name.as_str(), value.as_str());
                }
                response.body(Body::from(answer.body)).unwrap()
            }
        });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                _ = stopped => {}
            }
        });
        Self { url, seen, clock, _stop: stop }
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|s| s.path.clone()).collect()
    }
}

pub(crate) fn http_date(at: Timestamp) -> String {
    at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An application called `test` from the text of its manifest, loaded as any other.
pub(crate) fn app(toml: &str) -> Arc<App> {
    app_with(toml, &[])
}

/// The same with further files of its folder.
pub(crate) fn app_with(toml: &str, files: &[(&str, &str)]) -> Arc<App> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("apps/test");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.toml"), toml).unwrap();
    std::fs::write(folder.join("onboarding.md"), "Ask somebody who knows the system for a token.\n").unwrap();
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let loaded = Catalog::load(&[dir.path().to_owned()]);
    loaded.catalog.apps.get(&"test".into()).cloned().unwrap_or_else(|| {
        panic!("{}", loaded.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// What every manifest of these tests begins with.
pub(crate) const HEAD: &str = r#"
name = "Test"
vendor = "Nobody"
category = "tests"
summary = "A server of this machine."
revision = 1
docs = "https://docs.example.com/"

[[setting]]
name = "tenant"
title = "Tenant"

[[deployment]]
id = "server"
title = "A server of your own"
console = "https://console.example.com"
[deployment.address]
name = "address"
title = "Address"
[deployment.hosts.main]
base = "/api"

[identity]
path = "/tenant"
tenant_uid = "id"
tenant_name = "name"
"#;

/// A bearer token.
pub(crate) const BEARER: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "bearer"
"#;

pub(crate) fn manifest(datasets: &str) -> String {
    format!("{HEAD}{BEARER}{datasets}")
}

/// A dataset of the config scan with the fields `id` and `name`.
pub(crate) fn listing(name: &str, request: &str, more: &str) -> String {
    format!(
        r#"
[[dataset]]
name = "{name}"
title = "The {name}"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/{name}"
key = "id"
{more}
request = [{request}]
field = [{{ name = "id", type = "int" }}, {{ name = "name", type = "string" }}]
"#
    )
}

/// So many of them, each asking for something else: the same would be sent once.
pub(crate) fn listings(count: usize) -> String {
    let request = |n| format!(r#"{{ path = "/items", query = {{ of = "{n}" }} }}"#);
    (0..count).map(|n| listing(&format!("d{n}"), &request(n), "")).collect()
}

pub(crate) fn target(app: &Arc<App>, server: &Server) -> Target {
    target_at(app, &server.url)
}

pub(crate) fn target_at(app: &Arc<App>, url: &str) -> Target {
    Target {
        app: Arc::clone(app),
        deployment: "server".to_owned(),
        settings: BTreeMap::from([("tenant".to_owned(), "acme".to_owned())]),
        origins: Origins::resolve(app, "server", None, Some(url)).unwrap(),
    }
}

pub(crate) fn credential(auth: &str, values: &[(&str, &str)]) -> Credential {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned().into()));
    Credential::new(auth, values.collect())
}

pub(crate) fn token() -> Credential {
    credential("token", &[("token", "tok-5f1c0d9e8b7a6c5d4e3f")])
}

pub(crate) fn outbound() -> Outbound {
    Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap()
}

pub(crate) fn request() -> RunRequest {
    RunRequest::new(ScanKind::Config, START + Duration::hours(3))
}

/// Runs the config scan to its end.
pub(crate) async fn run(app: &Arc<App>, server: &Server) -> Box<Done> {
    run_with(app, server, &token(), request()).await
}

pub(crate) async fn run_with(
    app: &Arc<App>,
    server: &Server,
    credential: &Credential,
    request: RunRequest,
) -> Box<Done> {
    run_through(&outbound(), app, server, credential, request).await
}

pub(crate) async fn run_through(
    outbound: &Outbound,
    app: &Arc<App>,
    server: &Server,
    credential: &Credential,
    request: RunRequest,
) -> Box<Done> {
    match collect::run(outbound, &target(app, server), credential, &server.clock, request, &Quiet).await {
        Collected::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn dataset<'d>(done: &'d Done, name: &str) -> &'d DatasetSnapshot {
    &done.snapshot.datasets[name]
}

/// The records as JSON.
pub(crate) fn records(dataset: &DatasetSnapshot) -> Vec<Json> {
    dataset.records.iter().map(|r| r.to_json(&dataset.shape)).collect()
}

pub(crate) fn ids(dataset: &DatasetSnapshot) -> Vec<i64> {
    records(dataset).iter().map(|r| r["id"].as_i64().unwrap()).collect()
}

pub(crate) fn fault(dataset: &DatasetSnapshot) -> &Fault {
    dataset.availability.fault().unwrap_or_else(|| panic!("no fault: {:?}", dataset.availability))
}

pub(crate) fn is_unavailable(dataset: &DatasetSnapshot) -> bool {
    matches!(dataset.availability, Availability::Unavailable { .. })
}

pub(crate) fn is_partial(dataset: &DatasetSnapshot) -> bool {
    matches!(dataset.availability, Availability::Partial { .. })
}

/// Keeps checkpoints; stops after so many.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) parts: Mutex<Vec<Checkpoint>>,
    pub(crate) stop_after: Option<usize>,
    pub(crate) states: Mutex<Vec<(String, DatasetState)>>,
}

impl Progress for Keeper {
    fn dataset(&self, name: &str, state: DatasetState) {
        self.states.lock().unwrap().push((name.to_owned(), state));
    }
    fn records(&self, _: &str, _: u64) {}
    fn checkpoint(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ControlFlow<()>> {
        let mut parts = self.parts.lock().unwrap();
        // As it is stored.
        let text = serde_json::to_string(&checkpoint).unwrap();
        parts.push(serde_json::from_str(&text).unwrap());
        let stop = self.stop_after.is_some_and(|n| parts.len() >= n);
        Box::pin(std::future::ready(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
    }
}
