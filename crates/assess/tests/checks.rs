//! Answers of checks: outcomes, sentences, evidence, permissions; and what becomes of findings.

mod common;

use std::collections::BTreeMap;

use assess::Detail;
use common::{NOW, Run, answers, fault, ids, stale, tallies};
use model::dataset::Availability;
use model::finding::Outcome;
use model::id::CheckId;
use model::scan::{FailureCause as Cause, ScanKind};
use model::value::Value;
use serde_json::json;

fn config() -> Run {
    let mut run = Run::new(ScanKind::Config);
    run.read("policy", r#"[{"two_factor_required": false, "session_hours": 13}]"#)
        .read(
            "repos",
            r#"[{"name": "open", "public": true, "protected": false}, {"name": "ruled", "public": true, "protected": false},
                {"name": "own", "public": false, "protected": false}, {"name": "odd", "public": true},
                {"name": "good", "public": true, "protected": true}]"#,
        )
        .read("rules", r#"[{"id": 1, "repo": "ruled", "enforced": true}, {"id": 2, "repo": "open", "enforced": false}]"#);
    run
}

#[test]
fn every_check_answers_about_every_record() {
    let assessment = config().assess();
    assert_eq!(
        answers(&assessment),
        [
            "repo-protected open: fail: open is public and anybody with write access can force-push",
            "repo-protected odd: inconclusive: it is not known whether odd is protected: protected is not known",
            "rules-exist 2: fail: rule 2 is not enforced",
            "second-factor-required tenant-7: fail: nobody has to use a second factor",
            "session-short tenant-7: fail: a session lasts 13 hours, more than 12",
        ]
    );
    assert_eq!(
        tallies(&assessment),
        [
            "repo-protected 2/1/1/1 (protected is not known)",
            "rules-exist 1/1/0/0",
            "second-factor-required 0/1/0/0",
            "session-short 0/1/0/0",
        ]
    );
}

#[test]
fn evidence_names_field_value_request_and_time() {
    let assessment = config().assess();
    let evidence: Vec<_> =
        assessment.results[0].evidence.iter().map(|e| (&*e.field, e.value.value())).collect();
    assert_eq!(
        evidence,
        [("protected", json!(false)), ("name", json!("open")), ("datasets.rules", json!(2))]
    );
    let rules = &assessment.results[0].evidence[2];
    assert_eq!((&*rules.dataset, &*rules.request), ("rules", "GET https://api.example.com/rules"));
    let first = &assessment.results[0].evidence[0];
    assert_eq!(
        (&*first.dataset, &*first.request, first.at),
        ("repos", "GET https://api.example.com/repos", NOW)
    );
    let unknown = assessment.results.iter().find(|r| &*r.resource == "odd").expect("it is answered");
    let lacking = unknown.evidence.iter().find(|e| &*e.field == "protected").expect("it is evidence");
    assert_eq!(lacking.value.value(), json!({ "$unknown": true }));
}

#[test]
fn every_answer_is_told_when_asked_for() {
    let mut run = config();
    run.detail = Detail::All;
    let assessment = run.assess();
    let passes: Vec<_> = assessment.results.iter().filter(|r| r.outcome == Outcome::Pass).collect();
    assert_eq!(passes.iter().map(|r| &*r.resource).collect::<Vec<_>>(), ["ruled", "good", "1"]);
    assert!(passes.iter().all(|r| !r.evidence.is_empty()));
    let own = "repo-protected own: not_applicable: does not apply: public is false";
    assert!(answers(&assessment).iter().any(|answer| answer == own), "so is what is not asked about");
    assert_eq!(tallies(&assessment), tallies(&config().assess()), "the counts are the same");
}

#[test]
fn a_dataset_that_could_not_be_read_leaves_its_checks_open() {
    let mut run = config();
    run.fails("policy", Cause::Permission).fails("rules", Cause::Permission);
    let assessment = run.assess();
    assert_eq!(
        answers(&assessment),
        [
            "repo-protected open: inconclusive: it is not known whether open is protected: Rules: could not be read, permission fault",
            "repo-protected ruled: inconclusive: it is not known whether ruled is protected: Rules: could not be read, permission fault",
            "repo-protected odd: inconclusive: it is not known whether odd is protected: protected is not known, Rules: could not be read, permission fault",
            "rules-exist tenant-7: inconclusive: Rules: could not be read, permission fault",
            "second-factor-required tenant-7: inconclusive: Policy: could not be read, permission fault",
            "session-short tenant-7: inconclusive: Policy: could not be read, permission fault",
        ]
    );
    assert_eq!(
        tallies(&assessment),
        [
            "repo-protected 1/0/3/1 (Rules: could not be read, permission fault) needs rules:read",
            "rules-exist 0/0/1/0 (Rules: could not be read, permission fault) needs rules:read",
            "second-factor-required 0/0/1/0 (Policy: could not be read, permission fault) needs policy:read",
            "session-short 0/0/1/0 (Policy: could not be read, permission fault) needs policy:read",
        ]
    );
}

#[test]
fn what_the_plan_lacks_is_not_applicable() {
    let mut run = config();
    let reason = "Rules are part of the big plan.".to_owned();
    run.read("rules", "[]").availability("rules", Availability::NotApplicable { reason });
    let assessment = run.assess();
    assert_eq!(
        tallies(&assessment)[..2],
        [
            // `odd` lacks its own field, too, so it stays open.
            "repo-protected 1/0/1/3 (protected is not known, Rules: Rules are part of the big plan)",
            "rules-exist 0/0/0/1 (Rules are part of the big plan)",
        ]
    );
}

#[test]
fn an_empty_dataset_has_the_outcome_that_the_check_gives_it() {
    let mut run = config();
    run.read("repos", "[]").read("rules", "[]").read("policy", "[]");
    assert_eq!(
        answers(&run.assess()),
        [
            "repo-protected tenant-7: not_applicable: Repositories: there are none",
            "rules-exist tenant-7: fail: Rules: there are none",
            "second-factor-required tenant-7: inconclusive: Policy: there are none",
            "session-short tenant-7: inconclusive: Policy: there are none",
        ]
    );
}

#[test]
fn a_part_is_judged_and_the_rest_is_open() {
    let mut run = config();
    run.availability("repos", Availability::Partial { fault: fault(Cause::Remote, "page 2 answered 502") });
    let assessment = run.assess();
    assert_eq!(
        tallies(&assessment)[0],
        "repo-protected 2/1/2/1 (Repositories: only a part could be read, page 2 answered 502)"
    );
    assert!(answers(&assessment).contains(
        &"repo-protected tenant-7: inconclusive: Repositories: only a part could be read, page 2 answered 502".to_owned()
    ));
}

#[test]
fn parameters_can_differ_from_the_defaults() {
    let mut run = config();
    let hours = BTreeMap::from([("max_hours".to_owned(), Value::Int(24))]);
    run.params.insert(CheckId::new("acme/session-short"), hours);
    assert_eq!(tallies(&run.assess())[3], "session-short 1/0/0/0");
}

#[test]
fn a_record_without_a_key_is_counted_and_hides_the_absence_of_others() {
    let mut run = config();
    run.read("repos", r#"[{"public": true, "protected": false}]"#).finding("repo-protected", "gone");
    let assessment = run.assess();
    assert_eq!(
        answers(&assessment)[0],
        "repo-protected tenant-7#1: inconclusive: Repositories: record 1 has no key"
    );
    assert_eq!((ids(&assessment.resolved), stale(&assessment)), (vec![], vec!["repo-protected"]));
}

#[test]
fn the_gravest_of_two_answers_about_one_resource_stands() {
    let mut run = config();
    run.read(
        "repos",
        r#"[{"name": "two", "public": true, "protected": true}, {"name": "two", "public": true, "protected": false}]"#,
    )
    .finding("repo-protected", "two");
    let assessment = run.assess();
    let about: Vec<_> =
        assessment.results.iter().filter(|r| &*r.resource == "two").map(|r| r.outcome).collect();
    assert_eq!(about, [Outcome::Fail]);
    assert_eq!(ids(&assessment.resolved), [""; 0]);
}

/// What becomes of an open finding, for every state of its dataset and its resource.
#[test]
fn findings_are_resolved_only_by_a_complete_read() {
    let partial = || Availability::Partial { fault: fault(Cause::Remote, "502") };
    let unavailable = || Availability::Unavailable { fault: fault(Cause::Remote, "502") };
    let absent = || Availability::NotApplicable { reason: "The plan lacks it.".to_owned() };
    let sweeping = || Availability::Sweeping { read: 1, of: 2 };
    let complete = || Availability::Complete;
    let passes = r#"[{"name": "x", "public": true, "protected": true}]"#;
    let fails = r#"[{"name": "x", "public": true, "protected": false}]"#;
    let unknown = r#"[{"name": "x", "public": true}]"#;
    let private = r#"[{"name": "x", "public": false}]"#;
    let other = r#"[{"name": "y", "public": true, "protected": true}]"#;
    let cases = [
        (complete(), passes, "resolved"),
        (complete(), private, "resolved"),
        (complete(), other, "resolved"),
        (complete(), "[]", "resolved"),
        (complete(), fails, "fails"),
        (complete(), unknown, "stale"),
        (partial(), passes, "stale"),
        (partial(), private, "stale"),
        (partial(), other, "stale"),
        (partial(), fails, "fails"),
        (partial(), "[]", "stale"),
        (sweeping(), passes, "stale"),
        (sweeping(), other, "stale"),
        (unavailable(), "[]", "stale"),
        (absent(), "[]", "stale"),
    ];
    for (availability, records, wanted) in cases {
        let mut run = config();
        run.read("repos", records).availability("repos", availability.clone()).finding("repo-protected", "x");
        let assessment = run.assess();
        let fails = assessment.results.iter().any(|r| &*r.resource == "x" && r.outcome == Outcome::Fail);
        let got = match (assessment.resolved.len(), assessment.stale.len(), fails) {
            (1, 0, false) => "resolved",
            (0, 1, false) => "stale",
            (0, 0, true) => "fails",
            other => panic!("{other:?}"),
        };
        assert_eq!(got, wanted, "{availability:?} {records}");
    }
}

#[test]
fn a_finding_about_nothing_ends_when_there_is_something() {
    let mut run = config();
    run.finding("rules-exist", "tenant-7");
    assert_eq!(ids(&run.assess().resolved), ["rules-exist tenant-7"]);
    run.read("rules", "[]");
    assert_eq!(ids(&run.assess().resolved), [""; 0]);
}

#[test]
fn a_single_object_that_is_gone_settles_nothing() {
    let mut run = config();
    run.read("policy", "[]").finding("second-factor-required", "tenant-7");
    let assessment = run.assess();
    assert_eq!((ids(&assessment.resolved), stale(&assessment)), (vec![], vec!["second-factor-required"]));
}

/// A plan that no longer has what a check looks into has not made the resource safe.
#[test]
fn a_lost_feature_resolves_nothing() {
    let mut run = config();
    let reason = "The plan lacks it.".to_owned();
    run.read("rules", "[]")
        .availability("rules", Availability::NotApplicable { reason })
        .finding("repo-protected", "open");
    let assessment = run.assess();
    assert_eq!((ids(&assessment.resolved), stale(&assessment)), (vec![], vec!["repo-protected"]));
}

#[test]
fn findings_of_a_check_that_is_no_more_stay() {
    let mut run = config();
    run.finding("old-check", "open");
    let assessment = run.assess();
    assert_eq!((ids(&assessment.resolved), stale(&assessment)), (vec![], vec!["old-check"]));
}
