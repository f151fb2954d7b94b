//! Meanings of answers, and shapes that are not the documented ones.

use collect::Clock as _;
use model::dataset::Availability;
use model::diagnosis::{Rung, Warning};
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use serde_json::json;

use crate::support::*;

const ITEMS: &str = r#"{ path = "/items" }"#;

async fn one(
    more: &str,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> (Server, Box<collect::Done>) {
    let app = app(&manifest(&listing("items", ITEMS, more)));
    let server = Server::start(answer).await;
    let done = run(&app, &server).await;
    (server, done)
}

#[tokio::test]
async fn a_fault_says_what_happened_where() {
    let permission = r#"permission = { token = ["read:items", "admin"] }"#;
    let (server, done) =
        one(permission, |_| error(403, "Must have admin rights").with("x-acme-request-id", "r-17")).await;
    let items = dataset(&done, "items");
    let fault = fault(items);
    assert!(is_unavailable(items));
    assert_eq!(fault.cause, FailureCause::Permission);
    assert_eq!(fault.reached, Rung::Authenticated);
    assert_eq!(fault.dataset.as_deref(), Some("items"));
    assert_eq!(fault.request, Some(format!("GET {}/api/items", server.url)));
    assert_eq!(fault.status, Some(403));
    assert_eq!(fault.vendor_message.as_deref(), Some("Must have admin rights"));
    assert_eq!(fault.request_id.as_deref(), Some("r-17"));
    assert_eq!(fault.needs, ["read:items", "admin"]);
    // No retry of a clear no.
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn meanings_come_from_the_datasets_rules_then_the_applications() {
    let rules = r#"answer = [
        { status = [404], at = "message", contains = "feature", means = "absent" },
        { status = [404], means = "not_applicable", reason = "Not in this plan." },
    ]"#;
    let (_, done) = one(rules, |_| error(404, "The Feature is off")).await;
    assert_eq!(dataset(&done, "items").availability, Availability::Complete);
    assert!(dataset(&done, "items").records.is_empty());
    let (_, done) = one(rules, |_| error(404, "no")).await;
    assert_eq!(
        dataset(&done, "items").availability,
        Availability::NotApplicable { reason: "Not in this plan.".into() }
    );
    // Without a rule, 404 is not understood: never "there is none".
    let (_, done) = one("", |_| error(404, "no")).await;
    assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Protocol);
}

/// That there is none is believed of an answer only where nothing that was read speaks against it, or might.
#[tokio::test]
async fn what_was_read_before_may_speak_against_an_answer() {
    let rules = r#"answer = [
        { status = [404], unless_any = { dataset = "plans", where = "name == 'big'" }, means = "absent" },
        { status = [404], means = "not_applicable", reason = "It lapsed." },
    ]"#;
    let listings = [listing("plans", r#"{ path = "/plans" }"#, ""), listing("items", ITEMS, rules)];
    let app = app(&manifest(&listings.concat()));
    for (plans, absent) in [
        (json(json!([{ "id": 1, "name": "small" }, { "id": 2, "name": "tiny" }])), true),
        (json(json!([])), true),
        (json(json!([{ "id": 1, "name": "small" }, { "id": 2, "name": "big" }])), false),
        // Of the second, nobody knows what it is.
        (json(json!([{ "id": 1, "name": "small" }, { "id": 2 }])), false),
        (error(403, "no"), false),
        (error(500, "oops"), false),
        (json(json!(null)).body(r#"[{"id": 1, "name": "small"}, {"#), false),
    ] {
        let server = Server::start(move |seen| match seen.path.as_str() {
            "/api/plans" => plans.clone(),
            _ => error(404, "no licence"),
        })
        .await;
        let done = run(&app, &server).await;
        let items = dataset(&done, "items");
        assert!(items.records.is_empty());
        let lapsed = Availability::NotApplicable { reason: "It lapsed.".into() };
        let expected = if absent { Availability::Complete } else { lapsed };
        assert_eq!(items.availability, expected, "{:?}", dataset(&done, "plans"));
    }
}

#[tokio::test]
async fn wrong_shapes_are_protocol_faults() {
    let wrong: [(&str, Answer); 9] = [
        ("HTML", status(200).with("content-type", "text/html").body("<!doctype html><title>Sign in</title>")),
        ("truncated", json(json!(null)).body(r#"[{"id": 1, "name": "a"}, {"id"#)),
        ("not JSON", json(json!(null)).body("id,name\n1,a\n")),
        ("a number", json(json!(7))),
        ("null", json(json!(null))),
        ("nothing", status(200)),
        ("no content", status(204)),
        ("other fields", json(json!([{ "uuid": "x", "title": "y" }]))),
        ("an error in disguise", json(json!({ "ok": false, "error": "not_authed" }))),
    ];
    for (what, answer) in wrong {
        let (server, done) = one("", move |_| answer.clone()).await;
        let items = dataset(&done, "items");
        assert!(is_unavailable(items), "{what}");
        assert_eq!(fault(items).cause, FailureCause::Protocol, "{what}");
        // Whoever shows a page to sign in on has not let anybody in.
        let reached = if what == "HTML" { Rung::Http } else { Rung::Permission };
        assert_eq!(fault(items).reached, reached, "{what}");
        assert_eq!(server.count(), 1, "{what}");
    }
}

#[tokio::test]
async fn server_errors_are_retried_three_times() {
    let (server, done) = one("", |_| status(502)).await;
    let fault = fault(dataset(&done, "items"));
    assert_eq!((fault.cause, fault.status, server.count()), (FailureCause::Remote, Some(502), 4));
    assert_eq!(done.snapshot.cost.requests, 4);
    assert_eq!(done.snapshot.cost.retries, 3);
    // 1 s, 2 s and 4 s.
    assert_eq!((done.snapshot.finished_at - done.snapshot.started_at).0, 7000);
}

#[tokio::test]
async fn a_passing_server_error_leaves_no_trace() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let (_, done) = one("", move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 | 1 => status(503),
        _ => json(json!([{ "id": 1, "name": "a" }])),
    })
    .await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(done.snapshot.cost.retries, 2);
}

#[tokio::test]
async fn redirects_stay_within_the_origin() {
    let (server, done) = one("", |seen| match seen.path.as_str() {
        "/api/items" => status(302).with("location", "/api/v2/items"),
        _ => json(json!([{ "id": 1, "name": "a" }])),
    })
    .await;
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(server.paths(), ["/api/items", "/api/v2/items"]);

    let other = Server::start(|_| json(json!([{ "id": 1, "name": "a" }]))).await;
    let location = format!("{}/api/items", other.url);
    let (_, done) = one("", move |_| status(302).with("location", location.clone())).await;
    assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Protocol);
    assert_eq!(other.count(), 0);

    let (server, done) = one("", |_| status(302).with("location", "/api/items")).await;
    assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Protocol);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn announcements_become_warnings() {
    let (server, done) = one("", |_| {
        json(json!([])).with("deprecation", "@1688169599").with("sunset", "Thu, 31 Dec 2026 23:59:59 GMT")
    })
    .await;
    let request = format!("GET {}/api/items", server.url);
    let sunset_at = Timestamp::parse("2026-12-31T23:59:59Z");
    assert_eq!(done.snapshot.warnings, [Warning::Deprecated { request, sunset_at }]);
}

#[tokio::test]
async fn the_end_of_a_version_is_a_warning_a_fortnight_ahead() {
    let server = Server::start(|_| json(json!([]))).await;
    let warnings = async |days: i64| {
        let until = (server.clock.now() + Duration::days(days)).to_jiff().strftime("%Y-%m-%d").to_string();
        let base = r#"base = "/api""#;
        let toml = manifest(&listing("items", ITEMS, "")).replacen(
            base,
            &format!("{base}\nsupported_until = \"{until}\""),
            1,
        );
        let done = run(&app(&toml), &server).await;
        let at = Timestamp::parse(&until).expect("a date");
        (done.snapshot.warnings, Warning::VersionEnds { interface: server.url.clone(), at })
    };
    assert_eq!(warnings(20).await.0, []);
    for days in [10, -3] {
        let (told, expected) = warnings(days).await;
        assert_eq!(told, [expected], "{days} days ahead");
    }
}

#[tokio::test]
async fn missing_null_and_withheld_are_told_apart() {
    let toml = manifest(
        r#"
[[dataset]]
name = "settings"
title = "Settings"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/settings"
request = [{ path = "/settings" }]
field = [
  { name = "a", type = "bool" },
  { name = "b", type = "bool", null = "absent" },
  { name = "c", type = "bool", missing = { value = false } },
  { name = "d", type = "bool" },
  { name = "e", type = "string", path = "deep.er", missing = "absent" },
  { name = "f", type = "int" },
]
"#,
    );
    let server =
        Server::start(|_| json(json!({ "a": null, "b": null, "d": true, "deep": null, "f": "many" }))).await;
    let done = run(&app(&toml), &server).await;
    let unknown = json!({ "$unknown": true });
    assert_eq!(
        records(dataset(&done, "settings")),
        [json!({ "a": unknown, "b": null, "c": false, "d": true, "e": null, "f": unknown })]
    );
}

fn graphql(answer: &[(&str, &str)]) -> std::sync::Arc<catalog::App> {
    let rules: String = answer
        .iter()
        .map(|(kind, means)| {
            format!(r#"{{ status = [200], at = "errors.*.type", is = "{kind}", means = "{means}" }},"#)
        })
        .collect();
    let toml = manifest(&format!(
        r#"
[[dataset]]
name = "tenant"
title = "Tenant"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/tenant"
request = [{{ path = "/graphql", graphql = "t.graphql", variables = {{ tenant = "{{tenant}}" }}, records = "data.tenant" }}]
answer = [{rules}]
field = [
  {{ name = "name", type = "string" }},
  {{ name = "sso", type = "string", path = "sso.url", missing = "absent", null = "absent" }},
]
"#
    ));
    app_with(
        &toml,
        &[("t.graphql", "query T($tenant: String!) { tenant(name: $tenant) { name sso { url } } }")],
    )
}

#[tokio::test]
async fn a_graphql_null_with_an_error_is_unknown() {
    let app = graphql(&[("FORBIDDEN", "permission")]);
    let server = Server::start(|_| {
        json(json!({
            "data": { "tenant": { "name": "acme", "sso": null } },
            "errors": [{ "type": "FORBIDDEN", "path": ["tenant", "sso"], "message": "no" }],
        }))
    })
    .await;
    let done = run(&app, &server).await;
    let tenant = dataset(&done, "tenant");
    assert!(tenant.availability.is_complete());
    assert_eq!(records(tenant), [json!({ "name": "acme", "sso": { "$unknown": true } })]);

    // Without the error the same null is an answer.
    let server =
        Server::start(|_| json(json!({ "data": { "tenant": { "name": "acme", "sso": null } } }))).await;
    let done = run(&app, &server).await;
    assert_eq!(records(dataset(&done, "tenant")), [json!({ "name": "acme", "sso": null })]);
}

#[tokio::test]
async fn graphql_errors_are_never_an_empty_answer() {
    let app = graphql(&[("FORBIDDEN", "permission"), ("RATE", "throttled")]);
    let refused = json!({ "data": { "tenant": null }, "errors": [{ "type": "FORBIDDEN", "path": ["tenant"], "message": "no sight" }] });
    let cases = [
        (refused, FailureCause::Permission),
        (json!({ "errors": [{ "message": "Something went wrong" }] }), FailureCause::Protocol),
        (
            json!({ "data": null, "errors": [{ "message": "Something went wrong", "path": ["tenant"] }] }),
            FailureCause::Protocol,
        ),
        // An error that does not say what it is about.
        (
            json!({ "data": { "tenant": { "name": "acme", "sso": null } }, "errors": [{ "message": "timeout" }] }),
            FailureCause::Protocol,
        ),
        (json!({ "data": { "tenant": null } }), FailureCause::Protocol),
        (json!({}), FailureCause::Protocol),
    ];
    for (answer, cause) in cases {
        let text = answer.to_string();
        let server = Server::start(move |_| json(answer.clone())).await;
        let done = run(&app, &server).await;
        assert_eq!(fault(dataset(&done, "tenant")).cause, cause, "{text}");
    }
}

#[tokio::test]
async fn a_listing_may_be_an_object_whose_values_are_the_records() {
    let request = r#"{ path = "/items", records = "data.*" }"#;
    let read = async |answer: serde_json::Value| {
        let app = app(&manifest(&listing("items", request, "")));
        let server = Server::start(move |_| json(answer.clone())).await;
        run(&app, &server).await
    };
    let done = read(json!({"data": {"b": {"id": 2, "name": "b"}, "a": {"id": 1, "name": "a"}}})).await;
    let items = dataset(&done, "items");
    assert_eq!(items.availability, Availability::Complete);
    assert_eq!(items.records.len(), 2);
    let done = read(json!({"data": {}})).await;
    assert_eq!(dataset(&done, "items").availability, Availability::Complete);
    // Neither an object of something else nor no object at all is an empty listing.
    for wrong in [json!({"data": {"error": "no"}}), json!({"data": "no"}), json!({})] {
        let done = read(wrong.clone()).await;
        assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Protocol, "{wrong}");
    }
}
