//! `cargo xtask ci`: every stage that must hold before a change is merged.

use crate::stages::Stages;
use crate::{Result, browser, catalogue, contract, run, setup, tests, tidy, tools};
use std::process::Command;

/// Runs all stages; a failed one is shown and the later ones still run, so one run shows everything.
pub(crate) fn ci() -> Result {
    let mut stages = Stages::default();
    if !stages.stage("setup", setup::setup) {
        return stages.finish_untested();
    }
    stages.stage("fmt", || {
        cargo(&["fmt", "--all", "--check"])?;
        // A workspace of its own.
        cargo(&["fmt", "--manifest-path", "fuzz/libfuzzer/Cargo.toml", "--check"])
    });
    stages.stage("clippy", || {
        cargo(&[
            "clippy",
            "--quiet",
            "--locked",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ])
    });
    stages.stage("rustdoc", || {
        run::run(
            Command::new("cargo").current_dir(tools::root()).env("RUSTDOCFLAGS", "--deny warnings").args([
                "doc",
                "--quiet",
                "--locked",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ]),
        )
    });
    stages.stage("tidy", tidy::tidy);
    stages.stage("catalogue", || catalogue::run(&["check"]));
    stages.stage("contract", || contract::contract(&[]));
    stages.stage("mutate-checks", || catalogue::run(&["mutate-checks"]));
    stages.stage("docs --check", || catalogue::run(&["docs", "--check"]));
    stages.stage("deny (bans, licences, sources)", deny);
    stages.counted("tests on SQLite and PostgreSQL", tests::all);
    stages.counted("documentation tests", tests::doc_tests);
    stages.counted("browser tests", browser::all);
    stages.finish()
}

fn cargo(arguments: &[&str]) -> Result {
    run::run(Command::new("cargo").current_dir(tools::root()).args(arguments))
}

/// Bans, licences and sources; known vulnerabilities change without a commit here and have a command of their own
/// (see `deny.toml`).
fn deny() -> Result {
    let program = tools::installed(tools::program("cargo-deny"), "cargo-deny")?;
    run::run(Command::new(program).current_dir(tools::root()).args([
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}
