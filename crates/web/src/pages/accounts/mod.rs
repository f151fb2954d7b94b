//! Accounts: the list, of all applications or of one, and one account.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use model::id::InstanceId;
use model::identity::Match;
use model::view::{AccountPage, AccountsPage, AccountsQuery, Refusal};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::links::Links;
use crate::pages::application::address;
use crate::pages::{exceptions, export};
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
        .route("/applications/{id}/accounts/{account}/link", post(link))
        .route("/applications/{id}/accounts/{account}/unlink", post(unlink))
        .route("/applications/{id}/accounts/{account}/known", post(known))
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
        identity: links.parsed("identity", Match::parse)?,
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

impl One<'_> {
    fn base(&self) -> String {
        one_address(&self.page.account.instance.id, &self.page.account.id)
    }

    fn known_action(&self) -> String {
        self.base() + "/known"
    }
}

fn one_address(id: &InstanceId, account: &str) -> String {
    address(id, &format!("/accounts/{}", render::segment(account)))
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path((id, account)): Path<(String, String)>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let links = Links::new(one_address(&id, &account), query.clone());
    let page = web.backend.account(signed.actor(), &id, &account, links.get("person")).await?;
    let chrome = Chrome::new(&web, &signed, Section::Accounts, &page.account.username)
        .await
        .live(links.here(), Some(&id))
        .done(&query);
    show(&One { chrome, page: &page })
}

fn back(id: &InstanceId, account: &str, done: &str) -> Response {
    Redirect::to(&format!("{}?done={done}", one_address(id, account))).into_response()
}

async fn link(
    State(web): State<Web>,
    Path((id, account)): Path<(String, String)>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let (key, note) = (form.fields.get("identity"), form.fields.get("note"));
    web.backend.link_account(form.signed.actor(), &id, &account, key, note).await?;
    Ok(back(&id, &account, "linked"))
}

async fn unlink(
    State(web): State<Web>,
    Path((id, account)): Path<(String, String)>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    web.backend.unlink_account(form.signed.actor(), &id, &account).await?;
    Ok(back(&id, &account, "unlinked"))
}

async fn known(
    State(web): State<Web>,
    Path((id, account)): Path<(String, String)>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let input = exceptions::input(&form.fields);
    web.backend.account_known_until(form.signed.actor(), &id, &account, &input).await?;
    Ok(back(&id, &account, "known"))
}
