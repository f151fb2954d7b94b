//! The pages of Parapet: rendered on the server, complete without script, live where script runs.
//!
//! [`router`] turns a [`Backend`] into an axum router. Nothing here decides anything about scans or findings: pages
//! render `model::view` structs, forms call use cases, and every refusal is shown in the words it came with.
//!
//! No GET changes state. Every POST passes the same-origin check of [`tower_http::csrf`] and, once somebody is signed
//! in, carries the session's token. The content security policy allows own files only: no inline script, no inline
//! style, so nothing that a SaaS answered can run or dress up as part of the page.

mod assets;
pub mod backend;
mod chrome;
mod error;
mod form;
mod links;
mod live;
mod pages;
mod render;
mod security;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

pub use backend::{Answer, Backend, Export, FindingsFormat, Format, Secrets, SignedIn};

/// The largest form that is accepted, in bytes: a PEM key with room to spare.
const FORM_LIMIT: usize = 64 * 1024;

/// How pages are served.
#[derive(Debug, Clone, Default)]
pub struct WebConfig {
    /// Browsers reach Parapet by https: cookies are marked `Secure` and carry the `__Host-` prefix.
    pub https: bool,
    /// Version of the product, shown at the foot of every page.
    pub version: String,
    /// Turns true when the server drains: live connections end, so that it can stop. A closed channel counts as true.
    pub draining: Option<watch::Receiver<bool>>,
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: Arc<WebConfig>,
}

/// All pages, assets and the stream of changes.
pub fn router(backend: Arc<dyn Backend>, config: WebConfig) -> Router {
    let web = Web { backend, config: Arc::new(config) };
    Router::new()
        .merge(pages::routes())
        .merge(live::routes())
        .fallback(error::no_such_page)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(CsrfLayer::new())
        .layer(middleware::from_fn(security::private))
        .layer(middleware::from_fn(security::to_its_end))
        .merge(assets::routes())
        .layer(middleware::from_fn_with_state(web.clone(), error::explain))
        .layer(middleware::from_fn_with_state(web.clone(), security::headers))
        .layer(CompressionLayer::new())
        .with_state(web)
}
