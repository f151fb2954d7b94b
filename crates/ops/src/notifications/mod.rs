//! How people are told: the page Notifications, destinations of alerts, tests, and the preview of a digest.

mod digest;
mod input;
mod page;

use model::id::OwnerId;
use model::view::{Actor, DestinationInput};
use notify::address::Address;
use notify::event::{self, Subscription};
use secrecy::SecretString;
use serde_json::json;
use store::destinations::{self, Destination};
use store::outbox::{self, MAIL, NewParcel};
use store::{operators, owners};

use crate::refusal::{
    Result, conflict, internal, invalid, must_be_admin, not_found, refuse, store as from_store,
};
use crate::{Ops, Secrets, audit};

/// How people are told, as far as pages show and check it. The engine's own set-up has the password.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    /// The mail server in words: `mail.example.com:587, STARTTLS, as parapet`; `None`: there is none.
    pub mail_server: Option<String>,
    /// Addresses that the configuration names for what no active owner answers for.
    pub admins: Vec<String>,
    /// The admins' time zone.
    pub admin_zone: String,
    /// Minute of the admins' day at which their digest is due.
    pub admin_minute: u16,
    /// Where Parapet is reached, without a slash at the end.
    pub base: Option<String>,
    /// The name of this server in ids of mails.
    pub host: String,
}

impl Ops {
    /// Adds a destination of alerts.
    ///
    /// # Errors
    /// An input that cannot be used, a name that is taken, or the role does not suffice.
    pub async fn create_destination(
        &self,
        actor: &Actor,
        input: &DestinationInput,
        secrets: Secrets,
    ) -> Result<String> {
        must_be_admin(actor)?;
        let address = input::address(self, input, &secrets, None)?
            .ok_or_else(|| invalid("kind", "Choose what sort of destination it is."))?;
        let new = Destination {
            id: self.new_id(),
            name: input::name(input)?,
            kind: address.kind().to_owned(),
            shown: address.shown(),
            subscription: subscription_json(&input::subscription(input)?)?,
            created_at: self.now(),
            paused: None,
        };
        let detail = json!({ "kind": new.kind, "address": new.shown });
        let entry = audit(actor, "destination added", None, &*new.name, detail);
        destinations::create(self.db(), &new, &sealed(&address)?, self.now(), entry)
            .await
            .map_err(name_taken)?;
        Ok(new.id)
    }

    /// Changes a destination; its address stays where none is given.
    ///
    /// # Errors
    /// As [`Ops::create_destination`], or it is gone.
    pub async fn update_destination(
        &self,
        actor: &Actor,
        id: &str,
        input: &DestinationInput,
        secrets: Secrets,
    ) -> Result<()> {
        must_be_admin(actor)?;
        let before = destinations::get(self.db(), id).await.map_err(from_store)?;
        let input = DestinationInput { kind: before.kind.clone(), ..input.clone() };
        let address = input::address(self, &input, &secrets, Some(&before))?;
        let changed = Destination {
            name: input::name(&input)?,
            shown: address.as_ref().map_or_else(|| before.shown.clone(), Address::shown),
            subscription: subscription_json(&input::subscription(&input)?)?,
            ..before
        };
        let sealed = address.as_ref().map(sealed).transpose()?;
        let detail = json!({ "address": changed.shown, "address_changed": sealed.is_some() });
        let entry = audit(actor, "destination changed", None, &*changed.name, detail);
        destinations::update(self.db(), &changed, sealed.as_ref(), self.now(), entry)
            .await
            .map_err(name_taken)
    }

    /// Sends nothing to a destination for the time being; what is due meanwhile waits.
    ///
    /// # Errors
    /// It is gone or paused, or the role does not suffice.
    pub async fn pause_destination(&self, actor: &Actor, id: &str) -> Result<()> {
        let before = self.destination(actor, id).await?;
        let entry = audit(actor, "destination paused", None, before.name, json!({}));
        let done =
            destinations::pause(self.db(), id, &actor.name, self.now(), entry).await.map_err(from_store)?;
        if done { Ok(()) } else { Err(conflict("The destination is paused already.", "Reload the page.")) }
    }

    /// Ends a pause; what waits is sent.
    ///
    /// # Errors
    /// It is gone or not paused, or the role does not suffice.
    pub async fn resume_destination(&self, actor: &Actor, id: &str) -> Result<()> {
        let before = self.destination(actor, id).await?;
        let entry = audit(actor, "destination resumed", None, before.name, json!({}));
        let done = destinations::resume(self.db(), id, self.now(), entry).await.map_err(from_store)?;
        if done { Ok(()) } else { Err(conflict("The destination is not paused.", "Reload the page.")) }
    }

    /// Removes a destination with what waits for it.
    ///
    /// # Errors
    /// It is gone, or the role does not suffice.
    pub async fn remove_destination(&self, actor: &Actor, id: &str) -> Result<()> {
        let before = self.destination(actor, id).await?;
        let detail = json!({ "kind": before.kind, "address": before.shown });
        let entry = audit(actor, "destination removed", None, before.name, detail);
        destinations::remove(self.db(), id, self.now(), entry).await.map_err(from_store)
    }

    /// Puts a test into the outbox of a destination.
    ///
    /// # Errors
    /// It is gone or paused, or the role does not suffice.
    pub async fn test_destination(&self, actor: &Actor, id: &str) -> Result<()> {
        let destination = self.destination(actor, id).await?;
        if destination.paused.is_some() {
            return Err(conflict("The destination is paused, so nothing is sent there.", "Resume it first."));
        }
        let mut event = event::test(self.new_id(), self.now(), &actor.name);
        event.simulated = self.0.simulated;
        let mut parcels = Vec::new();
        if destination.kind == "mail" {
            let Address::Mail { to } = self.stored_address(id).await? else {
                return Err(internal("a mail destination without addresses"));
            };
            for address in to {
                parcels.push(self.test_mail(&event, id, &address)?);
            }
        } else {
            let body = json!({ "form": "event", "message": event }).to_string();
            parcels.push(parcel(self, id, &event.title, &destination.name, body));
        }
        let entry = audit(actor, "destination tested", None, destination.name, json!({}));
        store::audit::add(self.db(), self.now(), entry).await.map_err(from_store)?;
        outbox::add(self.db(), &parcels, self.now()).await.map_err(from_store)
    }

    /// Puts a test mail into the outbox of the mail transport.
    ///
    /// # Errors
    /// No address, no mail server, or the role does not suffice.
    pub async fn test_mail_transport(&self, actor: &Actor, to: &str) -> Result<()> {
        must_be_admin(actor)?;
        self.needs_mail_server()?;
        let to = input::email("to", to)?;
        let mut event = event::test(self.new_id(), self.now(), &actor.name);
        event.simulated = self.0.simulated;
        let parcel = self.test_mail(&event, MAIL, &to)?;
        let entry = audit(actor, "mail tested", None, to, json!({}));
        store::audit::add(self.db(), self.now(), entry).await.map_err(from_store)?;
        outbox::add(self.db(), &[parcel], self.now()).await.map_err(from_store)
    }

    /// Tries everything that waits for a transport now: `mail`, or a destination.
    ///
    /// # Errors
    /// The role does not suffice.
    pub async fn retry_deliveries(&self, actor: &Actor, destination: &str) -> Result<()> {
        must_be_admin(actor)?;
        outbox::hasten(self.db(), destination, self.now()).await.map(drop).map_err(from_store)
    }

    /// Says where the operator's own copy of the admins' digest goes; empty: nowhere.
    ///
    /// # Errors
    /// What is no address, or the role does not suffice.
    pub async fn set_my_email(&self, actor: &Actor, email: &str) -> Result<()> {
        must_be_admin(actor)?;
        let email = email.trim();
        let email = if email.is_empty() { None } else { Some(input::email("my_email", email)?) };
        let entry = audit(actor, "own address set", None, &*actor.name, json!({ "email": email }));
        operators::set_email(self.db(), &actor.operator, email.as_deref(), self.now(), entry)
            .await
            .map_err(from_store)
    }

    /// Whom the link in an all-clear mail is about: the name to ask about before anything is changed.
    ///
    /// # Errors
    /// The link is none of ours or has expired, or the owner is gone.
    pub async fn unsubscribe_asks(&self, token: &str) -> Result<String> {
        let id = self.unsubscribing(token)?;
        owners::get(self.db(), &id).await.map(|o| o.name).map_err(|_| not_found("owner"))
    }

    /// Sends that owner no digest any more on days on which all is well.
    ///
    /// # Errors
    /// As [`Ops::unsubscribe_asks`].
    pub async fn unsubscribe(&self, token: &str) -> Result<()> {
        let id = self.unsubscribing(token)?;
        let owner = owners::get(self.db(), &id).await.map_err(|_| not_found("owner"))?;
        let entry = store::audit::Entry {
            operator: None,
            by: owner.name.clone(),
            action: "all-clear digests declined".to_owned(),
            instance: None,
            target: owner.name,
            detail: json!({ "by": "the link in a mail" }),
        };
        owners::set_quiet(self.db(), &id, self.now(), entry).await.map_err(from_store)
    }

    fn unsubscribing(&self, token: &str) -> Result<OwnerId> {
        owners::read_quiet_token(self.db(), token, self.now()).ok_or_else(|| {
            refuse(
                model::view::RefusalKind::NotFound,
                "This link does not work (any more).",
                "Use the link in a newer mail, or ask an admin of Parapet to change it on the page Owners.",
            )
        })
    }

    fn needs_mail_server(&self) -> Result<()> {
        if self.0.telling.mail_server.is_some() {
            return Ok(());
        }
        Err(conflict(
            "No mail server is configured.",
            "Set host and from under [mail] in the configuration, and restart Parapet.",
        ))
    }

    async fn destination(&self, actor: &Actor, id: &str) -> Result<Destination> {
        must_be_admin(actor)?;
        destinations::get(self.db(), id).await.map_err(from_store)
    }

    async fn stored_address(&self, id: &str) -> Result<Address> {
        use secrecy::ExposeSecret as _;
        let sealed = destinations::address(self.db(), id).await.map_err(from_store)?;
        serde_json::from_str(sealed.expose_secret())
            .map_err(|_| internal("the address of a destination is unreadable"))
    }

    fn test_mail(&self, event: &event::Event, destination: &str, to: &str) -> Result<NewParcel> {
        let mail = event::mail(event, to, &self.0.telling.host).map_err(internal)?;
        let body = json!({ "form": "mail", "message": mail }).to_string();
        Ok(parcel(self, destination, &event.title, to, body))
    }
}

/// A test; in a lane of its own, so that it waits for nothing else.
fn parcel(ops: &Ops, destination: &str, title: &str, to: &str, body: String) -> NewParcel {
    let id = ops.new_id();
    NewParcel {
        lane: format!("test:{id}"),
        id,
        destination: destination.to_owned(),
        kind: "test".to_owned(),
        title: title.to_owned(),
        addressee: to.to_owned(),
        body,
    }
}

fn sealed(address: &Address) -> Result<SecretString> {
    serde_json::to_string(address).map(SecretString::from).map_err(internal)
}

fn subscription_json(subscription: &Subscription) -> Result<String> {
    serde_json::to_string(subscription).map_err(internal)
}

fn name_taken(error: store::StoreError) -> model::view::Refusal {
    match error {
        store::StoreError::Exists { .. } => invalid("name", "There is a destination with this name already."),
        other => from_store(other),
    }
}
