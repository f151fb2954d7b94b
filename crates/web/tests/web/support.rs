//! Asking the router without a socket, and reading what a page says the way a screen reader would.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, Response, StatusCode, header};
use tower::ServiceExt as _;

use crate::samples::Samples;

/// A router over samples that can be asked one request after another.
pub(crate) struct Site {
    pub(crate) samples: Arc<Samples>,
    router: Router,
}

/// An answer with its text.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("a header in ASCII"))
    }
}

impl Site {
    pub(crate) fn new(samples: Samples, config: web::WebConfig) -> Self {
        let samples = Arc::new(samples);
        Self { router: web::router(samples.clone(), config), samples }
    }

    pub(crate) fn samples() -> Self {
        Self::new(Samples::new(), web::WebConfig { version: "0.0.0".to_owned(), ..web::WebConfig::default() })
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Page {
        let response: Response<Body> =
            self.router.clone().oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 << 20).await.expect("a whole body");
        Page {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("pages are UTF-8"),
        }
    }

    /// A GET as `admin`.
    pub(crate) async fn get(&self, path: &str) -> Page {
        self.ask(get(path, Some("admin"))).await
    }

    /// A POST as `admin` with the session's token.
    pub(crate) async fn post(&self, path: &str, fields: &str) -> Page {
        self.ask(post(path, Some("admin"), &format!("csrf=sample-csrf&{fields}"))).await
    }
}

pub(crate) fn get(path: &str, who: Option<&str>) -> Request<Body> {
    let mut request = Request::get(path);
    if let Some(who) = who {
        request = request.header(header::COOKIE, format!("parapet_session={who}"));
    }
    request.body(Body::empty()).expect("a request")
}

pub(crate) fn post(path: &str, who: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::HOST, "parapet.example")
        .header("sec-fetch-site", "same-origin");
    if let Some(who) = who {
        request = request.header(header::COOKIE, format!("parapet_session={who}"));
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

/// A page as a screen reader meets it: landmarks, headings, links, buttons, fields and column headings, in order.
pub(crate) fn outline(html: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // Elements that are open: tag, where their line stands, what was read inside them.
    let mut open: Vec<(String, Option<usize>, String)> = Vec::new();
    let mut depth = 0usize;
    for token in tokens(html) {
        match token {
            Token::Text(text) => {
                for (_, _, read) in &mut open {
                    read.push_str(text);
                }
            }
            Token::Open(tag, attributes) => {
                let label = attribute(attributes, "aria-label").unwrap_or_default();
                let name = |kind: &str| {
                    if label.is_empty() { kind.to_owned() } else { format!("{kind} \"{label}\"") }
                };
                let line = match tag {
                    "header" => Some("banner".to_owned()),
                    "main" | "footer" | "nav" | "aside" => Some(name(tag)),
                    "form" => Some(match attribute(attributes, "action") {
                        Some(action) => format!(
                            "form {} {action}",
                            attribute(attributes, "method").unwrap_or("get".into())
                        ),
                        None => "form".to_owned(),
                    }),
                    "section" | "article" | "table" | "fieldset" => Some(tag.to_owned()),
                    "div" if attribute(attributes, "role").as_deref() == Some("region") => {
                        Some(name("region"))
                    }
                    "svg" if !label.is_empty() => Some(name("image")),
                    "h1" | "h2" | "h3" | "h4" | "button" | "summary" | "legend" | "label" => {
                        Some(tag.to_owned())
                    }
                    "th" if attribute(attributes, "scope").as_deref() == Some("col") => {
                        Some("column".to_owned())
                    }
                    "a" => Some(format!("link {}", attribute(attributes, "href").unwrap_or_default())),
                    "input" if attribute(attributes, "type").as_deref() != Some("hidden") => Some(format!(
                        "input {} {}",
                        attribute(attributes, "type").unwrap_or("text".into()),
                        attribute(attributes, "name").unwrap_or_default()
                    )),
                    "select" | "textarea" => {
                        Some(format!("{tag} {}", attribute(attributes, "name").unwrap_or_default()))
                    }
                    _ => None,
                };
                let at = line.map(|line| {
                    lines.push(format!("{}{line}", "  ".repeat(depth)));
                    lines.len() - 1
                });
                if !matches!(tag, "input" | "meta" | "link" | "br" | "img" | "hr") {
                    if matches!(
                        tag,
                        "header"
                            | "main"
                            | "footer"
                            | "nav"
                            | "aside"
                            | "section"
                            | "article"
                            | "table"
                            | "form"
                            | "fieldset"
                    ) {
                        depth += 1;
                    }
                    open.push((tag.to_owned(), at, String::new()));
                }
            }
            Token::Close(tag) => {
                let (opened, at, read) = open.pop().unwrap_or_else(|| panic!("</{tag}> closes nothing"));
                assert_eq!(opened, tag, "elements overlap");
                if matches!(
                    tag,
                    "header"
                        | "main"
                        | "footer"
                        | "nav"
                        | "aside"
                        | "section"
                        | "article"
                        | "table"
                        | "form"
                        | "fieldset"
                ) {
                    depth -= 1;
                }
                let named = matches!(
                    tag,
                    "h1" | "h2" | "h3" | "h4" | "button" | "summary" | "legend" | "label" | "th" | "a"
                );
                if let (Some(at), true) = (at, named) {
                    let words = read.split_whitespace().collect::<Vec<_>>().join(" ");
                    lines[at].push_str(": ");
                    lines[at].push_str(&words);
                }
            }
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    lines.join("\n")
}

enum Token<'a> {
    Text(&'a str),
    Open(&'a str, &'a str),
    Close(&'a str),
}

/// Our own pages only: every attribute quoted, every element closed, no comments, no inline script.
fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = html.trim_start().strip_prefix("<!doctype html>").expect("a page begins with its doctype");
    while let Some((text, tail)) = rest.split_once('<') {
        if !text.is_empty() {
            out.push(Token::Text(text));
        }
        let mut quoted = false;
        let end = tail
            .char_indices()
            .find(|(_, c)| {
                quoted ^= *c == '"';
                *c == '>' && !quoted
            })
            .map(|(at, _)| at)
            .expect("a tag ends");
        let inside = &tail[..end];
        rest = &tail[end + 1..];
        if let Some(tag) = inside.strip_prefix('/') {
            out.push(Token::Close(tag));
        } else {
            let (tag, attributes) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
            let empty = inside.ends_with('/');
            let tag = tag.trim_end_matches('/');
            out.push(Token::Open(tag, attributes));
            if empty {
                out.push(Token::Close(tag));
            }
        }
    }
    out
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let start = if attributes.starts_with(&format!("{name}=\"")) {
        0
    } else {
        attributes.find(&format!(" {name}=\""))? + 1
    };
    let value = &attributes[start + name.len() + 2..];
    Some(value.split('"').next().unwrap_or_default().to_owned())
}
