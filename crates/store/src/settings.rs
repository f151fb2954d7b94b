//! Settings of the whole server, as JSON by name.

use model::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;

/// A setting; `None` when it was never stored.
///
/// # Errors
/// [`StoreError::Unreadable`] when it is not of this type.
pub async fn get<T: DeserializeOwned>(db: &Db, name: &str) -> Result<Option<T>, StoreError> {
    todo!()
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
    todo!()
}
