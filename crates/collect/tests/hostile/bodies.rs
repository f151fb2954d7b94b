//! Answers that are too large, too many, too deep, or no answers.

use std::io::Write as _;
use std::sync::LazyLock;

use model::diagnosis::Rung;
use model::scan::FailureCause::{Internal, Protocol};

use crate::server::{Say, json, status, with};
use crate::{Case, ITEMS, LINKS, full, run};

/// MiB that a server sends before it gives up: far more than any budget.
const FOR_EVER: usize = 4 << 10;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

fn head(lines: &str) -> Vec<u8> {
    [OK, lines.as_bytes(), b"\r\n"].concat()
}

/// A page as large as an answer may be, with few records.
fn large(page: usize) -> String {
    let size = if full() { 31 << 20 } else { 3 << 19 };
    format!(r#"[{{"id": {page}, "name": "{}"}}]"#, "x".repeat(size))
}

fn next(page: usize) -> String {
    format!("Link: </api/items?page={}>; rel=\"next\"\r\n", page + 1)
}

/// So many MiB of a text that becomes JSON, compressed.
fn compressed(begin: &str, piece: &str, mib: usize) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = piece.repeat((64 << 10) / piece.len());
    gzip.write_all(begin.as_bytes()).unwrap();
    for _ in 0..mib * 16 {
        gzip.write_all(block.as_bytes()).unwrap();
    }
    gzip.finish().unwrap()
}

/// MiB that an answer with many small values has: as many as it may.
fn most() -> usize {
    if full() { 31 } else { 1 }
}

#[tokio::test]
async fn hostile_bodies() {
    let cases = [
        Case {
            request: LINKS,
            says: "did not end after",
            requests: 50,
            ..Case::new("endless pages", |asked| {
                with(&next(asked.before), format!(r#"[{{"id": {}, "name": "a"}}]"#, asked.before))
            })
        },
        Case {
            request: LINKS,
            says: "did not end after",
            requests: 50,
            ..Case::new("endless empty pages", |asked| with(&next(asked.before), "[]"))
        },
        Case {
            request: LINKS,
            reached: Rung::Http,
            says: "limits.run_mib",
            requests: 8,
            memory_mib: 32,
            full_mib: 1_300,
            ..Case::new("endless large pages", |asked| with(&next(asked.before), large(asked.before)))
        },
        Case {
            request: r#"{ path = "/items", records = "items", paging = { kind = "cursor", at = "next", param = "c" } }"#,
            says: "longer than",
            ..Case::new("cursors of a megabyte", |asked| {
                let cursor = format!("{}{}", asked.before, "c".repeat(1 << 20));
                json(format!(r#"{{"items": [{{"id": {}}}], "next": "{cursor}"}}"#, asked.before))
            })
        },
        Case {
            request: r#"{ path = "/items", records = "items", paging = { kind = "offset", param = "o", size = 1, total_at = "total" } }"#,
            says: "",
            requests: 50,
            ..Case::new("a total beyond all numbers", |asked| {
                json(format!(r#"{{"items": [{{"id": {}}}], "total": 18446744073709551615}}"#, asked.before))
            })
        },
        Case {
            says: "limits.records",
            memory_mib: 24,
            ..Case::new("more records than may be", |_| {
                let count = if full() { 250_000 } else { 3_000 };
                let records: Vec<String> = (0..count).map(|n| format!(r#"{{"id": {n}}}"#)).collect();
                json(format!("[{}]", records.join(",")))
            })
        },
        Case {
            reached: Rung::Http,
            says: "limits.answer_mib",
            ..Case::new("ten gigabytes, announced", |_| {
                Say::Endless(head("Content-Length: 10000000000\r\n"), vec![b' '; 64 << 10], FOR_EVER)
            })
        },
        Case {
            reached: Rung::Http,
            says: "limits.answer_mib",
            ..Case::new("gigabytes in chunks", |_| {
                let piece = [b"10000\r\n", &*vec![b' '; 1 << 16], b"\r\n"].concat();
                Say::Endless(head("Transfer-Encoding: chunked\r\n"), piece, FOR_EVER)
            })
        },
        Case {
            reached: Rung::Http,
            says: "limits.answer_mib",
            ..Case::new("gigabytes without a length", |_| {
                Say::Endless(head("Connection: close\r\n"), vec![b'['; 64 << 10], FOR_EVER)
            })
        },
        Case {
            reached: Rung::Http,
            says: "limits.answer_mib",
            ..Case::new("a compression bomb of blanks", |_| {
                static BOMB: LazyLock<Vec<u8>> =
                    LazyLock::new(|| compressed("[", " ", if full() { 1 << 10 } else { 16 }));
                with("Content-Encoding: gzip\r\n", &*BOMB)
            })
        },
        Case {
            says: "not JSON",
            ..Case::new("a compression bomb in a compression bomb", |_| {
                static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| again(&compressed("[", " ", 16)));
                with("Content-Encoding: gzip, gzip\r\n", &*BOMB)
            })
        },
        Case {
            reached: Rung::Http,
            says: "cannot be decoded",
            ..Case::new("gzip that is none", |_| with("Content-Encoding: gzip\r\n", "[]"))
        },
        Case {
            says: "not JSON",
            ..Case::new("an encoding that was not asked for", |_| {
                with("Content-Encoding: br\r\n", [0x8b, 0, 0x80])
            })
        },
        Case {
            says: "too many values",
            memory_mib: 24,
            ..Case::new("millions of small values", |_| {
                static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| close(compressed("[0", ",0", most())));
                with("Content-Encoding: gzip\r\n", &*BOMB)
            })
        },
        Case {
            says: "too many values",
            memory_mib: 24,
            ..Case::new("millions of small objects", |_| {
                static BOMB: LazyLock<Vec<u8>> =
                    LazyLock::new(|| close(compressed(r#"[{"":0}"#, r#",{"":0}"#, most())));
                with("Content-Encoding: gzip\r\n", &*BOMB)
            })
        },
        Case { says: "not JSON", ..Case::new("lists in lists in lists", |_| json("[".repeat(1 << 14))) },
        Case {
            says: "not JSON",
            ..Case::new("objects in objects in objects", |_| json(r#"{"a":"#.repeat(1 << 12)))
        },
        Case {
            says: "not JSON",
            ..Case::new("depth in a field nobody reads", |_| {
                let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
                json(format!(r#"[{{"id": 1, "name": "a", "more": {deep}}}]"#))
            })
        },
        Case {
            says: "not JSON",
            ..Case::new("not UTF-8", |_| json(b"[{\"id\": 1, \"name\": \"\xff\xfe\"}]"))
        },
        Case {
            says: "not JSON",
            ..Case::new("half a pair of surrogates", |_| json(r#"[{"id": 1, "name": "\ud800"}]"#))
        },
        Case { says: "not JSON", ..Case::new("a number that is none", |_| json(r#"[{"id": NaN}]"#)) },
        Case { says: "not JSON", ..Case::new("two answers in one", |_| json("[][]")) },
        Case {
            says: "neither a list nor an object",
            causes: &[Protocol],
            ..Case::new("nothing, successfully", |_| status("204 No Content", "", ""))
        },
        Case {
            reached: Rung::Http,
            ..Case::new("not modified, and nobody asked", |_| {
                Say::Bytes(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec())
            })
        },
        Case {
            request: ITEMS,
            reached: Rung::Http,
            causes: &[Protocol, Internal],
            ..Case::new("a status that does not exist", |_| status("999 Whatever", "", "[]"))
        },
    ];
    run(&cases).await;
}

/// Compressed once more.
fn again(bytes: &[u8]) -> Vec<u8> {
    let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    outer.write_all(bytes).unwrap();
    outer.finish().unwrap()
}

/// The same with a last block that closes the list; members of one stream follow each other (RFC 1952 section 2.2).
fn close(mut gzip: Vec<u8>) -> Vec<u8> {
    let mut last = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    last.write_all(b"]").unwrap();
    gzip.extend(last.finish().unwrap());
    gzip
}
