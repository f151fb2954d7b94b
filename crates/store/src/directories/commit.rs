//! What the reading of an identity provider does to others, within the run's transaction.

use std::collections::{BTreeMap, BTreeSet};

use model::account::SHAPE;
use model::id::InstanceId;
use model::identity::State;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};

use super::{BUMP, WANT_ONE, want_all};
use crate::dialect;
use crate::error::StoreError;
use crate::runs::{Commit, Subjects};
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

/// What there is to do about identity providers, before a run is stored.
pub(crate) struct Begun {
    /// `None`: this run reads no identity provider.
    reading: Option<Reading>,
    /// Whether identity providers know something else than what its accounts were judged by.
    outdated: bool,
}

/// An identity provider whose accounts are about to be stored.
struct Reading {
    /// Whether it could be believed before.
    usable: bool,
    /// Who was live, and under which key accounts are theirs.
    live: BTreeMap<String, Option<String>>,
}

/// Before anything else of the transaction. From here to its end no identity provider changes: whichever changed before is
/// noticed here, and whichever changes next finds these accounts stored.
pub(crate) async fn begin(tx: &mut Tx, held: &Held, commit: &Commit<'_>) -> Result<Begun, StoreError> {
    if held.kind != ScanKind::Accounts {
        return Ok(Begun { reading: None, outdated: false });
    }
    let at = commit.finish.run.finished_at;
    let (reading, version) = match tx.row(OF_INSTANCE, args![&held.instance]).await? {
        None => (None, dialect::directories_version(tx).await?),
        Some(row) => {
            let max_age = Duration(row.get("max_age_ms")?);
            let usable = row.time_opt("complete_at")?.is_some_and(|complete_at| at - complete_at <= max_age);
            tx.run(BUMP, Vec::new()).await?;
            let version = dialect::directories_version(tx).await? - 1;
            let mut live = BTreeMap::new();
            for row in tx.rows(LIVE, args![&held.instance]).await? {
                live.insert(row.get("id")?, row.get("identity_key")?);
            }
            (Some(Reading { usable, live }), version)
        }
    };
    Ok(Begun { reading, outdated: commit.judged_by.is_some_and(|judged_by| judged_by != version) })
}

impl Begun {
    /// Whether the run reads an identity provider.
    pub(crate) fn is_read(&self) -> bool {
        self.reading.is_some()
    }

    /// After the accounts are stored: asks for them once more where they were judged by what is not known any more. The instances
    /// whose scans are wanted because of what an identity provider said.
    pub(crate) async fn end(
        &self,
        tx: &mut Tx,
        held: &Held,
        read: Subjects<'_>,
        commit: &Commit<'_>,
    ) -> Result<Vec<InstanceId>, StoreError> {
        if self.outdated && !read.records.is_empty() {
            tx.run(WANT_ONE, args![&held.instance, commit.now]).await?;
        }
        match &self.reading {
            Some(reading) => reading.end(tx, held, read, commit.finish.run.finished_at).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Reading {
    /// Notes that it is whole, and asks for scans where its people have accounts who are not live any more; of everybody, where
    /// it could not be believed before.
    async fn end(
        &self,
        tx: &mut Tx,
        held: &Held,
        read: Subjects<'_>,
        at: Timestamp,
    ) -> Result<Vec<InstanceId>, StoreError> {
        if read.complete {
            tx.run(COMPLETE, args![&held.instance, at]).await?;
            if !self.usable {
                return want_all(tx, held.instance.as_str(), at).await;
            }
        }
        let keys = self.over(held, read);
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

    /// Keys of those who were live and are not any more.
    fn over(&self, held: &Held, read: Subjects<'_>) -> Vec<String> {
        let states: BTreeMap<&str, Option<State>> = read
            .records
            .iter()
            .filter_map(|record| {
                let state = record.get(&SHAPE, "state").as_str().and_then(State::parse);
                Some((record.get(&SHAPE, "id").as_str()?, state))
            })
            .collect();
        let mut keys = BTreeSet::new();
        for (id, key) in &self.live {
            let over = match states.get(id.as_str()) {
                Some(state) => state.is_some_and(|state| !state.is_live()),
                None => read.complete,
            };
            if over {
                keys.insert(format!("{}/{id}", held.instance));
                keys.extend(key.clone());
            }
        }
        keys.into_iter().collect()
    }
}
