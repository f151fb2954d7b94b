//! Health over time: the application's own bar, how much of the time it was Up, what its runs took.

use std::collections::BTreeMap;

use model::availability::{Stretch, Watched, availability};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::view::{AvailabilityView, DayBar, DayCell, TrendPoint};
use store::{audit, runs};

use crate::Ops;
use crate::fleet::Member;
use crate::refusal::{Result, internal, store as from_store};

/// The times that availability is told of.
const SPANS: [u32; 2] = [30, 90];
/// No result lasts longer than this: twice the longest interval and an hour.
const LONGEST: Duration = Duration::hours(49);
/// Runs of a trend.
const TREND: u32 = 60;

/// The worst of the enabled scans, day by day. A day on which no scan finished a run has no mark: there is no data. A day on
/// which one scan finished a run and another did not has the mark of the one that did where that is Unhealthy or Down, and
/// no mark where it is Up: nobody looked at the whole application that day.
pub(crate) fn instance_bar(member: &Member, bars: &BTreeMap<ScanKind, DayBar>) -> DayBar {
    let enabled: Vec<&DayBar> =
        member.facts.iter().filter(|s| s.enablement.is_enabled()).filter_map(|s| bars.get(&s.kind)).collect();
    let Some(first) = enabled.first() else { return DayBar::default() };
    let days = (0..first.days.len()).map(|n| {
        let cells: Vec<&DayCell> = enabled.iter().filter_map(|bar| bar.days.get(n)).collect();
        let sum = |of: fn(&DayCell) -> u32| cells.iter().map(|c| of(c)).fold(0, u32::saturating_add);
        let worst = cells.iter().filter_map(|c| c.mark).min();
        let silent = cells.iter().any(|c| c.mark.is_none());
        DayCell {
            date: first.days[n].date.clone(),
            mark: worst.filter(|mark| !silent || *mark != model::view::Mark::Up),
            succeeded: sum(|c| c.succeeded),
            partial: sum(|c| c.partial),
            failed: sum(|c| c.failed),
        }
    });
    DayBar { days: days.collect() }
}

impl Ops {
    /// How much of the last 30 and 90 days the application was Up.
    pub(crate) async fn availability(
        &self,
        member: &Member,
        now: Timestamp,
    ) -> Result<Vec<AvailabilityView>> {
        let id = member.id();
        let longest = SPANS.into_iter().max().unwrap_or_default();
        let start = now - Duration::days(i64::from(longest));
        let mut runs: BTreeMap<ScanKind, Vec<(Timestamp, bool)>> = BTreeMap::new();
        for (kind, at, succeeded) in runs::outcomes(self.db(), id, start - LONGEST).await.map_err(internal)? {
            runs.entry(kind).or_default().push((at, succeeded));
        }
        let enabled = member.facts.iter().filter(|s| s.enablement.is_enabled());
        let scans: Vec<Watched> = enabled
            .map(|s| Watched { interval: s.interval, runs: runs.remove(&s.kind).unwrap_or_default() })
            .collect();
        let paused = self.pauses(id, now).await?;
        let onboarded = member.row.instance.facts.onboarded_at;
        let view = |days: u32| {
            let from = (now - Duration::days(i64::from(days))).max(onboarded);
            let found = availability(&scans, &paused, from, now);
            AvailabilityView { days, hundredths: found.hundredths(), of: found.of }
        };
        Ok(SPANS.into_iter().map(view).collect())
    }

    /// When it was paused, as the audit log tells: it is never shortened.
    async fn pauses(&self, id: &InstanceId, now: Timestamp) -> Result<Vec<Stretch>> {
        let mut ends = Vec::new();
        for (action, on) in [("paused", true), ("resumed", false)] {
            let filter = audit::Filter {
                instance: Some(id.clone()),
                action: Some(action.to_owned()),
                ..audit::Filter::default()
            };
            let mut after = None;
            loop {
                let cut = store::Cut { after: after.as_deref(), before: None, limit: 200 };
                let page = audit::list(self.db(), &filter, cut).await.map_err(from_store)?;
                ends.extend(page.rows.iter().map(|row| (row.at, on)));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        ends.sort_unstable();
        let (mut stretches, mut since) = (Vec::new(), None);
        for (at, on) in ends {
            match (on, since) {
                (true, None) => since = Some(at),
                (false, Some(from)) => {
                    stretches.push((from, at));
                    since = None;
                }
                _ => {}
            }
        }
        stretches.extend(since.map(|from| (from, now)));
        Ok(stretches)
    }

    /// What the latest runs of each supported scan took, oldest first.
    pub(crate) async fn trends(&self, member: &Member) -> Result<Vec<(ScanKind, Vec<TrendPoint>)>> {
        let mut trends = Vec::new();
        for scan in &member.facts {
            let filter =
                runs::Filter { instance: Some(member.id().clone()), kind: Some(scan.kind), outcome: None };
            let page = runs::log(self.db(), &filter, store::Cut::first(TREND)).await.map_err(internal)?;
            let points = page.rows.into_iter().rev().map(|run| TrendPoint {
                at: run.finished_at,
                took: run.finished_at - run.started_at,
                requests: run.cost.requests,
                outcome: run.outcome,
            });
            trends.push((scan.kind, points.collect()));
        }
        Ok(trends)
    }
}

/// The oldest of what the enabled scans last read successfully.
pub(crate) fn data_as_of(member: &Member) -> Option<Timestamp> {
    let enabled = member.facts.iter().filter(|s| s.enablement.is_enabled());
    enabled.map(|s| s.last_success_at).min().flatten()
}
