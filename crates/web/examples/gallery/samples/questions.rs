//! Findings and checks.

use model::finding::{CheckTally, FindingState, Outcome, Severity};
use model::id::AppId;
use model::scan::ScanKind;
use model::time::Duration;
use model::view::{
    ApplicationHeader, CheckPage, CheckParam, CheckRow, CheckStanding, ChecksPage, ChecksQuery, ControlRef,
    EmptyState, EvidenceRow, Facet, FacetChoice, FindingEvent, FindingPage, FindingRow, FindingsPage,
    FindingsQuery, Html, InstanceRef, Link, NextStep, ParamOf, ParamSet, SeverityCounts,
};

use super::fleet::{tile_of, tiles};
use super::{HOSTILE_ID, ago, now, paging, told};

const QUESTIONS: [(&str, &str, Severity, &str, &str, &str, ScanKind); 6] = [
    (
        "github/org-requires-2fa",
        "The organisation requires a second factor",
        Severity::Critical,
        "acme",
        "Organisation",
        "acme does not require a second factor of its members",
        ScanKind::Config,
    ),
    (
        "shared/account-second-factor",
        "Every privileged account signs in with a second factor",
        Severity::High,
        "j.petersen",
        "Accounts",
        "j.petersen is an owner and can sign in without a second factor",
        ScanKind::Accounts,
    ),
    (
        "github/repo-default-branch-reviews",
        "Changes to the default branch need a review",
        Severity::High,
        "acme/payments",
        "Repositories",
        "acme/payments takes changes to main without a review",
        ScanKind::Config,
    ),
    (
        "shared/plugin-webhook-secure",
        "Webhooks are sent over verified TLS and signed",
        Severity::Medium,
        "https://ci.example.net/hook?with=a-very-long-address-that-does-not-break-anywhere-by-itself",
        "Plugins",
        "The webhook to ci.example.net has no secret",
        ScanKind::Plugins,
    ),
    (
        "shared/account-dormant",
        "Accounts are used or removed",
        Severity::Low,
        "old-intern",
        "Accounts",
        "old-intern has not been active for 214 days",
        ScanKind::Accounts,
    ),
    (
        "github/repo-has-security-policy",
        "Repositories say how to report a weakness",
        Severity::Informational,
        "acme/website",
        "Repositories",
        "acme/website has no security policy",
        ScanKind::Config,
    ),
];

/// The worst findings of an instance.
pub(crate) fn rows(instance: &InstanceRef, most: usize) -> Vec<FindingRow> {
    QUESTIONS
        .iter()
        .enumerate()
        .take(most)
        .map(|(at, (check, title, severity, resource, kind, says, scan))| FindingRow {
            id: format!("f-{}-{at}", instance.id).into(),
            instance: instance.clone(),
            check: (*check).into(),
            title: told(instance, title),
            severity: *severity,
            state: if at == 1 { FindingState::InProgress } else { FindingState::New },
            resource: told(instance, resource),
            resource_kind: told(instance, kind),
            says: told(instance, says),
            scan: *scan,
            first_seen_at: ago(Duration::days(3 * at as i64 + 1)),
            last_seen_at: ago(Duration::minutes(if *scan == ScanKind::Accounts { 150 } else { 12 })),
            stale_since: (*scan == ScanKind::Accounts).then(|| ago(Duration::minutes(90))),
            resolved_at: None,
        })
        .collect()
}

pub(crate) fn findings(header: Option<ApplicationHeader>, query: &FindingsQuery) -> FindingsPage {
    let tiles = tiles();
    let mut found: Vec<FindingRow> = match &header {
        Some(header) => rows(&header.instance, QUESTIONS.len()),
        None => tiles.iter().take(3).flat_map(|t| rows(&t.instance, QUESTIONS.len())).collect(),
    };
    found.sort_by_key(|r| std::cmp::Reverse(r.severity));
    found.retain(|r| query.severity.is_none_or(|s| s == r.severity));
    if query.search.as_deref() == Some("nothing") {
        found.clear();
    }
    let mut counts = SeverityCounts::default();
    for row in &found {
        counts.add(row.severity, 1);
    }
    FindingsPage {
        now: now(),
        header,
        facets: vec![
            Facet {
                name: "severity".to_owned(),
                title: "Severity".to_owned(),
                choices: Severity::ALL
                    .map(|s| FacetChoice {
                        value: s.as_str().to_owned(),
                        title: s.as_str().to_owned(),
                        count: Some(3),
                        active: query.severity == Some(s),
                    })
                    .to_vec(),
            },
            Facet {
                name: "state".to_owned(),
                title: "State".to_owned(),
                choices: vec![FacetChoice {
                    value: "resolved".to_owned(),
                    title: "Resolved".to_owned(),
                    count: None,
                    active: false,
                }],
            },
        ],
        counts,
        paging: paging(if found.is_empty() { 0 } else { 78 }, &query.cut),
        empty: found.is_empty().then(|| EmptyState {
            says: "No finding fits these filters.".to_owned(),
            next: NextStep::ClearFilters,
        }),
        rows: found,
    }
}

fn controls() -> Vec<ControlRef> {
    let control = |standard: &str, id: &str, title: &str| ControlRef {
        standard: standard.to_owned(),
        id: id.to_owned(),
        title: title.to_owned(),
    };
    vec![
        control("CIS GitHub Benchmark 1.2", "1.3.5", "A second factor is required"),
        control("NIST SP 800-53", "IA-2(1)", "Multi-factor sign-in to privileged accounts"),
    ]
}

fn why() -> Html {
    Html("<p>A password alone is guessed, phished or found in a leak. Whoever has a member's password can then read every private repository that the member can.</p>".to_owned())
}

fn remedy() -> Html {
    Html("<ol><li>Open the organisation's <strong>Settings</strong>, then <strong>Authentication security</strong>.</li><li>Tell members first: who has no second factor is removed from the organisation.</li><li>Choose <strong>Require two-factor authentication</strong> and save.</li></ol>".to_owned())
}

pub(crate) fn finding(id: &str) -> Option<FindingPage> {
    let tiles: Vec<_> = tiles().into_iter().chain(tile_of(HOSTILE_ID)).collect();
    let row = tiles.iter().flat_map(|t| rows(&t.instance, QUESTIONS.len())).find(|r| r.id.as_str() == id)?;
    let at = row.instance.clone();
    let same = rows(&row.instance, 3).into_iter().filter(|r| r.id != row.id).take(1).collect();
    Some(FindingPage {
        now: now(),
        evidence: vec![
            EvidenceRow {
                field: told(&at, "two_factor_requirement_enabled"),
                value: told(&at, "false"),
                wanted: told(&at, "true"),
                dataset: "Organisation".to_owned(),
                request: told(&at, "GET https://api.github.com/orgs/acme"),
                at: row.last_seen_at,
            },
            EvidenceRow {
                field: "datasets.saml.enforced".to_owned(),
                value: "not known".to_owned(),
                wanted: String::new(),
                dataset: "Single sign-on".to_owned(),
                request: "POST https://api.github.com/graphql".to_owned(),
                at: row.last_seen_at,
            },
        ],
        question: "two_factor_requirement_enabled == true".to_owned(),
        revision: 2,
        history: vec![
            FindingEvent {
                at: ago(Duration::hours(20)),
                what: "set to In progress".to_owned(),
                by: "Dana Reyes".to_owned(),
            },
            FindingEvent { at: row.first_seen_at, what: "first seen".to_owned(), by: String::new() },
        ],
        why: why(),
        remedy: remedy(),
        console: Some(Link {
            title: "Open in GitHub".to_owned(),
            href: "https://github.com/organizations/acme/settings/security".to_owned(),
        }),
        controls: controls(),
        exception: None,
        may_except: true,
        transitions: vec![if row.state == FindingState::New {
            FindingState::InProgress
        } else {
            FindingState::New
        }],
        same_resource: same,
        finding: row,
    })
}

fn check_rows() -> Vec<CheckRow> {
    QUESTIONS
        .iter()
        .enumerate()
        .map(|(at, (id, title, severity, _, over, _, scan))| CheckRow {
            id: (*id).into(),
            app: AppId::from("github"),
            app_name: "GitHub".to_owned(),
            title: (*title).to_owned(),
            severity: *severity,
            scan: *scan,
            over: (*over).to_owned(),
            instances: if at == 5 { 0 } else { 6 },
            pass: 1_200 * at as u64,
            fail: 3,
            inconclusive: u64::from(at == 0),
            not_applicable: 0,
        })
        .collect()
}

pub(crate) fn checks(query: &ChecksQuery) -> ChecksPage {
    let rows = check_rows();
    ChecksPage {
        now: now(),
        facets: vec![Facet {
            name: "outcome".to_owned(),
            title: "Outcome".to_owned(),
            choices: vec![FacetChoice {
                value: "fail".to_owned(),
                title: "Fail".to_owned(),
                count: Some(5),
                active: query.outcome.as_deref() == Some("fail"),
            }],
        }],
        paging: paging(rows.len() as u64, &query.cut),
        rows,
        empty: None,
    }
}

pub(crate) fn check(id: &str) -> Option<CheckPage> {
    let row = check_rows().into_iter().find(|r| r.id.as_str() == id)?;
    let standing: Vec<CheckStanding> = tiles()
        .into_iter()
        .take(3)
        .enumerate()
        .map(|(at, tile)| CheckStanding {
            instance: tile.instance,
            tally: CheckTally {
                check: row.id.clone(),
                revision: 2,
                pass: u64::from(at == 2),
                fail: u64::from(at == 1),
                inconclusive: u64::from(at == 0),
                not_applicable: 0,
                reason: (at == 0).then(|| "GitHub shows this setting to owners only.".to_owned()),
                needs: if at == 0 { vec!["admin:org".to_owned()] } else { Vec::new() },
            },
            at: ago(Duration::minutes(12)),
        })
        .collect();
    let set = standing
        .iter()
        .enumerate()
        .map(|(at, s)| ParamOf {
            instance: s.instance.clone(),
            set: (at == 0).then(|| ParamSet {
                value: "180".to_owned(),
                by: "ada".to_owned(),
                at: ago(Duration::days(3)),
            }),
        })
        .collect();
    Some(CheckPage {
        now: now(),
        revision: 2,
        when: "plan != 'free'".to_owned(),
        pass: "two_factor_requirement_enabled == true".to_owned(),
        on_empty: "inconclusive".to_owned(),
        params: vec![CheckParam {
            name: "max_idle_days".to_owned(),
            default: "90".to_owned(),
            wants: "a whole number".to_owned(),
            instances: set,
        }],
        may_change: true,
        permissions: vec![
            ("GitHub App".to_owned(), vec!["organization_administration:read".to_owned()]),
            ("Personal access token".to_owned(), vec!["admin:org".to_owned()]),
        ],
        why: why(),
        remedy: remedy(),
        controls: controls(),
        examples: vec![
            (Outcome::Pass, "{ \"two_factor_requirement_enabled\": true }".to_owned()),
            (Outcome::Fail, "{ \"two_factor_requirement_enabled\": false }".to_owned()),
            (Outcome::Inconclusive, "{}".to_owned()),
            (Outcome::NotApplicable, "{ \"plan\": \"free\" }".to_owned()),
        ],
        standing,
        check: row,
    })
}
