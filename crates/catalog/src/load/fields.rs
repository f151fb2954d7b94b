//! Fields of datasets: their types, and whether what is said about them fits together.

use std::sync::Arc;

use expr::RESERVED;
use model::value::{Shape, ShapeField, Type};

use crate::LoadError;
use crate::load::doc::{At, Doc, suggest};
use crate::load::seen;
use crate::manifest::{Absence, Field, Sensitive, TimeFormat, Transform};

/// Nested objects deeper than this are a mistake.
const DEPTH: usize = 8;
const WORDS: [&str; 7] = ["bool", "int", "double", "string", "timestamp", "duration", "object"];

/// Whether a name can stand in an expression and in a placeholder.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The shape of these fields. With errors, the shape holds what could be read, so that one mistake is reported once.
pub(crate) fn shape(doc: &Doc<'_>, at: &At, fields: &[Field], errors: &mut Vec<LoadError>) -> Arc<Shape> {
    Arc::new(nested(doc, at, fields, 1, errors))
}

fn nested(doc: &Doc<'_>, at: &At, fields: &[Field], depth: usize, errors: &mut Vec<LoadError>) -> Shape {
    let mut shape = Shape::default();
    if depth > DEPTH {
        errors.push(doc.error(at, format!("fields are nested deeper than {DEPTH}"), "Flatten them by paths"));
        return shape;
    }
    for (i, field) in fields.iter().enumerate() {
        let at = at.index(i);
        let name = at.key("name");
        if !is_name(&field.name) {
            let remedy = "Small letters, digits and `_`, beginning with a letter, at most 64";
            errors.push(doc.error(&name, format!("`{}` cannot be a field's name", field.name), remedy));
        }
        if depth == 1 && (RESERVED.contains(&field.name.as_str()) || field.name == "record") {
            let message = format!("`{}` is reserved in expressions and examples", field.name);
            errors.push(doc.error(&name, message, "Name the field otherwise and give its `path`"));
        }
        if shape.field(&field.name).is_some() {
            let message = format!("field `{}` is declared twice", field.name);
            errors.push(doc.error(&name, message, "Remove one"));
            continue;
        }
        let kind = kind(doc, &at, field, depth, errors);
        consistent(doc, &at, field, &kind, errors);
        if let Some(first) = &field.first_seen {
            seen::field(doc, &at, field, (first, depth, fields), &kind, errors);
        }
        shape.fields.push(ShapeField {
            name: field.name.clone(),
            kind,
            sensitive: field.sensitive.is_some(),
        });
    }
    shape
}

fn kind(doc: &Doc<'_>, at: &At, field: &Field, depth: usize, errors: &mut Vec<LoadError>) -> Type {
    let (word, wraps) = unwrapped(&field.kind);
    let plain = match word {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "double" => Type::Double,
        "string" => Type::String,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "object" => Type::Object(Arc::new(nested(doc, &at.key("field"), &field.field, depth + 1, errors))),
        _ => {
            let remedy = match suggest(word, &WORDS) {
                near if near.starts_with("Did") => near,
                _ => format!("One of {}, list<...>, map<...> of these", WORDS.join(", ")),
            };
            errors.push(doc.error(&at.key("type"), format!("unknown type `{}`", field.kind), remedy));
            Type::String
        }
    };
    if word == "object" && field.field.is_empty() {
        let remedy = "Add a [[...field]] table for each, or take one value out of it by `path`";
        errors.push(doc.error(at, format!("object `{}` has no fields", field.name), remedy));
    }
    if word != "object" && !field.field.is_empty() {
        let message = format!("`{}` of type {} cannot have fields", field.name, field.kind);
        errors.push(doc.error(&at.key("type"), message, "Make it `object` or `list<object>`"));
    }
    wraps.iter().rev().fold(plain, |inner, wrap| match wrap {
        Wrap::List => Type::List(Box::new(inner)),
        Wrap::Map => Type::Map(Box::new(inner)),
    })
}

enum Wrap {
    List,
    Map,
}

/// The innermost word of a type, and what is around it, outermost first: `map<list<object>>` is a map of lists of objects.
fn unwrapped(kind: &str) -> (&str, Vec<Wrap>) {
    let (mut word, mut wraps) = (kind, Vec::new());
    while wraps.len() < DEPTH {
        let inner = |name: &str| word.strip_prefix(name)?.strip_prefix('<')?.strip_suffix('>');
        match (inner("list"), inner("map")) {
            (Some(of), _) => {
                word = of;
                wraps.push(Wrap::List);
            }
            (_, Some(of)) => {
                word = of;
                wraps.push(Wrap::Map);
            }
            _ => break,
        }
    }
    (word, wraps)
}

fn consistent(doc: &Doc<'_>, at: &At, field: &Field, kind: &Type, errors: &mut Vec<LoadError>) {
    let name = &field.name;
    if field.path.is_some() && field.each.is_some() {
        let message = format!("`{name}` has both `path` and `each`");
        errors.push(doc.error(
            &at.key("each"),
            message,
            "A field comes from the answer or from the walked record",
        ));
    }
    for (key, path) in [("path", &field.path), ("incomplete_at", &field.incomplete_at)] {
        if let Some(path) = path {
            json_path(doc, &at.key(key), path, errors);
        }
    }
    if field.incomplete_at.is_some() && !matches!(kind, Type::List(_)) {
        let message = format!("`{name}` is no list and cannot be incomplete");
        errors.push(doc.error(&at.key("incomplete_at"), message, "Remove `incomplete_at`"));
    }
    for (key, absence) in [("missing", &field.missing), ("null", &field.null)] {
        if let Absence::Value(value) = absence
            && !constant_fits(value, kind)
        {
            let message = format!("`{key}` of `{name}` is not a {}", field.kind);
            errors.push(doc.error(&at.key(key), message, "Write a value of the field's own type"));
        }
    }
    match (field.sensitive, kind) {
        (None, _) | (Some(Sensitive::Presence), Type::Bool) | (Some(Sensitive::Hash), Type::String) => {}
        (Some(Sensitive::Presence), _) => {
            let message = format!("only the presence of `{name}` is kept");
            errors.push(doc.error(&at.key("type"), message, "Its type is `bool`"));
        }
        (Some(Sensitive::Hash), _) => {
            let message = format!("only a hash of `{name}` is kept");
            errors.push(doc.error(&at.key("type"), message, "Its type is `string`"));
        }
    }
    if field.format != TimeFormat::Rfc3339 && !holds(kind, &Type::Timestamp) {
        let message = format!("`{name}` is no timestamp and has no `format`");
        errors.push(doc.error(&at.key("format"), message, "Remove `format`"));
    }
    transforms(doc, at, field, kind, errors);
}

/// Whether a type is another, or a list or map of it.
fn holds(kind: &Type, inner: &Type) -> bool {
    match kind {
        Type::List(k) | Type::Map(k) => **k == *inner,
        k => k == inner,
    }
}

fn transforms(doc: &Doc<'_>, at: &At, field: &Field, kind: &Type, errors: &mut Vec<LoadError>) {
    let wanted = match field.transform.last() {
        None | Some(Transform::Lookup(_)) => return,
        Some(Transform::Split(_) | Transform::MapEntries | Transform::Pluck(_)) => {
            (matches!(kind, Type::List(_)), "a list")
        }
        Some(
            Transform::LastSegment
            | Transform::After(_)
            | Transform::Between(_)
            | Transform::HostOf
            | Transform::SchemeOf
            | Transform::Lower,
        ) => (holds(kind, &Type::String), "`string`"),
        Some(Transform::Present) => (*kind == Type::Bool, "`bool`"),
        Some(Transform::Pivot(_)) => (matches!(kind, Type::Map(_)), "a map"),
        Some(Transform::Duration(_)) => (*kind == Type::Duration, "`duration`"),
    };
    if let (false, word) = wanted {
        let message = format!("the last transform of `{}` gives {word}, not {}", field.name, field.kind);
        errors.push(doc.error(&at.key("type"), message, "Change the type or the transforms"));
    }
    for (i, transform) in field.transform.iter().enumerate() {
        let at = at.key("transform").index(i);
        match transform {
            Transform::Split(by) if by.is_empty() => {
                errors.push(doc.error(&at, "`split` needs a separator", "For example `{ split = \" \" }`"));
            }
            Transform::Pluck(path) => json_path(doc, &at, path, errors),
            Transform::After(mark) if mark.is_empty() => {
                errors.push(doc.error(&at, "`after` needs a text", "For example `{ after = \"id:\" }`"));
            }
            Transform::Between(marks) if marks.iter().any(String::is_empty) => {
                let remedy = "For example `{ between = [\"(\", \")\"] }`";
                errors.push(doc.error(&at, "`between` needs two texts", remedy));
            }
            Transform::Lookup(table) if table.is_empty() => {
                errors.push(doc.error(&at, "`lookup` has an empty table", "Add what each text means"));
            }
            _ => {}
        }
    }
}

/// A path in an answer: names with dots between them. `""` and `"."` are the whole.
pub(crate) fn json_path(doc: &Doc<'_>, at: &At, path: &str, errors: &mut Vec<LoadError>) {
    let bad = path.len() > 300 || path.chars().any(|c| c.is_control());
    if bad || (path != "." && !path.is_empty() && path.split('.').any(str::is_empty)) {
        let remedy = "Names with dots between them, such as `data.organization.name`";
        errors.push(doc.error(at, format!("`{path}` is not a path"), remedy));
    }
}

/// Whether a constant of the manifest has this type. Instants and durations are written as text.
pub(crate) fn constant_fits(value: &toml::Value, kind: &Type) -> bool {
    use toml::Value as V;
    match (value, kind) {
        (V::Boolean(_), Type::Bool)
        | (V::Integer(_), Type::Int | Type::Double)
        | (V::Float(_), Type::Double)
        | (V::String(_), Type::String) => true,
        (V::String(text), Type::Timestamp) => model::time::Timestamp::parse(text).is_some(),
        (V::String(text), Type::Duration) => model::time::Duration::parse(text).is_some(),
        (V::Array(items), Type::List(inner)) => items.iter().all(|item| constant_fits(item, inner)),
        (V::Table(table), Type::Map(inner)) => table.values().all(|item| constant_fits(item, inner)),
        _ => false,
    }
}
