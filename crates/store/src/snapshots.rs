//! The last complete reading of each dataset: what drift compares with and what a check is explained on. And
//! everything else a run or an assessment wants to know about before.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::dataset::{Availability, DatasetSnapshot};
use model::id::{CheckId, FindingId, InstanceId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use model::value::{Record, Shape};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Entry};
use crate::blob;
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Row, args, statements};

statements! {
    PUT = "INSERT INTO snapshots (instance_id, dataset, kind, run_id, revision, collected_at, records, body) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
           ON CONFLICT (instance_id, dataset) DO UPDATE SET kind = excluded.kind, run_id = excluded.run_id, \
           revision = excluded.revision, collected_at = excluded.collected_at, records = excluded.records, \
           body = excluded.body";
    ALL_OF = "SELECT dataset, run_id, revision, collected_at, body FROM snapshots WHERE instance_id = $1";
    ONE_OF = "SELECT dataset, run_id, revision, collected_at, body FROM snapshots \
              WHERE instance_id = $1 AND dataset = $2";
    OPEN_FINDINGS = "SELECT id, check_id, resource FROM findings \
                     WHERE instance_id = $1 AND kind = $2 AND state <> 'resolved' ORDER BY id";
    SHRUNK_OF = "SELECT dataset, first_at, agreed_at, agreed_by FROM shrunk WHERE instance_id = $1";
    SHRUNK_PUT = "INSERT INTO shrunk (instance_id, dataset, first_at) VALUES ($1, $2, $3) \
                  ON CONFLICT (instance_id, dataset) DO NOTHING";
    SHRUNK_AGREE = "UPDATE shrunk SET agreed_at = $3, agreed_by = $4 WHERE instance_id = $1 AND dataset = $2";
    SHRUNK_DROP = "DELETE FROM shrunk WHERE instance_id = $1 AND dataset = $2";
    SWEEP_PUT = "INSERT INTO sweeps (instance_id, dataset, body, changed_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (instance_id, dataset) DO UPDATE SET body = excluded.body, \
                 changed_at = excluded.changed_at";
    SWEEPS_OF = "SELECT dataset, body FROM sweeps WHERE instance_id = $1";
}

/// A stored dataset. Its availability is always complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The run that read it.
    pub run: RunId,
    /// The manifest's revision it was read with.
    pub revision: u32,
    /// What was read.
    pub data: DatasetSnapshot,
}

/// What was known before a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prior {
    /// Findings that are not resolved, of checks this scan answers.
    pub open: Vec<(FindingId, CheckId, String)>,
    /// The last complete snapshot of each dataset of the instance.
    pub datasets: BTreeMap<String, Stored>,
    /// Datasets that were found empty after having had 10 or more records.
    pub shrunk: BTreeMap<String, Shrunk>,
}

/// An emptiness that has not been believed yet, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The first run that found it empty.
    pub first_at: Timestamp,
    /// When an operator confirmed that it is empty.
    pub agreed_at: Option<Timestamp>,
    /// Who.
    pub agreed_by: Option<String>,
}

/// What was known before a run of this scan.
///
/// # Errors
/// When the database cannot be read.
pub async fn prior(db: &Db, instance: &InstanceId, kind: ScanKind) -> Result<Prior, StoreError> {
    let open = db.0.pool.rows(OPEN_FINDINGS, args![instance, kind]).await?;
    Ok(Prior {
        open: open
            .iter()
            .map(|row| Ok((row.id("id")?, row.id("check_id")?, row.get("resource")?)))
            .collect::<Result<_, StoreError>>()?,
        datasets: of_instance(db, instance, None).await?,
        shrunk: shrunk(db, instance).await?,
    })
}

/// The last complete snapshots of an instance, all or the named one.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_instance(
    db: &Db,
    instance: &InstanceId,
    dataset: Option<&str>,
) -> Result<BTreeMap<String, Stored>, StoreError> {
    let rows = match dataset {
        Some(name) => db.0.pool.rows(ONE_OF, args![instance, name]).await?,
        None => db.0.pool.rows(ALL_OF, args![instance]).await?,
    };
    rows.iter().map(|row| Ok((row.get("dataset")?, read(row)?))).collect()
}

/// What is kept of datasets with a `refresh` age, by dataset: bytes as [`crate::runs::Commit::sweeps`] gave them.
///
/// # Errors
/// When the database cannot be read.
pub async fn sweeps(db: &Db, instance: &InstanceId) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let rows = db.0.pool.rows(SWEEPS_OF, args![instance]).await?;
    rows.iter().map(|row| Ok((row.get("dataset")?, blob::unpack(&row.get::<Vec<u8>>("body")?)?))).collect()
}

/// An operator confirms that a dataset is empty now.
///
/// # Errors
/// [`StoreError::NotFound`] when no run has found it empty.
pub async fn agree_empty(
    db: &Db,
    instance: &InstanceId,
    dataset: &str,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(SHRUNK_AGREE, args![instance, dataset, now, by]).await? == 0 {
        return Err(StoreError::not_found(format_args!(
            "an unexpectedly empty dataset {dataset} of {instance}"
        )));
    }
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Instance);
    Ok(())
}

/// Emptinesses that wait for an operator or a second run, or were agreed to and not read since.
///
/// # Errors
/// When the database cannot be read.
pub async fn shrunk(db: &Db, instance: &InstanceId) -> Result<BTreeMap<String, Shrunk>, StoreError> {
    let rows = db.0.pool.rows(SHRUNK_OF, args![instance]).await?;
    rows.iter()
        .map(|row| {
            let shrunk = Shrunk {
                first_at: row.time("first_at")?,
                agreed_at: row.time_opt("agreed_at")?,
                agreed_by: row.get("agreed_by")?,
            };
            Ok((row.get("dataset")?, shrunk))
        })
        .collect()
}

/// A dataset as it is packed.
#[derive(Serialize, Deserialize)]
struct Body {
    shape: Shape,
    key: Option<String>,
    request: String,
    requests: u32,
    records: Vec<serde_json::Value>,
}

/// A complete dataset, packed. Costs time in proportion to its records: to be done before the transaction begins.
pub(crate) fn pack(data: &DatasetSnapshot) -> Result<Vec<u8>, StoreError> {
    blob::pack_json(&Body {
        shape: data.shape.as_ref().clone(),
        key: data.key.clone(),
        request: data.request.clone(),
        requests: data.requests,
        records: data.records.iter().map(|r| r.to_json(&data.shape)).collect(),
    })
}

fn read(row: &Row) -> Result<Stored, StoreError> {
    let body: Body = blob::unpack_json(&row.get::<Vec<u8>>("body")?)?;
    let shape = Arc::new(body.shape);
    Ok(Stored {
        run: row.id("run_id")?,
        revision: row.count("revision")?,
        data: DatasetSnapshot {
            records: body.records.iter().map(|r| Record::from_json(r, &shape)).collect(),
            shape,
            key: body.key,
            availability: Availability::Complete,
            collected_at: row.time("collected_at")?,
            request: body.request,
            requests: body.requests,
        },
    })
}
