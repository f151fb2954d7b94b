//! What operators set about a standing scan: its pace, and whether it runs.

use model::health::{Enablement, ScanFacts};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::Timestamp;

use super::facts;
use crate::audit::{self, Entry};
use crate::checkpoints;
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::instances;
use crate::sql::{Tx, args, statements, to_json};

statements! {
    SET_PACE = "UPDATE scans SET interval_ms = $3, next_at = $4, watched_since = $5 \
                WHERE instance_id = $1 AND kind = $2";
    SET_ENABLEMENT = "UPDATE scans SET enabled = $3, enablement = $4, readiness_gaps = $5 \
                      WHERE instance_id = $1 AND kind = $2";
    WATCH = "UPDATE scans SET wanted_at = $3, next_at = $3, watched_since = $3 \
             WHERE instance_id = $1 AND kind = $2 AND enabled = TRUE";
    FENCE_ONE = "UPDATE scans SET fence = fence + 1, lease_holder = NULL, lease_expires_at = NULL, cancel_at = NULL, \
                 progress = NULL, run_id = NULL, run_started_at = NULL, run_deadline_at = NULL, \
                 run_waiting_until = NULL, run_abandoned = 0, run_wanted = FALSE WHERE instance_id = $1 AND kind = $2";
}

/// Changes one scan's pace: `change` computes the new facts from fresh ones under a lock
/// ([`model::schedule::after_interval_saved`]); `interval`, `next_at` and `watched_since` are stored.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_pace(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    change: &(dyn Fn(&ScanFacts) -> ScanFacts + Send + Sync),
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    instances::lock(&mut tx, instance).await?;
    let new = change(&facts(&mut tx, instance, kind).await?);
    tx.run(SET_PACE, args![instance, kind, new.interval, new.next_at, new.watched_since]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(kind));
    Ok(())
}

/// Notes whether a scan that is not enabled could run now (the daily check, or "Check again"), enables it
/// (wanted at once, watched from now), or stops it (its live run is fenced). An enabled scan does not become
/// [`Enablement::NotEnabled`] by this: nothing is changed then, and the answer is `false`.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_enablement(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    enablement: &Enablement,
    gaps: &[String],
    now: Timestamp,
    audit: Option<Entry>,
) -> Result<bool, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    instances::lock(&mut tx, instance).await?;
    let was = facts(&mut tx, instance, kind).await?;
    if was.enablement.is_enabled() && matches!(enablement, Enablement::NotEnabled { .. }) {
        return Ok(false);
    }
    change_enablement(&mut tx, instance, &was, enablement, gaps, now).await?;
    if let Some(entry) = audit {
        audit::write(db, &mut tx, now, entry).await?;
    }
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(kind));
    Ok(true)
}

pub(crate) async fn change_enablement(
    tx: &mut Tx,
    instance: &InstanceId,
    was: &ScanFacts,
    enablement: &Enablement,
    gaps: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let kind = was.kind;
    let args = args![instance, kind, enablement.is_enabled(), to_json(enablement)?, to_json(gaps)?];
    tx.run(SET_ENABLEMENT, args).await?;
    if enablement.is_enabled() && !was.enablement.is_enabled() {
        tx.run(WATCH, args![instance, kind, now]).await?;
    }
    if !enablement.is_enabled() && was.enablement.is_enabled() {
        tx.run(FENCE_ONE, args![instance, kind]).await?;
        checkpoints::drop_all(tx, instance, kind).await?;
    }
    Ok(())
}
