use std::collections::BTreeSet;

use model::finding::Severity;
use model::scan::ScanKind;
use model::value::Value;
use store::findings::{self, Filter, Sort};
use store::findings::{Exception, OperatorState};
use store::{Cut, Order, StoreError, accounts, instances, numbers, plugins};

use crate::support::*;

const SEVERITIES: [Severity; 5] = Severity::ALL;

async fn fill(f: &Fixture) {
    for name in ["beta", "Alpha", "gamma"] {
        let id = onboard(&f.db, name, &[CONFIG]).await;
        let failing: Vec<_> = (0..25)
            .map(|n| fails(&format!("example/check-{}", n % 4), &format!("r{:02}", n), SEVERITIES[n % 5]))
            .collect();
        run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing[..20]).await;
        run_with(&f.db, &id, CONFIG, min(2), |c| c.results = &failing[10..]).await;
    }
}

/// Walks all pages forwards, then all the way back.
async fn walk(f: &Fixture, filter: &Filter, sort: Sort, order: Order, limit: u32) -> Vec<findings::Finding> {
    let mut rows = Vec::new();
    let mut page = findings::list(&f.db, filter, sort, order, Cut::first(limit)).await.unwrap();
    assert_eq!(page.previous, None);
    let total = page.total;
    let mut starts = vec![page.rows.clone()];
    rows.append(&mut page.rows);
    let mut next = page.next.clone();
    let mut previous = None;
    while let Some(after) = next {
        let cut = Cut { after: Some(&after), before: None, limit };
        page = findings::list(&f.db, filter, sort, order, cut).await.unwrap();
        assert_eq!(page.total, total);
        starts.push(page.rows.clone());
        rows.append(&mut page.rows);
        (next, previous) = (page.next, page.previous);
    }
    starts.pop();
    while let Some(before) = previous {
        let cut = Cut { after: None, before: Some(&before), limit };
        let back = findings::list(&f.db, filter, sort, order, cut).await.unwrap();
        assert_eq!(Some(back.rows), starts.pop(), "the page before is the page that was there");
        assert!(back.next.is_some());
        previous = back.previous;
    }
    assert!(starts.is_empty(), "back at the first page");
    assert_eq!(rows.len() as u64, total);
    rows
}

on_both! {
    async fn a_list_walked_by_ids_is_the_list(f: Fixture) {
        fill(&f).await;
        let high = Filter { severities: vec![Severity::High, Severity::Low], ..Filter::default() };
        for filter in [Filter::default(), high.clone()] {
            for (sort, order) in [(Sort::Severity, Order::Descending), (Sort::Instance, Order::Ascending)] {
                let whole = walk(&f, &filter, sort, order, 50).await;
                let mut walked = Vec::new();
                let mut after: Option<String> = None;
                loop {
                    let stretch = findings::ids(&f.db, &filter, sort, order, after.as_deref(), 11).await.unwrap();
                    assert!(stretch.ids.len() <= 11);
                    walked.extend(findings::of_ids(&f.db, &filter, &stretch.ids).await.unwrap());
                    after = stretch.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(walked, whole);
            }
        }
        let all = findings::ids(&f.db, &Filter::default(), Sort::Resource, Order::Ascending, None, 1000).await.unwrap();
        let still = findings::of_ids(&f.db, &high, &all.ids).await.unwrap();
        assert!(!still.is_empty() && still.len() < all.ids.len(), "the filter holds when the rows are read");
        assert!(still.iter().all(|s| high.severities.contains(&s.severity)));
    }

    async fn a_page_says_how_many_there_are_on_all(f: Fixture) {
        fill(&f).await;
        let some = Filter { instance: Some("beta".into()), ..Filter::default() };
        for (filter, there) in [(Filter::default(), 75), (some, 25), (Filter { text: Some("nowhere".to_owned()), ..Filter::default() }, 0)] {
            assert_eq!(findings::count(&f.db, &filter).await.unwrap(), there);
            // With less room than rows, with just as much, with more; and with none, which only counts.
            for limit in [0, 1, 24, 25, 26, 74, 75, 76] {
                let page = findings::list(&f.db, &filter, Sort::Severity, Order::Descending, Cut::first(limit)).await.unwrap();
                assert_eq!(page.total, there, "{limit}");
                assert_eq!(page.rows.len() as u64, there.min(limit.into()), "{limit}");
                assert_eq!(page.next.is_some(), limit > 0 && there > limit.into(), "{limit}");
            }
        }
    }

    async fn every_sort_pages_through_every_row_once(f: Fixture) {
        fill(&f).await;
        for sort in [Sort::Severity, Sort::FirstSeen, Sort::LastSeen, Sort::Check, Sort::Resource, Sort::Instance, Sort::ExceptionEnds] {
            for order in [Order::Ascending, Order::Descending] {
                let rows = walk(&f, &Filter::default(), sort, order, 7).await;
                let ids: BTreeSet<_> = rows.iter().map(|r| r.id.clone()).collect();
                assert_eq!((rows.len(), ids.len()), (75, 75));
                let key = |r: &findings::Finding| match sort {
                    Sort::Severity => format!("{}", r.severity as u8),
                    Sort::FirstSeen => format!("{}", r.first_seen_at.0),
                    Sort::LastSeen => format!("{}", r.last_seen_at.0),
                    Sort::Check => r.check.to_string(),
                    Sort::Resource => r.resource.clone(),
                    Sort::Instance => r.instance_name.to_lowercase(),
                    Sort::ExceptionEnds => String::new(),
                };
                let keys: Vec<String> = rows.iter().map(key).collect();
                let mut sorted = keys.clone();
                sorted.sort();
                if order == Order::Descending {
                    sorted.reverse();
                }
                assert_eq!(keys, sorted, "{sort:?} {order:?}");
            }
        }
    }

    async fn filters_narrow_to_what_they_say(f: Fixture) {
        fill(&f).await;
        let n = async |filter: Filter| findings::count(&f.db, &filter).await.unwrap();
        let all = Filter::default;
        assert_eq!(n(Filter { instance: Some("beta".into()), ..all() }).await, 25);
        assert_eq!(n(Filter { app: Some("example".into()), ..all() }).await, 75);
        assert_eq!(n(Filter { app: Some("other".into()), ..all() }).await, 0);
        assert_eq!(n(Filter { owner: Some("nobody".into()), ..all() }).await, 0);
        assert_eq!(n(Filter { check: Some("example/check-0".into()), ..all() }).await, 21);
        assert_eq!(n(Filter { kind: Some(ScanKind::Plugins), ..all() }).await, 0);
        assert_eq!(n(Filter { resource: Some("r03".to_owned()), ..all() }).await, 3);
        let worst = vec![Severity::Critical, Severity::High];
        assert_eq!(n(Filter { severities: worst, ..all() }).await, 30);
        assert_eq!(n(Filter { states: vec![model::finding::FindingState::Resolved], ..all() }).await, 0);
        assert_eq!(n(Filter { stale: Some(true), ..all() }).await, 0);
        assert_eq!(n(Filter { first_seen_since: Some(min(2)), ..all() }).await, 15);
        assert_eq!(n(Filter { text: Some("R03 FAILS".to_owned()), ..all() }).await, 3);
        assert_eq!(n(Filter { text: Some("alph".to_owned()), ..all() }).await, 25, "the instance's name");
        assert_eq!(n(Filter { text: Some("%".to_owned()), ..all() }).await, 0, "a wildcard is a letter");
        assert_eq!(n(Filter { text: Some("'; DROP TABLE findings; --".to_owned()), ..all() }).await, 0);
        let counts = findings::severity_counts(&f.db, &Filter { instance: Some("beta".into()), ..all() }).await;
        assert_eq!(counts.unwrap().into_iter().collect::<Vec<_>>(), SEVERITIES.map(|s| (s, 5)).into_iter().rev().collect::<Vec<_>>());
        let by_check = findings::counts_by_check(&f.db).await.unwrap();
        assert_eq!(by_check[&"example/check-0".into()], (21, 3));
        let worst = findings::of_resources(&f.db, &"beta".into(), CONFIG, &["r00", "r01", "none"]).await.unwrap();
        assert_eq!(worst.iter().map(|r| r.resource.as_str()).collect::<Vec<_>>(), ["r00", "r01"]);
    }

    async fn a_cursor_of_another_list_is_refused(f: Fixture) {
        fill(&f).await;
        let first = findings::list(&f.db, &Filter::default(), Sort::Check, Order::Ascending, Cut::first(5)).await;
        let next = first.unwrap().next.unwrap();
        assert!(next.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "safe in addresses");
        for after in ["", "x", "W10", next.as_str()] {
            let cut = Cut { after: Some(after), before: None, limit: 5 };
            let refused = findings::list(&f.db, &Filter::default(), Sort::Severity, Order::Ascending, cut).await;
            assert!(matches!(refused, Err(StoreError::BadCursor)), "{after:?}");
        }
    }

    async fn names_sort_alike_on_both_databases(f: Fixture) {
        for name in ["zeta", "Beta", "alpha", "_x", "Ä", "10", "9"] {
            onboard(&f.db, name, &[CONFIG]).await;
        }
        let names: Vec<String> =
            instances::all(&f.db).await.unwrap().into_iter().map(|i| i.instance.name).collect();
        assert_eq!(names, ["10", "9", "_x", "alpha", "Beta", "zeta", "Ä"]);
    }

    async fn accounts_and_plugins_walked_by_ids_are_the_lists(f: Fixture) {
        let (kind, other) = (ScanKind::Accounts, ScanKind::Plugins);
        let (mut instances, grades) = (Vec::new(), ["low", "unknown", "medium", "high"]);
        for name in ["a", "b"] {
            let id = onboard(&f.db, name, &[kind, other]).await;
            // Names that two instances share, and letters that locales sort apart.
            let people: Vec<_> = (0..23).map(|n| account(&n.to_string(), &format!("{}ser{}", ["U", "u", "Ü"][n % 3], n / 2), Value::Unknown)).collect();
            let apps: Vec<_> = (0..17).map(|n| plugin(&n.to_string(), &format!("app{n}"), grades[n % 4])).collect();
            run_with(&f.db, &id, kind, min(1), |c| c.accounts = all_of(&people)).await;
            run_with(&f.db, &id, other, min(1), |c| c.plugins = all_of(&apps)).await;
            instances.push(id);
        }
        for instance in [None, Some(instances[0].clone())] {
            let n = if instance.is_some() { 1 } else { 2 };
            let filter = accounts::Filter { instance: instance.clone(), ..Default::default() };
            for (sort, order) in [
                (accounts::Sort::Username, Order::Ascending),
                (accounts::Sort::LastActive, Order::Descending),
                (accounts::Sort::Findings, Order::Descending),
            ] {
                let list = accounts::list(&f.db, &filter, sort, order, Cut::first(100)).await.unwrap().rows;
                let (mut walked, mut after) = (Vec::new(), None::<String>);
                loop {
                    let stretch = accounts::ids(&f.db, &filter, sort, order, after.as_deref(), 5).await.unwrap();
                    walked.extend(accounts::of_ids(&f.db, &filter, &stretch.ids).await.unwrap());
                    after = stretch.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!((walked.len(), walked == list), (23 * n, true), "{sort:?}");
            }
            let filter = plugins::Filter { instance, ..Default::default() };
            for (sort, order) in [(plugins::Sort::Grade, Order::Descending), (plugins::Sort::Name, Order::Ascending)] {
                let list = plugins::list(&f.db, &filter, sort, order, Cut::first(100)).await.unwrap().rows;
                let (mut walked, mut after) = (Vec::new(), None::<String>);
                loop {
                    let stretch = plugins::ids(&f.db, &filter, sort, order, after.as_deref(), 5).await.unwrap();
                    walked.extend(plugins::of_ids(&f.db, &filter, &stretch.ids).await.unwrap());
                    after = stretch.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!((walked.len(), walked == list), (17 * n, true), "{sort:?}");
            }
        }
        let all = accounts::Filter::default();
        let before = accounts::ids(&f.db, &all, accounts::Sort::Username, Order::Ascending, None, 100).await.unwrap();
        assert_eq!((before.ids.len(), before.next), (46, None));
        run_with(&f.db, &instances[0], kind, min(2), |c| c.accounts = all_of(&[])).await;
        let still = accounts::of_ids(&f.db, &all, &before.ids).await.unwrap();
        assert_eq!(still.len(), 23, "those that went meanwhile are left out");
        let wrong = accounts::ids(&f.db, &all, accounts::Sort::Username, Order::Ascending, Some("WzEsIngiXQ"), 5).await;
        assert!(matches!(wrong, Err(StoreError::BadCursor)), "a cursor of another sort: {wrong:?}");
    }

    async fn accounts_and_plugins_carry_their_findings(f: Fixture) {
        let (kind, other) = (ScanKind::Accounts, ScanKind::Plugins);
        let id = onboard(&f.db, "a", &[kind, other]).await;
        let people: Vec<_> = (0..5).map(|n| account(&n.to_string(), &format!("user{n}"), Value::Unknown)).collect();
        let mut failing = vec![
            fails("shared/mfa", "1", Severity::High),
            fails("shared/dormant", "1", Severity::Low),
            fails("shared/mfa", "3", Severity::High),
        ];
        for f in &mut failing {
            f.scan = kind;
        }
        run_with(&f.db, &id, kind, min(1), |c| {
            c.accounts = all_of(&people);
            c.results = &failing;
        })
        .await;
        let sort = accounts::Sort::Findings;
        let all = accounts::Filter::default();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let cut = Cut { after: after.as_deref(), before: None, limit: 2 };
            let page = accounts::list(&f.db, &all, sort, Order::Descending, cut).await.unwrap();
            found.extend(page.rows.iter().map(|r| (r.id.clone(), r.findings)));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(found[..2], [("1".to_owned(), 2), ("3".to_owned(), 1)]);
        assert_eq!(found.len(), 5);
        let n = async |filter: accounts::Filter| accounts::count(&f.db, &filter).await.unwrap();
        assert_eq!(n(accounts::Filter { with_findings: Some(true), ..all.clone() }).await, 2);
        assert_eq!(n(accounts::Filter { with_findings: Some(false), ..all.clone() }).await, 3);
        assert_eq!(n(accounts::Filter { check: Some("shared/dormant".into()), ..all.clone() }).await, 1);
        assert_eq!(n(accounts::Filter { inactive_since: Some(min(1)), ..all.clone() }).await, 5, "never active");
        assert_eq!(n(accounts::Filter { stale: Some(true), ..all }).await, 0);

        // The count follows whatever changes a finding: an operator, the end of an exception, a run.
        let at_risk = async || {
            let filter = accounts::Filter { with_findings: Some(true), ..Default::default() };
            let page = accounts::list(&f.db, &filter, sort, Order::Descending, Cut::first(9)).await.unwrap();
            page.rows.iter().map(|r| (r.id.clone(), r.findings)).collect::<Vec<_>>()
        };
        let of_three = findings::Filter { resource: Some("3".to_owned()), ..Default::default() };
        let by = (findings::Sort::Severity, Order::Descending);
        let three = findings::list(&f.db, &of_three, by.0, by.1, Cut::first(1)).await.unwrap().rows.remove(0);
        let accepted = Exception { reason: "a machine".to_owned(), approver: "ada".to_owned(), expires_at: min(5) };
        let state = OperatorState::Suppressed(accepted);
        findings::set_state(&f.db, &three.id, &state, "ada", min(2), audit("finding.except")).await.unwrap();
        assert_eq!(at_risk().await, [("1".to_owned(), 2)]);
        findings::expire_exceptions(&f.db, min(6)).await.unwrap();
        assert_eq!(at_risk().await, [("1".to_owned(), 2), ("3".to_owned(), 1)]);
        let dormant = findings::Filter { check: Some("shared/dormant".into()), ..Default::default() };
        let gone = findings::list(&f.db, &dormant, by.0, by.1, Cut::first(1)).await.unwrap().rows.remove(0).id;
        let left: Vec<_> = failing.iter().filter(|f| f.check.as_str() == "shared/mfa").cloned().collect();
        let resolved = [gone];
        run_with(&f.db, &id, kind, min(7), |c| {
            c.accounts = all_of(&people);
            c.results = &left;
            c.resolved = &resolved;
        })
        .await;
        assert_eq!(at_risk().await, [("3".to_owned(), 1), ("1".to_owned(), 1)]);
        run_with(&f.db, &id, kind, min(8), |c| {
            c.accounts = all_of(&people);
            c.results = &failing;
        })
        .await;

        let apps = [plugin("p1", "B", "low"), plugin("p2", "A", "unknown"), plugin("p3", "C", "high")];
        run_with(&f.db, &id, other, min(2), |c| c.plugins = all_of(&apps)).await;
        let cut = Cut::first(10);
        let all = plugins::Filter::default();
        let page = plugins::list(&f.db, &all, plugins::Sort::Grade, Order::Descending, cut).await.unwrap();
        assert_eq!(page.rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["p3", "p2", "p1"]);
        assert_eq!(page.rows[0].record, apps[2]);
        let numbers = numbers::all(&f.db, min(0)).await.unwrap();
        let n = &numbers[&id];
        assert_eq!((n.accounts, n.accounts_at_risk, n.plugins, n.plugins_at_risk), (5, 2, 3, 0));
        assert_eq!((n.new, n.stale), (3, 0));
    }
}
