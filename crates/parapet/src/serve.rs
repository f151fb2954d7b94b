//! `parapet serve`: pages, scheduler and workers in one process, until it is told to stop.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use engine::clock::SystemClock;
use engine::{Engine, Vendors};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::ServeArgs;
use crate::failure::Failure;
use crate::output;
use crate::wiring::World;

pub(crate) async fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    let world = World::open(args.config.config.as_ref()).await?;
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
    if let Some(token) = world.ops.offer_setup().await? {
        output::say(&format!(
            "No operator exists yet. Open {url}/set-up and enter this one-time token (valid for 24 h):\n\n    {}\n",
            token.expose_secret()
        ));
    }
    let config = engine::Config { workers: world.config.engine.workers, ..engine::Config::default() };
    serve(world, listener, url, config).await
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

/// Serves until a signal, then drains: live pages end, running scans are handed back so that the next start resumes them.
pub(crate) async fn serve(
    world: World,
    listener: TcpListener,
    url: String,
    config: engine::Config,
) -> Result<ExitCode, Failure> {
    let mut engine = Engine::start(
        world.db.clone(),
        world.catalog.clone(),
        Arc::new(Vendors(world.outbound.clone())),
        Arc::new(SystemClock),
        config,
    )
    .await?;
    let telling = crate::telling::start(&world, &url)?;
    world.ops.reached_at(&url);
    let (drain, draining) = watch::channel(false);
    crate::metrics::start(&world.config.metrics, world.ops.clone(), draining.clone()).await?;
    let web = web::router(
        Arc::new(world.ops.clone()),
        web::WebConfig {
            https: url.starts_with("https://"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            draining: Some(draining.clone()),
        },
    );
    let service = web.into_make_service_with_connect_info::<SocketAddr>();
    let mut stop = draining.clone();
    let pages = axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which is the same wish.
            let _ = stop.wait_for(|d| *d).await;
        })
        .into_future();
    let mut pages = tokio::spawn(pages);
    tracing::info!(%url, "Parapet answers");
    let code = tokio::select! {
        () = signalled() => {
            tracing::info!("stopping: handing running scans back");
            ExitCode::SUCCESS
        }
        () = engine.failed() => {
            tracing::error!("the scheduler ended by a fault of its own; nothing would be scanned any more, so Parapet stops");
            ExitCode::from(3)
        }
        ended = &mut pages => {
            tracing::error!(?ended, "the pages stopped being served");
            ExitCode::from(3)
        }
    };
    // Both ends matter: new pages would show a server that scans nothing.
    let _ = drain.send(true);
    engine.drain().await;
    telling.drain().await;
    let limit = std::time::Duration::from_secs(10);
    if !pages.is_finished() && tokio::time::timeout(limit, &mut pages).await.is_err() {
        tracing::warn!("some connections did not end within 10 s and were dropped");
        pages.abort();
    }
    world.db.close().await;
    Ok(code)
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
