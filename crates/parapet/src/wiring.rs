//! What the commands share: the environment, the catalogue, the outbound client, the database, the use cases.

use std::path::PathBuf;
use std::sync::Arc;

use catalog::{AllowedPosts, Catalog, LoadError};
use collect::{Clock, Outbound, OutboundConfig};
use engine::clock::{SystemClock, SystemEntropy};
use model::time::Timestamp;
use ops::Ops;
use store::{Db, Options};

use crate::cli::CatalogueArgs;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::{key, output};

/// One environment variable; an empty one counts as not set.
pub(crate) fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
    std::env::var(name).ok().filter(|v| !v.trim().is_empty())
}

/// The present.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// The catalogue with the operator's folders. Built-in files that do not load are a broken build.
pub(crate) fn catalogue(
    folders: &[PathBuf],
    posts: &AllowedPosts,
) -> Result<(Arc<Catalog>, Vec<LoadError>), Failure> {
    let loaded = if folders.is_empty() { Catalog::builtin() } else { Catalog::load_allowing(folders, posts) };
    if loaded.catalog.apps.is_empty() {
        let why = loaded.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::usage(format!("No application of the catalogue could be loaded. {why}")));
    }
    Ok((Arc::new(loaded.catalog), loaded.errors))
}

/// Complains about folders that did not load; the others are used.
pub(crate) fn warn(errors: &[LoadError]) {
    for error in errors {
        output::note(&format!("catalogue: {error}"));
    }
}

/// The catalogue of a command that takes folders. What is wrong with them is said, and the others are used.
pub(crate) fn catalogue_of(args: &CatalogueArgs) -> Result<Arc<Catalog>, Failure> {
    let posts: AllowedPosts = args.allow_post.iter().cloned().collect();
    let (catalog, errors) = catalogue(&args.folders, &posts)?;
    warn(&errors);
    warn_unused(&posts, &catalog);
    Ok(catalog)
}

/// Complains about what is allowed and not asked for.
pub(crate) fn warn_unused(posts: &AllowedPosts, catalog: &Catalog) {
    for unused in posts.unused(catalog) {
        output::note(&format!("allow_post: {unused}."));
    }
}

/// The outbound client.
pub(crate) fn outbound(
    allow_private: &[String],
    proxy: Option<&str>,
    ca: Option<&PathBuf>,
    allow_loopback_http: bool,
) -> Result<Outbound, Failure> {
    let config = outbound_config(allow_private, proxy, ca, allow_loopback_http)?;
    Outbound::new(config).map_err(|e| Failure::usage(format!("{e}.")))
}

/// What the outbound client is made from.
pub(crate) fn outbound_config(
    allow_private: &[String],
    proxy: Option<&str>,
    ca: Option<&PathBuf>,
    allow_loopback_http: bool,
) -> Result<OutboundConfig, Failure> {
    let proxy = proxy
        .map(|p| {
            url::Url::parse(p).map_err(|e| Failure::usage(format!("The proxy {p} is not an address: {e}.")))
        })
        .transpose()?;
    let extra_ca_pem = match ca {
        None => Vec::new(),
        Some(path) => std::fs::read(path).map_err(|e| {
            Failure::usage(format!("The certificates {} cannot be read: {e}.", path.display()))
        })?,
    };
    Ok(OutboundConfig {
        allow_loopback_http,
        allowed_private_hosts: allow_private.to_vec(),
        proxy,
        extra_ca_pem,
        ..OutboundConfig::default()
    })
}

/// Everything the server's commands need.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) outbound: Outbound,
    pub(crate) ops: Ops,
    /// Everything is simulated (`parapet demo`).
    pub(crate) simulated: bool,
}

/// How the database is opened. On PostgreSQL each worker may be storing a run while leases are renewed and pages are read;
/// SQLite has one writer, and few readers are enough.
fn options(config: &Config) -> Options {
    let mut options = Options::default();
    if config.database.starts_with("postgres") {
        options.connections += u32::try_from(config.engine.workers).unwrap_or(u32::MAX - options.connections);
    }
    options
}

impl World {
    /// From a configuration file.
    pub(crate) async fn open(file: Option<&PathBuf>) -> Result<Self, Failure> {
        let config = config::load(file.map(PathBuf::as_path))?;
        let key = key::load(&config.sealing_key_file)?;
        let (catalog, load_errors) = catalogue(&config.catalog, &config.allow_post)?;
        warn_unused(&config.allow_post, &catalog);
        let o = &config.outbound;
        let outbound =
            outbound(&o.allow_private, o.proxy.as_deref(), o.ca_file.as_ref(), o.allow_loopback_http)?;
        let options = options(&config);
        let db = Db::open(&config.database, &key, Arc::new(SystemEntropy), now(), options).await?;
        let ops = Ops::open(ops::Config {
            db: db.clone(),
            catalog: catalog.clone(),
            load_errors,
            outbound: outbound.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            simulated: false,
            telling: crate::telling::shown(&config)?,
        })
        .await?;
        Ok(Self { config, db, catalog, outbound, ops, simulated: false })
    }

    /// An instance by name or id.
    pub(crate) async fn find(&self, name: &str) -> Result<store::instances::InstanceWithScans, Failure> {
        let all = store::instances::all(&self.db).await?;
        let found: Vec<_> =
            all.into_iter().filter(|i| i.instance.name == name || i.instance.id.as_str() == name).collect();
        match <[_; 1]>::try_from(found) {
            Ok([one]) => Ok(one),
            Err(found) if found.is_empty() => Err(Failure::usage(format!(
                "There is no application named {name}. `parapet app list` shows them."
            ))),
            Err(found) => {
                let ids: Vec<String> = found.iter().map(|i| i.instance.id.to_string()).collect();
                Err(Failure::usage(format!(
                    "Several applications are named {name}; give one of the ids: {}.",
                    ids.join(", ")
                )))
            }
        }
    }
}
