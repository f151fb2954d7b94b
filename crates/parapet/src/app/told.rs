//! What a scan of a tape came to, in the form of `expected.json`.

use std::collections::BTreeMap;

use assess::Assessment;
use catalog::App;
use model::dataset::{Availability, DatasetSnapshot, Snapshot};
use model::finding::Outcome;
use serde_json::{Map, Value as Json};

/// How one scan ended, its datasets, the outcomes of the application's own checks (shared ones have tests of their own),
/// and the canonical records.
pub(super) fn told(app: &App, snapshot: &Snapshot, assessment: &Assessment) -> Json {
    let mut told = Map::new();
    let cause = assessment.outcome.cause().map_or_else(String::new, |cause| format!(": {}", cause.as_str()));
    told.insert("outcome".into(), Json::String(format!("{}{cause}", assessment.outcome.as_str())));
    let lines = snapshot.datasets.iter().map(|(name, d)| (name.clone(), Json::String(line(d))));
    told.insert("datasets".into(), Json::Object(lines.collect()));
    told.insert("checks".into(), checks(app, assessment));
    for (name, subjects, shape) in [
        ("accounts", &assessment.accounts, &*model::account::SHAPE),
        ("plugins", &assessment.plugins, &*model::plugin::SHAPE),
    ] {
        if let Some(subjects) = subjects {
            let records = subjects.records.iter().map(|record| known(record.to_json(shape))).collect();
            told.insert(name.to_owned(), Json::Array(records));
            told.insert(format!("{name} are all there are"), Json::Bool(subjects.complete));
        }
    }
    Json::Object(told)
}

fn checks(app: &App, assessment: &Assessment) -> Json {
    let mut checks: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    let own = format!("{}/", app.id.as_str());
    for tally in assessment.tallies.iter().filter(|t| t.check.as_str().starts_with(&own)) {
        let check = checks.entry(tally.check.as_str()).or_default();
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::NotApplicable] {
            let results =
                assessment.results.iter().filter(|r| r.check == tally.check && r.outcome == outcome);
            let resources: Vec<Json> = results.map(|r| Json::from(&*r.resource)).collect();
            if !resources.is_empty() {
                check.insert(outcome.as_str().to_owned(), Json::Array(resources));
            }
        }
        if check.is_empty() {
            let counts = [tally.pass, tally.fail, tally.inconclusive, tally.not_applicable];
            let reason = tally.reason.as_deref().unwrap_or("no reason");
            check.insert("none".to_owned(), Json::String(format!("{counts:?}: {reason}")));
        }
    }
    checks.into_iter().map(|(id, c)| (id.to_owned(), Json::Object(c))).collect()
}

/// A record without what is not known, and without whose an account is: a tape knows no identity provider.
fn known(record: Json) -> Json {
    let Json::Object(fields) = record else { return record };
    let told = fields.into_iter().filter(|(name, _)| !model::account::MATCHED.contains(&name.as_str()));
    Json::Object(told.filter(|(_, value)| value.get("$unknown").is_none()).collect())
}

/// How far a dataset was read, in a line.
fn line(dataset: &DatasetSnapshot) -> String {
    let records = dataset.records.len();
    let fault = |fault: &model::diagnosis::Fault| format!("{}: {}", fault.cause.as_str(), fault.detail);
    match &dataset.availability {
        Availability::Complete => format!("complete: {records}"),
        Availability::Partial { fault: why } => format!("partial: {records}: {}", fault(why)),
        Availability::Sweeping { read, of } => format!("sweeping: {read} of {of}"),
        Availability::Unavailable { fault: why } => format!("unavailable: {}", fault(why)),
        Availability::NotApplicable { reason } => format!("not applicable: {reason}"),
    }
}

/// Where two documents differ, a line each.
pub(super) fn differences(at: &str, expected: &Json, found: &Json, lines: &mut Vec<String>) {
    match (expected, found) {
        (Json::Object(a), Json::Object(b)) => {
            for (name, value) in b {
                match a.get(name) {
                    Some(before) => differences(&format!("{at}/{name}"), before, value, lines),
                    None => lines.push(format!("{at}/{name}: found {value}, which is not expected")),
                }
            }
            for name in a.keys().filter(|name| !b.contains_key(*name)) {
                lines.push(format!("{at}/{name}: expected, and not there"));
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{at}: expected {expected}, found {found}")),
    }
}
