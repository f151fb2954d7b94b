//! A Google Workspace customer: the token endpoint for service accounts that act for an administrator, scopes that were delegated
//! one by one, the Admin SDK's directory and reports, Cloud Identity's policies, and Google's kinds of refusal.
//!
//! Shapes follow Google's discovery documents; the people are the invented company's.

mod auth;
mod directory;
mod policies;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

pub use auth::{READ_SCOPES, ServiceAccount};

use crate::company::Company;
use crate::server::{Answer, Ask, Vendor};

/// What stands at an address.
#[derive(Debug, Clone)]
pub enum Document {
    /// A list under this name, given page by page.
    List(&'static str, Vec<Value>),
    /// One object.
    Object(Value),
}

/// One simulated customer.
pub struct Google {
    /// What stands at each path.
    pub documents: BTreeMap<String, Document>,
    /// Service accounts by e-mail address, with what was delegated to them.
    pub accounts: BTreeMap<String, ServiceAccount>,
    /// Scopes that were taken from every service account.
    pub withdrawn: BTreeSet<String>,
    /// Requests a minute to the Directory and Reports interfaces: Google takes 2,400 of a project.
    pub limit: usize,
    /// Requests a minute to Cloud Identity's policies.
    pub policy_limit: usize,
    /// Primary addresses of those who may be acted for, with whether they administer everything.
    admins: BTreeMap<String, bool>,
    sold: BTreeMap<String, auth::Sold>,
    issued: u64,
    used: BTreeMap<&'static str, (i64, usize)>,
}

impl Google {
    /// The company's customer.
    #[must_use]
    pub fn of_company(company: &Company) -> Self {
        let mut documents = BTreeMap::new();
        let mut put = |path: String, document: Document| {
            documents.insert(path, document);
        };
        let admins = directory::write(company, &mut put);
        policies::write(company, &mut put);
        Self {
            documents,
            accounts: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            limit: 2_400,
            policy_limit: 600,
            admins,
            sold: BTreeMap::new(),
            issued: 0,
            used: BTreeMap::new(),
        }
    }

    /// The address of an administrator to act for.
    #[must_use]
    pub fn administrator(&self) -> &str {
        self.admins.iter().find(|(_, all)| **all).map_or("", |(address, _)| address)
    }

    fn throttles(&mut self, ask: &Ask) -> bool {
        let minute = ask.now.0.div_euclid(60_000);
        let (what, limit) = if ask.path.starts_with("/v1/") {
            ("policies", self.policy_limit)
        } else {
            ("directory", self.limit)
        };
        let used = self.used.entry(what).or_insert((minute, 0));
        if used.0 != minute {
            *used = (minute, 0);
        }
        used.1 += 1;
        used.1 > limit
    }

    fn read(&self, ask: &Ask) -> Answer {
        const DAYS: &str = "/admin/reports/v1/usage/users/all/dates";
        let mut path = ask.path.as_str();
        if let Some(day) = path.strip_prefix(DAYS).and_then(|rest| rest.strip_prefix('/')) {
            // Reports lag some days behind.
            if day > &(ask.now - Duration::days(3)).to_string()[..10] {
                let text =
                    "Data for dates later than the last one are not yet available. Please check back later";
                return error(400, "invalid", "INVALID_ARGUMENT", text);
            }
            path = DAYS;
        }
        match self.documents.get(path) {
            Some(Document::Object(object)) => Answer::ok(object.clone()),
            Some(Document::List(name, all)) => list(ask, name, all),
            None => error(404, "notFound", "NOT_FOUND", "Resource Not Found"),
        }
    }
}

impl Vendor for Google {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.path == "/token" {
            return self.token(ask);
        }
        if let Err(refusal) = self.admits(ask) {
            return *refusal;
        }
        if self.throttles(ask) {
            // No word on how long: Google asks for exponential back-off.
            return error(429, "rateLimitExceeded", "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric.");
        }
        self.read(ask)
    }
}

/// A page. The token of the next one is the number of records before it.
fn list(ask: &Ask, name: &str, all: &[Value]) -> Answer {
    // Each interface has a name of its own for the size, and a most of its own.
    let (asked, most) = match name {
        "users" => ("maxResults", 500),
        "policies" => ("pageSize", 100),
        "inboundSsoAssignments" => ("pageSize", 100),
        "groups" | "members" | "roleAssignments" => ("maxResults", 200),
        "roles" => ("maxResults", 100),
        "usageReports" => ("maxResults", 1_000),
        _ => ("maxResults", 1_000),
    };
    let kept: Vec<&Value> = all.iter().filter(|record| is_asked_for(ask, record)).collect();
    let size = ask.number(asked, most.min(100)).clamp(1, most);
    let from = match ask.query.get("pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => match token.strip_prefix("simulated-").and_then(|n| n.parse::<usize>().ok()) {
            Some(from) => from.min(kept.len()),
            None => return error(400, "invalid", "INVALID_ARGUMENT", "Invalid Input: pageToken"),
        },
    };
    let page = &kept[from..(from + size).min(kept.len())];
    // Cloud Identity answers nothing but the list; the older interfaces say what kind of list it is.
    let mut body = if ask.path.starts_with("/v1/") {
        json!({})
    } else {
        json!({ "kind": format!("admin#{name}"), "etag": "\"simulated\"" })
    };
    if !page.is_empty() {
        // An empty list is left out, as Google does.
        body[name] = json!(page);
    }
    if from + size < kept.len() {
        body["nextPageToken"] = json!(format!("simulated-{}", from + size));
    }
    Answer::ok(body)
}

/// Whether a record is among those asked for: administrators only, units with their root, events by name since a time.
fn is_asked_for(ask: &Ask, record: &Value) -> bool {
    let query = |name: &str| ask.query.get(name).map(String::as_str);
    let admins = match query("query") {
        Some("isAdmin=true") => record["isAdmin"] == true,
        Some("isDelegatedAdmin=true") => record["isDelegatedAdmin"] == true,
        _ => true,
    };
    let root = ask.path.ends_with("/orgunits") && record["orgUnitPath"] == "/";
    let named = query("eventName").is_none_or(|name| {
        record["events"].as_array().is_some_and(|all| all.iter().any(|e| e["name"] == name))
    });
    let at = record["id"]["time"].as_str().and_then(Timestamp::parse);
    let since =
        query("startTime").and_then(Timestamp::parse).is_none_or(|start| at.is_some_and(|at| at >= start));
    admins && named && since && (!root || query("type") == Some("allIncludingParent"))
}

/// An error in the shape of Google's interfaces.
fn error(status: u16, reason: &str, word: &str, message: &str) -> Answer {
    Answer::error(
        status,
        json!({ "error": { "code": status, "message": message, "status": word,
            "errors": [{ "message": message, "domain": "global", "reason": reason }] } }),
    )
}
