//! What a worker does beside reading: it stores progress and checkpoints, keeps its lease, and hears when to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use collect::{Checkpoint, DatasetState};
use futures_util::future::BoxFuture;
use model::health::Progress;
use store::checkpoints::{self, Part};
use store::scans::{self, Held, Renewed};
use store::{Change, What};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::context::Context;

/// Why a worker stops before its run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody pressed Cancel.
    Cancelled,
    /// The lease is somebody else's, or nobody's.
    Lost,
    /// The engine stops.
    Drained,
    /// The run's time is over, and it did not notice.
    OutOfTime,
}

/// Listens to a run.
pub(crate) struct Tracker<'a> {
    context: &'a Context,
    held: &'a Held,
    total: u32,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    done: BTreeSet<String>,
    records: BTreeMap<String, u64>,
}

impl<'a> Tracker<'a> {
    pub(crate) fn new(context: &'a Context, held: &'a Held, total: u32) -> Self {
        Self { context, held, total, seen: Mutex::default() }
    }

    fn progress(&self) -> Progress {
        // A panic elsewhere leaves counts that are at worst a little behind.
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Progress {
            datasets_done: u32::try_from(seen.done.len()).unwrap_or(u32::MAX),
            datasets_total: self.total,
            records: seen.records.values().sum(),
        }
    }

    /// Keeps the lease and the stored progress until the worker must stop.
    pub(crate) async fn beat(&self) -> Stop {
        let Context { db, clock, config, .. } = self.context;
        let mut changes = db.changes();
        let mut told = None;
        let mut renewed_at = clock.now();
        loop {
            let asked = tokio::select! {
                biased;
                () = clock.sleep(config.heartbeat) => false,
                () = touched(&mut changes, self.held) => true,
            };
            let now = clock.now();
            let progress = self.progress();
            let ripe = (now - renewed_at).0 >= config.lease.0 / 3;
            if !asked && !ripe && told == Some(progress) {
                continue;
            }
            match scans::renew(db, self.held, now, config.lease, progress).await {
                Ok(Renewed::Held { .. }) => (told, renewed_at) = (Some(progress), now),
                Ok(Renewed::Cancelled) => return Stop::Cancelled,
                Ok(Renewed::Lost) => return Stop::Lost,
                Err(error) => {
                    tracing::warn!(run = %self.held.run, %error, "the lease could not be renewed");
                    // By this process's own clock: the lease's end is told by the database's, which may differ.
                    if now >= renewed_at + config.lease {
                        return Stop::Lost;
                    }
                }
            }
        }
    }
}

/// Returns when something other than progress changed about the scan or its instance.
async fn touched(changes: &mut Receiver<Change>, held: &Held) {
    loop {
        match changes.recv().await {
            Ok(Change { instance: Some(instance), what })
                if instance == held.instance
                    && (what == What::Scan(held.kind) || matches!(what, What::Instance | What::Removed)) =>
            {
                return;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl collect::Progress for Tracker<'_> {
    fn dataset(&self, name: &str, state: DatasetState) {
        if state != DatasetState::Reading {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).done.insert(name.to_owned());
        }
    }

    fn records(&self, name: &str, records: u64) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).records.insert(name.to_owned(), records);
    }

    fn checkpoint(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ControlFlow<()>> {
        Box::pin(async move {
            let Some(part) = part(self.held, &checkpoint) else { return ControlFlow::Continue(()) };
            match checkpoints::put(&self.context.db, self.held, &part).await {
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => ControlFlow::Break(()),
                Err(error) => {
                    tracing::warn!(run = %self.held.run, dataset = part.dataset, %error, "a checkpoint was not stored");
                    ControlFlow::Continue(())
                }
            }
        })
    }
}

/// A checkpoint as it is stored. One that cannot be written costs reading it again, no more.
pub(crate) fn part(held: &Held, checkpoint: &Checkpoint) -> Option<Part> {
    match serde_json::to_vec(checkpoint) {
        Ok(body) => Some(Part { dataset: checkpoint.dataset.clone(), part: checkpoint.part, body }),
        Err(error) => {
            tracing::warn!(run = %held.run, dataset = checkpoint.dataset, %error, "a checkpoint cannot be written");
            None
        }
    }
}
