//! What whoever runs the server types: serve, doctor, backup, digest, keys.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use crate::config::Role;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parapet key new parapet.key && parapet serve
  parapet serve --config /etc/parapet/parapet.toml
  PARAPET_SEALING_KEY=$(cat key) parapet serve --listen 127.0.0.1:9000

The configuration file, all of it optional:
  listen = \"127.0.0.1:8080\"
  public_url = \"https://parapet.example.com\"     https marks the session cookie Secure; vendors send browsers back here
  database = \"sqlite:parapet.db\"                 or postgres://user@localhost/name; on another
                                                 machine add ?sslmode=disable: no TLS is spoken
  sealing_key_file = \"parapet.key\"
  catalog = [\"/etc/parapet/catalog\"]
  [allow_post]
  hub = [\"/search\"]                             where POST only reads, for these folders
  [outbound]
  allow_private = [\"git.corp.example\"]
  allow_loopback_http = true                     plain http, to this machine only
  proxy = \"http://proxy.corp.example:3128\"
  ca_file = \"/etc/ssl/corp.pem\"
  [node]                                         one of several on a PostgreSQL database
  role = \"both\"                                  web: pages; worker: scans, digests, alerts; both
  name = \"parapet-1\"                             in logs and on leases
  linger_seconds = 0                             pages go on so long after SIGTERM, /readyz says 503
  [engine]
  workers = 8                                    scans at the same time
  per_origin = 4                                 of them at one vendor's address
  lease_seconds = 60                             so long a killed node stays unnoticed by the others
  [metrics]
  listen = \"127.0.0.1:9464\"                      for Prometheus; elsewhere with a token only
  token_file = \"/etc/parapet/metrics.token\"")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Address to listen on, instead of the configuration's
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// What this process does, instead of the configuration's (apart only on PostgreSQL)
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Send a test mail to this address by the configured mail server
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) send_test_mail: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// File to write; must not exist
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// File that `parapet backup` wrote
    #[arg(long, short, value_name = "FILE")]
    pub(crate) input: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DigestCommand {
    /// Print what somebody's digest would be now; nothing is sent
    #[command(
        after_help = "Examples:\n  parapet digest preview --config parapet.toml\n  parapet digest preview --for 'Ada Berg' --html > digest.html\n  parapet digest preview --for admins\n\nOn SQLite the database belongs to the server while it runs: then look at the page Notifications."
    )]
    Preview {
        /// Whose: an owner's name or id, or 'admins' [default: the first who would get one]
        #[arg(long = "for", value_name = "OWNER")]
        who: Option<String>,
        /// Print the HTML part
        #[arg(long)]
        html: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a sealing key: credentials in the database can only be read with it
    #[command(
        after_help = "Examples:\n  parapet key new parapet.key\n\nKeep a copy apart from the database's backups."
    )]
    New {
        /// File to write; must not exist
        file: PathBuf,
    },
}
