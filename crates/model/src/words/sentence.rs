//! Text with instants inside.

use std::fmt;

use crate::time::Timestamp;
use crate::words::times::plain_instant;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words, to be escaped like any text: they may quote a vendor.
    Text(String),
    /// An instant that reads well as a distance: a page draws `2 h ago`, with the exact instant on hover.
    At(Timestamp),
    /// An instant after "since", "until" or "by": a page draws the exact one, with the distance on hover.
    Exact(Timestamp),
}

/// One or more sentences.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(pub Vec<Part>);

impl Sentence {
    /// Begins with words.
    pub fn new(text: impl Into<String>) -> Self {
        Self::default().text(text)
    }

    /// Goes on with words.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut() {
            Some(Part::Text(last)) => last.push_str(&text),
            _ => self.0.push(Part::Text(text)),
        }
        self
    }

    /// Goes on with an instant: the sentence must read well with "2 h ago", "in 5 min" and
    /// "2026-01-31 14:05 UTC (2 h ago)" alike.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.0.push(Part::At(at));
        self
    }

    /// Goes on with an instant that must be exact: after "since", "until", "by".
    #[must_use]
    pub fn exact(mut self, at: Timestamp) -> Self {
        self.0.push(Part::Exact(at));
        self
    }

    /// Goes on with another sentence, after a space.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let spaced = !self.0.is_empty() && !next.0.is_empty();
        if spaced { self.text(" ").then_inline(next) } else { self.then_inline(next) }
    }

    /// Goes on within the same sentence.
    #[must_use]
    pub fn then_inline(mut self, next: Self) -> Self {
        for part in next.0 {
            self = match part {
                Part::Text(text) => self.text(text),
                Part::At(at) => self.at(at),
                Part::Exact(at) => self.exact(at),
            };
        }
        self
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As text: each instant exact in UTC, with its distance from `now` in brackets.
    #[must_use]
    pub fn plain(&self, now: Timestamp) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::At(at) | Part::Exact(at) => plain_instant(*at, now),
        });
        parts.collect()
    }
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Sentence {
    /// Each instant exact in UTC: text that stays true whenever it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::At(at) | Part::Exact(at) => write!(f, "{}", at.to_jiff().strftime("%Y-%m-%d %H:%M UTC")),
        })
    }
}

impl serde::Serialize for Sentence {
    /// As text, see [`fmt::Display`].
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
