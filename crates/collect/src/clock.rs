//! Time as a parameter. The real clock is in `engine::clock`; tests and the simulator bring their own.

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
