//! Signing in at the vendor: where the browser goes, what its code is redeemed for, and how that is renewed.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalog::App;
use catalog::manifest::{Auth, AuthKind, Endpoint, Meaning};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use model::diagnosis::Fault;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::oauth::{Bought, Form, by_form, client, refusal};
use super::{MARGIN, bearer, broken, every_permission, unusable};
use crate::ask::Halt;
use crate::clock::Clock;
use crate::outbound::Outbound;
use crate::patience::opened;
use crate::place::{Places, address, text};
use crate::preflight::plain;
use crate::renew::{Access, Renewal, Turn};
use crate::session::Session;
use crate::target::{Credential, Target};

/// One sign-in at a vendor, from the moment the browser leaves to the moment it comes back.
pub struct SignIn {
    /// Where the vendor sends the browser; registered there to the letter.
    pub redirect_uri: String,
    /// Proves, when the code is redeemed, that it was asked for here (RFC 7636): 43 to 128 unreserved characters.
    pub verifier: SecretString,
    /// What the browser brought back. Empty until then.
    pub code: SecretString,
}

/// The scopes that a sign-in asks for; none for ways to authenticate that nobody signs in for.
#[must_use]
pub fn sign_in_scopes(app: &App, auth: &Auth) -> Vec<String> {
    let AuthKind::AuthorizationCode { scope, scope_by_permission, .. } = &auth.kind else {
        return Vec::new();
    };
    let scope = if *scope_by_permission { every_permission(app, auth, scope) } else { scope.clone() };
    scope.split_whitespace().map(str::to_owned).collect()
}

/// Where the browser signs in: the vendor's page, with all that the vendor must know. `state` comes back with the code.
///
/// # Errors
/// What is wrong with the manifest, or a way to authenticate that nobody signs in for.
pub fn authorize_url(
    target: &Target,
    auth: &str,
    client_id: &str,
    state: &str,
    sign_in: &SignIn,
) -> Result<Url, String> {
    let auth = target.app.auth(auth).ok_or_else(|| format!("there is no way to authenticate `{auth}`"))?;
    let AuthKind::AuthorizationCode { authorize, authorize_extra, .. } = &auth.kind else {
        return Err(format!("nobody signs in at the vendor for `{}`", auth.id));
    };
    let mut url = address(target, &authorize.host, &authorize.path, &Places::default())?;
    let scopes = sign_in_scopes(&target.app, auth);
    let digest = digest::digest(&digest::SHA256, sign_in.verifier.expose_secret().as_bytes());
    let mut pairs = url.query_pairs_mut();
    pairs
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", &sign_in.redirect_uri)
        .append_pair("state", state)
        .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(digest.as_ref()))
        .append_pair("code_challenge_method", "S256");
    if !scopes.is_empty() {
        pairs.append_pair("scope", &scopes.join(" "));
    }
    for (name, value) in authorize_extra {
        pairs.append_pair(name, &text(target, value, &Places::default())?);
    }
    drop(pairs);
    Ok(url)
}

/// See [`crate::sign_in`].
pub(crate) async fn sign_in(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    sign_in: &SignIn,
) -> Result<Renewal, Fault> {
    let session = opened(outbound, target, credential, clock).map_err(|f| *f)?;
    redeem(&session, sign_in).await.map_err(|halt| plain(halt, &session))
}

async fn redeem(session: &Session<'_>, sign_in: &SignIn) -> Result<Renewal, Halt> {
    let (code, verifier) = (sign_in.code.expose_secret(), sign_in.verifier.expose_secret());
    session.scrub.learn(code);
    session.scrub.learn(verifier);
    let fields =
        [("code", code), ("redirect_uri", sign_in.redirect_uri.as_str()), ("code_verifier", verifier)];
    let reason = "The vendor does not accept the code of this sign-in: it was used, is too old, or was not given to this client";
    let bought = ask(session, "authorization_code", &fields, "", reason).await?;
    let Some(refresh_token) = bought.refresh_token.clone() else {
        return Err(unusable(
            session,
            "The vendor gave no refresh token, so that scans would end with this sign-in. Allow this client refresh tokens (often a scope such as `offline_access`) and sign in again",
        ));
    };
    let mut renewal = Renewal::new(refresh_token);
    renewal.access.insert(String::new(), access(&bought));
    Ok(renewal)
}

/// A token for a scope: one that another scan of the same sign-in has just bought, or a new one. `ended`: the header of
/// one that the vendor no longer accepts.
pub(super) async fn renew(
    session: &Session<'_>,
    scope: &str,
    ended: Option<&HeaderValue>,
) -> Result<Bought, Halt> {
    let mut turn = session.credential.keeper.turn().await.map_err(|why| broken(session, why))?;
    let bought = renew_in(session, &mut *turn, scope, ended).await;
    turn.end().await;
    bought
}

async fn renew_in(
    session: &Session<'_>,
    turn: &mut dyn Turn,
    scope: &str,
    ended: Option<&HeaderValue>,
) -> Result<Bought, Halt> {
    let Some(current) = turn.current().cloned() else {
        return Err(unusable(
            session,
            "Nobody has signed in at the vendor: the credential has no refresh token",
        ));
    };
    session.scrub.learn(current.refresh_token.expose_secret());
    if let Some(kept) = current.access.get(scope) {
        session.scrub.learn(kept.token.expose_secret());
        let is_refused = match ended {
            Some(ended) => bearer(session, kept.token.expose_secret())?.get(AUTHORIZATION) == Some(ended),
            None => false,
        };
        if !is_refused && kept.expires_at.is_none_or(|at| at > session.clock.now() + MARGIN) {
            return Ok(Bought {
                token: kept.token.expose_secret().to_owned(),
                expires_at: kept.expires_at,
                answers: kept.answers.clone(),
                refresh_token: None,
            });
        }
    }
    let fields = [("refresh_token", current.refresh_token.expose_secret())];
    let reason = "The sign-in at the vendor has ended: its refresh token was revoked, has expired, or was used by somebody else";
    let bought = ask(session, "refresh_token", &fields, scope, reason).await?;
    let mut renewed = current;
    if let Some(token) = &bought.refresh_token {
        renewed.refresh_token = token.clone();
    }
    renewed.access.insert(scope.to_owned(), access(&bought));
    turn.keep(renewed).await.map_err(|why| {
        broken(session, format!("The vendor renewed the sign-in, and that could not be stored: {why}"))
    })?;
    Ok(bought)
}

fn access(bought: &Bought) -> Access {
    Access {
        token: bought.token.clone().into(),
        expires_at: bought.expires_at,
        answers: bought.answers.clone(),
    }
}

/// A token request of this mechanism. `reason`: what it means when the vendor does not take what is redeemed.
async fn ask(
    session: &Session<'_>,
    grant: &str,
    fields: &[(&str, &str)],
    scope: &str,
    reason: &str,
) -> Result<Bought, Halt> {
    let (token, client_auth, audience, extra): (&Endpoint, _, _, _) = match &session.auth.kind {
        AuthKind::AuthorizationCode { token, client_auth, audience, extra, .. } => {
            (token, *client_auth, audience.as_deref(), extra)
        }
        _ => return Err(broken(session, "Nobody signs in at the vendor for this way to authenticate")),
    };
    let mut form = Form::new(session, extra)?;
    form.add("grant_type", grant);
    for (name, value) in fields {
        form.add(name, value);
    }
    form.scope(scope);
    let headers = client(session, client_auth, token, audience, &mut form)?;
    let ended = refusal("invalid_grant", Meaning::Credentials, reason);
    by_form(session, token, headers, form, Some(ended)).await
}
