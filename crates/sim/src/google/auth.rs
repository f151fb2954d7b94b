//! Who asks: service accounts that sign an assertion for an administrator, within the scopes that were delegated to them.

use std::collections::BTreeSet;

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::{Google, error};
use crate::server::{Answer, Ask, query};

/// A service account with domain-wide delegation.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// The public half of its key (PKCS#1 DER).
    pub public_key: Vec<u8>,
    /// Scopes that were delegated to it.
    pub scopes: BTreeSet<String>,
    /// False: the key was deleted.
    pub valid: bool,
    /// When the key ends, if it does.
    pub key_ends: Option<Timestamp>,
}

/// A token that was sold.
#[derive(Debug, Clone)]
pub(super) struct Sold {
    ends: Timestamp,
    account: String,
    scopes: BTreeSet<String>,
    /// Whether whom it acts for administers everything.
    all: bool,
}

/// What Parapet is delegated, without `https://www.googleapis.com/auth/`.
pub const READ_SCOPES: [&str; 14] = [
    "admin.directory.user.readonly",
    "admin.directory.user.security",
    "admin.directory.rolemanagement.readonly",
    "admin.directory.orgunit.readonly",
    "admin.directory.group.readonly",
    "admin.directory.group.member.readonly",
    "admin.directory.domain.readonly",
    "admin.directory.customer.readonly",
    "admin.reports.audit.readonly",
    "admin.reports.usage.readonly",
    "apps.groups.settings",
    "apps.alerts",
    "cloud-identity.policies.readonly",
    "cloud-identity.inboundsso.readonly",
];
const PREFIX: &str = "https://www.googleapis.com/auth/";

/// By the beginning and the end of a path, which scope it asks for; the first that fits counts.
/// <https://developers.google.com/identity/protocols/oauth2/scopes>
const SCOPES: [(&str, &str, &str); 15] = [
    ("/admin/directory/v1/users/", "/tokens", "admin.directory.user.security"),
    ("/admin/directory/v1/users/", "/asps", "admin.directory.user.security"),
    ("/admin/directory/v1/users", "", "admin.directory.user.readonly"),
    ("/admin/directory/v1/groups/", "/members", "admin.directory.group.member.readonly"),
    ("/admin/directory/v1/groups", "", "admin.directory.group.readonly"),
    ("/admin/directory/v1/customer/", "/orgunits", "admin.directory.orgunit.readonly"),
    ("/admin/directory/v1/customer/", "/roles", "admin.directory.rolemanagement.readonly"),
    ("/admin/directory/v1/customer/", "/roleassignments", "admin.directory.rolemanagement.readonly"),
    ("/admin/directory/v1/customer/", "/domains", "admin.directory.domain.readonly"),
    ("/admin/directory/v1/customers/", "", "admin.directory.customer.readonly"),
    ("/admin/reports/v1/activity/", "", "admin.reports.audit.readonly"),
    ("/admin/reports/v1/usage/", "", "admin.reports.usage.readonly"),
    ("/groups/v1/groups/", "", "apps.groups.settings"),
    ("/v1/policies", "", "cloud-identity.policies.readonly"),
    ("/v1/inbound", "", "cloud-identity.inboundsso.readonly"),
];

/// The scope that a path asks for.
pub(super) fn scope(path: &str) -> Option<&'static str> {
    SCOPES
        .iter()
        .find(|(beginning, end, _)| path.starts_with(beginning) && path.ends_with(end))
        .map(|(_, _, scope)| *scope)
}

impl Google {
    /// Sells a token. <https://developers.google.com/identity/protocols/oauth2/service-account>
    pub(super) fn token(&mut self, ask: &Ask) -> Answer {
        let form = query(&String::from_utf8_lossy(&ask.body));
        let value = |name: &str| form.get(name).map_or("", String::as_str);
        let refusal = |status: u16, word: &str, text: &str| {
            Answer::error(status, json!({ "error": word, "error_description": text }))
        };
        if value("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return refusal(400, "unsupported_grant_type", "Invalid grant_type.");
        }
        // Who it says it is decides by which key it is looked at.
        let Some((email, account)) = issuer(value("assertion")).and_then(|email| {
            let account = self.accounts.get(&email)?.clone();
            Some((email, account))
        }) else {
            return refusal(400, "invalid_grant", "Invalid grant: account not found");
        };
        let Some(claims) = account.claims(value("assertion"), ask) else {
            return refusal(400, "invalid_grant", "Invalid JWT Signature.");
        };
        let Some(all) = self.admins.get(claims["sub"].as_str().unwrap_or(&email)).copied() else {
            return refusal(400, "invalid_grant", "Invalid email or User ID");
        };
        let asked: BTreeSet<String> = claims["scope"]
            .as_str()
            .unwrap_or_default()
            .split_whitespace()
            .map(|scope| scope.strip_prefix(PREFIX).unwrap_or(scope).to_owned())
            .collect();
        let delegated = |scope: &String| account.scopes.contains(scope) && !self.is_withdrawn(scope);
        if asked.is_empty() || !asked.iter().all(delegated) {
            let text = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.";
            return refusal(401, "unauthorized_client", text);
        }
        self.issued += 1;
        let token = format!("ya29.simulated{:08}", self.issued);
        self.sold.insert(
            token.clone(),
            Sold { ends: ask.now + Duration::hours(1), account: email, scopes: asked, all },
        );
        Answer::ok(json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }))
    }

    fn is_withdrawn(&self, scope: &str) -> bool {
        self.withdrawn.contains(scope) || self.withdrawn.contains(&format!("{PREFIX}{scope}"))
    }

    pub(super) fn admits(&self, ask: &Ask) -> Result<(), Box<Answer>> {
        let sold = ask.bearer().and_then(|token| self.sold.get(token)).filter(|sold| sold.ends > ask.now);
        let Some(sold) = sold.filter(|sold| self.accounts.get(&sold.account).is_some_and(|a| a.valid)) else {
            let text = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.";
            return Err(Box::new(error(401, "authError", "UNAUTHENTICATED", text)));
        };
        let Some(needed) = scope(&ask.path) else {
            return Err(Box::new(error(404, "notFound", "NOT_FOUND", "Not Found")));
        };
        if !sold.scopes.contains(needed) || self.is_withdrawn(needed) {
            let text = "Request had insufficient authentication scopes.";
            return Err(Box::new(error(403, "insufficientPermissions", "PERMISSION_DENIED", text)));
        }
        if !sold.all {
            let text = "Not Authorized to access this resource/api";
            return Err(Box::new(error(403, "forbidden", "PERMISSION_DENIED", text)));
        }
        Ok(())
    }
}

/// Whom an assertion names as its issuer, not verified yet.
fn issuer(assertion: &str) -> Option<String> {
    use base64::Engine as _;
    let body = assertion.split('.').nth(1)?;
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).ok()?;
    let claims: Value = serde_json::from_slice(&body).ok()?;
    Some(claims["iss"].as_str()?.to_owned())
}

impl ServiceAccount {
    /// What an assertion says, if it was signed with the account's key and is fresh.
    fn claims(&self, assertion: &str, ask: &Ask) -> Option<Value> {
        if !self.valid || self.key_ends.is_some_and(|ends| ends <= ask.now) {
            return None;
        }
        let key = jsonwebtoken::DecodingKey::from_rsa_der(&self.public_key);
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        // The simulator has a clock of its own, and looks at the audience itself.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Value>(assertion, &key, &rules).ok()?.claims;
        let second = ask.now.0 / 1000;
        let expires = claims["exp"].as_i64().unwrap_or(0);
        // In the real world it is Google's own address, wherever the request goes.
        let for_us = claims["aud"].as_str().is_some_and(|aud| aud.ends_with("/token"));
        (for_us && expires > second && expires <= second + 3_660).then_some(claims)
    }
}
