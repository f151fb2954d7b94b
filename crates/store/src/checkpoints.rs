//! Pages read so far by a run that has not ended. Not a result: nothing reads them but the same run.

use crate::db::Db;
use crate::error::StoreError;
use crate::scans::Held;

/// Stores how far a dataset was read, under the fence. Replaces the dataset's earlier one. `false`: the lease is lost; stop.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(
    db: &Db,
    held: &Held,
    dataset: &str,
    revision: u32,
    body: &[u8],
) -> Result<bool, StoreError> {
    todo!()
}

/// What the run may resume from: dataset and body. Those of another credential or manifest revision are dropped.
///
/// # Errors
/// When the database cannot be read.
pub async fn take(db: &Db, held: &Held, revision: u32) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    todo!()
}
