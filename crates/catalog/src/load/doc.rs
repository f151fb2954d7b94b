//! A TOML document that knows where everything stands.

use std::fmt::Display;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::LoadError;
use crate::load::files::Source;

/// A parsed document (or the front matter of a Markdown file) with its source.
pub(crate) struct Doc<'a> {
    pub(crate) source: &'a Source,
    /// Where the TOML begins in the source.
    base: usize,
    toml: &'a str,
    root: Spanned<DeValue<'a>>,
}

/// A place in a document: `at("dataset").index(3).key("host")`.
#[derive(Debug, Clone, Default)]
pub(crate) struct At(Vec<String>);

/// The place of a top-level key.
pub(crate) fn at(key: &str) -> At {
    At(vec![key.to_owned()])
}

impl At {
    /// The place of a key below.
    pub(crate) fn key(&self, key: impl Display) -> Self {
        let mut steps = self.0.clone();
        steps.push(key.to_string());
        Self(steps)
    }

    /// The place of an element below.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.key(index)
    }
}

impl<'a> Doc<'a> {
    /// Parses a whole file.
    pub(crate) fn parse(source: &'a Source) -> Result<Self, LoadError> {
        Self::parse_part(source, 0..source.text.len())
    }

    /// Parses a part of a file.
    pub(crate) fn parse_part(source: &'a Source, range: Range<usize>) -> Result<Self, LoadError> {
        let (base, toml) = (range.start, &source.text[range]);
        match DeTable::parse(toml) {
            Ok(root) => {
                let span = root.span();
                let root = Spanned::new(span, DeValue::Table(root.into_inner()));
                Ok(Self { source, base, toml, root })
            }
            Err(e) => {
                let at = base + e.span().map_or(0, |span| span.start);
                Err(source.error(at, format!("not TOML: {}", first_line(e.message())), "See https://toml.io"))
            }
        }
    }

    /// Reads the document as a type; unknown fields are errors with a suggestion.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        toml::from_str(self.toml).map_err(|e| {
            let at = self.base + e.span().map_or(0, |span| span.start);
            let (message, remedy) = explain(e.message());
            self.source.error(at, message, remedy)
        })
    }

    /// The value at a place.
    pub(crate) fn value(&self, at: &At) -> Option<&Spanned<DeValue<'a>>> {
        let mut value = &self.root;
        for step in &at.0 {
            value = match value.get_ref() {
                DeValue::Table(table) => table.get(step.as_str())?,
                DeValue::Array(list) => list.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// The keys of the table at a place, with where each begins.
    pub(crate) fn keys(&self, at: &At) -> Vec<(&str, usize)> {
        match self.value(at).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => {
                table.iter().map(|(key, _)| (key.get_ref().as_ref(), self.base + key.span().start)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many elements the list at a place has.
    pub(crate) fn len(&self, at: &At) -> usize {
        match self.value(at).map(Spanned::get_ref) {
            Some(DeValue::Array(list)) => list.len(),
            _ => 0,
        }
    }

    /// Where a value begins; where it is left out, where the nearest thing around it begins.
    pub(crate) fn offset(&self, at: &At) -> usize {
        let mut at = at.clone();
        loop {
            if let Some(value) = self.value(&at) {
                return self.base + value.span().start;
            }
            if at.0.pop().is_none() {
                return self.base;
            }
        }
    }

    /// An error at a value.
    pub(crate) fn error(&self, at: &At, message: impl Into<String>, remedy: impl Into<String>) -> LoadError {
        self.source.error(self.offset(at), message, remedy)
    }

    /// An error inside of a text value: `inner` is an offset in the value. It can be placed exactly unless the text is
    /// written with escapes; then it is placed where the value begins.
    pub(crate) fn error_in(
        &self,
        at: &At,
        inner: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> LoadError {
        let Some(value) = self.value(at) else { return self.error(at, message, remedy) };
        let span = value.span();
        let raw = &self.toml[span.clone()];
        let text = value.get_ref().as_str().unwrap_or_default();
        let open = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"].into_iter().find(|o| raw.starts_with(o));
        let skip = match open {
            Some(open) if raw[open.len()..].starts_with(text) => open.len() + inner,
            _ => 0,
        };
        self.source.error(self.base + span.start + skip, message, remedy)
    }

    /// An expression's mistake at its place.
    pub(crate) fn expression_error(&self, at: &At, error: &expr::CompileError) -> LoadError {
        let remedy = error.hint.as_deref().map(sentence).unwrap_or_default();
        self.error_in(at, error.span.start, error.message.clone(), remedy)
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message)
}

/// A hint as a sentence: first letter large.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Splits the words of the TOML reader into what is wrong and what to write.
fn explain(message: &str) -> (String, String) {
    let message = first_line(message);
    for what in ["field", "variant"] {
        let Some(rest) = message.strip_prefix(&format!("unknown {what} `")) else { continue };
        let Some((name, rest)) = rest.split_once('`') else { continue };
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let called = if what == "field" { "field" } else { "word" };
        return (format!("unknown {called} `{name}`"), suggest(name, &known));
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (format!("`{name}` is missing"), format!("Add `{name} = ...` here"));
    }
    (message.to_owned(), String::new())
}

/// "Did you mean ...?", or all there are.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|k| (distance(name, k), *k))
        .filter(|(d, k)| *d <= 2.max(k.len() / 3) && *d < name.len().max(1))
        .min();
    match near {
        Some((_, near)) => format!("Did you mean `{near}`?"),
        None if known.is_empty() => "Remove it".to_owned(),
        None => format!("Known here: {}", known.join(", ")),
    }
}

/// Damerau-Levenshtein distance (optimal string alignment): letters left out, put in, changed or exchanged.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
