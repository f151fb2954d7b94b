//! What is due, and in which order: pure, over the facts that the ticker keeps in memory.

use std::collections::{BTreeMap, VecDeque};
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
    let mut queues: BTreeMap<&str, Vec<(bool, Timestamp, Due)>> = BTreeMap::new();
    for (id, instance) in known {
        for (job, at, wanted) in jobs(id, instance, now) {
            if busy.flying.contains_key(&job) {
                continue;
            }
            let at = busy.held_off.get(&job).map_or(at, |not_before| at.max(*not_before));
            if at > now {
                later(at);
            } else {
                queues.entry(&instance.origin).or_default().push((!wanted, at, job));
            }
        }
    }
    let mut flying: BTreeMap<&str, usize> = BTreeMap::new();
    for origin in busy.flying.values() {
        *flying.entry(origin).or_default() += 1;
    }
    let mut queues: BTreeMap<&str, VecDeque<(bool, Timestamp, Due)>> = queues
        .into_iter()
        .map(|(origin, mut queue)| {
            queue.sort_unstable();
            (origin, queue.into())
        })
        .collect();
    let mut start = Vec::new();
    while busy.flying.len() + start.len() < workers {
        let busyness = |origin: &str| flying.get(origin).copied().unwrap_or(0);
        let open = queues.iter().filter(|(origin, queue)| !queue.is_empty() && busyness(origin) < per_origin);
        // Least busy first; among equals whoever was asked for, then whoever waits longest.
        let Some(origin) =
            open.min_by_key(|(origin, queue)| (busyness(origin), queue.front())).map(|(o, _)| *o)
        else {
            break;
        };
        let Some((_, _, job)) = queues.get_mut(origin).and_then(VecDeque::pop_front) else { break };
        *flying.entry(origin).or_default() += 1;
        start.push(job);
    }
    // What found no free worker is looked at again when one ends: the ticker wakes on that.
    Agenda { start, next_at }
}
