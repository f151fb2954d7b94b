//! Operators, owners and what they did.

use serde::Serialize;

use super::{Cut, Facet, InstanceRef, Paging};
use crate::id::{InstanceId, OperatorId, OwnerId};
use crate::time::Timestamp;

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads and exports.
    Auditor,
}

impl Role {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// Reads [`Role::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Auditor].into_iter().find(|r| r.as_str() == text)
    }
}

/// Who asks. Every use case takes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The operator.
    pub operator: OperatorId,
    /// Their name, for the audit log.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub actor: Actor,
    /// The token that every form of this session carries.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The Owners page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnersPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// By name.
    pub rows: Vec<OwnerRow>,
    /// Applications that nobody active answers for.
    pub unowned: Vec<InstanceRef>,
    /// The operator may change things here.
    pub may_change: bool,
}

/// One owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerRow {
    /// Which.
    pub id: OwnerId,
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// IANA time zone: `Europe/Berlin`.
    pub time_zone: String,
    /// Gets mail.
    pub active: bool,
    /// When the digest is due, in their time zone: `08:00`.
    pub digest_at: String,
    /// Gets no digest on days on which all is well.
    pub quiet: bool,
    /// Applications they answer for.
    pub instances: u64,
}

/// What is entered about an owner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnerInput {
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Gets mail.
    pub active: bool,
    /// When the digest is due, in their time zone: `08:00`; empty: 08:00.
    pub digest_at: String,
    /// Gets no digest on days on which all is well.
    pub quiet: bool,
}

/// What the audit log is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditQuery {
    /// Only about this application.
    pub instance: Option<InstanceId>,
    /// Only this action.
    pub action: Option<String>,
    /// Only by this operator (name).
    pub actor: Option<String>,
    /// Which page.
    pub cut: Cut,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Filters: `action`, `actor`.
    pub facets: Vec<Facet>,
    /// Latest first.
    pub rows: Vec<AuditRow>,
    /// Where this page lies.
    pub paging: Paging,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who; `Parapet` for what it did by itself.
    pub actor: String,
    /// What: `reauthenticated`, `scan requested`.
    pub action: String,
    /// To what, in words.
    pub subject: String,
    /// The application, where it still exists.
    pub instance: Option<InstanceRef>,
    /// Further facts, never secrets. May be empty.
    pub detail: String,
}
