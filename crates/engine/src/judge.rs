//! From what was read to what is stored: assess, then one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use assess::{Assessment, Detail, Emptied, PriorDataset, PriorFinding};
use catalog::{App, Check, Param};
use collect::Sweep;
use model::dataset::{Availability, Cost, DatasetSnapshot, Snapshot};
use model::diagnosis::{Fault, Warning};
use model::health::FinishedRun;
use model::id::{CheckId, RunId};
use model::scan::{FailureCause, RunOutcome};
use model::schedule::{Finish, MAX_INTERVAL};
use model::time::{Duration, Timestamp};
use model::value::Value;
use store::StoreError;
use store::instances::{Instance, InstanceWithScans};
use store::params::{self, Params};
use store::runs::{self, Commit, Gap, Subjects};
use store::scans::Held;
use store::snapshots::{self, Prior};

use crate::ahead::{LENGTHS, warnings};
use crate::context::{Context, panic_says, unsent};
use crate::directories::KnownIdentities;
use crate::worker::Ended;

/// A run that has ended, before it is judged.
pub(crate) struct Unjudged {
    pub(crate) snapshot: Snapshot,
    pub(crate) sweeps: BTreeMap<String, Sweep>,
    pub(crate) blocked_until: Option<Timestamp>,
    /// Set where nothing was read, for the reason that it names.
    pub(crate) fault: Option<Fault>,
    pub(crate) finished_at: Timestamp,
    /// The end of the lease that is closed, where whoever held it has died.
    pub(crate) lease_end: Option<Timestamp>,
}

/// The waits between attempts to store a run: a lease of the usual length lives longer than these together.
const STORE_AGAIN: [Duration; 3] = [Duration::seconds(1), Duration::seconds(4), Duration::seconds(15)];

/// A run of which nothing could be read for this one reason: every dataset of the scan is unavailable. It is judged like
/// any other, so that its checks are Inconclusive and its findings stale, never gone.
pub(crate) fn unread(
    context: &Context,
    instance: &Instance,
    held: &Held,
    fault: Fault,
    finished_at: Timestamp,
) -> Unjudged {
    let app = context.catalog.app(&instance.app);
    let datasets = app.iter().flat_map(|app| app.datasets_of(held.kind)).map(|dataset| {
        let unavailable = DatasetSnapshot {
            shape: dataset.shape.clone(),
            key: dataset.spec.key.clone(),
            records: Vec::new(),
            availability: Availability::Unavailable { fault: fault.clone() },
            collected_at: finished_at,
            request: String::new(),
            requests: 0,
        };
        (dataset.spec.name.clone(), unavailable)
    });
    let snapshot = Snapshot {
        app: instance.app.clone(),
        revision: app.map_or(0, |app| app.manifest.revision),
        kind: held.kind,
        started_at: held.started_at,
        finished_at,
        datasets: datasets.collect(),
        warnings: Vec::new(),
        cost: Cost::default(),
    };
    Unjudged {
        snapshot,
        sweeps: BTreeMap::new(),
        blocked_until: None,
        fault: Some(fault),
        finished_at,
        lease_end: None,
    }
}

/// Judges and stores. A lease that was lost meanwhile is no error: nothing was written, and whoever took it goes on.
pub(crate) async fn commit(
    context: &Context,
    row: &InstanceWithScans,
    held: &Held,
    mut run: Unjudged,
) -> Result<Ended, StoreError> {
    let prior = snapshots::prior(&context.db, &held.instance, held.kind).await?;
    let known = context.identities(&held.instance, held.kind).await?;
    let set = params::of(&context.db, &held.instance).await?;
    let judged = or_fault(&held.run, &prior, run.finished_at, || {
        judge(context, row, held, &mut run, &prior, (&known, &set))
    });
    let before = runs::lengths(&context.db, &held.instance, held.kind, LENGTHS).await?;
    let warnings = warnings(
        context.catalog.app(&row.instance.app).map(Arc::as_ref),
        row,
        held,
        &run,
        &judged,
        &prior,
        before,
    );
    let sweeps = run.sweeps.iter().filter_map(|(dataset, sweep)| match serde_json::to_vec(sweep) {
        Ok(body) => Some((dataset.clone(), body)),
        Err(error) => {
            tracing::warn!(run = %held.run, dataset, %error, "what was read of a dataset cannot be kept");
            None
        }
    });
    let sweeps: Vec<(String, Vec<u8>)> = sweeps.collect();
    let judged_by = known.version();
    let mut waits = STORE_AGAIN.into_iter();
    loop {
        match store(context, held, &run, &judged, &warnings, &sweeps, judged_by).await {
            Ok(committed) => {
                tracing::info!(
                    instance = %held.instance, scan = %held.kind, run = %held.run, outcome = judged.outcome.as_str(),
                    cause = judged.outcome.cause().map(tracing::field::display), opened = committed.opened,
                    resolved = committed.resolved, "finished"
                );
                return Ok(Ended::Done);
            }
            Err(StoreError::Stale) => {
                // After a connection that was lost while committing it may be stored already.
                tracing::info!(run = %held.run, "the lease has ended, or was renewed by a worker that lives after all; nothing is stored");
                return Ok(Ended::Nothing);
            }
            Err(error) if error.is_passing() => {
                let Some(wait) = waits.next() else { return Err(error) };
                tracing::warn!(run = %held.run, %error, "a run could not be stored; it is tried again");
                context.clock.sleep(wait).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What the run means. Without the application in the catalogue nothing can be asked, and what was found is stale.
fn judge(
    context: &Context,
    row: &InstanceWithScans,
    held: &Held,
    run: &mut Unjudged,
    prior: &Prior,
    (identities, set): (&KnownIdentities, &Params),
) -> Assessment {
    let Some(app) = context.catalog.app(&row.instance.app) else { return unknown_app(run, prior) };
    let open = prior.open.iter().map(|(id, check, resource)| PriorFinding { id, check, resource });
    let datasets = prior.datasets.iter().map(|(name, stored)| {
        (name.as_str(), PriorDataset { revision: stored.revision, data: &stored.data })
    });
    let emptied = prior.shrunk.iter().map(|(name, shrunk)| {
        (name.as_str(), Emptied { first_at: shrunk.first_at, agreed: shrunk.agreed_at.is_some() })
    });
    let known = assess::Prior {
        open: open.collect(),
        datasets: datasets.collect(),
        emptied: emptied.collect(),
        identities: identities.as_assessed(),
    };
    let params = chosen(app, set);
    let instance = assess::Instance {
        tenant_uid: &row.instance.identity.tenant_uid,
        auth: &row.instance.auth,
        settings: &row.instance.settings,
        params: &params,
        interval: row.scan(held.kind).map_or(MAX_INTERVAL, |scan| scan.facts.interval),
    };
    assess::first_seen(&mut run.snapshot, app, &known);
    let mut assessment =
        assess::assess(&run.snapshot, app, &instance, &known, run.finished_at, Detail::Findings);
    // An application whose datasets of this kind are all optional: a run that sent nothing has failed all the same.
    if let (Some(fault), RunOutcome::Succeeded) = (&run.fault, assessment.outcome) {
        assessment.outcome = RunOutcome::Failed(fault.cause);
        assessment.fault = Some(fault.clone());
    }
    assessment
}

/// The parameters that somebody has set, of the checks and parameters that there are.
fn chosen(app: &App, set: &Params) -> BTreeMap<CheckId, BTreeMap<String, Value>> {
    let of_check = |check: &Arc<Check>| {
        let set = set.get(&check.id)?;
        let value =
            |(name, param): (&String, &Param)| Some((name.clone(), param.kept(&set.get(name)?.value)));
        Some((check.id.clone(), check.params.iter().filter_map(value).collect()))
    };
    app.checks.iter().filter_map(of_check).collect()
}

fn unknown_app(run: &Unjudged, prior: &Prior) -> Assessment {
    let missing = || {
        let detail = format!("the catalogue has no application `{}` (any more)", run.snapshot.app);
        unsent(FailureCause::Internal, detail, run.finished_at)
    };
    unjudged(run.fault.clone().unwrap_or_else(missing), prior)
}

/// Judging that panics ends the run here and now, not when its lease expires.
fn or_fault(run: &RunId, prior: &Prior, at: Timestamp, judge: impl FnOnce() -> Assessment) -> Assessment {
    std::panic::catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|panic| {
        tracing::error!(%run, what = panic_says(&*panic), "judging panicked");
        let detail = "Parapet met a fault of its own while judging; its log says more";
        unjudged(unsent(FailureCause::Internal, detail, at), prior)
    })
}

/// What a run means that nothing can be said of but its fault: everything found before is stale.
fn unjudged(fault: Fault, prior: &Prior) -> Assessment {
    Assessment {
        outcome: RunOutcome::Failed(fault.cause),
        fault: Some(fault),
        gaps: Vec::new(),
        results: Vec::new(),
        tallies: Vec::new(),
        resolved: Vec::new(),
        stale: prior.open.iter().map(|(_, check, _)| check.clone()).collect(),
        accounts: None,
        plugins: None,
        drift: Vec::new(),
        complete: BTreeSet::new(),
        emptied: BTreeSet::new(),
    }
}

/// One attempt at the one transaction.
async fn store(
    context: &Context,
    held: &Held,
    run: &Unjudged,
    judged: &Assessment,
    warnings: &[Warning],
    sweeps: &[(String, Vec<u8>)],
    judged_by: Option<i64>,
) -> Result<runs::Committed, StoreError> {
    let snapshot = &run.snapshot;
    let read = snapshot.datasets.iter().filter(|(name, dataset)| match dataset.availability {
        Availability::Complete => !judged.emptied.contains(*name),
        Availability::NotApplicable { .. } => true,
        _ => false,
    });
    let finished = FinishedRun {
        run: held.run.clone(),
        outcome: judged.outcome,
        fault: judged.fault.clone().map(Box::new),
        started_at: held.started_at,
        finished_at: run.finished_at,
        records: snapshot.datasets.values().map(|d| d.records.len() as u64).sum(),
        requests: snapshot.cost.requests,
        gaps: len(judged.gaps.iter().filter(|gap| !gap.required).count()),
    };
    let gaps: Vec<Gap> = judged.gaps.iter().map(gap).collect();
    let stale: Vec<CheckId> = judged.stale.iter().cloned().collect();
    let complete = snapshot.datasets.iter().filter(|(name, _)| judged.complete.contains(*name));
    let commit = Commit {
        finish: Finish { run: finished, sent: snapshot.cost.requests > 0 },
        now: context.now(),
        spread: context.spread(),
        lease_end: run.lease_end,
        blocked_until: run.blocked_until,
        gaps: &gaps,
        warnings,
        cost: snapshot.cost,
        datasets_read: len(read.count()),
        datasets_total: len(snapshot.datasets.len()),
        results: &judged.results,
        tallies: &judged.tallies,
        resolved: &judged.resolved,
        stale: &stale,
        accounts: judged.accounts.as_ref().map(subjects),
        judged_by,
        plugins: judged.plugins.as_ref().map(subjects),
        drift: &judged.drift,
        snapshots: complete.map(|(name, dataset)| (name.as_str(), dataset)).collect(),
        revision: snapshot.revision,
        shrunk: judged.emptied.clone(),
        sweeps: sweeps.to_vec(),
    };
    runs::commit(&context.db, held, commit).await
}

fn subjects(read: &assess::Subjects) -> Subjects<'_> {
    Subjects { records: &read.records, complete: read.complete }
}

fn gap(gap: &assess::Gap) -> Gap {
    let assess::Gap { dataset, title, required, fault, reason } = gap.clone();
    Gap { dataset, title, required, fault, reason }
}

fn len(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_judging_is_our_own_fault_and_leaves_what_was_found() {
        let prior =
            Prior { open: vec![("f".into(), "acme/doors".into(), "front".to_owned())], ..Prior::default() };
        let judged = or_fault(&"r".into(), &prior, Timestamp(0), || panic!("as told"));
        assert_eq!(judged.outcome, RunOutcome::Failed(FailureCause::Internal));
        assert_eq!(judged.stale, BTreeSet::from(["acme/doors".into()]));
        assert!(judged.resolved.is_empty());
        let detail = judged.fault.expect("failed").detail;
        assert!(!detail.contains("as told"), "a panic may quote what was read: {detail}");
    }
}
