//! What a run makes of findings, within its transaction.

use std::collections::{BTreeMap, BTreeSet};

use model::finding::{CheckResult, FindingState, Outcome};
use model::id::{CheckId, FindingId};
use model::time::Timestamp;

use super::events::{EVENT, EventKind, event};
use super::{CHUNK, rank};
use crate::db::Db;
use crate::error::StoreError;
use crate::runs::Committed;
use crate::scans::Held;
use crate::sql::{Arg, Batch, Select, Tx, args, statements, to_json};

statements! {
    KNOWN = "SELECT id, check_id, resource, state FROM findings WHERE instance_id = $1 AND kind = $2";
}

/// A failing result becomes a finding, keeps one, or brings a resolved one back. Whether it is looked at by an operator
/// is theirs to say; only resolved ones start anew.
pub(crate) const UPSERT: Batch = Batch {
    name: "FINDINGS",
    head: "INSERT INTO findings (id, instance_id, check_id, revision, kind, resource, resource_kind, severity, state, \
           says, evidence, search, created_at, first_seen_at, last_seen_at, reopened, run_id)",
    columns: 17,
    tail: "ON CONFLICT (instance_id, check_id, resource) DO UPDATE SET revision = excluded.revision, \
           kind = excluded.kind, resource_kind = excluded.resource_kind, severity = excluded.severity, \
           says = excluded.says, evidence = excluded.evidence, search = excluded.search, \
           first_seen_at = CASE WHEN findings.state = 'resolved' THEN excluded.first_seen_at \
           ELSE findings.first_seen_at END, \
           reopened = findings.reopened + CASE WHEN findings.state = 'resolved' THEN 1 ELSE 0 END, \
           state = CASE WHEN findings.state = 'resolved' THEN 'new' ELSE findings.state END, \
           last_seen_at = excluded.last_seen_at, resolved_at = NULL, stale_since = NULL, run_id = excluded.run_id",
};

/// What a run says about findings.
pub(crate) struct Change<'a> {
    pub(crate) results: &'a [CheckResult],
    pub(crate) resolved: &'a [FindingId],
    pub(crate) stale: &'a [CheckId],
    pub(crate) at: Timestamp,
}

/// Applies it within the run's transaction.
pub(crate) async fn apply(
    db: &Db,
    tx: &mut Tx,
    held: &Held,
    change: &Change<'_>,
) -> Result<Committed, StoreError> {
    let mut known: BTreeMap<(String, String), (FindingId, FindingState)> = BTreeMap::new();
    for row in tx.rows(KNOWN, args![&held.instance, held.kind]).await? {
        let state = row.word("state", FindingState::parse)?;
        known.insert((row.get("check_id")?, row.get("resource")?), (row.id("id")?, state));
    }
    let mut done = Committed::default();
    let mut events = Vec::new();

    // Stale first: a finding that failed again or was resolved is not, and the statements after this say so.
    for chunk in change.stale.chunks(CHUNK) {
        let mut s = Select::new("findings::stale", "UPDATE findings SET stale_since = ");
        s.bind(change.at).push(" WHERE stale_since IS NULL AND state <> 'resolved' AND instance_id = ");
        s.bind(&held.instance).push(" AND kind = ").bind(held.kind);
        s.push(" AND check_id IN (").bind_list(chunk.iter());
        let (text, args) = s.finish();
        tx.run(text, args).await?;
    }

    // One row a check and resource: a statement may not touch a row twice.
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for result in change.results.iter().filter(|r| r.outcome == Outcome::Fail) {
        if !seen.insert((result.check.as_str(), &*result.resource)) {
            continue;
        }
        match known.get(&(result.check.as_str().to_owned(), result.resource.to_string())) {
            None => done.opened += 1,
            Some((id, FindingState::Resolved)) => {
                done.reopened += 1;
                events.push(event(db, id, change.at, EventKind::Reopened, None, None));
            }
            Some(_) => {}
        }
        rows.push(upsert(db, held, result, change.at)?);
    }
    tx.insert_many(UPSERT, rows).await?;

    let open: BTreeSet<&FindingId> =
        known.values().filter(|(_, state)| *state != FindingState::Resolved).map(|(id, _)| id).collect();
    let resolved: Vec<&FindingId> = change.resolved.iter().filter(|id| open.contains(id)).collect();
    for chunk in resolved.chunks(CHUNK) {
        let mut s =
            Select::new("findings::resolve", "UPDATE findings SET state = 'resolved', stale_since = NULL, ");
        s.push("exception = NULL, exception_expires_at = NULL, resolved_at = ").bind(change.at);
        // One that failed in this very run is not resolved, whatever is said about it.
        s.push(" WHERE run_id <> ").bind(&held.run);
        s.push(" AND instance_id = ")
            .bind(&held.instance)
            .push(" AND id IN (")
            .bind_list(chunk.iter().copied());
        let (text, args) = s.finish();
        done.resolved += tx.run(text, args).await?;
        events.extend(chunk.iter().map(|id| event(db, id, change.at, EventKind::Resolved, None, None)));
    }
    tx.insert_many(EVENT, events).await?;
    Ok(done)
}

fn upsert(db: &Db, held: &Held, r: &CheckResult, at: Timestamp) -> Result<Vec<Arg>, StoreError> {
    Ok(args![
        db.new_id(at),
        &held.instance,
        &r.check,
        r.revision,
        r.scan,
        &*r.resource,
        &*r.resource_kind,
        rank(r.severity),
        FindingState::New.as_str(),
        &*r.says,
        to_json(&r.evidence)?,
        format!("{} {} {}", r.says, r.resource, r.check).to_lowercase(),
        at,
        at,
        at,
        0i64,
        &held.run,
    ])
}
