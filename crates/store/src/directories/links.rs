//! Whose an account is, said by an operator.

use std::collections::BTreeMap;

use model::id::InstanceId;
use model::identity::IdentityKey;
use model::scan::ScanKind;
use model::time::Timestamp;

use super::WANT_ONE;
use crate::audit::{self, Entry};
use crate::db::{Db, What};
use crate::error::StoreError;
use crate::sql::{Row, args, statements};

statements! {
    PUT = "INSERT INTO account_links (instance_id, account_id, identity_key, identity_name, note, by_name, at) \
           SELECT $1, $2, $3, $4, $5, $6, CAST($7 AS BIGINT) WHERE EXISTS (SELECT 1 FROM accounts WHERE instance_id = $1 AND id = $2) \
           ON CONFLICT (instance_id, account_id) DO UPDATE SET identity_key = excluded.identity_key, \
           identity_name = excluded.identity_name, note = excluded.note, by_name = excluded.by_name, at = excluded.at";
    DROP = "DELETE FROM account_links WHERE instance_id = $1 AND account_id = $2";
    OF = "SELECT account_id, identity_key, identity_name, note, by_name, at FROM account_links WHERE instance_id = $1";
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose.
    pub identity: IdentityKey,
    /// What people call that person.
    pub name: String,
    /// Why.
    pub note: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Links an account, in place of a link that it has, and asks for a scan that judges it.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such account.
pub async fn link(
    db: &Db,
    instance: &InstanceId,
    account: &str,
    link: &Link,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    let key = link.identity.to_string();
    let args = args![instance, account, key, &link.name, &link.note, &link.by, link.at];
    if tx.run(PUT, args).await? == 0 {
        return Err(StoreError::not_found(format_args!("the account {account} of {instance}")));
    }
    tx.run(WANT_ONE, args![instance, link.at]).await?;
    audit::write(db, &mut tx, link.at, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(ScanKind::Accounts));
    Ok(())
}

/// Takes a link away, and asks for a scan that judges the account.
///
/// # Errors
/// [`StoreError::NotFound`] when there is none.
pub async fn unlink(
    db: &Db,
    instance: &InstanceId,
    account: &str,
    now: Timestamp,
    audit: Entry,
) -> Result<(), StoreError> {
    let mut tx = db.0.pool.begin().await?;
    if tx.run(DROP, args![instance, account]).await? == 0 {
        return Err(StoreError::not_found(format_args!("a link of the account {account} of {instance}")));
    }
    tx.run(WANT_ONE, args![instance, now]).await?;
    audit::write(db, &mut tx, now, audit).await?;
    tx.commit().await?;
    db.announce(Some(instance), What::Scan(ScanKind::Accounts));
    Ok(())
}

/// The links of an instance, by the account's id.
///
/// # Errors
/// When the database cannot be read.
pub async fn links_of(db: &Db, instance: &InstanceId) -> Result<BTreeMap<String, Link>, StoreError> {
    let rows = db.0.pool.rows(OF, args![instance]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, read(row)?))).collect()
}

fn read(row: &Row) -> Result<Link, StoreError> {
    let key: String = row.get("identity_key")?;
    let identity = IdentityKey::parse(&key)
        .ok_or_else(|| StoreError::unreadable(format_args!("column identity_key: {key:?}")))?;
    Ok(Link {
        identity,
        name: row.get("identity_name")?,
        note: row.get("note")?,
        by: row.get("by_name")?,
        at: row.time("at")?,
    })
}
