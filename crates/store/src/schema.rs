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
    tx.script(
        "CREATE TABLE IF NOT EXISTS meta (name {text} PRIMARY KEY, value {text} NOT NULL);
         CREATE TABLE IF NOT EXISTS key_check (one BIGINT PRIMARY KEY CHECK (one = 1), sealed {bytes} NOT NULL);",
    )
    .await?;
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
    // The key first: a wrong one must change nothing.
    check_key(&mut tx, key, entropy).await?;
    for (version, text) in (1i64..).zip(VERSIONS) {
        if version > found {
            tracing::info!(version, "upgrading the database schema");
            tx.script(text).await?;
            if version == 1 {
                dialect::protect_audit(&mut tx).await?;
                tx.run(META_PUT, args!["created_at", now.to_string()]).await?;
            }
        }
    }
    if found < NEWEST {
        tx.run(META_PUT, args!["schema_version", NEWEST.to_string()]).await?;
        tx.run(META_PUT, args!["upgraded_at", now.to_string()]).await?;
    }
    tx.commit().await
}

async fn check_key(tx: &mut Tx, key: &SealingKey, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let context = Context::of(&["key check"]);
    match tx.row(KEY_GET, Vec::new()).await? {
        None => {
            let sealed = key.seal(&context, CHECK, entropy)?;
            tx.run(KEY_PUT, args![sealed]).await.map(drop)
        }
        Some(row) => match key.open(&context, &row.get::<Vec<u8>>("sealed")?) {
            Ok(plain) if plain.expose_secret() == CHECK => Ok(()),
            _ => Err(StoreError::WrongKey),
        },
    }
}
