//! Runs that stop in the middle and go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use collect::{Collected, DatasetState};
use model::time::Duration;
use serde_json::{Value as Json, json};

use crate::support::*;

fn app_of() -> Arc<catalog::App> {
    let pages = r#"{ path = "/items", paging = { kind = "link" } }"#;
    app(&manifest(&(listing("items", pages, "") + &listing("few", r#"{ path = "/few" }"#, ""))))
}

/// 10 pages of 100; page 6 is throttled for long while `closed` holds.
fn paged(closed: Arc<AtomicBool>) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    move |seen| {
        if seen.path == "/api/few" {
            return json(json!([{ "id": 1, "name": "a" }]));
        }
        let page: usize = seen.q("page").map_or(0, |p| p.parse().unwrap());
        if page == 6 && closed.load(Ordering::SeqCst) {
            return status(429).with("retry-after", "1800");
        }
        let items: Vec<Json> =
            (page * 100..page * 100 + 100).map(|id| json!({ "id": id, "name": "n" })).collect();
        let answer = json(Json::Array(items));
        if page < 9 {
            answer.with("link", format!(r#"</api/items?page={}>; rel="next""#, page + 1))
        } else {
            answer
        }
    }
}

#[tokio::test]
async fn a_run_goes_on_where_the_vendor_interrupted_it() {
    let (app, closed) = (app_of(), Arc::new(AtomicBool::new(true)));
    let server = Server::start(paged(Arc::clone(&closed))).await;
    let keeper = Keeper::default();
    let collected =
        collect::run(&outbound(), &target(&app, &server), &token(), &server.clock, request(), &keeper).await;
    let Collected::Waiting { until, checkpoints } = collected else { panic!("it should wait") };
    assert_eq!(until, START + Duration::minutes(30));
    let mut parts = std::mem::take(&mut *keeper.parts.lock().unwrap());
    // 600 records in two handed-over parts; what the other dataset read is in the rest.
    assert_eq!(parts.iter().map(collect::Checkpoint::records).sum::<usize>(), 600);
    assert_eq!(checkpoints.iter().map(collect::Checkpoint::records).sum::<usize>(), 1);
    parts.extend(checkpoints);

    closed.store(false, Ordering::SeqCst);
    server.clock.advance(Duration::minutes(30));
    server.seen.lock().unwrap().clear();
    let mut again = request();
    parts.reverse();
    again.resume = parts;
    let Collected::Done(done) =
        collect::run(&outbound(), &target(&app, &server), &token(), &server.clock, again, &keeper).await
    else {
        panic!("it should end")
    };
    let items = dataset(&done, "items");
    assert!(items.availability.is_complete());
    assert_eq!(ids(items), (0..1000).collect::<Vec<i64>>());
    assert_eq!(items.collected_at, START);
    assert!(dataset(&done, "few").availability.is_complete());
    // Only the pages that were not read.
    assert_eq!(server.count(), 4);
    let states = keeper.states.lock().unwrap();
    assert_eq!(states.last(), Some(&("items".to_owned(), DatasetState::Read)));
}

#[tokio::test]
async fn parts_of_another_revision_are_not_used() {
    let (app, closed) = (app_of(), Arc::new(AtomicBool::new(true)));
    let server = Server::start(paged(Arc::clone(&closed))).await;
    let keeper = Keeper::default();
    let target = target(&app, &server);
    let _ = collect::run(&outbound(), &target, &token(), &server.clock, request(), &keeper).await;
    let mut again = request();
    again.resume = keeper
        .parts
        .lock()
        .unwrap()
        .iter()
        .map(|part| {
            let mut json = serde_json::to_value(part).unwrap();
            json["revision"] = json!(99);
            serde_json::from_value(json).unwrap()
        })
        .collect();
    again.deadline = START + Duration::hours(9);
    closed.store(false, Ordering::SeqCst);
    server.clock.advance(Duration::minutes(31));
    server.seen.lock().unwrap().clear();
    let done = run_with(&app, &server, &token(), again).await;
    assert_eq!(dataset(&done, "items").records.len(), 1000);
    assert_eq!(server.count(), 11);
}

#[tokio::test]
async fn a_lost_lease_stops_the_run() {
    let server = Server::start(paged(Arc::new(AtomicBool::new(false)))).await;
    let keeper = Keeper { stop_after: Some(1), ..Keeper::default() };
    let app = app_of();
    let collected =
        collect::run(&outbound(), &target(&app, &server), &token(), &server.clock, request(), &keeper).await;
    assert!(matches!(collected, Collected::Stopped));
    assert!(server.count() < 8);
}
