//! What every part of the engine needs.

use std::any::Any;
use std::sync::Arc;

use catalog::{App, Catalog};
use collect::Clock;
use contact::Contact;
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::schedule::Spread;
use model::time::{Duration, Timestamp};
use store::instances::Instance;
use store::{Db, StoreError};
use tokio::sync::watch;

use crate::collector::Collector;
use crate::config::Config;
use crate::directories::Cache;

/// What every part of the engine needs. Shared by all workers.
pub(crate) struct Context {
    pub(crate) db: Db,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) collector: Arc<dyn Collector>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    /// What the identity providers know.
    pub(crate) directories: Cache,
    /// Becomes true once, when the engine is to stop.
    pub(crate) draining: watch::Receiver<bool>,
}

impl Context {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns when the engine is to stop. A sender that is gone is an engine that was dropped: the same.
    pub(crate) async fn drained(&self) {
        drop(self.draining.clone().wait_for(|drain| *drain).await);
    }

    /// Whether the engine is to stop: nothing new is begun.
    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Where in the spread of an interval the next run falls.
    pub(crate) fn spread(&self) -> Spread {
        Spread(u16::try_from(self.clock.jitter(Duration(65_536)).0).unwrap_or(0))
    }

    /// Puts together whom to contact as whom. The inner error is a fault of the run: nothing was sent.
    pub(crate) async fn contact(
        &self,
        app: &Arc<App>,
        instance: &Instance,
    ) -> Result<Result<Contact, Fault>, StoreError> {
        contact::contact(&self.db, app, instance, &self.clock).await
    }
}

/// A fault of a run that sent nothing.
pub(crate) fn unsent(cause: FailureCause, detail: impl Into<String>, at: Timestamp) -> Fault {
    Fault::local(cause, Rung::NotSent, detail.into(), at)
}

/// The words of a panic, for the log: they may quote what was read, so they belong nowhere else.
pub(crate) fn panic_says(panic: &(dyn Any + Send)) -> String {
    let fixed = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    fixed.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
