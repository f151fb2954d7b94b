//! What is deleted by age. Findings, accounts and plugins that are there, and the audit log, are never deleted by age.

use model::time::Timestamp;

use crate::db::Db;
use crate::error::StoreError;

/// Before when things are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Finished runs (each scan's last finished run is always kept) and days of the health bar.
    pub runs: Timestamp,
    /// Drift.
    pub drift: Timestamp,
    /// Resolved findings, by when they were resolved.
    pub resolved: Timestamp,
    /// Accounts and plugins that are gone, by when they went.
    pub gone: Timestamp,
}

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Runs and days.
    pub runs: u64,
    /// Drift.
    pub drift: u64,
    /// Findings.
    pub findings: u64,
    /// Accounts and plugins.
    pub gone: u64,
    /// Expired sessions.
    pub sessions: u64,
}

/// Deletes what is older, and expired sessions.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune(db: &Db, before: Before, now: Timestamp) -> Result<Deleted, StoreError> {
    todo!()
}
