//! Sending what is due: one message at a time to each destination, with back-off.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::time::{Duration, Timestamp};
use notify::address::Address;
use notify::webhook::Body;
use notify::{Trouble, smtp, syslog, webhook};
use secrecy::{ExposeSecret as _, SecretString};
use store::outbox::{self, Ending, LONGEST_WAIT, Parcel};
use store::{StoreError, alerts, destinations, digests};
use tokio::task::JoinSet;

use super::{Context, Message};

/// How long a claim lives: longer than any transport takes.
const CLAIM: Duration = Duration::minutes(3);
/// The waits after failed attempts; the last one repeats.
const WAITS: [Duration; 8] = [
    Duration::seconds(5),
    Duration::seconds(20),
    Duration::minutes(1),
    Duration::minutes(2),
    Duration::minutes(5),
    Duration::minutes(15),
    Duration::minutes(30),
    Duration::hours(1),
];
/// How long a message waits before it counts as failed.
const PATIENCE: Duration = Duration::days(14);
/// How long messages and digests are kept: sent ones, failed ones, rows of digests, and what was told once.
const KEEP_SENT: Duration = Duration::days(30);
const KEEP_FAILED: Duration = Duration::days(90);
const KEEP_DIGESTS: Duration = Duration::days(400);
const KEEP_TOLD: Duration = Duration::days(60);

pub(crate) struct Sender {
    context: Arc<Context>,
    busy: BTreeSet<String>,
    flying: JoinSet<String>,
}

impl Sender {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, busy: BTreeSet::new(), flying: JoinSet::new() }
    }

    /// Begins to send to every destination that something is due for; says when to look again.
    pub(crate) async fn look(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.context.now();
        for destination in outbox::due(&self.context.db, now).await? {
            if !self.busy.insert(destination.clone()) {
                continue;
            }
            let context = Arc::clone(&self.context);
            self.flying.spawn(async move {
                if let Err(error) = work_off(&context, &destination).await {
                    tracing::error!(%destination, %error, "the outbox cannot be used");
                    // The claim ends by itself; nothing is tried again sooner than that.
                    context.clock.sleep(super::AGAIN).await;
                }
                destination
            });
        }
        let next = outbox::next_at(&self.context.db).await?;
        // What is due now is under way, or held by another node for at most a claim.
        Ok(next.map(|at| if at <= now { now + super::AGAIN } else { at }))
    }

    /// Returns when a destination was worked off.
    pub(crate) async fn landed(&mut self) {
        match self.flying.join_next().await {
            Some(Ok(destination)) => {
                self.busy.remove(&destination);
            }
            Some(Err(error)) => {
                tracing::error!(%error, "a sender failed");
                // Which one is not known: at worst another claim finds the lane held.
                self.busy.clear();
            }
            None => std::future::pending().await,
        }
    }

    /// Waits for what is being sent.
    pub(crate) async fn finish(mut self) {
        while self.flying.join_next().await.is_some() {}
    }

    /// Sends everything that is due now.
    #[cfg(test)]
    pub(crate) async fn settle(&mut self) -> Result<(), StoreError> {
        loop {
            self.look().await?;
            if self.flying.is_empty() {
                return Ok(());
            }
            self.landed().await;
        }
    }
}

/// One message after the other, until none is due or the transport fails.
pub(crate) async fn work_off(context: &Context, destination: &str) -> Result<(), StoreError> {
    while !context.is_draining() {
        let now = context.now();
        let claimed = outbox::claim(&context.db, destination, &context.setup.node, now, CLAIM).await?;
        let Some(parcel) = claimed else { return Ok(()) };
        let sent = deliver(context, &parcel).await;
        let now = context.now();
        let ending = match sent {
            Ok(()) => Ending::Sent,
            Err(trouble) if trouble.lasting => Ending::Failed { error: trouble.says },
            Err(trouble) => {
                let wait = wait(context, &parcel, &trouble);
                Ending::Again { at: now + wait, error: trouble.says, all: trouble.whole }
            }
        };
        match &ending {
            Ending::Sent => tracing::info!(destination, kind = parcel.parcel.kind, "delivered"),
            Ending::Failed { error } => {
                tracing::error!(destination, kind = parcel.parcel.kind, error, "refused for good")
            }
            Ending::Again { error, .. } => {
                tracing::warn!(destination, kind = parcel.parcel.kind, error, "not delivered")
            }
        }
        outbox::end(&context.db, &parcel, &ending, now).await?;
        if matches!(ending, Ending::Again { all: true, .. }) {
            return Ok(());
        }
    }
    Ok(())
}

/// The wait after a failed attempt: longer each time, a little apart from others, never shorter than the server asks.
fn wait(context: &Context, parcel: &Parcel, trouble: &Trouble) -> Duration {
    let step = WAITS[usize::try_from(parcel.attempts).unwrap_or(usize::MAX).min(WAITS.len() - 1)];
    let asked = Duration::seconds(trouble.wait_seconds.unwrap_or(0).into()).min(LONGEST_WAIT);
    (step + context.clock.jitter(Duration(step.0 / 8 + 1))).max(asked)
}

async fn deliver(context: &Context, parcel: &Parcel) -> Result<(), Trouble> {
    let message: Message = serde_json::from_str(&parcel.parcel.body)
        .map_err(|e| Trouble::lasting(format!("the stored message cannot be read: {e}")))?;
    match message {
        Message::Mail(mail) => {
            let server = context.setup.mail.as_ref().ok_or_else(|| {
                Trouble::passing("No mail server is configured; set [mail] in the configuration and restart")
            })?;
            smtp::deliver(server, context.network.as_ref(), &context.trust, &mail).await
        }
        Message::Event(event) => {
            let address = address(context, &parcel.parcel.destination).await?;
            let network = context.network.as_ref();
            let now = context.now();
            match address {
                Address::Webhook { url, secret } => {
                    let (url, secret) = (SecretString::from(url), SecretString::from(secret));
                    webhook::deliver(network, &url, Some(&secret), Body::Json, &event, now).await
                }
                Address::Slack { url } => {
                    webhook::deliver(network, &SecretString::from(url), None, Body::Slack, &event, now).await
                }
                Address::Syslog { host, port } => {
                    syslog::deliver(network, &context.trust, &host, port, &context.setup.host, &event).await
                }
                Address::Mail { .. } => {
                    Err(Trouble::lasting("the destination was changed to mail meanwhile"))
                }
            }
        }
    }
}

/// Where a destination is.
pub(crate) async fn address(context: &Context, destination: &str) -> Result<Address, Trouble> {
    let sealed = destinations::address(&context.db, destination).await.map_err(|e| match e {
        StoreError::NotFound { .. } => Trouble::lasting("the destination was removed"),
        other => Trouble::passing(format!("the address of the destination cannot be read: {other}")),
    })?;
    serde_json::from_str(sealed.expose_secret())
        .map_err(|_| Trouble::passing("the address of the destination cannot be read; enter it again"))
}

/// Deletes what is old.
pub(crate) async fn upkeep(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    outbox::prune(&context.db, now - KEEP_SENT, now - KEEP_FAILED, now - PATIENCE, now).await?;
    digests::prune(&context.db, now - KEEP_DIGESTS).await?;
    alerts::prune(&context.db, now - KEEP_TOLD).await
}
