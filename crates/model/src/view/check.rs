//! Checks: the catalogue's questions and how they stand.

use serde::Serialize;

use super::{ControlRef, Cut, EmptyState, Facet, Html, InstanceRef, Paging};
use crate::finding::{CheckTally, Severity};
use crate::id::{AppId, CheckId};
use crate::scan::ScanKind;
use crate::time::Timestamp;

/// What the Checks list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChecksQuery {
    /// Only of this product.
    pub app: Option<AppId>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only of this scan.
    pub scan: Option<ScanKind>,
    /// `fail`, `inconclusive`, `pass`, `not_applicable`, `never_run`: its worst outcome anywhere.
    pub outcome: Option<String>,
    /// Text in title or id.
    pub search: Option<String>,
    /// Which page. Sorts: `severity` (natural), `title`, `fail`.
    pub cut: Cut,
}

/// The Checks list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChecksPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Filters: `app`, `severity`, `scan`, `outcome`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<CheckRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One check in a list. A shared check stands once for each application that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRow {
    /// Which.
    pub id: CheckId,
    /// The product it is asked of.
    pub app: AppId,
    /// Its name.
    pub app_name: String,
    /// The secure state.
    pub title: String,
    /// How bad a failure is.
    pub severity: Severity,
    /// The scan that answers it.
    pub scan: ScanKind,
    /// What it is asked of: the dataset's title.
    pub over: String,
    /// Instances it was answered for.
    pub instances: u64,
    /// Records that pass, over all instances.
    pub pass: u64,
    /// Records that fail.
    pub fail: u64,
    /// Records that could not be judged.
    pub inconclusive: u64,
    /// Records it does not apply to.
    pub not_applicable: u64,
}

/// One check of one product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The row.
    pub check: CheckRow,
    /// Its revision.
    pub revision: u32,
    /// When it applies, in the check language. May be empty: always.
    pub when: String,
    /// When it passes, in the check language.
    pub pass: String,
    /// What an empty dataset means, in words: `inconclusive`.
    pub on_empty: String,
    /// Its parameters.
    pub params: Vec<CheckParam>,
    /// Whether the reader may set them.
    pub may_change: bool,
    /// Permissions it needs, in the vendor's words, by way to authenticate: title and permissions.
    pub permissions: Vec<(String, Vec<String>)>,
    /// Why it matters.
    pub why: Html,
    /// How to fix it.
    pub remedy: Html,
    /// Controls it maps to.
    pub controls: Vec<ControlRef>,
    /// Its examples, which run as tests: outcome and record as JSON.
    pub examples: Vec<(crate::finding::Outcome, String)>,
    /// How it stands in each instance.
    pub standing: Vec<CheckStanding>,
}

/// A parameter of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckParam {
    /// As expressions call it, without `params.`.
    pub name: String,
    /// The value where nobody has set another.
    pub default: String,
    /// What may be entered: `a whole number`.
    pub wants: String,
    /// Every instance that is asked.
    pub instances: Vec<ParamOf>,
}

/// A parameter in one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParamOf {
    /// Where.
    pub instance: InstanceRef,
    /// What somebody has set; `None`: the default holds.
    pub set: Option<ParamSet>,
}

/// What somebody has set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParamSet {
    /// The value; `unknown` where it does not fit the parameter any more.
    pub value: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How a check stands in one instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckStanding {
    /// Where.
    pub instance: InstanceRef,
    /// Counts, with the reason for what could not be judged.
    pub tally: CheckTally,
    /// The run that answered it.
    pub at: Timestamp,
}
