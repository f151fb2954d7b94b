//! `pages.toml`: what no machine-readable description holds, with the page it was read on and the date.

use super::facts::{Facts, object, operation};
use crate::Result;
use serde_json::Value as Json;

/// One page that somebody read.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Its address.
    pub(crate) url: String,
    /// The day it was read, `2026-11-23`.
    pub(crate) read_at: String,
    /// What it shows: ids of requests and reads; `dataset.*` is every one that begins so.
    pub(crate) shows: Vec<String>,
}

/// What was read, and what is known from notes alone.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Pages.
    pub(crate) pages: Vec<Page>,
    /// What only notes say, although the vendor has a description: ids as in [`Page::shows`].
    pub(crate) notes: Vec<String>,
    /// Requests and types that pages describe.
    pub(crate) facts: Facts,
}

impl Page {
    /// How it is told: address and date.
    pub(crate) fn told(&self) -> String {
        format!("{} (read {})", self.url, self.read_at)
    }
}

/// Whether an id is meant by `dataset.*` or by itself.
pub(crate) fn means(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |begin| id.starts_with(begin))
}

/// Reads the file's text.
pub(crate) fn read(text: &str) -> Result<Pages> {
    let json: Json = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut out = Pages::default();
    for key in json.as_object().into_iter().flatten().map(|(key, _)| key) {
        if !["page", "notes"].contains(&key.as_str()) {
            return Err(format!("`{key}` is not known; there are [[page]] and [notes]"));
        }
    }
    for (at, page) in json["page"].as_array().into_iter().flatten().enumerate() {
        let place = format!("page {}", at + 1);
        let word =
            |key: &str| page[key].as_str().map(str::to_owned).ok_or_else(|| format!("{place}: no `{key}`"));
        let (url, read_at) = (word("url")?, word("read_at")?);
        if !url.starts_with("https://") {
            return Err(format!("{place}: `url` is not an https address"));
        }
        if !is_date(&read_at) {
            return Err(format!("{place}: `read_at` is not a date like 2026-11-23"));
        }
        let known = ["url", "read_at", "shows", "requests", "types"];
        if let Some(key) = page
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
            .find(|key| !known.contains(&key.as_str()))
        {
            return Err(format!("{place}: `{key}` is not known; there are {}", known.join(", ")));
        }
        let page_of = Page { url, read_at, shows: texts(&page["shows"]) };
        let told = page_of.told();
        for (key, request) in page["requests"].as_object().into_iter().flatten() {
            let request = operation(request, Some(&told)).map_err(|e| format!("{place}, {key}: {e}"))?;
            out.facts.requests.insert(key.clone(), request);
        }
        for (name, fields) in page["types"].as_object().into_iter().flatten() {
            let found = object(fields, Some(&told)).map_err(|e| format!("{place}, {name}: {e}"))?;
            out.facts.types.insert(name.clone(), found);
        }
        out.pages.push(page_of);
    }
    out.notes = texts(&json["notes"]["only"]);
    Ok(out)
}

fn texts(json: &Json) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits =
        |part: &str, long: usize| part.len() == long && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2)
        && ("01"..="12").contains(&month) && ("01"..="31").contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_an_address_a_date_and_what_it_shows() {
        let text = "[[page]]\nurl = \"https://a.example/x\"\nread_at = \"2026-11-23\"\nshows = [\"users.mail\", \"groups.*\"]\n\
                    requests.\"GET /x\" = { answer = \"#x\", parameters = { size = \"integer\" } }\n\
                    types.x = { id = \"string\" }\n[notes]\nonly = [\"y.*\"]\n";
        let pages = read(text).unwrap();
        assert_eq!(pages.pages[0].told(), "https://a.example/x (read 2026-11-23)");
        assert_eq!(
            pages.facts.requests["GET /x"].page.as_deref(),
            Some("https://a.example/x (read 2026-11-23)")
        );
        assert!(
            means("groups.*", "groups.id")
                && means("users.mail", "users.mail")
                && !means("users.mail", "users.mails")
        );
        for (from, to, expected) in [
            ("2026-11-23", "lately", "page 1: `read_at` is not a date like 2026-11-23"),
            ("2026-11-23", "2026-13-23", "page 1: `read_at` is not a date like 2026-11-23"),
            ("https:", "http:", "page 1: `url` is not an https address"),
            ("shows", "show", "page 1: `show` is not known; there are url, read_at, shows, requests, types"),
            ("[notes]", "[note]", "`note` is not known; there are [[page]] and [notes]"),
            ("\"#x\"", "\"x\"", "page 1, GET /x: no type is called 'x'"),
        ] {
            assert_eq!(read(&text.replacen(from, to, 1)).unwrap_err(), expected);
        }
    }
}
