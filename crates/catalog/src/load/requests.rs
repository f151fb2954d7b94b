//! Requests of a dataset: addresses, placeholders, paging and documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::value::Type;

use crate::app::{DatasetSpec, RequestSpec};
use crate::load::cross::{Context, is_header_name};
use crate::load::doc::{At, suggest};
use crate::load::fields::{constant_fits, json_path};
use crate::load::files::Files;
use crate::load::graphql::{self, QueryDocument};
use crate::load::seen;
use crate::manifest::{Dataset, Paging, Request};
use crate::template::Template;

/// Headers that belong to the engine or to the credential.
const REFUSED_HEADERS: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-none-match",
    "proxy-authorization",
    "transfer-encoding",
    "user-agent",
];
/// The largest page that is asked for.
const PAGE: u32 = 10_000;

/// Prepares one request of a dataset; `earlier` are the datasets that it may walk.
pub(crate) fn prepare(
    cx: &mut Context<'_>,
    files: &Files,
    at: &At,
    dataset: &Dataset,
    request: &Request,
    shape: &model::value::Shape,
    earlier: &[DatasetSpec],
) -> RequestSpec {
    cx.host(&at.key("host"), &request.host, &dataset.deployments);
    let walked = fan_out(cx, at, dataset, request, earlier);
    let placeholder = |cx: &mut Context<'_>, at: &At, text: &str, in_path: bool| {
        placeholders(cx, at, text, in_path, request, walked);
    };
    cx.path(&at.key("path"), &request.path);
    placeholder(cx, &at.key("path"), &request.path, true);
    for (name, value) in &request.query {
        placeholder(cx, &at.key("query").key(name), value, false);
    }
    for (name, value) in &request.variables {
        placeholder(cx, &at.key("variables").key(name), value, false);
    }
    crate::load::post::check(cx, at, dataset, request, walked, files);
    headers(cx, &at.key("headers"), &request.headers);
    json_path(cx.doc, &at.key("records"), &request.records, cx.errors);
    if let Some(path) = &request.empty_with {
        let at = at.key("empty_with");
        json_path(cx.doc, &at, path, cx.errors);
        if request.records.is_empty() || request.graphql.is_some() {
            cx.error(
                &at,
                "`empty_with` where no list of the answer is named",
                "Remove it, or name `records`",
            );
        }
    }
    for (name, value) in &request.set {
        let at = at.key("set").key(name);
        match shape.field(name) {
            None => {
                let known: Vec<&str> = shape.fields.iter().map(|f| f.name.as_str()).collect();
                cx.error(&at, format!("`{}` has no field `{name}`", dataset.name), suggest(name, &known));
            }
            Some((_, field)) if !constant_fits(value, &field.kind) => {
                cx.error(&at, format!("`{name}` is of another type"), "Write a value of the field's type");
            }
            Some(_) => {}
        }
    }
    for (name, path) in &request.paths {
        let at = at.key("paths").key(name);
        if shape.field(name).is_none() {
            let known: Vec<&str> = shape.fields.iter().map(|f| f.name.as_str()).collect();
            cx.error(&at, format!("`{}` has no field `{name}`", dataset.name), suggest(name, &known));
        }
        json_path(cx.doc, &at, path, cx.errors);
    }
    for (i, field) in dataset.field.iter().enumerate() {
        if let Some(each) = &field.each {
            each_exists(cx, &cx.dataset_at(&dataset.name).key("field").index(i), each, request, walked);
        }
    }
    if dataset.key.is_none() && request.for_each.is_none() && request.paging != Paging::None {
        let message = format!("`{}` has no key, so it is one object, and cannot have pages", dataset.name);
        cx.error(&at.key("paging"), message, "Give the dataset a `key`");
    }
    let document = document(cx, files, at, dataset, request);
    paging(cx, at, request, document.as_ref().map(|(_, query)| query));
    let filter = filter(cx, at, request, walked);
    RequestSpec { spec: request.clone(), document: document.map(|(text, _)| text), filter }
}

fn fan_out<'e>(
    cx: &mut Context<'_>,
    at: &At,
    dataset: &Dataset,
    request: &Request,
    earlier: &'e [DatasetSpec],
) -> Option<&'e DatasetSpec> {
    let each = request.for_each.as_ref()?;
    let at = at.key("for_each");
    let walked = cx.earlier(&at.key("dataset"), &each.dataset, dataset, earlier)?;
    if let Some(field) = &each.values_of {
        let at = at.key("values_of");
        match walked.shape.field(field) {
            Some((_, f)) if matches!(&f.kind, Type::List(k) if matches!(**k, Type::String | Type::Int)) => {}
            Some(_) => {
                cx.error(&at, format!("`{field}` is no list of texts or numbers"), "Name a list field")
            }
            None => {
                let known: Vec<&str> = walked.shape.fields.iter().map(|f| f.name.as_str()).collect();
                cx.error(&at, format!("`{}` has no field `{field}`", each.dataset), suggest(field, &known));
            }
        }
    }
    Some(walked)
}

fn filter(
    cx: &mut Context<'_>,
    at: &At,
    request: &Request,
    walked: Option<&DatasetSpec>,
) -> Option<expr::Program> {
    let source = request.for_each.as_ref()?.filter.as_ref()?;
    let settings = cx.settings();
    let (walked, at) = (walked?, at.key("for_each").key("where"));
    let filter = cx.condition(&at, source, &walked.shape, settings)?;
    seen::not_yet(cx, &at, &filter, &walked.spec);
    Some(filter)
}

/// Every placeholder of a text must be a setting, or a field of the walked record.
fn placeholders(
    cx: &mut Context<'_>,
    at: &At,
    text: &str,
    in_path: bool,
    request: &Request,
    walked: Option<&DatasetSpec>,
) {
    let Some(template) = cx.template(at, text) else { return };
    for name in template.placeholders() {
        if name == "each" || name.starts_with("each.") {
            each_placeholder(cx, at, name, request, walked);
        } else if let Some((_, date)) = crate::template::days_ago(name) {
            if in_path && !date {
                cx.error(at, format!("`{{{name}}}` in a path"), "In a path write `{date_days_ago_...}`");
            }
        } else {
            cx.setting(at, name, in_path);
        }
    }
}

fn each_placeholder(
    cx: &mut Context<'_>,
    at: &At,
    name: &str,
    request: &Request,
    walked: Option<&DatasetSpec>,
) {
    let Some(each) = &request.for_each else {
        cx.error(at, format!("`{{{name}}}` without `for_each`"), "Add `for_each = { dataset = \"...\" }`");
        return;
    };
    if each.batch.is_some() {
        cx.error(at, format!("`{{{name}}}` with `batch`: it is a list"), "Put it into `post` as `{each}`");
        return;
    }
    let field = name.strip_prefix("each.");
    match (field, &each.values_of) {
        (Some(_), Some(_)) => {
            cx.error(at, format!("`{{{name}}}`: values are walked, not records"), "Write `{each}`");
        }
        (None, None) => {
            cx.error(
                at,
                "`{each}`: records are walked, not values",
                "Write `{each.<field>}`, or add `values_of`",
            );
        }
        (Some(field), None) => {
            if let Some(walked) = walked
                && !crate::template::has_path(&walked.shape, field)
            {
                let known: Vec<&str> = walked.shape.fields.iter().map(|f| f.name.as_str()).collect();
                cx.error(at, format!("`{}` has no field `{field}`", each.dataset), suggest(field, &known));
            }
        }
        (None, Some(_)) => {}
    }
}

/// A field that is taken from the fan-out's record.
fn each_exists(cx: &mut Context<'_>, at: &At, each: &str, request: &Request, walked: Option<&DatasetSpec>) {
    let at = at.key("each");
    match (&request.for_each, walked) {
        (None, _) => {
            cx.error(
                &at,
                "`each` in a dataset whose request has no `for_each`",
                "Add `for_each` or take it by `path`",
            );
        }
        (Some(f), _) if f.batch.is_some() => {
            let remedy = "Take it from the answer by `path`";
            cx.error(&at, "`each` with `batch`: which record an answer is for is not known", remedy);
        }
        (Some(f), _) if (each == ".") != f.values_of.is_some() => {
            let remedy =
                "`each = \".\"` is the walked value of `values_of`; else name a field of the walked record";
            cx.error(&at, format!("`each = \"{each}\"` does not fit `for_each`"), remedy);
        }
        (Some(f), Some(walked)) if each != "." && walked.shape.field(each).is_none() => {
            let known: Vec<&str> = walked.shape.fields.iter().map(|f| f.name.as_str()).collect();
            cx.error(&at, format!("`{}` has no field `{each}`", f.dataset), suggest(each, &known));
        }
        _ => {}
    }
}

/// Headers that a manifest sends.
pub(crate) fn headers(cx: &mut Context<'_>, at: &At, headers: &BTreeMap<String, String>) {
    for (name, value) in headers {
        let at = at.key(name);
        if REFUSED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            cx.error(
                &at,
                format!("header `{name}` cannot be set here"),
                "It belongs to the credential or the engine",
            );
        } else if !is_header_name(name) {
            cx.error(&at, format!("`{name}` is not a header's name"), "Letters, digits and `-`");
        }
        if value.chars().any(|c| !(' '..='~').contains(&c)) || value.contains(['{', '}']) {
            cx.error(
                &at,
                format!("value of `{name}` has characters that are refused"),
                "Plain ASCII, no placeholders",
            );
        }
    }
}

fn document(
    cx: &mut Context<'_>,
    files: &Files,
    at: &At,
    dataset: &Dataset,
    request: &Request,
) -> Option<(Arc<str>, QueryDocument)> {
    let Some(name) = &request.graphql else {
        if !request.variables.is_empty() {
            cx.error(&at.key("variables"), "variables without a GraphQL document", "Use `query`");
        }
        if request.path.is_empty() {
            cx.error(at, "`path` is missing", "Add `path = \"/...\"`");
        }
        return None;
    };
    if !request.query.is_empty() {
        cx.error(&at.key("query"), "query parameters on a GraphQL request", "Use `variables`");
    }
    let plain = name.strip_suffix(".graphql").is_some_and(|stem| {
        !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    });
    let source = plain.then(|| files.get(&format!("apps/{}/{name}", cx.app))).flatten();
    let Some(source) = source else {
        let remedy = "Name a `.graphql` file in the application's folder";
        cx.error(&at.key("graphql"), format!("no document `{name}`"), remedy);
        return None;
    };
    cx.used_documents.insert(name.clone());
    let query = match graphql::parse(&source) {
        Ok(query) => query,
        Err(e) => {
            cx.errors.push(e);
            return None;
        }
    };
    variables(cx, at, request, &query);
    selections(cx, at, dataset, request, &query);
    Some((source.text, query))
}

fn variables(cx: &mut Context<'_>, at: &At, request: &Request, query: &QueryDocument) {
    let cursor = match &request.paging {
        Paging::Graphql { variable, .. } => Some(variable.as_str()),
        _ => None,
    };
    let known: Vec<&str> = query.variables().map(|v| v.name).collect();
    for name in request.variables.keys() {
        if !known.contains(&name.as_str()) {
            let message = format!("the document declares no variable `${name}`");
            cx.error(&at.key("variables").key(name), message, suggest(name, &known));
        }
    }
    if let Some(cursor) = cursor {
        match query.variables().find(|v| v.name == cursor) {
            None => {
                let message = format!("the document declares no variable `${cursor}` for the cursor");
                cx.error(
                    &at.key("paging"),
                    message,
                    format!("Declare `${cursor}: String` and pass it as `after:`"),
                );
            }
            Some(v) if v.kind != "String" => {
                let message = format!("`${cursor}: {}` cannot take the cursor", v.kind);
                cx.error(&at.key("paging"), message, "Declare it as `String`: the first page has none");
            }
            Some(_) if request.variables.contains_key(cursor) => {
                let message = format!("`${cursor}` is the cursor and cannot be set");
                cx.error(&at.key("variables").key(cursor), message, "Remove it");
            }
            Some(_) => {}
        }
    }
    for v in query.variables() {
        if v.required && !request.variables.contains_key(v.name) {
            let remedy = format!("Add it to `variables`, or give it a default in {}", display_name(request));
            cx.error(at, format!("variable `${}` is not given", v.name), remedy);
        }
    }
}

fn display_name(request: &Request) -> &str {
    request.graphql.as_deref().unwrap_or("the document")
}

fn selections(cx: &mut Context<'_>, at: &At, dataset: &Dataset, request: &Request, query: &QueryDocument) {
    let document = display_name(request).to_owned();
    let report = |cx: &mut Context<'_>, at: &At, result: Result<(), (String, Vec<String>)>| {
        if let Err((name, known)) = result {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            cx.error(at, format!("{document} does not select `{name}` there"), suggest(&name, &known));
        }
    };
    let records = query.selects(&request.records);
    let records_ok = records.is_ok();
    report(cx, &at.key("records"), records);
    if !records_ok {
        return;
    }
    // With several requests, each may fill its part of the fields; one alone must fill all.
    let alone = dataset.request.len() == 1;
    for (i, field) in dataset.field.iter().enumerate() {
        let own = request.paths.get(&field.name);
        if field.each.is_some() || request.set.contains_key(&field.name) || (!alone && own.is_none()) {
            continue;
        }
        let place = match own {
            Some(_) => at.key("paths").key(&field.name),
            None => cx.dataset_at(&dataset.name).key("field").index(i),
        };
        let path = own.or(field.path.as_ref()).unwrap_or(&field.name);
        report(cx, &place, query.selects_below(&request.records, path));
        if let Some(path) = &field.incomplete_at {
            let place = cx.dataset_at(&dataset.name).key("field").index(i).key("incomplete_at");
            report(cx, &place, query.selects_below(&request.records, path));
        }
    }
}

fn paging(cx: &mut Context<'_>, at: &At, request: &Request, query: Option<&QueryDocument>) {
    let place = at.key("paging");
    let graphql = request.graphql.is_some();
    let fits = match &request.paging {
        Paging::None => true,
        Paging::Graphql { .. } => graphql,
        _ => !graphql,
    };
    if !fits {
        let remedy =
            if graphql { "Use kind `graphql`" } else { "Name the document in `graphql`, or page otherwise" };
        cx.error(&place, "this paging is impossible for this request", remedy);
        return;
    }
    let mut params: Vec<(&str, &str)> = Vec::new();
    match &request.paging {
        Paging::None | Paging::Link => {}
        Paging::NextUrl { at } => needs_path(cx, &place, "at", at),
        Paging::Cursor { at, param } => {
            needs_path(cx, &place, "at", at);
            params.push(("param", param));
        }
        Paging::Page { param, size_param, size, total_at, .. } => {
            page_size(cx, &place, *size);
            params.push(("param", param));
            params.extend(size_param.as_deref().map(|p| ("size_param", p)));
            if let Some(total_at) = total_at {
                needs_path(cx, &place, "total_at", total_at);
            }
        }
        Paging::Offset { param, size_param, size, total_at, bare_first, .. } => {
            page_size(cx, &place, *size);
            params.push(("param", param));
            params.extend(size_param.as_deref().map(|p| ("size_param", p)));
            match total_at {
                Some(total_at) => needs_path(cx, &place, "total_at", total_at),
                None if *bare_first => {
                    let message = "`bare_first` without a total: nothing says whether there is more";
                    cx.error(&place.key("bare_first"), message, "Add `total_at`, or remove it");
                }
                None => {}
            }
        }
        Paging::Graphql { at, .. } => {
            needs_path(cx, &place, "at", at);
            for field in ["hasNextPage", "endCursor"] {
                if let Some(Err((name, known))) = query.map(|q| q.selects(&format!("{at}.{field}"))) {
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let message = format!(
                        "paging is impossible: `{name}` is not selected on the way to `{at}.{field}`"
                    );
                    cx.error(&place.key("at"), message, suggest(&name, &known));
                }
            }
        }
    }
    for (i, (key, param)) in params.iter().enumerate() {
        if param.is_empty() {
            cx.error(&place.key(key), format!("`{key}` is empty"), "Name the query parameter");
        } else if request.query.contains_key(*param) || params[..i].iter().any(|(_, p)| p == param) {
            let message = format!("paging is impossible: `{param}` is set twice");
            cx.error(&place.key(key), message, "Paging sets it; remove the other");
        }
    }
}

fn needs_path(cx: &mut Context<'_>, place: &At, key: &str, path: &str) {
    if path.is_empty() || path == "." {
        cx.error(
            &place.key(key),
            format!("paging is impossible: `{key}` leads nowhere"),
            "Name where it stands",
        );
    }
    json_path(cx.doc, &place.key(key), path, cx.errors);
}

fn page_size(cx: &mut Context<'_>, place: &At, size: u32) {
    if size == 0 || size > PAGE {
        let message = format!("paging is impossible with {size} records a page");
        cx.error(&place.key("size"), message, format!("1 to {PAGE}, at most what the vendor allows"));
    }
}

/// Names of a template's placeholders that are settings: shared with endpoints outside datasets.
pub(crate) fn only_settings(cx: &mut Context<'_>, at: &At, template: &Template, further: &[&str]) {
    for name in template.placeholders() {
        if !further.contains(&name) {
            cx.setting(at, name, true);
        }
    }
}
