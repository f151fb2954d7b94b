//! Requests to the pages, answered by the real use cases over a database in memory.

use http::{HeaderValue, Request, header};

use crate::bench::{Bench, with_bench};

/// The input is the value of a `Cookie` header. Nobody is signed in but by the exact name and value.
pub(crate) fn cookie(input: &[u8]) {
    let spelled = String::from_utf8_lossy(input).into_owned();
    with_bench(|bench: &Bench| {
        // So that an input can hold the one right value without knowing it.
        let right = spelled.replace("{token}", &bench.token);
        let Ok(value) = HeaderValue::from_bytes(right.as_bytes()) else { return };
        for https in [false, true] {
            let request = Request::get("/applications")
                .header(header::COOKIE, value.clone())
                .body(axum::body::Body::empty())
                .expect("a request");
            let (status, _) = bench.ask(request, https);
            let name = if https { "__Host-parapet_session" } else { "parapet_session" };
            let wanted = format!("{name}={}", bench.token);
            let holds = value.to_str().is_ok_and(|text| text.split(';').any(|pair| pair.trim() == wanted));
            if status.is_success() {
                assert!(holds, "signed in by {right:?}, https {https}");
            } else {
                assert!(status.is_redirection(), "{status} to {right:?}");
                assert_ne!(right.trim(), wanted, "the right cookie is not known");
            }
        }
    });
}

/// The first line is method and path, the second a content type or nothing, the rest the body. `{csrf}` stands for the
/// session's token. The server never answers by an error of its own, and what is stored stays text on its pages.
pub(crate) fn request(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let (Ok(first), Ok(content)) = (std::str::from_utf8(next()), std::str::from_utf8(next())) else { return };
    let Some((method, path)) = first.split_once(' ') else { return };
    let Ok(method) = method.parse::<http::Method>() else { return };
    if !path.starts_with('/') {
        return;
    }
    // The stream of changes has no end.
    if path.starts_with("/events") {
        return;
    }
    let body = next().to_vec();
    with_bench(|bench| {
        let body = match String::from_utf8(body) {
            Ok(text) => text.replace("{csrf}", &bench.csrf).into_bytes(),
            Err(bytes) => bytes.into_bytes(),
        };
        let kind = if content.is_empty() { "application/x-www-form-urlencoded" } else { content };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, format!("parapet_session={}", bench.token))
            .header(header::HOST, "parapet.example")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, kind)
            .body(axum::body::Body::from(body));
        let Ok(request) = request else { return };
        let (status, text) = bench.ask(request, false);
        assert!(!status.is_server_error(), "{status} to {first}: {text}");
        // Of the application that is stored every text is one that tries to be an element. Files for programs keep it.
        let is_page = text.starts_with("<!doctype html>") || text.starts_with("<!DOCTYPE html>");
        assert!(!is_page || !text.contains("<img src=x"), "{first}: hostile text became an element");
    });
}
