//! The Applications page: every onboarded application, what is not Up first.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use model::view::{ApplicationsPage, ApplicationsQuery, Mark};

use crate::Web;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::render::{self, charts, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/applications", get(page))
}

#[derive(Template)]
#[template(path = "applications/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a ApplicationsPage,
    links: Links,
    as_list: bool,
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let links = Links::new("/applications", query.clone());
    let wanted = ApplicationsQuery {
        search: links.text("search"),
        status: links.parsed("status", Mark::parse)?,
        owner: links.text("owner"),
        app: links.text("app").map(Into::into),
        warning: links.text("warning"),
        cut: links.cut(),
    };
    let page = web.backend.applications(signed.actor(), &wanted).await?;
    let chrome = Chrome::new(&web, &signed, Section::Applications, "Applications")
        .await
        .live(links.here(), None)
        .done(&query);
    show(&Page { chrome, page: &page, as_list: links.get("layout") == Some("list"), links })
}
