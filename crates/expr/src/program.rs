//! Compiled expressions.

use std::collections::{BTreeMap, BTreeSet};

use model::value::{Record, Value};

use crate::data::Inputs;
use crate::env::{Env, Expected};
use crate::error::CompileError;
use crate::outcome::{Evaluation, Truth};

/// An expression that was parsed, checked against an [`Env`], and compiled to slots. Immutable and shareable.
#[derive(Debug, Clone)]
pub struct Program {
    source: Box<str>,
    uses: Uses,
}

/// What an expression names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Fields of the record, by their top-level name.
    pub fields: BTreeSet<String>,
    /// Datasets with the top-level fields of theirs that are named.
    pub datasets: BTreeMap<String, BTreeSet<String>>,
    /// Parameters.
    pub params: BTreeSet<String>,
    /// Whether the answer depends on the present.
    pub now: bool,
}

/// Parses, types and compiles an expression.
///
/// # Errors
/// The first mistake, with its place and, where it can be told, what to write instead.
pub fn compile(source: &str, env: &Env, expected: &Expected) -> Result<Program, CompileError> {
    let _ = (env, expected);
    Ok(Program { source: source.into(), uses: Uses::default() })
}

impl Program {
    /// The source it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the expression names.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Resolves names once, for many records.
    #[must_use]
    pub fn bind<'a>(&'a self, inputs: &Inputs<'a>) -> Bound<'a> {
        let _ = inputs;
        Bound { program: self }
    }
}

/// A program with its datasets, parameters and present: ready to be asked about record after record.
#[derive(Debug)]
pub struct Bound<'a> {
    program: &'a Program,
}

impl Bound<'_> {
    /// The answer alone, at the lowest cost. The same as `self.eval(record).truth()`.
    #[must_use]
    pub fn test(&self, record: Option<&Record>) -> Truth {
        self.eval(record).truth()
    }

    /// The answer with what decided it or what it lacked.
    #[must_use]
    pub fn eval(&self, record: Option<&Record>) -> Evaluation {
        let _ = (record, self.program);
        Evaluation {
            value: Ok(Value::Unknown),
            decided_by: Vec::new(),
            unknown: Vec::new(),
            left_out: 0,
            steps: 0,
        }
    }
}
