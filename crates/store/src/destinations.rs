//! Where alerts go. An address may be a secret (a webhook's is, as a rule): the whole of it is sealed, with its key.

use model::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::outbox;
use crate::sql::{Row, args, statements};

statements! {
    CREATE = "INSERT INTO destinations (id, name, name_key, kind, shown, sealed, subscription, created_at) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UPDATE = "UPDATE destinations SET name = $2, name_key = $3, subscription = $4 WHERE id = $1";
    MOVE = "UPDATE destinations SET shown = $2, sealed = $3 WHERE id = $1";
    PAUSE = "UPDATE destinations SET paused_at = $2, paused_by = $3 WHERE id = $1 AND paused_at IS NULL";
    RESUME = "UPDATE destinations SET paused_at = NULL, paused_by = NULL WHERE id = $1 AND paused_at IS NOT NULL";
    REMOVE = "DELETE FROM destinations WHERE id = $1";
    FORGET = "DELETE FROM transports WHERE id = $1";
    SELECT_ALL = "SELECT id, name, kind, shown, subscription, created_at, paused_at, paused_by FROM destinations \
                  ORDER BY name_key";
    SELECT_ONE = "SELECT id, name, kind, shown, subscription, created_at, paused_at, paused_by FROM destinations \
                  WHERE id = $1";
    SEALED = "SELECT sealed FROM destinations WHERE id = $1";
}

/// A destination without its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Which.
    pub id: String,
    /// What people call it; unique.
    pub name: String,
    /// A stable word: `mail`, `webhook`, `slack`, `syslog`.
    pub kind: String,
    /// What may be shown of its address.
    pub shown: String,
    /// What it is told of, as JSON; whoever tells knows its form.
    pub subscription: String,
    /// When added.
    pub created_at: Timestamp,
    /// Since when, and by whom, nothing is sent there.
    pub paused: Option<(Timestamp, String)>,
}

/// The address and key of a destination, as JSON; whoever sends knows its form.
fn context(id: &str) -> [&str; 2] {
    ["destination", id]
}

/// Adds one (`created_at` and `paused` are not looked at).
///
/// # Errors
/// [`StoreError::Exists`] when the name is taken.
pub async fn create(
    db: &Db,
    new: &Destination,
    address: &SecretString,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let sealed = db.seal(&context(&new.id), address.expose_secret().as_bytes())?;
    let values = args![
        &new.id,
        &new.name,
        new.name.to_lowercase(),
        &new.kind,
        &new.shown,
        sealed,
        &new.subscription,
        now
    ];
    let mut tx = db.0.pool.begin().await?;
    tx.run(CREATE, values).await.map_err(|e| taken(e, new))?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(())
}

/// Changes name and subscription, and the address where one is given. What waits is tried at once then.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn update(
    db: &Db,
    changed: &Destination,
    address: Option<&SecretString>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let id = &changed.id;
    let mut tx = db.0.pool.begin().await?;
    let values = args![id, &changed.name, changed.name.to_lowercase(), &changed.subscription];
    if tx.run(UPDATE, values).await.map_err(|e| taken(e, changed))? == 0 {
        return Err(missing(id));
    }
    if let Some(address) = address {
        let sealed = db.seal(&context(id), address.expose_secret().as_bytes())?;
        tx.run(MOVE, args![id, &changed.shown, sealed]).await?;
        tx.run(outbox::HASTEN, args![id, now]).await?;
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(())
}

/// Sends nothing there until [`resume`]; what is due meanwhile waits.
///
/// # Errors
/// When the database cannot be written. `false`: it was paused or is gone.
pub async fn pause(db: &Db, id: &str, by: &str, now: Timestamp, audit: Entry) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(PAUSE, args![id, now, by]).await? == 0 {
        return Ok(false);
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(true)
}

/// Ends a pause; what waits is tried at once.
///
/// # Errors
/// When the database cannot be written. `false`: it was not paused or is gone.
pub async fn resume(db: &Db, id: &str, now: Timestamp, audit: Entry) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(RESUME, args![id]).await? == 0 {
        return Ok(false);
    }
    tx.run(outbox::HASTEN, args![id, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(true)
}

/// Removes one with what waits for it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn remove(db: &Db, id: &str, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(REMOVE, args![id]).await? == 0 {
        return Err(missing(id));
    }
    tx.run(outbox::DROP_OF, args![id]).await?;
    tx.run(FORGET, args![id]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(())
}

/// All, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<Destination>, StoreError> {
    db.0.pool.rows(SELECT_ALL, Vec::new()).await?.iter().map(read).collect()
}

/// One.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &str) -> Result<Destination, StoreError> {
    db.0.pool.rows(SELECT_ONE, args![id]).await?.first().map_or_else(|| Err(missing(id)), read)
}

/// Its address and key, as they were given.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::SealBroken`].
pub async fn address(db: &Db, id: &str) -> Result<SecretString, StoreError> {
    let rows = db.0.pool.rows(SEALED, args![id]).await?;
    let sealed: Vec<u8> = rows.first().ok_or_else(|| missing(id))?.get("sealed")?;
    let plain = db.unseal(&context(id), &sealed)?;
    let text = std::str::from_utf8(plain.expose_secret()).map_err(|_| StoreError::SealBroken)?;
    Ok(SecretString::from(text))
}

fn missing(id: &str) -> StoreError {
    StoreError::not_found(format_args!("the destination {id}"))
}

fn taken(e: StoreError, new: &Destination) -> StoreError {
    match e {
        StoreError::Exists { .. } => {
            StoreError::Exists { what: format!("a destination with the name {}", new.name) }
        }
        other => other,
    }
}

fn read(row: &Row) -> Result<Destination, StoreError> {
    let by: Option<String> = row.get("paused_by")?;
    Ok(Destination {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        shown: row.get("shown")?,
        subscription: row.get("subscription")?,
        created_at: row.time("created_at")?,
        paused: row.time_opt("paused_at")?.map(|at| (at, by.unwrap_or_default())),
    })
}
