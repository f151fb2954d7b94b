//! One run's dealings with a vendor: each exchange with its retries, waits, budgets, and what it says about the credential.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use catalog::manifest::{Auth, AuthKind, Limits};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use model::dataset::Cost;
use model::diagnosis::{Fault, Rung, Warning};
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use secrecy::ExposeSecret;
use url::Url;

use crate::ask::{Answered, Ask, Failed, Halt, Reply, Who, label, request_id};
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::judge::{Means, Verdict, Yardstick, judge};
use crate::outbound::{Bounds, Call, Outbound};
use crate::pace::{Pace, Pool, SHORT_WAIT, UNTOLD_WAIT};
use crate::place::Places;
use crate::scrub::Scrubber;
use crate::shared::{Kept, Shared};
use crate::target::{Credential, Target};
use crate::watch::Watch;

/// Retries of one request.
const RETRIES: u32 = 3;
/// The first back-off; it doubles.
const BACK_OFF: Duration = Duration::seconds(1);
/// Redirects followed for one request.
const REDIRECTS: u32 = 3;

/// The state of one run.
pub(crate) struct Session<'a> {
    pub(crate) outbound: &'a Outbound,
    pub(crate) target: &'a Target,
    pub(crate) credential: &'a Credential,
    pub(crate) auth: &'a Auth,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) scrub: Scrubber,
    pub(crate) pace: Pace,
    pub(crate) watch: Watch,
    pub(crate) deadline: Timestamp,
    pub(crate) authenticator: Authenticator,
    pub(crate) shared: Shared,
    limits: &'a Limits,
    requests_left: AtomicU32,
    requests: AtomicU32,
    retries: AtomicU32,
    run_bytes: AtomicU64,
    by_dataset: Mutex<BTreeMap<String, u32>>,
}

impl<'a> Session<'a> {
    /// Begins a run.
    ///
    /// # Errors
    /// The application has no such way to authenticate.
    pub(crate) fn new(
        outbound: &'a Outbound,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
        deadline: Timestamp,
        blocked_until: Option<Timestamp>,
    ) -> Result<Self, Box<Fault>> {
        let manifest = &target.app.manifest;
        let Some(auth) = target.app.auth(&credential.auth) else {
            return Err(Box::new(Fault::local(
                FailureCause::Internal,
                Rung::NotSent,
                format!("{} has no way to authenticate called `{}`", manifest.name, credential.auth),
                clock.now(),
            )));
        };
        let scrub = Scrubber::default();
        Authenticator::teach(&scrub, auth, credential);
        let limits = &manifest.limits;
        let watch = Watch::default();
        watch.note_expiry(Authenticator::ends(auth, credential));
        Ok(Self {
            outbound,
            target,
            credential,
            auth,
            clock,
            scrub,
            pace: Pace::new(&manifest.throttle, blocked_until, credential.back_off.clone()),
            watch,
            deadline,
            authenticator: Authenticator::default(),
            shared: Shared::default(),
            limits,
            requests_left: AtomicU32::new(limits.requests),
            requests: AtomicU32::new(0),
            retries: AtomicU32::new(0),
            run_bytes: AtomicU64::new(u64::from(limits.run_mib) << 20),
            by_dataset: Mutex::default(),
        })
    }

    /// The fields of the credential that are not secret, for paths that name them.
    pub(crate) fn public(&self) -> Places {
        let fields = self.auth.kind.fields();
        let public = fields.iter().filter(|f| !f.secret).filter_map(|f| {
            let value = self.credential.values.get(f.name)?.expose_secret().trim();
            (!value.is_empty()).then(|| (f.name, value.to_owned()))
        });
        public.fold(Places::default(), |places, (name, value)| places.with(name, value))
    }

    /// What the run has spent.
    pub(crate) fn cost(&self) -> Cost {
        Cost {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            bytes: (u64::from(self.limits.run_mib) << 20) - self.run_bytes.load(Ordering::Relaxed),
            throttled_ms: self.pace.throttled_ms(),
        }
    }

    /// Requests sent for a dataset.
    pub(crate) fn requests_of(&self, dataset: &str) -> u32 {
        let by = self.by_dataset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        by.get(dataset).copied().unwrap_or(0)
    }

    /// What is not broken yet.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let now = self.clock.now();
        let mut warnings = self.watch.warnings(now);
        warnings.extend(self.target.versions_that_end(now));
        warnings.extend(self.pace.warning());
        warnings
    }

    /// Makes a request that buys a token, with headers of its own, within the turn of the request that needs it.
    pub(crate) async fn buy(&self, ask: &Ask<'_>, headers: HeaderMap) -> Result<Box<Reply>, Halt> {
        let fault = self.fault(ask, FailureCause::Protocol, Rung::Http, "The answer holds no token");
        match self.exchange_as(ask, Who::Given(headers), None, &mut None).await? {
            Answered::Value(reply) => Ok(reply),
            Answered::Absent | Answered::NotModified => Err(Halt::Fault(fault)),
        }
    }

    /// Makes a request, or judges the answer that another has `given`; a usable one that others want is `kept`.
    pub(crate) async fn exchange_as(
        &self,
        ask: &Ask<'_>,
        who: Who,
        mut given: Option<Kept>,
        kept: &mut Option<Kept>,
    ) -> Result<Answered, Halt> {
        let mut url = given.as_ref().map_or_else(|| ask.url.clone(), |given| given.url.clone());
        let pool = if ask.graphql.is_some() { Pool::Graphql } else { Pool::Rest };
        let (mut tries, mut throttled, mut redirects, mut renewed) = (0, 0, 0, false);
        // Kept over the retries until anything has answered: the others need not find out for themselves.
        let mut turn = None;
        let mut last = None;
        loop {
            let sent = given.is_none();
            let (answer, generation) = match given.take() {
                Some(given) => (Ok(given.answer), None),
                None => {
                    self.ready(ask, pool).await.map_err(|halt| self.rather(halt, last.take()))?;
                    if turn.is_none() && matches!(who, Who::Credential) {
                        turn = self.pace.turn().await;
                    }
                    // While this one waited for its turn, another may have learnt that there is no point.
                    self.ready(ask, pool).await?;
                    let (headers, generation) = match &who {
                        Who::Credential => {
                            Box::pin(self.authenticator.headers(self, &ask.about, &url)).await?
                        }
                        Who::Given(headers) => (headers.clone(), None),
                    };
                    self.pace.slot(self.clock, ask.about.cost).await;
                    // Nor while it waited for its slot: what another was told meanwhile holds for this one too.
                    self.ready(ask, pool).await.map_err(|halt| self.rather(halt, last.take()))?;
                    (self.send(ask, &url, headers).await, generation)
                }
            };
            if answer.is_ok() {
                self.pace.open();
            }
            if self.pace.is_open() {
                turn = None;
            }
            let answer = match answer {
                Ok(answer) => answer,
                Err(Failed::Spent(fault)) => return Err(Halt::Fault(fault)),
                Err(Failed::Net(error)) if error.again && tries < RETRIES => {
                    last = Some(self.fault(ask, error.cause, error.reached, error.detail));
                    self.back_off(&mut tries).await;
                    continue;
                }
                Err(Failed::Net(error)) => return Err(Halt::Fault(self.unanswered(ask, error))),
            };
            let now = self.clock.now();
            if sent {
                self.pace.learn(pool, &answer.headers, now);
                self.watch.learn(self, ask, &answer.headers);
            }
            let (status, headers) = (answer.status, answer.headers.clone());
            let yardstick = Yardstick {
                rules: ask.rules,
                graphql: ask.graphql,
                buys_token: matches!(who, Who::Given(_)),
                conditional: ask.etag.is_some(),
                limited: self.pace.says_limited(&headers),
                memory: (u64::from(self.limits.answer_mib) << 20) * crate::weight::MOST,
            };
            let copy = (ask.readers > 1).then(|| Kept { answer: answer.clone(), url: url.clone() });
            let Verdict { meaning, vendor_message } = judge(&yardstick, &url, answer, &self.scrub);
            let told = |mut fault: Box<Fault>| {
                fault.status = Some(status.as_u16());
                fault.request_id = request_id(&headers).map(|id| self.scrub.message(&id));
                fault.vendor_message.clone_from(&vendor_message);
                fault
            };
            // A refusal may only mean that what was bought has ended, also where a rule takes 401 for something else.
            let ended = match meaning {
                Means::Credentials(_) => true,
                Means::Permission(_) => status == StatusCode::UNAUTHORIZED,
                _ => false,
            };
            if let Some(generation) = generation.filter(|_| ended && !renewed) {
                renewed = true;
                self.authenticator.expire(generation).await;
                continue;
            }
            match meaning {
                Means::Value(json) => {
                    self.accepted(&who);
                    *kept = copy;
                    return Ok(Answered::Value(Box::new(Reply { json, headers, url })));
                }
                Means::Absent => {
                    self.accepted(&who);
                    return Ok(Answered::Absent);
                }
                Means::NotModified => {
                    self.accepted(&who);
                    return Ok(Answered::NotModified);
                }
                Means::NotApplicable(reason) => {
                    self.accepted(&who);
                    return Err(Halt::NotApplicable(reason));
                }
                Means::Redirect(to) if redirects < REDIRECTS && ask.method == Method::GET => {
                    redirects += 1;
                    url = to;
                }
                Means::Redirect(_) => {
                    let detail = "The answer redirects too often, or redirects a query";
                    return Err(Halt::Fault(told(self.fault(
                        ask,
                        FailureCause::Protocol,
                        Rung::Http,
                        detail,
                    ))));
                }
                Means::Retry if tries < RETRIES => {
                    let detail = "The vendor answered with a server error";
                    last = Some(told(self.fault(ask, FailureCause::Remote, Rung::Http, detail)));
                    self.back_off(&mut tries).await;
                }
                Means::Retry => {
                    let detail = format!("The vendor answered {} times with a server error", tries + 1);
                    let fault = told(self.fault(ask, FailureCause::Remote, Rung::Http, detail));
                    self.watch.failed(&ask.url, &fault);
                    return Err(Halt::Fault(fault));
                }
                Means::Throttled => {
                    let asked = self.pace.asked(pool, &headers, now);
                    self.throttle(ask, pool, asked, &mut throttled, &told).await?;
                }
                // The account has just signed in, so that it is not the account that is refused.
                Means::Credentials(reason)
                    if renewed && matches!(self.auth.kind, AuthKind::Session { .. }) =>
                {
                    let detail = reason.unwrap_or_else(|| {
                        "The vendor accepts the sign-in but does not let this account read this".to_owned()
                    });
                    return Err(Halt::Fault(told(self.withheld(ask, &who, detail))));
                }
                Means::Credentials(reason) => {
                    let fault = told(self.refused(ask, &headers, reason));
                    // Noted with the vendor's words: it is told of every request that is not sent because of it.
                    if fault.cause == FailureCause::Credentials {
                        self.watch.refused(&fault, matches!(who, Who::Given(_)));
                    }
                    return Err(Halt::Fault(fault));
                }
                Means::Permission(reason) => {
                    let detail = reason.unwrap_or_else(|| {
                        "The vendor accepts the credential but does not let it read this".to_owned()
                    });
                    return Err(Halt::Fault(told(self.withheld(ask, &who, detail))));
                }
                Means::Page(detail) => {
                    return Err(Halt::Fault(told(self.fault(
                        ask,
                        FailureCause::Protocol,
                        Rung::Http,
                        detail,
                    ))));
                }
                Means::Protocol(detail) => {
                    let reached = if status.is_success() { Rung::Permission } else { Rung::Http };
                    return Err(Halt::Fault(told(self.fault(ask, FailureCause::Protocol, reached, detail))));
                }
            }
        }
    }

    /// Waits while the vendor wants that, for a short time. Nothing is sent after the deadline, nor where this run has
    /// learnt that it is in vain.
    async fn ready(&self, ask: &Ask<'_>, pool: Pool) -> Result<(), Halt> {
        loop {
            if let Some(mut fault) = self.watch.in_vain(&ask.url) {
                fault.dataset.clone_from(&ask.about.dataset);
                return Err(Halt::Fault(fault));
            }
            let now = self.clock.now();
            if now >= self.deadline {
                let detail = "The run's deadline passed before this was read";
                return Err(Halt::Fault(self.fault(ask, FailureCause::Throttled, Rung::NotSent, detail)));
            }
            let Some(until) = self.pace.blocked(pool, now) else { return Ok(()) };
            let wait = until - now;
            if wait > SHORT_WAIT || until >= self.deadline {
                return Err(self.long_wait(ask, until));
            }
            self.pace.waits(now, until);
            self.clock.sleep(wait).await;
        }
    }

    /// Where the time ran out over retries, what they met says more than that.
    fn rather(&self, halt: Halt, last: Option<Box<Fault>>) -> Halt {
        match (halt, last) {
            (Halt::Fault(_), Some(last)) if self.clock.now() >= self.deadline => Halt::Fault(last),
            (halt, _) => halt,
        }
    }

    fn long_wait(&self, ask: &Ask<'_>, until: Timestamp) -> Halt {
        if until < self.deadline {
            return Halt::Wait(until);
        }
        let detail =
            format!("The vendor's rate limit lasts until {until}, which is after the run's deadline");
        Halt::Fault(self.fault(ask, FailureCause::Throttled, Rung::Authenticated, detail))
    }

    async fn throttle(
        &self,
        ask: &Ask<'_>,
        pool: Pool,
        asked: Option<(Timestamp, Vec<Pool>)>,
        throttled: &mut u32,
        told: &(dyn Fn(Box<Fault>) -> Box<Fault> + Sync),
    ) -> Result<(), Halt> {
        let now = self.clock.now();
        let patient = *throttled < RETRIES;
        *throttled += 1;
        let (until, pools) = match asked {
            // "Now" has been tried; a limit that still holds is not over.
            Some((until, pools)) if until > now || patient => (until.max(now + BACK_OFF), pools),
            None if patient => {
                let wait = Duration(BACK_OFF.0 << *throttled);
                (now + wait + self.clock.jitter(wait), vec![pool])
            }
            _ => (now + UNTOLD_WAIT, vec![pool]),
        };
        // However short the vendor says, a limit that holds for so many requests in a row is a long one.
        let until = if patient { until } else { until.max(now + UNTOLD_WAIT) };
        self.pace.block(&pools, until, now);
        if until - now <= SHORT_WAIT && until < self.deadline {
            self.retries.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        Err(match self.long_wait(ask, until) {
            Halt::Fault(fault) => Halt::Fault(told(fault)),
            other => other,
        })
    }

    async fn back_off(&self, tries: &mut u32) {
        let base = Duration(BACK_OFF.0 << *tries);
        *tries += 1;
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.clock.sleep(base + self.clock.jitter(base)).await;
    }

    async fn send(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        credential: HeaderMap,
    ) -> Result<crate::outbound::Answer, Failed> {
        let spent = self
            .requests_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_err();
        if spent {
            let detail = format!(
                "The run's budget of {} requests is used up (`limits.requests` of the application)",
                self.limits.requests
            );
            return Err(Failed::Spent(self.fault(ask, FailureCause::Internal, Rung::NotSent, detail)));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(dataset) = &ask.about.dataset {
            let mut by = self.by_dataset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *by.entry(dataset.clone()).or_default() += 1;
        }
        let mut headers = ask.headers.clone();
        if let Some(etag) = ask.etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert(http::header::IF_NONE_MATCH, etag);
        }
        if !headers.contains_key(http::header::ACCEPT) {
            headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        headers.extend(credential);
        let bounds = Bounds {
            answer_bytes: u64::from(self.limits.answer_mib) << 20,
            run_bytes: &self.run_bytes,
            seconds: self.limits.request_seconds,
        };
        tracing::debug!(request = %self.scrub.clean(&label(&ask.method, url)), "asking");
        let call = Call { method: ask.method.clone(), url: url.clone(), headers, body: ask.body.clone() };
        self.outbound.send(call, &bounds).await.map_err(Failed::Net)
    }

    /// The vendor knew the credential in this answer.
    pub(crate) fn accepted(&self, who: &Who) {
        if matches!(who, Who::Credential) {
            self.watch.accepted();
        }
    }
}
