//! Every way in which a tenant breaks, from the first failure to the all-clear: real scans of a simulated tenant over TLS, a
//! real database in memory, the real words of page, alert and mail. The rows are in [`table`].

mod table;
mod tenant;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catalog::Catalog;
use collect::{Clock, Collected, Credential, Preflight, Progress, RunRequest, Target};
use futures_util::future::BoxFuture;
use model::credential::Identity;
use model::diagnosis::Fault;
use model::health::{Enablement, scan_status};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::schedule::default_interval;
use model::time::{Duration, Timestamp};
use model::words::{self, About, RungState};
use notify::event::{Kind, Subscription};
use secrecy::SecretString;
use store::instances::{self, InstanceWithScans, NewCredential, NewInstance};
use store::runs::Run;
use store::scans::ScanSetup;
use store::{Cut, Db, Options, SealingKey, digests, outbox, owners, runs};
use tokio::sync::watch;

use super::fake::{Counting, HandClock, START};
use super::post::{self, Server};
use super::world::entry;
use crate::collector::{Collector, Vendors};
use crate::config::Config;
use crate::context::Context;
use crate::directories::Cache;
use crate::tell::Message;
use crate::ticker::Ticker;
use table::{Mend, Row};
use tenant::Tenant;

/// How long the tenant was well before it breaks.
const WELL: Duration = Duration::minutes(30);
/// The step of time: everything that is due is worked off, and told, this often.
const STEP: Duration = Duration::minutes(5);
/// Where the owner's day ends early: at 16:30 UTC it is half past eleven at night there.
const ZONE: &str = "Asia/Bangkok";
/// The minute of the owner's day at which the first digest is due, and that of the next day's.
const LATE: u16 = 23 * 60 + 30;
const EARLY: u16 = 7 * 60 + 30;
/// When those are, after the tenant broke.
const FIRST_DIGEST: Duration = Duration::hours(7);
const NEXT_DIGEST: Duration = Duration::hours(15);
/// Names the application to people.
const NAME: &str = "Acme";

/// The clock of the requests of a run: what they wait takes no time of the world's, so that a row tells exact times.
struct Unhurried {
    clock: Arc<HandClock>,
    waited: Arc<AtomicI64>,
}

impl Clock for Unhurried {
    fn now(&self) -> Timestamp {
        self.clock.now() + Duration(self.waited.load(Ordering::SeqCst))
    }
    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        self.waited.fetch_add(length.0, Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// The real vendors by that clock.
struct Reader {
    vendors: Vendors,
    clock: Unhurried,
}

impl Collector for Reader {
    fn run<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        _: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected> {
        self.vendors.run(target, credential, &self.clock, request, progress)
    }
    fn authenticate<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        _: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        self.vendors.authenticate(target, credential, &self.clock)
    }
    fn preflight<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        _: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>> {
        self.vendors.preflight(target, credential, &self.clock)
    }
}

/// One tenant that is scanned, and everybody who is told of it.
struct Stage {
    db: Db,
    catalog: Arc<Catalog>,
    clock: Arc<HandClock>,
    waited: Arc<AtomicI64>,
    ticker: Ticker,
    teller: Arc<crate::tell::Context>,
    server: Arc<Server>,
    tenant: Tenant,
    id: InstanceId,
    began: Timestamp,
    /// What page and rows said, each time it changed.
    timeline: Vec<String>,
    _drain: watch::Sender<bool>,
}

impl Stage {
    async fn open(catalog: Arc<Catalog>, row: &Row) -> Self {
        let clock = HandClock::new();
        let waited = Arc::new(AtomicI64::new(0));
        let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
        let options = Options { database_clock: false, ..Options::default() };
        let db = Db::open("sqlite::memory:", &key, Arc::new(Counting::default()), START, options).await;
        let db = db.expect("a database in memory");
        let vendors = Unhurried { clock: Arc::clone(&clock), waited: Arc::clone(&waited) };
        let tenant = Tenant::start(row.tenant, Arc::new(move || vendors.now())).await;
        let id = onboard(&db, &catalog, &tenant).await;
        post::own(&db, &clock, &id, "o1", (ZONE, LATE)).await;
        let kinds = vec![Kind::StatusChanged, Kind::Recovered, Kind::WarningAhead];
        post::webhook(&db, &clock, Subscription { kinds, ..Subscription::default() }).await;
        let server = Server::start().await;
        let teller = post::teller(&db, &catalog, &clock, &server, ("here", "one"));
        let (drain, draining) = watch::channel(false);
        let reading = Unhurried { clock: Arc::clone(&clock), waited: Arc::clone(&waited) };
        let context = Context {
            db: db.clone(),
            catalog: Arc::clone(&catalog),
            collector: Arc::new(Reader { vendors: Vendors(tenant.outbound()), clock: reading }),
            clock: Arc::clone(&clock) as _,
            config: Config::default(),
            directories: Cache::default(),
            draining,
        };
        let ticker = Ticker::open(Arc::new(context)).await.expect("a database in memory");
        let (timeline, began) = (Vec::new(), START);
        Self {
            db,
            catalog,
            clock,
            waited,
            ticker,
            teller,
            server,
            tenant,
            id,
            began,
            timeline,
            _drain: drain,
        }
    }

    /// Works off and tells what is due, and notes what the page says.
    async fn settle(&mut self) {
        self.ticker.settle().await.expect("a database in memory");
        self.waited.store(0, Ordering::SeqCst);
        post::minute(&self.teller).await;
        let (row, now) = (self.row().await, self.clock.now());
        let standing = row.standing();
        let scans = standing.scans.iter().map(|s| scan_status(s, &standing.instance, now).title());
        let says = format!("{}: {}", standing.status(now).title(), scans.collect::<Vec<_>>().join(", "));
        if self.timeline.last().is_none_or(|last| !last.ends_with(&format!(" {says}"))) {
            self.timeline.push(format!("{} {says}", self.since(now)));
        }
    }

    /// Until so long after the tenant broke.
    async fn pass_to(&mut self, hours_and_minutes: Duration) {
        let until = self.began + hours_and_minutes;
        while self.clock.now() < until {
            self.clock.advance(STEP.min(until - self.clock.now()));
            self.settle().await;
        }
    }

    async fn row(&self) -> InstanceWithScans {
        instances::get(&self.db, &self.id).await.expect("onboarded")
    }

    /// `1:30` after the tenant broke.
    fn since(&self, at: Timestamp) -> String {
        let minutes = (at - self.began).0 / Duration::minutes(1).0;
        format!("{}:{:02}", minutes / 60, minutes % 60)
    }

    /// The run log of a scan since the tenant broke, oldest first.
    async fn log(&self, kind: ScanKind) -> Vec<Run> {
        let filter = runs::Filter { instance: Some(self.id.clone()), kind: Some(kind), outcome: None };
        let page = runs::log(&self.db, &filter, Cut::first(200)).await.expect("a log");
        page.rows.into_iter().rev().filter(|run| run.finished_at > self.began).collect()
    }

    /// `1:30 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: ...`
    fn alerts(&self) -> Vec<String> {
        let posts = self.server.posts.lock().expect("nobody panicked");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let one = |post: &serde_json::Value| {
            let at = serde_json::from_value(post["at"].clone()).expect("an instant");
            let says = text(&post["applications"][0]["says"]);
            format!("{} {}: {} | {says}", self.since(at), text(&post["kind"]), text(&post["title"]))
        };
        posts.iter().map(one).collect()
    }

    /// The text of the owner's latest digest, in one line, and whether it is all clear. The mail server took it.
    async fn digest(&self) -> (String, bool) {
        let made = digests::recent(&self.db).await.expect("rows");
        let made = made.into_iter().find(|d| d.recipient == "o1").expect("a digest");
        let (parcels, _) = outbox::recent(&self.db).await.expect("rows");
        let mail = parcels.into_iter().find(|p| p.parcel.kind == "digest").expect("its mail");
        let Ok(Message::Mail(mail)) = serde_json::from_str(&mail.parcel.body) else {
            panic!("a digest is a mail")
        };
        assert_eq!(self.server.ids().last(), Some(&mail.message_id), "the mail server took another");
        (mail.text.split_whitespace().collect::<Vec<_>>().join(" "), made.all_clear)
    }
}

async fn onboard(db: &Db, catalog: &Catalog, tenant: &Tenant) -> InstanceId {
    let app = catalog.app(&tenant.app).expect("built in");
    let id = InstanceId::new(db.new_id(START));
    let setup = |kind| ScanSetup {
        kind,
        enablement: Enablement::Enabled,
        interval: default_interval(kind),
        gaps: Vec::new(),
    };
    let new = NewInstance {
        id: id.clone(),
        app: tenant.app.clone(),
        name: NAME.to_owned(),
        deployment: tenant.deployment.to_owned(),
        settings: tenant.settings.clone(),
        origins: tenant.origins(app),
        auth: tenant.auth.to_owned(),
        identity: identity(),
        secrets: secret(&tenant.secrets),
        owner: None,
        tags: Vec::new(),
        down_after: 3,
        scans: Tenant::SCANS.map(setup).to_vec(),
    };
    instances::create(db, new, START, entry("instance.onboard")).await.expect("a new name");
    id
}

fn identity() -> Identity {
    Identity {
        tenant_uid: "t-1".into(),
        tenant_name: "acme".into(),
        subject: "parapet".into(),
        granted: None,
        expires_at: None,
    }
}

fn secret(
    values: &std::collections::BTreeMap<String, String>,
) -> std::collections::BTreeMap<String, SecretString> {
    values.iter().map(|(name, value)| (name.clone(), SecretString::from(value.clone()))).collect()
}

/// `name ✓, address ✗, TCP -, ...`
fn ladder(fault: &Fault) -> String {
    let rungs = words::ladder(fault).into_iter().map(|l| {
        let mark = match l.state {
            RungState::Held => "✓",
            RungState::Failed => "✗",
            RungState::NotReached => "-",
        };
        format!("{} {mark}", l.rung.word())
    });
    rungs.collect::<Vec<_>>().join(", ")
}

/// Without what is another each time: the port, and the number of a request among those that go side by side.
fn steady(text: &str, address: &str) -> String {
    let text = text.replace(address, "https://saas.example");
    let mut parts = text.split("SIM0:");
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        steady.push_str("SIM0");
        steady.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == ':'));
    }
    steady
}

/// Plays a row and says in which points it is not as written.
async fn play(catalog: Arc<Catalog>, row: &'static Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut stage = Stage::open(catalog, row).await;
    let address = stage.tenant.address();
    let mut check = |what: &str, is: &str, wanted: &str| {
        let is = steady(is, &address);
        if is != wanted {
            wrong.push(format!("{}: {what}\n  is     {is}\n  wanted {wanted}", row.name));
        }
    };
    stage.settle().await;
    stage.pass_to(WELL).await;
    check("before", &stage.timeline.join(" / "), "0:00 Up: Up, Up");

    stage.began = stage.clock.now();
    stage.timeline.clear();
    stage.tenant.breaks(row.breaks, stage.began);
    stage.pass_to(FIRST_DIGEST).await;
    let (digest, all_clear) = stage.digest().await;
    for part in row.digest {
        if !steady(&digest, &address).contains(part) {
            check("digest", &digest, part);
        }
    }
    check("digest all clear", &all_clear.to_string(), "false");
    stage.pass_to(row.broken_for).await;
    check("timeline", &stage.timeline.join(" / "), &row.timeline.join(" / "));
    let log = stage.log(row.scan).await;
    let first = log.iter().find_map(|run| run.fault.as_ref()).cloned();
    let first = first.unwrap_or_else(|| {
        Fault::local(
            model::scan::FailureCause::Internal,
            model::diagnosis::Rung::NotSent,
            "no run failed",
            START,
        )
    });
    check("cause", first.cause.as_str(), row.cause);
    check("ladder", &ladder(&first), row.ladder);
    let fault = words::fault_says(&first).plain(stage.clock.now());
    if !steady(&fault, &address).starts_with(row.fault) {
        check("fault", &fault, row.fault);
    }
    let (now, facts) = (stage.clock.now(), stage.row().await);
    let product = stage.catalog.app(&facts.instance.app).expect("built in").manifest.name.clone();
    let standing = facts.standing();
    let about = About { app: &product, instance: &standing.instance, scans: &standing.scans, now };
    let remedy = about.scan(standing.scan(row.scan).expect("supported")).remedy;
    let remedy =
        remedy.map_or_else(String::new, |r| format!("{} ({:?}: {})", r.says.plain(now), r.action, r.who));
    check("remedy", &remedy, row.remedy);
    check("alerts", &stage.alerts().join("\n         "), &row.alerts.join("\n         "));

    let told = stage.alerts().len();
    stage.timeline.clear();
    stage.tenant.mend();
    if row.mend == Mend::Credential {
        reauthenticate(&stage).await;
    }
    owner_reads_at(&stage, EARLY).await;
    stage.settle().await;
    stage.pass_to(NEXT_DIGEST).await;
    check("recovery", &stage.timeline.join(" / "), &row.recovery.join(" / "));
    check("recovery told", &stage.alerts()[told..].join("\n         "), &row.recovered.join("\n         "));
    let (digest, all_clear) = stage.digest().await;
    check("digest after", &all_clear.to_string(), "true");
    if !digest.contains("The one application is Up.") {
        check("digest after", &digest, "The one application is Up.");
    }
    wrong
}

async fn owner_reads_at(stage: &Stage, digest_minute: u16) {
    let owner = owners::get(&stage.db, &"o1".into()).await.expect("there");
    let owner = owners::Owner { digest_minute, ..owner };
    owners::update(&stage.db, &owner, stage.clock.now(), entry("owner")).await.expect("there");
}

/// What the remedy says: a fresh credential, verified before.
async fn reauthenticate(stage: &Stage) {
    let new = NewCredential {
        auth: stage.tenant.auth.to_owned(),
        settings: stage.tenant.settings.clone(),
        origins: stage.tenant.origins(stage.catalog.app(&stage.tenant.app).expect("built in")),
        identity: identity(),
        secrets: secret(&stage.tenant.fresh),
        stop: Default::default(),
        enable: Default::default(),
        gaps: Default::default(),
        by: "test".into(),
    };
    let now = stage.clock.now();
    let done = instances::reauthenticate(&stage.db, &stage.id, new, now, entry("instance.reauthenticate"));
    done.await.expect("onboarded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_break_is_seen_explained_told_and_seen_to_be_over() {
    let catalog = Arc::new(Catalog::builtin().catalog);
    let rows = table::ROWS.iter().map(|row| tokio::spawn(play(Arc::clone(&catalog), row)));
    let rows: Vec<_> = rows.collect();
    let mut wrong = Vec::new();
    for (row, played) in table::ROWS.iter().zip(rows) {
        match played.await {
            Ok(points) => wrong.extend(points),
            Err(panic) => wrong.push(format!("{}: {panic}", row.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
