//! The simulated customer answers as Google documents: tokens for whom is acted for, scopes, pages, refusals.

use http::{HeaderMap, Method};

use super::*;
use crate::company::{App, SIZE};
use crate::keys::Pair;

const NOW: Timestamp = Timestamp(1_767_225_600_000);
const EMAIL: &str = "parapet@acme.iam.example";

struct Bed {
    google: Google,
    key: jsonwebtoken::EncodingKey,
}

fn bed() -> Bed {
    let mut google = Google::of_company(&Company::new(3, SIZE, NOW));
    let pair = Pair::generate().expect("a key");
    let account = ServiceAccount {
        public_key: pair.public(),
        scopes: READ_SCOPES.map(str::to_owned).into(),
        valid: true,
        key_ends: None,
    };
    google.accounts.insert(EMAIL.to_owned(), account);
    let key =
        jsonwebtoken::EncodingKey::from_rsa_pem(pair.private_pem().expect("PEM").as_bytes()).expect("a key");
    Bed { google, key }
}

fn ask(method: Method, address: &str, bearer: &str, body: &str, now: Timestamp) -> Ask {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {bearer}").parse().expect("a header's value"));
    Ask {
        method,
        path: path.to_owned(),
        query: crate::server::query(query),
        headers,
        body: body.to_owned().into(),
        origin: "http://127.0.0.1:1".to_owned(),
        now,
    }
}

impl Bed {
    fn buy(&mut self, issuer: &str, subject: &str, scopes: &[&str], life: i64) -> Answer {
        let second = NOW.0 / 1000;
        let scopes: Vec<String> =
            scopes.iter().map(|s| format!("https://www.googleapis.com/auth/{s}")).collect();
        let claims = json!({ "iss": issuer, "sub": subject, "aud": "https://oauth2.googleapis.com/token", "scope": scopes.join(" "),
            "iat": second, "exp": second + life });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        let assertion = jsonwebtoken::encode(&header, &claims, &self.key).expect("it signs");
        let body =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        self.google.answer(&ask(Method::POST, "/token", "none", &body, NOW))
    }

    fn token(&mut self, scopes: &[&str]) -> String {
        let subject = self.google.administrator().to_owned();
        let answer = self.buy(EMAIL, &subject, scopes, 3_600);
        answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
    }

    fn get(&mut self, token: &str, address: &str) -> Answer {
        self.google.answer(&ask(Method::GET, address, token, "", NOW))
    }
}

#[test]
fn a_token_is_sold_for_delegated_scopes_of_an_administrator() {
    let mut bed = bed();
    let admin = bed.google.administrator().to_owned();
    let users = "admin.directory.user.readonly";
    let mut status = |issuer: &str, subject: &str, scopes: &[&str], life: i64| {
        let answer = bed.buy(issuer, subject, scopes, life);
        (answer.status, answer.body["error"].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(status(EMAIL, &admin, &[users], 3_600), (200, String::new()));
    assert_eq!(
        status(EMAIL, &admin, &[users, "gmail.readonly"], 3_600),
        (401, "unauthorized_client".to_owned())
    );
    assert_eq!(status("nobody@acme.iam.example", &admin, &[users], 3_600), (400, "invalid_grant".to_owned()));
    assert_eq!(status(EMAIL, "nobody@acme.example", &[users], 3_600), (400, "invalid_grant".to_owned()));
    assert_eq!(status(EMAIL, &admin, &[users], 9_000), (400, "invalid_grant".to_owned()));
    bed.google.accounts.get_mut(EMAIL).expect("it is there").key_ends = Some(NOW);
    assert_eq!(bed.buy(EMAIL, &admin, &[users], 3_600).status, 400);
}

#[test]
fn pages_hold_everybody_once() {
    let mut bed = bed();
    let token = bed.token(&["admin.directory.user.readonly"]);
    let whole = Company::new(3, SIZE, NOW).accounts(App::Google).len();
    for size in [7, 100, 500, 9_000] {
        let (mut ids, mut pages, mut next) = (BTreeSet::new(), 0, Some(String::new()));
        while let Some(page) = next.take() {
            let address =
                format!("/admin/directory/v1/users?customer=my_customer&maxResults={size}&pageToken={page}");
            let body = bed.get(&token, &address).body;
            pages += 1;
            for user in body["users"].as_array().expect("a page") {
                assert!(ids.insert(user["id"].as_str().expect("an id").to_owned()));
            }
            next = body["nextPageToken"].as_str().map(str::to_owned);
        }
        assert_eq!((ids.len(), pages), (whole, whole.div_ceil(size.min(500))), "{size}");
    }
    assert_eq!(bed.get(&token, "/admin/directory/v1/users?pageToken=foreign").status, 400);
}

#[test]
fn each_path_needs_its_scope_and_an_administrator_of_everything() {
    let mut bed = bed();
    bed.google.limit = usize::MAX;
    bed.google.policy_limit = usize::MAX;
    let token = bed.token(&READ_SCOPES);
    for path in bed.google.documents.keys().cloned().collect::<Vec<_>>() {
        let path = if path.ends_with("/dates") { format!("{path}/2025-12-20") } else { path };
        let scope = auth::scope(&path).unwrap_or_else(|| panic!("{path} needs no scope"));
        assert!(READ_SCOPES.contains(&scope), "{scope}");
        assert_eq!(bed.get(&token, &path).status, 200, "{path}");
        bed.google.withdrawn.insert(scope.to_owned());
        let refused = bed.get(&token, &path);
        assert_eq!(
            (refused.status, refused.body["error"]["status"].as_str()),
            (403, Some("PERMISSION_DENIED")),
            "{path}"
        );
        bed.google.withdrawn.clear();
    }
    let part = bed
        .google
        .admins
        .iter()
        .find(|(_, all)| !**all)
        .map(|(address, _)| address.clone())
        .expect("one of a part");
    let limited = bed.buy(EMAIL, &part, &["cloud-identity.policies.readonly"], 3_600);
    let limited = limited.body["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(bed.get(&limited, "/v1/policies").status, 403);
    assert_eq!(bed.get("none", "/v1/policies").status, 401);
}

#[test]
fn listings_are_narrowed_as_asked() {
    let mut bed = bed();
    let token = bed.token(&READ_SCOPES);
    let mut count =
        |address: &str, list: &str| bed.get(&token, address).body[list].as_array().map_or(0, Vec::len);
    assert_eq!(count("/admin/directory/v1/users?query=isAdmin%3Dtrue", "users"), 4);
    assert_eq!(count("/admin/directory/v1/users?query=isDelegatedAdmin%3Dtrue", "users"), 4);
    let units = "/admin/directory/v1/customer/my_customer/orgunits";
    assert_eq!(
        [
            count(units, "organizationUnits"),
            count(&format!("{units}?type=allIncludingParent"), "organizationUnits")
        ],
        [7, 8]
    );
    let events =
        "/admin/reports/v1/activity/users/all/applications/admin?eventName=AUTHORIZE_API_CLIENT_ACCESS";
    assert_eq!(
        [count(events, "items"), count(&format!("{events}&startTime=2025-10-01T00:00:00Z"), "items")],
        [2, 1]
    );
    assert_eq!(count("/admin/reports/v1/usage/users/all/dates/2025-12-28", "usageReports"), 4);
    assert_eq!(count("/admin/reports/v1/usage/users/all/dates/2026-01-01", "usageReports"), 0);
}

#[test]
fn policies_are_limited_by_the_minute() {
    let mut bed = bed();
    bed.google.policy_limit = 2;
    let token = bed.token(&["cloud-identity.policies.readonly"]);
    let statuses: Vec<u16> = (0..3).map(|_| bed.get(&token, "/v1/policies").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let later = NOW + Duration::minutes(1);
    assert_eq!(bed.google.answer(&ask(Method::GET, "/v1/policies", &token, "", later)).status, 200);
}

#[test]
fn the_directory_is_the_companys() {
    let company = Company::new(3, SIZE, NOW);
    let google = Google::of_company(&company);
    let Some(Document::List(_, users)) = google.documents.get("/admin/directory/v1/users") else {
        panic!("no users")
    };
    let accounts = company.accounts(App::Google);
    assert_eq!(users.len(), accounts.len());
    for account in &accounts {
        let user = users.iter().find(|user| user["id"] == account.id.as_str()).expect("everybody is listed");
        let okta =
            user["externalIds"].as_array().and_then(|ids| ids.iter().find(|id| id["type"] == "login_id"));
        let link = account.link.as_ref().and_then(|link| link.external_id.as_deref());
        assert_eq!(okta.and_then(|id| id["value"].as_str()), link);
        let tokens = format!("/admin/directory/v1/users/{}/tokens", account.id);
        assert!(google.documents.contains_key(&tokens), "{tokens}");
    }
}
