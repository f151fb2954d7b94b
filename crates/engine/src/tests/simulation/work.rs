//! Pieces of work, one of which goes on at a time, until it waits for the world or ends: so the same seed is the same
//! story, though a real database is asked.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use model::health::InstanceFacts;
use model::id::{InstanceId, RunId};
use model::scan::ScanKind;
use model::time::Timestamp;
use store::{StoreError, simulation};

use super::time::Shared;
use crate::due::{Agenda, Due};
use crate::worker::Ended;

/// What became of a piece of work.
pub(super) enum Fruit {
    /// The ticker has looked at what is due.
    Looked(Result<Agenda, StoreError>),
    /// A worker has ended.
    Worked(Due, Ended),
    /// It was decided what is to be told; something is to be sent there.
    Told(Result<Vec<String>, StoreError>),
    /// A destination was worked off.
    Sent,
}

/// Who it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Tick,
    Work(Due),
    Tell,
    Send(String),
}

/// A piece of work of one node.
pub(super) struct Labour {
    pub(super) id: u64,
    pub(super) node: usize,
    pub(super) task: Task,
    pub(super) future: Pin<Box<dyn Future<Output = Fruit>>>,
    /// It stands still until then.
    pub(super) frozen_until: Option<Timestamp>,
    /// It dies after so many statements.
    pub(super) fuse: Option<u64>,
    /// What it holds, as was seen when it claimed.
    pub(super) held: Option<Claimed>,
    /// The step in which it began, or claimed.
    pub(super) since: u64,
    /// The instance's facts when it began.
    pub(super) before: Option<InstanceFacts>,
    /// The earliest and the latest that its node's clock has shown while it was at work: whoever has asked a clock that is
    /// set right a moment later cannot know.
    pub(super) clock: Option<(Timestamp, Timestamp)>,
    flag: Arc<Flag>,
}

/// A claim, as seen from outside.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) instance: InstanceId,
    pub(super) kind: ScanKind,
    pub(super) run: RunId,
    pub(super) fence: i64,
    pub(super) version: i64,
    /// The instance's facts when it was made.
    pub(super) facts: InstanceFacts,
    /// How often the run had been handed back before.
    pub(super) abandoned: u32,
}

/// How a step ended.
pub(super) enum Step {
    Ended(Fruit),
    /// It waits for the world.
    Waits,
    /// It gives way before it asks the database.
    GaveWay,
    /// Its fuse has burnt down.
    Died,
}

#[derive(Default)]
struct Flag {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if let Some(outer) = self.outer.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            outer.wake_by_ref();
        }
    }
}

impl Labour {
    pub(super) fn new(
        shared: &Shared,
        node: usize,
        task: Task,
        future: impl Future<Output = Fruit> + 'static,
    ) -> Self {
        let flag = Arc::new(Flag { woken: AtomicBool::new(true), ..Flag::default() });
        Self {
            id: shared.number(),
            node,
            task,
            future: Box::pin(future),
            frozen_until: None,
            fuse: None,
            held: None,
            before: None,
            since: 0,
            clock: None,
            flag,
        }
    }

    /// Its node's clock shows this.
    pub(super) fn shown(&mut self, now: Timestamp) {
        let (earliest, latest) = self.clock.unwrap_or((now, now));
        self.clock = Some((earliest.min(now), latest.max(now)));
    }

    /// Whatever it has in its hands is dropped.
    pub(super) fn die(&mut self) {
        self.future = Box::pin(std::future::pending());
    }

    pub(super) fn can_go_on(&self) -> bool {
        self.frozen_until.is_none() && self.flag.woken.load(Ordering::SeqCst)
    }

    /// Lets it go on. What it asks of the database or sends over a wire is waited for.
    pub(super) async fn step(&mut self, shared: &Shared, wire: &AtomicBool) -> Step {
        simulation::set_fuse(self.fuse);
        shared.current.store(self.id, Ordering::SeqCst);
        let is_sending = matches!(self.task, Task::Send(_));
        let step = std::future::poll_fn(|cx| {
            *self.flag.outer.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            self.flag.woken.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(&self.flag));
            let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            let gave_way = simulation::gave_way();
            match polled {
                Poll::Ready(fruit) => Poll::Ready(Step::Ended(fruit)),
                Poll::Pending if simulation::has_died() => Poll::Ready(Step::Died),
                Poll::Pending if simulation::is_under_way() => Poll::Pending,
                Poll::Pending if gave_way => Poll::Ready(Step::GaveWay),
                // What goes over a wire comes back by itself.
                Poll::Pending if is_sending && wire.load(Ordering::SeqCst) => Poll::Pending,
                Poll::Pending if self.flag.woken.load(Ordering::SeqCst) => Poll::Pending,
                Poll::Pending => Poll::Ready(Step::Waits),
            }
        })
        .await;
        shared.current.store(0, Ordering::SeqCst);
        if matches!(step, Step::Died) {
            self.die();
        }
        self.fuse = simulation::set_fuse(None);
        step
    }
}
