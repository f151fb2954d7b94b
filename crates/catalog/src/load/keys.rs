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
    (
        "client_credentials",
        &[
            "token*",
            "client_auth",
            "grant",
            "scope",
            "scope_by_permission",
            "scope_refused",
            "audience",
            "extra",
        ],
    ),
    (
        "jwt_bearer",
        &[
            "token*",
            "key",
            "scope",
            "scope_by_permission",
            "scope_refused",
            "audience",
            "subject_title",
            "extra",
        ],
    ),
    (
        "authorization_code",
        &[
            "authorize*",
            "token*",
            "client_auth",
            "scope",
            "scope_by_permission",
            "audience",
            "authorize_extra",
            "extra",
        ],
    ),
    (
        "session",
        &[
            "login*",
            "body",
            "username_at",
            "password_at",
            "extra",
            "cookie",
            "username_title",
            "password_title",
        ],
    ),
    ("app_installation", &["installation*", "token*"]),
];

/// Kinds of `paging`, likewise.
pub(crate) const PAGING_KINDS: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("link", &[]),
    ("next_url", &["at*"]),
    ("cursor", &["at*", "param*"]),
    ("page", &["param*", "start", "size_param", "size*", "total_at"]),
    ("offset", &["param*", "start", "size_param", "size*", "total_at", "bare_first"]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Auth, Paging};

    /// A value for a key of these tables, in TOML.
    fn value(key: &str) -> &'static str {
        match key {
            "token" | "installation" | "login" | "authorize" => "{ path = \"/x\" }",
            "extra" | "authorize_extra" => "{ k = \"v\" }",
            "start" | "size" => "7",
            "bare_first" | "scope_by_permission" => "true",
            "scope_refused" => "[\"x\"]",
            "key" => "\"private_key\"",
            "client_auth" => "\"body\"",
            "body" => "\"form\"",
            _ => "\"x\"",
        }
    }

    fn table(kind: &str, keys: &[&str], further: &str) -> String {
        let keys = keys.iter().map(|k| k.trim_end_matches('*'));
        let lines: Vec<String> = keys.map(|k| format!("{k} = {}", value(k))).collect();
        format!("kind = \"{kind}\"\n{further}{}", lines.join("\n"))
    }

    #[test]
    fn the_tables_name_what_the_types_read() {
        for (kind, keys) in AUTH_KINDS {
            let auth =
                |keys: &[&str]| toml::from_str::<Auth>(&table(kind, keys, "id = \"a\"\ntitle = \"A\"\n"));
            let full = format!("{:?}", auth(keys).expect(kind).kind);
            for key in *keys {
                let without: Vec<&str> = keys.iter().copied().filter(|k| k != key).collect();
                match auth(&without) {
                    Err(_) => assert!(key.ends_with('*'), "{kind} needs {key}"),
                    Ok(auth) => {
                        assert!(!key.ends_with('*'), "{kind} does not need {key}");
                        assert_ne!(format!("{:?}", auth.kind), full, "{kind} reads {key}");
                    }
                }
            }
        }
        for (kind, keys) in PAGING_KINDS {
            let paging = |keys: &[&str]| toml::from_str::<Paging>(&table(kind, keys, ""));
            let full = format!("{:?}", paging(keys).expect(kind));
            for key in *keys {
                let without: Vec<&str> = keys.iter().copied().filter(|k| k != key).collect();
                match paging(&without) {
                    Err(_) => assert!(key.ends_with('*'), "{kind} needs {key}"),
                    Ok(paging) => {
                        assert!(!key.ends_with('*'), "{kind} does not need {key}");
                        assert_ne!(format!("{paging:?}"), full, "{kind} reads {key}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_tables_name_every_kind() {
        let words = |e: toml::de::Error| {
            e.message().split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let kinds =
            |table: &[(&str, &[&str])]| table.iter().map(|(k, _)| (*k).to_owned()).collect::<Vec<_>>();
        let auth =
            toml::from_str::<Auth>("id = \"a\"\ntitle = \"A\"\nkind = \"?\"").expect_err("no such kind");
        assert_eq!(words(auth)[1..], kinds(AUTH_KINDS));
        let paging = toml::from_str::<Paging>("kind = \"?\"").expect_err("no such kind");
        assert_eq!(words(paging)[1..], kinds(PAGING_KINDS));
    }
}
