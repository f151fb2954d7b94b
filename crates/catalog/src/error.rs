//! Errors of loading: where, what, and what to write instead.

use std::fmt;
use std::path::PathBuf;

/// One mistake in a file of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file, relative to the catalogue's folder for built-in files, else as the operator's configuration leads to it.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for LoadError {
    /// `apps/github/app.toml:12:3: no host `mian`. Did you mean `main`?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, ". {}", self.remedy) }
    }
}

impl std::error::Error for LoadError {}
