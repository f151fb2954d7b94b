//! Operators: people who sign in to Parapet.

use model::id::OperatorId;
use model::time::Timestamp;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;

/// A user of Parapet.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// Which.
    pub id: OperatorId,
    /// What they type to sign in; unique, compared without regard to case.
    pub login: String,
    /// Name.
    pub name: String,
    /// A stable word of the use cases' crate: `admin`, `owner`, `auditor`.
    pub role: String,
    /// The password's hash in PHC notation.
    pub password_hash: String,
    /// An inactive operator cannot sign in and has no session.
    pub active: bool,
    /// When added.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("id", &self.id)
            .field("login", &self.login)
            .field("role", &self.role)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Adds one.
///
/// # Errors
/// [`StoreError::Exists`] when the login is taken.
pub async fn create(db: &Db, operator: &Operator, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Changes name, role and active. Deactivating ends their sessions.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update(db: &Db, operator: &Operator, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Replaces the password and ends every session of theirs except the one given by its hash.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_password(
    db: &Db,
    id: &OperatorId,
    password_hash: &str,
    keep_session: Option<&[u8]>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// All, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<Operator>, StoreError> {
    todo!()
}

/// One.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &OperatorId) -> Result<Operator, StoreError> {
    todo!()
}

/// The one who signs in with this.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_login(db: &Db, login: &str) -> Result<Option<Operator>, StoreError> {
    todo!()
}

/// How many there are: none means that Parapet is not set up.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db) -> Result<u64, StoreError> {
    todo!()
}
