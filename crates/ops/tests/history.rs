//! Health over time, as the History tab, its file and Prometheus tell it.

#[expect(dead_code, reason = "a test uses a part of it")]
mod support;

use futures_util::StreamExt as _;
use model::diagnosis::Warning;
use model::id::InstanceId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::Duration;
use model::view::{HistoryPage, HistoryQuery, Mark, OwnerInput};
use ops::{Format, command_line};
use serde_json::Value;
use support::{Bed, NOW, bed};

const UP: RunOutcome = RunOutcome::Succeeded;
const LOST: RunOutcome = RunOutcome::Failed(FailureCause::Permission);

/// Acme, onboarded now.
async fn acme() -> (Bed, InstanceId) {
    let bed = bed().await;
    let id = bed.onboard("acme").await;
    // The fleet follows the store's changes in a task of its own.
    while bed.ops.settings(&command_line(), &id).await.is_err() {
        tokio::task::yield_now().await;
    }
    (bed, id)
}

async fn run(bed: &Bed, id: &InstanceId, kind: ScanKind, outcome: RunOutcome) {
    bed.run(id, kind, outcome, &[], &[], &[]).await;
}

async fn page(bed: &Bed, id: &InstanceId) -> HistoryPage {
    bed.ops.history(&command_line(), id, &HistoryQuery::default()).await.expect("a page")
}

/// Every scan succeeds, every three hours: just before its result would be too old.
async fn well(bed: &Bed, id: &InstanceId, hours: i64) {
    for _ in 0..hours / 3 {
        for kind in ScanKind::ALL {
            run(bed, id, kind, UP).await;
        }
        bed.clock.advance(Duration::hours(3));
    }
}

#[tokio::test]
async fn a_day_is_good_only_where_everything_was_looked_at() {
    let (bed, id) = acme().await;
    let day = Duration::days(1);
    // A day without any run; one on which all is well; one on which only one scan ran and was well; one on which one was well,
    // one failed and one did not run.
    bed.clock.advance(day);
    for kind in ScanKind::ALL {
        run(&bed, &id, kind, UP).await;
    }
    bed.clock.advance(day);
    run(&bed, &id, ScanKind::Config, UP).await;
    bed.clock.advance(day);
    run(&bed, &id, ScanKind::Config, UP).await;
    run(&bed, &id, ScanKind::Accounts, LOST).await;
    let bar = page(&bed, &id).await.bar.days;
    assert_eq!(bar.len(), 90);
    assert!(bar[..87].iter().all(|cell| cell.mark.is_none()), "no data is not good");
    let marks: Vec<_> = bar[86..].iter().map(|cell| (cell.mark, cell.succeeded, cell.failed)).collect();
    assert_eq!(marks, [(None, 0, 0), (Some(Mark::Up), 3, 0), (None, 1, 0), (Some(Mark::Unhealthy), 1, 1)]);
}

#[tokio::test]
async fn a_pause_counts_for_nothing_and_a_failure_does() {
    let (bed, id) = acme().await;
    let actor = command_line();
    let figure = async || {
        let found = page(&bed, &id).await.availability;
        assert_eq!(found[0].hundredths, found[1].hundredths, "it is younger than both");
        (found[0].hundredths, found[0].of.0 / Duration::hours(1).0)
    };
    assert_eq!(figure().await, (None, 0), "nothing has been yet");
    well(&bed, &id, 24).await;
    bed.ops.pause(&actor, &id).await.expect("paused");
    bed.clock.advance(Duration::hours(24));
    assert_eq!(figure().await, (Some(10_000), 24), "paused until now");
    bed.ops.resume(&actor, &id).await.expect("resumed");
    well(&bed, &id, 24).await;
    assert_eq!(figure().await, (Some(10_000), 48));
    run(&bed, &id, ScanKind::Accounts, LOST).await;
    bed.clock.advance(Duration::hours(12));
    assert_eq!(figure().await, (Some(8_000), 60), "48 of 60 hours");
}

async fn exported(bed: &Bed, id: &InstanceId, query: &HistoryQuery, format: Format) -> String {
    let mut chunks = bed.ops.export_runs(&command_line(), id, query, format).await.expect("a stream");
    let mut text = Vec::new();
    while let Some(chunk) = chunks.next().await {
        text.extend(chunk.expect("a chunk"));
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn the_file_of_runs_holds_what_has_ended_and_nothing_else() {
    let (bed, id) = acme().await;
    run(&bed, &id, ScanKind::Config, UP).await;
    bed.clock.advance(Duration::hours(1));
    run(&bed, &id, ScanKind::Accounts, LOST).await;
    bed.begin(&id, ScanKind::Plugins).await;
    let all = HistoryQuery::default();
    let csv = exported(&bed, &id, &all, Format::Csv).await;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("run,scan,outcome,cause,started_at,finished_at,records,"), "{csv}");
    assert_eq!(lines.len(), 3, "a run in progress has no outcome: {csv}");
    assert!(
        lines[1].contains(",accounts,failed,permission,") && lines[1].contains("refused to show the members"),
        "{csv}"
    );
    assert!(lines[2].contains(",config,succeeded,,"), "{csv}");
    let json = |text: String| serde_json::from_str::<Vec<Value>>(&text).expect("an array");
    let rows = json(exported(&bed, &id, &all, Format::Json).await);
    let told: Vec<_> =
        rows.iter().map(|r| (r["scan"].as_str(), r["outcome"].as_str(), r["cause"].as_str())).collect();
    assert_eq!(
        told,
        [(Some("accounts"), Some("failed"), Some("permission")), (Some("config"), Some("succeeded"), None)]
    );
    let failed = HistoryQuery { outcome: Some("failed".to_owned()), ..HistoryQuery::default() };
    assert_eq!(json(exported(&bed, &id, &failed, Format::Json).await).len(), 1);
    // A pause drops the live run without outcome and keeps the history.
    bed.ops.pause(&command_line(), &id).await.expect("paused");
    assert_eq!(exported(&bed, &id, &all, Format::Csv).await, csv);
    let none = HistoryQuery { kind: Some(ScanKind::Plugins), ..HistoryQuery::default() };
    assert_eq!(json(exported(&bed, &id, &none, Format::Json).await), Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_measured_has_every_name_of_the_alert_rules_and_no_secret() {
    let (bed, id) = acme().await;
    let actor = command_line();
    let ada = OwnerInput {
        name: "Ada Berg".to_owned(),
        email: "ada.berg@example.com".to_owned(),
        time_zone: "UTC".to_owned(),
        active: true,
        digest_at: String::new(),
        quiet: false,
    };
    let owner = bed.ops.create_owner(&actor, &ada).await.expect("added");
    let ends = [Warning::CredentialExpires { at: NOW + Duration::days(3) }];
    bed.finish(&id, ScanKind::Config, UP, |commit| commit.warnings = &ends).await;
    bed.ops.assign_owner(&actor, &id, Some(&owner)).await.expect("assigned");
    let text = bed.ops.metrics();
    let rules = include_str!("../../../docs/monitoring/alerts.yml");
    let words = rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named: std::collections::BTreeSet<&str> = words.filter(|word| word.starts_with("parapet_")).collect();
    assert!(named.len() >= 6, "{named:?}");
    for name in named {
        assert!(text.contains(&format!("# TYPE {name} gauge\n{name}")), "{name} has no sample:\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for private in ["secret", "token", "@", "reader", "Ada", "uid-acme", "https:"] {
            assert!(!line.contains(private), "{private} in {line}");
        }
    }
}
