//! A database that has moved from SQLite to PostgreSQL shows the same: every page that links lead to, letter by letter,
//! before and after, at the same moment.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use catalog::Catalog;
use collect::{Clock, Outbound, OutboundConfig};
use common::parapet;
use engine::clock::{SystemClock, SystemEntropy};
use engine::{Engine, Vendors};
use futures_util::future::BoxFuture;
use model::time::{Duration, Timestamp};
use model::view::{CredentialInput, OwnerInput};
use ops::{Ops, command_line};
use secrecy::{ExposeSecret as _, SecretString};
use sim::cast::Cast;
use sqlx::{AssertSqlSafe, Executor as _};
use store::{Cut, Db, Options, SealingKey};
use tower::ServiceExt as _;

const KEY: &str = "0909090909090909090909090909090909090909090909090909090909090909";
const PASSWORD: &str = "correct horse battery staple";
/// Fewer pages than this mean that links were not followed.
const LEAST_PAGES: usize = 150;
/// Where following links ends.
const MOST_PAGES: usize = 400;

/// A clock that stands still, so that ages do not differ.
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// A schema of its own. `None`: no server was named, and none is required.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
async fn postgresql() -> Option<String> {
    let Ok(url) = std::env::var("PARAPET_TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
            "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
        );
        return None;
    };
    let schema = format!("moved_{}", std::process::id());
    let admin = sqlx::PgPool::connect(&url).await.expect("PostgreSQL");
    let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    admin.execute(AssertSqlSafe(create)).await.expect("a schema");
    let sep = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{sep}options=-c%20search_path%3D{schema}"))
}

fn outbound() -> Outbound {
    let config = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
    Outbound::new(config).expect("an outbound client")
}

async fn open(address: &str) -> Db {
    let key = SealingKey::from_hex(KEY).expect("32 bytes");
    let now = SystemClock.now();
    Db::open(address, &key, Arc::new(SystemEntropy), now, Options::default()).await.expect("opens")
}

async fn ops(db: &Db, catalog: &Arc<Catalog>, clock: Arc<dyn Clock>) -> Ops {
    let config = ops::Config {
        db: db.clone(),
        catalog: Arc::clone(catalog),
        load_errors: Vec::new(),
        outbound: outbound(),
        clock,
        entropy: Arc::new(SystemEntropy),
        simulated: true,
        telling: ops::Telling::default(),
    };
    Ops::open(config).await.expect("opens")
}

/// The company's applications, each scanned once, a part of them broken and scanned again.
async fn fill(db: &Db, catalog: &Arc<Catalog>) {
    let cast = Cast::start(Arc::new(|| SystemClock.now())).await.expect("loopback ports");
    let ops = ops(db, catalog, Arc::new(SystemClock)).await;
    let token = ops.offer_setup().await.expect("readable").expect("a new database");
    ops.set_up(&token, "admin", &SecretString::from(PASSWORD), None).await.expect("set up");
    let actor = command_line();
    let owner = OwnerInput {
        name: "Ada Berg".to_owned(),
        email: "ada.berg@example.com".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        active: true,
        digest_at: String::new(),
        quiet: false,
    };
    let owner = ops.create_owner(&actor, &owner).await.expect("an owner");
    let mut ids = Vec::new();
    for role in cast.roles() {
        let mut settings = role.settings.clone();
        settings.extend(
            role.credential.values.clone().into_iter().filter(|(name, _)| {
                ["app_id", "client_id", "certificate", "subject"].contains(&name.as_str())
            }),
        );
        let input = CredentialInput {
            deployment: role.deployment.clone(),
            auth: role.credential.auth.clone(),
            settings,
            name: role.name.clone(),
            owner: if ids.is_empty() { owner.to_string() } else { String::new() },
        };
        let secrets: BTreeMap<String, SecretString> =
            role.credential.values.iter().map(|(name, v)| (name.clone(), v.clone().into())).collect();
        let app = role.app.as_str().into();
        let page = ops.onboard_preflight_at(&actor, &app, input, secrets, Some(&role.address)).await;
        let id = ops.onboard_save(&actor, &page.expect("it answers").draft).await.expect("saved");
        if role.identity_provider {
            ops.mark_identity_provider(&actor, &id).await.expect("marked");
        }
        ids.push(id);
    }
    let vendors = Arc::new(Vendors(outbound()));
    let config = engine::Config::default();
    let engine = Engine::start(db.clone(), Arc::clone(catalog), vendors, Arc::new(SystemClock), config);
    let engine = engine.await.expect("starts");
    quiet(db).await;
    cast.break_some();
    for id in &ids {
        for scan in ops.settings(&actor, id).await.expect("a page").scans {
            if scan.can_scan_now {
                ops.scan_now(&actor, id, scan.kind).await.expect("wanted");
            }
        }
    }
    quiet(db).await;
    engine.drain().await;
}

/// Waits until nothing is being scanned or wants to be.
async fn quiet(db: &Db) {
    for _ in 0..2_400 {
        let all = store::instances::all(db).await.expect("readable");
        let enabled = all.iter().flat_map(|row| &row.scans).filter(|scan| scan.facts.enablement.is_enabled());
        let mut facts = enabled.map(|scan| &scan.facts);
        if facts.all(|facts| facts.wanted_at.is_none() && facts.open.is_none() && facts.last.is_some()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the scans did not end");
}

/// A configuration with that database, for the commands.
fn configuration(folder: &Path, name: &str, database: &str) -> String {
    let text = format!("database = \"{database}\"\nsealing_key_file = \"parapet.key\"\n");
    std::fs::write(folder.join(name), text).expect("a configuration");
    name.to_owned()
}

/// Somebody who looks at the pages over a database.
struct Reader {
    router: axum::Router,
    cookie: String,
}

impl Reader {
    async fn of(db: &Db, catalog: &Arc<Catalog>, now: Timestamp) -> Self {
        let ops = ops(db, catalog, Arc::new(Still(now))).await;
        let signed = ops.sign_in("admin", &SecretString::from(PASSWORD), None).await.expect("signed in");
        let cookie = format!("parapet_session={}", signed.token.expose_secret());
        let config = web::WebConfig { https: false, version: "test".to_owned(), draining: None };
        Self { router: web::router(Arc::new(ops), config), cookie }
    }

    /// Status and body. What is secret of one session is left out.
    async fn read(&self, path: &str) -> (StatusCode, String) {
        let ask = Request::get(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::HOST, "localhost")
            .body(Body::empty())
            .expect("a request");
        let answer = self.router.clone().oneshot(ask).await.expect("an answer");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, without(&text, "name=\"csrf\" value=\"", "\""))
    }
}

/// The text without what stands between `from` and the next `to`.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(from);
        out.push_str(part.find(to).map_or(part, |at| &part[at..]));
    }
    out
}

/// Where a page leads to, within this server.
fn links(html: &str) -> Vec<String> {
    let targets = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let ours = targets.filter(|to| to.starts_with('/') && !to.starts_with("/assets/"));
    ours.map(|to| to.split('#').next().unwrap_or(to).replace("&amp;", "&")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_the_same_after_the_move() {
    let Some(address) = postgresql().await else {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests by hand is told what was left out")]
        {
            eprintln!("PostgreSQL tests not run: PARAPET_TEST_POSTGRES_URL is not set");
        }
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut catalog = Catalog::builtin().catalog;
    // A simulated vendor need not be spared.
    for app in catalog.apps.values_mut().filter_map(Arc::get_mut) {
        app.manifest.throttle.per_second = None;
        app.manifest.throttle.per_minute = None;
    }
    let catalog = Arc::new(catalog);
    let file = format!("sqlite:{}", folder.path().join("parapet.db").display());
    let old = open(&file).await;
    fill(&old, &catalog).await;
    old.close().await;

    std::fs::write(folder.path().join("parapet.key"), KEY).expect("a key");
    let from = configuration(folder.path(), "old.toml", &file);
    let to = configuration(folder.path(), "new.toml", &address);
    let run = |arguments: &[&str]| parapet(folder.path(), &[], arguments).ended(0);
    run(&["backup", "--config", &from, "--output", "move.backup"]).says(&["Wrote"]);
    run(&["restore", "--config", &to, "--input", "move.backup"]);

    let (old, new) = (open(&file).await, open(&address).await);
    let runs = store::runs::log(&old, &store::runs::Filter::default(), Cut::first(1)).await.expect("a log");
    assert!(runs.total > 10, "there is something to look at");
    let now = SystemClock.now();
    let (before, after) = (Reader::of(&old, &catalog, now).await, Reader::of(&new, &catalog, now).await);
    let mut ahead: VecDeque<String> = VecDeque::from(["/applications".to_owned()]);
    let mut seen: BTreeSet<String> = ahead.iter().cloned().collect();
    let mut compared = 0;
    while let Some(path) = ahead.pop_front() {
        let (status, was) = before.read(&path).await;
        let (status_after, is) = after.read(&path).await;
        assert_eq!(status, status_after, "{path}");
        if was != is {
            let differs = was.lines().zip(is.lines()).find(|(a, b)| a != b);
            panic!("{path} differs: {differs:#?}");
        }
        compared += 1;
        for link in links(&was) {
            // Signing out and streams are no pages.
            let page = !["/sign-out", "/events"].iter().any(|no| link.starts_with(no));
            if page && seen.len() < MOST_PAGES && seen.insert(link.clone()) {
                ahead.push_back(link);
            }
        }
    }
    assert!(compared >= LEAST_PAGES, "only {compared} pages were found");
}
