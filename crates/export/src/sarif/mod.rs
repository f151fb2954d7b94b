//! One SARIF 2.1.0 log with one run, written piece by piece.
//!
//! The outcome is the result's `kind`: pass, fail, notApplicable, and for Inconclusive `open`, the standard's word for "the
//! tool concluded that there was insufficient information" (section 3.27.9). `review` would say that a person must decide;
//! here a permission or an answer is missing. How the scans fared is in `invocations`: one that is not whole has
//! `executionSuccessful: false` and says why. Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

mod result;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Check, Standard};
use model::id::CheckId;
use model::scan::ScanKind;
use serde_json::{Value, json};

use crate::entry::{Entry, Execution, Level, State};

/// The kinds of notification that invocations carry, with what each means: causes of failed scans, then the rest.
pub const NOTICES: [(&str, &str); 13] = [
    ("credentials", "The credential is not accepted."),
    ("permission", "The credential may not read this."),
    ("protocol", "An answer was not of the documented shape."),
    ("remote", "The vendor answered with a server error."),
    ("throttled", "The vendor's rate limit left no room."),
    ("unreachable", "The vendor could not be reached."),
    ("internal", "Parapet itself failed."),
    ("overdue", "The scan has not finished a run for too long."),
    ("waiting", "The scan has not finished its first run."),
    ("not_enabled", "The credential does not suffice for the scan, or the scan was stopped."),
    ("paused", "An operator paused the application."),
    ("not_read", "A dataset could not be read, or not wholly."),
    ("succeeded", "The scan succeeded."),
];

/// Where a run's results belong: the same from run to run, different for what is uploaded side by side.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// `parapet/scan/github/acme/`: what consumers keep apart uploads by.
    pub automation: &'a str,
    /// Every check that the run asks.
    pub checks: &'a [Arc<Check>],
    /// The catalogue's standards.
    pub standards: &'a BTreeMap<String, Standard>,
}

/// Writes a log. First [`Sarif::begin`], then every [`Sarif::execution`], then every [`Sarif::result`], then
/// [`Sarif::end`]. Only the numbers of rules and invocations are kept in memory.
#[derive(Debug, Default)]
pub struct Sarif {
    rules: BTreeMap<CheckId, usize>,
    executions: BTreeMap<(String, ScanKind), usize>,
    results: Option<u64>,
}

/// By what an execution is found again.
fn key(place: &crate::entry::Place<'_>) -> String {
    place.instance.map_or_else(|| format!("{}/{}", place.app, place.tenant_uid), |(id, _)| id.to_string())
}

impl Sarif {
    /// The head of the log: the tool, its rules and the standards they answer to.
    #[must_use]
    pub fn begin(run: &Run<'_>, out: &mut Vec<u8>) -> Self {
        // A shared check stands once for each product; to a log it is one rule.
        let mut checks: BTreeMap<&CheckId, &Check> = BTreeMap::new();
        for check in run.checks {
            checks.entry(&check.id).or_insert(check);
        }
        let rules = checks.keys().enumerate().map(|(at, id)| ((*id).clone(), at)).collect();
        let checks: Vec<&Check> = checks.into_values().collect();
        let taxonomies = rules::Taxonomies::of(&checks, run.standards);
        let driver = rules::driver(&checks, &taxonomies);
        let head = format!(
            "{{\"$schema\":\"{}\",\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{driver}}},\
             \"automationDetails\":{},\"columnKind\":\"unicodeCodePoints\",\"taxonomies\":{},\"invocations\":[",
            "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            json!({ "id": run.automation }),
            taxonomies.to_json(),
        );
        out.extend_from_slice(head.as_bytes());
        Self { rules, executions: BTreeMap::new(), results: None }
    }

    /// One scan of one tenancy.
    ///
    /// # Panics
    /// Not after a result: then it is left out, and debug builds say so.
    pub fn execution(&mut self, execution: &Execution<'_>, out: &mut Vec<u8>) {
        debug_assert!(self.results.is_none(), "invocations come before results");
        let number = self.executions.len();
        self.executions.insert((key(&execution.place), execution.scan), number);
        out.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
        out.extend_from_slice(invocation(execution).to_string().as_bytes());
    }

    /// One answer.
    pub fn result(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        self.open_results(out);
        let number = self.results.get_or_insert(0);
        out.extend_from_slice(if *number == 0 { b"\n" } else { b",\n" });
        *number += 1;
        let rule = self.rules.get(entry.check).copied();
        let invocation = self.executions.get(&(key(&entry.place), entry.scan)).copied();
        out.extend_from_slice(result::json(entry, rule, invocation).to_string().as_bytes());
    }

    /// The end of the log.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.open_results(out);
        out.extend_from_slice(b"\n]}]}\n");
    }

    fn open_results(&mut self, out: &mut Vec<u8>) {
        if self.results.is_none() {
            self.results = Some(0);
            out.extend_from_slice(b"\n],\"results\":[");
        }
    }
}

fn invocation(execution: &Execution<'_>) -> Value {
    let mut notifications = Vec::new();
    if !execution.says.is_empty() {
        let level = match execution.state {
            State::Succeeded => Level::Note,
            State::Waiting | State::NotEnabled | State::Paused => Level::Warning,
            State::Partial(_) | State::Failed(_) | State::Overdue => Level::Error,
        };
        let at = execution.finished_at.unwrap_or(execution.at);
        notifications.push(notification(level, execution.state.reason(), &execution.says, Some(at)));
    }
    notifications.extend(execution.notices.iter().map(|n| notification(n.level, n.id, &n.text, n.at)));
    let mut invocation = json!({
        "executionSuccessful": execution.state.is_whole(),
        "toolExecutionNotifications": notifications,
        "properties": {
            "scan": execution.scan.as_str(), "scanTitle": execution.scan.title(), "outcome": execution.state.as_str(),
            "product": execution.place.app.as_str(), "tenant": execution.place.tenant,
            "tenantUid": execution.place.tenant_uid,
        },
    });
    if let Some((id, name)) = execution.place.instance {
        invocation["properties"]["application"] = json!(name);
        invocation["properties"]["applicationId"] = json!(id.as_str());
    }
    for (name, at) in [("startTimeUtc", execution.started_at), ("endTimeUtc", execution.finished_at)] {
        if let Some(at) = at {
            invocation[name] = json!(at);
        }
    }
    invocation
}

fn notification(level: Level, id: &str, text: &str, at: Option<model::time::Timestamp>) -> Value {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut descriptor = json!({ "id": id });
    if let Some(index) = NOTICES.iter().position(|(known, _)| *known == id) {
        descriptor["index"] = json!(index);
    }
    let mut notification =
        json!({ "level": level, "descriptor": descriptor, "message": { "text": plain(text) } });
    if let Some(at) = at {
        notification["timeUtc"] = json!(at);
    }
    notification
}

/// A text as a SARIF message. In one, `[text](target)` is a link and `{0}` an argument (sections 3.11.5 and 3.11.6); what
/// a tenant wrote must be neither.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let links = text.contains("](");
    let arguments = text.contains('{') || text.contains('}');
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' if links => out.extend(['\\', c]),
            '{' | '}' if arguments => out.extend([c, c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_tenant_wrote_is_no_link_and_no_argument() {
        assert_eq!(plain("[click](https://evil.example)"), "\\[click\\](https://evil.example)");
        assert_eq!(plain("{0} of [x]"), "{{0}} of [x]");
        assert_eq!(plain("C:\\acme"), "C:\\acme");
    }
}
