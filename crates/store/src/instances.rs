//! Onboarded instances and their sealed credentials.

use std::collections::BTreeMap;

use model::credential::Identity;
use model::health::{InstanceFacts, Paused, Standing, Suspension};
use model::id::{AppId, InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Timestamp;
use secrecy::SecretString;

use crate::audit::{self, Entry};
use crate::checkpoints;
use crate::db::{Db, What};
use crate::directories;
use crate::error::StoreError;
use crate::params;
use crate::scans::{self, Scan, ScanSetup};
use crate::sql::{Row, Tx, args, statements, to_json};

pub(crate) mod credential;
pub mod renewal;

pub use credential::{
    NewCredential, credential, hash_key, lift_suspension, reauthenticate, set_identity, take_try,
    tried_in_vain,
};

/// The columns that [`read`] wants.
macro_rules! instance_columns {
    () => {
        "i.id, i.app, i.name, i.deployment, i.settings, i.origins, i.auth, i.identity, i.owner_id, i.tags, \
         i.credential_version, i.credential_set_at, i.credential_used_at, i.credential_failures, i.suspended_at, \
         i.suspension_tries, i.suspension_next_at, i.blocked_until, i.down_after, i.onboarded_at, i.paused_at, \
         i.paused_by"
    };
}

statements! {
    INSERT = "INSERT INTO instances (id, app, name, name_sort, deployment, settings, origins, auth, tenant_uid, \
              identity, owner_id, tags, hash_key, credential_version, credential_set_at, credential_failures, \
              down_after, onboarded_at, turn) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, 0, $15, $14, 0)";
    SELECT_ALL = concat!("SELECT ", instance_columns!(), " FROM instances i ORDER BY i.name_sort, i.id");
    SELECT_ONE = concat!("SELECT ", instance_columns!(), " FROM instances i WHERE i.id = $1");
    OF_TENANT = "SELECT id, name FROM instances WHERE app = $1 AND tenant_uid = $2 ORDER BY name_sort, id";
    LOCK = "UPDATE instances SET turn = turn + 1 WHERE id = $1";
    BLOCK = "UPDATE instances SET blocked_until = $2 WHERE id = $1";
    PAUSE = "UPDATE instances SET paused_at = $2, paused_by = $3 WHERE id = $1 AND paused_at IS NULL";
    RESUME = "UPDATE instances SET paused_at = NULL, paused_by = NULL WHERE id = $1 AND paused_at IS NOT NULL";
    ASSIGN = "UPDATE instances SET owner_id = $2 WHERE id = $1";
    RENAME = "UPDATE instances SET name = $2, name_sort = $3, tags = $4 WHERE id = $1";
    REMOVE = "DELETE FROM instances WHERE id = $1";
    SET_FACTS = "UPDATE instances SET credential_failures = $2, suspended_at = $3, suspension_tries = $4, \
                 suspension_next_at = $5, blocked_until = $6, down_after = $7 WHERE id = $1";
    USED = "UPDATE instances SET credential_used_at = $2 WHERE id = $1";
    REMOVAL = "SELECT (SELECT COUNT(*) FROM findings WHERE instance_id = $1) AS findings, \
               (SELECT COUNT(*) FROM accounts WHERE instance_id = $1) AS accounts, \
               (SELECT COUNT(*) FROM plugins WHERE instance_id = $1) AS plugins, \
               (SELECT COUNT(*) FROM runs WHERE instance_id = $1) AS runs, \
               (SELECT COUNT(*) FROM drift WHERE instance_id = $1) AS drift";
}

/// One onboarded tenancy, without its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// The application.
    pub app: AppId,
    /// What people call it; unique within the application.
    pub name: String,
    /// The manifest's deployment: `cloud`, `server`, ...
    pub deployment: String,
    /// The settings asked for at onboarding, without secrets.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address: where the credential may be sent.
    pub origins: BTreeMap<String, String>,
    /// The manifest's authentication choice.
    pub auth: String,
    /// What the credential turned out to be when it was last verified.
    pub identity: Identity,
    /// When the credential was entered.
    pub credential_set_at: Timestamp,
    /// When a run last used it.
    pub credential_used_at: Option<Timestamp>,
    /// Who answers for it.
    pub owner: Option<OwnerId>,
    /// Free words.
    pub tags: Vec<String>,
    /// What health reads.
    pub facts: InstanceFacts,
}

/// An instance with its scans.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceWithScans {
    /// The instance.
    pub instance: Instance,
    /// Its supported scans, in the order of [`ScanKind::ALL`].
    pub scans: Vec<Scan>,
}

impl InstanceWithScans {
    /// What health reads of it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            instance: self.instance.facts.clone(),
            scans: self.scans.iter().map(|s| s.facts.clone()).collect(),
        }
    }

    /// The scan of this kind, where it is supported.
    #[must_use]
    pub fn scan(&self, kind: ScanKind) -> Option<&Scan> {
        self.scans.iter().find(|s| s.facts.kind == kind)
    }
}

/// What onboarding saves.
#[derive(Debug)]
pub struct NewInstance {
    /// Made by [`Db::new_id`].
    pub id: InstanceId,
    /// The application.
    pub app: AppId,
    /// What people call it.
    pub name: String,
    /// The manifest's deployment.
    pub deployment: String,
    /// Settings without secrets.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address.
    pub origins: BTreeMap<String, String>,
    /// The manifest's authentication choice.
    pub auth: String,
    /// What the credential was verified to be.
    pub identity: Identity,
    /// The credential's secret fields, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// Who answers for it.
    pub owner: Option<OwnerId>,
    /// Free words.
    pub tags: Vec<String>,
    /// Failures in a row until Down.
    pub down_after: u32,
    /// Its supported scans.
    pub scans: Vec<ScanSetup>,
}

/// Saves a new instance, its scans (each wanted at once) and its sealed credential.
///
/// # Errors
/// [`StoreError::Exists`] when the application has an instance of this name.
pub async fn create(db: &Db, new: NewInstance, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut hash_key = zeroize::Zeroizing::new([0u8; 32]);
    db.0.entropy.fill(hash_key.as_mut_slice());
    let sealed_hash_key = db.seal(&["hash key", new.id.as_str()], hash_key.as_slice())?;
    let args = args![
        &new.id,
        &new.app,
        &new.name,
        new.name.to_lowercase(),
        &new.deployment,
        to_json(&new.settings)?,
        to_json(&new.origins)?,
        &new.auth,
        &new.identity.tenant_uid,
        to_json(&new.identity)?,
        new.owner.as_ref(),
        to_json(&new.tags)?,
        sealed_hash_key,
        now,
        new.down_after.max(1)
    ];
    let mut tx = db.0.pool.begin().await?;
    tx.run(INSERT, args).await.map_err(|e| taken(e, &new.name))?;
    for scan in &new.scans {
        scans::insert(&mut tx, &new.id, scan, now).await?;
    }
    credential::put(db, &mut tx, &new.id, &new.app, &new.origins, &new.secrets, 1).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(&new.id), What::Instance);
    Ok(())
}

/// One instance with its scans.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &InstanceId) -> Result<InstanceWithScans, StoreError> {
    let rows = db.0.pool.rows(SELECT_ONE, args![id]).await?;
    let instance = rows.first().map_or_else(|| Err(missing(id)), read)?;
    let mut scans =
        db.0.pool
            .rows(scans::SELECT_OF, args![id])
            .await?
            .iter()
            .map(scans::read)
            .collect::<Result<Vec<_>, _>>()?;
    scans.sort_by_key(|s| s.facts.kind);
    Ok(InstanceWithScans { instance, scans })
}

/// Every instance with its scans, by name: the fleet in memory is made of these.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<InstanceWithScans>, StoreError> {
    let mut by_instance: BTreeMap<InstanceId, Vec<Scan>> = BTreeMap::new();
    for row in db.0.pool.rows(scans::SELECT_ALL, Vec::new()).await? {
        by_instance.entry(row.id("instance_id")?).or_default().push(scans::read(&row)?);
    }
    let rows = db.0.pool.rows(SELECT_ALL, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let instance = read(row)?;
            let mut scans = by_instance.remove(&instance.id).unwrap_or_default();
            scans.sort_by_key(|s| s.facts.kind);
            Ok(InstanceWithScans { instance, scans })
        })
        .collect()
}

/// Instances of an application whose tenant is this one: onboarding warns about them.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_tenant(
    db: &Db,
    app: &AppId,
    tenant_uid: &str,
) -> Result<Vec<(InstanceId, String)>, StoreError> {
    let rows = db.0.pool.rows(OF_TENANT, args![app, tenant_uid]).await?;
    rows.iter().map(|row| Ok((row.id("id")?, row.get("name")?))).collect()
}

/// Pauses: nothing runs any more, live leases are dropped without outcome. `false`: it is paused already.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn pause(
    db: &Db,
    id: &InstanceId,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    locked(&mut tx, id).await?;
    if tx.run(PAUSE, args![id, now, by]).await? == 0 {
        return Ok(false);
    }
    tx.run(scans::FENCE_ALL, args![id]).await?;
    tx.run(checkpoints::DROP_INSTANCE, args![id]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(true)
}

/// Resumes: every enabled scan is wanted now and watched from now. `false`: it was not paused.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn resume(db: &Db, id: &InstanceId, now: Timestamp, audit: Entry) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    locked(&mut tx, id).await?;
    if tx.run(RESUME, args![id]).await? == 0 {
        return Ok(false);
    }
    tx.run(scans::WANT_ALL, args![id, now]).await?;
    tx.run(scans::WATCH_ALL, args![id, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(true)
}

/// Gives it another owner, or none.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn assign_owner(
    db: &Db,
    id: &InstanceId,
    owner: Option<&OwnerId>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if let Some(owner) = owner
        && tx.row(crate::owners::SELECT_ONE, args![owner]).await?.is_none()
    {
        return Err(StoreError::not_found(format_args!("the owner {owner}")));
    }
    if tx.run(ASSIGN, args![id, owner]).await? == 0 {
        return Err(missing(id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(())
}

/// Renames and re-tags it.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn rename(
    db: &Db,
    id: &InstanceId,
    name: &str,
    tags: &[String],
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let args = args![id, name, name.to_lowercase(), to_json(tags)?];
    if tx.run(RENAME, args).await.map_err(|e| taken(e, name))? == 0 {
        return Err(missing(id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(())
}

/// Deletes it with its credential, runs, findings, accounts, plugins, drift and snapshots. The audit log stays.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn remove(db: &Db, id: &InstanceId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let marked = directories::touch(&mut tx, id).await?;
    if tx.run(REMOVE, args![id]).await? == 0 {
        return Err(missing(id));
    }
    tx.run(params::DROP, args![params::place(id)]).await?;
    // Whoever was matched with people of an identity provider that is gone is judged without it.
    let wanted = if marked { directories::want_all(&mut tx, id.as_str(), now).await? } else { Vec::new() };
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Removed);
    if marked {
        directories::announce(db, &wanted);
    }
    Ok(())
}

/// What [`remove`] would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removal {
    /// Findings in any state.
    pub findings: u64,
    /// Accounts.
    pub accounts: u64,
    /// Plugins.
    pub plugins: u64,
    /// Runs of the log.
    pub runs: u64,
    /// Changes seen.
    pub drift: u64,
}

/// What [`remove`] would delete.
///
/// # Errors
/// When the database cannot be read.
pub async fn removal(db: &Db, id: &InstanceId) -> Result<Removal, StoreError> {
    let rows = db.0.pool.rows(REMOVAL, args![id]).await?;
    let row = rows.first().ok_or_else(|| missing(id))?;
    Ok(Removal {
        findings: row.count("findings")?,
        accounts: row.count("accounts")?,
        plugins: row.count("plugins")?,
        runs: row.count("runs")?,
        drift: row.count("drift")?,
    })
}

/// Changes what health keeps about an instance as a whole (a suspension's next try, the vendor's back-off,
/// `down_after`): `change` computes the new facts from fresh ones under a lock. Its credential's version and whether it
/// is paused are not changed by this.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update_facts(
    db: &Db,
    id: &InstanceId,
    change: &(dyn Fn(&InstanceFacts) -> InstanceFacts + Send + Sync),
) -> Result<InstanceFacts, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let was = locked(&mut tx, id).await?.facts;
    let new = change(&was);
    store_facts(&mut tx, &new).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(InstanceFacts { credential_version: was.credential_version, paused: was.paused, ..new })
}

/// Takes the instance's lock for this transaction: whoever changes facts of it takes this first. `false`: it is gone.
pub(crate) async fn lock(tx: &mut Tx, id: &InstanceId) -> Result<bool, StoreError> {
    Ok(tx.run(LOCK, args![id]).await? > 0)
}

/// Takes the lock and reads it afresh.
pub(crate) async fn locked(tx: &mut Tx, id: &InstanceId) -> Result<Instance, StoreError> {
    lock(tx, id).await?;
    tx.row(SELECT_ONE, args![id]).await?.map_or_else(|| Err(missing(id)), |row| read(&row))
}

pub(crate) async fn store_facts(tx: &mut Tx, facts: &InstanceFacts) -> Result<(), StoreError> {
    let s = facts.suspension.as_ref();
    let args = args![
        &facts.id,
        facts.credential_failures_in_a_row,
        s.map(|s| s.since),
        s.map(|s| i64::from(s.tries)),
        s.map(|s| s.next_try_at),
        facts.blocked_until,
        facts.down_after.max(1)
    ];
    tx.run(SET_FACTS, args).await.map(drop)
}

fn missing(id: &InstanceId) -> StoreError {
    StoreError::not_found(format_args!("the application {id}"))
}

fn taken(e: StoreError, name: &str) -> StoreError {
    match e {
        StoreError::Exists { .. } => {
            StoreError::Exists { what: format!("an application of this kind named {name}") }
        }
        other => other,
    }
}

fn read(row: &Row) -> Result<Instance, StoreError> {
    let id: InstanceId = row.id("id")?;
    let paused = match row.time_opt("paused_at")? {
        Some(since) => {
            Some(Paused { since, by: row.get::<Option<String>>("paused_by")?.unwrap_or_default() })
        }
        None => None,
    };
    let suspension = match (row.time_opt("suspended_at")?, row.time_opt("suspension_next_at")?) {
        (Some(since), Some(next_try_at)) => {
            let tries = row.get::<Option<i64>>("suspension_tries")?.unwrap_or(0);
            Some(Suspension { since, tries: u32::try_from(tries).unwrap_or(u32::MAX), next_try_at })
        }
        _ => None,
    };
    Ok(Instance {
        facts: InstanceFacts {
            id: id.clone(),
            down_after: row.count("down_after")?,
            onboarded_at: row.time("onboarded_at")?,
            paused,
            credential_version: row.get("credential_version")?,
            credential_failures_in_a_row: row.count("credential_failures")?,
            suspension,
            blocked_until: row.time_opt("blocked_until")?,
        },
        id,
        app: row.id("app")?,
        name: row.get("name")?,
        deployment: row.get("deployment")?,
        settings: row.json("settings")?,
        origins: row.json("origins")?,
        auth: row.get("auth")?,
        identity: row.json("identity")?,
        credential_set_at: row.time("credential_set_at")?,
        credential_used_at: row.time_opt("credential_used_at")?,
        owner: row.id_opt("owner_id")?,
        tags: row.json("tags")?,
    })
}
