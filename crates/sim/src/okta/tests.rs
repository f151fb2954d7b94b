//! The simulated organisation answers as Okta documents: pages, limits, refusals.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};

use super::*;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn org(classic: bool) -> Okta {
    let plan = Plan { subdomain: "acme".to_owned(), seed: 3, now: NOW, users: 30, care: 60, classic };
    let mut org = Okta::generate(&plan);
    org.tokens.insert("super".to_owned(), Rank::SuperAdministrator);
    org.tokens.insert("reader".to_owned(), Rank::ReadOnlyAdministrator);
    org.tokens.insert("old".to_owned(), Rank::Revoked);
    org
}

fn ask(token: &str, address: &str) -> Ask {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", token.parse().expect("a header's value"));
    Ask {
        method: Method::GET,
        path: path.to_owned(),
        query: crate::server::query(query),
        headers,
        body: Default::default(),
        origin: "http://127.0.0.1:1".to_owned(),
        now: NOW,
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
}

/// All records of a listing, page by page, as a client that knows nothing but the links reads them.
fn walk(org: &mut Okta, address: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut next) = (Vec::new(), 0, Some(address.to_owned()));
    while let Some(address) = next.take() {
        let answer = org.answer(&ask("SSWS super", &address));
        assert_eq!(answer.status, 200, "{address}: {}", answer.body);
        pages += 1;
        let records =
            answer.body.as_array().or_else(|| answer.body["value"].as_array()).expect("a list").clone();
        ids.extend(records.iter().map(|r| r["id"].as_str().expect("an id").to_owned()));
        let link = header(&answer, "link")
            .into_iter()
            .find_map(|l| l.strip_suffix(">; rel=\"next\"")?.strip_prefix('<'));
        let link = link.or_else(|| answer.body["_links"]["next"]["href"].as_str());
        next = link.map(|l| l.strip_prefix("http://127.0.0.1:1").expect("its own origin").to_owned());
    }
    (ids, pages)
}

#[test]
fn pages_hold_everybody_once() {
    let mut org = org(false);
    let (all, _) = walk(&mut org, "/api/v1/users");
    org.page = 7;
    for size in [1, 4, 7, 100] {
        let (ids, pages) = walk(&mut org, &format!("/api/v1/users?limit={size}"));
        assert_eq!(ids, all);
        assert_eq!(pages, all.len().div_ceil(size.min(7)));
    }
    org.page = 2;
    let (admins, pages) = walk(&mut org, "/api/v1/iam/assignees/users?limit=100");
    assert!(admins.len() >= 4 && pages == admins.len().div_ceil(2), "{admins:?} in {pages} pages");
    let (gone, _) = walk(&mut org, "/api/v1/users?filter=status+eq+%22DEPROVISIONED%22");
    assert_eq!(all.len() + gone.len(), 30);
    assert!(gone.iter().all(|id| !all.contains(id)));
}

#[test]
fn who_may_see_what() {
    let mut org = org(false);
    let mut status = |token: &str, path: &str| org.answer(&ask(token, path)).status;
    for path in ["/api/v1/policies?type=PASSWORD", "/api/v1/users", "/api/v1/zones", "/api/v1/org"] {
        assert_eq!([status("SSWS super", path), status("SSWS reader", path)], [200, 200], "{path}");
        assert_eq!([status("SSWS old", path), status("Bearer super", path)], [401, 401], "{path}");
    }
    for path in ["/api/v1/iam/assignees/users", "/api/v1/api-tokens", "/api/v1/users/00u0000/roles"] {
        assert_eq!([status("SSWS super", path), status("SSWS reader", path)], [200, 403], "{path}");
    }
    assert_eq!(status("SSWS super", "/api/v1/nowhere"), 404);
    org.withdrawn.insert("okta.zones.read".to_owned());
    org.withdrawn.insert("okta.networkZones.read".to_owned());
    assert_eq!(org.answer(&ask("SSWS super", "/api/v1/zones")).status, 403);
}

#[test]
fn limits_are_counted_by_endpoint_and_minute() {
    let mut org = org(false);
    org.limit = 2;
    let zones = |org: &mut Okta, at: Timestamp| {
        let answer = org.answer(&Ask { now: at, ..ask("SSWS super", "/api/v1/zones") });
        (answer.status, header(&answer, "x-rate-limit-remaining").concat())
    };
    assert_eq!(zones(&mut org, NOW), (200, "1".to_owned()));
    assert_eq!(zones(&mut org, NOW), (200, "0".to_owned()));
    assert_eq!(zones(&mut org, NOW), (429, "0".to_owned()));
    assert_eq!(org.answer(&ask("SSWS super", "/api/v1/behaviors")).status, 200);
    assert_eq!(zones(&mut org, Timestamp(NOW.0 + 60_000)), (200, "1".to_owned()));
}

#[test]
fn a_service_app_needs_its_key_and_its_scopes() {
    let mut org = org(false);
    let (app, pem) =
        ServiceApp::generate("0oaparapet", &["okta.zones.read", "okta.networkZones.read"]).expect("a key");
    org.app = Some(app);
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key that was just made");
    let seconds = NOW.0 / 1000;
    let buy = |org: &mut Okta, issuer: &str, life: i64, scope: &str| {
        let claims = json!({ "iss": issuer, "sub": issuer, "aud": "http://127.0.0.1:1/oauth2/v1/token",
            "iat": seconds, "exp": seconds + life });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        let assertion = jsonwebtoken::encode(&header, &claims, &key).expect("it signs");
        let body = format!("grant_type=client_credentials&client_assertion={assertion}&scope={scope}");
        org.answer(&Ask { body: body.into(), method: Method::POST, ..ask("none", "/oauth2/v1/token") })
    };
    assert_eq!(buy(&mut org, "somebody", 300, "okta.networkZones.read").status, 401);
    assert_eq!(buy(&mut org, "0oaparapet", 4_000, "okta.networkZones.read").status, 401);
    assert_eq!(buy(&mut org, "0oaparapet", 300, "okta.networkZones.read okta.users.read").status, 400);
    let bought = buy(&mut org, "0oaparapet", 300, "okta.networkZones.read");
    let bearer = format!("Bearer {}", bought.body["access_token"].as_str().expect("a token"));
    assert_eq!(org.answer(&ask(&bearer, "/api/v1/zones")).status, 200);
    assert_eq!(org.answer(&ask(&bearer, "/api/v1/users")).status, 403);
    let later = Ask { now: Timestamp(NOW.0 + 3_600_001), ..ask(&bearer, "/api/v1/zones") };
    assert_eq!(org.answer(&later).status, 401);
}

#[test]
fn engines_differ() {
    let codes = |classic: bool| -> BTreeMap<&str, u16> {
        let mut org = org(classic);
        ["/api/v1/authenticators", "/api/v1/policies?type=ACCESS_POLICY", "/api/v1/policies?type=PASSWORD"]
            .into_iter()
            .map(|path| (path, org.answer(&ask("SSWS super", path)).status))
            .collect()
    };
    assert_eq!(codes(false).into_values().collect::<Vec<_>>(), [200, 200, 200]);
    assert_eq!(codes(true).into_values().collect::<Vec<_>>(), [401, 400, 200]);
}
