//! A loss of power as SQLite's write-ahead log shows it: the log ends anywhere. What opens is a prefix of what was committed,
//! whole, and what is lost of it runs again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use collect::Clock as _;
use engine::clock::{SystemClock, SystemEntropy};
use sim::seed::Seed;
use store::{Cut, Db, Options, SealingKey, runs};

use crate::database::{Database, now};
use crate::installation::Installation;
use crate::lives::{PACE, recovers, restless};
use crate::node::Node;
use crate::whole;

/// Bytes of the log's own head, and of the head of each frame in it (https://www.sqlite.org/fileformat2.html#walformat).
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// SQLite begins to copy the log into the file at 1,000 frames. Nothing that was copied can be lost, so the log is taken before.
const ENOUGH: usize = 450;
/// Cuts anywhere, beside those at each border.
const ANYWHERE: usize = 40;

/// A write-ahead log with the places where its frames end, and after which of them a transaction is whole.
struct Log {
    bytes: Vec<u8>,
    ends: Vec<(usize, bool)>,
}

impl Log {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a log");
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let page = usize::try_from(number(8)).expect("a size");
        let salts = &bytes[16..24];
        let mut ends = Vec::new();
        let mut at = HEAD;
        while at + FRAME_HEAD + page <= bytes.len() && bytes[at + 8..at + 16] == *salts {
            // The size of the database after the commit; 0 within a transaction.
            let commits = number(at + 4) != 0;
            at += FRAME_HEAD + page;
            ends.push((at, commits));
        }
        Self { bytes, ends }
    }

    /// The ends of transactions.
    fn commits(&self) -> Vec<usize> {
        self.ends.iter().filter(|(_, commits)| *commits).map(|(end, _)| *end).collect()
    }
}

/// Lets a server work until its log is long enough, and kills it.
async fn cut_short(here: &Installation, number: u64) -> (Vec<u8>, Log) {
    let Database::Sqlite(path) = &here.database else { panic!("a file") };
    let log = path.with_extension("db-wal");
    here.database.change(PACE).await;
    let file = std::fs::read(path).expect("a file");
    let changing = restless(&here.tenants, Seed::new(number));
    let node = Node::start(here, &[]).await;
    let long = || log.metadata().map_or(0, |m| m.len()) > (ENOUGH * 4096) as u64;
    let waiting = async {
        while !long() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::node::PATIENCE, waiting).await.expect("enough is written");
    node.kill();
    changing.abort();
    assert!(std::fs::read(path).expect("a file") == file, "the log was copied into the file: take it sooner");
    (file, Log::read(&log))
}

/// Opens what is left by the store; the runs in its log.
async fn opened(
    here: &Installation,
    key: &SealingKey,
    file: &[u8],
    log: &[u8],
) -> (Installation, BTreeSet<String>) {
    let copy = here.copied(file, log);
    let (address, options) = (copy.database.address(), Options::default());
    let db = Db::open(&address, key, std::sync::Arc::new(SystemEntropy), SystemClock.now(), options).await;
    let db = db.unwrap_or_else(|e| panic!("cut at {}: {e}", log.len()));
    let all = store::instances::all(&db).await.expect("instances");
    assert_eq!(all.len(), here.tenants.len(), "cut at {}", log.len());
    let page = runs::log(&db, &runs::Filter::default(), Cut::first(500)).await.expect("a log");
    let ids: BTreeSet<String> = page.rows.iter().map(|run| run.id.to_string()).collect();
    assert_eq!(ids.len() as u64, page.total, "all of them are on one page");
    db.close().await;
    (copy, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_anywhere_opens_to_what_was_committed_before() {
    let number = u64::try_from(now()).expect("after 1970");
    let here = Installation::sqlite(3, "").await;
    let key = here.key();
    let (file, log) = cut_short(&here, number).await;
    let commits = log.commits();
    println!("seed {number}: {} frames, {} transactions", log.ends.len(), commits.len());

    // At the end of each transaction: the history, one commit after the other.
    let mut history: Vec<(usize, BTreeSet<String>)> = Vec::new();
    for end in std::iter::once(HEAD).chain(commits) {
        let (copy, ids) = opened(&here, &key, &file, &log.bytes[..end]).await;
        let before = history.last().map(|(_, ids)| ids.clone()).unwrap_or_default();
        assert!(
            before.is_subset(&ids) && ids.len() <= before.len() + 1,
            "cut at {end}: {before:?}, then {ids:?}"
        );
        if ids != before {
            whole::check(&copy.database, &ids).await;
        }
        history.push((end, ids));
    }
    let all = history.last().map_or(0, |(_, ids)| ids.len());
    assert!(all >= 4, "too few runs to tell anything: {all}");

    // A little before and after each border, within frames, and anywhere: what was committed before, and nothing of the rest.
    let mut seed = Seed::new(number);
    let borders = log.ends.iter().enumerate().filter(|(n, _)| n % 8 == 0).map(|(_, (end, _))| *end);
    let near = borders.flat_map(|end| [end - 1, end, end + 1]);
    let anywhere: Vec<usize> = (0..ANYWHERE).map(|_| seed.below(log.bytes.len())).collect();
    let cuts: Vec<usize> = near.chain(anywhere).filter(|cut| *cut <= log.bytes.len()).collect();
    for cut in &cuts {
        let (_, ids) = opened(&here, &key, &file, &log.bytes[..*cut]).await;
        let committed = history.iter().rev().find(|(end, _)| end <= cut).map(|(_, ids)| ids.clone());
        assert_eq!(ids, committed.unwrap_or_default(), "cut at {cut}, seed {number}");
    }

    // The engine goes on from there: what was lost runs again.
    for _ in 0..2 {
        let cut = HEAD + seed.below(log.bytes.len() - HEAD);
        let (copy, ids) = opened(&here, &key, &file, &log.bytes[..cut]).await;
        recovers(&copy).await;
        whole::check(&copy.database, &ids).await;
    }
    println!(
        "{} runs; {} cuts at ends of transactions, {} elsewhere, 2 of them run on",
        all,
        history.len(),
        cuts.len()
    );
}
