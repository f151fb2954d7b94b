//! The page Notifications.

use model::delivery::TransportFacts;
use model::finding::Severity;
use model::time::Timestamp;
use model::view::{
    Actor, DeliveryRow, DestinationRow, DigestRow, FacetChoice, NotificationsPage, Role, SubscriptionChoices,
    TransportStatus,
};
use model::words::list;
use notify::address::Address;
use notify::event::{Kind, Subscription};
use store::destinations::Destination;
use store::outbox::{MAIL, Parcel, State};
use store::{destinations, digests, operators, outbox, owners};

use crate::Ops;
use crate::refusal::{Result, internal};

impl Ops {
    /// The page Notifications.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn notifications(&self, actor: &Actor) -> Result<NotificationsPage> {
        let now = self.now();
        let db = self.db();
        let facts = outbox::transports(db).await.map_err(internal)?;
        let waiting = outbox::waiting(db).await.map_err(internal)?;
        let (recent, failed) = outbox::recent(db).await.map_err(internal)?;
        let next = |id: &str| {
            let mine = recent.iter().filter(|p| p.state == State::Waiting && p.parcel.destination == id);
            mine.map(|p| p.next_at).min().filter(|at| *at > now)
        };
        let status = |id: &str| {
            let facts = facts.get(id).cloned().unwrap_or_default();
            transport(&facts, waiting.get(id).map_or(0, |(n, _)| *n), next(id))
        };
        let all_owners = owners::all(db).await.map_err(internal)?;
        let stored = destinations::all(db).await.map_err(internal)?;
        let name_of = |id: &str| {
            let named = stored.iter().find(|d| d.id == id).map(|d| d.name.clone());
            named.unwrap_or_else(|| "a destination that was removed".to_owned())
        };
        let unowned: Vec<_> = {
            let all = self.0.fleet.all();
            let mut unowned: Vec<_> = all
                .iter()
                .filter(|m| m.owner.as_ref().is_none_or(|o| !o.active))
                .map(|m| m.instance_ref())
                .collect();
            unowned.sort_by_key(|i| i.name.to_lowercase());
            unowned
        };
        let operators = operators::all(db).await.map_err(internal)?;
        let mine = operators.iter().find(|o| o.id == actor.operator).and_then(|o| o.email.clone());
        let told = !self.0.telling.admins.is_empty()
            || operators.iter().any(|o| o.active && o.role == Role::Admin.as_str() && o.email.is_some());
        let row = |p: &Parcel| delivery(p, &|id| name_of(id));
        let recipient = |key: &str| match key {
            "admins" => "the admins".to_owned(),
            id => all_owners
                .iter()
                .find(|o| o.id.as_str() == id)
                .map_or_else(|| "an owner who was removed".to_owned(), |o| o.name.clone()),
        };
        let made = digests::recent(db).await.map_err(internal)?;
        Ok(NotificationsPage {
            now,
            mail_server: self.0.telling.mail_server.clone(),
            mail: status(MAIL),
            configured_admins: self.0.telling.admins.clone(),
            my_email: mine.unwrap_or_default(),
            nobody_is_told: !unowned.is_empty() && !told,
            unowned,
            destinations: stored
                .iter()
                .map(|d| self.destination_row(d, status(&d.id), &all_owners))
                .collect(),
            choices: self.choices(&Subscription::default(), &all_owners),
            deliveries: recent.iter().map(row).collect(),
            failed: failed.iter().map(row).collect(),
            digests: made
                .into_iter()
                .map(|d| DigestRow {
                    to: recipient(&d.recipient),
                    day: d.day,
                    at: d.made_at,
                    subject: d.subject,
                    mails: d.mails,
                })
                .collect(),
            has_base: self.0.telling.base.is_some(),
            may_change: actor.role == Role::Admin,
        })
    }

    fn destination_row(
        &self,
        d: &Destination,
        status: TransportStatus,
        owners: &[owners::Owner],
    ) -> DestinationRow {
        // What cannot be read is told everything, as the engine does it.
        let subscription: Subscription = serde_json::from_str(&d.subscription).unwrap_or_default();
        let kind = Address::KINDS
            .iter()
            .find(|(word, _)| *word == d.kind)
            .map_or(d.kind.as_str(), |(_, title)| title);
        let status = match &d.paused {
            None => status,
            Some((since, by)) => TransportStatus {
                mark: model::view::Mark::Paused,
                word: model::view::Mark::Paused.word().to_owned(),
                says: model::words::Sentence::new(format!("Paused by {by} "))
                    .at(*since)
                    .text(". What is due meanwhile waits, and is sent when it is resumed."),
            },
        };
        DestinationRow {
            id: d.id.clone(),
            name: d.name.clone(),
            kind: d.kind.clone(),
            kind_title: kind.to_owned(),
            shown: d.shown.clone(),
            status,
            paused: d.paused.is_some(),
            told: self.told(&subscription, owners),
            choices: self.choices(&subscription, owners),
        }
    }

    /// What a destination is told of, in words.
    fn told(&self, subscription: &Subscription, owners: &[owners::Owner]) -> String {
        let kinds: Vec<&str> =
            Kind::ALL.iter().filter(|k| subscription.wants(**k)).map(|k| k.title()).collect();
        let mut says = if kinds.len() == Kind::ALL.len() { "Everything".to_owned() } else { list(&kinds) };
        if subscription.wants(Kind::NewFindings) {
            says = format!("{says}; findings from {} upwards", subscription.severity);
        }
        if !subscription.instances.is_empty() {
            let names: Vec<String> = subscription
                .instances
                .iter()
                .map(|id| {
                    self.0
                        .fleet
                        .get(id)
                        .map_or_else(|| "a removed application".to_owned(), |m| m.row.instance.name.clone())
                })
                .collect();
            says = format!("{says}; only of {}", list(&names));
        }
        if !subscription.owners.is_empty() {
            let names: Vec<&str> = subscription
                .owners
                .iter()
                .map(|id| owners.iter().find(|o| o.id == *id).map_or("a removed owner", |o| o.name.as_str()))
                .collect();
            says = format!("{says}; only where {} answers", list(&names));
        }
        format!("{says}.")
    }

    fn choices(&self, chosen: &Subscription, owners: &[owners::Owner]) -> SubscriptionChoices {
        let choice = |value: &str, title: &str, active| FacetChoice {
            value: value.to_owned(),
            title: title.to_owned(),
            count: None,
            active,
        };
        let mut fleet = self.0.fleet.all();
        fleet.sort_by(|a, b| a.sort_name.cmp(&b.sort_name));
        SubscriptionChoices {
            kinds: Kind::ALL
                .iter()
                .map(|k| choice(k.as_str(), k.title(), chosen.kinds.contains(k)))
                .collect(),
            instances: fleet
                .iter()
                .map(|m| choice(m.id().as_str(), &m.row.instance.name, chosen.instances.contains(m.id())))
                .collect(),
            owners: owners
                .iter()
                .map(|o| choice(o.id.as_str(), &o.name, chosen.owners.contains(&o.id)))
                .collect(),
            severities: Severity::ALL
                .iter()
                .map(|s| choice(s.as_str(), s.as_str(), *s == chosen.severity))
                .collect(),
        }
    }
}

fn transport(facts: &TransportFacts, waiting: u64, next_at: Option<Timestamp>) -> TransportStatus {
    TransportStatus { mark: facts.mark(), word: facts.word().to_owned(), says: facts.says(waiting, next_at) }
}

fn delivery(p: &Parcel, name_of: &dyn Fn(&str) -> String) -> DeliveryRow {
    let kind = match p.parcel.kind.as_str() {
        "digest" => "Digest".to_owned(),
        word => Kind::parse(word).map_or_else(|| word.to_owned(), |k| k.title().to_owned()),
    };
    let to = if p.parcel.destination == MAIL || p.parcel.addressee.contains('@') {
        p.parcel.addressee.clone()
    } else {
        name_of(&p.parcel.destination)
    };
    DeliveryRow {
        at: p.created_at,
        kind,
        title: p.parcel.title.clone(),
        to,
        state: match p.state {
            State::Waiting => "Waiting",
            State::Sent => "Sent",
            State::Failed => "Failed",
        }
        .to_owned(),
        attempts: p.attempts,
        next_at: (p.state == State::Waiting).then_some(p.next_at),
        ended_at: p.ended_at,
        error: p.error.clone().unwrap_or_default(),
    }
}
