//! The gear: settings of one application.

use std::collections::{BTreeMap, BTreeSet};

use catalog::App;
use model::health::{Enablement, ScanFacts};
use model::id::InstanceId;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::view::{
    Actor, CredentialCard, DayBar, Html, Known, PausedView, PermissionRow, Removal, Role, RunningView,
    ScanCard, SettingsPage, ShrunkView,
};
use store::{instances, runs, snapshots};

use crate::Ops;
use crate::fleet::Member;
use crate::refusal::{Result, internal};
use crate::runs::{bar_start, bars, run_row};
use crate::status::needs_credential;

/// Intervals that may be chosen.
pub(crate) const INTERVALS: [Duration; 7] = [
    Duration::minutes(15),
    Duration::minutes(30),
    Duration::hours(1),
    Duration::hours(3),
    Duration::hours(6),
    Duration::hours(12),
    Duration::hours(24),
];
const LOG: u32 = 10;

impl Ops {
    /// The settings page of one application.
    ///
    /// # Errors
    /// When there is no such application.
    pub async fn settings(&self, actor: &Actor, id: &InstanceId) -> Result<SettingsPage> {
        let now = self.now();
        let member = self.instance(id)?;
        let i = &member.row.instance;
        let days = runs::days(self.db(), id, bar_start(now)).await.map_err(internal)?;
        let mut bars = bars(days, now);
        let shrunk = snapshots::shrunk(self.db(), id).await.map_err(internal)?;
        let mut scans = Vec::with_capacity(member.facts.len());
        for facts in &member.facts {
            let bar = bars.remove(&facts.kind).unwrap_or_default();
            scans.push(self.scan_card(&member, facts, bar, &shrunk, now).await?);
        }
        let removal = instances::removal(self.db(), id).await.map_err(internal)?;
        let mut intervals: BTreeSet<Duration> = INTERVALS.into();
        intervals.extend(member.facts.iter().map(|s| s.interval));
        Ok(SettingsPage {
            now,
            header: self.header(&member),
            scans,
            credential: credential(&member, now),
            intervals: intervals.into_iter().collect(),
            owners: self.owner_refs().await?.into_values().filter(|o| o.active).collect(),
            paused: i.facts.paused.as_ref().map(|p| PausedView { since: p.since, by: p.by.clone() }),
            onboarded_at: i.facts.onboarded_at,
            entered: entered(&member),
            origins: receivers(&i.origins),
            removal: Removal {
                findings: removal.findings,
                runs: removal.runs,
                accounts: removal.accounts,
                plugins: removal.plugins,
            },
            checkup: self.0.checkups.latest(id, now),
            may_change: actor.role == Role::Admin,
        })
    }

    async fn scan_card(
        &self,
        member: &Member,
        facts: &ScanFacts,
        bar: DayBar,
        shrunk: &BTreeMap<String, snapshots::Shrunk>,
        now: Timestamp,
    ) -> Result<ScanCard> {
        let id = member.id();
        let words = member.about(now).scan(facts);
        let mine = runs::Filter { instance: Some(id.clone()), kind: Some(facts.kind), outcome: None };
        let log = runs::log(self.db(), &mine, store::Cut::first(LOG)).await.map_err(internal)?;
        let log: Vec<_> = log.rows.into_iter().map(|r| run_row(member, r, now)).collect();
        let enabled = facts.enablement.is_enabled();
        let running = model::health::is_running(facts, now);
        let paused = member.is_paused();
        let cannot_scan_because = match (&facts.enablement, paused, running) {
            (Enablement::NotEnabled { .. }, ..) => "It is not enabled: the credential lacks permissions.",
            (Enablement::Stopped { .. }, ..) => "It was stopped; \u{201c}Check again\u{201d} enables it.",
            (_, true, _) => "The application is paused.",
            (_, _, true) => "It is running.",
            _ => "",
        };
        let (missing, checked_at) = match &facts.enablement {
            Enablement::NotEnabled { missing, checked_at, .. } => (missing.clone(), Some(*checked_at)),
            _ => (Vec::new(), None),
        };
        Ok(ScanCard {
            kind: facts.kind,
            enabled,
            status: member.scan_status(facts, now),
            advice: words.notes.into_iter().chain(words.remedy.map(|r| r.says)).collect(),
            last: log.first().cloned(),
            last_success_at: facts.last_success_at,
            next_at: (enabled && !paused && !running).then_some(facts.next_at),
            next: words.next,
            interval: facts.interval,
            running: running_view(facts, now),
            can_scan_now: cannot_scan_because.is_empty(),
            cannot_scan_because: cannot_scan_because.to_owned(),
            wanted: running && facts.wanted_at.is_some(),
            reauthenticate: enabled
                && (needs_credential(facts) || member.row.instance.facts.suspension.is_some()),
            bar,
            log,
            how_to_grant: Html(if missing.is_empty() {
                String::new()
            } else {
                member.app.as_ref().map(|a| a.onboarding_html.clone()).unwrap_or_default()
            }),
            missing,
            checked_at,
            shrunk: self.shrunk_views(member, facts.kind, shrunk).await?,
        })
    }

    /// Datasets of this scan that came back empty against expectation and that nobody has agreed to yet.
    async fn shrunk_views(
        &self,
        member: &Member,
        kind: ScanKind,
        shrunk: &BTreeMap<String, snapshots::Shrunk>,
    ) -> Result<Vec<ShrunkView>> {
        let Some(app) = &member.app else { return Ok(Vec::new()) };
        let mine: Vec<_> = shrunk
            .iter()
            .filter(|(_, s)| s.agreed_at.is_none())
            .filter_map(|(name, _)| app.dataset(name).filter(|d| d.spec.scans.contains(&kind)))
            .collect();
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let stored = snapshots::of_instance(self.db(), member.id(), None).await.map_err(internal)?;
        Ok(mine
            .into_iter()
            .filter_map(|d| {
                let before = stored.get(&d.spec.name)?;
                Some(ShrunkView {
                    dataset: d.spec.name.clone(),
                    title: d.spec.title.clone(),
                    had: before.data.records.len() as u64,
                    had_at: before.data.collected_at,
                })
            })
            .collect())
    }
}

fn running_view(facts: &ScanFacts, now: Timestamp) -> Option<RunningView> {
    let open = facts.open.as_ref()?;
    let progress = open.lease.as_ref().map(|l| l.progress).unwrap_or_default();
    let live = model::health::is_running(facts, now);
    (live || open.waiting_until.is_some()).then(|| RunningView {
        started_at: open.started_at,
        datasets_done: progress.datasets_done,
        datasets_of: progress.datasets_total,
        records: progress.records,
        reading: String::new(),
        waiting_until: open.waiting_until.filter(|at| *at > now),
    })
}

pub(crate) fn receivers(origins: &BTreeMap<String, String>) -> Vec<String> {
    let set: BTreeSet<String> = match collect::Origins::from_map(origins) {
        Ok(origins) => origins.receivers(),
        // Stored addresses were parsed before they were stored; shown as they are otherwise.
        Err(_) => origins.values().cloned().collect(),
    };
    set.into_iter().collect()
}

fn entered(member: &Member) -> Vec<(String, String)> {
    let i = &member.row.instance;
    let Some(app) = &member.app else { return i.settings.clone().into_iter().collect() };
    let way = app.deployment(&i.deployment);
    let mut list =
        vec![("Hosting".to_owned(), way.map_or_else(|| i.deployment.clone(), |d| d.title.clone()))];
    let of_way = way.into_iter().flat_map(|d| d.label.iter().chain(&d.address));
    for setting in of_way.chain(&app.manifest.setting) {
        if let Some(value) = i.settings.get(&setting.name).filter(|v| !v.is_empty()) {
            list.push((setting.title.clone(), value.clone()));
        }
    }
    list
}

fn credential(member: &Member, now: Timestamp) -> CredentialCard {
    let i = &member.row.instance;
    let auth = member.app.as_ref().and_then(|a| a.auth(&i.auth));
    CredentialCard {
        kind: auth.map_or_else(|| i.auth.clone(), |a| a.title.clone()),
        subject: i.identity.subject.clone(),
        tenant_uid: i.identity.tenant_uid.clone(),
        tenant_name: i.identity.tenant_name.clone(),
        permissions: member
            .app
            .as_ref()
            .map(|a| permissions(a, &i.auth, i.identity.granted.as_deref()))
            .unwrap_or_default(),
        granted_known: i.identity.granted.is_some(),
        expires_at: i.identity.expires_at.map_or(Known::Unknown, Known::Is),
        last_used_at: i.credential_used_at,
        since: i.credential_set_at,
        suspended: member.about(now).credential(),
        disabled: None,
    }
}

/// Needed permissions with the scans that need them, then granted ones that nothing needs.
fn permissions(app: &App, auth_id: &str, granted: Option<&[String]>) -> Vec<PermissionRow> {
    let mut rows: BTreeMap<&str, (BTreeSet<ScanKind>, BTreeSet<ScanKind>)> = BTreeMap::new();
    let mut accepted: BTreeSet<&str> = BTreeSet::new();
    for dataset in &app.datasets {
        let Some(names) = dataset.spec.permission.get(auth_id) else { continue };
        accepted.extend(names.iter().map(String::as_str));
        // Any one of the list suffices; the first is the least that is recommended.
        let Some(name) = names.first() else { continue };
        let (required, used) = rows.entry(name).or_default();
        required.extend(&dataset.spec.required);
        used.extend(&dataset.spec.scans);
    }
    let auth = app.auth(auth_id);
    let holds = |needed: &str| -> Known<bool> {
        match (granted, auth) {
            (Some(list), Some(auth)) => {
                Known::Is(list.iter().any(|g| g == needed || implied(auth, g, needed, 0)))
            }
            _ => Known::Unknown,
        }
    };
    let mut list: Vec<PermissionRow> = rows
        .into_iter()
        .map(|(name, (required, used))| PermissionRow {
            name: name.to_owned(),
            used_by: used.difference(&required).copied().collect(),
            required_by: required.into_iter().collect(),
            granted: holds(name),
            excess: false,
        })
        .collect();
    list.sort_by(|a, b| {
        a.required_by.is_empty().cmp(&b.required_by.is_empty()).then_with(|| a.name.cmp(&b.name))
    });
    let needed =
        |g: &str| accepted.contains(g) || auth.is_some_and(|a| accepted.iter().any(|n| implied(a, g, n, 0)));
    for name in granted.unwrap_or_default().iter().filter(|g| !needed(g)) {
        list.push(PermissionRow {
            name: name.clone(),
            required_by: Vec::new(),
            used_by: Vec::new(),
            granted: Known::Is(true),
            excess: true,
        });
    }
    list
}

/// Whether a held permission contains a needed one, by the manifest's table. The depth bounds a circular table.
fn implied(auth: &catalog::manifest::Auth, held: &str, needed: &str, depth: u8) -> bool {
    depth < 8
        && auth
            .implies
            .get(held)
            .is_some_and(|list| list.iter().any(|n| n == needed || implied(auth, n, needed, depth + 1)))
}
