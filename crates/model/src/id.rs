//! Typed identifiers. Two kinds of id cannot be mixed up, and none is ever parsed for meaning.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    )*};
}

ids! {
    /// A product the catalogue knows: the name of its folder, such as `github`.
    AppId;
    /// One onboarded tenancy of an application (UUIDv7).
    InstanceId;
    /// One execution of a scan (UUIDv7).
    RunId;
    /// A check: `app/<app>/<name>` is written `github/org-requires-2fa`; shared checks are `shared/<name>`.
    CheckId;
    /// A persistent failing result (UUIDv7).
    FindingId;
    /// A person who answers for instances; need not sign in (UUIDv7).
    OwnerId;
    /// A user of Parapet itself (UUIDv7).
    OperatorId;
    /// An identity provider: the id of the instance that is marked as one, or of an uploaded list (UUIDv7).
    DirectoryId;
}
