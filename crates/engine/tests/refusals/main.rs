//! The law, refusal by refusal: whichever single request of a scan is not answered as it was, nothing starts to look better.
//!
//! Generated from the tapes of every application of the catalogue, so that an application that is added is covered. Each answer
//! that a tenant gave is replaced in turn by each of what a vendor may answer instead, the refusals that this vendor was seen to
//! give among them, and every scan that asks for it runs again:
//!
//! 1. No outcome becomes a pass. What is not answered any more for want of what failed leaves a doubt of its check behind.
//! 2. Outcomes of checks that look at no dataset that came out otherwise are what they were.
//! 3. No finding is resolved by datasets that failed; what is not seen again is stale.
//! 4. Accounts and plugins that are made of a dataset that failed are not all there are.
//! 5. A scan that lost what it requires did not succeed.
//!
//! That a list which was long and is now empty is not believed at once is tested where it is decided, in `assess`.

mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assess::Assessment;
use catalog::{App, Catalog, Check, MappingSpec, Over};
use collect::Outbound;
use model::dataset::Snapshot;
use model::finding::Outcome;
use model::id::FindingId;
use model::scan::{RunOutcome, ScanKind};
use serde_json::json;
use sim::tape::{Answer, Exchange, Tape};

/// Scans that one application's tapes must make, or the test has lost its meaning.
const AT_LEAST: usize = 20;

/// The refusals that a vendor was seen to give, each once.
fn refusals(tapes: &BTreeMap<String, Tape>) -> Vec<Answer> {
    let mut known = BTreeMap::new();
    for tape in tapes.values() {
        let recorded = tape.exchanges.iter().map(|e| (e.status, &e.headers, &e.body));
        let answers = recorded.chain(tape.otherwise.iter().map(|a| (a.status, &a.headers, &a.body)));
        for (status, headers, body) in answers.filter(|(status, ..)| matches!(status, 400 | 401 | 403)) {
            let answer = Answer { status, headers: headers.clone(), body: body.clone(), text: None };
            known.entry(format!("{status} {body:?}")).or_insert(answer);
        }
    }
    known.into_values().collect()
}

/// What may come instead of a good answer: what any server may do, and two of the vendor's own refusals, another two each time.
fn instead(good: &Exchange, refusals: &[Answer], turn: usize) -> Vec<Answer> {
    let answer = |status, body, text| Answer { status, headers: BTreeMap::new(), body, text };
    let says = |what: &str| Some(json!({ "message": what }));
    let whole = good.body.as_ref().map_or_else(|| good.text.clone().unwrap_or_default(), ToString::to_string);
    let half: String = whole.chars().take(whole.chars().count() / 2).collect();
    let mut answers = vec![
        answer(401, says("Bad credentials"), None),
        answer(403, says("Forbidden"), None),
        answer(404, says("Not Found"), None),
        answer(500, says("oops"), None),
        answer(200, None, None),
        answer(200, None, Some(half)),
    ];
    let own = (0..refusals.len().min(2)).map(|n| refusals[(turn * 2 + n) % refusals.len()].clone());
    answers.extend(own);
    answers
}

/// Datasets by what became of them: all that came out otherwise, and of those the ones that failed.
struct Changed<'a> {
    all: BTreeSet<&'a str>,
    failed: BTreeSet<&'a str>,
}

fn changed<'a>(before: &'a Snapshot, after: &Snapshot) -> Changed<'a> {
    let (mut all, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for (name, was) in &before.datasets {
        let is = &after.datasets[name];
        if was.availability != is.availability || was.records != is.records {
            all.insert(name.as_str());
            if is.availability.fault().is_some() {
                failed.insert(name.as_str());
            }
        }
    }
    Changed { all, failed }
}

/// Whether canonical records are made of something that is in there.
fn made_of(mappings: &[MappingSpec], names: &BTreeSet<&str>) -> bool {
    mappings
        .iter()
        .any(|m| names.contains(m.from.as_str()) || m.reads.iter().any(|r| names.contains(r.as_str())))
}

/// Whether a check looks at something that is in there.
fn looks_at(app: &App, check: &Check, names: &BTreeSet<&str>) -> bool {
    let there = |name: &str| match name {
        "account" => made_of(&app.accounts, names),
        "plugin" => made_of(&app.plugins, names),
        other => names.contains(other),
    };
    let over = match &check.over {
        Over::Dataset(name) => there(name),
        Over::Account => there("account"),
        Over::Plugin => there("plugin"),
    };
    over || check.reads.iter().any(|name| there(name))
}

type Places<'a> = BTreeMap<(&'a str, &'a str), Outcome>;

fn outcomes(a: &Assessment) -> Places<'_> {
    a.results.iter().map(|r| ((r.check.as_str(), &*r.resource), r.outcome)).collect()
}

/// Everything that is better than it may be.
fn broken(app: &App, before: &Assessment, after: &Assessment, changed: &Changed<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let (known, now) = (outcomes(before), outcomes(after));
    let depends = |id: &str, names: &BTreeSet<&str>| {
        let check = app.checks.iter().find(|c| c.id.as_str() == id);
        looks_at(app, check.expect("a check of the app"), names)
    };
    for (place, is) in &now {
        let was = known.get(place);
        // A subject that was not there before, as one whose end is not read any more, is seen more of, not less.
        if *is == Outcome::Pass && was.is_some_and(|was| was != is) {
            broken.push(format!("{place:?} was {was:?} and passes"));
        } else if was != Some(is) && !depends(place.0, &changed.all) {
            broken.push(format!("{place:?} was {was:?} and is {is:?}, and looks at nothing that changed"));
        }
    }
    let doubted: BTreeSet<&str> =
        now.iter().filter(|(_, is)| **is == Outcome::Inconclusive).map(|(place, _)| place.0).collect();
    for (place, was) in known.iter().filter(|(place, _)| !now.contains_key(*place)) {
        if !depends(place.0, &changed.all) {
            broken.push(format!("{place:?} is not answered, and looks at nothing that changed"));
        } else if depends(place.0, &changed.failed) && !doubted.contains(place.0) {
            broken.push(format!("{place:?} was {was:?} and left no doubt behind"));
        }
    }
    let failing: Vec<_> = before.results.iter().filter(|r| r.outcome == Outcome::Fail).collect();
    for (n, finding) in failing.iter().enumerate() {
        let resolved = after.resolved.contains(&FindingId::new(format!("f{n}")));
        let stands = now.get(&(finding.check.as_str(), &*finding.resource)) == Some(&Outcome::Fail);
        // Where the manifest says that an answer means "not here" or "none", a finding about it may go.
        let settled = changed.failed.is_empty() && depends(finding.check.as_str(), &changed.all);
        if resolved && !settled {
            broken.push(format!("a finding of {} about {} is resolved", finding.check, finding.resource));
        }
        if !resolved && !stands && !after.stale.contains(&finding.check) {
            broken.push(format!(
                "a finding of {} about {} is neither there nor stale",
                finding.check, finding.resource
            ));
        }
    }
    for (what, made, mappings) in
        [("accounts", &after.accounts, &app.accounts), ("plugins", &after.plugins, &app.plugins)]
    {
        let short = mappings.iter().any(|m| changed.failed.contains(m.from.as_str()));
        if short && made.as_ref().is_some_and(|made| made.complete) {
            broken.push(format!("the {what} are said to be all"));
        }
    }
    if after.gaps.iter().any(|gap| gap.required) && after.outcome == RunOutcome::Succeeded {
        broken.push(format!("the run succeeded without {:?}", after.gaps));
    }
    broken
}

/// A tape, and which of its exchanges are disturbed: those that no larger tape of the application holds.
struct Case {
    name: String,
    tape: Tape,
    at: Vec<usize>,
    refusals: Vec<Answer>,
}

fn cases(app: &App) -> Vec<Case> {
    let tapes = play::tapes(app);
    let refusals = refusals(&tapes);
    let mut tapes: Vec<(String, Tape)> = tapes.into_iter().filter(|(_, tape)| play::is_whole(tape)).collect();
    let good = |tape: &Tape| tape.exchanges.iter().filter(|e| e.status == 200).count();
    tapes.sort_by_key(|(_, tape)| std::cmp::Reverse(good(tape)));
    let mut seen = BTreeSet::new();
    let case = |(name, tape): (String, Tape)| {
        let fresh = |e: &Exchange| e.status == 200 && seen.insert(e.name().expect("the tape was read"));
        let fresh: Vec<bool> = tape.exchanges.iter().map(fresh).collect();
        let at = (0..fresh.len()).filter(|at| fresh[*at]).collect();
        Case { name, tape, at, refusals: refusals.clone() }
    };
    tapes.into_iter().map(case).collect()
}

/// Every answer of a tape replaced by everything; how many scans that took, and what was broken.
///
/// What replaces an answer meets the scans that ask for it in turn, not all of them: a dataset is read by the same code for each.
async fn disturb(outbound: Outbound, app: Arc<App>, case: Case) -> (usize, Vec<String>) {
    let mut whole = Vec::new();
    for kind in ScanKind::ALL.into_iter().filter(|kind| app.datasets_of(*kind).next().is_some()) {
        let scanned = play::read(&outbound, &app, &case.tape, kind).await;
        let assessed = play::judged(&app, &case.tape, &scanned.snapshot, None);
        whole.push((kind, scanned, assessed));
    }
    let (mut scans, mut wrong) = (0, Vec::new());
    for at in &case.at {
        let exchange = &case.tape.exchanges[*at];
        let name = exchange.name().expect("the tape was read");
        let asking: Vec<_> = whole.iter().filter(|(_, scanned, _)| scanned.played.contains(&name)).collect();
        for (turn, answer) in instead(exchange, &case.refusals, *at).into_iter().enumerate() {
            let Some((kind, scanned, before)) = asking.get((at + turn) % asking.len().max(1)) else {
                continue;
            };
            let again = play::read(&outbound, &app, &play::disturbed(&case.tape, *at, &answer), *kind).await;
            let after = play::judged(&app, &case.tape, &again.snapshot, Some(before));
            scans += 1;
            let changed = changed(&scanned.snapshot, &again.snapshot);
            let place = format!("{} {} {kind}: {name} answered with {answer:?}", app.id, case.name);
            wrong.extend(broken(&app, before, &after, &changed).iter().map(|b| format!("{place}: {b}")));
        }
    }
    (scans, wrong)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_that_is_lost_makes_anything_look_better() {
    let loaded = Catalog::builtin();
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let outbound = play::outbound();
    let mut running = tokio::task::JoinSet::new();
    for app in loaded.catalog.apps.into_values() {
        let cases = cases(&app);
        assert!(!cases.is_empty(), "{} has no tape of a tenant that answers", app.id);
        for case in cases {
            let (id, disturbing) = (app.id.to_string(), disturb(outbound.clone(), Arc::clone(&app), case));
            running.spawn(async move { (id, disturbing.await) });
        }
    }
    let (mut scans, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (id, (made, broken)) = done.expect("no scan panics");
        *scans.entry(id).or_default() += made;
        wrong.extend(broken);
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{} times:\n{}", wrong.len(), wrong.join("\n"));
    assert!(scans.values().all(|made| *made >= AT_LEAST), "{scans:?}");
}

/// Of a licence that lapsed, eligibilities may be left that nobody can list: Microsoft's refusal says that there are none only
/// where no subscription of the tenant, in whatever state, speaks of such a licence.
#[tokio::test]
async fn a_lapsed_licence_does_not_say_that_nobody_may_activate_a_role() {
    let app = Catalog::builtin().catalog.apps.remove(&"microsoft365".into()).expect("it is built in");
    let (outbound, tapes) = (play::outbound(), play::tapes(&app));
    let asks =
        |e: &Exchange| e.get.as_deref().is_some_and(|get| get.contains("/roleEligibilityScheduleInstances"));
    let answer_of = |tape: &Tape| {
        let found = tape.exchanges.iter().find(|e| asks(e)).expect("it is asked");
        let (headers, body, text) = (found.headers.clone(), found.body.clone(), found.text.clone());
        Answer { status: found.status, headers, body, text }
    };
    let refusal = answer_of(&tapes["free"]);
    assert!(refusal.status >= 400, "the tenant without the licence is refused");
    let free = play::read(&outbound, &app, &tapes["free"], ScanKind::Accounts).await.snapshot;
    assert!(free.datasets["role_eligibility"].availability.is_complete());

    let premium = &tapes["premium"];
    let at = premium.exchanges.iter().position(asks).expect("it is asked");
    let lapsed = play::disturbed(premium, at, &refusal);
    let read = play::read(&outbound, &app, &lapsed, ScanKind::Accounts).await.snapshot;
    assert!(!read.datasets["role_eligibility"].availability.is_complete());
    let judged = play::judged(&app, &lapsed, &read, None);
    let accounts = judged.accounts.expect("accounts").records;
    let (privileged, _) = model::account::SHAPE.field("privileged").expect("a field");
    let values: Vec<_> = accounts.iter().map(|account| account.values[privileged].as_bool()).collect();
    assert!(values.contains(&Some(true)), "who holds a role is privileged all the same");
    assert!(!values.contains(&Some(false)), "and of nobody it is known that they may not take one");
}
