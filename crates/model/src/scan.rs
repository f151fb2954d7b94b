//! Scans: the kinds, how a run ends, and why it did not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a scan asks. An open set in the design; these three exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanKind {
    /// Do the security settings follow best practice?
    Config,
    /// Which accounts did not come from the identity provider, or are risky otherwise?
    Accounts,
    /// Which third-party functionality is hosted there, with which access?
    Plugins,
}

impl ScanKind {
    /// Every kind, in the order in which pages list them.
    pub const ALL: [Self; 3] = [Self::Config, Self::Accounts, Self::Plugins];

    /// The stable word in storage, JSON, addresses and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Accounts => "accounts",
            Self::Plugins => "plugins",
        }
    }

    /// The name people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Config => "Config Scan",
            Self::Accounts => "Risky Account Scan",
            Self::Plugins => "3rd Party Plugins Scan",
        }
    }

    /// Reads [`ScanKind::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

impl fmt::Display for ScanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run was not wholly successful. Ordered from the most to the least actionable: of all it met, a run
/// reports the least of this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The credential is not accepted: revoked, expired, its account or the tenant is gone.
    Credentials,
    /// The credential is accepted but may not read this, or not from this address.
    Permission,
    /// An answer without the documented shape, or an error that no rule maps.
    Protocol,
    /// The vendor answered with a server error.
    Remote,
    /// The vendor's rate limit left no room within the run's deadline.
    Throttled,
    /// DNS, TCP, TLS or a time-out.
    Unreachable,
    /// Our own fault; never blames the credential.
    Internal,
}

impl FailureCause {
    /// Every cause, most actionable first.
    pub const ALL: [Self; 7] = [
        Self::Credentials,
        Self::Permission,
        Self::Protocol,
        Self::Remote,
        Self::Throttled,
        Self::Unreachable,
        Self::Internal,
    ];

    /// The stable word in storage, JSON and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::Protocol => "protocol",
            Self::Remote => "remote",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Internal => "internal",
        }
    }

    /// Reads [`FailureCause::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == text)
    }

    /// Whether a new or better credential is the remedy.
    #[must_use]
    pub const fn is_remedied_by_reauthenticating(self) -> bool {
        matches!(self, Self::Credentials | Self::Permission)
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a run ended. A cause is present exactly when there is one: a succeeded run cannot carry one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "cause")]
pub enum RunOutcome {
    /// Every required dataset was read completely.
    Succeeded,
    /// Some required datasets were read.
    Partial(FailureCause),
    /// No required dataset was read.
    Failed(FailureCause),
}

impl RunOutcome {
    /// `succeeded`, `partial` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial(_) => "partial",
            Self::Failed(_) => "failed",
        }
    }

    /// The cause, unless it succeeded.
    #[must_use]
    pub const fn cause(self) -> Option<FailureCause> {
        match self {
            Self::Succeeded => None,
            Self::Partial(c) | Self::Failed(c) => Some(c),
        }
    }

    /// Puts together what storage keeps in two columns. `None` for an impossible pair.
    #[must_use]
    pub fn from_parts(outcome: &str, cause: Option<FailureCause>) -> Option<Self> {
        match (outcome, cause) {
            ("succeeded", None) => Some(Self::Succeeded),
            ("partial", Some(c)) => Some(Self::Partial(c)),
            ("failed", Some(c)) => Some(Self::Failed(c)),
            _ => None,
        }
    }
}
