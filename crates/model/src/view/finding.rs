//! Findings: the list and one finding.

use serde::Serialize;

use super::{
    ApplicationHeader, Cut, EmptyState, ExceptionView, Facet, Html, InstanceRef, Link, Paging, SeverityCounts,
};
use crate::finding::{FindingState, Severity};
use crate::id::{AppId, CheckId, FindingId, InstanceId};
use crate::scan::ScanKind;
use crate::time::Timestamp;

/// What the Findings list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FindingsQuery {
    /// Only of this application.
    pub instance: Option<InstanceId>,
    /// Only of this product.
    pub app: Option<AppId>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// `None`: open ones (new and in progress).
    pub state: Option<FindingState>,
    /// Only of this scan.
    pub scan: Option<ScanKind>,
    /// Only of this check.
    pub check: Option<CheckId>,
    /// Only of this resource.
    pub resource: Option<String>,
    /// Owner's id, or `none`.
    pub owner: Option<String>,
    /// Only those that could not be confirmed lately.
    pub stale: Option<bool>,
    /// Text in title or resource.
    pub search: Option<String>,
    /// Which page. Sorts: `severity` (natural), `first_seen`, `last_seen`, `resource`.
    pub cut: Cut,
}

/// The Findings list, of all applications or of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Present on an application's tab.
    pub header: Option<ApplicationHeader>,
    /// Filters: `state`, `severity`, `app`, `scan`, `owner`, `stale`.
    pub facets: Vec<Facet>,
    /// Counts of what is filtered.
    pub counts: SeverityCounts,
    /// The rows of this page.
    pub rows: Vec<FindingRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One finding in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// Which.
    pub id: FindingId,
    /// Where.
    pub instance: InstanceRef,
    /// The check it fails.
    pub check: CheckId,
    /// The secure state it fails.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// The record.
    pub resource: String,
    /// What the record is: the dataset's title.
    pub resource_kind: String,
    /// One sentence about this record.
    pub says: String,
    /// The scan that answers it.
    pub scan: ScanKind,
    /// First seen failing.
    pub first_seen_at: Timestamp,
    /// Last seen failing.
    pub last_seen_at: Timestamp,
    /// Could not be confirmed since then: the scan that answers it failed.
    pub stale_since: Option<Timestamp>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The row.
    pub finding: FindingRow,
    /// What decided it.
    pub evidence: Vec<EvidenceRow>,
    /// What the check asks for, in the check language (`when` and `pass`).
    pub question: String,
    /// Revision of the check that judged it.
    pub revision: u32,
    /// What happened to it, latest first.
    pub history: Vec<FindingEvent>,
    /// Why it matters.
    pub why: Html,
    /// How to fix it, numbered.
    pub remedy: Html,
    /// The vendor's page where it is fixed.
    pub console: Option<Link>,
    /// Controls it maps to.
    pub controls: Vec<ControlRef>,
    /// The exception that suppresses it.
    pub exception: Option<ExceptionView>,
    /// The operator may except it, or end its exception.
    pub may_except: bool,
    /// States it may be set to now, by this operator.
    pub transitions: Vec<FindingState>,
    /// Other open findings of the same resource.
    pub same_resource: Vec<FindingRow>,
}

/// A field that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceRow {
    /// The field as the check names it.
    pub field: String,
    /// Its value as text; `not known` for unknown.
    pub value: String,
    /// What the check wants, where the expression says it plainly. May be empty.
    pub wanted: String,
    /// The dataset's title.
    pub dataset: String,
    /// The request it came from.
    pub request: String,
    /// When it was read.
    pub at: Timestamp,
}

/// Something that happened to a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingEvent {
    /// When.
    pub at: Timestamp,
    /// What: `first seen`, `resolved: two_factor is true`, `set to In progress`.
    pub what: String,
    /// By whom; empty: by a scan.
    pub by: String,
}

/// A control of a standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlRef {
    /// The standard: `CIS GitHub Benchmark 1.2`.
    pub standard: String,
    /// The control's number.
    pub id: String,
    /// Its title in our own words. May be empty.
    pub title: String,
}
