//! Whom plugins act for, and what acts for whom.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{AppId, InstanceId};
use model::value::Value;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Batch, Row, Select, Tx, args, like, statements};

statements! {
    KNOWN = "SELECT plugin_id, user_key FROM plugin_users WHERE instance_id = $1";
    FORGET_GONE = "DELETE FROM plugin_users WHERE instance_id = $1 AND plugin_id IN \
                   (SELECT p.id FROM plugins p WHERE p.instance_id = $1 AND p.gone_at IS NOT NULL)";
}

/// Users that are new.
pub(crate) const PUT: Batch = Batch {
    name: "PLUGIN_USERS",
    head: "INSERT INTO plugin_users (instance_id, plugin_id, user_name, user_key)",
    columns: 4,
    tail: "ON CONFLICT (instance_id, plugin_id, user_key) DO NOTHING",
};

/// Keys in one statement.
const CHUNK: usize = 500;

/// What a run read: by plugin, the users, and whether these are all.
#[derive(Default)]
pub(crate) struct Users(BTreeMap<String, (BTreeMap<String, String>, bool)>);

impl Users {
    /// Notes whom a plugin acts for. What is not known leaves what was known.
    pub(crate) fn of(&mut self, plugin: &str, users: &Value) {
        let Value::List(list) = users else { return };
        let named = list.items.iter().filter_map(Value::as_str).filter(|user| !user.is_empty());
        let keyed = named.map(|user| (user.to_lowercase(), user.to_owned())).collect();
        self.0.insert(plugin.to_owned(), (keyed, list.complete));
    }

    /// Only what has changed is written: most runs find what the one before found.
    pub(crate) async fn write(self, tx: &mut Tx, instance: &InstanceId) -> Result<(), StoreError> {
        tx.run(FORGET_GONE, args![instance]).await?;
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in tx.rows(KNOWN, args![instance]).await? {
            known.entry(row.get("plugin_id")?).or_default().insert(row.get("user_key")?);
        }
        let mut new = Vec::new();
        for (plugin, (users, complete)) in &self.0 {
            let before = known.remove(plugin).unwrap_or_default();
            for (key, name) in users.iter().filter(|(key, _)| !before.contains(*key)) {
                new.push(args![instance, plugin, name, key]);
            }
            let over: Vec<&String> =
                before.iter().filter(|key| *complete && !users.contains_key(*key)).collect();
            for chunk in over.chunks(CHUNK) {
                let mut s =
                    Select::new("plugins::users_over", "DELETE FROM plugin_users WHERE instance_id = ");
                s.bind(instance).push(" AND plugin_id = ").bind(plugin).push(" AND user_key IN (");
                s.bind_list(chunk.iter().copied());
                let (text, args) = s.finish();
                tx.run(text, args).await?;
            }
        }
        tx.insert_many(PUT, new).await.map(drop)
    }
}

/// One user of an application, with what acts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// What the application calls the user.
    pub user: String,
    /// The account, where one has this name or id.
    pub account: Option<String>,
    /// Whose the account is: [`model::identity::IdentityKey`] as text, and the name.
    pub identity: Option<(String, String)>,
    /// Plugins that act for the user.
    pub plugins: u64,
    /// Of these, not reviewed.
    pub unreviewed: u64,
    /// The highest grade: `low`, `unknown`, `medium`, `high`.
    pub grade: String,
}

/// What a list of users is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One application.
    pub app: Option<AppId>,
    /// Words in the user's name.
    pub text: Option<String>,
}

/// What users are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Sort {
    /// How many plugins act for them.
    #[default]
    Plugins,
    /// The highest grade.
    Grade,
    /// The name.
    Name,
}

const FROM: &str = " FROM (SELECT u.instance_id, u.user_key, MIN(u.user_name) AS user_name, COUNT(*) AS plugins, \
    MAX(p.grade) AS grade, COUNT(CASE WHEN p.review = 'not_reviewed' THEN 1 END) AS unreviewed, \
    u.instance_id || '/' || u.user_key AS id FROM plugin_users u \
    JOIN plugins p ON p.instance_id = u.instance_id AND p.id = u.plugin_id AND p.gone_at IS NULL \
    GROUP BY u.instance_id, u.user_key) g JOIN instances i ON i.id = g.instance_id \
    LEFT JOIN accounts a ON a.uid = (SELECT MIN(b.uid) FROM accounts b WHERE b.instance_id = g.instance_id \
    AND b.gone_at IS NULL AND (b.username_sort = g.user_key OR b.id = g.user_name)) WHERE TRUE";

/// A page of users.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<User>, StoreError> {
    let narrow = |s: &mut Select| {
        if let Some(instance) = &filter.instance {
            s.push(" AND g.instance_id = ").bind(instance);
        }
        if let Some(app) = &filter.app {
            s.push(" AND i.app = ").bind(app);
        }
        if let Some(text) = &filter.text {
            s.push(" AND g.user_key LIKE ").bind(like(text)).push(" ESCAPE '\\'");
        }
    };
    let list = List {
        counted: None,
        name: "plugins::users",
        columns: "g.instance_id, i.name AS instance_name, i.app, g.user_name, g.plugins, g.grade, g.unreviewed, \
                  a.id AS account_id, a.identity_key, a.identity_name",
        from: FROM,
        narrow: &narrow,
        key: match sort {
            Sort::Plugins => Key::Int("g.plugins"),
            Sort::Grade => Key::Int("g.grade"),
            Sort::Name => Key::Text("g.user_key"),
        },
        id: "g.id",
        order,
    };
    list.page(db, cut, read).await
}

fn read(row: &Row) -> Result<User, StoreError> {
    let key = row.get::<Option<String>>("identity_key")?;
    let name = row.get::<Option<String>>("identity_name")?;
    Ok(User {
        instance: row.id("instance_id")?,
        instance_name: row.get("instance_name")?,
        app: row.id("app")?,
        user: row.get("user_name")?,
        account: row.get("account_id")?,
        identity: key.map(|key| (key.clone(), name.unwrap_or(key))),
        plugins: row.count("plugins")?,
        unreviewed: row.count("unreviewed")?,
        grade: super::across::grade_word(row.get("grade")?).to_owned(),
    })
}
