//! What a simulation does to the database: connections that fail, commits whose answer is lost, a clock for leases, and
//! the knowledge whether a statement is under way. Compiled for the simulation only; one simulation a thread.

use std::cell::{Cell, RefCell};
use std::task::Poll;

use model::time::Timestamp;

use crate::error::StoreError;

/// Where a connection may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before anything was asked: a read outside a transaction, or the beginning of one.
    Before,
    /// After the transaction was made to last: the answer is lost.
    Committed,
}

/// Says whether the connection fails here.
pub type Trouble = Box<dyn FnMut(Place) -> bool>;

/// Says whether whoever is about to use a connection lets others go first.
pub type Turns = Box<dyn FnMut() -> bool>;

thread_local! {
    static TURNS: RefCell<Option<Turns>> = const { RefCell::new(None) };
    static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
    static TROUBLE: RefCell<Option<Trouble>> = const { RefCell::new(None) };
    static CLOCK: Cell<Option<Timestamp>> = const { Cell::new(None) };
    static UNDER_WAY: Cell<u32> = const { Cell::new(0) };
    static FUSE: Cell<Option<u64>> = const { Cell::new(None) };
    static BURNT: Cell<bool> = const { Cell::new(false) };
    static COMMITS: Cell<u64> = const { Cell::new(0) };
}

/// From now on connections of this thread's databases fail as it says.
pub fn trouble(trouble: Option<Trouble>) {
    TROUBLE.set(trouble);
}

/// Whether they may fail.
#[must_use]
pub fn is_troubled() -> bool {
    TROUBLE.with_borrow(Option::is_some)
}

/// From now on whoever is about to use a connection gives way to others as it says.
pub fn turns(turns: Option<Turns>) {
    TURNS.set(turns);
}

/// Whether somebody has given way since this was last asked.
#[must_use]
pub fn gave_way() -> bool {
    GAVE_WAY.take()
}

/// The clock of the database that leases live by; `None`: the caller's.
pub fn set_lease_clock(now: Option<Timestamp>) {
    CLOCK.set(now);
}

/// Whether a statement waits for the database.
#[must_use]
pub fn is_under_way() -> bool {
    UNDER_WAY.get() > 0
}

/// Whoever works dies before the statement after so many; beginning and ending a transaction count as statements, and a
/// transaction can be ended without anybody hearing of it. What it was set to before, burnt down by what was asked since.
pub fn set_fuse(statements: Option<u64>) -> Option<u64> {
    FUSE.replace(statements)
}

/// Whether somebody has died since this was last asked: it does not go on, and is to be dropped.
#[must_use]
pub fn has_died() -> bool {
    BURNT.take()
}

/// Transactions so far that were, or may have been, made to last.
#[must_use]
pub fn commits() -> u64 {
    COMMITS.get()
}

pub(crate) async fn committing() -> Waiting {
    let waiting = waiting().await;
    COMMITS.set(COMMITS.get() + 1);
    waiting
}

pub(crate) fn lease_clock() -> Option<Timestamp> {
    CLOCK.get()
}

/// Before a connection is used: lets others go first, if it is to.
pub(crate) async fn turn() {
    let mut gives_way = TURNS.with_borrow_mut(|turns| turns.as_mut().is_some_and(|turn| turn()));
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut gives_way) {
            GAVE_WAY.set(true);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

pub(crate) fn fails(place: Place) -> Result<(), StoreError> {
    let fails = TROUBLE.with_borrow_mut(|trouble| trouble.as_mut().is_some_and(|fails| fails(place)));
    if fails {
        Err(StoreError::Unreachable { detail: "the simulated connection".to_owned() })
    } else {
        Ok(())
    }
}

/// A statement that waits for the database, until dropped.
pub(crate) struct Waiting;

/// Before each statement: does not come back where whoever asks is to die.
pub(crate) async fn waiting() -> Waiting {
    if let Some(left) = FUSE.get() {
        FUSE.set(Some(left.saturating_sub(1)));
        if left == 0 {
            BURNT.set(true);
            std::future::pending::<()>().await;
        }
    }
    UNDER_WAY.set(UNDER_WAY.get() + 1);
    Waiting
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Whoever does not simulate may end on another thread than it began on.
        UNDER_WAY.set(UNDER_WAY.get().saturating_sub(1));
    }
}
