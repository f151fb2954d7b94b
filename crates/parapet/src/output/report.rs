//! The report of a one-off scan, for people, programs and spreadsheets.

use std::fmt::Write as _;

use catalog::{App, Catalog};
use model::finding::{CheckResult, Outcome};
use model::scan::{RunOutcome, ScanKind};
use model::words;

use crate::cli::Format;
use crate::failure::Failure;
use crate::output::files::{self, Subject, Wanted};
use crate::output::{File, clean, climbed, json, table};
use crate::scan::{Ran, Report};
use crate::wiring;

/// Writes the report.
pub(crate) fn write(
    subject: Subject<'_>,
    catalog: &Catalog,
    format: Format,
    outcomes: &[Outcome],
    file: &mut File<'_>,
) -> Result<(), Failure> {
    let wanted = Wanted(outcomes);
    match format {
        // Whoever reads the terminal has read the refusal there.
        Format::Table => match subject {
            Subject::Report(report) => file.write(people(report).as_bytes()),
            Subject::Refused(_) => Ok(()),
        },
        Format::Json => file.write_by(|out| json::write(subject, wanted, out)),
        Format::Csv => file.write_by(|out| files::csv(subject, wanted, out)),
        Format::Ocsf => file.write_by(|out| files::ocsf(subject, catalog, wanted, out)),
        Format::Sarif => file.write_by(|out| files::sarif(subject, catalog, wanted, out)),
    }
}

fn mark(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "\u{25cf} succeeded",
        RunOutcome::Partial(_) => "\u{25b2} partial",
        RunOutcome::Failed(_) => "\u{25a0} failed",
    }
}

fn people(report: &Report) -> String {
    let now = wiring::now();
    let i = &report.preflight.identity;
    let mut out = String::new();
    let _ = writeln!(out, "{} {}, as {}", report.app.manifest.name, clean(&i.tenant_name), clean(&i.subject));
    if let Some(at) = i.expires_at {
        let _ = writeln!(out, "The credential expires {}.", words::relative(at, now));
    }
    for scan in &report.scans {
        let _ = writeln!(out);
        match &scan.ran {
            Err(missing) => {
                let _ =
                    writeln!(out, "\u{25cb} {}: not run, missing: {}", scan.kind.title(), missing.join(", "));
            }
            Ok(ran) => one(&mut out, &report.app, scan.kind, ran),
        }
    }
    out
}

fn one(out: &mut String, app: &App, kind: ScanKind, ran: &Ran) {
    let now = wiring::now();
    let a = &ran.assessment;
    let _ = writeln!(
        out,
        "{}: {} ({} records, {} requests, {})",
        kind.title(),
        mark(a.outcome),
        words::count(ran.records),
        words::count(ran.cost.requests.into()),
        words::duration(ran.finished_at - ran.started_at)
    );
    if let Some(fault) = &a.fault {
        let _ = writeln!(out, "  {}", clean(&words::fault_says(fault).plain(now)));
        let _ = writeln!(out, "  {}", clean(&words::remedy(fault, &app.manifest.name).says.plain(now)));
        if let Some(climbed) = climbed(fault) {
            let _ = writeln!(out, "  {}", clean(&climbed));
        }
    }
    for gap in &a.gaps {
        let _ = writeln!(out, "  not read: {} ({})", gap.title, clean(&gap.reason));
    }
    let mut fails: Vec<&CheckResult> = a.results.iter().filter(|r| r.outcome == Outcome::Fail).collect();
    fails.sort_by(|x, y| {
        y.severity
            .cmp(&x.severity)
            .then_with(|| x.check.cmp(&y.check))
            .then_with(|| x.resource.cmp(&y.resource))
    });
    let count = |outcome: Outcome| {
        a.tallies
            .iter()
            .map(|t| match outcome {
                Outcome::Pass => t.pass,
                Outcome::Fail => t.fail,
                Outcome::Inconclusive => t.inconclusive,
                Outcome::NotApplicable => t.not_applicable,
            })
            .sum::<u64>()
    };
    let _ = writeln!(
        out,
        "  {} checks: {} fail, {} pass, {} inconclusive, {} not applicable",
        a.tallies.len(),
        words::count(count(Outcome::Fail)),
        words::count(count(Outcome::Pass)),
        words::count(count(Outcome::Inconclusive)),
        words::count(count(Outcome::NotApplicable))
    );
    if !fails.is_empty() {
        let mut rows = table(&["severity", "check", "resource", "what"]);
        for f in fails {
            rows.add_row([f.severity.as_str(), f.check.as_str(), &clean(&f.resource), &clean(&f.says)]);
        }
        let _ = writeln!(out, "{rows}");
    }
    let undecided: Vec<_> = a.tallies.iter().filter(|t| t.inconclusive > 0).collect();
    if !undecided.is_empty() {
        let mut rows = table(&["could not be judged", "records", "why"]);
        for t in undecided {
            rows.add_row([
                t.check.as_str(),
                &words::count(t.inconclusive),
                &clean(t.reason.as_deref().unwrap_or("")),
            ]);
        }
        let _ = writeln!(out, "{rows}");
    }
}
