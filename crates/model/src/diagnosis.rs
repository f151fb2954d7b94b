//! What went wrong with a request, how far it got, and what to do: the material of every sentence about a failure.

use serde::{Deserialize, Serialize};

use crate::identity::State;
use crate::scan::{FailureCause, ScanKind};
use crate::time::{Duration, Timestamp};

/// How far a request got. Each rung presupposes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Nothing was sent (a suspended credential, our own fault before the first request).
    NotSent,
    /// The host's name was understood and is allowed.
    Name,
    /// The name resolved to an address that may be contacted.
    Address,
    /// A TCP connection was made.
    Tcp,
    /// TLS was established (or is not used, on loopback).
    Tls,
    /// An HTTP answer arrived.
    Http,
    /// The vendor accepted the credential.
    Authenticated,
    /// The credential may read this.
    Permission,
    /// The answer had the documented shape.
    Dataset,
}

impl Rung {
    /// The rungs that a page draws, in order.
    pub const LADDER: [Self; 8] = [
        Self::Name,
        Self::Address,
        Self::Tcp,
        Self::Tls,
        Self::Http,
        Self::Authenticated,
        Self::Permission,
        Self::Dataset,
    ];

    /// The word beside the tick or the cross.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Name => "name",
            Self::Address => "address",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Authenticated => "authenticated",
            Self::Permission => "permission",
            Self::Dataset => "dataset",
        }
    }
}

/// One failed request or dataset, scrubbed of secrets: safe to store, show and mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Why.
    pub cause: FailureCause,
    /// The last rung that held.
    pub reached: Rung,
    /// What was being read, by the catalogue's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Method, origin and path, without query values and secrets: `GET https://api.github.com/orgs/acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The HTTP status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The vendor's own words, scrubbed, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_message: Option<String>,
    /// The vendor's request id, for their support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The permissions that would be needed, in the vendor's words, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Our sentence: what happened. One line, no advice.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

impl Fault {
    /// A fault without an answer behind it: no request, no words of the vendor, nothing to grant. What more is known is set
    /// beside it.
    #[must_use]
    pub fn local(cause: FailureCause, reached: Rung, detail: impl Into<String>, at: Timestamp) -> Self {
        Self {
            cause,
            reached,
            dataset: None,
            request: None,
            status: None,
            vendor_message: None,
            request_id: None,
            needs: Vec::new(),
            detail: detail.into(),
            at,
        }
    }
}

/// Something that is not broken yet: shown on the tile and in the digest ahead of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Warning {
    /// The credential expires.
    CredentialExpires {
        /// When.
        at: Timestamp,
    },
    /// A permission that was granted at onboarding is gone.
    PermissionLost {
        /// In the vendor's words.
        permission: String,
    },
    /// The vendor announces that something which Parapet reads goes away (`Deprecation`, `Sunset`).
    Deprecated {
        /// The request.
        request: String,
        /// When it goes away, where told.
        sunset_at: Option<Timestamp>,
    },
    /// The vendor promises the version of its interface that Parapet reads for a short time still, or no longer.
    VersionEnds {
        /// Origin of the interface.
        interface: String,
        /// Until when it is promised.
        at: Timestamp,
    },
    /// More than 80 % of the vendor's rate-limit budget is used.
    RateBudget {
        /// Share used, 0 to 100.
        used_percent: u8,
        /// When the budget is renewed.
        resets_at: Option<Timestamp>,
    },
    /// Nothing has used the credential for so long that the vendor ends it. Each use puts it off.
    CredentialIdles {
        /// When it ends unless it is used.
        at: Timestamp,
    },
    /// The account of the owner is not live at the organisation's identity provider any more: what is mailed to them may be
    /// read by nobody.
    OwnerLeft {
        /// The owner's name.
        owner: String,
        /// Where their account stands.
        state: State,
        /// The identity provider that says so.
        provider: String,
    },
    /// A dataset lost more than half of its records from one complete snapshot to the next.
    Shrank {
        /// The dataset, by the catalogue's name.
        dataset: String,
        /// Its title.
        title: String,
        /// Records it had before.
        had: u64,
        /// Records it has now.
        has: u64,
        /// When the loss was first read.
        at: Timestamp,
    },
    /// Runs take so long that soon they will not fit their interval, or much longer than they used to.
    Slow {
        /// Of which scan.
        scan: ScanKind,
        /// The median of the latest successful runs.
        takes: Duration,
        /// The median of those before, where it has doubled since.
        took: Option<Duration>,
        /// How often the scan runs.
        interval: Duration,
    },
}
