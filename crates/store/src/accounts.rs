//! Accounts of instances, in the canonical shape ([`model::account::SHAPE`]).

use model::id::{AppId, InstanceId, OwnerId};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Order, Page};

/// An account as last read.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The key within the instance.
    pub id: String,
    /// The record, in the order of [`model::account::SHAPE`].
    pub record: Record,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Since when incomplete runs have not seen it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// When a complete run did not have it any more.
    pub gone_at: Option<Timestamp>,
    /// Open findings whose resource it is.
    pub findings: u64,
}

/// What a list of accounts is narrowed to. Gone ones are left out unless asked for. A fact that is unknown matches
/// neither `true` nor `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One application.
    pub app: Option<AppId>,
    /// One owner's instances.
    pub owner: Option<OwnerId>,
    /// `human`, `service`, `bot`.
    pub account_kind: Option<String>,
    /// `active`, `suspended`, `invited`, `expired`.
    pub state: Option<String>,
    /// Privileged or not.
    pub privileged: Option<bool>,
    /// Guests and outside collaborators, or not.
    pub external: Option<bool>,
    /// With a second factor, or known to have none.
    pub second_factor: Option<bool>,
    /// The application itself says that an identity provider made it, or did not.
    pub idp_linked: Option<bool>,
    /// Last active before (or known never to have been).
    pub inactive_since: Option<Timestamp>,
    /// With open findings only, or without.
    pub with_findings: Option<bool>,
    /// Gone ones only.
    pub gone: bool,
    /// Words in user name, display name, e-mail or id.
    pub text: Option<String>,
}

/// What accounts are sorted by; ties are broken by instance and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The user name.
    #[default]
    Username,
    /// The last activity; unknown and never come first when ascending.
    LastActive,
    /// When first seen.
    FirstSeen,
    /// Number of open findings.
    Findings,
    /// The instance's name.
    Instance,
}

/// A page of accounts.
///
/// # Errors
/// When the database cannot be read or `after` is not one of ours for this sort.
pub async fn list(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    order: Order,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Account>, StoreError> {
    todo!()
}

/// One account.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, instance: &InstanceId, id: &str) -> Result<Account, StoreError> {
    todo!()
}
