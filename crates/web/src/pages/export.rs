//! Lists as files.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::{HeaderValue, header};

use crate::backend::{Export, FindingsFormat, Format};

/// Sends accounts or plugins.
pub(super) fn send(name: &str, format: Format, stream: Export) -> Response {
    let (kind, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    file(name, ending, kind, stream)
}

/// Sends findings.
pub(super) fn send_findings(format: FindingsFormat, stream: Export) -> Response {
    file("findings", format.ending(), format.media_type(), stream)
}

/// Sends a file as it is made. A fault in the middle breaks the connection off, so that a part is never taken for the
/// whole.
fn file(name: &str, ending: &str, kind: &'static str, stream: Export) -> Response {
    let body = Body::from_stream(stream.inspect(|chunk| {
        if let Err(refusal) = chunk {
            tracing::error!(%refusal, "an export broke off");
        }
    }));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{ending}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)],
        body,
    )
        .into_response()
}
