//! The tool: its rules are the checks, its taxonomies the standards they answer to.

use std::collections::BTreeMap;

use catalog::{Check, Standard};
use model::finding::Severity;
use serde_json::{Value, json};

use super::{NOTICES, plain};
use crate::{VERSION, identity};

/// The standards that the run's checks answer to, with their controls.
pub(super) struct Taxonomies<'a> {
    standards: Vec<(&'a str, &'a Standard)>,
    index: BTreeMap<&'a str, usize>,
}

impl<'a> Taxonomies<'a> {
    pub(super) fn of(checks: &[&'a Check], standards: &'a BTreeMap<String, Standard>) -> Self {
        let named = checks.iter().flat_map(|c| &c.controls).filter_map(|c| c.split_once('/'));
        let named: std::collections::BTreeSet<&str> = named.map(|(standard, _)| standard).collect();
        let standards: Vec<(&str, &Standard)> =
            named.into_iter().filter_map(|id| Some((id, standards.get(id)?))).collect();
        let index = standards.iter().enumerate().map(|(at, (id, _))| (*id, at)).collect();
        Self { standards, index }
    }

    pub(super) fn to_json(&self) -> Value {
        let taxonomy = |(id, standard): &(&str, &Standard)| {
            let taxa: Vec<Value> = standard
                .controls
                .values()
                .map(|c| json!({ "id": c.id, "shortDescription": { "text": plain(&c.title) } }))
                .collect();
            json!({ "name": id, "fullName": format!("{} {}", standard.title, standard.version),
                "version": standard.version, "informationUri": standard.source, "taxa": taxa,
                "guid": identity::of_standard(id) })
        };
        self.standards.iter().map(taxonomy).collect()
    }

    /// Each control of a check as its place here.
    fn relationships(&self, check: &Check) -> Vec<Value> {
        let found = check.controls.iter().filter_map(|control| {
            let (standard, id) = control.split_once('/')?;
            let component = *self.index.get(standard)?;
            let index = self.standards[component].1.controls.keys().position(|known| known == id)?;
            Some(json!({ "target": { "id": id, "index": index,
                "toolComponent": { "name": standard, "index": component } }, "kinds": ["relevant"] }))
        });
        found.collect()
    }
}

pub(super) fn driver(checks: &[&Check], taxonomies: &Taxonomies<'_>) -> Value {
    let rules: Vec<Value> = checks.iter().map(|check| rule(check, taxonomies)).collect();
    let notice = |(id, text): &(&str, &str)| {
        let text = json!({ "text": text });
        json!({ "id": id, "name": format!("Scan{}", name(id)), "shortDescription": text, "fullDescription": text,
            "help": text })
    };
    let notices: Vec<Value> = NOTICES.iter().map(notice).collect();
    let supported: Vec<Value> = taxonomies
        .standards
        .iter()
        .enumerate()
        .map(|(index, (id, _))| json!({ "name": id, "index": index, "guid": identity::of_standard(id) }))
        .collect();
    json!({ "name": "Parapet", "fullName": format!("Parapet {VERSION}"), "version": VERSION,
        "semanticVersion": VERSION, "rules": rules, "notifications": notices, "supportedTaxonomies": supported })
}

fn rule(check: &Check, taxonomies: &Taxonomies<'_>) -> Value {
    let why = check.remedy.why_markdown.trim();
    let steps = check.remedy.steps_markdown.trim();
    let tags: Vec<&str> =
        std::iter::once("security").chain(check.controls.iter().map(String::as_str)).collect();
    let mut rule = json!({
        "id": check.id.as_str(),
        "name": name(check.id.as_str()),
        "shortDescription": { "text": plain(&sentence(&check.title)) },
        "help": { "text": plain(&format!("{why}\n\n{steps}")), "markdown": format!("{why}\n\n{steps}") },
        "defaultConfiguration": { "level": level(check.severity) },
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "problem.severity": problem(check.severity),
            "security-severity": score(check.severity),
            "severity": check.severity.as_str(),
            "revision": check.revision,
        },
    });
    if !why.is_empty() {
        rule["fullDescription"] = json!({ "text": plain(why) });
    }
    let relationships = taxonomies.relationships(check);
    if !relationships.is_empty() {
        rule["relationships"] = Value::Array(relationships);
    }
    rule
}

/// `github/branch-protected` as the name that viewers want: `GithubBranchProtected`.
fn name(id: &str) -> String {
    let words = id.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words
        .map(|w| {
            let mut letters = w.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// Descriptions are sentences.
fn sentence(title: &str) -> String {
    if title.ends_with(['.', '!', '?']) { title.to_owned() } else { format!("{title}.") }
}

pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "note",
    }
}

const fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "recommendation",
    }
}

/// GitHub code scanning's `security-severity`: over 9.0 is critical, 7.0 to 8.9 high, 4.0 to 6.9 medium, the rest low.
/// Source: its page "SARIF support for code scanning". Middles of the ranges: there is no CVSS score to be had.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Informational => "0.1",
    }
}
