//! What is deleted by age. Findings that are not resolved, accounts and plugins that are there, and the audit log are
//! never deleted by age.

use model::id::InstanceId;
use model::time::Timestamp;

use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{args, statements};
use crate::{directories, instances, sessions};

statements! {
    // The last finished run of each scan stays: its page must not lose what its status rests on.
    RUNS = "DELETE FROM runs WHERE finished_at < $1 AND EXISTS (SELECT 1 FROM runs later \
            WHERE later.instance_id = runs.instance_id AND later.kind = runs.kind \
            AND later.finished_at > runs.finished_at)";
    DAYS = "DELETE FROM days WHERE day < $1";
    DRIFT = "DELETE FROM drift WHERE at < $1";
    OLD = "SELECT instance_id FROM findings WHERE state = 'resolved' AND resolved_at < $1 \
           UNION SELECT instance_id FROM accounts WHERE gone_at < $2 \
           UNION SELECT instance_id FROM plugins WHERE gone_at < $2";
    RESOLVED = "DELETE FROM findings WHERE instance_id = $1 AND state = 'resolved' AND resolved_at < $2";
    GONE_ACCOUNTS = "DELETE FROM accounts WHERE instance_id = $1 AND gone_at < $2";
    LEFT_LISTS = "DELETE FROM list_identities WHERE removed_at < $1";
    GONE_PLUGINS = "DELETE FROM plugins WHERE instance_id = $1 AND gone_at < $2";
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
    let left = tx.run(LEFT_LISTS, args![before.gone]).await?;
    if left > 0 {
        tx.run(directories::BUMP, Vec::new()).await?;
    }
    let mut deleted = Deleted {
        runs: tx.run(RUNS, args![before.runs]).await? + tx.run(DAYS, args![before.runs]).await?,
        drift: tx.run(DRIFT, args![before.drift]).await?,
        gone: left,
        sessions: tx.run(sessions::PURGE, args![now]).await?,
        ..Deleted::default()
    };
    let old = tx.rows(OLD, args![before.resolved, before.gone]).await?;
    tx.commit().await?;
    for row in &old {
        let id = InstanceId::new(row.get::<String>("instance_id")?);
        // A commit reopens findings and finds accounts again. Both take the instance's lock first, and only one
        // instance's at a time: so neither waits for the other while it holds what the other wants.
        let mut tx = db.0.pool.begin().await?;
        if instances::lock(&mut tx, &id).await? {
            deleted.findings += tx.run(RESOLVED, args![&id, before.resolved]).await?;
            deleted.gone += tx.run(GONE_ACCOUNTS, args![&id, before.gone]).await?
                + tx.run(GONE_PLUGINS, args![&id, before.gone]).await?;
        }
        tx.commit().await?;
    }
    if deleted.findings + deleted.gone > 0 {
        db.announce(None, What::Findings);
    }
    Ok(deleted)
}
