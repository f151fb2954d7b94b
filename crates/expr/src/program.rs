//! Compiled expressions.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::time::Timestamp;
use model::value::{Record, Type, Value};

use crate::check::{DatasetSlot, check};
use crate::data::{DatasetView, Inputs};
use crate::env::{Env, Expected};
use crate::error::{CompileError, EvalError, Fault, Span};
use crate::eval::Eval;
use crate::ir::Node;
use crate::limits;
use crate::outcome::{Evaluation, Truth};
use crate::parse::parse;
use crate::trace::{Log, Trace, Untraced};
use crate::val::V;

/// An expression that was parsed, checked against an [`Env`], and compiled to slots. Immutable and shareable.
#[derive(Debug, Clone)]
pub struct Program {
    source: Box<str>,
    uses: Uses,
    pub(crate) root: Node,
    weight: u64,
    params: Vec<Arc<str>>,
    pub(crate) datasets: Vec<DatasetSlot>,
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
    let compiled = check(&parse(source)?, env, expected)?;
    Ok(Program {
        source: source.into(),
        uses: compiled.uses,
        weight: compiled.root.weight(),
        root: compiled.root,
        params: compiled.params,
        datasets: compiled.datasets,
    })
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

    /// The type of the result; `None` where it has none, as `null` and `[]` do.
    #[must_use]
    pub fn result(&self) -> Option<Type> {
        self.root.ty.field_type()
    }

    /// Resolves names once, for many records.
    #[must_use]
    pub fn bind<'a>(&'a self, inputs: &Inputs<'a>) -> Bound<'a> {
        Bound {
            program: self,
            datasets: self.datasets.iter().map(|slot| inputs.datasets.get(&*slot.name)).collect(),
            params: self.params.iter().map(|name| inputs.params.get(&**name)).collect(),
            now: inputs.now,
        }
    }
}

/// A program with its datasets, parameters and present: ready to be asked about record after record.
#[derive(Debug)]
pub struct Bound<'a> {
    pub(crate) program: &'a Program,
    pub(crate) datasets: Vec<Option<&'a DatasetView<'a>>>,
    pub(crate) params: Vec<Option<&'a Value>>,
    pub(crate) now: Timestamp,
}

impl Bound<'_> {
    /// The answer alone, at the lowest cost. The same as `self.eval(record).truth()`, except that plain parts count fewer
    /// steps, so that it may still answer where the other has just run out of them.
    #[must_use]
    pub fn test(&self, record: Option<&Record>) -> Truth {
        let (value, steps, _) = self.run(record, Untraced);
        match value {
            _ if steps > limits::STEPS => Truth::Error,
            V::Bool(true) => Truth::True,
            V::Bool(false) => Truth::False,
            V::Unknown => Truth::Unknown,
            _ => Truth::Error,
        }
    }

    /// The value alone, at the lowest cost; `None` for an error.
    #[must_use]
    pub fn value(&self, record: Option<&Record>) -> Option<Value> {
        let (value, steps, _) = self.run(record, Untraced);
        if steps > limits::STEPS { None } else { value.into_value() }
    }

    /// The answer with what decided it or what it lacked.
    #[must_use]
    pub fn eval(&self, record: Option<&Record>) -> Evaluation {
        let (value, steps, log) = self.run(record, Log::default());
        let value = if steps > limits::STEPS {
            let span = self.program.root.span;
            Err(EvalError {
                fault: Fault::TooManySteps,
                message: format!("the evaluation needs more than {} steps", limits::STEPS),
                span,
            })
        } else {
            match value {
                V::Error(fault, span) => {
                    let span = Span::from(span);
                    let message = format!("`{}` {}", span.text(&self.program.source), fault.reason());
                    Err(EvalError { fault, message, span })
                }
                // Errors, the only other thing without a value, are above.
                value => Ok(value.into_value().unwrap_or(Value::Unknown)),
            }
        };
        let (mut decided_by, mut unknown, [left_known, left_missing]) = log.finish();
        let left_out = match &value {
            Ok(Value::Unknown) => {
                decided_by.clear();
                left_missing
            }
            Ok(_) => {
                unknown.clear();
                left_known
            }
            Err(_) => left_known + left_missing,
        };
        Evaluation { value, decided_by, unknown, left_out, steps }
    }

    fn run<'r, T: Trace>(&'r self, record: Option<&'r Record>, trace: T) -> (V<'r>, u64, T) {
        let mut eval = Eval { bound: self, record, trace, steps: Cell::new(self.program.weight) };
        let root = &self.program.root;
        let value = eval.quick(root, None).map_or_else(|| eval.eval(root, None), V::Bool);
        (value, eval.steps.get(), eval.trace)
    }
}
