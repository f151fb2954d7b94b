//! Checks' outcomes, findings and drift.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::CheckId;
use crate::scan::ScanKind;
use crate::time::Timestamp;

/// How bad a failing check is. Ordered: critical is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Hardening.
    Low,
    /// Weakens a defence.
    Medium,
    /// Opens a way in.
    High,
    /// Open to attack now.
    Critical,
}

impl Severity {
    /// Every severity, worst first (the order of every list and bar).
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Informational => "informational",
        }
    }

    /// Reads [`Severity::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer of one check about one record. There is no default: whoever makes one must decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The secure state holds.
    Pass,
    /// It does not.
    Fail,
    /// We could not know.
    Inconclusive,
    /// The question does not arise here.
    NotApplicable,
}

impl Outcome {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// Reads [`Outcome::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Inconclusive, Self::NotApplicable]
            .into_iter()
            .find(|o| o.as_str() == text)
    }
}

/// A JSON value kept as its text. There is one for each field that decided an outcome, most of them are only ever written
/// out again, and as a tree an object takes about ten times the memory of its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// The value, to look into it.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        // Only ever made of what was a value.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into_boxed_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(from).map(|value| Self::from(&value))
    }
}

/// A field that decided an outcome, or that would have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Field as the check names it: `two_factor`, `datasets.hooks[].insecure`.
    pub field: Arc<str>,
    /// Its value; `{"$unknown":true}` when it could not be known.
    pub value: Json,
    /// The dataset it came from.
    pub dataset: Arc<str>,
    /// The request it came from, without secrets.
    pub request: Arc<str>,
    /// When it was read.
    pub at: Timestamp,
}

/// The answer of one check about one record, explained.
///
/// A scan of a large organisation has a hundred thousand of them at once, most with the words of another: texts are shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub check: CheckId,
    /// Which revision of it.
    pub revision: u32,
    /// The scan that answered it.
    pub scan: ScanKind,
    /// The record's key within the instance; the application's own id for the tenant for single-record datasets.
    pub resource: Arc<str>,
    /// What kind of thing the resource is: the dataset's name.
    pub resource_kind: Arc<str>,
    /// The answer.
    pub outcome: Outcome,
    /// Severity of a failure (the check's).
    pub severity: Severity,
    /// One sentence about this record: `alice can sign in without a second factor`. For inconclusive and not
    /// applicable: why.
    pub says: Arc<str>,
    /// The fields that decided, or for inconclusive the unknown ones. Empty for passes unless asked for.
    pub evidence: Arc<[Evidence]>,
    /// For inconclusive: permissions, in the vendor's words, that would decide it, where known.
    pub needs: Arc<[String]>,
}

/// How many records ended how, per check. Every check of the scan is counted, so that none disappears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTally {
    /// Which check.
    pub check: CheckId,
    /// Which revision.
    pub revision: u32,
    /// Records that pass.
    pub pass: u64,
    /// Records that fail.
    pub fail: u64,
    /// Records that could not be judged (at least 1 when the dataset itself could not be read).
    pub inconclusive: u64,
    /// Records the check does not apply to (or 1 when the dataset does not exist in this plan).
    pub not_applicable: u64,
    /// Why: the most frequent sentence of the inconclusive ones, else of the not applicable ones.
    pub reason: Option<String>,
    /// Permissions that would decide the inconclusive ones.
    pub needs: Vec<String>,
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Failing, nobody has taken it up.
    New,
    /// Failing, somebody works on it.
    InProgress,
    /// Passed or gone, seen in a complete read.
    Resolved,
    /// Failing, accepted by an exception that has not expired.
    Suppressed,
}

impl FindingState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Suppressed => "suppressed",
        }
    }

    /// Reads [`FindingState::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::New, Self::InProgress, Self::Resolved, Self::Suppressed]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// A value that changed between two complete snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The dataset.
    pub dataset: String,
    /// The record's key.
    pub resource: String,
    /// The field; `None` when the record appeared or disappeared.
    pub field: Option<String>,
    /// Before, as JSON; `None` when the record appeared.
    pub before: Option<serde_json::Value>,
    /// After, as JSON; `None` when the record disappeared.
    pub after: Option<serde_json::Value>,
    /// When the later snapshot was read.
    pub at: Timestamp,
}
