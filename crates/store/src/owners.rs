//! Owners: people who answer for instances. They need not sign in.

use model::id::OwnerId;
use model::time::Timestamp;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Which.
    pub id: OwnerId,
    /// Name.
    pub name: String,
    /// Where the digest goes; unique, compared without regard to case.
    pub email: String,
    /// IANA name: `Europe/Berlin`.
    pub time_zone: String,
    /// An inactive owner gets no mail; the instances go to the admins' digest.
    pub active: bool,
    /// When added.
    pub created_at: Timestamp,
    /// Instances they answer for.
    pub instances: u64,
}

/// Adds one (`instances` and `created_at` are ignored).
///
/// # Errors
/// [`StoreError::Exists`] when the e-mail is taken.
pub async fn create(db: &Db, owner: &Owner, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Changes name, e-mail, time zone, active.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn update(db: &Db, owner: &Owner, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Deletes one; the instances have no owner then.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn remove(db: &Db, id: &OwnerId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// All, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<Owner>, StoreError> {
    todo!()
}

/// One.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &OwnerId) -> Result<Owner, StoreError> {
    todo!()
}
