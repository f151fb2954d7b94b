//! The command line as people type it. Texts here are what `--help` prints.

mod running;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::finding::{FindingState, Outcome, Severity};
use model::scan::ScanKind;
pub(crate) use running::{BackupArgs, DigestCommand, DoctorArgs, KeyCommand, RestoreArgs, ServeArgs};
use values::{kind, outcome, pair, severity, state};

/// Self-hosted SaaS security posture management.
#[derive(Debug, Parser)]
#[command(
    name = "parapet",
    version,
    about = "Scans SaaS applications for unsafe settings, risky accounts and third-party plugins, and shows the health of every scan.",
    after_help = "Start here:\n  parapet demo                                   everything, on simulated applications\n  parapet scan github --set organization=acme    one scan, credential from the environment\n  parapet serve --config parapet.toml            the server\n\nEvery command has --help with examples.",
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan one application now and print what was found
    Scan(ScanArgs),
    /// Run the server: pages, scheduler and workers, or one of them
    Serve(ServeArgs),
    /// Run everything on simulated applications; nothing to configure
    Demo(DemoArgs),
    /// Onboarded applications, and trying out a catalogue folder
    #[command(subcommand)]
    App(AppCommand),
    /// The stored findings as files
    #[command(subcommand)]
    Findings(FindingsCommand),
    /// The checks of the catalogue
    #[command(subcommand)]
    Check(CheckCommand),
    /// Sealing keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at configuration, database, key and catalogue, and say what is wrong
    #[command(
        after_help = "Examples:\n  parapet doctor --config parapet.toml\n  parapet doctor --config parapet.toml --send-test-mail ada@example.com\n\nExit codes: 0 all well, 2 something is wrong."
    )]
    Doctor(DoctorArgs),
    /// Write the whole database to one file, while servers go on working
    #[command(
        after_help = "Examples:\n  parapet backup --config parapet.toml --output parapet-2026-11-26.backup\n\nThe file holds everything but browser sessions. Credentials stay sealed: keep the sealing key apart from it."
    )]
    Backup(BackupArgs),
    /// Fill an empty database, SQLite or PostgreSQL, from a backup
    #[command(
        after_help = "Examples:\n  parapet restore --config parapet.toml --input parapet-2026-11-26.backup\n\nTo move from SQLite to PostgreSQL: stop the server, make a backup, write the PostgreSQL address into the\nconfiguration, restore, start the server."
    )]
    Restore(RestoreArgs),
    /// The daily digest
    #[command(subcommand)]
    Digest(DigestCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  PARAPET_TOKEN=... parapet scan github --set organization=acme
  parapet scan github --set organization=acme --auth app --credential app.toml --format json
  PARAPET_CLIENT_ID=... PARAPET_CLIENT_SECRET=... parapet scan scim --set address=https://id.example.com
  parapet scan github --set organization=acme --kind config --fail-on high
  parapet scan github --set organization=acme --format sarif --outcome fail,inconclusive --output acme.sarif

Credential: never an argument. Each field is read from the environment variable PARAPET_<FIELD> (PARAPET_TOKEN,
PARAPET_APP_ID, PARAPET_PRIVATE_KEY, ...), or from a TOML file of fields given with --credential ('-' is standard
input; a file that holds nothing but one secret is taken as that secret). A refresh token that the vendor renews is
written back to that file; without a file the new one is lost, which is said.

Exit codes:
  0  every enabled scan succeeded, and no finding reaches --fail-on
  1  a finding reaches --fail-on
  2  the command, its input or its configuration cannot be used
  3  a scan failed: nothing could be judged
  4  a scan was partial or not enabled: some things could not be judged
A finding outranks 3 and 4 only if every scan at least ran partly; 3 outranks 1.")]
pub(crate) struct ScanArgs {
    /// Product, a name of `parapet app list --catalog`
    pub(crate) app: String,
    /// What the product asks for, as NAME=VALUE (repeatable): organization, address, ...
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    /// Where it is hosted, if not the usual: an id such as cloud or server
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) deployment: String,
    /// Way to authenticate, if not the first
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) auth: String,
    /// File with the credential's fields; '-' reads standard input [default: environment]
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// Address to use instead of the vendor's: a proxy, an emulator. http only for this machine
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,
    /// Only these scans [default: all that the credential can run]
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub(crate) kinds: Vec<ScanKind>,
    /// CSV list of the organisation's people (id or email; username, display_name, state, aliases, other_ids) to judge accounts by
    #[arg(long, value_name = "FILE")]
    pub(crate) identities: Option<PathBuf>,
    /// Parameter of a check in place of its default, as CHECK.NAME=VALUE (repeatable): github/owner-count.max=4
    #[arg(long = "param", value_name = "CHECK.NAME=VALUE", value_parser = pair)]
    pub(crate) params: Vec<(String, String)>,
    /// Leave out what the vendor answers for one resource at a time only; checks that need it stay undecided
    #[arg(long)]
    pub(crate) quick: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only these outcomes: pass, fail, inconclusive, not_applicable [default: all; csv: fail,inconclusive]
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',', value_parser = outcome)]
    pub(crate) outcomes: Vec<Outcome>,
    /// File to write to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Exit with 1 if a finding is at least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub(crate) fail_on: Option<Severity>,
    #[command(flatten)]
    pub(crate) outbound: OutboundArgs,
    #[command(flatten)]
    pub(crate) catalogue: CatalogueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OutboundArgs {
    /// Host that may be at a private address (repeatable)
    #[arg(long = "allow-private", value_name = "HOST")]
    pub(crate) allow_private: Vec<String>,
    /// Proxy for all requests: http://host:port
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// File with certificates of further authorities (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogueArgs {
    /// Further catalogue folder (repeatable): adds applications and checks, shadows none
    #[arg(long = "catalog-folder", value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Path to which an application of these folders may send POST requests, because that only reads (repeatable)
    #[arg(long = "allow-post", value_name = "APP=PATH", value_parser = pair)]
    pub(crate) allow_post: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Every outcome with reason and evidence, the accounts and the plugins
    Json,
    /// One line per failing or undecided result
    Csv,
    /// OCSF 1.5 Compliance Findings, one event a line
    Ocsf,
    /// SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FindingsCommand {
    /// Write findings as CSV, JSON, OCSF or SARIF
    Export(ExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parapet findings export --output findings.csv
  parapet findings export --format sarif --application \"Acme GitHub\" --output acme.sarif
  parapet findings export --format ocsf --severity critical | jq .message
  parapet findings export --format json --state resolved

OCSF and SARIF also say how the scans fared and which checks could not be judged.
On SQLite the database belongs to the server while it runs: then take the file from the page Findings.")]
pub(crate) struct ExportArgs {
    /// As what
    #[arg(long, value_enum, default_value_t = FileFormat::Csv)]
    pub(crate) format: FileFormat,
    /// File to write to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only of this application, by name or id
    #[arg(long, value_name = "NAME")]
    pub(crate) application: Option<String>,
    /// Only of this product
    #[arg(long)]
    pub(crate) product: Option<String>,
    /// Only this severity
    #[arg(long, value_parser = severity)]
    pub(crate) severity: Option<Severity>,
    /// Only this state: new, in_progress, resolved or suppressed [default: new and in progress]
    #[arg(long, value_parser = state)]
    pub(crate) state: Option<FindingState>,
    /// Only of this scan: config, accounts or plugins
    #[arg(long, value_parser = kind)]
    pub(crate) kind: Option<ScanKind>,
    /// Only of this check
    #[arg(long, value_name = "ID")]
    pub(crate) check: Option<String>,
    /// Only of this resource
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Only those that no scan has confirmed lately
    #[arg(long)]
    pub(crate) stale: bool,
    /// Only those with these words
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// For spreadsheets
    Csv,
    /// One array
    Json,
    /// OCSF 1.5 Compliance Findings, one event a line
    Ocsf,
    /// SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (TOML); without one: parapet.db and parapet.key in this folder
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parapet demo
  parapet demo --listen 127.0.0.1:9000

All data is simulated; the database is made afresh in a temporary folder and removed at the end.")]
pub(crate) struct DemoArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Print one line of JSON with address, sign-in and simulated credentials when the pages answer
    #[arg(long)]
    pub(crate) json: bool,
    /// Mail the demo's digests as this configuration says [default: nothing is mailed]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List onboarded applications with their status, or the catalogue
    #[command(after_help = "Examples:\n  parapet app list\n  parapet app list --catalog")]
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// List the products that can be onboarded instead
        #[arg(long)]
        catalog: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Onboard an application: verifies the credential, shows what will run, then saves
    #[command(
        after_help = "Examples:\n  PARAPET_TOKEN=... parapet app add github --set organization=acme --auth token --name \"Acme GitHub\""
    )]
    Add(AddArgs),
    /// Show one application: its scans, their health, credential and warnings
    #[command(after_help = "Examples:\n  parapet app show \"Acme GitHub\"")]
    Show {
        /// Name or id
        name: String,
        #[command(flatten)]
        config: ConfigArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an application with everything stored about it
    #[command(after_help = "Examples:\n  parapet app remove \"Acme GitHub\" --yes")]
    Remove {
        /// Name or id
        name: String,
        /// Do it; without this, only say what would be deleted
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write the skeleton of an application of your own into a catalogue folder
    #[command(
        after_help = "Examples:\n  parapet app new ./my-catalog hub\n\nThe skeleton loads and its checks pass as written. Files that exist are not overwritten."
    )]
    New {
        /// Catalogue folder; made if there is none
        folder: PathBuf,
        /// Id of the application: small letters, digits, `-` and `_`
        id: String,
    },
    /// Print every word of app.toml with its meaning
    #[command(after_help = "Examples:\n  parapet app words | less")]
    Words,
    /// Say all that is wrong with a catalogue folder, play its fixtures, and optionally read a server once
    #[command(
        after_help = "Examples:\n  parapet app try ./my-catalog\n  PARAPET_TOKEN=... parapet app try ./my-catalog --set address=https://hub.example.com\n  PARAPET_TOKEN=... parapet app try ./my-catalog --set address=https://hub.corp.example --allow-private hub.corp.example --ca corp.pem\n  PARAPET_TOKEN=... parapet app try ./my-catalog --set address=https://hub.example.com --record small\n\nWith --set, --address, --auth, --deployment, --credential or --record there is a dry run of every\nscan. It shows what each dataset yielded and which checks could be decided, and saves nothing.\n\nExit codes:\n  0  all well\n  2  the folder, a fixture or the command is not right\n  3  a scan of the dry run failed, or the server refused\n  4  a scan of the dry run was partial or not enabled"
    )]
    Try(TryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Product
    pub(crate) app: String,
    /// What the product asks for, as NAME=VALUE (repeatable)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    /// Where it is hosted, if not the usual
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) deployment: String,
    /// Way to authenticate, if not the first
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) auth: String,
    /// File with the credential's fields; '-' reads standard input [default: environment]
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// Name for it [default: product and tenant]
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TryArgs {
    /// Catalogue folder: holds `apps/APP/app.toml`
    pub(crate) folder: PathBuf,
    /// Application to play and to run, where the folder holds several
    #[arg(long, value_name = "ID")]
    pub(crate) app: Option<String>,
    /// Write what the fixtures lead to as their expected.json
    #[arg(long)]
    pub(crate) accept: bool,
    /// Record the dry run as a case of the fixtures
    #[arg(long, value_name = "CASE")]
    pub(crate) record: Option<String>,
    /// Take the folder in the place of the built-in catalogue, for work on Parapet's own applications
    #[arg(long)]
    pub(crate) instead: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// What the product asks for, as NAME=VALUE (repeatable)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    /// Where it is hosted, if not the usual
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) deployment: String,
    /// Way to authenticate, if not the first
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) auth: String,
    /// File with the credential's fields; '-' reads standard input [default: environment]
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// Address to use instead of the vendor's
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,
    /// Path to which an application of the folder may send POST requests, because that only reads (repeatable)
    #[arg(long = "allow-post", value_name = "APP=PATH", value_parser = pair)]
    pub(crate) allow_post: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) outbound: OutboundArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// List checks
    #[command(
        after_help = "Examples:\n  parapet check list --app github\n  parapet check list --severity critical --json"
    )]
    List {
        /// Only of this product
        #[arg(long)]
        app: Option<String>,
        /// Only this severity
        #[arg(long, value_parser = severity)]
        severity: Option<Severity>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        catalogue: CatalogueArgs,
    },
    /// Show one check: what it asks, why, how to fix it
    #[command(after_help = "Examples:\n  parapet check show github/org-requires-2fa")]
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        catalogue: CatalogueArgs,
    },
    /// Explain how a check was decided in the latest stored run of an application
    #[command(
        after_help = "Examples:\n  parapet check explain github/org-requires-2fa --instance \"Acme GitHub\"\n  parapet check explain github/branch-protected --instance \"Acme GitHub\" --resource website"
    )]
    Explain {
        /// Its id
        id: String,
        /// Application, by name or id
        #[arg(long)]
        instance: String,
        /// Only about this resource
        #[arg(long)]
        resource: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the skeleton of a check into a catalogue folder
    #[command(
        after_help = "Examples:\n  parapet check new ./my-catalog hub/tokens-expire tokens\n\nThe skeleton passes as written. A file that exists is not overwritten."
    )]
    New {
        /// Catalogue folder
        folder: PathBuf,
        /// Its id: APP/NAME, or shared/NAME
        id: String,
        /// What it asks about: a dataset of the application, account or plugin
        over: String,
    },
    /// Print the check language
    #[command(after_help = "Examples:\n  parapet check language | less")]
    Language,
    /// Evaluate an expression of the check language over a JSON record
    #[command(
        after_help = "Examples:\n  echo '{\"two_factor\": null}' | parapet check eval 'two_factor == true'\n  parapet check eval 'age_days > 30' --record record.json\n\nA field that the record lacks is unknown. Null is a value."
    )]
    Eval {
        /// The expression
        expression: String,
        /// File with the record [default: standard input]
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
        /// The present, for `now` (RFC 3339) [default: the clock]
        #[arg(long, value_name = "INSTANT")]
        now: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
