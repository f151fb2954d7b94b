//! Operators and functions on known values.

use std::cmp::Ordering;

use model::time::{Duration, Timestamp};
use model::value::{List, Record, Value};

use crate::ast::Operator;
use crate::error::{Fault, Span};
use crate::func::Func;
use crate::ir::Order;
use crate::val::V;

/// The first and last instant of CEL's calendar, years 1 to 9999, in milliseconds.
const CALENDAR: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// CEL's longest duration: 64 bits of nanoseconds, in milliseconds.
const LONGEST: i64 = i64::MAX / 1_000_000;

/// Whether an instant is in the calendar.
pub(crate) fn is_timestamp(ms: i64) -> bool {
    CALENDAR.contains(&ms)
}

/// Whether a duration is not too long.
pub(crate) fn is_duration(ms: i64) -> bool {
    (-LONGEST..=LONGEST).contains(&ms)
}

fn timestamp(ms: Option<i64>) -> Result<V<'static>, Fault> {
    ms.filter(|ms| is_timestamp(*ms)).map(|ms| V::Timestamp(Timestamp(ms))).ok_or(Fault::Overflow)
}

fn duration(ms: Option<i64>) -> Result<V<'static>, Fault> {
    ms.filter(|ms| (-LONGEST..=LONGEST).contains(ms))
        .map(|ms| V::Duration(Duration(ms)))
        .ok_or(Fault::Overflow)
}

/// Whether two values are equal; `None` when that is not known. Values of different types are not equal, numbers are
/// compared across their types.
pub(crate) fn equal(a: &V<'_>, b: &V<'_>) -> Option<bool> {
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        return Some(a == b);
    }
    Some(match (a, b) {
        (V::Unknown | V::Error(..), _) | (_, V::Unknown | V::Error(..)) => return None,
        (V::Null, V::Null) => true,
        (V::Bool(a), V::Bool(b)) => a == b,
        (V::Int(a), V::Int(b)) => a == b,
        #[expect(clippy::float_cmp, reason = "equality of the language is exact")]
        (V::Double(a), V::Double(b)) => a == b,
        (V::Int(i), V::Double(d)) | (V::Double(d), V::Int(i)) => int_double(*i, *d) == Some(Ordering::Equal),
        (V::Timestamp(a), V::Timestamp(b)) => a == b,
        (V::Duration(a), V::Duration(b)) => a == b,
        _ => {
            if let (Some(a), Some(b)) = (a.list(), b.list()) {
                return lists_equal(a, b);
            }
            if let (Some(a), Some(b)) = (a.record(), b.record()) {
                return records_equal(a, b);
            }
            match (a.map(), b.map()) {
                (Some(a), Some(b)) => {
                    let same_keys = a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b);
                    return if same_keys {
                        all_equal(a.iter().zip(b).map(|((_, a), (_, b))| (a, b)))
                    } else {
                        Some(false)
                    };
                }
                _ => false,
            }
        }
    })
}

/// The same for the most frequent pairs; `None` for all others.
#[inline]
pub(crate) fn plainly_equal(a: &Value, b: &Value) -> Option<bool> {
    Some(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Null, Value::Bool(_) | Value::String(_) | Value::Int(_) | Value::Timestamp(_))
        | (Value::Bool(_) | Value::String(_) | Value::Int(_) | Value::Timestamp(_), Value::Null) => false,
        _ => return None,
    })
}

/// Whether all pairs are equal: one that is not decides, whatever is unknown.
fn all_equal<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Option<bool> {
    let mut known = true;
    for (a, b) in pairs {
        match equal(&V::of(a), &V::of(b)) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

fn records_equal(a: &Record, b: &Record) -> Option<bool> {
    if a.values.len() == b.values.len() { all_equal(a.values.iter().zip(&b.values)) } else { Some(false) }
}

fn lists_equal(a: &List, b: &List) -> Option<bool> {
    // A complete list is shorter than what was read of the other, or both are complete and differ in length.
    let (na, nb) = (a.items.len(), b.items.len());
    if (a.complete && na < nb) || (b.complete && nb < na) {
        return Some(false);
    }
    let common = all_equal(a.items.iter().zip(&b.items));
    if a.complete && b.complete { common } else { common.filter(|equal| !equal) }
}

/// Whether the list has the value; `None` when that is not known.
pub(crate) fn contains(list: &List, value: &V<'_>) -> Option<bool> {
    let mut known = list.complete;
    for item in &list.items {
        match equal(&V::of(item), value) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = false,
        }
    }
    known.then_some(false)
}

/// Order of an integer and a floating-point number: as floating point, like CEL's. `None` for NaN.
fn int_double(i: i64, d: f64) -> Option<Ordering> {
    (i as f64).partial_cmp(&d)
}

/// The order of two known values of one kind. `Err` when they have none; `Ok(None)` when one is NaN.
fn compare(a: &V<'_>, b: &V<'_>) -> Result<Option<Ordering>, ()> {
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        return Ok(Some(a.cmp(b)));
    }
    Ok(match (a, b) {
        (V::Int(a), V::Int(b)) => Some(a.cmp(b)),
        (V::Double(a), V::Double(b)) => a.partial_cmp(b),
        (V::Int(i), V::Double(d)) => int_double(*i, *d),
        (V::Double(d), V::Int(i)) => int_double(*i, *d).map(Ordering::reverse),
        (V::Bool(a), V::Bool(b)) => Some(a.cmp(b)),
        (V::Timestamp(a), V::Timestamp(b)) => Some(a.cmp(b)),
        (V::Duration(a), V::Duration(b)) => Some(a.cmp(b)),
        _ => return Err(()),
    })
}

/// `<` and its like; `None` when the values have no order.
pub(crate) fn order(order: Order, a: &V<'_>, b: &V<'_>) -> Option<bool> {
    let ordering = compare(a, b).ok()?;
    Some(match order {
        Order::Less => ordering == Some(Ordering::Less),
        Order::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Order::Greater => ordering == Some(Ordering::Greater),
        Order::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// `+ - * / %` on two values that are neither unknown nor errors.
pub(crate) fn arithmetic<'a>(operator: Operator, a: &V<'a>, b: &V<'a>) -> Result<V<'a>, Fault> {
    use Operator as O;
    match (a, b) {
        (V::Int(a), V::Int(b)) => {
            if matches!(operator, O::Divide | O::Remainder) && *b == 0 {
                return Err(Fault::DivisionByZero);
            }
            let result = match operator {
                O::Add => a.checked_add(*b),
                O::Subtract => a.checked_sub(*b),
                O::Multiply => a.checked_mul(*b),
                O::Divide => a.checked_div(*b),
                O::Remainder => a.checked_rem(*b),
                _ => return Err(Fault::WrongType),
            };
            result.map(V::Int).ok_or(Fault::Overflow)
        }
        (V::Double(a), V::Double(b)) => Ok(V::Double(match operator {
            O::Add => a + b,
            O::Subtract => a - b,
            O::Multiply => a * b,
            O::Divide => a / b,
            _ => return Err(Fault::WrongType),
        })),
        (V::Timestamp(t), V::Duration(d)) if operator == O::Add => timestamp(t.0.checked_add(d.0)),
        (V::Duration(d), V::Timestamp(t)) if operator == O::Add => timestamp(t.0.checked_add(d.0)),
        (V::Timestamp(t), V::Duration(d)) if operator == O::Subtract => timestamp(t.0.checked_sub(d.0)),
        (V::Timestamp(a), V::Timestamp(b)) if operator == O::Subtract => duration(a.0.checked_sub(b.0)),
        (V::Duration(a), V::Duration(b)) if operator == O::Add => duration(a.0.checked_add(b.0)),
        (V::Duration(a), V::Duration(b)) if operator == O::Subtract => duration(a.0.checked_sub(b.0)),
        _ => concat(operator, a, b),
    }
}

fn concat<'a>(operator: Operator, a: &V<'a>, b: &V<'a>) -> Result<V<'a>, Fault> {
    if operator != Operator::Add {
        return Err(Fault::WrongType);
    }
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        return Ok(V::Text([a, b].concat().into()));
    }
    let (Some(a), Some(b)) = (a.list(), b.list()) else { return Err(Fault::WrongType) };
    if !a.complete {
        // Where the second list begins is not known.
        return Ok(V::Unknown);
    }
    let items = a.items.iter().chain(&b.items).cloned().collect();
    Ok(V::OwnList(List { items, complete: b.complete }.into()))
}

/// Calls a function. Unknown arguments make the result unknown, then the first error is the result, then absence is one.
pub(crate) fn call<'a>(func: Func, args: &[V<'a>], span: Span) -> V<'a> {
    if args.iter().any(|arg| matches!(arg, V::Unknown)) {
        return V::Unknown;
    }
    for arg in args {
        match arg {
            V::Error(..) => return arg.clone(),
            V::Null => return V::error(Fault::Null, span),
            _ => {}
        }
    }
    crate::builtin::apply(func, args).unwrap_or_else(|fault| V::error(fault, span))
}

/// Durations and timestamps for the functions, with CEL's bounds.
pub(crate) mod time {
    use super::{Duration, Fault, Timestamp, V, duration, timestamp};

    pub(crate) fn parse_timestamp(text: &str) -> Result<V<'static>, Fault> {
        let parsed = Timestamp::parse(text).ok_or(Fault::BadText)?;
        timestamp(Some(parsed.0))
    }

    pub(crate) fn from_seconds(seconds: i64) -> Result<V<'static>, Fault> {
        timestamp(seconds.checked_mul(1000))
    }

    pub(crate) fn parse_duration(text: &str) -> Result<V<'static>, Fault> {
        let parsed = Duration::parse(text).ok_or(Fault::BadText)?;
        duration(Some(parsed.0))
    }
}
