//! `cargo xtask sim`: seed after seed, as long as wanted, with what came of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration as Real, Instant};

use model::time::Duration as Wrong;
use sqlx::{AssertSqlSafe, Executor as _};

use super::{KEPT, Story, WRONG, nodes, story};

/// How often progress is told.
const TELL: Real = Real::from_secs(10);

/// How a seed ended, with the command that tells its story again.
pub(super) fn says(seed: u64, database: &str, told: &Story) -> String {
    match &told.broken {
        None => format!("seed {seed}: {} hours, {} runs, no violation", told.hours, told.runs),
        Some((violation, at)) => format!(
            "VIOLATION seed {seed} on {database}, {at}\n  {violation}\n  again: cargo xtask sim --database {database} \
             --seed {seed}"
        ),
    }
}

#[expect(clippy::disallowed_methods, reason = "the command that runs simulations tells them so")]
pub(super) fn told<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(format!("PARAPET_SIM_{name}")).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("PARAPET_SIM_{name} cannot be read: {text}")))
}

/// What happens, for whoever follows one seed: `PARAPET_SIM_TRACE=1`.
#[expect(clippy::print_stdout, reason = "asked for")]
pub(super) fn trace(says: impl FnOnce() -> String) {
    if told::<u8>("TRACE").is_some() {
        println!("{}", says());
    }
}

/// A database of its own for a story: in memory, or a schema of a server.
async fn database(schema: &str, postgres: Option<&str>) -> String {
    let Some(url) = postgres else { return "sqlite::memory:".to_owned() };
    let admin = sqlx::PgPool::connect(url).await.expect("PostgreSQL");
    let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    admin.execute(AssertSqlSafe(create)).await.expect("a schema");
    admin.close().await;
    let sep = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sep}options=-c%20search_path%3D{schema}")
}

async fn forget(schema: &str, postgres: Option<&str>) {
    let Some(url) = postgres else { return };
    let admin = sqlx::PgPool::connect(url).await.expect("PostgreSQL");
    admin.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.expect("its schema");
    admin.close().await;
}

/// One seed, start to end. Its schema is the telling's and not the seed's: two threads may tell the same one at once, as a kept
/// one and in its turn.
async fn one(seed: u64, postgres: Option<&str>, wrong: Wrong) -> Story {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    let schema = format!("sim_{}_{}", std::process::id(), TOLD.fetch_add(1, Ordering::SeqCst));
    let address = database(&schema, postgres).await;
    let told = Box::pin(story(seed, &address, nodes(seed, postgres.is_none()), wrong)).await;
    forget(&schema, postgres).await;
    told
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL runs")]
pub(super) fn server() -> Option<String> {
    let url = std::env::var("PARAPET_TEST_POSTGRES_URL").ok();
    assert!(
        url.is_some() || std::env::var_os("PARAPET_TEST_REQUIRE_POSTGRES").is_none(),
        "PARAPET_TEST_POSTGRES_URL is not set though PostgreSQL tests are required"
    );
    url
}

#[tokio::test]
async fn a_short_story_breaks_no_promise_on_postgresql() {
    let Some(url) = server() else {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests by hand is told what was left out")]
        {
            eprintln!("PostgreSQL tests not run: PARAPET_TEST_POSTGRES_URL is not set");
        }
        return;
    };
    let seed = super::SHORT[0];
    let told = one(seed, Some(&url), super::DAY).await;
    assert!(told.broken.is_none(), "{}", says(seed, "postgres", &told));
}

/// Tells seeds one after the other on a thread of its own, until nobody listens, or until one cannot be told: nothing.
fn tell_seeds(kept: bool, next: &AtomicU64, postgres: Option<&str>, tell: &Sender<(u64, Option<Story>)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let kept = KEPT.into_iter().filter(|_| kept);
    for seed in kept.chain(std::iter::repeat_with(|| next.fetch_add(1, Ordering::SeqCst))) {
        let told =
            std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(one(seed, postgres, WRONG)))).ok();
        let ended = told.is_none();
        if tell.send((seed, told)).is_err() || ended {
            return;
        }
    }
}

/// What is asked for comes by `PARAPET_SIM_SEED` (that one alone), `PARAPET_SIM_FROM` (the first of many),
/// `PARAPET_SIM_HOURS` (virtual) or `PARAPET_SIM_SECONDS` (real), whichever is reached first, `PARAPET_SIM_FIRST` (end
/// with the first violation), `PARAPET_SIM_THREADS` and `PARAPET_SIM_DATABASE`.
#[test]
#[ignore = "as long as wanted: cargo xtask sim"]
#[expect(clippy::print_stdout, reason = "this is the command's output")]
#[expect(clippy::disallowed_methods, reason = "the machine's own time is part of what is told")]
fn many_seeds() {
    let name: String = told("DATABASE").unwrap_or_else(|| "sqlite".to_owned());
    let postgres = (name == "postgres").then(|| server().expect("cargo xtask sim starts one"));
    let only: Option<u64> = told("SEED");
    let hours: u64 = told("HOURS").unwrap_or(u64::MAX);
    let seconds = Real::from_secs(told("SECONDS").unwrap_or(u64::MAX));
    let first = told::<u8>("FIRST").is_some();
    let threads: usize = if only.is_some() { 1 } else { told("THREADS").unwrap_or(1) };
    let from = only.or_else(|| told("FROM"));
    let next = Arc::new(AtomicU64::new(from.unwrap_or(1)));
    let (tell, stories) = channel();
    for n in 0..threads {
        let kept = n == 0 && from.is_none();
        let (next, tell, postgres) = (Arc::clone(&next), tell.clone(), postgres.clone());
        std::thread::spawn(move || tell_seeds(kept, &next, postgres.as_deref(), &tell));
    }
    drop(tell);
    let began = Instant::now();
    let mut next_word = TELL;
    let mut sum = Sum::default();
    for (seed, told) in stories {
        let took = began.elapsed();
        let told = told.unwrap_or_else(|| panic!("seed {seed} cannot be told"));
        if told.broken.is_some() {
            println!("{}", says(seed, &name, &told));
            println!("  found after {} virtual hours, {} ms", sum.story.hours + told.hours, took.as_millis());
        }
        let broken = told.broken.is_some();
        sum.add(told);
        if took >= next_word {
            next_word = took + TELL;
            println!("{}", sum.says(took));
        }
        if only.is_some() || (broken && first) || sum.story.hours >= hours || took >= seconds {
            break;
        }
    }
    println!("{}", sum.report(began.elapsed()));
    assert!(sum.by_checker.is_empty(), "a promise was broken");
}

/// Many stories.
#[derive(Default)]
struct Sum {
    story: Story,
    seeds: u64,
    by_checker: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, told: Story) {
        self.seeds += 1;
        let sum = &mut self.story;
        sum.hours += told.hours;
        sum.runs += told.runs;
        sum.claims += told.claims;
        sum.digests += told.digests;
        sum.steps += told.steps;
        for (event, n) in told.events {
            *sum.events.entry(event).or_default() += n;
        }
        if let Some((violation, _)) = told.broken {
            *self.by_checker.entry(format!("{:?}", violation.checker)).or_default() += 1;
        }
    }

    fn violations(&self) -> u64 {
        self.by_checker.values().sum()
    }

    fn says(&self, took: Real) -> String {
        let (hours, runs) = (self.story.hours, self.story.runs);
        let (seeds, broken) = (self.seeds, self.violations());
        format!(
            "{hours} h of virtual time, {seeds} seeds, {runs} runs, {broken} violations, {} s",
            took.as_secs()
        )
    }

    /// The whole of it, in a table.
    fn report(&self, took: Real) -> String {
        let sum = &self.story;
        let mut lines = vec![
            format!("{:>12} hours of virtual time", sum.hours),
            format!("{:>12} seeds", self.seeds),
            format!("{:>12} steps of work", sum.steps),
            format!("{:>12} claims", sum.claims),
            format!("{:>12} runs stored", sum.runs),
            format!("{:>12} digests made", sum.digests),
        ];
        lines.extend(sum.events.iter().map(|(event, n)| format!("{n:>12} {event}")));
        lines.push(format!("{:>12} seconds", took.as_secs()));
        lines.push(format!("{:>12} violations", self.violations()));
        lines.extend(self.by_checker.iter().map(|(checker, n)| format!("{n:>14} {checker}")));
        lines.join("\n")
    }
}
