//! What goes wrong, as pages: a refusal in its own words, and for our own faults the id under which the log has more.

use std::sync::atomic::{AtomicU64, Ordering};

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use model::view::{Refusal, RefusalKind};
use tracing::Instrument as _;

use crate::Web;

/// Why a handler gives no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A use case refused.
    Refused(Refusal),
    /// Nobody is signed in; `next` is where to go on after signing in.
    NotSignedIn { next: Option<String> },
    /// The form does not carry this session's token.
    ForeignForm,
    /// The address names nothing.
    NotFound,
    /// The request itself cannot be read.
    Status(StatusCode),
    /// A template failed: our own fault.
    Template(askama::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

/// The words of an error page, carried to [`explain`].
#[derive(Debug, Clone)]
struct Explanation {
    title: String,
    message: String,
    remedy: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotSignedIn { next: Some(next) } => {
                Redirect::to(&format!("/sign-in?next={}", crate::render::segment(next))).into_response()
            }
            Self::NotSignedIn { next: None } => explained(
                StatusCode::UNAUTHORIZED,
                "You are not signed in",
                "Your session has ended, so nothing was changed.",
                "Sign in and try again.",
            ),
            Self::ForeignForm => explained(
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "It was made for another session, so nothing was changed.",
                "Go back, reload the page and send the form again.",
            ),
            Self::Refused(refusal) => {
                let (status, title) = match refusal.kind {
                    RefusalKind::NotFound => (StatusCode::NOT_FOUND, "There is no such thing"),
                    RefusalKind::Forbidden => (StatusCode::FORBIDDEN, "Your role does not allow this"),
                    RefusalKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "This cannot be used"),
                    RefusalKind::Conflict => (StatusCode::CONFLICT, "This is not possible now"),
                    RefusalKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Too many attempts"),
                    // Not 502: a proxy in front of Parapet may put a page of its own in place of that answer.
                    RefusalKind::Vendor => {
                        (StatusCode::UNPROCESSABLE_ENTITY, "The application could not be asked")
                    }
                    RefusalKind::Internal => {
                        tracing::error!(message = refusal.message, "a use case failed");
                        (StatusCode::INTERNAL_SERVER_ERROR, "Parapet failed")
                    }
                };
                explained(status, title, &refusal.message, &refusal.remedy)
            }
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Status(status) => status.into_response(),
            Self::Template(error) => {
                tracing::error!(%error, "a page could not be rendered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn explained(status: StatusCode, title: &str, message: &str, remedy: &str) -> Response {
    let mut response = status.into_response();
    response.extensions_mut().insert(Explanation {
        title: title.to_owned(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    });
    response
}

/// Addresses that lead nowhere.
pub(crate) async fn no_such_page() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Addresses that exist for another method.
pub(crate) async fn no_such_method() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

#[derive(Template)]
#[template(path = "error/page.html")]
struct ErrorPage<'a> {
    style: String,
    favicon: String,
    status: u16,
    explanation: &'a Explanation,
    request_id: &'a str,
    ours: bool,
    sign_in: bool,
}

/// Numbers requests, and turns every answer that is an error without a page into a page.
pub(crate) async fn explain(State(_web): State<Web>, request: Request, next: Next) -> Response {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let request_id = format!("r{:06}", REQUESTS.fetch_add(1, Ordering::Relaxed));
    let span = tracing::info_span!("request", id = request_id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    let has_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if (status.is_client_error() || status.is_server_error()) && !has_page {
        let explanation = response.extensions_mut().remove::<Explanation>().unwrap_or_else(|| words(status));
        let page = ErrorPage {
            style: crate::assets::style(),
            favicon: crate::assets::favicon(None),
            status: status.as_u16(),
            explanation: &explanation,
            request_id: &request_id,
            ours: status.is_server_error(),
            sign_in: status == StatusCode::UNAUTHORIZED,
        };
        // When not even this can be rendered the plain status remains.
        if let Ok(shown) = crate::chrome::show_as(status, &page) {
            response = shown;
        }
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// Words for an answer that came without any.
fn words(status: StatusCode) -> Explanation {
    let (title, message, remedy) = match status {
        StatusCode::NOT_FOUND => (
            "There is no such page",
            "The address leads nowhere, or what it named has been removed.",
            "Start again from Applications.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("This address takes no such request", "Nothing was changed.", "Start again from Applications.")
        }
        StatusCode::FORBIDDEN => (
            "The request came from another site",
            "Your browser says that the form was sent from elsewhere, so nothing was changed. Behind a proxy this also \
             happens when it does not pass the Host and Origin headers on.",
            "Open Parapet directly and try again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "The form is too large",
            "At most 64 kB are accepted, so nothing was changed.",
            "Check what was pasted.",
        ),
        status if status.is_client_error() => {
            ("The request could not be read", "Nothing was changed.", "Go back and try again.")
        }
        _ => (
            "Parapet failed",
            "This is a fault of Parapet, not of what you did. Scans go on.",
            "Try again. If it persists, look in the server's log under the request id.",
        ),
    };
    Explanation { title: title.to_owned(), message: message.to_owned(), remedy: remedy.to_owned() }
}
