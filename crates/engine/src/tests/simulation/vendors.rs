//! The vendors: what is true at each, what mood it is in, and what it has told whom.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collect::{Clock, Collected, Credential, Done, Preflight, Progress, RunRequest, Target};
use futures_util::future::BoxFuture;
use model::credential::Readiness;
use model::dataset::{Availability, Cost, DatasetSnapshot, Snapshot};
use model::diagnosis::Fault;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};

use super::super::fake::{fault, identity};
use super::time::{Dice, Shared};
use crate::collector::Collector;

/// How a vendor behaves towards most requests; now and then each answers otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Everything is refused for this cause.
    Refusing(FailureCause),
    /// "Come back later", long and short.
    Throttling,
    /// It answers, after minutes.
    Slow,
    /// It never answers.
    Hanging,
    /// Lists end in the middle, with a fault.
    Partial,
    /// Lists are empty or short, and said to be whole.
    Lying,
    /// Fields are missing.
    Vague,
    /// Any of these.
    Mad,
}

pub(super) const MOODS: [Mood; 14] = [
    Mood::Well,
    Mood::Well,
    Mood::Refusing(FailureCause::Remote),
    Mood::Refusing(FailureCause::Protocol),
    Mood::Refusing(FailureCause::Permission),
    Mood::Refusing(FailureCause::Unreachable),
    Mood::Throttling,
    Mood::Slow,
    Mood::Hanging,
    Mood::Partial,
    Mood::Lying,
    Mood::Vague,
    Mood::Mad,
    Mood::Mad,
];

/// One tenancy at one address.
#[derive(Debug, Clone)]
pub(super) struct Tenancy {
    pub(super) mood: Mood,
    /// The credential is not accepted.
    pub(super) revoked: bool,
    /// Doors, and whether each is locked.
    pub(super) doors: BTreeMap<String, bool>,
    /// People, and whether each is active.
    pub(super) people: BTreeMap<String, bool>,
}

impl Tenancy {
    pub(super) fn new() -> Self {
        let doors = (0..12).map(|n| (format!("door-{n:02}"), n % 5 != 0)).collect();
        let people = (0..11).map(|n| (format!("p{n}@example.com"), n % 4 != 0)).collect();
        Self { mood: Mood::Well, revoked: false, doors, people }
    }
}

/// What a run was given.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// Said to be everything.
    pub(super) whole: bool,
    /// Id, and whether the door is locked or the person active; `None`: it was not said.
    pub(super) records: Vec<(String, Option<bool>)>,
    /// The back-off that was asked for, by the clock of the node that was told.
    pub(super) later: Option<Timestamp>,
}

/// What a vendor saw.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// A run began.
    Began { kind: ScanKind, now: Timestamp },
    /// A run was given this.
    Gave(Given),
    /// The cheap authentication request, or a look at permissions.
    Tried { now: Timestamp },
}

/// What a run is to get.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Whole,
    Refused(FailureCause),
    Later(Duration),
    Blocked(Duration),
    Part,
    Empty,
    Short,
    Vague,
    Panic,
}

pub(super) struct Vendors {
    pub(super) shared: Arc<Shared>,
    tenancies: Mutex<BTreeMap<String, Tenancy>>,
    /// Who saw what: the piece of work, the address.
    seen: Mutex<Vec<(u64, String, Sight)>>,
}

impl Vendors {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), tenancies: Mutex::default(), seen: Mutex::default() }
    }

    pub(super) fn tenancies(&self) -> MutexGuard<'_, BTreeMap<String, Tenancy>> {
        self.tenancies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen since the last look.
    pub(super) fn seen(&self) -> Vec<(u64, String, Sight)> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn see(&self, address: &str, sight: Sight) {
        let by = self.shared.current.load(Ordering::SeqCst);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((by, address.to_owned(), sight));
    }

    fn tenancy(&self, address: &str) -> Tenancy {
        self.tenancies().get(address).cloned().unwrap_or_else(Tenancy::new)
    }

    /// What a run gets, and after how long.
    fn plan(&self, tenancy: &Tenancy) -> (Answer, Duration) {
        let mut dice = self.shared.dice();
        let quick = if dice.once_in(3) { Duration::ZERO } else { dice.upto(Duration::seconds(40)) };
        if tenancy.revoked {
            return (Answer::Refused(FailureCause::Credentials), quick);
        }
        let mut mood = tenancy.mood;
        if mood == Mood::Mad {
            mood = dice.one_of(&MOODS);
        }
        let answer = match mood {
            Mood::Well | Mood::Slow | Mood::Hanging | Mood::Mad => Answer::Whole,
            Mood::Refusing(cause) => Answer::Refused(cause),
            Mood::Throttling if dice.once_in(3) => Answer::Blocked(dice.upto(Duration::hours(2))),
            Mood::Throttling => Answer::Later(dice.upto(Duration::hours(4))),
            Mood::Partial => Answer::Part,
            Mood::Lying if dice.once_in(2) => Answer::Empty,
            Mood::Lying => Answer::Short,
            Mood::Vague => Answer::Vague,
        };
        let length = match mood {
            Mood::Slow => dice.upto(Duration::minutes(40)),
            Mood::Hanging => Duration::hours(100),
            _ => quick,
        };
        let panics = tenancy.mood == Mood::Mad && dice.once_in(20);
        (if panics { Answer::Panic } else { answer }, length)
    }

    /// What is handed over, of what is true.
    fn give(&self, tenancy: &Tenancy, kind: ScanKind, answer: Answer, now: Timestamp) -> Given {
        let truth = if kind == ScanKind::Config { &tenancy.doors } else { &tenancy.people };
        let mut records: Vec<_> = truth.iter().map(|(id, is)| (id.clone(), Some(*is))).collect();
        let mut dice = self.shared.dice();
        let mut later = None;
        let whole = match answer {
            Answer::Whole => true,
            Answer::Empty => {
                records.clear();
                true
            }
            Answer::Short => {
                records.truncate(dice.index(truth.len().max(1)));
                true
            }
            Answer::Vague => {
                records.iter_mut().for_each(|(_, is)| *is = is.filter(|_| !dice.once_in(3)));
                true
            }
            Answer::Part => {
                records.truncate(dice.index(truth.len().max(1)));
                false
            }
            Answer::Later(wait) | Answer::Blocked(wait) => {
                records.clear();
                later = Some(now + wait);
                false
            }
            Answer::Refused(_) | Answer::Panic => {
                records.clear();
                false
            }
        };
        Given { whole, records, later }
    }
}

fn address(target: &Target) -> String {
    target.origins.receivers().into_iter().collect()
}

fn record(kind: ScanKind, id: &str, is: Option<bool>) -> Record {
    let is = is.map_or(Value::Unknown, Value::Bool);
    let id = || Value::string(id);
    match kind {
        ScanKind::Config => Record { values: [id(), is, Value::Unknown, Value::Unknown].into() },
        _ => Record { values: [id(), id(), is].into() },
    }
}

fn snapshot(
    target: &Target,
    kind: ScanKind,
    given: &Given,
    answer: Answer,
    (started_at, now): (Timestamp, Timestamp),
) -> Snapshot {
    let datasets = target.app.datasets_of(kind).map(|dataset| {
        let availability = match answer {
            Answer::Refused(cause) => Availability::Unavailable { fault: fault(cause, now) },
            Answer::Blocked(_) => Availability::Unavailable { fault: fault(FailureCause::Throttled, now) },
            Answer::Part => Availability::Partial { fault: fault(FailureCause::Remote, now) },
            _ => Availability::Complete,
        };
        let records = given.records.iter().map(|(id, is)| record(kind, id, *is)).collect();
        let snapshot = DatasetSnapshot {
            shape: dataset.shape.clone(),
            key: dataset.spec.key.clone(),
            records,
            availability,
            collected_at: now,
            request: format!("GET https://api.example.com/{}", dataset.spec.name),
            requests: 1,
        };
        (dataset.spec.name.clone(), snapshot)
    });
    Snapshot {
        app: target.app.id.clone(),
        revision: target.app.manifest.revision,
        kind,
        started_at,
        finished_at: now,
        datasets: datasets.collect(),
        warnings: Vec::new(),
        cost: Cost { requests: 1, ..Cost::default() },
    }
}

impl Collector for Vendors {
    fn run<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Credential,
        clock: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected> {
        let (address, kind) = (address(target), request.kind);
        Box::pin(async move {
            let started_at = clock.now();
            self.see(&address, Sight::Began { kind, now: started_at });
            let (answer, length) = self.plan(&self.tenancy(&address));
            for _ in 0..2 {
                clock.sleep(Duration(length.0 / 2)).await;
                for dataset in target.app.datasets_of(kind) {
                    progress.records(&dataset.spec.name, 1);
                }
            }
            let now = clock.now();
            let given = self.give(&self.tenancy(&address), kind, answer, now);
            self.see(&address, Sight::Gave(given.clone()));
            let blocked_until = given.later;
            match answer {
                Answer::Later(wait) => Collected::Waiting { until: now + wait, checkpoints: Vec::new() },
                // Past the hook that would print it: it is no news here.
                Answer::Panic => std::panic::resume_unwind(Box::new("as told")),
                _ => Collected::Done(Box::new(Done {
                    snapshot: snapshot(target, kind, &given, answer, (started_at, now)),
                    sweeps: BTreeMap::default(),
                    blocked_until,
                })),
            }
        })
    }

    fn authenticate<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let address = address(target);
        Box::pin(async move {
            self.see(&address, Sight::Tried { now: clock.now() });
            let tenancy = self.tenancy(&address);
            let (answer, length) = self.plan(&tenancy);
            clock.sleep(length.min(Duration::minutes(1))).await;
            match answer {
                Answer::Refused(cause) => Err(fault(cause, clock.now())),
                Answer::Later(_) | Answer::Blocked(_) => Err(fault(FailureCause::Throttled, clock.now())),
                _ => Ok(()),
            }
        })
    }

    fn preflight<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>> {
        let address = address(target);
        Box::pin(async move {
            self.see(&address, Sight::Tried { now: clock.now() });
            if self.tenancy(&address).revoked {
                return Err(fault(FailureCause::Credentials, clock.now()));
            }
            let readiness = |kind| Readiness { kind, ready: true, missing: Vec::new(), gaps: Vec::new() };
            Ok(Preflight {
                identity: identity(),
                readiness: vec![readiness(ScanKind::Config), readiness(ScanKind::Accounts)],
                excess: Vec::new(),
                warnings: Vec::new(),
                requests: 1,
            })
        })
    }
}

/// The dice of a mood that lasts.
pub(super) fn mood(dice: &mut Dice) -> Mood {
    dice.one_of(&MOODS)
}
