//! The run log, and what the last assessments said.

use std::collections::BTreeMap;

use model::dataset::Cost;
use model::diagnosis::{Fault, Warning};
use model::finding::{CheckResult, CheckTally};
use model::id::{AppId, CheckId, InstanceId, RunId};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Committed, Gap, day_of};
use crate::blob;
use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Row, Select, args, statements};

macro_rules! run_columns {
    () => {
        "id, instance_id, kind, outcome, cause, fault, gaps, warnings, started_at, finished_at, cost, records, \
         datasets_read, datasets_total, wanted, opened, reopened, resolved"
    };
}

macro_rules! tally_columns {
    () => {
        "instance_id, kind, check_id, revision, pass, fail, inconclusive, not_applicable, reason, needs, at"
    };
}

statements! {
    SELECT_ONE = concat!("SELECT ", run_columns!(), " FROM runs WHERE id = $1");
    DAYS = "SELECT kind, day, succeeded, partial, failed, worst_row, down, cause FROM days \
            WHERE instance_id = $1 AND day >= $2 ORDER BY day, kind";
    TALLIES_OF = concat!(
        "SELECT ", tally_columns!(), " FROM tallies WHERE instance_id = $1 ORDER BY kind, check_id"
    );
    TALLIES_OF_CHECK = concat!(
        "SELECT ", tally_columns!(), " FROM tallies WHERE check_id = $1 ORDER BY instance_id"
    );
    SUMS = "SELECT i.app, t.check_id, COUNT(*) AS instances, CAST(SUM(t.pass) AS BIGINT) AS pass, \
            CAST(SUM(t.fail) AS BIGINT) AS fail, CAST(SUM(t.inconclusive) AS BIGINT) AS inconclusive, \
            CAST(SUM(t.not_applicable) AS BIGINT) AS not_applicable \
            FROM tallies t JOIN instances i ON i.id = t.instance_id GROUP BY i.app, t.check_id";
    LENGTHS = "SELECT started_at, finished_at FROM runs WHERE instance_id = $1 AND kind = $2 AND outcome = 'succeeded' \
               ORDER BY finished_at DESC, id DESC LIMIT $3";
    OUTCOMES = "SELECT kind, outcome, finished_at FROM runs WHERE instance_id = $1 AND finished_at >= $2 \
                ORDER BY finished_at, id";
    RESULTS = "SELECT body FROM results WHERE instance_id = $1 AND kind = $2";
}

/// One finished run of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The fault that gave it its cause, with the ladder's material.
    pub fault: Option<Fault>,
    /// What it could not read.
    pub gaps: Vec<Gap>,
    /// What it warned of.
    pub warnings: Vec<Warning>,
    /// When it was first claimed.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What it spent.
    pub cost: Cost,
    /// Records read.
    pub records: u64,
    /// Datasets read.
    pub datasets_read: u32,
    /// Datasets of the scan.
    pub datasets_total: u32,
    /// Whether somebody asked for it.
    pub wanted: bool,
    /// What it changed.
    pub changed: Committed,
}

/// What the run log is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One scan.
    pub kind: Option<ScanKind>,
    /// `succeeded`, `partial` or `failed`.
    pub outcome: Option<String>,
}

/// The run log, latest first.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours.
pub async fn log(db: &Db, filter: &Filter, cut: Cut<'_>) -> Result<Page<Run>, StoreError> {
    let narrow = |s: &mut Select| {
        if let Some(instance) = &filter.instance {
            s.push(" AND instance_id = ").bind(instance);
        }
        if let Some(kind) = filter.kind {
            s.push(" AND kind = ").bind(kind);
        }
        if let Some(outcome) = &filter.outcome {
            s.push(" AND outcome = ").bind(outcome);
        }
    };
    let list = List {
        counted: None,
        name: "runs::log",
        columns: run_columns!(),
        from: " FROM runs WHERE TRUE",
        narrow: &narrow,
        key: Key::Int("finished_at"),
        id: "id",
        order: Order::Descending,
    };
    list.page(db, cut, read).await
}

/// One run.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &RunId) -> Result<Run, StoreError> {
    let rows = db.0.pool.rows(SELECT_ONE, args![id]).await?;
    rows.first().map_or_else(|| Err(StoreError::not_found(format_args!("the run {id}"))), read)
}

/// How long the latest successful runs of a scan took, the latest first, at most `count`.
///
/// # Errors
/// When the database cannot be read.
pub async fn lengths(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    count: u32,
) -> Result<Vec<Duration>, StoreError> {
    let rows = db.0.pool.rows(LENGTHS, args![instance, kind, count]).await?;
    rows.iter().map(|row| Ok(row.time("finished_at")? - row.time("started_at")?)).collect()
}

/// How the runs of an instance ended since then, oldest first: of which scan, when, and whether it succeeded.
///
/// # Errors
/// When the database cannot be read.
pub async fn outcomes(
    db: &Db,
    instance: &InstanceId,
    since: Timestamp,
) -> Result<Vec<(ScanKind, Timestamp, bool)>, StoreError> {
    let rows = db.0.pool.rows(OUTCOMES, args![instance, since]).await?;
    rows.iter()
        .map(|row| {
            let outcome: String = row.get("outcome")?;
            Ok((row.word("kind", ScanKind::parse)?, row.time("finished_at")?, outcome == "succeeded"))
        })
        .collect()
}

fn read(row: &Row) -> Result<Run, StoreError> {
    let outcome: String = row.get("outcome")?;
    let cause = row.word_opt("cause", FailureCause::parse)?;
    Ok(Run {
        id: row.id("id")?,
        instance: row.id("instance_id")?,
        kind: row.word("kind", ScanKind::parse)?,
        outcome: RunOutcome::from_parts(&outcome, cause)
            .ok_or_else(|| StoreError::unreadable(format_args!("outcome {outcome} with cause {cause:?}")))?,
        fault: row.json_opt("fault")?,
        gaps: row.json("gaps")?,
        warnings: row.json("warnings")?,
        started_at: row.time("started_at")?,
        finished_at: row.time("finished_at")?,
        cost: row.json("cost")?,
        records: row.count("records")?,
        datasets_read: row.count("datasets_read")?,
        datasets_total: row.count("datasets_total")?,
        wanted: row.get("wanted")?,
        changed: Committed {
            opened: row.count("opened")?,
            reopened: row.count("reopened")?,
            resolved: row.count("resolved")?,
        },
    })
}

/// One day (UTC) of one scan, for the 90-day bar. Days without a finished run have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The scan.
    pub kind: ScanKind,
    /// Midnight UTC at which it begins.
    pub day: Timestamp,
    /// Runs that succeeded.
    pub succeeded: u32,
    /// Runs that were partial.
    pub partial: u32,
    /// Runs that failed.
    pub failed: u32,
    /// The longest row of failures that stood after a run of that day.
    pub worst_row: u32,
    /// Whether a run of that day left it Down (`worst_row` reached the instance's `down_after` then).
    pub down: bool,
    /// The cause of the last run that did not succeed.
    pub cause: Option<FailureCause>,
}

/// The days since the one that `since` lies in, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn days(db: &Db, instance: &InstanceId, since: Timestamp) -> Result<Vec<Day>, StoreError> {
    let rows = db.0.pool.rows(DAYS, args![instance, day_of(since)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Day {
                kind: row.word("kind", ScanKind::parse)?,
                day: row.time("day")?,
                succeeded: row.count("succeeded")?,
                partial: row.count("partial")?,
                failed: row.count("failed")?,
                worst_row: row.count("worst_row")?,
                down: row.get("down")?,
                cause: row.word_opt("cause", FailureCause::parse)?,
            })
        })
        .collect()
}

/// A [`CheckTally`] with where and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The counts.
    pub tally: CheckTally,
    /// When that run finished.
    pub at: Timestamp,
}

/// The tallies of the last assessment of each scan of an instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn tallies(db: &Db, instance: &InstanceId) -> Result<Vec<Tally>, StoreError> {
    db.0.pool.rows(TALLIES_OF, args![instance]).await?.iter().map(read_tally).collect()
}

/// The tallies of one check on every instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn tallies_of_check(db: &Db, check: &CheckId) -> Result<Vec<Tally>, StoreError> {
    db.0.pool.rows(TALLIES_OF_CHECK, args![check]).await?.iter().map(read_tally).collect()
}

/// How a check stands over all instances of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Instances whose last assessment has an answer to it.
    pub instances: u64,
    /// Records that pass.
    pub pass: u64,
    /// Records that fail.
    pub fail: u64,
    /// Records that could not be judged.
    pub inconclusive: u64,
    /// Records it does not apply to.
    pub not_applicable: u64,
}

/// The tallies of every application's instances, summed by check.
///
/// # Errors
/// When the database cannot be read.
pub async fn sums(db: &Db) -> Result<BTreeMap<(AppId, CheckId), Sum>, StoreError> {
    let rows = db.0.pool.rows(SUMS, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let sum = Sum {
                instances: row.count("instances")?,
                pass: row.count("pass")?,
                fail: row.count("fail")?,
                inconclusive: row.count("inconclusive")?,
                not_applicable: row.count("not_applicable")?,
            };
            Ok(((row.id("app")?, row.id("check_id")?), sum))
        })
        .collect()
}

fn read_tally(row: &Row) -> Result<Tally, StoreError> {
    Ok(Tally {
        instance: row.id("instance_id")?,
        kind: row.word("kind", ScanKind::parse)?,
        tally: CheckTally {
            check: row.id("check_id")?,
            revision: row.count("revision")?,
            pass: row.count("pass")?,
            fail: row.count("fail")?,
            inconclusive: row.count("inconclusive")?,
            not_applicable: row.count("not_applicable")?,
            reason: row.get("reason")?,
            needs: row.json("needs")?,
        },
        at: row.time("at")?,
    })
}

/// The results that are not findings (inconclusive, not applicable) of a scan's last assessment.
///
/// # Errors
/// When the database cannot be read.
pub async fn results(db: &Db, instance: &InstanceId, kind: ScanKind) -> Result<Vec<CheckResult>, StoreError> {
    let rows = db.0.pool.rows(RESULTS, args![instance, kind]).await?;
    match rows.first() {
        Some(row) => blob::unpack_json(&row.get::<Vec<u8>>("body")?),
        None => Ok(Vec::new()),
    }
}
