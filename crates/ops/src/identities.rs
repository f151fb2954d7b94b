//! Identity providers, and whose accounts are: who is marked, what is uploaded, what an operator links by hand.

use model::id::{DirectoryId, InstanceId};
use model::identity::{self, IdentityKey, Match, State};
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use model::view::{
    Actor, IdentityChoice, IdentityPage, IdentityRow, LinkView, ListInput, Refusal, Role, Whose,
};
use serde_json::json;
use store::accounts;
use store::directories::{self, Link, Marked, Upload};

use crate::refusal::{Result, conflict, internal, invalid, must_be_admin, not_found, store as from_store};
use crate::{Ops, audit};

/// What may be set as the age of an identity provider's word.
const AGES: std::ops::RangeInclusive<i64> = 1..=24 * 400;
/// How many identities a search shows.
const CHOICES: u32 = 10;

impl Ops {
    /// The page Identity providers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn identity_providers(&self, actor: &Actor) -> Result<IdentityPage> {
        let marked = directories::all(self.db()).await.map_err(internal)?;
        let matched = accounts::matched_by_directory(self.db()).await.map_err(internal)?;
        let mut candidates: Vec<_> = self
            .0
            .fleet
            .all()
            .into_iter()
            .filter(|m| m.row.scan(ScanKind::Accounts).is_some())
            .filter(|m| !marked.iter().any(|d| d.instance.as_ref() == Some(m.id())))
            .collect();
        candidates.sort_by(|a, b| (&a.sort_name, a.id()).cmp(&(&b.sort_name, b.id())));
        let row = |d: Marked| IdentityRow {
            lack: lack(&d, self.now()),
            instance: d.instance.as_ref().and_then(|id| self.0.fleet.get(id)).map(|m| m.instance_ref()),
            identities: d.identities,
            matched: matched.get(d.id.as_str()).copied().unwrap_or(0),
            complete_at: d.complete_at,
            max_age: model::words::duration(d.max_age),
            max_age_hours: u64::try_from(d.max_age.0 / Duration::hours(1).0).unwrap_or(0),
            marked_at: d.marked_at,
            marked_by: d.marked_by,
            name: d.name,
            id: d.id,
        };
        Ok(IdentityPage {
            now: self.now(),
            rows: marked.into_iter().map(row).collect(),
            candidates: candidates.iter().map(|m| m.instance_ref()).collect(),
            may_change: actor.role == Role::Admin,
        })
    }

    /// Marks an application as identity provider of the organisation. Its accounts are read at once; when that has ended
    /// whole, the accounts of all others are judged by it.
    ///
    /// # Errors
    /// When its accounts are not read, when it is one already, or the role does not suffice.
    pub async fn mark_identity_provider(&self, actor: &Actor, instance: &InstanceId) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(instance)?;
        let name = &member.row.instance.name;
        match member.row.scan(ScanKind::Accounts) {
            None => {
                return Err(conflict(
                    format!("Parapet does not read the accounts of {name}, so it cannot tell whom it knows."),
                    "Upload its people as a list instead.",
                ));
            }
            Some(scan) if !scan.facts.enablement.is_enabled() => {
                return Err(conflict(
                    format!(
                        "The Risky Account Scan of {name} is not enabled, so nothing would be known of its people."
                    ),
                    "Give the credential what is missing, then \u{201c}Check again\u{201d} on its settings page.",
                ));
            }
            Some(_) => {}
        }
        let entry = audit(actor, "identity provider marked", Some(instance), name.as_str(), json!({}));
        let done =
            directories::mark(self.db(), instance, identity::MAX_AGE, &actor.name, self.now(), entry).await;
        if !done.map_err(from_store)? {
            return Err(conflict(format!("{name} is an identity provider already."), ""));
        }
        self.refreshed(instance).await
    }

    /// Unmarks an application, or deletes a list. Accounts are judged without it from then on.
    ///
    /// # Errors
    /// When there is no such identity provider, or the role does not suffice.
    pub async fn unmark_identity_provider(&self, actor: &Actor, id: &DirectoryId) -> Result<()> {
        must_be_admin(actor)?;
        let marked = self.marked(id).await?;
        let what = if marked.instance.is_some() { "identity provider unmarked" } else { "list deleted" };
        let entry = audit(actor, what, marked.instance.as_ref(), marked.name, json!({}));
        directories::unmark(self.db(), id, self.now(), entry).await.map_err(from_store)?;
        self.reload_fleet().await
    }

    /// Sets for how many hours what an identity provider said is believed.
    ///
    /// # Errors
    /// A number that cannot be used, no such identity provider, or the role does not suffice.
    pub async fn set_identity_age(&self, actor: &Actor, id: &DirectoryId, hours: i64) -> Result<()> {
        must_be_admin(actor)?;
        if !AGES.contains(&hours) {
            return Err(invalid("hours", "It can be believed for 1 hour to 400 days."));
        }
        let marked = self.marked(id).await?;
        let max_age = Duration::hours(hours);
        let detail =
            json!({ "from": model::words::duration(marked.max_age), "to": model::words::duration(max_age) });
        let entry =
            audit(actor, "age of identity provider changed", marked.instance.as_ref(), marked.name, detail);
        directories::set_max_age(self.db(), id, max_age, self.now(), entry).await.map_err(from_store)?;
        self.reload_fleet().await
    }

    /// Takes a list of people as an identity provider, or in place of one.
    ///
    /// # Errors
    /// What of it cannot be used, by line and column; nothing is taken then. Or the role does not suffice.
    pub async fn upload_identities(&self, actor: &Actor, input: &ListInput) -> Result<DirectoryId> {
        must_be_admin(actor)?;
        let now = self.now();
        let name = input.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(invalid("name", "The name of the list must have 1 to 100 characters."));
        }
        if !AGES.contains(&(i64::from(input.days) * 24)) {
            return Err(invalid("days", "A list can be believed for 1 to 400 days."));
        }
        let identities = identity::parse_list(&input.text, now).map_err(|e| Refusal {
            remedy: "Nothing of the list was taken. Mend it and upload it again.".to_owned(),
            ..invalid("file", format!("The list cannot be used: {e}."))
        })?;
        let id = match &input.id {
            Some(id) if self.marked(id).await?.instance.is_none() => id.clone(),
            Some(_) => return Err(not_found("list")),
            None => DirectoryId::new(self.new_id()),
        };
        let entry = audit(
            actor,
            "list of identities uploaded",
            None,
            name,
            json!({ "identities": identities.len() }),
        );
        let max_age = Duration::days(i64::from(input.days));
        let upload = Upload { id: &id, name, identities: &identities, max_age, by: &actor.name };
        directories::upload(self.db(), upload, now, entry).await.map_err(from_store)?;
        self.reload_fleet().await?;
        Ok(id)
    }

    async fn marked(&self, id: &DirectoryId) -> Result<Marked> {
        let all = directories::all(self.db()).await.map_err(internal)?;
        all.into_iter().find(|d| d.id == *id).ok_or_else(|| not_found("identity provider"))
    }

    /// Says whose an account is, where no mark does.
    ///
    /// # Errors
    /// No such account or identity, or the role does not suffice.
    pub async fn link_account(
        &self,
        actor: &Actor,
        instance: &InstanceId,
        account: &str,
        key: &str,
        note: &str,
    ) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(instance)?;
        let key =
            IdentityKey::parse(key).ok_or_else(|| invalid("identity", "Choose whose account it is."))?;
        if key.directory.as_str() == instance.as_str() {
            return Err(conflict("An account of an identity provider is not linked with itself.", ""));
        }
        let found = directories::identity(self.db(), &key).await.map_err(internal)?;
        let (marked, found) = found.ok_or_else(|| not_found("identity"))?;
        if note.chars().count() > 500 {
            return Err(invalid("note", "The note must have at most 500 characters."));
        }
        let link = Link {
            name: found.name().to_owned(),
            note: note.trim().to_owned(),
            by: actor.name.clone(),
            at: self.now(),
            identity: key,
        };
        let detail = json!({ "account": account, "identity": link.name, "identity provider": marked.name, "note": link.note });
        let target = format!("{account} of {}", member.row.instance.name);
        let entry = audit(actor, "account linked", Some(instance), target, detail);
        directories::link(self.db(), instance, account, &link, entry).await.map_err(from_store)?;
        self.refreshed(instance).await
    }

    /// Takes a link away.
    ///
    /// # Errors
    /// When there is none, or the role does not suffice.
    pub async fn unlink_account(&self, actor: &Actor, instance: &InstanceId, account: &str) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(instance)?;
        let target = format!("{account} of {}", member.row.instance.name);
        let entry = audit(actor, "account unlinked", Some(instance), target, json!({ "account": account }));
        directories::unlink(self.db(), instance, account, self.now(), entry).await.map_err(from_store)?;
        self.refreshed(instance).await
    }

    pub(crate) async fn link_of(&self, instance: &InstanceId, account: &str) -> Result<Option<LinkView>> {
        let mut links = directories::links_of(self.db(), instance).await.map_err(internal)?;
        Ok(links.remove(account).map(|link| LinkView {
            key: link.identity.to_string(),
            name: link.name,
            note: link.note,
            by: link.by,
            at: link.at,
        }))
    }

    /// Whom an account may be linked with. An empty text finds nobody.
    pub(crate) async fn identity_choices(&self, text: &str) -> Result<Vec<IdentityChoice>> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let found = directories::search(self.db(), text.trim(), CHOICES).await.map_err(internal)?;
        let choice = |f: directories::Found| IdentityChoice {
            key: IdentityKey { directory: f.directory, id: f.identity.id.clone() }.to_string(),
            name: f.identity.name().to_owned(),
            display_name: f.identity.display_name.clone(),
            directory: f.directory_name,
            state: f.identity.state,
        };
        Ok(found.into_iter().map(choice).collect())
    }

    /// Why it cannot be told whose accounts are, where that is so for all of them.
    pub(crate) async fn identity_lack(&self) -> Result<Option<String>> {
        let all = directories::all(self.db()).await.map_err(internal)?;
        if all.is_empty() {
            return Ok(Some(NONE_ONBOARDED.to_owned()));
        }
        let now = self.now();
        Ok(all.iter().find_map(|marked| lack(marked, now)))
    }
}

pub(crate) const NONE_ONBOARDED: &str =
    "No identity provider is onboarded, so Parapet cannot tell which accounts it provisioned.";

/// Why nothing can be concluded from whom an identity provider does not know.
fn lack(marked: &Marked, now: Timestamp) -> Option<String> {
    let name = &marked.name;
    match marked.complete_at {
        None => Some(format!(
            "{name} was marked as identity provider and has not been read to its end since; its Risky Account Scan says why."
        )),
        Some(at) if now - at > marked.max_age => Some(format!(
            "What the identity provider {name} said is from {}, longer ago than {}: it does not decide any more.",
            model::words::plain_instant(at, now),
            model::words::duration(marked.max_age)
        )),
        Some(_) => None,
    }
}

/// Whose an account is, from its record.
pub(crate) fn whose(record: &Record) -> Whose {
    let text = |name: &str| record.get(&model::account::SHAPE, name).as_str().map(str::to_owned);
    let state = text("identity_state").as_deref().and_then(State::parse);
    let matched = match record.get(&model::account::SHAPE, "identity") {
        Value::String(_) if state.is_some_and(|s| !s.is_live()) => Match::Deactivated,
        Value::String(_) => Match::Matched,
        Value::Null => Match::Unmatched,
        _ => Match::Unknown,
    };
    Whose {
        matched,
        key: text("identity"),
        name: text("identity_name"),
        by: text("identity_by"),
        state,
        note: text("identity_note"),
    }
}
