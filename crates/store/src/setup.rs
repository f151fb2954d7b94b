//! First set-up: a one-time token, printed on the console, lets one person become the first operator.

use model::time::Timestamp;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::operators::{self, Operator};
use crate::sql::{Tx, args, statements};

statements! {
    OFFER = "INSERT INTO setup (one, token_hash, created_at, expires_at) VALUES (1, $1, $2, $3) \
             ON CONFLICT (one) DO UPDATE SET token_hash = excluded.token_hash, created_at = excluded.created_at, \
             expires_at = excluded.expires_at";
    TAKE = "DELETE FROM setup WHERE one = 1 AND token_hash = $1 AND expires_at > $2";
    CLEAR = "DELETE FROM setup";
}

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
    let mut tx = db.0.pool.begin().await?;
    if count(&mut tx).await? > 0 {
        return Ok(false);
    }
    tx.run(OFFER, args![token_hash.to_vec(), now, expires_at]).await?;
    tx.commit().await?;
    Ok(true)
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
    let mut tx = db.0.pool.begin().await?;
    // Taking the token is what two people at once cannot both do.
    let taken = tx.run(TAKE, args![token_hash.to_vec(), now]).await? > 0;
    if count(&mut tx).await? > 0 {
        return Ok(Outcome::AlreadySetUp);
    }
    if !taken {
        return Ok(Outcome::WrongToken);
    }
    operators::insert(&mut tx, operator, now).await?;
    tx.run(CLEAR, Vec::new()).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(Outcome::Done)
}

async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    match tx.row(operators::COUNT, Vec::new()).await? {
        Some(row) => row.count("n"),
        None => Err(StoreError::unreadable("a count without an answer")),
    }
}
