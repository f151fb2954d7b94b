//! The vendors: what is true at each, what mood it is in, and what it has told whom. They answer the connector engine's
//! own requests, one by one, in the place of a network.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collect::simulation::{Lost, Question, Told};
use collect::{Clock, Collected, Credential, Preflight, Progress, RunRequest, Target};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::diagnosis::Fault;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use serde_json::{Value as Json, json};

use super::time::Shared;
use crate::collector::{self, Collector};

/// Records of a page.
const PAGE: usize = 4;
/// Once in so many requests of a vendor that is [`Mood::Mad`] our own reading panics.
const PANICS: u64 = 60;

/// The longest that a run itself waits for a vendor.
const SHORTLY: Duration = Duration::minutes(1);

/// How a vendor behaves towards most requests; now and then each answers otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Everything is refused for this cause.
    Refusing(FailureCause),
    /// "Come back later", long, short, and without saying when.
    Throttling,
    /// "Come back in a minute", so that runs wait for it.
    Pausing,
    /// It answers after minutes, sometimes too late.
    Slow,
    /// It does not answer in time.
    Hanging,
    /// Lists end in the middle, with a fault.
    Partial,
    /// Lists are empty or short, and said to be whole.
    Lying,
    /// Fields are missing.
    Vague,
    /// Lists lead in a circle.
    Circling,
    /// Any of these, each time another.
    Mad,
}

pub(super) const MOODS: [Mood; 16] = [
    Mood::Well,
    Mood::Well,
    Mood::Refusing(FailureCause::Remote),
    Mood::Refusing(FailureCause::Protocol),
    Mood::Refusing(FailureCause::Permission),
    Mood::Refusing(FailureCause::Unreachable),
    Mood::Throttling,
    Mood::Pausing,
    Mood::Slow,
    Mood::Hanging,
    Mood::Partial,
    Mood::Lying,
    Mood::Vague,
    Mood::Circling,
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

/// A page of the list that a scan is about.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// The last record before it; `None`: the first page.
    pub(super) after: Option<String>,
    /// Id, and whether the door is locked or the person active; `None`: it was not said.
    pub(super) records: Vec<(String, Option<bool>)>,
    /// Said to be the last one.
    pub(super) last: bool,
}

impl Page {
    /// One that was asked for: whoever asks for what comes after has nothing after it.
    fn asked(after: Option<String>) -> Self {
        Self { after, records: Vec::new(), last: false }
    }
}

/// The list that a scan is about, and the last record that whoever asks has of it.
fn list_asked_for(question: &Question) -> Option<Option<String>> {
    let after =
        || question.url.query_pairs().find(|(name, _)| name == "after").map(|(_, id)| id.into_owned());
    matches!(question.url.path(), "/doors" | "/people").then(after)
}

/// What a vendor saw.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// A run began.
    Began { kind: ScanKind, now: Timestamp },
    /// The cheap authentication request, or a look at permissions.
    Tried { now: Timestamp },
    /// A request came.
    Asked { now: Timestamp },
    /// It was for a page, or was answered with one.
    Gave(Page),
    /// It was answered that nothing may come until then: by the clock of the node that was told, and truly.
    Later { until: Timestamp, truly: Timestamp },
}

/// What a request gets.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Whole,
    Refused(FailureCause),
    /// "Come back later", after so long if it is said.
    Later(Option<Duration>),
    Part,
    Empty,
    Short,
    Vague,
    Circle,
    Panic,
}

pub(super) struct Vendors {
    pub(super) shared: Arc<Shared>,
    /// The connector engine.
    engine: collector::Vendors,
    tenancies: Mutex<BTreeMap<String, Tenancy>>,
    /// Who saw what: the piece of work, the address.
    seen: Mutex<Vec<(u64, String, Sight)>>,
}

impl Vendors {
    /// They answer whatever this thread asks from now on.
    pub(super) fn new(shared: &Arc<Shared>, engine: collector::Vendors) -> Arc<Self> {
        let (shared, tenancies, seen) = (Arc::clone(shared), Mutex::default(), Mutex::default());
        let vendors = Arc::new(Self { shared, engine, tenancies, seen });
        let asked = Arc::downgrade(&vendors);
        collect::simulation::set_vendor(Some(Arc::new(move |question| {
            let vendors = asked.upgrade();
            Box::pin(async move { vendors.ok_or(Lost::Unreachable)?.answer(question).await })
        })));
        vendors
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

    /// What a request gets, and after how long.
    fn plan(&self, tenancy: &Tenancy) -> (Answer, Duration) {
        let mut dice = self.shared.dice();
        let quick = if dice.once_in(3) { dice.upto(Duration::seconds(20)) } else { Duration::ZERO };
        if tenancy.revoked {
            return (Answer::Refused(FailureCause::Credentials), quick);
        }
        let mut mood = tenancy.mood;
        if mood == Mood::Mad {
            mood = dice.one_of(&MOODS);
        }
        let answer = match mood {
            Mood::Pausing if dice.once_in(2) => Answer::Later(Some(dice.upto(SHORTLY))),
            Mood::Well | Mood::Pausing | Mood::Slow | Mood::Hanging | Mood::Mad => Answer::Whole,
            Mood::Refusing(cause) => Answer::Refused(cause),
            Mood::Throttling => match dice.roll(6) {
                0 => Answer::Later(None),
                1 => Answer::Later(Some(dice.upto(Duration::hours(4)))),
                2 => Answer::Later(Some(dice.upto(Duration::minutes(2)))),
                _ => Answer::Whole,
            },
            Mood::Partial => Answer::Part,
            Mood::Lying if dice.once_in(2) => Answer::Empty,
            Mood::Lying => Answer::Short,
            Mood::Vague => Answer::Vague,
            Mood::Circling => Answer::Circle,
        };
        let length = match mood {
            Mood::Slow => dice.upto(Duration::minutes(6)),
            Mood::Hanging => Duration::hours(1),
            _ => quick,
        };
        let panics = tenancy.mood == Mood::Mad && dice.once_in(PANICS);
        (if panics { Answer::Panic } else { answer }, length)
    }

    /// One request and its answer.
    async fn answer(&self, question: Question) -> Result<Told, Lost> {
        let address = question.url.origin().ascii_serialization();
        self.see(&address, Sight::Asked { now: self.shared.node_now() });
        let after = list_asked_for(&question);
        if let Some(after) = &after {
            self.see(&address, Sight::Gave(Page::asked(after.clone())));
        }
        let (answer, length) = self.plan(&self.tenancy(&address));
        let most = Duration::seconds(question.seconds.into());
        self.shared.sleep(length.min(most)).await;
        if length >= most {
            return Err(Lost::TimedOut);
        }
        match answer {
            // Past the hook that would print it: it is no news here.
            Answer::Panic => std::panic::resume_unwind(Box::new("as told")),
            Answer::Refused(cause) => self.refuse(cause),
            Answer::Later(wait) => {
                let mut told = says(StatusCode::TOO_MANY_REQUESTS, &json!({"error": "slower"}));
                if let Some(wait) = wait {
                    told.headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.0 / 1000));
                    let (until, truly) = (self.shared.node_now() + wait, self.shared.now() + wait);
                    self.see(&address, Sight::Later { until, truly });
                }
                Ok(told)
            }
            answer => self.give(&address, &question, after.flatten(), answer),
        }
    }

    fn refuse(&self, cause: FailureCause) -> Result<Told, Lost> {
        let error = json!({"error": "no"});
        Ok(match cause {
            FailureCause::Credentials => says(StatusCode::UNAUTHORIZED, &error),
            FailureCause::Permission => says(StatusCode::FORBIDDEN, &error),
            FailureCause::Unreachable if self.shared.dice().once_in(2) => return Err(Lost::BrokenOff),
            FailureCause::Unreachable => return Err(Lost::Unreachable),
            FailureCause::Protocol => match self.shared.dice().roll(3) {
                0 => says(StatusCode::OK, &json!({"error": "we are moving"})),
                1 => Told { body: b"{\"doors\": [".to_vec(), ..says(StatusCode::OK, &error) },
                _ => Told {
                    headers: kind("text/html"),
                    body: b"<!doctype html><title>Back soon</title>".to_vec(),
                    status: StatusCode::OK,
                },
            },
            _ => says(StatusCode::BAD_GATEWAY, &error),
        })
    }

    /// What is handed over, of what is true.
    fn give(
        &self,
        address: &str,
        question: &Question,
        after: Option<String>,
        answer: Answer,
    ) -> Result<Told, Lost> {
        let tenancy = self.tenancy(address);
        let (name, field, truth) = match question.url.path() {
            "/me" => return Ok(says(StatusCode::OK, &json!({"tenant": "t-1", "name": "Acme"}))),
            "/windows" => {
                return Ok(says(StatusCode::OK, &json!({"windows": [{"id": "w", "closed": true}]})));
            }
            "/doors" => ("doors", "locked", &tenancy.doors),
            "/people" => ("people", "active", &tenancy.people),
            other => panic!("nothing in the manifest asks for {other}"),
        };
        let mut left: Vec<(String, Option<bool>)> = truth
            .iter()
            .filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after))
            .map(|(id, is)| (id.clone(), Some(*is)))
            .collect();
        let mut dice = self.shared.dice();
        let mut last = left.len() <= PAGE;
        left.truncate(PAGE);
        let mut next = left.last().map(|(id, _)| id.clone());
        match answer {
            Answer::Part if after.is_some() => {
                drop(dice);
                return self.refuse(FailureCause::Remote);
            }
            Answer::Empty => {
                left.clear();
                last = true;
            }
            Answer::Short => {
                left.truncate(dice.index(PAGE + 1));
                last = true;
            }
            Answer::Vague => left.iter_mut().for_each(|(_, is)| *is = is.filter(|_| !dice.once_in(3))),
            Answer::Circle if after.is_some() => (next, last) = (after.clone(), false),
            _ => {}
        }
        drop(dice);
        let records: Vec<Json> = left
            .iter()
            .map(|(id, is)| match is {
                Some(is) => json!({"id": id, field: is}),
                None => json!({"id": id}),
            })
            .collect();
        let next = next.filter(|_| !last);
        self.see(address, Sight::Gave(Page { after, records: left, last }));
        Ok(says(StatusCode::OK, &json!({name: records, "next": next})))
    }
}

fn kind(mime: &'static str) -> HeaderMap {
    [(header::CONTENT_TYPE, HeaderValue::from_static(mime))].into_iter().collect()
}

fn says(status: StatusCode, json: &Json) -> Told {
    Told { status, headers: kind("application/json"), body: json.to_string().into_bytes() }
}

fn address(target: &Target) -> String {
    target.origins.receivers().into_iter().collect()
}

impl Collector for Vendors {
    fn run<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected> {
        Box::pin(async move {
            self.see(&address(target), Sight::Began { kind: request.kind, now: clock.now() });
            self.engine.run(target, credential, clock, request, progress).await
        })
    }

    fn authenticate<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.see(&address(target), Sight::Tried { now: clock.now() });
            self.engine.authenticate(target, credential, clock).await
        })
    }

    fn preflight<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>> {
        Box::pin(async move {
            self.see(&address(target), Sight::Tried { now: clock.now() });
            self.engine.preflight(target, credential, clock).await
        })
    }
}
