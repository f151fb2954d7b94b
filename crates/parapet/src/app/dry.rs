//! One dry run: every scan of an application against a real address, nothing saved. It shows what each dataset yielded
//! and which checks could be decided, for the person who writes the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use assess::{Assessment, Detail, Subjects};
use catalog::App;
use collect::{Clock as _, Collected, Credential, Outbound, Preflight, RunRequest, Target};
use engine::clock::SystemClock;
use model::dataset::{Availability, Snapshot};
use model::diagnosis::{Fault, Rung};
use model::finding::Outcome;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule;
use model::time::Timestamp;
use model::value::{Record, Shape, Value};
use serde::Serialize;

use crate::failure::Failure;
use crate::progress::Line;
use crate::scan::JudgedBy;
use crate::wiring;

/// What a dry run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) app: String,
    pub(super) tenant: String,
    pub(super) tenant_uid: String,
    pub(super) subject: String,
    /// What the credential may do; `None` where the vendor does not tell.
    pub(super) granted: Option<Vec<String>>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) scans: Vec<Scan>,
}

/// One scan of it.
#[derive(Debug, Serialize)]
pub(super) struct Scan {
    pub(super) kind: ScanKind,
    /// `succeeded`, `partial`, `failed`, or `not_enabled` where `missing` says why.
    pub(super) outcome: &'static str,
    pub(super) cause: Option<FailureCause>,
    pub(super) missing: Vec<String>,
    pub(super) requests: u32,
    pub(super) datasets: Vec<Dataset>,
    pub(super) checks: Vec<Check>,
    pub(super) accounts: Option<Shown>,
    pub(super) plugins: Option<Shown>,
}

/// What a dataset yielded.
#[derive(Debug, Serialize)]
pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) state: &'static str,
    /// Why it was not read whole.
    pub(super) why: Option<String>,
    pub(super) records: usize,
    pub(super) requests: u32,
    pub(super) request: String,
    pub(super) unknown: Vec<Field>,
}

/// A field that is unknown in records.
#[derive(Debug, Serialize)]
pub(super) struct Field {
    pub(super) field: String,
    /// In how many of them.
    pub(super) records: usize,
}

/// How a check went.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) pass: u64,
    pub(super) fail: u64,
    pub(super) inconclusive: u64,
    pub(super) not_applicable: u64,
    /// The most frequent reason of what is inconclusive, else of what is not applicable.
    pub(super) why: Option<String>,
    /// The fields that were unknown where it is inconclusive.
    pub(super) unknown: Vec<Field>,
    pub(super) needs: Vec<String>,
}

/// Canonical records.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) count: usize,
    /// Whether these are all there are.
    pub(super) complete: bool,
    /// Fields that the mapping leaves out, or that were not known.
    pub(super) unknown: Vec<Field>,
}

/// Verifies the credential with `first`, then runs every scan through `outbound`.
pub(super) async fn run(
    app: &Arc<App>,
    target: &Target,
    credential: &Credential,
    first: &Outbound,
    outbound: &Outbound,
) -> Result<Report, Failure> {
    let preflight = collect::preflight(first, target, credential, &SystemClock)
        .await
        .map_err(|fault| Failure::scan(explain(&fault, app)))?;
    let mut scans = Vec::new();
    for kind in app.supported() {
        let missing = preflight.readiness.iter().find(|r| r.kind == kind && !r.ready).map(|r| &r.missing);
        scans.push(match missing {
            Some(missing) => not_enabled(kind, missing.clone()),
            None => scan(app, target, credential, &preflight, kind, outbound).await?,
        });
    }
    let i = preflight.identity;
    Ok(Report {
        app: app.id.to_string(),
        tenant: i.tenant_name,
        tenant_uid: i.tenant_uid,
        subject: i.subject,
        granted: i.granted,
        expires_at: i.expires_at,
        scans,
    })
}

/// What happened, what to do, and which option of this command helps.
pub(super) fn explain(fault: &Fault, app: &App) -> String {
    let now = wiring::now();
    let says = model::words::fault_says(fault).plain(now);
    let remedy = match fault.cause {
        // The usual advice is for manifests that are part of Parapet.
        FailureCause::Protocol if !app.builtin => {
            "Check the address, and in app.toml `base`, `path` and `records`; an answer that has a meaning of its own needs \
             an [[answer]]."
                .to_owned()
        }
        _ => model::words::remedy(fault, &app.manifest.name).says.plain(now),
    };
    let mut text = format!("{says} {remedy}");
    if fault.cause == FailureCause::Unreachable && fault.reached <= Rung::Name {
        text.push_str(" A host in a network of your own needs --allow-private HOST.");
    }
    if fault.cause == FailureCause::Unreachable && fault.reached == Rung::Tcp {
        text.push_str(" Here: --ca FILE.");
    }
    text
}

fn not_enabled(kind: ScanKind, missing: Vec<String>) -> Scan {
    Scan {
        kind,
        outcome: "not_enabled",
        cause: None,
        missing,
        requests: 0,
        datasets: Vec::new(),
        checks: Vec::new(),
        accounts: None,
        plugins: None,
    }
}

async fn scan(
    app: &Arc<App>,
    target: &Target,
    credential: &Credential,
    preflight: &Preflight,
    kind: ScanKind,
    outbound: &Outbound,
) -> Result<Scan, Failure> {
    let interval = schedule::default_interval(kind);
    // What the credential may do was asked a moment ago; a tape of this run holds what its datasets ask, and nothing twice.
    let request = RunRequest::new(kind, SystemClock.now() + schedule::run_allowance(interval));
    let line = Line::new(kind, app.datasets_of(kind).count());
    let collected = collect::run(outbound, target, credential, &SystemClock, request, &line).await;
    line.finish();
    let done = match collected {
        Collected::Done(done) => done,
        Collected::Waiting { until, .. } => {
            return Err(Failure::scan(format!(
                "{}: {} wants to be left alone until {until}. Try again then; a lower `per_second` under [throttle] \
                 may avoid it.",
                kind.title(),
                app.manifest.name
            )));
        }
        // Its listener never says stop.
        Collected::Stopped => return Err(Failure::scan("The dry run was stopped.")),
    };
    let now = SystemClock.now();
    let assessment = crate::scan::assessed(
        &done.snapshot,
        target,
        credential,
        preflight,
        JudgedBy::default(),
        Detail::All,
        now,
    );
    Ok(shown(kind, app, &done.snapshot, &assessment))
}

fn shown(kind: ScanKind, app: &App, snapshot: &Snapshot, assessment: &Assessment) -> Scan {
    let subjects = |found: &Option<Subjects>, shape: &Shape| {
        found.as_ref().map(|s| Shown {
            count: s.records.len(),
            complete: s.complete,
            unknown: unknown_fields(shape, &s.records),
        })
    };
    Scan {
        kind,
        outcome: match assessment.outcome {
            RunOutcome::Succeeded => "succeeded",
            RunOutcome::Partial(_) => "partial",
            RunOutcome::Failed(_) => "failed",
        },
        cause: assessment.outcome.cause(),
        missing: Vec::new(),
        requests: snapshot.cost.requests,
        datasets: datasets(app, snapshot),
        checks: checks(assessment),
        accounts: subjects(&assessment.accounts, &model::account::SHAPE),
        plugins: subjects(&assessment.plugins, &model::plugin::SHAPE),
    }
}

/// The datasets in the order of the manifest.
fn datasets(app: &App, snapshot: &Snapshot) -> Vec<Dataset> {
    let in_order = app.datasets.iter().filter_map(|d| Some((d, snapshot.datasets.get(&d.spec.name)?)));
    in_order
        .map(|(spec, read)| {
            let (state, why) = match &read.availability {
                Availability::Complete => ("complete", None),
                Availability::Partial { fault } => ("partial", Some(explain(fault, app))),
                Availability::Sweeping { read, of } => {
                    ("sweeping", Some(format!("{read} of {of} read; a server goes on with its next runs")))
                }
                Availability::Unavailable { fault } => ("not_read", Some(explain(fault, app))),
                Availability::NotApplicable { reason } => ("not_applicable", Some(reason.clone())),
            };
            Dataset {
                name: spec.spec.name.clone(),
                state,
                why,
                records: read.records.len(),
                requests: read.requests,
                request: read.request.clone(),
                unknown: unknown_fields(&read.shape, &read.records),
            }
        })
        .collect()
}

/// In how many records each field is unknown, where it is in any.
fn unknown_fields(shape: &Shape, records: &[Record]) -> Vec<Field> {
    let count =
        |at: usize| records.iter().filter(|r| matches!(r.values.get(at), Some(Value::Unknown))).count();
    let fields = shape.fields.iter().enumerate();
    fields
        .map(|(at, field)| Field { field: field.name.clone(), records: count(at) })
        .filter(|field| field.records > 0)
        .collect()
}

fn checks(assessment: &Assessment) -> Vec<Check> {
    assessment
        .tallies
        .iter()
        .map(|tally| {
            let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
            let undecided = assessment
                .results
                .iter()
                .filter(|r| r.check == tally.check && r.outcome == Outcome::Inconclusive);
            for result in undecided {
                for e in result.evidence.iter().filter(|e| e.value.value().get("$unknown").is_some()) {
                    *unknown.entry(&e.field).or_default() += 1;
                }
            }
            Check {
                id: tally.check.to_string(),
                pass: tally.pass,
                fail: tally.fail,
                inconclusive: tally.inconclusive,
                not_applicable: tally.not_applicable,
                why: tally.reason.clone(),
                unknown: unknown
                    .into_iter()
                    .map(|(field, records)| Field { field: field.to_owned(), records })
                    .collect(),
                needs: tally.needs.clone(),
            }
        })
        .collect()
}
