//! What the reading of an identity provider does to others, within the run's transaction.

use std::collections::{BTreeMap, BTreeSet};

use model::account::SHAPE;
use model::id::InstanceId;
use model::identity::State;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};

use super::{BUMP, want_all};
use crate::error::StoreError;
use crate::runs::Subjects;
use crate::scans::Held;
use crate::sql::{Select, Tx, args, statements};

statements! {
    OF_INSTANCE = "SELECT complete_at, max_age_ms FROM directories WHERE instance_id = $1";
    LIVE = "SELECT id, identity_key FROM accounts WHERE instance_id = $1 AND gone_at IS NULL \
            AND (state IS NULL OR state IN ('active', 'invited'))";
    COMPLETE = "UPDATE directories SET complete_at = $2 WHERE instance_id = $1";
}

/// Keys in one statement.
const CHUNK: usize = 500;

/// An identity provider whose accounts are about to be stored.
pub(crate) struct Reading {
    /// Whether it could be believed before.
    usable: bool,
    /// Who was live, and under which key accounts are theirs.
    live: BTreeMap<String, Option<String>>,
}

/// Before anything else of the transaction. `None`: this run reads no identity provider.
pub(crate) async fn begin(tx: &mut Tx, held: &Held, at: Timestamp) -> Result<Option<Reading>, StoreError> {
    if held.kind != ScanKind::Accounts {
        return Ok(None);
    }
    let Some(row) = tx.row(OF_INSTANCE, args![&held.instance]).await? else { return Ok(None) };
    let max_age = Duration(row.get("max_age_ms")?);
    let usable = row.time_opt("complete_at")?.is_some_and(|complete_at| at - complete_at <= max_age);
    tx.run(BUMP, Vec::new()).await?;
    let mut live = BTreeMap::new();
    for row in tx.rows(LIVE, args![&held.instance]).await? {
        live.insert(row.get("id")?, row.get("identity_key")?);
    }
    Ok(Some(Reading { usable, live }))
}

/// After the accounts are stored: notes that it is whole, and asks for scans where its people have accounts who are not live
/// any more; of everybody, where it could not be believed before. The instances whose scans are wanted.
pub(crate) async fn end(
    tx: &mut Tx,
    held: &Held,
    reading: &Reading,
    read: Subjects<'_>,
    at: Timestamp,
) -> Result<Vec<InstanceId>, StoreError> {
    if read.complete {
        tx.run(COMPLETE, args![&held.instance, at]).await?;
        if !reading.usable {
            return want_all(tx, held.instance.as_str(), at).await;
        }
    }
    let states: BTreeMap<&str, Option<State>> = read
        .records
        .iter()
        .filter_map(|record| {
            let state = record.get(&SHAPE, "state").as_str().and_then(State::parse);
            Some((record.get(&SHAPE, "id").as_str()?, state))
        })
        .collect();
    let mut keys = BTreeSet::new();
    for (id, key) in &reading.live {
        let over = match states.get(id.as_str()) {
            Some(state) => state.is_some_and(|state| !state.is_live()),
            None => read.complete,
        };
        if over {
            keys.insert(format!("{}/{id}", held.instance));
            keys.extend(key.clone());
        }
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let mut wanted = BTreeSet::new();
    for chunk in keys.chunks(CHUNK) {
        let mut s = Select::new(
            "directories::want_of_keys",
            "UPDATE scans SET wanted_at = CASE WHEN wanted_at IS NULL OR wanted_at > ",
        );
        s.bind(at)
            .push(" THEN ")
            .bind(at)
            .push(" ELSE wanted_at END WHERE kind = 'accounts' AND enabled = TRUE ");
        s.push("AND instance_id <> ").bind(&held.instance);
        s.push(" AND instance_id IN (SELECT a.instance_id FROM accounts a WHERE a.gone_at IS NULL ");
        s.push("AND a.identity_key IN (").bind_list(chunk.iter()).push(") RETURNING instance_id");
        let (text, args) = s.finish();
        for row in tx.rows(text, args).await? {
            wanted.insert(row.id::<InstanceId>("instance_id")?);
        }
    }
    Ok(wanted.into_iter().collect())
}
