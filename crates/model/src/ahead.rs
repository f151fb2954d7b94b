//! Before it breaks: which warnings there are, how long each lasts, and which is the most urgent.

use crate::diagnosis::Warning;
use crate::identity::Departed;
use crate::scan::ScanKind;
use crate::time::{Duration, Timestamp};

/// How long ahead the end of a credential is a warning.
pub const AHEAD: Duration = Duration::days(14);
/// How long a dataset that shrank is pointed out, unless it grows back before.
pub const SHRANK_FOR: Duration = Duration::days(7);
/// A dataset with fewer records may lose half of them without a word.
pub const SHRANK_FROM: u64 = 10;
/// Successful runs that say how long a scan takes.
pub const LATEST: usize = 5;
/// Successful runs before them that say how long it used to take.
pub const BEFORE: usize = 20;
/// A scan that is done in this time is not slow, however quick it was before.
pub const SLOW_FROM: Duration = Duration::minutes(1);

impl Warning {
    /// The stable word in addresses and JSON.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CredentialExpires { .. } => "credential_expires",
            Self::CredentialIdles { .. } => "credential_idles",
            Self::PermissionLost { .. } => "permission_lost",
            Self::OwnerLeft { .. } => "owner_left",
            Self::Shrank { .. } => "shrank",
            Self::Slow { .. } => "slow",
            Self::Deprecated { .. } => "deprecated",
            Self::VersionEnds { .. } => "version_ends",
            Self::RateBudget { .. } => "rate_budget",
        }
    }

    /// The instant it is about, where it is about one.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::CredentialExpires { at } | Self::CredentialIdles { at } | Self::VersionEnds { at, .. } => {
                Some(*at)
            }
            Self::Deprecated { sunset_at, .. } => *sunset_at,
            Self::RateBudget { resets_at, .. } => *resets_at,
            Self::PermissionLost { .. }
            | Self::OwnerLeft { .. }
            | Self::Shrank { .. }
            | Self::Slow { .. } => None,
        }
    }

    /// What is lost already comes before what will be; after that, what can be put off least.
    const fn rank(&self) -> u8 {
        match self {
            Self::PermissionLost { .. } => 0,
            Self::CredentialExpires { .. } => 1,
            Self::CredentialIdles { .. } => 2,
            Self::OwnerLeft { .. } => 3,
            Self::Shrank { .. } => 4,
            Self::Slow { .. } => 5,
            Self::VersionEnds { .. } => 6,
            Self::Deprecated { .. } => 7,
            Self::RateBudget { .. } => 8,
        }
    }

    /// Sorts the most urgent first: an end within two days or past goes before everything.
    fn urgency(&self, now: Timestamp) -> (bool, u8, Option<Timestamp>) {
        let ends = matches!(self, Self::CredentialExpires { .. } | Self::CredentialIdles { .. });
        let soon = ends && self.at().is_some_and(|at| at <= now + Duration::days(2));
        (!soon, self.rank(), self.at())
    }
}

/// The word people read for [`Warning::kind`].
#[must_use]
pub fn kind_title(kind: &str) -> &'static str {
    match kind {
        "credential_expires" => "Credential expires",
        "credential_idles" => "Credential unused",
        "permission_lost" => "Permission lost",
        "owner_left" => "Owner has left",
        "shrank" => "Data shrank",
        "slow" => "Slow scan",
        "deprecated" => "API goes away",
        "version_ends" => "API version ends",
        "rate_budget" => "Rate limit nearly used up",
        _ => "Other",
    }
}

/// What is known of an instance beside what its scans tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a> {
    /// When its credential ends, as it was verified.
    pub expires_at: Option<Timestamp>,
    /// When it ends for want of use.
    pub idles_at: Option<Timestamp>,
    /// Its owner by name, where their account is known not to be live any more.
    pub owner_left: Option<(&'a str, &'a Departed)>,
}

impl Own<'_> {
    fn warnings(self, now: Timestamp) -> impl Iterator<Item = Warning> {
        let left = self.owner_left.filter(|(_, left)| now <= left.until);
        let owner = left.map(|(owner, left)| Warning::OwnerLeft {
            owner: owner.to_owned(),
            state: left.state,
            provider: left.provider.clone(),
        });
        let expires = self.expires_at.map(|at| Warning::CredentialExpires { at });
        let idles = self.idles_at.map(|at| Warning::CredentialIdles { at });
        expires.into_iter().chain(idles).chain(owner)
    }
}

/// All warnings of an instance, each once, the most urgent first: its own, and what its scans' latest runs told.
pub fn fold<'w>(
    own: Own<'_>,
    of_scans: impl IntoIterator<Item = &'w Warning>,
    now: Timestamp,
) -> Vec<Warning> {
    let told = of_scans.into_iter().cloned();
    let mut all: Vec<Warning> = Vec::new();
    for warning in own.warnings(now).chain(told) {
        match &warning {
            Warning::CredentialExpires { at } | Warning::CredentialIdles { at } => {
                let known = all.iter_mut().find(|w| w.kind() == warning.kind());
                match known {
                    // Of two ends the nearer one counts.
                    Some(
                        Warning::CredentialExpires { at: known } | Warning::CredentialIdles { at: known },
                    ) => {
                        *known = (*known).min(*at);
                    }
                    _ if *at <= now + AHEAD => all.push(warning),
                    _ => {}
                }
            }
            Warning::RateBudget { used_percent, resets_at } => {
                // Renewed meanwhile: nothing is known of the new budget.
                if resets_at.is_some_and(|at| at <= now) {
                    continue;
                }
                match all.iter_mut().find(|w| w.kind() == warning.kind()) {
                    Some(Warning::RateBudget { used_percent: known, .. }) if *known >= *used_percent => {}
                    Some(known) => *known = warning,
                    None => all.push(warning),
                }
            }
            // Scans may read the same dataset.
            Warning::Shrank { dataset, .. } => {
                if !all
                    .iter()
                    .any(|w| matches!(w, Warning::Shrank { dataset: known, .. } if known == dataset))
                {
                    all.push(warning);
                }
            }
            _ if all.contains(&warning) => {}
            _ => all.push(warning),
        }
    }
    all.sort_by_key(|w| w.urgency(now));
    all
}

/// What is left of a scan's earlier warnings after a run that told `fresh`. A run that failed cannot tell that a warning is
/// over: the end of a credential stays in sight while the vendor is away. Budgets are renewed within the hour and are told
/// afresh or not at all. A loss of records is told by one run and stays for a week, unless `counts` (the records of a dataset
/// that was read completely) says that they are back.
pub fn lasting<'w>(
    earlier: &'w [Warning],
    fresh: &'w [Warning],
    failed: bool,
    counts: &'w dyn Fn(&str) -> Option<u64>,
    now: Timestamp,
) -> impl Iterator<Item = Warning> + 'w {
    let lasts = move |warning: &&Warning| match warning {
        Warning::CredentialExpires { .. } | Warning::CredentialIdles { .. } | Warning::Slow { .. } => {
            failed && !fresh.iter().any(|w| w.kind() == warning.kind())
        }
        Warning::PermissionLost { .. } | Warning::Deprecated { .. } | Warning::VersionEnds { .. } => {
            failed && !fresh.contains(warning)
        }
        // No run tells that one.
        Warning::RateBudget { .. } | Warning::OwnerLeft { .. } => false,
        Warning::Shrank { dataset, had, at, .. } => {
            now < *at + SHRANK_FOR
                && counts(dataset).is_none_or(|has| is_loss(*had, has))
                && !fresh.iter().any(|w| matches!(w, Warning::Shrank { dataset: d, .. } if d == dataset))
        }
    };
    earlier.iter().filter(lasts).map(move |warning| match warning {
        Warning::Shrank { dataset, title, had, has, at } => Warning::Shrank {
            dataset: dataset.clone(),
            title: title.clone(),
            had: *had,
            has: counts(dataset).unwrap_or(*has),
            at: *at,
        },
        other => other.clone(),
    })
}

/// Whether a dataset lost so much from one complete snapshot to the next that it is pointed out. One that has emptied
/// counts as not read at first; once a second run or an operator agrees, it is pointed out like any other.
#[must_use]
pub const fn is_loss(had: u64, has: u64) -> bool {
    had >= SHRANK_FROM && has < had.div_ceil(2)
}

/// Whether a scan drifts towards its interval. `lengths` are those of its successful runs, the latest first.
#[must_use]
pub fn slow(scan: ScanKind, lengths: &[Duration], interval: Duration) -> Option<Warning> {
    let takes = median(lengths.get(..LATEST)?);
    if takes < SLOW_FROM {
        return None;
    }
    let before = lengths.get(LATEST..LATEST + BEFORE).map(median);
    let took = before.filter(|before| takes.0 >= before.0.saturating_mul(2));
    let crowded = takes.0.saturating_mul(2) > interval.0;
    (crowded || took.is_some()).then_some(Warning::Slow { scan, takes, took, interval })
}

/// The middle one; of an even number the mean of the middle two.
#[must_use]
pub fn median(lengths: &[Duration]) -> Duration {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => Duration::ZERO,
        odd if odd % 2 == 1 => sorted[middle],
        _ => Duration(sorted[middle - 1].0.midpoint(sorted[middle].0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_442_000_000);

    fn minutes(n: i64) -> Duration {
        Duration::minutes(n)
    }

    fn shrank(had: u64, has: u64, at: Timestamp) -> Warning {
        Warning::Shrank { dataset: "members".into(), title: "Members".into(), had, has, at }
    }

    #[test]
    fn a_scan_is_slow_past_half_its_interval_or_when_it_has_doubled() {
        let slow_of = |latest: i64, before: &[i64], interval: Duration| {
            let lengths: Vec<Duration> =
                [latest; LATEST].into_iter().chain(before.iter().copied()).map(Duration::seconds).collect();
            slow(ScanKind::Config, &lengths, interval)
        };
        let hour = Duration::hours(1);
        assert_eq!(slow_of(1800, &[], hour), None, "half of it is not more than half");
        assert!(matches!(slow_of(1801, &[], hour), Some(Warning::Slow { took: None, .. })));
        assert_eq!(slow_of(600, &[300; BEFORE - 1], hour), None, "too few runs to compare with");
        assert!(matches!(
            slow_of(600, &[300; BEFORE], hour),
            Some(Warning::Slow { took: Some(took), .. }) if took == minutes(5)
        ));
        assert_eq!(slow_of(599, &[300; BEFORE], hour), None);
        assert_eq!(slow_of(59, &[1; BEFORE], hour), None, "seconds are noise");
        assert_eq!(slow(ScanKind::Config, &[hour; LATEST - 1], hour), None, "too few runs to say anything");
        // One long run among the latest is no drift.
        let lengths = [minutes(50), minutes(1), minutes(1), minutes(1), minutes(1)];
        assert_eq!(slow(ScanKind::Config, &lengths, hour), None);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), Duration::ZERO);
        assert_eq!(median(&[minutes(3), minutes(1), minutes(9)]), minutes(3));
        assert_eq!(median(&[minutes(4), minutes(1), minutes(2), minutes(9)]), minutes(3));
    }

    #[test]
    fn a_loss_is_more_than_half_of_ten_or_more() {
        for (had, has, loss) in [
            (10, 4, true),
            (10, 5, false),
            (11, 5, true),
            (11, 6, false),
            (9, 1, false),
            (9, 0, false),
            (10, 0, true),
        ] {
            assert_eq!(is_loss(had, has), loss, "{had} to {has}");
        }
    }

    #[test]
    fn a_loss_stays_for_a_week_or_until_the_records_are_back() {
        let earlier = [shrank(100, 40, NOW)];
        let after = |has: Option<u64>, failed: bool, passed: Duration| {
            lasting(&earlier, &[], failed, &move |_| has, NOW + passed).collect::<Vec<_>>()
        };
        assert_eq!(after(Some(45), false, minutes(60)), [shrank(100, 45, NOW)]);
        assert_eq!(
            after(None, true, minutes(60)),
            [shrank(100, 40, NOW)],
            "a failed run does not know better"
        );
        assert_eq!(after(Some(50), false, minutes(60)), []);
        assert_eq!(after(Some(45), false, SHRANK_FOR), []);
    }

    #[test]
    fn only_a_run_that_did_not_fail_ends_a_warning() {
        let earlier = [
            Warning::CredentialExpires { at: NOW },
            Warning::PermissionLost { permission: "a".into() },
            Warning::RateBudget { used_percent: 90, resets_at: None },
        ];
        let left = |failed| lasting(&earlier, &[], failed, &|_| None, NOW).collect::<Vec<_>>();
        assert_eq!(left(true), earlier[..2]);
        assert_eq!(left(false), []);
        let fresh = [Warning::CredentialExpires { at: NOW + minutes(1) }];
        assert_eq!(lasting(&earlier, &fresh, true, &|_| None, NOW).collect::<Vec<_>>(), earlier[1..2]);
    }

    #[test]
    fn the_most_urgent_comes_first_and_each_once() {
        let lost = Warning::PermissionLost { permission: "a".into() };
        let budget = Warning::RateBudget { used_percent: 90, resets_at: Some(NOW + minutes(5)) };
        let more = Warning::RateBudget { used_percent: 95, resets_at: Some(NOW + minutes(5)) };
        let over = Warning::RateBudget { used_percent: 99, resets_at: Some(NOW) };
        let expires = |days| Warning::CredentialExpires { at: NOW + Duration::days(days) };
        let told = [budget, lost.clone(), expires(9), lost.clone(), more.clone(), shrank(20, 5, NOW), over];
        let own = |days| Own { expires_at: Some(NOW + Duration::days(days)), ..Own::default() };
        let all = fold(own(10), &told, NOW);
        assert_eq!(all, [lost.clone(), expires(9), shrank(20, 5, NOW), more], "the nearer end counts");
        assert_eq!(fold(own(1), [&lost], NOW), [expires(1), lost.clone()]);
        let late = Own { expires_at: Some(NOW + AHEAD + minutes(1)), ..Own::default() };
        assert_eq!(fold(late, [], NOW), []);
        let idle = Warning::CredentialIdles { at: NOW + AHEAD };
        assert_eq!(fold(Own { idles_at: Some(NOW + AHEAD), ..Own::default() }, [], NOW), [idle]);
    }

    #[test]
    fn an_owner_who_left_is_told_for_as_long_as_that_may_be_believed() {
        let left = Departed {
            state: crate::identity::State::Suspended,
            provider: "Okta".into(),
            until: NOW + minutes(5),
        };
        let own = Own { owner_left: Some(("Ada Berg", &left)), ..Own::default() };
        let told = Warning::OwnerLeft {
            owner: "Ada Berg".into(),
            state: crate::identity::State::Suspended,
            provider: "Okta".into(),
        };
        let lost = Warning::PermissionLost { permission: "a".into() };
        let shrunk = shrank(20, 5, NOW);
        assert_eq!(fold(own, [&shrunk, &lost], NOW), [lost.clone(), told, shrunk.clone()]);
        assert_eq!(fold(own, [&lost], NOW + minutes(6)), [lost]);
    }
}
