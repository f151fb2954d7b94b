//! Summary, history, settings and the wizard.

use model::credential::Identity;
use model::finding::Severity;
use model::scan::{RunOutcome, ScanKind};
use model::time::Duration;
use model::view::{
    ApplicationHeader, AvailabilityView, CatalogueApp, CatalogueAppsPage, CheckTotals, CheckupScan,
    CheckupView, CredentialCard, CredentialFormPage, CredentialInput, DriftPage, DriftRow, Facet,
    FacetChoice, FormChoice, HistoryPage, HistoryQuery, Html, InputField, InstanceRef, InventorySummary,
    Known, Link, Mark, PausedView, PermissionRow, PreflightPage, ReadinessRow, Removal, RungState, RungView,
    RunningView, ScanCard, ScanMark, ScanPermissions, ScanSummary, SettingsPage, ShrunkView, SignInTerms,
    SummaryPage, TrendPoint, Unjudged, VendorReturnPage, VendorSignInPage,
};
use model::words::Sentence;

use super::fleet::{status, tile_of, tiles};
use super::{HOSTILE_ID, ago, dana, jon, now, paging, questions, runs, told};

fn marks(header: &ApplicationHeader) -> Vec<ScanMark> {
    tile_of(header.instance.id.as_str()).map(|t| t.scans).unwrap_or_default()
}

pub(crate) fn summary(header: ApplicationHeader) -> SummaryPage {
    let tile = tile_of(header.instance.id.as_str());
    let findings = tile.as_ref().and_then(|t| t.findings);
    let has = findings.is_some_and(|f| f.total() > 0);
    SummaryPage {
        now: now(),
        scans: marks(&header)
            .into_iter()
            .map(|mark| ScanSummary {
                last_finished_at: findings.map(|_| ago(Duration::minutes(12))),
                records: findings.map(|_| 4_812),
                next_at: (mark.status.mark != Mark::NotEnabled).then(|| now() + Duration::minutes(48)),
                mark,
            })
            .collect(),
        new_since_yesterday: findings.map(|_| 3),
        worst: if has { questions::rows(&header.instance, 3) } else { Vec::new() },
        checks: findings.map(|_| CheckTotals { pass: 41, fail: 14, inconclusive: 6, not_applicable: 9 }),
        unjudged: if has {
            vec![Unjudged {
                check: "github/org-requires-2fa".into(),
                title: "The organisation requires a second factor".to_owned(),
                severity: Severity::Critical,
                reason: "GitHub shows this setting to owners of the organisation only.".to_owned(),
                needs: vec!["organization_administration:read".to_owned()],
                records: 1,
            }]
        } else {
            Vec::new()
        },
        accounts: findings.map(|_| InventorySummary {
            total: 1_284,
            incomplete: false,
            groups: vec![
                ("With findings".to_owned(), Some(12)),
                ("Privileged".to_owned(), Some(9)),
                ("Without a second factor".to_owned(), None),
            ],
            collected_at: Some(ago(Duration::hours(2))),
        }),
        plugins: findings.map(|_| InventorySummary {
            total: 31,
            incomplete: true,
            groups: vec![("High access".to_owned(), Some(4)), ("Not graded".to_owned(), Some(2))],
            collected_at: Some(ago(Duration::hours(3))),
        }),
        drift: if has { drift_rows(&header.instance) } else { Vec::new() },
        findings,
        header,
    }
}

fn drift_rows(instance: &InstanceRef) -> Vec<DriftRow> {
    let row = |minutes,
               dataset: &str,
               resource: &str,
               field: Option<&str>,
               before: Option<&str>,
               after: Option<&str>| DriftRow {
        at: ago(Duration::minutes(minutes)),
        dataset: dataset.to_owned(),
        resource: told(instance, resource),
        field: field.map(str::to_owned),
        before: before.map(|b| told(instance, b)),
        after: after.map(str::to_owned),
    };
    vec![
        row(12, "Repositories", "acme/payments", Some("visibility"), Some("private"), Some("public")),
        row(12, "Webhooks", "https://ci.example.net/hook", None, None, Some("active, unsigned")),
        row(
            1_500,
            "Organisation",
            "acme",
            Some("default_repository_permission"),
            Some("read"),
            Some("write"),
        ),
    ]
}

pub(crate) fn drift(header: ApplicationHeader) -> DriftPage {
    let rows = if header.open_findings.unwrap_or(0) > 0 { drift_rows(&header.instance) } else { Vec::new() };
    DriftPage { now: now(), header, paging: paging(rows.len() as u64, &Default::default()), rows }
}

pub(crate) fn history(header: ApplicationHeader, query: &HistoryQuery) -> HistoryPage {
    let scans = marks(&header);
    let all: Vec<_> = scans
        .iter()
        .filter(|s| query.kind.is_none_or(|k| k == s.kind))
        .flat_map(|s| runs::log(s.kind, s.status.mark))
        .filter(|r| query.outcome.as_deref().is_none_or(|o| o == r.outcome.as_str()))
        .collect();
    HistoryPage {
        now: now(),
        facets: vec![Facet {
            name: "kind".to_owned(),
            title: "Scan".to_owned(),
            choices: ScanKind::ALL
                .map(|k| FacetChoice {
                    value: k.as_str().to_owned(),
                    title: k.title().to_owned(),
                    count: None,
                    active: query.kind == Some(k),
                })
                .to_vec(),
        }],
        bar: scans.first().map(|s| runs::bar(s.status.mark)).unwrap_or_default(),
        availability: vec![
            AvailabilityView { days: 30, hundredths: Some(9_871), of: Duration::days(30) },
            AvailabilityView { days: 90, hundredths: Some(10_000), of: Duration::days(62) },
        ],
        data_as_of: Some(ago(Duration::hours(3))),
        trends: scans
            .iter()
            .map(|s| {
                let point = |n: i64| TrendPoint {
                    at: ago(Duration::hours(n)),
                    took: Duration::seconds(40 + n * 7 % 30),
                    requests: 120 + u32::try_from(n * 13 % 50).unwrap_or(0),
                    outcome: RunOutcome::Succeeded,
                };
                (s.kind, (0..40).rev().map(point).collect())
            })
            .collect(),
        bars: scans.iter().map(|s| (s.kind, runs::bar(s.status.mark))).collect(),
        paging: paging(all.len() as u64, &query.cut),
        runs: if header.instance.id.as_str() == HOSTILE_ID { runs::hostile(all) } else { all },
        header,
    }
}

fn card(header: &ApplicationHeader, mark: &ScanMark) -> ScanCard {
    let kind = mark.kind;
    let shown = mark.status.mark;
    let log = match shown {
        Mark::NotEnabled => Vec::new(),
        _ if header.open_findings.is_none() => Vec::new(),
        _ => runs::log(kind, shown),
    };
    let (sentence, advice) = match shown {
        Mark::Up => ("Working: the last run succeeded 12 min ago, in 23 s.", vec![]),
        Mark::Unhealthy => (
            "Failed twice in a row, the last time 12 min ago. The token may not read members (GET /orgs/acme/members, 403).",
            vec![
                "Config Scan is Up with the same credential, so the credential most likely lacks the permission for the Risky Account Scan: members:read."
                    .to_owned(),
            ],
        ),
        Mark::Down => (
            "Failed 5 times in a row since 2026-11-22 09:12 UTC (5 h ago). GitHub refused the token (401 Bad credentials).",
            vec!["The token was probably revoked. Reauthenticate with a new one.".to_owned()],
        ),
        Mark::Scanning => ("Scanning, begun 40 s ago: 3 of 8 datasets read, 1,204 records.", vec![]),
        Mark::NotEnabled => ("Not enabled: the credential lacks members:read.", vec![]),
        Mark::Paused => ("Paused; Up before.", vec![]),
    };
    let advice = advice.into_iter().map(|a: String| told(&header.instance, &a).as_str().into()).collect();
    let log = if header.instance.id.as_str() == HOSTILE_ID { runs::hostile(log) } else { log };
    ScanCard {
        kind,
        enabled: shown != Mark::NotEnabled,
        status: status(shown, "", sentence),
        advice,
        last: log.first().cloned(),
        last_success_at: log.iter().find(|r| r.outcome == RunOutcome::Succeeded).map(|r| r.finished_at),
        next_at: (!matches!(shown, Mark::NotEnabled | Mark::Paused)).then(|| now() + Duration::minutes(48)),
        next: (!matches!(shown, Mark::NotEnabled | Mark::Paused | Mark::Scanning))
            .then(|| Sentence::new("The next run is ").at(now() + Duration::minutes(48)).text(".")),
        interval: Duration::hours(if kind == ScanKind::Config { 1 } else { 6 }),
        running: (shown == Mark::Scanning).then(|| RunningView {
            started_at: ago(Duration::seconds(40)),
            datasets_done: 3,
            datasets_of: 8,
            records: 1_204,
            reading: "Repositories".to_owned(),
            waiting_until: None,
        }),
        can_scan_now: !matches!(shown, Mark::NotEnabled | Mark::Paused | Mark::Scanning),
        cannot_scan_because: if shown == Mark::Paused {
            "The application is paused.".to_owned()
        } else {
            String::new()
        },
        wanted: false,
        reauthenticate: matches!(shown, Mark::Down | Mark::Unhealthy),
        bar: runs::bar(shown),
        log,
        missing: if shown == Mark::NotEnabled {
            vec![told(&header.instance, "members:read")]
        } else {
            Vec::new()
        },
        how_to_grant: Html(
            "<ol><li>Open the app's settings.</li><li>Set <strong>Members</strong> to read-only.</li></ol>"
                .to_owned(),
        ),
        checked_at: (shown == Mark::NotEnabled).then(|| ago(Duration::hours(7))),
        shrunk: if kind == ScanKind::Plugins && shown == Mark::Up && header.instance.id.as_str() == "i-acme" {
            vec![ShrunkView {
                dataset: "webhooks".to_owned(),
                title: "Webhooks".to_owned(),
                had: 14,
                had_at: ago(Duration::hours(6)),
            }]
        } else {
            Vec::new()
        },
    }
}

/// A ladder of which every rung held.
fn held() -> Vec<RungView> {
    let rung = |rung| RungView { rung, state: RungState::Held, detail: String::new() };
    model::diagnosis::Rung::LADDER.into_iter().map(rung).collect()
}

pub(crate) fn settings(header: ApplicationHeader, may_change: bool) -> SettingsPage {
    let paused = (header.status.mark == Mark::Paused)
        .then(|| PausedView { since: ago(Duration::days(20)), by: "Dana Reyes".to_owned() });
    let permission =
        |name: &str, required: &[ScanKind], used: &[ScanKind], granted: Known<bool>, excess| PermissionRow {
            name: name.to_owned(),
            required_by: required.to_vec(),
            used_by: used.to_vec(),
            granted,
            excess,
        };
    use ScanKind::{Accounts, Config, Plugins};
    let broken =
        runs::run(ScanKind::Accounts, RunOutcome::Failed(model::scan::FailureCause::Permission), 1).fault;
    let checkup = matches!(header.status.mark, Mark::Unhealthy).then(|| CheckupView {
        at: ago(Duration::minutes(3)),
        by: "Dana Osei".to_owned(),
        says: "GitHub knows the credential, but it could not read for: Risky Account Scan.".to_owned(),
        fault: None,
        scans: vec![
            CheckupScan { kind: ScanKind::Config, ladder: held(), fault: None },
            CheckupScan { kind: ScanKind::Accounts, ladder: Vec::new(), fault: broken },
        ],
        console: Some(Link { title: "Open GitHub".to_owned(), href: "https://github.com".to_owned() }),
    });
    SettingsPage {
        now: now(),
        scans: marks(&header).iter().map(|m| card(&header, m)).collect(),
        credential: CredentialCard {
            kind: "GitHub App".to_owned(),
            subject: told(&header.instance, "app 1234 (parapet-acme)"),
            tenant_uid: told(&header.instance, "9919"),
            tenant_name: header.instance.tenant.clone(),
            permissions: vec![
                permission("administration:read", &[Config], &[], Known::Is(true), false),
                permission("members:read", &[Accounts], &[Config], Known::Is(header.status.mark != Mark::Unhealthy), false),
                permission("organization_hooks:read", &[Plugins], &[], Known::Unknown, false),
                permission("contents:read", &[], &[], Known::Is(true), true),
            ],
            granted_known: true,
            expires_at: Known::Is(now() + Duration::days(9)),
            last_used_at: Some(ago(Duration::minutes(12))),
            since: ago(Duration::days(130)),
            suspended: (header.status.mark == Mark::Down).then(|| {
                Sentence::new("Suspended since ").exact(ago(Duration::minutes(273))).text(" after 3 refusals in a row, so that the account is not locked out. It is tried once more ").at(now() + Duration::minutes(87)).text(".")
            }),
            disabled: None,
        },
        intervals: [15, 30, 60, 120, 360, 720, 1_440].map(Duration::minutes).to_vec(),
        owners: vec![dana(), jon()],
        paused,
        onboarded_at: ago(Duration::days(130)),
        entered: vec![("Organisation".to_owned(), header.instance.tenant.clone())],
        origins: vec!["https://api.github.com".to_owned()],
        removal: Removal { findings: 78, runs: 3_120, accounts: 1_284, plugins: 31 },
        checkup,
        may_change,
        header,
    }
}

fn github() -> CatalogueApp {
    CatalogueApp {
        id: "github".into(),
        name: "GitHub".to_owned(),
        vendor: "GitHub, Inc.".to_owned(),
        category: "source code".to_owned(),
        summary: "Organisations on github.com, GitHub Enterprise Cloud with data residency, and GitHub Enterprise Server.".to_owned(),
        scans: ScanKind::ALL.to_vec(),
        checks: 74,
        onboarded: 6,
        docs: "https://docs.github.com/rest".to_owned(),
    }
}

pub(crate) fn catalogue() -> CatalogueAppsPage {
    let mut scim = github();
    scim.id = "scim".into();
    scim.name = "SCIM directory".to_owned();
    scim.vendor = "any vendor".to_owned();
    scim.category = "identity".to_owned();
    scim.summary = "Accounts and groups of any server that speaks SCIM 2.0.".to_owned();
    scim.scans = vec![ScanKind::Accounts];
    scim.checks = 6;
    scim.onboarded = 1;
    CatalogueAppsPage { apps: vec![github(), scim], errors: vec![] }
}

fn field(name: &str, title: &str, help: &str, example: &str, secret: bool, multiline: bool) -> InputField {
    InputField {
        name: name.to_owned(),
        title: title.to_owned(),
        help: help.to_owned(),
        example: example.to_owned(),
        value: String::new(),
        secret,
        multiline,
        optional: false,
    }
}

pub(crate) fn form(reauthenticate: Option<ApplicationHeader>, input: &CredentialInput) -> CredentialFormPage {
    let token = input.auth == "token";
    let choice = |id: &str, title: &str, help: &str, selected| FormChoice {
        id: id.to_owned(),
        title: title.to_owned(),
        help: help.to_owned(),
        selected,
    };
    let mut organization = field(
        "organization",
        "Organisation",
        "As in the address: github.com/acme is acme.",
        "acme",
        false,
        false,
    );
    organization.value = match &reauthenticate {
        Some(header) => header.instance.tenant.clone(),
        None => input.settings.get("organization").cloned().unwrap_or_default(),
    };
    CredentialFormPage {
        now: now(),
        app: github(),
        reauthenticate,
        steps: Html(
            "<ol><li>In the organisation open <strong>Settings</strong>, <strong>Developer settings</strong>, <strong>GitHub Apps</strong>, and choose <strong>New GitHub App</strong>.</li>\
             <li>Switch <strong>Webhook</strong> off. Parapet receives nothing.</li>\
             <li>Grant the permissions below, read-only.</li>\
             <li>Create the app, note its <strong>App ID</strong>, generate a <strong>private key</strong>.</li>\
             <li>Install the app in the organisation, for all repositories.</li></ol>"
                .to_owned(),
        ),
        deployments: vec![
            choice("cloud", "github.com", "", input.deployment.is_empty() || input.deployment == "cloud"),
            choice("residency", "GitHub Enterprise Cloud with data residency", "", input.deployment == "residency"),
            choice("server", "GitHub Enterprise Server", "", input.deployment == "server"),
        ],
        auths: vec![
            choice("app", "GitHub App", "Recommended: read-only permissions, its own rate limit, nobody's account.", !token),
            choice("token", "Personal access token", "Where no app may be installed. Belongs to a person and expires.", token),
        ],
        settings: vec![organization],
        credential: if token {
            vec![field("token", "Token", "", "", true, false)]
        } else {
            vec![
                field("app_id", "App ID", "", "123456", false, false),
                field("private_key", "Private key (PEM)", "The whole file, with its first and last line.", "-----BEGIN RSA PRIVATE KEY-----", true, true),
            ]
        },
        permissions: vec![
            ScanPermissions {
                kind: ScanKind::Config,
                required: vec!["administration:read".to_owned(), "organization_administration:read".to_owned()],
                optional: vec![("secret_scanning_alerts:read".to_owned(), "secret scanning".to_owned())],
            },
            ScanPermissions { kind: ScanKind::Accounts, required: vec!["members:read".to_owned()], optional: vec![] },
            ScanPermissions { kind: ScanKind::Plugins, required: vec!["organization_hooks:read".to_owned()], optional: vec![] },
        ],
        origins: vec!["https://api.github.com".to_owned()],
        // As if it were an application of the operator's own.
        posts: if input.deployment == "server" { vec!["https://github.example/search".to_owned()] } else { Vec::new() },
        owners: vec![dana()],
        name: input.name.clone(),
        owner: None,
        sign_in: (input.auth == "person").then(terms),
        refusal: None,
    }
}

fn terms() -> SignInTerms {
    SignInTerms {
        redirect_uri: "https://parapet.example/connect/github".to_owned(),
        scopes: vec!["offline_access".to_owned(), "read:org".to_owned()],
    }
}

pub(crate) fn leaving(reauthenticate: Option<ApplicationHeader>) -> VendorSignInPage {
    VendorSignInPage {
        now: now(),
        app: github(),
        reauthenticate,
        address: "https://github.example/login/oauth/authorize?client_id=1&state=s-new".to_owned(),
        at: "https://github.example".to_owned(),
        terms: terms(),
        expires_at: now() + Duration::minutes(10),
    }
}

pub(crate) fn returned(reauthenticate: Option<ApplicationHeader>) -> VendorReturnPage {
    VendorReturnPage {
        now: now(),
        app: github(),
        reauthenticate,
        at: "https://github.example".to_owned(),
        expires_at: now() + Duration::minutes(10),
    }
}

pub(crate) fn preflight(reauthenticate: Option<ApplicationHeader>) -> PreflightPage {
    let lost = reauthenticate.is_some();
    let row = |kind, ready, missing: &[&str], gaps: &[&str], sentence: &str| ReadinessRow {
        kind,
        ready,
        missing: missing.iter().map(|m| (*m).to_owned()).collect(),
        gaps: gaps.iter().map(|m| (*m).to_owned()).collect(),
        sentence: sentence.to_owned(),
        lost: lost && !ready,
    };
    PreflightPage {
        now: now(),
        app: github(),
        draft: "d-1".to_owned(),
        draft_expires_at: now() + Duration::minutes(10),
        name: "acme".to_owned(),
        owner: Some(dana()),
        identity: Identity {
            tenant_uid: "9919".to_owned(),
            tenant_name: "acme".to_owned(),
            subject: "app 1234 (parapet-acme)".to_owned(),
            granted: Some(vec!["administration:read".to_owned(), "contents:read".to_owned()]),
            expires_at: Some(now() + Duration::days(90)),
        },
        origins: vec!["https://api.github.com".to_owned()],
        posts: reauthenticate.iter().map(|_| "https://github.example/search".to_owned()).collect(),
        scans: vec![
            row(
                ScanKind::Config,
                true,
                &[],
                &["secret_scanning_alerts:read"],
                "It starts as soon as this is saved.",
            ),
            row(
                ScanKind::Accounts,
                false,
                &["members:read"],
                &[],
                "It will not run. Parapet looks again every day and offers it when the permission has come.",
            ),
            row(ScanKind::Plugins, true, &[], &[], "It starts as soon as this is saved."),
        ],
        excess: vec!["contents:read".to_owned()],
        granted_known: true,
        duplicates: if lost { vec![] } else { vec![tiles().remove(1).instance] },
        can_save: true,
        requests: 5,
        reauthenticate,
    }
}
