//! A change that no node was told of: the one that made it was killed before it could.

use std::sync::Arc;
use std::time::Duration;

use collect::Clock;
use engine::clock::SystemClock;
use futures_util::future::BoxFuture;
use model::time::Timestamp;
use tokio::sync::Notify;

use crate::database::Database;
use crate::installation::Installation;

/// The present; but sleeps end when the test says so.
#[derive(Default)]
struct Hand(Notify);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn sleep(&self, _: model::time::Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.0.notified())
    }

    fn jitter(&self, _: model::time::Duration) -> model::time::Duration {
        model::time::Duration(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_find_what_nobody_told_them() {
    let Some(database) = Database::postgresql().await else { return };
    let here = Installation::on(database, 2, "").await;
    let clock = Arc::new(Hand::default());
    let (db, ops) = here.open(Arc::clone(&clock) as _).await;
    let mut changes = ops.changes();
    here.database.change("UPDATE instances SET name = 'renamed' WHERE name = 'directory 1'").await;
    let quiet = tokio::time::timeout(Duration::from_millis(300), changes.recv()).await;
    assert!(quiet.is_err() && !ops.metrics().contains("renamed"), "nobody has told it: {quiet:?}");

    let told = async {
        loop {
            clock.0.notify_waiters();
            if let Ok(changed) = tokio::time::timeout(Duration::from_millis(50), changes.recv()).await {
                return changed.expect("one");
            }
        }
    };
    let changed = tokio::time::timeout(crate::node::PATIENCE, told).await.expect("it looks again");
    assert!(ops.metrics().contains("renamed"));
    let id = here.database.ask("SELECT id FROM instances WHERE name = 'renamed'").await[0][0].clone();
    assert_eq!(
        changed.instance.map(|id| id.to_string()),
        Some(id),
        "only the pages of what has changed are told"
    );

    here.database.change("DELETE FROM instances WHERE name = 'renamed'").await;
    while ops.metrics().contains("renamed") {
        clock.0.notify_waiters();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    db.close().await;
}
