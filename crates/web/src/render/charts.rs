//! Charts drawn on the server: SVG with title and description; the page puts the data as a table beside them.

use std::fmt::Write as _;

use model::finding::Severity;
use model::scan::RunOutcome;
use model::view::{DayBar, DayCell, Mark, SeverityCounts, TrendPoint};

use super::{Escaped, Markup, count, plural};

/// `2 critical, 7 high`, or `no open findings`.
pub(crate) fn severity_sentence(counts: &SeverityCounts) -> String {
    let parts: Vec<String> = Severity::ALL
        .iter()
        .filter(|s| counts.of(**s) > 0)
        .map(|s| format!("{} {}", count(counts.of(*s)), s.as_str()))
        .collect();
    if parts.is_empty() { "no open findings".to_owned() } else { parts.join(", ") }
}

/// The stacked bar of open findings, worst first.
pub(crate) fn severity_bar(counts: &SeverityCounts) -> Markup {
    const WIDTH: u64 = 600;
    let sentence = severity_sentence(counts);
    let total = counts.total();
    let mut out = format!(
        r#"<svg class="sev-bar" viewBox="0 0 {WIDTH} 8" preserveAspectRatio="none" role="img" aria-label="{sentence}" focusable="false"><title>{sentence}</title>"#
    );
    if total == 0 {
        let _ = write!(out, r#"<rect class="none" x="0" y="0" width="{WIDTH}" height="8"/>"#);
    } else {
        // One finding among thousands must still be seen: each part that is not empty gets at least 2 % first.
        let present = Severity::ALL.iter().filter(|s| counts.of(**s) > 0).count() as u64;
        let least = WIDTH / 50;
        let gaps = present.saturating_sub(1) * 3;
        let share = WIDTH - present * least - gaps;
        let mut x = 0;
        for severity in Severity::ALL {
            let n = counts.of(severity);
            if n == 0 {
                continue;
            }
            let width =
                least + u64::try_from(u128::from(share) * u128::from(n) / u128::from(total)).unwrap_or(share);
            let _ = write!(
                out,
                r#"<rect class="sev-{}" x="{x}" y="0" width="{width}" height="8"/>"#,
                severity.as_str()
            );
            x += width + 3;
        }
    }
    out.push_str("</svg>");
    Markup(out)
}

/// What a day of the health bar was.
pub(crate) fn day_word(cell: &DayCell) -> &'static str {
    cell.mark.map_or("no run", Mark::word)
}

/// The numbers of a day, as words.
pub(crate) fn day_runs(succeeded: u32, partial: u32, failed: u32) -> String {
    let mut parts = Vec::new();
    for (n, word) in [(succeeded, "succeeded"), (partial, "partial"), (failed, "failed")] {
        if n > 0 {
            parts.push(format!("{} {word}", count(u64::from(n))));
        }
    }
    if parts.is_empty() { "no run finished".to_owned() } else { parts.join(", ") }
}

/// The health bar: one cell a day. The worse, the shorter, so that it reads without colour.
pub(crate) fn health_bar(bar: &DayBar, of: &str) -> Markup {
    const PITCH: usize = 8;
    let sentence = health_sentence(bar, of);
    let width = (bar.days.len().max(1) * PITCH) - 2;
    let mut out = format!(
        r#"<svg class="health-bar" viewBox="0 0 {width} 24" preserveAspectRatio="none" role="img" aria-label="{0}" focusable="false"><title>{0}</title>"#,
        Escaped(&sentence)
    );
    for (at, day) in bar.days.iter().enumerate() {
        let (class, height) = match day.mark {
            Some(Mark::Up) => ("up", 24),
            Some(Mark::Unhealthy) => ("unhealthy", 16),
            Some(Mark::Down) => ("down", 9),
            Some(Mark::Paused) => ("paused", 24),
            Some(Mark::Scanning | Mark::NotEnabled) | None => ("none", 2),
        };
        let _ = write!(
            out,
            r#"<rect class="day-{class}" x="{}" y="{}" width="6" height="{height}"><title>{}: {}; {}</title></rect>"#,
            at * PITCH,
            24 - height,
            Escaped(&day.date),
            day_word(day),
            day_runs(day.succeeded, day.partial, day.failed)
        );
    }
    out.push_str("</svg>");
    Markup(out)
}

/// The health bar in one sentence.
pub(crate) fn health_sentence(bar: &DayBar, of: &str) -> String {
    let days = |mark| bar.days.iter().filter(|d| d.mark == mark).count() as u64;
    let mut parts = Vec::new();
    for mark in [Mark::Up, Mark::Unhealthy, Mark::Down, Mark::Paused] {
        let n = days(Some(mark));
        if n > 0 {
            parts.push(format!("{} {}", plural(n, "day", "days"), mark.word()));
        }
    }
    let none =
        bar.days.iter().filter(|d| matches!(d.mark, None | Some(Mark::Scanning | Mark::NotEnabled))).count();
    if none > 0 {
        parts.push(format!("{} without a run", plural(none as u64, "day", "days")));
    }
    format!("{of}, last {}: {}", plural(bar.days.len() as u64, "day", "days"), parts.join(", "))
}

/// A share of time as text, rounded down: 100 % means all of it.
pub(crate) fn percent(hundredths: &Option<i64>) -> String {
    match hundredths {
        None => "paused all the time".to_owned(),
        Some(10_000) => "100 %".to_owned(),
        Some(n) => format!("{}.{:02} %", n / 100, n % 100),
    }
}

/// What runs took: one bar a run for its length, a line for its requests, each on a scale of its own.
pub(crate) fn trend(points: &[TrendPoint], of: &str) -> Markup {
    const PITCH: usize = 8;
    const HEIGHT: i64 = 48;
    let longest = points.iter().map(|p| p.took.0.max(0)).max().unwrap_or(0);
    let most = points.iter().map(|p| p.requests).max().unwrap_or(0);
    let sentence = format!(
        "{of}, last {}: up to {} and {} a run",
        plural(points.len() as u64, "run", "runs"),
        model::words::duration(model::time::Duration(longest)),
        plural(u64::from(most), "request", "requests")
    );
    let width = (points.len().max(1) * PITCH) - 2;
    let mut out = format!(
        r#"<svg class="trend" viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{0}" focusable="false"><title>{0}</title><desc>Bars are the length of each run, the line is its requests; oldest first.</desc>"#,
        Escaped(&sentence)
    );
    let scaled = |value: i64, top: i64| {
        let share = i128::from(value.max(0)) * i128::from(HEIGHT - 2) / i128::from(top.max(1));
        i64::try_from(share).unwrap_or(HEIGHT) + 2
    };
    let mut line = String::new();
    for (n, point) in points.iter().enumerate() {
        let (x, height) = (n * PITCH, scaled(point.took.0, longest));
        let class = match point.outcome {
            RunOutcome::Succeeded => "up",
            RunOutcome::Partial(_) => "unhealthy",
            RunOutcome::Failed(_) => "down",
        };
        let _ = write!(
            out,
            r#"<rect class="day-{class}" x="{x}" y="{}" width="6" height="{height}"/>"#,
            HEIGHT - height
        );
        let _ = write!(line, "{},{} ", x + 3, HEIGHT - scaled(i64::from(point.requests), i64::from(most)));
    }
    let _ = write!(out, r#"<polyline class="trend-line" points="{}"/></svg>"#, line.trim_end());
    Markup(out)
}

/// Days in a row that were the same, as one row of the table: latest first.
pub(crate) struct Stretch {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) word: &'static str,
    pub(crate) runs: String,
}

/// The health bar's data as table rows.
pub(crate) fn stretches(bar: &DayBar) -> Vec<Stretch> {
    let mut out: Vec<(Option<Mark>, &DayCell, &DayCell, [u32; 3])> = Vec::new();
    for day in bar.days.iter().rev() {
        match out.last_mut() {
            Some((mark, _, oldest, runs)) if *mark == day.mark => {
                *oldest = day;
                for (sum, n) in runs.iter_mut().zip([day.succeeded, day.partial, day.failed]) {
                    *sum = sum.saturating_add(n);
                }
            }
            _ => out.push((day.mark, day, day, [day.succeeded, day.partial, day.failed])),
        }
    }
    out.into_iter()
        .map(|(_, newest, oldest, [succeeded, partial, failed])| Stretch {
            from: oldest.date.clone(),
            to: newest.date.clone(),
            word: day_word(newest),
            runs: day_runs(succeeded, partial, failed),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, mark: Option<Mark>, succeeded: u32, failed: u32) -> DayCell {
        DayCell { date: date.to_owned(), mark, succeeded, partial: 0, failed }
    }

    #[test]
    fn one_finding_among_thousands_is_still_drawn() {
        let counts = SeverityCounts { critical: 1, low: 1_000_000, ..SeverityCounts::default() };
        let svg = severity_bar(&counts).to_string();
        assert!(svg.contains(r#"class="sev-critical" x="0" y="0" width="12""#), "{svg}");
        assert!(svg.contains("1 critical, 1,000,000 low"), "{svg}");
    }

    #[test]
    fn the_parts_of_a_bar_fit_into_it() {
        for counts in [
            SeverityCounts { critical: 1, high: 1, medium: 1, low: 1, informational: 1 },
            SeverityCounts { critical: u64::MAX / 8, high: 3, ..SeverityCounts::default() },
        ] {
            let svg = severity_bar(&counts).to_string();
            let widths: u64 = svg
                .split("<rect ")
                .skip(1)
                .map(|r| {
                    let rest = r.split_once("width=\"").expect("a width").1;
                    rest.split('"').next().expect("a number").parse::<u64>().expect("a number") + 3
                })
                .sum();
            assert!(widths <= 603, "{svg}");
        }
    }

    #[test]
    fn a_trend_is_drawn_within_its_box_and_tells_its_scale() {
        let point = |took: i64, requests, outcome| TrendPoint {
            at: model::time::Timestamp(0),
            took: model::time::Duration(took),
            requests,
            outcome,
        };
        let failed = RunOutcome::Failed(model::scan::FailureCause::Remote);
        let points = [
            point(-5, 0, failed),
            point(60_000, 10, RunOutcome::Succeeded),
            point(i64::MAX, u32::MAX, failed),
        ];
        let svg = trend(&points, "<b>").to_string();
        assert!(!svg.contains("<b>"), "{svg}");
        for height in svg.split(" height=\"").skip(1) {
            let height: i64 = height.split('"').next().expect("a number").parse().expect("a number");
            assert!((2..=48).contains(&height), "{svg}");
        }
        assert!(svg.contains(r#"points="3,46 11,46 19,0""#), "{svg}");
        assert!(trend(&[], "Config Scan").to_string().contains("last 0 runs"));
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        let shown: Vec<String> = [Some(10_000), Some(9_999), Some(5), None].iter().map(percent).collect();
        assert_eq!(shown, ["100 %", "99.99 %", "0.05 %", "paused all the time"]);
    }

    #[test]
    fn equal_days_become_one_row() {
        let bar = DayBar {
            days: vec![
                day("2026-11-19", None, 0, 0),
                day("2026-11-20", Some(Mark::Up), 24, 0),
                day("2026-11-21", Some(Mark::Up), 23, 0),
                day("2026-11-22", Some(Mark::Down), 0, 9),
            ],
        };
        let rows: Vec<String> =
            stretches(&bar).iter().map(|s| format!("{} {} {} ({})", s.from, s.to, s.word, s.runs)).collect();
        assert_eq!(
            rows,
            [
                "2026-11-22 2026-11-22 Down (9 failed)",
                "2026-11-20 2026-11-21 Up (47 succeeded)",
                "2026-11-19 2026-11-19 no run (no run finished)"
            ]
        );
        assert_eq!(
            health_sentence(&bar, "Config Scan"),
            "Config Scan, last 4 days: 2 days Up, 1 day Down, 1 day without a run"
        );
    }
}
