//! Every way to authenticate, and what refusals mean.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::diagnosis::{Rung, Warning};
use model::scan::FailureCause;
use model::time::Duration;
use serde_json::json;

use crate::support::*;

pub(crate) fn with_auth(auth: &str) -> std::sync::Arc<catalog::App> {
    let items = listing("items", r#"{ path = "/items" }"#, r#"permission = { a = ["members:read"] }"#);
    app(&format!("{HEAD}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{auth}\n{items}"))
}

pub(crate) fn ok() -> Answer {
    json(json!([{ "id": 1, "name": "a" }]))
}

#[tokio::test]
async fn static_headers() {
    let basic = format!("Basic {}", STANDARD.encode("svc:pass word"));
    let cases = [
        (
            "kind = \"bearer\"",
            vec![("token", " tok-0123456789 \n")],
            "authorization",
            "Bearer tok-0123456789",
        ),
        (
            "kind = \"header\"\nheader = \"Authorization\"\nprefix = \"SSWS \"",
            vec![("token", "tok-0123456789")],
            "authorization",
            "SSWS tok-0123456789",
        ),
        ("kind = \"header\"\nheader = \"X-Api-Key\"", vec![("token", "k1234")], "x-api-key", "k1234"),
        ("kind = \"basic\"", vec![("username", "svc"), ("password", "pass word")], "authorization", &basic),
    ];
    for (auth, values, header, expected) in cases {
        let app = with_auth(auth);
        let server = Server::start(|_| ok()).await;
        let done = run_with(&app, &server, &credential("a", &values), request()).await;
        assert!(dataset(&done, "items").availability.is_complete(), "{auth}");
        assert_eq!(server.seen.lock().unwrap()[0].header(header), Some(expected));
    }
}

const CLIENT: &str = r#"kind = "client_credentials"
token = { path = "/oauth/token" }
scope = "scim.read"
extra = { audience = "https://api.example.com/" }"#;

fn client() -> collect::Credential {
    credential("a", &[("client_id", "app-1"), ("client_secret", "s3cret/of the client")])
}

#[tokio::test]
async fn client_credentials_buy_a_token_once() {
    let app = with_auth(CLIENT);
    let server = Server::start(|seen| {
        if seen.path == "/api/oauth/token" {
            let form: std::collections::BTreeMap<String, String> =
                url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
            assert_eq!(form["grant_type"], "client_credentials");
            assert_eq!(form["scope"], "scim.read");
            assert_eq!(form["audience"], "https://api.example.com/");
            let pair = STANDARD.encode("app-1:s3cret%2Fof%20the%20client");
            assert_eq!(seen.header("authorization"), Some(format!("Basic {pair}").as_str()));
            return json(
                json!({ "access_token": "at-1234567890abcdef", "expires_in": 3600, "token_type": "Bearer" }),
            );
        }
        assert_eq!(seen.header("authorization"), Some("Bearer at-1234567890abcdef"));
        ok()
    })
    .await;
    let done = run_with(&app, &server, &client(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/oauth/token", "/api/items"]);
    assert_eq!(done.snapshot.cost.requests, 2);
}

#[tokio::test]
async fn a_secret_in_the_form() {
    let app = with_auth(&CLIENT.replace("scope =", "client_auth = \"body\"\nscope ="));
    let server = Server::start(|seen| {
        if seen.path == "/api/oauth/token" {
            assert!(seen.body.contains("client_secret=s3cret%2Fof+the+client"), "{}", seen.body);
            assert_eq!(seen.header("authorization"), None);
            return json(json!({ "access_token": "at-1234567890abcdef" }));
        }
        ok()
    })
    .await;
    let done = run_with(&app, &server, &client(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let app = with_auth(CLIENT);
    let sold = AtomicUsize::new(0);
    let server = Server::start(move |seen| {
        if seen.path == "/api/oauth/token" {
            let n = sold.fetch_add(1, Ordering::SeqCst);
            return json(json!({ "access_token": format!("at-1234567890-{n}"), "expires_in": 3600 }));
        }
        if seen.header("authorization") == Some("Bearer at-1234567890-0") { status(401) } else { ok() }
    })
    .await;
    let done = run_with(&app, &server, &client(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/oauth/token", "/api/items", "/api/oauth/token", "/api/items"]);
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_are_about_the_credential() {
    for (code, body) in [
        (401, json!({ "error": "invalid_client", "error_description": "The client does not exist" })),
        (400, json!({ "error": "invalid_client" })),
        (403, json!({ "error": "unauthorized_client" })),
    ] {
        let app = with_auth(CLIENT);
        let server = Server::start(move |_| Answer { status: code, ..json(body.clone()) }).await;
        let done = run_with(&app, &server, &client(), request()).await;
        let fault = fault(dataset(&done, "items"));
        assert_eq!(
            (fault.cause, fault.reached, fault.status),
            (FailureCause::Credentials, Rung::Http, Some(code))
        );
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn one_refusal_ends_the_attempts_of_a_run() {
    let datasets = listings(8);
    let app = app(&manifest(&datasets));
    let server = Server::start(|_| error(401, "Bad credentials")).await;
    let done = run(&app, &server).await;
    for n in 0..8 {
        let name = format!("d{n}");
        let fault = fault(dataset(&done, &name));
        assert_eq!(fault.cause, FailureCause::Credentials);
        assert_eq!(fault.dataset.as_deref(), Some(name.as_str()));
    }
    // More attempts could lock an account.
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_401_of_one_request_does_not_condemn_an_accepted_credential() {
    let datasets = listing("a", r#"{ path = "/a" }"#, "")
        + &listing("b", r#"{ path = "/b" }"#, "")
        + &listing("c", r#"{ path = "/c" }"#, "");
    let app = app(&manifest(&datasets));
    let server = Server::start(|seen| if seen.path == "/api/b" { status(401) } else { ok() }).await;
    let done = run(&app, &server).await;
    assert!(dataset(&done, "a").availability.is_complete());
    assert!(is_unavailable(dataset(&done, "b")));
    assert!(dataset(&done, "c").availability.is_complete());
}

#[tokio::test]
async fn a_wrong_clock_is_not_blamed_on_the_credential() {
    let app = app(&manifest(&listing("items", r#"{ path = "/items" }"#, "")));
    for (off, cause, words) in [
        (Duration::minutes(7), FailureCause::Internal, "7 min behind"),
        (Duration::minutes(-7), FailureCause::Internal, "7 min ahead of"),
        (Duration::seconds(60), FailureCause::Credentials, "does not accept"),
    ] {
        let server = Server::start(move |_| status(401).with("date", http_date(START + off))).await;
        let done = run(&app, &server).await;
        let fault = fault(dataset(&done, "items"));
        assert_eq!(fault.cause, cause);
        assert!(fault.detail.contains(words), "{}", fault.detail);
    }
}

pub(crate) static KEY: LazyLock<aws_lc_rs::rsa::KeyPair> =
    LazyLock::new(|| aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());

pub(crate) fn pem() -> String {
    pem_of(&KEY)
}

pub(crate) fn pem_of(key: &aws_lc_rs::rsa::KeyPair) -> String {
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

const INSTALLED: &str = r#"kind = "app_installation"
installation = { path = "/orgs/{tenant}/installation" }
token = { path = "/app/installations/{installation_id}/access_tokens" }
subject = { at = "app_slug" }
granted = { read = { at = "permissions" } }"#;

/// A vendor that verifies the app's signature.
fn vendor(seen: &Seen) -> Answer {
    let bearer = seen.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
    let is_app = || {
        let key = jsonwebtoken::DecodingKey::from_rsa_der(KEY.public_key().as_ref());
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        rules.validate_exp = false;
        rules.set_issuer(&["4711"]);
        let claims = jsonwebtoken::decode::<serde_json::Value>(&bearer, &key, &rules).unwrap().claims;
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        // The vendor allows ten minutes at most, and no issue in the future.
        assert!(iat <= START.0 / 1000 && exp > START.0 / 1000 && exp - iat <= 600);
    };
    match seen.path.as_str() {
        "/api/orgs/acme/installation" => {
            is_app();
            json(json!({ "id": 77, "app_slug": "parapet-acme", "permissions": { "members": "read" } }))
        }
        "/api/app/installations/77/access_tokens" => {
            is_app();
            assert_eq!(seen.method, "POST");
            Answer {
                status: 201,
                ..json(
                    json!({ "token": "ghs_0123456789abcdef", "expires_at": "2026-01-01T01:00:00Z", "permissions": { "members": "read" } }),
                )
            }
        }
        "/api/items" => {
            assert_eq!(bearer, "ghs_0123456789abcdef");
            ok()
        }
        _ => json(json!({ "id": 9, "name": "acme" })),
    }
}

fn installed(key: &str) -> collect::Credential {
    credential("a", &[("app_id", "4711"), ("private_key", key)])
}

#[tokio::test]
async fn an_app_installation_buys_its_token_with_a_signature() {
    let app = with_auth(INSTALLED);
    // As it is, and as it comes out of a JSON file.
    for key in [pem(), pem().replace('\n', "\\n")] {
        let server = Server::start(vendor).await;
        let mut before = request();
        before.known = Some(model::credential::Identity {
            tenant_uid: "9".into(),
            tenant_name: "acme".into(),
            subject: "parapet-acme".into(),
            granted: Some(vec!["members:read".into(), "administration:read".into()]),
            expires_at: None,
        });
        let done = run_with(&app, &server, &installed(&key), before).await;
        assert!(dataset(&done, "items").availability.is_complete());
        assert_eq!(server.count(), 3);
        // What the token was sold with no longer has it.
        let lost = Warning::PermissionLost { permission: "administration:read".into() };
        assert_eq!(done.snapshot.warnings, [lost]);
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_told_before_anything_is_sent() {
    let app = with_auth(INSTALLED);
    let server = Server::start(vendor).await;
    let done = run_with(&app, &server, &installed("not a key"), request()).await;
    let fault = fault(dataset(&done, "items"));
    assert_eq!((fault.cause, fault.reached), (FailureCause::Credentials, Rung::NotSent));
    assert!(fault.detail.contains("PEM"), "{}", fault.detail);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn an_app_that_is_not_installed_is_a_matter_of_the_credential() {
    let app = with_auth(INSTALLED);
    for code in [401, 404] {
        let server = Server::start(move |_| error(code, "Not Found")).await;
        let done = run_with(&app, &server, &installed(&pem()), request()).await;
        assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Credentials);
    }
}

#[tokio::test]
async fn an_unusable_credential_is_told_before_anything_is_sent() {
    let app = with_auth("kind = \"bearer\"");
    for token in ["", "two\nlines"] {
        let server = Server::start(|_| ok()).await;
        let done = run_with(&app, &server, &credential("a", &[("token", token)]), request()).await;
        let fault = fault(dataset(&done, "items"));
        assert_eq!((fault.cause, fault.reached), (FailureCause::Credentials, Rung::NotSent));
        assert_eq!(server.count(), 0);
    }
    let server = Server::start(|_| ok()).await;
    let done = run_with(&app, &server, &credential("other", &[]), request()).await;
    assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Internal);
}

#[tokio::test]
async fn authenticating_is_one_cheap_request() {
    let app = app(&manifest(&listing("items", r#"{ path = "/items" }"#, "")));
    let server = Server::start(|_| json(json!({ "id": 9, "name": "acme" }))).await;
    let tried = collect::authenticate(&outbound(), &target(&app, &server), &token(), &server.clock).await;
    assert_eq!(tried, Ok(()));
    assert_eq!(server.paths(), ["/api/tenant"]);
    let server = Server::start(|_| status(401)).await;
    let tried = collect::authenticate(&outbound(), &target(&app, &server), &token(), &server.clock).await;
    assert_eq!(tried.unwrap_err().cause, FailureCause::Credentials);
}

#[tokio::test]
async fn what_a_try_or_a_look_was_told_is_known_beyond_it() {
    let app = app(&manifest(&listing("items", r#"{ path = "/items" }"#, "")));
    let server = Server::start(|_| status(429).with("retry-after", "7200")).await;
    let until = START + Duration::hours(2);
    let (target, tried, looked) = (target(&app, &server), token(), token());
    collect::authenticate(&outbound(), &target, &tried, &server.clock).await.unwrap_err();
    assert_eq!(tried.clone().back_off.until(START), Some(until));
    collect::preflight(&outbound(), &target, &looked, &server.clock).await.unwrap_err();
    assert_eq!((looked.back_off.until(START), looked.back_off.until(until)), (Some(until), None));
}
