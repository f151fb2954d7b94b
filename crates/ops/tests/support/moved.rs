//! Time that is moved by hand.

use std::sync::atomic::{AtomicI64, Ordering};

use collect::Clock;
use futures_util::future::BoxFuture;
use model::time::{Duration, Timestamp};

use super::NOW;

/// Stands still until it is moved.
pub(crate) struct Moved(AtomicI64);

impl Default for Moved {
    fn default() -> Self {
        Self(AtomicI64::new(NOW.0))
    }
}

impl Moved {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}
