//! Named stages with printed times, all of them run, and a table at the end.

use crate::Result;
use std::time::{Duration, Instant};

/// Tests that a stage ran, as its own output counted them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

/// Runs stages one after another and remembers how each ended.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<(String, Duration, Option<String>)>,
    counts: Counts,
    uncounted: bool,
}

impl Stages {
    /// Runs one stage; a failure is shown at once and remembered, later stages still run.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result) -> bool {
        self.counted(name, || (work(), Some(Counts::default())))
    }

    /// Runs one stage that counts tests; `None` says that they could not be counted, because they did not run to the end.
    pub(crate) fn counted(&mut self, name: &str, work: impl FnOnce() -> (Result, Option<Counts>)) -> bool {
        println!("\n== {name}");
        let began = Instant::now();
        let (outcome, counts) = work();
        let took = began.elapsed();
        match counts {
            Some(counts) => {
                self.counts.passed += counts.passed;
                self.counts.failed += counts.failed;
            }
            None => self.uncounted = true,
        }
        match &outcome {
            Ok(()) => println!("-- {name}: ok, {}", seconds(took)),
            Err(message) => println!("-- {name}: FAILED, {}\n{message}", seconds(took)),
        }
        self.done.push((name.to_owned(), took, outcome.err()));
        self.done.last().is_some_and(|(_, _, failure)| failure.is_none())
    }

    /// Prints the table of stages and, where every stage with tests ran to its end, the tests of all of them.
    pub(crate) fn finish(self) -> Result {
        self.table();
        if self.uncounted {
            println!("not all tests ran, so they are not counted");
        } else {
            println!("{} passed, {} failed", self.counts.passed, self.counts.failed);
        }
        self.outcome()
    }

    /// Ends stages that run no tests: their times were printed already.
    pub(crate) fn finish_untested(self) -> Result {
        self.outcome()
    }

    fn table(&self) {
        println!("\n== stages");
        for (name, took, failure) in &self.done {
            let ended = if failure.is_none() { "ok" } else { "FAILED" };
            println!("{ended:>7}  {:>8}  {name}", seconds(*took));
        }
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        println!("{:>7}  {:>8}  all stages", "", seconds(total));
    }

    fn outcome(&self) -> Result {
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|(_, _, failure)| failure.is_some())
            .map(|(name, _, _)| name.as_str())
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
    }
}

/// A duration as people read it: `12.3 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
