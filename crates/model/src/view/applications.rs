//! The Applications page.

use serde::Serialize;

use super::{
    Cut, EmptyState, Facet, InstanceRef, Mark, OwnerRef, Paging, ScanMark, SeverityCounts, Status,
    WarningLine,
};
use crate::id::AppId;
use crate::time::Timestamp;
use crate::words::Sentence;

/// What the Applications page is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ApplicationsQuery {
    /// Text in name, tenant, product or vendor.
    pub search: Option<String>,
    /// Settled status.
    pub status: Option<Mark>,
    /// Owner's id, or `none`.
    pub owner: Option<String>,
    /// Product.
    pub app: Option<AppId>,
    /// Kind of warning ([`WarningLine::kind`]).
    pub warning: Option<String>,
    /// Which page.
    pub cut: Cut,
}

/// The Applications page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApplicationsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// What needs attention, one sentence: `2 of 14 applications are not Up; 1 credential expires in 9 days`.
    pub headline: Sentence,
    /// Settled statuses of all instances (unfiltered), worst first, for the header's counts.
    pub counts: Vec<(Mark, u64)>,
    /// Filters: `status`, `owner`, `app`, `warning`.
    pub facets: Vec<Facet>,
    /// The tiles of this page, not-Up first, then by name.
    pub tiles: Vec<Tile>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no tiles.
    pub empty: Option<EmptyState>,
}

/// One application on the Applications page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tile {
    /// Which.
    pub instance: InstanceRef,
    /// Upper left.
    pub status: Status,
    /// Who answers for it; `None`: nobody, which is said.
    pub owner: Option<OwnerRef>,
    /// Its supported scans.
    pub scans: Vec<ScanMark>,
    /// Open findings; `None` before the first result ("-").
    pub findings: Option<SeverityCounts>,
    /// Findings first seen in the last 24 hours; `None` before the first result.
    pub new_since_yesterday: Option<u64>,
    /// Some of the findings could not be confirmed since then (the oldest such instant).
    pub stale_since: Option<Timestamp>,
    /// The latest finished run of any scan.
    pub last_finished_at: Option<Timestamp>,
    /// The most urgent warning.
    pub warning: Option<WarningLine>,
    /// How many more warnings there are.
    pub more_warnings: u64,
}
