//! What a run tells of things that are not broken yet, beside what it read in headers: lost permissions, lost records, lost
//! time.

use assess::Assessment;
use catalog::App;
use model::ahead::{BEFORE, LATEST, is_loss, lasting, slow};
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::Warning;
use model::scan::{FailureCause, RunOutcome};
use model::time::Duration;
use store::instances::InstanceWithScans;
use store::scans::Held;
use store::snapshots::Prior;

use crate::judge::Unjudged;

/// Successful runs that say whether a scan drifts towards its interval.
pub(crate) const LENGTHS: u32 = (LATEST + BEFORE) as u32;

/// The warnings of a scan after a run: its own, and those of before that it cannot end. `before` are the lengths of the
/// successful runs before this one, the latest first.
pub(crate) fn warnings(
    app: Option<&App>,
    row: &InstanceWithScans,
    held: &Held,
    run: &Unjudged,
    judged: &Assessment,
    prior: &Prior,
    before: Vec<Duration>,
) -> Vec<Warning> {
    let mut all = run.snapshot.warnings.clone();
    for (name, dataset) in &run.snapshot.datasets {
        let Some(was) = prior.datasets.get(name) else { continue };
        match &dataset.availability {
            // It was read before, so that a permission is gone: a failure as well, but first of all a loss.
            Availability::Unavailable { fault } if fault.cause == FailureCause::Permission => {
                // Without a name it is not one permission but the credential or this server's address: the fault tells.
                if fault.needs.is_empty() {
                    continue;
                }
                let permission = fault.needs.join(" or ");
                let told = |w: &Warning| match w {
                    Warning::PermissionLost { permission: p } => *p == permission || fault.needs.contains(p),
                    _ => false,
                };
                if !all.iter().any(told) {
                    all.push(Warning::PermissionLost { permission });
                }
            }
            Availability::Complete if !judged.emptied.contains(name) => {
                let (had, has) = (was.data.records.len() as u64, dataset.records.len() as u64);
                // With another revision of the manifest it is another list.
                if was.revision == run.snapshot.revision && is_loss(had, has) {
                    let known = app.and_then(|app| app.dataset(name));
                    let title = known.map_or_else(|| name.clone(), |d| d.spec.title.clone());
                    all.push(Warning::Shrank { dataset: name.clone(), title, had, has, at: run.finished_at });
                }
            }
            _ => {}
        }
    }
    let scan = row.scan(held.kind);
    let mut lengths = before;
    if judged.outcome == RunOutcome::Succeeded {
        lengths.insert(0, run.finished_at - held.started_at);
    }
    lengths.truncate(LATEST + BEFORE);
    all.extend(scan.and_then(|scan| slow(held.kind, &lengths, scan.facts.interval)));
    let earlier = scan.map(|scan| scan.warnings.as_slice()).unwrap_or_default();
    let counts = |name: &str| complete(run.snapshot.datasets.get(name)?);
    let failed = matches!(judged.outcome, RunOutcome::Failed(_));
    let kept: Vec<Warning> = lasting(earlier, &all, failed, &counts, run.finished_at).collect();
    all.extend(kept);
    all
}

/// The records of a dataset that was read completely.
fn complete(dataset: &DatasetSnapshot) -> Option<u64> {
    dataset.availability.is_complete().then_some(dataset.records.len() as u64)
}
