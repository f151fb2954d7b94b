//! Headers that hold for every answer.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, header};

use crate::Web;

/// Own files only. `style-src` and `script-src` without `unsafe-inline`: text that a SaaS sent can neither run nor
/// restyle the page, even if an escape were forgotten. Forms go home, nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Sets the security headers.
pub(crate) async fn headers(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // A mail that is looked at comes with a policy of its own.
    let own = headers.get(header::CONTENT_SECURITY_POLICY).cloned();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    if web.config.https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if let Some(own) = own {
        headers.insert(header::CONTENT_SECURITY_POLICY, own);
    }
    response
}

/// Whoever presses a button and goes away has pressed it: what was begun is done to its end, and is told to all who wait for
/// it. Otherwise a change could be stored and nobody know of it.
pub(crate) async fn to_its_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The server stops at once.
            Err(_) => http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    }
}

/// Pages are for the one who is signed in, and must be fresh: no cache keeps them.
pub(crate) async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use http::Request;
    use tokio::sync::Semaphore;
    use tower::ServiceExt as _;

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_has_pressed_the_button_all_the_same() {
        let stored = Arc::new(Semaphore::new(0));
        let button = {
            let stored = Arc::clone(&stored);
            move || async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                stored.add_permits(1);
                "stored"
            }
        };
        let pages = Router::new().route("/", post(button)).layer(from_fn(super::to_its_end));
        let pressed = pages.oneshot(Request::post("/").body(Body::empty()).expect("a request"));
        assert!(tokio::time::timeout(Duration::from_millis(10), pressed).await.is_err(), "gone");
        drop(stored.acquire().await.expect("open"));
    }
}
