//! Standing scans: the due-table, and leases with their fence.

use model::diagnosis::Warning;
use model::health::{Enablement, FinishedRun, Lease, OpenRun, Progress, ScanFacts};
use model::id::{InstanceId, RunId};
use model::scan::ScanKind;
use model::schedule::{LONGEST_LEASE, TOO_FAR_AHEAD, after_back_off};
use model::time::{Duration, Timestamp};

use crate::audit::{self, Entry};
use crate::checkpoints::{self, Part};
use crate::db::{Backend, Db, What};
use crate::dialect;
use crate::error::StoreError;
use crate::instances;
use crate::sql::{Row, Tx, args, statements, to_json};

pub(crate) mod standing;

pub(crate) use standing::change_enablement;
pub use standing::{set_enablement, set_pace};

/// The columns that [`read`] wants.
macro_rules! scan_columns {
    () => {
        "s.instance_id, s.kind, s.enablement, s.readiness_gaps, s.interval_ms, s.watched_since, s.next_at, \
         s.wanted_at, s.run_id, s.run_started_at, s.run_deadline_at, s.run_waiting_until, s.run_abandoned, \
         s.run_wanted, s.fence, s.lease_expires_at, s.progress, s.last, s.last_success_at, s.failures_in_a_row, \
         s.retryable_partials, s.failing_since, s.warnings"
    };
}
/// The columns that [`read_held`] wants.
macro_rules! held_columns {
    () => {
        "instance_id, kind, run_id, run_started_at, run_deadline_at, run_abandoned, run_wanted, fence, \
         lease_expires_at"
    };
}

statements! {
    INSERT = "INSERT INTO scans (instance_id, kind, enabled, enablement, readiness_gaps, interval_ms, watched_since, \
              next_at, wanted_at, run_abandoned, run_wanted, fence, failures_in_a_row, retryable_partials, warnings) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, FALSE, 0, 0, 0, '[]')";
    SELECT_ALL = concat!("SELECT ", scan_columns!(), " FROM scans s ORDER BY s.instance_id, s.kind");
    SELECT_OF = concat!("SELECT ", scan_columns!(), " FROM scans s WHERE s.instance_id = $1 ORDER BY s.kind");
    SELECT_ONE = concat!("SELECT ", scan_columns!(), " FROM scans s WHERE s.instance_id = $1 AND s.kind = $2");
    CLAIM = concat!(
        "UPDATE scans SET fence = fence + 1, lease_holder = $3, lease_expires_at = $5, cancel_at = NULL, ",
        "progress = NULL, run_waiting_until = NULL, ",
        "run_wanted = CASE WHEN run_id IS NOT NULL AND run_wanted THEN TRUE \
         WHEN wanted_at IS NOT NULL AND (wanted_at <= $4 OR wanted_at > $8) THEN TRUE ELSE FALSE END, ",
        // A request that a clock put far ahead is due, so it is answered too.
        "wanted_at = CASE WHEN wanted_at <= $4 OR wanted_at > $8 THEN NULL ELSE wanted_at END, ",
        "run_abandoned = CASE WHEN run_id IS NULL THEN 0 ELSE run_abandoned END, ",
        "run_started_at = CASE WHEN run_id IS NULL THEN $4 ELSE run_started_at END, ",
        "run_deadline_at = CASE WHEN run_id IS NULL THEN $6 ELSE run_deadline_at END, ",
        "run_id = COALESCE(run_id, $7) ",
        "WHERE instance_id = $1 AND kind = $2 AND enabled = TRUE AND lease_expires_at IS NULL ",
        "AND EXISTS (SELECT 1 FROM instances i WHERE i.id = scans.instance_id AND i.paused_at IS NULL) ",
        "RETURNING ", held_columns!(), ", ",
        "(SELECT i.credential_version FROM instances i WHERE i.id = scans.instance_id) AS credential_version"
    );
    RENEW = "UPDATE scans SET lease_expires_at = $5, progress = $6 \
             WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at IS NOT NULL \
             RETURNING cancel_at";
    // What every ending of a lease has in common: only the holder of the latest fence can end it.
    RELEASE_DROP = "UPDATE scans SET lease_holder = NULL, lease_expires_at = NULL, cancel_at = NULL, progress = NULL, \
                    run_id = NULL, run_started_at = NULL, run_deadline_at = NULL, run_waiting_until = NULL, \
                    run_abandoned = 0, run_wanted = FALSE, next_at = $5 \
                    WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at IS NOT NULL";
    RELEASE_DRAIN = "UPDATE scans SET lease_holder = NULL, lease_expires_at = NULL, cancel_at = NULL, progress = NULL, \
                     run_abandoned = run_abandoned + 1 \
                     WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at IS NOT NULL";
    RELEASE_WAIT = "UPDATE scans SET lease_holder = NULL, lease_expires_at = NULL, cancel_at = NULL, progress = NULL, \
                    run_waiting_until = $5 \
                    WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at IS NOT NULL";
    EXPIRED = concat!(
        "SELECT ", held_columns!(), ", ",
        "(SELECT i.credential_version FROM instances i WHERE i.id = scans.instance_id) AS credential_version ",
        "FROM scans WHERE lease_expires_at IS NOT NULL AND (lease_expires_at <= $1 OR lease_expires_at > $2) ",
        "ORDER BY lease_expires_at"
    );
    CLOSE_ALL = "UPDATE scans SET lease_holder = NULL, lease_expires_at = NULL, progress = NULL, cancel_at = NULL, \
                 run_abandoned = run_abandoned + 1 WHERE lease_expires_at IS NOT NULL";
    WANT = "UPDATE scans SET wanted_at = CASE WHEN wanted_at IS NULL OR wanted_at > $3 THEN $3 ELSE wanted_at END \
            WHERE instance_id = $1 AND kind = $2 AND enabled = TRUE";
    CANCEL_LIVE = "UPDATE scans SET cancel_at = COALESCE(cancel_at, $3), wanted_at = NULL \
                   WHERE instance_id = $1 AND kind = $2 AND lease_expires_at IS NOT NULL";
    CANCEL_IDLE = "UPDATE scans SET wanted_at = NULL, run_id = NULL, run_started_at = NULL, run_deadline_at = NULL, \
                   run_waiting_until = NULL, run_abandoned = 0, run_wanted = FALSE, next_at = $3 \
                   WHERE instance_id = $1 AND kind = $2 AND lease_expires_at IS NULL \
                   AND (run_id IS NOT NULL OR wanted_at IS NOT NULL)";
    // A run of a credential or of a time that no longer counts: its lease is fenced, its checkpoints are dropped.
    FENCE_ALL = "UPDATE scans SET fence = fence + 1, lease_holder = NULL, lease_expires_at = NULL, cancel_at = NULL, \
                 progress = NULL, run_id = NULL, run_started_at = NULL, run_deadline_at = NULL, \
                 run_waiting_until = NULL, run_abandoned = 0, run_wanted = FALSE WHERE instance_id = $1";
    WANT_ALL = "UPDATE scans SET wanted_at = $2, next_at = $2 WHERE instance_id = $1 AND enabled = TRUE";
    FORGET_WARNINGS = "UPDATE scans SET warnings = '[]' WHERE instance_id = $1";
    WATCH_ALL = "UPDATE scans SET watched_since = $2 WHERE instance_id = $1 AND enabled = TRUE";
}

/// One supported scan of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// What health reads.
    pub facts: ScanFacts,
    /// Missing permissions that leave gaps, as of the last verification.
    pub readiness_gaps: Vec<String>,
    /// What its last finished run warned of.
    pub warnings: Vec<Warning>,
}

/// A supported scan as it is set up at onboarding.
#[derive(Debug, Clone)]
pub struct ScanSetup {
    /// Which.
    pub kind: ScanKind,
    /// Whether the credential suffices.
    pub enablement: Enablement,
    /// Time between runs.
    pub interval: Duration,
    /// Missing permissions that leave gaps.
    pub gaps: Vec<String>,
}

/// The hold of one worker on one run. Only a lease whose fence is still the scan's may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The run: a new one, or the open one that is resumed.
    pub run: RunId,
    /// The fencing token.
    pub fence: i64,
    /// The credential's version at the claim.
    pub credential_version: i64,
    /// When the run was first claimed.
    pub started_at: Timestamp,
    /// When the run must have ended.
    pub deadline: Timestamp,
    /// When the lease ends unless renewed.
    pub expires_at: Timestamp,
    /// How often a worker handed the run back unfinished before.
    pub abandoned: u32,
    /// Whether the run was asked for by somebody (Scan now, onboarding, Reauthenticate).
    pub wanted: bool,
}

/// A claim of a scan.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The instance.
    pub instance: &'a InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// Who holds it: a name for the logs.
    pub holder: &'a str,
    /// Now.
    pub now: Timestamp,
    /// How long the lease lives without renewal.
    pub ttl: Duration,
    /// The deadline if this begins a new run.
    pub deadline: Timestamp,
}

/// What a renewal learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Still held.
    Held {
        /// The new end of the lease.
        expires_at: Timestamp,
    },
    /// Somebody pressed Cancel: stop and [`release`].
    Cancelled,
    /// No longer held: expired and closed, paused, removed or fenced. Stop; nothing can be written.
    Lost,
}

/// Why a lease is handed back without outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Cancelled: the open run is dropped with its checkpoints; the next run is due at the given time.
    Cancelled {
        /// When the scan is due again.
        next_at: Timestamp,
    },
    /// Drained: the open run stays, is resumed by the next claim, and counts as abandoned once more.
    Drained,
    /// The vendor's long back-off: the open run stays and is not due before the given time, and nothing else of the
    /// instance is ([`model::health::InstanceFacts::blocked_until`]).
    Waiting {
        /// Now.
        now: Timestamp,
        /// The vendor's reset.
        until: Timestamp,
        /// The last parts that were read, not stored yet.
        parts: Vec<Part>,
    },
}

/// Takes a scan that nobody holds. One statement. `None`: held by another, not enabled, paused, or gone.
/// Takes a due `wanted_at` with it. An open run (waiting or drained) is resumed with its id, start and deadline.
/// An expired lease is not taken over; [`expired`] lists those to be closed first.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(db: &Db, claim: Claim<'_>) -> Result<Option<Held>, StoreError> {
    let lease_now = dialect::lease_clock(db, claim.now).await?;
    let args = args![
        claim.instance,
        claim.kind,
        claim.holder,
        claim.now,
        lease_now + claim.ttl,
        claim.deadline,
        db.new_id(claim.now),
        claim.now + TOO_FAR_AHEAD
    ];
    let mut tx = db.0.pool.begin().await?;
    let held = tx.row(CLAIM, args).await?.as_ref().map(read_held).transpose()?;
    tx.commit().await?;
    if held.is_some() {
        db.announce(Some(claim.instance), What::Scan(claim.kind));
    }
    Ok(held)
}

/// Prolongs a lease and stores the progress.
///
/// # Errors
/// When the database cannot be written; a lost lease is not an error but [`Renewed::Lost`].
pub async fn renew(
    db: &Db,
    held: &Held,
    now: Timestamp,
    ttl: Duration,
    progress: Progress,
) -> Result<Renewed, StoreError> {
    let expires_at = dialect::lease_clock(db, now).await? + ttl;
    let mut args = fence(held);
    args.extend(args![expires_at, to_json(&progress)?]);
    let mut tx = db.0.pool.begin().await?;
    let Some(row) = tx.row(RENEW, args).await? else { return Ok(Renewed::Lost) };
    let cancelled = row.time_opt("cancel_at")?.is_some();
    tx.commit().await?;
    db.announce(Some(&held.instance), What::Progress(held.kind));
    Ok(if cancelled { Renewed::Cancelled } else { Renewed::Held { expires_at } })
}

/// Hands a lease back without outcome. `false`: it was lost already, nothing was changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn release(db: &Db, held: &Held, how: Release) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let blocked_until = match instances::locked(&mut tx, &held.instance).await {
        Err(StoreError::NotFound { .. }) => return Ok(false),
        other => other?.facts.blocked_until,
    };
    let mut args = fence(held);
    let released = match how {
        Release::Cancelled { next_at } => {
            args.extend(args![next_at]);
            let released = tx.run(RELEASE_DROP, args).await? > 0;
            if released {
                checkpoints::drop_all(&mut tx, &held.instance, held.kind).await?;
            }
            released
        }
        Release::Drained => tx.run(RELEASE_DRAIN, args).await? > 0,
        Release::Waiting { now, until, parts } => {
            args.extend(args![until]);
            let released = tx.run(RELEASE_WAIT, args).await? > 0;
            if released {
                let blocked = after_back_off(blocked_until, Some(until), now);
                tx.run(instances::BLOCK, args![&held.instance, blocked]).await?;
                for part in &parts {
                    checkpoints::insert(&mut tx, held, part).await?;
                }
            }
            released
        }
    };
    tx.commit().await?;
    if released {
        db.announce(Some(&held.instance), What::Scan(held.kind));
    }
    Ok(released)
}

/// Leases that ended without a word from their worker, oldest first; also those that last longer than any can: a clock
/// that ran days ahead gave them. The ticker closes each by committing a failed run (finished at the lease's end, cause
/// internal).
///
/// # Errors
/// When the database cannot be read.
pub async fn expired(db: &Db, now: Timestamp) -> Result<Vec<Held>, StoreError> {
    let now = dialect::lease_clock(db, now).await?;
    db.0.pool.rows(EXPIRED, args![now, now + LONGEST_LEASE]).await?.iter().map(read_held).collect()
}

/// At start of the process that holds the SQLite lock: every lease is a dead process's, and is handed back as drained.
/// How many there were. Does nothing on PostgreSQL, where other nodes may be alive.
///
/// # Errors
/// When the database cannot be written.
pub async fn close_all_at_start(db: &Db) -> Result<u64, StoreError> {
    if db.backend() == Backend::Postgresql {
        return Ok(0);
    }
    let mut tx = db.0.pool.begin().await?;
    let closed = tx.run(CLOSE_ALL, Vec::new()).await?;
    tx.run(instances::renewal::TURNS_END, Vec::new()).await?;
    tx.commit().await?;
    Ok(closed)
}

/// Asks for a run now (Scan now). Kept when one is running: it runs again afterwards. `false`: not enabled.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn want(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    now: Timestamp,
    audit: Option<Entry>,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(WANT, args![instance, kind, now]).await? == 0 {
        // Gone, or only not enabled?
        return facts(&mut tx, instance, kind).await.map(|_| false);
    }
    if let Some(entry) = audit {
        audit::write(db, &mut tx, now, entry).await?;
    }
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(kind));
    Ok(true)
}

/// Cancels: a running scan is told at its next renewal; an open run that waits or was drained is dropped at once, and so is a
/// request that has not started; the scan is next due at `next_at`. `false`: there was nothing to cancel.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn cancel(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    next_at: Timestamp,
    now: Timestamp,
    audit: Entry,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    facts(&mut tx, instance, kind).await?;
    let mut cancelled = tx.run(CANCEL_LIVE, args![instance, kind, now]).await? > 0;
    if !cancelled {
        cancelled = tx.run(CANCEL_IDLE, args![instance, kind, next_at]).await? > 0;
        checkpoints::drop_all(&mut tx, instance, kind).await?;
    }
    if cancelled {
        audit::write(db, &mut tx, now, audit).await?;
    }
    tx.commit().await?;
    if cancelled {
        db.announce(Some(instance), What::Scan(kind));
    }
    Ok(cancelled)
}

/// The condition that only the holder of the latest fence meets: the first four binds of a fenced statement.
pub(crate) fn fence(held: &Held) -> Vec<crate::sql::Arg> {
    args![&held.instance, held.kind, held.fence, &held.run]
}

/// Adds the scans of a new instance.
pub(crate) async fn insert(
    tx: &mut Tx,
    instance: &InstanceId,
    setup: &ScanSetup,
    now: Timestamp,
) -> Result<(), StoreError> {
    let enabled = setup.enablement.is_enabled();
    let args = args![
        instance,
        setup.kind,
        enabled,
        to_json(&setup.enablement)?,
        to_json(&setup.gaps)?,
        setup.interval,
        now,
        now,
        enabled.then_some(now)
    ];
    tx.run(INSERT, args).await.map(drop)
}

/// Fresh facts within a transaction.
pub(crate) async fn facts(
    tx: &mut Tx,
    instance: &InstanceId,
    kind: ScanKind,
) -> Result<ScanFacts, StoreError> {
    match tx.row(SELECT_ONE, args![instance, kind]).await? {
        Some(row) => Ok(read(&row)?.facts),
        None => {
            Err(StoreError::not_found(format_args!("the {} of the application {instance}", kind.title())))
        }
    }
}

pub(crate) fn read(row: &Row) -> Result<Scan, StoreError> {
    let run: Option<RunId> = row.id_opt("run_id")?;
    let open = run.map(|run| read_open(row, run)).transpose()?;
    Ok(Scan {
        facts: ScanFacts {
            kind: row.word("kind", ScanKind::parse)?,
            enablement: row.json("enablement")?,
            interval: Duration(row.get("interval_ms")?),
            watched_since: row.time("watched_since")?,
            next_at: row.time("next_at")?,
            wanted_at: row.time_opt("wanted_at")?,
            open,
            last: row.json_opt::<FinishedRun>("last")?,
            last_success_at: row.time_opt("last_success_at")?,
            failures_in_a_row: row.count("failures_in_a_row")?,
            retryable_partials_in_a_row: row.count("retryable_partials")?,
            failing_since: row.time_opt("failing_since")?,
        },
        readiness_gaps: row.json("readiness_gaps")?,
        warnings: row.json("warnings")?,
    })
}

fn read_open(row: &Row, run: RunId) -> Result<OpenRun, StoreError> {
    let lease = match row.time_opt("lease_expires_at")? {
        None => None,
        Some(expires_at) => Some(Lease {
            fence: row.get("fence")?,
            expires_at,
            progress: row.json_opt::<Progress>("progress")?.unwrap_or_default(),
        }),
    };
    Ok(OpenRun {
        run,
        started_at: row.time("run_started_at")?,
        deadline: row.time("run_deadline_at")?,
        waiting_until: row.time_opt("run_waiting_until")?,
        abandoned: row.count("run_abandoned")?,
        lease,
    })
}

fn read_held(row: &Row) -> Result<Held, StoreError> {
    Ok(Held {
        instance: row.id("instance_id")?,
        kind: row.word("kind", ScanKind::parse)?,
        run: row.id("run_id")?,
        fence: row.get("fence")?,
        credential_version: row.get("credential_version")?,
        started_at: row.time("run_started_at")?,
        deadline: row.time("run_deadline_at")?,
        expires_at: row.time("lease_expires_at")?,
        abandoned: row.count("run_abandoned")?,
        wanted: row.get("run_wanted")?,
    })
}
