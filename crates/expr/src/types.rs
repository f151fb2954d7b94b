//! Types as the checker sees them: those of fields, and two that no field has.

use std::fmt;
use std::sync::Arc;

use model::value::{Shape, Type};

/// A static type. Every one of them admits null and unknown besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ty {
    /// Not known at load: the elements of `[]`, or anything behind `dyn(...)`.
    Any,
    /// Only ever null.
    Null,
    Bool,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    List(Box<Ty>),
    Map(Box<Ty>),
    Object(Arc<Shape>),
}

impl Ty {
    pub(crate) fn of(kind: &Type) -> Self {
        match kind {
            Type::Bool => Self::Bool,
            Type::Int => Self::Int,
            Type::Double => Self::Double,
            Type::String => Self::String,
            Type::Timestamp => Self::Timestamp,
            Type::Duration => Self::Duration,
            Type::List(inner) => Self::List(Box::new(Self::of(inner))),
            Type::Map(inner) => Self::Map(Box::new(Self::of(inner))),
            Type::Object(shape) => Self::Object(Arc::clone(shape)),
        }
    }

    /// The field type, where there is one: the elements of `[]` and null have none.
    pub(crate) fn field_type(&self) -> Option<Type> {
        Some(match self {
            Self::Any | Self::Null => return None,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Double => Type::Double,
            Self::String => Type::String,
            Self::Timestamp => Type::Timestamp,
            Self::Duration => Type::Duration,
            Self::List(inner) => Type::List(Box::new(inner.field_type()?)),
            Self::Map(inner) => Type::Map(Box::new(inner.field_type()?)),
            Self::Object(shape) => Type::Object(Arc::clone(shape)),
        })
    }

    pub(crate) const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether `==` can ever hold between values of the two types other than null.
    pub(crate) fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => a.comparable(b),
            (a, b) => a == b || (a.is_number() && b.is_number()),
        }
    }

    /// Whether `<` is defined between the two types.
    pub(crate) fn ordered(&self, other: &Self) -> bool {
        let scalar = |t: &Self| {
            matches!(
                t,
                Self::Any
                    | Self::Bool
                    | Self::Int
                    | Self::Double
                    | Self::String
                    | Self::Timestamp
                    | Self::Duration
            )
        };
        scalar(self) && scalar(other) && self.comparable(other)
    }

    /// The type that holds values of both, if there is one.
    pub(crate) fn join(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Null | Self::Any, t) | (t, Self::Null | Self::Any) => Some(t.clone()),
            (Self::List(a), Self::List(b)) => Some(Self::List(Box::new(a.join(b)?))),
            (Self::Map(a), Self::Map(b)) => Some(Self::Map(Box::new(a.join(b)?))),
            (a, b) => (a == b).then(|| a.clone()),
        }
    }
}

impl fmt::Display for Ty {
    /// As a sentence names it: `a text`, `a list of numbers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("a value of any type"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("a bool"),
            Self::Int => f.write_str("an int"),
            Self::Double => f.write_str("a double"),
            Self::String => f.write_str("a string"),
            Self::Timestamp => f.write_str("a timestamp"),
            Self::Duration => f.write_str("a duration"),
            Self::List(inner) => write!(f, "a list ({inner} each)"),
            Self::Map(inner) => write!(f, "a map ({inner} each)"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}
