//! Plugins: the list, of all applications or of one, and one plugin.

mod across;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use model::id::InstanceId;
use model::view::{PluginPage, PluginsPage, PluginsQuery, Refusal, Review};

use crate::Web;
use crate::backend::Format;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::links::Links;
use crate::pages::application::address;
use crate::pages::export;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/plugins", get(all))
        .route("/plugins.csv", get(all_csv))
        .route("/plugins.json", get(all_json))
        .route("/applications/{id}/plugins", get(of_one))
        .route("/applications/{id}/plugins.csv", get(of_one_csv))
        .route("/applications/{id}/plugins.json", get(of_one_json))
        .route("/applications/{id}/plugins/{plugin}", get(one))
        .route("/applications/{id}/plugins/{plugin}/review", post(review))
        .merge(across::routes())
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links, instance: Option<InstanceId>) -> Result<PluginsQuery, Refusal> {
    Ok(PluginsQuery {
        instance,
        app: links.text("app").map(Into::into),
        grade: links.text("grade"),
        kind: links.text("kind"),
        risk: links.text("risk"),
        review: links.parsed("review", Review::parse)?,
        same: links.text("same"),
        user: links.text("user"),
        search: links.text("search"),
        cut: links.cut(),
    })
}

#[derive(Template)]
#[template(path = "plugins/list.html")]
struct List<'a> {
    chrome: Chrome,
    page: &'a PluginsPage,
    links: Links,
}

async fn list(
    web: &Web,
    signed: &Signed,
    links: &Links,
    instance: Option<InstanceId>,
) -> Result<Response, Failure> {
    let page = web.backend.plugins(signed.actor(), &wanted(links, instance.clone())?).await?;
    let (section, title) = match &page.header {
        Some(header) => (Section::Applications, format!("Plugins of {}", header.instance.name)),
        None => (Section::Plugins, "Plugins".to_owned()),
    };
    let chrome = Chrome::new(web, signed, section, title).await.live(links.here(), instance.as_ref());
    show(&List { chrome, page: &page, links: links.clone() })
}

async fn all(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    list(&web, &signed, &Links::new("/plugins", query), None).await
}

async fn of_one(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    list(&web, &signed, &Links::new(address(&id, "/plugins"), query), Some(id)).await
}

async fn send(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    instance: Option<InstanceId>,
    format: Format,
) -> Result<Response, Failure> {
    let wanted = wanted(&Links::new("", query), instance)?;
    let stream = web.backend.export_plugins(signed.actor(), &wanted, format).await?;
    Ok(export::send("plugins", format, stream))
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
#[template(path = "plugins/one.html")]
struct One<'a> {
    chrome: Chrome,
    page: &'a PluginPage,
}

async fn one(
    State(web): State<Web>,
    signed: Signed,
    Path((id, plugin)): Path<(String, String)>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let page = web.backend.plugin(signed.actor(), &id, &plugin).await?;
    let here = address(&id, &format!("/plugins/{}", render::segment(&plugin)));
    let chrome = Chrome::new(&web, &signed, Section::Plugins, &page.plugin.name)
        .await
        .live(here, Some(&id))
        .done(&query);
    show(&One { chrome, page: &page })
}

async fn review(
    State(web): State<Web>,
    Path((id, plugin)): Path<(String, String)>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let Some(review) = Review::parse(form.fields.get("review")) else {
        return Err(Failure::Status(http::StatusCode::UNPROCESSABLE_ENTITY));
    };
    let note = form.fields.get("note");
    web.backend.review_plugin(form.signed.actor(), &id, &plugin, review, note).await?;
    let back = address(&id, &format!("/plugins/{}?done=reviewed", render::segment(&plugin)));
    Ok(Redirect::to(&back).into_response())
}
