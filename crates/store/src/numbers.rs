//! The numbers on tiles: counts per instance, for one or for all.

use std::collections::BTreeMap;

use model::finding::Severity;
use model::id::InstanceId;
use model::time::Timestamp;

use crate::db::Db;
use crate::error::StoreError;
use crate::findings::severity;
use crate::sql::{Row, Select};

const ACCOUNTS: &str = "SELECT s.instance_id, COUNT(*) AS n FROM accounts s WHERE s.gone_at IS NULL";
const PLUGINS: &str = "SELECT s.instance_id, COUNT(*) AS n, \
     COUNT(CASE WHEN s.review = 'not_reviewed' THEN 1 END) AS unreviewed FROM plugins s WHERE s.gone_at IS NULL";
// From the findings, which are few, to the subjects by their key.
const ACCOUNTS_AT_RISK: &str = "SELECT s.instance_id, COUNT(DISTINCT f.resource) AS n FROM findings f \
     JOIN accounts s ON s.instance_id = f.instance_id AND s.id = f.resource AND s.gone_at IS NULL \
     WHERE f.kind = 'accounts' AND f.state IN ('new', 'in_progress')";
const PLUGINS_AT_RISK: &str = "SELECT s.instance_id, COUNT(DISTINCT f.resource) AS n FROM findings f \
     JOIN plugins s ON s.instance_id = f.instance_id AND s.id = f.resource AND s.gone_at IS NULL \
     WHERE f.kind = 'plugins' AND f.state IN ('new', 'in_progress')";

/// Counts of one instance. Whether they mean anything (has a run finished?) is told by its facts, not here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Unresolved, unsuppressed findings by severity; a severity without findings is not in it.
    pub open: BTreeMap<Severity, u64>,
    /// Of these, first seen at or after the given time.
    pub new: u64,
    /// Of these, those that the last run of their scan could not look at.
    pub stale: u64,
    /// Since when the oldest of these is stale.
    pub stale_since: Option<Timestamp>,
    /// Suppressed ones, not in the numbers above.
    pub suppressed: u64,
    /// Accounts that are there.
    pub accounts: u64,
    /// Of these, with open findings.
    pub accounts_at_risk: u64,
    /// Plugins that are there.
    pub plugins: u64,
    /// Of these, with open findings.
    pub plugins_at_risk: u64,
    /// Of these, not reviewed.
    pub plugins_unreviewed: u64,
}

/// The numbers of every instance that has any. `new_since` is what `new` counts from.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db, new_since: Timestamp) -> Result<BTreeMap<InstanceId, Numbers>, StoreError> {
    collect(db, None, new_since).await
}

/// The numbers of one instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn of(db: &Db, instance: &InstanceId, new_since: Timestamp) -> Result<Numbers, StoreError> {
    Ok(collect(db, Some(instance), new_since).await?.remove(instance).unwrap_or_default())
}

async fn collect(
    db: &Db,
    instance: Option<&InstanceId>,
    new_since: Timestamp,
) -> Result<BTreeMap<InstanceId, Numbers>, StoreError> {
    let mut all: BTreeMap<InstanceId, Numbers> = BTreeMap::new();
    for row in findings(db, instance, new_since).await? {
        let n = all.entry(row.id("instance_id")?).or_default();
        let count: u64 = row.count("n")?;
        if row.get::<bool>("suppressed")? {
            n.suppressed += count;
            continue;
        }
        *n.open.entry(severity(&row)?).or_default() += count;
        n.new += row.count::<u64>("fresh")?;
        n.stale += row.count::<u64>("stale")?;
        if let Some(since) = row.time_opt("stale_since")? {
            n.stale_since = Some(n.stale_since.map_or(since, |s| s.min(since)));
        }
    }
    for row in counted(db, instance, "numbers::accounts", ACCOUNTS).await? {
        all.entry(row.id("instance_id")?).or_default().accounts = row.count("n")?;
    }
    for row in counted(db, instance, "numbers::accounts_at_risk", ACCOUNTS_AT_RISK).await? {
        all.entry(row.id("instance_id")?).or_default().accounts_at_risk = row.count("n")?;
    }
    for row in counted(db, instance, "numbers::plugins", PLUGINS).await? {
        let n = all.entry(row.id("instance_id")?).or_default();
        n.plugins = row.count("n")?;
        n.plugins_unreviewed = row.count("unreviewed")?;
    }
    for row in counted(db, instance, "numbers::plugins_at_risk", PLUGINS_AT_RISK).await? {
        all.entry(row.id("instance_id")?).or_default().plugins_at_risk = row.count("n")?;
    }
    Ok(all)
}

async fn findings(
    db: &Db,
    instance: Option<&InstanceId>,
    new_since: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    let mut s = Select::new(
        "numbers::findings",
        "SELECT instance_id, severity, (state = 'suppressed') AS suppressed, COUNT(*) AS n, \
         COUNT(stale_since) AS stale, MIN(stale_since) AS stale_since, COUNT(CASE WHEN first_seen_at >= ",
    );
    s.bind(new_since).push(" THEN 1 END) AS fresh FROM findings WHERE state <> 'resolved'");
    if let Some(instance) = instance {
        s.push(" AND instance_id = ").bind(instance);
    }
    s.push(" GROUP BY instance_id, severity, (state = 'suppressed')");
    let (text, args) = s.finish();
    db.0.pool.rows(text, args).await
}

async fn counted(
    db: &Db,
    instance: Option<&InstanceId>,
    name: &'static str,
    text: &'static str,
) -> Result<Vec<Row>, StoreError> {
    let mut s = Select::new(name, text);
    if let Some(instance) = instance {
        s.push(" AND s.instance_id = ").bind(instance);
    }
    s.push(" GROUP BY s.instance_id");
    let (text, args) = s.finish();
    db.0.pool.rows(text, args).await
}
