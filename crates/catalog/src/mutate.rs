//! Do the examples of a check pin its expressions down? Each operator and constant is changed, one at a time; a change
//! that no example notices is a hole in the examples, or changes nothing and is listed with the reason in the check.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use expr::{Env, Expected, Program};
use model::finding::Outcome;
use model::id::CheckId;
use model::value::Value;

use crate::Catalog;
use crate::check::Check;
use crate::examples;

/// What mutating one check gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The check.
    pub check: CheckId,
    /// Changes that were tried (those that do not compile are none).
    pub tried: usize,
    /// Changes that no example noticed and no `[[equivalent]]` excuses, written as `[[equivalent]]` wants them.
    pub survivors: Vec<String>,
    /// `[[equivalent]]` entries that excuse nothing: an example notices the change, or there is no such change.
    pub stale: Vec<String>,
}

impl Report {
    /// Whether the examples pin the check down.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.survivors.is_empty() && self.stale.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for survivor in &self.survivors {
            writeln!(f, "{}: no example notices  {survivor}", self.check)?;
        }
        for stale in &self.stale {
            writeln!(f, "{}: [[equivalent]] excuses nothing  {stale}", self.check)?;
        }
        Ok(())
    }
}

/// Mutates every check of a catalogue, shared ones once.
#[must_use]
pub fn all(catalog: &Catalog) -> Vec<Report> {
    let own = catalog
        .apps
        .values()
        .flat_map(|app| app.checks.iter())
        .filter(|check| check.id.as_str().split('/').next() == Some(check.app.as_str()));
    own.chain(&catalog.shared).map(|check| one(check)).collect()
}

/// Mutates one check.
#[must_use]
pub fn one(check: &Check) -> Report {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    let env = Env {
        record: Some(Arc::clone(&check.shape)),
        datasets: check.types.clone(),
        params: check.params.iter().map(|(name, p)| (name.clone(), p.kind.clone())).collect(),
        dynamic: false,
    };
    for source in mutants(check.pass.source()) {
        if let Ok(pass) = expr::compile(&source, &env, &Expected::Bool) {
            seen.insert(format!("pass: {}", one_line(&source)), noticed(check, check.when.as_ref(), &pass));
        }
    }
    if let Some(when) = &check.when {
        for source in mutants(when.source()) {
            if let Ok(when) = expr::compile(&source, &env, &Expected::Bool) {
                seen.insert(format!("when: {}", one_line(&source)), noticed(check, Some(&when), &check.pass));
            }
        }
        seen.insert("when: (none)".to_owned(), noticed(check, None, &check.pass));
    }
    for (name, param) in &check.params {
        for (value, text) in changed_defaults(&param.default) {
            let mut changed = check.clone();
            if let Some(param) = changed.params.get_mut(name) {
                param.default = value;
            }
            let noticed = noticed(&changed, check.when.as_ref(), &check.pass);
            seen.insert(format!("params.{name}: {text}"), noticed);
        }
    }
    if check.on_empty != Outcome::Inconclusive {
        let changed = Check { on_empty: Outcome::Inconclusive, ..check.clone() };
        let noticed = noticed(&changed, check.when.as_ref(), &check.pass);
        seen.insert("on_empty: inconclusive".to_owned(), noticed);
    }
    let unnoticed = |text: &&String| seen.get(*text) == Some(&false);
    Report {
        check: check.id.clone(),
        tried: seen.len(),
        survivors: seen
            .keys()
            .filter(|text| unnoticed(text) && !check.equivalent.contains_key(*text))
            .cloned()
            .collect(),
        stale: check.equivalent.keys().filter(|text| !unnoticed(text)).cloned().collect(),
    }
}

fn one_line(source: &str) -> String {
    source.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn noticed(check: &Check, when: Option<&Program>, pass: &Program) -> bool {
    check.examples.iter().any(|e| examples::run_with(check, when, pass, e).outcome != e.expected)
}

fn changed_defaults(value: &Value) -> Vec<(Value, String)> {
    match value {
        Value::Bool(b) => vec![(Value::Bool(!b), (!b).to_string())],
        Value::Int(i) => [i.checked_sub(1), i.checked_add(1)]
            .into_iter()
            .flatten()
            .map(|i| (Value::Int(i), i.to_string()))
            .collect(),
        Value::Double(d) => vec![(Value::Double(d * 2.0 + 1.0), (d * 2.0 + 1.0).to_string())],
        Value::String(s) => vec![(Value::string(format!("{s}x")), format!("{s}x"))],
        Value::List(list) => (0..list.items.len())
            .map(|without| {
                let kept = list.items.iter().enumerate().filter(|(i, _)| *i != without);
                let gone = list.items.get(without).and_then(Value::as_str).unwrap_or_default();
                (Value::list(kept.map(|(_, v)| v.clone()).collect()), format!("without {gone}"))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Word,
    Number,
    Text,
    Operator,
    Space,
}

/// Cuts an expression into pieces. It need not be exact where the language is odd: what does not compile is dropped.
fn pieces(source: &str) -> Vec<(Piece, &str)> {
    const TWO: [&str; 6] = ["==", "!=", "<=", ">=", "&&", "||"];
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let run = |good: &dyn Fn(char) -> bool| rest.find(|c: char| !good(c)).unwrap_or(rest.len());
        let (piece, length) = if c.is_whitespace() {
            (Piece::Space, run(&char::is_whitespace))
        } else if c.is_ascii_digit() {
            (Piece::Number, run(&|c| c.is_ascii_alphanumeric() || c == '.'))
        } else if c.is_alphabetic() || c == '_' {
            (Piece::Word, run(&|c| c.is_alphanumeric() || c == '_'))
        } else if c == '\'' || c == '"' {
            (Piece::Text, text_length(rest, c))
        } else if let Some(two) = TWO.iter().find(|two| rest.starts_with(**two)) {
            (Piece::Operator, two.len())
        } else {
            (Piece::Operator, c.len_utf8())
        };
        all.push((piece, &source[at..at + length]));
        at += length;
    }
    all
}

fn text_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Every expression that differs from this one in one operator or constant.
fn mutants(source: &str) -> Vec<String> {
    let pieces = pieces(source);
    let mut all = Vec::new();
    for (i, (piece, text)) in pieces.iter().enumerate() {
        let before = pieces[..i].iter().rev().find(|(p, _)| *p != Piece::Space).map(|(_, t)| *t);
        for changed in changes(*piece, text, before) {
            let mut mutant: String = pieces[..i].iter().map(|(_, t)| *t).collect();
            mutant.push_str(&changed);
            mutant.extend(pieces[i + 1..].iter().map(|(_, t)| *t));
            all.push(mutant);
        }
    }
    all
}

fn changes(piece: Piece, text: &str, before: Option<&str>) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match (piece, text) {
        (Piece::Operator, "==") => one("!="),
        (Piece::Operator, "!=") => one("=="),
        (Piece::Operator, "<") => one("<="),
        (Piece::Operator, "<=") => one("<"),
        (Piece::Operator, ">") => one(">="),
        (Piece::Operator, ">=") => one(">"),
        (Piece::Operator, "&&") => one("||"),
        (Piece::Operator, "||") => one("&&"),
        (Piece::Operator, "!") => one(""),
        (Piece::Operator, "+") => one("-"),
        (Piece::Operator, "-") => one("+"),
        (Piece::Operator, "*") => one("+"),
        (Piece::Word, "true") => one("false"),
        (Piece::Word, "false") => one("true"),
        (Piece::Word, "exists") if before == Some(".") => one("all"),
        (Piece::Word, "all") if before == Some(".") => one("exists"),
        (Piece::Number, digits) => match digits.parse::<i64>() {
            Ok(n) => {
                [n.checked_sub(1), n.checked_add(1)].into_iter().flatten().map(|n| n.to_string()).collect()
            }
            Err(_) => Vec::new(),
        },
        (Piece::Text, text) => changed_text(text),
        _ => Vec::new(),
    }
}

/// A duration doubled, a text with a letter more. What is added cannot end the text: it stands before its last quote.
fn changed_text(text: &str) -> Vec<String> {
    let Some(quote) = text.chars().last().filter(|q| text.len() >= 2 && text.starts_with(*q)) else {
        return Vec::new();
    };
    let inner = &text[1..text.len() - 1];
    let digits = inner.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match digits.parse::<i64>() {
        Ok(n) if model::time::Duration::parse(inner).is_some() && digits.len() < inner.len() => {
            vec![format!("{quote}{}{}{quote}", n.saturating_mul(2), &inner[digits.len()..])]
        }
        _ => vec![format!("{quote}{inner}x{quote}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_and_constant_changes_once() {
        assert_eq!(
            mutants("a == true && size(b) >= 2 || !c.exists(x, x != 'y')"),
            [
                "a != true && size(b) >= 2 || !c.exists(x, x != 'y')",
                "a == false && size(b) >= 2 || !c.exists(x, x != 'y')",
                "a == true || size(b) >= 2 || !c.exists(x, x != 'y')",
                "a == true && size(b) > 2 || !c.exists(x, x != 'y')",
                "a == true && size(b) >= 1 || !c.exists(x, x != 'y')",
                "a == true && size(b) >= 3 || !c.exists(x, x != 'y')",
                "a == true && size(b) >= 2 && !c.exists(x, x != 'y')",
                "a == true && size(b) >= 2 || c.exists(x, x != 'y')",
                "a == true && size(b) >= 2 || !c.all(x, x != 'y')",
                "a == true && size(b) >= 2 || !c.exists(x, x == 'y')",
                "a == true && size(b) >= 2 || !c.exists(x, x != 'yx')",
            ]
        );
    }

    #[test]
    fn constants_in_texts() {
        assert_eq!(mutants("duration('24h')"), ["duration('48h')"]);
        assert_eq!(mutants(r"a == 'it\'s'"), [r"a != 'it\'s'", r"a == 'it\'sx'"]);
        assert_eq!(mutants("''"), ["'x'"]);
    }
}
