//! What can go wrong with the database, each as a sentence that says what to do.

use std::fmt;

/// A refusal or failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was written by a newer Parapet, and says that programs as old as this one cannot work with it.
    #[error(
        "the database has schema version {found}, this Parapet knows versions up to {known}: \
         start the newer Parapet that wrote it, or restore the backup made before the upgrade"
    )]
    NewerSchema {
        /// The database's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// Another process has the SQLite file open.
    #[error(
        "{path} is in use by another Parapet process: stop that process, or use PostgreSQL to run several nodes"
    )]
    InUse {
        /// The database file.
        path: String,
    },
    /// The file is not a SQLite database, or a page of it is damaged.
    #[error(
        "the database {path} is damaged ({detail}): nothing was changed; stop Parapet and restore the latest backup"
    )]
    Corrupt {
        /// The database.
        path: String,
        /// What was found.
        detail: String,
    },
    /// A backup that cannot be written, read or used.
    #[error("the backup cannot be used: {detail}")]
    Backup {
        /// Why, and what to do.
        detail: String,
    },
    /// A backup is only restored into a database of which nothing would be lost.
    #[error(
        "the database is not empty, so nothing was restored into it: give a new file, or an empty PostgreSQL database"
    )]
    NotEmpty,
    /// There is no room left.
    #[error(
        "the disk that holds the database is full: nothing of this change was kept; free space, then try again"
    )]
    DiskFull,
    /// The file or the role may only read.
    #[error(
        "the database cannot be written ({detail}): give Parapet's user write access to it and to its folder"
    )]
    ReadOnly {
        /// The database's own words.
        detail: String,
    },
    /// The key that opens the stored credentials is another one.
    #[error(
        "the sealing key does not fit this database: start Parapet with the key it was created with; \
         without that key the stored credentials cannot be read and every application must be reauthenticated"
    )]
    WrongKey,
    /// A stored credential does not open under the facts it was sealed for.
    #[error(
        "the stored credential was sealed for other addresses, another application or another instance, so it is \
         not used: reauthenticate this application"
    )]
    SealBroken,
    /// The address of the database is not understood.
    #[error(
        "the database address is not understood: {detail}; use sqlite:<path> or postgres://user@host/name"
    )]
    Address {
        /// Why.
        detail: String,
    },
    /// The database did not answer.
    #[error("the database cannot be reached ({detail}): check that it runs and that its address is right")]
    Unreachable {
        /// The driver's words.
        detail: String,
    },
    /// Two changes stood in each other's way, and the database gave this one up.
    #[error("the database gave this change up in favour of another ({detail}): try it again")]
    Contended {
        /// The database's own words.
        detail: String,
    },
    /// What was asked for is not there (any more).
    #[error("{what} does not exist (any more)")]
    NotFound {
        /// What, with its id.
        what: String,
    },
    /// Something with this name or id exists already.
    #[error("{what} exists already")]
    Exists {
        /// What.
        what: String,
    },
    /// A page's address was not made by this list.
    #[error("this page of the list does not exist: start again at its first page")]
    BadCursor,
    /// The lease was lost: expired and closed, cancelled, or fenced by a new credential. Nothing was written.
    #[error("the scan's lease is no longer held, so its result was not stored")]
    Stale,
    /// A stored value is not what this program writes there.
    #[error("the database holds a value that this Parapet cannot read: {detail}")]
    Unreadable {
        /// Which column, and why.
        detail: String,
    },
    /// Anything else the database said. The statement is named, its values are not.
    #[error("the database refused the statement {statement}: {detail}")]
    Sql {
        /// Name of the statement in the registry.
        statement: &'static str,
        /// The driver's words.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same change may well succeed a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::DiskFull | Self::Contended { .. })
    }

    /// Something stored does not exist.
    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::NotFound { what: what.to_string() }
    }

    /// A stored value that cannot be read.
    pub(crate) fn unreadable(detail: impl fmt::Display) -> Self {
        Self::Unreadable { detail: detail.to_string() }
    }

    /// Turns a driver's error into a sentence.
    pub(crate) fn from_sqlx(statement: &'static str, error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(e) => Self::from_database(statement, e.as_ref()),
            sqlx::Error::Io(e) if e.kind() == std::io::ErrorKind::StorageFull => Self::DiskFull,
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unreachable { detail: error.to_string() },
            sqlx::Error::ColumnDecode { index, source } => {
                Self::Unreadable { detail: format!("{statement}, column {index}: {source}") }
            }
            other => Self::Sql { statement, detail: other.to_string() },
        }
    }

    fn from_database(statement: &'static str, e: &dyn sqlx::error::DatabaseError) -> Self {
        let code = e.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
        if e.is_unique_violation() {
            return Self::Exists { what: "an entry with this name or id".to_owned() };
        }
        // SQLite gives its extended result code as a decimal; the low byte is the primary code.
        if e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            let primary = code.parse::<i64>().map_or(0, |c| c & 0xff);
            return match primary {
                8 | 3 => Self::ReadOnly { detail: e.message().to_owned() },
                11 | 26 => Self::Corrupt { path: "file".to_owned(), detail: e.message().to_owned() },
                13 => Self::DiskFull,
                5 | 6 | 10 | 14 => Self::Unreachable { detail: e.message().to_owned() },
                _ => Self::Sql { statement, detail: format!("{} (SQLite {code})", e.message()) },
            };
        }
        match code.as_str() {
            "53100" => Self::DiskFull,
            "40001" | "40P01" => Self::Contended { detail: e.message().to_owned() },
            "25006" | "42501" => Self::ReadOnly { detail: e.message().to_owned() },
            "XX001" | "XX002" => {
                Self::Corrupt { path: "on the PostgreSQL server".to_owned(), detail: e.message().to_owned() }
            }
            c if c.starts_with("08")
                || c.starts_with("28")
                || c.starts_with("3D")
                || c.starts_with("57P") =>
            {
                Self::Unreachable { detail: e.message().to_owned() }
            }
            _ => Self::Sql { statement, detail: format!("{} (PostgreSQL {code})", e.message()) },
        }
    }
}
