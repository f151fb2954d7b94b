//! Identity providers, whose accounts are, and what people make of them.

use model::id::{DirectoryId, InstanceId};
use model::identity::{Identity, IdentityKey, MAX_AGE, State};
use model::plugin::Review;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use store::directories::{self, Link, Upload};
use store::plugins::across;
use store::{Cut, Db, Order, accounts, findings, instances, people, plugins, scans};

use crate::support::*;

const ACCOUNTS: ScanKind = ScanKind::Accounts;

/// An account in a state, matched with an identity or known to be nobody's.
fn owned(id: &str, state: &str, whose: Option<(&str, &str)>) -> Record {
    let shape = &model::account::SHAPE;
    let mut record = account(id, id, Value::Bool(false));
    let mut set = |name: &str, value: Value| {
        let (at, _) = shape.field(name).expect("a field");
        record.values[at] = value;
    };
    set("state", Value::string(state));
    match whose {
        Some((key, state)) => {
            set("identity", Value::string(key));
            set("identity_name", Value::string(key.split('/').next_back().unwrap_or(key)));
            set("identity_state", Value::string(state));
        }
        None => set("identity", Value::Null),
    }
    record
}

async fn wanted(db: &Db, instance: &InstanceId) -> Option<Timestamp> {
    instances::get(db, instance).await.unwrap().scan(ACCOUNTS).unwrap().facts.wanted_at
}

async fn read(db: &Db, instance: &InstanceId, at: i64, records: &[Record], complete: bool) {
    let subjects = if complete { all_of(records) } else { some_of(records) };
    run_with(db, instance, ACCOUNTS, min(at), |c| c.accounts = subjects).await;
}

on_both! {
    async fn a_reading_asks_for_those_who_were_matched_with_leavers(f: Fixture) {
        let idp = onboard(&f.db, "idp", &[ACCOUNTS]).await;
        let mut others = Vec::new();
        for name in ["with-ann", "with-bob", "empty"] {
            others.push(onboard(&f.db, name, &[ACCOUNTS]).await);
        }
        read(&f.db, &idp, 1, &[], true).await;
        read(&f.db, &others[2], 1, &[], true).await;
        let v0 = directories::version(&f.db).await.unwrap();
        read(&f.db, &others[0], 1, &[owned("a", "active", Some(("idp/ann", "active")))], true).await;
        read(&f.db, &others[1], 1, &[owned("b", "active", Some(("idp/bob", "active")))], true).await;
        assert_eq!(directories::version(&f.db).await.unwrap(), v0, "no identity provider changed");

        assert!(directories::mark(&f.db, &idp, MAX_AGE, "ada", min(2), audit("mark")).await.unwrap());
        assert!(!directories::mark(&f.db, &idp, MAX_AGE, "ada", min(2), audit("mark")).await.unwrap(), "it is one");
        assert_eq!(wanted(&f.db, &idp).await, Some(min(2)), "it is read first");
        assert_eq!(wanted(&f.db, &others[0]).await, None);
        let v1 = directories::version(&f.db).await.unwrap();
        assert!(v1 > v0);
        let all = directories::all(&f.db).await.unwrap();
        assert_eq!((all[0].name.as_str(), all[0].complete_at, all[0].marked_by.as_str()), ("idp", None, "ada"));

        // A part makes nothing judgeable; the whole does, and then everybody with accounts is asked for.
        let staff = [owned("ann", "active", None), owned("bob", "active", None)];
        read(&f.db, &idp, 3, &staff[..1], false).await;
        assert_eq!(wanted(&f.db, &others[0]).await, None);
        read(&f.db, &idp, 4, &staff, true).await;
        let asked = [wanted(&f.db, &others[0]).await, wanted(&f.db, &others[1]).await, wanted(&f.db, &others[2]).await];
        assert_eq!(asked, [Some(min(4)), Some(min(4)), None], "an instance without accounts has nothing to judge");
        assert_eq!(wanted(&f.db, &idp).await, None);
        read(&f.db, &others[0], 5, &[owned("a", "active", Some(("idp/ann", "active")))], true).await;
        read(&f.db, &others[1], 5, &[owned("b", "active", Some(("idp/bob", "active")))], true).await;

        // Nothing new: nobody is asked for.
        read(&f.db, &idp, 6, &staff, true).await;
        assert_eq!(wanted(&f.db, &others[0]).await, None);
        // Ann is suspended: whoever has an account of hers.
        read(&f.db, &idp, 7, &[owned("ann", "suspended", None), owned("bob", "active", None)], true).await;
        assert_eq!((wanted(&f.db, &others[0]).await, wanted(&f.db, &others[1]).await), (Some(min(7)), None));
        // Bob is not met in a part: that says nothing. In the whole he is gone.
        read(&f.db, &idp, 8, &[owned("ann", "suspended", None)], false).await;
        assert_eq!(wanted(&f.db, &others[1]).await, None);
        read(&f.db, &idp, 9, &[owned("ann", "suspended", None)], true).await;
        assert_eq!(wanted(&f.db, &others[1]).await, Some(min(9)));

        let (version, loaded) = directories::load(&f.db).await.unwrap();
        assert_eq!(version, directories::version(&f.db).await.unwrap());
        assert_eq!((loaded[0].complete_at, loaded[0].identities.len()), (Some(min(9)), 2));
        let states: Vec<_> = loaded[0].identities.iter().map(|i| (i.id.as_str(), i.state, i.seen_at)).collect();
        assert_eq!(states, [("ann", Some(State::Suspended), min(9)), ("bob", Some(State::Removed), min(9))]);

        let before = version;
        directories::unmark(&f.db, &DirectoryId::from("idp"), min(10), audit("unmark")).await.unwrap();
        assert!(directories::version(&f.db).await.unwrap() > before);
        assert_eq!(wanted(&f.db, &idp).await, Some(min(10)), "its own accounts are judged like all");
        let again = directories::unmark(&f.db, &DirectoryId::from("idp"), min(10), audit("unmark")).await;
        assert!(matches!(again, Err(store::StoreError::NotFound { .. })));
    }

    async fn accounts_that_were_judged_by_what_is_not_known_any_more_are_asked_for_again(f: Fixture) {
        let idp = onboard(&f.db, "idp", &[ACCOUNTS]).await;
        let other = onboard(&f.db, "other", &[ACCOUNTS]).await;
        read(&f.db, &other, 1, &[], true).await;
        directories::mark(&f.db, &idp, MAX_AGE, "ada", min(1), audit("mark")).await.unwrap();
        read(&f.db, &idp, 2, &[owned("ann", "active", None)], true).await;
        let by = directories::version(&f.db).await.unwrap();

        // Ann has left before an account of hers is stored for the first time, but after it was judged.
        read(&f.db, &idp, 3, &[owned("ann", "suspended", None)], true).await;
        let now = directories::version(&f.db).await.unwrap();
        assert!(now > by);
        assert_eq!(wanted(&f.db, &other).await, None, "nobody knew");
        let of_ann = [owned("a", "active", Some(("idp/ann", "active")))];
        run_with(&f.db, &other, ACCOUNTS, min(4), |c| {
            (c.accounts, c.judged_by) = (all_of(&of_ann), Some(by));
        })
        .await;
        assert_eq!(wanted(&f.db, &other).await, Some(min(4)));

        // What is known still asks for nothing, and neither does a run that read nobody.
        run_with(&f.db, &other, ACCOUNTS, min(5), |c| {
            (c.accounts, c.judged_by) = (all_of(&of_ann), Some(now));
        })
        .await;
        assert_eq!(wanted(&f.db, &other).await, None);
        run_with(&f.db, &other, ACCOUNTS, min(6), |c| (c.accounts, c.judged_by) = (some_of(&[]), Some(by))).await;
        assert_eq!(wanted(&f.db, &other).await, None);

        // An identity provider raises the version itself: only others' changes count.
        let staff = [owned("ann", "suspended", None)];
        run_with(&f.db, &idp, ACCOUNTS, min(7), |c| (c.accounts, c.judged_by) = (all_of(&staff), Some(now))).await;
        assert_eq!(wanted(&f.db, &idp).await, None);
        run_with(&f.db, &idp, ACCOUNTS, min(8), |c| (c.accounts, c.judged_by) = (all_of(&staff), Some(now))).await;
        assert_eq!(wanted(&f.db, &idp).await, Some(min(8)));
    }

    async fn who_leaves_as_an_account_of_theirs_is_stored_is_judged_again_whichever_comes_first(f: Fixture) {
        let idp = onboard(&f.db, "idp", &[ACCOUNTS]).await;
        let other = onboard(&f.db, "other", &[ACCOUNTS]).await;
        directories::mark(&f.db, &idp, MAX_AGE, "ada", min(1), audit("mark")).await.unwrap();
        let person = |n: usize| format!("person-{n:02}");
        let staff = |left: usize| -> Vec<Record> {
            (0..30).map(|n| owned(&person(n), if n < left { "suspended" } else { "active" }, None)).collect()
        };
        read(&f.db, &idp, 2, &staff(0), true).await;
        read(&f.db, &other, 3, &[], true).await;
        for n in 0..30 {
            let at = 4 + i64::try_from(n).unwrap();
            let judged_by = directories::version(&f.db).await.unwrap();
            let key = format!("idp/{}", person(n));
            let (people, account) = (staff(n + 1), [owned(&person(n), "active", Some((&key, "active")))]);
            // Each knows nothing of the other.
            tokio::join!(
                run_with(&f.db, &idp, ACCOUNTS, min(at), |c| c.accounts = all_of(&people)),
                run_with(&f.db, &other, ACCOUNTS, min(at), |c| {
                    (c.accounts, c.judged_by) = (all_of(&account), Some(judged_by));
                }),
            );
            assert_eq!(wanted(&f.db, &other).await, Some(min(at)), "{}", person(n));
        }
    }

    async fn an_identity_provider_that_is_removed_takes_its_people_with_it(f: Fixture) {
        let idp = onboard(&f.db, "idp", &[ACCOUNTS]).await;
        let other = onboard(&f.db, "other", &[ACCOUNTS]).await;
        read(&f.db, &other, 1, &[owned("a", "active", None)], true).await;
        directories::mark(&f.db, &idp, MAX_AGE, "ada", min(2), audit("mark")).await.unwrap();
        let version = directories::version(&f.db).await.unwrap();
        instances::remove(&f.db, &idp, min(3), audit("remove")).await.unwrap();
        assert!(directories::version(&f.db).await.unwrap() > version);
        assert_eq!(directories::all(&f.db).await.unwrap(), []);
        assert_eq!(wanted(&f.db, &other).await, Some(min(3)));
    }

    async fn whoever_a_later_list_leaves_out_is_removed(f: Fixture) {
        let other = onboard(&f.db, "other", &[ACCOUNTS]).await;
        read(&f.db, &other, 1, &[owned("a", "active", None)], true).await;
        let id = DirectoryId::from("list-1");
        let person = |id: &str| Identity {
            id: id.to_owned(),
            username: Some(format!("{id}@example.com")),
            addresses: vec![format!("{id}@example.com")],
            state: Some(State::Active),
            seen_at: min(2),
            ..Identity::default()
        };
        let list = |identities: Vec<Identity>, at| {
            let (db, id) = (f.db.clone(), id.clone());
            async move {
                let age = Duration::days(30);
                let upload = Upload { id: &id, name: "Staff", identities: &identities, max_age: age, by: "ada" };
                directories::upload(&db, upload, min(at), audit("upload")).await.unwrap();
            }
        };
        list(vec![person("ann"), person("bob")], 2).await;
        assert_eq!(wanted(&f.db, &other).await, Some(min(2)));
        list(vec![person("ann")], 3).await;
        let (_, loaded) = directories::load(&f.db).await.unwrap();
        let states: Vec<_> = loaded[0].identities.iter().map(|i| (i.id.as_str(), i.state, i.seen_at)).collect();
        assert_eq!(states, [("ann", Some(State::Active), min(3)), ("bob", Some(State::Removed), min(3))]);
        assert_eq!(directories::all(&f.db).await.unwrap()[0].identities, 1);
        list(vec![person("ann"), person("bob")], 4).await;
        let (_, loaded) = directories::load(&f.db).await.unwrap();
        assert!(loaded[0].identities.iter().all(|i| i.state == Some(State::Active)), "he is back");

        let found = directories::search(&f.db, "BOB@", 10).await.unwrap();
        assert_eq!((found.len(), found[0].identity.id.as_str(), found[0].directory_name.as_str()), (1, "bob", "Staff"));
        let key = IdentityKey { directory: id.clone(), id: "bob".to_owned() };
        let (marked, bob) = directories::identity(&f.db, &key).await.unwrap().expect("on the list");
        assert_eq!((marked.instance, bob.name()), (None, "bob@example.com"));
        let key = IdentityKey { directory: id, id: "zoe".to_owned() };
        assert_eq!(directories::identity(&f.db, &key).await.unwrap(), None);
    }

    async fn a_link_asks_for_a_scan_and_can_be_taken_away(f: Fixture) {
        let id = onboard(&f.db, "a", &[ACCOUNTS]).await;
        read(&f.db, &id, 1, &[owned("x", "active", None)], true).await;
        let link = |note: &str, at| Link {
            identity: IdentityKey { directory: "idp".into(), id: "ann/1".to_owned() },
            name: "ann".to_owned(),
            note: note.to_owned(),
            by: "ada".to_owned(),
            at: min(at),
        };
        let none = directories::link(&f.db, &id, "y", &link("", 2), audit("link")).await;
        assert!(matches!(none, Err(store::StoreError::NotFound { .. })), "there is no such account");
        directories::link(&f.db, &id, "x", &link("asked her", 2), audit("link")).await.unwrap();
        directories::link(&f.db, &id, "x", &link("asked again", 3), audit("link")).await.unwrap();
        assert_eq!(wanted(&f.db, &id).await, Some(min(2)));
        assert_eq!(directories::links_of(&f.db, &id).await.unwrap()["x"], link("asked again", 3));
        directories::unlink(&f.db, &id, "x", min(4), audit("unlink")).await.unwrap();
        assert!(directories::links_of(&f.db, &id).await.unwrap().is_empty());
        let again = directories::unlink(&f.db, &id, "x", min(4), audit("unlink")).await;
        assert!(matches!(again, Err(store::StoreError::NotFound { .. })));
    }

    async fn accounts_are_told_apart_and_gathered_by_whose_they_are(f: Fixture) {
        let (a, b) = (onboard(&f.db, "a", &[ACCOUNTS]).await, onboard(&f.db, "b", &[ACCOUNTS]).await);
        let unknown = account("u", "u", Value::Unknown);
        read(&f.db, &a, 1, &[
            owned("1", "active", Some(("d/ann", "active"))), owned("2", "active", Some(("d/bob", "suspended"))),
            owned("3", "active", None), unknown,
        ], true).await;
        read(&f.db, &b, 1, &[owned("4", "suspended", Some(("d/ann", "active")))], true).await;
        let count = async |identity| {
            accounts::count(&f.db, &accounts::Filter { identity: Some(identity), ..Default::default() }).await.unwrap()
        };
        let mut counts = Vec::new();
        for identity in accounts::Match::ALL {
            counts.push(count(identity).await);
        }
        assert_eq!(counts, [3, 1, 1, 1], "matched, of these deactivated; unmatched; unknown");
        let of_ann = accounts::Filter { identity_key: Some("d/ann".to_owned()), ..Default::default() };
        assert_eq!(accounts::count(&f.db, &of_ann).await.unwrap(), 2);

        let mut failing = fails("shared/account-leaver", "2", model::finding::Severity::High);
        failing.scan = ACCOUNTS;
        let held = claim(&f.db, &a, ACCOUNTS, min(2)).await.expect("free");
        let mut commit = nothing(&held, model::scan::RunOutcome::Succeeded, min(2));
        let results = [failing];
        commit.results = &results;
        store::runs::commit(&f.db, &held, commit).await.unwrap();
        let list = async |filter: people::Filter, sort, order| {
            people::list(&f.db, &filter, sort, order, Cut::first(10)).await.unwrap().rows
        };
        let all = list(people::Filter::default(), people::Sort::Risk, Order::Descending).await;
        assert_eq!(all.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["bob", "ann"], "the riskiest first");
        assert_eq!((all[0].worst, all[0].deactivated), (Some(model::finding::Severity::High), true));
        assert_eq!((all[1].accounts, all[1].instances, all[1].active, all[1].worst), (2, 2, 1, None));
        let deactivated = people::Filter { deactivated: Some(true), ..Default::default() };
        assert_eq!(list(deactivated, people::Sort::Name, Order::Ascending).await.len(), 1);
        let risky = people::Filter { with_findings: Some(false), ..Default::default() };
        assert_eq!(list(risky, people::Sort::Accounts, Order::Ascending).await[0].name, "ann");
        let text = people::Filter { text: Some("4@EXAMPLE".to_owned()), ..Default::default() };
        assert_eq!(list(text, people::Sort::Name, Order::Ascending).await[0].name, "ann", "by an account's address");
        let first = people::list(&f.db, &people::Filter::default(), people::Sort::Name, Order::Ascending, Cut::first(1)).await.unwrap();
        assert_eq!((first.rows[0].name.as_str(), first.total), ("ann", 2));
        let cut = Cut { after: first.next.as_deref(), before: None, limit: 1 };
        let second = people::list(&f.db, &people::Filter::default(), people::Sort::Name, Order::Ascending, cut).await.unwrap();
        assert_eq!((second.rows[0].name.as_str(), second.next), ("bob", None));
    }

    async fn one_third_party_in_two_applications_is_one_row(f: Fixture) {
        let kind = ScanKind::Plugins;
        let (a, b) = (onboard(&f.db, "a", &[kind]).await, onboard(&f.db, "b", &[kind]).await);
        let set = |mut record: Record, name: &str, value: Value| {
            let (at, _) = model::plugin::SHAPE.field(name).expect("a field");
            record.values[at] = value;
            record
        };
        let app = |id: &str, name: &str, grade: &str, users: &[&str]| {
            let users = users.iter().map(|user| Value::string(*user)).collect();
            let record = set(plugin(id, name, grade), "kind", Value::string("oauth_app"));
            set(set(record, "publisher", Value::string("Acme")), "users", Value::list(users))
        };
        let key = set(plugin("k", "deploy", "low"), "kind", Value::string("deploy_key"));
        let first = [app("1", "Deployer", "high", &["Ann", "bob"]), key.clone()];
        run_with(&f.db, &a, kind, min(1), |c| c.plugins = all_of(&first)).await;
        let second = [app("9", "deployer", "low", &["ann"]), key];
        run_with(&f.db, &b, kind, min(1), |c| c.plugins = all_of(&second)).await;
        let list = async |filter: across::Filter| {
            across::list(&f.db, &filter, across::Sort::Grade, Order::Descending, Cut::first(10)).await.unwrap().rows
        };
        let all = list(across::Filter::default()).await;
        assert_eq!(all.len(), 3, "the app once, a key of each instance for itself");
        let party = &all[0];
        let told = (party.plugins, party.instances, party.unreviewed, party.users, party.grade.as_str());
        assert_eq!(told, (2, 2, 2, 3, "high"));
        let reviewed = plugins::Reviewed { review: Review::Reviewed, note: "asked", by: "ada" };
        plugins::review(&f.db, &a, "1", reviewed, min(2), audit("review")).await.unwrap();
        let one = plugins::get(&f.db, &a, "1").await.unwrap();
        assert_eq!((one.review_note.as_str(), one.same.as_str()), ("asked", party.same.as_str()));
        let reviewed = across::Filter { review: Some(Review::Reviewed), ..Default::default() };
        assert_eq!(list(reviewed).await[0].unreviewed, 1);
        let of_it = plugins::Filter { same: Some(party.same.clone()), ..Default::default() };
        assert_eq!(plugins::count(&f.db, &of_it).await.unwrap(), 2);

        let users = async |sort| {
            let filter = across::UserFilter::default();
            across::users(&f.db, &filter, sort, Order::Descending, Cut::first(10)).await.unwrap().rows
        };
        let known = users(across::UserSort::Grade).await;
        let names: Vec<_> = known.iter().map(|u| (u.instance_name.as_str(), u.user.as_str(), u.plugins)).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        let of_bob = plugins::Filter { user: Some("BOB".to_owned()), ..Default::default() };
        assert_eq!(plugins::count(&f.db, &of_bob).await.unwrap(), 3, "his app and both keys");
        // What is gone acts for nobody, and whom a list read to its end leaves out it does not act for.
        let less = [app("1", "Deployer", "high", &["Ann"])];
        run_with(&f.db, &a, kind, min(3), |c| c.plugins = all_of(&less)).await;
        assert_eq!(plugins::count(&f.db, &of_bob).await.unwrap(), 1);
        let again = plugins::get(&f.db, &a, "1").await.unwrap();
        assert_eq!(again.review, Review::Reviewed);
    }

    async fn an_exception_that_has_ended_brings_its_finding_back_once(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let results = [fails("example/x", "1", model::finding::Severity::High), fails("example/x", "2", model::finding::Severity::Low)];
        let held = claim(&f.db, &id, CONFIG, min(1)).await.expect("free");
        let mut commit = nothing(&held, model::scan::RunOutcome::Succeeded, min(1));
        commit.results = &results;
        store::runs::commit(&f.db, &held, commit).await.unwrap();
        let all = findings::list(&f.db, &findings::Filter::default(), findings::Sort::Resource, Order::Ascending, Cut::first(9)).await.unwrap().rows;
        for (finding, ends) in all.iter().zip([10, 20]) {
            let exception = findings::Exception { reason: "agreed".to_owned(), approver: "bea".to_owned(), expires_at: min(ends) };
            let state = findings::OperatorState::Suppressed(exception);
            findings::set_state(&f.db, &finding.id, &state, "ada", min(2), audit("except")).await.unwrap();
        }
        let soon = findings::Filter { exception_ends_before: Some(min(15)), ..Default::default() };
        assert_eq!(findings::count(&f.db, &soon).await.unwrap(), 1);
        let sorted = findings::list(&f.db, &findings::Filter::default(), findings::Sort::ExceptionEnds, Order::Descending, Cut::first(9)).await.unwrap().rows;
        assert_eq!(sorted[0].resource, "2");
        assert_eq!(findings::expire_exceptions(&f.db, min(10)).await.unwrap(), 1);
        assert_eq!(findings::expire_exceptions(&f.db, min(10)).await.unwrap(), 0);
        let back = findings::get(&f.db, &all[0].id).await.unwrap();
        assert_eq!((back.state, back.exception), (model::finding::FindingState::New, None));
        let told: Vec<_> = findings::events(&f.db, &all[0].id).await.unwrap().into_iter().map(|e| e.what).collect();
        assert_eq!(told.last(), Some(&findings::EventKind::ExceptionExpired));
        assert_eq!(scans::expired(&f.db, min(10)).await.unwrap(), []);
    }
}
