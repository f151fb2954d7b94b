//! Health: what is stored about scans, and the words that are derived from it on reading.
//!
//! Facts are stored, never words: [`ScanFacts`] and [`InstanceFacts`] hold what happened, and [`scan_status`],
//! [`app_status`] and [`settled_status`] read it as of `now`. So a green status cannot outlive the engine that
//! earned it: without a finished run for long enough a scan is [overdue](is_overdue) and reads Unhealthy.

use serde::{Deserialize, Serialize};

use crate::diagnosis::Fault;
use crate::id::{InstanceId, RunId};
use crate::scan::{RunOutcome, ScanKind};
use crate::time::{Duration, Timestamp};

mod fold;
pub use fold::{
    app_mark, app_status, is_overdue, is_running, is_waiting, overdue_since, scan_mark, scan_status,
    settled_status,
};

/// Failures in a row after which a scan reads Down, unless the instance says otherwise.
pub const DOWN_AFTER: u32 = 3;

/// What is stored about one scan of one instance: its standing, not one run of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanFacts {
    /// Which scan.
    pub kind: ScanKind,
    /// Whether it counts and runs.
    pub enablement: Enablement,
    /// Wanted time from the end of one run to the start of the next; 15 min to 24 h.
    pub interval: Duration,
    /// From when on Parapet owes a finished run: the latest of onboarding, enabling, resuming after a pause, and a
    /// saved interval of a scan that has a finished run. Overdue counts from here or from the last finish.
    pub watched_since: Timestamp,
    /// When the next run is to start by our own pace.
    pub next_at: Timestamp,
    /// When somebody asked for a run (Scan now, onboarding, Reauthenticate, resume) that has not started yet. Claiming
    /// takes it; a commit never writes it, so a request made during a run is kept.
    pub wanted_at: Option<Timestamp>,
    /// The run that has begun and not ended: held by a worker, waiting for the vendor, or handed back by a drain.
    pub open: Option<OpenRun>,
    /// The last finished run. A cancelled or fenced run is not one.
    pub last: Option<FinishedRun>,
    /// When the last succeeded run finished.
    pub last_success_at: Option<Timestamp>,
    /// Failed runs since the last one that succeeded or was partial.
    pub failures_in_a_row: u32,
    /// Partial runs by remote, throttled or unreachable since the last run that succeeded or was partial otherwise.
    pub retryable_partials_in_a_row: u32,
    /// When the first run finished of those since the last succeeded one; `None` while the last one succeeded.
    pub failing_since: Option<Timestamp>,
}

/// Whether a supported scan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Enablement {
    /// It runs and counts in the application's status.
    Enabled,
    /// At onboarding the credential lacked these permissions. Re-checked daily; never entered from [`Self::Enabled`]
    /// because of a lost permission (product: a permission lost later is a failure, not silence).
    NotEnabled {
        /// In the vendor's words.
        missing: Vec<String>,
        /// When this was last found out.
        checked_at: Timestamp,
        /// A later check found the permissions: the page offers to enable it.
        offered: bool,
    },
    /// An operator said "stop this scan" while reauthenticating (audited).
    Stopped {
        /// When.
        since: Timestamp,
        /// Who, by name.
        by: String,
    },
}

impl Enablement {
    /// Whether it runs and counts.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        matches!(self, Self::Enabled)
    }
}

/// A run that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Which.
    pub run: RunId,
    /// When it was first claimed.
    pub started_at: Timestamp,
    /// When it must have ended: `started_at` + [`crate::schedule::run_allowance`], fixed at the start.
    pub deadline: Timestamp,
    /// The vendor's reset it waits for without a lease; `None` when it does not.
    pub waiting_until: Option<Timestamp>,
    /// How often a worker handed it back unfinished (drain). The third time it has failed.
    pub abandoned: u32,
    /// The worker that holds it, while one does.
    pub lease: Option<Lease>,
}

/// A worker's hold on a run. It is live until `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Grows with every claim of this scan; a commit with an older number is refused.
    pub fence: i64,
    /// When the hold ends unless renewed.
    pub expires_at: Timestamp,
    /// How far the run has come.
    pub progress: Progress,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Datasets whose reading ended, well or not.
    pub datasets_done: u32,
    /// Datasets of this scan.
    pub datasets_total: u32,
    /// Records read so far.
    pub records: u64,
}

/// A run that ended, as far as health and the sentences need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedRun {
    /// Which.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The fault that gave it its cause; `None` exactly when it succeeded.
    pub fault: Option<Box<Fault>>,
    /// When it was first claimed.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Records read.
    pub records: u64,
    /// Requests sent to the vendor.
    pub requests: u32,
    /// Optional datasets that could not be read.
    pub gaps: u32,
}

/// What is stored about an instance as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// Which.
    pub id: InstanceId,
    /// Failures in a row after which a scan is Down and a credential suspended; at least 1.
    pub down_after: u32,
    /// When it was onboarded.
    pub onboarded_at: Timestamp,
    /// Set while an operator has paused it.
    pub paused: Option<Paused>,
    /// The credential's version: grows when it is replaced; a run of an older version cannot commit.
    pub credential_version: i64,
    /// Runs in a row that failed with cause `credentials`, whichever scans met them.
    pub credential_failures_in_a_row: u32,
    /// Set while nothing is sent with this credential, to avoid locking its account.
    pub suspension: Option<Suspension>,
    /// The vendor's back-off: nothing starts before it.
    pub blocked_until: Option<Timestamp>,
}

/// Since when, and by whom, an instance is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// The operator's name.
    pub by: String,
}

/// A credential that the vendor refused so often that Parapet stopped sending it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Since when.
    pub since: Timestamp,
    /// Cheap authentication requests the vendor refused since.
    pub tries: u32,
    /// When the next one is made.
    pub next_try_at: Timestamp,
}

/// Everything stored about one instance that health reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The instance.
    pub instance: InstanceFacts,
    /// Its supported scans, enabled or not, in the order of [`ScanKind::ALL`].
    pub scans: Vec<ScanFacts>,
}

impl Standing {
    /// The scan of this kind, where it is supported.
    #[must_use]
    pub fn scan(&self, kind: ScanKind) -> Option<&ScanFacts> {
        self.scans.iter().find(|s| s.kind == kind)
    }

    /// [`app_status`] of it all.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> AppStatus {
        app_status(&self.instance, &self.scans, now)
    }

    /// [`settled_status`] of it all.
    #[must_use]
    pub fn settled(&self, now: Timestamp) -> SettledStatus {
        settled_status(&self.instance, &self.scans, now)
    }
}

/// The status of one enabled scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanStatus {
    /// The last finished run succeeded.
    Up,
    /// The last finished run was partial, or failed as one of fewer than `down_after`, or the scan is overdue.
    Unhealthy,
    /// `down_after` or more failures in a row.
    Down,
    /// A worker holds it, or it has finished no run yet.
    Scanning,
}

/// The status of an application: the fold over its enabled scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppStatus {
    /// Every scan is fine.
    Up,
    /// Anything else.
    Unhealthy,
    /// Every scan's latest finished run failed.
    Down,
}

/// The status folded from finished runs only, so that nothing flaps. Ordered worst first, as lists sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledStatus {
    /// Every scan's latest finished run failed.
    Down,
    /// Anything else.
    Unhealthy,
    /// No scan has finished a run yet, and none is overdue.
    NoneYet,
    /// Every scan's latest finished run succeeded.
    Up,
}

/// What a page, a table or a mail draws: the statuses and the two states that replace them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// ● green.
    Up,
    /// ▲ amber.
    Unhealthy,
    /// ■ red.
    Down,
    /// ◌ blue: running, or no finished run yet.
    Scanning,
    /// ○ grey.
    NotEnabled,
    /// ‖ grey.
    Paused,
}

macro_rules! words {
    ($($t:ident { $($v:ident: $stable:literal, $title:literal;)* })*) => {$(
        impl $t {
            /// The stable word in JSON, addresses and the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$v => $stable,)* }
            }
            /// The word people read.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$v => $title,)* }
            }
            /// Reads the stable word back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($stable => Some(Self::$v),)* _ => None }
            }
        }
        impl std::fmt::Display for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.title())
            }
        }
    )*};
}
words! {
    ScanStatus { Up: "up", "Up"; Unhealthy: "unhealthy", "Unhealthy"; Down: "down", "Down"; Scanning: "scanning", "Scanning"; }
    AppStatus { Up: "up", "Up"; Unhealthy: "unhealthy", "Unhealthy"; Down: "down", "Down"; }
    SettledStatus { Down: "down", "Down"; Unhealthy: "unhealthy", "Unhealthy"; NoneYet: "none", "No result yet"; Up: "up", "Up"; }
    Mark {
        Up: "up", "Up"; Unhealthy: "unhealthy", "Unhealthy"; Down: "down", "Down"; Scanning: "scanning", "Scanning";
        NotEnabled: "not_enabled", "Not enabled"; Paused: "paused", "Paused";
    }
}

impl From<ScanStatus> for Mark {
    fn from(status: ScanStatus) -> Self {
        match status {
            ScanStatus::Up => Self::Up,
            ScanStatus::Unhealthy => Self::Unhealthy,
            ScanStatus::Down => Self::Down,
            ScanStatus::Scanning => Self::Scanning,
        }
    }
}

impl From<AppStatus> for Mark {
    fn from(status: AppStatus) -> Self {
        match status {
            AppStatus::Up => Self::Up,
            AppStatus::Unhealthy => Self::Unhealthy,
            AppStatus::Down => Self::Down,
        }
    }
}
