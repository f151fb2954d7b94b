//! Who asks: API tokens that act for their owners, and a service app that signs in with its key.

use std::collections::BTreeSet;

use base64::Engine as _;
use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::{Okta, error};
use crate::server::{Answer, Ask, query};

/// What the owner of a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Sees everything.
    SuperAdministrator,
    /// Sees policies, apps and users, and neither roles nor credentials.
    ReadOnlyAdministrator,
    /// The token was revoked.
    Revoked,
}

/// A service app with its key.
#[derive(Debug, Clone)]
pub struct ServiceApp {
    /// Its client id.
    pub client_id: String,
    /// Scopes that were granted to it.
    pub scopes: BTreeSet<String>,
    /// False: the key was deleted.
    pub valid: bool,
    public_key: Vec<u8>,
}

impl ServiceApp {
    /// A new app with a fresh RSA key; the second value is the private key as PEM, to be entered as the credential.
    ///
    /// # Errors
    /// When the cryptographic library cannot make a key.
    pub fn generate(
        client_id: &str,
        scopes: &[&str],
    ) -> Result<(Self, String), aws_lc_rs::error::Unspecified> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048)?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let text = base64::engine::general_purpose::STANDARD.encode(private.as_ref());
        let app = Self {
            client_id: client_id.to_owned(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            valid: true,
            public_key: pair.public_key().as_ref().to_vec(),
        };
        Ok((app, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")))
    }

    /// Whether an assertion was signed with the app's key, for this audience, and is fresh: Okta takes none that lives for
    /// more than an hour.
    fn accepts(&self, assertion: &str, audience: &str, now: Timestamp) -> bool {
        let key = jsonwebtoken::DecodingKey::from_rsa_der(&self.public_key);
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        // The simulator has a clock of its own, and looks at the audience itself.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let Ok(data) = jsonwebtoken::decode::<Value>(assertion, &key, &rules) else { return false };
        let claims = data.claims;
        let second = now.0 / 1000;
        let expires = claims["exp"].as_i64().unwrap_or(0);
        self.valid
            && claims["iss"] == self.client_id.as_str()
            && claims["sub"] == self.client_id.as_str()
            && claims["aud"].as_str().is_some_and(|aud| aud.ends_with(audience))
            && expires > second
            && expires <= second + 3_600
    }
}

/// Every scope that one of the endpoints here asks for.
pub const SCOPES_TO_READ: [&str; 21] = [
    "okta.apiTokens.read",
    "okta.appGrants.read",
    "okta.apps.read",
    "okta.authenticators.read",
    "okta.authorizationServers.read",
    "okta.behaviors.read",
    "okta.botProtection.read",
    "okta.captchas.read",
    "okta.eventHooks.read",
    "okta.groups.read",
    "okta.idps.read",
    "okta.inlineHooks.read",
    "okta.logStreams.read",
    "okta.networkZones.read",
    "okta.oauthIntegrations.read",
    "okta.orgs.read",
    "okta.policies.read",
    "okta.roles.read",
    "okta.threatInsights.read",
    "okta.trustedOrigins.read",
    "okta.users.read",
];

/// The scope that each endpoint asks for; the longest prefix counts.
/// <https://developer.okta.com/docs/api/oauth2/>
const SCOPES: [(&str, &str); 23] = [
    ("/api/v1/api-tokens", "okta.apiTokens.read"),
    ("/api/v1/apps", "okta.apps.read"),
    ("/api/v1/authenticators", "okta.authenticators.read"),
    ("/api/v1/authorizationServers", "okta.authorizationServers.read"),
    ("/api/v1/behaviors", "okta.behaviors.read"),
    ("/api/v1/bot-protection", "okta.botProtection.read"),
    ("/api/v1/captchas", "okta.captchas.read"),
    ("/api/v1/eventHooks", "okta.eventHooks.read"),
    ("/api/v1/first-party-app-settings", "okta.apps.read"),
    ("/api/v1/groups", "okta.groups.read"),
    ("/api/v1/iam", "okta.roles.read"),
    ("/api/v1/idps", "okta.idps.read"),
    ("/api/v1/inlineHooks", "okta.inlineHooks.read"),
    ("/api/v1/logStreams", "okta.logStreams.read"),
    ("/api/v1/org", "okta.orgs.read"),
    ("/api/v1/policies", "okta.policies.read"),
    ("/api/v1/threats", "okta.threatInsights.read"),
    ("/api/v1/trustedOrigins", "okta.trustedOrigins.read"),
    ("/api/v1/users", "okta.users.read"),
    ("/api/v1/zones", "okta.networkZones.read"),
    ("/attack-protection", "okta.orgs.read"),
    ("/integrations", "okta.oauthIntegrations.read"),
    ("/oauth2/v1/clients", "okta.roles.read"),
];

fn scope(path: &str) -> &'static str {
    if path.ends_with("/roles") {
        return "okta.roles.read";
    }
    if path.ends_with("/grants") {
        return "okta.appGrants.read";
    }
    if path == "/api/v1/org/captcha" {
        return "okta.captchas.read";
    }
    SCOPES.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or("", |(_, scope)| scope)
}

/// What only a super administrator sees, by the path's beginning or end.
fn is_guarded(path: &str) -> bool {
    [
        "/api/v1/iam/",
        "/api/v1/api-tokens",
        "/api/v1/logStreams",
        "/api/v1/first-party-app-settings",
        "/api/v1/org/privacy",
        "/api/v1/org/settings",
        "/api/v1/org/orgSettings",
        "/integrations/",
        "/oauth2/v1/clients/",
    ]
    .iter()
    .any(|beginning| path.starts_with(beginning))
        || ["/roles", "/factors", "/grants"].iter().any(|end| path.ends_with(end))
}

impl Okta {
    /// Sells a token for a signed assertion.
    pub(super) fn token(&mut self, ask: &Ask) -> Answer {
        let form = query(&String::from_utf8_lossy(&ask.body));
        let value = |name: &str| form.get(name).map_or("", String::as_str);
        let refusal = |status: u16, word: &str, text: &str| {
            Answer::error(status, json!({ "error": word, "error_description": text }))
        };
        if value("grant_type") != "client_credentials" {
            return refusal(400, "unsupported_grant_type", "The authorization grant type is not supported.");
        }
        let app = self.app.as_ref().filter(|app| app.accepts(value("client_assertion"), &ask.path, ask.now));
        let Some(app) = app else {
            return refusal(401, "invalid_client", "The client_assertion token was not accepted.");
        };
        let asked: BTreeSet<String> = value("scope").split_whitespace().map(str::to_owned).collect();
        if asked.is_empty() || !asked.is_subset(&app.scopes) {
            let text = "One or more scopes are not granted to the client application.";
            return refusal(400, "invalid_scope", text);
        }
        self.issued += 1;
        let token = format!("simulated-{:08}", self.issued);
        let scope: Vec<&str> = asked.iter().map(String::as_str).collect();
        let answer = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": scope.join(" ") });
        self.sold.insert(token, (ask.now + Duration::hours(1), asked));
        Answer::ok(answer)
    }

    /// Why a request is not answered, if it is not.
    pub(super) fn refuses(&self, ask: &Ask) -> Option<Answer> {
        let needed = scope(&ask.path);
        let forbidden =
            || error(403, "E0000006", "You do not have permission to perform the requested action");
        let header = ask.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if let Some(token) = header.strip_prefix("SSWS ") {
            return match self.tokens.get(token) {
                None | Some(Rank::Revoked) => Some(error(401, "E0000011", "Invalid token provided")),
                Some(Rank::ReadOnlyAdministrator) if is_guarded(&ask.path) => Some(forbidden()),
                Some(_) if self.withdrawn.contains(needed) => Some(forbidden()),
                Some(_) => None,
            };
        }
        let sold = ask.bearer().and_then(|token| self.sold.get(token));
        match sold.filter(|(until, _)| *until > ask.now && self.app.as_ref().is_some_and(|app| app.valid)) {
            None => Some(error(401, "E0000011", "Invalid token provided")),
            Some((_, scopes)) if !scopes.contains(needed) => Some(error(
                403,
                "E0000005",
                "The access token provided does not contain the required scopes.",
            )),
            Some(_) if self.withdrawn.contains(needed) => Some(forbidden()),
            Some(_) => None,
        }
    }
}
