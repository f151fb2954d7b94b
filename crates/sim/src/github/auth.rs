//! Who asks: personal access tokens with scopes, and a GitHub App that signs JWTs and buys installation tokens.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::{GitHub, not_found};
use crate::server::{Answer, Ask};

/// A personal access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Login of its owner.
    pub login: String,
    /// Classic scopes: `admin:org`, `repo`.
    pub scopes: Vec<String>,
    /// False: revoked.
    pub valid: bool,
    /// When it expires, if it does.
    pub expires_at: Option<Timestamp>,
}

/// A GitHub App with its key.
#[derive(Debug, Clone)]
pub struct AppKey {
    /// The app's id.
    pub app_id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Permission to level: `members` to `read`.
    pub permissions: BTreeMap<String, String>,
    /// False: the key was deleted.
    pub valid: bool,
    /// False: the app was uninstalled from the organisation.
    pub installed: bool,
    public_der: Vec<u8>,
}

impl AppKey {
    /// A new app with a fresh RSA key; the second value is the private key as PEM, to be entered as the credential.
    ///
    /// # Errors
    /// When the cryptographic library cannot make a key.
    pub fn generate(
        app_id: &str,
        slug: &str,
        permissions: &[(&str, &str)],
    ) -> Result<(Self, String), aws_lc_rs::error::Unspecified> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048)?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let app = Self {
            app_id: app_id.to_owned(),
            slug: slug.to_owned(),
            permissions: permissions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            valid: true,
            installed: true,
            public_der: public.as_ref().to_vec(),
        };
        Ok((app, pem("PRIVATE KEY", private.as_ref())))
    }

    fn accepts(&self, jwt: &str, now: Timestamp) -> bool {
        let key =
            match jsonwebtoken::DecodingKey::from_rsa_pem(pem("PUBLIC KEY", &self.public_der).as_bytes()) {
                Ok(key) => key,
                Err(e) => {
                    tracing::error!(error = %e, "the simulated app's public key cannot be read");
                    return false;
                }
            };
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        // The simulator has a clock of its own.
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        let Ok(data) = jsonwebtoken::decode::<Value>(jwt, &key, &rules) else { return false };
        let second = now.0 / 1000;
        let issuer = &data.claims["iss"];
        // As text or as a number: GitHub accepts both.
        let issuer_fits = issuer.as_str().map_or_else(|| issuer.to_string(), str::to_owned) == self.app_id;
        let expires = data.claims["exp"].as_i64().unwrap_or(0);
        let issued = data.claims["iat"].as_i64().unwrap_or(i64::MAX);
        self.valid && issuer_fits && expires > second && expires <= second + 660 && issued <= second + 60
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A caller that was recognised.
pub(super) enum Who {
    Token(Token),
    Installation(BTreeMap<String, String>),
}

impl Who {
    /// Whether it may read what needs this app permission, or this classic scope.
    pub(super) fn holds(&self, app: &str, classic: &str, withdrawn: &BTreeSet<String>) -> bool {
        if withdrawn.contains(app) || withdrawn.contains(classic) {
            return false;
        }
        match self {
            Self::Installation(permissions) => {
                let (name, level) = app.split_once(':').unwrap_or((app, "read"));
                let suffices = |held: &String| held == level || level == "read";
                app.is_empty() || name == "metadata" || permissions.get(name).is_some_and(suffices)
            }
            Self::Token(token) => classic.is_empty() || token.scopes.iter().any(|s| implies(s, classic)),
        }
    }

    pub(super) fn refuses(&self, needs: (&str, &str), withdrawn: &BTreeSet<String>) -> Option<Answer> {
        if self.holds(needs.0, needs.1, withdrawn) {
            return None;
        }
        Some(Answer::error(
            403,
            json!({ "message": format!("Resource not accessible by {}", self.word()),
                "documentation_url": "https://docs.github.com/rest", "status": "403" }),
        ))
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Token(_) => "personal access token",
            Self::Installation(_) => "integration",
        }
    }

    pub(super) fn user(&self) -> Answer {
        match self {
            Self::Token(token) => Answer::ok(json!({ "login": token.login, "id": 1, "type": "User" })),
            Self::Installation(_) => {
                Answer::error(403, json!({ "message": "Resource not accessible by integration" }))
            }
        }
    }

    pub(super) fn headers(&self, answer: Answer) -> Answer {
        let Self::Token(token) = self else { return answer };
        let answer = answer.header("x-oauth-scopes", token.scopes.join(", "));
        match token.expires_at {
            Some(at) => answer.header(
                "github-authentication-token-expiration",
                at.to_jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            ),
            None => answer,
        }
    }
}

/// Classic scopes contain each other:
/// <https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps>.
fn implies(held: &str, needed: &str) -> bool {
    held == needed
        || matches!(
            (held, needed),
            ("admin:org", "write:org" | "read:org")
                | ("write:org", "read:org")
                | ("repo", "public_repo" | "security_events")
        )
}

fn bad_credentials() -> Box<Answer> {
    Box::new(Answer::error(
        401,
        json!({ "message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401" }),
    ))
}

impl GitHub {
    pub(super) fn who(&self, ask: &Ask) -> Result<Who, Box<Answer>> {
        let Some(bearer) = ask.bearer() else { return Err(bad_credentials()) };
        if let Some(expires) = self.installation_tokens.get(bearer) {
            let app = self.app.as_ref().filter(|a| a.installed && *expires > ask.now);
            return app.map(|a| Who::Installation(a.permissions.clone())).ok_or_else(bad_credentials);
        }
        let token = self.tokens.get(bearer).filter(|t| t.valid && t.expires_at.is_none_or(|at| at > ask.now));
        token.cloned().map(Who::Token).ok_or_else(bad_credentials)
    }

    /// Answers what is asked as the app itself, with a JWT; `None` for everything else.
    pub(super) fn app_answer(&mut self, ask: &Ask) -> Option<Answer> {
        let finds = ask.path == format!("/orgs/{}/installation", self.organization);
        let buys = ask.path.starts_with("/app/installations/") && ask.path.ends_with("/access_tokens");
        if !finds && !buys && ask.path != "/app" {
            return None;
        }
        let app = self.app.clone();
        let Some(app) = app.filter(|a| ask.bearer().is_some_and(|jwt| a.accepts(jwt, ask.now))) else {
            return Some(Answer::error(
                401,
                json!({ "message": "A JSON web token could not be decoded", "documentation_url": "https://docs.github.com/rest" }),
            ));
        };
        if ask.path == "/app" {
            return Some(Answer::ok(
                json!({ "id": 1, "slug": app.slug, "name": app.slug, "permissions": app.permissions }),
            ));
        }
        if !app.installed {
            return Some(not_found());
        }
        if finds {
            return Some(Answer::ok(json!({
                "id": 4_711, "app_id": app.app_id.parse::<u64>().unwrap_or(1), "app_slug": app.slug,
                "account": { "login": self.organization, "type": "Organization" }, "target_type": "Organization",
                "repository_selection": "all", "permissions": app.permissions, "events": [],
                "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z", "suspended_at": null,
            })));
        }
        self.issued += 1;
        let token = format!("ghs_simulated{:08}", self.issued);
        let expires = ask.now + Duration::hours(1);
        self.installation_tokens.insert(token.clone(), expires);
        Some(Answer {
            status: 201,
            headers: Vec::new(),
            body: json!({ "token": token, "expires_at": expires.to_string(), "permissions": app.permissions,
                "repository_selection": "all" }),
        })
    }
}
