//! Verifying a credential before it is saved.

use model::credential::{Identity, Readiness};
use model::diagnosis::{Fault, Warning};

use crate::clock::Clock;
use crate::outbound::Outbound;
use crate::target::{Credential, Target};

/// What a credential turned out to be good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Which tenant, as whom.
    pub identity: Identity,
    /// Each supported scan, whether it can run.
    pub readiness: Vec<Readiness>,
    /// Granted permissions that nothing here needs.
    pub excess: Vec<String>,
    /// What is not broken yet (an expiry, a deprecation).
    pub warnings: Vec<Warning>,
    /// Requests it took.
    pub requests: u32,
}
