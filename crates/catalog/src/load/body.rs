//! The body of a check file: why, remedy, examples.

use std::collections::BTreeSet;
use std::ops::Range;

use model::finding::Outcome;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};

use crate::LoadError;
use crate::load::doc::suggest;
use crate::load::example::RawExample;
use crate::load::files::Source;
use crate::markdown;

/// The parts of a check's body.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) why: String,
    pub(crate) steps: String,
    pub(crate) examples: Vec<RawExample>,
}

/// Reads the body of a check: prose, remedy, examples.
pub(crate) fn read(source: &Source, range: Range<usize>, errors: &mut Vec<LoadError>) -> Body {
    markdown::check(source, range.clone(), errors);
    let (base, text) = (range.start, &source.text[range]);
    let mut body = Body::default();
    // Section titles with where the section begins; cuts are the examples, which are not part of the prose.
    let mut sections: Vec<(String, usize, usize)> = vec![(String::new(), 0, 0)];
    let (mut heading, mut fence): (Option<String>, Option<(Outcome, Range<usize>)>) = (None, None);
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let mut numbered = BTreeSet::new();
    for (event, place) in markdown::events(text) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => heading = Some(String::new()),
            Event::Start(Tag::Heading { .. }) => {
                let remedy = "Only `## Remedy` and `## Examples` head a part of a check";
                errors.push(source.error(base + place.start, "a heading of another level", remedy));
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                let title = heading.take().unwrap_or_default();
                if !["Remedy", "Examples"].contains(&title.as_str()) || sections.iter().any(|s| s.0 == title)
                {
                    let message = format!("unexpected part `{title}`");
                    errors.push(source.error(base + place.start, message, "`## Remedy`, then `## Examples`"));
                }
                sections.push((title, place.start, place.end));
            }
            Event::Text(t) if heading.is_some() => heading.iter_mut().for_each(|h| h.push_str(&t)),
            Event::Text(t) => {
                if let Some((expected, _)) = &fence {
                    match body.examples.last_mut().filter(|e| e.open) {
                        Some(example) => example.text.push_str(&t),
                        None => body.examples.push(RawExample {
                            expected: *expected,
                            text: t.to_string(),
                            offset: base + place.start,
                            open: true,
                        }),
                    }
                }
            }
            Event::Start(Tag::List(Some(_))) => {
                numbered.insert(sections.len() - 1);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                match info.strip_prefix("json ").map(str::trim) {
                    None => {}
                    Some(word) => match Outcome::parse(&word.replace('-', "_")) {
                        Some(expected) => fence = Some((expected, place)),
                        None => {
                            let words = ["pass", "fail", "inconclusive", "not-applicable"];
                            let message = format!("unknown outcome `{word}`");
                            errors.push(source.error(base + place.start, message, suggest(word, &words)));
                        }
                    },
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((_, range)) = fence.take() {
                    cuts.push(range);
                    body.examples.iter_mut().for_each(|e| e.open = false);
                }
            }
            _ => {}
        }
    }
    let part = |title: &str| {
        let at = sections.iter().position(|s| s.0 == title)?;
        let end = sections.get(at + 1).map_or(text.len(), |next| next.1);
        Some((at, without(text, sections[at].2..end, &cuts)))
    };
    body.why = part("").map(|(_, t)| t).unwrap_or_default();
    if body.why.chars().count() < 40 {
        let remedy = "Write a paragraph after the front matter: what goes wrong where this is not so";
        errors.push(source.error(base, "why it matters is missing", remedy));
    }
    match part("Remedy") {
        Some((at, steps)) if numbered.contains(&at) => body.steps = steps,
        Some((at, _)) => {
            let remedy = "Write what to do as `1. ...`, `2. ...`";
            errors.push(source.error(base + sections[at].1, "the remedy has no numbered steps", remedy));
        }
        None => {
            errors.push(source.error(base, "the remedy is missing", "Add `## Remedy` with numbered steps"))
        }
    }
    body
}

fn without(text: &str, range: Range<usize>, cuts: &[Range<usize>]) -> String {
    let (mut out, mut at) = (String::new(), range.start);
    for cut in cuts.iter().filter(|c| c.start >= range.start && c.end <= range.end) {
        out.push_str(&text[at..cut.start]);
        at = cut.end;
    }
    out.push_str(&text[at..range.end]);
    out.trim().to_owned()
}
