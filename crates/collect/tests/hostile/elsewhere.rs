//! Answers that lead elsewhere: other origins, private addresses, names that change where they point. What must hold is
//! that nobody else is ever connected to, and that the credential is sent to nobody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use collect::{Collected, Outbound, OutboundConfig, Quiet};
use model::diagnosis::Rung;
use model::scan::FailureCause;

use crate::server::{Asked, Say, Server, json, status, with};
use crate::support::{TestClock, app, credential, fault, listing, manifest, request, target_at, token};
use crate::{ITEMS, TURN, items};

/// Where an answer leads: `{here}` is the server's own host and port, `{there}` the foreign server's.
const PLACES: [&str; 22] = [
    "http://{there}/x",
    "//{there}/x",
    "https://{here}/x",
    "ftp://{here}/x",
    "http://10.0.0.1/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://0.0.0.0/x",
    "http://2130706433/x",
    "http://localhost/x",
    "http://127.0.0.1/x",
    "http://{here}@{there}/x",
    "http://{there}\\@{here}/x",
    "http:\\\\{there}\\x",
    "/\\{there}/x",
    "\t//{there}/x",
    "http://eve:secret@{here}/x",
    "http://eve@{here}/x",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:application/json,[]",
];

fn place(template: &str, asked: &Asked, there: &str) -> String {
    template.replace("{here}", &asked.host).replace("{there}", there)
}

/// Reads the items from a server that leads elsewhere in some way; nothing must follow.
async fn led(request_toml: &str, lead: impl Fn(&str) -> Say + Send + Sync + Copy + 'static) {
    let _turn = TURN.lock().await;
    let outbound =
        Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap();
    let app = items("", request_toml);
    let there = Server::start(|_| json("[]")).await;
    for template in PLACES {
        let host = there.url.trim_start_matches("http://").to_owned();
        let server = Server::start(move |asked| {
            // Whoever comes back to the path that was led to has followed.
            if asked.path.starts_with("/x") { json("[]") } else { lead(&place(template, asked, &host)) }
        })
        .await;
        let clock = TestClock::default();
        let (target, credential) = (target_at(&app, &server.url), token());
        let collected = collect::run(&outbound, &target, &credential, &clock, request(), &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{template}: {collected:?}") };
        let dataset = &done.snapshot.datasets["items"];
        assert!(!dataset.availability.is_complete(), "{template} is complete");
        let fault = fault(dataset);
        assert_eq!(fault.cause, FailureCause::Protocol, "{template}: {}", fault.detail);
        assert!(fault.reached >= Rung::Http, "{template}: {:?}", fault.reached);
        assert!(!fault.detail.contains("secret"), "{template}: {}", fault.detail);
        assert_eq!(server.connections(), 1, "{template}: asked again");
        assert_eq!(there.connections(), 0, "{template}: the foreign server was connected to");
    }
}

#[tokio::test]
async fn redirects_lead_nowhere_else() {
    for code in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let line: &'static str = code;
        led(r#"{ path = "/items" }"#, move |to| status(line, &format!("Location: {to}\r\n"), "")).await;
    }
}

#[tokio::test]
async fn next_links_lead_nowhere_else() {
    led(r#"{ path = "/items", paging = { kind = "link" } }"#, |to| {
        with(&format!("Link: <{to}>; rel=\"next\"\r\n"), r#"[{"id": 1, "name": "a"}]"#)
    })
    .await;
}

#[tokio::test]
async fn next_addresses_lead_nowhere_else() {
    let request = r#"{ path = "/items", records = "items", paging = { kind = "next_url", at = "next" } }"#;
    led(request, |to| {
        json(serde_json::json!({ "items": [{ "id": 1, "name": "a" }], "next": to }).to_string())
    })
    .await;
}

#[tokio::test]
async fn redirects_end() {
    let _turn = TURN.lock().await;
    let outbound =
        Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap();
    let app = items("", ITEMS);
    let server =
        Server::start(|asked| status("302 Found", &format!("Location: /r{}\r\n", asked.before), "")).await;
    let clock = TestClock::default();
    let (target, credential) = (target_at(&app, &server.url), token());
    let collected = collect::run(&outbound, &target, &credential, &clock, request(), &Quiet).await;
    let Collected::Done(done) = collected else { panic!("{collected:?}") };
    let fault = fault(&done.snapshot.datasets["items"]);
    assert_eq!((fault.cause, fault.reached), (FailureCause::Protocol, Rung::Http), "{}", fault.detail);
    assert!(server.connections() <= 10, "{} requests", server.connections());
}

/// A name that is first one address and then another: the one that is connected to is the one that was judged, each time.
#[tokio::test]
async fn a_name_that_changes_where_it_points() {
    let _turn = TURN.lock().await;
    // Nobody may come here, though the name leads here.
    let inside = Server::start(|_| json("[]")).await;
    let port = inside.url.rsplit(':').next().unwrap().to_owned();
    let asked = Arc::new(AtomicUsize::new(0));
    for (first, then) in [
        // With nothing to be had at first, so that it is tried again.
        (&[][..], &["127.0.0.1"][..]),
        (&["127.0.0.1"], &["127.0.0.1"]),
        (&["10.0.0.1"], &["127.0.0.1"]),
        (&["::ffff:127.0.0.1"], &["::1", "127.0.0.1"]),
        (&["169.254.169.254"], &["127.0.0.1"]),
    ] {
        let count = Arc::clone(&asked);
        count.store(0, Ordering::SeqCst);
        let resolve = move |_: &str| -> Vec<IpAddr> {
            let of = if count.fetch_add(1, Ordering::SeqCst) == 0 { first } else { then };
            of.iter().map(|ip| ip.parse().unwrap()).collect()
        };
        let config = OutboundConfig {
            resolve: Some(Arc::new(resolve)),
            connect_seconds: 1,
            ..OutboundConfig::default()
        };
        let outbound = Outbound::new(config).unwrap();
        let app = items("", ITEMS);
        let clock = TestClock::default();
        let url = format!("https://rebind.example:{port}");
        let (target, credential) = (target_at(&app, &url), token());
        let collected = collect::run(&outbound, &target, &credential, &clock, request(), &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{collected:?}") };
        let fault = fault(&done.snapshot.datasets["items"]);
        assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Name), "{}", fault.detail);
        assert!(asked.load(Ordering::SeqCst) > 0, "nobody was asked for the name");
        assert_eq!(inside.connections(), 0, "{first:?}, then {then:?}");
    }
}

/// Where a token is bought, an answer may lead elsewhere as well, or hold what is no token.
#[tokio::test]
async fn where_tokens_are_sold_nothing_leads_elsewhere() {
    let _turn = TURN.lock().await;
    let there = Server::start(|_| json(r#"{"access_token": "t", "token_type": "Bearer"}"#)).await;
    let host = there.url.trim_start_matches("http://").to_owned();
    let text = manifest(&listing("items", r#"{ path = "/items" }"#, ""))
        .replace("kind = \"bearer\"", "kind = \"client_credentials\"\ntoken = { path = \"/token\" }");
    let app = app(&text);
    let outbound =
        Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap();
    let long = "t".repeat(1 << 20);
    let answers: [(&str, Say); 7] = [
        ("redirect", status("307 Temporary", &format!("Location: http://{host}/token\r\n"), "")),
        (
            "a token with a header in it",
            json(r#"{"access_token": "t\r\nX-Evil: 1", "token_type": "Bearer"}"#),
        ),
        ("a token of a megabyte", json(format!(r#"{{"access_token": "{long}", "token_type": "Bearer"}}"#))),
        ("no token", json(r#"{"access_token": {}, "token_type": "Bearer"}"#)),
        ("an empty token", json(r#"{"access_token": "", "token_type": "Bearer"}"#)),
        ("deep", json("[".repeat(1 << 20))),
        ("a page", with("Content-Type: text/html\r\n", "<!doctype html>")),
    ];
    for (name, answer) in answers {
        let server = Server::start(move |asked| {
            if asked.path.ends_with("/token") { answer.clone() } else { status("401 No", "", "{}") }
        })
        .await;
        let clock = TestClock::default();
        let credential = credential("token", &[("client_id", "c"), ("client_secret", "s3cr3t-0123456789")]);
        let target = target_at(&app, &server.url);
        let collected = collect::run(&outbound, &target, &credential, &clock, request(), &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{name}: {collected:?}") };
        let fault = fault(&done.snapshot.datasets["items"]);
        // Never the credential's fault: it would be suspended for what the server did.
        assert_eq!(fault.cause, FailureCause::Protocol, "{name}: {}", fault.detail);
        assert_eq!(there.connections(), 0, "{name}");
        assert!(server.connections() <= 8, "{name}: {} requests", server.connections());
        let heads = server.tally.heads.lock().unwrap();
        assert!(!heads.iter().any(|head| head.contains("X-Evil")), "{name}: a header was smuggled in");
    }
}
