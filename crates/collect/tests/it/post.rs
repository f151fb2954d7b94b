//! Reads by POST: fixed bodies with typed slots, ids in batches.

use std::sync::Arc;

use catalog::Catalog;
use model::scan::FailureCause;
use serde_json::{Value as Json, json};

use crate::support::*;

const PEOPLE: &str = r#"
[[dataset]]
name = "people"
title = "People"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/people"
key = "id"
request = [{ path = "/people" }]
field = [{ name = "id", type = "int" }, { name = "active", type = "bool" }, { name = "teams", type = "list<string>" }]
"#;

fn reading(request: &str) -> String {
    manifest(&format!("{PEOPLE}{}", listing("details", request, "").replace("required = [\"config\"]\n", "")))
}

/// An application as if it came with Parapet.
fn builtin(toml: &str) -> Arc<catalog::App> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("apps/test");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.toml"), toml).unwrap();
    std::fs::write(folder.join("onboarding.md"), "Ask somebody who knows the system for a token.\n").unwrap();
    let loaded = Catalog::of_folder(dir.path());
    loaded.catalog.apps.get(&"test".into()).cloned().unwrap_or_else(|| {
        panic!("{}", loaded.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn people() -> Json {
    json!([
        { "id": 1, "active": true, "teams": ["a", "b"] },
        { "id": 2, "active": false, "teams": ["b"] },
        { "id": 3, "active": true, "teams": ["c", "a"] },
    ])
}

/// The bodies that came, where the server gives an item for each id of a body.
async fn bodies(request: &str) -> (Vec<Json>, Box<collect::Done>) {
    let app = builtin(&reading(request));
    let server = Server::start(|seen| {
        if seen.path == "/api/people" {
            return json(people());
        }
        assert_eq!((seen.method.as_str(), seen.header("content-type")), ("POST", Some("application/json")));
        let body = seen.json();
        let count = body["ids"].as_array().map_or(1, Vec::len);
        let first = body["ids"][0].as_i64().or(body["id"].as_i64()).unwrap_or(7);
        json(Json::Array((0..count as i64).map(|n| json!({ "id": first * 10 + n, "name": "x" })).collect()))
    })
    .await;
    let done = run(&app, &server).await;
    let seen = server.seen.lock().unwrap();
    let mut bodies: Vec<Json> = seen.iter().filter(|s| s.path == "/api/details").map(Seen::json).collect();
    bodies.sort_by_key(Json::to_string);
    (bodies, done)
}

#[tokio::test]
async fn ids_go_in_batches() {
    let request = r#"{ path = "/details", post = { ids = "{each}", view = "full", deep = { n = 1 } }, for_each = { dataset = "people", batch = 2 } }"#;
    let (sent, done) = bodies(request).await;
    let body = |ids: Json| json!({ "ids": ids, "view": "full", "deep": { "n": 1 } });
    assert_eq!(sent, [body(json!([1, 2])), body(json!([3]))]);
    assert!(dataset(&done, "details").availability.is_complete());
    assert_eq!(ids(dataset(&done, "details")), [10, 11, 30]);
    assert!(dataset(&done, "details").request.starts_with("POST "));
    // Only those that matter, and each value once.
    let request = r#"{ path = "/details", post = { ids = "{each}" }, for_each = { dataset = "people", batch = 9, values_of = "teams", where = "active" } }"#;
    let (sent, _) = bodies(request).await;
    assert_eq!(sent, [json!({ "ids": ["a", "b", "c"] })]);
}

#[tokio::test]
async fn slots_keep_their_type() {
    let request = r#"{ path = "/details", post = { id = "{each.id}", only = ["{each.active}", "{tenant}", "plain"] }, for_each = { dataset = "people", where = "active" } }"#;
    let (sent, _) = bodies(request).await;
    assert_eq!(
        sent,
        [
            json!({ "id": 1, "only": [true, "acme", "plain"] }),
            json!({ "id": 3, "only": [true, "acme", "plain"] })
        ]
    );
}

#[tokio::test]
async fn an_id_that_is_not_known_is_a_gap() {
    let request =
        r#"{ path = "/details", post = { ids = "{each}" }, for_each = { dataset = "people", batch = 2 } }"#;
    let app = builtin(&reading(request));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/people" => json(json!([{ "id": 1 }, { "id": "not a number" }])),
        _ => json(json!([{ "id": 1, "name": "x" }])),
    })
    .await;
    let done = run(&app, &server).await;
    let details = dataset(&done, "details");
    assert_eq!((fault(details).cause, ids(details)), (FailureCause::Protocol, vec![1]));
}

#[tokio::test]
async fn a_post_is_not_led_elsewhere() {
    let request = r#"{ path = "/details", post = { view = "full" } }"#;
    let app = builtin(&reading(request));
    let server = Server::start(|seen| match seen.path.as_str() {
        "/api/people" => json(people()),
        _ => status(307).with("location", "/api/elsewhere"),
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!(fault(dataset(&done, "details")).cause, FailureCause::Protocol);
    assert!(!server.paths().iter().any(|p| p.ends_with("elsewhere")));
}

/// An operator's own folder sends what the operator has allowed, to the letter, and nothing else.
#[tokio::test]
async fn a_folder_of_ones_own_posts_where_it_may() {
    let request = r#"{ path = "/details", post = { view = "full" } }"#;
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("apps/test");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("app.toml"), reading(request)).unwrap();
    std::fs::write(own.join("onboarding.md"), "Ask somebody who knows the system for a token.\n").unwrap();
    let load = |allowed: &[(&str, &str)]| {
        let pairs = allowed.iter().map(|(app, path)| ((*app).to_owned(), (*path).to_owned()));
        Catalog::load_allowing(&[folder.path().to_owned()], &pairs.collect())
    };
    let line = reading(request).lines().position(|line| line.contains("post =")).unwrap() + 1;
    for allowed in [&[][..], &[("test", "/detail")], &[("test", "/details/")], &[("other", "/details")]] {
        let loaded = load(allowed);
        assert!(!loaded.catalog.apps.contains_key(&"test".into()), "{allowed:?}");
        let [error] = &loaded.errors[..] else { panic!("{:?}", loaded.errors) };
        assert_eq!((error.file.clone(), error.line), (own.join("app.toml"), line));
        let told = error.to_string();
        for part in [
            "`details`",
            "nobody has allowed",
            "`test = [\"/details\"]`",
            "`[allow_post]`",
            "--allow-post 'test=/details'",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let loaded = load(&[("test", "/details"), ("test", "/gone"), ("okta", "/details"), ("nobody", "/x")]);
    assert_eq!(loaded.errors, []);
    let app = Arc::clone(&loaded.catalog.apps[&"test".into()]);
    assert_eq!(app.allowed_posts().into_iter().collect::<Vec<_>>(), [("main", "/details")]);
    let server = Server::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/api/people") => json(people()),
        ("POST", "/api/details") => json(json!([{ "id": 1, "name": "x" }])),
        _ => status(404),
    })
    .await;
    let done = run(&app, &server).await;
    assert!(dataset(&done, "details").availability.is_complete());
}

/// What is allowed and not asked for is told: a slip of the hand, or something that was allowed once.
#[test]
fn what_is_allowed_in_vain_is_told() {
    let pairs = [("okta", "/details"), ("nobody", "/x")].map(|(app, path)| (app.to_owned(), path.to_owned()));
    let allowed: catalog::AllowedPosts = pairs.into_iter().collect();
    let unused = allowed.unused(&Catalog::builtin().catalog);
    assert_eq!(unused.len(), 2);
    assert!(
        unused[0].contains("no application `nobody`") && unused[1].contains("`okta` comes with Parapet"),
        "{unused:?}"
    );
}
