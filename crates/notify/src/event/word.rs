//! The wording of events.

use model::health::SettledStatus;
use model::time::Timestamp;
use model::view::SeverityCounts;
use model::words::{count, duration, list};

use super::{Event, Kind, Level, Subject};
use crate::alert::Change;

/// Where an event goes into a title: how many products it is about.
fn product(subjects: &[Subject]) -> String {
    let mut products: Vec<&str> = subjects.iter().map(|s| s.product.as_str()).collect();
    products.sort_unstable();
    products.dedup();
    match products.as_slice() {
        [one] => format!(" of {one}"),
        _ => String::new(),
    }
}

/// A subject and the change of its status.
#[derive(Debug, Clone)]
pub struct Told {
    /// The application; `says` explains its status.
    pub subject: Subject,
    /// What changed.
    pub change: Change,
}

/// One or more applications changed their settled status alike: all of them recovered, or none did.
#[must_use]
pub fn status(id: String, at: Timestamp, told: Vec<Told>) -> Event {
    let recovered = told.iter().all(|t| t.change.is_recovery());
    let down = told.iter().filter(|t| t.change.is == SettledStatus::Down).count() as u64;
    let subjects: Vec<Subject> = told.iter().map(worded).collect();
    let title = match (subjects.as_slice(), told.as_slice()) {
        ([one], _) if recovered => format!("{} is Up again", named(one)),
        ([one], [t]) => format!("{} is {}", named(one), t.change.is.title()),
        (all, _) if recovered => {
            format!("{} applications{} are Up again", count(all.len() as u64), product(all))
        }
        (all, _) => {
            let n = all.len() as u64;
            let parts: Vec<String> = [(down, "Down"), (n - down, "Unhealthy")]
                .into_iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{} {word}", count(n)))
                .collect();
            format!("{} applications{} are not Up: {}", count(n), product(all), list(&parts))
        }
    };
    Event {
        id,
        kind: if recovered { Kind::Recovered } else { Kind::StatusChanged },
        at,
        title,
        level: if recovered {
            Level::Notice
        } else if down > 0 {
            Level::Error
        } else {
            Level::Warning
        },
        applications: subjects,
        simulated: false,
    }
}

fn named(subject: &Subject) -> String {
    format!("{} ({})", subject.name, subject.product)
}

fn worded(told: &Told) -> Subject {
    let Told { subject, change } = told;
    let mut subject = subject.clone();
    subject.status = Some(change.is.as_str().to_owned());
    subject.was = Some(change.was.as_str().to_owned());
    subject.since = Some(change.since);
    if change.is_recovery() {
        let failures = match change.failures {
            0 => String::new(),
            1 => " after 1 failure,".to_owned(),
            n => format!(" after {} failures,", count(n.into())),
        };
        let length = duration(change.since - change.not_up_since);
        // Of one stage its name; an outage of several was not Up.
        let was = if change.not_up_since == change.was_since { change.was.title() } else { "not Up" };
        subject.says = format!("Recovered{failures} {length} {was}. {}", subject.says);
    }
    subject
}

/// Something will break.
#[must_use]
pub fn warning(id: String, at: Timestamp, subjects: Vec<Subject>) -> Event {
    let title = match subjects.as_slice() {
        [one] => format!("{} ({}): {}", one.name, one.product, one.says),
        all => format!("Warnings ahead for {} applications{}", count(all.len() as u64), product(all)),
    };
    Event {
        id,
        kind: Kind::WarningAhead,
        at,
        title,
        level: Level::Warning,
        applications: subjects,
        simulated: false,
    }
}

/// Findings appeared in one application.
#[must_use]
pub fn findings(id: String, at: Timestamp, mut subject: Subject, counts: &SeverityCounts) -> Event {
    let parts: Vec<String> = model::finding::Severity::ALL
        .into_iter()
        .filter(|s| counts.of(*s) > 0)
        .map(|s| format!("{} {s}", count(counts.of(s))))
        .collect();
    let n = counts.total();
    let title = format!(
        "{} ({}): {} new {} ({})",
        subject.name,
        subject.product,
        count(n),
        if n == 1 { "finding" } else { "findings" },
        list(&parts)
    );
    if subject.says.is_empty() {
        subject.says.clone_from(&title);
    }
    let level = if counts.critical > 0 { Level::Error } else { Level::Warning };
    Event { id, kind: Kind::NewFindings, at, title, level, applications: vec![subject], simulated: false }
}

/// A digest could not be delivered.
#[must_use]
pub fn digest_failed(id: String, at: Timestamp, to: &str, day: &str, why: &str) -> Event {
    Event {
        id,
        kind: Kind::DigestFailed,
        at,
        title: format!("The digest of {day} for {to} could not be delivered: {why}"),
        level: Level::Error,
        applications: Vec::new(),
        simulated: false,
    }
}

/// What "Send a test" sends.
#[must_use]
pub fn test(id: String, at: Timestamp, by: &str) -> Event {
    Event {
        id,
        kind: Kind::Test,
        at,
        title: format!("Parapet reaches this destination. {by} asked for this test; nothing is wrong."),
        level: Level::Notice,
        applications: Vec::new(),
        simulated: false,
    }
}
