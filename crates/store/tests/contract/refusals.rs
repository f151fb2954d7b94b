use std::io::{Seek as _, SeekFrom, Write as _};

use model::finding::Severity;
use model::scan::RunOutcome;
use store::runs::Commit;
use store::{Cut, StoreError, archive, runs};

use crate::commit::open_findings;
use crate::support::*;

async fn refused(address: &str, byte: u8) -> StoreError {
    open(address, byte).await.expect_err("must be refused")
}

fn path(f: &Fixture) -> String {
    f.address.trim_start_matches("sqlite:").to_owned()
}

async fn exec(f: &Fixture, text: &'static str) {
    if f.address.starts_with("sqlite") {
        let pool = sqlx::SqlitePool::connect(&path(f)).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
        pool.close().await;
    } else {
        let pool = sqlx::PgPool::connect(&f.address).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

on_both! {
    async fn a_newer_database_is_left_alone(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        exec(&f, "UPDATE meta SET value = '99' WHERE name = 'schema_version'").await;
        // It does not say how far back it reaches.
        exec(&f, "DELETE FROM meta WHERE name = 'schema_oldest'").await;
        f.db.clone().close().await;
        let address = f.address.clone();
        let Fixture { db, folder: _folder, .. } = f;
        drop(db);
        let e = refused(&address, 1).await;
        assert!(matches!(e, StoreError::NewerSchema { found: 99, .. }), "{e}");
        assert!(e.to_string().contains("start the newer Parapet"), "{e}");
    }

    async fn nodes_survive_an_upgrade_that_only_adds_and_stop_at_one_that_does_more(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        // What a newer Parapet would have done: a column, a table, and its word that older nodes may go on.
        exec(&f, "ALTER TABLE scans ADD COLUMN mood BIGINT NOT NULL DEFAULT 7").await;
        exec(&f, "CREATE TABLE moods (id BIGINT PRIMARY KEY)").await;
        exec(&f, "UPDATE meta SET value = '99' WHERE name = 'schema_version'").await;
        let Fixture { db, address, folder } = f;
        db.ping().await.expect("it goes on");
        run_with(&db, &id, CONFIG, min(1), |_| {}).await;
        db.clone().close().await;
        drop(db);
        let db = open(&address, 1).await.expect("it starts again");
        run_with(&db, &id, CONFIG, min(2), |_| {}).await;
        let log = runs::log(&db, &runs::Filter::default(), Cut::first(10)).await.unwrap();
        assert_eq!(log.rows.len(), 2, "and works");
        // A copy made by a program that does not know all tables would lack some.
        let mut file = Vec::new();
        let e = archive::back_up(&address, min(3), &mut file).await.expect_err("no backup");
        assert!(matches!(e, StoreError::NewerSchema { found: 99, .. }), "{e}");

        let f = Fixture { db, address, folder };
        exec(&f, "UPDATE meta SET value = '99' WHERE name = 'schema_oldest'").await;
        let e = f.db.ping().await.expect_err("a node that is under way notices");
        assert!(matches!(e, StoreError::NewerSchema { found: 99, .. }), "{e}");
        f.db.clone().close().await;
        let Fixture { db, address, folder: _folder } = f;
        drop(db);
        let e = refused(&address, 1).await;
        assert!(e.to_string().contains("schema version 99"), "{e}");
        assert!(e.to_string().contains("start the newer Parapet"), "{e}");
    }

    async fn another_sealing_key_is_refused(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        f.db.clone().close().await;
        let Fixture { db, address, folder: _folder } = f;
        drop(db);
        let e = refused(&address, 2).await;
        assert!(matches!(e, StoreError::WrongKey), "{e}");
        assert!(e.to_string().contains("start Parapet with the key it was created with"), "{e}");
        let db = open(&address, 1).await.expect("the right key still opens it");
        assert_eq!(store::instances::get(&db, &id).await.unwrap().instance.id, id, "nothing was lost");
    }

    async fn opening_again_changes_nothing(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let before = store::instances::get(&f.db, &id).await.unwrap();
        f.db.clone().close().await;
        let Fixture { db, address, folder: _folder } = f;
        drop(db);
        let db = open(&address, 1).await.unwrap();
        db.ping().await.unwrap();
        assert_eq!(store::instances::get(&db, &id).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_second_process_on_one_file_is_refused() {
    let f = lite().await;
    let e = refused(&f.address, 1).await;
    assert!(matches!(e, StoreError::InUse { .. }), "{e}");
    assert!(e.to_string().contains(&path(&f)) && e.to_string().contains("stop that process"), "{e}");
    f.db.ping().await.expect("the first one is not disturbed");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let f = lite().await;
    onboard(&f.db, "a", &[CONFIG]).await;
    let folder = f.folder.as_ref().expect("a file").path();
    let mut looked = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{:?} has {mode:o}", entry.file_name());
        looked.push(entry.file_name());
    }
    assert!(looked.len() >= 3, "database, write-ahead log and lock: {looked:?}");
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let f = lite().await;
    for n in 0..200 {
        onboard(&f.db, &format!("instance-{n}"), &[CONFIG]).await;
    }
    let (path, address) = (path(&f), f.address.clone());
    f.db.clone().close().await;
    let Fixture { db, folder: _folder, .. } = f;
    drop(db);
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let size = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(size / 2)).unwrap();
    file.write_all(&vec![0xA5; usize::try_from(size / 4).unwrap()]).unwrap();
    drop(file);
    let e = refused(&address, 1).await;
    assert!(matches!(e, StoreError::Corrupt { .. }), "{e}");
    assert!(e.to_string().contains(&path) && e.to_string().contains("restore the latest backup"), "{e}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "milk, bread, and a long line of other things to buy".repeat(40)).unwrap();
    let e = refused(&path.display().to_string(), 1).await;
    assert!(matches!(e, StoreError::Corrupt { .. }), "{e}");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept.starts_with("milk"), "the file is not touched");
}

#[tokio::test]
async fn addresses_that_lead_nowhere_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no").join("such").join("parapet.db");
    let e = refused(&missing.display().to_string(), 1).await;
    assert!(e.to_string().contains("its folder does not exist"), "{e}");
    let e = refused("mysql://root:topsecret@localhost/x", 1).await;
    assert!(matches!(e, StoreError::Address { .. }) && !e.to_string().contains("topsecret"), "{e}");
    let e = refused("", 1).await;
    assert!(matches!(e, StoreError::Address { .. }), "{e}");
    // Port 1 on loopback: refused at once.
    let e = refused("postgres://parapet:topsecret@127.0.0.1:1/x", 1).await;
    assert!(matches!(e, StoreError::Unreachable { .. }) && !e.to_string().contains("topsecret"), "{e}");
}

#[tokio::test]
async fn a_server_elsewhere_is_not_spoken_to_in_the_clear() {
    for address in [
        "postgres://parapet:topsecret@db.example.com/x",
        "postgres://parapet:topsecret@192.0.2.7/x?sslmode=allow",
        "postgres://parapet:topsecret@127.0.0.1:1/x?sslmode=require",
        "postgres://parapet:topsecret@db.example.com/x?sslmode=verify-full",
    ] {
        let e = refused(address, 1).await;
        assert!(matches!(e, StoreError::Address { .. }), "{address}: {e}");
        assert!(e.to_string().contains("TLS tunnel") && !e.to_string().contains("topsecret"), "{e}");
    }
}

#[tokio::test]
async fn the_sealing_key_is_read_exactly() {
    use store::SealingKey;
    let text = SealingKey::generate_hex(Counting::new().as_ref());
    assert!(SealingKey::from_hex(&format!(" {}\n", text.as_str())).is_ok());
    assert!(SealingKey::from_hex("abc").unwrap_err().contains("64 hexadecimal digits"));
    let bad = format!("zz{}", &text[2..]);
    let e = SealingKey::from_hex(&bad).unwrap_err();
    assert!(!e.contains(&text[2..]), "the text is not repeated");
    assert!(SealingKey::from_bytes(vec![0; 16]).is_err());
    assert_eq!(format!("{:?}", key(1)), "SealingKey(not shown)");
}

/// PostgreSQL's word for a full disk, in the middle of a run's transaction. What a full disk does to SQLite is tried with a
/// real one, and a real process.
#[tokio::test]
async fn a_full_disk_under_postgresql_is_said_and_nothing_of_the_run_is_kept() {
    let Some(address) = pg_address().await else { return };
    let db = open(&address, 1).await.expect("opens");
    let f = Fixture { db, address, folder: None };
    let id = onboard(&f.db, "a", &[CONFIG]).await;
    let held = claim(&f.db, &id, CONFIG, min(1)).await.expect("free");
    exec(
        &f,
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER no_room BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION no_room()",
    )
    .await;
    let results = [fails("example/one", "alice", Severity::Low)];
    let store = async || {
        let commit = Commit { results: &results, ..nothing(&held, RunOutcome::Succeeded, min(2)) };
        runs::commit(&f.db, &held, commit).await
    };
    let e = store().await.expect_err("no room");
    assert!(matches!(e, StoreError::DiskFull) && e.is_passing(), "{e}");
    let log = async || runs::log(&f.db, &runs::Filter::default(), Cut::first(10)).await.unwrap().rows.len();
    assert_eq!((log().await, open_findings(&f).await.len()), (0, 0));
    exec(&f, "DROP TRIGGER no_room ON runs").await;
    store().await.expect("the lease is still its own");
    assert_eq!((log().await, open_findings(&f).await.len()), (1, 1));
}
