//! The gear: settings of one application.

use serde::Serialize;

use super::{ApplicationHeader, DayBar, FaultView, Html, Known, Link, OwnerRef, RunRow, RungView, Status};
use crate::scan::ScanKind;
use crate::time::{Duration, Timestamp};
use crate::words::Sentence;

/// The settings page of one application.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The heading.
    pub header: ApplicationHeader,
    /// One card a supported scan.
    pub scans: Vec<ScanCard>,
    /// The credential.
    pub credential: CredentialCard,
    /// Intervals that may be chosen, ascending (15 min to 24 h).
    pub intervals: Vec<Duration>,
    /// Active owners to choose from.
    pub owners: Vec<OwnerRef>,
    /// Present when paused.
    pub paused: Option<PausedView>,
    /// When it was onboarded.
    pub onboarded_at: Timestamp,
    /// Non-secret settings as entered: title and value.
    pub entered: Vec<(String, String)>,
    /// Origins that receive the credential.
    pub origins: Vec<String>,
    /// What removing deletes.
    pub removal: Removal,
    /// The latest "Check now" of the last hour.
    pub checkup: Option<CheckupView>,
    /// The operator may change things here.
    pub may_change: bool,
}

/// What "Check now" found: the way to the application climbed without a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckupView {
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// What came of it, in one sentence.
    pub says: String,
    /// What ended it before any scan could be looked at.
    pub fault: Option<FaultView>,
    /// Each enabled scan.
    pub scans: Vec<CheckupScan>,
    /// The vendor's console, where what is wrong can be put right.
    pub console: Option<Link>,
}

/// Whether an enabled scan could read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckupScan {
    /// Which.
    pub kind: ScanKind,
    /// The rungs, all of which held where there is no fault.
    pub ladder: Vec<RungView>,
    /// What did not hold, and what to do.
    pub fault: Option<FaultView>,
}

/// One scan on the settings page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanCard {
    /// Which.
    pub kind: ScanKind,
    /// Runs on schedule.
    pub enabled: bool,
    /// Status with its sentence.
    pub status: Status,
    /// Further sentences: "Config Scan is Up, so the credential most likely lacks ...", and what to do.
    pub advice: Vec<Sentence>,
    /// The latest finished run.
    pub last: Option<RunRow>,
    /// When it last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When the next run starts; `None`: none is scheduled.
    pub next_at: Option<Timestamp>,
    /// The sentence about it: when, and that retries go on or what is waited for.
    pub next: Option<Sentence>,
    /// How often it runs.
    pub interval: Duration,
    /// Present while it runs or waits for the vendor.
    pub running: Option<RunningView>,
    /// "Scan now" makes sense: enabled, not paused, not running.
    pub can_scan_now: bool,
    /// Why it does not, otherwise.
    pub cannot_scan_because: String,
    /// A request made during a run is kept and follows it.
    pub wanted: bool,
    /// Reauthenticate is the remedy.
    pub reauthenticate: bool,
    /// Health of the last 90 days.
    pub bar: DayBar,
    /// The latest runs, latest first, at most 10.
    pub log: Vec<RunRow>,
    /// Not enabled: the permissions that are missing, in the vendor's words.
    pub missing: Vec<String>,
    /// Not enabled: how to grant them (from the application's onboarding text).
    pub how_to_grant: Html,
    /// When a not enabled scan was last checked.
    pub checked_at: Option<Timestamp>,
    /// Datasets that came back empty against expectation and wait for somebody to agree.
    pub shrunk: Vec<ShrunkView>,
}

/// A run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunningView {
    /// When it began.
    pub started_at: Timestamp,
    /// Datasets read.
    pub datasets_done: u32,
    /// Datasets to read.
    pub datasets_of: u32,
    /// Records read so far.
    pub records: u64,
    /// What is being read: `Repositories`. May be empty.
    pub reading: String,
    /// The vendor asked to wait until then; nothing is sent.
    pub waiting_until: Option<Timestamp>,
}

/// A dataset that had 10 or more records and now has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShrunkView {
    /// Its name.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// Records in its last complete snapshot.
    pub had: u64,
    /// When that was read.
    pub had_at: Timestamp,
}

/// The credential of an application. The secret itself is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialCard {
    /// Way to authenticate, in the catalogue's words: `GitHub App`.
    pub kind: String,
    /// Whom it authenticates as.
    pub subject: String,
    /// The tenant's immutable id.
    pub tenant_uid: String,
    /// What people call the tenant.
    pub tenant_name: String,
    /// Permissions, needed ones first.
    pub permissions: Vec<PermissionRow>,
    /// Whether the vendor tells which permissions were granted.
    pub granted_known: bool,
    /// When it expires; absent: it does not.
    pub expires_at: Known<Timestamp>,
    /// When a request last used it.
    pub last_used_at: Option<Timestamp>,
    /// When it was entered.
    pub since: Timestamp,
    /// Present while it is suspended: the sentence with since when and when it is tried again.
    pub suspended: Option<Sentence>,
    /// Present when it cannot be used until Reauthenticate: the reason (its origins changed).
    pub disabled: Option<String>,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionRow {
    /// In the vendor's words.
    pub name: String,
    /// Scans that need it: without it they are not enabled.
    pub required_by: Vec<ScanKind>,
    /// Scans that read more with it.
    pub used_by: Vec<ScanKind>,
    /// Whether it was granted.
    pub granted: Known<bool>,
    /// Granted, but nothing needs it.
    pub excess: bool,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PausedView {
    /// Since when.
    pub since: Timestamp,
    /// By whom.
    pub by: String,
}

/// What removing an application deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Removal {
    /// Findings, all states.
    pub findings: u64,
    /// Runs.
    pub runs: u64,
    /// Accounts.
    pub accounts: u64,
    /// Plugins.
    pub plugins: u64,
}
