//! First set-up: a one-time token, printed on the console, lets one person become the first operator.

use model::time::Timestamp;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;
use crate::operators::Operator;

/// Stores the hash of a new token; the one before it no longer works. Does nothing (`false`) when there is an operator.
///
/// # Errors
/// When the database cannot be written.
pub async fn offer(
    db: &Db,
    token_hash: &[u8],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    todo!()
}

/// How first set-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The operator exists; the token is used up.
    Done,
    /// There is an operator already.
    AlreadySetUp,
    /// The token is not the one that was offered, or has expired.
    WrongToken,
}

/// Makes the first operator, if the token is right and there is none.
///
/// # Errors
/// When the database cannot be written.
pub async fn complete(
    db: &Db,
    token_hash: &[u8],
    operator: &Operator,
    now: Timestamp,
    audit: Entry,
) -> Result<Outcome, StoreError> {
    todo!()
}
