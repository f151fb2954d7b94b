//! Finished runs: the one transaction that stores everything a run found, and the run log.

use model::dataset::DatasetSnapshot;
use model::diagnosis::Warning;
use model::finding::{CheckResult, CheckTally, Drift, Outcome};
use model::health::{InstanceFacts, ScanFacts};
use model::id::InstanceId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Finish, TOO_FAR_AHEAD, after_back_off, after_run, is_wanted};
use model::time::{Duration, Timestamp};

use crate::accounts::{self, Accounts};
use crate::blob;
use crate::checkpoints;
use crate::db::{Db, What};
use crate::dialect;
use crate::directories;
use crate::error::StoreError;
use crate::findings::{self, Change as FindingChange};
use crate::instances;
use crate::plugins::Plugins;
use crate::scans::{self, Held, fence};
use crate::snapshots;
use crate::sql::{Arg, Batch, Tx, args, statements, to_json};

mod finished;
pub(crate) mod log;

pub use finished::{Commit, Committed, Gap, Subjects};
pub use log::{
    Day, Filter, Run, Sum, Tally, days, get, lengths, log, outcomes, results, sums, tallies, tallies_of_check,
};

/// What of a scan's facts a finished run decides. What came meanwhile (an interval, a request) stays.
macro_rules! set_after_run {
    () => {
        "next_at = $5, last = $6, last_success_at = $7, failures_in_a_row = $8, retryable_partials = $9, \
         failing_since = $10, warnings = $11, watched_since = $12, lease_holder = NULL, lease_expires_at = NULL, \
         cancel_at = NULL, progress = NULL, run_id = NULL, run_started_at = NULL, run_deadline_at = NULL, \
         run_waiting_until = NULL, run_abandoned = 0, run_wanted = FALSE "
    };
}

statements! {
    // The fence is the condition: whoever lost the lease changes no row, and nothing else of the transaction is kept. So is
    // the lease's end ($13 to $14): whoever closes it for the dead has seen it, and it has not been renewed since.
    FINISH_HELD = concat!(
        "UPDATE scans SET ", set_after_run!(),
        "WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at BETWEEN $13 AND $14"
    );
    // Without a lease: requests until $3 (now), or put beyond $13 by a clock, are answered; $4 is not in the condition.
    FINISH_UNSENT = concat!(
        "UPDATE scans SET wanted_at = CASE WHEN wanted_at <= $3 OR wanted_at > $13 THEN NULL ELSE wanted_at END, ",
        "fence = fence + $4, ", set_after_run!(),
        "WHERE instance_id = $1 AND kind = $2 AND enabled = TRUE AND lease_expires_at IS NULL"
    );
    INSERT = "INSERT INTO runs (id, instance_id, kind, outcome, cause, fault, gaps, warnings, started_at, finished_at, \
              cost, records, datasets_read, datasets_total, wanted, credential_version, opened, reopened, resolved, \
              stored_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
              $20)";
    DAY = "INSERT INTO days (instance_id, kind, day, succeeded, partial, failed, worst_row, down, cause) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
           ON CONFLICT (instance_id, kind, day) DO UPDATE SET succeeded = days.succeeded + excluded.succeeded, \
           partial = days.partial + excluded.partial, failed = days.failed + excluded.failed, \
           worst_row = CASE WHEN excluded.worst_row > days.worst_row THEN excluded.worst_row ELSE days.worst_row END, \
           down = (days.down OR excluded.down), cause = COALESCE(excluded.cause, days.cause)";
    TALLIES_DROP = "DELETE FROM tallies WHERE instance_id = $1 AND kind = $2";
    RESULTS_PUT = "INSERT INTO results (instance_id, kind, run_id, body) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (instance_id, kind) DO UPDATE SET run_id = excluded.run_id, body = excluded.body";
}

/// Tallies of a scan.
pub(crate) const TALLIES: Batch = Batch {
    name: "TALLIES",
    head: "INSERT INTO tallies (instance_id, kind, check_id, revision, pass, fail, inconclusive, not_applicable, \
           reason, needs, at)",
    columns: 11,
    tail: "",
};
/// Changes between two snapshots.
pub(crate) const DRIFT: Batch = Batch {
    name: "DRIFT",
    head: "INSERT INTO drift (id, instance_id, kind, run_id, dataset, resource, field, before_value, after_value, \
           search, at)",
    columns: 11,
    tail: "",
};

/// Stores a finished run and ends its lease, all or nothing.
///
/// # Errors
/// [`StoreError::Stale`] when the lease is no longer held, or was renewed by whom it is closed for, or the credential was
/// replaced: nothing is written.
/// [`StoreError::Unreadable`] when a record has no key, or `finish` is another run's.
pub async fn commit(db: &Db, held: &Held, commit: Commit<'_>) -> Result<Committed, StoreError> {
    if commit.finish.run.run != held.run {
        return Err(StoreError::unreadable(format_args!(
            "a result of {} for {}",
            commit.finish.run.run, held.run
        )));
    }
    let at = commit.finish.run.finished_at;
    // What is new is new since it is stored, by the one clock that all nodes share: a digest tells what was stored between two
    // instants, and what is stamped before it could be seen would be told by none.
    let stored_at = dialect::lease_clock(db, commit.now).await?;
    // Everything that costs time is done before the transaction, which holds SQLite's only write lock.
    let prepared = Prepared::of(db, held, &commit, stored_at)?;

    let mut tx = db.0.pool.begin().await?;
    let directory = directories::commit::begin(&mut tx, held, &commit).await?;
    let facts = match instances::locked(&mut tx, &held.instance).await {
        // Removed during the run: its result belongs to nothing any more.
        Err(StoreError::NotFound { .. }) => return Err(StoreError::Stale),
        other => other?.facts,
    };
    if facts.credential_version != held.credential_version {
        return Err(StoreError::Stale);
    }
    let scan = scans::facts(&mut tx, &held.instance, held.kind).await?;
    let after = after_run(&scan, &facts, commit.finish.clone(), commit.spread);
    let mut args = fence(held);
    args.extend(after_args(&after.scan, commit.warnings)?);
    let any = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    let (from, to) = commit.lease_end.map_or(any, |end| (end, end));
    args.extend(args![from, to]);
    if tx.run(FINISH_HELD, args).await? == 0 {
        return Err(StoreError::Stale);
    }
    let mut instance = after.instance;
    instance.blocked_until = after_back_off(instance.blocked_until, commit.blocked_until, commit.now);
    store_instance(&mut tx, &instance, &commit.finish).await?;

    let changed = findings::apply(
        db,
        &mut tx,
        held,
        &FindingChange {
            results: commit.results,
            resolved: commit.resolved,
            stale: commit.stale,
            at: stored_at,
        },
    )
    .await?;
    prepared.write(&mut tx, held, at, stored_at).await?;
    if held.kind == ScanKind::Accounts {
        tx.run(accounts::RECOUNT, args![&held.instance]).await?;
    }
    let wanted = match commit.accounts {
        Some(read) => directory.end(&mut tx, held, read, &commit).await?,
        None => Vec::new(),
    };
    for dataset in &commit.shrunk {
        tx.run(snapshots::SHRUNK_PUT, args![&held.instance, dataset, at]).await?;
    }
    checkpoints::drop_all(&mut tx, &held.instance, held.kind).await?;
    insert_run(&mut tx, held, &commit, changed, stored_at).await?;
    count_day(&mut tx, &held.instance, &commit.finish, &after.scan, instance.down_after).await?;
    tx.commit().await?;
    db.announce(Some(&held.instance), What::Scan(held.kind));
    if directory.is_read() {
        directories::announce(db, &wanted);
    }
    Ok(changed)
}

/// Stores a failed run that had no lease: a suspended credential, where nothing was sent. A due request is answered by
/// it. `false`: the scan is held or not enabled meanwhile, so nothing was stored.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn record_unsent(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    commit: Commit<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let at = commit.finish.run.finished_at;
    let mut tx = db.0.pool.begin().await?;
    let facts = instances::locked(&mut tx, instance).await?.facts;
    let scan = scans::facts(&mut tx, instance, kind).await?;
    let after = after_run(&scan, &facts, commit.finish.clone(), commit.spread);
    let mut args = args![instance, kind, now, 1i64];
    args.extend(after_args(&after.scan, commit.warnings)?);
    args.extend(args![now + TOO_FAR_AHEAD]);
    if facts.paused.is_some() || tx.run(FINISH_UNSENT, args).await? == 0 {
        return Ok(false);
    }
    store_instance(&mut tx, &after.instance, &commit.finish).await?;
    checkpoints::drop_all(&mut tx, instance, kind).await?;
    // No lease was held; the same shape serves for what is written about the run.
    let held = Held {
        instance: instance.clone(),
        kind,
        run: commit.finish.run.run.clone(),
        fence: 0,
        credential_version: facts.credential_version,
        started_at: commit.finish.run.started_at,
        deadline: at,
        expires_at: at,
        abandoned: 0,
        wanted: is_wanted(&scan, now),
    };
    let change = FindingChange { results: &[], resolved: &[], stale: commit.stale, at };
    let changed = findings::apply(db, &mut tx, &held, &change).await?;
    insert_run(&mut tx, &held, &commit, changed, at).await?;
    count_day(&mut tx, instance, &commit.finish, &after.scan, after.instance.down_after).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(kind));
    Ok(true)
}

/// What was packed before the transaction.
struct Prepared {
    accounts: Option<Accounts>,
    plugins: Option<Plugins>,
    tallies: Vec<Vec<Arg>>,
    drift: Vec<Vec<Arg>>,
    results: Option<Vec<u8>>,
    snapshots: Vec<(String, Vec<Arg>)>,
    sweeps: Vec<(String, Vec<u8>)>,
}

impl Prepared {
    fn of(db: &Db, held: &Held, commit: &Commit<'_>, stored_at: Timestamp) -> Result<Self, StoreError> {
        let at = commit.finish.run.finished_at;
        let tally = |t: &CheckTally| {
            Ok(args![
                &held.instance,
                held.kind,
                &t.check,
                t.revision,
                n(t.pass),
                n(t.fail),
                n(t.inconclusive),
                n(t.not_applicable),
                t.reason.as_deref(),
                to_json(&t.needs)?,
                at
            ])
        };
        let unresolved: Vec<&CheckResult> =
            commit.results.iter().filter(|r| r.outcome != Outcome::Fail).collect();
        let snapshot = |(name, data): &(&str, &DatasetSnapshot)| {
            let records = n(data.records.len() as u64);
            let body = snapshots::pack(data)?;
            let args = args![
                &held.instance,
                *name,
                held.kind,
                &held.run,
                commit.revision,
                data.collected_at,
                records,
                body
            ];
            Ok::<_, StoreError>(((*name).to_owned(), args))
        };
        Ok(Self {
            accounts: commit.accounts.map(|s| Accounts::prepare(db, held, s, at)).transpose()?,
            plugins: commit.plugins.map(|s| Plugins::prepare(db, held, s, stored_at)).transpose()?,
            tallies: commit.tallies.iter().map(tally).collect::<Result<_, StoreError>>()?,
            drift: commit
                .drift
                .iter()
                .map(|d| drift_args(db, held, d, stored_at))
                .collect::<Result<_, _>>()?,
            // A run that answered no check leaves the answers of the one before.
            results: if commit.tallies.is_empty() { None } else { Some(blob::pack_json(&unresolved)?) },
            snapshots: commit.snapshots.iter().map(snapshot).collect::<Result<_, _>>()?,
            sweeps: commit
                .sweeps
                .iter()
                .map(|(name, body)| Ok((name.clone(), blob::pack(body)?)))
                .collect::<Result<_, StoreError>>()?,
        })
    }

    async fn write(
        self,
        tx: &mut Tx,
        held: &Held,
        at: Timestamp,
        stored_at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(accounts) = self.accounts {
            accounts.write(tx, held, at).await?;
        }
        if let Some(plugins) = self.plugins {
            plugins.write(tx, held, stored_at).await?;
        }
        if let Some(results) = self.results {
            tx.run(TALLIES_DROP, args![&held.instance, held.kind]).await?;
            tx.insert_many(TALLIES, self.tallies).await?;
            tx.run(RESULTS_PUT, args![&held.instance, held.kind, &held.run, results]).await?;
        }
        tx.insert_many(DRIFT, self.drift).await?;
        for (name, args) in self.snapshots {
            tx.run(snapshots::PUT, args).await?;
            tx.run(snapshots::SHRUNK_DROP, args![&held.instance, name]).await?;
        }
        for (name, body) in self.sweeps {
            tx.run(snapshots::SWEEP_PUT, args![&held.instance, name, body, at]).await?;
        }
        Ok(())
    }
}

fn drift_args(db: &Db, held: &Held, d: &Drift, at: Timestamp) -> Result<Vec<Arg>, StoreError> {
    let search = format!("{} {}", d.resource, d.field.as_deref().unwrap_or_default()).to_lowercase();
    Ok(args![
        db.new_id(at),
        &held.instance,
        held.kind,
        &held.run,
        &d.dataset,
        &d.resource,
        d.field.as_deref(),
        d.before.as_ref().map(to_json).transpose()?,
        d.after.as_ref().map(to_json).transpose()?,
        search,
        at,
    ])
}

fn after_args(scan: &ScanFacts, warnings: &[Warning]) -> Result<Vec<Arg>, StoreError> {
    Ok(args![
        scan.next_at,
        scan.last.as_ref().map(to_json).transpose()?,
        scan.last_success_at,
        scan.failures_in_a_row,
        scan.retryable_partials_in_a_row,
        scan.failing_since,
        to_json(warnings)?,
        scan.watched_since,
    ])
}

async fn store_instance(tx: &mut Tx, facts: &InstanceFacts, finish: &Finish) -> Result<(), StoreError> {
    instances::store_facts(tx, facts).await?;
    if finish.sent {
        tx.run(instances::USED, args![&facts.id, finish.run.finished_at]).await?;
    }
    Ok(())
}

async fn insert_run(
    tx: &mut Tx,
    held: &Held,
    commit: &Commit<'_>,
    changed: Committed,
    stored_at: Timestamp,
) -> Result<(), StoreError> {
    let run = &commit.finish.run;
    let args = args![
        &run.run,
        &held.instance,
        held.kind,
        run.outcome.as_str(),
        run.outcome.cause().map(FailureCause::as_str),
        run.fault.as_deref().map(to_json).transpose()?,
        to_json(commit.gaps)?,
        to_json(commit.warnings)?,
        run.started_at,
        run.finished_at,
        to_json(&commit.cost)?,
        n(run.records),
        commit.datasets_read,
        commit.datasets_total,
        held.wanted,
        held.credential_version,
        n(changed.opened),
        n(changed.reopened),
        n(changed.resolved),
        stored_at,
    ];
    tx.run(INSERT, args).await.map(drop)
}

async fn count_day(
    tx: &mut Tx,
    instance: &InstanceId,
    finish: &Finish,
    after: &ScanFacts,
    down_after: u32,
) -> Result<(), StoreError> {
    let (succeeded, partial, failed) = match finish.run.outcome {
        RunOutcome::Succeeded => (1i64, 0i64, 0i64),
        RunOutcome::Partial(_) => (0, 1, 0),
        RunOutcome::Failed(_) => (0, 0, 1),
    };
    let args = args![
        instance,
        after.kind,
        day_of(finish.run.finished_at),
        succeeded,
        partial,
        failed,
        after.failures_in_a_row,
        after.failures_in_a_row >= down_after,
        finish.run.outcome.cause().map(FailureCause::as_str),
    ];
    tx.run(DAY, args).await.map(drop)
}

/// A count as both databases hold it. More than nine quintillion of anything are not met.
fn n(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Midnight UTC of the day, also before 1970.
fn day_of(at: Timestamp) -> Timestamp {
    let day = Duration::days(1).0;
    Timestamp(at.0.div_euclid(day) * day)
}
