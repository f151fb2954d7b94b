//! The law on a whole tenant: whatever permission is withdrawn, nothing starts to look better than it did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assess::{Assessment, Detail, Instance, Prior};
use collect::{
    Clock as _, Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target,
};
use engine::clock::SystemClock;
use model::finding::Outcome;
use model::scan::{RunOutcome, ScanKind};
use model::time::Duration;
use sim::Server;
use sim::github::{AppKey, GitHub, Plan};

struct Bench {
    server: Server<GitHub>,
    target: Target,
    credential: Credential,
    outbound: Outbound,
}

fn permissions(app: &catalog::App) -> BTreeSet<String> {
    app.datasets.iter().filter_map(|d| d.spec.permission.get("app")).flatten().cloned().collect()
}

async fn bench() -> Bench {
    let loaded = catalog::Catalog::builtin();
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let app = loaded.catalog.apps[&"github".into()].clone();
    let plan = Plan {
        organization: "acme".to_owned(),
        seed: 3,
        now: SystemClock.now(),
        repositories: 8,
        members: 9,
        care: 50,
        enterprise: true,
    };
    let mut vendor = GitHub::generate(&plan);
    let granted: Vec<(String, String)> = permissions(&app)
        .iter()
        .filter_map(|p| p.split_once(':').map(|(n, l)| (n.to_owned(), l.to_owned())))
        .collect();
    let granted: Vec<(&str, &str)> = granted.iter().map(|(n, l)| (n.as_str(), l.as_str())).collect();
    let (key, pem) = AppKey::generate("1001", "parapet", &granted).expect("a key");
    vendor.app = Some(key);
    let server = Server::start(vendor, Arc::new(|| SystemClock.now())).await.expect("a loopback port");
    let origins = Origins::resolve(&app, "cloud", None, Some(&server.origin())).expect("an address");
    let settings = BTreeMap::from([("organization".to_owned(), "acme".to_owned())]);
    let values = BTreeMap::from([
        ("app_id".to_owned(), "1001".to_owned().into()),
        ("private_key".to_owned(), pem.into()),
    ]);
    let outbound = Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() });
    Bench {
        server,
        target: Target { app, deployment: "cloud".to_owned(), settings, origins },
        credential: Credential { auth: "app".to_owned(), values },
        outbound: outbound.expect("an outbound client"),
    }
}

impl Bench {
    async fn scan(&self, kind: ScanKind) -> Assessment {
        let now = SystemClock.now();
        let mut request = RunRequest::new(kind, now + Duration::hours(3));
        request.sweep_requests = u32::MAX;
        let collected =
            collect::run(&self.outbound, &self.target, &self.credential, &SystemClock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{kind}: {collected:?}") };
        let params = BTreeMap::new();
        let instance = Instance {
            tenant_uid: "1",
            auth: "app",
            settings: &self.target.settings,
            params: &params,
            interval: Duration::hours(1),
        };
        assess::assess(&done.snapshot, &self.target.app, &instance, &Prior::default(), now, Detail::All)
    }
}

fn outcomes(a: &Assessment) -> BTreeMap<(String, String), Outcome> {
    a.results.iter().map(|r| ((r.check.to_string(), r.resource.clone()), r.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_looks_better_for_a_withdrawn_permission() {
    let bench = bench().await;
    let mut whole = BTreeMap::new();
    for kind in ScanKind::ALL {
        let a = bench.scan(kind).await;
        assert_eq!(a.outcome, RunOutcome::Succeeded, "{kind}: {:?}", a.fault);
        whole.insert(kind, a);
    }
    for permission in permissions(&bench.target.app) {
        bench.server.tenant().vendor.withdrawn.insert(permission.clone());
        for kind in ScanKind::ALL {
            let before = &whole[&kind];
            let after = bench.scan(kind).await;
            let known = outcomes(before);
            for (place, outcome) in outcomes(&after) {
                if outcome == Outcome::Pass {
                    assert_eq!(
                        known.get(&place),
                        Some(&Outcome::Pass),
                        "without {permission}: {place:?} became a pass"
                    );
                }
            }
            for tally in &after.tallies {
                let was = before.tallies.iter().find(|t| t.check == tally.check).expect("the same checks");
                let silent = tally.fail == 0 && tally.inconclusive == 0;
                assert!(
                    was.fail == 0 || !silent,
                    "without {permission}: {} had {} failures and now has neither failures nor doubts: {tally:?}",
                    tally.check,
                    was.fail
                );
            }
            if after.gaps.iter().any(|g| g.required) {
                assert_ne!(
                    after.outcome,
                    RunOutcome::Succeeded,
                    "{kind} without {permission}: {:?}",
                    after.gaps
                );
            }
            let broken = after.outcome != RunOutcome::Succeeded;
            if (kind, permission.as_str()) == (ScanKind::Accounts, "members:read") {
                assert!(broken, "the accounts cannot be read without {permission}");
            }
        }
        bench.server.tenant().vendor.withdrawn.clear();
    }
}
