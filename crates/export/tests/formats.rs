//! What is written, read back: every outcome and every state has its word, and what is not known is never a pass.

use std::collections::BTreeSet;

use catalog::{App, Catalog, Check};
use export::sarif::{Run, Sarif};
use export::{Entry, Execution, Level, Notice, Place, State, Suppression, Tracked, identity, ocsf};
use model::finding::{Evidence, FindingState, Outcome, Severity};
use model::id::{AppId, FindingId, InstanceId};
use model::scan::{FailureCause, ScanKind};
use model::time::Timestamp;
use serde_json::{Value, json};

const AT: Timestamp = Timestamp(1_790_000_000_000);
const OUTCOMES: [Outcome; 4] = [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::NotApplicable];
const STATES: [FindingState; 4] =
    [FindingState::New, FindingState::InProgress, FindingState::Suppressed, FindingState::Resolved];

struct World {
    catalog: Catalog,
    app: AppId,
    instance: InstanceId,
    finding: FindingId,
    evidence: Vec<Evidence>,
}

impl World {
    fn new() -> Self {
        Self {
            catalog: Catalog::builtin().catalog,
            app: "github".into(),
            instance: "0190-instance".into(),
            finding: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            evidence: vec![Evidence {
                field: "two_factor".into(),
                value: (&json!({ "$unknown": true })).into(),
                dataset: "members".into(),
                request: "GET https://api.github.com/orgs/acme/members".into(),
                at: AT,
            }],
        }
    }

    fn product(&self) -> &App {
        &self.catalog.apps[&self.app]
    }

    fn check(&self) -> &Check {
        let checks = &self.product().checks;
        checks.iter().find(|c| c.id.as_str() == "github/branch-protected").expect("in the catalogue")
    }

    fn place(&self, onboarded: bool) -> Place<'_> {
        Place {
            app: &self.app,
            product: "GitHub",
            vendor: "GitHub",
            tenant_uid: "42",
            tenant: "acme",
            instance: onboarded.then_some((&self.instance, "Acme engineering")),
            owner: onboarded.then_some("Ada"),
        }
    }

    fn entry(&self, outcome: Outcome) -> Entry<'_> {
        let check = self.check();
        Entry {
            place: self.place(false),
            scan: ScanKind::Config,
            check: &check.id,
            definition: Some(check),
            revision: check.revision,
            severity: Severity::High,
            resource_kind: "branches",
            resource: Some("website"),
            outcome,
            says: "The default branch main of [website](https://evil.example) is not protected",
            evidence: &self.evidence,
            needs: &[],
            console: Some("https://github.com/acme/website/settings/branches".to_owned()),
            at: AT,
            count: 1,
            tracked: None,
        }
    }

    fn tracked(&self, state: FindingState) -> Entry<'_> {
        let tracked = Tracked {
            id: &self.finding,
            state,
            created_at: AT,
            first_seen_at: AT,
            last_seen_at: AT,
            resolved_at: (state == FindingState::Resolved).then_some(AT),
            stale_since: None,
            changed_at: None,
            suppression: (state == FindingState::Suppressed).then_some(Suppression {
                reason: "a test organisation",
                approver: "ada",
                expires_at: AT,
            }),
        };
        Entry { place: self.place(true), tracked: Some(tracked), ..self.entry(Outcome::Fail) }
    }

    fn execution(&self, state: State) -> Execution<'_> {
        Execution {
            place: self.place(true),
            scan: ScanKind::Config,
            state,
            says: "GitHub refused the token (401).".to_owned(),
            started_at: Some(AT),
            finished_at: Some(AT),
            at: AT,
            notices: vec![Notice {
                level: Level::Warning,
                id: "not_read",
                text: "Members were not read.".to_owned(),
                at: None,
            }],
        }
    }

    fn sarif(&self, executions: &[Execution<'_>], entries: &[Entry<'_>]) -> Value {
        let mut out = Vec::new();
        let run = Run {
            automation: "parapet/test/",
            checks: &self.product().checks,
            standards: &self.catalog.standards,
        };
        let mut sarif = Sarif::begin(&run, &mut out);
        for execution in executions {
            sarif.execution(execution, &mut out);
        }
        for entry in entries {
            sarif.result(entry, &mut out);
        }
        sarif.end(&mut out);
        serde_json::from_slice(&out).expect("one JSON document")
    }

    fn result(&self, entry: Entry<'_>) -> Value {
        self.sarif(&[], &[entry])["runs"][0]["results"][0].take()
    }
}

const CAUSE: FailureCause = FailureCause::Credentials;
const UNWHOLE: [State; 6] = [
    State::Partial(CAUSE),
    State::Failed(CAUSE),
    State::Overdue,
    State::Waiting,
    State::NotEnabled,
    State::Paused,
];

#[test]
fn every_outcome_has_its_own_word_in_ocsf_and_only_a_pass_is_a_pass() {
    let world = World::new();
    let status = |o| {
        let event = ocsf::event(&world.entry(o), &world.catalog.standards);
        (
            event["compliance"]["status_id"].as_u64().expect("there"),
            event["severity_id"].as_u64().expect("there"),
        )
    };
    assert_eq!(OUTCOMES.map(status), [(1, 1), (3, 4), (2, 4), (99, 1)]);
}

#[test]
fn every_outcome_has_its_own_kind_in_sarif_and_only_a_failure_has_a_level() {
    let world = World::new();
    let kind = |o| {
        let result = world.result(world.entry(o));
        (
            result["kind"].as_str().expect("there").to_owned(),
            result["level"].as_str().expect("there").to_owned(),
        )
    };
    let kinds = OUTCOMES.map(kind);
    let read: Vec<(&str, &str)> = kinds.iter().map(|(k, l)| (k.as_str(), l.as_str())).collect();
    assert_eq!(read, [("pass", "none"), ("fail", "error"), ("open", "none"), ("notApplicable", "none")]);
}

#[test]
fn what_is_resolved_is_not_called_a_pass() {
    let world = World::new();
    let event = |s| ocsf::event(&world.tracked(s), &world.catalog.standards);
    let statuses =
        STATES.map(|s| (event(s)["status_id"].as_u64(), event(s)["compliance"]["status_id"].as_u64()));
    assert_eq!(statuses, [(Some(1), Some(3)), (Some(2), Some(3)), (Some(3), Some(3)), (Some(4), Some(99))]);
    let kind = |s| world.result(world.tracked(s))["kind"].as_str().map(str::to_owned);
    assert_eq!(STATES.map(kind).map(Option::unwrap), ["fail", "fail", "fail", "informational"]);
}

#[test]
fn only_what_is_accepted_now_is_suppressed() {
    let world = World::new();
    for state in STATES {
        let result = world.result(world.tracked(state));
        assert_eq!(result.get("suppressions").is_some(), state == FindingState::Suppressed, "{state:?}");
    }
    let suppressed = world.result(world.tracked(FindingState::Suppressed));
    assert_eq!(suppressed["suppressions"][0]["justification"], "a test organisation");
}

#[test]
fn a_scan_that_is_not_whole_is_an_event_and_an_invocation_without_success() {
    let world = World::new();
    assert_eq!(ocsf::scan_event(&world.execution(State::Succeeded)), None);
    for state in UNWHOLE {
        let event = ocsf::scan_event(&world.execution(state)).expect("an event");
        assert_eq!(event["compliance"]["status_id"], 0, "{state:?}");
        assert_eq!(event["message"], "GitHub refused the token (401).");
        let log = world.sarif(&[world.execution(state)], &[]);
        let invocation = &log["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false, "{state:?}");
        let notes = invocation["toolExecutionNotifications"].as_array().expect("a list");
        assert!(notes.iter().any(|n| n["message"]["text"] == "GitHub refused the token (401)."));
        assert!(
            notes.iter().all(|n| n["descriptor"]["index"].is_u64()),
            "every kind of notification is described"
        );
        assert_eq!(log["runs"][0]["results"], json!([]), "an empty list is written");
    }
    let whole = world.sarif(&[world.execution(State::Succeeded)], &[]);
    assert_eq!(whole["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(
        whole["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().map(Vec::len),
        Some(2),
        "gaps are told also when the scan succeeded"
    );
}

#[test]
fn results_point_to_their_rule_and_their_invocation() {
    let world = World::new();
    let mut accounts = world.execution(State::Succeeded);
    accounts.scan = ScanKind::Accounts;
    let log = world.sarif(
        &[accounts, world.execution(State::Succeeded)],
        &[world.tracked(FindingState::New), world.entry(Outcome::Pass)],
    );
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("a number") as usize];
    assert_eq!(rule["id"], result["ruleId"]);
    assert_eq!(result["provenance"]["invocationIndex"], 1);
    assert!(
        run["results"][1]["provenance"].get("invocationIndex").is_none(),
        "another tenancy's scan is not claimed"
    );
    let taxonomies = run["taxonomies"].as_array().expect("a list");
    for relation in run["tool"]["driver"]["rules"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|r| r.get("relationships").and_then(Value::as_array).into_iter().flatten())
    {
        let target = &relation["target"];
        let component = &taxonomies[target["toolComponent"]["index"].as_u64().expect("a number") as usize];
        assert_eq!(component["name"], target["toolComponent"]["name"]);
        assert_eq!(
            component["taxa"][target["index"].as_u64().expect("a number") as usize]["id"],
            target["id"]
        );
    }
}

#[test]
fn identities_are_those_of_what_is_wrong_and_findings_keep_their_own() {
    let world = World::new();
    let standards = &world.catalog.standards;
    let uid = |e: &Entry<'_>| ocsf::event(e, standards)["finding_info"]["uid"].clone();
    let scan = world.entry(Outcome::Fail);
    let server = world.tracked(FindingState::InProgress);
    assert_eq!(uid(&scan), uid(&server), "a one-off scan and the server mean the same finding");
    let (of_scan, of_server) = (world.result(scan), world.result(server));
    assert_eq!(of_scan["partialFingerprints"], of_server["partialFingerprints"]);
    assert_eq!(of_scan["correlationGuid"], of_server["correlationGuid"]);
    assert_ne!(of_scan["guid"], of_server["guid"]);
    assert_eq!(of_server["guid"], json!(identity::of_finding(&world.finding)));
    let mut later = world.entry(Outcome::Fail);
    (later.at, later.revision, later.says) = (Timestamp(AT.0 + 1), 9, "another sentence");
    assert_eq!(uid(&later), uid(&world.entry(Outcome::Fail)));
    let mut elsewhere = world.entry(Outcome::Fail);
    elsewhere.place.tenant_uid = "43";
    assert_ne!(uid(&elsewhere), uid(&world.entry(Outcome::Fail)));
}

#[test]
fn what_a_tenant_wrote_is_neither_a_link_nor_a_path() {
    let world = World::new();
    let mut entry = world.entry(Outcome::Fail);
    entry.resource = Some("../../../etc/pass wd?x#y");
    let result = world.result(entry);
    let text = result["message"]["text"].as_str().expect("a text");
    assert!(text.contains("\\[website\\]("), "{text}");
    let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a text");
    assert_eq!(uri, "parapet/github/acme/branches/..%2F..%2F..%2Fetc%2Fpass%20wd%3Fx%23y");
}

#[test]
fn no_event_has_a_null_or_an_empty_list() {
    fn look(value: &Value, at: &str) {
        match value {
            Value::Null => panic!("{at} is null"),
            Value::Array(items) => {
                assert!(!items.is_empty(), "{at} is empty");
                items.iter().for_each(|i| look(i, at));
            }
            Value::Object(members) => members.iter().for_each(|(n, v)| look(v, &format!("{at}.{n}"))),
            _ => {}
        }
    }
    let world = World::new();
    for outcome in OUTCOMES {
        let mut bare = world.entry(outcome);
        (bare.definition, bare.resource, bare.evidence, bare.says, bare.console) =
            (None, None, &[], "", None);
        look(&ocsf::event(&bare, &world.catalog.standards), "event");
        look(&ocsf::event(&world.entry(outcome), &world.catalog.standards), "event");
    }
    for state in UNWHOLE {
        look(&ocsf::scan_event(&world.execution(state)).expect("an event"), "event");
    }
}

#[test]
fn every_reason_of_a_state_is_a_known_notice() {
    let known: BTreeSet<&str> = export::sarif::NOTICES.iter().map(|(id, _)| *id).collect();
    let causes = FailureCause::ALL.into_iter().flat_map(|c| [State::Partial(c), State::Failed(c)]);
    for state in causes.chain(UNWHOLE).chain([State::Succeeded]) {
        assert!(known.contains(state.reason()), "{state:?}");
    }
}
