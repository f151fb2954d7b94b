//! The check language: a strict subset of CEL, typed at load, three-valued, bounded and traced.
//!
//! [`compile`] an expression against an [`Env`] once; [`Program::bind`] it to the datasets of a snapshot; then ask
//! [`Bound::test`] record by record, and [`Bound::eval`] where the evidence is wanted.

mod ast;
mod builtin;
mod check;
mod data;
mod env;
mod error;
mod eval;
mod evalfold;
mod evalops;
mod folds;
mod func;
mod ir;
mod lex;
pub mod limits;
mod ops;
mod outcome;
mod parse;
mod program;
mod quick;
mod trace;
mod types;
mod val;

pub use data::{DatasetView, Inputs};
pub use env::{DatasetType, Env, Expected, RESERVED};
pub use error::{CompileError, EvalError, Fault, Span};
pub use outcome::{Evaluation, FieldUse, Missing, Place, RecordRef, Truth, UnknownUse};
pub use program::{Bound, Program, Uses, compile};
