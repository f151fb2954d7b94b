//! Every way of paging, and servers that contradict themselves.

use model::scan::FailureCause;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::*;

fn item(id: usize) -> Json {
    json!({ "id": id, "name": format!("n{id}") })
}

/// The items of a page that begins at `from`.
fn items(from: usize, size: usize, all: usize) -> Vec<Json> {
    (from..all.min(from + size)).map(item).collect()
}

fn number(seen: &Seen, name: &str, default: usize) -> usize {
    seen.q(name).map_or(default, |v| v.parse().unwrap())
}

async fn read(
    paging: &str,
    records: &str,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> (Server, Vec<i64>, Option<FailureCause>) {
    let request = format!(r#"{{ path = "/items", records = "{records}", paging = {paging} }}"#);
    let app = app(&manifest(&listing("items", &request, "")));
    let server = Server::start(answer).await;
    let done = run(&app, &server).await;
    let items = dataset(&done, "items");
    let cause = items.availability.fault().map(|f| f.cause);
    (server, ids(items), cause)
}

#[tokio::test]
async fn links() {
    let (server, ids, cause) = read(r#"{ kind = "link" }"#, "", |seen| {
        let page = number(seen, "page", 1);
        let answer = json(Json::Array(items((page - 1) * 2, 2, 5)));
        if page < 3 {
            answer.with("link", format!(r#"</api/items?page={}>; rel="next""#, page + 1))
        } else {
            answer
        }
    })
    .await;
    assert_eq!((ids, cause, server.count()), (vec![0, 1, 2, 3, 4], None, 3));
}

#[tokio::test]
async fn next_addresses() {
    let (_, ids, cause) = read(r#"{ kind = "next_url", at = "@odata.nextLink" }"#, "value", |seen| {
        let page = number(seen, "page", 1);
        let next = (page < 3).then(|| format!("?page={}", page + 1));
        json(json!({ "value": items((page - 1) * 2, 2, 5), "@odata.nextLink": next }))
    })
    .await;
    assert_eq!((ids, cause), (vec![0, 1, 2, 3, 4], None));
}

#[tokio::test]
async fn cursors() {
    let (_, ids, cause) =
        read(r#"{ kind = "cursor", at = "meta.next", param = "cursor" }"#, "members", |seen| {
            let from = seen.q("cursor").map_or(0, |c| c.trim_start_matches("c=").parse().unwrap());
            let next = if from + 2 < 5 { format!("c={}", from + 2) } else { String::new() };
            json(json!({ "members": items(from, 2, 5), "meta": { "next": next } }))
        })
        .await;
    assert_eq!((ids, cause), (vec![0, 1, 2, 3, 4], None));
}

#[tokio::test]
async fn numbered_pages() {
    let paging = r#"{ kind = "page", param = "page", size_param = "per_page", size = 2 }"#;
    let (server, ids, cause) = read(paging, "", |seen| {
        assert_eq!(seen.q("per_page"), Some("2"));
        json(Json::Array(items((number(seen, "page", 0) - 1) * 2, 2, 5)))
    })
    .await;
    assert_eq!((ids, cause, server.count()), (vec![0, 1, 2, 3, 4], None, 3));
}

#[tokio::test]
async fn offsets_begin_bare_and_go_on_only_when_there_is_more() {
    let paging = r#"{ kind = "offset", param = "startIndex", start = 1, size = 100, total_at = "totalResults", bare_first = true }"#;
    for all in [0, 2, 5] {
        let (server, ids, cause) = read(paging, "Resources", move |seen| {
            let from = number(seen, "startIndex", 1) - 1;
            assert_eq!(seen.query.is_empty(), from == 0);
            json(json!({ "totalResults": all, "Resources": items(from, 2, all) }))
        })
        .await;
        assert_eq!((ids.len(), cause), (all, None));
        assert_eq!(server.count(), all.div_ceil(2).max(1));
    }
}

#[tokio::test]
async fn offsets_without_a_total_go_on_to_the_first_empty_page() {
    let paging = r#"{ kind = "offset", param = "offset", size_param = "limit", size = 100 }"#;
    // The server gives two at once, whatever is asked for: a short page is not the end.
    for all in [0, 2, 5] {
        let (server, ids, cause) = read(paging, "", move |seen| {
            assert_eq!(seen.q("limit"), Some("100"));
            json(Json::Array(items(number(seen, "offset", 0), 2, all)))
        })
        .await;
        assert_eq!((ids.len(), cause), (all, None));
        assert_eq!(server.count(), all.div_ceil(2) + 1);
    }
    // A server that does not know the parameter gives the same page for ever.
    let (_, ids, cause) = read(paging, "", |_| json(Json::Array(items(0, 2, 5)))).await;
    assert_eq!((ids, cause), (vec![0, 1], Some(FailureCause::Protocol)));
}

#[tokio::test]
async fn what_was_read_before_a_fault_is_kept_as_part() {
    let (_, ids, cause) = read(r#"{ kind = "link" }"#, "", |seen| match number(seen, "page", 1) {
        1 => json(Json::Array(items(0, 2, 5))).with("link", r#"</api/items?page=2>; rel="next""#),
        _ => error(404, "gone"),
    })
    .await;
    assert_eq!((ids, cause), (vec![0, 1], Some(FailureCause::Protocol)));
}

#[tokio::test]
async fn endless_listings_end() {
    // A new address every time.
    let endless = |seen: &Seen| {
        let page = number(seen, "page", 1);
        json(Json::Array(vec![item(page)]))
            .with("link", format!(r#"</api/items?page={}>; rel="next""#, page + 1))
    };
    let app = app(&manifest(&format!(
        "[limits]\npages = 7\n{}",
        listing("items", r#"{ path = "/items", paging = { kind = "link" } }"#, "")
    )));
    let server = Server::start(endless).await;
    let done = run(&app, &server).await;
    let items = dataset(&done, "items");
    assert!(is_partial(items));
    assert_eq!(fault(items).cause, FailureCause::Protocol);
    assert!(fault(items).detail.contains("7 pages"), "{}", fault(items).detail);
    assert_eq!(server.count(), 7);
}

#[tokio::test]
async fn circles_end() {
    let (server, _, cause) = read(r#"{ kind = "link" }"#, "", |seen| {
        let page = number(seen, "page", 0);
        json(json!([])).with("link", format!(r#"</api/items?page={}>; rel="next""#, (page + 1) % 3))
    })
    .await;
    assert_eq!(cause, Some(FailureCause::Protocol));
    assert!(server.count() <= 4);
}

#[tokio::test]
async fn foreign_next_links_are_not_followed() {
    let other = Server::start(|_| json(json!([]))).await;
    let link = format!(r#"<{}/api/items?page=2>; rel="next""#, other.url);
    let (_, ids, cause) =
        read(r#"{ kind = "link" }"#, "", move |_| json(json!([item(1)])).with("link", link.clone())).await;
    assert_eq!((ids, cause), (vec![1], Some(FailureCause::Protocol)));
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn graphql_connections() {
    let dataset_toml = r#"
[[dataset]]
name = "people"
title = "People"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/people"
key = "id"
request = [{ path = "/graphql", graphql = "people.graphql", variables = { tenant = "{tenant}" }, records = "data.tenant.people.nodes", paging = { kind = "graphql", at = "data.tenant.people.pageInfo" } }]
field = [{ name = "id", type = "int" }, { name = "name", type = "string" }, { name = "teams", type = "list<string>", path = "teams.nodes", transform = [{ pluck = "name" }], incomplete_at = "teams.pageInfo.hasNextPage" }]
"#;
    let document = "query People($tenant: String!, $after: String) { tenant(name: $tenant) { people(first: 2, after: $after) { pageInfo { hasNextPage endCursor } nodes { id name teams(first: 1) { pageInfo { hasNextPage } nodes { name } } } } } }";
    let app = app_with(&manifest(dataset_toml), &[("people.graphql", document)]);
    let server = Server::start(|seen| {
        let sent = seen.json();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/api/graphql"));
        assert_eq!(sent["variables"]["tenant"], "acme");
        let from: usize = sent["variables"]["after"].as_str().map_or(0, |c| c.parse().unwrap());
        let nodes: Vec<Json> = (from..5.min(from + 2))
            .map(|id| json!({ "id": id, "name": "x", "teams": { "nodes": [{ "name": "t" }], "pageInfo": { "hasNextPage": id == 3 } } }))
            .collect();
        let info = json!({ "hasNextPage": from + 2 < 5, "endCursor": (from + 2).to_string() });
        json(json!({ "data": { "tenant": { "people": { "pageInfo": info, "nodes": nodes } } } }))
    })
    .await;
    let done = run(&app, &server).await;
    let people = dataset(&done, "people");
    assert!(people.availability.is_complete());
    assert_eq!(ids(people), [0, 1, 2, 3, 4]);
    assert_eq!(records(people)[3]["teams"], json!({ "$incomplete": ["t"] }));
    assert_eq!(records(people)[4]["teams"], json!(["t"]));
}

#[tokio::test]
async fn records_that_move_between_pages_are_there_once() {
    let (_, ids, cause) = read(r#"{ kind = "link" }"#, "", |seen| match number(seen, "page", 1) {
        1 => json(json!([item(1), item(2)])).with("link", r#"</api/items?page=2>; rel="next""#),
        _ => json(json!([{ "id": 2, "name": "renamed meanwhile" }, item(3)])),
    })
    .await;
    assert_eq!((ids, cause), (vec![1, 2, 3], None));
}

/// A server that answers pages by a script of arbitrary moves.
#[derive(Debug, Clone)]
struct Move {
    count: usize,
    next: Option<String>,
    total: Option<u64>,
    status: u16,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let next = prop_oneof![
        Just(None),
        (0..6u8).prop_map(|n| Some(format!("/api/items?page={n}"))),
        Just(Some("https://elsewhere.example/".to_owned())),
        Just(Some("::::".to_owned())),
        Just(Some(String::new())),
    ];
    let one = (
        0..4usize,
        next,
        proptest::option::of(0..20u64),
        prop_oneof![9 => Just(200u16), 1 => Just(404), 1 => Just(302)],
    )
        .prop_map(|(count, next, total, status)| Move { count, next, total, status });
    proptest::collection::vec(one, 1..6)
}

const PAGINGS: [&str; 7] = [
    r#"{ kind = "none" }"#,
    r#"{ kind = "link" }"#,
    r#"{ kind = "next_url", at = "next" }"#,
    r#"{ kind = "cursor", at = "next", param = "cursor" }"#,
    r#"{ kind = "page", param = "page", size = 3, total_at = "total" }"#,
    r#"{ kind = "offset", param = "offset", size = 3, total_at = "total" }"#,
    r#"{ kind = "offset", param = "offset", size = 3 }"#,
];

/// One runtime, one client and the applications, for all cases: each costs more to make than a case to run.
struct Bench {
    runtime: tokio::runtime::Runtime,
    outbound: collect::Outbound,
    apps: Vec<std::sync::Arc<catalog::App>>,
}

static BENCH: std::sync::LazyLock<Bench> = std::sync::LazyLock::new(|| Bench {
    runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
    outbound: outbound(),
    apps: PAGINGS
        .iter()
        .map(|paging| {
            let request = format!(r#"{{ path = "/items", records = "items", paging = {paging} }}"#);
            app(&manifest(&format!(
                "[limits]\npages = 20\nrequests = 30\n{}",
                listing("items", &request, "")
            )))
        })
        .collect(),
});

async fn ends_within_budget(script: Vec<Move>, app: &std::sync::Arc<catalog::App>) {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let n = turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let step = &script[n % script.len()];
        let items: Vec<Json> = (0..step.count).map(|i| item(n * 10 + i)).collect();
        let mut answer = json(json!({ "items": items, "next": step.next, "total": step.total }));
        answer.status = step.status;
        if let Some(next) = &step.next {
            answer = answer.with("link", format!(r#"<{next}>; rel="next""#)).with("location", next.clone());
        }
        answer
    })
    .await;
    let done = run_through(&BENCH.outbound, app, &server, &token(), request()).await;
    let items = dataset(&done, "items");
    // Redirects count as requests, not as pages.
    assert!(server.count() <= 30, "{} requests", server.count());
    assert_eq!(items.availability.is_complete(), items.availability.fault().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a server does, a listing ends within its budgets, and what was not read to a consistent end has a fault.
    #[test]
    fn paging_ends_within_budget_against_any_server(script in moves(), kind in 0..PAGINGS.len()) {
        BENCH.runtime.block_on(ends_within_budget(script, &BENCH.apps[kind]));
    }
}
