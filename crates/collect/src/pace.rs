//! How fast to go: the vendor's limits as it tells them, and our own pace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use catalog::manifest::{ResetIs, Throttle};
use http::HeaderMap;
use model::diagnosis::Warning;
use model::schedule::after_back_off;
use model::time::{Duration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::back_off::BackOff;
use crate::clock::Clock;

/// A wait up to this is spent inside the run; a longer one ends the lease.
pub(crate) const SHORT_WAIT: Duration = Duration::minutes(1);
/// Nobody is believed who asks for a longer wait than this.
pub(crate) const LONGEST_WAIT: Duration = Duration::hours(24);
/// The wait after a rate limit that does not say how long, once short waits did not help.
pub(crate) const UNTOLD_WAIT: Duration = Duration::minutes(5);
/// From this share of the budget on, it is worth a warning (percent).
const WARN_AT: u64 = 80;
/// What sweeps leave of the budget to everything else (percent).
const SWEEPS_LEAVE: u64 = 30;

/// Vendors count REST and GraphQL requests apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    Rest = 0,
    Graphql = 1,
}

/// The pace of one run.
pub(crate) struct Pace {
    throttle: Throttle,
    gate: Semaphore,
    opened: AtomicBool,
    state: Mutex<State>,
    back_off: Arc<BackOff>,
}

#[derive(Default)]
struct State {
    next_slot: Timestamp,
    blocked: [Option<Timestamp>; 2],
    budget: [Option<Budget>; 2],
    worst: Option<Budget>,
    waited: Duration,
    waited_until: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    used_percent: u64,
    resets_at: Option<Timestamp>,
}

impl Pace {
    /// A pace that begins with one request at a time: the first answer shows whether there is any point in more.
    pub(crate) fn new(throttle: &Throttle, blocked_until: Option<Timestamp>, back_off: Arc<BackOff>) -> Self {
        let state = State { blocked: [blocked_until; 2], ..State::default() };
        Self {
            throttle: throttle.clone(),
            gate: Semaphore::new(1),
            opened: AtomicBool::new(false),
            state: Mutex::new(state),
            back_off,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves plain numbers behind, which are as good as before.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits for a turn. `None` cannot occur: the gate is never closed.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.gate.acquire().await.ok()
    }

    /// Lets the other requests go too, after the first answer.
    pub(crate) fn open(&self) {
        if !self.opened.swap(true, Ordering::Relaxed) {
            self.gate.add_permits(self.throttle.concurrency.saturating_sub(1) as usize);
        }
    }

    /// Whether anything has answered.
    pub(crate) fn is_open(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many requests at once.
    pub(crate) fn concurrency(&self) -> usize {
        (self.throttle.concurrency as usize).clamp(1, 64)
    }

    /// Waits for our own pace.
    pub(crate) async fn slot(&self, clock: &dyn Clock, cost: u32) {
        let second = self.throttle.per_second.filter(|n| *n > 0).map(|n| 1000 / i64::from(n));
        let minute = || self.throttle.per_minute.filter(|n| *n > 0).map(|n| 60_000 / i64::from(n));
        let Some(one) = second.or_else(minute) else { return };
        let wait = {
            let mut state = self.state();
            let now = clock.now();
            let turn = Duration(one);
            // What was not used of the pace may be caught up with, as far as the burst goes.
            let saved = Duration(turn.0 * i64::from(self.throttle.burst.unwrap_or(1).saturating_sub(1)));
            let slot = state.next_slot.max(now - saved);
            state.next_slot = slot + Duration(one * i64::from(cost.max(1)));
            slot - now
        };
        if wait > Duration::ZERO {
            clock.sleep(wait).await;
        }
    }

    /// Until when nothing may be sent, if that is after `now`.
    pub(crate) fn blocked(&self, pool: Pool, now: Timestamp) -> Option<Timestamp> {
        self.state().blocked[pool as usize].filter(|until| *until > now)
    }

    /// The latest back-off of all pools.
    pub(crate) fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.state().blocked.iter().flatten().copied().max().filter(|until| *until > now)
    }

    /// Counts a wait for the vendor. Requests that wait side by side wait once.
    pub(crate) fn waits(&self, now: Timestamp, until: Timestamp) {
        let mut state = self.state();
        let from = now.max(state.waited_until);
        if until > from {
            state.waited = state.waited + (until - from);
            state.waited_until = until;
        }
    }

    /// Milliseconds waited for the vendor.
    pub(crate) fn throttled_ms(&self) -> u64 {
        u64::try_from(self.state().waited.0).unwrap_or(0)
    }

    /// Nothing may be sent until then.
    pub(crate) fn block(&self, pools: &[Pool], until: Timestamp, now: Timestamp) {
        self.back_off.told(until, now);
        let mut state = self.state();
        for pool in pools {
            let at = &mut state.blocked[*pool as usize];
            *at = after_back_off(*at, Some(until), now);
        }
    }

    /// Whether what is left of the vendor's budget is to be left to others.
    pub(crate) fn is_low(&self, pool: Pool) -> bool {
        self.state().budget[pool as usize].is_some_and(|b| b.used_percent > 100 - SWEEPS_LEAVE)
    }

    /// Reads the limits that an answer tells. A used-up budget blocks its pool until it is renewed.
    pub(crate) fn learn(&self, pool: Pool, headers: &HeaderMap, now: Timestamp) {
        let number = |name: &Option<String>| name.as_deref().and_then(|n| header_number(headers, n));
        let resets_at = self.resets_at(headers, now);
        let (limit, left) = (number(&self.throttle.limit_header), number(&self.throttle.remaining_header));
        if left == Some(0)
            && let Some(until) = resets_at
        {
            self.block(&[pool], until, now);
        }
        if let (Some(limit), Some(left)) = (limit, left)
            && limit > 0
        {
            let used_percent = limit.saturating_sub(left).saturating_mul(100) / limit;
            let budget = Budget { used_percent, resets_at };
            let mut state = self.state();
            state.budget[pool as usize] = Some(budget);
            if state.worst.is_none_or(|w| w.used_percent < used_percent) {
                state.worst = Some(budget);
            }
        }
    }

    /// Whether an answer says by its headers that a rate limit is used up.
    pub(crate) fn says_limited(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(http::header::RETRY_AFTER)
            || self.throttle.remaining_header.as_deref().and_then(|n| header_number(headers, n)) == Some(0)
    }

    /// Until when a rate-limited answer asks to wait, and for which pools.
    pub(crate) fn asked(
        &self,
        pool: Pool,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<(Timestamp, Vec<Pool>)> {
        if let Some(until) = retry_after(headers, now) {
            return Some((until, vec![Pool::Rest, Pool::Graphql]));
        }
        self.resets_at(headers, now).map(|until| (until, vec![pool]))
    }

    fn resets_at(&self, headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
        let told = header_number(headers, self.throttle.reset_header.as_deref()?)?;
        let told = i64::try_from(told).ok()?;
        let wait = match self.throttle.reset_is {
            // Counted from the answer's own clock, so that ours need not be right.
            ResetIs::EpochSeconds => Timestamp(told.saturating_mul(1000)) - date(headers).unwrap_or(now),
            ResetIs::Seconds => Duration(told.saturating_mul(1000)),
        };
        Some(now + wait.clamp(Duration::ZERO, LONGEST_WAIT))
    }

    /// The warning about the budget, if one is due.
    pub(crate) fn warning(&self) -> Option<Warning> {
        let worst = self.state().worst.filter(|w| w.used_percent > WARN_AT)?;
        let used_percent = u8::try_from(worst.used_percent).unwrap_or(100);
        Some(Warning::RateBudget { used_percent, resets_at: worst.resets_at })
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3) as an instant of our clock.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u32>() {
        Ok(seconds) => Duration::seconds(seconds.into()),
        Err(_) => http_date(text)? - date(headers).unwrap_or(now),
    };
    Some(now + wait.clamp(Duration::ZERO, LONGEST_WAIT))
}

/// The vendor's clock when it answered.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(http::header::DATE)?.to_str().ok()?)
}

/// An HTTP date (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

fn header_number(headers: &HeaderMap, name: &str) -> Option<u64> {
    // Some vendors send `100, 100;w=60`: the first number is the one in force.
    let text = headers.get(name)?.to_str().ok()?;
    let digits = text.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn throttle() -> Throttle {
        Throttle {
            limit_header: Some("x-limit".into()),
            remaining_header: Some("x-remaining".into()),
            reset_header: Some("x-reset".into()),
            ..Throttle::default()
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (http::HeaderName::from_static(k), http::HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn waits_are_counted_from_the_vendors_own_clock() {
        // The vendor's clock is an hour behind ours: 1 800 000 000 is Fri, 15 Jan 2027 08:00:00 GMT.
        let h = headers(&[
            ("date", "Fri, 15 Jan 2027 07:00:00 GMT"),
            ("retry-after", "Fri, 15 Jan 2027 07:00:30 GMT"),
        ]);
        assert_eq!(retry_after(&h, NOW), Some(NOW + Duration::seconds(30)));
        let pace = Pace::new(&throttle(), None, Arc::default());
        let reset = (NOW.0 / 1000 - 3600 + 45).to_string();
        let h = headers(&[("date", "Fri, 15 Jan 2027 07:00:00 GMT"), ("x-reset", &reset)]);
        assert_eq!(pace.resets_at(&h, NOW), Some(NOW + Duration::seconds(45)));
    }

    #[test]
    fn waits_are_bounded() {
        let h = headers(&[("retry-after", "4000000000")]);
        assert_eq!(retry_after(&h, NOW), Some(NOW + LONGEST_WAIT));
        let h = headers(&[("retry-after", "Wed, 15 Jan 2020 07:00:30 GMT")]);
        assert_eq!(retry_after(&h, NOW), Some(NOW));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")]), NOW), None);
    }

    #[test]
    fn a_used_up_budget_blocks_its_pool_only() {
        let pace = Pace::new(&throttle(), None, Arc::default());
        let reset = (NOW.0 / 1000 + 600).to_string();
        let h = headers(&[("x-limit", "5000"), ("x-remaining", "0"), ("x-reset", &reset)]);
        pace.learn(Pool::Graphql, &h, NOW);
        assert_eq!(pace.blocked(Pool::Graphql, NOW), Some(NOW + Duration::minutes(10)));
        assert_eq!(pace.blocked(Pool::Rest, NOW), None);
        assert!(pace.says_limited(&h));
    }

    #[test]
    fn the_budget_warns_above_80_percent() {
        let pace = Pace::new(&throttle(), None, Arc::default());
        pace.learn(Pool::Rest, &headers(&[("x-limit", "100"), ("x-remaining", "20")]), NOW);
        assert_eq!(pace.warning(), None);
        pace.learn(Pool::Rest, &headers(&[("x-limit", "100"), ("x-remaining", "19")]), NOW);
        assert_eq!(pace.warning(), Some(Warning::RateBudget { used_percent: 81, resets_at: None }));
        assert!(pace.is_low(Pool::Rest));
        assert!(!pace.is_low(Pool::Graphql));
    }
}
