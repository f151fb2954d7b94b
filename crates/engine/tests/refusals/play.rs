//! A recorded scan with one answer replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use assess::{Assessment, Detail, Instance, Prior, PriorFinding};
use catalog::App;
use collect::{
    Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target, Unhurried,
};
use model::dataset::Snapshot;
use model::finding::Outcome;
use model::id::FindingId;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use sim::tape::{Answer, Exchange, Player, Tape};

/// The tapes of an application, by case.
pub(crate) fn tapes(app: &App) -> BTreeMap<String, Tape> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../catalog/apps")
        .join(app.id.as_str())
        .join("fixtures");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let tape = |entry: std::io::Result<std::fs::DirEntry>| {
        let case = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(case.join("tape.json")).expect("a case has a tape");
        let tape = Tape::parse(&text).unwrap_or_else(|e| panic!("{}: {e:?}", case.display()));
        (case.file_name().expect("a folder").to_string_lossy().into_owned(), tape)
    };
    entries.map(tape).collect()
}

/// Whether a tape is of a tenant that answers nearly everything.
pub(crate) fn is_whole(tape: &Tape) -> bool {
    let good = tape.exchanges.iter().filter(|e| e.status == 200).count();
    good * 4 >= tape.exchanges.len() * 3
}

/// A tape with the answer to one exchange replaced.
pub(crate) fn disturbed(tape: &Tape, at: usize, answer: &Answer) -> Tape {
    let mut tape = tape.clone();
    let asked = &tape.exchanges[at];
    let Answer { status, headers, body, text } = answer.clone();
    let (get, post, sent) = (asked.get.clone(), asked.post.clone(), asked.sent.clone());
    let (query, after) = (asked.query.clone(), asked.after.clone());
    tape.exchanges[at] = Exchange { get, post, sent, query, after, status, headers, body, text };
    tape
}

/// The client of all scans of a test.
pub(crate) fn outbound() -> Outbound {
    let config = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
    Outbound::new(config).expect("a client without certificates of its own")
}

/// One scan.
pub(crate) struct Scanned {
    pub(crate) snapshot: Snapshot,
    /// The exchanges it asked for, by name.
    pub(crate) played: BTreeSet<String>,
}

/// Reads everything of one scan from a tape.
pub(crate) async fn read(outbound: &Outbound, app: &Arc<App>, tape: &Tape, kind: ScanKind) -> Scanned {
    let player = Player::start(tape).await.expect("a free port on loopback");
    let now = now(tape);
    let address = Some(player.address());
    let target = Target {
        app: Arc::clone(app),
        deployment: tape.deployment.clone(),
        settings: tape.settings.clone(),
        origins: Origins::resolve(app, &tape.deployment, None, address).expect("a loopback address"),
    };
    let values = tape.credential.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    let credential = Credential::new(&*tape.auth, values.collect());
    let clock = Unhurried::at(now);
    let mut request = RunRequest::new(kind, now + Duration::hours(3));
    request.sweep_requests = u32::MAX;
    let collected = collect::run(outbound, &target, &credential, &clock, request, &Quiet).await;
    let Collected::Done(done) = collected else { panic!("{} {kind}: {collected:?}", app.id) };
    let played = player.seen().played.clone();
    Scanned { snapshot: done.snapshot, played }
}

/// The present of a tape.
fn now(tape: &Tape) -> Timestamp {
    Timestamp::parse(&tape.now).expect("`now` of a tape is an instant")
}

/// What a scan means where the failures of an earlier one are open findings.
pub(crate) fn judged(app: &App, tape: &Tape, snapshot: &Snapshot, before: Option<&Assessment>) -> Assessment {
    let failing: Vec<_> =
        before.iter().flat_map(|b| &b.results).filter(|r| r.outcome == Outcome::Fail).collect();
    let ids: Vec<FindingId> = (0..failing.len()).map(|n| FindingId::new(format!("f{n}"))).collect();
    let open = failing.iter().zip(&ids);
    let open = open.map(|(r, id)| PriorFinding { id, check: &r.check, resource: &r.resource }).collect();
    let params = BTreeMap::new();
    let instance = Instance {
        tenant_uid: "tenant",
        auth: &tape.auth,
        settings: &tape.settings,
        params: &params,
        interval: Duration::hours(1),
    };
    // Always as of the same instant, so that nothing but the answer makes a difference.
    assess::assess(snapshot, app, &instance, &Prior { open, ..Prior::default() }, now(tape), Detail::All)
}
