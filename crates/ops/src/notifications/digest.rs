//! The preview of a digest: what it would be now, by the code that makes it.

use model::digest::{Material, Recipient};
use model::view::{Actor, DigestMail, DigestPreview, FacetChoice, Role};
use notify::due::Pace;
use store::{digests, operators};

use crate::Ops;
use crate::refusal::{Result, internal, not_found};

impl Ops {
    /// What somebody's digest would be now: an owner's, or (`admins`) that of what nobody active answers for. With an empty
    /// key that of the first who would get one.
    ///
    /// # Errors
    /// There is no such person, or the store cannot be read.
    pub async fn digest_preview(&self, _actor: &Actor, key: &str) -> Result<DigestPreview> {
        let now = self.now();
        let left = self.owners_left().await?;
        let facts = digests::facts(self.db(), &left, now).await.map_err(internal)?;
        let mut who: Vec<(Recipient, String)> =
            facts.owners().iter().map(|o| (Recipient::Owner(o.id.clone()), o.name.clone())).collect();
        who.push((Recipient::Admins, "The admins".to_owned()));
        let chosen = if key.is_empty() {
            who.iter().find(|(r, _)| facts.concerns(r)).or_else(|| who.last())
        } else {
            who.iter().find(|(r, name)| r.key() == key || name.eq_ignore_ascii_case(key))
        };
        let (recipient, name) = chosen.cloned().ok_or_else(|| not_found("owner"))?;
        let choices = who
            .iter()
            .map(|(r, name)| FacetChoice {
                value: r.key().to_owned(),
                title: name.clone(),
                count: None,
                active: *r == recipient,
            })
            .collect();
        let mail = if facts.concerns(&recipient) {
            Some(self.would_send(&facts, &recipient, name).await?)
        } else {
            None
        };
        Ok(DigestPreview { now, choices, key: recipient.key().to_owned(), mail })
    }

    async fn would_send(
        &self,
        facts: &digests::Facts,
        recipient: &Recipient,
        name: String,
    ) -> Result<DigestMail> {
        let now = self.now();
        let telling = &self.0.telling;
        let owner = match recipient {
            Recipient::Owner(id) => facts.owners().into_iter().find(|o| o.id == *id).cloned(),
            Recipient::Admins => None,
        };
        let pace = match &owner {
            Some(owner) => Pace::new(&owner.time_zone, owner.digest_minute),
            None => Pace::new(&telling.admin_zone, telling.admin_minute),
        };
        let to = match &owner {
            Some(owner) => vec![owner.email.clone()],
            None => {
                let admins = operators::all(self.db()).await.map_err(internal)?;
                let admins = admins.into_iter().filter(|o| o.active && o.role == Role::Admin.as_str());
                admins.filter_map(|o| o.email).chain(telling.admins.iter().cloned()).collect()
            }
        };
        let latest = digests::latest(self.db()).await.map_err(internal)?;
        let since = latest.get(recipient.key()).map(|l| l.until);
        let product = |i: &store::instances::Instance| {
            let app = self.0.catalog.app(&i.app);
            digests::Product {
                name: app.map_or_else(|| i.app.to_string(), |a| a.manifest.name.clone()),
                idles_at: app.and_then(|app| crate::fleet::idles_at(app, i)),
            }
        };
        let applications =
            facts.applications(self.db(), recipient, since, now, now, &product).await.map_err(internal)?;
        let material = Material { name, recipient: recipient.clone(), since, until: now, applications };
        let frame = notify::digest::Frame {
            base: telling.base.as_deref(),
            // A preview gives nobody's link away.
            unsubscribe: None,
            simulated: self.0.simulated,
        };
        let written = notify::digest::write(&material, &pace, now, &frame).map_err(internal)?;
        Ok(DigestMail {
            silent: owner.is_some_and(|o| o.quiet) && written.all_clear,
            all_clear: written.all_clear,
            subject: written.subject,
            text: written.text,
            html: written.html,
            to,
            due_at: pace.next_at(now),
        })
    }
}
