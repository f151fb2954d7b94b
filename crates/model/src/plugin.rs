//! Third-party plugins: everything foreign that holds access to an application, in one shape.

use std::sync::{Arc, LazyLock};

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
