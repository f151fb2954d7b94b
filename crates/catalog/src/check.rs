//! Checks: true/false questions about records, each with its reasons, remedy and examples.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use expr::{DatasetType, Program, Truth};
use model::finding::{Outcome, Severity};
use model::id::{AppId, CheckId};
use model::scan::ScanKind;
use model::time::Timestamp;
use model::value::{Shape, Type, Value};

use crate::load::example::Facts;
use crate::template::Template;
use crate::{load, markdown};

/// The present in examples that do not give one: 2026-01-01T00:00:00Z.
pub const DEFAULT_NOW: Timestamp = Timestamp(1_767_225_600_000);

/// One check, compiled for one application.
#[derive(Debug, Clone)]
pub struct Check {
    /// `github/org-requires-2fa`, `shared/account-dormant`.
    pub id: CheckId,
    /// The application it is compiled for (a shared check exists once for every application that takes part).
    pub app: AppId,
    /// Raised when the meaning changes.
    pub revision: u32,
    /// The secure state.
    pub title: String,
    /// How bad a failure is.
    pub severity: Severity,
    /// What it asks about: one result per record.
    pub over: Over,
    /// The fields of the records it asks about.
    pub shape: Arc<Shape>,
    /// The scan that answers it.
    pub scan: ScanKind,
    /// False: not applicable. Unknown: inconclusive.
    pub when: Option<Program>,
    /// The question.
    pub pass: Program,
    /// The outcome when the dataset was read completely and holds no record.
    pub on_empty: Outcome,
    /// Parameters (`params.<name>` in the expressions) with their defaults.
    pub params: BTreeMap<String, Param>,
    /// Controls it answers to: `cis-github-1.2/1.3.5`. Each exists in the catalogue.
    pub controls: Vec<String>,
    /// The sentence about a failing record.
    pub says: Template,
    /// The sentence about a record that could not be judged, where the check has one of its own.
    pub unknown: Option<Template>,
    /// Why it matters and how to mend it.
    pub remedy: Remedy,
    /// The datasets its expressions look into beside `over`; `account` and `plugin` are the canonical ones.
    pub reads: BTreeSet<String>,
    /// The form of `over` and of everything in `reads`.
    pub types: BTreeMap<String, DatasetType>,
    /// Whether it is in force.
    pub lifecycle: Lifecycle,
    /// Examples, executed by tests.
    pub examples: Vec<Example>,
    /// Mutations of its expressions that no example can notice, with the reason.
    pub equivalent: BTreeMap<String, String>,
    /// The file it was written in.
    pub file: PathBuf,
}

/// What a check asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// A dataset of the application.
    Dataset(String),
    /// The canonical accounts, [`model::account::SHAPE`].
    Account,
    /// The canonical plugins, [`model::plugin::SHAPE`].
    Plugin,
}

impl Over {
    /// The name in front matter and results.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Dataset(name) => name,
            Self::Account => "account",
            Self::Plugin => "plugin",
        }
    }
}

/// A parameter of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its type, that of the default.
    pub kind: Type,
    /// Its value where nothing else is configured.
    pub default: Value,
}

/// The body of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The vendor's page where it is mended: `{console}`, settings and fields of the record.
    pub link: Option<Template>,
    /// Why it matters, as it was written.
    pub why_markdown: Cow<'static, str>,
    /// The steps, as they were written.
    pub steps_markdown: Cow<'static, str>,
}

impl Remedy {
    /// Why it matters, as safe HTML: no raw HTML of the source, https links only.
    #[must_use]
    pub fn why_html(&self) -> String {
        markdown::html(&self.why_markdown)
    }

    /// The numbered steps, as safe HTML.
    #[must_use]
    pub fn steps_html(&self) -> String {
        markdown::html(&self.steps_markdown)
    }
}

/// Whether a check is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Answered by every scan.
    #[default]
    Active,
    /// Answered, and announced to go.
    Deprecated,
}

/// One example of a check. Kept as it was written: thousands of them are read once a build and seldom shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What the check must say.
    pub expected: Outcome,
    /// Its JSON as it was written.
    pub text: Cow<'static, str>,
    /// Where it stands in the file: the line of its first brace, from 1.
    pub line: usize,
}

/// What an example gives to its check.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The record; `None`: the example is about the dataset as a whole.
    pub record: Option<serde_json::Value>,
    /// Records of datasets by name.
    pub datasets: BTreeMap<String, Vec<serde_json::Value>>,
    /// Datasets whose tail was not read.
    pub incomplete: BTreeSet<String>,
    /// Datasets of which nothing was read.
    pub unavailable: BTreeSet<String>,
    /// Parameters that differ from the defaults.
    pub params: BTreeMap<String, Value>,
    /// The present.
    pub now: Timestamp,
}

impl Example {
    /// Reads what it gives to the check that it belongs to.
    #[must_use]
    pub fn given(&self, check: &Check) -> Given {
        let facts = Facts {
            over: check.over.as_str(),
            shape: &check.shape,
            types: &check.types,
            params: &check.params,
        };
        // The loader refuses a check with an example that does not read; of another check's, nothing is given.
        load::example::given(&self.text, &facts).unwrap_or_default()
    }
}

impl Default for Given {
    fn default() -> Self {
        Self {
            record: None,
            datasets: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            unavailable: BTreeSet::new(),
            params: BTreeMap::new(),
            now: DEFAULT_NOW,
        }
    }
}

/// The outcome of a check about one record: the one place where truth values become outcomes. `pass` is asked only when
/// `when` is known to hold. What is not known, or could not be evaluated, is inconclusive.
pub fn judge(when: Option<Truth>, pass: impl FnOnce() -> Truth) -> Outcome {
    match when {
        Some(Truth::False) => Outcome::NotApplicable,
        Some(Truth::Unknown | Truth::Error) => Outcome::Inconclusive,
        Some(Truth::True) | None => match pass() {
            Truth::True => Outcome::Pass,
            Truth::False => Outcome::Fail,
            Truth::Unknown | Truth::Error => Outcome::Inconclusive,
        },
    }
}
