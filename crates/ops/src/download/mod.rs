//! Lists as files: exactly what is filtered, a few rows at a time, so that memory does not grow with the list.
//!
//! Findings, accounts and plugins are walked: a stretch of ids first, led by an index, then their rows. Nothing is counted
//! and nothing is read twice, so a list of ten times the rows takes ten times as long.

mod across;
mod findings;
mod piecewise;

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use model::id::InstanceId;
use model::view::{AccountsQuery, Actor, FindingsQuery, HistoryQuery, PluginsQuery, Refusal};
use serde_json::{Value, json};
use store::{Stretch, accounts, plugins, runs};

use crate::Ops;
use crate::lists::plain_json;
use crate::refusal::{Result, internal, store as from_store};

/// How accounts and plugins are exported. Findings have more: [`export::Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, RFC 4180, with a header line.
    Csv,
    /// One JSON array.
    Json,
}

/// A file on its way out, chunk by chunk.
pub type Export = BoxStream<'static, std::result::Result<Vec<u8>, Refusal>>;

/// Ids of a walked list that are held in memory at once: where no index serves the sort, each stretch of them costs a look
/// at the whole list.
const STRETCH: u32 = 1_000;
/// Rows that are: of a walked list, and of a list of groups, each page of which is grouped anew.
const ROWS: usize = 200;
const GROUPS: u32 = 1_000;

fn groups(after: Option<&str>) -> store::Cut<'_> {
    store::Cut { after, before: None, limit: GROUPS }
}

type Later<T> = BoxFuture<'static, Result<T>>;
type Batches = BoxStream<'static, Result<Vec<Value>>>;

/// The rows of a list whose pages tell where the next begins.
fn paged<F>(read: F) -> Batches
where
    F: Fn(Option<String>) -> Later<(Vec<Value>, Option<String>)> + Send + Sync + 'static,
{
    stream::try_unfold((Some(None), read), |(at, read)| async move {
        let Some(after) = at else { return Ok(None) };
        let (rows, next) = read(after).await?;
        Ok(Some((rows, (next.map(Some), read))))
    })
    .boxed()
}

/// The rows of a list that is walked: ids by `ids`, then what `rows` still finds of them.
fn walked<I, F, G>(ids: F, rows: G) -> Batches
where
    I: Clone + Send + 'static,
    F: Fn(Option<String>) -> Later<Stretch<I>> + Send + Sync + 'static,
    G: Fn(Vec<I>) -> Later<Vec<Value>> + Send + Sync + 'static,
{
    let start = (VecDeque::new(), Some(None));
    stream::try_unfold((start, ids, rows), |((mut held, mut at), ids, rows)| async move {
        while held.is_empty() {
            let Some(after) = at else { return Ok(None) };
            let stretch = ids(after).await?;
            held.extend(stretch.ids);
            at = stretch.next.map(Some);
        }
        let some: Vec<I> = held.drain(..ROWS.min(held.len())).collect();
        let found = rows(some).await?;
        Ok(Some((found, ((held, at), ids, rows))))
    })
    .boxed()
}

impl Ops {
    /// The findings that the filter leaves. OCSF and SARIF also say how the scans fared that answer for them, and which
    /// checks could not be judged.
    ///
    /// # Errors
    /// When the application is gone or the store cannot be read; later faults end the stream with the refusal.
    pub async fn export_findings(
        &self,
        _actor: &Actor,
        query: &FindingsQuery,
        format: export::Format,
    ) -> Result<Export> {
        if let Some(id) = &query.instance {
            self.instance(id)?;
        }
        Ok(findings::export(self.clone(), query.clone(), format))
    }

    /// The accounts that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_accounts(
        &self,
        _actor: &Actor,
        query: &AccountsQuery,
        format: Format,
    ) -> Result<Export> {
        let filter = crate::inventory::account_filter(query);
        let (column, order) = crate::inventory::exported_order(query);
        let (db, wanted) = (self.db().clone(), filter.clone());
        let ids = move |after: Option<String>| -> Later<Stretch<String>> {
            let (db, wanted) = (db.clone(), wanted.clone());
            Box::pin(async move {
                let stretch = accounts::ids(&db, &wanted, column, order, after.as_deref(), STRETCH).await;
                stretch.map_err(from_store)
            })
        };
        let ops = self.clone();
        let rows = move |ids: Vec<String>| -> Later<Vec<Value>> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let found = accounts::of_ids(ops.db(), &filter, &ids).await.map_err(from_store)?;
                Ok(found.into_iter().map(|a| account_line(&ops, &a)).collect())
            })
        };
        let columns: Vec<&str> =
            PLACE.into_iter().chain(model::account::SHAPE.fields.iter().map(|f| f.name.as_str())).collect();
        Ok(table(format, &columns, walked(ids, rows)))
    }

    /// The plugins that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_plugins(
        &self,
        _actor: &Actor,
        query: &PluginsQuery,
        format: Format,
    ) -> Result<Export> {
        let filter = crate::inventory::plugin_filter(query);
        let (column, order) = crate::inventory::plugin_order(query);
        let (db, wanted) = (self.db().clone(), filter.clone());
        let ids = move |after: Option<String>| -> Later<Stretch<String>> {
            let (db, wanted) = (db.clone(), wanted.clone());
            Box::pin(async move {
                let stretch = plugins::ids(&db, &wanted, column, order, after.as_deref(), STRETCH).await;
                stretch.map_err(from_store)
            })
        };
        let ops = self.clone();
        let rows = move |ids: Vec<String>| -> Later<Vec<Value>> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let found = plugins::of_ids(ops.db(), &filter, &ids).await.map_err(from_store)?;
                Ok(found.into_iter().map(|p| plugin_line(&ops, p)).collect())
            })
        };
        let columns: Vec<&str> = PLACE
            .into_iter()
            .chain(model::plugin::SHAPE.fields.iter().map(|f| f.name.as_str()))
            .chain(REVIEW)
            .collect();
        Ok(table(format, &columns, walked(ids, rows)))
    }
}

impl Ops {
    /// The runs of an application that the filter leaves, latest first.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_runs(
        &self,
        _actor: &Actor,
        id: &InstanceId,
        query: &HistoryQuery,
        format: Format,
    ) -> Result<Export> {
        self.instance(id)?;
        let filter =
            runs::Filter { instance: Some(id.clone()), kind: query.kind, outcome: query.outcome.clone() };
        let ops = self.clone();
        let read = move |after: Option<String>| -> Later<(Vec<Value>, Option<String>)> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page =
                    runs::log(ops.db(), &filter, groups(after.as_deref())).await.map_err(from_store)?;
                Ok((page.rows.into_iter().map(run_line).collect(), page.next))
            })
        };
        Ok(table(format, &RUN, paged(read)))
    }
}

const RUN: [&str; 17] = [
    "run",
    "scan",
    "outcome",
    "cause",
    "started_at",
    "finished_at",
    "records",
    "datasets_read",
    "datasets_total",
    "requests",
    "retries",
    "bytes",
    "throttled_ms",
    "opened",
    "resolved",
    "gaps",
    "detail",
];

fn run_line(run: runs::Run) -> Value {
    let fault = run.fault.as_ref();
    json!({
        "run": run.id, "scan": run.kind, "outcome": run.outcome.as_str(),
        "cause": run.outcome.cause().map(model::scan::FailureCause::as_str),
        "started_at": run.started_at, "finished_at": run.finished_at, "records": run.records,
        "datasets_read": run.datasets_read, "datasets_total": run.datasets_total,
        "requests": run.cost.requests, "retries": run.cost.retries, "bytes": run.cost.bytes,
        "throttled_ms": run.cost.throttled_ms, "opened": run.changed.opened, "resolved": run.changed.resolved,
        "gaps": run.gaps.iter().map(|g| g.dataset.as_str()).collect::<Vec<_>>(),
        "detail": fault.map(|f| f.detail.as_str()),
    })
}

const PLACE: [&str; 6] = ["application", "product", "tenant", "first_seen_at", "last_seen_at", "stale_since"];

const REVIEW: [&str; 4] = ["review", "reviewed_at", "reviewed_by", "review_note"];

fn account_line(ops: &Ops, a: &accounts::Account) -> Value {
    let place = ops.instance_ref(&a.instance, &a.instance_name, &a.app);
    let record = a.record.to_json(&model::account::SHAPE);
    located(&place, record, a.first_seen_at, a.last_seen_at, a.stale_since)
}

fn plugin_line(ops: &Ops, p: plugins::Plugin) -> Value {
    let place = ops.instance_ref(&p.instance, &p.instance_name, &p.app);
    let (at, by) = p.reviewed.unzip();
    let record = p.record.to_json(&model::plugin::SHAPE);
    let mut row = located(&place, record, p.first_seen_at, p.last_seen_at, p.stale_since);
    if let Some(row) = row.as_object_mut() {
        let review = [json!(p.review.as_str()), json!(at), json!(by), json!(p.review_note)];
        row.extend(REVIEW.map(str::to_owned).into_iter().zip(review));
    }
    row
}

fn located(
    place: &model::view::InstanceRef,
    record: Value,
    first: model::time::Timestamp,
    last: model::time::Timestamp,
    stale: Option<model::time::Timestamp>,
) -> Value {
    let mut row = json!({ "application": place.name, "product": place.app_name, "tenant": place.tenant,
        "first_seen_at": first, "last_seen_at": last, "stale_since": stale });
    if let (Some(row), Value::Object(record)) = (row.as_object_mut(), record) {
        row.extend(record);
    }
    row
}

/// Rows as a file, a chunk a batch.
fn table(format: Format, columns: &[&str], rows: Batches) -> Export {
    let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    let head = match format {
        Format::Json => Ok(b"[".to_vec()),
        Format::Csv => csv_line(columns.iter().cloned()),
    };
    let tail = match format {
        Format::Json => b"\n]\n".to_vec(),
        Format::Csv => Vec::new(),
    };
    let mut first = true;
    let body = rows.map(move |rows| {
        let mut chunk = Vec::new();
        for row in rows? {
            match format {
                Format::Json => {
                    chunk.extend_from_slice(if first { b"\n" } else { b",\n" });
                    first = false;
                    chunk.extend(serde_json::to_vec(&row).map_err(internal)?);
                }
                Format::Csv => chunk.extend(csv_line(columns.iter().map(|c| cell(row.get(c))))?),
            }
        }
        Ok(chunk)
    });
    // After a refusal nothing follows: a file that was broken off must not end like a whole one.
    let mut broken = false;
    stream::iter([head])
        .chain(body)
        .chain(stream::iter([Ok(tail)]))
        .take_while(move |chunk| {
            let ended = broken;
            broken |= chunk.is_err();
            std::future::ready(!ended)
        })
        .boxed()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Object(o)) if o.contains_key("$unknown") => "unknown".to_owned(),
        Some(Value::Array(items)) => items.iter().map(plain_json).collect::<Vec<_>>().join(" "),
        Some(other) => plain_json(other),
    }
}

fn csv_line(cells: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    export::spreadsheet::line(cells).map_err(internal)
}
