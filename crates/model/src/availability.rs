//! Availability: the share of time in which everything that is scanned was known to be well.
//!
//! Each finished run says how a scan stood until the next one finished. The time after a run that succeeded counts as Up, but only
//! for so long as the result is not overdue (twice the interval and an hour): what nobody has looked at is not known to be well.
//! An application is Up while every enabled scan is. Paused time is left out. Time before the first run counts, and not as Up.

use crate::time::{Duration, Timestamp};

/// A stretch of time: from, until.
pub type Stretch = (Timestamp, Timestamp);

/// One enabled scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// How often it runs.
    pub interval: Duration,
    /// Its finished runs, oldest first: when, and whether it succeeded.
    pub runs: Vec<(Timestamp, bool)>,
}

/// How much of a time was Up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// Known to be Up.
    pub up: Duration,
    /// All that counts.
    pub of: Duration,
}

impl Availability {
    /// In hundredths of a percent, rounded down, so that 100 % means all of it; `None` when nothing counts.
    #[must_use]
    pub fn hundredths(&self) -> Option<i64> {
        (self.of.0 > 0)
            .then(|| i64::try_from(i128::from(self.up.0) * 10_000 / i128::from(self.of.0)).unwrap_or(0))
    }
}

/// What was Up between two instants, without the paused stretches.
#[must_use]
pub fn availability(
    scans: &[Watched],
    paused: &[Stretch],
    from: Timestamp,
    until: Timestamp,
) -> Availability {
    let mut counted = if from < until { vec![(from, until)] } else { Vec::new() };
    for pause in paused {
        counted = counted.into_iter().flat_map(|stretch| without(stretch, *pause)).collect();
    }
    let mut up = if scans.is_empty() { Vec::new() } else { counted.clone() };
    for scan in scans {
        up = common(&up, &good(scan, until));
    }
    Availability { up: length(&up), of: length(&counted) }
}

/// When a scan was known to be well, in order.
fn good(scan: &Watched, until: Timestamp) -> Vec<Stretch> {
    let lasts = Duration(scan.interval.0.saturating_mul(2)) + Duration::hours(1);
    let next = scan.runs.iter().skip(1).map(|(at, _)| *at).chain([until]);
    let stretches = scan.runs.iter().zip(next).filter(|((_, succeeded), _)| *succeeded);
    stretches.map(|((at, _), next)| (*at, next.min(*at + lasts))).filter(|(a, b)| a < b).collect()
}

fn without((from, until): Stretch, (off, on): Stretch) -> impl Iterator<Item = Stretch> {
    let before = (from, until.min(off));
    let after = (from.max(on), until);
    let apart = off < on;
    let parts = if apart { [before, after] } else { [(from, until), (until, until)] };
    parts.into_iter().filter(|(a, b)| a < b)
}

/// What is in both; each in order and without overlaps.
fn common(one: &[Stretch], other: &[Stretch]) -> Vec<Stretch> {
    let (mut i, mut j, mut both) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        let stretch = (a.0.max(b.0), a.1.min(b.1));
        if stretch.0 < stretch.1 {
            both.push(stretch);
        }
        if a.1 < b.1 { i += 1 } else { j += 1 }
    }
    both
}

fn length(stretches: &[Stretch]) -> Duration {
    Duration(stretches.iter().map(|(from, until)| (*until - *from).0).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp(0) + Duration::hours(hours)
    }

    fn hourly(runs: impl IntoIterator<Item = (i64, bool)>) -> Watched {
        let runs = runs.into_iter().map(|(hours, good)| (at(hours), good)).collect();
        Watched { interval: Duration::hours(1), runs }
    }

    fn hours(scans: &[Watched], paused: &[Stretch], from: i64, until: i64) -> (i64, i64) {
        let found = availability(scans, paused, at(from), at(until));
        (found.up.0 / Duration::hours(1).0, found.of.0 / Duration::hours(1).0)
    }

    #[test]
    fn time_after_success_is_up_until_the_next_run_and_unknown_time_never_is() {
        let all = hourly((0..100).map(|n| (n, true)));
        assert_eq!(hours(std::slice::from_ref(&all), &[], 0, 100), (100, 100));
        assert_eq!(hours(std::slice::from_ref(&all), &[], -10, 100), (100, 110), "before the first run");
        assert_eq!(hours(std::slice::from_ref(&all), &[], 0, 200), (102, 200), "overdue after three hours");
        assert_eq!(hours(&[], &[], 0, 100), (0, 100), "nothing enabled is not well");
        assert_eq!(hours(&[hourly([])], &[], 0, 100), (0, 100));
        let broken = hourly((0..100).map(|n| (n, !(40..60).contains(&n))));
        assert_eq!(hours(&[all, broken], &[], 0, 100), (80, 100), "one failing scan is enough");
    }

    #[test]
    fn paused_time_is_left_out_of_both() {
        let all = hourly((0..100).map(|n| (n, true)));
        let scans = [all];
        assert_eq!(hours(&scans, &[(at(10), at(30))], 0, 100), (80, 80));
        assert_eq!(hours(&scans, &[(at(-10), at(200))], 0, 100), (0, 0));
        assert_eq!(availability(&scans, &[(at(-10), at(200))], at(0), at(100)).hundredths(), None);
        assert_eq!(hours(&scans, &[(at(30), at(10))], 0, 100), (100, 100), "no stretch at all");
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        assert_eq!(Availability { up: Duration(99_999), of: Duration(100_000) }.hundredths(), Some(9_999));
        assert_eq!(Availability { up: Duration(7), of: Duration(7) }.hundredths(), Some(10_000));
    }
}
