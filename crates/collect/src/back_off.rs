//! The vendor's back-off, beyond what was told it.

use std::sync::atomic::{AtomicI64, Ordering};

use model::time::Timestamp;

/// Until when the vendor wants to be left alone, as the requests of a credential were told. It outlives what sent them: a
/// run that is dropped in the middle, a try that ends in a fault.
#[derive(Debug)]
pub struct BackOff(AtomicI64);

impl Default for BackOff {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl BackOff {
    /// The vendor wants to be left alone until then, as whoever sends for this credential was told.
    pub fn told(&self, until: Timestamp) {
        self.0.fetch_max(until.0, Ordering::SeqCst);
    }

    /// The latest that was told, if it is not over at `now`.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(Timestamp(self.0.load(Ordering::SeqCst))).filter(|until| *until > now)
    }
}
