//! Whether people are told: each digest once, and each at last.

use std::collections::{BTreeMap, BTreeSet};

use notify::due::Pace;
use store::{digests, outbox};

use super::super::fake::START;
use super::check::{Checked, Checker, must};
use super::world::World;
use crate::tell::Message;

/// What was seen of digests so far.
#[derive(Default)]
pub(super) struct Letters {
    /// Digests made, and how many mails each has.
    made: BTreeMap<(String, String), u32>,
    /// Ids of mails, and the parcels that carry them.
    parcels: BTreeMap<String, BTreeSet<String>>,
    /// The id of the first mail for an address and day.
    of_day: BTreeMap<String, String>,
}

impl Letters {
    /// Looks at what was made and put in since the last look.
    pub(super) async fn look(&mut self, world: &World) -> Checked {
        for made in digests::recent(&world.db).await.expect("digests") {
            self.made.insert((made.recipient, made.day), made.mails);
        }
        let (recent, _) = outbox::recent(&world.db).await.expect("parcels");
        for parcel in recent.into_iter().filter(|parcel| parcel.parcel.kind == "digest") {
            let Ok(Message::Mail(mail)) = serde_json::from_str(&parcel.parcel.body) else {
                panic!("a digest is a mail")
            };
            let parcels = self.parcels.entry(mail.message_id.clone()).or_default();
            parcels.insert(parcel.parcel.id);
            must(parcels.len() == 1, Checker::OneDigest, || {
                format!("{} was put in {} times", mail.message_id, parcels.len())
            })?;
            // `digest.<day>.<recipient>.<instant>@<host>`
            let id = mail.message_id;
            let of = id.split('@').next().and_then(|id| id.rsplit_once('.')).expect("a digest's id").0;
            let first = self.of_day.entry(of.to_owned()).or_insert_with(|| id.clone());
            // A day that was told while a clock ran far ahead of it is told again.
            let once = *first == id || world.temper.leaps();
            must(once, Checker::OneDigest, || format!("{id} beside {first}"))?;
        }
        Ok(())
    }

    /// At the end, when all has been well for days.
    pub(super) async fn whole(&self, world: &World) -> Checked {
        let taken = world.wire.taken().clone();
        let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
        for (id, body) in taken.iter() {
            let first = bodies.entry(id).or_insert(body);
            must(*first == body.as_str(), Checker::DigestIsSent, || {
                format!("{id} was sent twice, and not the same")
            })?;
        }
        for (id, parcels) in &self.parcels {
            if !bodies.contains_key(id.as_str()) {
                let parcel = outbox::get(&world.db, parcels.first().expect("put in")).await;
                // Its text would fill the screen.
                let waits =
                    parcel.map(|p| (p.parcel.lane, p.created_at, p.state, p.next_at, p.attempts, p.error));
                must(false, Checker::DigestIsSent, || format!("{id} was never taken: {waits:?}"))?;
            }
        }
        let now = world.shared.now();
        let standing = digests::recent(&world.db).await.expect("digests");
        // Whose instances have all been removed meanwhile is told nothing.
        let owners = world.fleet.iter().filter_map(|(id, _)| world.watch.row(id)?.instance.owner.clone());
        let owners: BTreeSet<String> = owners.map(|owner| owner.as_str().to_owned()).collect();
        for (key, zone, minute) in [("o1", "Europe/Berlin", 480), ("o2", "Pacific/Auckland", 1380)] {
            // The latest day that has come due, whichever days a wrong clock has made.
            let day = Pace::new(zone, minute).due(START, None, now).map(|day| day.to_string());
            let made = standing.iter().any(|made| made.recipient == key && Some(&made.day) == day.as_ref());
            must(made || !owners.contains(key), Checker::DigestIsSent, || {
                format!("{key} has no digest of {day:?}, but {standing:?}")
            })?;
        }
        Ok(())
    }

    pub(super) fn count(&self) -> u64 {
        self.made.len() as u64
    }
}
