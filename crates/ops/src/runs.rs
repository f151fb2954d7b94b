//! Runs, their diagnosis and the 90-day bar.

use std::collections::BTreeMap;

use model::diagnosis::{Fault, Rung};
use model::scan::{RunOutcome, ScanKind};
use model::time::{Duration, Timestamp};
use model::view::{DayBar, DayCell, FaultView, GapView, Mark, RunRow, RungState, RungView};
use model::words;
use store::runs::{Day, Gap, Run};

use crate::fleet::Member;

/// Cells of the health bar.
pub(crate) const DAYS: i64 = 90;

pub(crate) fn run_row(member: &Member, run: Run, now: Timestamp) -> RunRow {
    let sentence = match &run.fault {
        Some(fault) => words::fault_says(fault).plain(now),
        None => format!(
            "Read {} {} with {} {} in {}.",
            words::count(run.records),
            if run.records == 1 { "record" } else { "records" },
            words::count(run.cost.requests.into()),
            if run.cost.requests == 1 { "request" } else { "requests" },
            words::duration(run.finished_at - run.started_at)
        ),
    };
    RunRow {
        id: run.id,
        kind: run.kind,
        outcome: run.outcome,
        started_at: run.started_at,
        finished_at: run.finished_at,
        records: run.records,
        cost: run.cost,
        sentence,
        fault: run.fault.filter(|_| run.outcome != RunOutcome::Succeeded).map(|f| fault_view(member, f, now)),
        gaps: run.gaps.into_iter().map(gap_view).collect(),
        new_findings: run.changed.opened + run.changed.reopened,
        resolved_findings: run.changed.resolved,
    }
}

pub(crate) fn fault_view(member: &Member, fault: Fault, now: Timestamp) -> FaultView {
    let remedy = words::remedy(&fault, member.app_name());
    let ladder = if fault.reached == Rung::NotSent {
        Vec::new()
    } else {
        words::ladder(&fault)
            .into_iter()
            .map(|l| RungView {
                rung: l.rung,
                state: rung_state(l.state),
                detail: rung_detail(member, &fault, &l),
            })
            .collect()
    };
    FaultView { ladder, remedy: remedy.says.plain(now), who_can: remedy.who, fault }
}

/// The ladder of a look at which everything held.
pub(crate) fn whole_ladder(subject: &str, dataset: &str) -> Vec<RungView> {
    let detail = |rung| match rung {
        Rung::Authenticated if !subject.is_empty() => format!("as {subject}"),
        Rung::Dataset => dataset.to_owned(),
        _ => String::new(),
    };
    let held = |rung| RungView { rung, state: RungState::Held, detail: detail(rung) };
    Rung::LADDER.into_iter().map(held).collect()
}

fn rung_state(state: words::RungState) -> RungState {
    match state {
        words::RungState::Held => RungState::Held,
        words::RungState::Failed => RungState::Broke,
        words::RungState::NotReached => RungState::NotReached,
    }
}

fn rung_detail(member: &Member, fault: &Fault, l: &words::LadderRung) -> String {
    match l.rung {
        Rung::Authenticated if l.state == words::RungState::Held => {
            format!("as {}", member.row.instance.identity.subject)
        }
        Rung::Permission => fault.needs.join(", "),
        Rung::Dataset => fault.dataset.clone().unwrap_or_default(),
        Rung::Http => fault.status.map(|s| s.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn gap_view(gap: Gap) -> GapView {
    GapView {
        needs: gap.fault.map(|f| f.needs).unwrap_or_default(),
        dataset: gap.dataset,
        title: gap.title,
        reason: gap.reason,
        required: gap.required,
    }
}

/// One bar a scan kind. Days without a finished run have no mark: an empty day is not a good day.
pub(crate) fn bars(days: Vec<Day>, now: Timestamp) -> BTreeMap<ScanKind, DayBar> {
    let today = now.0.div_euclid(86_400_000);
    let mut by_kind: BTreeMap<ScanKind, BTreeMap<i64, Day>> = BTreeMap::new();
    for day in days {
        by_kind.entry(day.kind).or_default().insert(day.day.0.div_euclid(86_400_000), day);
    }
    let bar = |of: Option<&BTreeMap<i64, Day>>| DayBar {
        days: (today - DAYS + 1..=today).map(|n| cell(n, of.and_then(|d| d.get(&n)))).collect(),
    };
    ScanKind::ALL.into_iter().map(|kind| (kind, bar(by_kind.get(&kind)))).collect()
}

fn cell(number: i64, day: Option<&Day>) -> DayCell {
    let date = Timestamp(number * 86_400_000).to_jiff().strftime("%Y-%m-%d").to_string();
    let Some(day) = day else { return DayCell { date, mark: None, succeeded: 0, partial: 0, failed: 0 } };
    let mark = if day.down {
        Some(Mark::Down)
    } else if day.failed + day.partial > 0 {
        Some(Mark::Unhealthy)
    } else {
        (day.succeeded > 0).then_some(Mark::Up)
    };
    DayCell { date, mark, succeeded: day.succeeded, partial: day.partial, failed: day.failed }
}

pub(crate) fn bar_start(now: Timestamp) -> Timestamp {
    Timestamp(now.0.div_euclid(86_400_000) * 86_400_000) - Duration::days(DAYS - 1)
}
