//! The commands of `cargo xtask` that need the catalogue compiled in; `xtask` starts this program for them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool reports on its console")]
#![expect(clippy::disallowed_methods, reason = "a build tool reads its own arguments")]

use catalog::Catalog;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What went wrong, as a sentence with its remedy.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["check"] => load().map(|catalog| {
            let checks: usize = catalog.apps.values().map(|app| app.checks.len()).sum();
            println!("{} applications, {checks} checks", catalog.apps.len());
        }),
        ["docs"] => docs(false),
        ["docs", "--check"] => docs(true),
        ["mutate-checks"] => mutate(),
        ["new-app", id] => new_app(id),
        ["new-check", id, over] => new_check(id, over),
        _ => {
            Err("usage: docs [--check] | mutate-checks | new-app ID | new-check APP/NAME DATASET".to_owned())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The catalogue as it lies in the working tree, which must load without a single error.
fn load() -> Result<Catalog> {
    let loaded = Catalog::of_folder(&root().join("catalog"));
    if loaded.errors.is_empty() {
        return Ok(loaded.catalog);
    }
    let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
    Err(format!("the catalogue does not load:\n{}", errors.join("\n")))
}

/// Writes the documents that are rendered from the catalogue, or compares them with what is committed.
fn docs(check: bool) -> Result {
    let pages = catalog::docs::render(&load()?);
    let mut stale = Vec::new();
    for (path, text) in &pages {
        let file = root().join(path);
        if std::fs::read_to_string(&file).is_ok_and(|found| found == *text) {
            continue;
        }
        stale.push(path.clone());
        if !check {
            write(&file, text)?;
        }
    }
    for left in left_over(&pages.keys().map(String::as_str).collect()) {
        if !check {
            std::fs::remove_file(root().join(&left))
                .map_err(|error| format!("cannot remove {left}: {error}"))?;
        }
        stale.push(left);
    }
    match (check, stale.is_empty()) {
        (_, true) => println!("{} documents are as the catalogue says", pages.len()),
        (false, false) => println!("wrote or removed:\n{}", stale.join("\n")),
        (true, false) => {
            return Err(format!("not as the catalogue says; run `cargo xtask docs`:\n{}", stale.join("\n")));
        }
    }
    Ok(())
}

/// Documents that say they are rendered from the catalogue, but are not any more. Hand-written ones beside them stay.
fn left_over(rendered: &BTreeSet<&str>) -> Vec<String> {
    let folders: BTreeSet<&str> = rendered.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    let mut found = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(root().join(folder)).into_iter().flatten().flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            if text.starts_with(catalog::docs::DERIVED) && !rendered.contains(path.as_str()) {
                found.push(path);
            }
        }
    }
    found
}

/// Changes every check's expressions a little; an example must notice each change.
fn mutate() -> Result {
    let reports = catalog::mutate::all(&load()?);
    let tried: usize = reports.iter().map(|report| report.tried).sum();
    let loose: Vec<String> =
        reports.iter().filter(|report| !report.is_tight()).map(ToString::to_string).collect();
    if loose.is_empty() {
        println!("{tried} changes to {} checks; an example notices each", reports.len());
        return Ok(());
    }
    Err(format!("{}\n{} of {} checks need an example", loose.join("\n"), loose.len(), reports.len()))
}

fn new_app(id: &str) -> Result {
    for file in catalog::scaffold::app(&load()?, id)? {
        create(&file.path, &file.text)?;
    }
    println!("next: fill it in, then `cargo nextest run -p catalog` and `cargo xtask docs`");
    Ok(())
}

fn new_check(id: &str, over: &str) -> Result {
    let file = catalog::scaffold::check(&load()?, id, over)?;
    create(&file.path, &file.text)?;
    println!(
        "next: fill it in, then `cargo nextest run -p catalog`, `cargo xtask mutate-checks` and `cargo xtask docs`"
    );
    Ok(())
}

/// Writes a new file below `catalog/`; one that exists is never touched.
fn create(path: &str, text: &str) -> Result {
    let file = root().join("catalog").join(path);
    if file.exists() {
        return Err(format!("{} exists; it is not overwritten", file.display()));
    }
    write(&file, text)?;
    println!("wrote catalog/{path}");
    Ok(())
}

fn write(file: &Path, text: &str) -> Result {
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(file, text))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The repository's root folder: xtask lies directly below it.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
