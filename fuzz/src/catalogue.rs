//! Files of the catalogue, which may come from people who mean no good.

use std::path::Path;

use catalog::Loaded;
use catalog::fuzzing::load_texts;

/// An application that loads, for the checks.
pub(crate) const APP: &str = include_str!("app.toml");
const ONBOARDING: &str = "Ask somebody who knows the system for a token.\n";

/// The input is the manifest of an application.
pub(crate) fn manifest(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let files = [("apps/test/app.toml", text), ("apps/test/onboarding.md", ONBOARDING)];
    let loaded = load_texts(files);
    judge(&loaded, &files);
    let there = loaded.catalog.apps.contains_key(&"test".into());
    assert!(there || !loaded.errors.is_empty(), "not loaded, and nothing says why");
    if let Some(app) = loaded.catalog.apps.get(&"test".into()) {
        let text = format!("{app:?}");
        assert!(!text.is_empty());
    }
}

/// The input is a check of an application that loads.
pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let files = [
        ("apps/test/app.toml", APP),
        ("apps/test/onboarding.md", ONBOARDING),
        ("apps/test/checks/it.md", text),
    ];
    let loaded = load_texts(files);
    judge(&loaded, &files);
    let app = &loaded.catalog.apps[&"test".into()];
    assert!(!app.checks.is_empty() || !loaded.errors.is_empty(), "not loaded, and nothing says why");
    for check in &app.checks {
        // What pages show of it: no raw HTML, no link but to https.
        for html in [check.remedy.steps_html(), check.remedy.why_html()] {
            let lower = html.to_lowercase();
            assert!(!lower.contains("<script") && !lower.contains("javascript:"), "{html}");
        }
    }
}

/// Every error says what is wrong, in which file, at a place that is in it.
fn judge(loaded: &Loaded, files: &[(&str, &str)]) {
    for error in &loaded.errors {
        let shown = error.to_string();
        assert!(!error.message.trim().is_empty(), "an error without words: {shown}");
        let file = files.iter().find(|(path, _)| Path::new(path) == error.file);
        let Some((_, text)) = file else {
            // A file that should be there and is not is named as well.
            assert!(error.file.starts_with("apps/test"), "an error about another file: {shown}");
            continue;
        };
        let line = text.split('\n').nth(error.line.wrapping_sub(1));
        let Some(line) = line else { panic!("line {} is not in the file: {shown}", error.line) };
        let last = line.chars().count() + 1;
        assert!((1..=last).contains(&error.column), "column {} of {last}: {shown}", error.column);
    }
}
