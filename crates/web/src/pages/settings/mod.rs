//! The gear: scans, credential, owner, pause and removal of one application.

use std::future::Future;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use model::id::{InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Duration;
use model::view::{CredentialCard, Known, Refusal, SettingsPage};

use crate::Web;
use crate::chrome::{Chrome, Section, show};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::pages::application::address;
use crate::render::{self, charts, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/applications/{id}/settings", get(page))
        .route("/applications/{id}/scans/{kind}/scan-now", post(scan_now))
        .route("/applications/{id}/scans/{kind}/cancel", post(cancel))
        .route("/applications/{id}/scans/{kind}/check-again", post(check_again))
        .route("/applications/{id}/scans/{kind}/interval", post(interval))
        .route("/applications/{id}/check-now", post(check_now))
        .route("/applications/{id}/agree-empty", post(agree_empty))
        .route("/applications/{id}/pause", post(pause))
        .route("/applications/{id}/resume", post(resume))
        .route("/applications/{id}/name", post(rename))
        .route("/applications/{id}/owner", post(owner))
        .route("/applications/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "settings/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a SettingsPage,
}

/// Whether a permission is known to be missing: then the table stands open.
pub(crate) fn lacks(credential: &CredentialCard) -> bool {
    credential.permissions.iter().any(|p| p.granted == Known::Is(false))
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let page = web.backend.settings(signed.actor(), &id).await?;
    let title = format!("Settings of {}", page.header.instance.name);
    let chrome = Chrome::new(&web, &signed, Section::Applications, title)
        .await
        .live(address(&id, "/settings"), Some(&id))
        .done(&query);
    show(&Page { chrome, page: &page })
}

/// Carries a change out and goes back to the settings, which say what was done.
async fn change(
    id: &InstanceId,
    done: &str,
    outcome: impl Future<Output = Result<(), Refusal>>,
) -> Result<Response, Failure> {
    outcome.await?;
    Ok(Redirect::to(&address(id, &format!("/settings?done={done}"))).into_response())
}

fn kind(word: &str) -> Result<ScanKind, Failure> {
    ScanKind::parse(word).ok_or(Failure::NotFound)
}

type OfScan = Path<(String, String)>;

async fn scan_now(
    State(web): State<Web>,
    Path((id, word)): OfScan,
    form: SignedForm,
) -> Result<Response, Failure> {
    let (id, kind) = (InstanceId::from(id), kind(&word)?);
    change(&id, "scan-now", web.backend.scan_now(form.signed.actor(), &id, kind)).await
}

async fn cancel(
    State(web): State<Web>,
    Path((id, word)): OfScan,
    form: SignedForm,
) -> Result<Response, Failure> {
    let (id, kind) = (InstanceId::from(id), kind(&word)?);
    change(&id, "cancel", web.backend.cancel(form.signed.actor(), &id, kind)).await
}

async fn check_again(
    State(web): State<Web>,
    Path((id, word)): OfScan,
    form: SignedForm,
) -> Result<Response, Failure> {
    let (id, kind) = (InstanceId::from(id), kind(&word)?);
    change(&id, "check-again", web.backend.check_again(form.signed.actor(), &id, kind)).await
}

async fn check_now(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    web.backend.check_now(form.signed.actor(), &id).await?;
    Ok(Redirect::to(&address(&id, "/settings?done=check-now#h-checkup")).into_response())
}

async fn interval(
    State(web): State<Web>,
    Path((id, word)): OfScan,
    form: SignedForm,
) -> Result<Response, Failure> {
    let (id, kind) = (InstanceId::from(id), kind(&word)?);
    let Ok(ms) = form.fields.get("interval").parse() else {
        return Err(Failure::Status(StatusCode::UNPROCESSABLE_ENTITY));
    };
    change(&id, "interval", web.backend.set_interval(form.signed.actor(), &id, kind, Duration(ms))).await
}

async fn agree_empty(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let dataset = form.fields.get("dataset");
    change(&id, "agree-empty", web.backend.agree_empty(form.signed.actor(), &id, dataset)).await
}

async fn pause(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    change(&id, "paused", web.backend.pause(form.signed.actor(), &id)).await
}

async fn resume(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    change(&id, "resumed", web.backend.resume(form.signed.actor(), &id)).await
}

async fn rename(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    change(&id, "renamed", web.backend.rename(form.signed.actor(), &id, form.fields.get("name"))).await
}

async fn owner(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let chosen = form.fields.get("owner");
    let owner = (!chosen.is_empty()).then(|| OwnerId::from(chosen));
    change(&id, "owner", web.backend.assign_owner(form.signed.actor(), &id, owner.as_ref())).await
}

async fn remove(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    web.backend.remove(form.signed.actor(), &id, form.fields.get("confirm")).await?;
    Ok(Redirect::to("/applications?done=removed").into_response())
}
