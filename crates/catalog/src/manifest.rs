//! The manifest of one application: the closed vocabulary of `catalog/apps/<app>/app.toml` as types.
//!
//! These types are what the file says, no more: unknown fields are load errors, and whatever must hold between parts
//! (a dataset names a host that exists, a placeholder is a setting) is checked by the loader, which reports file, line
//! and column. Nothing here can name a secret: credentials reach requests only through [`AuthKind`].

mod auth;
mod dataset;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use auth::{
    Auth, AuthKind, ClientAuth, CredentialField, Endpoint, Expiry, Granted, IdentityRead, JwtKey, LoginBody,
    REFRESH_TOKEN, Read, Scopes,
};
pub use dataset::{
    Absence, AnswerRule, Dataset, DurationFormat, Field, FirstSeen, ForEach, Known, Latest, Mapping, Meaning,
    OptIn, Paging, Pivot, Request, Resolve, Sensitive, TimeFormat, Transform,
};

/// The sources of these types, whose doc comments are the reference.
pub(crate) const SOURCES: [&str; 3] =
    [include_str!("manifest.rs"), include_str!("manifest/auth.rs"), include_str!("manifest/dataset.rs")];

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
    /// Until when the vendor promises to answer this version of its interface, as a date with the page that says so in a
    /// comment. Fourteen days before, scans warn.
    pub supported_until: Option<String>,
    /// Scope of the tokens for it, where each host wants a token of its own: `https://graph.microsoft.com/.default`. Comes
    /// before the `scope` of the auth.
    pub scope: Option<String>,
    /// For a host where one address does everything: which methods may be called by `post`.
    pub rpc: Option<Rpc>,
}

/// Methods that only read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rpc {
    /// Where the method stands in the body of `post`: `CmdletInput.CmdletName`.
    pub at: String,
    /// Names, with one `*` for what differs: `Get-*`, `*.list`.
    pub allow: Vec<String>,
}

/// Budgets. A run ends with its cause when one is used up; nothing is cut silently.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests of one run.
    pub requests: u32,
    /// Requests of one run for datasets with `refresh_hours`, where the vendor allows more than the usual few hundred. As
    /// many runs as a day has should read everything once.
    pub sweep_requests: Option<u32>,
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
            sweep_requests: None,
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
    /// The same for slower paces, requests a minute. One of the two.
    pub per_minute: Option<u32>,
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
            per_minute: None,
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
