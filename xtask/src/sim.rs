//! `cargo xtask sim`: weeks of virtual time of a fleet from one seed each; and the same with one guard after the other
//! taken out, to see that each is missed. What is simulated is in `crates/engine/src/tests/simulation`.

use crate::{Result, postgres::Postgres, run, tools};
use std::path::Path;
use std::process::Command;

/// What is taken out, and how.
const GUARDS: &str = include_str!("sim/guards.toml");
/// The test that tells seed after seed.
const TEST: &str = "tests::simulation::long::many_seeds";
/// How long a broken build is given to be found out, in seconds, unless told otherwise.
const BUDGET: u64 = 300;

const USAGE: &str = "cargo xtask sim [--hours N] [--seconds N] [--seed S | --from S] [--threads N] [--trace]
                [--database sqlite|postgres] [--broken [PART OF A GUARD'S NAME]]";

#[derive(Default)]
struct Wanted {
    /// Passed on to the simulation by its environment.
    told: Vec<(&'static str, String)>,
    postgres: bool,
    /// Some: take guards out whose names hold this.
    broken: Option<String>,
    seconds: Option<u64>,
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let mut number = |name: &'static str| -> Result<u64> {
            let value = rest.next().ok_or_else(|| format!("{argument} needs a number\n{USAGE}"))?;
            let number = value.parse().map_err(|_| format!("{argument} {value}: not a number\n{USAGE}"))?;
            wanted.told.push((name, value.clone()));
            Ok(number)
        };
        match argument.as_str() {
            "--hours" => {
                number("HOURS")?;
            }
            "--seconds" => wanted.seconds = Some(number("SECONDS")?),
            "--seed" => {
                number("SEED")?;
            }
            "--from" => {
                number("FROM")?;
            }
            "--threads" => {
                number("THREADS")?;
            }
            "--trace" => wanted.told.push(("TRACE", "1".to_owned())),
            "--broken" => {
                let name = rest.next_if(|next| !next.starts_with("--")).cloned();
                wanted.broken = Some(name.unwrap_or_default());
            }
            "--database" => match rest.next().map(String::as_str) {
                Some("sqlite") => {}
                Some("postgres") => wanted.postgres = true,
                _ => return Err(format!("--database is sqlite or postgres\n{USAGE}")),
            },
            other => return Err(format!("{other} is not understood\n{USAGE}")),
        }
    }
    Ok(wanted)
}

/// `cargo xtask sim [ARGS]`.
pub(crate) fn sim(arguments: &[String]) -> Result {
    let wanted = wanted(arguments)?;
    let server = if wanted.postgres { Some(Postgres::start()?) } else { None };
    if let Some(part) = &wanted.broken {
        return broken(&wanted, part, server.as_ref());
    }
    let mut command = simulation(&tools::root(), &tools::target(), server.as_ref());
    for (name, value) in &wanted.told {
        command.env(format!("PARAPET_SIM_{name}"), value);
    }
    run::run(&mut command)
}

/// The simulation of the sources in this folder.
fn simulation(sources: &Path, target: &Path, server: Option<&Postgres>) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(sources)
        .args(["test", "--quiet", "--profile", "sim", "--package", "engine", "--lib", "--"])
        .args(["--ignored", "--exact", TEST, "--nocapture"])
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_TARGET_DIR", target);
    if let Some(server) = server {
        command.env("PARAPET_TEST_POSTGRES_URL", server.url()).env("PARAPET_SIM_DATABASE", "postgres");
    }
    command
}

/// One place of a guard.
struct Change {
    file: String,
    text: String,
    with: String,
}

/// Something that holds a promise.
struct Guard {
    name: String,
    checker: String,
    changes: Vec<Change>,
}

fn guards() -> Result<Vec<Guard>> {
    let table: toml::Table = GUARDS.parse().map_err(|error| format!("guards.toml: {error}"))?;
    let list =
        |of: &toml::Value, name: &str| of.get(name).and_then(|v| v.as_array().cloned()).unwrap_or_default();
    let word = |of: &toml::Value, name: &str| -> Result<String> {
        let text = of.get(name).and_then(|v| v.as_str());
        text.map(str::to_owned).ok_or_else(|| format!("guards.toml: `{name}` is missing in {of}"))
    };
    let change = |of: &toml::Value| {
        Ok(Change { file: word(of, "file")?, text: word(of, "text")?, with: word(of, "with")? })
    };
    let guard = |of: &toml::Value| {
        let changes = list(of, "change").iter().map(change).collect::<Result<_>>()?;
        Ok(Guard { name: word(of, "name")?, checker: word(of, "checker")?, changes })
    };
    list(&toml::Value::Table(table), "guard").iter().map(guard).collect()
}

/// The file with the guard taken out; its text must stand there exactly once.
fn without(change: &Change, text: &str) -> Result<String> {
    match text.matches(&change.text).count() {
        1 => Ok(text.replacen(&change.text, &change.with, 1)),
        count => Err(format!("guards.toml: this stands {count} times in {}: {}", change.file, change.text)),
    }
}

/// How a broken build was found out.
struct Found {
    guard: Guard,
    /// The checker, virtual hours and milliseconds; `None`: not within the budget.
    by: Option<(String, u64, u64)>,
}

/// Takes one guard out after the other and prints what noticed, and how soon.
fn broken(wanted: &Wanted, part: &str, server: Option<&Postgres>) -> Result {
    let copy = tools::target().join("sim-broken");
    copy_sources(&copy)?;
    let seconds = wanted.seconds.unwrap_or(BUDGET);
    let (mut all, mut untold) = (Vec::new(), Vec::new());
    for guard in guards()?.into_iter().filter(|guard| guard.name.contains(part)) {
        println!("\n== without: {}", guard.name);
        for change in &guard.changes {
            // Of the copy: a guard may stand in two places of one file.
            let text = read(&copy.join(&change.file))?;
            write(&copy.join(&change.file), &without(change, &text)?)?;
        }
        // A folder of its own: in one folder cargo takes what was built of the copy for what is built of the sources.
        let mut command = simulation(&copy, &copy.join("target"), server);
        for (name, value) in &wanted.told {
            command.env(format!("PARAPET_SIM_{name}"), value);
        }
        // From the first seed on: those that are kept were chosen for what they found.
        command.env("PARAPET_SIM_FROM", "1").env("PARAPET_SIM_FIRST", "1");
        command.env("PARAPET_SIM_SECONDS", seconds.to_string());
        let (held, output) = run::tee(&mut command)?;
        for change in &guard.changes {
            write(&copy.join(&change.file), &read(&tools::root().join(&change.file))?)?;
        }
        let by = found(&output);
        if by.is_none() && !held {
            untold.push(guard.name);
        } else {
            all.push(Found { guard, by });
        }
    }
    println!("\n{}", table(&all));
    if !untold.is_empty() {
        return Err(format!("nothing could be simulated without: {}", untold.join("; ")));
    }
    let missed: Vec<&str> = all.iter().filter(|f| f.by.is_none()).map(|f| f.guard.name.as_str()).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("nothing noticed: {}", missed.join("; "))) }
}

/// `  StaleCommit: ...` and `  found after 12 virtual hours, 345 ms`.
fn found(output: &str) -> Option<(String, u64, u64)> {
    let mut lines = output.lines().skip_while(|line| !line.contains("VIOLATION seed"));
    // What the program says of its own end may come between.
    let checker = lines.find_map(|line| {
        let (name, _) = line.strip_prefix("  ")?.split_once(": ")?;
        name.chars().all(|c| c.is_ascii_alphabetic()).then(|| name.to_owned())
    })?;
    let numbers = lines.find_map(|line| line.trim().strip_prefix("found after "))?;
    let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    Some((checker, numbers.next()?, numbers.next()?))
}

fn table(all: &[Found]) -> String {
    let mut lines = vec![
        "| without | expected | noticed by | virtual hours | seconds |".to_owned(),
        "|---|---|---|---:|---:|".to_owned(),
    ];
    for Found { guard, by } in all {
        let Guard { name, checker, .. } = guard;
        lines.push(match by {
            None => format!("| {name} | {checker} | nothing | | |"),
            Some((by, hours, ms)) => {
                format!("| {name} | {checker} | {by} | {hours} | {}.{} |", ms / 1000, ms % 1000 / 100)
            }
        });
    }
    lines.join("\n")
}

/// Every file of the sources; what is the same there already is left, so that it is not built again.
fn copy_sources(to: &Path) -> Result {
    let root = tools::root();
    let listed = run::output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "catalog",
        "crates",
        "fuzz",
        "xtask",
    ]))?;
    for path in listed.lines() {
        let (from, to) = (root.join(path), to.join(path));
        // Listed, but deleted.
        if from.exists() && !run::same_content(&from, &to) {
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
            }
            std::fs::copy(&from, &to).map_err(|error| format!("cannot copy {path}: {error}"))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod table_of_guards {
    use super::*;

    #[test]
    fn every_guard_stands_where_it_is_taken_out() {
        let guards = guards().expect("a table");
        assert!(guards.len() > 15);
        let checkers =
            read(&tools::root().join("crates/engine/src/tests/simulation/check.rs")).expect("read");
        for guard in guards {
            assert!(checkers.contains(&format!("    {},\n", guard.checker)), "no checker {}", guard.checker);
            assert!(!guard.changes.is_empty(), "{}", guard.name);
            for change in guard.changes {
                let text = read(&tools::root().join(&change.file)).expect("a source");
                let broken =
                    without(&change, &text).unwrap_or_else(|error| panic!("{}: {error}", guard.name));
                assert_ne!(broken, text, "{}", guard.name);
            }
        }
    }

    #[test]
    fn what_noticed_is_read_from_the_output() {
        let output = "12 h of virtual time\nVIOLATION seed 7 on sqlite, day 0, 01:00, step 9\n\nthread panicked: so\n  BackOff: told\n  again: \
                      cargo xtask sim --seed 7\n  found after 31 virtual hours, 2345 ms\n";
        assert_eq!(found(output), Some(("BackOff".to_owned(), 31, 2345)));
        assert_eq!(found("no violation"), None);
    }
}
