//! Numbers, times and lists as words.

use crate::time::{Duration, Timestamp};

/// How far `at` is from `now`: `just now`, `3 min ago`, `in 2 h`, `5 days ago`.
#[must_use]
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = at - now;
    let seconds = distance.0.unsigned_abs() / 1000;
    let amount = match seconds {
        0..60 if distance.0 <= 0 => return "just now".to_owned(),
        0..60 => return "in under a minute".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", count(seconds / 86_400)),
    };
    if distance.0 > 0 { format!("in {amount}") } else { format!("{amount} ago") }
}

/// The exact instant in UTC to the minute, and how far it is: `2026-01-31 14:05 UTC (2 h ago)`.
#[must_use]
pub fn plain_instant(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at.to_jiff().strftime("%Y-%m-%d %H:%M UTC"), relative(at, now))
}

/// A length of time in its two largest units: `850 ms`, `12 s`, `3 min 12 s`, `1 h 5 min`, `2 days 3 h`.
#[must_use]
pub fn duration(length: Duration) -> String {
    let ms = length.0.max(0).unsigned_abs();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {big_unit}")
        } else {
            format!("{big} {big_unit} {small} {small_unit}")
        }
    };
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s @ 1..60 => format!("{s} s"),
        s @ 60..3600 => two(s / 60, "min", s % 60, "s"),
        s @ 3600..86_400 => two(s / 3600, "h", s / 60 % 60, "min"),
        s => {
            let days = s / 86_400;
            two(days, if days == 1 { "day" } else { "days" }, s / 3600 % 24, "h")
        }
    }
}

/// A number with its thousands set apart: `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `once`, `twice`, `3 times`.
#[must_use]
pub fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{} times", count(n)),
    }
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [init @ .., last] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", init.join(", "), last.as_ref())
        }
    }
}
