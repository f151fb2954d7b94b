//! Statuses as pages show them: marks, words and sentences from facts.

use model::health::{self, ScanFacts};
use model::time::Timestamp;
use model::view::{Mark, ScanMark, Status, WarningLine};
use model::words::{self, About, Sentence};

use crate::fleet::Member;

impl Member {
    pub(crate) fn about(&self, now: Timestamp) -> About<'_> {
        About { app: self.app_name(), instance: &self.row.instance.facts, scans: &self.facts, now }
    }

    /// The status of the application: the tile's upper left corner.
    pub(crate) fn status(&self, now: Timestamp) -> Status {
        let about = self.about(now);
        let shown = health::app_mark(&self.row.instance.facts, &self.facts, now);
        let word = match shown {
            health::Mark::Paused => Mark::Paused.word().to_owned(),
            _ => health::app_status(&self.row.instance.facts, &self.facts, now).title().to_owned(),
        };
        let since = match shown {
            health::Mark::Paused => self.row.instance.facts.paused.as_ref().map(|p| p.since),
            _ => {
                self.facts.iter().filter(|s| s.enablement.is_enabled()).filter_map(|s| s.failing_since).min()
            }
        };
        Status {
            mark: shown.into(),
            word,
            note: about.tile_note().unwrap_or_default(),
            sentence: about.application(),
            since,
        }
    }

    /// The status of one scan: its row on the settings page.
    pub(crate) fn scan_status(&self, scan: &ScanFacts, now: Timestamp) -> Status {
        let words = self.about(now).scan(scan);
        let shown: Mark = words.mark.into();
        Status {
            mark: shown,
            word: shown.word().to_owned(),
            note: Sentence::default(),
            sentence: words.says,
            since: scan.failing_since,
        }
    }

    pub(crate) fn scan_marks(&self, now: Timestamp) -> Vec<ScanMark> {
        self.facts.iter().map(|s| ScanMark { kind: s.kind, status: self.scan_status(s, now) }).collect()
    }

    pub(crate) fn warning_lines(&self, now: Timestamp) -> Vec<WarningLine> {
        let line = |w: &model::diagnosis::Warning| WarningLine {
            kind: w.kind().to_owned(),
            text: words::warning_says_at(w, now),
            remedy: words::warning_remedy(w, self.app_name()).says,
            at: w.at(),
        };
        self.warnings(now).iter().map(line).collect()
    }

    /// Whether a new credential is the remedy for what is wrong now.
    pub(crate) fn wants_credential(&self) -> bool {
        self.row.instance.facts.suspension.is_some()
            || self.facts.iter().filter(|s| s.enablement.is_enabled()).any(needs_credential)
    }
}

pub(crate) fn needs_credential(scan: &ScanFacts) -> bool {
    scan.last
        .as_ref()
        .and_then(|l| l.outcome.cause())
        .is_some_and(model::scan::FailureCause::is_remedied_by_reauthenticating)
}
