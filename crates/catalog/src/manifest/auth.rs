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
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4), with a secret, a signed assertion or a certificate.
    ClientCredentials {
        /// Where tokens are issued.
        token: Endpoint,
        /// How the client shows who it is.
        #[serde(default)]
        client_auth: ClientAuth,
        /// The `grant_type`, where the vendor has a name of its own.
        #[serde(default = "client_credentials")]
        grant: String,
        /// Scope to ask for. A host's own `scope` comes before it.
        #[serde(default)]
        scope: String,
        /// Ask for the permissions of the datasets as scopes: for all of them at once, and where the vendor refuses the
        /// whole because of one, for each dataset alone, so that only what needs it is lost. `scope` is then what other
        /// requests need, such as `identity`. Not beside `granted`: what is granted is seen from what is sold.
        #[serde(default)]
        scope_by_permission: bool,
        /// Further error codes of the token endpoint (`error`) that mean a scope is not granted; `invalid_scope` always
        /// does. Anything else that it refuses is about the credential.
        #[serde(default)]
        scope_refused: Vec<String>,
        /// Audience of a signed assertion. Left out: the address of the token endpoint.
        audience: Option<String>,
        /// Further form fields, such as `audience`; settings can stand in them as placeholders.
        #[serde(default)]
        extra: BTreeMap<String, String>,
    },
    /// A signed assertion in exchange for a token (RFC 7523 section 2.1): a service account's key, acting as itself or as
    /// somebody.
    JwtBearer {
        /// Where tokens are issued.
        token: Endpoint,
        /// What the admin has: a key file or a key.
        #[serde(default)]
        key: JwtKey,
        /// Scope to ask for. A host's own `scope` comes before it.
        #[serde(default)]
        scope: String,
        /// As for `client_credentials`.
        #[serde(default)]
        scope_by_permission: bool,
        /// As for `client_credentials`.
        #[serde(default)]
        scope_refused: Vec<String>,
        /// Audience of the assertion. Left out: the address of the token endpoint.
        audience: Option<String>,
        /// Label of the field for whom it acts as. Left out: as itself, and nothing is asked.
        subject_title: Option<String>,
        /// Further form fields; settings can stand in them as placeholders.
        #[serde(default)]
        extra: BTreeMap<String, String>,
    },
    /// OAuth 2.0 authorisation code with PKCE (RFC 6749 section 4.1, RFC 7636): whoever onboards signs in at the vendor, and
    /// Parapet keeps the refresh token that comes of it. Where the vendor renews that token at each use, the new one is
    /// stored before it is needed.
    AuthorizationCode {
        /// The vendor's sign-in page, which the browser opens.
        authorize: Endpoint,
        /// Where tokens are issued.
        token: Endpoint,
        /// How the client shows who it is; `none` for a client without a secret.
        #[serde(default)]
        client_auth: ClientAuth,
        /// Scope to ask for at the sign-in. A host's own `scope` is asked for when its token is renewed.
        #[serde(default)]
        scope: String,
        /// Ask at the sign-in for the permissions of the datasets as well, of each dataset the first.
        #[serde(default)]
        scope_by_permission: bool,
        /// Audience of a signed assertion. Left out: the address of the token endpoint.
        audience: Option<String>,
        /// Further parameters of the sign-in page's address, such as `access_type`; settings can stand in them as
        /// placeholders.
        #[serde(default)]
        authorize_extra: BTreeMap<String, String>,
        /// Further form fields of token requests, likewise.
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

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// HTTP basic, which RFC 6749 prefers.
    #[default]
    Basic,
    /// Form fields `client_id` and `client_secret`.
    Body,
    /// Not at all: a client without a secret, which only sends its id. For `authorization_code` alone.
    None,
    /// An assertion signed with RS256 by an RSA key (JWK or PEM), whose public part the vendor has (OpenID Connect Core
    /// section 9).
    PrivateKeyJwt,
    /// The same with the key of a certificate, named by its SHA-256 thumbprint (`x5t#S256`) and signed with PS256. The
    /// certificate's end is shown ahead.
    Certificate,
}

/// What an assertion is signed with.
#[derive(Debug, Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum JwtKey {
    /// A key file with `client_email`, `private_key` and `private_key_id`, as Google issues them. What else it says, such
    /// as where tokens are sold, is not used. The scope goes into the assertion.
    #[default]
    KeyFile,
    /// A client id and an RSA key (JWK or PEM). The scope goes into the form.
    PrivateKey,
}

/// What scopes a mechanism asks for.
#[derive(Debug, Clone, Copy)]
pub struct Scopes<'m> {
    /// Always the same.
    pub fixed: &'m str,
    /// From the permissions of the datasets.
    pub by_permission: bool,
    /// Error codes that mean a scope is not granted, beside `invalid_scope`.
    pub refused: &'m [String],
}

fn client_credentials() -> String {
    "client_credentials".to_owned()
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
    /// Comes of signing in at the vendor: a server does not ask for it, the command line does.
    pub from_sign_in: bool,
}

/// The field of a refresh token.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// A key id has no field of its own: only PEM lacks it, and not every vendor wants it.
const KEY: &str = "Private key (JWK, or PEM with a line `kid: ...` above it where the key has an id)";

impl AuthKind {
    /// What scopes it asks for; `None` where tokens are not bought by scope.
    #[must_use]
    pub fn scopes(&self) -> Option<Scopes<'_>> {
        match self {
            // What was asked for at the sign-in holds for every token that is renewed without a scope.
            Self::AuthorizationCode { .. } => Some(Scopes { fixed: "", by_permission: false, refused: &[] }),
            Self::ClientCredentials { scope, scope_by_permission, scope_refused, .. }
            | Self::JwtBearer { scope, scope_by_permission, scope_refused, .. } => {
                Some(Scopes { fixed: scope, by_permission: *scope_by_permission, refused: scope_refused })
            }
            _ => None,
        }
    }

    /// Whether the permissions of the datasets are asked for as scopes.
    #[must_use]
    pub fn asks_by_permission(&self) -> bool {
        match self {
            Self::AuthorizationCode { scope_by_permission, .. } => *scope_by_permission,
            _ => self.scopes().is_some_and(|scopes| scopes.by_permission),
        }
    }

    /// Whether somebody signs in at the vendor for it.
    #[must_use]
    pub const fn signs_in(&self) -> bool {
        matches!(self, Self::AuthorizationCode { .. })
    }

    /// The inputs that this mechanism needs, in form order.
    #[must_use]
    pub fn fields(&self) -> Vec<CredentialField> {
        let field = |name, title: &str, secret, multiline| CredentialField {
            name,
            title: title.to_owned(),
            secret,
            multiline,
            from_sign_in: false,
        };
        let client = |client_auth: ClientAuth| {
            let mut fields = vec![field("client_id", "Client ID", false, false)];
            match client_auth {
                ClientAuth::None => {}
                ClientAuth::Basic | ClientAuth::Body => {
                    fields.push(field("client_secret", "Client secret", true, false));
                }
                ClientAuth::PrivateKeyJwt => fields.push(field("private_key", KEY, true, true)),
                ClientAuth::Certificate => {
                    fields.push(field("certificate", "Certificate (PEM)", false, true));
                    fields.push(field("private_key", "Private key (PEM)", true, true));
                }
            }
            fields
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
            Self::ClientCredentials { client_auth, .. } => client(*client_auth),
            Self::AuthorizationCode { client_auth, .. } => {
                let mut fields = client(*client_auth);
                fields.push(CredentialField {
                    from_sign_in: true,
                    ..field(REFRESH_TOKEN, "Refresh token", true, false)
                });
                fields
            }
            Self::JwtBearer { key, subject_title, .. } => {
                let mut fields = match key {
                    JwtKey::KeyFile => vec![field("key_file", "Key file (JSON)", true, true)],
                    JwtKey::PrivateKey => {
                        vec![
                            field("client_id", "Client ID", false, false),
                            field("private_key", KEY, true, true),
                        ]
                    }
                };
                fields.extend(subject_title.as_deref().map(|title| field("subject", title, false, false)));
                fields
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
    /// Or a claim of the tokens, a list of names, where they are JWT: `roles`. Of all tokens that are bought, one for each
    /// host's `scope`, together.
    pub claim: Option<String>,
}

fn comma() -> String {
    ",".to_owned()
}

/// Where a credential's expiry is told. A certificate and a bearer token that is a JWT (`exp`) tell it themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// A response header with an instant (RFC 3339, or `YYYY-MM-DD HH:MM:SS UTC`).
    pub header: Option<String>,
    /// Or a path in an answer, read at each run. Its placeholders may name a field of the credential that is not secret:
    /// `/applications(appId='{client_id}')`.
    pub read: Option<Read>,
    /// Where what is read is a list, one entry a secret: where in an entry the instant is. The nearest that is not past
    /// counts.
    pub each: Option<String>,
    /// Where in an entry the first characters of its secret are told: entries of other secrets are left out.
    pub hint: Option<String>,
    /// Or the days of disuse after which the vendor ends it; each use puts the end off.
    pub idle_days: Option<u16>,
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
