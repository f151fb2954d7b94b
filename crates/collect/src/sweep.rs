//! Datasets that are dear to read: kept across runs, refreshed piece by piece.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::Fault;
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use model::value::Record;
use serde::{Deserialize, Serialize};

use crate::dataset::{Tally, Task, Whole, refusal, unite};
use crate::fanout::{Gap, Plan, alternatives, plan};
use crate::listing::{End, Lister, Listing, Read};
use crate::pace::Pool;
use crate::page::Cursor;
use crate::sink::Sink;

/// What is kept of one dataset with a `refresh_hours` age. Opaque; serialise it whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// The manifest's revision: of another one, nothing is reused.
    pub(crate) revision: u32,
    /// The listings by id.
    pub(crate) listings: BTreeMap<String, Swept>,
}

impl Sweep {
    /// How many pieces are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listings.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listings.is_empty()
    }
}

/// One listing as it was last read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Swept {
    /// When.
    pub(crate) at: Timestamp,
    /// The vendor's validator of the answer, where it was a single page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    /// Why there is none, where the plan or version does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_applicable: Option<String>,
    /// The records, as `model::value::Record::to_json` writes them.
    pub(crate) records: Vec<serde_json::Value>,
}

impl Task<'_, '_> {
    /// Reads a piece of a dataset with a `refresh_hours` age: first what was never read, then what is oldest, at most
    /// `share` listings. Ends early, without fault, where the vendor's budget or the deadline is near.
    ///
    /// `None`: the run is to stop.
    pub(crate) async fn sweep(
        self,
        kept: Option<Sweep>,
        share: u32,
        refresh: Duration,
    ) -> Option<(DatasetSnapshot, Sweep)> {
        let (session, spec) = (self.session, self.spec);
        let revision = session.target.app.manifest.revision;
        let kept = kept.filter(|k| k.revision == revision);
        let mut sweep = kept.unwrap_or_else(|| Sweep { revision, ..Sweep::default() });
        let sink = Sink::new(self.progress, session.clock, &spec.spec.name, revision, 0, false);
        let lister = Lister::new(session, spec, &sink, &self.sources, self.hash_key);
        if let Some(whole) = self.not_offered() {
            return Some((self.finish(whole, session.clock.now(), &lister), sweep));
        }
        let names = alternatives(spec);
        let mut refusals: Vec<Box<Fault>> = Vec::new();
        for (position, name) in names.iter().enumerate() {
            let plan = match plan(session, spec, name, &self.sources) {
                Ok(plan) => plan,
                Err(blocked) => {
                    let whole = Whole::nothing(blocked.into());
                    return Some((self.finish(whole, session.clock.now(), &lister), sweep));
                }
            };
            let due = due(&plan.listings, &sweep, session.clock.now(), refresh, share as usize);
            let reads = self.sweep_listings(&lister, &plan.listings, &due, &sweep).await?;
            let refused = if sweep.has_any(&plan.listings) { None } else { refusal(&reads) };
            match refused {
                Some(fault) if position + 1 < names.len() || !refusals.is_empty() => {
                    refusals.push(fault);
                    continue;
                }
                _ => {}
            }
            let faults = sweep.take(&plan, &due, reads, &self, session.clock.now());
            let (whole, collected_at) = self.swept(&sweep, plan, faults);
            return Some((self.finish(whole, collected_at, &lister), sweep));
        }
        refusals.sort_by_key(|fault| fault.cause);
        let availability = match refusals.into_iter().next() {
            Some(fault) => Availability::Unavailable { fault: *fault },
            None => Availability::Complete,
        };
        Some((self.finish(Whole::nothing(availability), session.clock.now(), &lister), sweep))
    }

    /// `None`: the run is to stop.
    async fn sweep_listings(
        &self,
        lister: &Lister<'_, '_>,
        listings: &[Listing<'_>],
        due: &[usize],
        sweep: &Sweep,
    ) -> Option<Vec<Read>> {
        let tally = Mutex::new(Tally::default());
        let turns = due.iter().copied().map(|i| self.sweep_turn(lister, &listings[i], sweep, &tally));
        let reads: Vec<Read> =
            futures_util::stream::iter(turns).buffered(self.session.pace.concurrency() * 2).collect().await;
        (!reads.iter().any(|r| matches!(r.end, End::Stopped))).then_some(reads)
    }

    fn sweep_turn<'t>(
        &'t self,
        lister: &'t Lister<'_, '_>,
        listing: &'t Listing<'_>,
        sweep: &'t Sweep,
        tally: &'t Mutex<Tally>,
    ) -> BoxFuture<'t, Read> {
        Box::pin(async move {
            let session = self.session;
            let left = || Read { records: Vec::new(), end: End::Left, etag: None };
            let now = session.clock.now();
            let is_query = self.spec.requests[listing.request].document.is_some();
            let pool = if is_query { Pool::Graphql } else { Pool::Rest };
            if now >= session.deadline
                || session.pace.is_low(pool)
                || session.pace.blocked(pool, now).is_some()
            {
                return left();
            }
            let hopeless = tally.lock().unwrap_or_else(PoisonError::into_inner).hopeless();
            if let Some(fault) = hopeless {
                return Read { records: Vec::new(), end: End::Fault(fault), etag: None };
            }
            let etag = sweep.listings.get(&listing.id).and_then(|s| s.etag.as_deref());
            let read = lister.read(listing, Cursor::First, Vec::new(), etag).await;
            tally.lock().unwrap_or_else(PoisonError::into_inner).note(&read.end);
            match &read.end {
                // A sweep goes on with the next run; it neither waits nor fails for want of time.
                End::Wait(_) => left(),
                End::Fault(fault) if fault.cause == FailureCause::Throttled => left(),
                _ => read,
            }
        })
    }

    /// The dataset as it is known now: what is kept, what went wrong, what is not read yet.
    fn swept(
        &self,
        sweep: &Sweep,
        plan: Plan<'_>,
        mut faults: BTreeMap<String, Box<Fault>>,
    ) -> (Whole, Timestamp) {
        let shape = &self.spec.shape;
        let of = plan.listings.len() as u64;
        let (mut known, mut reads, mut oldest) = (Vec::new(), Vec::new(), None::<Timestamp>);
        for listing in plan.listings {
            let read = match (sweep.listings.get(&listing.id), faults.remove(&listing.id)) {
                (kept, Some(fault)) => Read {
                    records: kept.map(|k| k.records(shape)).unwrap_or_default(),
                    end: End::Fault(fault),
                    etag: None,
                },
                (Some(kept), None) => Read {
                    records: kept.records(shape),
                    end: kept.not_applicable.clone().map_or(End::Complete, End::NotApplicable),
                    etag: None,
                },
                (None, None) => continue,
            };
            if let Some(kept) = sweep.listings.get(&listing.id) {
                oldest = Some(oldest.map_or(kept.at, |o| o.min(kept.at)));
            }
            known.push(listing);
            reads.push(read);
        }
        let read = known.len() as u64;
        let gap = match plan.gap {
            Some(Gap::Sweeping(parent_read, parent_of)) if read == of => {
                Some(Gap::Sweeping(parent_read, parent_of))
            }
            Some(Gap::Fault(fault)) => Some(Gap::Fault(fault)),
            _ if read < of => Some(Gap::Sweeping(read, of)),
            _ => None,
        };
        let whole = unite(self.session, self.spec, known, reads, gap);
        (whole, oldest.unwrap_or_else(|| self.session.clock.now()))
    }
}

impl Sweep {
    fn has_any(&self, listings: &[Listing<'_>]) -> bool {
        listings.iter().any(|l| self.listings.contains_key(&l.id))
    }

    /// Keeps what was read; gives the faults by listing.
    fn take(
        &mut self,
        plan: &Plan<'_>,
        due: &[usize],
        reads: Vec<Read>,
        task: &Task<'_, '_>,
        now: Timestamp,
    ) -> BTreeMap<String, Box<Fault>> {
        let mut faults = BTreeMap::new();
        for (position, read) in due.iter().zip(reads) {
            let id = &plan.listings[*position].id;
            let kept = |not_applicable| Swept {
                at: now,
                etag: read.etag.clone(),
                not_applicable,
                records: read.records.iter().map(|r| r.to_json(&task.spec.shape)).collect(),
            };
            match read.end {
                End::Complete => {
                    self.listings.insert(id.clone(), kept(None));
                }
                End::NotApplicable(ref reason) => {
                    self.listings.insert(id.clone(), kept(Some(reason.clone())));
                }
                End::NotModified => {
                    if let Some(swept) = self.listings.get_mut(id) {
                        swept.at = now;
                    }
                }
                End::Fault(fault) => {
                    faults.insert(id.clone(), fault);
                }
                End::Wait(_) | End::Stopped | End::Left => {}
            }
        }
        // What is not walked any more is forgotten, once it is certain that it is gone.
        if plan.gap.is_none() {
            let walked: BTreeSet<&str> = plan.listings.iter().map(|l| l.id.as_str()).collect();
            self.listings.retain(|id, _| walked.contains(id.as_str()));
        }
        faults
    }
}

impl Swept {
    fn records(&self, shape: &model::value::Shape) -> Vec<Record> {
        self.records.iter().map(|json| Record::from_json(json, shape)).collect()
    }
}

/// Which listings to read: never read ones in order, then stale ones by age.
fn due(
    listings: &[Listing<'_>],
    sweep: &Sweep,
    now: Timestamp,
    refresh: Duration,
    share: usize,
) -> Vec<usize> {
    let age = |listing: &Listing<'_>| sweep.listings.get(&listing.id).map(|s| s.at);
    let mut due: Vec<usize> = (0..listings.len()).filter(|i| age(&listings[*i]).is_none()).collect();
    let mut stale: Vec<usize> = (0..listings.len())
        .filter(|i| age(&listings[*i]).is_some_and(|at| now - at >= refresh || at > now))
        .collect();
    stale.sort_by_key(|i| age(&listings[*i]));
    due.extend(stale);
    due.truncate(share);
    due
}
