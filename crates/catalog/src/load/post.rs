//! Reads that a vendor offers by POST only: a fixed body with typed slots.

use crate::app::DatasetSpec;
use crate::load::cross::Context;
use crate::load::doc::{At, suggest};
use crate::load::files::Files;
use crate::manifest::{Dataset, Host, Paging, Request};

/// The most ids that go into one body.
const BATCH: u32 = 5_000;

/// Looks at a request's body and batches.
pub(crate) fn check(
    cx: &mut Context<'_>,
    at: &At,
    dataset: &Dataset,
    request: &Request,
    walked: Option<&DatasetSpec>,
    files: &Files,
) {
    batch(cx, at, request, walked);
    let hosts: Vec<&Host> =
        cx.manifest.deployment.iter().filter_map(|d| d.hosts.get(&request.host)).collect();
    let rpc = hosts.iter().find_map(|h| h.rpc.as_ref());
    let Some(body) = &request.post else { return };
    let place = at.key("post");
    if !files.may_post(cx.app, &request.path) {
        let (app, path) = (cx.app, toml::Value::from(request.path.as_str()));
        let message =
            format!("`{}` would send POST requests to {path}, which nobody has allowed", dataset.name);
        // What a POST does, no rule can tell.
        let remedy = format!(
            "Where that only reads, add the line `{app} = [{path}]` below `[allow_post]` in the server's configuration, and \
             `--allow-post '{app}={}'` to `parapet app try` and `parapet scan`; or read it by GET",
            request.path
        );
        cx.error(&place, message, remedy);
    }
    if request.graphql.is_some() {
        cx.error(&place, "`post` beside `graphql`", "A GraphQL document has its own body; use `variables`");
    }
    if request.paging == Paging::Link {
        let remedy = "Read what a POST gives in one answer, or by a cursor";
        cx.error(&at.key("paging"), "a link cannot be followed with a body", remedy);
    }
    for (key, value) in body {
        slots(cx, &place.key(key), value, request, walked);
    }
    if let Some(rpc) = rpc {
        let mut found = None;
        let mut steps = rpc.at.split('.');
        if let Some(first) = steps.next() {
            found = steps.try_fold(body.get(first), |at, step| Some(at?.get(step))).flatten();
        }
        let name = found.and_then(toml::Value::as_str).unwrap_or_default();
        if !rpc.allow.iter().any(|pattern| fits(pattern, name)) {
            let message = format!("`{name}` at `{}` is not among the methods of this host", rpc.at);
            cx.error(&place, message, format!("Allowed are: {}", rpc.allow.join(", ")));
        }
    }
}

/// Patterns of methods: one star, before or after something that names what only reads.
pub(crate) fn methods(cx: &mut Context<'_>, at: &At, host: &Host) {
    let Some(rpc) = &host.rpc else { return };
    if rpc.at.is_empty() || rpc.allow.is_empty() {
        cx.error(
            &at.key("rpc"),
            "methods without a place or without names",
            "Say where they stand, and which",
        );
    }
    for (i, pattern) in rpc.allow.iter().enumerate() {
        let plain = pattern.replacen('*', "", 1);
        if plain.len() < 3 || plain.contains('*') {
            let message = format!("`{pattern}` allows too much");
            cx.error(&at.key("rpc").key("allow").index(i), message, "For example `Get-*` or `*.list`");
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

fn batch(cx: &mut Context<'_>, at: &At, request: &Request, walked: Option<&DatasetSpec>) {
    let Some(each) = request.for_each.as_ref().filter(|each| each.batch.is_some()) else { return };
    let at = at.key("for_each").key("batch");
    if each.batch.is_some_and(|n| n == 0 || n > BATCH) {
        cx.error(&at, "`batch` is out of range", format!("1 to {BATCH}, at most what the vendor allows"));
    }
    if request.post.is_none() {
        cx.error(
            &at,
            "`batch` without `post`: there is no body to put them in",
            "Add `post = { ids = \"{each}\" }`",
        );
    }
    if each.values_of.is_none() && walked.is_some_and(|w| w.spec.key.is_none()) {
        cx.error(&at, format!("`{}` has no key to put into the body", each.dataset), "Add `values_of`");
    }
}

/// A slot is a whole value: nothing is joined to text in a body.
fn slots(
    cx: &mut Context<'_>,
    at: &At,
    value: &toml::Value,
    request: &Request,
    walked: Option<&DatasetSpec>,
) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                slots(cx, &at.key(key), value, request, walked);
            }
        }
        toml::Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                slots(cx, &at.index(i), value, request, walked);
            }
        }
        toml::Value::String(text) if text.contains(['{', '}']) => {
            let name = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default();
            if name.is_empty() || name.contains(['{', '}']) {
                let remedy = "Write the placeholder alone: `\"{each}\"`";
                cx.error(at, format!("`{text}`: a slot is a whole value"), remedy);
                return;
            }
            slot(cx, at, name, request, walked);
        }
        _ => {}
    }
}

fn slot(cx: &mut Context<'_>, at: &At, name: &str, request: &Request, walked: Option<&DatasetSpec>) {
    let field = name.strip_prefix("each.");
    if name != "each" && field.is_none() {
        cx.setting(at, name, false);
        return;
    }
    let Some(each) = &request.for_each else {
        cx.error(at, format!("`{{{name}}}` without `for_each`"), "Add `for_each = { dataset = \"...\" }`");
        return;
    };
    let whole = each.batch.is_some() || each.values_of.is_some();
    match field {
        None if whole => {}
        None => {
            cx.error(at, "`{each}`: records are walked, not values", "Write `{each.<field>}`, or add `batch`")
        }
        Some(_) if whole => {
            cx.error(at, format!("`{{{name}}}`: values are walked, not records"), "Write `{each}`");
        }
        Some(field) => {
            if let Some(walked) = walked.filter(|w| w.shape.field(field).is_none()) {
                let known: Vec<&str> = walked.shape.fields.iter().map(|f| f.name.as_str()).collect();
                cx.error(at, format!("`{}` has no field `{field}`", each.dataset), suggest(field, &known));
            }
        }
    }
}
