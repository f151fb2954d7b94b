//! Owners: people who answer for instances. They need not sign in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::id::OwnerId;
use model::time::{Duration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Row, args, statements};

statements! {
    CREATE = "INSERT INTO owners (id, name, name_sort, email, email_key, time_zone, active, created_at, \
              digest_minute, quiet) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    UPDATE = "UPDATE owners SET name = $2, name_sort = $3, email = $4, email_key = $5, time_zone = $6, active = $7, \
              digest_minute = $8, quiet = $9 WHERE id = $1";
    SET_QUIET = "UPDATE owners SET quiet = TRUE WHERE id = $1";
    REMOVE = "DELETE FROM owners WHERE id = $1";
    SELECT_ALL = "SELECT o.id, o.name, o.email, o.time_zone, o.active, o.created_at, o.digest_minute, o.quiet, \
                  (SELECT COUNT(*) FROM instances i WHERE i.owner_id = o.id) AS instances \
                  FROM owners o ORDER BY o.name_sort, o.id";
    SELECT_ONE = "SELECT o.id, o.name, o.email, o.time_zone, o.active, o.created_at, o.digest_minute, o.quiet, \
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
    /// Minute of their local day at which the digest is due, 0 to 1439.
    pub digest_minute: u16,
    /// They want no digest on days on which all is well.
    pub quiet: bool,
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
        now,
        i64::from(owner.digest_minute),
        owner.quiet
    ];
    let mut tx = db.0.pool.begin().await?;
    tx.run(CREATE, args).await.map_err(|e| taken(e, owner))?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

/// Changes name, e-mail, time zone, active, and what is said of the digest.
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
        owner.active,
        i64::from(owner.digest_minute),
        owner.quiet
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

/// Notes that they want no digest on days on which all is well.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_quiet(db: &Db, id: &OwnerId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(SET_QUIET, args![id]).await? == 0 {
        return Err(missing(id));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(None, What::Administration);
    Ok(())
}

/// How long a link in a mail that opts out of all-clear digests works.
const QUIET_LINK: Duration = Duration::days(60);

/// What a link carries that lets its holder opt an owner out of all-clear digests, and nothing else, for 60 days.
///
/// # Errors
/// When the cryptographic library refuses.
pub fn quiet_token(db: &Db, id: &OwnerId, now: Timestamp) -> Result<String, StoreError> {
    let plain = format!("{} {}", (now + QUIET_LINK).0, id);
    Ok(URL_SAFE_NO_PAD.encode(db.seal(&QUIET, plain.as_bytes())?))
}

/// Whom a token of [`quiet_token`] is about; `None`: it is none of ours, or it has expired.
#[must_use]
pub fn read_quiet_token(db: &Db, token: &str, now: Timestamp) -> Option<OwnerId> {
    let plain = db.unseal(&QUIET, &URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (expires, id) = std::str::from_utf8(plain.expose_secret()).ok()?.split_once(' ')?;
    (expires.parse::<i64>().ok()? > now.0).then(|| OwnerId::from(id))
}

/// What such a token is sealed for.
const QUIET: [&str; 2] = ["link", "no digest on all-clear days"];

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
        digest_minute: row.count("digest_minute")?,
        quiet: row.get("quiet")?,
        created_at: row.time("created_at")?,
        instances: row.count("instances")?,
    })
}
