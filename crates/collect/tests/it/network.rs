//! The rungs below HTTP, and answers of the wrong size.

use std::net::IpAddr;
use std::sync::Arc;

use collect::{Collected, Outbound, OutboundConfig, Quiet};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

fn app_of(more: &str) -> Arc<catalog::App> {
    app(&manifest(&format!("{more}{}", listing("items", r#"{ path = "/items" }"#, ""))))
}

async fn fault_at(app: &Arc<catalog::App>, url: &str, config: OutboundConfig) -> Fault {
    let outbound = Outbound::new(OutboundConfig { connect_seconds: 1, ..config }).unwrap();
    let clock = TestClock::default();
    match collect::run(&outbound, &target_at(app, url), &token(), &clock, request(), &Quiet).await {
        Collected::Done(done) => fault(dataset(&done, "items")).clone(),
        other => panic!("{other:?}"),
    }
}

fn here() -> OutboundConfig {
    OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }
}

fn resolving(to: &'static [&'static str]) -> OutboundConfig {
    let resolve = move |_: &str| to.iter().map(|ip| ip.parse::<IpAddr>().unwrap()).collect();
    OutboundConfig { resolve: Some(Arc::new(resolve)), ..OutboundConfig::default() }
}

/// A listener that does the same to every connection.
async fn raw(answer: &'static [u8], hold: bool) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = socket.read(&mut head).await;
                let _ = socket.write_all(answer).await;
                if hold {
                    let _ = socket.read(&mut head).await;
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (url, task)
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let fault = fault_at(&app_of(""), "https://nowhere.example", resolving(&[])).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Name));
    assert!(fault.detail.contains("nowhere.example"));
}

#[tokio::test]
async fn a_name_that_leads_inside() {
    for to in [&["10.0.0.1"][..], &["127.0.0.1"], &["169.254.169.254"], &["::ffff:192.168.1.1"]] {
        let fault = fault_at(&app_of(""), "https://rebind.example", resolving(to)).await;
        assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Name), "{to:?}");
        assert!(
            fault.detail.contains(to[0].trim_start_matches("::ffff:")) || fault.detail.contains(to[0]),
            "{}",
            fault.detail
        );
    }
}

#[tokio::test]
async fn a_private_host_needs_the_operators_leave() {
    // Nobody listens there: the connection is tried, and that is the point.
    let config = OutboundConfig {
        allowed_private_hosts: vec!["git.corp.example".into()],
        ..resolving(&["127.0.0.1"])
    };
    let fault = fault_at(&app_of(""), "https://git.corp.example:1", config).await;
    assert_eq!(fault.reached, Rung::Address);
    assert!(fault.detail.contains("refused"), "{}", fault.detail);
}

#[tokio::test]
async fn a_closed_port() {
    let fault = fault_at(&app_of(""), "http://127.0.0.1:1", here()).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Address));
    assert!(fault.detail.contains("refused the connection"), "{}", fault.detail);
}

#[tokio::test]
async fn something_that_is_not_tls() {
    let (url, _task) = raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false).await;
    let config =
        OutboundConfig { allowed_private_hosts: vec!["127.0.0.1".into()], ..OutboundConfig::default() };
    let fault = fault_at(&app_of(""), &url.replace("http://", "https://"), config).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Tcp));
    assert!(fault.detail.contains("TLS"), "{}", fault.detail);
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let (url, _task) = raw(b"", true).await;
    let app = app_of("[limits]\nrequest_seconds = 1\n");
    let fault = fault_at(&app, &url, here()).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Tls));
    assert!(fault.detail.contains("within 1 s"), "{}", fault.detail);
}

#[tokio::test]
async fn an_answer_that_breaks_off() {
    let (url, _task) = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n[{\"id\":",
        false,
    )
    .await;
    let fault = fault_at(&app_of(""), &url, here()).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Http));
}

#[tokio::test]
async fn a_server_that_never_stops() {
    // Ten gigabytes, announced.
    let (url, _task) = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n[", true).await;
    let fault = fault_at(&app_of(""), &url, here()).await;
    assert_eq!((fault.cause, fault.reached), (FailureCause::Protocol, Rung::Http));
    assert!(fault.detail.contains("32 MiB"), "{}", fault.detail);
}

#[tokio::test]
async fn answers_are_bounded_after_decompression() {
    // A few kilobytes that become 8 MiB.
    let app = app_of("[limits]\nanswer_mib = 4\n");
    let server = Server::start(|_| json(json!(null)).with("content-encoding", "gzip").body(bomb(8))).await;
    let done = run(&app, &server).await;
    let fault = fault(dataset(&done, "items"));
    assert_eq!(fault.cause, FailureCause::Protocol);
    assert!(fault.detail.contains("4 MiB"), "{}", fault.detail);
    assert!(done.snapshot.cost.bytes <= 4 << 20);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_run_has_a_budget_of_bytes_and_requests() {
    let datasets = listings(6);
    let big = || {
        let name = "x".repeat(400 << 10);
        json(json!([{ "id": 1, "name": name }]))
    };
    let app = app(&manifest(&format!("[limits]\nrun_mib = 1\n{datasets}")));
    let server = Server::start(move |_| big()).await;
    let done = run(&app, &server).await;
    let complete = |done: &collect::Done| {
        done.snapshot.datasets.values().filter(|d| d.availability.is_complete()).count()
    };
    assert_eq!(complete(&done), 2);

    let app = crate::support::app(&manifest(&format!("[limits]\nrequests = 4\n{datasets}")));
    let server = Server::start(|_| json(json!([]))).await;
    let done = run(&app, &server).await;
    assert_eq!((complete(&done), server.count()), (4, 4));
    let spent = done.snapshot.datasets.values().find_map(|d| d.availability.fault()).unwrap();
    assert_eq!(spent.cause, FailureCause::Internal);
    assert!(spent.detail.contains("budget of 4 requests"), "{}", spent.detail);
}

#[tokio::test]
async fn a_network_that_never_answered_is_not_asked_again_and_again() {
    let datasets = listings(6);
    let app = app(&manifest(&datasets));
    let clock = TestClock::default();
    let target = target_at(&app, "http://127.0.0.1:1");
    let Collected::Done(done) = collect::run(&outbound(), &target, &token(), &clock, request(), &Quiet).await
    else {
        panic!("it should end")
    };
    assert_eq!(
        done.snapshot.datasets.values().filter(|d| fault(d).cause == FailureCause::Unreachable).count(),
        6
    );
    assert_eq!(done.snapshot.cost.requests, 4);
}

#[tokio::test]
async fn a_proxy_gets_every_request() {
    let proxy = Server::start(|seen| {
        assert_eq!(seen.header("host"), Some("localhost:9"));
        json(json!([{ "id": 1, "name": "a" }]))
    })
    .await;
    let app = app_of("");
    let config = OutboundConfig { proxy: Some(proxy.url.parse().unwrap()), ..here() };
    let outbound = Outbound::new(config).unwrap();
    // Nobody listens at the target itself.
    let target = target_at(&app, "http://localhost:9");
    let collected = collect::run(&outbound, &target, &token(), &proxy.clock, request(), &Quiet).await;
    let Collected::Done(done) = collected else { panic!("{collected:?}") };
    assert!(dataset(&done, "items").availability.is_complete(), "{:?}", dataset(&done, "items").availability);
    assert_eq!(proxy.paths(), ["/api/items"]);
}

/// `[` and so many MiB of blanks, compressed: stored blocks of a repeated byte would be big, so the deflate stream is one run
/// of maximal matches, written by hand with the fixed code (RFC 1951 section 3.2.6).
pub(crate) fn bomb(mib: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(1, 1); // the last block
    bits.put(1, 2); // fixed codes
    bits.literal(b'[');
    bits.literal(b' ');
    for _ in 0..(mib << 20) / 258 {
        bits.code(0b1100_0101, 8); // length 258
        bits.code(0, 5); // distance 1
    }
    bits.code(0, 7); // end of block
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.extend(bits.finish());
    // A checksum and length that nobody gets to see.
    gzip.extend([0; 8]);
    gzip
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for i in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= (((value >> i) & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }
    /// Huffman codes go in with their highest bit first.
    fn code(&mut self, value: u32, count: u32) {
        for i in (0..count).rev() {
            self.put((value >> i) & 1, 1);
        }
    }
    fn literal(&mut self, byte: u8) {
        self.code(0b0011_0000 + u32::from(byte), 8);
    }
    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
