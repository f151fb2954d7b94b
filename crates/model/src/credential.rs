//! Credentials as data about them. The secret material itself is handled by `store` (sealed) and `collect` (used).

use serde::{Deserialize, Serialize};

use crate::scan::ScanKind;
use crate::time::Timestamp;

/// What a verified credential turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The vendor's immutable id of the tenant. Reauthenticating refuses a credential that gives another one.
    pub tenant_uid: String,
    /// What people call the tenant.
    pub tenant_name: String,
    /// Whom the credential authenticates as: an app's or account's name.
    pub subject: String,
    /// Permissions it holds, in the vendor's words; `None` when the vendor does not tell.
    pub granted: Option<Vec<String>>,
    /// When it expires; `None` when it does not or the vendor does not tell.
    pub expires_at: Option<Timestamp>,
}

/// Whether a scan can run with a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The scan.
    pub kind: ScanKind,
    /// Every required dataset may be read.
    pub ready: bool,
    /// Permissions that are missing for required datasets: without them the scan is not enabled.
    pub missing: Vec<String>,
    /// Permissions that are missing for optional datasets: the scan runs with gaps.
    pub gaps: Vec<String>,
}
