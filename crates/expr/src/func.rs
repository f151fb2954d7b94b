//! The closed set of functions: their names, argument types and results.

use crate::types::Ty;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Func {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    CharAt,
    IndexOf,
    LastIndexOf,
    Join,
    LowerAscii,
    UpperAscii,
    Replace,
    Reverse,
    Split,
    Substring,
    Trim,
    ToBool,
    ToInt,
    ToDouble,
    ToString,
    ToTimestamp,
    ToDuration,
    Dyn,
    FullYear,
    Month,
    /// Day of the month from 1.
    Date,
    /// Day of the month from 0.
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg {
    Any,
    Bool,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    List,
    Strings,
    Map,
}

impl Arg {
    pub(crate) fn admits(self, ty: &Ty) -> bool {
        match (self, ty) {
            (_, Ty::Any)
            | (Self::Any, _)
            | (Self::Bool, Ty::Bool)
            | (Self::Int, Ty::Int)
            | (Self::Double, Ty::Double)
            | (Self::String, Ty::String)
            | (Self::Timestamp, Ty::Timestamp)
            | (Self::Duration, Ty::Duration)
            | (Self::List, Ty::List(_))
            | (Self::Map, Ty::Map(_)) => true,
            (Self::Strings, Ty::List(inner)) => matches!(**inner, Ty::String | Ty::Any),
            _ => false,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::String => "string",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Strings => "list of strings",
            Self::Map => "map",
        }
    }
}

/// The results of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ret {
    Bool,
    Int,
    Double,
    String,
    Strings,
    Timestamp,
    Duration,
    Any,
}

impl Ret {
    pub(crate) fn ty(self) -> Ty {
        match self {
            Self::Bool => Ty::Bool,
            Self::Int => Ty::Int,
            Self::Double => Ty::Double,
            Self::String => Ty::String,
            Self::Strings => Ty::List(Box::new(Ty::String)),
            Self::Timestamp => Ty::Timestamp,
            Self::Duration => Ty::Duration,
            Self::Any => Ty::Any,
        }
    }
}

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) name: &'static str,
    /// Written `target.name(...)`; the target is the first argument.
    pub(crate) method: bool,
    pub(crate) args: &'static [Arg],
    pub(crate) ret: Ret,
    pub(crate) func: Func,
}

impl Overload {
    /// The call as a hint shows it: `string.split(string, int)`.
    pub(crate) fn signature(&self) -> String {
        let args: Vec<&str> = self.args.iter().map(|a| a.as_str()).collect();
        match args.split_first() {
            Some((target, rest)) if self.method => format!("{target}.{}({})", self.name, rest.join(", ")),
            _ => format!("{}({})", self.name, args.join(", ")),
        }
    }
}

const fn method(name: &'static str, args: &'static [Arg], ret: Ret, func: Func) -> Overload {
    Overload { name, method: true, args, ret, func }
}

const fn global(name: &'static str, args: &'static [Arg], ret: Ret, func: Func) -> Overload {
    Overload { name, method: false, args, ret, func }
}

use Arg as A;
use Func as F;

/// Every function but the macros, `has`, `matches` and `datasets.X.get`, which the compiler turns into operations.
pub(crate) const OVERLOADS: &[Overload] = &[
    global("size", &[A::String], Ret::Int, F::Size),
    global("size", &[A::List], Ret::Int, F::Size),
    global("size", &[A::Map], Ret::Int, F::Size),
    method("size", &[A::String], Ret::Int, F::Size),
    method("size", &[A::List], Ret::Int, F::Size),
    method("size", &[A::Map], Ret::Int, F::Size),
    method("contains", &[A::String, A::String], Ret::Bool, F::Contains),
    method("startsWith", &[A::String, A::String], Ret::Bool, F::StartsWith),
    method("endsWith", &[A::String, A::String], Ret::Bool, F::EndsWith),
    method("charAt", &[A::String, A::Int], Ret::String, F::CharAt),
    method("indexOf", &[A::String, A::String], Ret::Int, F::IndexOf),
    method("indexOf", &[A::String, A::String, A::Int], Ret::Int, F::IndexOf),
    method("lastIndexOf", &[A::String, A::String], Ret::Int, F::LastIndexOf),
    method("lastIndexOf", &[A::String, A::String, A::Int], Ret::Int, F::LastIndexOf),
    method("join", &[A::Strings], Ret::String, F::Join),
    method("join", &[A::Strings, A::String], Ret::String, F::Join),
    method("lowerAscii", &[A::String], Ret::String, F::LowerAscii),
    method("upperAscii", &[A::String], Ret::String, F::UpperAscii),
    method("replace", &[A::String, A::String, A::String], Ret::String, F::Replace),
    method("replace", &[A::String, A::String, A::String, A::Int], Ret::String, F::Replace),
    method("reverse", &[A::String], Ret::String, F::Reverse),
    method("split", &[A::String, A::String], Ret::Strings, F::Split),
    method("split", &[A::String, A::String, A::Int], Ret::Strings, F::Split),
    method("substring", &[A::String, A::Int], Ret::String, F::Substring),
    method("substring", &[A::String, A::Int, A::Int], Ret::String, F::Substring),
    method("trim", &[A::String], Ret::String, F::Trim),
    global("bool", &[A::Bool], Ret::Bool, F::ToBool),
    global("bool", &[A::String], Ret::Bool, F::ToBool),
    global("int", &[A::Int], Ret::Int, F::ToInt),
    global("int", &[A::Double], Ret::Int, F::ToInt),
    global("int", &[A::String], Ret::Int, F::ToInt),
    global("int", &[A::Timestamp], Ret::Int, F::ToInt),
    global("double", &[A::Double], Ret::Double, F::ToDouble),
    global("double", &[A::Int], Ret::Double, F::ToDouble),
    global("double", &[A::String], Ret::Double, F::ToDouble),
    global("string", &[A::String], Ret::String, F::ToString),
    global("string", &[A::Bool], Ret::String, F::ToString),
    global("string", &[A::Int], Ret::String, F::ToString),
    global("string", &[A::Double], Ret::String, F::ToString),
    global("string", &[A::Timestamp], Ret::String, F::ToString),
    global("string", &[A::Duration], Ret::String, F::ToString),
    global("timestamp", &[A::Timestamp], Ret::Timestamp, F::ToTimestamp),
    global("timestamp", &[A::String], Ret::Timestamp, F::ToTimestamp),
    global("timestamp", &[A::Int], Ret::Timestamp, F::ToTimestamp),
    global("duration", &[A::Duration], Ret::Duration, F::ToDuration),
    global("duration", &[A::String], Ret::Duration, F::ToDuration),
    global("dyn", &[A::Any], Ret::Any, F::Dyn),
    method("getFullYear", &[A::Timestamp], Ret::Int, F::FullYear),
    method("getFullYear", &[A::Timestamp, A::String], Ret::Int, F::FullYear),
    method("getMonth", &[A::Timestamp], Ret::Int, F::Month),
    method("getMonth", &[A::Timestamp, A::String], Ret::Int, F::Month),
    method("getDate", &[A::Timestamp], Ret::Int, F::Date),
    method("getDate", &[A::Timestamp, A::String], Ret::Int, F::Date),
    method("getDayOfMonth", &[A::Timestamp], Ret::Int, F::DayOfMonth),
    method("getDayOfMonth", &[A::Timestamp, A::String], Ret::Int, F::DayOfMonth),
    method("getDayOfWeek", &[A::Timestamp], Ret::Int, F::DayOfWeek),
    method("getDayOfWeek", &[A::Timestamp, A::String], Ret::Int, F::DayOfWeek),
    method("getDayOfYear", &[A::Timestamp], Ret::Int, F::DayOfYear),
    method("getDayOfYear", &[A::Timestamp, A::String], Ret::Int, F::DayOfYear),
    method("getHours", &[A::Timestamp], Ret::Int, F::Hours),
    method("getHours", &[A::Timestamp, A::String], Ret::Int, F::Hours),
    method("getHours", &[A::Duration], Ret::Int, F::Hours),
    method("getMinutes", &[A::Timestamp], Ret::Int, F::Minutes),
    method("getMinutes", &[A::Timestamp, A::String], Ret::Int, F::Minutes),
    method("getMinutes", &[A::Duration], Ret::Int, F::Minutes),
    method("getSeconds", &[A::Timestamp], Ret::Int, F::Seconds),
    method("getSeconds", &[A::Timestamp, A::String], Ret::Int, F::Seconds),
    method("getSeconds", &[A::Duration], Ret::Int, F::Seconds),
    method("getMilliseconds", &[A::Timestamp], Ret::Int, F::Milliseconds),
    method("getMilliseconds", &[A::Timestamp, A::String], Ret::Int, F::Milliseconds),
    method("getMilliseconds", &[A::Duration], Ret::Int, F::Milliseconds),
];

/// The names of the macros and of what else the compiler handles itself, for hints.
pub(crate) const SPECIAL_NAMES: [&str; 9] =
    ["all", "exists", "exists_one", "existsOne", "filter", "map", "has", "matches", "get"];

/// The name in `known` that is the closest to `name`, if one is close enough to be a slip of the hand.
pub(crate) fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace to turn one word into another.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
