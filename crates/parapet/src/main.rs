//! Parapet's one binary: command line, configuration and wiring. Everything else is in the crates it wires.

mod app;
mod backup;
mod check;
mod cli;
mod config;
mod credential;
mod demo;
mod digest;
mod doctor;
mod eval;
mod failure;
mod findings;
mod health;
mod key;
mod metrics;
mod output;
mod progress;
mod renewed;
mod scan;
mod serve;
mod telling;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    // Parsing first: help and usage errors load nothing else.
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Key(command) => key::run(&command),
        Command::Check(command) => runtime(false, check::run(command)),
        Command::Scan(args) => runtime(false, scan::run(args)),
        Command::Findings(command) => runtime(false, findings::run(command)),
        Command::App(command) => runtime(false, app::run(command)),
        Command::Digest(command) => runtime(false, digest::run(command)),
        Command::Backup(args) => runtime(false, backup::back_up(args)),
        Command::Restore(args) => runtime(false, backup::restore(args)),
        Command::Doctor(args) => runtime(false, doctor::run(args)),
        Command::Serve(args) => {
            logging();
            runtime(true, serve::run(args))
        }
        Command::Demo(args) => {
            logging();
            runtime(true, demo::run(args))
        }
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

/// Servers use every core; one-off commands need only one thread.
fn runtime(server: bool, task: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let mut builder = if server {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|e| Failure::usage(format!("The asynchronous runtime cannot start: {e}.")))?;
    runtime.block_on(task)
}

/// Logs go to standard error; `PARAPET_LOG` narrows or widens them (`warn`, `engine=debug`).
fn logging() {
    let filter = wiring::environment("PARAPET_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(&filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let coloured = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured)
        .with_target(true)
        .init();
}
