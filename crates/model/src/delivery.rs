//! How a transport of messages fares: the same words as for scans, by the same rule.

use crate::health::DOWN_AFTER;
use crate::time::Timestamp;
use crate::view::Mark;
use crate::words::{Sentence, count, times};

/// What is stored about a transport: the mail server, or one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransportFacts {
    /// Attempts that did not succeed since the last one that did.
    pub failures_in_a_row: u32,
    /// When the first of these was.
    pub failing_since: Option<Timestamp>,
    /// When something was last delivered.
    pub last_success_at: Option<Timestamp>,
    /// What the latest failed attempt met.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<Timestamp>,
}

impl TransportFacts {
    /// The mark. One that has never been used is not Up: nothing is known about it.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        match (self.failures_in_a_row, self.last_success_at) {
            (0, Some(_)) => Mark::Up,
            (0, None) => Mark::NotEnabled,
            (n, _) if n >= DOWN_AFTER => Mark::Down,
            _ => Mark::Unhealthy,
        }
    }

    /// The word: the mark's, but for one that was never used.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.mark() {
            Mark::NotEnabled => "Not tried yet",
            mark => mark.word(),
        }
    }

    /// What happened, since when, what follows. `waiting`: messages that wait, and when the next attempt is.
    #[must_use]
    pub fn says(&self, waiting: u64, next_at: Option<Timestamp>) -> Sentence {
        let mut says = match (self.failures_in_a_row, self.failing_since, self.last_success_at) {
            (0, _, None) => Sentence::new("Nothing has been sent this way yet. Send a test."),
            (0, _, Some(at)) => Sentence::new("Working: the last delivery succeeded ").at(at).text("."),
            (n, since, last) => {
                let says = Sentence::new(format!("Failed {}", times(n.into())));
                let says = if n == 1 { says } else { says.text(" in a row") };
                let says = since.map_or(says.clone(), |at| says.text(", since ").exact(at)).text(".");
                let says = match &self.last_error {
                    Some(error) => says.text(format!(" {}.", error.trim_end_matches('.'))),
                    None => says,
                };
                match last {
                    Some(at) => says.text(" The last delivery that succeeded was ").at(at).text("."),
                    None => says.text(" Nothing was ever delivered this way."),
                }
            }
        };
        if waiting > 0 {
            let what = if waiting == 1 { "message waits" } else { "messages wait" };
            says = says.text(format!(" {} {what}; nothing is lost", count(waiting)));
            says = match next_at {
                Some(at) => says.text(", and the next attempt is ").at(at).text("."),
                None => says.text("."),
            };
        }
        says
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_follow_the_rule_of_scans() {
        let facts = |n| TransportFacts {
            failures_in_a_row: n,
            failing_since: Some(Timestamp(0)),
            last_success_at: Some(Timestamp(0)),
            last_error: Some("mail.example.com refused the sign-in (535 no)".to_owned()),
            last_error_at: Some(Timestamp(0)),
        };
        let marks: Vec<Mark> = (0..5).map(|n| facts(n).mark()).collect();
        assert_eq!(marks, [Mark::Up, Mark::Unhealthy, Mark::Unhealthy, Mark::Down, Mark::Down]);
        assert_eq!(TransportFacts::default().word(), "Not tried yet", "never tried is not Up");
        assert_eq!(
            facts(3).says(2, Some(Timestamp(60_000))).plain(Timestamp(0)),
            "Failed 3 times in a row, since 1970-01-01 00:00 UTC (just now). mail.example.com refused the sign-in (535 \
             no). The last delivery that succeeded was 1970-01-01 00:00 UTC (just now). 2 messages wait; nothing is \
             lost, and the next attempt is 1970-01-01 00:01 UTC (in 1 min)."
        );
    }
}
