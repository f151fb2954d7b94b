//! Servers that take their time. Side by side, since most of it is waiting; memory is not counted here.

use std::time::Duration as Wall;

use collect::{Collected, Outbound, OutboundConfig, Quiet};
use model::diagnosis::Rung;
use model::scan::FailureCause;

use crate::server::{Say, Server};
use crate::support::{TestClock, fault, request, target_at, token};
use crate::{ITEMS, TURN, items, now};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const PAUSE: Wall = Wall::from_millis(50);

/// What a server does slowly, and the last rung that held.
fn servers() -> Vec<(&'static str, Say, Rung)> {
    let drip = |head: &[u8], piece: &[u8]| Say::Drip(head.to_vec(), piece.to_vec(), PAUSE);
    let with = |lines: &[u8]| [OK, lines, b"\r\n"].concat();
    vec![
        ("says nothing", Say::Silence, Rung::Tls),
        ("drips its head", drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), Rung::Tls),
        ("drips its headers", drip(OK, b"X-A: a\r\n"), Rung::Tls),
        ("goes on slowly for ever", drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), Rung::Tls),
        ("drips its body", drip(&with(b"Content-Length: 1000000\r\n"), b" "), Rung::Http),
        ("drips its chunks", drip(&with(b"Transfer-Encoding: chunked\r\n"), b"1\r\n \r\n"), Rung::Http),
        ("drips the length of a chunk", drip(&with(b"Transfer-Encoding: chunked\r\n"), b"0"), Rung::Http),
        ("drips without a length", drip(&with(b"Connection: close\r\n"), b" "), Rung::Http),
        (
            "drips gzip",
            drip(
                &[&*with(b"Content-Encoding: gzip\r\n"), &[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255]].concat(),
                b"a",
            ),
            Rung::Http,
        ),
    ]
}

/// `request_seconds` of 1, and four tries: the run is over in little more than four seconds, whatever trickles in.
#[tokio::test]
async fn slow_servers_end() {
    let _turn = TURN.lock().await;
    let outbound =
        Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() }).unwrap();
    let app = items("request_seconds = 1", ITEMS);
    let runs = servers().into_iter().map(|(name, say, reached)| {
        let (outbound, app) = (outbound.clone(), app.clone());
        async move {
            let server = Server::start(move |_| say.clone()).await;
            let (clock, credential) = (TestClock::default(), token());
            let target = target_at(&app, &server.url);
            let began = now();
            let run = collect::run(&outbound, &target, &credential, &clock, request(), &Quiet);
            let collected =
                tokio::time::timeout(Wall::from_secs(60), run).await.unwrap_or_else(|_| panic!("{name}"));
            let Collected::Done(done) = collected else { panic!("{name}: {collected:?}") };
            let fault = fault(&done.snapshot.datasets["items"]);
            assert_eq!(
                (fault.cause, fault.reached),
                (FailureCause::Unreachable, reached),
                "{name}: {}",
                fault.detail
            );
            assert!(fault.detail.contains("within 1 s"), "{name}: {}", fault.detail);
            assert!(server.connections() <= 4, "{name}: {} requests", server.connections());
            // The budget is of each request; a run adds its retries, and their waits by its own clock.
            assert!(now().duration_since(began) >= Wall::from_secs(1), "{name}: did not wait");
        }
    });
    futures_util::future::join_all(runs).await;
}
