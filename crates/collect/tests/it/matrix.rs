//! Every application of the catalogue against every fault: generated, so that an application that is added is covered.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::manifest::{Auth, AuthKind};
use catalog::{App, Catalog};
use collect::{Collected, Credential, Origins, Quiet, RunRequest, Target};
use model::dataset::{Availability, Snapshot};
use model::scan::{FailureCause, ScanKind};
use model::time::Duration;
use serde_json::json;

use crate::answering::{Answering, Pages};
use crate::support::*;

/// What a server may do, and which causes may come of it.
fn faults() -> Vec<(&'static str, Answer, Vec<FailureCause>)> {
    use FailureCause::{Credentials, Permission, Protocol, Remote, Throttled};
    let oversized = format!("[\"{}\"]", "x".repeat(2 << 20));
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
        ("oversized", json(json!(null)).body(oversized), vec![Protocol]),
        (
            "gzip bomb",
            json(json!(null)).with("content-encoding", "gzip").body(crate::network::bomb(2)),
            vec![Protocol],
        ),
        ("nothing", status(200), vec![Protocol]),
    ]
}

/// A credential in the form that each field wants.
pub(crate) fn credential_of(auth: &Auth) -> Credential {
    let value = |name: &str| match name {
        "private_key" => crate::auth::pem(),
        "certificate" => include_str!("../tls/good.pem").to_owned(),
        "key_file" => json!({ "client_email": "a@b.example", "private_key": crate::auth::pem() }).to_string(),
        _ => format!("value-of-{name}-0123456789"),
    };
    let fields = auth.kind.fields();
    let values = fields.iter().map(|f| (f.name.to_owned(), value(f.name).into())).collect();
    Credential::new(&*auth.id, values)
}

pub(crate) fn target_of(app: &Arc<App>, url: &str) -> Target {
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

/// Whether a way to authenticate takes a request of its own.
const fn is_bought(auth: &Auth) -> bool {
    !matches!(auth.kind, AuthKind::Bearer {} | AuthKind::Header { .. } | AuthKind::Basic { .. })
}

fn judge(name: &str, what: &str, snapshot: &Snapshot, app: &App, causes: &[FailureCause]) {
    let kind = snapshot.kind;
    let expected: Vec<&str> = app.datasets_of(kind).map(|d| d.spec.name.as_str()).collect();
    assert_eq!(snapshot.datasets.len(), expected.len(), "{name} {kind} {what}: a dataset is missing");
    for spec in app.datasets_of(kind) {
        let dataset = &snapshot.datasets[&spec.spec.name];
        let place = format!("{name} {kind} {what}: {}", spec.spec.name);
        assert!(dataset.records.is_empty(), "{place} has records");
        match &dataset.availability {
            // An answer without meaning is never "there is none".
            Availability::Complete => panic!("{place} is complete"),
            Availability::NotApplicable { .. } => {
                let says_so = spec.spec.answer.iter().chain(&app.manifest.answer).any(|rule| {
                    rule.means == catalog::manifest::Meaning::NotApplicable
                        || rule.means == catalog::manifest::Meaning::Absent
                });
                assert!(
                    says_so || !spec.spec.deployments.is_empty() || spec.spec.opt_in.is_some(),
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
            app.manifest.limits.requests = 1_000;
            Arc::new(app)
        })
        .collect();
    assert!(!apps.is_empty());
    apps
}

/// Reads every dataset of a scan from a server.
pub(crate) async fn scanned(
    outbound: &collect::Outbound,
    app: &Arc<App>,
    auth: &Auth,
    kind: ScanKind,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> (Server, Box<Snapshot>) {
    let server = Server::start(answer).await;
    let request = RunRequest::new(kind, START + Duration::hours(3));
    let (target, credential) = (target_of(app, &server.url), credential_of(auth));
    let collected = collect::run(outbound, &target, &credential, &server.clock, request, &Quiet).await;
    let Collected::Done(done) = collected else { panic!("{} {kind}: {collected:?}", app.id) };
    (server, Box::new(done.snapshot))
}

pub(crate) fn kinds(app: &Arc<App>) -> impl Iterator<Item = ScanKind> + use<'_> {
    ScanKind::ALL.into_iter().filter(|kind| app.datasets_of(*kind).next().is_some())
}

/// That the others fail is worth something only if this passes: by the manifest alone, each scan can be read.
#[tokio::test]
async fn every_application_is_read_from_answers_as_its_manifest_describes_them() {
    let outbound = outbound();
    for app in apps() {
        for (auth, kind) in
            app.manifest.auth.iter().flat_map(|auth| kinds(&app).map(move |kind| (auth, kind)))
        {
            let (answering, of) = (Answering::new(&app, Pages::One), auth.clone());
            let (_, snapshot) = scanned(&outbound, &app, auth, kind, move |seen| {
                answering.sold(&of, seen).unwrap_or_else(|| answering.answer(seen))
            })
            .await;
            for spec in app.datasets_of(kind).filter(|d| d.spec.required.contains(&kind)) {
                let dataset = &snapshot.datasets[&spec.spec.name];
                let place = format!("{} {} {kind}: {}", app.id, auth.id, spec.spec.name);
                let here = spec.spec.deployments.is_empty()
                    || spec.spec.deployments.contains(&app.manifest.deployment[0].id);
                match &dataset.availability {
                    Availability::Complete => assert!(!dataset.records.is_empty(), "{place} is empty"),
                    Availability::NotApplicable { .. } if !here => {}
                    other => panic!("{place}: {other:?}"),
                }
            }
        }
    }
}

/// Whether each way to authenticate is taken through each fault: `cargo xtask faults`.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how far to go")]
fn is_full() -> bool {
    std::env::var_os("PARAPET_FAULTS_FULL").is_some()
}

/// What one application went through, for the command.
#[expect(clippy::print_stdout, reason = "the figures are what `cargo xtask faults` is for")]
fn show(app: &App, runs: usize, requests: usize, causes: &BTreeMap<FailureCause, usize>) {
    let causes: Vec<String> = causes.iter().map(|(cause, n)| format!("{n} {}", cause.as_str())).collect();
    println!("{:<18} {runs:>5} runs {requests:>7} requests, datasets: {}", app.id, causes.join(", "));
}

#[tokio::test]
async fn every_application_against_every_fault() {
    let (outbound, full) = (outbound(), is_full());
    for app in apps() {
        let name = app.id.as_str();
        let (mut runs, mut requests, mut told) = (0, 0, BTreeMap::new());
        // How the datasets are asked differs by the way to authenticate in what a refusal means, and in nothing else.
        let cases = app.manifest.auth.iter().enumerate().flat_map(|(n, auth)| {
            let meets = move |what: &str| full || n == 0 || what.starts_with("40");
            let faults = faults().into_iter().filter(move |(what, ..)| meets(what));
            faults.map(move |fault| (auth, fault))
        });
        for (auth, (what, fault, causes)) in cases {
            for kind in kinds(&app) {
                // Tokens are sold, so that the fault meets the datasets.
                let (answering, of, fault) = (Answering::new(&app, Pages::One), auth.clone(), fault.clone());
                let (server, snapshot) = scanned(&outbound, &app, auth, kind, move |seen| {
                    answering.sold(&of, seen).unwrap_or_else(|| fault.clone())
                })
                .await;
                let mut causes = causes.clone();
                if what == "401" && matches!(auth.kind, AuthKind::Session { .. }) {
                    // Who has just signed in is known.
                    causes = vec![FailureCause::Permission];
                }
                judge(name, what, &snapshot, &app, &causes);
                assert!(server.count() < 400, "{name} {kind} {what}: {} requests", server.count());
                (runs, requests) = (runs + 1, requests + server.count());
                for dataset in snapshot.datasets.values() {
                    if let Availability::Unavailable { fault } | Availability::Partial { fault } =
                        &dataset.availability
                    {
                        *told.entry(fault.cause).or_default() += 1;
                    }
                }
            }
        }
        show(&app, runs, requests, &told);
    }
}

/// The same where tokens are sold: every dataset is unavailable with that cause, and nothing else is asked.
#[tokio::test]
async fn every_way_to_authenticate_against_every_fault() {
    use FailureCause::{Credentials, Protocol};
    let outbound = outbound();
    for app in apps() {
        for auth in app.manifest.auth.iter().filter(|auth| is_bought(auth)) {
            for (what, fault, mut causes) in faults() {
                match what {
                    "401" | "403" | "404" => causes = vec![Credentials],
                    // A session is known by its cookie alone.
                    _ if causes == [Protocol] && matches!(auth.kind, AuthKind::Session { .. }) => {
                        causes.push(Credentials);
                    }
                    _ => {}
                }
                let Some(kind) = kinds(&app).next() else { continue };
                let (server, snapshot) = scanned(&outbound, &app, auth, kind, move |_| fault.clone()).await;
                judge(app.id.as_str(), what, &snapshot, &app, &causes);
                // Retries, until it is plain that there is no point.
                assert!(server.count() <= 40, "{} {}: {} requests", app.id, auth.id, server.count());
            }
        }
    }
}

/// Well-formed answers, each of which says that there is another page.
#[tokio::test]
async fn every_application_against_listings_that_never_end() {
    let outbound = outbound();
    for app in apps() {
        let auth = &app.manifest.auth[0];
        for kind in kinds(&app) {
            let (answering, of) = (Answering::new(&app, Pages::Endless), auth.clone());
            let (server, snapshot) = scanned(&outbound, &app, auth, kind, move |seen| {
                answering.sold(&of, seen).unwrap_or_else(|| answering.answer(seen))
            })
            .await;
            assert!(server.count() <= 1_000, "{} {kind}: {} requests", app.id, server.count());
            let mut ended = 0;
            for spec in app.datasets_of(kind) {
                let dataset = &snapshot.datasets[&spec.spec.name];
                let place = format!("{} {kind}: {}", app.id, spec.spec.name);
                match &dataset.availability {
                    Availability::Partial { fault } | Availability::Unavailable { fault } => {
                        let budget = fault.detail.contains("`limits.requests`");
                        assert!(fault.cause == FailureCause::Protocol || budget, "{place}: {}", fault.detail);
                        ended += 1;
                    }
                    Availability::NotApplicable { .. } | Availability::Sweeping { .. } => {}
                    Availability::Complete => panic!("{place} is complete"),
                }
            }
            assert!(ended > 0, "{} {kind}: nothing was read", app.id);
        }
    }
}

/// Reads every application from an address, with the cause that each dataset is to have.
async fn unanswered(url: &str, what: &str) {
    for app in apps() {
        let kind = kinds(&app).next().unwrap_or(ScanKind::Config);
        let request = RunRequest::new(kind, START + Duration::hours(3));
        let auth = &app.manifest.auth[0];
        let (target, credential, clock) = (target_of(&app, url), credential_of(auth), TestClock::default());
        let collected = collect::run(&outbound(), &target, &credential, &clock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{collected:?}") };
        judge(app.id.as_str(), what, &done.snapshot, &app, &[FailureCause::Unreachable]);
        assert_eq!(done.snapshot.cost.requests, 4);
    }
}

#[tokio::test]
async fn every_application_against_a_server_that_never_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Connections are made, by the system, and nobody reads them.
    unanswered(&format!("http://{}", listener.local_addr().unwrap()), "silence").await;
}

#[tokio::test]
async fn every_application_against_a_server_that_is_slow() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // A little at a time, so that there is always something new and never an end.
    let router = axum::Router::new().fallback(|| async {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            Some((Ok::<_, std::io::Error>(axum::body::Bytes::from_static(b" ")), ()))
        });
        axum::body::Body::from_stream(drops)
    });
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    unanswered(&url, "slow").await;
    serving.abort();
}
