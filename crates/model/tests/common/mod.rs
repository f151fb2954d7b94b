//! Facts to start from.
#![allow(dead_code, reason = "each test file uses its part")]

use model::diagnosis::{Fault, Rung};
use model::health::{DOWN_AFTER, Enablement, FinishedRun, InstanceFacts, ScanFacts};
use model::id::RunId;
use model::scan::{RunOutcome, ScanKind};
use model::schedule::{Finish, default_interval};
use model::time::Timestamp;

/// 2026-03-02T09:00:00Z, a Monday.
pub(crate) const NOW: Timestamp = Timestamp(1_772_442_000_000);

pub(crate) fn run_id() -> RunId {
    "0195-run".into()
}

pub(crate) fn instance() -> InstanceFacts {
    InstanceFacts {
        id: "0195-instance".into(),
        down_after: DOWN_AFTER,
        onboarded_at: NOW,
        paused: None,
        credential_version: 1,
        credential_failures_in_a_row: 0,
        suspension: None,
        blocked_until: None,
    }
}

pub(crate) fn scan(kind: ScanKind) -> ScanFacts {
    ScanFacts {
        kind,
        enablement: Enablement::Enabled,
        interval: default_interval(kind),
        watched_since: NOW,
        next_at: NOW,
        wanted_at: None,
        open: None,
        last: None,
        last_success_at: None,
        failures_in_a_row: 0,
        retryable_partials_in_a_row: 0,
        failing_since: None,
    }
}

/// A run that ended so at this instant, and was sent.
pub(crate) fn finish(outcome: RunOutcome, at: Timestamp) -> Finish {
    let fault = outcome.cause().map(|cause| {
        Box::new(Fault {
            cause,
            reached: Rung::Http,
            dataset: Some("members".into()),
            request: None,
            status: None,
            vendor_message: None,
            request_id: None,
            needs: vec![],
            detail: "GitHub refused".into(),
            at,
        })
    });
    Finish {
        run: FinishedRun {
            run: run_id(),
            outcome,
            fault,
            started_at: at,
            finished_at: at,
            records: 0,
            requests: 1,
            gaps: 0,
        },
        sent: true,
    }
}
