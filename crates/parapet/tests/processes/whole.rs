//! Whether what is stored is the work of whole runs: each counted once, none half.

use std::collections::BTreeSet;

use crate::database::Database;
use crate::installation::PEOPLE;

/// Questions whose answer must be empty, each with what it would mean.
const WRONG: [(&str, &str); 9] = [
    (
        "more outcomes than claims",
        "SELECT s.instance_id, s.kind FROM scans s WHERE s.fence < \
         (SELECT COUNT(*) FROM runs r WHERE r.instance_id = s.instance_id AND r.kind = s.kind)",
    ),
    (
        "a day that counts other runs than the log has",
        "SELECT s.instance_id, s.kind FROM scans s WHERE \
         (SELECT COUNT(*) FROM runs r WHERE r.instance_id = s.instance_id AND r.kind = s.kind) <> \
         (SELECT COALESCE(SUM(d.succeeded + d.partial + d.failed), 0) FROM days d \
          WHERE d.instance_id = s.instance_id AND d.kind = s.kind)",
    ),
    (
        "findings that the runs' own counts do not add up to",
        "SELECT i.id FROM instances i WHERE \
         (SELECT COALESCE(SUM(r.opened + r.reopened - r.resolved), 0) FROM runs r WHERE r.instance_id = i.id) <> \
         (SELECT COUNT(*) FROM findings f WHERE f.instance_id = i.id AND f.state <> 'resolved')",
    ),
    (
        "tallies that count other failures than there are findings",
        "SELECT t.instance_id, t.check_id FROM tallies t WHERE t.fail <> (SELECT COUNT(*) FROM findings f \
         WHERE f.instance_id = t.instance_id AND f.check_id = t.check_id AND f.kind = t.kind AND f.state <> 'resolved' \
         AND f.stale_since IS NULL)",
    ),
    (
        "results of a run that is not there",
        "SELECT run_id FROM results WHERE run_id NOT IN (SELECT id FROM runs)",
    ),
    (
        "a snapshot of a run that is not there",
        "SELECT run_id FROM snapshots WHERE run_id NOT IN (SELECT id FROM runs)",
    ),
    (
        "a finding of a run that is not there",
        "SELECT run_id FROM findings WHERE run_id NOT IN (SELECT id FROM runs)",
    ),
    (
        "pages of a run that is not open",
        "SELECT c.run_id FROM checkpoints c WHERE c.run_id NOT IN (SELECT run_id FROM scans WHERE run_id IS NOT NULL)",
    ),
    ("an open run that has ended", "SELECT run_id FROM scans WHERE run_id IN (SELECT id FROM runs)"),
];

/// Checks everything; `seen` are runs that were seen to be committed.
pub(crate) async fn check(database: &Database, seen: &BTreeSet<String>) {
    let runs: BTreeSet<String> = database.ask("SELECT id FROM runs").await.into_iter().flatten().collect();
    let lost: Vec<_> = seen.difference(&runs).collect();
    assert!(lost.is_empty(), "committed runs are lost: {lost:?}");
    for (what, question) in WRONG {
        let found = database.ask(question).await;
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    last_runs(database).await;
    accounts(database).await;
}

/// What a scan says of its last run is what the log says.
async fn last_runs(database: &Database) {
    for row in database.ask("SELECT instance_id, kind, last FROM scans").await {
        let [instance, kind, last] = &row[..] else { panic!("{row:?}") };
        let logged = database
            .ask(&format!(
                "SELECT id FROM runs WHERE instance_id = '{instance}' AND kind = '{kind}' \
                 ORDER BY finished_at DESC, id DESC LIMIT 1"
            ))
            .await;
        match logged.first() {
            None => assert_eq!(last, "", "{instance} {kind}: a last run without a log"),
            Some(run) => assert!(last.contains(&run[0]), "{instance} {kind}: {last} is not {run:?}"),
        }
    }
}

/// The accounts of an instance are those of one read, all of them, stored by its latest run that succeeded.
async fn accounts(database: &Database) {
    for instance in database.ask("SELECT id FROM instances").await.into_iter().flatten() {
        let latest = database
            .ask(&format!(
                "SELECT id FROM runs WHERE instance_id = '{instance}' AND kind = 'accounts' AND outcome = 'succeeded' \
                 ORDER BY finished_at DESC, id DESC LIMIT 1"
            ))
            .await;
        let stored = database
            .ask(&format!(
                "SELECT run_id, record FROM accounts WHERE instance_id = '{instance}' AND gone_at IS NULL"
            ))
            .await;
        let Some(latest) = latest.first() else {
            assert!(stored.is_empty(), "{instance}: accounts without a run");
            continue;
        };
        assert_eq!(stored.len(), PEOPLE, "{instance}: accounts are missing or too many");
        let generation = |record: &str| {
            let rest =
                record.split_once("generation-").unwrap_or_else(|| panic!("no generation: {record}")).1;
            rest.split('-').next().unwrap_or_default().to_owned()
        };
        let of: BTreeSet<(&str, String)> =
            stored.iter().map(|row| (row[0].as_str(), generation(&row[1]))).collect();
        assert_eq!(of.len(), 1, "{instance}: accounts of several reads: {of:?}");
        assert!(
            of.iter().all(|(run, _)| *run == latest[0]),
            "{instance}: not of its latest run {latest:?}: {of:?}"
        );
    }
}
