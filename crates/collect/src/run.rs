//! One run: every dataset of a scan, side by side as far as they do not need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::DatasetSpec;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use model::dataset::{Availability, DatasetSnapshot, Snapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};

use crate::clock::Clock;
use crate::dataset::{Outcome, Task};
use crate::fanout::sources;
use crate::outbound::Outbound;
use crate::progress::{Checkpoint, Collected, DatasetState, Done, Progress, RunRequest};
use crate::session::Session;
use crate::shared::Shared;
use crate::sweep::Sweep;
use crate::target::{Credential, Target};

/// Reads every dataset of one scan.
pub(crate) async fn run(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    mut request: RunRequest,
    progress: &dyn Progress,
) -> Collected {
    let started_at = clock.now();
    let specs: Vec<&DatasetSpec> = target.app.datasets_of(request.kind).collect();
    let session = Session::new(outbound, target, credential, clock, request.deadline, request.blocked_until);
    let session = match session {
        Ok(mut session) => {
            session.shared = Shared::among(&specs, &target.deployment);
            session
        }
        Err(fault) => {
            let datasets = specs.iter().map(|s| (s.spec.name.clone(), unread(s, *fault.clone()))).collect();
            return done(None, target, &request, started_at, clock, datasets, BTreeMap::new());
        }
    };
    let mut run = Run {
        session: &session,
        specs: &specs,
        progress,
        hash_key: request.hash_key,
        resume: BTreeMap::new(),
        finished: BTreeMap::new(),
        rests: Vec::new(),
        wait: None,
    };
    for part in std::mem::take(&mut request.resume) {
        run.resume.entry(part.dataset.clone()).or_default().push(part);
    }
    let first: Vec<&DatasetSpec> = specs.iter().copied().filter(|s| !late(s, &specs)).collect();
    if run.read_all(first).await.is_err() {
        return Collected::Stopped;
    }
    if let Some(until) = run.wait {
        return waiting(&session, until, run.rests);
    }
    let second: Vec<&DatasetSpec> = specs.iter().copied().filter(|s| late(s, &specs)).collect();
    let Some(sweeps) = run.sweep_all(second, &mut request).await else { return Collected::Stopped };
    if let Some(until) = run.wait {
        return waiting(&session, until, run.rests);
    }
    crate::preflight::look_ahead(&session, request.known.as_ref()).await;
    let finished = std::mem::take(&mut run.finished);
    let datasets = finished.into_iter().map(|(name, d)| (name, Arc::unwrap_or_clone(d))).collect();
    done(Some(&session), target, &request, started_at, clock, datasets, sweeps)
}

/// The run goes on once the vendor wants to be asked again: also by what it told a request that did not wait for that, since
/// it would have lasted beyond the run.
fn waiting(session: &Session<'_>, until: Timestamp, checkpoints: Vec<Checkpoint>) -> Collected {
    let told = session.pace.blocked_until(session.clock.now());
    Collected::Waiting { until: told.map_or(until, |told| until.max(told)), checkpoints }
}

/// Whether a dataset is read after the others: it has a `refresh` age, or walks one that has.
fn late(spec: &DatasetSpec, all: &[&DatasetSpec]) -> bool {
    spec.spec.refresh_hours.is_some()
        || sources(spec).iter().any(|name| {
            // Sources stand earlier in the file, so this ends.
            all.iter()
                .find(|s| s.spec.name == *name && s.spec.name != spec.spec.name)
                .is_some_and(|s| late(s, all))
        })
}

struct Run<'r, 'a> {
    session: &'r Session<'a>,
    specs: &'r [&'r DatasetSpec],
    progress: &'r dyn Progress,
    hash_key: Option<[u8; 32]>,
    resume: BTreeMap<String, Vec<Checkpoint>>,
    finished: BTreeMap<String, Arc<DatasetSnapshot>>,
    rests: Vec<Checkpoint>,
    wait: Option<Timestamp>,
}

/// The run is to stop.
struct Stop;

impl<'r, 'a> Run<'r, 'a> {
    fn task<'t>(&self, spec: &'t DatasetSpec, hash_key: Option<&'t [u8; 32]>) -> Task<'t, 'a>
    where
        'r: 't,
    {
        let sources = sources(spec)
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), Arc::clone(self.finished.get(name)?))))
            .collect();
        self.progress.dataset(&spec.spec.name, DatasetState::Reading);
        Task { session: self.session, spec, progress: self.progress, sources, hash_key }
    }

    fn finish(&mut self, name: String, snapshot: DatasetSnapshot) {
        let state = match &snapshot.availability {
            Availability::Complete | Availability::NotApplicable { .. } => DatasetState::Read,
            Availability::Partial { .. } | Availability::Sweeping { .. } => DatasetState::ReadInPart,
            Availability::Unavailable { .. } => DatasetState::NotRead,
        };
        self.progress.dataset(&name, state);
        self.finished.insert(name, Arc::new(snapshot));
    }

    /// Reads datasets side by side, each as soon as what it needs is there.
    async fn read_all(&mut self, mut pending: Vec<&'r DatasetSpec>) -> Result<(), Stop> {
        let hash_key = self.hash_key;
        let mut running: FuturesUnordered<BoxFuture<'_, (String, Outcome)>> = FuturesUnordered::new();
        let mut waiting: BTreeSet<String> = BTreeSet::new();
        loop {
            let names: BTreeSet<&str> = self.specs.iter().map(|s| s.spec.name.as_str()).collect();
            // What this scan does not read at all is not waited for; the fan-out says so.
            let ready = |spec: &DatasetSpec, finished: &BTreeMap<String, _>| {
                sources(spec).iter().all(|name| finished.contains_key(*name) || !names.contains(name))
            };
            let (start, rest): (Vec<_>, Vec<_>) = pending.iter().partition(|s| ready(s, &self.finished));
            pending = rest;
            for spec in start {
                let name = spec.spec.name.clone();
                let resume = self.resume.remove(&name).unwrap_or_default();
                let task = self.task(spec, hash_key.as_ref());
                running.push(Box::pin(async move { (name, task.read(resume).await) }));
            }
            let Some((name, outcome)) = running.next().await else { break };
            match outcome {
                Outcome::Read(snapshot, rest) => {
                    self.rests.extend(rest);
                    self.finish(name, *snapshot);
                }
                Outcome::Wait(until, rest) => {
                    self.rests.extend(rest);
                    self.wait = self.wait.max(Some(until));
                    waiting.insert(name);
                }
                Outcome::Stopped => return Err(Stop),
            }
        }
        drop(running);
        if self.wait.is_none() {
            // Only a circle of sources could be left, and the loader refuses that.
            for spec in pending {
                let fault = internal(self.session.clock.now(), spec, "What this is read for was never read");
                self.finish(spec.spec.name.clone(), unread(spec, fault));
            }
        }
        Ok(())
    }

    /// Reads the late datasets one after the other: they must not take from each other's share. `None`: stop.
    async fn sweep_all(
        &mut self,
        specs: Vec<&'r DatasetSpec>,
        request: &mut RunRequest,
    ) -> Option<BTreeMap<String, Sweep>> {
        let hash_key = self.hash_key;
        let mut sweeps = BTreeMap::new();
        // Where nothing is to be swept, nothing is; else the vendor's own measure, if it is the greater.
        let own = self.session.target.app.manifest.limits.sweep_requests.unwrap_or(0);
        let mut left = if request.sweep_requests == 0 { 0 } else { request.sweep_requests.max(own) };
        let mut count = specs.iter().filter(|s| s.spec.refresh_hours.is_some()).count();
        for spec in specs {
            let name = spec.spec.name.clone();
            let task = self.task(spec, hash_key.as_ref());
            let Some(hours) = spec.spec.refresh_hours else {
                let resume = self.resume.remove(&name).unwrap_or_default();
                match Box::pin(task.read(resume)).await {
                    Outcome::Read(snapshot, rest) => {
                        self.rests.extend(rest);
                        self.finish(name, *snapshot);
                    }
                    Outcome::Wait(until, rest) => {
                        self.rests.extend(rest);
                        self.wait = self.wait.max(Some(until));
                    }
                    Outcome::Stopped => return None,
                }
                continue;
            };
            let kept = request.reuse.remove(&name);
            let refresh = Duration::hours(hours.into());
            // An equal share of what is left, so that none waits for ever for the others.
            let share = left / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
            let (snapshot, sweep) = Box::pin(task.sweep(kept, share, refresh)).await?;
            left = left.saturating_sub(snapshot.requests);
            count -= 1;
            self.finish(name.clone(), snapshot);
            sweeps.insert(name, sweep);
        }
        Some(sweeps)
    }
}

fn internal(at: Timestamp, spec: &DatasetSpec, detail: &str) -> Fault {
    Fault {
        dataset: Some(spec.spec.name.clone()),
        ..Fault::local(FailureCause::Internal, Rung::NotSent, detail.to_owned(), at)
    }
}

fn unread(spec: &DatasetSpec, fault: Fault) -> DatasetSnapshot {
    DatasetSnapshot {
        shape: spec.shape.clone(),
        key: spec.spec.key.clone(),
        records: Vec::new(),
        collected_at: fault.at,
        availability: Availability::Unavailable { fault },
        request: String::new(),
        requests: 0,
    }
}

fn done(
    session: Option<&Session<'_>>,
    target: &Target,
    request: &RunRequest,
    started_at: Timestamp,
    clock: &dyn Clock,
    datasets: BTreeMap<String, DatasetSnapshot>,
    sweeps: BTreeMap<String, Sweep>,
) -> Collected {
    let finished_at = clock.now();
    let mut warnings = Vec::new();
    if let Some(session) = session {
        crate::preflight::note_sold(session);
        warnings = session.warnings();
        warnings.extend(request.known.iter().flat_map(|known| session.watch.lost(known)));
    }
    let snapshot = Snapshot {
        app: target.app.id.clone(),
        revision: target.app.manifest.revision,
        kind: request.kind,
        started_at,
        finished_at,
        datasets,
        warnings,
        cost: session.map(Session::cost).unwrap_or_default(),
    };
    let blocked_until = session.and_then(|s| s.pace.blocked_until(finished_at));
    Collected::Done(Box::new(Done { snapshot, sweeps, blocked_until }))
}
