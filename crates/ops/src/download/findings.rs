//! Findings as files. OCSF and SARIF hold how the scans fared, the findings, and the checks that could not be judged; CSV
//! and JSON are the list itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Check;
use export::sarif::{Run, Sarif};
use export::{Entry, Execution, Format, Notice, Place, State, Suppression, Tracked, identity, ocsf};
use model::finding::{FindingState, Outcome, Severity};
use model::health::{self, ScanFacts};
use model::id::AppId;
use model::scan::RunOutcome;
use model::time::Timestamp;
use model::view::FindingsQuery;
use serde_json::{Value, json};
use store::findings::Finding;
use store::runs;

use super::piecewise::{Sink, file};
use super::{Export, ROWS, STRETCH, cell, csv_line};
use crate::Ops;
use crate::findings::UNOWNED;
use crate::fleet::Member;
use crate::refusal::{Result, internal, store as from_store};

pub(super) fn export(ops: Ops, query: FindingsQuery, format: Format) -> Export {
    file(move |sink| async move {
        let form = match format {
            Format::Csv => Form::Csv,
            Format::Json => Form::Json { first: true },
            Format::Ocsf => Form::Ocsf,
            // Its head is written below.
            Format::Sarif => Form::Sarif(Sarif::default()),
        };
        let mut writer = Writer { now: ops.now(), ops, query, form, sink };
        writer.write_all().await?;
        Ok(writer.sink)
    })
}

enum Form {
    Csv,
    Json { first: bool },
    Ocsf,
    Sarif(Sarif),
}

struct Writer {
    ops: Ops,
    query: FindingsQuery,
    now: Timestamp,
    form: Form,
    sink: Sink,
}

const COLUMNS: [&str; 17] = [
    "id",
    "application",
    "product",
    "tenant",
    "check",
    "title",
    "severity",
    "state",
    "resource",
    "resource_kind",
    "says",
    "scan",
    "first_seen_at",
    "last_seen_at",
    "stale_since",
    "resolved_at",
    "uid",
];

/// Whether the list is about what stands now, so that what could not be judged belongs to it. A list of one resource, of
/// a search or of a state is about known findings only.
fn asks_for_open(query: &FindingsQuery) -> bool {
    query.state.is_none()
        && query.resource.is_none()
        && query.search.as_deref().is_none_or(|s| s.trim().is_empty())
        && query.stale != Some(false)
}

/// Whether this owner answers for it, or with [`UNOWNED`]: no active one does.
fn answers(member: &Member, owner: &str) -> bool {
    match &member.owner {
        Some(o) if owner == UNOWNED => !o.active,
        Some(o) => o.id.as_str() == owner,
        None => owner == UNOWNED,
    }
}

impl Writer {
    /// The applications that the filter is about, by name.
    fn members(&self) -> Vec<Arc<Member>> {
        let q = &self.query;
        let mut members = self.ops.0.fleet.all();
        members.retain(|m| {
            let i = &m.row.instance;
            q.instance.as_ref().is_none_or(|id| *id == i.id)
                && q.app.as_ref().is_none_or(|app| *app == i.app)
                && q.owner.as_deref().is_none_or(|o| answers(m, o))
        });
        members.sort_by(|a, b| (&a.sort_name, a.id()).cmp(&(&b.sort_name, b.id())));
        members
    }

    async fn write_all(&mut self) -> Result<()> {
        match &self.form {
            Form::Csv => {
                let head = csv_line(COLUMNS.iter().map(|c| (*c).to_owned()))?;
                self.sink.buffer().extend(head);
                return self.findings().await;
            }
            Form::Json { .. } => {
                self.sink.buffer().push(b'[');
                self.findings().await?;
                self.sink.buffer().extend_from_slice(b"\n]\n");
                return Ok(());
            }
            Form::Ocsf | Form::Sarif(_) => {}
        }
        let members = self.members();
        if matches!(self.form, Form::Sarif(_)) {
            self.begin_sarif(&members);
        }
        for member in &members {
            self.scans(member).await?;
        }
        self.findings().await?;
        if asks_for_open(&self.query) {
            for member in &members {
                self.undecided(member).await?;
            }
        }
        if let Form::Sarif(sarif) = &mut self.form {
            sarif.end(self.sink.buffer());
        }
        Ok(())
    }

    fn begin_sarif(&mut self, members: &[Arc<Member>]) {
        let apps: BTreeMap<&AppId, &Arc<catalog::App>> =
            members.iter().filter_map(|m| Some((&m.row.instance.app, m.app.as_ref()?))).collect();
        let wanted = |c: &&Arc<Check>| self.query.scan.is_none_or(|kind| c.scan == kind);
        let checks: Vec<Arc<Check>> =
            apps.into_values().flat_map(|a| a.checks.iter().filter(wanted)).cloned().collect();
        let automation = match (&self.query.instance, &self.query.app) {
            (Some(instance), _) => format!("parapet/findings/{instance}/"),
            (None, Some(app)) => format!("parapet/findings/{app}/"),
            (None, None) => "parapet/findings/".to_owned(),
        };
        let run = Run { automation: &automation, checks: &checks, standards: &self.ops.0.catalog.standards };
        self.form = Form::Sarif(Sarif::begin(&run, self.sink.buffer()));
    }

    /// How the scans of one application fared.
    async fn scans(&mut self, member: &Member) -> Result<()> {
        for scan in member.facts.iter().filter(|s| self.query.scan.is_none_or(|kind| kind == s.kind)) {
            let notices = self.gaps(scan).await?;
            let execution = execution(member, scan, notices, self.now);
            match &mut self.form {
                Form::Csv | Form::Json { .. } => {}
                Form::Sarif(sarif) => sarif.execution(&execution, self.sink.buffer()),
                Form::Ocsf => {
                    if let Some(event) = ocsf::scan_event(&execution) {
                        self.sink.buffer().extend(ocsf::line(&event).map_err(internal)?);
                    }
                }
            }
            self.sink.pause().await?;
        }
        Ok(())
    }

    /// What the last finished run of a scan could not read.
    async fn gaps(&self, scan: &ScanFacts) -> Result<Vec<Notice>> {
        let Some(last) = scan.last.as_ref().filter(|l| l.gaps > 0 || l.outcome != RunOutcome::Succeeded)
        else {
            return Ok(Vec::new());
        };
        let run = match runs::get(self.ops.db(), &last.run).await {
            Ok(run) => run,
            // Retention may have taken the run; that it was not whole is in the facts.
            Err(store::StoreError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(from_store(error)),
        };
        let notice =
            |gap: runs::Gap| Notice::not_read(&gap.title, &gap.reason, gap.required, run.finished_at);
        Ok(run.gaps.into_iter().map(notice).collect())
    }

    /// All findings that the filter finds. Those that it does not find any more when their turn comes are left out.
    async fn findings(&mut self) -> Result<()> {
        let filter = crate::findings::filter(&self.query);
        let (column, order) = crate::findings::order(&self.query);
        let mut after: Option<String> = None;
        loop {
            let stretch =
                store::findings::ids(self.ops.db(), &filter, column, order, after.as_deref(), STRETCH);
            let stretch = stretch.await.map_err(from_store)?;
            for ids in stretch.ids.chunks(ROWS) {
                let found = store::findings::of_ids(self.ops.db(), &filter, ids).await.map_err(from_store)?;
                for found in found {
                    self.finding(found).await?;
                }
            }
            after = stretch.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn finding(&mut self, f: Finding) -> Result<()> {
        // Of an application that was removed since the page was read, nothing is left to be told.
        let Some(member) = self.ops.member_now(&f.instance).await? else { return Ok(()) };
        match &mut self.form {
            Form::Csv => {
                let row = row(&self.ops, &member, f);
                let cells = COLUMNS.iter().map(|c| cell(row.get(c)));
                self.sink.buffer().extend(csv_line(cells)?);
                self.sink.pause().await
            }
            Form::Json { first } => {
                self.sink.buffer().extend_from_slice(if *first { b"\n" } else { b",\n" });
                *first = false;
                let row = row(&self.ops, &member, f);
                self.sink.buffer().extend(serde_json::to_vec(&row).map_err(internal)?);
                self.sink.pause().await
            }
            Form::Ocsf | Form::Sarif(_) => self.tracked(&member, &f).await,
        }
    }

    async fn tracked(&mut self, member: &Member, f: &Finding) -> Result<()> {
        let check = self.ops.check_of(f);
        let suppression = f.exception.as_ref().filter(|_| f.state == FindingState::Suppressed);
        let entry = Entry {
            place: place(member),
            scan: f.kind,
            check: &f.check,
            definition: check.as_deref(),
            revision: f.revision,
            severity: f.severity,
            resource_kind: &f.resource_kind,
            resource: Some(&f.resource),
            outcome: Outcome::Fail,
            says: &f.says,
            evidence: &f.evidence,
            needs: &[],
            console: check.as_ref().and_then(|c| self.ops.console_address(c, f)),
            at: f.resolved_at.unwrap_or(f.last_seen_at),
            count: 1,
            tracked: Some(Tracked {
                id: &f.id,
                state: f.state,
                created_at: f.created_at,
                first_seen_at: f.first_seen_at,
                last_seen_at: f.last_seen_at,
                resolved_at: f.resolved_at.filter(|_| f.state == FindingState::Resolved),
                stale_since: f.stale_since,
                changed_at: f.state_changed.as_ref().map(|(at, _)| *at),
                suppression: suppression.map(|e| Suppression {
                    reason: &e.reason,
                    approver: &e.approver,
                    expires_at: e.expires_at,
                }),
            }),
        };
        self.write(&entry).await
    }

    /// The checks of one application that could not be judged at the last run, each as one answer about all records
    /// that it stands for.
    async fn undecided(&mut self, member: &Member) -> Result<()> {
        let tallies = runs::tallies(self.ops.db(), member.id()).await.map_err(internal)?;
        for t in tallies.iter().filter(|t| t.tally.inconclusive > 0) {
            let check = member.app.as_ref().and_then(|a| a.check(&t.tally.check)).cloned();
            // Of a check that the catalogue has dropped since, the gravity is not known.
            let severity = check.as_ref().map_or(Severity::Medium, |c| c.severity);
            let q = &self.query;
            if q.scan.is_some_and(|kind| kind != t.kind)
                || q.check.as_ref().is_some_and(|id| *id != t.tally.check)
                || q.severity.is_some_and(|wanted| wanted != severity)
            {
                continue;
            }
            let unsaid = "It could not be judged.".to_owned();
            let entry = Entry {
                place: place(member),
                scan: t.kind,
                check: &t.tally.check,
                definition: check.as_deref(),
                revision: t.tally.revision,
                severity,
                resource_kind: check.as_ref().map_or("unknown", |c| c.over.as_str()),
                resource: None,
                outcome: Outcome::Inconclusive,
                says: t.tally.reason.as_ref().unwrap_or(&unsaid),
                evidence: &[],
                needs: &t.tally.needs,
                console: None,
                at: t.at,
                count: t.tally.inconclusive,
                tracked: None,
            };
            self.write(&entry).await?;
        }
        Ok(())
    }

    async fn write(&mut self, entry: &Entry<'_>) -> Result<()> {
        match &mut self.form {
            // These are lists of findings and of nothing else.
            Form::Csv | Form::Json { .. } => {}
            Form::Sarif(sarif) => sarif.result(entry, self.sink.buffer()),
            Form::Ocsf => {
                let event = ocsf::event(entry, &self.ops.0.catalog.standards);
                self.sink.buffer().extend(ocsf::line(&event).map_err(internal)?);
            }
        }
        self.sink.pause().await
    }
}

/// A finding as the list shows it.
fn row(ops: &Ops, member: &Member, f: Finding) -> Value {
    let identity = &member.row.instance.identity;
    let uid =
        identity::of(&f.app, &identity.tenant_uid, &f.check, &f.resource_kind, Some(f.resource.as_str()));
    let f = ops.finding_row(f);
    json!({ "id": f.id, "application": f.instance.name, "product": f.instance.app_name, "tenant": f.instance.tenant,
        "check": f.check, "title": f.title, "severity": f.severity, "state": f.state, "resource": f.resource,
        "resource_kind": f.resource_kind, "says": f.says, "scan": f.scan, "first_seen_at": f.first_seen_at,
        "last_seen_at": f.last_seen_at, "stale_since": f.stale_since, "resolved_at": f.resolved_at, "uid": uid })
}

fn place(member: &Member) -> Place<'_> {
    let i = &member.row.instance;
    Place {
        app: &i.app,
        product: member.app_name(),
        vendor: member.app.as_ref().map_or("", |a| a.manifest.vendor.as_str()),
        tenant_uid: &i.identity.tenant_uid,
        tenant: &i.identity.tenant_name,
        instance: Some((&i.id, &i.name)),
        owner: member.owner.as_ref().map(|o| o.name.as_str()),
    }
}

fn execution<'a>(
    member: &'a Member,
    scan: &ScanFacts,
    notices: Vec<Notice>,
    now: Timestamp,
) -> Execution<'a> {
    let state = state(member, scan, now);
    Execution {
        place: place(member),
        scan: scan.kind,
        state,
        // A file is read later than now, so its instants are exact.
        says: member.about(now).scan(scan).whole().to_string(),
        started_at: scan.last.as_ref().map(|l| l.started_at),
        finished_at: scan.last.as_ref().map(|l| l.finished_at),
        at: now,
        notices,
    }
}

fn state(member: &Member, scan: &ScanFacts, now: Timestamp) -> State {
    let instance = &member.row.instance.facts;
    if !scan.enablement.is_enabled() {
        return State::NotEnabled;
    }
    if instance.paused.is_some() {
        return State::Paused;
    }
    if health::is_overdue(scan, instance, now) {
        return State::Overdue;
    }
    match scan.last.as_ref().map(|l| l.outcome) {
        None => State::Waiting,
        Some(RunOutcome::Succeeded) => State::Succeeded,
        Some(RunOutcome::Partial(cause)) => State::Partial(cause),
        Some(RunOutcome::Failed(cause)) => State::Failed(cause),
    }
}
