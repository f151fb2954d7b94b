//! `app list|add|show|remove`, `check explain` and `doctor` on a database of their own, against a simulated directory, with
//! `serve` running the scans.

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{Ran, parapet};
use serde_json::{Value, json};
use sim::Server;
use sim::scim::{Plan, Scim};
use tempfile::TempDir;

const CONFIG: &str = "listen = \"127.0.0.1:0\"\n[outbound]\nallow_loopback_http = true\n";
const SECRET: &str = "a-secret-that-is-nowhere-else";

/// An installation and a directory to onboard.
struct Bench {
    folder: TempDir,
    server: Server<Scim>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("parapet.toml"), CONFIG).expect("written");
        parapet(folder.path(), &[], &["key", "new", "parapet.key"]).ended(0);
        let now = model::time::Timestamp::parse("2026-06-01T12:00:00Z").expect("an instant");
        let plan = Plan { domain: "acme.example".to_owned(), seed: 7, now, users: 6, inactive: 0 };
        let mut vendor = Scim::generate(&plan);
        vendor.clients.insert("parapet".to_owned(), SECRET.to_owned());
        // Two accounts whose names differ in upper and lower case only: a check fails for both.
        let twin = vendor.users[0]["userName"].as_str().expect("a name").to_uppercase();
        vendor.users[1]["userName"] = json!(twin);
        let clock = || {
            use collect::Clock as _;
            engine::clock::SystemClock.now()
        };
        let server = Server::start(vendor, Arc::new(clock)).await.expect("a loopback port");
        Self { folder, server }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.with_secret(SECRET, arguments)
    }

    fn with_secret(&self, secret: &str, arguments: &[&str]) -> Ran {
        let environment = [("PARAPET_CLIENT_ID", "parapet"), ("PARAPET_CLIENT_SECRET", secret)];
        let config = ["--config", "parapet.toml"];
        parapet(self.folder.path(), &environment, &[arguments, &config].concat())
    }

    fn add(&self, name: &str) -> Ran {
        let address = format!("address={}", self.server.origin());
        self.run(&["app", "add", "scim", "--set", &address, "--name", name])
    }

    /// Runs the server until so many scans have finished.
    fn scan(&self, finished: usize) {
        let mut server = Command::new(env!("CARGO_BIN_EXE_parapet"))
            .current_dir(self.folder.path())
            .args(["serve", "--config", "parapet.toml"])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let mut log = BufReader::new(server.stderr.take().expect("it is piped")).lines();
        let mut left = finished;
        let mut said = Vec::new();
        for line in log.by_ref() {
            let line = line.expect("the log is text");
            if line.contains("finished") {
                left -= 1;
            }
            said.push(line);
            if left == 0 {
                break;
            }
        }
        assert_eq!(left, 0, "the server ended before its scans:\n{}", said.join("\n"));
        let told = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
        assert!(told.expect("kill is there").success());
        // The server logs to its end: a closed pipe would be a fault of the test's.
        said.extend(log.map_while(Result::ok));
        assert!(server.wait().expect("it ends").success(), "{}", said.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_added_scanned_shown_explained_and_removed() {
    let bench = Bench::new().await;
    bench.run(&["app", "list"]).ended(0);
    assert_eq!(bench.run(&["app", "list", "--json"]).json()["applications"], json!([]));
    bench.add("Acme directory").ended(0).says(&[
        &format!("sent to {}", bench.server.origin()),
        "Config Scan",
        "Risky Account Scan",
        "Saved as Acme directory",
    ]);

    // Nothing has run: no result is shown as none.
    let tile = bench.run(&["app", "list", "--json"]).json()["applications"][0].clone();
    assert_eq!((&tile["instance"]["name"], &tile["findings"]), (&json!("Acme directory"), &Value::Null));
    bench.run(&["app", "list"]).ended(0).says(&["Acme directory", "first scan"]);
    bench
        .run(&["check", "explain", "scim/user-names-are-unique", "--instance", "Acme directory"])
        .ended(2)
        .says(&["No run of Config Scan has been assessed for Acme directory yet"]);

    bench.scan(2);
    let tile = bench.run(&["app", "list", "--json"]).json()["applications"][0].clone();
    assert_eq!(tile["status"]["word"], "Up");
    assert!(tile["findings"]["medium"].as_u64().is_some_and(|n| n >= 2), "{tile}");
    bench.run(&["app", "show", "Acme directory"]).ended(0).says(&[
        "Acme directory (SCIM 2.0, ",
        "Config Scan:",
        "Risky Account Scan:",
        "Credential: OAuth 2.0 client credentials",
    ]);
    let page = bench.run(&["app", "show", "Acme directory", "--json"]).ended(0);
    assert!(!page.out.contains(SECRET), "the secret is shown");
    assert_eq!(page.json()["scans"].as_array().map(Vec::len), Some(2));

    explained(&bench);

    bench
        .run(&["app", "remove", "Acme directory"])
        .ended(2)
        .says(&["This would delete Acme directory with", "Add --yes"]);
    bench.run(&["app", "show", "Acme directory"]).ended(0);
    bench.run(&["app", "remove", "Acme directory", "--yes"]).ended(0).says(&["Deleted Acme directory with"]);
    bench
        .run(&["app", "show", "Acme directory"])
        .ended(2)
        .says(&["There is no application named Acme directory"]);
    assert_eq!(bench.run(&["app", "list", "--json"]).json()["applications"], json!([]));
}

/// What `check explain` says of a check that fails for two accounts, of one of them, and of what it does not know.
fn explained(bench: &Bench) {
    let ask = |more: &[&str]| {
        let fixed = ["check", "explain", "scim/user-names-are-unique", "--instance", "Acme directory"];
        bench.run(&[&fixed, more].concat())
    };
    ask(&[]).ended(0).says(&[
        "User names differ in more than upper and lower case",
        "4 pass, 2 fail, 0 inconclusive, 0 not applicable.",
        "FAILS: The user name ",
        "/scim/v2/Users",
    ]);
    let all = ask(&["--json"]).ended(0).json();
    let results = all["results"].as_array().expect("results");
    assert_eq!(results.len(), 2, "{all}");
    assert!(
        results.iter().all(|r| r["outcome"] == "fail" && !r["evidence"].as_array().expect("it").is_empty())
    );
    let one = results[0]["resource"].as_str().expect("a resource");
    let only = ask(&["--json", "--resource", one]).ended(0).json();
    assert_eq!(only["results"], json!([results[0]]));
    ask(&["--resource", "nobody"]).ended(0).says(&["nobody is not among the stored results"]);
    bench
        .run(&["check", "explain", "scim/nonsense", "--instance", "Acme directory"])
        .ended(2)
        .says(&["SCIM 2.0 has no check scim/nonsense"]);
    bench
        .run(&["check", "explain", "scim/user-names-are-unique", "--instance", "Another"])
        .ended(2)
        .says(&["There is no application named Another"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_added_is_refused_and_nothing_is_saved() {
    let bench = Bench::new().await;
    let origin = bench.server.origin();
    let address = format!("address={origin}");
    bench.with_secret("wrong", &["app", "add", "scim", "--set", &address]).ended(3).says(&["credential"]);
    bench.run(&["app", "add", "scim"]).ended(2).says(&["Address of the server"]);
    bench
        .run(&["app", "add", "scim", "--set", "address=http://acme.example"])
        .ended(2)
        .says(&["unencrypted"]);
    bench
        .run(&["app", "add", "scim", "--set", &address, "--auth", "key"])
        .ended(2)
        .says(&["cannot authenticate by key"]);
    bench.run(&["app", "add", "nothing"]).ended(2).says(&["The catalogue has no product nothing"]);
    assert_eq!(bench.run(&["app", "list", "--json"]).json()["applications"], json!([]));

    // The same tenant twice is said; a name stands for one application.
    bench.add("Twice").ended(0);
    bench.add("Twice again").ended(0).says(&["the same tenant is onboarded already as Twice"]);
    bench
        .add("Twice")
        .ended(2)
        .says(&["An application of this kind named Twice exists already. Choose another name."]);
    let listed = bench.run(&["app", "list", "--json"]).json()["applications"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_refused_where_it_is_not_allowed() {
    let bench = Bench::new().await;
    std::fs::write(bench.folder.path().join("parapet.toml"), "listen = \"127.0.0.1:0\"\n").expect("written");
    bench.add("Acme").ended(3).says(&["Plain http to 127.0.0.1 is not allowed here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong() {
    let bench = Bench::new().await;
    bench.add("Acme").ended(0);
    bench.run(&["doctor"]).ended(0).says(&[
        "\u{2713} configuration: parapet.toml",
        "\u{2713} sealing key: readable",
        "\u{2713} catalogue: ",
        "\u{2713} outbound client: direct",
        "\u{2713} database: sqlite:parapet.db with 1 applications",
        "\u{2713} listening address: ",
    ]);
    let config =
        |text: &str| std::fs::write(bench.folder.path().join("parapet.toml"), text).expect("written");
    let taken = bench.server.origin().replace("http://", "");
    for (text, says) in [
        ("lisen = 1".to_owned(), "\u{2717} configuration: parapet.toml:1:1: unknown field `lisen`"),
        (
            "sealing_key_file = \"other.key\"".to_owned(),
            "\u{2717} sealing key: There is no sealing key at other.key",
        ),
        ("catalog = [\"nowhere\"]".to_owned(), "\u{2717} catalogue folder: nowhere:1:1: cannot be read"),
        (
            "[outbound]\nproxy = \"no address\"".to_owned(),
            "\u{2717} outbound client: The proxy no address is not an address",
        ),
        (
            "[outbound]\nca_file = \"none.pem\"".to_owned(),
            "\u{2717} outbound client: The certificates none.pem cannot be read",
        ),
        (
            "database = \"mysql://x/y\"".to_owned(),
            "\u{2717} database: The database address is not understood: mysql",
        ),
        (format!("listen = \"{taken}\""), "\u{2717} listening address: "),
    ] {
        config(&text);
        bench.run(&["doctor"]).ended(2).says(&[says]);
    }
    // Another key opens nothing of what is there.
    config(CONFIG);
    std::fs::remove_file(bench.folder.path().join("parapet.key")).expect("removed");
    parapet(bench.folder.path(), &[], &["key", "new", "parapet.key"]).ended(0);
    bench.run(&["doctor"]).ended(2).says(&["\u{2713} sealing key: readable", "\u{2717} database: "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_elsewhere_and_goes_on() {
    let bench = Bench::new().await;
    bench.add("Directory").ended(0);
    bench
        .run(&["backup", "--output", "kept"])
        .ended(0)
        .says(&["rows to kept", "worth nothing without the sealing key"]);
    bench
        .run(&["backup", "--output", "kept"])
        .ended(2)
        .says(&["kept exists already; a backup is never overwritten"]);
    let folder = bench.folder.path();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.join("kept")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "for its user alone");
    assert!(!folder.join("kept.unfinished").exists());
    bench.run(&["restore", "--input", "kept"]).ended(2).says(&["The database is not empty"]);
    bench.run(&["restore", "--input", "nowhere"]).ended(2).says(&["nowhere cannot be read"]);
    let elsewhere = format!("database = \"sqlite:elsewhere.db\"\n{CONFIG}");
    std::fs::write(folder.join("parapet.toml"), elsewhere).expect("written");
    bench.run(&["restore", "--input", "kept"]).ended(0).says(&["Restored", "Everyone has to sign in again"]);
    bench.run(&["app", "list"]).ended(0).says(&["Directory"]);
    bench.run(&["doctor"]).ended(0);
}
