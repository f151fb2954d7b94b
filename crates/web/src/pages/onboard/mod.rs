//! Add application and Reauthenticate: choose, enter, verify, save. Nothing is saved before the verification, and no
//! secret is ever sent back to the browser: between verification and saving the credential waits sealed in memory, and
//! the browser holds only the draft's name.

mod vendor;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use model::id::{AppId, InstanceId};
use model::scan::ScanKind;
use model::view::{
    CatalogueAppsPage, CredentialFormPage, CredentialInput, CredentialStep, InputField, PreflightPage,
    Refusal, RefusalKind,
};
use secrecy::SecretString;

use crate::Web;
use crate::backend::Secrets;
use crate::chrome::{Chrome, Section, show, show_as};
use crate::error::Failure;
use crate::form::{Fields, SignedForm};
use crate::pages::application::address;
use crate::render::{self, marks, time};
use crate::session::Signed;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/applications/add", get(catalogue))
        .route("/applications/add/{app}", get(onboard_form).post(onboard_verify))
        .route("/applications/add/{app}/save", post(onboard_save))
        .route("/applications/{id}/reauthenticate", get(reauthenticate_form).post(reauthenticate_verify))
        .route("/applications/{id}/reauthenticate/save", post(reauthenticate_save))
        .merge(vendor::routes())
}

#[derive(Template)]
#[template(path = "onboard/catalogue.html")]
struct Catalogue<'a> {
    chrome: Chrome,
    page: &'a CatalogueAppsPage,
}

async fn catalogue(State(web): State<Web>, signed: Signed) -> Result<Response, Failure> {
    let page = web.backend.catalogue_apps(signed.actor()).await?;
    let chrome = Chrome::new(&web, &signed, Section::Applications, "Add application").await;
    show(&Catalogue { chrome, page: &page })
}

#[derive(Template)]
#[template(path = "onboard/form.html")]
struct Form<'a> {
    chrome: Chrome,
    page: &'a CredentialFormPage,
    action: &'a str,
}

impl Form<'_> {
    /// The inputs with the prefix of their names: what is secret is told apart by it when the form comes back.
    fn groups(&self) -> [(&'static str, &[InputField]); 2] {
        [("set.", &self.page.settings), ("secret.", &self.page.credential)]
    }
}

#[derive(Template)]
#[template(path = "onboard/preflight.html")]
struct Preflight<'a> {
    chrome: Chrome,
    page: &'a PreflightPage,
    action: &'a str,
    save: String,
}

/// Whose credential the form is about.
enum Subject {
    New(AppId),
    Known(InstanceId),
}

impl Subject {
    fn action(&self) -> String {
        match self {
            Self::New(app) => format!("/applications/add/{}", render::segment(app)),
            Self::Known(id) => address(id, "/reauthenticate"),
        }
    }
}

/// Whether the refusal is about this field.
pub(crate) fn is_refused(refusal: &Option<Refusal>, field: &str) -> bool {
    refusal.as_ref().is_some_and(|r| r.field.as_deref() == Some(field))
}

async fn show_form(
    web: &Web,
    signed: &Signed,
    subject: &Subject,
    input: &CredentialInput,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let mut page = match subject {
        Subject::New(app) => web.backend.onboard_form(signed.actor(), app, input).await?,
        Subject::Known(id) => web.backend.reauthenticate_form(signed.actor(), id, input).await?,
    };
    let title = match &page.reauthenticate {
        Some(header) => format!("Reauthenticate {}", header.instance.name),
        None => format!("Add {}", page.app.name),
    };
    let status = match refusal.as_ref().map(|r| r.kind) {
        None => StatusCode::OK,
        Some(RefusalKind::Conflict) => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    if refusal.is_some() {
        page.refusal = refusal;
    }
    let chrome = Chrome::new(web, signed, Section::Applications, title).await;
    show_as(status, &Form { chrome, page: &page, action: &subject.action() })
}

async fn verify(web: &Web, mut form: SignedForm, subject: &Subject) -> Result<Response, Failure> {
    let secrets: Secrets = form
        .fields
        .take_prefixed("secret.")
        .into_iter()
        // What is pasted often ends in a line break, and no credential begins or ends with a blank.
        .map(|(name, value)| (name, SecretString::from(value.trim().to_owned())))
        .collect();
    let input = entered(&mut form.fields);
    let session = &form.signed.session;
    let outcome = match subject {
        Subject::New(app) => web.backend.onboard_step(session, app, input.clone(), secrets).await,
        Subject::Known(id) => web.backend.reauthenticate_step(session, id, input.clone(), secrets).await,
    };
    match outcome {
        Ok(CredentialStep::Verified(page)) => show_verified(web, &form.signed, subject, &page).await,
        Ok(CredentialStep::SignIn(page)) => vendor::show_leaving(web, &form.signed, subject, &page).await,
        Err(refusal)
            if matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Vendor | RefusalKind::Conflict) =>
        {
            show_form(web, &form.signed, subject, &input, Some(refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn show_verified(
    web: &Web,
    signed: &Signed,
    subject: &Subject,
    page: &PreflightPage,
) -> Result<Response, Failure> {
    let title = format!("Verified: {}", page.identity.tenant_name);
    let chrome = Chrome::new(web, signed, Section::Applications, title).await;
    let action = subject.action();
    show(&Preflight { chrome, page, save: format!("{action}/save"), action: &action })
}

/// What was entered apart from secrets.
fn entered(fields: &mut Fields) -> CredentialInput {
    let settings = fields
        .take_prefixed("set.")
        .into_iter()
        .map(|(name, value)| (name, value.trim().to_owned()))
        .collect();
    CredentialInput {
        deployment: fields.get("deployment").to_owned(),
        auth: fields.get("auth").to_owned(),
        settings,
        name: fields.get("name").to_owned(),
        owner: fields.get("owner").to_owned(),
    }
}

/// What is chosen in the address: hosting and way to authenticate.
fn chosen(query: &[(String, String)]) -> CredentialInput {
    let get = |name: &str| query.iter().find(|(n, _)| n == name).map_or_else(String::new, |(_, v)| v.clone());
    CredentialInput { deployment: get("deployment"), auth: get("auth"), ..CredentialInput::default() }
}

type RawQuery = Query<Vec<(String, String)>>;

async fn onboard_form(
    State(web): State<Web>,
    signed: Signed,
    Path(app): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    show_form(&web, &signed, &Subject::New(app.into()), &chosen(&query), None).await
}

async fn onboard_verify(
    State(web): State<Web>,
    Path(app): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    verify(&web, form, &Subject::New(app.into())).await
}

async fn onboard_save(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    let id = web.backend.onboard_save(form.signed.actor(), form.fields.get("draft")).await?;
    Ok(Redirect::to(&address(&id, "/settings?done=onboarded")).into_response())
}

async fn reauthenticate_form(
    State(web): State<Web>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): RawQuery,
) -> Result<Response, Failure> {
    show_form(&web, &signed, &Subject::Known(id.into()), &chosen(&query), None).await
}

async fn reauthenticate_verify(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    verify(&web, form, &Subject::Known(id.into())).await
}

async fn reauthenticate_save(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let id = InstanceId::from(id);
    let mut stop = Vec::new();
    for word in form.fields.all("stop") {
        stop.push(ScanKind::parse(word).ok_or(Failure::Status(StatusCode::UNPROCESSABLE_ENTITY))?);
    }
    web.backend.reauthenticate_save(form.signed.actor(), &id, form.fields.get("draft"), &stop).await?;
    Ok(Redirect::to(&address(&id, "/settings?done=reauthenticated")).into_response())
}
