//! `cargo xtask setup`: what the tests need beyond Rust, installed once and quick to find again.

use crate::stages::Stages;
use crate::{Result, run, tools};
use std::path::Path;
use std::process::Command;

/// Cargo's own tools, with the version that CI was written for; a newer one on PATH serves as well.
const CARGO_TOOLS: [(&str, &str); 2] = [("cargo-nextest", "0.9.143"), ("cargo-deny", "0.20.2")];

/// Installs what is missing, step by step, and says how long each step took.
pub(crate) fn setup() -> Result {
    let mut stages = Stages::default();
    stages.stage("system packages (PostgreSQL, Chromium, npm, Python, Glewlwyd, syslog-ng)", system_packages);
    for (name, version) in CARGO_TOOLS {
        stages.stage(&format!("{name} {version}"), || cargo_tool(name, version));
    }
    stages.stage("npm packages of e2e/package-lock.json", npm_packages);
    stages.stage("Python packages of e2e/requirements.txt", python_packages);
    stages.finish_untested()
}

/// Debian's packages that are missing, in one call of apt-get.
fn system_packages() -> Result {
    let mut missing = Vec::new();
    let mut need = |present: bool, package: &'static str| {
        if !present {
            missing.push(package);
        }
    };
    need(tools::postgres_folder().is_some(), "postgresql");
    need(tools::chromium().is_some(), "chromium");
    need(tools::program("npm").is_some(), "npm");
    need(tools::program("python3").is_some(), "python3");
    let venv = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    need(venv.is_ok_and(|out| out.status.success()), "python3-venv");
    need(tools::program("setpriv").is_some(), "util-linux");
    need(tools::program("glewlwyd").is_some(), "glewlwyd");
    // Without a database of its own the packaged service does not start: it would listen on every address with a
    // published password.
    let glewlwyd = tools::program("glewlwyd").is_some();
    need(glewlwyd, "dbconfig-no-thanks");
    need(std::path::Path::new("/usr/sbin/syslog-ng").is_file(), "syslog-ng-core");
    need(tools::program("openssl").is_some(), "openssl");
    if missing.is_empty() {
        println!("present");
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    let remedy = format!("install by hand: apt-get install {}", missing.join(" "));
    if tools::program("apt-get").is_none() {
        return Err(format!("this machine has no apt-get; {remedy} (or what your system calls them)"));
    }
    let root = run::output(Command::new("id").arg("-u"))?.trim() == "0";
    let apt = |arguments: &[&str]| {
        let mut command = as_root(root, "apt-get");
        run::run(command.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-y"]).args(arguments))
    };
    // Its package fails to configure itself without a database, and without the folder of a configuration.
    let unconfigured = || {
        if glewlwyd {
            return Ok(());
        }
        run::run(as_root(root, "mkdir").args(["-p", "/etc/glewlwyd"]))?;
        let answer = "glewlwyd glewlwyd/config_type select No configuration";
        run::input(&mut as_root(root, "debconf-set-selections"), answer)
    };
    apt(&["update"])
        .and_then(|()| unconfigured())
        .and_then(|()| apt(&[&["install", "--no-install-recommends"], missing.as_slice()].concat()))
        .map_err(|error| format!("{error}; {remedy}"))
}

/// A program that only the administrator may run.
fn as_root(root: bool, program: &str) -> Command {
    let mut command = Command::new(if root { program } else { "sudo" });
    if !root {
        command.args(["-n", program]);
    }
    command
}

/// A Cargo subcommand, taken from PATH when it is new enough, else built into `.tools/`.
fn cargo_tool(name: &str, wanted: &str) -> Result {
    if let Some(found) = tools::program(name) {
        // Cargo subcommands take their own name as first argument.
        let subcommand = name.trim_start_matches("cargo-");
        let version = run::output(Command::new(&found).args([subcommand, "--version"]))
            .or_else(|_| run::output(Command::new(&found).arg("--version")))?;
        if version.split_whitespace().nth(1).is_some_and(|found| at_least(found, wanted)) {
            println!("present: {}", found.display());
            return Ok(());
        }
    }
    println!("building; this takes some minutes");
    let built = run::run(
        Command::new("cargo")
            .current_dir(tools::root())
            // It runs for seconds, so it is built fast rather than to be fast.
            .envs([("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"), ("CARGO_PROFILE_RELEASE_LTO", "off")])
            .envs([("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"), ("CARGO_PROFILE_RELEASE_DEBUG", "0")])
            .args(["install", "--quiet", "--locked", "--force", "--version", wanted, "--root"])
            .arg(tools::folder())
            .arg("--target-dir")
            .arg(tools::folder().join("build"))
            .arg(name),
    );
    // Only the program is kept: the build folder is several times its size.
    let _ = std::fs::remove_dir_all(tools::folder().join("build"));
    built.map_err(|error| format!("{error}; try `cargo install --locked {name}@{wanted}`"))
}

/// Whether dotted version `found` is `wanted` or newer.
fn at_least(found: &str, wanted: &str) -> bool {
    let parts =
        |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u64>>();
    parts(found) >= parts(wanted)
}

/// The browser test's and the peers' packages, exactly as locked.
fn npm_packages() -> Result {
    let e2e = tools::root().join("e2e");
    once_for(&e2e.join("package-lock.json"), &e2e.join("node_modules/.installed-from"), || {
        run::run(Command::new("npm").current_dir(&e2e).args(["ci", "--silent"]))
            .map_err(|error| format!("{error}; npm must reach its registry (see `npm config get registry`)"))
    })
}

/// The virtual environment of Canaille and of what judges exported files, exactly as pinned: nothing is resolved.
fn python_packages() -> Result {
    let requirements = tools::root().join("e2e/requirements.txt");
    let folder = tools::folder().join("py");
    once_for(&requirements, &folder.join(".installed-from"), || {
        run::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run::run(
            Command::new(tools::python())
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"])
                .arg(&requirements),
        )
        .map_err(|error| format!("{error}; pip must reach its index (see `pip config list`)"))
    })
}

/// Does `work` unless `stamp` says it was done for exactly this `source`.
fn once_for(source: &Path, stamp: &Path, work: impl FnOnce() -> Result) -> Result {
    if run::same_content(source, stamp) {
        println!("present");
        return Ok(());
    }
    work()?;
    std::fs::copy(source, stamp)
        .map(drop)
        .map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

#[cfg(test)]
mod versions {
    use super::at_least;

    #[test]
    fn newer_serves_and_older_does_not() {
        assert!(at_least("0.9.143", "0.9.143"));
        assert!(at_least("0.10.0", "0.9.143"));
        assert!(!at_least("0.9.99", "0.9.143"));
        assert!(!at_least("unknown", "0.9.143"));
    }
}
