//! Every case of the catalogue's fixtures: a tape is played to the real connector engine, and what comes of it is in
//! `expected.json` beside the tape. Every request must be on the tape, and every exchange of the tape must be asked for.

use std::collections::BTreeMap;
use std::path::Path;

use assess::{Assessment, Detail, Instance, Prior, assess};
use catalog::App;
use model::dataset::{Availability, DatasetSnapshot, Snapshot};
use model::finding::Outcome;
use model::time::Duration;
use serde_json::{Map, Value as Json};

use crate::scan;
use crate::tape::{Case, Exchange, Player, cases};

#[tokio::test]
async fn every_tape_leads_to_what_is_expected() {
    let cases = cases();
    assert!(!cases.is_empty(), "no case was found");
    let mut problems = Vec::new();
    for case in &cases {
        let name = format!("{}/{} ({})", case.app, case.name, case.tape.about);
        problems.extend(play(case).await.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

async fn play(case: &Case) -> Vec<String> {
    let app = scan::app(case);
    let player = Player::start(&case.tape).await;
    let mut found = Map::new();
    for kind in app.supported() {
        let snapshot = scan::read(&app, &case.tape, &player.address, kind).await;
        let assessment = judged(case, &app, &snapshot);
        found.insert(kind.as_str().to_owned(), told(&app, &snapshot, &assessment));
    }
    let seen = player.seen();
    let mut problems: Vec<String> =
        seen.unknown.iter().map(|request| format!("asked for, and not on the tape: {request}")).collect();
    let unasked = case.tape.exchanges.iter().map(Exchange::name).filter(|name| !seen.played.contains(name));
    problems.extend(unasked.map(|name| format!("on the tape, and never asked for: {name}")));
    let found = Json::Object(found);
    let text = found.to_string();
    let leaked =
        case.tape.credential.iter().filter(|(name, secret)| *name != "client_id" && text.contains(*secret));
    problems.extend(leaked.map(|(name, _)| format!("the {name} is in what was found")));
    compare(case, &found, &mut problems);
    problems
}

fn judged(case: &Case, app: &App, snapshot: &Snapshot) -> Assessment {
    let instance = Instance {
        tenant_uid: "tenant",
        auth: &case.tape.auth,
        settings: &case.tape.settings,
        params: &BTreeMap::new(),
        interval: Duration::hours(1),
    };
    assess(snapshot, app, &instance, &Prior::default(), scan::now(&case.tape), Detail::All)
}

/// What a scan came to: how it ended, its datasets, the outcomes of the application's own checks (shared ones have tests
/// of their own), and the canonical records.
fn told(app: &App, snapshot: &Snapshot, assessment: &Assessment) -> Json {
    let mut told = Map::new();
    let cause = assessment.outcome.cause().map_or_else(String::new, |cause| format!(": {}", cause.as_str()));
    told.insert("outcome".into(), Json::String(format!("{}{cause}", assessment.outcome.as_str())));
    told.insert("datasets".into(), datasets(snapshot));
    let mut checks: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    let own = format!("{}/", app.id.as_str());
    for tally in assessment.tallies.iter().filter(|t| t.check.as_str().starts_with(&own)) {
        let check = checks.entry(tally.check.as_str()).or_default();
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::NotApplicable] {
            let results =
                assessment.results.iter().filter(|r| r.check == tally.check && r.outcome == outcome);
            let resources: Vec<Json> = results.map(|r| Json::String(r.resource.clone())).collect();
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
    told.insert(
        "checks".into(),
        checks.into_iter().map(|(id, c)| (id.to_owned(), Json::Object(c))).collect(),
    );
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

/// A record without what is not known.
fn known(record: Json) -> Json {
    let Json::Object(fields) = record else { return record };
    Json::Object(fields.into_iter().filter(|(_, value)| value.get("$unknown").is_none()).collect())
}

/// How far each dataset was read, in a line.
fn datasets(snapshot: &Snapshot) -> Json {
    Json::Object(snapshot.datasets.iter().map(|(name, d)| (name.clone(), Json::String(line(d)))).collect())
}

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

/// Compares with `expected.json`. What was found is left in the target folder, to be looked at and copied.
fn compare(case: &Case, found: &Json, problems: &mut Vec<String>) {
    let path = case.folder.join("expected.json");
    let expected: Json = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        Err(_) => Json::Null,
    };
    let before = problems.len();
    differences("", &expected, found, problems);
    if problems.len() > before {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.json", case.app, case.name));
        let text = serde_json::to_string_pretty(found).expect("text keys only") + "\n";
        std::fs::write(&left, text).expect("the target folder can be written");
        problems.push(format!(
            "what was found is in {}; when it is right, it is the new {}",
            left.display(),
            path.display()
        ));
    }
}

fn differences(at: &str, expected: &Json, found: &Json, problems: &mut Vec<String>) {
    if let (Json::Object(a), Json::Object(b)) = (expected, found) {
        for (name, value) in b {
            differences(&format!("{at}/{name}"), a.get(name).unwrap_or(&Json::Null), value, problems);
        }
        for name in a.keys().filter(|name| !b.contains_key(*name)) {
            problems.push(format!("{at}/{name}: expected, and not there"));
        }
    } else if expected != found {
        problems.push(format!("{at}: expected {expected}, found {found}"));
    }
}
