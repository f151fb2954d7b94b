//! One-off scans of every application of an invented company of 10,000 people, 100 ms away, at the pace of the manifests.
//!
//! Reads of one request a person (what users of Google let in) are sweeps over the day's scans: they are left out of the first
//! table and stand apart, for a company of a size that one run can sweep.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collect::Clock as _;
use engine::clock::SystemClock;
use sim::company::{App, Company, SIZE};
use sim::github::{AppKey, GitHub};
use sim::google::{Google, READ_SCOPES, ServiceAccount};
use sim::keys::Pair;
use sim::microsoft365::{CLIENT, Microsoft365, READ_ROLES, Registration};
use sim::okta::{Okta, SCOPES_TO_READ, ServiceApp};
use sim::scim::Scim;
use sim::{Server, Vendor};

use super::{BINARY, milliseconds, scans};

const PEOPLE: usize = 10_000;
const KINDS: [&str; 3] = ["config", "accounts", "plugins"];

pub(crate) async fn measure() {
    let begun = Instant::now();
    let company = Company::new(11, PEOPLE, SystemClock.now());
    println!("company: {PEOPLE} people, made in {:.0} ms", milliseconds(begun.elapsed()));
    println!("  requests at the vendor, wall clock at 100 ms latency, peak memory; without sweeps");
    all(&company, Duration::from_millis(100), &KINDS, false).await;
    println!("the same for {SIZE} people at 0 ms with all sweeps, where a scan has any");
    let small = Company::new(11, SIZE, SystemClock.now());
    all(&small, Duration::ZERO, &["plugins"], true).await;
}

/// What a scan is started with.
struct Plan<'a> {
    app: &'a str,
    auth: &'a str,
    settings: &'a [&'a str],
    credential: toml::Table,
    accounts: usize,
}

async fn all(company: &Company, latency: Duration, kinds: &[&str], sweeps: bool) {
    let accounts = |app: App| company.accounts(app).len();
    let text = |pairs: &[(&str, &str)]| -> toml::Table {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), toml::Value::String((*v).to_owned()))).collect()
    };
    let mut okta = Okta::of_company(company);
    let (service, pem) = ServiceApp::generate("0oaparapet", &SCOPES_TO_READ).expect("a key");
    okta.app = Some(service);
    let credential = text(&[("client_id", "0oaparapet"), ("private_key", &format!("kid: simulated\n{pem}"))]);
    let plan = Plan {
        app: "okta",
        auth: "service_app",
        settings: &["subdomain=acme"],
        credential,
        accounts: accounts(App::Okta),
    };
    measured(okta, &plan, latency, kinds, sweeps).await;

    let mut microsoft = Microsoft365::of_company(company);
    let registration = Registration {
        secret: Some("Q8~of-a-bench".to_owned()),
        roles: READ_ROLES.map(str::to_owned).into(),
        valid: true,
        ..Registration::default()
    };
    microsoft.registrations.insert(CLIENT.to_owned(), registration);
    let credential = text(&[("client_id", CLIENT), ("client_secret", "Q8~of-a-bench")]);
    let plan = Plan {
        app: "microsoft365",
        auth: "secret",
        settings: &["tenant=acme.example"],
        credential,
        accounts: accounts(App::Microsoft365),
    };
    measured(microsoft, &plan, latency, kinds, sweeps).await;

    let mut google = Google::of_company(company);
    let pair = Pair::generate().expect("a key");
    let email = "parapet@acme-scans.iam.example";
    let account = ServiceAccount {
        public_key: pair.public(),
        scopes: READ_SCOPES.map(str::to_owned).into(),
        valid: true,
        key_ends: None,
    };
    google.accounts.insert(email.to_owned(), account);
    let file = serde_json::json!({ "type": "service_account", "client_email": email, "private_key_id": "1", "private_key": pair.private_pem().expect("PEM") });
    let credential = text(&[("key_file", &file.to_string()), ("subject", google.administrator())]);
    let plan = Plan {
        app: "google_workspace",
        auth: "service_account",
        settings: &[],
        credential,
        accounts: accounts(App::Google),
    };
    measured(google, &plan, latency, kinds, sweeps).await;

    let mut github = GitHub::of_company(company, App::GitHub, company.people.len() / 10);
    let catalog = catalog::Catalog::builtin().catalog;
    let asked =
        catalog.apps[&"github".into()].datasets.iter().filter_map(|d| d.spec.permission.get("app")).flatten();
    let granted: BTreeSet<(&str, &str)> =
        asked.filter_map(|p| p.split_once(':')).filter(|(_, level)| *level == "read").collect();
    let granted: Vec<(&str, &str)> = granted.into_iter().collect();
    let (key, pem) = AppKey::generate("1001", "parapet", &granted).expect("a key");
    github.app = Some(key);
    let credential = text(&[("app_id", "1001"), ("private_key", &pem)]);
    let plan = Plan {
        app: "github",
        auth: "app",
        settings: &["organization=acme"],
        credential,
        accounts: accounts(App::GitHub),
    };
    measured(github, &plan, latency, kinds, sweeps).await;

    let mut directory = Scim::of_company(company);
    directory.clients.insert("parapet".to_owned(), "of-a-bench".to_owned());
    let credential = text(&[("client_id", "parapet"), ("client_secret", "of-a-bench")]);
    let settings = &["scim_path=/scim/v2", "token_path=/oauth/token"];
    let plan = Plan { app: "scim", auth: "client", settings, credential, accounts: accounts(App::Directory) };
    let kinds: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "plugins").collect();
    measured(directory, &plan, latency, &kinds, sweeps).await;
}

async fn measured<V: Vendor>(vendor: V, plan: &Plan<'_>, latency: Duration, kinds: &[&str], sweeps: bool) {
    let server = Server::start(vendor, Arc::new(|| SystemClock.now())).await.expect("a loopback port");
    server.tenant().latency = latency;
    let folder = tempfile::tempdir().expect("a folder");
    let credential = folder.path().join("credential.toml");
    std::fs::write(&credential, plan.credential.to_string()).expect("a credential");
    for kind in kinds {
        server.tenant().requests.clear();
        let (wall, peak) =
            scans::timed(&mut command(plan, kind, &server.origin(), folder.path(), sweeps)).await;
        let requests = server.tenant().requests.len();
        let Plan { app, accounts, .. } = plan;
        println!(
            "  {app:<17}{kind:<9}{accounts:>6} accounts {requests:>6} requests {wall:>7.1} s {peak:>6.1} MB"
        );
    }
}

fn command(plan: &Plan<'_>, kind: &str, address: &str, folder: &Path, sweeps: bool) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["scan", plan.app, "--auth", plan.auth, "--kind", kind, "--address", address]);
    plan.settings.iter().for_each(|setting| {
        command.args(["--set", setting]);
    });
    command
        .arg("--credential")
        .arg(folder.join("credential.toml"))
        .arg("--output")
        .arg(folder.join("report"));
    if !sweeps {
        command.arg("--quick");
    }
    command
}
