//! The inputs of an evaluation.

#[expect(clippy::disallowed_types, reason = "only looked up, never walked")]
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

use model::time::Timestamp;
use model::value::{List, Record, Shape, ShapeField, Type, Value};

use crate::val::V;

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
    /// One a field, and whether that is a list: each of its texts is looked up.
    indexes: Box<[(bool, OnceLock<Index>)]>,
}

impl<'a> DatasetView<'a> {
    /// A dataset that was read to its end.
    #[must_use]
    pub fn complete(shape: &Shape, records: &'a [Record]) -> Self {
        let list = |field: &ShapeField| matches!(field.kind, Type::List(_));
        let indexes = shape.fields.iter().map(|field| (list(field), OnceLock::new())).collect();
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
        let (list, cell) = self.indexes.get(field)?;
        Some(cell.get_or_init(|| Index::build(self.records, field, *list)))
    }
}

/// Positions of records by the value of one field, or by each text of a list, in order.
///
/// What is kept of a value is its hash: the positions found for it are candidates. Two values with one hash are so rare
/// that asking the wrong record costs nothing, and the table of 100,000 texts stays small enough for the processor's cache.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "only looked up, never walked")]
pub(crate) struct Index {
    by_hash: HashMap<u64, Slot, BuildHasherDefault<Hashed>>,
    /// The positions of values that several records have.
    shared: Vec<Vec<u32>>,
    /// Records whose value, or some of whose list, is unknown: they may or may not match any key.
    unplaced: Vec<u32>,
    /// Keyed afresh for each index, so that nobody can choose values that collide.
    hasher: RandomState,
}

/// Where the positions of one hash are.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// This is the one position, as a key has.
    One(u32),
    /// They are at this place of `shared`.
    Shared(u32),
}

/// Takes a hash as it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never called for the one type of key; right all the same.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The different texts of a list that is known to its end; `None` for any other list.
fn texts(list: &List) -> Option<BTreeSet<&Arc<str>>> {
    if !list.complete {
        return None;
    }
    list.items.iter().map(|item| if let Value::String(text) = item { Some(text) } else { None }).collect()
}

/// A value other than a text that can be looked up: not floating point, which equals across types, nor lists and objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Bool(bool),
    Int(i64),
    Timestamp(i64),
    Duration(i64),
}

impl Key {
    const fn of(value: &V<'_>) -> Option<Self> {
        Some(match value {
            V::Null => Self::Null,
            V::Bool(b) => Self::Bool(*b),
            V::Int(i) => Self::Int(*i),
            V::Timestamp(t) => Self::Timestamp(t.0),
            V::Duration(d) => Self::Duration(d.0),
            _ => return None,
        })
    }
}

impl Index {
    fn build(records: &[Record], field: usize, list: bool) -> Self {
        let mut index = Self::default();
        index.by_hash.reserve(records.len());
        for (at, record) in records.iter().enumerate() {
            // More than 4 billion records do not fit the memory this runs in.
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match record.values.get(field) {
                Some(Value::String(text)) => index.add(index.hasher.hash_one(&**text), at),
                // Nothing is in an absent list, and asking for it is an error: that record has to be asked.
                Some(Value::List(of)) if list => match texts(of) {
                    Some(texts) => {
                        texts.iter().for_each(|text| index.add(index.hasher.hash_one(&***text), at))
                    }
                    None => index.unplaced.push(at),
                },
                Some(_) if list => index.unplaced.push(at),
                Some(value) => match Key::of(&V::of(value)) {
                    Some(key) => index.add(index.hasher.hash_one(key), at),
                    None => index.unplaced.push(at),
                },
                None => index.unplaced.push(at),
            }
        }
        index
    }

    fn add(&mut self, hash: u64, at: u32) {
        let slot = match self.by_hash.entry(hash) {
            Entry::Vacant(free) => {
                free.insert(Slot::One(at));
                return;
            }
            Entry::Occupied(taken) => taken.into_mut(),
        };
        match *slot {
            Slot::One(first) => {
                *slot = Slot::Shared(u32::try_from(self.shared.len()).unwrap_or(u32::MAX));
                self.shared.push(vec![first, at]);
            }
            Slot::Shared(of) => self.shared[of as usize].push(at),
        }
    }

    /// The records whose field may equal a value or whose list may have it: those filed under it, and those whose field is
    /// unknown. `None` for a value that cannot be looked up.
    pub(crate) fn find(&self, wanted: &V<'_>) -> Option<(&[u32], &[u32])> {
        let hash = match wanted.text() {
            Some(text) => self.hasher.hash_one(text),
            None => self.hasher.hash_one(Key::of(wanted)?),
        };
        let filed = match self.by_hash.get(&hash) {
            None => &[][..],
            Some(Slot::One(at)) => std::slice::from_ref(at),
            Some(Slot::Shared(of)) => &self.shared[*of as usize],
        };
        Some((filed, &self.unplaced))
    }
}
