//! The one place where the two databases differ: connecting, schema words, locks, clock.

use crate::db::Options;
use crate::error::StoreError;
use crate::sql::Pool;

/// Connects; SQLite files are locked for this process.
pub(crate) async fn connect(
    address: &str,
    options: &Options,
) -> Result<(Pool, Option<std::fs::File>), StoreError> {
    todo!()
}
