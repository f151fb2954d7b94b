//! Reading an input: text where a person should be able to write one, bytes where choices are drawn.

/// Choices drawn from bytes; the simplest, zero, when they run out.
pub(crate) struct Dice<'b>(&'b [u8]);

impl<'b> Dice<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of `n`.
    pub(crate) fn pick(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub(crate) fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.pick(choices.len())]
    }

    /// A text of these characters, at most so many.
    pub(crate) fn text(&mut self, from: &[char], most: usize) -> String {
        let length = self.pick(most + 1);
        (0..length).map(|_| from[self.pick(from.len())]).collect()
    }
}

/// The input as text, and its first line apart.
pub(crate) fn lines(input: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(input).ok()?;
    Some(text.split_once('\n').unwrap_or((text, "")))
}
