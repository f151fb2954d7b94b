//! Sessions of operators. Only the hash of a token is stored.

use model::id::OperatorId;
use model::time::Timestamp;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;
use crate::operators::Operator;

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Hash of the token in the cookie.
    pub token_hash: Vec<u8>,
    /// Whose.
    pub operator: OperatorId,
    /// The secret its forms carry.
    pub csrf: String,
    /// When signed in.
    pub created_at: Timestamp,
    /// When last used, to the minute or so.
    pub last_seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("operator", &self.operator)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Begins a session and notes the sign-in.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin(db: &Db, session: &Session, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// The session of this token and its operator, when it has not expired and the operator is active.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(
    db: &Db,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<(Session, Operator)>, StoreError> {
    todo!()
}

/// Notes that it was used.
///
/// # Errors
/// When the database cannot be written.
pub async fn touch(db: &Db, token_hash: &[u8], now: Timestamp) -> Result<(), StoreError> {
    todo!()
}

/// Ends one. Ending one that is not there is no error.
///
/// # Errors
/// When the database cannot be written.
pub async fn end(db: &Db, token_hash: &[u8], now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}
