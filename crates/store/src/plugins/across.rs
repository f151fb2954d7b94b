//! The same third party over all instances, in one row.

use model::id::{AppId, OwnerId};
use model::plugin::{Review, SHAPE};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

use super::GRADES;
use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Row, Select, like};

/// Users of one user's applications, and what acts for them.
pub use super::users::{Filter as UserFilter, Sort as UserSort, User, list as users};

/// A third party.
#[derive(Debug, Clone, PartialEq)]
pub struct Party {
    /// [`super::Plugin::same`].
    pub same: String,
    /// One of its plugins, for what is the same in all: name, kind, publisher.
    pub record: Record,
    /// Plugins of it.
    pub plugins: u64,
    /// Instances that have it.
    pub instances: u64,
    /// The highest grade: `low`, `unknown`, `medium`, `high`.
    pub grade: String,
    /// Not reviewed.
    pub unreviewed: u64,
    /// Said to be revoked, and still there.
    pub revoked: u64,
    /// Users of all of them that the applications told, each once an instance.
    pub users: u64,
    /// With open findings.
    pub with_findings: u64,
    /// First seen anywhere.
    pub first_seen_at: Timestamp,
    /// Last used anywhere: -2 not known, -1 never.
    pub last_used_sort: i64,
}

/// What a list of third parties is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// With a plugin in an instance of this application.
    pub app: Option<AppId>,
    /// With a plugin in an instance of this owner.
    pub owner: Option<OwnerId>,
    /// Its kind.
    pub plugin_kind: Option<String>,
    /// The highest grade.
    pub grade: Option<String>,
    /// With a plugin in this state.
    pub review: Option<Review>,
    /// Words in name, publisher or id.
    pub text: Option<String>,
}

/// What third parties are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Sort {
    /// The highest scope.
    #[default]
    Grade,
    /// The name.
    Name,
    /// How many instances have it.
    Instances,
    /// When first seen.
    FirstSeen,
}

const FROM: &str = " FROM (SELECT CASE WHEN q.same = '' THEN q.uid ELSE q.same END AS id, COUNT(*) AS plugins, \
    COUNT(DISTINCT q.instance_id) AS instances, MAX(q.grade) AS grade, \
    COUNT(CASE WHEN q.review = 'not_reviewed' THEN 1 END) AS unreviewed, \
    COUNT(CASE WHEN q.review = 'revoked' THEN 1 END) AS revoked, \
    COUNT(CASE WHEN q.review = 'reviewed' THEN 1 END) AS reviewed, MIN(q.first_seen_at) AS first_seen_at, \
    MAX(q.last_used_sort) AS last_used_sort, MIN(q.uid) AS one FROM plugins q WHERE q.gone_at IS NULL \
    GROUP BY CASE WHEN q.same = '' THEN q.uid ELSE q.same END) g JOIN plugins p ON p.uid = g.one WHERE TRUE";

/// A page of third parties.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<Party>, StoreError> {
    let narrow = |s: &mut Select| narrow(s, filter);
    let list = List {
        counted: None,
        name: "plugins::across",
        columns: "g.id, g.plugins, g.instances, g.grade, g.unreviewed, g.revoked, g.first_seen_at, g.last_used_sort, \
                  p.record, (SELECT COUNT(*) FROM (SELECT DISTINCT u.instance_id, u.user_key FROM plugin_users u \
                  JOIN plugins r ON r.instance_id = u.instance_id AND r.id = u.plugin_id \
                  WHERE r.gone_at IS NULL AND (r.same = g.id OR r.uid = g.id)) d) AS users, \
                  (SELECT COUNT(DISTINCT r.uid) FROM plugins r JOIN findings f ON f.instance_id = r.instance_id \
                  AND f.kind = 'plugins' AND f.resource = r.id AND f.state IN ('new', 'in_progress') \
                  WHERE r.gone_at IS NULL AND (r.same = g.id OR r.uid = g.id)) AS with_findings",
        from: FROM,
        narrow: &narrow,
        key: match sort {
            Sort::Grade => Key::Int("g.grade"),
            Sort::Name => Key::Text("p.name_sort"),
            Sort::Instances => Key::Int("g.instances"),
            Sort::FirstSeen => Key::Int("g.first_seen_at"),
        },
        id: "g.id",
        order,
    };
    list.page(db, cut, read).await
}

fn narrow(s: &mut Select, filter: &Filter) {
    // Any of its plugins may be the one that is asked for.
    let any = " AND EXISTS (SELECT 1 FROM plugins r JOIN instances i ON i.id = r.instance_id \
               WHERE r.gone_at IS NULL AND (r.same = g.id OR r.uid = g.id) AND ";
    if let Some(app) = &filter.app {
        s.push(any).push("i.app = ").bind(app).push(")");
    }
    if let Some(owner) = &filter.owner {
        s.push(any).push("i.owner_id = ").bind(owner).push(")");
    }
    if let Some(text) = &filter.text {
        s.push(any).push("r.search LIKE ").bind(like(text)).push(" ESCAPE '\\')");
    }
    if let Some(kind) = &filter.plugin_kind {
        s.push(" AND p.plugin_kind = ").bind(kind);
    }
    if let Some(grade) = &filter.grade {
        // A word that is no grade finds nothing, rather than everything.
        let rank = GRADES.iter().find(|(word, _)| word == grade).map_or(-1, |(_, n)| *n);
        s.push(" AND g.grade = ").bind(rank);
    }
    match filter.review {
        Some(Review::NotReviewed) => drop(s.push(" AND g.unreviewed > 0")),
        Some(Review::Reviewed) => drop(s.push(" AND g.reviewed > 0")),
        Some(Review::Revoked) => drop(s.push(" AND g.revoked > 0")),
        None => {}
    }
}

/// The word of a stored grade.
pub(crate) fn grade_word(rank: i64) -> &'static str {
    GRADES.iter().find(|(_, n)| *n == rank).map_or("unknown", |(word, _)| word)
}

fn read(row: &Row) -> Result<Party, StoreError> {
    let record: serde_json::Value = row.json("record")?;
    Ok(Party {
        same: row.get("id")?,
        record: Record::from_json(&record, &SHAPE),
        plugins: row.count("plugins")?,
        instances: row.count("instances")?,
        grade: grade_word(row.get("grade")?).to_owned(),
        unreviewed: row.count("unreviewed")?,
        revoked: row.count("revoked")?,
        users: row.count("users")?,
        with_findings: row.count("with_findings")?,
        first_seen_at: row.time("first_seen_at")?,
        last_used_sort: row.get("last_used_sort")?,
    })
}
