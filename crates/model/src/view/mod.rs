//! What pages, the API, the command line and mail show. One struct per thing shown, and nothing else is shown.
//!
//! Structs carry instants and plain data; whoever renders them turns instants into relative times with the page's own
//! `now`. What could not be known is [`Known::Unknown`] or `None` and is drawn as such ("-", "not known"), never as a
//! zero. Statuses arrive decided (by [`crate::health`]) and sentences arrive worded (by `crate::words`), so that page,
//! mail, command line and API cannot say different things.

mod application;
mod applications;
mod check;
mod finding;
mod identity;
mod inventory;
mod list;
mod notifications;
mod onboard;
mod people;
mod run;
mod settings;
mod status;

pub use application::*;
pub use applications::*;
pub use check::*;
pub use finding::*;
pub use identity::*;
pub use inventory::*;
pub use list::*;
pub use notifications::*;
pub use onboard::*;
pub use people::*;
pub use run::*;
pub use settings::*;
pub use status::*;

pub use crate::plugin::Review;

use serde::Serialize;

/// A value of the tenant as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case", tag = "state", content = "value")]
pub enum Known<T> {
    /// The application did not tell, or we could not read it.
    #[default]
    Unknown,
    /// Known to be absent: never used, has none, does not expire.
    Absent,
    /// Known.
    Is(T),
}

impl<T> Known<T> {
    /// The value, where there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unknown | Self::Absent => None,
        }
    }
}

/// HTML that `catalog` rendered from Markdown without raw HTML and with https links only: may be placed in a page as
/// it is. Nothing that a tenant sent ever becomes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Html(pub String);

/// A link that leaves Parapet: the vendor's console or documentation. Always https.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it says.
    pub title: String,
    /// Where it leads.
    pub href: String,
}

/// Why a use case was not carried out. Every refusal says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What sort of refusal; decides the HTTP status and the exit code.
    pub kind: RefusalKind,
    /// The form field it is about, by its name in the form (`token`, `organization`), where it is about one.
    pub field: Option<String>,
    /// What happened, one sentence, safe to show.
    pub message: String,
    /// What to do about it; empty when the message says it.
    pub remedy: String,
}

/// Sorts of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// There is no such thing (or not for this operator).
    NotFound,
    /// The operator's role does not allow it.
    Forbidden,
    /// What was entered cannot be used.
    Invalid,
    /// It contradicts the present state: the draft expired, another tenant's credential, no scan would be enabled.
    Conflict,
    /// Too many attempts; wait.
    TooMany,
    /// The SaaS could not be asked or refused; the message says how far it got.
    Vendor,
    /// Our own fault; details are in the log under the request's id.
    Internal,
}
