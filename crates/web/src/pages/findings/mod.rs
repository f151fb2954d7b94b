//! Findings: the list, of all applications or of one, and one finding.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use model::finding::{FindingState, Severity};
use model::id::{FindingId, InstanceId};
use model::scan::ScanKind;
use model::view::{FindingPage, FindingsPage, FindingsQuery, Refusal};

use crate::Web;
use crate::backend::FindingsFormat;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::links::Links;
use crate::pages::application::address;
use crate::pages::export;
use crate::render::{self, charts, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    let pages = Router::new()
        .route("/findings", get(all))
        .route("/findings/{id}", get(one))
        .route("/findings/{id}/state", post(set_state))
        .route("/applications/{id}/findings", get(of_one));
    FindingsFormat::ALL.into_iter().fold(pages, |router, format| {
        let all = move |State(web): State<Web>, signed: Signed, Query(query): RawQuery| async move {
            send(&web, &signed, query, None, format).await
        };
        let of_one = move |State(web): State<Web>,
                           signed: Signed,
                           Path(id): Path<String>,
                           Query(query): RawQuery| async move {
            send(&web, &signed, query, Some(id.into()), format).await
        };
        router
            .route(&format!("/findings.{}", format.as_str()), get(all))
            .route(&format!("/applications/{{id}}/findings.{}", format.as_str()), get(of_one))
    })
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links, instance: Option<InstanceId>) -> Result<FindingsQuery, Refusal> {
    Ok(FindingsQuery {
        instance,
        app: links.text("app").map(Into::into),
        severity: links.parsed("severity", Severity::parse)?,
        state: links.parsed("state", FindingState::parse)?,
        scan: links.parsed("scan", ScanKind::parse)?,
        check: links.text("check").map(Into::into),
        resource: links.text("resource"),
        owner: links.text("owner"),
        stale: links.flag("stale")?,
        search: links.text("search"),
        cut: links.cut(),
    })
}

#[derive(Template)]
#[template(path = "findings/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a FindingsPage,
    links: Links,
}

async fn list(
    web: &Web,
    signed: &Signed,
    links: &Links,
    instance: Option<InstanceId>,
) -> Result<Response, Failure> {
    let page = web.backend.findings(signed.actor(), &wanted(links, instance.clone())?).await?;
    let (section, title) = match &page.header {
        Some(header) => (Section::Applications, format!("Findings of {}", header.instance.name)),
        None => (Section::Findings, "Findings".to_owned()),
    };
    let chrome = Chrome::new(web, signed, section, title).await.live(links.here(), instance.as_ref());
    show(&List { chrome, page: &page, links: links.clone() })
}

async fn all(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    list(&web, &signed, &Links::new("/findings", query), None).await
}

async fn of_one(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    list(&web, &signed, &Links::new(address(&id, "/findings"), query), Some(id)).await
}

async fn send(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    instance: Option<InstanceId>,
    format: FindingsFormat,
) -> Result<Response, Failure> {
    let wanted = wanted(&Links::new("", query), instance)?;
    let stream = web.backend.export_findings(signed.actor(), &wanted, format).await?;
    Ok(export::send_findings(format, stream))
}

#[derive(Template)]
#[template(path = "findings/one.html")]
struct One<'a> {
    chrome: Chrome,
    page: &'a FindingPage,
}

impl One<'_> {
    fn except_action(&self) -> String {
        format!("/findings/{}/except", render::segment(&self.page.finding.id))
    }

    fn except_title(&self) -> &'static str {
        if self.page.exception.is_some() { "Change the exception" } else { "Except until" }
    }
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = FindingId::from(id);
    let page = web.backend.finding(signed.actor(), &id).await?;
    let chrome = Chrome::new(&web, &signed, Section::Findings, &page.finding.title)
        .await
        .live(format!("/findings/{}", render::segment(&id)), Some(&page.finding.instance.id))
        .done(&query);
    show(&One { chrome, page: &page })
}

async fn set_state(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let Some(state) = FindingState::parse(form.fields.get("state")) else {
        return Err(Failure::Status(http::StatusCode::UNPROCESSABLE_ENTITY));
    };
    let id = FindingId::from(id);
    web.backend.set_finding_state(form.signed.actor(), &id, state).await?;
    Ok(Redirect::to(&format!("/findings/{}?done=state", render::segment(&id))).into_response())
}
