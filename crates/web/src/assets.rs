//! Own files: style sheet, script, icons. Their names carry a hash of their content, so browsers may keep them for ever.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use model::view::Mark;

use crate::Web;

struct Asset {
    name: String,
    kind: &'static str,
    bytes: Vec<u8>,
}

/// The files under their served names.
struct Assets {
    all: Vec<Asset>,
    style: String,
    scripts: [String; 2],
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let style = [
        include_str!("../assets/base.css"),
        include_str!("../assets/parts.css"),
        include_str!("../assets/pages.css"),
    ]
    .concat();
    let mut all = Vec::new();
    let mut add = |stem: &str, ending: &str, kind, bytes: Vec<u8>| {
        let name = format!("{stem}-{:016x}.{ending}", fnv(&bytes));
        all.push(Asset { name: name.clone(), kind, bytes });
        name
    };
    let style = add("parapet", "css", "text/css; charset=utf-8", style.into_bytes());
    let scripts = [
        add(
            "htmx",
            "js",
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/htmx-4.0.1.min.js").to_vec(),
        ),
        add(
            "hx-sse",
            "js",
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/hx-sse-4.0.1.min.js").to_vec(),
        ),
    ];
    for mark in Mark::ALL.into_iter().map(Some).chain([None]) {
        // The badge's shape and colour follow the worst status, so the name stays and the content is one of a few.
        let name = format!("icon-{}.svg", mark.map_or("none", Mark::as_str));
        all.push(Asset { name, kind: "image/svg+xml", bytes: icon(mark).into_bytes() });
    }
    Assets { all, style, scripts }
});

/// Address of the style sheet.
pub(crate) fn style() -> String {
    format!("/assets/{}", ASSETS.style)
}

/// Addresses of the scripts, in the order in which they load.
pub(crate) fn scripts() -> [String; 2] {
    [0, 1].map(|at| format!("/assets/{}", ASSETS.scripts[at]))
}

/// Address of the icon with the badge of the worst status.
pub(crate) fn favicon(worst: Option<Mark>) -> String {
    format!("/assets/icon-{}.svg", worst.map_or("none", Mark::as_str))
}

pub(crate) fn routes() -> Router<Web> {
    Router::new().route("/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.all.iter().find(|a| a.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        ],
        asset.bytes.as_slice(),
    )
        .into_response()
}

/// FNV-1a, 64 bits: tells contents apart for caching. Not a check against tampering.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The crenellated wall of the wordmark, with the mark of the worst status at its foot.
fn icon(worst: Option<Mark>) -> String {
    let mut out = String::from(concat!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>"#,
        ".w{fill:#35405c}.h{fill:#fff}@media(prefers-color-scheme:dark){.w{fill:#c9d2e8}.h{fill:#15181f}}",
        r#"</style><path class="w" d="M3 7h6v5h4V7h6v5h4V7h6v19H3z"/>"#
    ));
    let badge = match worst {
        None | Some(Mark::NotEnabled) => "",
        Some(Mark::Up) => r##"<circle cx="23" cy="23" r="6" fill="#21a366"/>"##,
        Some(Mark::Unhealthy) => r##"<path d="M23 15.5 30.5 29h-15z" fill="#e09a00"/>"##,
        Some(Mark::Down) => r##"<path d="M17 17h12v12H17z" fill="#d6303c"/>"##,
        Some(Mark::Scanning) => {
            r##"<circle cx="23" cy="23" r="5" fill="none" stroke="#2f7de0" stroke-width="2.5" stroke-dasharray="2.6 1.3"/>"##
        }
        Some(Mark::Paused) => r##"<path d="M18.5 17h3v12h-3zm6 0h3v12h-3z" fill="#7d8698"/>"##,
    };
    if !badge.is_empty() {
        let _ = write!(out, r#"<circle class="h" cx="23" cy="23" r="9"/>{badge}"#);
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_contents() {
        assert_ne!(fnv(b"a"), fnv(b"b"));
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(ASSETS.all.iter().filter(|a| a.name.starts_with("icon-")).count(), Mark::ALL.len() + 1);
    }

    /// The vendored files are exactly the released ones: a changed byte is a changed product.
    #[test]
    fn vendored_scripts_are_the_released_ones() {
        let manifest = include_str!("../assets/README.md");
        for (file, bytes) in [
            ("htmx-4.0.1.min.js", include_bytes!("../assets/htmx-4.0.1.min.js").as_slice()),
            ("hx-sse-4.0.1.min.js", include_bytes!("../assets/hx-sse-4.0.1.min.js").as_slice()),
        ] {
            let line = format!("| `{file}` | {} | {:016x} |", bytes.len(), fnv(bytes));
            assert!(manifest.contains(&line), "assets/README.md lacks the line {line}");
        }
    }
}
