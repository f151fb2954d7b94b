//! Tapes: what a vendor answered to each request of a scan, played again over loopback. The format is described in
//! docs/reference/fixtures.md.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Most bytes of a request that a player reads.
const REQUEST_BYTES: usize = 1 << 20;
/// What a player answers to a request that is not on its tape. No vendor uses it, so no manifest gives it a meaning.
const NOT_ON_TAPE: u16 = 418;
/// Stands for the player's own address in headers and bodies.
pub const BASE: &str = "{base}";

/// `tape.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tape {
    /// What the case is about.
    pub about: String,
    /// The way of hosting, an id of the manifest.
    pub deployment: String,
    /// The way to authenticate, an id of the manifest.
    pub auth: String,
    /// Made-up values for the credential's fields. None of them may come out of a scan.
    pub credential: BTreeMap<String, String>,
    /// What the admin entered.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The present, an instant (RFC 3339).
    pub now: String,
    /// Requests with their answers, in any order.
    pub exchanges: Vec<Exchange>,
    /// The answer to everything that is not on the tape. Without it such a request is a mistake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Answer>,
}

/// One request and its answer. Exactly one of `get`, `post` and `query` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Path and query of a GET, parameters sorted by name and decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// Path (and query) of a POST that is not GraphQL: a token, a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The JSON that such a POST sends, where several to the same path differ in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Json>,
    /// Name of a GraphQL operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Its cursor, the variable `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// HTTP status code.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub status: u16,
    /// Headers of the answer. The content type is JSON's unless given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The answer, where it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Json>,
    /// The answer, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// HTTP status code.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub status: u16,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The answer, where it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Json>,
    /// The answer, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

fn ok() -> u16 {
    200
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_ok(status: &u16) -> bool {
    *status == ok()
}

/// What is wrong with a tape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TapeError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

impl Tape {
    /// Reads a tape.
    ///
    /// # Errors
    /// All that is wrong with it; with text that is not a tape at all, the first.
    pub fn parse(text: &str) -> Result<Self, Vec<TapeError>> {
        let tape: Self = serde_json::from_str(text).map_err(|e| {
            let message = e.to_string();
            // The place stands in fields of its own.
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            vec![TapeError { line: e.line(), column: e.column(), message }]
        })?;
        let mut errors = Vec::new();
        let mut names = BTreeSet::new();
        for (at, exchange) in tape.exchanges.iter().enumerate() {
            let message = match exchange.name() {
                Err(message) => message,
                Ok(name) if !names.insert(name.clone()) => format!("{name} stands twice on the tape"),
                Ok(_) if exchange.body.is_some() && exchange.text.is_some() => {
                    "an answer has a `body` or a `text`, not both".to_owned()
                }
                Ok(_) => continue,
            };
            let (line, column) = place(text, at);
            errors.push(TapeError { line, column, message: format!("exchange {}: {message}", at + 1) });
        }
        if errors.is_empty() { Ok(tape) } else { Err(errors) }
    }
}

/// Where the exchange at this position begins: the text is JSON, so that braces outside of strings nest.
fn place(text: &str, at: usize) -> (usize, usize) {
    let (mut depth, mut seen, mut quoted, mut escaped) = (0, 0, false, false);
    let (mut line, mut column) = (1, 0);
    for c in text.chars() {
        if c == '\n' {
            (line, column) = (line + 1, 0);
            continue;
        }
        column += 1;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => {
                // The file is one object; only `exchanges` holds a list of objects.
                if c == '{' && depth == 2 {
                    if seen == at {
                        return (line, column);
                    }
                    seen += 1;
                }
                depth += 1;
            }
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    (1, 1)
}

impl Exchange {
    /// The request in a line: `GET /users?page=2`, `POST /token`, `QUERY Members after Y3Vyc29y`.
    ///
    /// # Errors
    /// None, or more than one, of `get`, `post` and `query` is given.
    pub fn name(&self) -> Result<String, String> {
        match (&self.get, &self.post, &self.query) {
            (Some(path), None, None) => Ok(format!("GET {path}")),
            (None, Some(path), None) => Ok(match &self.sent {
                None => format!("POST {path}"),
                Some(sent) => format!("POST {path} with {}", sorted(sent)),
            }),
            (None, None, Some(query)) => Ok(named_query(query, self.after.as_deref())),
            _ => Err("give exactly one of `get`, `post` and `query`".to_owned()),
        }
    }

    fn answer(&self) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            text: self.text.clone(),
        }
    }

    /// The request part of an exchange, from a request as it was sent.
    #[must_use]
    pub fn of_request(method: &str, path: &str, query: Vec<(String, String)>, body: &[u8]) -> Self {
        let mut exchange = Self { status: ok(), ..Self::default() };
        if method == "POST"
            && let Ok(json) = serde_json::from_slice::<Json>(body)
            && let Some(name) = json["query"].as_str().and_then(operation)
        {
            exchange.query = Some(name);
            exchange.after = json["variables"]["after"].as_str().map(str::to_owned);
            return exchange;
        }
        let mut pairs = query;
        pairs.sort();
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let whole = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
        if method == "POST" {
            exchange.post = Some(whole);
            exchange.sent = serde_json::from_slice(body).ok();
        } else {
            exchange.get = Some(whole);
        }
        exchange
    }
}

/// JSON with its keys in order: the same text however it was written.
fn sorted(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(sorted).collect(),
        Json::Object(map) => {
            let ordered: BTreeMap<&String, &Json> = map.iter().collect();
            ordered.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        other => other.clone(),
    }
}

fn named_query(query: &str, after: Option<&str>) -> String {
    after.map_or_else(|| format!("QUERY {query}"), |after| format!("QUERY {query} after {after}"))
}

/// The name of the operation of a GraphQL document.
fn operation(document: &str) -> Option<String> {
    let rest = document.split_once("query ")?.1;
    Some(rest.split(['(', ' ', '{']).next()?.to_owned()).filter(|name| !name.is_empty())
}

/// What a player saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests that are on the tape, by name.
    pub played: BTreeSet<String>,
    /// Requests that are not.
    pub unknown: BTreeSet<String>,
}

/// Plays a tape on a loopback port until it is dropped.
#[derive(Debug)]
pub struct Player {
    address: String,
    seen: Arc<Mutex<Seen>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Player {
    /// Starts to play.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(tape: &Tape) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answers: BTreeMap<String, Answer> =
            tape.exchanges.iter().filter_map(|e| Some((e.name().ok()?, e.answer()))).collect();
        let stage = Arc::new((answers, tape.otherwise.clone(), address.clone()));
        let notes = Arc::clone(&seen);
        let router = axum::Router::new().fallback(move |request: Request| {
            let (stage, notes) = (Arc::clone(&stage), Arc::clone(&notes));
            async move {
                let (answers, otherwise, base) = &*stage;
                let asked = asked(request).await;
                let mut name = asked.name().unwrap_or_default();
                if !answers.contains_key(&name) && asked.sent.is_some() {
                    // The tape may not mind what is sent: a sign-in's password does not stand on it.
                    name = Exchange { sent: None, ..asked }.name().unwrap_or_default();
                }
                let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = answers.get(&name).or(otherwise.as_ref());
                if answers.contains_key(&name) {
                    notes.played.insert(name);
                } else if otherwise.is_none() {
                    notes.unknown.insert(name);
                }
                response(answer, base)
            }
        });
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "a tape is played no more");
            }
        });
        Ok(Self { address, seen, server })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked for so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn asked(request: Request) -> Exchange {
    let (parts, body) = request.into_parts();
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map(|Query(pairs)| pairs)
        .unwrap_or_default();
    // A body that is larger belongs to no request of a scan; it is then told from those on the tape by its path.
    let body = to_bytes(body, REQUEST_BYTES).await.unwrap_or_default();
    Exchange::of_request(parts.method.as_str(), parts.uri.path(), pairs, &body)
}

fn response(answer: Option<&Answer>, base: &str) -> Response {
    let made = match answer {
        None => Response::builder().status(NOT_ON_TAPE).body(Body::from("not on the tape")),
        Some(answer) => {
            let mut response = Response::builder().status(answer.status);
            if !answer.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                response = response.header("content-type", "application/json; charset=utf-8");
            }
            for (name, value) in &answer.headers {
                response = response.header(name, value.replace(BASE, base));
            }
            let body = match (&answer.body, &answer.text) {
                (Some(json), _) => json.to_string(),
                (None, text) => text.clone().unwrap_or_default(),
            };
            response.body(Body::from(body.replace(BASE, base)))
        }
    };
    made.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("the tape cannot be played: {error}")));
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"about": "a", "deployment": "cloud", "auth": "token", "credential": {}, "now": "2026-01-01T00:00:00Z""#;

    fn wrong(exchanges: &str) -> (usize, usize, String) {
        let text = format!("{HEAD},\n \"exchanges\": {exchanges}}}");
        let errors = Tape::parse(&text).expect_err("it is wrong");
        (errors[0].line, errors[0].column, errors[0].message.clone())
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(
            wrong("[\n  {\"get\": \"/a{\\\"\", \"body\": [{}]},\n   {\"body\": 1}]"),
            (4, 4, "exchange 2: give exactly one of `get`, `post` and `query`".to_owned())
        );
        assert!(wrong("[{\"get\": \"/a\"}, {\"get\": \"/a\"}]").2.contains("GET /a stands twice"));
        assert!(wrong("[{\"get\": \"/a\", \"body\": 1, \"text\": \"x\"}]").2.contains("not both"));
        let (line, _, message) = wrong("[{\"gte\": \"/a\"}]");
        assert!(line == 2 && message.contains("unknown field `gte`"), "{line}: {message}");
    }

    #[test]
    fn a_request_has_one_name_however_it_is_written() {
        let pairs =
            |of: &[(&str, &str)]| of.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let name = |e: Exchange| e.name().expect("it has a name");
        let get = Exchange::of_request("GET", "/users", pairs(&[("page", "2"), ("a", "x y")]), b"");
        assert_eq!(name(get), "GET /users?a=x y&page=2");
        let login = Exchange::of_request("POST", "/auth", Vec::new(), br#"{"username": "a"}"#);
        assert_eq!(name(login), r#"POST /auth with {"username":"a"}"#);
        let form = Exchange::of_request("POST", "/token", Vec::new(), b"grant_type=client_credentials");
        assert_eq!(name(form), "POST /token");
        let batch =
            Exchange::of_request("POST", "/batch", Vec::new(), br#"{"b": [{"d": 1, "c": 2}], "a": 1}"#);
        assert_eq!(name(batch), r#"POST /batch with {"a":1,"b":[{"c":2,"d":1}]}"#);
        let body = br#"{"query": "query People($after: String) { a }", "variables": {"after": "c1"}}"#;
        assert_eq!(name(Exchange::of_request("POST", "/graphql", Vec::new(), body)), "QUERY People after c1");
    }
}
