//! Values during an evaluation: borrowed from the inputs wherever possible.

use std::sync::Arc;

use model::time::{Duration, Timestamp};
use model::value::{List, Record, Value};

use crate::error::{Fault, Span};

/// A value, unknown, or an error. Errors are values here because `&&`, `||` and the macros absorb them.
#[derive(Debug, Clone)]
pub(crate) enum V<'a> {
    Unknown,
    /// The kind of fault, and the part of the source it is about.
    Error(Fault, Small),
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(&'a str),
    Text(Arc<str>),
    Timestamp(Timestamp),
    Duration(Duration),
    List(&'a Arc<List>),
    OwnList(Arc<List>),
    Record(&'a Record),
    OwnRecord(Arc<Record>),
    Map(&'a Arc<[(Arc<str>, Value)]>),
    OwnMap(Arc<[(Arc<str>, Value)]>),
}

/// A [`Span`] in half the space; sources are far shorter than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Small(u32, u32);

impl From<Span> for Small {
    fn from(span: Span) -> Self {
        let small = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self(small(span.start), small(span.end))
    }
}

impl From<Small> for Span {
    fn from(small: Small) -> Self {
        Self::new(small.0 as usize, small.1 as usize)
    }
}

impl<'a> V<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        match value {
            Value::Unknown => Self::Unknown,
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(i) => Self::Int(*i),
            Value::Double(d) => Self::Double(*d),
            Value::String(s) => Self::Str(s),
            Value::Timestamp(t) => Self::Timestamp(*t),
            Value::Duration(d) => Self::Duration(*d),
            Value::List(list) => Self::List(list),
            Value::Object(record) => Self::Record(record),
            Value::Map(map) => Self::Map(map),
        }
    }

    /// The same from a value that does not outlive the evaluation.
    pub(crate) fn owned(value: &Value) -> Self {
        match value {
            Value::String(s) => Self::Text(Arc::clone(s)),
            Value::List(list) => Self::OwnList(Arc::clone(list)),
            Value::Object(record) => Self::OwnRecord(Arc::clone(record)),
            Value::Map(map) => Self::OwnMap(Arc::clone(map)),
            Value::Unknown => Self::Unknown,
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(i) => Self::Int(*i),
            Value::Double(d) => Self::Double(*d),
            Value::Timestamp(t) => Self::Timestamp(*t),
            Value::Duration(d) => Self::Duration(*d),
        }
    }

    /// As a value to keep; `None` for an error.
    pub(crate) fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Error(..) => return None,
            Self::Unknown => Value::Unknown,
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(i) => Value::Int(i),
            Self::Double(d) => Value::Double(d),
            Self::Str(s) => Value::string(s),
            Self::Text(s) => Value::String(s),
            Self::Timestamp(t) => Value::Timestamp(t),
            Self::Duration(d) => Value::Duration(d),
            Self::List(list) => Value::List(Arc::clone(list)),
            Self::OwnList(list) => Value::List(list),
            Self::Record(record) => Value::Object(Arc::new(record.clone())),
            Self::OwnRecord(record) => Value::Object(record),
            Self::Map(map) => Value::Map(Arc::clone(map)),
            Self::OwnMap(map) => Value::Map(map),
        })
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            Self::Text(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            Self::OwnList(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[(Arc<str>, Value)]> {
        match self {
            Self::Map(map) => Some(map),
            Self::OwnMap(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::OwnRecord(record) => Some(record),
            _ => None,
        }
    }

    pub(crate) fn error(fault: Fault, span: Span) -> Self {
        Self::Error(fault, span.into())
    }

    /// What an operation that cannot use this value makes of it: unknown and errors pass through, absence is a fault of
    /// its own, anything else has the wrong type.
    pub(crate) fn unfit(self, span: Span) -> Self {
        match self {
            Self::Unknown | Self::Error(..) => self,
            Self::Null => Self::error(Fault::Null, span),
            _ => Self::error(Fault::WrongType, span),
        }
    }
}

/// A position of a list as a value, borrowed where the list is.
pub(crate) fn item<'a>(list: &V<'a>, at: usize) -> Option<V<'a>> {
    match list {
        V::List(list) => list.items.get(at).map(V::of),
        V::OwnList(list) => list.items.get(at).map(V::owned),
        _ => None,
    }
}

/// A field of an object as a value. A field that the record does not have is unknown: it is of another revision.
pub(crate) fn field<'a>(record: &V<'a>, at: usize) -> Option<V<'a>> {
    match record {
        V::Record(record) => Some(record.values.get(at).map_or(V::Unknown, V::of)),
        V::OwnRecord(record) => Some(record.values.get(at).map_or(V::Unknown, V::owned)),
        _ => None,
    }
}

/// An entry of a map as a value.
pub(crate) fn entry<'a>(map: &V<'a>, key: &str) -> Option<Option<V<'a>>> {
    let find = |map: &[(Arc<str>, Value)]| map.binary_search_by(|(k, _)| (**k).cmp(key)).ok();
    match map {
        V::Map(map) => Some(find(map).map(|at| V::of(&map[at].1))),
        V::OwnMap(map) => Some(find(map).map(|at| V::owned(&map[at].1))),
        _ => None,
    }
}
