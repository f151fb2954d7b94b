//! Settings of the whole server, as JSON by name.

use model::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{args, statements, to_json};

statements! {
    GET = "SELECT value FROM settings WHERE name = $1";
    PUT = "INSERT INTO settings (name, value, changed_at) VALUES ($1, $2, $3) \
           ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at";
}

/// A setting; `None` when it was never stored.
///
/// # Errors
/// [`StoreError::Unreadable`] when it is not of this type.
pub async fn get<T: DeserializeOwned>(db: &Db, name: &str) -> Result<Option<T>, StoreError> {
    db.0.pool.rows(GET, args![name]).await?.first().map(|row| row.json("value")).transpose()
}

/// Stores a setting.
///
/// # Errors
/// When the database cannot be written.
pub async fn put<T: Serialize + Sync>(
    db: &Db,
    name: &str,
    value: &T,
    now: Timestamp,
    audit: Option<Entry>,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(PUT, args![name, to_json(value)?, now]).await?;
    if let Some(entry) = audit {
        audit::write(db, &mut tx, now, entry).await?;
    }
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}
