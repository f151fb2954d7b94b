//! Values that changed between two complete snapshots.

use model::finding::Drift;
use model::id::{InstanceId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Cut, Key, List, Order, Page};
use crate::sql::{Row, Select, like};

/// A change with where it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which.
    pub id: String,
    /// The instance.
    pub instance: InstanceId,
    /// The scan.
    pub kind: ScanKind,
    /// The run that saw it.
    pub run: RunId,
    /// The change.
    pub drift: Drift,
}

/// What a list of drift is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One scan.
    pub kind: Option<ScanKind>,
    /// One dataset.
    pub dataset: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Words in the resource or the field.
    pub text: Option<String>,
}

/// A page of drift, latest first.
///
/// # Errors
/// When the database cannot be read or the cursor is not one of ours.
pub async fn list(db: &Db, filter: &Filter, cut: Cut<'_>) -> Result<Page<Seen>, StoreError> {
    let list = List {
        counted: None,
        name: "drift::list",
        columns: "id, instance_id, kind, run_id, dataset, resource, field, before_value, after_value, at",
        from: " FROM drift WHERE TRUE",
        narrow: &|s| narrow(s, filter),
        key: Key::Int("at"),
        id: "id",
        order: Order::Descending,
    };
    list.page(db, cut, read).await
}

fn narrow(s: &mut Select, filter: &Filter) {
    if let Some(instance) = &filter.instance {
        s.push(" AND instance_id = ").bind(instance);
    }
    if let Some(kind) = filter.kind {
        s.push(" AND kind = ").bind(kind);
    }
    if let Some(dataset) = &filter.dataset {
        s.push(" AND dataset = ").bind(dataset);
    }
    if let Some(since) = filter.since {
        s.push(" AND at >= ").bind(since);
    }
    if let Some(text) = &filter.text {
        s.push(" AND search LIKE ").bind(like(text)).push(" ESCAPE '\\'");
    }
}

fn read(row: &Row) -> Result<Seen, StoreError> {
    Ok(Seen {
        id: row.get("id")?,
        instance: row.id("instance_id")?,
        kind: row.word("kind", ScanKind::parse)?,
        run: row.id("run_id")?,
        drift: Drift {
            dataset: row.get("dataset")?,
            resource: row.get("resource")?,
            field: row.get("field")?,
            before: row.json_opt("before_value")?,
            after: row.json_opt("after_value")?,
            at: row.time("at")?,
        },
    })
}
