//! What lists have in common: page sizes, cursors, facets, empty states.

use model::id::InstanceId;
use model::value::Value;
use model::view::{Cut, EmptyState, Facet, FacetChoice, Known, NextStep, Paging};
use store::{Order, Page};

use crate::Ops;
use crate::refusal::{Result, invalid};

/// Rows a page, and the most that may be asked for.
pub(crate) const ROWS: u32 = 50;
const MOST: u32 = 200;

pub(crate) fn limit(cut: &Cut, default: u32) -> Result<u32> {
    match cut.limit {
        None => Ok(default),
        Some(n) if (1..=MOST).contains(&n) => Ok(n),
        Some(n) => Err(invalid("limit", format!("A page has 1 to {MOST} rows; {n} were asked for."))),
    }
}

/// The column and the order that `sort` names.
pub(crate) fn sort(cut: &Cut) -> (Option<&str>, Order) {
    match cut.sort.as_deref() {
        None => (None, Order::Ascending),
        Some(text) => match text.strip_prefix('-') {
            Some(column) => (Some(column), Order::Descending),
            None => (Some(text), Order::Ascending),
        },
    }
}

/// The store's notion of which page.
pub(crate) fn cut(cut: &Cut, rows: u32) -> Result<store::Cut<'_>> {
    Ok(store::Cut { after: cut.after.as_deref(), before: cut.before.as_deref(), limit: limit(cut, rows)? })
}

pub(crate) fn paging<T>(page: &Page<T>, unfiltered: u64) -> Paging {
    Paging { total: page.total, unfiltered, next: page.next.clone(), previous: page.previous.clone() }
}

/// A facet whose counts are not cheap.
pub(crate) fn facet(name: &str, title: &str, active: Option<&str>, choices: &[(&str, &str)]) -> Facet {
    Facet {
        name: name.to_owned(),
        title: title.to_owned(),
        choices: choices
            .iter()
            .map(|(value, title)| FacetChoice {
                value: (*value).to_owned(),
                title: (*title).to_owned(),
                count: None,
                active: active == Some(value),
            })
            .collect(),
    }
}

/// Why a list has no rows when that is not because of what the tenant is like.
pub(crate) fn empty(paging: &Paging, says_when_unfiltered: &str, next: NextStep) -> Option<EmptyState> {
    if paging.total > 0 {
        return None;
    }
    if paging.unfiltered > 0 {
        return Some(EmptyState {
            says: "Nothing matches these filters.".to_owned(),
            next: NextStep::ClearFilters,
        });
    }
    Some(EmptyState { says: says_when_unfiltered.to_owned(), next })
}

pub(crate) fn known_text(value: &Value) -> Known<String> {
    match value {
        Value::Unknown => Known::Unknown,
        Value::Null => Known::Absent,
        Value::String(s) => Known::Is(s.to_string()),
        other => Known::Is(plain(other)),
    }
}

pub(crate) fn known_bool(value: &Value) -> Known<bool> {
    match value {
        Value::Bool(b) => Known::Is(*b),
        Value::Null => Known::Absent,
        _ => Known::Unknown,
    }
}

pub(crate) fn known_time(value: &Value) -> Known<model::time::Timestamp> {
    match value {
        Value::Timestamp(t) => Known::Is(*t),
        Value::Null => Known::Absent,
        _ => Known::Unknown,
    }
}

pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Unknown => "unknown".to_owned(),
        Value::Null => "none".to_owned(),
        Value::Bool(b) => if *b { "yes" } else { "no" }.to_owned(),
        Value::Int(n) => n.to_string(),
        Value::Double(d) => d.to_string(),
        Value::String(s) => s.to_string(),
        Value::Timestamp(t) => t.to_string(),
        Value::Duration(d) => model::words::duration(*d),
        Value::List(list) => {
            let mut items: Vec<String> = list.items.iter().map(plain).collect();
            if !list.complete {
                items.push("and others that were not read".to_owned());
            }
            items.join(", ")
        }
        Value::Map(map) => {
            map.iter().map(|(k, v)| format!("{k}: {}", plain(v))).collect::<Vec<_>>().join(", ")
        }
        // Nested objects do not occur in the canonical shapes.
        Value::Object(_) => "(object)".to_owned(),
    }
}

/// JSON evidence as text: unknown is said to be unknown.
pub(crate) fn plain_json(value: &serde_json::Value) -> String {
    use serde_json::Value as J;
    match value {
        J::Null => "none".to_owned(),
        J::Bool(b) => b.to_string(),
        J::String(s) => s.clone(),
        J::Number(n) => n.to_string(),
        J::Array(items) => format!("[{}]", items.iter().map(plain_json).collect::<Vec<_>>().join(", ")),
        J::Object(o) if o.contains_key("$unknown") => "unknown".to_owned(),
        J::Object(o) => match o.get("$incomplete") {
            Some(J::Array(items)) => {
                let read: Vec<String> = items.iter().map(plain_json).collect();
                format!("[{}, and others that were not read]", read.join(", "))
            }
            _ => o.iter().map(|(k, v)| format!("{k}: {}", plain_json(v))).collect::<Vec<_>>().join(", "),
        },
    }
}

impl Ops {
    /// Titles of a dataset, canonical ones included.
    pub(crate) fn dataset_title(&self, app: &model::id::AppId, dataset: &str) -> String {
        match dataset {
            "account" => "Account".to_owned(),
            "plugin" => "Plugin".to_owned(),
            name => self
                .0
                .catalog
                .apps
                .get(app)
                .and_then(|a| a.dataset(name))
                .map_or_else(|| name.to_owned(), |d| d.spec.title.clone()),
        }
    }

    /// The applications that are onboarded, as choices of a filter.
    pub(crate) fn app_facet(&self, active: Option<&model::id::AppId>) -> Facet {
        let mut seen = std::collections::BTreeMap::new();
        for member in self.0.fleet.all() {
            let entry = seen
                .entry(member.row.instance.app.clone())
                .or_insert_with(|| (member.app_name().to_owned(), 0u64));
            entry.1 += 1;
        }
        let choices = seen
            .into_iter()
            .map(|(id, (title, _))| FacetChoice {
                active: active == Some(&id),
                value: id.to_string(),
                title,
                count: None,
            })
            .collect();
        Facet { name: "app".to_owned(), title: "Product".to_owned(), choices }
    }

    /// The instance a list is limited to, as its heading.
    pub(crate) fn heading(&self, id: Option<&InstanceId>) -> Result<Option<model::view::ApplicationHeader>> {
        id.map(|id| self.instance(id).map(|m| self.header(&m))).transpose()
    }

    /// An instance of the fleet by the id a stored row carries. The row may be a moment older than a removal.
    pub(crate) fn instance_ref(
        &self,
        id: &InstanceId,
        name: &str,
        app: &model::id::AppId,
    ) -> model::view::InstanceRef {
        self.0.fleet.get(id).map_or_else(
            || model::view::InstanceRef {
                id: id.clone(),
                name: name.to_owned(),
                app: app.clone(),
                app_name: app.to_string(),
                vendor: String::new(),
                tenant: String::new(),
            },
            |m| m.instance_ref(),
        )
    }
}

pub(crate) fn reversed(order: Order) -> Order {
    match order {
        Order::Ascending => Order::Descending,
        Order::Descending => Order::Ascending,
    }
}
