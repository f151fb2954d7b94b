//! The inputs of an evaluation.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use model::time::Timestamp;
use model::value::{Record, Shape, Value};

/// What an expression is evaluated with, apart from the record.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The datasets by name. One that is not here counts as not read at all: unknown, never empty.
    pub datasets: &'a BTreeMap<String, DatasetView<'a>>,
    /// The parameters by name. One that is not here is unknown.
    pub params: &'a BTreeMap<String, Value>,
    /// The present. The language has no other clock.
    pub now: Timestamp,
}

/// The records of one dataset, whether they are all there are, and indexes over them (built when first needed, once).
#[derive(Debug)]
pub struct DatasetView<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) missing: Option<Arc<str>>,
    indexes: Box<[OnceLock<Index>]>,
}

impl<'a> DatasetView<'a> {
    /// A dataset that was read to its end.
    #[must_use]
    pub fn complete(shape: &Shape, records: &'a [Record]) -> Self {
        let indexes = shape.fields.iter().map(|_| OnceLock::new()).collect();
        Self { records, missing: None, indexes }
    }

    /// A dataset of which only these records were read (none, perhaps), and why: the words go into
    /// [`crate::Missing::IncompleteDataset`]. Nothing is concluded from the absence of a record.
    #[must_use]
    pub fn incomplete(shape: &Shape, records: &'a [Record], reason: impl Into<Arc<str>>) -> Self {
        Self { missing: Some(reason.into()), ..Self::complete(shape, records) }
    }

    /// The records that were read.
    #[must_use]
    pub fn records(&self) -> &'a [Record] {
        self.records
    }

    /// Whether the records are all there are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// The index over a field; `None` for a field that the shape this view was made with does not have.
    pub(crate) fn index(&self, field: usize) -> Option<&Index> {
        self.indexes.get(field).map(|cell| cell.get_or_init(|| Index::build(self.records, field)))
    }
}

/// Positions of records by the value of one field, in order.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_value: HashMap<IndexKey, Vec<u32>>,
    /// Records whose value is unknown: they may or may not match any key.
    pub(crate) unknown: Vec<u32>,
}

/// A value that can be looked up: everything but floating point, lists and objects.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum IndexKey {
    Null,
    Bool(bool),
    Int(i64),
    String(Arc<str>),
    Timestamp(i64),
    Duration(i64),
}

impl IndexKey {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(i) => Self::Int(*i),
            Value::String(s) => Self::String(Arc::clone(s)),
            Value::Timestamp(t) => Self::Timestamp(t.0),
            Value::Duration(d) => Self::Duration(d.0),
            _ => return None,
        })
    }
}

impl Index {
    fn build(records: &[Record], field: usize) -> Self {
        let mut index = Self::default();
        for (at, record) in records.iter().enumerate() {
            // More than 4 billion records do not fit the memory this runs in.
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match record.values.get(field).and_then(IndexKey::of) {
                Some(key) => index.by_value.entry(key).or_default().push(at),
                None => index.unknown.push(at),
            }
        }
        index
    }

    /// The records whose field equals the key.
    pub(crate) fn get(&self, key: &IndexKey) -> &[u32] {
        self.by_value.get(key).map_or(&[], Vec::as_slice)
    }
}
