use std::collections::BTreeMap;

use model::diagnosis::Warning;
use model::finding::{CheckTally, Drift, FindingState, Outcome, Severity};
use model::id::{CheckId, FindingId};
use model::plugin::Review;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::Value;
use store::findings::{self, EventKind, Exception, Filter, OperatorState};
use store::runs::{self, Committed, Gap};
use store::{Cut, Order, accounts, drift, instances, numbers, plugins, snapshots};

use crate::support::*;

pub(crate) async fn open_findings(f: &Fixture) -> Vec<findings::Finding> {
    let sort = findings::Sort::Resource;
    findings::list(&f.db, &Filter::default(), sort, Order::Ascending, Cut::first(100)).await.unwrap().rows
}

fn ids(rows: &[findings::Finding]) -> Vec<FindingId> {
    rows.iter().map(|r| r.id.clone()).collect()
}

fn tally(check: &str, fail: u64) -> CheckTally {
    CheckTally {
        check: check.into(),
        revision: 1,
        pass: 1,
        fail,
        inconclusive: 0,
        not_applicable: 0,
        reason: Some("members could not be read".to_owned()),
        needs: vec!["members:read".to_owned()],
    }
}

on_both! {
    async fn a_finding_lives_through_runs(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let failing = [fails("example/one", "alice", Severity::High), fails("example/one", "bob", Severity::High)];
        let done = run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        assert_eq!(done, Committed { opened: 2, reopened: 0, resolved: 0 });
        let first = open_findings(&f).await;
        assert_eq!(first.iter().map(|r| r.resource.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
        assert!(first.iter().all(|r| r.state == FindingState::New && r.first_seen_at == min(1)));

        // Alice passes, Bob still fails.
        let resolved = [first[0].id.clone()];
        let done = run_with(&f.db, &id, CONFIG, min(2), |c| {
            c.results = &failing[1..];
            c.resolved = &resolved;
        })
        .await;
        assert_eq!(done, Committed { opened: 0, reopened: 0, resolved: 1 });
        let second = open_findings(&f).await;
        assert_eq!(ids(&second), ids(&first), "ids stay");
        assert_eq!((second[0].state, second[0].resolved_at), (FindingState::Resolved, Some(min(2))));
        assert_eq!((second[1].first_seen_at, second[1].last_seen_at), (min(1), min(2)));

        // A failed run changes no finding: it makes the open ones stale.
        let stale = [CheckId::new("example/one")];
        run_with(&f.db, &id, CONFIG, min(3), |c| {
            c.finish.run.outcome = RunOutcome::Failed(FailureCause::Remote);
            c.stale = &stale;
        })
        .await;
        let third = open_findings(&f).await;
        assert_eq!((third[0].stale_since, third[1].stale_since), (None, Some(min(3))));
        assert_eq!(third[1].last_seen_at, min(2));
        run_with(&f.db, &id, CONFIG, min(4), |c| c.stale = &stale).await;
        assert_eq!(open_findings(&f).await[1].stale_since, Some(min(3)), "since the first");

        // Both fail again: one comes back, one is fresh.
        let done = run_with(&f.db, &id, CONFIG, min(5), |c| c.results = &failing).await;
        assert_eq!(done, Committed { opened: 0, reopened: 1, resolved: 0 });
        let last = open_findings(&f).await;
        assert_eq!((last[0].state, last[0].reopened, last[0].first_seen_at), (FindingState::New, 1, min(5)));
        assert_eq!((last[0].created_at, last[0].resolved_at), (min(1), None));
        assert_eq!(last[1].stale_since, None);
        let events: Vec<_> =
            findings::events(&f.db, &last[0].id).await.unwrap().into_iter().map(|e| (e.at, e.what)).collect();
        assert_eq!(
            events,
            [(min(1), EventKind::Opened), (min(2), EventKind::Resolved), (min(5), EventKind::Reopened)]
        );
        let log = runs::log(&f.db, &runs::Filter::default(), Cut::first(10)).await.unwrap();
        assert_eq!((log.total, log.rows[0].changed.reopened), (5, 1));
    }

    async fn operators_decide_and_runs_do_not_undo_it(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let failing = [fails("example/one", "alice", Severity::Low), fails("example/one", "bob", Severity::Low)];
        run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        let rows = open_findings(&f).await;
        let exception =
            Exception { reason: "a test tenant".to_owned(), approver: "eve".to_owned(), expires_at: min(100) };
        let suppressed = OperatorState::Suppressed(exception.clone());
        findings::set_state(&f.db, &rows[0].id, &OperatorState::InProgress, "ada", min(2), audit("x")).await.unwrap();
        findings::set_state(&f.db, &rows[1].id, &suppressed, "ada", min(2), audit("x")).await.unwrap();
        run_with(&f.db, &id, CONFIG, min(3), |c| c.results = &failing).await;
        let rows = open_findings(&f).await;
        assert_eq!(rows[0].state, FindingState::InProgress);
        assert_eq!(rows[0].state_changed, Some((min(2), "ada".to_owned())));
        assert_eq!((rows[1].state, rows[1].exception.clone()), (FindingState::Suppressed, Some(exception)));
        let n = numbers::of(&f.db, &id, min(0)).await.unwrap();
        assert_eq!((n.open, n.suppressed), (BTreeMap::from([(Severity::Low, 1)]), 1));
        assert_eq!(findings::expire_exceptions(&f.db, min(99)).await.unwrap(), 0);
        assert_eq!(findings::expire_exceptions(&f.db, min(100)).await.unwrap(), 1);
        let rows = open_findings(&f).await;
        assert_eq!((rows[1].state, rows[1].exception.clone()), (FindingState::New, None));
        let resolved = [rows[0].id.clone()];
        run_with(&f.db, &id, CONFIG, min(101), |c| c.resolved = &resolved).await;
        let refused = findings::set_state(&f.db, &rows[0].id, &OperatorState::New, "ada", min(102), audit("x")).await;
        assert!(refused.is_err(), "a resolved finding is a run's business");
    }

    /// PostgreSQL keeps no NUL, and its indexes no long texts.
    async fn whatever_a_vendor_calls_its_things_is_stored(f: Fixture) {
        let kind = ScanKind::Accounts;
        let id = onboard(&f.db, "a", &[kind]).await;
        let mut n = 7u64;
        let long: String = std::iter::repeat_with(|| {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + u8::try_from((n >> 33) % 26).unwrap())
        })
        .take(9000)
        .collect();
        let people = [account("1", &long, Value::Null), account("2", "b\0b", Value::Null)];
        let mut results = [fails("example/one", "1", Severity::Low), fails("example/one", "2", Severity::Low)];
        results[0].says = "a\0b".into();
        for minute in 1..3 {
            run_with(&f.db, &id, kind, min(minute), |c| {
                c.accounts = all_of(&people);
                c.results = &results;
            })
            .await;
        }
        let rows = open_findings(&f).await;
        assert_eq!(rows.iter().filter(|row| row.says == "a\u{fffd}b").count(), 1, "{rows:?}");
        let (filter, sort) = (accounts::Filter::default(), accounts::Sort::default());
        let page = accounts::list(&f.db, &filter, sort, Order::Ascending, Cut::first(9)).await.unwrap();
        assert_eq!(page.rows.len(), 2);
    }

    /// Both write findings, in orders of their own.
    async fn exceptions_that_end_and_runs_that_are_stored_do_not_lock_each_other_out(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let failing: Vec<_> =
            (0..40).map(|n| fails("example/one", &format!("r{n:02}"), Severity::Low)).collect();
        let turned: Vec<_> = failing.iter().rev().cloned().collect();
        run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        for round in 1..8 {
            let ends = min(round * 10);
            let exception = Exception { reason: "so".to_owned(), approver: "eve".to_owned(), expires_at: ends };
            for row in open_findings(&f).await {
                let state = OperatorState::Suppressed(exception.clone());
                findings::set_state(&f.db, &row.id, &state, "ada", min(2), audit("x")).await.unwrap();
            }
            let (expired, _) = tokio::join!(
                findings::expire_exceptions(&f.db, ends),
                run_with(&f.db, &id, CONFIG, ends, |c| c.results = if round % 2 == 0 { &failing } else { &turned }),
            );
            assert_eq!(expired.unwrap(), 40);
        }
    }

    async fn what_failed_in_this_run_is_not_resolved_by_it(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let failing = [fails("example/one", "alice", Severity::Low), fails("example/one", "alice", Severity::Low)];
        run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        let rows = open_findings(&f).await;
        assert_eq!(rows.len(), 1, "one finding a check and resource");
        let resolved = [rows[0].id.clone()];
        let done = run_with(&f.db, &id, CONFIG, min(2), |c| {
            c.results = &failing;
            c.resolved = &resolved;
        })
        .await;
        assert_eq!(done.resolved, 0);
        assert_eq!(open_findings(&f).await[0].state, FindingState::New);
    }

    async fn absence_means_gone_only_in_a_complete_read(f: Fixture) {
        let kind = ScanKind::Accounts;
        let id = onboard(&f.db, "a", &[kind]).await;
        let all = [
            account("1", "Alice", Value::Bool(true)),
            account("2", "bob", Value::Bool(false)),
            account("3", "Zoë", Value::Unknown),
        ];
        run_with(&f.db, &id, kind, min(1), |c| c.accounts = all_of(&all)).await;
        run_with(&f.db, &id, kind, min(2), |c| c.accounts = some_of(&all[..1])).await;
        run_with(&f.db, &id, kind, min(3), |c| {
            c.finish.run.outcome = RunOutcome::Failed(FailureCause::Remote);
            c.accounts = some_of(&[]);
        })
        .await;
        let list = async |filter: accounts::Filter| {
            let sort = accounts::Sort::Username;
            accounts::list(&f.db, &filter, sort, Order::Ascending, Cut::first(10)).await.unwrap().rows
        };
        let rows = list(accounts::Filter::default()).await;
        assert_eq!(rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
        let stale: Vec<Option<Timestamp>> = rows.iter().map(|r| r.stale_since).collect();
        assert_eq!(stale, [Some(min(3)), Some(min(2)), Some(min(2))]);
        assert_eq!(rows[0].record, all[0], "unknown and absent fields come back as such");
        let privileged = |p| accounts::Filter { privileged: Some(p), ..accounts::Filter::default() };
        assert_eq!(list(privileged(true)).await.len(), 1);
        assert_eq!(list(privileged(false)).await.len(), 1, "unknown is neither");
        let search = accounts::Filter { text: Some("ZOË".to_owned()), ..accounts::Filter::default() };
        assert_eq!(list(search).await.len(), 1);

        run_with(&f.db, &id, kind, min(4), |c| c.accounts = all_of(&all[..2])).await;
        assert_eq!(list(accounts::Filter::default()).await.len(), 2);
        let gone = list(accounts::Filter { gone: true, ..accounts::Filter::default() }).await;
        assert_eq!((gone.len(), gone[0].gone_at), (1, Some(min(4))));
        run_with(&f.db, &id, kind, min(5), |c| c.accounts = all_of(&all)).await;
        let back = accounts::get(&f.db, &id, "3").await.unwrap();
        assert_eq!((back.first_seen_at, back.gone_at, back.stale_since), (min(1), None, None));
    }

    async fn ids_that_differ_by_case_are_never_one(f: Fixture) {
        let kinds = [CONFIG, ScanKind::Accounts, ScanKind::Plugins];
        let id = onboard(&f.db, "a", &kinds).await;
        // Findings: what happens to one happens to it alone.
        let failing = [fails("example/one", "Repo", Severity::High), fails("example/one", "repo", Severity::High)];
        let done = run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        assert_eq!(done.opened, 2);
        let of = |rows: &[findings::Finding], resource: &str| {
            let found: Vec<_> = rows.iter().filter(|r| r.resource == resource).cloned().collect();
            assert_eq!(found.len(), 1, "{resource}");
            found[0].clone()
        };
        let rows = open_findings(&f).await;
        let (upper, lower) = (of(&rows, "Repo"), of(&rows, "repo"));
        assert_ne!(upper.id, lower.id);
        findings::set_state(&f.db, &lower.id, &OperatorState::InProgress, "ada", min(2), audit("x")).await.unwrap();
        let resolved = [upper.id.clone()];
        run_with(&f.db, &id, CONFIG, min(3), |c| {
            c.results = &failing[1..];
            c.resolved = &resolved;
        })
        .await;
        let rows = open_findings(&f).await;
        assert_eq!(of(&rows, "Repo").state, FindingState::Resolved);
        assert_eq!((of(&rows, "repo").state, of(&rows, "repo").id), (FindingState::InProgress, lower.id));

        // Accounts and plugins: one goes, the other stays, and each has what is its own.
        let kind = ScanKind::Accounts;
        let people = [account("Ada", "Ada", Value::Bool(true)), account("ada", "ada", Value::Bool(false))];
        run_with(&f.db, &id, kind, min(1), |c| c.accounts = all_of(&people)).await;
        for (at, name) in ["Ada", "ada"].into_iter().enumerate() {
            assert_eq!(accounts::get(&f.db, &id, name).await.unwrap().record, people[at], "{name}");
        }
        assert!(accounts::get(&f.db, &id, "ADA").await.is_err(), "nobody has that id");
        run_with(&f.db, &id, kind, min(2), |c| c.accounts = all_of(&people[1..])).await;
        assert_eq!(accounts::get(&f.db, &id, "Ada").await.unwrap().gone_at, Some(min(2)));
        assert_eq!(accounts::get(&f.db, &id, "ada").await.unwrap().gone_at, None);

        let kind = ScanKind::Plugins;
        let all = [plugin("Bot", "Bot", "high"), plugin("bot", "bot", "unknown")];
        run_with(&f.db, &id, kind, min(1), |c| c.plugins = all_of(&all)).await;
        let reviewed = plugins::Reviewed { review: Review::Reviewed, note: "", by: "ada" };
        plugins::review(&f.db, &id, "bot", reviewed, min(2), audit("review")).await.unwrap();
        assert_eq!(plugins::get(&f.db, &id, "Bot").await.unwrap().review, Review::NotReviewed);
        assert_eq!(plugins::get(&f.db, &id, "bot").await.unwrap().review, Review::Reviewed);
    }

    async fn a_plugin_that_comes_back_is_not_reviewed(f: Fixture) {
        let kind = ScanKind::Plugins;
        let id = onboard(&f.db, "a", &[kind]).await;
        let all = [plugin("1", "Deployer", "high"), plugin("2", "Linter", "unknown")];
        run_with(&f.db, &id, kind, min(1), |c| c.plugins = all_of(&all)).await;
        let reviewed = plugins::Reviewed { review: Review::Reviewed, note: "", by: "ada" };
        for p in ["1", "2"] {
            plugins::review(&f.db, &id, p, reviewed, min(2), audit("review")).await.unwrap();
        }
        run_with(&f.db, &id, kind, min(3), |c| c.plugins = all_of(&all[..1])).await;
        run_with(&f.db, &id, kind, min(4), |c| c.plugins = all_of(&all)).await;
        let (one, two) = (plugins::get(&f.db, &id, "1").await.unwrap(), plugins::get(&f.db, &id, "2").await.unwrap());
        assert_eq!((one.review, one.reviewed), (Review::Reviewed, Some((min(2), "ada".to_owned()))));
        assert_eq!((two.review, two.reviewed), (Review::NotReviewed, None));
        let n = numbers::of(&f.db, &id, min(0)).await.unwrap();
        assert_eq!((n.plugins, n.plugins_unreviewed), (2, 1));
        let ungraded = plugins::Filter { grade: Some("unknown".to_owned()), ..plugins::Filter::default() };
        assert_eq!(plugins::count(&f.db, &ungraded).await.unwrap(), 1);
    }

    async fn a_run_leaves_its_whole_story(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let fault = fault(FailureCause::Permission, min(1));
        let gaps = [Gap {
            dataset: "hooks".to_owned(),
            title: "Webhooks".to_owned(),
            required: false,
            fault: Some(fault.clone()),
            reason: "not permitted".to_owned(),
        }];
        let warnings = [Warning::CredentialExpires { at: min(1000) }];
        let mut unknown = fails("example/two", "alice", Severity::High);
        unknown.outcome = Outcome::Inconclusive;
        let results = [fails("example/one", "alice", Severity::Critical), unknown.clone()];
        let tallies = [tally("example/one", 1), tally("example/two", 0)];
        let drifts = [Drift {
            dataset: "org".to_owned(),
            resource: "acme".to_owned(),
            field: Some("mfa".to_owned()),
            before: Some(serde_json::json!(true)),
            after: None,
            at: min(1),
        }];
        let data = dataset(&["alice", "bob"], min(1));
        let done = run_with(&f.db, &id, CONFIG, min(1), |c| {
            c.gaps = &gaps;
            c.warnings = &warnings;
            c.cost.requests = 7;
            c.datasets_read = 3;
            c.datasets_total = 4;
            c.results = &results;
            c.tallies = &tallies;
            c.drift = &drifts;
            c.snapshots = vec![("members", &data)];
            c.revision = 5;
            c.shrunk = names(&["teams"]);
            c.sweeps = vec![("settings".to_owned(), b"half".to_vec())];
            c.blocked_until = Some(min(20));
        })
        .await;
        assert_eq!(done.opened, 1);

        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.scans[0].warnings, warnings);
        assert_eq!(now.instance.facts.blocked_until, Some(min(20)));
        assert_eq!(now.instance.credential_used_at, Some(min(1)));
        let run = runs::log(&f.db, &runs::Filter::default(), Cut::first(1)).await.unwrap().rows.remove(0);
        assert_eq!(runs::get(&f.db, &run.id).await.unwrap(), run);
        assert_eq!((run.gaps, run.cost.requests, run.datasets_read, run.datasets_total), (gaps.to_vec(), 7, 3, 4));
        assert!(run.wanted);
        assert_eq!(runs::results(&f.db, &id, CONFIG).await.unwrap(), [unknown]);
        let stored: Vec<CheckTally> =
            runs::tallies(&f.db, &id).await.unwrap().into_iter().map(|t| t.tally).collect();
        assert_eq!(stored, tallies);
        assert_eq!(runs::tallies_of_check(&f.db, &"example/two".into()).await.unwrap().len(), 1);
        let sums = runs::sums(&f.db).await.unwrap();
        let one = runs::Sum { instances: 1, pass: 1, fail: 1, ..runs::Sum::default() };
        assert_eq!(sums[&("example".into(), "example/one".into())], one);
        assert_eq!(sums.len(), 2);
        let seen = drift::list(&f.db, &drift::Filter::default(), Cut::first(10)).await.unwrap().rows;
        assert_eq!(seen[0].drift, drifts[0]);
        let prior = snapshots::prior(&f.db, &id, CONFIG).await.unwrap();
        assert_eq!(prior.datasets["members"].data, data);
        assert_eq!((prior.datasets["members"].revision, prior.open.len()), (5, 1));
        assert_eq!(prior.shrunk["teams"].first_at, min(1));
        assert_eq!(snapshots::sweeps(&f.db, &id).await.unwrap()["settings"], b"half");

        // The emptiness keeps its first time, is agreed to, and is forgotten when the dataset was read.
        run_with(&f.db, &id, CONFIG, min(2), |c| c.shrunk = names(&["teams"])).await;
        snapshots::agree_empty(&f.db, &id, "teams", "ada", min(3), audit("agree")).await.unwrap();
        let shrunk = snapshots::shrunk(&f.db, &id).await.unwrap();
        assert_eq!((shrunk["teams"].first_at, shrunk["teams"].agreed_at), (min(1), Some(min(3))));
        assert!(snapshots::agree_empty(&f.db, &id, "other", "ada", min(3), audit("agree")).await.is_err());
        assert_eq!(runs::tallies(&f.db, &id).await.unwrap().len(), 2, "a run without answers leaves the old ones");
        let empty = dataset(&[], min(4));
        run_with(&f.db, &id, CONFIG, min(4), |c| c.snapshots = vec![("teams", &empty)]).await;
        assert!(snapshots::shrunk(&f.db, &id).await.unwrap().is_empty());
        let removal = instances::removal(&f.db, &id).await.unwrap();
        assert_eq!((removal.findings, removal.runs, removal.drift), (1, 3, 1));
    }

    async fn days_count_runs_and_rows_of_failures(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let day = Duration::days(1);
        let outcomes = [
            RunOutcome::Succeeded,
            RunOutcome::Failed(FailureCause::Remote),
            RunOutcome::Failed(FailureCause::Remote),
            RunOutcome::Failed(FailureCause::Unreachable),
            RunOutcome::Partial(FailureCause::Permission),
        ];
        for (n, outcome) in (0i64..).zip(outcomes) {
            run_with(&f.db, &id, CONFIG, min(n), |c| c.finish.run.outcome = outcome).await;
        }
        run_with(&f.db, &id, CONFIG, T0 + day, |_| {}).await;
        let days = runs::days(&f.db, &id, T0).await.unwrap();
        assert_eq!(days.len(), 2);
        let d = &days[0];
        assert_eq!((d.succeeded, d.partial, d.failed, d.worst_row, d.down), (1, 1, 3, 3, true));
        assert_eq!(d.cause, Some(FailureCause::Permission));
        assert_eq!((days[1].succeeded, days[1].down, days[1].cause), (1, false, None));
        assert_eq!(runs::days(&f.db, &id, T0 + day).await.unwrap().len(), 1);
    }

    async fn the_lengths_of_successful_runs_are_those_of_this_scan(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let other = onboard(&f.db, "b", &[CONFIG]).await;
        run_with(&f.db, &other, CONFIG, min(1), |_| {}).await;
        let failed = RunOutcome::Failed(FailureCause::Remote);
        for (n, took, outcome) in [(10, 1, RunOutcome::Succeeded), (20, 2, failed), (30, 3, RunOutcome::Succeeded)] {
            run_with(&f.db, &id, CONFIG, min(n), |c| {
                c.finish.run.outcome = outcome;
                c.finish.run.started_at = c.finish.run.finished_at - Duration::minutes(took);
            })
            .await;
        }
        let lengths = runs::lengths(&f.db, &id, CONFIG, 25).await.unwrap();
        assert_eq!(lengths, [Duration::minutes(3), Duration::minutes(1)], "the latest first");
        assert_eq!(runs::lengths(&f.db, &id, CONFIG, 1).await.unwrap(), [Duration::minutes(3)]);
        let outcomes = runs::outcomes(&f.db, &id, min(20)).await.unwrap();
        assert_eq!(outcomes, [(CONFIG, min(20), false), (CONFIG, min(30), true)], "the oldest first");
    }

    async fn a_result_of_another_run_is_refused(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let mut wrong = nothing(&held, RunOutcome::Succeeded, min(2));
        wrong.finish.run.run = "other".into();
        assert!(runs::commit(&f.db, &held, wrong).await.is_err());
        let nameless = [account("", "x", Value::Unknown)];
        let mut keyless = nothing(&held, RunOutcome::Succeeded, min(2));
        keyless.accounts = all_of(&nameless);
        assert!(runs::commit(&f.db, &held, keyless).await.is_err());
        let log = runs::log(&f.db, &runs::Filter::default(), Cut::first(1)).await.unwrap();
        assert_eq!(log.total, 0, "nothing of it was kept");
    }
}
