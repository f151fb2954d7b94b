//! Runs, their diagnosis and the health bars.

use model::dataset::Cost;
use model::diagnosis::{Fault, Rung};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::time::Duration;
use model::view::{DayBar, DayCell, FaultView, GapView, Mark, RunRow, RungState, RungView};

use super::{HOSTILE, ago, now};

/// A run that ended `minutes` ago.
pub(crate) fn run(kind: ScanKind, outcome: RunOutcome, minutes: i64) -> RunRow {
    let finished_at = ago(Duration::minutes(minutes));
    let (sentence, records, fault) = match outcome {
        RunOutcome::Succeeded => ("Every dataset was read completely.".to_owned(), 4_812, None),
        RunOutcome::Partial(_) => {
            ("2 of 5 required datasets were read.".to_owned(), 1_204, Some(fault(outcome)))
        }
        RunOutcome::Failed(_) => ("No required dataset could be read.".to_owned(), 0, Some(fault(outcome))),
    };
    RunRow {
        id: format!("r-{}-{minutes}", kind.as_str()).into(),
        kind,
        outcome,
        started_at: finished_at - Duration::seconds(23),
        finished_at,
        records,
        cost: Cost { requests: 41, retries: 2, bytes: 3_400_000, throttled_ms: 0 },
        sentence,
        fault,
        gaps: gaps(kind, outcome),
        new_findings: u64::from(minutes < 20) * 3,
        resolved_findings: u64::from(minutes < 20),
    }
}

fn gaps(kind: ScanKind, outcome: RunOutcome) -> Vec<GapView> {
    if kind != ScanKind::Config || outcome != RunOutcome::Succeeded {
        return Vec::new();
    }
    vec![
        GapView {
            dataset: "audit_log".to_owned(),
            title: "Audit log streaming".to_owned(),
            reason: "GitHub answered 404 where the token may not look; whether it is off could not be known."
                .to_owned(),
            needs: vec!["read:audit_log".to_owned()],
            required: false,
        },
        GapView {
            dataset: "workflow_permissions".to_owned(),
            title: "Workflow permissions by repository".to_owned(),
            reason: "1,200 of 10,000 read; the first full sweep goes on with the next run.".to_owned(),
            needs: Vec::new(),
            required: false,
        },
    ]
}

fn fault(outcome: RunOutcome) -> FaultView {
    let credentials = outcome.cause() == Some(FailureCause::Credentials);
    let (reached, status, message, detail) = if credentials {
        (Rung::Http, 401, "Bad credentials", "GitHub refused the token (401 Bad credentials).")
    } else {
        (
            Rung::Authenticated,
            403,
            "Resource not accessible by integration",
            "The token may not read the organisation's members.",
        )
    };
    let ladder = Rung::LADDER
        .into_iter()
        .map(|rung| RungView {
            rung,
            state: match rung.cmp(&reached) {
                std::cmp::Ordering::Less | std::cmp::Ordering::Equal => RungState::Held,
                std::cmp::Ordering::Greater
                    if Rung::LADDER.iter().filter(|r| **r > reached && **r < rung).count() == 0 =>
                {
                    RungState::Broke
                }
                std::cmp::Ordering::Greater => RungState::NotReached,
            },
            detail: match rung {
                Rung::Authenticated if !credentials => "as app 1234".to_owned(),
                Rung::Permission if !credentials => "members:read".to_owned(),
                _ => String::new(),
            },
        })
        .collect();
    FaultView {
        fault: Fault {
            cause: outcome.cause().unwrap_or(FailureCause::Internal),
            reached,
            dataset: Some("members".to_owned()),
            request: Some("GET https://api.github.com/orgs/acme/members".to_owned()),
            status: Some(status),
            vendor_message: Some(message.to_owned()),
            request_id: Some("C0DE:1F2A:77B1".to_owned()),
            needs: if credentials { Vec::new() } else { vec!["members:read".to_owned()] },
            detail: detail.to_owned(),
            at: ago(Duration::minutes(25)),
        },
        ladder,
        remedy: if credentials {
            "The token was probably revoked. Reauthenticate with a new one.".to_owned()
        } else {
            "Grant the GitHub App the organisation permission Members: read-only, then accept it in the organisation."
                .to_owned()
        },
        who_can: "An owner of the GitHub organisation".to_owned(),
    }
}

/// The same runs with hostile words in every place where a vendor's or the catalogue's words stand.
pub(crate) fn hostile(mut log: Vec<RunRow>) -> Vec<RunRow> {
    let text = || HOSTILE.to_owned();
    for run in &mut log {
        run.sentence = text();
        if let Some(view) = &mut run.fault {
            view.remedy = text();
            view.who_can = text();
            view.fault.request = Some(text());
            view.fault.vendor_message = Some(text());
            view.fault.request_id = Some(text());
            view.fault.needs = vec![text()];
            view.ladder.iter_mut().for_each(|rung| rung.detail = text());
        }
        for gap in &mut run.gaps {
            gap.title = text();
            gap.reason = text();
            gap.needs = vec![text()];
        }
    }
    log
}

/// A run log.
pub(crate) fn log(kind: ScanKind, mark: Mark) -> Vec<RunRow> {
    let failed = RunOutcome::Failed(FailureCause::Credentials);
    let lacking = RunOutcome::Partial(FailureCause::Permission);
    let good = RunOutcome::Succeeded;
    let outcomes = match mark {
        Mark::Down => [failed, failed, failed, good],
        Mark::Unhealthy => [lacking, lacking, good, good],
        _ => [good, good, lacking, good],
    };
    outcomes
        .into_iter()
        .zip([12, 75, 140, 205])
        .map(|(outcome, minutes)| run(kind, outcome, minutes))
        .collect()
}

/// A health bar of 90 days that ends in `mark`.
pub(crate) fn bar(mark: Mark) -> DayBar {
    let start = now() - Duration::days(89);
    let days = (0..90)
        .map(|at| {
            let day = start + Duration::days(at);
            let mark = match at {
                0..12 => None,
                40..43 => Some(Mark::Unhealthy),
                43 => Some(Mark::Down),
                71 => Some(Mark::Unhealthy),
                89 => Some(mark),
                _ => Some(Mark::Up),
            };
            let (succeeded, partial, failed) = match mark {
                Some(Mark::Up) => (24, 0, 0),
                Some(Mark::Unhealthy) => (20, 3, 1),
                Some(Mark::Down) => (2, 0, 9),
                _ => (0, 0, 0),
            };
            DayCell { date: day.to_jiff().strftime("%Y-%m-%d").to_string(), mark, succeeded, partial, failed }
        })
        .collect();
    DayBar { days }
}
