//! One application, loaded: its manifest with everything in it that can be prepared once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use expr::Program;
use model::id::{AppId, CheckId};
use model::scan::ScanKind;
use model::value::Shape;

use crate::check::Check;
use crate::manifest::{Auth, Dataset, Deployment, Manifest, Request};

/// An application of the catalogue.
#[derive(Debug)]
pub struct App {
    /// The name of its folder.
    pub id: AppId,
    /// Whether it is part of Parapet, or from a folder of the operator's own.
    pub builtin: bool,
    /// What its manifest says; its datasets stand in `datasets` alone.
    pub manifest: Manifest,
    /// Its datasets, in the order of reading.
    pub datasets: Vec<DatasetSpec>,
    /// How datasets become canonical accounts ([`model::account::SHAPE`]).
    pub accounts: Vec<MappingSpec>,
    /// How datasets become canonical plugins ([`model::plugin::SHAPE`]).
    pub plugins: Vec<MappingSpec>,
    /// Its checks and the shared ones it takes part in, by id.
    pub checks: Vec<Arc<Check>>,
    /// The vendor's scopes that are graded, by id.
    pub scopes: BTreeMap<String, ScopeGrade>,
    /// What the admin does at the vendor before onboarding, as safe HTML.
    pub onboarding_html: String,
    /// The same as it was written.
    pub onboarding_markdown: Cow<'static, str>,
    /// What is knowingly not read or judged, with the reasons (`left-out.md`); empty where there is no such file.
    pub left_out_markdown: Cow<'static, str>,
}

/// One dataset, prepared.
#[derive(Debug, Clone)]
pub struct DatasetSpec {
    /// What the manifest says; its requests stand in `requests` alone.
    pub spec: Dataset,
    /// The form of its records: `spec.field` with types read.
    pub shape: Arc<Shape>,
    /// Its requests, prepared, in the order of the manifest.
    pub requests: Vec<RequestSpec>,
    /// The compiled `unless_any.where` of each rule of `spec.answer`, in that order, over the record of the dataset it names.
    pub contradicted: Vec<Option<Program>>,
    /// The compiled `latest.gone`, over the record.
    pub gone: Option<Program>,
    /// The file that `resolve.defaults` names, by setting. Datasets of the same file share it.
    pub defaults: Arc<BTreeMap<String, Defaults>>,
}

/// What holds of a setting that nobody has made.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The setting.
    pub setting: String,
    /// The vendor's page that says so.
    pub source: String,
    /// Field of the settings' dataset to value.
    pub fields: BTreeMap<String, toml::Value>,
    /// Whether it also holds for a field that a setting leaves out.
    #[serde(default)]
    pub by_field: bool,
    /// Settings that begin like this one and were looked at; empty: the default is believed whatever there is.
    #[serde(skip)]
    pub known: std::sync::Arc<Vec<String>>,
}

/// One request, prepared.
#[derive(Debug, Clone)]
pub struct RequestSpec {
    /// What the manifest says.
    pub spec: Request,
    /// The text of its GraphQL document. It holds exactly one operation, a query.
    pub document: Option<Arc<str>>,
    /// The compiled `for_each.where`, over the walked dataset's record, settings as `params.<setting>`.
    pub filter: Option<Program>,
}

/// How one dataset becomes canonical records.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// The dataset whose records are mapped.
    pub from: String,
    /// Only records for which this is true or unknown.
    pub when: Option<Program>,
    /// Position in the canonical shape, and the expression over the dataset's record. Settings are `params.<setting>`
    /// (text; null when an optional one is empty). Fields that are not here are unknown.
    pub fields: Vec<(usize, Program)>,
    /// Other datasets that the expressions look into.
    pub reads: Vec<String>,
}

/// How much a vendor's scope allows, in our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeGrade {
    /// As the vendor writes it: `contents:write`.
    pub id: String,
    /// How much harm it can do.
    pub grade: Grade,
    /// What its holder can do.
    pub says: String,
    /// The vendor's page it was read from.
    pub source: String,
}

/// How much harm a scope can do. Ordered: high is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Public or harmless data.
    Low,
    /// Reads what is confidential, or changes what is not critical.
    Medium,
    /// Changes code, settings, people or secrets.
    High,
}

impl Grade {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl App {
    /// The scans this application supports, in the order of pages. Config needs a check in that scan, accounts and
    /// plugins a mapping.
    #[must_use]
    pub fn supported(&self) -> Vec<ScanKind> {
        ScanKind::ALL
            .into_iter()
            .filter(|kind| {
                self.datasets_of(*kind).next().is_some()
                    && match kind {
                        ScanKind::Config => self.checks_of(*kind).next().is_some(),
                        ScanKind::Accounts => !self.accounts.is_empty(),
                        ScanKind::Plugins => !self.plugins.is_empty(),
                    }
            })
            .collect()
    }

    /// A dataset by name.
    #[must_use]
    pub fn dataset(&self, name: &str) -> Option<&DatasetSpec> {
        self.datasets.iter().find(|d| d.spec.name == name)
    }

    /// The datasets a scan reads, in order.
    pub fn datasets_of(&self, kind: ScanKind) -> impl Iterator<Item = &DatasetSpec> {
        self.datasets.iter().filter(move |d| d.spec.scans.contains(&kind))
    }

    /// The checks a scan answers.
    pub fn checks_of(&self, kind: ScanKind) -> impl Iterator<Item = &Arc<Check>> {
        self.checks.iter().filter(move |c| c.scan == kind)
    }

    /// A check by its id.
    #[must_use]
    pub fn check(&self, id: &CheckId) -> Option<&Arc<Check>> {
        self.checks.iter().find(|c| c.id == *id)
    }

    /// A way to authenticate.
    #[must_use]
    pub fn auth(&self, id: &str) -> Option<&Auth> {
        self.manifest.auth.iter().find(|a| a.id == id)
    }

    /// A way of hosting.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.manifest.deployment.iter().find(|d| d.id == id)
    }
}

impl crate::manifest::Request {
    /// Whether another request asks for the same word for word, wherever the two read in the answer: a run that needs both
    /// sends it once. A fan-out asks each turn for something else.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let is_plain = |r: &Self| r.for_each.is_none() && r.post.is_none();
        is_plain(self)
            && is_plain(other)
            && (&self.host, &self.path, &self.query, &self.headers, &self.graphql, &self.variables)
                == (&other.host, &other.path, &other.query, &other.headers, &other.graphql, &other.variables)
    }
}
