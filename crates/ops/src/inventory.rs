//! Accounts and plugins: the lists and one of each.

use std::collections::BTreeMap;

use model::finding::{CheckTally, FindingState};
use model::id::{FindingId, InstanceId};
use model::identity::Match;
use model::scan::ScanKind;
use model::value::{Record, Shape, Value};
use model::view::{
    AccountPage, AccountRow, AccountsPage, AccountsQuery, Actor, FieldRow, Known, Link, NextStep, PluginPage,
    PluginRow, PluginsPage, PluginsQuery, Review, RiskTag, Role, ScopeView,
};
use store::findings::{self, Finding};
use store::{accounts, plugins};

use crate::findings::OPEN;
use crate::identities::whose;
use crate::lists::{ROWS, empty, facet, known_bool, known_text, known_time, paging, plain, sort};
use crate::refusal::{Result, internal, store as from_store};
use crate::reviews::{GRADES, PLUGIN_KINDS, review_view};
use crate::{Ops, lists};

impl Ops {
    /// The Accounts list, of all applications or of one.
    ///
    /// # Errors
    /// A cursor that cannot be used, or an application that is gone.
    pub async fn accounts(&self, _actor: &Actor, query: &AccountsQuery) -> Result<AccountsPage> {
        let wanted = account_filter(query);
        let (column, direction) = account_order(query);
        let page = accounts::list(self.db(), &wanted, column, direction, lists::cut(&query.cut, ROWS)?)
            .await
            .map_err(from_store)?;
        let all = accounts::Filter { instance: query.instance.clone(), ..Default::default() };
        let unfiltered = if all == wanted {
            page.total
        } else {
            accounts::count(self.db(), &all).await.map_err(internal)?
        };
        let paging = paging(&page, unfiltered);
        let risks =
            self.risks(ScanKind::Accounts, page.rows.iter().map(|a| (&a.instance, a.id.as_str()))).await?;
        let rows = page.rows.into_iter().map(|a| self.account_row(a, &risks)).collect();
        Ok(AccountsPage {
            now: self.now(),
            header: self.heading(query.instance.as_ref())?,
            notices: self.notices(ScanKind::Accounts, query.instance.as_ref()).await?,
            identity_lack: self.identity_lack().await?,
            facets: self.account_facets(query),
            rows,
            empty: empty(
                &paging,
                &self.nothing_read(ScanKind::Accounts, query.instance.as_ref()),
                next(query.instance.as_ref()),
            ),
            paging,
        })
    }

    fn account_facets(&self, query: &AccountsQuery) -> Vec<model::view::Facet> {
        let privileged = query.privileged.map(|p| if p { "true" } else { "false" });
        let mut facets = vec![
            facet("risk", "Risk", query.risk.as_deref(), &[("risky", "With open findings")]),
            facet(
                "identity",
                "Identity provider",
                query.identity.map(Match::as_str),
                &[
                    ("matched", "Known there"),
                    ("deactivated", "Deactivated there"),
                    ("unmatched", "Not known there"),
                    ("unknown", "Cannot be told"),
                ],
            ),
            facet(
                "kind",
                "Kind",
                query.kind.as_deref(),
                &[("human", "Person"), ("service", "Service"), ("bot", "Bot")],
            ),
            facet(
                "state",
                "State",
                query.state.as_deref(),
                &[
                    ("active", "Active"),
                    ("suspended", "Suspended"),
                    ("invited", "Invited"),
                    ("expired", "Expired"),
                ],
            ),
            facet("privileged", "Privileged", privileged, &[("true", "Yes"), ("false", "No")]),
        ];
        if query.instance.is_none() {
            facets.push(self.app_facet(query.app.as_ref()));
        }
        facets
    }

    /// What limits what can be said: questions about accounts or plugins that could not be judged, and why.
    async fn notices(&self, kind: ScanKind, instance: Option<&InstanceId>) -> Result<Vec<String>> {
        let mut notices = Vec::new();
        for member in self.0.fleet.all() {
            if instance.is_some_and(|i| i != member.id()) {
                continue;
            }
            let Some(scan) = member.row.scan(kind) else { continue };
            let name = &member.row.instance.name;
            let failing = scan.facts.failing_since.is_some() && scan.facts.enablement.is_enabled();
            if let (true, Some(at)) = (failing, scan.facts.last_success_at) {
                notices.push(format!(
                    "{name}: the latest {} did not succeed; this list is as of {}.",
                    kind.title(),
                    model::words::plain_instant(at, self.now())
                ));
            }
            if instance.is_some() {
                let tallies = store::runs::tallies(self.db(), member.id()).await.map_err(internal)?;
                let mut reasons: Vec<String> = tallies
                    .into_iter()
                    .filter(|t| t.kind == kind && t.tally.inconclusive > 0)
                    .filter_map(|t| self.unjudged_notice(&member, &t.tally))
                    .collect();
                reasons.dedup();
                notices.append(&mut reasons);
            }
        }
        Ok(notices)
    }

    fn unjudged_notice(&self, member: &crate::fleet::Member, tally: &CheckTally) -> Option<String> {
        let check = member.app.as_ref()?.checks.iter().find(|c| c.id == tally.check)?;
        let reason = tally.reason.as_deref().unwrap_or("the answer could not be read");
        Some(format!(
            "\u{201c}{}\u{201d} could not be judged for {} of them: {reason}",
            check.title,
            model::words::count(tally.inconclusive)
        ))
    }

    pub(crate) fn nothing_read(&self, kind: ScanKind, instance: Option<&InstanceId>) -> String {
        let what = if kind == ScanKind::Accounts { "accounts" } else { "plugins" };
        let members: Vec<_> =
            self.0.fleet.all().into_iter().filter(|m| instance.is_none_or(|i| i == m.id())).collect();
        let of = |test: &dyn Fn(&model::health::ScanFacts) -> bool| {
            members.iter().filter_map(|m| m.row.scan(kind)).any(|s| test(&s.facts))
        };
        if members.is_empty() {
            format!("No application is onboarded yet, so there are no {what}.")
        } else if !of(&|_| true) {
            format!("Parapet does not read {what} of this application.")
        } else if of(&|s| s.last_success_at.is_some()) {
            format!("The latest complete scan found no {what}.")
        } else if of(&|s| s.enablement.is_enabled()) {
            format!("No {} has succeeded yet, so nothing is known about {what}.", kind.title())
        } else {
            format!("The {} is not enabled: the credential lacks permissions for it.", kind.title())
        }
    }

    pub(crate) async fn risks<'a>(
        &self,
        kind: ScanKind,
        rows: impl Iterator<Item = (&'a InstanceId, &'a str)>,
    ) -> Result<BTreeMap<(InstanceId, String), Vec<RiskTag>>> {
        let mut by_instance: BTreeMap<InstanceId, Vec<String>> = BTreeMap::new();
        for (instance, id) in rows {
            by_instance.entry(instance.clone()).or_default().push(id.to_owned());
        }
        let mut tags: BTreeMap<(InstanceId, String), Vec<RiskTag>> = BTreeMap::new();
        for (instance, ids) in by_instance {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            for f in findings::of_resources(self.db(), &instance, kind, &ids).await.map_err(internal)? {
                tags.entry((instance.clone(), f.resource.clone())).or_default().push(tag(&f));
            }
        }
        for list in tags.values_mut() {
            list.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.says.cmp(&b.says)));
        }
        Ok(tags)
    }

    pub(crate) fn account_row(
        &self,
        a: accounts::Account,
        risks: &BTreeMap<(InstanceId, String), Vec<RiskTag>>,
    ) -> AccountRow {
        let shape = &model::account::SHAPE;
        let get = |name: &str| a.record.get(shape, name);
        AccountRow {
            instance: self.instance_ref(&a.instance, &a.instance_name, &a.app),
            username: match get("username") {
                Value::String(name) => name.to_string(),
                _ => a.id.clone(),
            },
            display_name: known_text(get("display_name")),
            email: known_text(get("email")),
            kind: known_text(get("kind")),
            state: known_text(get("state")),
            role: known_text(get("role")),
            privileged: known_bool(get("privileged")),
            external: known_bool(get("external")),
            second_factor: known_bool(get("second_factor")),
            whose: whose(&a.record),
            last_active_at: known_time(get("last_active_at")),
            risks: risks.get(&(a.instance.clone(), a.id.clone())).cloned().unwrap_or_default(),
            first_seen_at: a.first_seen_at,
            last_seen_at: a.last_seen_at,
            stale_since: a.stale_since,
            id: a.id,
        }
    }

    /// One account. `look_for`: a text by which to look for its person; `None`: its own address.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn account(
        &self,
        actor: &Actor,
        instance: &InstanceId,
        id: &str,
        look_for: Option<&str>,
    ) -> Result<AccountPage> {
        let account = accounts::get(self.db(), instance, id).await.map_err(from_store)?;
        let found = self.open_findings_of(instance, ScanKind::Accounts, id).await?;
        let risks = BTreeMap::from([((instance.clone(), id.to_owned()), found.iter().map(tag).collect())]);
        let shape = &model::account::SHAPE;
        let own = account.record.get(shape, "email").as_str();
        let own = own.or_else(|| account.record.get(shape, "username").as_str());
        let looked_for = look_for.or(own).unwrap_or_default().to_owned();
        // Whoever is matched is looked for only when somebody asks.
        let undecided = look_for.is_some() || account.record.get(shape, "identity").as_str().is_none();
        let choices = if undecided { self.identity_choices(&looked_for).await? } else { Vec::new() };
        let excepted = self.identity_findings(instance, id, &[FindingState::Suppressed]).await?;
        let mut told = fields(shape, &account.record);
        told.truncate(told.len() - model::account::MATCHED.len());
        Ok(AccountPage {
            now: self.now(),
            fields: told,
            console: console(shape, &account.record, "Open the account at the vendor"),
            account: self.account_row(account, &risks),
            link: self.link_of(instance, id).await?,
            looked_for,
            choices,
            known_until: excepted.iter().filter_map(crate::exceptions::view).collect(),
            identity_findings: self.identity_findings(instance, id, &OPEN).await?.len() as u64,
            findings: found.into_iter().map(|f| self.finding_row(f)).collect(),
            may_change: actor.role == Role::Admin,
        })
    }

    async fn open_findings_of(
        &self,
        instance: &InstanceId,
        kind: ScanKind,
        id: &str,
    ) -> Result<Vec<Finding>> {
        findings::of_resources(self.db(), instance, kind, &[id]).await.map_err(internal)
    }

    /// The Plugins list, of all applications or of one.
    ///
    /// # Errors
    /// A cursor that cannot be used, or an application that is gone.
    pub async fn plugins(&self, _actor: &Actor, query: &PluginsQuery) -> Result<PluginsPage> {
        let wanted = plugin_filter(query);
        let (column, direction) = plugin_order(query);
        let page = plugins::list(self.db(), &wanted, column, direction, lists::cut(&query.cut, ROWS)?)
            .await
            .map_err(from_store)?;
        let all = plugins::Filter { instance: query.instance.clone(), ..Default::default() };
        let unfiltered = plugins::count(self.db(), &all).await.map_err(internal)?;
        let paging = paging(&page, unfiltered);
        let risks =
            self.risks(ScanKind::Plugins, page.rows.iter().map(|p| (&p.instance, p.id.as_str()))).await?;
        let reviews = Review::ALL.map(|r| (r.as_str(), r.title()));
        let mut facets = vec![
            facet("review", "Review", query.review.map(Review::as_str), &reviews),
            facet("grade", "Access", query.grade.as_deref(), &GRADES),
            facet("kind", "Kind", query.kind.as_deref(), &PLUGIN_KINDS),
            facet("risk", "Risk", query.risk.as_deref(), &[("risky", "With open findings")]),
        ];
        if query.instance.is_none() {
            facets.push(self.app_facet(query.app.as_ref()));
        }
        Ok(PluginsPage {
            now: self.now(),
            header: self.heading(query.instance.as_ref())?,
            notices: self.notices(ScanKind::Plugins, query.instance.as_ref()).await?,
            facets,
            rows: page.rows.into_iter().map(|p| self.plugin_row(p, &risks)).collect(),
            empty: empty(
                &paging,
                &self.nothing_read(ScanKind::Plugins, query.instance.as_ref()),
                next(query.instance.as_ref()),
            ),
            paging,
        })
    }

    fn plugin_row(
        &self,
        p: plugins::Plugin,
        risks: &BTreeMap<(InstanceId, String), Vec<RiskTag>>,
    ) -> PluginRow {
        let shape = &model::plugin::SHAPE;
        let get = |name: &str| p.record.get(shape, name);
        PluginRow {
            instance: self.instance_ref(&p.instance, &p.instance_name, &p.app),
            name: match get("name") {
                Value::String(name) => name.to_string(),
                _ => p.id.clone(),
            },
            kind: known_text(get("kind")),
            publisher: known_text(get("publisher")),
            publisher_verified: known_bool(get("publisher_verified")),
            level: known_text(get("level")),
            reach: known_text(get("reach")),
            grade: known_text(get("grade")),
            users: match get("users") {
                Value::List(list) if list.complete => Known::Is(list.items.len() as u64),
                Value::Null => Known::Absent,
                _ => Known::Unknown,
            },
            active: known_bool(get("active")),
            last_used_at: known_time(get("last_used_at")),
            expires_at: known_time(get("expires_at")),
            risks: risks.get(&(p.instance.clone(), p.id.clone())).cloned().unwrap_or_default(),
            review: review_view(&p),
            first_seen_at: p.first_seen_at,
            last_seen_at: p.last_seen_at,
            stale_since: p.stale_since,
            id: p.id,
        }
    }

    /// One plugin.
    ///
    /// # Errors
    /// When there is no such plugin.
    pub async fn plugin(&self, actor: &Actor, instance: &InstanceId, id: &str) -> Result<PluginPage> {
        let plugin = plugins::get(self.db(), instance, id).await.map_err(from_store)?;
        let found = self.open_findings_of(instance, ScanKind::Plugins, id).await?;
        let risks = BTreeMap::from([((instance.clone(), id.to_owned()), found.iter().map(tag).collect())]);
        let shape = &model::plugin::SHAPE;
        let users = match plugin.record.get(shape, "users") {
            Value::List(list) => list.items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let same = plugins::Filter { same: Some(plugin.same.clone()), ..Default::default() };
        let first = store::Cut::first(ROWS);
        let elsewhere =
            plugins::list(self.db(), &same, plugins::Sort::Instance, store::Order::Ascending, first)
                .await
                .map_err(internal)?;
        let other = |p: &plugins::Plugin| p.instance != *instance || p.id != id;
        let elsewhere = elsewhere.rows.into_iter().filter(other);
        Ok(PluginPage {
            now: self.now(),
            users,
            elsewhere: elsewhere.map(|p| self.plugin_row(p, &BTreeMap::new())).collect(),
            may_change: actor.role == Role::Admin,
            scopes: self.scopes(&plugin),
            fields: fields(shape, &plugin.record),
            console: console(shape, &plugin.record, "Review or revoke it at the vendor"),
            plugin: self.plugin_row(plugin, &risks),
            findings: found.into_iter().map(|f| self.finding_row(f)).collect(),
        })
    }

    /// What it may do, worst first; `None` when the application did not tell.
    fn scopes(&self, plugin: &plugins::Plugin) -> Option<Vec<ScopeView>> {
        let Value::List(list) = plugin.record.get(&model::plugin::SHAPE, "scopes") else { return None };
        let grades = self.0.catalog.apps.get(&plugin.app).map(|a| &a.scopes);
        let mut scopes: Vec<(u8, ScopeView)> = list
            .items
            .iter()
            .filter_map(Value::as_str)
            .map(|id| {
                let graded = grades.and_then(|g| g.get(id));
                let rank = graded.map_or(3, |g| 2 - g.grade as u8);
                let grade = graded.map_or(Known::Unknown, |g| Known::Is(g.grade.as_str().to_owned()));
                let says = graded.map(|g| g.says.clone()).unwrap_or_default();
                (rank, ScopeView { id: id.to_owned(), grade, says })
            })
            .collect();
        scopes.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        Some(scopes.into_iter().map(|(_, s)| s).collect())
    }
}

fn tag(f: &Finding) -> RiskTag {
    RiskTag { finding: FindingId::clone(&f.id), severity: f.severity, says: f.says.clone() }
}

fn next(instance: Option<&InstanceId>) -> NextStep {
    instance.map_or(NextStep::AddApplication, |id| NextStep::OpenSettings(id.clone()))
}

pub(crate) fn account_filter(query: &AccountsQuery) -> accounts::Filter {
    accounts::Filter {
        instance: query.instance.clone(),
        app: query.app.clone(),
        account_kind: query.kind.clone(),
        state: query.state.clone(),
        privileged: query.privileged,
        identity: query.identity,
        with_findings: query.risk.as_deref().filter(|r| *r == "risky").map(|_| true),
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
        ..Default::default()
    }
}

pub(crate) fn account_order(query: &AccountsQuery) -> (accounts::Sort, store::Order) {
    let (column, order) = sort(&query.cut);
    match column {
        Some("username") => (accounts::Sort::Username, order),
        Some("last_active") => (accounts::Sort::LastActive, order),
        // The riskiest first is the natural order.
        _ => (accounts::Sort::Findings, lists::reversed(order)),
    }
}

/// The order of a file. It does not hold the number of findings, by which the page is sorted unless told otherwise, and no
/// index does: such a file goes by user name.
pub(crate) fn exported_order(query: &AccountsQuery) -> (accounts::Sort, store::Order) {
    match account_order(query) {
        (accounts::Sort::Findings, _) => (accounts::Sort::Username, store::Order::Ascending),
        asked => asked,
    }
}

pub(crate) fn plugin_filter(query: &PluginsQuery) -> plugins::Filter {
    plugins::Filter {
        instance: query.instance.clone(),
        app: query.app.clone(),
        plugin_kind: query.kind.clone(),
        grade: query.grade.clone(),
        review: query.review,
        same: query.same.clone(),
        user: query.user.clone(),
        with_findings: query.risk.as_deref().filter(|r| *r == "risky").map(|_| true),
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
        ..Default::default()
    }
}

pub(crate) fn plugin_order(query: &PluginsQuery) -> (plugins::Sort, store::Order) {
    let (column, order) = sort(&query.cut);
    let column = match column {
        Some("name") => plugins::Sort::Name,
        Some("last_used") => plugins::Sort::LastUsed,
        Some("first_seen") => plugins::Sort::FirstSeen,
        // The natural order is the widest access first.
        _ => return (plugins::Sort::Grade, lists::reversed(order)),
    };
    (column, order)
}

/// Every field the canonical shape has: what is unknown is said to be unknown, not left out.
fn fields(shape: &Shape, record: &Record) -> Vec<FieldRow> {
    shape
        .fields
        .iter()
        .zip(record.values.iter())
        .filter(|(f, _)| f.name != "console_url")
        .map(|(f, v)| FieldRow {
            name: crate::findings::capital(&f.name.replace('_', " ")),
            value: match v {
                Value::Unknown => Known::Unknown,
                Value::Null => Known::Absent,
                v => Known::Is(plain(v)),
            },
        })
        .collect()
}

/// Only https leaves Parapet: the address comes from the tenant.
fn console(shape: &Shape, record: &Record, title: &str) -> Option<Link> {
    let href = record.get(shape, "console_url").as_str()?;
    href.starts_with("https://").then(|| Link { title: title.to_owned(), href: href.to_owned() })
}
