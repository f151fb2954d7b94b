//! Findings and outcomes in the formats other tools read. Pure: values to bytes, entry by entry, so that a list of any
//! length is written in the memory of one entry.
//!
//! - [`ocsf`]: one OCSF Compliance Finding (class 2003) a line.
//! - [`sarif`]: one SARIF 2.1.0 log.
//! - [`mod@spreadsheet`], CSV.
//!
//! What could not be judged is written as such, and a scan that is not whole is in every OCSF and SARIF file: as an event
//! of its own, as an invocation that did not succeed. A file without failures is not by itself good news.

mod entry;
pub mod identity;
pub mod ocsf;
pub mod sarif;
pub mod spreadsheet;

pub use entry::{Entry, Execution, Level, Notice, Place, State, Suppression, Tracked};

/// The version of Parapet that wrote a file.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How a list of findings is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, RFC 4180, with a header line.
    Csv,
    /// One JSON array.
    Json,
    /// OCSF, one event a line.
    Ocsf,
    /// One SARIF log.
    Sarif,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Json, Self::Ocsf, Self::Sarif];

    /// The stable word, in addresses and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ocsf => "ocsf",
            Self::Sarif => "sarif",
        }
    }

    /// What a file of it is called after its name: `ocsf.jsonl`.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ocsf => "ocsf.jsonl",
            Self::Sarif => "sarif",
        }
    }

    /// Its media type. SARIF's is registered; lines of JSON have only a customary one.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Ocsf => "application/x-ndjson",
            Self::Sarif => "application/sarif+json",
        }
    }
}
