//! Use cases: what people and the command line may do, with authorisation and audit at the top, and the read models of
//! every page. Pages, API and command line call these and nothing else.
//!
//! Changes are writes of facts ([`Ops::scan_now`] sets "wanted", it does not scan); the engine acts on them by the one
//! path all runs take. Reads come from the fleet in memory and from the store.

mod application;
mod applications;
mod change;
mod checks;
mod checkup;
mod download;
mod draft;
mod exceptions;
mod findings;
mod fleet;
mod form;
mod health;
mod identities;
mod inventory;
mod inventory_across;
mod lists;
mod metrics;
mod notifications;
mod onboard;
mod params;
mod password;
mod people;
mod refusal;
mod reviews;
mod runs;
mod settings;
mod sign_in;
mod status;
mod token;
mod vendor_sign_in;
mod verify;

use std::sync::{Arc, OnceLock};

use catalog::{Catalog, LoadError};
use collect::{Clock, Outbound};
use model::entropy::Entropy;
use model::id::InstanceId;
use model::time::Timestamp;
use model::view::{Actor, Role, Shell};
use store::Db;
use store::audit::Entry;
use tokio::sync::broadcast;

pub use ::export::Format as FindingsFormat;
pub use download::{Export, Format};
pub use metrics::NAMES as METRICS;
pub use notifications::Telling;
pub use onboard::Secrets;
pub use refusal::Result;
pub use sign_in::SignedIn;

/// What the use cases need.
pub struct Config {
    /// The database.
    pub db: Db,
    /// The catalogue.
    pub catalog: Arc<Catalog>,
    /// Applications of the operator's own folders that did not load.
    pub load_errors: Vec<LoadError>,
    /// The only way to a SaaS: verification of credentials.
    pub outbound: Outbound,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Secure randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Everything is simulated (`parapet demo`): every page says so.
    pub simulated: bool,
    /// How people are told, as far as pages show it.
    pub telling: Telling,
}

/// The use cases.
#[derive(Clone)]
pub struct Ops(Arc<Inner>);

struct Inner {
    db: Db,
    catalog: Arc<Catalog>,
    load_errors: Vec<LoadError>,
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    simulated: bool,
    telling: Telling,
    passwords: password::Passwords,
    attempts: sign_in::Attempts,
    drafts: draft::Drafts,
    checkups: checkup::Checkups,
    sign_ins: vendor_sign_in::SignIns,
    reached_at: OnceLock<String>,
    fleet: fleet::Fleet,
    left: fleet::Left,
    changed: broadcast::Sender<Changed>,
}

/// Something that pages show has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which instance; `None`: something that concerns many.
    pub instance: Option<InstanceId>,
}

impl Ops {
    /// Reads the fleet and follows the store's changes from then on, in a task that ends with the last clone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(config: Config) -> Result<Self> {
        let passwords = password::Passwords::new(&*config.entropy)?;
        let ops = Self(Arc::new(Inner {
            passwords,
            attempts: sign_in::Attempts::default(),
            drafts: draft::Drafts::default(),
            checkups: checkup::Checkups::default(),
            sign_ins: vendor_sign_in::SignIns::default(),
            reached_at: OnceLock::new(),
            fleet: fleet::Fleet::default(),
            left: fleet::Left::default(),
            changed: broadcast::channel(256).0,
            db: config.db,
            catalog: config.catalog,
            load_errors: config.load_errors,
            outbound: config.outbound,
            clock: config.clock,
            entropy: config.entropy,
            simulated: config.simulated,
            telling: config.telling,
        }));
        // Subscribed before the first read, so that no change falls in between.
        let feed = ops.0.db.changes();
        ops.reload_fleet().await?;
        fleet::follow(Arc::downgrade(&ops.0), feed);
        Ok(ops)
    }

    /// What stands around every page.
    #[must_use]
    pub fn shell(&self) -> Shell {
        self.0.fleet.shell(self.now(), self.0.simulated)
    }

    /// One item for every change. A receiver that lags should look afresh.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.0.changed.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn new_id(&self) -> String {
        self.0.entropy.id(self.now())
    }
}

/// Whoever can start the binary against the database may do everything; the audit log says so.
#[must_use]
pub fn command_line() -> Actor {
    Actor {
        operator: "00000000-0000-7000-8000-000000000000".into(),
        name: "command line".to_owned(),
        role: Role::Admin,
    }
}

/// An entry of the audit log.
pub(crate) fn audit(
    actor: &Actor,
    action: &str,
    instance: Option<&InstanceId>,
    target: impl Into<String>,
    detail: serde_json::Value,
) -> Entry {
    Entry {
        operator: Some(actor.operator.clone()),
        by: actor.name.clone(),
        action: action.to_owned(),
        instance: instance.cloned(),
        target: target.into(),
        detail,
    }
}
