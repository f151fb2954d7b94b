//! The audit log: who did what, when. Rows are only ever added; both databases refuse to change or delete them.

use model::id::{InstanceId, OperatorId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::Page;

/// Something somebody did, written in the same transaction as the deed.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who; `None` for the command line and Parapet itself.
    pub operator: Option<OperatorId>,
    /// The name at that time.
    pub by: String,
    /// A stable word: `instance.onboard`, `scan.now`, `finding.suppress`, ...
    pub action: String,
    /// The instance it is about.
    pub instance: Option<InstanceId>,
    /// What it is about, in words that stay readable when it is gone: the instance's name, a finding's title.
    pub target: String,
    /// Facts worth keeping, without secrets.
    pub detail: serde_json::Value,
}

/// A stored [`Entry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Which.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
}

/// What the log is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One operator.
    pub operator: Option<OperatorId>,
    /// One action.
    pub action: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Words in name, action or target.
    pub text: Option<String>,
}

/// Adds a row that goes with no other change: a sign-in, a refused attempt.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(db: &Db, now: Timestamp, entry: Entry) -> Result<(), StoreError> {
    todo!()
}

/// A page of the log, latest first.
///
/// # Errors
/// When the database cannot be read or `after` is not one of ours.
pub async fn list(
    db: &Db,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Logged>, StoreError> {
    todo!()
}
