//! The daily digests: the one row a recipient and day, and what they are made from.

use std::collections::BTreeMap;

use model::ahead;
use model::digest::{Application, Changes, EXCEPTIONS_AHEAD, Ending, Recipient};
use model::finding::Severity;
use model::id::{InstanceId, OwnerId};
use model::identity::Departed;
use model::schedule::TOO_FAR_AHEAD;
use model::time::{Duration, Timestamp};
use model::view::SeverityCounts;

use crate::db::{Db, What};
use crate::dialect;
use crate::error::StoreError;
use crate::findings::severity;
use crate::outbox::{self, NewParcel};
use crate::sql::{Row, args, statements};
use crate::{instances, numbers, owners};

statements! {
    AHEAD = "SELECT recipient FROM digests WHERE made_at > $1 LIMIT 1";
    FORGET = "DELETE FROM digests WHERE made_at > $1";
    UNTIL_NOW = "UPDATE digests SET until_at = $1 WHERE until_at > $1";
    LATEST = "SELECT d.recipient, d.day, d.until_at FROM digests d WHERE d.day = \
              (SELECT MAX(l.day) FROM digests l WHERE l.recipient = d.recipient)";
    MAKE = "INSERT INTO digests (recipient, day, made_at, until_at, subject, all_clear, mails) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (recipient, day) DO NOTHING";
    RECENT = "SELECT recipient, day, made_at, until_at, subject, all_clear, mails FROM digests \
              ORDER BY made_at DESC, recipient LIMIT 50";
    PURGE = "DELETE FROM digests WHERE made_at < $1 AND EXISTS (SELECT 1 FROM digests l \
             WHERE l.recipient = digests.recipient AND l.day > digests.day)";
    NEW = "SELECT instance_id, severity, COUNT(*) AS n FROM findings WHERE state IN ('new', 'in_progress') \
           AND first_seen_at >= $1 AND first_seen_at < $2 GROUP BY instance_id, severity";
    RESOLVED = "SELECT instance_id, severity, COUNT(*) AS n FROM findings WHERE state = 'resolved' \
                AND resolved_at >= $1 AND resolved_at < $2 GROUP BY instance_id, severity";
    RISKY = "SELECT f.instance_id, COUNT(DISTINCT f.resource) AS n FROM findings f \
             JOIN accounts s ON s.instance_id = f.instance_id AND s.id = f.resource AND s.gone_at IS NULL \
             WHERE f.kind = 'accounts' AND f.state IN ('new', 'in_progress') \
             AND f.first_seen_at >= $1 AND f.first_seen_at < $2 GROUP BY f.instance_id";
    PLUGINS = "SELECT instance_id, COUNT(*) AS n FROM plugins WHERE gone_at IS NULL AND review = 'not_reviewed' \
               AND first_seen_at >= $1 AND first_seen_at < $2 GROUP BY instance_id";
    DRIFT = "SELECT instance_id, COUNT(*) AS n FROM drift WHERE at >= $1 AND at < $2 GROUP BY instance_id";
    ENDING = "SELECT instance_id, says, exception_expires_at FROM findings WHERE state = 'suppressed' \
              AND exception_expires_at <= $1 ORDER BY exception_expires_at, id";
}

/// What a first digest looks back on.
const FIRST: Duration = Duration::days(1);

/// What the catalogue knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The product's name.
    pub name: String,
    /// When its credential ends for want of use, where the vendor does that.
    pub idles_at: Option<Timestamp>,
}

/// The latest digest of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Its local day: `2026-11-26`.
    pub day: String,
    /// Changes before this were told.
    pub until: Timestamp,
}

/// A digest that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// [`Recipient::key`].
    pub recipient: String,
    /// The local day.
    pub day: String,
    /// When.
    pub made_at: Timestamp,
    /// Changes before this are told by it.
    pub until: Timestamp,
    /// Its subject.
    pub subject: String,
    /// Nothing needed attention.
    pub all_clear: bool,
    /// Mails that went out with it; 0: its reader wants none on such a day.
    pub mails: u32,
}

/// Forgets the digests that were made while a clock ran far ahead: days that have not come are still owed theirs. How many
/// there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_ahead(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let far = now + TOO_FAR_AHEAD;
    if db.0.pool.rows(AHEAD, args![far]).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = db.0.pool.begin().await?;
    let forgotten = tx.run(FORGET, args![far]).await?;
    tx.commit().await?;
    Ok(forgotten)
}

/// The clock by which findings, plugins and drift are new: the database's own on PostgreSQL, so that nodes whose clocks
/// differ agree; otherwise the caller's `now`.
///
/// # Errors
/// When the database cannot be read.
pub async fn clock(db: &Db, now: Timestamp) -> Result<Timestamp, StoreError> {
    dialect::lease_clock(db, now).await
}

/// What was told until an instant that lies ahead of `now`, by a clock that was set back since, counts as told until now only:
/// what is new from now on would be told by nobody. What was new while the clock ran ahead may be told twice. How many
/// digests.
///
/// # Errors
/// When the database cannot be written.
pub async fn told_until_now(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let set = tx.run(UNTIL_NOW, args![now]).await?;
    tx.commit().await?;
    Ok(set)
}

/// The latest digest of every recipient that ever had one.
///
/// # Errors
/// When the database cannot be read.
pub async fn latest(db: &Db) -> Result<BTreeMap<String, Latest>, StoreError> {
    let rows = db.0.pool.rows(LATEST, Vec::new()).await?;
    let one = |r: &Row| Ok((r.get("recipient")?, Latest { day: r.get("day")?, until: r.time("until_at")? }));
    rows.iter().map(one).collect()
}

/// Claims the day and puts its mails in, in one transaction: whoever is killed has done both or neither. `false`: the day
/// was made already, by another node or before.
///
/// # Errors
/// When the database cannot be written.
pub async fn make(db: &Db, digest: &Made, mails: &[NewParcel]) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let values = args![
        &digest.recipient,
        &digest.day,
        digest.made_at,
        digest.until,
        &digest.subject,
        digest.all_clear,
        digest.mails
    ];
    if tx.run(MAKE, values).await? == 0 {
        return Ok(false);
    }
    outbox::put(&mut tx, mails, digest.made_at).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(true)
}

/// The latest 50 digests, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn recent(db: &Db) -> Result<Vec<Made>, StoreError> {
    let rows = db.0.pool.rows(RECENT, Vec::new()).await?;
    let one = |r: &Row| {
        Ok(Made {
            recipient: r.get("recipient")?,
            day: r.get("day")?,
            made_at: r.time("made_at")?,
            until: r.time("until_at")?,
            subject: r.get("subject")?,
            all_clear: r.get("all_clear")?,
            mails: r.count("mails")?,
        })
    };
    rows.iter().map(one).collect()
}

/// Deletes digests made before, but each recipient's latest.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let deleted = tx.run(PURGE, args![before]).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Everything that digests of one moment are made from, read once for all their recipients.
#[derive(Debug)]
pub struct Facts {
    rows: Vec<instances::InstanceWithScans>,
    numbers: BTreeMap<InstanceId, numbers::Numbers>,
    owners: BTreeMap<OwnerId, owners::Owner>,
    endings: BTreeMap<InstanceId, Vec<Ending>>,
    /// Owners whose accounts are known not to be live any more.
    left: BTreeMap<OwnerId, Departed>,
}

/// Reads them. `left` are the owners whose accounts are known not to be live any more.
///
/// # Errors
/// When the database cannot be read.
pub async fn facts(db: &Db, left: &BTreeMap<OwnerId, Departed>, now: Timestamp) -> Result<Facts, StoreError> {
    let mut endings: BTreeMap<InstanceId, Vec<Ending>> = BTreeMap::new();
    for row in db.0.pool.rows(ENDING, args![now + EXCEPTIONS_AHEAD]).await? {
        let ending = Ending { says: row.get("says")?, at: row.time("exception_expires_at")? };
        endings.entry(row.id("instance_id")?).or_default().push(ending);
    }
    Ok(Facts {
        rows: instances::all(db).await?,
        numbers: numbers::all(db, now).await?,
        owners: owners::all(db).await?.into_iter().map(|o| (o.id.clone(), o)).collect(),
        endings,
        left: left.iter().filter(|(_, l)| now <= l.until).map(|(id, l)| (id.clone(), l.clone())).collect(),
    })
}

impl Facts {
    /// The owners, by name.
    #[must_use]
    pub fn owners(&self) -> Vec<&owners::Owner> {
        let mut all: Vec<&owners::Owner> = self.owners.values().collect();
        all.sort_by_key(|o| (o.name.to_lowercase(), o.id.clone()));
        all
    }

    /// Whether this recipient answers for any instance: without, there is no digest.
    #[must_use]
    pub fn concerns(&self, recipient: &Recipient) -> bool {
        self.rows.iter().any(|row| self.belongs(row, recipient))
    }

    fn belongs(&self, row: &instances::InstanceWithScans, recipient: &Recipient) -> bool {
        let active = row.instance.owner.as_ref().and_then(|id| self.owners.get(id)).filter(|o| o.active);
        match recipient {
            Recipient::Owner(id) => active.is_some_and(|o| o.id == *id),
            // Whoever has left may not read it; whoever is said to have left and has not must not miss it.
            Recipient::Admins => active.is_none_or(|o| self.left.contains_key(&o.id)),
        }
    }

    /// The instances of a recipient with what changed from `since` (a day ago where there was no digest before) to
    /// `until`. `product` says what the catalogue knows of an instance.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn applications(
        &self,
        db: &Db,
        recipient: &Recipient,
        since: Option<Timestamp>,
        until: Timestamp,
        now: Timestamp,
        product: &(dyn Fn(&instances::Instance) -> Product + Sync),
    ) -> Result<Vec<Application>, StoreError> {
        let mut changes = changes(db, since.unwrap_or(until - FIRST), until).await?;
        let mine = self.rows.iter().filter(|row| self.belongs(row, recipient));
        let one = |row: &instances::InstanceWithScans| {
            let i = &row.instance;
            let numbers = self.numbers.get(&i.id).cloned().unwrap_or_default();
            let mut open = SeverityCounts::default();
            numbers.open.iter().for_each(|(severity, n)| open.add(*severity, *n));
            let told = row.scans.iter().flat_map(|s| &s.warnings);
            let product = product(i);
            let owner = i.owner.as_ref().and_then(|id| self.owners.get(id)).filter(|o| o.active);
            let own = ahead::Own {
                expires_at: i.identity.expires_at,
                idles_at: product.idles_at,
                owner_left: owner.and_then(|o| Some((o.name.as_str(), self.left.get(&o.id)?))),
            };
            Application {
                id: i.id.clone(),
                name: i.name.clone(),
                product: product.name,
                tenant: i.identity.tenant_name.clone(),
                inactive_owner: i
                    .owner
                    .as_ref()
                    .and_then(|o| self.owners.get(o))
                    .filter(|o| !o.active)
                    .map(|o| o.name.clone()),
                facts: i.facts.clone(),
                scans: row.scans.iter().map(|s| s.facts.clone()).collect(),
                warnings: ahead::fold(own, told, now),
                open,
                stale: (numbers.stale, numbers.stale_since),
                changes: changes.remove(&i.id).unwrap_or_default(),
                exceptions: self.endings.get(&i.id).cloned().unwrap_or_default(),
                unreviewed_plugins: numbers.plugins_unreviewed,
            }
        };
        Ok(mine.map(one).collect())
    }
}

async fn changes(
    db: &Db,
    since: Timestamp,
    until: Timestamp,
) -> Result<BTreeMap<InstanceId, Changes>, StoreError> {
    let mut all: BTreeMap<InstanceId, Changes> = BTreeMap::new();
    let window = || args![since, until];
    for row in db.0.pool.rows(NEW, window()).await? {
        let (id, by, n) = counted(&row)?;
        all.entry(id).or_default().new.add(by, n);
    }
    for row in db.0.pool.rows(RESOLVED, window()).await? {
        let (id, by, n) = counted(&row)?;
        all.entry(id).or_default().resolved.add(by, n);
    }
    for row in db.0.pool.rows(RISKY, window()).await? {
        all.entry(row.id("instance_id")?).or_default().risky_accounts = row.count("n")?;
    }
    for row in db.0.pool.rows(PLUGINS, window()).await? {
        all.entry(row.id("instance_id")?).or_default().plugins = row.count("n")?;
    }
    for row in db.0.pool.rows(DRIFT, window()).await? {
        all.entry(row.id("instance_id")?).or_default().drift = row.count("n")?;
    }
    Ok(all)
}

fn counted(row: &Row) -> Result<(InstanceId, Severity, u64), StoreError> {
    Ok((row.id("instance_id")?, severity(row)?, row.count("n")?))
}
