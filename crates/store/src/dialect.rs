//! The one place where the two databases differ: connecting, words of the schema, locks, clock.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use model::time::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::db::{Db, Options};
use crate::directories;
use crate::error::StoreError;
use crate::sql::{Pool, Sql, Tx};

/// How long a statement waits for another process's lock on the SQLite file (a backup tool's, say).
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How long a task waits for a connection: every worker may want to commit at once, one after the other.
const WAIT: Duration = Duration::from_secs(60);

/// PostgreSQL only, so not in the registry of statements that both databases know.
const PG_SCHEMA_LOCK: Sql = Sql { name: "PG_SCHEMA_LOCK", text: "SELECT pg_advisory_xact_lock(7264178324)" };
/// PostgreSQL only: the wall clock in milliseconds.
const PG_NOW: Sql = Sql {
    name: "PG_NOW",
    text: "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS now_ms",
};

/// PostgreSQL only: whoever reads it keeps those out who raise it, and not others who read it.
const PG_DIRECTORIES_VERSION: Sql = Sql {
    name: "PG_DIRECTORIES_VERSION",
    text: "SELECT version FROM directories_version WHERE one = 1 FOR SHARE",
};

/// Connects. A SQLite file is locked for this process and looked over first.
pub(crate) async fn connect(address: &str, options: &Options) -> Result<(Pool, Option<File>), StoreError> {
    match file(address)? {
        None => connect_pg(address, options).await.map(|pool| (pool, None)),
        Some(":memory:") => connect_memory().await.map(|pool| (pool, None)),
        Some(path) => connect_file(Path::new(path), options).await,
    }
}

/// The path of a SQLite file that an address names; `None`: it names a PostgreSQL server.
fn file(address: &str) -> Result<Option<&str>, StoreError> {
    if address.starts_with("postgres:") || address.starts_with("postgresql:") {
        return Ok(None);
    }
    if address.is_empty() {
        return Err(StoreError::Address { detail: "it is empty".to_owned() });
    }
    match address.strip_prefix("sqlite:") {
        Some(path) => Ok(Some(path.strip_prefix("//").unwrap_or(path))),
        None if address.contains("://") => {
            // The address may carry a password: only its scheme is repeated.
            let scheme = address.split("://").next().unwrap_or_default();
            Err(StoreError::Address { detail: format!("{scheme} is no database that Parapet knows") })
        }
        None => Ok(Some(address)),
    }
}

/// Connects to a database that is there, to read it. A SQLite file is not locked for this process, so that a server may go
/// on with it.
pub(crate) async fn connect_to_read(address: &str) -> Result<Pool, StoreError> {
    let Some(path) = file(address)? else { return connect_pg(address, &Options::default()).await };
    if !Path::new(path).is_file() {
        return Err(StoreError::Unreachable { detail: format!("{path}: there is no such file") });
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(LOCK_WAIT)
        .pragma("query_only", "1");
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(WAIT);
    let pool = pool.connect_with(options).await.map_err(|e| StoreError::from_sqlx("CONNECT", &e))?;
    Ok(Pool::Lite { w: pool.clone(), r: pool })
}

async fn connect_pg(address: &str, options: &Options) -> Result<Pool, StoreError> {
    let connect = PgConnectOptions::from_str(address)
        // The driver's message may repeat the address and its password.
        .map_err(|_| StoreError::Address { detail: "it is no PostgreSQL address".to_owned() })?
        .application_name("parapet");
    refuse_open_network(&connect)?;
    // The pool would knock again and again until its wait is over; a first knock alone says at once what is wrong.
    let failed = |e: sqlx::Error| StoreError::from_sqlx("CONNECT", &e);
    let first = PgConnection::connect_with(&connect).await.map_err(failed)?;
    first.close().await.map_err(failed)?;
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(2))
        .acquire_timeout(WAIT)
        .connect_with(connect)
        .await
        .map_err(failed)?;
    Ok(Pool::Pg(pool))
}

/// This build speaks no TLS to PostgreSQL. The driver would silently send passwords and findings in the clear where TLS
/// is only preferred, so a server elsewhere is refused unless the address itself says that this is wanted.
fn refuse_open_network(connect: &PgConnectOptions) -> Result<(), StoreError> {
    use sqlx::postgres::PgSslMode;
    let host = connect.get_host();
    let is_local = connect.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let refuse = |detail: &str| Err(StoreError::Address { detail: detail.to_owned() });
    match connect.get_ssl_mode() {
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => refuse(
            "this Parapet has no TLS for PostgreSQL, which the address demands; connect through a socket or a local \
             TLS tunnel",
        ),
        PgSslMode::Allow | PgSslMode::Prefer if !is_local => refuse(
            "the server is on another machine and this Parapet has no TLS for PostgreSQL; connect through a local TLS \
             tunnel, or add sslmode=disable where the network itself is protected",
        ),
        _ => Ok(()),
    }
}

async fn connect_memory() -> Result<Pool, StoreError> {
    // One connection, never closed: the database lives in it.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(WAIT)
        .connect_with(SqliteConnectOptions::new().in_memory(true).foreign_keys(true))
        .await
        .map_err(|e| StoreError::from_sqlx("CONNECT", &e))?;
    Ok(Pool::Lite { w: pool.clone(), r: pool })
}

async fn connect_file(path: &Path, options: &Options) -> Result<(Pool, Option<File>), StoreError> {
    let lock = lock(path)?;
    let at = |e: &sqlx::Error| match StoreError::from_sqlx("CONNECT", e) {
        StoreError::Corrupt { detail, .. } => {
            StoreError::Corrupt { path: path.display().to_string(), detail }
        }
        StoreError::Unreachable { detail } => {
            StoreError::Unreachable { detail: format!("{}: {detail}", path.display()) }
        }
        other => other,
    };
    // The write-ahead log takes its permissions from this file.
    private().open(path).map_err(|e| StoreError::ReadOnly { detail: format!("{}: {e}", path.display()) })?;
    let base = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT);
    if options.check_integrity && path.metadata().is_ok_and(|m| m.len() > 0) {
        check_integrity(path, &base).await?;
    }
    let writer = base
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that was told about is on the disk.
        .synchronous(SqliteSynchronous::Full);
    let pool =
        |options: SqlitePoolOptions| options.idle_timeout(None).max_lifetime(None).acquire_timeout(WAIT);
    let w = pool(SqlitePoolOptions::new().max_connections(1))
        // SQLite itself rolls back when the disk is full; the driver's own ROLLBACK then fails and it counts the
        // transaction as open for ever. Such a connection is replaced, or no change could be stored until a restart.
        .after_release(|c, _| {
            Box::pin(async move {
                c.ping().await?;
                Ok(!c.is_in_transaction())
            })
        })
        .connect_with(writer)
        .await
        .map_err(|e| at(&e))?;
    let r = pool(SqlitePoolOptions::new().max_connections(options.connections.max(1)))
        .connect_with(base.pragma("query_only", "1"))
        .await
        .map_err(|e| at(&e))?;
    Ok((Pool::Lite { w, r }, Some(lock)))
}

/// One process at a time: the lock lives as long as the file handle, also when the process is killed.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::DiskFull,
        std::io::ErrorKind::NotFound => StoreError::Unreachable {
            detail: format!("{}: its folder does not exist; create it or give another path", path.display()),
        },
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { detail: format!("{}: {e}", name.display()) }
        }
        _ => StoreError::Unreachable { detail: format!("{}: {e}", name.display()) },
    };
    let file = private().open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

/// Opens a file for writing that is made, where there is none, for this user only: findings tell where to attack.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Refuses a damaged file before anything is read from it or written to it.
async fn check_integrity(path: &Path, connect: &SqliteConnectOptions) -> Result<(), StoreError> {
    let damaged = |detail: String| StoreError::Corrupt { path: path.display().to_string(), detail };
    let told = |e: &sqlx::Error| match StoreError::from_sqlx("QUICK_CHECK", e) {
        StoreError::Corrupt { detail, .. } => damaged(detail),
        other => other,
    };
    let mut c = SqliteConnection::connect_with(connect).await.map_err(|e| told(&e))?;
    let found: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_all(&mut c).await;
    let closed = c.close().await;
    match found {
        Ok(lines) if lines.iter().all(|l| l == "ok") => closed.map_err(|e| told(&e)),
        Ok(lines) => Err(damaged(lines.join("; "))),
        Err(e) => Err(told(&e)),
    }
}

/// Puts a database's own words into a schema text, and leaves out on PostgreSQL the lines that begin with `{sqlite}`.
pub(crate) fn words(text: &str, postgresql: bool) -> String {
    // On PostgreSQL text sorts by the server's locale unless told otherwise; both databases must page alike.
    let (sortable, bytes) = if postgresql { ("TEXT COLLATE \"C\"", "BYTEA") } else { ("TEXT", "BLOB") };
    let own = |line: &str| match line.strip_prefix("{sqlite} ") {
        Some(_) if postgresql => String::new(),
        stripped => stripped.unwrap_or(line).replace("{text}", sortable).replace("{bytes}", bytes),
    };
    text.lines().map(own).collect::<Vec<_>>().join("\n")
}

/// Keeps two nodes from upgrading at once; ends with the transaction. SQLite has one process anyway.
pub(crate) async fn lock_schema(tx: &mut Tx) -> Result<(), StoreError> {
    if matches!(tx, Tx::Pg(_)) {
        tx.run(PG_SCHEMA_LOCK, Vec::new()).await?;
    }
    Ok(())
}

/// The version of what identity providers know, which does not change until the transaction ends. On SQLite it would not anyway:
/// there one transaction writes at a time.
pub(crate) async fn directories_version(tx: &mut Tx) -> Result<i64, StoreError> {
    let text = if matches!(tx, Tx::Pg(_)) { PG_DIRECTORIES_VERSION } else { directories::VERSION };
    directories::version_in(tx.row(text, Vec::new()).await?.as_ref())
}

/// Makes the audit log one that can only grow.
pub(crate) async fn protect_audit(tx: &mut Tx) -> Result<(), StoreError> {
    let text = if matches!(tx, Tx::Pg(_)) {
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS \
         $body$ BEGIN RAISE EXCEPTION 'the audit log is never changed'; END $body$;
         CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
             FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();"
    } else {
        "CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
             BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
         CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
             BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;"
    };
    tx.script(text).await
}

/// The clock that leases live by: PostgreSQL's own, so that nodes whose clocks differ agree; otherwise the caller's.
pub(crate) async fn lease_clock(db: &Db, now: Timestamp) -> Result<Timestamp, StoreError> {
    #[cfg(feature = "simulation")]
    if let Some(now) = crate::simulation::lease_clock() {
        return Ok(now);
    }
    if !db.0.options.database_clock || matches!(db.0.pool, Pool::Lite { .. }) {
        return Ok(now);
    }
    let rows = db.0.pool.rows(PG_NOW, Vec::new()).await?;
    rows.first().ok_or_else(|| StoreError::unreadable("the database's clock gave no answer"))?.time("now_ms")
}
