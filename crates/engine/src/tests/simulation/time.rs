//! The world's dice, its one true time, and the clocks of its nodes.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use collect::Clock;
use futures_util::future::BoxFuture;
use model::entropy::Entropy;
use model::time::{Duration, Timestamp};

use super::super::fake::START;

/// Numbers from one seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // Seeds that are neighbours begin alike; a few rolls later they do not.
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        // xorshift64*: good enough for dice, and the same everywhere.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// 0 to n-1.
    pub(super) fn roll(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    pub(super) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.roll(n as u64)).expect("below a usize")
    }

    /// Once in n times.
    pub(super) fn once_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    /// From one second to the given length.
    pub(super) fn upto(&mut self, most: Duration) -> Duration {
        let seconds = u64::try_from(most.0 / 1000).expect("not negative").max(1);
        Duration::seconds(i64::try_from(self.roll(seconds)).expect("small") + 1)
    }

    pub(super) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}

/// What everything of one world shares.
pub(super) struct Shared {
    now: AtomicI64,
    sleepers: Mutex<BTreeMap<(i64, u64), Waker>>,
    numbered: AtomicU64,
    dice: Mutex<Dice>,
    /// The piece of work that goes on at the moment.
    pub(super) current: AtomicU64,
    /// How far the clock of its node is ahead.
    pub(super) ahead: AtomicI64,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(START.0),
            sleepers: Mutex::default(),
            numbered: AtomicU64::new(1),
            dice: Mutex::new(Dice::new(seed)),
            current: AtomicU64::new(0),
            ahead: AtomicI64::new(0),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    /// What the clock says by which the piece of work goes that goes on at the moment.
    pub(super) fn node_now(&self) -> Timestamp {
        self.now() + Duration(self.ahead.load(Ordering::SeqCst))
    }

    pub(super) fn sleep(self: &Arc<Self>, length: Duration) -> BoxFuture<'static, ()> {
        let until = (self.now() + length).0;
        Box::pin(Sleep { shared: Arc::clone(self), key: (until, self.number()) })
    }

    pub(super) fn number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleepers(&self) -> MutexGuard<'_, BTreeMap<(i64, u64), Waker>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next sleeper wants to wake.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.sleepers().keys().next().map(|(at, _)| Timestamp(*at))
    }

    pub(super) fn move_to(&self, at: Timestamp) {
        self.now.store(at.0, Ordering::SeqCst);
        let mut sleepers = self.sleepers();
        while let Some(first) = sleepers.first_entry().filter(|first| first.key().0 <= at.0) {
            first.remove().wake();
        }
    }
}

/// The clock of one node: what it says may be wrong, what it sleeps is not.
pub(super) struct NodeClock {
    pub(super) shared: Arc<Shared>,
    /// How far ahead it is.
    skew: AtomicI64,
    /// When it is right again by itself, in true time.
    right_at: AtomicI64,
}

/// A clock that is right, or is wrong for good.
const NEVER: i64 = i64::MAX;

impl NodeClock {
    pub(super) fn new(shared: &Arc<Shared>, ahead: Duration) -> Self {
        Self { shared: Arc::clone(shared), skew: ahead.0.into(), right_at: NEVER.into() }
    }

    /// It goes so far ahead from now on: for so long, or until it is set right.
    pub(super) fn jumps(&self, ahead: Duration, length: Option<Duration>) {
        self.skew.store(ahead.0, Ordering::SeqCst);
        let right_at = length.map_or(NEVER, |length| (self.shared.now() + length).0);
        self.right_at.store(right_at, Ordering::SeqCst);
    }

    /// It shows the true time from now on.
    pub(super) fn is_right(&self) {
        self.jumps(Duration::ZERO, None);
    }

    /// When it is right again by itself.
    pub(super) fn right_at(&self) -> Option<Timestamp> {
        let at = self.right_at.load(Ordering::SeqCst);
        (at != NEVER).then_some(Timestamp(at))
    }

    pub(super) fn ahead(&self) -> Duration {
        Duration(self.skew.load(Ordering::SeqCst))
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        self.shared.now() + self.ahead()
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        self.shared.sleep(length)
    }

    fn jitter(&self, upto: Duration) -> Duration {
        let upto = u64::try_from(upto.0).unwrap_or(0);
        Duration(if upto == 0 {
            0
        } else {
            i64::try_from(self.shared.dice().roll(upto)).expect("below upto")
        })
    }
}

struct Sleep {
    shared: Arc<Shared>,
    key: (i64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.now().0 >= self.key.0 {
            return Poll::Ready(());
        }
        self.shared.sleepers().insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.sleepers().remove(&self.key);
    }
}

/// Random bytes that are the same for each run of a seed.
pub(super) struct Seeded(pub(super) Arc<Shared>);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut dice = self.0.dice();
        for chunk in bytes.chunks_mut(4) {
            let n = dice.roll(1 << 31).to_le_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }
}
