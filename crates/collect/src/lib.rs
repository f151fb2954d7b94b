//! The connector engine: the only code that talks to SaaS.
//!
//! [`run()`] reads the datasets of one scan and never fails: what could not be read is in the snapshot as such, with its
//! cause. [`preflight()`] verifies a credential before it is saved, [`authenticate`] tries a suspended one.
//! All of it is driven by the catalogue's manifests; no application is named here.

mod answer;
mod ask;
mod auth;
mod back_off;
pub mod clock;
mod dataset;
mod extract;
mod fanout;
mod faults;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod judge;
mod link;
mod listing;
mod merge;
pub mod outbound;
mod pace;
mod page;
mod path;
mod patience;
mod place;
mod preflight;
mod progress;
mod renew;
mod resolve;
mod run;
mod scrub;
mod session;
mod shared;
#[cfg(feature = "simulation")]
pub mod simulation;
mod sink;
mod sweep;
mod target;
mod watch;
mod weight;

pub use auth::code::{SignIn, authorize_url, sign_in_scopes};
pub use back_off::BackOff;
pub use clock::{Clock, Unhurried};
pub use outbound::{Heard, Outbound, OutboundConfig, OutboundError, Posted, ResolveOverride, Tap};
pub use preflight::{Checkup, Preflight, Tried};
pub use progress::{Checkpoint, Collected, DatasetState, Done, Progress, Quiet, RunRequest, SWEEP_REQUESTS};
pub use renew::{Access, InMemory, Keeper, RENEWAL, Renewal, Turn};
pub use sweep::Sweep;
pub use target::{Credential, OriginError, Origins, Target, console};

use model::diagnosis::Fault;

/// Verifies a credential: which tenant it belongs to, as whom it acts, what it may read, and when it expires. Saves
/// nothing. Costs a few requests where the vendor tells permissions, else one for each dataset.
///
/// # Errors
/// The request that could not be made or was refused.
pub async fn preflight(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
) -> Result<Preflight, Fault> {
    preflight::preflight(outbound, target, credential, clock).await
}

/// Climbs the ladder without a scan: name, address, TCP, TLS, HTTP, who the credential is, what it may read, and the first page
/// of one required dataset of each of `kinds`. Never an error: what did not hold is told.
pub async fn checkup(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    kinds: &[model::scan::ScanKind],
) -> Checkup {
    preflight::checkup(outbound, target, credential, clock, kinds).await
}

/// Redeems the code with which somebody came back from the vendor's sign-in page. Saves nothing.
///
/// # Errors
/// The request that could not be made or was refused.
pub async fn sign_in(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    sign_in: &SignIn,
) -> Result<Renewal, Fault> {
    auth::code::sign_in(outbound, target, credential, clock, sign_in).await
}

/// Whether the credential is accepted, by one cheap request (and those that buy its token).
///
/// # Errors
/// The request that could not be made or was refused.
pub async fn authenticate(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
) -> Result<(), Fault> {
    preflight::authenticate(outbound, target, credential, clock).await
}

/// Reads every dataset of one scan. Dropping the future stops it at once; nothing is lost but what was read since the
/// last checkpoint.
pub async fn run(
    outbound: &Outbound,
    target: &Target,
    credential: &Credential,
    clock: &dyn Clock,
    request: RunRequest,
    progress: &dyn Progress,
) -> Collected {
    run::run(outbound, target, credential, clock, request, progress).await
}
