use model::health::{Enablement, Progress};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::{Duration, Timestamp};
use store::checkpoints::{self, Part};
use store::instances::{self, NewCredential};
use store::runs::Commit;
use store::scans::{self, Claim, Held, Release, Renewed};
use store::{Db, Options, StoreError, runs};

use crate::support::*;

fn part(n: u32) -> Part {
    Part { dataset: "members".to_owned(), part: n, body: format!("page {n}").into_bytes() }
}

fn credential() -> NewCredential {
    NewCredential {
        auth: "token".to_owned(),
        settings: std::collections::BTreeMap::new(),
        origins: origins(),
        identity: identity("acme"),
        secrets: secrets("new"),
        stop: std::collections::BTreeSet::new(),
        enable: std::collections::BTreeSet::new(),
        gaps: std::collections::BTreeMap::new(),
        by: "ada".to_owned(),
    }
}

on_both! {
    async fn one_worker_holds_a_scan(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG, ScanKind::Accounts]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.expect("free");
        assert!(held.wanted, "onboarding asked for it");
        assert_eq!(held.fence, 1);
        assert!(claim(&f.db, &id, CONFIG, min(1)).await.is_none(), "held already");
        assert!(claim(&f.db, &id, ScanKind::Accounts, min(1)).await.is_some(), "another scan is free");
        assert!(claim(&f.db, &id, ScanKind::Plugins, min(1)).await.is_none(), "not supported");
        let facts = instances::get(&f.db, &id).await.unwrap().scan(CONFIG).unwrap().facts.clone();
        assert_eq!(facts.wanted_at, None, "the claim takes the request");
        let open = facts.open.expect("an open run");
        assert_eq!((open.run, open.started_at), (held.run.clone(), min(1)));
        assert_eq!(open.lease.expect("held").expires_at, min(2));
    }

    async fn renewing_prolongs_and_shows_progress(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let progress = Progress { datasets_done: 2, datasets_total: 5, records: 40 };
        let renewed = scans::renew(&f.db, &held, min(2), TTL, progress).await.unwrap();
        assert_eq!(renewed, Renewed::Held { expires_at: min(3) });
        let lease = instances::get(&f.db, &id).await.unwrap().scans[0].facts.open.clone().unwrap().lease.unwrap();
        assert_eq!((lease.expires_at, lease.progress), (min(3), progress));
        assert!(scans::expired(&f.db, min(2)).await.unwrap().is_empty());
    }

    async fn cancelling_a_running_scan_leaves_no_outcome(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert!(checkpoints::put(&f.db, &held, &part(0)).await.unwrap());
        assert!(scans::cancel(&f.db, &id, CONFIG, min(60), min(2), audit("scan.cancel")).await.unwrap());
        let renewed = scans::renew(&f.db, &held, min(2), TTL, Progress::default()).await.unwrap();
        assert_eq!(renewed, Renewed::Cancelled);
        assert!(scans::release(&f.db, &held, Release::Cancelled { next_at: min(60) }).await.unwrap());
        let facts = instances::get(&f.db, &id).await.unwrap().scans[0].facts.clone();
        assert_eq!((facts.open, facts.last, facts.next_at), (None, None, min(60)));
        assert!(checkpoints::of_run(&f.db, &held).await.unwrap().is_empty());
        assert!(!scans::cancel(&f.db, &id, CONFIG, min(60), min(2), audit("scan.cancel")).await.unwrap());
    }

    async fn a_drained_run_is_resumed_with_its_parts(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let first = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        for n in 0..3 {
            assert!(checkpoints::put(&f.db, &first, &part(n)).await.unwrap());
        }
        assert!(scans::release(&f.db, &first, Release::Drained).await.unwrap());
        let second = claim(&f.db, &id, CONFIG, min(10)).await.unwrap();
        assert_eq!(second.run, first.run);
        assert_eq!((second.started_at, second.deadline), (first.started_at, first.deadline));
        assert_eq!((second.abandoned, second.fence, second.wanted), (1, 2, true));
        assert_eq!(checkpoints::of_run(&f.db, &second).await.unwrap(), vec![part(0), part(1), part(2)]);
        assert!(!checkpoints::put(&f.db, &first, &part(9)).await.unwrap(), "the old fence writes nothing");
        assert_eq!(checkpoints::of_run(&f.db, &second).await.unwrap().len(), 3);
    }

    async fn waiting_for_the_vendor_holds_the_instance_back(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let wait = Release::Waiting { now: min(0), until: min(30), parts: vec![part(0)] };
        assert!(scans::release(&f.db, &held, wait).await.unwrap());
        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.instance.facts.blocked_until, Some(min(30)));
        let open = now.scans[0].facts.open.clone().unwrap();
        assert_eq!((open.waiting_until, open.lease), (Some(min(30)), None));
        let again = claim(&f.db, &id, CONFIG, min(31)).await.unwrap();
        assert_eq!((again.run.clone(), again.abandoned), (held.run, 0), "waiting is not abandoning");
        assert_eq!(checkpoints::of_run(&f.db, &again).await.unwrap(), vec![part(0)]);
    }

    async fn an_expired_lease_is_closed_not_taken(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert!(claim(&f.db, &id, CONFIG, min(9)).await.is_none());
        let expired = scans::expired(&f.db, min(9)).await.unwrap();
        assert_eq!(expired, vec![held.clone()]);
        let failed = nothing(&expired[0], RunOutcome::Failed(FailureCause::Internal), held.expires_at);
        runs::commit(&f.db, &expired[0], failed).await.unwrap();
        let late = nothing(&held, RunOutcome::Succeeded, min(10));
        assert!(matches!(runs::commit(&f.db, &held, late).await, Err(StoreError::Stale)));
        let facts = instances::get(&f.db, &id).await.unwrap().scans[0].facts.clone();
        assert_eq!(facts.last.unwrap().finished_at, held.expires_at);
        assert_eq!(facts.failures_in_a_row, 1);
    }

    async fn a_lease_that_was_renewed_since_it_was_found_expired_is_not_closed(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let expired = scans::expired(&f.db, min(9)).await.unwrap();
        // Its worker had stood still only.
        let renewed = scans::renew(&f.db, &held, min(9), TTL, Progress::default()).await;
        let Renewed::Held { expires_at } = renewed.unwrap() else { panic!("nobody has taken it") };
        let closed = |held: &Held| Commit {
            lease_end: Some(held.expires_at),
            ..nothing(held, RunOutcome::Failed(FailureCause::Internal), held.expires_at)
        };
        let refused = runs::commit(&f.db, &expired[0], closed(&expired[0])).await;
        assert!(matches!(refused, Err(StoreError::Stale)));
        // It dies after all.
        let expired = scans::expired(&f.db, min(20)).await.unwrap();
        assert_eq!((expired.len(), expired[0].expires_at), (1, expires_at));
        runs::commit(&f.db, &expired[0], closed(&expired[0])).await.unwrap();
    }

    async fn a_lease_closed_days_late_leaves_the_back_off_of_another_scan(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG, ScanKind::Accounts]).await;
        claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let now = min(1) + Duration::days(6);
        let other = claim(&f.db, &id, ScanKind::Accounts, now).await.unwrap();
        let until = now + Duration::minutes(20);
        let told = Release::Waiting { now, until, parts: Vec::new() };
        assert!(scans::release(&f.db, &other, told).await.unwrap());
        let dead = scans::expired(&f.db, now).await.unwrap();
        let closed = Commit {
            now,
            lease_end: Some(dead[0].expires_at),
            ..nothing(&dead[0], RunOutcome::Failed(FailureCause::Internal), dead[0].expires_at)
        };
        runs::commit(&f.db, &dead[0], closed).await.unwrap();
        assert_eq!(instances::get(&f.db, &id).await.unwrap().instance.facts.blocked_until, Some(until));
    }

    async fn a_lease_of_a_clock_that_ran_ahead_is_closed_when_it_is_set_right(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let ahead = min(1) + Duration::days(9);
        let held = claim(&f.db, &id, CONFIG, ahead).await.unwrap();
        assert!(scans::expired(&f.db, ahead).await.unwrap().is_empty());
        assert_eq!(scans::expired(&f.db, min(2)).await.unwrap(), [held]);
    }

    async fn a_request_of_a_clock_that_ran_ahead_is_answered_once(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert!(scans::want(&f.db, &id, CONFIG, min(2) + Duration::days(9), None).await.unwrap());
        runs::commit(&f.db, &held, nothing(&held, RunOutcome::Succeeded, min(3))).await.unwrap();
        let held = claim(&f.db, &id, CONFIG, min(4)).await.unwrap();
        assert!(held.wanted);
        runs::commit(&f.db, &held, nothing(&held, RunOutcome::Succeeded, min(5))).await.unwrap();
        assert_eq!(instances::get(&f.db, &id).await.unwrap().scans[0].facts.wanted_at, None);
    }

    async fn a_request_during_a_run_outlives_its_commit(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert!(scans::want(&f.db, &id, CONFIG, min(2), Some(audit("scan.now"))).await.unwrap());
        runs::commit(&f.db, &held, nothing(&held, RunOutcome::Succeeded, min(3))).await.unwrap();
        let facts = instances::get(&f.db, &id).await.unwrap().scans[0].facts.clone();
        assert_eq!(facts.wanted_at, Some(min(2)));
    }

    async fn a_new_credential_fences_the_old_runs(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG, ScanKind::Accounts]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        checkpoints::put(&f.db, &held, &part(0)).await.unwrap();
        let mut new = credential();
        new.stop = [ScanKind::Accounts].into();
        instances::reauthenticate(&f.db, &id, new, min(2), audit("reauthenticate")).await.unwrap();
        let late = nothing(&held, RunOutcome::Succeeded, min(3));
        assert!(matches!(runs::commit(&f.db, &held, late).await, Err(StoreError::Stale)));
        assert_eq!(scans::renew(&f.db, &held, min(3), TTL, Progress::default()).await.unwrap(), Renewed::Lost);
        assert!(!scans::release(&f.db, &held, Release::Drained).await.unwrap());
        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.instance.facts.credential_version, 2);
        let config = &now.scan(CONFIG).unwrap().facts;
        assert_eq!((config.open.clone(), config.wanted_at, config.last.clone()), (None, Some(min(2)), None));
        let accounts = &now.scan(ScanKind::Accounts).unwrap().facts;
        assert_eq!(accounts.enablement, Enablement::Stopped { since: min(2), by: "ada".to_owned() });
        assert!(claim(&f.db, &id, ScanKind::Accounts, min(4)).await.is_none());
        let fresh = claim(&f.db, &id, CONFIG, min(4)).await.unwrap();
        assert_eq!((fresh.credential_version, fresh.abandoned), (2, 0));
        assert!(checkpoints::of_run(&f.db, &fresh).await.unwrap().is_empty());
        // The version counts by itself, too: what the old credential read is not stored under the new one.
        let mut mixed = fresh.clone();
        mixed.credential_version = 1;
        let old = nothing(&mixed, RunOutcome::Succeeded, min(5));
        assert!(matches!(runs::commit(&f.db, &mixed, old).await, Err(StoreError::Stale)));
    }

    async fn pausing_drops_leases_and_resuming_wants_all(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG, ScanKind::Plugins]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert!(instances::pause(&f.db, &id, "ada", min(2), audit("pause")).await.unwrap());
        assert!(!instances::pause(&f.db, &id, "bob", min(3), audit("pause")).await.unwrap());
        let late = nothing(&held, RunOutcome::Succeeded, min(3));
        assert!(matches!(runs::commit(&f.db, &held, late).await, Err(StoreError::Stale)));
        assert!(claim(&f.db, &id, ScanKind::Plugins, min(3)).await.is_none(), "nothing runs while paused");
        let paused = instances::get(&f.db, &id).await.unwrap().instance.facts.paused.unwrap();
        assert_eq!((paused.since, paused.by.as_str()), (min(2), "ada"));
        assert!(instances::resume(&f.db, &id, min(90), audit("resume")).await.unwrap());
        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.instance.facts.paused, None);
        for scan in &now.scans {
            assert_eq!((scan.facts.wanted_at, scan.facts.watched_since), (Some(min(90)), min(90)));
        }
    }

    async fn a_removed_instance_takes_no_result(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        instances::remove(&f.db, &id, min(2), audit("remove")).await.unwrap();
        let late = nothing(&held, RunOutcome::Succeeded, min(3));
        assert!(matches!(runs::commit(&f.db, &held, late).await, Err(StoreError::Stale)));
        assert!(!checkpoints::put(&f.db, &held, &part(0)).await.unwrap());
        assert!(matches!(instances::get(&f.db, &id).await, Err(StoreError::NotFound { .. })));
        assert!(matches!(
            scans::want(&f.db, &id, CONFIG, min(3), None).await,
            Err(StoreError::NotFound { .. })
        ));
    }

    async fn an_enabled_scan_is_not_silenced(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let lost = Enablement::NotEnabled { missing: vec!["x".to_owned()], checked_at: min(1), offered: false };
        assert!(!scans::set_enablement(&f.db, &id, CONFIG, &lost, &[], min(1), None).await.unwrap());
        assert!(instances::get(&f.db, &id).await.unwrap().scans[0].facts.enablement.is_enabled());
    }

    async fn claims_of_many_at_once_give_one_lease(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let claims = (0..8).map(|_| {
            let (db, id) = (f.db.clone(), id.clone());
            tokio::spawn(async move { claim(&db, &id, CONFIG, min(1)).await })
        });
        let mut held = 0;
        for claim in claims.collect::<Vec<_>>() {
            held += usize::from(claim.await.unwrap().is_some());
        }
        assert_eq!(held, 1);
    }

    async fn a_suspended_credential_is_recorded_without_a_lease(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        let mut unsent = nothing(&held, RunOutcome::Failed(FailureCause::Credentials), min(2));
        unsent.finish.sent = false;
        unsent.finish.run.run = "other".into();
        assert!(!runs::record_unsent(&f.db, &id, CONFIG, unsent, min(2)).await.unwrap(), "it is held");
        runs::commit(&f.db, &held, nothing(&held, RunOutcome::Succeeded, min(3))).await.unwrap();
        scans::want(&f.db, &id, CONFIG, min(4), None).await.unwrap();
        let mut unsent = nothing(&held, RunOutcome::Failed(FailureCause::Credentials), min(5));
        unsent.finish.sent = false;
        unsent.finish.run.run = "third".into();
        assert!(runs::record_unsent(&f.db, &id, CONFIG, unsent, min(5)).await.unwrap());
        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.scans[0].facts.wanted_at, None, "the request is answered");
        assert_eq!(now.scans[0].facts.failures_in_a_row, 1);
        assert_eq!(now.instance.facts.credential_failures_in_a_row, 0, "nothing was sent");
    }

    async fn credential_failures_of_two_scans_are_both_counted(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG, ScanKind::Accounts, ScanKind::Plugins]).await;
        let mut held = Vec::new();
        for kind in ScanKind::ALL {
            held.push(claim(&f.db, &id, kind, min(1)).await.unwrap());
        }
        let commits = held.into_iter().map(|h| {
            let db = f.db.clone();
            tokio::spawn(async move {
                let failed = nothing(&h, RunOutcome::Failed(FailureCause::Credentials), min(2));
                runs::commit(&db, &h, failed).await.map(drop)
            })
        });
        for commit in commits.collect::<Vec<_>>() {
            commit.await.unwrap().unwrap();
        }
        let facts = instances::get(&f.db, &id).await.unwrap().instance.facts;
        assert_eq!(facts.credential_failures_in_a_row, 3);
        let suspension = facts.suspension.expect("suspended at the third");
        assert_eq!(suspension.next_try_at, min(2) + Duration::hours(1));
        assert!(!instances::lift_suspension(&f.db, &id, 7, min(70)).await.unwrap(), "another credential");
        assert!(instances::lift_suspension(&f.db, &id, 1, min(70)).await.unwrap());
        let now = instances::get(&f.db, &id).await.unwrap();
        assert_eq!(now.instance.facts.suspension, None);
        assert!(now.scans.iter().all(|s| s.facts.wanted_at == Some(min(70))));
    }
}

#[tokio::test]
async fn a_killed_process_leaves_no_lease_behind() {
    let f = lite().await;
    let id = onboard(&f.db, "a", &[CONFIG]).await;
    let held = claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
    f.db.clone().close().await;
    drop(f.db);
    let db = open(&f.address, 1).await.expect("the lock ended with the process");
    assert_eq!(scans::close_all_at_start(&db).await.unwrap(), 1);
    let again = claim(&db, &id, CONFIG, min(2)).await.expect("free");
    assert_eq!((again.run, again.abandoned), (held.run, 1));
}

#[tokio::test]
async fn on_postgresql_leases_live_by_the_clock_of_the_database() {
    let Some(address) = pg_address().await else { return };
    let options = store::Options { database_clock: true, ..options() };
    let open = async || {
        store::Db::open(&address, &key(1), Counting::new(), T0, options.clone()).await.expect("opens")
    };
    let (one, two) = (open().await, open().await);
    let id = onboard(&one, "a", &[CONFIG, ScanKind::Accounts]).await;
    // The nodes' clocks differ by years; the lease does not care.
    let years = Duration::days(4000);
    let held = claim(&one, &id, CONFIG, T0 + years).await.expect("free");
    assert!(claim(&two, &id, CONFIG, T0).await.is_none());
    assert!(
        scans::expired(&two, T0 + years + years).await.unwrap().is_empty(),
        "it is fresh by the one clock"
    );
    assert!(held.expires_at < T0 + years, "by the database's clock, not by the node's");
    let claim = scans::Claim {
        instance: &id,
        kind: ScanKind::Accounts,
        holder: "two",
        now: T0,
        ttl: Duration::seconds(-1),
        deadline: min(180),
    };
    let dead = scans::claim(&two, claim).await.unwrap().expect("free");
    assert_eq!(scans::expired(&one, T0).await.unwrap(), vec![dead]);
    assert_eq!(scans::close_all_at_start(&two).await.unwrap(), 0, "other nodes may be alive");
}

on_both! {
    async fn many_workers_commit_at_once(f: Fixture) {
        let mut commits = Vec::new();
        for n in 0..24 {
            let id = onboard(&f.db, &format!("i{n}"), &[CONFIG]).await;
            let db = f.db.clone();
            commits.push(tokio::spawn(async move {
                let failing = [fails("example/one", "alice", model::finding::Severity::Low)];
                let held = claim(&db, &id, CONFIG, min(1)).await.expect("free");
                let renewed = scans::renew(&db, &held, min(1), TTL, Progress::default()).await.unwrap();
                assert!(matches!(renewed, Renewed::Held { .. }));
                let mut commit = nothing(&held, RunOutcome::Succeeded, min(2));
                commit.results = &failing;
                runs::commit(&db, &held, commit).await.expect("committed").opened
            }));
        }
        let mut opened = 0;
        for commit in commits {
            opened += commit.await.expect("no panic");
        }
        assert_eq!(opened, 24);
    }
}

/// Nodes whose clocks are wrong by decades agree on when a lease ends.
#[tokio::test]
async fn on_postgresql_leases_end_by_the_databases_clock() {
    // Where no server is named the other tests of this file say so.
    let Some(address) = pg_address().await else { return };
    let db = Db::open(&address, &key(1), Counting::new(), T0, Options::default()).await.expect("opens");
    let id = onboard(&db, "a", &[CONFIG, ScanKind::Accounts]).await;
    let (behind, ahead) = (Timestamp(1_000), Timestamp(4_000_000_000_000));
    let by = async |kind, now, ttl| {
        let claim =
            Claim { instance: &id, kind, holder: "node", now, ttl, deadline: now + Duration::hours(3) };
        scans::claim(&db, claim).await.expect("a claim").expect("free")
    };
    let long = by(CONFIG, behind, Duration::hours(1)).await;
    for now in [behind, ahead] {
        assert!(scans::expired(&db, now).await.unwrap().is_empty(), "an hour is not over");
    }
    let renewed = scans::renew(&db, &long, behind, Duration::hours(2), Progress::default()).await.unwrap();
    let Renewed::Held { expires_at } = renewed else { panic!("{renewed:?}") };
    assert!(expires_at > long.expires_at && long.expires_at > behind + Duration::days(365));
    let short = by(ScanKind::Accounts, ahead, Duration(1)).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    for now in [behind, ahead] {
        let over: Vec<_> = scans::expired(&db, now).await.unwrap().into_iter().map(|held| held.run).collect();
        assert_eq!(
            over,
            std::slice::from_ref(&short.run),
            "a millisecond is over, whatever a node's clock says"
        );
    }
    db.close().await;
}
