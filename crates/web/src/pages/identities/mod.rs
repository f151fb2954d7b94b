//! Identity providers: which are marked, how old and how whole they are; lists.

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use model::id::DirectoryId;
use model::view::{IdentityPage, ListInput, Refusal, RefusalKind};

use crate::Web;
use crate::chrome::{Chrome, Section, show_as};
use crate::error::Failure;
use crate::form::{SignedForm, SignedUpload};
use crate::render::{self, marks, time};
use crate::session::Signed;

/// The largest upload: a list, and the fields beside it.
const UPLOAD_LIMIT: usize = model::identity::MOST_BYTES + 64 * 1024;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/identity-providers", get(page))
        .route("/identity-providers/mark", post(mark))
        .route("/identity-providers/upload", post(upload).layer(DefaultBodyLimit::max(UPLOAD_LIMIT)))
        .route("/identity-providers/{id}/unmark", post(unmark))
        .route("/identity-providers/{id}/age", post(age))
}

#[derive(Template)]
#[template(path = "identities/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a IdentityPage,
    input: &'a ListInput,
    refusal: Option<&'a Refusal>,
}

async fn render(
    web: &Web,
    signed: &Signed,
    query: &[(String, String)],
    input: &ListInput,
    refusal: Option<&Refusal>,
) -> Result<Response, Failure> {
    let page = web.backend.identity_providers(signed.actor()).await?;
    let mut chrome = Chrome::new(web, signed, Section::Identities, "Identity providers").await;
    if refusal.is_none() {
        chrome = chrome.live("/identity-providers".to_owned(), None).done(query);
    }
    let status = if refusal.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show_as(status, &Page { chrome, page: &page, input, refusal })
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    render(&web, &signed, &query, &ListInput { days: 30, ..ListInput::default() }, None).await
}

async fn mark(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    let instance = form.fields.get("instance").into();
    web.backend.mark_identity_provider(form.signed.actor(), &instance).await?;
    Ok(Redirect::to("/identity-providers?done=idp-marked").into_response())
}

async fn unmark(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    web.backend.unmark_identity_provider(form.signed.actor(), &DirectoryId::from(id)).await?;
    Ok(Redirect::to("/identity-providers?done=idp-unmarked").into_response())
}

async fn age(State(web): State<Web>, Path(id): Path<String>, form: SignedForm) -> Result<Response, Failure> {
    let hours = form.fields.get("hours").parse().unwrap_or(0);
    web.backend.set_identity_age(form.signed.actor(), &DirectoryId::from(id), hours).await?;
    Ok(Redirect::to("/identity-providers?done=idp-age").into_response())
}

async fn upload(State(web): State<Web>, SignedUpload(form): SignedUpload) -> Result<Response, Failure> {
    let fields = &form.fields;
    let list = fields.get("list");
    let mut input = ListInput {
        id: (!list.is_empty()).then(|| list.into()),
        name: fields.get("name").to_owned(),
        text: fields.get("file").to_owned(),
        days: fields.get("days").parse().unwrap_or(0),
    };
    match web.backend.upload_identities(form.signed.actor(), &input).await {
        Ok(_) => Ok(Redirect::to("/identity-providers?done=idp-list").into_response()),
        Err(refusal) if refusal.kind == RefusalKind::Invalid => {
            input.text.clear();
            render(&web, &form.signed, &[], &input, Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}
