//! The history of a finding.

use model::id::FindingId;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::get;
use crate::db::Db;
use crate::error::StoreError;
use crate::sql::{Arg, Batch, args, statements};

statements! {
    EVENTS = "SELECT at, what, by_name, note FROM finding_events WHERE finding_id = $1 ORDER BY id";
}

/// What happened to findings.
pub(crate) const EVENT: Batch = Batch {
    name: "FINDING_EVENTS",
    head: "INSERT INTO finding_events (id, finding_id, at, what, by_name, note)",
    columns: 6,
    tail: "",
};

/// Something that happened to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: EventKind,
    /// Who; `None`: a run, or time.
    pub by: Option<String>,
    /// An exception's reason.
    pub note: Option<String>,
}

/// The kinds of [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It failed for the first time.
    Opened,
    /// It was resolved and failed again.
    Reopened,
    /// It passed or was gone.
    Resolved,
    /// Somebody took it up.
    TakenUp,
    /// Nobody works on it any more.
    PutBack,
    /// It was accepted.
    Suppressed,
    /// Its exception expired.
    ExceptionExpired,
}

impl EventKind {
    const ALL: [Self; 7] = [
        Self::Opened,
        Self::Reopened,
        Self::Resolved,
        Self::TakenUp,
        Self::PutBack,
        Self::Suppressed,
        Self::ExceptionExpired,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Resolved => "resolved",
            Self::TakenUp => "taken_up",
            Self::PutBack => "put_back",
            Self::Suppressed => "suppressed",
            Self::ExceptionExpired => "exception_expired",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Everything that happened to a finding, oldest first. The first is that it was opened.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn events(db: &Db, id: &FindingId) -> Result<Vec<Event>, StoreError> {
    let finding = get(db, id).await?;
    let mut events = vec![Event { at: finding.created_at, what: EventKind::Opened, by: None, note: None }];
    for row in db.0.pool.rows(EVENTS, args![id]).await? {
        events.push(Event {
            at: row.time("at")?,
            what: row.word("what", EventKind::parse)?,
            by: row.get("by_name")?,
            note: row.get("note")?,
        });
    }
    Ok(events)
}

/// The binds of one event.
pub(super) fn event(
    db: &Db,
    finding: &FindingId,
    at: Timestamp,
    what: EventKind,
    by: Option<&str>,
    note: Option<&str>,
) -> Vec<Arg> {
    args![db.new_id(at), finding, at, what.as_str(), by, note]
}
