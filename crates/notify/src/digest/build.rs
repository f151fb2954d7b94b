//! From material to what the templates say.

use model::diagnosis::Warning;
use model::digest::{Application, Changes, Material, Recipient};
use model::health::{InstanceFacts, ScanFacts, SettledStatus};
use model::time::Timestamp;
use model::view::{Mark, SeverityCounts};
use model::words::{self, About, Action, FleetCounts, Part, Sentence, count, list};

use super::{App, Digest, Frame, Line, Link, Scan};
use crate::due::Pace;

/// What one application contributes, with what sorts it.
struct Seen<'a> {
    app: &'a Application,
    settled: Option<SettledStatus>,
    /// Its scans with live leases taken away: a digest is read hours later, and what runs at its making says nothing then.
    scans: Vec<ScanFacts>,
}

pub(super) fn build(material: &Material, pace: &Pace, now: Timestamp, frame: &Frame<'_>) -> Digest {
    let at = |at: Timestamp| local(at, pace);
    let mut seen: Vec<Seen<'_>> = material.applications.iter().map(|app| look(app, now)).collect();
    seen.sort_by_key(|s| (s.settled, s.app.name.to_lowercase(), s.app.id.clone()));
    let counts = fleet(&seen);
    let of = |wanted: &dyn Fn(Option<SettledStatus>) -> bool, full: bool| -> Vec<App> {
        let chosen = seen.iter().filter(|s| wanted(s.settled));
        chosen.map(|s| application(s, full, &material.recipient, pace, now, frame)).collect()
    };
    let not_up = |s| matches!(s, Some(SettledStatus::Down | SettledStatus::Unhealthy));
    let trouble = of(&not_up, true);
    let changed: Vec<Line> = seen.iter().filter_map(|s| changes(s.app, frame)).collect();
    // A failed or missing scan sees no change: silence about it is not the same as none.
    let blind = seen.iter().any(|s| s.settled != Some(SettledStatus::Up));
    Digest {
        subject: subject(&counts),
        day: pace.day(now).strftime("%A %-d %B %Y").to_string(),
        to: material.name.clone(),
        headline: plain(&words::fleet(&counts), pace),
        as_of: at(now),
        waiting: of(&|s| s == Some(SettledStatus::NoneYet), true),
        fine: of(&|s| s == Some(SettledStatus::Up), false),
        paused: of(&|s| s.is_none(), false),
        trouble,
        since: material
            .since
            .map_or_else(|| "in the last 24 hours".to_owned(), |s| format!("since {}", at(s))),
        changed_note: if blind {
            "Scans that failed, wait or are paused see no change: what they missed is not in these numbers."
                .to_owned()
        } else {
            String::new()
        },
        changed,
        ahead: seen.iter().filter_map(|s| ahead(s.app, pace, now, frame)).collect(),
        home: frame.base.map(|base| format!("{base}/applications")),
        unsubscribe: frame.unsubscribe.map(str::to_owned),
        all_clear: material.is_all_clear(now),
        simulated: frame.simulated,
    }
}

fn look(app: &Application, now: Timestamp) -> Seen<'_> {
    let mut scans = app.scans.clone();
    for scan in &mut scans {
        if let Some(open) = &mut scan.open
            && open.lease.is_some()
        {
            open.lease = None;
            open.waiting_until = None;
        }
    }
    Seen { app, settled: app.settled(now), scans }
}

fn fleet(seen: &[Seen<'_>]) -> FleetCounts {
    let mut counts = FleetCounts::default();
    for s in seen {
        match s.settled {
            None => {
                counts.paused += 1;
                continue;
            }
            Some(SettledStatus::Down) => counts.down += 1,
            Some(SettledStatus::Unhealthy) => counts.unhealthy += 1,
            Some(SettledStatus::NoneYet) => counts.no_result += 1,
            Some(SettledStatus::Up) => {}
        }
        counts.total += 1;
        let expiry = s.app.warnings.iter().find_map(|w| match w {
            Warning::CredentialExpires { at } => Some(*at),
            _ => None,
        });
        if let Some(at) = expiry {
            counts.expiring += 1;
            counts.first_expiry_at = Some(counts.first_expiry_at.map_or(at, |first| first.min(at)));
        }
    }
    counts
}

/// `Parapet: 1 application Down, 1 Unhealthy (of 6)`, `Parapet: all 6 applications Up`.
fn subject(counts: &FleetCounts) -> String {
    let named = |n: u64| format!("{} {}", count(n), if n == 1 { "application" } else { "applications" });
    let parts: Vec<(u64, &str)> =
        [(counts.down, "Down"), (counts.unhealthy, "Unhealthy"), (counts.no_result, "without a result yet")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .collect();
    let news = match parts.as_slice() {
        [] if counts.total == 0 => format!("{} paused", named(counts.paused)),
        [] if counts.total == 1 => "the one application is Up".to_owned(),
        [] => format!("all {} Up", named(counts.total)),
        [(first, word), rest @ ..] => {
            let mut says = format!("{} {word}", named(*first));
            for (n, word) in rest {
                says = format!("{says}, {} {word}", count(*n));
            }
            format!("{says} (of {})", count(counts.total))
        }
    };
    format!("Parapet: {news}")
}

fn application(
    seen: &Seen<'_>,
    full: bool,
    recipient: &Recipient,
    pace: &Pace,
    now: Timestamp,
    frame: &Frame<'_>,
) -> App {
    let Seen { app, settled, scans } = seen;
    let about = About { app: &app.product, instance: &app.facts, scans, now };
    let (mark, word) = match settled {
        None => (Mark::Paused, Mark::Paused.word()),
        Some(SettledStatus::Down) => (Mark::Down, Mark::Down.word()),
        Some(SettledStatus::Unhealthy) => (Mark::Unhealthy, Mark::Unhealthy.word()),
        Some(SettledStatus::NoneYet) => (Mark::Scanning, SettledStatus::NoneYet.title()),
        Some(SettledStatus::Up) => (Mark::Up, Mark::Up.word()),
    };
    let says = match settled {
        Some(SettledStatus::Up) => up(app, scans, pace),
        Some(SettledStatus::NoneYet) => format!(
            "Onboarded {}. No scan has finished yet, so nothing is known about it.",
            local(app.facts.onboarded_at, pace)
        ),
        // The word stands beside it already.
        _ => {
            let says = plain(&about.application(), pace);
            says.strip_prefix(&format!("{word}: ")).map_or(says.clone(), capital)
        }
    };
    let mut wants_credential = app.facts.suspension.is_some();
    let shown: Vec<Scan> = scans
        .iter()
        .map(|scan| {
            let words = about.scan(scan);
            wants_credential |= scan.enablement.is_enabled()
                && words.remedy.as_ref().is_some_and(|r| r.action == Action::Reauthenticate);
            one_scan(scan, &words, &app.facts, pace)
        })
        .collect();
    let path = format!("/applications/{}", app.id);
    let link = frame.base.map(|base| {
        if full && wants_credential {
            Link { title: "Reauthenticate", href: format!("{base}{path}/reauthenticate") }
        } else {
            Link { title: "View Details", href: format!("{base}{path}") }
        }
    });
    App {
        mark,
        word,
        name: app.name.clone(),
        about: format!("{}, {}", app.product, app.tenant),
        says,
        why_you: why_you(app, recipient, now, pace),
        scans: if full { shown } else { Vec::new() },
        link,
    }
}

/// Why the admins are told of what is somebody's.
fn why_you(app: &Application, recipient: &Recipient, now: Timestamp, pace: &Pace) -> String {
    if let Some(name) = &app.inactive_owner {
        return format!("Its owner {name} gets no mail any more: assign another owner.");
    }
    let left = app.warnings.iter().find(|w| matches!(w, Warning::OwnerLeft { .. }));
    let left = left.filter(|_| *recipient == Recipient::Admins);
    left.map_or_else(String::new, |w| plain(&words::warning_says_at(w, now), pace))
}

fn one_scan(scan: &ScanFacts, words: &words::ScanWords, instance: &InstanceFacts, pace: &Pace) -> Scan {
    let notes = words.notes.iter().cloned().fold(words.says.clone(), Sentence::then);
    let failing = scan.enablement.is_enabled()
        && instance.paused.is_none()
        && !matches!(words.mark, model::health::Mark::Up);
    Scan {
        mark: words.mark.into(),
        title: scan.kind.title(),
        says: plain(&notes, pace),
        last_success: match scan.last_success_at {
            _ if !failing || scan.last.is_none() => String::new(),
            // The sentence has told it already.
            Some(at) if notes.0.iter().any(|p| matches!(p, Part::At(a) | Part::Exact(a) if *a == at)) => {
                String::new()
            }
            Some(at) => format!("It last succeeded {}.", local(at, pace)),
            None => "It has never succeeded.".to_owned(),
        },
        remedy: words
            .remedy
            .as_ref()
            .map_or_else(String::new, |r| format!("{} Who can: {}.", plain(&r.says, pace), r.who)),
        next: words.next.as_ref().map_or_else(String::new, |n| plain(n, pace)),
    }
}

/// One line about an application that is Up: how fresh it is, what is open, what is not scanned.
fn up(app: &Application, scans: &[ScanFacts], pace: &Pace) -> String {
    let enabled: Vec<&ScanFacts> = scans.iter().filter(|s| s.enablement.is_enabled()).collect();
    let oldest = enabled.iter().filter_map(|s| s.last.as_ref()).map(|l| l.finished_at).min();
    let mut says = match oldest {
        Some(at) if enabled.len() == 1 => format!("1 scan, finished {}.", local(at, pace)),
        Some(at) => format!("{} scans, each finished {} or later.", enabled.len(), local(at, pace)),
        None => format!("{} scans.", enabled.len()),
    };
    let open = app.open.total();
    says = match severities(&app.open) {
        None => format!("{says} No open finding."),
        Some(by) => format!("{says} {} open {}: {by}.", count(open), noun(open, "finding", "findings")),
    };
    if let (stale @ 1.., since) = app.stale {
        let since = since.map_or_else(String::new, |s| format!(" since {}", local(s, pace)));
        says = format!("{says} {} of them could not be confirmed{since}.", count(stale));
    }
    let off = scans.len() - enabled.len();
    if off > 0 {
        says = format!("{says} {} not enabled.", noun(off as u64, "1 scan is", &format!("{off} scans are")));
    }
    says
}

fn changes(app: &Application, frame: &Frame<'_>) -> Option<Line> {
    let Changes { new, resolved, risky_accounts, plugins, drift } = app.changes;
    let mut says = Vec::new();
    if let Some(by) = severities(&new) {
        says.push(format!("{} new {}: {by}.", count(new.total()), noun(new.total(), "finding", "findings")));
    }
    if let Some(by) = severities(&resolved) {
        says.push(format!(
            "{} {} resolved: {by}.",
            count(resolved.total()),
            noun(resolved.total(), "finding", "findings")
        ));
    }
    if risky_accounts > 0 {
        says.push(format!(
            "{} {} at risk anew.",
            count(risky_accounts),
            noun(risky_accounts, "account", "accounts")
        ));
    }
    if app.unreviewed_plugins > 0 {
        let waiting = noun(app.unreviewed_plugins, "plugin waits", "plugins wait");
        let says_new = if plugins > 0 { format!(", {} of them new", count(plugins)) } else { String::new() };
        says.push(format!("{} {waiting} for review{says_new}.", count(app.unreviewed_plugins)));
    }
    if drift > 0 {
        says.push(format!("{} {} changed.", count(drift), noun(drift, "value", "values")));
    }
    (!says.is_empty()).then(|| Line { name: app.name.clone(), says, link: link(frame, app, "") })
}

fn ahead(app: &Application, pace: &Pace, now: Timestamp, frame: &Frame<'_>) -> Option<Line> {
    let mut says: Vec<String> = app
        .warnings
        .iter()
        .map(|w| {
            let says = words::warning_says_at(w, now);
            plain(&says.then(words::warning_remedy(w, &app.product).says), pace)
        })
        .collect();
    if let [first, ..] = app.exceptions.as_slice() {
        let n = app.exceptions.len() as u64;
        says.push(if n == 1 {
            format!("The exception for \u{201c}{}\u{201d} ends {}.", first.says, local(first.at, pace))
        } else {
            format!(
                "{} exceptions end soon, the first {} (\u{201c}{}\u{201d}).",
                count(n),
                local(first.at, pace),
                first.says
            )
        });
    }
    (!says.is_empty()).then(|| Line { name: app.name.clone(), says, link: link(frame, app, "/settings") })
}

fn link(frame: &Frame<'_>, app: &Application, page: &str) -> Option<Link> {
    frame.base.map(|base| Link { title: "Open", href: format!("{base}/applications/{}{page}", app.id) })
}

/// `1 critical, 2 high`; `None` when there is none.
fn severities(counts: &SeverityCounts) -> Option<String> {
    let parts: Vec<String> = model::finding::Severity::ALL
        .into_iter()
        .filter(|s| counts.of(*s) > 0)
        .map(|s| format!("{} {s}", count(counts.of(s))))
        .collect();
    (!parts.is_empty()).then(|| list(&parts))
}

fn noun<'a>(n: u64, one: &'a str, more: &'a str) -> &'a str {
    if n == 1 { one } else { more }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// An instant in the reader's zone: `26 Nov 2026 08:00 CET`.
pub(super) fn local(at: Timestamp, pace: &Pace) -> String {
    at.to_jiff().to_zoned(pace.zone.clone()).strftime("%-d %b %Y %H:%M %Z").to_string()
}

/// A sentence with its instants in the reader's zone: a distance would be wrong by the time it is read.
fn plain(sentence: &Sentence, pace: &Pace) -> String {
    let parts = sentence.0.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::At(at) | Part::Exact(at) => local(*at, pace),
    });
    parts.collect()
}
