//! The Applications page: sorted, filtered and paged in memory.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::diagnosis::Warning;
use model::time::Timestamp;
use model::view::{
    Actor, ApplicationsPage, ApplicationsQuery, Facet, FacetChoice, Mark, NextStep, Paging, Tile,
};
use model::words::FleetCounts;

use crate::Ops;
use crate::fleet::Member;
use crate::lists::{empty, limit};
use crate::refusal::{Result, invalid};

const TILES: u32 = 60;

/// Where an instance stands in the list: not-Up first, then by name; the id makes it unique.
type Position<'a> = (u8, &'a str, &'a str);

/// An instance with what its place and the numbers above the list are made of. There is one for each that is onboarded, every
/// time the page is asked for: nothing of it is copied or put into words.
struct Placed<'a> {
    position: Position<'a>,
    mark: Mark,
    member: &'a Member,
    warnings: Vec<Warning>,
}

impl Ops {
    /// The Applications page.
    ///
    /// # Errors
    /// A cursor or limit that cannot be used.
    pub async fn applications(&self, _actor: &Actor, query: &ApplicationsQuery) -> Result<ApplicationsPage> {
        let now = self.now();
        let members = self.0.fleet.all();
        let all: Vec<Placed<'_>> = members.iter().map(|m| placed(m, now)).collect();
        let text = query.search.as_deref().map(|s| s.trim().to_lowercase()).filter(|s| !s.is_empty());
        let mut chosen: Vec<&Placed<'_>> =
            all.iter().filter(|p| matches(p, query, text.as_deref())).collect();
        chosen.sort_by(|a, b| a.position.cmp(&b.position));
        let size = limit(&query.cut, TILES)? as usize;
        let (start, end) = window(&chosen, query, size)?;
        let page = &chosen[start..end];
        let paging = Paging {
            total: chosen.len() as u64,
            unfiltered: all.len() as u64,
            next: (end < chosen.len()).then(|| page.last().map(|p| cursor(p.position))).flatten(),
            previous: (start > 0).then(|| page.first().map(|p| cursor(p.position))).flatten(),
        };
        Ok(ApplicationsPage {
            now,
            headline: headline(&all),
            counts: counts(&all),
            facets: facets(&all, query),
            tiles: page.iter().map(|p| tile(p.member, now)).collect(),
            empty: empty(
                &paging,
                "No application is onboarded yet, so there is nothing to say about any.",
                NextStep::AddApplication,
            ),
            paging,
        })
    }
}

fn placed(member: &Member, now: Timestamp) -> Placed<'_> {
    let mark = member.settled_mark(now);
    // Paused ones stand last: nothing runs there, and nothing is promised.
    let rank = match mark {
        Mark::Down => 0,
        Mark::Unhealthy => 1,
        Mark::Scanning => 2,
        Mark::Up | Mark::NotEnabled => 3,
        Mark::Paused => 4,
    };
    let position = (rank, member.sort_name.as_str(), member.id().as_str());
    Placed { position, mark, member, warnings: member.warnings(now) }
}

/// Whether an instance is asked for; `text` is the search, trimmed and in lower case.
fn matches(placed: &Placed<'_>, query: &ApplicationsQuery, text: Option<&str>) -> bool {
    let member = placed.member;
    text.is_none_or(|t| member.search.contains(t))
        && query.status.is_none_or(|s| s == placed.mark)
        && query.app.as_ref().is_none_or(|a| *a == member.row.instance.app)
        && match query.owner.as_deref() {
            None => true,
            Some("none") => member.row.instance.owner.is_none(),
            Some(id) => member.row.instance.owner.as_ref().is_some_and(|o| o.as_str() == id),
        }
        && query.warning.as_deref().is_none_or(|w| placed.warnings.iter().any(|found| found.kind() == w))
}

fn window(chosen: &[&Placed<'_>], query: &ApplicationsQuery, size: usize) -> Result<(usize, usize)> {
    if let Some(after) = &query.cut.after {
        let position = parse(after, "after")?;
        let start = chosen.partition_point(|p| p.position <= borrowed(&position));
        return Ok((start, (start + size).min(chosen.len())));
    }
    if let Some(before) = &query.cut.before {
        let position = parse(before, "before")?;
        let end = chosen.partition_point(|p| p.position < borrowed(&position));
        return Ok((end.saturating_sub(size), end));
    }
    Ok((0, size.min(chosen.len())))
}

fn cursor(position: Position<'_>) -> String {
    // A tuple of a number and two texts always has a JSON form.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&position).unwrap_or_default())
}

fn borrowed((rank, name, id): &(u8, String, String)) -> Position<'_> {
    (*rank, name, id)
}

fn parse(text: &str, field: &str) -> Result<(u8, String, String)> {
    URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        invalid(field, "This link to a page of the list cannot be read; start from the first page.")
    })
}

fn headline(all: &[Placed<'_>]) -> model::words::Sentence {
    let mut counts = FleetCounts::default();
    for placed in all {
        match placed.mark {
            Mark::Paused => {
                counts.paused += 1;
                continue;
            }
            Mark::Down => counts.down += 1,
            Mark::Unhealthy => counts.unhealthy += 1,
            Mark::Scanning => counts.no_result += 1,
            Mark::Up | Mark::NotEnabled => {}
        }
        counts.total += 1;
        let expiry = placed.warnings.iter().find_map(|w| match w {
            Warning::CredentialExpires { at } => Some(*at),
            _ => None,
        });
        if let Some(at) = expiry {
            counts.expiring += 1;
            counts.first_expiry_at = Some(counts.first_expiry_at.map_or(at, |first| first.min(at)));
        }
    }
    model::words::fleet(&counts)
}

fn counts(all: &[Placed<'_>]) -> Vec<(Mark, u64)> {
    Mark::ALL
        .into_iter()
        .map(|mark| (mark, all.iter().filter(|p| p.mark == mark).count() as u64))
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn facets(all: &[Placed<'_>], query: &ApplicationsQuery) -> Vec<Facet> {
    let mut owners = std::collections::BTreeMap::new();
    let mut apps = std::collections::BTreeMap::new();
    let mut warnings = std::collections::BTreeMap::new();
    for Placed { member, warnings: told, .. } in all {
        let owner = member.owner.as_ref().map_or(("Nobody", "none"), |o| (o.name.as_str(), o.id.as_str()));
        *owners.entry(owner).or_insert(0u64) += 1;
        *apps.entry((member.app_name(), member.row.instance.app.as_str())).or_insert(0u64) += 1;
        for kind in told.iter().map(Warning::kind) {
            *warnings.entry((model::ahead::kind_title(kind), kind)).or_insert(0u64) += 1;
        }
    }
    let choices = |map: std::collections::BTreeMap<(&str, &str), u64>, active: Option<&str>| {
        map.into_iter()
            .map(|((title, value), count)| FacetChoice {
                active: active == Some(value),
                title: title.to_owned(),
                value: value.to_owned(),
                count: Some(count),
            })
            .collect()
    };
    let status = counts(all)
        .into_iter()
        .map(|(mark, count)| FacetChoice {
            value: mark.as_str().to_owned(),
            title: if mark == Mark::Scanning { "No result yet" } else { mark.word() }.to_owned(),
            count: Some(count),
            active: query.status == Some(mark),
        })
        .collect();
    let facet =
        |name: &str, title: &str, choices| Facet { name: name.to_owned(), title: title.to_owned(), choices };
    vec![
        facet("status", "Status", status),
        facet("owner", "Owner", choices(owners, query.owner.as_deref())),
        facet("app", "Product", choices(apps, query.app.as_ref().map(model::id::AppId::as_str))),
        facet("warning", "Warning", choices(warnings, query.warning.as_deref())),
    ]
}

fn tile(member: &Member, now: Timestamp) -> Tile {
    let mut warnings = member.warning_lines(now);
    let more = warnings.len().saturating_sub(1) as u64;
    Tile {
        instance: member.instance_ref(),
        status: member.status(now),
        owner: member.owner.clone(),
        scans: member.scan_marks(now),
        findings: member.open_findings(),
        new_since_yesterday: member.has_result().then_some(member.counts.new),
        stale_since: member.counts.stale_since,
        last_finished_at: member.facts.iter().filter_map(|s| s.last.as_ref()).map(|l| l.finished_at).max(),
        warning: if warnings.is_empty() { None } else { Some(warnings.remove(0)) },
        more_warnings: more,
    }
}
