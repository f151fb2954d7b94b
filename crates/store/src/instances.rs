//! Onboarded instances and their sealed credentials.

use std::collections::{BTreeMap, BTreeSet};

use model::credential::Identity;
use model::health::{Enablement, InstanceFacts, Paused, Standing, Suspension};
use model::id::{AppId, InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{self, Entry};
use crate::checkpoints;
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::scans::{self, Scan, ScanSetup};
use crate::seal::Context;
use crate::sql::{Row, Tx, args, statements, to_json};

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
    BLOCK = "UPDATE instances SET blocked_until = \
             CASE WHEN blocked_until IS NULL OR blocked_until < $2 THEN $2 ELSE blocked_until END WHERE id = $1";
    SECRET_PUT = "INSERT INTO secrets (instance_id, field, version, sealed) VALUES ($1, $2, $3, $4)";
    SECRETS_OF = "SELECT s.field, s.version, s.sealed, i.app, i.credential_version FROM instances i \
                  LEFT JOIN secrets s ON s.instance_id = i.id WHERE i.id = $1";
    SECRETS_DROP = "DELETE FROM secrets WHERE instance_id = $1";
    HASH_KEY = "SELECT hash_key FROM instances WHERE id = $1";
    REPLACE = "UPDATE instances SET auth = $2, settings = $3, origins = $4, tenant_uid = $5, identity = $6, \
               credential_version = $7, credential_set_at = $8, credential_failures = 0, suspended_at = NULL, \
               suspension_tries = NULL, suspension_next_at = NULL, blocked_until = NULL WHERE id = $1";
    PAUSE = "UPDATE instances SET paused_at = $2, paused_by = $3 WHERE id = $1 AND paused_at IS NULL";
    RESUME = "UPDATE instances SET paused_at = NULL, paused_by = NULL WHERE id = $1 AND paused_at IS NOT NULL";
    ASSIGN = "UPDATE instances SET owner_id = $2 WHERE id = $1";
    RENAME = "UPDATE instances SET name = $2, name_sort = $3, tags = $4 WHERE id = $1";
    REMOVE = "DELETE FROM instances WHERE id = $1";
    SET_FACTS = "UPDATE instances SET credential_failures = $2, suspended_at = $3, suspension_tries = $4, \
                 suspension_next_at = $5, blocked_until = $6, down_after = $7 WHERE id = $1";
    USED = "UPDATE instances SET credential_used_at = $2 WHERE id = $1";
    SET_IDENTITY = "UPDATE instances SET identity = $2 WHERE id = $1 AND tenant_uid = $3";
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

/// A credential that replaces another one after it was verified.
#[derive(Debug)]
pub struct NewCredential {
    /// The manifest's authentication choice.
    pub auth: String,
    /// Settings without secrets, as they are from now on.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address, as they are from now on.
    pub origins: BTreeMap<String, String>,
    /// What it was verified to be.
    pub identity: Identity,
    /// Its secret fields, by name. All old ones are dropped.
    pub secrets: BTreeMap<String, SecretString>,
    /// Scans to stop, by explicit wish.
    pub stop: BTreeSet<ScanKind>,
    /// Scans to enable that were not.
    pub enable: BTreeSet<ScanKind>,
    /// Missing permissions that leave gaps, by scan, as the verification found them.
    pub gaps: BTreeMap<ScanKind, Vec<String>>,
    /// The operator's name, for stopped scans.
    pub by: String,
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
    put_secrets(db, &mut tx, &new.id, &new.app, &new.origins, &new.secrets, 1).await?;
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

/// The credential's secret fields, opened for the origins that will receive them.
///
/// # Errors
/// [`StoreError::SealBroken`] when `origins` are not the ones it was sealed for: Reauthenticate.
pub async fn credential(
    db: &Db,
    id: &InstanceId,
    origins: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, SecretString>, StoreError> {
    let rows = db.0.pool.rows(SECRETS_OF, args![id]).await?;
    if rows.is_empty() {
        return Err(missing(id));
    }
    let mut secrets = BTreeMap::new();
    for row in rows {
        let Some(field) = row.get::<Option<String>>("field")? else { continue };
        let app: AppId = row.id("app")?;
        let version: i64 = row.get("version")?;
        // A row of another version was copied here: the current version is part of what it must be sealed for.
        if version != row.get::<i64>("credential_version")? {
            return Err(StoreError::SealBroken);
        }
        let context = Context::credential(id, &app, origins, &field, version);
        let plain = db.0.key.open(&context, &row.get::<Vec<u8>>("sealed")?)?;
        let text = String::from_utf8(plain.expose_secret().to_vec()).map_err(|_| StoreError::SealBroken)?;
        secrets.insert(field, SecretString::from(text));
    }
    Ok(secrets)
}

/// The key of the hashes that stand for `sensitive = "hash"` fields: constant for the instance, known to nobody else.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::SealBroken`].
pub async fn hash_key(db: &Db, id: &InstanceId) -> Result<zeroize::Zeroizing<[u8; 32]>, StoreError> {
    let rows = db.0.pool.rows(HASH_KEY, args![id]).await?;
    let sealed: Vec<u8> = rows.first().map_or_else(|| Err(missing(id)), |row| row.get("hash_key"))?;
    let plain = db.unseal(&["hash key", id.as_str()], &sealed)?;
    let mut key = zeroize::Zeroizing::new([0u8; 32]);
    if plain.expose_secret().len() != key.len() {
        return Err(StoreError::SealBroken);
    }
    key.copy_from_slice(plain.expose_secret());
    Ok(key)
}

/// Replaces the credential: new version, live runs of the old one are fenced (their commit counts as nothing), the
/// suspension is lifted, every enabled scan is wanted now.
///
/// # Errors
/// [`StoreError::NotFound`]. The caller has verified that the tenant is the same.
pub async fn reauthenticate(
    db: &Db,
    id: &InstanceId,
    new: NewCredential,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let was = locked(&mut tx, id).await?;
    let version = was.facts.credential_version + 1;
    let args = args![
        id,
        &new.auth,
        to_json(&new.settings)?,
        to_json(&new.origins)?,
        &new.identity.tenant_uid,
        to_json(&new.identity)?,
        version,
        now
    ];
    tx.run(REPLACE, args).await?;
    tx.run(SECRETS_DROP, args![id]).await?;
    put_secrets(db, &mut tx, id, &was.app, &new.origins, &new.secrets, version).await?;
    tx.run(scans::FENCE_ALL, args![id]).await?;
    tx.run(checkpoints::DROP_INSTANCE, args![id]).await?;
    for scan in scans_of(&mut tx, id).await? {
        let kind = scan.facts.kind;
        let gaps = new.gaps.get(&kind).unwrap_or(&scan.readiness_gaps);
        let enablement = if new.stop.contains(&kind) && scan.facts.enablement.is_enabled() {
            Enablement::Stopped { since: now, by: new.by.clone() }
        } else if new.enable.contains(&kind) {
            Enablement::Enabled
        } else {
            scan.facts.enablement.clone()
        };
        scans::change_enablement(&mut tx, id, &scan.facts, &enablement, gaps, now).await?;
    }
    tx.run(scans::WANT_ALL, args![id, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(())
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
    if tx.run(REMOVE, args![id]).await? == 0 {
        return Err(missing(id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Removed);
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

/// The suspended credential proved good: the suspension is lifted and every enabled scan is due. `false`: the
/// credential was replaced meanwhile, or nothing was suspended.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lift_suspension(
    db: &Db,
    id: &InstanceId,
    credential_version: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let was = locked(&mut tx, id).await?.facts;
    if was.credential_version != credential_version || was.suspension.is_none() {
        return Ok(false);
    }
    store_facts(&mut tx, &model::schedule::after_accepted(&was)).await?;
    tx.run(scans::WANT_ALL, args![id, now]).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(true)
}

/// Notes what a credential was found to be when it was verified again (permissions, expiry). `false`: it belongs to
/// another tenant, so nothing was noted.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_identity(db: &Db, id: &InstanceId, identity: &Identity) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let noted = tx.run(SET_IDENTITY, args![id, to_json(identity)?, &identity.tenant_uid]).await? > 0;
    tx.commit().await?;
    if noted {
        db.announce(Some(id), What::Instance);
    }
    Ok(noted)
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

async fn scans_of(tx: &mut Tx, id: &InstanceId) -> Result<Vec<Scan>, StoreError> {
    tx.rows(scans::SELECT_OF, args![id]).await?.iter().map(scans::read).collect()
}

async fn put_secrets(
    db: &Db,
    tx: &mut Tx,
    id: &InstanceId,
    app: &AppId,
    origins: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, SecretString>,
    version: i64,
) -> Result<(), StoreError> {
    for (field, value) in secrets {
        let context = Context::credential(id, app, origins, field, version);
        let sealed = db.0.key.seal(&context, value.expose_secret().as_bytes(), db.0.entropy.as_ref())?;
        tx.run(SECRET_PUT, args![id, field, version, sealed]).await?;
    }
    Ok(())
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
