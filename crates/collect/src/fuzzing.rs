//! Doors for the fuzz targets: what foreign text meets first, without a network before it.

use catalog::manifest::{AnswerRule, Paging};
use catalog::{DatasetSpec, RequestSpec};
use http::{HeaderMap, StatusCode};
use model::value::Record;
use serde_json::Value as Json;
use url::Url;

use crate::extract::{Each, Extractor};
use crate::judge::{Means, Yardstick, judge};
use crate::outbound::Answer;
use crate::page::{self, Cursor, Seen};
use crate::path::Path;
use crate::scrub::Scrubber;

/// One page as it came.
pub struct Page<'a> {
    /// Where from.
    pub from: &'a Url,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub json: &'a Json,
    /// Records on it.
    pub count: u64,
}

/// The address that would be asked after the first page; `None` where the listing is at its end.
///
/// # Errors
/// What ends the reading.
pub fn next_address(paging: &Paging, page: &Page<'_>) -> Result<Option<Url>, String> {
    let seen =
        Seen { json: page.json, headers: page.headers, url: page.from, count: page.count, total: page.count };
    let Some(next) = page::next(paging, &Cursor::First, &seen)? else { return Ok(None) };
    let mut url = page.from.clone();
    page::apply(paging, &next, &mut url, &mut serde_json::Map::new())?;
    Ok(Some(url))
}

/// What an answer was taken for.
#[derive(Debug)]
pub struct Judged {
    /// The meaning's name.
    pub meaning: &'static str,
    /// What is said of it; empty where nothing is.
    pub says: String,
    /// Where it leads.
    pub to: Option<Url>,
    /// Its value.
    pub json: Option<Json>,
    /// The vendor's words.
    pub vendor_message: Option<String>,
}

/// Judges an answer to a request that went to `url` and held a secret.
#[must_use]
pub fn judged(
    rules: &[AnswerRule],
    graphql: Option<&str>,
    url: &Url,
    answer: (StatusCode, HeaderMap, Vec<u8>),
    secret: &str,
) -> Judged {
    let scrub = Scrubber::default();
    scrub.learn(secret);
    let path = graphql.map(Path::new);
    let yardstick = Yardstick {
        rules: [rules, &[]],
        graphql: path.as_ref(),
        buys_token: false,
        conditional: false,
        limited: false,
        memory: 64 << 20,
    };
    let (status, headers, body) = answer;
    let verdict = judge(&yardstick, url, Answer { status, headers, body }, &scrub);
    let plain = |meaning, says| (meaning, says, None, None);
    let (meaning, says, to, json) = match verdict.meaning {
        Means::Value(json) => ("value", String::new(), None, Some(json)),
        Means::Redirect(to) => ("redirect", String::new(), Some(to), None),
        Means::Absent => plain("absent", String::new()),
        Means::NotModified => plain("not_modified", String::new()),
        Means::Retry => plain("retry", String::new()),
        Means::Throttled => plain("throttled", String::new()),
        Means::NotApplicable(says) => plain("not_applicable", says),
        Means::Credentials(says) => plain("credentials", says.unwrap_or_default()),
        Means::Permission(says) => plain("permission", says.unwrap_or_default()),
        Means::Protocol(says) => plain("protocol", says),
        Means::Page(says) => plain("page", says),
    };
    // As it gets into a fault.
    let says = scrub.clean(&says);
    Judged { meaning, says, to, json, vendor_message: verdict.vendor_message }
}

/// A record of a dataset out of an answer, and whether anything documented stood in it.
#[must_use]
pub fn extracted(dataset: &DatasetSpec, request: &RequestSpec, json: &Json) -> (Record, bool) {
    let extracted = Extractor::new(dataset, request, Some(&[7; 32])).record(json, &Each::Once);
    (extracted.record, extracted.found)
}
