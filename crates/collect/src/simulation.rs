//! Vendors without a network: whoever simulates answers what this thread's runs ask, in the place of the sockets and of
//! nothing else. Compiled for the simulation only; one simulation a thread.

use std::cell::RefCell;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use model::diagnosis::Rung;
use url::Url;

use crate::outbound::{Answer, Bounds, Call, NetError};

/// What a vendor is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whole address.
    pub url: Url,
    /// Headers, the credential among them.
    pub headers: HeaderMap,
    /// The longest the answer may take.
    pub seconds: u32,
}

/// What it answers.
#[derive(Debug, Clone)]
pub struct Told {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

/// What happens instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nobody can be connected to.
    Unreachable,
    /// The time was over.
    TimedOut,
    /// The connection was broken off.
    BrokenOff,
}

/// Answers every question of a thread.
pub type Vendor = Arc<dyn Fn(Question) -> BoxFuture<'static, Result<Told, Lost>> + Send + Sync>;

thread_local! {
    static VENDOR: RefCell<Option<Vendor>> = const { RefCell::new(None) };
}

/// From now on this one answers what this thread asks; `None`: the network.
pub fn set_vendor(vendor: Option<Vendor>) {
    VENDOR.set(vendor);
}

/// Asks the vendor of this thread, if there is one.
pub(crate) fn ask(call: &Call, bounds: &Bounds<'_>) -> Option<BoxFuture<'static, Result<Told, Lost>>> {
    let question = Question { url: call.url.clone(), headers: call.headers.clone(), seconds: bounds.seconds };
    VENDOR.with_borrow(|vendor| vendor.as_ref().map(|vendor| vendor(question)))
}

/// The answer as a client would have handed it on.
pub(crate) fn answer(
    host: &str,
    told: Result<Told, Lost>,
    take: impl Fn(&mut Vec<u8>, &[u8]) -> Result<(), NetError>,
) -> Result<Answer, NetError> {
    let Told { status, headers, body: sent } = told.map_err(|lost| match lost {
        Lost::Unreachable => NetError::unreachable(Rung::Address, format!("{host} refused the connection")),
        Lost::TimedOut => NetError::unreachable(Rung::Tls, format!("{host} did not answer in time")),
        Lost::BrokenOff => NetError::unreachable(Rung::Tls, format!("{host} broke the connection off")),
    })?;
    let mut body = Vec::new();
    take(&mut body, &sent)?;
    Ok(Answer { status, headers, body })
}
