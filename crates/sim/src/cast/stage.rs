//! A running tenant at the control port: what can be done to it while everything runs.

use std::collections::BTreeMap;
use std::time::Duration;

use model::time::Timestamp;

use crate::server::{Fault, FaultRule, Server, Vendor};

/// What the control port can do to a tenant, beside what it can do to every server.
pub(super) trait Steer {
    /// Takes a permission from every credential.
    fn withdraw(&mut self, permission: &str);
    /// Ends the credential of this way to authenticate; the replacement goes on.
    fn revoke(&mut self, first: &str);
    /// Lets that credential end at an instant; false where the vendor's credentials have no end.
    fn expire(&mut self, first: &str, at: Timestamp) -> bool;
    /// Undoes all of these.
    fn restore(&mut self);
}

/// A tenant of any vendor.
pub(super) trait Stage: Send + Sync {
    /// Does something to it; false where it cannot be done.
    fn act(&self, action: &str, query: &BTreeMap<String, String>, now: Timestamp) -> bool;
}

/// A server with the way to authenticate that is used at onboarding.
pub(super) struct Play<V> {
    pub(super) server: Server<V>,
    pub(super) first: String,
}

pub(super) const ACTIONS: &str = "revoke, restore, withdraw?permission=, expire?in=DAYS, \
    fault?kind=status|html|truncated|rate-limited&status=&seconds=&path=, calm, latency?ms=";

impl<V: Vendor + Steer> Stage for Play<V> {
    fn act(&self, action: &str, query: &BTreeMap<String, String>, now: Timestamp) -> bool {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let mut tenant = self.server.tenant();
        match action {
            "fault" => {
                let fault = match text("kind") {
                    "html" => Fault::Html,
                    "truncated" => Fault::Truncated,
                    "rate-limited" => {
                        Fault::RateLimited { retry_after: text("seconds").parse().unwrap_or(3600) }
                    }
                    _ => Fault::Status(text("status").parse().unwrap_or(500)),
                };
                tenant.faults.push(FaultRule { path_contains: text("path").to_owned(), fault, times: None });
            }
            "calm" => tenant.faults.clear(),
            "latency" => tenant.latency = Duration::from_millis(text("ms").parse().unwrap_or(0)),
            "withdraw" => tenant.vendor.withdraw(text("permission")),
            "revoke" => tenant.vendor.revoke(&self.first),
            "expire" => {
                let Ok(days) = text("in").parse::<i64>() else { return false };
                return tenant.vendor.expire(&self.first, now + model::time::Duration::days(days));
            }
            "restore" => {
                tenant.faults.clear();
                tenant.vendor.restore();
            }
            _ => return false,
        }
        true
    }
}
