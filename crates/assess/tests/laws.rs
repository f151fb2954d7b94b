//! The law of the product, tried on random tenants: what could not be read never looks like good news, nor like bad.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assess::{Assessment, Detail};
use common::{Run, fault};
use model::dataset::Availability;
use model::finding::{CheckResult, Outcome};
use model::scan::{FailureCause as Cause, RunOutcome, ScanKind};
use model::value::Value;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Choices drawn from random bytes; zero when they run out.
struct Dice<'b>(std::slice::Iter<'b, u8>);

impl Dice<'_> {
    fn pick(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.pick(100) < percent
    }

    fn yes(&mut self) -> bool {
        self.chance(50)
    }
}

/// A tenant as it is.
fn tenant(d: &mut Dice<'_>, kind: ScanKind) -> Run {
    let mut run = Run::new(kind);
    run.detail = Detail::All;
    let mut list = |name: &str, most: usize, record: &mut dyn FnMut(&mut Dice<'_>, usize) -> String| {
        let records: Vec<String> = (0..d.pick(most + 1)).map(|at| record(d, at)).collect();
        run.read(name, &format!("[{}]", records.join(",")));
    };
    match kind {
        ScanKind::Config => {
            list("policy", 1, &mut |d, _| {
                format!(r#"{{"two_factor_required": {}, "session_hours": {}}}"#, d.yes(), 8 + d.pick(8))
            });
            list("repos", 4, &mut |d, n| {
                format!(r#"{{"name": "r{n}", "public": {}, "protected": {}}}"#, d.chance(70), d.yes())
            });
            list("rules", 3, &mut |d, n| {
                format!(r#"{{"id": {n}, "repo": "r{}", "enforced": {}}}"#, d.pick(4), d.yes())
            });
        }
        ScanKind::Accounts => {
            list("members", 4, &mut |d, n| {
                format!(r#"{{"login": "m{n}", "admin": {}, "active": {}}}"#, d.yes(), d.chance(80))
            });
            list("without_second_factor", 3, &mut |d, n| {
                format!(r#"{{"login": "m{}"}}"#, (n + d.pick(2)) % 5)
            });
            list("guests", 2, &mut |_, n| format!(r#"{{"login": "m{}"}}"#, n + 3));
        }
        ScanKind::Plugins => list("grants", 5, &mut |d, n| {
            let scopes = ["[]", r#"["read"]"#, r#"["write"]"#, r#"["read", "write"]"#, r#"["odd"]"#];
            format!(
                r#"{{"grant": {n}, "app": "a{}", "user": "u{n}", "scopes": {}}}"#,
                d.pick(3),
                scopes[d.pick(5)]
            )
        }),
    }
    run
}

/// The same as far as it could be read.
fn read(d: &mut Dice<'_>, whole: &Run) -> Run {
    let mut part = Run::new(whole.kind);
    part.detail = Detail::All;
    part.datasets.clone_from(&whole.datasets);
    for data in part.datasets.values_mut() {
        for value in data.records.iter_mut().flat_map(|record| record.values.iter_mut()) {
            if d.chance(15) {
                *value = Value::Unknown;
            }
        }
        let fault = fault(Cause::Remote, "502");
        match d.pick(6) {
            0 => {
                data.records.truncate(d.pick(data.records.len() + 1));
                data.availability = Availability::Partial { fault };
            }
            1 => {
                data.records.clear();
                data.availability = Availability::Unavailable { fault };
            }
            _ => {}
        }
    }
    part
}

/// Decided answers by check and resource.
fn decided(assessment: &Assessment) -> BTreeMap<(String, String), Outcome> {
    let decided = assessment.results.iter().filter(|r| matches!(r.outcome, Outcome::Pass | Outcome::Fail));
    decided.map(|r| ((r.check.as_str().to_owned(), r.resource.to_string()), r.outcome)).collect()
}

proptest! {
    #![proptest_config(Config { cases: 1000, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_was_not_read_changes_no_answer(bytes in prop::collection::vec(any::<u8>(), 160)) {
        let mut d = Dice(bytes.iter());
        let kind = ScanKind::ALL[d.pick(3)];
        let mut whole = tenant(&mut d, kind);
        let mut part = read(&mut d, &whole);
        // Findings of before, about what is there and what is not.
        for (check, resource) in [
            ("repo-protected", "r0"), ("repo-protected", "r3"), ("repo-protected", "gone"), ("rules-exist", "1"), ("rules-exist", "tenant-7"),
            ("second-factor-required", "tenant-7"), ("account-factor", "m0"), ("account-factor", "m4"), ("plugin-scopes", "a0"), ("plugin-scopes", "a9"),
        ] {
            whole.finding(check, resource);
            part.finding(check, resource);
        }
        let (full, less) = (whole.assess(), part.assess());

        let all = decided(&full);
        for (about, outcome) in decided(&less) {
            if let Some(truth) = all.get(&about) {
                prop_assert_eq!(outcome, *truth, "{:?}", about);
            } else {
                // Decided in part, open in whole: only where two sources contradict each other in whole.
                prop_assert!(kind == ScanKind::Accounts, "{:?} is {:?} only when less is known", about, outcome);
            }
        }
        let resolved: BTreeSet<_> = full.resolved.iter().collect();
        for finding in &less.resolved {
            prop_assert!(resolved.contains(finding), "{:?} is resolved only when less is known", finding);
        }
        // Every check is told of, and a check over something unread is never without an open answer.
        prop_assert_eq!(less.tallies.len(), full.tallies.len());
        for tally in &less.tallies {
            prop_assert!(tally.pass + tally.fail + tally.inconclusive + tally.not_applicable > 0, "{:?}", tally);
        }
        // A run that lacks a required dataset has not succeeded, and says why.
        let lacks = part.datasets.iter().any(|(name, data)| {
            ["policy", "repos", "members", "grants"].contains(&name.as_str()) && !data.availability.is_complete()
        });
        prop_assert_eq!(less.outcome == RunOutcome::Succeeded, !lacks);
        prop_assert_eq!(less.fault.is_some(), lacks);
        // Saying less says nothing else: what is counted only is what passes and what is not asked about.
        part.detail = Detail::Findings;
        let short = part.assess();
        let open = |r: &&CheckResult| {
            r.outcome != Outcome::Pass && !(r.outcome == Outcome::NotApplicable && r.says.starts_with("does not apply"))
        };
        let told = |results: &[CheckResult]| -> BTreeMap<_, _> {
            results.iter().filter(open).map(|r| ((r.check.clone(), Arc::clone(&r.resource)), r.clone())).collect()
        };
        prop_assert_eq!(told(&short.results).len(), short.results.len());
        prop_assert_eq!(told(&short.results), told(&less.results));
        prop_assert_eq!((&short.tallies, &short.resolved, &short.stale), (&less.tallies, &less.resolved, &less.stale));
        // Whatever stays open of a finding is marked.
        for (id, check, resource) in &part.open {
            let fails = less.results.iter().any(|r| r.check == *check && *r.resource == **resource && r.outcome == Outcome::Fail);
            let settled = less.resolved.contains(id);
            prop_assert!(fails || settled || less.stale.contains(check), "{} {} is forgotten", check.as_str(), resource);
            prop_assert!(!(fails && settled), "{} {} fails and is resolved", check.as_str(), resource);
        }
    }
}
