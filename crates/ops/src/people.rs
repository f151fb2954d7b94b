//! Owners and the audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::id::OwnerId;
use model::identity::Departed;
use model::view::{Actor, AuditPage, AuditQuery, AuditRow, OwnerInput, OwnerRef, OwnerRow, OwnersPage, Role};
use serde_json::json;
use store::{audit as log, owners};

use crate::lists::{self, ROWS, paging, plain_json};
use crate::refusal::{Result, internal, invalid, must_be_admin, store as from_store};
use crate::{Ops, audit};

impl Ops {
    pub(crate) async fn owner_refs(&self) -> Result<BTreeMap<OwnerId, OwnerRef>> {
        let all = owners::all(self.db()).await.map_err(internal)?;
        Ok(all
            .into_iter()
            .map(|o| (o.id.clone(), OwnerRef { id: o.id, name: o.name, active: o.active }))
            .collect())
    }

    /// The active owners whose accounts are known not to be live any more.
    pub(crate) async fn owners_left(&self) -> Result<Arc<BTreeMap<OwnerId, Departed>>> {
        let now = self.now();
        let active = owners::all(self.db()).await.map_err(internal)?.into_iter().filter(|o| o.active);
        let owners = active.map(|o| (o.id, o.email)).collect();
        let made = self.0.left.get(self.db(), owners, |_, all, owners| assess::departed(all, owners, now));
        made.await.map_err(internal)
    }

    /// The Owners page.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn owners(&self, actor: &Actor) -> Result<OwnersPage> {
        let mut rows: Vec<OwnerRow> = owners::all(self.db())
            .await
            .map_err(internal)?
            .into_iter()
            .map(|o| OwnerRow {
                id: o.id,
                name: o.name,
                email: o.email,
                time_zone: o.time_zone,
                active: o.active,
                digest_at: clock_words(o.digest_minute),
                quiet: o.quiet,
                instances: o.instances,
            })
            .collect();
        rows.sort_by_key(|r| r.name.to_lowercase());
        let unowned = self.0.fleet.all();
        let unowned = unowned.iter().filter(|m| m.owner.as_ref().is_none_or(|o| !o.active));
        Ok(OwnersPage {
            now: self.now(),
            rows,
            unowned: unowned.map(|m| m.instance_ref()).collect(),
            may_change: actor.role == Role::Admin,
        })
    }

    /// Adds an owner.
    ///
    /// # Errors
    /// An input that cannot be used, or the role does not suffice.
    pub async fn create_owner(&self, actor: &Actor, input: &OwnerInput) -> Result<OwnerId> {
        must_be_admin(actor)?;
        check(input)?;
        let owner = owners::Owner {
            id: OwnerId::new(self.new_id()),
            name: input.name.trim().to_owned(),
            email: input.email.trim().to_owned(),
            time_zone: input.time_zone.clone(),
            active: input.active,
            digest_minute: minute(&input.digest_at)?,
            quiet: input.quiet,
            created_at: self.now(),
            instances: 0,
        };
        let entry = audit(actor, "owner created", None, &*owner.name, json!({ "email": owner.email }));
        owners::create(self.db(), &owner, self.now(), entry).await.map_err(taken)?;
        Ok(owner.id)
    }

    /// Changes an owner.
    ///
    /// # Errors
    /// An input that cannot be used, an owner that is gone, or the role does not suffice.
    pub async fn update_owner(&self, actor: &Actor, id: &OwnerId, input: &OwnerInput) -> Result<()> {
        must_be_admin(actor)?;
        check(input)?;
        let mut owner = owners::get(self.db(), id).await.map_err(from_store)?;
        owner.name = input.name.trim().to_owned();
        owner.email = input.email.trim().to_owned();
        owner.time_zone.clone_from(&input.time_zone);
        owner.active = input.active;
        owner.digest_minute = minute(&input.digest_at)?;
        owner.quiet = input.quiet;
        let detail = json!({ "email": owner.email, "active": owner.active });
        let entry = audit(actor, "owner changed", None, &*owner.name, detail);
        owners::update(self.db(), &owner, self.now(), entry).await.map_err(taken)?;
        self.reload_fleet().await
    }

    /// The audit log, latest first.
    ///
    /// # Errors
    /// A cursor that cannot be used, or the role does not suffice.
    pub async fn audit(&self, _actor: &Actor, query: &AuditQuery) -> Result<AuditPage> {
        let filter = log::Filter {
            instance: query.instance.clone(),
            action: query.action.clone(),
            by: query.actor.clone().filter(|a| !a.trim().is_empty()),
            ..Default::default()
        };
        let page = log::list(self.db(), &filter, lists::cut(&query.cut, ROWS)?).await.map_err(from_store)?;
        let none = log::Filter::default();
        let unfiltered = log::list(self.db(), &none, store::Cut::first(0)).await.map_err(internal)?.total;
        let paging = paging(&page, unfiltered);
        let rows = page
            .rows
            .into_iter()
            .map(|l| AuditRow {
                at: l.at,
                actor: l.entry.by,
                action: l.entry.action,
                subject: l.entry.target,
                instance: l.entry.instance.and_then(|id| self.0.fleet.get(&id)).map(|m| m.instance_ref()),
                detail: match &l.entry.detail {
                    serde_json::Value::Object(o) if o.is_empty() => String::new(),
                    serde_json::Value::Null => String::new(),
                    other => plain_json(other),
                },
            })
            .collect();
        let actions = log::actions(self.db()).await.map_err(internal)?;
        let choices = actions
            .into_iter()
            .map(|(action, count)| model::view::FacetChoice {
                active: query.action.as_ref() == Some(&action),
                title: crate::findings::capital(&action),
                value: action,
                count: Some(count),
            })
            .collect();
        let facets =
            vec![model::view::Facet { name: "action".to_owned(), title: "Action".to_owned(), choices }];
        Ok(AuditPage { now: self.now(), facets, rows, paging })
    }
}

/// `08:00` from a minute of the day.
pub(crate) fn clock_words(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The minute of the day from `08:00` or `8:00`; nothing entered is the usual one.
fn minute(text: &str) -> Result<u16> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(model::digest::DIGEST_MINUTE);
    }
    // A browser may add seconds.
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<u16>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(hour * 60 + minute),
        _ => Err(invalid(
            "digest_at",
            format!("\u{201c}{text}\u{201d} is not a time of day; write it like 08:00."),
        )),
    }
}

fn check(input: &OwnerInput) -> Result<()> {
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid("name", "The name must have 1 to 100 characters."));
    }
    let email = input.email.trim();
    let good = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if !good || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid("email", format!("\u{201c}{email}\u{201d} is not an e-mail address.")));
    }
    if !model::time::is_time_zone(&input.time_zone) {
        return Err(invalid(
            "time_zone",
            format!(
                "\u{201c}{}\u{201d} is not a time zone; write it like Europe/Berlin or UTC.",
                input.time_zone
            ),
        ));
    }
    Ok(())
}

fn taken(error: store::StoreError) -> model::view::Refusal {
    match error {
        store::StoreError::Exists { .. } => {
            invalid("email", "There is an owner with this e-mail address already.")
        }
        other => from_store(other),
    }
}
