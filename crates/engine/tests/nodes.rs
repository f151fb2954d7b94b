//! Two nodes on one PostgreSQL: no scan runs twice, and one takes over what the other hands back.

#[path = "../src/tests/fake.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use all of it")]
mod fake;

/// Where the shared file expects it.
mod collector {
    pub(crate) use engine::Collector;
}

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as Real;

use catalog::Catalog;
use collect::Clock;
use engine::clock::{SystemClock, SystemEntropy};
use engine::{Config, Engine, Handle};
use fake::{Answer, Fake, identity};
use model::health::Enablement;
use model::scan::{RunOutcome, ScanKind};
use model::schedule::default_interval;
use model::time::Duration;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor};
use store::audit::Entry;
use store::instances::{self, NewInstance};
use store::scans::ScanSetup;
use store::{Cut, Db, Options, SealingKey, runs};
use tokio::sync::Notify;

const INSTANCES: usize = 10;
const WORKERS: usize = 4;

/// A schema of its own. `None`: no server was named, and none is required.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
async fn address() -> Option<String> {
    let Ok(url) = std::env::var("PARAPET_TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
            "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
        );
        return None;
    };
    let schema = format!("nodes_{}", std::process::id());
    let admin = sqlx::PgPool::connect(&url).await.expect("PostgreSQL");
    let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    admin.execute(AssertSqlSafe(create)).await.expect("a schema");
    let sep = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{sep}options=-c%20search_path%3D{schema}"))
}

async fn onboard(db: &Db, n: usize) {
    let now = SystemClock.now();
    let name = format!("vault-{n}");
    let setup = |kind| ScanSetup {
        kind,
        enablement: Enablement::Enabled,
        interval: default_interval(kind),
        gaps: vec![],
    };
    let new = NewInstance {
        id: db.new_id(now).into(),
        app: "vault".into(),
        deployment: "cloud".into(),
        settings: BTreeMap::new(),
        origins: [("main".to_owned(), format!("https://{name}.example.com"))].into(),
        name,
        auth: "token".into(),
        identity: identity(),
        secrets: [("token".to_owned(), SecretString::from("t0k3n"))].into(),
        owner: None,
        tags: vec![],
        down_after: 3,
        scans: vec![setup(ScanKind::Config), setup(ScanKind::Accounts)],
    };
    let entry = Entry {
        operator: None,
        by: "test".into(),
        action: "instance.onboard".into(),
        instance: None,
        target: "Vault".into(),
        detail: serde_json::Value::Null,
    };
    instances::create(db, new, now, entry).await.expect("a new name");
}

async fn node(db: &Db, name: &str, fake: &Arc<Fake>) -> Handle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/catalog");
    let config = Config {
        node: name.into(),
        workers: WORKERS,
        reload: Some(Duration::seconds(1)),
        longest_sleep: Duration::seconds(1),
        ..Config::default()
    };
    let catalog = Arc::new(Catalog::load(&[folder]).catalog);
    Engine::start(db.clone(), catalog, Arc::clone(fake) as _, Arc::new(SystemClock), config)
        .await
        .expect("PostgreSQL")
}

/// Waits for what must come. Far longer than anything takes: a test that hangs says where.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Real::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Real::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn two_nodes_share_the_work_and_take_over_what_is_handed_back() {
    let Some(address) = address().await else {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests by hand is told what was left out")]
        {
            eprintln!("PostgreSQL tests not run: PARAPET_TEST_POSTGRES_URL is not set");
        }
        return;
    };
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let open = || Db::open(&address, &key, Arc::new(SystemEntropy), SystemClock.now(), Options::default());
    let (left, right) = (open().await.expect("PostgreSQL"), open().await.expect("PostgreSQL"));
    for n in 0..INSTANCES {
        onboard(&left, n).await;
    }

    // Every run stays under way, so both nodes fill up with runs of their own.
    let gate = Arc::new(Notify::new());
    let fakes = [Arc::new(Fake::default()), Arc::new(Fake::default())];
    for fake in &fakes {
        fake.answer([Answer::Gated(Arc::clone(&gate), Box::new(Answer::Open(&[])))]);
    }
    let one = node(&left, "one", &fakes[0]).await;
    let two = node(&right, "two", &fakes[1]).await;
    until("both nodes are full", || async { fakes.iter().all(|fake| fake.begun().len() == WORKERS) }).await;

    one.drain().await;
    assert_eq!(fakes[0].begun().len(), WORKERS, "a draining node begins nothing");
    fakes[1].answer([Answer::Open(&[])]);
    gate.notify_waiters();
    let filter = runs::Filter::default();
    let log = async || runs::log(&right, &filter, Cut::first(200)).await.expect("a log").rows;
    until("every scan has run", || async { log().await.len() >= 2 * INSTANCES }).await;
    two.drain().await;

    let log = log().await;
    let scans: BTreeSet<_> = log.iter().map(|run| (run.instance.clone(), run.kind)).collect();
    assert_eq!((log.len(), scans.len()), (2 * INSTANCES, 2 * INSTANCES), "each scan once");
    assert!(log.iter().all(|run| run.outcome == RunOutcome::Succeeded));
    let begun = fakes[1].begun().len();
    assert_eq!(begun, 2 * INSTANCES, "the second node also ran what the first had handed back");
}
