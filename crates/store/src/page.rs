//! Keyset paging, shared by all lists.

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

/// A list: what is read, from where, narrowed to what, sorted by what.
pub(crate) struct List<'a> {
    /// For errors.
    pub(crate) name: &'static str,
    /// Columns of a row.
    pub(crate) columns: &'static str,
    /// ` FROM ...` up to and with `WHERE TRUE`.
    pub(crate) from: &'static str,
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
        count.push(self.from);
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
        let total = self.count(db).await?;
        let backwards = cut.after.is_none() && cut.before.is_some();
        let order = if backwards { self.order.reversed() } else { self.order };
        let from = cut.after.or(cut.before).map(|c| Place::read(c, self.key)).transpose()?;
        let (text, args) = self.select(from, order, i64::from(cut.limit) + 1).finish();
        let mut rows = db.0.pool.rows(text, args).await?;
        let limit = usize::try_from(cut.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if backwards {
            rows.reverse();
        }
        let place = |row: Option<&Row>| match row {
            Some(row) => Place::of(row, self.key)?.write().map(Some),
            None => Ok(None),
        };
        let (has_next, has_previous) = if backwards { (true, more) } else { (more, cut.after.is_some()) };
        Ok(Page {
            next: if has_next { place(rows.last())? } else { None },
            previous: if has_previous { place(rows.first())? } else { None },
            rows: rows.iter().map(read).collect::<Result<_, _>>()?,
            total,
        })
    }

    fn select(&self, from: Option<Place>, order: Order, limit: i64) -> Select {
        let key = self.key.expression();
        let mut s = Select::new(self.name, "SELECT ");
        s.push(self.columns).push(", ").push(key).push(" AS sort_key, ").push(self.id).push(" AS sort_id");
        s.push(self.from);
        (self.narrow)(&mut s);
        let (than, direction) = match order {
            Order::Ascending => (" > ", " ASC"),
            Order::Descending => (" < ", " DESC"),
        };
        if let Some(Place(value, id)) = from {
            s.push(" AND (").push(key).push(than).bind(value.clone());
            s.push(" OR (").push(key).push(" = ").bind(value);
            s.push(" AND ").push(self.id).push(than).bind(id).push("))");
        }
        s.push(" ORDER BY ").push(key).push(direction).push(", ").push(self.id).push(direction);
        s.push(" LIMIT ").bind(limit);
        s
    }
}
