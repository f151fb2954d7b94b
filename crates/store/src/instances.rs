//! Onboarded instances and their sealed credentials.

use std::collections::{BTreeMap, BTreeSet};

use model::credential::Identity;
use model::health::{InstanceFacts, ScanFacts, Standing};
use model::id::{AppId, InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Timestamp;
use secrecy::SecretString;

use crate::audit::Entry;
use crate::db::Db;
use crate::error::StoreError;
use crate::scans::{Scan, ScanSetup};

/// One onboarded tenancy, without its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// The application.
    pub app: AppId,
    /// What people call it; unique within the application.
    pub name: String,
    /// The manifest's deployment: `cloud`, `server`, ...
    pub deployment: String,
    /// The settings asked for at onboarding, without secrets.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address: where the credential may be sent.
    pub origins: BTreeMap<String, String>,
    /// The manifest's authentication choice.
    pub auth: String,
    /// What the credential turned out to be when it was last verified.
    pub identity: Identity,
    /// When the credential was entered.
    pub credential_set_at: Timestamp,
    /// When a run last used it.
    pub credential_used_at: Option<Timestamp>,
    /// Who answers for it.
    pub owner: Option<OwnerId>,
    /// Free words.
    pub tags: Vec<String>,
    /// What health reads.
    pub facts: InstanceFacts,
}

/// An instance with its scans.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceWithScans {
    /// The instance.
    pub instance: Instance,
    /// Its supported scans, in the order of [`ScanKind::ALL`].
    pub scans: Vec<Scan>,
}

impl InstanceWithScans {
    /// What health reads of it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            instance: self.instance.facts.clone(),
            scans: self.scans.iter().map(|s| s.facts.clone()).collect(),
        }
    }

    /// The scan of this kind, where it is supported.
    #[must_use]
    pub fn scan(&self, kind: ScanKind) -> Option<&Scan> {
        self.scans.iter().find(|s| s.facts.kind == kind)
    }
}

/// What onboarding saves.
#[derive(Debug)]
pub struct NewInstance {
    /// Made by [`Db::new_id`].
    pub id: InstanceId,
    /// The application.
    pub app: AppId,
    /// What people call it.
    pub name: String,
    /// The manifest's deployment.
    pub deployment: String,
    /// Settings without secrets.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address.
    pub origins: BTreeMap<String, String>,
    /// The manifest's authentication choice.
    pub auth: String,
    /// What the credential was verified to be.
    pub identity: Identity,
    /// The credential's secret fields, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// Who answers for it.
    pub owner: Option<OwnerId>,
    /// Free words.
    pub tags: Vec<String>,
    /// Failures in a row until Down.
    pub down_after: u32,
    /// Its supported scans.
    pub scans: Vec<ScanSetup>,
}

/// A credential that replaces another one after it was verified.
#[derive(Debug)]
pub struct NewCredential {
    /// The manifest's authentication choice.
    pub auth: String,
    /// Settings without secrets, as they are from now on.
    pub settings: BTreeMap<String, String>,
    /// Host name to pinned base address, as they are from now on.
    pub origins: BTreeMap<String, String>,
    /// What it was verified to be.
    pub identity: Identity,
    /// Its secret fields, by name. All old ones are dropped.
    pub secrets: BTreeMap<String, SecretString>,
    /// Scans to stop, by explicit wish.
    pub stop: BTreeSet<ScanKind>,
    /// Scans to enable that were not.
    pub enable: BTreeSet<ScanKind>,
    /// The operator's name, for stopped scans.
    pub by: String,
}

/// Saves a new instance, its scans (each wanted at once) and its sealed credential.
///
/// # Errors
/// [`StoreError::Exists`] when the application has an instance of this name.
pub async fn create(db: &Db, new: NewInstance, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// One instance with its scans.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &InstanceId) -> Result<InstanceWithScans, StoreError> {
    todo!()
}

/// Every instance with its scans, by name: the fleet in memory is made of these.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &Db) -> Result<Vec<InstanceWithScans>, StoreError> {
    todo!()
}

/// Instances of an application whose tenant is this one: onboarding warns about them.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_tenant(
    db: &Db,
    app: &AppId,
    tenant_uid: &str,
) -> Result<Vec<(InstanceId, String)>, StoreError> {
    todo!()
}

/// The credential's secret fields, opened for the origins that will receive them.
///
/// # Errors
/// [`StoreError::SealBroken`] when `origins` are not the ones it was sealed for: Reauthenticate.
pub async fn credential(
    db: &Db,
    id: &InstanceId,
    origins: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, SecretString>, StoreError> {
    todo!()
}

/// Replaces the credential: new version, live runs of the old one are fenced (their commit counts as nothing), the
/// suspension is lifted, every enabled scan is wanted now.
///
/// # Errors
/// [`StoreError::NotFound`]. The caller has verified that the tenant is the same.
pub async fn reauthenticate(
    db: &Db,
    id: &InstanceId,
    new: NewCredential,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Pauses: nothing runs any more, live leases are dropped without outcome. Pausing again changes nothing.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn pause(
    db: &Db,
    id: &InstanceId,
    by: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Resumes: every enabled scan is wanted now and watched from now.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn resume(db: &Db, id: &InstanceId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Gives it another owner, or none.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn assign_owner(
    db: &Db,
    id: &InstanceId,
    owner: Option<&OwnerId>,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Renames and re-tags it.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Exists`].
pub async fn rename(
    db: &Db,
    id: &InstanceId,
    name: &str,
    tags: &[String],
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    todo!()
}

/// Deletes it with its credential, runs, findings, accounts, plugins, drift and snapshots. The audit log stays.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn remove(db: &Db, id: &InstanceId, now: Timestamp, audit: Entry) -> Result<(), StoreError> {
    todo!()
}

/// Changes what health keeps about an instance as a whole (a suspension's next try, say), on fresh facts under a lock.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update_facts(
    db: &Db,
    id: &InstanceId,
    change: &(dyn Fn(&InstanceFacts, &[ScanFacts]) -> InstanceFacts + Send + Sync),
) -> Result<InstanceFacts, StoreError> {
    todo!()
}

/// Notes what a credential was found to be when it was verified again (identity, permissions, expiry).
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_identity(
    db: &Db,
    id: &InstanceId,
    identity: &Identity,
    now: Timestamp,
) -> Result<(), StoreError> {
    todo!()
}
