//! `parapet demo`: the real server on simulated applications. Its permission to talk to this machine over plain http
//! exists nowhere else.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use collect::Clock as _;
use engine::clock::{SystemClock, SystemEntropy};
use engine::{Engine, Vendors};
use model::entropy::Entropy as _;
use model::id::InstanceId;
use model::scan::ScanKind;
use model::view::{CredentialInput, OwnerInput};
use ops::{Ops, Secrets, command_line};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sim::cast::{Cast, Role};
use store::{Db, Options, SealingKey};

use crate::cli::DemoArgs;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::wiring::{self, World};
use crate::{output, serve};

const OPERATOR: &str = "admin";

pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let listener = serve::bind(args.listen).await?;
    let url = serve::address(&listener, None)?;
    let folder = tempfile::Builder::new()
        .prefix("parapet-demo-")
        .tempdir()
        .map_err(|e| Failure::usage(format!("No temporary folder can be made: {e}.")))?;
    let cast = Cast::start(Arc::new(|| SystemClock.now()))
        .await
        .map_err(|e| Failure::usage(format!("The simulator cannot start: {e}.")))?;
    let world = world(folder.path(), args.config.as_deref()).await?;
    let password = operator(&world.ops).await?;
    if !args.json {
        output::note("onboarding the simulated applications; this takes a few seconds");
    }
    let ids = onboard(&world.ops, cast.roles()).await?;
    story(&world, &cast, &ids).await?;
    announce(&args, &url, &password, &cast);
    serve::serve(world, listener, url, quick()).await
}

/// Scans start at once when they are due, and pages see progress soon.
fn quick() -> engine::Config {
    engine::Config { heartbeat: model::time::Duration(500), ..engine::Config::default() }
}

async fn world(folder: &std::path::Path, told: Option<&std::path::Path>) -> Result<World, Failure> {
    let mut bytes = vec![0u8; 32];
    SystemEntropy.fill(&mut bytes);
    let key = SealingKey::from_bytes(bytes).map_err(Failure::usage)?;
    // Of a configuration only how people are told counts: everything else of the demo is its own.
    let told = config::load(told)?;
    let config = Config {
        database: format!("sqlite:{}", folder.join("demo.db").display()),
        public_url: told.public_url,
        mail: told.mail,
        outbound: told.outbound,
        ..Config::default()
    };
    let (catalog, load_errors) = wiring::catalogue(&[], &catalog::AllowedPosts::default())?;
    let catalog = unhurried(catalog);
    let o = &config.outbound;
    let outbound = wiring::outbound(&o.allow_private, o.proxy.as_deref(), o.ca_file.as_ref(), true)?;
    let now = wiring::now();
    let db = Db::open(&config.database, &key, Arc::new(SystemEntropy), now, Options::default()).await?;
    let ops = Ops::open(ops::Config {
        db: db.clone(),
        catalog: catalog.clone(),
        load_errors,
        outbound: outbound.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        simulated: true,
        telling: crate::telling::shown(&config)?,
    })
    .await?;
    Ok(World { config, db, catalog, outbound, ops, simulated: true })
}

/// The catalogue without the pace that spares real vendors: a simulated one need not be spared, and nobody waits for a demo.
/// What a tenant says of its own limits is heeded all the same.
fn unhurried(mut catalog: Arc<catalog::Catalog>) -> Arc<catalog::Catalog> {
    // Nothing else holds the catalogue yet, so that nothing has to be copied.
    let apps = Arc::get_mut(&mut catalog).into_iter().flat_map(|catalog| catalog.apps.values_mut());
    for app in apps.filter_map(Arc::get_mut) {
        app.manifest.throttle.per_second = None;
        app.manifest.throttle.per_minute = None;
    }
    catalog
}

/// The operator goes through the same set-up as on a real server.
async fn operator(ops: &Ops) -> Result<SecretString, Failure> {
    let mut bytes = [0u8; 9];
    SystemEntropy.fill(&mut bytes);
    let password: SecretString = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into();
    let token = ops.offer_setup().await?.ok_or_else(|| Failure::usage("The demo's database is not new."))?;
    ops.set_up(&token, OPERATOR, &password, None).await?;
    Ok(password)
}

async fn onboard(ops: &Ops, roles: &[Role]) -> Result<Vec<InstanceId>, Failure> {
    let actor = command_line();
    let mut owners = Vec::new();
    for (name, email) in [("Ada Berg", "ada.berg@example.com"), ("Tariq Olsen", "tariq.olsen@example.com")] {
        let input = OwnerInput {
            name: name.to_owned(),
            email: email.to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            active: true,
            digest_at: String::new(),
            quiet: false,
        };
        owners.push(ops.create_owner(&actor, &input).await?);
    }
    let mut ids = Vec::new();
    for (at, role) in roles.iter().enumerate() {
        let mut settings = role.settings.clone();
        settings.extend(
            role.credential
                .values
                .iter()
                .filter(|(k, _)| ["app_id", "client_id", "certificate", "subject"].contains(&k.as_str()))
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        let input = CredentialInput {
            deployment: role.deployment.clone(),
            auth: role.credential.auth.clone(),
            settings,
            name: role.name.clone(),
            // One application has no owner yet: the page says so.
            owner: owners.get(at % 3).map(ToString::to_string).unwrap_or_default(),
        };
        let app = role.app.as_str().into();
        let page = ops
            .onboard_preflight_at(&actor, &app, input, secrets(&role.credential.values), Some(&role.address))
            .await?;
        let id = ops.onboard_save(&actor, &page.draft).await?;
        if role.identity_provider {
            ops.mark_identity_provider(&actor, &id).await?;
        }
        ids.push(id);
    }
    Ok(ids)
}

fn secrets(values: &BTreeMap<String, String>) -> Secrets {
    values.iter().map(|(k, v)| (k.clone(), SecretString::from(v.clone()))).collect()
}

/// First everything is scanned; then some things break, and those are scanned again.
async fn story(world: &World, cast: &Cast, ids: &[InstanceId]) -> Result<(), Failure> {
    let engine = Engine::start(
        world.db.clone(),
        world.catalog.clone(),
        Arc::new(Vendors(world.outbound.clone())),
        Arc::new(SystemClock),
        quick(),
    )
    .await?;
    settle(world, ids, 1).await?;
    // Whose accounts were read before those of the identity provider, has not been judged by it yet.
    let actor = command_line();
    for (id, _) in ids.iter().zip(cast.roles()).filter(|(_, role)| !role.identity_provider) {
        let page = world.ops.settings(&actor, id).await?;
        if page.scans.iter().any(|scan| scan.kind == ScanKind::Accounts && scan.can_scan_now) {
            world.ops.scan_now(&actor, id, ScanKind::Accounts).await?;
        }
    }
    until(async || Ok(store::instances::all(&world.db).await?.iter().all(is_quiet))).await?;
    cast.break_some();
    for (id, role) in ids.iter().zip(cast.roles()) {
        for _ in 0..role.scans_after() {
            let before = finished(world, id).await?;
            let page = world.ops.settings(&actor, id).await?;
            for scan in page.scans.iter().filter(|s| s.can_scan_now) {
                world.ops.scan_now(&actor, id, scan.kind).await?;
            }
            let wanted = page.scans.iter().filter(|s| s.can_scan_now).count();
            until(async || Ok(finished(world, id).await? >= before + wanted)).await?;
        }
    }
    engine.drain().await;
    Ok(())
}

async fn settle(world: &World, ids: &[InstanceId], runs: usize) -> Result<(), Failure> {
    for id in ids {
        let instance = store::instances::get(&world.db, id).await?;
        let enabled = instance.scans.iter().filter(|s| s.facts.enablement.is_enabled()).count();
        until(async || Ok(finished(world, id).await? >= enabled * runs)).await?;
    }
    Ok(())
}

async fn finished(world: &World, id: &InstanceId) -> Result<usize, Failure> {
    let filter = store::runs::Filter { instance: Some(id.clone()), ..Default::default() };
    let page = store::runs::log(&world.db, &filter, store::Cut::first(0)).await?;
    Ok(usize::try_from(page.total).unwrap_or(usize::MAX))
}

/// Whether nothing of an application is being scanned or wants to be.
fn is_quiet(instance: &store::instances::InstanceWithScans) -> bool {
    let enabled = instance.scans.iter().filter(|scan| scan.facts.enablement.is_enabled());
    enabled.map(|scan| &scan.facts).all(|facts| facts.wanted_at.is_none() && facts.open.is_none())
}

/// Waits for something of the simulated past; a simulator that never gets there is a fault worth showing, not a hang.
async fn until(done: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
    for _ in 0..600 {
        if done().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::usage("The simulated applications were not scanned within a minute; the log says why."))
}

fn announce(args: &DemoArgs, url: &str, password: &SecretString, cast: &Cast) {
    let password = password.expose_secret();
    if args.json {
        let line = json!({ "url": url, "operator": OPERATOR, "password": password, "simulator": cast.control(),
            "instances": cast.roles() });
        output::say(&line.to_string());
        return;
    }
    output::say(&format!(
        "\nParapet demo: all data is simulated.\n\n  Open      {url}\n  Sign in   {OPERATOR}\n  Password  {password}\n"
    ));
    output::say("Reauthenticate an application with its replacement credential:");
    for role in cast.roles() {
        let fields: Vec<String> = role
            .replacement
            .values
            .iter()
            .map(|(k, v)| format!("{k}={}", v.lines().next().unwrap_or_default()))
            .filter(|text| !text.contains("BEGIN"))
            .collect();
        output::say(&format!("  {:<20} {} {}", role.name, role.replacement.auth, fields.join(" ")));
    }
    output::say("\nctrl-c ends it and removes its database.");
}
