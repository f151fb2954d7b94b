//! One request and what can come of it.

use catalog::manifest::AnswerRule;
use http::{HeaderMap, Method};
use model::diagnosis::Fault;
use model::time::Timestamp;
use serde_json::Value as Json;
use url::Url;

use crate::outbound::NetError;
use crate::path::Path;

/// Why reading goes no further here.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It failed.
    Fault(Box<Fault>),
    /// The plan or version does not have it.
    NotApplicable(String),
    /// The vendor wants to be left alone until then.
    Wait(Timestamp),
}

/// One request to make.
pub(crate) struct Ask<'r> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Its own headers, and those of its host.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// The dataset's rules, then the application's.
    pub(crate) rules: [&'r [AnswerRule]; 2],
    /// For GraphQL: where the records are.
    pub(crate) graphql: Option<&'r Path>,
    /// The validator of the answer that is kept.
    pub(crate) etag: Option<&'r str>,
    /// How many datasets of the run make it, word for word.
    pub(crate) readers: usize,
    pub(crate) about: About,
}

/// Who a request is made as.
pub(crate) enum Who {
    /// The credential, taking turns with the others.
    Credential,
    /// With these headers, within the turn of another request: to buy a token.
    Given(HeaderMap),
}

/// Why nothing came back.
pub(crate) enum Failed {
    Spent(Box<Fault>),
    Net(NetError),
}

/// What a request is about, for faults and warnings.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) dataset: Option<String>,
    /// The host by name.
    pub(crate) host: String,
    /// The path with its placeholders: the same for all turns of a fan-out.
    pub(crate) template: String,
    pub(crate) needs: Vec<String>,
    /// How many turns of our own pace it takes; 0 counts as 1.
    pub(crate) cost: u32,
}

/// What came of it.
pub(crate) enum Answered {
    Value(Box<Reply>),
    Absent,
    NotModified,
}

/// A usable answer.
pub(crate) struct Reply {
    pub(crate) json: Json,
    pub(crate) headers: HeaderMap,
    /// Where it came from, redirects followed.
    pub(crate) url: Url,
}

/// Method, origin and path: what faults and evidence call a request.
pub(crate) fn label(method: &Method, url: &Url) -> String {
    format!("{method} {}{}", url.origin().ascii_serialization(), url.path())
}

/// The vendor's id of an exchange: `X-GitHub-Request-Id`, `x-okta-request-id`, `request-id` and the like.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    const ENDINGS: [&str; 4] = ["request-id", "requestid", "correlation-id", "trace-id"];
    headers
        .iter()
        .filter(|(name, _)| ENDINGS.iter().any(|ending| name.as_str().ends_with(ending)))
        .find_map(|(_, value)| value.to_str().ok().map(str::to_owned))
}
