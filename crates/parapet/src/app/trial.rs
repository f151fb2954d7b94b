//! `parapet app try`: everything that is wrong with a catalogue folder at once, its fixtures played, and one dry run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use catalog::{AllowedPosts, App, Catalog, Loaded};
use collect::Outbound;
use serde::Serialize;
use serde_json::json;

use super::dry::{self, Report};
use super::record::{self, Recorder};
use super::replay::{self, Expected, Played};
use super::show::{self, many};
use crate::cli::TryArgs;
use crate::failure::Failure;
use crate::output::{note, say};
use crate::scan::{self, Asked, JudgedBy, asks_for_loopback, product};
use crate::{credential, renewed, wiring};

/// What was found without asking any server.
#[derive(Debug, Default, Serialize)]
struct Offline {
    /// Everything that is wrong, each with its place.
    problems: Vec<String>,
    /// What would be better and is not wrong: examples that let a changed check pass.
    remarks: Vec<String>,
    applications: Vec<Own>,
    cases: Vec<Case>,
}

/// An application of the folder.
#[derive(Debug, Serialize)]
struct Own {
    id: String,
    /// Whether it is part of Parapet, and the folder only adds checks to it.
    builtin: bool,
    scans: Vec<model::scan::ScanKind>,
    datasets: usize,
    /// Checks of its own, and examples that were run.
    checks: usize,
    examples: usize,
    shared_checks: usize,
}

/// A case of its fixtures.
#[derive(Debug, Serialize)]
struct Case {
    folder: PathBuf,
    exchanges: usize,
    holds: bool,
    accepted: bool,
}

pub(super) async fn run(args: TryArgs) -> Result<ExitCode, Failure> {
    let folder = usable(&args.folder)?;
    let posts: AllowedPosts = args.allow_post.iter().cloned().collect();
    let loaded = if args.instead {
        Catalog::of_folder(&folder)
    } else {
        Catalog::load_allowing(std::slice::from_ref(&folder), &posts)
    };
    wiring::warn_unused(&posts, &loaded.catalog);
    let offline = offline(&args, &folder, &loaded).await?;
    if !args.json {
        tell(&offline);
    }
    let ran =
        if asks_for_a_dry_run(&args) { dry_run(&args, &folder, &loaded).await.map(Some) } else { Ok(None) };
    if args.json {
        let refused = ran.as_ref().err().map(|failure| &failure.message);
        let report = ran.as_ref().ok();
        say(&format!(
            "{:#}",
            json!({ "folder": folder, "offline": offline, "dry_run": report, "refused": refused })
        ));
    }
    let report = ran?;
    match (&report, args.json) {
        (_, true) => {}
        (Some(report), false) => say(show::people(report).trim_end()),
        (None, false) if offline.problems.is_empty() => say(
            "No dry run: add --set NAME=VALUE (the address, what the manifest asks for) and a credential to read a \
             server once. Nothing is saved.",
        ),
        (None, false) => {}
    }
    if !offline.problems.is_empty() {
        let what = many(offline.problems.len() as u64, "problem");
        let place = if args.json { "" } else { "; see above" };
        return Err(Failure::usage(format!("{} is not right yet: {what}{place}.", folder.display())));
    }
    Ok(ExitCode::from(report.as_ref().map_or(0, exit_code)))
}

/// The folder, or why it is none of a catalogue.
fn usable(folder: &Path) -> Result<PathBuf, Failure> {
    let shown = folder.display();
    if !folder.exists() {
        return Err(Failure::usage(format!(
            "There is no folder {shown}. `parapet app new {shown} ID` makes one with a skeleton."
        )));
    }
    if !folder.is_dir() {
        return Err(Failure::usage(format!(
            "{shown} is a file. Give the folder that holds apps/APP/app.toml."
        )));
    }
    if folder.join("app.toml").is_file() {
        return Err(Failure::usage(format!(
            "{shown} is the folder of one application. A catalogue folder holds it as apps/APP: move it there and give \
             the folder above apps."
        )));
    }
    if !folder.join("apps").is_dir() && !folder.join("shared").is_dir() {
        return Err(Failure::usage(format!(
            "{shown} is not a catalogue folder: it must hold apps/APP/app.toml. `parapet app new {shown} ID` writes a \
             skeleton into it."
        )));
    }
    Ok(folder.to_owned())
}

/// Loads, runs the examples, plays the fixtures.
async fn offline(args: &TryArgs, folder: &Path, loaded: &Loaded) -> Result<Offline, Failure> {
    // The loader runs the examples of every check outside of the built-in catalogue.
    // A folder in the place of the built-in one calls its files as if they were embedded.
    let placed = |error: &catalog::LoadError| {
        if args.instead { folder.join(error.to_string()).display().to_string() } else { error.to_string() }
    };
    let mut found = Offline { problems: loaded.errors.iter().map(placed).collect(), ..Offline::default() };
    found.problems.extend(empty_folders(folder));
    let expected = if args.accept { Expected::IsWritten } else { Expected::Holds };
    for app in loaded.catalog.apps.values() {
        let of_folder = !app.builtin || args.instead;
        let prefix = format!("{}/", app.id);
        let own: Vec<_> = app
            .checks
            .iter()
            .filter(|c| c.id.as_str().starts_with(&prefix) && (of_folder || c.file.starts_with(folder)))
            .collect();
        if !of_folder && own.is_empty() {
            continue;
        }
        if args.instead {
            let wrong = own.iter().flat_map(|c| catalog::examples::failures(c));
            found.problems.extend(wrong.map(|e| placed(&e)));
        }
        if !args.instead {
            // Of the built-in checks the tests say this.
            found.remarks.extend(own.iter().flat_map(|c| loose(c)));
        }
        found.applications.push(Own {
            id: app.id.to_string(),
            builtin: !of_folder,
            scans: app.supported(),
            datasets: app.datasets.len(),
            checks: own.len(),
            examples: own.iter().map(|c| c.examples.len()).sum(),
            shared_checks: app.checks.iter().filter(|c| !c.id.as_str().starts_with(&prefix)).count(),
        });
        let wanted = args.app.as_ref().is_none_or(|id| id == app.id.as_str());
        if of_folder && wanted {
            let place = folder.join("apps").join(app.id.as_str());
            take(&mut found, replay::all(app, &place, expected).await);
        }
    }
    if found.applications.is_empty() && found.problems.is_empty() {
        return Err(Failure::usage(format!(
            "{shown} holds no application under apps/. `parapet app new {shown} ID` writes a skeleton.",
            shown = folder.display()
        )));
    }
    Ok(found)
}

/// Changes to a check that none of its examples notices.
fn loose(check: &catalog::Check) -> Vec<String> {
    let report = catalog::mutate::one(check);
    let survivors = report
        .survivors
        .iter()
        .map(|change| format!("{}: no example would notice this change: {change}", check.file.display()));
    let stale = report
        .stale
        .iter()
        .map(|change| format!("{}: an [[equivalent]] excuses nothing: {change}", check.file.display()));
    survivors.chain(stale).collect()
}

/// Folders of applications without a single file, which a loader of files does not see.
fn empty_folders(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder.join("apps")) else { return Vec::new() };
    let mut empty: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.is_dir() && std::fs::read_dir(p).is_ok_and(|mut inside| inside.next().is_none()))
        .map(|p| {
            format!("{}: there is no such file. Write it, or remove the folder", p.join("app.toml").display())
        })
        .collect();
    empty.sort();
    empty
}

fn take(found: &mut Offline, played: Vec<Played>) {
    for case in played {
        found.cases.push(Case {
            folder: case.folder,
            exchanges: case.exchanges,
            holds: case.problems.is_empty(),
            accepted: case.accepted,
        });
        found.problems.extend(case.problems);
    }
}

fn tell(offline: &Offline) {
    for problem in &offline.problems {
        note(problem);
    }
    for remark in &offline.remarks {
        note(&format!("remark: {remark}"));
    }
    for own in &offline.applications {
        if own.builtin {
            say(&format!(
                "{}: {} added, {}",
                own.id,
                many(own.checks as u64, "check"),
                many(own.examples as u64, "example")
            ));
            continue;
        }
        let scans: Vec<&str> = own.scans.iter().map(|k| k.title()).collect();
        say(&format!(
            "{}: {}; {} with {}, and {} shared; {}",
            own.id,
            many(own.datasets as u64, "dataset"),
            many(own.checks as u64, "check"),
            many(own.examples as u64, "example"),
            many(own.shared_checks as u64, "check"),
            if scans.is_empty() {
                "no scan: a config check, an account or a plugin mapping makes one".to_owned()
            } else {
                scans.join(", ")
            }
        ));
    }
    for case in &offline.cases {
        let how = match (case.holds, case.accepted) {
            (false, _) => "does not hold",
            (true, true) => "played; expected.json was written, read it before you trust it",
            (true, false) => "played, as expected",
        };
        let exchanges = many(case.exchanges as u64, "exchange");
        say(&format!("{}: {exchanges}, {how}", case.folder.display()));
    }
    if offline.problems.is_empty() {
        let played = if offline.cases.is_empty() { " There are no fixtures to play." } else { "" };
        say(&format!("Every file loads and every example holds.{played}"));
    }
}

fn asks_for_a_dry_run(args: &TryArgs) -> bool {
    !args.settings.is_empty()
        || args.address.is_some()
        || args.credential.is_some()
        || args.record.is_some()
        || !args.auth.is_empty()
        || !args.deployment.is_empty()
}

/// The application to run: the named one, else the only one of the folder.
fn chosen(args: &TryArgs, folder: &Path, loaded: &Loaded) -> Result<Arc<App>, Failure> {
    if let Some(name) = &args.app {
        return product(&loaded.catalog, name).map_err(|failure| {
            let there = folder.join("apps").join(name).is_dir();
            if there {
                Failure::usage(format!("{name} does not load; mend what is named above first."))
            } else {
                failure
            }
        });
    }
    let own: Vec<&Arc<App>> = loaded.catalog.apps.values().filter(|a| !a.builtin).collect();
    match own.as_slice() {
        [one] => Ok(Arc::clone(one)),
        [] => Err(Failure::usage(format!(
            "No application of {} loads, so there is nothing to run; mend what is named above first.",
            folder.display()
        ))),
        several => {
            let ids: Vec<&str> = several.iter().map(|a| a.id.as_str()).collect();
            Err(Failure::usage(format!(
                "{} holds several applications ({}): choose with --app.",
                folder.display(),
                ids.join(", ")
            )))
        }
    }
}

async fn dry_run(args: &TryArgs, folder: &Path, loaded: &Loaded) -> Result<Report, Failure> {
    let app = chosen(args, folder, loaded)?;
    let place = folder.join("apps").join(app.id.as_str());
    let case = args.record.as_deref().map(|case| record::folder(&place, case)).transpose()?;
    let asked = Asked {
        deployment: &args.deployment,
        auth: &args.auth,
        settings: &args.settings,
        address: args.address.as_deref(),
        credential: args.credential.as_deref(),
        kinds: &[],
        quick: false,
        judged_by: JudgedBy::default(),
        detail: assess::Detail::All,
    };
    let target = scan::target(&app, &asked)?;
    let auth = scan::way_to_authenticate(&app, asked.auth)?;
    let o = &args.outbound;
    let mut config = wiring::outbound_config(
        &o.allow_private,
        o.proxy.as_deref(),
        o.ca.as_ref(),
        asks_for_loopback(&asked),
    )?;
    let client = |config| Outbound::new(config).map_err(|e| Failure::usage(format!("{e}.")));
    let first = client(config.clone())?;
    for host in target.origins.receivers() {
        let url = url::Url::parse(&host).map_err(|e| Failure::usage(format!("{host}: {e}.")))?;
        first.admits(&url).map_err(|why| {
            Failure::usage(format!(
                "{why}. If it is yours, add --allow-private {} (for the server: allow_private under [outbound]).",
                url.host_str().unwrap_or_default()
            ))
        })?;
    }
    let values = credential::read(auth, asked.credential)?;
    let credential = renewed::credential(auth, values, asked.credential);
    let recorder = Recorder::default();
    if case.is_some() {
        config.tap = Some(recorder.tap());
    }
    let report = dry::run(&app, &target, &credential, &first, &client(config)?).await?;
    if let Some(case) = case {
        keep(&app, &case, &recorder.tape(&app, &target, &credential, wiring::now())).await?;
    }
    Ok(report)
}

/// Writes a recorded tape and what it leads to when it is played again.
async fn keep(app: &Arc<App>, case: &Path, tape: &sim::tape::Tape) -> Result<(), Failure> {
    record::write(case, tape)?;
    let played = replay::one(app, case.to_owned(), Expected::IsWritten).await;
    note(&format!(
        "recorded {} into {}. The credential was replaced; names, addresses and whatever else is personal or \
         secret in the answers stand there as they came: edit them before you share it.",
        many(tape.exchanges.len() as u64, "exchange"),
        case.join("tape.json").display()
    ));
    for problem in played.problems {
        note(&problem);
    }
    Ok(())
}

/// As of `parapet scan`: 3 when a scan failed or none ran, 4 when one was partial or not enabled.
fn exit_code(report: &Report) -> u8 {
    let is = |outcome: &str| report.scans.iter().any(|s| s.outcome == outcome);
    let none = report.scans.iter().all(|s| s.outcome == "not_enabled");
    match () {
        () if is("failed") || none => 3,
        () if is("partial") || is("not_enabled") => 4,
        () => 0,
    }
}
