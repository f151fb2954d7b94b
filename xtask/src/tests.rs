//! The Rust tests, with the servers they talk to.

use crate::stages::Counts;
use crate::{Result, postgres::Postgres, run, tools};
use std::process::Command;

/// `cargo xtask test [ARGS]`: a private PostgreSQL, then nextest with `ARGS` (default: the whole workspace).
pub(crate) fn test(arguments: &[String]) -> Result {
    let postgres = Postgres::start()?;
    let chosen = arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    let mut command = nextest(&postgres)?;
    if !chosen {
        command.arg("--workspace");
    }
    run::run(command.args(arguments))
}

/// `cargo xtask hostile`: the hostile applications with the budgets of the product, one test after another, with what each
/// behaviour cost. The same table with small budgets is part of every run of the tests.
pub(crate) fn hostile() -> Result {
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).env("PARAPET_HOSTILE_FULL", "1").args([
        "test",
        // Gigabytes are packed and unpacked.
        "--profile",
        "sim",
        "--package",
        "collect",
        "--test",
        "hostile",
        "--",
        "--test-threads",
        "1",
        "--nocapture",
    ]);
    run::run(&mut command)
}

/// `cargo xtask faults`: every application, with every way to authenticate, against every fault, with what came of it. Part of
/// every run of the tests with one way for most faults.
pub(crate) fn faults() -> Result {
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).env("PARAPET_FAULTS_FULL", "1").args([
        "test",
        "--package",
        "collect",
        "--test",
        "it",
        "matrix::",
        "--",
        "--nocapture",
    ]);
    run::run(&mut command)
}

/// `cargo xtask scale [PART] [DATABASE] [small]`: the bench of growth on SQLite and on a PostgreSQL that keeps its promises to the disk.
pub(crate) fn scale(arguments: &[String]) -> Result {
    let postgres = Postgres::start_durable()?;
    let mut command = Command::new("cargo");
    command
        .current_dir(tools::root())
        .args(["bench", "--package", "parapet", "--bench", "scale", "--"])
        .args(arguments)
        .env("PARAPET_TEST_POSTGRES_URL", postgres.url());
    run::run(&mut command)
}

/// The whole workspace, counted.
pub(crate) fn all() -> (Result, Option<Counts>) {
    let attempt = Postgres::start().and_then(|postgres| run::tee(nextest(&postgres)?.arg("--workspace")));
    counted(attempt, "nextest", nextest_counts)
}

/// The examples in documentation comments, counted.
pub(crate) fn doc_tests() -> (Result, Option<Counts>) {
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).args(["test", "--quiet", "--workspace", "--doc"]);
    counted(run::tee(&mut command), "documentation tests", doc_counts)
}

/// Turns a program's output into an outcome and its counts; output that cannot be counted is a failure, so that the
/// total is never a guess.
pub(crate) fn counted(
    attempt: Result<(bool, String)>,
    what: &str,
    count: impl Fn(&str) -> Option<Counts>,
) -> (Result, Option<Counts>) {
    match attempt {
        Err(message) => (Err(message), None),
        Ok((ok, text)) => match count(&text) {
            None => (Err(format!("{what}: the output names no number of tests")), None),
            Some(counts) if ok => (Ok(()), Some(counts)),
            Some(counts) => (Err(format!("{what}: {} failed", counts.failed)), Some(counts)),
        },
    }
}

fn nextest(postgres: &Postgres) -> Result<Command> {
    tools::installed(tools::program("cargo-nextest"), "cargo-nextest")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools::folder().join("bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).map_err(|error| format!("PATH: {error}"))?;
    let mut command = Command::new("cargo");
    command
        .current_dir(tools::root())
        .args(["nextest", "run"])
        .env("PATH", path)
        .env("PARAPET_TEST_POSTGRES_URL", postgres.url())
        // What was set up must be used: with these two a test that lacks its server fails instead of stepping aside.
        .env("PARAPET_TEST_REQUIRE_POSTGRES", "1")
        // For tests that start and stop a server of their own.
        .env("PARAPET_TEST_POSTGRES_PROGRAMS", tools::installed(tools::postgres_folder(), "PostgreSQL")?)
        .env("PARAPET_TEST_PEERS", "1");
    Ok(command)
}

/// `Summary [  12.3s] 412 tests run: 410 passed (1 slow), 2 failed, 3 skipped`.
fn nextest_counts(text: &str) -> Option<Counts> {
    let line = text.lines().rev().find(|line| line.contains("Summary [") && line.contains("run:"))?;
    let numbers = line.split_once("run:")?.1;
    let count = |word: &str| {
        numbers
            .split(',')
            .find(|part| part.contains(word))
            .and_then(|part| part.split_whitespace().next()?.parse().ok())
    };
    let failed = ["failed", "timed out", "exec failed"].iter().filter_map(|word| count(word)).sum();
    Some(Counts { passed: count("passed").unwrap_or(0), failed })
}

/// One `test result: ok. 3 passed; 0 failed; ...` a crate.
fn doc_counts(text: &str) -> Option<Counts> {
    let mut all = None;
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let count = |word: &str| {
            line.split([';', '.'])
                .find(|part| part.trim_end().ends_with(word))?
                .split_whitespace()
                .next()?
                .parse::<u64>()
                .ok()
        };
        let counts: &mut Counts = all.get_or_insert_default();
        counts.passed += count("passed")?;
        counts.failed += count("failed")?;
    }
    all
}

#[cfg(test)]
mod counting {
    use super::*;

    #[test]
    fn nextest_summary_lines_are_read() {
        let read = |line| nextest_counts(line).map(|counts| (counts.passed, counts.failed));
        assert_eq!(read("     Summary [   0.42s] 5 tests run: 5 passed, 0 skipped"), Some((5, 0)));
        assert_eq!(
            read(
                "     Summary [  12.30s] 412/500 tests run: 410 passed (1 slow), 2 failed, 1 timed out, 3 skipped"
            ),
            Some((410, 3))
        );
        assert_eq!(read("error: could not compile"), None);
    }

    #[test]
    fn documentation_test_results_are_summed() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                    test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        assert_eq!(doc_counts(text).map(|counts| (counts.passed, counts.failed)), Some((7, 2)));
        assert!(doc_counts("").is_none());
    }
}
