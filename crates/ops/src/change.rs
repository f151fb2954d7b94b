//! Small changes to an application: scan now, cancel, interval, pause, owner, name, removal. All audited.

use model::id::{InstanceId, OwnerId};
use model::scan::ScanKind;
use model::schedule;
use model::time::Duration;
use model::view::Actor;
use serde_json::json;
use store::{instances, scans, snapshots};

use crate::fleet::Member;
use crate::onboard::check_name;
use crate::refusal::{Result, conflict, invalid, must_be_admin, not_found, store as from_store};
use crate::{Ops, audit};

fn scan_of(member: &Member, kind: ScanKind) -> Result<&store::scans::Scan> {
    member.row.scan(kind).ok_or_else(|| not_found("scan of this application"))
}

impl Ops {
    fn entry(&self, actor: &Actor, action: &str, member: &Member, kind: ScanKind) -> store::audit::Entry {
        let target = format!("{} of {}", kind.title(), member.row.instance.name);
        audit(actor, action, Some(member.id()), target, json!({}))
    }

    /// Wants a run now: the engine starts it by the same path as any other. During a run the wish is kept.
    ///
    /// # Errors
    /// A scan that is not enabled, or an application that is paused or gone.
    pub async fn scan_now(&self, actor: &Actor, id: &InstanceId, kind: ScanKind) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let scan = scan_of(&member, kind)?;
        if !scan.facts.enablement.is_enabled() {
            return Err(conflict(
                format!("The {} is not enabled.", kind.title()),
                "Use \u{201c}Check again\u{201d}.",
            ));
        }
        if member.is_paused() {
            return Err(conflict("The application is paused, so nothing runs.", "Resume it first."));
        }
        let entry = self.entry(actor, "scan requested", &member, kind);
        scans::want(self.db(), id, kind, self.now(), Some(entry)).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Cancels a running or requested scan. A cancelled run is no outcome.
    ///
    /// # Errors
    /// When there is nothing to cancel.
    pub async fn cancel(&self, actor: &Actor, id: &InstanceId, kind: ScanKind) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let scan = scan_of(&member, kind)?;
        let entry = self.entry(actor, "scan cancelled", &member, kind);
        let now = self.now();
        // A cancelled run is no outcome; the next one comes after a whole interval.
        let next_at = now + scan.facts.interval;
        if !scans::cancel(self.db(), id, kind, next_at, now, entry).await.map_err(from_store)? {
            return Err(conflict(format!("The {} is not running.", kind.title()), ""));
        }
        self.refreshed(id).await
    }

    /// Sets how often a scan runs. The next run is at last finish + new interval.
    ///
    /// # Errors
    /// An interval outside 15 min to 24 h.
    pub async fn set_interval(
        &self,
        actor: &Actor,
        id: &InstanceId,
        kind: ScanKind,
        interval: Duration,
    ) -> Result<()> {
        must_be_admin(actor)?;
        if !(schedule::MIN_INTERVAL..=schedule::MAX_INTERVAL).contains(&interval) {
            return Err(invalid(
                "interval",
                format!(
                    "A scan can run every {} to {}.",
                    model::words::duration(schedule::MIN_INTERVAL),
                    model::words::duration(schedule::MAX_INTERVAL)
                ),
            ));
        }
        let member = self.instance(id)?;
        let before = scan_of(&member, kind)?.facts.interval;
        let now = self.now();
        let entry = audit(
            actor,
            "interval changed",
            Some(id),
            format!("{} of {}", kind.title(), member.row.instance.name),
            json!({ "from": model::words::duration(before), "to": model::words::duration(interval) }),
        );
        let change =
            move |facts: &model::health::ScanFacts| schedule::after_interval_saved(facts, interval, now);
        scans::set_pace(self.db(), id, kind, &change, now, entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Agrees that a dataset which had records is empty now.
    ///
    /// # Errors
    /// When nothing waits for agreement.
    pub async fn agree_empty(&self, actor: &Actor, id: &InstanceId, dataset: &str) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let title = self.dataset_title(&member.row.instance.app, dataset);
        let entry =
            audit(actor, "agreed that a dataset is empty", Some(id), title, json!({ "dataset": dataset }));
        snapshots::agree_empty(self.db(), id, dataset, &actor.name, self.now(), entry)
            .await
            .map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Pauses an application: nothing runs, a live run is dropped without outcome.
    ///
    /// # Errors
    /// When it is paused already.
    pub async fn pause(&self, actor: &Actor, id: &InstanceId) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        if member.is_paused() {
            return Err(conflict("The application is paused already.", ""));
        }
        let entry = audit(actor, "paused", Some(id), &*member.row.instance.name, json!({}));
        instances::pause(self.db(), id, &actor.name, self.now(), entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Ends a pause: every enabled scan is due.
    ///
    /// # Errors
    /// When it is not paused.
    pub async fn resume(&self, actor: &Actor, id: &InstanceId) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        if !member.is_paused() {
            return Err(conflict("The application is not paused.", ""));
        }
        let entry = audit(actor, "resumed", Some(id), &*member.row.instance.name, json!({}));
        instances::resume(self.db(), id, self.now(), entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Gives an application another name.
    ///
    /// # Errors
    /// A name that cannot be used.
    pub async fn rename(&self, actor: &Actor, id: &InstanceId, name: &str) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let name = check_name(name)?;
        let entry = audit(actor, "renamed", Some(id), &*name, json!({ "from": member.row.instance.name }));
        instances::rename(self.db(), id, &name, &member.row.instance.tags, self.now(), entry)
            .await
            .map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Makes somebody answer for an application, or nobody.
    ///
    /// # Errors
    /// An owner who does not exist or is not active.
    pub async fn assign_owner(&self, actor: &Actor, id: &InstanceId, owner: Option<&OwnerId>) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let owners = self.owner_refs().await?;
        let to = match owner {
            None => "nobody".to_owned(),
            Some(o) => owners
                .get(o)
                .filter(|o| o.active)
                .map(|o| o.name.clone())
                .ok_or_else(|| invalid("owner", "This owner does not exist or is not active."))?,
        };
        let entry =
            audit(actor, "owner assigned", Some(id), &*member.row.instance.name, json!({ "owner": to }));
        instances::assign_owner(self.db(), id, owner, self.now(), entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// Removes an application with all that was stored about it. The audit log keeps that it existed.
    ///
    /// # Errors
    /// When `confirm` is not the application's name.
    pub async fn remove(&self, actor: &Actor, id: &InstanceId, confirm: &str) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let name = &member.row.instance.name;
        if confirm.trim() != name {
            return Err(invalid("confirm", format!("Type the application's name, {name}, to remove it.")));
        }
        let entry =
            audit(actor, "application removed", Some(id), &**name, json!({ "product": member.app_name() }));
        instances::remove(self.db(), id, self.now(), entry).await.map_err(from_store)?;
        self.reload_fleet().await
    }
}
