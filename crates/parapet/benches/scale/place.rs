//! The databases that are measured, and how they are filled.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine::clock::SystemEntropy;
use model::credential::Identity;
use model::finding::{CheckResult, Outcome, Severity};
use model::health::{Enablement, FinishedRun};
use model::id::{AppId, InstanceId};
use model::scan::{RunOutcome, ScanKind};
use model::schedule::{Finish, Spread};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor as _};
use store::audit::Entry;
use store::instances::{self, NewInstance};
use store::runs::{Commit, Committed, Subjects};
use store::scans::{self, Claim, ScanSetup};
use store::{Db, Options, SealingKey};

/// Accounts of each tenant.
pub(crate) const ACCOUNTS: usize = 100;
/// Open findings of each tenant.
pub(crate) const FINDINGS: usize = 10;
/// The scans that a directory has.
pub(crate) const KINDS: [ScanKind; 2] = [ScanKind::Config, ScanKind::Accounts];
/// Two scans every 39 minutes are a little more than three every hour.
pub(crate) const INTERVAL: Duration = Duration::minutes(39);
/// The key of everything here, as hexadecimal digits.
const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// One database server's share of this machine.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    folder: tempfile::TempDir,
    /// The server's address, where it is PostgreSQL.
    server: Option<String>,
}

/// SQLite, and PostgreSQL where a server is named.
pub(crate) async fn all() -> Vec<Place> {
    let folder = || tempfile::tempdir().expect("a folder");
    let mut places = vec![Place { name: "SQLite", folder: folder(), server: None }];
    if let Ok(server) = std::env::var("PARAPET_TEST_POSTGRES_URL") {
        places.push(Place { name: "PostgreSQL", folder: folder(), server: Some(server) });
    }
    places
}

impl Place {
    /// The address of a database of that name.
    pub(crate) fn address(&self, name: &str) -> String {
        match &self.server {
            None => format!("sqlite:{}", self.path(name).display()),
            Some(server) => {
                let sep = if server.contains('?') { '&' } else { '?' };
                format!("{server}{sep}options=-c%20search_path%3Dscale_{name}")
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.db"))
    }

    async fn admin(&self, sql: &str) -> Option<i64> {
        let server = self.server.as_ref()?;
        let pool = sqlx::PgPool::connect(server).await.expect("PostgreSQL");
        let answer = if sql.starts_with("SELECT") {
            Some(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.expect("a number"))
        } else {
            pool.execute(AssertSqlSafe(sql)).await.expect("done");
            None
        };
        pool.close().await;
        answer
    }

    /// A new, empty database.
    pub(crate) async fn create(&self, name: &str, now: Timestamp) -> Db {
        self.admin(&format!("DROP SCHEMA IF EXISTS scale_{name} CASCADE; CREATE SCHEMA scale_{name}")).await;
        self.open(name, now).await
    }

    /// That database again.
    pub(crate) async fn open(&self, name: &str, now: Timestamp) -> Db {
        let key = SealingKey::from_hex(KEY).expect("32 bytes");
        // A year that passes in minutes has a clock of its own.
        let options = Options { database_clock: false, check_integrity: false, ..Options::default() };
        Db::open(&self.address(name), &key, Arc::new(SystemEntropy), now, options).await.expect("opens")
    }

    /// What a database takes on disk, in megabytes (10^6 bytes).
    pub(crate) async fn size(&self, name: &str) -> f64 {
        let sum = format!(
            "SELECT CAST(COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'scale_{name}' AND c.relkind = 'r'"
        );
        match self.admin(&sum).await {
            Some(bytes) => bytes as f64 / 1e6,
            None => std::fs::metadata(self.path(name)).map_or(0.0, |file| file.len() as f64 / 1e6),
        }
    }

    /// What PostgreSQL's own cleaning would have done in a day that passes here within a second. SQLite has nothing of the kind: it
    /// takes what was freed for what comes.
    pub(crate) async fn vacuum(&self, name: &str) {
        let Some(server) = &self.server else { return };
        let pool = sqlx::PgPool::connect(server).await.expect("PostgreSQL");
        let of_schema = "SELECT tablename FROM pg_tables WHERE schemaname = $1";
        let tables = sqlx::query_scalar::<_, String>(of_schema).bind(format!("scale_{name}"));
        for table in tables.fetch_all(&pool).await.expect("its tables") {
            let vacuum = format!("VACUUM scale_{name}.{table}");
            pool.execute(AssertSqlSafe(vacuum)).await.expect("cleaned");
        }
        pool.close().await;
    }

    /// A configuration of a server on that database.
    pub(crate) fn configuration(&self, name: &str) -> PathBuf {
        let key = self.folder.path().join("parapet.key");
        std::fs::write(&key, KEY).expect("a key");
        let mut permissions = std::fs::metadata(&key).expect("the key").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&key, permissions).expect("a key for us alone");
        let file = self.folder.path().join(format!("{name}.toml"));
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"{}\"\nsealing_key_file = \"{}\"\n\
             [outbound]\nallow_loopback_http = true\n",
            self.address(name),
            key.display()
        );
        std::fs::write(&file, text).expect("a configuration");
        file
    }

    /// Leaves nothing behind.
    pub(crate) async fn clear(self) {
        for name in ["grown", "year"] {
            self.admin(&format!("DROP SCHEMA IF EXISTS scale_{name} CASCADE")).await;
        }
    }
}

pub(crate) fn instance(n: usize) -> InstanceId {
    InstanceId::new(format!("i{n:05}"))
}

/// A directory, onboarded at that address.
pub(crate) async fn onboard(db: &Db, n: usize, origin: &str, now: Timestamp) {
    let name = format!("directory-{n:05}");
    let secrets = [("client_id", "parapet"), ("client_secret", "of-a-bench")];
    let settings = [("scim_path", "/scim/v2"), ("token_path", "/oauth/token")];
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let new = NewInstance {
        id: instance(n),
        app: AppId::new("scim"),
        name: name.clone(),
        deployment: "server".to_owned(),
        settings: text(&settings),
        origins: text(&[("main", origin)]),
        auth: "client".to_owned(),
        identity: Identity {
            tenant_uid: origin.to_owned(),
            tenant_name: origin.to_owned(),
            subject: "parapet".to_owned(),
            granted: None,
            expires_at: None,
        },
        secrets: text(&secrets).into_iter().map(|(name, value)| (name, SecretString::from(value))).collect(),
        owner: None,
        tags: Vec::new(),
        down_after: 3,
        scans: KINDS
            .map(|kind| ScanSetup {
                kind,
                enablement: Enablement::Enabled,
                interval: INTERVAL,
                gaps: Vec::new(),
            })
            .into(),
    };
    let entry = Entry {
        operator: None,
        by: "bench".to_owned(),
        action: "instance.onboard".to_owned(),
        instance: None,
        target: name,
        detail: serde_json::json!({}),
    };
    instances::create(db, new, now, entry).await.expect("saved");
}

/// One run that succeeded and ended at `now`.
pub(crate) async fn run<'a>(
    db: &Db,
    id: &InstanceId,
    kind: ScanKind,
    now: Timestamp,
    fill: impl FnOnce(&mut Commit<'a>),
) -> Committed {
    let (ttl, deadline) = (Duration::minutes(1), now + Duration::hours(1));
    let claim = Claim { instance: id, kind, holder: "bench", now, ttl, deadline };
    let held = scans::claim(db, claim).await.expect("readable").expect("free");
    let run = FinishedRun {
        run: held.run.clone(),
        outcome: RunOutcome::Succeeded,
        fault: None,
        started_at: held.started_at,
        finished_at: now,
        records: 104,
        requests: 3,
        gaps: 0,
    };
    let mut commit = Commit::nothing(Finish { run, sent: true }, Spread(0), &[]);
    fill(&mut commit);
    store::runs::commit(db, &held, commit).await.expect("committed")
}

pub(crate) fn findings(from: usize, count: usize) -> Vec<CheckResult> {
    let finding = |n: usize| CheckResult {
        check: ["scim/groups-have-members", "scim/emails-unique", "scim/users-have-names"][n % 3].into(),
        revision: 1,
        scan: ScanKind::Config,
        resource: format!("user-{n:05}").into(),
        resource_kind: "users".into(),
        outcome: Outcome::Fail,
        severity: Severity::ALL[n % 5],
        says: format!("user-{n:05} is not as it should be").into(),
        evidence: [].into(),
        needs: [].into(),
    };
    (from..from + count).map(finding).collect()
}

pub(crate) fn accounts(from: usize, count: usize, now: Timestamp) -> Vec<Record> {
    let account = |n: usize| {
        let value = |field: &str| match field {
            "id" => Value::string(format!("user-{n:05}")),
            "username" => Value::string(format!("person{n:05}")),
            "display_name" => Value::string(format!("Person Number {n}")),
            "email" => Value::string(format!("person{n:05}@example.com")),
            "kind" => Value::string("human"),
            "state" => Value::string("active"),
            "privileged" => Value::Bool(n.is_multiple_of(50)),
            "external" => Value::Bool(false),
            "created_at" => Value::Timestamp(now - Duration::days(400)),
            _ => Value::Unknown,
        };
        Record { values: model::account::SHAPE.fields.iter().map(|f| value(&f.name)).collect() }
    };
    (from..from + count).map(account).collect()
}

pub(crate) fn all_of(records: &[Record]) -> Option<Subjects<'_>> {
    Some(Subjects { records, complete: true })
}
