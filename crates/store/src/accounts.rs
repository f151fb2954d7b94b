//! Accounts of instances, in the canonical shape ([`model::account::SHAPE`]).

use std::collections::BTreeMap;

use model::account::SHAPE;
use model::id::{AppId, CheckId, InstanceId, OwnerId};
pub use model::identity::Match;
use model::time::Timestamp;
use model::value::{Record, Value};
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page, Stretch};
use crate::runs::Subjects;
use crate::scans::Held;
use crate::sql::{Arg, Batch, Row, Select, Tx, args, like, statements};
use crate::subjects;

/// The open findings of an account, as they are counted wherever one of them changes.
macro_rules! open_findings {
    () => {
        "(SELECT COUNT(*) FROM findings f WHERE f.instance_id = accounts.instance_id AND f.kind = 'accounts' \
         AND f.resource = accounts.id AND f.state IN ('new', 'in_progress'))"
    };
}
/// The columns that [`read`] wants.
macro_rules! account_columns {
    () => {
        concat!(
            "a.instance_id, i.name AS instance_name, i.app, a.id, a.record, a.first_seen_at, a.last_seen_at, ",
            "a.stale_since, a.gone_at, a.open_findings AS findings"
        )
    };
}
macro_rules! account_from {
    () => {
        " FROM accounts a JOIN instances i ON i.id = a.instance_id WHERE TRUE"
    };
}

/// The same without the instance, which most filters do not ask of: a count reads an index and nothing else then.
const ALONE: &str = " FROM accounts a WHERE TRUE";

statements! {
    // After a run of accounts: of all of the instance's.
    RECOUNT = concat!("UPDATE accounts SET open_findings = ", open_findings!(), " WHERE instance_id = $1 \
                       AND open_findings <> ", open_findings!());
    // After an operator has changed one finding.
    RECOUNT_OF = concat!("UPDATE accounts SET open_findings = ", open_findings!(), " WHERE instance_id = $1 \
                          AND id IN (SELECT resource FROM findings WHERE id = $2)");
    SELECT_ONE = concat!("SELECT ", account_columns!(), account_from!(), " AND a.instance_id = $1 AND a.id = $2");
    GONE = "UPDATE accounts SET gone_at = $2, stale_since = NULL \
            WHERE instance_id = $1 AND run_id <> $3 AND gone_at IS NULL";
    STALE = "UPDATE accounts SET stale_since = $2 \
             WHERE instance_id = $1 AND run_id <> $3 AND gone_at IS NULL AND stale_since IS NULL";
    // The key begins with the identity provider, which holds no slash.
    MATCHED = "SELECT d.id, COUNT(a.uid) AS n FROM directories d LEFT JOIN accounts a ON a.gone_at IS NULL \
               AND a.identity_key >= d.id || '/' AND a.identity_key < d.id || '0' AND a.instance_id <> d.id GROUP BY d.id";
}

/// An account that was read is there and not stale; when it was first seen stays.
pub(crate) const UPSERT: Batch = Batch {
    name: "ACCOUNTS",
    head: "INSERT INTO accounts (uid, instance_id, id, record, search, username_sort, account_kind, state, privileged, \
           external, second_factor, idp_linked, last_active_sort, first_seen_at, last_seen_at, run_id, identity_match, \
           identity_key, identity_name, identity_state)",
    columns: 20,
    tail: "ON CONFLICT (instance_id, id) DO UPDATE SET record = excluded.record, search = excluded.search, \
           username_sort = excluded.username_sort, account_kind = excluded.account_kind, state = excluded.state, \
           privileged = excluded.privileged, external = excluded.external, second_factor = excluded.second_factor, \
           idp_linked = excluded.idp_linked, last_active_sort = excluded.last_active_sort, \
           last_seen_at = excluded.last_seen_at, stale_since = NULL, gone_at = NULL, run_id = excluded.run_id, \
           identity_match = excluded.identity_match, identity_key = excluded.identity_key, \
           identity_name = excluded.identity_name, identity_state = excluded.identity_state",
};

/// Accounts of people who are not live at their identity provider.
const DEACTIVATED: &str =
    " AND a.identity_match = 'matched' AND a.identity_state IN ('suspended', 'expired', 'removed')";

/// An account as last read.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The key within the instance.
    pub id: String,
    /// The record, in the order of [`model::account::SHAPE`].
    pub record: Record,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Since when incomplete runs have not seen it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// When a complete run did not have it any more.
    pub gone_at: Option<Timestamp>,
    /// Open findings whose resource it is.
    pub findings: u64,
}

/// What a list of accounts is narrowed to. Gone ones are left out unless asked for. A fact that is unknown matches
/// neither `true` nor `false`.
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
    /// `human`, `service`, `bot`.
    pub account_kind: Option<String>,
    /// `active`, `suspended`, `invited`, `expired`.
    pub state: Option<String>,
    /// Privileged or not.
    pub privileged: Option<bool>,
    /// Guests and outside collaborators, or not.
    pub external: Option<bool>,
    /// With a second factor, or known to have none.
    pub second_factor: Option<bool>,
    /// Whose they are.
    pub identity: Option<Match>,
    /// Of this person: [`model::identity::IdentityKey`] as text.
    pub identity_key: Option<String>,
    /// Last active before (or known never to have been).
    pub inactive_since: Option<Timestamp>,
    /// With open findings only, or without.
    pub with_findings: Option<bool>,
    /// With an open finding of this check.
    pub check: Option<CheckId>,
    /// Seen by the last run only, or stale ones only.
    pub stale: Option<bool>,
    /// Gone ones only.
    pub gone: bool,
    /// Words in user name, display name, e-mail or id.
    pub text: Option<String>,
}

/// What a run made of an account: matched, unmatched or unknown.
fn match_of(record: &Record) -> Match {
    match record.get(&SHAPE, "identity") {
        Value::String(_) => Match::Matched,
        Value::Null => Match::Unmatched,
        _ => Match::Unknown,
    }
}

/// What accounts are sorted by; ties are broken by instance and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The user name.
    #[default]
    Username,
    /// The last activity; unknown and never come first when ascending.
    LastActive,
    /// When first seen.
    FirstSeen,
    /// Number of open findings.
    Findings,
    /// The instance's name.
    Instance,
}

/// A page of accounts.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<Account>, StoreError> {
    let narrow = |s: &mut Select| narrow(s, filter);
    List { counted: Some(counted(filter)), ..listing(sort, order, &narrow) }.page(db, cut, read).await
}

/// A stretch of the same list for whoever walks all of it, by ids that mean something to [`of_ids`] only. By user name, and of all
/// instances by findings, an index leads from each stretch to the next; by anything else each costs a look at the whole list.
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
) -> Result<Stretch<String>, StoreError> {
    listing(sort, order, &|s| narrow(s, filter)).ids(db, after, limit).await
}

/// The accounts of a stretch, in its order; without those that are gone or that the filter does not find any more.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_ids(db: &Db, filter: &Filter, ids: &[String]) -> Result<Vec<Account>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    listing(Sort::default(), Order::default(), &|s| narrow(s, filter)).of_ids(db, &ids, read).await
}

/// How many accounts the filter finds.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db, filter: &Filter) -> Result<u64, StoreError> {
    let narrow = |s: &mut Select| narrow(s, filter);
    List { counted: Some(counted(filter)), ..listing(Sort::default(), Order::default(), &narrow) }
        .count(db)
        .await
}

/// One account.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, instance: &InstanceId, id: &str) -> Result<Account, StoreError> {
    let rows = db.0.pool.rows(SELECT_ONE, args![instance, id]).await?;
    rows.first()
        .map_or_else(|| Err(StoreError::not_found(format_args!("the account {id} of {instance}"))), read)
}

/// Accounts of other instances that were matched with the people of each identity provider, by its id.
///
/// # Errors
/// When the database cannot be read.
pub async fn matched_by_directory(db: &Db) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows = db.0.pool.rows(MATCHED, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.count("n")?))).collect()
}

/// What a run read, ready to be stored.
pub(crate) struct Accounts {
    rows: Vec<Vec<Arg>>,
    complete: bool,
}

impl Accounts {
    pub(crate) fn prepare(db: &Db, held: &Held, s: Subjects<'_>, at: Timestamp) -> Result<Self, StoreError> {
        // The last of two records with one key counts: a statement may not touch a row twice.
        let mut rows = BTreeMap::new();
        for record in s.records {
            let id = subjects::key(record, &SHAPE)?;
            rows.insert(id.clone(), row(db, held, record, id, at)?);
        }
        Ok(Self { rows: rows.into_values().collect(), complete: s.complete })
    }

    pub(crate) async fn write(self, tx: &mut Tx, held: &Held, at: Timestamp) -> Result<(), StoreError> {
        tx.insert_many(UPSERT, self.rows).await?;
        tx.run(if self.complete { GONE } else { STALE }, args![&held.instance, at, &held.run]).await.map(drop)
    }
}

fn row(db: &Db, held: &Held, r: &Record, id: String, at: Timestamp) -> Result<Vec<Arg>, StoreError> {
    let text = |name| subjects::text(r, &SHAPE, name);
    let truth = |name| r.get(&SHAPE, name).as_bool();
    let username = text("username").unwrap_or_else(|| id.clone());
    let search = [Some(id.clone()), Some(username.clone()), text("display_name"), text("email")];
    Ok(args![
        db.new_id(at),
        &held.instance,
        id,
        crate::sql::to_json(&r.to_json(&SHAPE))?,
        subjects::search(&search),
        subjects::sorted(&username),
        text("kind"),
        text("state"),
        truth("privileged"),
        truth("external"),
        truth("second_factor"),
        truth("idp_linked"),
        subjects::last(r.get(&SHAPE, "last_active_at")),
        at,
        at,
        &held.run,
        match_of(r).as_str(),
        text("identity"),
        text("identity_name"),
        text("identity_state"),
    ])
}

pub(crate) fn listing(sort: Sort, order: Order, narrow: &(dyn Fn(&mut Select) + Sync)) -> List<'_> {
    List {
        counted: None,
        name: "accounts::list",
        columns: account_columns!(),
        from: account_from!(),
        narrow,
        key: match sort {
            Sort::Username => Key::Text("a.username_sort"),
            Sort::LastActive => Key::Int("a.last_active_sort"),
            Sort::FirstSeen => Key::Int("a.first_seen_at"),
            Sort::Findings => Key::Int("a.open_findings"),
            Sort::Instance => Key::Text("i.name_sort"),
        },
        id: "a.uid",
        order,
    }
}

/// From where rows are counted.
const fn counted(filter: &Filter) -> &'static str {
    let of_instance = filter.app.is_some() || filter.owner.is_some() || filter.unowned;
    if of_instance { account_from!() } else { ALONE }
}

pub(crate) fn narrow(s: &mut Select, filter: &Filter) {
    s.push(if filter.gone { " AND a.gone_at IS NOT NULL" } else { " AND a.gone_at IS NULL" });
    if let Some(instance) = &filter.instance {
        s.push(" AND a.instance_id = ").bind(instance);
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
    if let Some(kind) = &filter.account_kind {
        s.push(" AND a.account_kind = ").bind(kind);
    }
    if let Some(state) = &filter.state {
        s.push(" AND a.state = ").bind(state);
    }
    for (column, wanted) in [
        (" AND a.privileged = ", filter.privileged),
        (" AND a.external = ", filter.external),
        (" AND a.second_factor = ", filter.second_factor),
    ] {
        if let Some(wanted) = wanted {
            s.push(column).bind(wanted);
        }
    }
    match filter.identity {
        Some(Match::Matched) => drop(s.push(" AND a.identity_match = 'matched'")),
        Some(Match::Deactivated) => drop(s.push(DEACTIVATED)),
        Some(Match::Unmatched) => drop(s.push(" AND a.identity_match = 'unmatched'")),
        Some(Match::Unknown) => drop(s.push(" AND a.identity_match = 'unknown'")),
        None => {}
    }
    if let Some(key) = &filter.identity_key {
        s.push(" AND a.identity_key = ").bind(key);
    }
    if let Some(since) = filter.inactive_since {
        // Never is before any time; unknown is not known to be.
        s.push(" AND a.last_active_sort <> -2 AND a.last_active_sort < ").bind(since);
    }
    match filter.with_findings {
        Some(true) => drop(s.push(" AND a.open_findings > 0")),
        Some(false) => drop(s.push(" AND a.open_findings = 0")),
        None => {}
    }
    if let Some(check) = &filter.check {
        s.push(" AND EXISTS (SELECT 1 FROM findings f WHERE f.instance_id = a.instance_id AND f.kind = 'accounts' ");
        s.push("AND f.resource = a.id AND f.state IN ('new', 'in_progress') AND f.check_id = ")
            .bind(check)
            .push(")");
    }
    match filter.stale {
        Some(true) => drop(s.push(" AND a.stale_since IS NOT NULL")),
        Some(false) => drop(s.push(" AND a.stale_since IS NULL")),
        None => {}
    }
    if let Some(text) = &filter.text {
        s.push(" AND a.search LIKE ").bind(like(text)).push(" ESCAPE '\\'");
    }
}

fn read(row: &Row) -> Result<Account, StoreError> {
    let record: serde_json::Value = row.json("record")?;
    Ok(Account {
        instance: row.id("instance_id")?,
        instance_name: row.get("instance_name")?,
        app: row.id("app")?,
        id: row.get("id")?,
        record: Record::from_json(&record, &SHAPE),
        first_seen_at: row.time("first_seen_at")?,
        last_seen_at: row.time("last_seen_at")?,
        stale_since: row.time_opt("stale_since")?,
        gone_at: row.time_opt("gone_at")?,
        findings: row.count("findings")?,
    })
}
