//! Rate limits: short waits inside the run, long ones that end the lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use collect::{Collected, DatasetState, Quiet};
use futures_util::future::BoxFuture;
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use serde_json::json;

use crate::support::*;

const THROTTLE: &str = r#"
[throttle]
limit_header = "x-limit"
remaining_header = "x-left"
reset_header = "x-reset"
"#;

fn app_of() -> std::sync::Arc<catalog::App> {
    app(&manifest(&format!("{THROTTLE}{}", listing("items", r#"{ path = "/items" }"#, ""))))
}

fn ok() -> Answer {
    json(json!([{ "id": 1, "name": "a" }]))
}

async fn collected(server: &Server, request: collect::RunRequest) -> Collected {
    collect::run(&outbound(), &target(&app_of(), server), &token(), &server.clock, request, &Quiet).await
}

/// Answers `first` so many times, then well.
async fn after(times: usize, first: Answer) -> Server {
    let turn = AtomicUsize::new(0);
    Server::start(move |_| if turn.fetch_add(1, Ordering::SeqCst) < times { first.clone() } else { ok() })
        .await
}

#[tokio::test]
async fn short_waits_are_spent_inside_the_run() {
    let server = after(1, status(429).with("retry-after", "30")).await;
    let Collected::Done(done) = collected(&server, request()).await else { panic!("it should not wait") };
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!(done.snapshot.cost.throttled_ms, 30_000);
    assert_eq!((done.snapshot.finished_at - done.snapshot.started_at).0, 30_000);
}

#[tokio::test]
async fn long_waits_end_the_lease() {
    let server = after(1, status(429).with("retry-after", "3000")).await;
    let Collected::Waiting { until, .. } = collected(&server, request()).await else {
        panic!("it should wait")
    };
    assert_eq!(until, START + Duration::seconds(3000));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_wait_past_the_deadline_is_a_failure() {
    let server = after(1, status(429).with("retry-after", "20000")).await;
    let Collected::Done(done) = collected(&server, request()).await else { panic!("no use in waiting") };
    let fault = fault(dataset(&done, "items"));
    assert_eq!((fault.cause, fault.status), (FailureCause::Throttled, Some(429)));
    assert_eq!(done.blocked_until, Some(START + Duration::seconds(20_000)));
}

#[tokio::test]
async fn an_untold_limit_is_tried_a_little_and_then_waited_for() {
    let server = after(usize::MAX, status(429)).await;
    let Collected::Waiting { until, .. } = collected(&server, request()).await else {
        panic!("it should wait")
    };
    assert_eq!(server.count(), 4);
    assert!(until > START + Duration::minutes(5));
}

#[tokio::test]
async fn a_403_with_an_empty_budget_is_a_rate_limit() {
    let reset = (START.0 / 1000 + 20).to_string();
    let server = after(1, error(403, "slow down").with("x-left", "0").with("x-reset", reset)).await;
    let Collected::Done(done) = collected(&server, request()).await else { panic!("it should not wait") };
    assert!(dataset(&done, "items").availability.is_complete());
    assert_eq!((done.snapshot.finished_at - done.snapshot.started_at).0, 20_000);
}

#[tokio::test]
async fn nothing_is_sent_inside_a_vendors_back_off() {
    let server = after(0, ok()).await;
    let mut inside = request();
    inside.blocked_until = Some(START + Duration::minutes(10));
    let Collected::Waiting { until, .. } = collected(&server, inside).await else { panic!("it should wait") };
    assert_eq!((until, server.count()), (START + Duration::minutes(10), 0));

    let mut nearly_over = request();
    nearly_over.blocked_until = Some(START + Duration::seconds(10));
    let Collected::Done(done) = collected(&server, nearly_over).await else { panic!("it should not wait") };
    assert_eq!((done.snapshot.finished_at - done.snapshot.started_at).0, 10_000);
}

#[tokio::test]
async fn our_own_pace_holds_after_the_burst() {
    let datasets = listings(6);
    let app = app(&manifest(&format!("[throttle]\nper_second = 2\nburst = 3\n{datasets}")));
    let server = after(0, ok()).await;
    let done = run(&app, &server).await;
    // Three at once, then one each half second.
    assert_eq!((done.snapshot.finished_at - done.snapshot.started_at).0, 1500);
}

#[tokio::test]
async fn the_deadline_ends_everything() {
    let server = after(0, ok()).await;
    server.clock.advance(Duration::hours(3));
    let Collected::Done(done) = collected(&server, request()).await else { panic!("it should end") };
    assert_eq!((fault(dataset(&done, "items")).cause, server.count()), (FailureCause::Throttled, 0));
}

/// The vendor answers two requests that are under way at once: one is to wait a little, the other beyond the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_waits_waits_for_the_longest_it_was_told() {
    let app = app(&manifest(&listings(3)));
    let both = std::sync::Barrier::new(2);
    let server = Server::start(move |seen| match seen.q("of") {
        // What comes first opens the way for the others.
        Some("0") => ok(),
        of => {
            tokio::task::block_in_place(|| both.wait());
            status(429).with("retry-after", if of == Some("1") { "3000" } else { "20000" })
        }
    })
    .await;
    let collected =
        collect::run(&outbound(), &target(&app, &server), &token(), &server.clock, request(), &Quiet).await;
    let Collected::Waiting { until, .. } = collected else { panic!("it should wait") };
    assert_eq!((until, server.count()), (START + Duration::seconds(20_000), 3));
}

/// Whoever waits for its slot waits until another was told that nothing may come.
#[derive(Clone)]
struct Slots {
    clock: TestClock,
    told: tokio::sync::watch::Sender<bool>,
}

impl collect::Clock for Slots {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        let mut told = self.told.subscribe();
        Box::pin(async move {
            told.wait_for(|told| *told).await.expect("it is told");
            self.clock.advance(length);
        })
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

impl collect::Progress for Slots {
    fn dataset(&self, _: &str, state: DatasetState) {
        if state == DatasetState::NotRead {
            self.told.send_replace(true);
        }
    }
    fn records(&self, _: &str, _: u64) {}
    fn checkpoint(&self, _: collect::Checkpoint) -> BoxFuture<'_, std::ops::ControlFlow<()>> {
        Box::pin(std::future::ready(std::ops::ControlFlow::Continue(())))
    }
}

#[tokio::test]
async fn what_is_told_while_a_request_waits_for_its_slot_holds_for_it() {
    let datasets = listings(3);
    let app = app(&manifest(&format!("[throttle]\nper_second = 2\nburst = 2\n{datasets}")));
    let server = Server::start(|seen| match seen.q("of") {
        Some("0") => ok(),
        _ => status(429).with("retry-after", "20000"),
    })
    .await;
    let slots = Slots { clock: server.clock.clone(), told: tokio::sync::watch::Sender::new(false) };
    let collected =
        collect::run(&outbound(), &target(&app, &server), &token(), &slots, request(), &slots).await;
    let Collected::Done(done) = collected else { panic!("no use in waiting") };
    assert_eq!(server.count(), 2, "the third never leaves");
    assert_eq!(fault(dataset(&done, "d2")).cause, FailureCause::Throttled);
}

/// How long ten requests of a listing take at this pace, in seconds.
async fn ten_requests(throttle: &str, more: &str) -> i64 {
    let request = format!(r#"{{ path = "/items", paging = {{ kind = "link" }}{more} }}"#);
    let app = app(&manifest(&format!("[throttle]\n{throttle}\n{}", listing("items", &request, ""))));
    let server = Server::start(|seen| {
        let page: u32 = seen.q("page").map_or(1, |p| p.parse().unwrap());
        let answer = json(json!([{ "id": page, "name": "a" }]));
        if page < 10 {
            answer.with("link", format!("</api/items?page={}>; rel=\"next\"", page + 1))
        } else {
            answer
        }
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!((server.count(), ids(dataset(&done, "items")).len()), (10, 10));
    (done.snapshot.finished_at - done.snapshot.started_at).0 / 1000
}

#[tokio::test]
async fn our_own_pace_by_second_by_minute_and_by_cost() {
    assert_eq!(ten_requests("concurrency = 4", "").await, 0);
    assert_eq!(ten_requests("per_second = 1", "").await, 9);
    assert_eq!(ten_requests("per_minute = 20", "").await, 27);
    // The first five go at once, the pace holds from there.
    assert_eq!(ten_requests("per_minute = 20\nburst = 5", "").await, 15);
    // A request that counts for four takes four turns.
    assert_eq!(ten_requests("per_second = 1", ", cost = 4").await, 36);
}

#[tokio::test]
async fn no_more_requests_at_once_than_the_vendor_likes() {
    let datasets = listings(12);
    for most in [1, 3] {
        let app = app(&manifest(&format!("[throttle]\nconcurrency = {most}\n{datasets}")));
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, top) = (Arc::clone(&now), Arc::clone(&peak));
        let router = axum::Router::new().fallback(move || {
            let (count, top) = (Arc::clone(&count), Arc::clone(&top));
            async move {
                top.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Long enough for the others to come in, were they let.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                count.fetch_sub(1, Ordering::SeqCst);
                axum::Json(json!([{ "id": 1, "name": "a" }]))
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let (target, clock) = (target_at(&app, &url), TestClock::default());
        let collected = collect::run(&outbound(), &target, &token(), &clock, request(), &Quiet).await;
        serving.abort();
        let Collected::Done(done) = collected else { panic!("{collected:?}") };
        assert!(done.snapshot.datasets.values().all(|d| d.availability.is_complete()));
        assert_eq!(peak.load(Ordering::SeqCst), most);
    }
}
