//! Every application of the catalogue against every fault: generated, so that an application that is added is covered.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{App, Catalog};
use collect::{Collected, Credential, Origins, Quiet, RunRequest, Target};
use model::dataset::{Availability, Snapshot};
use model::scan::FailureCause;
use model::time::Duration;
use serde_json::json;

use crate::support::*;

/// What a server may do, and which causes may come of it.
fn faults() -> Vec<(&'static str, Answer, Vec<FailureCause>)> {
    use FailureCause::{Credentials, Permission, Protocol, Remote, Throttled};
    let endless = json(json!([])).with("link", r#"</again>; rel="next""#);
    vec![
        ("401", error(401, "Bad credentials"), vec![Credentials]),
        ("403", error(403, "Forbidden"), vec![Permission, Credentials]),
        ("404", error(404, "Not Found"), vec![Protocol, Permission, Credentials]),
        ("429 for long", error(429, "slow down").with("retry-after", "86400"), vec![Throttled]),
        ("500", error(500, "oops"), vec![Remote]),
        ("truncated", json(json!(null)).body(r#"{"data": {"organization": {"#), vec![Protocol]),
        (
            "HTML",
            status(200).with("content-type", "text/html").body("<!doctype html><html>Sign in"),
            vec![Protocol],
        ),
        ("foreign redirect", status(302).with("location", "https://elsewhere.example/"), vec![Protocol]),
        ("wrong shape", json(json!({ "surprise": [1, 2, 3] })), vec![Protocol]),
        ("a number", json(json!(7)), vec![Protocol]),
        ("endless", endless, vec![Protocol]),
        (
            "gzip bomb",
            json(json!(null)).with("content-encoding", "gzip").body(crate::network::bomb(2)),
            vec![Protocol],
        ),
        ("nothing", status(200), vec![Protocol]),
    ]
}

fn credential_of(auth: &catalog::manifest::Auth) -> Credential {
    let values = auth
        .kind
        .fields()
        .iter()
        .map(|f| (f.name.to_owned(), format!("value-of-{}-0123456789", f.name).into()))
        .collect();
    Credential { auth: auth.id.clone(), values }
}

fn target_of(app: &Arc<App>, url: &str) -> Target {
    let deployment = app.manifest.deployment[0].id.clone();
    let settings = app
        .manifest
        .setting
        .iter()
        .map(|s| (s.name.clone(), s.default.clone().unwrap_or_else(|| "acme".to_owned())));
    Target {
        origins: Origins::resolve(app, &deployment, Some("acme"), Some(url)).unwrap(),
        app: Arc::clone(app),
        deployment,
        settings: settings.collect::<BTreeMap<_, _>>(),
    }
}

/// A way to authenticate that needs no request of its own, so that the fault meets the datasets.
fn plain_auth(app: &App) -> &catalog::manifest::Auth {
    use catalog::manifest::AuthKind;
    let simple = |a: &&catalog::manifest::Auth| {
        matches!(a.kind, AuthKind::Bearer {} | AuthKind::Header { .. } | AuthKind::Basic { .. })
    };
    app.manifest.auth.iter().find(simple).unwrap_or(&app.manifest.auth[0])
}

fn judge(name: &str, what: &str, snapshot: &Snapshot, app: &App, causes: &[FailureCause]) {
    let kind = snapshot.kind;
    let expected: Vec<&str> = app.datasets_of(kind).map(|d| d.spec.name.as_str()).collect();
    assert_eq!(snapshot.datasets.len(), expected.len(), "{name} {kind} {what}: a dataset is missing");
    for spec in app.datasets_of(kind) {
        let dataset = &snapshot.datasets[&spec.spec.name];
        let place = format!("{name} {kind} {what}: {}", spec.spec.name);
        assert!(dataset.records.is_empty() || what == "endless", "{place} has records");
        match &dataset.availability {
            // An answer without meaning is never "there is none".
            Availability::Complete => panic!("{place} is complete"),
            Availability::NotApplicable { .. } => {
                let says_so = spec.spec.answer.iter().chain(&app.manifest.answer).any(|rule| {
                    rule.means == catalog::manifest::Meaning::NotApplicable
                        || rule.means == catalog::manifest::Meaning::Absent
                });
                assert!(
                    says_so || !spec.spec.deployments.is_empty(),
                    "{place} is not applicable without a rule"
                );
            }
            Availability::Sweeping { .. } => assert!(spec.spec.refresh_hours.is_some(), "{place} sweeps"),
            Availability::Partial { fault } | Availability::Unavailable { fault } => {
                assert!(causes.contains(&fault.cause), "{place}: {:?} {}", fault.cause, fault.detail);
                assert!(!fault.detail.is_empty());
            }
        }
    }
}

/// The applications, with bounds that a test reaches quickly.
fn apps() -> Vec<Arc<App>> {
    let catalog = Catalog::builtin().catalog;
    let apps: Vec<Arc<App>> = catalog
        .apps
        .into_values()
        .map(|app| {
            let mut app = Arc::into_inner(app).expect("the catalogue is this test's own");
            app.manifest.limits.answer_mib = 1;
            app.manifest.limits.pages = 10;
            app.manifest.limits.request_seconds = 1;
            Arc::new(app)
        })
        .collect();
    assert!(!apps.is_empty());
    apps
}

async fn meets(
    outbound: &collect::Outbound,
    app: &Arc<App>,
    what: &str,
    answer: Answer,
    causes: &[FailureCause],
) {
    let name = app.id.as_str();
    for kind in model::scan::ScanKind::ALL {
        if app.datasets_of(kind).next().is_none() {
            continue;
        }
        let answer = answer.clone();
        let server = Server::start(move |_| answer.clone()).await;
        let credential = credential_of(plain_auth(app));
        let request = RunRequest::new(kind, START + Duration::hours(3));
        let target = target_of(app, &server.url);
        let collected = collect::run(outbound, &target, &credential, &server.clock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{name} {kind} {what}: {collected:?}") };
        judge(name, what, &done.snapshot, app, causes);
        assert!(server.count() < 400, "{name} {kind} {what}: {} requests", server.count());
    }
}

#[tokio::test]
async fn every_application_against_every_fault() {
    let outbound = outbound();
    for app in apps() {
        for (what, answer, causes) in faults() {
            meets(&outbound, &app, what, answer, &causes).await;
        }
    }
}

#[tokio::test]
async fn every_application_against_a_server_that_never_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Connections are made, by the system, and nobody reads them.
    let url = format!("http://{}", listener.local_addr().unwrap());
    for app in apps() {
        let kind = app.supported().first().copied().unwrap_or(model::scan::ScanKind::Config);
        let request = RunRequest::new(kind, START + Duration::hours(3));
        let (target, credential, clock) =
            (target_of(&app, &url), credential_of(plain_auth(&app)), TestClock::default());
        let collected = collect::run(&outbound(), &target, &credential, &clock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{collected:?}") };
        judge(app.id.as_str(), "silence", &done.snapshot, &app, &[FailureCause::Unreachable]);
        assert_eq!(done.snapshot.cost.requests, 4);
    }
}
