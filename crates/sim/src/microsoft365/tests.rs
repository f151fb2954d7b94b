//! The simulated tenant answers as Microsoft documents: tokens, pages, refusals, limits.

use http::{HeaderMap, Method};

use super::*;
use crate::company::{App, SIZE};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn tenant() -> Microsoft365 {
    let mut tenant = Microsoft365::of_company(&Company::new(3, SIZE, NOW));
    let registration = Registration {
        secret: Some("right".to_owned()),
        secret_ends: Some(NOW + model::time::Duration::days(1)),
        roles: READ_ROLES.map(str::to_owned).into(),
        valid: true,
        ..Registration::default()
    };
    tenant.registrations.insert("app".to_owned(), registration);
    tenant
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

fn buy(tenant: &mut Microsoft365, path: &str, secret: &str, scope: &str, now: Timestamp) -> Answer {
    let body = format!("grant_type=client_credentials&client_id=app&client_secret={secret}&scope={scope}");
    tenant.answer(&ask(Method::POST, path, "none", &body, now))
}

const GRAPH: &str = "https://graph.microsoft.com/.default";
const TOKEN: &str = "/acme.example/oauth2/v2.0/token";

fn token(tenant: &mut Microsoft365) -> String {
    buy(tenant, TOKEN, "right", GRAPH, NOW).body["access_token"].as_str().expect("a token").to_owned()
}

fn get(tenant: &mut Microsoft365, token: &str, address: &str) -> Answer {
    tenant.answer(&ask(Method::GET, address, token, "", NOW))
}

#[test]
fn a_token_is_sold_for_the_right_secret_until_it_ends() {
    let mut tenant = tenant();
    let mut code = |path: &str, secret: &str, scope: &str, now: Timestamp| {
        let answer = buy(&mut tenant, path, secret, scope, now);
        (answer.status, answer.body["error_codes"][0].as_u64())
    };
    assert_eq!(code(TOKEN, "right", GRAPH, NOW), (200, None));
    assert_eq!(code(TOKEN, "wrong", GRAPH, NOW), (401, Some(7_000_215)));
    assert_eq!(code(TOKEN, "right", "https://graph.microsoft.com/User.Read.All", NOW), (400, Some(70_011)));
    assert_eq!(code("/elsewhere.example/oauth2/v2.0/token", "right", GRAPH, NOW), (400, Some(90_002)));
    assert_eq!(code(TOKEN, "right", GRAPH, NOW + model::time::Duration::days(1)), (401, Some(7_000_222)));
    let path = format!("/{}/oauth2/v2.0/token", tenant.tenant);
    let token = buy(&mut tenant, &path, "right", GRAPH, NOW).body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let status = |tenant: &mut Microsoft365, now| {
        tenant.answer(&ask(Method::GET, "/v1.0/organization", &token, "", now)).status
    };
    assert_eq!(status(&mut tenant, NOW), 200);
    assert_eq!(status(&mut tenant, NOW + model::time::Duration::minutes(66)), 401);
    tenant.registrations.get_mut("app").expect("it is registered").valid = false;
    assert_eq!(status(&mut tenant, NOW), 401);
    assert_eq!(buy(&mut tenant, &path, "right", GRAPH, NOW).status, 400);
}

#[test]
fn pages_hold_everybody_once() {
    let mut tenant = tenant();
    let token = token(&mut tenant);
    let whole = Company::new(3, SIZE, NOW).accounts(App::Microsoft365).len() + 2;
    for (top, most) in [("100", 100), ("120", 120), ("999", 999)] {
        let (mut ids, mut pages) = (std::collections::BTreeSet::new(), 0);
        let mut next = Some(format!("/v1.0/users?$select=id,mail&$top={top}"));
        while let Some(address) = next.take() {
            let answer = get(&mut tenant, &token, &address);
            pages += 1;
            for record in answer.body["value"].as_array().expect("a page") {
                assert_eq!(record.as_object().map(serde_json::Map::len), Some(2), "{record}");
                assert!(ids.insert(record["id"].as_str().expect("an id").to_owned()));
            }
            let link = answer.body["@odata.nextLink"].as_str();
            next = link.map(|l| l.strip_prefix("http://127.0.0.1:1").expect("its own origin").to_owned());
        }
        assert_eq!((ids.len(), pages), (whole, whole.div_ceil(most)), "{top}");
    }
    let page = get(&mut tenant, &token, "/v1.0/users?$select=id,signInActivity&$top=999").body;
    assert_eq!(page["value"].as_array().map(Vec::len), Some(500), "sign-ins shrink a page");
    let unified = get(&mut tenant, &token, "/v1.0/groups?$filter=groupTypes/any(c:c%20eq%20'Unified')").body;
    let unified = unified["value"].as_array().expect("groups").clone();
    assert!(!unified.is_empty() && unified.iter().all(|group| group["visibility"].is_string()));
    assert_eq!(get(&mut tenant, &token, "/v1.0/groups?$filter=startswith(displayName,'A')").status, 400);
}

#[test]
fn each_path_needs_one_of_its_permissions() {
    let mut tenant = tenant();
    let token = token(&mut tenant);
    let paths: Vec<String> = tenant.documents.keys().cloned().collect();
    tenant.report_limit = usize::MAX;
    for path in &paths {
        let needs = auth::needs(path).unwrap_or_else(|| panic!("{path} needs nothing"));
        assert_eq!(get(&mut tenant, &token, path).status, 200, "{path}");
        tenant.withdrawn.extend(needs.iter().map(|role| (*role).to_owned()));
        assert_eq!(get(&mut tenant, &token, path).status, 403, "{path}");
        tenant.withdrawn.clear();
    }
    assert_eq!(get(&mut tenant, &token, "/v1.0/groups/none").status, 404);
    tenant.withdrawn.insert("AuditLog.Read.All".to_owned());
    assert_eq!(get(&mut tenant, &token, "/v1.0/users?$select=id,signInActivity").status, 403);
    assert_eq!(get(&mut tenant, &token, "/v1.0/users?$select=id").status, 200);
}

#[test]
fn reports_are_limited_and_tokens_are_for_one_interface() {
    let mut tenant = tenant();
    let token = token(&mut tenant);
    let report = "/v1.0/reports/authenticationMethods/userRegistrationDetails";
    let statuses: Vec<u16> = (0..6).map(|_| get(&mut tenant, &token, report).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    let wait = get(&mut tenant, &token, report).headers.into_iter().find(|(name, _)| name == "retry-after");
    let wait: i64 = wait.expect("it says how long").1.parse().expect("seconds");
    let later = NOW + model::time::Duration::seconds(wait);
    assert_eq!(tenant.answer(&ask(Method::GET, report, &token, "", later)).status, 200);

    let exchange = "/adminapi/beta/acme.example/InvokeCommand";
    let body = r#"{"CmdletInput": {"CmdletName": "Get-OrganizationConfig", "Parameters": {}}}"#;
    assert_eq!(tenant.answer(&ask(Method::POST, exchange, &token, body, NOW)).status, 401);
    let other = buy(&mut tenant, TOKEN, "right", "https://outlook.office365.com/.default", NOW);
    let other = other.body["access_token"].as_str().expect("a token").to_owned();
    let answer = tenant.answer(&ask(Method::POST, exchange, &other, body, NOW));
    assert_eq!(answer.body["value"][0]["Name"], "acme");
    let body = body.replace("Get-OrganizationConfig", "Get-ApplicationAccessPolicy");
    let limited = tenant.answer(&ask(Method::POST, exchange, &other, &body, NOW)).body["value"][0].clone();
    let registered = get(&mut tenant, &token, "/v1.0/applications").body["value"].clone();
    let registered = registered.as_array().expect("applications");
    assert!(registered.iter().any(|app| app["appId"] == limited["AppID"]), "{limited}");
    assert_eq!(get(&mut tenant, &other, "/v1.0/organization").status, 401);
}

#[test]
fn the_directory_is_the_companys() {
    let company = Company::new(3, SIZE, NOW);
    let tenant = Microsoft365::of_company(&company);
    let Some(Document::List(users)) = tenant.documents.get("/v1.0/users") else { panic!("no users") };
    for (account, user) in company.accounts(App::Microsoft365).iter().zip(users) {
        assert_eq!(user["id"], account.id.as_str());
        let link = account.link.as_ref().and_then(|link| link.external_id.as_deref());
        assert_eq!(user["onPremisesImmutableId"].as_str(), link);
    }
    let Some(Document::List(grants)) = tenant.documents.get("/v1.0/oauth2PermissionGrants") else {
        panic!("no grants")
    };
    let known: std::collections::BTreeSet<&str> = users.iter().filter_map(|u| u["id"].as_str()).collect();
    assert!(grants.iter().filter_map(|g| g["principalId"].as_str()).all(|id| known.contains(id)));
    assert!(grants.len() > 300, "{}", grants.len());
}
