//! What is due, and in which order: pure, over the facts that the ticker keeps in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::health::{Enablement, Standing};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::schedule::{due_at, try_at, vendor_wait};
use model::time::{Duration, Timestamp};

/// How often a scan that is not enabled is looked at again.
const RECHECK: Duration = Duration::days(1);

/// Something that a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A run.
    Scan(ScanKind),
    /// The cheap authentication request of a suspended credential.
    TryCredential,
    /// Whether the permissions of scans that are not enabled have come.
    Recheck,
}

/// What, and for whom.
pub(crate) type Due = (InstanceId, Work);

/// What the ticker knows about an instance.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The facts.
    pub(crate) standing: Standing,
    /// The addresses that are contacted for it: what it shares with other instances of the same product.
    pub(crate) origin: Arc<str>,
}

/// What is under way, and what is left alone for a moment.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    /// Jobs of this process, with their origin.
    pub(crate) flying: BTreeMap<Due, Arc<str>>,
    /// Jobs that ended without having changed anything (another node was faster, the database failed): not before.
    pub(crate) held_off: BTreeMap<Due, Timestamp>,
}

/// What to start now, in order, and when to look again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Agenda {
    pub(crate) start: Vec<Due>,
    /// The next time at which something becomes due; `None` when nothing will by itself.
    pub(crate) next_at: Option<Timestamp>,
}

/// When each job of an instance may start, seen from `now`.
fn jobs(id: &InstanceId, known: &Known, now: Timestamp) -> Vec<(Due, Timestamp, bool)> {
    let instance = &known.standing.instance;
    let mut jobs = Vec::new();
    for scan in &known.standing.scans {
        if let Some(at) = due_at(scan, instance, now) {
            jobs.push(((id.clone(), Work::Scan(scan.kind)), at, scan.wanted_at.is_some()));
        }
    }
    if instance.paused.is_some() {
        return jobs;
    }
    let not_before = vendor_wait(instance, now).unwrap_or(now);
    if let Some(suspension) = &instance.suspension {
        jobs.push(((id.clone(), Work::TryCredential), try_at(suspension, now).max(not_before), false));
        return jobs;
    }
    let oldest = known.standing.scans.iter().filter_map(|scan| match &scan.enablement {
        Enablement::NotEnabled { checked_at, .. } => Some(*checked_at),
        Enablement::Enabled | Enablement::Stopped { .. } => None,
    });
    if let Some(checked_at) = oldest.min() {
        // A look that a clock put into the future is none.
        let at = if checked_at > now { now } else { checked_at + RECHECK };
        jobs.push(((id.clone(), Work::Recheck), at.max(not_before), false));
    }
    jobs
}

/// What is under way, and how much of that may be one tenant's or one vendor's.
struct Load<'a> {
    workers: usize,
    per_origin: usize,
    busy: usize,
    origins: BTreeMap<&'a str, usize>,
    instances: BTreeMap<&'a InstanceId, usize>,
    /// Addresses at which more than one instance is read.
    shared: BTreeSet<&'a str>,
}

impl<'a> Load<'a> {
    fn new(
        known: &'a BTreeMap<InstanceId, Known>,
        busy: &'a Busy,
        workers: usize,
        per_origin: usize,
    ) -> Self {
        let mut load = Self {
            workers,
            per_origin,
            busy: 0,
            origins: BTreeMap::new(),
            instances: BTreeMap::new(),
            shared: BTreeSet::new(),
        };
        let mut seen = BTreeSet::new();
        load.shared = known.values().map(|known| &*known.origin).filter(|o| !seen.insert(*o)).collect();
        busy.flying.iter().for_each(|((id, _), origin)| load.add(id, origin));
        load
    }

    fn add(&mut self, id: &'a InstanceId, origin: &'a str) {
        self.busy += 1;
        *self.origins.entry(origin).or_default() += 1;
        *self.instances.entry(id).or_default() += 1;
    }

    fn at(&self, origin: &str) -> usize {
        self.origins.get(origin).copied().unwrap_or(0)
    }

    /// Whether there is room for one more of this instance. Each gets one as long as there is any; more at the same time only
    /// of what would lie idle, so that a few tenants that are slow or huge leave the rest to others: while more than half of the
    /// workers are free, and where others are read at the same address less than half of its share is used.
    fn has_room(&self, id: &InstanceId, origin: &str) -> bool {
        let free = self.workers.saturating_sub(self.busy);
        let at = self.at(origin);
        if free == 0 || at >= self.per_origin {
            return false;
        }
        let first = !self.instances.contains_key(id);
        first || (free * 2 > self.workers && (!self.shared.contains(origin) || at * 2 < self.per_origin))
    }
}

/// Decides what to start. What somebody asked for comes first, then what has been due longest; among the vendors, the
/// one that is busy least.
pub(crate) fn agenda(
    known: &BTreeMap<InstanceId, Known>,
    busy: &Busy,
    workers: usize,
    per_origin: usize,
    now: Timestamp,
) -> Agenda {
    let mut next_at: Option<Timestamp> = None;
    let mut later = |at: Timestamp| next_at = Some(next_at.map_or(at, |next| next.min(at)));
    let mut queues: BTreeMap<&str, Vec<(bool, Timestamp, Work, &InstanceId)>> = BTreeMap::new();
    for (id, instance) in known {
        for (job, at, wanted) in jobs(id, instance, now) {
            if busy.flying.contains_key(&job) {
                continue;
            }
            let at = busy.held_off.get(&job).map_or(at, |not_before| at.max(*not_before));
            if at > now {
                later(at);
            } else {
                queues.entry(&instance.origin).or_default().push((!wanted, at, job.1, id));
            }
        }
    }
    for queue in queues.values_mut() {
        queue.sort_unstable_by_key(|(unasked, at, work, id)| (*unasked, *at, *id, *work));
    }
    let mut queues: BTreeMap<&str, VecDeque<_>> =
        queues.into_iter().map(|(origin, queue)| (origin, queue.into())).collect();
    let mut load = Load::new(known, busy, workers, per_origin);
    let mut start = Vec::new();
    while load.busy < workers {
        // The first of each address that has room, which is nearly always its first.
        let open =
            queues.iter().filter(|(origin, _)| load.at(origin) < per_origin).filter_map(|(origin, queue)| {
                let at = queue.iter().position(|(_, _, _, id)| load.has_room(id, origin))?;
                Some((*origin, at, queue[at]))
            });
        // Least busy first; among equals whoever was asked for, then whoever waits longest.
        let next = open.min_by_key(|(origin, _, (unasked, due, work, id))| {
            (load.at(origin), *unasked, *due, *id, *work)
        });
        let Some((origin, at, (_, _, work, id))) = next else { break };
        queues.get_mut(origin).and_then(|queue| queue.remove(at));
        load.add(id, origin);
        start.push((id.clone(), work));
    }
    // What found no free worker is looked at again when one ends: the ticker wakes on that.
    Agenda { start, next_at }
}
