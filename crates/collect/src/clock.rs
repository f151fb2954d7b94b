//! Time as a parameter. The real clock is in `engine::clock`; tests and the simulator bring their own.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use model::time::{Duration, Timestamp};

/// What the engine of connectors knows about time.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Waits. A virtual clock may return at once with its time advanced.
    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()>;
    /// A random length from zero up to, and not including, `upto`: spreads repeated requests.
    fn jitter(&self, upto: Duration) -> Duration;
}

/// A clock for what is played from a recording: waiting takes no time, but time passes. Clones are the same clock, so that
/// the reader and a simulated vendor agree.
#[derive(Debug, Clone)]
pub struct Unhurried(Arc<Mutex<Timestamp>>);

impl Unhurried {
    /// A clock that shows this.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }
}

impl Clock for Unhurried {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = *now + length;
        Box::pin(std::future::ready(()))
    }

    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}
