//! Whether a value of a described form can be what a manifest declares.

use super::shape::Shape;

/// Whether a declared type (`list<string>`) can be read from this form.
pub(crate) fn fits(kind: &str, format: &str, shape: &Shape) -> bool {
    shape.alternatives().into_iter().any(|one| {
        if *one == Shape::Any {
            return true;
        }
        if let Some(inner) = inner(kind, "list") {
            return matches!(one, Shape::List(item) if fits(inner, format, item));
        }
        if let Some(inner) = inner(kind, "map") {
            return match one {
                Shape::Map(item) => fits(inner, format, item),
                Shape::Of(_) | Shape::Free => true,
                _ => false,
            };
        }
        match kind {
            "bool" => *one == Shape::Truth,
            "int" => matches!(one, Shape::Whole | Shape::Number),
            "double" => matches!(one, Shape::Whole | Shape::Number),
            "string" => matches!(one, Shape::Text | Shape::Whole | Shape::Number | Shape::Truth),
            "timestamp" if format == "rfc3339" => *one == Shape::Text,
            "timestamp" => matches!(one, Shape::Whole | Shape::Number | Shape::Text),
            "duration" => *one == Shape::Text,
            "object" => matches!(one, Shape::Of(_) | Shape::Free | Shape::Map(_)),
            _ => false,
        }
    })
}

fn inner<'k>(kind: &'k str, outer: &str) -> Option<&'k str> {
    kind.strip_prefix(outer)?.strip_prefix('<')?.strip_suffix('>')
}

/// What a transform makes of a form; none: it does not apply. A transform that is not known here makes anything of it.
pub(crate) fn transformed(word: &str, shape: &Shape) -> Option<Shape> {
    let has = |wanted: fn(&Shape) -> bool| {
        shape.alternatives().into_iter().any(|one| *one == Shape::Any || wanted(one))
    };
    let text = || has(|one| *one == Shape::Text);
    match word {
        "present" => Some(Shape::Truth),
        "split" => text().then(|| Shape::Text.list()),
        "last_segment" | "after" | "between" | "host_of" | "scheme_of" | "lower" => match shape {
            Shape::List(inner) => transformed(word, inner).map(Shape::list),
            _ => text().then_some(Shape::Text),
        },
        "duration" => {
            has(|one| matches!(one, Shape::Text | Shape::Whole | Shape::Number)).then_some(Shape::Any)
        }
        "map_entries" => {
            has(|one| matches!(one, Shape::Of(_) | Shape::Map(_) | Shape::Free)).then(|| Shape::Text.list())
        }
        // The table's values are texts that may be read as another type.
        "lookup" => has(|one| matches!(one, Shape::Text | Shape::Whole | Shape::Number | Shape::Truth))
            .then_some(Shape::Any),
        _ => Some(Shape::Any),
    }
}

/// The names of an OData list of properties: `id,owners($select=id,mail)` names `id` and `owners`.
pub(crate) fn names(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut out) = (0usize, 0, Vec::new());
    let name = |part: &str| part.find('(').map_or(part.len(), |at| at);
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let part = &list[begin..at];
                out.push(part[..name(part)].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    let part = &list[begin..];
    out.push(part[..name(part)].trim());
    out.retain(|name| !name.is_empty() && *name != "*");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(kind: &str, shape: &str) -> bool {
        fits(kind, "rfc3339", &Shape::read(shape).unwrap())
    }

    #[test]
    fn declared_types_are_compared_with_described_forms() {
        for (kind, shape) in [
            ("bool", "boolean"),
            ("int", "integer"),
            ("string", "integer"),
            ("string", "object|string"),
            ("list<string>", "[string]"),
            ("list<list<int>>", "[[integer]]"),
            ("list<object>", "[#x]"),
            ("map<string>", "{string}"),
            ("object", "#x"),
            ("timestamp", "string"),
            ("int", "any"),
        ] {
            assert!(fit(kind, shape), "{kind} from {shape}");
        }
        for (kind, shape) in [
            ("bool", "string"),
            ("int", "string"),
            ("string", "[string]"),
            ("string", "#x"),
            ("list<string>", "string"),
            ("list<string>", "[#x]"),
            ("list<object>", "[string]"),
            ("timestamp", "integer"),
            ("object", "[#x]"),
            ("map<int>", "{string}"),
            ("bol", "boolean"),
        ] {
            assert!(!fit(kind, shape), "{kind} from {shape}");
        }
        assert!(fits("timestamp", "epoch_seconds", &Shape::Whole));
    }

    #[test]
    fn transforms_apply_to_what_they_can_read() {
        let after = |word: &str, shape: &str| {
            transformed(word, &Shape::read(shape).unwrap()).map(|shape| shape.to_string())
        };
        assert_eq!(after("split", "string").as_deref(), Some("[string]"));
        assert_eq!(after("split", "integer"), None);
        assert_eq!(after("host_of", "[string]").as_deref(), Some("[string]"), "each element of a list");
        assert_eq!(after("host_of", "[integer]"), None);
        assert_eq!(after("duration", "boolean"), None);
        assert_eq!(after("map_entries", "#x").as_deref(), Some("[string]"));
        assert_eq!(after("map_entries", "string"), None);
        assert_eq!(after("present", "#x").as_deref(), Some("boolean"));
        assert_eq!(after("lookup", "#x"), None);
    }

    #[test]
    fn odata_lists_are_taken_apart_at_their_own_commas() {
        assert_eq!(names("id, owners($select=id,mail),a/b"), ["id", "owners", "a/b"]);
        assert!(names("*").is_empty());
    }
}
