//! `/healthz` and `/readyz`, for load balancers and for whoever restarts processes. Anybody may ask: the answers are words,
//! and none of them costs the database anything.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use store::{Db, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the database is asked whether it answers.
const EVERY: Duration = Duration::from_secs(2);
/// A database that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the latest look at the database found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Answers,
    Silent,
    /// It was upgraded beyond this program.
    Newer,
}

/// How this process is, by a look at the database every few seconds.
pub(crate) struct Pulse {
    found: watch::Receiver<Found>,
    draining: watch::Receiver<bool>,
    looking: JoinHandle<StoreError>,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Pulse {
    /// Begins to look. The database has just been opened, so it answers.
    pub(crate) fn begin(db: Db, draining: watch::Receiver<bool>) -> Self {
        let (tell, found) = watch::channel(Found::Answers);
        let looking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let now = match tokio::time::timeout(PATIENCE, db.ping()).await {
                    Ok(Ok(())) => Found::Answers,
                    Ok(Err(error @ StoreError::NewerSchema { .. })) => {
                        tell.send_replace(Found::Newer);
                        return error;
                    }
                    Ok(Err(_)) | Err(_) => Found::Silent,
                };
                if tell.send_replace(now) != now {
                    match now {
                        Found::Silent => {
                            tracing::error!("the database does not answer; this node is not ready")
                        }
                        _ => tracing::info!("the database answers again"),
                    }
                }
            }
        });
        Self { found, draining, looking }
    }

    /// Returns when another node has upgraded the database beyond this program: going on would do harm.
    pub(crate) async fn outgrown(&mut self) -> StoreError {
        match (&mut self.looking).await {
            Ok(error) => error,
            Err(error) => {
                tracing::error!(%error, "nobody looks any more whether the database answers");
                std::future::pending().await
            }
        }
    }

    /// The two addresses.
    pub(crate) fn router(&self) -> Router {
        let state = (self.found.clone(), self.draining.clone());
        Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(state)
    }
}

type Said = (StatusCode, [(HeaderName, &'static str); 2], &'static str);

fn say(status: StatusCode, text: &'static str) -> Said {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    (status, [kind, (header::CACHE_CONTROL, "no-store")], text)
}

/// Whether the process can answer at all; a restart would not mend anything else.
async fn alive() -> Said {
    say(StatusCode::OK, "alive\n")
}

/// Whether requests are to be sent here. The catalogue is loaded: without one the process would have ended.
async fn ready(State((found, draining)): State<(watch::Receiver<Found>, watch::Receiver<bool>)>) -> Said {
    let no = |text| say(StatusCode::SERVICE_UNAVAILABLE, text);
    // A sender that is gone is a process that ends.
    if *draining.borrow() || draining.has_changed().is_err() {
        return no("not ready: draining\n");
    }
    match *found.borrow() {
        Found::Answers => say(StatusCode::OK, "ready\n"),
        Found::Silent => no("not ready: the database does not answer\n"),
        Found::Newer => no("not ready: the database needs a newer Parapet\n"),
    }
}
