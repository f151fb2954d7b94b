//! The evaluator: three-valued, bounded, traced where asked.

use std::sync::Arc;

use model::value::{List, Value};

use crate::error::{Fault, Span};
use crate::ir::{Node, Op};
use crate::limits;
use crate::ops;
use crate::outcome::{Missing, Place, RecordRef};
use crate::program::Bound;
use crate::trace::{Step, Trace};
use crate::val::{self, V};

/// One evaluation.
pub(crate) struct Eval<'a, T: Trace> {
    pub(crate) bound: &'a Bound<'a>,
    pub(crate) record: Option<&'a model::value::Record>,
    pub(crate) trace: T,
    pub(crate) steps: u64,
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
    pub(crate) fn spend(&mut self, steps: u64) -> bool {
        self.steps = self.steps.saturating_add(steps);
        self.steps <= limits::STEPS
    }

    pub(crate) fn eval(&mut self, node: &'a Node, frames: Frames<'_, 'a, T>) -> V<'a> {
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

    /// `||` (where true decides) and `&&` (where false decides): commutative, so that whatever is unknown or fails on
    /// one side does not matter when another side decides.
    fn logic(&mut self, parts: &'a [Node], decides: bool, frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let mut undecided: Option<V<'a>> = None;
        for part in parts {
            let mark = self.trace.mark();
            match self.eval(part, frames) {
                V::Bool(value) if value == decides => {
                    self.trace.forget(start, mark);
                    return V::Bool(decides);
                }
                V::Bool(_) => {}
                other => {
                    let other = self.unfit_since(other, part.span, mark);
                    undecided = Some(worse(undecided, other));
                }
            }
        }
        match undecided {
            None => V::Bool(!decides),
            Some(V::Unknown) => {
                self.trace.unknown(start);
                V::Unknown
            }
            Some(error) => error,
        }
    }

    fn choice(&mut self, parts: &'a [Node; 3], frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        match self.eval(&parts[0], frames) {
            V::Bool(true) => self.eval(&parts[1], frames),
            V::Bool(false) => self.eval(&parts[2], frames),
            other => self.unfit_since(other, parts[0].span, start),
        }
    }

    /// Two operands; `Err` when one is unknown (which then wins) or an error.
    fn pair(&mut self, pair: &'a [Node; 2], frames: Frames<'_, 'a, T>) -> Result<(V<'a>, V<'a>), V<'a>> {
        let start = self.trace.mark();
        let a = self.eval(&pair[0], frames);
        let b = self.eval(&pair[1], frames);
        if matches!(a, V::Unknown) || matches!(b, V::Unknown) {
            self.trace.unknown(start);
            return Err(V::Unknown);
        }
        match (a, b) {
            (error @ V::Error(..), _) | (_, error @ V::Error(..)) => Err(error),
            both => Ok(both),
        }
    }

    fn equal(&mut self, pair: &'a [Node; 2], negate: bool, frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let (a, b) = match self.pair(pair, frames) {
            Ok(both) => both,
            Err(undecided) => return undecided,
        };
        if let (Some(a), Some(b)) = (a.list(), b.list()) {
            self.spend((a.items.len().min(b.items.len()) / 8) as u64);
        }
        match ops::equal(&a, &b) {
            Some(equal) => V::Bool(equal != negate),
            None => {
                self.trace.unknown(start);
                V::Unknown
            }
        }
    }

    fn order(
        &mut self,
        order: crate::ir::Order,
        pair: &'a [Node; 2],
        span: Span,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
        let start = self.trace.mark();
        let (a, b) = match self.pair(pair, frames) {
            Ok(both) => both,
            Err(undecided) => return undecided,
        };
        match ops::order(order, &a, &b) {
            Some(answer) => V::Bool(answer),
            None => self.pair_fault(&a, &b, pair, span, start, Fault::WrongType),
        }
    }

    /// The fault of an operation on two values: absence is named before all else.
    fn pair_fault(
        &mut self,
        a: &V<'a>,
        b: &V<'a>,
        pair: &'a [Node; 2],
        span: Span,
        start: crate::trace::Mark,
        fault: Fault,
    ) -> V<'a> {
        for (value, node) in [(a, &pair[0]), (b, &pair[1])] {
            if matches!(value, V::Null) {
                self.trace.null(start);
                return V::error(Fault::Null, node.span);
            }
        }
        V::error(fault, span)
    }

    fn within(&mut self, pair: &'a [Node; 2], frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let (value, collection) = match self.pair(pair, frames) {
            Ok(both) => both,
            Err(undecided) => return undecided,
        };
        if let Some(list) = collection.list() {
            self.spend((list.items.len() / 8) as u64);
            return match ops::contains(list, &value) {
                Some(found) => V::Bool(found),
                None => {
                    self.trace.unknown(start);
                    V::Unknown
                }
            };
        }
        match collection.map() {
            Some(_) => {
                V::Bool(value.text().is_some_and(|key| val::entry(&collection, key).flatten().is_some()))
            }
            None => self.unfit_since(collection, pair[1].span, start),
        }
    }

    fn arithmetic(
        &mut self,
        operator: crate::ast::Operator,
        pair: &'a [Node; 2],
        span: Span,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
        let start = self.trace.mark();
        let (a, b) = match self.pair(pair, frames) {
            Ok(both) => both,
            Err(undecided) => return undecided,
        };
        if !self.spend(size(&a).saturating_add(size(&b))) {
            return V::error(Fault::TooManySteps, span);
        }
        match ops::arithmetic(operator, &a, &b) {
            Ok(V::Unknown) => {
                self.trace.unknown(start);
                V::Unknown
            }
            Ok(value) => value,
            Err(fault) => self.pair_fault(&a, &b, pair, span, start, fault),
        }
    }

    fn call(
        &mut self,
        func: crate::func::Func,
        args: &'a [Node],
        span: Span,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
        let start = self.trace.mark();
        let values: Vec<V<'a>> = args.iter().map(|arg| self.eval(arg, frames)).collect();
        if !self.spend(call_cost(func, &values)) {
            return V::error(Fault::TooManySteps, span);
        }
        let null = values.iter().position(|value| matches!(value, V::Null));
        match ops::call(func, &values, span) {
            V::Unknown => {
                self.trace.unknown(start);
                V::Unknown
            }
            V::Error(Fault::Null, _) if null.is_some() => {
                self.trace.null(start);
                V::error(Fault::Null, null.and_then(|at| args.get(at)).map_or(span, |arg| arg.span))
            }
            value => value,
        }
    }

    /// The value of a part of a list or map that is built; `Err` when there is none, so that there is no list either. An
    /// unknown field may be a part: it is a value, whichever. An unknown result is none: it may turn out to be an error.
    pub(crate) fn element(&mut self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Result<V<'a>, V<'a>> {
        let (value, origin) = self.access(node, frames);
        if T::ON {
            self.used(&origin, &value, node);
        }
        match value {
            V::Error(..) => Err(value),
            V::Unknown if !T::is_place(&origin) && !matches!(node.op, Op::Local(_)) => Err(value),
            value => Ok(value),
        }
    }

    fn list(&mut self, items: &'a [Node], frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let mut values = Vec::with_capacity(items.len());
        let mut undecided = None;
        for item in items {
            match self.element(item, frames) {
                Ok(value) => values.extend(value.into_value()),
                Err(other) => undecided = Some(worse(undecided, other)),
            }
        }
        self.built(undecided, start)
            .unwrap_or_else(|| V::OwnList(Arc::new(List { items: values, complete: true })))
    }

    /// What keeps a list or map from being built, if anything.
    fn built(&mut self, undecided: Option<V<'a>>, start: crate::trace::Mark) -> Option<V<'a>> {
        if matches!(undecided, Some(V::Unknown)) {
            self.trace.unknown(start);
        }
        undecided
    }

    fn map(&mut self, entries: &'a [(Node, Node)], span: Span, frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let mut built: Vec<(Arc<str>, Value)> = Vec::with_capacity(entries.len());
        let mut undecided = None;
        for (key, value) in entries {
            let mark = self.trace.mark();
            let key_value = self.eval(key, frames);
            let text: Option<Arc<str>> = key_value.text().map(Arc::from);
            if text.is_none() {
                let key_value = self.unfit_since(key_value, key.span, mark);
                undecided = Some(worse(undecided, key_value));
            }
            match self.element(value, frames) {
                Ok(value) => built.extend(text.zip(value.into_value())),
                Err(other) => undecided = Some(worse(undecided, other)),
            }
        }
        if let Some(undecided) = self.built(undecided, start) {
            return undecided;
        }
        built.sort_by(|a, b| a.0.cmp(&b.0));
        if built.windows(2).any(|two| two[0].0 == two[1].0) {
            return V::error(Fault::BadText, span);
        }
        V::OwnMap(built.into())
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

/// Unknown before an error, the first error before later ones.
pub(crate) fn worse<'a>(sofar: Option<V<'a>>, next: V<'a>) -> V<'a> {
    match (sofar, next) {
        (Some(V::Unknown), _) | (_, V::Unknown) => V::Unknown,
        (Some(first), _) => first,
        (None, next) => next,
    }
}

fn place(path: &str) -> Place {
    Place { dataset: None, record: None, path: path.to_owned() }
}

/// Steps for handling so many bytes.
const fn bytes(n: usize) -> u64 {
    (n / 64) as u64
}

/// Steps for building something of a value's size.
fn size(value: &V<'_>) -> u64 {
    match (value.text(), value.list()) {
        (Some(text), _) => (text.len() / 8) as u64,
        (_, Some(list)) => list.items.len() as u64,
        _ => 0,
    }
}

/// Steps of a call: by what it reads and at most builds.
fn call_cost(func: crate::func::Func, args: &[V<'_>]) -> u64 {
    use crate::func::Func;
    let sum: u64 = args.iter().map(size).fold(0, u64::saturating_add);
    match func {
        // Each byte may be replaced by the whole replacement, each gap between texts filled with the separator.
        Func::Replace => args
            .first()
            .map_or(0, |t| t.text().map_or(0, str::len) as u64 + 1)
            .saturating_mul(args.get(2).map_or(0, size).saturating_add(1)),
        Func::Join => args.first().and_then(V::list).map_or(0, |list| {
            let separator = args.get(1).map_or(0, size).saturating_add(1);
            let texts = list.items.iter().filter_map(Value::as_str).map(|t| (t.len() / 8) as u64);
            texts.fold(separator.saturating_mul(list.items.len() as u64), u64::saturating_add)
        }),
        Func::Split => args.first().map_or(0, |t| t.text().map_or(0, str::len) as u64),
        _ => sum,
    }
}
