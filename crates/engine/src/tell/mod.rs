//! Telling people: the daily digest, alerts, and the mailer that carries both out of the outbox.
//!
//! What is to be told is decided and stored in one transaction with its messages ([`digest`], [`alerts`]); sending
//! ([`sender`]) is a matter of its own, claimed by lease and fence. So nothing that was decided is lost by a crash, and
//! of several nodes one decides and one sends.

pub(crate) mod alerts;
pub(crate) mod digest;
mod network;
pub(crate) mod sender;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use catalog::Catalog;
use collect::Clock;
use model::id::{AppId, OwnerId};
use model::identity::Departed;
use model::time::{Duration, Timestamp};
use notify::{Network, Trust};
use serde::{Deserialize, Serialize};
use store::directories::Kept;
use store::instances::Instance;
use store::{Db, StoreError, What, owners};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use network::Filtered;

/// How often it is looked whether a digest or an alert is due.
const LOOK: Duration = Duration::minutes(1);
/// The longest sleep of the sender: another node may have put something in.
const LONGEST_SLEEP: Duration = Duration::minutes(1);
/// How long a loop that could not use the database waits.
const AGAIN: Duration = Duration::seconds(15);
/// How often old messages are deleted.
const UPKEEP: Duration = Duration::hours(1);

/// How people are told.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The mail server; without one no digest is made, and mail that was decided before waits.
    pub mail: Option<notify::smtp::Server>,
    /// Addresses for what no active owner answers for, beside those of the admins.
    pub admins: Vec<String>,
    /// The admins' time zone.
    pub admin_zone: String,
    /// Minute of the admins' day at which their digest is due.
    pub admin_minute: u16,
    /// Where Parapet is reached, without a slash at the end.
    pub base: Option<String>,
    /// The name of this server in ids of mails and in syslog.
    pub host: String,
    /// Everything is simulated.
    pub simulated: bool,
    /// The name of this node on claims.
    pub node: String,
}

/// Starts telling.
pub struct Teller;

/// Telling people, under way.
pub struct Telling {
    drain: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What both loops need.
pub(crate) struct Context {
    pub(crate) db: Db,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) trust: Trust,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) setup: Setup,
    pub(crate) draining: watch::Receiver<bool>,
    /// Recipients that had no application when their digest was due, with the day: not looked at again that day.
    pub(crate) idle: Mutex<BTreeMap<String, String>>,
    /// Which owners have left, by what identity providers know, and the owners' addresses.
    pub(crate) left: Kept<Vec<(OwnerId, String)>, BTreeMap<OwnerId, Departed>>,
}

/// A message as it waits in the outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "form", content = "message")]
pub(crate) enum Message {
    /// One mail, whole.
    Mail(Box<notify::mail::Mail>),
    /// An event; its destination's kind says how it is written.
    Event(Box<notify::event::Event>),
}

impl Message {
    /// As it is stored.
    pub(crate) fn store(&self) -> Result<String, StoreError> {
        serde_json::to_string(self)
            .map_err(|e| StoreError::Unreadable { detail: format!("a message to store: {e}") })
    }
}

impl Context {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn product(&self, app: &AppId) -> String {
        self.catalog.app(app).map_or_else(|| app.to_string(), |a| a.manifest.name.clone())
    }

    /// When the credential of an instance ends for want of use, where the vendor does that.
    pub(crate) fn idles_at(&self, instance: &Instance) -> Option<Timestamp> {
        let app = self.catalog.app(&instance.app)?;
        let days = app.auth(&instance.auth)?.expiry.as_ref()?.idle_days?;
        let used = instance.credential_used_at.unwrap_or(instance.credential_set_at);
        Some(used + Duration::days(i64::from(days)))
    }

    /// The active owners whose accounts are known not to be live any more.
    pub(crate) async fn left(&self, now: Timestamp) -> Result<Arc<BTreeMap<OwnerId, Departed>>, StoreError> {
        let active = owners::all(&self.db).await?.into_iter().filter(|o| o.active);
        let owners = active.map(|o| (o.id, o.email)).collect();
        self.left.get(&self.db, owners, |_, all, owners| assess::departed(all, owners, now)).await
    }

    async fn drained(&self) {
        drop(self.draining.clone().wait_for(|drain| *drain).await);
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

impl Teller {
    /// Starts both loops in the background.
    #[must_use]
    pub fn start(
        db: Db,
        catalog: Arc<Catalog>,
        network: Arc<dyn Network>,
        trust: Trust,
        clock: Arc<dyn Clock>,
        setup: Setup,
    ) -> Telling {
        let (drain, draining) = watch::channel(false);
        let (idle, left) = (Mutex::default(), Kept::default());
        let context = Arc::new(Context { db, catalog, network, trust, clock, setup, draining, idle, left });
        let tasks = vec![tokio::spawn(decide(Arc::clone(&context))), tokio::spawn(send(context))];
        Telling { drain, tasks }
    }
}

impl Telling {
    /// Stops: begins nothing more, and waits for what is being sent.
    pub async fn drain(self) {
        // Without a receiver both loops have ended already.
        let _ = self.drain.send(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "telling people had failed");
            }
        }
    }
}

/// Decides what is to be told, minute by minute. A look that fails is repeated: what is due stays due.
async fn decide(context: Arc<Context>) {
    let mut upkeep_at = context.now() + UPKEEP;
    loop {
        let now = context.now();
        let mut wait = LOOK;
        for (what, done) in
            [("digests", digest::look(&context, now).await), ("alerts", alerts::look(&context, now).await)]
        {
            if let Err(error) = done {
                tracing::error!(%error, what, "it could not be decided what is to be told; it is tried again");
                wait = AGAIN;
            }
        }
        if upkeep_at <= now {
            upkeep_at = now + UPKEEP;
            if let Err(error) = sender::upkeep(&context, now).await {
                tracing::error!(%error, "old messages could not be deleted");
            }
        }
        tokio::select! {
            () = context.drained() => return,
            () = context.clock.sleep(wait) => {}
        }
    }
}

/// Sends what is due, woken by what is put in.
async fn send(context: Arc<Context>) {
    let mut changes = context.db.changes();
    let mut sender = sender::Sender::new(Arc::clone(&context));
    loop {
        let sleep = match sender.look().await {
            Ok(next_at) => {
                next_at.map_or(LONGEST_SLEEP, |at| (at - context.now()).clamp(Duration(1), LONGEST_SLEEP))
            }
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read; it is tried again");
                AGAIN
            }
        };
        let wake_at = context.now() + sleep;
        let mut asleep = true;
        while asleep {
            tokio::select! {
                biased;
                () = context.drained() => return sender.finish().await,
                () = context.clock.sleep(wake_at - context.now()) => asleep = false,
                () = sender.landed() => asleep = false,
                change = changes.recv() => match change {
                    Ok(change) => asleep = !matches!(change.what, What::Outbox | What::Administration),
                    Err(RecvError::Lagged(_)) => asleep = false,
                    // The database is closed: there is nothing left to do but to be drained.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
            }
        }
    }
}
