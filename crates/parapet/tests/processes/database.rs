//! The database under a server, looked at from outside.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};

/// Where a test keeps its data.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    /// A SQLite file on a file system that only the server sees: it is looked at by a copy. Good as long as the log is too
    /// short to be copied into the file.
    Copied(PathBuf),
    Postgresql(String),
}

/// The rows of an answer, each column as text; nothing where there is no value.
pub(crate) type Rows = Vec<Vec<String>>;

/// Runs the text on a connection of its own and writes down what it answers.
macro_rules! rows {
    ($connection:expr, $text:expr) => {{
        let mut connection = $connection;
        let query = sqlx::raw_sql(AssertSqlSafe($text));
        let rows = connection.fetch_all(query).await.unwrap_or_else(|e| panic!("{}: {e}", $text));
        connection.close().await.expect("it closes");
        let text = |row: &_, at| column(row, at);
        rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
    }};
}

fn column<R: sqlx::Row>(row: &R, at: usize) -> String
where
    usize: sqlx::ColumnIndex<R>,
    Option<String>: for<'r> sqlx::Decode<'r, R::Database>,
{
    row.try_get_unchecked::<Option<String>, _>(at).expect("text").unwrap_or_default()
}

impl Database {
    /// A schema of its own on the server that the environment names. `None`: none was named, and none is required.
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
    pub(crate) async fn postgresql() -> Option<Self> {
        let Ok(url) = std::env::var("PARAPET_TEST_POSTGRES_URL") else {
            assert!(
                std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
                "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
            );
            eprintln!("PostgreSQL tests not run: PARAPET_TEST_POSTGRES_URL is not set");
            return None;
        };
        Some(Self::schema_at(&url).await)
    }

    /// A schema of its own on that server.
    pub(crate) async fn schema_at(url: &str) -> Self {
        static N: AtomicU64 = AtomicU64::new(0);
        let schema = format!("p_{}_{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(url).await.expect("PostgreSQL");
        let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        admin.execute(AssertSqlSafe(create)).await.expect("a schema");
        let sep = if url.contains('?') { '&' } else { '?' };
        Self::Postgresql(format!("{url}{sep}options=-c%20search_path%3D{schema}"))
    }

    /// As it is written into the configuration.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqlite(path) | Self::Copied(path) => format!("sqlite:{}", path.display()),
            Self::Postgresql(url) => url.clone(),
        }
    }

    async fn lite(path: &PathBuf, query_only: bool) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(10))
            .pragma("query_only", if query_only { "1" } else { "0" });
        SqliteConnection::connect_with(&options).await.expect("the file opens")
    }

    /// What a question answers.
    pub(crate) async fn ask(&self, text: &str) -> Rows {
        match self {
            Self::Sqlite(path) => rows!(Self::lite(path, true).await, text.to_owned()),
            Self::Copied(path) => {
                let folder = tempfile::tempdir().expect("a folder");
                let copy = folder.path().join("copy.db");
                std::fs::copy(path, &copy).expect("copied");
                std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).expect("copied");
                rows!(Self::lite(&copy, true).await, text.to_owned())
            }
            Self::Postgresql(url) => {
                rows!(PgConnection::connect(url).await.expect("PostgreSQL"), text.to_owned())
            }
        }
    }

    /// Changes something.
    pub(crate) async fn change(&self, text: &str) {
        let _: Rows = match self {
            Self::Sqlite(path) => rows!(Self::lite(path, false).await, text.to_owned()),
            Self::Copied(_) => panic!("a copy"),
            Self::Postgresql(url) => {
                rows!(PgConnection::connect(url).await.expect("PostgreSQL"), text.to_owned())
            }
        };
    }

    /// One number.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        let rows = self.ask(text).await;
        let value = rows.first().and_then(|row| row.first()).unwrap_or_else(|| panic!("no answer: {text}"));
        value.parse().unwrap_or_else(|_| panic!("{value:?} is no number: {text}"))
    }

    /// Wants every scan now, as Scan now does, and lets nodes that run look afresh.
    pub(crate) async fn want_all(&self) {
        let now = now();
        self.change(&format!("UPDATE scans SET wanted_at = {now}")).await;
        self.wake().await;
    }

    /// Tells running nodes to look at everything afresh: a note that none of them understands does.
    pub(crate) async fn wake(&self) {
        if let Self::Postgresql(_) = self {
            self.ask("SELECT CAST(pg_notify('parapet_' || current_schema(), '?') AS TEXT)").await;
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    use collect::Clock as _;
    engine::clock::SystemClock.now().0
}
