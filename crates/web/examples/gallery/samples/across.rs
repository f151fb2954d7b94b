//! People, identity providers, exceptions, and plugins over all applications.

use model::finding::Severity;
use model::identity::State;
use model::time::Duration;
use model::view::{
    EmptyState, ExceptionRow, ExceptionView, ExceptionsPage, ExceptionsQuery, IdentityFacts, IdentityPage,
    IdentityRow, Known, NextStep, PartiesPage, PartiesQuery, PartyRow, PeoplePage, PeopleQuery, PersonPage,
    PersonRow, PluginUserRow, PluginUsersPage, PluginUsersQuery,
};

use super::fleet::tiles;
use super::inventory::{account_rows, facet};
use super::{HOSTILE, ago, directory, is, now, paging, questions};

pub(crate) fn identities(may_change: bool) -> IdentityPage {
    let row = |id: &str, name: &str, instance, complete_at, lack: Option<&str>| IdentityRow {
        id: id.into(),
        name: name.to_owned(),
        instance,
        identities: 1_204,
        matched: 3_411,
        complete_at,
        max_age: "2 days".to_owned(),
        max_age_hours: 48,
        lack: lack.map(str::to_owned),
        marked_at: ago(Duration::days(90)),
        marked_by: "Dana Reyes".to_owned(),
    };
    IdentityPage {
        now: now(),
        rows: vec![
            row("i-directory", "Staff directory", Some(directory()), Some(ago(Duration::hours(5))), None),
            row(
                "l-1",
                HOSTILE,
                None,
                Some(ago(Duration::days(40))),
                Some(
                    "What the identity provider Contractors said is from 40 days ago, longer ago than 30 days: it does not decide any more.",
                ),
            ),
        ],
        candidates: tiles().into_iter().take(2).map(|t| t.instance).collect(),
        may_change,
    }
}

pub(crate) fn people(query: &PeopleQuery) -> PeoplePage {
    let row = |name: &str, state, worst| PersonRow {
        key: format!("i-directory/{name}"),
        name: name.to_owned(),
        display_name: Some("Amira Haddad".to_owned()),
        directory: Some("Staff directory".to_owned()),
        state,
        accounts: 4,
        instances: 3,
        privileged: 1,
        active: 3,
        worst,
    };
    let nobody = query.search.as_deref() == Some("nobody");
    let rows = vec![
        row("build", Some(State::Suspended), Some(Severity::Critical)),
        row(HOSTILE, None, Some(Severity::Low)),
        row("amira.haddad", Some(State::Active), None),
    ];
    PeoplePage {
        now: now(),
        notices: Vec::new(),
        facets: vec![facet("deactivated", "Deactivated", &[("yes", "Yes"), ("no", "No")])],
        paging: paging(if nobody { 0 } else { 1_204 }, &query.cut),
        empty: nobody.then(|| EmptyState {
            says: "No identity provider is onboarded, so Parapet cannot tell which accounts it provisioned."
                .to_owned(),
            next: NextStep::OpenIdentityProviders,
        }),
        rows: if nobody { Vec::new() } else { rows },
    }
}

pub(crate) fn person(key: &str) -> Option<PersonPage> {
    let name = key.strip_prefix("i-directory/")?;
    Some(PersonPage {
        now: now(),
        key: key.to_owned(),
        name: name.to_owned(),
        identity: Some(IdentityFacts {
            directory: "Staff directory".to_owned(),
            instance: Some(directory()),
            id: "7".to_owned(),
            display_name: Some(HOSTILE.to_owned()),
            addresses: vec!["amira.haddad@example.com".to_owned()],
            aliases: vec!["a.haddad@example.com".to_owned()],
            state: Some(State::Active),
            seen_at: ago(Duration::hours(5)),
        }),
        accounts: account_rows(&tiles().remove(1).instance),
    })
}

pub(crate) fn exceptions(query: &ExceptionsQuery) -> ExceptionsPage {
    let findings = questions::rows(&tiles().remove(1).instance, 2);
    let rows: Vec<ExceptionRow> = findings
        .into_iter()
        .map(|finding| ExceptionRow {
            exception: ExceptionView {
                finding: finding.id.clone(),
                reason: format!("The vendor mends it in spring. {HOSTILE}"),
                approver: "Jon Petersen".to_owned(),
                entered: Some((ago(Duration::days(20)), "Dana Reyes".to_owned())),
                ends_at: now() + Duration::days(9),
            },
            finding,
        })
        .collect();
    ExceptionsPage {
        now: now(),
        soon: 2,
        facets: vec![facet("soon", "Ends", &[("yes", "Within two weeks")])],
        paging: paging(rows.len() as u64, &query.cut),
        rows,
        empty: None,
    }
}

pub(crate) fn parties(query: &PartiesQuery) -> PartiesPage {
    let row = |name: &str, grade, revoked| PartyRow {
        same: format!("7:{name}/"),
        name: name.to_owned(),
        kind: is("oauth_app"),
        publisher: is("Example Tools GmbH"),
        grade,
        plugins: 3,
        instances: 2,
        users: 214,
        unreviewed: 1,
        revoked,
        with_findings: 1,
        first_seen_at: ago(Duration::days(90)),
        last_used_at: Known::Is(ago(Duration::hours(3))),
    };
    PartiesPage {
        now: now(),
        facets: vec![facet(
            "review",
            "Review",
            &[("not_reviewed", "Not reviewed"), ("reviewed", "Reviewed")],
        )],
        rows: vec![row("Fast CI", is("high"), 0), row(HOSTILE, Known::Unknown, 1)],
        paging: paging(2, &query.cut),
        empty: None,
    }
}

pub(crate) fn plugin_users(query: &PluginUsersQuery) -> PluginUsersPage {
    let row = |user: &str, person: Option<(String, String)>| PluginUserRow {
        instance: tiles().remove(1).instance,
        user: user.to_owned(),
        account: person.is_some().then(|| user.to_owned()),
        person,
        plugins: 12,
        unreviewed: 4,
        grade: is("high"),
    };
    PluginUsersPage {
        now: now(),
        facets: Vec::new(),
        rows: vec![
            row("j.petersen", Some(("i-directory/j.petersen".to_owned(), "j.petersen".to_owned()))),
            row(HOSTILE, None),
        ],
        paging: paging(2, &query.cut),
        empty: None,
    }
}
