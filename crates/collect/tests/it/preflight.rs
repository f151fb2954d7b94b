//! What is verified before a credential is saved.

use collect::Preflight;
use model::diagnosis::Warning;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use serde_json::json;

use crate::support::*;

const TELLING: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "bearer"
subject = { path = "/me", at = "login" }
granted = { header = "x-scopes" }
expiry = { header = "x-expires" }
implies = { "admin" = ["read:items"] }
"#;

const SILENT: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "bearer"
"#;

/// A check over a dataset with the fields `id` and `name`, without which the config scan is not supported.
pub(crate) fn check_of(dataset: &str) -> String {
    CHECK.replace("over = \"items\"", &format!("over = \"{dataset}\""))
}

const CHECK: &str = "+++\ntitle = \"Every item has a name\"\nrevision = 1\nseverity = \"low\"\nover = \"items\"\npass = \"name != ''\"\ncontrols = []\nsays = \"Item {id} has no name\"\n+++\nAn item without a name cannot be told from the others by anybody who looks at it.\n\n## Remedy\n1. Name it.\n\n## Examples\n```json pass\n{\"name\": \"a\"}\n```\n```json fail\n{\"name\": \"\"}\n```\n```json inconclusive\n{\"id\": 1}\n```\n";

fn app_of(auth: &str) -> std::sync::Arc<catalog::App> {
    let needs = |p: &str| format!("permission = {{ token = [{p}] }}");
    let datasets = listing("items", r#"{ path = "/items" }"#, &needs(r#""read:items""#))
        + &listing("extra", r#"{ path = "/extra" }"#, &needs(r#""read:extra", "read:all""#))
            .replace("required = [\"config\"]\n", "")
        + &listing("free", r#"{ path = "/free" }"#, &needs("")).replace("required = [\"config\"]\n", "");
    let check = check_of("items");
    let folder_checks = [("checks/named.md", check.as_str())];
    let toml = format!("{HEAD}{auth}{datasets}");
    app_with(&toml, &folder_checks)
}

async fn preflight(
    auth: &str,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> (Server, Result<Preflight, model::diagnosis::Fault>) {
    let app = app_of(auth);
    let server = Server::start(answer).await;
    let result = collect::preflight(&outbound(), &target(&app, &server), &token(), &server.clock).await;
    (server, result)
}

fn tenant(scopes: &str) -> Answer {
    json(json!({ "id": 4711, "name": "Acme" }))
        .with("x-scopes", scopes)
        .with("x-expires", "2026-01-10 12:00:00 UTC")
}

#[tokio::test]
async fn told_permissions_decide_readiness() {
    let (server, told) = preflight(TELLING, |seen| match seen.path.as_str() {
        "/api/me" => json(json!({ "login": "svc-parapet" })).with("x-scopes", "admin, delete:items"),
        _ => tenant("admin, delete:items"),
    })
    .await;
    let told = told.unwrap();
    let expires_at = Timestamp::parse("2026-01-10T12:00:00Z");
    assert_eq!(told.identity.tenant_uid, "4711");
    assert_eq!(told.identity.tenant_name, "Acme");
    assert_eq!(told.identity.subject, "svc-parapet");
    assert_eq!(told.identity.granted, Some(vec!["admin".to_owned(), "delete:items".to_owned()]));
    assert_eq!(told.identity.expires_at, expires_at);
    assert_eq!(told.warnings, [Warning::CredentialExpires { at: expires_at.unwrap() }]);
    let config = &told.readiness[0];
    assert_eq!((config.kind, config.ready), (ScanKind::Config, true));
    assert!(config.missing.is_empty());
    assert_eq!(config.gaps, ["read:extra or read:all"]);
    assert_eq!(told.excess, ["admin", "delete:items"]);
    assert_eq!((told.requests, server.count()), (2, 2));
}

#[tokio::test]
async fn a_missing_required_permission_is_named() {
    let (_, told) = preflight(TELLING, |_| tenant("read:all").body(r#"{"id": 1, "login": "x"}"#)).await;
    let told = told.unwrap();
    assert!(!told.readiness[0].ready);
    assert_eq!(told.readiness[0].missing, ["read:items"]);
    assert!(told.readiness[0].gaps.is_empty());
    // No scopes at all is told, too: an empty header is not the lack of one.
    let (_, told) = preflight(TELLING, |_| tenant("").body(r#"{"id": 1, "login": "x"}"#)).await;
    assert_eq!(told.unwrap().identity.granted, Some(Vec::new()));
}

#[tokio::test]
async fn where_the_vendor_does_not_tell_each_dataset_is_tried() {
    let (server, told) = preflight(SILENT, |seen| match seen.path.as_str() {
        "/api/tenant" => json(json!({ "id": "t-1", "name": "Acme" })),
        "/api/extra" => error(403, "no"),
        "/api/free" => status(500),
        _ => json(json!([])),
    })
    .await;
    let told = told.unwrap();
    assert_eq!(told.identity.granted, None);
    assert!(told.readiness[0].ready);
    assert_eq!(told.readiness[0].gaps, ["read:extra or read:all"]);
    assert!(told.excess.is_empty());
    assert_eq!(server.paths()[..3], ["/api/tenant", "/api/items", "/api/extra"]);

    let (_, told) = preflight(SILENT, |seen| match seen.path.as_str() {
        "/api/tenant" => json(json!({ "id": "t-1", "name": "Acme" })),
        _ => error(403, "no"),
    })
    .await;
    assert_eq!(told.unwrap().readiness[0].missing, ["read:items"]);
}

#[tokio::test]
async fn refusals_come_back_with_their_cause() {
    let cases: [(Answer, FailureCause); 5] = [
        (error(401, "Bad credentials"), FailureCause::Credentials),
        (error(404, "no such tenant"), FailureCause::Protocol),
        (json(json!({ "name": "no id" })), FailureCause::Protocol),
        (status(200).with("content-type", "text/html").body("<html>"), FailureCause::Protocol),
        (status(429).with("retry-after", "3600"), FailureCause::Throttled),
    ];
    for (answer, cause) in cases {
        let (_, told) = preflight(SILENT, move |_| answer.clone()).await;
        let fault = told.unwrap_err();
        assert_eq!(fault.cause, cause, "{}", fault.detail);
    }
}

#[tokio::test]
async fn nobody_waits_long() {
    let (server, told) = preflight(SILENT, |_| status(503)).await;
    assert_eq!(told.unwrap_err().cause, FailureCause::Remote);
    assert!(collect::Clock::now(&server.clock) - START <= Duration::minutes(1));
}

const LISTED: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "basic"
expiry = { read = { path = "/keys(of='{username}')", at = "keys" }, each = "ends", hint = "begins" }
"#;

/// What the vendor tells of three secrets of the same service account; ours begins with `s3c`.
fn keys(seen: &Seen) -> Answer {
    match seen.path.as_str() {
        "/api/keys(of='svc-1')" => json(json!({ "keys": [
            { "begins": "abc", "ends": "2026-01-03T00:00:00Z" },
            { "begins": "s3c", "ends": "2025-12-31T00:00:00Z" },
            { "begins": "s3c", "ends": "2026-01-09T00:00:00Z" },
            { "begins": null, "ends": "2026-01-12T00:00:00Z" },
            { "begins": "s3c", "ends": "not an instant" },
        ]})),
        "/api/tenant" => json(json!({ "id": 1, "name": "Acme" })),
        _ => json(json!([])),
    }
}

#[tokio::test]
async fn of_several_secrets_the_end_of_the_one_in_use_is_told_at_each_run() {
    let app = app_of(LISTED);
    let server = Server::start(keys).await;
    let ours = credential("token", &[("username", "svc-1"), ("password", "s3cret-0123456")]);
    let at = Timestamp::parse("2026-01-09T00:00:00Z").unwrap();
    let told = collect::preflight(&outbound(), &target(&app, &server), &ours, &server.clock).await.unwrap();
    assert_eq!(told.identity.expires_at, Some(at));
    let done = run_with(&app, &server, &ours, request()).await;
    assert_eq!(done.snapshot.warnings, [Warning::CredentialExpires { at }]);
    // None of them begins so, but one does not tell: it may be ours.
    let other = credential("token", &[("username", "svc-1"), ("password", "other-0123456")]);
    let told = collect::preflight(&outbound(), &target(&app, &server), &other, &server.clock).await.unwrap();
    assert_eq!(told.identity.expires_at, Timestamp::parse("2026-01-12T00:00:00Z"));
}

#[tokio::test]
async fn an_end_that_cannot_be_read_spoils_no_run_and_a_refused_credential_is_not_tried_once_more() {
    let app = app_of(LISTED);
    let ours = credential("token", &[("username", "svc-1"), ("password", "s3cret-0123456")]);
    let server =
        Server::start(|seen| if seen.path.contains("keys") { error(403, "no") } else { keys(seen) }).await;
    let done = run_with(&app, &server, &ours, request()).await;
    assert!(done.snapshot.datasets.values().all(|d| d.availability.is_complete()));
    assert_eq!(done.snapshot.warnings, []);
    let server = Server::start(|_| error(401, "no")).await;
    run_with(&app, &server, &ours, request()).await;
    assert!(server.paths().iter().all(|path| !path.contains("keys")), "{:?}", server.paths());
}

#[tokio::test]
async fn a_token_that_is_a_jwt_tells_its_end_itself() {
    use base64::Engine as _;
    let app = app_of(SILENT);
    let server = Server::start(keys).await;
    let at = Timestamp::parse("2026-01-09T00:00:00Z").unwrap();
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({ "exp": at.0 / 1000 }).to_string());
    let ours = credential("token", &[("token", &format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl"))]);
    let done = run_with(&app, &server, &ours, request()).await;
    assert_eq!(done.snapshot.warnings, [Warning::CredentialExpires { at }]);
}
