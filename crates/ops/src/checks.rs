//! Checks: the catalogue's questions and how they stand.

use std::collections::BTreeMap;

use catalog::{App, Check};
use model::finding::Severity;
use model::id::{AppId, CheckId};
use model::scan::ScanKind;
use model::view::{
    Actor, CheckPage, CheckRow, CheckStanding, ChecksPage, ChecksQuery, Html, NextStep, Paging, Role,
};
use store::runs::{self, Tally};

use crate::Ops;
use crate::findings::capital;
use crate::lists::{empty, facet, limit};
use crate::refusal::{Result, internal, invalid, not_found};

const ROWS: u32 = 100;

impl Ops {
    /// The Checks list: every check of the catalogue, with how it stands over all instances.
    ///
    /// # Errors
    /// A cursor that cannot be used.
    pub async fn checks(&self, _actor: &Actor, query: &ChecksQuery) -> Result<ChecksPage> {
        let mut standing: BTreeMap<(AppId, CheckId), CheckRow> = BTreeMap::new();
        for app in self.0.catalog.apps.values() {
            for check in &app.checks {
                standing.insert((app.id.clone(), check.id.clone()), self.fresh_row(app, check));
            }
        }
        for (key, sum) in runs::sums(self.db()).await.map_err(internal)? {
            if let Some(row) = standing.get_mut(&key) {
                row.instances = sum.instances;
                row.pass = sum.pass;
                row.fail = sum.fail;
                row.inconclusive = sum.inconclusive;
                row.not_applicable = sum.not_applicable;
            }
        }
        let unfiltered = standing.len() as u64;
        let mut rows: Vec<CheckRow> = standing.into_values().filter(|r| matches(r, query)).collect();
        sort(&mut rows, query.cut.sort.as_deref());
        let total = rows.len() as u64;
        let size = limit(&query.cut, ROWS)? as usize;
        let start = match query.cut.after.as_deref() {
            None => 0,
            Some(after) => rows.iter().position(|r| key(r) == after).map(|at| at + 1).ok_or_else(|| {
                invalid("after", "This link to a page of the list cannot be read; start from the first page.")
            })?,
        };
        let end = (start + size).min(rows.len());
        let next = (end < rows.len()).then(|| key(&rows[end - 1]));
        let paging = Paging { total, unfiltered, next, previous: None };
        Ok(ChecksPage {
            now: self.now(),
            facets: self.check_facets(query),
            rows: rows.drain(start..end).collect(),
            empty: empty(&paging, "The catalogue holds no check.", NextStep::Nothing),
            paging,
        })
    }

    fn fresh_row(&self, app: &App, check: &Check) -> CheckRow {
        CheckRow {
            id: check.id.clone(),
            app: app.id.clone(),
            app_name: app.manifest.name.clone(),
            title: check.title.clone(),
            severity: check.severity,
            scan: check.scan,
            over: self.dataset_title(&app.id, check.over.as_str()),
            instances: 0,
            pass: 0,
            fail: 0,
            inconclusive: 0,
            not_applicable: 0,
        }
    }

    fn check_facets(&self, query: &ChecksQuery) -> Vec<model::view::Facet> {
        let apps: Vec<(&str, &str)> =
            self.0.catalog.apps.values().map(|a| (a.id.as_str(), a.manifest.name.as_str())).collect();
        let severities: Vec<(&str, String)> =
            Severity::ALL.into_iter().map(|s| (s.as_str(), capital(s.as_str()))).collect();
        let severities: Vec<(&str, &str)> = severities.iter().map(|(v, t)| (*v, t.as_str())).collect();
        let kinds: Vec<(&str, &str)> = ScanKind::ALL.into_iter().map(|k| (k.as_str(), k.title())).collect();
        vec![
            facet("app", "Product", query.app.as_ref().map(AppId::as_str), &apps),
            facet("severity", "Severity", query.severity.map(Severity::as_str), &severities),
            facet("scan", "Scan", query.scan.map(ScanKind::as_str), &kinds),
            facet(
                "outcome",
                "Outcome",
                query.outcome.as_deref(),
                &[
                    ("fail", "Fails"),
                    ("inconclusive", "Inconclusive"),
                    ("pass", "Passes"),
                    ("not_applicable", "Not applicable"),
                    ("never_run", "Never run"),
                ],
            ),
        ]
    }

    /// One check of one product.
    ///
    /// # Errors
    /// When the catalogue has no such check.
    pub async fn check(&self, actor: &Actor, app: &AppId, id: &CheckId) -> Result<CheckPage> {
        let app = self.0.catalog.apps.get(app).ok_or_else(|| not_found("product"))?;
        let check = app.checks.iter().find(|c| c.id == *id).ok_or_else(|| not_found("check"))?;
        let mut row = self.fresh_row(app, check);
        let mut standing = Vec::new();
        for tally in runs::tallies_of_check(self.db(), id).await.map_err(internal)? {
            let Some(member) = self.0.fleet.get(&tally.instance).filter(|m| m.row.instance.app == app.id)
            else {
                continue;
            };
            add(&mut row, &tally);
            standing.push(CheckStanding {
                instance: member.instance_ref(),
                at: tally.at,
                tally: tally.tally,
            });
        }
        standing.sort_by(|a, b| a.instance.name.cmp(&b.instance.name));
        Ok(CheckPage {
            now: self.now(),
            check: row,
            revision: check.revision,
            when: check.when.as_ref().map(|w| w.source().to_owned()).unwrap_or_default(),
            pass: check.pass.source().to_owned(),
            on_empty: check.on_empty.as_str().replace('_', " "),
            params: self.check_params(app, check).await?,
            may_change: actor.role == Role::Admin,
            permissions: permissions(app, check),
            why: Html(check.remedy.why_html()),
            remedy: Html(check.remedy.steps_html()),
            controls: self.control_refs(&check.controls),
            examples: check.examples.iter().map(|e| (e.expected, example(&e.given(check)))).collect(),
            standing,
        })
    }
}

fn key(row: &CheckRow) -> String {
    format!("{}~{}", row.app, row.id)
}

fn add(row: &mut CheckRow, tally: &Tally) {
    row.instances += 1;
    row.pass += tally.tally.pass;
    row.fail += tally.tally.fail;
    row.inconclusive += tally.tally.inconclusive;
    row.not_applicable += tally.tally.not_applicable;
}

fn worst(row: &CheckRow) -> &'static str {
    match row {
        r if r.instances == 0 => "never_run",
        r if r.fail > 0 => "fail",
        r if r.inconclusive > 0 => "inconclusive",
        r if r.pass > 0 => "pass",
        _ => "not_applicable",
    }
}

fn matches(row: &CheckRow, query: &ChecksQuery) -> bool {
    let text = query.search.as_deref().map(|s| s.trim().to_lowercase()).filter(|s| !s.is_empty());
    query.app.as_ref().is_none_or(|a| *a == row.app)
        && query.severity.is_none_or(|s| s == row.severity)
        && query.scan.is_none_or(|s| s == row.scan)
        && query.outcome.as_deref().is_none_or(|o| o == worst(row))
        && text.is_none_or(|t| row.title.to_lowercase().contains(&t) || row.id.as_str().contains(&t))
}

fn sort(rows: &mut [CheckRow], by: Option<&str>) {
    let (column, backwards) = match by {
        Some(text) => text.strip_prefix('-').map_or((text, false), |c| (c, true)),
        None => ("severity", false),
    };
    let by_title = |a: &CheckRow, b: &CheckRow| (&a.title, key(a)).cmp(&(&b.title, key(b)));
    match column {
        "title" => rows.sort_by(by_title),
        "fail" => rows.sort_by(|a, b| b.fail.cmp(&a.fail).then_with(|| by_title(a, b))),
        _ => rows.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| by_title(a, b))),
    }
    if backwards {
        rows.reverse();
    }
}

/// Permissions of everything the check reads, by way to authenticate.
fn permissions(app: &App, check: &Check) -> Vec<(String, Vec<String>)> {
    let mut names: Vec<&str> = check.reads.iter().map(String::as_str).chain([check.over.as_str()]).collect();
    for (canonical, mappings) in [("account", &app.accounts), ("plugin", &app.plugins)] {
        if names.contains(&canonical) {
            names.extend(mappings.iter().flat_map(|m| m.reads.iter().chain([&m.from])).map(String::as_str));
        }
    }
    app.manifest
        .auth
        .iter()
        .map(|auth| {
            let mut list: Vec<String> = names
                .iter()
                .filter_map(|n| app.dataset(n)?.spec.permission.get(&auth.id)?.first().cloned())
                .collect();
            list.sort();
            list.dedup();
            (auth.title.clone(), list)
        })
        .filter(|(_, list)| !list.is_empty())
        .collect()
}

fn example(example: &catalog::Given) -> String {
    let mut parts = serde_json::Map::new();
    if !example.datasets.is_empty() {
        parts.insert("datasets".to_owned(), serde_json::json!(example.datasets));
    }
    if !example.incomplete.is_empty() {
        parts.insert("incomplete".to_owned(), serde_json::json!(example.incomplete));
    }
    if !example.unavailable.is_empty() {
        parts.insert("unavailable".to_owned(), serde_json::json!(example.unavailable));
    }
    let value = match (&example.record, parts.is_empty()) {
        (Some(record), true) => record.clone(),
        (record, _) => {
            if let Some(record) = record {
                parts.insert("record".to_owned(), record.clone());
            }
            serde_json::Value::Object(parts)
        }
    };
    format!("{value:#}")
}
