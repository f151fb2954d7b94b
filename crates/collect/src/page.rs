//! Paging: which page comes first, and whether and where there is another. It goes on only while the server says that
//! there is more, and says so when the server contradicts itself.

use catalog::manifest::Paging;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use url::Url;

use crate::link;
use crate::path::{Found, Path};

/// Longest address or token of a next page that is followed, in bytes. The longest that are known have a few KiB; each is
/// kept until the listing's end, so that a circle is noticed.
const LONGEST: usize = 16 << 10;

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cursor {
    /// The first page.
    First,
    /// At this address, of the same origin.
    Url(String),
    /// Behind this token.
    Token(String),
    /// This page or offset.
    Number(u64),
}

/// What a page said that matters for the next.
pub(crate) struct Seen<'a> {
    pub(crate) json: &'a Json,
    pub(crate) headers: &'a HeaderMap,
    /// Where it came from.
    pub(crate) url: &'a Url,
    /// Records on it.
    pub(crate) count: u64,
    /// Records of the listing so far, with it.
    pub(crate) total: u64,
}

/// Puts a cursor into a request.
///
/// # Errors
/// A cursor that does not fit: of an older manifest, or an address of another origin.
pub(crate) fn apply(
    paging: &Paging,
    cursor: &Cursor,
    url: &mut Url,
    variables: &mut serde_json::Map<String, Json>,
) -> Result<(), String> {
    match (paging, cursor) {
        (Paging::None | Paging::Link | Paging::NextUrl { .. } | Paging::Cursor { .. }, Cursor::First) => {}
        (Paging::Graphql { variable, .. }, Cursor::First) => {
            variables.insert(variable.clone(), Json::Null);
        }
        (Paging::Link | Paging::NextUrl { .. }, Cursor::Url(next)) => {
            *url = same_origin(url, next)?;
        }
        (Paging::Cursor { param, .. }, Cursor::Token(token)) => set(url, param, token),
        (Paging::Graphql { variable, .. }, Cursor::Token(token)) => {
            variables.insert(variable.clone(), Json::String(token.clone()));
        }
        (Paging::Page { param, start, size_param, size, .. }, cursor) => {
            let number = match cursor {
                Cursor::First => u64::from(*start),
                Cursor::Number(n) => *n,
                _ => return Err(stale()),
            };
            set(url, param, &number.to_string());
            if let Some(name) = size_param {
                set(url, name, &size.to_string());
            }
        }
        (Paging::Offset { bare_first: true, .. }, Cursor::First) => {}
        (Paging::Offset { param, start, size_param, size, .. }, cursor) => {
            let number = match cursor {
                Cursor::First => u64::from(*start),
                Cursor::Number(n) => *n,
                _ => return Err(stale()),
            };
            set(url, param, &number.to_string());
            if let Some(name) = size_param {
                set(url, name, &size.to_string());
            }
        }
        _ => return Err(stale()),
    }
    Ok(())
}

fn stale() -> String {
    "The place where reading was interrupted does not fit the way of paging any more".to_owned()
}

/// Replaces a query parameter.
fn set(url: &mut Url, name: &str, value: &str) {
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(n, _)| n != name).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
}

/// The next page, or `None` at the end.
///
/// # Errors
/// The server's contradiction, in a sentence.
pub(crate) fn next(paging: &Paging, cursor: &Cursor, seen: &Seen<'_>) -> Result<Option<Cursor>, String> {
    let next = match paging {
        Paging::None => match link_next(seen.headers)? {
            // What is not read would be taken for not there.
            Some(_) => {
                return Err(
                    "The server offers a next page where the catalogue expects a single answer".to_owned()
                );
            }
            None => None,
        },
        Paging::Link => link_next(seen.headers)?.map(Cursor::Url),
        Paging::NextUrl { at } => told(seen.json, at)?.map(Cursor::Url),
        Paging::Cursor { at, .. } => told(seen.json, at)?.map(Cursor::Token),
        Paging::Page { start, size, total_at, .. } => {
            let page = if let Cursor::Number(n) = cursor { *n } else { u64::from(*start) };
            next_page(page, u64::from(*start), u64::from(*size), total_at.as_deref(), seen)?
        }
        Paging::Offset { start, total_at, .. } => next_offset(u64::from(*start), total_at.as_deref(), seen)?,
        Paging::Graphql { at, .. } => next_graphql(at, seen)?,
    };
    match next {
        Some(Cursor::Url(told) | Cursor::Token(told)) if told.len() > LONGEST => Err(format!(
            "The place of the next page is longer than {} KiB, and is not followed",
            LONGEST >> 10
        )),
        Some(Cursor::Url(address)) => {
            let url = same_origin(seen.url, &address)?;
            if url == *seen.url {
                return Err("The next page is the same page again; reading ended".to_owned());
            }
            Ok(Some(Cursor::Url(url.into())))
        }
        Some(next) if next == *cursor => {
            Err("The next page is the same page again; reading ended".to_owned())
        }
        next => Ok(next),
    }
}

/// A cursor in the body; none when the path leads nowhere, to null or to an empty text.
fn told(json: &Json, at: &str) -> Result<Option<String>, String> {
    match Path::new(at).get(json) {
        Found::Missing | Found::Value(Json::Null | Json::Bool(false)) => Ok(None),
        Found::Value(Json::String(text)) if text.is_empty() => Ok(None),
        Found::Value(Json::String(text)) => Ok(Some(text.clone())),
        Found::Value(Json::Number(n)) => Ok(Some(n.to_string())),
        Found::Value(_) => {
            Err(format!("`{at}` should say where the next page is, and is neither text nor null"))
        }
        Found::Withheld => Err(format!("`{at}` was withheld: whether there are more pages is not known")),
    }
}

fn number(json: &Json, at: &str) -> Option<u64> {
    match Path::new(at).get(json) {
        Found::Value(Json::Number(n)) => n.as_u64(),
        Found::Value(Json::String(text)) => text.parse().ok(),
        _ => None,
    }
}

fn next_page(
    page: u64,
    start: u64,
    size: u64,
    total_at: Option<&str>,
    seen: &Seen<'_>,
) -> Result<Option<Cursor>, String> {
    let more = Some(Cursor::Number(page + 1));
    let Some(at) = total_at else {
        return Ok(if seen.count < size { None } else { more });
    };
    let total =
        number(seen.json, at).ok_or_else(|| format!("`{at}` should hold the total, and is not a number"))?;
    let pages = page + 1 - start;
    let (is_end, is_short) = match seen.total.cmp(&total) {
        // More records than the total: it counts pages.
        std::cmp::Ordering::Greater => (pages >= total, false),
        // A full page could be the first of as many pages as it has records; only another request can tell.
        std::cmp::Ordering::Equal => (seen.count < size || pages >= total, false),
        std::cmp::Ordering::Less => (false, seen.count == 0),
    };
    if is_short {
        return Err(format!("The server says there are {total}, and gives no more after {}", seen.total));
    }
    Ok(if is_end { None } else { more })
}

fn next_offset(start: u64, total_at: Option<&str>, seen: &Seen<'_>) -> Result<Option<Cursor>, String> {
    let more = Some(Cursor::Number(start + seen.total));
    let Some(at) = total_at else {
        return Ok(if seen.count == 0 { None } else { more });
    };
    let total =
        number(seen.json, at).ok_or_else(|| format!("`{at}` should hold the total, and is not a number"))?;
    if seen.total >= total {
        return Ok(None);
    }
    if seen.count == 0 {
        return Err(format!(
            "The server says there are {total} records, and gives no more after {}",
            seen.total
        ));
    }
    Ok(more)
}

fn next_graphql(at: &str, seen: &Seen<'_>) -> Result<Option<Cursor>, String> {
    let Found::Value(info) = Path::new(at).get(seen.json) else {
        return Err(format!("`{at}` is not in the answer: whether there are more pages is not known"));
    };
    match info.get("hasNextPage") {
        Some(Json::Bool(false)) => Ok(None),
        Some(Json::Bool(true)) => match info.get("endCursor") {
            Some(Json::String(cursor)) if !cursor.is_empty() => Ok(Some(Cursor::Token(cursor.clone()))),
            _ => Err(format!("`{at}` says that there are more pages, but not where")),
        },
        _ => Err(format!(
            "`{at}.hasNextPage` is neither true nor false: whether there are more pages is not known"
        )),
    }
}

fn same_origin(from: &Url, to: &str) -> Result<Url, String> {
    let url = from.join(to).map_err(|_| "The next page's address is not one".to_owned())?;
    if url.origin() == from.origin() {
        let named = !url.username().is_empty() || url.password().is_some();
        // It would be sent as a credential, in the place of ours or beside it.
        if named {
            Err("The next page's address names a user, and is not followed".to_owned())
        } else {
            Ok(url)
        }
    } else {
        Err(format!(
            "The next page is at {}, which is not followed: the credential stays with its origin",
            url.origin().ascii_serialization()
        ))
    }
}

/// The target of `rel="next"` (RFC 8288).
///
/// # Errors
/// A header that cannot be read to its end: a next page might stand in it.
fn link_next(headers: &HeaderMap) -> Result<Option<String>, String> {
    for value in headers.get_all(http::header::LINK) {
        // What is not ASCII stands in titles, and is of no interest; it must not hide the rest.
        let text = String::from_utf8_lossy(value.as_bytes());
        if let Some(target) = link::next(&text)? {
            return Ok(Some(target.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::json;

    fn step(
        paging: &Paging,
        cursor: &Cursor,
        json: &Json,
        link: Option<&str>,
        count: u64,
        total: u64,
    ) -> Result<Option<Cursor>, String> {
        let mut headers = HeaderMap::new();
        if let Some(link) = link {
            headers.insert(http::header::LINK, HeaderValue::from_str(link).unwrap());
        }
        let url = Url::parse("https://api.example.com/v1/users?page=1").unwrap();
        next(paging, cursor, &Seen { json, headers: &headers, url: &url, count, total })
    }

    #[test]
    fn links_are_followed_within_the_origin() {
        let link = r#"<https://api.example.com/v1/users?page=9>; rel="last", </v1/users?page=2>; title="a, b"; rel="prefetch next""#;
        let to = |l| step(&Paging::Link, &Cursor::First, &Json::Null, Some(l), 1, 1);
        assert_eq!(to(link), Ok(Some(Cursor::Url("https://api.example.com/v1/users?page=2".into()))));
        assert_eq!(to(r#"<https://api.example.com/>; rel="prev""#), Ok(None));
        assert!(to(r#"<https://evil.example/?page=2>; rel="next""#).unwrap_err().contains("evil.example"));
        assert!(to(r#"<http://api.example.com/v1/users?page=2>; rel="next""#).is_err());
        assert!(to(r#"<?page=1>; rel="next""#).unwrap_err().contains("same page"));
        assert!(to(r#"<https://eve:x@api.example.com/v1/users?page=2>; rel="next""#).is_err());
    }

    #[test]
    fn a_title_hides_no_next_page() {
        let next = Ok(Some(Cursor::Url("https://api.example.com/v1/users?page=2".into())));
        for link in [
            r#"<?page=2>; title="a < b"; rel="next""#,
            r#"<?page=9>; title="x, <y>; rel=\"prev\""; rel=last, <?page=2>; rel=next"#,
            r#"<?page=2>; title="\\"; rel=next"#,
        ] {
            assert_eq!(step(&Paging::Link, &Cursor::First, &Json::Null, Some(link), 1, 1), next, "{link}");
        }
        let mut headers = HeaderMap::new();
        let latin = HeaderValue::from_bytes(b"<?page=2>; title=\"\xe9t\xe9\"; rel=next").unwrap();
        headers.insert(http::header::LINK, latin);
        let url = Url::parse("https://api.example.com/v1/users?page=1").unwrap();
        let seen = Seen { json: &Json::Null, headers: &headers, url: &url, count: 1, total: 1 };
        assert_eq!(super::next(&Paging::Link, &Cursor::First, &seen), next);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_no_end() {
        for link in
            ["<?page=2; rel=next", r#"<?page=2>; rel="next"#, "?page=2; rel=next", "<?page=2> rel=next"]
        {
            for paging in [Paging::Link, Paging::None] {
                assert!(step(&paging, &Cursor::First, &Json::Null, Some(link), 1, 1).is_err(), "{link}");
            }
        }
    }

    #[test]
    fn a_single_answer_with_a_next_page_is_not_whole() {
        let link = r#"<https://api.example.com/v1/users?page=2>; rel="next""#;
        assert!(step(&Paging::None, &Cursor::First, &Json::Null, Some(link), 1, 1).is_err());
        assert_eq!(step(&Paging::None, &Cursor::First, &Json::Null, None, 1, 1), Ok(None));
    }

    #[test]
    fn cursors_end_with_nothing_and_never_repeat() {
        let paging = Paging::Cursor { at: "meta.next".into(), param: "cursor".into() };
        let to = |json: Json, cursor: Cursor| step(&paging, &cursor, &json, None, 1, 1);
        assert_eq!(to(json!({"meta": {"next": "b"}}), Cursor::First), Ok(Some(Cursor::Token("b".into()))));
        for end in [json!({}), json!({"meta": {"next": null}}), json!({"meta": {"next": ""}})] {
            assert_eq!(to(end, Cursor::Token("b".into())), Ok(None));
        }
        assert!(to(json!({"meta": {"next": "b"}}), Cursor::Token("b".into())).is_err());
        assert!(to(json!({"meta": {"next": {}}}), Cursor::First).is_err());
    }

    #[test]
    fn totals_must_be_reached() {
        let paging = Paging::Offset {
            param: "startIndex".into(),
            start: 1,
            size_param: Some("count".into()),
            size: 100,
            total_at: Some("totalResults".into()),
            bare_first: true,
        };
        let to = |total: u64, count, so_far| {
            step(&paging, &Cursor::First, &json!({"totalResults": total}), None, count, so_far)
        };
        assert_eq!(to(2, 2, 2), Ok(None));
        assert_eq!(to(0, 0, 0), Ok(None));
        assert_eq!(to(150, 100, 100), Ok(Some(Cursor::Number(101))));
        assert!(to(150, 0, 100).unwrap_err().contains("150"));
        assert!(step(&paging, &Cursor::First, &json!({}), None, 2, 2).is_err());
    }

    #[test]
    fn numbered_pages_end_short_or_at_the_total() {
        let paging = |total_at: Option<&str>| Paging::Page {
            param: "page".into(),
            start: 1,
            size_param: None,
            size: 2,
            total_at: total_at.map(str::to_owned),
        };
        let one = Cursor::Number(1);
        assert_eq!(step(&paging(None), &one, &json!([]), None, 2, 2), Ok(Some(Cursor::Number(2))));
        assert_eq!(step(&paging(None), &one, &json!([]), None, 1, 1), Ok(None));
        let told = paging(Some("total"));
        assert_eq!(step(&told, &one, &json!({"total": 3}), None, 1, 1), Ok(Some(Cursor::Number(2))));
        assert_eq!(step(&told, &one, &json!({"total": 1}), None, 1, 1), Ok(None));
        assert!(step(&told, &one, &json!({"total": 3}), None, 0, 1).is_err());
        // The total may count pages: 2 pages of 2, and 3 pages.
        assert_eq!(step(&told, &one, &json!({"total": 2}), None, 2, 2), Ok(Some(Cursor::Number(2))));
        assert_eq!(step(&told, &Cursor::Number(2), &json!({"total": 2}), None, 2, 4), Ok(None));
        assert_eq!(
            step(&told, &Cursor::Number(2), &json!({"total": 3}), None, 2, 4),
            Ok(Some(Cursor::Number(3)))
        );
    }

    #[test]
    fn graphql_pages_must_say_whether_there_are_more() {
        let paging = Paging::Graphql { at: "data.o.pageInfo".into(), variable: "after".into() };
        let to = |info: Json| {
            step(&paging, &Cursor::First, &json!({"data": {"o": {"pageInfo": info}}}), None, 1, 1)
        };
        assert_eq!(to(json!({"hasNextPage": false, "endCursor": "x"})), Ok(None));
        assert_eq!(to(json!({"hasNextPage": true, "endCursor": "x"})), Ok(Some(Cursor::Token("x".into()))));
        assert!(to(json!({"hasNextPage": true, "endCursor": null})).is_err());
        assert!(to(json!({"hasNextPage": null})).is_err());
        assert!(to(Json::Null).is_err());
    }

    #[test]
    fn parameters_are_replaced_not_repeated() {
        let paging = Paging::Page {
            param: "page".into(),
            start: 1,
            size_param: Some("per".into()),
            size: 50,
            total_at: None,
        };
        let mut url = Url::parse("https://x.example/a?page=7&q=b%20c").unwrap();
        apply(&paging, &Cursor::Number(2), &mut url, &mut serde_json::Map::new()).unwrap();
        assert_eq!(url.as_str(), "https://x.example/a?q=b+c&page=2&per=50");
    }
}
