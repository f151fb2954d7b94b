//! The audit log: who did what, when. Rows are only ever added; both databases refuse to change or delete them.

use model::id::{InstanceId, OperatorId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Row, Select, Tx, args, like, statements, to_json};

statements! {
    ADD = "INSERT INTO audit (id, at, operator_id, by_name, action, instance_id, target, detail, search) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ACTIONS = "SELECT action, COUNT(*) AS n FROM audit GROUP BY action ORDER BY action";
}

/// Something somebody did, written in the same transaction as the deed.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who; `None` for the command line and Parapet itself.
    pub operator: Option<OperatorId>,
    /// The name at that time.
    pub by: String,
    /// A stable word: `instance.onboard`, `scan.now`, `finding.suppress`, ...
    pub action: String,
    /// The instance it is about.
    pub instance: Option<InstanceId>,
    /// What it is about, in words that stay readable when it is gone: the instance's name, a finding's title.
    pub target: String,
    /// Facts worth keeping, without secrets.
    pub detail: serde_json::Value,
}

/// A stored [`Entry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Which.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
}

/// What the log is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One operator.
    pub operator: Option<OperatorId>,
    /// One name, as it was at that time.
    pub by: Option<String>,
    /// One action.
    pub action: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Words in name, action or target.
    pub text: Option<String>,
}

/// Adds a row that goes with no other change: a sign-in, a refused attempt.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(db: &Db, now: Timestamp, entry: Entry) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    write(db, &mut tx, now, entry).await?;
    tx.commit().await
}

/// Adds a row within the transaction of the deed.
pub(crate) async fn write(db: &Db, tx: &mut Tx, now: Timestamp, entry: Entry) -> Result<(), StoreError> {
    let search = format!("{} {} {}", entry.by, entry.action, entry.target).to_lowercase();
    let args = args![
        db.new_id(now),
        now,
        entry.operator.as_ref(),
        entry.by,
        entry.action,
        entry.instance.as_ref(),
        entry.target,
        to_json(&entry.detail)?,
        search,
    ];
    tx.run(ADD, args).await.map(drop)
}

/// A page of the log, latest first.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours.
pub async fn list(db: &Db, filter: &Filter, cut: Cut<'_>) -> Result<Page<Logged>, StoreError> {
    let list = List {
        counted: None,
        name: "audit::list",
        columns: "id, at, operator_id, by_name, action, instance_id, target, detail",
        from: " FROM audit WHERE TRUE",
        narrow: &|s| narrow(s, filter),
        key: Key::Int("at"),
        id: "id",
        order: Order::Descending,
    };
    list.page(db, cut, read).await
}

/// The actions that occur in the log, with how often: what it can be narrowed to.
///
/// # Errors
/// When the database cannot be read.
pub async fn actions(db: &Db) -> Result<Vec<(String, u64)>, StoreError> {
    db.0.pool.rows(ACTIONS, Vec::new()).await?.iter().map(|r| Ok((r.get("action")?, r.count("n")?))).collect()
}

fn narrow(s: &mut Select, filter: &Filter) {
    if let Some(instance) = &filter.instance {
        s.push(" AND instance_id = ").bind(instance);
    }
    if let Some(operator) = &filter.operator {
        s.push(" AND operator_id = ").bind(operator);
    }
    if let Some(by) = &filter.by {
        s.push(" AND by_name = ").bind(by);
    }
    if let Some(action) = &filter.action {
        s.push(" AND action = ").bind(action);
    }
    if let Some(since) = filter.since {
        s.push(" AND at >= ").bind(since);
    }
    if let Some(text) = &filter.text {
        s.push(" AND search LIKE ").bind(like(text)).push(" ESCAPE '\\'");
    }
}

fn read(row: &Row) -> Result<Logged, StoreError> {
    Ok(Logged {
        id: row.get("id")?,
        at: row.time("at")?,
        entry: Entry {
            operator: row.id_opt("operator_id")?,
            by: row.get("by_name")?,
            action: row.get("action")?,
            instance: row.id_opt("instance_id")?,
            target: row.get("target")?,
            detail: row.json("detail")?,
        },
    })
}
