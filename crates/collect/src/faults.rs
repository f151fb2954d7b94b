//! What a request met, as a fault of the run.

use http::HeaderMap;
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::time::Duration;

use crate::ask::{Ask, Who, label};
use crate::outbound::NetError;
use crate::session::Session;

/// A vendor's clock may differ by this much before it explains a refusal.
const SKEW: Duration = Duration::minutes(2);

impl Session<'_> {
    /// A fault about a request.
    pub(crate) fn fault(
        &self,
        ask: &Ask<'_>,
        cause: FailureCause,
        reached: Rung,
        detail: impl Into<String>,
    ) -> Box<Fault> {
        Box::new(Fault {
            cause,
            reached,
            dataset: ask.about.dataset.clone(),
            request: Some(self.scrub.clean(&label(&ask.method, &ask.url))),
            status: None,
            vendor_message: None,
            request_id: None,
            needs: Vec::new(),
            detail: self.scrub.clean(&detail.into()),
            at: self.clock.now(),
        })
    }

    pub(crate) fn unanswered(&self, ask: &Ask<'_>, error: NetError) -> Box<Fault> {
        let fault = self.fault(ask, error.cause, error.reached, error.detail);
        if error.cause == FailureCause::Unreachable {
            self.watch.failed(&ask.url, &fault);
        }
        fault
    }

    /// The vendor knows the credential and does not let it read this.
    pub(crate) fn withheld(&self, ask: &Ask<'_>, who: &Who, detail: String) -> Box<Fault> {
        self.accepted(who);
        let mut fault = self.fault(ask, FailureCause::Permission, Rung::Authenticated, detail);
        fault.needs.clone_from(&ask.about.needs);
        fault
    }

    /// The vendor does not accept the credential; unless it is our clock.
    pub(crate) fn refused(&self, ask: &Ask<'_>, headers: &HeaderMap, reason: Option<String>) -> Box<Fault> {
        if let Some(theirs) = crate::pace::date(headers) {
            let off = self.clock.now() - theirs;
            if off.0.abs() > SKEW.0 {
                let minutes = (off.0.abs() + 30_000) / 60_000;
                let way = if off.0 > 0 { "ahead of" } else { "behind" };
                let detail = format!(
                    "This server's clock is {minutes} min {way} the vendor's, so that the refusal says nothing about the credential"
                );
                return self.fault(ask, FailureCause::Internal, Rung::Http, detail);
            }
        }
        let detail = reason.unwrap_or_else(|| "The vendor does not accept the credential".to_owned());
        self.fault(ask, FailureCause::Credentials, Rung::Http, detail)
    }
}
