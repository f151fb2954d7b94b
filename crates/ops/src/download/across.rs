//! Lists over all applications as files: people, third parties, users of plugins, exceptions.

use model::id::FindingId;
use model::view::{Actor, ExceptionsQuery, Known, PartiesQuery, PeopleQuery, PluginUsersQuery};
use serde_json::{Value, json};
use store::plugins::across;
use store::{Stretch, findings, people};

use super::{Export, Format, Later, STRETCH, groups, paged, table, walked};
use crate::Ops;
use crate::inventory_across::{
    party_filter, party_order, party_row, people_filter, people_order, user_filter, user_order,
};
use crate::refusal::{Result, store as from_store};

/// A row as the page has it, the columns in order.
fn of(columns: &[&str], values: Vec<Value>) -> Value {
    columns.iter().map(|c| (*c).to_owned()).zip(values).collect()
}

const PEOPLE: [&str; 8] =
    ["identity", "name", "accounts", "applications", "privileged", "active", "deactivated", "worst_severity"];
const PARTIES: [&str; 12] = [
    "name",
    "kind",
    "publisher",
    "grade",
    "plugins",
    "applications",
    "users",
    "not_reviewed",
    "revoked_and_still_there",
    "with_findings",
    "first_seen_at",
    "last_used_at",
];
const USERS: [&str; 9] = [
    "application",
    "product",
    "tenant",
    "user",
    "account",
    "identity_name",
    "plugins",
    "not_reviewed",
    "grade",
];
const EXCEPTIONS: [&str; 13] = [
    "id",
    "application",
    "product",
    "check",
    "title",
    "severity",
    "resource",
    "says",
    "reason",
    "approver",
    "entered_by",
    "entered_at",
    "ends_at",
];

/// A value of the tenant: what is not known says so.
fn known<T>(value: &Known<T>, told: impl Fn(&T) -> Value) -> Value {
    match value {
        Known::Is(value) => told(value),
        Known::Absent => Value::Null,
        Known::Unknown => json!({ "$unknown": true }),
    }
}

fn text(value: &Known<String>) -> Value {
    known(value, |text| json!(text))
}

impl Ops {
    /// The people that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_people(&self, _actor: &Actor, query: &PeopleQuery, format: Format) -> Result<Export> {
        let (filter, (column, order), ops) = (people_filter(query), people_order(query), self.clone());
        let read = move |after: Option<String>| -> Later<(Vec<Value>, Option<String>)> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = people::list(ops.db(), &filter, column, order, groups(after.as_deref())).await;
                let page = page.map_err(from_store)?;
                let row = |p: people::Person| {
                    let severity = p.worst.map(model::finding::Severity::as_str);
                    let values = vec![
                        json!(p.key.to_string()),
                        json!(p.name),
                        json!(p.accounts),
                        json!(p.instances),
                        json!(p.privileged),
                        json!(p.active),
                        json!(p.deactivated),
                        json!(severity),
                    ];
                    of(&PEOPLE, values)
                };
                Ok((page.rows.into_iter().map(row).collect(), page.next))
            })
        };
        Ok(table(format, &PEOPLE, paged(read)))
    }

    /// The third parties that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_parties(
        &self,
        _actor: &Actor,
        query: &PartiesQuery,
        format: Format,
    ) -> Result<Export> {
        let (filter, (column, order), ops) = (party_filter(query), party_order(query), self.clone());
        let read = move |after: Option<String>| -> Later<(Vec<Value>, Option<String>)> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = across::list(ops.db(), &filter, column, order, groups(after.as_deref())).await;
                let page = page.map_err(from_store)?;
                let row = |p: across::Party| {
                    let p = party_row(p);
                    let values = vec![
                        json!(p.name),
                        text(&p.kind),
                        text(&p.publisher),
                        text(&p.grade),
                        json!(p.plugins),
                        json!(p.instances),
                        json!(p.users),
                        json!(p.unreviewed),
                        json!(p.revoked),
                        json!(p.with_findings),
                        json!(p.first_seen_at),
                        known(&p.last_used_at, |at| json!(at)),
                    ];
                    of(&PARTIES, values)
                };
                Ok((page.rows.into_iter().map(row).collect(), page.next))
            })
        };
        Ok(table(format, &PARTIES, paged(read)))
    }

    /// The users of plugins that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_plugin_users(
        &self,
        _actor: &Actor,
        query: &PluginUsersQuery,
        format: Format,
    ) -> Result<Export> {
        let (filter, (column, order), ops) = (user_filter(query), user_order(query), self.clone());
        let read = move |after: Option<String>| -> Later<(Vec<Value>, Option<String>)> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let page = across::users(ops.db(), &filter, column, order, groups(after.as_deref())).await;
                let page = page.map_err(from_store)?;
                let row = |user: across::User| {
                    let u = ops.plugin_user_row(user);
                    let values = vec![
                        json!(u.instance.name),
                        json!(u.instance.app_name),
                        json!(u.instance.tenant),
                        json!(u.user),
                        json!(u.account),
                        json!(u.person.map(|(_, name)| name)),
                        json!(u.plugins),
                        json!(u.unreviewed),
                        text(&u.grade),
                    ];
                    of(&USERS, values)
                };
                Ok((page.rows.into_iter().map(row).collect(), page.next))
            })
        };
        Ok(table(format, &USERS, paged(read)))
    }

    /// The exceptions that the filter leaves.
    ///
    /// # Errors
    /// As [`Ops::export_findings`].
    pub async fn export_exceptions(
        &self,
        _actor: &Actor,
        query: &ExceptionsQuery,
        format: Format,
    ) -> Result<Export> {
        let filter = crate::exceptions::filter(query, self.now());
        let (column, order) = crate::exceptions::order(query);
        let (ops, wanted) = (self.clone(), filter.clone());
        let ids = move |after: Option<String>| -> Later<Stretch<FindingId>> {
            let (ops, wanted) = (ops.clone(), wanted.clone());
            Box::pin(async move {
                let stretch =
                    findings::ids(ops.db(), &wanted, column, order, after.as_deref(), STRETCH).await;
                stretch.map_err(from_store)
            })
        };
        let ops = self.clone();
        let rows = move |ids: Vec<FindingId>| -> Later<Vec<Value>> {
            let (ops, filter) = (ops.clone(), filter.clone());
            Box::pin(async move {
                let found = findings::of_ids(ops.db(), &filter, &ids).await.map_err(from_store)?;
                Ok(found.into_iter().filter_map(|f| exception_line(&ops, f)).collect())
            })
        };
        Ok(table(format, &EXCEPTIONS, walked(ids, rows)))
    }
}

/// `None`: the exception has ended since.
fn exception_line(ops: &Ops, f: findings::Finding) -> Option<Value> {
    let exception = crate::exceptions::view(&f)?;
    let (at, by) = exception.entered.unzip();
    let f = ops.finding_row(f);
    let values = vec![
        json!(f.id.as_str()),
        json!(f.instance.name),
        json!(f.instance.app_name),
        json!(f.check.as_str()),
        json!(f.title),
        json!(f.severity),
        json!(f.resource),
        json!(f.says),
        json!(exception.reason),
        json!(exception.approver),
        json!(by),
        json!(at),
        json!(exception.ends_at),
    ];
    Some(of(&EXCEPTIONS, values))
}
