//! What happens to a world: people press buttons, vendors change, things break and are mended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use collect::Clock as _;
use model::health::{Enablement, ScanFacts};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::schedule::after_interval_saved;
use model::time::Duration;
use secrecy::SecretString;
use store::instances::{self, NewCredential};
use store::simulation::{self, Place};
use store::{StoreError, scans, snapshots};

use super::super::fake::{address, identity};
use super::super::world::entry;
use super::check::Checked;
use super::time::Dice;
use super::vendors::{self, Mood};
use super::wire;
use super::work::{Claimed, Labour, Task};
use super::world::World;

/// Each with how often it happens, beside the others, in a story of no temper.
const EVENTS: [(&str, u64); 29] = [
    ("quiet", 20),
    ("vendor changes its mood", 14),
    ("credential is revoked", 3),
    ("credential is accepted", 3),
    ("tenancy changes", 8),
    ("scan now", 8),
    ("pause", 3),
    ("resume", 5),
    ("cancel", 4),
    ("interval", 4),
    ("reauthenticate", 3),
    ("scan is stopped", 1),
    ("scan is enabled", 2),
    ("remove and onboard", 1),
    ("emptiness is confirmed", 1),
    ("worker dies", 4),
    ("worker dies at a statement", 8),
    ("worker stands still", 6),
    ("process stands still", 3),
    ("process dies", 3),
    ("process dies at a statement", 3),
    ("process drains", 3),
    ("clock jumps", 4),
    ("clock jumps over who stands still", 2),
    ("clock is set right", 2),
    ("database fails", 4),
    ("database recovers", 6),
    ("mail server changes", 4),
    ("node misses changes", 4),
];

/// Without these, nothing that has gone wrong comes right again before the end.
const MENDS: [&str; 6] = [
    "quiet",
    "credential is accepted",
    "resume",
    "scan is enabled",
    "clock is set right",
    "database recovers",
];

/// After these another process takes the place of one.
const ENDS: [&str; 3] = ["process dies", "process dies at a statement", "process drains"];

/// The longest that a clock is wrong, and in stories of leaps.
const JUMP: Duration = Duration::hours(2);
const LEAP: Duration = Duration::days(10);
/// The longest that a clock is wrong which is right again by itself, as one is that a process finds wrong as it starts.
const AWHILE: Duration = Duration::minutes(90);
/// The longest time between two of several drains in a row.
const SOON: Duration = Duration::minutes(3);

/// What sort of time a story is. What needs three rare things in a row hardly ever comes about where everything happens as
/// often as it does elsewhere; so each story is without some events and full of others.
pub(super) struct Temper {
    events: Vec<(&'static str, u64)>,
    moods: Vec<Mood>,
    /// The longest that a clock is wrong.
    leap: Duration,
}

impl Temper {
    pub(super) fn new(dice: &mut Dice, nodes: usize) -> Self {
        // A process that starts finds the leases of the one before it; where none ends, nobody does.
        let live = dice.once_in(3);
        let events = EVENTS.into_iter().map(|(name, lots)| match dice.roll(5) {
            _ if live && ENDS.contains(&name) => (name, 0),
            0 if !MENDS.contains(&name) => (name, 0),
            1 => (name, lots * 6),
            _ => (name, lots),
        });
        let events = events.collect();
        let some = |dice: &mut Dice| (0..3).map(|_| dice.one_of(&vendors::MOODS)).collect();
        let moods = if dice.once_in(2) { some(dice) } else { vendors::MOODS.to_vec() };
        // Nodes whose clocks differ by days would not believe what the others have written.
        let leap = if nodes == 1 && !dice.once_in(3) { LEAP } else { JUMP };
        Self { events, moods, leap }
    }

    /// Whether clocks may be days wrong.
    pub(super) fn leaps(&self) -> bool {
        self.leap > JUMP
    }
}

/// One of them, by the dice; which.
pub(super) async fn event(world: &mut World) -> Checked<&'static str> {
    let shared = Arc::clone(&world.shared);
    let events = world.temper.events.clone();
    let mut lots = shared.dice().roll(events.iter().map(|(_, lots)| lots).sum());
    let (name, _) = events
        .into_iter()
        .find(|(_, share)| match lots.checked_sub(*share) {
            None => true,
            Some(left) => {
                lots = left;
                false
            }
        })
        .expect("the lots were counted");
    *world.counts.events.entry(name).or_default() += 1;
    let n = shared.dice().index(world.nodes.len());
    match name {
        "quiet" => {}
        "worker dies" | "worker dies at a statement" | "worker stands still" => {
            worker(world, name).await?;
        }
        "process stands still" => {
            let until = shared.now() + shared.dice().upto(Duration::minutes(40));
            world.nodes[n].frozen_until = Some(until);
        }
        "process dies" => world.crash(n).await?,
        "process dies at a statement" => {
            // Whatever it does next, it does not get far.
            for labour in world.labours.iter_mut().filter(|labour| labour.node == n) {
                labour.fuse = Some(shared.dice().roll(12));
            }
            world.pass(Duration::minutes(1)).await?;
            world.crash(n).await?;
        }
        "process drains" => drains(world, n).await?,
        "clock jumps" => {
            let mut dice = shared.dice();
            let most = if dice.once_in(2) { world.temper.leap } else { JUMP };
            let ahead = Duration(dice.upto(Duration(most.0 * 2)).0 - most.0);
            let length = dice.once_in(2).then(|| dice.upto(AWHILE));
            world.nodes[n].clock.jumps(ahead, length);
        }
        "clock jumps over who stands still" => jumps_over(world, n).await?,
        "clock is set right" => world.nodes[n].clock.is_right(),
        "database fails" => database_fails(world),
        "database recovers" => simulation::trouble(None),
        "mail server changes" => world.wire.set(wire::mood(&mut shared.dice())),
        "node misses changes" => world.deafen(n).await,
        _ => people(world, name).await?,
    }
    Ok(name)
}

/// A worker stands still while its node's clock jumps ahead, and dies then. Meanwhile its vendor tells another scan of the
/// instance to wait.
async fn jumps_over(world: &mut World, n: usize) -> Checked {
    let shared = Arc::clone(&world.shared);
    let now = shared.now();
    let mut still = None;
    if let Some(labour) = world.labours.iter_mut().find(|l| l.node == n && l.held.is_some()) {
        labour.frozen_until = Some(now + Duration::hours(1));
        still = labour.held.clone().map(|held| (labour.id, held));
    }
    world.nodes[n].clock.jumps(shared.dice().upto(world.temper.leap), None);
    let Some((labour, held)) = still else { return Ok(()) };
    if let Some((_, named)) = world.fleet.iter().find(|(id, _)| *id == held.instance) {
        let mood = shared.dice().one_of(&[Mood::Throttling, Mood::Pausing]);
        world.vendors.tenancies().entry(address(named)).and_modify(|tenancy| tenancy.mood = mood);
        let other = if held.kind == ScanKind::Config { ScanKind::Accounts } else { ScanKind::Config };
        let now = world.nodes[n].clock.now();
        scans::want(&world.db, &held.instance, other, now, None).await.expect("onboarded");
        world.look_at_all().await?;
        world.wake();
    }
    let time = shared.dice().upto(Duration::minutes(10));
    world.pass(time).await?;
    if let Some(at) = world.labours.iter().position(|l| l.id == labour) {
        let dead = world.labours.swap_remove(at);
        world.buried(dead).await?;
    }
    Ok(())
}

/// Once, or several times in a row, as when each new version is found wanting.
async fn drains(world: &mut World, n: usize) -> Checked {
    let times = if world.shared.dice().once_in(3) { 5 } else { 1 };
    if world.shared.dice().once_in(2) {
        until_one_waits(world, n).await?;
    }
    for _ in 0..times {
        world.drain(n).await?;
        let soon = world.shared.dice().upto(SOON);
        world.pass(soon).await?;
    }
    Ok(())
}

/// Until a run of the node waits for its vendor, but not for long.
async fn until_one_waits(world: &mut World, n: usize) -> Checked {
    let throttles = |mood: Mood| matches!(mood, Mood::Throttling | Mood::Pausing | Mood::Mad);
    let throttles = world.vendors.tenancies().values().any(|tenancy| throttles(tenancy.mood));
    let until = world.shared.now() + Duration::minutes(30);
    let waits = |world: &World| {
        let now = world.shared.now();
        world.labours.iter().any(|labour| labour.node == n && world.watch.waits(labour.id, now))
    };
    while throttles && !waits(world) && world.shared.now() < until {
        world.pass(Duration::seconds(20)).await?;
    }
    Ok(())
}

/// From now on some connections fail, and some commits are not heard of.
fn database_fails(world: &World) {
    let (share, lost) = {
        let mut dice = world.shared.dice();
        (dice.one_of(&[1, 2, 6, 25]), dice.one_of(&[4, 30]))
    };
    let shared = Arc::clone(&world.shared);
    simulation::trouble(Some(Box::new(move |place| {
        let works = shared.current.load(Ordering::SeqCst) != 0;
        works && shared.dice().once_in(if place == Place::Before { share } else { lost })
    })));
}

/// Whoever works gives way now and then, before it asks the database.
pub(super) fn give_way(world: &World) {
    let shared = Arc::clone(&world.shared);
    simulation::turns(Some(Box::new(move || {
        shared.current.load(Ordering::SeqCst) != 0 && shared.dice().once_in(10)
    })));
}

async fn worker(world: &mut World, name: &str) -> Checked {
    let works = |l: &&mut Labour| matches!(l.task, Task::Work(_) | Task::Send(_));
    let count = world.labours.iter_mut().filter(works).count();
    if count == 0 {
        return Ok(());
    }
    let (chosen, fuse, still) = {
        let mut dice = world.shared.dice();
        (dice.index(count), dice.roll(40), dice.upto(Duration::minutes(40)))
    };
    let now = world.shared.now();
    let at =
        world.labours.iter().enumerate().filter(|(_, l)| matches!(l.task, Task::Work(_) | Task::Send(_)));
    let at = at.map(|(at, _)| at).nth(chosen).expect("counted");
    match name {
        "worker dies" => {
            let dead = world.labours.swap_remove(at);
            return world.buried(dead).await;
        }
        "worker dies at a statement" => world.labours[at].fuse = Some(fuse),
        _ => world.labours[at].frozen_until = Some(now + still),
    }
    Ok(())
}

/// The instance at which something happens: often one that is being scanned.
fn whose(world: &World) -> usize {
    let mut dice = world.shared.dice();
    let held = world.labours.iter().filter_map(|labour| labour.held.as_ref());
    let scanned = |held: &Claimed| world.fleet.iter().position(|(id, _)| *id == held.instance);
    let scanned: Vec<usize> = held.filter_map(scanned).collect();
    if scanned.is_empty() || dice.once_in(2) { dice.index(world.fleet.len()) } else { dice.one_of(&scanned) }
}

/// The instance that is resumed: one that is paused, if there is any, and often enough.
fn whose_rests(world: &World) -> usize {
    let paused = |id: &InstanceId| world.watch.facts(id).is_some_and(|facts| facts.paused.is_some());
    let rests = world.fleet.iter().enumerate().filter(|(_, (id, _))| paused(id)).map(|(at, _)| at);
    let rests: Vec<usize> = rests.collect();
    if rests.is_empty() || world.shared.dice().once_in(4) {
        return whose(world);
    }
    world.shared.dice().one_of(&rests)
}

async fn people(world: &mut World, name: &str) -> Checked {
    let shared = Arc::clone(&world.shared);
    let at = if name == "resume" { whose_rests(world) } else { whose(world) };
    let (id, named) = world.fleet[at].clone();
    let kind = if shared.dice().once_in(2) { ScanKind::Config } else { ScanKind::Accounts };
    // Operators sit at any node; the clock is that node's.
    let n = shared.dice().index(world.nodes.len());
    let now = world.nodes[n].clock.now();
    let db = world.db.clone();
    match name {
        "vendor changes its mood" => {
            let mood = shared.dice().one_of(&world.temper.moods);
            world.vendors.tenancies().entry(address(&named)).and_modify(|t| t.mood = mood);
            return Ok(());
        }
        "credential is revoked" | "credential is accepted" => {
            let revoked = name == "credential is revoked";
            world.vendors.tenancies().entry(address(&named)).and_modify(|t| t.revoked = revoked);
            return Ok(());
        }
        "tenancy changes" => {
            let mut dice = shared.dice();
            if let Some(tenancy) = world.vendors.tenancies().get_mut(&address(&named)) {
                change(&mut dice, &mut tenancy.doors, "door-");
                change(&mut dice, &mut tenancy.people, "p");
            }
            return Ok(());
        }
        "scan now" => {
            scans::want(&db, &id, kind, now, None).await.expect("onboarded");
        }
        "pause" => {
            let paused = instances::pause(&db, &id, "ada", now, entry("instance.pause")).await;
            paused.expect("onboarded");
        }
        "resume" => {
            let resumed = instances::resume(&db, &id, now, entry("instance.resume")).await;
            resumed.expect("onboarded");
        }
        "cancel" => {
            let next_at = now + Duration::hours(1);
            let cancelled = scans::cancel(&db, &id, kind, next_at, now, entry("scan.cancel")).await;
            cancelled.expect("onboarded");
        }
        "interval" => {
            let interval = shared.dice().upto(Duration::hours(24));
            let change = |facts: &ScanFacts| after_interval_saved(facts, interval, now);
            let saved = scans::set_pace(&db, &id, kind, &change, now, entry("scan.interval"));
            saved.await.expect("onboarded");
        }
        "reauthenticate" => reauthenticate(world, &id, &named, n).await,
        "scan is stopped" | "scan is enabled" => {
            let enablement = if name == "scan is enabled" {
                Enablement::Enabled
            } else {
                Enablement::Stopped { since: now, by: "ada".into() }
            };
            let set = scans::set_enablement(&db, &id, ScanKind::Accounts, &enablement, &[], now, None);
            set.await.expect("onboarded");
        }
        "remove and onboard" => {
            instances::remove(&db, &id, now, entry("instance.remove")).await.expect("onboarded");
            world.vendors.tenancies().remove(&address(&named));
            world.fleet.remove(at);
            world.onboard().await;
        }
        "emptiness is confirmed" => return confirm(world, &id, n).await,
        other => unreachable!("{other} is nobody's"),
    }
    world.look_at_all().await?;
    world.wake();
    Ok(())
}

/// A list that is empty, unexpectedly, is said to be so.
async fn confirm(world: &mut World, id: &InstanceId, n: usize) -> Checked {
    let now = world.nodes[n].clock.now();
    for (dataset, kind) in [("doors", ScanKind::Config), ("people", ScanKind::Accounts)] {
        match snapshots::agree_empty(&world.db, id, dataset, "ada", now, entry("dataset.empty")).await {
            Ok(()) => world.watch.confirmed(id, kind),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => panic!("an operator's own change does not fail: {error}"),
        }
    }
    Ok(())
}

async fn reauthenticate(world: &World, id: &InstanceId, named: &str, n: usize) {
    world.vendors.tenancies().entry(address(named)).and_modify(|t| t.revoked = false);
    let new = NewCredential {
        auth: "token".into(),
        settings: Default::default(),
        origins: [("main".to_owned(), address(named))].into(),
        identity: identity(),
        secrets: [("token".to_owned(), SecretString::from("n3w"))].into(),
        stop: BTreeSet::new(),
        enable: BTreeSet::new(),
        gaps: Default::default(),
        by: "ada".into(),
    };
    let now = world.nodes[n].clock.now();
    let done = instances::reauthenticate(&world.db, id, new, now, entry("instance.reauthenticate"));
    done.await.expect("onboarded");
}

/// Something is added, taken away, or becomes otherwise.
fn change(dice: &mut Dice, what: &mut std::collections::BTreeMap<String, bool>, prefix: &str) {
    for _ in 0..=dice.roll(3) {
        let id = format!("{prefix}{:02}", dice.roll(16));
        match dice.roll(4) {
            0 if what.len() > 2 => drop(what.remove(&id)),
            n => drop(what.insert(id, n % 2 == 0)),
        }
    }
}

/// The last hours: often under a clock that is days ahead, or while the database fails. Then nobody presses a button any
/// more: what was put far off, or was not heard of, must not wait for that.
pub(super) async fn last_hours(world: &mut World) -> Checked {
    let shared = Arc::clone(&world.shared);
    let (leaps, fails) = {
        let mut dice = shared.dice();
        (world.temper.leaps() && dice.once_in(2), dice.once_in(2))
    };
    if leaps {
        world.wire.set(wire::mood(&mut shared.dice()));
        for tenancy in world.vendors.tenancies().values_mut() {
            let mut dice = shared.dice();
            (tenancy.revoked, tenancy.mood) = (dice.once_in(3), dice.one_of(&world.temper.moods));
        }
        for node in &world.nodes {
            node.clock.jumps(shared.dice().upto(LEAP), None);
        }
        *world.counts.events.entry("a leap at the end").or_default() += 1;
    }
    if fails {
        for _ in 0..3 {
            people(world, "pause").await?;
        }
        // So that it is heard of.
        world.pass(Duration::minutes(2)).await?;
        database_fails(world);
    }
    for _ in 0..8 {
        let time = shared.dice().upto(Duration(AWHILE.0 / 4));
        world.pass(time).await?;
        let button = shared.dice().one_of(&["interval", "pause", "resume", "resume", "scan now"]);
        people(world, button).await?;
    }
    Ok(())
}

/// The faults cease: everything is well, and everybody sees to it.
pub(super) async fn mend(world: &mut World) -> Checked {
    simulation::trouble(None);
    world.wrong = false;
    world.wire.set(wire::Mood::Well);
    for tenancy in world.vendors.tenancies().values_mut() {
        (tenancy.mood, tenancy.revoked) = (Mood::Well, false);
    }
    for node in &mut world.nodes {
        node.frozen_until = None;
        node.clock.is_right();
    }
    for labour in &mut world.labours {
        (labour.frozen_until, labour.fuse) = (None, None);
    }
    let now = world.shared.now();
    // What runs is left alone: that it runs again must not be the doing of whoever resumes it.
    let paused = |id: &InstanceId| world.watch.facts(id).is_none_or(|facts| facts.paused.is_some());
    let rest: Vec<InstanceId> = world.fleet.iter().map(|(id, _)| id.clone()).filter(paused).collect();
    for id in rest {
        instances::resume(&world.db, &id, now, entry("instance.resume")).await.expect("onboarded");
    }
    world.look_at_all().await?;
    world.wake();
    Ok(())
}
