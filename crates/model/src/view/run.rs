//! Runs and their diagnosis.

use serde::Serialize;

use super::Mark;
use crate::dataset::Cost;
use crate::diagnosis::{Fault, Rung};
use crate::id::RunId;
use crate::scan::{RunOutcome, ScanKind};
use crate::time::Timestamp;

/// One finished run in a run log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Which.
    pub id: RunId,
    /// Of which scan.
    pub kind: ScanKind,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Records it read.
    pub records: u64,
    /// What it cost at the vendor.
    pub cost: Cost,
    /// What happened, one sentence.
    pub sentence: String,
    /// The diagnosis, unless it succeeded.
    pub fault: Option<FaultView>,
    /// Datasets that were not read completely.
    pub gaps: Vec<GapView>,
    /// Findings it opened.
    pub new_findings: u64,
    /// Findings it resolved.
    pub resolved_findings: u64,
}

/// A fault with its ladder and its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultView {
    /// The facts.
    pub fault: Fault,
    /// How far it got, rung by rung; empty when nothing was sent.
    pub ladder: Vec<RungView>,
    /// What to do.
    pub remedy: String,
    /// Who can do it: `An owner of the GitHub organisation`. May be empty.
    pub who_can: String,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RungView {
    /// Which.
    pub rung: Rung,
    /// Whether it held.
    pub state: RungState,
    /// What is known about it: `as app 1234`, `members:read`. May be empty.
    pub detail: String,
}

/// Whether a rung held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RungState {
    /// It held.
    Held,
    /// It broke here.
    Broke,
    /// It was not reached.
    NotReached,
}

/// A dataset that was not read completely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapView {
    /// Its name.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// Why, one sentence.
    pub reason: String,
    /// Permissions that would read it, in the vendor's words.
    pub needs: Vec<String>,
    /// A required dataset of that scan.
    pub required: bool,
}

/// Health day by day, oldest first; the last cell is today (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DayBar {
    /// Usually 90 cells.
    pub days: Vec<DayCell>,
}

/// One day of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayCell {
    /// The day: `2026-11-22`.
    pub date: String,
    /// The worst status of the day ([`Mark::Up`], [`Mark::Unhealthy`], [`Mark::Down`], [`Mark::Paused`]); `None`: no run
    /// finished and none was due (before onboarding, not enabled).
    pub mark: Option<Mark>,
    /// Runs that succeeded.
    pub succeeded: u32,
    /// Runs that were partial.
    pub partial: u32,
    /// Runs that failed.
    pub failed: u32,
}
