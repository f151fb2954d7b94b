//! What the identity providers know, kept by this node for as long as it is true.

use std::collections::BTreeMap;
use std::sync::Arc;

use assess::{Directories, Identities};
use model::id::{DirectoryId, InstanceId};
use model::scan::ScanKind;
use store::StoreError;
use store::directories::{self, Kept, Link};

use crate::context::Context;

/// Everybody, indexed once for all scans that follow.
pub(crate) type Cache = Kept<(), Known>;

/// Everybody the identity providers know.
pub(crate) struct Known {
    version: i64,
    directories: Directories,
    ids: Vec<DirectoryId>,
}

/// What is known of identities for one scan.
#[derive(Default)]
pub(crate) struct KnownIdentities {
    known: Option<Arc<Known>>,
    own: Option<DirectoryId>,
    links: BTreeMap<String, Link>,
}

impl KnownIdentities {
    /// The version of what identity providers knew. `None`: nobody was asked.
    pub(crate) fn version(&self) -> Option<i64> {
        self.known.as_ref().map(|known| known.version)
    }

    pub(crate) fn as_assessed(&self) -> Identities<'_> {
        Identities {
            directories: self.known.as_ref().map(|known| &known.directories),
            own: self.own.as_ref(),
            links: self.links.iter().map(|(account, link)| (account.as_str(), &link.identity)).collect(),
        }
    }
}

impl Context {
    /// Only a scan of accounts asks.
    pub(crate) async fn identities(
        &self,
        instance: &InstanceId,
        kind: ScanKind,
    ) -> Result<KnownIdentities, StoreError> {
        if kind != ScanKind::Accounts {
            return Ok(KnownIdentities::default());
        }
        let known = self.directories.get(&self.db, (), |version, all, ()| Known {
            version,
            directories: Directories::new(all),
            ids: all.iter().map(|directory| directory.id.clone()).collect(),
        });
        let known = known.await?;
        let own = known.ids.iter().find(|id| id.as_str() == instance.as_str()).cloned();
        let links = directories::links_of(&self.db, instance).await?;
        Ok(KnownIdentities { known: Some(known), own, links })
    }
}
