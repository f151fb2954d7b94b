//! How starts that fell together spread again: computed, by the law that the product draws its next starts with, because
//! it takes days.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::schedule::Spread;
use model::time::Duration;

use crate::percentile;

/// Scans, each of which runs every hour.
pub(crate) const SCANS: usize = 10_000;
/// Runs that the server works off in a second.
pub(crate) const CAPACITY: i64 = 20;
/// For how many hours.
const HOURS: usize = 24 * 28;

/// One hour after a standstill at whose end everything was due.
#[derive(Debug, Clone)]
pub(crate) struct Hour {
    /// Starts in each of its minutes.
    pub(crate) starts: [u32; 60],
    /// How late its runs began, in seconds, sorted.
    pub(crate) late: Vec<f64>,
}

impl Hour {
    /// Starts in the minute with most of them.
    pub(crate) fn most(&self) -> u32 {
        self.starts.iter().copied().max().unwrap_or_default()
    }

    /// How late 99 of 100 began at most, in seconds.
    pub(crate) fn p99(&self) -> f64 {
        percentile(&self.late, 99)
    }
}

/// Each hour after it.
pub(crate) fn after_a_standstill() -> Vec<Hour> {
    let interval = Duration::hours(1);
    let mut dice = 0x2545_f491_4f6c_dd1du64;
    let mut draw = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        Spread((dice >> 48) as u16)
    };
    let mut due: BinaryHeap<Reverse<i64>> = (0..SCANS).map(|_| Reverse(0)).collect();
    let mut hours = vec![Hour { starts: [0; 60], late: Vec::new() }; HOURS];
    let mut free_at = 0;
    while let Some(Reverse(due_at)) = due.pop() {
        let start = due_at.max(free_at);
        let Some(hour) = usize::try_from(start / interval.0).ok().and_then(|n| hours.get_mut(n)) else {
            break;
        };
        let minute = usize::try_from(start % interval.0 / 60_000).unwrap_or(0);
        hour.starts[minute] += 1;
        hour.late.push((start - due_at) as f64 / 1e3);
        free_at = start + 1_000 / CAPACITY;
        due.push(Reverse(start + interval.0 + draw().of(interval).0));
    }
    for hour in &mut hours {
        hour.late.sort_unstable_by(f64::total_cmp);
    }
    hours
}
