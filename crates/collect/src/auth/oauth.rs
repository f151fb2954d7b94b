//! Tokens that are bought: client credentials, signed assertions, app installations.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::manifest::{AnswerRule, AuthKind, ClientAuth, Endpoint, JwtKey, Meaning};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use model::diagnosis::Rung;
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;

use super::sign::{Certificate, Key, KeyFile};
use super::{ask, bearer, broken, field, sensitive, single, unusable};
use crate::ask::{Ask, Halt};
use crate::place::{Places, address, text};
use crate::session::Session;
use crate::watch::instant;

/// What form encoding leaves as it is. Many servers do not decode, so that nothing is encoded without need.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*');
/// `client_assertion_type` of RFC 7523 section 2.2.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `grant_type` of RFC 7523 section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest that a token is believed to last.
const YEAR: i64 = 31_536_000;

/// A token as it was sold.
pub(super) struct Bought {
    pub(super) token: String,
    pub(super) expires_at: Option<Timestamp>,
    /// What the vendor said with it, the token and others like it taken out.
    pub(super) answers: Vec<Json>,
    /// What buys the next one, where one was given.
    pub(super) refresh_token: Option<SecretString>,
}

/// Buys a token for a scope; `""`: without one.
pub(super) async fn buy(session: &Session<'_>, scope: &str) -> Result<Bought, Halt> {
    match &session.auth.kind {
        AuthKind::ClientCredentials { token, client_auth, grant, audience, extra, .. } => {
            let mut form = Form::new(session, extra)?;
            form.add("grant_type", grant);
            form.scope(scope);
            let headers = client(session, *client_auth, token, audience.as_deref(), &mut form)?;
            by_form(session, token, headers, form, None).await
        }
        AuthKind::JwtBearer { token, key, audience, extra, .. } => {
            let mut form = Form::new(session, extra)?;
            form.add("grant_type", JWT_BEARER);
            let assertion = assertion(session, *key, token, audience.as_deref(), scope)?;
            form.add("assertion", &assertion);
            if *key == JwtKey::PrivateKey {
                form.scope(scope);
            }
            by_form(session, token, HeaderMap::new(), form, None).await
        }
        AuthKind::AppInstallation { installation, token } => install(session, installation, token).await,
        _ => Err(broken(session, "This way to authenticate needs no token")),
    }
}

/// Form fields of a token request.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn new(session: &Session<'_>, extra: &BTreeMap<String, String>) -> Result<Self, Halt> {
        let mut form = Self(Vec::new());
        for (name, value) in extra {
            let value =
                text(session.target, value, &Places::default()).map_err(|what| broken(session, what))?;
            form.add(name, &value);
        }
        Ok(form)
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn scope(&mut self, scope: &str) {
        if !scope.is_empty() {
            self.add("scope", scope);
        }
    }

    fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// How the client shows who it is: by a header, or by further fields of the form.
pub(super) fn client(
    session: &Session<'_>,
    client_auth: ClientAuth,
    token: &Endpoint,
    audience: Option<&str>,
    form: &mut Form,
) -> Result<HeaderMap, Halt> {
    let id = field(session, "client_id")?;
    match client_auth {
        // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        ClientAuth::Basic => {
            let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
            let secret = field(session, "client_secret")?;
            let pair = STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret)));
            session.scrub.learn(&pair);
            return Ok(single(AUTHORIZATION, sensitive(session, &format!("Basic {pair}"))?));
        }
        ClientAuth::None => form.add("client_id", &id),
        ClientAuth::Body => {
            form.add("client_id", &id);
            form.add("client_secret", &field(session, "client_secret")?);
        }
        ClientAuth::PrivateKeyJwt | ClientAuth::Certificate => {
            let thumbprint = match client_auth {
                ClientAuth::Certificate => {
                    let certificate = Certificate::read(&field(session, "certificate")?)
                        .map_err(|what| unusable(session, what))?;
                    session.watch.note_expiry(certificate.expires_at);
                    Some(certificate.thumbprint)
                }
                _ => None,
            };
            let key = Key::read(&field(session, "private_key")?).map_err(|what| unusable(session, what))?;
            let audience = receiver(session, token, audience)?;
            let id_of_assertion = unique(session);
            let claims = [("iss", id.as_str()), ("sub", &id), ("aud", &audience), ("jti", &id_of_assertion)];
            let assertion =
                key.sign(&claims, session.clock.now(), thumbprint).map_err(|what| unusable(session, what))?;
            session.scrub.learn(&assertion);
            form.add("client_id", &id);
            form.add("client_assertion_type", ASSERTION);
            form.add("client_assertion", &assertion);
        }
    }
    Ok(HeaderMap::new())
}

/// The assertion that is exchanged for a token.
fn assertion(
    session: &Session<'_>,
    kind: JwtKey,
    token: &Endpoint,
    audience: Option<&str>,
    scope: &str,
) -> Result<String, Halt> {
    let (key, issuer) = match kind {
        JwtKey::KeyFile => {
            let file = KeyFile::read(&field(session, "key_file")?).map_err(|what| unusable(session, what))?;
            session.scrub.learn(&file.pem);
            (file.key, file.email)
        }
        JwtKey::PrivateKey => {
            let key = Key::read(&field(session, "private_key")?).map_err(|what| unusable(session, what))?;
            (key, field(session, "client_id")?)
        }
    };
    let asks = |name| session.auth.kind.fields().iter().any(|f| f.name == name);
    let subject = if asks("subject") { Some(field(session, "subject")?) } else { None };
    let (audience, id) = (receiver(session, token, audience)?, unique(session));
    let mut claims = vec![("iss", issuer.as_str()), ("aud", &audience), ("jti", &id)];
    claims.extend(subject.as_deref().map(|subject| ("sub", subject)));
    if kind == JwtKey::KeyFile && !scope.is_empty() {
        claims.push(("scope", scope));
    }
    let signed = key.sign(&claims, session.clock.now(), None).map_err(|what| unusable(session, what))?;
    session.scrub.learn(&signed);
    Ok(signed)
}

/// Whom an assertion is for: what the manifest says, else the pinned address of the token endpoint.
fn receiver(session: &Session<'_>, token: &Endpoint, audience: Option<&str>) -> Result<String, Halt> {
    let filled = match audience {
        Some(audience) => text(session.target, audience, &Places::default()),
        None => {
            address(session.target, &token.host, &token.path, &Places::default()).map(|url| url.to_string())
        }
    };
    filled.map_err(|what| broken(session, what))
}

/// An id that no other assertion of this credential has.
fn unique(session: &Session<'_>) -> String {
    let drawn = session.clock.jitter(Duration::days(10_000));
    format!("{:x}-{:x}-{:x}", session.clock.now().0, drawn.0, session.cost().requests)
}

/// The token of an app's installation: a short-lived JWT signed with the app's key buys it.
async fn install(session: &Session<'_>, installation: &Endpoint, token: &Endpoint) -> Result<Bought, Halt> {
    let key = Key::read(&field(session, "private_key")?).map_err(|what| unusable(session, what))?;
    let id = field(session, "app_id")?;
    let jwt = key
        .sign(&[("iss", id.as_str())], session.clock.now(), None)
        .map_err(|what| unusable(session, what))?;
    session.scrub.learn(&jwt);
    let headers = bearer(session, &jwt)?;
    let find = ask(session, Method::GET, installation, &Places::default())?;
    let unusable = session.fault(
        &find,
        FailureCause::Protocol,
        Rung::Authenticated,
        "The answer names no installation (`id`)",
    );
    let found = session.buy(&find, headers.clone()).await?.json;
    let id = match found.get("id") {
        Some(Json::Number(n)) => n.to_string(),
        Some(Json::String(text)) if !text.is_empty() => text.clone(),
        _ => return Err(Halt::Fault(unusable)),
    };
    let places = Places::default().with("installation_id", id);
    let ask = ask(session, Method::POST, token, &places)?;
    let mut bought = sell(session, ask, headers, "token").await?;
    bought.answers.insert(0, found);
    Ok(bought)
}

pub(super) async fn by_form(
    session: &Session<'_>,
    token: &Endpoint,
    mut headers: HeaderMap,
    form: Form,
    further: Option<AnswerRule>,
) -> Result<Bought, Halt> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let rules: Vec<AnswerRule> = further.into_iter().chain(about_scopes(session)).collect();
    let mut ask = ask(session, Method::POST, token, &Places::default())?;
    ask.body = Some(form.encoded().into_bytes());
    ask.rules = [&rules, &[]];
    sell(session, ask, headers, "access_token").await
}

/// The refusals of a token endpoint (RFC 6749 section 5.2) that are about the scope and not about the credential.
fn about_scopes(session: &Session<'_>) -> Vec<AnswerRule> {
    let further = session.auth.kind.scopes().map_or(&[][..], |s| s.refused);
    std::iter::once("invalid_scope")
        .chain(further.iter().map(String::as_str))
        .map(|code| {
            let reason = "The vendor knows the credential but does not grant it this scope";
            refusal(code, Meaning::Permission, reason)
        })
        .collect()
}

/// What an error code of a token endpoint means.
pub(super) fn refusal(code: &str, means: Meaning, reason: &str) -> AnswerRule {
    AnswerRule {
        status: vec![400, 401, 403],
        header: None,
        header_is: None,
        at: Some("error".to_owned()),
        is: Some(code.to_owned()),
        contains: None,
        unless_any: None,
        means,
        reason: Some(reason.to_owned()),
    }
}

/// Longest token that is taken, in bytes. Those that are known have a few KiB; each is remembered in pieces, so that none
/// gets into a message. Its characters are those of RFC 6749, appendix A.12.
const LONGEST: usize = 32 << 10;

/// Buys a token and keeps the rest of the answer.
async fn sell(session: &Session<'_>, ask: Ask<'_>, headers: HeaderMap, name: &str) -> Result<Bought, Halt> {
    let wrong = |ask: &Ask<'_>, detail: String| {
        Halt::Fault(session.fault(ask, FailureCause::Protocol, Rung::Authenticated, detail))
    };
    let mut json = session.buy(&ask, headers).await?.json;
    let token = match json.as_object_mut().and_then(|o| o.remove(name)) {
        Some(Json::String(token)) if !token.is_empty() => token,
        _ => return Err(wrong(&ask, format!("The answer holds no token (`{name}`)"))),
    };
    let refresh_token = json.get("refresh_token").and_then(Json::as_str).filter(|t| !t.is_empty());
    for token in std::iter::once(token.as_str()).chain(refresh_token) {
        if token.len() > LONGEST || !token.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            let detail =
                "The answer holds a token that is none: too long, or with characters that no token has";
            return Err(wrong(&ask, detail.to_owned()));
        }
    }
    session.scrub.learn(&token);
    let refresh_token = refresh_token.map(|t| SecretString::from(t.to_owned()));
    if let Some(token) = &refresh_token {
        session.scrub.learn(token.expose_secret());
    }
    if let Some(map) = json.as_object_mut() {
        map.retain(|key, _| !matches!(key.as_str(), "refresh_token" | "id_token" | "access_token" | "token"));
    }
    let lasts = json.get("expires_in").and_then(|v| match v {
        Json::Number(n) => n.as_i64(),
        // Some servers write the number as text.
        Json::String(text) => text.parse().ok(),
        _ => None,
    });
    let expires_at = match lasts {
        Some(seconds) => Some(session.clock.now() + Duration::seconds(seconds.clamp(0, YEAR))),
        None => json.get("expires_at").and_then(Json::as_str).and_then(instant),
    };
    Ok(Bought { token, expires_at, answers: vec![json], refresh_token })
}
