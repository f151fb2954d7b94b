//! One application's folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::id::AppId;
use model::scan::ScanKind;

use crate::LoadError;
use crate::app::{App, DatasetSpec, ScopeGrade};
use crate::load::cross::{self, Context};
use crate::load::doc::{Doc, at};
use crate::load::fields;
use crate::load::files::{Files, Source};
use crate::load::{keys, mapping, requests, resolve, tables};
use crate::manifest::{Dataset, Manifest};
use crate::markdown;

/// Reads `apps/<id>/` without its checks. `None` when its manifest has an error. The flag says whether all else is right,
/// too: with it false, the checks can be looked at for their mistakes, and the application is left out.
pub(crate) fn load(files: &Files, id: &str, errors: &mut Vec<LoadError>) -> Option<(App, bool)> {
    let before = errors.len();
    let path = format!("apps/{id}/app.toml");
    let Some(source) = files.get(&path) else {
        let remedy = "Write one, or remove the folder; `parapet app new FOLDER ID` makes a skeleton";
        errors.push(LoadError {
            file: files.path(&path),
            line: 1,
            column: 1,
            message: format!("application `{id}` has no app.toml"),
            remedy: remedy.to_owned(),
        });
        return None;
    };
    if !is_id(id) {
        let remedy = "Name the folder with small letters, digits, `-` and `_`, beginning with a letter";
        errors.push(source.error(0, format!("`{id}` cannot be an application's id"), remedy));
        return None;
    }
    let app = manifest(files, id, &source, errors);
    let sound = errors.len() == before;
    let left_out = left_out(files, id, errors);
    let (scopes, onboarding) = (scopes(files, id, errors), onboarding(files, id, errors));
    stray(files, id, app.as_ref().map(|(_, used)| used), errors);
    let (mut app, _) = app?;
    app.scopes = scopes;
    (app.onboarding_markdown, app.onboarding_html) = onboarding;
    app.left_out_markdown = left_out;
    sound.then_some((app, errors.len() == before))
}

/// Whether a text can be the id of an application or a check: it stands in paths and addresses.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() <= 64
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        && id != "shared"
}

fn manifest(
    files: &Files,
    id: &str,
    source: &Source,
    errors: &mut Vec<LoadError>,
) -> Option<(App, BTreeSet<String>)> {
    let doc = match Doc::parse(source) {
        Ok(doc) => doc,
        Err(e) => {
            errors.push(e);
            return None;
        }
    };
    let before = errors.len();
    keys::check(&doc, errors);
    if errors.len() > before {
        return None;
    }
    let manifest: Manifest = match doc.read() {
        Ok(manifest) => manifest,
        Err(e) => {
            errors.push(e);
            return None;
        }
    };
    let mut cx = Context { app: id, doc: &doc, manifest: &manifest, errors, used_documents: BTreeSet::new() };
    cross::check(&mut cx);
    let mut datasets: Vec<DatasetSpec> = Vec::new();
    for (i, dataset) in manifest.dataset.iter().enumerate() {
        let place = at("dataset").index(i);
        cross::dataset(&mut cx, &place, dataset);
        let shape = fields::shape(&doc, &place.key("field"), &dataset.field, cx.errors);
        let mut prepared = Vec::new();
        for (j, request) in dataset.request.iter().enumerate() {
            let place = place.key("request").index(j);
            prepared.push(requests::prepare(&mut cx, files, &place, dataset, request, &shape, &datasets));
        }
        let defaults = resolve::prepare(&mut cx, files, &place, dataset, &shape, &datasets);
        let gone = resolve::gone(&mut cx, &place, dataset, &shape);
        let contradicted = cross::contradicted(&mut cx, &place.key("answer"), dataset, &datasets);
        let spec = Dataset { request: Vec::new(), ..dataset.clone() };
        datasets.push(DatasetSpec { spec, shape, requests: prepared, contradicted, gone, defaults });
    }
    if manifest.dataset.is_empty() {
        cx.error(&at("dataset"), "there is no dataset", "Add [[dataset]]");
    }
    cross::required(&mut cx);
    let (accounts, plugins) = (ScanKind::Accounts, ScanKind::Plugins);
    let accounts =
        mapping::prepare(&mut cx, "account", accounts, &manifest.account, &model::account::SHAPE, &datasets);
    let plugins =
        mapping::prepare(&mut cx, "plugin", plugins, &manifest.plugin, &model::plugin::SHAPE, &datasets);
    let used = cx.used_documents;
    let manifest = Manifest { dataset: Vec::new(), ..manifest };
    datasets.shrink_to_fit();
    let app = App {
        id: AppId::new(id),
        builtin: files.builtin,
        manifest,
        datasets,
        accounts,
        plugins,
        checks: Vec::new(),
        scopes: BTreeMap::new(),
        onboarding_html: String::new(),
        onboarding_markdown: Cow::default(),
        left_out_markdown: Cow::default(),
    };
    Some((app, used))
}

fn scopes(files: &Files, id: &str, errors: &mut Vec<LoadError>) -> BTreeMap<String, ScopeGrade> {
    let Some(source) = files.get(&format!("apps/{id}/scopes.toml")) else { return BTreeMap::new() };
    tables::scopes(&source, errors)
}

fn onboarding(files: &Files, id: &str, errors: &mut Vec<LoadError>) -> (Cow<'static, str>, String) {
    let path = format!("apps/{id}/onboarding.md");
    let Some(source) = files.get(&path) else {
        errors.push(LoadError {
            file: files.path(&path),
            line: 1,
            column: 1,
            message: "there is no onboarding.md".to_owned(),
            remedy: "Write what the admin does at the vendor: where to click, which permissions to give"
                .to_owned(),
        });
        return (Cow::default(), String::new());
    };
    markdown::check(&source, 0..source.text.len(), errors);
    (source.kept(&source.text), markdown::html(&source.text))
}

fn left_out(files: &Files, id: &str, errors: &mut Vec<LoadError>) -> Cow<'static, str> {
    let Some(source) = files.get(&format!("apps/{id}/left-out.md")) else { return Cow::default() };
    markdown::check(&source, 0..source.text.len(), errors);
    source.kept(&source.text)
}

/// Files that nothing reads are mistakes: a check in the wrong folder would be silently missing.
fn stray(files: &Files, id: &str, documents: Option<&BTreeSet<String>>, errors: &mut Vec<LoadError>) {
    let prefix = format!("apps/{id}/");
    for path in files.paths() {
        let Some(name) = path.strip_prefix(&prefix) else { continue };
        let read = match name {
            "app.toml" | "left-out.md" | "onboarding.md" | "scopes.toml" => true,
            _ if name.ends_with(".graphql") || (name.ends_with(".toml") && !name.contains('/')) => {
                documents.is_none_or(|used| used.contains(name))
            }
            _ => name
                .strip_prefix("checks/")
                .and_then(|n| n.strip_suffix(".md"))
                .is_some_and(|stem| !stem.contains('/')),
        };
        if !read {
            let source = Source { file: files.path(path), text: Arc::from("") };
            errors.push(source.error(0, "nothing reads this file", "Remove it, or name it where it is used"));
        }
    }
}
