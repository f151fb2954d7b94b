//! Checks: the catalogue's questions, and one of them.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use model::finding::Severity;
use model::id::{AppId, CheckId, InstanceId};
use model::scan::ScanKind;
use model::view::{CheckPage, ChecksPage, ChecksQuery};

use crate::Web;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::links::Links;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    // A check's id has a slash in it (`github/org-requires-2fa`), so it takes the rest of the address.
    Router::new()
        .route("/checks", get(list))
        .route("/checks/{app}/{*check}", get(one))
        .route("/applications/{id}/parameters", post(set_param))
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
    /// Whether there is an application for which a parameter could be set.
    settable: bool,
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path((app, check)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let page = web.backend.check(signed.actor(), &AppId::from(app), &CheckId::from(check)).await?;
    let chrome = Chrome::new(&web, &signed, Section::Checks, &page.check.title).await.done(&query);
    let settable = page.params.iter().any(|p| !p.instances.is_empty());
    show(&One { chrome, page: &page, settable })
}

async fn set_param(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let (id, check) = (InstanceId::from(id), CheckId::from(form.fields.get("check")));
    let value = form.fields.get("reset").is_empty().then(|| form.fields.get("value"));
    web.backend.set_param(form.signed.actor(), &id, &check, form.fields.get("name"), value).await?;
    // What was changed exists, so that these are ids of the catalogue.
    let place =
        format!("/checks/{}/{check}?done=parameter#parameters", render::segment(form.fields.get("app")));
    Ok(Redirect::to(&place).into_response())
}
