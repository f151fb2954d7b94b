//! One-off scans by the built binary: what they are judged by, and files for other tools that are never better news than the
//! scan was.

mod common;

use std::sync::Arc;

use common::{Ran, parapet};
use serde_json::Value;
use sim::Server;
use sim::scim::{Plan, Scim};
use tempfile::TempDir;

const SECRET: &str = "a-secret-that-is-nowhere-else";

struct Bench {
    folder: TempDir,
    server: Server<Scim>,
}

/// Names and ids that try to be more than text: a formula, escapes of a terminal, lines of a report, an element of a page.
const NAME: &str =
    "=1+1\u{1b}]0;owned\u{7}\u{9b}2J\r\n\u{25cf} forged: succeeded\u{202e}<script>alert(1)</script>\",\"";
const ID: &str = "@SUM(1)|'=2+2\u{1b}[31m\nid";

impl Bench {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Scim)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = "[outbound]\nallow_loopback_http = true\n";
        std::fs::write(folder.path().join("parapet.toml"), config).expect("written");
        let now = model::time::Timestamp::parse("2026-06-01T12:00:00Z").expect("an instant");
        let plan = Plan { domain: "acme.example".to_owned(), seed: 7, now, users: 6, inactive: 0 };
        let mut vendor = Scim::generate(&plan);
        vendor.clients.insert("parapet".to_owned(), SECRET.to_owned());
        // Two accounts whose names differ in upper and lower case only: a check fails for both.
        let twin = vendor.users[0]["userName"].as_str().expect("a name").to_uppercase();
        vendor.users[1]["userName"] = serde_json::json!(twin);
        change(&mut vendor);
        let clock = || {
            use collect::Clock as _;
            engine::clock::SystemClock.now()
        };
        let server = Server::start(vendor, Arc::new(clock)).await.expect("a loopback port");
        Self { folder, server }
    }

    fn run(&self, secret: &str, arguments: &[&str]) -> Ran {
        let environment = [("PARAPET_CLIENT_ID", "parapet"), ("PARAPET_CLIENT_SECRET", secret)];
        parapet(self.folder.path(), &environment, arguments)
    }

    fn scan(&self, secret: &str, arguments: &[&str]) -> Ran {
        let address = format!("address={}", self.server.origin());
        self.run(secret, &[&["scan", "scim", "--set", &address], arguments].concat())
    }
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).expect("one event a line")).collect()
}

fn statuses(ran: &Ran) -> Vec<u64> {
    lines(ran).iter().map(|e| e["compliance"]["status_id"].as_u64().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_stay_text_in_every_format() {
    let bench = Bench::with(|vendor| {
        vendor.users[2]["userName"] = serde_json::json!(NAME);
        vendor.users[2]["id"] = serde_json::json!(ID);
        // So that a check fails and says the name.
        vendor.users[2]["emails"] = serde_json::json!([]);
    })
    .await;
    let scan = |format| bench.scan(SECRET, &["--format", format]).ended(0);
    let table = scan("table").out;
    assert!(table.contains("forged"), "the name is not there, so nothing was tried:\n{table}");
    let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!table.contains(obeyed), "{table:?}");
    assert!(!table.lines().any(|line| line.trim_start().starts_with("\u{25cf} forged")), "{table}");
    // The formats for programs keep what they were told, within their own rules.
    let json = scan("json").json();
    let results = json["scans"].as_array().expect("a list").iter();
    let results: Vec<&Value> = results.flat_map(|s| s["results"].as_array().expect("a list")).collect();
    let of_it = |r: &&&Value| r["resource"] == ID && r["outcome"] == "fail";
    let failed = results.iter().find(of_it).expect("a finding about it");
    // A sentence is for people: it has lost what would be obeyed. The id is a program's, and whole.
    let says = failed["says"].as_str().unwrap_or_default();
    assert!(says.contains("=1+1") && says.contains("<script>") && !says.contains(obeyed), "{failed}");
    assert!(lines(&scan("ocsf")).iter().any(|event| event.to_string().contains("forged")));
    assert!(scan("sarif").out.contains("forged"));
    scan("sarif").json();
    // JSON escapes what ASCII calls a control character, and no other.
    for format in ["json", "ocsf", "sarif"] {
        let out = scan(format).out;
        assert!(!out.contains(|c: char| c.is_ascii_control() && c != '\n'), "{format}");
    }
    let csv = scan("csv").out;
    assert!(csv.contains("'@SUM(1)"), "{csv}");
    let cells = cells(&csv);
    assert!(
        cells.iter().all(|row| row.len() == cells[0].len()),
        "a name made a cell or a row of its own: {csv}"
    );
    for cell in cells.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a spreadsheet runs {cell:?}");
    }
}

/// CSV as RFC 4180 has it.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "it ends in the middle: {text}");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_scan_is_said_in_every_format_with_the_same_exit_code() {
    let bench = Bench::new().await;
    let refused = |format| bench.scan("wrong", &["--format", format]).ended(3).says(&["credential"]);
    let told = refused("table")
        .says(&["\u{2713} TLS  \u{2713} HTTP 401  \u{2717} authenticated  \u{b7} permission"]);
    assert_eq!(told.out, "", "people read it on standard error");
    let report = refused("json").json();
    assert_eq!(report["refused"]["cause"], "credentials");
    assert!(report["refused"]["remedy"].as_str().is_some_and(|r| !r.is_empty()));
    assert!(report["scans"].as_array().expect("a list").iter().all(|s| s["outcome"] == "failed"));
    assert_eq!(statuses(&refused("ocsf")), [0, 0]);
    let log = refused("sarif").json();
    let invocations = log["runs"][0]["invocations"].as_array().expect("a list");
    assert!(!invocations.is_empty() && invocations.iter().all(|i| i["executionSuccessful"] == false));
    assert_eq!(refused("csv").out.matches(",inconclusive,").count(), 2);
    for format in ["json", "ocsf", "sarif", "csv"] {
        assert!(!refused(format).out.contains(SECRET));
    }
    // A file is written too, so that yesterday's is not taken for today's.
    bench.scan(SECRET, &["--format", "json", "--output", "report.json"]).ended(0);
    bench.scan("wrong", &["--format", "json", "--output", "report.json"]).ended(3);
    let text = std::fs::read_to_string(bench.folder.path().join("report.json")).expect("readable");
    assert!(text.contains("\"refused\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_has_an_answer_and_a_second_scan_the_same_identities() {
    let bench = Bench::new().await;
    let sarif = |arguments: &[&str]| {
        bench.scan(SECRET, &[&["--format", "sarif"], arguments].concat()).ended(0).json()
    };
    let log = sarif(&[]);
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("a list");
    for rule in run["tool"]["driver"]["rules"].as_array().expect("a list") {
        assert!(results.iter().any(|r| r["ruleId"] == rule["id"]), "{} has no answer", rule["id"]);
    }
    assert!(results.iter().any(|r| r["kind"] == "fail"));
    let identities = |log: &Value| {
        let list = log["runs"][0]["results"].as_array().expect("a list").clone();
        let mut all: Vec<String> = list.iter().map(|r| r["guid"].to_string()).collect();
        all.sort();
        all
    };
    assert_eq!(identities(&sarif(&[])), identities(&log));
    let failing = sarif(&["--outcome", "fail"]);
    let failing = failing["runs"][0]["results"].as_array().expect("a list").clone();
    assert!(!failing.is_empty() && failing.iter().all(|r| r["kind"] == "fail"));
    bench.scan(SECRET, &["--outcome", "good"]).ended(2).says(&["pass, fail, inconclusive or not_applicable"]);

    let json = bench.scan(SECRET, &["--format", "json"]).ended(0).json();
    let mut uids: Vec<String> = Vec::new();
    for scan in json["scans"].as_array().expect("a list") {
        uids.extend(scan["results"].as_array().expect("a list").iter().map(|r| r["uid"].to_string()));
    }
    assert!(!uids.is_empty());
    let guids = identities(&log);
    assert!(uids.iter().all(|uid| guids.contains(uid)), "the formats agree about who is who");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_findings_are_exported_and_what_was_never_scanned_is_said() {
    let bench = Bench::new().await;
    let export = |arguments: &[&str]| {
        let all = [&["findings", "export", "--config", "parapet.toml"], arguments].concat();
        bench.run(SECRET, &all)
    };
    bench.run(SECRET, &["key", "new", "parapet.key"]).ended(0);
    assert_eq!(export(&["--format", "json"]).ended(0).json(), serde_json::json!([]));
    let address = format!("address={}", bench.server.origin());
    let add = ["app", "add", "scim", "--set", &address, "--name", "People", "--config", "parapet.toml"];
    bench.run(SECRET, &add).ended(0);
    let ran = export(&["--format", "ocsf", "--application", "People"]).ended(0);
    assert_eq!(statuses(&ran), [0, 0], "no result yet is not: nothing found");
    assert!(lines(&ran).iter().all(|e| e["unmapped"]["outcome"] == "waiting"));
    let log = export(&["--format", "sarif"]).ended(0).json();
    assert_eq!(log["runs"][0]["invocations"].as_array().map(Vec::len), Some(2));
    assert!(export(&[]).ended(0).out.starts_with("id,application,"), "CSV is the usual");
    export(&["--output", "findings.csv"]).ended(0);
    assert!(bench.folder.path().join("findings.csv").is_file());
    for (filter, says) in [
        (["--application", "Poeple"], "There is no application named Poeple"),
        (["--product", "gihtub"], "The catalogue has no product gihtub"),
        (["--check", "scim/nothing"], "There is no check scim/nothing"),
        (["--state", "open"], "use new, in_progress, resolved or suppressed"),
    ] {
        export(&filter).ended(2).says(&[says]);
    }
}

/// The answers to whether accounts were provisioned by the identity provider: the outcome by account id.
fn provisioned(ran: &Ran) -> std::collections::BTreeMap<String, String> {
    let report = ran.json();
    let scans = report["scans"].as_array().expect("a list").iter();
    let results = scans.flat_map(|s| s["results"].as_array().expect("a list").clone());
    let of_check = results.filter(|r| r["check"] == "shared/account-provisioned-by-idp");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    of_check.map(|r| (text(&r["resource"]), text(&r["outcome"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_people_stands_in_for_an_identity_provider() {
    let bench = Bench::new().await;
    let users = bench.server.tenant().vendor.users.clone();
    let scan = |list: &str| {
        std::fs::write(bench.folder.path().join("people.csv"), list).expect("written");
        bench.scan(SECRET, &["--format", "json", "--identities", "people.csv"])
    };
    // Without a list nobody knows. With it, whoever stands on it was provisioned, and nobody else.
    let unknown = provisioned(&bench.scan(SECRET, &["--format", "json"]).ended(0));
    assert!(!unknown.is_empty() && unknown.values().all(|o| o == "inconclusive"), "{unknown:?}");
    let id = |user: &Value| user["externalId"].as_str().map(str::to_owned);
    let listed: Vec<String> = users.iter().filter_map(id).take(2).collect();
    let ran = scan(&format!("id,state\r\n{},active\r\n{},active\r\n", listed[0], listed[1])).ended(0);
    let answers = provisioned(&ran);
    assert_eq!(answers.len(), users.len());
    for user in &users {
        let on_list = id(user).is_some_and(|id| listed.contains(&id));
        let expected = if on_list { "pass" } else { "fail" };
        assert_eq!(answers[user["id"].as_str().expect("a text")], expected, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_people_that_cannot_be_used_ends_the_scan_before_anything_is_asked() {
    let bench = Bench::new().await;
    let folder = bench.folder.path();
    std::fs::write(folder.join("header.csv"), "mail,state\na@acme.example,active\n").expect("written");
    std::fs::write(folder.join("empty.csv"), "email,state\n").expect("written");
    std::fs::write(folder.join("state.csv"), "email,state\na@acme.example,actve\n").expect("written");
    for (file, says) in [
        ("header.csv", "line 1, column 1: there is no column"),
        ("empty.csv", "the list names nobody"),
        ("state.csv", "line 2, column 2"),
        ("nowhere.csv", "nowhere.csv cannot be used as a list of people"),
    ] {
        let ran =
            bench.scan(SECRET, &["--format", "json", "--identities", file]).ended(2).says(&[file, says]);
        assert_eq!(ran.out, "", "{file}");
    }
    assert_eq!(bench.server.tenant().requests, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_on_the_command_line_decides_and_is_evidence() {
    use model::time::Timestamp;
    use sim::github::{GitHub, Plan, Token};
    let bench = Bench::new().await;
    let now = Timestamp::parse("2026-06-01T12:00:00Z").expect("an instant");
    let organization = "acme".to_owned();
    let mut vendor = GitHub::generate(&Plan {
        organization,
        seed: 1,
        now,
        repositories: 1,
        members: 4,
        care: 50,
        enterprise: false,
    });
    let scopes = ["admin:org", "repo", "admin:org_hook"].map(str::to_owned).to_vec();
    vendor.tokens.insert(
        SECRET.to_owned(),
        Token { login: "reader".to_owned(), scopes, valid: true, expires_at: None },
    );
    let server = Server::start(vendor, Arc::new(move || now)).await.expect("a loopback port");
    let origin = server.origin();
    let scan = |more: &[&str]| {
        let fixed =
            ["scan", "github", "--set", "organization=acme", "--address", &origin, "--kind", "config"];
        let ran = [&fixed[..], &["--auth", "token", "--quick", "--format", "json"], more].concat();
        parapet(bench.folder.path(), &[("PARAPET_TOKEN", SECRET)], &ran)
    };
    let owners = |more: &[&str]| {
        let report = scan(more).json();
        let results = report["scans"][0]["results"].as_array().expect("a list").clone();
        results.into_iter().find(|r| r["check"] == "github/owner-count").expect("an answer")
    };
    let many = owners(&["--param", "github/owner-count.min=50", "--param", "github/owner-count.max=60"]);
    assert_eq!(many["outcome"], "fail", "{many}");
    let evidence = many["evidence"].as_array().expect("a list");
    assert!(evidence.iter().any(|e| e["field"] == "params.min" && e["value"] == 50), "{many}");
    let any = owners(&["--param", "github/owner-count.min=0", "--param", "github/owner-count.max=60"]);
    assert_eq!(any["outcome"], "pass", "{any}");

    for (param, says) in [
        ("github/owner-count.max=many", "\u{201c}many\u{201d} is not a whole number"),
        ("github/owner-count.max=-1", "-1 is not between 0 and"),
        ("github/owner-count.most=3", "has no parameter most; there are: max, min"),
        ("github/owners.max=3", "GitHub has no check github/owners"),
        ("owner-count=3", "write it as CHECK.NAME=VALUE"),
        ("github/org-requires-2fa.max=3", "has no parameters"),
    ] {
        scan(&["--param", param]).ended(2).says(&[says]);
    }
    let twice = ["--param", "github/owner-count.max=3", "--param", "github/owner-count.max=4"];
    scan(&twice).ended(2).says(&["it is given twice"]);
}
