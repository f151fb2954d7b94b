//! Nodes over one database, vendors, a mail server, and the time that passes for all of them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use catalog::Catalog;
use collect::{Clock as _, Outbound, OutboundConfig};
use model::id::InstanceId;
use model::time::{Duration, Timestamp};
use notify::{Trust, smtp};
use store::instances;
use store::{Backend, Db, Options, SealingKey, simulation};
use tokio::sync::{Mutex, watch};

use super::super::fake::START;
use super::super::world::catalog;
use super::check::{Actor, Checked, Watch};
use super::events::Temper;
use super::time::{NodeClock, Seeded, Shared};
use super::vendors::Vendors;
use super::wire::Wire;
use super::work::{Claimed, Fruit, Labour, Step, Task};
use crate::collector;
use crate::config::Config;
use crate::context::Context;
use crate::directories::Cache;
use crate::due::Agenda;
use crate::tell::{self, Setup, alerts, digest, sender};
use crate::ticker::Ticker;

/// The longest a ticker and a teller sleep here: late is allowed, and cheap.
const LOOK: Duration = Duration::minutes(12);
const TELL: Duration = Duration::minutes(25);
/// Who gives way stands still once in so many times while things go wrong, for so long at most: between what it has read
/// and what it wants to store, for instance.
const STANDS: u64 = 12;
const STILL: Duration = Duration::minutes(90);
/// How long a ticker that failed waits.
const AGAIN: Duration = Duration::seconds(15);

/// What all worlds have in common and takes long to load.
static KEPT: OnceLock<(Arc<Catalog>, Trust, Outbound)> = OnceLock::new();

/// One process.
pub(super) struct Node {
    pub(super) clock: Arc<NodeClock>,
    pub(super) ticker: Arc<Mutex<Ticker>>,
    pub(super) drain: watch::Sender<bool>,
    teller: Arc<tell::Context>,
    look_at: Timestamp,
    tell_at: Timestamp,
    landed: Vec<(crate::due::Due, crate::worker::Ended)>,
    /// The whole process stands still until then.
    pub(super) frozen_until: Option<Timestamp>,
}

/// What has happened.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    pub(super) events: BTreeMap<&'static str, u64>,
    pub(super) steps: u64,
}

pub(super) struct World {
    pub(super) shared: Arc<Shared>,
    pub(super) db: Db,
    pub(super) vendors: Arc<Vendors>,
    pub(super) wire: Arc<Wire>,
    pub(super) nodes: Vec<Node>,
    pub(super) labours: Vec<Labour>,
    pub(super) watch: Watch,
    pub(super) counts: Counts,
    pub(super) temper: Temper,
    /// Onboarded instances, with their names.
    pub(super) fleet: Vec<(InstanceId, String)>,
    catalog: Arc<Catalog>,
    trust: Trust,
    /// How many were ever onboarded.
    pub(super) named: u32,
    /// Several nodes, as on PostgreSQL: leases live by the database's clock.
    pub(super) many: bool,
    /// Whether things go wrong still.
    pub(super) wrong: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        simulation::trouble(None);
        simulation::turns(None);
        simulation::set_lease_clock(None);
        collect::simulation::set_vendor(None);
    }
}

impl World {
    pub(super) async fn new(seed: u64, database: &str, nodes: usize) -> Self {
        let shared = Shared::new(seed);
        simulation::set_lease_clock(None);
        let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
        let entropy = Arc::new(Seeded(Arc::clone(&shared)));
        let options = Options { database_clock: false, connections: 6, ..Options::default() };
        let db = Db::open(database, &key, entropy, START, options).await.expect("a database");
        let wire = Wire::open(&shared).await;
        let (catalog, trust, outbound) = KEPT.get_or_init(|| {
            let outbound = Outbound::new(OutboundConfig::default()).expect("a client");
            (catalog("src/tests/simulation/catalog"), Trust::new(&[]).expect("authorities"), outbound)
        });
        let vendors = Vendors::new(&shared, collector::Vendors(outbound.clone()));
        let temper = Temper::new(&mut shared.dice(), nodes);
        let mut world = Self {
            shared,
            db,
            vendors,
            wire,
            nodes: Vec::new(),
            labours: Vec::new(),
            watch: Watch::default(),
            counts: Counts::default(),
            temper,
            fleet: Vec::new(),
            catalog: Arc::clone(catalog),
            trust: trust.clone(),
            named: 0,
            many: nodes > 1,
            wrong: true,
        };
        for n in 0..nodes {
            let clock = world.clock(Duration::ZERO);
            let node = world.start(n, clock).await;
            world.nodes.push(node);
        }
        world.people().await;
        world
    }

    pub(super) fn clock(&self, ahead: Duration) -> Arc<NodeClock> {
        Arc::new(NodeClock::new(&self.shared, ahead))
    }

    /// The clock that leases live by: the database's where there are several nodes, else the node's.
    pub(super) fn lease_now(&self) -> Timestamp {
        if self.many { self.shared.now() } else { self.nodes[0].clock.now() }
    }

    /// A process starts.
    pub(super) async fn start(&self, n: usize, clock: Arc<NodeClock>) -> Node {
        let (drain, draining) = watch::channel(false);
        let config = Config {
            node: format!("node {n}"),
            lease: Duration::minutes(5),
            // An odd number, so that it hardly ever falls on the instant of anything else.
            heartbeat: Duration(60_007),
            // Nodes of one database hear of each other by its notes, which may be lost.
            reload: self.many.then_some(Duration::minutes(1)),
            ..Config::default()
        };
        let context = Arc::new(Context {
            db: self.db.clone(),
            catalog: Arc::clone(&self.catalog),
            collector: Arc::clone(&self.vendors) as _,
            clock: Arc::clone(&clock) as _,
            config,
            directories: Cache::default(),
            draining: draining.clone(),
        });
        let mail = smtp::Server {
            host: "mail.example.com".to_owned(),
            port: self.wire.port,
            security: smtp::Security::None,
            login: None,
            from: "parapet@example.com".parse().expect("an address"),
            hello: "parapet.example.com".to_owned(),
            seconds: 20,
        };
        let teller = Arc::new(tell::Context {
            db: self.db.clone(),
            catalog: Arc::clone(&self.catalog),
            network: Arc::clone(&self.wire) as _,
            trust: self.trust.clone(),
            clock: Arc::clone(&clock) as _,
            setup: Setup {
                mail: Some(mail),
                admins: vec!["admins@example.com".to_owned()],
                admin_zone: "UTC".to_owned(),
                admin_minute: 480,
                base: Some("https://parapet.example.com".to_owned()),
                host: "parapet.example.com".to_owned(),
                simulated: false,
                node: format!("node {n}"),
            },
            draining,
            idle: std::sync::Mutex::default(),
            left: store::directories::Kept::default(),
        });
        let ticker = Ticker::open(context).await.expect("the database answers a start");
        let now = self.shared.now();
        Node {
            clock,
            ticker: Arc::new(Mutex::new(ticker)),
            drain,
            teller,
            look_at: now,
            tell_at: now,
            landed: Vec::new(),
            frozen_until: None,
        }
    }

    pub(super) async fn look_at_all(&mut self) -> Checked {
        self.watch.look_at_all(&self.db, Actor::Other).await
    }

    /// What an operator did is heard soon.
    pub(super) fn wake(&mut self) {
        let soon = self.shared.dice().upto(Duration::minutes(1));
        let now = self.shared.now();
        for node in &mut self.nodes {
            node.look_at = node.look_at.min(now + soon);
        }
    }

    /// Lets time pass, and whatever is due in it happen.
    pub(super) async fn pass(&mut self, time: Duration) -> Checked {
        let until = self.shared.now() + time;
        loop {
            self.settle().await?;
            let now = self.shared.now();
            if now >= until {
                return Ok(());
            }
            let mut next = self.shared.next_wake().unwrap_or(until).min(until);
            // What is past waits for something else: a look that is under way, a drain.
            let nodes = self.nodes.iter().flat_map(|node| match node.frozen_until {
                Some(thaws) => [thaws, thaws],
                None => [node.look_at, node.tell_at],
            });
            let thaws = self.labours.iter().filter_map(|labour| labour.frozen_until);
            let rights = self.nodes.iter().filter_map(|node| node.clock.right_at());
            next = nodes.chain(thaws).chain(rights).filter(|at| *at > now).fold(next, Timestamp::min);
            self.shared.move_to(next);
            self.thaw();
            self.set_right().await?;
        }
    }

    fn thaw(&mut self) {
        let now = self.shared.now();
        for node in &mut self.nodes {
            node.frozen_until = node.frozen_until.filter(|until| *until > now);
        }
        for labour in &mut self.labours {
            labour.frozen_until = labour.frozen_until.filter(|until| *until > now);
        }
    }

    /// Everything that can go on now goes on, in an order of the dice.
    async fn settle(&mut self) -> Checked {
        loop {
            self.set_out();
            let nodes = &self.nodes;
            let can = |labour: &Labour| labour.can_go_on() && nodes[labour.node].frozen_until.is_none();
            let ready: Vec<usize> =
                self.labours.iter().enumerate().filter(|(_, l)| can(l)).map(|(at, _)| at).collect();
            if ready.is_empty() {
                return Ok(());
            }
            let at = ready[self.shared.dice().index(ready.len())];
            self.step(at).await?;
        }
    }

    /// Tickers and tellers whose time has come begin to look.
    fn set_out(&mut self) {
        let now = self.shared.now();
        for n in 0..self.nodes.len() {
            let busy = |task: &Task| self.labours.iter().any(|l| l.node == n && l.task == *task);
            let (ticks, tells) = (busy(&Task::Tick), busy(&Task::Tell));
            let node = &mut self.nodes[n];
            if node.frozen_until.is_some() || *node.drain.borrow() {
                continue;
            }
            if !ticks && (node.look_at <= now || !node.landed.is_empty()) {
                node.look_at = now + LOOK;
                let (ticker, landed) = (Arc::clone(&node.ticker), std::mem::take(&mut node.landed));
                let look = async move {
                    let mut ticker = ticker.lock().await;
                    for (job, ended) in landed {
                        ticker.landed(job, ended).await;
                    }
                    Fruit::Looked(ticker.look().await)
                };
                self.labours.push(Labour::new(&self.shared, n, Task::Tick, look));
            }
            let node = &mut self.nodes[n];
            if !tells && node.tell_at <= now {
                node.tell_at = now + TELL;
                let teller = Arc::clone(&node.teller);
                let tell = async move {
                    let now = teller.now();
                    let told = async {
                        digest::look(&teller, now).await?;
                        alerts::look(&teller, now).await?;
                        store::outbox::due(&teller.db, now).await
                    };
                    Fruit::Told(told.await)
                };
                self.labours.push(Labour::new(&self.shared, n, Task::Tell, tell));
            }
        }
    }

    async fn step(&mut self, at: usize) -> Checked {
        self.counts.steps += 1;
        let lease_now = self.lease_now();
        if self.many {
            simulation::set_lease_clock(Some(lease_now));
        }
        let mut labour = self.labours.swap_remove(at);
        let clock = &self.nodes[labour.node].clock;
        labour.shown(clock.now());
        self.shared.ahead.store(clock.ahead().0, Ordering::SeqCst);
        let commits = simulation::commits();
        let step = labour.step(&self.shared, &self.wire.busy).await;
        // A step that made nothing last has changed nothing.
        let changed = simulation::commits() != commits;
        self.saw(&mut labour, lease_now, changed).await?;
        match step {
            Step::Waits => self.labours.push(labour),
            Step::GaveWay => {
                // Who stands still hands nothing back, which a drain is asked for.
                let drains = *self.nodes[labour.node].drain.borrow();
                let may = self.wrong && !drains && matches!(labour.task, Task::Work(_) | Task::Send(_));
                if may && self.shared.dice().once_in(STANDS) {
                    let still = self.shared.dice().upto(STILL);
                    labour.frozen_until = Some(self.shared.now() + still);
                    *self.counts.events.entry("who gives way stands still").or_default() += 1;
                }
                if labour.task == Task::Tick {
                    self.awake();
                }
                self.labours.push(labour);
            }
            Step::Ended(fruit) => self.reap(labour, fruit).await,
            Step::Died => self.buried(labour).await?,
        }
        Ok(())
    }

    /// What a step has done.
    async fn saw(&mut self, labour: &mut Labour, lease_now: Timestamp, changed: bool) -> Checked {
        let seen = self.vendors.seen();
        self.watch.gave(labour, self.shared.now(), &seen)?;
        let held_before = labour.held.is_some();
        let mut before = None;
        match &labour.task {
            Task::Tick if changed => {
                let shown = labour.clock.filter(|_| !self.many);
                let (earliest, latest) = shown.unwrap_or((lease_now, lease_now));
                self.watch.look_at_all(&self.db, Actor::Ticker { earliest, latest }).await?;
            }
            Task::Work((id, _)) => {
                let id = id.clone();
                before = self.watch.facts(&id).cloned();
                if changed {
                    self.watch.look_at(&self.db, &id, Actor::Worker(labour)).await?;
                }
            }
            Task::Tick | Task::Tell | Task::Send(_) => {}
        }
        self.watch.keep(labour);
        if let Some(held) = labour.held.as_ref().filter(|_| !held_before) {
            self.rouse(held);
        }
        self.watch.saw(labour, before.as_ref(), seen)
    }

    /// Who had the scan before and stands still goes on where it hurts most, now and then: just as another has taken it.
    fn rouse(&mut self, taken: &Claimed) {
        for labour in &mut self.labours {
            let had = |held: &Claimed| held.instance == taken.instance && held.kind == taken.kind;
            let still = labour.frozen_until.is_some() && labour.held.as_ref().is_some_and(had);
            if still && self.shared.dice().once_in(2) {
                labour.frozen_until = None;
                *self.counts.events.entry("whose scan was taken goes on").or_default() += 1;
            }
        }
    }

    /// A ticker is in the middle of its look, and may have found that somebody's lease has expired who stands still only. He
    /// goes on just then, now and then, and says that he lives.
    fn awake(&mut self) {
        let now = self.lease_now();
        let watch = &self.watch;
        let expired = |held: &Claimed| {
            let row = watch.row(&held.instance).and_then(|row| row.scan(held.kind));
            let lease = row.and_then(|scan| scan.facts.open.as_ref()?.lease.as_ref());
            lease.is_some_and(|lease| lease.fence == held.fence && lease.expires_at <= now)
        };
        for labour in &mut self.labours {
            let still = labour.frozen_until.is_some() && labour.held.as_ref().is_some_and(expired);
            if still && self.shared.dice().once_in(2) {
                labour.frozen_until = None;
                *self.counts.events.entry("whose lease is looked at goes on").or_default() += 1;
            }
        }
    }

    /// A piece of work has died in the middle; what it had asked of the database is waited for.
    pub(super) async fn buried(&mut self, mut labour: Labour) -> Checked {
        let lease_now = self.lease_now();
        labour.die();
        if self.db.backend() == Backend::Postgresql {
            // Its connection may still be at it: whoever takes the lock after it sees what became of it.
            let touches = |id: &InstanceId| match &labour.task {
                Task::Work((of, _)) => of == id,
                Task::Tick => true,
                Task::Tell | Task::Send(_) => false,
            };
            for (id, _) in self.fleet.iter().filter(|(id, _)| touches(id)) {
                let _ = instances::update_facts(&self.db, id, &Clone::clone).await;
            }
        }
        self.saw(&mut labour, lease_now, true).await?;
        self.watch.ended(labour.id, self.nodes[labour.node].clock.now(), false);
        let node = &mut self.nodes[labour.node];
        match labour.task {
            // A worker that panics lands with nothing.
            Task::Work(job) => node.landed.push((job, crate::worker::Ended::Nothing)),
            Task::Tick => node.look_at = self.shared.now() + AGAIN,
            Task::Tell | Task::Send(_) => {}
        }
        Ok(())
    }

    async fn reap(&mut self, labour: Labour, fruit: Fruit) {
        let n = labour.node;
        let now = self.shared.now();
        match fruit {
            Fruit::Looked(Ok(Agenda { start, next_at })) => {
                let ahead = self.nodes[n].clock.ahead();
                for job in start {
                    let mut ticker = self.nodes[n].ticker.lock().await;
                    let Some(work) = ticker.begin(job.clone()) else { continue };
                    drop(ticker);
                    let work = async move {
                        let (job, ended) = work.await;
                        Fruit::Worked(job, ended)
                    };
                    let facts = self.watch.facts(&job.0).cloned();
                    let mut labour = Labour::new(&self.shared, n, Task::Work(job), work);
                    labour.before = facts;
                    self.labours.push(labour);
                }
                let next = next_at.map_or(now + LOOK, |at| at - ahead);
                let node = &mut self.nodes[n];
                node.look_at = node.look_at.min(next).max(now + Duration::seconds(1));
            }
            Fruit::Looked(Err(_)) => self.nodes[n].look_at = now + AGAIN,
            Fruit::Worked(job, ended) => {
                let node_now = self.nodes[n].clock.now();
                // Whoever could use the database has stored what it was told, whatever else became of it.
                let stored = ended == crate::worker::Ended::Done || !simulation::is_troubled();
                self.watch.ended(labour.id, node_now, stored);
                self.nodes[n].landed.push((job, ended));
            }
            Fruit::Told(Ok(destinations)) => {
                for destination in destinations {
                    let task = Task::Send(destination.clone());
                    if self.labours.iter().any(|labour| labour.node == n && labour.task == task) {
                        continue;
                    }
                    let teller = Arc::clone(&self.nodes[n].teller);
                    let send = async move {
                        // The database failed: what was claimed is free again when the claim ends.
                        drop(sender::work_off(&teller, &destination).await);
                        Fruit::Sent
                    };
                    self.labours.push(Labour::new(&self.shared, n, task, send));
                }
            }
            Fruit::Told(Err(_)) => self.nodes[n].tell_at = now + AGAIN,
            Fruit::Sent => {}
        }
    }
}
