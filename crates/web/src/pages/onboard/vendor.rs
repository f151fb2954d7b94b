//! Signing in at the vendor: the page before the browser leaves, and the one on which it comes back. Coming back is a GET
//! and does nothing; what the browser brought is used by the form on that page.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use model::id::AppId;
use model::view::{Refusal, RefusalKind, VendorReturnPage, VendorSignInPage};

use super::{Subject, show_verified};
use crate::Web;
use crate::chrome::{Chrome, Section, show, show_as};
use crate::error::Failure;
use crate::form::SignedForm;
use crate::render::{self, marks, time};
use crate::session::Signed;

/// The most that is shown of what a vendor says in the address.
const SAID: usize = 300;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/connect/{app}", get(returned).post(go_on))
}

#[derive(Template)]
#[template(path = "onboard/sign_in.html")]
struct Leaving<'a> {
    chrome: Chrome,
    page: &'a VendorSignInPage,
    action: &'a str,
}

#[derive(Template)]
#[template(path = "onboard/return.html")]
struct Returned<'a> {
    chrome: Chrome,
    page: &'a VendorReturnPage,
    /// Where to begin again.
    action: &'a str,
    /// Where the form goes.
    here: &'a str,
    state: &'a str,
    code: &'a str,
    refusal: Option<Refusal>,
}

/// Before the browser leaves.
pub(super) async fn show_leaving(
    web: &Web,
    signed: &Signed,
    subject: &Subject,
    page: &VendorSignInPage,
) -> Result<Response, Failure> {
    let title = format!("Sign in at {}", page.app.name);
    let chrome = Chrome::new(web, signed, Section::Applications, title).await;
    show(&Leaving { chrome, page, action: &subject.action() })
}

fn subject(page: &VendorReturnPage) -> Subject {
    match &page.reauthenticate {
        Some(header) => Subject::Known(header.instance.id.clone()),
        None => Subject::New(page.app.id.clone()),
    }
}

async fn show_returned(
    web: &Web,
    signed: &Signed,
    page: &VendorReturnPage,
    (state, code): (&str, &str),
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let status = match refusal.as_ref().map(|r| r.kind) {
        None => StatusCode::OK,
        Some(RefusalKind::Conflict) => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let title = format!("Signed in at {}", page.app.name);
    let chrome = Chrome::new(web, signed, Section::Applications, title).await;
    let here = format!("/connect/{}", render::segment(&page.app.id));
    let action = subject(page).action();
    show_as(status, &Returned { chrome, page, action: &action, here: &here, state, code, refusal })
}

/// What a vendor says in the address, made harmless.
fn said(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).take(SAID).collect();
    plain.trim().to_owned()
}

async fn returned(
    State(web): State<Web>,
    signed: Signed,
    Path(app): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let get = |name: &str| query.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    let (state, code) = (get("state"), get("code"));
    let page = web.backend.vendor_returned(&signed.session, &AppId::from(app), state).await?;
    let refusal = match (said(get("error")), code.is_empty()) {
        (error, _) if !error.is_empty() => {
            let more = said(get("error_description"));
            let more = if more.is_empty() { String::new() } else { format!(": {more}") };
            Some(format!("{} ended the sign-in with {error}{more}.", page.app.name))
        }
        (_, true) => Some(format!("{} sent the browser back without a code.", page.app.name)),
        _ => None,
    };
    let refusal = refusal.map(|message| Refusal {
        kind: RefusalKind::Vendor,
        field: None,
        message,
        remedy: "Look at the client's registration there, then begin the sign-in again.".to_owned(),
    });
    show_returned(&web, &signed, &page, (state, code), refusal).await
}

async fn go_on(
    State(web): State<Web>,
    Path(app): Path<String>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let app = AppId::from(app);
    let (state, code) = (form.fields.get("state"), form.fields.get("code"));
    let session = &form.signed.session;
    let page = web.backend.vendor_returned(session, &app, state).await?;
    match web.backend.vendor_continue(session, &app, state, code).await {
        Ok(verified) => show_verified(&web, &form.signed, &subject(&page), &verified).await,
        Err(refusal)
            if matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Vendor | RefusalKind::Conflict) =>
        {
            show_returned(&web, &form.signed, &page, ("", ""), Some(refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_says_no_more_than_a_line() {
        assert_eq!(said(" access_denied\r\n"), "access_denied");
        assert_eq!(said(&"x".repeat(1000)).len(), SAID);
    }
}
