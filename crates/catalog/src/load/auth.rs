//! Ways to authenticate.

use std::collections::{BTreeMap, BTreeSet};

use crate::load::cross::{Context, is_header_name};
use crate::load::doc::{At, at};
use crate::load::fields::{is_name, json_path};
use crate::load::hosting::endpoint_path;
use crate::manifest::{Auth, AuthKind, ClientAuth, Endpoint, Expiry, Granted, LoginBody, Read};

fn endpoint(cx: &mut Context<'_>, at: &At, endpoint: &Endpoint, further: &[&str]) {
    cx.host(&at.key("host"), &endpoint.host, &[]);
    endpoint_path(cx, &at.key("path"), &endpoint.path, further);
}

fn read(cx: &mut Context<'_>, at: &At, read: &Read, further: &[&str]) {
    cx.host(&at.key("host"), &read.host, &[]);
    if let Some(path) = &read.path {
        endpoint_path(cx, &at.key("path"), path, further);
    }
    json_path(cx.doc, &at.key("at"), &read.at, cx.errors);
}

/// Form fields of token requests that the mechanism sends itself.
const OWN_FIELDS: (&str, &[&str]) = (
    "form field",
    &[
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "grant_type",
        "redirect_uri",
        "refresh_token",
        "scope",
    ],
);

/// Parameters of the sign-in page's address that the mechanism sends itself.
const OWN_PARAMETERS: (&str, &[&str]) = (
    "parameter",
    &[
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    ],
);

/// How it authenticates.
pub(crate) fn auths(cx: &mut Context<'_>) {
    let manifest = cx.manifest;
    if manifest.auth.is_empty() {
        cx.error(&at("auth"), "there is no way to authenticate", "Add [[auth]]");
    }
    let mut ids = BTreeSet::new();
    for (i, auth) in manifest.auth.iter().enumerate() {
        let at = at("auth").index(i);
        if !is_name(&auth.id) || !ids.insert(&auth.id) {
            let message = format!("auth id `{}` is taken or malformed", auth.id);
            cx.error(&at.key("id"), message, "Small letters, digits and `_`, each once");
        }
        cx.non_empty(&at.key("title"), "title", &auth.title);
        kind(cx, &at, &auth.kind);
        scopes(cx, &at, auth);
        if let Some(subject) = &auth.subject {
            read(cx, &at.key("subject"), subject, &[]);
        }
        match &auth.granted {
            Some(Granted { header: None, read: None, claim: Some(claim), .. }) => {
                let at = at.key("granted").key("claim");
                cx.non_empty(&at, "claim", claim);
                if auth.kind.scopes().is_none() {
                    cx.error(&at, "tokens of this kind have no claims", "Say otherwise where it is told");
                }
            }
            Some(Granted { claim: Some(_), .. }) => {
                let remedy = "Say where the vendor tells it, in one place";
                cx.error(&at.key("granted"), "only one of `header`, `read` and `claim` can be", remedy);
            }
            Some(Granted { header, read, .. }) => {
                header_or_read(cx, &at.key("granted"), header.as_deref(), read.as_ref(), &[]);
            }
            None => {}
        }
        if let Some(told) = &auth.expiry {
            expiry(cx, &at.key("expiry"), auth, told);
        }
    }
}

/// When a credential ends.
fn expiry(cx: &mut Context<'_>, at: &At, auth: &Auth, told: &Expiry) {
    let Expiry { header, read, each, hint, idle_days } = told;
    match idle_days {
        Some(days) => {
            if header.is_some() || read.is_some() || each.is_some() || hint.is_some() {
                cx.error(at, "`idle_days` stands alone", "Say where the vendor tells it, in one place");
            }
            if !(1..=3650).contains(days) {
                cx.error(&at.key("idle_days"), format!("{days} days is no such time"), "1 to 3650");
            }
        }
        None => {
            let fields = auth.kind.fields();
            let public: Vec<&str> = fields.iter().filter(|f| !f.secret).map(|f| f.name).collect();
            header_or_read(cx, at, header.as_deref(), read.as_ref(), &public);
        }
    }
    for (name, path) in [("each", each), ("hint", hint)] {
        let Some(path) = path else { continue };
        json_path(cx.doc, &at.key(name), path, cx.errors);
        if read.is_none() || each.is_none() {
            cx.error(
                &at.key(name),
                format!("`{name}` is about a list that is read"),
                "Use it with `read` and `each`",
            );
        }
    }
}

fn header_or_read(
    cx: &mut Context<'_>,
    at: &At,
    header: Option<&str>,
    from: Option<&Read>,
    further: &[&str],
) {
    match (header, from) {
        (Some(header), None) if is_header_name(header) => {}
        (Some(header), None) => {
            cx.error(
                &at.key("header"),
                format!("`{header}` is not a header's name"),
                "Letters, digits and `-`",
            );
        }
        (None, Some(from)) => read(cx, &at.key("read"), from, further),
        _ => cx.error(at, "one of `header` and `read` is needed", "Say where the vendor tells it"),
    }
}

fn kind(cx: &mut Context<'_>, at: &At, kind: &AuthKind) {
    match kind {
        AuthKind::Bearer {} | AuthKind::Basic { .. } => {}
        AuthKind::Header { header, .. } => {
            let refused = ["host", "cookie", "content-length", "transfer-encoding", "connection"];
            if !is_header_name(header) || refused.contains(&header.to_ascii_lowercase().as_str()) {
                let message = format!("`{header}` cannot carry a credential");
                cx.error(&at.key("header"), message, "For example `Authorization` or `X-Api-Key`");
            }
        }
        AuthKind::ClientCredentials { token, client_auth, grant, extra, .. } => {
            endpoint(cx, &at.key("token"), token, &[]);
            cx.non_empty(&at.key("grant"), "grant", grant);
            form(cx, &at.key("extra"), extra, OWN_FIELDS);
            if *client_auth == ClientAuth::None {
                let remedy =
                    "Say how it shows who it is: `basic`, `body`, `private_key_jwt` or `certificate`";
                cx.error(&at.key("client_auth"), "a client without a secret has no token of its own", remedy);
            }
        }
        AuthKind::AuthorizationCode { authorize, token, authorize_extra, extra, .. } => {
            endpoint(cx, &at.key("authorize"), authorize, &[]);
            endpoint(cx, &at.key("token"), token, &[]);
            form(cx, &at.key("authorize_extra"), authorize_extra, OWN_PARAMETERS);
            form(cx, &at.key("extra"), extra, OWN_FIELDS);
        }
        AuthKind::JwtBearer { token, subject_title, extra, .. } => {
            endpoint(cx, &at.key("token"), token, &[]);
            if let Some(title) = subject_title {
                cx.non_empty(&at.key("subject_title"), "subject_title", title);
            }
            form(cx, &at.key("extra"), extra, OWN_FIELDS);
        }
        AuthKind::Session { login, body, username_at, password_at, extra, cookie, .. } => {
            endpoint(cx, &at.key("login"), login, &[]);
            slots(cx, at, *body, [("username_at", username_at), ("password_at", password_at)], extra);
            if let Some(cookie) = cookie
                && !is_cookie_name(cookie)
            {
                let message = format!("`{cookie}` is not a cookie's name");
                cx.error(&at.key("cookie"), message, "As it stands before the `=` in `Set-Cookie`");
            }
            one_origin(cx, at);
        }
        AuthKind::AppInstallation { installation, token } => {
            endpoint(cx, &at.key("installation"), installation, &[]);
            endpoint(cx, &at.key("token"), token, &["installation_id"]);
        }
    }
}

/// Form fields or parameters that a manifest adds; what the mechanism sends itself cannot be set, nor what is secret.
fn form(cx: &mut Context<'_>, at: &At, extra: &BTreeMap<String, String>, (what, own): (&str, &[&str])) {
    for (name, value) in extra {
        let at = at.key(name);
        if own.contains(&name.as_str()) {
            let remedy = "The mechanism sends it; see the other words of this kind";
            cx.error(&at, format!("{what} `{name}` cannot be set here"), remedy);
        }
        for name in cx.template(&at, value).iter().flat_map(|t| t.placeholders()) {
            cx.setting(&at, name, false);
        }
    }
}

/// Scopes come from one place.
fn scopes(cx: &mut Context<'_>, at: &At, auth: &Auth) {
    let Some(scopes) = auth.kind.scopes() else { return };
    for (i, code) in scopes.refused.iter().enumerate() {
        cx.non_empty(&at.key("scope_refused").index(i), "scope_refused", code);
    }
    if !scopes.by_permission {
        return;
    }
    let at = at.key("scope_by_permission");
    if auth.granted.is_some() {
        let remedy = "Remove `granted`: each dataset's scope is tried before anything is saved";
        cx.error(&at, "beside `granted`, what is sold would be taken for what is granted", remedy);
    }
    let hosts = cx.manifest.deployment.iter().flat_map(|d| d.hosts.values());
    if hosts.into_iter().any(|h| h.scope.is_some()) {
        cx.error(&at, "a host has a scope of its own", "Remove one of them");
    }
}

/// The parts of a sign-in's body: each a place of its own, none inside of another.
fn slots(
    cx: &mut Context<'_>,
    at: &At,
    body: LoginBody,
    secret: [(&str, &String); 2],
    extra: &BTreeMap<String, toml::Value>,
) {
    let places = secret
        .iter()
        .map(|(key, place)| (at.key(key), place.as_str()))
        .chain(extra.keys().map(|place| (at.key("extra").key(place), place.as_str())));
    let mut taken: Vec<&str> = Vec::new();
    for (at, place) in places {
        let steps = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let plain = !place.is_empty()
            && !place.chars().any(char::is_control)
            && (body == LoginBody::Form || steps(place).iter().all(|s| !s.is_empty() && s != "*"));
        if !plain {
            let remedy = "The name of a form field, or names with dots between them for JSON";
            cx.error(&at, format!("`{place}` is not a place in the body"), remedy);
            continue;
        }
        let overlaps = |other: &str| match body {
            LoginBody::Form => *other == *place,
            LoginBody::Json => {
                let (a, b) = (steps(place), steps(other));
                a.iter().zip(&b).all(|(a, b)| a == b)
            }
        };
        if taken.iter().any(|other| overlaps(other)) {
            cx.error(&at, format!("`{place}` is taken in the body"), "Give each part a place of its own");
        }
        taken.push(place);
    }
    for (place, value) in extra {
        if value.is_table() || value.is_array() || value.is_datetime() {
            let remedy = "Write text, a number, true or false; what is nested by a path with dots";
            cx.error(&at.key("extra").key(place), format!("`{place}` is no plain constant"), remedy);
        }
    }
}

/// RFC 6265 section 4.1.1: a token of RFC 9110.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A session belongs to the origin that began it, so that there can be only one.
fn one_origin(cx: &mut Context<'_>, at: &At) {
    for deployment in &cx.manifest.deployment {
        let origins: BTreeSet<_> = deployment.hosts.values().map(|h| h.origin.as_deref()).collect();
        if origins.len() > 1 {
            let message = format!("the hosts of deployment `{}` have different origins", deployment.id);
            cx.error(&at.key("kind"), message, "A session is only kept with the origin that began it");
            return;
        }
    }
}
