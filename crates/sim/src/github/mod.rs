//! GitHub organisations: REST and GraphQL over one set of data, GitHub App and token sign-in.
//!
//! Shapes follow GitHub's published REST description and GraphQL schema; the organisations are generated.

mod auth;
mod company;
mod data;
mod people;
mod repositories;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use auth::{AppKey, Token};
pub use data::Plan;

use crate::graphql;
use crate::server::{Answer, Ask, Vendor};

/// One simulated organisation.
pub struct GitHub {
    /// The organisation's login.
    pub organization: String,
    /// REST answers by path, with the query parameters that select another answer (`role`, `filter`, `state`,
    /// `severity`) appended. Lists are paged by `page` and `per_page`.
    pub rest: BTreeMap<String, Resource>,
    /// The root of GraphQL.
    pub graphql: Value,
    /// False: no GraphQL at this server (404).
    pub has_graphql: bool,
    /// Personal access tokens by value.
    pub tokens: BTreeMap<String, Token>,
    /// The GitHub App that may be installed here.
    pub app: Option<AppKey>,
    /// App permissions that are withdrawn: `members:read`.
    pub withdrawn: BTreeSet<String>,
    installation_tokens: BTreeMap<String, model::time::Timestamp>,
    issued: u64,
    used: u32,
    /// Requests allowed an hour.
    pub budget: u32,
    window_ends: model::time::Timestamp,
}

/// An answer of the REST side.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The answer: an object, a list, or for `list_at` an object that holds the list.
    pub value: Value,
    /// The name of the list inside an object (`installations`), which is then paged.
    pub list_at: Option<String>,
    /// The permission of a GitHub App that it needs, and the classic scope of a token.
    pub needs: (&'static str, &'static str),
    /// Answered with this status instead of 200 (204: on, 404: off).
    pub status: u16,
}

/// Query parameters that select another answer instead of cutting a page.
const SELECTORS: [&str; 5] = ["role", "filter", "state", "severity", "affiliation"];

impl GitHub {
    /// An organisation from a plan.
    #[must_use]
    pub fn generate(plan: &Plan) -> Self {
        Self::of(plan.organization.clone(), data::generate(plan))
    }

    fn of(organization: String, (rest, graphql): (BTreeMap<String, Resource>, Value)) -> Self {
        Self {
            organization,
            rest,
            graphql,
            has_graphql: true,
            tokens: BTreeMap::new(),
            app: None,
            withdrawn: BTreeSet::new(),
            installation_tokens: BTreeMap::new(),
            issued: 0,
            used: 0,
            budget: 5_000,
            window_ends: model::time::Timestamp(0),
        }
    }

    /// Changes one field of the organisation object, in REST.
    pub fn set(&mut self, field: &str, value: Value) {
        let path = format!("/orgs/{}", self.organization);
        if let Some(resource) = self.rest.get_mut(&path) {
            resource.value[field] = value;
        }
    }

    /// The organisation's GraphQL object.
    pub fn organization_mut(&mut self) -> &mut Value {
        &mut self.graphql["organization"]
    }

    fn rest_answer(&mut self, ask: &Ask, who: &auth::Who) -> Answer {
        let mut key = ask.path.clone();
        for selector in SELECTORS {
            if let Some(value) = ask.query.get(selector) {
                let candidate =
                    format!("{key}{}{selector}={value}", if key.contains('?') { '&' } else { '?' });
                if self.rest.range(candidate.clone()..).next().is_some_and(|(k, _)| k.starts_with(&candidate))
                {
                    key = candidate;
                }
            }
        }
        let Some(resource) = self.rest.get(&key) else { return not_found() };
        if let Some(refusal) = who.refuses(resource.needs, &self.withdrawn) {
            return refusal;
        }
        let public;
        let value = if key == format!("/orgs/{}", self.organization)
            && !who.holds("organization_administration:read", "admin:org", &self.withdrawn)
        {
            // Others than owners see the profile, without the settings.
            public = profile(&resource.value);
            &public
        } else {
            &resource.value
        };
        let answer = match (value, &resource.list_at) {
            (Value::Array(items), None) => page(ask, items, |part| Value::Array(part.to_vec())),
            (Value::Object(object), Some(at)) => {
                let items = object.get(at).and_then(Value::as_array).cloned().unwrap_or_default();
                page(ask, &items, |part| {
                    let mut object = object.clone();
                    object.insert("total_count".to_owned(), json!(items.len()));
                    object.insert(at.clone(), Value::Array(part.to_vec()));
                    Value::Object(object)
                })
            }
            (value, _) => Answer { status: resource.status, headers: Vec::new(), body: value.clone() },
        };
        let tag = format!("\"{:016x}\"", hash(&answer.body.to_string()));
        if ask.headers.get("if-none-match").and_then(|v| v.to_str().ok()) == Some(&tag) {
            return Answer { status: 304, headers: vec![("etag".to_owned(), tag)], body: Value::Null };
        }
        answer.header("etag", tag)
    }

    fn count(&mut self, answer: Answer, ask: &Ask) -> Answer {
        if ask.now >= self.window_ends {
            self.used = 0;
            self.window_ends = ask.now + model::time::Duration::hours(1);
        }
        if answer.status != 304 {
            self.used += 1;
        }
        let remaining = self.budget.saturating_sub(self.used);
        let exhausted = self.used > self.budget;
        let answer = if exhausted {
            Answer::error(
                403,
                json!({ "message": format!("API rate limit exceeded for {}.", self.organization) }),
            )
        } else {
            answer
        };
        answer
            .header("x-ratelimit-limit", self.budget.to_string())
            .header("x-ratelimit-remaining", remaining.to_string())
            .header("x-ratelimit-used", self.used.to_string())
            .header("x-ratelimit-reset", (self.window_ends.0 / 1000).to_string())
            .header("x-ratelimit-resource", if ask.path.ends_with("graphql") { "graphql" } else { "core" })
            .header("x-github-request-id", format!("SIM0:{:04X}:{:06X}", self.issued & 0xffff, self.used))
    }
}

impl GitHub {
    /// Ends credentials of one way to authenticate: `app` (its key is deleted, the installation is gone) or tokens.
    pub fn revoke(&mut self, auth: &str) {
        if auth == "app" {
            if let Some(app) = &mut self.app {
                app.valid = false;
                app.installed = false;
            }
            return;
        }
        for token in self.tokens.values_mut() {
            token.valid = false;
        }
    }

    /// Undoes revocations and withdrawn permissions.
    pub fn restore(&mut self) {
        self.withdrawn.clear();
        for token in self.tokens.values_mut() {
            token.valid = true;
        }
        if let Some(app) = &mut self.app {
            app.valid = true;
            app.installed = true;
        }
    }
}

impl Vendor for GitHub {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if let Some(answer) = self.app_answer(ask) {
            return self.count(answer, ask);
        }
        let who = match self.who(ask) {
            Ok(who) => who,
            Err(refusal) => return self.count(*refusal, ask),
        };
        let answer = if ask.path.ends_with("/graphql") {
            if !self.has_graphql {
                not_found()
            } else if ask.json()["variables"]["organization"].as_str().is_none_or(|o| o == self.organization)
            {
                self.graphql_answer(ask, &who)
            } else {
                Answer::ok(
                    json!({ "data": { "organization": null }, "errors": [{ "type": "NOT_FOUND", "path": ["organization"],
                    "message": "Could not resolve to an Organization with the login given." }] }),
                )
            }
        } else {
            match ask.path.as_str() {
                "/user" => who.user(),
                "/rate_limit" => Answer::ok(json!({ "resources": { "core": { "limit": self.budget } } })),
                _ => self.rest_answer(ask, &who),
            }
        };
        let answer = who.headers(answer);
        self.count(answer, ask)
    }
}

impl GitHub {
    fn graphql_answer(&self, ask: &Ask, who: &auth::Who) -> Answer {
        let answer = graphql::execute(&ask.json(), &self.graphql);
        Answer::ok(self.withhold(answer, who))
    }

    /// Nulls what the permissions do not cover, with GitHub's kind of error beside it.
    fn withhold(&self, mut answer: Value, who: &auth::Who) -> Value {
        const COVERED: [(&str, &str, &str); 8] = [
            ("membersWithRole", "members:read", "read:org"),
            ("samlIdentityProvider", "organization_administration:read", "admin:org"),
            ("ipAllowListEnabledSetting", "organization_administration:read", "admin:org"),
            ("ip_allow_list", "organization_administration:read", "admin:org"),
            ("ip_allow_list_for_apps", "organization_administration:read", "admin:org"),
            ("notification_restriction", "organization_administration:read", "admin:org"),
            ("rulesets", "organization_administration:read", "admin:org"),
            ("repositories", "metadata:read", "repo"),
        ];
        let mut errors = answer.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(organization) = answer.pointer_mut("/data/organization").and_then(Value::as_object_mut) {
            for (field, app, classic) in COVERED {
                if organization.contains_key(field) && !who.holds(app, classic, &self.withdrawn) {
                    organization.insert(field.to_owned(), Value::Null);
                    errors.push(json!({ "type": "FORBIDDEN", "path": ["organization", field],
                        "message": format!("Resource not accessible by {}", who.word()) }));
                }
            }
        }
        if !errors.is_empty() {
            answer["errors"] = Value::Array(errors);
        }
        answer
    }
}

fn profile(organization: &Value) -> Value {
    const PUBLIC: [&str; 7] = ["login", "id", "node_id", "name", "type", "created_at", "is_verified"];
    let fields = PUBLIC.iter().filter_map(|f| Some(((*f).to_owned(), organization.get(*f)?.clone())));
    Value::Object(fields.collect())
}

fn page(ask: &Ask, items: &[Value], wrap: impl Fn(&[Value]) -> Value) -> Answer {
    let size = ask.number("per_page", 30).clamp(1, 100);
    let number = ask.number("page", 1).max(1);
    let start = ((number - 1) * size).min(items.len());
    let end = (start + size).min(items.len());
    let answer = Answer::ok(wrap(&items[start..end]));
    if end < items.len() {
        let query: String = ask
            .query
            .iter()
            .filter(|(k, _)| !matches!(k.as_str(), "page" | "per_page"))
            .map(|(k, v)| format!("{k}={v}&"))
            .collect();
        let link = format!(
            "<{}{}?{query}per_page={size}&page={}>; rel=\"next\"",
            ask.origin,
            percent_encoding::utf8_percent_encode(&ask.path, PATH),
            number + 1
        );
        return answer.header("link", link);
    }
    answer
}

const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'?').add(b'#').add(b'<').add(b'>').add(b'"');

pub(crate) fn not_found() -> Answer {
    Answer::error(
        404,
        json!({ "message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404" }),
    )
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
