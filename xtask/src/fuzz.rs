//! `cargo xtask fuzz`: every target of `fuzz/` by libFuzzer, guided by coverage.
//!
//! The pinned toolchain suffices: LLVM's counters are a code generation option, and no sanitizer is used, since the
//! project's own code cannot be unsafe. The counters are in every crate of the program, dependencies included.

use crate::stages::seconds;
use crate::{Result, run, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Seconds a target is tried, unless told otherwise.
const SECONDS: u64 = 60;
/// Bytes of an input at most, and of memory in MiB, and seconds for one input: more is a finding.
const LONGEST: &str = "-max_len=4096";
const MEMORY: &str = "-rss_limit_mb=2048";
const SLOWEST: &str = "-timeout=20";

/// What cargo-fuzz gives the compiler, without a sanitizer.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    --cfg fuzzing";

struct Wanted {
    seconds: u64,
    target: Option<String>,
    input: Option<PathBuf>,
}

/// `cargo xtask fuzz [--seconds N] [--target T [--input FILE]]`.
pub(crate) fn fuzz(arguments: &[String]) -> Result {
    let wanted = wanted(arguments)?;
    let targets: Vec<String> =
        targets()?.into_iter().filter(|name| wanted.target.as_ref().is_none_or(|t| t == name)).collect();
    if targets.is_empty() {
        return Err(format!("no target '{}' in fuzz/corpus", wanted.target.unwrap_or_default()));
    }
    let program = build()?;
    if let Some(input) = wanted.input {
        return run::run(command(&program, &targets[0]).arg(input));
    }
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for name in &targets {
        println!("\n== {name}, {} s", wanted.seconds);
        match one(&program, name, wanted.seconds) {
            Ok(figures) => lines.push(figures.line(name)),
            Err(message) => {
                println!("{message}");
                failed.push(name.as_str());
            }
        }
    }
    println!(
        "\n{:>16}  {:>7}  {:>10}  {:>9}  {:>8}  {:>8}  {:>14}  {:>6}",
        "target", "time", "inputs", "a second", "places", "features", "corpus", "MiB"
    );
    lines.iter().for_each(|line| println!("{line}"));
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in: {}", failed.join(", "))) }
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted { seconds: SECONDS, target: None, input: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--seconds" => {
                wanted.seconds = value.parse().map_err(|_| format!("{value} is no number of seconds"))?;
            }
            "--target" => wanted.target = Some(value.clone()),
            "--input" => {
                wanted.input = Some(std::path::absolute(value).map_err(|e| format!("{value}: {e}"))?)
            }
            other => return Err(format!("no option '{other}': --seconds N, --target T, --input FILE")),
        }
    }
    if wanted.input.is_some() && wanted.target.is_none() {
        return Err("--input needs --target".to_owned());
    }
    Ok(wanted)
}

/// The names of all targets, which are those of the folders of the corpus; a test holds them together.
fn targets() -> Result<Vec<String>> {
    let folder = tools::root().join("fuzz/corpus");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn build() -> Result<PathBuf> {
    let host = run::output(Command::new("rustc").current_dir(tools::root()).arg("-vV"))?;
    let triple = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("rustc -vV names no host")?
        .to_owned();
    let output = tools::root().join("target/fuzz");
    // With a target named, build scripts and macros are built without counters.
    run::run(
        Command::new("cargo")
            .current_dir(tools::root().join("fuzz/libfuzzer"))
            .env("RUSTFLAGS", COUNTERS)
            .args(["build", "--release", "--locked", "--target", &triple, "--target-dir"])
            .arg(&output),
    )?;
    Ok(output.join(triple).join("release/fuzz-libfuzzer"))
}

fn command(program: &Path, target: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(tools::root()).env("PARAPET_FUZZ_TARGET", target).env("RUST_BACKTRACE", "1");
    command
}

/// What a run said of itself.
struct Figures {
    took: Duration,
    inputs: u64,
    places: u64,
    features: u64,
    corpus: String,
    memory: u64,
}

impl Figures {
    fn line(&self, name: &str) -> String {
        let rate = self.inputs as f64 / self.took.as_secs_f64().max(0.001);
        format!(
            "{name:>16}  {:>7}  {:>10}  {rate:>9.0}  {:>8}  {:>8}  {:>14}  {:>6}",
            seconds(self.took),
            self.inputs,
            self.places,
            self.features,
            self.corpus,
            self.memory
        )
    }
}

fn one(program: &Path, name: &str, length: u64) -> Result<Figures> {
    let root = tools::root();
    let found = root.join("target/fuzz/corpus").join(name);
    let findings = root.join("target/fuzz/findings").join(name);
    for folder in [&found, &findings] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let began = Instant::now();
    let (ok, text) = run::tee(
        command(program, name)
            .args([LONGEST, MEMORY, SLOWEST, "-print_final_stats=1", "-reload=0", "-verbosity=1"])
            .arg(format!("-max_total_time={length}"))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            // New inputs go into the first.
            .args([&found, &root.join("fuzz/corpus").join(name)]),
    )?;
    let took = began.elapsed();
    if !ok {
        let input =
            text.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
        let again = match input {
            Some(path) => format!("cargo xtask fuzz --target {name} --input {}", path.trim()),
            None => format!("cargo xtask fuzz --target {name}"),
        };
        return Err(format!(
            "{name}: a finding. Again by: {again}\nOnce mended, keep the input in fuzz/corpus/{name}."
        ));
    }
    figures(&text, took).ok_or_else(|| format!("{name}: the output names no figures"))
}

/// Reads libFuzzer's last line of progress and its final figures.
fn figures(text: &str, took: Duration) -> Option<Figures> {
    let last = text.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE"))?;
    let after = |name: &str| last.split_whitespace().skip_while(|word| *word != name).nth(1);
    let stat = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(&format!("stat::{name}:"))?.trim().parse::<u64>().ok())
    };
    Some(Figures {
        took,
        inputs: stat("number_of_executed_units")?,
        places: after("cov:")?.parse().ok()?,
        features: after("ft:")?.parse().ok()?,
        corpus: after("corp:")?.to_owned(),
        memory: stat("peak_rss_mb")?,
    })
}

#[cfg(test)]
mod reading {
    use super::*;

    #[test]
    fn the_final_figures_are_read() {
        let text = "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                    #4096\tDONE   cov: 501 ft: 1200 corp: 80/3120b lim: 400 exec/s: 2048 rss: 60Mb\n\
                    stat::number_of_executed_units: 4096\nstat::average_exec_per_sec:     2048\nstat::peak_rss_mb:              61\n";
        let read = figures(text, Duration::from_secs(2)).expect("figures");
        assert_eq!((read.inputs, read.places, read.features, read.memory), (4096, 501, 1200, 61));
        assert_eq!(read.corpus, "80/3120b");
        assert!(figures("killed", Duration::ZERO).is_none());
    }
}
