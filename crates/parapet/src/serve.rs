//! `parapet serve`: pages, scheduler and workers, in one process or apart, until it is told to stop.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use engine::clock::SystemClock;
use engine::{Engine, Vendors};
use model::time::Duration;
use secrecy::ExposeSecret as _;
use store::Backend;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::ServeArgs;
use crate::config::{Config, Role};
use crate::failure::Failure;
use crate::health::Pulse;
use crate::output;
use crate::wiring::World;

pub(crate) async fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    let mut world = World::open(args.config.config.as_ref()).await?;
    if let Some(role) = args.role {
        world.config.node.role = role;
    }
    let role = world.config.node.role;
    if role != Role::Both && world.db.backend() == Backend::Sqlite {
        return Err(Failure::usage(
            "On SQLite one process does everything: a second one could not open the database, so nothing would be \
             scanned or nothing shown. Leave the role at both, or set `database` to a PostgreSQL address.",
        ));
    }
    let listen = args.listen.unwrap_or(world.config.listen);
    let listener = bind(listen).await?;
    let url = address(&listener, world.config.public_url.as_deref())?;
    if !listen.ip().is_loopback()
        && world.config.public_url.as_deref().is_none_or(|u| !u.starts_with("https://"))
    {
        tracing::warn!(
            "listening beyond this machine without an https public_url: passwords would cross the network in the clear"
        );
    }
    // Each offer ends the one before: only who serves the page makes one.
    let token = if role.serves_pages() { world.ops.offer_setup().await? } else { None };
    if let Some(token) = token {
        output::say(&format!(
            "No operator exists yet. Open {url}/set-up and enter this one-time token (valid for 24 h):\n\n    {}\n",
            token.expose_secret()
        ));
    }
    let config = engine_config(&world.config);
    serve(world, listener, url, config).await
}

fn engine_config(config: &Config) -> engine::Config {
    let usual = engine::Config::default();
    let lease = Duration::seconds(config.engine.lease_seconds.into());
    engine::Config {
        node: config.node_name(),
        workers: config.engine.workers,
        per_origin: config.engine.per_origin,
        // A short lease wants to be renewed sooner.
        heartbeat: usual.heartbeat.min(Duration(lease.0 / 6)),
        lease,
        ..usual
    }
}

pub(crate) async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|e| {
        Failure::usage(format!(
            "Cannot listen on {listen}: {e}. Choose another address with --listen, or stop what uses it."
        ))
    })
}

pub(crate) fn address(listener: &TcpListener, public: Option<&str>) -> Result<String, Failure> {
    let local = listener
        .local_addr()
        .map_err(|e| Failure::usage(format!("The listening address cannot be read: {e}.")))?;
    Ok(public.map_or_else(|| format!("http://{local}"), |u| u.trim_end_matches('/').to_owned()))
}

/// Serves until a signal, then drains: running scans are handed back so that another node or the next start resumes them;
/// pages go on until that is done, and for as long as the configuration says, so that a load balancer can see it.
pub(crate) async fn serve(
    world: World,
    listener: TcpListener,
    url: String,
    config: engine::Config,
) -> Result<ExitCode, Failure> {
    let role = world.config.node.role;
    let mut engine = None;
    let mut telling = None;
    if role.works() {
        let vendors = Arc::new(Vendors(world.outbound.clone()));
        let (db, catalog) = (world.db.clone(), world.catalog.clone());
        engine = Some(Engine::start(db, catalog, vendors, Arc::new(SystemClock), config).await?);
        telling = Some(crate::telling::start(&world, &url)?);
    }
    world.ops.reached_at(&url);
    let (drain, draining) = watch::channel(false);
    let (close, mut closing) = watch::channel(false);
    crate::metrics::start(&world.config.metrics, world.ops.clone(), draining.clone()).await?;
    let mut pulse = Pulse::begin(world.db.clone(), draining.clone());
    let answers = answers(&world, &url, draining).merge(pulse.router());
    let service = answers.into_make_service_with_connect_info::<SocketAddr>();
    let pages = axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which is the same wish.
            let _ = closing.wait_for(|c| *c).await;
        })
        .into_future();
    let mut pages = tokio::spawn(pages);
    tracing::info!(%url, ?role, "Parapet answers");
    let failed = async {
        match &mut engine {
            Some(engine) => engine.failed().await,
            None => std::future::pending().await,
        }
    };
    let code = tokio::select! {
        () = signalled() => {
            tracing::info!("stopping: handing running scans back");
            ExitCode::SUCCESS
        }
        () = failed => {
            tracing::error!("the scheduler ended by a fault of its own; nothing would be scanned any more, so Parapet stops");
            ExitCode::from(3)
        }
        error = pulse.outgrown() => {
            tracing::error!(%error, "the database was upgraded beyond this Parapet, which stops");
            ExitCode::from(3)
        }
        ended = &mut pages => {
            tracing::error!(?ended, "the pages stopped being served");
            ExitCode::from(3)
        }
    };
    // Live pages end, and whoever asks is told to go elsewhere.
    let _ = drain.send(true);
    let linger = if code == ExitCode::SUCCESS { world.config.node.linger_seconds } else { 0 };
    let handed_back = async {
        if let Some(engine) = engine {
            engine.drain().await;
        }
        if let Some(telling) = telling {
            telling.drain().await;
        }
    };
    tokio::join!(handed_back, lingered(linger));
    let _ = close.send(true);
    let limit = std::time::Duration::from_secs(10);
    if !pages.is_finished() && tokio::time::timeout(limit, &mut pages).await.is_err() {
        tracing::warn!("some connections did not end within 10 s and were dropped");
        pages.abort();
    }
    world.db.close().await;
    Ok(code)
}

/// What is answered beside how the process is: the pages, or that there are none here.
fn answers(world: &World, url: &str, draining: watch::Receiver<bool>) -> Router {
    if !world.config.node.role.serves_pages() {
        let none = "This process serves no pages: its role is worker.\n";
        return Router::new().fallback(async move || (StatusCode::NOT_FOUND, none));
    }
    web::router(
        Arc::new(world.ops.clone()),
        web::WebConfig {
            https: url.starts_with("https://"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            draining: Some(draining),
        },
    )
}

/// Waits so long, unless somebody asks a second time.
async fn lingered(seconds: u32) {
    if seconds == 0 {
        return;
    }
    tracing::info!(
        seconds,
        "pages go on for a while, so that a load balancer notices; a second signal ends that"
    );
    tokio::select! {
        () = signalled() => {}
        () = tokio::time::sleep(std::time::Duration::from_secs(seconds.into())) => {}
    }
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(e) => {
            tracing::warn!(error = %e, "SIGTERM cannot be watched; only ctrl-c stops this process gracefully");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
