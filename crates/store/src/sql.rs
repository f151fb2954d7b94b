//! The thin layer over the two drivers: one statement type, one argument type, one row type. Everything above is
//! written once. Nothing here knows what the tables mean.

use futures_util::TryStreamExt as _;
use model::time::Timestamp;
use model::value::storable;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Decode, Encode, Postgres, Row as _, SqlSafeStr as _, SqlStr, Sqlite,
    Transaction, Type,
};

use crate::error::StoreError;
#[cfg(feature = "simulation")]
use crate::simulation;

mod text;
pub(crate) use text::{Batch, Select, like};

/// A statement of the registry: the same text for both databases, `$1` binds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    /// For errors and the registry.
    pub(crate) name: &'static str,
    /// The text.
    pub(crate) text: &'static str,
}

/// Declares statements as constants and lists them all, so that a test can prepare each on both databases.
macro_rules! statements {
    ($($name:ident = $text:expr;)*) => {
        $(pub(crate) const $name: $crate::sql::Sql = $crate::sql::Sql { name: stringify!($name), text: $text };)*
        /// Every statement of this module, for the test that prepares them on both databases.
        #[allow(dead_code, reason = "read by the test that prepares every statement")]
        pub(crate) const ALL: &[$crate::sql::Sql] = &[$($name),*];
    };
}
pub(crate) use statements;

/// One bound value.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! arg_from {
    ($($t:ty => |$v:ident| $arg:expr;)*) => {$(
        impl From<$t> for Arg {
            fn from($v: $t) -> Self {
                $arg
            }
        }
    )*};
}
arg_from! {
    &str => |v| Self::Text(Some(v.to_owned()));
    String => |v| Self::Text(Some(v));
    &String => |v| Self::Text(Some(v.clone()));
    Option<String> => |v| Self::Text(v);
    Option<&str> => |v| Self::Text(v.map(str::to_owned));
    i64 => |v| Self::Int(Some(v));
    Option<i64> => |v| Self::Int(v);
    u32 => |v| Self::Int(Some(i64::from(v)));
    bool => |v| Self::Bool(Some(v));
    Option<bool> => |v| Self::Bool(v);
    Vec<u8> => |v| Self::Bytes(Some(v));
    Timestamp => |v| Self::Int(Some(v.0));
    Option<Timestamp> => |v| Self::Int(v.map(|t| t.0));
    model::time::Duration => |v| Self::Int(Some(v.0));
    &model::id::AppId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::InstanceId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::RunId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::CheckId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::FindingId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::OwnerId => |v| Self::Text(Some(v.as_str().to_owned()));
    &model::id::OperatorId => |v| Self::Text(Some(v.as_str().to_owned()));
    Option<&model::id::OwnerId> => |v| Self::Text(v.map(|i| i.as_str().to_owned()));
    Option<&model::id::OperatorId> => |v| Self::Text(v.map(|i| i.as_str().to_owned()));
    Option<&model::id::InstanceId> => |v| Self::Text(v.map(|i| i.as_str().to_owned()));
    Option<&model::id::RunId> => |v| Self::Text(v.map(|i| i.as_str().to_owned()));
    model::scan::ScanKind => |v| Self::Text(Some(v.as_str().to_owned()));
}

/// Binds, in order.
macro_rules! args {
    ($($v:expr),* $(,)?) => { vec![$($crate::sql::Arg::from($v)),*] };
}
pub(crate) use args;

fn bound<DB: sqlx::Database>(statement: &'static str, args: Vec<Arg>) -> Result<DB::Arguments, StoreError>
where
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    Option<bool>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
{
    let mut out = DB::Arguments::default();
    out.reserve(args.len(), 0);
    for arg in args {
        match arg {
            Arg::Text(v) => out.add(v.map(|text| storable(text).into_owned())),
            Arg::Int(v) => out.add(v),
            Arg::Bool(v) => out.add(v),
            Arg::Bytes(v) => out.add(v),
        }
        .map_err(|e| StoreError::Sql { statement, detail: e.to_string() })?;
    }
    Ok(out)
}

/// What a column may be read as, on both databases.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}
impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

/// One row of an answer.
pub(crate) enum Row {
    Lite(SqliteRow),
    Pg(PgRow),
}

impl Row {
    /// A column by name.
    pub(crate) fn get<T: Column>(&self, column: &'static str) -> Result<T, StoreError> {
        match self {
            Self::Lite(r) => r.try_get::<T, _>(column),
            Self::Pg(r) => r.try_get::<T, _>(column),
        }
        .map_err(|e| StoreError::unreadable(format_args!("column {column}: {e}")))
    }

    /// A column by its position.
    pub(crate) fn at<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        match self {
            Self::Lite(r) => r.try_get::<T, _>(column),
            Self::Pg(r) => r.try_get::<T, _>(column),
        }
        .map_err(|e| StoreError::unreadable(format_args!("column {column}: {e}")))
    }

    /// An instant.
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(self.get::<i64>(column)?))
    }

    /// An instant that may be missing.
    pub(crate) fn time_opt(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp))
    }

    /// A count; never negative in the tables.
    pub(crate) fn count<N: TryFrom<i64>>(&self, column: &'static str) -> Result<N, StoreError> {
        let n = self.get::<i64>(column)?;
        N::try_from(n)
            .map_err(|_| StoreError::unreadable(format_args!("column {column}: {n} is out of range")))
    }

    /// An id of any kind.
    pub(crate) fn id<I: From<String>>(&self, column: &'static str) -> Result<I, StoreError> {
        Ok(I::from(self.get::<String>(column)?))
    }

    /// An id of any kind that may be missing.
    pub(crate) fn id_opt<I: From<String>>(&self, column: &'static str) -> Result<Option<I>, StoreError> {
        Ok(self.get::<Option<String>>(column)?.map(I::from))
    }

    /// JSON text as a type.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        from_json(column, &self.get::<String>(column)?)
    }

    /// JSON text that may be missing.
    pub(crate) fn json_opt<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.get::<Option<String>>(column)?.map(|text| from_json(column, &text)).transpose()
    }

    /// A stable word as a type.
    pub(crate) fn word<T>(
        &self,
        column: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text = self.get::<String>(column)?;
        parse(&text)
            .ok_or_else(|| StoreError::unreadable(format_args!("column {column}: unknown word {text:?}")))
    }

    /// A stable word that may be missing.
    pub(crate) fn word_opt<T>(
        &self,
        column: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.get::<Option<String>>(column)? {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or_else(|| {
                StoreError::unreadable(format_args!("column {column}: unknown word {text:?}"))
            }),
        }
    }
}

fn from_json<T: serde::de::DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::unreadable(format_args!("column {column}: {e}")))
}

/// A type as JSON text.
pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::unreadable(format_args!("a value to store: {e}")))
}

/// The connections. SQLite has one writer and several readers; PostgreSQL one pool.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Lite { w: SqlitePool, r: SqlitePool },
    Pg(PgPool),
}

/// Expands the same body for each driver: `$c` is the connection, `$driver` the sqlx marker type, `$row` wraps a row.
macro_rules! per_driver {
    ($link:expr, |$c:ident, $driver:ident, $row:ident| $body:block) => {
        match $link {
            Link::Lite($c) => {
                type $driver = Sqlite;
                use Row::Lite as $row;
                $body
            }
            Link::Pg($c) => {
                type $driver = Postgres;
                use Row::Pg as $row;
                $body
            }
        }
    };
}

enum Link<'a> {
    Lite(&'a mut SqliteConnection),
    Pg(&'a mut PgConnection),
}

impl Link<'_> {
    async fn fetch(self, text: Text, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        #[cfg(feature = "simulation")]
        let _waiting = simulation::waiting().await;
        per_driver!(self, |c, D, R| {
            let query =
                sqlx::query_with::<D, _>(text.text, bound::<D>(text.name, args)?).persistent(text.keep);
            let rows = query.fetch_all(c).await.map_err(|e| StoreError::from_sqlx(text.name, &e))?;
            Ok(rows.into_iter().map(R).collect())
        })
    }

    async fn execute(self, text: Text, args: Vec<Arg>) -> Result<u64, StoreError> {
        #[cfg(feature = "simulation")]
        let _waiting = simulation::waiting().await;
        per_driver!(self, |c, D, R| {
            // The row type is not needed here; naming it keeps one macro for both shapes.
            let _: fn(_) -> Row = R;
            let query =
                sqlx::query_with::<D, _>(text.text, bound::<D>(text.name, args)?).persistent(text.keep);
            Ok(query.execute(c).await.map_err(|e| StoreError::from_sqlx(text.name, &e))?.rows_affected())
        })
    }
}

/// A statement ready for the driver: from the registry, or put together from fixed fragments.
pub(crate) struct Text {
    name: &'static str,
    text: SqlStr,
    keep: bool,
}

impl From<Sql> for Text {
    fn from(sql: Sql) -> Self {
        Self { name: sql.name, text: sql.text.into_sql_str(), keep: true }
    }
}

impl Text {
    /// A statement that is put together for one time.
    pub(crate) fn once(name: &'static str, text: SqlStr) -> Self {
        Self { name, text, keep: false }
    }
}

/// A connection that may fail before it is used, and is waited for.
#[cfg(feature = "simulation")]
async fn begun() -> Result<simulation::Waiting, StoreError> {
    simulation::turn().await;
    simulation::fails(simulation::Place::Before)?;
    Ok(simulation::waiting().await)
}

impl Pool {
    /// Begins a transaction that sees the database as it is now, whatever is written meanwhile.
    pub(crate) async fn begin_read(&self) -> Result<Tx, StoreError> {
        let failed = |e: sqlx::Error| StoreError::from_sqlx("BEGIN", &e);
        Ok(match self {
            Self::Lite { r, .. } => Tx::Lite(r.begin().await.map_err(failed)?),
            Self::Pg(p) => {
                Tx::Pg(p.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed)?)
            }
        })
    }

    /// Closes the connections; SQLite's write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        match self {
            Self::Lite { w, r } => {
                r.close().await;
                w.close().await;
            }
            Self::Pg(p) => p.close().await,
        }
    }

    /// Reads outside a transaction.
    pub(crate) async fn rows(&self, text: impl Into<Text>, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let text = text.into();
        let name = text.name;
        #[cfg(feature = "simulation")]
        let _waiting = begun().await?;
        match self {
            Self::Lite { r, .. } => {
                let mut c = r.acquire().await.map_err(|e| StoreError::from_sqlx(name, &e))?;
                Link::Lite(&mut c).fetch(text, args).await
            }
            Self::Pg(p) => {
                let mut c = p.acquire().await.map_err(|e| StoreError::from_sqlx(name, &e))?;
                Link::Pg(&mut c).fetch(text, args).await
            }
        }
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let failed = |e: sqlx::Error| StoreError::from_sqlx("BEGIN", &e);
        #[cfg(feature = "simulation")]
        let _waiting = begun().await?;
        Ok(match self {
            // IMMEDIATE: the write lock is taken here, so that no later statement of it can fail as busy.
            Self::Lite { w, .. } => Tx::Lite(w.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?),
            Self::Pg(p) => Tx::Pg(p.begin().await.map_err(failed)?),
        })
    }
}

/// One transaction that writes. Dropped without [`Tx::commit`] it is rolled back.
pub(crate) enum Tx {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

impl Tx {
    fn link(&mut self) -> Link<'_> {
        match self {
            Self::Lite(t) => Link::Lite(t),
            Self::Pg(t) => Link::Pg(t),
        }
    }

    /// Runs several statements of the schema, without binds.
    pub(crate) async fn script(&mut self, text: &'static str) -> Result<(), StoreError> {
        let text = crate::dialect::words(text, matches!(self, Self::Pg(_)));
        let done = match self.link() {
            Link::Lite(c) => sqlx::raw_sql(AssertSqlSafe(text)).execute(c).await.map(drop),
            Link::Pg(c) => sqlx::raw_sql(AssertSqlSafe(text)).execute(c).await.map(drop),
        };
        done.map_err(|e| StoreError::from_sqlx("SCHEMA", &e))
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn run(&mut self, text: impl Into<Text>, args: Vec<Arg>) -> Result<u64, StoreError> {
        self.link().execute(text.into(), args).await
    }

    /// Runs a statement that answers with rows.
    pub(crate) async fn rows(
        &mut self,
        text: impl Into<Text>,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        self.link().fetch(text.into(), args).await
    }

    /// Runs a statement without binds that may answer with more rows than memory holds: one after the other.
    pub(crate) async fn each(
        &mut self,
        text: Text,
        mut take: impl FnMut(Row) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        per_driver!(self.link(), |c, D, R| {
            let query = sqlx::query_with::<D, _>(text.text, bound::<D>(text.name, Vec::new())?);
            let mut rows = query.persistent(text.keep).fetch(c);
            while let Some(row) = rows.try_next().await.map_err(|e| StoreError::from_sqlx(text.name, &e))? {
                take(R(row))?;
            }
            Ok(())
        })
    }

    /// Runs a statement that answers with one row or none.
    pub(crate) async fn row(
        &mut self,
        text: impl Into<Text>,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(text, args).await?.into_iter().next())
    }

    /// Several rows in few statements: `insert.head` + rows of binds + `insert.tail`.
    pub(crate) async fn insert_many(
        &mut self,
        insert: Batch,
        rows: Vec<Vec<Arg>>,
    ) -> Result<u64, StoreError> {
        let per = insert.rows_per_statement();
        let mut changed = 0;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Vec<Arg>> = rows.by_ref().take(per).collect();
            let full = chunk.len() == per;
            let text = insert.text(chunk.len(), matches!(self, Self::Pg(_)));
            // Only full batches recur; others would push useful statements out of the cache.
            let text = Text { name: insert.name, text: AssertSqlSafe(text).into_sql_str(), keep: full };
            changed += self.run(text, chunk.into_iter().flatten().collect()).await?;
        }
        Ok(changed)
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        #[cfg(feature = "simulation")]
        let waiting = simulation::committing().await;
        match self {
            Self::Lite(t) => t.commit().await,
            Self::Pg(t) => t.commit().await,
        }
        .map_err(|e| StoreError::from_sqlx("COMMIT", &e))?;
        #[cfg(feature = "simulation")]
        {
            drop(waiting);
            drop(simulation::waiting().await);
            simulation::fails(simulation::Place::Committed)?;
        }
        Ok(())
    }
}
