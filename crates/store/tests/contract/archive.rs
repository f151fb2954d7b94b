//! Backup, restore, and the move from one kind of database to the other.

use std::io::Read as _;

use model::finding::{CheckResult, Drift, Severity};
use model::scan::{RunOutcome, ScanKind};
use model::value::Value;
use secrecy::ExposeSecret as _;
use store::archive::{self, Contents};
use store::{Cut, Db, Order, StoreError, accounts, drift, findings, instances, owners, plugins, runs};

use crate::support::*;

/// What a database holds, as lines of a backup in an order of their own: what was restored has the same.
fn lines(backup: &[u8]) -> Vec<String> {
    let mut text = String::new();
    let mut decoder = zstd::stream::read::Decoder::new(backup).expect("zstd");
    decoder.read_to_string(&mut text).expect("a whole backup");
    let mut table = String::new();
    let mut lines = Vec::new();
    for line in text.lines().skip(1) {
        if line.starts_with("{\"table\"") {
            line.clone_into(&mut table);
        }
        lines.push(format!("{table} {line}"));
    }
    lines.sort();
    lines
}

fn packed(text: &str) -> Vec<u8> {
    zstd::stream::encode_all(text.as_bytes(), 1).expect("packed")
}

fn header(backup: &[u8]) -> String {
    let mut text = String::new();
    zstd::stream::read::Decoder::new(backup).expect("zstd").read_to_string(&mut text).expect("whole");
    text.lines().next().expect("a header").to_owned()
}

async fn back_up(address: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::back_up(address, min(5), &mut bytes).await.expect("a backup");
    bytes
}

async fn restore(address: &str, backup: &[u8]) -> Result<Contents, StoreError> {
    archive::restore(address, &key(1), min(9), backup).await
}

/// Something of everything that has odd values: sealed bytes, packed bytes, booleans, nothing, quotes, line ends.
async fn fill(db: &Db) {
    let acme = onboard(db, "acme", &[CONFIG]).await;
    onboard(db, "o'neil \"&\"\nsons \u{1F680}", &[CONFIG]).await;
    run_with(db, &acme, CONFIG, min(1), |commit| {
        let results = vec![
            fails("example/a", "front \u{0}door".replace('\0', "\t").as_str(), Severity::High),
            fails("example/b", "back", Severity::Low),
        ];
        commit.results = results.leak();
    })
    .await;
    let held = claim(db, &acme, CONFIG, min(70)).await.expect("free");
    let failed = RunOutcome::Failed(model::scan::FailureCause::Permission);
    store::runs::commit(db, &held, nothing(&held, failed, min(71))).await.expect("committed");
}

/// Where a backup may be restored to: a new file, and a new PostgreSQL schema where there is a server.
async fn empty(folder: &tempfile::TempDir) -> Vec<String> {
    let mut places = vec![format!("sqlite:{}", folder.path().join("restored.db").display())];
    places.extend(pg_address().await);
    places
}

/// The schema's versions, as they are written.
const VERSIONS: [&str; 8] = [
    include_str!("../../src/migrations/0001_first.sql"),
    include_str!("../../src/migrations/0002_notifications.sql"),
    include_str!("../../src/migrations/0003_identities.sql"),
    include_str!("../../src/migrations/0004_renewals.sql"),
    include_str!("../../src/migrations/0005_walks.sql"),
    include_str!("../../src/migrations/0006_findings_of_accounts.sql"),
    include_str!("../../src/migrations/0007_stored_at.sql"),
    include_str!("../../src/migrations/0008_words.sql"),
];

/// The tables, and the columns of tables, that came after a version.
fn came_after(version: usize) -> (Vec<&'static str>, Vec<(&'static str, &'static str)>) {
    let (mut tables, mut columns) = (Vec::new(), Vec::new());
    for line in VERSIONS[version..].iter().flat_map(|text| text.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["CREATE", "TABLE", table, ..] => tables.push(table),
            ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => columns.push((table, column)),
            _ => {}
        }
    }
    (tables, columns)
}

/// The backup that a program of that version would have made of the same.
fn as_of(text: &str, version: usize) -> String {
    let (no_tables, no_columns) = came_after(version);
    let (mut out, mut rows, mut kept) = (String::new(), 0, Vec::new());
    for (n, line) in text.lines().enumerate() {
        let mut json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if n == 0 {
            json["schema"] = version.into();
        } else if let Some(table) = json.get("table").and_then(|table| table.as_str()).map(str::to_owned) {
            let known = !no_tables.contains(&table.as_str());
            let names = json["columns"].as_array_mut().expect("columns");
            let is_new = |name: &serde_json::Value| {
                no_columns.iter().any(|(of, column)| *of == table && name == column)
            };
            kept = names.iter().map(|name| known && !is_new(name)).collect();
            names.retain(|name| !is_new(name));
            if !known {
                continue;
            }
        } else if let Some(row) = json.as_array_mut() {
            let mut keep = kept.iter();
            row.retain(|_| *keep.next().expect("as many as columns"));
            if row.is_empty() {
                continue;
            }
            rows += 1;
        } else {
            json["end"] = rows.into();
        }
        out.push_str(&format!("{json}\n"));
    }
    out
}

/// What people see of a database that every version knew.
async fn seen(db: &Db) -> Vec<String> {
    let cut = Cut::first(50);
    let by = (findings::Sort::Resource, Order::Ascending);
    let mut all = Vec::new();
    for f in findings::list(db, &findings::Filter::default(), by.0, by.1, cut).await.expect("read").rows {
        all.push(format!("{} {} {:?} {} {}", f.check, f.resource, f.state, f.says, f.first_seen_at));
    }
    let (filter, sort) = (accounts::Filter::default(), accounts::Sort::default());
    for a in accounts::list(db, &filter, sort, Order::default(), cut).await.expect("read").rows {
        all.push(format!("{} {:?} {:?} {}", a.id, a.record, a.gone_at, a.findings));
    }
    let (filter, sort) = (plugins::Filter::default(), plugins::Sort::default());
    for p in plugins::list(db, &filter, sort, Order::default(), cut).await.expect("read").rows {
        all.push(format!("{} {:?} {:?}", p.id, p.record, p.review));
    }
    for run in runs::log(db, &runs::Filter::default(), cut).await.expect("read").rows {
        all.push(format!("{run:?}"));
    }
    for row in drift::list(db, &drift::Filter::default(), cut).await.expect("read").rows {
        all.push(format!("{:?}", row.drift));
    }
    for row in instances::all(db).await.expect("read") {
        all.push(format!("{row:?}"));
    }
    all
}

on_both! {
    async fn what_was_backed_up_is_restored_into_either_database(f: Fixture) {
        fill(&f.db).await;
        // The server goes on: the database is open, and is written to while the backup is there.
        let backup = back_up(&f.address).await;
        onboard(&f.db, "later", &[CONFIG]).await;
        assert!(lines(&backup).iter().all(|line| !line.contains("later")));
        let folder = tempfile::tempdir().expect("a folder");
        for place in empty(&folder).await {
            let contents = restore(&place, &backup).await.expect("restored");
            assert_eq!(contents.made_at, min(5));
            assert_eq!(lines(&back_up(&place).await), lines(&backup), "into {}", place.split(':').next().unwrap_or(""));
            let db = open(&place, 1).await.expect("opens");
            let all = instances::all(&db).await.expect("readable");
            assert_eq!(all.len(), 2);
            let secrets = instances::credential(&db, &"acme".into(), &origins()).await.expect("unsealed");
            assert_eq!(secrets["token"].expose_secret(), "hunter2-secret");
            onboard(&db, "after", &[CONFIG]).await;
            db.close().await;
        }
    }

    async fn a_backup_tells_no_secret(f: Fixture) {
        fill(&f.db).await;
        let text = lines(&back_up(&f.address).await).join("\n");
        assert!(text.contains("acme") && !text.contains("hunter2-secret"));
    }

    async fn only_an_empty_database_is_filled(f: Fixture) {
        fill(&f.db).await;
        let backup = back_up(&f.address).await;
        f.db.close().await;
        let e = restore(&f.address, &backup).await.expect_err("not empty");
        assert!(matches!(e, StoreError::NotEmpty), "{e}");
        assert_eq!(lines(&back_up(&f.address).await), lines(&backup), "and nothing was changed");
    }

    async fn a_file_that_is_not_whole_or_has_another_key_leaves_nothing(f: Fixture) {
        fill(&f.db).await;
        let backup = back_up(&f.address).await;
        let folder = tempfile::tempdir().expect("a folder");
        for place in empty(&folder).await {
            for cut in 0..16 {
                let part = &backup[..backup.len() * cut / 16];
                let e = restore(&place, part).await.expect_err("cut");
                assert!(matches!(e, StoreError::Backup { .. }), "{cut} of 16: {e}");
            }
            let e = archive::restore(&place, &key(2), min(9), backup.as_slice()).await.expect_err("another key");
            assert!(matches!(e, StoreError::WrongKey), "{e}");
            let head = header(&backup);
            let end = "{\"table\":\"owners\",\"columns\":[\"id\"]}\n{\"end\":0}\n";
            for (text, says) in [
                (format!("{head}\n{{\"end\":3}}\n"), "3 rows were written, 0 are there"),
                (format!("{head}\n{end}"), "the columns of `owners` are not those of this version"),
                (format!("{head}\n{{\"table\":\"spies\",\"columns\":[]}}\n"), "no table `spies`"),
                (format!("{head}\n[\"a row\"]\n"), "line 2: a row before any table"),
                (head.replace("\"parapet_backup\":1", "\"parapet_backup\":99") + "\n", "newer Parapet"),
                ("a text\n".to_owned(), "line 1"),
            ] {
                let e = restore(&place, &packed(&text)).await.expect_err("wrong");
                assert!(e.to_string().contains(says), "{e}");
            }
            let newer = head.replace("\"schema\":", "\"schema\":90");
            let e = restore(&place, &packed(&(newer + "\n"))).await.expect_err("newer");
            assert!(matches!(e, StoreError::NewerSchema { .. }), "{e}");
            restore(&place, &backup).await.expect("the place is still empty");
        }
    }

    /// Every version that was ever released can be restored: it is filled as it was and then upgraded.
    async fn a_backup_of_an_older_schema_is_upgraded(f: Fixture) {
        let head = header(&back_up(&f.address).await);
        let newest: i64 = serde_json::from_str::<serde_json::Value>(&head).expect("JSON")["schema"].as_i64().expect("a version");
        assert!(newest > 3);
        for version in 1..=newest {
            let head = head.replace(&format!("\"schema\":{newest}"), &format!("\"schema\":{version}"));
            let mut columns = vec!["id", "name", "name_sort", "email", "email_key", "time_zone", "active", "created_at"];
            let mut row = r#"["o1","Ada","ada","ada@example.com","ada@example.com","UTC",true,5"#.to_owned();
            if version >= 2 {
                columns.extend(["digest_minute", "quiet"]);
                row.push_str(",540,true");
            }
            let columns = serde_json::to_string(&columns).expect("JSON");
            let text = format!("{head}\n{{\"table\":\"owners\",\"columns\":{columns}}}\n{row}]\n{{\"end\":1}}\n");
            let folder = tempfile::tempdir().expect("a folder");
            for place in empty(&folder).await {
                let contents = restore(&place, &packed(&text)).await.expect("restored");
                assert_eq!((contents.schema, contents.rows()), (version, 1));
                let db = open(&place, 1).await.expect("opens, upgraded");
                let all = owners::all(&db).await.expect("readable");
                assert_eq!(all.iter().map(|o| o.email.as_str()).collect::<Vec<_>>(), ["ada@example.com"]);
                db.close().await;
            }
        }
    }

    /// A database with something of everything, as each version knew it: nothing that people see is lost by the upgrade.
    async fn a_full_database_of_every_older_schema_is_upgraded(f: Fixture) {
        fill(&f.db).await;
        let all = [CONFIG, ScanKind::Accounts, ScanKind::Plugins];
        let id = onboard(&f.db, "everything", &all).await;
        let people = [account("1", "ann", Value::Null), account("2", "bob", Value::Null)];
        let hosted = [plugin("1", "robot", "high"), plugin("2", "butler", "unknown")];
        let risky = [CheckResult { scan: ScanKind::Accounts, ..fails("example/a", "1", Severity::High) }];
        let drifts = [Drift {
            dataset: "org".to_owned(),
            resource: "acme".to_owned(),
            field: Some("mfa".to_owned()),
            before: Some(serde_json::json!(true)),
            after: None,
            at: min(1),
        }];
        let data = dataset(&["alice", "bob"], min(1));
        run_with(&f.db, &id, CONFIG, min(1), |c| {
            c.drift = &drifts;
            c.snapshots = vec![("members", &data)];
        })
        .await;
        run_with(&f.db, &id, ScanKind::Accounts, min(2), |c| {
            c.accounts = all_of(&people);
            c.results = &risky;
        })
        .await;
        run_with(&f.db, &id, ScanKind::Plugins, min(3), |c| c.plugins = all_of(&hosted)).await;
        let before = seen(&f.db).await;
        assert!(before.len() > 12, "{before:?}");
        let mut text = String::new();
        let backup = back_up(&f.address).await;
        zstd::stream::read::Decoder::new(&*backup).expect("zstd").read_to_string(&mut text).expect("whole");
        for version in 1..=VERSIONS.len() {
            let older = as_of(&text, version);
            assert_eq!(older == text, version == VERSIONS.len(), "version {version}");
            let folder = tempfile::tempdir().expect("a folder");
            for place in empty(&folder).await {
                let contents = restore(&place, &packed(&older)).await.expect("restored");
                assert_eq!(contents.schema, i64::try_from(version).expect("small"));
                let db = open(&place, 1).await.expect("opens, upgraded");
                assert_eq!(seen(&db).await, before, "version {version}");
                run_with(&db, &id, ScanKind::Accounts, min(200), |c| c.accounts = all_of(&people)).await;
                db.close().await;
            }
        }
    }

    /// Version 6 counts into the accounts' rows what is open of them: also for those that are there already.
    async fn an_upgrade_counts_the_findings_of_accounts(f: Fixture) {
        let acme = onboard(&f.db, "acme", &[ScanKind::Accounts]).await;
        let people = [account("1", "ann", Value::Null), account("2", "bob", Value::Null)];
        let fails = |check, resource| CheckResult { scan: ScanKind::Accounts, ..fails(check, resource, Severity::High) };
        let results = [fails("example/a", "1"), fails("example/b", "1"), fails("example/gone", "3")];
        run_with(&f.db, &acme, ScanKind::Accounts, min(1), |commit| {
            commit.accounts = all_of(&people);
            commit.results = &results;
        })
        .await;
        let mut text = String::new();
        let backup = back_up(&f.address).await;
        zstd::stream::read::Decoder::new(&*backup).expect("zstd").read_to_string(&mut text).expect("whole");
        let before = as_of(&text, 5);
        let folder = tempfile::tempdir().expect("a folder");
        for place in empty(&folder).await {
            restore(&place, &packed(&before)).await.expect("restored");
            let db = open(&place, 1).await.expect("opens, upgraded");
            let (filter, sort) = (accounts::Filter::default(), accounts::Sort::default());
            let page = accounts::list(&db, &filter, sort, Order::default(), Cut::first(9)).await.expect("read");
            let mut counted: Vec<_> = page.rows.iter().map(|a| (a.id.as_str(), a.findings)).collect();
            counted.sort_unstable();
            assert_eq!(counted, [("1", 2), ("2", 0)]);
            db.close().await;
        }
    }
}
