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
