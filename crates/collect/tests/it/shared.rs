//! What several datasets of a run ask for word for word is asked for once.

use serde_json::json;

use crate::support::*;

const DOCUMENT: &str = "query People($after: String) {
  people(first: 2, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { role node { id } }
    nodes { login address }
  }
}";

const DATASETS: &str = r#"
[[dataset]]
name = "people"
title = "People"
scans = ["config"]
required = ["config"]
permission = { token = ["people:read"] }
docs = "https://docs.example.com/people"
key = "id"
request = [{ path = "/graphql", graphql = "people.graphql", records = "data.people.edges", paging = { kind = "graphql", at = "data.people.pageInfo" }, paths = { id = "node.id" } }]
field = [{ name = "id", type = "int" }, { name = "role", type = "string" }]

[[dataset]]
name = "addresses"
title = "Addresses"
scans = ["config"]
permission = { token = ["addresses:read"] }
docs = "https://docs.example.com/people"
key = "login"
request = [{ path = "/graphql", graphql = "people.graphql", records = "data.people.nodes", paging = { kind = "graphql", at = "data.people.pageInfo" } }]
field = [{ name = "login", type = "string" }, { name = "address", type = "string" }]
"#;

fn page(first: i64, next: Option<&str>) -> serde_json::Value {
    let of = |n: i64| {
        (
            json!({ "role": "member", "node": { "id": n } }),
            json!({ "login": format!("p{n}"), "address": format!("p{n}@example.com") }),
        )
    };
    let ((edge, node), (edge2, node2)) = (of(first), of(first + 1));
    json!({ "data": { "people": { "pageInfo": { "hasNextPage": next.is_some(), "endCursor": next },
        "edges": [edge, edge2], "nodes": [node, node2] } } })
}

#[tokio::test]
async fn one_document_for_two_datasets_is_sent_once_a_page() {
    let server = Server::start(|seen| {
        json(match seen.json()["variables"]["after"].as_str() {
            None => page(1, Some("b")),
            Some("b") => page(3, Some("c")),
            _ => page(5, None),
        })
    })
    .await;
    let app = app_with(&manifest(DATASETS), &[("people.graphql", DOCUMENT)]);
    let done = run(&app, &server).await;
    assert_eq!(ids(dataset(&done, "people")), [1, 2, 3, 4, 5, 6]);
    assert_eq!(records(dataset(&done, "addresses")).len(), 6);
    assert!(!is_partial(dataset(&done, "people")) && !is_partial(dataset(&done, "addresses")));
    assert_eq!(server.count(), 3, "{:?}", server.paths());
}

#[tokio::test]
async fn each_judges_the_answer_by_what_it_reads() {
    let server = Server::start(|_| {
        let mut page = page(1, None);
        page["data"]["people"]["nodes"][1] = serde_json::Value::Null;
        page["errors"] =
            json!([{ "type": "FORBIDDEN", "path": ["people", "nodes", 1, "address"], "message": "No." }]);
        json(page)
    })
    .await;
    let app = app_with(&manifest(DATASETS), &[("people.graphql", DOCUMENT)]);
    let done = run(&app, &server).await;
    assert_eq!(ids(dataset(&done, "people")), [1, 2]);
    assert!(!is_partial(dataset(&done, "people")), "what is withheld beside it is not its");
    assert!(is_partial(dataset(&done, "addresses")), "an address was withheld");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn an_answer_that_one_cannot_use_is_asked_for_again() {
    let server = Server::start(|_| status(403)).await;
    let app = app_with(&manifest(DATASETS), &[("people.graphql", DOCUMENT)]);
    let done = run(&app, &server).await;
    for (name, needs) in [("people", "people:read"), ("addresses", "addresses:read")] {
        let fault = fault(dataset(&done, name));
        assert_eq!((fault.dataset.as_deref(), fault.needs.as_slice()), (Some(name), &[needs.to_owned()][..]));
    }
    assert_eq!(server.count(), 2);
}
