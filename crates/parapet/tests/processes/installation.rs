//! A folder with a configuration and a key, simulated tenants, and the applications that are onboarded for them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use collect::{Clock, Outbound, OutboundConfig};
use engine::clock::{SystemClock, SystemEntropy};
use model::view::CredentialInput;
use ops::Ops;
use secrecy::SecretString;
use serde_json::json;
use sim::Server;
use sim::scim::{Plan, Scim};
use store::{Db, Options, SealingKey};
use tempfile::TempDir;

use crate::database::Database;

const SECRET: &str = "a-secret-that-is-nowhere-else";
/// People of each tenant: few enough that they are read by one request, so that no read sees two generations.
pub(crate) const PEOPLE: usize = 40;

/// An installation of Parapet with its tenants.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    pub(crate) tenants: Arc<Vec<Server<Scim>>>,
}

/// What a test adds to the configuration of every node.
pub(crate) const QUICK: &str = "[engine]\nlease_seconds = 3\n";

impl Installation {
    /// With a SQLite file in its folder.
    pub(crate) async fn sqlite(tenants: usize, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::Sqlite(folder.path().join("parapet.db"));
        Self::with(folder, database, tenants, more).await
    }

    /// On this PostgreSQL.
    pub(crate) async fn on(database: Database, tenants: usize, more: &str) -> Self {
        Self::with(tempfile::tempdir().expect("a temporary folder"), database, tenants, more).await
    }

    async fn with(folder: TempDir, database: Database, tenants: usize, more: &str) -> Self {
        let mut servers = Vec::new();
        for _ in 0..tenants {
            let server =
                Server::start(directory(), Arc::new(|| model::time::Timestamp(crate::database::now())));
            servers.push(server.await.expect("a loopback port"));
        }
        let this = Self { folder, database, tenants: Arc::new(servers) };
        this.configure("parapet.toml", more);
        let made = this
            .command()
            .args(["key", "new", "parapet.key"])
            .output()
            .expect("the binary under test starts");
        assert!(made.status.success(), "{made:?}");
        if tenants > 0 {
            this.onboard().await;
        }
        this
    }

    /// The use cases in this process, which is then a node of its own.
    pub(crate) async fn open(&self, clock: Arc<dyn Clock>) -> (Db, Ops) {
        let entropy = Arc::new(SystemEntropy);
        let (address, options) = (self.database.address(), Options::default());
        let db = Db::open(&address, &self.key(), Arc::clone(&entropy) as _, clock.now(), options).await;
        let db = db.expect("the database opens");
        let outbound = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
        let ops = Ops::open(ops::Config {
            db: db.clone(),
            catalog: Arc::new(catalog::Catalog::builtin().catalog),
            load_errors: Vec::new(),
            outbound: Outbound::new(outbound).expect("a client"),
            clock,
            entropy,
            simulated: false,
            telling: ops::Telling::default(),
        });
        (db, ops.await.expect("use cases"))
    }

    /// Onboards every tenant as the command line does, in this process: each process of its own would read the whole catalogue.
    async fn onboard(&self) {
        let (db, ops) = self.open(Arc::new(SystemClock)).await;
        for (n, server) in self.tenants.iter().enumerate() {
            let input = CredentialInput {
                deployment: String::new(),
                auth: "client".to_owned(),
                settings: [("address".to_owned(), server.origin())].into(),
                name: format!("directory {n}"),
                owner: String::new(),
            };
            let secrets = [("client_id", "parapet"), ("client_secret", SECRET)];
            let secrets = secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value)));
            let (actor, app) = (ops::command_line(), "scim".into());
            let page = ops.onboard_preflight(&actor, &app, input, secrets.into()).await.expect("verified");
            ops.onboard_save(&actor, &page.draft).await.expect("saved");
        }
        db.close().await;
    }

    /// Its sealing key.
    pub(crate) fn key(&self) -> SealingKey {
        let text = std::fs::read_to_string(self.path().join("parapet.key")).expect("a key");
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal");
        SealingKey::from_bytes((0..32).map(byte).collect()).expect("a key")
    }

    /// The same installation in a folder of its own, on copies of these database files.
    pub(crate) fn copied(&self, file: &[u8], log: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("parapet.db");
        std::fs::write(&path, file).expect("written");
        std::fs::write(folder.path().join("parapet.db-wal"), log).expect("written");
        std::fs::copy(self.path().join("parapet.key"), folder.path().join("parapet.key")).expect("copied");
        let tenants = Arc::clone(&self.tenants);
        let this = Self { folder, database: Database::Sqlite(path), tenants };
        this.configure("parapet.toml", "");
        this
    }

    /// Writes a configuration for a node of this installation.
    pub(crate) fn configure(&self, file: &str, more: &str) {
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"{}\"\n[outbound]\nallow_loopback_http = true\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n{more}",
            self.database.address()
        );
        std::fs::write(self.path().join(file), text).expect("written");
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary in this folder, with nothing in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parapet"));
        command.current_dir(self.path()).env_clear();
        command
    }

    /// How many scans there are: two of each tenant.
    pub(crate) fn scans(&self) -> usize {
        2 * self.tenants.len()
    }
}

/// A tenant that a client can sign in to.
fn directory() -> Scim {
    let now = model::time::Timestamp(crate::database::now());
    let plan = Plan { domain: "acme.example".to_owned(), seed: 7, now, users: PEOPLE, inactive: 0 };
    let mut vendor = Scim::generate(&plan);
    vendor.clients.insert("parapet".to_owned(), SECRET.to_owned());
    generation(&mut vendor, 0);
    vendor
}

/// Marks everybody with a number, by which it is told whether what is stored comes from one read. In odd generations two
/// names differ in upper and lower case only, so that findings come and go.
pub(crate) fn generation(vendor: &mut Scim, n: u64) {
    for user in &mut vendor.users {
        user["displayName"] = json!(format!("generation-{n}-"));
    }
    let name = vendor.users[0]["userName"].as_str().expect("a name").to_owned();
    vendor.users[1]["userName"] =
        json!(if n % 2 == 1 { name.to_uppercase() } else { format!("other.{name}") });
}
