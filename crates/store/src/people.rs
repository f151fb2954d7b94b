//! Accounts by whose they are: one row a person, over all instances.

use model::id::AppId;
use model::identity::IdentityKey;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::findings::severity_of;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Row, Select, like};

/// Open findings about accounts of a person.
macro_rules! worst {
    () => {
        "COALESCE((SELECT MAX(f.severity) FROM accounts b JOIN findings f ON f.instance_id = b.instance_id \
         AND f.kind = 'accounts' AND f.resource = b.id AND f.state IN ('new', 'in_progress') \
         WHERE b.identity_key = p.id AND b.gone_at IS NULL), -1)"
    };
}

/// One person or program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub key: IdentityKey,
    /// What the identity provider calls it.
    pub name: String,
    /// Accounts that are there, that at the identity provider among them.
    pub accounts: u64,
    /// Instances that have them.
    pub instances: u64,
    /// Of the accounts, privileged ones.
    pub privileged: u64,
    /// Of the accounts, active ones.
    pub active: u64,
    /// Whether the last run of any instance judged the person to be deactivated or gone.
    pub deactivated: bool,
    /// The worst open finding about any of the accounts.
    pub worst: Option<model::finding::Severity>,
}

/// What a list of people is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// With an account in an instance of this application.
    pub app: Option<AppId>,
    /// Deactivated at the identity provider, or not.
    pub deactivated: Option<bool>,
    /// With open findings, or without.
    pub with_findings: Option<bool>,
    /// With a privileged account, or without any that is known to be.
    pub privileged: Option<bool>,
    /// Words in the name, or in the names and addresses of accounts.
    pub text: Option<String>,
}

/// What people are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Sort {
    /// The worst open finding.
    #[default]
    Risk,
    /// The name.
    Name,
    /// How many accounts they have.
    Accounts,
}

const FROM: &str = " FROM (SELECT a.identity_key AS id, MIN(a.identity_name) AS name, \
    LOWER(MIN(a.identity_name)) AS name_sort, COUNT(*) AS accounts, COUNT(DISTINCT a.instance_id) AS instances, \
    COUNT(CASE WHEN a.privileged THEN 1 END) AS privileged, COUNT(CASE WHEN a.state = 'active' THEN 1 END) AS active, \
    COUNT(CASE WHEN a.identity_state IN ('suspended', 'expired', 'removed') THEN 1 END) AS deactivated \
    FROM accounts a WHERE a.gone_at IS NULL AND a.identity_key IS NOT NULL GROUP BY a.identity_key) p WHERE TRUE";

/// A page of people.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    cut: Cut<'_>,
) -> Result<Page<Person>, StoreError> {
    listing(sort, order, &|s| narrow(s, filter)).page(db, cut, read).await
}

/// How many people the filter finds.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &Db, filter: &Filter) -> Result<u64, StoreError> {
    listing(Sort::Name, Order::default(), &|s| narrow(s, filter)).count(db).await
}

fn listing(sort: Sort, order: Order, narrow: &(dyn Fn(&mut Select) + Sync)) -> List<'_> {
    List {
        counted: None,
        name: "people::list",
        columns: concat!(
            "p.id, p.name, p.accounts, p.instances, p.privileged, p.active, p.deactivated, ",
            worst!(),
            " AS worst"
        ),
        from: FROM,
        narrow,
        key: match sort {
            Sort::Risk => Key::Int(worst!()),
            Sort::Name => Key::Text("p.name_sort"),
            Sort::Accounts => Key::Int("p.accounts"),
        },
        id: "p.id",
        order,
    }
}

fn narrow(s: &mut Select, filter: &Filter) {
    if let Some(app) = &filter.app {
        s.push(" AND EXISTS (SELECT 1 FROM accounts b JOIN instances i ON i.id = b.instance_id ");
        s.push("WHERE b.identity_key = p.id AND b.gone_at IS NULL AND i.app = ").bind(app).push(")");
    }
    match filter.deactivated {
        Some(true) => drop(s.push(" AND p.deactivated > 0")),
        Some(false) => drop(s.push(" AND p.deactivated = 0")),
        None => {}
    }
    match filter.with_findings {
        Some(true) => drop(s.push(concat!(" AND ", worst!(), " >= 0"))),
        Some(false) => drop(s.push(concat!(" AND ", worst!(), " < 0"))),
        None => {}
    }
    match filter.privileged {
        Some(true) => drop(s.push(" AND p.privileged > 0")),
        Some(false) => drop(s.push(" AND p.privileged = 0")),
        None => {}
    }
    if let Some(text) = &filter.text {
        s.push(" AND (p.name_sort LIKE ")
            .bind(like(text))
            .push(" ESCAPE '\\' OR EXISTS (SELECT 1 FROM accounts b ");
        s.push("WHERE b.identity_key = p.id AND b.gone_at IS NULL AND b.search LIKE ").bind(like(text));
        s.push(" ESCAPE '\\'))");
    }
}

fn read(row: &Row) -> Result<Person, StoreError> {
    let key: String = row.get("id")?;
    let key = IdentityKey::parse(&key)
        .ok_or_else(|| StoreError::unreadable(format_args!("column identity_key: {key:?}")))?;
    Ok(Person {
        key,
        name: row.get("name")?,
        accounts: row.count("accounts")?,
        instances: row.count("instances")?,
        privileged: row.count("privileged")?,
        active: row.count("active")?,
        deactivated: row.get::<i64>("deactivated")? > 0,
        worst: severity_of(row.get("worst")?),
    })
}
