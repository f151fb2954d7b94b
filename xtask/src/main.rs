//! The project's own build tool; `cargo xtask` lists its commands.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool reports on its console")]
#![expect(
    clippy::disallowed_methods,
    reason = "a build tool measures its stages and reads its own environment"
)]

mod browser;
mod catalogue;
mod ci;
mod contract;
mod crash;
mod fuzz;
mod peers;
mod postgres;
mod run;
mod setup;
mod sim;
mod stages;
mod tests;
mod tidy;
mod tools;

use std::process::ExitCode;

/// What went wrong, as a sentence with its remedy.
type Result<T = ()> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask COMMAND

  setup               install what the tests need: PostgreSQL, Chromium, cargo-nextest, cargo-deny, pinned packages
  ci                  everything CI runs, in stages: setup, fmt, clippy, tidy, tests on SQLite and PostgreSQL,
                      documentation tests, catalogue, docs, browser tests, deny
  test [ARGS]         start a private PostgreSQL, then `cargo nextest run --workspace ARGS`
  tidy                the rules of the source tree: crate directions, SQL, names, sizes, links, words
  browser [FILES]     the browser tests of e2e/ against a built server
  screenshots         write the pages' pictures to docs/screenshots
  docs [--check]      write the documents rendered from the catalogue, or compare them with what is committed
  mutate-checks       change every check a little and ask that an example notices
  new-app ID          the skeleton of an application, which passes as written
  new-check APP/NAME DATASET
                      the skeleton of a check, which passes as written
  contract            prove every request and field of every application by the vendors' descriptions, offline
  contract APP [--from FILE-OR-FOLDER]
                      cut the facts about one application anew (downloads the pinned package without --from)
  contract --list APP everything an application asks, and how each is known
  crash [--times N] [--seed S] [--database sqlite|postgresql]
                      kill servers at random moments, 200 times on each database, and look at what is stored
  scale [growth|window|hour|year|report] [sqlite|postgresql] [small]
                      grow a database to 10,000 instances, run a server on it, live through a year; writes docs/scale
  faults              every application against every fault of a server: runs, requests, and the causes that are told
  hostile             hostile applications with the product's own budgets: bytes, requests, memory and time of each
  fuzz [--seconds N] [--target T [--input FILE]]
                      every target of fuzz/ by libFuzzer, guided by coverage (a minute each); with FILE that input alone
  sim [--hours N] [--seconds N] [--seed S | --from S] [--threads N] [--database sqlite|postgres] [--trace]
                      weeks of a fleet in virtual time, from seeds, with everything that goes wrong; see docs/simulation.md
  sim --broken [PART] the same without one guard after the other, to see that each is missed
  peers               start every server the tests talk to once, and stop it
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) =
        arguments.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let outcome = match command {
        "setup" => setup::setup(),
        "ci" => ci::ci(),
        "test" => tests::test(rest),
        "tidy" => tidy::tidy(),
        "browser" => browser::browser(rest),
        "screenshots" => browser::screenshots(),
        "docs" | "mutate-checks" | "new-app" | "new-check" => catalogue::run(&arguments),
        "scale" => tests::scale(rest),
        "faults" => tests::faults(),
        "hostile" => tests::hostile(),
        "fuzz" => fuzz::fuzz(rest),
        "contract" => contract::contract(rest),
        "crash" => crash::crash(rest),
        "peers" => peers::peers(),
        "sim" => sim::sim(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command '{other}'\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
