//! What is exported, whichever format it takes: outcomes of checks, and how the scans fared that gave them.

use catalog::Check;
use model::finding::{Evidence, FindingState, Outcome, Severity};
use model::id::{AppId, CheckId, FindingId, InstanceId};
use model::scan::{FailureCause, ScanKind};
use model::time::Timestamp;

/// The tenancy that was scanned.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The product.
    pub app: &'a AppId,
    /// Its name.
    pub product: &'a str,
    /// Who makes it.
    pub vendor: &'a str,
    /// The vendor's immutable id of the tenant.
    pub tenant_uid: &'a str,
    /// What people call the tenant.
    pub tenant: &'a str,
    /// The onboarded application and its name; `None`: a one-off scan.
    pub instance: Option<(&'a InstanceId, &'a str)>,
    /// Who answers for it, by name.
    pub owner: Option<&'a str>,
}

impl Place<'_> {
    /// What people call it: the onboarded application's name, else product and tenant.
    #[must_use]
    pub fn title(&self) -> String {
        match self.instance {
            Some((_, name)) => name.to_owned(),
            None => format!("{} {}", self.product, self.tenant),
        }
    }
}

/// One answer of one check.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The scan that answered.
    pub scan: ScanKind,
    /// The check.
    pub check: &'a CheckId,
    /// Its text; `None`: the catalogue no longer has it.
    pub definition: Option<&'a Check>,
    /// The revision that answered.
    pub revision: u32,
    /// How bad a failure of it is.
    pub severity: Severity,
    /// The dataset.
    pub resource_kind: &'a str,
    /// The record; `None`: the answer is about the dataset as a whole, or stands for [`Entry::count`] records.
    pub resource: Option<&'a str>,
    /// The answer.
    pub outcome: Outcome,
    /// One sentence about it.
    pub says: &'a str,
    /// What decided.
    pub evidence: &'a [Evidence],
    /// Permissions that would decide it.
    pub needs: &'a [String],
    /// The vendor's page where it is mended.
    pub console: Option<String>,
    /// When it was last judged.
    pub at: Timestamp,
    /// How many records it stands for; at least 1.
    pub count: u64,
    /// What the server knows beyond one scan.
    pub tracked: Option<Tracked<'a>>,
}

/// A finding's life on the server.
#[derive(Debug, Clone, Copy)]
pub struct Tracked<'a> {
    /// Which finding.
    pub id: &'a FindingId,
    /// Where it stands.
    pub state: FindingState,
    /// First failing ever.
    pub created_at: Timestamp,
    /// First failing since it was last resolved.
    pub first_seen_at: Timestamp,
    /// Last seen failing.
    pub last_seen_at: Timestamp,
    /// When it passed or was gone.
    pub resolved_at: Option<Timestamp>,
    /// Not confirmed since then.
    pub stale_since: Option<Timestamp>,
    /// When an operator last changed its state.
    pub changed_at: Option<Timestamp>,
    /// The exception that suppresses it.
    pub suppression: Option<Suppression<'a>>,
}

/// Why, by whom and until when a finding is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Suppression<'a> {
    /// Why.
    pub reason: &'a str,
    /// Who approved it.
    pub approver: &'a str,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How one scan of one tenancy fared.
#[derive(Debug, Clone)]
pub struct Execution<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Which scan.
    pub scan: ScanKind,
    /// How it stands.
    pub state: State,
    /// What happened and what to do, in words.
    pub says: String,
    /// When its last finished run began.
    pub started_at: Option<Timestamp>,
    /// When that ended.
    pub finished_at: Option<Timestamp>,
    /// When this was found out; of a scan without a finished run the only time there is.
    pub at: Timestamp,
    /// Everything else to know about it: what could not be read, what was missing.
    pub notices: Vec<Notice>,
}

/// How a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its last finished run succeeded, lately enough.
    Succeeded,
    /// Some required datasets were read.
    Partial(FailureCause),
    /// None was.
    Failed(FailureCause),
    /// It has not finished a run for too long.
    Overdue,
    /// It has never finished a run.
    Waiting,
    /// The credential does not suffice for it, or it was stopped.
    NotEnabled,
    /// An operator paused the application.
    Paused,
}

impl State {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial(_) => "partial",
            Self::Failed(_) => "failed",
            Self::Overdue => "overdue",
            Self::Waiting => "waiting",
            Self::NotEnabled => "not_enabled",
            Self::Paused => "paused",
        }
    }

    /// The name of what is wrong: a cause, else the state's word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Partial(cause) | Self::Failed(cause) => cause.as_str(),
            other => other.as_str(),
        }
    }

    /// Whether everything the scan is about could be judged as of lately. Gaps in optional datasets are told apart.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Succeeded)
    }
}

/// Something to know about a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How grave.
    pub level: Level,
    /// Of which kind: one of [`crate::sarif::NOTICES`].
    pub id: &'static str,
    /// In words.
    pub text: String,
    /// When.
    pub at: Option<Timestamp>,
}

impl Notice {
    /// A dataset that could not be read, or not wholly. `reason` may or may not begin with the dataset's title.
    #[must_use]
    pub fn not_read(title: &str, reason: &str, required: bool, at: Timestamp) -> Self {
        let text = if reason.starts_with(title) {
            format!("Not read: {reason}")
        } else {
            format!("Not read: {title}: {reason}")
        };
        let level = if required { Level::Error } else { Level::Warning };
        Self { level, id: "not_read", text, at: Some(at) }
    }
}

/// How grave a [`Notice`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The scan is not whole for it.
    Error,
    /// Some checks could not be judged for it.
    Warning,
    /// Worth knowing.
    Note,
}
