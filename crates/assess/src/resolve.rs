//! What becomes of findings that were open before the run.

use std::collections::BTreeSet;

use model::id::{CheckId, FindingId};

use crate::Prior;
use crate::judge::{Looked, Verdicts};

/// The findings that are resolved, and the checks with findings that could not all be looked at.
///
/// A finding is resolved only by a complete read in which its resource passes, is no longer asked about, or is gone.
pub(crate) fn findings(prior: &Prior<'_>, verdicts: &Verdicts) -> (Vec<FindingId>, BTreeSet<CheckId>) {
    let mut resolved = Vec::new();
    let mut stale = BTreeSet::new();
    for finding in &prior.open {
        let verdict = verdicts.by_check.get(finding.check.as_str());
        let looked = verdict.and_then(|v| v.looked.get(finding.resource)).copied();
        let complete = verdict.is_some_and(|v| v.complete);
        match looked {
            Some(Looked::Fails) => {}
            Some(Looked::Settled) if complete => resolved.push(finding.id.clone()),
            None if complete => resolved.push(finding.id.clone()),
            _ => {
                stale.insert(finding.check.clone());
            }
        }
    }
    (resolved, stale)
}
