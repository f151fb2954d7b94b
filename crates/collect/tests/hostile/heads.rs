//! Heads of answers that no honest server sends.

use model::diagnosis::Rung;
use model::scan::FailureCause::{
    Credentials, Internal, Permission, Protocol, Remote, Throttled, Unreachable,
};

use crate::server::{Say, status, with};
use crate::{Case, LINKS, run};

fn bytes(text: &str) -> Say {
    Say::Bytes(text.as_bytes().to_vec())
}

/// Tries of one request that nothing has answered: the first, and its retries.
const TRIES: usize = 4;

#[tokio::test]
async fn hostile_heads() {
    let cases = [
        Case {
            causes: &[Permission],
            reached: Rung::Authenticated,
            ..Case::new("escapes in what a refusal says", |_| {
                status(
                    "403 Forbidden",
                    "X-Request-Id: \u{9b}31mr-1\r\n",
                    "{\"message\": \"\\u001b]0;owned\\u0007\\r\\nno\"}",
                )
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("a control character in a header", |_| {
                bytes("HTTP/1.1 200 OK\r\nX-A: a\u{0}b\r\nContent-Length: 2\r\n\r\n[]")
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("a header without an end", |_| {
                Say::Endless(b"HTTP/1.1 200 OK\r\nX-A: ".to_vec(), vec![b'a'; 64 << 10], 4 << 10)
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("headers without an end", |_| {
                Say::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-A: a\r\n".repeat(8 << 10), 4 << 10)
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("go on, go on, go on", |_| {
                Say::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2 << 10), 64)
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("no HTTP at all", |_| bytes("220 mail.example ESMTP\r\n[]"))
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("two lengths", |_| {
                bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[] ")
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Tls,
            requests: TRIES,
            ..Case::new("a length below nothing", |_| {
                bytes("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]")
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Http,
            requests: TRIES,
            ..Case::new("a chunk larger than all memory", |_| {
                bytes(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[]\r\n0\r\n\r\n",
                )
            })
        },
        Case {
            causes: &[Protocol],
            reached: Rung::Http,
            says: "framing",
            ..Case::new("trailers without an end", |_| {
                let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n".to_vec();
                Say::Endless(head, b"X-A: a\r\n".repeat(8 << 10), 4 << 10)
            })
        },
        Case {
            causes: &[Unreachable],
            reached: Rung::Http,
            requests: TRIES,
            ..Case::new("less than was announced", |_| {
                bytes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[]")
            })
        },
        Case {
            causes: &[Throttled],
            reached: Rung::Authenticated,
            requests: TRIES + 1,
            ..Case::new("come back in a thousand years", |_| {
                status("429 Too Many Requests", "Retry-After: 31536000000\r\n", "{}")
            })
        },
        Case {
            causes: &[Throttled],
            reached: Rung::Authenticated,
            requests: TRIES + 1,
            ..Case::new("come back at no time", |_| {
                status("429 Too Many Requests", "Retry-After: -99999999999999999999\r\n", "{}")
            })
        },
        Case {
            causes: &[Remote],
            reached: Rung::Http,
            requests: TRIES,
            ..Case::new("a server error of megabytes", |_| {
                status("500 Oops", "", format!(r#"{{"message": "{}"}}"#, "\\u0007x".repeat(100_000)))
            })
        },
        Case {
            // The clock of the test stands at its beginning: the vendor's is a thousand years ahead.
            causes: &[Credentials, Internal],
            reached: Rung::Http,
            ..Case::new("a refusal of the far future", |_| {
                status("401 Unauthorized", "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n", "{}")
            })
        },
        Case {
            request: LINKS,
            says: "`Link`",
            ..Case::new("a next page that cannot be read", |_| {
                with("Link: </api/items?page=2; rel=\"next\"\r\n", r#"[{"id": 1}]"#)
            })
        },
        Case {
            request: LINKS,
            says: "circle",
            requests: 3,
            ..Case::new("pages in a circle", |asked| {
                with(&format!("Link: <?page={}>; rel=next\r\n", (asked.before + 1) % 2), r#"[{"id": 1}]"#)
            })
        },
    ];
    run(&cases).await;
}
