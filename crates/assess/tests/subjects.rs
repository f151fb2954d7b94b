//! Accounts and plugins in the shape that all applications share.

mod common;

use common::{Run, answers, tallies};
use model::dataset::Availability;
use model::scan::{FailureCause as Cause, ScanKind};
use serde_json::{Value as Json, json};

fn accounts() -> Run {
    let mut run = Run::new(ScanKind::Accounts);
    run.read(
        "members",
        r#"[{"login": "ann", "admin": true, "active": true}, {"login": "bob", "active": true}, {"login": "cyd", "admin": false, "active": false},
            {"login": "ghost", "active": true}]"#,
    )
    .read("without_second_factor", r#"[{"login": "bob"}]"#)
    .read("guests", r#"[{"login": "gus"}, {"login": "bob"}]"#);
    run
}

/// The known fields of canonical records.
fn known(subjects: &assess::Subjects, shape: &model::value::Shape) -> Vec<Json> {
    let plain = |json: Json| {
        let Json::Object(object) = json else { panic!("a record is an object") };
        // Whose they are is not known here, and why is said of each.
        let known = object.into_iter().filter(|(name, _)| name != "identity_note");
        Json::Object(known.filter(|(_, value)| value.get("$unknown").is_none()).collect())
    };
    subjects.records.iter().map(|r| plain(r.to_json(shape))).collect()
}

#[test]
fn accounts_are_mapped_and_merged() {
    let assessment = accounts().assess();
    let subjects = assessment.accounts.expect("the scan reads accounts");
    assert!(subjects.complete);
    assert_eq!(
        known(&subjects, &model::account::SHAPE),
        [
            json!({"id": "ann", "username": "ann@acme", "state": "active", "privileged": true, "external": false, "second_factor": true}),
            // Whether bob is privileged is known from the second dataset only; whether he is a guest they contradict.
            json!({"id": "bob", "username": "bob@acme", "state": "active", "role": "guest", "privileged": false, "second_factor": false}),
            json!({"id": "cyd", "username": "cyd@acme", "state": "suspended", "privileged": false, "external": false, "second_factor": true}),
            json!({"id": "gus", "username": "gus", "state": "active", "role": "guest", "privileged": false, "external": true}),
        ]
    );
    assert!(assessment.plugins.is_none());
}

#[test]
fn checks_over_accounts_answer_with_their_source() {
    let assessment = accounts().assess();
    assert_eq!(
        answers(&assessment),
        [
            "account-factor bob: fail: bob@acme can sign in without a second factor",
            "account-factor gus: inconclusive: it is not known whether gus has a second factor: second_factor is not known",
        ]
    );
    let evidence = &assessment.results[0].evidence[0];
    assert_eq!((&*evidence.field, &*evidence.dataset), ("second_factor", "account"));
    assert_eq!(&*evidence.request, "GET https://api.example.com/members");
}

/// Why a field of an account is unknown is told from what its mapping lacked, with the permission.
#[test]
fn an_unknown_of_an_account_is_traced_to_its_dataset() {
    let mut run = accounts();
    run.fails("without_second_factor", Cause::Permission);
    let assessment = run.assess();
    let reason = "Members without a second factor: could not be read, permission fault";
    assert_eq!(
        answers(&assessment)[0],
        format!(
            "account-factor ann: inconclusive: it is not known whether ann@acme has a second factor: {reason}"
        )
    );
    assert_eq!(*assessment.results[0].needs, ["factor:read"]);
    assert_eq!(tallies(&assessment), [format!("account-factor 0/0/3/1 ({reason}) needs factor:read")]);
}

#[test]
fn an_unknown_by_plan_is_not_applicable() {
    let mut run = accounts();
    let reason = "The plan does not tell.".to_owned();
    run.read("without_second_factor", "[]")
        .availability("without_second_factor", Availability::NotApplicable { reason });
    let assessment = run.assess();
    assert_eq!(answers(&assessment)[0], "account-factor ann: not_applicable: The plan does not tell");
}

#[test]
fn accounts_are_complete_only_when_all_their_sources_are() {
    let mut run = accounts();
    run.fails("guests", Cause::Remote);
    let assessment = run.assess();
    assert!(!assessment.accounts.as_ref().expect("accounts").complete);
    assert!(tallies(&assessment)[0].contains("Guests: could not be read"), "{:?}", tallies(&assessment));

    let mut run = accounts();
    run.read("guests", "[]")
        .availability("guests", Availability::NotApplicable { reason: "No guests.".to_owned() });
    assert!(run.assess().accounts.expect("accounts").complete, "a plan without guests has none");

    let mut run = accounts();
    run.read("guests", "[{}]");
    let subjects = run.assess().accounts.expect("accounts");
    assert!(!subjects.complete, "a guest without an id is one that is not told of");
    assert_eq!(subjects.records.len(), 3);
}

#[test]
fn grants_of_one_plugin_are_united() {
    let mut run = Run::new(ScanKind::Plugins);
    run.read(
        "grants",
        r#"[{"grant": 1, "app": "bot", "user": "ann", "scopes": ["read"], "used_at": "2026-01-01T00:00:00Z"},
            {"grant": 2, "app": "bot", "user": "bob", "scopes": ["read", "write"], "used_at": null},
            {"grant": 3, "app": "new", "user": "ann", "scopes": ["read"], "used_at": null},
            {"grant": 4, "app": "new", "user": "ann", "scopes": ["read"]},
            {"grant": 5, "app": "odd", "user": "ann", "scopes": ["read", "peculiar"]},
            {"grant": 6, "app": "none", "user": "ann", "scopes": []},
            {"grant": 7, "app": "part", "user": "ann", "scopes": ["read"]}, {"grant": 8, "app": "part", "user": "ann"}]"#,
    );
    let assessment = run.assess();
    let subjects = assessment.plugins.clone().expect("the scan reads plugins");
    assert_eq!(
        known(&subjects, &model::plugin::SHAPE),
        [
            json!({"id": "bot", "name": "bot", "scopes": ["read", "write"], "users": ["ann", "bob"], "active": true,
                "last_used_at": "2026-01-01T00:00:00Z", "grade": "high"}),
            // One grant was never used, of the other it is not known.
            json!({"id": "new", "name": "new", "scopes": ["read"], "users": ["ann"], "active": true, "grade": "low"}),
            json!({"id": "odd", "name": "odd", "scopes": ["read", "peculiar"], "users": ["ann"], "active": true}),
            json!({"id": "none", "name": "none", "scopes": [], "users": ["ann"], "active": true, "grade": null}),
            json!({"id": "part", "name": "part", "scopes": {"$incomplete": ["read"]}, "users": ["ann"], "active": true}),
        ]
    );
    assert_eq!(tallies(&assessment), ["plugin-scopes 2/1/2/0 (grade is not known)"]);
}

#[test]
fn a_plugin_of_a_part_of_the_grants_is_known_in_part() {
    let mut run = Run::new(ScanKind::Plugins);
    run.read("grants", r#"[{"grant": 1, "app": "bot", "user": "ann", "scopes": ["read"], "used_at": null}]"#);
    let fault = common::fault(Cause::Remote, "502");
    run.availability("grants", Availability::Partial { fault });
    let subjects = run.assess().plugins.expect("the scan reads plugins");
    assert!(!subjects.complete);
    assert_eq!(
        known(&subjects, &model::plugin::SHAPE),
        [
            json!({"id": "bot", "name": "bot", "active": true, "scopes": {"$incomplete": ["read"]}, "users": {"$incomplete": ["ann"]}})
        ]
    );
}
