//! Renewing a sign-in at a vendor: one turn at a time over all nodes, and a place where the result cannot be lost.

use std::collections::BTreeMap;

use model::id::{AppId, InstanceId};
use model::schedule::LONGEST_LEASE;
use model::time::{Duration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::db::Db;
use crate::dialect;
use crate::error::StoreError;
use crate::seal::Context;
use crate::sql::{args, statements};

statements! {
    TURN = "INSERT INTO renewals (instance_id, holder, expires_at) VALUES ($1, $2, $3) \
            ON CONFLICT (instance_id) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
            WHERE renewals.expires_at <= $4 OR renewals.expires_at > $5";
    TURN_END = "DELETE FROM renewals WHERE instance_id = $1 AND holder = $2";
    TURNS_END = "DELETE FROM renewals";
    RENEWED_OF = "SELECT s.sealed, i.app FROM secrets s JOIN instances i ON i.id = s.instance_id \
                  WHERE s.instance_id = $1 AND s.field = $2 AND s.version = $3 AND i.credential_version = $3";
    RENEWED = "UPDATE secrets SET sealed = $4 WHERE instance_id = $1 AND field = $2 AND version = $3 \
               AND EXISTS (SELECT 1 FROM instances i WHERE i.id = secrets.instance_id AND i.credential_version = $3)";
}

/// A field of an instance's credential that changes while it is used.
#[derive(Debug, Clone)]
pub struct Renewing {
    /// The instance.
    pub instance: InstanceId,
    /// Its application.
    pub app: AppId,
    /// The pinned origins that it is sealed for.
    pub origins: BTreeMap<String, String>,
    /// The field.
    pub field: &'static str,
    /// The credential's version: another one is another sign-in, which this one must not touch.
    pub version: i64,
}

/// Takes the turn to renew, for at most `ttl`. `false`: somebody else has it.
///
/// # Errors
/// When the database cannot be written, or the instance is gone.
pub async fn take_turn(
    db: &Db,
    id: &InstanceId,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<bool, StoreError> {
    let now = dialect::lease_clock(db, now).await?;
    let mut tx = db.0.pool.begin().await?;
    let taken = tx.run(TURN, args![id, holder, now + ttl, now, now + LONGEST_LEASE]).await? > 0;
    tx.commit().await?;
    Ok(taken)
}

/// Gives the turn back, unless it has gone to somebody else.
///
/// # Errors
/// When the database cannot be written.
pub async fn end_turn(db: &Db, id: &InstanceId, holder: &str) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(TURN_END, args![id, holder]).await?;
    tx.commit().await
}

/// The field as it stands now. `None`: the credential has been replaced.
///
/// # Errors
/// [`StoreError::SealBroken`] when `origins` are not the ones it was sealed for.
pub async fn renewed(db: &Db, of: &Renewing) -> Result<Option<SecretString>, StoreError> {
    let rows = db.0.pool.rows(RENEWED_OF, args![&of.instance, of.field, of.version]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let app: AppId = row.id("app")?;
    let context = Context::credential(&of.instance, &app, &of.origins, of.field, of.version);
    let plain = db.0.key.open(&context, &row.get::<Vec<u8>>("sealed")?)?;
    let text = String::from_utf8(plain.expose_secret().to_vec()).map_err(|_| StoreError::SealBroken)?;
    Ok(Some(text.into()))
}

/// Stores the field anew, for good. Bound to the credential's version alone: a run that has lost its lease still keeps
/// what it renewed, since the vendor may take nothing older. `false`: the credential has been replaced meanwhile, and
/// nothing was stored.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep_renewed(db: &Db, of: &Renewing, value: &SecretString) -> Result<bool, StoreError> {
    let context = Context::credential(&of.instance, &of.app, &of.origins, of.field, of.version);
    let sealed = db.0.key.seal(&context, value.expose_secret().as_bytes(), db.0.entropy.as_ref())?;
    let mut tx = db.0.pool.begin().await?;
    let kept = tx.run(RENEWED, args![&of.instance, of.field, of.version, sealed]).await? > 0;
    tx.commit().await?;
    Ok(kept)
}
