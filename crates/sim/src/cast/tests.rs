//! The cast plays whole, and every tenant can be steered while it runs.

use std::sync::Arc;

use model::time::Timestamp;

use super::*;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

#[tokio::test]
async fn every_tenant_can_be_steered() {
    let cast = Cast::start(Arc::new(|| NOW)).await.expect("loopback ports and keys");
    let names: Vec<&str> = cast.roles().iter().map(|role| role.tenant.as_str()).collect();
    assert_eq!(names, ["okta", "microsoft365", "google", "acme", "acme-oss", "acme-directory"]);
    let ends = |tenant: &str| !matches!(tenant, "okta" | "acme-oss");
    for role in cast.roles() {
        let stage = &cast.stages[&role.tenant];
        let act = |action: &str| {
            let (action, query) = action.split_once('?').unwrap_or((action, ""));
            stage.act(action, &crate::server::query(query), NOW)
        };
        for action in [
            "fault?kind=status&status=500",
            "calm",
            "latency?ms=1",
            "withdraw?permission=x",
            "revoke",
            "restore",
        ] {
            assert!(act(action), "{} {action}", role.tenant);
        }
        assert_eq!(act("expire?in=3"), ends(&role.tenant), "{}", role.tenant);
        assert!(!act("expire") && !act("nonsense"), "{}", role.tenant);
        assert!(role.address.starts_with("http://127.0.0.1:"));
        assert!(role.credential != role.replacement && role.credential != role.foreign, "{}", role.tenant);
    }
    assert_eq!(cast.roles().iter().filter(|role| role.identity_provider).count(), 1);
    let after: Vec<usize> = cast.roles().iter().map(Role::scans_after).collect();
    assert_eq!(after, [0, 1, 0, 0, 0, 3]);
}
