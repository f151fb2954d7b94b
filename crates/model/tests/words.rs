//! Every sentence, in one file that reads like the product speaks.

mod common;

use std::fmt::Write as _;

use common::{NOW, finish, instance, run_id, scan};
use model::diagnosis::{Fault, Rung, Warning};
use model::health::{Enablement, InstanceFacts, Lease, OpenRun, Paused, Progress, ScanFacts, Suspension};
use model::identity::State;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Spread, after_run};
use model::time::{Duration, Timestamp};
use model::words::{
    About, FleetCounts, RungState, cause_says, duration, fault_says, fleet, ladder, remedy, warning_remedy,
    warning_says_at,
};

const fn ago(minutes: i64) -> Timestamp {
    Timestamp(NOW.0 - minutes * 60_000)
}

fn fault(cause: FailureCause, reached: Rung) -> Fault {
    Fault {
        cause,
        reached,
        dataset: Some("members".into()),
        request: Some("GET https://api.github.com/orgs/acme/members".into()),
        status: None,
        vendor_message: None,
        request_id: None,
        needs: vec![],
        detail: "GitHub did not answer as wanted".into(),
        at: ago(15),
    }
}

fn refused() -> Fault {
    Fault {
        status: Some(401),
        vendor_message: Some("Bad credentials".into()),
        request_id: Some("C0DE:1".into()),
        detail: "GitHub refused the token".into(),
        ..fault(FailureCause::Credentials, Rung::Http)
    }
}

fn forbidden() -> Fault {
    Fault {
        status: Some(403),
        needs: vec!["members:read".into()],
        vendor_message: Some("Resource not accessible by integration".into()),
        detail: "the token may not read members".into(),
        ..fault(FailureCause::Permission, Rung::Authenticated)
    }
}

/// The scan after runs that ended so, 15 minutes apart, the last one 15 minutes ago.
fn lived(kind: ScanKind, runs: &[(&str, Fault)]) -> ScanFacts {
    let mut facts = scan(kind);
    let mut shared = instance();
    for (i, (letter, fault)) in runs.iter().enumerate() {
        let at = ago(15 * i64::try_from(runs.len() - i).expect("few"));
        let outcome = match *letter {
            "S" => RunOutcome::Succeeded,
            "P" => RunOutcome::Partial(fault.cause),
            _ => RunOutcome::Failed(fault.cause),
        };
        let mut finish = finish(outcome, at);
        finish.run.started_at = at - Duration::seconds(192);
        finish.run.fault = outcome.cause().map(|_| Box::new(fault.clone()));
        let after = after_run(&facts, &shared, finish, Spread(0));
        (facts, shared) = (after.scan, after.instance);
    }
    facts
}

fn good(kind: ScanKind) -> ScanFacts {
    lived(kind, &[("S", refused())])
}

fn open(facts: ScanFacts, waiting_until: Option<Timestamp>, progress: Option<Progress>) -> ScanFacts {
    let lease = progress.map(|progress| Lease { fence: 1, expires_at: NOW + Duration::minutes(1), progress });
    let deadline = NOW + Duration::hours(3);
    let open = OpenRun { run: run_id(), started_at: ago(2), deadline, waiting_until, abandoned: 0, lease };
    ScanFacts { open: Some(open), ..facts }
}

const HALFWAY: Progress = Progress { datasets_done: 3, datasets_total: 8, records: 1204 };

/// One situation: the application's sentence, the note beside its word, then each scan's row.
fn situation(out: &mut String, title: &str, instance: &InstanceFacts, scans: &[ScanFacts]) {
    let about = About { app: "GitHub", instance, scans, now: NOW };
    writeln!(out, "## {title}").expect("a string");
    writeln!(out, "{}", about.application().plain(NOW)).expect("a string");
    if let Some(note) = about.tile_note() {
        writeln!(out, "  tile: {}", note.plain(NOW)).expect("a string");
    }
    for facts in scans {
        let words = about.scan(facts);
        writeln!(out, "- {}: {}: {}", facts.kind.title(), words.mark, words.says.plain(NOW))
            .expect("a string");
        for note in &words.notes {
            writeln!(out, "    note: {}", note.plain(NOW)).expect("a string");
        }
        if let Some(next) = &words.next {
            writeln!(out, "    next: {}", next.plain(NOW)).expect("a string");
        }
        if let Some(remedy) = &words.remedy {
            writeln!(out, "    do: {} [{:?}; {}]", remedy.says.plain(NOW), remedy.action, remedy.who)
                .expect("a string");
        }
    }
    out.push('\n');
}

#[test]
fn every_status_speaks() {
    use ScanKind::{Accounts, Config, Plugins};
    let mut text = String::new();
    let out = &mut text;
    let plain = instance();
    let mut with_gaps = good(Plugins);
    with_gaps.last.as_mut().expect("one").gaps = 2;

    situation(out, "never run", &plain, &[scan(Config), scan(Accounts)]);
    situation(
        out,
        "first run in progress",
        &plain,
        &[open(scan(Config), None, Some(HALFWAY)), scan(Accounts)],
    );
    situation(out, "first run just claimed", &plain, &[open(scan(Config), None, Some(Progress::default()))]);
    situation(out, "one result, one still missing", &plain, &[good(Config), scan(Accounts)]);
    situation(out, "up, with gaps", &plain, &[good(Config), with_gaps]);
    let twice = lived(Accounts, &[("F", forbidden()), ("F", forbidden())]);
    situation(out, "lacks a permission for one scan", &plain, &[good(Config), twice.clone()]);
    let no_needs = Fault { needs: vec![], ..forbidden() };
    situation(
        out,
        "the same, permission not named",
        &plain,
        &[good(Config), lived(Accounts, &[("F", no_needs)])],
    );
    let partial = lived(Config, &[("S", refused()), ("P", fault(FailureCause::Remote, Rung::Http))]);
    situation(out, "partial", &plain, &[partial]);
    let lost = lived(Config, &[("F", refused())]);
    situation(out, "every latest run failed once", &plain, std::slice::from_ref(&lost));
    let down = lived(Config, &[("F", refused()), ("F", refused()), ("F", refused())]);
    let suspended = InstanceFacts {
        credential_failures_in_a_row: 3,
        suspension: Some(Suspension { since: ago(15), tries: 0, next_try_at: NOW + Duration::minutes(45) }),
        ..instance()
    };
    situation(out, "down for credentials, suspended", &suspended, &[down.clone(), lost]);
    situation(out, "down, running", &plain, &[open(down.clone(), None, Some(HALFWAY)), good(Accounts)]);
    let asked = ScanFacts { wanted_at: Some(ago(1)), ..open(good(Config), None, Some(HALFWAY)) };
    situation(out, "running, asked for again", &plain, &[asked]);
    let reset = Some(NOW + Duration::minutes(50));
    let asked = ScanFacts { wanted_at: Some(ago(1)), ..open(good(Config), reset, None) };
    situation(out, "waiting for the vendor, asked for", &plain, &[asked, open(twice.clone(), reset, None)]);
    let blocked = InstanceFacts { blocked_until: reset, ..instance() };
    situation(
        out,
        "inside the vendor's back-off",
        &blocked,
        &[ScanFacts { wanted_at: Some(NOW), ..good(Config) }],
    );
    let old = |mut facts: ScanFacts| {
        facts.watched_since = ago(60 * 24 * 3);
        if let Some(last) = &mut facts.last {
            last.finished_at = ago(60 * 24 * 2);
        }
        facts
    };
    situation(out, "overdue", &plain, &[old(good(Config)), old(scan(Accounts)), old(down)]);
    let paused = InstanceFacts { paused: Some(Paused { since: ago(90), by: "Ada".into() }), ..instance() };
    situation(out, "paused", &paused, &[good(Config), twice]);
    situation(out, "paused before any result", &paused, &[scan(Config)]);
    let lacking = |offered| Enablement::NotEnabled {
        missing: vec!["members:read".into(), "administration:read".into()],
        checked_at: ago(300),
        offered,
    };
    let off = |enablement| ScanFacts { enablement, ..scan(Accounts) };
    let stopped = Enablement::Stopped { since: ago(90), by: "Ada".into() };
    let scans = [good(Config), off(lacking(false)), off(lacking(true)), off(stopped)];
    situation(out, "not enabled", &plain, &scans);
    situation(out, "nothing enabled", &plain, &[off(lacking(false))]);
    insta::assert_snapshot!("statuses", text);
}

#[test]
fn every_cause_has_its_remedy() {
    let mut text = String::new();
    for cause in FailureCause::ALL {
        let rungs: &[Rung] = match cause {
            FailureCause::Unreachable => &[Rung::NotSent, Rung::Name, Rung::Address, Rung::Tcp, Rung::Tls],
            FailureCause::Internal => &[Rung::NotSent],
            FailureCause::Permission => &[Rung::Authenticated],
            _ => &[Rung::Http],
        };
        for rung in rungs {
            let fault = fault(cause, *rung);
            let remedy = remedy(&fault, "GitHub");
            let drawn: Vec<String> = ladder(&fault)
                .iter()
                .map(|rung| {
                    let mark = match rung.state {
                        RungState::Held => "✓",
                        RungState::Failed => "✗",
                        RungState::NotReached => "·",
                    };
                    format!("{} {mark}", rung.rung.word())
                })
                .collect();
            writeln!(text, "{cause}: {}\n  {}", cause_says(cause), drawn.join(" ")).expect("a string");
            writeln!(text, "  {}", fault_says(&fault).plain(NOW)).expect("a string");
            writeln!(text, "  {} [{:?}; {}]", remedy.says.plain(NOW), remedy.action, remedy.who)
                .expect("a string");
        }
    }
    writeln!(text, "{}", fault_says(&refused()).plain(NOW)).expect("a string");
    let bare = Fault { request: None, detail: String::new(), ..fault(FailureCause::Throttled, Rung::Http) };
    writeln!(text, "{}", fault_says(&bare).plain(NOW)).expect("a string");
    insta::assert_snapshot!("causes", text);
}

#[test]
fn what_is_not_broken_yet_is_said_ahead() {
    let soon = NOW + Duration::days(9);
    let request = || "GET https://api.github.com/orgs/acme".to_owned();
    let warnings = [
        Warning::CredentialExpires { at: soon },
        Warning::PermissionLost { permission: "members:read".into() },
        Warning::Deprecated { request: request(), sunset_at: Some(soon) },
        Warning::Deprecated { request: request(), sunset_at: None },
        Warning::VersionEnds { interface: "https://api.github.com".into(), at: soon },
        Warning::VersionEnds { interface: "https://api.github.com".into(), at: NOW },
        Warning::RateBudget { used_percent: 91, resets_at: Some(NOW + Duration::minutes(12)) },
        Warning::RateBudget { used_percent: 91, resets_at: None },
        Warning::CredentialIdles { at: soon },
        Warning::OwnerLeft { owner: "Ada Berg".into(), state: State::Suspended, provider: "Okta".into() },
        Warning::OwnerLeft { owner: "Ada Berg".into(), state: State::Removed, provider: "Okta".into() },
        Warning::Shrank { dataset: "members".into(), title: "Members".into(), had: 1200, has: 31, at: NOW },
        Warning::Slow {
            scan: ScanKind::Config,
            takes: Duration::minutes(40),
            took: None,
            interval: Duration::hours(1),
        },
        Warning::Slow {
            scan: ScanKind::Accounts,
            takes: Duration::minutes(40),
            took: Some(Duration::minutes(15)),
            interval: Duration::hours(6),
        },
        Warning::CredentialExpires { at: NOW },
    ];
    let says =
        |w| format!("{} {}", warning_says_at(w, NOW).plain(NOW), warning_remedy(w, "GitHub").says.plain(NOW));
    let text: Vec<String> = warnings.iter().map(says).collect();
    insta::assert_snapshot!("warnings", text.join("\n"));
}

#[test]
fn all_applications_in_one_sentence() {
    let counts = |total, down, unhealthy, no_result, paused, expiring| FleetCounts {
        total,
        down,
        unhealthy,
        no_result,
        paused,
        expiring,
        first_expiry_at: (expiring > 0).then(|| NOW + Duration::days(9)),
    };
    let cases = [
        counts(0, 0, 0, 0, 0, 0),
        counts(0, 0, 0, 0, 2, 0),
        counts(1, 0, 0, 0, 0, 0),
        counts(6, 0, 0, 0, 1, 0),
        counts(6, 0, 0, 6, 0, 0),
        counts(6, 0, 0, 2, 0, 0),
        counts(14, 1, 1, 0, 0, 1),
        counts(14, 1, 0, 3, 2, 3),
    ];
    let text: Vec<String> = cases.iter().map(|c| fleet(c).plain(NOW)).collect();
    insta::assert_snapshot!("fleet", text.join("\n"));
}

#[test]
fn lengths_of_time_read_well() {
    let lengths = [0, 850, 1000, 59_999, 60_000, 192_000, 3_600_000, 3_900_000, 86_400_000, 183_600_000];
    let text: Vec<String> = lengths.iter().map(|ms| duration(Duration(*ms))).collect();
    assert_eq!(
        text,
        ["0 ms", "850 ms", "1 s", "59 s", "1 min", "3 min 12 s", "1 h", "1 h 5 min", "1 day", "2 days 3 h"]
    );
}
