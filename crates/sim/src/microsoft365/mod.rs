//! A Microsoft 365 tenant behind Microsoft Graph: token endpoint, permissions one by one, OData's `$select`, `$filter`, `$expand`
//! and `$top`, next links, the limit of reports, and Exchange's and Teams' interfaces for those who choose to read them.
//!
//! Shapes follow Graph's metadata and Microsoft's documentation; the people are the invented company's.

mod auth;
mod directory;
mod exchange;
mod odata;
mod programs;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::time::Timestamp;
use serde_json::{Value, json};

pub use auth::{READ_ROLES, Registration};
pub use programs::CLIENT;

use crate::company::Company;
use crate::server::{Answer, Ask, Vendor};

/// What stands at an address.
#[derive(Debug, Clone)]
pub enum Document {
    /// A collection, given page by page.
    List(Vec<Value>),
    /// One object.
    Object(Value),
}

/// One simulated tenant.
pub struct Microsoft365 {
    /// Directory id.
    pub tenant: String,
    /// Domains by which the token endpoint knows the tenant as well.
    pub domains: Vec<String>,
    /// What stands at each path, the version included: `/v1.0/users`.
    pub documents: BTreeMap<String, Document>,
    /// What Exchange's and Teams' interfaces answer, by cmdlet and by configuration.
    pub exchange: BTreeMap<String, Vec<Value>>,
    /// App registrations that may sign in, by client id.
    pub registrations: BTreeMap<String, Registration>,
    /// Permissions that were taken from every app.
    pub withdrawn: BTreeSet<String>,
    /// Requests to reports in ten seconds: Graph takes 5.
    pub report_limit: usize,
    /// All other requests in ten seconds.
    pub limit: usize,
    sold: BTreeMap<String, auth::Sold>,
    issued: u64,
    used: BTreeMap<&'static str, (i64, usize)>,
}

/// Most records of a page, by what is asked for.
const MOST: usize = 999;
const MOST_WITH_SIGN_INS: usize = 500;
const USUALLY: usize = 100;

impl Microsoft365 {
    /// The company's tenant.
    #[must_use]
    pub fn of_company(company: &Company) -> Self {
        let directory = directory::Directory::of(company);
        let mut documents = BTreeMap::new();
        let mut put = |path: String, document: Document| {
            documents.insert(path, document);
        };
        directory.write(&mut put);
        programs::write(company, &directory, &mut put);
        settings::write(company, &directory, &mut put);
        Self {
            tenant: directory.tenant.clone(),
            domains: vec![crate::company::DOMAIN.to_owned(), directory::INITIAL.to_owned()],
            documents,
            exchange: exchange::answers(company),
            registrations: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            report_limit: 5,
            limit: 3_500,
            sold: BTreeMap::new(),
            issued: 0,
            used: BTreeMap::new(),
        }
    }

    /// Seconds to wait, where a limit is reached. <https://learn.microsoft.com/en-us/graph/throttling-limits>
    fn throttles(&mut self, ask: &Ask) -> Option<i64> {
        let window = ask.now.0.div_euclid(10_000);
        let (what, limit) = if ask.path.contains("/reports/") {
            ("reports", self.report_limit)
        } else {
            ("others", self.limit)
        };
        let used = self.used.entry(what).or_insert((window, 0));
        if used.0 != window {
            *used = (window, 0);
        }
        used.1 += 1;
        (used.1 > limit).then(|| ((window + 1) * 10_000 - ask.now.0).div_euclid(1000) + 1)
    }

    fn graph(&self, ask: &Ask, sold: &auth::Sold) -> Answer {
        let Some(needs) = auth::needs(&ask.path) else {
            return error(400, "BadRequest", "Resource not found for the segment.");
        };
        if !self.holds(sold, needs) {
            return error(
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            );
        }
        let select = ask.query.get("$select").map_or("", String::as_str);
        let sign_ins = select.split(',').any(|field| field == "signInActivity");
        if sign_ins && !self.holds(sold, &["AuditLog.Read.All"]) {
            let text = "Calling principal does not have required MSGraph permissions AuditLog.Read.All";
            return error(403, "Authentication_MSGraphPermissionMissing", text);
        }
        match self.documents.get(&ask.path) {
            None => {
                let text =
                    format!("Resource '{}' does not exist.", ask.path.rsplit('/').next().unwrap_or_default());
                error(404, "Request_ResourceNotFound", &text)
            }
            Some(Document::Object(object)) => Answer::ok(odata::select(object, select)),
            Some(Document::List(all)) => list(ask, all, if sign_ins { MOST_WITH_SIGN_INS } else { MOST }),
        }
    }
}

impl Vendor for Microsoft365 {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.path.ends_with("/oauth2/v2.0/token") {
            return self.token(ask);
        }
        if let Some(seconds) = self.throttles(ask) {
            return error(429, "TooManyRequests", "Too many requests.")
                .header("retry-after", seconds.to_string());
        }
        let sold = match self.sold(ask) {
            Ok(sold) => sold.clone(),
            Err(refusal) => return *refusal,
        };
        match sold.resource {
            auth::Resource::Graph if ask.path.starts_with("/v1.0/") || ask.path.starts_with("/beta/") => {
                self.graph(ask, &sold)
            }
            auth::Resource::Exchange if ask.path.ends_with("/InvokeCommand") => self.invoke(ask, &sold),
            auth::Resource::Teams if ask.path.starts_with("/Skype.Policy/") => self.configuration(ask),
            _ => {
                error(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
            }
        }
    }
}

/// A page. The token of the next one is the number of records before it.
fn list(ask: &Ask, all: &[Value], most: usize) -> Answer {
    let query = |name: &str| ask.query.get(name).map_or("", String::as_str);
    let kept: Vec<&Value> = match odata::filter(query("$filter")) {
        Err(text) => return error(400, "Request_UnsupportedQuery", &text),
        Ok(None) => all.iter().collect(),
        Ok(Some(condition)) => all.iter().filter(|record| condition.holds(record)).collect(),
    };
    let size = ask.number("$top", USUALLY.min(most)).clamp(1, most);
    let from = ask.number("$skiptoken", 0).min(kept.len());
    let page = &kept[from..(from + size).min(kept.len())];
    let records: Vec<Value> = page
        .iter()
        .map(|record| odata::select(&odata::expand(record, query("$expand")), query("$select")))
        .collect();
    let mut body = json!({ "@odata.context": format!("{}{}", ask.origin, ask.path), "value": records });
    // `$top` of lists that Graph does not page ends them; of secure scores, it does.
    let ends = ask.path.ends_with("/secureScores");
    if from + size < kept.len() && !ends {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let kept = ask.query.iter().filter(|(name, _)| *name != "$skiptoken");
        let pairs: Vec<String> = kept.map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
        let first = if pairs.is_empty() { String::new() } else { format!("{}&", pairs.join("&")) };
        body["@odata.nextLink"] =
            json!(format!("{}{}?{first}{}={}", ask.origin, ask.path, encoded("$skiptoken"), from + size));
    }
    Answer::ok(body)
}

/// An error in Graph's shape.
fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::error(
        status,
        json!({ "error": { "code": code, "message": message,
            "innerError": { "date": "2026-01-01T00:00:00", "request-id": "simulated", "client-request-id": "simulated" } } }),
    )
    .header("request-id", "simulated")
}

/// An instant as Graph writes it.
fn instant(at: Timestamp) -> Value {
    json!(at.to_string())
}
