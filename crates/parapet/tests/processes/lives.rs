//! What several tests do with an installation: keep it busy, and see it recover.

use std::sync::Arc;
use std::time::Duration;

use sim::Server;
use sim::scim::Scim;
use sim::seed::Seed;
use tokio::task::JoinHandle;

use crate::database::{Database, now};
use crate::installation::{Installation, generation};
use crate::node::{Node, until};

/// Between two runs of a scan, so that there is always something under way.
pub(crate) const PACE: &str = "UPDATE scans SET interval_ms = 300";
/// No pace: what is wanted runs once.
pub(crate) const STILL: &str = "UPDATE scans SET interval_ms = 86400000";

/// Tenants whose people change all the time, and which answer now fast, now slowly.
pub(crate) fn restless(tenants: &Arc<Vec<Server<Scim>>>, mut seed: Seed) -> JoinHandle<()> {
    let tenants = Arc::clone(tenants);
    tokio::spawn(async move {
        for n in 1.. {
            for server in tenants.iter() {
                let mut tenant = server.tenant();
                generation(&mut tenant.vendor, n);
                tenant.latency = Duration::from_millis(seed.below(12) as u64);
                tenant.requests.clear();
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    })
}

/// On a new process every scan runs again and reads Up, and nothing is left open.
pub(crate) async fn recovers(here: &Installation) {
    here.database.change(STILL).await;
    here.database.want_all().await;
    let from = now();
    let node = Node::start(here, &[]).await;
    settles(here, &node, from).await;
    node.stop().await;
}

/// The same on a process that runs and has been asked for every scan. Runs that were cut off too often end as failed, which
/// answers the request: these are asked for once more.
pub(crate) async fn settles(here: &Installation, node: &Node, from: i64) {
    until("no run is open any more", async || here.database.number(OPEN).await == 0).await;
    let failing =
        here.database.ask("SELECT DISTINCT instance_id FROM scans WHERE failing_since IS NOT NULL").await;
    match &here.database {
        _ if failing.is_empty() => {}
        Database::Postgresql(_) => here.database.want_all().await,
        Database::Sqlite(_) | Database::Copied(_) => {
            let cookie = node.signed_in().await;
            for instance in failing {
                node.scan_now(&instance[0], &cookie).await;
            }
        }
    }
    until("every scan has run and none is open", async || {
        here.database.number(&not_well_since(from)).await == 0
    })
    .await;
    until("all read Up", async || node.scans_that_are("up").await == here.scans()).await;
    println!("all {} scans were Up again after {} ms", here.scans(), now() - from);
}

/// Scans that are held, begun or asked for.
const OPEN: &str = "SELECT COUNT(*) FROM scans WHERE lease_expires_at IS NOT NULL OR run_id IS NOT NULL \
                    OR wanted_at IS NOT NULL";

/// Counts those and the scans that have not succeeded since.
fn not_well_since(from: i64) -> String {
    format!("{OPEN} OR failing_since IS NOT NULL OR last_success_at IS NULL OR last_success_at < {from}")
}
