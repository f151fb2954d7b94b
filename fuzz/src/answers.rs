//! What an answer is taken for.

use std::sync::LazyLock;

use catalog::manifest::{AnswerRule, Meaning};
use collect::fuzzing::judged;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value as Json;
use url::Url;

const SECRET: &str = "ghp_0123456789abcdefghij";

#[derive(serde::Deserialize)]
struct File {
    answer: Vec<AnswerRule>,
}

/// Rules of several sorts; the first set is empty.
static RULES: LazyLock<Vec<Vec<AnswerRule>>> = LazyLock::new(|| {
    let sets = [
        r#"[{ status = [403], at = "message", contains = "Upgrade to", means = "not_applicable" }, { status = [404, 410], means = "absent" }]"#,
        r#"[{ header = "x-state", header_is = "gone", means = "absent" }, { status = [200], at = "ok", is = "false", means = "permission" }]"#,
        r#"[{ at = "errors.*.type", is = "RATE_LIMITED", means = "throttled" }, { at = "errors.*.type", is = "NOT_FOUND", means = "absent" }]"#,
        r#"[{ status = [204], means = "value" }, { status = [503], means = "protocol", reason = "Being moved." }]"#,
    ];
    let read =
        |text: &str| toml::from_str::<File>(&format!("answer = {text}")).expect("rules that are read").answer;
    std::iter::once(Vec::new()).chain(sets.into_iter().map(read)).collect()
});

/// The input: a line with the number of a set of rules, `g` for GraphQL, and the status; lines with headers; an empty line; a body.
pub(crate) fn judge(input: &[u8]) {
    let cut = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let Ok(head) = std::str::from_utf8(&input[..cut]) else { return };
    let body = input.get(cut + 2..).unwrap_or_default().to_vec();
    let mut lines = head.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u16>().ok());
    let (Some(set), Some(status)) = (number(0), number(words.len().saturating_sub(1))) else { return };
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let graphql = words.contains(&"g").then_some("data.nodes");
    let rules = &RULES[usize::from(set) % RULES.len()];
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let (Ok(name), Ok(value)) =
            (name.trim().parse::<HeaderName>(), HeaderValue::from_str(value.trim()))
        {
            headers.append(name, value);
        }
    }
    let url = Url::parse("https://api.example.com/v1/users?page=1").expect("an address");
    let judged = judged(rules, graphql, &url, (status, headers, body.clone()), SECRET);
    let by_rule = |meaning: Meaning| rules.iter().any(|rule| rule.means == meaning);
    match judged.meaning {
        "value" => {
            assert!(status.is_success() || by_rule(Meaning::Value), "{status} is no value");
            let json = judged.json.expect("a value");
            if !json.to_string().contains("[secret]") && graphql.is_none() {
                let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
                let read = serde_json::from_slice::<Json>(body).ok();
                let none = json.is_null() || json == Json::Object(serde_json::Map::new());
                assert!(
                    read.as_ref() == Some(&json) || read.is_none() && none,
                    "another value than was sent: {json}"
                );
            }
            assert!(!json.to_string().contains(SECRET), "the credential came back and was kept");
        }
        "absent" => assert!(by_rule(Meaning::Absent), "absent by no rule: {status}"),
        "not_applicable" => assert!(by_rule(Meaning::NotApplicable), "not applicable by no rule: {status}"),
        "not_modified" => panic!("not modified, and the request was not conditional"),
        "redirect" => {
            let to = judged.to.expect("an address");
            assert_eq!(to.origin(), url.origin(), "a redirect to another origin");
            assert!(
                to.username().is_empty() && to.password().is_none(),
                "a redirect with a credential: {to}"
            );
        }
        "protocol" | "page" => assert!(!judged.says.is_empty(), "nothing is said: {status}"),
        _ => {}
    }
    for said in judged.vendor_message.iter().chain(Some(&judged.says)) {
        assert!(!said.chars().any(char::is_control), "control characters are said: {said:?}");
        assert!(!said.contains(SECRET), "the credential is said: {said}");
    }
}
