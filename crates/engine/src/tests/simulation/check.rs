//! What must hold, each looked at from outside: by the rows before and after each step, by what the vendors saw, by what
//! the mail server took. No checker asks the code that it checks.

mod news;
mod rests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::health::{InstanceFacts, Lease, ScanFacts};
use model::id::{InstanceId, RunId};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{LONGEST_LEASE, MAX_ABANDONED};
use model::time::Timestamp;
use store::instances::{self, InstanceWithScans};
use store::{Cut, Db, StoreError, runs};

use super::long::trace;
use super::vendors::{Page, Sight};
use super::work::{Claimed, Labour, Task};
use crate::due::Work;
use news::Given;
use rests::{Asked, within};

/// The promises that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Checker {
    /// Only the holder of the latest fence commits a run.
    StaleCommit,
    /// Only a lease that has expired is closed, with the outcome that is promised.
    LiveLeaseClosed,
    /// No scan is claimed while a lease of it is held.
    TwoLeases,
    /// A run of a credential that was replaced stores nothing.
    OldCredential,
    /// The facts that health reads are a fold of the runs that were stored.
    HealthIsTheLog,
    /// The run log holds exactly the runs that were stored.
    LogIsWhole,
    /// Nothing is sent inside a vendor's back-off.
    BackOff,
    /// A suspended credential is not sent.
    Suspended,
    /// Nothing of a paused instance runs.
    PausedRests,
    /// What is missing is no good news: no finding, account or check is better for it.
    AbsenceIsNoNews,
    /// What was read bad is told.
    BadNewsIsTold,
    /// A request that is made during a run is kept.
    RequestIsKept,
    /// A run that was handed back too often does not begin again.
    AbandonedEnds,
    /// A node that drains hands its leases back.
    DrainHandsBack,
    /// Once the faults cease everything comes up and nothing is left half done.
    ComesUp,
    /// One digest and one mail for each recipient, address and day.
    OneDigest,
    /// Each digest is made, and its mail is taken at least once, each time the same.
    DigestIsSent,
}

/// A promise that was broken.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) checker: Checker,
    pub(super) says: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.checker, self.says)
    }
}

pub(super) type Checked<T = ()> = Result<T, Violation>;

pub(super) fn must(holds: bool, checker: Checker, says: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation { checker, says: says() }) }
}

/// Who has just done something to the database.
pub(super) enum Actor<'a> {
    /// A worker.
    Worker(&'a mut Labour),
    /// A ticker, which closes what has expired: by the clock of leases, which showed these times while it looked.
    Ticker { earliest: Timestamp, latest: Timestamp },
    /// An operator, or a node that starts.
    Other,
}

/// What the runs of one scan add up to, counted by ourselves.
#[derive(Debug, Default)]
struct Fold {
    runs: Vec<RunId>,
    failures: u32,
    last: Option<(RunId, RunOutcome, Timestamp)>,
    last_success_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    /// Records of the last complete reading.
    had: usize,
    /// Since when a reading was empty that had been full.
    emptied_at: Option<Timestamp>,
    /// Whether an operator has confirmed that.
    confirmed: bool,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Watch {
    rows: BTreeMap<InstanceId, InstanceWithScans>,
    folds: BTreeMap<(InstanceId, ScanKind), Fold>,
    asked: BTreeMap<String, Vec<Asked>>,
    given: BTreeMap<RunId, Given>,
    /// Pages that a piece of work was given before it is known for which run.
    pages: BTreeMap<u64, Vec<Page>>,
    /// Findings that stand open, by resource.
    open: BTreeMap<InstanceId, BTreeSet<String>>,
    /// Accounts that are there.
    there: BTreeMap<InstanceId, BTreeSet<String>>,
    /// Steps looked at.
    steps: u64,
    /// Runs stored.
    pub(super) runs: u64,
    /// Claims seen.
    pub(super) claims: u64,
}

const ALL: u32 = 200;

fn lease(scan: &ScanFacts) -> Option<&Lease> {
    scan.open.as_ref().and_then(|open| open.lease.as_ref())
}

impl Watch {
    pub(super) fn facts(&self, id: &InstanceId) -> Option<&InstanceFacts> {
        self.rows.get(id).map(|row| &row.instance.facts)
    }

    pub(super) fn row(&self, id: &InstanceId) -> Option<&InstanceWithScans> {
        self.rows.get(id)
    }

    /// What vendors gave during a step of this worker.
    pub(super) fn gave(
        &mut self,
        by: &mut Labour,
        true_now: Timestamp,
        seen: &[(u64, String, Sight)],
    ) -> Checked {
        self.steps += 1;
        self.asked.values_mut().for_each(|asked| asked.retain(|asked| asked.truly > true_now));
        if by.since == 0 {
            by.since = self.steps;
        }
        for (_, address, sight) in seen {
            match sight {
                Sight::Later { until, truly } => {
                    trace(|| format!("  {:?} is told by {address} to wait until {until}", by.task));
                    let asked = self.asked.entry(address.clone()).or_default();
                    asked.push(Asked { by: by.id, until: *until, truly: *truly, known: None });
                }
                Sight::Asked { now } => {
                    let asked = self.asked.entry(address.clone()).or_default();
                    // What a clock has put too far off is not believed, and what is over by one that runs ahead is over:
                    // both may be forgotten for what comes now.
                    asked.retain(|asked| within(asked.until, *now));
                    let told = asked.iter().find(|asked| asked.by == by.id);
                    must(told.is_none(), Checker::BackOff, || {
                        let until = told.map(|asked| asked.until);
                        format!("a run asks {address} at {now} though it was told to wait until {until:?}")
                    })?;
                }
                Sight::Gave(page) => self.pages.entry(by.id).or_default().push(page.clone()),
                Sight::Began { .. } | Sight::Tried { .. } => {}
            }
        }
        Ok(())
    }

    /// What a piece of work was given is its run's from now on, if it holds one.
    pub(super) fn keep(&mut self, by: &Labour) {
        let pages = self.pages.remove(&by.id).unwrap_or_default();
        if let Some(held) = &by.held {
            let given = self.given.entry(held.run.clone()).or_default();
            if !pages.is_empty() {
                trace(|| {
                    format!(
                        "  {} of {:?}, run {}, lease {}, is given {pages:?}",
                        held.kind, held.instance, held.run, held.fence
                    )
                });
            }
            pages.into_iter().for_each(|page| given.take(page));
        }
    }

    /// What vendors saw during a step of this worker; `facts` are those of its instance before the step.
    pub(super) fn saw(
        &self,
        by: &Labour,
        facts: Option<&InstanceFacts>,
        seen: Vec<(u64, String, Sight)>,
    ) -> Checked {
        // What became so since it was claimed it need not know.
        let claimed = by.held.as_ref().map(|held| &held.facts).or(by.before.as_ref());
        let both = |is: &dyn Fn(&InstanceFacts) -> bool| facts.is_some_and(is) && claimed.is_some_and(is);
        let rests = |what: &str| {
            must(!both(&|f| f.paused.is_some()), Checker::PausedRests, || {
                format!("{what} was begun though it is paused")
            })
        };
        let good = |what: &str| {
            must(!both(&|f| f.suspension.is_some()), Checker::Suspended, || {
                format!("{what} was begun with a suspended credential")
            })
        };
        for (_, address, sight) in seen {
            match sight {
                Sight::Gave(_) | Sight::Asked { .. } | Sight::Later { .. } => {}
                Sight::Began { kind, now } => {
                    let what = format!("{kind} of {address}");
                    good(&what)?;
                    rests(&what)?;
                    let abandoned = by.held.as_ref().map_or(0, |held| held.abandoned);
                    must(abandoned < MAX_ABANDONED, Checker::AbandonedEnds, || {
                        format!("{kind} of {address} begins though it was handed back {abandoned} times")
                    })?;
                    self.leaves_alone(by, &address, now, [facts, claimed])?;
                }
                Sight::Tried { now } => {
                    let what = format!("{:?} at {address}", by.task);
                    rests(&what)?;
                    // The one request that tries whether it is still refused is made.
                    if matches!(by.task, Task::Work((_, Work::Recheck))) {
                        good(&what)?;
                    }
                    self.leaves_alone(by, &address, now, [facts, claimed])?;
                }
            }
        }
        Ok(())
    }

    /// Whoever acted may have changed anything.
    pub(super) async fn look_at_all(&mut self, db: &Db, mut actor: Actor<'_>) -> Checked {
        let rows = instances::all(db).await.expect("the simulation's own look does not fail");
        let ids: BTreeSet<InstanceId> = rows.iter().map(|row| row.instance.id.clone()).collect();
        for row in rows {
            self.compare(db, row, &mut actor).await?;
        }
        self.rows.retain(|id, _| ids.contains(id));
        self.folds.retain(|(id, _), _| ids.contains(id));
        Ok(())
    }

    /// Whoever acted was concerned with this instance.
    pub(super) async fn look_at(&mut self, db: &Db, id: &InstanceId, mut actor: Actor<'_>) -> Checked {
        match instances::get(db, id).await {
            Ok(row) => self.compare(db, row, &mut actor).await,
            Err(StoreError::NotFound { .. }) => {
                self.rows.remove(id);
                self.folds.retain(|(of, _), _| of != id);
                Ok(())
            }
            Err(error) => panic!("the simulation's own look does not fail: {error}"),
        }
    }

    async fn compare(&mut self, db: &Db, row: InstanceWithScans, actor: &mut Actor<'_>) -> Checked {
        let id = row.instance.id.clone();
        let before = self.rows.insert(id.clone(), row.clone());
        let (blocked, was) =
            (row.instance.facts.blocked_until, before.as_ref().map(|row| row.instance.facts.blocked_until));
        if was != Some(blocked) {
            if let Actor::Worker(by) = actor {
                self.forgets(&row.instance.name, by);
            }
            trace(|| format!("  {} rests until {blocked:?}", row.instance.name));
        }
        for scan in &row.scans {
            let new = &scan.facts;
            let old = before.as_ref().and_then(|row| row.scan(new.kind)).map(|scan| scan.facts.clone());
            let Some(old) = old else { continue };
            let place = format!("{} of {}", new.kind, row.instance.name);
            let was = before.as_ref().map(|row| &row.instance.facts);
            let claimed = self.claim(&place, (&old, new), &row.instance.facts, was, actor)?;
            let last = new.last.as_ref().map(|last| &last.run);
            if last != old.last.as_ref().map(|last| &last.run) {
                self.runs += 1;
                self.commit(db, &place, &row, (&old, new), claimed, actor).await?;
            }
            self.fold(&place, &id, new)?;
        }
        Ok(())
    }

    /// Whether a lease was taken, and by right.
    fn claim(
        &mut self,
        place: &str,
        (old, new): (&ScanFacts, &ScanFacts),
        facts: &InstanceFacts,
        was: Option<&InstanceFacts>,
        actor: &mut Actor<'_>,
    ) -> Checked<bool> {
        let Some(held) = lease(new) else { return Ok(false) };
        if lease(old).is_some_and(|lease| lease.fence == held.fence) {
            return Ok(false);
        }
        self.claims += 1;
        must(lease(old).is_none(), Checker::TwoLeases, || {
            format!("{place} was claimed while {:?} held it", lease(old))
        })?;
        must(was.is_none_or(|was| was.paused.is_none()), Checker::PausedRests, || {
            format!("{place} was claimed though it is paused")
        })?;
        if let Actor::Worker(labour) = actor {
            labour.since = self.steps;
            labour.held = Some(Claimed {
                instance: facts.id.clone(),
                kind: new.kind,
                run: new.open.as_ref().map(|open| open.run.clone()).expect("a lease is of a run"),
                fence: held.fence,
                version: facts.credential_version,
                facts: was.unwrap_or(facts).clone(),
                abandoned: old.open.as_ref().map_or(0, |open| open.abandoned),
            });
        }
        Ok(true)
    }

    async fn commit(
        &mut self,
        db: &Db,
        place: &str,
        row: &InstanceWithScans,
        (old, new): (&ScanFacts, &ScanFacts),
        claimed: bool,
        actor: &mut Actor<'_>,
    ) -> Checked {
        let id = &row.instance.id;
        let last = new.last.as_ref().expect("a run was stored");
        let (run, outcome) = (last.run.clone(), last.outcome);
        trace(|| format!("  {place}: the run {run} is stored, {outcome:?}: {:?}", last.fault));
        match actor {
            Actor::Worker(by) => {
                // Claimed and stored within one step.
                let claimed = claimed || (by.held.is_none() && lease(old).is_none());
                let held = by.held.as_ref().filter(|held| held.instance == *id && held.kind == new.kind);
                let open = old.open.as_ref().filter(|open| open.run == run);
                let fence = open.and_then(|open| open.lease.as_ref()).map(|lease| lease.fence);
                must(
                    claimed || (fence.is_some() && fence == held.map(|h| h.fence)),
                    Checker::StaleCommit,
                    || format!("{place}: the run {run} was stored by {held:?}, held was {:?}", old.open),
                )?;
                let version = row.instance.facts.credential_version;
                must(held.is_none_or(|held| held.version == version), Checker::OldCredential, || {
                    format!("{place}: the run {run} of a credential that was replaced")
                })?;
                if !claimed {
                    must(new.wanted_at == old.wanted_at, Checker::RequestIsKept, || {
                        format!("{place}: wanted {:?}, after the run {:?}", old.wanted_at, new.wanted_at)
                    })?;
                }
                let mut given = self.given.remove(&run).unwrap_or_default();
                self.pages.remove(&by.id).into_iter().flatten().for_each(|page| given.take(page));
                self.news(db, place, row, (old, new), given).await?;
            }
            Actor::Ticker { earliest, latest } => {
                let expired = lease(old).is_some_and(|lease| {
                    lease.expires_at <= *latest || lease.expires_at > *earliest + LONGEST_LEASE
                });
                must(expired, Checker::LiveLeaseClosed, || {
                    format!("{place}: closed at {latest} though {:?}", lease(old))
                })?;
                let closed = RunOutcome::Failed(FailureCause::Internal);
                must(outcome == closed, Checker::LiveLeaseClosed, || format!("{place}: closed {outcome:?}"))?;
                self.given.remove(&run);
                self.news(db, place, row, (old, new), Given::default()).await?;
            }
            Actor::Other => {
                must(false, Checker::StaleCommit, || format!("{place}: {run} was stored by nobody"))?;
            }
        }
        let fold = self.folds.entry((id.clone(), new.kind)).or_default();
        fold.runs.push(run.clone());
        fold.failures = if matches!(outcome, RunOutcome::Failed(_)) { fold.failures + 1 } else { 0 };
        let at = last.finished_at;
        if outcome == RunOutcome::Succeeded {
            (fold.last_success_at, fold.failing_since) = (Some(at), None);
        } else {
            fold.failing_since.get_or_insert(at);
        }
        fold.last = Some((run.clone(), outcome, at));
        let stored = match runs::get(db, &run).await {
            Ok(stored) => stored,
            Err(StoreError::NotFound { .. }) => {
                return must(false, Checker::LogIsWhole, || format!("{place}: {run} is not in the log"));
            }
            Err(error) => panic!("the simulation's own look does not fail: {error}"),
        };
        must(
            (stored.outcome, stored.finished_at, stored.fault.is_some())
                == (outcome, at, outcome != RunOutcome::Succeeded),
            Checker::HealthIsTheLog,
            || format!("{place}: {last:?}, in the log {stored:?}"),
        )
    }

    fn fold(&self, place: &str, id: &InstanceId, new: &ScanFacts) -> Checked {
        let none = Fold::default();
        let fold = self.folds.get(&(id.clone(), new.kind)).unwrap_or(&none);
        let last = new.last.as_ref().map(|run| (run.run.clone(), run.outcome, run.finished_at));
        let holds = new.failures_in_a_row == fold.failures
            && last == fold.last
            && new.last_success_at == fold.last_success_at
            && new.failing_since == fold.failing_since;
        must(holds, Checker::HealthIsTheLog, || format!("{place}: {new:?}, but the runs are {fold:?}"))
    }

    /// The whole run log of all instances, once at the end.
    pub(super) async fn whole_log(&self, db: &Db) -> Checked {
        for ((id, kind), fold) in &self.folds {
            let filter = runs::Filter { instance: Some(id.clone()), kind: Some(*kind), outcome: None };
            let mut stored = BTreeSet::new();
            let mut after: Option<String> = None;
            loop {
                let cut = Cut { after: after.as_deref(), ..Cut::first(ALL) };
                let page = runs::log(db, &filter, cut).await.expect("a log");
                stored.extend(page.rows.into_iter().map(|run| run.id));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            let seen: BTreeSet<RunId> = fold.runs.iter().cloned().collect();
            must(seen == stored && seen.len() == fold.runs.len(), Checker::LogIsWhole, || {
                format!("{kind} of {id}: {} runs were stored, the log has {}", fold.runs.len(), stored.len())
            })?;
        }
        Ok(())
    }

    /// An operator says that a list is empty indeed.
    pub(super) fn confirmed(&mut self, id: &InstanceId, kind: ScanKind) {
        if let Some(fold) = self.folds.get_mut(&(id.clone(), kind)) {
            fold.confirmed = true;
        }
    }

    /// No lease of a node that has drained is left.
    pub(super) fn drained(&self, held: &[Claimed]) -> Checked {
        for claim in held {
            let scan = self.rows.get(&claim.instance).and_then(|row| row.scan(claim.kind));
            let left = scan.and_then(|scan| lease(&scan.facts)).filter(|lease| lease.fence == claim.fence);
            must(left.is_none(), Checker::DrainHandsBack, || {
                format!("{} of {} is still held: {left:?}", claim.kind, claim.instance)
            })?;
        }
        Ok(())
    }
}
