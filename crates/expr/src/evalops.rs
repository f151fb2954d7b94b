//! Evaluating operators, calls and literals.

use std::sync::Arc;

use model::value::{List, Value};

use crate::ast::Operator;
use crate::error::{Fault, Span};
use crate::eval::{Eval, Frames};
use crate::func::Func;
use crate::ir::{Node, Op, Order};
use crate::ops;
use crate::trace::{Mark, Trace};
use crate::val::{self, V};

impl<'a, T: Trace> Eval<'a, T> {
    /// `||` (where true decides) and `&&` (where false decides): commutative, so that whatever is unknown or fails on
    /// one side does not matter when another side decides.
    pub(crate) fn logic(&mut self, parts: &'a [Node], decides: bool, frames: Frames<'_, 'a, T>) -> V<'a> {
        let start = self.trace.mark();
        let mut undecided: Option<V<'a>> = None;
        for part in parts {
            let mark = self.trace.mark();
            let answer = self.quick(part, frames).map_or_else(|| self.eval(part, frames), V::Bool);
            match answer {
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

    pub(crate) fn choice(&mut self, parts: &'a [Node; 3], frames: Frames<'_, 'a, T>) -> V<'a> {
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

    pub(crate) fn equal(&mut self, pair: &'a [Node; 2], negate: bool, frames: Frames<'_, 'a, T>) -> V<'a> {
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

    pub(crate) fn order(
        &mut self,
        order: Order,
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
        start: Mark,
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

    pub(crate) fn within(&mut self, pair: &'a [Node; 2], frames: Frames<'_, 'a, T>) -> V<'a> {
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

    pub(crate) fn arithmetic(
        &mut self,
        operator: Operator,
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

    pub(crate) fn call(
        &mut self,
        func: Func,
        args: &'a [Node],
        span: Span,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
        let start = self.trace.mark();
        // No function takes more than four.
        let mut slots = [const { V::Null }; 4];
        for (slot, arg) in slots.iter_mut().zip(args) {
            *slot = self.eval(arg, frames);
        }
        let values = &slots[..args.len().min(4)];
        if !self.spend(call_cost(func, values)) {
            return V::error(Fault::TooManySteps, span);
        }
        let null = values.iter().position(|value| matches!(value, V::Null));
        match ops::call(func, values, span) {
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

    pub(crate) fn list(&mut self, items: &'a [Node], frames: Frames<'_, 'a, T>) -> V<'a> {
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
    fn built(&mut self, undecided: Option<V<'a>>, start: Mark) -> Option<V<'a>> {
        if matches!(undecided, Some(V::Unknown)) {
            self.trace.unknown(start);
        }
        undecided
    }

    pub(crate) fn map(
        &mut self,
        entries: &'a [(Node, Node)],
        span: Span,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
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
}

/// Unknown before an error, the first error before later ones.
pub(crate) fn worse<'a>(sofar: Option<V<'a>>, next: V<'a>) -> V<'a> {
    match (sofar, next) {
        (Some(V::Unknown), _) | (_, V::Unknown) => V::Unknown,
        (Some(first), _) => first,
        (None, next) => next,
    }
}

/// Steps for handling so many bytes.
pub(crate) const fn bytes(n: usize) -> u64 {
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
fn call_cost(func: Func, args: &[V<'_>]) -> u64 {
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
