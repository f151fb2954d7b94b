//! The seam between the worker and the connector engine: the same worker runs against real vendors and in tests.

use collect::{Clock, Collected, Credential, Outbound, Preflight, Progress, RunRequest, Target};
use futures_util::future::BoxFuture;
use model::diagnosis::Fault;

/// Reads SaaS applications. [`Vendors`] is the real one.
pub trait Collector: Send + Sync + 'static {
    /// [`collect::run`].
    fn run<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected>;

    /// [`collect::authenticate`].
    fn authenticate<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// [`collect::preflight`].
    fn preflight<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>>;
}

/// The vendors themselves, through the one outbound client.
#[derive(Clone)]
pub struct Vendors(pub Outbound);

impl Collector for Vendors {
    fn run<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
        request: RunRequest,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Collected> {
        Box::pin(collect::run(&self.0, target, credential, clock, request, progress))
    }

    fn authenticate<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(collect::authenticate(&self.0, target, credential, clock))
    }

    fn preflight<'a>(
        &'a self,
        target: &'a Target,
        credential: &'a Credential,
        clock: &'a dyn Clock,
    ) -> BoxFuture<'a, Result<Preflight, Fault>> {
        Box::pin(collect::preflight(&self.0, target, credential, clock))
    }
}
