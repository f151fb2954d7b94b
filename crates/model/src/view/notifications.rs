//! The page Notifications: how people are told, where, and what became of it; and the preview of a digest.

use serde::Serialize;

use super::{FacetChoice, InstanceRef, Mark};
use crate::time::Timestamp;
use crate::words::Sentence;

/// The page Notifications.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotificationsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The mail server as it is configured: `mail.example.com:587, STARTTLS, as parapet`; `None`: there is none, and no
    /// digest is made.
    pub mail_server: Option<String>,
    /// How it fares.
    pub mail: TransportStatus,
    /// Addresses that the configuration names for what nobody answers for.
    pub configured_admins: Vec<String>,
    /// The operator's own address for it; empty: none.
    pub my_email: String,
    /// Applications that nobody active answers for.
    pub unowned: Vec<InstanceRef>,
    /// There are such applications and no address to tell.
    pub nobody_is_told: bool,
    /// Where alerts go, by name.
    pub destinations: Vec<DestinationRow>,
    /// Choices of a new destination.
    pub choices: SubscriptionChoices,
    /// The latest messages, newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// The latest that failed for good, newest first.
    pub failed: Vec<DeliveryRow>,
    /// The latest digests, newest first.
    pub digests: Vec<DigestRow>,
    /// Links work: the public address is configured.
    pub has_base: bool,
    /// The operator may change things here.
    pub may_change: bool,
}

/// How a transport fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransportStatus {
    /// Shape and colour.
    pub mark: Mark,
    /// The word; `Not tried yet` for one that was never used.
    pub word: String,
    /// What happened, since when, what follows.
    pub says: Sentence,
}

/// A destination of alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DestinationRow {
    /// Which.
    pub id: String,
    /// Name.
    pub name: String,
    /// The stable word of its sort: `webhook`.
    pub kind: String,
    /// What people read.
    pub kind_title: String,
    /// What may be shown of its address.
    pub shown: String,
    /// How it fares.
    pub status: TransportStatus,
    /// It is paused.
    pub paused: bool,
    /// What it is told of, in words.
    pub told: String,
    /// The same as choices of its form.
    pub choices: SubscriptionChoices,
}

/// What a destination can be told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionChoices {
    /// Sorts of event.
    pub kinds: Vec<FacetChoice>,
    /// Applications.
    pub instances: Vec<FacetChoice>,
    /// Owners.
    pub owners: Vec<FacetChoice>,
    /// The least severity of new findings.
    pub severities: Vec<FacetChoice>,
}

/// What is entered about a destination, secrets apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationInput {
    /// Name.
    pub name: String,
    /// The stable word of its sort.
    pub kind: String,
    /// Mail: addresses, apart by commas.
    pub to: String,
    /// Syslog: the collector's name.
    pub host: String,
    /// Syslog: its port; empty: 6514.
    pub port: String,
    /// Sorts of event; none: all.
    pub kinds: Vec<String>,
    /// Applications; none: all.
    pub instances: Vec<String>,
    /// Owners; none: all.
    pub owners: Vec<String>,
    /// The least severity of new findings.
    pub severity: String,
}

/// A message and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// When it was decided.
    pub at: Timestamp,
    /// What sort: `Digest`, `Status changed`.
    pub kind: String,
    /// What it says in one line.
    pub title: String,
    /// To whom.
    pub to: String,
    /// `Sent`, `Waiting`, `Failed`.
    pub state: String,
    /// Attempts that ended.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub next_at: Option<Timestamp>,
    /// When it was sent or failed.
    pub ended_at: Option<Timestamp>,
    /// Why the latest attempt did not succeed; may be empty.
    pub error: String,
}

/// A digest that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestRow {
    /// Whose.
    pub to: String,
    /// The local day.
    pub day: String,
    /// When.
    pub at: Timestamp,
    /// Its subject.
    pub subject: String,
    /// Mails that went out with it; 0: its reader wants none on all-clear days.
    pub mails: u32,
}

/// What somebody's digest would be now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestPreview {
    /// The instant it was written for.
    pub now: Timestamp,
    /// Whose can be looked at.
    pub choices: Vec<FacetChoice>,
    /// The one that is.
    pub key: String,
    /// The mail; `None`: that person answers for no application, and gets none.
    pub mail: Option<DigestMail>,
}

/// A digest as it would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestMail {
    /// The subject.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part, a document of its own.
    pub html: String,
    /// Where it would go.
    pub to: Vec<String>,
    /// When the next one is due.
    pub due_at: Timestamp,
    /// Nothing needs attention.
    pub all_clear: bool,
    /// It would not be sent: its reader wants none on all-clear days.
    pub silent: bool,
}
