//! Random sequences of operations, held against a model in memory that knows nothing of SQL.

use std::collections::{BTreeMap, BTreeSet};

use model::finding::{FindingState, Severity};
use model::health::{InstanceFacts, OpenRun, Paused, ScanFacts, Standing};
use model::id::{FindingId, InstanceId};
use model::scan::{FailureCause, RunOutcome};
use model::schedule::{Spread, after_run};
use model::time::{Duration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use store::findings::{self, Filter, Sort};
use store::scans::{self, Held, Release};
use store::{Cut, Order, instances, runs};

use crate::support::*;

/// Resources that may fail.
const RESOURCES: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone)]
enum Op {
    Claim,
    Drain,
    Wait,
    Cancel,
    Release,
    Want,
    Pause,
    Resume,
    Reauthenticate,
    /// Outcome, what fails, whether an old lease is used.
    Commit(RunOutcome, Vec<usize>, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        3 => Just(RunOutcome::Succeeded),
        1 => Just(RunOutcome::Partial(FailureCause::Remote)),
        1 => Just(RunOutcome::Failed(FailureCause::Credentials)),
    ];
    let failing = proptest::collection::vec(0..RESOURCES.len(), 0..4);
    prop_oneof![
        6 => Just(Op::Claim),
        1 => Just(Op::Drain),
        1 => Just(Op::Wait),
        1 => Just(Op::Cancel),
        1 => Just(Op::Release),
        1 => Just(Op::Want),
        1 => Just(Op::Pause),
        1 => Just(Op::Resume),
        1 => Just(Op::Reauthenticate),
        8 => (outcome, failing, proptest::bool::weighted(0.2)).prop_map(|(o, f, old)| Op::Commit(o, f, old)),
    ]
}

/// The model: what should be stored.
struct Expected {
    instance: InstanceFacts,
    scan: ScanFacts,
    fence: i64,
    cancel: bool,
    /// Resource to state, first and last seen, stale since.
    findings: BTreeMap<&'static str, (FindingState, Timestamp, Timestamp, Option<Timestamp>)>,
    runs: u64,
}

impl Expected {
    fn holds(&self, held: &Held) -> bool {
        held.fence == self.fence
            && self.scan.open.as_ref().is_some_and(|o| o.lease.is_some() && o.run == held.run)
    }

    fn claimable(&self) -> bool {
        self.instance.paused.is_none() && self.scan.open.as_ref().is_none_or(|o| o.lease.is_none())
    }

    fn claimed(&mut self, held: &Held, now: Timestamp) {
        self.fence += 1;
        self.cancel = false;
        self.scan.wanted_at = self.scan.wanted_at.filter(|w| *w > now);
        let open = self.scan.open.get_or_insert_with(|| OpenRun {
            run: held.run.clone(),
            started_at: now,
            deadline: now + Duration::hours(3),
            waiting_until: None,
            abandoned: 0,
            lease: None,
        });
        open.waiting_until = None;
        open.lease = Some(model::health::Lease {
            fence: self.fence,
            expires_at: now + TTL,
            progress: model::health::Progress::default(),
        });
    }

    fn fenced(&mut self) {
        self.fence += 1;
        self.scan.open = None;
        self.cancel = false;
    }

    fn committed(
        &mut self,
        held: &Held,
        outcome: RunOutcome,
        failing: &BTreeSet<&'static str>,
        at: Timestamp,
    ) {
        let after = after_run(&self.scan, &self.instance, finish(held, outcome, at), Spread(0));
        (self.scan, self.instance) = (after.scan, after.instance);
        self.runs += 1;
        let complete = outcome == RunOutcome::Succeeded;
        for (resource, finding) in &mut self.findings {
            if !failing.contains(resource) && finding.0 != FindingState::Resolved {
                if complete {
                    (finding.0, finding.3) = (FindingState::Resolved, None);
                } else {
                    finding.3.get_or_insert(at);
                }
            }
        }
        for resource in failing {
            let finding = self.findings.entry(resource).or_insert((FindingState::New, at, at, None));
            if finding.0 == FindingState::Resolved {
                (finding.0, finding.1) = (FindingState::New, at);
            }
            (finding.2, finding.3) = (at, None);
        }
    }
}

/// Runs one sequence on one database; an `Err` tells where it disagrees.
async fn agree(f: &Fixture, id: &InstanceId, ops: &[Op]) -> Result<(), String> {
    let db = &f.db;
    onboard(db, id.as_str(), &[CONFIG]).await;
    let first = instances::get(db, id).await.map_err(|e| e.to_string())?.standing();
    let mut expected = Expected {
        instance: first.instance,
        scan: first.scans[0].clone(),
        fence: 0,
        cancel: false,
        findings: BTreeMap::new(),
        runs: 0,
    };
    let mut leases: Vec<Held> = Vec::new();
    for (n, op) in (1i64..).zip(ops) {
        step(f, id, op, min(n), &mut expected, &mut leases)
            .await
            .map_err(|e| format!("step {n} {op:?}: {e}"))?;
        compare(f, id, &expected).await.map_err(|e| format!("after step {n} {op:?}: {e}"))?;
    }
    Ok(())
}

async fn step(
    f: &Fixture,
    id: &InstanceId,
    op: &Op,
    now: Timestamp,
    expected: &mut Expected,
    leases: &mut Vec<Held>,
) -> Result<(), String> {
    let db = &f.db;
    let ok = |e: store::StoreError| e.to_string();
    let last = leases.last().cloned();
    match op {
        Op::Claim => {
            let held = claim(db, id, CONFIG, now).await;
            if held.is_some() != expected.claimable() {
                return Err(format!("claimed: {}", held.is_some()));
            }
            if let Some(held) = held {
                expected.claimed(&held, now);
                leases.push(held);
            }
        }
        Op::Drain | Op::Wait | Op::Release => {
            let Some(held) = last else { return Ok(()) };
            let how = match op {
                Op::Drain => Release::Drained,
                Op::Wait => Release::Waiting { now, until: now + Duration::hours(1), parts: Vec::new() },
                _ => Release::Cancelled { next_at: now },
            };
            let holds = expected.holds(&held);
            if scans::release(db, &held, how).await.map_err(ok)? != holds {
                return Err(format!("released: {}", !holds));
            }
            let Some(open) = expected.scan.open.as_mut().filter(|_| holds) else { return Ok(()) };
            expected.cancel = false;
            open.lease = None;
            match op {
                Op::Drain => open.abandoned += 1,
                Op::Wait => {
                    open.waiting_until = Some(now + Duration::hours(1));
                    expected.instance.blocked_until = Some(now + Duration::hours(1));
                }
                _ => {
                    expected.scan.open = None;
                    expected.scan.next_at = now;
                }
            }
        }
        Op::Cancel => {
            let live = expected.scan.open.as_ref().is_some_and(|o| o.lease.is_some());
            let idle = expected.scan.open.is_some() || expected.scan.wanted_at.is_some();
            let done = scans::cancel(db, id, CONFIG, now, now, audit("cancel")).await.map_err(ok)?;
            if done != (live || idle) {
                return Err(format!("cancelled: {done}"));
            }
            if live {
                expected.cancel = true;
                expected.scan.wanted_at = None;
            } else if idle {
                expected.scan.open = None;
                expected.scan.wanted_at = None;
                expected.scan.next_at = now;
            }
        }
        Op::Want => {
            scans::want(db, id, CONFIG, now, None).await.map_err(ok)?;
            expected.scan.wanted_at.get_or_insert(now);
        }
        Op::Pause => {
            let done = instances::pause(db, id, "ada", now, audit("pause")).await.map_err(ok)?;
            if done != expected.instance.paused.is_none() {
                return Err(format!("paused: {done}"));
            }
            if done {
                expected.instance.paused = Some(Paused { since: now, by: "ada".to_owned() });
                expected.fenced();
            }
        }
        Op::Resume => {
            if instances::resume(db, id, now, audit("resume")).await.map_err(ok)? {
                expected.instance.paused = None;
                (expected.scan.wanted_at, expected.scan.next_at) = (Some(now), now);
                expected.scan.watched_since = now;
            }
        }
        Op::Reauthenticate => {
            let new = instances::NewCredential {
                auth: "token".to_owned(),
                settings: BTreeMap::new(),
                origins: origins(),
                identity: identity("acme"),
                secrets: secrets("next"),
                stop: BTreeSet::new(),
                enable: BTreeSet::new(),
                gaps: BTreeMap::new(),
                by: "ada".to_owned(),
            };
            instances::reauthenticate(db, id, new, now, audit("reauthenticate")).await.map_err(ok)?;
            expected.instance.credential_version += 1;
            expected.instance.credential_failures_in_a_row = 0;
            expected.instance.suspension = None;
            expected.fenced();
            (expected.scan.wanted_at, expected.scan.next_at) = (Some(now), now);
        }
        Op::Commit(outcome, failing, old) => {
            let held = if *old { leases.first().cloned() } else { last };
            let Some(held) = held else { return Ok(()) };
            commit(f, id, &held, *outcome, failing, now, expected).await?;
        }
    }
    Ok(())
}

async fn commit(
    f: &Fixture,
    id: &InstanceId,
    held: &Held,
    outcome: RunOutcome,
    failing: &[usize],
    at: Timestamp,
    expected: &mut Expected,
) -> Result<(), String> {
    let failing: BTreeSet<&'static str> = match outcome {
        RunOutcome::Failed(_) => BTreeSet::new(),
        _ => failing.iter().map(|n| RESOURCES[*n]).collect(),
    };
    let results: Vec<_> = failing.iter().map(|r| fails("example/one", r, Severity::High)).collect();
    let open: Vec<(FindingId, String)> = rows(f, id)
        .await?
        .into_iter()
        .filter(|r| r.state != FindingState::Resolved && !failing.contains(r.resource.as_str()))
        .map(|r| (r.id, r.resource))
        .collect();
    let resolved: Vec<FindingId> = open.into_iter().map(|(id, _)| id).collect();
    let stale = ["example/one".into()];
    let mut commit = nothing(held, outcome, at);
    commit.results = &results;
    if outcome == RunOutcome::Succeeded {
        commit.resolved = &resolved;
    } else {
        commit.stale = &stale;
    }
    let holds = expected.holds(held);
    match runs::commit(&f.db, held, commit).await {
        Ok(_) if holds => expected.committed(held, outcome, &failing, at),
        Err(store::StoreError::Stale) if !holds => {}
        other => return Err(format!("commit of a lease that is held: {holds} gave {other:?}")),
    }
    Ok(())
}

async fn rows(f: &Fixture, id: &InstanceId) -> Result<Vec<findings::Finding>, String> {
    let filter = Filter { instance: Some(id.clone()), ..Filter::default() };
    let page = findings::list(&f.db, &filter, Sort::Resource, Order::Ascending, Cut::first(100)).await;
    Ok(page.map_err(|e| e.to_string())?.rows)
}

async fn compare(f: &Fixture, id: &InstanceId, expected: &Expected) -> Result<(), String> {
    let found = instances::get(&f.db, id).await.map_err(|e| e.to_string())?.standing();
    let wanted = Standing { instance: expected.instance.clone(), scans: vec![expected.scan.clone()] };
    if found != wanted {
        return Err(format!("facts differ\n stored {found:#?}\n wanted {wanted:#?}"));
    }
    let found: Vec<_> = rows(f, id)
        .await?
        .into_iter()
        .map(|r| (r.resource, (r.state, r.first_seen_at, r.last_seen_at, r.stale_since)))
        .collect();
    let wanted: Vec<_> = expected.findings.iter().map(|(r, s)| ((*r).to_owned(), *s)).collect();
    if found != wanted {
        return Err(format!("findings differ\n stored {found:?}\n wanted {wanted:?}"));
    }
    let filter = runs::Filter { instance: Some(id.clone()), ..runs::Filter::default() };
    let log = runs::log(&f.db, &filter, Cut::first(1)).await.map_err(|e| e.to_string())?;
    if log.total != expected.runs {
        return Err(format!("{} runs are stored, {} were committed", log.total, expected.runs));
    }
    Ok(())
}

/// The same sequences on every machine: a failure is found again.
fn sequences(cases: usize) -> Vec<Vec<Op>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = proptest::collection::vec(op(), 5..30);
    (0..cases).map(|_| strategy.new_tree(&mut runner).expect("a sequence").current()).collect()
}

on_both! {
    async fn both_databases_agree_with_a_model(f: Fixture) {
        for (n, ops) in sequences(40).iter().enumerate() {
            let id = InstanceId::new(format!("case-{n}"));
            if let Err(e) = Box::pin(agree(&f, &id, ops)).await {
                panic!("case {n}: {e}\n{ops:?}");
            }
        }
    }
}
