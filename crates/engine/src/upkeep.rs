//! What is deleted by age, once a day.

use store::StoreError;
use store::retention::{Before, prune};

use crate::context::Context;

/// Deletes what is older than the configuration keeps.
pub(crate) async fn run(context: &Context) -> Result<(), StoreError> {
    let now = context.now();
    let keep = context.config.keep;
    let before = Before {
        runs: now - keep.runs,
        drift: now - keep.drift,
        resolved: now - keep.resolved,
        gone: now - keep.gone,
    };
    let deleted = prune(&context.db, before, now).await?;
    tracing::debug!(?deleted, "old rows were deleted");
    Ok(())
}
