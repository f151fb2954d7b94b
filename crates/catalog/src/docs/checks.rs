//! `docs/reference/checks.md` and `docs/reference/check-language.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expr::limits;
use model::value::Shape;

use super::{app, code, codes, table};
use crate::Catalog;
use crate::check::Check;
use crate::load::example::word;

/// Every check with its question.
pub(super) fn page(catalog: &Catalog) -> String {
    let mut groups: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for found in catalog.apps.values().filter(|app| app.builtin) {
        for check in found.checks.iter().filter(|c| !c.id.as_str().starts_with("shared/")) {
            groups.entry(found.manifest.name.as_str()).or_default().push(check);
        }
    }
    let shared: Vec<&Check> = catalog.shared.iter().map(|c| &**c).collect();
    let count: usize = groups.values().map(Vec::len).sum::<usize>() + shared.len();
    let mut out = format!(
        "# Checks\n\n{count} checks. Each is one file with its reasons, remedy and examples; the examples are run by the \
         tests. The language of the expressions is described in [check-language.md](check-language.md).\n"
    );
    out.push_str("\n## Shared: asked of every application that fills the canonical datasets\n");
    for check in shared {
        one(&mut out, catalog, check);
    }
    for (name, checks) in groups {
        let _ = writeln!(out, "\n## {name}");
        for check in checks {
            one(&mut out, catalog, check);
        }
    }
    out.push_str("\n## Retired ids\n\n");
    if catalog.retired.is_empty() {
        out.push_str("None yet. An id that was used once is never used again.\n");
    }
    for (id, why) in &catalog.retired {
        let _ = writeln!(out, "- {}: {why}", code(id.as_str()));
    }
    out
}

fn one(out: &mut String, catalog: &Catalog, check: &Check) {
    let file = check.file.display().to_string().replace('\\', "/");
    let _ = writeln!(out, "\n### {}\n", check.title);
    let _ = writeln!(
        out,
        "[{}](../../catalog/{file}), revision {}, {}, {}, over {}.\n",
        code(check.id.as_str()),
        check.revision,
        check.severity,
        check.scan.title(),
        code(check.over.as_str())
    );
    if let Some(when) = &check.when {
        let _ = writeln!(out, "- Applies when {}", code(when.source()));
    }
    let _ = writeln!(out, "- Passes when {}", code(check.pass.source()));
    let _ = writeln!(out, "- With no record at all: {}", check.on_empty.as_str().replace('_', " "));
    for (name, param) in &check.params {
        let value = param.default.to_json(&param.kind);
        let _ = writeln!(out, "- Parameter {} = {}", code(name), code(&value.to_string()));
    }
    if !check.controls.is_empty() {
        let _ = writeln!(out, "- {}", app::controls(catalog, check));
    }
}

/// The language of checks: the text lies beside this file, limits and canonical shapes are filled in.
pub(super) fn language() -> String {
    let limits = [
        ("Source of an expression", format!("{} KiB", limits::SOURCE_BYTES / 1024)),
        ("Nesting", limits::DEPTH.to_string()),
        ("Steps of one evaluation", limits::STEPS.to_string()),
        ("A compiled regular expression", format!("{} KiB", limits::REGEX_BYTES / 1024)),
        ("Fields listed as evidence", limits::EVIDENCE.to_string()),
    ];
    let limits: Vec<Vec<String>> = limits.into_iter().map(|(what, n)| vec![what.to_owned(), n]).collect();
    include_str!("check-language.md")
        .replace("@limits@", table(&["What", "Limit"], &limits).trim_end())
        .replace("@account@", &canonical(&model::account::SHAPE))
        .replace("@plugin@", &canonical(&model::plugin::SHAPE))
        .replace("@reserved@", &codes(expr::RESERVED))
}

fn canonical(shape: &Shape) -> String {
    let fields: Vec<String> =
        shape.fields.iter().map(|f| code(&format!("{} {}", f.name, word(&f.kind)))).collect();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use expr::{DatasetType, Env, Expected};
    use model::value::{ShapeField, Type};

    use super::*;

    fn shape(fields: &[(&str, Type)]) -> Arc<Shape> {
        let field = |(name, kind): &(&str, Type)| ShapeField {
            name: (*name).to_owned(),
            kind: kind.clone(),
            sensitive: false,
        };
        Arc::new(Shape { fields: fields.iter().map(field).collect() })
    }

    #[test]
    fn the_lines_of_the_page_compile() {
        let texts = || Type::List(Box::new(Type::String));
        let record = shape(&[
            ("login", Type::String),
            ("state", Type::String),
            ("age", Type::Int),
            ("share", Type::Double),
            ("admin", Type::Bool),
            ("seen_at", Type::Timestamp),
            ("timeout", Type::Duration),
            ("tags", texts()),
            ("levels", Type::Map(Box::new(Type::String))),
            ("plan", Type::Object(shape(&[("name", Type::String)]))),
        ]);
        let people = shape(&[("login", Type::String), ("admin", Type::Bool)]);
        let people = DatasetType { shape: people, key: Some("login".to_owned()) };
        let env = Env {
            record: Some(record),
            datasets: BTreeMap::from([("people".to_owned(), people)]),
            params: BTreeMap::from([("days".to_owned(), Type::Int), ("allowed".to_owned(), texts())]),
            dynamic: false,
        };
        let page = language();
        let lines: Vec<&str> =
            page.lines().skip_while(|l| *l != "```cel").skip(1).take_while(|l| *l != "```").collect();
        assert!(lines.len() > 10, "{} lines", lines.len());
        for line in lines {
            if let Err(e) = expr::compile(line, &env, &Expected::Bool) {
                panic!("{line}: {e}");
            }
        }
        for mark in ["@limits@", "@account@", "@plugin@", "@reserved@"] {
            assert!(!page.contains(mark), "{mark} is filled in");
        }
    }
}
