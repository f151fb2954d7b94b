//! Where the next page is.

use catalog::manifest::Paging;
use collect::fuzzing::{Page, next_address};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value as Json, json};
use url::Url;

use crate::input::{Dice, lines};

fn here() -> Url {
    Url::parse("https://api.example.com/v1/users?page=1").expect("an address")
}

fn asked(paging: &Paging, headers: &HeaderMap, json: &Json, from: &Url) -> Result<Option<Url>, String> {
    let next = next_address(paging, &Page { from, headers, json, count: 1 });
    if let Ok(Some(to)) = &next {
        assert_eq!(to.origin(), from.origin(), "the credential would leave its origin: {to}");
        assert!(to.username().is_empty() && to.password().is_none(), "a credential of theirs: {to}");
        // A token may happen to be what the first request had by itself.
        let by_address = matches!(paging, Paging::Link | Paging::NextUrl { .. });
        assert!(!by_address || to != from, "the same page again: {to}");
    }
    if let Err(message) = &next {
        assert!(!message.is_empty() && !message.chars().any(char::is_control), "{message:?}");
    }
    next
}

/// A header as RFC 8288 has it, drawn from the input's choices, of which is known where it leads; or the input itself,
/// of which is known only that it must not be taken for an end where it speaks of one.
pub(crate) fn link_header(input: &[u8]) {
    let mut headers = HeaderMap::new();
    let Some((first, rest)) = input.split_first() else { return };
    if *first == b'=' {
        let Ok(value) = HeaderValue::from_bytes(rest) else { return };
        headers.append(header::LINK, value);
        let next = asked(&Paging::Link, &headers, &Json::Null, &here());
        // A quoted value may write any of its letters with a backslash.
        let speaks = String::from_utf8_lossy(rest).to_lowercase().replace('\\', "").contains("next");
        assert!(speaks || !matches!(next, Ok(Some(_))), "led by a header that names no next page");
        return;
    }
    let mut dice = Dice::new(rest);
    let mut wanted = None;
    for _ in 0..=dice.pick(2) {
        let mut text = String::new();
        for at in 0..=dice.pick(3) {
            let page = dice.pick(50) + 2;
            let (link, is_next) = drawn(&mut dice, page);
            if at > 0 {
                text.push_str(dice.of(&[", ", ",", " , ", ",\t", ", , "]));
            }
            text.push_str(&link);
            if is_next && wanted.is_none() {
                wanted = Some(format!("https://api.example.com/v1/users?page={page}"));
            }
        }
        let value = HeaderValue::from_bytes(text.as_bytes()).expect("drawn from what a header may hold");
        headers.append(header::LINK, value);
    }
    let next = asked(&Paging::Link, &headers, &Json::Null, &here());
    assert_eq!(next.map(|url| url.map(String::from)), Ok(wanted), "{headers:?}");
}

/// One link, and whether it is the next page's.
fn drawn(dice: &mut Dice<'_>, page: usize) -> (String, bool) {
    const ANY: [char; 16] =
        ['a', 'b', ',', ';', '<', '>', '=', ' ', '"', '\\', '\'', '/', 'r', '\u{e9}', '\t', '%'];
    let mut link =
        format!("<{}page={page}>", dice.of(&["?", "/v1/users?", "https://api.example.com/v1/users?"]));
    let (mut told, mut is_next) = (false, false);
    for _ in 0..dice.pick(4) {
        link.push_str(dice.of(&[";", "; ", " ; ", ";  "]));
        match dice.pick(4) {
            0 => {
                let relation = dice.of(&[
                    "next",
                    "NEXT",
                    "prev",
                    "last",
                    "nextish",
                    "prefetch next",
                    "x-next",
                    "next\tx",
                ]);
                let name = dice.of(&["rel", "Rel", "REL"]);
                let token =
                    relation.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && dice.pick(2) == 1;
                let quoted = if token { relation.to_owned() } else { format!("\"{relation}\"") };
                link.push_str(&format!("{name}{}{quoted}", dice.of(&["=", " = "])));
                // Only the first counts (RFC 8288 section 3.3).
                if !told {
                    told = true;
                    is_next = relation.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"));
                }
            }
            1 => {
                let text = dice.text(&ANY, 12);
                link.push_str(&format!("title=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
            }
            2 => link.push_str(dice.of(&[
                "title=rel",
                "foo",
                "x-rel=next",
                "type=\"text/html\"",
                "relx=\"next\"",
            ])),
            _ => link.push_str("title*=UTF-8''%e2%82%ac"),
        }
    }
    (link, is_next)
}

/// The first line draws the way of paging; the rest is what the server puts where the next page is told.
pub(crate) fn next_link(input: &[u8]) {
    let Some((kind, text)) = lines(input) else { return };
    let at = || "next".to_owned();
    let value = serde_json::from_str::<Json>(text).unwrap_or_else(|_| Json::from(text));
    let body = json!({ "next": value });
    let mut headers = HeaderMap::new();
    let paging = match kind.trim() {
        "url" => Paging::NextUrl { at: at() },
        "cursor" => Paging::Cursor { at: at(), param: "page".to_owned() },
        "graphql" => Paging::Graphql { at: at(), variable: "after".to_owned() },
        "page" => Paging::Page {
            param: "page".to_owned(),
            start: 1,
            size_param: None,
            size: 1,
            total_at: Some(at()),
        },
        "offset" => Paging::Offset {
            param: "page".to_owned(),
            start: 0,
            size_param: Some("size".to_owned()),
            size: 1,
            total_at: Some(at()),
            bare_first: true,
        },
        _ => {
            if let Ok(value) = HeaderValue::from_bytes(format!("<{text}>; rel=next").as_bytes()) {
                headers.append(header::LINK, value);
            }
            Paging::Link
        }
    };
    // A GraphQL cursor goes into the body: the address stays.
    if matches!(paging, Paging::Graphql { .. }) {
        let page = Page { from: &here(), headers: &headers, json: &body, count: 1 };
        if let Ok(Some(to)) = next_address(&paging, &page) {
            assert_eq!(to, here());
        }
        return;
    }
    let next = asked(&paging, &headers, &body, &here());
    // Once more where it is an address: what was accepted is where the next one starts from.
    if let (Paging::Link | Paging::NextUrl { .. }, Ok(Some(to))) = (&paging, next) {
        let _ = asked(&paging, &headers, &body, &to);
    }
}
