//! Digests as they are sent, held as snapshots, and what must never be said.

use model::diagnosis::{Fault, Rung, Warning};
use model::digest::{Application, Changes, Ending, Material, Recipient};
use model::health::{
    Enablement, FinishedRun, InstanceFacts, Lease, OpenRun, Paused, Progress, ScanFacts, Suspension,
};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::default_interval;
use model::time::{Duration, Timestamp};
use model::view::SeverityCounts;

use super::{Frame, Written, write};
use crate::due::Pace;

/// Thursday, 08:00 in Berlin.
fn now() -> Timestamp {
    Timestamp::parse("2026-11-26T07:00:00Z").unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - Duration::minutes(minutes)
}

fn finished(outcome: RunOutcome, minutes: i64, fault: Option<Fault>) -> FinishedRun {
    FinishedRun {
        run: "r".into(),
        outcome,
        fault: fault.map(Box::new),
        started_at: ago(minutes + 2),
        finished_at: ago(minutes),
        records: 420,
        requests: 30,
        gaps: 0,
    }
}

fn scan(kind: ScanKind, minutes: i64) -> ScanFacts {
    ScanFacts {
        kind,
        enablement: Enablement::Enabled,
        interval: default_interval(kind),
        watched_since: ago(20_000),
        next_at: ago(minutes) + default_interval(kind),
        wanted_at: None,
        open: None,
        last: Some(finished(RunOutcome::Succeeded, minutes, None)),
        last_success_at: Some(ago(minutes)),
        failures_in_a_row: 0,
        retryable_partials_in_a_row: 0,
        failing_since: None,
    }
}

fn failing(kind: ScanKind, minutes: i64, times: u32, since: i64, fault: Fault) -> ScanFacts {
    let cause = fault.cause;
    ScanFacts {
        last: Some(finished(RunOutcome::Failed(cause), minutes, Some(fault))),
        last_success_at: Some(ago(since + 60)),
        failures_in_a_row: times,
        failing_since: Some(ago(since)),
        next_at: ago(minutes) + Duration::minutes(15),
        ..scan(kind, minutes)
    }
}

fn fault(cause: FailureCause, reached: Rung, detail: &str, minutes: i64) -> Fault {
    Fault::local(cause, reached, detail, ago(minutes))
}

fn application(id: &str, name: &str, product: &str, scans: Vec<ScanFacts>) -> Application {
    Application {
        id: id.into(),
        name: name.to_owned(),
        product: product.to_owned(),
        tenant: name.split(' ').next().unwrap_or_default().to_lowercase(),
        inactive_owner: None,
        facts: InstanceFacts {
            id: id.into(),
            down_after: 3,
            onboarded_at: ago(20_000),
            paused: None,
            credential_version: 1,
            credential_failures_in_a_row: 0,
            suspension: None,
            blocked_until: None,
        },
        scans,
        warnings: Vec::new(),
        open: SeverityCounts::default(),
        stale: (0, None),
        changes: Changes::default(),
        exceptions: Vec::new(),
        unreviewed_plugins: 0,
    }
}

fn fine(id: &str, name: &str) -> Application {
    let kinds = [ScanKind::Config, ScanKind::Accounts, ScanKind::Plugins];
    application(id, name, "GitHub", kinds.into_iter().map(|k| scan(k, 25)).collect())
}

fn revoked(id: &str, name: &str) -> Application {
    let refused = || Fault {
        request: Some("GET https://api.github.com/orgs/umbrella".to_owned()),
        status: Some(401),
        vendor_message: Some("Bad credentials".to_owned()),
        ..fault(FailureCause::Credentials, Rung::Http, "GitHub refused the credential", 40)
    };
    let scans = vec![
        failing(ScanKind::Config, 40, 4, 420, refused()),
        failing(ScanKind::Accounts, 50, 3, 410, refused()),
    ];
    let mut app = application(id, name, "GitHub", scans);
    app.facts.credential_failures_in_a_row = 7;
    app.facts.suspension =
        Some(Suspension { since: ago(300), tries: 1, next_try_at: now() + Duration::hours(2) });
    app.open = SeverityCounts { critical: 1, high: 3, ..Default::default() };
    app.stale = (4, Some(ago(420)));
    app
}

fn company() -> Material {
    let mut lacking = fine("0002", "Initech");
    lacking.scans[1] = failing(
        ScanKind::Accounts,
        12,
        2,
        160,
        Fault {
            dataset: Some("members".to_owned()),
            needs: vec!["members:read".to_owned()],
            status: Some(403),
            ..fault(FailureCause::Permission, Rung::Authenticated, "GitHub refused to list the members", 12)
        },
    );
    let mut busy = fine("0003", "Acme");
    busy.open = SeverityCounts { critical: 2, high: 4, medium: 10, low: 3, informational: 0 };
    busy.changes = Changes {
        new: SeverityCounts { critical: 1, high: 2, ..Default::default() },
        resolved: SeverityCounts { medium: 1, ..Default::default() },
        risky_accounts: 2,
        plugins: 1,
        drift: 5,
    };
    busy.unreviewed_plugins = 4;
    busy.warnings = vec![Warning::CredentialExpires { at: now() + Duration::days(9) }];
    busy.exceptions = vec![Ending {
        says: "break-glass can sign in without a second factor".to_owned(),
        at: now() + Duration::days(3),
    }];
    let waiting = application(
        "0004",
        "Hooli",
        "Okta",
        vec![ScanFacts {
            last: None,
            last_success_at: None,
            watched_since: ago(20),
            ..scan(ScanKind::Config, 20)
        }],
    );
    let mut paused = fine("0005", "Globex");
    paused.facts.paused = Some(Paused { since: ago(3000), by: "ada".to_owned() });
    Material {
        name: "Ada Berg".to_owned(),
        recipient: Recipient::Owner("o1".into()),
        since: Some(ago(24 * 60)),
        until: now(),
        applications: vec![
            busy,
            paused,
            waiting,
            lacking,
            revoked("0001", "Umbrella"),
            fine("0006", "Stark"),
        ],
    }
}

fn frame() -> Frame<'static> {
    Frame { base: Some("https://parapet.example.com"), unsubscribe: None, simulated: false }
}

fn written(material: &Material, frame: &Frame<'_>) -> Written {
    write(material, &Pace::new("Europe/Berlin", 480), now(), frame).unwrap()
}

fn only(applications: Vec<Application>) -> Material {
    Material { applications, ..company() }
}

#[test]
fn the_company_as_text() {
    let mail = written(&company(), &frame());
    insta::assert_snapshot!(format!("Subject: {}\n\n{}", mail.subject, mail.text));
    assert!(mail.text.lines().all(|l| l.chars().count() <= 74 || l.contains("https://")), "{}", mail.text);
}

#[test]
fn the_company_as_html() {
    insta::assert_snapshot!(written(&company(), &frame()).html);
}

#[test]
fn all_is_well() {
    let unsubscribe = Some("https://parapet.example.com/unsubscribe?token=t");
    let mail = written(&only(vec![fine("1", "Acme"), fine("2", "Stark")]), &Frame { unsubscribe, ..frame() });
    assert!(mail.all_clear);
    insta::assert_snapshot!(format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn without_an_address_there_are_no_links_and_it_says_so() {
    let mail = written(&company(), &Frame { base: None, ..frame() });
    assert!(!mail.html.contains("href"));
    assert!(mail.text.contains("public_url is not configured"));
}

#[test]
fn the_subject_is_the_news() {
    let subject = |apps: Vec<Application>| written(&only(apps), &frame()).subject;
    let waiting = || company().applications.into_iter().find(|a| a.name == "Hooli").unwrap();
    let paused = || company().applications.into_iter().find(|a| a.name == "Globex").unwrap();
    assert_eq!(
        written(&company(), &frame()).subject,
        "Parapet: 1 application Down, 1 Unhealthy, 1 without a result yet (of 5)"
    );
    assert_eq!(subject(vec![fine("1", "A")]), "Parapet: the one application is Up");
    assert_eq!(subject(vec![fine("1", "A"), fine("2", "B")]), "Parapet: all 2 applications Up");
    assert_eq!(
        subject(vec![revoked("1", "A"), revoked("2", "B"), fine("3", "C")]),
        "Parapet: 2 applications Down (of 3)"
    );
    assert_eq!(subject(vec![waiting()]), "Parapet: 1 application without a result yet (of 1)");
    assert_eq!(subject(vec![paused()]), "Parapet: 1 application paused");
}

#[test]
fn nothing_that_is_not_known_is_all_clear() {
    let unclear = |change: &dyn Fn(&mut Application)| {
        let mut app = fine("1", "Acme");
        change(&mut app);
        assert!(!written(&only(vec![app, fine("2", "Stark")]), &frame()).all_clear);
    };
    unclear(&|a| a.scans[0].last = None);
    unclear(&|a| a.scans[0].last.as_mut().unwrap().finished_at = ago(60 * 24));
    unclear(&|a| a.scans[0].last.as_mut().unwrap().outcome = RunOutcome::Partial(FailureCause::Remote));
    unclear(&|a| a.stale = (1, Some(ago(5))));
    unclear(&|a| a.changes.new.low = 1);
    unclear(&|a| a.changes.risky_accounts = 1);
    unclear(&|a| a.warnings.push(Warning::CredentialExpires { at: now() }));
    unclear(&|a| a.facts.paused = Some(Paused { since: ago(1), by: "ada".to_owned() }));
    unclear(&|a| a.scans.clear());
}

#[test]
fn overdue_is_said_and_counts() {
    let mut app = fine("1", "Acme");
    for scan in &mut app.scans {
        scan.last.as_mut().unwrap().finished_at = ago(60 * 30);
    }
    let mail = written(&only(vec![app]), &frame());
    assert_eq!(mail.subject, "Parapet: 1 application Down (of 1)");
    assert!(mail.text.replace('\n', " ").contains("overdue"), "{}", mail.text);
}

#[test]
fn a_run_under_way_says_nothing_in_a_mail() {
    let mut app = revoked("1", "Umbrella");
    let calm = written(&only(vec![app.clone()]), &frame());
    for scan in &mut app.scans {
        scan.open = Some(OpenRun {
            run: "x".into(),
            started_at: ago(1),
            deadline: now() + Duration::hours(3),
            waiting_until: None,
            abandoned: 0,
            lease: Some(Lease {
                fence: 1,
                expires_at: now() + Duration::minutes(1),
                progress: Progress::default(),
            }),
        });
    }
    let running = written(&only(vec![app]), &frame());
    assert_eq!(running.subject, "Parapet: 1 application Down (of 1)");
    assert_eq!(running.html, calm.html);
}

#[test]
fn what_a_tenant_is_called_cannot_become_markup() {
    let mut app = revoked("1", "<script>alert(1)</script> \" onload=x");
    app.tenant = "</td><a href=\"https://evil.example\">".to_owned();
    let mail = written(&only(vec![app]), &frame());
    assert!(!mail.html.contains("<script"));
    assert!(!mail.html.contains("evil.example\">"));
}
