//! Third-party plugins of instances, in the canonical shape ([`model::plugin::SHAPE`]), with their review.

use std::collections::BTreeMap;

use model::id::{AppId, CheckId, InstanceId, OwnerId};
use model::plugin::{Review, SHAPE};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page, Stretch};
use crate::runs::Subjects;
use crate::scans::Held;
use crate::sql::{Arg, Batch, Row, Select, Tx, args, like, statements};
use crate::subjects;

pub mod across;
pub(crate) mod users;

/// The open findings of a plugin.
macro_rules! plugin_findings {
    () => {
        "(SELECT COUNT(*) FROM findings f WHERE f.instance_id = p.instance_id AND f.kind = 'plugins' \
         AND f.resource = p.id AND f.state IN ('new', 'in_progress'))"
    };
}
/// The columns that [`read`] wants.
macro_rules! plugin_columns {
    () => {
        concat!(
            "p.instance_id, i.name AS instance_name, i.app, p.id, p.record, p.first_seen_at, p.last_seen_at, ",
            "p.stale_since, p.gone_at, p.review, p.review_at, p.review_by, p.review_note, p.uid, p.same, ",
            plugin_findings!(),
            " AS findings"
        )
    };
}
macro_rules! plugin_from {
    () => {
        " FROM plugins p JOIN instances i ON i.id = p.instance_id WHERE TRUE"
    };
}

statements! {
    SELECT_ONE = concat!("SELECT ", plugin_columns!(), plugin_from!(), " AND p.instance_id = $1 AND p.id = $2");
    GONE = "UPDATE plugins SET gone_at = $2, stale_since = NULL \
            WHERE instance_id = $1 AND run_id <> $3 AND gone_at IS NULL";
    STALE = "UPDATE plugins SET stale_since = $2 \
             WHERE instance_id = $1 AND run_id <> $3 AND gone_at IS NULL AND stale_since IS NULL";
    REVIEW = "UPDATE plugins SET review = $3, review_at = $4, review_by = $5, review_note = $6 \
              WHERE instance_id = $1 AND id = $2";
}

/// A plugin that was read is there and not stale. One that was gone and comes back is not reviewed.
pub(crate) const UPSERT: Batch = Batch {
    name: "PLUGINS",
    head: "INSERT INTO plugins (uid, instance_id, id, record, search, name_sort, plugin_kind, level, grade, \
           last_used_sort, first_seen_at, last_seen_at, run_id, review, same)",
    columns: 15,
    tail: "ON CONFLICT (instance_id, id) DO UPDATE SET record = excluded.record, search = excluded.search, \
           name_sort = excluded.name_sort, plugin_kind = excluded.plugin_kind, level = excluded.level, \
           grade = excluded.grade, last_used_sort = excluded.last_used_sort, last_seen_at = excluded.last_seen_at, \
           review = CASE WHEN plugins.gone_at IS NULL THEN plugins.review ELSE excluded.review END, \
           review_at = CASE WHEN plugins.gone_at IS NULL THEN plugins.review_at ELSE NULL END, \
           review_by = CASE WHEN plugins.gone_at IS NULL THEN plugins.review_by ELSE NULL END, \
           review_note = CASE WHEN plugins.gone_at IS NULL THEN plugins.review_note ELSE NULL END, \
           same = excluded.same, stale_since = NULL, gone_at = NULL, run_id = excluded.run_id",
};

/// Grades as they are stored: a scope that nobody graded is no good news.
pub(crate) const GRADES: [(&str, i64); 4] = [("low", 0), ("unknown", 1), ("medium", 2), ("high", 3)];

/// A plugin as last read.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The key within the instance.
    pub id: String,
    /// The record, in the order of [`model::plugin::SHAPE`].
    pub record: Record,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Since when incomplete runs have not seen it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// When a complete run did not have it any more.
    pub gone_at: Option<Timestamp>,
    /// What an operator made of it.
    pub review: Review,
    /// When, and who.
    pub reviewed: Option<(Timestamp, String)>,
    /// What was written about the review. May be empty.
    pub review_note: String,
    /// The same third party in several applications has the same text here; by itself it is the row's own.
    pub same: String,
    /// Open findings whose resource it is.
    pub findings: u64,
}

/// What a list of plugins is narrowed to. Gone ones are left out unless asked for.
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
    /// `app`, `oauth_app`, `token`, `ssh_key`, `webhook`, `deploy_key`, `bot`.
    pub plugin_kind: Option<String>,
    /// `user`, `workspace`, `organisation`.
    pub level: Option<String>,
    /// `high`, `medium`, `low`, or `unknown`: a scope of it is not graded.
    pub grade: Option<String>,
    /// The review.
    pub review: Option<Review>,
    /// One third party: [`Plugin::same`].
    pub same: Option<String>,
    /// Acting for this user, as the application calls it.
    pub user: Option<String>,
    /// With open findings only, or without.
    pub with_findings: Option<bool>,
    /// With an open finding of this check.
    pub check: Option<CheckId>,
    /// Seen by the last run only, or stale ones only.
    pub stale: Option<bool>,
    /// Gone ones only.
    pub gone: bool,
    /// Words in name, publisher or id.
    pub text: Option<String>,
}

/// What plugins are sorted by; ties are broken by instance and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The highest scope: ascending is low, unknown, medium, high.
    #[default]
    Grade,
    /// The name.
    Name,
    /// The last use; unknown and never come first when ascending.
    LastUsed,
    /// When first seen.
    FirstSeen,
    /// The instance's name.
    Instance,
}

/// A page of plugins.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<Plugin>, StoreError> {
    listing(sort, order, &|s| narrow(s, filter)).page(db, cut, read).await
}

/// A stretch of the same list for whoever walks all of it, by ids that mean something to [`of_ids`] only. By grade an index
/// leads from each stretch to the next; by anything else each stretch costs a look at the whole list.
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

/// The plugins of a stretch, in its order; without those that are gone or that the filter does not find any more.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_ids(db: &Db, filter: &Filter, ids: &[String]) -> Result<Vec<Plugin>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    listing(Sort::default(), Order::default(), &|s| narrow(s, filter)).of_ids(db, &ids, read).await
}

/// How many plugins the filter finds.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db, filter: &Filter) -> Result<u64, StoreError> {
    listing(Sort::default(), Order::default(), &|s| narrow(s, filter)).count(db).await
}

/// One plugin.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, instance: &InstanceId, id: &str) -> Result<Plugin, StoreError> {
    let rows = db.0.pool.rows(SELECT_ONE, args![instance, id]).await?;
    rows.first()
        .map_or_else(|| Err(StoreError::not_found(format_args!("the plugin {id} of {instance}"))), read)
}

/// What a run read, ready to be stored.
pub(crate) struct Plugins {
    rows: Vec<Vec<Arg>>,
    users: users::Users,
    complete: bool,
}

impl Plugins {
    pub(crate) fn prepare(db: &Db, held: &Held, s: Subjects<'_>, at: Timestamp) -> Result<Self, StoreError> {
        // The last of two records with one key counts: a statement may not touch a row twice.
        let mut rows = BTreeMap::new();
        let mut users = users::Users::default();
        for record in s.records {
            let id = subjects::key(record, &SHAPE)?;
            users.of(&id, record.get(&SHAPE, "users"));
            rows.insert(id.clone(), row(db, held, record, id, at)?);
        }
        Ok(Self { rows: rows.into_values().collect(), users, complete: s.complete })
    }

    pub(crate) async fn write(self, tx: &mut Tx, held: &Held, at: Timestamp) -> Result<(), StoreError> {
        tx.insert_many(UPSERT, self.rows).await?;
        tx.run(if self.complete { GONE } else { STALE }, args![&held.instance, at, &held.run]).await?;
        self.users.write(tx, &held.instance).await
    }
}

fn row(db: &Db, held: &Held, r: &Record, id: String, at: Timestamp) -> Result<Vec<Arg>, StoreError> {
    let text = |name| subjects::text(r, &SHAPE, name);
    let name = text("name").unwrap_or_else(|| id.clone());
    let grade = text("grade").unwrap_or_default();
    let grade = GRADES.iter().find(|(word, _)| *word == grade).map_or(1, |(_, n)| *n);
    Ok(args![
        db.new_id(at),
        &held.instance,
        id.clone(),
        crate::sql::to_json(&r.to_json(&SHAPE))?,
        subjects::search(&[Some(id), Some(name.clone()), text("publisher")]),
        subjects::sorted(&name),
        text("kind"),
        text("level"),
        grade,
        subjects::last(r.get(&SHAPE, "last_used_at")),
        at,
        at,
        &held.run,
        Review::NotReviewed.as_str(),
        same(r),
    ])
}

/// What the same third party is known by in every application: an app, its name and who makes it. A token, a key or a webhook is
/// its application's own, whatever it is called, and so is what has no name. The parts cannot run into each other.
fn same(r: &Record) -> String {
    let text = |name| subjects::text(r, &SHAPE, name).map(|text| text.trim().to_lowercase());
    match (text("kind").as_deref(), text("name").filter(|name| !name.is_empty())) {
        (Some("app" | "oauth_app" | "bot"), Some(name)) => {
            let publisher = text("publisher").unwrap_or_default();
            format!("{}:{name}/{publisher}", name.len())
        }
        _ => String::new(),
    }
}

/// What an operator made of a plugin, with why and who.
#[derive(Debug, Clone, Copy)]
pub struct Reviewed<'a> {
    /// What.
    pub review: Review,
    /// Why. May be empty.
    pub note: &'a str,
    /// Who.
    pub by: &'a str,
}

/// Notes what an operator made of it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn review(
    db: &Db,
    instance: &InstanceId,
    id: &str,
    reviewed: Reviewed<'_>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(REVIEW, args![instance, id, reviewed.review.as_str(), now, reviewed.by, reviewed.note]).await?
        == 0
    {
        return Err(StoreError::not_found(format_args!("the plugin {id} of {instance}")));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Review);
    Ok(())
}

pub(crate) fn listing(sort: Sort, order: Order, narrow: &(dyn Fn(&mut Select) + Sync)) -> List<'_> {
    List {
        counted: None,
        name: "plugins::list",
        columns: plugin_columns!(),
        from: plugin_from!(),
        narrow,
        key: match sort {
            Sort::Grade => Key::Int("p.grade"),
            Sort::Name => Key::Text("p.name_sort"),
            Sort::LastUsed => Key::Int("p.last_used_sort"),
            Sort::FirstSeen => Key::Int("p.first_seen_at"),
            Sort::Instance => Key::Text("i.name_sort"),
        },
        id: "p.uid",
        order,
    }
}

pub(crate) fn narrow(s: &mut Select, filter: &Filter) {
    s.push(if filter.gone { " AND p.gone_at IS NOT NULL" } else { " AND p.gone_at IS NULL" });
    if let Some(instance) = &filter.instance {
        s.push(" AND p.instance_id = ").bind(instance);
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
    if let Some(kind) = &filter.plugin_kind {
        s.push(" AND p.plugin_kind = ").bind(kind);
    }
    if let Some(level) = &filter.level {
        s.push(" AND p.level = ").bind(level);
    }
    if let Some(grade) = &filter.grade {
        // A word that is no grade finds nothing, rather than everything.
        let rank = GRADES.iter().find(|(word, _)| word == grade).map_or(-1, |(_, n)| *n);
        s.push(" AND p.grade = ").bind(rank);
    }
    if let Some(review) = filter.review {
        s.push(" AND p.review = ").bind(review.as_str());
    }
    if let Some(same) = &filter.same {
        s.push(" AND (p.same = ").bind(same).push(" OR p.uid = ").bind(same).push(")");
    }
    if let Some(user) = &filter.user {
        s.push(" AND EXISTS (SELECT 1 FROM plugin_users u WHERE u.instance_id = p.instance_id AND u.plugin_id = p.id ");
        s.push("AND u.user_key = ").bind(user.to_lowercase()).push(")");
    }
    match filter.with_findings {
        Some(true) => drop(s.push(concat!(" AND ", plugin_findings!(), " > 0"))),
        Some(false) => drop(s.push(concat!(" AND ", plugin_findings!(), " = 0"))),
        None => {}
    }
    if let Some(check) = &filter.check {
        s.push(" AND EXISTS (SELECT 1 FROM findings f WHERE f.instance_id = p.instance_id AND f.kind = 'plugins' ");
        s.push("AND f.resource = p.id AND f.state IN ('new', 'in_progress') AND f.check_id = ")
            .bind(check)
            .push(")");
    }
    match filter.stale {
        Some(true) => drop(s.push(" AND p.stale_since IS NOT NULL")),
        Some(false) => drop(s.push(" AND p.stale_since IS NULL")),
        None => {}
    }
    if let Some(text) = &filter.text {
        s.push(" AND p.search LIKE ").bind(like(text)).push(" ESCAPE '\\'");
    }
}

fn read(row: &Row) -> Result<Plugin, StoreError> {
    let record: serde_json::Value = row.json("record")?;
    let reviewed = match (row.time_opt("review_at")?, row.get::<Option<String>>("review_by")?) {
        (Some(at), Some(by)) => Some((at, by)),
        _ => None,
    };
    let (uid, same): (String, String) = (row.get("uid")?, row.get("same")?);
    Ok(Plugin {
        instance: row.id("instance_id")?,
        instance_name: row.get("instance_name")?,
        app: row.id("app")?,
        id: row.get("id")?,
        record: Record::from_json(&record, &SHAPE),
        first_seen_at: row.time("first_seen_at")?,
        last_seen_at: row.time("last_seen_at")?,
        stale_since: row.time_opt("stale_since")?,
        gone_at: row.time_opt("gone_at")?,
        review: row.word("review", Review::parse)?,
        reviewed,
        review_note: row.get::<Option<String>>("review_note")?.unwrap_or_default(),
        same: if same.is_empty() { uid } else { same },
        findings: row.count("findings")?,
    })
}
