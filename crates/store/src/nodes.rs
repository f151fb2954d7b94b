//! Several nodes on one PostgreSQL: each tells the others what it changed, by the database's own notifications. They
//! are a shortcut, not a promise: who was cut off is told to look at everything afresh.

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::db::{Change, What};
use crate::error::StoreError;

/// How long to wait before listening again when the server cannot be reached.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// This node among the others. Dropped, it neither tells nor hears any more.
#[derive(Debug)]
pub(crate) struct Nodes {
    told: mpsc::UnboundedSender<Change>,
    tasks: [JoinHandle<()>; 2],
}

/// What is sent.
#[derive(Serialize, Deserialize)]
struct Note {
    /// Who tells: nobody listens to itself.
    node: String,
    change: Change,
}

impl Nodes {
    /// Begins to listen and to tell. `node` is a name nobody else has.
    pub(crate) async fn join(
        pool: &PgPool,
        changes: broadcast::Sender<Change>,
        node: String,
    ) -> Result<Self, StoreError> {
        let failed = |e: sqlx::Error| StoreError::from_sqlx("LISTEN", &e);
        // One database may hold several installations, each in a schema of its own.
        let schema: Option<String> = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)")
            .fetch_one(pool)
            .await
            .map_err(failed)?;
        let channel = format!("parapet_{}", schema.unwrap_or_default());
        let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
        listener.listen(&channel).await.map_err(failed)?;
        let (told, mut waiting) = mpsc::unbounded_channel::<Change>();
        let ours = node.clone();
        let hear = tokio::spawn(async move {
            loop {
                match listener.try_recv().await {
                    Ok(Some(note)) => hear(note.payload(), &ours, &changes),
                    // Cut off and connected again: something may have been missed.
                    Ok(None) => drop(changes.send(missed())),
                    Err(error) => {
                        tracing::warn!(%error, "changes of other nodes cannot be heard");
                        tokio::time::sleep(AGAIN).await;
                        drop(changes.send(missed()));
                    }
                }
            }
        });
        let pool = pool.clone();
        let tell = tokio::spawn(async move {
            while let Some(change) = waiting.recv().await {
                let Ok(text) = serde_json::to_string(&Note { node: node.clone(), change }) else { continue };
                let sent =
                    sqlx::query("SELECT pg_notify($1, $2)").bind(&channel).bind(text).execute(&pool).await;
                if let Err(error) = sent {
                    tracing::warn!(%error, "other nodes could not be told of a change");
                }
            }
        });
        Ok(Self { told, tasks: [hear, tell] })
    }

    /// Tells the others, soon.
    pub(crate) fn tell(&self, change: &Change) {
        // The task ends only when this node leaves.
        let _ = self.told.send(change.clone());
    }

    /// Stops, so that the connections can be closed.
    pub(crate) fn leave(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.leave();
    }
}

fn missed() -> Change {
    Change { instance: None, what: What::Administration }
}

fn hear(payload: &str, ours: &str, changes: &broadcast::Sender<Change>) {
    match serde_json::from_str::<Note>(payload) {
        Ok(note) if note.node == ours => {}
        Ok(note) => drop(changes.send(note.change)),
        // Another version's word: what it means is not known, so everything is looked at.
        Err(_) => drop(changes.send(missed())),
    }
}
