//! Lists as files, over HTTP from the built server: rows a second, how the time grows with the rows, and by how much the
//! server grows while it sends them.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::Arc;
use std::time::Instant;

use collect::Clock as _;
use engine::clock::{SystemClock, SystemEntropy};
use model::finding::{CheckResult, Evidence, Outcome};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::value::{Record, Shape, Value};
use store::runs::Subjects;
use store::{Db, Options, SealingKey};

use super::common::{get, memory, serve, session, use_cases};
use super::{configuration, milliseconds, new_key, pages};

const FEW: usize = 10_000;
const MANY: usize = 100_000;
/// Of so many findings and accounts there is one plugin.
const ROWS_A_PLUGIN: usize = 10;

/// What is asked for, and what stands once in every row.
const FILES: [(&str, &str); 8] = [
    ("findings.csv", "\n"),
    ("findings.json", "\n{"),
    ("findings.ocsf", "\n"),
    ("findings.sarif", "\"ruleId\":"),
    ("accounts.csv", "\n"),
    ("accounts.json", "\n{"),
    ("plugins.csv", "\n"),
    ("plugins.json", "\n{"),
];

pub(crate) async fn measure() {
    println!(
        "export: lists over HTTP from `parapet serve` on SQLite; MB are what the server grows by at its peak"
    );
    let few = files(FEW).await;
    let many = files(MANY).await;
    for ((file, _), (few, many)) in FILES.iter().zip(few.iter().zip(&many)) {
        println!(
            "  {file:<15}{:>7} rows {:>6.2} s {:>5.1} MB, {:>7} rows {:>6.2} s {:>5.1} MB: {:>4.1} times as long, {:>7.0} rows/s",
            few.rows,
            few.seconds,
            few.grown,
            many.rows,
            many.seconds,
            many.grown,
            many.seconds / few.seconds,
            many.rows as f64 / many.seconds,
        );
    }
}

struct Measured {
    rows: usize,
    seconds: f64,
    grown: f64,
}

async fn files(rows: usize) -> Vec<Measured> {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SealingKey::from_hex(new_key(folder.path()).trim()).expect("a key");
    let address = format!("sqlite:{}", folder.path().join("parapet.db").display());
    let now = SystemClock.now();
    let db = Db::open(&address, &key, Arc::new(SystemEntropy), now, Options::default()).await.expect("opens");
    let begun = Instant::now();
    fill(&db, rows, now).await;
    println!("  {rows} findings and accounts written in {:.1} s", begun.elapsed().as_secs_f64());
    let cookie = session(&use_cases(&db).await).await;
    db.close().await;

    let (mut server, at) = serve(&configuration(folder.path()));
    // Whatever the server does at its start is over.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let mut all = Vec::new();
    for (file, mark) in FILES {
        let wanted = if file.starts_with("plugins") { rows / ROWS_A_PLUGIN } else { rows };
        all.push(fetch(&server, at, &cookie, file, mark, wanted));
    }
    server.kill().expect("the server ends");
    server.wait().expect("the server ended");
    all
}

/// One file.
fn fetch(server: &Child, at: SocketAddr, cookie: &str, file: &str, mark: &str, wanted: usize) -> Measured {
    // 5 sets the peak back to what is resident now.
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").expect("Linux sets the peak back");
    let before = memory(server, "VmRSS");
    let begun = Instant::now();
    let body = get(at, cookie, &format!("/{file}"));
    let seconds = milliseconds(begun.elapsed()) / 1000.0;
    let grown = memory(server, "VmHWM") - before;
    let head_line = usize::from(file.ends_with(".csv"));
    let rows = body.windows(mark.len()).filter(|w| *w == mark.as_bytes()).count() - head_line;
    assert_eq!(rows, wanted, "{file}: rows");
    Measured { rows, seconds, grown }
}

/// One instance with all of it, each list stored by one run.
async fn fill(db: &Db, rows: usize, now: Timestamp) {
    let id = InstanceId::new("i-large");
    pages::create(db, &id, "large", now).await;
    let catalog = catalog::Catalog::builtin().catalog;
    let checks = &catalog.apps[&"github".into()].checks;
    let checks: Vec<_> = checks.iter().filter(|c| c.scan == ScanKind::Config).collect();
    let results: Vec<CheckResult> =
        (0..rows).map(|n| failing(checks[n % checks.len()], n / checks.len(), now)).collect();
    pages::finish(db, &id, ScanKind::Config, now, |commit| commit.results = &results).await;
    let people: Vec<Record> = (0..rows).map(|n| account(n, now)).collect();
    let subjects = Subjects { records: &people, complete: true };
    pages::finish(db, &id, ScanKind::Accounts, now, |commit| commit.accounts = Some(subjects)).await;
    let plugins: Vec<Record> = (0..rows / ROWS_A_PLUGIN).map(|n| plugin(n, now)).collect();
    let subjects = Subjects { records: &plugins, complete: true };
    pages::finish(db, &id, ScanKind::Plugins, now, |commit| commit.plugins = Some(subjects)).await;
}

fn failing(check: &catalog::Check, n: usize, now: Timestamp) -> CheckResult {
    let evidence = |field: &str, value: serde_json::Value| Evidence {
        field: field.into(),
        value: (&value).into(),
        dataset: check.over.as_str().into(),
        request: "POST https://api.github.com/graphql".into(),
        at: now,
    };
    CheckResult {
        check: check.id.clone(),
        revision: 1,
        scan: ScanKind::Config,
        resource: format!("repository-{n:06}").into(),
        resource_kind: check.over.as_str().into(),
        outcome: Outcome::Fail,
        severity: check.severity,
        says: format!("repository-{n:06} is not as it should be: {}", check.title).into(),
        evidence: [evidence("classic", serde_json::Value::Null), evidence("rules", serde_json::json!([]))]
            .into(),
        needs: Arc::default(),
    }
}

fn record(shape: &Shape, value: impl Fn(&str) -> Value) -> Record {
    Record { values: shape.fields.iter().map(|f| value(&f.name)).collect() }
}

fn account(n: usize, now: Timestamp) -> Record {
    record(&model::account::SHAPE, |field| match field {
        "id" => Value::string(format!("user/{n}")),
        "username" => Value::string(format!("person-{n:06}")),
        "display_name" => Value::string(format!("Person Number {n}")),
        "email" => Value::string(format!("person-{n:06}@example.com")),
        "kind" => Value::string("human"),
        "state" => Value::string("active"),
        "privileged" => Value::Bool(n.is_multiple_of(50)),
        "external" => Value::Bool(false),
        "second_factor" => Value::Bool(!n.is_multiple_of(9)),
        "created_at" | "last_active_at" => Value::Timestamp(now - Duration::days((n % 900) as i64)),
        "console_url" => Value::string(format!("https://github.com/person-{n:06}")),
        _ => Value::Unknown,
    })
}

fn plugin(n: usize, now: Timestamp) -> Record {
    let text = |list: &[&str]| Value::list(list.iter().map(|s| Value::string(*s)).collect());
    record(&model::plugin::SHAPE, |field| match field {
        "id" => Value::string(format!("installation/{n}")),
        "name" => Value::string(format!("Helper {n}")),
        "kind" => Value::string("app"),
        "publisher" => Value::string(format!("Publisher {}", n % 700)),
        "level" => Value::string("organisation"),
        "scopes" => text(&["contents:read", "members:read", "pull_requests:write"]),
        "users" => text(&["ada", "grace", "alan", "edsger", "barbara"]),
        "grade" => Value::string(["high", "medium", "low"][n % 3]),
        "created_at" | "last_used_at" => Value::Timestamp(now - Duration::days((n % 900) as i64)),
        _ => Value::Unknown,
    })
}
