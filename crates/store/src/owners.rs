//! Owners: people who answer for instances. They need not sign in.

use model::id::OwnerId;
use model::time::Timestamp;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Row, args, statements};

statements! {
    CREATE = "INSERT INTO owners (id, name, name_sort, email, email_key, time_zone, active, created_at) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UPDATE = "UPDATE owners SET name = $2, name_sort = $3, email = $4, email_key = $5, time_zone = $6, active = $7 \
              WHERE id = $1";
    REMOVE = "DELETE FROM owners WHERE id = $1";
    SELECT_ALL = "SELECT o.id, o.name, o.email, o.time_zone, o.active, o.created_at, \
                  (SELECT COUNT(*) FROM instances i WHERE i.owner_id = o.id) AS instances \
                  FROM owners o ORDER BY o.name_sort, o.id";
    SELECT_ONE = "SELECT o.id, o.name, o.email, o.time_zone, o.active, o.created_at, \
                  (SELECT COUNT(*) FROM instances i WHERE i.owner_id = o.id) AS instances \
                  FROM owners o WHERE o.id = $1";
}

/// For lists that join instances as `i`: nobody active answers for it.
pub(crate) const UNOWNED: &str =
    " AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.id = i.owner_id AND o.active = TRUE)";

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

/// Adds one (`instances` and `created_at` are not looked at).
///
/// # Errors
/// [`StoreError::Exists`] when the e-mail is taken.
pub async fn create(db: &Db, owner: &Owner, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let args = args![
        &owner.id,
        &owner.name,
        owner.name.to_lowercase(),
        &owner.email,
        owner.email.to_lowercase(),
        &owner.time_zone,
        owner.active,
        now
    ];
    let mut tx = db.0.pool.begin().await?;
    tx.run(CREATE, args).await.map_err(|e| taken(e, owner))?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

/// Changes name, e-mail, time zone, active.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn update(db: &Db, owner: &Owner, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let args = args![
        &owner.id,
        &owner.name,
        owner.name.to_lowercase(),
        &owner.email,
        owner.email.to_lowercase(),
        &owner.time_zone,
        owner.active
    ];
    let mut tx = db.0.pool.begin().await?;
    if tx.run(UPDATE, args).await.map_err(|e| taken(e, owner))? == 0 {
        return Err(missing(&owner.id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

/// Deletes one; the instances have no owner then.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn remove(db: &Db, id: &OwnerId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(REMOVE, args![id]).await? == 0 {
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
pub async fn all(db: &Db) -> Result<Vec<Owner>, StoreError> {
    db.0.pool.rows(SELECT_ALL, Vec::new()).await?.iter().map(read).collect()
}

/// One.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &OwnerId) -> Result<Owner, StoreError> {
    db.0.pool.rows(SELECT_ONE, args![id]).await?.first().map_or_else(|| Err(missing(id)), read)
}

fn missing(id: &OwnerId) -> StoreError {
    StoreError::not_found(format_args!("the owner {id}"))
}

fn taken(e: StoreError, owner: &Owner) -> StoreError {
    match e {
        StoreError::Exists { .. } => {
            StoreError::Exists { what: format!("an owner with the address {}", owner.email) }
        }
        other => other,
    }
}

fn read(row: &Row) -> Result<Owner, StoreError> {
    Ok(Owner {
        id: row.id("id")?,
        name: row.get("name")?,
        email: row.get("email")?,
        time_zone: row.get("time_zone")?,
        active: row.get("active")?,
        created_at: row.time("created_at")?,
        instances: row.count("instances")?,
    })
}
