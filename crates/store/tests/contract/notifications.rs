//! Digests, the outbox, destinations and alerts.

use model::digest::Recipient;
use model::finding::{Drift, Severity};
use model::scan::ScanKind;
use model::time::Duration;
use secrecy::{ExposeSecret as _, SecretString};
use store::alerts::{self, Telling};
use store::destinations::{self, Destination};
use store::digests::{self, Made};
use store::outbox::{self, Ending, NewParcel, Parcel, State};
use store::{Db, instances, owners};

use crate::commit::open_findings;
use crate::support::*;

fn parcel(id: &str, lane: &str) -> NewParcel {
    NewParcel {
        id: id.to_owned(),
        destination: outbox::MAIL.to_owned(),
        lane: lane.to_owned(),
        kind: "digest".to_owned(),
        title: "Parapet: all is well".to_owned(),
        addressee: "ada@example.com".to_owned(),
        body: "{}".to_owned(),
    }
}

fn digest(recipient: &str, day: &str) -> Made {
    Made {
        recipient: recipient.to_owned(),
        day: day.to_owned(),
        made_at: min(1),
        until: min(0),
        subject: "Parapet: all is well".to_owned(),
        all_clear: true,
        mails: 1,
    }
}

async fn take(db: &Db, at: i64) -> Option<Parcel> {
    outbox::claim(db, "mail", "node", min(at), TTL).await.expect("a claim")
}

fn again(at: i64) -> Ending {
    Ending::Again { at: min(at), error: "away".to_owned(), all: false }
}

on_both! {
    async fn a_day_is_made_once_and_with_its_mail(f: Fixture) {
        let day = digest("o1", "2026-11-26");
        let (mine, theirs) = ([parcel("a", "o1")], [parcel("b", "o1")]);
        let (one, two) = tokio::join!(
            digests::make(&f.db, &day, &mine),
            digests::make(&f.db, &day, &theirs)
        );
        assert_eq!(usize::from(one.unwrap()) + usize::from(two.unwrap()), 1, "of two nodes one makes it");
        assert_eq!(outbox::recent(&f.db).await.unwrap().0.len(), 1, "and only its mail is there");
        assert!(digests::make(&f.db, &digest("o2", "2026-11-26"), &[]).await.unwrap());
        assert!(digests::make(&f.db, &digest("o1", "2026-11-27"), &[]).await.unwrap());
        let latest = digests::latest(&f.db).await.unwrap();
        assert_eq!((latest["o1"].day.as_str(), latest["o2"].day.as_str()), ("2026-11-27", "2026-11-26"));
        assert_eq!(digests::prune(&f.db, min(2)).await.unwrap(), 1, "each recipient's latest stays");
        assert_eq!(digests::latest(&f.db).await.unwrap(), latest);
        assert_eq!(digests::forget_ahead(&f.db, T0).await.unwrap(), 0);
        assert_eq!(digests::forget_ahead(&f.db, T0 - Duration::days(9)).await.unwrap(), 2);
        assert!(digests::latest(&f.db).await.unwrap().is_empty(), "the clock ran ahead when they were made");
    }

    async fn what_was_told_until_an_instant_ahead_is_told_until_now(f: Fixture) {
        let ahead = Made { until: min(60), ..digest("o1", "2026-11-26") };
        assert!(digests::make(&f.db, &ahead, &[]).await.unwrap());
        assert!(digests::make(&f.db, &digest("o2", "2026-11-26"), &[]).await.unwrap());
        assert_eq!(digests::told_until_now(&f.db, min(5)).await.unwrap(), 1);
        let latest = digests::latest(&f.db).await.unwrap();
        assert_eq!((latest["o1"].until, latest["o2"].until), (min(5), min(0)));
    }

    async fn what_a_clock_that_ran_ahead_has_claimed_is_free_when_it_is_set_right(f: Fixture) {
        outbox::add(&f.db, &[parcel("a", "one")], min(0)).await.unwrap();
        assert!(take(&f.db, 9 * 1440).await.is_some() && take(&f.db, 9 * 1440).await.is_none());
        assert_eq!(outbox::due(&f.db, min(1)).await.unwrap(), ["mail"]);
        assert!(take(&f.db, 1).await.is_some());
    }

    /// Each day's mail would wait behind those of days that have not come, one after the other.
    async fn mails_of_days_that_have_not_come_hold_nothing_up(f: Fixture) {
        for (id, at) in [("a", 8 * 60), ("b", 32 * 60), ("c", 56 * 60)] {
            outbox::add(&f.db, &[parcel(id, "one")], min(at)).await.unwrap();
        }
        outbox::add(&f.db, &[parcel("d", "one")], min(0)).await.unwrap();
        for id in ["a", "b", "c", "d"] {
            let first = take(&f.db, 1).await.expect("due");
            assert_eq!(first.parcel.id, id);
            assert!(outbox::end(&f.db, &first, &Ending::Sent, min(1)).await.unwrap());
        }
    }

    async fn a_lane_keeps_its_order_and_others_go_on(f: Fixture) {
        outbox::add(&f.db, &[parcel("z", "one"), parcel("y", "one"), parcel("x", "two")], min(0)).await.unwrap();
        let first = take(&f.db, 0).await.expect("z");
        assert_eq!(first.parcel.id, "z", "by when it was put in, not by its id");
        let other = take(&f.db, 0).await.expect("the other lane");
        assert_eq!(other.parcel.id, "x");
        assert_eq!(take(&f.db, 0).await, None, "y stands behind z");
        assert!(outbox::end(&f.db, &first, &again(5), min(0)).await.unwrap());
        assert_eq!(take(&f.db, 0).await, None, "y still stands behind z");
        assert!(outbox::due(&f.db, min(0)).await.unwrap().is_empty(), "and is not called due");
        assert_eq!(outbox::next_at(&f.db).await.unwrap(), Some(min(0)), "x is still held");
        assert!(outbox::end(&f.db, &other, &Ending::Sent, min(0)).await.unwrap());
        let first = take(&f.db, 5).await.expect("z again");
        assert_eq!((first.parcel.id.as_str(), first.attempts, first.error.as_deref()), ("z", 1, Some("away")));
        assert!(outbox::end(&f.db, &first, &Ending::Failed { error: "no such user".to_owned() }, min(5)).await.unwrap());
        let second = take(&f.db, 5).await.expect("y at last");
        assert_eq!(second.parcel.id, "y");
        assert!(outbox::end(&f.db, &second, &Ending::Sent, min(5)).await.unwrap());
        let (_, failed) = outbox::recent(&f.db).await.unwrap();
        assert_eq!((failed.len(), failed[0].state, failed[0].error.as_deref()), (1, State::Failed, Some("no such user")));
    }

    async fn a_claim_that_ended_is_taken_by_another_and_its_holder_can_store_nothing(f: Fixture) {
        outbox::add(&f.db, &[parcel("a", "one")], min(0)).await.unwrap();
        let dead = take(&f.db, 0).await.expect("a");
        assert_eq!(take(&f.db, 0).await, None, "held");
        let heir = take(&f.db, 1).await.expect("the lease has ended");
        assert!(heir.fence > dead.fence);
        assert!(!outbox::end(&f.db, &dead, &Ending::Sent, min(1)).await.unwrap(), "the fence has moved on");
        assert!(outbox::end(&f.db, &heir, &Ending::Sent, min(1)).await.unwrap());
        assert!(!outbox::end(&f.db, &heir, &again(9), min(1)).await.unwrap(), "what was sent stays sent");
        assert_eq!(outbox::get(&f.db, "a").await.unwrap().state, State::Sent);
    }

    async fn a_transport_counts_its_failures_and_a_refused_mail_is_not_one(f: Fixture) {
        let facts = async || outbox::transports(&f.db).await.unwrap().remove("mail").unwrap_or_default();
        outbox::add(&f.db, &[parcel("a", "one"), parcel("b", "two")], min(0)).await.unwrap();
        for at in 1..4 {
            let held = take(&f.db, at).await.expect("due");
            outbox::end(&f.db, &held, &Ending::Again { at: min(at), error: format!("{at}"), all: false }, min(at)).await.unwrap();
        }
        let now = facts().await;
        assert_eq!((now.failures_in_a_row, now.failing_since), (3, Some(min(1))));
        assert_eq!(now.last_error.as_deref(), Some("3"));
        assert_eq!(outbox::waiting(&f.db).await.unwrap()["mail"], (2, min(0)));
        let held = take(&f.db, 5).await.expect("due");
        outbox::end(&f.db, &held, &Ending::Failed { error: "no".to_owned() }, min(5)).await.unwrap();
        assert_eq!(facts().await.failures_in_a_row, 3, "the transport did its part; this says nothing new of it");
        let held = take(&f.db, 5).await.expect("due");
        outbox::end(&f.db, &held, &Ending::Sent, min(6)).await.unwrap();
        let now = facts().await;
        assert_eq!((now.failures_in_a_row, now.failing_since, now.last_success_at), (0, None, Some(min(6))));
    }

    async fn a_transport_that_is_away_holds_back_all_that_waits_for_it(f: Fixture) {
        let elsewhere = NewParcel { destination: "d1".to_owned(), ..parcel("c", "d1") };
        outbox::add(&f.db, &[parcel("a", "one"), parcel("b", "two"), elsewhere], min(0)).await.unwrap();
        let held = take(&f.db, 0).await.expect("a");
        let ending = Ending::Again { at: min(9), error: "refused the sign-in".to_owned(), all: true };
        outbox::end(&f.db, &held, &ending, min(0)).await.unwrap();
        assert_eq!(outbox::due(&f.db, min(8)).await.unwrap(), ["d1"]);
        assert_eq!(outbox::due(&f.db, min(9)).await.unwrap().len(), 2);
        outbox::hasten(&f.db, "mail", min(2)).await.unwrap();
        assert_eq!(outbox::due(&f.db, min(2)).await.unwrap().len(), 2, "somebody has mended it");
    }

    async fn what_a_clock_that_ran_ahead_put_off_is_due(f: Fixture) {
        let days = |n: i64| min(n * 24 * 60);
        outbox::add(&f.db, &[parcel("a", "one")], min(0)).await.unwrap();
        let held = take(&f.db, 0).await.expect("a");
        let ending = Ending::Again { at: days(3), error: "nobody answered".to_owned(), all: true };
        outbox::end(&f.db, &held, &ending, days(3)).await.unwrap();
        assert_eq!(outbox::due(&f.db, min(1)).await.unwrap(), ["mail"], "nothing waits for three days");
        assert_eq!(take(&f.db, 1).await.expect("due").parcel.id, "a");
        assert!(outbox::due(&f.db, days(3) - Duration::hours(6)).await.unwrap().is_empty(), "that is long, but told");
    }

    async fn nothing_is_dropped_that_waits_for_too_long(f: Fixture) {
        outbox::add(&f.db, &[parcel("a", "one")], min(0)).await.unwrap();
        outbox::prune(&f.db, min(100), min(100), min(0), min(100)).await.unwrap();
        assert_eq!(outbox::get(&f.db, "a").await.unwrap().state, State::Waiting);
        outbox::prune(&f.db, min(100), min(100), min(1), min(100)).await.unwrap();
        let kept = outbox::get(&f.db, "a").await.unwrap();
        assert_eq!(kept.state, State::Failed);
        assert!(kept.error.is_some());
        outbox::prune(&f.db, min(100), min(101), min(1), min(100)).await.unwrap();
        assert!(outbox::get(&f.db, "a").await.is_err(), "what failed is kept for its own time");
    }

    async fn a_destination_is_sealed_paused_and_removed(f: Fixture) {
        let new = Destination {
            id: "d1".to_owned(),
            name: "On call".to_owned(),
            kind: "webhook".to_owned(),
            shown: "hooks.example.com".to_owned(),
            subscription: "{}".to_owned(),
            created_at: min(0),
            paused: None,
        };
        let address = SecretString::from("https://hooks.example.com/hunter2-secret");
        destinations::create(&f.db, &new, &address, min(0), audit("destination")).await.unwrap();
        let taken = Destination { id: "d2".to_owned(), name: "ON CALL".to_owned(), ..new.clone() };
        assert!(destinations::create(&f.db, &taken, &address, min(0), audit("destination")).await.is_err());
        assert_eq!(destinations::all(&f.db).await.unwrap(), std::slice::from_ref(&new));
        assert_eq!(destinations::address(&f.db, "d1").await.unwrap().expose_secret(), address.expose_secret());

        outbox::add(&f.db, &[NewParcel { destination: "d1".to_owned(), ..parcel("a", "d1") }], min(0)).await.unwrap();
        assert!(destinations::pause(&f.db, "d1", "ada", min(1), audit("pause")).await.unwrap());
        assert!(outbox::due(&f.db, min(1)).await.unwrap().is_empty(), "paused");
        assert_eq!(outbox::next_at(&f.db).await.unwrap(), None, "and nothing to wake for");
        assert!(destinations::resume(&f.db, "d1", min(2), audit("resume")).await.unwrap());
        assert_eq!(outbox::due(&f.db, min(2)).await.unwrap(), ["d1"], "what waited goes out");
        destinations::remove(&f.db, "d1", min(3), audit("remove")).await.unwrap();
        assert!(outbox::get(&f.db, "a").await.is_err() && destinations::get(&f.db, "d1").await.is_err());
    }

    async fn of_two_nodes_one_tells(f: Fixture) {
        let id = onboard(&f.db, "i1", &[CONFIG]).await;
        let telling = |turn, parcel_id: &str| Telling {
            watches: vec![(id.clone(), turn, "{}".to_owned())],
            parcels: vec![parcel(parcel_id, "one")],
            ..Telling::default()
        };
        assert!(alerts::tell(&f.db, &telling(None, "a"), min(0)).await.unwrap());
        assert!(!alerts::tell(&f.db, &telling(None, "b"), min(0)).await.unwrap());
        assert!(alerts::tell(&f.db, &telling(Some(1), "c"), min(0)).await.unwrap());
        assert!(!alerts::tell(&f.db, &telling(Some(1), "d"), min(0)).await.unwrap(), "made from an older turn");
        assert_eq!(alerts::watches(&f.db).await.unwrap()[&id].turn, 2);

        let once = |parcel_id: &str| Telling {
            once: vec!["expiry:i1:5".to_owned()],
            parcels: vec![parcel(parcel_id, "one")],
            ..Telling::default()
        };
        assert!(alerts::tell(&f.db, &once("e"), min(1)).await.unwrap());
        assert!(!alerts::tell(&f.db, &once("f"), min(1)).await.unwrap());
        let fold = |before: i64| Telling { last: Some(("example:down".to_owned(), min(before))), ..Telling::default() };
        assert!(alerts::tell(&f.db, &fold(0), min(10)).await.unwrap());
        assert!(!alerts::tell(&f.db, &fold(9), min(20)).await.unwrap(), "told at minute 10");
        assert!(alerts::tell(&f.db, &fold(10), min(25)).await.unwrap());
        assert_eq!(alerts::last(&f.db).await.unwrap()["example:down"], min(25));
        let waiting: Vec<String> =
            outbox::recent(&f.db).await.unwrap().0.into_iter().map(|p| p.parcel.id).collect();
        assert_eq!(waiting, ["e", "c", "a"], "nothing of a refused telling was stored");

        instances::remove(&f.db, &id, min(30), audit("remove")).await.unwrap();
        assert!(alerts::watches(&f.db).await.unwrap().is_empty());
        assert!(!alerts::tell(&f.db, &telling(None, "g"), min(31)).await.unwrap(), "the instance is gone");
    }

    async fn a_digest_tells_what_changed_in_its_window_of_whom_it_concerns(f: Fixture) {
        let id = onboard(&f.db, "i1", &[CONFIG, ScanKind::Accounts]).await;
        let elsewhere = onboard(&f.db, "i2", &[CONFIG]).await;
        let first = [fails("a", "x", Severity::Critical), fails("b", "x", Severity::High)];
        run_with(&f.db, &id, CONFIG, min(10), |c| c.results = &first).await;
        run_with(&f.db, &id, CONFIG, min(20), |c| c.results = &first[..1]).await;
        let owner = owners::Owner {
            id: "o1".into(),
            name: "Grace".to_owned(),
            email: "g@example.com".to_owned(),
            time_zone: "UTC".to_owned(),
            active: true,
            digest_minute: 480,
            quiet: false,
            created_at: T0,
            instances: 0,
        };
        owners::create(&f.db, &owner, min(0), audit("owner")).await.unwrap();
        instances::assign_owner(&f.db, &id, Some(&owner.id), min(0), audit("assign")).await.unwrap();

        let hers = Recipient::Owner(owner.id.clone());
        let facts = digests::facts(&f.db, &Default::default(), min(30)).await.unwrap();
        assert!(facts.concerns(&hers) && facts.concerns(&Recipient::Admins));
        let product = |i: &instances::Instance| digests::Product { name: i.app.as_str().to_uppercase(), idles_at: None };
        let seen = async |who: &Recipient, since: i64, until: i64| {
            facts.applications(&f.db, who, Some(min(since)), min(until), min(30), &product).await.unwrap()
        };
        let all = seen(&hers, 0, 30).await;
        assert_eq!((all.len(), &all[0].id, all[0].product.as_str()), (1, &id, "EXAMPLE"));
        assert_eq!(all[0].changes.new.total(), 2);
        assert_eq!(seen(&hers, 11, 30).await[0].changes.new.total(), 0, "told before");
        assert_eq!(seen(&hers, 0, 10).await[0].changes.new.total(), 0, "the end is not in the window");
        assert_eq!(seen(&hers, 10, 11).await[0].changes.new.total(), 2, "the beginning is");
        let admins = seen(&Recipient::Admins, 0, 30).await;
        assert_eq!(admins.iter().map(|a| &a.id).collect::<Vec<_>>(), [&elsewhere]);

        owners::update(&f.db, &owners::Owner { active: false, ..owner }, min(31), audit("owner")).await.unwrap();
        let facts = digests::facts(&f.db, &Default::default(), min(31)).await.unwrap();
        assert!(!facts.concerns(&hers));
        let to_admins =
            facts.applications(&f.db, &Recipient::Admins, None, min(30), min(31), &product).await.unwrap();
        assert_eq!(to_admins.len(), 2);
        assert_eq!(to_admins[0].inactive_owner.as_deref(), Some("Grace"));
    }

    async fn what_is_stored_late_is_new_since_then_for_digests_and_alerts(f: Fixture) {
        let id = onboard(&f.db, "i1", &[CONFIG]).await;
        let results = [fails("a", "x", Severity::Critical)];
        let drifts = [Drift {
            dataset: "org".to_owned(),
            resource: "x".to_owned(),
            field: None,
            before: None,
            after: None,
            at: min(10),
        }];
        // It ended long before it could be stored, or by a clock that is behind; a digest was made meanwhile.
        run_with(&f.db, &id, CONFIG, min(10), |c| {
            c.results = &results;
            c.drift = &drifts;
            c.now = min(17);
        })
        .await;
        let product = |_: &instances::Instance| digests::Product { name: String::new(), idles_at: None };
        let facts = digests::facts(&f.db, &Default::default(), min(30)).await.unwrap();
        let told = async |since: i64, until: i64| {
            let (who, window) = (Recipient::Admins, (Some(min(since)), min(until)));
            let all = facts.applications(&f.db, &who, window.0, window.1, min(30), &product).await.unwrap();
            (all[0].changes.new.total(), all[0].changes.drift)
        };
        assert_eq!((told(0, 15).await, told(15, 30).await), ((0, 0), (1, 1)));
        let opened = alerts::opened(&f.db, min(0), |_| false).await.unwrap();
        assert_eq!((opened.len(), opened[0].counts.total()), (1, 1));
        // Resolved likewise.
        let all = open_findings(&f).await;
        let resolved = [all[0].id.clone()];
        run_with(&f.db, &id, CONFIG, min(40), |c| {
            c.resolved = &resolved;
            c.now = min(47);
        })
        .await;
        let gone = async |since: i64, until: i64| {
            let (who, window) = (Recipient::Admins, (Some(min(since)), min(until)));
            let all = facts.applications(&f.db, &who, window.0, window.1, min(30), &product).await.unwrap();
            all[0].changes.resolved.total()
        };
        assert_eq!((gone(30, 45).await, gone(45, 60).await), (0, 1));
    }

    async fn new_findings_are_told_by_their_run(f: Fixture) {
        let id = onboard(&f.db, "i1", &[CONFIG]).await;
        let results = [fails("a", "x", Severity::Critical), fails("b", "x", Severity::Low)];
        run_with(&f.db, &id, CONFIG, min(10), |c| c.results = &results).await;
        run_with(&f.db, &id, CONFIG, min(20), |c| c.results = &results).await;
        let all = alerts::opened(&f.db, min(0), |_| false).await.unwrap();
        assert_eq!(all.len(), 1, "the second run opened none");
        assert_eq!((all[0].counts.critical, all[0].counts.low), (1, 1));
        assert!(alerts::opened(&f.db, min(0), |run| *run == all[0].run).await.unwrap().is_empty());
        assert!(alerts::opened(&f.db, min(10) + Duration(1), |_| false).await.unwrap().is_empty());
    }
}
