//! Markdown of the catalogue: no raw HTML, https links only, no images. What breaks this is an error when it is loaded,
//! and would not get through the rendering either.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

use crate::LoadError;
use crate::load::files::Source;

fn options() -> Options {
    Options::ENABLE_TABLES
}

/// The events of a text with their places.
pub(crate) fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    Parser::new_ext(text, options()).into_offset_iter()
}

/// Reports what is not allowed in a part of a file.
pub(crate) fn check(source: &Source, range: Range<usize>, errors: &mut Vec<LoadError>) {
    let base = range.start;
    for (event, place) in events(&source.text[range]) {
        let at = base + place.start;
        match event {
            Event::Html(_) | Event::InlineHtml(_) => {
                errors.push(source.error(
                    at,
                    "raw HTML is refused",
                    "Write Markdown; `&lt;` for a `<`, or use `code`",
                ));
            }
            Event::Start(Tag::Image { .. }) => {
                errors.push(source.error(
                    at,
                    "images are refused",
                    "Say it in words, or link to the vendor's page",
                ));
            }
            Event::Start(Tag::Link { dest_url, .. }) if !is_https(&dest_url) => {
                let message = format!("link to `{dest_url}` is refused");
                errors.push(source.error(at, message, "Only whole https:// addresses"));
            }
            _ => {}
        }
    }
}

fn is_https(link: &str) -> bool {
    url::Url::parse(link).is_ok_and(|u| u.scheme() == "https" && u.username().is_empty())
}

/// Renders a text as HTML that is safe by construction: raw HTML is shown as text, links that are not https and images
/// are shown as their words. Headings are one level lower than written, because pages have their own first level.
pub(crate) fn html(text: &str) -> String {
    let mut links = Vec::new();
    let events = Parser::new_ext(text, options()).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("")),
        Event::Start(Tag::Link { dest_url, .. }) => {
            links.push(is_https(&dest_url));
            if is_https(&dest_url) {
                Event::InlineHtml(format!("<a href=\"{}\" rel=\"noreferrer\">", escape(&dest_url)).into())
            } else {
                Event::Text(CowStr::Borrowed(""))
            }
        }
        Event::End(TagEnd::Link) => match links.pop() {
            Some(true) => Event::InlineHtml(CowStr::Borrowed("</a>")),
            _ => Event::Text(CowStr::Borrowed("")),
        },
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        other => other,
    });
    let mut out = String::new();
    push_html(&mut out, events);
    out
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_markdown_stays_text() {
        let text = "a <script>alert(1)</script> [x](javascript:alert(1)) ![i](https://e.example/i.png)\n\n<b onclick=x>b</b>\n";
        let html = html(text);
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("javascript"), "{html}");
        assert!(!html.contains("<img"), "{html}");
        assert!(!html.contains("<b "), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn https_links_and_headings() {
        assert_eq!(
            html("## T\n[d](https://docs.example/a?b=1&c='2')"),
            "<h3>T</h3>\n<p><a href=\"https://docs.example/a?b=1&amp;c=&#39;2&#39;\" rel=\"noreferrer\">d</a></p>\n"
        );
    }
}
