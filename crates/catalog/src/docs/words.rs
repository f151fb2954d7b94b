//! The words that a manifest uses, each with how it is written there: read along the same types as the reference, so that
//! a word without an example is noticed.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::manifest::{Item, Member};

/// How long an example in a table can be; longer ones show their beginning.
const LONG: usize = 160;

/// The manifests that use every word once.
pub(super) const EXAMPLES: [&str; 2] =
    [include_str!("examples/apps/acme-server/app.toml"), include_str!("examples/apps/acme-cloud/app.toml")];

/// Examples by word: `Dataset.key`, `Paging.link`, `Paging.cursor.at`. Of several, the shortest.
pub(super) type Uses = BTreeMap<String, String>;

/// The words of the example manifests.
pub(super) fn of_examples(items: &[Item<'_>]) -> Uses {
    let mut uses = Uses::new();
    for text in EXAMPLES {
        of(text, items, &mut uses);
    }
    uses
}

/// The words of one manifest. What does not parse uses none; that it parses is tested.
fn of(text: &str, items: &[Item<'_>], uses: &mut Uses) {
    let Ok(root) = DeTable::parse(text) else { return };
    let reader = Reader { text, items };
    reader.table("Manifest", root.get_ref(), uses);
}

/// Every word there is.
#[cfg(test)]
fn all(items: &[Item<'_>]) -> Vec<String> {
    let mut words = Vec::new();
    for item in items {
        for member in item.members.iter().filter(|m| !m.flattened) {
            words.push(format!("{}.{}", item.name, member.name));
            words.extend(member.inner.iter().map(|i| format!("{}.{}.{}", item.name, member.name, i.name)));
        }
    }
    words
}

struct Reader<'t, 's> {
    text: &'t str,
    items: &'t [Item<'s>],
}

impl Reader<'_, '_> {
    fn item(&self, name: &str) -> Option<&Item<'_>> {
        self.items.iter().find(|i| i.name == name)
    }

    /// The text of a value; nothing for a table that stands below its own heading.
    fn raw(&self, span: Range<usize>) -> Option<String> {
        let text = self.text.get(span)?;
        let headed = text.starts_with('[') && !text.ends_with(']');
        let inline = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!headed && !inline.is_empty()).then_some(inline)
    }

    fn note(&self, uses: &mut Uses, word: String, key: &str, value: &Spanned<DeValue<'_>>) {
        let written = match value.get_ref() {
            DeValue::Table(_) if !self.text[value.span()].starts_with('{') => format!("[{key}]"),
            DeValue::Array(_) if self.text[value.span()].starts_with("[[") => format!("[[{key}]]"),
            _ => format!("{key} = {}", self.raw(value.span()).unwrap_or_default()),
        };
        put(uses, word, written);
    }

    /// The fields of a table of one type.
    fn table(&self, name: &str, table: &DeTable<'_>, uses: &mut Uses) {
        let Some(item) = self.item(name) else { return };
        let flattened = item.members.iter().find(|m| m.flattened);
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            match item.members.iter().find(|m| m.name == key && !m.flattened) {
                Some(member) => {
                    self.note(uses, format!("{name}.{key}"), key, value);
                    self.value(member.kind, key, value, uses);
                }
                None => continue,
            }
        }
        if let Some(flattened) = flattened {
            self.tagged(flattened.kind, table, None, uses);
        }
    }

    /// A value of a type, written in Rust's words.
    fn value(&self, kind: &str, key: &str, value: &Spanned<DeValue<'_>>, uses: &mut Uses) {
        let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|k| k.strip_suffix('>'));
        match (inner("Option<"), inner("Vec<"), inner("BTreeMap<String, "), value.get_ref()) {
            (Some(of), ..) => self.value(of, key, value, uses),
            (_, Some(of), _, DeValue::Array(items)) => {
                for item in items {
                    self.value(of, key, item, uses);
                }
            }
            (_, _, Some(of), DeValue::Table(table)) => {
                for (key, item) in table {
                    self.value(of, key.get_ref(), item, uses);
                }
            }
            (_, _, _, DeValue::Table(table)) => match self.item(kind) {
                Some(item) if !item.is_enum => self.table(kind, table, uses),
                Some(_) if table.contains_key("kind") => {
                    let written = self.raw(value.span()).map(|raw| format!("{key} = {raw}"));
                    self.tagged(kind, table, written, uses);
                }
                Some(item) => {
                    for (variant, payload) in table {
                        let variant = variant.get_ref().as_ref();
                        let Some(member) = item.members.iter().find(|m| m.name == variant) else { continue };
                        self.note(uses, format!("{kind}.{variant}"), key, value);
                        self.value(member.kind, variant, payload, uses);
                    }
                }
                None => {}
            },
            (_, _, _, DeValue::String(text)) if self.item(kind).is_some_and(|i| i.is_enum) => {
                self.note(uses, format!("{kind}.{text}"), key, value);
            }
            _ => {}
        }
    }

    /// A table that names its variant by `kind`. `written`: the whole of it, where that is one value.
    fn tagged(&self, name: &str, table: &DeTable<'_>, written: Option<String>, uses: &mut Uses) {
        let Some(item) = self.item(name) else { return };
        let variant = table.get("kind").and_then(|v| v.get_ref().as_str()).unwrap_or_default();
        let Some(member) = item.members.iter().find(|m| m.name == variant) else { return };
        let mut lines = vec![format!("kind = \"{variant}\"")];
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            let Some(inner) = member.inner.iter().find(|i: &&Member<'_>| i.name == key) else { continue };
            self.note(uses, format!("{name}.{variant}.{key}"), key, value);
            self.value(inner.kind, key, value, uses);
            if !inner.optional {
                lines.push(format!("{key} = {}", self.raw(value.span()).unwrap_or_default()));
            }
        }
        put(uses, format!("{name}.{variant}"), written.unwrap_or_else(|| lines.join(", ")));
    }
}

fn put(uses: &mut Uses, word: String, written: String) {
    let written = if written.chars().count() > LONG {
        format!("{} ...", written.chars().take(LONG).collect::<String>().trim_end())
    } else {
        written
    };
    match uses.get(&word) {
        Some(other) if other.len() <= written.len() => {}
        _ => {
            uses.insert(word, written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::manifest::vocabulary;

    /// A word that is added comes with an example, which the reference shows and another test runs against a server.
    #[test]
    fn every_word_has_an_example() {
        let items = vocabulary();
        let uses = of_examples(&items);
        let without: Vec<String> = all(&items).into_iter().filter(|word| !uses.contains_key(word)).collect();
        assert_eq!(
            without,
            Vec::<String>::new(),
            "write these words into a manifest of src/docs/examples, from where collect's tests run them"
        );
        // And nothing is an example that is no word.
        let known = all(&items);
        assert_eq!(
            uses.keys().filter(|word| !known.contains(word)).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
    }

    #[test]
    fn the_examples_load() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/examples");
        // As if they came with Parapet: `post` needs nobody's leave there.
        let loaded = crate::Catalog::of_folder(&folder);
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, Vec::<String>::new());
        for id in ["acme-server", "acme-cloud"] {
            assert!(loaded.catalog.app(&id.into()).is_some(), "{id}");
        }
    }

    #[test]
    fn a_word_that_no_example_uses_is_noticed() {
        let items = vocabulary();
        let mut uses = Uses::new();
        of(&EXAMPLES[1].replace("kind = \"cursor\"", "kind = \"next_url\""), &items, &mut uses);
        assert!(!uses.contains_key("Paging.cursor") && uses.contains_key("Paging.graphql"));
        assert_eq!(uses["Latest.by"], "by = \"at\"");
        assert_eq!(uses["Manifest.dataset"], "[[dataset]]");
    }
}
