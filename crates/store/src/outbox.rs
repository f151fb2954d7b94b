//! What waits to be sent: claimed by a lease with a fence, so that of several nodes one sends, and after a crash another
//! does. Delivery is at least once; order is kept within a lane.

use model::delivery::TransportFacts;
use model::schedule::LONGEST_LEASE;
use model::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::db::{Db, What};
use crate::dialect;
use crate::error::StoreError;
use crate::sql::{Row, Tx, args, statements};

/// The longest that anything is put off, however much longer a server asks for.
pub const LONGEST_WAIT: Duration = Duration::hours(6);

/// What is put off for longer was so by a clock that ran ahead; those of several nodes may differ a little.
const TOO_FAR_OFF: Duration = Duration(LONGEST_WAIT.0 + Duration::hours(1).0);

/// The columns that [`read`] wants.
macro_rules! columns {
    () => {
        "id, destination, lane, kind, title, addressee, body, created_at, state, next_at, attempts, fence, ended_at, \
         error, error_at"
    };
}

statements! {
    PUT = "INSERT INTO outbox (id, seq, destination, lane, kind, title, addressee, body, created_at, state, next_at, \
           attempts, fence) \
           SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, CAST($8 AS BIGINT), 'waiting', \
           CAST($8 AS BIGINT), 0, 0 FROM outbox";
    // Only what stands first in its lane is due. What is to wait, or is held, for longer than anything does was put off by a
    // clock that ran ahead.
    DUE_AT = "SELECT DISTINCT o.destination FROM outbox o WHERE o.state = 'waiting' \
              AND (o.next_at <= $1 OR o.next_at > $3) \
              AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= $2 OR o.lease_expires_at > $4) \
              AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.destination = o.destination AND e.lane = o.lane \
              AND e.state = 'waiting' AND (e.seq < o.seq OR (e.seq = o.seq AND e.id < o.id))) \
              AND NOT EXISTS (SELECT 1 FROM destinations d WHERE d.id = o.destination AND d.paused_at IS NOT NULL)";
    DUE = "SELECT o.id FROM outbox o WHERE o.destination = $3 AND o.state = 'waiting' \
           AND (o.next_at <= $1 OR o.next_at > $4) \
           AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= $2 OR o.lease_expires_at > $5) \
           AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.destination = o.destination AND e.lane = o.lane \
           AND e.state = 'waiting' AND (e.seq < o.seq OR (e.seq = o.seq AND e.id < o.id))) \
           ORDER BY o.next_at, o.seq LIMIT 5";
    CLAIM = concat!(
        "UPDATE outbox SET fence = fence + 1, lease_holder = $2, lease_expires_at = $4 WHERE id = $1 \
         AND state = 'waiting' AND (lease_expires_at IS NULL OR lease_expires_at <= $3 OR lease_expires_at > $5) RETURNING ",
        columns!()
    );
    SENT = "UPDATE outbox SET state = 'sent', attempts = attempts + 1, ended_at = $3, error = NULL, error_at = NULL, \
            lease_holder = NULL, lease_expires_at = NULL WHERE id = $1 AND fence = $2 AND state = 'waiting'";
    AGAIN = "UPDATE outbox SET attempts = attempts + 1, next_at = $3, error = $4, error_at = $5, lease_holder = NULL, \
             lease_expires_at = NULL WHERE id = $1 AND fence = $2 AND state = 'waiting'";
    POSTPONE = "UPDATE outbox SET next_at = $2 WHERE destination = $1 AND state = 'waiting' AND next_at < $2";
    FAILED = "UPDATE outbox SET state = 'failed', attempts = attempts + 1, ended_at = $3, error = $4, error_at = $3, \
              lease_holder = NULL, lease_expires_at = NULL WHERE id = $1 AND fence = $2 AND state = 'waiting'";
    UNCLAIM = "UPDATE outbox SET lease_holder = NULL, lease_expires_at = NULL WHERE id = $1 AND fence = $2";
    NEXT = "SELECT MIN(o.next_at) AS at FROM outbox o WHERE o.state = 'waiting' \
            AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.destination = o.destination AND e.lane = o.lane \
            AND e.state = 'waiting' AND (e.seq < o.seq OR (e.seq = o.seq AND e.id < o.id))) \
            AND NOT EXISTS (SELECT 1 FROM destinations d WHERE d.id = o.destination AND d.paused_at IS NOT NULL)";
    RECENT = concat!("SELECT ", columns!(), " FROM outbox ORDER BY seq DESC, id DESC LIMIT 50");
    FAILURES = concat!(
        "SELECT ", columns!(), " FROM outbox WHERE state = 'failed' ORDER BY ended_at DESC, id DESC LIMIT 50"
    );
    GET = concat!("SELECT ", columns!(), " FROM outbox WHERE id = $1");
    WAITING = "SELECT destination, COUNT(*) AS n, MIN(created_at) AS since FROM outbox WHERE state = 'waiting' \
               GROUP BY destination";
    HASTEN = "UPDATE outbox SET next_at = $2 WHERE destination = $1 AND state = 'waiting' AND next_at > $2";
    DROP_OF = "DELETE FROM outbox WHERE destination = $1 AND state = 'waiting'";
    TRANSPORTS = "SELECT id, failures_in_a_row, failing_since, last_success_at, last_error, last_error_at \
                  FROM transports";
    WENT_WELL = "INSERT INTO transports (id, failures_in_a_row, last_success_at) VALUES ($1, 0, $2) \
                 ON CONFLICT (id) DO UPDATE SET failures_in_a_row = 0, failing_since = NULL, \
                 last_success_at = excluded.last_success_at";
    WENT_WRONG = "INSERT INTO transports (id, failures_in_a_row, failing_since, last_error, last_error_at) \
                  VALUES ($1, 1, $2, $3, $2) ON CONFLICT (id) DO UPDATE SET \
                  failures_in_a_row = transports.failures_in_a_row + 1, \
                  failing_since = COALESCE(transports.failing_since, excluded.failing_since), \
                  last_error = excluded.last_error, last_error_at = excluded.last_error_at";
    PURGE_SENT = "DELETE FROM outbox WHERE state = 'sent' AND ended_at < $1";
    PURGE_FAILED = "DELETE FROM outbox WHERE state = 'failed' AND ended_at < $1";
    // What has waited in vain for so long is kept as failed, never dropped.
    GIVE_UP = "UPDATE outbox SET state = 'failed', ended_at = $2, \
               error = COALESCE(error, 'it was never tried: its destination is paused or gone'), error_at = $2 \
               WHERE state = 'waiting' AND created_at < $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $2)";
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewParcel {
    /// Made by [`Db::new_id`].
    pub id: String,
    /// [`MAIL`] or a destination's id.
    pub destination: String,
    /// Nothing of a lane is sent before what stands ahead of it.
    pub lane: String,
    /// A stable word: `digest`, or the sort of event.
    pub kind: String,
    /// What it says in one line, for the page.
    pub title: String,
    /// To whom, for the page.
    pub addressee: String,
    /// The message; whoever sends it knows its form.
    pub body: String,
}

/// The destination of everything that goes by the mail transport itself.
pub const MAIL: &str = "mail";

/// What became of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is still to be sent.
    Waiting,
    /// It was taken.
    Sent,
    /// It was refused for good, or waited too long.
    Failed,
}

impl State {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "waiting" => Some(Self::Waiting),
            "sent" => Some(Self::Sent),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A stored parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What it is.
    pub parcel: NewParcel,
    /// When it was put in.
    pub created_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// When it is tried next, while it waits.
    pub next_at: Timestamp,
    /// Attempts that ended.
    pub attempts: u32,
    /// The fencing token of its latest claim.
    pub fence: i64,
    /// When it was sent or had failed.
    pub ended_at: Option<Timestamp>,
    /// Why the latest attempt did not succeed.
    pub error: Option<String>,
}

/// Puts parcels in, within the transaction of what they tell.
pub(crate) async fn put(tx: &mut Tx, parcels: &[NewParcel], now: Timestamp) -> Result<(), StoreError> {
    for p in parcels {
        let values = args![&p.id, &p.destination, &p.lane, &p.kind, &p.title, &p.addressee, &p.body, now];
        tx.run(PUT, values).await?;
    }
    Ok(())
}

/// Puts parcels in that tell of nothing stored: tests that an operator asked for.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(db: &Db, parcels: &[NewParcel], now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    put(&mut tx, parcels, now).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(())
}

/// The destinations that something is due for, paused ones apart.
///
/// # Errors
/// When the database cannot be read.
pub async fn due(db: &Db, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let clock = dialect::lease_clock(db, now).await?;
    db.0.pool
        .rows(DUE_AT, args![now, clock, now + TOO_FAR_OFF, clock + LONGEST_LEASE])
        .await?
        .iter()
        .map(|r| r.get("destination"))
        .collect()
}

/// Takes one parcel of a destination that is due and that nobody holds; `None`: there is none.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(
    db: &Db,
    destination: &str,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<Option<Parcel>, StoreError> {
    let clock = dialect::lease_clock(db, now).await?;
    let (far, longest) = (now + TOO_FAR_OFF, clock + LONGEST_LEASE);
    for row in db.0.pool.rows(DUE, args![now, clock, destination, far, longest]).await? {
        let mut tx = db.0.pool.begin().await?;
        let taken =
            tx.row(CLAIM, args![row.get::<String>("id")?, holder, clock, clock + ttl, longest]).await?;
        tx.commit().await?;
        if let Some(row) = taken {
            return read(&row).map(Some);
        }
    }
    Ok(None)
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was taken.
    Sent,
    /// It is to be tried again then.
    Again {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
        /// The transport itself failed: whatever waits for it is not tried sooner either.
        all: bool,
    },
    /// This message will never be taken. The transport itself did its part.
    Failed {
        /// Why.
        error: String,
    },
}

/// Stores how an attempt ended, and what it tells of the transport. `false`: another holder has it by now, and nothing
/// was stored.
///
/// # Errors
/// When the database cannot be written.
pub async fn end(db: &Db, parcel: &Parcel, ending: &Ending, now: Timestamp) -> Result<bool, StoreError> {
    let NewParcel { id, destination, .. } = &parcel.parcel;
    let mut tx = db.0.pool.begin().await?;
    let stored = match ending {
        Ending::Sent => tx.run(SENT, args![id, parcel.fence, now]).await?,
        Ending::Again { at, error, .. } => tx.run(AGAIN, args![id, parcel.fence, *at, error, now]).await?,
        Ending::Failed { error } => tx.run(FAILED, args![id, parcel.fence, now, error]).await?,
    };
    if stored == 0 {
        return Ok(false);
    }
    match ending {
        Ending::Sent => tx.run(WENT_WELL, args![destination, now]).await?,
        Ending::Again { error, .. } => tx.run(WENT_WRONG, args![destination, now, error]).await?,
        Ending::Failed { .. } => 0,
    };
    if let Ending::Again { at, all: true, .. } = ending {
        tx.run(POSTPONE, args![destination, *at]).await?;
    }
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(true)
}

/// Hands a claim back without an attempt (drain).
///
/// # Errors
/// When the database cannot be written.
pub async fn unclaim(db: &Db, parcel: &Parcel) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    tx.run(UNCLAIM, args![&parcel.parcel.id, parcel.fence]).await?;
    tx.commit().await
}

/// When the first waiting parcel may be tried; `None`: none waits.
///
/// # Errors
/// When the database cannot be read.
pub async fn next_at(db: &Db) -> Result<Option<Timestamp>, StoreError> {
    let rows = db.0.pool.rows(NEXT, Vec::new()).await?;
    rows.first().map_or(Ok(None), |row| row.time_opt("at"))
}

/// The latest parcels, and the latest that failed for good, each at most 50, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn recent(db: &Db) -> Result<(Vec<Parcel>, Vec<Parcel>), StoreError> {
    let recent = db.0.pool.rows(RECENT, Vec::new()).await?.iter().map(read).collect::<Result<_, _>>()?;
    let failed = db.0.pool.rows(FAILURES, Vec::new()).await?.iter().map(read).collect::<Result<_, _>>()?;
    Ok((recent, failed))
}

/// One parcel.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(db: &Db, id: &str) -> Result<Parcel, StoreError> {
    let rows = db.0.pool.rows(GET, args![id]).await?;
    rows.first().map_or_else(|| Err(StoreError::not_found(format_args!("the message {id}"))), read)
}

/// Parcels that wait, and since when the oldest does, for each destination that has any.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting(db: &Db) -> Result<std::collections::BTreeMap<String, (u64, Timestamp)>, StoreError> {
    let rows = db.0.pool.rows(WAITING, Vec::new()).await?;
    rows.iter().map(|r| Ok((r.get("destination")?, (r.count("n")?, r.time("since")?)))).collect()
}

/// Makes everything due that waits for this destination: somebody has mended it.
///
/// # Errors
/// When the database cannot be written.
pub async fn hasten(db: &Db, destination: &str, now: Timestamp) -> Result<u64, StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let changed = tx.run(HASTEN, args![destination, now]).await?;
    tx.commit().await?;
    db.announce(None, What::Outbox);
    Ok(changed)
}

/// How every transport fares that was ever used.
///
/// # Errors
/// When the database cannot be read.
pub async fn transports(db: &Db) -> Result<std::collections::BTreeMap<String, TransportFacts>, StoreError> {
    let rows = db.0.pool.rows(TRANSPORTS, Vec::new()).await?;
    let one = |r: &Row| {
        let facts = TransportFacts {
            failures_in_a_row: r.count("failures_in_a_row")?,
            failing_since: r.time_opt("failing_since")?,
            last_success_at: r.time_opt("last_success_at")?,
            last_error: r.get("last_error")?,
            last_error_at: r.time_opt("last_error_at")?,
        };
        Ok((r.get("id")?, facts))
    };
    rows.iter().map(one).collect()
}

/// Deletes what was sent before `sent` and what failed before `failed`; what has waited since before `waited` has failed.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune(
    db: &Db,
    sent: Timestamp,
    failed: Timestamp,
    waited: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let clock = dialect::lease_clock(db, now).await?;
    let mut tx = db.0.pool.begin().await?;
    tx.run(PURGE_SENT, args![sent]).await?;
    tx.run(PURGE_FAILED, args![failed]).await?;
    tx.run(GIVE_UP, args![waited, clock]).await?;
    tx.commit().await
}

fn read(row: &Row) -> Result<Parcel, StoreError> {
    Ok(Parcel {
        parcel: NewParcel {
            id: row.get("id")?,
            destination: row.get("destination")?,
            lane: row.get("lane")?,
            kind: row.get("kind")?,
            title: row.get("title")?,
            addressee: row.get("addressee")?,
            body: row.get("body")?,
        },
        created_at: row.time("created_at")?,
        state: row.word("state", State::parse)?,
        next_at: row.time("next_at")?,
        attempts: row.count("attempts")?,
        fence: row.get("fence")?,
        ended_at: row.time_opt("ended_at")?,
        error: row.get("error")?,
    })
}
