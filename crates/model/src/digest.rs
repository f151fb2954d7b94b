//! What a daily digest is made from: facts of the instances that one recipient answers for, and what changed since.
//! Read by the store, written out by the notifier; nothing here is worded.

use crate::diagnosis::Warning;
use crate::health::{InstanceFacts, ScanFacts, SettledStatus, settled_status};
use crate::id::{InstanceId, OwnerId};
use crate::time::{Duration, Timestamp};
use crate::view::SeverityCounts;

/// Minute of the day at which a digest is due unless its owner chose another: 08:00.
pub const DIGEST_MINUTE: u16 = 8 * 60;

/// How far ahead an exception that ends is told.
pub const EXCEPTIONS_AHEAD: Duration = Duration::days(14);

/// Whose digest it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// The person who answers for the instances.
    Owner(OwnerId),
    /// The admins, for the instances that nobody active answers for.
    Admins,
}

impl Recipient {
    /// The key of its rows.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Owner(id) => id.as_str(),
            Self::Admins => "admins",
        }
    }
}

/// Everything a digest tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Material {
    /// The addressee's name.
    pub name: String,
    /// Whose.
    pub recipient: Recipient,
    /// Changes at or after this instant are told; `None`: there was no digest before, the last day is told.
    pub since: Option<Timestamp>,
    /// Changes before this instant are told. A little before the making, so that what is being stored then is told
    /// by the next digest and by none twice.
    pub until: Timestamp,
    /// The instances, in any order.
    pub applications: Vec<Application>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Which.
    pub id: InstanceId,
    /// The name the admin gave it.
    pub name: String,
    /// The product: `GitHub`.
    pub product: String,
    /// The tenant as people call it.
    pub tenant: String,
    /// The owner who is no longer active, where that is why the admins are told.
    pub inactive_owner: Option<String>,
    /// What health reads.
    pub facts: InstanceFacts,
    /// Its supported scans.
    pub scans: Vec<ScanFacts>,
    /// What is not broken yet.
    pub warnings: Vec<Warning>,
    /// Open findings. They mean something only once a run has finished.
    pub open: SeverityCounts,
    /// Of these, how many the last run of their scan could not look at, and since when the oldest is so.
    pub stale: (u64, Option<Timestamp>),
    /// What changed.
    pub changes: Changes,
    /// Exceptions that end within [`EXCEPTIONS_AHEAD`].
    pub exceptions: Vec<Ending>,
    /// Plugins that nobody has reviewed.
    pub unreviewed_plugins: u64,
}

/// What changed in one instance since the last digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Findings that appeared and are open.
    pub new: SeverityCounts,
    /// Findings that were resolved.
    pub resolved: SeverityCounts,
    /// Accounts with a finding that appeared.
    pub risky_accounts: u64,
    /// Plugins that appeared and are not reviewed.
    pub plugins: u64,
    /// Values that changed between two complete reads.
    pub drift: u64,
}

/// An exception that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The finding's sentence.
    pub says: String,
    /// When.
    pub at: Timestamp,
}

impl Application {
    /// Whether any scan has finished a run: before that, counts mean nothing.
    #[must_use]
    pub fn has_result(&self) -> bool {
        self.scans.iter().any(|s| s.last.is_some())
    }

    /// The settled status; `None` while paused.
    #[must_use]
    pub fn settled(&self, now: Timestamp) -> Option<SettledStatus> {
        self.facts.paused.is_none().then(|| settled_status(&self.facts, &self.scans, now))
    }

    /// Whether there is nothing at all to attend to: Up, fresh, nothing new, nothing ahead. Paused is not that.
    #[must_use]
    pub fn is_all_clear(&self, now: Timestamp) -> bool {
        self.settled(now) == Some(SettledStatus::Up)
            && self.stale.0 == 0
            && self.warnings.is_empty()
            && self.exceptions.is_empty()
            && self.changes.new.total() == 0
            && self.changes.risky_accounts == 0
            && self.changes.plugins == 0
    }
}

impl Material {
    /// Whether its reader may have chosen not to get it: every instance is all clear. Without any there is no digest.
    #[must_use]
    pub fn is_all_clear(&self, now: Timestamp) -> bool {
        self.applications.iter().all(|a| a.is_all_clear(now))
    }
}
