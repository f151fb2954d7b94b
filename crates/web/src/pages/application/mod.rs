//! One application: Summary, Drift and History. The other tabs are the lists of the same names.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use model::id::InstanceId;
use model::scan::ScanKind;
use model::view::{DriftPage, HistoryPage, HistoryQuery, InventorySummary, SummaryPage};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::pages::export;
use crate::render::{self, charts, marks, time};
use crate::session::Signed;

/// The tabs: what follows the application's address, and the title.
pub(crate) const TABS: [(&str, &str); 6] = [
    ("", "Summary"),
    ("/findings", "Findings"),
    ("/accounts", "Accounts"),
    ("/plugins", "Plugins"),
    ("/drift", "Drift"),
    ("/history", "History"),
];

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/applications/{id}", get(summary))
        .route("/applications/{id}/drift", get(drift))
        .route("/applications/{id}/history", get(history))
        .route("/applications/{id}/history.csv", get(runs_csv))
        .route("/applications/{id}/history.json", get(runs_json))
}

/// The address of an application, or of a part of it.
pub(crate) fn address(id: &InstanceId, part: &str) -> String {
    format!("/applications/{}{part}", render::segment(id))
}

#[derive(Template)]
#[template(path = "application/summary.html")]
struct Summary<'a> {
    chrome: Chrome,
    page: &'a SummaryPage,
}

impl Summary<'_> {
    fn inventories(&self) -> [(&'static str, &'static str, &Option<InventorySummary>); 2] {
        [("Accounts", "accounts", &self.page.accounts), ("Plugins", "plugins", &self.page.plugins)]
    }
}

async fn summary(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let page = web.backend.summary(signed.actor(), &id).await?;
    let chrome = Chrome::new(&web, &signed, Section::Applications, &page.header.instance.name)
        .await
        .live(address(&id, ""), Some(&id))
        .done(&query);
    show(&Summary { chrome, page: &page })
}

#[derive(Template)]
#[template(path = "application/drift.html")]
struct Drift<'a> {
    chrome: Chrome,
    page: &'a DriftPage,
    links: Links,
}

async fn drift(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let links = Links::new(address(&id, "/drift"), query);
    let page = web.backend.drift(signed.actor(), &id, &links.cut()).await?;
    let title = format!("Drift of {}", page.header.instance.name);
    let chrome = Chrome::new(&web, &signed, Section::Applications, title).await.live(links.here(), Some(&id));
    show(&Drift { chrome, page: &page, links })
}

#[derive(Template)]
#[template(path = "application/history.html")]
struct History<'a> {
    chrome: Chrome,
    page: &'a HistoryPage,
    links: Links,
}

fn wanted(links: &Links) -> Result<HistoryQuery, Failure> {
    Ok(HistoryQuery {
        kind: links.parsed("kind", ScanKind::parse)?,
        outcome: links.text("outcome"),
        cut: links.cut(),
    })
}

async fn runs(
    web: &Web,
    signed: &Signed,
    id: String,
    query: Vec<(String, String)>,
    format: Format,
) -> Result<Response, Failure> {
    let wanted = wanted(&Links::new("", query))?;
    let stream = web.backend.export_runs(signed.actor(), &InstanceId::from(id), &wanted, format).await?;
    Ok(export::send("runs", format, stream))
}

async fn runs_csv(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    runs(&web, &signed, id, query, Format::Csv).await
}

async fn runs_json(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    runs(&web, &signed, id, query, Format::Json).await
}

async fn history(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let links = Links::new(address(&id, "/history"), query);
    let wanted = wanted(&links)?;
    let page = web.backend.history(signed.actor(), &id, &wanted).await?;
    let title = format!("History of {}", page.header.instance.name);
    let chrome = Chrome::new(&web, &signed, Section::Applications, title).await.live(links.here(), Some(&id));
    show(&History { chrome, page: &page, links })
}
