//! How a credential becomes request headers. One function a mechanism; tokens and sessions are bought once and kept for
//! the run, each for what it was bought for.

pub(crate) mod code;
mod login;
mod oauth;
mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::App;
use catalog::manifest::{Auth, AuthKind, Endpoint, Host};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

use crate::ask::{About, Ask, Halt};
use crate::dataset::offered;
use crate::place::{Places, address};
use crate::renew::Renewal;
use crate::scrub::Scrubber;
use crate::session::Session;
use crate::target::Credential;

/// A token is not used in its last minute.
const MARGIN: Duration = Duration::minutes(1);

/// Holds the tokens of a run.
#[derive(Default)]
pub(crate) struct Authenticator {
    kept: Mutex<Kept>,
    /// What the vendor said when it sold each token, the token taken out.
    answers: StdMutex<BTreeMap<String, Vec<Json>>>,
    /// What the claims of the tokens grant, by what each was bought for.
    claimed: StdMutex<BTreeMap<String, Vec<String>>>,
}

#[derive(Default)]
struct Kept {
    /// By the scope that was asked for; `""` where none is.
    by_scope: BTreeMap<String, Sold>,
    generation: u32,
}

/// What came of asking for a scope.
enum Sold {
    Token(Token),
    /// The vendor does not grant this scope. It is not asked for again in this run.
    Refused(Box<Fault>),
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
        if let Some(renewal) = Renewal::of(&credential.values) {
            scrub.learn(renewal.refresh_token.expose_secret());
            renewal.access.values().for_each(|access| scrub.learn(access.token.expose_secret()));
        }
        if let AuthKind::Basic { .. } = auth.kind {
            let part = |name| credential.values.get(name).map_or("", |v| v.expose_secret());
            scrub.learn(&STANDARD.encode(format!("{}:{}", part("username"), part("password"))));
        }
    }

    /// When the token that was entered ends, where it is a JWT and says so (RFC 7519, `exp`).
    pub(crate) fn ends(auth: &Auth, credential: &Credential) -> Option<Timestamp> {
        if !matches!(auth.kind, AuthKind::Bearer {} | AuthKind::Header { .. }) {
            return None;
        }
        let claims = sign::claims(credential.values.get("token")?.expose_secret().trim())?;
        claims.get("exp")?.as_i64().map(|seconds| Timestamp(seconds.saturating_mul(1000)))
    }

    /// What the vendor said when it sold the tokens.
    pub(crate) fn answers(&self) -> Vec<Json> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.values().flatten().cloned().collect()
    }

    /// What the claims of the tokens grant together; `None` unless every token that this application needs has been
    /// bought and could be read, since a part would look like a loss.
    pub(crate) fn claimed(&self, session: &Session<'_>) -> Option<Vec<String>> {
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeSet::new();
        for wish in every_wish(session) {
            all.extend(claimed.get(wish)?.iter().cloned());
        }
        Some(all.into_iter().collect())
    }

    /// Buys every token that this application needs, so that all that is granted is known. A scope that is refused is
    /// left to the requests that need it.
    pub(crate) async fn buy_all(&self, session: &Session<'_>) -> Result<(), Halt> {
        let mut kept = self.kept.lock().await;
        for wish in every_wish(session) {
            self.obtain(&mut kept, session, wish).await?.ok();
        }
        Ok(())
    }

    /// The headers that authenticate a request, and which token they hold, where it was bought. `url` is where it goes:
    /// redirects followed.
    pub(crate) async fn headers(
        &self,
        session: &Session<'_>,
        about: &About,
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
            AuthKind::Session { login, .. } => {
                login::same_origin(session, login, url)?;
                self.bought(session, about).await
            }
            AuthKind::ClientCredentials { .. }
            | AuthKind::JwtBearer { .. }
            | AuthKind::AuthorizationCode { .. }
            | AuthKind::AppInstallation { .. } => self.bought(session, about).await,
        }
    }

    /// The headers of the first token that is sold of those that would do.
    async fn bought(&self, session: &Session<'_>, about: &About) -> Result<(HeaderMap, Option<u32>), Halt> {
        let mut kept = self.kept.lock().await;
        let mut refused = None;
        for wish in wishes(session, about) {
            match self.obtain(&mut kept, session, &wish).await? {
                Ok((headers, generation)) => return Ok((headers, Some(generation))),
                Err(fault) => refused = Some(fault),
            }
        }
        Err(match refused {
            Some(mut fault) => {
                fault.dataset.clone_from(&about.dataset);
                fault.needs.clone_from(&about.needs);
                Halt::Fault(fault)
            }
            None => broken(session, "There is no token to ask for"),
        })
    }

    /// A token for a scope: the one that is kept, or a new one. The inner error: the vendor does not grant it.
    async fn obtain(
        &self,
        kept: &mut Kept,
        session: &Session<'_>,
        wish: &str,
    ) -> Result<Result<(HeaderMap, u32), Box<Fault>>, Halt> {
        let now = session.clock.now();
        match kept.by_scope.get(wish) {
            Some(Sold::Token(t)) if t.live && t.expires_at.is_none_or(|at| at > now + MARGIN) => {
                return Ok(Ok((t.headers.clone(), t.generation)));
            }
            Some(Sold::Refused(fault)) => return Ok(Err(fault.clone())),
            _ => {}
        }
        // What was refused is not taken from another scan of the same sign-in either.
        let ended = match kept.by_scope.get(wish) {
            Some(Sold::Token(token)) if !token.live => token.headers.get(AUTHORIZATION).cloned(),
            _ => None,
        };
        match self.buy(session, wish, ended.as_ref()).await {
            Ok((headers, expires_at)) => {
                let generation = kept.generation;
                kept.generation += 1;
                let token = Token { headers: headers.clone(), expires_at, generation, live: true };
                kept.by_scope.insert(wish.to_owned(), Sold::Token(token));
                Ok(Ok((headers, generation)))
            }
            // Of the answers of a token endpoint only those about scopes are matters of permission.
            Err(Halt::Fault(fault)) if fault.cause == FailureCause::Permission => {
                kept.by_scope.insert(wish.to_owned(), Sold::Refused(fault.clone()));
                Ok(Err(fault))
            }
            Err(halt) => Err(halt),
        }
    }

    /// The vendor refused this token: the next request buys another.
    pub(crate) async fn expire(&self, generation: u32) {
        for sold in self.kept.lock().await.by_scope.values_mut() {
            if let Sold::Token(token) = sold
                && token.generation == generation
            {
                token.live = false;
            }
        }
    }

    async fn buy(
        &self,
        session: &Session<'_>,
        wish: &str,
        ended: Option<&HeaderValue>,
    ) -> Result<(HeaderMap, Option<Timestamp>), Halt> {
        let bought = match session.auth.kind {
            AuthKind::Session { .. } => return login::sign_in(session).await,
            AuthKind::AuthorizationCode { .. } => code::renew(session, wish, ended).await?,
            _ => oauth::buy(session, wish).await?,
        };
        if let Some(claim) = session.auth.granted.as_ref().and_then(|g| g.claim.as_deref())
            && let Some(claims) = sign::claims(&bought.token)
        {
            let names = match claims.get(claim) {
                Some(Json::Array(items)) => items.iter().filter_map(crate::answer::scalar).collect(),
                Some(Json::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
                // A token that grants nothing has no such claim.
                _ => Vec::new(),
            };
            let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            claimed.insert(wish.to_owned(), names);
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(wish.to_owned(), bought.answers);
        drop(answers);
        Ok((bearer(session, &bought.token)?, bought.expires_at))
    }
}

/// The scopes that would do for a request, the best first.
fn wishes(session: &Session<'_>, about: &About) -> Vec<String> {
    let Some(scopes) = session.auth.kind.scopes() else { return vec![String::new()] };
    if let Some(scope) = host(session, &about.host).and_then(|h| h.scope.clone()) {
        return vec![scope];
    }
    if !scopes.by_permission {
        return vec![scopes.fixed.to_owned()];
    }
    let mut wishes = vec![every_permission(&session.target.app, session.auth, scopes.fixed)];
    if about.needs.is_empty() {
        wishes.push(scopes.fixed.to_owned());
    } else {
        wishes.extend(about.needs.iter().cloned());
    }
    wishes
}

/// The permissions of all datasets in one scope; of each list the first, since any one of them suffices.
fn every_permission(app: &App, auth: &Auth, fixed: &str) -> String {
    let datasets = app.datasets.iter();
    let firsts =
        datasets.filter_map(|d| d.spec.permission.get(&auth.id)?.first()).flat_map(|p| p.split_whitespace());
    let all: BTreeSet<&str> = fixed.split_whitespace().chain(firsts).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

/// What tokens an application needs here, where each host has its own: those of the hosts that are asked. What nobody chose
/// is not asked, so that a host of its own is none.
fn every_wish<'s>(session: &'s Session<'_>) -> BTreeSet<&'s str> {
    let fixed = session.auth.kind.scopes().map_or("", |s| s.fixed);
    let reads = [
        session.auth.subject.as_ref(),
        session.auth.granted.as_ref().and_then(|g| g.read.as_ref()),
        session.auth.expiry.as_ref().and_then(|e| e.read.as_ref()),
    ];
    let of_reads = reads.into_iter().flatten().map(|read| read.host.as_str());
    let of_datasets = offered(session).flat_map(|d| d.requests.iter().map(|r| r.spec.host.as_str()));
    let hosts = std::iter::once(session.target.app.manifest.identity.host.as_str());
    let hosts: BTreeSet<&str> = hosts.chain(of_reads).chain(of_datasets).collect();
    let mut wishes: BTreeSet<&str> =
        hosts.into_iter().filter_map(|name| host(session, name)?.scope.as_deref()).collect();
    if wishes.is_empty() {
        wishes.insert(fixed);
    }
    wishes
}

fn host<'s>(session: &'s Session<'_>, name: &str) -> Option<&'s Host> {
    session.target.app.deployment(&session.target.deployment)?.hosts.get(name)
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
        readers: 1,
        about: About { host: to.host.clone(), template: to.path.clone(), ..About::default() },
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
    Halt::Fault(Box::new(Fault::local(
        cause,
        Rung::NotSent,
        session.scrub.clean(&detail.into()),
        session.clock.now(),
    )))
}
