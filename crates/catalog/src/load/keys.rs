//! Unknown fields in tables whose fields depend on their `kind`.
//!
//! The TOML reader refuses unknown fields everywhere else by itself; in these it would either let them pass or lose their
//! place, so they are looked at by hand before.

use crate::LoadError;
use crate::load::doc::{At, Doc, at, suggest};

const AUTH: &[&str] = &["id", "title", "help", "kind", "granted", "implies", "subject", "expiry"];

/// Kinds of `[[auth]]` with their own fields; a star marks those that must be there.
pub(crate) const AUTH_KINDS: &[(&str, &[&str])] = &[
    ("bearer", &[]),
    ("header", &["header*", "prefix"]),
    ("basic", &["username_title", "password_title"]),
    ("client_credentials", &["token*", "client_auth", "scope", "extra"]),
    ("app_installation", &["installation*", "token*"]),
];

/// Kinds of `paging`, likewise.
pub(crate) const PAGING_KINDS: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("link", &[]),
    ("next_url", &["at*"]),
    ("cursor", &["at*", "param*"]),
    ("page", &["param*", "start", "size_param", "size*", "total_at"]),
    ("offset", &["param*", "start", "size_param", "size*", "total_at*", "bare_first"]),
    ("graphql", &["at*", "variable"]),
];

/// Looks at every such table of a manifest.
pub(crate) fn check(doc: &Doc<'_>, errors: &mut Vec<LoadError>) {
    for i in 0..doc.len(&at("auth")) {
        table(doc, &at("auth").index(i), AUTH, AUTH_KINDS, errors);
    }
    for i in 0..doc.len(&at("dataset")) {
        let requests = at("dataset").index(i).key("request");
        for j in 0..doc.len(&requests) {
            let paging = requests.index(j).key("paging");
            if doc.value(&paging).is_some() {
                table(doc, &paging, &["kind"], PAGING_KINDS, errors);
            }
        }
    }
}

fn table(doc: &Doc<'_>, at: &At, common: &[&str], kinds: &[(&str, &[&str])], errors: &mut Vec<LoadError>) {
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    let Some(kind) = doc.value(&at.key("kind")).and_then(|v| v.get_ref().as_str()) else {
        errors.push(doc.error(at, "`kind` is missing", format!("One of: {}", names.join(", "))));
        return;
    };
    let Some((_, own)) = kinds.iter().find(|(name, _)| *name == kind) else {
        errors.push(doc.error(&at.key("kind"), format!("unknown kind `{kind}`"), suggest(kind, &names)));
        return;
    };
    let known: Vec<&str> = common.iter().chain(*own).map(|name| name.trim_end_matches('*')).collect();
    for (key, offset) in doc.keys(at) {
        if !known.contains(&key) {
            let message = format!("unknown field `{key}` for kind `{kind}`");
            errors.push(doc.source.error(offset, message, suggest(key, &known)));
        }
    }
    for name in own.iter().filter_map(|name| name.strip_suffix('*')) {
        if doc.value(&at.key(name)).is_none() {
            let message = format!("kind `{kind}` needs `{name}`");
            errors.push(doc.error(at, message, format!("Add `{name} = ...` here")));
        }
    }
}
