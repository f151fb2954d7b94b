//! The whole database as one file that either database can be filled from: backup, restore, and the move from SQLite to
//! PostgreSQL.
//!
//! A file holds one consistent state, read while servers go on writing. It is JSON, one row a line, compressed with zstd:
//! first a header with the schema's version, then each table with its columns and rows, last the number of rows, so that a
//! file that was cut is not taken for a whole one. Sealed values stay sealed. Left out is what must not outlive the database
//! it was made in: browser sessions, the token of first set-up, and who is just renewing a sign-in.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::db::Options;
use crate::dialect;
use crate::error::StoreError;
use crate::schema::{self, Kind, Table};
use crate::seal::SealingKey;
use crate::sql::{Arg, Row, Text, Tx};

/// The form of the file. Raised when an older Parapet could not read it.
const FORMAT: u32 = 1;
/// zstd's own default.
const LEVEL: i32 = 3;
/// Binds of one statement: below the least that both databases allow.
const BINDS: usize = 2000;
/// Bytes of one statement's values: snapshots of large applications are megabytes each.
const BYTES: usize = 4 << 20;
/// What is not kept.
const LEFT_OUT: [&str; 3] = ["sessions", "setup", "renewals"];
/// Filled by the schema itself; what the file says takes its place.
const SEEDED: &str = "directories_version";

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Version of the schema it was made from.
    pub schema: i64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Tables with the number of their rows, those without any left out.
    pub tables: Vec<(String, u64)>,
}

impl Contents {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The form, under the word by which such a file is known.
    parapet_backup: u32,
    schema: i64,
    made_at: String,
    /// When the database was created.
    created_at: Option<String>,
    /// The value that tells whether a sealing key fits, sealed.
    key_check: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Table { table: String, columns: Vec<String> },
    Row(Vec<Json>),
    End { end: u64 },
}

/// Writes the state of a database as it is now. Servers may go on working with it; on SQLite too.
///
/// # Errors
/// No such database, one of a newer schema, or that `out` cannot be written. What was written by then is of no use.
pub async fn back_up(address: &str, now: Timestamp, out: impl Write + Send) -> Result<Contents, StoreError> {
    let pool = dialect::connect_to_read(address).await?;
    let mut tx = pool.begin_read().await?;
    let schema = schema::found(&mut tx).await?;
    let tables = schema::tables(schema)?;
    let unwritten = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Backup { detail: format!("it could not be written: {e}") },
    };
    let encoder = zstd::stream::write::Encoder::new(out, LEVEL).map_err(unwritten)?;
    let mut to = BufWriter::with_capacity(256 * 1024, encoder);
    let header = Header {
        parapet_backup: FORMAT,
        schema,
        made_at: now.to_string(),
        created_at: schema::created_at(&mut tx).await?,
        key_check: STANDARD.encode(schema::key_check(&mut tx).await?),
    };
    put(&mut to, &header)?;
    let mut contents = Contents { schema, made_at: now, tables: Vec::new() };
    for table in tables.iter().filter(|table| !LEFT_OUT.contains(&table.name.as_str())) {
        let columns: Vec<String> = table.columns.iter().map(|(name, _)| name.clone()).collect();
        let text = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        put(&mut to, &Line::Table { table: table.name.clone(), columns })?;
        let mut rows = 0;
        let text = Text::once("BACK_UP", AssertSqlSafe(text).into_sql_str());
        tx.each(text, |row| {
            rows += 1;
            put(&mut to, &Line::Row(values(table, &row)?))
        })
        .await?;
        if rows > 0 {
            contents.tables.push((table.name.clone(), rows));
        }
    }
    put(&mut to, &Line::End { end: contents.rows() })?;
    let encoder = to.into_inner().map_err(|e| unwritten(e.into_error()))?;
    encoder.finish().and_then(|mut out| out.flush()).map_err(unwritten)?;
    Ok(contents)
}

/// Fills an empty database, of either kind, and upgrades it: all or nothing.
///
/// # Errors
/// A database that is not empty, a file that is damaged, cut, or from a newer Parapet, a sealing key that does not fit it.
/// Nothing is kept then.
pub async fn restore(
    address: &str,
    key: &SealingKey,
    now: Timestamp,
    from: impl Read,
) -> Result<Contents, StoreError> {
    let decoder = zstd::stream::read::Decoder::new(from).map_err(|e| damaged(&e))?;
    let mut lines =
        Lines { from: BufReader::with_capacity(256 * 1024, decoder), line: Vec::new(), number: 0 };
    let header: Header = lines.next()?;
    if header.parapet_backup > FORMAT {
        return Err(StoreError::Backup {
            detail: "it was made by a newer Parapet: restore it with that one".to_owned(),
        });
    }
    let tables = schema::tables(header.schema)?;
    let check = STANDARD.decode(&header.key_check).map_err(|e| damaged(&e))?;
    schema::fits(key, &check)?;
    let made_at = Timestamp::parse(&header.made_at).ok_or_else(|| lines.wrong("its time cannot be read"))?;

    let (pool, _lock) = dialect::connect(address, &Options::default()).await?;
    let mut tx = pool.begin().await?;
    dialect::lock_schema(&mut tx).await?;
    if schema::begun(&mut tx).await? > 0 {
        return Err(StoreError::NotEmpty);
    }
    schema::raise(&mut tx, 0, header.schema, now).await?;
    schema::keep(&mut tx, header.created_at.as_deref(), check).await?;
    let mut contents = Contents { schema: header.schema, made_at, tables: Vec::new() };
    let mut filling: Option<Filling<'_>> = None;
    loop {
        match lines.next::<Line>()? {
            Line::Table { table: name, columns } => {
                done(filling.take(), &mut tx, &mut contents).await?;
                let table = tables.iter().find(|table| table.name == name);
                let table =
                    table.ok_or_else(|| lines.wrong(format!("it has no table `{name}` in this version")))?;
                if !table.columns.iter().map(|(column, _)| column).eq(&columns) {
                    return Err(lines.wrong(format!("the columns of `{name}` are not those of this version")));
                }
                if name == SEEDED {
                    let text = AssertSqlSafe(format!("DELETE FROM {SEEDED}")).into_sql_str();
                    tx.run(Text::once("RESTORE", text), Vec::new()).await?;
                }
                filling = Some(Filling { table, args: Vec::new(), bytes: 0, rows: 0 });
            }
            Line::Row(values) => {
                let to = filling.as_mut().ok_or_else(|| lines.wrong("a row before any table"))?;
                to.take(values).map_err(|why| lines.wrong(why))?;
                if to.is_full() {
                    to.flush(&mut tx).await?;
                }
            }
            Line::End { end } => {
                done(filling.take(), &mut tx, &mut contents).await?;
                if end != contents.rows() {
                    return Err(
                        lines.wrong(format!("{end} rows were written, {} are there", contents.rows()))
                    );
                }
                break;
            }
        }
    }
    schema::raise(&mut tx, header.schema, schema::NEWEST, now).await?;
    tx.commit().await?;
    pool.close().await;
    Ok(contents)
}

fn damaged(e: &dyn std::fmt::Display) -> StoreError {
    StoreError::Backup { detail: format!("it is damaged or no backup of Parapet ({e}): take another copy") }
}

/// Writes a line.
fn put(to: &mut impl Write, line: &impl Serialize) -> Result<(), StoreError> {
    let failed =
        |e: &dyn std::fmt::Display| StoreError::Backup { detail: format!("it could not be written: {e}") };
    serde_json::to_writer(&mut *to, line).map_err(|e| failed(&e))?;
    to.write_all(b"\n").map_err(|e| failed(&e))
}

/// A row as JSON, in the order of the columns.
fn values(table: &Table, row: &Row) -> Result<Vec<Json>, StoreError> {
    let value = |(at, (_, kind)): (usize, &(String, Kind))| {
        Ok(match kind {
            Kind::Text => row.at::<Option<String>>(at)?.map_or(Json::Null, Json::String),
            Kind::Int => row.at::<Option<i64>>(at)?.map_or(Json::Null, Json::from),
            Kind::Bool => row.at::<Option<bool>>(at)?.map_or(Json::Null, Json::Bool),
            Kind::Bytes => row
                .at::<Option<Vec<u8>>>(at)?
                .map_or(Json::Null, |bytes| Json::String(STANDARD.encode(bytes))),
        })
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// The lines of a file.
struct Lines<R> {
    from: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.line.clear();
        self.number += 1;
        self.from.read_until(b'\n', &mut self.line).map_err(|e| damaged(&e))?;
        if self.line.last() != Some(&b'\n') {
            return Err(self.wrong("it ends before its end"));
        }
        serde_json::from_slice(&self.line).map_err(|e| self.wrong(e.to_string()))
    }

    fn wrong(&self, why: impl std::fmt::Display) -> StoreError {
        damaged(&format_args!("line {}: {why}", self.number))
    }
}

/// A table on its way into the database.
struct Filling<'t> {
    table: &'t Table,
    args: Vec<Arg>,
    bytes: usize,
    rows: u64,
}

impl Filling<'_> {
    fn take(&mut self, values: Vec<Json>) -> Result<(), String> {
        if values.len() != self.table.columns.len() {
            return Err(format!("{} values for {} columns", values.len(), self.table.columns.len()));
        }
        for (value, (name, kind)) in values.into_iter().zip(&self.table.columns) {
            let arg = match (kind, value) {
                (Kind::Text, Json::Null) => Arg::Text(None),
                (Kind::Int, Json::Null) => Arg::Int(None),
                (Kind::Bool, Json::Null) => Arg::Bool(None),
                (Kind::Bytes, Json::Null) => Arg::Bytes(None),
                (Kind::Text, Json::String(text)) => {
                    self.bytes += text.len();
                    Arg::Text(Some(text))
                }
                (Kind::Int, Json::Number(n)) if n.is_i64() => Arg::Int(n.as_i64()),
                (Kind::Bool, Json::Bool(b)) => Arg::Bool(Some(b)),
                (Kind::Bytes, Json::String(text)) => {
                    let bytes = STANDARD.decode(text).map_err(|e| format!("column {name}: {e}"))?;
                    self.bytes += bytes.len();
                    Arg::Bytes(Some(bytes))
                }
                _ => return Err(format!("column {name} has a value of another type")),
            };
            self.args.push(arg);
        }
        self.rows += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.args.len() + self.table.columns.len() > BINDS || self.bytes > BYTES
    }

    async fn flush(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let columns: Vec<&str> = self.table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let rows = self.args.len() / columns.len();
        if rows == 0 {
            return Ok(());
        }
        let one = |row: usize| {
            let binds = (1..=columns.len()).map(|n| format!("${}", row * columns.len() + n));
            format!("({})", binds.collect::<Vec<_>>().join(","))
        };
        let all: Vec<String> = (0..rows).map(one).collect();
        let text =
            format!("INSERT INTO {} ({}) VALUES {}", self.table.name, columns.join(", "), all.join(","));
        let text = Text::once("RESTORE", AssertSqlSafe(text).into_sql_str());
        self.bytes = 0;
        tx.run(text, std::mem::take(&mut self.args)).await.map(drop)
    }
}

/// Ends a table.
async fn done(filling: Option<Filling<'_>>, tx: &mut Tx, contents: &mut Contents) -> Result<(), StoreError> {
    let Some(mut filling) = filling else { return Ok(()) };
    filling.flush(tx).await?;
    if filling.rows > 0 {
        contents.tables.push((filling.table.name.clone(), filling.rows));
    }
    Ok(())
}
