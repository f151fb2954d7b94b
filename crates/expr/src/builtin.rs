//! The functions on known values of any type; a type they do not take is a fault.

use std::sync::Arc;

use model::value::Value;

use crate::error::Fault;
use crate::func::Func;
use crate::ops::time;
use crate::val::V;

type Answer<'a> = Result<V<'a>, Fault>;

/// Applies a function to arguments that are neither unknown, errors nor null.
pub(crate) fn apply<'a>(func: Func, args: &[V<'a>]) -> Answer<'a> {
    let first = args.first().ok_or(Fault::WrongType)?;
    match func {
        Func::Size => size(first),
        Func::Dyn => Ok(first.clone()),
        Func::ToBool => to_bool(first),
        Func::ToInt => to_int(first),
        Func::ToDouble => to_double(first),
        Func::ToString => to_string(first),
        Func::ToTimestamp => match first {
            V::Timestamp(_) => Ok(first.clone()),
            V::Int(seconds) => time::from_seconds(*seconds),
            _ => time::parse_timestamp(text(args, 0)?),
        },
        Func::ToDuration => match first {
            V::Duration(_) => Ok(first.clone()),
            _ => time::parse_duration(text(args, 0)?),
        },
        Func::Join => join(args),
        Func::FullYear
        | Func::Month
        | Func::Date
        | Func::DayOfMonth
        | Func::DayOfWeek
        | Func::DayOfYear
        | Func::Hours
        | Func::Minutes
        | Func::Seconds
        | Func::Milliseconds => calendar(func, args),
        _ => on_text(func, text(args, 0)?, args),
    }
}

fn text<'v>(args: &'v [V<'_>], at: usize) -> Result<&'v str, Fault> {
    args.get(at).and_then(V::text).ok_or(Fault::WrongType)
}

/// An optional whole number.
fn int(args: &[V<'_>], at: usize) -> Result<Option<i64>, Fault> {
    match args.get(at) {
        None => Ok(None),
        Some(V::Int(i)) => Ok(Some(*i)),
        Some(_) => Err(Fault::WrongType),
    }
}

fn length(n: usize) -> V<'static> {
    // No collection here is longer than 2^63.
    V::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn own(text: impl Into<Arc<str>>) -> V<'static> {
    V::Text(text.into())
}

fn size<'a>(value: &V<'a>) -> Answer<'a> {
    if let Some(text) = value.text() {
        return Ok(length(text.chars().count()));
    }
    if let Some(list) = value.list() {
        return Ok(if list.complete { length(list.items.len()) } else { V::Unknown });
    }
    value.map().map(|map| length(map.len())).ok_or(Fault::WrongType)
}

fn to_bool<'a>(value: &V<'a>) -> Answer<'a> {
    match value {
        V::Bool(_) => Ok(value.clone()),
        _ => match value.text().ok_or(Fault::WrongType)? {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(V::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(V::Bool(false)),
            _ => Err(Fault::BadText),
        },
    }
}

fn to_int<'a>(value: &V<'a>) -> Answer<'a> {
    match value {
        V::Int(_) => Ok(value.clone()),
        V::Double(d) => {
            // The bounds are exclusive because neither end of the 64-bit range has a distinct floating-point form.
            const TWO_63: f64 = 9_223_372_036_854_775_808.0;
            if *d > -TWO_63 && *d < TWO_63 { Ok(V::Int(d.trunc() as i64)) } else { Err(Fault::Overflow) }
        }
        V::Timestamp(t) => Ok(V::Int(t.0.div_euclid(1000))),
        _ => value.text().ok_or(Fault::WrongType)?.parse().map(V::Int).map_err(|_| Fault::BadText),
    }
}

fn to_double<'a>(value: &V<'a>) -> Answer<'a> {
    match value {
        V::Double(_) => Ok(value.clone()),
        V::Int(i) => Ok(V::Double(*i as f64)),
        _ => value.text().ok_or(Fault::WrongType)?.parse().map(V::Double).map_err(|_| Fault::BadText),
    }
}

fn to_string<'a>(value: &V<'a>) -> Answer<'a> {
    Ok(match value {
        V::Str(_) | V::Text(_) => value.clone(),
        V::Bool(b) => own(b.to_string()),
        V::Int(i) => own(i.to_string()),
        V::Double(d) => own(double_text(*d)),
        V::Timestamp(t) => own(t.to_string()),
        V::Duration(d) => {
            let text = d.to_string();
            match text.strip_suffix('s') {
                Some(number) if number.contains('.') => own(format!("{}s", number.trim_end_matches('0'))),
                _ => own(text),
            }
        }
        _ => return Err(Fault::WrongType),
    })
}

/// The shortest text that reads back as the same number, with an exponent for very large and small ones.
fn double_text(d: f64) -> String {
    let magnitude = d.abs();
    if !d.is_finite() {
        return if d.is_nan() {
            "NaN".to_owned()
        } else if d > 0.0 {
            "+Inf".to_owned()
        } else {
            "-Inf".to_owned()
        };
    }
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{d:e}");
        // Two digits of exponent and its sign, as other implementations of the language print it.
        if let Some((mantissa, exponent)) = text.split_once('e') {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            return format!("{mantissa}e{sign}{digits:0>2}");
        }
        return text;
    }
    format!("{d}")
}

fn join<'a>(args: &[V<'a>]) -> Answer<'a> {
    let list = args[0].list().ok_or(Fault::WrongType)?;
    if !list.complete || list.items.iter().any(Value::is_unknown) {
        return Ok(V::Unknown);
    }
    let separator = if args.len() > 1 { text(args, 1)? } else { "" };
    let parts: Option<Vec<&str>> = list.items.iter().map(Value::as_str).collect();
    match parts {
        Some(parts) => Ok(own(parts.join(separator))),
        None if list.items.contains(&Value::Null) => Err(Fault::Null),
        None => Err(Fault::WrongType),
    }
}

/// The byte offset of a character; the end is a valid position.
fn offset(text: &str, at: i64) -> Result<usize, Fault> {
    let at = usize::try_from(at).map_err(|_| Fault::OutOfRange)?;
    let mut offsets = text.char_indices().map(|(offset, _)| offset).chain([text.len()]);
    offsets.nth(at).ok_or(Fault::OutOfRange)
}

fn chars_before(text: &str, offset: usize) -> V<'static> {
    length(text[..offset].chars().count())
}

fn on_text<'a>(func: Func, target: &str, args: &[V<'a>]) -> Answer<'a> {
    Ok(match func {
        Func::Contains => V::Bool(target.contains(text(args, 1)?)),
        Func::StartsWith => V::Bool(target.starts_with(text(args, 1)?)),
        Func::EndsWith => V::Bool(target.ends_with(text(args, 1)?)),
        Func::LowerAscii => own(target.to_ascii_lowercase()),
        Func::UpperAscii => own(target.to_ascii_uppercase()),
        Func::Trim => own(target.trim()),
        Func::Reverse => own(target.chars().rev().collect::<String>()),
        Func::CharAt => {
            let from = offset(target, int(args, 1)?.ok_or(Fault::WrongType)?)?;
            own(target[from..].chars().next().map(String::from).unwrap_or_default())
        }
        Func::Substring => {
            let from = offset(target, int(args, 1)?.ok_or(Fault::WrongType)?)?;
            let to = int(args, 2)?.map_or(Ok(target.len()), |to| offset(target, to))?;
            own(target.get(from..to).ok_or(Fault::OutOfRange)?)
        }
        Func::IndexOf => {
            let wanted = text(args, 1)?;
            let from = int(args, 2)?.map_or(Ok(0), |from| offset(target, from))?;
            target[from..].find(wanted).map_or(V::Int(-1), |at| chars_before(target, from + at))
        }
        Func::LastIndexOf => {
            let wanted = text(args, 1)?;
            // A match may begin at the given position at the latest.
            let last = int(args, 2)?.map_or(Ok(target.len()), |last| offset(target, last))?;
            let end = last.saturating_add(wanted.len()).min(target.len());
            let end = (end..=target.len()).find(|e| target.is_char_boundary(*e)).unwrap_or(target.len());
            target[..end]
                .rmatch_indices(wanted)
                .map(|(at, _)| at)
                .find(|at| *at <= last)
                .map_or(V::Int(-1), |at| chars_before(target, at))
        }
        Func::Replace => {
            let (from, to) = (text(args, 1)?, text(args, 2)?);
            match int(args, 3)? {
                // A negative limit means none.
                Some(limit) if limit >= 0 => {
                    own(target.replacen(from, to, usize::try_from(limit).unwrap_or(usize::MAX)))
                }
                _ => own(target.replace(from, to)),
            }
        }
        Func::Split => split(target, text(args, 1)?, int(args, 2)?),
        _ => return Err(Fault::WrongType),
    })
}

fn split(target: &str, separator: &str, limit: Option<i64>) -> V<'static> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let parts: Vec<Value> = if separator.is_empty() {
        // One part a character, the last one with the rest.
        let starts: Vec<usize> = target.char_indices().map(|(at, _)| at).take(limit).collect();
        let ends = starts.iter().skip(1).copied().chain([target.len()]);
        starts.iter().zip(ends).map(|(from, to)| Value::string(&target[*from..to])).collect()
    } else {
        target.splitn(limit, separator).map(Value::string).collect()
    };
    match Value::list(parts) {
        Value::List(list) => V::OwnList(list),
        _ => V::Unknown,
    }
}

fn calendar<'a>(func: Func, args: &[V<'a>]) -> Answer<'a> {
    if let V::Duration(d) = args[0] {
        let value = match func {
            Func::Hours => d.0 / 3_600_000,
            Func::Minutes => d.0 / 60_000,
            Func::Seconds => d.0 / 1000,
            Func::Milliseconds => d.0 % 1000,
            _ => return Err(Fault::WrongType),
        };
        return Ok(V::Int(value));
    }
    let V::Timestamp(at) = args[0] else { return Err(Fault::WrongType) };
    let zone =
        if args.len() > 1 { zone(text(args, 1)?).ok_or(Fault::BadText)? } else { jiff::tz::TimeZone::UTC };
    let at = at.to_jiff().to_zoned(zone);
    Ok(V::Int(i64::from(match func {
        Func::FullYear => at.year(),
        Func::Month => i16::from(at.month()) - 1,
        Func::Date => i16::from(at.day()),
        Func::DayOfMonth => i16::from(at.day()) - 1,
        Func::DayOfWeek => i16::from(at.weekday().to_sunday_zero_offset()),
        Func::DayOfYear => at.day_of_year() - 1,
        Func::Hours => i16::from(at.hour()),
        Func::Minutes => i16::from(at.minute()),
        Func::Seconds => i16::from(at.second()),
        Func::Milliseconds => at.millisecond(),
        _ => return Err(Fault::WrongType),
    })))
}

/// A zone by its name, or a fixed offset (`+11:00`, `02:00`, `-02:30`).
fn zone(name: &str) -> Option<jiff::tz::TimeZone> {
    let (sign, digits) = match name.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, name.strip_prefix('+').unwrap_or(name)),
    };
    if let Some((hours, minutes)) = digits.split_once(':') {
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        if !(0..=23).contains(&hours) || !(0..=59).contains(&minutes) {
            return None;
        }
        let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
        return Some(jiff::tz::TimeZone::fixed(offset));
    }
    jiff::tz::TimeZone::get(name).ok()
}
