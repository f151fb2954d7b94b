//! One application: its heading and the tabs Summary, Drift and History.

use std::collections::BTreeMap;

use model::finding::{CheckTally, FindingState};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::Timestamp;
use model::view::{
    Actor, ApplicationHeader, CheckTotals, Cut, DriftPage, DriftRow, HistoryPage, HistoryQuery,
    InventorySummary, ScanSummary, SummaryPage, Unjudged,
};
use store::runs::Tally;
use store::{Cut as StoreCut, Order, accounts, drift, findings, plugins, runs};

use crate::Ops;
use crate::fleet::Member;
use crate::lists::{self, ROWS, facet, paging, plain_json};
use crate::refusal::{Result, internal, store as from_store};
use crate::runs::{bar_start, bars, run_row};

impl Ops {
    pub(crate) fn header(&self, member: &Member) -> ApplicationHeader {
        let now = self.now();
        let read = |kind: ScanKind| member.row.scan(kind).is_some_and(|s| s.facts.last_success_at.is_some());
        let risky_accounts = read(ScanKind::Accounts).then_some(member.counts.accounts_at_risk);
        let plugins = read(ScanKind::Plugins).then_some(member.counts.plugins);
        ApplicationHeader {
            instance: member.instance_ref(),
            status: member.status(now),
            owner: member.owner.clone(),
            warnings: member.warning_lines(now),
            reauthenticate: member.wants_credential(),
            open_findings: member.open_findings().map(|c| c.total()),
            risky_accounts,
            plugins,
        }
    }

    /// The Summary tab.
    ///
    /// # Errors
    /// When there is no such application.
    pub async fn summary(&self, _actor: &Actor, id: &InstanceId) -> Result<SummaryPage> {
        let now = self.now();
        let member = self.instance(id)?;
        let worst = findings::Filter {
            instance: Some(id.clone()),
            states: vec![FindingState::New, FindingState::InProgress],
            ..Default::default()
        };
        let worst = findings::list(
            self.db(),
            &worst,
            findings::Sort::Severity,
            Order::Descending,
            StoreCut::first(5),
        )
        .await
        .map_err(internal)?;
        let changes = drift::Filter { instance: Some(id.clone()), ..Default::default() };
        let changes = drift::list(self.db(), &changes, StoreCut::first(5)).await.map_err(internal)?;
        let tallies = runs::tallies(self.db(), id).await.map_err(internal)?;
        let judged = member.has_result() && !tallies.is_empty();
        Ok(SummaryPage {
            now,
            header: self.header(&member),
            scans: scans(&member, now),
            findings: member.open_findings(),
            new_since_yesterday: member.has_result().then_some(member.counts.new),
            worst: worst.rows.into_iter().map(|f| self.finding_row(f)).collect(),
            checks: judged.then(|| totals(&tallies)),
            unjudged: self.unjudged(&member, &tallies),
            accounts: self.account_summary(&member).await?,
            plugins: self.plugin_summary(&member).await?,
            drift: changes.rows.into_iter().map(|d| self.drift_row(&member, d.drift)).collect(),
        })
    }

    fn unjudged(&self, member: &Member, tallies: &[Tally]) -> Vec<Unjudged> {
        let mut list: Vec<Unjudged> = tallies
            .iter()
            .map(|t| &t.tally)
            .filter(|t| t.inconclusive > 0)
            .filter_map(|t| {
                let check = member.app.as_ref()?.checks.iter().find(|c| c.id == t.check)?;
                Some(Unjudged {
                    check: t.check.clone(),
                    title: check.title.clone(),
                    severity: check.severity,
                    reason: t.reason.clone().unwrap_or_else(|| "The answer could not be read.".to_owned()),
                    needs: t.needs.clone(),
                    records: t.inconclusive,
                })
            })
            .collect();
        list.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.title.cmp(&b.title)));
        list
    }

    async fn account_summary(&self, member: &Member) -> Result<Option<InventorySummary>> {
        let Some(scan) = member.row.scan(ScanKind::Accounts).filter(|s| s.facts.last_success_at.is_some())
        else {
            return Ok(None);
        };
        let base = accounts::Filter { instance: Some(member.id().clone()), ..Default::default() };
        let count =
            async |filter: accounts::Filter| accounts::count(self.db(), &filter).await.map_err(internal);
        let total = count(base.clone()).await?;
        let risky = |of: &dyn Fn(bool) -> accounts::Filter, bad: bool| (of(bad), of(!bad));
        let asked = [
            ("Privileged", risky(&|v| accounts::Filter { privileged: Some(v), ..base.clone() }, true)),
            (
                "Without a second factor",
                risky(&|v| accounts::Filter { second_factor: Some(v), ..base.clone() }, false),
            ),
            ("External", risky(&|v| accounts::Filter { external: Some(v), ..base.clone() }, true)),
        ];
        let mut groups = Vec::new();
        for (title, (bad, good)) in asked {
            let (bad, good) = (count(bad).await?, count(good).await?);
            groups.push((title.to_owned(), told(bad, bad + good, total)));
        }
        let whose = |identity| accounts::Filter { identity: Some(identity), ..base.clone() };
        let unknown = count(whose(accounts::Match::Unknown)).await?;
        for (title, of) in [
            ("Not from the identity provider", accounts::Match::Unmatched),
            ("Of people who have left", accounts::Match::Deactivated),
        ] {
            groups.push((
                title.to_owned(),
                told(count(whose(of)).await?, total.saturating_sub(unknown), total),
            ));
        }
        let open = count(accounts::Filter { with_findings: Some(true), ..base }).await?;
        groups.push(("With open findings".to_owned(), Some(open)));
        Ok(Some(inventory(scan, total, groups)))
    }

    async fn plugin_summary(&self, member: &Member) -> Result<Option<InventorySummary>> {
        let Some(scan) = member.row.scan(ScanKind::Plugins).filter(|s| s.facts.last_success_at.is_some())
        else {
            return Ok(None);
        };
        let base = plugins::Filter { instance: Some(member.id().clone()), ..Default::default() };
        let count =
            async |filter: plugins::Filter| plugins::count(self.db(), &filter).await.map_err(internal);
        let total = count(base.clone()).await?;
        let grade = |grade: &str| plugins::Filter { grade: Some(grade.to_owned()), ..base.clone() };
        let (high, medium, low) =
            (count(grade("high")).await?, count(grade("medium")).await?, count(grade("low")).await?);
        let known = high + medium + low;
        let groups = vec![
            ("High access".to_owned(), told(high, known, total)),
            ("Medium access".to_owned(), told(medium, known, total)),
            ("Low access".to_owned(), told(low, known, total)),
            (
                "Not reviewed".to_owned(),
                Some(
                    count(plugins::Filter { review: Some(model::plugin::Review::NotReviewed), ..base })
                        .await?,
                ),
            ),
        ];
        Ok(Some(inventory(scan, total, groups)))
    }

    pub(crate) fn drift_row(&self, member: &Member, drift: model::finding::Drift) -> DriftRow {
        DriftRow {
            at: drift.at,
            dataset: self.dataset_title(&member.row.instance.app, &drift.dataset),
            resource: drift.resource,
            field: drift.field,
            before: drift.before.as_ref().map(plain_json),
            after: drift.after.as_ref().map(plain_json),
        }
    }

    /// The Drift tab.
    ///
    /// # Errors
    /// When there is no such application, or the cursor cannot be used.
    pub async fn drift(&self, _actor: &Actor, id: &InstanceId, cut: &Cut) -> Result<DriftPage> {
        let member = self.instance(id)?;
        let filter = drift::Filter { instance: Some(id.clone()), ..Default::default() };
        let page = drift::list(self.db(), &filter, lists::cut(cut, ROWS)?).await.map_err(from_store)?;
        let paging = paging(&page, page.total);
        Ok(DriftPage {
            now: self.now(),
            header: self.header(&member),
            rows: page.rows.into_iter().map(|d| self.drift_row(&member, d.drift)).collect(),
            paging,
        })
    }

    /// The History tab.
    ///
    /// # Errors
    /// When there is no such application, or the cursor cannot be used.
    pub async fn history(
        &self,
        _actor: &Actor,
        id: &InstanceId,
        query: &HistoryQuery,
    ) -> Result<HistoryPage> {
        let now = self.now();
        let member = self.instance(id)?;
        let all = runs::Filter { instance: Some(id.clone()), ..Default::default() };
        let wanted = runs::Filter { kind: query.kind, outcome: query.outcome.clone(), ..all.clone() };
        let page = runs::log(self.db(), &wanted, lists::cut(&query.cut, ROWS)?).await.map_err(from_store)?;
        let unfiltered = runs::log(self.db(), &all, StoreCut::first(0)).await.map_err(internal)?.total;
        let days = runs::days(self.db(), id, bar_start(now)).await.map_err(internal)?;
        let mut bars = bars(days, now);
        let kinds: Vec<(&str, &str)> =
            member.facts.iter().map(|s| (s.kind.as_str(), s.kind.title())).collect();
        let paging = paging(&page, unfiltered);
        Ok(HistoryPage {
            now,
            header: self.header(&member),
            facets: vec![
                facet("kind", "Scan", query.kind.map(ScanKind::as_str), &kinds),
                facet(
                    "outcome",
                    "Outcome",
                    query.outcome.as_deref(),
                    &[("succeeded", "Succeeded"), ("partial", "Partial"), ("failed", "Failed")],
                ),
            ],
            bar: crate::health::instance_bar(&member, &bars),
            availability: self.availability(&member, now).await?,
            data_as_of: crate::health::data_as_of(&member),
            trends: self.trends(&member).await?,
            bars: member.facts.iter().filter_map(|s| Some((s.kind, bars.remove(&s.kind)?))).collect(),
            runs: page.rows.into_iter().map(|r| run_row(&member, r, now)).collect(),
            paging,
        })
    }
}

fn scans(member: &Member, now: Timestamp) -> Vec<ScanSummary> {
    let paused = member.is_paused();
    member
        .facts
        .iter()
        .zip(member.scan_marks(now))
        .map(|(facts, mark)| ScanSummary {
            mark,
            last_finished_at: facts.last.as_ref().map(|l| l.finished_at),
            records: facts.last.as_ref().map(|l| l.records),
            next_at: (facts.enablement.is_enabled() && !paused).then_some(facts.next_at),
        })
        .collect()
}

/// A count of what is known to be so. Where nothing is, and not everything is known, none is not a number to show: the
/// next answer could be the first one.
fn told(count: u64, known: u64, total: u64) -> Option<u64> {
    (count > 0 || known >= total).then_some(count)
}

fn inventory(scan: &store::scans::Scan, total: u64, groups: Vec<(String, Option<u64>)>) -> InventorySummary {
    let whole = scan.facts.last.as_ref().is_some_and(|l| l.outcome == model::scan::RunOutcome::Succeeded);
    InventorySummary { total, incomplete: !whole, groups, collected_at: scan.facts.last_success_at }
}

/// A check counts once, by its worst.
pub(crate) fn worst(tally: &CheckTally) -> &'static str {
    if tally.fail > 0 {
        "fail"
    } else if tally.inconclusive > 0 {
        "inconclusive"
    } else if tally.pass > 0 {
        "pass"
    } else {
        "not_applicable"
    }
}

fn totals(tallies: &[Tally]) -> CheckTotals {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for tally in tallies {
        *by.entry(worst(&tally.tally)).or_default() += 1;
    }
    let of = |word: &str| by.get(word).copied().unwrap_or(0);
    CheckTotals {
        pass: of("pass"),
        fail: of("fail"),
        inconclusive: of("inconclusive"),
        not_applicable: of("not_applicable"),
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn no_count_where_nothing_is_known() {
        assert_eq!(told(0, 0, 120), None, "unknown for everybody is not zero");
        assert_eq!(told(0, 119, 120), None, "unknown for one is not zero");
        assert_eq!(told(0, 120, 120), Some(0));
        assert_eq!(told(3, 7, 120), Some(3), "a lower bound is worth saying");
        assert_eq!(told(0, 0, 0), Some(0));
    }
}
