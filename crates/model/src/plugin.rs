//! Third-party plugins: everything foreign that holds access to an application, in one shape.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::account::shape;
use crate::value::{Shape, Type};

/// The canonical dataset `plugin`: one record per third-party thing per instance. Several source records with the same
/// `id` (one grant per user, say) are merged: users and scopes are united, dates take the widest span.
pub static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    Arc::new(shape(&[
        ("id", Type::String), // unique within the instance; the record's key
        ("name", Type::String),
        ("kind", Type::String), // app | oauth_app | token | ssh_key | webhook | deploy_key | bot
        ("publisher", Type::String),
        ("publisher_verified", Type::Bool),
        ("level", Type::String), // user | workspace | organisation
        ("scopes", Type::List(Box::new(Type::String))), // as the vendor writes them; graded by scopes.toml
        ("reach", Type::String), // all | selected: how much of the tenant it reaches
        ("users", Type::List(Box::new(Type::String))),
        ("target_host", Type::String),    // where data goes, for webhooks
        ("secure_transport", Type::Bool), // webhooks: TLS verified and signed with a secret
        ("active", Type::Bool),           // false: suspended or disabled
        ("created_at", Type::Timestamp),
        ("last_used_at", Type::Timestamp), // null: known never to have been used
        ("expires_at", Type::Timestamp),   // null: never expires
        ("console_url", Type::String),     // the vendor's page to review or revoke it
        // Filled by the assessment from scopes.toml, not by manifests:
        ("grade", Type::String), // high | medium | low: the highest scope; unknown: a scope is not graded
    ]))
});

/// What an operator made of a plugin. One that was gone and comes back is not reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Nobody has looked.
    #[default]
    NotReviewed,
    /// Looked at and kept.
    Reviewed,
    /// Its access was withdrawn at the vendor.
    Revoked,
}

impl Review {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::NotReviewed, Self::Reviewed, Self::Revoked];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReviewed => "not_reviewed",
            Self::Reviewed => "reviewed",
            Self::Revoked => "revoked",
        }
    }

    /// What people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::NotReviewed => "Not reviewed",
            Self::Reviewed => "Reviewed",
            Self::Revoked => "Revoked",
        }
    }

    /// Reads [`Review::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }
}
