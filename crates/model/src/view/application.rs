//! One application: its heading and the tabs Summary, Drift and History. Findings, Accounts and Plugins are the lists of
//! the same names with a heading.

use serde::Serialize;

use super::{
    Cut, DayBar, FindingRow, InstanceRef, OwnerRef, Paging, RunRow, ScanMark, SeverityCounts, Status,
    WarningLine,
};
use crate::scan::ScanKind;
use crate::time::{Duration, Timestamp};

/// What stands above every tab of an application and above its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApplicationHeader {
    /// Which.
    pub instance: InstanceRef,
    /// Status with the sentence that explains it.
    pub status: Status,
    /// Who answers for it.
    pub owner: Option<OwnerRef>,
    /// Everything that will break.
    pub warnings: Vec<WarningLine>,
    /// Reauthenticate is the remedy for what is wrong now.
    pub reauthenticate: bool,
    /// Open findings, on the tab; `None` before the first result.
    pub open_findings: Option<u64>,
    /// Accounts with at least one open finding; `None` when they were never read.
    pub risky_accounts: Option<u64>,
    /// Plugins; `None` when they were never read.
    pub plugins: Option<u64>,
}

/// The Summary tab.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The heading.
    pub header: ApplicationHeader,
    /// The supported scans, each with its latest finished run.
    pub scans: Vec<ScanSummary>,
    /// Open findings; `None` before the first result.
    pub findings: Option<SeverityCounts>,
    /// Findings first seen in the last 24 hours.
    pub new_since_yesterday: Option<u64>,
    /// The worst open findings, at most 5.
    pub worst: Vec<FindingRow>,
    /// How the checks of the latest runs ended; `None` before the first result.
    pub checks: Option<CheckTotals>,
    /// Checks that could not be judged, with the reason, most severe first.
    pub unjudged: Vec<Unjudged>,
    /// Accounts by risk; `None` when accounts are not read here.
    pub accounts: Option<InventorySummary>,
    /// Plugins by risk; `None` when plugins are not read here.
    pub plugins: Option<InventorySummary>,
    /// The latest changes, at most 5.
    pub drift: Vec<DriftRow>,
}

/// One scan on the Summary tab.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanSummary {
    /// Kind and status.
    pub mark: ScanMark,
    /// When its latest finished run ended.
    pub last_finished_at: Option<Timestamp>,
    /// Records that run read.
    pub records: Option<u64>,
    /// When the next one starts; `None`: not scheduled (not enabled, paused).
    pub next_at: Option<Timestamp>,
}

/// How many checks ended how. A check counts once, by its worst: fail, then inconclusive, then pass, then not applicable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CheckTotals {
    /// All records pass.
    pub pass: u64,
    /// At least one record fails.
    pub fail: u64,
    /// None fails, at least one could not be judged.
    pub inconclusive: u64,
    /// The question does not arise.
    pub not_applicable: u64,
}

/// A check that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// The check.
    pub check: crate::id::CheckId,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: crate::finding::Severity,
    /// Why.
    pub reason: String,
    /// Permissions that would decide it, in the vendor's words.
    pub needs: Vec<String>,
    /// Records concerned.
    pub records: u64,
}

/// Accounts or plugins in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InventorySummary {
    /// All of them.
    pub total: u64,
    /// The list is not whole: the total is a lower bound.
    pub incomplete: bool,
    /// Groups worth a number: `Without a second factor` 12. `None` as count: could not be known.
    pub groups: Vec<(String, Option<u64>)>,
    /// When they were read.
    pub collected_at: Option<Timestamp>,
}

/// The Drift tab.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The heading.
    pub header: ApplicationHeader,
    /// Latest first.
    pub rows: Vec<DriftRow>,
    /// Where this page lies.
    pub paging: Paging,
}

/// A value that changed between two complete reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftRow {
    /// When the later read was made.
    pub at: Timestamp,
    /// The dataset's title: `Repositories`.
    pub dataset: String,
    /// The record.
    pub resource: String,
    /// The field; `None` when the record itself appeared or disappeared.
    pub field: Option<String>,
    /// Before; `None` when it appeared.
    pub before: Option<String>,
    /// After; `None` when it disappeared.
    pub after: Option<String>,
}

/// What the History tab is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HistoryQuery {
    /// Only this scan.
    pub kind: Option<ScanKind>,
    /// Only `succeeded`, `partial` or `failed`.
    pub outcome: Option<String>,
    /// Which page.
    pub cut: Cut,
}

/// The share of a time in which the application was Up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AvailabilityView {
    /// Of the last so many days.
    pub days: u32,
    /// In hundredths of a percent, rounded down; `None`: it was paused all the time.
    pub hundredths: Option<i64>,
    /// How much time counts.
    pub of: Duration,
}

/// What one run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrendPoint {
    /// When it finished.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Requests it sent.
    pub requests: u32,
    /// How it ended.
    pub outcome: crate::scan::RunOutcome,
}

/// The History tab: health day by day and every run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The heading.
    pub header: ApplicationHeader,
    /// Filters: `kind`, `outcome`.
    pub facets: Vec<super::Facet>,
    /// The application as a whole: each day's worst of its enabled scans.
    pub bar: DayBar,
    /// How much of the time it was Up, the shorter time first.
    pub availability: Vec<AvailabilityView>,
    /// The oldest of what its enabled scans last read successfully; `None`: one of them never has.
    pub data_as_of: Option<Timestamp>,
    /// One bar a supported scan.
    pub bars: Vec<(ScanKind, DayBar)>,
    /// What the latest runs of each supported scan took, oldest first.
    pub trends: Vec<(ScanKind, Vec<TrendPoint>)>,
    /// Runs, latest first.
    pub runs: Vec<RunRow>,
    /// Where this page lies.
    pub paging: Paging,
}
