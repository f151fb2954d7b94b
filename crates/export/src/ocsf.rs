//! OCSF Compliance Findings (class 2003), one event a line.
//!
//! Written against version 1.5.0, the first whose findings have `evidences`; what is written is also valid for 1.6 to
//! 1.8 (tests validate against each). Meanings are those of <https://schema.ocsf.io/1.5.0/classes/compliance_finding>.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Check, Standard};
use model::finding::{FindingState, Outcome, Severity};
use serde_json::{Map, Value, json};

use crate::entry::{Entry, Execution, Place, State, Tracked};
use crate::{VERSION, identity};

/// The version of the schema that events name.
pub const SCHEMA: &str = "1.5.0";

/// The catalogue's standards, by id.
pub type Standards = BTreeMap<String, Standard>;

/// What is compliant is said by `compliance.status_id`. Inconclusive is "Warning": OCSF's word for a check that "did not
/// yield a result due to missing information".
const fn compliance(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Pass => (1, "Pass"),
        Outcome::Inconclusive => (2, "Warning"),
        Outcome::Fail => (3, "Fail"),
        Outcome::NotApplicable => (99, "Not applicable"),
    }
}

const fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// The severity of the event, which consumers raise alarms by. What passes or does not apply alarms nobody; what could
/// not be judged is as grave as the failure that may hide in it.
const fn event_severity(entry: &Entry<'_>) -> Severity {
    match entry.outcome {
        Outcome::Fail | Outcome::Inconclusive => entry.severity,
        Outcome::Pass | Outcome::NotApplicable => Severity::Informational,
    }
}

const fn state(state: FindingState) -> (u8, &'static str) {
    match state {
        FindingState::New => (1, "New"),
        FindingState::InProgress => (2, "In Progress"),
        FindingState::Suppressed => (3, "Suppressed"),
        FindingState::Resolved => (4, "Resolved"),
    }
}

/// An object of the members that have a value. OCSF knows no null: an attribute is there or it is not.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// A text, unless it is empty.
fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| json!(value))
}

/// A list, unless it is empty.
fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Option<Value> {
    let items: Vec<Value> = items.into_iter().map(Into::into).collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

/// The event of one answer.
#[must_use]
pub fn event(entry: &Entry<'_>, standards: &Standards) -> Value {
    let uid = identity::of_entry(entry);
    let (severity_id, severity) = severity(event_severity(entry));
    let (activity_id, activity) = match entry.tracked.map(|t| t.state) {
        None | Some(FindingState::New) => (1, "Create"),
        Some(FindingState::InProgress | FindingState::Suppressed) => (2, "Update"),
        Some(FindingState::Resolved) => (3, "Close"),
    };
    // Of what does not fail there is no finding to be worked on.
    let status = match (entry.outcome, entry.tracked) {
        (_, Some(tracked)) => Some(state(tracked.state)),
        (Outcome::Fail, None) => Some(state(FindingState::New)),
        (_, None) => None,
    };
    object([
        ("activity_id", Some(json!(activity_id))),
        ("activity_name", Some(json!(activity))),
        ("category_uid", Some(json!(2))),
        ("category_name", Some(json!("Findings"))),
        ("class_uid", Some(json!(2003))),
        ("class_name", Some(json!("Compliance Finding"))),
        ("type_uid", Some(json!(200_300 + activity_id))),
        ("type_name", Some(json!(format!("Compliance Finding: {activity}")))),
        ("time", Some(json!(entry.at.0))),
        ("count", (entry.count > 1).then(|| json!(entry.count))),
        ("severity_id", Some(json!(severity_id))),
        ("severity", Some(json!(severity))),
        ("status_id", status.map(|s| json!(s.0))),
        ("status", status.map(|s| json!(s.1))),
        ("status_detail", entry.tracked.and_then(|t| status_detail(&t)).map(Value::from)),
        ("message", text(entry.says)),
        ("metadata", Some(metadata(&entry.place, entry.scan.title(), entry.scan.as_str()))),
        ("finding_info", Some(finding_info(entry, uid))),
        ("compliance", Some(compliance_of(entry, standards))),
        ("resources", Some(json!([resource(&entry.place, entry.resource_kind, entry.resource)]))),
        ("remediation", entry.definition.map(|check| remediation(check, entry.console.as_deref()))),
        ("evidences", list(entry.evidence.iter().map(evidence))),
        ("observables", entry.resource.and_then(|r| list([observable(r)]))),
        ("unmapped", Some(unmapped(entry))),
    ])
}

/// The event of a scan that is not whole; `None` when it is. Its compliance status is Unknown: nobody looked.
#[must_use]
pub fn scan_event(execution: &Execution<'_>) -> Option<Value> {
    if execution.state.is_whole() {
        return None;
    }
    let title = format!("{} of {} is complete", execution.scan.title(), execution.place.title());
    let check = format!("parapet/scan/{}", execution.scan);
    let details = std::iter::once(execution.says.as_str()).chain(execution.notices.iter().map(|n| &*n.text));
    let details: Vec<&str> = details.filter(|d| !d.is_empty()).collect();
    // Not even the gravity of what may be wrong is known, but that somebody must look is.
    let (severity_id, severity) = severity(match execution.state {
        State::NotEnabled | State::Paused | State::Waiting => Severity::Medium,
        _ => Severity::High,
    });
    Some(object([
        ("activity_id", Some(json!(1))),
        ("activity_name", Some(json!("Create"))),
        ("category_uid", Some(json!(2))),
        ("category_name", Some(json!("Findings"))),
        ("class_uid", Some(json!(2003))),
        ("class_name", Some(json!("Compliance Finding"))),
        ("type_uid", Some(json!(200_301))),
        ("type_name", Some(json!("Compliance Finding: Create"))),
        ("time", Some(json!(execution.finished_at.unwrap_or(execution.at).0))),
        ("severity_id", Some(json!(severity_id))),
        ("severity", Some(json!(severity))),
        ("status_code", Some(json!(execution.state.as_str()))),
        ("message", text(&execution.says)),
        ("metadata", Some(metadata(&execution.place, execution.scan.title(), execution.scan.as_str()))),
        (
            "finding_info",
            Some(object([
                ("uid", Some(json!(identity::of_scan(&execution.place, execution.scan)))),
                ("title", Some(json!(title))),
                ("desc", text(&execution.says)),
                ("types", Some(json!(["Scan health"]))),
            ])),
        ),
        (
            "compliance",
            Some(object([
                ("status_id", Some(json!(0))),
                ("status", Some(json!("Unknown"))),
                ("status_code", Some(json!(execution.state.reason()))),
                ("status_details", list(details)),
                ("control", Some(json!(title))),
                (
                    "checks",
                    Some(json!([{ "uid": check, "name": title, "status_id": 0, "status": "Unknown" }])),
                ),
            ])),
        ),
        ("resources", Some(json!([resource(&execution.place, "tenant", None)]))),
        (
            "unmapped",
            Some(object([
                ("scan", Some(json!(execution.scan.as_str()))),
                ("outcome", Some(json!(execution.state.as_str()))),
                ("cause", Some(json!(execution.state.reason()))),
                ("application", execution.place.instance.map(|(_, name)| json!(name))),
                ("application_id", execution.place.instance.map(|(id, _)| json!(id.as_str()))),
            ])),
        ),
    ]))
}

/// An event as its line.
///
/// # Errors
/// Never for values made here; `serde_json`'s own.
pub fn line(event: &Value) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

fn status_detail(tracked: &Tracked<'_>) -> Option<String> {
    match (tracked.suppression, tracked.resolved_at, tracked.stale_since) {
        (Some(s), ..) => Some(format!("Accepted until {} by {}: {}", s.expires_at, s.approver, s.reason)),
        (None, Some(at), _) => Some(format!("The resource passed or was gone at {at}.")),
        (None, None, Some(at)) => Some(format!("Not confirmed since {at}: the scan that answers it failed.")),
        (None, None, None) => None,
    }
}

fn metadata(place: &Place<'_>, feature: &str, feature_uid: &str) -> Value {
    object([
        ("version", Some(json!(SCHEMA))),
        (
            "product",
            Some(json!({ "name": "Parapet", "vendor_name": "Parapet", "version": VERSION,
                "feature": { "name": feature, "uid": feature_uid, "version": VERSION } })),
        ),
        ("tenant_uid", text(place.tenant_uid)),
    ])
}

fn finding_info(entry: &Entry<'_>, uid: String) -> Value {
    let title = entry.definition.map_or(entry.check.as_str(), |c| c.title.as_str());
    let requests: BTreeSet<&str> =
        entry.evidence.iter().map(|e| &*e.request).filter(|r| !r.is_empty()).collect();
    let tracked = entry.tracked;
    let modified = tracked.map(|t| {
        [t.changed_at, t.resolved_at, t.stale_since].into_iter().flatten().fold(t.first_seen_at, Ord::max)
    });
    object([
        ("uid", Some(json!(uid))),
        ("uid_alt", tracked.map(|t| json!(t.id.as_str()))),
        ("title", Some(json!(title))),
        ("desc", entry.definition.and_then(|c| text(c.remedy.why_markdown.trim()))),
        ("types", Some(json!([entry.scan.title()]))),
        ("created_time", tracked.map(|t| json!(t.created_at.0))),
        ("first_seen_time", tracked.map(|t| json!(t.first_seen_at.0))),
        ("last_seen_time", tracked.map(|t| json!(t.last_seen_at.0))),
        ("modified_time", modified.map(|t| json!(t.0))),
        ("data_sources", list(requests)),
        (
            "analytic",
            Some(json!({ "uid": entry.check.as_str(), "name": title, "type_id": 1, "type": "Rule",
                "version": entry.revision.to_string() })),
        ),
    ])
}

fn compliance_of(entry: &Entry<'_>, standards: &Standards) -> Value {
    let (status_id, status) = match entry.tracked.map(|t| t.state) {
        // It passed or is gone: which of the two the server does not keep, so neither is claimed.
        Some(FindingState::Resolved) => (99, "Resolved"),
        _ => compliance(entry.outcome),
    };
    let title = entry.definition.map_or(entry.check.as_str(), |c| c.title.as_str());
    let controls = entry.definition.map(|c| controls(c, standards)).unwrap_or_default();
    let names: BTreeSet<&str> = controls.iter().map(|(standard, _)| standard.as_str()).collect();
    let needs = (!entry.needs.is_empty()).then(|| format!("It needs: {}.", entry.needs.join(", ")));
    let details: Vec<String> =
        [entry.says.to_owned()].into_iter().filter(|s| !s.is_empty()).chain(needs).collect();
    let (severity_id, severity) = severity(entry.severity);
    object([
        ("status_id", Some(json!(status_id))),
        ("status", Some(json!(status))),
        ("status_code", Some(json!(entry.outcome.as_str()))),
        ("status_details", list(details)),
        ("control", Some(json!(title))),
        ("standards", list(names.iter().copied())),
        ("requirements", list(controls.iter().map(|(_, requirement)| requirement.as_str()))),
        (
            "checks",
            list([object([
                ("uid", Some(json!(entry.check.as_str()))),
                ("name", Some(json!(title))),
                ("version", Some(json!(entry.revision.to_string()))),
                ("severity_id", Some(json!(severity_id))),
                ("severity", Some(json!(severity))),
                ("status_id", Some(json!(status_id))),
                ("status", Some(json!(status))),
                ("standards", list(names)),
            ])]),
        ),
    ])
}

/// Standard with version, and the requirement in one line, of each control of a check.
fn controls(check: &Check, standards: &Standards) -> Vec<(String, String)> {
    let found = check.controls.iter().filter_map(|control| {
        let (standard, id) = control.split_once('/')?;
        let standard = standards.get(standard)?;
        let name = format!("{} {}", standard.title, standard.version);
        let title = standard.controls.get(id).map(|c| format!(" - {}", c.title)).unwrap_or_default();
        Some((name.clone(), format!("{name} {id}{title}")))
    });
    found.collect()
}

fn resource(place: &Place<'_>, kind: &str, resource: Option<&str>) -> Value {
    let labels =
        [Some(format!("product:{}", place.app)), place.instance.map(|(_, n)| format!("application:{n}"))];
    object([
        ("uid", Some(json!(resource.unwrap_or(place.tenant_uid)))),
        ("name", Some(json!(resource.unwrap_or(place.tenant)))),
        ("type", Some(json!(kind))),
        ("namespace", text(&format!("{}/{}", place.app, place.tenant))),
        ("owner", place.owner.map(|name| json!({ "name": name }))),
        ("labels", list(labels.into_iter().flatten())),
    ])
}

fn remediation(check: &Check, console: Option<&str>) -> Value {
    object([
        ("desc", Some(json!(check.remedy.steps_markdown.trim()))),
        ("references", console.and_then(|link| list([link]))),
    ])
}

fn evidence(evidence: &model::finding::Evidence) -> Value {
    json!({ "name": evidence.field, "data": { "field": evidence.field, "value": evidence.value,
        "dataset": evidence.dataset, "request": evidence.request, "read_at": evidence.at } })
}

fn observable(resource: &str) -> Value {
    json!({ "name": "resources[].uid", "type_id": 10, "type": "Resource UID", "value": resource })
}

fn unmapped(entry: &Entry<'_>) -> Value {
    object([
        ("scan", Some(json!(entry.scan.as_str()))),
        ("outcome", Some(json!(entry.outcome.as_str()))),
        ("product", Some(json!(entry.place.product))),
        ("product_vendor", text(entry.place.vendor)),
        ("application", entry.place.instance.map(|(_, name)| json!(name))),
        ("application_id", entry.place.instance.map(|(id, _)| json!(id.as_str()))),
        ("needs", list(entry.needs.iter().map(String::as_str))),
        ("stale_since", entry.tracked.and_then(|t| t.stale_since).map(|at| json!(at.0))),
        ("resolved_at", entry.tracked.and_then(|t| t.resolved_at).map(|at| json!(at.0))),
        (
            "exception",
            entry
                .tracked
                .and_then(|t| t.suppression)
                .map(|s| json!({ "reason": s.reason, "approver": s.approver, "expires_at": s.expires_at.0 })),
        ),
    ])
}
