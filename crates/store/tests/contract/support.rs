//! Databases to test with, and small builders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::credential::Identity;
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::{Fault, Rung};
use model::entropy::Entropy;
use model::finding::{CheckResult, Outcome, Severity};
use model::health::{Enablement, FinishedRun};
use model::id::{AppId, InstanceId};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Finish, Spread, default_interval};
use model::time::{Duration, Timestamp};
use model::value::{Record, Shape, ShapeField, Type, Value};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor as _};
use store::audit::Entry;
use store::instances::{self, NewInstance};
use store::runs::{Commit, Committed, Subjects};
use store::scans::{self, Claim, Held, ScanSetup};
use store::{Db, Options, SealingKey, StoreError};

pub(crate) const T0: Timestamp = Timestamp(1_780_000_000_000);
pub(crate) const TTL: Duration = Duration::seconds(60);
pub(crate) const CONFIG: ScanKind = ScanKind::Config;

pub(crate) fn min(n: i64) -> Timestamp {
    T0 + Duration::minutes(n)
}

/// Counts: ids and nonces that differ within one test and are the same at every run.
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) fn new() -> Arc<Self> {
        Self::from(1)
    }

    pub(crate) fn from(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&n.to_be_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes(vec![byte; 32]).expect("32 bytes")
}

/// A database of one test.
pub(crate) struct Fixture {
    pub(crate) db: Db,
    pub(crate) address: String,
    pub(crate) folder: Option<tempfile::TempDir>,
}

pub(crate) fn options() -> Options {
    // A virtual clock: leases must not expire by PostgreSQL's.
    Options { database_clock: false, ..Options::default() }
}

pub(crate) async fn open(address: &str, byte: u8) -> Result<Db, StoreError> {
    Db::open(address, &key(byte), Counting::new(), T0, options()).await
}

pub(crate) async fn lite() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("parapet.db").display());
    Fixture { db: open(&address, 1).await.expect("opens"), address, folder: Some(folder) }
}

/// A schema of its own on the server that the environment names. `None`: no server was named, and none is required.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
pub(crate) async fn pg_address() -> Option<String> {
    static N: AtomicU64 = AtomicU64::new(0);
    let Ok(url) = std::env::var("PARAPET_TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
            "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
        );
        return None;
    };
    let schema = format!("t_{}_{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed));
    let admin = sqlx::PgPool::connect(&url).await.expect("PostgreSQL");
    let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    admin.execute(AssertSqlSafe(create)).await.expect("a schema");
    admin.close().await;
    let sep = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{sep}options=-c%20search_path%3D{schema}"))
}

pub(crate) async fn pg() -> Option<Fixture> {
    let address = pg_address().await?;
    Some(Fixture { db: open(&address, 1).await.expect("opens"), address, folder: None })
}

/// Each test once a database.
macro_rules! on_both {
    ($($(#[$attr:meta])* async fn $name:ident($fixture:ident: Fixture) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($fixture: Fixture) $body

            #[tokio::test]
            async fn sqlite() {
                Box::pin(run(lite().await)).await;
            }

            #[tokio::test]
            async fn postgresql() {
                match pg().await {
                    Some(fixture) => Box::pin(run(fixture)).await,
                    None => eprintln!("PostgreSQL tests not run: PARAPET_TEST_POSTGRES_URL is not set"),
                }
            }
        }
    )*};
}
pub(crate) use on_both;

pub(crate) fn audit(action: &str) -> Entry {
    Entry {
        operator: None,
        by: "ada".to_owned(),
        action: action.to_owned(),
        instance: None,
        target: "acme".to_owned(),
        detail: serde_json::json!({}),
    }
}

pub(crate) fn identity(tenant: &str) -> Identity {
    Identity {
        tenant_uid: tenant.to_owned(),
        tenant_name: tenant.to_uppercase(),
        subject: "parapet".to_owned(),
        granted: Some(vec!["members:read".to_owned()]),
        expires_at: None,
    }
}

pub(crate) fn origins() -> BTreeMap<String, String> {
    BTreeMap::from([("api".to_owned(), "https://api.example.com".to_owned())])
}

pub(crate) fn secrets(value: &str) -> BTreeMap<String, SecretString> {
    BTreeMap::from([("token".to_owned(), SecretString::from(value.to_owned()))])
}

pub(crate) fn new_instance(id: &str, name: &str, kinds: &[ScanKind]) -> NewInstance {
    NewInstance {
        id: InstanceId::new(id),
        app: AppId::new("example"),
        name: name.to_owned(),
        deployment: "cloud".to_owned(),
        settings: BTreeMap::from([("organisation".to_owned(), "acme".to_owned())]),
        origins: origins(),
        auth: "token".to_owned(),
        identity: identity("acme"),
        secrets: secrets("hunter2-secret"),
        owner: None,
        tags: vec!["eu".to_owned()],
        down_after: 3,
        scans: kinds
            .iter()
            .map(|kind| ScanSetup {
                kind: *kind,
                enablement: Enablement::Enabled,
                interval: default_interval(*kind),
                gaps: Vec::new(),
            })
            .collect(),
    }
}

pub(crate) async fn onboard(db: &Db, id: &str, kinds: &[ScanKind]) -> InstanceId {
    instances::create(db, new_instance(id, id, kinds), T0, audit("instance.onboard")).await.expect("saved");
    InstanceId::new(id)
}

pub(crate) async fn claim(db: &Db, instance: &InstanceId, kind: ScanKind, now: Timestamp) -> Option<Held> {
    let claim = Claim { instance, kind, holder: "node", now, ttl: TTL, deadline: now + Duration::hours(3) };
    scans::claim(db, claim).await.expect("a claim")
}

pub(crate) fn fault(cause: FailureCause, at: Timestamp) -> Fault {
    Fault {
        cause,
        reached: Rung::Http,
        dataset: Some("members".to_owned()),
        request: Some("GET https://api.example.com/members".to_owned()),
        status: Some(401),
        vendor_message: Some("Bad credentials".to_owned()),
        request_id: None,
        needs: Vec::new(),
        detail: "refused".to_owned(),
        at,
    }
}

pub(crate) fn finish(held: &Held, outcome: RunOutcome, at: Timestamp) -> Finish {
    Finish {
        run: FinishedRun {
            run: held.run.clone(),
            outcome,
            fault: outcome.cause().map(|c| Box::new(fault(c, at))),
            started_at: held.started_at,
            finished_at: at,
            records: 3,
            requests: 2,
            gaps: 0,
        },
        sent: true,
    }
}

pub(crate) fn nothing<'a>(held: &Held, outcome: RunOutcome, at: Timestamp) -> Commit<'a> {
    Commit::nothing(finish(held, outcome, at), Spread(0), &[])
}

/// Claims and commits one run with these failing results.
pub(crate) async fn run_with<'a>(
    db: &Db,
    instance: &InstanceId,
    kind: ScanKind,
    at: Timestamp,
    fill: impl FnOnce(&mut Commit<'a>),
) -> Committed {
    let held = claim(db, instance, kind, at).await.expect("free");
    let mut commit = nothing(&held, RunOutcome::Succeeded, at);
    fill(&mut commit);
    store::runs::commit(db, &held, commit).await.expect("committed")
}

pub(crate) fn fails(check: &str, resource: &str, severity: Severity) -> CheckResult {
    CheckResult {
        check: check.into(),
        revision: 1,
        scan: CONFIG,
        resource: resource.into(),
        resource_kind: "members".into(),
        outcome: Outcome::Fail,
        severity,
        says: format!("{resource} fails").into(),
        evidence: [].into(),
        needs: [].into(),
    }
}

pub(crate) fn account(id: &str, username: &str, privileged: Value) -> Record {
    let shape = &model::account::SHAPE;
    let value = |name: &str| match name {
        "id" => Value::string(id),
        "username" => Value::string(username),
        "email" => Value::string(format!("{username}@example.com")),
        "state" => Value::string("active"),
        "privileged" => privileged.clone(),
        "last_active_at" => Value::Null,
        _ => Value::Unknown,
    };
    Record { values: shape.fields.iter().map(|f| value(&f.name)).collect() }
}

pub(crate) fn plugin(id: &str, name: &str, grade: &str) -> Record {
    let shape = &model::plugin::SHAPE;
    let value = |field: &str| match field {
        "id" => Value::string(id),
        "name" => Value::string(name),
        "grade" if grade != "unknown" => Value::string(grade),
        "users" => Value::list(vec![Value::string("bob")]),
        _ => Value::Unknown,
    };
    Record { values: shape.fields.iter().map(|f| value(&f.name)).collect() }
}

pub(crate) fn all_of(records: &[Record]) -> Option<Subjects<'_>> {
    Some(Subjects { records, complete: true })
}

pub(crate) fn some_of(records: &[Record]) -> Option<Subjects<'_>> {
    Some(Subjects { records, complete: false })
}

pub(crate) fn dataset(logins: &[&str], at: Timestamp) -> DatasetSnapshot {
    let field = |name: &str, kind| ShapeField { name: name.to_owned(), kind, sensitive: false };
    let shape = Shape {
        fields: vec![
            field("login", Type::String),
            field("admin", Type::Bool),
            field("since", Type::Timestamp),
        ],
    };
    DatasetSnapshot {
        shape: Arc::new(shape),
        key: Some("login".to_owned()),
        records: logins
            .iter()
            .map(|l| Record {
                values: vec![Value::string(*l), Value::Unknown, Value::Timestamp(T0)].into_boxed_slice(),
            })
            .collect(),
        availability: Availability::Complete,
        collected_at: at,
        request: "GET https://api.example.com/members".to_owned(),
        requests: 2,
    }
}

pub(crate) fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}
