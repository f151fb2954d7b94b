//! What whoever runs the server types: doctor, backup, digest, keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;

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
