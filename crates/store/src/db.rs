//! Opening a database, and telling this process what changed in it.

use std::fmt;
use std::sync::Arc;

use model::entropy::Entropy;
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::error::StoreError;
use crate::nodes::Nodes;
use crate::seal::SealingKey;
use crate::sql::Pool;

/// An open database. Cloning shares it.
#[derive(Clone)]
pub struct Db(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) pool: Pool,
    pub(crate) key: SealingKey,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) options: Options,
    /// Tells the other nodes, on PostgreSQL.
    pub(crate) nodes: Option<Nodes>,
    /// Held for as long as the SQLite file is open: one process at a time.
    pub(crate) _lock: Option<std::fs::File>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// A file, one process.
    Sqlite,
    /// A server, several nodes.
    Postgresql,
}

/// How a database is opened. The default is what the server wants.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections that read at the same time (SQLite; PostgreSQL: connections in all).
    pub connections: u32,
    /// On PostgreSQL, leases expire by the database's clock instead of the given `now`, so that nodes whose clocks
    /// differ agree. Tests with a virtual clock switch it off.
    pub database_clock: bool,
    /// On SQLite, look for damage before anything is read (one pass over the file).
    pub check_integrity: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 4, database_clock: true, check_integrity: true }
    }
}

/// What changed. Sent after the commit: within this process, and on PostgreSQL to the other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The instance, where it is about one.
    pub instance: Option<InstanceId>,
    /// What about it.
    pub what: What,
}

/// The kinds of [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An instance was added, renamed, paused, resumed, reauthenticated, given an owner, suspended.
    Instance,
    /// An instance is gone.
    Removed,
    /// A scan's standing: wanted, claimed, released, finished, interval, enabled.
    Scan(ScanKind),
    /// A running scan got further (nothing else changed).
    Progress(ScanKind),
    /// Findings changed state by an operator.
    Findings,
    /// Accounts or plugins were reviewed by an operator.
    Review,
    /// Something waits to be sent, or was; destinations.
    Outbox,
    /// Owners, operators or settings; or this node may have missed what another one changed.
    Administration,
}

impl Db {
    /// Opens `sqlite:<path>` (a plain path is one too), `sqlite::memory:` or `postgres://...`; creates and upgrades the schema.
    ///
    /// # Errors
    /// A database from a newer version, a second process on one SQLite file, a damaged file, no room, a wrong sealing
    /// key, no such server: each as a sentence that says what to do. Nothing is changed then.
    pub async fn open(
        address: &str,
        key: &SealingKey,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
        options: Options,
    ) -> Result<Self, StoreError> {
        let (pool, lock) = crate::dialect::connect(address, &options).await?;
        crate::schema::upgrade(&pool, key, entropy.as_ref(), now).await?;
        let (changes, _) = broadcast::channel(1024);
        let nodes = match &pool {
            Pool::Pg(pool) => Some(Nodes::join(pool, changes.clone(), entropy.id(now)).await?),
            Pool::Lite { .. } => None,
        };
        Ok(Self(Arc::new(Inner { pool, key: key.clone(), entropy, changes, options, nodes, _lock: lock })))
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.0.pool {
            Pool::Lite { .. } => Backend::Sqlite,
            Pool::Pg(_) => Backend::Postgresql,
        }
    }

    /// What changes from now on, here and (on PostgreSQL, soon after) on the other nodes. A receiver that lags behind
    /// must reload everything.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// Whether the database answers, and still is one that this program can work with.
    ///
    /// # Errors
    /// When it does not; [`StoreError::NewerSchema`] when another node has upgraded it beyond this program.
    pub async fn ping(&self) -> Result<(), StoreError> {
        crate::schema::still_fits(&self.0.pool).await
    }

    /// Waits for what is under way and closes the connections; SQLite's write-ahead log is folded into the file.
    pub async fn close(self) {
        if let Some(nodes) = &self.0.nodes {
            nodes.leave();
        }
        self.0.pool.close().await;
    }

    /// Seals bytes that leave the program for a while, such as a form's draft. `parts` say what they belong to.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(&self, parts: &[&str], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.key.seal(&crate::seal::Context::of(parts), plain, self.0.entropy.as_ref())
    }

    /// Opens what [`Db::seal`] made under the same parts.
    ///
    /// # Errors
    /// [`StoreError::SealBroken`].
    pub fn unseal(&self, parts: &[&str], sealed: &[u8]) -> Result<secrecy::SecretSlice<u8>, StoreError> {
        self.0.key.open(&crate::seal::Context::of(parts), sealed)
    }

    /// A new id (UUIDv7).
    #[must_use]
    pub fn new_id(&self, now: Timestamp) -> String {
        self.0.entropy.id(now)
    }

    pub(crate) fn announce(&self, instance: Option<&InstanceId>, what: What) {
        let change = Change { instance: instance.cloned(), what };
        if let Some(nodes) = &self.0.nodes {
            nodes.tell(&change);
        }
        // Nobody listening is no fault: a command-line scan has no ticker.
        let _ = self.0.changes.send(change);
    }
}
