//! How a credential becomes request headers. One function a mechanism; tokens and sessions are bought once and kept for
//! the run.

mod login;

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::manifest::{Auth, AuthKind, ClientAuth, Endpoint};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

use crate::ask::{About, Ask, Halt};
use crate::place::{Places, address};
use crate::scrub::Scrubber;
use crate::session::Session;
use crate::target::Credential;
use crate::watch::instant;

/// A token is not used in its last minute.
const MARGIN: Duration = Duration::minutes(1);
/// How long a GitHub App's own token is valid; the vendor allows ten minutes and takes our clock for it.
const JWT_LIFE: Duration = Duration::minutes(9);
/// Dated back a little, since clocks differ.
const JWT_BACK: Duration = Duration::minutes(1);

/// What form encoding leaves as it is. Many servers do not decode, so that nothing is encoded without need.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*');

/// Holds the token of a run.
#[derive(Default)]
pub(crate) struct Authenticator {
    token: Mutex<Option<Token>>,
    /// What the vendor said when it sold the token, the token taken out.
    answers: StdMutex<Vec<Json>>,
}

/// What was bought: headers that authenticate.
struct Token {
    headers: HeaderMap,
    expires_at: Option<Timestamp>,
    generation: u32,
    live: bool,
}

impl Authenticator {
    /// Tells the scrubber what is secret.
    pub(crate) fn teach(scrub: &Scrubber, auth: &Auth, credential: &Credential) {
        let public: Vec<&str> = auth.kind.fields().iter().filter(|f| !f.secret).map(|f| f.name).collect();
        for (name, value) in &credential.values {
            // Fields that the mechanism does not know are taken for secret.
            if !public.contains(&name.as_str()) {
                scrub.learn(value.expose_secret());
                scrub.learn(value.expose_secret().trim());
            }
        }
        if let AuthKind::Basic { .. } = auth.kind {
            let part = |name| credential.values.get(name).map_or("", |v| v.expose_secret());
            scrub.learn(&STANDARD.encode(format!("{}:{}", part("username"), part("password"))));
        }
    }

    /// What the vendor said when it sold the token.
    pub(crate) fn answers(&self) -> Vec<Json> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The headers that authenticate a request, and which token they hold, where it was bought.
    pub(crate) async fn headers(
        &self,
        session: &Session<'_>,
        url: &Url,
    ) -> Result<(HeaderMap, Option<u32>), Halt> {
        let secret = |name| field(session, name);
        match &session.auth.kind {
            AuthKind::Bearer {} => Ok((bearer(session, &secret("token")?)?, None)),
            AuthKind::Header { header, prefix } => {
                let name = HeaderName::from_bytes(header.as_bytes())
                    .map_err(|_| broken(session, format!("`{header}` is not the name of a header")))?;
                Ok((single(name, sensitive(session, &format!("{prefix}{}", secret("token")?))?), None))
            }
            AuthKind::Basic { .. } => {
                let pair = format!("{}:{}", secret("username")?, secret("password")?);
                let value = format!("Basic {}", STANDARD.encode(pair));
                Ok((single(AUTHORIZATION, sensitive(session, &value)?), None))
            }
            AuthKind::ClientCredentials { .. }
            | AuthKind::Session { .. }
            | AuthKind::AppInstallation { .. } => {
                if let AuthKind::Session { login, .. } = &session.auth.kind {
                    login::same_origin(session, login, url)?;
                }
                let mut kept = self.token.lock().await;
                let now = session.clock.now();
                let usable = kept
                    .as_ref()
                    .filter(|t| t.live && t.expires_at.is_none_or(|at| at > now + MARGIN))
                    .is_some();
                if !usable {
                    let generation = kept.as_ref().map_or(0, |t| t.generation + 1);
                    let (headers, expires_at) = self.buy(session).await?;
                    *kept = Some(Token { headers, expires_at, generation, live: true });
                }
                match &*kept {
                    Some(token) => Ok((token.headers.clone(), Some(token.generation))),
                    None => Err(broken(session, "No token was kept")),
                }
            }
        }
    }

    /// The vendor refused this token: the next request buys another.
    pub(crate) async fn expire(&self, generation: u32) {
        if let Some(token) = self.token.lock().await.as_mut().filter(|t| t.generation == generation) {
            token.live = false;
        }
    }

    async fn buy(&self, session: &Session<'_>) -> Result<(HeaderMap, Option<Timestamp>), Halt> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match &session.auth.kind {
            AuthKind::ClientCredentials { token, client_auth, scope, extra } => {
                let (headers, form) = client_form(session, *client_auth, scope, extra)?;
                let mut ask = ask(session, Method::POST, token, &Places::default())?;
                ask.body = Some(form.into_bytes());
                self.sell(session, ask, headers, "access_token").await
            }
            AuthKind::AppInstallation { installation, token } => {
                let jwt = app_jwt(session)?;
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
                self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(found);
                let places = Places::default().with("installation_id", id);
                let sell = ask(session, Method::POST, token, &places)?;
                self.sell(session, sell, headers, "token").await
            }
            AuthKind::Session { .. } => login::sign_in(session).await,
            _ => Err(broken(session, "This way to authenticate needs no token")),
        }
    }

    /// Buys a token and keeps the rest of the answer.
    async fn sell(
        &self,
        session: &Session<'_>,
        ask: Ask<'_>,
        headers: HeaderMap,
        name: &str,
    ) -> Result<(HeaderMap, Option<Timestamp>), Halt> {
        let empty = session.fault(
            &ask,
            FailureCause::Protocol,
            Rung::Authenticated,
            format!("The answer holds no token (`{name}`)"),
        );
        let mut json = session.buy(&ask, headers).await?.json;
        let Some(Json::String(token)) = json.as_object_mut().and_then(|o| o.remove(name)) else {
            return Err(Halt::Fault(empty));
        };
        session.scrub.learn(&token);
        if let Some(map) = json.as_object_mut() {
            map.retain(|key, _| {
                !matches!(key.as_str(), "refresh_token" | "id_token" | "access_token" | "token")
            });
        }
        let lasts = json.get("expires_in").and_then(|v| match v {
            Json::Number(n) => n.as_i64(),
            // Some servers write the number as text.
            Json::String(text) => text.parse().ok(),
            _ => None,
        });
        let expires_at = match lasts {
            Some(seconds) => Some(session.clock.now() + Duration::seconds(seconds.clamp(0, 31_536_000))),
            None => json.get("expires_at").and_then(Json::as_str).and_then(instant),
        };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(json);
        Ok((bearer(session, &token)?, expires_at))
    }
}

/// Headers and form of a client credentials grant (RFC 6749 section 4.4.2).
fn client_form(
    session: &Session<'_>,
    client_auth: ClientAuth,
    scope: &str,
    extra: &BTreeMap<String, String>,
) -> Result<(HeaderMap, String), Halt> {
    let (id, secret) = (field(session, "client_id")?, field(session, "client_secret")?);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scope.is_empty() {
        form.append_pair("scope", scope);
    }
    form.extend_pairs(extra);
    let mut headers = HeaderMap::new();
    match client_auth {
        // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        ClientAuth::Basic => {
            let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
            let pair = STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret)));
            session.scrub.learn(&pair);
            headers = single(AUTHORIZATION, sensitive(session, &format!("Basic {pair}"))?);
        }
        ClientAuth::Body => {
            form.append_pair("client_id", &id).append_pair("client_secret", &secret);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok((headers, form.finish()))
}

/// The token of a GitHub App itself: who it is, signed with its key.
fn app_jwt(session: &Session<'_>) -> Result<String, Halt> {
    // Keys pasted from JSON or environment files have their line ends written out.
    let pem = field(session, "private_key")?.replace("\\n", "\n");
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| {
        unusable(session, "The private key cannot be read; it must be a whole PEM block of an RSA key")
    })?;
    let now = session.clock.now();
    let claims = serde_json::json!({
        "iat": (now - JWT_BACK).0 / 1000,
        "exp": (now + JWT_LIFE).0 / 1000,
        "iss": field(session, "app_id")?,
    });
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256), &claims, &key)
        .map_err(|_| unusable(session, "Nothing can be signed with the private key"))
}

/// A field of the credential, without the blanks around it that come with pasting.
fn field(session: &Session<'_>, name: &str) -> Result<String, Halt> {
    let value = session.credential.values.get(name).map(|v| v.expose_secret().trim()).unwrap_or_default();
    if value.is_empty() {
        return Err(unusable(session, format!("The credential has no `{name}`")));
    }
    Ok(value.to_owned())
}

fn ask<'r>(session: &Session<'_>, method: Method, to: &Endpoint, places: &Places) -> Result<Ask<'r>, Halt> {
    let url = address(session.target, &to.host, &to.path, places).map_err(|what| broken(session, what))?;
    Ok(Ask {
        method,
        url,
        headers: session.target.host_headers(&to.host).map_err(|what| broken(session, what))?,
        body: None,
        rules: [&[], &[]],
        graphql: None,
        etag: None,
        about: About { template: to.path.clone(), ..About::default() },
    })
}

fn single(name: HeaderName, value: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([(name, value)])
}

fn bearer(session: &Session<'_>, token: &str) -> Result<HeaderMap, Halt> {
    Ok(single(AUTHORIZATION, sensitive(session, &format!("Bearer {token}"))?))
}

fn sensitive(session: &Session<'_>, text: &str) -> Result<HeaderValue, Halt> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        unusable(session, "The credential contains characters that cannot be sent, such as a line end")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The credential as it was entered cannot even be sent.
fn unusable(session: &Session<'_>, detail: impl Into<String>) -> Halt {
    local(session, FailureCause::Credentials, detail)
}

/// The manifest or we are at fault.
fn broken(session: &Session<'_>, detail: impl Into<String>) -> Halt {
    local(session, FailureCause::Internal, detail)
}

fn local(session: &Session<'_>, cause: FailureCause, detail: impl Into<String>) -> Halt {
    Halt::Fault(Box::new(Fault {
        cause,
        reached: Rung::NotSent,
        dataset: None,
        request: None,
        status: None,
        vendor_message: None,
        request_id: None,
        needs: Vec::new(),
        detail: session.scrub.clean(&detail.into()),
        at: session.clock.now(),
    }))
}
