//! Verified credentials that wait for confirmation: in memory only, for a few minutes, for one operator, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use catalog::App;
use collect::{Origins, Preflight, Target};
use model::id::{AppId, InstanceId, OperatorId};
use model::time::{Duration, Timestamp};

use crate::onboard::Secrets;
use crate::refusal::{Result, conflict, internal};

/// How long a draft waits.
pub(crate) const LIFE: Duration = Duration::minutes(10);
/// Drafts at once; beyond it the oldest is forgotten.
const MOST: usize = 64;

/// What was entered, checked as far as that goes without the vendor.
pub(crate) struct Begun {
    pub(crate) operator: OperatorId,
    pub(crate) app: AppId,
    /// Present when reauthenticating.
    pub(crate) instance: Option<InstanceId>,
    /// As entered; may be empty.
    pub(crate) name: String,
    pub(crate) owner: Option<model::id::OwnerId>,
    pub(crate) deployment: String,
    pub(crate) auth: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) origins: BTreeMap<String, String>,
    pub(crate) secrets: Secrets,
}

impl Begun {
    /// Where it is about.
    pub(crate) fn target(&self, app: &Arc<App>) -> Result<Target> {
        Ok(Target {
            app: Arc::clone(app),
            deployment: self.deployment.clone(),
            settings: self.settings.clone(),
            origins: Origins::from_map(&self.origins).map_err(internal)?,
        })
    }
}

/// What was verified.
pub(crate) struct Draft {
    pub(crate) operator: OperatorId,
    pub(crate) app: AppId,
    /// Present when reauthenticating.
    pub(crate) instance: Option<InstanceId>,
    pub(crate) name: String,
    pub(crate) owner: Option<model::id::OwnerId>,
    pub(crate) deployment: String,
    pub(crate) auth: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) origins: BTreeMap<String, String>,
    pub(crate) secrets: Secrets,
    pub(crate) preflight: Preflight,
    pub(crate) expires_at: Timestamp,
}

/// The drafts by their names. The secret values wipe themselves when a draft is dropped.
#[derive(Default)]
pub(crate) struct Drafts(Mutex<BTreeMap<String, Draft>>);

impl Drafts {
    pub(crate) fn put(&self, name: String, draft: Draft, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|_, d| d.expires_at > now);
        while all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, d)| d.expires_at).map(|(name, _)| name.clone());
            match oldest {
                Some(name) => all.remove(&name),
                None => break,
            };
        }
        all.insert(name, draft);
    }

    /// Takes a draft out. It must be this operator's, for this purpose, and not have expired.
    pub(crate) fn take(
        &self,
        name: &str,
        operator: &OperatorId,
        instance: Option<&InstanceId>,
        now: Timestamp,
    ) -> Result<Draft> {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|_, d| d.expires_at > now);
        let fits = all.get(name).is_some_and(|d| d.operator == *operator && d.instance.as_ref() == instance);
        let draft = if fits { all.remove(name) } else { None };
        draft.ok_or_else(|| {
            conflict(
                "The verified credential is no longer waiting: it is forgotten after ten minutes, or has been saved.",
                "Enter the credential again.",
            )
        })
    }
}
