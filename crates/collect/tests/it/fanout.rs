//! Requests for each record of another dataset, alternatives, filtered listings, and sweeps over many runs.

use std::collections::BTreeMap;

use collect::Sweep;
use model::dataset::Availability;
use model::scan::FailureCause;
use model::time::Duration;
use serde_json::{Value as Json, json};

use crate::support::*;

const REPOS: &str = r#"
[[dataset]]
name = "repos"
title = "Repositories"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/repos"
key = "name"
request = [{ path = "/repos" }]
field = [{ name = "name", type = "string" }, { name = "archived", type = "bool" }, { name = "topics", type = "list<string>" }]
"#;

fn hooks(more: &str) -> String {
    format!(
        r#"{REPOS}
[[dataset]]
name = "hooks"
title = "Hooks"
scans = ["config"]
docs = "https://docs.example.com/hooks"
key = "id"
{more}
request = [{{ path = "/repos/{{tenant}}/{{each.name}}/hooks", for_each = {{ dataset = "repos", where = "!archived" }} }}]
field = [{{ name = "id", type = "int" }}, {{ name = "repo", type = "string", each = "name" }}, {{ name = "url", type = "string" }}]
"#
    )
}

fn repo(name: &str, archived: Json) -> Json {
    json!({ "name": name, "archived": archived, "topics": ["x", name] })
}

fn hook(seen: &Seen) -> Answer {
    let repo = seen.path.split('/').nth(4).unwrap_or_default();
    let id: u64 = repo.bytes().map(u64::from).sum();
    json(json!([{ "id": id, "url": "https://h.example/" }]))
}

#[tokio::test]
async fn each_record_is_walked_unless_it_is_known_not_to_matter() {
    let app = app(&manifest(&hooks("")));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(json!([
            repo("a", json!(false)),
            repo("b", json!(true)),
            repo("c", Json::Null),
            repo("d e/f?", json!(false)),
        ])),
        _ => hook(seen),
    })
    .await;
    let done = run(&app, &server).await;
    let hooks = dataset(&done, "hooks");
    assert!(hooks.availability.is_complete());
    let repos: Vec<Json> = records(hooks).iter().map(|r| r["repo"].clone()).collect();
    assert_eq!(repos, ["a", "c", "d e/f?"]);
    let mut paths = server.paths();
    paths.sort();
    assert_eq!(
        paths,
        [
            "/api/repos",
            "/api/repos/acme/a/hooks",
            "/api/repos/acme/c/hooks",
            "/api/repos/acme/d%20e%2Ff%3F/hooks"
        ]
    );
    assert_eq!(hooks.requests, 3);
}

#[tokio::test]
async fn a_value_cannot_climb_out_of_its_segment() {
    let app = app(&manifest(&hooks("")));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(json!([repo("..", json!(false)), repo("a", json!(false))])),
        _ => hook(seen),
    })
    .await;
    let done = run(&app, &server).await;
    assert!(is_partial(dataset(&done, "hooks")));
    assert!(server.paths().iter().all(|p| p.starts_with("/api/repos")), "{:?}", server.paths());
}

#[tokio::test]
async fn a_failed_turn_makes_a_part_and_many_end_the_attempts() {
    let app = app(&manifest(&hooks("")));
    let names: Vec<Json> = (0..40).map(|n| repo(&format!("r{n}"), json!(false))).collect();
    let all = names.clone();
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/api/repos" => json(Json::Array(all.clone())),
        path if path.contains("/r7/") => error(403, "not this one"),
        _ => hook(seen),
    })
    .await;
    let done = run(&app, &server).await;
    let hooks = dataset(&done, "hooks");
    assert!(is_partial(hooks));
    assert_eq!(fault(hooks).cause, FailureCause::Permission);
    // r7's is missing, and ids of the same sum are one hook of two repositories: a contradiction is kept out.
    assert!(hooks.records.len() > 5);

    let server = Server::start(move |seen| match seen.path.as_str() {
        "/api/repos" => json(Json::Array(names.clone())),
        _ => error(403, "none"),
    })
    .await;
    let done = run(&app, &server).await;
    assert!(is_unavailable(dataset(&done, "hooks")));
    assert!(server.count() < 20, "{}", server.count());
}

#[tokio::test]
async fn what_cannot_be_walked_cannot_be_read() {
    let app = app(&manifest(&hooks("")));
    let server = Server::start(|_| error(403, "no repositories for you")).await;
    let done = run(&app, &server).await;
    let hooks = dataset(&done, "hooks");
    assert_eq!(fault(hooks).cause, FailureCause::Permission);
    assert!(fault(hooks).detail.contains("Repositories"), "{}", fault(hooks).detail);
    assert_eq!(server.count(), 1);

    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(json!([])),
        _ => hook(seen),
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!(dataset(&done, "hooks").availability, Availability::Complete);
}

#[tokio::test]
async fn distinct_values_of_a_list() {
    let toml = format!(
        r#"{REPOS}
[[dataset]]
name = "topics"
title = "Topics"
scans = ["config"]
docs = "https://docs.example.com/topics"
key = "name"
request = [{{ path = "/topics/{{each}}", for_each = {{ dataset = "repos", values_of = "topics" }} }}]
field = [{{ name = "name", type = "string", each = "." }}, {{ name = "size", type = "int" }}]
"#
    );
    let app = app(&manifest(&toml));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(json!([repo("a", json!(false)), repo("b", json!(false))])),
        _ => json(json!({ "size": 3 })),
    })
    .await;
    let done = run(&app, &server).await;
    let names: Vec<Json> = records(dataset(&done, "topics")).iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, ["x", "a", "b"]);
}

const PEOPLE: &str = r#"
[[dataset]]
name = "people"
title = "People"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/people"
key = "id"
request = [
  { path = "/graph", records = "nodes", paths = { name = "profile.login" }, set = { source = "graph" }, alternative = "graph" },
  { path = "/people", query = { role = "admin" }, set = { source = "rest", role = "ADMIN" }, alternative = "rest" },
  { path = "/people", query = { role = "member" }, set = { source = "rest", role = "MEMBER" }, alternative = "rest" },
]
field = [{ name = "id", type = "int" }, { name = "name", type = "string" }, { name = "role", type = "string" }, { name = "source", type = "string" }]

[[dataset]]
name = "weak"
title = "Weak"
scans = ["config"]
docs = "https://docs.example.com/people"
key = "id"
filter_of = "people"
request = [{ path = "/people", query = { filter = "weak" } }]
field = [{ name = "id", type = "int" }]
"#;

fn people(seen: &Seen) -> Answer {
    match (seen.q("role"), seen.q("filter")) {
        (Some("admin"), _) => json(json!([{ "id": 1, "name": "ada" }])),
        (Some("member"), _) => json(json!([{ "id": 2, "name": "alan" }])),
        _ => json(json!([{ "id": 2 }])),
    }
}

#[tokio::test]
async fn alternatives_are_tried_until_one_is_not_refused() {
    let app = app(&manifest(PEOPLE));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/graph" => {
            json(json!({ "nodes": [{ "id": 1, "profile": { "login": "ada" }, "role": "ADMIN" }] }))
        }
        _ => people(seen),
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!(
        records(dataset(&done, "people")),
        [json!({ "id": 1, "name": "ada", "role": "ADMIN", "source": "graph" })]
    );

    for refusal in [404, 403] {
        let server = Server::start(move |seen| match seen.path.as_str() {
            "/api/graph" => error(refusal, "no"),
            _ => people(seen),
        })
        .await;
        let done = run(&app, &server).await;
        let people = dataset(&done, "people");
        assert!(people.availability.is_complete());
        assert_eq!(
            records(people),
            [
                json!({ "id": 1, "name": "ada", "role": "ADMIN", "source": "rest" }),
                json!({ "id": 2, "name": "alan", "role": "MEMBER", "source": "rest" }),
            ]
        );
        assert_eq!(ids(dataset(&done, "weak")), [2]);
    }

    // A fault of the moment is none: the other way would give another picture every time.
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/graph" => status(500),
        _ => people(seen),
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!(fault(dataset(&done, "people")).cause, FailureCause::Remote);

    let server = Server::start(|seen| error(if seen.path == "/api/graph" { 404 } else { 403 }, "no")).await;
    let done = run(&app, &server).await;
    assert_eq!(fault(dataset(&done, "people")).cause, FailureCause::Permission);
}

#[tokio::test]
async fn an_ignored_filter_is_noticed() {
    let app = app(&manifest(PEOPLE));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/graph" => json(json!({ "nodes": [{ "id": 1 }, { "id": 2 }] })),
        _ => json(json!([{ "id": 2, "name": "alan" }, { "id": 1, "name": "ada" }])),
    })
    .await;
    let done = run(&app, &server).await;
    let weak = dataset(&done, "weak");
    assert!(is_unavailable(weak));
    assert!(weak.records.is_empty());
    assert!(fault(weak).detail.contains("ignored the filter"));
}

#[tokio::test]
async fn what_this_deployment_lacks_is_not_asked_for() {
    let app = app(&manifest(&listing("items", r#"{ path = "/items" }"#, "")).replace(
        "[identity]",
        "[[deployment]]\nid = \"other\"\ntitle = \"Elsewhere\"\nconsole = \"https://c.example.com\"\n[deployment.hosts.main]\norigin = \"https://a.example.com\"\n\n[identity]",
    ).replace("key = \"id\"", "key = \"id\"\ndeployments = [\"other\"]"));
    let server = Server::start(|_| json(json!([]))).await;
    let done = run(&app, &server).await;
    assert!(matches!(dataset(&done, "items").availability, Availability::NotApplicable { .. }));
    assert_eq!(server.count(), 0);
}

/// One run with what the run before kept.
async fn sweep_run(
    app: &std::sync::Arc<catalog::App>,
    server: &Server,
    kept: BTreeMap<String, Sweep>,
    share: u32,
) -> Box<collect::Done> {
    // As it is stored.
    let text = serde_json::to_string(&kept).unwrap();
    let mut request = request();
    request.deadline = collect::Clock::now(&server.clock) + Duration::hours(3);
    request.reuse = serde_json::from_str(&text).unwrap();
    request.sweep_requests = share;
    run_with(app, server, &token(), request).await
}

#[tokio::test]
async fn a_sweep_advances_across_runs_and_then_refreshes_what_is_old() {
    let app = app(&manifest(&hooks("refresh_hours = 24")));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(Json::Array((0..5).map(|n| repo(&format!("r{n}"), json!(false))).collect())),
        _ => hook(seen),
    })
    .await;
    let first = sweep_run(&app, &server, BTreeMap::new(), 2).await;
    assert_eq!(dataset(&first, "hooks").availability, Availability::Sweeping { read: 2, of: 5 });
    server.clock.advance(Duration::hours(1));
    let second = sweep_run(&app, &server, first.sweeps, 2).await;
    assert_eq!(dataset(&second, "hooks").availability, Availability::Sweeping { read: 4, of: 5 });
    server.clock.advance(Duration::hours(1));
    let third = sweep_run(&app, &server, second.sweeps, 2).await;
    let hooks = dataset(&third, "hooks");
    assert_eq!((&hooks.availability, hooks.records.len()), (&Availability::Complete, 5));
    // As old as its oldest part.
    assert_eq!(hooks.collected_at, START);
    assert_eq!(server.count(), 3 + 5);

    // Nothing is due until the first is a day old.
    server.clock.advance(Duration::hours(1));
    let fourth = sweep_run(&app, &server, third.sweeps, 2).await;
    assert!(dataset(&fourth, "hooks").availability.is_complete());
    assert_eq!(server.count(), 4 + 5);
    server.clock.advance(Duration::hours(21));
    let fifth = sweep_run(&app, &server, fourth.sweeps, 20).await;
    assert_eq!(server.count(), 5 + 5 + 2);
    assert_eq!(dataset(&fifth, "hooks").collected_at, START + Duration::hours(1));
}

#[tokio::test]
async fn a_manifest_may_allow_more_of_a_sweep_at_once() {
    let text = manifest(&hooks("refresh_hours = 24"));
    let text = text.replace("[identity]", "[limits]\nsweep_requests = 3\n\n[identity]");
    let app = app(&text);
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/repos" => json(Json::Array((0..5).map(|n| repo(&format!("r{n}"), json!(false))).collect())),
        _ => hook(seen),
    })
    .await;
    for (asked, read) in [(2, 3), (4, 4), (0, 0)] {
        let done = sweep_run(&app, &server, BTreeMap::new(), asked).await;
        assert_eq!(dataset(&done, "hooks").availability, Availability::Sweeping { read, of: 5 });
    }
}

#[tokio::test]
async fn a_sweep_forgets_what_is_gone_and_asks_on_condition() {
    let app = app(&manifest(&hooks("refresh_hours = 1")));
    let server = Server::start(|seen| match (seen.path.as_str(), seen.header("if-none-match")) {
        ("/api/repos", _) => json(json!([repo("a", json!(false)), repo("b", json!(seen.q("x").is_some()))])),
        (_, Some("\"v1\"")) => status(304),
        _ => hook(seen).with("etag", "\"v1\""),
    })
    .await;
    let first = sweep_run(&app, &server, BTreeMap::new(), 10).await;
    server.clock.advance(Duration::hours(2));
    let second = sweep_run(&app, &server, first.sweeps, 10).await;
    let hooks = dataset(&second, "hooks");
    assert!(hooks.availability.is_complete());
    assert_eq!(hooks.records.len(), 2);
    assert_eq!(hooks.collected_at, START + Duration::hours(2));
    assert_eq!(second.sweeps["hooks"].len(), 2);

    let smaller = Server::start(|_| json(json!([repo("a", json!(false))]))).await;
    smaller.clock.advance(Duration::hours(2));
    let third = sweep_run(&app, &smaller, second.sweeps, 10).await;
    assert_eq!(third.sweeps["hooks"].len(), 1);
    assert_eq!(dataset(&third, "hooks").records.len(), 1);
}

#[tokio::test]
async fn a_failed_sweep_is_a_fault_and_keeps_what_it_had() {
    let app = app(&manifest(&hooks("refresh_hours = 1")));
    let repos = || json(json!([repo("a", json!(false)), repo("b", json!(false))]));
    let server =
        Server::start(move |seen| if seen.path == "/api/repos" { repos() } else { hook(seen) }).await;
    let first = sweep_run(&app, &server, BTreeMap::new(), 10).await;
    let broken =
        Server::start(move |seen| if seen.path == "/api/repos" { repos() } else { error(403, "no") }).await;
    broken.clock.advance(Duration::hours(2));
    let second = sweep_run(&app, &broken, first.sweeps, 10).await;
    let hooks = dataset(&second, "hooks");
    assert!(is_partial(hooks));
    assert_eq!((fault(hooks).cause, hooks.records.len()), (FailureCause::Permission, 2));
    assert_eq!(second.sweeps["hooks"].len(), 2);
}

#[tokio::test]
async fn a_sweep_leaves_the_vendors_budget_to_others() {
    let toml = format!(
        "[throttle]\nlimit_header = \"x-limit\"\nremaining_header = \"x-left\"\n{}",
        hooks("refresh_hours = 1")
    );
    let app = app(&manifest(&toml));
    let server = Server::start(|seen| {
        let answer = match seen.path.as_str() {
            "/api/repos" => json(json!([repo("a", json!(false))])),
            _ => hook(seen),
        };
        answer.with("x-limit", "100").with("x-left", "25")
    })
    .await;
    let done = sweep_run(&app, &server, BTreeMap::new(), 10).await;
    assert_eq!(dataset(&done, "hooks").availability, Availability::Sweeping { read: 0, of: 1 });
    assert_eq!(server.count(), 1);
}
