//! What was told of whom: kept beside the outbox, and changed in one transaction with it, so that of several nodes one
//! tells.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{InstanceId, RunId};
use model::time::Timestamp;
use model::view::SeverityCounts;

use crate::db::{Db, What};
use crate::error::StoreError;
use crate::findings::severity;
use crate::outbox::{self, NewParcel};
use crate::sql::{Row, args, statements};

statements! {
    WATCHES = "SELECT instance_id, watch, turn FROM watches";
    // The instance may have been removed a moment ago: then nothing is begun.
    BEGIN = "INSERT INTO watches (instance_id, watch, turn) SELECT $1, $2, 1 FROM instances WHERE id = $1 \
             ON CONFLICT (instance_id) DO NOTHING";
    TURN = "UPDATE watches SET watch = $3, turn = turn + 1 WHERE instance_id = $1 AND turn = $2";
    TOLD_SINCE = "SELECT what FROM told WHERE at >= $1";
    TELL = "INSERT INTO told (what, at) VALUES ($1, $2) ON CONFLICT (what) DO NOTHING";
    LAST = "SELECT what, at FROM told WHERE what LIKE 'last:%'";
    REPEAT = "INSERT INTO told (what, at) VALUES ($1, $2) ON CONFLICT (what) DO UPDATE SET at = excluded.at \
              WHERE told.at <= $3 OR told.at > $4";
    FORGET = "DELETE FROM told WHERE at < $1";
    OPENED = "SELECT id, instance_id, kind, COALESCE(stored_at, finished_at) AS stored_at FROM runs \
              WHERE finished_at >= $1 AND opened + reopened > 0 ORDER BY finished_at, id";
    OF_RUN = "SELECT severity, COUNT(*) AS n FROM findings WHERE instance_id = $1 AND kind = $2 \
              AND first_seen_at = $3 AND state IN ('new', 'in_progress') GROUP BY severity";
}

/// What is remembered about one instance; its form is known to whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// JSON.
    pub watch: String,
    /// Grows with every change; a change that was made from an older one is refused.
    pub turn: i64,
}

/// Everything that is remembered.
///
/// # Errors
/// When the database cannot be read.
pub async fn watches(db: &Db) -> Result<BTreeMap<InstanceId, Watched>, StoreError> {
    let rows = db.0.pool.rows(WATCHES, Vec::new()).await?;
    let one = |r: &Row| Ok((r.id("instance_id")?, Watched { watch: r.get("watch")?, turn: r.get("turn")? }));
    rows.iter().map(one).collect()
}

/// What one telling changes. All of it is stored, or none.
#[derive(Debug, Default)]
pub struct Telling {
    /// What is remembered anew: the instance, the turn it was made from (`None`: nothing was remembered), the JSON.
    pub watches: Vec<(InstanceId, Option<i64>, String)>,
    /// Things that are told once: refused when one of them was told.
    pub once: Vec<String>,
    /// A sort of alert, and before when it must have been told last: refused when it was told later, but not
    /// by a clock that ran ahead by as much.
    pub last: Option<(String, Timestamp)>,
    /// The messages.
    pub parcels: Vec<NewParcel>,
}

/// Stores a telling. `false`: another node was faster, and nothing was stored.
///
/// # Errors
/// When the database cannot be written.
pub async fn tell(db: &Db, telling: &Telling, now: Timestamp) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    for (instance, turn, watch) in &telling.watches {
        let stored = match turn {
            None => tx.run(BEGIN, args![instance, watch]).await?,
            Some(turn) => tx.run(TURN, args![instance, *turn, watch]).await?,
        };
        if stored == 0 {
            return Ok(false);
        }
    }
    for what in &telling.once {
        if tx.run(TELL, args![what, now]).await? == 0 {
            return Ok(false);
        }
    }
    if let Some((what, before)) = &telling.last
        && tx.run(REPEAT, args![format!("last:{what}"), now, *before, now + (now - *before)]).await? == 0
    {
        return Ok(false);
    }
    outbox::put(&mut tx, &telling.parcels, now).await?;
    tx.commit().await?;
    if !telling.parcels.is_empty() {
        db.announce(None, What::Outbox);
    }
    Ok(true)
}

/// Things told at or after this instant.
///
/// # Errors
/// When the database cannot be read.
pub async fn told_since(db: &Db, since: Timestamp) -> Result<BTreeSet<String>, StoreError> {
    db.0.pool.rows(TOLD_SINCE, args![since]).await?.iter().map(|r| r.get("what")).collect()
}

/// When each sort of alert was last told.
///
/// # Errors
/// When the database cannot be read.
pub async fn last(db: &Db) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let rows = db.0.pool.rows(LAST, Vec::new()).await?;
    let one = |r: &Row| {
        let what: String = r.get("what")?;
        Ok((what.trim_start_matches("last:").to_owned(), r.time("at")?))
    };
    rows.iter().map(one).collect()
}

/// Forgets what was told before.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune(db: &Db, before: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(FORGET, args![before]).await?;
    tx.commit().await
}

/// A run that opened findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Which run.
    pub run: RunId,
    /// Whose.
    pub instance: InstanceId,
    /// Those of its findings that are still open.
    pub counts: SeverityCounts,
}

/// Runs that ended at or after this instant and opened findings, except those that `known` says.
///
/// # Errors
/// When the database cannot be read.
pub async fn opened(
    db: &Db,
    since: Timestamp,
    known: impl Fn(&RunId) -> bool,
) -> Result<Vec<Opened>, StoreError> {
    let mut all = Vec::new();
    for row in db.0.pool.rows(OPENED, args![since]).await? {
        let (run, instance): (RunId, InstanceId) = (row.id("id")?, row.id("instance_id")?);
        if known(&run) {
            continue;
        }
        let kind: String = row.get("kind")?;
        let mut counts = SeverityCounts::default();
        for row in db.0.pool.rows(OF_RUN, args![&instance, kind, row.time("stored_at")?]).await? {
            counts.add(severity(&row)?, row.count("n")?);
        }
        all.push(Opened { run, instance, counts });
    }
    Ok(all)
}
