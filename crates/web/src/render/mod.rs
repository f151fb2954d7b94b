//! The small parts that recur on every page, as functions from data to markup.

pub(crate) mod charts;
pub(crate) mod marks;
pub(crate) mod time;

use std::fmt;

use askama::filters::HtmlSafe;

use crate::links::Links;

/// Finished HTML. Only functions of this module make one, and each escapes what it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl HtmlSafe for Markup {}

/// Text made harmless between tags and inside double-quoted attributes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// Catalogue text, rendered by `catalog` without raw HTML.
pub(crate) fn html(html: &model::view::Html) -> Markup {
    Markup(html.0.clone())
}

/// Anything that counts things.
pub(crate) trait Count {
    /// How many.
    fn how_many(&self) -> u64;
}

impl Count for u64 {
    fn how_many(&self) -> u64 {
        *self
    }
}
impl Count for u32 {
    fn how_many(&self) -> u64 {
        u64::from(*self)
    }
}
impl Count for usize {
    fn how_many(&self) -> u64 {
        u64::try_from(*self).unwrap_or(u64::MAX)
    }
}
impl<T: Count> Count for &T {
    fn how_many(&self) -> u64 {
        (**self).how_many()
    }
}

/// A whole number with groups of three: `12,340`.
pub(crate) fn count(n: impl Count) -> String {
    let digits = n.how_many().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A count that may not be known: `-` then.
pub(crate) fn count_or_dash(n: &Option<u64>) -> String {
    n.map_or_else(|| "-".to_owned(), count)
}

/// A number with its noun: `1 finding`, `2 findings`.
pub(crate) fn plural(n: impl Count, one: &str, many: &str) -> String {
    let n = n.how_many();
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// For tables that cannot be sorted.
pub(crate) const NO_SORTS: Option<&Links> = None;

/// The heading of a column: a link that sorts by it where the list can be sorted.
pub(crate) fn column(sorts: &Option<&Links>, column: &str, title: &str) -> Markup {
    Markup(match sorts {
        None => format!(r#"<th scope="col">{}</th>"#, Escaped(title)),
        Some(links) => {
            let direction = links.direction(column);
            let aria =
                if direction == "none" { String::new() } else { format!(r#" aria-sort="{direction}""#) };
            format!(
                r#"<th scope="col"{aria}><a class="sort" href="{}">{}</a></th>"#,
                Escaped(&links.sorted(column)),
                Escaped(title)
            )
        }
    })
}

/// A path segment: everything but unreserved characters is encoded.
pub(crate) fn segment(text: impl fmt::Display) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(&text.to_string(), KEEP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(count(0u64), "0");
        assert_eq!(count(999u64), "999");
        assert_eq!(count(1_000u64), "1,000");
        assert_eq!(count(1_234_567u64), "1,234,567");
        assert_eq!(count_or_dash(&None), "-");
        assert_eq!(plural(1u64, "finding", "findings"), "1 finding");
        assert_eq!(plural(0u64, "finding", "findings"), "0 findings");
    }

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(Escaped("<a href=\"'&").to_string(), "&lt;a href=&quot;&#39;&amp;");
        assert_eq!(segment("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
    }
}
