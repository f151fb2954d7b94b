//! The audit log.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use model::view::{AuditPage, AuditQuery};

use crate::Web;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/audit", get(page))
}

#[derive(Template)]
#[template(path = "audit/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a AuditPage,
    links: &'a Links,
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let links = Links::new("/audit", query);
    let wanted = AuditQuery {
        instance: links.text("application").map(Into::into),
        action: links.text("action"),
        actor: links.text("actor"),
        cut: links.cut(),
    };
    let page = web.backend.audit(signed.actor(), &wanted).await?;
    let chrome = Chrome::new(&web, &signed, Section::Audit, "Audit log").await;
    show(&Page { chrome, page: &page, links: &links })
}
