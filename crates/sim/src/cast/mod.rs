//! The cast of the demo: the applications of one invented company, in the situations that an operator must be able to
//! tell apart, and a control port to change them while everything runs.

mod roles;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::post;
use http::StatusCode;
use serde::Serialize;

use crate::company::Company;
use crate::server::Now;
use stage::Stage;

/// A credential as the wizard asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Whether it is the company's identity provider.
    pub identity_provider: bool,
    /// A credential that works at onboarding.
    pub credential: Credential,
    /// Another that goes on working after the first has been revoked.
    pub replacement: Credential,
    /// A valid one of another tenant, for the refusal.
    pub foreign: Credential,
    /// What happens to it after the first scans: an action of the control port, and how often it is scanned then.
    #[serde(skip)]
    pub(crate) fate: Option<(&'static str, usize)>,
}

impl Role {
    /// How often it is to be scanned once the demo has broken what breaks; 0 where nothing does.
    #[must_use]
    pub fn scans_after(&self) -> usize {
        self.fate.map_or(0, |(_, scans)| scans)
    }
}

type Stages = Arc<BTreeMap<String, Box<dyn Stage>>>;

/// The running cast. Everything stops when it is dropped.
pub struct Cast {
    roles: Vec<Role>,
    stages: Stages,
    control: SocketAddr,
    now: Now,
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

impl Cast {
    /// Starts the tenants and the control port.
    ///
    /// # Errors
    /// When no loopback port or no key can be had.
    pub async fn start(now: Now) -> Result<Self, CastError> {
        let company = Company::demo(now());
        let mut made = roles::Made::new(now.clone());
        made.all(&company).await?;
        let (roles, stages) = made.done();
        let stages = Arc::new(stages);
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let control = listener.local_addr()?;
        let clock = now.clone();
        let state = Control { stages: Arc::clone(&stages), now };
        let router = Router::new().route("/control/{tenant}/{action}", post(steer)).with_state(state);
        let task = tokio::spawn(async move {
            if let Err(e) = axum::serve(listener, router).await {
                tracing::error!(error = %e, "the simulator's control port stopped");
            }
        });
        Ok(Self { roles, stages, control, task, now: clock })
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
        for role in &self.roles {
            let (Some((action, _)), Some(stage)) = (role.fate, self.stages.get(&role.tenant)) else {
                continue;
            };
            let (action, query) = action.split_once('?').unwrap_or((action, ""));
            if !stage.act(action, &crate::server::query(query), self.now()) {
                tracing::error!(tenant = %role.tenant, %action, "the demo's story asks for what the simulator cannot do");
            }
        }
    }

    fn now(&self) -> model::time::Timestamp {
        (self.now)()
    }
}

#[derive(Clone)]
struct Control {
    stages: Stages,
    now: Now,
}

async fn steer(
    State(control): State<Control>,
    Path((tenant, action)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> (StatusCode, String) {
    match control.stages.get(&tenant) {
        None => (StatusCode::NOT_FOUND, format!("no simulated tenant {tenant}\n")),
        Some(stage) if stage.act(&action, &query, (control.now)()) => (StatusCode::OK, "done\n".to_owned()),
        Some(_) => (StatusCode::BAD_REQUEST, format!("actions: {}\n", stage::ACTIONS)),
    }
}
