//! What went wrong, how far it got, what to do.

use crate::diagnosis::{Fault, Rung};
use crate::scan::FailureCause;
use crate::words::{Action, Remedy, Sentence, list};

/// One rung of the ladder that a failed request climbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderRung {
    /// Which.
    pub rung: Rung,
    /// Whether it held.
    pub state: RungState,
}

/// Whether a rung held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RungState {
    /// ✓
    Held,
    /// ✗: the request got no further.
    Failed,
    /// Not tried.
    NotReached,
}

/// The rungs in order with what became of each. Nothing is crossed when nothing was sent, or when the request itself
/// went well and the run ended for another reason. A server error and a rate limit are crosses at HTTP: neither tells
/// whether the credential would have been accepted.
#[must_use]
pub fn ladder(fault: &Fault) -> Vec<LadderRung> {
    let reached = match fault.cause {
        FailureCause::Remote | FailureCause::Throttled => fault.reached.min(Rung::Tls),
        _ => fault.reached,
    };
    let mut failed = reached == Rung::NotSent;
    let rungs = Rung::LADDER.into_iter().map(|rung| {
        let state = if rung <= reached {
            RungState::Held
        } else if failed {
            RungState::NotReached
        } else {
            failed = true;
            RungState::Failed
        };
        LadderRung { rung, state }
    });
    rungs.collect()
}

/// A cause in a few words, for tables and tooltips.
#[must_use]
pub const fn cause_says(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::Credentials => "the credential is not accepted",
        FailureCause::Permission => "the credential may not read this",
        FailureCause::Protocol => "the answer was not what the vendor documents",
        FailureCause::Remote => "the vendor answered with a server error",
        FailureCause::Throttled => "the vendor's rate limit left no room in time",
        FailureCause::Unreachable => "the vendor could not be reached",
        FailureCause::Internal => "a fault of Parapet itself",
    }
}

/// What happened: our sentence, then the request, the code and the vendor's words as far as they are known.
#[must_use]
pub fn fault_says(fault: &Fault) -> Sentence {
    let detail = fault.detail.trim().trim_end_matches('.');
    let detail = if detail.is_empty() { cause_says(fault.cause) } else { detail };
    let mut facts = Vec::new();
    if let Some(request) = &fault.request {
        facts.push(request.clone());
    }
    if let Some(status) = fault.status {
        facts.push(format!("status {status}"));
    }
    if let Some(message) = fault.vendor_message.as_deref().map(str::trim).filter(|m| !m.is_empty()) {
        facts.push(format!("\u{201c}{message}\u{201d}"));
    }
    if let Some(id) = &fault.request_id {
        facts.push(format!("request id {id}"));
    }
    let sentence = Sentence::new(capital(detail));
    if facts.is_empty() { sentence.text(".") } else { sentence.text(format!(" ({}).", facts.join(", "))) }
}

/// The first letter as a capital.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What to do about a fault, who can, and what Parapet offers for it.
#[must_use]
pub fn remedy(fault: &Fault, app: &str) -> Remedy {
    let admin = format!("an administrator of {app}");
    let operator = "whoever runs this server".to_owned();
    let (says, action, who) = match fault.cause {
        FailureCause::Credentials => (
            "The credential was probably revoked or has expired, or its account, app or tenant is gone. \
             Reauthenticate with a new one."
                .to_owned(),
            Action::Reauthenticate,
            admin,
        ),
        FailureCause::Permission if fault.needs.is_empty() => (
            format!(
                "Grant the credential what the answer names. Where a rule about addresses or conditional access refused \
                 it, allow this server's address at {app}. If the permission cannot be added to this credential, \
                 Reauthenticate with another."
            ),
            Action::Reauthenticate,
            admin,
        ),
        FailureCause::Permission => (
            format!(
                "Grant {} at {app}, or Reauthenticate with a credential that has it.",
                list(&fault.needs)
            ),
            Action::Reauthenticate,
            admin,
        ),
        FailureCause::Protocol => (
            format!(
                "Check that the address is {app} itself and not a sign-in page or a proxy in front of it. If it is, \
                 {app} has changed its answers: install the newest Parapet, or report the request above."
            ),
            Action::ScanNow,
            operator,
        ),
        FailureCause::Remote => (
            format!("The fault is at {app}; its status page may say more. Parapet goes on trying."),
            Action::ScanNow,
            "the vendor".to_owned(),
        ),
        FailureCause::Throttled => (
            format!(
                "Give Parapet a credential of its own, so that it shares its rate limit at {app} with nobody, or \
                 choose a longer interval."
            ),
            Action::None,
            admin,
        ),
        FailureCause::Unreachable => (unreachable(fault.reached, app), Action::ScanNow, operator),
        FailureCause::Internal => (
            "The credential is not to blame. See this server's log and run `parapet doctor`.".to_owned(),
            Action::ScanNow,
            operator,
        ),
    };
    Remedy { says: Sentence::new(says), action, who }
}

/// The advice for a connection that ended after this rung.
fn unreachable(reached: Rung, app: &str) -> String {
    match reached {
        Rung::NotSent => {
            format!("Check the address of {app} in the settings: its name is not one Parapet may contact.")
        }
        Rung::Name => {
            format!("Check that this server can resolve the name of {app} (DNS), or configure a proxy.")
        }
        Rung::Address => {
            format!("Check that a firewall lets this server connect to {app}, or configure a proxy.")
        }
        Rung::Tcp => format!(
            "Check the certificate of {app}. If a proxy of your own inspects TLS, add its certificate authority to the \
             configuration."
        ),
        _ => format!("{app} took too long to answer. Check the network between; Parapet goes on trying."),
    }
}
