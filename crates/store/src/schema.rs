//! The schema, its versions, and the key's check value.

use model::entropy::Entropy;
use model::time::Timestamp;
use secrecy::ExposeSecret as _;

use crate::dialect;
use crate::error::StoreError;
use crate::seal::{Context, SealingKey};
use crate::sql::{Pool, Tx, args, statements};

statements! {
    PING = "SELECT 1 AS one";
    META_GET = "SELECT value FROM meta WHERE name = $1";
    META_PUT = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    KEY_GET = "SELECT sealed FROM key_check WHERE one = 1";
    KEY_PUT = "INSERT INTO key_check (one, sealed) VALUES (1, $1)";
}

/// Every version's text, oldest first. A released one is never edited.
const VERSIONS: [&str; 5] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_notifications.sql"),
    include_str!("migrations/0003_identities.sql"),
    include_str!("migrations/0004_renewals.sql"),
    include_str!("migrations/0005_walks.sql"),
];

/// The newest version this program knows.
pub(crate) const NEWEST: i64 = VERSIONS.len() as i64;

/// What the check value is sealed for.
const KEY_CONTEXT: &str = "key check";

/// What the check value says when it opens. Its presence in the database gives nothing away.
const CHECK: &[u8] = b"this is the key";

/// Creates or upgrades the schema, all or nothing, and holds the sealing key against the database's check value.
pub(crate) async fn upgrade(
    pool: &Pool,
    key: &SealingKey,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = pool.begin().await?;
    dialect::lock_schema(&mut tx).await?;
    let found = begun(&mut tx).await?;
    // The key first: a wrong one must change nothing.
    check_key(&mut tx, key, entropy).await?;
    raise(&mut tx, found, NEWEST, now).await?;
    tx.commit().await
}

/// Makes the tables that say which version the rest is; answers with that version, 0 for a database without one.
pub(crate) async fn begun(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.script(
        "CREATE TABLE IF NOT EXISTS meta (name {text} PRIMARY KEY, value {text} NOT NULL);
         CREATE TABLE IF NOT EXISTS key_check (one BIGINT PRIMARY KEY CHECK (one = 1), sealed {bytes} NOT NULL);",
    )
    .await?;
    found(tx).await
}

/// The version of a database that has the tables which say it.
pub(crate) async fn found(tx: &mut Tx) -> Result<i64, StoreError> {
    let found = match tx.row(META_GET, args!["schema_version"]).await? {
        None => 0,
        Some(row) => {
            let text: String = row.get("value")?;
            text.parse::<i64>()
                .map_err(|e| StoreError::unreadable(format_args!("schema version {text:?}: {e}")))?
        }
    };
    if found > NEWEST {
        return Err(StoreError::NewerSchema { found, known: NEWEST });
    }
    Ok(found)
}

/// Brings the schema from one version to a later one.
pub(crate) async fn raise(tx: &mut Tx, from: i64, to: i64, now: Timestamp) -> Result<(), StoreError> {
    for (version, text) in (1i64..).zip(VERSIONS).filter(|(version, _)| (from + 1..=to).contains(version)) {
        tracing::info!(version, "upgrading the database schema");
        tx.script(text).await?;
        if version == 1 {
            dialect::protect_audit(tx).await?;
            tx.run(META_PUT, args!["created_at", now.to_string()]).await?;
        }
    }
    if from < to {
        tx.run(META_PUT, args!["schema_version", to.to_string()]).await?;
        tx.run(META_PUT, args!["upgraded_at", now.to_string()]).await?;
    }
    Ok(())
}

async fn check_key(tx: &mut Tx, key: &SealingKey, entropy: &dyn Entropy) -> Result<(), StoreError> {
    match tx.row(KEY_GET, Vec::new()).await? {
        None => {
            let sealed = key.seal(&Context::of(&[KEY_CONTEXT]), CHECK, entropy)?;
            tx.run(KEY_PUT, args![sealed]).await.map(drop)
        }
        Some(row) => fits(key, &row.get::<Vec<u8>>("sealed")?),
    }
}

/// Whether a key is the one that a check value was sealed with.
pub(crate) fn fits(key: &SealingKey, check: &[u8]) -> Result<(), StoreError> {
    match key.open(&Context::of(&[KEY_CONTEXT]), check) {
        Ok(plain) if plain.expose_secret() == CHECK => Ok(()),
        _ => Err(StoreError::WrongKey),
    }
}

/// The check value, sealed.
pub(crate) async fn key_check(tx: &mut Tx) -> Result<Vec<u8>, StoreError> {
    let row = tx.row(KEY_GET, Vec::new()).await?;
    row.ok_or_else(|| StoreError::unreadable("the check value of the sealing key is missing"))?.get("sealed")
}

/// When the database was created, as text.
pub(crate) async fn created_at(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    tx.row(META_GET, args!["created_at"]).await?.map(|row| row.get("value")).transpose()
}

/// Takes over what a database says of itself.
pub(crate) async fn keep(tx: &mut Tx, created_at: Option<&str>, check: Vec<u8>) -> Result<(), StoreError> {
    if let Some(at) = created_at {
        tx.run(META_PUT, args!["created_at", at]).await?;
    }
    tx.run(KEY_PUT, args![check]).await.map(drop)
}

/// A table as a version of the schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// In the order in which they were declared.
    pub(crate) columns: Vec<(String, Kind)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    Bytes,
}

/// The tables of a version, each after those it refers to: read from the schema's own text, so that a new version needs no
/// second list. A test holds it against what both databases say of themselves.
///
/// # Errors
/// A version that this program does not know.
pub(crate) fn tables(version: i64) -> Result<Vec<Table>, StoreError> {
    if version > NEWEST {
        return Err(StoreError::NewerSchema { found: version, known: NEWEST });
    }
    let unread = |line: &str| StoreError::unreadable(format_args!("the schema's line {line:?}"));
    let mut tables: Vec<Table> = Vec::new();
    let mut within = false;
    for line in (1i64..).zip(VERSIONS).filter(|(n, _)| *n <= version).flat_map(|(_, text)| text.lines()) {
        let line = line.split("--").next().unwrap_or_default().trim();
        let words: Vec<&str> = line.trim_end_matches(',').split_whitespace().collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, "("] => {
                tables.push(Table { name: (*name).to_owned(), columns: Vec::new() });
                within = true;
            }
            [");"] => within = false,
            ["ALTER", "TABLE", name, "ADD", "COLUMN", column, kind, ..] => {
                let kind = kind_of(kind.trim_end_matches(';')).ok_or_else(|| unread(line))?;
                let table =
                    tables.iter_mut().find(|table| table.name == *name).ok_or_else(|| unread(line))?;
                table.columns.push(((*column).to_owned(), kind));
            }
            ["PRIMARY" | "UNIQUE", ..] if within => {}
            [column, kind, ..] if within => {
                let kind = kind_of(kind).ok_or_else(|| unread(line))?;
                let table = tables.last_mut().ok_or_else(|| unread(line))?;
                table.columns.push(((*column).to_owned(), kind));
            }
            _ => {}
        }
    }
    Ok(tables)
}

fn kind_of(word: &str) -> Option<Kind> {
    Some(match word {
        "{text}" => Kind::Text,
        "BIGINT" => Kind::Int,
        "BOOLEAN" => Kind::Bool,
        "{bytes}" => Kind::Bytes,
        _ => return None,
    })
}
