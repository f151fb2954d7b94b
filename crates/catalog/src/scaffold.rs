//! Skeletons of a new application and a new check. They load and pass as written, so that work begins with green tests.

use std::fmt::Write as _;

use model::id::AppId;
use model::value::{Shape, ShapeField, Type};

use crate::Catalog;
use crate::load::app::is_id;

/// A file to write, by its path in the catalogue's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// `apps/acme/app.toml`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The folder of a new application.
///
/// # Errors
/// Why the id cannot be used.
pub fn app(catalog: &Catalog, id: &str) -> Result<Vec<NewFile>, String> {
    if !is_id(id) {
        return Err(format!("`{id}` cannot be an application's id: small letters, digits, `-` and `_`"));
    }
    if catalog.app(&AppId::new(id)).is_some() {
        return Err(format!("application `{id}` exists already"));
    }
    let title: String = id.split(['-', '_']).map(capital).collect::<Vec<_>>().join(" ");
    let fill = |text: &str| text.replace("@id@", id).replace("@title@", &title);
    let file = |name: &str, text: &str| NewFile { path: format!("apps/{id}/{name}"), text: fill(text) };
    Ok(vec![
        file("app.toml", include_str!("scaffold/app.toml")),
        file("onboarding.md", include_str!("scaffold/onboarding.md")),
        file("scopes.toml", include_str!("scaffold/scopes.toml")),
        file("checks/members-cannot-invite.md", include_str!("scaffold/check.md")),
    ])
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A new check: `id` is `<app>/<name>` or `shared/<name>`, `over` a dataset of the application, `account` or `plugin`.
///
/// # Errors
/// Why it cannot be made, and what there is instead.
pub fn check(catalog: &Catalog, id: &str, over: &str) -> Result<NewFile, String> {
    let Some((app, stem)) = id.split_once('/') else {
        return Err(format!("`{id}` is not a check's id: `<app>/<name>` or `shared/<name>`"));
    };
    if !is_id(stem) || stem.contains('_') {
        return Err(format!("`{stem}` cannot be a check's name: small letters, digits and `-`"));
    }
    let id = model::id::CheckId::new(id);
    if let Some(why) = catalog.retired.get(&id) {
        return Err(format!("`{id}` was {why}; choose another name"));
    }
    let (shape, key, folder, exists) = if app == "shared" {
        let shape = match over {
            "account" => &*model::account::SHAPE,
            "plugin" => &*model::plugin::SHAPE,
            _ => return Err("a shared check is over `account` or `plugin`".to_owned()),
        };
        let exists = catalog.shared.iter().any(|c| c.id == id);
        (shape, Some("id".to_owned()), "shared/checks".to_owned(), exists)
    } else {
        let Some(found) = catalog.app(&AppId::new(app)) else {
            let known: Vec<&str> = catalog.apps.keys().map(AppId::as_str).collect();
            return Err(format!("no application `{app}`; there are: {}", known.join(", ")));
        };
        let exists = found.checks.iter().any(|c| c.id == id);
        let folder = format!("apps/{app}/checks");
        match (over, found.dataset(over)) {
            ("account", _) if !found.accounts.is_empty() => {
                (&*model::account::SHAPE, Some("id".to_owned()), folder, exists)
            }
            ("plugin", _) if !found.plugins.is_empty() => {
                (&*model::plugin::SHAPE, Some("id".to_owned()), folder, exists)
            }
            (_, Some(dataset)) => (&dataset.shape, dataset.spec.key.clone(), folder, exists),
            _ => {
                let known: Vec<&str> = found.datasets.iter().map(|d| d.spec.name.as_str()).collect();
                return Err(format!("`{app}` has no dataset `{over}`; there are: {}", known.join(", ")));
            }
        }
    };
    if exists {
        return Err(format!("check `{id}` exists already"));
    }
    let text = check_text(shape, key.as_deref(), over)
        .ok_or_else(|| format!("`{over}` has no field that a check could ask about"))?;
    Ok(NewFile { path: format!("{folder}/{stem}.md"), text })
}

/// The text of a check about the first field that can be asked about, truth values first.
fn check_text(shape: &Shape, key: Option<&str>, over: &str) -> Option<String> {
    let subject = |f: &&ShapeField| Some(f.name.as_str()) != key;
    let bools = shape.fields.iter().filter(subject).find(|f| f.kind == Type::Bool);
    let field = bools.or_else(|| shape.fields.iter().find(subject)).or_else(|| shape.fields.first())?;
    let name = &field.name;
    let (pass, good, bad) = match &field.kind {
        Type::Bool => (format!("{name} == true"), "true".to_owned(), "false".to_owned()),
        Type::Int => (format!("{name} >= 1"), "1".to_owned(), "0".to_owned()),
        Type::String => (format!("{name} == 'secure'"), "\"secure\"".to_owned(), "\"open\"".to_owned()),
        kind => (format!("{name} != null"), sample(kind), "null".to_owned()),
    };
    let named = key.and_then(|key| shape.field(key)).map(|(_, field)| field);
    let (says, identity) = match named {
        Some(field) => {
            let who = if field.kind == Type::Int { "7".to_owned() } else { "\"example\"".to_owned() };
            (format!("{{{}}} is not in the secure state: say what is wrong", field.name), {
                if field.name == *name { String::new() } else { format!("\"{}\": {who}, ", field.name) }
            })
        }
        None => ("this is not in the secure state: say what is wrong".to_owned(), String::new()),
    };
    let lacking = identity.trim_end_matches(", ");
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"+++
title = "State the secure state in ten to a hundred characters"
revision = 1
severity = "medium"
over = "{over}"
pass = "{pass}"
controls = []
says = "{says}"
+++
Say why it matters: what goes wrong where this is not so, and for whom. One short paragraph is enough.

## Remedy
1. Say where to click in the vendor's console, step by step.
2. Say how to see that it took effect.

## Examples
```json pass
{{{identity}"{name}": {good}}}
```
```json fail
{{{identity}"{name}": {bad}}}
```
```json inconclusive
{{{lacking}}}
```
"#
    );
    Some(text)
}

fn sample(kind: &Type) -> String {
    match kind {
        Type::Bool => "true".to_owned(),
        Type::Int => "1".to_owned(),
        Type::Double => "1.5".to_owned(),
        Type::String => "\"text\"".to_owned(),
        Type::Timestamp => "\"2026-01-01T00:00:00Z\"".to_owned(),
        Type::Duration => "\"3600s\"".to_owned(),
        Type::List(_) => "[]".to_owned(),
        Type::Object(_) | Type::Map(_) => "{}".to_owned(),
    }
}
