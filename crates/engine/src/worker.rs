//! One run: claim, read, judge, commit. Everything that can go wrong on the way ends in a run that says so, in a lease
//! handed back, or in a lease that expires and is closed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use catalog::App;
use collect::{Collected, Done, RunRequest, Sweep};
use contact::Contact;
use futures_util::FutureExt;
use model::diagnosis::Fault;
use model::id::InstanceId;
use model::scan::{FailureCause, ScanKind};
use model::schedule::{MAX_ABANDONED, RETRY_AFTER, due_at, is_over, run_allowance, vendor_wait};
use model::time::{Duration, Timestamp};
use store::instances::{self, InstanceWithScans};
use store::scans::{self, Claim, Held, Release};
use store::{StoreError, checkpoints, snapshots};

use crate::context::{Context, panic_says, unsent};
use crate::heartbeat::{Stop, Tracker, part};
use crate::judge::{Unjudged, commit, unread};

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Something was stored: the facts have moved on.
    Done,
    /// Nothing was: not due any more, held by another node, or the lease was lost.
    Nothing,
}

/// How much longer than its deadline a run may take before it is ended from outside.
const GRACE: Duration = Duration::minutes(2);

/// Runs a scan if it is due.
pub(crate) async fn scan(context: &Context, id: &InstanceId, kind: ScanKind) -> Result<Ended, StoreError> {
    if context.is_draining() {
        return Ok(Ended::Nothing);
    }
    let now = context.now();
    let before = match instances::get(&context.db, id).await {
        Err(StoreError::NotFound { .. }) => return Ok(Ended::Nothing),
        row => row?,
    };
    let Some(facts) = before.scan(kind).map(|scan| &scan.facts) else { return Ok(Ended::Nothing) };
    if due_at(facts, &before.instance.facts, now).is_none_or(|at| at > now) {
        return Ok(Ended::Nothing);
    }
    let waited = facts.open.as_ref().is_some_and(|open| open.waiting_until.is_some());
    let claim = Claim {
        instance: id,
        kind,
        holder: &context.config.node,
        now,
        ttl: context.config.lease,
        deadline: now + run_allowance(facts.interval),
    };
    let Some(held) = scans::claim(&context.db, claim).await? else { return Ok(Ended::Nothing) };
    tracing::debug!(instance = %id, scan = %kind, run = %held.run, "claimed");
    let ended = Run { context, held: &held, waited }.conduct().await;
    match &ended {
        // The lease stays and expires: the ticker closes it when the database answers again.
        Err(error) => {
            tracing::error!(instance = %id, scan = %kind, run = %held.run, %error, "a run was given up")
        }
        Ok(ended) => tracing::debug!(instance = %id, scan = %kind, run = %held.run, ?ended, "ended"),
    }
    ended
}

/// Closes the lease of a worker that has died: its run has failed, at the lease's end, or now if a clock that ran ahead has
/// put that off.
pub(crate) async fn close_expired(context: &Context, held: &Held) -> Result<(), StoreError> {
    let row = match instances::get(&context.db, &held.instance).await {
        Err(StoreError::NotFound { .. }) => return Ok(()),
        row => row?,
    };
    let detail = "Parapet stopped in the middle of this run, by a crash, a loss of power or of its database";
    let at = held.expires_at.min(context.now());
    let fault = unsent(FailureCause::Internal, detail, at);
    let unread = unread(context, &row.instance, held, fault, at);
    if commit(context, &row, held, Unjudged { lease_end: Some(held.expires_at), ..unread }).await?
        == Ended::Done
    {
        tracing::warn!(instance = %held.instance, scan = %held.kind, run = %held.run, "closed the lease of a lost worker");
    }
    Ok(())
}

struct Run<'a> {
    context: &'a Context,
    held: &'a Held,
    /// Whether it has been waiting for the vendor's reset.
    waited: bool,
}

impl Run<'_> {
    async fn conduct(&self) -> Result<Ended, StoreError> {
        let Self { context, held, .. } = self;
        let row = match instances::get(&context.db, &held.instance).await {
            Err(StoreError::NotFound { .. }) => return Ok(Ended::Nothing),
            row => row?,
        };
        if let Some(fault) = self.refusal(&row) {
            return self.fail(&row, fault).await;
        }
        let now = context.now();
        if let Some(until) = vendor_wait(&row.instance.facts, now) {
            return self.hand_back(Release::Waiting { now, until, parts: Vec::new() }).await;
        }
        let Some(app) = context.catalog.app(&row.instance.app).cloned() else {
            let detail = format!("the catalogue has no application `{}` (any more)", row.instance.app);
            return self.fail(&row, unsent(FailureCause::Internal, detail, now)).await;
        };
        match context.contact(&app, &row.instance).await? {
            Ok(contact) => self.read(&row, &app, &contact).await,
            Err(fault) => self.fail(&row, fault).await,
        }
    }

    /// Why nothing is sent, where nothing is.
    fn refusal(&self, row: &InstanceWithScans) -> Option<Fault> {
        let Self { context, held, waited } = self;
        let now = context.now();
        if held.abandoned >= MAX_ABANDONED {
            let detail =
                format!("this run was handed back unfinished {} times, so it was given up", held.abandoned);
            return Some(unsent(FailureCause::Internal, detail, now));
        }
        if is_over(held.deadline, now) && *waited {
            let detail = "the vendor asked for a pause that lasted beyond the time this run had";
            return Some(unsent(FailureCause::Throttled, detail, now));
        }
        if is_over(held.deadline, now) {
            let detail = "this run was interrupted and not taken up again before its time was over";
            return Some(unsent(FailureCause::Internal, detail, now));
        }
        row.instance.facts.suspension.as_ref().map(|_| {
            let detail = "nothing was sent, because the vendor has refused the credential so often that it is suspended";
            unsent(FailureCause::Credentials, detail, now)
        })
    }

    async fn fail(&self, row: &InstanceWithScans, fault: Fault) -> Result<Ended, StoreError> {
        let unread = unread(self.context, &row.instance, self.held, fault, self.context.now());
        commit(self.context, row, self.held, unread).await
    }

    async fn hand_back(&self, how: Release) -> Result<Ended, StoreError> {
        let released = scans::release(&self.context.db, self.held, how).await?;
        Ok(if released { Ended::Done } else { Ended::Nothing })
    }

    /// Reads the application, and does with it what is to be done.
    async fn read(
        &self,
        row: &InstanceWithScans,
        app: &Arc<App>,
        contact: &Contact,
    ) -> Result<Ended, StoreError> {
        let Self { context, held, .. } = self;
        let request = self.request(row).await?;
        let total = u32::try_from(app.datasets_of(held.kind).count()).unwrap_or(u32::MAX);
        let tracker = Tracker::new(context, held, total);
        let read = self.collect(contact, request, &tracker).await;
        // What it was told is stored with what it read; where nothing of that is stored, nobody else would know.
        let stored = matches!(read, Ok(Ok(Collected::Waiting { .. } | Collected::Done(_))));
        if !stored {
            contact.keep_back_off(&context.db, &held.instance, context.now()).await?;
        }
        let mut settling = std::pin::pin!(self.settle(row, read));
        // What takes long to judge or to store must not lose its lease over it. Without one nothing is stored.
        let ended = tokio::select! {
            biased;
            ended = &mut settling => ended,
            _ = tracker.beat() => settling.await,
        };
        if stored && !matches!(ended, Ok(Ended::Done)) {
            let kept = contact.keep_back_off(&context.db, &held.instance, context.now()).await;
            return ended.and_then(|ended| kept.map(|()| ended));
        }
        ended
    }

    /// Stores what came of reading, or hands it back.
    async fn settle(
        &self,
        row: &InstanceWithScans,
        read: Result<Result<Collected, String>, Stop>,
    ) -> Result<Ended, StoreError> {
        let Self { context, held, .. } = self;
        match read {
            Err(Stop::Lost) => Ok(Ended::Nothing),
            Err(Stop::Drained) => self.hand_back(Release::Drained).await,
            Err(Stop::Cancelled) => {
                let next_at = context.now() + row.scan(held.kind).map_or(RETRY_AFTER, |s| s.facts.interval);
                self.hand_back(Release::Cancelled { next_at }).await
            }
            Err(Stop::OutOfTime) => {
                let detail = "this run went on beyond its deadline and was ended";
                self.fail(row, unsent(FailureCause::Internal, detail, context.now())).await
            }
            Ok(Err(detail)) => self.fail(row, unsent(FailureCause::Internal, detail, context.now())).await,
            Ok(Ok(Collected::Stopped)) => Ok(Ended::Nothing),
            Ok(Ok(Collected::Waiting { until, checkpoints })) => {
                let parts = checkpoints.iter().filter_map(|checkpoint| part(held, checkpoint)).collect();
                self.hand_back(Release::Waiting { now: context.now(), until, parts }).await
            }
            Ok(Ok(Collected::Done(done))) => {
                let Done { snapshot, sweeps, blocked_until } = *done;
                let (fault, finished_at, lease_end) = (None, context.now(), None);
                let read = Unjudged { snapshot, sweeps, blocked_until, fault, finished_at, lease_end };
                match commit(context, row, held, read).await {
                    Err(error) if !error.is_passing() => self.unstorable(row, blocked_until, &error).await,
                    stored => stored,
                }
            }
        }
    }

    /// The database refuses what was read, and would refuse it again: the run has failed of that, and says so.
    async fn unstorable(
        &self,
        row: &InstanceWithScans,
        blocked_until: Option<Timestamp>,
        error: &StoreError,
    ) -> Result<Ended, StoreError> {
        let Self { context, held, .. } = self;
        tracing::error!(instance = %held.instance, scan = %held.kind, run = %held.run, %error, "what was read cannot be stored");
        let now = context.now();
        let fault = unsent(FailureCause::Internal, format!("what was read cannot be stored: {error}"), now);
        let unread = unread(context, &row.instance, held, fault, now);
        commit(context, row, held, Unjudged { blocked_until, ..unread }).await
    }

    /// Reads until it is done or must stop. The inner error is a panic: our own fault, told as such.
    async fn collect(
        &self,
        contact: &Contact,
        request: RunRequest,
        tracker: &Tracker<'_>,
    ) -> Result<Result<Collected, String>, Stop> {
        let Self { context, held, .. } = self;
        let reading = context.collector.run(
            &contact.target,
            &contact.credential,
            context.clock.as_ref(),
            request,
            tracker,
        );
        let end = held.deadline + GRACE;
        // In the order written, here and below, so that a simulation repeats itself.
        let stopped = async {
            tokio::select! {
                biased;
                () = context.drained() => Stop::Drained,
                stop = tracker.beat() => stop,
                () = context.clock.sleep(end - context.now()) => Stop::OutOfTime,
            }
        };
        let mut reading = std::pin::pin!(AssertUnwindSafe(reading).catch_unwind());
        tokio::select! {
            biased;
            read = &mut reading => Ok(read.map_err(|panic| {
                tracing::error!(run = %held.run, what = panic_says(&*panic), "reading panicked");
                "Parapet met a fault of its own while reading; its log says more".to_owned()
            })),
            stop = stopped => {
                // What is being renewed at the vendor is stored first: it could not be asked for again.
                tokio::select! {
                    biased;
                    () = contact.settled() => {}
                    _ = &mut reading => {}
                }
                Err(stop)
            }
        }
    }

    /// What is known from before.
    async fn request(&self, row: &InstanceWithScans) -> Result<RunRequest, StoreError> {
        let Self { context, held, .. } = self;
        let mut request = RunRequest::new(held.kind, held.deadline);
        for part in checkpoints::of_run(&context.db, held).await? {
            match serde_json::from_slice(&part.body) {
                Ok(checkpoint) => request.resume.push(checkpoint),
                Err(error) => {
                    tracing::warn!(run = %held.run, %error, "a checkpoint cannot be read; it is read from the vendor again");
                }
            }
        }
        for (dataset, body) in snapshots::sweeps(&context.db, &held.instance).await? {
            match serde_json::from_slice::<Sweep>(&body) {
                Ok(sweep) => drop(request.reuse.insert(dataset, sweep)),
                Err(error) => {
                    tracing::warn!(dataset, %error, "what was kept of a dataset cannot be read; it begins anew")
                }
            }
        }
        request.sweep_requests = context.config.sweep_requests;
        request.blocked_until = vendor_wait(&row.instance.facts, context.now());
        request.hash_key = Some(*instances::hash_key(&context.db, &held.instance).await?);
        request.known = Some(row.instance.identity.clone());
        Ok(request)
    }
}
