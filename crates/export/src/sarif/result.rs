//! One result.

use model::finding::{FindingState, Outcome};
use serde_json::{Value, json};

use super::{plain, rules};
use crate::entry::{Entry, Tracked};
use crate::identity;

pub(super) fn json(entry: &Entry<'_>, rule: Option<usize>, invocation: Option<usize>) -> Value {
    let uid = identity::of_entry(entry);
    let (kind, level) = kind(entry);
    let mut result = json!({
        "ruleId": entry.check.as_str(),
        "kind": kind,
        "level": level,
        "message": { "text": message(entry) },
        "locations": [location(entry)],
        // On the server two applications may be the same tenant, so there each finding has an id of its own.
        "guid": entry.tracked.map_or_else(|| uid.clone(), |t| identity::of_finding(t.id)),
        "correlationGuid": uid,
        "partialFingerprints": {
            "parapet/v1": uid,
            // The one name that GitHub code scanning looks at.
            "primaryLocationLineHash": format!("{}:1", uid.replace('-', "")),
        },
        "properties": properties(entry),
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    if entry.count > 1 {
        result["occurrenceCount"] = json!(entry.count);
    }
    let mut provenance = serde_json::Map::new();
    if let Some(tracked) = entry.tracked {
        provenance.insert("firstDetectionTimeUtc".to_owned(), json!(tracked.first_seen_at));
        provenance.insert("lastDetectionTimeUtc".to_owned(), json!(tracked.last_seen_at));
        if let Some(suppressions) = suppressions(&tracked) {
            result["suppressions"] = suppressions;
        }
    } else {
        provenance.insert("lastDetectionTimeUtc".to_owned(), json!(entry.at));
    }
    if let Some(invocation) = invocation {
        provenance.insert("invocationIndex".to_owned(), json!(invocation));
    }
    result["provenance"] = Value::Object(provenance);
    result
}

/// The standard wants level `none` for everything that is not a failure (section 3.27.10).
fn kind(entry: &Entry<'_>) -> (&'static str, &'static str) {
    match (entry.outcome, entry.tracked.map(|t| t.state)) {
        // It passed or is gone: which of the two the server does not keep, so it is not called a pass.
        (_, Some(FindingState::Resolved)) => ("informational", "none"),
        (Outcome::Fail, _) => ("fail", rules::level(entry.severity)),
        (Outcome::Inconclusive, _) => ("open", "none"),
        (Outcome::Pass, _) => ("pass", "none"),
        (Outcome::NotApplicable, _) => ("notApplicable", "none"),
    }
}

fn message(entry: &Entry<'_>) -> String {
    let mut text = plain(entry.says);
    if text.is_empty() {
        let title = entry.definition.map_or(entry.check.as_str(), |c| c.title.as_str());
        text = plain(title);
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    let further = match entry.tracked {
        Some(Tracked { resolved_at: Some(at), .. }) => format!(" Resolved: it passed or was gone at {at}."),
        Some(Tracked { stale_since: Some(at), .. }) => {
            format!(" Not confirmed since {at}: the scan that answers it failed.")
        }
        _ if !entry.needs.is_empty() => plain(&format!(" It needs: {}.", entry.needs.join(", "))),
        _ => String::new(),
    };
    text + &further
}

/// A setting lies in no file. Viewers and GitHub code scanning want one, so the address of the resource stands for it:
/// `parapet/<product>/<tenant>/<dataset>/<resource>`, each a path segment.
fn location(entry: &Entry<'_>) -> Value {
    let mut path = "parapet".to_owned();
    let name = [entry.place.app.as_str(), entry.place.tenant, entry.resource_kind];
    for segment in name.into_iter().chain(entry.resource) {
        path.push('/');
        path.push_str(&catalog::segment(segment));
    }
    let resource = entry.resource.unwrap_or(entry.place.tenant);
    let full = name.into_iter().chain(entry.resource).collect::<Vec<_>>().join("/");
    json!({
        "physicalLocation": { "artifactLocation": { "uri": path }, "region": { "startLine": 1 } },
        "logicalLocations": [{ "name": resource, "fullyQualifiedName": full, "kind": "resource" }],
    })
}

fn suppressions(tracked: &Tracked<'_>) -> Option<Value> {
    let s = tracked.suppression?;
    (tracked.state == FindingState::Suppressed).then(|| {
        json!([{ "kind": "external", "status": "accepted", "justification": s.reason,
            "properties": { "approver": s.approver, "expiresAt": s.expires_at } }])
    })
}

fn properties(entry: &Entry<'_>) -> Value {
    let mut bag = json!({
        "scan": entry.scan.as_str(), "severity": entry.severity.as_str(), "outcome": entry.outcome.as_str(),
        "product": entry.place.app.as_str(), "tenant": entry.place.tenant, "tenantUid": entry.place.tenant_uid,
        "resourceKind": entry.resource_kind, "revision": entry.revision,
    });
    if let Some(resource) = entry.resource {
        bag["resource"] = json!(resource);
    }
    if let Some((id, name)) = entry.place.instance {
        bag["application"] = json!(name);
        bag["applicationId"] = json!(id.as_str());
    }
    if let Some(owner) = entry.place.owner {
        bag["owner"] = json!(owner);
    }
    if !entry.evidence.is_empty() {
        bag["evidence"] = json!(entry.evidence);
    }
    if !entry.needs.is_empty() {
        bag["needs"] = json!(entry.needs);
    }
    if let Some(console) = &entry.console {
        bag["console"] = json!(console);
    }
    if let Some(tracked) = entry.tracked {
        bag["id"] = json!(tracked.id.as_str());
        bag["state"] = json!(tracked.state.as_str());
        for (name, at) in [("staleSince", tracked.stale_since), ("resolvedAt", tracked.resolved_at)] {
            if let Some(at) = at {
                bag[name] = json!(at);
            }
        }
    }
    bag
}
