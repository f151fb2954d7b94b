//! The check language: a strict subset of CEL, typed at load, three-valued, bounded and traced.
//!
//! [`compile`] an expression against an [`Env`] once; [`Program::bind`] it to the datasets of a snapshot; then ask
//! [`Bound::test`] record by record, and [`Bound::eval`] where the evidence is wanted.
//!
//! # The language
//!
//! Syntax, operators, macros and results on known values are those of the [Common Expression Language](https://cel.dev);
//! `tests/conformance/` runs CEL's own cases and says which are cut. In short:
//!
//! - Values: `true`, `42`, `1.5`, `'text'`, `null`, lists `[1, 2]`, maps `{'a': 1}` with text keys, timestamps and durations
//!   (`timestamp('2026-01-31T00:00:00Z')`, `duration('720h')`; to the millisecond).
//! - Operators: `?:`, `||`, `&&`, `== != < <= > >= in`, `+ -`, `* / %`, `! -`, `a.b`, `a['b']`, `a[0]`.
//! - Macros: `exists`, `exists_one`, `all`, `filter`, `map` on lists, on maps (over the keys) and on datasets; `has(a.b)`.
//! - Functions: `size`, `contains`, `startsWith`, `endsWith`, `matches`, CEL's string functions (`lowerAscii`, `split`, `join`,
//!   `replace`, `substring`, `indexOf`, `trim`, ...), conversions (`int`, `double`, `string`, `bool`, `timestamp`, `duration`), and
//!   the parts of timestamps and durations (`getHours`, ...).
//!
//! A bare name is a field of the record under judgement. Beyond CEL there are only names for what surrounds it:
//!
//! - `datasets.<name>`: the records of another dataset. It takes the macros, `size()`, and `get(key)`: the record whose key
//!   field equals the key, or null. A condition that begins with (or contains, joined by `&&`) `r.field == <something without
//!   r>` is looked up in an index instead of asking every record.
//! - `params.<name>`: a parameter of the check. `now`: the present.
//!
//! Stricter than CEL: every name, type and function call is checked at load (there is no `dyn`); patterns are written out.
//!
//! # Unknown, null, incomplete
//!
//! | | |
//! |---|---|
//! | unknown | `\|\|` and `&&` are decided whenever a known side decides; everything else with an unknown part is unknown |
//! | null | equals null and nothing else; ordering it, computing with it or looking into it is an error |
//! | error | no answer, as unknown is none; absorbed by `\|\|` and `&&` like unknown, which prevails over it |
//! | incomplete list or dataset | `exists` may be true, `all` may be false, `in` may be true, what was read may be indexed; all else is unknown |
//!
//! No unknown ever becomes true or false: whatever the unknown value turns out to be, a decided answer stays. `tests/laws.rs`
//! tries that on random expressions.

//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use expr::{Env, Expected, Inputs, Truth, compile};
//! use model::time::Timestamp;
//! use model::value::{Record, Shape, ShapeField, Type, Value};
//!
//! let field = |name: &str, kind| ShapeField { name: name.to_owned(), kind, sensitive: false };
//! let shape = Shape { fields: vec![field("state", Type::String), field("two_factor", Type::Bool)] };
//! let env = Env { record: Some(Arc::new(shape)), ..Env::default() };
//! let program = compile("state != 'active' || two_factor", &env, &Expected::Bool)?;
//!
//! let inputs = Inputs { datasets: &BTreeMap::new(), params: &BTreeMap::new(), now: Timestamp(0) };
//! let bound = program.bind(&inputs);
//! let ann = Record { values: Box::new([Value::string("suspended"), Value::Unknown]) };
//! let bob = Record { values: Box::new([Value::string("active"), Value::Unknown]) };
//! assert_eq!(bound.test(Some(&ann)), Truth::True);
//! assert_eq!(bound.test(Some(&bob)), Truth::Unknown);
//! assert_eq!(bound.eval(Some(&bob)).unknown[0].place.to_string(), "two_factor");
//! # Ok::<(), expr::CompileError>(())
//! ```

mod ast;
mod builtin;
mod calls;
mod check;
mod data;
mod env;
mod error;
mod eval;
mod evalfold;
mod evalops;
mod folds;
mod func;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod ir;
mod leaning;
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
pub use leaning::Bounding;
pub use outcome::{Evaluation, FieldUse, Missing, Place, RecordRef, Truth, UnknownUse};
pub use program::{Bound, Program, Uses, compile};
