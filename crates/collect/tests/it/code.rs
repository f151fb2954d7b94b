//! Signing in at the vendor: where the browser goes, what its code buys, and how that is renewed without being lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use catalog::App;
use collect::{Credential, InMemory, Keeper, RENEWAL, Renewal, SignIn, Turn};
use futures_util::future::BoxFuture;
use model::scan::FailureCause;
use model::time::Duration;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::auth::{ok, with_auth};
use crate::support::*;

const CODE: &str = r#"kind = "authorization_code"
authorize = { path = "/{tenant}/authorize" }
token = { path = "/token" }
scope = "offline_access"
authorize_extra = { access_type = "offline" }
extra = { resource = "{tenant}" }"#;

fn coded(more: &str) -> Arc<App> {
    with_auth(&format!("{CODE}\n{more}"))
}

fn sign_in(code: &str) -> SignIn {
    SignIn {
        redirect_uri: "http://127.0.0.1:8080/connect/test".to_owned(),
        verifier: "v".repeat(43).into(),
        code: code.to_owned().into(),
    }
}

fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()
}

fn client(refresh_token: &str) -> Credential {
    let values = [("client_id", "app-1"), ("client_secret", "s3cret"), ("refresh_token", refresh_token)];
    credential("a", &values)
}

/// A vendor that takes each refresh token once, and ends the sign-in when it sees one again.
#[derive(Default)]
struct Rotating {
    sold: AtomicUsize,
    ended: AtomicBool,
}

impl Rotating {
    fn answer(&self, seen: &Seen) -> Answer {
        if seen.path == "/api/token" {
            let n = self.sold.load(Ordering::SeqCst);
            let right = form(seen)["refresh_token"] == format!("rt-0123456789-{n}");
            if !right || self.ended.load(Ordering::SeqCst) {
                self.ended.store(true, Ordering::SeqCst);
                return Answer { status: 400, ..json(json!({ "error": "invalid_grant" })) };
            }
            self.sold.store(n + 1, Ordering::SeqCst);
            return json(json!({ "access_token": format!("at-0123456789-{}", n + 1),
                "refresh_token": format!("rt-0123456789-{}", n + 1), "expires_in": 3600, "scope": "a b" }));
        }
        // As some vendors do: a new token ends the one before.
        let newest = format!("Bearer at-0123456789-{}", self.sold.load(Ordering::SeqCst));
        if self.ended.load(Ordering::SeqCst) || seen.header("authorization") != Some(newest.as_str()) {
            return status(401);
        }
        ok()
    }
}

#[tokio::test]
async fn the_browser_is_sent_with_a_challenge_and_never_with_a_secret() {
    let app = coded("scope_by_permission = true");
    let server = Server::start(|_| ok()).await;
    let (target, sign_in) = (target(&app, &server), sign_in(""));
    let url = collect::authorize_url(&target, "a", "app-1", "state-1", &sign_in).expect("an address");
    assert_eq!(url.as_str().split('?').next(), Some(format!("{}/api/acme/authorize", server.url).as_str()));
    let sent: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, "v".repeat(43).as_bytes());
    let expected = [
        ("access_type", "offline"),
        ("client_id", "app-1"),
        ("code_challenge", &URL_SAFE_NO_PAD.encode(challenge.as_ref())),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http://127.0.0.1:8080/connect/test"),
        ("response_type", "code"),
        ("scope", "members:read offline_access"),
        ("state", "state-1"),
    ];
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(sent, expected);
    assert!(collect::authorize_url(&target, "token", "app-1", "s", &sign_in).is_err());
    assert_eq!(server.count(), 0, "the browser goes there, the server does not");
}

#[tokio::test]
async fn a_code_is_redeemed_with_its_verifier() {
    for (client_auth, in_form, header) in [
        ("", None, Some(format!("Basic {}", STANDARD.encode("app-1:s3cret")))),
        ("client_auth = \"body\"", Some("s3cret"), None),
        ("client_auth = \"none\"", None, None),
    ] {
        let app = coded(client_auth);
        let server = Server::start(move |seen| {
            let form = form(seen);
            assert_eq!(seen.path, "/api/token");
            assert_eq!(form["grant_type"], "authorization_code");
            assert_eq!(form["code"], "code-1234567890");
            assert_eq!(form["code_verifier"], "v".repeat(43));
            assert_eq!(form["redirect_uri"], "http://127.0.0.1:8080/connect/test");
            assert_eq!(form["resource"], "acme");
            assert_eq!(form.get("client_secret").map(String::as_str), in_form);
            assert_eq!(seen.header("authorization"), header.as_deref());
            assert_eq!(form.contains_key("client_id"), header.is_none());
            json(json!({ "access_token": "at-1234567890abcdef", "refresh_token": "rt-1234567890abcdef",
                "id_token": "eyJ", "expires_in": 3600, "scope": "a" }))
        })
        .await;
        let credential = client("");
        let renewal = collect::sign_in(
            &outbound(),
            &target(&app, &server),
            &credential,
            &server.clock,
            &sign_in("code-1234567890"),
        )
        .await
        .expect("the code is right");
        assert_eq!(renewal.refresh_token.expose_secret(), "rt-1234567890abcdef");
        let access = &renewal.access[""];
        assert_eq!(access.expires_at, Some(START + Duration::hours(1)));
        assert_eq!(access.answers, [json!({ "expires_in": 3600, "scope": "a" })]);
    }
}

#[tokio::test]
async fn a_code_that_buys_nothing_lasting_is_refused() {
    for (answer, says) in [
        (json(json!({ "access_token": "at-1234567890abcdef" })), "offline_access"),
        (
            Answer {
                status: 400,
                ..json(json!({ "error": "invalid_grant", "error_description": "code-1234567890 was used" }))
            },
            "does not accept the code",
        ),
        (
            Answer { status: 401, ..json(json!({ "error": "invalid_client" })) },
            "does not accept the credential",
        ),
    ] {
        let app = coded("");
        let server = Server::start(move |_| answer.clone()).await;
        let fault = collect::sign_in(
            &outbound(),
            &target(&app, &server),
            &client(""),
            &server.clock,
            &sign_in("code-1234567890"),
        )
        .await
        .expect_err("nothing was bought");
        assert_eq!(fault.cause, FailureCause::Credentials);
        assert!(fault.detail.contains(says), "{}", fault.detail);
        assert!(!format!("{fault:?}").contains("code-1234567890"), "{fault:?}");
        assert_eq!(server.count(), 1, "a code is redeemed once, whatever comes of it");
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_good_for_once_lasts_over_runs() {
    let app = coded("granted = { read = { at = \"scope\" } }");
    let vendor = Arc::new(Rotating::default());
    let answering = Arc::clone(&vendor);
    let server = Server::start(move |seen| answering.answer(seen)).await;
    let kept = InMemory::new(Some(Renewal::new("rt-0123456789-0".to_owned().into())));
    let credential = client("").kept_by(Arc::new(kept.clone()));
    for run in 1..=2 {
        let done = run_with(&app, &server, &credential, request()).await;
        assert!(dataset(&done, "items").availability.is_complete(), "{:?}", dataset(&done, "items"));
        let renewal = kept.renewal().await.expect("there is one");
        assert_eq!(renewal.refresh_token.expose_secret(), format!("rt-0123456789-{run}"));
        // While the token is good, a run buys none; the answer that came with it still says what is granted.
        let before = server.count();
        let done = run_with(&app, &server, &credential, request()).await;
        assert!(dataset(&done, "items").availability.is_complete());
        assert_eq!(server.count(), before + 1);
        server.clock.advance(Duration::hours(1));
    }
    let mut known = request();
    known.known = Some(model::credential::Identity {
        tenant_uid: "1".to_owned(),
        tenant_name: "1".to_owned(),
        subject: String::new(),
        granted: Some(vec!["a".to_owned(), "c".to_owned()]),
        expires_at: None,
    });
    let done = run_with(&app, &server, &credential, known).await;
    let lost = model::diagnosis::Warning::PermissionLost { permission: "c".to_owned() };
    assert_eq!(done.snapshot.warnings, [lost]);
    // What was bought is sealed and opened with the rest of the credential.
    let stored = kept.renewal().await.expect("there is one").to_secret();
    let mut values = client("rt-entered-long-ago").values;
    values.insert(RENEWAL.to_owned(), stored);
    let done = run_with(&app, &server, &Credential::new("a", values), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
}

#[tokio::test]
async fn scans_side_by_side_redeem_it_once() {
    let app = coded("");
    let vendor = Arc::new(Rotating::default());
    let answering = Arc::clone(&vendor);
    let server = Server::start(move |seen| answering.answer(seen)).await;
    let credential = client("rt-0123456789-0");
    let runs = (0..8).map(|_| run_with(&app, &server, &credential, request()));
    for done in futures_util::future::join_all(runs).await {
        assert!(dataset(&done, "items").availability.is_complete());
    }
    assert_eq!(vendor.sold.load(Ordering::SeqCst), 1);
    assert_eq!(server.count(), 9);
}

#[tokio::test]
async fn a_token_that_the_vendor_ends_is_renewed_and_not_taken_again() {
    let app = coded("");
    let sold = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sold);
    let server = Server::start(move |seen| {
        if seen.path == "/api/token" {
            let n = count.fetch_add(1, Ordering::SeqCst);
            return json(json!({ "access_token": format!("at-0123456789-{n}"), "expires_in": 3600 }));
        }
        if seen.header("authorization") == Some("Bearer at-0123456789-1") { ok() } else { status(401) }
    })
    .await;
    let credential = client("rt-0123456789-0");
    let done = run_with(&app, &server, &credential, request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/token", "/api/items", "/api/token", "/api/items"]);
    // A vendor that gives no new refresh token means the old one to be used again.
    let asked: Vec<_> =
        server.seen.lock().unwrap().iter().filter(|s| s.path == "/api/token").cloned().collect();
    assert!(asked.iter().all(|s| form(s)["refresh_token"] == "rt-0123456789-0"));
    assert!(asked.iter().all(|s| !form(s).contains_key("scope")), "what was asked for at the sign-in holds");
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_a_matter_of_credentials() {
    let app = coded("");
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/token" => Answer {
            status: 400,
            ..json(json!({ "error": "invalid_grant", "error_description": "revoked" }))
        },
        _ => ok(),
    })
    .await;
    let done = run_with(&app, &server, &client("rt-0123456789-0"), request()).await;
    let fault = fault(dataset(&done, "items"));
    assert_eq!(fault.cause, FailureCause::Credentials);
    assert!(fault.detail.contains("refresh token was revoked"), "{}", fault.detail);
    assert_eq!(server.count(), 1);
    let nobody = run_with(&app, &server, &client(""), request()).await;
    let fault = self::fault(dataset(&nobody, "items"));
    assert_eq!(fault.cause, FailureCause::Credentials);
    assert!(fault.detail.contains("Nobody has signed in"), "{}", fault.detail);
    assert_eq!(server.count(), 1, "nothing to redeem, nothing sent");
}

#[tokio::test]
async fn each_host_with_a_scope_of_its_own_has_a_token_of_its_own() {
    let text = format!(
        "{}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{CODE}\n{}",
        HEAD.replace("base = \"/api\"", "base = \"/api\"\nscope = \"main/.default\""),
        listing("items", "{ path = \"/items\" }", "permission = { a = [\"items.read\"] }"),
    );
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/token" => {
            assert_eq!(form(seen)["scope"], "main/.default");
            json(json!({ "access_token": "at-1234567890abcdef" }))
        }
        _ => ok(),
    })
    .await;
    let done = run_with(&app(&text), &server, &client("rt-0123456789-0"), request()).await;
    assert!(dataset(&done, "items").availability.is_complete(), "{:?}", dataset(&done, "items"));
}

/// Notes in what order things happen; keeps nothing when it is told so.
struct Watching {
    inner: InMemory,
    log: Arc<Mutex<Vec<String>>>,
    fails: bool,
}

struct WatchedTurn(Box<dyn Turn>, Arc<Mutex<Vec<String>>>, bool);

impl Keeper for Watching {
    fn turn(&self) -> BoxFuture<'_, Result<Box<dyn Turn>, String>> {
        Box::pin(async {
            self.log.lock().unwrap().push("turn".to_owned());
            let turn = self.inner.turn().await?;
            Ok(Box::new(WatchedTurn(turn, Arc::clone(&self.log), self.fails)) as Box<dyn Turn>)
        })
    }
}

impl Turn for WatchedTurn {
    fn current(&self) -> Option<&Renewal> {
        self.0.current()
    }
    fn keep(&mut self, renewed: Renewal) -> BoxFuture<'_, Result<(), String>> {
        self.1.lock().unwrap().push("keep".to_owned());
        if self.2 { Box::pin(async { Err("no room".to_owned()) }) } else { self.0.keep(renewed) }
    }
    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.1.lock().unwrap().push("end".to_owned());
        self.0.end()
    }
}

#[tokio::test]
async fn what_is_renewed_is_kept_before_it_is_used() {
    for fails in [false, true] {
        let app = coded("");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (vendor, noted) = (Rotating::default(), Arc::clone(&log));
        let server = Server::start(move |seen| {
            noted.lock().unwrap().push(seen.path.clone());
            vendor.answer(seen)
        })
        .await;
        let inner = InMemory::new(Some(Renewal::new("rt-0123456789-0".to_owned().into())));
        let credential = client("").kept_by(Arc::new(Watching { inner, log: Arc::clone(&log), fails }));
        let done = run_with(&app, &server, &credential, request()).await;
        let items = dataset(&done, "items");
        let log = log.lock().unwrap().clone();
        if fails {
            assert_eq!(log, ["turn", "/api/token", "keep", "end"]);
            let fault = fault(items);
            assert_eq!(fault.cause, FailureCause::Internal);
            assert!(fault.detail.contains("could not be stored: no room"), "{}", fault.detail);
        } else {
            assert_eq!(log, ["turn", "/api/token", "keep", "end", "/api/items"]);
            assert!(items.availability.is_complete());
        }
    }
}
