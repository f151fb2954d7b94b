//! A sign-in at a vendor in the database: renewed by one at a time over all nodes, stored before it is used.

use std::sync::Arc;

use collect::{Clock, Keeper, Renewal, Turn};
use futures_util::future::BoxFuture;
use model::time::Duration;
use store::instances::renewal::{self, Renewing};
use store::{Db, StoreError};
use tokio::sync::watch;

/// How long a turn lasts when whoever has it dies. Longer than a token request with its retries and short waits.
const TURN: Duration = Duration::minutes(10);
/// How often somebody who waits looks whether it is their turn.
const LOOK: Duration = Duration(250);
/// How often storing is tried, with a pause that doubles: what the vendor has renewed cannot be asked for again.
const TRIES: u32 = 6;

/// The sign-in of one instance.
pub(crate) struct SignedIn {
    db: Db,
    of: Renewing,
    clock: Arc<dyn Clock>,
    busy: watch::Sender<bool>,
}

impl SignedIn {
    pub(crate) fn new(db: Db, of: Renewing, clock: Arc<dyn Clock>) -> Self {
        Self { db, of, clock, busy: watch::Sender::new(false) }
    }

    pub(crate) async fn settled(&self) {
        // The sender lives as long as this.
        drop(self.busy.subscribe().wait_for(|busy| !*busy).await);
    }

    async fn begin(&self) -> Result<Box<dyn Turn>, String> {
        let holder = self.db.new_id(self.clock.now());
        let latest = self.clock.now() + TURN + Duration::minutes(1);
        loop {
            let now = self.clock.now();
            match renewal::take_turn(&self.db, &self.of.instance, &holder, now, TURN).await {
                Ok(true) => break,
                Ok(false) if now < latest => self.clock.sleep(LOOK).await,
                Ok(false) => {
                    return Err(
                        "the sign-in at the vendor is being renewed elsewhere, and that does not end"
                            .to_owned(),
                    );
                }
                Err(error) => return Err(format!("the sign-in at the vendor cannot be renewed: {error}")),
            }
        }
        let mut turn = Held {
            db: self.db.clone(),
            of: self.of.clone(),
            clock: Arc::clone(&self.clock),
            holder,
            current: None,
            busy: self.busy.clone(),
        };
        match renewal::renewed(&self.db, &self.of).await {
            Ok(Some(text)) => {
                turn.current = Renewal::from_secret(&text);
                self.busy.send_replace(true);
                Ok(Box::new(turn))
            }
            other => {
                Box::new(turn).end().await;
                Err(match other {
                    Err(error) => format!("the sign-in at the vendor cannot be read: {error}"),
                    _ => REPLACED.to_owned(),
                })
            }
        }
    }
}

const REPLACED: &str = "the credential was replaced in the middle of this run";

impl Keeper for SignedIn {
    fn turn(&self) -> BoxFuture<'_, Result<Box<dyn Turn>, String>> {
        Box::pin(self.begin())
    }
}

struct Held {
    db: Db,
    of: Renewing,
    clock: Arc<dyn Clock>,
    holder: String,
    current: Option<Renewal>,
    busy: watch::Sender<bool>,
}

impl Held {
    async fn store(&mut self, renewed: Renewal) -> Result<(), String> {
        let text = renewed.to_secret();
        let mut pause = Duration(250);
        for tried in 1.. {
            match renewal::keep_renewed(&self.db, &self.of, &text).await {
                Ok(true) => break,
                Ok(false) => return Err(REPLACED.to_owned()),
                Err(error) if tried < TRIES && !matches!(error, StoreError::SealBroken) => {
                    tracing::warn!(instance = %self.of.instance, %error, "a renewed sign-in is not stored yet");
                    self.clock.sleep(pause).await;
                    pause = Duration(pause.0 * 2);
                }
                Err(error) => {
                    tracing::error!(instance = %self.of.instance, %error, "a renewed sign-in could not be stored; it has to be made anew");
                    return Err(error.to_string());
                }
            }
        }
        self.current = Some(renewed);
        Ok(())
    }
}

impl Turn for Held {
    fn current(&self) -> Option<&Renewal> {
        self.current.as_ref()
    }

    fn keep(&mut self, renewed: Renewal) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.store(renewed))
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Err(error) = renewal::end_turn(&self.db, &self.of.instance, &self.holder).await {
                tracing::warn!(instance = %self.of.instance, %error, "a turn to renew was not given back; it ends by itself");
            }
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.busy.send_replace(false);
    }
}
