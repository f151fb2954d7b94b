//! Operators: people who sign in to Parapet.

use model::id::OperatorId;
use model::time::Timestamp;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Row, Tx, args, statements};

statements! {
    CREATE = "INSERT INTO operators (id, name, name_key, role, password_hash, active, created_at) \
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE = "UPDATE operators SET name = $2, name_key = $3, role = $4, active = $5 WHERE id = $1";
    SET_PASSWORD = "UPDATE operators SET password_hash = $2 WHERE id = $1";
    SIGNED_IN = "UPDATE operators SET last_sign_in_at = $2 WHERE id = $1 AND active = TRUE";
    END_SESSIONS = "DELETE FROM sessions WHERE operator_id = $1";
    END_OTHER_SESSIONS = "DELETE FROM sessions WHERE operator_id = $1 AND token_hash <> $2";
    SELECT_ALL = "SELECT id, name, role, password_hash, active, created_at, last_sign_in_at, email \
                  FROM operators \
                  ORDER BY name_key";
    SELECT_ONE = "SELECT id, name, role, password_hash, active, created_at, last_sign_in_at, email \
                  FROM operators \
                  WHERE id = $1";
    BY_NAME = "SELECT id, name, role, password_hash, active, created_at, last_sign_in_at, email \
                  FROM operators \
               WHERE name_key = $1";
    SET_EMAIL = "UPDATE operators SET email = $2 WHERE id = $1";
    COUNT = "SELECT COUNT(*) AS n FROM operators";
}

/// A user of Parapet.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// Which.
    pub id: OperatorId,
    /// What they type to sign in and what is shown; unique, compared without regard to case.
    pub name: String,
    /// A stable word of the use cases' crate: `admin`, `auditor`.
    pub role: String,
    /// The password's hash in PHC notation.
    pub password_hash: String,
    /// An inactive operator cannot sign in and has no session.
    pub active: bool,
    /// When added.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Where an admin gets the digest of what nobody answers for; `None`: nowhere.
    pub email: Option<String>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Adds one (`created_at` and `last_sign_in_at` are not looked at).
///
/// # Errors
/// [`StoreError::Exists`] when the name is taken.
pub async fn create(db: &Db, operator: &Operator, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    insert(&mut tx, operator, now).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

pub(crate) async fn insert(tx: &mut Tx, operator: &Operator, now: Timestamp) -> Result<(), StoreError> {
    let args = args![
        &operator.id,
        &operator.name,
        operator.name.to_lowercase(),
        &operator.role,
        &operator.password_hash,
        operator.active,
        now
    ];
    tx.run(CREATE, args).await.map(drop).map_err(|e| taken(e, operator))
}

/// Changes name, role and active. Deactivating ends their sessions.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn update(db: &Db, operator: &Operator, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let args =
        args![&operator.id, &operator.name, operator.name.to_lowercase(), &operator.role, operator.active];
    let mut tx = db.0.pool.begin().await?;
    if tx.run(UPDATE, args).await.map_err(|e| taken(e, operator))? == 0 {
        return Err(missing(&operator.id));
    }
    if !operator.active {
        tx.run(END_SESSIONS, args![&operator.id]).await?;
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
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
    let mut tx = db.0.pool.begin().await?;
    if tx.run(SET_PASSWORD, args![id, password_hash]).await? == 0 {
        return Err(missing(id));
    }
    match keep_session {
        Some(hash) => tx.run(END_OTHER_SESSIONS, args![id, hash.to_vec()]).await?,
        None => tx.run(END_SESSIONS, args![id]).await?,
    };
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await
}

/// Says where an admin's digest goes; `None`: nowhere.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_email(
    db: &Db,
    id: &OperatorId,
    email: Option<&str>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(SET_EMAIL, args![id, email]).await? == 0 {
        return Err(missing(id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

/// All, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<Operator>, StoreError> {
    db.0.pool.rows(SELECT_ALL, Vec::new()).await?.iter().map(|r| read(r, "created_at")).collect()
}

/// One.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &OperatorId) -> Result<Operator, StoreError> {
    let rows = db.0.pool.rows(SELECT_ONE, args![id]).await?;
    rows.first().map_or_else(|| Err(missing(id)), |r| read(r, "created_at"))
}

/// The one who signs in with this name.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_name(db: &Db, name: &str) -> Result<Option<Operator>, StoreError> {
    let rows = db.0.pool.rows(BY_NAME, args![name.to_lowercase()]).await?;
    rows.first().map(|r| read(r, "created_at")).transpose()
}

/// How many there are: none means that Parapet is not set up.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db) -> Result<u64, StoreError> {
    let rows = db.0.pool.rows(COUNT, Vec::new()).await?;
    rows.first().map_or_else(|| Err(StoreError::unreadable("a count without an answer")), |r| r.count("n"))
}

fn missing(id: &OperatorId) -> StoreError {
    StoreError::not_found(format_args!("the operator {id}"))
}

fn taken(e: StoreError, operator: &Operator) -> StoreError {
    match e {
        StoreError::Exists { .. } => {
            StoreError::Exists { what: format!("an operator with the name {}", operator.name) }
        }
        other => other,
    }
}

/// Reads one; `created_at` may have another name in a join.
pub(crate) fn read(row: &Row, created_at: &'static str) -> Result<Operator, StoreError> {
    Ok(Operator {
        id: row.id("id")?,
        name: row.get("name")?,
        role: row.get("role")?,
        password_hash: row.get("password_hash")?,
        active: row.get("active")?,
        created_at: row.time(created_at)?,
        last_sign_in_at: row.time_opt("last_sign_in_at")?,
        email: row.get("email")?,
    })
}
