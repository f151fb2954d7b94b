//! Onboarding and Reauthenticate: one verification, nothing saved before it, and nothing replaced by less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::App;
use model::credential::Readiness;
use model::health::{DOWN_AFTER, Enablement};
use model::id::{AppId, InstanceId};
use model::scan::ScanKind;
use model::schedule;
use model::view::{
    Actor, CredentialFormPage, CredentialInput, CredentialStep, PreflightPage, ReadinessRow, Session,
};
use secrecy::SecretString;
use serde_json::json;
use store::instances::{self, NewCredential, NewInstance};
use store::scans::ScanSetup;

use crate::checkup::leave_alone;
use crate::draft::Draft;
use crate::fleet::Member;
use crate::form::posts;
use crate::refusal::{
    Result, conflict, internal, invalid, must_be_admin, not_found, store as from_store, vendor,
};
use crate::settings::receivers;
use crate::{Ops, audit, token};

/// Secret values of a credential form by field name.
pub type Secrets = BTreeMap<String, SecretString>;

impl Ops {
    /// Verifies a credential for a new application. Nothing is saved; the draft waits in memory.
    ///
    /// # Errors
    /// An input that cannot be used, or the vendor's refusal with how far it got.
    pub async fn onboard_preflight(
        &self,
        actor: &Actor,
        app: &AppId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Result<PreflightPage> {
        self.onboard_preflight_at(actor, app, input, secrets, None).await
    }

    /// The same with an address that stands in for the vendor's (the demo's simulator, an emulator). The outbound
    /// client decides whether such an address may be contacted at all.
    ///
    /// # Errors
    /// As [`Ops::onboard_preflight`].
    pub async fn onboard_preflight_at(
        &self,
        actor: &Actor,
        app: &AppId,
        input: CredentialInput,
        secrets: Secrets,
        stand_in: Option<&str>,
    ) -> Result<PreflightPage> {
        let (app, begun) = self.entered(actor, app, input, secrets, stand_in).await?;
        self.verify_entered(&app, begun).await
    }

    /// Checks what was entered for a new application: verifies the credential, or sends the browser to the vendor where
    /// somebody signs in there. Nothing is saved.
    ///
    /// # Errors
    /// As [`Ops::onboard_preflight`].
    pub async fn onboard_step(
        &self,
        session: &Session,
        app: &AppId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Result<CredentialStep> {
        let (app, begun) = self.entered(&session.actor, app, input, secrets, None).await?;
        self.step(session, &app, begun).await
    }

    pub(crate) async fn present(
        &self,
        app: &Arc<App>,
        draft: Draft,
        lost_by: Option<&Member>,
    ) -> Result<PreflightPage> {
        let uid = &draft.preflight.identity.tenant_uid;
        let duplicates = instances::of_tenant(self.db(), &app.id, uid).await.map_err(internal)?;
        let duplicates = duplicates
            .into_iter()
            .filter(|(id, _)| Some(id) != draft.instance.as_ref())
            .filter_map(|(id, _)| self.0.fleet.get(&id))
            .map(|m| m.instance_ref())
            .collect();
        let owners = self.owner_refs().await?;
        let name = token::fresh(&*self.0.entropy);
        let scans: Vec<ReadinessRow> =
            draft.preflight.readiness.iter().map(|r| readiness_row(r, lost_by)).collect();
        let page = PreflightPage {
            now: self.now(),
            app: self.catalogue_app(app),
            reauthenticate: lost_by.map(|m| self.header(m)),
            draft: name.clone(),
            draft_expires_at: draft.expires_at,
            name: draft.name.clone(),
            owner: draft.owner.as_ref().and_then(|o| owners.get(o)).cloned(),
            identity: draft.preflight.identity.clone(),
            origins: receivers(&draft.origins),
            posts: posts(app, |host| draft.origins.get(host).cloned()),
            // Reauthenticating, a scan that the new credential cannot run stays enabled, so saving is always possible.
            can_save: lost_by.is_some() || scans.iter().any(|s| s.ready),
            scans,
            excess: draft.preflight.excess.clone(),
            granted_known: draft.preflight.identity.granted.is_some(),
            duplicates,
            requests: draft.preflight.requests,
        };
        self.0.drafts.put(name, draft, self.now());
        Ok(page)
    }

    /// Saves a verified application. Its enabled scans run at once.
    ///
    /// # Errors
    /// A draft that is gone, or with which no scan could run.
    pub async fn onboard_save(&self, actor: &Actor, draft: &str) -> Result<InstanceId> {
        must_be_admin(actor)?;
        let now = self.now();
        let draft = self.0.drafts.take(draft, &actor.operator, None, now)?;
        let app = self.app(&draft.app)?;
        if !draft.preflight.readiness.iter().any(|r| r.ready) {
            return Err(conflict(
                "No scan could run with this credential, so the application was not saved.",
                "Grant the permissions that are listed, then verify again.",
            ));
        }
        let scans = draft
            .preflight
            .readiness
            .iter()
            .map(|r| ScanSetup {
                kind: r.kind,
                enablement: if r.ready {
                    Enablement::Enabled
                } else {
                    Enablement::NotEnabled { missing: r.missing.clone(), checked_at: now, offered: false }
                },
                interval: schedule::default_interval(r.kind),
                gaps: r.gaps.clone(),
            })
            .collect();
        let id = InstanceId::new(self.new_id());
        let entry = audit(
            actor,
            "application onboarded",
            Some(&id),
            &*draft.name,
            json!({ "product": app.manifest.name, "tenant": draft.preflight.identity.tenant_name,
                "authenticates as": draft.preflight.identity.subject, "origins": receivers(&draft.origins) }),
        );
        let new = NewInstance {
            id: id.clone(),
            app: draft.app,
            name: draft.name,
            deployment: draft.deployment,
            settings: draft.settings,
            origins: draft.origins,
            auth: draft.auth,
            identity: draft.preflight.identity,
            secrets: draft.secrets,
            owner: draft.owner,
            tags: Vec::new(),
            down_after: DOWN_AFTER,
            scans,
        };
        instances::create(self.db(), new, now, entry).await.map_err(from_store)?;
        self.refreshed(&id).await?;
        Ok(id)
    }

    /// The form of Reauthenticate.
    ///
    /// # Errors
    /// No such application, a product that the catalogue no longer has, or the role does not suffice.
    pub async fn reauthenticate_form(
        &self,
        actor: &Actor,
        id: &InstanceId,
        input: &CredentialInput,
    ) -> Result<CredentialFormPage> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let app = known_app(&member)?;
        let i = &member.row.instance;
        let mut fixed = input.clone();
        fixed.deployment.clone_from(&i.deployment);
        if fixed.auth.is_empty() {
            fixed.auth.clone_from(&i.auth);
        }
        for (name, value) in &i.settings {
            fixed.settings.insert(name.clone(), value.clone());
        }
        fixed.name.clone_from(&i.name);
        let mut page = self.form(&app, &fixed).await?;
        page.reauthenticate = Some(self.header(&member));
        if page.sign_in.is_some() && fixed.auth == i.auth {
            for field in &mut page.credential {
                field.optional = true;
                "Left empty, the stored one is kept.".clone_into(&mut field.help);
            }
        }
        page.origins = receivers(&i.origins);
        page.posts = posts(&app, |host| i.origins.get(host).cloned());
        Ok(page)
    }

    /// Verifies a new credential for an application, before the old one is replaced.
    ///
    /// # Errors
    /// The vendor's refusal, or a credential of another tenant, naming both.
    pub async fn reauthenticate_preflight(
        &self,
        actor: &Actor,
        id: &InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Result<PreflightPage> {
        let (app, begun) = self.entered_anew(actor, id, input, secrets).await?;
        self.verify_entered(&app, begun).await
    }

    /// Checks what was entered for Reauthenticate: verifies the credential, or sends the browser to the vendor where
    /// somebody signs in there. Nothing is replaced.
    ///
    /// # Errors
    /// As [`Ops::reauthenticate_preflight`].
    pub async fn reauthenticate_step(
        &self,
        session: &Session,
        id: &InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Result<CredentialStep> {
        let (app, begun) = self.entered_anew(&session.actor, id, input, secrets).await?;
        self.step(session, &app, begun).await
    }

    /// Replaces the credential by the verified one: the instance keeps its id and history, running scans of the old
    /// credential count for nothing, every enabled scan runs at once. `stop`: scans that the new credential cannot run
    /// and that shall no longer count.
    ///
    /// # Errors
    /// A draft that is gone, or a scan to stop that the new credential could run.
    pub async fn reauthenticate_save(
        &self,
        actor: &Actor,
        id: &InstanceId,
        draft: &str,
        stop: &[ScanKind],
    ) -> Result<()> {
        must_be_admin(actor)?;
        let now = self.now();
        let member = self.instance(id)?;
        let draft = self.0.drafts.take(draft, &actor.operator, Some(id), now)?;
        let ready = |kind: ScanKind| draft.preflight.readiness.iter().any(|r| r.kind == kind && r.ready);
        if let Some(kind) = stop.iter().find(|k| ready(**k)) {
            return Err(conflict(
                format!("The new credential can run the {}, so there is no reason to stop it.", kind.title()),
                "Confirm again without stopping it.",
            ));
        }
        let stop: BTreeSet<ScanKind> = stop.iter().copied().collect();
        let enable: BTreeSet<ScanKind> = member
            .facts
            .iter()
            .filter(|s| !s.enablement.is_enabled() && ready(s.kind))
            .map(|s| s.kind)
            .collect();
        let remains = member
            .facts
            .iter()
            .any(|s| (s.enablement.is_enabled() || enable.contains(&s.kind)) && !stop.contains(&s.kind));
        if !remains {
            return Err(conflict(
                "Then no scan of this application would be left.",
                "Leave at least one scan enabled, or pause or remove the application.",
            ));
        }
        let entry = audit(
            actor,
            "reauthenticated",
            Some(id),
            &*member.row.instance.name,
            json!({ "authenticates as": draft.preflight.identity.subject,
                "stopped": stop.iter().map(|k| k.title()).collect::<Vec<_>>(),
                "enabled": enable.iter().map(|k| k.title()).collect::<Vec<_>>() }),
        );
        let gaps = draft.preflight.readiness.iter().map(|r| (r.kind, r.gaps.clone())).collect();
        let new = NewCredential {
            auth: draft.auth,
            settings: draft.settings,
            origins: draft.origins,
            identity: draft.preflight.identity,
            secrets: draft.secrets,
            stop,
            enable,
            gaps,
            by: actor.name.clone(),
        };
        instances::reauthenticate(self.db(), id, new, now, entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Looks again whether a scan that is not enabled could run with the stored credential, and enables it if so.
    ///
    /// # Errors
    /// What is still missing, or the vendor's refusal.
    pub async fn check_again(&self, actor: &Actor, id: &InstanceId, kind: ScanKind) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let app = known_app(&member)?;
        let scan = member.row.scan(kind).ok_or_else(|| not_found("scan of this application"))?;
        if scan.facts.enablement.is_enabled() {
            return Ok(());
        }
        let i = &member.row.instance;
        leave_alone(&i.facts, self.now())?;
        let contact = contact::contact(self.db(), &app, i, &self.0.clock).await.map_err(from_store)?;
        let contact = contact.map_err(|fault| vendor(&fault, &app.manifest.name, self.now()))?;
        let verified = self.verify(contact.target.clone(), contact.credential.clone()).await;
        contact.keep_back_off(self.db(), id, self.now()).await.map_err(from_store)?;
        let preflight = verified?;
        let now = self.now();
        let found = preflight.readiness.iter().find(|r| r.kind == kind);
        let missing = match found {
            Some(r) if r.ready => {
                let entry = audit(
                    actor,
                    "scan enabled",
                    Some(id),
                    format!("{} of {}", kind.title(), i.name),
                    json!({}),
                );
                store::scans::set_enablement(
                    self.db(),
                    id,
                    kind,
                    &Enablement::Enabled,
                    &r.gaps,
                    now,
                    Some(entry),
                )
                .await
                .map_err(from_store)?;
                return self.refreshed(id).await;
            }
            Some(r) => r.missing.clone(),
            None => Vec::new(),
        };
        let enablement = Enablement::NotEnabled { missing: missing.clone(), checked_at: now, offered: false };
        store::scans::set_enablement(self.db(), id, kind, &enablement, &[], now, None)
            .await
            .map_err(from_store)?;
        self.refreshed(id).await?;
        Err(conflict(
            format!("The {} still lacks: {}.", kind.title(), model::words::list(&missing)),
            "Grant it at the vendor, then check again.",
        ))
    }
}

pub(crate) fn known_app(member: &Member) -> Result<Arc<App>> {
    member.app.clone().ok_or_else(|| {
        conflict(
            format!("The catalogue no longer has the product {}.", member.row.instance.app),
            "Put its folder back and restart Parapet; see the server's log for load errors.",
        )
    })
}

pub(crate) fn check_name(name: &str) -> Result<String> {
    if name.chars().count() > 100 || name.chars().any(char::is_control) || name.trim().is_empty() {
        return Err(invalid("name", "The name must have 1 to 100 characters."));
    }
    Ok(name.trim().to_owned())
}

fn readiness_row(r: &Readiness, lost_by: Option<&Member>) -> ReadinessRow {
    let enabled_now =
        lost_by.and_then(|m| m.row.scan(r.kind)).is_some_and(|s| s.facts.enablement.is_enabled());
    let lost = enabled_now && !r.ready;
    let title = r.kind.title();
    let missing = model::words::list(&r.missing);
    let sentence = if lost {
        format!(
            "{title} is enabled, but this credential could not run it: {missing} is missing. It would fail until that is granted."
        )
    } else if !r.ready {
        format!("{title} will not run: {missing} is missing.")
    } else if r.gaps.is_empty() {
        format!("{title} will run.")
    } else {
        format!("{title} will run, with gaps: {} is missing.", model::words::list(&r.gaps))
    };
    ReadinessRow {
        kind: r.kind,
        ready: r.ready,
        missing: r.missing.clone(),
        gaps: r.gaps.clone(),
        sentence,
        lost,
    }
}
