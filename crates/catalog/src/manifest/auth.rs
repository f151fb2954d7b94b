//! Authentication, and what is learnt about a credential.

use std::collections::BTreeMap;

use serde::Deserialize;

// Unknown fields are refused by the loader, by kind: the derive cannot do that beside `flatten`.
/// A way to authenticate.
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    /// `app`, `token`: names it in permissions, storage and on the command line.
    pub id: String,
    /// Choice in the wizard.
    pub title: String,
    /// One sentence: when to choose it.
    #[serde(default)]
    pub help: String,
    /// The mechanism and its public parameters.
    #[serde(flatten)]
    pub kind: AuthKind,
    /// How to learn what the credential may do.
    pub granted: Option<Granted>,
    /// A permission that contains others: `"admin:org" = ["read:org"]`. Transitive.
    #[serde(default)]
    pub implies: BTreeMap<String, Vec<String>>,
    /// Whom it authenticates as.
    pub subject: Option<Read>,
    /// When it expires.
    pub expiry: Option<Expiry>,
}

/// The closed list of mechanisms. Secret parts are entered by the admin and never stand in a manifest; which fields a
/// mechanism needs, the wizard and the application's page say.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AuthKind {
    /// `Authorization: Bearer <token>`.
    Bearer {},
    /// A header of its own: `Authorization: SSWS <token>`, `X-Api-Key: <token>`.
    Header {
        /// Name of the header.
        header: String,
        /// Text before the token, its trailing space included.
        #[serde(default)]
        prefix: String,
    },
    /// HTTP basic with a service account made for Parapet, or a key id and its secret.
    Basic {
        /// Label of the first field.
        #[serde(default = "default_username")]
        username_title: String,
        /// Label of the second field.
        #[serde(default = "default_password")]
        password_title: String,
    },
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4).
    ClientCredentials {
        /// Where tokens are issued.
        token: Endpoint,
        /// `basic` (RFC 6749's preferred) or `body`.
        #[serde(default)]
        client_auth: ClientAuth,
        /// Scope to ask for.
        #[serde(default)]
        scope: String,
        /// Further form fields, such as `audience`.
        #[serde(default)]
        extra: BTreeMap<String, String>,
    },
    /// Sign-in with a service account made for Parapet, for products that know nothing better: its name and password go by
    /// POST to the login address once a run, and the cookies of that answer accompany every request to the same origin.
    /// A request answered 401 signs in again, once.
    Session {
        /// Where to sign in.
        login: Endpoint,
        /// How the body is written.
        #[serde(default)]
        body: LoginBody,
        /// Where the user name stands in the body: the name of a form field, or a path in the JSON object.
        #[serde(default = "username_at")]
        username_at: String,
        /// Where the password stands in the body, likewise.
        #[serde(default = "password_at")]
        password_at: String,
        /// Further constant parts of the body, by the same paths: `{ "scheme.name" = "local" }`.
        #[serde(default)]
        extra: BTreeMap<String, toml::Value>,
        /// The cookie without which nobody is signed in. Left out: any cookie shows that the sign-in succeeded.
        cookie: Option<String>,
        /// Label of the first field.
        #[serde(default = "default_username")]
        username_title: String,
        /// Label of the second field.
        #[serde(default = "default_password")]
        password_title: String,
    },
    /// A GitHub App: a short-lived JWT signed with the app's key buys an installation token.
    AppInstallation {
        /// Finds the installation for this tenant, as the app (JWT): `/orgs/{organization}/installation`.
        installation: Endpoint,
        /// Buys the token; `{installation_id}` is the `id` of the answer above.
        token: Endpoint,
    },
}

/// How the body of a sign-in is written.
#[derive(Debug, Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LoginBody {
    /// A JSON object.
    #[default]
    Json,
    /// Form fields (`application/x-www-form-urlencoded`).
    Form,
}

fn username_at() -> String {
    "username".to_owned()
}
fn password_at() -> String {
    "password".to_owned()
}
fn default_username() -> String {
    "Username".to_owned()
}
fn default_password() -> String {
    "Password".to_owned()
}

/// How client id and secret are presented.
#[derive(Debug, Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// HTTP basic.
    #[default]
    Basic,
    /// Form fields `client_id` and `client_secret`.
    Body,
}

/// One input of a credential form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialField {
    /// Name in forms, files and environment: `token`, `app_id`, `private_key`.
    pub name: &'static str,
    /// Label.
    pub title: String,
    /// Secret: sealed, never shown again.
    pub secret: bool,
    /// Several lines (a PEM key).
    pub multiline: bool,
}

impl AuthKind {
    /// The inputs that this mechanism needs, in form order.
    #[must_use]
    pub fn fields(&self) -> Vec<CredentialField> {
        let field = |name, title: &str, secret, multiline| CredentialField {
            name,
            title: title.to_owned(),
            secret,
            multiline,
        };
        match self {
            Self::Bearer {} | Self::Header { .. } => vec![field("token", "Token", true, false)],
            Self::Basic { username_title, password_title }
            | Self::Session { username_title, password_title, .. } => {
                vec![
                    field("username", username_title, false, false),
                    field("password", password_title, true, false),
                ]
            }
            Self::ClientCredentials { .. } => {
                vec![
                    field("client_id", "Client ID", false, false),
                    field("client_secret", "Client secret", true, false),
                ]
            }
            Self::AppInstallation { .. } => {
                vec![
                    field("app_id", "App ID", false, false),
                    field("private_key", "Private key (PEM)", true, true),
                ]
            }
        }
    }
}

/// A place to send a request to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Host by name.
    #[serde(default = "main")]
    pub host: String,
    /// Path with placeholders, each an encoded segment.
    pub path: String,
}

pub(super) fn main() -> String {
    "main".to_owned()
}

/// One value read by one GET.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Host by name.
    #[serde(default = "main")]
    pub host: String,
    /// Path; left out: the answer of the authentication itself (the installation, the token answer).
    pub path: Option<String>,
    /// Where in the answer.
    pub at: String,
}

/// How to learn what a credential may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// A response header with a list, on the subject's or identity's request.
    pub header: Option<String>,
    /// Separator in that header.
    #[serde(default = "comma")]
    pub separator: String,
    /// Or a path in an answer: a list of names, or a map `name -> level` read as `name:level`.
    pub read: Option<Read>,
}

fn comma() -> String {
    ",".to_owned()
}

/// Where a credential's expiry is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// A response header with an instant (RFC 3339, or `YYYY-MM-DD HH:MM:SS UTC`).
    pub header: Option<String>,
    /// Or a path in an answer.
    pub read: Option<Read>,
}

/// Which tenant this is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRead {
    /// Host by name.
    #[serde(default = "main")]
    pub host: String,
    /// Path.
    pub path: String,
    /// Where the vendor's immutable id is; `"@origin"` when the origin itself is the tenant (self-hosted, no id told).
    pub tenant_uid: String,
    /// Where its name is; `"@origin"` likewise.
    pub tenant_name: String,
}
