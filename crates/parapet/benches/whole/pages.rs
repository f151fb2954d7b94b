//! The Applications page of 10,000 instances, through the router that `serve` uses, without a socket in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use collect::Clock as _;
use engine::clock::{SystemClock, SystemEntropy};
use model::credential::Identity;
use model::diagnosis::{Fault, Rung};
use model::finding::{CheckResult, Outcome, Severity};
use model::health::{Enablement, FinishedRun};
use model::id::{AppId, InstanceId};
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Finish, Spread, default_interval};
use model::time::{Duration, Timestamp};
use secrecy::SecretString;
use store::audit::Entry;
use store::instances::{self, NewInstance};
use store::runs::Commit;
use store::scans::{self, Claim, ScanSetup};
use store::{Db, Options, SealingKey};
use tower::ServiceExt as _;

use super::common::{session, use_cases};
use super::{milliseconds, spread};

const INSTANCES: usize = 10_000;
const ROUNDS: usize = 300;

pub(crate) async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("parapet.db").display());
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let now = SystemClock.now();
    let db = Db::open(&address, &key, Arc::new(SystemEntropy), now, Options::default()).await.expect("opens");
    let begun = Instant::now();
    for n in 0..INSTANCES {
        onboard(&db, n, now).await;
    }
    println!("pages: {INSTANCES} instances with three scans each, a third of them not Up, on SQLite");
    println!("  written in {:.1} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let ops = use_cases(&db).await;
    println!("  all read into memory in {:.0} ms", milliseconds(begun.elapsed()));
    let cookie = session(&ops).await;
    let config = web::WebConfig { https: false, version: "bench".to_owned(), draining: None };
    let router = web::router(Arc::new(ops), config);

    for (name, path) in [
        ("Applications", "/applications"),
        ("only those Down", "/applications?status=down"),
        ("searched by name", "/applications?search=tenant-77"),
        ("as a list", "/applications?layout=list"),
        ("one application", "/applications/i00042"),
        ("its settings", "/applications/i00042/settings"),
    ] {
        let mut times = Vec::with_capacity(ROUNDS);
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let ask = Request::get(path)
                .header(header::COOKIE, &cookie)
                .header(header::HOST, "localhost")
                .body(Body::empty())
                .expect("a request");
            let begun = Instant::now();
            let answer = router.clone().oneshot(ask).await.expect("an answer");
            let status = answer.status();
            let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a page");
            times.push(milliseconds(begun.elapsed()));
            assert_eq!(status, StatusCode::OK, "{path}");
            bytes = body.len();
        }
        println!("  {name:<18}{:>6} KB  {}", bytes / 1000, spread(&mut times));
    }
    db.close().await;
}

/// One instance with a finished run of each scan; every third has a scan that failed, and some findings.
async fn onboard(db: &Db, n: usize, now: Timestamp) {
    let id = InstanceId::new(format!("i{n:05}"));
    create(db, &id, &format!("tenant-{n}"), now).await;
    for kind in ScanKind::ALL {
        let broken = n.is_multiple_of(3) && kind == ScanKind::Accounts;
        let findings: Vec<CheckResult> =
            (0..if kind == ScanKind::Config { 3 } else { 0 }).map(finding).collect();
        finish(db, &id, kind, now, |commit| {
            if broken {
                commit.finish.run.outcome = RunOutcome::Failed(FailureCause::Permission);
                commit.finish.run.fault = Some(Box::new(fault(now)));
            }
            commit.spread = Spread(u16::try_from(n).unwrap_or(u16::MAX));
            commit.results = &findings;
        })
        .await;
    }
}

/// An onboarded GitHub organisation.
pub(crate) async fn create(db: &Db, id: &InstanceId, tenant: &str, now: Timestamp) {
    let new = NewInstance {
        id: id.clone(),
        app: AppId::new("github"),
        name: tenant.to_owned(),
        deployment: "cloud".to_owned(),
        settings: BTreeMap::from([("organization".to_owned(), tenant.to_owned())]),
        origins: BTreeMap::from([("api".to_owned(), "https://api.github.com".to_owned())]),
        auth: "token".to_owned(),
        identity: Identity {
            tenant_uid: tenant.to_owned(),
            tenant_name: tenant.to_owned(),
            subject: "parapet".to_owned(),
            granted: None,
            expires_at: None,
        },
        secrets: BTreeMap::from([("token".to_owned(), SecretString::from("not a real one".to_owned()))]),
        owner: None,
        tags: Vec::new(),
        down_after: 3,
        scans: ScanKind::ALL
            .iter()
            .map(|kind| ScanSetup {
                kind: *kind,
                enablement: Enablement::Enabled,
                interval: default_interval(*kind),
                gaps: Vec::new(),
            })
            .collect(),
    };
    let entry = Entry {
        operator: None,
        by: "bench".to_owned(),
        action: "instance.onboard".to_owned(),
        instance: None,
        target: id.to_string(),
        detail: serde_json::json!({}),
    };
    instances::create(db, new, now, entry).await.expect("saved");
}

/// A run that succeeded, or as `fill` has it.
pub(crate) async fn finish<'a>(
    db: &Db,
    id: &InstanceId,
    kind: ScanKind,
    now: Timestamp,
    fill: impl FnOnce(&mut Commit<'a>),
) {
    let ttl = Duration::minutes(1);
    let deadline = now + Duration::hours(1);
    let claim = Claim { instance: id, kind, holder: "bench", now, ttl, deadline };
    let held = scans::claim(db, claim).await.expect("readable").expect("free");
    let finish = Finish {
        run: FinishedRun {
            run: held.run.clone(),
            outcome: RunOutcome::Succeeded,
            fault: None,
            started_at: held.started_at,
            finished_at: now,
            records: 100,
            requests: 30,
            gaps: 0,
        },
        sent: true,
    };
    let mut commit = Commit::nothing(finish, Spread(0), &[]);
    fill(&mut commit);
    store::runs::commit(db, &held, commit).await.expect("committed");
}

fn fault(at: Timestamp) -> Fault {
    Fault {
        cause: FailureCause::Permission,
        reached: Rung::Authenticated,
        dataset: Some("members".to_owned()),
        request: Some("GET https://api.github.com/orgs/tenant/members".to_owned()),
        status: Some(403),
        vendor_message: Some("Resource not accessible by integration".to_owned()),
        request_id: None,
        needs: vec!["members:read".to_owned()],
        detail: "refused".to_owned(),
        at,
    }
}

fn finding(n: usize) -> CheckResult {
    CheckResult {
        check: "github/members-have-2fa".into(),
        revision: 1,
        scan: ScanKind::Config,
        resource: format!("member-{n}").into(),
        resource_kind: "members".into(),
        outcome: Outcome::Fail,
        severity: Severity::High,
        says: format!("member-{n} can sign in without a second factor").into(),
        evidence: [].into(),
        needs: [].into(),
    }
}
