//! What the server accepts and refuses, whoever asks and from wherever.

use http::{Request, StatusCode, header};

use crate::outline::outline;
use crate::samples::Samples;
use crate::support::{Site, get, post};

/// Every address that changes something, with fields that would be accepted.
const CHANGES: [(&str, &str); 18] = [
    ("/applications/i-acme/scans/config/scan-now", ""),
    ("/applications/i-acme/scans/config/cancel", ""),
    ("/applications/i-acme/scans/accounts/check-again", ""),
    ("/applications/i-acme/scans/config/interval", "interval=900000"),
    ("/applications/i-acme/agree-empty", "dataset=webhooks"),
    ("/applications/i-acme/pause", ""),
    ("/applications/i-acme/resume", ""),
    ("/applications/i-acme/name", "name=New"),
    ("/applications/i-acme/owner", "owner=o-dana"),
    (
        "/applications/i-acme/parameters",
        "app=github&check=github/org-requires-2fa&name=max_idle_days&value=30",
    ),
    (
        "/applications/i-acme/parameters",
        "app=github&check=github/org-requires-2fa&name=max_idle_days&value=30&reset=yes",
    ),
    ("/applications/i-acme/remove", "confirm=Acme+Engineering"),
    ("/applications/i-acme/reauthenticate/save", "draft=d-1&stop=accounts"),
    ("/applications/add/github/save", "draft=d-1"),
    ("/findings/f-i-acme-0/state", "state=in_progress"),
    ("/owners", "name=A&email=a%40example.com&time_zone=Europe%2FBerlin"),
    ("/owners/o-dana", "name=A&email=a%40example.com&time_zone=Europe%2FBerlin&active=yes"),
    ("/sign-out", ""),
];

fn done(site: &Site) -> Vec<String> {
    site.samples.done.lock().expect("no test panics while it holds the list").clone()
}

#[tokio::test]
async fn every_change_is_made_once_and_leads_to_a_page() {
    let site = Site::samples();
    for (path, fields) in CHANGES {
        let page = site.post(path, fields).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}: {}", page.text);
        if path != "/sign-out" {
            let next = site.get(page.header(header::LOCATION)).await;
            assert_eq!(next.status, StatusCode::OK, "{path} leads to {}", page.header(header::LOCATION));
        }
    }
    insta::assert_snapshot!(done(&site).join("\n"), @r"
    scan i-acme config now
    cancel i-acme config
    check i-acme accounts again
    interval of i-acme config: 900s
    webhooks of i-acme is empty
    pause i-acme
    resume i-acme
    rename i-acme to New
    owner of i-acme: o-dana
    max_idle_days of github/org-requires-2fa in i-acme: 30
    max_idle_days of github/org-requires-2fa in i-acme: the default
    remove i-acme (Acme Engineering)
    reauthenticate i-acme with d-1, stop [Accounts]
    f-i-acme-0 is in_progress
    owner o-dana is A (active: true)
    sign out
    ");
}

#[tokio::test]
async fn no_get_changes_anything() {
    let site = Site::samples();
    for (path, fields) in CHANGES {
        let page = site.get(&format!("{path}?csrf=sample-csrf&{fields}")).await;
        assert!(
            page.status == StatusCode::METHOD_NOT_ALLOWED || path == "/owners",
            "{path} took a GET: {}",
            page.status
        );
    }
    assert_eq!(done(&site), Vec::<String>::new());
}

#[tokio::test]
async fn a_form_without_this_sessions_token_changes_nothing() {
    let site = Site::samples();
    for (path, fields) in CHANGES {
        for token in ["", "csrf=&", "csrf=other&", "csrf=sample-csr&"] {
            let page = site.ask(post(path, Some("admin"), &format!("{token}{fields}"))).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} with {token}");
        }
        let page = site.ask(post(path, None, &format!("csrf=sample-csrf&{fields}"))).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path} without a session");
    }
    assert_eq!(done(&site), Vec::<String>::new());
}

#[tokio::test]
async fn another_site_changes_nothing_even_with_the_token() {
    let site = Site::samples();
    let origin_only = |origin: &'static str| {
        let mut request = post("/applications/i-acme/pause", Some("admin"), "csrf=sample-csrf");
        request.headers_mut().remove("sec-fetch-site");
        request.headers_mut().insert(header::ORIGIN, http::HeaderValue::from_static(origin));
        request
    };
    let mut cross = post("/applications/i-acme/pause", Some("admin"), "csrf=sample-csrf");
    cross.headers_mut().insert("sec-fetch-site", http::HeaderValue::from_static("cross-site"));
    for request in [cross, origin_only("https://evil.example"), origin_only("null")] {
        let page = site.ask(request).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.text.contains("came from another site"), "{}", page.text);
    }
    assert_eq!(done(&site), Vec::<String>::new());
    let own = site.ask(origin_only("https://parapet.example")).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let site = Site::samples();
    let paths = [
        "/applications",
        "/applications/add",
        "/applications/i-acme",
        "/applications/i-acme/settings",
        "/applications/i-acme/history",
        "/applications/i-acme/reauthenticate",
        "/findings",
        "/findings.csv",
        "/findings/f-i-acme-0",
        "/accounts.json",
        "/applications/i-acme/plugins.csv",
        "/checks",
        "/owners",
        "/audit",
        "/events",
    ];
    for path in paths {
        for who in [None, Some("nobody"), Some("")] {
            let page = site.ask(get(path, who)).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{path} as {who:?}");
            assert!(page.header(header::LOCATION).starts_with("/sign-in?next=%2F"), "{path}");
        }
    }
}

#[tokio::test]
async fn signing_in_sets_a_cookie_that_scripts_cannot_read() {
    let site = Site::samples();
    let page = site.ask(post("/sign-in", None, "name=admin&password=sample&next=%2Ffindings")).await;
    assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/findings"));
    assert_eq!(page.header(header::SET_COOKIE), "parapet_session=admin; Path=/; HttpOnly; SameSite=Lax");

    let config = web::WebConfig { https: true, ..web::WebConfig::default() };
    let page =
        Site::new(Samples::new(), config).ask(post("/sign-in", None, "name=admin&password=sample")).await;
    assert!(page.header(header::SET_COOKIE).starts_with("__Host-parapet_session=admin;"));
    assert!(page.header(header::SET_COOKIE).ends_with("; Secure"));
    assert_eq!(page.header(header::STRICT_TRANSPORT_SECURITY), "max-age=31536000");
}

#[tokio::test]
async fn a_wrong_password_says_so_and_is_not_repeated() {
    let page = Site::samples().ask(post("/sign-in", None, "name=admin&password=hunter2-planted")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Name or password is wrong."));
    assert!(page.text.contains("value=\"admin\""), "the name is kept");
    assert!(!page.text.contains("hunter2-planted"), "the password is not");
}

#[tokio::test]
async fn a_fresh_server_is_set_up_with_the_token_from_its_console() {
    let mut samples = Samples::new();
    samples.fresh = true;
    let site = Site::new(samples, web::WebConfig::default());
    let page = site.ask(get("/sign-in", None)).await;
    assert_eq!(page.header(header::LOCATION), "/set-up");
    let page =
        site.ask(post("/set-up", None, "token=guess&name=a&password=longenough12&again=longenough12")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("This is not the one-time token."));
    let page =
        site.ask(post("/set-up", None, "token=sample&name=a&password=longenough12&again=longenough13")).await;
    assert!(page.text.contains("The two passwords differ."));
    let page =
        site.ask(post("/set-up", None, "token=sample&name=a&password=longenough12&again=longenough12")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(Site::samples().ask(get("/set-up", None)).await.header(header::LOCATION), "/sign-in");
}

#[tokio::test]
async fn a_refused_credential_keeps_what_was_entered_but_no_secret() {
    let site = Site::samples();
    let fields = "set.organization=acme-planted&name=Mine&secret.app_id=77123&secret.private_key=wrong";
    let page = site.post("/applications/add/github", fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("GitHub refused the credential (401 Bad credentials)."));
    assert!(page.text.contains("acme-planted") && page.text.contains("value=\"Mine\""));
    assert!(page.text.contains("aria-invalid=\"true\""), "the field it is about is marked");
    assert!(!page.text.contains("77123") && !page.text.contains(">wrong<"), "secrets are never sent back");

    let page =
        site.post("/applications/i-acme/reauthenticate", "secret.app_id=1&secret.private_key=foreign").await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.text.contains("belongs to the tenant globex (4711)"));
}

#[tokio::test]
async fn a_verified_credential_is_named_by_its_draft_alone() {
    let page = Site::samples()
        .post("/applications/add/github", "set.organization=acme&secret.private_key=PLANTED-KEY")
        .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("name=\"draft\" value=\"d-1\""));
    assert!(!page.text.contains("PLANTED-KEY"));
}

#[tokio::test]
async fn refusals_are_pages_in_their_own_words() {
    let site = Site::samples();
    let page = site
        .ask(post("/applications/i-acme/scans/config/scan-now", Some("auditor"), "csrf=sample-csrf"))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("An auditor reads and exports."));
    let page = site.get("/applications/i-gone").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(outline(&page.text).contains("link /applications: Applications"));
    let page = site.get("/findings?severity=terrible").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("`severity` does not know the value `terrible`"));
    let page = site.post("/applications/add/github/save", "draft=stale").await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    let page = site.get("/applications/i-acme/scans/telepathy/scan-now").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.header("x-request-id").starts_with('r'));
}

#[tokio::test]
async fn an_auditor_is_shown_no_button_that_would_be_refused() {
    let site = Site::samples();
    let page = site.ask(get("/applications/i-acme/settings", Some("auditor"))).await;
    let buttons: Vec<String> = outline(&page.text)
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("button"))
        .map(str::to_owned)
        .collect();
    assert_eq!(buttons, ["button: Sign out"]);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::samples();
    for path in ["/applications", "/sign-in", "/no-such-page", "/assets/icon-down.svg"] {
        let page = site.get(path).await;
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        let kept = page.header(header::CACHE_CONTROL);
        if path.starts_with("/assets/") {
            assert!(kept.contains("immutable"), "{path}");
        } else if path != "/no-such-page" {
            assert_eq!(kept, "no-store", "{path}");
        }
    }
}

/// The content security policy forbids both; a page that has either would be broken, not dangerous, and nobody would see.
#[tokio::test]
async fn pages_have_no_inline_script_or_style() {
    let site = Site::samples();
    for path in
        ["/applications", "/applications/i-acme", "/applications/i-acme/settings", "/findings/f-i-acme-0"]
    {
        let page = site.get(path).await;
        for forbidden in [" style=\"", "<style", "<script>", " onclick=", "javascript:"] {
            assert!(!page.text.contains(forbidden), "{path} has {forbidden}");
        }
    }
}

#[tokio::test]
async fn pages_name_their_assets_by_content_and_the_server_has_them() {
    let site = Site::samples();
    let page = site.get("/applications").await;
    let mut found = 0;
    for piece in page.text.split("\"/assets/").skip(1) {
        let name = piece.split('"').next().expect("an address ends");
        let asset = site.get(&format!("/assets/{name}")).await;
        assert_eq!(asset.status, StatusCode::OK, "{name}");
        found += 1;
    }
    assert_eq!(found, 4, "icon, style sheet and two scripts");
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let page =
        Site::samples().post("/applications/i-acme/name", &format!("name={}", "x".repeat(70_000))).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.text.contains("At most 64 kB"));
}

#[tokio::test]
async fn exports_are_files() {
    let site = Site::samples();
    let page = site.get("/findings.csv?severity=high").await;
    assert_eq!(page.header(header::CONTENT_DISPOSITION), "attachment; filename=\"findings.csv\"");
    assert_eq!(page.text, "id,title\n1,one\n");
    let page = site.get("/applications/i-acme/findings.ocsf?scan=config").await;
    assert_eq!(page.header(header::CONTENT_DISPOSITION), "attachment; filename=\"findings.ocsf.jsonl\"");
    assert_eq!(page.header(header::CONTENT_TYPE), "application/x-ndjson");
    let page = site.get("/findings.sarif").await;
    assert_eq!(page.header(header::CONTENT_DISPOSITION), "attachment; filename=\"findings.sarif\"");
    assert_eq!(page.header(header::CONTENT_TYPE), "application/sarif+json");
    assert_eq!(site.get("/findings.xml").await.status, StatusCode::NOT_FOUND);
    let page = site.get("/applications/i-acme/accounts.json").await;
    assert_eq!(page.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(site.get("/plugins.csv?grade=high").await.status, StatusCode::OK);
}

/// The events that a page about `application` gets before its connection ends by itself.
async fn events(application: &str) -> usize {
    use futures_util::StreamExt as _;
    let router = web::router(std::sync::Arc::new(Samples::new()), web::WebConfig::default());
    let request = Request::get(format!("/events?application={application}"))
        .header(header::COOKIE, "parapet_session=admin")
        .body(axum::body::Body::empty())
        .expect("a request");
    let response = tower::ServiceExt::oneshot(router, request).await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let body: Vec<_> = response.into_body().into_data_stream().collect().await;
    body.into_iter()
        .filter(|chunk| matches!(chunk, Ok(c) if &c[..] == b"event: changed\ndata: changed\n\n"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_at_once_what_it_may_have_missed_and_then_its_own_changes() {
    // The samples tell of one change of i-acme, 5 s after somebody connects.
    assert_eq!(events("i-acme").await, 2);
    assert_eq!(events("i-other").await, 1);
}

#[tokio::test(start_paused = true)]
async fn live_connections_end_when_the_server_drains() {
    use futures_util::StreamExt as _;
    let (drain, draining) = tokio::sync::watch::channel(false);
    let config = web::WebConfig { draining: Some(draining), ..web::WebConfig::default() };
    let router = web::router(std::sync::Arc::new(Samples::new()), config);
    let request = Request::get("/events?application=i-other")
        .header(header::COOKIE, "parapet_session=admin")
        .body(axum::body::Body::empty())
        .expect("a request");
    let response = tower::ServiceExt::oneshot(router, request).await.expect("an answer");
    drain.send(true).expect("the server listens");
    let rest: Vec<_> = response.into_body().into_data_stream().collect().await;
    assert!(rest.is_empty(), "the stream ends without an event for another application");
}
