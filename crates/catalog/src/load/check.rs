//! One check file: front matter, why, remedy, examples.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use expr::{DatasetType, Env, Expected, Program};
use model::finding::{Outcome, Severity};
use model::id::{AppId, CheckId};
use model::scan::ScanKind;
use model::value::{Shape, Type, Value};
use serde::Deserialize;

use crate::LoadError;
use crate::app::App;
use crate::check::{Check, Lifecycle, Over, Param, Remedy};
use crate::load::body;
use crate::load::doc::{At, Doc, at, suggest};
use crate::load::example;
use crate::load::fields::is_name;
use crate::load::files::Source;
use crate::load::mapping;
use crate::load::seen;
use crate::template::{Template, has_path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    title: String,
    revision: u32,
    severity: Severity,
    over: String,
    scan: Option<ScanKind>,
    when: Option<String>,
    pass: String,
    #[serde(default = "inconclusive")]
    on_empty: Outcome,
    #[serde(default)]
    controls: Vec<String>,
    says: String,
    unknown: Option<String>,
    link: Option<String>,
    #[serde(default)]
    lifecycle: Lifecycle,
    #[serde(default)]
    params: BTreeMap<String, toml::Value>,
    #[serde(default)]
    equivalent: Vec<Equivalent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalent {
    mutant: String,
    why: String,
}

fn inconclusive() -> Outcome {
    Outcome::Inconclusive
}

/// What a check may look at: an application, or the canonical datasets alone.
pub(crate) struct Scope<'a> {
    /// `None` for shared checks.
    pub(crate) app: Option<&'a App>,
    /// Whether a control exists.
    pub(crate) controls: &'a dyn Fn(&str) -> Result<(), String>,
}

/// Where a check is asked, and what it sees there.
struct Place {
    over: Over,
    scan: ScanKind,
    shape: Arc<Shape>,
    /// All datasets by name, and the scans that read them.
    datasets: BTreeMap<String, (DatasetType, Vec<ScanKind>)>,
}

/// Reads a check. `None` when there was an error; all of them are reported.
pub(crate) fn load(
    source: &Source,
    id: CheckId,
    scope: &Scope<'_>,
    errors: &mut Vec<LoadError>,
) -> Option<Check> {
    let before = errors.len();
    let (front_range, body_range) = match split(source) {
        Ok(ranges) => ranges,
        Err(e) => {
            errors.push(e);
            return None;
        }
    };
    let parsed = Doc::parse_part(source, front_range).and_then(|doc| doc.read::<Front>().map(|f| (doc, f)));
    let (doc, front) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => {
            errors.push(e);
            return None;
        }
    };
    words(&doc, &front, errors);
    for (i, control) in front.controls.iter().enumerate() {
        if let Err(remedy) = (scope.controls)(control) {
            errors.push(doc.error(&at("controls").index(i), format!("no control `{control}`"), remedy));
        }
        if front.controls[..i].contains(control) {
            errors.push(doc.error(
                &at("controls").index(i),
                format!("`{control}` stands twice"),
                "Remove one",
            ));
        }
    }
    let params = params(&doc, &front, errors);
    let body = body::read(source, body_range, errors);
    let place = place(&doc, &front, scope, errors)?;
    let env = Env {
        record: Some(Arc::clone(&place.shape)),
        datasets: place.datasets.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect(),
        params: params.iter().map(|(name, p)| (name.clone(), p.kind.clone())).collect(),
        dynamic: false,
    };
    let when = match &front.when {
        None => None,
        Some(when) => Some(compile(&doc, &at("when"), when, &env, errors)?),
    };
    let pass = compile(&doc, &at("pass"), &front.pass, &env, errors)?;
    let reads = reads(&doc, &place, &params, [when.as_ref(), Some(&pass)], errors);
    if let Some(app) = scope.app {
        for (key, program) in when.iter().map(|when| ("when", when)).chain([("pass", &pass)]) {
            seen::check(&doc, &at(key), program, place.over.as_str(), app, errors);
        }
    }
    let says = sentence(&doc, "says", &front.says, &place, &params, errors)?;
    let unknown = match &front.unknown {
        None => None,
        Some(unknown) => Some(sentence(&doc, "unknown", unknown, &place, &params, errors)?),
    };
    let link = link(&doc, &front, &place.shape, scope, errors);
    let types: BTreeMap<String, DatasetType> = place
        .datasets
        .into_iter()
        .filter(|(name, _)| reads.contains(name) || name == place.over.as_str())
        .map(|(name, (kind, _))| (name, kind))
        .collect();
    let facts =
        example::Facts { over: place.over.as_str(), shape: &place.shape, types: &types, params: &params };
    let examples = example::read(source, &body.examples, &facts, front.when.is_some(), errors);
    (errors.len() == before).then(|| Check {
        id,
        app: scope.app.map_or_else(|| AppId::new("shared"), |app| app.id.clone()),
        revision: front.revision,
        title: front.title,
        severity: front.severity,
        over: place.over,
        shape: place.shape,
        scan: place.scan,
        when,
        pass,
        on_empty: front.on_empty,
        params,
        controls: front.controls,
        says,
        unknown,
        remedy: Remedy {
            link,
            why_markdown: source.kept(&body.why),
            steps_markdown: source.kept(&body.steps),
        },
        reads,
        types,
        lifecycle: front.lifecycle,
        examples,
        equivalent: front.equivalent.into_iter().map(|e| (e.mutant, e.why)).collect(),
        file: source.file.clone(),
    })
}

/// The ranges of front matter and body.
fn split(source: &Source) -> Result<(Range<usize>, Range<usize>), LoadError> {
    let text = &source.text;
    if !text.starts_with("+++\n") {
        return Err(source.error(
            0,
            "front matter is missing",
            "Begin the file with a line `+++`, TOML, and `+++`",
        ));
    }
    match text[3..].find("\n+++\n") {
        Some(end) => Ok((4..(3 + end + 1).max(4), 3 + end + 5..text.len())),
        None => Err(source.error(0, "front matter does not end", "Close it with a line `+++`")),
    }
}

fn words(doc: &Doc<'_>, front: &Front, errors: &mut Vec<LoadError>) {
    let title = &front.title;
    let mut wrong = |message: String, remedy: &str| errors.push(doc.error(&at("title"), message, remedy));
    let length = title.chars().count();
    if !(10..=100).contains(&length) {
        wrong(format!("the title has {length} characters"), "10 to 100");
    }
    if title.to_lowercase().starts_with("ensure") {
        wrong(
            "a title never opens with \"Ensure\"".to_owned(),
            "State the secure state: \"Members sign in with ...\"",
        );
    }
    if title.ends_with(['.', '!', '?', ' '])
        || title.starts_with(|c: char| c.is_whitespace() || c.is_lowercase())
    {
        wrong("a title begins with a capital and has no full stop".to_owned(), "Mend it");
    }
    if front.revision == 0 {
        errors.push(doc.error(&at("revision"), "revisions are counted from 1", "Write `revision = 1`"));
    }
    for (i, equivalent) in front.equivalent.iter().enumerate() {
        if equivalent.why.chars().count() < 10 {
            let at = at("equivalent").index(i).key("why");
            errors.push(doc.error(&at, "the reason is missing", "Say why no example can notice this mutant"));
        }
    }
}

fn params(doc: &Doc<'_>, front: &Front, errors: &mut Vec<LoadError>) -> BTreeMap<String, Param> {
    use toml::Value as V;
    let mut params = BTreeMap::new();
    for (name, value) in &front.params {
        let at = at("params").key(name);
        if !is_name(name) {
            let message = format!("`{name}` cannot be a parameter's name");
            errors.push(doc.error(&at, message, "Small letters, digits and `_`"));
        }
        let (kind, default) = match value {
            V::Boolean(b) => (Type::Bool, Value::Bool(*b)),
            V::Integer(i) => (Type::Int, Value::Int(*i)),
            V::Float(d) => (Type::Double, Value::Double(*d)),
            V::String(s) => (Type::String, Value::string(s.as_str())),
            V::Array(items) if items.iter().all(V::is_str) => {
                let items = items.iter().filter_map(V::as_str).map(Value::string).collect();
                (Type::List(Box::new(Type::String)), Value::list(items))
            }
            _ => {
                let remedy = "A number, text, true or false, or a list of texts";
                errors.push(doc.error(
                    &at,
                    format!("`{name}` has a type that parameters cannot have"),
                    remedy,
                ));
                continue;
            }
        };
        params.insert(name.clone(), Param { kind, default });
    }
    params
}

fn place(doc: &Doc<'_>, front: &Front, scope: &Scope<'_>, errors: &mut Vec<LoadError>) -> Option<Place> {
    let mut datasets: BTreeMap<String, (DatasetType, Vec<ScanKind>)> = BTreeMap::new();
    let canonical = |shape: &Arc<Shape>| DatasetType { shape: Arc::clone(shape), key: Some("id".to_owned()) };
    if let Some(app) = scope.app {
        let types = mapping::types(&app.datasets);
        for dataset in &app.datasets {
            if let Some(kind) = types.get(&dataset.spec.name) {
                datasets.insert(dataset.spec.name.clone(), (kind.clone(), dataset.spec.scans.clone()));
            }
        }
    }
    if scope.app.is_none_or(|app| !app.accounts.is_empty()) {
        datasets.insert("account".to_owned(), (canonical(&model::account::SHAPE), vec![ScanKind::Accounts]));
    }
    if scope.app.is_none_or(|app| !app.plugins.is_empty()) {
        datasets.insert("plugin".to_owned(), (canonical(&model::plugin::SHAPE), vec![ScanKind::Plugins]));
    }
    let Some((kind, scans)) = datasets.get(&front.over) else {
        let known: Vec<&str> = datasets.keys().map(String::as_str).collect();
        errors.push(doc.error(
            &at("over"),
            format!("no dataset `{}`", front.over),
            suggest(&front.over, &known),
        ));
        return None;
    };
    let walked = scope.app.and_then(|app| app.dataset(&front.over)).is_some_and(|dataset| {
        dataset.spec.key.is_none() && dataset.requests.iter().any(|r| r.spec.for_each.is_some())
    });
    if walked {
        let message = format!("records of `{}` cannot be told apart: it has no key", front.over);
        errors.push(doc.error(&at("over"), message, "Give the dataset a `key`, or ask over what it walks"));
        return None;
    }
    let first = scans.first().copied()?;
    let scan = front.scan.unwrap_or(first);
    if !scans.contains(&scan) {
        let message = format!("the {scan} scan does not read `{}`", front.over);
        errors.push(doc.error(&at("scan"), message, format!("For example `scan = \"{first}\"`")));
        return None;
    }
    let over = match front.over.as_str() {
        "account" => Over::Account,
        "plugin" => Over::Plugin,
        name => Over::Dataset(name.to_owned()),
    };
    Some(Place { over, scan, shape: Arc::clone(&kind.shape), datasets })
}

fn compile(doc: &Doc<'_>, at: &At, source: &str, env: &Env, errors: &mut Vec<LoadError>) -> Option<Program> {
    expr::compile(source, env, &Expected::Bool).map_err(|e| errors.push(doc.expression_error(at, &e))).ok()
}

fn reads(
    doc: &Doc<'_>,
    place: &Place,
    params: &BTreeMap<String, Param>,
    programs: [Option<&Program>; 2],
    errors: &mut Vec<LoadError>,
) -> BTreeSet<String> {
    let mut reads = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (key, program) in ["when", "pass"].into_iter().zip(programs) {
        let Some(program) = program else { continue };
        used.extend(program.uses().params.iter().cloned());
        for name in program.uses().datasets.keys() {
            if let Some((_, scans)) = place.datasets.get(name)
                && !scans.contains(&place.scan)
            {
                let message =
                    format!("the {} scan, which answers this check, does not read `{name}`", place.scan);
                let remedy = format!("Add \"{}\" to the scans of `{name}`, or set `scan`", place.scan);
                errors.push(doc.error(&at(key), message, remedy));
            }
            reads.insert(name.clone());
        }
    }
    for name in params.keys().filter(|name| !used.contains(*name)) {
        let message = format!("parameter `{name}` is not used");
        errors.push(doc.error(
            &at("params").key(name),
            message,
            format!("Use `params.{name}`, or remove it"),
        ));
    }
    reads
}

fn sentence(
    doc: &Doc<'_>,
    key: &str,
    text: &str,
    place: &Place,
    params: &BTreeMap<String, Param>,
    errors: &mut Vec<LoadError>,
) -> Option<Template> {
    let length = text.chars().count();
    if !(10..=300).contains(&length) || text.ends_with(['.', '!', ' ']) {
        let message = format!("`{key}` has {length} characters, or ends with a full stop");
        errors.push(doc.error(&at(key), message, "One sentence of 10 to 300 characters without full stop"));
    }
    let template = template(doc, &at(key), text, errors)?;
    for name in template.placeholders() {
        let known = match name.strip_prefix("params.") {
            Some(param) => params.contains_key(param),
            None => has_path(&place.shape, name),
        };
        if !known {
            let fields: Vec<&str> = place.shape.fields.iter().map(|f| f.name.as_str()).collect();
            let message =
                format!("`{{{name}}}` is neither a field of `{}` nor a parameter", place.over.as_str());
            errors.push(doc.error(&at(key), message, suggest(name, &fields)));
        }
    }
    Some(template)
}

fn template(doc: &Doc<'_>, at: &At, text: &str, errors: &mut Vec<LoadError>) -> Option<Template> {
    Template::parse(text)
        .map_err(|(offset, message)| {
            errors.push(doc.error_in(at, offset, message, "Placeholders are written `{name}`"));
        })
        .ok()
}

fn link(
    doc: &Doc<'_>,
    front: &Front,
    shape: &Shape,
    scope: &Scope<'_>,
    errors: &mut Vec<LoadError>,
) -> Option<Template> {
    let text = front.link.as_ref()?;
    let place = at("link");
    let template = template(doc, &place, text, errors)?;
    let settings: Vec<&str> =
        scope.app.iter().flat_map(|a| a.manifest.setting.iter().map(|s| s.name.as_str())).collect();
    for name in template.placeholders() {
        if name != "console" && !settings.contains(&name) && !has_path(shape, name) {
            let mut known = settings.clone();
            known.push("console");
            known.extend(shape.fields.iter().map(|f| f.name.as_str()));
            let message =
                format!("`{{{name}}}` is neither console, a setting, nor a field of `{}`", front.over);
            errors.push(doc.error(&place, message, suggest(name, &known)));
        }
    }
    let whole = template.is_one_placeholder();
    let fixed_host = text.strip_prefix("https://").is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && !host.contains(['{', '@'])
    });
    if !(whole || text == "{console}" || text.starts_with("{console}/") || fixed_host) {
        let remedy = "`{console}/...`, `https://<fixed host>/...`, or one field that holds a whole address";
        errors.push(doc.error(&place, "this link could lead anywhere", remedy));
    }
    Some(template)
}
