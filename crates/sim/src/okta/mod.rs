//! One organisation of Okta, in the manner of the real one: lists by cursor with `Link` headers, rate limits counted by
//! endpoint and minute, tokens that act for their owners and service apps that sign in with a key, refusals by scope and
//! by role, and the two engines, which differ in what they have.

mod auth;
mod company;
mod data;
mod policies;

use std::collections::{BTreeMap, BTreeSet};

use model::time::Timestamp;
use serde_json::{Value, json};

use crate::server::{Answer, Ask, Vendor};
pub use auth::{Rank, SCOPES_TO_READ, ServiceApp};

/// What an organisation is to look like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Subdomain and company: `acme`.
    pub subdomain: String,
    /// The same seed gives the same organisation.
    pub seed: u64,
    /// The present, from which ages are counted.
    pub now: Timestamp,
    /// People, administrators among them.
    pub users: usize,
    /// How well it is run: the percentage of settings that follow the recommendations.
    pub care: usize,
    /// Classic Engine, which has no authenticators and no app sign-in policies.
    pub classic: bool,
}

/// What stands at an address.
#[derive(Debug, Clone)]
pub enum Document {
    /// A list, given page by page.
    List(Vec<Value>),
    /// One object.
    Object(Value),
    /// What this organisation does not have: status, error code and summary.
    Lacking(u16, &'static str, &'static str),
}

/// One simulated organisation.
pub struct Okta {
    /// What stands at each path; listings that are told apart by `type` or `filter` carry it: `/api/v1/policies?type=PASSWORD`.
    pub documents: BTreeMap<String, Document>,
    /// API tokens, with the rank of their owner.
    pub tokens: BTreeMap<String, Rank>,
    /// The app that may sign in with its key.
    pub app: Option<ServiceApp>,
    /// Scopes that are refused although they were granted, as when a role was taken from an app.
    pub withdrawn: BTreeSet<String>,
    /// Requests a minute and endpoint.
    pub limit: usize,
    /// Most records of a page.
    pub page: usize,
    owner: String,
    owner_id: String,
    sold: BTreeMap<String, (Timestamp, BTreeSet<String>)>,
    issued: u64,
    used: BTreeMap<String, (i64, usize)>,
}

impl Okta {
    /// An organisation from a plan.
    #[must_use]
    pub fn generate(plan: &Plan) -> Self {
        let (documents, owner) = data::documents(plan);
        Self {
            documents,
            tokens: BTreeMap::new(),
            app: None,
            withdrawn: BTreeSet::new(),
            limit: 600,
            page: 200,
            owner,
            owner_id: "00u0000".to_owned(),
            sold: BTreeMap::new(),
            issued: 0,
            used: BTreeMap::new(),
        }
    }

    /// Counts a request against its endpoint: what is left, and when the minute ends (seconds since 1970).
    fn count(&mut self, ask: &Ask) -> (Option<usize>, i64) {
        let minute = ask.now.0.div_euclid(60_000);
        let endpoint: Vec<&str> = ask.path.split('/').take(4).collect();
        let used = self.used.entry(endpoint.join("/")).or_insert((minute, 0));
        if used.0 != minute {
            *used = (minute, 0);
        }
        used.1 += 1;
        (self.limit.checked_sub(used.1), (minute + 1) * 60)
    }

    fn read(&self, ask: &Ask) -> Answer {
        if ask.path == "/api/v1/users/me" {
            return Answer::ok(
                json!({ "id": self.owner_id, "status": "ACTIVE", "profile": { "login": self.owner } }),
            );
        }
        let told_apart = ["type", "filter"]
            .into_iter()
            .filter_map(|name| Some(format!("{}?{name}={}", ask.path, ask.query.get(name)?)))
            .find_map(|key| self.documents.get(&key));
        match told_apart.or_else(|| self.documents.get(&ask.path)) {
            Some(Document::Object(object)) => Answer::ok(object.clone()),
            Some(Document::Lacking(status, code, summary)) => error(*status, code, summary),
            Some(Document::List(all)) => list(ask, all, self.page),
            None => error(404, "E0000007", "Not found: Resource not found"),
        }
    }
}

impl Vendor for Okta {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let (left, reset) = self.count(ask);
        let answer = if left.is_none() {
            error(429, "E0000047", "API call exceeded rate limit due to too many requests.")
        } else if ask.path == "/oauth2/v1/token" {
            self.token(ask)
        } else if ask.path == "/.well-known/okta-organization" {
            self.read(ask)
        } else {
            match self.refuses(ask) {
                Some(refusal) => refusal,
                None => self.read(ask),
            }
        };
        answer
            .header("x-rate-limit-limit", self.limit.to_string())
            .header("x-rate-limit-remaining", left.unwrap_or(0).to_string())
            .header("x-rate-limit-reset", reset.to_string())
    }
}

/// A page. The cursor is the id of the last record before it.
fn list(ask: &Ask, all: &[Value], most: usize) -> Answer {
    let size = ask.number("limit", most).clamp(1, most);
    let from = match ask.query.get("after") {
        None => 0,
        Some(after) => match all.iter().position(|record| record["id"] == after.as_str()) {
            Some(at) => at + 1,
            None => return error(400, "E0000031", "Invalid search criteria."),
        },
    };
    let rest = &all[from..];
    let page = &rest[..size.min(rest.len())];
    let next =
        page.last().filter(|_| page.len() < rest.len()).and_then(|record| record["id"].as_str()).map(|id| {
            let mut query: Vec<(String, String)> = ask
                .query
                .iter()
                .filter(|(k, _)| *k != "after")
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            query.push(("after".to_owned(), id.to_owned()));
            let encoded = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let query: Vec<String> =
                query.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
            format!("{}{}?{}", ask.origin, ask.path, query.join("&"))
        });
    if ask.path == "/api/v1/iam/assignees/users" {
        let links = next.map_or_else(|| json!({}), |next| json!({ "next": { "href": next } }));
        return Answer::ok(json!({ "value": page, "_links": links }));
    }
    let answer =
        Answer::ok(json!(page)).header("link", format!("<{}{}>; rel=\"self\"", ask.origin, ask.path));
    match next {
        Some(next) => answer.header("link", format!("<{next}>; rel=\"next\"")),
        None => answer,
    }
}

/// An error in Okta's shape.
fn error(status: u16, code: &str, summary: &str) -> Answer {
    Answer::error(
        status,
        json!({ "errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oaeSimulated",
            "errorCauses": [] }),
    )
}

#[cfg(test)]
mod tests;
