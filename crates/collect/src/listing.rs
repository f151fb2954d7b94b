//! One listing: a request with all its pages.

use std::collections::BTreeSet;

use catalog::manifest::{AnswerRule, Paging};
use catalog::{DatasetSpec, RequestSpec};
use http::{HeaderMap, HeaderValue, Method};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::Timestamp;
use model::value::{Record, Value};
use serde_json::Value as Json;

use crate::ask::{About, Answered, Ask, Halt};
use crate::extract::{Each, Extractor};
use crate::fanout::{Sources, believed};
use crate::page::{self, Cursor, Seen};
use crate::path::{Found, Path, is_withheld};
use crate::place::{Places, address, text};
use crate::progress::ListingAt;
use crate::session::Session;
use crate::sink::Sink;
use crate::target::{Target, headers};

/// A request of a dataset, for one turn of its fan-out.
pub(crate) struct Listing<'a> {
    /// `alternative/request/each`: the same in every run.
    pub(crate) id: String,
    /// Position of its request within the dataset.
    pub(crate) request: usize,
    pub(crate) each: Each<'a>,
}

/// How a listing ended.
#[derive(Debug)]
pub(crate) enum End {
    /// There is no more.
    Complete,
    /// It is what is kept already.
    NotModified,
    /// The plan or version does not have it.
    NotApplicable(String),
    /// This went wrong.
    Fault(Box<Fault>),
    /// The vendor wants to be left alone.
    Wait(Timestamp),
    /// The run is to stop.
    Stopped,
    /// It was left for another run.
    Left,
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Fault(fault) => Self::Fault(fault),
            Halt::NotApplicable(reason) => Self::NotApplicable(reason),
            Halt::Wait(until) => Self::Wait(until),
        }
    }
}

/// What came of a listing.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) records: Vec<Record>,
    pub(crate) end: End,
    /// The validator of the answer, where it was a single page.
    pub(crate) etag: Option<String>,
}

/// Reads listings of one dataset.
pub(crate) struct Lister<'s, 'a> {
    pub(crate) session: &'s Session<'a>,
    pub(crate) dataset: &'s DatasetSpec,
    pub(crate) sink: &'s Sink<'s>,
    /// What answers mean, by the dataset's own rules.
    rules: Vec<AnswerRule>,
    pub(crate) extractors: Vec<Extractor>,
}

impl<'s, 'a> Lister<'s, 'a> {
    pub(crate) fn new(
        session: &'s Session<'a>,
        dataset: &'s DatasetSpec,
        sink: &'s Sink<'s>,
        sources: &Sources,
        hash_key: Option<&[u8; 32]>,
    ) -> Self {
        let extractors =
            dataset.requests.iter().map(|request| Extractor::new(dataset, request, hash_key)).collect();
        let rules = believed(session, dataset, sources);
        Self { session, dataset, sink, rules, extractors }
    }

    /// Reads a listing from `start` to its end. The sink is told of every page.
    pub(crate) async fn read(
        &self,
        listing: &Listing<'_>,
        start: Cursor,
        kept: Vec<Record>,
        etag: Option<&str>,
    ) -> Read {
        let mut records = kept;
        let mut kept_etag = None;
        let pages = self.pages(listing, start, &mut records, etag, &mut kept_etag);
        let end = pages.await.unwrap_or_else(End::from);
        Read { records, end, etag: kept_etag }
    }

    /// Reads the first page of a request only, to see whether it is refused.
    pub(crate) async fn first_page(&self, request: usize) -> Read {
        let mut records = Vec::new();
        let spec = &self.dataset.requests[request];
        let at = Path::new(&spec.spec.records);
        let tried = async {
            let ask = self.ask(spec, &Each::Once, &Cursor::First, &at, None)?;
            if let Answered::Value(reply) = self.session.exchange(&ask).await? {
                let taken = self.take(request, &Each::Once, &at, &reply.json, &mut records);
                if let Err(detail) = taken {
                    let fault = self.session.fault(&ask, FailureCause::Protocol, Rung::Permission, detail);
                    return Err(Halt::Fault(fault));
                }
            }
            Ok(End::Complete)
        };
        let end = tried.await.unwrap_or_else(End::from);
        Read { records, end, etag: None }
    }

    async fn pages(
        &self,
        listing: &Listing<'_>,
        start: Cursor,
        records: &mut Vec<Record>,
        etag: Option<&str>,
        kept_etag: &mut Option<String>,
    ) -> Result<End, Halt> {
        let request = &self.dataset.requests[listing.request];
        let limits = &self.session.target.app.manifest.limits;
        let at = Path::new(&request.spec.records);
        let mut visited = BTreeSet::new();
        let mut cursor = start;
        for page in 0.. {
            let ask = self.ask(request, &listing.each, &cursor, &at, etag.filter(|_| page == 0))?;
            let wrong = |detail: String| {
                Halt::Fault(self.session.fault(&ask, FailureCause::Protocol, Rung::Permission, detail))
            };
            if page >= limits.pages {
                let detail = format!("The listing did not end after {page} pages; reading ended");
                return Err(wrong(detail));
            }
            let reply = match self.session.exchange(&ask).await? {
                Answered::Value(reply) => reply,
                Answered::Absent => {
                    return Ok(self.told(listing, ListingAt::End, &[]).await.unwrap_or(End::Complete));
                }
                Answered::NotModified => return Ok(End::NotModified),
            };
            let before = records.len();
            let broken = self.take(listing.request, &listing.each, &at, &reply.json, records).err();
            let count = records.len() - before;
            if let Some(detail) = broken {
                return Err(wrong(detail));
            }
            if records.len() > limits.records as usize {
                let detail =
                    format!("The listing has more than {} records (`limits.records`)", limits.records);
                return Err(wrong(detail));
            }
            let seen = Seen {
                json: &reply.json,
                headers: &reply.headers,
                url: &reply.url,
                count: count as u64,
                total: records.len() as u64,
            };
            let next = page::next(&request.spec.paging, &cursor, &seen).map_err(wrong)?;
            let Some(next) = next else {
                if page == 0 {
                    *kept_etag = validator(&reply.headers);
                }
                return Ok(self
                    .told(listing, ListingAt::End, &records[before..])
                    .await
                    .unwrap_or(End::Complete));
            };
            if !visited.insert(format!("{next:?}")) {
                let detail = "The next page is one that was read before: the listing goes round in a circle";
                return Err(wrong(detail.to_owned()));
            }
            if let Some(end) = self.told(listing, ListingAt::Page(next.clone()), &records[before..]).await {
                return Ok(end);
            }
            cursor = next;
        }
        Ok(End::Complete)
    }

    async fn told(&self, listing: &Listing<'_>, at: ListingAt, records: &[Record]) -> Option<End> {
        let goes_on = self.sink.page(&self.dataset.shape, &listing.id, at, records).await;
        (!goes_on).then_some(End::Stopped)
    }

    /// Whether a request is documented to answer with one object.
    fn is_single(&self, request: usize) -> bool {
        let spec = &self.dataset.requests[request].spec;
        self.dataset.spec.key.is_none() && matches!(spec.paging, Paging::None) && spec.for_each.is_none()
    }

    /// Whether an answer without a list is one from which the vendor leaves it out because it is empty.
    fn is_left_out(&self, request: usize, json: &Json) -> bool {
        let spec = &self.dataset.requests[request].spec;
        match (spec.empty_with.as_deref(), json) {
            (Some(""), Json::Object(answer)) => {
                let cursor = match &spec.paging {
                    Paging::Cursor { at, .. } | Paging::NextUrl { at } => at.split('.').next(),
                    _ => None,
                };
                answer.keys().all(|key| Some(key.as_str()) == cursor)
            }
            (Some(path), Json::Object(_)) => {
                !matches!(Path::new(path).get(json), Found::Missing | Found::Withheld)
            }
            _ => false,
        }
    }

    /// Takes the records out of an answer.
    ///
    /// # Errors
    /// How the answer differs from its documented shape. What was readable before is kept.
    fn take(
        &self,
        request: usize,
        each: &Each<'_>,
        at: &Path,
        json: &Json,
        records: &mut Vec<Record>,
    ) -> Result<(), String> {
        let place =
            || if at.is_whole() { "The answer".to_owned() } else { "The place of the records".to_owned() };
        let (parent, values) = match at.values_of() {
            Some(parent) => (Some(parent), true),
            None => (None, false),
        };
        let at = parent.as_ref().unwrap_or(at);
        let items: Vec<&Json> = match at.get(json) {
            // A single object that is a list of nothing was not answered: there is always one.
            Found::Value(Json::Array(items)) if items.is_empty() && self.is_single(request) => {
                return Err("The answer is an empty list where an object is documented".to_owned());
            }
            Found::Value(Json::Array(items)) => items.iter().collect(),
            Found::Value(Json::Object(map)) if values => map.values().collect(),
            Found::Value(object @ Json::Object(_)) => vec![object],
            Found::Value(_) => return Err(format!("{} holds neither a list nor an object", place())),
            Found::Missing if self.is_left_out(request, json) => Vec::new(),
            Found::Missing => {
                return Err("The answer has no records where they are documented to be".to_owned());
            }
            Found::Withheld => return Err("The vendor withheld the records".to_owned()),
        };
        let mut withheld = 0usize;
        for item in &items {
            if item.is_null() || is_withheld(item) {
                withheld += 1;
                continue;
            }
            let extracted = self.extractors[request].record(item, each);
            if !extracted.found {
                return Err("A record has none of the documented fields".to_owned());
            }
            records.push(extracted.record);
        }
        if withheld > 0 {
            return Err(format!("The vendor withheld {withheld} of {} records", items.len()));
        }
        Ok(())
    }

    fn ask<'r>(
        &'r self,
        request: &'r RequestSpec,
        each: &Each<'_>,
        cursor: &Cursor,
        records: &'r Path,
        etag: Option<&'r str>,
    ) -> Result<Ask<'r>, Halt> {
        let session = self.session;
        let spec = &request.spec;
        let about = self.about(request);
        let broken = |what: String| Halt::Fault(Box::new(self.unsent(&about, FailureCause::Internal, &what)));
        let places = places(each).at(session.clock.now());
        let mut url = address(session.target, &spec.host, &spec.path, &places).map_err(|what| {
            // What a record lacks is the vendor's; what a setting lacks is ours.
            let cause = if what.contains("{each") { FailureCause::Protocol } else { FailureCause::Internal };
            Halt::Fault(Box::new(self.unsent(&about, cause, &what)))
        })?;
        for (name, template) in &spec.query {
            let value = text(session.target, template, &places).map_err(broken)?;
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut variables = serde_json::Map::new();
        for (name, template) in &spec.variables {
            let value = text(session.target, template, &places).map_err(broken)?;
            variables.insert(name.clone(), Json::String(value));
        }
        page::apply(&spec.paging, cursor, &mut url, &mut variables).map_err(broken)?;
        let mut sent = session.target.host_headers(&spec.host).map_err(broken)?;
        sent.extend(headers(&spec.headers).map_err(broken)?);
        let (method, body, graphql) = match (&request.document, &spec.post) {
            (Some(document), _) => {
                sent.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let body = serde_json::json!({ "query": &**document, "variables": variables });
                (Method::POST, Some(body.to_string().into_bytes()), Some(records))
            }
            (None, Some(fixed)) => {
                sent.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let mut body = serde_json::to_value(fixed)
                    .map_err(|_| broken("The body of `post` cannot be written as JSON".to_owned()))?;
                fill(&mut body, each, session.target).map_err(broken)?;
                (Method::POST, Some(body.to_string().into_bytes()), None)
            }
            (None, None) => (Method::GET, None, None),
        };
        let rules = [self.rules.as_slice(), session.target.app.manifest.answer.as_slice()];
        let readers = session.shared.readers(self.dataset, request);
        Ok(Ask { method, url, headers: sent, body, rules, graphql, etag, readers, about })
    }

    fn about(&self, request: &RequestSpec) -> About {
        let needs = self.dataset.spec.permission.get(&self.session.auth.id).cloned().unwrap_or_default();
        About {
            dataset: Some(self.dataset.spec.name.clone()),
            host: request.spec.host.clone(),
            template: request.spec.path.clone(),
            needs,
            cost: request.spec.cost.unwrap_or(1),
        }
    }

    /// Whether a token that a request needs is sold, where tokens are bought by scope.
    pub(crate) async fn token(&self, request: usize) -> Result<(), Halt> {
        let about = self.about(&self.dataset.requests[request]);
        let base = self.session.target.origins.get(&about.host);
        let (Some(url), Some(_)) = (base, self.session.auth.kind.scopes()) else { return Ok(()) };
        self.session.authenticator.headers(self.session, &about, url).await.map(|_| ())
    }

    /// A fault before anything was sent.
    fn unsent(&self, about: &About, cause: FailureCause, detail: &str) -> Fault {
        Fault {
            cause,
            reached: Rung::NotSent,
            dataset: about.dataset.clone(),
            request: Some(about.template.clone()),
            status: None,
            vendor_message: None,
            request_id: None,
            needs: Vec::new(),
            detail: self.session.scrub.clean(detail),
            at: self.session.clock.now(),
        }
    }

    /// How a listing's request is called in evidence.
    pub(crate) fn evidence(&self, request: usize) -> String {
        // What is resolved from other datasets has no request of its own.
        let Some(spec) = self.dataset.requests.get(request).map(|r| &r.spec) else { return String::new() };
        let base = self.session.target.origins.get(&spec.host);
        let base = base.map_or_else(String::new, |url| url.as_str().trim_end_matches('/').to_owned());
        let mut path = spec.path.clone();
        for setting in &self.session.target.app.manifest.setting {
            let mark = format!("{{{}}}", setting.name);
            if let Some(value) = crate::place::setting(self.session.target, &setting.name) {
                path = path.replace(&mark, value);
            }
        }
        let said = match &spec.graphql {
            Some(document) => format!("POST {base}{path} ({document})"),
            None if spec.post.is_some() => format!("POST {base}{path}"),
            None => format!("GET {base}{path}"),
        };
        self.session.scrub.clean(&said)
    }
}

/// Puts values into the slots of a body, each a whole value of its own type.
fn fill(body: &mut Json, each: &Each<'_>, target: &Target) -> Result<(), String> {
    match body {
        Json::Object(map) => map.values_mut().try_for_each(|value| fill(value, each, target)),
        Json::Array(items) => items.iter_mut().try_for_each(|value| fill(value, each, target)),
        Json::String(text) => {
            let Some(name) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else { return Ok(()) };
            let lacking = || format!("There is no value for `{{{name}}}`");
            *body = match (name, each) {
                ("each", Each::Batch(values)) => {
                    Json::Array(values.iter().map(slot).collect::<Option<_>>().ok_or_else(lacking)?)
                }
                ("each", Each::Value(value)) => slot(value).ok_or_else(lacking)?,
                (_, Each::Record(record, shape)) if name.starts_with("each.") => {
                    slot(record.get(shape, &name[5..])).ok_or_else(lacking)?
                }
                _ => Json::from(crate::place::setting(target, name).ok_or_else(lacking)?),
            };
            Ok(())
        }
        _ => Ok(()),
    }
}

fn slot(value: &Value) -> Option<Json> {
    match value {
        Value::String(text) => Some(Json::from(&**text)),
        Value::Int(i) => Some(Json::from(*i)),
        Value::Bool(b) => Some(Json::from(*b)),
        _ => None,
    }
}

/// What a fan-out puts into a request.
fn places(each: &Each<'_>) -> Places {
    let word = |value: &Value| match value {
        Value::String(s) => Some(s.to_string()),
        Value::Int(i) => Some(i.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    };
    match each {
        Each::Once | Each::Batch(_) => Places::default(),
        Each::Value(value) => {
            word(value).map_or_else(Places::default, |text| Places::default().with("each", text))
        }
        Each::Record(record, shape) => shape
            .fields
            .iter()
            .zip(&record.values)
            .filter_map(|(field, value)| Some((format!("each.{}", field.name), word(value)?)))
            .fold(Places::default(), |places, (name, text)| places.with(name, text)),
    }
}

fn validator(headers: &HeaderMap) -> Option<String> {
    headers.get(http::header::ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned)
}
