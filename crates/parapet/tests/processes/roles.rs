//! Roles of processes, the addresses for load balancers, and what nodes on one PostgreSQL know of each other.

use std::time::Duration;

use sim::{Fault, FaultRule};
use tokio::io::AsyncReadExt as _;

use crate::database::Database;
use crate::installation::{Installation, QUICK};
use crate::node::{Node, get, send, until};

async fn health(address: &str, path: &str) -> (u16, String) {
    let (status, text) = get(address, path, "").await.expect("somebody answers");
    assert!(text.to_lowercase().contains("cache-control: no-store"), "{text}");
    let body = text.split_once("\r\n\r\n").expect("a head").1;
    (status, body.trim_end().to_owned())
}

fn well(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_apart_are_refused_on_sqlite() {
    let here = Installation::sqlite(0, "").await;
    for role in ["web", "worker"] {
        let mut node = Node::spawn(&here, &["--role", role]);
        assert_eq!(node.ended().await.code(), Some(2));
        node.says("On SQLite one process does everything").await;
    }
    let both = Node::start(&here, &["--role", "both"]).await;
    let address = both.address().await;
    assert_eq!(health(&address, "/healthz").await, well("alive"));
    assert_eq!(health(&address, "/readyz").await, well("ready"));
    both.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_one_process_follows_the_scans_of_another() {
    let Some(database) = Database::postgresql().await else { return };
    let here = Installation::on(database, 2, QUICK).await;
    let web = Node::start(&here, &["--role", "web"]).await;
    let address = web.address().await;
    assert_eq!(health(&address, "/readyz").await, well("ready"));
    let cookie = web.signed_in().await;

    // Live updates: one at once, and then one for each change.
    let mut live = send(&address, &format!("GET /events\n{cookie}"), "").await.expect("it answers");
    let mut heard = async || {
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.contains("event: changed") {
            let read = tokio::time::timeout(Duration::from_secs(30), live.read(&mut bytes)).await;
            let n = read.expect("an event").expect("a stream");
            assert_ne!(n, 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    heard().await;
    assert_eq!(here.database.number("SELECT COUNT(*) FROM runs").await, 0, "a web process scans nothing");
    assert_eq!(here.database.number("SELECT SUM(fence) FROM scans").await, 0, "nor does it claim anything");

    let worker = Node::start(&here, &["--role", "worker"]).await;
    let other = worker.address().await;
    heard().await;
    until("every scan has run", async || {
        here.database.number("SELECT COUNT(*) FROM runs").await >= i64::try_from(here.scans()).expect("few")
    })
    .await;
    until("the other process's pages know it", async || web.scans_that_are("up").await == here.scans()).await;
    let (status, page) = get(&address, "/applications", &cookie).await.expect("a page");
    assert!(status == 200 && page.contains("directory 0"), "{page}");

    assert_eq!(health(&other, "/healthz").await, well("alive"));
    assert_eq!(health(&other, "/readyz").await, well("ready"));
    let (status, text) = get(&other, "/", &cookie).await.expect("an answer");
    assert!(status == 404 && text.contains("This process serves no pages"), "{text}");
    let told = worker.log().join("\n");
    assert!(!told.contains("one-time token"), "a worker's offer would end the one of the pages:\n{told}");
    worker.stop().await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_says_so_and_hands_its_scans_to_another() {
    let Some(database) = Database::postgresql().await else { return };
    let here = Installation::on(database, 1, "[node]\nlinger_seconds = 2\n").await;
    let rule = FaultRule { path_contains: "/scim".to_owned(), fault: Fault::Hang, times: None };
    here.tenants[0].tenant().faults.push(rule);
    let mut first = Node::start(&here, &[]).await;
    let held = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL";
    until("both scans are under way", async || here.database.number(held).await == 2).await;
    let address = first.address().await;
    first.tell_to_stop();
    until("it says that it is draining", async || {
        health(&address, "/readyz").await == (503, "not ready: draining".to_owned())
    })
    .await;
    assert_eq!(health(&address, "/healthz").await, well("alive"), "it is not to be killed for that");
    until("the leases are handed back while it still answers", async || {
        here.database.number(held).await == 0
    })
    .await;
    assert_eq!(health(&address, "/readyz").await.0, 503);
    assert!(first.ended().await.success(), "{}", first.log().join("\n"));
    assert_eq!(here.database.number("SELECT COUNT(*) FROM runs").await, 0, "that is no outcome");
    let open = here.database.ask("SELECT run_id FROM scans ORDER BY run_id").await;

    here.tenants[0].tenant().faults.clear();
    let second = Node::start(&here, &[]).await;
    let succeeded = "SELECT COUNT(*) FROM runs WHERE outcome = 'succeeded'";
    until("another finishes them", async || here.database.number(succeeded).await == 2).await;
    assert_eq!(here.database.ask("SELECT id FROM runs ORDER BY id").await, open, "the same runs");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_asked_of_one_node_holds_for_the_others() {
    let Some(database) = Database::postgresql().await else { return };
    let here = Installation::on(database, 1, QUICK).await;
    let limited = Fault::RateLimited { retry_after: 1200 };
    let rule = FaultRule { path_contains: "/scim".to_owned(), fault: limited, times: None };
    here.tenants[0].tenant().faults.push(rule);
    let first = Node::start(&here, &["--role", "worker"]).await;
    let blocked = "SELECT COUNT(*) FROM instances WHERE blocked_until > 0";
    let open = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL";
    until("the vendor's pause is stored", async || {
        here.database.number(blocked).await == 1 && here.database.number(open).await == 0
    })
    .await;
    let second = Node::start(&here, &["--role", "worker"]).await;
    here.tenants[0].tenant().requests.clear();
    let fences = here.database.number("SELECT SUM(fence) FROM scans").await;
    here.database.want_all().await;
    // Both nodes look, and neither begins anything: the scans wait for the vendor.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(here.tenants[0].tenant().requests, [""; 0]);
    assert_eq!(here.database.number("SELECT SUM(fence) FROM scans").await, fences, "nor is anything claimed");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_an_upgrade_that_adds_and_stops_at_one_that_does_more() {
    let Some(database) = Database::postgresql().await else { return };
    let here = Installation::on(database, 1, QUICK).await;
    let mut old = Node::start(&here, &[]).await;
    let address = old.address().await;
    let runs = async || here.database.number("SELECT COUNT(*) FROM runs WHERE outcome = 'succeeded'").await;
    until("the first scans", async || runs().await == 2).await;
    let added =
        "ALTER TABLE runs ADD COLUMN mood BIGINT; UPDATE meta SET value = '99' WHERE name = 'schema_version'";
    here.database.change(added).await;
    here.database.want_all().await;
    until("it scans on", async || runs().await == 4).await;
    assert_eq!(health(&address, "/readyz").await, well("ready"));
    let late = Node::start(&here, &["--role", "worker"]).await;
    late.says("the database belongs to a newer Parapet").await;
    late.stop().await;

    here.database.change("UPDATE meta SET value = '99' WHERE name = 'schema_oldest'").await;
    assert_eq!(old.ended().await.code(), Some(3));
    old.says("the database was upgraded beyond this Parapet").await;
    let mut refused = Node::spawn(&here, &[]);
    assert_eq!(refused.ended().await.code(), Some(2));
    refused.says("The database has schema version 99").await;
}
