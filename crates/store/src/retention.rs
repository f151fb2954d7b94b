//! What is deleted by age. Findings that are not resolved, accounts and plugins that are there, and the audit log are
//! never deleted by age.

use model::time::Timestamp;

use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sessions;
use crate::sql::{args, statements};

statements! {
    // The last finished run of each scan stays: its page must not lose what its status rests on.
    RUNS = "DELETE FROM runs WHERE finished_at < $1 AND EXISTS (SELECT 1 FROM runs later \
            WHERE later.instance_id = runs.instance_id AND later.kind = runs.kind \
            AND later.finished_at > runs.finished_at)";
    DAYS = "DELETE FROM days WHERE day < $1";
    DRIFT = "DELETE FROM drift WHERE at < $1";
    RESOLVED = "DELETE FROM findings WHERE state = 'resolved' AND resolved_at < $1";
    GONE_ACCOUNTS = "DELETE FROM accounts WHERE gone_at < $1";
    GONE_PLUGINS = "DELETE FROM plugins WHERE gone_at < $1";
}

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
    let mut tx = db.0.pool.begin().await?;
    let deleted = Deleted {
        runs: tx.run(RUNS, args![before.runs]).await? + tx.run(DAYS, args![before.runs]).await?,
        drift: tx.run(DRIFT, args![before.drift]).await?,
        findings: tx.run(RESOLVED, args![before.resolved]).await?,
        gone: tx.run(GONE_ACCOUNTS, args![before.gone]).await?
            + tx.run(GONE_PLUGINS, args![before.gone]).await?,
        sessions: tx.run(sessions::PURGE, args![now]).await?,
    };
    tx.commit().await?;
    if deleted.findings + deleted.gone > 0 {
        db.announce(None, What::Findings);
    }
    Ok(deleted)
}
