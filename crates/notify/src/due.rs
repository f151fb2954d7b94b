//! When a digest is owed: once for each local day of its reader, at the minute they chose.

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::time::Timestamp;

/// When somebody's digests are due.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The reader's time zone.
    pub zone: TimeZone,
    /// Minute of the local day, 0 to 1439.
    pub minute: u16,
}

impl Pace {
    /// By the zone's IANA name. One that this program does not know is UTC: a digest at an odd hour is better than none.
    #[must_use]
    pub fn new(zone: &str, minute: u16) -> Self {
        Self { zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC), minute: minute.min(24 * 60 - 1) }
    }

    /// When the digest of a local day is due. Where clocks are put forward over that minute, as much later as the gap is
    /// long; where they are put back over it, the first of the two.
    #[must_use]
    pub fn at(&self, day: Date) -> Timestamp {
        let (hour, minute) = (self.minute / 60, self.minute % 60);
        // Both are in range: the minute is below 1440.
        let at = day.at(i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0), 0, 0);
        // Beyond the calendar's ends nothing is ever due.
        at.to_zoned(self.zone.clone())
            .map_or(Timestamp(i64::MAX), |z| Timestamp(z.timestamp().as_millisecond()))
    }

    /// The local day at an instant.
    #[must_use]
    pub fn day(&self, now: Timestamp) -> Date {
        now.to_jiff().to_zoned(self.zone.clone()).date()
    }

    /// The day whose digest is owed at `now`: the latest that has come due, unless it (or a later one) was made. Days
    /// that were missed before it are told by it too, not made up for one by one. Nothing was owed before `since`.
    #[must_use]
    pub fn due(&self, since: Timestamp, made: Option<Date>, now: Timestamp) -> Option<Date> {
        let day = self.latest(now)?;
        (self.at(day) > since && made.is_none_or(|made| made < day)).then_some(day)
    }

    /// The latest day that has come due.
    fn latest(&self, now: Timestamp) -> Option<Date> {
        let today = self.day(now);
        let days = [Some(today), today.yesterday().ok()];
        days.into_iter().flatten().find(|day| self.at(*day) <= now)
    }

    /// When the next day after `now` comes due.
    #[must_use]
    pub fn next_at(&self, now: Timestamp) -> Timestamp {
        let today = self.day(now);
        let days = [Some(today), today.tomorrow().ok(), today.checked_add(2.days()).ok()];
        days.into_iter().flatten().map(|day| self.at(day)).find(|at| *at > now).unwrap_or(Timestamp(i64::MAX))
    }
}

/// A day as it is stored: `2026-11-26`.
#[must_use]
pub fn parse_day(text: &str) -> Option<Date> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn d(text: &str) -> Date {
        parse_day(text).unwrap()
    }

    const LONG_AGO: Timestamp = Timestamp(0);

    /// Steps through time as a ticker does and makes whatever is owed.
    fn made(pace: &Pace, from: &str, to: &str, step_minutes: i64) -> Vec<(Date, Timestamp)> {
        let (mut now, end) = (t(from), t(to));
        let mut made: Vec<(Date, Timestamp)> = Vec::new();
        while now < end {
            if let Some(day) = pace.due(LONG_AGO, made.last().map(|(day, _)| *day), now) {
                made.push((day, now));
            }
            now = now + model::time::Duration::minutes(step_minutes);
        }
        made
    }

    #[test]
    fn eight_o_clock_is_local() {
        let berlin = Pace::new("Europe/Berlin", 480);
        assert_eq!(berlin.at(d("2026-01-15")), t("2026-01-15T07:00:00Z"));
        assert_eq!(berlin.at(d("2026-07-15")), t("2026-07-15T06:00:00Z"));
        assert_eq!(Pace::new("Asia/Kolkata", 480).at(d("2026-01-15")), t("2026-01-15T02:30:00Z"));
        assert_eq!(Pace::new("Asia/Kathmandu", 480).at(d("2026-01-15")), t("2026-01-15T02:15:00Z"));
        assert_eq!(Pace::new("Australia/Lord_Howe", 480).at(d("2026-07-15")), t("2026-07-14T21:30:00Z"));
        assert_eq!(Pace::new("Mars/Olympus", 480).at(d("2026-01-15")), t("2026-01-15T08:00:00Z"));
    }

    #[test]
    fn a_minute_that_the_clocks_skip_comes_once_and_later() {
        let pace = Pace::new("Europe/Berlin", 150);
        assert_eq!(pace.at(d("2026-03-29")), t("2026-03-29T01:30:00Z"), "02:30 does not exist; 03:30 does");
        let all = made(&pace, "2026-03-27T12:00:00Z", "2026-04-01T12:00:00Z", 5);
        let days: Vec<String> = all.iter().map(|(day, _)| day.to_string()).collect();
        assert_eq!(
            days,
            ["2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01"]
        );
        // Half an hour is skipped here.
        let pace = Pace::new("Australia/Lord_Howe", 135);
        assert_eq!(pace.at(d("2026-10-04")), t("2026-10-03T15:45:00Z"), "02:15 does not exist; 02:45 does");
    }

    #[test]
    fn a_minute_that_comes_twice_counts_the_first_time() {
        let pace = Pace::new("Europe/Berlin", 150);
        assert_eq!(pace.at(d("2026-10-25")), t("2026-10-25T00:30:00Z"));
        let all = made(&pace, "2026-10-23T12:00:00Z", "2026-10-28T12:00:00Z", 5);
        let of_the_day: Vec<_> = all.iter().filter(|(day, _)| *day == d("2026-10-25")).collect();
        assert_eq!(of_the_day, [&(d("2026-10-25"), t("2026-10-25T00:30:00Z"))]);
    }

    #[test]
    fn a_leap_day_is_a_day() {
        let all =
            made(&Pace::new("America/New_York", 480), "2028-02-28T00:00:00Z", "2028-03-02T00:00:00Z", 30);
        let days: Vec<String> = all.iter().map(|(day, _)| day.to_string()).collect();
        assert_eq!(days, ["2028-02-27", "2028-02-28", "2028-02-29", "2028-03-01"]);
    }

    #[test]
    fn down_over_the_hour_is_late_once_and_not_never() {
        let pace = Pace::new("UTC", 480);
        let yesterday = Some(d("2026-11-25"));
        assert_eq!(pace.due(LONG_AGO, yesterday, t("2026-11-26T07:59:59Z")), None);
        assert_eq!(pace.due(LONG_AGO, yesterday, t("2026-11-26T23:59:00Z")), Some(d("2026-11-26")));
        // Over midnight, the day before is still owed; then today's at its hour.
        assert_eq!(pace.due(LONG_AGO, yesterday, t("2026-11-27T03:00:00Z")), Some(d("2026-11-26")));
        assert_eq!(pace.due(LONG_AGO, Some(d("2026-11-26")), t("2026-11-27T03:00:00Z")), None);
        assert_eq!(
            pace.due(LONG_AGO, Some(d("2026-11-26")), t("2026-11-27T08:00:00Z")),
            Some(d("2026-11-27"))
        );
        // A week away is one digest.
        let back = t("2026-12-03T10:00:00Z");
        assert_eq!(pace.due(LONG_AGO, yesterday, back), Some(d("2026-12-03")));
        assert_eq!(pace.due(LONG_AGO, Some(d("2026-12-03")), back), None);
    }

    #[test]
    fn whoever_is_added_in_the_afternoon_hears_the_next_morning() {
        let pace = Pace::new("Europe/Berlin", 480);
        let added = t("2026-11-26T14:00:00Z");
        assert_eq!(pace.due(added, None, t("2026-11-26T14:01:00Z")), None);
        assert_eq!(pace.due(added, None, t("2026-11-27T07:00:00Z")), Some(d("2026-11-27")));
    }

    #[test]
    fn moving_to_another_zone_never_makes_a_day_twice() {
        // Berlin has had the 26th; Auckland's 26th is half over, and Honolulu's has not begun.
        let had = Some(d("2026-11-26"));
        let now = t("2026-11-26T07:30:00Z");
        assert_eq!(Pace::new("Pacific/Auckland", 480).due(LONG_AGO, had, now), None);
        let honolulu = Pace::new("Pacific/Honolulu", 480);
        assert_eq!(honolulu.due(LONG_AGO, had, now), None);
        assert_eq!(honolulu.due(LONG_AGO, had, t("2026-11-26T19:00:00Z")), None, "the 26th was made");
        assert_eq!(honolulu.due(LONG_AGO, had, t("2026-11-27T18:00:00Z")), Some(d("2026-11-27")));
    }

    #[test]
    fn the_next_one_is_always_ahead() {
        let pace = Pace::new("Europe/Berlin", 150);
        for text in
            ["2026-03-28T23:00:00Z", "2026-03-29T01:30:00Z", "2026-10-25T00:30:00Z", "2026-12-31T23:30:00Z"]
        {
            let now = t(text);
            let next = pace.next_at(now);
            assert!(next > now && next < now + model::time::Duration::hours(26), "{text}: {next}");
        }
    }
}
