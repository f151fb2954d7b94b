//! Accounts: logins in an application, in the one shape that every application's accounts are mapped to.

use std::sync::{Arc, LazyLock};

use crate::value::{Shape, ShapeField, Type};

/// The canonical dataset `account`. Unknown in any field means that the application did not tell.
pub static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    Arc::new(shape(&[
        ("id", Type::String),       // unique within the instance; the record's key
        ("username", Type::String), // what people type or see
        ("display_name", Type::String),
        ("email", Type::String),
        ("emails_verified", Type::List(Box::new(Type::String))),
        ("kind", Type::String),  // human | service | bot
        ("state", Type::String), // active | suspended | invited | expired
        ("role", Type::String),  // the vendor's word
        ("privileged", Type::Bool),
        ("external", Type::Bool), // guest, outside collaborator
        ("write_access", Type::Bool),
        ("second_factor", Type::Bool),
        ("aliases", Type::List(Box::new(Type::String))), // further addresses that are this account's
        ("other_ids", Type::List(Box::new(Type::String))), // further immutable ids by which other applications may know it
        ("idp_id", Type::String), // immutable id from SAML or SCIM; null: known to have none
        ("idp_linked", Type::Bool), // the application itself says that an identity provider made it
        ("owner", Type::String),  // who answers for a service account; null: nobody
        ("created_at", Type::Timestamp),
        ("last_active_at", Type::Timestamp), // null: known never to have been active
        ("invited_at", Type::Timestamp),
        ("console_url", Type::String), // the vendor's page for this account
        // Filled by the assessment from the identity providers, not by manifests. Null: known to be nobody's.
        ("identity", Type::String),       // whose it is: `<identity provider>/<id>`
        ("identity_name", Type::String),  // what the identity provider calls that person or program
        ("identity_by", Type::String),    // by what it was matched: see `crate::identity::By`
        ("identity_state", Type::String), // active | invited | suspended | expired | removed, at the identity provider
        ("identity_note", Type::String),  // why the match is not known; null where it is
    ]))
});

/// The fields that the assessment fills, in their order in [`SHAPE`]. No manifest may map them.
pub const MATCHED: [&str; 5] =
    ["identity", "identity_name", "identity_by", "identity_state", "identity_note"];

pub(crate) fn shape(fields: &[(&str, Type)]) -> Shape {
    Shape {
        fields: fields
            .iter()
            .map(|(name, kind)| ShapeField { name: (*name).to_owned(), kind: kind.clone(), sensitive: false })
            .collect(),
    }
}
