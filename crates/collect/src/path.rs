//! Paths into JSON answers: keys joined by `.`, numbers as list positions, `*` for every element.

use serde_json::Value as Json;

/// A key that no vendor uses, of an object that stands for a value which the vendor withheld.
const WITHHELD: &str = "\u{0}withheld";

/// The value that stands for one the vendor withheld (a GraphQL null with an error). It is unknown wherever it is read.
pub(crate) fn withheld() -> Json {
    Json::Object(std::iter::once((WITHHELD.to_owned(), Json::Bool(true))).collect())
}

/// Whether a value is withheld.
pub(crate) fn is_withheld(json: &Json) -> bool {
    matches!(json, Json::Object(map) if map.len() == 1 && map.contains_key(WITHHELD))
}

/// What is at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found<'a> {
    /// The path leads nowhere.
    Missing,
    /// The vendor withheld it, or something above it.
    Withheld,
    /// This, null included.
    Value(&'a Json),
}

/// A path, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    segments: Box<[Box<str>]>,
}

impl Path {
    /// Reads a path. `""` and `"."` are the whole.
    pub(crate) fn new(text: &str) -> Self {
        if matches!(text, "" | ".") {
            return Self { segments: Box::default() };
        }
        Self { segments: text.split('.').map(Box::from).collect() }
    }

    /// Whether it is the whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    /// Where the path ends in `*`: the path to what it takes the values of.
    pub(crate) fn values_of(&self) -> Option<Self> {
        let (last, before) = self.segments.split_last()?;
        (&**last == "*").then(|| Self { segments: before.into() })
    }

    /// Follows the path. A `*` is not followed here.
    pub(crate) fn get<'a>(&self, json: &'a Json) -> Found<'a> {
        let mut at = json;
        let mut rest = &*self.segments;
        loop {
            if is_withheld(at) {
                return Found::Withheld;
            }
            let Some(segment) = rest.first() else { return Found::Value(at) };
            let step = match at {
                Json::Object(map) => match map.get(&**segment) {
                    Some(next) => Some((next, 1)),
                    // A key may itself hold dots (`@odata.nextLink`, SCIM's schema names): the shortest key that is
                    // there wins.
                    None => {
                        (2..=rest.len()).find_map(|n| map.get(&rest[..n].join(".")).map(|next| (next, n)))
                    }
                },
                Json::Array(items) => {
                    segment.parse().ok().and_then(|i: usize| items.get(i)).map(|next| (next, 1))
                }
                _ => None,
            };
            let Some((next, used)) = step else { return Found::Missing };
            (at, rest) = (next, &rest[used..]);
        }
    }

    /// Whether the condition holds for anything the path leads to; `*` is every element of a list or object.
    pub(crate) fn any(&self, json: &Json, condition: &dyn Fn(&Json) -> bool) -> bool {
        let Some(star) = self.segments.iter().position(|s| &**s == "*") else {
            return matches!(self.get(json), Found::Value(value) if condition(value));
        };
        let part = |range: &[Box<str>]| Self { segments: range.into() };
        let (before, after) = (part(&self.segments[..star]), part(&self.segments[star + 1..]));
        match before.get(json) {
            Found::Value(Json::Array(items)) => items.iter().any(|item| after.any(item, condition)),
            Found::Value(Json::Object(map)) => map.values().any(|item| after.any(item, condition)),
            _ => false,
        }
    }
}

/// Marks the place that a GraphQL error names: the null there, or the null above it to which it spread.
pub(crate) fn withhold(data: &mut Json, path: &[Json]) {
    let mut at = data;
    for (depth, segment) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        let next = match (at, segment) {
            (Json::Object(map), Json::String(key)) => {
                // A field that is left out instead of being null is marked too.
                if last || map.get(key).is_none_or(Json::is_null) {
                    if map.get(key).is_none_or(Json::is_null) {
                        map.insert(key.clone(), withheld());
                    }
                    return;
                }
                map.get_mut(key)
            }
            (Json::Array(items), Json::Number(index)) => {
                let item =
                    index.as_u64().and_then(|i| usize::try_from(i).ok()).and_then(|i| items.get_mut(i));
                match item {
                    Some(item) if item.is_null() => {
                        *item = withheld();
                        return;
                    }
                    other => other,
                }
            }
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn get(path: &str, json: &Json) -> Option<Json> {
        match Path::new(path).get(json) {
            Found::Value(value) => Some(value.clone()),
            _ => None,
        }
    }

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let json = json!({"a": {"b": [{"c": 1}, null]}, "@odata.nextLink": "u", "urn:x:2.0:User": {"id": 7}});
        assert_eq!(get("a.b.0.c", &json), Some(json!(1)));
        assert_eq!(get("a.b.1", &json), Some(Json::Null));
        assert_eq!(get("a.b.1.c", &json), None);
        assert_eq!(get("a.b.2", &json), None);
        assert_eq!(get("@odata.nextLink", &json), Some(json!("u")));
        assert_eq!(get("urn:x:2.0:User.id", &json), Some(json!(7)));
        assert_eq!(get("", &json).as_ref(), Some(&json));
    }

    #[test]
    fn a_star_is_any_element() {
        let json = json!({"errors": [{"type": "A"}, {"type": "B"}]});
        let is = |text: &'static str| move |v: &Json| v == text;
        assert!(Path::new("errors.*.type").any(&json, &is("B")));
        assert!(!Path::new("errors.*.type").any(&json, &is("C")));
        assert!(!Path::new("other.*.type").any(&json, &is("A")));
    }

    #[test]
    fn a_star_at_the_end_is_the_values() {
        assert_eq!(Path::new("data.*").values_of(), Some(Path::new("data")));
        assert_eq!(Path::new("*").values_of(), Some(Path::new("")));
        assert_eq!(Path::new("data.items").values_of(), None);
        assert_eq!(Path::new("").values_of(), None);
    }

    #[test]
    fn withheld_places_are_unknown_from_there_down() {
        let mut data = json!({"o": {"x": null, "list": [null, {"y": null}]}, "p": null});
        withhold(&mut data, &[json!("o"), json!("x")]);
        withhold(&mut data, &[json!("o"), json!("list"), json!(1), json!("y")]);
        withhold(&mut data, &[json!("o"), json!("list"), json!(0), json!("deep")]);
        withhold(&mut data, &[json!("p"), json!("q"), json!("r")]);
        withhold(&mut data, &[json!("gone")]);
        for path in ["o.x", "o.x.z", "o.list.1.y", "o.list.0", "p.q", "gone"] {
            assert_eq!(Path::new(path).get(&data), Found::Withheld, "{path}");
        }
    }

    #[test]
    fn a_value_that_was_answered_is_not_withheld() {
        let mut data = json!({"o": {"x": 1}});
        withhold(&mut data, &[json!("o"), json!("x")]);
        assert_eq!(data, json!({"o": {"x": 1}}));
    }
}
