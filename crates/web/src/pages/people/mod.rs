//! Accounts by person: one row a person over all applications, and one person with all accounts.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use model::view::{PeoplePage, PeopleQuery, PersonPage, Refusal};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::pages::export;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/people", get(list))
        .route("/people.csv", get(csv))
        .route("/people.json", get(json))
        .route("/people/{key}", get(one))
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links) -> Result<PeopleQuery, Refusal> {
    Ok(PeopleQuery {
        app: links.text("app").map(Into::into),
        deactivated: links.flag("deactivated")?,
        risky: links.flag("risky")?,
        privileged: links.flag("privileged")?,
        search: links.text("search"),
        cut: links.cut(),
    })
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a PeoplePage,
    links: Links,
}

async fn list(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    let links = Links::new("/people", query);
    let page = web.backend.people(signed.actor(), &wanted(&links)?).await?;
    let chrome =
        Chrome::new(&web, &signed, Section::Accounts, "Accounts by person").await.live(links.here(), None);
    show(&List { chrome, page: &page, links })
}

async fn send(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    format: Format,
) -> Result<Response, Failure> {
    let stream = web.backend.export_people(signed.actor(), &wanted(&Links::new("", query))?, format).await?;
    Ok(export::send("people", format, stream))
}

async fn csv(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    send(&web, &signed, query, Format::Csv).await
}
async fn json(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    send(&web, &signed, query, Format::Json).await
}

#[derive(Template)]
#[template(path = "people/one.html")]
struct One<'a> {
    chrome: Chrome,
    page: &'a PersonPage,
}

async fn one(State(web): State<Web>, signed: Signed, Path(key): Path<String>) -> Result<Response, Failure> {
    let page = web.backend.person(signed.actor(), &key).await?;
    let here = format!("/people/{}", render::segment(&key));
    let chrome = Chrome::new(&web, &signed, Section::Accounts, &page.name).await.live(here, None);
    show(&One { chrome, page: &page })
}
