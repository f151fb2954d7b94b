//! The people and instances of a world.

use std::collections::BTreeMap;

use model::health::Enablement;
use model::id::InstanceId;
use model::scan::ScanKind;
use model::schedule::default_interval;
use notify::event::Subscription;
use secrecy::SecretString;
use store::instances::{self, NewInstance};
use store::scans::ScanSetup;

use super::super::fake::{HandClock, address, identity};
use super::super::post;
use super::super::world::entry;
use super::vendors::Tenancy;
use super::world::World;

impl World {
    /// Two owners of an instance each, and a webhook; what is beside these goes to the admins.
    pub(super) async fn people(&mut self) {
        let clock = HandClock::new();
        for (owner, zone, minute) in [("o1", "Europe/Berlin", 480), ("o2", "Pacific/Auckland", 1380)] {
            let id = self.onboard().await;
            post::own(&self.db, &clock, &id, owner, (zone, minute)).await;
        }
        self.onboard().await;
        post::webhook(&self.db, &clock, Subscription::default()).await;
        self.look_at_all().await.expect("nothing has happened yet");
    }

    pub(super) async fn onboard(&mut self) -> InstanceId {
        self.named += 1;
        let name = format!("Vault {}", self.named).replace(' ', "");
        let now = self.shared.now();
        let id = InstanceId::new(self.db.new_id(now));
        let setup = |kind, enablement| ScanSetup {
            kind,
            enablement,
            interval: default_interval(kind),
            gaps: Vec::new(),
        };
        // Every third one begins without the permission for accounts, so that it is looked for daily.
        let accounts = if self.named.is_multiple_of(3) {
            Enablement::NotEnabled { missing: vec!["people".into()], checked_at: now, offered: false }
        } else {
            Enablement::Enabled
        };
        let new = NewInstance {
            id: id.clone(),
            app: "vault".into(),
            name: name.clone(),
            deployment: "cloud".into(),
            settings: BTreeMap::new(),
            origins: [("main".to_owned(), address(&name))].into(),
            auth: "token".into(),
            identity: identity(),
            secrets: [("token".to_owned(), SecretString::from("t0k3n"))].into(),
            owner: None,
            tags: Vec::new(),
            down_after: 3,
            scans: vec![setup(ScanKind::Config, Enablement::Enabled), setup(ScanKind::Accounts, accounts)],
        };
        instances::create(&self.db, new, now, entry("instance.onboard")).await.expect("a new name");
        self.vendors.tenancies().insert(address(&name), Tenancy::new());
        self.fleet.push((id.clone(), name));
        id
    }
}
