//! One tenant on one loopback port: what is asked, what is answered, and what goes wrong on the way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Uri};
use model::time::Timestamp;
use serde_json::{Value, json};

/// A request as a vendor sees it.
#[derive(Debug)]
pub struct Ask {
    /// `GET`, `POST`.
    pub method: Method,
    /// Decoded path.
    pub path: String,
    /// Query parameters, decoded.
    pub query: BTreeMap<String, String>,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    /// `http://127.0.0.1:PORT`: for addresses in answers.
    pub origin: String,
    /// The simulator's time.
    pub now: Timestamp,
}

impl Ask {
    /// What follows `Bearer ` (or `token `) in `Authorization`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let value = self.headers.get("authorization")?.to_str().ok()?;
        value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("token "))
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A numeric query parameter.
    #[must_use]
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        self.query.get(name).and_then(|v| v.parse().ok()).unwrap_or(otherwise)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers beside `Date` and the content type.
    pub headers: Vec<(String, String)>,
    /// JSON body; null with status 204 is no body.
    pub body: Value,
}

impl Answer {
    /// 200 with JSON.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }
    /// An error in a vendor's shape.
    #[must_use]
    pub fn error(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A vendor's behaviour over a tenant's data.
pub trait Vendor: Send + 'static {
    /// Answers one request.
    fn answer(&mut self, ask: &Ask) -> Answer;
}

/// What can go wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status with a short JSON message.
    Status(u16),
    /// A sign-in page instead of JSON, status 200.
    Html,
    /// JSON that ends in the middle.
    Truncated,
    /// JSON of another shape.
    WrongShape,
    /// Headers come, the body never does.
    Hang,
    /// The answer comes after this long.
    Slow(Duration),
    /// Every page names a further one.
    EndlessPages,
    /// A redirect to another origin.
    ForeignRedirect(String),
    /// The next page is at another origin.
    ForeignNext(String),
    /// A body of this many bytes of valid JSON.
    Oversized(u64),
    /// 429 with `Retry-After` seconds.
    RateLimited {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// An empty list.
    EmptyList,
}

/// A fault for the requests whose path contains a text.
#[derive(Debug, Clone)]
pub struct FaultRule {
    /// Which requests; empty: all.
    pub path_contains: String,
    /// What happens.
    pub fault: Fault,
    /// How many times; `None`: until removed.
    pub times: Option<u32>,
}

/// Everything about a running tenant that a test or the demo may look at or change.
pub struct Tenant<V> {
    /// The vendor's data and behaviour.
    pub vendor: V,
    /// Faults in order; the first that matches happens.
    pub faults: Vec<FaultRule>,
    /// Added to each answer.
    pub latency: Duration,
    /// Method and path with query of each request since the last look.
    pub requests: Vec<String>,
    /// How far the vendor's clock is ahead of ours.
    pub clock_skew: model::time::Duration,
}

/// Where the simulator gets the time from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A running tenant; stops when dropped.
pub struct Server<V> {
    address: SocketAddr,
    tenant: Arc<Mutex<Tenant<V>>>,
    task: tokio::task::JoinHandle<()>,
}

impl<V> Drop for Server<V> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared<V> {
    tenant: Arc<Mutex<Tenant<V>>>,
    now: Now,
    origin: String,
}

impl<V: Vendor> Server<V> {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn start(vendor: V, now: Now) -> std::io::Result<Self> {
        Self::start_at(vendor, now, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens on a given loopback address.
    ///
    /// # Errors
    /// When the address is taken, or is not loopback: a simulator must not be reachable from elsewhere.
    pub async fn start_at(vendor: V, now: Now, bind: SocketAddr) -> std::io::Result<Self> {
        if !bind.ip().is_loopback() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                format!("{bind} is not a loopback address; the simulator only listens on 127.0.0.1"),
            ));
        }
        let listener = tokio::net::TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let tenant = Arc::new(Mutex::new(Tenant {
            vendor,
            faults: Vec::new(),
            latency: Duration::ZERO,
            requests: Vec::new(),
            clock_skew: model::time::Duration::ZERO,
        }));
        let shared = Arc::new(Shared { tenant: tenant.clone(), now, origin: format!("http://{address}") });
        let router = axum::Router::new().fallback(handle::<V>).with_state(shared);
        let task = tokio::spawn(async move {
            if let Err(e) = axum::serve(listener, router).await {
                tracing::error!(error = %e, "the simulated tenant stopped");
            }
        });
        Ok(Self { address, tenant, task })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at or changes the tenant.
    pub fn tenant(&self) -> MutexGuard<'_, Tenant<V>> {
        self.tenant.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn handle<V: Vendor>(
    State(shared): State<Arc<Shared<V>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = (shared.now)();
    let ask = Ask {
        method,
        path: decode(uri.path()),
        query: query(uri.query().unwrap_or_default()),
        headers,
        body,
        origin: shared.origin.clone(),
        now,
    };
    let (answer, fault, latency, date) = {
        let mut tenant = shared.tenant.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tenant.requests.push(format!("{} {uri}", ask.method));
        let fault = take_fault(&mut tenant.faults, &ask.path);
        let answer = tenant.vendor.answer(&ask);
        (answer, fault, tenant.latency, now + tenant.clock_skew)
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = match fault {
        None => answer,
        Some(fault) => match spoil(fault, answer, &ask).await {
            Spoiled::Answer(answer) => answer,
            Spoiled::Response(response) => return *response,
        },
    };
    respond(&answer, date)
}

fn respond(answer: &Answer, date: Timestamp) -> Response {
    let mut builder = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("date", http_date(date));
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let body = if answer.body.is_null() && answer.status == 204 {
        Body::empty()
    } else {
        builder = builder.header("content-type", "application/json; charset=utf-8");
        Body::from(answer.body.to_string())
    };
    builder.body(body).unwrap_or_else(|_| Response::new(Body::from("unprintable header")))
}

fn take_fault(rules: &mut Vec<FaultRule>, path: &str) -> Option<Fault> {
    let at = rules.iter().position(|r| path.contains(&r.path_contains))?;
    let fault = rules[at].fault.clone();
    if let Some(times) = &mut rules[at].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            rules.remove(at);
        }
    }
    Some(fault)
}

enum Spoiled {
    Answer(Answer),
    Response(Box<Response>),
}

async fn spoil(fault: Fault, mut answer: Answer, ask: &Ask) -> Spoiled {
    let raw = |status: u16, kind: &str, body: Body| {
        let response = Response::builder().status(status).header("content-type", kind).body(body);
        Spoiled::Response(Box::new(response.unwrap_or_default()))
    };
    match fault {
        Fault::Status(status) => {
            Spoiled::Answer(Answer::error(status, json!({ "message": format!("simulated {status}") })))
        }
        Fault::Html => raw(
            200,
            "text/html",
            Body::from("<!doctype html><title>Sign in</title><form action=/login><input name=user></form>"),
        ),
        Fault::Truncated => {
            let text = answer.body.to_string();
            let cut = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(i, _)| i);
            raw(answer.status, "application/json", Body::from(text[..cut].to_owned()))
        }
        Fault::WrongShape => Spoiled::Answer(Answer::ok(json!({ "unexpected": { "shape": [1, 2, 3] } }))),
        Fault::Hang => {
            let never = futures_pending();
            raw(200, "application/json", Body::from_stream(never))
        }
        Fault::Slow(by) => {
            tokio::time::sleep(by).await;
            Spoiled::Answer(answer)
        }
        Fault::EndlessPages => {
            let page = ask.number("page", 1) + 1;
            answer.headers.retain(|(n, _)| n != "link");
            Spoiled::Answer(answer.header(
                "link",
                format!("<{}{}?per_page=100&page={page}>; rel=\"next\"", ask.origin, ask.path),
            ))
        }
        Fault::ForeignRedirect(to) => Spoiled::Answer(Answer {
            status: 302,
            headers: vec![("location".to_owned(), to)],
            body: Value::Null,
        }),
        Fault::ForeignNext(to) => {
            answer.headers.retain(|(n, _)| n != "link");
            Spoiled::Answer(answer.header("link", format!("<{to}>; rel=\"next\"")))
        }
        Fault::Oversized(bytes) => raw(200, "application/json", Body::from_stream(oversized(bytes))),
        Fault::RateLimited { retry_after } => Spoiled::Answer(
            Answer::error(429, json!({ "message": "You have exceeded a secondary rate limit" }))
                .header("retry-after", retry_after.to_string()),
        ),
        Fault::EmptyList => Spoiled::Answer(Answer::ok(json!([]))),
    }
}

type Chunk = std::result::Result<Bytes, std::convert::Infallible>;

fn futures_pending() -> impl futures_util::Stream<Item = Chunk> + Send {
    futures_util::stream::pending()
}

/// `["aaaa…` of so many bytes, made as it is read.
fn oversized(bytes: u64) -> impl futures_util::Stream<Item = Chunk> + Send {
    const PIECE: u64 = 64 * 1024;
    let pieces = bytes.div_ceil(PIECE);
    futures_util::stream::iter((0..=pieces).map(move |n| {
        Ok(if n == 0 {
            Bytes::from_static(b"[\"")
        } else if n == pieces {
            Bytes::from_static(b"\"]")
        } else {
            Bytes::from(vec![b'a'; usize::try_from(PIECE).unwrap_or(65_536)])
        })
    }))
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub(crate) fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// RFC 9110's preferred date.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
