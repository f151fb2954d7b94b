//! The sentences about statuses, causes and remedies: one wording for page, mail, command line and API.
//!
//! A [`Sentence`] keeps its instants as instants, so that a page can draw them as `<time>` with the exact instant on
//! hover; [`Sentence::plain`] writes both for everything that is only text. Say what happened, since when, what
//! follows, what to do.

mod app;
mod fault;
mod marks;
mod scan;
mod sentence;
mod times;
mod warning;

pub use app::{FleetCounts, fleet};
pub use fault::{LadderRung, RungState, cause_says, fault_says, ladder, remedy};
pub use marks::{acts, turns};
pub use scan::ScanWords;
pub use sentence::{Part, Sentence};
pub use times::{count, duration, list, plain_instant, relative, times};
pub use warning::{warning_remedy, warning_says, warning_says_at};

use crate::health::{InstanceFacts, ScanFacts};
use crate::time::Timestamp;

/// What the sentences about one instance are made from.
///
/// ```text
/// let about = About { app: "GitHub", instance: &facts, scans: &scans, now };
/// about.application();            // "Unhealthy: Risky Account Scan failed twice since ... Config Scan is Up."
/// about.scan(&scans[0]).says;     // the row's sentence
/// ```
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What people call the application's vendor product: `GitHub`.
    pub app: &'a str,
    /// The instance's facts.
    pub instance: &'a InstanceFacts,
    /// Its supported scans.
    pub scans: &'a [ScanFacts],
    /// As of when.
    pub now: Timestamp,
}

/// What to do, and the button that does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The advice.
    pub says: Sentence,
    /// What Parapet itself offers for it.
    pub action: Action,
    /// Who can do it, in a few words: `an administrator of GitHub`.
    pub who: String,
}

/// What a page can offer beside a remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Give a new credential.
    Reauthenticate,
    /// Look again whether the permissions are there.
    CheckAgain,
    /// Run now instead of waiting.
    ScanNow,
    /// End the pause.
    Resume,
    /// Nothing on this page helps.
    None,
}
