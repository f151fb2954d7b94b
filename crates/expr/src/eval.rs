//! The evaluator: three-valued, bounded, traced where asked.

use std::cell::Cell;
use std::sync::Arc;

use crate::error::{Fault, Span};
use crate::evalops::bytes;
use crate::ir::{Node, Op};
use crate::limits;
use crate::outcome::{Missing, Place, RecordRef};
use crate::program::Bound;
use crate::trace::{Step, Trace};
use crate::val::{self, V};

/// One evaluation.
pub(crate) struct Eval<'a, T: Trace> {
    pub(crate) bound: &'a Bound<'a>,
    pub(crate) record: Option<&'a model::value::Record>,
    pub(crate) trace: T,
    pub(crate) steps: Cell<u64>,
}

/// The variables of the macros around a node, innermost first.
pub(crate) struct Frame<'f, 'a, T: Trace> {
    pub(crate) value: V<'a>,
    pub(crate) origin: T::Origin,
    pub(crate) outer: Option<&'f Self>,
}

/// The frames around a node.
pub(crate) type Frames<'f, 'a, T> = Option<&'f Frame<'f, 'a, T>>;

impl<'a, T: Trace> Eval<'a, T> {
    /// Counts steps; false when there are none left.
    pub(crate) fn spend(&self, steps: u64) -> bool {
        let steps = self.steps.get().saturating_add(steps);
        self.steps.set(steps);
        steps <= limits::STEPS
    }

    /// The value of a node.
    #[inline]
    pub(crate) fn eval(&mut self, node: &'a Node, frames: Frames<'_, 'a, T>) -> V<'a> {
        match self.peek(node, frames) {
            Some(value) => V::of(value),
            None => self.compute(node, frames),
        }
    }

    fn compute(&mut self, node: &'a Node, frames: Frames<'_, 'a, T>) -> V<'a> {
        match &node.op {
            Op::Const(value) => V::of(value),
            Op::Field(..)
            | Op::Param(..)
            | Op::Now
            | Op::Local(_)
            | Op::Select(..)
            | Op::Key(..)
            | Op::Index(_)
            | Op::DatasetGet(..) => {
                let (value, origin) = self.access(node, frames);
                if T::ON {
                    self.used(&origin, &value, node);
                }
                value
            }
            Op::HasField(base, at, name) => self.has_field(base, *at, name, frames),
            Op::HasKey(base, key) => self.has_key(base, key, frames),
            Op::Not(inner) => {
                if let Some(answer) = self.quick(inner, frames) {
                    return V::Bool(!answer);
                }
                let start = self.trace.mark();
                match self.eval(inner, frames) {
                    V::Bool(b) => V::Bool(!b),
                    other => self.unfit_since(other, inner.span, start),
                }
            }
            Op::Neg(inner) => {
                let start = self.trace.mark();
                match self.eval(inner, frames) {
                    V::Int(i) => i.checked_neg().map_or_else(|| V::error(Fault::Overflow, node.span), V::Int),
                    V::Double(d) => V::Double(-d),
                    other => self.unfit_since(other, inner.span, start),
                }
            }
            Op::And(parts) => self.logic(parts, false, frames),
            Op::Or(parts) => self.logic(parts, true, frames),
            Op::Choice(parts) => self.choice(parts, frames),
            Op::Equal(pair, negate) => self.equal(pair, *negate, frames),
            Op::Order(order, pair) => self.order(*order, pair, node.span, frames),
            Op::In(pair) => self.within(pair, frames),
            Op::Arith(operator, pair) => self.arithmetic(*operator, pair, node.span, frames),
            Op::Call(func, args) => self.call(*func, args, node.span, frames),
            Op::Matches(text, regex) => {
                let start = self.trace.mark();
                let value = self.eval(text, frames);
                match value.text() {
                    Some(text) => {
                        self.spend(bytes(text.len()));
                        V::Bool(regex.is_match(text))
                    }
                    None => self.unfit_since(value, text.span, start),
                }
            }
            Op::List(items) => self.list(items, frames),
            Op::Map(entries) => self.map(entries, node.span, frames),
            Op::Fold(fold) => self.fold(fold, frames),
            Op::DatasetSize(at) => self.dataset_size(*at),
        }
    }

    /// A value that an operation cannot use, noting a null that is to blame; with the mark from before the operand was
    /// evaluated.
    pub(crate) fn unfit_since(&mut self, value: V<'a>, span: Span, since: crate::trace::Mark) -> V<'a> {
        if T::ON && matches!(value, V::Null) {
            self.trace.null(since);
        }
        value.unfit(span)
    }

    /// Notes the use of a value.
    pub(crate) fn used(&mut self, origin: &T::Origin, value: &V<'a>, node: &Node) {
        self.trace.used(origin, value, &node.ty);
    }

    /// The value of a node and, where it is a place of the inputs, that place, not yet noted as used.
    pub(crate) fn access(&mut self, node: &'a Node, frames: Frames<'_, 'a, T>) -> (V<'a>, T::Origin) {
        match &node.op {
            Op::Field(at, name) => {
                let value = self.record.and_then(|r| r.values.get(*at)).map_or(V::Unknown, V::of);
                (value, T::at(|| place(name)))
            }
            Op::Param(at, name) => {
                let value = self.bound.params.get(*at).copied().flatten().map_or(V::Unknown, V::of);
                (value, T::at(|| place(name)))
            }
            Op::Now => (V::Timestamp(self.bound.now), T::at(|| place("now"))),
            Op::Local(depth) => {
                let mut frame = frames;
                for _ in 0..*depth {
                    frame = frame.and_then(|f| f.outer);
                }
                // The compiler counted the frames; a miscount must not look like an answer.
                frame.map_or((V::Unknown, T::nowhere()), |f| (f.value.clone(), f.origin.clone()))
            }
            Op::Select(base, at, name) => {
                let (object, origin) = self.access(base, frames);
                match val::field(&object, *at) {
                    Some(value) => (value, T::child(origin, Step::Field(name))),
                    None => self.no_access(object, &origin, base),
                }
            }
            Op::Key(base, key) => {
                let (map, origin) = self.access(base, frames);
                match val::entry(&map, key) {
                    Some(Some(value)) => (value, T::child(origin, Step::Key(key))),
                    Some(None) => {
                        self.used(&origin, &map, base);
                        (V::error(Fault::NoSuchKey, node.span), T::nowhere())
                    }
                    None => self.no_access(map, &origin, base),
                }
            }
            Op::Index(pair) => self.index(pair, node.span, frames),
            Op::DatasetGet(at, field, key) => self.get(*at, *field, key, frames),
            _ => (self.eval(node, frames), T::nowhere()),
        }
    }

    /// What comes of looking into a value that has no inside.
    fn no_access(&mut self, value: V<'a>, origin: &T::Origin, node: &Node) -> (V<'a>, T::Origin) {
        let start = self.trace.mark();
        if T::ON {
            self.used(origin, &value, node);
        }
        (self.unfit_since(value, node.span, start), T::nowhere())
    }

    fn index(&mut self, pair: &'a [Node; 2], span: Span, frames: Frames<'_, 'a, T>) -> (V<'a>, T::Origin) {
        let start = self.trace.mark();
        let (base, origin) = self.access(&pair[0], frames);
        if base.list().is_none() && base.map().is_none() {
            return self.no_access(base, &origin, &pair[0]);
        }
        let at_mark = self.trace.mark();
        let at = self.eval(&pair[1], frames);
        if let (Some(_), Some(key)) = (base.map(), at.text()) {
            let value = val::entry(&base, key).flatten();
            return match value {
                Some(value) => (value, T::child(origin, Step::Key(key))),
                None => {
                    self.used(&origin, &base, &pair[0]);
                    (V::error(Fault::NoSuchKey, span), T::nowhere())
                }
            };
        }
        // A whole number may come as a double where the type is not known at load.
        let number = match at {
            V::Int(i) => Some(i),
            V::Double(d) if d.fract() == 0.0 && d.abs() < 9.0e15 => Some(d as i64),
            V::Double(_) => return (V::error(Fault::OutOfRange, span), T::nowhere()),
            _ => None,
        };
        let (Some(list), Some(number)) = (base.list(), number) else {
            return (self.unfit_since(at, pair[1].span, at_mark), T::nowhere());
        };
        let complete = list.complete;
        let position = usize::try_from(number).ok();
        match position.and_then(|at| val::item(&base, at).map(|value| (at, value))) {
            Some((at, value)) => (value, T::child(origin, Step::Item(at))),
            None => {
                self.used(&origin, &base, &pair[0]);
                if complete || number < 0 {
                    (V::error(Fault::OutOfRange, span), T::nowhere())
                } else {
                    self.trace.missing(&origin, Missing::IncompleteList);
                    self.trace.unknown(start);
                    (V::Unknown, T::nowhere())
                }
            }
        }
    }

    fn has_field(&mut self, base: &'a Node, at: usize, name: &str, frames: Frames<'_, 'a, T>) -> V<'a> {
        let (object, origin) = self.access(base, frames);
        match val::field(&object, at) {
            Some(value) => {
                let origin = T::child(origin, Step::Field(name));
                self.trace.used(&origin, &value, &crate::types::Ty::Any);
                match value {
                    V::Unknown => V::Unknown,
                    value => V::Bool(!matches!(value, V::Null)),
                }
            }
            // An absent object has no fields, as in CEL an unset message has none.
            None if matches!(object, V::Null) => {
                self.used(&origin, &object, base);
                V::Bool(false)
            }
            None => self.no_access(object, &origin, base).0,
        }
    }

    fn has_key(&mut self, base: &'a Node, key: &str, frames: Frames<'_, 'a, T>) -> V<'a> {
        let (map, origin) = self.access(base, frames);
        match val::entry(&map, key) {
            Some(found) => {
                self.used(&origin, &map, base);
                V::Bool(found.is_some())
            }
            None => self.no_access(map, &origin, base).0,
        }
    }

    /// A place inside, or all of, a dataset of the program.
    pub(crate) fn dataset_place(&self, at: usize, record: Option<usize>) -> Place {
        let slot = &self.bound.program.datasets[at];
        let view = self.bound.datasets.get(at).copied().flatten();
        let record = record.map(|index| {
            let key = slot.key.and_then(|key| view?.records.get(index)?.values.get(key)).cloned();
            RecordRef { index, key }
        });
        Place { dataset: Some(Arc::clone(&slot.name)), record, path: String::new() }
    }

    /// Notes that a dataset was not read completely, if so; whether it was.
    pub(crate) fn note_incomplete(&mut self, at: usize) -> bool {
        let reason = match self.bound.datasets.get(at).copied().flatten() {
            Some(view) => match &view.missing {
                None => return true,
                Some(reason) => Arc::clone(reason),
            },
            None => Arc::from("it was not read"),
        };
        if T::ON {
            let origin = T::at(|| self.dataset_place(at, None));
            self.trace.missing(&origin, Missing::IncompleteDataset(reason));
        }
        false
    }

    /// Notes that all records of a dataset were considered.
    pub(crate) fn note_whole(&mut self, at: usize) {
        if T::ON {
            let count = self.bound.datasets.get(at).copied().flatten().map_or(0, |view| view.records.len());
            let origin = T::at(|| self.dataset_place(at, None));
            let count = V::Int(i64::try_from(count).unwrap_or(i64::MAX));
            self.trace.used(&origin, &count, &crate::types::Ty::Int);
        }
    }

    fn dataset_size(&mut self, at: usize) -> V<'a> {
        if !self.note_incomplete(at) {
            return V::Unknown;
        }
        self.note_whole(at);
        let count = self.bound.datasets.get(at).copied().flatten().map_or(0, |view| view.records.len());
        V::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

fn place(path: &str) -> Place {
    Place { dataset: None, record: None, path: path.to_owned() }
}
