//! Whole catalogue folders: the embedded one first, then those of the operator.

use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::id::CheckId;
use model::scan::ScanKind;

use crate::app::App;
use crate::check::{Check, Over};
use crate::load::files::{Files, Source};
use crate::load::{app, check, tables};
use crate::{AllowedPosts, Catalog, LoadError, Loaded, examples};

/// Loads the embedded folder and then, in order, further ones.
pub(crate) fn load(folders: &[PathBuf], posts: &AllowedPosts) -> Loaded {
    let mut errors = Vec::new();
    let mut trees = vec![Files::embedded(&mut errors)];
    trees.extend(folders.iter().map(|folder| Files::folder(folder, &mut errors).allowing(posts)));
    assemble(&trees, errors)
}

/// Loads a folder in the place of the embedded one.
pub(crate) fn of_folder(folder: &Path) -> Loaded {
    let mut errors = Vec::new();
    let files = Files::folder(folder, &mut errors).in_place_of_embedded();
    assemble(&[files], errors)
}

/// Loads trees alone, without what is embedded.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn load_only(trees: &[Files]) -> Loaded {
    assemble(trees, Vec::new())
}

fn assemble(trees: &[Files], mut errors: Vec<LoadError>) -> Loaded {
    let mut catalog = Catalog::default();
    for files in trees {
        standards(files, &mut catalog, &mut errors);
        if let Some(source) = files.get("retired.toml") {
            catalog.retired.extend(tables::retired(&source, &mut errors));
        }
    }
    let mut apps: Vec<App> = Vec::new();
    let mut shared: Vec<Check> = Vec::new();
    for files in trees {
        for id in files.folders_in("apps") {
            if let Some(app) = apps.iter_mut().find(|a| a.id.as_str() == id) {
                add_checks(files, app, &catalog, &mut errors);
                continue;
            }
            let Some((mut app, whole)) = app::load(files, &id, &mut errors) else { continue };
            app.checks = checks(files, &format!("apps/{id}/checks"), &id, Some(&app), &catalog, &mut errors)
                .into_iter()
                .map(Arc::new)
                .collect();
            if whole {
                apps.push(app);
            }
        }
        for check in checks(files, "shared/checks", "shared", None, &catalog, &mut errors) {
            if shared.iter().any(|c| c.id == check.id) {
                let source = Source { file: check.file, text: Arc::from("") };
                let message = format!("shared check `{}` exists already and cannot be replaced", check.id);
                errors.push(source.error(0, message, "Name the file otherwise"));
            } else {
                shared.push(check);
            }
        }
        stray(files, &mut errors);
    }
    for mut app in apps {
        for check in &shared {
            let takes_part = match check.over {
                Over::Account => {
                    !app.accounts.is_empty() && app.datasets_of(ScanKind::Accounts).next().is_some()
                }
                Over::Plugin => {
                    !app.plugins.is_empty() && app.datasets_of(ScanKind::Plugins).next().is_some()
                }
                Over::Dataset(_) => false,
            };
            if takes_part {
                app.checks.push(Arc::new(Check { app: app.id.clone(), ..check.clone() }));
            }
        }
        app.checks.sort_by(|a, b| a.id.cmp(&b.id));
        // Collecting in place left the room of whole checks behind pointers to them.
        app.checks.shrink_to_fit();
        catalog.apps.insert(app.id.clone(), Arc::new(app));
    }
    catalog.shared = shared.into_iter().map(Arc::new).collect();
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Loaded { catalog, errors }
}

/// A later folder may add checks to an application that is there, and nothing else.
fn add_checks(files: &Files, app: &mut App, catalog: &Catalog, errors: &mut Vec<LoadError>) {
    let folder = format!("apps/{}", app.id);
    for path in files.paths().filter(|p| p.starts_with(&format!("{folder}/"))) {
        if !path.starts_with(&format!("{folder}/checks/")) {
            let source = Source { file: files.path(path), text: Arc::from("") };
            let message = format!("application `{}` exists already and cannot be replaced", app.id);
            let remedy = "Only checks can be added to it; another application needs a folder of another name";
            errors.push(source.error(0, message, remedy));
        }
    }
    for check in checks(files, &format!("{folder}/checks"), app.id.as_str(), Some(app), catalog, errors) {
        if app.checks.iter().any(|c| c.id == check.id) {
            let source = Source { file: check.file, text: Arc::from("") };
            let message = format!("check `{}` exists already and cannot be replaced", check.id);
            errors.push(source.error(0, message, "Name the file otherwise"));
        } else {
            app.checks.push(Arc::new(check));
        }
    }
}

fn standards(files: &Files, catalog: &mut Catalog, errors: &mut Vec<LoadError>) {
    for id in files.stems_in("standards", ".toml") {
        let Some(source) = files.get(&format!("standards/{id}.toml")) else { continue };
        let Some(standard) = tables::standard(&source, &id, errors) else { continue };
        match catalog.standards.entry(id) {
            Entry::Vacant(place) => {
                place.insert(standard);
            }
            Entry::Occupied(place) => {
                let message = format!("standard `{}` exists already and cannot be replaced", place.key());
                errors.push(source.error(0, message, "Name the file otherwise"));
            }
        }
    }
}

fn checks(
    files: &Files,
    folder: &str,
    prefix: &str,
    app: Option<&App>,
    catalog: &Catalog,
    errors: &mut Vec<LoadError>,
) -> Vec<Check> {
    let controls = |reference: &str| control_exists(catalog, reference);
    let mut checks = Vec::new();
    for stem in files.stems_in(folder, ".md") {
        let Some(source) = files.get(&format!("{folder}/{stem}.md")) else { continue };
        let id = CheckId::new(format!("{prefix}/{stem}"));
        if !app::is_id(&stem) || stem.contains('_') {
            let remedy = "Name the file with small letters, digits and `-`";
            errors.push(source.error(0, format!("`{stem}` cannot be a check's id"), remedy));
            continue;
        }
        if let Some(why) = catalog.retired.get(&id) {
            let remedy = "Choose another name: old findings still carry this one";
            errors.push(source.error(0, format!("`{id}` was {why}"), remedy));
            continue;
        }
        let Some(check) = check::load(&source, id, &check::Scope { app, controls: &controls }, errors) else {
            continue;
        };
        // The built-in checks' examples are run by the tests of every build; those of an operator here.
        if !files.builtin {
            let wrong = examples::failures(&check);
            if !wrong.is_empty() {
                errors.extend(wrong);
                continue;
            }
        }
        checks.push(check);
    }
    checks
}

fn control_exists(catalog: &Catalog, reference: &str) -> Result<(), String> {
    if catalog.control(reference).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = catalog.standards.keys().map(String::as_str).collect();
    match reference.split_once('/') {
        Some((standard, _)) if catalog.standards.contains_key(standard) => {
            Err(format!("Add it to standards/{standard}.toml with a title in our own words"))
        }
        Some(_) => Err(format!("Standards: {}", known.join(", "))),
        None => Err("Write `<standard>/<control>`".to_owned()),
    }
}

/// Files at the top that nothing reads: a misspelt folder would be silently missing.
fn stray(files: &Files, errors: &mut Vec<LoadError>) {
    for path in files.paths() {
        let read = path == "retired.toml"
            || path == "README.md"
            || path.starts_with("apps/") && path.matches('/').count() >= 2
            || path.strip_prefix("shared/checks/").is_some_and(|p| p.ends_with(".md") && !p.contains('/'))
            || path.strip_prefix("standards/").is_some_and(|p| p.ends_with(".toml") && !p.contains('/'));
        if !read {
            let source = Source { file: files.path(path), text: Arc::from("") };
            let remedy = "Files belong into apps/<app>/, shared/checks/ or standards/";
            errors.push(source.error(0, "nothing reads this file", remedy));
        }
    }
}
