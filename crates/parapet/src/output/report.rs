//! The report of a one-off scan, for people, programs and spreadsheets.

use std::fmt::Write as _;

use catalog::App;
use model::finding::{CheckResult, Outcome, Severity};
use model::scan::{RunOutcome, ScanKind};
use model::words;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::failure::Failure;
use crate::output::{clean, table};
use crate::scan::{Ran, Report, Scanned};
use crate::wiring;

pub(crate) fn render(report: &Report, format: Format) -> Result<String, Failure> {
    match format {
        Format::Table => Ok(people(report)),
        Format::Json => {
            let text = serde_json::to_string_pretty(&machine(report));
            text.map(|t| t + "\n")
                .map_err(|e| Failure::usage(format!("The report cannot be written as JSON: {e}.")))
        }
        Format::Csv => spreadsheet(report)
            .map_err(|e| Failure::usage(format!("The report cannot be written as CSV: {e}."))),
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

fn machine(report: &Report) -> Value {
    let i = &report.preflight.identity;
    json!({
        "app": report.app.id, "tenant": i.tenant_name, "tenant_uid": i.tenant_uid, "subject": i.subject,
        "granted": i.granted, "credential_expires_at": i.expires_at, "excess_permissions": report.preflight.excess,
        "warnings": report.preflight.warnings,
        "scans": report.scans.iter().map(|s| scan_json(&report.app, s)).collect::<Vec<_>>(),
    })
}

fn scan_json(app: &App, scan: &Scanned) -> Value {
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
    json!({
        "kind": scan.kind, "outcome": a.outcome.as_str(), "cause": a.outcome.cause(), "detail": detail, "remedy": remedy,
        "fault": a.fault, "started_at": ran.started_at, "finished_at": ran.finished_at, "records": ran.records,
        "cost": ran.cost,
        "gaps": a.gaps.iter().map(|g| json!({ "dataset": g.dataset, "title": g.title, "required": g.required,
            "reason": g.reason, "fault": g.fault })).collect::<Vec<_>>(),
        "results": a.results.iter().map(|r| result_json(app, r)).collect::<Vec<_>>(),
        "tallies": a.tallies,
        "accounts": subjects(&a.accounts, &model::account::SHAPE),
        "plugins": subjects(&a.plugins, &model::plugin::SHAPE),
    })
}

fn result_json(app: &App, result: &CheckResult) -> Value {
    let mut value = json!(result);
    value["title"] = json!(title(app, result));
    value
}

fn spreadsheet(report: &Report) -> Result<String, Box<dyn std::error::Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "scan",
        "check",
        "title",
        "severity",
        "outcome",
        "resource_kind",
        "resource",
        "says",
        "needs",
    ])?;
    for scan in &report.scans {
        let Ok(ran) = &scan.ran else { continue };
        let listed = ran
            .assessment
            .results
            .iter()
            .filter(|r| matches!(r.outcome, Outcome::Fail | Outcome::Inconclusive));
        for r in listed {
            let severity: Severity = r.severity;
            writer.write_record(
                [
                    scan.kind.as_str(),
                    r.check.as_str(),
                    title(&report.app, r),
                    severity.as_str(),
                    r.outcome.as_str(),
                    &r.resource_kind,
                    &r.resource,
                    &r.says,
                    &r.needs.join(" "),
                ]
                .map(ops::spreadsheet_cell),
            )?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
