//! Every outcome sequence to length 8, for one to three scans, at rest, running, waiting and paused, against a second
//! reading of the rules: histories as strings and tables written out, sharing no code with `model::health`.

mod common;

use std::collections::BTreeMap;

use common::{NOW, finish, instance, run_id, scan};
use model::health::{
    Enablement, Lease, Mark, OpenRun, Paused, Progress, ScanFacts, app_mark, app_status, scan_mark,
    scan_status, settled_status,
};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Spread, after_run};
use model::time::{Duration, Timestamp};

/// What a scan does at the moment of reading.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Doing {
    Rest,
    Running,
    Waiting,
    /// A run that waited beyond its deadline and was not closed yet: no longer exempt from being overdue.
    WaitedTooLong,
    /// A lease that expired without a commit: the worker is gone.
    Crashed,
}
const DOINGS: [Doing; 5] =
    [Doing::Rest, Doing::Running, Doing::Waiting, Doing::WaitedTooLong, Doing::Crashed];

/// A scan with the history `S`, `P`, `F` (oldest first), read at [`NOW`]; `late` puts all of it long ago.
fn facts(kind: ScanKind, history: &str, doing: Doing, late: bool) -> ScanFacts {
    let begin = if late { NOW - Duration::days(3) } else { NOW - Duration::minutes(40) };
    let mut facts = ScanFacts { watched_since: begin, next_at: begin, ..scan(kind) };
    for letter in history.chars() {
        let outcome = match letter {
            'S' => RunOutcome::Succeeded,
            'P' => RunOutcome::Partial(FailureCause::Permission),
            _ => RunOutcome::Failed(FailureCause::Permission),
        };
        facts = after_run(&facts, &instance(), finish(outcome, begin), Spread(0)).scan;
    }
    let open = |waiting_until, deadline, lease| {
        Some(OpenRun { run: run_id(), started_at: begin, deadline, waiting_until, abandoned: 0, lease })
    };
    let lease = |expires_at| Some(Lease { fence: 1, expires_at, progress: Progress::default() });
    let later = NOW + Duration::minutes(5);
    let earlier = NOW - Duration::minutes(5);
    facts.open = match doing {
        Doing::Rest => None,
        Doing::Running => open(None, later, lease(later)),
        Doing::Waiting => open(Some(later), later, None),
        Doing::WaitedTooLong => open(Some(later), earlier, None),
        Doing::Crashed => open(None, later, lease(earlier)),
    };
    facts
}

/// The second reading of one scan: its word, and its letter in the two tables below.
fn expected(history: &str, doing: Doing, late: bool) -> (&'static str, char, char) {
    let overdue = late && doing != Doing::Waiting;
    let word = if history.ends_with("FFF") {
        "Down"
    } else if overdue {
        "Unhealthy"
    } else if doing == Doing::Running || history.is_empty() {
        "Scanning"
    } else if history.ends_with('S') {
        "Up"
    } else {
        "Unhealthy"
    };
    // A scan that is Down and runs reads Scanning, unless it is overdue as well.
    let word = if doing == Doing::Running && !overdue { "Scanning" } else { word };
    let finished = match history.chars().last() {
        _ if overdue => '-',
        None => '.',
        Some('S') => '+',
        Some('P') => '~',
        Some(_) => '-',
    };
    let shown = match (doing, finished) {
        (Doing::Running, _) if !overdue => '+',
        (_, '.') => '+',
        (_, letter) => letter,
    };
    (word, shown, finished)
}

/// What the tile says for the sorted letters of its scans: `+` fine, `-` failed, `~` partial.
const TILE: &str = "
    + Up | - Down | ~ Unhealthy
    ++ Up | +- Unhealthy | +~ Unhealthy | -- Down | -~ Unhealthy | ~~ Unhealthy
    +++ Up | ++- Unhealthy | ++~ Unhealthy | +-- Unhealthy | +-~ Unhealthy | +~~ Unhealthy
    --- Down | --~ Unhealthy | -~~ Unhealthy | ~~~ Unhealthy";

/// The settled status; `.` is a scan without a finished run that is not overdue.
const SETTLED: &str = "
    + up | - down | . none | ~ unhealthy
    ++ up | +- unhealthy | +. unhealthy | +~ unhealthy | -- down | -. unhealthy | -~ unhealthy
    .. none | .~ unhealthy | ~~ unhealthy
    +++ up | ++- unhealthy | ++. unhealthy | ++~ unhealthy | +-- unhealthy | +-. unhealthy | +-~ unhealthy
    +.. unhealthy | +.~ unhealthy | +~~ unhealthy
    --- down | --. unhealthy | --~ unhealthy | -.. unhealthy | -.~ unhealthy | -~~ unhealthy
    ... none | ..~ unhealthy | .~~ unhealthy | ~~~ unhealthy";

fn table(text: &'static str) -> BTreeMap<&'static str, &'static str> {
    text.split(['|', '\n']).filter_map(|cell| cell.trim().split_once(' ')).collect()
}

fn sorted(letters: impl Iterator<Item = char>) -> String {
    let mut letters: Vec<char> = letters.collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// Every history of length 0 to 8.
fn histories() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..8 {
        last = last.iter().flat_map(|h| ["S", "P", "F"].map(|letter| format!("{h}{letter}"))).collect();
        all.extend_from_slice(&last);
    }
    all
}

#[test]
fn every_history_of_one_scan_reads_as_the_rules_say() {
    let histories = histories();
    assert_eq!(histories.len(), (0..=8).map(|n| 3usize.pow(n)).sum::<usize>());
    for history in &histories {
        for doing in DOINGS {
            for late in [false, true] {
                let scan = facts(ScanKind::Config, history, doing, late);
                let (word, _, _) = expected(history, doing, late);
                assert_eq!(
                    scan_status(&scan, &instance(), NOW).title(),
                    word,
                    "{history} {doing:?} late={late}"
                );
            }
        }
    }
}

/// Scans touch each other's facts nowhere, so the fold over every combination of histories is the fold over every
/// combination of distinct facts, once each of these is shown to have one reading only.
#[test]
fn every_combination_of_one_to_three_scans_folds_as_the_tables_say() {
    let mut distinct: Vec<(ScanFacts, (&'static str, char, char))> = Vec::new();
    for history in histories() {
        for doing in DOINGS {
            for late in [false, true] {
                let facts = facts(ScanKind::Config, &history, doing, late);
                let reading = expected(&history, doing, late);
                match distinct.iter().find(|(seen, _)| *seen == facts) {
                    Some((_, seen)) => assert_eq!(*seen, reading, "one state, two readings: {history}"),
                    None => distinct.push((facts, reading)),
                }
            }
        }
    }
    assert!(distinct.len() >= 11 * DOINGS.len() * 2, "{} states", distinct.len());
    // The count of failures beyond Down changes no reading; leaving the long ones out keeps the triples few.
    distinct.retain(|(facts, _)| facts.failures_in_a_row <= 4);
    let (tile, settled) = (table(TILE), table(SETTLED));
    let check = |scans: &[&(ScanFacts, (&'static str, char, char))]| {
        let all: Vec<ScanFacts> = scans.iter().map(|(facts, _)| facts.clone()).collect();
        let shown = sorted(scans.iter().map(|(_, (_, shown, _))| *shown));
        let finished = sorted(scans.iter().map(|(_, (_, _, finished))| *finished));
        assert_eq!(app_status(&instance(), &all, NOW).title(), tile[shown.as_str()], "{all:#?}");
        assert_eq!(settled_status(&instance(), &all, NOW).as_str(), settled[finished.as_str()], "{all:#?}");
    };
    // One representative of each (shown, finished, doing) for the triples; every state for one and two scans.
    let mut few: Vec<&(ScanFacts, (&'static str, char, char))> = Vec::new();
    for state in &distinct {
        let same = |other: &&(ScanFacts, (&'static str, char, char))| {
            other.1 == state.1
                && other.0.open == state.0.open
                && other.0.failures_in_a_row == state.0.failures_in_a_row
        };
        if !few.iter().any(same) {
            few.push(state);
        }
    }
    for a in &distinct {
        check(&[a]);
        for b in &few {
            check(&[a, b]);
        }
    }
    for (i, a) in few.iter().enumerate() {
        for (j, b) in few.iter().enumerate().skip(i) {
            for c in few.iter().skip(j) {
                check(&[a, b, c]);
            }
        }
    }
}

#[test]
fn paused_replaces_every_status_and_is_never_overdue() {
    let mut paused = instance();
    paused.paused = Some(Paused { since: NOW - Duration::days(2), by: "ada".into() });
    for history in histories().iter().filter(|h| h.len() <= 4) {
        for late in [false, true] {
            let scans = [facts(ScanKind::Config, history, Doing::Rest, late)];
            assert_eq!(app_mark(&paused, &scans, NOW), Mark::Paused);
            assert_eq!(scan_mark(&scans[0], &paused, NOW), Mark::Paused);
            let (_, _, finished) = expected(history, Doing::Rest, false);
            let settled = table(SETTLED)[finished.to_string().as_str()];
            assert_eq!(
                settled_status(&paused, &scans, NOW).as_str(),
                settled,
                "the last settled status stays: {history}"
            );
        }
    }
}

#[test]
fn scans_that_are_not_enabled_do_not_count() {
    let up = facts(ScanKind::Config, "S", Doing::Rest, false);
    let mut down = facts(ScanKind::Accounts, "FFF", Doing::Rest, false);
    down.enablement =
        Enablement::NotEnabled { missing: vec!["members:read".into()], checked_at: NOW, offered: false };
    assert_eq!(scan_mark(&down, &instance(), NOW), Mark::NotEnabled);
    assert_eq!(app_mark(&instance(), &[up, down.clone()], NOW), Mark::Up);
    assert_eq!(app_mark(&instance(), &[down], NOW), Mark::Unhealthy, "an empty fold is no good news");
    assert_eq!(app_mark(&instance(), &[], NOW), Mark::Unhealthy);
    assert_eq!(settled_status(&instance(), &[], NOW).as_str(), "unhealthy");
}

#[test]
fn the_first_scan_shows_the_blue_mark_until_it_is_overdue() {
    let at = |minutes| {
        let scans = [facts(ScanKind::Config, "", Doing::Rest, false)];
        app_mark(&instance(), &scans, scans[0].watched_since + Duration::minutes(minutes))
    };
    assert_eq!((at(0), at(60), at(61)), (Mark::Scanning, Mark::Scanning, Mark::Down));
}

#[test]
fn overdue_begins_two_intervals_and_an_hour_after_the_last_finish() {
    let scan = facts(ScanKind::Accounts, "S", Doing::Rest, false);
    let finished = scan.last.as_ref().expect("one run").finished_at;
    let limit = finished + Duration::hours(13);
    assert_eq!(scan_status(&scan, &instance(), limit).title(), "Up");
    assert_eq!(scan_status(&scan, &instance(), limit + Duration(1)).title(), "Unhealthy");
    // A clock that was set back by far must not keep it green either.
    assert_eq!(scan_status(&scan, &instance(), finished - Duration::hours(14)).title(), "Unhealthy");
    assert_eq!(scan_status(&scan, &instance(), Timestamp(0)).title(), "Unhealthy");
}

#[test]
fn what_was_saved_while_a_clock_ran_ahead_makes_nothing_late() {
    let scan = facts(ScanKind::Accounts, "S", Doing::Rest, false);
    let finished = scan.last.as_ref().expect("one run").finished_at;
    let scan = ScanFacts { watched_since: finished + Duration::days(9), ..scan };
    let limit = finished + Duration::hours(13);
    assert_eq!(scan_status(&scan, &instance(), limit).title(), "Up");
    assert_eq!(scan_status(&scan, &instance(), limit + Duration(1)).title(), "Unhealthy");
}
