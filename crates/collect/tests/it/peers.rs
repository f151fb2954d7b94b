//! Servers that other people wrote: Canaille's SCIM and a GitHub emulator. `cargo xtask test` installs and starts them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::{Arc, Mutex};

use catalog::{App, Catalog};
use collect::{
    Checkpoint, Clock, Collected, Credential, DatasetState, Done, Origins, Progress, Quiet, RunRequest,
    Target,
};
use futures_util::future::BoxFuture;
use model::dataset::Availability;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use serde_json::Value as Json;

use crate::support::{credential, dataset, fault, outbound, records};

#[expect(
    unreachable_pub,
    clippy::print_stdout,
    reason = "shared by tests of several crates; says that it was not run"
)]
#[path = "../../../../e2e/peers/peer.rs"]
mod peer;

/// The peers look at the clock, so that this one is real; only back-offs are cut short.
struct RealClock;

impl Clock for RealClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the peers verify signatures and token times by the real time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
    fn sleep(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(length.to_std().min(std::time::Duration::from_millis(50))))
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

fn application(id: &str) -> Arc<App> {
    Arc::clone(&Catalog::builtin().catalog.apps[&id.into()])
}

async fn scan(target: &Target, credential: &Credential, kind: ScanKind) -> Box<Done> {
    let request = RunRequest::new(kind, RealClock.now() + Duration::hours(1));
    match collect::run(&outbound(), target, credential, &RealClock, request, &Quiet).await {
        Collected::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

fn texts(done: &Done, name: &str, field: &str) -> BTreeSet<String> {
    records(dataset(done, name)).iter().filter_map(|r| r[field].as_str().map(str::to_owned)).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

struct Canaille {
    peer: peer::Peer,
    dir: Arc<tempfile::TempDir>,
}

impl Canaille {
    fn start() -> Option<Self> {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// Starts it, or starts it again where it has run before.
    fn start_in(dir: Arc<tempfile::TempDir>) -> Option<Self> {
        let peer = peer::Peer::start("canaille", &["--dir", dir.path().to_str().unwrap()])?;
        Some(Self { peer, dir })
    }

    fn target(&self) -> Target {
        let app = application("scim");
        Target {
            origins: Origins::resolve(&app, "server", None, Some(self.peer.fact("url"))).unwrap(),
            app,
            deployment: "server".to_owned(),
            settings: BTreeMap::from([
                ("scim_path".to_owned(), "/scim/v2".to_owned()),
                ("token_path".to_owned(), "/oauth/token".to_owned()),
            ]),
        }
    }

    fn credential(&self) -> Credential {
        let secret = self.peer.fact("client_secret");
        credential("client", &[("client_id", self.peer.fact("client_id")), ("client_secret", secret)])
    }

    /// Changes the server through its own commands.
    fn admin(&self, arguments: &[&str]) {
        let done = Command::new(self.peer.fact("admin"))
            .args(arguments)
            .env("CANAILLE_CONFIG", self.peer.fact("config"))
            .output()
            .expect("the peer names its own command");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[tokio::test]
async fn canailles_accounts_and_groups_are_read_and_followed() {
    let Some(canaille) = Canaille::start() else { return };
    let (target, credential) = (canaille.target(), canaille.credential());
    let preflight = collect::preflight(&outbound(), &target, &credential, &RealClock).await.unwrap();
    assert_eq!(preflight.identity.tenant_uid, canaille.peer.fact("url"));
    assert!(preflight.readiness.iter().all(|r| r.ready), "{:?}", preflight.readiness);

    let done = scan(&target, &credential, ScanKind::Accounts).await;
    for name in ["users", "groups"] {
        assert_eq!(dataset(&done, name).availability, Availability::Complete, "{name}");
    }
    assert_eq!(texts(&done, "users", "username"), set(&["ada", "grace", "alan"]));
    let active: BTreeMap<String, Json> = records(dataset(&done, "users"))
        .into_iter()
        .map(|r| (r["username"].as_str().unwrap().to_owned(), r["active"].clone()))
        .collect();
    assert_eq!((&active["ada"], &active["alan"]), (&Json::Bool(true), &Json::Bool(false)));
    assert!(texts(&done, "groups", "display_name").contains("engineers"));

    canaille.admin(&[
        "create",
        "user",
        "--user-name",
        "barbara",
        "--family-name",
        "Liskov",
        "--emails",
        "b@example.org",
    ]);
    canaille.admin(&["delete", "user", "--noconfirm", "--user-name", "grace"]);
    let done = scan(&target, &credential, ScanKind::Accounts).await;
    assert_eq!(texts(&done, "users", "username"), set(&["ada", "alan", "barbara"]));
}

#[tokio::test]
async fn canailles_refusals_and_silence_have_their_cause() {
    let Some(canaille) = Canaille::start() else { return };
    let (target, good) = (canaille.target(), canaille.credential());
    let wrong =
        credential("client", &[("client_id", canaille.peer.fact("client_id")), ("client_secret", "wrong")]);
    let done = scan(&target, &wrong, ScanKind::Accounts).await;
    assert_eq!(fault(dataset(&done, "users")).cause, FailureCause::Credentials);
    assert_eq!(done.snapshot.cost.requests, 1);

    canaille.admin(&["set", "client", canaille.peer.fact("client_id"), "--client-secret", "another secret"]);
    let done = scan(&target, &good, ScanKind::Accounts).await;
    assert_eq!(fault(dataset(&done, "users")).cause, FailureCause::Credentials);
    let new = credential(
        "client",
        &[("client_id", canaille.peer.fact("client_id")), ("client_secret", "another secret")],
    );
    let done = scan(&target, &new, ScanKind::Accounts).await;
    assert!(dataset(&done, "users").availability.is_complete());

    canaille.admin(&["delete", "client", "--noconfirm", "--client-id", canaille.peer.fact("client_id")]);
    let done = scan(&target, &new, ScanKind::Accounts).await;
    let refused = fault(dataset(&done, "users"));
    assert_eq!(refused.cause, FailureCause::Credentials);
    assert!(refused.vendor_message.is_some());

    // A bearer that nobody issued is refused by the resource itself.
    let done =
        scan(&target, &credential("token", &[("token", "nobody-issued-this")]), ScanKind::Accounts).await;
    assert_eq!(fault(dataset(&done, "users")).cause, FailureCause::Credentials);

    drop(canaille);
    let done = scan(&target, &new, ScanKind::Accounts).await;
    assert_eq!(fault(dataset(&done, "users")).cause, FailureCause::Unreachable);
}

/// Ends the server as soon as the first records have come.
struct Killer(Mutex<Option<Canaille>>);

impl Progress for Killer {
    fn dataset(&self, _: &str, _: DatasetState) {}
    fn records(&self, _: &str, _: u64) {
        drop(self.0.lock().unwrap().take());
    }
    fn keeps_checkpoints(&self) -> bool {
        false
    }
    fn checkpoint(&self, _: Checkpoint) -> BoxFuture<'_, ControlFlow<()>> {
        Box::pin(std::future::ready(ControlFlow::Continue(())))
    }
}

#[tokio::test]
async fn canaille_may_stop_in_the_middle_and_come_back() {
    let Some(canaille) = Canaille::start() else { return };
    let (target, credential, dir) = (canaille.target(), canaille.credential(), Arc::clone(&canaille.dir));
    let request = RunRequest::new(ScanKind::Accounts, RealClock.now() + Duration::hours(1));
    let killer = Killer(Mutex::new(Some(canaille)));
    let collected = collect::run(&outbound(), &target, &credential, &RealClock, request, &killer).await;
    let Collected::Done(done) = collected else { panic!("{collected:?}") };
    let (read, unread): (Vec<_>, Vec<_>) =
        done.snapshot.datasets.iter().partition(|(_, d)| d.availability.is_complete());
    assert_eq!((read.len(), unread.len()), (1, 1), "{:?}", done.snapshot.datasets);
    assert_eq!(fault(unread[0].1).cause, FailureCause::Unreachable);

    let canaille = Canaille::start_in(dir).expect("it has run before");
    let done = scan(&canaille.target(), &credential, ScanKind::Accounts).await;
    assert!(done.snapshot.datasets.values().all(|d| d.availability.is_complete()));
}

fn github(peer: &peer::Peer, organization: &str) -> Target {
    let app = application("github");
    Target {
        origins: Origins::resolve(&app, "cloud", None, Some(peer.fact("url"))).unwrap(),
        app,
        deployment: "cloud".to_owned(),
        settings: BTreeMap::from([("organization".to_owned(), organization.to_owned())]),
    }
}

fn app_key(peer: &peer::Peer, key: &str) -> Credential {
    credential("app", &[("app_id", &peer.facts["app_id"].to_string()), ("private_key", key)])
}

#[tokio::test]
async fn the_github_emulator_is_read_with_an_apps_key() {
    let Some(peer) = peer::Peer::start("github", &[]) else { return };
    let target = github(&peer, peer.fact("org"));
    let credential = app_key(&peer, peer.fact("private_key"));
    let done = scan(&target, &credential, ScanKind::Config).await;

    // It has no GraphQL, so that the members come by REST, with their roles.
    let members = dataset(&done, "members");
    assert_eq!(members.availability, Availability::Complete);
    let roles: BTreeMap<String, String> = records(members)
        .iter()
        .map(|r| (r["login"].as_str().unwrap().to_owned(), r["role"].as_str().unwrap().to_owned()))
        .collect();
    let of =
        |role: &str| roles.iter().filter(|(_, r)| *r == role).map(|(l, _)| l.as_str()).collect::<Vec<_>>();
    assert_eq!((of("ADMIN"), of("MEMBER")), (vec!["ada", "grace"], vec!["alan", "edsger"]));

    let hooks = records(dataset(&done, "org_hooks"));
    let hosts: BTreeSet<&str> = hooks.iter().filter_map(|h| h["host"].as_str()).collect();
    assert_eq!(hosts, BTreeSet::from(["ci.example.org", "legacy.example.org"]));

    // It answers everybody whatever the filter: that is noticed, and nobody is accused.
    let weak = dataset(&done, "members_without_2fa");
    assert!(fault(weak).detail.contains("ignored the filter"), "{:?}", weak.availability);
    assert!(weak.records.is_empty());

    // What it does not have is never complete.
    for (name, read) in &done.snapshot.datasets {
        let known = ["organization", "members", "org_hooks", "secrets"].contains(&name.as_str());
        assert!(
            known || !read.availability.is_complete() || !read.records.is_empty(),
            "{name} is complete and empty"
        );
    }
    // A field that it leaves out is unknown.
    let unknown = serde_json::json!({ "$unknown": true });
    assert_eq!(records(dataset(&done, "organization"))[0]["two_factor_required"], unknown);
}

#[tokio::test]
async fn the_github_emulator_refuses_another_key() {
    let Some(peer) = peer::Peer::start("github", &[]) else { return };
    let other = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let credential = app_key(&peer, &crate::auth::pem_of(&other));
    let done = scan(&github(&peer, peer.fact("org")), &credential, ScanKind::Accounts).await;
    assert_eq!(fault(dataset(&done, "members")).cause, FailureCause::Credentials);
    // It finds the installation for anybody, and verifies the signature when the token is bought. No dataset is tried.
    assert_eq!(done.snapshot.cost.requests, 2);
    let refused =
        collect::authenticate(&outbound(), &github(&peer, peer.fact("org")), &credential, &RealClock).await;
    assert_eq!(refused.unwrap_err().cause, FailureCause::Credentials);
}
