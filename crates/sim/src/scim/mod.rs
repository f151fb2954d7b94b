//! Identity servers behind SCIM 2.0 (RFC 7643, RFC 7644) with an OAuth 2.0 token endpoint, in the manner of real ones:
//! paging parameters are understood but rarely needed, and absent attributes are left out, never null.

use std::collections::BTreeMap;

use base64::Engine as _;
use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use crate::company::{Account, App, Company, DOMAIN, State, Whose};
use crate::seed::Seed;
use crate::server::{Answer, Ask, Vendor};

/// What a directory is to look like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Domain of the addresses: `example.com`.
    pub domain: String,
    /// The same seed gives the same directory.
    pub seed: u64,
    /// The present, from which ages are counted.
    pub now: Timestamp,
    /// People.
    pub users: usize,
    /// Deactivated people, in percent.
    pub inactive: usize,
}

/// One simulated directory.
pub struct Scim {
    /// Users as SCIM writes them.
    pub users: Vec<Value>,
    /// Groups likewise.
    pub groups: Vec<Value>,
    /// Client id to secret.
    pub clients: BTreeMap<String, String>,
    /// When clients end, by id; those that are not in here do not.
    pub ends: BTreeMap<String, Timestamp>,
    /// False: the groups are refused (403).
    pub may_read_groups: bool,
    tokens: BTreeMap<String, (Timestamp, String)>,
    issued: u64,
}

impl Scim {
    /// A directory from a plan.
    #[must_use]
    pub fn generate(plan: &Plan) -> Self {
        let mut seed = Seed::new(plan.seed);
        let users: Vec<Value> = (0..plan.users).map(|n| user(plan, &mut seed, n)).collect();
        let groups = ["engineering", "finance", "people", "administrators"]
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let members: Vec<Value> = users
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| at % 4 == n)
                    .map(|(_, u)| json!({ "value": u["id"], "display": u["userName"] }))
                    .collect();
                group(n, name, &members)
            })
            .collect();
        Self::of(users, groups)
    }

    /// The directory of the company's building.
    #[must_use]
    pub fn of_company(company: &Company) -> Self {
        let accounts = company.accounts(App::Directory);
        let users: Vec<Value> = accounts.iter().map(|account| known(company, account)).collect();
        let department = |a: &Account| match a.whose {
            Whose::Person(n) => company.people[n].department.name(),
            _ => "Visitors",
        };
        let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for account in accounts.iter().filter(|a| a.state == State::Active) {
            let member = json!({ "value": account.id, "display": account.username });
            groups.entry(department(account)).or_default().push(member);
        }
        let groups = groups.into_iter().enumerate().map(|(n, (name, members))| group(n, name, &members));
        Self::of(users, groups.collect())
    }

    fn of(users: Vec<Value>, groups: Vec<Value>) -> Self {
        Self {
            users,
            groups,
            clients: BTreeMap::new(),
            ends: BTreeMap::new(),
            may_read_groups: true,
            tokens: BTreeMap::new(),
            issued: 0,
        }
    }

    fn token(&mut self, ask: &Ask) -> Answer {
        let basic = ask
            .headers
            .get("authorization")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("Basic "));
        let pair = basic
            .and_then(|b| base64::engine::general_purpose::STANDARD.decode(b).ok())
            .and_then(|b| String::from_utf8(b).ok());
        let form = crate::server::query(&String::from_utf8_lossy(&ask.body));
        let (id, secret) = match &pair {
            Some(pair) => pair.split_once(':').map_or(("", ""), |(i, s)| (i, s)),
            None => (
                form.get("client_id").map_or("", String::as_str),
                form.get("client_secret").map_or("", String::as_str),
            ),
        };
        if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
            return Answer::error(400, json!({ "error": "unsupported_grant_type" }));
        }
        if self.clients.get(id).is_none_or(|known| known != secret) || self.has_ended(id, ask.now) {
            return Answer::error(
                401,
                json!({ "error": "invalid_client", "error_description": "The client cannot be authenticated." }),
            );
        }
        self.issued += 1;
        let token = format!("simulated-{:08}", self.issued);
        self.tokens.insert(token.clone(), (ask.now + Duration::hours(1), id.to_owned()));
        Answer::ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
    }

    fn admits(&self, ask: &Ask) -> bool {
        ask.bearer().and_then(|t| self.tokens.get(t)).is_some_and(|(until, client)| {
            *until > ask.now && self.clients.contains_key(client) && !self.has_ended(client, ask.now)
        })
    }

    fn has_ended(&self, client: &str, now: Timestamp) -> bool {
        self.ends.get(client).is_some_and(|end| *end <= now)
    }
}

impl Vendor for Scim {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.path == "/oauth/token" {
            return self.token(ask);
        }
        if !self.admits(ask) {
            return error(401, "The access token is expired, revoked or unknown.");
        }
        match ask.path.as_str() {
            "/scim/v2/Users" => list(ask, &self.users),
            "/scim/v2/Groups" if !self.may_read_groups => error(403, "This client may not read groups."),
            "/scim/v2/Groups" => list(ask, &self.groups),
            "/scim/v2/ServiceProviderConfig" => Answer::ok(json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": { "supported": true }, "bulk": { "supported": false }, "filter": { "supported": true, "maxResults": 200 },
                "changePassword": { "supported": false }, "sort": { "supported": false }, "etag": { "supported": true },
                "authenticationSchemes": [{ "type": "oauthbearertoken", "name": "OAuth Bearer Token" }],
            })),
            "/scim/v2/ResourceTypes" => Answer::ok(json!({ "totalResults": 0, "Resources": [] })),
            _ => error(404, "There is nothing here."),
        }
    }
}

fn group(n: usize, name: &str, members: &[Value]) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": format!("group-{n}"),
        "displayName": name, "members": members, "meta": { "resourceType": "Group" } })
}

/// An account of the company. Whoever was entered by hand has no `externalId`.
fn known(company: &Company, account: &Account) -> Value {
    let created = account.created_at.to_string();
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": account.id, "userName": account.username,
        "active": account.state == State::Active, "displayName": account.name, "name": { "formatted": account.name },
        "emails": [{ "value": account.email, "primary": true }],
        "meta": { "resourceType": "User", "created": created, "lastModified": created },
    });
    if let Some((first, last)) = account.names {
        user["name"] = json!({ "givenName": first, "familyName": last, "formatted": account.name });
    }
    if let Some(id) = account.link.as_ref().and_then(|link| link.external_id.as_ref()) {
        user["externalId"] = json!(id);
    }
    if let Whose::Person(n) = account.whose {
        let person = &company.people[n];
        user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({ "employeeNumber": person.number, "department": person.department.name(), "organization": DOMAIN });
    }
    user
}

fn list(ask: &Ask, all: &[Value]) -> Answer {
    let start = ask.number("startIndex", 1).max(1);
    let count = ask.number("count", 200).min(200);
    let from = (start - 1).min(all.len());
    let page = &all[from..(from + count).min(all.len())];
    Answer::ok(
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": all.len(),
        "startIndex": start, "itemsPerPage": page.len(), "Resources": page }),
    )
}

fn error(status: u16, detail: &str) -> Answer {
    Answer::error(
        status,
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail }),
    )
}

fn user(plan: &Plan, seed: &mut Seed, n: usize) -> Value {
    let (first, last) = seed.person();
    let name = format!("{}.{}{n}", first.to_lowercase(), last.to_lowercase());
    let age = 20 + seed.below(1_500);
    let created = plan.now - Duration::days(i64::try_from(age).unwrap_or(0));
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": format!("user-{n:05}"), "userName": name,
        "active": !seed.chance(plan.inactive), "name": { "givenName": first, "familyName": last, "formatted": format!("{first} {last}") },
        "displayName": format!("{first} {last}"), "emails": [{ "value": format!("{name}@{}", plan.domain), "primary": true }],
        "meta": { "resourceType": "User", "created": created.to_string(), "lastModified": created.to_string() },
    });
    if seed.chance(90) {
        user["externalId"] = json!(format!("hr-{n:05}"));
    }
    user
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    fn ask(method: Method, path: &str, authorization: &str, now: Timestamp) -> Ask {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().expect("a header's value"));
        Ask {
            method,
            path: path.to_owned(),
            query: BTreeMap::new(),
            headers,
            body: "grant_type=client_credentials".into(),
            origin: "http://127.0.0.1:1".to_owned(),
            now,
        }
    }

    #[test]
    fn a_client_that_has_ended_gets_no_token_and_its_tokens_end_with_it() {
        let mut directory = Scim::of_company(&Company::new(3, 60, NOW));
        directory.clients.insert("parapet".to_owned(), "right".to_owned());
        directory.ends.insert("parapet".to_owned(), NOW + Duration::minutes(5));
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("parapet:right"));
        let bought = directory.answer(&ask(Method::POST, "/oauth/token", &basic, NOW));
        let bearer = format!("Bearer {}", bought.body["access_token"].as_str().expect("a token"));
        let later = NOW + Duration::minutes(5);
        let mut status = |path: &str, header: &str, now| {
            let method = if path == "/oauth/token" { Method::POST } else { Method::GET };
            directory.answer(&ask(method, path, header, now)).status
        };
        assert_eq!(
            [status("/scim/v2/Users", &bearer, NOW), status("/scim/v2/Users", &bearer, later)],
            [200, 401]
        );
        assert_eq!([status("/oauth/token", &basic, NOW), status("/oauth/token", &basic, later)], [200, 401]);
    }

    #[test]
    fn the_directory_is_the_companys() {
        let company = Company::new(3, 60, NOW);
        let directory = Scim::of_company(&company);
        let accounts = company.accounts(App::Directory);
        assert_eq!(directory.users.len(), accounts.len());
        for (account, user) in accounts.iter().zip(&directory.users) {
            let link = account.link.as_ref().and_then(|link| link.external_id.as_deref());
            assert_eq!((user["id"].as_str(), user["externalId"].as_str()), (Some(account.id.as_str()), link));
        }
        let members: usize =
            directory.groups.iter().filter_map(|g| g["members"].as_array()).map(Vec::len).sum();
        assert_eq!(members, accounts.iter().filter(|a| a.state == State::Active).count());
    }
}
