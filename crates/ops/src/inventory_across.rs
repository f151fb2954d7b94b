//! Accounts by person, and plugins over all applications and by user.

use model::id::InstanceId;
use model::identity::IdentityKey;
use model::scan::ScanKind;
use model::value::Value;
use model::view::{
    Actor, IdentityFacts, Known, NextStep, PartiesPage, PartiesQuery, PartyRow, PeoplePage, PeopleQuery,
    PersonPage, PersonRow, PluginUserRow, PluginUsersPage, PluginUsersQuery, Review,
};
use serde_json::json;
use store::plugins::across;
use store::{Order, accounts, directories, people, plugins};

use crate::lists::{self, ROWS, empty, facet, known_text, paging, sort};
use crate::refusal::{Result, internal, invalid, must_be_admin, not_found, store as from_store};
use crate::reviews::{GRADES, PLUGIN_KINDS};
use crate::{Ops, audit};

/// Accounts of one person that a page shows; more are in the list, filtered by the person.
const ACCOUNTS: u32 = 200;

pub(crate) fn people_filter(query: &PeopleQuery) -> people::Filter {
    people::Filter {
        app: query.app.clone(),
        deactivated: query.deactivated,
        with_findings: query.risky,
        privileged: query.privileged,
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
    }
}

pub(crate) fn people_order(query: &PeopleQuery) -> (people::Sort, Order) {
    let (column, order) = sort(&query.cut);
    match column {
        Some("name") => (people::Sort::Name, order),
        Some("accounts") => (people::Sort::Accounts, order),
        // The riskiest first is the natural order.
        _ => (people::Sort::Risk, lists::reversed(order)),
    }
}

pub(crate) fn party_filter(query: &PartiesQuery) -> across::Filter {
    across::Filter {
        app: query.app.clone(),
        owner: None,
        plugin_kind: query.kind.clone(),
        grade: query.grade.clone(),
        review: query.review,
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
    }
}

pub(crate) fn party_order(query: &PartiesQuery) -> (across::Sort, Order) {
    let (column, order) = sort(&query.cut);
    match column {
        Some("name") => (across::Sort::Name, order),
        Some("applications") => (across::Sort::Instances, order),
        Some("first_seen") => (across::Sort::FirstSeen, order),
        // The widest access first is the natural order.
        _ => (across::Sort::Grade, lists::reversed(order)),
    }
}

impl Ops {
    /// The list Accounts by person.
    ///
    /// # Errors
    /// A cursor that cannot be used.
    pub async fn people(&self, _actor: &Actor, query: &PeopleQuery) -> Result<PeoplePage> {
        let (column, direction) = people_order(query);
        let page =
            people::list(self.db(), &people_filter(query), column, direction, lists::cut(&query.cut, ROWS)?)
                .await
                .map_err(from_store)?;
        let unfiltered = people::count(self.db(), &people::Filter::default()).await.map_err(internal)?;
        let paging = paging(&page, unfiltered);
        let lack = self.identity_lack().await?;
        let says = lack.clone().unwrap_or_else(|| {
            "No account has been matched with a person yet: the scans that judge them have not finished."
                .to_owned()
        });
        let flag = |value: Option<bool>| value.map(|v| if v { "yes" } else { "no" });
        let yes_no = [("yes", "Yes"), ("no", "No")];
        let mut rows = Vec::new();
        for person in page.rows {
            rows.push(self.person_row(person).await?);
        }
        Ok(PeoplePage {
            now: self.now(),
            notices: if unfiltered > 0 { lack.into_iter().collect() } else { Vec::new() },
            facets: vec![
                facet("deactivated", "Deactivated", flag(query.deactivated), &yes_no),
                facet("risky", "Open findings", flag(query.risky), &yes_no),
                facet("privileged", "Privileged somewhere", flag(query.privileged), &yes_no),
                self.app_facet(query.app.as_ref()),
            ],
            empty: empty(&paging, &says, NextStep::OpenIdentityProviders),
            rows,
            paging,
        })
    }

    async fn person_row(&self, person: people::Person) -> Result<PersonRow> {
        let known = directories::identity(self.db(), &person.key).await.map_err(internal)?;
        let (directory, identity) = known.map_or((None, None), |(d, i)| (Some(d.name), Some(i)));
        Ok(PersonRow {
            key: person.key.to_string(),
            display_name: identity.as_ref().and_then(|i| i.display_name.clone()),
            state: identity.and_then(|i| i.state),
            directory,
            name: person.name,
            accounts: person.accounts,
            instances: person.instances,
            privileged: person.privileged,
            active: person.active,
            worst: person.worst,
        })
    }

    /// One person with all accounts.
    ///
    /// # Errors
    /// When neither an identity provider nor an account tells of such a person.
    pub async fn person(&self, _actor: &Actor, key: &str) -> Result<PersonPage> {
        let parsed = IdentityKey::parse(key).ok_or_else(|| not_found("person"))?;
        let known = directories::identity(self.db(), &parsed).await.map_err(internal)?;
        let filter = accounts::Filter { identity_key: Some(key.to_owned()), ..Default::default() };
        let cut = store::Cut::first(ACCOUNTS);
        let page = accounts::list(self.db(), &filter, accounts::Sort::Instance, Order::Ascending, cut)
            .await
            .map_err(internal)?;
        if known.is_none() && page.rows.is_empty() {
            return Err(not_found("person"));
        }
        let rows = page.rows.iter().map(|a| (&a.instance, a.id.as_str()));
        let risks = self.risks(ScanKind::Accounts, rows).await?;
        let accounts: Vec<_> = page.rows.into_iter().map(|a| self.account_row(a, &risks)).collect();
        let name = known.as_ref().map(|(_, i)| i.name().to_owned());
        let name = name.or_else(|| accounts.iter().find_map(|a| a.whose.name.clone()));
        let facts = known.map(|(d, i)| IdentityFacts {
            instance: d.instance.as_ref().and_then(|id| self.0.fleet.get(id)).map(|m| m.instance_ref()),
            directory: d.name,
            id: i.id,
            display_name: i.display_name,
            addresses: i.addresses,
            aliases: i.aliases,
            state: i.state,
            seen_at: i.seen_at,
        });
        Ok(PersonPage {
            now: self.now(),
            key: key.to_owned(),
            name: name.unwrap_or(parsed.id),
            identity: facts,
            accounts,
        })
    }

    /// The list Plugins across applications.
    ///
    /// # Errors
    /// A cursor that cannot be used.
    pub async fn plugin_parties(&self, _actor: &Actor, query: &PartiesQuery) -> Result<PartiesPage> {
        let (column, direction) = party_order(query);
        let list = async |filter: &across::Filter, cut: store::Cut<'_>| {
            across::list(self.db(), filter, column, direction, cut).await.map_err(from_store)
        };
        let page = list(&party_filter(query), lists::cut(&query.cut, ROWS)?).await?;
        let unfiltered = list(&across::Filter::default(), store::Cut::first(0)).await?.total;
        let paging = paging(&page, unfiltered);
        let reviews = Review::ALL.map(|r| (r.as_str(), r.title()));
        Ok(PartiesPage {
            now: self.now(),
            facets: vec![
                facet("review", "Review", query.review.map(Review::as_str), &reviews),
                facet("grade", "Access", query.grade.as_deref(), &GRADES),
                facet("kind", "Kind", query.kind.as_deref(), &PLUGIN_KINDS),
                self.app_facet(query.app.as_ref()),
            ],
            empty: empty(&paging, &self.nothing_read(ScanKind::Plugins, None), NextStep::AddApplication),
            rows: page.rows.into_iter().map(party_row).collect(),
            paging,
        })
    }

    /// The list Plugins by user.
    ///
    /// # Errors
    /// A cursor that cannot be used.
    pub async fn plugin_users(&self, _actor: &Actor, query: &PluginUsersQuery) -> Result<PluginUsersPage> {
        let (column, direction) = user_order(query);
        let list = async |filter: &across::UserFilter, cut: store::Cut<'_>| {
            across::users(self.db(), filter, column, direction, cut).await.map_err(from_store)
        };
        let page = list(&user_filter(query), lists::cut(&query.cut, ROWS)?).await?;
        let unfiltered = list(&across::UserFilter::default(), store::Cut::first(0)).await?.total;
        let paging = paging(&page, unfiltered);
        let says = "No application that was read tells which users plugins act for.";
        Ok(PluginUsersPage {
            now: self.now(),
            facets: vec![self.app_facet(query.app.as_ref())],
            empty: empty(&paging, says, NextStep::Nothing),
            rows: page.rows.into_iter().map(|user| self.plugin_user_row(user)).collect(),
            paging,
        })
    }

    pub(crate) fn plugin_user_row(&self, user: across::User) -> PluginUserRow {
        PluginUserRow {
            instance: self.instance_ref(&user.instance, &user.instance_name, &user.app),
            user: user.user,
            account: user.account,
            person: user.identity,
            plugins: user.plugins,
            unreviewed: user.unreviewed,
            grade: known_grade(&user.grade),
        }
    }

    /// Notes what an operator made of a plugin.
    ///
    /// # Errors
    /// No such plugin, a note that is too long, or the role does not suffice.
    pub async fn review_plugin(
        &self,
        actor: &Actor,
        instance: &InstanceId,
        id: &str,
        review: Review,
        note: &str,
    ) -> Result<()> {
        must_be_admin(actor)?;
        let note = note.trim();
        if note.chars().count() > 1000 {
            return Err(invalid("note", "The note must have at most 1,000 characters."));
        }
        let plugin = plugins::get(self.db(), instance, id).await.map_err(from_store)?;
        let name = known_text(plugin.record.get(&model::plugin::SHAPE, "name"));
        let name = name.value().cloned().unwrap_or_else(|| id.to_owned());
        let detail =
            json!({ "plugin": id, "from": plugin.review.as_str(), "to": review.as_str(), "note": note });
        let entry = audit(
            actor,
            "plugin reviewed",
            Some(instance),
            format!("{name} of {}", plugin.instance_name),
            detail,
        );
        let reviewed = plugins::Reviewed { review, note, by: &actor.name };
        plugins::review(self.db(), instance, id, reviewed, self.now(), entry).await.map_err(from_store)?;
        self.refreshed(instance).await
    }
}

pub(crate) fn user_filter(query: &PluginUsersQuery) -> across::UserFilter {
    across::UserFilter {
        instance: None,
        app: query.app.clone(),
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
    }
}

pub(crate) fn user_order(query: &PluginUsersQuery) -> (across::UserSort, Order) {
    let (column, order) = sort(&query.cut);
    match column {
        Some("name") => (across::UserSort::Name, order),
        Some("grade") => (across::UserSort::Grade, lists::reversed(order)),
        // Most first is the natural order.
        _ => (across::UserSort::Plugins, lists::reversed(order)),
    }
}

fn known_grade(word: &str) -> Known<String> {
    if word == "unknown" { Known::Unknown } else { Known::Is(word.to_owned()) }
}

pub(crate) fn party_row(party: across::Party) -> PartyRow {
    let get = |name: &str| party.record.get(&model::plugin::SHAPE, name);
    PartyRow {
        name: match get("name") {
            Value::String(name) => name.to_string(),
            _ => get("id").as_str().unwrap_or_default().to_owned(),
        },
        kind: known_text(get("kind")),
        publisher: known_text(get("publisher")),
        grade: known_grade(&party.grade),
        plugins: party.plugins,
        instances: party.instances,
        users: party.users,
        unreviewed: party.unreviewed,
        revoked: party.revoked,
        with_findings: party.with_findings,
        first_seen_at: party.first_seen_at,
        last_used_at: match party.last_used_sort {
            -2 => Known::Unknown,
            -1 => Known::Absent,
            at => Known::Is(model::time::Timestamp(at)),
        },
        same: party.same,
    }
}
