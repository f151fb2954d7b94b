//! Signing in at a vendor, from the form to scans that go on: nothing saved early, nothing used twice, nothing lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use collect::{Clock, Collected, Outbound, OutboundConfig, Quiet, RunRequest};
use model::id::InstanceId;
use model::scan::{FailureCause, ScanKind};
use model::time::Duration;
use model::view::{
    Actor, CredentialInput, CredentialStep, PreflightPage, Refusal, RefusalKind, Role, Session,
    VendorSignInPage,
};
use ops::{Config, Ops, Secrets};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sim::{Answer, Ask, Server, Vendor};
use store::{Db, Options, SealingKey, instances};

#[path = "support/still.rs"]
mod still;

use still::{Counting, NOW, Still};

const APP: &str = r#"
name = "Forge"
vendor = "Acme"
category = "tests"
summary = "A server of this machine."
revision = 1
docs = "https://docs.example.com/"

[[deployment]]
id = "server"
title = "A server of your own"
console = "https://console.example.com"
address = { name = "address", title = "Address" }
hosts.main = {}

[[auth]]
id = "person"
title = "Sign-in of an administrator"
kind = "authorization_code"
authorize = { path = "/authorize" }
token = { path = "/token" }
scope = "offline_access"
scope_by_permission = true
subject = { path = "/me", at = "login" }
granted = { read = { at = "scope" } }

[identity]
path = "/me"
tenant_uid = "tenant"
tenant_name = "tenant"

[[dataset]]
name = "rules"
title = "The rules"
scans = ["config"]
required = ["config"]
permission = { person = ["rules.read"] }
docs = "https://docs.example.com/rules"
key = "id"
request = [{ path = "/rules" }]
field = [{ name = "id", type = "string" }]
"#;

const CHECK: &str = r#"+++
title = "Every rule of the forge is called one"
revision = 1
severity = "low"
over = "rules"
pass = "id == 'one'"
controls = []
says = "{id} is called otherwise"
+++
A rule by another name is one that nobody has looked at, so that whatever it allows stays unseen.

## Remedy
1. Rename it.

## Examples
```json pass
{"id": "one"}
```
```json fail
{"id": "two"}
```
```json inconclusive
{}
```
"#;

/// A vendor with one client, whose refresh tokens are good for once, and who ends a sign-in when one comes twice.
struct Forge {
    tenant: &'static str,
    scope: &'static str,
    /// What the browser was given, with the challenge it came with. Taken once.
    codes: BTreeMap<String, String>,
    generation: u64,
    /// No sign-in lasts at present.
    revoked: bool,
    asked_for_tokens: u32,
}

impl Forge {
    /// Somebody signs in at the page that the browser was sent to.
    fn sign_in(&mut self, page: &VendorSignInPage) -> (String, String) {
        let url = url::Url::parse(&page.address).expect("an address");
        let sent: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(sent["code_challenge_method"], "S256");
        assert_eq!(sent["client_id"], "client-1");
        assert_eq!(sent["redirect_uri"], "https://parapet.example/connect/forge");
        assert_eq!(sent["scope"], "offline_access rules.read");
        let code = format!("code-{}-{}", self.tenant, self.codes.len());
        self.codes.insert(code.clone(), sent["code_challenge"].clone());
        (sent["state"].clone(), code)
    }

    fn token(&mut self, form: &BTreeMap<String, String>) -> Answer {
        self.asked_for_tokens += 1;
        let refused = || Answer::error(400, json!({ "error": "invalid_grant" }));
        match form["grant_type"].as_str() {
            "authorization_code" => {
                let digest = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
                if self.codes.get(&form["code"]) != Some(&URL_SAFE_NO_PAD.encode(digest.as_ref())) {
                    return refused();
                }
                self.codes.insert(form["code"].clone(), "used".to_owned());
                self.revoked = false;
            }
            "refresh_token" if !self.revoked && form["refresh_token"] == self.refresh_token() => {}
            _ => {
                self.revoked = true;
                return refused();
            }
        }
        self.generation += 1;
        Answer::ok(json!({ "access_token": self.access_token(), "refresh_token": self.refresh_token(),
            "token_type": "Bearer", "expires_in": 600, "scope": self.scope }))
    }

    fn access_token(&self) -> String {
        format!("access-of-{}-{:08}", self.tenant, self.generation)
    }
    fn refresh_token(&self) -> String {
        format!("refresh-of-{}-{:08}", self.tenant, self.generation)
    }
}

impl Vendor for Forge {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.path == "/token" {
            let form = url::form_urlencoded::parse(&ask.body).into_owned().collect();
            return self.token(&form);
        }
        // A new token ends the one before, as some vendors do.
        if self.revoked || ask.bearer() != Some(self.access_token().as_str()) {
            return Answer::error(401, json!({ "message": "who is it?" }));
        }
        match ask.path.as_str() {
            "/me" => Answer::ok(json!({ "login": "ada", "tenant": self.tenant })),
            _ => Answer::ok(json!([{ "id": "one" }])),
        }
    }
}

struct Bed {
    ops: Ops,
    db: Db,
    outbound: Outbound,
    forge: Server<Forge>,
    catalog: Arc<catalog::Catalog>,
}

async fn forge(tenant: &'static str) -> Server<Forge> {
    let vendor = Forge {
        tenant,
        scope: "rules.read offline_access",
        codes: BTreeMap::new(),
        generation: 0,
        revoked: true,
        asked_for_tokens: 0,
    };
    Server::start(vendor, Arc::new(|| NOW)).await.expect("a loopback port")
}

async fn bed() -> Bed {
    bed_of(APP, &[]).await
}

/// With this manifest, and these paths to which its application may POST.
async fn bed_of(manifest: &str, posts: &[&str]) -> Bed {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("apps/forge");
    std::fs::create_dir_all(app.join("checks")).expect("a folder");
    std::fs::write(app.join("checks/called-one.md"), CHECK).expect("a file");
    std::fs::write(app.join("app.toml"), manifest).expect("a file");
    std::fs::write(app.join("onboarding.md"), "Register a client.\n").expect("a file");
    let posts = posts.iter().map(|path| ("forge".to_owned(), (*path).to_owned())).collect();
    let loaded = catalog::Catalog::load_allowing(&[folder.path().to_owned()], &posts);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let catalog = Arc::new(loaded.catalog);
    let entropy = Arc::new(Counting::default());
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let options = Options { database_clock: false, ..Options::default() };
    let db = Db::open("sqlite::memory:", &key, entropy.clone(), NOW, options).await.expect("a database");
    let outbound = Outbound::new(OutboundConfig { allow_loopback_http: true, ..OutboundConfig::default() })
        .expect("an outbound client");
    let ops = Ops::open(Config {
        db: db.clone(),
        catalog: catalog.clone(),
        load_errors: Vec::new(),
        outbound: outbound.clone(),
        clock: Arc::new(Still),
        entropy,
        simulated: true,
        telling: ops::Telling::default(),
    })
    .await
    .expect("use cases");
    ops.reached_at("https://parapet.example/");
    Bed { ops, db, outbound, forge: forge("acme").await, catalog }
}

fn session(name: &str) -> Session {
    let actor = Actor { operator: "o-1".into(), name: "ada".to_owned(), role: Role::Admin };
    Session { actor, csrf: format!("session-{name}"), expires_at: NOW + Duration::hours(1) }
}

fn client() -> Secrets {
    let pairs = [("client_id", "client-1"), ("client_secret", "a-secret-of-the-client")];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), SecretString::from(v.to_owned()))).collect()
}

impl Bed {
    fn input(&self, forge: &Server<Forge>) -> CredentialInput {
        let settings = BTreeMap::from([("address".to_owned(), forge.origin())]);
        CredentialInput { settings, ..CredentialInput::default() }
    }

    async fn leave(&self) -> VendorSignInPage {
        let step =
            self.ops.onboard_step(&session("a"), &"forge".into(), self.input(&self.forge), client()).await;
        match step.expect("it can begin") {
            CredentialStep::SignIn(page) => *page,
            CredentialStep::Verified(_) => panic!("nobody has signed in"),
        }
    }

    async fn back(&self, who: &str, (state, code): &(String, String)) -> Result<PreflightPage, Refusal> {
        self.ops.vendor_continue(&session(who), &"forge".into(), state, code).await
    }

    async fn onboarded(&self) -> InstanceId {
        let page = self.leave().await;
        let brought = self.forge.tenant().vendor.sign_in(&page);
        let verified = self.back("a", &brought).await.expect("verified");
        self.ops.onboard_save(&session("a").actor, &verified.draft).await.expect("saved")
    }

    async fn contact(&self, id: &InstanceId) -> contact::Contact {
        let row = instances::get(&self.db, id).await.expect("a row");
        let app = self.catalog.app(&"forge".into()).expect("the application");
        let clock: Arc<dyn Clock> = Arc::new(Still);
        contact::contact(&self.db, app, &row.instance, &clock).await.expect("readable").expect("usable")
    }

    /// One scan as the engine makes it; the fault, if there was one.
    async fn scan(&self, id: &InstanceId) -> Option<model::diagnosis::Fault> {
        let contact = self.contact(id).await;
        let request = RunRequest::new(ScanKind::Config, NOW + Duration::hours(1));
        let read =
            collect::run(&self.outbound, &contact.target, &contact.credential, &Still, request, &Quiet).await;
        let Collected::Done(done) = read else { panic!("{read:?}") };
        done.snapshot.datasets["rules"].availability.fault().cloned()
    }

    /// Makes the stored token one that has ended, as time does.
    async fn an_hour_later(&self, id: &InstanceId) {
        let contact = self.contact(id).await;
        let mut turn = contact.credential.keeper.turn().await.expect("a turn");
        let mut renewal = turn.current().expect("signed in").clone();
        renewal.access.values_mut().for_each(|a| a.expires_at = Some(NOW));
        turn.keep(renewal).await.expect("kept");
        turn.end().await;
    }
}

#[tokio::test]
async fn a_sign_in_is_verified_before_it_is_saved_and_lasts() {
    let bed = bed().await;
    let page = bed.leave().await;
    assert_eq!(page.terms.redirect_uri, "https://parapet.example/connect/forge");
    assert!(page.address.starts_with(&format!("{}/authorize?", bed.forge.origin())));
    assert!(!page.address.contains("a-secret-of-the-client"));
    let brought = bed.forge.tenant().vendor.sign_in(&page);
    let back = bed.ops.vendor_returned(&session("a"), &"forge".into(), &brought.0).await.expect("waited for");
    assert_eq!(back.at, bed.forge.origin());
    assert_eq!(bed.forge.tenant().vendor.asked_for_tokens, 0, "coming back does nothing");
    let verified = bed.back("a", &brought).await.expect("verified");
    assert_eq!(verified.identity.subject, "ada");
    let granted = verified.identity.granted.clone().expect("the vendor tells");
    assert_eq!(granted, ["rules.read", "offline_access"]);
    assert!(verified.scans.iter().any(|s| s.kind == ScanKind::Config && s.ready));
    assert!(instances::all(&bed.db).await.expect("readable").is_empty(), "nothing is saved yet");
    let id = bed.ops.onboard_save(&session("a").actor, &verified.draft).await.expect("saved");
    // The token that came with the sign-in serves until it ends; each renewal brings another refresh token.
    for renewals in 0..4 {
        assert_eq!(bed.scan(&id).await, None);
        assert_eq!(bed.forge.tenant().vendor.asked_for_tokens, 1 + renewals);
        bed.an_hour_later(&id).await;
    }
    let stored = instances::credential(&bed.db, &id, &bed.contact(&id).await.target.origins.to_map()).await;
    let stored = stored.expect("it opens");
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["client_id", "client_secret", collect::RENEWAL]);
}

#[tokio::test]
async fn scans_of_one_instance_renew_once() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    bed.an_hour_later(&id).await;
    let before = bed.forge.tenant().vendor.asked_for_tokens;
    let scans = (0..6).map(|_| bed.scan(&id));
    assert!(futures_util::future::join_all(scans).await.iter().all(Option::is_none));
    assert_eq!(bed.forge.tenant().vendor.asked_for_tokens, before + 1);
}

#[tokio::test]
async fn a_sign_in_belongs_to_its_session_and_is_used_once() {
    let bed = bed().await;
    let page = bed.leave().await;
    let brought = bed.forge.tenant().vendor.sign_in(&page);
    let conflict = |r: Result<_, Refusal>| matches!(r, Err(Refusal { kind: RefusalKind::Conflict, .. }));
    assert!(conflict(bed.back("b", &brought).await.map(drop)), "another session");
    assert!(conflict(bed.ops.vendor_returned(&session("b"), &"forge".into(), &brought.0).await.map(drop)));
    assert!(conflict(bed.back("a", &("guessed".to_owned(), brought.1.clone())).await.map(drop)));
    let auditor = Session { actor: Actor { role: Role::Auditor, ..session("a").actor }, ..session("a") };
    let refused = bed.ops.vendor_continue(&auditor, &"forge".into(), &brought.0, &brought.1).await;
    assert_eq!(refused.expect_err("an auditor").kind, RefusalKind::Forbidden);
    assert_eq!(bed.forge.tenant().vendor.asked_for_tokens, 0);
    bed.back("a", &brought).await.expect("the session that began it");
    assert!(conflict(bed.back("a", &brought).await.map(drop)), "it is used up");
    // A code that was not asked for with this state's challenge buys nothing, and the state is used up as well.
    let (first, second) = (bed.leave().await, bed.leave().await);
    let (_, stolen) = bed.forge.tenant().vendor.sign_in(&first);
    let (state, _) = bed.forge.tenant().vendor.sign_in(&second);
    let refused = bed.back("a", &(state.clone(), stolen.clone())).await.expect_err("another's code");
    assert_eq!(refused.kind, RefusalKind::Vendor);
    assert!(!refused.message.contains(&stolen), "{}", refused.message);
    assert!(conflict(bed.ops.vendor_returned(&session("a"), &"forge".into(), &state).await.map(drop)));
}

#[tokio::test]
async fn a_sign_in_that_ended_is_made_anew_for_the_same_tenant_only() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    bed.forge.tenant().vendor.revoked = true;
    let fault = bed.scan(&id).await.expect("it was revoked");
    assert_eq!(fault.cause, FailureCause::Credentials);
    assert!(fault.detail.contains("sign-in at the vendor has ended"), "{}", fault.detail);
    let remedy = model::words::remedy(&fault, "Forge").says.plain(NOW);
    assert!(remedy.contains("Reauthenticate"), "{remedy}");
    // What is stored of the client serves again: only the sign-in is new.
    let form = bed.ops.reauthenticate_form(&session("a").actor, &id, &CredentialInput::default()).await;
    let form = form.expect("the form");
    assert!(form.credential.iter().all(|f| f.optional && f.value.is_empty()));
    assert_eq!(
        form.credential.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
        ["client_id", "client_secret"]
    );
    for (tenant, fits) in [("globex", false), ("acme", true)] {
        let step = bed
            .ops
            .reauthenticate_step(&session("a"), &id, CredentialInput::default(), Secrets::new())
            .await
            .expect("it can begin");
        let CredentialStep::SignIn(page) = step else { panic!("nobody has signed in") };
        bed.forge.tenant().vendor.tenant = tenant;
        let brought = bed.forge.tenant().vendor.sign_in(&page);
        let verified = bed.back("a", &brought).await;
        if fits {
            let draft = verified.expect("the same tenant").draft;
            bed.ops.reauthenticate_save(&session("a").actor, &id, &draft, &[]).await.expect("replaced");
        } else {
            let refused = verified.expect_err("another tenant");
            assert!(refused.message.contains("belongs to another tenant: globex"), "{}", refused.message);
        }
    }
    assert_eq!(bed.scan(&id).await, None);
}

#[tokio::test]
async fn a_refresh_token_from_elsewhere_is_taken_too() {
    let bed = bed().await;
    let page = bed.leave().await;
    let brought = bed.forge.tenant().vendor.sign_in(&page);
    bed.back("a", &brought).await.expect("verified");
    // Somebody else has signed in for us: the command line's way.
    let mut secrets = client();
    let token = bed.forge.tenant().vendor.refresh_token();
    secrets.insert("refresh_token".to_owned(), token.clone().into());
    let actor = session("a").actor;
    let input = bed.input(&bed.forge);
    let page =
        bed.ops.onboard_preflight(&actor, &"forge".into(), input.clone(), secrets).await.expect("verified");
    let id = bed.ops.onboard_save(&actor, &page.draft).await.expect("saved");
    let origins = bed.contact(&id).await.target.origins.to_map();
    let stored = instances::credential(&bed.db, &id, &origins).await.expect("it opens");
    assert!(!stored.contains_key("refresh_token"), "the one that was redeemed is not kept");
    assert!(stored.values().all(|v| !v.expose_secret().contains(&token)));
    assert_eq!(bed.scan(&id).await, None);
    let without = bed.ops.onboard_preflight(&actor, &"forge".into(), input, client()).await;
    assert_eq!(without.expect_err("nobody has signed in").field.as_deref(), Some("refresh_token"));
}

#[tokio::test]
async fn what_stops_a_scan_waits_for_a_renewal() {
    let bed = bed().await;
    let id = bed.onboarded().await;
    let contact = bed.contact(&id).await;
    contact.settled().await;
    let turn = contact.credential.keeper.turn().await.expect("a turn");
    let waiting = contact.settled();
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending(), "somebody is renewing");
    turn.end().await;
    waiting.await;
    // A turn that is dropped in the middle, as by a panic, holds nobody up here.
    drop(contact.credential.keeper.turn().await.expect("a turn"));
    contact.settled().await;
}

/// Whoever onboards an application of an own folder is told what it sends by POST, before and after it is verified.
#[tokio::test]
async fn what_an_own_application_sends_by_post_is_told() {
    let bed = bed_of(&format!("{APP}{SEARCH}"), &["/search"]).await;
    let actor = session("a").actor;
    let form =
        bed.ops.onboard_form(&actor, &"forge".into(), &CredentialInput::default()).await.expect("a form");
    assert_eq!(form.posts, ["{address}/search"]);
    let form = bed.ops.onboard_form(&actor, &"forge".into(), &bed.input(&bed.forge)).await.expect("a form");
    let address = format!("{}/search", bed.forge.origin());
    assert_eq!(form.posts, [address.as_str()]);
    let page = bed.leave().await;
    let brought = bed.forge.tenant().vendor.sign_in(&page);
    let verified = bed.back("a", &brought).await.expect("verified");
    assert_eq!(verified.posts, [address.as_str()]);
    let id = bed.ops.onboard_save(&actor, &verified.draft).await.expect("saved");
    let form = bed.ops.reauthenticate_form(&actor, &id, &CredentialInput::default()).await.expect("a form");
    assert_eq!(form.posts, [address.as_str()]);
    let built_in = bed.ops.onboard_form(&actor, &"microsoft365".into(), &CredentialInput::default()).await;
    assert_eq!(built_in.expect("a form").posts, Vec::<String>::new(), "nobody was asked");
}

const SEARCH: &str = r#"
[[dataset]]
name = "found"
title = "What a search finds"
scans = ["config"]
permission = { person = ["rules.read"] }
docs = "https://forge.example/docs"
key = "id"
request = [{ path = "/search", post = { query = "rules" } }]
field = [{ name = "id", type = "string" }]
"#;
