//! The report of a one-off scan as JSON, written value by value: what is written is never in memory as a whole.

use std::io::{self, Write};

use catalog::App;
use model::dataset::Cost;
use model::diagnosis::Fault;
use model::finding::{CheckResult, CheckTally};
use model::scan::{FailureCause, ScanKind};
use model::time::Timestamp;
use model::value::{Record, Shape};
use model::words;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::output::files::{Refused, Subject, Wanted};
use crate::scan::{Ran, Report, Scanned};
use crate::wiring;

/// Writes the report, or that there is none.
pub(crate) fn write(subject: Subject<'_>, wanted: Wanted<'_>, out: &mut dyn Write) -> io::Result<()> {
    match subject {
        Subject::Report(report) => serde_json::to_writer_pretty(&mut *out, &Whole::of(report, wanted))?,
        Subject::Refused(refused) => serde_json::to_writer_pretty(&mut *out, &refusal(refused))?,
    }
    out.write_all(b"\n")
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

/// A list whose elements are made when they are written.
struct Each<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    app: &'a str,
    tenant: &'a str,
    tenant_uid: &'a str,
    subject: &'a str,
    granted: &'a Option<Vec<String>>,
    credential_expires_at: Option<Timestamp>,
    excess_permissions: &'a [String],
    warnings: &'a [model::diagnosis::Warning],
    scans: Vec<Scan<'a>>,
}

impl<'a> Whole<'a> {
    fn of(report: &'a Report, wanted: Wanted<'a>) -> Self {
        let i = &report.preflight.identity;
        Self {
            app: report.app.id.as_str(),
            tenant: &i.tenant_name,
            tenant_uid: &i.tenant_uid,
            subject: &i.subject,
            granted: &i.granted,
            credential_expires_at: i.expires_at,
            excess_permissions: &report.preflight.excess,
            warnings: &report.preflight.warnings,
            scans: report.scans.iter().map(|scan| Scan::of(report, scan, wanted)).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Scan<'a> {
    NotEnabled { kind: ScanKind, outcome: &'static str, missing_permissions: &'a [String] },
    Ran(Box<RanScan<'a>>),
}

impl<'a> Scan<'a> {
    fn of(report: &'a Report, scan: &'a Scanned, wanted: Wanted<'a>) -> Self {
        match &scan.ran {
            Err(missing) => {
                Self::NotEnabled { kind: scan.kind, outcome: "not_enabled", missing_permissions: missing }
            }
            Ok(ran) => Self::Ran(Box::new(RanScan::of(report, scan.kind, ran, wanted))),
        }
    }
}

#[derive(Serialize)]
struct RanScan<'a> {
    kind: ScanKind,
    outcome: &'static str,
    cause: Option<FailureCause>,
    detail: Option<String>,
    remedy: Option<String>,
    fault: &'a Option<Fault>,
    started_at: Timestamp,
    finished_at: Timestamp,
    records: u64,
    cost: Cost,
    gaps: Vec<Gap<'a>>,
    results: Results<'a>,
    tallies: &'a [CheckTally],
    accounts: Option<Subjects<'a>>,
    plugins: Option<Subjects<'a>>,
}

impl<'a> RanScan<'a> {
    fn of(report: &'a Report, kind: ScanKind, ran: &'a Ran, wanted: Wanted<'a>) -> Self {
        let a = &ran.assessment;
        let now = wiring::now();
        let remedy = |f| words::remedy(f, &report.app.manifest.name).says.plain(now);
        Self {
            kind,
            outcome: a.outcome.as_str(),
            cause: a.outcome.cause(),
            detail: a.fault.as_ref().map(|f| words::fault_says(f).plain(now)),
            remedy: a.fault.as_ref().map(remedy),
            fault: &a.fault,
            started_at: ran.started_at,
            finished_at: ran.finished_at,
            records: ran.records,
            cost: ran.cost,
            gaps: a.gaps.iter().map(Gap::of).collect(),
            results: Results { report, results: &a.results, wanted },
            tallies: &a.tallies,
            accounts: a.accounts.as_ref().map(|s| Subjects { read: s, shape: &model::account::SHAPE }),
            plugins: a.plugins.as_ref().map(|s| Subjects { read: s, shape: &model::plugin::SHAPE }),
        }
    }
}

#[derive(Serialize)]
struct Gap<'a> {
    dataset: &'a str,
    title: &'a str,
    required: bool,
    reason: &'a str,
    fault: &'a Option<Fault>,
}

impl<'a> Gap<'a> {
    fn of(gap: &'a assess::Gap) -> Self {
        let assess::Gap { dataset, title, required, fault, reason } = gap;
        Self { dataset, title, required: *required, reason, fault }
    }
}

struct Results<'a> {
    report: &'a Report,
    results: &'a [CheckResult],
    wanted: Wanted<'a>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let wanted = self.results.iter().filter(|result| self.wanted.is(result.outcome));
        to.collect_seq(wanted.map(|result| Answer::of(self.report, result)))
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    result: &'a CheckResult,
    title: &'a str,
    uid: String,
}

impl<'a> Answer<'a> {
    fn of(report: &'a Report, result: &'a CheckResult) -> Self {
        let uid = export::identity::of(
            &report.app.id,
            &report.preflight.identity.tenant_uid,
            &result.check,
            &result.resource_kind,
            Some(&result.resource),
        );
        Self { result, title: title(&report.app, result), uid }
    }
}

fn title<'a>(app: &'a App, result: &'a CheckResult) -> &'a str {
    app.checks.iter().find(|c| c.id == result.check).map_or(result.check.as_str(), |c| c.title.as_str())
}

struct Subjects<'a> {
    read: &'a assess::Subjects,
    shape: &'static Shape,
}

impl Serialize for Subjects<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<R> {
            complete: bool,
            records: R,
        }
        let json = |record: &Record| record.to_json(self.shape);
        Fields { complete: self.read.complete, records: Each(|| self.read.records.iter().map(json)) }
            .serialize(to)
    }
}
