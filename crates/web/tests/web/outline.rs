//! Reading what a page says the way a screen reader would.

/// Elements that hold others: what stands inside is indented.
const HOLDERS: [&str; 10] =
    ["header", "main", "footer", "nav", "aside", "section", "article", "table", "form", "fieldset"];
/// Elements without content.
const EMPTY: [&str; 6] = ["input", "meta", "link", "br", "img", "hr"];

/// A page as a screen reader meets it: landmarks, headings, statuses, sentences, links, buttons, fields and column
/// headings, in order. Fails on elements that overlap or are not closed.
pub(crate) fn outline(html: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // Elements that are open: tag, where their line stands if it tells its words, what was read inside them.
    let mut open: Vec<(String, Option<usize>, String)> = Vec::new();
    let mut depth = 0usize;
    for token in tokens(html) {
        match token {
            Token::Text(text) => open.iter_mut().for_each(|(_, _, read)| read.push_str(text)),
            Token::Open(tag, attributes) => {
                let mut at = None;
                if let Some((line, tells_words)) = line(tag, attributes) {
                    at = tells_words.then_some(lines.len());
                    lines.push(format!("{}{line}", "  ".repeat(depth)));
                }
                if !EMPTY.contains(&tag) {
                    depth += usize::from(HOLDERS.contains(&tag));
                    open.push((tag.to_owned(), at, String::new()));
                }
            }
            Token::Close(tag) => {
                let (opened, at, read) = open.pop().unwrap_or_else(|| panic!("</{tag}> closes nothing"));
                assert_eq!(opened, tag, "elements overlap");
                depth -= usize::from(HOLDERS.contains(&tag));
                if let Some(at) = at {
                    lines[at].push_str(": ");
                    lines[at].push_str(&read.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    lines.join("\n")
}

/// What an element says by itself, and whether its words follow.
fn line(tag: &str, attributes: &str) -> Option<(String, bool)> {
    let get = |name| attribute(attributes, name);
    let class = |name: &str| get("class").is_some_and(|all| all.split(' ').any(|c| c == name));
    let labelled = |kind: &str| match get("aria-label") {
        Some(label) => (format!("{kind} \"{label}\""), false),
        None => (kind.to_owned(), false),
    };
    let plain = |kind: &str| (kind.to_owned(), false);
    let words = |kind: &str| (kind.to_owned(), true);
    Some(match tag {
        "header" => plain("banner"),
        "main" | "footer" | "nav" | "aside" => labelled(tag),
        "section" | "article" | "table" | "fieldset" => plain(tag),
        "form" => {
            let method = get("method").unwrap_or_else(|| "get".to_owned());
            plain(&format!("form {method} {}", get("action").unwrap_or_default()))
        }
        "div" if get("role").as_deref() == Some("region") => labelled("region"),
        "svg" if get("aria-label").is_some() => labelled("image"),
        "h1" | "h2" | "h3" | "h4" | "button" | "summary" | "legend" | "label" => words(tag),
        "th" if get("scope").as_deref() == Some("col") => words("column"),
        "a" => words(&format!("link {}", get("href").unwrap_or_default())),
        "p" if class("sentence") || class("headline") => words("says"),
        "span" if class("status") => words("status"),
        "span" if class("severity") => words("severity"),
        "input" if get("type").as_deref() != Some("hidden") => {
            let kind = get("type").unwrap_or_else(|| "text".to_owned());
            plain(&format!("input {kind} {}", get("name").unwrap_or_default()))
        }
        "select" | "textarea" => plain(&format!("{tag} {}", get("name").unwrap_or_default())),
        _ => return None,
    })
}

enum Token<'a> {
    Text(&'a str),
    Open(&'a str, &'a str),
    Close(&'a str),
}

/// Our own pages only: every attribute in double quotes, every element closed, no comments, no inline script.
fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = html.trim_start().strip_prefix("<!doctype html>").expect("a page begins with its doctype");
    while let Some((text, tail)) = rest.split_once('<') {
        out.push(Token::Text(text));
        let mut quoted = false;
        let ends = |(_, c): &(usize, char)| {
            quoted ^= *c == '"';
            *c == '>' && !quoted
        };
        let end = tail.char_indices().find(ends).map(|(at, _)| at).expect("a tag ends");
        let inside = &tail[..end];
        rest = &tail[end + 1..];
        if let Some(tag) = inside.strip_prefix('/') {
            out.push(Token::Close(tag));
            continue;
        }
        let (tag, attributes) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        let tag = tag.trim_end_matches('/');
        out.push(Token::Open(tag, attributes));
        if inside.ends_with('/') {
            out.push(Token::Close(tag));
        }
    }
    out
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let value = match attributes.strip_prefix(&format!("{name}=\"")) {
        Some(value) => value,
        None => attributes.split_once(&format!(" {name}=\""))?.1,
    };
    Some(value.split('"').next().unwrap_or_default().to_owned())
}
