//! Time that stands still, and randomness that repeats itself.

use std::sync::atomic::{AtomicU64, Ordering};

use collect::Clock;
use futures_util::future::BoxFuture;
use model::entropy::Entropy;
use model::time::{Duration, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

#[derive(Default)]
pub(crate) struct Counting(AtomicU64);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}
