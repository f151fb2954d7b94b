//! What an evaluation says: the value, and which fields decided it or were unknown.

use std::fmt;
use std::sync::Arc;

use model::value::{Type, Value};

use crate::error::EvalError;

/// The untraced answer of a true/false expression: see [`crate::Bound::test`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// Known to be true.
    True,
    /// Known to be false.
    False,
    /// Not known: a field or dataset that would decide is unknown.
    Unknown,
    /// No answer: see [`EvalError`]. A check counts it as inconclusive, like `Unknown`.
    Error,
}

/// The traced answer: see [`crate::Bound::eval`].
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The value. [`Value::Unknown`] when it could not be known.
    pub value: Result<Value, EvalError>,
    /// The fields that decided, with their values: the evidence. Fields that made no difference (the right side of a
    /// decided `||`, say) are not listed. Empty when the value is unknown.
    pub decided_by: Vec<FieldUse>,
    /// What was unknown and kept the value from being known, or null where null gave an error. Empty when decided.
    pub unknown: Vec<UnknownUse>,
    /// How many further fields are left out of the two lists, which hold at most [`crate::limits::EVIDENCE`] each.
    pub left_out: usize,
    /// Steps used, of [`crate::limits::STEPS`].
    pub steps: u64,
}

impl Evaluation {
    /// The same answer as [`crate::Bound::test`] gives. Null is an error: a check must say true or false.
    #[must_use]
    pub fn truth(&self) -> Truth {
        match &self.value {
            Ok(Value::Bool(true)) => Truth::True,
            Ok(Value::Bool(false)) => Truth::False,
            Ok(Value::Unknown) => Truth::Unknown,
            _ => Truth::Error,
        }
    }
}

/// A place in the inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The dataset; `None` for the record under judgement.
    pub dataset: Option<Arc<str>>,
    /// Which record of the dataset; `None` for the dataset as a whole.
    pub record: Option<RecordRef>,
    /// The path of the field, e.g. `plan.name`, `tags[2]`, `permissions["issues"]`, `params.max_days`, `now`. Empty
    /// for a dataset or a record as a whole.
    pub path: String,
}

/// One record of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRef {
    /// Its position.
    pub index: usize,
    /// The value of the dataset's key field, where it has one.
    pub key: Option<Value>,
}

impl fmt::Display for Place {
    /// `two_factor`, `plan.name`, `datasets.policies["p-1"].enforced`, `datasets.policies`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dataset) = &self.dataset else { return f.write_str(&self.path) };
        write!(f, "datasets.{dataset}")?;
        if let Some(record) = &self.record {
            match &record.key {
                Some(Value::String(key)) => write!(f, "[{key:?}]")?,
                Some(Value::Int(key)) => write!(f, "[{key}]")?,
                _ => write!(f, "[#{}]", record.index)?,
            }
        }
        if !self.path.is_empty() {
            write!(f, ".{}", self.path)?;
        }
        Ok(())
    }
}

/// A field that decided, with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldUse {
    /// Where the value is.
    pub place: Place,
    /// The value; for a dataset as a whole the number of its records, for a record as a whole its key (its position
    /// where the dataset has no key).
    pub value: Value,
    /// The type of the value, for [`Value::to_json`]. `None` only for values without one, such as null.
    pub kind: Option<Type>,
}

/// A field or dataset that was missing for an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownUse {
    /// What was missing.
    pub place: Place,
    /// In which way.
    pub why: Missing,
}

/// The ways in which something is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The value could not be known.
    Unknown,
    /// The value is known to be absent where one was needed.
    Null,
    /// A list was not read to its end.
    IncompleteList,
    /// The dataset was not read completely, with the reason given to [`crate::DatasetView::incomplete`].
    IncompleteDataset(Arc<str>),
}
