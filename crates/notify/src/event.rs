//! What is told at once: events, whom they concern, and their wording for mail, webhook and syslog. Pure.

mod body;
mod word;

pub use body::{json, mail, slack};
pub use word::{Told, digest_failed, findings, status, test, warning};

use model::finding::Severity;
use model::id::{InstanceId, OwnerId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The sorts of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A settled status changed, to another than Up.
    StatusChanged,
    /// An application is Up again.
    Recovered,
    /// Something will break: a credential expires, a permission is gone, an interface goes away.
    WarningAhead,
    /// Findings appeared.
    NewFindings,
    /// A digest could not be delivered for good.
    DigestFailed,
    /// An operator asked for it.
    Test,
}

impl Kind {
    /// Those that can be subscribed to.
    pub const ALL: [Self; 5] =
        [Self::StatusChanged, Self::Recovered, Self::WarningAhead, Self::NewFindings, Self::DigestFailed];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StatusChanged => "status_changed",
            Self::Recovered => "recovered",
            Self::WarningAhead => "warning_ahead",
            Self::NewFindings => "new_findings",
            Self::DigestFailed => "digest_failed",
            Self::Test => "test",
        }
    }

    /// What people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::StatusChanged => "Status changed",
            Self::Recovered => "Recovered",
            Self::WarningAhead => "Warning ahead",
            Self::NewFindings => "New findings",
            Self::DigestFailed => "Digest not delivered",
            Self::Test => "Test",
        }
    }

    /// Reads [`Kind::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Test]).find(|k| k.as_str() == text)
    }
}

/// Something to be told. Its JSON form is what webhooks receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same at every attempt.
    pub id: String,
    /// What sort.
    pub kind: Kind,
    /// When it was decided to tell it.
    pub at: Timestamp,
    /// The news in one line.
    pub title: String,
    /// How bad: `error` for Down, `warning` for what needs attention, `notice` for good news.
    pub level: Level,
    /// The applications it is about.
    pub applications: Vec<Subject>,
    /// Everything in it is simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good or neutral.
    Notice,
    /// Needs attention.
    Warning,
    /// Broken.
    Error,
}

/// One application an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id.
    pub id: InstanceId,
    /// The name the admin gave it.
    pub name: String,
    /// The product.
    pub product: String,
    /// The tenant.
    pub tenant: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its settled status: `up`, `unhealthy`, `down`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The sentences.
    pub says: String,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What a destination is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// Of these sorts; none: of all.
    pub kinds: Vec<Kind>,
    /// About these instances; none: about all.
    pub instances: Vec<InstanceId>,
    /// About instances of these owners; none: of all, and of nobody.
    pub owners: Vec<OwnerId>,
    /// Of new findings: at least this severe.
    pub severity: Severity,
}

impl Default for Subscription {
    fn default() -> Self {
        Self { kinds: Vec::new(), instances: Vec::new(), owners: Vec::new(), severity: Severity::High }
    }
}

impl Subscription {
    /// Whether it wants this sort of event.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind) || kind == Kind::Test
    }

    /// Whether it wants to hear of this instance.
    #[must_use]
    pub fn covers(&self, instance: &InstanceId, owner: Option<&OwnerId>) -> bool {
        (self.instances.is_empty() || self.instances.contains(instance))
            && (self.owners.is_empty() || owner.is_some_and(|o| self.owners.contains(o)))
    }
}

#[cfg(test)]
mod tests;
