//! Datasets that are worked out of others: what holds of inherited settings, and the latest of each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expr::Program;
use model::value::{Shape, Type};

use crate::app::{DatasetSpec, Defaults};
use crate::load::cross::Context;
use crate::load::doc::{At, Doc, at, suggest};
use crate::load::fields::constant_fits;
use crate::load::files::Files;
use crate::load::seen;
use crate::manifest::{Dataset, Resolve};

/// What a field of such a dataset may be taken from, beside the fields of the winning record.
const WORDS: [&str; 5] = ["@key", "@name", "@setting", "@source", "@unit"];
/// `merge` of every field by itself.
const EACH: &str = "*";

/// Compiles `latest.gone`.
pub(crate) fn gone(
    cx: &mut Context<'_>,
    place: &At,
    dataset: &Dataset,
    shape: &Arc<Shape>,
) -> Option<Program> {
    let source = dataset.latest.as_ref()?.gone.as_ref()?;
    let at = place.key("latest").key("gone");
    let gone = cx.condition(&at, source, shape, BTreeMap::new())?;
    seen::not_yet(cx, &at, &gone, dataset);
    Some(gone)
}

/// Looks at a dataset with `resolve`, and reads its defaults.
pub(crate) fn prepare(
    cx: &mut Context<'_>,
    files: &Files,
    place: &At,
    dataset: &Dataset,
    shape: &Shape,
    earlier: &[DatasetSpec],
) -> Arc<BTreeMap<String, Defaults>> {
    let Some(resolve) = &dataset.resolve else { return Arc::default() };
    let place = place.key("resolve");
    let beside = [
        ("request", !dataset.request.is_empty()),
        ("answer", !dataset.answer.is_empty()),
        ("latest", dataset.latest.is_some()),
        ("filter_of", dataset.filter_of.is_some()),
        ("refresh_hours", dataset.refresh_hours.is_some()),
        ("never_empty", dataset.never_empty),
    ];
    for (key, _) in beside.iter().filter(|(_, there)| *there) {
        let message = format!("`{key}` beside `resolve`: nothing is sent for this dataset");
        cx.error(&place, message, format!("Remove `{key}`"));
    }
    if dataset.key.is_none() {
        cx.error(
            &place,
            "units and settings cannot be told apart",
            "Add `key`, of a field with `each = \"@key\"`",
        );
    }
    let from = cx.earlier(&place.key("from"), &resolve.from, dataset, earlier);
    let tree = resolve.tree.as_ref().and_then(|name| cx.earlier(&place.key("tree"), name, dataset, earlier));
    if let Some(from) = from {
        roles(cx, &place, resolve, from);
        taken(cx, dataset, shape, from);
    }
    for (name, known_as) in &resolve.names {
        let place = place.key("names").key(name);
        let Some(named) = cx.earlier(&place, name, dataset, earlier) else { continue };
        field(cx, &place, named, known_as, is_name);
        if named.spec.key.is_none() {
            cx.error(&place, format!("`{name}` has no key to know its records by"), "Give it a `key`");
        }
    }
    for (i, setting) in resolve.only.iter().enumerate() {
        if setting.trim().is_empty() || resolve.only[..i].contains(setting) {
            let message = format!("setting `{setting}` is empty or stands twice");
            cx.error(&place.key("only").index(i), message, "Name it once");
        }
    }
    match (&resolve.parent, tree) {
        (Some(parent), Some(tree)) => field(cx, &place.key("parent"), tree, parent, is_name),
        (Some(_), None) if resolve.tree.is_none() => {
            cx.error(&place.key("parent"), "`parent` without `tree`", "Name the dataset of the units");
        }
        (None, Some(tree)) if tree.spec.key.is_some() => {}
        _ => {}
    }
    if tree.is_some_and(|tree| tree.spec.key.is_none()) {
        cx.error(&place.key("tree"), "units without a key cannot be told apart", "Give that dataset a `key`");
    }
    match (&resolve.defaults, from) {
        (Some(file), Some(from)) => {
            let same = |spec: &&DatasetSpec| {
                let resolve = spec.spec.resolve.as_ref();
                resolve.is_some_and(|r| r.defaults.as_ref() == Some(file) && r.from == from.spec.name)
            };
            match earlier.iter().find(same) {
                Some(spec) => Arc::clone(&spec.defaults),
                None => Arc::new(defaults(cx, files, &place.key("defaults"), file, from)),
            }
        }
        _ => Arc::default(),
    }
}

const fn is_name(kind: &Type) -> bool {
    matches!(kind, Type::String | Type::Int)
}

fn field(cx: &mut Context<'_>, at: &At, of: &DatasetSpec, name: &str, fits: fn(&Type) -> bool) {
    match of.shape.field(name) {
        None => {
            let known: Vec<&str> = of.shape.fields.iter().map(|f| f.name.as_str()).collect();
            cx.error(at, format!("`{}` has no field `{name}`", of.spec.name), suggest(name, &known));
        }
        Some((_, field)) if !fits(&field.kind) => {
            cx.error(at, format!("`{name}` is of another type"), "See the vocabulary for what it is used as");
        }
        Some(_) => {}
    }
}

fn roles(cx: &mut Context<'_>, place: &At, resolve: &Resolve, from: &DatasetSpec) {
    field(cx, &place.key("setting"), from, &resolve.setting, is_name);
    field(cx, &place.key("unit"), from, &resolve.unit, is_name);
    if let Some(name) = &resolve.alone {
        field(cx, &place.key("alone"), from, name, is_name);
    }
    if let Some(name) = &resolve.part {
        field(cx, &place.key("part"), from, name, is_name);
    }
    if let Some(name) = &resolve.rank {
        field(cx, &place.key("rank"), from, name, |kind| matches!(kind, Type::Int | Type::Double));
    }
    if let Some(name) = resolve.merge.as_ref().filter(|name| *name != EACH) {
        field(cx, &place.key("merge"), from, name, |kind| matches!(kind, Type::Map(_)));
    }
}

/// Where the fields of the dataset come from.
fn taken(cx: &mut Context<'_>, dataset: &Dataset, shape: &Shape, from: &DatasetSpec) {
    let mut known: Vec<&str> = from.shape.fields.iter().map(|f| f.name.as_str()).collect();
    known.extend(WORDS);
    let taken = dataset.field.iter().zip(&shape.fields).enumerate();
    // What is worked out is refused by itself.
    for (i, (field, declared)) in taken.filter(|(_, (field, _))| field.first_seen.is_none()) {
        let place = cx.dataset_at(&dataset.name).key("field").index(i);
        let name = field.each.as_deref().unwrap_or(&field.name);
        if field.path.is_some() || !field.transform.is_empty() {
            let remedy = "Read it so in the dataset that it is taken from";
            cx.error(&place, format!("`{}` is taken from a record, not from an answer", field.name), remedy);
        }
        let wanted = match from.shape.field(name) {
            _ if WORDS.contains(&name) => Type::String,
            Some((_, field)) => field.kind.clone(),
            None => {
                let message = format!("`{name}` is no field of `{}`", from.spec.name);
                cx.error(&place.key("each"), message, suggest(name, &known));
                continue;
            }
        };
        if declared.kind != wanted {
            let message = format!("`{}` is of another type than `{name}`", field.name);
            cx.error(&place.key("type"), message, "Write the same type");
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<String>,
    #[serde(default)]
    default: Vec<Defaults>,
}

fn defaults(
    cx: &mut Context<'_>,
    files: &Files,
    at_name: &At,
    name: &str,
    from: &DatasetSpec,
) -> BTreeMap<String, Defaults> {
    let plain = name.strip_suffix(".toml").is_some_and(|stem| {
        !["", "app", "scopes"].contains(&stem)
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    });
    let Some(source) = plain.then(|| files.get(&format!("apps/{}/{name}", cx.app))).flatten() else {
        cx.error(at_name, format!("no file `{name}`"), "Name a `.toml` file in the application's folder");
        return BTreeMap::new();
    };
    cx.used_documents.insert(name.to_owned());
    let read = Doc::parse(&source).and_then(|doc| doc.read::<File>().map(|file| (doc, file)));
    let (doc, file) = match read {
        Ok(read) => read,
        Err(e) => {
            cx.errors.push(e);
            return BTreeMap::new();
        }
    };
    let mut seen = BTreeSet::new();
    for (i, row) in file.default.iter().enumerate() {
        let at = at("default").index(i);
        let mut wrong =
            |at: &At, message: String, remedy: &str| cx.errors.push(doc.error(at, message, remedy));
        if row.setting.trim().is_empty() || !seen.insert(&row.setting) {
            wrong(
                &at.key("setting"),
                format!("setting `{}` is empty or stands twice", row.setting),
                "Name it once",
            );
        }
        if !url::Url::parse(&row.source).is_ok_and(|u| u.scheme() == "https") {
            wrong(
                &at.key("source"),
                format!("`{}` is not an https address", row.source),
                "Name the vendor's page",
            );
        }
        for (name, value) in &row.fields {
            let at = at.key("fields").key(name);
            match from.shape.field(name) {
                None => wrong(
                    &at,
                    format!("`{}` has no field `{name}`", from.spec.name),
                    "Name one of its fields",
                ),
                Some((_, field)) if !constant_fits(value, &field.kind) => {
                    wrong(&at, format!("`{name}` is of another type"), "Write a value of the field's type");
                }
                Some(_) => {}
            }
        }
    }
    let known = Arc::new(file.known);
    let row = |row: Defaults| (row.setting.clone(), Defaults { known: Arc::clone(&known), ..row });
    file.default.into_iter().map(row).collect()
}
