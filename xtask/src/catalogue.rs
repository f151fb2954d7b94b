//! The commands about the catalogue, handed to a program that has it compiled in.

use crate::{Result, run, tools};
use std::ffi::OsStr;
use std::process::Command;

/// Builds `src/bin/catalogue.rs` and runs it with `arguments`.
pub(crate) fn run(arguments: &[impl AsRef<OsStr>]) -> Result {
    let program =
        ["run", "--quiet", "--package", "xtask", "--features", "catalogue", "--bin", "catalogue", "--"];
    run::run(Command::new("cargo").current_dir(tools::root()).args(program).args(arguments))
}
