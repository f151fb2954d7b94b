//! Identity providers: instances that operators marked, and uploaded lists. What they know is read as a whole and kept by
//! whoever needs it, with the version it was read at: a change raises the version in its own transaction.
//!
//! Accounts are judged by scans alone. Whatever changes whose accounts are only asks for scans ([`crate::scans::want`]'s
//! `wanted_at`), of the instances that it concerns.

pub(crate) mod commit;
pub(crate) mod links;

use std::sync::Arc;

use model::account::SHAPE;
use model::id::{DirectoryId, InstanceId};
use model::identity::{Directory, Identity, State};
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::value::Record;
use tokio::sync::Mutex;

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Batch, Row, Tx, args, like, statements, to_json};

pub use links::{Link, link, links_of, unlink};

statements! {
    // First in every transaction that changes what identity providers know: it makes them wait for each other.
    BUMP = "UPDATE directories_version SET version = version + 1 WHERE one = 1";
    VERSION = "SELECT version FROM directories_version WHERE one = 1";
    ALL_OF = "SELECT d.id, d.instance_id, COALESCE(i.name, d.name) AS name, d.max_age_ms, d.complete_at, d.marked_at, \
              d.marked_by, \
              CASE WHEN d.instance_id IS NULL \
              THEN (SELECT COUNT(*) FROM list_identities l WHERE l.directory_id = d.id AND l.removed_at IS NULL) \
              ELSE (SELECT COUNT(*) FROM accounts a WHERE a.instance_id = d.instance_id AND a.gone_at IS NULL) \
              END AS identities \
              FROM directories d LEFT JOIN instances i ON i.id = d.instance_id ORDER BY d.marked_at, d.id";
    ACCOUNTS_OF = "SELECT record, last_seen_at, gone_at FROM accounts WHERE instance_id = $1 ORDER BY id";
    LIST_OF = "SELECT id, record, removed_at FROM list_identities WHERE directory_id = $1 ORDER BY id";
    MARK = "INSERT INTO directories (id, instance_id, name, max_age_ms, marked_at, marked_by) \
            VALUES ($1, $1, '', $2, $3, $4) ON CONFLICT (id) DO NOTHING";
    WANT_ONE = "UPDATE scans SET wanted_at = CASE WHEN wanted_at IS NULL OR wanted_at > $2 THEN $2 ELSE wanted_at END \
                WHERE kind = 'accounts' AND enabled = TRUE AND instance_id = $1";
    WANT_ALL = "UPDATE scans SET wanted_at = CASE WHEN wanted_at IS NULL OR wanted_at > $1 THEN $1 ELSE wanted_at END \
                WHERE kind = 'accounts' AND enabled = TRUE AND instance_id <> $2 AND instance_id IN \
                (SELECT a.instance_id FROM accounts a WHERE a.gone_at IS NULL) RETURNING instance_id";
    REMOVE = "DELETE FROM directories WHERE id = $1";
    PUT_LIST = "INSERT INTO directories (id, name, max_age_ms, complete_at, marked_at, marked_by) \
                VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                max_age_ms = excluded.max_age_ms, complete_at = excluded.complete_at, marked_by = excluded.marked_by";
    // Before the new ones are put in their place: whoever is not among them was left out.
    LIST_LEAVE = "UPDATE list_identities SET removed_at = $2 WHERE directory_id = $1 AND removed_at IS NULL";
    SET_AGE = "UPDATE directories SET max_age_ms = $2 WHERE id = $1";
    IS_ONE = "SELECT id FROM directories WHERE instance_id = $1";
    FIND = "SELECT d.id AS directory_id, COALESCE(i.name, d.name) AS directory_name, x.id, x.record, x.seen_at, x.gone FROM \
            (SELECT a.instance_id AS directory_id, a.id, a.record, a.last_seen_at AS seen_at, a.search, \
            CAST(CASE WHEN a.gone_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS gone FROM accounts a \
            JOIN directories m ON m.instance_id = a.instance_id \
            UNION ALL SELECT l.directory_id, l.id, l.record, CAST(0 AS BIGINT) AS seen_at, l.search, \
            CAST(CASE WHEN l.removed_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS gone FROM list_identities l) x \
            JOIN directories d ON d.id = x.directory_id LEFT JOIN instances i ON i.id = d.instance_id \
            WHERE x.search LIKE $1 ESCAPE '\\' ORDER BY x.gone, x.search, x.id LIMIT $2";
    ONE_ACCOUNT = "SELECT record, last_seen_at, gone_at FROM accounts WHERE instance_id = $1 AND id = $2";
    ONE_OF_LIST = "SELECT id, record, removed_at FROM list_identities WHERE directory_id = $1 AND id = $2";
}

/// The people of a list. One who was left out before is there again.
pub(crate) const LIST_PUT: Batch = Batch {
    name: "LIST_IDENTITIES",
    head: "INSERT INTO list_identities (directory_id, id, record, search)",
    columns: 4,
    tail: "ON CONFLICT (directory_id, id) DO UPDATE SET record = excluded.record, search = excluded.search, \
           removed_at = NULL",
};

/// Something that is made from what identity providers know and from `K`, kept for as long as both are the same: ten
/// thousand people are read once for all who ask.
#[derive(Debug)]
pub struct Kept<K, T>(Mutex<Option<(i64, K, Arc<T>)>>);

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, T> Kept<K, T> {
    /// What is kept, or what `make` makes of a version and of everybody in it. One number is compared; whoever finds it changed reads all of it, and
    /// the others wait for that.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(
        &self,
        db: &Db,
        of: K,
        make: impl FnOnce(i64, &[Directory], &K) -> T,
    ) -> Result<Arc<T>, StoreError> {
        let mut kept = self.0.lock().await;
        let now = version(db).await?;
        if let Some((then, was, made)) = &*kept
            && (*then, was) == (now, &of)
        {
            return Ok(Arc::clone(made));
        }
        let (now, all) = load(db).await?;
        let made = Arc::new(make(now, &all, &of));
        *kept = Some((now, of, Arc::clone(&made)));
        Ok(made)
    }
}

/// An identity provider, without its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Which.
    pub id: DirectoryId,
    /// The instance; `None`: an uploaded list.
    pub instance: Option<InstanceId>,
    /// What people call it.
    pub name: String,
    /// How old what it said may be.
    pub max_age: Duration,
    /// When it was last read to its end.
    pub complete_at: Option<Timestamp>,
    /// When it was marked or first uploaded.
    pub marked_at: Timestamp,
    /// By whom, or who uploaded it last.
    pub marked_by: String,
    /// People that are there.
    pub identities: u64,
}

/// An identity that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The identity provider.
    pub directory: DirectoryId,
    /// Its name.
    pub directory_name: String,
    /// The identity.
    pub identity: Identity,
}

/// The version of what identity providers know. Two that are equal are of the same knowledge.
///
/// # Errors
/// When the database cannot be read.
pub async fn version(db: &Db) -> Result<i64, StoreError> {
    version_in(db.0.pool.rows(VERSION, Vec::new()).await?.first())
}

/// What [`VERSION`] answered.
pub(crate) fn version_in(row: Option<&Row>) -> Result<i64, StoreError> {
    row.ok_or_else(|| StoreError::unreadable("the version of what identity providers know"))?.get("version")
}

/// All identity providers, the one that was marked first at the top.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<Marked>, StoreError> {
    db.0.pool.rows(ALL_OF, Vec::new()).await?.iter().map(read).collect()
}

/// All identity providers with everybody they know or knew, and the version of that: at least so new.
///
/// # Errors
/// When the database cannot be read.
pub async fn load(db: &Db) -> Result<(i64, Vec<Directory>), StoreError> {
    // Before the rest: what changes in between is read again at the next look.
    let version = version(db).await?;
    let mut directories = Vec::new();
    for marked in all(db).await? {
        let identities = match &marked.instance {
            Some(instance) => {
                let rows = db.0.pool.rows(ACCOUNTS_OF, args![instance]).await?;
                rows.iter().map(of_account).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
            }
            None => {
                let rows = db.0.pool.rows(LIST_OF, args![marked.id.as_str()]).await?;
                let seen_at = marked.complete_at.unwrap_or_default();
                rows.iter().map(|row| of_list(row, seen_at)).collect::<Result<_, _>>()?
            }
        };
        let Marked { id, name, max_age, complete_at, .. } = marked;
        directories.push(Directory { id, name, max_age, complete_at, identities });
    }
    Ok((version, directories))
}

/// One identity; `None`: the identity provider does not have it, or there is no such identity provider.
///
/// # Errors
/// When the database cannot be read.
pub async fn identity(
    db: &Db,
    key: &model::identity::IdentityKey,
) -> Result<Option<(Marked, Identity)>, StoreError> {
    let Some(marked) = all(db).await?.into_iter().find(|marked| marked.id == key.directory) else {
        return Ok(None);
    };
    let found = match &marked.instance {
        Some(instance) => {
            let rows = db.0.pool.rows(ONE_ACCOUNT, args![instance, &key.id]).await?;
            rows.first().map(of_account).transpose()?.flatten()
        }
        None => {
            let rows = db.0.pool.rows(ONE_OF_LIST, args![marked.id.as_str(), &key.id]).await?;
            let seen_at = marked.complete_at.unwrap_or_default();
            rows.first().map(|row| of_list(row, seen_at)).transpose()?
        }
    };
    Ok(found.map(|identity| (marked, identity)))
}

/// Identities whose id, name or address has these words, those that are there first.
///
/// # Errors
/// When the database cannot be read.
pub async fn search(db: &Db, text: &str, limit: u32) -> Result<Vec<Found>, StoreError> {
    let rows = db.0.pool.rows(FIND, args![like(text), limit]).await?;
    let found = |row: &Row| {
        let record: serde_json::Value = row.json("record")?;
        let gone = row.get::<i64>("gone")? == 1;
        let (directory, directory_name) = (row.id("directory_id")?, row.get("directory_name")?);
        let seen_at = row.time("seen_at")?;
        let identity = match serde_json::from_value::<Identity>(record.clone()) {
            // Of a list: kept as it was read.
            Ok(identity) if record.get("seen_at").is_some() => Some(gone_or(identity, gone)),
            _ => Identity::of_account(&Record::from_json(&record, &SHAPE), seen_at, gone),
        };
        Ok(identity.map(|identity| Found { directory, directory_name, identity }))
    };
    Ok(rows.iter().map(found).collect::<Result<Vec<_>, StoreError>>()?.into_iter().flatten().collect())
}

/// Marks an instance as identity provider, behind those that are marked already, and asks for a scan of its accounts: not
/// before that has ended whole is anything judged by it. `false`: it is one already.
///
/// # Errors
/// When the database cannot be written.
pub async fn mark(
    db: &Db,
    instance: &InstanceId,
    max_age: Duration,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(BUMP, Vec::new()).await?;
    if tx.run(MARK, args![instance, max_age, now, by]).await? == 0 {
        return Ok(false);
    }
    tx.run(WANT_ONE, args![instance, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(ScanKind::Accounts));
    db.announce(None, What::Administration);
    Ok(true)
}

/// Unmarks an instance, or deletes a list. Accounts that were matched with its people are judged afresh.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn unmark(db: &Db, id: &DirectoryId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(BUMP, Vec::new()).await?;
    if tx.run(REMOVE, args![id.as_str()]).await? == 0 {
        return Err(missing(id));
    }
    let wanted = want_all(&mut tx, "", now).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    announce(db, &wanted);
    Ok(())
}

/// Sets how old what an identity provider said may be.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_max_age(
    db: &Db,
    id: &DirectoryId,
    max_age: Duration,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(BUMP, Vec::new()).await?;
    if tx.run(SET_AGE, args![id.as_str(), max_age]).await? == 0 {
        return Err(missing(id));
    }
    let wanted = want_all(&mut tx, "", now).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    announce(db, &wanted);
    Ok(())
}

/// A list as it is uploaded.
#[derive(Debug, Clone)]
pub struct Upload<'a> {
    /// Which: a new id, or the list whose place it takes.
    pub id: &'a DirectoryId,
    /// What people call it.
    pub name: &'a str,
    /// Everybody on it.
    pub identities: &'a [Identity],
    /// How old it may become.
    pub max_age: Duration,
    /// Who uploads it.
    pub by: &'a str,
}

/// Stores a list. Whoever was on the one before and is not on this one is removed from then on.
///
/// # Errors
/// When the database cannot be written.
pub async fn upload(db: &Db, upload: Upload<'_>, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    let row = |identity: &Identity| {
        let words = [
            Some(identity.id.clone()),
            identity.username.clone(),
            identity.display_name.clone(),
            Some(identity.addresses.join(" ")),
        ];
        Ok(args![upload.id.as_str(), &identity.id, to_json(identity)?, crate::subjects::search(&words)])
    };
    let rows = upload.identities.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
    let mut tx = db.0.pool.begin().await?;
    tx.run(BUMP, Vec::new()).await?;
    tx.run(PUT_LIST, args![upload.id.as_str(), upload.name, upload.max_age, now, upload.by]).await?;
    tx.run(LIST_LEAVE, args![upload.id.as_str(), now]).await?;
    tx.insert_many(LIST_PUT, rows).await?;
    let wanted = want_all(&mut tx, "", now).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    announce(db, &wanted);
    Ok(())
}

/// Asks for scans of the accounts of all instances that have any, but for one.
pub(crate) async fn want_all(
    tx: &mut Tx,
    besides: &str,
    now: Timestamp,
) -> Result<Vec<InstanceId>, StoreError> {
    tx.rows(WANT_ALL, args![now, besides]).await?.iter().map(|row| row.id("instance_id")).collect()
}

/// Whether an instance is marked, within a transaction that is about to change or remove it: then the version is raised.
pub(crate) async fn touch(tx: &mut Tx, instance: &InstanceId) -> Result<bool, StoreError> {
    let marked = tx.row(IS_ONE, args![instance]).await?.is_some();
    if marked {
        tx.run(BUMP, Vec::new()).await?;
    }
    Ok(marked)
}

/// Tells of the scans that are wanted, and that identity providers have changed.
pub(crate) fn announce(db: &Db, wanted: &[InstanceId]) {
    for instance in wanted {
        db.announce(Some(instance), What::Scan(ScanKind::Accounts));
    }
    db.announce(None, What::Administration);
}

fn of_account(row: &Row) -> Result<Option<Identity>, StoreError> {
    let record: serde_json::Value = row.json("record")?;
    let gone_at = row.time_opt("gone_at")?;
    let seen_at = gone_at.map_or_else(|| row.time("last_seen_at"), Ok)?;
    Ok(Identity::of_account(&Record::from_json(&record, &SHAPE), seen_at, gone_at.is_some()))
}

fn of_list(row: &Row, seen_at: Timestamp) -> Result<Identity, StoreError> {
    let identity: Identity = row.json("record")?;
    let removed_at = row.time_opt("removed_at")?;
    let identity = Identity { seen_at: removed_at.unwrap_or(seen_at), ..identity };
    Ok(gone_or(identity, removed_at.is_some()))
}

fn gone_or(identity: Identity, gone: bool) -> Identity {
    if gone { Identity { state: Some(State::Removed), ..identity } } else { identity }
}

fn missing(id: &DirectoryId) -> StoreError {
    StoreError::not_found(format_args!("the identity provider {id}"))
}

fn read(row: &Row) -> Result<Marked, StoreError> {
    Ok(Marked {
        id: row.id("id")?,
        instance: row.id_opt("instance_id")?,
        name: row.get("name")?,
        max_age: Duration(row.get("max_age_ms")?),
        complete_at: row.time_opt("complete_at")?,
        marked_at: row.time("marked_at")?,
        marked_by: row.get("marked_by")?,
        identities: row.count("identities")?,
    })
}
