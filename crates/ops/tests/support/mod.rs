//! A server's database with findings in it, and time that stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use collect::{Clock as _, Outbound, OutboundConfig};
use futures_util::StreamExt as _;
use model::credential::Identity;
use model::diagnosis::{Fault, Rung};
use model::finding::{CheckResult, CheckTally, Evidence, Outcome, Severity};
use model::health::{Enablement, FinishedRun};
use model::id::InstanceId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule::{Finish, Spread, default_interval};
use model::time::Duration;
use model::value::{Record, Value};
use model::view::{AccountsQuery, FindingsQuery, Refusal};
use ops::{Config, Export, FindingsFormat, Format, Ops, command_line};
use secrecy::SecretString;
use store::audit::Entry;
use store::instances::NewInstance;
use store::runs::{Commit, Gap, Subjects};
use store::scans::{Claim, Held, ScanSetup};
use store::{Db, Options, SealingKey};

mod moved;
mod still;

pub(crate) use moved::Moved;
pub(crate) use still::{Counting, NOW};

/// A database in memory and the use cases over it.
pub(crate) struct Bed {
    pub(crate) db: Db,
    pub(crate) ops: Ops,
    pub(crate) clock: Arc<Moved>,
}

pub(crate) async fn bed() -> Bed {
    let entropy = Arc::new(Counting::default());
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    // Leases expire by the clock that stands still.
    let options = Options { database_clock: false, ..Options::default() };
    let db = Db::open("sqlite::memory:", &key, entropy.clone(), NOW, options).await.expect("a database");
    let (loaded, clock) = (catalog::Catalog::builtin(), Arc::new(Moved::default()));
    let ops = Ops::open(Config {
        db: db.clone(),
        catalog: Arc::new(loaded.catalog),
        load_errors: loaded.errors,
        outbound: Outbound::new(OutboundConfig::default()).expect("an outbound client"),
        clock: Arc::clone(&clock) as _,
        entropy,
        simulated: true,
        telling: ops::Telling::default(),
    });
    Bed { ops: ops.await.expect("use cases"), db, clock }
}

pub(crate) fn failing(resource: &str) -> CheckResult {
    CheckResult {
        check: "github/branch-protected".into(),
        revision: 1,
        scan: ScanKind::Config,
        resource: resource.into(),
        resource_kind: "branches".into(),
        outcome: Outcome::Fail,
        severity: Severity::High,
        says: format!("The default branch main of {resource} is not protected").into(),
        evidence: [Evidence {
            field: "classic".into(),
            value: (&serde_json::Value::Null).into(),
            dataset: "branches".into(),
            request: "POST https://api.github.com/graphql".into(),
            at: NOW,
        }]
        .into(),
        needs: Arc::default(),
    }
}

pub(crate) fn undecided(check: &str, records: u64) -> CheckTally {
    CheckTally {
        check: check.into(),
        revision: 1,
        pass: 0,
        fail: 0,
        inconclusive: records,
        not_applicable: 0,
        reason: Some("The members could not be read".to_owned()),
        needs: vec!["members:read".to_owned()],
    }
}

pub(crate) fn refused() -> Fault {
    Fault {
        cause: FailureCause::Permission,
        reached: Rung::Authenticated,
        dataset: Some("members".to_owned()),
        request: Some("GET https://api.github.com/orgs/acme/members".to_owned()),
        status: Some(403),
        vendor_message: Some("Resource not accessible".to_owned()),
        request_id: None,
        needs: vec!["members:read".to_owned()],
        detail: "GitHub refused to show the members.".to_owned(),
        at: NOW,
    }
}

impl Bed {
    /// Onboards a GitHub organisation by that name.
    pub(crate) async fn onboard(&self, tenant: &str) -> InstanceId {
        let id = InstanceId::new(format!("i-{tenant}"));
        let setup = |kind| ScanSetup {
            kind,
            enablement: Enablement::Enabled,
            interval: default_interval(kind),
            gaps: Vec::new(),
        };
        let new = NewInstance {
            id: id.clone(),
            app: "github".into(),
            name: tenant.to_owned(),
            deployment: "cloud".to_owned(),
            settings: BTreeMap::from([("organization".to_owned(), tenant.to_owned())]),
            origins: BTreeMap::from([("api".to_owned(), "https://api.github.com".to_owned())]),
            auth: "token".to_owned(),
            identity: Identity {
                tenant_uid: format!("uid-{tenant}"),
                tenant_name: tenant.to_owned(),
                subject: "reader".to_owned(),
                granted: None,
                expires_at: None,
            },
            secrets: BTreeMap::from([("token".to_owned(), SecretString::from("secret".to_owned()))]),
            owner: None,
            tags: Vec::new(),
            down_after: 3,
            scans: ScanKind::ALL.into_iter().map(setup).collect(),
        };
        let entry = Entry {
            operator: None,
            by: "test".to_owned(),
            action: "onboarded".to_owned(),
            instance: None,
            target: tenant.to_owned(),
            detail: serde_json::json!({}),
        };
        store::instances::create(&self.db, new, self.clock.now(), entry).await.expect("saved");
        id
    }

    /// One finished run.
    pub(crate) async fn run(
        &self,
        instance: &InstanceId,
        kind: ScanKind,
        outcome: RunOutcome,
        results: &[CheckResult],
        tallies: &[CheckTally],
        gaps: &[Gap],
    ) {
        self.finish(instance, kind, outcome, |commit| {
            commit.finish.run.gaps = u32::try_from(gaps.len()).expect("few");
            (commit.results, commit.tallies, commit.gaps) = (results, tallies, gaps);
        })
        .await;
    }

    /// A run that read so many accounts, and no more.
    pub(crate) async fn run_accounts(&self, instance: &InstanceId, accounts: usize) {
        let shape = &model::account::SHAPE;
        let account = |n: usize| {
            let value = |field: &str| match field {
                "id" | "username" => Value::string(format!("person-{n:06}")),
                "state" => Value::string("active"),
                _ => Value::Unknown,
            };
            Record { values: shape.fields.iter().map(|f| value(&f.name)).collect() }
        };
        let records: Vec<Record> = (0..accounts).map(account).collect();
        self.finish(instance, ScanKind::Accounts, RunOutcome::Succeeded, |commit| {
            commit.accounts = Some(Subjects { records: &records, complete: true });
        })
        .await;
    }

    /// A run that a worker has taken and not ended.
    pub(crate) async fn begin(&self, instance: &InstanceId, kind: ScanKind) -> Held {
        let now = self.clock.now();
        let claim = Claim {
            instance,
            kind,
            holder: "node",
            now,
            ttl: Duration::seconds(60),
            deadline: now + Duration::hours(3),
        };
        store::scans::claim(&self.db, claim).await.expect("a claim").expect("free")
    }

    pub(crate) async fn finish<'a>(
        &self,
        instance: &InstanceId,
        kind: ScanKind,
        outcome: RunOutcome,
        fill: impl FnOnce(&mut Commit<'a>),
    ) {
        let held = self.begin(instance, kind).await;
        let run = FinishedRun {
            run: held.run.clone(),
            outcome,
            fault: outcome.cause().map(|_| Box::new(refused())),
            started_at: held.started_at,
            finished_at: self.clock.now(),
            records: 3,
            requests: 2,
            gaps: 0,
        };
        let mut commit = Commit::nothing(Finish { run, sent: true }, Spread(0), &[]);
        fill(&mut commit);
        store::runs::commit(&self.db, &held, commit).await.expect("committed");
    }

    /// The file that the filter gives, as text.
    pub(crate) async fn export(
        &self,
        query: &FindingsQuery,
        format: FindingsFormat,
    ) -> Result<String, Refusal> {
        let chunks: Vec<_> = self.ops.export_findings(&command_line(), query, format).await?.collect().await;
        let mut bytes = Vec::new();
        for chunk in chunks {
            bytes.extend(chunk?);
        }
        Ok(String::from_utf8(bytes).expect("text"))
    }

    /// Reads an export of findings and forgets it; its length.
    pub(crate) async fn drain(&self, format: FindingsFormat) -> usize {
        let query = FindingsQuery::default();
        drained(self.ops.export_findings(&command_line(), &query, format).await.expect("a stream")).await
    }

    /// The same of accounts.
    pub(crate) async fn drain_accounts(&self, format: Format) -> usize {
        let query = AccountsQuery::default();
        drained(self.ops.export_accounts(&command_line(), &query, format).await.expect("a stream")).await
    }
}

async fn drained(mut chunks: Export) -> usize {
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        length += chunk.expect("a chunk").len();
    }
    length
}
