//! The ticker: keeps the facts of all instances in memory, starts what is due, sleeps until the next due time or change.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use catalog::Catalog;
use collect::Clock;
use futures_util::FutureExt;
use model::id::InstanceId;
use model::time::{Duration, Timestamp};
use store::instances::{self, InstanceWithScans};
use store::{Backend, Change, Db, StoreError, What, findings, scans};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::collector::Collector;
use crate::config::Config;
use crate::context::Context;
use crate::directories::Cache;
use crate::due::{Agenda, Busy, Due, Known, Work, agenda};
use crate::worker::Ended;
use crate::{credential, recheck, upkeep, worker};

/// How long a job that changed nothing is left alone: another node has it, or the database failed.
const HOLD_OFF: Duration = Duration::seconds(15);
/// How long a re-check that learned nothing is left alone.
const RECHECK_HOLD_OFF: Duration = Duration::hours(1);
/// How often the database is asked for leases and exceptions that have expired, at most; shorter leases are looked for
/// sooner.
const EXPIRY_EVERY: Duration = Duration::seconds(30);
/// How often everything is read again where other nodes may change it.
const RELOAD_EVERY: Duration = Duration::minutes(1);
/// How long after a start, and how often, old rows are deleted.
const UPKEEP_AFTER: Duration = Duration::minutes(10);
const UPKEEP_EVERY: Duration = Duration::days(1);

/// Starts the engine.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

/// A running engine.
pub struct Handle {
    drain: watch::Sender<bool>,
    /// `None` once it is known to have ended.
    ticker: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the ticker in the background. Leases of a dead process are handed back first, so that its runs go on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn start(
        db: Db,
        catalog: Arc<Catalog>,
        collector: Arc<dyn Collector>,
        clock: Arc<dyn Clock>,
        mut config: Config,
    ) -> Result<Handle, StoreError> {
        if db.backend() == Backend::Postgresql {
            config.reload.get_or_insert(RELOAD_EVERY);
        }
        let (drain, draining) = watch::channel(false);
        let handed_back = scans::close_all_at_start(&db).await?;
        if handed_back > 0 {
            tracing::info!(handed_back, "runs of the process before are taken up again");
        }
        let context = Arc::new(Context {
            db,
            catalog,
            collector,
            clock,
            config,
            directories: Cache::default(),
            draining,
        });
        let ticker = Ticker::open(context).await?;
        Ok(Handle { drain, ticker: Some(tokio::spawn(ticker.run())) })
    }
}

impl Handle {
    /// Stops: starts nothing more, hands running scans back so that another start resumes them, and waits for that.
    pub async fn drain(self) {
        // Without a receiver the ticker has ended already.
        let _ = self.drain.send(true);
        if let Some(ticker) = self.ticker
            && let Err(error) = ticker.await
        {
            tracing::error!(%error, "the ticker had failed");
        }
    }

    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.ticker.iter().for_each(JoinHandle::abort);
    }

    /// Waits until the ticker ends by itself, which it does by a fault only: nothing would be scanned any more, so
    /// the process should end with an error.
    pub async fn failed(&mut self) {
        if let Some(ticker) = &mut self.ticker {
            let ended = ticker.await;
            tracing::error!(?ended, "the ticker failed");
            self.ticker = None;
        }
    }
}

pub(crate) struct Ticker {
    context: Arc<Context>,
    known: BTreeMap<InstanceId, Known>,
    changes: Receiver<Change>,
    busy: Busy,
    flying: JoinSet<(Due, Ended)>,
    reload_at: Option<Timestamp>,
    expiry_at: Timestamp,
    upkeep_at: Timestamp,
}

impl Ticker {
    pub(crate) async fn open(context: Arc<Context>) -> Result<Self, StoreError> {
        let now = context.now();
        let mut ticker = Self {
            changes: context.db.changes(),
            known: BTreeMap::new(),
            busy: Busy::default(),
            flying: JoinSet::new(),
            reload_at: None,
            expiry_at: now,
            upkeep_at: now + UPKEEP_AFTER,
            context,
        };
        ticker.reload().await?;
        Ok(ticker)
    }

    async fn run(mut self) {
        let context = Arc::clone(&self.context);
        let clock = context.clock.as_ref();
        loop {
            let now = clock.now();
            let sleep = match self.tick().await {
                Ok(next_at) => next_at.map_or(context.config.longest_sleep, |at| at - now),
                Err(error) => {
                    tracing::error!(%error, "the ticker cannot use the database; it tries again");
                    HOLD_OFF
                }
            };
            let wake_at = now + sleep.clamp(Duration(1), context.config.longest_sleep);
            let mut asleep = true;
            while asleep {
                tokio::select! {
                    // First, so that a worker which lands because of the drain makes no room for another.
                    biased;
                    () = context.drained() => return self.drain().await,
                    () = clock.sleep(wake_at - clock.now()) => asleep = false,
                    landed = self.flying.join_next(), if !self.flying.is_empty() => {
                        self.land(landed).await;
                        asleep = false;
                    }
                    change = self.changes.recv() => asleep = !self.hear(change).await,
                }
            }
        }
    }

    /// Waits for the workers, which hand their leases back. One that does not is dropped; its lease expires.
    async fn drain(&mut self) {
        let clock = Arc::clone(&self.context.clock);
        let patience = clock.sleep(self.context.config.drain);
        let all = async { while self.flying.join_next().await.is_some() {} };
        let in_time = tokio::select! {
            () = all => true,
            () = patience => false,
        };
        if !in_time {
            tracing::warn!(left = self.flying.len(), "workers that did not stop in time are dropped");
            self.flying.abort_all();
        }
    }

    /// One look at what is due: starts it, and says when to look again.
    pub(crate) async fn tick(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let Agenda { start, next_at } = self.look().await?;
        for job in start {
            if let Some(work) = self.begin(job) {
                self.flying.spawn(work);
            }
        }
        let ours = [Some(self.expiry_at), Some(self.upkeep_at), self.reload_at, next_at];
        Ok(ours.into_iter().flatten().min())
    }

    /// It has heard of nothing that was changed until now.
    #[cfg(test)]
    pub(crate) fn miss(&mut self) {
        self.changes = self.changes.resubscribe();
    }

    /// One look at what is due, and at what has expired.
    pub(crate) async fn look(&mut self) -> Result<Agenda, StoreError> {
        let looked = self.look_once().await;
        if looked.is_err() {
            self.read_all_soon();
        }
        looked
    }

    async fn look_once(&mut self) -> Result<Agenda, StoreError> {
        let now = self.context.now();
        self.hear_all().await?;
        if self.reload_at.is_some_and(|at| is_due(at, self.context.config.reload.unwrap_or(HOLD_OFF), now)) {
            self.reload().await?;
        }
        if is_due(self.expiry_at, EXPIRY_EVERY, now) {
            self.expiry_at = now + EXPIRY_EVERY.min(Duration(self.context.config.lease.0 / 2));
            let expired = findings::expire_exceptions(&self.context.db, now).await?;
            if expired > 0 {
                tracing::info!(expired, "exceptions have ended; their findings are open again");
            }
            for held in scans::expired(&self.context.db, now).await? {
                // Our own worker is alive: the machine slept, or its clock jumped. It renews the lease by itself.
                if self.busy.flying.contains_key(&(held.instance.clone(), Work::Scan(held.kind))) {
                    continue;
                }
                match worker::close_expired(&self.context, &held).await {
                    // Its worker was faster, or another node.
                    Ok(()) | Err(StoreError::Stale) => {}
                    Err(error) => return Err(error),
                }
                self.refresh(&held.instance).await?;
            }
        }
        if is_due(self.upkeep_at, UPKEEP_EVERY, now) {
            self.upkeep_at = now + UPKEEP_EVERY;
            upkeep::run(&self.context).await?;
        }
        self.busy.held_off.retain(|_, until| !is_due(*until, RECHECK_HOLD_OFF, now));
        let config = &self.context.config;
        Ok(agenda(&self.known, &self.busy, config.workers, config.per_origin, now))
    }

    /// Works off everything that is due, one look after the other, until nothing is.
    #[cfg(test)]
    pub(crate) async fn settle(&mut self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let next_at = self.tick().await?;
            if self.flying.is_empty() {
                return Ok(next_at);
            }
            while let Some(landed) = self.flying.join_next().await {
                self.land(Some(landed)).await;
            }
        }
    }

    /// Notes that it is under way; what is to be done for it. `None`: its instance is gone.
    pub(crate) fn begin(
        &mut self,
        job: Due,
    ) -> Option<impl Future<Output = (Due, Ended)> + Send + 'static + use<>> {
        let known = self.known.get(&job.0)?;
        self.busy.flying.insert(job.clone(), Arc::clone(&known.origin));
        let context = Arc::clone(&self.context);
        Some(async move {
            let work = async {
                let (instance, work) = &job;
                match work {
                    Work::Scan(kind) => worker::scan(&context, instance, *kind).await,
                    Work::TryCredential => credential::try_suspended(&context, instance).await,
                    Work::Recheck => recheck::recheck(&context, instance).await,
                }
            };
            let ended = match AssertUnwindSafe(Box::pin(work)).catch_unwind().await {
                Ok(Ok(ended)) => ended,
                Ok(Err(error)) => {
                    tracing::error!(instance = %job.0, work = ?job.1, %error, "the database failed");
                    Ended::Nothing
                }
                // The panic's message is in the log already, by the panic hook; the lease expires and is closed.
                Err(_) => {
                    tracing::error!(instance = %job.0, work = ?job.1, "a worker panicked");
                    Ended::Nothing
                }
            };
            (job, ended)
        })
    }

    async fn land(&mut self, landed: Option<Result<(Due, Ended), tokio::task::JoinError>>) {
        if let Some(Ok((job, ended))) = landed {
            self.landed(job, ended).await;
        }
    }

    /// Takes in that something is not under way any more.
    pub(crate) async fn landed(&mut self, job: Due, ended: Ended) {
        self.busy.flying.remove(&job);
        if ended == Ended::Nothing {
            let hold_off = if job.1 == Work::Recheck { RECHECK_HOLD_OFF } else { HOLD_OFF };
            self.busy.held_off.insert(job.clone(), self.context.now() + hold_off);
        }
        if let Err(error) = self.refresh(&job.0).await {
            self.cannot_read(&error);
        }
    }

    /// Takes a change in. `true`: something may be due by it.
    async fn hear(&mut self, change: Result<Change, RecvError>) -> bool {
        let heard = match change {
            Ok(Change { instance: Some(instance), what }) if matters(what) => self.refresh(&instance).await,
            Ok(change) if may_have_missed(&change) => self.reload().await,
            Ok(_) => return false,
            Err(RecvError::Lagged(_)) => self.reload().await,
            // The database is closed: there is nothing left to do but to be drained.
            Err(RecvError::Closed) => std::future::pending().await,
        };
        if let Err(error) = heard {
            self.cannot_read(&error);
        }
        true
    }

    /// Everything that has changed since, each instance once.
    async fn hear_all(&mut self) -> Result<(), StoreError> {
        let mut touched = BTreeSet::new();
        loop {
            match self.changes.try_recv() {
                Ok(Change { instance: Some(instance), what }) if matters(what) => {
                    touched.insert(instance);
                }
                Ok(change) if may_have_missed(&change) => return self.reload().await,
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => return self.reload().await,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for instance in touched {
            self.refresh(&instance).await?;
        }
        Ok(())
    }

    fn cannot_read(&mut self, error: &StoreError) {
        tracing::error!(%error, "facts could not be read");
        self.read_all_soon();
    }

    /// What was heard of and could not be read is not heard of again: it is read with everything else.
    fn read_all_soon(&mut self) {
        self.reload_at = Some(self.context.now() + HOLD_OFF);
    }

    async fn refresh(&mut self, instance: &InstanceId) -> Result<(), StoreError> {
        match instances::get(&self.context.db, instance).await {
            Ok(row) => drop(self.known.insert(instance.clone(), known(&row))),
            Err(StoreError::NotFound { .. }) => drop(self.known.remove(instance)),
            Err(error) => return Err(error),
        }
        // What was held off may be wanted now.
        let wanted =
            self.known.get(instance).is_some_and(|k| k.standing.scans.iter().any(|s| s.wanted_at.is_some()));
        if wanted {
            self.busy.held_off.retain(|(id, work), _| id != instance || !matches!(work, Work::Scan(_)));
        }
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), StoreError> {
        let rows = instances::all(&self.context.db).await?;
        self.known = rows.iter().map(|row| (row.instance.id.clone(), known(row))).collect();
        self.reload_at = self.context.config.reload.map(|every| self.context.now() + every);
        Ok(())
    }
}

/// Whether a time has come that lies at most `every` ahead; one that lies further was set before the clock was set back.
fn is_due(at: Timestamp, every: Duration, now: Timestamp) -> bool {
    at <= now || at > now + every
}

/// Whether the due-table may have changed by it.
const fn matters(what: What) -> bool {
    matches!(what, What::Instance | What::Removed | What::Scan(_))
}

/// Whether this node may have been cut off from what others changed ([`What::Administration`]).
fn may_have_missed(change: &Change) -> bool {
    change.instance.is_none() && change.what == What::Administration
}

fn known(row: &InstanceWithScans) -> Known {
    let origins: BTreeSet<&str> = row.instance.origins.values().map(String::as_str).collect();
    let origin = origins.into_iter().collect::<Vec<_>>().join(" ");
    Known { standing: row.standing(), origin: origin.into() }
}
