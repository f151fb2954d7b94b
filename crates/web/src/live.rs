//! Changes as they happen, as server-sent events. An event says that something changed, not what: the page then fetches
//! itself and puts the new parts in place, so there is one way to render a page.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::watch;

use crate::Web;
use crate::session::Signed;

/// Changes that come within this time are told as one.
const GATHER: Duration = Duration::from_secs(1);
/// A stream ends after this time; the browser comes back and its session is looked at anew.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

pub(crate) fn routes() -> Router<Web> {
    Router::new().route("/events", get(events))
}

async fn events(
    State(web): State<Web>,
    _signed: Signed,
    Query(query): Query<Vec<(String, String)>>,
) -> impl IntoResponse {
    let wanted = query.into_iter().find(|(n, _)| n == "application").map(|(_, v)| v);
    let changes = web.backend.changes().filter(move |changed| {
        let concerns = match (&wanted, changed) {
            (Some(wanted), Some(changed)) => wanted == changed.as_str(),
            _ => true,
        };
        std::future::ready(concerns)
    });
    // Whoever connects, or comes back, has missed what happened since its page was rendered: it is told once at the
    // beginning, after the subscription above, so that nothing falls in between.
    let stream = stream::once(std::future::ready(None))
        .chain(changes)
        .ready_chunks(1024)
        .then(|_| async {
            tokio::time::sleep(GATHER).await;
            Ok::<_, Infallible>(Event::default().event("changed").data("changed"))
        })
        .take_until(tokio::time::sleep(LIFETIME))
        .take_until(drained(web.config.draining.clone()).boxed());
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20)))
}

async fn drained(draining: Option<watch::Receiver<bool>>) {
    match draining {
        // An error means that the sender is gone, and with it the server.
        Some(mut draining) => drop(draining.wait_for(|drain| *drain).await),
        None => std::future::pending().await,
    }
}
