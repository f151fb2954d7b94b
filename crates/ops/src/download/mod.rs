//! Lists as files: exactly what is filtered, page by page, so that memory does not grow with the list.

mod across;
mod findings;
mod piecewise;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use model::id::InstanceId;
use model::view::{AccountsQuery, Actor, FindingsQuery, HistoryQuery, PluginsQuery, Refusal};
use serde_json::{Value, json};
use store::{accounts, plugins, runs};

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

/// Rows read at once.
const BATCH: u32 = 200;

fn batch(after: Option<&str>) -> store::Cut<'_> {
    store::Cut { after, before: None, limit: BATCH }
}

type Rows = std::result::Result<(Vec<Value>, Option<String>), Refusal>;

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
        let (column, order) = crate::inventory::account_order(query);
        let ops = self.clone();
        let columns: Vec<&str> =
            PLACE.into_iter().chain(model::account::SHAPE.fields.iter().map(|f| f.name.as_str())).collect();
        Ok(table(format, &columns, move |after| {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = accounts::list(ops.db(), &filter, column, order, batch(after.as_deref()))
                    .await
                    .map_err(from_store)?;
                let row = |a: accounts::Account| {
                    let place = ops.instance_ref(&a.instance, &a.instance_name, &a.app);
                    located(
                        &place,
                        a.record.to_json(&model::account::SHAPE),
                        a.first_seen_at,
                        a.last_seen_at,
                        a.stale_since,
                    )
                };
                Ok((page.rows.into_iter().map(row).collect(), page.next))
            })
        }))
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
        let ops = self.clone();
        let columns: Vec<&str> = PLACE
            .into_iter()
            .chain(model::plugin::SHAPE.fields.iter().map(|f| f.name.as_str()))
            .chain(REVIEW)
            .collect();
        Ok(table(format, &columns, move |after| {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = plugins::list(ops.db(), &filter, column, order, batch(after.as_deref()))
                    .await
                    .map_err(from_store)?;
                let row = |p: plugins::Plugin| {
                    let place = ops.instance_ref(&p.instance, &p.instance_name, &p.app);
                    let (at, by) = p.reviewed.clone().unzip();
                    let mut row = located(
                        &place,
                        p.record.to_json(&model::plugin::SHAPE),
                        p.first_seen_at,
                        p.last_seen_at,
                        p.stale_since,
                    );
                    if let Some(row) = row.as_object_mut() {
                        let review = [json!(p.review.as_str()), json!(at), json!(by), json!(p.review_note)];
                        row.extend(REVIEW.map(str::to_owned).into_iter().zip(review));
                    }
                    row
                };
                Ok((page.rows.into_iter().map(row).collect(), page.next))
            })
        }))
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
        Ok(table(format, &RUN, move |after| {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = runs::log(ops.db(), &filter, batch(after.as_deref())).await.map_err(from_store)?;
                Ok((page.rows.into_iter().map(run_line).collect(), page.next))
            })
        }))
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

enum At {
    Start,
    After(Option<String>, bool),
    End,
}

fn table<F>(format: Format, columns: &[&str], read: F) -> Export
where
    F: Fn(Option<String>) -> futures_util::future::BoxFuture<'static, Rows> + Send + Sync + 'static,
{
    let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    stream::try_unfold((At::Start, read, columns), move |(at, read, columns)| async move {
        let (after, first) = match at {
            At::Start => {
                let head = match format {
                    Format::Json => b"[".to_vec(),
                    Format::Csv => csv_line(columns.iter().cloned())?,
                };
                return Ok(Some((head, (At::After(None, true), read, columns))));
            }
            At::After(after, first) => (after, first),
            At::End => return Ok(None),
        };
        let (rows, next) = read(after).await?;
        let mut chunk = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            match format {
                Format::Json => {
                    chunk.extend_from_slice(if first && n == 0 { b"\n" } else { b",\n" });
                    chunk.extend(serde_json::to_vec(row).map_err(internal)?);
                }
                Format::Csv => chunk.extend(csv_line(columns.iter().map(|c| cell(row.get(c))))?),
            }
        }
        let at = match next {
            Some(next) => At::After(Some(next), first && rows.is_empty()),
            None => {
                if format == Format::Json {
                    chunk.extend_from_slice(b"\n]\n");
                }
                At::End
            }
        };
        Ok(Some((chunk, (at, read, columns))))
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
