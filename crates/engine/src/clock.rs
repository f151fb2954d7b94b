//! The machine's clock and random numbers: the only place outside the binary that may ask for them.

use collect::Clock;
use futures_util::future::BoxFuture;
use model::entropy::Entropy;
use model::time::{Duration, Timestamp};

/// The machine's own clock. What it sleeps is measured by the monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the time comes from")]
        let now = jiff::Timestamp::now();
        Timestamp(now.as_millisecond())
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(length.to_std()))
    }

    fn jitter(&self, upto: Duration) -> Duration {
        let mut bytes = [0u8; 8];
        SystemEntropy.fill(&mut bytes);
        let upto = u64::try_from(upto.0).unwrap_or(0);
        // The bias of the remainder is far below a millisecond for any length of time.
        let random = u64::from_le_bytes(bytes).checked_rem(upto).unwrap_or(0);
        Duration(i64::try_from(random).unwrap_or(0))
    }
}

/// The operating system's random numbers, fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where randomness comes from")]
        let filled = aws_lc_rs::rand::fill(bytes);
        // Without randomness no secret can be sealed and no session made: going on would be worse than stopping.
        filled.expect("the operating system gives random bytes");
    }
}
