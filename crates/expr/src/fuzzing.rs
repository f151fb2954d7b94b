//! A door for the fuzz targets: what was parsed can be written down, and parsed again.

use std::fmt::Write as _;

use crate::ast::{Expr, Kind};
use crate::parse::parse;

/// A source as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// The tree, without places.
    pub tree: String,
    /// A source of the same meaning, with every bracket written.
    pub source: String,
    /// Levels of nesting.
    pub depth: usize,
}

/// Parses a source.
///
/// # Errors
/// The message of the first mistake.
pub fn understood(source: &str) -> Result<Understood, String> {
    let expr = parse(source).map_err(|e| e.to_string())?;
    let mut understood = Understood { tree: String::new(), source: String::new(), depth: expr.depth };
    tree(&expr, &mut understood.tree);
    print(&expr, &mut understood.source);
    Ok(understood)
}

/// The kind of a node with what it holds itself, then its parts.
fn tree(expr: &Expr, out: &mut String) {
    let own = match &expr.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(b) => b.to_string(),
        Kind::Int(i) => format!("int {i}"),
        // The bits: -0.0 is another than 0.0.
        Kind::Double(d) => format!("double {:x}", d.to_bits()),
        Kind::Text(text) => format!("text {text:?}"),
        Kind::Ident(name) => format!("name {name}"),
        Kind::Select(_, name) => format!("select {}", name.text),
        Kind::Index(..) => "index".to_owned(),
        Kind::Call(target, name, _) => format!("call {} {}", name.text, target.is_some()),
        Kind::List(_) => "list".to_owned(),
        Kind::Map(_) => "map".to_owned(),
        Kind::Not(_) => "not".to_owned(),
        Kind::Neg(_) => "neg".to_owned(),
        Kind::And(_) => "and".to_owned(),
        Kind::Or(_) => "or".to_owned(),
        Kind::Binary(operator, ..) => format!("binary {}", operator.symbol()),
        Kind::Choice(..) => "choice".to_owned(),
    };
    out.push('(');
    out.push_str(&own);
    expr.parts().iter().for_each(|part| tree(part, out));
    out.push(')');
}

/// An operand: in brackets, unless it is a single word.
fn operand(expr: &Expr, out: &mut String) {
    let single = matches!(
        expr.kind,
        Kind::Null | Kind::Bool(_) | Kind::Text(_) | Kind::Ident(_) | Kind::List(_) | Kind::Map(_)
    );
    if single {
        return print(expr, out);
    }
    out.push('(');
    print(expr, out);
    out.push(')');
}

fn joined<'e>(
    parts: impl IntoIterator<Item = &'e Expr>,
    by: &str,
    out: &mut String,
    one: fn(&Expr, &mut String),
) {
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push_str(by);
        }
        one(part, out);
    }
}

fn print(expr: &Expr, out: &mut String) {
    match &expr.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Int(i) => out.push_str(&i.to_string()),
        Kind::Double(d) => out.push_str(&format!("{d:e}")),
        Kind::Text(text) => quoted(text, out),
        Kind::Ident(name) => out.push_str(name),
        Kind::Select(base, name) => {
            operand(base, out);
            out.push('.');
            out.push_str(&name.text);
        }
        Kind::Index(base, index) => {
            operand(base, out);
            out.push('[');
            print(index, out);
            out.push(']');
        }
        Kind::Call(target, name, args) => {
            if let Some(target) = target {
                operand(target, out);
                out.push('.');
            }
            out.push_str(&name.text);
            out.push('(');
            joined(args, ", ", out, print);
            out.push(')');
        }
        Kind::List(items) => {
            out.push('[');
            joined(items, ", ", out, print);
            out.push(']');
        }
        Kind::Map(entries) => {
            out.push('{');
            for (key, value) in entries {
                print(key, out);
                out.push_str(": ");
                print(value, out);
                out.push_str(", ");
            }
            out.push('}');
        }
        Kind::Not(part) => {
            out.push('!');
            operand(part, out);
        }
        Kind::Neg(part) => {
            out.push('-');
            operand(part, out);
        }
        Kind::And(parts) => joined(parts, " && ", out, operand),
        Kind::Or(parts) => joined(parts, " || ", out, operand),
        Kind::Binary(operator, left, right) => {
            operand(left, out);
            // Writing to a text does not fail.
            let _ = write!(out, " {} ", operator.symbol());
            operand(right, out);
        }
        Kind::Choice(condition, yes, no) => {
            operand(condition, out);
            out.push_str(" ? ");
            operand(yes, out);
            out.push_str(" : ");
            operand(no, out);
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_graphic() || c == ' ' => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('\'');
}
