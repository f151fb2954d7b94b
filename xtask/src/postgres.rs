//! A private PostgreSQL for one run of the tests: own folder, own free port on loopback, gone at the end.

use crate::{Result, run, tools};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; stopped and removed when dropped.
pub(crate) struct Postgres {
    server: Child,
    programs: PathBuf,
    folder: PathBuf,
    root: bool,
    url: String,
}

impl Postgres {
    /// Creates a cluster in a temporary folder and starts it. PostgreSQL refuses to run as root, so root starts it as
    /// `nobody`.
    pub(crate) fn start() -> Result<Self> {
        // Nothing survives this process, so nothing need reach the disk.
        Self::start_with(&["fsync=off", "synchronous_commit=off", "full_page_writes=off"])
    }

    /// The same as an operator would run it: what is committed has reached the disk.
    pub(crate) fn start_durable() -> Result<Self> {
        Self::start_with(&["shared_buffers=512MB"])
    }

    fn start_with(settings: &[&str]) -> Result<Self> {
        let programs = tools::installed(tools::postgres_folder(), "PostgreSQL")?;
        let folder = std::env::temp_dir().join(format!("parapet-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let root = run::output(Command::new("id").arg("-u"))?.trim() == "0";
        if root {
            run::output(Command::new("chown").arg("nobody").arg(&folder))?;
        }
        let data = folder.join("data");
        run::output(
            as_nobody(root, &programs.join("initdb"))
                .args([
                    "--username=parapet",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                    "-D",
                ])
                .arg(&data)
                .current_dir(&folder),
        )?;
        let port = free_port()?;
        let log = std::fs::File::create(folder.join("log"))
            .map_err(|error| format!("cannot create a log in {}: {error}", folder.display()))?;
        let server = as_nobody(root, &programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start PostgreSQL: {error}"))?;
        let mut this = Self {
            server,
            programs,
            folder,
            root,
            url: format!("postgres://parapet@127.0.0.1:{port}/postgres"),
        };
        this.await_ready(port)?;
        Ok(this)
    }

    /// The address of a superuser's connection; each test creates databases of its own.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn await_ready(&mut self, port: u16) -> Result {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .is_ok_and(|status| status.success());
            if ready {
                return Ok(());
            }
            if let Ok(Some(status)) = self.server.try_wait() {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("PostgreSQL ended at once ({status}):\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("PostgreSQL did not answer within 30 s".to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The data is thrown away, so the server need not write it; it only has to end its own processes.
        let stopped = run::output(
            as_nobody(self.root, &self.programs.join("pg_ctl"))
                .args(["stop", "-s", "-m", "immediate", "-D"])
                .arg(self.folder.join("data"))
                .current_dir(&self.folder),
        );
        if stopped.is_err() {
            // It may be gone already, which is what is wanted.
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("left behind {}: {error}", self.folder.display());
        }
    }
}

/// `program`, started as `nobody` where we are root, and told to stop when this process dies.
fn as_nobody(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if root {
        command.args(["--reuid=nobody", "--regid=65534", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "INT"]).arg(program);
    command
}

/// A TCP port of loopback that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}
