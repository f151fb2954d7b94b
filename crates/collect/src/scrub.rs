//! Keeps secrets out of everything that is told, stored or logged.

use std::collections::BTreeSet;
use std::sync::RwLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

/// What stands in place of a secret.
const MARK: &str = "[secret]";
/// A piece of a secret this long is treated as the secret: vendors echo tokens in part.
const WINDOW: usize = 12;
/// Secrets shorter than this cannot be told from ordinary text; no vendor issues such.
const SHORTEST: usize = 4;
/// Longest vendor message that is kept, in characters.
pub(crate) const MESSAGE: usize = 300;

/// Knows the secrets of one run: the credential's values and the tokens bought with them.
#[derive(Default)]
pub(crate) struct Scrubber {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// Whole secrets, and the forms in which they travel.
    whole: Vec<SecretString>,
    /// All pieces of [`WINDOW`] bytes of the long ones; never printed.
    pieces: BTreeSet<[u8; WINDOW]>,
}

impl Scrubber {
    /// Adds a secret, with its base64 and percent-encoded forms.
    pub(crate) fn learn(&self, secret: &str) {
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let encoded = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
        let forms = [secret.to_owned(), STANDARD.encode(secret), encoded.to_string()];
        // A key of several lines is echoed line by line, or with its line ends escaped.
        let lines = secret.lines().map(|line| line.trim().to_owned());
        for form in forms.into_iter().chain(lines) {
            if form.len() < SHORTEST || form.starts_with("-----") {
                continue;
            }
            for piece in form.as_bytes().windows(WINDOW) {
                if let Ok(piece) = piece.try_into() {
                    known.pieces.insert(piece);
                }
            }
            if !known.whole.iter().any(|w| w.expose_secret() == form) {
                known.whole.push(form.into());
            }
        }
    }

    /// Whether a text holds a whole secret. Cheap enough for every answer.
    pub(crate) fn holds_whole(&self, text: &str) -> bool {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.whole.iter().any(|secret| text.contains(secret.expose_secret()))
    }

    /// Whether a text holds a secret, whole or in part.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.whole.iter().any(|secret| text.contains(secret.expose_secret()))
            || (!known.pieces.is_empty()
                && text
                    .as_bytes()
                    .windows(WINDOW)
                    .any(|w| <[u8; WINDOW]>::try_from(w).is_ok_and(|w| known.pieces.contains(&w))))
    }

    /// The text without secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bytes = text.as_bytes();
        let mut hidden = vec![false; bytes.len()];
        for secret in &known.whole {
            let secret = secret.expose_secret();
            for (at, found) in text.match_indices(secret) {
                hidden[at..at + found.len()].fill(true);
            }
        }
        for (at, window) in bytes.windows(WINDOW).enumerate() {
            if <[u8; WINDOW]>::try_from(window).is_ok_and(|w| known.pieces.contains(&w)) {
                hidden[at..at + WINDOW].fill(true);
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut inside = false;
        for (at, c) in text.char_indices() {
            // A character is hidden when any of its bytes is.
            if hidden[at..at + c.len_utf8()].iter().any(|h| *h) {
                if !inside {
                    clean.push_str(MARK);
                }
                inside = true;
            } else {
                clean.push(c);
                inside = false;
            }
        }
        clean
    }

    /// Cleans every text of an answer in place, keys included: a server that echoes the credential in its data must not
    /// get it stored.
    pub(crate) fn clean_json(&self, json: &mut Json) {
        match json {
            Json::String(text) if self.holds(text) => *text = self.clean(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.clean_json(item)),
            Json::Object(map) => {
                if map.keys().any(|key| self.holds(key)) {
                    *map = std::mem::take(map).into_iter().map(|(k, v)| (self.clean(&k), v)).collect();
                }
                map.values_mut().for_each(|value| self.clean_json(value));
            }
            _ => {}
        }
    }

    /// A vendor's message as it may be kept: one line, without secrets and control characters, at most
    /// [`MESSAGE`] characters.
    pub(crate) fn message(&self, text: &str) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Cut generously first, so that a huge message costs little; then clean, then cut to length, so that no secret
        // is cut in two and missed.
        let head: String = line.chars().filter(|c| !c.is_control()).take(MESSAGE * 4).collect();
        let clean = self.clean(&head);
        if clean.chars().count() <= MESSAGE {
            return clean;
        }
        let mut short: String = clean.chars().take(MESSAGE - 1).collect();
        short.push('…');
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[&str]) -> Scrubber {
        let scrubber = Scrubber::default();
        secrets.iter().for_each(|s| scrubber.learn(s));
        scrubber
    }

    #[test]
    fn secrets_vanish_in_every_form() {
        let s = scrubber(&["ghp_0123456789abcdefghij", "pä ss/word"]);
        assert_eq!(s.clean("bad token ghp_0123456789abcdefghij!"), "bad token [secret]!");
        assert_eq!(s.clean("ends in 89abcdefghij."), "ends in [secret].");
        assert_eq!(s.clean(&STANDARD.encode("pä ss/word")), "[secret]");
        assert_eq!(s.clean("p%C3%A4%20ss%2Fword"), "[secret]");
        assert_eq!(s.clean("user pä ss/word"), "user [secret]");
        assert_eq!(s.clean("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_key_is_found_line_by_line() {
        let s = scrubber(&["-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nzzzzYYYYxxxxWWWW\n-----END KEY-----\n"]);
        assert_eq!(s.clean(r"got MIIEowIBAAKCAQEA\nzzzzYYYYxxxxWWWW"), r"got [secret]\n[secret]");
        assert_eq!(s.clean("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
    }

    #[test]
    fn messages_are_short_single_lines() {
        let s = scrubber(&["ghp_0123456789abcdefghij"]);
        assert_eq!(s.message("a\r\n b\tc\u{7}"), "a b c");
        let long = s.message(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MESSAGE);
        // The secret lies across the cut.
        let cut = format!("{}ghp_0123456789abcdefghij", "y".repeat(MESSAGE - 10));
        assert!(!s.message(&cut).contains("ghp_"));
    }

    #[test]
    fn answers_are_cleaned_in_place() {
        let s = scrubber(&["ghp_0123456789abcdefghij"]);
        let mut json = serde_json::json!({"a": ["ghp_0123456789abcdefghij"], "ghp_0123456789abcdefghij": 1});
        s.clean_json(&mut json);
        assert_eq!(json, serde_json::json!({"a": ["[secret]"], "[secret]": 1}));
    }

    proptest::proptest! {
        /// Wherever a secret stands, whole or cut, no twelve characters of it are left.
        #[test]
        fn no_piece_of_a_secret_is_left(
            secret in "[A-Za-z0-9+/_.-]{16,40}",
            before in "\\PC{0,40}",
            after in "\\PC{0,40}",
            cut in 0..4usize,
        ) {
            let s = scrubber(&[&secret]);
            let clean = s.message(&format!("{before}{}{after}", &secret[cut..]));
            let left = secret.as_bytes().windows(WINDOW).any(|w| clean.as_bytes().windows(WINDOW).any(|c| c == w));
            proptest::prop_assert!(!left, "{clean}");
            proptest::prop_assert!(clean.chars().count() <= MESSAGE);
        }
    }
}
