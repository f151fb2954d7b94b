//! Small tables: graded scopes, standards, retired checks.

use std::collections::BTreeMap;

use model::id::CheckId;
use serde::Deserialize;

use crate::LoadError;
use crate::app::{Grade, ScopeGrade};
use crate::load::doc::{At, Doc, at};
use crate::load::files::Source;
use crate::standard::{Control, Standard};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesFile {
    #[serde(default)]
    scope: Vec<ScopeRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeRow {
    id: String,
    grade: Grade,
    says: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandardFile {
    title: String,
    version: String,
    source: String,
    #[serde(default)]
    control: Vec<ControlRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlRow {
    id: String,
    title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetiredFile {
    #[serde(default)]
    check: Vec<RetiredRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetiredRow {
    id: String,
    since: String,
    why: String,
}

fn read<'a, T: serde::de::DeserializeOwned>(
    source: &'a Source,
    errors: &mut Vec<LoadError>,
) -> Option<(Doc<'a>, T)> {
    let result = Doc::parse(source).and_then(|doc| doc.read().map(|value| (doc, value)));
    result.map_err(|e| errors.push(e)).ok()
}

fn words(doc: &Doc<'_>, at: &At, what: &str, text: &str, errors: &mut Vec<LoadError>) {
    if text.trim().is_empty() {
        errors.push(doc.error(at, format!("`{what}` is empty"), "Write a few words"));
    }
}

fn https(doc: &Doc<'_>, at: &At, link: &str, errors: &mut Vec<LoadError>) {
    if !url::Url::parse(link).is_ok_and(|u| u.scheme() == "https") {
        let message = format!("`{link}` is not an https address");
        errors.push(doc.error(at, message, "Write the whole address with https://"));
    }
}

/// `scopes.toml`.
pub(crate) fn scopes(source: &Source, errors: &mut Vec<LoadError>) -> BTreeMap<String, ScopeGrade> {
    let mut scopes = BTreeMap::new();
    let Some((doc, file)) = read::<ScopesFile>(source, errors) else { return scopes };
    for (i, row) in file.scope.into_iter().enumerate() {
        let at = at("scope").index(i);
        words(&doc, &at.key("id"), "id", &row.id, errors);
        words(&doc, &at.key("says"), "says", &row.says, errors);
        https(&doc, &at.key("source"), &row.source, errors);
        let grade = ScopeGrade { id: row.id.clone(), grade: row.grade, says: row.says, source: row.source };
        if scopes.insert(row.id.clone(), grade).is_some() {
            errors.push(doc.error(
                &at.key("id"),
                format!("scope `{}` is graded twice", row.id),
                "Remove one",
            ));
        }
    }
    scopes
}

/// `standards/<id>.toml`.
pub(crate) fn standard(source: &Source, id: &str, errors: &mut Vec<LoadError>) -> Option<Standard> {
    let (doc, file) = read::<StandardFile>(source, errors)?;
    words(&doc, &at("title"), "title", &file.title, errors);
    words(&doc, &at("version"), "version", &file.version, errors);
    https(&doc, &at("source"), &file.source, errors);
    let mut controls = BTreeMap::new();
    for (i, row) in file.control.into_iter().enumerate() {
        let at = at("control").index(i);
        words(&doc, &at.key("id"), "id", &row.id, errors);
        words(&doc, &at.key("title"), "title", &row.title, errors);
        let control = Control { id: row.id.clone(), title: row.title };
        if controls.insert(row.id.clone(), control).is_some() {
            errors.push(doc.error(&at.key("id"), format!("control `{}` stands twice", row.id), "Remove one"));
        }
    }
    Some(Standard {
        id: id.to_owned(),
        title: file.title,
        version: file.version,
        source: file.source,
        controls,
    })
}

/// `retired.toml`.
pub(crate) fn retired(source: &Source, errors: &mut Vec<LoadError>) -> BTreeMap<CheckId, String> {
    let mut retired = BTreeMap::new();
    let Some((doc, file)) = read::<RetiredFile>(source, errors) else { return retired };
    for (i, row) in file.check.into_iter().enumerate() {
        let at = at("check").index(i);
        words(&doc, &at.key("why"), "why", &row.why, errors);
        words(&doc, &at.key("since"), "since", &row.since, errors);
        if !row.id.contains('/') {
            let message = format!("`{}` is not a check's id", row.id);
            errors.push(doc.error(&at.key("id"), message, "Write `<app>/<check>` or `shared/<check>`"));
        }
        retired.insert(CheckId::new(row.id), format!("retired with {}: {}", row.since, row.why));
    }
    retired
}
