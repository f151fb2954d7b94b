//! Sign-in of a service account: cookies, their renewal, and refusals.

use std::sync::atomic::{AtomicUsize, Ordering};

use model::diagnosis::Rung;
use model::scan::FailureCause;
use serde_json::json;

use crate::auth::{ok, with_auth};
use crate::support::*;

const SESSION: &str = r#"kind = "session"
login = { path = "/sign-in" }
username_at = "auth.user"
password_at = "auth.password"
extra = { "auth.scheme" = "local", remember = false }
cookie = "SID""#;

fn account() -> collect::Credential {
    credential("a", &[("username", "parapet"), ("password", "pass & word\"1")])
}

fn cookie(seen: &Seen) -> &str {
    seen.header("cookie").unwrap_or_default()
}

#[tokio::test]
async fn a_session_begins_with_one_sign_in_and_ends_with_the_run() {
    let app = with_auth(SESSION);
    let server = Server::start(|seen| {
        if seen.path == "/api/sign-in" {
            assert_eq!(seen.method, "POST");
            assert_eq!(seen.header("content-type"), Some("application/json"));
            assert_eq!(seen.header("cookie"), None);
            let auth = json!({ "user": "parapet", "password": "pass & word\"1", "scheme": "local" });
            assert_eq!(seen.json(), json!({ "auth": auth, "remember": false }));
            // As Glewlwyd and others do: no body, the session in a cookie.
            return status(200)
                .with("set-cookie", "SID=s3ss10n-0123456789; Path=/; HttpOnly")
                .with("set-cookie", "lang=en; Max-Age=1");
        }
        assert_eq!(cookie(seen), "SID=s3ss10n-0123456789; lang=en");
        assert_eq!(seen.header("authorization"), None);
        ok()
    })
    .await;
    let done = run_with(&app, &server, &account(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/sign-in", "/api/items"]);
    assert_eq!(done.snapshot.cost.requests, 2);
    // Nothing is kept for another run.
    run_with(&app, &server, &account(), request()).await;
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_sign_in_by_form() {
    let app = with_auth(
        "kind = \"session\"\nlogin = { path = \"/sign-in\" }\nbody = \"form\"\nextra = { keep = true }",
    );
    let server = Server::start(|seen| {
        if seen.path == "/api/sign-in" {
            assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
            assert_eq!(seen.body, "keep=true&username=parapet&password=pass+%26+word%221");
            return Answer { status: 204, ..status(204).with("set-cookie", "any=thing-0123456789") };
        }
        assert_eq!(cookie(seen), "any=thing-0123456789");
        ok()
    })
    .await;
    let done = run_with(&app, &server, &account(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
}

/// A server whose first session has ended when it is used, and that counts sign-ins.
async fn forgetful(good: bool) -> Server {
    let signed_in = AtomicUsize::new(0);
    Server::start(move |seen| {
        if seen.path == "/api/sign-in" {
            let n = signed_in.fetch_add(1, Ordering::SeqCst);
            return status(200).with("set-cookie", format!("SID=session-0123456789-{n}"));
        }
        if good && cookie(seen) != "SID=session-0123456789-0" { ok() } else { status(401) }
    })
    .await
}

#[tokio::test]
async fn an_ended_session_is_begun_anew_once() {
    let app = with_auth(SESSION);
    let server = forgetful(true).await;
    let done = run_with(&app, &server, &account(), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/sign-in", "/api/items", "/api/sign-in", "/api/items"]);
}

#[tokio::test]
async fn who_signs_in_and_is_refused_all_the_same_lacks_a_permission() {
    // As Glewlwyd answers an account that has lost its scope: by default, and where a rule says so.
    for rule in ["", "[[answer]]\nstatus = [401]\nmeans = \"permission\"\n"] {
        let items = listing("items", r#"{ path = "/items" }"#, r#"permission = { a = ["g_admin"] }"#);
        let auth = format!("[[auth]]\nid = \"a\"\ntitle = \"A\"\n{SESSION}\n");
        let app = app(&format!("{HEAD}{auth}{rule}{items}"));
        let server = forgetful(false).await;
        let done = run_with(&app, &server, &account(), request()).await;
        let fault = fault(dataset(&done, "items"));
        assert_eq!((fault.cause, fault.reached), (FailureCause::Permission, Rung::Authenticated));
        assert_eq!(fault.needs, ["g_admin"]);
        assert_eq!(server.paths(), ["/api/sign-in", "/api/items", "/api/sign-in", "/api/items"]);
    }
}

#[tokio::test]
async fn a_session_is_begun_anew_before_its_cookie_ends() {
    let items =
        listing("items", r#"{ path = "/items" }"#, "") + &listing("more", r#"{ path = "/more" }"#, "");
    let app = app(&format!("{HEAD}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{SESSION}\n{items}"));
    let server = Server::start(|seen| {
        if seen.path == "/api/sign-in" {
            // Less than the margin is left at once.
            return status(200).with("set-cookie", "SID=session-0123456789; Max-Age=30");
        }
        ok()
    })
    .await;
    let done = run_with(&app, &server, &account(), request()).await;
    assert!(dataset(&done, "more").availability.is_complete());
    assert_eq!(server.paths(), ["/api/sign-in", "/api/items", "/api/sign-in", "/api/more"]);
}

#[tokio::test]
async fn a_refused_sign_in_is_about_the_credential_and_is_not_repeated() {
    let datasets = listings(6);
    let app = app(&format!("{HEAD}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{SESSION}\n{datasets}"));
    for (answer, told) in [
        (error(401, "Wrong password"), Some(401)),
        (error(400, "Wrong password"), Some(400)),
        (error(403, "Locked"), Some(403)),
        // A server that says so by leaving the cookie out, or by setting others.
        (json(json!({ "ok": false })), None),
        (status(200).with("set-cookie", "visitor=1234567890"), None),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let done = run_with(&app, &server, &account(), request()).await;
        for n in 0..6 {
            let fault = fault(dataset(&done, &format!("d{n}")));
            assert_eq!((fault.cause, fault.reached), (FailureCause::Credentials, Rung::Http));
            assert!(n > 0 || fault.status == told);
            assert!(told.is_some() || fault.detail.contains("`SID`"), "{}", fault.detail);
        }
        // More attempts could lock the account.
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_that_fails_otherwise_is_not_blamed_on_the_credential() {
    let app = with_auth(SESSION);
    let html =
        status(200).with("content-type", "text/html").with("set-cookie", "SID=x").body("<!doctype html>");
    for (answer, cause) in [
        (status(500), FailureCause::Remote),
        (error(429, "slow down").with("retry-after", "86400"), FailureCause::Throttled),
        (html, FailureCause::Protocol),
        (status(302).with("location", "/welcome"), FailureCause::Protocol),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let done = run_with(&app, &server, &account(), request()).await;
        assert_eq!(fault(dataset(&done, "items")).cause, cause);
    }
}

#[tokio::test]
async fn neither_password_nor_session_is_told() {
    let app = with_auth(SESSION);
    let server = Server::start(|seen| {
        if seen.path == "/api/sign-in" {
            return status(200).with("set-cookie", "SID=s3ss10n-0123456789abcdef");
        }
        error(403, "SID=s3ss10n-0123456789abcdef of parapet with pass & word\"1 may not")
    })
    .await;
    let done = run_with(&app, &server, &account(), request()).await;
    let told = format!("{:?}", fault(dataset(&done, "items")));
    assert!(told.contains("may not"), "{told}");
    assert!(!told.contains("s3ss10n") && !told.contains("word\\\"1"), "{told}");
}
