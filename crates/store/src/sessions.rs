//! Sessions of operators. Only the hash of a token is stored.

use model::id::OperatorId;
use model::time::Timestamp;

use crate::audit::{self, Entry};
use crate::db::Db;
use crate::error::StoreError;
use crate::operators::{self, Operator};
use crate::sql::{args, statements};

statements! {
    BEGIN = "INSERT INTO sessions (token_hash, operator_id, csrf, created_at, last_seen_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
    FIND = "SELECT s.csrf, s.created_at AS session_at, s.last_seen_at, s.expires_at, \
            o.id, o.name, o.role, o.password_hash, o.active, o.created_at, o.last_sign_in_at, o.email \
            FROM sessions s JOIN operators o ON o.id = s.operator_id \
            WHERE s.token_hash = $1 AND s.expires_at > $2 AND o.active = TRUE";
    TOUCH = "UPDATE sessions SET last_seen_at = $2 WHERE token_hash = $1 AND last_seen_at < $2";
    END = "DELETE FROM sessions WHERE token_hash = $1";
    PURGE = "DELETE FROM sessions WHERE expires_at <= $1";
}

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
/// [`StoreError::NotFound`] when the operator is not there or not active.
pub async fn begin(db: &Db, session: &Session, audit: Entry) -> Result<(), StoreError> {
    let args = args![
        session.token_hash.clone(),
        &session.operator,
        &session.csrf,
        session.created_at,
        session.last_seen_at,
        session.expires_at
    ];
    let mut tx = db.0.pool.begin().await?;
    if tx.run(operators::SIGNED_IN, args![&session.operator, session.created_at]).await? == 0 {
        return Err(StoreError::not_found(format_args!("an active operator {}", session.operator)));
    }
    tx.run(BEGIN, args).await?;
    audit::write(db, &mut tx, session.created_at, audit).await?;
    tx.commit().await
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
    let rows = db.0.pool.rows(FIND, args![token_hash.to_vec(), now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let operator = operators::read(row, "created_at")?;
    let session = Session {
        token_hash: token_hash.to_vec(),
        operator: operator.id.clone(),
        csrf: row.get("csrf")?,
        created_at: row.time("session_at")?,
        last_seen_at: row.time("last_seen_at")?,
        expires_at: row.time("expires_at")?,
    };
    Ok(Some((session, operator)))
}

/// Notes that it was used.
///
/// # Errors
/// When the database cannot be written.
pub async fn touch(db: &Db, token_hash: &[u8], now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(TOUCH, args![token_hash.to_vec(), now]).await?;
    tx.commit().await
}

/// Ends one. Ending one that is not there is no error, and is not audited.
///
/// # Errors
/// When the database cannot be written.
pub async fn end(db: &Db, token_hash: &[u8], now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(END, args![token_hash.to_vec()]).await? > 0 {
        audit::write(db, &mut tx, now, audit).await?;
    }
    tx.commit().await
}

/// Deletes the expired ones. How many.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge_expired(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let n = tx.run(PURGE, args![now]).await?;
    tx.commit().await?;
    Ok(n)
}
