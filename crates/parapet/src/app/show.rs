//! A dry run as people read it.

use std::fmt::Write as _;

use super::dry::{Check, Dataset, Field, Report, Scan, Shown};
use crate::output::{clean, table};

/// Most fields named in a line; the JSON has them all.
const NAMED: usize = 12;

/// The report as text.
pub(super) fn people(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Dry run of {} (nothing is saved): tenant {} ({}), as {}",
        report.app,
        clean(&report.tenant),
        clean(&report.tenant_uid),
        if report.subject.is_empty() {
            "somebody the server does not name".to_owned()
        } else {
            clean(&report.subject)
        }
    );
    let granted = match &report.granted {
        None => "not told by the server; every dataset was tried".to_owned(),
        Some(granted) if granted.is_empty() => "none".to_owned(),
        Some(granted) => clean(&granted.join(", ")),
    };
    let _ = writeln!(out, "  permissions: {granted}");
    if let Some(at) = report.expires_at {
        let _ = writeln!(out, "  the credential expires {at}");
    }
    for scan in &report.scans {
        let _ = writeln!(out);
        one(&mut out, scan);
    }
    out
}

fn one(out: &mut String, scan: &Scan) {
    let title = scan.kind.title();
    if scan.outcome == "not_enabled" {
        let _ = writeln!(
            out,
            "\u{25cb} {title}: not run, the credential lacks {}",
            clean(&scan.missing.join(", "))
        );
        return;
    }
    let mark = match scan.outcome {
        "succeeded" => "\u{25cf}",
        "partial" => "\u{25b2}",
        _ => "\u{25a0}",
    };
    let cause = scan.cause.map_or_else(String::new, |c| format!(" ({})", c.as_str()));
    let _ =
        writeln!(out, "{mark} {title}: {}{cause}, {}", scan.outcome, many(scan.requests.into(), "request"));
    datasets(out, &scan.datasets);
    for (name, shown) in [("accounts", &scan.accounts), ("plugins", &scan.plugins)] {
        if let Some(shown) = shown {
            subjects(out, name, shown);
        }
    }
    checks(out, &scan.checks);
}

fn datasets(out: &mut String, datasets: &[Dataset]) {
    let mut rows = table(&["dataset", "read", "records", "requests", "request"]);
    for d in datasets {
        rows.add_row([
            &d.name,
            &d.state.replace('_', " "),
            &d.records.to_string(),
            &d.requests.to_string(),
            &clean(&d.request),
        ]);
    }
    let _ = writeln!(out, "{rows}");
    for d in datasets {
        if let Some(why) = &d.why {
            let _ = writeln!(out, "  {}: {}", d.name, clean(why));
        }
        let (never, partly): (Vec<&Field>, Vec<&Field>) =
            d.unknown.iter().partition(|f| f.records == d.records);
        if !never.is_empty() {
            let _ = writeln!(
                out,
                "  {}: in none of {} records: {}. Check `path` and `type`, or drop the field",
                d.name,
                d.records,
                names(&never)
            );
        }
        if !partly.is_empty() {
            let counted: Vec<String> =
                partly.iter().map(|f| format!("{} ({})", f.field, f.records)).collect();
            let _ = writeln!(
                out,
                "  {}: unknown in some of {} records: {}. Say what `missing` and `null` mean, if the server documents it",
                d.name,
                d.records,
                cut(&counted)
            );
        }
    }
}

fn subjects(out: &mut String, name: &str, shown: &Shown) {
    let whole = if shown.complete { "these are all" } else { "there may be more" };
    let _ = writeln!(out, "  {name}: {} ({whole})", shown.count);
    let never: Vec<&Field> = shown.unknown.iter().filter(|f| f.records == shown.count).collect();
    if !never.is_empty() {
        let _ = writeln!(out, "  {name}: known of none: {}", names(&never));
    }
}

fn checks(out: &mut String, checks: &[Check]) {
    let mut rows = table(&["check", "decided", "pass", "fail", "inconclusive", "n/a"]);
    for c in checks {
        let decided = match (c.pass + c.fail, c.inconclusive) {
            (_, 0) => "yes",
            (0, _) => "no",
            _ => "in part",
        };
        rows.add_row([
            c.id.as_str(),
            decided,
            &c.pass.to_string(),
            &c.fail.to_string(),
            &c.inconclusive.to_string(),
            &c.not_applicable.to_string(),
        ]);
    }
    let _ = writeln!(out, "{rows}");
    for c in checks.iter().filter(|c| c.inconclusive > 0) {
        let mut line =
            format!("  {} is undecided: {}", c.id, clean(c.why.as_deref().unwrap_or("no reason told")));
        if !c.unknown.is_empty() {
            let counted: Vec<String> =
                c.unknown.iter().map(|f| format!("{} ({})", f.field, f.records)).collect();
            let _ = write!(line, "; unknown: {}", cut(&counted));
        }
        if !c.needs.is_empty() {
            let _ = write!(line, "; would be decided with {}", clean(&c.needs.join(", ")));
        }
        let _ = writeln!(out, "{line}");
    }
}

/// `1 request`, `2 requests`.
pub(super) fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", model::words::count(count)) }
}

fn names(fields: &[&Field]) -> String {
    cut(&fields.iter().map(|f| f.field.clone()).collect::<Vec<_>>())
}

fn cut(words: &[String]) -> String {
    let more = words.len().saturating_sub(NAMED);
    let mut text = words.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more (--json names them)");
    }
    text
}
