//! Exceptions: what is accepted for a while, by whom, and when that ends.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use model::finding::Severity;
use model::id::FindingId;
use model::view::{ExceptionInput, ExceptionsPage, ExceptionsQuery, Refusal};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::{Fields, SignedForm};
use crate::links::Links;
use crate::pages::export;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/exceptions", get(list))
        .route("/exceptions.csv", get(csv))
        .route("/exceptions.json", get(json))
        .route("/findings/{id}/except", post(except))
        .route("/findings/{id}/end-exception", post(end))
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links) -> Result<ExceptionsQuery, Refusal> {
    Ok(ExceptionsQuery {
        instance: links.text("instance").map(Into::into),
        app: links.text("app").map(Into::into),
        severity: links.parsed("severity", Severity::parse)?,
        soon: links.flag("soon")?,
        search: links.text("search"),
        cut: links.cut(),
    })
}

/// What an exception's form says.
pub(super) fn input(fields: &Fields) -> ExceptionInput {
    ExceptionInput {
        reason: fields.get("reason").to_owned(),
        approver: fields.get("approver").to_owned(),
        until: fields.get("until").to_owned(),
    }
}

#[derive(Template)]
#[template(path = "exceptions/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a ExceptionsPage,
    links: Links,
}

async fn list(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    let links = Links::new("/exceptions", query);
    let page = web.backend.exceptions(signed.actor(), &wanted(&links)?).await?;
    let chrome = Chrome::new(&web, &signed, Section::Exceptions, "Exceptions").await.live(links.here(), None);
    show(&List { chrome, page: &page, links })
}

async fn send(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    format: Format,
) -> Result<Response, Failure> {
    let wanted = wanted(&Links::new("", query))?;
    let stream = web.backend.export_exceptions(signed.actor(), &wanted, format).await?;
    Ok(export::send("exceptions", format, stream))
}

async fn csv(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    send(&web, &signed, query, Format::Csv).await
}
async fn json(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    send(&web, &signed, query, Format::Json).await
}

async fn except(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = FindingId::from(id);
    web.backend.except_finding(form.signed.actor(), &id, &input(&form.fields)).await?;
    Ok(Redirect::to(&format!("/findings/{}?done=excepted", render::segment(&id))).into_response())
}

async fn end(State(web): State<Web>, Path(id): Path<String>, form: SignedForm) -> Result<Response, Failure> {
    let id = FindingId::from(id);
    web.backend.end_exception(form.signed.actor(), &id).await?;
    Ok(Redirect::to(&format!("/findings/{}?done=exception-ended", render::segment(&id))).into_response())
}
