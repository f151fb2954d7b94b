//! What an answer means: the manifest's rules first, then HTTP's own meanings.

use catalog::manifest::{AnswerRule, Meaning};
use http::{HeaderMap, StatusCode};
use serde_json::Value as Json;

use crate::path::Path;

/// The first rule that matches.
pub(crate) fn rule<'r>(
    rules: impl Iterator<Item = &'r AnswerRule>,
    status: StatusCode,
    headers: &HeaderMap,
    json: Option<&Json>,
) -> Option<&'r AnswerRule> {
    rules.into_iter().find(|rule| matches(rule, status, headers, json))
}

fn matches(rule: &AnswerRule, status: StatusCode, headers: &HeaderMap, json: Option<&Json>) -> bool {
    if !rule.status.is_empty() && !rule.status.contains(&status.as_u16()) {
        return false;
    }
    if let Some(name) = &rule.header {
        let mut values = headers.get_all(name.as_str()).iter().filter_map(|v| v.to_str().ok()).peekable();
        let holds = match &rule.header_is {
            Some(wanted) => values.any(|v| v == wanted),
            None => values.peek().is_some(),
        };
        if !holds {
            return false;
        }
    }
    let Some(at) = &rule.at else { return true };
    json.is_some_and(|json| {
        Path::new(at).any(json, &|value| {
            rule.is.as_ref().is_none_or(|wanted| scalar(value).as_deref() == Some(wanted))
                && rule.contains.as_ref().is_none_or(|part| {
                    scalar(value).is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
                })
        })
    })
}

/// A scalar as a manifest writes it: text as it is, the others as JSON does.
pub(crate) fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) | Json::Null => Some(json.to_string()),
        _ => None,
    }
}

/// What an answer means where no rule says it. `limited`: its headers say that a rate limit is used up.
pub(crate) fn usual(status: StatusCode, limited: bool) -> Meaning {
    match status.as_u16() {
        200..=299 => Meaning::Value,
        401 => Meaning::Credentials,
        429 => Meaning::Throttled,
        // A rate limit in disguise.
        403 if limited => Meaning::Throttled,
        503 if limited => Meaning::Throttled,
        403 => Meaning::Permission,
        408 | 425 | 500..=599 => Meaning::Retry,
        _ => Meaning::Protocol,
    }
}

/// The vendor's own words in an error answer, wherever vendors put them.
pub(crate) fn vendor_words(json: Option<&Json>) -> Option<String> {
    const PLACES: [&str; 12] = [
        "message",
        "error.message",
        "error_description",
        "errors.0.message",
        "errorSummary",
        "detail",
        "error",
        "errors.0.detail",
        "errors.0",
        "error_summary",
        "title",
        "reason",
    ];
    let json = json?;
    PLACES.iter().find_map(|place| match Path::new(place).get(json) {
        crate::path::Found::Value(Json::String(text)) if !text.trim().is_empty() => Some(text.clone()),
        _ => None,
    })
}

/// Whether a body is a page for people.
pub(crate) fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let typed = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let head: String =
        String::from_utf8_lossy(&body[..body.len().min(256)]).trim_start().to_ascii_lowercase();
    let looks = head.starts_with("<!doctype html") || head.starts_with("<html") || head.contains("<head");
    typed && !head.starts_with(['{', '[']) || looks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(toml: &str) -> Vec<AnswerRule> {
        #[derive(serde::Deserialize)]
        struct File {
            answer: Vec<AnswerRule>,
        }
        toml::from_str::<File>(toml).unwrap().answer
    }

    fn means(
        toml: &str,
        status: u16,
        headers: &[(&'static str, &str)],
        json: Option<Json>,
    ) -> Option<Meaning> {
        let headers = headers
            .iter()
            .map(|(k, v)| (http::HeaderName::from_static(k), http::HeaderValue::from_str(v).unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        rule(rules(toml).iter(), status, &headers, json.as_ref()).map(|r| r.means)
    }

    const RULES: &str = r#"
        [[answer]]
        status = [403]
        at = "message"
        contains = "Upgrade to"
        means = "not_applicable"
        [[answer]]
        header = "x-state"
        header_is = "gone"
        means = "absent"
        [[answer]]
        status = [200]
        at = "ok"
        is = "false"
        means = "permission"
        [[answer]]
        at = "errors.*.type"
        is = "RATE_LIMITED"
        means = "throttled"
        [[answer]]
        status = [404, 410]
        means = "absent"
    "#;

    #[test]
    fn the_first_rule_whose_conditions_all_hold_decides() {
        let body = |j| Some(j);
        assert_eq!(
            means(RULES, 403, &[], body(json!({"message": "upgrade TO Enterprise"}))),
            Some(Meaning::NotApplicable)
        );
        assert_eq!(means(RULES, 403, &[], body(json!({"message": "no"}))), None);
        assert_eq!(means(RULES, 403, &[], None), None);
        assert_eq!(means(RULES, 500, &[("x-state", "gone")], None), Some(Meaning::Absent));
        assert_eq!(means(RULES, 500, &[("x-state", "here")], None), None);
        assert_eq!(means(RULES, 200, &[], body(json!({"ok": false}))), Some(Meaning::Permission));
        assert_eq!(means(RULES, 200, &[], body(json!({"ok": true}))), None);
        assert_eq!(
            means(RULES, 200, &[], body(json!({"errors": [{"type": "X"}, {"type": "RATE_LIMITED"}]}))),
            Some(Meaning::Throttled)
        );
        assert_eq!(means(RULES, 410, &[], None), Some(Meaning::Absent));
    }

    #[test]
    fn unmapped_answers_are_never_good_news() {
        assert_eq!(usual(StatusCode::NOT_FOUND, false), Meaning::Protocol);
        assert_eq!(usual(StatusCode::FOUND, false), Meaning::Protocol);
        assert_eq!(usual(StatusCode::FORBIDDEN, false), Meaning::Permission);
        assert_eq!(usual(StatusCode::FORBIDDEN, true), Meaning::Throttled);
        assert_eq!(usual(StatusCode::BAD_GATEWAY, false), Meaning::Retry);
        for status in (100..=999).filter(|s| !(200..300).contains(s)) {
            assert_ne!(usual(StatusCode::from_u16(status).unwrap(), false), Meaning::Value, "{status}");
        }
    }

    #[test]
    fn pages_for_people_are_recognised() {
        let headers = |t: &'static str| {
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, http::HeaderValue::from_static(t))])
        };
        assert!(is_html(&headers("text/html; charset=utf-8"), b"  <p>Sign in</p>"));
        assert!(is_html(&headers("application/json"), b"\n<!DOCTYPE html><html>"));
        assert!(!is_html(&headers("text/html"), b"{\"a\":1}"));
        assert!(!is_html(&headers("application/json"), b"[]"));
    }
}
