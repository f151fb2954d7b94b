//! Tapes: a vendor's answers to each request of a scan, played over loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

/// `tape.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tape {
    /// What the case is about.
    pub(crate) about: String,
    pub(crate) deployment: String,
    pub(crate) auth: String,
    pub(crate) credential: BTreeMap<String, String>,
    pub(crate) settings: BTreeMap<String, String>,
    /// The present.
    pub(crate) now: String,
    pub(crate) exchanges: Vec<Exchange>,
    /// The answer to everything that is not on the tape. Without it such a request is an error.
    pub(crate) otherwise: Option<Answer>,
}

/// One request and its answer. Exactly one of `get`, `post` and `query` is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// Path and query, parameters sorted by name.
    pub(crate) get: Option<String>,
    /// Path of a form.
    pub(crate) post: Option<String>,
    /// Name of a GraphQL operation.
    pub(crate) query: Option<String>,
    /// Its cursor.
    pub(crate) after: Option<String>,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// An answer. `{base}` in a header is the address of the player.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Answer {
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Json,
}

fn ok() -> u16 {
    200
}

impl Exchange {
    pub(crate) fn name(&self) -> String {
        match (&self.get, &self.post, &self.query) {
            (Some(path), None, None) => format!("GET {path}"),
            (None, Some(path), None) => format!("POST {path}"),
            (None, None, Some(query)) => name_of_query(query, self.after.as_deref()),
            _ => panic!("an exchange has exactly one of get, post and query: {self:?}"),
        }
    }
}

fn name_of_query(query: &str, after: Option<&str>) -> String {
    after.map_or_else(|| format!("QUERY {query}"), |after| format!("QUERY {query} after {after}"))
}

/// One case of an application's fixtures.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) tape: Tape,
}

/// All cases of the catalogue.
pub(crate) fn cases() -> Vec<Case> {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog/apps");
    let mut cases = Vec::new();
    for app in folders(&apps) {
        for folder in folders(&apps.join(&app).join("fixtures")) {
            let path = apps.join(&app).join("fixtures").join(&folder);
            let text = std::fs::read_to_string(path.join("tape.json"))
                .unwrap_or_else(|e| panic!("{}/tape.json: {e}", path.display()));
            let tape =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}/tape.json: {e}", path.display()));
            cases.push(Case { app: app.clone(), name: folder, folder: path, tape });
        }
    }
    cases
}

fn folders(path: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What the player saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) played: BTreeSet<String>,
    /// Requests that are not on the tape.
    pub(crate) unknown: BTreeSet<String>,
}

/// Plays a tape until it is dropped.
pub(crate) struct Player {
    pub(crate) address: String,
    seen: Arc<Mutex<Seen>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Player {
    pub(crate) async fn start(tape: &Tape) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answers: Arc<BTreeMap<String, Answer>> =
            Arc::new(tape.exchanges.iter().map(|e| (e.name(), e.answer.clone())).collect());
        assert_eq!(answers.len(), tape.exchanges.len(), "a request stands twice on the tape");
        let (otherwise, base, notes) = (tape.otherwise.clone(), address.clone(), Arc::clone(&seen));
        let router = axum::Router::new().fallback(move |request: Request| {
            let (answers, otherwise) = (Arc::clone(&answers), otherwise.clone());
            let (base, notes) = (base.clone(), Arc::clone(&notes));
            async move {
                let name = name(request).await;
                let mut notes = notes.lock().expect("no request panics");
                let answer = answers.get(&name).or(otherwise.as_ref());
                if answers.contains_key(&name) {
                    notes.played.insert(name);
                } else if otherwise.is_none() {
                    notes.unknown.insert(name);
                }
                response(answer, &base)
            }
        });
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves until it is aborted");
        });
        Self { address, seen, server }
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no request panics")
    }
}

async fn name(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small request");
    let path = parts.uri.path();
    if parts.method == "POST"
        && let Ok(json) = serde_json::from_slice::<Json>(&body)
        // A sign-in is JSON, too, and no query.
        && let Some(text) = json["query"].as_str()
    {
        let rest = text.split_once("query ").expect("it is a named query").1;
        let query = rest.split(['(', ' ', '{']).next().expect("split gives one part");
        return name_of_query(query, json["variables"]["after"].as_str());
    }
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    pairs.sort();
    if pairs.is_empty() {
        return format!("{} {path}", parts.method);
    }
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {path}?{}", parts.method, query.join("&"))
}

fn response(answer: Option<&Answer>, base: &str) -> Response {
    let Some(answer) = answer else {
        return Response::builder().status(418).body(Body::from("not on the tape")).expect("it is valid");
    };
    let mut response = Response::builder().status(answer.status);
    if !answer.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        response = response.header("content-type", "application/json; charset=utf-8");
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value.replace("{base}", base));
    }
    response.body(Body::from(answer.body.to_string())).expect("headers of a tape are valid")
}
