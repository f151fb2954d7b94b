//! Accounts, plugins, owners and the audit log.

use model::finding::Severity;
use model::identity::{Match, State};
use model::time::Duration;
use model::view::{
    AccountPage, AccountRow, AccountsPage, AccountsQuery, ApplicationHeader, AuditPage, AuditQuery, AuditRow,
    Facet, FacetChoice, FieldRow, IdentityChoice, InstanceRef, Known, Link, LinkView, OwnerRow, OwnersPage,
    PluginPage, PluginRow, PluginsPage, PluginsQuery, Review, ReviewView, RiskTag, ScopeView, Whose,
};

use super::fleet::tiles;
use super::{HOSTILE, HOSTILE_ID, ago, directory, is, now, paging, questions};

fn risk(severity: Severity, says: &str) -> RiskTag {
    RiskTag { finding: "f-i-acme-1".into(), severity, says: says.to_owned() }
}

fn whose(matched: Match, name: &str, state: State) -> Whose {
    Whose {
        matched,
        key: Some(format!("i-directory/{name}")),
        name: Some(name.to_owned()),
        by: Some("verified e-mail".to_owned()),
        state: Some(state),
        note: None,
    }
}

fn undecided() -> Whose {
    Whose {
        matched: Match::Unknown,
        key: None,
        name: None,
        by: None,
        state: None,
        note: Some("it looks like the account of an identity by an address that the application has not verified; link it by hand, or have the address verified".to_owned()),
    }
}

pub(super) fn account_rows(instance: &InstanceRef) -> Vec<AccountRow> {
    let row = |username: &str, name: Known<String>| AccountRow {
        instance: instance.clone(),
        id: username.to_owned(),
        username: username.to_owned(),
        display_name: name,
        email: Known::Unknown,
        kind: is("human"),
        state: is("active"),
        role: is("member"),
        privileged: Known::Is(false),
        external: Known::Is(false),
        second_factor: Known::Is(true),
        whose: whose(Match::Matched, username, State::Active),
        last_active_at: Known::Is(ago(Duration::days(2))),
        risks: Vec::new(),
        first_seen_at: ago(Duration::days(130)),
        last_seen_at: ago(Duration::hours(2)),
        stale_since: None,
    };
    let mut owner = row("j.petersen", is("Jon Petersen"));
    owner.role = is("owner");
    owner.privileged = Known::Is(true);
    owner.second_factor = Known::Is(false);
    owner.whose =
        Whose { key: None, name: None, by: None, state: None, ..whose(Match::Unmatched, "", State::Active) };
    owner.risks = vec![
        risk(Severity::High, "can sign in without a second factor"),
        risk(Severity::Medium, "was not provisioned by the identity provider"),
    ];
    owner.stale_since = Some(ago(Duration::minutes(90)));
    let mut outside = row("contractor-with-a-rather-long-name-2024", Known::Unknown);
    outside.external = Known::Is(true);
    outside.second_factor = Known::Unknown;
    outside.whose = undecided();
    outside.last_active_at = Known::Absent;
    outside.risks = vec![risk(Severity::Low, "has never been active")];
    let mut bot = row("deploy[bot]", Known::Absent);
    bot.kind = is("bot");
    bot.second_factor = Known::Absent;
    bot.whose = whose(Match::Deactivated, "build", State::Suspended);
    if instance.id.as_str() == HOSTILE_ID {
        let mut all = row(HOSTILE, is(HOSTILE));
        all.id = "hostile".to_owned();
        (all.kind, all.state, all.role) = (is(HOSTILE), is(HOSTILE), is(HOSTILE));
        all.whose = whose(Match::Matched, HOSTILE, State::Active);
        all.whose.note = Some(HOSTILE.to_owned());
        all.risks = vec![risk(Severity::High, HOSTILE)];
        return vec![all];
    }
    vec![owner, outside, row("amira.haddad", is("Amira Haddad")), bot]
}

pub(super) fn facet(name: &str, title: &str, choices: &[(&str, &str)]) -> Facet {
    Facet {
        name: name.to_owned(),
        title: title.to_owned(),
        choices: choices
            .iter()
            .map(|(value, title)| FacetChoice {
                value: (*value).to_owned(),
                title: (*title).to_owned(),
                count: None,
                active: false,
            })
            .collect(),
    }
}

fn where_to(header: &Option<ApplicationHeader>) -> InstanceRef {
    header.as_ref().map_or_else(|| tiles().remove(1).instance, |h| h.instance.clone())
}

pub(crate) fn accounts(header: Option<ApplicationHeader>, query: &AccountsQuery) -> AccountsPage {
    AccountsPage {
        now: now(),
        notices: Vec::new(),
        identity_lack: Some(
            "No identity provider is onboarded, so Parapet cannot tell which accounts it provisioned."
                .to_owned(),
        ),
        facets: vec![
            facet("risk", "Risk", &[("risky", "With findings"), ("unjudged", "Not judged")]),
            facet(
                "identity",
                "Identity provider",
                &[("matched", "Known there"), ("unmatched", "Not known there")],
            ),
            facet("kind", "Kind", &[("human", "Human"), ("bot", "Bot")]),
        ],
        rows: account_rows(&where_to(&header)),
        paging: paging(1_284, &query.cut),
        empty: None,
        header,
    }
}

fn fields(pairs: &[(&str, Known<String>)]) -> Vec<FieldRow> {
    pairs.iter().map(|(name, value)| FieldRow { name: (*name).to_owned(), value: value.clone() }).collect()
}

pub(crate) fn account(instance: &InstanceRef, id: &str) -> Option<AccountPage> {
    let account = account_rows(instance).into_iter().find(|r| r.id == id)?;
    Some(AccountPage {
        now: now(),
        fields: fields(&[
            ("id", is(id)),
            ("email", Known::Unknown),
            ("role", account.role.clone()),
            ("owner", Known::Absent),
            ("idp_id", Known::Absent),
        ]),
        findings: if account.risks.is_empty() { Vec::new() } else { questions::rows(instance, 2) },
        console: Some(Link {
            title: "Open in GitHub".to_owned(),
            href: "https://github.com/orgs/acme/people".to_owned(),
        }),
        link: (id == "amira.haddad").then(|| LinkView {
            name: "Amira Haddad".to_owned(),
            key: "i-directory/amira.haddad".to_owned(),
            note: "asked her".to_owned(),
            by: "Dana Reyes".to_owned(),
            at: ago(Duration::days(3)),
        }),
        looked_for: account.username.clone(),
        choices: vec![IdentityChoice {
            key: "i-directory/7".to_owned(),
            name: account.username.clone(),
            display_name: account.display_name.value().cloned(),
            directory: "Staff directory".to_owned(),
            state: Some(State::Active),
        }],
        known_until: Vec::new(),
        identity_findings: account.risks.len() as u64,
        may_change: true,
        account,
    })
}

pub(super) fn plugin_rows(instance: &InstanceRef) -> Vec<PluginRow> {
    let row = |id: &str, name: &str, kind: &str, grade: Known<String>| PluginRow {
        instance: instance.clone(),
        id: id.to_owned(),
        name: name.to_owned(),
        kind: is(kind),
        publisher: is("Example Tools GmbH"),
        publisher_verified: Known::Is(true),
        level: is("organisation"),
        reach: is("all"),
        grade,
        users: Known::Unknown,
        active: Known::Is(true),
        last_used_at: Known::Is(ago(Duration::hours(3))),
        expires_at: Known::Absent,
        risks: Vec::new(),
        review: ReviewView::default(),
        first_seen_at: ago(Duration::days(90)),
        last_seen_at: ago(Duration::hours(3)),
        stale_since: None,
    };
    let mut ci = row("app/77", "Fast CI", "app", is("high"));
    ci.risks = vec![risk(Severity::High, "may write code in every repository")];
    ci.publisher_verified = Known::Is(false);
    ci.users = Known::Is(214);
    let mut hook = row("hook/3", "https://ci.example.net/hook", "webhook", is("medium"));
    hook.publisher = Known::Unknown;
    hook.publisher_verified = Known::Unknown;
    hook.risks = vec![risk(Severity::Medium, "has no secret")];
    let mut token = row("pat/9", "backup (fine-grained token of j.petersen)", "token", Known::Unknown);
    token.level = is("user");
    token.last_used_at = Known::Absent;
    token.users = Known::Is(1);
    token.review = ReviewView {
        state: Review::Revoked,
        reviewed: Some((ago(Duration::days(4)), "Dana Reyes".to_owned())),
        note: "no longer needed".to_owned(),
        still_there: true,
    };
    let mut key = row("key/1", "deploy key of acme/website", "deploy_key", is("low"));
    key.active = Known::Is(false);
    if instance.id.as_str() == HOSTILE_ID {
        let mut all = row("hostile", HOSTILE, HOSTILE, is(HOSTILE));
        (all.publisher, all.level, all.reach) = (is(HOSTILE), is(HOSTILE), is(HOSTILE));
        all.risks = vec![risk(Severity::High, HOSTILE)];
        return vec![all];
    }
    vec![ci, hook, token, key]
}

pub(crate) fn plugins(header: Option<ApplicationHeader>, query: &PluginsQuery) -> PluginsPage {
    PluginsPage {
        now: now(),
        notices: Vec::new(),
        facets: vec![
            facet(
                "grade",
                "Access",
                &[("high", "High"), ("medium", "Medium"), ("low", "Low"), ("unknown", "Not graded")],
            ),
            facet("kind", "Kind", &[("app", "App"), ("webhook", "Webhook")]),
        ],
        rows: plugin_rows(&where_to(&header)),
        paging: paging(4, &query.cut),
        empty: None,
        header,
    }
}

pub(crate) fn plugin(instance: &InstanceRef, id: &str) -> Option<PluginPage> {
    let plugin = plugin_rows(instance).into_iter().find(|r| r.id == id)?;
    let scope = |id: &str, grade: Known<String>, says: &str| ScopeView {
        id: id.to_owned(),
        grade,
        says: says.to_owned(),
    };
    Some(PluginPage {
        now: now(),
        scopes: Some(vec![
            scope("contents:write", is("high"), "changes code in the repositories it reaches"),
            scope("checks:write", is("medium"), "decides whether a change counts as tested"),
            scope("vendor:beta", Known::Unknown, ""),
            scope("metadata:read", is("low"), "sees names of repositories"),
        ]),
        fields: fields(&[("id", is(id)), ("target_host", Known::Unknown), ("expires_at", Known::Absent)]),
        findings: if plugin.risks.is_empty() { Vec::new() } else { questions::rows(instance, 1) },
        console: Some(Link {
            title: "Review in GitHub".to_owned(),
            href: "https://github.com/organizations/acme/settings/installations".to_owned(),
        }),
        users: vec!["j.petersen".to_owned(), "amira.haddad".to_owned()],
        elsewhere: plugin_rows(&directory()).into_iter().take(1).collect(),
        may_change: true,
        plugin,
    })
}

pub(crate) fn owners(may_change: bool) -> OwnersPage {
    let row = |id: &str, name: &str, email: &str, zone: &str, active, instances| OwnerRow {
        id: id.into(),
        name: name.to_owned(),
        email: email.to_owned(),
        time_zone: zone.to_owned(),
        active,
        digest_at: "08:00".to_owned(),
        quiet: false,
        instances,
    };
    OwnersPage {
        now: now(),
        rows: vec![
            row("o-dana", "Dana Reyes", "dana.reyes@example.com", "Europe/Berlin", true, 5),
            row("o-jon", "Jon Petersen", "jon.petersen@example.com", "America/New_York", false, 1),
        ],
        unowned: vec![tiles().remove(3).instance, directory()],
        may_change,
    }
}

pub(crate) fn audit(query: &AuditQuery) -> AuditPage {
    let row = |minutes, actor: &str, action: &str, subject: &str, detail: &str| AuditRow {
        at: ago(Duration::minutes(minutes)),
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        instance: tiles().into_iter().map(|t| t.instance).find(|i| i.name == subject),
        detail: detail.to_owned(),
    };
    let rows = vec![
        row(30, "Dana Reyes", "scan requested", "Acme Engineering", "Config Scan"),
        row(
            600,
            "Dana Reyes",
            "reauthenticated",
            "Acme Engineering",
            "GitHub App, app 1234; replaced a personal access token",
        ),
        row(700, "Parapet", "credential suspended", "Globex Platform", "3 refusals in a row"),
        row(9_000, "Dana Reyes", "removed", "Vandelay", "12 findings, 400 runs"),
    ];
    AuditPage {
        now: now(),
        facets: vec![facet(
            "action",
            "What",
            &[("reauthenticated", "Reauthenticated"), ("removed", "Removed")],
        )],
        paging: paging(rows.len() as u64, &query.cut),
        rows,
    }
}
