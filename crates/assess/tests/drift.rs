//! Settings that changed.

mod common;

use common::{NOW, Run, fault};
use model::dataset::Availability;
use model::scan::{FailureCause as Cause, ScanKind};

fn lines(run: &Run) -> Vec<String> {
    let drift = run.assess().drift;
    assert!(drift.iter().all(|d| d.at == NOW));
    drift
        .iter()
        .map(|d| {
            let side = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or("-".to_owned(), ToString::to_string)
            };
            let field = d.field.as_deref().unwrap_or("*");
            format!("{} {} {field}: {} -> {}", d.dataset, d.resource, side(&d.before), side(&d.after))
        })
        .collect()
}

fn run() -> Run {
    let mut run = Run::new(ScanKind::Config);
    run.read("policy", r#"[{"two_factor_required": false, "session_hours": 8, "updated_at": "2026-01-30T00:00:00Z"}]"#)
        .held("policy", r#"[{"two_factor_required": true, "session_hours": 8, "updated_at": "2026-01-01T00:00:00Z"}]"#)
        .read("repos", r#"[{"name": "new", "public": true, "protected": true}, {"name": "a", "public": true}]"#)
        .held("repos", r#"[{"name": "a", "public": false, "protected": true}, {"name": "old", "public": false, "protected": false}]"#);
    run
}

#[test]
fn changed_settings_and_records_that_came_or_went() {
    assert_eq!(
        lines(&run()),
        [
            "policy tenant-7 two_factor_required: true -> false",
            // What is not known now has not changed.
            "repos a public: false -> true",
            r#"repos new *: - -> {"name":"new","public":true,"protected":true}"#,
            r#"repos old *: {"name":"old","public":false,"protected":false} -> -"#,
        ]
    );
}

#[test]
fn only_complete_reads_of_one_revision_are_compared() {
    let mut partial = run();
    for name in ["policy", "repos"] {
        partial.availability(name, Availability::Partial { fault: fault(Cause::Remote, "502") });
    }
    assert_eq!(lines(&partial), [""; 0]);

    let mut revised = run();
    for (revision, _) in revised.before.values_mut() {
        *revision = 2;
    }
    assert_eq!(lines(&revised), [""; 0]);

    let mut first = run();
    first.before.clear();
    assert_eq!(lines(&first), [""; 0]);
}

#[test]
fn records_that_cannot_be_told_apart_are_not_compared() {
    let mut twice = run();
    twice.read("repos", r#"[{"name": "a", "public": true}, {"name": "a", "public": false}]"#);
    assert_eq!(lines(&twice), ["policy tenant-7 two_factor_required: true -> false"]);
}

#[test]
fn what_becomes_known_has_not_changed() {
    let mut run = run();
    run.read("policy", r#"[{"two_factor_required": true, "session_hours": 8}]"#)
        .held("policy", r#"[{"two_factor_required": true}]"#);
    run.read("repos", "[]").held("repos", "[]");
    assert_eq!(lines(&run), [""; 0]);
}
