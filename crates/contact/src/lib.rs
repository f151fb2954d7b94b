//! Whom to contact as whom: an instance's pinned origins and its opened credential, for scans (`engine`) and for people
//! (`ops`) alike. Where somebody signed in at the vendor, what the vendor renews is stored from here.

mod signed_in;

use std::sync::Arc;

use catalog::App;
use collect::{BackOff, Clock, Credential, Origins, RENEWAL, Target};
use model::diagnosis::{Fault, Rung};
use model::health::InstanceFacts;
use model::id::InstanceId;
use model::scan::FailureCause;
use model::schedule::after_back_off;
use model::time::Timestamp;
use store::instances::{self, Instance, renewal::Renewing};
use store::{Db, StoreError};

use crate::signed_in::SignedIn;

/// An instance that can be contacted.
pub struct Contact {
    /// Where.
    pub target: Target,
    /// As whom.
    pub credential: Credential,
    signed_in: Option<Arc<SignedIn>>,
}

impl Contact {
    /// Returns when nothing is being renewed: whoever stops reading waits for this first, since between the vendor's
    /// answer and its storage the sign-in would be lost.
    pub async fn settled(&self) {
        if let Some(signed_in) = &self.signed_in {
            signed_in.settled().await;
        }
    }

    /// [`keep_back_off`] of its credential.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_back_off(&self, db: &Db, id: &InstanceId, now: Timestamp) -> Result<(), StoreError> {
        keep_back_off(&self.credential.back_off, db, id, now).await
    }
}

/// Keeps for the whole instance what the vendor asked of whoever sent its credential, however that ended: a run that stores
/// its result does the same with it.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep_back_off(
    told: &BackOff,
    db: &Db,
    id: &InstanceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(until) = told.until(now) else { return Ok(()) };
    let keep = |facts: &InstanceFacts| InstanceFacts {
        blocked_until: after_back_off(facts.blocked_until, Some(until), now),
        ..facts.clone()
    };
    match instances::update_facts(db, id, &keep).await {
        Err(StoreError::NotFound { .. }) => Ok(()),
        kept => kept.map(drop),
    }
}

/// Puts together whom to contact as whom. The inner error is a fault of the run: nothing was sent.
///
/// # Errors
/// When the database cannot be read.
pub async fn contact(
    db: &Db,
    app: &Arc<App>,
    instance: &Instance,
    clock: &Arc<dyn Clock>,
) -> Result<Result<Contact, Fault>, StoreError> {
    let unsent = |cause, detail: String| Ok(Err(Fault::local(cause, Rung::NotSent, detail, clock.now())));
    let origins = match Origins::from_map(&instance.origins) {
        Ok(origins) => origins,
        Err(error) => {
            let detail = format!("the stored addresses of this application cannot be used: {error}");
            return unsent(FailureCause::Internal, detail);
        }
    };
    let values = match instances::credential(db, &instance.id, &instance.origins).await {
        Ok(values) => values,
        Err(error @ StoreError::SealBroken) => return unsent(FailureCause::Credentials, error.to_string()),
        Err(error) => return Err(error),
    };
    let target = Target {
        app: Arc::clone(app),
        deployment: instance.deployment.clone(),
        settings: instance.settings.clone(),
        origins,
    };
    let renews = values.contains_key(RENEWAL);
    let mut credential = Credential::new(instance.auth.clone(), values);
    let mut signed_in = None;
    if renews {
        let of = Renewing {
            instance: instance.id.clone(),
            app: instance.app.clone(),
            origins: instance.origins.clone(),
            field: RENEWAL,
            version: instance.facts.credential_version,
        };
        let keeper = Arc::new(SignedIn::new(db.clone(), of, Arc::clone(clock)));
        credential = credential.kept_by(Arc::clone(&keeper) as Arc<dyn collect::Keeper>);
        signed_in = Some(keeper);
    }
    Ok(Ok(Contact { target, credential, signed_in }))
}
