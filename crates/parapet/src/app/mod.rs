//! `parapet app`: onboarded applications, and trying out a catalogue folder.

mod dry;
pub(crate) mod new;
mod record;
mod replay;
mod show;
mod told;
mod trial;

use std::process::ExitCode;

use model::view::{CredentialInput, SettingsPage, Status};
use model::words;
use ops::command_line;
use serde_json::json;

use crate::cli::{AddArgs, AppCommand, ConfigArgs};
use crate::failure::Failure;
use crate::output::{clean, say, table};
use crate::scan::product;
use crate::wiring::{self, World};
use crate::{credential, output};

pub(crate) async fn run(command: AppCommand) -> Result<ExitCode, Failure> {
    match command {
        AppCommand::List { config, catalog: true, json } => list_catalogue(&config, json),
        AppCommand::List { config, catalog: false, json } => list(&config, json).await,
        AppCommand::Add(args) => add(args).await,
        AppCommand::Show { name, config, json } => show(&name, &config, json).await,
        AppCommand::Remove { name, yes, config } => remove(&name, yes, &config).await,
        AppCommand::New { folder, id } => new::app(&folder, &id),
        AppCommand::Words => {
            output::write(&catalog::docs::words(), None)?;
            Ok(ExitCode::SUCCESS)
        }
        AppCommand::Try(args) => trial::run(args).await,
    }
}

fn list_catalogue(config: &ConfigArgs, as_json: bool) -> Result<ExitCode, Failure> {
    let config = crate::config::load(config.config.as_deref())?;
    let (catalog, errors) = wiring::catalogue(&config.catalog, &config.allow_post)?;
    wiring::warn(&errors);
    if as_json {
        let all: Vec<_> = catalog
            .apps
            .values()
            .map(|a| json!({ "id": a.id, "name": a.manifest.name, "vendor": a.manifest.vendor, "scans": a.supported(),
                "checks": a.checks.len(), "deployments": a.manifest.deployment.iter().map(|d| &d.id).collect::<Vec<_>>(),
                "auth": a.manifest.auth.iter().map(|a| &a.id).collect::<Vec<_>>() }))
            .collect();
        say(&format!("{:#}", json!(all)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["product", "name", "scans", "checks", "settings", "auth"]);
    for app in catalog.apps.values() {
        let kinds: Vec<&str> = app.supported().into_iter().map(model::scan::ScanKind::as_str).collect();
        let settings: Vec<&str> = app.manifest.setting.iter().map(|s| s.name.as_str()).collect();
        let auth: Vec<&str> = app.manifest.auth.iter().map(|a| a.id.as_str()).collect();
        rows.add_row([
            app.id.as_str(),
            &app.manifest.name,
            &kinds.join(" "),
            &app.checks.len().to_string(),
            &settings.join(" "),
            &auth.join(" "),
        ]);
    }
    say(&rows.to_string());
    Ok(ExitCode::SUCCESS)
}

fn shown(status: &Status) -> String {
    let note = if status.note.is_empty() { String::new() } else { format!(" ({})", status.note) };
    format!("{} {}{note}", status.mark.glyph(), status.word)
}

async fn list(config: &ConfigArgs, as_json: bool) -> Result<ExitCode, Failure> {
    let world = World::open(config.config.as_ref()).await?;
    let actor = command_line();
    let mut query = model::view::ApplicationsQuery::default();
    query.cut.limit = Some(200);
    let mut tiles = Vec::new();
    let headline = loop {
        let page = world.ops.applications(&actor, &query).await?;
        tiles.extend(page.tiles);
        query.cut.after = page.paging.next;
        if query.cut.after.is_none() {
            break page.headline;
        }
    };
    if as_json {
        say(&format!("{:#}", json!({ "headline": headline, "applications": tiles })));
        return Ok(ExitCode::SUCCESS);
    }
    say(&clean(&headline.plain(wiring::now())));
    let mut rows = table(&["status", "name", "product", "tenant", "owner", "critical", "high", "last scan"]);
    let now = wiring::now();
    for tile in &tiles {
        let count = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), words::count);
        rows.add_row([
            shown(&tile.status),
            clean(&tile.instance.name),
            tile.instance.app_name.clone(),
            clean(&tile.instance.tenant),
            tile.owner.as_ref().map_or_else(|| "nobody".to_owned(), |o| clean(&o.name)),
            count(tile.findings.map(|f| f.critical)),
            count(tile.findings.map(|f| f.high)),
            tile.last_finished_at.map_or_else(|| "-".to_owned(), |at| words::relative(at, now)),
        ]);
    }
    if !tiles.is_empty() {
        say(&rows.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(args: AddArgs) -> Result<ExitCode, Failure> {
    let world = World::open(args.config.config.as_ref()).await?;
    let app = product(&world.catalog, &args.app)?;
    let auth = if args.auth.is_empty() { app.manifest.auth.first() } else { app.auth(&args.auth) };
    let auth = auth.ok_or_else(|| {
        Failure::usage(format!("{} cannot authenticate by {}.", app.manifest.name, args.auth))
    })?;
    let secrets = credential::read(auth, args.credential.as_deref())?;
    let input = CredentialInput {
        deployment: args.deployment,
        auth: auth.id.clone(),
        settings: args.settings.into_iter().collect(),
        name: args.name,
        owner: String::new(),
    };
    let actor = command_line();
    let page = world.ops.onboard_preflight(&actor, &app.id, input, secrets).await?;
    say(&format!(
        "{} as {}, sent to {}",
        clean(&page.identity.tenant_name),
        clean(&page.identity.subject),
        page.origins.join(", ")
    ));
    if !page.posts.is_empty() {
        say(&format!("This application sends POST requests to: {}", page.posts.join(", ")));
    }
    for row in &page.scans {
        say(&format!("  {}", clean(&row.sentence)));
    }
    for other in &page.duplicates {
        output::note(&format!("the same tenant is onboarded already as {}", clean(&other.name)));
    }
    let id = world.ops.onboard_save(&actor, &page.draft).await?;
    say(&format!(
        "Saved as {} ({id}). The server scans it at once; it runs with `parapet serve`.",
        clean(&page.name)
    ));
    world.db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn show(name: &str, config: &ConfigArgs, as_json: bool) -> Result<ExitCode, Failure> {
    let world = World::open(config.config.as_ref()).await?;
    let found = world.find(name).await?;
    let page = world.ops.settings(&command_line(), &found.instance.id).await?;
    if as_json {
        say(&format!("{:#}", json!(page)));
    } else {
        say(&people(&page));
    }
    Ok(ExitCode::SUCCESS)
}

fn people(page: &SettingsPage) -> String {
    let now = page.now;
    let h = &page.header;
    let mut lines = vec![
        format!("{} ({}, {})", clean(&h.instance.name), h.instance.app_name, clean(&h.instance.tenant)),
        format!("{}  {}", shown(&h.status), clean(&h.status.sentence.plain(now))),
    ];
    lines.extend(h.warnings.iter().map(|w| format!("! {}", clean(&w.text.plain(now)))));
    for scan in &page.scans {
        lines.push(String::new());
        lines.push(format!(
            "{} {}: {}",
            scan.status.mark.glyph(),
            scan.kind.title(),
            clean(&scan.status.sentence.plain(now))
        ));
        lines.extend(scan.advice.iter().map(|a| format!("  {}", clean(&a.plain(now)))));
        if let Some(fault) = scan.last.as_ref().and_then(|l| l.fault.as_ref()) {
            lines.push(format!("  {}", clean(&fault.remedy)));
        }
        if !scan.missing.is_empty() {
            lines.push(format!("  missing: {}", scan.missing.join(", ")));
        }
        lines.push(format!("  every {}", words::duration(scan.interval)));
    }
    let c = &page.credential;
    lines.push(String::new());
    lines.push(format!(
        "Credential: {}, as {}, since {}",
        c.kind,
        clean(&c.subject),
        words::relative(c.since, now)
    ));
    lines.join("\n")
}

async fn remove(name: &str, yes: bool, config: &ConfigArgs) -> Result<ExitCode, Failure> {
    let world = World::open(config.config.as_ref()).await?;
    let found = world.find(name).await?;
    let id = found.instance.id.clone();
    let removal = store::instances::removal(&world.db, &id).await?;
    let what = format!(
        "{} with {} findings, {} runs, {} accounts and {} plugins",
        clean(&found.instance.name),
        removal.findings,
        removal.runs,
        removal.accounts,
        removal.plugins
    );
    if !yes {
        return Err(Failure::usage(format!("This would delete {what}. Add --yes to do it.")));
    }
    world.ops.remove(&command_line(), &id, &found.instance.name).await?;
    say(&format!("Deleted {what}."));
    world.db.close().await;
    Ok(ExitCode::SUCCESS)
}
