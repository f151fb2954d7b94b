//! Third-party plugins of instances, in the canonical shape ([`model::plugin::SHAPE`]), with their review.

use model::id::{AppId, InstanceId, OwnerId};
use model::time::Timestamp;
use model::value::Record;
use serde::{Deserialize, Serialize};

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;
use crate::page::{Order, Page};

/// A plugin as last read.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// The application.
    pub app: AppId,
    /// The key within the instance.
    pub id: String,
    /// The record, in the order of [`model::plugin::SHAPE`].
    pub record: Record,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Since when incomplete runs have not seen it; `None` when the last run did.
    pub stale_since: Option<Timestamp>,
    /// When a complete run did not have it any more.
    pub gone_at: Option<Timestamp>,
    /// What an operator made of it.
    pub review: Review,
    /// When, and who.
    pub reviewed: Option<(Timestamp, String)>,
    /// Open findings whose resource it is.
    pub findings: u64,
}

/// What an operator made of a plugin. One that was gone and comes back is not reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Nobody has looked.
    #[default]
    NotReviewed,
    /// Looked at and kept.
    Reviewed,
    /// Its access was withdrawn at the vendor.
    Revoked,
}

impl Review {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::NotReviewed, Self::Reviewed, Self::Revoked];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReviewed => "not_reviewed",
            Self::Reviewed => "reviewed",
            Self::Revoked => "revoked",
        }
    }

    /// Reads [`Review::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }
}

/// What a list of plugins is narrowed to. Gone ones are left out unless asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One instance.
    pub instance: Option<InstanceId>,
    /// One application.
    pub app: Option<AppId>,
    /// One owner's instances.
    pub owner: Option<OwnerId>,
    /// `app`, `oauth_app`, `token`, `ssh_key`, `webhook`, `deploy_key`, `bot`.
    pub plugin_kind: Option<String>,
    /// `user`, `workspace`, `organisation`.
    pub level: Option<String>,
    /// `high`, `medium`, `low`, or `unknown`: a scope of it is not graded.
    pub grade: Option<String>,
    /// The review.
    pub review: Option<Review>,
    /// With open findings only, or without.
    pub with_findings: Option<bool>,
    /// Gone ones only.
    pub gone: bool,
    /// Words in name, publisher or id.
    pub text: Option<String>,
}

/// What plugins are sorted by; ties are broken by instance and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The highest scope: ascending is low, unknown, medium, high.
    #[default]
    Grade,
    /// The name.
    Name,
    /// The last use; unknown and never come first when ascending.
    LastUsed,
    /// When first seen.
    FirstSeen,
    /// The instance's name.
    Instance,
}

/// A page of plugins.
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
) -> Result<Page<Plugin>, StoreError> {
    todo!()
}

/// One plugin.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, instance: &InstanceId, id: &str) -> Result<Plugin, StoreError> {
    todo!()
}

/// Notes what an operator made of it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn review(
    db: &Db,
    instance: &InstanceId,
    id: &str,
    review: Review,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Plugins that are there, and of these not reviewed, per instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts(db: &Db) -> Result<std::collections::BTreeMap<InstanceId, (u64, u64)>, StoreError> {
    todo!()
}
