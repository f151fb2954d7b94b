//! Parameters of checks that somebody has set for an instance: kept beside the server's settings, one text an instance.

use std::collections::BTreeMap;

use model::id::{CheckId, InstanceId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::instances;
use crate::settings;
use crate::sql::{args, statements, to_json};

statements! {
    DROP = "DELETE FROM settings WHERE name = $1";
}

/// A parameter as it was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetParam {
    /// The value, as the catalogue writes values of its type.
    pub value: serde_json::Value,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What is set, by check and parameter.
pub type Params = BTreeMap<CheckId, BTreeMap<String, SetParam>>;

/// Where the parameters of an instance are kept.
pub(crate) fn place(id: &InstanceId) -> String {
    format!("check parameters of {id}")
}

/// What is set for an instance; everything else has its default.
///
/// # Errors
/// [`StoreError::Unreadable`] when it cannot be understood.
pub async fn of(db: &Db, id: &InstanceId) -> Result<Params, StoreError> {
    Ok(settings::get(db, &place(id)).await?.unwrap_or_default())
}

/// Sets a parameter, or gives it back its default (`None`).
///
/// # Errors
/// [`StoreError::NotFound`] when the instance is gone.
pub async fn set(
    db: &Db,
    id: &InstanceId,
    (check, name): (&CheckId, &str),
    value: Option<SetParam>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let place = place(id);
    let mut tx = db.0.pool.begin().await?;
    // Who changes another parameter at the same time waits, so that neither is lost.
    instances::locked(&mut tx, id).await?;
    let kept = tx.row(settings::GET, args![&place]).await?;
    let mut params: Params = kept.map(|row| row.json("value")).transpose()?.unwrap_or_default();
    match value {
        Some(value) => {
            params.entry(check.clone()).or_default().insert(name.to_owned(), value);
        }
        None => {
            if let Some(of_check) = params.get_mut(check) {
                of_check.remove(name);
            }
            params.retain(|_, of_check| !of_check.is_empty());
        }
    }
    tx.run(settings::PUT, args![&place, to_json(&params)?, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(id), What::Instance);
    Ok(())
}
