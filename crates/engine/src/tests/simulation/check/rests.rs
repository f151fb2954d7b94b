//! Whether vendors are left alone as long as they ask.

use model::health::InstanceFacts;
use model::schedule::TOO_FAR_AHEAD;
use model::time::Timestamp;

use super::super::super::fake::address;
use super::super::work::Labour;
use super::{Checked, Checker, Watch, must};

/// A back-off that a vendor asked for.
pub(super) struct Asked {
    pub(super) by: u64,
    pub(super) until: Timestamp,
    /// When it is over, whatever clocks say.
    pub(super) truly: Timestamp,
    /// The step after which whoever was told had stored it.
    pub(super) known: Option<u64>,
}

/// Whether a wait until then is one now, and is believed.
pub(super) fn within(until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now + TOO_FAR_AHEAD
}

impl Watch {
    /// Nothing is sent inside a back-off, by the vendor's memory and by the database's.
    pub(super) fn leaves_alone(
        &self,
        by: &Labour,
        address: &str,
        now: Timestamp,
        facts: [Option<&InstanceFacts>; 2],
    ) -> Checked {
        let (earliest, latest) = by.clock.unwrap_or((now, now));
        let within = |until: Timestamp| [now, earliest, latest].into_iter().all(|now| within(until, now));
        let stored = facts.iter().all(|f| f.and_then(|f| f.blocked_until).is_some_and(within));
        let asked = self.asked.get(address).into_iter().flatten();
        // Whoever claimed before it was stored need not know.
        let knows = |a: &&Asked| a.known.is_some_and(|known| known < by.since);
        let told = asked.filter(knows).map(|a| a.until).filter(|until| within(*until)).max();
        must(!stored && told.is_none(), Checker::BackOff, || {
            format!("{:?} at {address} at {now}, told until {told:?}, stored: {stored}", by.task)
        })
    }

    /// Something was stored of this application by a worker. Whose clock has shown a time that lies days before, as it decided
    /// what to store, could not believe what was asked for since; and whose has shown one that lies days after took it for over.
    pub(super) fn forgets(&mut self, name: &str, by: &Labour) {
        let Some((earliest, latest)) = by.clock else { return };
        let known = |until: Timestamp| until <= earliest + TOO_FAR_AHEAD && latest <= until + TOO_FAR_AHEAD;
        if let Some(asked) = self.asked.get_mut(&address(name)) {
            asked.retain(|asked| known(asked.until));
        }
    }

    /// A worker has ended at this time of its clock, and has stored what it was told or not. What is over by then it need not
    /// have stored.
    pub(in super::super) fn ended(&mut self, by: u64, now: Timestamp, stored: bool) {
        for asked in self.asked.values_mut() {
            asked.retain(|asked| asked.by != by || asked.until > now);
            for own in asked.iter_mut().filter(|asked| asked.by == by) {
                own.known = stored.then_some(self.steps);
            }
        }
    }

    /// Whether a piece of work has been told to wait, and has not ended since.
    pub(in super::super) fn waits(&self, by: u64, now: Timestamp) -> bool {
        let waits = |asked: &Asked| asked.by == by && asked.known.is_none() && asked.truly > now;
        self.asked.values().flatten().any(waits)
    }
}
