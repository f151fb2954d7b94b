//! What an answer looks like, whichever language the vendor described it in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The form of one JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The description names the value and says nothing about its type.
    Any,
    /// A string, instants and enumerations included.
    Text,
    /// A whole number, or one written as a string (Google's `int64`).
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Truth,
    /// An object whose names the description does not tell.
    Free,
    /// An object of a named type.
    Of(String),
    /// A list.
    List(Box<Shape>),
    /// An object with arbitrary names.
    Map(Box<Shape>),
    /// One of several.
    OneOf(Vec<Shape>),
}

impl Shape {
    /// A list of this.
    pub(crate) fn list(self) -> Self {
        Self::List(Box::new(self))
    }

    /// The alternatives, each of which is not itself a choice.
    pub(crate) fn alternatives(&self) -> Vec<&Self> {
        match self {
            Self::OneOf(all) => all.iter().flat_map(Self::alternatives).collect(),
            one => vec![one],
        }
    }

    /// Calls `visit` with every type this names.
    pub(crate) fn names<'s>(&'s self, visit: &mut impl FnMut(&'s str)) {
        match self {
            Self::Of(name) => visit(name),
            Self::List(inner) | Self::Map(inner) => inner.names(visit),
            Self::OneOf(all) => all.iter().for_each(|one| one.names(visit)),
            _ => {}
        }
    }

    /// The same with every type that is not among `kept` made a [`Shape::Free`].
    pub(crate) fn without(&self, kept: &dyn Fn(&str) -> bool) -> Self {
        match self {
            Self::Of(name) if !kept(name) => Self::Free,
            Self::List(inner) => inner.without(kept).list(),
            Self::Map(inner) => Self::Map(Box::new(inner.without(kept))),
            Self::OneOf(all) => choice(all.iter().map(|one| one.without(kept)).collect()),
            other => other.clone(),
        }
    }

    /// Reads what [`fmt::Display`] writes: `string`, `[#user]`, `{integer}`, `string|#name`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let shape = read_choice(&mut rest)?;
        if rest.is_empty() { Ok(shape) } else { Err(format!("'{text}': '{rest}' is left over")) }
    }
}

/// The alternatives as one shape: repeated ones once, a single one as itself.
pub(crate) fn choice(all: Vec<Shape>) -> Shape {
    let mut kept: Vec<Shape> = Vec::new();
    for one in all {
        for alternative in one.alternatives() {
            if !kept.contains(alternative) {
                kept.push(alternative.clone());
            }
        }
    }
    match kept.len() {
        0 => Shape::Any,
        1 => kept.remove(0),
        _ => Shape::OneOf(kept),
    }
}

fn read_choice(rest: &mut &str) -> Result<Shape, String> {
    let mut all = vec![read_one(rest)?];
    while let Some(after) = rest.strip_prefix('|') {
        *rest = after;
        all.push(read_one(rest)?);
    }
    Ok(choice(all))
}

fn read_one(rest: &mut &str) -> Result<Shape, String> {
    for (open, close) in [('[', ']'), ('{', '}')] {
        if let Some(after) = rest.strip_prefix(open) {
            *rest = after;
            let inner = Box::new(read_choice(rest)?);
            *rest =
                rest.strip_prefix(close).ok_or_else(|| format!("'{close}' is missing before '{rest}'"))?;
            return Ok(if open == '[' { Shape::List(inner) } else { Shape::Map(inner) });
        }
    }
    let end = rest.find(['|', ']', '}']).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    if let Some(name) = word.strip_prefix('#') {
        return Ok(Shape::Of(name.to_owned()));
    }
    match word {
        "any" => Ok(Shape::Any),
        "string" => Ok(Shape::Text),
        "integer" => Ok(Shape::Whole),
        "number" => Ok(Shape::Number),
        "boolean" => Ok(Shape::Truth),
        "object" => Ok(Shape::Free),
        other => Err(format!("no type is called '{other}'")),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Text => f.write_str("string"),
            Self::Whole => f.write_str("integer"),
            Self::Number => f.write_str("number"),
            Self::Truth => f.write_str("boolean"),
            Self::Free => f.write_str("object"),
            Self::Of(name) => write!(f, "#{name}"),
            Self::List(inner) => write!(f, "[{inner}]"),
            Self::Map(inner) => write!(f, "{{{inner}}}"),
            Self::OneOf(all) => {
                let words: Vec<String> = all.iter().map(ToString::to_string).collect();
                f.write_str(&words.join("|"))
            }
        }
    }
}

/// An object type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Type {
    /// Its fields by name.
    pub(crate) fields: BTreeMap<String, Shape>,
    /// Types whose fields an object of this one may have as well: its variants.
    pub(crate) also: BTreeSet<String>,
    /// Fields that an answer has only where the request asks for them by `$expand` (OData's navigation properties).
    pub(crate) expand: BTreeSet<String>,
    /// The page it was read from, where no machine-readable description has it.
    pub(crate) page: Option<String>,
}

/// Object types by name.
pub(crate) type Types = BTreeMap<String, Type>;

/// A place in an answer, and where the last step to it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is there.
    pub(crate) shape: Shape,
    /// The page that says so; none: the vendor's description does.
    pub(crate) page: Option<String>,
}

/// What of the types was looked at, so that no more of them is kept.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Types that were looked into, kept whole.
    pub(crate) whole: BTreeSet<String>,
    /// Fields that were found, by type; of variants only these are kept.
    pub(crate) hit: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn keeps(&self, name: &str) -> bool {
        self.whole.contains(name) || self.hit.contains_key(name)
    }

    /// The types that were seen, without what was not.
    pub(crate) fn prune(&self, types: &Types) -> Types {
        let kept = |name: &str| self.keeps(name);
        let mut out = Types::new();
        for (name, found) in types.iter().filter(|(name, found)| kept(name) && found.page.is_none()) {
            let hits = self.hit.get(name);
            let fields = found
                .fields
                .iter()
                .filter(|(field, _)| {
                    self.whole.contains(name) || hits.is_some_and(|all| all.contains(*field))
                })
                .map(|(field, shape)| (field.clone(), shape.without(&kept)))
                .collect();
            let fields: BTreeMap<String, Shape> = fields;
            let also = found.also.iter().filter(|other| kept(other)).cloned().collect();
            let expand = found.expand.iter().filter(|field| fields.contains_key(*field)).cloned().collect();
            out.insert(name.clone(), Type { fields, also, expand, page: None });
        }
        out
    }
}

/// Follows `path` (names joined by dots, `*` for every element, numbers for positions) from `start`.
pub(crate) fn walk(types: &Types, start: Vec<Found>, path: &str, seen: &mut Seen) -> Vec<Found> {
    if matches!(path, "" | ".") {
        return start;
    }
    let segments: Vec<&str> = path.split('.').collect();
    start.into_iter().flat_map(|from| follow(types, from, &segments, seen)).collect()
}

fn follow(types: &Types, from: Found, segments: &[&str], seen: &mut Seen) -> Vec<Found> {
    if segments.is_empty() {
        return vec![from];
    }
    let mut out = Vec::new();
    for shape in from.shape.alternatives() {
        let next = |shape: &Shape| Found { shape: shape.clone(), page: from.page.clone() };
        match shape {
            Shape::List(inner) if is_position(segments[0]) => {
                out.extend(follow(types, next(inner), &segments[1..], seen));
            }
            Shape::Map(inner) if segments[0] == "*" => {
                out.extend(follow(types, next(inner), &segments[1..], seen));
            }
            Shape::Of(name) => {
                for (shape, page, used) in field(types, name, segments, seen) {
                    // Each step is known by itself: a page may say that a list holds users, and a description what a user is.
                    let found = Found { shape, page };
                    out.extend(follow(types, found, &segments[used..], seen));
                }
            }
            _ => {}
        }
    }
    out
}

fn is_position(segment: &str) -> bool {
    segment == "*" || segment.chars().all(|c| c.is_ascii_digit())
}

/// The field of a type, or of its variants, that the first segments name (a name may itself hold dots), with the page it
/// is from and how many segments it took.
fn field(
    types: &Types,
    name: &str,
    segments: &[&str],
    seen: &mut Seen,
) -> Vec<(Shape, Option<String>, usize)> {
    seen.whole.insert(name.to_owned());
    let mut out = Vec::new();
    let (mut open, mut done) = (vec![name], BTreeSet::new());
    while let Some(at) = open.pop() {
        let Some(found) = types.get(at).filter(|_| done.insert(at)) else { continue };
        let hit = (1..=segments.len())
            .find_map(|used| Some((found.fields.get_key_value(&segments[..used].join("."))?, used)));
        if let Some(((key, shape), used)) = hit {
            seen.hit.entry(at.to_owned()).or_default().insert(key.clone());
            out.push((shape.clone(), found.page.clone(), used));
        }
        open.extend(found.also.iter().map(String::as_str));
    }
    out
}

/// A list of records stands for its records.
pub(crate) fn each(found: Vec<Found>) -> Vec<Found> {
    let item = |one: Found| -> Vec<Found> {
        one.shape
            .alternatives()
            .into_iter()
            .map(|shape| match shape {
                Shape::List(inner) => Found { shape: (**inner).clone(), page: one.page.clone() },
                other => Found { shape: other.clone(), page: one.page.clone() },
            })
            .collect()
    };
    found.into_iter().flat_map(item).collect()
}

/// Whether a field of these places comes only where `$expand` names it.
pub(crate) fn needs_expand(types: &Types, found: &[Found], field: &str) -> bool {
    let mut needs = false;
    for one in found {
        one.shape
            .names(&mut |name| needs |= types.get(name).is_some_and(|found| found.expand.contains(field)));
    }
    needs
}

/// The names a place offers, for messages.
pub(crate) fn names_at(types: &Types, found: &[Found]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for one in found {
        one.shape.names(&mut |name| {
            names.extend(types.get(name).into_iter().flat_map(|found| found.fields.keys().cloned()));
        });
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, fields, variants.
    type Written<'t> = (&'t str, &'t [(&'t str, &'t str)], &'t [&'t str]);

    fn types(text: &[Written<'_>]) -> Types {
        text.iter()
            .map(|(name, fields, also)| {
                let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), Shape::read(v).unwrap())).collect();
                let also = also.iter().map(|name| (*name).to_owned()).collect();
                ((*name).to_owned(), Type { fields, also, ..Type::default() })
            })
            .collect()
    }

    fn start(text: &str) -> Vec<Found> {
        vec![Found { shape: Shape::read(text).unwrap(), page: None }]
    }

    fn at(types: &Types, from: &str, path: &str) -> Vec<String> {
        walk(types, start(from), path, &mut Seen::default()).iter().map(|f| f.shape.to_string()).collect()
    }

    #[test]
    fn shapes_are_written_and_read_back() {
        for text in
            ["string", "[#user]", "{[integer]}", "string|#a.b-c:d", "[string|boolean]", "object", "any"]
        {
            assert_eq!(Shape::read(text).unwrap().to_string(), text);
        }
        assert!(Shape::read("[string").is_err());
        assert!(Shape::read("strin").is_err());
        assert!(Shape::read("string]").is_err());
    }

    #[test]
    fn paths_lead_through_lists_variants_and_dotted_names() {
        let types = types(&[
            ("page", &[("value", "[#user]"), ("@odata.next", "string")], &[]),
            ("user", &[("id", "integer"), ("labels", "{string}")], &["admin"]),
            ("admin", &[("since", "string")], &["user"]),
        ]);
        assert_eq!(at(&types, "#page", "value.*.id"), ["integer"]);
        assert_eq!(at(&types, "#page", "value.0.since"), ["string"]);
        assert_eq!(at(&types, "#page", "@odata.next"), ["string"]);
        assert_eq!(at(&types, "#page", "value.*.labels.*"), ["string"]);
        assert!(at(&types, "#page", "value.id").is_empty(), "a list has no names");
        assert!(at(&types, "#page", "value.*.labels.team").is_empty(), "a free name is not described");
        assert!(at(&types, "#page", "value.*.nothing").is_empty());
    }

    #[test]
    fn what_nobody_looked_at_is_not_kept() {
        let types = types(&[
            ("page", &[("value", "[#user]"), ("other", "#big")], &[]),
            ("user", &[("id", "integer")], &["admin", "guest"]),
            ("admin", &[("since", "string"), ("until", "string")], &[]),
            ("guest", &[("by", "string")], &[]),
            ("big", &[("a", "string")], &[]),
        ]);
        let mut seen = Seen::default();
        walk(&types, start("#page"), "value.*.since", &mut seen);
        let kept = seen.prune(&types);
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["admin", "page", "user"]);
        assert_eq!(kept["page"].fields["other"], Shape::Free);
        assert_eq!(kept["admin"].fields.keys().collect::<Vec<_>>(), ["since"]);
        assert_eq!(kept["user"].also.iter().collect::<Vec<_>>(), ["admin"]);
        assert_eq!(at(&kept, "#page", "value.*.since"), ["string"]);
    }
}
