//! `parapet check`: the catalogue's questions, how they were decided, and the language they are written in.

use std::process::ExitCode;

use catalog::{App, Check};
use model::finding::{CheckResult, FindingState, Outcome, Severity};
use model::id::{CheckId, InstanceId};
use serde_json::json;
use store::findings::{Filter, Sort};
use store::{Cut, Order};

use crate::cli::{CheckCommand, ConfigArgs};
use crate::eval;
use crate::failure::Failure;
use crate::output::{clean, say, table};
use crate::wiring::{self, World};

pub(crate) async fn run(command: CheckCommand) -> Result<ExitCode, Failure> {
    match command {
        CheckCommand::List { app, severity, json, catalogue } => {
            let catalog = wiring::catalogue_of(&catalogue)?;
            list(&catalog, app.as_deref(), severity, json)
        }
        CheckCommand::Show { id, catalogue } => {
            let catalog = wiring::catalogue_of(&catalogue)?;
            let (app, check) = find(&catalog, &id)?;
            say(&page(app, check));
            Ok(ExitCode::SUCCESS)
        }
        CheckCommand::Explain { id, instance, resource, config, json } => {
            explain(&id, &instance, resource.as_deref(), &config, json).await
        }
        CheckCommand::New { folder, id, over } => crate::app::new::check(&folder, &id, &over),
        CheckCommand::Language => {
            crate::output::write(&catalog::docs::language(), None)?;
            Ok(ExitCode::SUCCESS)
        }
        CheckCommand::Eval { expression, record, now, json } => {
            eval::run(&expression, record.as_deref(), now.as_deref(), json)
        }
    }
}

fn list(
    catalog: &catalog::Catalog,
    app: Option<&str>,
    severity: Option<Severity>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    if let Some(app) = app {
        crate::scan::product(catalog, app)?;
    }
    let chosen = catalog.apps.values().filter(|a| app.is_none_or(|id| a.id.as_str() == id)).flat_map(|a| {
        a.checks.iter().filter(|c| severity.is_none_or(|s| s == c.severity)).map(move |c| (a, c))
    });
    if as_json {
        let rows: Vec<_> = chosen
            .map(|(a, c)| json!({ "id": c.id, "app": a.id, "title": c.title, "severity": c.severity, "scan": c.scan,
                "over": c.over.as_str(), "revision": c.revision, "controls": c.controls, "pass": c.pass.source(),
                "when": c.when.as_ref().map(|w| w.source()) }))
            .collect();
        say(&format!("{:#}", json!(rows)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["severity", "check", "product", "scan", "secure state"]);
    for (a, c) in chosen {
        rows.add_row([c.severity.as_str(), c.id.as_str(), a.id.as_str(), c.scan.as_str(), &c.title]);
    }
    say(&rows.to_string());
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(catalog: &'a catalog::Catalog, id: &str) -> Result<(&'a App, &'a Check), Failure> {
    let wanted = CheckId::from(id);
    let found =
        catalog.apps.values().find_map(|a| a.checks.iter().find(|c| c.id == wanted).map(|c| (&**a, &**c)));
    found.ok_or_else(|| match catalog.retired.get(&wanted) {
        Some(why) => Failure::usage(format!("The check {id} was retired: {why}")),
        None => Failure::usage(format!("There is no check {id}. `parapet check list` shows them.")),
    })
}

fn page(app: &App, check: &Check) -> String {
    let mut lines = vec![
        check.title.clone(),
        format!(
            "{} (revision {}), {}, {} of {}",
            check.id,
            check.revision,
            check.severity,
            check.scan.title(),
            app.manifest.name
        ),
        String::new(),
        format!("asked of  {}", check.over.as_str()),
    ];
    if let Some(when) = &check.when {
        lines.push(format!("when      {}", when.source()));
    }
    lines.push(format!("passes    {}", check.pass.source()));
    lines.push(format!("if none   {}", check.on_empty.as_str().replace('_', " ")));
    for (name, param) in &check.params {
        lines.push(format!("parameter {name} = {}", param.default.to_json(&param.kind)));
    }
    if !check.controls.is_empty() {
        lines.push(format!("controls  {}", check.controls.join(", ")));
    }
    lines.push(String::new());
    lines.push(check.remedy.why_markdown.trim().to_owned());
    lines.push(String::new());
    lines.push(check.remedy.steps_markdown.trim().to_owned());
    lines.join("\n")
}

async fn explain(
    id: &str,
    instance: &str,
    resource: Option<&str>,
    config: &ConfigArgs,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let world = World::open(config.config.as_ref()).await?;
    let found = world.find(instance).await?;
    let app = crate::scan::product(&world.catalog, found.instance.app.as_str())?;
    let check = app
        .checks
        .iter()
        .find(|c| c.id.as_str() == id)
        .ok_or_else(|| Failure::usage(format!("{} has no check {id}.", app.manifest.name)))?;
    let tallies = store::runs::tallies(&world.db, &found.instance.id).await?;
    let Some(tally) = tallies.iter().find(|t| t.tally.check == check.id) else {
        return Err(Failure::usage(format!(
            "No run of {} has been assessed for {} yet.",
            check.scan.title(),
            found.instance.name
        )));
    };
    // What fails is a finding; the run keeps the rest.
    let mut results = failing(&world.db, &found.instance.id, check, resource).await?;
    results.extend(
        store::runs::results(&world.db, &found.instance.id, check.scan)
            .await?
            .into_iter()
            .filter(|r| r.check == check.id && resource.is_none_or(|wanted| *r.resource == *wanted)),
    );
    if as_json {
        say(&format!(
            "{:#}",
            json!({ "check": check.id, "at": tally.at, "tally": tally.tally, "results": results })
        ));
        return Ok(ExitCode::SUCCESS);
    }
    say(&page(&app, check));
    let t = &tally.tally;
    say(&format!(
        "\nAs of {}: {} pass, {} fail, {} inconclusive, {} not applicable.",
        tally.at, t.pass, t.fail, t.inconclusive, t.not_applicable
    ));
    if let Some(reason) = &t.reason {
        say(&clean(reason));
    }
    if results.is_empty() {
        match resource {
            Some(name) => say(&format!(
                "{name} is not among the stored results: it passes, the check does not ask about it, or it is not there. \
                 Neither keeps evidence."
            )),
            None => say("What passes, and what the check does not ask about, keeps no evidence."),
        }
    }
    for result in &results {
        say(&one(result));
    }
    Ok(ExitCode::SUCCESS)
}

/// The open findings of a check, by resource.
async fn failing(
    db: &store::Db,
    instance: &InstanceId,
    check: &Check,
    resource: Option<&str>,
) -> Result<Vec<CheckResult>, Failure> {
    let filter = Filter {
        instance: Some(instance.clone()),
        check: Some(check.id.clone()),
        resource: resource.map(str::to_owned),
        states: vec![FindingState::New, FindingState::InProgress, FindingState::Suppressed],
        ..Filter::default()
    };
    let mut results = Vec::new();
    let mut after = None;
    loop {
        let cut = Cut { after: after.as_deref(), ..Cut::first(500) };
        let page = store::findings::list(db, &filter, Sort::Resource, Order::Ascending, cut).await?;
        results.extend(page.rows.into_iter().map(|f| CheckResult {
            check: f.check,
            revision: f.revision,
            scan: f.kind,
            resource: f.resource.into(),
            resource_kind: f.resource_kind.into(),
            outcome: Outcome::Fail,
            severity: f.severity,
            says: match f.stale_since {
                Some(since) => format!("{} (no run could look since {since})", f.says).into(),
                None => f.says.into(),
            },
            evidence: f.evidence.into(),
            needs: [].into(),
        }));
        after = page.next;
        if after.is_none() {
            return Ok(results);
        }
    }
}

fn one(result: &CheckResult) -> String {
    let verb = match result.outcome {
        Outcome::Pass => "passes",
        Outcome::Fail => "FAILS",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable => "not applicable",
    };
    let mut lines = vec![format!("\n{} {verb}: {}", clean(&result.resource), clean(&result.says))];
    for e in result.evidence.iter() {
        lines.push(format!(
            "  {} = {}   ({}, {}, {})",
            e.field,
            clean(&e.value.value().to_string()),
            e.dataset,
            e.request,
            e.at
        ));
    }
    if !result.needs.is_empty() {
        lines.push(format!("  would be decided with: {}", result.needs.join(", ")));
    }
    lines.join("\n")
}
