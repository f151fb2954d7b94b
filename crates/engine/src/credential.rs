//! The cheap authentication request that lifts the suspension of a credential.

use model::id::InstanceId;
use model::scan::FailureCause;
use model::schedule::{try_at, vendor_wait};
use model::time::Duration;
use store::StoreError;
use store::instances::{self, lift_suspension, take_try, tried_in_vain};

use crate::context::Context;
use crate::worker::Ended;

/// Within this time a try has ended; another node that sees the suspension leaves it alone so long.
const TAKES: Duration = Duration::minutes(10);

/// Tries a suspended credential, if a try is due. Accepted: the suspension is lifted and every enabled scan runs.
pub(crate) async fn try_suspended(context: &Context, id: &InstanceId) -> Result<Ended, StoreError> {
    let now = context.now();
    let row = match instances::get(&context.db, id).await {
        Err(StoreError::NotFound { .. }) => return Ok(Ended::Nothing),
        row => row?,
    };
    let Some(before) = row.instance.facts.suspension.clone().filter(|s| try_at(s, now) <= now) else {
        return Ok(Ended::Nothing);
    };
    // Whoever found this due may not have heard of it yet.
    if row.instance.facts.paused.is_some() || vendor_wait(&row.instance.facts, now).is_some() {
        return Ok(Ended::Nothing);
    }
    let Some(app) = context.catalog.app(&row.instance.app) else { return Ok(Ended::Nothing) };
    let Some(taken) = take_try(&context.db, id, &before, now + TAKES).await? else {
        return Ok(Ended::Nothing);
    };
    let tried = match context.contact(app, &row.instance).await? {
        Ok(contact) => {
            let (target, credential) = (&contact.target, &contact.credential);
            let tried = context.collector.authenticate(target, credential, context.clock.as_ref()).await;
            contact.keep_back_off(&context.db, id, context.now()).await?;
            tried
        }
        Err(fault) => Err(fault),
    };
    let now = context.now();
    let version = row.instance.facts.credential_version;
    match tried {
        Ok(()) => {
            if lift_suspension(&context.db, id, version, now).await? {
                tracing::info!(instance = %id, "the credential is accepted again; its suspension is lifted");
            }
        }
        Err(fault) => {
            tracing::info!(instance = %id, cause = %fault.cause, "the suspended credential was tried in vain");
            let refused = fault.cause == FailureCause::Credentials;
            tried_in_vain(&context.db, id, version, (&before, &taken), refused, now).await?;
        }
    }
    Ok(Ended::Done)
}
