//! When a change of an application's settled status is told: after it has held for [`HOLD`]. Pure.
//!
//! What was last told is kept for each instance. An application that leaves it and comes back sooner is not told of:
//! such an episode is in the history and in the digest only. Leaving Up for [`HOLD`] is told even where the status goes
//! back and forth between Unhealthy and Down meanwhile.

use model::health::SettledStatus;
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a settled status must have held.
pub const HOLD: Duration = Duration::minutes(30);

/// How long after an alert about several instances of one product the next one of that sort waits, so that what breaks
/// together is told together.
pub const FOLD: Duration = Duration::minutes(15);

/// What is remembered about one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// What was last told (or what it was when watching began).
    pub told: SettledStatus,
    /// Since when what was told is so.
    pub told_since: Timestamp,
    /// What was last seen.
    pub seen: SettledStatus,
    /// Since when.
    pub seen_since: Timestamp,
    /// Since when it has differed from what was told, without a break.
    pub left_at: Option<Timestamp>,
    /// Most failures in a row of one scan since it was last told Up.
    pub failures: u32,
    /// Since when it has not been Up, once that was told: the length of an outage counts from here, however often it
    /// went between Unhealthy and Down.
    #[serde(default)]
    pub not_up_since: Option<Timestamp>,
}

/// What is seen of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The settled status.
    pub settled: SettledStatus,
    /// Since when some scan has failed by the stored facts; earlier than this was seen, where Parapet was away.
    pub failing_since: Option<Timestamp>,
    /// Most failures in a row of one scan.
    pub failures: u32,
}

/// A change to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub was: SettledStatus,
    /// Since when it had been that.
    pub was_since: Timestamp,
    /// Now.
    pub is: SettledStatus,
    /// Since when.
    pub since: Timestamp,
    /// For a recovery: most failures in a row.
    pub failures: u32,
    /// For a recovery: since when it had not been Up.
    pub not_up_since: Timestamp,
}

impl Change {
    /// Whether this is good news. Only Up is: from Down to Unhealthy is still not known to be well.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        self.is == SettledStatus::Up
    }
}

impl Watch {
    /// The beginning. An application that was onboarded well is not news; one that is not Up is, once that has held.
    #[must_use]
    pub fn begin(sight: Sight, now: Timestamp) -> Self {
        let told =
            if sight.settled == SettledStatus::Up { SettledStatus::Up } else { SettledStatus::NoneYet };
        let watch = Self {
            told,
            told_since: now,
            seen: told,
            seen_since: now,
            left_at: None,
            failures: 0,
            not_up_since: None,
        };
        watch.see(sight, now)
    }

    /// What is remembered after a look.
    #[must_use]
    pub fn see(mut self, sight: Sight, now: Timestamp) -> Self {
        // What was seen while a clock ran ahead is not held up until then.
        self.seen_since = self.seen_since.min(now);
        self.told_since = self.told_since.min(now);
        self.left_at = self.left_at.map(|at| at.min(now));
        self.not_up_since = self.not_up_since.map(|at| at.min(now));
        let settled = sight.settled;
        if settled == SettledStatus::NoneYet {
            // Nothing can be said; nothing was said either.
            return Self { seen: settled, seen_since: now, left_at: None, ..self };
        }
        if self.told == SettledStatus::NoneYet && settled == SettledStatus::Up {
            self.told = settled;
            self.told_since = now;
        }
        // What is not Up began when its scans did, not when this process came to look. When it went from bad to worse, they
        // do not tell.
        let leaves = settled != SettledStatus::Up && self.was_well() && self.left_at.is_none();
        let began = sight.failing_since.filter(|_| leaves);
        if settled != self.seen {
            self.seen = settled;
            self.seen_since = began.map_or(now, |at| at.min(now).max(self.told_since));
        }
        if settled == self.told {
            self.left_at = None;
        } else {
            self.left_at.get_or_insert(self.seen_since);
        }
        if settled != SettledStatus::Up {
            self.failures = self.failures.max(sight.failures);
        } else if self.told == SettledStatus::Up {
            self.failures = 0;
        }
        self
    }

    /// Whether what was told last is no bad news.
    const fn was_well(&self) -> bool {
        matches!(self.told, SettledStatus::Up | SettledStatus::NoneYet)
    }

    /// The change that is to be told by now.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Change> {
        let left_at = self.left_at?;
        let held = |since: Timestamp| now - since >= HOLD;
        let was_well = self.was_well();
        let due = held(self.seen_since) || (was_well && self.seen != SettledStatus::Up && held(left_at));
        due.then_some(Change {
            was: self.told,
            was_since: self.told_since,
            is: self.seen,
            since: if was_well { left_at } else { self.seen_since },
            failures: self.failures,
            not_up_since: self.not_up_since.unwrap_or(self.told_since),
        })
    }

    /// When [`Watch::due`] may say something first, if nothing else happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.left_at.map(|_| self.seen_since + HOLD)
    }

    /// What is remembered after a change was told.
    #[must_use]
    pub fn after(&self, change: &Change) -> Self {
        Self {
            told: change.is,
            told_since: change.since,
            left_at: None,
            failures: if change.is_recovery() { 0 } else { self.failures },
            not_up_since: (!change.is_recovery()).then(|| self.not_up_since.unwrap_or(change.since)),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SettledStatus::{Down, NoneYet, Unhealthy, Up};

    fn m(minutes: i64) -> Timestamp {
        Timestamp(0) + Duration::minutes(minutes)
    }

    /// Looks every minute at what `status` says, and collects what is told.
    fn told(
        from: i64,
        to: i64,
        status: impl Fn(i64) -> SettledStatus,
    ) -> Vec<(i64, SettledStatus, SettledStatus)> {
        let sight = |at| Sight { settled: status(at), failing_since: None, failures: 3 };
        let mut watch = Watch::begin(sight(from), m(from));
        let mut all = Vec::new();
        for at in from..to {
            watch = watch.see(sight(at), m(at));
            if let Some(change) = watch.due(m(at)) {
                all.push((at, change.was, change.is));
                watch = watch.after(&change);
            }
        }
        all
    }

    #[test]
    fn a_status_is_told_once_it_has_held() {
        let down = |at| if at < 10 { Up } else { Down };
        assert_eq!(told(0, 500, down), [(40, Up, Down)]);
        let back = |at| if (10..200).contains(&at) { Down } else { Up };
        assert_eq!(told(0, 500, back), [(40, Up, Down), (230, Down, Up)]);
    }

    #[test]
    fn a_short_episode_is_not_told() {
        assert_eq!(told(0, 500, |at| if (10..39).contains(&at) { Down } else { Up }), []);
        let flapping_back = |at| if at < 10 || (100..120).contains(&at) { Up } else { Down };
        assert_eq!(told(0, 500, flapping_back), [(40, Up, Down)]);
    }

    #[test]
    fn going_to_and_fro_between_bad_and_worse_is_told() {
        let uneasy = |at| match at {
            ..10 => Up,
            at if at / 7 % 2 == 0 => Down,
            _ => Unhealthy,
        };
        let all = told(0, 300, uneasy);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].0, all[0].1), (40, Up));
    }

    #[test]
    fn from_bad_to_worse_must_hold_too() {
        let worse = |at| match at {
            ..10 => Up,
            10..100 => Unhealthy,
            _ => Down,
        };
        assert_eq!(told(0, 300, worse), [(40, Up, Unhealthy), (130, Unhealthy, Down)]);
    }

    #[test]
    fn onboarding_well_is_no_news_and_onboarding_badly_is() {
        assert_eq!(told(0, 300, |at| if at < 5 { NoneYet } else { Up }), []);
        assert_eq!(told(0, 300, |at| if at < 5 { NoneYet } else { Down }), [(35, NoneYet, Down)]);
    }

    #[test]
    fn what_a_clock_that_ran_ahead_saw_is_told_when_it_is_set_right() {
        let sight = |settled| Sight { settled, failing_since: None, failures: 3 };
        let watch = Watch::begin(sight(Up), m(0)).see(sight(Down), m(9 * 1440));
        let watch = watch.see(sight(Down), m(10));
        assert_eq!((watch.due(m(39)), watch.due(m(40)).map(|change| change.is)), (None, Some(Down)));
    }

    #[test]
    fn what_happened_while_parapet_was_away_counts_from_when_it_began() {
        let watch = Watch::begin(Sight { settled: Up, failing_since: None, failures: 0 }, m(0));
        let watch = watch.see(Sight { settled: Down, failing_since: Some(m(60)), failures: 4 }, m(120));
        let change = watch.due(m(120)).expect("it has been down for an hour");
        assert_eq!((change.since, change.failures), (m(60), 4));
        let watch = watch.after(&change).see(Sight { settled: Up, failing_since: None, failures: 0 }, m(300));
        let change = watch.due(m(330)).expect("it has held");
        assert_eq!((change.since - change.was_since, change.failures), (Duration::hours(4), 4));
        assert!(change.is_recovery());
    }

    #[test]
    fn what_gets_worse_is_held_too_and_the_outage_counts_from_its_beginning() {
        let sight = |settled| Sight { settled, failing_since: Some(m(10)), failures: 3 };
        let mut watch = Watch::begin(Sight { failing_since: None, ..sight(Up) }, m(0));
        let mut told = Vec::new();
        for at in 0..600 {
            let settled = match at {
                ..10 | 400.. => Up,
                10..100 => Unhealthy,
                100..300 => Down,
                300..400 => Unhealthy,
            };
            watch = watch.see(sight(settled), m(at));
            if let Some(change) = watch.due(m(at)) {
                told.push((at, change.is, (change.since - change.not_up_since).0 / 60_000));
                watch = watch.after(&change);
            }
        }
        assert_eq!(
            told[..3].iter().map(|t| (t.0, t.1)).collect::<Vec<_>>(),
            [(40, Unhealthy), (130, Down), (330, Unhealthy)]
        );
        assert_eq!(told[3..], [(430, Up, 390)], "from minute 10 to minute 400");
        assert_eq!(watch.not_up_since, None);
    }
}
