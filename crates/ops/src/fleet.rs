//! The facts of all instances in memory. Statuses are folded, sorted and paged here, so that SQL never repeats the rule.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, Weak};

use catalog::App;
use model::ahead::Own;
use model::diagnosis::Warning;
use model::health::{SettledStatus, settled_status};
use model::id::{InstanceId, OwnerId};
use model::identity::Departed;
use model::time::{Duration, Timestamp};
use model::view::{InstanceRef, Mark, SeverityCounts, Shell};
use store::directories::Kept;
use store::instances::InstanceWithScans;
use store::numbers::Numbers;
use store::{Backend, Change, What};
use tokio::sync::broadcast;

use crate::refusal::{Result, internal, not_found};
use crate::{Changed, Inner, Ops};

/// Everything about one instance that lists and tiles need.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) row: InstanceWithScans,
    pub(crate) facts: Vec<model::health::ScanFacts>,
    /// `None`: the catalogue no longer has this application.
    pub(crate) app: Option<Arc<App>>,
    pub(crate) counts: Numbers,
    pub(crate) owner: Option<model::view::OwnerRef>,
    /// Set where the owner's account is known not to be live any more.
    pub(crate) owner_left: Option<Departed>,
    /// Lower-case name, for sorting.
    pub(crate) sort_name: String,
    /// Lower-case text that search looks in.
    pub(crate) search: String,
}

impl Member {
    pub(crate) fn id(&self) -> &InstanceId {
        &self.row.instance.id
    }

    pub(crate) fn instance_ref(&self) -> InstanceRef {
        let i = &self.row.instance;
        let (app_name, vendor) = self.app.as_ref().map_or_else(
            || (i.app.to_string(), String::new()),
            |a| (a.manifest.name.clone(), a.manifest.vendor.clone()),
        );
        InstanceRef {
            id: i.id.clone(),
            name: i.name.clone(),
            app: i.app.clone(),
            app_name,
            vendor,
            tenant: i.identity.tenant_name.clone(),
        }
    }

    pub(crate) fn app_name(&self) -> &str {
        self.app.as_ref().map_or(self.row.instance.app.as_str(), |a| &a.manifest.name)
    }

    pub(crate) fn settled(&self, now: Timestamp) -> SettledStatus {
        settled_status(&self.row.instance.facts, &self.facts, now)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.row.instance.facts.paused.is_some()
    }

    /// The mark of the settled status, for sorting, filters and counts.
    pub(crate) fn settled_mark(&self, now: Timestamp) -> Mark {
        if self.is_paused() {
            return Mark::Paused;
        }
        match self.settled(now) {
            SettledStatus::Down => Mark::Down,
            SettledStatus::Unhealthy => Mark::Unhealthy,
            SettledStatus::NoneYet => Mark::Scanning,
            SettledStatus::Up => Mark::Up,
        }
    }

    pub(crate) fn has_result(&self) -> bool {
        self.facts.iter().any(|s| s.last.is_some())
    }

    pub(crate) fn open_findings(&self) -> Option<SeverityCounts> {
        self.has_result().then(|| {
            let mut counts = SeverityCounts::default();
            for (severity, count) in &self.counts.open {
                counts.add(*severity, *count);
            }
            counts
        })
    }

    /// Warnings of the latest runs, the ends of the credential, an owner who has left: most urgent first.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let instance = &self.row.instance;
        let own = Own {
            expires_at: instance.identity.expires_at,
            idles_at: self.app.as_ref().and_then(|app| idles_at(app, instance)),
            owner_left: self.owner.as_ref().and_then(|o| Some((o.name.as_str(), self.owner_left.as_ref()?))),
        };
        let told = self.row.scans.iter().flat_map(|s| &s.warnings);
        model::ahead::fold(own, told, now)
    }
}

/// When a credential ends for want of use, where the vendor does that.
pub(crate) fn idles_at(app: &App, instance: &store::instances::Instance) -> Option<Timestamp> {
    let days = app.auth(&instance.auth)?.expiry.as_ref()?.idle_days?;
    let used = instance.credential_used_at.unwrap_or(instance.credential_set_at);
    Some(used + Duration::days(i64::from(days)))
}

/// Which owners have left, by what identity providers know, and the owners' addresses.
pub(crate) type Left = Kept<Vec<(OwnerId, String)>, BTreeMap<OwnerId, Departed>>;

/// What "new since yesterday" means.
const YESTERDAY: Duration = Duration::hours(24);

/// The cache.
#[derive(Default)]
pub(crate) struct Fleet {
    members: RwLock<BTreeMap<InstanceId, Arc<Member>>>,
    /// Held from before something is read until it is put in: who has read earlier must not put in later.
    reading: tokio::sync::Mutex<()>,
}

impl Fleet {
    pub(crate) fn get(&self, id: &InstanceId) -> Option<Arc<Member>> {
        self.members.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Member>> {
        self.members.read().unwrap_or_else(std::sync::PoisonError::into_inner).values().cloned().collect()
    }

    fn put(&self, member: Member) {
        let id = member.id().clone();
        self.members.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id, Arc::new(member));
    }

    fn drop(&self, id: &InstanceId) {
        self.members.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(id);
    }

    fn replace(&self, members: BTreeMap<InstanceId, Arc<Member>>) {
        *self.members.write().unwrap_or_else(std::sync::PoisonError::into_inner) = members;
    }

    pub(crate) fn shell(&self, now: Timestamp, simulated: bool) -> Shell {
        let marks: Vec<Mark> =
            self.all().iter().filter(|m| !m.is_paused()).map(|m| m.settled_mark(now)).collect();
        let not_up = marks.iter().filter(|m| matches!(m, Mark::Down | Mark::Unhealthy)).count();
        Shell { worst: marks.into_iter().min(), not_up: not_up as u64, simulated }
    }
}

/// How often everything is read again where other nodes change it: one that was killed between a commit and its word of
/// it has told nobody.
const LOOK_EVERY: Duration = Duration::minutes(1);

/// How soon everything is read again after something could not be: nobody tells it a second time.
const AGAIN: Duration = Duration::seconds(15);

/// Follows the store's change feed until the last [`Ops`] is gone.
pub(crate) fn follow(inner: Weak<Inner>, mut feed: broadcast::Receiver<Change>) {
    let Some(ops) = inner.upgrade() else { return };
    let clock = Arc::clone(&ops.clock);
    let looks = (ops.db.backend() == Backend::Postgresql).then_some(LOOK_EVERY);
    drop(ops);
    tokio::spawn(async move {
        let mut look_at = looks.map(|every| clock.now() + every);
        loop {
            let look = async {
                match look_at {
                    Some(at) => clock.sleep(at - clock.now()).await,
                    None => std::future::pending().await,
                }
            };
            let change = tokio::select! {
                change = feed.recv() => Some(change),
                () = look => None,
            };
            let Some(inner) = inner.upgrade() else { return };
            let ops = Ops(inner);
            let (refreshed, instance) = match change {
                None => {
                    let looked = ops.look_again().await;
                    let next = if looked.is_ok() { looks } else { Some(AGAIN) };
                    look_at = next.map(|next| clock.now() + next);
                    continue;
                }
                Some(Ok(Change { instance: Some(id), what })) => (ops.refresh(&id, what).await, Some(id)),
                // Nothing that the fleet holds; the page of it is read from the store.
                Some(Ok(Change { what: What::Outbox, .. })) => continue,
                Some(Ok(Change { instance: None, .. }) | Err(broadcast::error::RecvError::Lagged(_))) => {
                    (ops.reload_fleet().await, None)
                }
                Some(Err(broadcast::error::RecvError::Closed)) => return,
            };
            // The refusal has been logged where it arose; the old entries stay until they are read again.
            match refreshed {
                Ok(()) => drop(ops.0.changed.send(Changed { instance })),
                Err(_) => look_at = Some(clock.now() + AGAIN),
            }
        }
    });
}

impl Ops {
    /// Reads all instances afresh, and tells the pages of those that are not as they were known.
    async fn look_again(&self) -> Result<()> {
        let before: BTreeMap<InstanceId, Arc<Member>> =
            self.0.fleet.all().into_iter().map(|member| (member.id().clone(), member)).collect();
        self.reload_fleet().await?;
        let after = self.0.fleet.all();
        let gone = before.keys().any(|id| self.0.fleet.get(id).is_none());
        let changed =
            |member: &&Arc<Member>| before.get(member.id()).is_none_or(|known| known.row != member.row);
        let changed = after.iter().filter(changed).map(|member| Some(member.id().clone()));
        for instance in changed.chain(gone.then_some(None)) {
            let _no_listener = self.0.changed.send(Changed { instance });
        }
        Ok(())
    }

    /// Reads all instances afresh.
    pub(crate) async fn reload_fleet(&self) -> Result<()> {
        let _in_order = self.0.fleet.reading.lock().await;
        let rows = store::instances::all(self.db()).await.map_err(internal)?;
        let mut counts = store::numbers::all(self.db(), self.now() - YESTERDAY).await.map_err(internal)?;
        let owners = self.owner_refs().await?;
        let left = self.owners_left().await?;
        let members = rows
            .into_iter()
            .map(|row| {
                let counts = counts.remove(&row.instance.id).unwrap_or_default();
                let member = self.member(row, counts, &owners, &left);
                (member.id().clone(), Arc::new(member))
            })
            .collect();
        self.0.fleet.replace(members);
        Ok(())
    }

    async fn refresh(&self, id: &InstanceId, what: What) -> Result<()> {
        let _in_order = self.0.fleet.reading.lock().await;
        if what == What::Removed {
            self.0.fleet.drop(id);
            return Ok(());
        }
        let row = match store::instances::get(self.db(), id).await {
            Ok(row) => row,
            Err(store::StoreError::NotFound { .. }) => {
                self.0.fleet.drop(id);
                return Ok(());
            }
            Err(e) => return Err(internal(e)),
        };
        let counts = store::numbers::of(self.db(), id, self.now() - YESTERDAY).await.map_err(internal)?;
        let owners = self.owner_refs().await?;
        let left = self.owners_left().await?;
        self.0.fleet.put(self.member(row, counts, &owners, &left));
        Ok(())
    }

    fn member(
        &self,
        row: InstanceWithScans,
        counts: Numbers,
        owners: &BTreeMap<OwnerId, model::view::OwnerRef>,
        left: &BTreeMap<OwnerId, Departed>,
    ) -> Member {
        let app = self.0.catalog.apps.get(&row.instance.app).cloned();
        let facts = row.scans.iter().map(|s| s.facts.clone()).collect();
        let sort_name = row.instance.name.to_lowercase();
        let (product, vendor) =
            app.as_ref().map_or(("", ""), |a| (a.manifest.name.as_str(), a.manifest.vendor.as_str()));
        let search =
            format!("{sort_name}\n{}\n{product}\n{vendor}", row.instance.identity.tenant_name).to_lowercase();
        let owner = row.instance.owner.as_ref().and_then(|id| owners.get(id)).cloned();
        let owner_left = row.instance.owner.as_ref().and_then(|id| left.get(id)).cloned();
        Member { facts, app, counts, owner, owner_left, sort_name, search, row }
    }

    /// One instance of the fleet.
    pub(crate) fn instance(&self, id: &InstanceId) -> Result<Arc<Member>> {
        self.0.fleet.get(id).ok_or_else(|| not_found("application"))
    }

    /// An instance that a stored row names: it may have been onboarded by another node a moment ago. `None`: removed.
    pub(crate) async fn member_now(&self, id: &InstanceId) -> Result<Option<Arc<Member>>> {
        if let Some(member) = self.0.fleet.get(id) {
            return Ok(Some(member));
        }
        self.refresh(id, What::Instance).await?;
        Ok(self.0.fleet.get(id))
    }

    /// After a change made here: the page that follows must show it, without waiting for the feed's task.
    pub(crate) async fn refreshed(&self, id: &InstanceId) -> Result<()> {
        self.refresh(id, What::Instance).await
    }
}
