//! Marks: status and severity as shape, word and colour together; monograms.

use std::fmt::Write as _;

use model::finding::{FindingState, Outcome, Severity};
use model::scan::{RunOutcome, ScanKind};
use model::view::{Known, Mark, RungState, ScanMark, Status};

use super::{Escaped, Markup};

/// The shape of a status alone, for places where its word stands beside it.
pub(crate) fn shape(mark: &Mark) -> Markup {
    let drawing = match mark {
        Mark::Up => r#"<circle cx="8" cy="8" r="6"/>"#,
        Mark::Unhealthy => r#"<path d="M8 1.6 15 14.2H1z"/>"#,
        Mark::Down => r#"<rect x="2" y="2" width="12" height="12" rx="1"/>"#,
        Mark::Scanning => {
            r#"<circle cx="8" cy="8" r="5.6" fill="none" stroke-width="2.4" stroke-dasharray="2.93 1.467"/>"#
        }
        Mark::NotEnabled => r#"<circle cx="8" cy="8" r="5.25" fill="none" stroke-width="1.5"/>"#,
        Mark::Paused => r#"<path d="M3.5 2h3v12h-3zM9.5 2h3v12h-3z"/>"#,
    };
    Markup(format!(
        r#"<svg class="mark mark-{}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{drawing}</svg>"#,
        mark.as_str()
    ))
}

/// Shape and word of a status.
pub(crate) fn status(status: &Status) -> Markup {
    Markup(format!(
        r#"<span class="status status-{}">{}<span class="status-word">{}</span></span>"#,
        status.mark.as_str(),
        shape(&status.mark),
        Escaped(&status.word)
    ))
}

/// Shape and word of a mark.
pub(crate) fn word(mark: &Mark) -> Markup {
    Markup(format!(
        r#"<span class="status status-{}">{}<span class="status-word">{}</span></span>"#,
        mark.as_str(),
        shape(mark),
        mark.word()
    ))
}

/// One scan as a small mark with its short name; the status is read out and told on hover.
pub(crate) fn scan(scan: &ScanMark) -> Markup {
    let name = short(scan.kind);
    let mut told = format!("{}: {}", scan.kind.title(), scan.status.word);
    if !scan.status.note.is_empty() {
        let _ = write!(told, " ({})", scan.status.note);
    }
    Markup(format!(
        r#"<span class="scan-mark" title="{}">{}<span aria-hidden="true">{name}</span><span class="sr">{}</span></span>"#,
        Escaped(&told),
        shape(&scan.status.mark),
        Escaped(&told),
    ))
}

/// The short name of a scan, where its title would not fit.
pub(crate) const fn short(kind: ScanKind) -> &'static str {
    match kind {
        ScanKind::Config => "Config",
        ScanKind::Accounts => "Accounts",
        ScanKind::Plugins => "Plugins",
    }
}

/// A severity as word with its place on the ramp.
pub(crate) fn severity(severity: &Severity) -> Markup {
    let filled = match severity {
        Severity::Critical => 5,
        Severity::High => 4,
        Severity::Medium => 3,
        Severity::Low => 2,
        Severity::Informational => 1,
    };
    // Five steps, so that the rank can be seen without the colour.
    let mut steps = String::new();
    for step in 0..5u32 {
        let height = 3 + 2 * step;
        let class = if step < filled { "on" } else { "off" };
        let _ = write!(
            steps,
            r#"<rect class="{class}" x="{}" y="{}" width="2.6" height="{height}"/>"#,
            step * 4,
            11 - height
        );
    }
    Markup(format!(
        concat!(
            r#"<span class="severity sev-{}"><svg viewBox="0 0 19 11" aria-hidden="true" focusable="false">{}</svg>"#,
            "{}</span>"
        ),
        severity.as_str(),
        steps,
        severity_word(severity)
    ))
}

/// The word people read.
pub(crate) const fn severity_word(severity: &Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Informational => "Informational",
    }
}

/// The word people read.
pub(crate) const fn state_word(state: &FindingState) -> &'static str {
    match state {
        FindingState::New => "New",
        FindingState::InProgress => "In progress",
        FindingState::Resolved => "Resolved",
        FindingState::Suppressed => "Suppressed",
    }
}

/// The outcome of a check as shape and word.
pub(crate) fn outcome(outcome: &Outcome) -> Markup {
    let (class, drawing, word) = match outcome {
        Outcome::Pass => ("pass", r#"<path d="m3 8.5 3.3 3.3L13 4.6"/>"#, "Pass"),
        Outcome::Fail => ("fail", r#"<path d="m4 4 8 8m0-8-8 8"/>"#, "Fail"),
        Outcome::Inconclusive => (
            "inconclusive",
            r#"<path d="M5.2 5.6a2.8 2.8 0 1 1 4.2 2.5c-.9.5-1.4 1-1.4 2M8 12.6v.8"/>"#,
            "Inconclusive",
        ),
        Outcome::NotApplicable => ("not_applicable", r#"<path d="M4 8h8"/>"#, "Not applicable"),
    };
    line(class, drawing, word)
}

/// How a run ended, as shape and word.
pub(crate) fn run_outcome(outcome: &RunOutcome) -> Markup {
    let (mark, word) = match outcome {
        RunOutcome::Succeeded => (Mark::Up, "Succeeded"),
        RunOutcome::Partial(_) => (Mark::Unhealthy, "Partial"),
        RunOutcome::Failed(_) => (Mark::Down, "Failed"),
    };
    Markup(format!(
        r#"<span class="status status-{}">{}<span class="status-word">{word}</span></span>"#,
        mark.as_str(),
        shape(&mark)
    ))
}

fn line(class: &str, drawing: &str, word: &str) -> Markup {
    Markup(format!(
        r#"<span class="outcome outcome-{class}"><svg class="line" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{drawing}</svg>{word}</span>"#
    ))
}

/// Tick, cross or dot of a rung; its meaning is read out.
pub(crate) fn rung(state: &RungState) -> Markup {
    let (class, drawing, word) = match state {
        RungState::Held => ("held", r#"<path d="m3 8.5 3.3 3.3L13 4.6"/>"#, "held"),
        RungState::Broke => ("broke", r#"<path d="m4 4 8 8m0-8-8 8"/>"#, "failed here"),
        RungState::NotReached => ("not-reached", r#"<path d="M7 8h2"/>"#, "not reached"),
    };
    Markup(format!(
        r#"<svg class="line rung-{class}" viewBox="0 0 16 16" role="img" aria-label="{word}" focusable="false">{drawing}</svg>"#
    ))
}

/// Two letters on a colour, both from the name: `Acme Engineering` is AE.
pub(crate) fn monogram(name: &str) -> Markup {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let first = words.next().unwrap_or("?");
    let mut letters: String = first.chars().take(1).collect();
    match words.next() {
        Some(second) => letters.extend(second.chars().take(1)),
        None => letters.extend(first.chars().skip(1).take(1)),
    }
    // Twelve hues stand in the style sheet; a style attribute would need a hole in the content security policy.
    let hue = name.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b))) % 12;
    Markup(format!(
        r#"<span class="monogram hue-{hue}" aria-hidden="true">{}</span>"#,
        Escaped(&letters.to_uppercase())
    ))
}

/// A yes-or-no value as far as it is known.
pub(crate) fn yes_no(value: &Known<bool>) -> &'static str {
    match value {
        Known::Is(true) => "Yes",
        Known::Is(false) => "No",
        Known::Absent => "None",
        Known::Unknown => "Not known",
    }
}

/// A reason as a sentence of its own: it begins with a capital letter and ends with a full stop.
pub(crate) fn sentence(reason: &str) -> String {
    let mut chars = reason.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str() + ".")
}

/// How a person stands at the identity provider.
pub(crate) fn identity_state(state: &Option<model::identity::State>) -> Markup {
    use model::identity::State;
    match state {
        Some(State::Active) => line("pass", r#"<path d="m3 8.5 3.3 3.3L13 4.6"/>"#, "Active"),
        Some(State::Invited) => line("inconclusive", r#"<circle cx="8" cy="8" r="5"/>"#, "Invited"),
        Some(over) => line("fail", r#"<path d="m4 4 8 8M12 4l-8 8"/>"#, &humane(over.as_str())),
        None => Markup(r#"<span class="quiet">not known</span>"#.to_owned()),
    }
}

/// Whose an account is, in a word.
pub(crate) fn matched(whose: &model::view::Whose) -> Markup {
    use model::identity::Match;
    match whose.matched {
        Match::Matched => line("pass", r#"<path d="m3 8.5 3.3 3.3L13 4.6"/>"#, "Known there"),
        Match::Deactivated => line("fail", r#"<path d="m4 4 8 8M12 4l-8 8"/>"#, "Deactivated there"),
        Match::Unmatched => line("fail", r#"<path d="m4 4 8 8M12 4l-8 8"/>"#, "Not known there"),
        Match::Unknown => line("inconclusive", r#"<circle cx="8" cy="8" r="5"/>"#, "Cannot be told"),
    }
}

/// Text as far as it is known.
pub(crate) fn known(value: &Known<String>) -> Markup {
    match value {
        Known::Is(text) => Markup(Escaped(text).to_string()),
        Known::Absent => Markup(r#"<span class="quiet">none</span>"#.to_owned()),
        Known::Unknown => Markup(r#"<span class="quiet">not known</span>"#.to_owned()),
    }
}

/// Whether a scan will run.
pub(crate) fn ready(ready: bool) -> Markup {
    if ready {
        line("pass", r#"<path d="m3 8.5 3.3 3.3L13 4.6"/>"#, "Will run")
    } else {
        line("inconclusive", r#"<circle cx="8" cy="8" r="5"/>"#, "Will not run")
    }
}

/// The grade of a scope: three steps, filled up to its height.
pub(crate) fn grade(grade: &Known<String>) -> Markup {
    let Known::Is(word) = grade else { return known(grade) };
    let filled = match word.as_str() {
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    };
    let mut steps = String::new();
    for step in 0..3u32 {
        let height = 3 + 4 * step;
        let class = if step < filled { "on" } else { "off" };
        let _ = write!(
            steps,
            r#"<rect class="{class}" x="{}" y="{}" width="2.6" height="{height}"/>"#,
            step * 4,
            11 - height
        );
    }
    Markup(format!(
        r#"<span class="severity grade-{filled}"><svg viewBox="0 0 11 11" aria-hidden="true" focusable="false">{steps}</svg>{}</span>"#,
        Escaped(&humane(word))
    ))
}

/// A vendor's or model's word made readable: `oauth_app` is `OAuth app`.
pub(crate) fn humane(word: &str) -> String {
    match word {
        "oauth_app" => return "OAuth app".to_owned(),
        "ssh_key" => return "SSH key".to_owned(),
        _ => {}
    }
    let spaced = word.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str())
}

/// Like [`known`], with [`humane`] words.
pub(crate) fn known_word(value: &Known<String>) -> Markup {
    match value {
        Known::Is(text) => known(&Known::Is(humane(text))),
        other => known(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_shape() {
        let shapes: std::collections::BTreeSet<String> =
            Mark::ALL.iter().map(|m| shape(m).to_string().replace(m.as_str(), "")).collect();
        assert_eq!(shapes.len(), Mark::ALL.len(), "two statuses differ only in colour");
    }

    #[test]
    fn monograms_come_from_the_name_and_are_escaped() {
        assert!(monogram("Acme Engineering").to_string().contains(">AE<"));
        assert!(monogram("globex").to_string().contains(">GL<"));
        assert!(monogram("").to_string().contains(">?<"));
        assert!(!monogram("<b> &").to_string().contains("<b>"));
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert_eq!(yes_no(&Known::Unknown), "Not known");
        assert!(known(&Known::Unknown).to_string().contains("not known"));
        assert!(known(&Known::Is("<x>".to_owned())).to_string().contains("&lt;x&gt;"));
    }
}
