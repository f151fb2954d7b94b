//! Typed values of records: what a connector extracted and what the check language computes with.
//!
//! A value is never "maybe null": what a vendor left out or sent as null has been turned, by the field's own
//! declaration, into [`Value::Unknown`] (we could not know), [`Value::Null`] (known to be absent) or a value.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Timestamp};

/// One typed value. Cloning is cheap: everything large is behind an [`Arc`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Could not be known: not answered, not permitted, not read. Never equal to anything by the check language.
    Unknown,
    /// Known to be absent.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// An instant.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// A list that may have an unknown tail.
    List(Arc<List>),
    /// A nested object with the fields of its [`Shape`] in order.
    Object(Arc<Record>),
    /// A map with text keys in key order (a vendor's open-ended object, such as permissions by name).
    Map(Arc<[(Arc<str>, Value)]>),
}

/// A list of values. `complete` is false when its tail was not read: nothing may be concluded from absence.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// The elements that were read.
    pub items: Vec<Value>,
    /// Whether these are all the elements there are.
    pub complete: bool,
}

/// The values of one record, in the order of its [`Shape`]'s fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// One value a field, same order and length as the shape's fields.
    pub values: Box<[Value]>,
}

/// The fields of a record, by name. Shared by all records of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Shape {
    /// The fields, in declaration order.
    pub fields: Vec<ShapeField>,
}

/// One field of a [`Shape`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeField {
    /// Its name in checks, pages and exports.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Only presence (`true`/`false`) or a hash is kept; the value itself never leaves the connector.
    #[serde(default)]
    pub sensitive: bool,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A floating-point number.
    Double,
    /// Text.
    String,
    /// An instant.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list of one type.
    List(Box<Type>),
    /// A nested object.
    Object(Arc<Shape>),
    /// A map from text to one type.
    Map(Box<Type>),
}

impl Shape {
    /// The position and declaration of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &ShapeField)> {
        self.fields.iter().enumerate().find(|(_, f)| f.name == name)
    }
}

/// Text as every database keeps it: PostgreSQL's texts have no NUL and SQLite's end there for some of its functions, so a NUL
/// becomes the sign for what cannot be shown. Whatever is compared with what was kept is spelt by this rule, too.
#[must_use]
pub fn storable<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text }
}

impl Value {
    /// Text from anything that turns into shared text.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A list that was read to its end.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List { items, complete: true }))
    }

    /// Whether the value could not be known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// A JSON rendering for storage, evidence and export. Unknown becomes `{"$unknown":true}`, so that it can be
    /// read back as unknown and is never mistaken for null; an incomplete list becomes `{"$incomplete":[...]}`.
    #[must_use]
    pub fn to_json(&self, kind: &Type) -> serde_json::Value {
        use serde_json::{Value as J, json};
        match (self, kind) {
            (Self::Unknown, _) => json!({ "$unknown": true }),
            (Self::Null, _) => J::Null,
            (Self::Bool(b), _) => J::Bool(*b),
            (Self::Int(i), _) => json!(i),
            (Self::Double(d), _) => json!(d),
            (Self::String(s), _) => J::String(s.to_string()),
            (Self::Timestamp(t), _) => J::String(t.to_string()),
            (Self::Duration(d), _) => J::String(d.to_string()),
            (Self::List(l), kind) => {
                let inner = if let Type::List(inner) = kind { inner } else { kind };
                let items: Vec<J> = l.items.iter().map(|v| v.to_json(inner)).collect();
                if l.complete { J::Array(items) } else { json!({ "$incomplete": items }) }
            }
            (Self::Object(r), Type::Object(shape)) => r.to_json(shape),
            // An object without its shape cannot be named; this does not occur for records built by a connector.
            (Self::Object(_), _) => json!({ "$unknown": true }),
            (Self::Map(m), kind) => {
                let inner = if let Type::Map(inner) = kind { inner } else { kind };
                J::Object(m.iter().map(|(k, v)| (k.to_string(), v.to_json(inner))).collect())
            }
        }
    }

    /// Reads back what [`Value::to_json`] wrote. What does not fit the type is unknown: a stored value of an older
    /// revision must not turn into a wrong answer.
    #[must_use]
    pub fn from_json(json: &serde_json::Value, kind: &Type) -> Self {
        use serde_json::Value as J;
        match (json, kind) {
            (J::Null, _) => Self::Null,
            // By itself: among the keys of a vendor's map it is a key.
            (J::Object(o), _) if o.len() == 1 && o.get("$unknown") == Some(&J::Bool(true)) => Self::Unknown,
            (J::Bool(b), Type::Bool) => Self::Bool(*b),
            (J::Number(n), Type::Int) => n.as_i64().map_or(Self::Unknown, Self::Int),
            (J::Number(n), Type::Double) => n.as_f64().map_or(Self::Unknown, Self::Double),
            (J::String(s), Type::String) => Self::string(s.as_str()),
            (J::String(s), Type::Timestamp) => Timestamp::parse(s).map_or(Self::Unknown, Self::Timestamp),
            (J::String(s), Type::Duration) => Duration::parse(s).map_or(Self::Unknown, Self::Duration),
            (J::Array(items), Type::List(inner)) => {
                Self::list(items.iter().map(|v| Self::from_json(v, inner)).collect())
            }
            (J::Object(o), Type::List(inner)) => match o.get("$incomplete") {
                Some(J::Array(items)) => Self::List(Arc::new(List {
                    items: items.iter().map(|v| Self::from_json(v, inner)).collect(),
                    complete: false,
                })),
                _ => Self::Unknown,
            },
            (J::Object(_), Type::Object(shape)) => Self::Object(Arc::new(Record::from_json(json, shape))),
            (J::Object(o), Type::Map(inner)) => {
                let mut entries: Vec<(Arc<str>, Self)> =
                    o.iter().map(|(k, v)| (Arc::from(k.as_str()), Self::from_json(v, inner))).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Map(entries.into())
            }
            _ => Self::Unknown,
        }
    }
}

impl Record {
    /// The value of a field; unknown when the shape has no such field.
    #[must_use]
    pub fn get<'a>(&'a self, shape: &Shape, name: &str) -> &'a Value {
        static UNKNOWN: Value = Value::Unknown;
        shape.field(name).and_then(|(at, _)| self.values.get(at)).unwrap_or(&UNKNOWN)
    }

    /// A JSON object with every field of the shape.
    #[must_use]
    pub fn to_json(&self, shape: &Shape) -> serde_json::Value {
        serde_json::Value::Object(
            shape
                .fields
                .iter()
                .zip(self.values.iter())
                .map(|(f, v)| (f.name.clone(), v.to_json(&f.kind)))
                .collect(),
        )
    }

    /// Reads back what [`Record::to_json`] wrote; fields that the JSON lacks are unknown.
    #[must_use]
    pub fn from_json(json: &serde_json::Value, shape: &Shape) -> Self {
        Self {
            values: shape
                .fields
                .iter()
                .map(|f| json.get(&f.name).map_or(Value::Unknown, |v| Value::from_json(v, &f.kind)))
                .collect(),
        }
    }
}
