//! Vendors that do as told, and a clock that is moved by hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use collect::{Clock, Collected, Credential, Done, Preflight, Progress, RunRequest, Target};
use futures_util::future::BoxFuture;
use model::credential::{Identity, Readiness};
use model::dataset::{Availability, Cost, DatasetSnapshot, Snapshot};
use model::diagnosis::{Fault, Rung, Warning};
use model::entropy::Entropy;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use tokio::sync::{Notify, watch};

use crate::collector::Collector;

/// 2026-03-02T09:00:00Z.
pub(super) const START: Timestamp = Timestamp(1_772_442_000_000);

/// Stands still until it is moved.
pub(super) struct HandClock {
    now: AtomicI64,
    moved: watch::Sender<()>,
    meanwhile: Mutex<Box<dyn FnMut() + Send>>,
}

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        let meanwhile = Mutex::new(Box::new(|| {}) as Box<dyn FnMut() + Send>);
        Arc::new(Self { now: AtomicI64::new(START.0), moved: watch::Sender::new(()), meanwhile })
    }

    /// What happens between a run's judging and its storing.
    pub(super) fn as_a_run_is_stored(&self, meanwhile: impl FnMut() + Send + 'static) {
        *self.meanwhile.lock().expect("no panic holds it") = Box::new(meanwhile);
    }

    pub(super) fn advance(&self, by: Duration) {
        self.now.fetch_add(by.0, Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        let until = self.now() + length;
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            while self.now() < until {
                moved.changed().await.expect("the clock outlives its sleepers");
            }
        })
    }

    // The spread of the next start is drawn when a run is stored.
    fn jitter(&self, _: Duration) -> Duration {
        self.meanwhile.lock().expect("no panic holds it")();
        Duration::ZERO
    }
}

/// Counts upwards: ids differ, and a test repeats itself exactly.
#[derive(Default)]
pub(super) struct Counting(AtomicU32);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            let n = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }
}

/// What the vendor answers to a run.
#[derive(Clone)]
pub(super) enum Answer {
    /// Everything is read; the doors of this list stand open.
    Open(&'static [&'static str]),
    /// Nothing is read, for this cause.
    Refused(FailureCause),
    /// Everything is read: so many doors, all locked.
    Doors(u32),
    /// Nothing is read, for want of this permission.
    Lacking(&'static str),
    /// "Come back then."
    Later(Duration),
    /// "Come back after so long"; the run does not end by that, and then is answered the other.
    Told(Duration, Box<Answer>),
    /// The run stays under way until the test lets it go on, then answers the other.
    Gated(Arc<Notify>, Box<Answer>),
    /// Everything is read, and the credential is told to expire then.
    Expiring(Timestamp),
    /// Our own fault.
    Panic,
}

/// The vendors.
pub(super) struct Fake {
    /// What the next runs are answered; the last one stays.
    pub(super) answers: Mutex<VecDeque<Answer>>,
    /// Whether the cheap authentication request is accepted.
    pub(super) accepts: Mutex<Result<(), FailureCause>>,
    /// "Come back after so long", as the cheap request and preflight are told.
    pub(super) asks: Mutex<Option<Duration>>,
    /// What preflight finds missing for the accounts scan.
    pub(super) missing: Mutex<Vec<String>>,
    /// Runs that were begun, with what they were given to resume.
    pub(super) runs: Mutex<Vec<(ScanKind, usize)>>,
    /// Cheap authentication requests.
    pub(super) tries: AtomicU32,
    /// Preflights.
    pub(super) preflights: AtomicU32,
    /// The pauses that were asked for, by address: when, until when.
    paused: Mutex<BTreeMap<String, (Timestamp, Timestamp)>>,
    /// Runs that began inside a pause, though it was asked for before. Must stay empty.
    pub(super) trespasses: Mutex<Vec<String>>,
    /// Who is in the vault at an address, and whether active; nobody told: Ada everywhere.
    pub(super) people: Mutex<BTreeMap<String, Vec<(&'static str, bool)>>>,
    /// Addresses that answer nothing.
    pub(super) down: Mutex<BTreeSet<String>>,
    /// Wakes a test when a run begins.
    pub(super) begun: Notify,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            answers: Mutex::new([Answer::Open(&[])].into()),
            accepts: Mutex::new(Ok(())),
            asks: Mutex::default(),
            missing: Mutex::default(),
            runs: Mutex::default(),
            tries: AtomicU32::default(),
            preflights: AtomicU32::default(),
            paused: Mutex::default(),
            trespasses: Mutex::default(),
            people: Mutex::default(),
            down: Mutex::default(),
            begun: Notify::new(),
        }
    }
}

impl Fake {
    /// From now on.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.answers.lock().expect("no panic holds it") = answers.into_iter().collect();
    }

    fn tell(&self, credential: &Credential, clock: &dyn Clock) {
        if let Some(wait) = *self.asks.lock().expect("no panic holds it") {
            credential.back_off.told(clock.now() + wait, clock.now());
        }
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock().expect("no panic holds it");
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.expect("at least one")
    }

    /// Who is in the vault of this name from now on.
    pub(super) fn staff(&self, name: &str, people: &[(&'static str, bool)]) {
        self.people.lock().expect("no panic holds it").insert(address(name), people.to_vec());
    }

    fn people(&self, address: &str) -> Vec<Record> {
        let all = self.people.lock().expect("no panic holds it");
        let people = all.get(address).map_or(&[("ada@example.com", true)][..], Vec::as_slice);
        let person = |(name, active): &(&str, bool)| Record {
            values: [text(name), text(name), Value::Bool(*active)].into(),
        };
        people.iter().map(person).collect()
    }

    /// Whether the vault of this name answers from now on.
    pub(super) fn answers(&self, name: &str, answers: bool) {
        let mut down = self.down.lock().expect("no panic holds it");
        if answers {
            down.remove(&address(name))
        } else {
            down.insert(address(name))
        };
    }

    pub(super) fn begun(&self) -> Vec<ScanKind> {
        self.runs.lock().expect("no panic holds it").iter().map(|(kind, _)| *kind).collect()
    }
}

pub(super) fn fault(cause: FailureCause, at: Timestamp) -> Fault {
    Fault {
        cause,
        reached: Rung::Http,
        dataset: None,
        request: Some("GET https://api.example.com/".into()),
        status: (cause == FailureCause::Credentials).then_some(401),
        vendor_message: None,
        request_id: None,
        needs: Vec::new(),
        detail: "Vault refused".into(),
        at,
    }
}

impl Collector for Fake {
    fn run<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected> {
        self.runs.lock().expect("no panic holds it").push((request.kind, request.resume.len()));
        self.begun.notify_one();
        let mut answer = self.next();
        let address = target.origins.receivers().into_iter().collect::<String>();
        if self.down.lock().expect("no panic holds it").contains(&address) {
            answer = Answer::Refused(FailureCause::Remote);
        }
        let mut paused = self.paused.lock().expect("no panic holds it");
        let now = clock.now();
        // Two scans that begin in the same instant cannot know of each other's pause.
        if let Some((_, until)) = paused.get(&address).filter(|(asked, until)| *asked != now && now < *until)
        {
            let told = format!("{} at {now}, inside the pause of {address} until {until}", request.kind);
            self.trespasses.lock().expect("no panic holds it").push(told);
        }
        if let Answer::Later(wait) = &answer {
            paused.insert(address.clone(), (now, now + *wait));
        }
        drop(paused);
        Box::pin(async move {
            let started_at = clock.now();
            if let Answer::Told(wait, then) = answer {
                credential.back_off.told(started_at + wait, started_at);
                answer = *then;
            }
            if let Answer::Gated(gate, then) = answer {
                gate.notified().await;
                answer = *then;
            }
            let now = clock.now();
            let mut warnings = Vec::new();
            if let Answer::Expiring(at) = answer {
                warnings.push(Warning::CredentialExpires { at });
                answer = Answer::Open(&[]);
            }
            let datasets = target.app.datasets_of(request.kind).map(|dataset| {
                let records = match (&answer, request.kind) {
                    (Answer::Open(open), ScanKind::Config) => {
                        ["back", "front"].iter().map(|id| door(id, !open.contains(id))).collect()
                    }
                    (Answer::Doors(n), ScanKind::Config) => {
                        (0..*n).map(|n| door(&format!("d{n}"), true)).collect()
                    }
                    (Answer::Open(_) | Answer::Doors(_), _) => self.people(&address),
                    _ => Vec::new(),
                };
                let availability = match &answer {
                    Answer::Refused(cause) => Availability::Unavailable { fault: fault(*cause, now) },
                    Answer::Lacking(permission) => {
                        let needs = vec![(*permission).to_owned()];
                        let fault = Fault { needs, ..fault(FailureCause::Permission, now) };
                        Availability::Unavailable { fault }
                    }
                    _ => Availability::Complete,
                };
                let snapshot = DatasetSnapshot {
                    shape: dataset.shape.clone(),
                    key: dataset.spec.key.clone(),
                    records,
                    availability,
                    collected_at: now,
                    request: format!("GET https://api.example.com/{}", dataset.spec.name),
                    requests: 1,
                };
                progress.dataset(&dataset.spec.name, collect::DatasetState::Read);
                (dataset.spec.name.clone(), snapshot)
            });
            match answer {
                Answer::Later(wait) => Collected::Waiting { until: now + wait, checkpoints: Vec::new() },
                Answer::Panic => panic!("as told"),
                _ => Collected::Done(Box::new(Done {
                    snapshot: Snapshot {
                        app: target.app.id.clone(),
                        revision: target.app.manifest.revision,
                        kind: request.kind,
                        started_at,
                        finished_at: now,
                        datasets: datasets.collect(),
                        warnings,
                        cost: Cost { requests: 1, ..Cost::default() },
                    },
                    sweeps: Default::default(),
                    blocked_until: None,
                })),
            }
        })
    }

    fn authenticate<'a>(
        &'a self,
        _: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        self.tell(credential, clock);
        self.tries.fetch_add(1, Ordering::SeqCst);
        let accepts = *self.accepts.lock().expect("no panic holds it");
        Box::pin(async move { accepts.map_err(|cause| fault(cause, clock.now())) })
    }

    fn preflight<'a>(
        &'a self,
        _: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>> {
        self.tell(credential, clock);
        self.preflights.fetch_add(1, Ordering::SeqCst);
        let missing = self.missing.lock().expect("no panic holds it").clone();
        let readiness =
            |kind, missing: Vec<String>| Readiness { kind, ready: missing.is_empty(), missing, gaps: vec![] };
        let found = Preflight {
            identity: identity(),
            readiness: vec![readiness(ScanKind::Config, vec![]), readiness(ScanKind::Accounts, missing)],
            excess: Vec::new(),
            warnings: Vec::new(),
            requests: 1,
        };
        Box::pin(async move { Ok(found) })
    }
}

pub(super) fn identity() -> Identity {
    Identity {
        tenant_uid: "t-1".into(),
        tenant_name: "Acme".into(),
        subject: "parapet".into(),
        granted: None,
        expires_at: None,
    }
}

/// Each vault is at an address of its own.
pub(super) fn address(name: &str) -> String {
    format!("https://{}.example.com", name.to_lowercase())
}

fn text(s: &str) -> Value {
    Value::string(s)
}

/// Since when it is locked or open nobody tells.
fn door(id: &str, locked: bool) -> Record {
    Record { values: [text(id), Value::Bool(locked), Value::Unknown, Value::Unknown].into() }
}
