//! Notifications: the mail transport, where alerts go, what became of messages, and the preview of digests.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use model::view::{DestinationInput, DigestPreview, NotificationsPage, Refusal, RefusalKind};

use crate::Web;
use crate::backend::Secrets;
use crate::chrome::{Chrome, Section, show, show_as, straight};
use crate::error::Failure;
use crate::form::{Fields, OpenForm, SignedForm};
use crate::render::{self, marks, time};
use crate::session::Signed;

const HOME: &str = "/settings/notifications";

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/settings/notifications", get(page))
        .route("/settings/notifications/destinations", post(create))
        .route("/settings/notifications/destinations/{id}", post(update))
        .route("/settings/notifications/destinations/{id}/{deed}", post(deed))
        .route("/settings/notifications/mail/test", post(test_mail))
        .route("/settings/notifications/mail/retry", post(retry_mail))
        .route("/settings/notifications/address", post(my_address))
        .route("/settings/notifications/digest", get(preview))
        .route("/settings/notifications/digest.html", get(preview_html))
        .route("/unsubscribe", get(unsubscribe_page).post(unsubscribe))
}

#[derive(Template)]
#[template(path = "notifications/page.html")]
struct Page<'a> {
    chrome: Chrome,
    page: &'a NotificationsPage,
    /// The sort of destination that was being added when it was refused; empty: none.
    adding: &'a str,
    input: &'a DestinationInput,
    refusal: Option<&'a Refusal>,
}

/// The sorts of destination, in the order of the page: stable word, heading, what it is.
const KINDS: [(&str, &str, &str); 4] = [
    ("mail", "Mail", "Goes out by the mail server above."),
    ("webhook", "Webhook", "A JSON message, signed with a key that you choose."),
    ("slack", "Slack", "An incoming webhook of Slack."),
    ("syslog", "Syslog", "RFC 5424 over TLS, for a collector or SIEM."),
];

/// `siem.example.com` of `siem.example.com:6514`.
fn host_of(shown: &str) -> &str {
    shown.rsplit_once(':').map_or(shown, |(host, _)| host)
}

/// `6514` of `siem.example.com:6514`.
fn port_of(shown: &str) -> &str {
    shown.rsplit_once(':').map_or("", |(_, port)| port)
}

async fn render(
    web: &Web,
    signed: &Signed,
    query: &[(String, String)],
    input: &DestinationInput,
    refusal: Option<&Refusal>,
) -> Result<Response, Failure> {
    let page = web.backend.notifications(signed.actor()).await?;
    let chrome = Chrome::new(web, signed, Section::Notifications, "Notifications").await.done(query);
    let status = if refusal.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show_as(status, &Page { chrome, page: &page, adding: &input.kind, input, refusal })
}

async fn page(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    render(&web, &signed, &query, &DestinationInput::default(), None).await
}

/// What was entered, and its secrets apart.
fn entered(fields: &mut Fields) -> (DestinationInput, Secrets) {
    let secrets: Secrets =
        ["url", "secret"].into_iter().map(|name| (name.to_owned(), fields.secret(name))).collect();
    let all = |name: &str| fields.all(name).filter(|v| !v.is_empty()).map(str::to_owned).collect();
    let input = DestinationInput {
        name: fields.get("name").to_owned(),
        kind: fields.get("kind").to_owned(),
        to: fields.get("to").to_owned(),
        host: fields.get("host").to_owned(),
        port: fields.get("port").to_owned(),
        kinds: all("kinds"),
        instances: all("instances"),
        owners: all("owners"),
        severity: fields.get("severity").to_owned(),
    };
    (input, secrets)
}

fn home(done: &str) -> Response {
    Redirect::to(&format!("{HOME}?done={done}")).into_response()
}

async fn create(State(web): State<Web>, mut form: SignedForm) -> Result<Response, Failure> {
    let (input, secrets) = entered(&mut form.fields);
    match web.backend.create_destination(form.signed.actor(), &input, secrets).await {
        Ok(_) => Ok(home("destination-added")),
        Err(refusal) if refusal.kind == RefusalKind::Invalid => {
            render(&web, &form.signed, &[], &input, Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn update(
    State(web): State<Web>,
    Path(id): Path<String>,
    mut form: SignedForm,
) -> Result<Response, Failure> {
    let (input, secrets) = entered(&mut form.fields);
    match web.backend.update_destination(form.signed.actor(), &id, &input, secrets).await {
        Ok(()) => Ok(home("destination")),
        Err(refusal) if refusal.kind == RefusalKind::Invalid => {
            render(&web, &form.signed, &[], &DestinationInput::default(), Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn deed(
    State(web): State<Web>,
    Path((id, deed)): Path<(String, String)>,
    form: SignedForm,
) -> Result<Response, Failure> {
    let actor = form.signed.actor();
    let done = match deed.as_str() {
        "pause" => web.backend.pause_destination(actor, &id).await.map(|()| "destination-paused"),
        "resume" => web.backend.resume_destination(actor, &id).await.map(|()| "destination-resumed"),
        "remove" => web.backend.remove_destination(actor, &id).await.map(|()| "destination-removed"),
        "test" => web.backend.test_destination(actor, &id).await.map(|()| "test"),
        "retry" => web.backend.retry_deliveries(actor, &id).await.map(|()| "retry"),
        _ => return Err(Failure::NotFound),
    };
    Ok(home(done?))
}

async fn test_mail(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    match web.backend.test_mail_transport(form.signed.actor(), form.fields.get("to")).await {
        Ok(()) => Ok(home("test")),
        Err(refusal) if matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Conflict) => {
            render(&web, &form.signed, &[], &DestinationInput::default(), Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn retry_mail(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    web.backend.retry_deliveries(form.signed.actor(), "mail").await?;
    Ok(home("retry"))
}

async fn my_address(State(web): State<Web>, form: SignedForm) -> Result<Response, Failure> {
    match web.backend.set_my_email(form.signed.actor(), form.fields.get("my_email")).await {
        Ok(()) => Ok(home("my-address")),
        Err(refusal) if refusal.kind == RefusalKind::Invalid => {
            render(&web, &form.signed, &[], &DestinationInput::default(), Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Template)]
#[template(path = "notifications/digest.html")]
struct PreviewPage<'a> {
    chrome: Chrome,
    preview: &'a DigestPreview,
}

type Whose = Query<Vec<(String, String)>>;

fn whose(query: &[(String, String)]) -> &str {
    query.iter().find(|(n, _)| n == "for").map_or("", |(_, v)| v.as_str())
}

async fn preview(State(web): State<Web>, signed: Signed, Query(query): Whose) -> Result<Response, Failure> {
    let preview = web.backend.digest_preview(signed.actor(), whose(&query)).await?;
    let chrome = Chrome::new(&web, &signed, Section::Notifications, "Digest").await;
    show(&PreviewPage { chrome, preview: &preview })
}

/// A mail has its style inside. It may use that and nothing else: no script, no frame, no form, nothing loaded.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox; \
    form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The HTML part as a reader's mail program shows it.
async fn preview_html(
    State(web): State<Web>,
    signed: Signed,
    Query(query): Whose,
) -> Result<Response, Failure> {
    let preview = web.backend.digest_preview(signed.actor(), whose(&query)).await?;
    let mail = preview.mail.ok_or(Failure::NotFound)?;
    let mut response = Html(straight(mail.html)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    Ok(response)
}

#[derive(Template)]
#[template(path = "notifications/unsubscribe.html")]
struct UnsubscribePage<'a> {
    style: String,
    favicon: String,
    name: &'a str,
    token: &'a str,
    done: bool,
}

impl UnsubscribePage<'_> {
    fn show(name: &str, token: &str, done: bool) -> Result<Response, Failure> {
        let (style, favicon) = (crate::assets::style(), crate::assets::favicon(None));
        show(&UnsubscribePage { style, favicon, name, token, done })
    }
}

fn token(fields: &[(String, String)]) -> &str {
    fields.iter().find(|(n, _)| n == "token").map_or("", |(_, v)| v.as_str())
}

/// Asks. Mail programs and their scanners follow links by themselves: a GET changes nothing.
async fn unsubscribe_page(
    State(web): State<Web>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let name = web.backend.unsubscribe_asks(token(&query)).await?;
    UnsubscribePage::show(&name, token(&query), false)
}

/// One click: the form above, or a mail program by itself (RFC 8058), which has no session. The token says it all.
async fn unsubscribe(
    State(web): State<Web>,
    Query(query): Query<Vec<(String, String)>>,
    OpenForm(fields): OpenForm,
) -> Result<Response, Failure> {
    let given = if fields.get("token").is_empty() { token(&query) } else { fields.get("token") };
    let name = web.backend.unsubscribe_asks(given).await?;
    web.backend.unsubscribe(given).await?;
    UnsubscribePage::show(&name, "", true)
}
