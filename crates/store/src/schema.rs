//! The schema, its versions, and the key's check value.
use model::entropy::Entropy;
use model::time::Timestamp;

use crate::error::StoreError;
use crate::seal::SealingKey;
use crate::sql::{Pool, statements};

statements! {
    PING = "SELECT 1 AS one";
}

/// Creates or upgrades the schema.
pub(crate) async fn upgrade(
    pool: &Pool,
    key: &SealingKey,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), StoreError> {
    todo!()
}
