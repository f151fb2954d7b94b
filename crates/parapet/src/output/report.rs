//! The report of a one-off scan, for people, programs and spreadsheets.

use std::fmt::Write as _;

use catalog::{App, Catalog};
use model::finding::{CheckResult, Outcome};
use model::scan::{RunOutcome, ScanKind};
use model::words;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::failure::Failure;
use crate::output::files::{self, Refused, Subject, Wanted};
use crate::output::{File, clean, table};
use crate::scan::{Ran, Report, Scanned};
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
        Format::Json => {
            let value = match subject {
                Subject::Report(report) => machine(report, outcomes),
                Subject::Refused(refused) => refusal(refused),
            };
            file.write(format!("{value:#}\n").as_bytes())
        }
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

fn title<'a>(app: &'a App, result: &'a CheckResult) -> &'a str {
    app.checks.iter().find(|c| c.id == result.check).map_or(result.check.as_str(), |c| c.title.as_str())
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

/// A scan that was refused before it began.
fn refusal(refused: &Refused<'_>) -> Value {
    let now = wiring::now();
    let fault = refused.fault;
    json!({
        "app": refused.app.id, "tenant": refused.tenant,
        "refused": { "cause": fault.cause, "detail": words::fault_says(fault).plain(now),
            "remedy": words::remedy(fault, &refused.app.manifest.name).says.plain(now), "fault": fault },
        "scans": refused.kinds.iter().map(|kind| json!({ "kind": kind, "outcome": "failed", "cause": fault.cause }))
            .collect::<Vec<_>>(),
    })
}

fn machine(report: &Report, outcomes: &[Outcome]) -> Value {
    let i = &report.preflight.identity;
    json!({
        "app": report.app.id, "tenant": i.tenant_name, "tenant_uid": i.tenant_uid, "subject": i.subject,
        "granted": i.granted, "credential_expires_at": i.expires_at, "excess_permissions": report.preflight.excess,
        "warnings": report.preflight.warnings,
        "scans": report.scans.iter().map(|s| scan_json(report, s, outcomes)).collect::<Vec<_>>(),
    })
}

fn scan_json(report: &Report, scan: &Scanned, outcomes: &[Outcome]) -> Value {
    let app = &report.app;
    let ran = match &scan.ran {
        Ok(ran) => ran,
        Err(missing) => {
            return json!({ "kind": scan.kind, "outcome": "not_enabled", "missing_permissions": missing });
        }
    };
    let a = &ran.assessment;
    let now = wiring::now();
    let detail = a.fault.as_ref().map(|f| words::fault_says(f).plain(now));
    let remedy = a.fault.as_ref().map(|f| words::remedy(f, &app.manifest.name).says.plain(now));
    let subjects = |s: &Option<assess::Subjects>, shape: &model::value::Shape| {
        s.as_ref().map(|s| {
            json!({ "complete": s.complete, "records": s.records.iter().map(|r| r.to_json(shape)).collect::<Vec<_>>() })
        })
    };
    let results = a.results.iter().filter(|r| outcomes.is_empty() || outcomes.contains(&r.outcome));
    json!({
        "kind": scan.kind, "outcome": a.outcome.as_str(), "cause": a.outcome.cause(), "detail": detail, "remedy": remedy,
        "fault": a.fault, "started_at": ran.started_at, "finished_at": ran.finished_at, "records": ran.records,
        "cost": ran.cost,
        "gaps": a.gaps.iter().map(|g| json!({ "dataset": g.dataset, "title": g.title, "required": g.required,
            "reason": g.reason, "fault": g.fault })).collect::<Vec<_>>(),
        "results": results.map(|r| result_json(report, r)).collect::<Vec<_>>(),
        "tallies": a.tallies,
        "accounts": subjects(&a.accounts, &model::account::SHAPE),
        "plugins": subjects(&a.plugins, &model::plugin::SHAPE),
    })
}

fn result_json(report: &Report, result: &CheckResult) -> Value {
    let mut value = json!(result);
    value["title"] = json!(title(&report.app, result));
    value["uid"] = json!(export::identity::of(
        &report.app.id,
        &report.preflight.identity.tenant_uid,
        &result.check,
        &result.resource_kind,
        Some(&result.resource),
    ));
    value
}
