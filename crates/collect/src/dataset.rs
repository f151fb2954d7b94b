//! Reading one dataset: alternatives, listings side by side, and how far the whole may be trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use catalog::DatasetSpec;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::Timestamp;
use model::value::Record;

use crate::fanout::{Blocked, Gap, Sources, alternatives, plan, word};
use crate::listing::{End, Lister, Listing, Read};
use crate::merge::{Merged, merge};
use crate::page::Cursor;
use crate::progress::{Checkpoint, ListingAt, Progress};
use crate::session::Session;
use crate::sink::Sink;

/// Turns of a fan-out that may fail before any succeeds; then the rest is not tried.
const GIVE_UP: usize = 5;

/// One dataset to read.
pub(crate) struct Task<'s, 'a> {
    pub(crate) session: &'s Session<'a>,
    pub(crate) spec: &'s DatasetSpec,
    pub(crate) progress: &'s dyn Progress,
    pub(crate) sources: Sources,
    pub(crate) hash_key: Option<&'s [u8; 32]>,
}

/// What came of a dataset.
pub(crate) enum Outcome {
    /// It was read as far as it could be, with the parts that have not been handed over.
    Read(Box<DatasetSnapshot>, Option<Checkpoint>),
    /// The vendor wants to be left alone until then.
    Wait(Timestamp, Option<Checkpoint>),
    /// The run is to stop.
    Stopped,
}

/// The records and how far they may be trusted.
pub(crate) struct Whole {
    pub(crate) records: Vec<Record>,
    pub(crate) availability: Availability,
    /// The position of the request that evidence names: the first of the alternative that answered.
    pub(crate) request: usize,
}

impl Whole {
    pub(crate) fn nothing(availability: Availability) -> Self {
        Self { records: Vec::new(), availability, request: 0 }
    }
}

impl Task<'_, '_> {
    /// What there is to say where the deployment does not offer the dataset, or nobody has chosen it.
    pub(crate) fn not_offered(&self) -> Option<Whole> {
        if let Some(reason) = not_chosen(self.session, self.spec) {
            return Some(Whole::nothing(Availability::NotApplicable { reason }));
        }
        let here = &self.session.target.deployment;
        if self.spec.spec.deployments.is_empty() || self.spec.spec.deployments.contains(here) {
            return None;
        }
        let app = &self.session.target.app;
        let title = app.deployment(here).map_or(here.as_str(), |d| d.title.as_str());
        let reason = format!("{} are not offered by {title}", self.spec.spec.title);
        Some(Whole::nothing(Availability::NotApplicable { reason }))
    }

    /// Reads it, going on where an earlier lease stopped.
    pub(crate) async fn read(self, resume: Vec<Checkpoint>) -> Outcome {
        let (session, spec) = (self.session, self.spec);
        let resumed = Resumed::new(resume, spec, session.target.app.manifest.revision);
        let began = resumed.read_at.unwrap_or_else(|| session.clock.now());
        let revision = session.target.app.manifest.revision;
        let name = spec.spec.name.as_str();
        let sink = Sink::new(self.progress, session.clock, name, revision, resumed.next_part, true);
        let lister = Lister::new(session, spec, &sink, &self.sources, self.hash_key);
        let whole = match self.not_offered().or_else(|| self.resolved()) {
            Some(whole) => whole,
            None => match self.read_alternatives(&lister, &resumed).await {
                Ok(whole) => whole,
                Err(Interrupted::Wait(until)) => return Outcome::Wait(until, sink.rest()),
                Err(Interrupted::Stopped) => return Outcome::Stopped,
            },
        };
        let snapshot = self.finish(whole, began, &lister);
        Outcome::Read(Box::new(snapshot), sink.rest())
    }

    async fn read_alternatives(
        &self,
        lister: &Lister<'_, '_>,
        resumed: &Resumed,
    ) -> Result<Whole, Interrupted> {
        let names = alternatives(self.spec);
        let mut refusals: Vec<Box<Fault>> = Vec::new();
        for (position, name) in names.iter().enumerate() {
            let plan = match plan(self.session, self.spec, name, &self.sources) {
                Ok(plan) => plan,
                Err(blocked) => return Ok(Whole::nothing(blocked.into())),
            };
            let reads = self.read_listings(lister, &plan.listings, resumed).await?;
            match refusal(&reads) {
                Some(fault) if position + 1 < names.len() || !refusals.is_empty() => refusals.push(fault),
                _ => return Ok(unite(self.session, self.spec, plan.listings, reads, plan.gap)),
            }
        }
        // The first of the most actionable: what the preferred way lacks.
        refusals.sort_by_key(|fault| fault.cause);
        let fault = refusals.into_iter().next();
        Ok(Whole::nothing(match fault {
            Some(fault) => Availability::Unavailable { fault: *fault },
            // Without alternatives there are no requests, which the loader refuses.
            None => Availability::Complete,
        }))
    }

    async fn read_listings(
        &self,
        lister: &Lister<'_, '_>,
        listings: &[Listing<'_>],
        resumed: &Resumed,
    ) -> Result<Vec<Read>, Interrupted> {
        let tally = Mutex::new(Tally::default());
        // By position: a closure over borrowed listings would not be general enough for a boxed future.
        let turns = (0..listings.len()).map(|i| self.turn(lister, &listings[i], resumed, &tally));
        let at_once = self.session.pace.concurrency() * 2;
        let reads: Vec<Read> = futures_util::stream::iter(turns).buffered(at_once).collect().await;
        let waits =
            reads.iter().filter_map(|r| if let End::Wait(until) = r.end { Some(until) } else { None });
        if reads.iter().any(|r| matches!(r.end, End::Stopped)) {
            return Err(Interrupted::Stopped);
        }
        match waits.max() {
            Some(until) => Err(Interrupted::Wait(until)),
            None => Ok(reads),
        }
    }

    /// One turn of a fan-out, unless there is no point in it any more.
    fn turn<'t>(
        &'t self,
        lister: &'t Lister<'_, '_>,
        listing: &'t Listing<'_>,
        resumed: &'t Resumed,
        tally: &'t Mutex<Tally>,
    ) -> BoxFuture<'t, Read> {
        Box::pin(async move {
            let hopeless = tally.lock().unwrap_or_else(PoisonError::into_inner).hopeless();
            if let Some(fault) = hopeless {
                return Read { records: Vec::new(), end: End::Fault(fault), etag: None };
            }
            let read = self.read_listing(lister, listing, resumed).await;
            tally.lock().unwrap_or_else(PoisonError::into_inner).note(&read.end);
            read
        })
    }

    async fn read_listing(&self, lister: &Lister<'_, '_>, listing: &Listing<'_>, resumed: &Resumed) -> Read {
        let shape = &self.spec.shape;
        let (start, kept) = match resumed.listings.get(&listing.id) {
            None => (Cursor::First, Vec::new()),
            Some((at, records)) => {
                lister.sink.resumed(records.len());
                let records = records.iter().map(|json| Record::from_json(json, shape)).collect();
                match at {
                    ListingAt::Page(cursor) => (cursor.clone(), records),
                    ListingAt::End => return Read { records, end: End::Complete, etag: None },
                    ListingAt::NotApplicable(reason) => {
                        return Read { records, end: End::NotApplicable(reason.clone()), etag: None };
                    }
                }
            }
        };
        let read = lister.read(listing, start, kept, None).await;
        if let End::NotApplicable(reason) = &read.end {
            lister.sink.page(shape, &listing.id, ListingAt::NotApplicable(reason.clone()), &[]).await;
        }
        read
    }

    /// Puts the snapshot together.
    pub(crate) fn finish(
        &self,
        whole: Whole,
        collected_at: Timestamp,
        lister: &Lister<'_, '_>,
    ) -> DatasetSnapshot {
        let spec = &self.spec.spec;
        let mut snapshot = DatasetSnapshot {
            shape: self.spec.shape.clone(),
            key: spec.key.clone(),
            records: whole.records,
            availability: whole.availability,
            collected_at,
            request: lister.evidence(whole.request),
            requests: self.session.requests_of(&spec.name),
        };
        // Evidence for what is resolved is where the settings were read.
        if let Some(from) = spec.resolve.as_ref().and_then(|r| self.sources.get(&r.from)) {
            snapshot.request.clone_from(&from.request);
            snapshot.collected_at = from.collected_at;
        }
        self.check_filter(&mut snapshot);
        self.check_empty(&mut snapshot);
        snapshot
    }

    /// Nothing at all, where there is always something, was not what was asked for.
    fn check_empty(&self, snapshot: &mut DatasetSnapshot) {
        if !self.spec.spec.never_empty || !snapshot.records.is_empty() || !snapshot.availability.is_complete()
        {
            return;
        }
        let detail =
            format!("{}: the vendor lists none, although there are always some", self.spec.spec.title);
        self.doubt_whole(snapshot, detail);
    }

    /// A filtered listing that equals the whole one was not filtered.
    fn check_filter(&self, snapshot: &mut DatasetSnapshot) {
        let Some(full) = self.spec.spec.filter_of.as_ref().and_then(|name| self.sources.get(name)) else {
            return;
        };
        let keys = |dataset: &DatasetSnapshot| -> Option<BTreeSet<String>> {
            let key = dataset.key.as_ref()?;
            Some(dataset.records.iter().filter_map(|r| word(r.get(&dataset.shape, key))).collect())
        };
        let (Some(these), Some(all)) = (keys(snapshot), keys(full)) else { return };
        if these.is_empty() || these != all || !snapshot.availability.is_complete() {
            return;
        }
        let detail =
            "The filtered listing names everybody that the whole one names, so the server ignored the filter";
        self.doubt_whole(snapshot, detail.to_owned());
    }

    /// Takes a listing for not understood as a whole.
    fn doubt_whole(&self, snapshot: &mut DatasetSnapshot, detail: String) {
        snapshot.availability = Availability::Unavailable {
            fault: Fault {
                cause: FailureCause::Protocol,
                reached: Rung::Permission,
                dataset: Some(self.spec.spec.name.clone()),
                request: Some(snapshot.request.clone()),
                status: None,
                vendor_message: None,
                request_id: None,
                needs: Vec::new(),
                detail,
                at: self.session.clock.now(),
            },
        };
        snapshot.records.clear();
    }
}

/// Why a dataset is not read that an operator has to choose.
pub(crate) fn not_chosen(session: &Session<'_>, spec: &DatasetSpec) -> Option<String> {
    let opt_in = spec.spec.opt_in.as_ref()?;
    if crate::place::setting(session.target, &opt_in.setting) == Some(opt_in.is.as_str()) {
        return None;
    }
    let settings = &session.target.app.manifest.setting;
    let title = settings.iter().find(|s| s.name == opt_in.setting).map_or(&opt_in.setting, |s| &s.title);
    Some(format!("{} are read only where \"{title}\" is set to {}", spec.spec.title, opt_in.is))
}

/// The datasets that this deployment offers and that are chosen.
pub(crate) fn offered<'s>(session: &'s Session<'_>) -> impl Iterator<Item = &'s DatasetSpec> {
    let here = &session.target.deployment;
    let datasets = session.target.app.datasets.iter();
    datasets
        .filter(move |d| d.spec.deployments.is_empty() || d.spec.deployments.contains(here))
        .filter(|d| not_chosen(session, d).is_none())
}

/// Why a dataset was not read to its end in this lease.
enum Interrupted {
    Wait(Timestamp),
    Stopped,
}

impl From<Blocked> for Availability {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::Fault(fault) => Self::Unavailable { fault: *fault },
            Blocked::NotApplicable(reason) => Self::NotApplicable { reason },
        }
    }
}

/// How the turns of a fan-out go.
#[derive(Default)]
pub(crate) struct Tally {
    good: usize,
    bad: usize,
    last: Option<Box<Fault>>,
}

impl Tally {
    pub(crate) fn note(&mut self, end: &End) {
        match end {
            End::Fault(fault) => {
                self.bad += 1;
                self.last = Some(fault.clone());
            }
            End::Complete | End::NotModified | End::NotApplicable(_) => self.good += 1,
            _ => {}
        }
    }

    /// The fault to expect of every further turn.
    pub(crate) fn hopeless(&self) -> Option<Box<Fault>> {
        if self.good == 0 && self.bad >= GIVE_UP { self.last.clone() } else { None }
    }
}

/// The fault with which an alternative as a whole was refused: nothing was read, and the vendor's answer is no fault of
/// the moment.
pub(crate) fn refusal(reads: &[Read]) -> Option<Box<Fault>> {
    let mut first = None;
    for read in reads {
        match &read.end {
            End::Fault(fault)
                if read.records.is_empty()
                    && fault.reached >= Rung::Http
                    && matches!(fault.cause, FailureCause::Permission | FailureCause::Protocol) =>
            {
                first.get_or_insert_with(|| fault.clone());
            }
            _ => return None,
        }
    }
    first
}

/// One dataset out of its listings.
pub(crate) fn unite(
    session: &Session<'_>,
    spec: &DatasetSpec,
    listings: Vec<Listing<'_>>,
    reads: Vec<Read>,
    gap: Option<Gap>,
) -> Whole {
    let mut worst: Option<Box<Fault>> = None;
    let (mut complete, mut not_applicable) = (0usize, None);
    let mut blame = |fault: Box<Fault>| {
        if worst.as_ref().is_none_or(|w| fault.cause < w.cause) {
            worst = Some(fault);
        }
    };
    let mut parts = Vec::with_capacity(reads.len());
    for (listing, read) in listings.iter().zip(reads) {
        match read.end {
            End::Complete | End::NotModified => complete += 1,
            End::NotApplicable(reason) => {
                not_applicable.get_or_insert(reason);
            }
            End::Fault(fault) => blame(fault),
            // These end the reading before it is united.
            End::Wait(_) | End::Stopped | End::Left => {}
        }
        parts.push((listing.id.as_str(), read.records));
    }
    let Merged { records, contradiction } = merge(spec, parts, session.clock.now());
    if let Some(detail) = contradiction {
        blame(Box::new(Fault {
            dataset: Some(spec.spec.name.clone()),
            ..Fault::local(
                FailureCause::Protocol,
                Rung::Permission,
                session.scrub.clean(&detail),
                session.clock.now(),
            )
        }));
    }
    if let Some(Gap::Fault(fault)) = &gap {
        blame(fault.clone());
    }
    let anything = complete > 0 || !records.is_empty();
    let availability = match (worst, gap, not_applicable) {
        (Some(fault), _, _) if anything => Availability::Partial { fault: *fault },
        (Some(fault), _, _) => Availability::Unavailable { fault: *fault },
        (None, Some(Gap::Sweeping(read, of)), _) => Availability::Sweeping { read, of },
        (None, _, Some(reason)) if !anything => Availability::NotApplicable { reason },
        (None, _, _) => Availability::Complete,
    };
    let request = listings.iter().map(|l| l.request).min().unwrap_or(0);
    Whole { records, availability, request }
}

/// What an earlier lease of the run had read.
struct Resumed {
    listings: BTreeMap<String, (ListingAt, Vec<serde_json::Value>)>,
    next_part: u32,
    read_at: Option<Timestamp>,
}

impl Resumed {
    fn new(mut parts: Vec<Checkpoint>, spec: &DatasetSpec, revision: u32) -> Self {
        let next_part = parts.iter().map(|p| p.part.saturating_add(1)).max().unwrap_or(0);
        parts.retain(|p| p.revision == revision && p.dataset == spec.spec.name);
        parts.sort_by_key(|p| p.part);
        // A part that is missing ends what can be trusted: the records in it are not in the others.
        let mut expected = 0;
        parts.retain(|p| {
            let follows = p.part == expected;
            expected += u32::from(follows);
            follows
        });
        let read_at = parts.iter().map(|p| p.read_at).min();
        let mut listings: BTreeMap<String, (ListingAt, Vec<serde_json::Value>)> = BTreeMap::new();
        for part in parts {
            for listing in part.listings {
                let entry = listings.entry(listing.id).or_insert_with(|| (listing.at.clone(), Vec::new()));
                entry.0 = listing.at;
                entry.1.extend(listing.records);
            }
        }
        Self { listings, next_part, read_at }
    }
}
