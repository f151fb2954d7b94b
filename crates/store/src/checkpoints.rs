//! Parts read so far by a run that has not ended. Not a result: nothing reads them but the same run.

use model::id::InstanceId;
use model::scan::ScanKind;

use crate::blob;
use crate::db::Db;
use crate::error::StoreError;
use crate::scans::{Held, fence};
use crate::sql::{Tx, args, statements};

statements! {
    HOLDS = "SELECT 1 AS one FROM scans \
             WHERE instance_id = $1 AND kind = $2 AND fence = $3 AND run_id = $4 AND lease_expires_at IS NOT NULL";
    PUT = "INSERT INTO checkpoints (run_id, dataset, part, instance_id, kind, body) VALUES ($1, $2, $3, $4, $5, $6) \
           ON CONFLICT (run_id, dataset, part) DO UPDATE SET body = excluded.body";
    OF_RUN = "SELECT dataset, part, body FROM checkpoints WHERE run_id = $1 ORDER BY dataset, part";
    DROP_ALL = "DELETE FROM checkpoints WHERE instance_id = $1 AND kind = $2";
    DROP_INSTANCE = "DELETE FROM checkpoints WHERE instance_id = $1";
}

/// One part of what a run has read of a dataset. Opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The dataset.
    pub dataset: String,
    /// Counts up within the dataset.
    pub part: u32,
    /// What was read.
    pub body: Vec<u8>,
}

/// Stores a part, under the fence; a part stored again replaces itself. `false`: the lease is lost; stop.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(db: &Db, held: &Held, part: &Part) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    // On PostgreSQL a swap of the lease must wait for this transaction: the instance's row is the lock of both.
    if !crate::instances::lock(&mut tx, &held.instance).await? || tx.row(HOLDS, fence(held)).await?.is_none()
    {
        return Ok(false);
    }
    insert(&mut tx, held, part).await?;
    tx.commit().await?;
    Ok(true)
}

pub(crate) async fn insert(tx: &mut Tx, held: &Held, part: &Part) -> Result<(), StoreError> {
    let args = args![&held.run, &part.dataset, part.part, &held.instance, held.kind, blob::pack(&part.body)?];
    tx.run(PUT, args).await.map(drop)
}

/// The parts that earlier leases of this run stored.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_run(db: &Db, held: &Held) -> Result<Vec<Part>, StoreError> {
    let rows = db.0.pool.rows(OF_RUN, args![&held.run]).await?;
    rows.iter()
        .map(|row| {
            Ok(Part {
                dataset: row.get("dataset")?,
                part: row.count("part")?,
                body: blob::unpack(&row.get::<Vec<u8>>("body")?)?,
            })
        })
        .collect()
}

/// Drops the parts of a scan: its run ended or was dropped.
pub(crate) async fn drop_all(tx: &mut Tx, instance: &InstanceId, kind: ScanKind) -> Result<(), StoreError> {
    tx.run(DROP_ALL, args![instance, kind]).await.map(drop)
}
