//! Plugins across applications, and by user.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use model::view::{PartiesPage, PartiesQuery, PluginUsersPage, PluginUsersQuery, Refusal, Review};

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
        .route("/plugins/across", get(parties))
        .route("/plugins/across.csv", get(parties_csv))
        .route("/plugins/across.json", get(parties_json))
        .route("/plugins/users", get(users))
        .route("/plugins/users.csv", get(users_csv))
        .route("/plugins/users.json", get(users_json))
}

type RawQuery = Query<Vec<(String, String)>>;

fn wanted(links: &Links) -> Result<PartiesQuery, Refusal> {
    Ok(PartiesQuery {
        app: links.text("app").map(Into::into),
        kind: links.text("kind"),
        grade: links.text("grade"),
        review: links.parsed("review", Review::parse)?,
        search: links.text("search"),
        cut: links.cut(),
    })
}

fn wanted_users(links: &Links) -> PluginUsersQuery {
    PluginUsersQuery {
        app: links.text("app").map(Into::into),
        search: links.text("search"),
        cut: links.cut(),
    }
}

#[derive(Template)]
#[template(path = "plugins/across.html")]
struct Parties<'a> {
    chrome: Chrome,
    page: &'a PartiesPage,
    links: Links,
}

async fn parties(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    let links = Links::new("/plugins/across", query);
    let page = web.backend.plugin_parties(signed.actor(), &wanted(&links)?).await?;
    let chrome = Chrome::new(&web, &signed, Section::Plugins, "Plugins across applications")
        .await
        .live(links.here(), None);
    show(&Parties { chrome, page: &page, links })
}

#[derive(Template)]
#[template(path = "plugins/users.html")]
struct Users<'a> {
    chrome: Chrome,
    page: &'a PluginUsersPage,
    links: Links,
}

async fn users(State(web): State<Web>, signed: Signed, Query(query): RawQuery) -> Result<Response, Failure> {
    let links = Links::new("/plugins/users", query);
    let page = web.backend.plugin_users(signed.actor(), &wanted_users(&links)).await?;
    let chrome =
        Chrome::new(&web, &signed, Section::Plugins, "Plugins by user").await.live(links.here(), None);
    show(&Users { chrome, page: &page, links })
}

async fn send_parties(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    format: Format,
) -> Result<Response, Failure> {
    let stream = web.backend.export_parties(signed.actor(), &wanted(&Links::new("", query))?, format).await?;
    Ok(export::send("plugins-across", format, stream))
}

async fn parties_csv(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send_parties(&web, &signed, query, Format::Csv).await
}
async fn parties_json(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send_parties(&web, &signed, query, Format::Json).await
}

async fn send_users(
    web: &Web,
    signed: &Signed,
    query: Vec<(String, String)>,
    format: Format,
) -> Result<Response, Failure> {
    let wanted = wanted_users(&Links::new("", query));
    let stream = web.backend.export_plugin_users(signed.actor(), &wanted, format).await?;
    Ok(export::send("plugin-users", format, stream))
}

async fn users_csv(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send_users(&web, &signed, query, Format::Csv).await
}
async fn users_json(
    State(web): State<Web>,
    signed: Signed,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    send_users(&web, &signed, query, Format::Json).await
}
