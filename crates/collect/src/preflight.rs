//! Verifying a credential before it is saved: which tenant, as whom, until when, and which scans it can run.

use std::collections::{BTreeMap, BTreeSet};

use catalog::DatasetSpec;
use catalog::manifest::Read as ReadAt;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use model::credential::{Identity, Readiness};
use model::diagnosis::{Fault, Rung, Warning};
use model::scan::{FailureCause, ScanKind};
use model::time::Timestamp;
use serde_json::Value as Json;

use crate::answer::scalar;
use crate::ask::{About, Answered, Ask, Halt};
use crate::clock::Clock;
use crate::dataset::{offered, refusal};
use crate::fanout::{Sources, alternatives};
use crate::listing::{End, Lister};
use crate::outbound::Outbound;
use crate::path::{Found, Path};
use crate::patience::opened;
use crate::place::address;
use crate::progress::Quiet;
use crate::session::Session;
use crate::sink::Sink;
use crate::target::{Credential, Target};
use crate::watch::instant;

/// Stands for the origin in a manifest's `tenant_uid` and `tenant_name`.
const ORIGIN: &str = "@origin";

/// What a credential turned out to be good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Which tenant, as whom.
    pub identity: Identity,
    /// Each supported scan, whether it can run.
    pub readiness: Vec<Readiness>,
    /// Granted permissions that nothing here needs.
    pub excess: Vec<String>,
    /// What is not broken yet (an expiry, a deprecation).
    pub warnings: Vec<Warning>,
    /// Requests it took.
    pub requests: u32,
}

/// See [`crate::authenticate`].
pub(crate) async fn authenticate(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
) -> Result<(), Fault> {
    let session = opened(outbound, target, credential, clock).map_err(|f| *f)?;
    identify(&session).await.map(|_| ()).map_err(|halt| plain(halt, &session))
}

/// See [`crate::preflight()`].
pub(crate) async fn preflight(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
) -> Result<Preflight, Fault> {
    let session = opened(outbound, target, credential, clock).map_err(|f| *f)?;
    match check(&session).await {
        Ok(preflight) => Ok(preflight),
        Err(halt) => Err(plain(halt, &session)),
    }
}

/// What a look at the way to an application found, without a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// Which tenant, as whom; `None` when the vendor did not come to accept the credential.
    pub preflight: Option<Preflight>,
    /// What ended it before any scan could be looked at.
    pub fault: Option<Fault>,
    /// Each scan that was asked about, in that order.
    pub scans: Vec<Tried>,
    /// Requests it took.
    pub requests: u32,
}

/// Whether a scan could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The scan.
    pub kind: ScanKind,
    /// The required dataset whose first page was read; `None` where it could not come to that.
    pub dataset: Option<String>,
    /// What it could not climb; `None`: everything held.
    pub fault: Option<Fault>,
}

/// See [`crate::checkup()`].
pub(crate) async fn checkup(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    kinds: &[ScanKind],
) -> Checkup {
    let nothing = |fault| Checkup { preflight: None, fault: Some(fault), scans: Vec::new(), requests: 0 };
    let session = match opened(outbound, target, credential, clock) {
        Ok(session) => session,
        Err(fault) => return nothing(*fault),
    };
    let preflight = match check(&session).await {
        Ok(preflight) => preflight,
        Err(halt) => {
            return Checkup { requests: session.cost().requests, ..nothing(plain(halt, &session)) };
        }
    };
    let mut scans = Vec::new();
    for kind in kinds {
        let lacking = preflight.readiness.iter().find(|r| r.kind == *kind && !r.ready);
        scans.push(match lacking {
            Some(lacking) => Tried { kind: *kind, dataset: None, fault: Some(lacks(&session, lacking)) },
            None => read_first(&session, *kind).await,
        });
    }
    Checkup { preflight: Some(preflight), fault: None, scans, requests: session.cost().requests }
}

fn lacks(session: &Session<'_>, lacking: &Readiness) -> Fault {
    let detail = format!("The credential lacks what the {} needs", lacking.kind.title());
    let fault = Fault::local(FailureCause::Permission, Rung::Authenticated, detail, session.clock.now());
    Fault { needs: lacking.missing.clone(), ..fault }
}

/// Reads the first page of the first required dataset of a scan that can be read without another.
async fn read_first(session: &Session<'_>, kind: ScanKind) -> Tried {
    let mut required = offered(session).filter(|d| d.spec.required.contains(&kind));
    let first = required.find_map(|dataset| {
        let request = dataset.requests.iter().position(|r| r.spec.for_each.is_none())?;
        Some((dataset, request))
    });
    let Some((dataset, request)) = first else { return Tried { kind, dataset: None, fault: None } };
    let sink = Sink::new(&Quiet, session.clock, &dataset.spec.name, 0, 0, false);
    let read = Lister::new(session, dataset, &sink, &Sources::new(), None).first_page(request).await;
    let fault = match read.end {
        End::Fault(fault) => Some(*fault),
        End::Wait(until) => Some(plain(Halt::Wait(until), session)),
        _ => None,
    };
    Tried { kind, dataset: Some(dataset.spec.title.clone()), fault }
}

async fn check(session: &Session<'_>) -> Result<Preflight, Halt> {
    let (tenant_uid, tenant_name) = identify(session).await?;
    let subject = match &session.auth.subject {
        None => String::new(),
        Some(read) => match value(session, read).await? {
            Some(found) => scalar(&found).unwrap_or_default(),
            None => String::new(),
        },
    };
    if session.auth.granted.as_ref().is_some_and(|g| g.claim.is_some()) {
        session.authenticator.buy_all(session).await?;
    }
    note_sold(session);
    note_read(session).await?;
    if session.watch.expires_at().is_none() {
        session.watch.note_expiry(expiry(session).await?);
    }
    let expires_at = session.watch.expires_at();
    let granted = session.watch.granted();
    let lacking = match &granted {
        Some(granted) => by_grants(session, granted),
        None => by_probes(session).await?,
    };
    let readiness =
        session.target.app.supported().into_iter().map(|kind| ready(session, kind, &lacking)).collect();
    let excess = granted.as_deref().map(|granted| excess(session, granted)).unwrap_or_default();
    Ok(Preflight {
        identity: Identity { tenant_uid, tenant_name, subject, granted, expires_at },
        readiness,
        excess,
        warnings: session.warnings(),
        requests: session.cost().requests,
    })
}

/// Which tenant the credential belongs to: id and name.
async fn identify(session: &Session<'_>) -> Result<(String, String), Halt> {
    let read = &session.target.app.manifest.identity;
    let ask = ask(session, &read.host, &read.path)?;
    let origin = session.target.origins.get(&read.host).map(|u| u.origin().ascii_serialization());
    let reply = match session.exchange(&ask).await? {
        Answered::Value(reply) => reply,
        Answered::Absent | Answered::NotModified => {
            let detail = "The answer does not say which tenant this is";
            return Err(Halt::Fault(session.fault(&ask, FailureCause::Protocol, Rung::Permission, detail)));
        }
    };
    let part = |at: &str| match at {
        ORIGIN => origin.clone(),
        at => match Path::new(at).get(&reply.json) {
            Found::Value(json) if !json.is_null() => scalar(json).filter(|text| !text.is_empty()),
            _ => None,
        },
    };
    let missing = |at: &str| {
        let detail = format!("The answer does not say which tenant this is: `{at}` is missing");
        Halt::Fault(session.fault(&ask, FailureCause::Protocol, Rung::Permission, detail))
    };
    let uid = part(&read.tenant_uid).ok_or_else(|| missing(&read.tenant_uid))?;
    let name = part(&read.tenant_name).unwrap_or_else(|| uid.clone());
    Ok((uid, name))
}

/// At the end of a run: reads again what is told by requests of their own, that what shrinks or ends is seen between two
/// verifications. What cannot be read says nothing, neither good nor bad; the datasets have told what is wrong.
pub(crate) async fn look_ahead(session: &Session<'_>, known: Option<&Identity>) {
    // A credential that was not accepted is not tried once more.
    if !session.watch.is_known() {
        return;
    }
    if session.watch.expires_at().is_none() {
        match expiry(session).await {
            Ok(at) => session.watch.note_expiry(at),
            Err(halt) => unread("the end of the credential", session, halt),
        }
    }
    if known.is_some_and(|known| known.granted.is_some())
        && let Err(halt) = note_read(session).await
    {
        unread("what the credential may do", session, halt);
    }
}

fn unread(what: &str, session: &Session<'_>, halt: Halt) {
    tracing::debug!(what, detail = plain(halt, session).detail, "could not be read this time");
}

/// Notes the permissions that a request of its own tells.
async fn note_read(session: &Session<'_>) -> Result<(), Halt> {
    if let Some(read) = session.auth.granted.as_ref().and_then(|g| g.read.as_ref())
        && read.path.is_some()
        && let Some(found) = value(session, read).await?
    {
        session.watch.note_granted(permissions(&found));
    }
    Ok(())
}

/// When the credential ends, where a request of its own tells.
async fn expiry(session: &Session<'_>) -> Result<Option<Timestamp>, Halt> {
    let Some(told) = &session.auth.expiry else { return Ok(None) };
    let Some(read) = &told.read else { return Ok(None) };
    let Some(found) = value(session, read).await? else { return Ok(None) };
    let Some(each) = &told.each else { return Ok(scalar(&found).as_deref().and_then(when)) };
    let Json::Array(entries) = found else { return Ok(None) };
    let (each, hint) = (Path::new(each), told.hint.as_deref().map(Path::new));
    let ours = |entry: &&Json| match hint.as_ref().and_then(|hint| text_at(hint, entry)) {
        Some(begins) => session.credential.begins(session.auth, &begins),
        // Nothing tells whose it is: it may be ours.
        None => true,
    };
    let now = session.clock.now();
    let ends = entries.iter().filter(ours).filter_map(|entry| when(&text_at(&each, entry)?));
    // What has ended cannot be what was just accepted.
    Ok(ends.filter(|at| *at > now).min())
}

fn text_at(path: &Path, json: &Json) -> Option<String> {
    match path.get(json) {
        Found::Value(found) if !found.is_null() => scalar(found),
        _ => None,
    }
}

/// Notes the permissions that were told when the token was bought.
pub(crate) fn note_sold(session: &Session<'_>) {
    if session.auth.granted.as_ref().is_some_and(|g| g.claim.is_some())
        && let Some(names) = session.authenticator.claimed(session)
    {
        session.watch.note_granted(names);
    }
    if let Some(read) = session.auth.granted.as_ref().and_then(|g| g.read.as_ref())
        && read.path.is_none()
        && let Some(found) = sold(session, &read.at)
    {
        session.watch.note_granted(permissions(&found));
    }
}

/// A value of the answers that came with the token; the last one that has it.
fn sold(session: &Session<'_>, at: &str) -> Option<Json> {
    let path = Path::new(at);
    session.authenticator.answers().iter().rev().find_map(|answer| match path.get(answer) {
        Found::Value(json) if !json.is_null() => Some(json.clone()),
        _ => None,
    })
}

/// One value, read by one request or out of what came with the token.
async fn value(session: &Session<'_>, read: &ReadAt) -> Result<Option<Json>, Halt> {
    let Some(path) = &read.path else { return Ok(sold(session, &read.at)) };
    let ask = ask(session, &read.host, path)?;
    let Answered::Value(reply) = session.exchange(&ask).await? else { return Ok(None) };
    Ok(match Path::new(&read.at).get(&reply.json) {
        Found::Value(found) if !found.is_null() => Some(found.clone()),
        _ => None,
    })
}

fn ask<'r>(session: &'r Session<'_>, host: &str, path: &str) -> Result<Ask<'r>, Halt> {
    let about = About { host: host.to_owned(), template: path.to_owned(), ..About::default() };
    let made = address(session.target, host, path, &session.public())
        .and_then(|url| Ok((url, session.target.host_headers(host)?)));
    match made {
        Ok((url, headers)) => Ok(Ask {
            method: Method::GET,
            url,
            headers,
            body: None,
            rules: [&[], session.target.app.manifest.answer.as_slice()],
            graphql: None,
            etag: None,
            readers: 1,
            about,
        }),
        Err(detail) => Err(Halt::Fault(Box::new(Fault::local(
            FailureCause::Internal,
            Rung::NotSent,
            session.scrub.clean(&detail),
            session.clock.now(),
        )))),
    }
}

/// A list of names, or a map of name to level.
fn permissions(json: &Json) -> Vec<String> {
    match json {
        Json::Array(items) => items.iter().filter_map(scalar).collect(),
        Json::Object(map) => {
            map.iter().filter_map(|(name, level)| Some(format!("{name}:{}", scalar(level)?))).collect()
        }
        Json::String(text) => text.split([' ', ',']).filter(|p| !p.is_empty()).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// An instant in an answer: text, or seconds since 1970.
fn when(text: &str) -> Option<Timestamp> {
    instant(text).or_else(|| text.parse::<i64>().ok().map(|s| Timestamp(s.saturating_mul(1000))))
}

/// What is granted with all that it contains.
fn closure(session: &Session<'_>, granted: &[String]) -> BTreeSet<String> {
    let mut held: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = granted.to_vec();
    while let Some(permission) = open.pop() {
        open.extend(session.auth.implies.get(&permission).into_iter().flatten().cloned());
        // Vendors that grade a permission mean the higher grade to contain the lower.
        if let Some((name, level)) = permission.rsplit_once(':') {
            let below = match level {
                "admin" => Some("write"),
                "write" => Some("read"),
                _ => None,
            };
            open.extend(below.map(|below| format!("{name}:{below}")).filter(|p| !held.contains(p)));
        }
        if !held.insert(permission) {
            continue;
        }
    }
    held
}

/// The permissions of each dataset that cannot be read, by what the vendor says is granted.
fn by_grants(session: &Session<'_>, granted: &[String]) -> BTreeMap<String, Vec<String>> {
    let held = closure(session, granted);
    let mut lacking = BTreeMap::new();
    for dataset in offered(session) {
        let any_of = dataset.spec.permission.get(&session.auth.id).map_or(&[][..], Vec::as_slice);
        if !any_of.is_empty() && !any_of.iter().any(|p| held.contains(p)) {
            lacking.insert(dataset.spec.name.clone(), any_of.to_vec());
        }
    }
    lacking
}

/// The same where the vendor does not tell what is granted: the first page of each dataset is tried.
async fn by_probes(session: &Session<'_>) -> Result<BTreeMap<String, Vec<String>>, Halt> {
    let datasets: Vec<&DatasetSpec> = offered(session).collect();
    let probes = (0..datasets.len()).map(|i| probe(session, datasets[i]));
    let found: Vec<_> =
        futures_util::stream::iter(probes).buffered(session.pace.concurrency()).collect().await;
    let mut lacking = BTreeMap::new();
    for (dataset, found) in datasets.into_iter().zip(found) {
        if let Some(fault) = found? {
            let named = dataset.spec.permission.get(&session.auth.id).cloned().unwrap_or_default();
            let needs = if named.is_empty() { vec![fault.detail.clone()] } else { named };
            lacking.insert(dataset.spec.name.clone(), needs);
        }
    }
    Ok(lacking)
}

/// Whether a dataset is refused for want of permission. Other faults say nothing about permissions.
fn probe<'t>(
    session: &'t Session<'_>,
    dataset: &'t DatasetSpec,
) -> BoxFuture<'t, Result<Option<Box<Fault>>, Halt>> {
    Box::pin(try_first_pages(session, dataset))
}

async fn try_first_pages(session: &Session<'_>, dataset: &DatasetSpec) -> Result<Option<Box<Fault>>, Halt> {
    let sink = Sink::new(&Quiet, session.clock, &dataset.spec.name, 0, 0, false);
    let lister = Lister::new(session, dataset, &sink, &Sources::new(), None);
    let mut refused = None;
    for alternative in alternatives(dataset) {
        let requests: Vec<usize> = (0..dataset.requests.len())
            .filter(|i| dataset.requests[*i].spec.alternative == alternative)
            .collect();
        // What walks other records cannot be tried without them; its own run will tell. What it would be asked with can.
        let Some(first) = requests.iter().find(|i| dataset.requests[**i].spec.for_each.is_none()) else {
            let Some(any) = requests.first() else { return Ok(None) };
            match lister.token(*any).await {
                Ok(()) => return Ok(None),
                Err(Halt::Fault(fault)) if fault.cause == FailureCause::Permission => {
                    refused.get_or_insert(fault);
                    continue;
                }
                Err(halt) => return Err(halt),
            }
        };
        let read = lister.first_page(*first).await;
        match &read.end {
            End::Fault(fault) if fault.cause == FailureCause::Credentials => {
                return Err(Halt::Fault(fault.clone()));
            }
            End::Wait(until) => return Err(Halt::Wait(*until)),
            _ => {}
        }
        match refusal(std::slice::from_ref(&read)) {
            Some(fault) => {
                if fault.cause == FailureCause::Permission {
                    refused.get_or_insert(fault);
                }
            }
            None => return Ok(None),
        }
    }
    Ok(refused)
}

fn ready(session: &Session<'_>, kind: ScanKind, lacking: &BTreeMap<String, Vec<String>>) -> Readiness {
    let (mut missing, mut gaps) = (BTreeSet::new(), BTreeSet::new());
    for dataset in session.target.app.datasets_of(kind) {
        // Any one of a list suffices, so that it is named as a whole.
        let Some(needs) = lacking.get(&dataset.spec.name).map(|n| n.join(" or ")) else { continue };
        if dataset.spec.required.contains(&kind) {
            missing.insert(needs);
        } else {
            gaps.insert(needs);
        }
    }
    let gaps = gaps.difference(&missing).cloned().collect();
    Readiness { kind, ready: missing.is_empty(), missing: missing.into_iter().collect(), gaps }
}

/// Granted permissions that no dataset names.
fn excess(session: &Session<'_>, granted: &[String]) -> Vec<String> {
    let needed: BTreeSet<&String> = session
        .target
        .app
        .datasets
        .iter()
        .flat_map(|d| d.spec.permission.get(&session.auth.id).into_iter().flatten())
        .collect();
    granted.iter().filter(|p| !needed.contains(p)).cloned().collect()
}

/// Nobody waits here: every end is a fault.
pub(crate) fn plain(halt: Halt, session: &Session<'_>) -> Fault {
    let local = |cause, detail: String| {
        Fault::local(cause, Rung::Authenticated, session.scrub.clean(&detail), session.clock.now())
    };
    match halt {
        Halt::Fault(fault) => *fault,
        Halt::NotApplicable(reason) => local(FailureCause::Protocol, reason),
        Halt::Wait(until) => {
            local(FailureCause::Throttled, format!("The vendor wants to be left alone until {until}"))
        }
    }
}
