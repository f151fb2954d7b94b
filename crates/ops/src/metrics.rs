//! The fleet as Prometheus reads it: the text format, version 0.0.4, written by hand. A dozen gauges that are computed when they
//! are asked for need no registry, no global state and no exporter; what a page shows and what is measured are the same facts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::diagnosis::Warning;
use model::finding::Severity;
use model::health::{ScanFacts, is_overdue, is_running, scan_status};
use model::schedule::due_at;
use model::time::Timestamp;
use model::view::Mark;

use crate::Ops;
use crate::fleet::Member;

/// Every name that is written, with its help. The alert rules of the documentation may use these and no others.
pub const NAMES: [(&str, &str); 13] = [
    ("parapet_instance_status", "1 for the settled status of an application, 0 for the others."),
    ("parapet_scan_status", "1 for the status of an enabled scan, 0 for the others."),
    (
        "parapet_scan_overdue",
        "1 when an enabled scan has finished no run for twice its interval and an hour.",
    ),
    ("parapet_scan_last_success_age_seconds", "Seconds since a scan last succeeded; absent until it has."),
    ("parapet_scan_interval_seconds", "How often a scan runs."),
    ("parapet_scan_last_run_duration_seconds", "How long the latest finished run of a scan took."),
    ("parapet_scan_last_run_requests", "Requests that the latest finished run of a scan sent."),
    ("parapet_scan_failures_in_a_row", "Failed runs of a scan since its last one that was not."),
    ("parapet_findings_open", "Open findings of an application; absent until a run has finished."),
    ("parapet_warnings", "What is not broken yet, by kind."),
    (
        "parapet_credential_expires_in_seconds",
        "Seconds until a credential ends; absent where that is not known.",
    ),
    ("parapet_queue_depth", "Enabled scans that are due and not running."),
    ("parapet_queue_lateness_seconds", "How long the scan that has been due longest has been waiting."),
];

/// A label's value as the format wants it: backslash, quote and line feed escaped, other control characters left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Names have at most 100 characters where they are entered; this holds for whatever is stored.
    for c in text.chars().take(200) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Samples by name, so that each name's samples stand together.
#[derive(Default)]
struct Samples(BTreeMap<&'static str, Vec<String>>);

impl Samples {
    fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.entry(name).or_default().push(format!("{labels} {value}"));
    }

    fn text(self) -> String {
        let mut out = String::new();
        for (name, help) in NAMES {
            let Some(samples) = self.0.get(name) else { continue };
            // Writing to a text cannot fail.
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n");
            for sample in samples {
                let _ = writeln!(out, "{name}{sample}");
            }
        }
        out
    }
}

fn seconds(length: model::time::Duration) -> f64 {
    length.0 as f64 / 1000.0
}

impl Ops {
    /// All of it, as of now. Paused applications are not counted: they have the status `paused` and nothing else. Whoever calls
    /// this has checked that the reader may: it names applications and counts their findings.
    #[must_use]
    pub fn metrics(&self) -> String {
        let now = self.now();
        let mut out = Samples::default();
        let (mut waiting, mut late) = (0u64, 0.0f64);
        for member in self.0.fleet.all() {
            let i = &member.row.instance;
            let labels = [("instance", i.id.as_str()), ("name", i.name.as_str()), ("app", i.app.as_str())];
            let settled = member.settled_mark(now);
            for mark in [Mark::Up, Mark::Unhealthy, Mark::Down, Mark::Scanning, Mark::Paused] {
                // Nothing has finished yet: no status, which is not a good one.
                let word = if mark == Mark::Scanning { "none" } else { mark.as_str() };
                let labels = with(&labels, &[("status", word)]);
                out.add("parapet_instance_status", &labels, u8::from(mark == settled));
            }
            if member.is_paused() {
                continue;
            }
            if let Some(open) = member.open_findings() {
                for severity in Severity::ALL {
                    let labels = with(&labels, &[("severity", severity.as_str())]);
                    out.add("parapet_findings_open", &labels, open.of(severity));
                }
            }
            let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
            // What a run told is nearer than what was known when the credential was entered, or it is the same.
            let mut expires_at = i.identity.expires_at;
            for warning in member.warnings(now) {
                *kinds.entry(warning.kind()).or_default() += 1;
                if let Warning::CredentialExpires { at } = warning {
                    expires_at = Some(at);
                }
            }
            for (kind, count) in kinds {
                out.add("parapet_warnings", &with(&labels, &[("kind", kind)]), count);
            }
            if let Some(at) = expires_at {
                out.add("parapet_credential_expires_in_seconds", &labels, seconds(at - now));
            }
            for scan in member.facts.iter().filter(|s| s.enablement.is_enabled()) {
                let labels = with(&labels, &[("scan", scan.kind.as_str())]);
                scan_samples(&mut out, &member, scan, &labels, now);
                if let Some(at) =
                    due_at(scan, &i.facts, now).filter(|at| *at <= now && !is_running(scan, now))
                {
                    waiting += 1;
                    late = late.max(seconds(now - at));
                }
            }
        }
        out.add("parapet_queue_depth", &[], waiting);
        out.add("parapet_queue_lateness_seconds", &[], late);
        out.text()
    }
}

fn with<'l>(labels: &[(&'l str, &'l str)], more: &[(&'l str, &'l str)]) -> Vec<(&'l str, &'l str)> {
    labels.iter().chain(more).copied().collect()
}

fn scan_samples(
    out: &mut Samples,
    member: &Member,
    scan: &ScanFacts,
    labels: &[(&str, &str)],
    now: Timestamp,
) {
    let facts = &member.row.instance.facts;
    let status = scan_status(scan, facts, now);
    for word in ["up", "unhealthy", "down", "scanning"] {
        out.add("parapet_scan_status", &with(labels, &[("status", word)]), u8::from(status.as_str() == word));
    }
    out.add("parapet_scan_overdue", labels, u8::from(is_overdue(scan, facts, now)));
    out.add("parapet_scan_interval_seconds", labels, seconds(scan.interval));
    out.add("parapet_scan_failures_in_a_row", labels, scan.failures_in_a_row);
    if let Some(at) = scan.last_success_at {
        out.add("parapet_scan_last_success_age_seconds", labels, seconds(now - at));
    }
    if let Some(last) = &scan.last {
        out.add(
            "parapet_scan_last_run_duration_seconds",
            labels,
            seconds(last.finished_at - last.started_at),
        );
        out.add("parapet_scan_last_run_requests", labels, last.requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_leave_its_quotes() {
        let mut out = Samples::default();
        out.add("parapet_warnings", &[("name", "a\"} 1\nb\\c\u{7}")], 1);
        let text = out.text();
        let line = text.lines().last().expect("a sample");
        assert_eq!(line, r#"parapet_warnings{name="a\"} 1\nb\\c"} 1"#);
        assert_eq!(escaped(&"x".repeat(5000)).len(), 200);
    }

    #[test]
    fn the_alert_rules_use_names_that_are_written_and_the_guide_lists_all() {
        let rules = include_str!("../../../docs/monitoring/alerts.yml");
        let guide = include_str!("../../../docs/guides/monitoring.md");
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        let mut used = 0;
        for word in rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if word.starts_with("parapet_") {
                assert!(known.contains(&word), "{word} is not written");
                used += 1;
            }
        }
        assert!(used >= 6, "{used}");
        for rule in rules.split("- alert:").skip(1) {
            for part in ["expr:", "for:", "severity:", "summary:"] {
                assert!(rule.contains(part), "{part} is missing in {rule}");
            }
        }
        for name in known {
            assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
        }
    }
}
