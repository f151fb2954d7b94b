//! Every statement is prepared on both databases: a typing mistake or a word that only one of them knows fails here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::entropy::Entropy;
use model::time::Timestamp;
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use crate::sql::{Batch, Pool, Sql};
use crate::{Db, Options, SealingKey};

const REGISTRY: [(&str, &[Sql]); 18] = [
    ("alerts", crate::alerts::ALL),
    ("destinations", crate::destinations::ALL),
    ("digests", crate::digests::ALL),
    ("outbox", crate::outbox::ALL),
    ("audit", crate::audit::ALL),
    ("checkpoints", crate::checkpoints::ALL),
    ("findings", crate::findings::ALL),
    ("accounts", crate::accounts::ALL),
    ("plugins", crate::plugins::ALL),
    ("instances", crate::instances::ALL),
    ("operators", crate::operators::ALL),
    ("owners", crate::owners::ALL),
    ("retention", crate::retention::ALL),
    ("runs", crate::runs::ALL),
    ("scans", crate::scans::ALL),
    ("schema", crate::schema::ALL),
    ("sessions", crate::sessions::ALL),
    ("snapshots", crate::snapshots::ALL),
];
const MORE: [(&str, &[Sql]); 13] = [
    ("apply", crate::findings::apply::ALL),
    ("credential", crate::instances::credential::ALL),
    ("directories", crate::directories::ALL),
    ("commit", crate::directories::commit::ALL),
    ("links", crate::directories::links::ALL),
    ("users", crate::plugins::users::ALL),
    ("events", crate::findings::events::ALL),
    ("log", crate::runs::log::ALL),
    ("renewal", crate::instances::renewal::ALL),
    ("params", crate::params::ALL),
    ("settings", crate::settings::ALL),
    ("setup", crate::setup::ALL),
    ("standing", crate::scans::standing::ALL),
];
const BATCHES: [Batch; 8] = [
    crate::accounts::UPSERT,
    crate::directories::LIST_PUT,
    crate::findings::events::EVENT,
    crate::findings::apply::UPSERT,
    crate::plugins::UPSERT,
    crate::plugins::users::PUT,
    crate::runs::DRIFT,
    crate::runs::TALLIES,
];

/// Counts; good for ids and nonces of one test, for nothing else.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&n.to_be_bytes()[..chunk.len()]);
        }
    }
}

async fn open(address: &str) -> Db {
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let entropy = Arc::new(Counting(AtomicU64::new(1)));
    Db::open(address, &key, entropy, Timestamp(0), Options::default()).await.expect("opens")
}

async fn prepare_all(db: &Db) {
    let numbered = matches!(db.0.pool, Pool::Pg(_));
    let statements = REGISTRY
        .iter()
        .chain(&MORE)
        .flat_map(|(module, all)| {
            all.iter().map(move |s| (format!("{module}::{}", s.name), s.text.to_owned()))
        })
        .chain(BATCHES.iter().map(|b| (b.name.to_owned(), b.text(2, numbered))));
    let mut failed = Vec::new();
    let mut prepared = 0;
    for (name, text) in statements {
        let text = AssertSqlSafe(text).into_sql_str();
        let done = match &db.0.pool {
            Pool::Lite { w, .. } => w.acquire().await.expect("a connection").prepare(text).await.map(drop),
            Pool::Pg(p) => p.acquire().await.expect("a connection").prepare(text).await.map(drop),
        };
        prepared += 1;
        if let Err(e) = done {
            failed.push(format!("{name}: {e}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(prepared > 90, "only {prepared} statements are in the registry: a module is missing");
}

#[tokio::test]
async fn every_statement_is_prepared_on_sqlite() {
    prepare_all(&open("sqlite::memory:").await).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
async fn every_statement_is_prepared_on_postgresql() {
    let Ok(url) = std::env::var("PARAPET_TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
            "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
        );
        return;
    };
    let admin = sqlx::PgPool::connect(&url).await.expect("PostgreSQL");
    let schema = format!("registry_{}", std::process::id());
    admin
        .execute(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")))
        .await
        .expect("a schema");
    let sep = if url.contains('?') { '&' } else { '?' };
    let db = open(&format!("{url}{sep}options=-c%20search_path%3D{schema}")).await;
    prepare_all(&db).await;
    // Whatever the server's locale is, lists sort and page as on SQLite.
    let by_locale: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = $1 AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'",
    )
    .bind(&schema)
    .fetch_all(&admin)
    .await
    .expect("the columns");
    assert!(by_locale.is_empty(), "these columns sort by the server's locale: {}", by_locale.join(", "));
    let mut found: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name || ' ' || CASE data_type WHEN 'text' THEN 'Text' \
         WHEN 'bigint' THEN 'Int' WHEN 'boolean' THEN 'Bool' WHEN 'bytea' THEN 'Bytes' ELSE data_type END \
         FROM information_schema.columns WHERE table_schema = $1 AND table_name NOT IN ('meta', 'key_check')",
    )
    .bind(&schema)
    .fetch_all(&admin)
    .await
    .expect("the columns");
    found.sort();
    assert_eq!(found, understood());
}

/// Columns as the schema's text is understood, `table.column` in an order of their own.
fn understood() -> Vec<String> {
    let tables = crate::schema::tables(crate::schema::NEWEST).expect("understood");
    let names = |t: &crate::schema::Table| -> Vec<String> {
        t.columns.iter().map(|(column, kind)| format!("{}.{column} {kind:?}", t.name)).collect()
    };
    let mut all: Vec<String> = tables.iter().flat_map(names).collect();
    all.sort();
    all
}

#[tokio::test]
async fn the_schema_is_understood_as_sqlite_has_it() {
    let db = open("sqlite::memory:").await;
    let Pool::Lite { w, .. } = &db.0.pool else { unreachable!("it is SQLite") };
    let mut found: Vec<String> = sqlx::query_scalar(
        "SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'TEXT' THEN 'Text' WHEN 'BIGINT' THEN 'Int' \
         WHEN 'BOOLEAN' THEN 'Bool' WHEN 'BLOB' THEN 'Bytes' ELSE c.type END \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT IN ('meta', 'key_check')",
    )
    .fetch_all(w)
    .await
    .expect("the columns");
    found.sort();
    assert_eq!(found, understood());
}

#[tokio::test]
async fn every_module_with_statements_is_in_the_registry() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut missing = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the crate's source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
            let text = std::fs::read_to_string(&path).expect("a source file");
            let listed = REGISTRY.iter().chain(&MORE).any(|(name, _)| *name == module);
            if text.contains("\nstatements! {") && !listed {
                missing.push(module);
            }
        }
    }
    assert!(missing.is_empty(), "not in the registry: {}", missing.join(", "));
}

#[tokio::test]
async fn a_full_disk_refuses_the_change_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open(&folder.path().join("parapet.db").display().to_string()).await;
    let Pool::Lite { w, .. } = &db.0.pool else { unreachable!("a file is SQLite") };
    let limit = async |pages: i64| {
        let text = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        w.acquire().await.expect("a connection").execute(text).await.expect("a limit");
    };
    let put = async |name: &str, size: usize| {
        crate::settings::put(&db, name, &"x".repeat(size), Timestamp(0), None).await
    };
    put("before", 1000).await.expect("room");
    limit(1).await; // SQLite takes the present size when that is larger: no room at all.
    let e = put("too large", 1 << 20).await.expect_err("no room");
    assert!(matches!(e, crate::StoreError::DiskFull), "{e}");
    assert!(e.to_string().contains("free space"), "{e}");
    let read = async |name: &str| crate::settings::get::<String>(&db, name).await.expect("readable");
    assert_eq!(read("before").await.map(|v| v.len()), Some(1000), "what was there is there");
    assert_eq!(read("too large").await, None, "nothing of the change was kept");
    limit(1 << 30).await;
    put("too large", 1 << 20).await.expect("room again");
    assert_eq!(read("too large").await.map(|v| v.len()), Some(1 << 20));
}
