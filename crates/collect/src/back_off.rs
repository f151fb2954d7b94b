//! The vendor's back-off, beyond what was told it.

use std::sync::{Mutex, PoisonError};

use model::schedule::after_back_off;
use model::time::Timestamp;

/// Until when the vendor wants to be left alone, as the requests of a credential were told. It outlives what sent them: a
/// run that is dropped in the middle, a try that ends in a fault.
#[derive(Debug, Default)]
pub struct BackOff(Mutex<Option<Timestamp>>);

impl BackOff {
    /// The vendor wants to be left alone until then, as whoever sends for this credential was told at `now`.
    pub fn told(&self, until: Timestamp, now: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = after_back_off(*kept, Some(until), now);
    }

    /// The latest that was told, if it is not over at `now`.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).filter(|until| *until > now)
    }
}
