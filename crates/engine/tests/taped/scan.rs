//! One scan of a tape by the real connector engine.

use std::sync::Arc;

use catalog::{App, Catalog};
use collect::{
    Collected, Credential, Origins, Outbound, OutboundConfig, Quiet, RunRequest, Target, Unhurried,
};
use model::dataset::Snapshot;
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};

use sim::tape::Tape;

use crate::tape::Case;

/// The built-in application of a case.
pub(crate) fn app(case: &Case) -> Arc<App> {
    let catalog = Catalog::builtin().catalog;
    let found = catalog.apps.values().find(|app| app.id.as_str() == case.app);
    Arc::clone(found.unwrap_or_else(|| panic!("no application {}", case.app)))
}

/// The present of a tape.
pub(crate) fn now(tape: &Tape) -> Timestamp {
    Timestamp::parse(&tape.now).expect("`now` of a tape is an instant")
}

/// Reads everything of one scan from `address`.
pub(crate) async fn read(app: &Arc<App>, tape: &Tape, address: &str, kind: ScanKind) -> Snapshot {
    let config = OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() };
    let outbound = Outbound::new(config).expect("a client without certificates of its own");
    let target = Target {
        app: Arc::clone(app),
        deployment: tape.deployment.clone(),
        settings: tape.settings.clone(),
        origins: Origins::resolve(app, &tape.deployment, None, Some(address)).expect("a loopback address"),
    };
    let values = tape.credential.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    let credential = Credential::new(&*tape.auth, values.collect());
    let clock = Unhurried::at(now(tape));
    let request = RunRequest::new(kind, now(tape) + Duration::hours(3));
    match collect::run(&outbound, &target, &credential, &clock, request, &Quiet).await {
        Collected::Done(done) => done.snapshot,
        other => panic!("the {} scan did not end: {other:?}", kind.as_str()),
    }
}
