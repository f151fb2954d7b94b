//! Alerts: what has changed and held, what will break, what was found; each told once, and folded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::ahead;
use model::diagnosis::Warning;
use model::finding::Severity;
use model::health::{SettledStatus, settled_status};
use model::id::{InstanceId, OwnerId};
use model::identity::Departed;
use model::time::{Duration, Timestamp};
use model::view::SeverityCounts;
use model::words::{About, warning_remedy, warning_says_at};
use notify::address::Address;
use notify::alert::{Change, FOLD, Sight, Watch};
use notify::event::{self, Event, Kind, Subject, Subscription, Told};
use store::alerts::{self, Telling, Watched};
use store::destinations::{self, Destination};
use store::instances::{self, InstanceWithScans};
use store::outbox::{self, NewParcel};
use store::{StoreError, owners};

use super::{Context, Message, sender};

/// How far back runs and failed digests are looked at: longer than Parapet is away as a rule.
const BACK: Duration = Duration::days(1);
/// How long ago something may have been told to be remembered.
const REMEMBER: Duration = Duration::days(60);

/// Everything one look needs.
struct Look<'a> {
    context: &'a Context,
    now: Timestamp,
    destinations: Vec<(Destination, Subscription)>,
    rows: Vec<InstanceWithScans>,
    owners: BTreeMap<OwnerId, String>,
    /// Those of them whose accounts are known not to be live any more.
    left: Arc<BTreeMap<OwnerId, Departed>>,
    told: BTreeSet<String>,
}

/// Decides what is to be told. Without any destination nothing is, and nothing is remembered.
pub(crate) async fn look(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    let stored = destinations::all(&context.db).await?;
    if stored.is_empty() {
        return Ok(());
    }
    let mut all = Vec::new();
    for destination in stored {
        match serde_json::from_str::<Subscription>(&destination.subscription) {
            Ok(subscription) => all.push((destination, subscription)),
            // Whoever should be told must not be forgotten because of that.
            Err(error) => {
                tracing::error!(destination = destination.name, %error, "its subscription cannot be read; it is told everything");
                all.push((destination, Subscription::default()));
            }
        }
    }
    let look = Look {
        context,
        now,
        destinations: all,
        rows: instances::all(&context.db).await?,
        owners: owners::all(&context.db).await?.into_iter().map(|o| (o.id, o.name)).collect(),
        left: context.left(now).await?,
        told: alerts::told_since(&context.db, now - REMEMBER).await?,
    };
    look.statuses().await?;
    look.warnings().await?;
    look.findings().await?;
    look.failed_digests().await
}

/// A change of one instance that is due.
struct Due<'a> {
    row: &'a InstanceWithScans,
    turn: Option<i64>,
    after: Watch,
    change: Change,
}

impl Look<'_> {
    async fn statuses(&self) -> Result<(), StoreError> {
        let known = alerts::watches(&self.context.db).await?;
        let last = alerts::last(&self.context.db).await?;
        let mut remembered = Telling::default();
        let mut groups: BTreeMap<String, Vec<Due<'_>>> = BTreeMap::new();
        for row in &self.rows {
            let id = &row.instance.id;
            let before = known.get(id);
            let parsed = before.and_then(|w| serde_json::from_str::<Watch>(&w.watch).ok());
            let watch = self.see(row, parsed);
            match watch.due(self.now) {
                Some(change) => {
                    let sort = if change.is_recovery() { "up" } else { "down" };
                    let due = Due { row, turn: before.map(|w| w.turn), after: watch.after(&change), change };
                    groups.entry(format!("{}:{sort}", row.instance.app)).or_default().push(due);
                }
                None if parsed != Some(watch) => {
                    remembered.watches.push((id.clone(), before.map(|w: &Watched| w.turn), to_json(&watch)?));
                }
                None => {}
            }
        }
        // One by one: a row that another node was faster with holds up no other.
        for watch in remembered.watches {
            alerts::tell(&self.context.db, &Telling { watches: vec![watch], ..Telling::default() }, self.now)
                .await?;
        }
        for (sort, group) in groups {
            if last.get(&sort).is_none_or(|at| (self.now - *at).0.abs() >= FOLD.0) {
                self.tell_statuses(sort, group).await?;
            }
        }
        Ok(())
    }

    fn see(&self, row: &InstanceWithScans, watch: Option<Watch>) -> Watch {
        let standing = row.standing();
        if standing.instance.paused.is_some() {
            // Nothing runs there and nothing is promised; what was told stays told.
            return match watch {
                Some(watch) => Watch { seen: watch.told, left_at: None, ..watch },
                None => Watch::begin(
                    Sight { settled: SettledStatus::NoneYet, failing_since: None, failures: 0 },
                    self.now,
                ),
            };
        }
        let enabled = || standing.scans.iter().filter(|s| s.enablement.is_enabled());
        let sight = Sight {
            settled: settled_status(&standing.instance, &standing.scans, self.now),
            failing_since: enabled().filter_map(|s| s.failing_since).min(),
            failures: enabled().map(|s| s.failures_in_a_row).max().unwrap_or(0),
        };
        match watch {
            Some(watch) => watch.see(sight, self.now),
            None => Watch::begin(sight, self.now),
        }
    }

    async fn tell_statuses(&self, sort: String, group: Vec<Due<'_>>) -> Result<(), StoreError> {
        let mut telling = Telling { last: Some((sort, self.now - FOLD)), ..Telling::default() };
        for due in &group {
            telling.watches.push((due.row.instance.id.clone(), due.turn, to_json(&due.after)?));
        }
        for (destination, subscription) in &self.destinations {
            let told: Vec<Told> = group
                .iter()
                .filter(|due| self.covers(subscription, due.row))
                .map(|due| Told {
                    subject: self.subject(due.row, self.standing_says(due.row), ""),
                    change: due.change,
                })
                .collect();
            if told.is_empty() {
                continue;
            }
            let event = event::status(self.context.db.new_id(self.now), self.now, told);
            if subscription.wants(event.kind) {
                telling.parcels.extend(self.parcels(destination, event).await?);
            }
        }
        self.store(telling).await
    }

    /// What will break, each thing once. A rate limit's budget comes and goes within the hour; it is on the page and in
    /// the digest.
    async fn warnings(&self) -> Result<(), StoreError> {
        let mut groups: BTreeMap<&str, Vec<(&InstanceWithScans, String, String)>> = BTreeMap::new();
        for row in self.rows.iter().filter(|r| r.instance.facts.paused.is_none()) {
            let warnings = row.scans.iter().flat_map(|s| &s.warnings);
            let owner = row.instance.owner.as_ref();
            let own = ahead::Own {
                expires_at: row.instance.identity.expires_at,
                idles_at: self.context.idles_at(&row.instance),
                owner_left: owner.and_then(|id| Some((self.owners.get(id)?.as_str(), self.left.get(id)?))),
            };
            for warning in ahead::fold(own, warnings, self.now) {
                let Some(key) = key(&row.instance.id, &warning) else { continue };
                if !self.told.contains(&key) {
                    let product = self.context.product(&row.instance.app);
                    let says = warning_says_at(&warning, self.now)
                        .then(warning_remedy(&warning, &product).says)
                        .to_string();
                    groups.entry(row.instance.app.as_str()).or_default().push((row, key, says));
                }
            }
        }
        for group in groups.into_values() {
            let mut telling =
                Telling { once: group.iter().map(|(_, key, _)| key.clone()).collect(), ..Telling::default() };
            for (destination, subscription) in &self.destinations {
                let covered = group.iter().filter(|(row, _, _)| self.covers(subscription, row));
                let subjects: Vec<Subject> =
                    covered.map(|(row, _, says)| self.subject(row, says.clone(), "/settings")).collect();
                if !subjects.is_empty() && subscription.wants(Kind::WarningAhead) {
                    let event = event::warning(self.context.db.new_id(self.now), self.now, subjects);
                    telling.parcels.extend(self.parcels(destination, event).await?);
                }
            }
            self.store(telling).await?;
        }
        Ok(())
    }

    /// New findings, by the run that opened them.
    async fn findings(&self) -> Result<(), StoreError> {
        let known = |run: &model::id::RunId| self.told.contains(&format!("run:{run}"));
        for opened in alerts::opened(&self.context.db, self.now - BACK, known).await? {
            let Some(row) = self.rows.iter().find(|r| r.instance.id == opened.instance) else { continue };
            let mut telling = Telling { once: vec![format!("run:{}", opened.run)], ..Telling::default() };
            for (destination, subscription) in &self.destinations {
                let counts = at_least(&opened.counts, subscription.severity);
                if counts.total() == 0
                    || !self.covers(subscription, row)
                    || !subscription.wants(Kind::NewFindings)
                {
                    continue;
                }
                let subject = self.subject(row, String::new(), "/findings");
                let event = event::findings(self.context.db.new_id(self.now), self.now, subject, &counts);
                telling.parcels.extend(self.parcels(destination, event).await?);
            }
            self.store(telling).await?;
        }
        Ok(())
    }

    /// Digests that were refused for good: somebody else should know that somebody does not.
    async fn failed_digests(&self) -> Result<(), StoreError> {
        let (_, failed) = outbox::recent(&self.context.db).await?;
        for parcel in failed.iter().filter(|p| p.parcel.kind == "digest") {
            let key = format!("digest:{}", parcel.parcel.id);
            let recent = parcel.ended_at.is_some_and(|at| self.now - at <= BACK);
            if !recent || self.told.contains(&key) {
                continue;
            }
            let mut telling = Telling { once: vec![key], ..Telling::default() };
            let day = parcel.created_at.to_jiff().strftime("%Y-%m-%d").to_string();
            for (destination, subscription) in &self.destinations {
                if subscription.wants(Kind::DigestFailed) {
                    let why = parcel.error.as_deref().unwrap_or("no reason was given");
                    let id = self.context.db.new_id(self.now);
                    let event = event::digest_failed(id, self.now, &parcel.parcel.addressee, &day, why);
                    telling.parcels.extend(self.parcels(destination, event).await?);
                }
            }
            self.store(telling).await?;
        }
        Ok(())
    }

    fn covers(&self, subscription: &Subscription, row: &InstanceWithScans) -> bool {
        subscription.covers(&row.instance.id, row.instance.owner.as_ref())
    }

    /// The sentence of the page's header, with its instants exact: an alert is read later.
    fn standing_says(&self, row: &InstanceWithScans) -> String {
        let product = self.context.product(&row.instance.app);
        let standing = row.standing();
        let about =
            About { app: &product, instance: &standing.instance, scans: &standing.scans, now: self.now };
        about.application().to_string()
    }

    fn subject(&self, row: &InstanceWithScans, says: String, page: &str) -> Subject {
        let i = &row.instance;
        Subject {
            id: i.id.clone(),
            name: i.name.clone(),
            product: self.context.product(&i.app),
            tenant: i.identity.tenant_name.clone(),
            owner: i.owner.as_ref().and_then(|id| self.owners.get(id)).cloned(),
            status: None,
            was: None,
            since: None,
            says,
            url: self.context.setup.base.as_ref().map(|base| format!("{base}/applications/{}{page}", i.id)),
        }
    }

    async fn parcels(&self, destination: &Destination, event: Event) -> Result<Vec<NewParcel>, StoreError> {
        parcels(self.context, destination, event, self.now).await
    }

    async fn store(&self, telling: Telling) -> Result<(), StoreError> {
        if !alerts::tell(&self.context.db, &telling, self.now).await? {
            tracing::debug!("another node was faster");
        }
        Ok(())
    }
}

/// An event as parcels: one, or one for each address of a mail destination.
async fn parcels(
    context: &Context,
    destination: &Destination,
    mut event: Event,
    now: Timestamp,
) -> Result<Vec<NewParcel>, StoreError> {
    event.simulated = context.setup.simulated;
    let parcel = |lane: String, addressee: String, body: String| NewParcel {
        id: context.db.new_id(now),
        destination: destination.id.clone(),
        lane,
        kind: event.kind.as_str().to_owned(),
        title: event.title.clone(),
        addressee,
        body,
    };
    if destination.kind != "mail" {
        let body = Message::Event(Box::new(event.clone())).store()?;
        return Ok(vec![parcel(destination.id.clone(), destination.name.clone(), body)]);
    }
    let to = match sender::address(context, &destination.id).await {
        Ok(Address::Mail { to }) => to,
        Ok(_) => Vec::new(),
        Err(trouble) => return Err(StoreError::Unreadable { detail: trouble.says }),
    };
    let mut all = Vec::new();
    for (n, address) in to.into_iter().enumerate() {
        let mut mail = event::mail(&event, &address, &context.setup.host)
            .map_err(|e| StoreError::Unreadable { detail: format!("a mail to write: {e}") })?;
        if n > 0 {
            mail.message_id = format!("{n}.{}", mail.message_id);
        }
        let body = Message::Mail(Box::new(mail)).store()?;
        all.push(parcel(format!("{}:{address}", destination.id), address, body));
    }
    Ok(all)
}

/// What makes a warning the same one; `None`: it is not told at once.
fn key(instance: &InstanceId, warning: &Warning) -> Option<String> {
    match warning {
        Warning::CredentialExpires { at } => Some(format!("expires:{instance}:{}", at.0)),
        Warning::PermissionLost { permission } => Some(format!("lost:{instance}:{permission}")),
        Warning::Deprecated { request, .. } => Some(format!("deprecated:{instance}:{request}")),
        Warning::VersionEnds { interface, at } => Some(format!("version:{instance}:{interface}:{}", at.0)),
        Warning::Shrank { dataset, at, .. } => Some(format!("shrank:{instance}:{dataset}:{}", at.0)),
        // Each use puts it off: the day moves, the warning is the same.
        Warning::CredentialIdles { .. } => Some(format!("idles:{instance}")),
        Warning::OwnerLeft { owner, state, .. } => {
            Some(format!("owner:{instance}:{owner}:{}", state.as_str()))
        }
        Warning::Slow { scan, .. } => Some(format!("slow:{instance}:{scan}")),
        Warning::RateBudget { .. } => None,
    }
}

fn at_least(counts: &SeverityCounts, severity: Severity) -> SeverityCounts {
    let mut kept = SeverityCounts::default();
    Severity::ALL.into_iter().filter(|s| *s >= severity).for_each(|s| kept.add(s, counts.of(s)));
    kept
}

fn to_json(watch: &Watch) -> Result<String, StoreError> {
    serde_json::to_string(watch)
        .map_err(|e| StoreError::Unreadable { detail: format!("a value to store: {e}") })
}
