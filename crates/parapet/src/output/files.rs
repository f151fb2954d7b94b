//! The report of a one-off scan for programs that were written for others: OCSF, SARIF and CSV. Also of a scan that was
//! refused before it began: a file without failures must not look like one of a scan that found none.

use std::collections::BTreeMap;
use std::io::{self, Write};

use catalog::{App, Catalog};
use export::sarif::{Run, Sarif};
use export::{Entry, Execution, Notice, Place, State, ocsf, spreadsheet};
use model::diagnosis::Fault;
use model::finding::{CheckResult, CheckTally, Outcome};
use model::id::CheckId;
use model::scan::{RunOutcome, ScanKind};
use model::time::Timestamp;
use model::words;

use crate::scan::{Ran, Report, Scanned};

/// What there is to write about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A scan.
    Report(&'a Report),
    /// A scan that was refused at the door.
    Refused(&'a Refused<'a>),
}

/// A credential that was refused, or a vendor that could not be asked.
pub(crate) struct Refused<'a> {
    pub(crate) app: &'a App,
    /// What was entered: the tenant's own name is not known.
    pub(crate) tenant: String,
    pub(crate) kinds: Vec<ScanKind>,
    pub(crate) fault: &'a Fault,
}

/// Which outcomes are written.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a>(pub(crate) &'a [Outcome]);

impl Wanted<'_> {
    pub(crate) fn is(self, outcome: Outcome) -> bool {
        self.0.is_empty() || self.0.contains(&outcome)
    }
}

impl<'a> Subject<'a> {
    fn app(self) -> &'a App {
        match self {
            Self::Report(report) => &report.app,
            Self::Refused(refused) => refused.app,
        }
    }

    fn place(self) -> Place<'a> {
        let (tenant_uid, tenant) = match self {
            Self::Report(r) => {
                (r.preflight.identity.tenant_uid.as_str(), r.preflight.identity.tenant_name.as_str())
            }
            Self::Refused(r) => (r.tenant.as_str(), r.tenant.as_str()),
        };
        let app = self.app();
        Place {
            app: &app.id,
            product: &app.manifest.name,
            vendor: &app.manifest.vendor,
            tenant_uid,
            tenant,
            instance: None,
            owner: None,
        }
    }

    fn executions(self) -> Vec<Execution<'a>> {
        let place = self.place();
        match self {
            Self::Report(report) => report.scans.iter().map(|s| execution(place, &report.app, s)).collect(),
            Self::Refused(refused) => {
                let one = |kind: &ScanKind| Execution {
                    place,
                    scan: *kind,
                    state: State::Failed(refused.fault.cause),
                    says: explained(refused.fault, refused.app),
                    started_at: None,
                    finished_at: None,
                    at: refused.fault.at,
                    notices: Vec::new(),
                };
                refused.kinds.iter().map(one).collect()
            }
        }
    }

    /// Calls `write` for every answer that is wanted.
    fn entries<E>(
        self,
        wanted: Wanted<'_>,
        mut write: impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self::Report(report) = self else { return Ok(()) };
        for scan in &report.scans {
            if let Ok(ran) = &scan.ran {
                answers(report, self.place(), scan.kind, ran, wanted, &mut write)?;
            }
        }
        Ok(())
    }
}

/// A fault with its remedy, instants exact: a file is read later.
fn explained(fault: &Fault, app: &App) -> String {
    format!("{} {}", words::fault_says(fault), words::remedy(fault, &app.manifest.name).says)
}

fn execution<'a>(place: Place<'a>, app: &App, scan: &Scanned) -> Execution<'a> {
    match &scan.ran {
        Err(missing) => Execution {
            place,
            scan: scan.kind,
            state: State::NotEnabled,
            says: format!("The scan was not run: the credential lacks {}.", words::list(missing)),
            started_at: None,
            finished_at: None,
            at: crate::wiring::now(),
            notices: Vec::new(),
        },
        Ok(ran) => {
            let a = &ran.assessment;
            let notice =
                |gap: &assess::Gap| Notice::not_read(&gap.title, &gap.reason, gap.required, ran.finished_at);
            Execution {
                place,
                scan: scan.kind,
                state: match a.outcome {
                    RunOutcome::Succeeded => State::Succeeded,
                    RunOutcome::Partial(cause) => State::Partial(cause),
                    RunOutcome::Failed(cause) => State::Failed(cause),
                },
                says: a.fault.as_ref().map(|f| explained(f, app)).unwrap_or_default(),
                started_at: Some(ran.started_at),
                finished_at: Some(ran.finished_at),
                at: ran.finished_at,
                notices: a.gaps.iter().map(notice).collect(),
            }
        }
    }
}

/// The answers of one scan: about records, then about datasets as a whole, so that no check is without one.
fn answers<E>(
    report: &Report,
    place: Place<'_>,
    kind: ScanKind,
    ran: &Ran,
    wanted: Wanted<'_>,
    write: &mut impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let app = &report.app;
    let mut listed: BTreeMap<&CheckId, [u64; 4]> = BTreeMap::new();
    for result in &ran.assessment.results {
        listed.entry(&result.check).or_default()[place_of(result.outcome)] += 1;
        if wanted.is(result.outcome) {
            write(&about_record(report, place, result, ran.finished_at))?;
        }
    }
    for tally in &ran.assessment.tallies {
        let listed = listed.get(&tally.check).copied().unwrap_or_default();
        let Some(check) = app.check(&tally.check) else { continue };
        for outcome in OUTCOMES {
            let count = beyond(tally, outcome, &listed);
            if count == 0 || !wanted.is(outcome) {
                continue;
            }
            let title = app.dataset(check.over.as_str()).map_or(check.over.as_str(), |d| &d.spec.title);
            let says = match outcome {
                Outcome::Inconclusive | Outcome::NotApplicable => tally.reason.clone().unwrap_or_default(),
                Outcome::Pass | Outcome::Fail => format!("{title}: there are none"),
            };
            write(&Entry {
                place,
                scan: kind,
                check: &check.id,
                definition: Some(check),
                revision: tally.revision,
                severity: check.severity,
                resource_kind: check.over.as_str(),
                resource: None,
                outcome,
                says: &says,
                evidence: &[],
                needs: if outcome == Outcome::Inconclusive { &tally.needs } else { &[] },
                console: None,
                at: ran.finished_at,
                count,
                tracked: None,
            })?;
        }
    }
    Ok(())
}

const OUTCOMES: [Outcome; 4] = [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::NotApplicable];

const fn place_of(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Fail => 1,
        Outcome::Inconclusive => 2,
        Outcome::NotApplicable => 3,
    }
}

/// How many answers a check gave that are not about a record. Of records that share a name one answer stands for all, so
/// what is left over counts only where it is about what was not read, or where there are no records at all.
fn beyond(tally: &CheckTally, outcome: Outcome, listed: &[u64; 4]) -> u64 {
    let counted = match outcome {
        Outcome::Pass => tally.pass,
        Outcome::Fail => tally.fail,
        Outcome::Inconclusive => tally.inconclusive,
        Outcome::NotApplicable => tally.not_applicable,
    };
    if outcome == Outcome::Inconclusive || listed.iter().all(|n| *n == 0) {
        counted.saturating_sub(listed[place_of(outcome)])
    } else {
        0
    }
}

fn about_record<'a>(
    report: &'a Report,
    place: Place<'a>,
    result: &'a CheckResult,
    at: Timestamp,
) -> Entry<'a> {
    let check = report.app.check(&result.check);
    Entry {
        place,
        scan: result.scan,
        check: &result.check,
        definition: check.map(AsRef::as_ref),
        revision: result.revision,
        severity: result.severity,
        resource_kind: &result.resource_kind,
        resource: Some(&result.resource),
        outcome: result.outcome,
        says: &result.says,
        evidence: &result.evidence,
        needs: &result.needs,
        console: check.and_then(|c| console(report, c, result)),
        at,
        count: 1,
        tracked: None,
    }
}

/// The vendor's page where a failure is mended.
fn console(report: &Report, check: &catalog::Check, result: &CheckResult) -> Option<String> {
    let is_key = |name: &str| {
        report.app.dataset(&result.resource_kind).is_some_and(|d| d.spec.key.as_deref() == Some(name))
    };
    let value = |name: &str| {
        let field =
            || result.evidence.iter().find(|e| *e.field == *name)?.value.value().as_str().map(str::to_owned);
        let entered = report.settings.get(name).cloned();
        entered.or_else(field).or_else(|| is_key(name).then(|| result.resource.to_string()))
    };
    let template = check.remedy.link.as_ref()?;
    template.address_by(report.console.as_deref()?, value).filter(|href| href.starts_with("https://"))
}

/// Writes OCSF: the scans that are not whole, then the answers.
pub(crate) fn ocsf(
    subject: Subject<'_>,
    catalog: &Catalog,
    wanted: Wanted<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for execution in subject.executions() {
        if let Some(event) = ocsf::scan_event(&execution) {
            out.write_all(&ocsf::line(&event)?)?;
        }
    }
    subject.entries(wanted, |entry| out.write_all(&ocsf::line(&ocsf::event(entry, &catalog.standards))?))
}

/// Writes SARIF.
pub(crate) fn sarif(
    subject: Subject<'_>,
    catalog: &Catalog,
    wanted: Wanted<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let executions = subject.executions();
    let kinds: Vec<ScanKind> = executions.iter().map(|e| e.scan).collect();
    let checks: Vec<_> = subject.app().checks.iter().filter(|c| kinds.contains(&c.scan)).cloned().collect();
    let place = subject.place();
    let automation =
        format!("parapet/scan/{}/{}/", catalog::segment(place.app.as_str()), catalog::segment(place.tenant));
    let mut piece = Vec::new();
    let mut sarif = Sarif::begin(
        &Run { automation: &automation, checks: &checks, standards: &catalog.standards },
        &mut piece,
    );
    for execution in &executions {
        sarif.execution(execution, &mut piece);
    }
    subject.entries(wanted, |entry| {
        sarif.result(entry, &mut piece);
        out.write_all(&piece)?;
        piece.clear();
        io::Result::Ok(())
    })?;
    sarif.end(&mut piece);
    out.write_all(&piece)
}

/// Writes CSV: a line for each answer, and one without a check for each scan that is not whole.
pub(crate) fn csv(subject: Subject<'_>, wanted: Wanted<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |cells: [&str; 12]| out.write_all(&spreadsheet::line(cells)?);
    line([
        "scan",
        "check",
        "title",
        "severity",
        "outcome",
        "resource_kind",
        "resource",
        "says",
        "needs",
        "product",
        "tenant",
        "uid",
    ])?;
    let place = subject.place();
    for e in subject.executions().iter().filter(|e| !e.state.is_whole()) {
        let uid = export::identity::of_scan(&place, e.scan);
        let (scan, title) = (e.scan.as_str(), e.scan.title());
        let undecided = Outcome::Inconclusive.as_str();
        line([scan, "", title, "", undecided, "", "", &e.says, "", place.app.as_str(), place.tenant, &uid])?;
    }
    // Passes are for programs; people read what is to be done.
    let usual = [Outcome::Fail, Outcome::Inconclusive];
    let wanted = if wanted.0.is_empty() { Wanted(&usual) } else { wanted };
    subject.entries(wanted, |e| {
        line([
            e.scan.as_str(),
            e.check.as_str(),
            e.definition.map_or(e.check.as_str(), |c| c.title.as_str()),
            e.severity.as_str(),
            e.outcome.as_str(),
            e.resource_kind,
            e.resource.unwrap_or(""),
            e.says,
            &e.needs.join(" "),
            e.place.app.as_str(),
            e.place.tenant,
            &export::identity::of_entry(e),
        ])
    })
}
