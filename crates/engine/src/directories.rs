//! What the identity providers know, kept by this node for as long as it is true.

use std::collections::BTreeMap;
use std::sync::Arc;

use assess::{Directories, Identities};
use model::id::{DirectoryId, InstanceId};
use model::scan::ScanKind;
use store::directories::{self, Link};
use store::{Db, StoreError};
use tokio::sync::Mutex;

use crate::context::Context;

/// Everybody, as of a version. Ten thousand people are read and indexed once for all scans that follow.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<(i64, Arc<Known>)>>);

struct Known {
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
    pub(crate) fn as_assessed(&self) -> Identities<'_> {
        Identities {
            directories: self.known.as_ref().map(|known| &known.directories),
            own: self.own.as_ref(),
            links: self.links.iter().map(|(account, link)| (account.as_str(), &link.identity)).collect(),
        }
    }
}

impl Cache {
    /// One number is compared; whoever finds it changed reads all of it, and the others wait for that.
    async fn get(&self, db: &Db) -> Result<Arc<Known>, StoreError> {
        let mut kept = self.0.lock().await;
        let version = directories::version(db).await?;
        if let Some((of, known)) = &*kept
            && *of == version
        {
            return Ok(Arc::clone(known));
        }
        let (version, all) = directories::load(db).await?;
        let ids = all.iter().map(|directory| directory.id.clone()).collect();
        let known = Arc::new(Known { directories: Directories::new(&all), ids });
        *kept = Some((version, Arc::clone(&known)));
        Ok(known)
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
        let known = self.directories.get(&self.db).await?;
        let own = known.ids.iter().find(|id| id.as_str() == instance.as_str()).cloned();
        let links = directories::links_of(&self.db, instance).await?;
        Ok(KnownIdentities { known: Some(known), own, links })
    }
}
