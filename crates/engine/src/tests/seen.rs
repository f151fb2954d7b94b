//! Since when a door stands open: what no vendor tells, told from scan to scan by what is stored.

use std::path::Path;

use catalog::Catalog;
use collect::Clock as _;
use model::finding::Outcome;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::Value;
use store::{runs, snapshots};

use super::fake::{Answer, START};
use super::world::World;

const CHECK: &str = "vault/door-shut-soon";

/// The vault with a check that asks for how long.
fn catalog() -> Catalog {
    let folder = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(name);
    let loaded = Catalog::load(&[folder("catalog"), folder("catalog_seen")]);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    loaded.catalog
}

/// Since when a door is as it is, as it is stored: exactly, and at latest.
async fn since(world: &World, door: &str) -> [Option<Timestamp>; 2] {
    let stored =
        snapshots::of_instance(&world.db, &world.id, Some("doors")).await.expect("read").remove("doors");
    let data = stored.expect("it was read completely").data;
    let mut doors = data.records.iter();
    let door = doors.find(|r| r.get(&data.shape, "id").as_str() == Some(door)).expect("it is there");
    ["locked_since", "locked_since_at_latest"].map(|name| match door.get(&data.shape, name) {
        Value::Timestamp(at) => Some(*at),
        _ => None,
    })
}

/// The doors of which nothing could be said, and why.
async fn undecided(world: &World) -> Vec<(String, String)> {
    let all = runs::results(&world.db, &world.id, ScanKind::Config).await.expect("read");
    let asked = all.into_iter().filter(|r| r.check.as_str() == CHECK && r.outcome == Outcome::Inconclusive);
    asked.map(|r| (r.resource.to_string(), r.says.to_string())).collect()
}

/// How many doors pass, fail, and are undecided.
async fn counts(world: &World) -> [u64; 3] {
    let all = runs::tallies(&world.db, &world.id).await.expect("read");
    let tally = all.into_iter().find(|t| t.tally.check.as_str() == CHECK).expect("it was asked").tally;
    [tally.pass, tally.fail, tally.inconclusive]
}

#[tokio::test]
async fn a_second_scan_knows_what_the_first_one_saw() {
    let mut world = World::config_only().await.with_catalog(catalog()).await;
    world.fake.answer([Answer::Open(&["back"])]);
    world.settle().await;
    assert_eq!(since(&world, "back").await, [None, Some(START)], "it may have stood open for years");
    let why = "locked_since is not known (no scan has seen it begin)";
    assert_eq!(undecided(&world).await, [("back".to_owned(), why.to_owned())]);

    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.pass(Duration::hours(2)).await;
    let [exactly, at_latest] = since(&world, "front").await;
    let opened = exactly.expect("the scan before saw it locked");
    assert!(START < opened && opened <= world.clock.now(), "{opened}");
    assert_eq!(at_latest, Some(opened));
    assert_eq!(since(&world, "back").await, [None, Some(START)]);
    assert_eq!(counts(&world).await, [1, 0, 1], "front has not stood open for long");

    // Neither a restart nor scans that read nothing make anything younger.
    let mut world = world.with_catalog(catalog()).await;
    world.fake.answer([Answer::Refused(FailureCause::Remote)]);
    world.pass(Duration::hours(10)).await;
    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.pass(Duration::hours(20)).await;
    assert_eq!(since(&world, "front").await, [Some(opened); 2]);
    assert_eq!(counts(&world).await, [0, 2, 0], "both are known to have stood open for more than a day");

    // Locked and opened again: counted anew.
    world.fake.answer([Answer::Open(&["back"])]);
    world.pass(Duration::hours(2)).await;
    world.fake.answer([Answer::Open(&["back", "front"])]);
    world.pass(Duration::hours(2)).await;
    let again = since(&world, "front").await[0].expect("the scan before saw it locked");
    assert!(again > opened, "{again}");
    assert_eq!(counts(&world).await, [1, 1, 0]);
}
