//! One onboarded instance and everything around it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catalog::Catalog;
use collect::Clock;
use model::health::{Enablement, ScanFacts, Standing};
use model::id::InstanceId;
use model::scan::{RunOutcome, ScanKind};
use model::schedule::default_interval;
use model::time::Duration;
use secrecy::SecretString;
use store::audit::Entry;
use store::instances::{self, NewCredential, NewInstance};
use store::scans::ScanSetup;
use store::{Cut, Db, Options, SealingKey, runs};
use tokio::sync::watch;

use super::fake::{Counting, Fake, HandClock, identity};
use crate::config::Config;
use crate::context::Context;
use crate::directories::Cache;
use crate::ticker::Ticker;

pub(super) struct World {
    pub(super) db: Db,
    pub(super) clock: Arc<HandClock>,
    pub(super) fake: Arc<Fake>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) id: InstanceId,
    pub(super) context: Arc<Context>,
    pub(super) ticker: Ticker,
    /// Dropping it would stop the workers.
    _drain: watch::Sender<bool>,
}

pub(super) fn entry(action: &str) -> Entry {
    Entry {
        operator: None,
        by: "test".into(),
        action: action.into(),
        instance: None,
        target: "Vault".into(),
        detail: serde_json::Value::Null,
    }
}

/// The vault of this folder of the crate.
pub(super) fn catalog(folder: &str) -> Arc<Catalog> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let loaded = Catalog::load(&[folder]);
    let ours: Vec<_> = loaded.errors.iter().filter(|e| e.to_string().contains("vault")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    Arc::new(loaded.catalog)
}

/// A vault with both scans, the accounts scan enabled or not.
pub(super) async fn onboard(db: &Db, clock: &HandClock, name: &str, accounts: Enablement) -> InstanceId {
    let now = clock.now();
    let id = InstanceId::new(db.new_id(now));
    let setup =
        |kind, enablement| ScanSetup { kind, enablement, interval: default_interval(kind), gaps: vec![] };
    let new = NewInstance {
        id: id.clone(),
        app: "vault".into(),
        name: name.into(),
        deployment: "cloud".into(),
        settings: BTreeMap::new(),
        origins: origins(name),
        auth: "token".into(),
        identity: identity(),
        secrets: [("token".to_owned(), SecretString::from("t0k3n"))].into(),
        owner: None,
        tags: vec![],
        down_after: 3,
        scans: vec![setup(ScanKind::Config, Enablement::Enabled), setup(ScanKind::Accounts, accounts)],
    };
    instances::create(db, new, now, entry("instance.onboard")).await.expect("a new name");
    id
}

impl World {
    /// Both scans enabled.
    pub(super) async fn new() -> Self {
        Self::with(Enablement::Enabled).await
    }

    /// Only the config scan is of interest.
    pub(super) async fn config_only() -> Self {
        Self::with(Enablement::Stopped { since: super::fake::START, by: "test".into() }).await
    }

    pub(super) async fn with(accounts: Enablement) -> Self {
        let clock = HandClock::new();
        let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
        let options = Options { database_clock: false, ..Options::default() };
        let db = Db::open("sqlite::memory:", &key, Arc::new(Counting::default()), clock.now(), options)
            .await
            .expect("a database in memory");
        let fake = Arc::new(Fake::default());
        let catalog = catalog("src/tests/catalog");
        let id = onboard(&db, &clock, "Acme", accounts).await;
        let (drain, draining) = watch::channel(false);
        let context = Arc::new(Context {
            db: db.clone(),
            catalog: Arc::clone(&catalog),
            collector: Arc::clone(&fake) as _,
            clock: Arc::clone(&clock) as _,
            config: Config::default(),
            directories: Cache::default(),
            draining,
        });
        let ticker = Ticker::open(Arc::clone(&context)).await.expect("a database in memory");
        Self { db, clock, fake, catalog, id, context, ticker, _drain: drain }
    }

    /// The catalogue is another one from now on, as after a restart.
    pub(super) async fn with_catalog(mut self, catalog: Catalog) -> Self {
        let was = &self.context;
        self.context = Arc::new(Context {
            db: was.db.clone(),
            catalog: Arc::new(catalog),
            collector: Arc::clone(&was.collector),
            clock: Arc::clone(&was.clock),
            config: was.config.clone(),
            directories: Cache::default(),
            draining: was.draining.clone(),
        });
        self.ticker = Ticker::open(Arc::clone(&self.context)).await.expect("a database in memory");
        self
    }

    /// Works off what is due now.
    pub(super) async fn settle(&mut self) {
        self.ticker.settle().await.expect("a database in memory");
    }

    /// Lets time pass in steps of five minutes, working off what becomes due.
    pub(super) async fn pass(&mut self, time: Duration) {
        let until = self.clock.now() + time;
        while self.clock.now() < until {
            let step = Duration::minutes(5).min(until - self.clock.now());
            self.clock.advance(step);
            self.settle().await;
        }
    }

    pub(super) async fn standing(&self) -> Standing {
        instances::get(&self.db, &self.id).await.expect("onboarded").standing()
    }

    pub(super) async fn scan(&self, kind: ScanKind) -> ScanFacts {
        self.standing().await.scan(kind).expect("supported").clone()
    }

    pub(super) async fn warnings(&self, kind: ScanKind) -> Vec<model::diagnosis::Warning> {
        let row = instances::get(&self.db, &self.id).await.expect("onboarded");
        row.scan(kind).expect("supported").warnings.clone()
    }

    /// The word on the tile, and of each enabled scan's row.
    pub(super) async fn words(&self) -> String {
        let standing = self.standing().await;
        let now = self.clock.now();
        let enabled = standing.scans.iter().filter(|s| s.enablement.is_enabled());
        let rows: Vec<&str> =
            enabled.map(|s| model::health::scan_status(s, &standing.instance, now).title()).collect();
        format!("{}: {}", standing.status(now).title(), rows.join(", "))
    }

    /// The run log, oldest first: how each run ended.
    pub(super) async fn log(&self, kind: ScanKind) -> Vec<RunOutcome> {
        let filter = runs::Filter { instance: Some(self.id.clone()), kind: Some(kind), outcome: None };
        let page = runs::log(&self.db, &filter, Cut::first(200)).await.expect("a log");
        page.rows.iter().rev().map(|run| run.outcome).collect()
    }

    pub(super) async fn reauthenticate(&self) {
        reauthenticate(&self.db, &self.clock, &self.id, "Acme").await;
    }
}

/// Each instance is at an address of its own.
fn origins(name: &str) -> BTreeMap<String, String> {
    [("main".to_owned(), super::fake::address(name))].into()
}

pub(super) async fn reauthenticate(db: &Db, clock: &HandClock, id: &InstanceId, name: &str) {
    let new = NewCredential {
        auth: "token".into(),
        settings: BTreeMap::new(),
        origins: origins(name),
        identity: identity(),
        secrets: [("token".to_owned(), SecretString::from("n3w"))].into(),
        stop: Default::default(),
        enable: Default::default(),
        gaps: BTreeMap::new(),
        by: "test".into(),
    };
    let done = instances::reauthenticate(db, id, new, clock.now(), entry("instance.reauthenticate"));
    done.await.expect("onboarded");
}
