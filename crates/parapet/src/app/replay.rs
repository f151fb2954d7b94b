//! Playing recorded answers to the connector engine, and comparing what comes of them with what is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assess::{Detail, Instance, Prior};
use catalog::App;
use collect::{
    Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target, Unhurried,
};
use model::time::{Duration, Timestamp};
use serde_json::{Map, Value as Json};
use sim::tape::{Player, Tape};

use super::told::{differences, told};

/// What came of one case.
pub(super) struct Played {
    /// The case's folder.
    pub(super) folder: PathBuf,
    /// Exchanges on its tape; none where it could not be read.
    pub(super) exchanges: usize,
    /// Everything that is wrong, each with its place.
    pub(super) problems: Vec<String>,
    /// Whether `expected.json` was written.
    pub(super) accepted: bool,
}

/// What to do with a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is a problem.
    Holds,
    /// What was found becomes what is expected.
    IsWritten,
}

/// Plays every case of an application: `fixtures/<case>/tape.json`.
pub(super) async fn all(app: &Arc<App>, folder: &Path, expected: Expected) -> Vec<Played> {
    let mut played = Vec::new();
    for case in cases(&folder.join("fixtures")) {
        match case {
            Ok(case) => played.push(one(app, case, expected).await),
            Err(problem) => played.push(Played {
                folder: folder.join("fixtures"),
                exchanges: 0,
                problems: vec![problem],
                accepted: false,
            }),
        }
    }
    played
}

/// The folders of an application's cases, and what lies there that is none.
fn cases(folder: &Path) -> Vec<Result<PathBuf, String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => return vec![Err(format!("{} cannot be read: {e}", folder.display()))],
    };
    let mut cases: Vec<Result<PathBuf, String>> = entries
        .map(|entry| {
            let path = entry.map_err(|e| format!("{} cannot be read: {e}", folder.display()))?.path();
            if path.is_dir() {
                return Ok(path);
            }
            Err(format!(
                "{}: nothing reads this file. A case is a folder of its own: fixtures/<case>/tape.json",
                path.display()
            ))
        })
        .collect();
    cases.sort();
    cases
}

/// Plays one case.
pub(super) async fn one(app: &Arc<App>, folder: PathBuf, expected: Expected) -> Played {
    let path = folder.join("tape.json");
    let tape = match read(&path) {
        Ok(tape) => tape,
        Err(problems) => return Played { folder, exchanges: 0, problems, accepted: false },
    };
    let exchanges = tape.exchanges.len();
    let mut problems = Vec::new();
    let mut accepted = false;
    match play(app, &tape, &mut problems).await {
        Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        Ok(found) => {
            for problem in &mut problems {
                *problem = format!("{}: {problem}", path.display());
            }
            // What a broken tape leads to is nothing to expect.
            match compare(&folder, &found, expected == Expected::IsWritten && problems.is_empty()) {
                Ok(written) => accepted = written,
                Err(lines) => problems.extend(lines),
            }
        }
    }
    Played { folder, exchanges, problems, accepted }
}

fn read(path: &Path) -> Result<Tape, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            vec![format!(
                "{}: there is no such file. Record one with --record, or remove the folder",
                path.display()
            )]
        }
        _ => vec![format!("{} cannot be read: {e}", path.display())],
    })?;
    let tape = Tape::parse(&text).map_err(|errors| {
        errors
            .iter()
            .map(|e| format!("{}:{}:{}: {}", path.display(), e.line, e.column, e.message))
            .collect::<Vec<_>>()
    })?;
    match Timestamp::parse(&tape.now) {
        Some(_) => Ok(tape),
        None => Err(vec![format!(
            "{}: `now` is {:?}, which is no instant. Write it as 2026-01-15T12:00:00Z",
            path.display(),
            tape.now
        )]),
    }
}

/// Runs every scan on the tape.
async fn play(app: &Arc<App>, tape: &Tape, problems: &mut Vec<String>) -> Result<Json, String> {
    let player =
        Player::start(tape).await.map_err(|e| format!("it cannot be played on this machine: {e}"))?;
    let stage = Stage::new(app, tape, player.address())?;
    let mut found = Map::new();
    for kind in app.supported() {
        let request = RunRequest::new(kind, stage.now + Duration::hours(3));
        let clock = Unhurried::at(stage.now);
        let run = collect::run(&stage.outbound, &stage.target, &stage.credential, &clock, request, &Quiet);
        let Collected::Done(done) = run.await else {
            problems.push(format!(
                "the {} scan was asked to wait for long; a tape should not hold such an answer",
                kind.title()
            ));
            continue;
        };
        let params = BTreeMap::new();
        let instance = Instance {
            tenant_uid: "tenant",
            auth: &tape.auth,
            settings: &tape.settings,
            params: &params,
            interval: Duration::hours(1),
        };
        let assessment =
            assess::assess(&done.snapshot, app, &instance, &Prior::default(), stage.now, Detail::All);
        found.insert(kind.as_str().to_owned(), told(app, &done.snapshot, &assessment));
    }
    let seen = player.seen();
    problems.extend(seen.unknown.iter().map(|request| format!("asked for, and not on the tape: {request}")));
    let names = tape.exchanges.iter().filter_map(|e| e.name().ok());
    problems.extend(
        names
            .filter(|name| !seen.played.contains(name))
            .map(|name| format!("on the tape, and never asked for: {name}")),
    );
    let found = Json::Object(found);
    problems.extend(leaks(app, tape, &found));
    Ok(found)
}

/// Secrets of the credential that stand in what was found.
fn leaks(app: &App, tape: &Tape, found: &Json) -> Vec<String> {
    let text = found.to_string();
    let fields = app.auth(&tape.auth).map(|auth| auth.kind.fields()).unwrap_or_default();
    let secret = |name: &str| fields.iter().any(|f| f.name == name && f.secret);
    tape.credential
        .iter()
        .filter(|(name, value)| secret(name) && !value.is_empty() && text.contains(*value))
        .map(|(name, _)| format!("the {name} of the credential is in what was found"))
        .collect()
}

/// Everything a run on a tape needs.
struct Stage {
    outbound: Outbound,
    target: Target,
    credential: Credential,
    now: Timestamp,
}

impl Stage {
    fn new(app: &Arc<App>, tape: &Tape, address: &str) -> Result<Self, String> {
        let known = |ids: Vec<&str>| ids.join(", ");
        if app.deployment(&tape.deployment).is_none() {
            let ids = app.manifest.deployment.iter().map(|d| d.id.as_str()).collect();
            return Err(format!("no deployment `{}`; there are: {}", tape.deployment, known(ids)));
        }
        let Some(auth) = app.auth(&tape.auth) else {
            let ids = app.manifest.auth.iter().map(|a| a.id.as_str()).collect();
            return Err(format!("no auth `{}`; there are: {}", tape.auth, known(ids)));
        };
        let lacking: Vec<&str> = auth
            .kind
            .fields()
            .iter()
            .map(|f| f.name)
            .filter(|name| !tape.credential.contains_key(*name))
            .collect();
        if !lacking.is_empty() {
            return Err(format!("`credential` lacks {}; give a made-up value", lacking.join(", ")));
        }
        let config = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
        let origins =
            Origins::resolve(app, &tape.deployment, None, Some(address)).map_err(|e| e.to_string())?;
        Ok(Self {
            outbound: Outbound::new(config).map_err(|e| e.to_string())?,
            target: Target {
                app: Arc::clone(app),
                deployment: tape.deployment.clone(),
                settings: tape.settings.clone(),
                origins,
            },
            credential: Credential::new(
                &*tape.auth,
                tape.credential.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
            ),
            now: Timestamp::parse(&tape.now).ok_or_else(|| "`now` is no instant".to_owned())?,
        })
    }
}

/// Compares with `expected.json`, or writes it; whether it was written.
fn compare(folder: &Path, found: &Json, write: bool) -> Result<bool, Vec<String>> {
    let path = folder.join("expected.json");
    let expected = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| vec![format!("{}: {e}", path.display())]),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Json::Null),
        Err(e) => Err(vec![format!("{} cannot be read: {e}", path.display())]),
    };
    if write {
        if expected.as_ref().is_ok_and(|e| e == found) {
            return Ok(false);
        }
        let text = serde_json::to_string_pretty(found).map_err(|e| vec![e.to_string()])? + "\n";
        std::fs::write(&path, text)
            .map_err(|e| vec![format!("{} cannot be written: {e}", path.display())])?;
        return Ok(true);
    }
    let expected = expected?;
    if expected.is_null() {
        return Err(vec![format!(
            "{}: there is no such file. --accept writes what the tape led to; read it before you trust it",
            path.display()
        )]);
    }
    let mut lines = Vec::new();
    differences("", &expected, found, &mut lines);
    if lines.is_empty() {
        return Ok(false);
    }
    Err(lines.into_iter().map(|line| format!("{}: {line}", path.display())).collect())
}
