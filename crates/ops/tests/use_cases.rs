//! Use cases on a real store and a simulated tenant: what people do, and what they are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use collect::{Outbound, OutboundConfig};
use futures_util::StreamExt as _;
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::Duration;
use model::view::{
    Actor, ApplicationsQuery, AuditQuery, CredentialInput, FindingsQuery, ListInput, OwnerInput, Refusal,
    RefusalKind, Role,
};
use ops::{Config, FindingsFormat as Format, Ops, Secrets, command_line};
use secrecy::{ExposeSecret as _, SecretString};
use sim::github::{GitHub, Plan, Token};
use sim::{Fault, FaultRule, Server};
use store::{Db, Options, SealingKey};

#[path = "support/still.rs"]
mod still;

use still::{Counting, NOW, Still};

struct Bed {
    ops: Ops,
    db: Db,
    acme: Server<GitHub>,
    other: Server<GitHub>,
}

async fn tenant(organization: &str, seed: u64, scopes: &[&str]) -> Server<GitHub> {
    let mut vendor = GitHub::generate(&Plan {
        organization: organization.to_owned(),
        seed,
        now: NOW,
        repositories: 3,
        members: 4,
        care: 50,
        enterprise: false,
    });
    let token = |valid| Token {
        login: "reader".to_owned(),
        scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        valid,
        expires_at: None,
    };
    vendor.tokens.insert("first".to_owned(), token(true));
    vendor.tokens.insert("second".to_owned(), token(true));
    vendor.tokens.insert("revoked".to_owned(), token(false));
    Server::start(vendor, Arc::new(|| NOW)).await.expect("a loopback port")
}

const ALL_SCOPES: [&str; 3] = ["admin:org", "repo", "admin:org_hook"];

async fn bed() -> Bed {
    let entropy = Arc::new(Counting::default());
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let db = Db::open("sqlite::memory:", &key, entropy.clone(), NOW, Options::default())
        .await
        .expect("a database");
    let loaded = catalog::Catalog::builtin();
    let outbound = Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() });
    let ops = Ops::open(Config {
        db: db.clone(),
        catalog: Arc::new(loaded.catalog),
        load_errors: loaded.errors,
        outbound: outbound.expect("an outbound client"),
        clock: Arc::new(Still),
        entropy,
        simulated: true,
        telling: ops::Telling::default(),
    });
    Bed {
        ops: ops.await.expect("use cases"),
        db,
        acme: tenant("acme", 1, &ALL_SCOPES).await,
        other: tenant("acme", 2, &ALL_SCOPES).await,
    }
}

fn input() -> CredentialInput {
    CredentialInput {
        deployment: "cloud".to_owned(),
        auth: "token".to_owned(),
        settings: BTreeMap::from([("organization".to_owned(), "acme".to_owned())]),
        name: "Acme".to_owned(),
        owner: String::new(),
    }
}

fn secret(token: &str) -> Secrets {
    Secrets::from([("token".to_owned(), SecretString::from(token.to_owned()))])
}

impl Bed {
    async fn preflight(
        &self,
        token: &str,
        at: &Server<GitHub>,
    ) -> Result<model::view::PreflightPage, Refusal> {
        let app = "github".into();
        self.ops.onboard_preflight_at(&command_line(), &app, input(), secret(token), Some(&at.origin())).await
    }

    async fn onboarded(&self) -> InstanceId {
        let page = self.preflight("first", &self.acme).await.expect("verified");
        self.ops.onboard_save(&command_line(), &page.draft).await.expect("saved")
    }

    async fn actions(&self) -> Vec<String> {
        let page = self.ops.audit(&command_line(), &AuditQuery::default()).await.expect("the log");
        page.rows.into_iter().map(|r| r.action).collect()
    }
}

#[tokio::test]
async fn the_first_operator_needs_the_token_from_the_console_and_it_works_once() {
    let bed = bed().await;
    let password = SecretString::from("correct horse battery".to_owned());
    assert!(bed.ops.setup_needed().await.expect("an answer"));
    let token = bed.ops.offer_setup().await.expect("offered").expect("no operator yet");
    let wrong =
        bed.ops.set_up(&"guess".to_owned().into(), "ada", &password, None).await.expect_err("refused");
    assert_eq!(wrong.field.as_deref(), Some("setup_token"));
    let short = bed.ops.set_up(&token, "ada", &"short".to_owned().into(), None).await.expect_err("refused");
    assert_eq!(short.field.as_deref(), Some("password"));
    let signed_in = bed.ops.set_up(&token, "ada", &password, None).await.expect("set up");
    let session =
        bed.ops.session(signed_in.token.expose_secret()).await.expect("an answer").expect("signed in");
    assert_eq!((session.actor.name.as_str(), session.actor.role), ("ada", Role::Admin));
    let again = bed.ops.set_up(&token, "eve", &password, None).await.expect_err("refused");
    assert_eq!(again.kind, RefusalKind::Conflict);
    assert!(bed.ops.offer_setup().await.expect("an answer").is_none(), "no second token is printed");
    bed.ops.sign_out(signed_in.token.expose_secret()).await.expect("signed out");
    assert!(bed.ops.session(signed_in.token.expose_secret()).await.expect("an answer").is_none());
}

#[tokio::test]
async fn guessing_passwords_ends_soon_and_does_not_tell_which_names_exist() {
    let bed = bed().await;
    let token = bed.ops.offer_setup().await.expect("offered").expect("no operator yet");
    let password = SecretString::from("correct horse battery".to_owned());
    bed.ops.set_up(&token, "ada", &password, None).await.expect("set up");
    let wrong = SecretString::from("wrong".to_owned());
    let known = bed.ops.sign_in("ada", &wrong, None).await.expect_err("refused");
    let unknown = bed.ops.sign_in("nobody", &wrong, None).await.expect_err("refused");
    assert_eq!(known, unknown);
    for _ in 0..4 {
        assert!(bed.ops.sign_in("ada", &wrong, None).await.is_err());
    }
    let blocked = bed.ops.sign_in("ada", &password, None).await.expect_err("refused");
    assert_eq!(blocked.kind, RefusalKind::TooMany);
}

#[tokio::test]
async fn onboarding_verifies_first_saves_once_and_is_audited() {
    let bed = bed().await;
    let refused = bed.preflight("revoked", &bed.acme).await.expect_err("refused");
    assert_eq!(refused.kind, RefusalKind::Vendor);
    assert!(refused.message.contains("401"), "{}", refused.message);
    assert!(!refused.remedy.is_empty());
    let empty = bed.preflight("", &bed.acme).await.expect_err("refused");
    assert_eq!(empty.field.as_deref(), Some("token"));
    assert!(store::instances::all(&bed.db).await.expect("read").is_empty(), "nothing is saved by verifying");

    let page = bed.preflight("first", &bed.acme).await.expect("verified");
    assert!(page.can_save);
    assert_eq!(page.identity.tenant_name, "acme");
    assert_eq!(page.origins, vec![bed.acme.origin()]);
    let id = bed.ops.onboard_save(&command_line(), &page.draft).await.expect("saved");
    let twice = bed.ops.onboard_save(&command_line(), &page.draft).await.expect_err("refused");
    assert_eq!(twice.kind, RefusalKind::Conflict);
    let tiles =
        bed.ops.applications(&command_line(), &ApplicationsQuery::default()).await.expect("a page").tiles;
    assert_eq!(tiles.len(), 1);
    assert_eq!((tiles[0].instance.id.clone(), tiles[0].status.word.as_str()), (id, "Up"));
    assert_eq!(tiles[0].findings, None, "no result yet is not: no findings");
    let again = bed.preflight("second", &bed.acme).await.expect("verified");
    assert_eq!(again.duplicates.len(), 1, "the same tenant twice is said");
    assert!(bed.actions().await.contains(&"application onboarded".to_owned()));
}

#[tokio::test]
async fn reauthenticating_refuses_another_tenant_and_keeps_the_instance() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let actor = command_line();
    // The same organisation's name at the same place, but another tenant behind it.
    std::mem::swap(&mut bed.acme.tenant().vendor.rest, &mut bed.other.tenant().vendor.rest);
    let refused =
        bed.ops.reauthenticate_preflight(&actor, &id, input(), secret("second")).await.expect_err("refused");
    assert_eq!(refused.kind, RefusalKind::Conflict);
    assert!(refused.message.contains("another tenant"), "{}", refused.message);
    std::mem::swap(&mut bed.acme.tenant().vendor.rest, &mut bed.other.tenant().vendor.rest);

    let before = store::instances::get(&bed.db, &id).await.expect("there");
    let page =
        bed.ops.reauthenticate_preflight(&actor, &id, input(), secret("second")).await.expect("verified");
    bed.ops.reauthenticate_save(&actor, &id, &page.draft, &[]).await.expect("replaced");
    let after = store::instances::get(&bed.db, &id).await.expect("there");
    assert_eq!(after.instance.id, before.instance.id);
    assert!(after.instance.facts.credential_version > before.instance.facts.credential_version);
    assert!(after.scans.iter().all(|s| s.facts.wanted_at.is_some()), "every enabled scan is wanted at once");
    assert!(bed.actions().await.contains(&"reauthenticated".to_owned()));
}

#[tokio::test]
async fn a_credential_that_can_run_no_scan_cannot_be_saved() {
    let bed = bed().await;
    let poor = tenant("acme", 1, &["public_repo"]).await;
    let page = bed.preflight("first", &poor).await.expect("verified");
    assert!(!page.can_save, "{:?}", page.scans);
    assert!(page.scans.iter().all(|s| !s.ready && !s.missing.is_empty()), "{:?}", page.scans);
    let refused = bed.ops.onboard_save(&command_line(), &page.draft).await.expect_err("refused");
    assert_eq!(refused.kind, RefusalKind::Conflict);
}

#[tokio::test]
async fn an_auditor_reads_and_changes_nothing() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let auditor = Actor { role: Role::Auditor, name: "grace".to_owned(), ..command_line() };
    assert!(bed.ops.summary(&auditor, &id).await.is_ok());
    let refusals = [
        bed.ops.scan_now(&auditor, &id, ScanKind::Config).await.err(),
        bed.ops.pause(&auditor, &id).await.err(),
        bed.ops.rename(&auditor, &id, "x").await.err(),
        bed.ops.remove(&auditor, &id, "Acme").await.err(),
        bed.ops.create_owner(&auditor, &OwnerInput::default()).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.map(|r| r.kind), Some(RefusalKind::Forbidden));
    }
}

#[tokio::test]
async fn pausing_stops_and_resuming_wants_and_removal_needs_the_name() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let actor = command_line();
    bed.ops.pause(&actor, &id).await.expect("paused");
    let page = bed.ops.settings(&actor, &id).await.expect("a page");
    assert_eq!(page.header.status.word, "Paused");
    assert!(page.scans.iter().all(|s| !s.can_scan_now && s.next_at.is_none()));
    assert_eq!(
        bed.ops.scan_now(&actor, &id, ScanKind::Config).await.err().map(|r| r.kind),
        Some(RefusalKind::Conflict)
    );
    bed.ops.resume(&actor, &id).await.expect("resumed");
    bed.ops.set_interval(&actor, &id, ScanKind::Config, Duration::minutes(30)).await.expect("saved");
    let too_often = bed.ops.set_interval(&actor, &id, ScanKind::Config, Duration::minutes(5)).await;
    assert_eq!(too_often.err().and_then(|r| r.field), Some("interval".to_owned()));
    assert!(bed.ops.remove(&actor, &id, "acme?").await.is_err());
    bed.ops.remove(&actor, &id, "Acme").await.expect("removed");
    let page = bed.ops.applications(&actor, &ApplicationsQuery::default()).await.expect("a page");
    assert!(page.tiles.is_empty());
    assert!(page.empty.is_some(), "an empty list says why");
}

#[tokio::test]
async fn owners_are_checked_and_exports_are_whole_files() {
    let bed = bed().await;
    let actor = command_line();
    let owner = |email: &str, zone: &str| OwnerInput {
        name: "Ada".to_owned(),
        email: email.to_owned(),
        time_zone: zone.to_owned(),
        active: true,
        digest_at: "06:45".to_owned(),
        quiet: true,
    };
    let late = OwnerInput { digest_at: "25:00".to_owned(), ..owner("ada@example.com", "UTC") };
    let bad = bed.ops.create_owner(&actor, &late).await.expect_err("refused");
    assert_eq!(bad.field.as_deref(), Some("digest_at"));
    let bad = bed.ops.create_owner(&actor, &owner("ada@", "UTC")).await.expect_err("refused");
    assert_eq!(bad.field.as_deref(), Some("email"));
    let bad =
        bed.ops.create_owner(&actor, &owner("ada@example.com", "Mars/Base")).await.expect_err("refused");
    assert_eq!(bad.field.as_deref(), Some("time_zone"));
    bed.ops.create_owner(&actor, &owner("ada@example.com", "Europe/Berlin")).await.expect("created");
    let export = async |format| {
        let stream =
            bed.ops.export_findings(&actor, &FindingsQuery::default(), format).await.expect("a stream");
        let chunks: Vec<_> = stream.collect().await;
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|c| c.expect("a chunk")).collect();
        String::from_utf8(bytes).expect("text")
    };
    let json: serde_json::Value =
        serde_json::from_str(&export(Format::Json).await).expect("an empty list is JSON");
    assert_eq!(json, serde_json::json!([]));
    assert!(export(Format::Csv).await.starts_with("id,application,product"));
}

#[tokio::test]
async fn check_now_climbs_the_ladder_without_a_scan_and_not_too_often() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let auditor = Actor { role: Role::Auditor, ..command_line() };
    let refused = bed.ops.check_now(&auditor, &id).await.expect_err("refused");
    assert_eq!(refused.kind, RefusalKind::Forbidden);
    let before = store::instances::get(&bed.db, &id).await.expect("there").scans;
    bed.ops.check_now(&command_line(), &id).await.expect("checked");
    let page = bed.ops.settings(&command_line(), &id).await.expect("a page");
    let checkup = page.checkup.expect("just made");
    assert!(checkup.says.starts_with("Every rung held"), "{}", checkup.says);
    assert_eq!((checkup.fault, checkup.scans.len()), (None, 3));
    for scan in &checkup.scans {
        assert_eq!((scan.fault.as_ref(), scan.ladder.len()), (None, 8), "{:?}", scan.kind);
    }
    let after = store::instances::get(&bed.db, &id).await.expect("there").scans;
    assert_eq!(before, after, "no fact of a scan changes");
    let again = bed.ops.check_now(&command_line(), &id).await.expect_err("too soon");
    assert_eq!(again.kind, RefusalKind::Conflict);
    assert_eq!(bed.actions().await.iter().filter(|a| *a == "checked").count(), 1);
}

#[tokio::test]
async fn a_back_off_told_to_whoever_looks_or_signs_in_again_is_kept_for_the_scans() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let told = async |retry_after| {
        let fault = Fault::RateLimited { retry_after };
        bed.acme.tenant().faults = vec![FaultRule { path_contains: String::new(), fault, times: None }];
    };
    let kept =
        async || store::instances::get(&bed.db, &id).await.expect("there").instance.facts.blocked_until;
    told(1800).await;
    bed.ops.check_now(&command_line(), &id).await.expect("checked");
    assert_eq!(kept().await, Some(NOW + Duration::minutes(30)));
    // A new credential may come at any time; what it is told, if it is more, is kept as well.
    told(7200).await;
    let refused = bed.ops.reauthenticate_preflight(&command_line(), &id, input(), secret("second")).await;
    refused.expect_err("it is told to wait");
    assert_eq!(kept().await, Some(NOW + Duration::hours(2)));
}

#[tokio::test]
async fn check_now_says_how_far_a_revoked_token_got() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    bed.acme.tenant().vendor.tokens.get_mut("first").expect("there").valid = false;
    bed.ops.check_now(&command_line(), &id).await.expect("checked");
    let checkup = bed.ops.settings(&command_line(), &id).await.expect("a page").checkup.expect("just made");
    let view = checkup.fault.expect("refused");
    assert_eq!(view.fault.cause, model::scan::FailureCause::Credentials);
    assert_eq!(view.fault.status, Some(401));
    let broke: Vec<_> = view
        .ladder
        .iter()
        .filter(|rung| rung.state == model::view::RungState::Broke)
        .map(|rung| rung.rung)
        .collect();
    assert_eq!(broke, [model::diagnosis::Rung::Authenticated]);
    assert!(view.remedy.contains("Reauthenticate"), "{}", view.remedy);
    let facts = store::instances::get(&bed.db, &id).await.expect("there").instance.facts;
    assert_eq!(facts.credential_failures_in_a_row, 0, "a look counts as no run");
}

#[tokio::test]
async fn check_now_is_the_one_request_of_a_suspended_credential() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let suspended = model::health::Suspension {
        since: NOW - Duration::hours(2),
        tries: 0,
        next_try_at: NOW + Duration::minutes(30),
    };
    store::instances::update_facts(&bed.db, &id, &|facts| model::health::InstanceFacts {
        suspension: Some(suspended.clone()),
        ..facts.clone()
    })
    .await
    .expect("written");
    bed.acme.tenant().vendor.tokens.get_mut("first").expect("there").valid = false;
    bed.ops.check_now(&command_line(), &id).await.expect("checked");
    let facts = store::instances::get(&bed.db, &id).await.expect("there").instance.facts;
    let now = facts.suspension.expect("still suspended");
    assert_eq!(
        now,
        model::schedule::after_refused_try(&suspended, true, NOW),
        "it climbs as the timed one does"
    );

    let other = self::bed().await;
    let id = other.onboarded().await;
    store::instances::update_facts(&other.db, &id, &|facts| model::health::InstanceFacts {
        suspension: Some(suspended.clone()),
        ..facts.clone()
    })
    .await
    .expect("written");
    other.ops.check_now(&command_line(), &id).await.expect("checked");
    let facts = store::instances::get(&other.db, &id).await.expect("there").instance.facts;
    assert_eq!(facts.suspension, None);
    let checkup = other.ops.settings(&command_line(), &id).await.expect("a page").checkup.expect("just made");
    assert!(checkup.says.contains("suspension is lifted"), "{}", checkup.says);
}

#[tokio::test]
async fn an_owner_whose_account_is_not_live_any_more_is_a_warning_everywhere() {
    let bed = bed().await;
    let (id, actor) = (bed.onboarded().await, command_line());
    let ada = OwnerInput {
        name: "Ada Berg".to_owned(),
        email: "Ada.Berg@example.com".to_owned(),
        time_zone: "UTC".to_owned(),
        active: true,
        digest_at: String::new(),
        quiet: false,
    };
    let owner = bed.ops.create_owner(&actor, &ada).await.expect("added");
    bed.ops.assign_owner(&actor, &id, Some(&owner)).await.expect("assigned");
    let list = |state: &str| ListInput {
        id: None,
        name: "Staff".to_owned(),
        text: format!("email,state\nada.berg@example.com,{state}\n"),
        days: 30,
    };
    let warnings = async || {
        let page = bed.ops.settings(&actor, &id).await.expect("a page");
        let tiles = bed.ops.applications(&actor, &ApplicationsQuery::default()).await.expect("a page").tiles;
        let of_page: Vec<String> = page.header.warnings.into_iter().map(|w| w.kind).collect();
        assert_eq!(
            tiles[0].warning.as_ref().map(|w| &w.kind),
            of_page.first(),
            "tile and page tell the same"
        );
        of_page
    };
    assert_eq!(warnings().await, Vec::<String>::new(), "no identity provider tells of her");
    let staff = bed.ops.upload_identities(&actor, &list("active")).await.expect("taken");
    assert_eq!(warnings().await, Vec::<String>::new());
    let suspended = ListInput { id: Some(staff), ..list("suspended") };
    bed.ops.upload_identities(&actor, &suspended).await.expect("taken");
    assert_eq!(warnings().await, ["owner_left"]);
    assert!(bed.ops.metrics().contains("kind=\"owner_left\"} 1"));
    let admins = bed.ops.digest_preview(&actor, "admins").await.expect("a preview").mail.expect("hers");
    let text = admins.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("The account of Ada Berg, who answers for this application, is suspended at Staff."),
        "{text}"
    );
    // Whom the admins have noted as inactive they need not be warned of.
    bed.ops.update_owner(&actor, &owner, &OwnerInput { active: false, ..ada }).await.expect("changed");
    assert_eq!(warnings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_parameter_of_a_check_is_set_for_one_application() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let (app, check) = ("github".into(), "github/owner-count".into());
    let set = async |actor: &Actor, name: &str, value: Option<&str>| {
        bed.ops.set_param(actor, &id, &check, name, value).await
    };
    let shown = async || {
        let page = bed.ops.check(&command_line(), &app, &check).await.expect("the page");
        let max = page.params.into_iter().find(|p| p.name == "max").expect("a parameter");
        assert_eq!((max.default.as_str(), max.instances.len()), ("3", 1));
        max.instances[0].set.clone()
    };
    assert_eq!(shown().await, None);
    set(&command_line(), "max", Some(" 5 ")).await.expect("set");
    let now = shown().await.expect("set");
    assert_eq!((now.value.as_str(), now.by.as_str(), now.at), ("5", command_line().name.as_str(), NOW));

    for (value, says) in
        [("five", "is not a whole number"), ("-1", "-1 is not between 0"), ("", "not a whole")]
    {
        let refused = set(&command_line(), "max", Some(value)).await.expect_err(value);
        assert_eq!(
            (refused.kind, refused.field.as_deref()),
            (RefusalKind::Invalid, Some("value")),
            "{value}"
        );
        assert!(refused.message.contains(says), "{}", refused.message);
    }
    let kind = |refused: Refusal| refused.kind;
    assert_eq!(set(&command_line(), "most", Some("5")).await.map_err(kind), Err(RefusalKind::NotFound));
    let auditor = Actor { role: Role::Auditor, ..command_line() };
    assert_eq!(set(&auditor, "max", Some("9")).await.map_err(kind), Err(RefusalKind::Forbidden));
    assert_eq!(shown().await, Some(now), "nothing that was refused was kept");

    set(&command_line(), "max", None).await.expect("reset");
    assert_eq!(shown().await, None);
    let log = bed.ops.audit(&command_line(), &AuditQuery::default()).await.expect("the log");
    let changes: Vec<_> = log.rows.iter().filter(|r| r.action == "parameter changed").collect();
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|r| r.subject.contains("max of github/owner-count")), "{changes:?}");
    let other = bed.ops.set_param(&command_line(), &id, &"scim/none".into(), "max", Some("5")).await;
    assert_eq!(other.map_err(kind), Err(RefusalKind::NotFound));
}
