//! Status marks, counts and warnings: the small parts that recur on every page.

use serde::Serialize;

use crate::finding::Severity;
use crate::id::{AppId, InstanceId, OwnerId};
use crate::scan::ScanKind;
use crate::time::Timestamp;
use crate::words::Sentence;

/// The shapes of status. Each is drawn as shape, word and colour together, the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// ■ red. Ordered worst first.
    Down,
    /// ▲ amber.
    Unhealthy,
    /// ◌ blue: running, or waiting for the first result.
    Scanning,
    /// ● green.
    Up,
    /// ‖ grey.
    Paused,
    /// ○ grey.
    NotEnabled,
}

impl Mark {
    /// Every mark, worst first.
    pub const ALL: [Self; 6] =
        [Self::Down, Self::Unhealthy, Self::Scanning, Self::Up, Self::Paused, Self::NotEnabled];

    /// The stable word in addresses, JSON and style sheets.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Unhealthy => "unhealthy",
            Self::Scanning => "scanning",
            Self::Up => "up",
            Self::Paused => "paused",
            Self::NotEnabled => "not_enabled",
        }
    }

    /// The word people read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "Down",
            Self::Unhealthy => "Unhealthy",
            Self::Scanning => "Scanning",
            Self::Up => "Up",
            Self::Paused => "Paused",
            Self::NotEnabled => "Not enabled",
        }
    }

    /// The shape in plain text: terminal, mail.
    #[must_use]
    pub const fn glyph(self) -> char {
        match self {
            Self::Down => '■',
            Self::Unhealthy => '▲',
            Self::Scanning => '◌',
            Self::Up => '●',
            Self::Paused => '‖',
            Self::NotEnabled => '○',
        }
    }

    /// Reads [`Mark::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == text)
    }
}

impl From<crate::health::Mark> for Mark {
    fn from(mark: crate::health::Mark) -> Self {
        match mark {
            crate::health::Mark::Up => Self::Up,
            crate::health::Mark::Unhealthy => Self::Unhealthy,
            crate::health::Mark::Down => Self::Down,
            crate::health::Mark::Scanning => Self::Scanning,
            crate::health::Mark::NotEnabled => Self::NotEnabled,
            crate::health::Mark::Paused => Self::Paused,
        }
    }
}

/// A status as it is shown: of an application or of one scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Shape and colour. Usually the word's own; "Up" before the first result has the blue mark.
    pub mark: Mark,
    /// The word: `Up`, `Unhealthy`, `Down`, `Scanning`, `Not enabled`, `Paused`.
    pub word: String,
    /// Short text beside the word: `scanning; last finished run failed`, `first scan running, no result yet`. May be empty.
    pub note: Sentence,
    /// The whole sentence that explains it.
    pub sentence: Sentence,
    /// Since when it is so, where that is known.
    pub since: Option<Timestamp>,
}

/// One scan of an application as a small mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanMark {
    /// Which scan.
    pub kind: ScanKind,
    /// Its status.
    pub status: Status,
}

/// Open findings by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SeverityCounts {
    /// Open to attack now.
    pub critical: u64,
    /// Opens a way in.
    pub high: u64,
    /// Weakens a defence.
    pub medium: u64,
    /// Hardening.
    pub low: u64,
    /// Worth knowing.
    pub informational: u64,
}

impl SeverityCounts {
    /// The count of one severity.
    #[must_use]
    pub const fn of(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Informational => self.informational,
        }
    }

    /// Adds findings of one severity.
    pub const fn add(&mut self, severity: Severity, count: u64) {
        match severity {
            Severity::Critical => self.critical += count,
            Severity::High => self.high += count,
            Severity::Medium => self.medium += count,
            Severity::Low => self.low += count,
            Severity::Informational => self.informational += count,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.critical + self.high + self.medium + self.low + self.informational
    }
}

/// An application (instance) named in a list or heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceRef {
    /// Its id.
    pub id: InstanceId,
    /// The name the admin gave it.
    pub name: String,
    /// The product's id.
    pub app: AppId,
    /// The product: `GitHub`.
    pub app_name: String,
    /// Who makes it.
    pub vendor: String,
    /// The tenant as people call it: `acme`.
    pub tenant: String,
}

/// The person who answers for an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerRef {
    /// Their id.
    pub id: OwnerId,
    /// Their name.
    pub name: String,
    /// False: no longer active, so mail about the application goes to the admins.
    pub active: bool,
}

/// Something that is not broken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WarningLine {
    /// [`Warning::kind`](crate::diagnosis::Warning::kind): the value of the `warning` filter.
    pub kind: String,
    /// The sentence: what will happen.
    pub text: Sentence,
    /// What to do about it.
    pub remedy: Sentence,
    /// When it will happen, where known.
    pub at: Option<Timestamp>,
}

/// What every page shows around its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shell {
    /// The worst settled status of all instances that are not paused; `None` when there is no instance. The favicon's badge.
    pub worst: Option<Mark>,
    /// How many applications are not Up (settled).
    pub not_up: u64,
    /// The data is simulated (`parapet demo`): every page says so.
    pub simulated: bool,
}
