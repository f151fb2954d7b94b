//! What an expression may name, and what it must result in.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::value::{Shape, Type};

/// Identifiers that always mean the environment. A field of the record with such a name cannot be reached.
pub const RESERVED: [&str; 3] = ["datasets", "now", "params"];

/// Everything an expression may name. Compiling against it is the only name lookup there is.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// The fields of the record under judgement, by bare name. `None`: there is no record.
    pub record: Option<Arc<Shape>>,
    /// The datasets under `datasets.<name>`.
    pub datasets: BTreeMap<String, DatasetType>,
    /// The parameters under `params.<name>`.
    pub params: BTreeMap<String, Type>,
    /// Allows `dyn(...)` and lists or branches of mixed types, whose mistakes then show only when evaluated. For trying
    /// expressions out; checks are compiled without.
    pub dynamic: bool,
}

/// The form of one dataset.
#[derive(Debug, Clone)]
pub struct DatasetType {
    /// The fields of its records.
    pub shape: Arc<Shape>,
    /// The field that identifies a record, unique within the dataset: what `datasets.X.get(key)` looks up.
    pub key: Option<String>,
}

/// The result an expression must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A truth value: a check.
    Bool,
    /// Anything.
    Any,
    /// Exactly this type.
    Type(Type),
}
