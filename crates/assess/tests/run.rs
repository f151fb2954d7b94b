//! How a run ended, what it lacked, and which emptiness is not believed.

mod common;

use assess::Emptied;
use common::{HOUR, NOW, Run, fault, ids, stale, tallies};
use model::dataset::Availability;
use model::scan::{FailureCause as Cause, RunOutcome, ScanKind};
use model::time::Duration;

const POLICY: &str = r#"[{"two_factor_required": true, "session_hours": 8}]"#;
const REPOS: &str = r#"[{"name": "a", "public": true, "protected": true}]"#;

fn config() -> Run {
    let mut run = Run::new(ScanKind::Config);
    run.read("policy", POLICY)
        .read("repos", REPOS)
        .read("rules", r#"[{"id": 1, "repo": "a", "enforced": true}]"#);
    run
}

#[test]
fn all_required_read_is_success() {
    let assessment = config().assess();
    assert_eq!((assessment.outcome, assessment.fault), (RunOutcome::Succeeded, None));
    assert_eq!(assessment.gaps, []);
    assert_eq!(assessment.complete.into_iter().collect::<Vec<_>>(), ["policy", "repos", "rules"]);
}

/// Every way in which the two required datasets and the optional one can end, against the rule read as a table.
#[test]
fn the_outcome_follows_the_required_datasets() {
    let ways = ["complete", "part", "permission", "remote", "absent"];
    for policy in ways {
        for repos in ways {
            for rules in ways {
                let mut run = config();
                for (name, way) in [("policy", policy), ("repos", repos), ("rules", rules)] {
                    match way {
                        "part" => {
                            let fault = fault(Cause::Throttled, "the limit");
                            run.availability(name, Availability::Partial { fault });
                        }
                        "permission" => drop(run.fails(name, Cause::Permission)),
                        "remote" => drop(run.fails(name, Cause::Remote)),
                        "absent" => {
                            let reason = "The plan lacks it.".to_owned();
                            run.read(name, "[]").availability(name, Availability::NotApplicable { reason });
                        }
                        _ => {}
                    }
                }
                let required = [policy, repos];
                let cause = ["permission", "remote", "part"].into_iter().find(|way| required.contains(way));
                let cause = cause.map(|way| match way {
                    "permission" => Cause::Permission,
                    "remote" => Cause::Remote,
                    _ => Cause::Throttled,
                });
                let something = required.iter().any(|way| ["complete", "part", "absent"].contains(way));
                let wanted = match cause {
                    None => RunOutcome::Succeeded,
                    Some(cause) if something => RunOutcome::Partial(cause),
                    Some(cause) => RunOutcome::Failed(cause),
                };
                let assessment = run.assess();
                assert_eq!(assessment.outcome, wanted, "{policy} {repos} {rules}");
                assert_eq!(assessment.fault.map(|fault| fault.cause), wanted.cause());
                let gaps = [policy, repos, rules]
                    .iter()
                    .filter(|way| !["complete", "absent"].contains(*way))
                    .count();
                assert_eq!(assessment.gaps.len(), gaps, "{policy} {repos} {rules}");
            }
        }
    }
}

#[test]
fn nothing_read_is_failure() {
    let mut run = Run::new(ScanKind::Plugins);
    assert_eq!(run.assess().outcome, RunOutcome::Succeeded);
    assert_eq!(
        run.fails("grants", Cause::Unreachable).assess().outcome,
        RunOutcome::Failed(Cause::Unreachable)
    );
    run.datasets.clear();
    assert_eq!(
        run.assess().outcome,
        RunOutcome::Failed(Cause::Internal),
        "a dataset the run does not tell of"
    );
}

#[test]
fn a_sweep_that_goes_on_is_a_gap_and_no_fault() {
    let mut run = config();
    run.availability("repos", Availability::Sweeping { read: 1, of: 12_000 });
    let assessment = run.assess();
    assert_eq!(assessment.outcome, RunOutcome::Succeeded);
    assert_eq!(assessment.gaps[0].reason, "Repositories: 1 of 12,000 read so far");
    assert_eq!(tallies(&assessment)[0], "repo-protected 1/0/11999/0 (Repositories: 1 of 12,000 read so far)");
}

fn many() -> String {
    let repos: Vec<String> =
        (0..10).map(|n| format!(r#"{{"name": "r{n}", "public": true, "protected": false}}"#)).collect();
    format!("[{}]", repos.join(","))
}

#[test]
fn a_sudden_emptiness_is_not_believed_until_agreed() {
    let mut run = config();
    run.read("repos", "[]").held("repos", &many()).finding("repo-protected", "r1");
    let assessment = run.assess();
    assert_eq!(assessment.outcome, RunOutcome::Partial(Cause::Protocol));
    assert_eq!(assessment.emptied.iter().collect::<Vec<_>>(), ["repos"]);
    assert!(!assessment.complete.contains("repos"));
    assert_eq!(ids(&assessment.resolved), [""; 0]);
    assert_eq!(stale(&assessment), ["repo-protected"]);
    assert_eq!(assessment.drift, []);

    // A second run that comes too early changes nothing, one after an interval does, as does an operator.
    for (first_at, agreed, believed) in
        [(NOW - HOUR + Duration::seconds(1), false, false), (NOW - HOUR, false, true), (NOW, true, true)]
    {
        run.emptied.insert("repos".to_owned(), Emptied { first_at, agreed });
        let assessment = run.assess();
        assert_eq!(assessment.outcome == RunOutcome::Succeeded, believed);
        assert_eq!(assessment.emptied.is_empty(), believed);
        assert_eq!(ids(&assessment.resolved), if believed { vec!["repo-protected r1"] } else { vec![] });
    }
}

#[test]
fn few_records_may_go_at_once() {
    let mut run = config();
    let few = many().replacen(r#"{"name": "r0", "public": true, "protected": false},"#, "", 1);
    run.read("repos", "[]").held("repos", &few);
    let assessment = run.assess();
    assert_eq!(assessment.outcome, RunOutcome::Succeeded);
    assert!(assessment.emptied.is_empty());
}
