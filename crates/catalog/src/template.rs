//! Sentences and addresses with `{field}` placeholders. There are no expressions in templates.

use std::fmt::Write as _;

use model::value::{Record, Shape, Type, Value};
use model::words::acts;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The pieces in order.
    pub parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// A placeholder's name without the braces: `login`, `plan.name`, `params.max_idle_days`.
    Placeholder(String),
}

impl Template {
    /// Reads a template. A brace that does not enclose a name (`[a-z0-9_.]`, dots between) is an error.
    ///
    /// # Errors
    /// The byte offset and what is wrong there.
    pub fn parse(source: &str) -> Result<Self, (usize, String)> {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(open) = source[at..].find(['{', '}']).map(|o| o + at) {
            if source[open..].starts_with('}') {
                return Err((open, "`}` closes no placeholder".to_owned()));
            }
            let Some(close) = source[open..].find('}').map(|c| c + open) else {
                return Err((open, "`{` is not closed".to_owned()));
            };
            let name = &source[open + 1..close];
            let good = |part: &str| {
                part.starts_with(|c: char| c.is_ascii_lowercase())
                    && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            if !name.split('.').all(good) {
                return Err((open, format!("`{{{name}}}` is not a placeholder")));
            }
            if open > at {
                parts.push(Part::Text(source[at..open].to_owned()));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            at = close + 1;
        }
        if at < source.len() {
            parts.push(Part::Text(source[at..].to_owned()));
        }
        Ok(Self { parts })
    }

    /// The names of the placeholders, in order, repetitions included.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Placeholder(name) => Some(name.as_str()),
        })
    }

    /// Whether it is nothing but one placeholder.
    #[must_use]
    pub fn is_one_placeholder(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Placeholder(_)])
    }

    /// Fills every placeholder by the function.
    #[must_use]
    pub fn fill(&self, mut value: impl FnMut(&str) -> String) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(t) => text.push_str(t),
                Part::Placeholder(name) => text.push_str(&value(name)),
            }
        }
        text
    }

    /// A sentence about a record: fields by name, parameters as `params.<name>`. What is unknown reads `unknown`, what is
    /// absent reads `none`; long texts and lists are shortened visibly and control characters replaced. The text is the
    /// vendor's: whoever shows the sentence as HTML must escape it.
    #[must_use]
    pub fn sentence(&self, shape: &Shape, record: &Record, param: impl Fn(&str) -> Option<Value>) -> String {
        self.fill(|name| match name.strip_prefix("params.") {
            Some(name) => text(&param(name).unwrap_or(Value::Unknown)),
            None => text(&lookup(shape, record, name)),
        })
    }

    /// An address: `console` is filled as it is (it is the application's own, validated), every other placeholder is a
    /// setting or else a field of the record, percent-encoded as one path segment. `None` when a placeholder has no value,
    /// because a link that leads elsewhere is worse than none. A template that is one field alone takes the field's whole
    /// https address, as the application gave it.
    #[must_use]
    pub fn address(
        &self,
        console: &str,
        setting: impl Fn(&str) -> Option<String>,
        record: Option<(&Shape, &Record)>,
    ) -> Option<String> {
        self.address_by(console, |name| {
            setting(name).or_else(|| match record.map(|(shape, record)| lookup(shape, record, name)) {
                None | Some(Value::Unknown | Value::Null) => None,
                Some(Value::String(whole)) if self.is_one_placeholder() => Some(whole.to_string()),
                Some(value) => Some(text(&value)),
            })
        })
    }

    /// [`Template::address`] where values come from elsewhere than a record, such as stored evidence.
    #[must_use]
    pub fn address_by(&self, console: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        if let [Part::Placeholder(name)] = self.parts.as_slice()
            && name != "console"
        {
            let address = value(name)?;
            let https =
                url::Url::parse(&address).is_ok_and(|u| u.scheme() == "https" && u.username().is_empty());
            return https.then_some(address);
        }
        let mut whole = true;
        let address = self.fill(|name| match value_of(name, console, &value) {
            Some(text) => text,
            None => {
                whole = false;
                String::new()
            }
        });
        whole.then_some(address)
    }
}

/// A placeholder of an address, ready to stand in it.
fn value_of(name: &str, console: &str, value: &impl Fn(&str) -> Option<String>) -> Option<String> {
    if name == "console" {
        return Some(console.trim_end_matches('/').to_owned());
    }
    // A dot or two would climb out of the segment, also when percent-encoded.
    value(name).filter(|value| !matches!(value.as_str(), "" | "." | "..")).map(|value| segment(&value))
}

/// The value of a field by its dotted path.
fn lookup(shape: &Shape, record: &Record, path: &str) -> Value {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = record.get(shape, head);
    match (rest, value, shape.field(head).map(|(_, field)| &field.kind)) {
        (None, value, _) => value.clone(),
        (Some(rest), Value::Object(inner), Some(Type::Object(shape))) => lookup(shape, inner, rest),
        _ => Value::Unknown,
    }
}

/// Whether a dotted path leads to a field of the shape.
pub(crate) fn has_path(shape: &Shape, path: &str) -> bool {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    match (rest, shape.field(head).map(|(_, field)| &field.kind)) {
        (None, Some(_)) => true,
        (Some(rest), Some(Type::Object(shape))) => has_path(shape, rest),
        _ => false,
    }
}

/// A value as people read it in a sentence.
fn text(value: &Value) -> String {
    match value {
        Value::Unknown => "unknown".to_owned(),
        Value::Null => "none".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Double(d) => d.to_string(),
        Value::String(s) => one_line(s),
        Value::Timestamp(t) => t.to_string(),
        Value::Duration(d) => d.to_string(),
        Value::List(list) => {
            let mut words = list.items.iter().take(LISTED).map(text).collect::<Vec<_>>();
            if list.items.len() > LISTED {
                words.push(format!("{} more", list.items.len() - LISTED));
            }
            if !list.complete {
                words.push("...".to_owned());
            }
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        }
        Value::Map(map) => {
            let mut words = map
                .iter()
                .take(LISTED)
                .map(|(key, value)| format!("{}: {}", one_line(key), text(value)))
                .collect::<Vec<_>>();
            if map.len() > LISTED {
                words.push(format!("{} more", map.len() - LISTED));
            }
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        }
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Elements of a list that a sentence names; how many more there are is said.
const LISTED: usize = 10;
/// Characters of one text in a sentence; a longer one ends in an ellipsis.
const LETTERS: usize = 200;

/// A vendor's text within a sentence. Control characters (a terminal obeys them) and marks that turn the direction of
/// reading (they let a name pose as another) are replaced.
fn one_line(text: &str) -> String {
    let replaced = |c: char| acts(c) || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line: String = text
        .chars()
        .take(LETTERS)
        .map(|c| if replaced(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(LETTERS).is_some() {
        line.push('…');
    }
    line
}

/// How many days ago the placeholder `days_ago_3` means, and whether only the date is meant (`date_days_ago_3`); `None`:
/// it is another one.
#[must_use]
pub fn days_ago(name: &str) -> Option<(u16, bool)> {
    let (name, date) = name.strip_prefix("date_").map_or((name, false), |rest| (rest, true));
    let days = name.strip_prefix("days_ago_")?;
    let number = days.parse().ok().filter(|n: &u16| *n > 0 && n.to_string() == days)?;
    Some((number, date))
}

/// Percent-encodes everything but RFC 3986's unreserved characters; what is left cannot leave its path segment. A segment
/// of only dots would be resolved as a path step, so its dots are encoded too.
#[must_use]
pub fn segment(value: &str) -> String {
    let dots = value.bytes().all(|b| b == b'.');
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        let keep =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && !dots);
        if keep {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use model::value::ShapeField;
    use proptest::prelude::*;

    use super::*;

    fn shape() -> Shape {
        let field = |name: &str, kind| ShapeField { name: name.to_owned(), kind, sensitive: false };
        let plan = Shape { fields: vec![field("name", Type::String)] };
        Shape {
            fields: vec![
                field("login", Type::String),
                field("plan", Type::Object(std::sync::Arc::new(plan))),
                field("tags", Type::List(Box::new(Type::String))),
            ],
        }
    }

    fn record(login: &str) -> Record {
        let json = serde_json::json!({"login": login, "plan": {"name": "free"}, "tags": ["a", "b"]});
        Record::from_json(&json, &shape())
    }

    #[test]
    fn sentences_say_what_is_unknown_and_absent() {
        let template =
            Template::parse("{login} ({plan.name}, {tags}) {params.days} {params.none}").expect("sound");
        let text =
            template.sentence(&shape(), &record("al"), |name| (name == "days").then_some(Value::Int(30)));
        assert_eq!(text, "al (free, a, b) 30 unknown");
        let empty = Record::from_json(&serde_json::json!({"login": null}), &shape());
        assert_eq!(template.sentence(&shape(), &empty, |_| None), "none (unknown, unknown) unknown unknown");
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let template = Template::parse("{login} is here: {tags}").expect("sound");
        let say = |json| template.sentence(&shape(), &Record::from_json(&json, &shape()), |_| None);
        let tags: Vec<String> = (0..13).map(|n| n.to_string()).collect();
        assert_eq!(
            say(serde_json::json!({"login": "a\u{1b}[31m\nb\u{202e}c", "tags": tags})),
            "a\u{fffd}[31m\u{fffd}b\u{fffd}c is here: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3 more"
        );
        let long = say(serde_json::json!({"login": "x".repeat(1000), "tags": {"$incomplete": ["a"]}}));
        assert_eq!(long, format!("{}… is here: a, ...", "x".repeat(200)));
    }

    #[test]
    fn addresses_need_all_their_parts() {
        let template = Template::parse("{console}/orgs/{organization}/{login}").expect("sound");
        let shape = shape();
        let setting = |name: &str| (name == "organization").then(|| "acme".to_owned());
        let record = record("a/b");
        let address = |r| template.address("https://github.com/", setting, r);
        assert_eq!(address(Some((&shape, &record))).as_deref(), Some("https://github.com/orgs/acme/a%2Fb"));
        assert_eq!(address(None), None);
        for climbing in [".", ".."] {
            let address =
                template.address("https://github.com/", setting, Some((&shape, &self::record(climbing))));
            assert_eq!(address, None);
        }
    }

    #[test]
    fn a_field_that_is_an_address_stays_whole_if_it_is_https() {
        let template = Template::parse("{login}").expect("sound");
        let shape = shape();
        let address = |login: &str| template.address("https://c", |_| None, Some((&shape, &record(login))));
        assert_eq!(address("https://github.com/al?x=1").as_deref(), Some("https://github.com/al?x=1"));
        for hostile in ["javascript:alert(1)", "http://x", "https://user@host/", "al"] {
            assert_eq!(address(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn days_are_counted() {
        assert_eq!(days_ago("days_ago_3"), Some((3, false)));
        assert_eq!(days_ago("date_days_ago_180"), Some((180, true)));
        for other in ["days_ago_0", "days_ago_03", "days_ago_", "days", "days_ago_70000", "date_3"] {
            assert_eq!(days_ago(other), None, "{other}");
        }
    }

    #[test]
    fn braces_that_are_no_placeholders_are_errors() {
        for (text, at) in
            [("a {", 2), ("a } b", 2), ("{A}", 0), ("x {a b}", 2), ("{}", 0), ("{a..b}", 0), ("{{a}}", 0)]
        {
            assert_eq!(Template::parse(text).map_err(|e| e.0), Err(at), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_segment(login in ".{1,40}") {
            let template = Template::parse("{console}/a/{login}/b").expect("sound");
            let shape = shape();
            let record = record(&login);
            let address = template.address("https://c.example", |_| None, Some((&shape, &record)));
            if matches!(login.as_str(), "." | "..") {
                prop_assert_eq!(address, None);
                return Ok(());
            }
            let url = url::Url::parse(&address.expect("all parts are there")).expect("an address");
            let segments: Vec<&str> = url.path_segments().expect("a path").collect();
            prop_assert_eq!(segments.len(), 3);
            prop_assert_eq!((segments[0], segments[2]), ("a", "b"));
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }

        #[test]
        fn parsing_loses_nothing(text in "[a-z{}. ]{0,30}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(template.fill(|name| format!("{{{name}}}")), text);
            }
        }
    }
}
