//! Accounts: the list, of all applications or of one, and one account.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use model::id::InstanceId;
use model::view::{AccountPage, AccountsPage, AccountsQuery, Refusal};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::links::Links;
use crate::pages::application::address;
use crate::pages::export;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/accounts", get(all))
        .route("/accounts.csv", get(all_csv))
        .route("/accounts.json", get(all_json))
        .route("/applications/{id}/accounts", get(of_one))
        .route("/applications/{id}/accounts.csv", get(of_one_csv))
        .route("/applications/{id}/accounts.json", get(of_one_json))
        .route("/applications/{id}/accounts/{account}", get(one))
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links, instance: Option<InstanceId>) -> Result<AccountsQuery, Refusal> {
    Ok(AccountsQuery {
        instance,
        app: links.text("app").map(Into::into),
        risk: links.text("risk"),
        kind: links.text("kind"),
        state: links.text("state"),
        privileged: links.flag("privileged")?,
        identity: links.text("identity"),
        search: links.text("search"),
        cut: links.cut(),
    })
}

#[derive(Template)]
#[template(path = "accounts/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a AccountsPage,
    links: Links,
}

async fn list(
    web: &Web,
    signed: &Signed,
    links: &Links,
    instance: Option<InstanceId>,
) -> Result<Response, Failure> {
    let page = web.backend.accounts(signed.actor(), &wanted(links, instance.clone())?).await?;
    let (section, title) = match &page.header {
        Some(header) => (Section::Applications, format!("Accounts of {}", header.instance.name)),
        None => (Section::Accounts, "Accounts".to_owned()),
    };
    let chrome = Chrome::new(web, signed, section, title).await.live(links.here(), instance.as_ref());
    show(&List { chrome, page: &page, links: links.clone() })
}

async fn all(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    list(&web, &signed, &Links::new("/accounts", query), None).await
}

async fn of_one(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    list(&web, &signed, &Links::new(address(&id, "/accounts"), query), Some(id)).await
}

async fn send(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    instance: Option<InstanceId>,
    format: Format,
) -> Result<Response, Failure> {
    let wanted = wanted(&Links::new("", query), instance)?;
    let stream = web.backend.export_accounts(signed.actor(), &wanted, format).await?;
    Ok(export::send("accounts", format, stream))
}

async fn all_csv(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send(&web, &signed, query, None, Format::Csv).await
}
async fn all_json(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send(&web, &signed, query, None, Format::Json).await
}
async fn of_one_csv(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send(&web, &signed, query, Some(id.into()), Format::Csv).await
}
async fn of_one_json(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send(&web, &signed, query, Some(id.into()), Format::Json).await
}

#[derive(Template)]
#[template(path = "accounts/one.html")]
struct One<'a> {
    chrome: Chrome,
    page: &'a AccountPage,
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path((id, account)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let page = web.backend.account(signed.actor(), &id, &account).await?;
    let here = address(&id, &format!("/accounts/{}", render::segment(&account)));
    let chrome =
        Chrome::new(&web, &signed, Section::Accounts, &page.account.username).await.live(here, Some(&id));
    show(&One { chrome, page: &page })
}
