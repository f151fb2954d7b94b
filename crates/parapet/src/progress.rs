//! What a person at the terminal sees of a running scan. Nothing, when standard error is not a terminal.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use collect::{Checkpoint, DatasetState};
use futures_util::future::BoxFuture;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::scan::ScanKind;

/// A line that changes: datasets done of all, and what is being read.
pub(crate) struct Line {
    bar: ProgressBar,
    done: AtomicU32,
    /// What has been read, in case the vendor asks to wait for long and the run goes on later. As text: most runs never look
    /// at it again, and as JSON values it takes several times the memory.
    parts: Mutex<Vec<Result<Vec<u8>, serde_json::Error>>>,
}

impl Line {
    pub(crate) fn new(kind: ScanKind, datasets: usize) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(datasets as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix:24} {bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(kind.title());
        Self { bar, done: AtomicU32::new(0), parts: Mutex::default() }
    }

    /// The parts read so far. An error: one of them cannot be had again, so that none before or after it may be built on.
    pub(crate) fn take_parts(&self) -> Result<Vec<Checkpoint>, serde_json::Error> {
        let parts =
            std::mem::take(&mut *self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        parts.into_iter().map(|part| serde_json::from_slice(&part?)).collect()
    }

    /// The run is over: the line goes, and with it what was kept of what was read.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl collect::Progress for Line {
    fn dataset(&self, name: &str, state: DatasetState) {
        if state == DatasetState::Reading {
            self.bar.set_message(name.to_owned());
        } else {
            self.bar.set_position(u64::from(self.done.fetch_add(1, Ordering::Relaxed) + 1));
        }
    }

    fn records(&self, name: &str, records: u64) {
        self.bar.set_message(format!("{name}: {records} records"));
    }

    fn checkpoint(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ControlFlow<()>> {
        let part = serde_json::to_vec(&checkpoint);
        self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(part);
        Box::pin(std::future::ready(ControlFlow::Continue(())))
    }
}
