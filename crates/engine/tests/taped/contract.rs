//! What a scan really sends, measured against the vendor's own descriptions: a proxy between the connector engine and a
//! taped tenant checks every REST request and every GraphQL document.

use serde_json::Value as Json;

use sim::tape::Player;

use crate::{peer, scan, tape};

#[tokio::test]
async fn no_request_of_a_scan_violates_the_description() {
    let case = tape::case("github", "owner");
    let player = Player::start(&case.tape).await.expect("a free port on loopback");
    let Some(proxy) = peer::Peer::start("contract", &["--upstream", player.address()]) else { return };
    let app = scan::app(&case);
    let mut unread = Vec::new();
    for kind in app.supported() {
        let snapshot = scan::read(&app, &case.tape, proxy.fact("url"), kind).await;
        // What the vendor does not have is on the tape; everything else has to come through.
        let faults = snapshot.datasets.iter().filter_map(|(name, d)| Some((name, d.availability.fault()?)));
        unread.extend(
            faults.map(|(name, fault)| format!("{name}: {}: {}", fault.cause.as_str(), fault.detail)),
        );
    }
    assert!(unread.is_empty(), "not read through the proxy:\n{}", unread.join("\n"));
    let report = report(proxy.fact("report_url")).await;
    let requests = report["requests"].as_array().expect("the report lists requests");
    assert!(
        requests.len() >= case.tape.exchanges.len(),
        "{} requests went through the proxy",
        requests.len()
    );
    let broken: Vec<&Json> = requests
        .iter()
        .filter(|r| r["request_violations"].as_array().is_none_or(|v| !v.is_empty()))
        .collect();
    assert!(broken.is_empty(), "{} of {} requests: {broken:#?}", broken.len(), requests.len());
}

/// Reads the proxy's report.
async fn report(address: &str) -> Json {
    let url: url::Url = address.parse().expect("the proxy tells an address");
    let text = tokio::task::spawn_blocking(move || get(&url)).await.expect("reading does not panic");
    serde_json::from_str(&text).expect("the report is JSON")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the report of a test's own proxy on loopback, not a request to a vendor"
)]
fn get(url: &url::Url) -> String {
    use std::io::{Read as _, Write as _};
    let port = url.port().expect("the proxy tells its port");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
    write!(stream, "GET {} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n", url.path())
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    answer.split_once("\r\n\r\n").expect("headers end").1.to_owned()
}
