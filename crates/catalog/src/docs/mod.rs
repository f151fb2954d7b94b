//! The documentation that is derived: `docs/apps/` from the catalogue, `docs/reference/` from the vocabulary's own types.

mod app;
mod checks;
mod manifest;
mod words;

use std::collections::BTreeMap;

use crate::Catalog;

/// What stands at the top of every derived page, and of no other.
pub const DERIVED: &str =
    "<!-- Derived by `cargo xtask docs`. Changes belong into the catalogue or into crates/catalog. -->\n\n";

/// Every derived page by its path from the repository's root. Each begins with [`DERIVED`].
#[must_use]
pub fn render(catalog: &Catalog) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut page = |path: String, text: String| pages.insert(path, format!("{DERIVED}{}\n", text.trim_end()));
    for app in catalog.apps.values().filter(|app| app.builtin) {
        page(format!("docs/apps/{}.md", app.id), app::page(catalog, app));
    }
    page("docs/apps/README.md".to_owned(), app::index(catalog));
    page("docs/reference/checks.md".to_owned(), checks::page(catalog));
    page("docs/reference/check-language.md".to_owned(), checks::language());
    page("docs/reference/manifest.md".to_owned(), manifest::page());
    pages
}

/// Every word of a manifest, as `docs/reference/manifest.md` has it.
#[must_use]
pub fn words() -> String {
    manifest::page()
}

/// The check language, as `docs/reference/check-language.md` has it.
#[must_use]
pub fn language() -> String {
    checks::language()
}

/// A cell of a table: one line, its bars escaped.
fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "-".to_owned() } else { text.replace('|', "\\|") }
}

/// A table; nothing at all where there are no rows.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(" | "));
    let mut out = line(&heads.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    out.push_str(&format!("|{}\n", "---|".repeat(heads.len())));
    for row in rows {
        out.push_str(&line(row));
    }
    out
}

/// Code in a cell or a sentence.
fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Code words with commas between them; `-` for none.
fn codes<'t>(words: impl IntoIterator<Item = &'t str>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(", ")
}
