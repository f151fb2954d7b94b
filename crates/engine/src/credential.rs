//! The cheap authentication request that lifts the suspension of a credential.

use model::id::InstanceId;
use model::scan::FailureCause;
use model::schedule::after_refused_try;
use model::time::Duration;
use store::StoreError;
use store::instances::{self, lift_suspension, update_facts};

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
    let Some(before) = row.instance.facts.suspension.clone().filter(|s| s.next_try_at <= now) else {
        return Ok(Ended::Nothing);
    };
    let Some(app) = context.catalog.app(&row.instance.app) else { return Ok(Ended::Nothing) };
    let mut taken = before.clone();
    taken.next_try_at = now + TAKES;
    let facts = update_facts(&context.db, id, &|facts| {
        let mut facts = facts.clone();
        if facts.suspension.as_ref() == Some(&before) {
            facts.suspension = Some(taken.clone());
        }
        facts
    })
    .await?;
    if facts.suspension.as_ref() != Some(&taken) {
        return Ok(Ended::Nothing);
    }
    let tried = match context.contact(app, &row.instance).await? {
        Ok(contact) => {
            context.collector.authenticate(&contact.target, &contact.credential, context.clock.as_ref()).await
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
            let next = after_refused_try(&before, refused, now);
            update_facts(&context.db, id, &|facts| {
                let mut facts = facts.clone();
                // A credential that was replaced meanwhile is another one: what was learned is not about it.
                if facts.credential_version == version && facts.suspension.as_ref() == Some(&taken) {
                    facts.suspension = Some(next.clone());
                }
                facts
            })
            .await?;
        }
    }
    Ok(Ended::Done)
}
