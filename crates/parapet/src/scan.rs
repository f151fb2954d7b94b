//! `parapet scan`: one application, now, without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use assess::{Assessment, Detail, Directories, Identities, Instance, Prior};
use catalog::App;
use collect::{Clock as _, Collected, Credential, Origins, Outbound, Preflight, RunRequest, Target};
use engine::clock::SystemClock;
use model::dataset::{Cost, Snapshot};
use model::diagnosis::Fault;
use model::finding::{Outcome, Severity};
use model::id::CheckId;
use model::scan::{FailureCause, RunOutcome, ScanKind};
use model::schedule;
use model::time::Timestamp;
use model::value::Value;

use crate::cli::{Format, ScanArgs};
use crate::failure::Failure;
use crate::output::files::{Refused, Subject};
use crate::output::report;
use crate::progress::Line;
use crate::{credential, output, renewed, wiring};

/// What was asked to be scanned.
pub(crate) struct Asked<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) auth: &'a str,
    pub(crate) settings: &'a [(String, String)],
    pub(crate) address: Option<&'a str>,
    pub(crate) credential: Option<&'a std::path::Path>,
    pub(crate) kinds: &'a [ScanKind],
    /// Leave out what is read over several runs.
    pub(crate) quick: bool,
    /// Whether passes are told one by one, too.
    pub(crate) detail: Detail,
    /// What outcomes hang on beside what is read.
    pub(crate) judged_by: JudgedBy<'a>,
}

/// What outcomes hang on beside what is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct JudgedBy<'a> {
    /// Whom the organisation knows, to judge accounts by.
    pub(crate) identities: Option<&'a Directories>,
    /// Parameters of checks in place of their defaults.
    pub(crate) params: Option<&'a Params>,
}

/// Parameters by check and name.
pub(crate) type Params = BTreeMap<CheckId, BTreeMap<String, Value>>;

/// One scan of the report.
pub(crate) struct Scanned {
    pub(crate) kind: ScanKind,
    /// `Err`: it was not run, because these permissions are missing.
    pub(crate) ran: Result<Ran, Vec<String>>,
}

/// A run and what it means.
pub(crate) struct Ran {
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
    pub(crate) cost: Cost,
    pub(crate) records: u64,
    pub(crate) assessment: Assessment,
}

/// Everything a one-off scan found out.
pub(crate) struct Report {
    pub(crate) app: Arc<App>,
    pub(crate) preflight: Preflight,
    pub(crate) scans: Vec<Scanned>,
    /// What was entered.
    pub(crate) settings: BTreeMap<String, String>,
    /// Base of the vendor's web console, for links to where failures are mended.
    pub(crate) console: Option<String>,
}

pub(crate) async fn run(args: ScanArgs) -> Result<ExitCode, Failure> {
    let mut catalog = wiring::catalogue_of(&args.catalogue)?;
    let app = product(&catalog, &args.app)?;
    // What the other applications take, the scan can use.
    if let Some(catalog) = Arc::get_mut(&mut catalog) {
        catalog.apps.retain(|id, _| *id == app.id);
    }
    let identities = args.identities.as_deref().map(people).transpose()?;
    let params = params(&app, &args.params)?;
    let asked = Asked {
        judged_by: JudgedBy { identities: identities.as_ref(), params: Some(&params) },
        deployment: &args.deployment,
        auth: &args.auth,
        settings: &args.settings,
        address: args.address.as_deref(),
        credential: args.credential.as_deref(),
        kinds: &args.kinds,
        quick: args.quick,
        detail: detail(args.format, &args.outcomes),
    };
    let o = &args.outbound;
    let outbound =
        wiring::outbound(&o.allow_private, o.proxy.as_deref(), o.ca.as_ref(), asks_for_loopback(&asked))?;
    let write = |subject: Subject<'_>| {
        let mut file = output::File::create(args.output.as_deref())?;
        report::write(subject, &catalog, args.format, &args.outcomes, &mut file)?;
        file.finish()
    };
    let report = match scan(app.clone(), &asked, &outbound).await {
        Ok(report) => report,
        Err(failure) => {
            // Programs read the file and not the complaint: it says as well that nothing was scanned.
            if let Some(fault) = failure.fault.as_deref().filter(|_| args.format != Format::Table) {
                let kinds = if args.kinds.is_empty() { app.supported() } else { args.kinds.clone() };
                let refused = Refused { app: &app, tenant: entered(&asked), kinds, fault };
                write(Subject::Refused(&refused))?;
            }
            return Err(failure);
        }
    };
    write(Subject::Report(&report))?;
    Ok(ExitCode::from(exit_code(&report, args.fail_on)))
}

/// Passes, and what a check does not ask about, are most of what a scan finds out: they are kept only where they are written.
fn detail(format: Format, outcomes: &[Outcome]) -> Detail {
    let asked = || outcomes.iter().any(|outcome| matches!(outcome, Outcome::Pass | Outcome::NotApplicable));
    let all = match format {
        Format::Table => false,
        Format::Csv => asked(),
        Format::Json | Format::Ocsf | Format::Sarif => outcomes.is_empty() || asked(),
    };
    if all { Detail::All } else { Detail::Findings }
}

/// What names the tenant before the vendor has.
fn entered(asked: &Asked<'_>) -> String {
    let values: Vec<&str> = asked.settings.iter().map(|(_, value)| value.as_str()).collect();
    if values.is_empty() { asked.address.unwrap_or_default().to_owned() } else { values.join(" ") }
}

pub(crate) fn product(catalog: &catalog::Catalog, name: &str) -> Result<Arc<App>, Failure> {
    catalog.apps.get(&name.into()).cloned().ok_or_else(|| {
        let known: Vec<&str> = catalog.apps.keys().map(model::id::AppId::as_str).collect();
        Failure::usage(format!("The catalogue has no product {name}. It has: {}.", known.join(", ")))
    })
}

/// Plain http is let out only to this machine, and only because the person named such an address.
pub(crate) fn asks_for_loopback(asked: &Asked<'_>) -> bool {
    let named = asked.settings.iter().map(|(_, v)| v.as_str()).chain(asked.address);
    let mut urls = named.filter_map(|v| url::Url::parse(v).ok());
    urls.any(|u| {
        u.scheme() == "http"
            && match u.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                None => false,
            }
    })
}

/// Verifies the credential, then runs what it can run.
pub(crate) async fn scan(app: Arc<App>, asked: &Asked<'_>, outbound: &Outbound) -> Result<Report, Failure> {
    let target = target(&app, asked)?;
    let auth = way_to_authenticate(&app, asked.auth)?;
    let values = credential::read(auth, asked.credential)?;
    let credential = renewed::credential(auth, values, asked.credential);
    let preflight = collect::preflight(outbound, &target, &credential, &SystemClock)
        .await
        .map_err(|fault| Failure::refused(explain(&fault, &app), fault))?;
    let wanted: Vec<ScanKind> = if asked.kinds.is_empty() { app.supported() } else { asked.kinds.to_vec() };
    if let Some(kind) = wanted.iter().find(|k| !app.supported().contains(k)) {
        return Err(Failure::usage(format!("{} has no {}.", app.manifest.name, kind.title())));
    }
    let mut scans = Vec::new();
    for kind in wanted {
        let readiness = preflight.readiness.iter().find(|r| r.kind == kind);
        let ran = match readiness {
            Some(r) if !r.ready => Err(r.missing.clone()),
            _ => Ok(one(&app, &target, &credential, &preflight, kind, outbound, asked).await),
        };
        scans.push(Scanned { kind, ran });
    }
    let console = collect::console(
        &app,
        &target.deployment,
        entered_for(&app, &target, |d| &d.label),
        asked.address.or_else(|| entered_for(&app, &target, |d| &d.address)),
    );
    let settings = target.settings;
    // An application without a console has no links; everything else about it is whole.
    Ok(Report { preflight, scans, console: console.ok(), settings, app })
}

/// What was entered for the deployment's label or address.
fn entered_for<'a>(
    app: &App,
    target: &'a Target,
    which: impl Fn(&catalog::manifest::Deployment) -> &Option<catalog::manifest::Setting>,
) -> Option<&'a str> {
    let setting = which(app.deployment(&target.deployment)?).as_ref()?;
    target.settings.get(&setting.name).map(String::as_str)
}

pub(crate) fn way_to_authenticate<'a>(
    app: &'a App,
    id: &str,
) -> Result<&'a catalog::manifest::Auth, Failure> {
    let found = if id.is_empty() { app.manifest.auth.first() } else { app.auth(id) };
    found.ok_or_else(|| {
        let known: Vec<&str> = app.manifest.auth.iter().map(|a| a.id.as_str()).collect();
        Failure::usage(format!(
            "{} cannot authenticate by {id}; it can by: {}.",
            app.manifest.name,
            known.join(", ")
        ))
    })
}

pub(crate) fn target(app: &Arc<App>, asked: &Asked<'_>) -> Result<Target, Failure> {
    let first = app.manifest.deployment.first().map_or("", |d| d.id.as_str());
    let deployment = if asked.deployment.is_empty() { first } else { asked.deployment };
    let way = app.deployment(deployment).ok_or_else(|| {
        let known: Vec<&str> = app.manifest.deployment.iter().map(|d| d.id.as_str()).collect();
        Failure::usage(format!(
            "{} is not hosted as {deployment}; choose one of: {}.",
            app.manifest.name,
            known.join(", ")
        ))
    })?;
    let mut given: BTreeMap<String, String> = asked.settings.iter().cloned().collect();
    let mut settings = BTreeMap::new();
    for setting in way.label.iter().chain(&way.address).chain(&app.manifest.setting) {
        match given.remove(&setting.name).or_else(|| setting.default.clone()) {
            Some(value) => {
                settings.insert(setting.name.clone(), value);
            }
            None if setting.optional => {}
            None if way.address.as_ref().is_some_and(|a| a.name == setting.name)
                && asked.address.is_some() => {}
            None => {
                let example = if setting.example.is_empty() { "..." } else { &setting.example };
                return Err(Failure::usage(format!(
                    "{} is needed: add --set {}={example}",
                    setting.title, setting.name
                )));
            }
        }
    }
    if let Some(unknown) = given.keys().next() {
        return Err(Failure::usage(format!("{} has no setting {unknown}.", app.manifest.name)));
    }
    let of = |s: &Option<catalog::manifest::Setting>| {
        s.as_ref().and_then(|s| settings.get(&s.name)).map(String::as_str)
    };
    let address = asked.address.or_else(|| of(&way.address));
    let origins = Origins::resolve(app, deployment, of(&way.label), address)
        .map_err(|e| Failure::usage(format!("{e}.")))?;
    Ok(Target { app: app.clone(), deployment: deployment.to_owned(), settings, origins })
}

fn explain(fault: &Fault, app: &App) -> String {
    let now = wiring::now();
    let remedy = model::words::remedy(fault, &app.manifest.name);
    format!("{} {}", model::words::fault_says(fault).plain(now), remedy.says.plain(now))
}

async fn one(
    app: &Arc<App>,
    target: &Target,
    credential: &Credential,
    preflight: &Preflight,
    kind: ScanKind,
    outbound: &Outbound,
    asked: &Asked<'_>,
) -> Ran {
    let started_at = SystemClock.now();
    let allowance = schedule::run_allowance(schedule::default_interval(kind));
    let mut request = RunRequest::new(kind, started_at + allowance);
    // A one-off scan has no later run in which a sweep could go on.
    request.sweep_requests = if asked.quick { 0 } else { u32::MAX };
    request.known = Some(preflight.identity.clone());
    let line = Line::new(kind, app.datasets_of(kind).count());
    let collected = loop {
        match collect::run(outbound, target, credential, &SystemClock, request.clone(), &line).await {
            Collected::Waiting { until, checkpoints } => {
                output::note(&format!("{}: the vendor asks to wait until {until}; waiting.", kind.title()));
                match line.take_parts() {
                    Ok(parts) => request.resume.extend(parts.into_iter().chain(checkpoints)),
                    Err(error) => {
                        output::note(&format!(
                            "{}: what was read cannot be used again ({error}); it is read anew.",
                            kind.title()
                        ));
                        request.resume.clear();
                    }
                }
                request.blocked_until = Some(until);
                SystemClock.sleep(until - SystemClock.now()).await;
            }
            other => break other,
        }
    };
    line.finish();
    let now = SystemClock.now();
    match collected {
        Collected::Done(done) => {
            let assessment =
                assessed(&done.snapshot, target, credential, preflight, asked.judged_by, asked.detail, now);
            let records = done.snapshot.datasets.values().map(|d| d.records.len() as u64).sum();
            Ran { started_at, finished_at: now, cost: done.snapshot.cost, records, assessment }
        }
        // Nothing stops a one-off run but the end of the process.
        Collected::Stopped | Collected::Waiting { .. } => {
            Ran { started_at, finished_at: now, cost: Cost::default(), records: 0, assessment: stopped(now) }
        }
    }
}

/// Parameters as they were written on the command line.
fn params(app: &App, given: &[(String, String)]) -> Result<Params, Failure> {
    let mut params = Params::new();
    for (place, text) in given {
        let wrong = |what: String| Failure::usage(format!("--param {place}={text} cannot be used: {what}."));
        let (check, name) =
            place.rsplit_once('.').ok_or_else(|| wrong("write it as CHECK.NAME=VALUE".to_owned()))?;
        let found = app.checks.iter().find(|c| c.id.as_str() == check);
        let found = found.ok_or_else(|| {
            wrong(format!("{} has no check {check}; `parapet check list` tells them", app.manifest.name))
        })?;
        let param = found.params.get(name).ok_or_else(|| match found.params.keys().next() {
            None => wrong(format!("{check} has no parameters")),
            Some(_) => {
                let known: Vec<&str> = found.params.keys().map(String::as_str).collect();
                wrong(format!("{check} has no parameter {name}; there are: {}", known.join(", ")))
            }
        })?;
        let value = param.read(text).map_err(wrong)?;
        if params.entry(found.id.clone()).or_default().insert(name.to_owned(), value).is_some() {
            return Err(wrong("it is given twice".to_owned()));
        }
    }
    Ok(params)
}

/// A list of the organisation's people in place of an identity provider.
fn people(path: &std::path::Path) -> Result<Directories, Failure> {
    let unusable = |what: String| {
        Failure::usage(format!("{} cannot be used as a list of people: {what}.", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
    let now = SystemClock.now();
    let identities = model::identity::parse_list(&text, now).map_err(|e| unusable(e.to_string()))?;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let list = model::identity::Directory {
        id: "list".into(),
        name,
        max_age: model::identity::MAX_LIST_AGE,
        complete_at: Some(now),
        identities,
    };
    Ok(Directories::new(&[list]))
}

/// What one run means by itself, with nothing known from before but the organisation's people.
pub(crate) fn assessed(
    snapshot: &Snapshot,
    target: &Target,
    credential: &Credential,
    preflight: &Preflight,
    by: JudgedBy<'_>,
    detail: Detail,
    now: Timestamp,
) -> Assessment {
    let defaults = Params::new();
    let instance = Instance {
        tenant_uid: &preflight.identity.tenant_uid,
        auth: &credential.auth,
        settings: &target.settings,
        params: by.params.unwrap_or(&defaults),
        interval: schedule::default_interval(snapshot.kind),
    };
    let prior = Prior {
        identities: Identities { directories: by.identities, ..Identities::default() },
        ..Prior::default()
    };
    assess::assess(snapshot, &target.app, &instance, &prior, now, detail)
}

fn stopped(now: Timestamp) -> Assessment {
    let fault = Fault::local(
        FailureCause::Internal,
        model::diagnosis::Rung::NotSent,
        "The scan was stopped.".to_owned(),
        now,
    );
    Assessment {
        outcome: RunOutcome::Failed(FailureCause::Internal),
        fault: Some(fault),
        gaps: Vec::new(),
        results: Vec::new(),
        tallies: Vec::new(),
        resolved: Vec::new(),
        stale: BTreeSet::new(),
        accounts: None,
        plugins: None,
        drift: Vec::new(),
        complete: BTreeSet::new(),
        emptied: BTreeSet::new(),
    }
}

/// See `parapet scan --help`.
fn exit_code(report: &Report, fail_on: Option<Severity>) -> u8 {
    let outcomes: Vec<Option<RunOutcome>> =
        report.scans.iter().map(|s| s.ran.as_ref().ok().map(|r| r.assessment.outcome)).collect();
    if outcomes.iter().any(|o| matches!(o, Some(RunOutcome::Failed(_))))
        || outcomes.iter().all(Option::is_none)
    {
        return 3;
    }
    let reaches = |s: Severity| fail_on.is_some_and(|least| s >= least);
    let found = report
        .scans
        .iter()
        .filter_map(|s| s.ran.as_ref().ok())
        .any(|r| r.assessment.results.iter().any(|c| c.outcome == Outcome::Fail && reaches(c.severity)));
    if found {
        return 1;
    }
    let whole = outcomes.iter().all(|o| matches!(o, Some(RunOutcome::Succeeded)));
    if whole { 0 } else { 4 }
}
