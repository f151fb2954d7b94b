//! The simulated Okta organisation, read whole by the connector engine with the manifest of the catalogue: by both ways to
//! authenticate, on both engines, and when something is withdrawn or the vendor limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{App, Catalog};
use collect::{
    Clock as _, Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target,
    Unhurried,
};
use model::dataset::{Availability, Snapshot};
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use sim::okta::{Okta, Plan, Rank, ServiceApp};
use sim::{Fault, FaultRule, Server};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

struct Bed {
    app: Arc<App>,
    server: Server<Okta>,
    clock: Unhurried,
    key: String,
}

/// Every scope that the manifest asks for.
fn scopes(app: &App) -> Vec<&str> {
    let all = app.datasets.iter().filter_map(|d| d.spec.permission.get("service_app"));
    all.flatten().map(String::as_str).collect()
}

async fn bed(classic: bool) -> Bed {
    let catalog = Catalog::builtin().catalog;
    let app = catalog.apps.values().find(|app| app.id.as_str() == "okta").expect("it is built in").clone();
    let plan = Plan { subdomain: "acme".to_owned(), seed: 17, now: NOW, users: 450, care: 60, classic };
    let mut okta = Okta::generate(&plan);
    okta.tokens.insert("simulated-super".to_owned(), Rank::SuperAdministrator);
    okta.tokens.insert("simulated-reader".to_owned(), Rank::ReadOnlyAdministrator);
    let (service, key) = ServiceApp::generate("0oaparapet", &scopes(&app)).expect("a key");
    okta.app = Some(service);
    let clock = Unhurried::at(NOW);
    let time = clock.clone();
    let server = Server::start(okta, Arc::new(move || time.now())).await.expect("a loopback port");
    Bed { app, server, clock, key: format!("kid: simulated\n{key}") }
}

fn token(token: &str) -> Credential {
    Credential::new("token", BTreeMap::from([("token".to_owned(), token.to_owned().into())]))
}

fn service(bed: &Bed) -> Credential {
    let values = [("client_id", "0oaparapet"), ("private_key", bed.key.as_str())];
    let values = values.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned().into()));
    Credential::new("service_app", values.collect())
}

fn outbound() -> Outbound {
    let config = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
    Outbound::new(config).expect("a client without certificates of its own")
}

fn target(bed: &Bed) -> Target {
    let origin = bed.server.origin();
    Target {
        app: Arc::clone(&bed.app),
        deployment: "cloud".to_owned(),
        settings: BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())]),
        origins: Origins::resolve(&bed.app, "cloud", Some("acme"), Some(&origin))
            .expect("a loopback address"),
    }
}

async fn read(bed: &Bed, credential: &Credential, kind: ScanKind) -> Snapshot {
    let (outbound, target) = (outbound(), target(bed));
    let request = RunRequest::new(kind, bed.clock.now() + Duration::hours(3));
    match collect::run(&outbound, &target, credential, &bed.clock, request, &Quiet).await {
        Collected::Done(done) => done.snapshot,
        other => panic!("the {} scan did not end: {other:?}", kind.as_str()),
    }
}

/// The datasets that were not read completely, with what became of them.
fn unread(snapshot: &Snapshot) -> BTreeMap<&str, &Availability> {
    let all = snapshot.datasets.iter().map(|(name, d)| (name.as_str(), &d.availability));
    all.filter(|(_, a)| !matches!(a, Availability::Complete)).collect()
}

fn lacking(snapshot: &Snapshot) -> Vec<&str> {
    let unread = unread(snapshot);
    for (name, availability) in &unread {
        assert!(matches!(availability, Availability::NotApplicable { .. }), "{name}: {availability:?}");
    }
    unread.into_keys().collect()
}

#[tokio::test]
async fn both_ways_read_everything_that_identity_engine_has() {
    let bed = bed(false).await;
    for credential in [token("simulated-super"), service(&bed)] {
        for kind in ScanKind::ALL {
            let snapshot = read(&bed, &credential, kind).await;
            // The simulated organisation has no bot protection.
            let expected: &[&str] = if kind == ScanKind::Config { &["bot_protection"] } else { &[] };
            assert_eq!(lacking(&snapshot), expected, "{} {}", credential.auth, kind.as_str());
        }
    }
}

#[tokio::test]
async fn onboarding_tells_the_tenant_and_what_is_missing() {
    let bed = bed(false).await;
    let check = async |credential: &Credential| {
        collect::preflight(&outbound(), &target(&bed), credential, &bed.clock).await.expect("it signs in")
    };
    for (credential, person) in [(token("simulated-super"), true), (service(&bed), false)] {
        let found = check(&credential).await;
        assert_eq!(
            (found.identity.tenant_uid.as_str(), found.identity.tenant_name.as_str()),
            ("00oacme", "acme")
        );
        assert_eq!(found.identity.subject.ends_with("@acme.example"), person, "{}", found.identity.subject);
        for readiness in &found.readiness {
            assert!(readiness.ready && readiness.gaps.is_empty(), "{}: {readiness:?}", credential.auth);
        }
    }
    let found = check(&token("simulated-reader")).await;
    for readiness in &found.readiness {
        assert!(readiness.ready, "{readiness:?}");
        assert_eq!(readiness.gaps, ["Super Administrator"], "{readiness:?}");
    }
}

#[tokio::test]
async fn ten_thousand_users_would_be_fifty_requests() {
    let bed = bed(false).await;
    let snapshot = read(&bed, &token("simulated-super"), ScanKind::Accounts).await;
    assert_eq!(snapshot.datasets["users"].records.len(), 450);
    let requests = std::mem::take(&mut bed.server.tenant().requests);
    let listings = requests.iter().filter(|r| r.starts_with("GET /api/v1/users?")).count();
    assert_eq!(listings, 3 + 1, "three pages of people and one of those who left: {requests:#?}");
    let admins = snapshot.datasets["admins"].records.len();
    let single = requests.iter().filter(|r| r.starts_with("GET /api/v1/users/00u")).count();
    assert_eq!(single, 2 * admins, "roles and factors are asked of administrators only");
}

#[tokio::test]
async fn classic_engine_lacks_and_is_not_blamed() {
    let bed = bed(true).await;
    let snapshot = read(&bed, &token("simulated-super"), ScanKind::Config).await;
    let expected = [
        "access_policies",
        "access_rules",
        "authenticators",
        "bot_protection",
        "registration_policies",
        "registration_rules",
    ];
    assert_eq!(lacking(&snapshot), expected);
}

#[tokio::test]
async fn what_a_reader_may_not_see_is_not_empty() {
    let bed = bed(false).await;
    let snapshot = read(&bed, &token("simulated-reader"), ScanKind::Config).await;
    for name in ["admins", "admin_roles", "admin_factors", "api_tokens", "log_streams", "client_roles"] {
        match &snapshot.datasets[name].availability {
            Availability::Unavailable { fault } => {
                assert_eq!(fault.cause, FailureCause::Permission, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(matches!(snapshot.datasets["session_rules"].availability, Availability::Complete));
}

#[tokio::test]
async fn a_scope_that_nobody_granted_costs_only_what_needs_it() {
    let bed = bed(false).await;
    if let Some(app) = &mut bed.server.tenant().vendor.app {
        app.scopes.remove("okta.networkZones.read");
    }
    let snapshot = read(&bed, &service(&bed), ScanKind::Config).await;
    let unread = unread(&snapshot);
    assert_eq!(unread.keys().copied().collect::<Vec<_>>(), ["bot_protection", "zones"]);
    let Availability::Unavailable { fault } = unread["zones"] else { panic!("{:?}", unread["zones"]) };
    assert_eq!(fault.cause, FailureCause::Permission);
    assert!(fault.needs.iter().any(|need| need.contains("okta.networkZones.read")), "{:?}", fault.needs);
}

#[tokio::test]
async fn a_used_up_limit_is_waited_for() {
    let bed = bed(false).await;
    bed.server.tenant().vendor.limit = 3;
    let snapshot = read(&bed, &token("simulated-super"), ScanKind::Accounts).await;
    assert!(unread(&snapshot).is_empty(), "{:?}", unread(&snapshot));
    assert!(bed.clock.now() > NOW, "nothing was waited for");
}

#[tokio::test]
async fn a_deleted_key_is_about_the_credential() {
    let bed = bed(false).await;
    if let Some(app) = &mut bed.server.tenant().vendor.app {
        app.valid = false;
    }
    let snapshot = read(&bed, &service(&bed), ScanKind::Accounts).await;
    for (name, dataset) in &snapshot.datasets {
        match &dataset.availability {
            Availability::Unavailable { fault } => {
                assert_eq!(fault.cause, FailureCause::Credentials, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_broken_page_leaves_no_short_list() {
    let bed = bed(false).await;
    let fault = Fault::Truncated;
    bed.server.tenant().faults.push(FaultRule {
        path_contains: "/api/v1/zones".to_owned(),
        fault,
        times: None,
    });
    let snapshot = read(&bed, &token("simulated-super"), ScanKind::Config).await;
    let Availability::Unavailable { fault } = &snapshot.datasets["zones"].availability else {
        panic!("{:?}", snapshot.datasets["zones"].availability)
    };
    assert_eq!(fault.cause, FailureCause::Protocol);
}
