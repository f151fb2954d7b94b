//! Findings: the list, one finding, and what people may do with it.

use model::finding::{FindingState, Severity};
use model::id::FindingId;
use model::scan::ScanKind;
use model::view::{
    Actor, ControlRef, EvidenceRow, FindingEvent, FindingPage, FindingRow, FindingsPage, FindingsQuery, Html,
    Link, NextStep, Role, SeverityCounts,
};
use serde_json::json;
use store::Order;
use store::findings::{self, Finding, OperatorState};

use crate::fleet::Member;
use crate::lists::{self, ROWS, empty, facet, paging, plain_json, sort};
use crate::refusal::{Result, conflict, internal, must_be_admin, store as from_store};
use crate::{Ops, audit};

pub(crate) const OPEN: [FindingState; 2] = [FindingState::New, FindingState::InProgress];

/// The value of the owner filter that means: nobody.
pub(crate) const UNOWNED: &str = "none";

pub(crate) fn filter(query: &FindingsQuery) -> findings::Filter {
    findings::Filter {
        instance: query.instance.clone(),
        app: query.app.clone(),
        owner: query.owner.as_deref().filter(|o| *o != UNOWNED).map(Into::into),
        unowned: query.owner.as_deref() == Some(UNOWNED),
        check: query.check.clone(),
        kind: query.scan,
        severities: query.severity.into_iter().collect(),
        states: query.state.map_or_else(|| OPEN.to_vec(), |s| vec![s]),
        stale: query.stale,
        resource: query.resource.clone(),
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
        ..Default::default()
    }
}

pub(crate) fn order(query: &FindingsQuery) -> (findings::Sort, Order) {
    let (column, order) = sort(&query.cut);
    let column = match column {
        Some("first_seen") => findings::Sort::FirstSeen,
        Some("last_seen") => findings::Sort::LastSeen,
        Some("resource") => findings::Sort::Resource,
        // The natural order is worst first.
        _ => return (findings::Sort::Severity, lists::reversed(order)),
    };
    (column, order)
}

impl Ops {
    /// The Findings list, of all applications or of one.
    ///
    /// # Errors
    /// A cursor that cannot be used, or an application that is gone.
    pub async fn findings(&self, _actor: &Actor, query: &FindingsQuery) -> Result<FindingsPage> {
        let wanted = filter(query);
        let (column, direction) = order(query);
        let page = findings::list(self.db(), &wanted, column, direction, lists::cut(&query.cut, ROWS)?)
            .await
            .map_err(from_store)?;
        let all = findings::Filter {
            instance: query.instance.clone(),
            states: OPEN.to_vec(),
            ..Default::default()
        };
        let unfiltered = if all == wanted {
            page.total
        } else {
            findings::count(self.db(), &all).await.map_err(internal)?
        };
        let mut counts = SeverityCounts::default();
        for (severity, n) in findings::severity_counts(self.db(), &wanted).await.map_err(internal)? {
            counts.add(severity, n);
        }
        let paging = paging(&page, unfiltered);
        Ok(FindingsPage {
            now: self.now(),
            header: self.heading(query.instance.as_ref())?,
            facets: self.finding_facets(query),
            counts,
            rows: page.rows.into_iter().map(|f| self.finding_row(f)).collect(),
            empty: self.no_findings(query, &paging),
            paging,
        })
    }

    fn no_findings(
        &self,
        query: &FindingsQuery,
        paging: &model::view::Paging,
    ) -> Option<model::view::EmptyState> {
        let members = self.0.fleet.all();
        let of = |m: &Member| query.instance.as_ref().is_none_or(|i| i == m.id());
        let unjudged = members.iter().filter(|m| of(m) && !m.has_result()).count();
        // An empty list is good news only where every scan has answered.
        let says = if members.is_empty() {
            "No application is onboarded yet, so there are no findings.".to_owned()
        } else if unjudged > 0 {
            "There are no findings yet: the first scans have not finished.".to_owned()
        } else if members.iter().any(|m| of(m) && m.wants_attention(self.now())) {
            "No open findings in what could be read. Some scans are not Up, so this is not the whole picture."
                .to_owned()
        } else {
            "No open findings: every check that could be decided passes.".to_owned()
        };
        let next = match (&query.instance, members.is_empty()) {
            (_, true) => NextStep::AddApplication,
            (Some(id), _) if unjudged > 0 => NextStep::OpenSettings(id.clone()),
            _ => NextStep::Nothing,
        };
        empty(paging, &says, next)
    }

    fn finding_facets(&self, query: &FindingsQuery) -> Vec<model::view::Facet> {
        let severities: Vec<(&str, String)> =
            Severity::ALL.into_iter().map(|s| (s.as_str(), capital(s.as_str()))).collect();
        let severities: Vec<(&str, &str)> = severities.iter().map(|(v, t)| (*v, t.as_str())).collect();
        let kinds: Vec<(&str, &str)> = ScanKind::ALL.into_iter().map(|k| (k.as_str(), k.title())).collect();
        let mut facets = vec![
            facet(
                "state",
                "State",
                query.state.map(FindingState::as_str),
                &[
                    ("new", "New"),
                    ("in_progress", "In progress"),
                    ("resolved", "Resolved"),
                    ("suppressed", "Suppressed"),
                ],
            ),
            facet("severity", "Severity", query.severity.map(Severity::as_str), &severities),
        ];
        if query.instance.is_none() {
            facets.push(self.app_facet(query.app.as_ref()));
        }
        facets.push(facet("scan", "Scan", query.scan.map(ScanKind::as_str), &kinds));
        if query.instance.is_none() {
            facets.push(self.owner_facet(query.owner.as_deref()));
        }
        let stale = query.stale.map(|s| if s { "true" } else { "false" });
        facets.push(facet(
            "stale",
            "Confirmed",
            stale,
            &[("false", "By the latest scan"), ("true", "Not lately")],
        ));
        facets
    }

    fn owner_facet(&self, active: Option<&str>) -> model::view::Facet {
        let mut owners: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
        for member in self.0.fleet.all() {
            if let Some(owner) = &member.owner {
                owners.insert(owner.name.clone(), owner.id.to_string());
            }
        }
        let choices: Vec<(&str, &str)> =
            owners.iter().map(|(name, id)| (id.as_str(), name.as_str())).collect();
        facet("owner", "Owner", active, &choices)
    }

    pub(crate) fn finding_row(&self, f: Finding) -> FindingRow {
        let title = self.check_of(&f).map_or_else(|| f.check.to_string(), |c| c.title.clone());
        FindingRow {
            instance: self.instance_ref(&f.instance, &f.instance_name, &f.app),
            resource_kind: self.dataset_title(&f.app, &f.resource_kind),
            id: f.id,
            title,
            check: f.check,
            severity: f.severity,
            state: f.state,
            resource: f.resource,
            says: f.says,
            scan: f.kind,
            first_seen_at: f.first_seen_at,
            last_seen_at: f.last_seen_at,
            stale_since: f.stale_since,
            resolved_at: f.resolved_at,
        }
    }

    pub(crate) fn check_of(&self, f: &Finding) -> Option<std::sync::Arc<catalog::Check>> {
        self.0.catalog.apps.get(&f.app)?.checks.iter().find(|c| c.id == f.check).cloned()
    }

    /// One finding.
    ///
    /// # Errors
    /// When there is no such finding.
    pub async fn finding(&self, actor: &Actor, id: &FindingId) -> Result<FindingPage> {
        let finding = findings::get(self.db(), id).await.map_err(from_store)?;
        let check = self.check_of(&finding);
        let same = findings::Filter {
            instance: Some(finding.instance.clone()),
            resource: Some(finding.resource.clone()),
            states: OPEN.to_vec(),
            ..Default::default()
        };
        let same = findings::list(
            self.db(),
            &same,
            findings::Sort::Severity,
            Order::Descending,
            store::Cut::first(20),
        )
        .await
        .map_err(internal)?;
        let evidence = finding
            .evidence
            .iter()
            .map(|e| EvidenceRow {
                field: e.field.to_string(),
                value: plain_json(&e.value.value()),
                wanted: String::new(),
                dataset: self.dataset_title(&finding.app, &e.dataset),
                request: e.request.to_string(),
                at: e.at,
            })
            .collect();
        let may_except = actor.role == Role::Admin && finding.state != FindingState::Resolved;
        let transitions = match finding.state {
            FindingState::New => vec![FindingState::InProgress],
            FindingState::InProgress => vec![FindingState::New],
            FindingState::Resolved | FindingState::Suppressed => Vec::new(),
        };
        Ok(FindingPage {
            now: self.now(),
            evidence,
            question: check.as_ref().map(|c| question(c)).unwrap_or_default(),
            revision: finding.revision,
            history: self.finding_events(&finding).await?,
            why: Html(check.as_ref().map(|c| c.remedy.why_html()).unwrap_or_default()),
            remedy: Html(check.as_ref().map(|c| c.remedy.steps_html()).unwrap_or_default()),
            console: check.as_ref().and_then(|c| self.console_link(c, &finding)),
            controls: check.as_ref().map(|c| self.control_refs(&c.controls)).unwrap_or_default(),
            exception: crate::exceptions::view(&finding),
            may_except,
            transitions,
            same_resource: same
                .rows
                .into_iter()
                .filter(|f| f.id != *id)
                .map(|f| self.finding_row(f))
                .collect(),
            finding: self.finding_row(finding),
        })
    }

    pub(crate) fn control_refs(&self, controls: &[String]) -> Vec<ControlRef> {
        controls
            .iter()
            .filter_map(|text| {
                let (standard, id) = text.split_once('/')?;
                let found = self.0.catalog.standards.get(standard)?;
                Some(ControlRef {
                    standard: found.title.clone(),
                    id: id.to_owned(),
                    title: found.controls.get(id).map(|c| c.title.clone()).unwrap_or_default(),
                })
            })
            .collect()
    }

    fn console_link(&self, check: &catalog::Check, finding: &Finding) -> Option<Link> {
        let title = format!("Open in {}", self.0.fleet.get(&finding.instance)?.app_name());
        Some(Link { title, href: self.console_address(check, finding)? })
    }

    /// The vendor's page where it is mended. Left out when a placeholder cannot be filled, or the result is not https.
    pub(crate) fn console_address(&self, check: &catalog::Check, finding: &Finding) -> Option<String> {
        let template = check.remedy.link.as_ref()?;
        let member = self.0.fleet.get(&finding.instance)?;
        let value = |name: &str| {
            let field = || {
                finding.evidence.iter().find(|e| *e.field == *name)?.value.value().as_str().map(str::to_owned)
            };
            let entered = member.row.instance.settings.get(name).cloned();
            entered.or_else(field).or_else(|| self.is_key(finding, name).then(|| finding.resource.clone()))
        };
        template.address_by(&member.console()?, value).filter(|href| href.starts_with("https://"))
    }

    async fn finding_events(&self, finding: &Finding) -> Result<Vec<FindingEvent>> {
        let events = findings::events(self.db(), &finding.id).await.map_err(internal)?;
        let event = |e: findings::Event| {
            let what = capital(&e.what.as_str().replace('_', " "));
            FindingEvent {
                at: e.at,
                what: e.note.map_or(what.clone(), |note| format!("{what}: {note}")),
                by: e.by.unwrap_or_else(|| "Parapet".to_owned()),
            }
        };
        Ok(events.into_iter().map(event).collect())
    }

    fn is_key(&self, finding: &Finding, name: &str) -> bool {
        let app = self.0.catalog.apps.get(&finding.app);
        app.and_then(|a| a.dataset(&finding.resource_kind))
            .is_some_and(|d| d.spec.key.as_deref() == Some(name))
    }

    /// Takes a finding up, or puts it back.
    ///
    /// # Errors
    /// When it is resolved or suppressed, gone, or the role does not suffice.
    pub async fn set_finding_state(&self, actor: &Actor, id: &FindingId, state: FindingState) -> Result<()> {
        must_be_admin(actor)?;
        let wanted = match state {
            FindingState::New => OperatorState::New,
            FindingState::InProgress => OperatorState::InProgress,
            FindingState::Resolved => {
                return Err(conflict(
                    "A finding is resolved by a scan that sees it mended, not by hand.",
                    "Mend it, then use Scan now.",
                ));
            }
            FindingState::Suppressed => {
                return Err(conflict(
                    "A finding is suppressed by an exception with a reason, an approver and an end.",
                    "Use \u{201c}Except until\u{201d} on its page.",
                ));
            }
        };
        let finding = findings::get(self.db(), id).await.map_err(from_store)?;
        if !OPEN.contains(&finding.state) {
            return Err(conflict(
                format!("This finding is {}.", finding.state.as_str().replace('_', " ")),
                "Only open findings can be taken up or put back.",
            ));
        }
        let entry = audit(
            actor,
            "finding state changed",
            Some(&finding.instance),
            format!("{} on {}", finding.check, finding.resource),
            json!({ "finding": id.as_str(), "from": finding.state.as_str(), "to": state.as_str() }),
        );
        findings::set_state(self.db(), id, &wanted, &actor.name, self.now(), entry)
            .await
            .map_err(from_store)?;
        self.refreshed(&finding.instance).await
    }
}

pub(crate) fn question(check: &catalog::Check) -> String {
    match &check.when {
        Some(when) => format!("{}\n\nwhen {}", check.pass.source(), when.source()),
        None => check.pass.source().to_owned(),
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

impl Member {
    /// Not everything that pages show about it is fresh and whole.
    pub(crate) fn wants_attention(&self, now: model::time::Timestamp) -> bool {
        self.settled(now) != model::health::SettledStatus::Up
    }

    /// Base of the vendor's web console.
    pub(crate) fn console(&self) -> Option<String> {
        let i = &self.row.instance;
        let app = self.app.as_ref()?;
        let way = app.deployment(&i.deployment)?;
        let entered = |s: &Option<catalog::manifest::Setting>| {
            s.as_ref().and_then(|s| i.settings.get(&s.name)).cloned()
        };
        let (label, address) = (entered(&way.label), entered(&way.address));
        collect::console(app, &i.deployment, label.as_deref(), address.as_deref()).ok()
    }
}
