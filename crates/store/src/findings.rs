//! Persistent failing results.

use std::collections::BTreeMap;

use model::finding::{Evidence, FindingState, Severity};
use model::id::{AppId, CheckId, FindingId, InstanceId, OwnerId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page, Stretch};
use crate::sql::{Row, Select, args, like, statements, to_json};
use crate::{accounts, instances};

pub(crate) mod apply;
pub(crate) mod events;

pub(crate) use apply::{Change, apply};
pub use events::{Event, EventKind, events};

/// The columns that [`read`] wants.
macro_rules! finding_columns {
    () => {
        "f.id, f.instance_id, i.name AS instance_name, i.app, f.check_id, f.revision, f.kind, f.resource, \
         f.resource_kind, f.severity, f.state, f.says, f.evidence, f.created_at, f.first_seen_at, f.last_seen_at, \
         f.resolved_at, f.stale_since, f.reopened, f.run_id, f.state_at, f.state_by, f.exception"
    };
}
macro_rules! finding_from {
    () => {
        " FROM findings f JOIN instances i ON i.id = f.instance_id WHERE TRUE"
    };
}

statements! {
    SELECT_ONE = concat!("SELECT ", finding_columns!(), finding_from!(), " AND f.id = $1");
    SET_STATE = "UPDATE findings SET state = $2, state_at = $3, state_by = $4, exception = $5, \
                 exception_expires_at = $6 WHERE id = $1 AND state <> 'resolved' RETURNING instance_id";
    EXPIRED = "SELECT instance_id, id FROM findings WHERE state = 'suppressed' AND exception_expires_at <= $1 \
               ORDER BY id";
    // Whoever is first tells of it: several nodes look.
    EXPIRE = "UPDATE findings SET state = 'new', state_at = $2, state_by = NULL, exception = NULL, \
              exception_expires_at = NULL WHERE id = $1 AND state = 'suppressed' AND exception_expires_at <= $2";
    BY_CHECK = "SELECT check_id, COUNT(*) AS n, COUNT(DISTINCT instance_id) AS instances FROM findings \
                WHERE state IN ('new', 'in_progress') GROUP BY check_id ORDER BY check_id";
}

/// Ids in one statement.
const CHUNK: usize = 500;

/// A finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The check that fails.
    pub check: CheckId,
    /// Its revision at the last run that looked.
    pub revision: u32,
    /// The scan that answers it.
    pub kind: ScanKind,
    /// The record's key.
    pub resource: String,
    /// The dataset.
    pub resource_kind: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// One sentence about this record.
    pub says: String,
    /// What decided.
    pub evidence: Vec<Evidence>,
    /// When it failed for the very first time.
    pub created_at: Timestamp,
    /// When it first failed since it was last resolved (see `reopened`).
    pub first_seen_at: Timestamp,
    /// When a run last saw it fail.
    pub last_seen_at: Timestamp,
    /// When it passed or was gone.
    pub resolved_at: Option<Timestamp>,
    /// Since when no run could look at it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// How often it came back after having been resolved.
    pub reopened: u32,
    /// The run that last saw it.
    pub run: RunId,
    /// When an operator last changed its state, and who.
    pub state_changed: Option<(Timestamp, String)>,
    /// The exception that suppresses it.
    pub exception: Option<Exception>,
}

/// Why, by whom and until when a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Why it is accepted.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a list of findings is narrowed to. The default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One application.
    pub app: Option<AppId>,
    /// One owner's instances.
    pub owner: Option<OwnerId>,
    /// Only instances for which no active owner answers.
    pub unowned: bool,
    /// One check.
    pub check: Option<CheckId>,
    /// One scan.
    pub kind: Option<ScanKind>,
    /// One record's key.
    pub resource: Option<String>,
    /// Any of these; none: all.
    pub severities: Vec<Severity>,
    /// Any of these; none: all.
    pub states: Vec<FindingState>,
    /// Stale ones only, or fresh ones only.
    pub stale: Option<bool>,
    /// Suppressed by an exception that ends before.
    pub exception_ends_before: Option<Timestamp>,
    /// First seen at or after.
    pub first_seen_since: Option<Timestamp>,
    /// Words in the sentence, the resource, the check's id or the instance's name.
    pub text: Option<String>,
}

/// What findings are sorted by; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// How bad.
    #[default]
    Severity,
    /// When first seen.
    FirstSeen,
    /// When last seen.
    LastSeen,
    /// The check's id.
    Check,
    /// The record's key.
    Resource,
    /// The instance's name.
    Instance,
    /// When its exception ends; those without one come first when ascending.
    ExceptionEnds,
}

/// A page of findings.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<Finding>, StoreError> {
    let narrow = |s: &mut Select| narrow(s, filter);
    List { counted: Some(counted(filter)), ..listing(sort, order, &narrow) }.page(db, cut, read).await
}

/// A stretch of the same list for whoever walks all of it. By severity an index leads from each stretch to the next; by
/// anything else each stretch costs a look at the whole list, so many ids are asked for at once and the rows are read
/// with [`of_ids`].
///
/// # Errors
/// As [`list`].
pub async fn ids(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    after: Option<&str>,
    limit: u32,
) -> Result<Stretch<FindingId>, StoreError> {
    listing(sort, order, &|s| narrow(s, filter)).ids(db, after, limit).await
}

/// The findings with these ids, in their order; without those that are gone or that the filter does not find any more.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_ids(db: &Db, filter: &Filter, ids: &[FindingId]) -> Result<Vec<Finding>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(FindingId::as_str).collect();
    listing(Sort::default(), Order::default(), &|s| narrow(s, filter)).of_ids(db, &ids, read).await
}

/// How many findings the filter finds.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db, filter: &Filter) -> Result<u64, StoreError> {
    let narrow = |s: &mut Select| narrow(s, filter);
    List { counted: Some(counted(filter)), ..listing(Sort::default(), Order::default(), &narrow) }
        .count(db)
        .await
}

/// What the filter finds, by severity; a severity without findings is not in it.
///
/// # Errors
/// When the database cannot be read.
pub async fn severity_counts(db: &Db, filter: &Filter) -> Result<BTreeMap<Severity, u64>, StoreError> {
    let mut s = Select::new("findings::severity_counts", "SELECT f.severity, COUNT(*) AS n");
    s.push(counted(filter));
    narrow(&mut s, filter);
    s.push(" GROUP BY f.severity");
    let (text, args) = s.finish();
    db.0.pool.rows(text, args).await?.iter().map(|row| Ok((severity(row)?, row.count("n")?))).collect()
}

/// Unresolved, unsuppressed findings of one scan whose resource is one of these: what is wrong with these accounts or
/// plugins. Worst first.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_resources(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    resources: &[&str],
) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    for chunk in resources.chunks(CHUNK) {
        let mut s =
            Select::new("findings::of_resources", concat!("SELECT ", finding_columns!(), finding_from!()));
        s.push(" AND f.state IN ('new', 'in_progress') AND f.instance_id = ").bind(instance);
        s.push(" AND f.kind = ").bind(kind).push(" AND f.resource IN (").bind_list(chunk.iter().copied());
        s.push(" ORDER BY f.severity DESC, f.id");
        let (text, args) = s.finish();
        for row in db.0.pool.rows(text, args).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// One finding.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &FindingId) -> Result<Finding, StoreError> {
    db.0.pool.rows(SELECT_ONE, args![id]).await?.first().map_or_else(|| Err(missing(id)), read)
}

/// The states that an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorState {
    /// Nobody works on it.
    New,
    /// Somebody does.
    InProgress,
    /// Accepted.
    Suppressed(Exception),
}

/// Takes a finding up, puts it back, or suppresses it by an exception. Resolving is a run's business.
///
/// # Errors
/// [`StoreError::NotFound`] when it does not exist or is resolved.
pub async fn set_state(
    db: &Db,
    id: &FindingId,
    state: &OperatorState,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let (word, what, exception) = match state {
        OperatorState::New => (FindingState::New, EventKind::PutBack, None),
        OperatorState::InProgress => (FindingState::InProgress, EventKind::TakenUp, None),
        OperatorState::Suppressed(e) => (FindingState::Suppressed, EventKind::Suppressed, Some(e)),
    };
    let mut tx = db.0.pool.begin().await?;
    let args = args![
        id,
        word.as_str(),
        now,
        by,
        exception.map(to_json).transpose()?,
        exception.map(|e| e.expires_at)
    ];
    let row = tx.row(SET_STATE, args).await?.ok_or_else(|| missing(id))?;
    let instance: InstanceId = row.id("instance_id")?;
    let note = exception.map(|e| e.reason.as_str());
    tx.insert_many(events::EVENT, vec![events::event(db, id, now, what, Some(by), note)]).await?;
    tx.run(accounts::RECOUNT_OF, args![&instance, id]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(&instance), What::Findings);
    Ok(())
}

/// Exceptions that have expired: their findings are new again. How many.
///
/// # Errors
/// When the database cannot be written.
pub async fn expire_exceptions(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let mut expired: BTreeMap<InstanceId, Vec<FindingId>> = BTreeMap::new();
    for row in db.0.pool.rows(EXPIRED, args![now]).await? {
        expired.entry(row.id("instance_id")?).or_default().push(row.id("id")?);
    }
    let mut count = 0;
    for (instance, findings) in &expired {
        // A commit writes findings in another order. Both take the instance's lock first, and only one instance's at a time:
        // so neither waits for the other while it holds what the other wants.
        let mut tx = db.0.pool.begin().await?;
        if !instances::lock(&mut tx, instance).await? {
            continue;
        }
        let mut events = Vec::new();
        for id in findings {
            if tx.run(EXPIRE, args![id, now]).await? > 0 {
                tx.run(accounts::RECOUNT_OF, args![instance, id]).await?;
                events.push(events::event(db, id, now, EventKind::ExceptionExpired, None, None));
            }
        }
        count += events.len() as u64;
        tx.insert_many(events::EVENT, events).await?;
        tx.commit().await?;
        db.announce(Some(instance), What::Findings);
    }
    Ok(count)
}

/// Unresolved, unsuppressed findings per check: how many, on how many instances.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts_by_check(db: &Db) -> Result<BTreeMap<CheckId, (u64, u64)>, StoreError> {
    let rows = db.0.pool.rows(BY_CHECK, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.id("check_id")?, (row.count("n")?, row.count("instances")?)))).collect()
}

pub(crate) fn listing(sort: Sort, order: Order, narrow: &(dyn Fn(&mut Select) + Sync)) -> List<'_> {
    List {
        counted: None,
        name: "findings::list",
        columns: finding_columns!(),
        from: finding_from!(),
        narrow,
        key: match sort {
            Sort::Severity => Key::Int("f.severity"),
            Sort::FirstSeen => Key::Int("f.first_seen_at"),
            Sort::LastSeen => Key::Int("f.last_seen_at"),
            Sort::Check => Key::Text("f.check_id"),
            Sort::Resource => Key::Text("f.resource"),
            Sort::Instance => Key::Text("i.name_sort"),
            Sort::ExceptionEnds => Key::Int("COALESCE(f.exception_expires_at, 0)"),
        },
        id: "f.id",
        order,
    }
}

/// From where rows are counted: the instance only where the filter asks of it.
const fn counted(filter: &Filter) -> &'static str {
    let of_instance =
        filter.app.is_some() || filter.owner.is_some() || filter.unowned || filter.text.is_some();
    if of_instance { finding_from!() } else { " FROM findings f WHERE TRUE" }
}

pub(crate) fn narrow(s: &mut Select, filter: &Filter) {
    if let Some(instance) = &filter.instance {
        s.push(" AND f.instance_id = ").bind(instance);
    }
    if let Some(app) = &filter.app {
        s.push(" AND i.app = ").bind(app);
    }
    if let Some(owner) = &filter.owner {
        s.push(" AND i.owner_id = ").bind(owner);
    }
    if filter.unowned {
        s.push(crate::owners::UNOWNED);
    }
    if let Some(check) = &filter.check {
        s.push(" AND f.check_id = ").bind(check);
    }
    if let Some(kind) = filter.kind {
        s.push(" AND f.kind = ").bind(kind);
    }
    if let Some(resource) = &filter.resource {
        s.push(" AND f.resource = ").bind(resource);
    }
    if !filter.severities.is_empty() {
        s.push(" AND f.severity IN (").bind_list(filter.severities.iter().map(|v| rank(*v)));
    }
    if !filter.states.is_empty() {
        s.push(" AND f.state IN (").bind_list(filter.states.iter().map(|v| v.as_str()));
    }
    match filter.stale {
        Some(true) => drop(s.push(" AND f.stale_since IS NOT NULL")),
        Some(false) => drop(s.push(" AND f.stale_since IS NULL")),
        None => {}
    }
    if let Some(end) = filter.exception_ends_before {
        s.push(" AND f.state = 'suppressed' AND f.exception_expires_at < ").bind(end);
    }
    if let Some(since) = filter.first_seen_since {
        s.push(" AND f.first_seen_at >= ").bind(since);
    }
    if let Some(text) = &filter.text {
        let pattern = like(text);
        s.push(" AND (f.search LIKE ")
            .bind(pattern.clone())
            .push(" ESCAPE '\\' OR i.name_sort LIKE ")
            .bind(pattern);
        s.push(" ESCAPE '\\')");
    }
}

/// Severity as it is stored: 0 informational to 4 critical.
pub(crate) const fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

pub(crate) fn severity(row: &Row) -> Result<Severity, StoreError> {
    let n: i64 = row.get("severity")?;
    severity_of(n).ok_or_else(|| StoreError::unreadable(format_args!("column severity: {n}")))
}

/// The severity of a stored rank.
pub(crate) fn severity_of(n: i64) -> Option<Severity> {
    Severity::ALL.into_iter().find(|s| rank(*s) == n)
}

fn missing(id: &FindingId) -> StoreError {
    StoreError::not_found(format_args!("the unresolved finding {id}"))
}

fn read(row: &Row) -> Result<Finding, StoreError> {
    let state_changed = match (row.time_opt("state_at")?, row.get::<Option<String>>("state_by")?) {
        (Some(at), Some(by)) => Some((at, by)),
        _ => None,
    };
    Ok(Finding {
        id: row.id("id")?,
        instance: row.id("instance_id")?,
        instance_name: row.get("instance_name")?,
        app: row.id("app")?,
        check: row.id("check_id")?,
        revision: row.count("revision")?,
        kind: row.word("kind", ScanKind::parse)?,
        resource: row.get("resource")?,
        resource_kind: row.get("resource_kind")?,
        severity: severity(row)?,
        state: row.word("state", FindingState::parse)?,
        says: row.get("says")?,
        evidence: row.json("evidence")?,
        created_at: row.time("created_at")?,
        first_seen_at: row.time("first_seen_at")?,
        last_seen_at: row.time("last_seen_at")?,
        resolved_at: row.time_opt("resolved_at")?,
        stale_since: row.time_opt("stale_since")?,
        reopened: row.count("reopened")?,
        run: row.id("run_id")?,
        state_changed,
        exception: row.json_opt("exception")?,
    })
}
