//! The manifest of one application: the closed vocabulary of `catalog/apps/<app>/app.toml` as types.
//!
//! These types are what the file says, no more: unknown fields are load errors, and whatever must hold between parts
//! (a dataset names a host that exists, a placeholder is a setting) is checked by the loader, which reports file, line
//! and column. Nothing here can name a secret: credentials reach requests only through [`AuthKind`].

use std::collections::BTreeMap;

use model::scan::ScanKind;
use serde::Deserialize;

/// `app.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The product's name: `GitHub`.
    pub name: String,
    /// Who makes it.
    pub vendor: String,
    /// A word to group by on the catalogue page: `source code`, `identity`.
    pub category: String,
    /// One sentence on the catalogue page.
    pub summary: String,
    /// Raised with every change that alters what is read; checkpoints of another revision are dropped.
    pub revision: u32,
    /// The vendor's API documentation.
    pub docs: String,
    /// What the admin enters that is not secret (organisation, tenant). Each is a placeholder in paths and variables.
    #[serde(default)]
    pub setting: Vec<Setting>,
    /// Where it can be hosted. The first is the default.
    pub deployment: Vec<Deployment>,
    /// Ways to authenticate. The first is recommended.
    pub auth: Vec<Auth>,
    /// Which tenant this is.
    pub identity: IdentityRead,
    /// Meanings of answers, in order, for the whole application; a dataset's own come first.
    #[serde(default)]
    pub answer: Vec<AnswerRule>,
    /// Budgets of one run.
    #[serde(default)]
    pub limits: Limits,
    /// How the vendor tells its rate limits.
    #[serde(default)]
    pub throttle: Throttle,
    /// What is read. The order is the order of reading.
    pub dataset: Vec<Dataset>,
    /// How datasets become canonical accounts.
    #[serde(default)]
    pub account: Vec<Mapping>,
    /// How datasets become canonical plugins.
    #[serde(default)]
    pub plugin: Vec<Mapping>,
    /// What is knowingly not read or not judged, with the reason; the documentation shows it.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Something that is knowingly left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Why, and what would change that.
    pub why: String,
}

/// A value the admin enters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Placeholder name: `organization` is `{organization}` in paths.
    pub name: String,
    /// Label of the form field.
    pub title: String,
    /// One sentence under it.
    #[serde(default)]
    pub help: String,
    /// Shown greyed in the empty field.
    #[serde(default)]
    pub example: String,
    /// What is accepted, a regular expression over the whole value (linear time). Default: 1 to 100 of `[A-Za-z0-9._-]`.
    pub pattern: Option<String>,
    /// May be left empty.
    #[serde(default)]
    pub optional: bool,
    /// Filled in beforehand; also used where nothing is entered.
    pub default: Option<String>,
    /// A path rather than one segment: `/scim/v2`. Its placeholder opens a path (`{scim_path}/Users`) and is put in as it
    /// is; accepted are segments of `[A-Za-z0-9._~-]`, each after a `/`, none of them `.` or `..`.
    #[serde(default)]
    pub path: bool,
}

impl Setting {
    /// The pattern in force, over the whole value.
    #[must_use]
    pub fn pattern(&self) -> &str {
        let default = if self.path { "(?:/[A-Za-z0-9._~-]{1,100}){1,20}" } else { "[A-Za-z0-9._-]{1,100}" };
        self.pattern.as_deref().unwrap_or(default)
    }

    /// Whether a value is acceptable. The words are for the person who entered it.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn accept(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return if self.optional { Ok(()) } else { Err(format!("{} is needed", self.title)) };
        }
        let example =
            if self.example.is_empty() { String::new() } else { format!(", for example `{}`", self.example) };
        if self.path && !is_path(value) {
            return Err(format!("{} must be a path of plain segments{example}", self.title));
        }
        match regex::Regex::new(&format!("^(?:{})$", self.pattern())) {
            Ok(pattern) if pattern.is_match(value) => Ok(()),
            Ok(_) => Err(format!("{} must have the form `{}`{example}", self.title, self.pattern())),
            // The loader refuses patterns that do not compile; a manifest that skipped it must not accept everything.
            Err(_) => {
                Err(format!("{} cannot be checked: its pattern is not a regular expression", self.title))
            }
        }
    }
}

/// Whether a value can open a path as it is: no part of it can leave the path or climb out of it.
fn is_path(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-');
    value.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|s| !s.is_empty() && s != "." && s != ".." && s.chars().all(plain))
    })
}

/// One way a product is hosted: fixes the origins that will receive the credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// `cloud`, `server`.
    pub id: String,
    /// Choice in the wizard.
    pub title: String,
    /// One validated DNS label that the admin enters, a placeholder in [`Host::origin`].
    pub label: Option<Setting>,
    /// Self-hosted: the admin enters the address (https origin, with a path prefix where it has one).
    pub address: Option<Setting>,
    /// Hosts by name. Requests name one; the first in file order is not special: `main` is the default.
    pub hosts: BTreeMap<String, Host>,
    /// Base of the vendor's web console for deep links, with the same placeholders: `https://github.com`.
    pub console: String,
}

/// One origin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// `https://api.github.com`, or with the deployment's label: `https://api.{subdomain}.ghe.com`. Left out where the
    /// admin enters the address.
    pub origin: Option<String>,
    /// Path prefix of every request to it. An address given on the command line replaces the origin and keeps this.
    #[serde(default)]
    pub base: String,
    /// Headers of every request to it, such as a media type or API version; a request's own win. The same names are
    /// refused as there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// A way to authenticate. (Its unknown fields are refused by the loader, by kind: the derive cannot do both.)
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
/// mechanism needs is [`AuthKind::fields`].
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
    /// A GitHub App: a short-lived JWT signed with the app's key buys an installation token.
    AppInstallation {
        /// Finds the installation for this tenant, as the app (JWT): `/orgs/{organization}/installation`.
        installation: Endpoint,
        /// Buys the token; `{installation_id}` is the `id` of the answer above.
        token: Endpoint,
    },
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
            Self::Basic { username_title, password_title } => {
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

fn main() -> String {
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

/// What an answer means. All given conditions must hold; the first rule that matches decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// HTTP status codes; empty: any.
    #[serde(default)]
    pub status: Vec<u16>,
    /// A response header that must be present...
    pub header: Option<String>,
    /// ... with exactly this value, if given.
    pub header_is: Option<String>,
    /// A path in the JSON answer that must be present...
    pub at: Option<String>,
    /// ... with exactly this text (numbers and booleans as JSON writes them) ...
    pub is: Option<String>,
    /// ... or containing this text, case-insensitively.
    pub contains: Option<String>,
    /// The meaning.
    pub means: Meaning,
    /// The sentence for `not_applicable`; for others an optional detail.
    pub reason: Option<String>,
}

/// Meanings of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A passing server fault: cause `remote` after the retries.
    Retry,
    /// A rate limit.
    Throttled,
    /// The credential is not accepted.
    Credentials,
    /// The credential may not read this.
    Permission,
    /// This plan, licence or version does not have it.
    NotApplicable,
    /// There is none: complete and empty.
    Absent,
    /// An ordinary answer after all.
    Value,
    /// Not understood.
    Protocol,
}

/// Budgets. A run ends with its cause when one is used up; nothing is cut silently.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests of one run.
    pub requests: u32,
    /// Pages of one listing.
    pub pages: u32,
    /// Records of one dataset.
    pub records: u32,
    /// Mebibytes of one answer, after decompression.
    pub answer_mib: u32,
    /// Mebibytes of all answers of one run.
    pub run_mib: u32,
    /// Seconds for one request, from connect to the last byte.
    pub request_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 5_000,
            pages: 1_000,
            records: 200_000,
            answer_mib: 32,
            run_mib: 1_024,
            request_seconds: 30,
        }
    }
}

/// How the vendor tells its limits and how fast we go by ourselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Requests at once.
    pub concurrency: u32,
    /// Our own pace, requests a second; none: as fast as concurrency allows.
    pub per_second: Option<u32>,
    /// Requests that may go out before that pace holds, where the vendor counts by a longer window.
    pub burst: Option<u32>,
    /// Header with the budget.
    pub limit_header: Option<String>,
    /// Header with what is left of it.
    pub remaining_header: Option<String>,
    /// Header with the instant (epoch seconds) or the seconds until it is renewed.
    pub reset_header: Option<String>,
    /// What the reset header counts.
    pub reset_is: ResetIs,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            concurrency: 4,
            per_second: None,
            burst: None,
            limit_header: None,
            remaining_header: None,
            reset_header: None,
            reset_is: ResetIs::default(),
        }
    }
}

/// What a reset header counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ResetIs {
    /// Seconds since 1970.
    #[default]
    EpochSeconds,
    /// Seconds from the answer's own `Date`.
    Seconds,
}

/// One dataset: a listing or a single object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Name in checks: `members`.
    pub name: String,
    /// What people read: `Members`.
    pub title: String,
    /// The scans that read it.
    pub scans: Vec<ScanKind>,
    /// Of these, the scans that have no meaning without it.
    #[serde(default)]
    pub required: Vec<ScanKind>,
    /// Permissions it needs, by auth id, in the vendor's words; any one of the list suffices.
    #[serde(default)]
    pub permission: BTreeMap<String, Vec<String>>,
    /// The vendor's page that documents it.
    pub docs: String,
    /// The field that identifies a record; none for a single object.
    pub key: Option<String>,
    /// The deployments that offer it, by id; empty: all. Elsewhere it is not applicable and nothing is sent.
    #[serde(default)]
    pub deployments: Vec<String>,
    /// A dataset younger than this is reused and labelled with its age; a fan-out advances across runs.
    pub refresh_hours: Option<u32>,
    /// The full dataset of which this one is a filtered listing: when both have the same keys (and any), the server
    /// ignored the filter, and this one counts as not read.
    pub filter_of: Option<String>,
    /// Requests. Those with the same `alternative` are united; alternatives are tried in file order until one is not
    /// refused (permission, absent path, unmapped answer). Default alternative: "".
    pub request: Vec<Request>,
    /// Meanings of answers, before the application's.
    #[serde(default)]
    pub answer: Vec<AnswerRule>,
    /// The fields of a record, in order.
    pub field: Vec<Field>,
}

/// One request of a dataset.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Host by name.
    #[serde(default = "main")]
    pub host: String,
    /// Path with placeholders: settings `{organization}`, fan-out `{each.name}`. For GraphQL the endpoint's path.
    #[serde(default)]
    pub path: String,
    /// Query parameters, values with the same placeholders.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Request headers, such as a media type or API version. `Authorization`, `Cookie` and `Host` are refused.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A GraphQL query document in the application's folder: `members.graphql`. Sent by POST with typed variables.
    pub graphql: Option<String>,
    /// GraphQL variables, values with placeholders (strings); paging adds its own.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Where the records are: a path to a list, or to one object; `""`: the whole answer.
    #[serde(default)]
    pub records: String,
    /// How to get all pages.
    #[serde(default)]
    pub paging: Paging,
    /// Fan-out: once for every record of another dataset.
    pub for_each: Option<ForEach>,
    /// Constant fields of this request's records: `{ role = "admin" }` (text, true or false, whole number).
    #[serde(default)]
    pub set: BTreeMap<String, toml::Value>,
    /// Where this request's answer has a field elsewhere than the field's own `path`: field name to path. For
    /// alternatives that answer in another shape.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
    /// Name of the alternative it belongs to.
    #[serde(default)]
    pub alternative: String,
}

/// Fan-out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The dataset whose records are walked; an earlier one.
    pub dataset: String,
    /// Walk the distinct elements of this list field instead of the records; the placeholder is `{each}`.
    pub values_of: Option<String>,
    /// Only records for which this holds (check language). A record for which it is unknown is walked.
    #[serde(rename = "where")]
    pub filter: Option<String>,
}

/// How to get all pages. Continues only while the server says that there is more.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// One answer.
    #[default]
    None,
    /// `Link: <...>; rel="next"` (RFC 8288), same origin.
    Link,
    /// The next address stands in the body, same origin.
    NextUrl {
        /// Where.
        at: String,
    },
    /// A cursor stands in the body and goes into a query parameter.
    Cursor {
        /// Where.
        at: String,
        /// Query parameter.
        param: String,
    },
    /// Numbered pages; ends with the first page shorter than `size`, or at the total.
    Page {
        /// Query parameter of the page.
        param: String,
        /// Number of the first page.
        #[serde(default = "one")]
        start: u32,
        /// Query parameter of the page size.
        size_param: Option<String>,
        /// Records a page.
        size: u32,
        /// Where the total number of records (or pages) stands, if told.
        total_at: Option<String>,
    },
    /// Offset and count (SCIM's `startIndex`).
    Offset {
        /// Query parameter of the offset.
        param: String,
        /// Offset of the first record (SCIM: 1).
        #[serde(default)]
        start: u32,
        /// Query parameter of the page size.
        size_param: Option<String>,
        /// Records a page.
        size: u32,
        /// Where the total number of records stands.
        total_at: String,
        /// Send the first request without paging parameters, and go on only if the total is larger than what came.
        #[serde(default)]
        bare_first: bool,
    },
    /// GraphQL connection: `pageInfo { hasNextPage endCursor }`.
    Graphql {
        /// Where the `pageInfo` is.
        at: String,
        /// Variable of the cursor.
        #[serde(default = "after")]
        variable: String,
    },
}

fn one() -> u32 {
    1
}
fn after() -> String {
    "after".to_owned()
}

/// One field of a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name in checks.
    pub name: String,
    /// `bool`, `int`, `double`, `string`, `timestamp`, `duration`, `object`, `list<T>`, `map<T>` (T one of these).
    #[serde(rename = "type")]
    pub kind: String,
    /// Where in the record; default: the name itself. `"."`: the record itself (lists of plain values).
    pub path: Option<String>,
    /// Take it from the fan-out's record instead: the name of its field (`"."`: the walked value).
    pub each: Option<String>,
    /// What it means that the path leads nowhere.
    #[serde(default)]
    pub missing: Absence,
    /// What it means that it is null.
    #[serde(default)]
    pub null: Absence,
    /// Applied in order to the JSON value before typing.
    #[serde(default)]
    pub transform: Vec<Transform>,
    /// Keep only presence or a hash.
    pub sensitive: Option<Sensitive>,
    /// For lists: a path in the record (usually `...pageInfo.hasNextPage`) that is true when the list is not whole.
    pub incomplete_at: Option<String>,
    /// For `object` and `list<object>`: the nested fields.
    #[serde(default)]
    pub field: Vec<Field>,
    /// How instants are written.
    #[serde(default)]
    pub format: TimeFormat,
}

/// What absence means.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// We could not know.
    #[default]
    Unknown,
    /// Known to be absent (null in checks).
    Absent,
    /// This value: `missing = { value = false }`.
    Value(toml::Value),
}

/// The closed list of transforms.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Text to a list: `{ split = " " }`. Empty parts are dropped.
    Split(String),
    /// What follows the last `/`.
    LastSegment,
    /// The host of an address, lower case.
    HostOf,
    /// The scheme of an address, lower case.
    SchemeOf,
    /// Lower case.
    Lower,
    /// Whether there is a value other than null, `false`, `""`, `[]` and `{}`.
    Present,
    /// An object to a list of `key:value` texts (permissions).
    MapEntries,
    /// From a list of objects, the values at this path: `{ pluck = "value" }`.
    Pluck(String),
    /// Text by a table: `{ lookup = { "0" = "false" } }`; a key that is not in the table is unknown.
    Lookup(BTreeMap<String, String>),
}

/// What is kept of a sensitive field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitive {
    /// Whether it is there (type `bool`).
    Presence,
    /// A keyed hash, to see that it changed (type `string`).
    Hash,
}

/// How instants are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339 or a date.
    #[default]
    Rfc3339,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// Maps a dataset's records to a canonical dataset. Expressions are in the check language over the dataset's record;
/// other datasets as `datasets.<name>`, `now`, and settings as `params.<setting>`. A field left out is unknown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The dataset.
    pub from: String,
    /// Only records for which this is true; a record for which it is unknown is mapped.
    pub when: Option<String>,
    /// Canonical field to expression.
    pub fields: BTreeMap<String, String>,
}
