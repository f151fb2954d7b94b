//! A tenant of each application, rendered from one small company, with a credential that may read everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assess::{Assessment, Detail, Instance, Prior};
use catalog::{App, Catalog};
use collect::{
    Clock as _, Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target,
};
use engine::clock::SystemClock;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use sim::company::{self, Company};
use sim::github::{AppKey, GitHub};
use sim::google::{Google, READ_SCOPES, ServiceAccount};
use sim::keys::Pair;
use sim::microsoft365::{CLIENT, Microsoft365, READ_ROLES, Registration};
use sim::okta::{Okta, SCOPES_TO_READ, ServiceApp};
use sim::{Server, Vendor};

/// People of the company: few, since every scan of every tenant is made once a permission.
const PEOPLE: usize = 60;

type Switch = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// A tenant, who reads it, and the switch that withdraws a permission (`None`: gives all of them back).
pub(crate) struct Bench {
    target: Target,
    credential: Credential,
    outbound: Outbound,
    now: Timestamp,
    /// What the credential holds and the manifest asks for.
    pub(crate) permissions: BTreeSet<String>,
    pub(crate) withdraw: Switch,
}

/// An application without the pace that spares real vendors.
fn app(id: &str) -> Arc<App> {
    let mut loaded = Catalog::builtin();
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let app = loaded.catalog.apps.get_mut(&id.into()).expect("it is built in");
    let throttle = &mut Arc::get_mut(app).expect("nobody else holds it yet").manifest.throttle;
    (throttle.per_second, throttle.per_minute) = (None, None);
    app.clone()
}

/// What the manifest asks for with this way to authenticate.
fn asked(app: &App, auth: &str) -> BTreeSet<String> {
    app.datasets.iter().filter_map(|d| d.spec.permission.get(auth)).flatten().cloned().collect()
}

fn company() -> Company {
    Company::new(3, PEOPLE, SystemClock.now())
}

struct Plan<'a> {
    app: Arc<App>,
    label: Option<&'a str>,
    settings: &'a [(&'a str, &'a str)],
    auth: &'a str,
    values: Vec<(&'a str, String)>,
    permissions: BTreeSet<String>,
}

async fn bench<V: Vendor>(
    vendor: V,
    plan: Plan<'_>,
    withdrawn: impl Fn(&mut V) -> &mut BTreeSet<String> + Send + Sync + 'static,
) -> Bench {
    let server = Server::start(vendor, Arc::new(|| SystemClock.now())).await.expect("a loopback port");
    let deployment = plan.app.manifest.deployment[0].id.clone();
    let origins =
        Origins::resolve(&plan.app, &deployment, plan.label, Some(&server.origin())).expect("an address");
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let outbound = Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() });
    let values = plan.values.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
    Bench {
        target: Target { app: plan.app, deployment, settings: text(plan.settings), origins },
        credential: Credential::new(plan.auth, values),
        outbound: outbound.expect("an outbound client"),
        now: SystemClock.now(),
        permissions: plan.permissions,
        withdraw: Box::new(move |permission| {
            let mut tenant = server.tenant();
            let withdrawn = withdrawn(&mut tenant.vendor);
            withdrawn.clear();
            withdrawn.extend(permission.map(str::to_owned));
        }),
    }
}

impl Bench {
    pub(crate) fn auth(&self) -> &str {
        &self.credential.auth
    }

    pub(crate) fn app(&self) -> &App {
        &self.target.app
    }

    pub(crate) async fn scan(&self, kind: ScanKind, prior: &Prior<'_>) -> Assessment {
        let mut request = RunRequest::new(kind, SystemClock.now() + Duration::hours(3));
        request.sweep_requests = u32::MAX;
        let collected =
            collect::run(&self.outbound, &self.target, &self.credential, &SystemClock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{kind}: {collected:?}") };
        let params = BTreeMap::new();
        let instance = Instance {
            tenant_uid: "1",
            auth: &self.credential.auth,
            settings: &self.target.settings,
            params: &params,
            interval: Duration::hours(1),
        };
        // Always as of the same instant, so that nothing but the permission makes a difference.
        assess::assess(&done.snapshot, &self.target.app, &instance, prior, self.now, Detail::All)
    }
}

pub(crate) async fn github() -> Bench {
    let app = app("github");
    let mut permissions = asked(&app, "app");
    // What is not asked for at onboarding, no app holds; and none is without the metadata.
    permissions.retain(|p| p.ends_with(":read"));
    let granted: Vec<(&str, &str)> = permissions.iter().filter_map(|p| p.split_once(':')).collect();
    let mut vendor = GitHub::of_company(&company(), company::App::GitHub, 8);
    let (key, pem) = AppKey::generate("1001", "parapet", &granted).expect("a key");
    vendor.app = Some(key);
    vendor.budget = u32::MAX;
    let permissions = permissions.iter().filter(|p| *p != "metadata:read").cloned().collect();
    let plan = Plan {
        label: None,
        settings: &[("organization", "acme")],
        auth: "app",
        values: vec![("app_id", "1001".to_owned()), ("private_key", pem)],
        permissions,
        app,
    };
    bench(vendor, plan, |vendor| &mut vendor.withdrawn).await
}

pub(crate) async fn okta() -> Bench {
    let app = app("okta");
    let permissions = asked(&app, "service_app");
    let mut vendor = Okta::of_company(&company());
    let (service, pem) = ServiceApp::generate("0oaparapet", &SCOPES_TO_READ).expect("a key");
    vendor.app = Some(service);
    vendor.limit = usize::MAX;
    let plan = Plan {
        label: Some("acme"),
        settings: &[("subdomain", "acme")],
        auth: "service_app",
        values: vec![
            ("client_id", "0oaparapet".to_owned()),
            ("private_key", format!("kid: simulated\n{pem}")),
        ],
        permissions,
        app,
    };
    bench(vendor, plan, |vendor| &mut vendor.withdrawn).await
}

pub(crate) async fn microsoft365() -> Bench {
    let app = app("microsoft365");
    let held: BTreeSet<String> = READ_ROLES.map(str::to_owned).into();
    let permissions = asked(&app, "secret").intersection(&held).cloned().collect();
    let mut vendor = Microsoft365::of_company(&company());
    let registration = Registration {
        secret: Some("Q8~of-a-test".to_owned()),
        roles: held,
        valid: true,
        ..Registration::default()
    };
    vendor.registrations.insert(CLIENT.to_owned(), registration);
    (vendor.limit, vendor.report_limit) = (usize::MAX, usize::MAX);
    let plan = Plan {
        label: None,
        settings: &[("tenant", company::DOMAIN), ("exchange", "yes"), ("teams", "yes")],
        auth: "secret",
        values: vec![("client_id", CLIENT.to_owned()), ("client_secret", "Q8~of-a-test".to_owned())],
        permissions,
        app,
    };
    bench(vendor, plan, |vendor| &mut vendor.withdrawn).await
}

pub(crate) async fn google() -> Bench {
    let app = app("google_workspace");
    let permissions = asked(&app, "service_account");
    let mut vendor = Google::of_company(&company());
    let pair = Pair::generate().expect("a key");
    let email = "parapet@acme-scans.iam.example";
    let account = ServiceAccount {
        public_key: pair.public(),
        scopes: READ_SCOPES.map(str::to_owned).into(),
        valid: true,
        key_ends: None,
    };
    vendor.accounts.insert(email.to_owned(), account);
    (vendor.limit, vendor.policy_limit) = (usize::MAX, usize::MAX);
    let file = serde_json::json!({ "type": "service_account", "client_email": email, "private_key_id": "1",
        "private_key": pair.private_pem().expect("PEM") });
    let plan = Plan {
        label: None,
        settings: &[],
        auth: "service_account",
        values: vec![("key_file", file.to_string()), ("subject", vendor.administrator().to_owned())],
        permissions,
        app,
    };
    bench(vendor, plan, |vendor| &mut vendor.withdrawn).await
}
