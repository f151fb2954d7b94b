//! What is told of what was read: neither better than it is, nor less bad.

use std::collections::{BTreeMap, BTreeSet};

use model::finding::FindingState;
use model::health::ScanFacts;
use model::id::InstanceId;
use model::scan::{RunOutcome, ScanKind};
use store::instances::InstanceWithScans;
use store::{Cut, Db, Order, accounts, findings, runs};

use super::super::vendors::Page;
use super::{ALL, Checked, Checker, Watch, must};

/// What a run was given of the list it is about, over all its leases.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Said to be everything.
    whole: bool,
    records: BTreeMap<String, Option<bool>>,
}

impl Given {
    /// A page takes the place of what came from there on before.
    pub(super) fn take(&mut self, page: Page) {
        let Page { after, records, last } = page;
        self.records.retain(|id, _| after.as_ref().is_some_and(|after| id <= after));
        self.records.extend(records);
        self.whole = last;
    }
}

impl Watch {
    /// What a run made of what it was given.
    pub(super) async fn news(
        &mut self,
        db: &Db,
        place: &str,
        row: &InstanceWithScans,
        (old, new): (&ScanFacts, &ScanFacts),
        given: Given,
    ) -> Checked {
        let id = &row.instance.id;
        let last = new.last.as_ref().expect("a run was stored");
        let fold = self.folds.entry((id.clone(), new.kind)).or_default();
        // An emptiness is not believed until a second run agrees, an interval later.
        let mut believed = given.whole;
        if given.whole && given.records.is_empty() && fold.had >= 10 {
            let first = *fold.emptied_at.get_or_insert(last.finished_at);
            believed = fold.confirmed || last.finished_at - first >= old.interval;
        }
        let succeeded = last.outcome == RunOutcome::Succeeded;
        if succeeded {
            (fold.had, fold.emptied_at, fold.confirmed) = (given.records.len(), None, false);
        }
        must(believed || !succeeded, Checker::AbsenceIsNoNews, || {
            format!("{place}: {:?}, though it was given {given:?}", last.outcome)
        })?;
        let is = |id: &str| given.records.get(id).copied();
        // What a run has seen that was ended from outside is not judged.
        let judged = !matches!(last.outcome, RunOutcome::Failed(_));
        match new.kind {
            ScanKind::Config => {
                let open = open_findings(db, id).await;
                for gone in self.open.get(id).into_iter().flatten().filter(|was| !open.contains(*was)) {
                    let settled = succeeded && matches!(is(gone), None | Some(Some(true)));
                    must(settled, Checker::AbsenceIsNoNews, || {
                        format!("{place}: the finding about {gone} was resolved, given {given:?}")
                    })?;
                }
                for (bad, _) in given.records.iter().filter(|(_, is)| judged && **is == Some(false)) {
                    must(open.contains(bad), Checker::BadNewsIsTold, || {
                        format!(
                            "{place}: {bad} stands open, and there is no finding: {open:?}, given {given:?}"
                        )
                    })?;
                }
                self.open.insert(id.clone(), open);
                let good = given.records.iter().filter(|(_, is)| **is == Some(true)).count() as u64;
                let tallies = runs::tallies(db, id).await.expect("tallies");
                let passed: u64 =
                    tallies.iter().filter(|t| t.kind == new.kind).map(|tally| tally.tally.pass).sum();
                must(passed <= good, Checker::AbsenceIsNoNews, || {
                    format!("{place}: {passed} pass, but {good} were said to be locked: {given:?}")
                })
            }
            _ => {
                let there = accounts_there(db, id).await;
                for gone in self.there.get(id).into_iter().flatten().filter(|was| !there.contains(*was)) {
                    must(succeeded && is(gone).is_none(), Checker::AbsenceIsNoNews, || {
                        format!("{place}: the account {gone} is gone, given {given:?}")
                    })?;
                }
                self.there.insert(id.clone(), there);
                Ok(())
            }
        }
    }
}

async fn open_findings(db: &Db, id: &InstanceId) -> BTreeSet<String> {
    let filter = findings::Filter { instance: Some(id.clone()), ..findings::Filter::default() };
    let sort = findings::Sort::default();
    let page = findings::list(db, &filter, sort, Order::default(), Cut::first(ALL)).await.expect("findings");
    let open = page.rows.into_iter().filter(|finding| finding.state != FindingState::Resolved);
    open.map(|finding| finding.resource).collect()
}

async fn accounts_there(db: &Db, id: &InstanceId) -> BTreeSet<String> {
    let filter = accounts::Filter { instance: Some(id.clone()), ..accounts::Filter::default() };
    let sort = accounts::Sort::default();
    let page = accounts::list(db, &filter, sort, Order::default(), Cut::first(ALL)).await.expect("accounts");
    page.rows.into_iter().map(|account| account.id).collect()
}
