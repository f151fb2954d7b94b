//! The short way through the parts of an expression that need no care: known scalars of the record, compared and joined.
//!
//! It serves only evaluations that are not traced, and answers `None` for whatever is not plain (unknown, null, an error),
//! which then goes the long way. Both ways give the same answer: the tests ask both about everything they try.

use model::value::{Record, Value};

use crate::ast::Operator;
use crate::eval::{Eval, Frame, Frames};
use crate::func::Func;
use crate::ir::{Fold, FoldKind, Node, Op, Order, Range};
use crate::ops;
use crate::trace::Trace;
use crate::val::V;

/// Longer lists and texts go the long way, where their cost is counted.
const LIST: usize = 64;
const TEXT: usize = 4096;

/// A number or time, small enough to be handed over in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Int(i64),
    Timestamp(i64),
    Duration(i64),
}

impl<'a, T: Trace> Eval<'a, T> {
    /// The value of a node that only reads the inputs, in place.
    #[inline]
    pub(crate) fn peek(&self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Option<&'a Value> {
        if T::ON {
            return None;
        }
        match &node.op {
            Op::Const(value) => Some(value),
            Op::Field(at, _) => self.record?.values.get(*at),
            Op::Param(at, _) => self.bound.params.get(*at).copied().flatten(),
            Op::Select(base, at, _) => self.object(base, frames)?.values.get(*at),
            _ => None,
        }
    }

    fn object(&self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Option<&'a Record> {
        match (&node.op, frames) {
            (Op::Local(0), Some(Frame { value: V::Record(record), .. })) => Some(record),
            (Op::Field(at, _), _) => match self.record?.values.get(*at)? {
                Value::Object(record) => Some(record),
                _ => None,
            },
            _ => None,
        }
    }

    fn peek_text(&self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Option<&'a str> {
        match (&node.op, frames) {
            (Op::Local(0), Some(Frame { value: V::Str(text), .. })) if !T::ON => Some(text),
            _ => self.peek(node, frames)?.as_str(),
        }
    }

    /// The truth of a node, if it is plain.
    pub(crate) fn quick(&self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Option<bool> {
        if T::ON {
            return None;
        }
        match &node.op {
            Op::Const(_) | Op::Field(..) | Op::Select(..) => self.peek(node, frames)?.as_bool(),
            Op::Not(inner) => self.quick(inner, frames).map(|answer| !answer),
            Op::And(parts) => self.quick_logic(parts, false, frames),
            Op::Or(parts) => self.quick_logic(parts, true, frames),
            Op::Equal(pair, negate) => self.quick_equal(pair, frames).map(|equal| equal != *negate),
            Op::Order(order, pair) => {
                let pair = (self.scalar(&pair[0], frames)?, self.scalar(&pair[1], frames)?);
                let ((Scalar::Int(a), Scalar::Int(b))
                | (Scalar::Timestamp(a), Scalar::Timestamp(b))
                | (Scalar::Duration(a), Scalar::Duration(b))) = pair
                else {
                    return None;
                };
                Some(match order {
                    Order::Less => a < b,
                    Order::LessEqual => a <= b,
                    Order::Greater => a > b,
                    Order::GreaterEqual => a >= b,
                })
            }
            Op::In(pair) => {
                let wanted = self.peek_text(&pair[0], frames)?;
                match self.peek(&pair[1], frames)? {
                    Value::List(list) if list.items.len() <= LIST => {
                        // Absence is only told of a list that is known to its last element.
                        let mut known = list.complete;
                        for item in &list.items {
                            match item {
                                Value::String(text) if **text == *wanted => return Some(true),
                                Value::String(_) => {}
                                _ => known = false,
                            }
                        }
                        known.then_some(false)
                    }
                    _ => None,
                }
            }
            Op::Call(func, args) => {
                let [text, part] = &**args else { return None };
                let (text, part) = (self.peek_text(text, frames)?, self.peek_text(part, frames)?);
                match func {
                    _ if text.len() > TEXT => None,
                    Func::Contains => Some(text.contains(part)),
                    Func::StartsWith => Some(text.starts_with(part)),
                    Func::EndsWith => Some(text.ends_with(part)),
                    _ => None,
                }
            }
            Op::Fold(fold) => {
                let before = self.steps.get();
                let answer = self.quick_fold(fold, frames);
                if answer.is_none() {
                    // The long way counts its own.
                    self.steps.set(before);
                }
                answer
            }
            Op::Matches(text, regex) => {
                let text = self.peek_text(text, frames)?;
                (text.len() <= TEXT).then(|| regex.is_match(text))
            }
            _ => None,
        }
    }

    /// `exists` and `all` over elements that all give a plain answer.
    fn quick_fold(&self, fold: &'a Fold, frames: Frames<'_, 'a, T>) -> Option<bool> {
        let decides = match fold.kind {
            FoldKind::Exists => true,
            FoldKind::All => false,
            _ => return None,
        };
        let ask = |value: V<'a>| {
            let frame = Frame { value, origin: T::nowhere(), outer: frames };
            if self.spend(fold.cost) { self.quick(&fold.condition, Some(&frame)) } else { None }
        };
        let complete = match &fold.range {
            Range::Value(node) => {
                let Value::List(list) = self.peek(node, frames)? else { return None };
                for item in &list.items {
                    if ask(V::of(item))? == decides {
                        return Some(decides);
                    }
                }
                list.complete
            }
            Range::Dataset(at, lookup) => {
                let view = self.bound.datasets.get(*at).copied().flatten()?;
                if let Some((field, wanted)) = lookup {
                    let wanted = V::of(self.peek(wanted, frames)?);
                    let (hits, unplaced) = view.index(*field)?.find(&wanted)?;
                    for at in hits.iter().chain(unplaced) {
                        if ask(V::Record(view.records.get(*at as usize)?))? == decides {
                            return Some(decides);
                        }
                    }
                } else {
                    for record in view.records {
                        if ask(V::Record(record))? == decides {
                            return Some(decides);
                        }
                    }
                }
                view.is_complete()
            }
        };
        complete.then_some(!decides)
    }

    fn quick_logic(&self, parts: &'a [Node], decides: bool, frames: Frames<'_, 'a, T>) -> Option<bool> {
        for part in parts {
            if self.quick(part, frames)? == decides {
                return Some(decides);
            }
        }
        Some(!decides)
    }

    fn quick_equal(&self, pair: &'a [Node; 2], frames: Frames<'_, 'a, T>) -> Option<bool> {
        if let (Some(a), Some(b)) = (self.peek_text(&pair[0], frames), self.peek_text(&pair[1], frames)) {
            return Some(a == b);
        }
        if let (Some(a), Some(b)) = (self.peek(&pair[0], frames), self.peek(&pair[1], frames)) {
            return ops::plainly_equal(a, b);
        }
        match (self.scalar(&pair[0], frames)?, self.scalar(&pair[1], frames)?) {
            (Scalar::Int(a), Scalar::Int(b))
            | (Scalar::Timestamp(a), Scalar::Timestamp(b))
            | (Scalar::Duration(a), Scalar::Duration(b)) => Some(a == b),
            _ => None,
        }
    }

    fn scalar(&self, node: &'a Node, frames: Frames<'_, 'a, T>) -> Option<Scalar> {
        match &node.op {
            Op::Now => Some(Scalar::Timestamp(self.bound.now.0)),
            Op::Arith(operator @ (Operator::Add | Operator::Subtract), pair) => {
                let (a, b) = (self.scalar(&pair[0], frames)?, self.scalar(&pair[1], frames)?);
                let minus = *operator == Operator::Subtract;
                let sum = |a: i64, b: i64| if minus { a.checked_sub(b) } else { a.checked_add(b) };
                match (a, b) {
                    (Scalar::Int(a), Scalar::Int(b)) => sum(a, b).map(Scalar::Int),
                    (Scalar::Timestamp(a), Scalar::Timestamp(b)) if minus => {
                        sum(a, b).filter(|ms| ops::is_duration(*ms)).map(Scalar::Duration)
                    }
                    (Scalar::Timestamp(a), Scalar::Duration(b)) => {
                        sum(a, b).filter(|ms| ops::is_timestamp(*ms)).map(Scalar::Timestamp)
                    }
                    (Scalar::Duration(a), Scalar::Duration(b)) => {
                        sum(a, b).filter(|ms| ops::is_duration(*ms)).map(Scalar::Duration)
                    }
                    _ => None,
                }
            }
            _ => match self.peek(node, frames)? {
                Value::Int(i) => Some(Scalar::Int(*i)),
                Value::Timestamp(t) => Some(Scalar::Timestamp(t.0)),
                Value::Duration(d) => Some(Scalar::Duration(d.0)),
                _ => None,
            },
        }
    }
}
