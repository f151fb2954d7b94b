//! Checks: the catalogue's questions, and one of them.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use model::finding::Severity;
use model::id::{AppId, CheckId};
use model::scan::ScanKind;
use model::view::{CheckPage, ChecksPage, ChecksQuery};

use crate::Web;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    // A check's id has a slash in it (`github/org-requires-2fa`), so it takes the rest of the address.
    Router::new().route("/checks", get(list)).route("/checks/{app}/{*check}", get(one))
}

#[derive(Template)]
#[template(path = "checks/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a ChecksPage,
    links: Links,
}

async fn list(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let links = Links::new("/checks", query);
    let wanted = ChecksQuery {
        app: links.text("app").map(Into::into),
        severity: links.parsed("severity", Severity::parse)?,
        scan: links.parsed("scan", ScanKind::parse)?,
        outcome: links.text("outcome"),
        search: links.text("search"),
        cut: links.cut(),
    };
    let page = web.backend.checks(signed.actor(), &wanted).await?;
    let chrome = Chrome::new(&web, &signed, Section::Checks, "Checks").await.live(links.here(), None);
    show(&List { chrome, page: &page, links })
}

#[derive(Template)]
#[template(path = "checks/one.html")]
struct One<'a> {
    chrome: Chrome,
    page: &'a CheckPage,
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path((app, check)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let page = web.backend.check(signed.actor(), &AppId::from(app), &CheckId::from(check)).await?;
    let chrome = Chrome::new(&web, &signed, Section::Checks, &page.check.title).await;
    show(&One { chrome, page: &page })
}
