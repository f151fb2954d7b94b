//! Applications: one of every situation.

use model::scan::ScanKind;
use model::time::Duration;
use model::view::{
    ApplicationHeader, ApplicationsPage, ApplicationsQuery, EmptyState, Facet, FacetChoice, InstanceRef,
    Mark, NextStep, ScanMark, SeverityCounts, Status, Tile, WarningLine,
};
use model::words::Sentence;

use super::{HOSTILE, HOSTILE_ID, ago, dana, directory, instance, jon, now, paging};

pub(crate) fn status(mark: Mark, note: &str, sentence: &str) -> Status {
    Status {
        mark,
        word: mark.word().to_owned(),
        note: note.into(),
        sentence: sentence.into(),
        since: Some(ago(Duration::hours(5))),
    }
}

fn scans(marks: [Mark; 3]) -> Vec<ScanMark> {
    ScanKind::ALL
        .into_iter()
        .zip(marks)
        .map(|(kind, mark)| ScanMark { kind, status: status(mark, "", "") })
        .collect()
}

fn warning(kind: &str, text: &str, days: i64) -> WarningLine {
    let remedy =
        "Make a new credential at the vendor and Reauthenticate with it; done in time, no scan fails.".into();
    WarningLine { kind: kind.to_owned(), text: text.into(), remedy, at: Some(now() + Duration::days(days)) }
}

fn counts(critical: u64, high: u64, medium: u64, low: u64, informational: u64) -> Option<SeverityCounts> {
    Some(SeverityCounts { critical, high, medium, low, informational })
}

fn tile(
    instance: InstanceRef,
    status: Status,
    scans: Vec<ScanMark>,
    findings: Option<SeverityCounts>,
) -> Tile {
    Tile {
        instance,
        status,
        owner: Some(dana()),
        scans,
        new_since_yesterday: findings.as_ref().map(|_| 0),
        findings,
        stale_since: None,
        last_finished_at: Some(ago(Duration::minutes(12))),
        warning: None,
        more_warnings: 0,
    }
}

/// The tiles, not-Up first.
pub(crate) fn tiles() -> Vec<Tile> {
    use Mark::{Down, NotEnabled, Paused, Scanning, Unhealthy, Up};
    let mut globex = tile(
        instance("i-globex", "Globex Platform", "globex"),
        status(
            Down,
            "",
            "Down since 2026-11-22 09:12 UTC (5 h ago): GitHub refused the token (401 Bad credentials) in every scan. It was \
             probably revoked. Reauthenticate with a new token.",
        ),
        scans([Down, Down, Down]),
        counts(1, 4, 6, 3, 0),
    );
    globex.stale_since = Some(ago(Duration::hours(5)));
    globex.last_finished_at = Some(ago(Duration::minutes(41)));
    let mut acme = tile(
        instance("i-acme", "Acme Engineering", "acme"),
        status(
            Unhealthy,
            "",
            "Unhealthy: Risky Account Scan failed twice since 14:05 (permission: members:read). Config Scan is Up.",
        ),
        scans([Up, Unhealthy, Up]),
        counts(2, 7, 23, 41, 5),
    );
    acme.new_since_yesterday = Some(3);
    acme.warning = Some(warning(
        "credential_expires",
        "The token expires in 9 days. Reauthenticate with a new one before.",
        9,
    ));
    acme.more_warnings = 1;
    let mut hooli = tile(
        instance("i-hooli", "Hooli", "hooli-inc"),
        status(
            Unhealthy,
            "scanning; last finished run failed",
            "Unhealthy: 3rd Party Plugins Scan was partial once.",
        ),
        scans([Up, Up, Scanning]),
        counts(0, 2, 11, 8, 2),
    );
    hooli.owner = Some(jon());
    let initech = tile(
        instance("i-initech", "Initech", "initech"),
        status(Up, "", "Up: the latest finished run of every enabled scan succeeded."),
        scans([Up, NotEnabled, Up]),
        counts(0, 1, 4, 9, 1),
    );
    let mut open_source = tile(
        instance(
            "i-oss",
            "Acme Open Source and everything that belongs to it",
            "acme-open-source-foundation",
        ),
        status(Up, "", "Up: the latest finished run of every enabled scan succeeded."),
        scans([Up, Up, Up]),
        counts(0, 0, 0, 0, 0),
    );
    open_source.owner = None;
    let mut directory = tile(
        directory(),
        Status {
            mark: Scanning,
            word: "Up".to_owned(),
            note: "first scan running, no result yet".into(),
            sentence: "Up: first scan running, no result yet.".into(),
            since: None,
        },
        vec![ScanMark {
            kind: ScanKind::Accounts,
            status: status(Scanning, "waiting for the first scan", ""),
        }],
        None,
    );
    directory.last_finished_at = None;
    let mut umbrella = tile(
        instance("i-umbrella", "Umbrella Archive", "umbrella"),
        status(Paused, "", "Paused since 2026-11-02 by Dana Reyes; Up before."),
        scans([Paused, Paused, Paused]),
        counts(0, 0, 3, 2, 0),
    );
    umbrella.last_finished_at = Some(ago(Duration::days(20)));
    umbrella.stale_since = Some(ago(Duration::days(20)));
    vec![globex, acme, hooli, open_source, initech, directory, umbrella]
}

/// An application whose every text tries to be more than text.
fn hostile() -> Tile {
    let mut tile = tile(
        instance(HOSTILE_ID, HOSTILE, HOSTILE),
        Status {
            mark: Mark::Unhealthy,
            word: HOSTILE.to_owned(),
            note: HOSTILE.into(),
            sentence: HOSTILE.into(),
            since: None,
        },
        scans([Mark::Up, Mark::Unhealthy, Mark::NotEnabled]),
        counts(1, 1, 1, 1, 1),
    );
    tile.instance.app_name = HOSTILE.to_owned();
    tile.owner.iter_mut().for_each(|o| o.name = HOSTILE.to_owned());
    tile.scans.iter_mut().for_each(|s| s.status.note = HOSTILE.into());
    tile.warning = Some(warning(HOSTILE, HOSTILE, 9));
    tile
}

/// A tile by its id, the hostile one included.
pub(crate) fn tile_of(id: &str) -> Option<Tile> {
    if id == HOSTILE_ID {
        Some(hostile())
    } else {
        tiles().into_iter().find(|t| t.instance.id.as_str() == id)
    }
}

fn choice(value: &str, title: &str, count: u64, active: bool) -> FacetChoice {
    FacetChoice { value: value.to_owned(), title: title.to_owned(), count: Some(count), active }
}

/// The Applications page; a search for "nothing" finds nothing, one for "new" is a fresh installation.
pub(crate) fn applications(query: &ApplicationsQuery) -> ApplicationsPage {
    let mut tiles = tiles();
    tiles.retain(|t| query.status.is_none_or(|s| t.status.mark == s));
    if query.search.as_deref() == Some("hostile") {
        tiles = vec![hostile()];
    }
    let fresh = query.search.as_deref() == Some("new");
    if fresh || query.search.as_deref() == Some("nothing") {
        tiles.clear();
    }
    let total = tiles.len() as u64;
    let mut paging = paging(total, &query.cut);
    paging.unfiltered = if fresh { 0 } else { 7 };
    let empty = if fresh {
        Some(EmptyState {
            says: "No application is onboarded yet.".to_owned(),
            next: NextStep::AddApplication,
        })
    } else {
        tiles.is_empty().then(|| EmptyState {
            says: "No application fits these filters.".to_owned(),
            next: NextStep::ClearFilters,
        })
    };
    let chosen = query.status;
    ApplicationsPage {
        now: now(),
        headline: if fresh {
            "No application is onboarded yet.".into()
        } else {
            Sentence::new("3 of 6 applications are not Up; 1 credential expires ")
                .at(now() + Duration::days(9))
                .text("; 1 paused.")
        },
        counts: vec![
            (Mark::Down, 1),
            (Mark::Unhealthy, 2),
            (Mark::Up, 2),
            (Mark::Scanning, 1),
            (Mark::Paused, 1),
        ],
        facets: vec![
            Facet {
                name: "status".to_owned(),
                title: "Status".to_owned(),
                choices: [(Mark::Down, 1), (Mark::Unhealthy, 2), (Mark::Up, 2), (Mark::Paused, 1)]
                    .map(|(m, n)| choice(m.as_str(), m.word(), n, chosen == Some(m)))
                    .to_vec(),
            },
            Facet {
                name: "owner".to_owned(),
                title: "Owner".to_owned(),
                choices: vec![choice("o-dana", "Dana Reyes", 5, false), choice("none", "Nobody", 1, false)],
            },
            Facet {
                name: "app".to_owned(),
                title: "Product".to_owned(),
                choices: vec![
                    choice("github", "GitHub", 6, false),
                    choice("scim", "SCIM directory", 1, false),
                ],
            },
            Facet {
                name: "warning".to_owned(),
                title: "Ahead".to_owned(),
                choices: vec![choice("credential_expires", "Credential expires", 1, false)],
            },
        ],
        tiles,
        paging,
        empty,
    }
}

/// The heading of an application.
pub(crate) fn header(id: &str) -> Option<ApplicationHeader> {
    let tile = tile_of(id)?;
    let mut warnings: Vec<WarningLine> = tile.warning.into_iter().collect();
    if tile.more_warnings > 0 {
        warnings.push(WarningLine {
            kind: "permission_lost".to_owned(),
            text: "The permission members:read is gone. Risky Account Scan needs it.".into(),
            remedy: "Grant members:read again at GitHub, or Reauthenticate with a credential that has it."
                .into(),
            at: None,
        });
    }
    Some(ApplicationHeader {
        reauthenticate: matches!(tile.status.mark, Mark::Down | Mark::Unhealthy),
        open_findings: tile.findings.map(|f| f.total()),
        risky_accounts: tile.findings.map(|_| 12),
        plugins: tile.findings.map(|_| 31),
        instance: tile.instance,
        status: tile.status,
        owner: tile.owner,
        warnings,
    })
}
