//! "Check now": the way to an application climbed rung by rung, without a scan and without touching what scans are judged by.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use collect::Checkup;
use contact::Contact;
use model::health::{InstanceFacts, Suspension};
use model::id::InstanceId;
use model::scan::{FailureCause, ScanKind};
use model::schedule::vendor_wait;
use model::time::{Duration, Timestamp};
use model::view::{Actor, CheckupScan, CheckupView, Link};
use serde_json::json;
use store::instances;

use crate::fleet::Member;
use crate::onboard::known_app;
use crate::refusal::{Result, conflict, internal, must_be_admin, store as from_store, vendor};
use crate::runs::{fault_view, whole_ladder};
use crate::{Ops, audit};

/// From one look to the next.
const PAUSE: Duration = Duration::minutes(1);
/// The same while the credential is suspended: each look is an attempt that the vendor may count.
const PAUSE_SUSPENDED: Duration = Duration::minutes(15);
/// A look takes no longer; the timed request of a suspended credential waits for it.
const TAKES: Duration = Duration::minutes(10);
/// How long what was found is shown. It is a look at a moment, so it is kept in memory only: another node, or this one after a
/// restart, does not show it. The audit log keeps that it was made.
const SHOWN: Duration = Duration::hours(1);

/// The looks of the last hour.
#[derive(Default)]
pub(crate) struct Checkups(Mutex<BTreeMap<InstanceId, Look>>);

struct Look {
    began_at: Timestamp,
    view: Option<CheckupView>,
}

impl Checkups {
    /// What the latest look found, while it is recent.
    pub(crate) fn latest(&self, id: &InstanceId, now: Timestamp) -> Option<CheckupView> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(id).filter(|look| now - look.began_at < SHOWN)?.view.clone()
    }

    /// Begins a look. The error: when one may begin.
    fn begin(&self, id: &InstanceId, pause: Duration, now: Timestamp) -> std::result::Result<(), Timestamp> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, look| now - look.began_at < SHOWN);
        match looks.get_mut(id) {
            Some(look) if now < look.began_at + pause => Err(look.began_at + pause),
            Some(look) => {
                look.began_at = now;
                Ok(())
            }
            None => {
                looks.insert(id.clone(), Look { began_at: now, view: None });
                Ok(())
            }
        }
    }

    fn end(&self, id: &InstanceId, found: CheckupView) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(id) {
            look.view = Some(found);
        }
    }
}

/// The vendor asked to be left alone.
pub(crate) fn leave_alone(facts: &InstanceFacts, now: Timestamp) -> Result<()> {
    let Some(until) = vendor_wait(facts, now) else { return Ok(()) };
    let at = model::words::plain_instant(until, now);
    Err(conflict(format!("The vendor asked to be left alone until {at}."), "Check then."))
}

impl Ops {
    /// Climbs the ladder without a scan: for the settings page, which shows what was found. No fact of a scan changes. For a
    /// suspended credential it is the one cheap authentication request, and lifts the suspension when it succeeds.
    ///
    /// # Errors
    /// Too soon after the last one, inside the vendor's back-off, or without a credential that can be used.
    pub async fn check_now(&self, actor: &Actor, id: &InstanceId) -> Result<()> {
        must_be_admin(actor)?;
        // In a task of its own: a browser that goes away must not end it while a sign-in is being renewed.
        let (ops, actor, id) = (self.clone(), actor.clone(), id.clone());
        tokio::spawn(async move { ops.climb(&actor, &id).await }).await.map_err(internal)?
    }

    async fn climb(&self, actor: &Actor, id: &InstanceId) -> Result<()> {
        let now = self.now();
        // The facts as they are stored: another node may have suspended the credential.
        self.refreshed(id).await?;
        let member = self.instance(id)?;
        let app = known_app(&member)?;
        let i = &member.row.instance;
        leave_alone(&i.facts, now)?;
        let suspension = i.facts.suspension.clone();
        let pause = if suspension.is_some() { PAUSE_SUSPENDED } else { PAUSE };
        if let Err(at) = self.0.checkups.begin(id, pause, now) {
            let at = model::words::plain_instant(at, now);
            return Err(conflict(
                "It was checked a moment ago; what was found is below.",
                format!("The next check can be made {at}."),
            ));
        }
        let contact = contact::contact(self.db(), &app, i, &self.0.clock).await.map_err(from_store)?;
        let contact = contact.map_err(|fault| vendor(&fault, &app.manifest.name, now))?;
        let entry = audit(actor, "checked", Some(id), &*i.name, json!({ "suspended": suspension.is_some() }));
        store::audit::add(self.db(), now, entry).await.map_err(from_store)?;

        let mut lifted = false;
        if let Some(before) = suspension {
            match self.try_suspended(&member, &before, &contact).await? {
                Ok(done) => lifted = done,
                Err(fault) => {
                    let found = Checkup { preflight: None, fault: Some(fault), scans: vec![], requests: 1 };
                    self.0.checkups.end(id, self.checkup_view(actor, &member, found, false));
                    return self.refreshed(id).await;
                }
            }
        }
        let enabled: Vec<ScanKind> =
            member.facts.iter().filter(|s| s.enablement.is_enabled()).map(|s| s.kind).collect();
        let Contact { target, credential, .. } = &contact;
        let found = collect::checkup(&self.0.outbound, target, credential, &*self.0.clock, &enabled).await;
        contact.keep_back_off(self.db(), id, self.now()).await.map_err(from_store)?;
        self.0.checkups.end(id, self.checkup_view(actor, &member, found, lifted));
        self.refreshed(id).await
    }

    /// The cheap authentication request of a suspended credential, by the same steps as the timed one.
    async fn try_suspended(
        &self,
        member: &Member,
        before: &Suspension,
        contact: &Contact,
    ) -> Result<std::result::Result<bool, model::diagnosis::Fault>> {
        let (id, db) = (member.id(), self.db());
        let taken = instances::take_try(db, id, before, self.now() + TAKES).await.map_err(from_store)?;
        let Some(taken) = taken else {
            return Err(conflict(
                "The suspended credential is being tried right now.",
                "Look again in a minute.",
            ));
        };
        let version = member.row.instance.facts.credential_version;
        let Contact { target, credential, .. } = contact;
        let tried = collect::authenticate(&self.0.outbound, target, credential, &*self.0.clock).await;
        let now = self.now();
        contact.keep_back_off(db, id, now).await.map_err(from_store)?;
        match tried {
            Ok(()) => Ok(Ok(instances::lift_suspension(db, id, version, now).await.map_err(from_store)?)),
            Err(fault) => {
                let refused = fault.cause == FailureCause::Credentials;
                instances::tried_in_vain(db, id, version, (before, &taken), refused, now)
                    .await
                    .map_err(from_store)?;
                Ok(Err(fault))
            }
        }
    }

    fn checkup_view(&self, actor: &Actor, member: &Member, found: Checkup, lifted: bool) -> CheckupView {
        let now = self.now();
        let app = member.app_name();
        let subject = found.preflight.as_ref().map(|p| p.identity.subject.clone()).unwrap_or_default();
        let broken: Vec<&str> =
            found.scans.iter().filter(|s| s.fault.is_some()).map(|s| s.kind.title()).collect();
        let same = found
            .preflight
            .as_ref()
            .is_none_or(|p| p.identity.tenant_uid == member.row.instance.identity.tenant_uid);
        let mut says = match (&found.fault, broken.is_empty()) {
            (Some(fault), _) => {
                format!("{app} could not be read: {}.", model::words::cause_says(fault.cause))
            }
            (None, true) => {
                format!("Every rung held: {app} knows the credential, and each enabled scan can read.")
            }
            (None, false) => {
                format!("{app} knows the credential, but it could not read for: {}.", broken.join(", "))
            }
        };
        if !same {
            says.push_str(
                " The credential answers for another tenant than the one that was onboarded: Reauthenticate.",
            );
        }
        if lifted {
            says.push_str(" The suspension is lifted; every enabled scan is due now.");
        }
        let scans = found.scans.into_iter().map(|tried| CheckupScan {
            kind: tried.kind,
            ladder: match &tried.fault {
                Some(_) => Vec::new(),
                None => whole_ladder(&subject, tried.dataset.as_deref().unwrap_or_default()),
            },
            fault: tried.fault.map(|fault| fault_view(member, fault, now)),
        });
        CheckupView {
            at: now,
            by: actor.name.clone(),
            says,
            scans: scans.collect(),
            fault: found.fault.map(|fault| fault_view(member, fault, now)),
            console: member
                .console()
                .filter(|href| href.starts_with("https://"))
                .map(|href| Link { title: format!("Open {app}"), href }),
        }
    }
}
