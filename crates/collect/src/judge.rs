//! From an answer to its meaning.

use catalog::manifest::{AnswerRule, Meaning};
use http::{HeaderMap, StatusCode};
use serde_json::Value as Json;
use url::Url;

use crate::answer::{is_html, rule, usual, vendor_words};
use crate::outbound::Answer;
use crate::path::{Found, Path, withhold};
use crate::scrub::Scrubber;
use crate::weight::weight;

/// What an answer is measured against.
pub(crate) struct Yardstick<'r> {
    /// The dataset's rules, then the application's.
    pub(crate) rules: [&'r [AnswerRule]; 2],
    /// For GraphQL: where the records are.
    pub(crate) graphql: Option<&'r Path>,
    /// The answer buys a token: any refusal is about the credential.
    pub(crate) buys_token: bool,
    /// The request was conditional.
    pub(crate) conditional: bool,
    /// Its headers say that a rate limit is used up.
    pub(crate) limited: bool,
    /// Most bytes of memory that its value may take ([`crate::weight`]).
    pub(crate) memory: u64,
}

/// What an answer means, with what it says.
pub(crate) struct Verdict {
    pub(crate) meaning: Means,
    /// The vendor's words, scrubbed.
    pub(crate) vendor_message: Option<String>,
}

/// The meanings, with what belongs to each.
pub(crate) enum Means {
    Value(Json),
    Absent,
    NotModified,
    NotApplicable(String),
    Redirect(Url),
    Retry,
    Throttled,
    Credentials(Option<String>),
    Permission(Option<String>),
    Protocol(String),
    /// A page for people. It does not tell whether the credential was looked at.
    Page(String),
}

/// Judges an answer to a request that went to `url`.
pub(crate) fn judge(yardstick: &Yardstick<'_>, url: &Url, answer: Answer, scrub: &Scrubber) -> Verdict {
    let Answer { status, headers, body } = answer;
    if status == StatusCode::NOT_MODIFIED && yardstick.conditional {
        return Verdict { meaning: Means::NotModified, vendor_message: None };
    }
    let mut parsed = parse(&headers, &body, scrub, yardstick.memory);
    let empty = body.iter().all(u8::is_ascii_whitespace);
    let page = parsed.is_err() && is_html(&headers, &body);
    drop(body);
    let broken = match &mut parsed {
        Ok(Some(json)) if yardstick.graphql.is_some() && status.is_success() => {
            !settle_graphql(json, yardstick)
        }
        _ => false,
    };
    let json = parsed.as_ref().ok().and_then(Option::as_ref);
    // An error about a part of a GraphQL answer has made that part unknown; it must not condemn the rest.
    let in_part = yardstick.graphql.is_some() && status.is_success() && !broken;
    let counts = |rule: &&AnswerRule| {
        let about_errors = rule.at.as_deref().is_some_and(|at| at.starts_with("errors"));
        !(in_part && about_errors) || matches!(rule.means, Meaning::Throttled | Meaning::Retry)
    };
    let found = rule(yardstick.rules.into_iter().flatten().filter(counts), status, &headers, json);
    let vendor_message = if status.is_success() && found.is_none() && !broken {
        None
    } else {
        vendor_words(json).map(|words| scrub.message(&words)).filter(|words| !words.is_empty())
    };
    let reason = found.and_then(|rule| rule.reason.clone());
    let by_rule = found.is_some();
    let meaning = match found.map_or_else(|| default(yardstick, status, broken), |rule| rule.means) {
        Meaning::Value => match parsed {
            Ok(Some(json)) => Means::Value(json),
            // `value` for an empty answer: there is nothing in it, and that is all.
            Ok(None) if by_rule => Means::Value(Json::Object(serde_json::Map::new())),
            Ok(None) => Means::Value(Json::Null),
            Err(what) if page => Means::Page(what),
            Err(what) => Means::Protocol(what),
        },
        Meaning::Absent => Means::Absent,
        Meaning::NotApplicable => {
            Means::NotApplicable(reason.unwrap_or_else(|| "The vendor does not offer this here".to_owned()))
        }
        Meaning::Retry => Means::Retry,
        Meaning::Throttled => Means::Throttled,
        Meaning::Credentials => Means::Credentials(reason),
        Meaning::Permission => Means::Permission(reason),
        Meaning::Protocol => match reason {
            Some(reason) => Means::Protocol(reason),
            None => unmapped(status, &headers, url, broken, empty, &parsed),
        },
    };
    Verdict { meaning, vendor_message }
}

fn default(yardstick: &Yardstick<'_>, status: StatusCode, broken: bool) -> Meaning {
    if broken {
        return Meaning::Protocol;
    }
    match usual(status, yardstick.limited) {
        Meaning::Protocol | Meaning::Permission if yardstick.buys_token && status.is_client_error() => {
            Meaning::Credentials
        }
        meaning => meaning,
    }
}

/// The sentence for an answer that nothing maps, or where a redirect leads.
fn unmapped(
    status: StatusCode,
    headers: &HeaderMap,
    url: &Url,
    broken: bool,
    empty: bool,
    parsed: &Result<Option<Json>, String>,
) -> Means {
    if status.is_redirection()
        && let Some(location) = headers.get(http::header::LOCATION).and_then(|v| v.to_str().ok())
    {
        return match url.join(location) {
            Ok(target) if !target.username().is_empty() || target.password().is_some() => {
                Means::Protocol("The answer redirects to an address with a user's name in it".to_owned())
            }
            Ok(target) if target.origin() == url.origin() => Means::Redirect(target),
            Ok(target) => Means::Protocol(format!(
                "The answer redirects to {}, which is not followed: the credential stays with its origin",
                target.origin().ascii_serialization()
            )),
            Err(_) => Means::Protocol("The answer redirects to something that is not an address".to_owned()),
        };
    }
    if broken {
        return Means::Protocol("The query was answered with an error".to_owned());
    }
    match parsed {
        Err(what) => {
            Means::Protocol(format!("Status {} with an answer that cannot be used: {what}", status.as_u16()))
        }
        Ok(_) if empty => Means::Protocol(format!("Status {} without an answer", status.as_u16())),
        Ok(_) => Means::Protocol(format!(
            "Status {}, which the catalogue does not explain for this request",
            status.as_u16()
        )),
    }
}

/// Reads a body as JSON. `Ok(None)`: there is none.
fn parse(headers: &HeaderMap, body: &[u8], scrub: &Scrubber, memory: u64) -> Result<Option<Json>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    // A byte order mark is not JSON, but some servers send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if weight(body) > memory {
        return Err("it has too many values for its size (`limits.answer_mib`)".to_owned());
    }
    match serde_json::from_slice::<Json>(body) {
        Ok(mut json) => {
            if std::str::from_utf8(body).is_ok_and(|text| scrub.holds_whole(text)) {
                scrub.clean_json(&mut json);
            }
            Ok(Some(json))
        }
        Err(_) if is_html(headers, body) => {
            Err("an HTML page came instead of JSON, such as a sign-in page or a proxy's notice".to_owned())
        }
        Err(e) if e.is_eof() => Err(format!("the JSON ends in the middle, after {} bytes", body.len())),
        Err(e) => Err(format!("it is not JSON (line {}, column {})", e.line(), e.column())),
    }
}

/// Marks what a GraphQL answer withholds. Whether the records can be read in spite of its errors.
fn settle_graphql(json: &mut Json, yardstick: &Yardstick<'_>) -> bool {
    let errors: Vec<Json> = match json.get("errors") {
        Some(Json::Array(errors)) => errors.clone(),
        None | Some(Json::Null) => Vec::new(),
        Some(_) => return false,
    };
    if errors.is_empty() {
        return json.get("data").is_some_and(|data| !data.is_null());
    }
    let mut placed = true;
    if let Some(data) = json.get_mut("data") {
        for error in &errors {
            match error.get("path") {
                Some(Json::Array(path)) if !path.is_empty() => {
                    if data.is_null() {
                        *data = crate::path::withheld();
                    }
                    withhold(data, path);
                }
                // An error that does not say what it is about may be about anything.
                _ => placed = false,
            }
        }
    }
    let data = json.get("data").is_some_and(|data| data.is_object() && !crate::path::is_withheld(data));
    let records = yardstick.graphql.is_some_and(|path| match path.get(json) {
        Found::Value(value) => !value.is_null(),
        // It may stand elsewhere; the reader of records says so.
        Found::Missing => true,
        Found::Withheld => false,
    });
    placed && data && records
}
