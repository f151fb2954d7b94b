//! Requests for somebody who waits for the answer.

use model::diagnosis::Fault;
use model::time::Duration;

use crate::clock::Clock;
use crate::outbound::Outbound;
use crate::session::Session;
use crate::target::{Credential, Target};

/// Somebody is waiting for the answer.
const PATIENCE: Duration = Duration::minutes(2);

/// For somebody who waits for the answer; nothing is sent inside a back-off that the credential was told.
pub(crate) fn opened<'a>(
    outbound: &'a Outbound,
    target: &'a Target,
    credential: &'a Credential,
    clock: &'a dyn Clock,
) -> Result<Session<'a>, Box<Fault>> {
    let now = clock.now();
    Session::new(outbound, target, credential, clock, now + PATIENCE, credential.back_off.until(now))
}
