//! `docs/reference/manifest.md`: the vocabulary, read from the types that parse it. Their doc comments are the text, so the
//! page cannot say what the loader does not do.

use std::fmt::Write as _;

use super::{code, table, words};
use crate::manifest::SOURCES;

/// One type of the vocabulary.
pub(super) struct Item<'s> {
    pub(super) name: &'s str,
    docs: String,
    pub(super) is_enum: bool,
    /// Fields of a struct, or variants of an enumeration.
    pub(super) members: Vec<Member<'s>>,
}

/// A field or a variant.
pub(super) struct Member<'s> {
    pub(super) name: String,
    pub(super) kind: &'s str,
    pub(super) optional: bool,
    docs: String,
    /// Fields of a variant.
    pub(super) inner: Vec<Member<'s>>,
    /// It stands for the fields of another type.
    pub(super) flattened: bool,
}

/// The types of a manifest.
pub(super) fn vocabulary() -> Vec<Item<'static>> {
    SOURCES.into_iter().flat_map(items).collect()
}

/// The page.
pub(super) fn page() -> String {
    let items = vocabulary();
    let uses = words::of_examples(&items);
    let shown = |word: &str| uses.get(word).map(|example| code(example)).unwrap_or_default();
    let mut out = "# The manifest\n\n`catalog/apps/<app>/app.toml` says all that Parapet knows about an application's API. Its vocabulary \
                   is closed: what is not listed here is an error with file, line and column. A skeleton: \
                   `parapet app new FOLDER ID`.\n\nPaths into answers are names with dots between them; a number is a \
                   position in a list, `*` is every element, `\"\"` is the whole answer, `\".\"` the record itself.\n"
        .to_owned();
    for item in &items {
        let title = if item.name == "Manifest" { "The file" } else { item.name };
        let _ = writeln!(out, "\n## {title}\n\n{}\n", item.docs);
        if item.is_enum {
            for member in &item.members {
                let payload = if member.kind.is_empty() {
                    String::new()
                } else {
                    format!(" = {}", kind(member.kind, &items))
                };
                let word = format!("{}.{}", item.name, member.name);
                let (name, text) = (code(&member.name), lower(&member.docs));
                let _ = writeln!(out, "- {name}{payload}: {text} Example: {}", shown(&word));
                for inner in &member.inner {
                    let needed = if inner.optional { "" } else { ", needed" };
                    let _ = writeln!(
                        out,
                        "  - {} ({}{needed}): {} Example: {}",
                        code(&inner.name),
                        kind(inner.kind, &items),
                        lower(&inner.docs),
                        shown(&format!("{word}.{}", inner.name))
                    );
                }
            }
        } else {
            let rows: Vec<Vec<String>> = item
                .members
                .iter()
                .map(|m| {
                    let needed = if m.optional { "" } else { "yes" };
                    let example = shown(&format!("{}.{}", item.name, m.name));
                    vec![code(&m.name), kind(m.kind, &items), needed.to_owned(), m.docs.clone(), example]
                })
                .collect();
            out.push_str(&table(&["Field", "Type", "Needed", "Meaning", "Example"], &rows));
        }
    }
    out
}

/// A text after a colon: its first letter small, unless its first word is a name.
fn lower(text: &str) -> String {
    let first = text.split([' ', ':']).next().unwrap_or(text);
    if first.chars().skip(1).any(char::is_uppercase) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// A Rust type in the words of a TOML author.
fn kind(rust: &str, items: &[Item<'_>]) -> String {
    let rust = rust.trim();
    let inner = |prefix: &str| rust.strip_prefix(prefix).and_then(|r| r.strip_suffix('>'));
    if let Some(inner) = inner("Option<") {
        return kind(inner, items);
    }
    if let Some(inner) = inner("Vec<") {
        return format!("list of {}", kind(inner, items));
    }
    if let Some(inner) = inner("BTreeMap<String, ") {
        return format!("table of {}", kind(inner, items));
    }
    match rust {
        "String" => "text".to_owned(),
        "bool" => "true or false".to_owned(),
        "u16" | "u32" | "u64" => "whole number".to_owned(),
        "toml::Value" => "constant".to_owned(),
        "ScanKind" => "`config`, `accounts`, `plugins`".to_owned(),
        name if items.iter().any(|i| i.name == name) => format!("[{name}](#{})", name.to_lowercase()),
        other => code(other),
    }
}

/// Lines of a doc comment as one text; links to other items become their names.
fn plain(docs: &[&str]) -> String {
    docs.join(" ").replace("[`", "`").replace("`]", "`")
}

/// Reads the types of a source that derive `Deserialize`. It knows the few forms that occur there, and a test holds that
/// nothing was missed.
fn items(source: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut docs: Vec<&str> = Vec::new();
    let (mut derives, mut has_default) = (false, false);
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let text = line.trim();
        if let Some(doc) = text.strip_prefix("///") {
            docs.push(doc.trim());
        } else if text.starts_with("#[") {
            derives |= text.contains("Deserialize");
            has_default |= text.starts_with("#[serde(") && text.contains("default");
        } else {
            let head =
                ["pub struct ", "pub enum "].into_iter().find_map(|p| Some((p, text.strip_prefix(p)?)));
            if let Some((what, rest)) = head
                && derives
                && let Some(name) = rest.strip_suffix(" {")
            {
                let is_enum = what == "pub enum ";
                let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "}").collect();
                let members = members(&body, is_enum, has_default);
                items.push(Item { name, docs: plain(&docs), is_enum, members });
            }
            docs.clear();
            (derives, has_default) = (false, false);
        }
    }
    items
}

fn members<'s>(body: &[&'s str], is_enum: bool, all_optional: bool) -> Vec<Member<'s>> {
    let mut members: Vec<Member<'s>> = Vec::new();
    let (mut docs, mut renamed, mut is_optional, mut flattened) = (Vec::new(), None, all_optional, false);
    let mut at = 0;
    while let Some(line) = body.get(at) {
        let text = line.trim();
        at += 1;
        if let Some(doc) = text.strip_prefix("///") {
            docs.push(doc.trim());
            continue;
        }
        if let Some(attribute) = text.strip_prefix("#[serde(") {
            is_optional |= attribute.contains("default");
            flattened |= attribute.contains("flatten");
            renamed = attribute.split("rename = \"").nth(1).and_then(|r| r.split('"').next()).or(renamed);
            continue;
        }
        if text.starts_with('#') || text.is_empty() || text.starts_with("//") {
            continue;
        }
        let mut inner = Vec::new();
        let (name, kind) = if is_enum {
            let name = text.split(['(', ' ', ',']).next().unwrap_or(text);
            let kind = text.split_once('(').and_then(|(_, r)| r.split(')').next()).unwrap_or("");
            if text.ends_with('{') {
                let own: Vec<&str> = body[at..].iter().take_while(|l| l.trim() != "},").copied().collect();
                at += own.len() + 1;
                inner = self::members(&own, false, false);
            }
            (snake(name), kind)
        } else {
            let (name, kind) = text.split_once(": ").unwrap_or((text, ""));
            (name.trim_start_matches("pub ").to_owned(), kind.trim_end_matches(','))
        };
        let optional = is_optional || kind.starts_with("Option<");
        let name = if flattened {
            "kind and its own fields".to_owned()
        } else {
            renamed.map_or(name, str::to_owned)
        };
        members.push(Member { name, kind, optional, docs: plain(&docs), inner, flattened });
        docs.clear();
        (renamed, flattened) = (None, false);
        is_optional = all_optional;
    }
    members
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed() {
        let items: Vec<Item<'_>> = SOURCES.into_iter().flat_map(items).collect();
        let source = SOURCES.concat();
        let derived =
            source.lines().filter(|l| l.starts_with("#[derive(") && l.contains("Deserialize")).count();
        assert_eq!(items.len(), derived, "types");
        for item in &items {
            assert!(!item.docs.is_empty(), "{} has a text", item.name);
            assert!(!item.members.is_empty(), "{} has members", item.name);
            assert!(
                item.members.iter().all(|m| !m.docs.is_empty()),
                "every member of {} has a text",
                item.name
            );
        }
        let public = source
            .lines()
            .filter(|l| l.starts_with("    pub ") && l.ends_with(',') && !l.contains('('))
            .count();
        let fields: usize = items.iter().filter(|i| !i.is_enum).map(|i| i.members.len()).sum();
        // The structs that are not read from a file: the fields of credential forms, and scopes.
        let not_read = 5 + 3;
        assert_eq!(fields + not_read, public, "fields");
    }
}
