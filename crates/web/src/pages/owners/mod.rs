//! Owners: who answers for applications.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use model::id::OwnerId;
use model::view::{OwnerInput, OwnersPage, Refusal, RefusalKind};

use crate::Web;
use crate::chrome::{Chrome, Section, show_as};
use crate::error::Failure;
use crate::form::{Fields, SignedForm};
use crate::render::{self, marks};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/owners", get(page).post(create)).route("/owners/{id}", post(update))
}

#[derive(Template)]
#[template(path = "owners/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a OwnersPage,
    input: &'a OwnerInput,
    refusal: Option<&'a Refusal>,
}

async fn render(
    web: &Web,
    signed: &Signed,
    query: &[(String, String)],
    input: &OwnerInput,
    refusal: Option<&Refusal>,
) -> Result<Response, Failure> {
    let page = web.backend.owners(signed.actor()).await?;
    let chrome = Chrome::new(web, signed, Section::Owners, "Owners").await.done(query);
    let status = if refusal.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show_as(status, &Page { chrome, page: &page, input, refusal })
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    render(&web, &signed, &query, &OwnerInput::default(), None).await
}

fn input(fields: &Fields, active: bool) -> OwnerInput {
    OwnerInput {
        name: fields.get("name").to_owned(),
        email: fields.get("email").to_owned(),
        time_zone: fields.get("time_zone").to_owned(),
        active,
        digest_at: fields.get("digest_at").to_owned(),
        quiet: fields.get("quiet") == "yes",
    }
}

async fn create(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    let input = input(&form.fields, true);
    match web.backend.create_owner(form.signed.actor(), &input).await {
        Ok(_) => Ok(Redirect::to("/owners?done=owner-created").into_response()),
        Err(refusal) if refusal.kind == RefusalKind::Invalid => {
            render(&web, &form.signed, &[], &input, Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn update(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let input = input(&form.fields, form.fields.get("active") == "yes");
    web.backend.update_owner(form.signed.actor(), &OwnerId::from(id), &input).await?;
    Ok(Redirect::to("/owners?done=owner").into_response())
}
