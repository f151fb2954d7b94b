//! The schema, its versions, and the key's check value.

use model::entropy::Entropy;
use model::time::Timestamp;
use secrecy::ExposeSecret as _;

use crate::dialect;
use crate::error::StoreError;
use crate::seal::{Context, SealingKey};
use crate::sql::{Pool, Tx, args, statements};

statements! {
    META_GET = "SELECT value FROM meta WHERE name = $1";
    META_PUT = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    KEY_GET = "SELECT sealed FROM key_check WHERE one = 1";
    KEY_PUT = "INSERT INTO key_check (one, sealed) VALUES (1, $1)";
}

/// Every version's text, oldest first. A released one is never edited.
const VERSIONS: [&str; 8] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_notifications.sql"),
    include_str!("migrations/0003_identities.sql"),
    include_str!("migrations/0004_renewals.sql"),
    include_str!("migrations/0005_walks.sql"),
    include_str!("migrations/0006_findings_of_accounts.sql"),
    include_str!("migrations/0007_stored_at.sql"),
    include_str!("migrations/0008_words.sql"),
];

/// The newest version this program knows.
pub(crate) const NEWEST: i64 = VERSIONS.len() as i64;

/// The oldest program that can work beside this schema, by the newest version which it knew. A new version that only adds
/// (tables, indexes, columns that may be left out) leaves this alone, so that nodes are upgraded one after the other;
/// one that changes what older programs read or write raises it to itself. A test holds the texts against it.
const OLDEST: i64 = 5;

/// Where [`OLDEST`] stands in the database, for older programs to read.
const OLDEST_NAME: &str = "schema_oldest";

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
    if found > NEWEST {
        tracing::warn!(
            found,
            known = NEWEST,
            "the database belongs to a newer Parapet; this one can still work beside it"
        );
    }
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

/// The version of a database that has the tables which say it. It may be newer than what this program knows, where it says
/// that programs of this age can go on with it.
pub(crate) async fn found(tx: &mut Tx) -> Result<i64, StoreError> {
    let found = number(tx, "schema_version").await?.unwrap_or(0);
    // A newer one that does not say how far back it reaches is not touched.
    if found > NEWEST && number(tx, OLDEST_NAME).await?.is_none_or(|oldest| oldest > NEWEST) {
        return Err(StoreError::NewerSchema { found, known: NEWEST });
    }
    Ok(found)
}

async fn number(tx: &mut Tx, name: &str) -> Result<Option<i64>, StoreError> {
    let Some(row) = tx.row(META_GET, args![name]).await? else { return Ok(None) };
    let text: String = row.get("value")?;
    text.parse().map(Some).map_err(|e| StoreError::unreadable(format_args!("{name} {text:?}: {e}")))
}

/// Asks the database which version it has by now: another node may have upgraded it.
pub(crate) async fn still_fits(pool: &Pool) -> Result<(), StoreError> {
    found(&mut pool.begin_read().await?).await.map(drop)
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
        tx.run(META_PUT, args![OLDEST_NAME, OLDEST.min(to).to_string()]).await?;
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

/// Whether programs of before can go on when this text has been run: nothing is taken away or made stricter, and what is
/// added may be left out.
#[cfg(test)]
fn only_adds(text: &str) -> bool {
    // SQLite's own has all lines.
    let text = dialect::words(text, false);
    let code: String =
        text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let statements: Vec<String> = code.split(';').map(words).filter(|s| !s.is_empty()).collect();
    let added: Vec<&str> =
        statements.iter().filter_map(|s| s.split_once(" ADD COLUMN ")?.1.split(' ').next()).collect();
    statements.iter().all(|statement| {
        // What a column that is new begins with is nobody else's business.
        let begins = added.iter().any(|column| {
            statement.starts_with("UPDATE ") && statement.contains(&format!(" SET {column} = ("))
        });
        let column = statement.starts_with("ALTER TABLE ") && statement.contains(" ADD COLUMN ");
        let optional = !statement.contains(" NOT NULL") || statement.contains(" DEFAULT ");
        // An index makes nothing wrong that is missing or added, unless it forbids something.
        begins
            || statement.starts_with("CREATE TABLE ")
            || statement.starts_with("CREATE INDEX ")
            || statement.starts_with("DROP INDEX ")
            || (column && optional && !statement.contains(" UNIQUE") && !statement.contains(" CHECK"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_older_programs_survive_only_add() {
        for (version, text) in (1i64..).zip(VERSIONS).filter(|(version, _)| *version > OLDEST) {
            assert!(only_adds(text), "version {version} does more than add: raise OLDEST to it");
        }
        assert!((1..=NEWEST).contains(&OLDEST));
    }

    #[test]
    fn what_only_adds() {
        for (text, adds) in [
            ("CREATE TABLE a (\n    id {text} NOT NULL\n); -- a note; with DROP TABLE b", true),
            ("ALTER TABLE a ADD COLUMN b BIGINT;", true),
            ("ALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 1;\nCREATE INDEX c ON a (b);", true),
            ("DROP INDEX c;", true),
            ("{sqlite} DROP INDEX c;", true),
            ("{sqlite} DROP TABLE c;", false),
            ("ALTER TABLE a ADD COLUMN b BIGINT;\nUPDATE a SET b = (SELECT 1);", true),
            ("ALTER TABLE a ADD COLUMN b BIGINT;\nUPDATE a SET c = (SELECT 1);", false),
            ("ALTER TABLE a ADD COLUMN b BIGINT NOT NULL;", false),
            ("ALTER TABLE a ADD COLUMN b BIGINT UNIQUE;", false),
            ("ALTER TABLE a DROP COLUMN b;", false),
            ("CREATE UNIQUE INDEX c ON a (b);", false),
            ("CREATE INDEX c ON a (b); DROP TABLE d;", false),
            ("UPDATE a SET b = 1;", false),
        ] {
            assert_eq!(only_adds(text), adds, "{text}");
        }
    }
}
