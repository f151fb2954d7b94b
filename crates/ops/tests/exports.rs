//! Findings as files, from a real store: exactly what is filtered, the health of the scans beside it, and the same
//! identities from run to run.

#[expect(dead_code, reason = "a test uses a part of it")]
mod support;

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use model::finding::{FindingState, Severity};
use model::id::InstanceId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::view::{AccountsQuery, Cut, FindingsQuery, RefusalKind};
use ops::FindingsFormat as Format;
use serde_json::Value;
use store::runs::Gap;
use support::{Bed, bed, failing, refused, undecided};

const LOST: RunOutcome = RunOutcome::Failed(FailureCause::Permission);

/// Acme: settings read, with three findings, one check undecided; accounts failed; plugins never finished. Hooli: all well.
async fn company() -> (Bed, InstanceId) {
    let bed = bed().await;
    let acme = bed.onboard("acme").await;
    let results = [failing("web"), failing("api"), failing("=1+1")];
    let tallies = [undecided("github/org-requires-2fa", 4)];
    let gap = Gap {
        dataset: "members".to_owned(),
        title: "Members".to_owned(),
        required: false,
        fault: Some(refused()),
        reason: "the permission members:read is missing".to_owned(),
    };
    bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &results, &tallies, &[gap]).await;
    bed.run(&acme, ScanKind::Accounts, LOST, &[], &[], &[]).await;
    let hooli = bed.onboard("hooli").await;
    for kind in ScanKind::ALL {
        bed.run(&hooli, kind, RunOutcome::Succeeded, &[], &[], &[]).await;
    }
    // The fleet follows the store's changes in a task of its own.
    let seen = async {
        loop {
            let page = bed.ops.applications(&ops::command_line(), &Default::default()).await.expect("a page");
            if page.tiles.len() == 2 && page.tiles.iter().all(|t| t.last_finished_at.is_some()) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    seen.await;
    for id in [&acme, &hooli] {
        // Whatever is still in the feed has been read when a page of the application is.
        bed.ops.settings(&ops::command_line(), id).await.expect("a page");
    }
    (bed, acme)
}

async fn sarif(bed: &Bed, query: &FindingsQuery) -> Value {
    let text = bed.export(query, Format::Sarif).await.expect("an export");
    serde_json::from_str::<Value>(&text).expect("JSON")["runs"][0].take()
}

async fn ocsf(bed: &Bed, query: &FindingsQuery) -> Vec<Value> {
    let text = bed.export(query, Format::Ocsf).await.expect("an export");
    text.lines().map(|line| serde_json::from_str(line).expect("one event a line")).collect()
}

fn resources(results: &Value) -> BTreeSet<String> {
    let list = results.as_array().expect("a list").iter();
    list.filter(|r| r["kind"] == "fail")
        .map(|r| r["properties"]["resource"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn every_format_holds_exactly_what_is_filtered() {
    let (bed, acme) = company().await;
    let all = FindingsQuery::default();
    let wanted: BTreeSet<String> = ["web", "api", "=1+1"].map(str::to_owned).into();
    assert_eq!(resources(&sarif(&bed, &all).await["results"]), wanted);
    let failing: BTreeSet<String> = ocsf(&bed, &all)
        .await
        .iter()
        .filter(|e| e["compliance"]["status_id"] == 3)
        .map(|e| e["resources"][0]["uid"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(failing, wanted);
    let csv = bed.export(&all, Format::Csv).await.expect("an export");
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.contains("'=1+1") && !csv.contains(",=1+1"), "no spreadsheet runs it: {csv}");
    let json: Value =
        serde_json::from_str(&bed.export(&all, Format::Json).await.expect("an export")).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(3));

    let one = FindingsQuery { resource: Some("web".to_owned()), ..FindingsQuery::default() };
    assert_eq!(resources(&sarif(&bed, &one).await["results"]), ["web".to_owned()].into());
    let low = FindingsQuery { severity: Some(Severity::Low), ..FindingsQuery::default() };
    assert_eq!(resources(&sarif(&bed, &low).await["results"]), BTreeSet::new());
    let resolved = FindingsQuery { state: Some(FindingState::Resolved), ..FindingsQuery::default() };
    assert_eq!(sarif(&bed, &resolved).await["results"], serde_json::json!([]));
    let here = FindingsQuery { instance: Some(acme), ..FindingsQuery::default() };
    assert_eq!(resources(&sarif(&bed, &here).await["results"]), wanted);
    let gone = FindingsQuery { instance: Some("i-gone".into()), ..FindingsQuery::default() };
    for format in Format::ALL {
        let refusal = bed.export(&gone, format).await.expect_err("an empty list would be good news");
        assert_eq!(refusal.kind, RefusalKind::NotFound, "{format:?}");
    }
}

#[tokio::test]
async fn a_scan_that_is_not_whole_is_in_the_file_whatever_it_found() {
    let (bed, _) = company().await;
    let run = sarif(&bed, &FindingsQuery::default()).await;
    let how = |application: &str, scan: &str| {
        let list = run["invocations"].as_array().expect("a list").iter();
        let found =
            list.filter(|i| i["properties"]["application"] == application && i["properties"]["scan"] == scan);
        let found: Vec<&Value> = found.collect();
        assert_eq!(found.len(), 1, "{application} {scan}");
        found[0].clone()
    };
    assert_eq!(how("acme", "config")["executionSuccessful"], true);
    assert_eq!(how("acme", "accounts")["executionSuccessful"], false);
    assert_eq!(how("acme", "plugins")["executionSuccessful"], false, "no result yet is not success");
    for scan in ScanKind::ALL {
        assert_eq!(how("hooli", scan.as_str())["executionSuccessful"], true);
    }
    let gap = how("acme", "config")["toolExecutionNotifications"].to_string();
    assert!(gap.contains("Not read: Members"), "a gap is told though the scan succeeded: {gap}");
    let lost = how("acme", "accounts")["toolExecutionNotifications"].to_string();
    assert!(lost.contains("\"level\":\"error\"") && lost.contains("permission"), "{lost}");

    let events = ocsf(&bed, &FindingsQuery::default()).await;
    let unknown: Vec<(&str, &str)> = events
        .iter()
        .filter(|e| e["compliance"]["status_id"] == 0)
        .map(|e| {
            (e["unmapped"]["scan"].as_str().unwrap_or(""), e["unmapped"]["outcome"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(unknown, [("accounts", "failed"), ("plugins", "waiting")]);
    let accounts = FindingsQuery { scan: Some(ScanKind::Accounts), ..FindingsQuery::default() };
    assert_eq!(
        ocsf(&bed, &accounts).await.len(),
        1,
        "nothing was found, and that is not all there is to say"
    );
}

#[tokio::test]
async fn what_could_not_be_judged_is_open_and_no_pass_is_claimed() {
    let (bed, _) = company().await;
    let run = sarif(&bed, &FindingsQuery::default()).await;
    let results = run["results"].as_array().expect("a list");
    let open: Vec<&Value> = results.iter().filter(|r| r["kind"] == "open").collect();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (&open[0]["ruleId"], &open[0]["occurrenceCount"]),
        (&"github/org-requires-2fa".into(), &4.into())
    );
    assert!(results.iter().all(|r| r["kind"] != "pass"));
    let undecided = ocsf(&bed, &FindingsQuery::default()).await;
    let undecided: Vec<&Value> = undecided.iter().filter(|e| e["compliance"]["status_id"] == 2).collect();
    assert_eq!(undecided.len(), 1);
    assert_eq!(
        (&undecided[0]["count"], &undecided[0]["unmapped"]["needs"][0]),
        (&4.into(), &"members:read".into())
    );
    let other = FindingsQuery { check: Some("github/branch-protected".into()), ..FindingsQuery::default() };
    let run = sarif(&bed, &other).await;
    assert!(run["results"].as_array().expect("a list").iter().all(|r| r["kind"] == "fail"));
}

#[tokio::test]
async fn a_second_run_without_a_change_exports_the_same_identities() {
    let (bed, acme) = company().await;
    let identities = async || {
        let run = sarif(&bed, &FindingsQuery::default()).await;
        let of = |r: &Value| format!("{} {} {}", r["guid"], r["correlationGuid"], r["partialFingerprints"]);
        let sarif: BTreeSet<String> = run["results"].as_array().expect("a list").iter().map(of).collect();
        let events = ocsf(&bed, &FindingsQuery::default()).await;
        let ocsf: BTreeSet<String> = events.iter().map(|e| e["finding_info"]["uid"].to_string()).collect();
        assert_eq!((sarif.len(), ocsf.len()), (4, 6), "each is unique");
        (sarif, ocsf)
    };
    let before = identities().await;
    let results = [failing("=1+1"), failing("api"), failing("web")];
    let tallies = [undecided("github/org-requires-2fa", 4)];
    bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &results, &tallies, &[]).await;
    bed.run(&acme, ScanKind::Accounts, LOST, &[], &[], &[]).await;
    assert_eq!(identities().await, before);
    let moved = [failing("=1+1"), failing("api"), failing("elsewhere")];
    bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &moved, &tallies, &[]).await;
    let run = sarif(&bed, &FindingsQuery::default()).await;
    assert_ne!(resources(&run["results"]), resources(&serde_json::json!([])));
    assert!(resources(&run["results"]).contains("elsewhere"));
}

/// The file is made while it is read: in pieces of a few rows, and a finding or account that is gone when its turn comes is
/// not in it any more.
#[tokio::test]
async fn a_file_is_made_while_it_is_read() {
    const ROWS: usize = 2_300;
    let bed = bed().await;
    let acme = bed.onboard("acme").await;
    bed.run_accounts(&acme, ROWS).await;
    let query = AccountsQuery {
        cut: Cut { sort: Some("username".to_owned()), ..Cut::default() },
        ..AccountsQuery::default()
    };
    let export = async || {
        bed.ops.export_accounts(&ops::command_line(), &query, ops::Format::Csv).await.expect("a stream")
    };
    let lines = |chunk: &[u8]| chunk.iter().filter(|b| **b == b'\n').count();
    let whole: Vec<Vec<u8>> = export().await.map(|chunk| chunk.expect("a chunk")).collect().await;
    assert!(whole.iter().all(|chunk| lines(chunk) <= 200), "no chunk is more than a batch");
    let text = String::from_utf8(whole.concat()).expect("text");
    let people: Vec<&str> = text.lines().skip(1).map(|l| l.split(',').nth(6).expect("a column")).collect();
    let wanted: Vec<String> = (0..ROWS).map(|n| format!("person-{n:06}")).collect();
    assert_eq!(people, wanted, "every account once, in order, over several stretches");

    let mut begun = export().await;
    let mut read = 0;
    while read < 1_001 {
        read += lines(&begun.next().await.expect("more").expect("a chunk"));
    }
    bed.run_accounts(&acme, 0).await;
    while let Some(chunk) = begun.next().await {
        read += lines(&chunk.expect("a chunk"));
    }
    assert_eq!(read, 1_001, "what nobody had asked for yet was not read before");

    let results: Vec<_> = (0..ROWS).map(|n| failing(&format!("repository-{n:06}"))).collect();
    bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &results, &[], &[]).await;
    for format in Format::ALL {
        let stream = bed.ops.export_findings(&ops::command_line(), &FindingsQuery::default(), format).await;
        let pieces: Vec<usize> =
            stream.expect("a stream").map(|piece| piece.expect("a piece").len()).collect().await;
        assert!(pieces.len() > 4, "{format:?} comes in pieces");
        // The head of SARIF holds the catalogue's checks, however many findings there are.
        assert!(pieces[1..].iter().all(|n| *n < 80_000), "{format:?}: {pieces:?}");
    }
}
