//! First set-up, sign-in and sign-out.

use std::net::{IpAddr, SocketAddr};

use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts as _, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use model::view::{Refusal, RefusalKind};
use secrecy::ExposeSecret as _;

use crate::Web;
use crate::backend::SignedIn;
use crate::chrome::show_as;
use crate::error::Failure;
use crate::form::{OpenForm, SignedForm};
use crate::session::{self, Signed};

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/set-up", get(set_up_page).post(set_up))
}

async fn home() -> Redirect {
    Redirect::to("/applications")
}

#[derive(Template)]
#[template(path = "entrance/sign_in.html")]
struct SignInPage<'a> {
    style: String,
    favicon: String,
    next: &'a str,
    name: &'a str,
    simulated: bool,
    refusal: Option<&'a Refusal>,
}

async fn sign_in_page(
    State(web): State<Web>,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Failure> {
    if web.backend.setup_needed().await? {
        return Ok(Redirect::to("/set-up").into_response());
    }
    let next = query.iter().find(|(n, _)| n == "next").map_or("", |(_, v)| v.as_str());
    let (mut parts, _) = request.into_parts();
    if Signed::from_request_parts(&mut parts, &web).await.is_ok() {
        return Ok(Redirect::to(home_path(next)).into_response());
    }
    render_sign_in(&web, StatusCode::OK, next, "", None).await
}

async fn render_sign_in(
    web: &Web,
    status: StatusCode,
    next: &str,
    name: &str,
    refusal: Option<&Refusal>,
) -> Result<Response, Failure> {
    let page = SignInPage {
        style: crate::assets::style(),
        favicon: crate::assets::favicon(None),
        next: home_path(next),
        name,
        simulated: web.backend.shell().await.simulated,
        refusal,
    };
    show_as(status, &page)
}

async fn sign_in(
    State(web): State<Web>,
    from: From,
    OpenForm(mut fields): OpenForm,
) -> Result<Response, Failure> {
    let password = fields.secret("password");
    let (name, next) = (fields.get("name"), fields.get("next"));
    match web.backend.sign_in(name, &password, address(from)).await {
        Ok(signed_in) => enter(&web, &signed_in, next),
        Err(refusal) => {
            let status = match refusal.kind {
                RefusalKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
                RefusalKind::Internal => return Err(refusal.into()),
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            render_sign_in(&web, status, next, name, Some(&refusal)).await
        }
    }
}

/// Where the request came from, where the server was told to look.
type From = Option<axum::Extension<ConnectInfo<SocketAddr>>>;

fn address(from: From) -> Option<IpAddr> {
    from.map(|axum::Extension(ConnectInfo(address))| address.ip())
}

fn enter(web: &Web, signed_in: &SignedIn, next: &str) -> Result<Response, Failure> {
    let Some(cookie) = session::cookie(&signed_in.token, web.config.https) else {
        tracing::error!("a session token does not fit into a cookie");
        return Err(Failure::Status(StatusCode::INTERNAL_SERVER_ERROR));
    };
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(home_path(next))).into_response())
}

async fn sign_out(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    web.backend.sign_out(&form.signed.token).await?;
    Ok(([(header::SET_COOKIE, session::forget(web.config.https))], Redirect::to("/sign-in")).into_response())
}

#[derive(Template)]
#[template(path = "entrance/set_up.html")]
struct SetUpPage<'a> {
    style: String,
    favicon: String,
    name: &'a str,
    refusal: Option<&'a Refusal>,
}

async fn set_up_page(State(web): State<Web>) -> Result<Response, Failure> {
    if !web.backend.setup_needed().await? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    render_set_up(StatusCode::OK, "", None)
}

fn render_set_up(status: StatusCode, name: &str, refusal: Option<&Refusal>) -> Result<Response, Failure> {
    let page =
        SetUpPage { style: crate::assets::style(), favicon: crate::assets::favicon(None), name, refusal };
    show_as(status, &page)
}

async fn set_up(
    State(web): State<Web>,
    from: From,
    OpenForm(mut fields): OpenForm,
) -> Result<Response, Failure> {
    let (token, password, again) =
        (fields.secret("token"), fields.secret("password"), fields.secret("again"));
    let name = fields.get("name");
    if password.expose_secret() != again.expose_secret() {
        let refusal = Refusal {
            kind: RefusalKind::Invalid,
            field: Some("again".to_owned()),
            message: "The two passwords differ.".to_owned(),
            remedy: "Enter the same password twice.".to_owned(),
        };
        return render_set_up(StatusCode::UNPROCESSABLE_ENTITY, name, Some(&refusal));
    }
    match web.backend.set_up(&token, name, &password, address(from)).await {
        Ok(signed_in) => enter(&web, &signed_in, ""),
        Err(refusal) if refusal.kind == RefusalKind::Internal => Err(refusal.into()),
        Err(refusal) => render_set_up(StatusCode::UNPROCESSABLE_ENTITY, name, Some(&refusal)),
    }
}

/// Where to go after signing in: a path of this server, never another one's address.
fn home_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/sign-")
        && !next.starts_with("/events");
    if own { next } else { "/applications" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        assert_eq!(home_path("/findings?severity=high"), "/findings?severity=high");
        for foreign in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/sign-out"]
        {
            assert_eq!(home_path(foreign), "/applications", "{foreign}");
        }
    }
}
