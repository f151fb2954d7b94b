//! Which crate may know which, and that every dependency earns its place.

use super::{Problem, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// The arrows of ARCHITECTURE.md: what a crate may name, itself and through what it names. An arrow may be added with
/// an argument; it may not be turned round. Everything may name `model`.
const MAY_NAME: [(&str, &[&str]); 17] = [
    ("model", &[]),
    ("expr", &["model"]),
    ("catalog", &["expr", "model"]),
    ("collect", &["catalog", "model"]),
    ("assess", &["catalog", "expr", "model"]),
    ("store", &["model"]),
    ("export", &["catalog", "model"]),
    ("contact", &["store", "collect", "catalog", "model"]),
    ("ops", &["contact", "store", "collect", "catalog", "assess", "export", "notify", "model"]),
    ("notify", &["model"]),
    ("engine", &["contact", "collect", "assess", "store", "notify", "catalog", "model"]),
    ("web", &["ops", "catalog", "model"]),
    ("sim", &["model"]),
    ("parapet", &["web", "engine", "sim", "model"]),
    ("xtask", &["catalog", "expr"]),
    // Its targets stand at every edge where foreign text comes in or goes out.
    ("fuzz", &["expr", "catalog", "collect", "export", "notify", "sim", "web", "model"]),
    ("fuzz-libfuzzer", &["fuzz"]),
];

/// The simulator is what tests talk to, so every crate's tests may name it.
const TESTS_MAY_NAME: [&str; 1] = ["sim"];

/// All crates in the lock file, ours included.
const MOST_CRATES: usize = 400;

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let mut manifests = BTreeMap::new();
    for file in
        tree.files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"))
    {
        match file.text.parse::<toml::Table>() {
            Ok(table) => {
                manifests.insert(file.path.as_str(), (table, file.text.as_str()));
            }
            Err(error) => problems.push(Problem::new(&file.path, 1, format!("not TOML: {error}"))),
        }
    }
    let ours: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).collect();
    let mut used = BTreeSet::new();
    for (path, (table, text)) in manifests.iter().filter(|(path, _)| **path != "Cargo.toml") {
        let name = table
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(|name| name.as_str())
            .unwrap_or("");
        if !ours.contains(name) {
            problems.push(Problem::new(
                path,
                1,
                format!("crate '{name}' has no place in the direction table of xtask/src/tidy/crates.rs"),
            ));
            continue;
        }
        let described = table
            .get("package")
            .and_then(|package| package.get("description"))
            .and_then(|text| text.as_str());
        if described.is_none_or(|text| text.trim().is_empty()) {
            problems.push(Problem::new(
                path,
                line_of(text, "description"),
                "say in `description` what the crate is for",
            ));
        }
        for (section, dependency, spec) in dependencies(table) {
            let line = line_of(text, &dependency);
            used.insert(dependency.clone());
            if ours.contains(dependency.as_str()) {
                let test_only =
                    section == "dev-dependencies" && TESTS_MAY_NAME.contains(&dependency.as_str());
                if !test_only && !reachable(name).contains(dependency.as_str()) {
                    problems.push(Problem::new(
                        path,
                        line,
                        format!("{name} must not know {dependency}: the arrow is not in the direction table"),
                    ));
                }
            } else if spec.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                problems.push(Problem::new(path, line, format!("{dependency}: versions live in the workspace's Cargo.toml; write `{dependency}.workspace = true`")));
            }
            if !named_in_sources(tree, path, &dependency) {
                problems.push(Problem::new(
                    path,
                    line,
                    format!("{dependency} is not used by {name}; remove it"),
                ));
            }
        }
    }
    workspace(&manifests, &used, problems);
    if let Some(lock) = tree.files.iter().find(|file| file.path == "Cargo.lock") {
        let count = lock.text.matches("[[package]]").count();
        if count >= MOST_CRATES {
            problems.push(Problem::new(
                "Cargo.lock",
                1,
                format!("{count} crates; the goal is under {MOST_CRATES}"),
            ));
        }
    }
}

/// Each entry of `[workspace.dependencies]` must be named by a member.
fn workspace(
    manifests: &BTreeMap<&str, (toml::Table, &str)>,
    used: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let Some((root, text)) = manifests.get("Cargo.toml") else { return };
    let listed = root
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(|table| table.as_table());
    for name in listed.into_iter().flat_map(toml::Table::keys) {
        if !used.contains(name) {
            problems.push(Problem::new(
                "Cargo.toml",
                line_of(text, name),
                format!("no crate uses {name}; remove it"),
            ));
        }
    }
}

/// Every dependency of a manifest: its section, name and specification.
fn dependencies(table: &toml::Table) -> Vec<(&'static str, String, &toml::Value)> {
    let mut all = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, spec) in table.get(section).and_then(|found| found.as_table()).into_iter().flatten() {
            all.push((section, name.clone(), spec));
        }
    }
    all
}

/// What a crate may name: its arrows and the arrows of those.
fn reachable(name: &str) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    let mut open: Vec<&str> = vec![name];
    while let Some(next) = open.pop() {
        for target in MAY_NAME.iter().filter(|(from, _)| *from == next).flat_map(|(_, targets)| *targets) {
            if all.insert(*target) {
                open.push(target);
            }
        }
    }
    all
}

/// Whether a Rust file beside the manifest names the dependency.
fn named_in_sources(tree: &Tree, manifest: &str, dependency: &str) -> bool {
    let folder = manifest.trim_end_matches("Cargo.toml");
    let name = dependency.replace('-', "_");
    tree.with_extension("rs").filter(|file| file.path.starts_with(folder)).any(|file| {
        file.text.match_indices(&name).any(|(at, found)| {
            let edge = |character: Option<char>| character.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            edge(file.text[..at].chars().next_back()) && edge(file.text[at + found.len()..].chars().next())
        })
    })
}

fn line_of(text: &str, dependency: &str) -> usize {
    let starts =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(starts).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod directions {
    use super::*;

    #[test]
    fn the_table_has_no_circle() {
        for (name, _) in MAY_NAME {
            assert!(!reachable(name).contains(name), "{name} reaches itself");
        }
    }

    #[test]
    fn neighbours_do_not_see_each_other() {
        for (one, other) in [
            ("web", "engine"),
            ("collect", "store"),
            ("assess", "store"),
            ("sim", "collect"),
            ("notify", "store"),
        ] {
            assert!(!reachable(one).contains(other) && !reachable(other).contains(one), "{one} and {other}");
        }
    }
}
