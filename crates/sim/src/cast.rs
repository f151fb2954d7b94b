//! The cast of the demo: a few organisations of both applications, in the situations that an operator must be able to
//! tell apart, and a control port to change them while everything runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::post;
use http::StatusCode;
use model::time::{Duration, Timestamp};
use serde::Serialize;

use crate::github::{AppKey, GitHub, Plan, Token};
use crate::scim::{self, Scim};
use crate::server::{Fault, FaultRule, Now, Server};

/// A credential as the wizard asks for it.
#[derive(Debug, Clone, Serialize)]
pub struct Credential {
    /// The way to authenticate, an id of the manifest.
    pub auth: String,
    /// Field to value. Simulated, so it may be shown.
    pub values: BTreeMap<String, String>,
}

/// One organisation of the cast.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    /// Name for the application.
    pub name: String,
    /// Product.
    pub app: String,
    /// Deployment, an id of the manifest.
    pub deployment: String,
    /// The tenant, and its name at the control port.
    pub tenant: String,
    /// Settings that are not secret.
    pub settings: BTreeMap<String, String>,
    /// Where it is served.
    pub address: String,
    /// A credential that works at onboarding.
    pub credential: Credential,
    /// Another that goes on working after the first has been revoked.
    pub replacement: Credential,
    /// A valid one of another tenant, for the refusal.
    pub foreign: Credential,
}

enum Stage {
    /// With the way to authenticate that is used at onboarding.
    GitHub(Server<GitHub>, String),
    Scim(Server<Scim>),
}

/// The running cast. Everything stops when it is dropped.
pub struct Cast {
    roles: Vec<Role>,
    stages: Arc<BTreeMap<String, Stage>>,
    control: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why the cast could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    /// No loopback port.
    #[error("a simulated tenant cannot listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
    /// The cryptographic library failed.
    #[error("a key for a simulated GitHub App could not be made")]
    Key,
}

/// Everything that the GitHub manifest can make use of, read-only.
const APP_PERMISSIONS: [(&str, &str); 18] = [
    ("metadata", "read"),
    ("members", "read"),
    ("administration", "read"),
    ("contents", "read"),
    ("actions", "read"),
    ("environments", "read"),
    ("organization_administration", "read"),
    ("organization_hooks", "read"),
    ("organization_secrets", "read"),
    ("organization_self_hosted_runners", "read"),
    ("organization_personal_access_tokens", "read"),
    ("organization_personal_access_token_requests", "read"),
    ("organization_plan", "read"),
    ("repository_hooks", "read"),
    ("secret_scanning_alerts", "read"),
    ("security_events", "read"),
    ("vulnerability_alerts", "read"),
    ("dependabot_secrets", "read"),
];

/// Everything but what the Risky Account Scan needs.
fn without_members() -> Vec<(&'static str, &'static str)> {
    APP_PERMISSIONS.into_iter().filter(|(name, _)| *name != "members").collect()
}

impl Cast {
    /// Starts the tenants and the control port.
    ///
    /// # Errors
    /// When no loopback port or no key can be had.
    pub async fn start(now: Now) -> Result<Self, CastError> {
        let at = now();
        let plan = |organization: &str, seed, repositories, members, care, enterprise| Plan {
            organization: organization.to_owned(),
            seed,
            now: at,
            repositories,
            members,
            care,
            enterprise,
        };
        let mut roles = Vec::new();
        let mut stages = BTreeMap::new();
        // Well run and fully readable: Up.
        github(
            &mut roles,
            &mut stages,
            "Acme engineering",
            plan("acme", 11, 60, 48, 85, true),
            &APP_PERMISSIONS,
            &now,
        )
        .await?;
        // Readable in part once the demo withdraws a permission: Unhealthy.
        github(
            &mut roles,
            &mut stages,
            "Initech",
            plan("initech", 23, 32, 21, 60, false),
            &APP_PERMISSIONS,
            &now,
        )
        .await?;
        // Its key is deleted by the demo: Down for credentials.
        github(
            &mut roles,
            &mut stages,
            "Umbrella labs",
            plan("umbrella", 37, 18, 14, 40, false),
            &APP_PERMISSIONS,
            &now,
        )
        .await?;
        // The app lacks a permission from the start: one scan is not enabled.
        github(
            &mut roles,
            &mut stages,
            "Hooli open source",
            plan("hooli", 41, 25, 17, 70, false),
            &without_members(),
            &now,
        )
        .await?;
        for (name, tenant, seed, users) in
            [("Acme directory", "acme-directory", 5, 120), ("Globex directory", "globex-directory", 7, 64)]
        {
            directory(&mut roles, &mut stages, name, tenant, seed, users, &now).await?;
        }
        exchange_foreign(&mut roles);
        let stages = Arc::new(stages);
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let control = listener.local_addr()?;
        let router = Router::new()
            .route("/control/{tenant}/{action}", post(steer))
            .with_state(Control { stages: stages.clone(), now });
        let task = tokio::spawn(async move {
            if let Err(e) = axum::serve(listener, router).await {
                tracing::error!(error = %e, "the simulator's control port stopped");
            }
        });
        Ok(Self { roles, stages, control, task })
    }

    /// The organisations, in the order in which the demo onboards them.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// `http://127.0.0.1:PORT` of the control port.
    #[must_use]
    pub fn control(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The demo's story after the first scans: what has broken since.
    pub fn break_some(&self) {
        for (tenant, action) in
            [("initech", "withdraw"), ("umbrella", "revoke"), ("globex-directory", "groups-forbidden")]
        {
            if let Some(stage) = self.stages.get(tenant) {
                act(stage, action, &BTreeMap::new());
            }
        }
    }
}

async fn github(
    roles: &mut Vec<Role>,
    stages: &mut BTreeMap<String, Stage>,
    name: &str,
    plan: Plan,
    permissions: &[(&str, &str)],
    now: &Now,
) -> Result<(), CastError> {
    let mut vendor = GitHub::generate(&plan);
    let (app, key) = AppKey::generate("1001", "parapet", permissions).map_err(|_| CastError::Key)?;
    vendor.app = Some(app);
    let token = format!("ghp_simulated_{}", plan.organization);
    vendor.tokens.insert(
        token.clone(),
        Token {
            login: "parapet-reader".to_owned(),
            scopes: ["admin:org", "repo", "admin:org_hook", "read:audit_log"].map(str::to_owned).to_vec(),
            valid: true,
            expires_at: (plan.organization == "acme").then_some(plan.now + Duration::days(9)),
        },
    );
    let server = Server::start(vendor, now.clone()).await?;
    let fields =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let by_app =
        Credential { auth: "app".to_owned(), values: fields(&[("app_id", "1001"), ("private_key", &key)]) };
    let by_token = Credential { auth: "token".to_owned(), values: fields(&[("token", &token)]) };
    // Acme shows a credential that is about to expire, so it signs in with its token.
    let (credential, replacement) =
        if plan.organization == "acme" { (by_token.clone(), by_app) } else { (by_app, by_token.clone()) };
    let first = credential.auth.clone();
    roles.push(Role {
        name: name.to_owned(),
        app: "github".to_owned(),
        deployment: "cloud".to_owned(),
        tenant: plan.organization.clone(),
        settings: fields(&[("organization", &plan.organization)]),
        address: server.origin(),
        credential,
        replacement,
        foreign: by_token,
    });
    stages.insert(plan.organization, Stage::GitHub(server, first));
    Ok(())
}

async fn directory(
    roles: &mut Vec<Role>,
    stages: &mut BTreeMap<String, Stage>,
    name: &str,
    tenant: &str,
    seed: u64,
    users: usize,
    now: &Now,
) -> Result<(), CastError> {
    let plan = scim::Plan { domain: "example.com".to_owned(), seed, now: now(), users, inactive: 8 };
    let mut vendor = Scim::generate(&plan);
    let client = |n: u8| Credential {
        auth: "client".to_owned(),
        values: BTreeMap::from([
            ("client_id".to_owned(), format!("parapet-{n}")),
            ("client_secret".to_owned(), format!("simulated-secret-{tenant}-{n}")),
        ]),
    };
    for n in [1, 2] {
        let values = client(n).values;
        vendor.clients.insert(values["client_id"].clone(), values["client_secret"].clone());
    }
    let server = Server::start(vendor, now.clone()).await?;
    let settings = [
        ("address", server.origin()),
        ("scim_path", "/scim/v2".to_owned()),
        ("token_path", "/oauth/token".to_owned()),
    ];
    roles.push(Role {
        name: name.to_owned(),
        app: "scim".to_owned(),
        deployment: "server".to_owned(),
        tenant: tenant.to_owned(),
        settings: settings.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        address: server.origin(),
        credential: client(1),
        replacement: client(2),
        foreign: client(1),
    });
    stages.insert(tenant.to_owned(), Stage::Scim(server));
    Ok(())
}

/// Each role's foreign credential is the next one's of the same product.
fn exchange_foreign(roles: &mut [Role]) {
    let by_app: Vec<(String, Credential)> =
        roles.iter().map(|r| (r.app.clone(), r.foreign.clone())).collect();
    for (at, role) in roles.iter_mut().enumerate() {
        let others = by_app.iter().cycle().skip(at + 1).take(by_app.len() - 1);
        if let Some((_, foreign)) = others.into_iter().find(|(app, _)| *app == role.app) {
            role.foreign = foreign.clone();
        }
    }
}

#[derive(Clone)]
struct Control {
    stages: Arc<BTreeMap<String, Stage>>,
    now: Now,
}

async fn steer(
    State(control): State<Control>,
    Path((tenant, action)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> (StatusCode, String) {
    let _now: Timestamp = (control.now)();
    match control.stages.get(&tenant) {
        None => (StatusCode::NOT_FOUND, format!("no simulated tenant {tenant}\n")),
        Some(stage) if act(stage, &action, &query) => (StatusCode::OK, "done\n".to_owned()),
        Some(_) => (
            StatusCode::BAD_REQUEST,
            "actions: revoke, restore, withdraw?permission=, groups-forbidden, fault?kind=status|html|truncated|rate-limited&status=&path=, calm, latency?ms=\n"
                .to_owned(),
        ),
    }
}

/// Changes a tenant. `revoke` ends the first credential and leaves the replacement; `restore` undoes everything.
fn act(stage: &Stage, action: &str, query: &BTreeMap<String, String>) -> bool {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let fault = || match text("kind") {
        "html" => Fault::Html,
        "truncated" => Fault::Truncated,
        "rate-limited" => Fault::RateLimited { retry_after: text("seconds").parse().unwrap_or(3600) },
        _ => Fault::Status(text("status").parse().unwrap_or(500)),
    };
    let rule = || FaultRule { path_contains: text("path").to_owned(), fault: fault(), times: None };
    let wait = std::time::Duration::from_millis(text("ms").parse().unwrap_or(0));
    match stage {
        Stage::GitHub(server, first) => {
            let mut tenant = server.tenant();
            match action {
                "fault" => tenant.faults.push(rule()),
                "calm" => tenant.faults.clear(),
                "latency" => tenant.latency = wait,
                "withdraw" => {
                    let permission =
                        if text("permission").is_empty() { "members:read" } else { text("permission") };
                    tenant.vendor.withdrawn.insert(permission.to_owned());
                }
                "revoke" => tenant.vendor.revoke(first),
                "restore" => {
                    tenant.faults.clear();
                    tenant.vendor.restore();
                }
                _ => return false,
            }
        }
        Stage::Scim(server) => {
            let mut tenant = server.tenant();
            match action {
                "fault" => tenant.faults.push(rule()),
                "calm" => tenant.faults.clear(),
                "latency" => tenant.latency = wait,
                "groups-forbidden" => tenant.vendor.may_read_groups = false,
                "revoke" => {
                    tenant.vendor.clients.remove("parapet-1");
                }
                "restore" => {
                    tenant.faults.clear();
                    tenant.vendor.may_read_groups = true;
                }
                _ => return false,
            }
        }
    }
    true
}
