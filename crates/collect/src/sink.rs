//! What is read goes to the progress as it comes: counts at once, records in checkpoints of a worthwhile size.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::time::Timestamp;
use model::value::{Record, Shape};

use crate::clock::Clock;
use crate::progress::{Checkpoint, ListingAt, ListingPart, Progress};

/// A part is handed over with so many records ...
const RECORDS: usize = 300;
/// ... or so many pages, whichever comes first.
const PAGES: usize = 20;

/// The parts of one dataset.
pub(crate) struct Sink<'a> {
    progress: &'a dyn Progress,
    clock: &'a dyn Clock,
    dataset: String,
    revision: u32,
    keeps: bool,
    read: AtomicU64,
    stopped: AtomicBool,
    pending: Mutex<Pending>,
}

struct Pending {
    next_part: u32,
    read_at: Option<Timestamp>,
    listings: Vec<ListingPart>,
    records: usize,
    pages: usize,
}

impl<'a> Sink<'a> {
    /// A sink that goes on after `next_part` parts. With `keeps` false it makes none: sweeps are kept otherwise.
    pub(crate) fn new(
        progress: &'a dyn Progress,
        clock: &'a dyn Clock,
        dataset: &str,
        revision: u32,
        next_part: u32,
        keeps: bool,
    ) -> Self {
        Self {
            progress,
            clock,
            dataset: dataset.to_owned(),
            revision,
            keeps: keeps && progress.keeps_checkpoints(),
            read: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            pending: Mutex::new(Pending {
                next_part,
                read_at: None,
                listings: Vec::new(),
                records: 0,
                pages: 0,
            }),
        }
    }

    /// Counts records that were read earlier.
    pub(crate) fn resumed(&self, records: usize) {
        let read = self.read.fetch_add(records as u64, Ordering::Relaxed) + records as u64;
        self.progress.records(&self.dataset, read);
    }

    /// Takes a page. `false`: the run is to stop.
    pub(crate) async fn page(&self, shape: &Shape, id: &str, at: ListingAt, records: &[Record]) -> bool {
        self.resumed(records.len());
        if !self.keeps {
            return true;
        }
        let full = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.now();
            pending.read_at.get_or_insert(now);
            pending.records += records.len();
            pending.pages += 1;
            pending.listings.push(ListingPart {
                id: id.to_owned(),
                at,
                records: records.iter().map(|r| r.to_json(shape)).collect(),
            });
            if pending.records >= RECORDS || pending.pages >= PAGES { pending.take(self) } else { None }
        };
        if let Some(checkpoint) = full
            && self.progress.checkpoint(checkpoint).await.is_break()
        {
            self.stopped.store(true, Ordering::Relaxed);
        }
        !self.stopped.load(Ordering::Relaxed)
    }

    /// What has not been handed over.
    pub(crate) fn rest(&self) -> Option<Checkpoint> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take(self)
    }
}

impl Pending {
    fn take(&mut self, sink: &Sink<'_>) -> Option<Checkpoint> {
        if self.listings.is_empty() {
            return None;
        }
        let part = self.next_part;
        self.next_part += 1;
        (self.records, self.pages) = (0, 0);
        Some(Checkpoint {
            dataset: sink.dataset.clone(),
            part,
            revision: sink.revision,
            read_at: self.read_at.take().unwrap_or_else(|| sink.clock.now()),
            listings: std::mem::take(&mut self.listings),
        })
    }
}
