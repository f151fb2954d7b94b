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
