//! The daily look whether the permissions of scans that are not enabled have come.

use model::health::Enablement;
use model::id::InstanceId;
use model::schedule::vendor_wait;
use store::instances;
use store::{StoreError, scans};

use crate::context::Context;
use crate::worker::Ended;

/// Verifies the credential again and notes, for each scan that is not enabled, what it still lacks. Enables nothing: that
/// is an operator's decision, and the page offers it.
pub(crate) async fn recheck(context: &Context, id: &InstanceId) -> Result<Ended, StoreError> {
    let row = match instances::get(&context.db, id).await {
        Err(StoreError::NotFound { .. }) => return Ok(Ended::Nothing),
        row => row?,
    };
    // Whoever found this due may not have heard of it yet.
    let facts = &row.instance.facts;
    if facts.paused.is_some() || facts.suspension.is_some() || vendor_wait(facts, context.now()).is_some() {
        return Ok(Ended::Nothing);
    }
    let Some(app) = context.catalog.app(&row.instance.app) else { return Ok(Ended::Nothing) };
    let contact = match context.contact(app, &row.instance).await? {
        Ok(contact) => contact,
        // The scans themselves say what is wrong with the credential.
        Err(_) => return Ok(Ended::Nothing),
    };
    let verified =
        context.collector.preflight(&contact.target, &contact.credential, context.clock.as_ref()).await;
    contact.keep_back_off(&context.db, id, context.now()).await?;
    let found = match verified {
        Ok(found) => found,
        Err(fault) => {
            tracing::info!(instance = %id, cause = %fault.cause, "permissions could not be checked again");
            return Ok(Ended::Nothing);
        }
    };
    if !instances::set_identity(&context.db, id, &found.identity).await? {
        tracing::warn!(instance = %id, "the credential belongs to another tenant now; its permissions were not noted");
        return Ok(Ended::Nothing);
    }
    let now = context.now();
    for scan in &row.scans {
        let kind = scan.facts.kind;
        let Some(readiness) = found.readiness.iter().find(|r| r.kind == kind) else { continue };
        if matches!(scan.facts.enablement, Enablement::NotEnabled { .. }) {
            let missing = readiness.missing.clone();
            let noted = Enablement::NotEnabled { missing, checked_at: now, offered: readiness.ready };
            scans::set_enablement(&context.db, id, kind, &noted, &readiness.gaps, now, None).await?;
        }
    }
    Ok(Ended::Done)
}
