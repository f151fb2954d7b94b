//! Credentials of instances: sealed, opened, replaced, proved good.

use std::collections::{BTreeMap, BTreeSet};

use model::credential::Identity;
use model::health::{Enablement, Suspension};
use model::id::{AppId, InstanceId};
use model::scan::ScanKind;
use model::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::{locked, missing, store_facts};
use crate::audit::{self, Entry};
use crate::checkpoints;
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::scans::{self, Scan};
use crate::seal::Context;
use crate::sql::{Tx, args, statements, to_json};

statements! {
    SECRET_PUT = "INSERT INTO secrets (instance_id, field, version, sealed) VALUES ($1, $2, $3, $4)";
    SECRETS_OF = "SELECT s.field, s.version, s.sealed, i.app, i.credential_version FROM instances i \
                  LEFT JOIN secrets s ON s.instance_id = i.id WHERE i.id = $1";
    SECRETS_DROP = "DELETE FROM secrets WHERE instance_id = $1";
    HASH_KEY = "SELECT hash_key FROM instances WHERE id = $1";
    REPLACE = "UPDATE instances SET auth = $2, settings = $3, origins = $4, tenant_uid = $5, identity = $6, \
               credential_version = $7, credential_set_at = $8, credential_failures = 0, suspended_at = NULL, \
               suspension_tries = NULL, suspension_next_at = NULL WHERE id = $1";
    SET_IDENTITY = "UPDATE instances SET identity = $2 WHERE id = $1 AND tenant_uid = $3";
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
/// suspension is lifted, every enabled scan is wanted now (and starts when the vendor's back-off, which is kept, ends).
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
    put(db, &mut tx, id, &was.app, &new.origins, &new.secrets, version).await?;
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
    // What the last run warned of, it warned of the credential that is gone.
    tx.run(scans::FORGET_WARNINGS, args![id]).await?;
    tx.run(scans::WANT_ALL, args![id, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(())
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

/// Takes the one cheap authentication request that a suspended credential is allowed: nobody else makes it before `until`.
/// What is stored then; `None`: the suspension is not `before` (any more), so that another has taken it or it is over.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn take_try(
    db: &Db,
    id: &InstanceId,
    before: &Suspension,
    until: Timestamp,
) -> Result<Option<Suspension>, StoreError> {
    let taken = Suspension { next_try_at: until, ..before.clone() };
    let facts = super::update_facts(db, id, &|facts| {
        let mut facts = facts.clone();
        if facts.suspension.as_ref() == Some(before) {
            facts.suspension = Some(taken.clone());
        }
        facts
    })
    .await?;
    Ok((facts.suspension.as_ref() == Some(&taken)).then_some(taken))
}

/// Notes that a request that was taken by [`take_try`] did not lift the suspension. Only a refusal climbs the ladder of
/// waits. A credential that was replaced meanwhile is another one: what was learned is not about it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn tried_in_vain(
    db: &Db,
    id: &InstanceId,
    credential_version: i64,
    (before, taken): (&Suspension, &Suspension),
    refused: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let next = model::schedule::after_refused_try(before, refused, now);
    super::update_facts(db, id, &|facts| {
        let mut facts = facts.clone();
        if facts.credential_version == credential_version && facts.suspension.as_ref() == Some(taken) {
            facts.suspension = Some(next.clone());
        }
        facts
    })
    .await
    .map(drop)
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

async fn scans_of(tx: &mut Tx, id: &InstanceId) -> Result<Vec<Scan>, StoreError> {
    tx.rows(scans::SELECT_OF, args![id]).await?.iter().map(scans::read).collect()
}

/// Seals and stores the fields of a credential.
pub(super) async fn put(
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
