//! Instants as people read them: relative, with the exact instant in `<time>` and on hover.

use model::time::{Duration, Timestamp};
use model::view::{Known, Status};
use model::words::{Part, Sentence};

use super::{Escaped, Markup};

/// `12 min ago`, `in 9 days`, with the exact instant on hover.
pub(crate) fn ago(now: &Timestamp, at: &Timestamp) -> Markup {
    element(at, &relative(*now, *at))
}

/// Like [`ago`], or `-` where there is no instant.
pub(crate) fn ago_or_dash(now: &Timestamp, at: &Option<Timestamp>) -> Markup {
    at.as_ref().map_or_else(|| Markup("-".to_owned()), |at| ago(now, at))
}

/// An instant as far as it is known; `absent` is the word for "known to be none".
pub(crate) fn known(now: &Timestamp, at: &Known<Timestamp>, absent: &str) -> Markup {
    match at {
        Known::Is(at) => ago(now, at),
        Known::Absent => Markup(format!("<span class=\"quiet\">{}</span>", Escaped(absent))),
        Known::Unknown => Markup("<span class=\"quiet\">not known</span>".to_owned()),
    }
}

/// The exact instant: `22 Nov 2026, 23:48`.
pub(crate) fn exact(at: &Timestamp) -> Markup {
    element(at, &at.to_jiff().strftime("%-d %b %Y, %H:%M").to_string())
}

fn element(at: &Timestamp, text: &str) -> Markup {
    titled(at, &at.to_jiff().strftime("%-d %b %Y, %H:%M:%S UTC").to_string(), text)
}

fn titled(at: &Timestamp, title: &str, text: &str) -> Markup {
    let machine = at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ");
    Markup(format!("<time datetime=\"{machine}\" title=\"{title}\">{text}</time>"))
}

/// A sentence with its instants as elements: distances relative with the exact instant on hover, exact ones the other
/// way round.
pub(crate) fn sentence(now: &Timestamp, sentence: &Sentence) -> Markup {
    use std::fmt::Write as _;
    let mut out = String::new();
    for part in &sentence.0 {
        // Writing to a string cannot fail.
        let _ = match part {
            Part::Text(text) => write!(out, "{}", Escaped(text)),
            Part::At(at) => write!(out, "{}", ago(now, at)),
            Part::Exact(at) => write!(out, "{}", near(now, at)),
        };
    }
    Markup(out)
}

/// A sentence that stands under the status it explains: without the status' own word at its beginning.
pub(crate) fn explained(now: &Timestamp, status: &Status) -> Markup {
    let mut told = status.sentence.clone();
    if let Some(Part::Text(first)) = told.0.first_mut()
        && let Some(rest) = first.strip_prefix(status.word.as_str()).and_then(|r| r.strip_prefix(": "))
    {
        let mut chars = rest.chars();
        *first =
            chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str());
    }
    sentence(now, &told)
}

/// An instant that must be exact, as short as it can be: the time alone today, else with its day.
fn near(now: &Timestamp, at: &Timestamp) -> Markup {
    let (today, instant) = (now.to_jiff().strftime("%Y-%m-%d"), at.to_jiff());
    let pattern =
        if today.to_string() == instant.strftime("%Y-%m-%d").to_string() { "%H:%M" } else { "%-d %b, %H:%M" };
    let title = format!("{}, {}", instant.strftime("%-d %b %Y, %H:%M:%S UTC"), relative(*now, *at));
    titled(at, &title, &instant.strftime(pattern).to_string())
}

/// The distance between two instants in one unit: `just now`, `12 min ago`, `in 9 days`.
pub(crate) fn relative(now: Timestamp, at: Timestamp) -> String {
    let distance = (at - now).0;
    let ahead = distance > 0;
    let seconds = distance.unsigned_abs() / 1000;
    let text = match seconds {
        0..45 => return if ahead { "in a moment".to_owned() } else { "just now".to_owned() },
        45..5_400 => unit((seconds + 30) / 60, "min", "min"),
        5_400..129_600 => unit((seconds + 1_800) / 3_600, "h", "h"),
        129_600..5_184_000 => unit((seconds + 43_200) / 86_400, "day", "days"),
        5_184_000..63_072_000 => unit(seconds / 2_629_746, "month", "months"),
        _ => unit(seconds / 31_556_952, "year", "years"),
    };
    if ahead { format!("in {text}") } else { format!("{text} ago") }
}

fn unit(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A length of time: `850 ms`, `12 s`, `3 min 20 s`, `6 h`.
pub(crate) fn length(duration: &Duration) -> String {
    let ms = duration.0.unsigned_abs();
    let (s, m, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{s} s"),
        60_000..3_600_000 if s % 60 == 0 => format!("{m} min"),
        60_000..3_600_000 => format!("{m} min {} s", s % 60),
        _ if m.is_multiple_of(60) => format!("{h} h"),
        _ => format!("{h} h {} min", m % 60),
    }
}

/// How long a run took.
pub(crate) fn between(from: &Timestamp, to: &Timestamp) -> String {
    length(&(*to - *from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_one_unit() {
        let now = Timestamp(1_800_000_000_000);
        let cases = [
            (Duration::seconds(-10), "just now"),
            (Duration::seconds(10), "in a moment"),
            (Duration::seconds(-60), "1 min ago"),
            (Duration::minutes(-89), "89 min ago"),
            (Duration::minutes(-95), "2 h ago"),
            (Duration::hours(-30), "30 h ago"),
            (Duration::hours(-47), "2 days ago"),
            (Duration::days(9), "in 9 days"),
            (Duration::days(-59), "59 days ago"),
            (Duration::days(-90), "2 months ago"),
            (Duration::days(-800), "2 years ago"),
        ];
        for (distance, text) in cases {
            assert_eq!(relative(now, now + distance), text);
        }
    }

    #[test]
    fn lengths_keep_the_second_unit_only_where_it_says_something() {
        assert_eq!(length(&Duration(850)), "850 ms");
        assert_eq!(length(&Duration::seconds(12)), "12 s");
        assert_eq!(length(&Duration::seconds(200)), "3 min 20 s");
        assert_eq!(length(&Duration::minutes(15)), "15 min");
        assert_eq!(length(&Duration::hours(6)), "6 h");
        assert_eq!(length(&Duration::minutes(90)), "1 h 30 min");
    }

    #[test]
    fn the_exact_instant_is_in_the_element() {
        let at = Timestamp::parse("2026-11-22T23:48:59Z").expect("a valid instant");
        assert_eq!(
            ago(&(at + Duration::minutes(12)), &at).to_string(),
            "<time datetime=\"2026-11-22T23:48:59Z\" title=\"22 Nov 2026, 23:48:59 UTC\">12 min ago</time>"
        );
    }
}
