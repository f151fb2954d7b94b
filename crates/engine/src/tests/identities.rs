//! The story of an identity provider: marked, somebody leaves, it goes Down, it is unmarked.

use collect::Clock as _;
use model::finding::FindingState;
use model::health::Enablement;
use model::id::{CheckId, DirectoryId, InstanceId};
use model::identity::{Identity, MAX_AGE, State};
use model::scan::ScanKind;
use model::time::Duration;
use notify::event::{Kind, Subscription};
use store::directories::Upload;
use store::findings::{Exception, OperatorState};
use store::{Cut, Order, accounts, directories, findings, outbox, runs};

use super::fake::Answer;
use super::post::{self, Server, minute};
use super::world::{World, entry, onboard};
use crate::tell::Message;

const PROVISIONED: &str = "shared/account-provisioned-by-idp";
const LEAVER: &str = "shared/account-leaver";

/// A vault whose accounts are judged, and one that is the identity provider.
async fn two() -> (World, InstanceId) {
    let mut world = World::new().await;
    world.fake.answer([Answer::Open(&[])]);
    let idp = onboard(&world.db, &world.clock, "Staff", Enablement::Enabled).await;
    world.fake.staff("Staff", &[("ada@example.com", true), ("bob@example.com", true)]);
    world
        .fake
        .staff("Acme", &[("ADA@example.com", true), ("bob@example.com", true), ("eve@example.org", true)]);
    world.settle().await;
    (world, idp)
}

/// Open findings of a check: the resource, and whether it is stale.
async fn open(world: &World, check: &str) -> Vec<(String, bool)> {
    let filter = findings::Filter {
        instance: Some(world.id.clone()),
        check: Some(check.into()),
        states: vec![FindingState::New, FindingState::InProgress],
        ..Default::default()
    };
    let page =
        findings::list(&world.db, &filter, findings::Sort::Resource, Order::Ascending, Cut::first(50)).await;
    page.expect("a list").rows.into_iter().map(|f| (f.resource, f.stale_since.is_some())).collect()
}

/// How a check answered last: passes, failures, inconclusive ones; and the reason.
async fn tally(world: &World, check: &str) -> (u64, u64, u64, String) {
    let all = runs::tallies(&world.db, &world.id).await.expect("tallies");
    let found = all.into_iter().find(|t| t.tally.check == CheckId::from(check)).expect("it was asked").tally;
    (found.pass, found.fail, found.inconclusive, found.reason.unwrap_or_default())
}

async fn mark(world: &mut World, idp: &InstanceId) {
    let now = world.clock.now();
    directories::mark(&world.db, idp, MAX_AGE, "ada", now, entry("mark")).await.expect("stored");
    world.settle().await;
}

#[tokio::test]
async fn without_an_identity_provider_nobody_passes_and_nobody_fails() {
    let (world, _) = two().await;
    for check in [PROVISIONED, LEAVER] {
        let (pass, fail, inconclusive, reason) = tally(&world, check).await;
        assert_eq!((pass, fail, inconclusive), (0, 0, 3), "{check}");
        assert!(reason.starts_with("no identity provider is onboarded"), "{reason}");
    }
}

#[tokio::test]
async fn marking_reads_the_identity_provider_and_then_judges_the_others() {
    let (mut world, idp) = two().await;
    let before = world.fake.begun().len();
    mark(&mut world, &idp).await;
    assert_eq!(
        world.fake.begun()[before..],
        [ScanKind::Accounts; 2],
        "the identity provider, then the vault"
    );
    assert_eq!(tally(&world, PROVISIONED).await.0, 2);
    assert_eq!(open(&world, PROVISIONED).await, [("eve@example.org".to_owned(), false)]);
    let ada = accounts::get(&world.db, &world.id, "ADA@example.com").await.expect("read");
    let by = ada.record.get(&model::account::SHAPE, "identity_by").as_str().map(str::to_owned);
    assert_eq!(by.as_deref(), Some("verified e-mail"));
    // The identity provider is not judged by itself.
    let own = runs::tallies(&world.db, &idp).await.expect("tallies");
    let own = own.into_iter().find(|t| t.tally.check == CheckId::from(PROVISIONED)).expect("asked").tally;
    assert_eq!((own.pass, own.fail, own.inconclusive, own.not_applicable), (0, 0, 0, 2));
    assert!(own.reason.expect("told").contains("the identity provider itself"));
}

#[tokio::test]
async fn a_leaver_fails_after_the_next_scan_of_the_identity_provider() {
    let (mut world, idp) = two().await;
    mark(&mut world, &idp).await;
    assert_eq!(open(&world, LEAVER).await, []);
    world.fake.staff("Staff", &[("ada@example.com", true), ("bob@example.com", false)]);
    // Only the identity provider is read; that asks for the vault by itself.
    let now = world.clock.now();
    store::scans::want(&world.db, &idp, ScanKind::Accounts, now, None).await.expect("onboarded");
    world.settle().await;
    assert_eq!(open(&world, LEAVER).await, [("bob@example.com".to_owned(), false)]);
    // Suspended here, too: resolved.
    world
        .fake
        .staff("Acme", &[("ADA@example.com", true), ("bob@example.com", false), ("eve@example.org", true)]);
    world.pass(Duration::hours(6)).await;
    assert_eq!(open(&world, LEAVER).await, []);
}

// Another thread works the database while one waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_that_comes_while_the_first_accounts_are_stored_is_asked_at_once() {
    let mut world = World::new().await;
    let (db, now) = (world.db.clone(), world.clock.now());
    // Alone: a run that stood in the way of the upload would wait for it, and it for that run.
    let stopped = Enablement::Stopped { since: now, by: "test".into() };
    store::scans::set_enablement(&db, &world.id, ScanKind::Config, &stopped, &[], now, Some(entry("stop")))
        .await
        .expect("onboarded");
    // By the time a run is stored it is judged. No accounts are stored then, so whoever uploads a list asks for no scan.
    world.clock.as_a_run_is_stored(move || {
        let db = db.clone();
        let upload = async move {
            let filter = runs::Filter { kind: Some(ScanKind::Accounts), ..Default::default() };
            if !runs::log(&db, &filter, Cut::first(1)).await.expect("a log").rows.is_empty() {
                return;
            }
            let ada = Identity {
                id: "ada".to_owned(),
                addresses: vec!["ada@example.com".to_owned()],
                state: Some(State::Active),
                seen_at: now,
                ..Identity::default()
            };
            let (id, identities) = (DirectoryId::from("list"), [ada]);
            let list =
                Upload { id: &id, name: "Staff", identities: &identities, max_age: MAX_AGE, by: "ada" };
            directories::upload(&db, list, now, entry("upload")).await.expect("stored");
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(upload));
    });
    world.settle().await;
    let (pass, fail, inconclusive, reason) = tally(&world, PROVISIONED).await;
    assert_eq!((pass, fail, inconclusive), (1, 0, 0), "{reason}");
    assert_eq!(world.log(ScanKind::Accounts).await.len(), 2, "and once is enough");
}

#[tokio::test]
async fn an_identity_provider_that_is_down_is_believed_until_its_word_is_too_old() {
    let (mut world, idp) = two().await;
    mark(&mut world, &idp).await;
    world.fake.answers("Staff", false);
    world.pass(Duration::hours(42)).await;
    assert_eq!(tally(&world, PROVISIONED).await.0, 2, "its word of yesterday is good enough");
    world.pass(Duration::hours(12)).await;
    let (pass, fail, inconclusive, reason) = tally(&world, PROVISIONED).await;
    assert_eq!((pass, fail, inconclusive), (0, 0, 3));
    assert!(reason.contains("longer ago than 2 days"), "{reason}");
    assert_eq!(
        open(&world, PROVISIONED).await,
        [("eve@example.org".to_owned(), true)],
        "stale, not resolved"
    );
    // It is back: judged afresh at once.
    world.fake.answers("Staff", true);
    world.pass(Duration::hours(1)).await;
    assert_eq!(tally(&world, PROVISIONED).await.0, 2);
    assert_eq!(open(&world, PROVISIONED).await, [("eve@example.org".to_owned(), false)]);
}

#[tokio::test]
async fn unmarking_leaves_what_was_found_and_decides_nothing_any_more() {
    let (mut world, idp) = two().await;
    mark(&mut world, &idp).await;
    let now = world.clock.now();
    directories::unmark(&world.db, &DirectoryId::from(idp.as_str()), now, entry("unmark"))
        .await
        .expect("stored");
    world.settle().await;
    let (pass, fail, inconclusive, reason) = tally(&world, PROVISIONED).await;
    assert_eq!((pass, fail, inconclusive), (0, 0, 3));
    assert!(reason.starts_with("no identity provider is onboarded"), "{reason}");
    assert_eq!(open(&world, PROVISIONED).await, [("eve@example.org".to_owned(), true)]);
}

#[tokio::test]
async fn an_exception_ends_by_itself() {
    let (mut world, idp) = two().await;
    mark(&mut world, &idp).await;
    let filter = findings::Filter { check: Some(PROVISIONED.into()), ..Default::default() };
    let page =
        findings::list(&world.db, &filter, findings::Sort::Resource, Order::Ascending, Cut::first(5)).await;
    let finding = page.expect("a list").rows.remove(0);
    let now = world.clock.now();
    let exception = Exception {
        reason: "an auditor".to_owned(),
        approver: "bea".to_owned(),
        expires_at: now + Duration::hours(20),
    };
    let state = OperatorState::Suppressed(exception);
    findings::set_state(&world.db, &finding.id, &state, "ada", now, entry("except")).await.expect("stored");
    world.pass(Duration::hours(19)).await;
    assert_eq!(
        open(&world, PROVISIONED).await,
        [],
        "three scans have seen it since, and it is still accepted"
    );
    world.pass(Duration::hours(2)).await;
    assert_eq!(open(&world, PROVISIONED).await, [("eve@example.org".to_owned(), false)]);
}

/// The texts of the digests that went to an address, the latest first.
async fn digests_to(world: &World, address: &str) -> Vec<String> {
    let (parcels, _) = outbox::recent(&world.db).await.expect("rows");
    let to = parcels.into_iter().filter(|p| p.parcel.kind == "digest" && p.parcel.addressee == address);
    let text = |body: &str| match serde_json::from_str(body) {
        Ok(Message::Mail(mail)) => mail.text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => panic!("a digest is a mail: {other:?}"),
    };
    to.map(|p| text(&p.parcel.body)).collect()
}

#[tokio::test]
async fn an_owner_who_left_is_told_of_once_and_the_admins_read_the_digest_as_well() {
    const LEFT: &str = "The account of Ada Berg, who answers for this application, is suspended at Staff.";
    let (mut world, idp) = two().await;
    mark(&mut world, &idp).await;
    post::own(&world.db, &world.clock, &world.id, "ada", ("UTC", 480)).await;
    let server = Server::start().await;
    let context = post::teller(&world.db, &world.catalog, &world.clock, &server, ("here", "one"));
    let kinds = vec![Kind::WarningAhead];
    post::webhook(&world.db, &world.clock, Subscription { kinds, ..Subscription::default() }).await;
    let told = || -> Vec<String> {
        let posts = server.posts.lock().expect("nobody panicked");
        posts.iter().map(|p| p["title"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let day = async |world: &mut World| {
        for _ in 0..24 {
            world.pass(Duration::hours(1)).await;
            minute(&context).await;
        }
    };
    day(&mut world).await;
    assert_eq!(told(), Vec::<String>::new(), "she is there");
    assert!(!digests_to(&world, "admins@example.com").await[0].contains("Acme (Vault"));

    world.fake.staff("Staff", &[("ada@example.com", false), ("bob@example.com", true)]);
    day(&mut world).await;
    let [title] = &told()[..] else { panic!("{:?}", told()) };
    assert!(title.starts_with(&format!("Acme (Vault): {LEFT} Assign another owner")), "{title}");
    for address in ["ada@example.com", "admins@example.com"] {
        let digest = &digests_to(&world, address).await[0];
        assert!(digest.contains(&format!("Acme - {LEFT}")), "{address}: {digest}");
    }

    // What the identity provider said grows too old: then it is not known, which is neither that she is back nor told anew.
    world.fake.answers("Staff", false);
    for _ in 0..4 {
        day(&mut world).await;
    }
    assert!(!digests_to(&world, "ada@example.com").await[0].contains(LEFT));
    assert!(!digests_to(&world, "admins@example.com").await[0].contains("Acme (Vault"));
    world.fake.answers("Staff", true);
    day(&mut world).await;
    assert!(digests_to(&world, "admins@example.com").await[0].contains(LEFT));
    world.fake.staff("Staff", &[("ada@example.com", true), ("bob@example.com", true)]);
    day(&mut world).await;
    assert!(!digests_to(&world, "ada@example.com").await[0].contains(LEFT), "she is back");
    assert_eq!(told().len(), 1);
}
