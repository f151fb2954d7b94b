//! Keyset paging, shared by all lists.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::sql::{Arg, Row, Select};

/// One page of a list, and where its neighbours begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Opaque and safe in addresses; as [`Cut::after`] it gives the next page. `None`: this was the last.
    pub next: Option<String>,
    /// As [`Cut::before`] it gives the page before. `None`: this was the first.
    pub previous: Option<String>,
    /// Rows that the filter finds in all, on all pages.
    pub total: u64,
}

/// A stretch of a list that somebody walks from end to end: which rows, in order, and where the next stretch begins.
/// Nothing is counted, so that the whole walk costs what its rows cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch<I> {
    /// The rows' ids.
    pub ids: Vec<I>,
    /// Where the next stretch begins. `None`: this was the last.
    pub next: Option<String>,
}

/// Which page: the first, the one after a row, or the one before a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut<'a> {
    /// A [`Page::next`].
    pub after: Option<&'a str>,
    /// A [`Page::previous`]; not looked at when `after` is given.
    pub before: Option<&'a str>,
    /// Rows at most; 0 only counts.
    pub limit: u32,
}

impl Cut<'_> {
    /// The first page.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, before: None, limit }
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Smallest or earliest first.
    #[default]
    Ascending,
    /// Greatest or latest first.
    Descending,
}

impl Order {
    const fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// An expression that a list is sorted by. Never NULL, so that every row has its place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Int(&'static str),
    Text(&'static str),
}

impl Key {
    const fn expression(self) -> &'static str {
        match self {
            Self::Int(e) | Self::Text(e) => e,
        }
    }
}

/// Where a row stands in a list: its sort value and its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place(PlaceKey, String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum PlaceKey {
    Int(i64),
    Text(String),
}

impl Place {
    fn of(row: &Row, key: Key) -> Result<Self, StoreError> {
        let value = match key {
            Key::Int(_) => PlaceKey::Int(row.get("sort_key")?),
            Key::Text(_) => PlaceKey::Text(row.get("sort_key")?),
        };
        Ok(Self(value, row.get("sort_id")?))
    }

    fn write(&self) -> Result<String, StoreError> {
        Ok(URL_SAFE_NO_PAD.encode(crate::sql::to_json(self)?))
    }

    fn read(cursor: &str, key: Key) -> Result<Self, StoreError> {
        let place: Self = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(StoreError::BadCursor)?;
        match (key, &place.0) {
            (Key::Int(_), PlaceKey::Int(_)) | (Key::Text(_), PlaceKey::Text(_)) => Ok(place),
            // A cursor of another sort.
            _ => Err(StoreError::BadCursor),
        }
    }
}

impl From<PlaceKey> for Arg {
    fn from(key: PlaceKey) -> Self {
        match key {
            PlaceKey::Int(n) => n.into(),
            PlaceKey::Text(t) => t.into(),
        }
    }
}

/// Ids in one statement.
const CHUNK: usize = 500;

/// A list: what is read, from where, narrowed to what, sorted by what.
pub(crate) struct List<'a> {
    /// For errors.
    pub(crate) name: &'static str,
    /// Columns of a row.
    pub(crate) columns: &'static str,
    /// ` FROM ...` up to and with `WHERE TRUE`.
    pub(crate) from: &'static str,
    /// The same for counting, where that needs less.
    pub(crate) counted: Option<&'static str>,
    /// Adds ` AND ...` for what the filter asks.
    pub(crate) narrow: &'a (dyn Fn(&mut Select) + Sync),
    /// The sort.
    pub(crate) key: Key,
    /// A unique text column that breaks ties.
    pub(crate) id: &'static str,
    /// Which way.
    pub(crate) order: Order,
}

impl List<'_> {
    /// How many rows the filter finds.
    pub(crate) async fn count(&self, db: &Db) -> Result<u64, StoreError> {
        let mut count = Select::new(self.name, "SELECT COUNT(*) AS n");
        count.push(self.counted.unwrap_or(self.from));
        (self.narrow)(&mut count);
        let (text, args) = count.finish();
        match db.0.pool.rows(text, args).await?.first() {
            Some(row) => row.count("n"),
            None => Err(StoreError::unreadable("a count without an answer")),
        }
    }

    /// One page.
    pub(crate) async fn page<T>(
        &self,
        db: &Db,
        cut: Cut<'_>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let backwards = cut.after.is_none() && cut.before.is_some();
        let order = if backwards { self.order.reversed() } else { self.order };
        let from = cut.after.or(cut.before).map(|c| Place::read(c, self.key)).transpose()?;
        let first = from.is_none();
        let (text, args) = self.select(self.columns, from, order, i64::from(cut.limit) + 1).finish();
        let mut rows = db.0.pool.rows(text, args).await?;
        let limit = usize::try_from(cut.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        // A first page with room left has all of them: a search that finds few need not look at everything twice.
        let total = if first && !more { rows.len() as u64 } else { self.count(db).await? };
        if backwards {
            rows.reverse();
        }
        let place = |row: Option<&Row>| self.place(row);
        let (has_next, has_previous) = if backwards { (true, more) } else { (more, cut.after.is_some()) };
        Ok(Page {
            next: if has_next { place(rows.last())? } else { None },
            previous: if has_previous { place(rows.first())? } else { None },
            rows: rows.iter().map(read).collect::<Result<_, _>>()?,
            total,
        })
    }

    /// The ids of one stretch, after a [`Stretch::next`] or from the beginning.
    pub(crate) async fn ids<I: From<String>>(
        &self,
        db: &Db,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Stretch<I>, StoreError> {
        let from = after.map(|c| Place::read(c, self.key)).transpose()?;
        let (text, args) = self.select(self.id, from, self.order, i64::from(limit) + 1).finish();
        let mut rows = db.0.pool.rows(text, args).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Stretch {
            next: if more { self.place(rows.last())? } else { None },
            ids: rows.iter().map(|row| row.id("sort_id")).collect::<Result<_, _>>()?,
        })
    }

    /// The rows with these ids, in their order; without those that are gone or that the filter does not find any more.
    pub(crate) async fn of_ids<T>(
        &self,
        db: &Db,
        ids: &[&str],
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            let (text, args) = self.select_of(chunk).finish();
            for row in db.0.pool.rows(text, args).await? {
                found.insert(row.get::<String>("sort_id")?, read(&row)?);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(*id)).collect())
    }

    fn place(&self, row: Option<&Row>) -> Result<Option<String>, StoreError> {
        match row {
            Some(row) => Place::of(row, self.key)?.write().map(Some),
            None => Ok(None),
        }
    }

    /// Beginning with the ids, which CROSS JOIN tells SQLite: after `IN` it would rather read all rows of the instance that
    /// the filter names, once a batch of ids.
    fn select_of(&self, ids: &[&str]) -> Select {
        let mut s = Select::new(self.name, "WITH wanted (id) AS (VALUES ");
        for (n, id) in ids.iter().enumerate() {
            s.push(if n == 0 { "(" } else { ", (" }).bind(*id).push(")");
        }
        s.push(") SELECT ")
            .push(self.columns)
            .push(", ")
            .push(self.id)
            .push(" AS sort_id FROM wanted CROSS JOIN ");
        s.push(self.from.strip_prefix(" FROM ").unwrap_or(self.from));
        (self.narrow)(&mut s);
        s.push(" AND ").push(self.id).push(" = wanted.id");
        s
    }

    fn select(&self, columns: &'static str, from: Option<Place>, order: Order, limit: i64) -> Select {
        let key = self.key.expression();
        let mut s = Select::new(self.name, "SELECT ");
        s.push(columns).push(", ").push(key).push(" AS sort_key, ").push(self.id).push(" AS sort_id");
        s.push(self.from);
        (self.narrow)(&mut s);
        let (than, direction) = match order {
            Order::Ascending => (" > ", " ASC"),
            Order::Descending => (" < ", " DESC"),
        };
        if let Some(Place(value, id)) = from {
            // As one comparison: both databases begin to read an index there. With OR they would skip what is before.
            s.push(" AND (").push(key).push(", ").push(self.id).push(")").push(than);
            s.push("(").bind(value).push(", ").bind(id).push(")");
        }
        s.push(" ORDER BY ").push(key).push(direction).push(", ").push(self.id).push(direction);
        s.push(" LIMIT ").bind(limit);
        s
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::finding::FindingState;
    use model::id::InstanceId;
    use model::time::Timestamp;

    use super::*;
    use crate::tests::Counting;
    use crate::{Options, SealingKey, accounts, findings, plugins};

    async fn plan(db: &Db, select: Select) -> Vec<String> {
        let (text, args) = select.explained("EXPLAIN QUERY PLAN ").finish();
        let rows = db.0.pool.rows(text, args).await.expect("a plan");
        rows.iter().map(|row| row.get("detail").expect("a line")).collect()
    }

    /// Whether a search reads the words that it compares from an index, which SQLite says in the steps of the statement: `like` comes
    /// right after its argument, a column of the cursor that the row would be sought by.
    async fn words_are_in_the_index(db: &Db, list: &List<'_>) -> bool {
        let (text, args) = list.select(list.columns, None, list.order, 51).explained("EXPLAIN ").finish();
        let rows = db.0.pool.rows(text, args).await.expect("steps");
        let steps: Vec<(String, i64, Option<String>)> = rows
            .iter()
            .map(|r| (r.get("opcode").expect("a step"), r.get("p1").expect("p1"), r.get("p4").expect("p4")))
            .collect();
        let index = steps.iter().find(|(op, ..)| op == "DeferredSeek").map(|(_, cursor, _)| *cursor);
        let like = |p4: &Option<String>| p4.as_deref().is_some_and(|f| f.starts_with("like("));
        let compared = steps.iter().position(|(_, _, p4)| like(p4)).expect("words are compared");
        let (op, cursor, _) = &steps[compared - 1];
        assert_eq!(op, "Column", "{steps:#?}");
        index == Some(*cursor)
    }

    /// The plans of the first stretch, of a later one, and of the rows of one.
    async fn plans(db: &Db, list: &List<'_>) -> [Vec<String>; 3] {
        let value = match list.key {
            Key::Int(_) => PlaceKey::Int(2),
            Key::Text(_) => PlaceKey::Text("m".to_owned()),
        };
        let ids: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        [
            plan(db, list.select(list.id, None, list.order, 2_001)).await,
            plan(db, list.select(list.id, Some(Place(value, "x".to_owned())), list.order, 2_001)).await,
            plan(db, list.select_of(&ids)).await,
        ]
    }

    /// A walk of n rows costs n only where no stretch sorts, or reads again what came before it.
    #[tokio::test]
    async fn an_index_leads_from_each_stretch_to_the_next() {
        let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
        let entropy = Arc::new(Counting::default());
        let db = Db::open("sqlite::memory:", &key, entropy, Timestamp(0), Options::default()).await;
        let db = db.expect("opens");
        let one = Some(InstanceId::new("i-1"));
        let open = vec![FindingState::New, FindingState::InProgress];
        for instance in [None, one] {
            let f =
                findings::Filter { instance: instance.clone(), states: open.clone(), ..Default::default() };
            let a = accounts::Filter { instance: instance.clone(), ..Default::default() };
            let p = plugins::Filter { instance: instance.clone(), ..Default::default() };
            let narrow_findings = |s: &mut Select| findings::narrow(s, &f);
            let narrow_accounts = |s: &mut Select| accounts::narrow(s, &a);
            let narrow_plugins = |s: &mut Select| plugins::narrow(s, &p);
            let lists = [
                (
                    findings::listing(findings::Sort::Severity, Order::Descending, &narrow_findings),
                    "(severity,id)<",
                ),
                (
                    accounts::listing(accounts::Sort::Username, Order::Ascending, &narrow_accounts),
                    "(username_sort,uid)>",
                ),
                (
                    accounts::listing(accounts::Sort::Username, Order::Descending, &narrow_accounts),
                    "(username_sort,uid)<",
                ),
                (plugins::listing(plugins::Sort::Grade, Order::Descending, &narrow_plugins), "(grade,uid)<"),
            ];
            for (list, begins) in &lists {
                let [first, later, rows] = plans(&db, list).await;
                for plan in [&first, &later, &rows] {
                    assert!(!plan.iter().any(|l| l.contains("TEMP B-TREE")), "{}: {plan:#?}", list.name);
                }
                assert!(later.iter().any(|l| l.contains(begins)), "{}: {later:#?}", list.name);
                let by_id = rows.iter().any(|l| {
                    l.contains("id=?") && l.contains("sqlite_autoindex") && !l.contains("instances")
                });
                assert!(by_id, "{}: {rows:#?}", list.name);
            }
        }
        // Those at risk first is how the list of all accounts begins.
        let all = accounts::Filter::default();
        let narrow = |s: &mut Select| accounts::narrow(s, &all);
        let list = accounts::listing(accounts::Sort::Findings, Order::Descending, &narrow);
        let [first, later, _] = plans(&db, &list).await;
        for plan in [&first, &later] {
            assert!(plan.iter().any(|l| l.contains("accounts_findings")), "{plan:#?}");
            assert!(!plan.iter().any(|l| l.contains("TEMP B-TREE")), "{plan:#?}");
        }
        // Words are looked for along the same ways, in what the index itself has.
        let words = accounts::Filter { text: Some("ann".to_owned()), ..Default::default() };
        let find = |s: &mut Select| accounts::narrow(s, &words);
        for (sort, index) in
            [(accounts::Sort::Findings, "accounts_findings"), (accounts::Sort::Username, "accounts_username")]
        {
            let list = accounts::listing(sort, Order::Descending, &find);
            let [first, later, _] = plans(&db, &list).await;
            for plan in [&first, &later] {
                assert!(plan.iter().any(|l| l.contains(index)), "{plan:#?}");
                assert!(!plan.iter().any(|l| l.contains("TEMP B-TREE")), "{plan:#?}");
            }
            assert!(words_are_in_the_index(&db, &list).await, "{index}");
        }
        // What the test would say of a sort that no index serves.
        let filter = accounts::Filter::default();
        let narrow = |s: &mut Select| accounts::narrow(s, &filter);
        let list = accounts::listing(accounts::Sort::LastActive, Order::Ascending, &narrow);
        let [first, ..] = plans(&db, &list).await;
        assert!(first.iter().any(|l| l.contains("TEMP B-TREE")), "{first:#?}");
        // What the test would say of an index without them.
        let list = accounts::listing(accounts::Sort::Findings, Order::Descending, &find);
        let mut tx = db.0.pool.begin().await.expect("begins");
        tx.script(
            "DROP INDEX accounts_findings;
             CREATE INDEX accounts_findings ON accounts (open_findings, uid) WHERE gone_at IS NULL;",
        )
        .await
        .expect("an index");
        tx.commit().await.expect("commits");
        assert!(!words_are_in_the_index(&db, &list).await);
    }
}
