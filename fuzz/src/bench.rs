//! A server without a socket, with somebody signed in, renewed from time to time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::response::Response;
use collect::{Clock, Outbound, OutboundConfig};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use model::credential::Identity;
use model::entropy::Entropy;
use model::health::Enablement;
use model::scan::ScanKind;
use model::schedule::default_interval;
use model::time::{Duration, Timestamp};
use model::view::Role;
use ops::{Config, Ops, command_line};
use secrecy::{ExposeSecret as _, SecretString};
use store::audit::Entry;
use store::instances::NewInstance;
use store::scans::ScanSetup;
use store::{Db, Options, SealingKey};
use tower::ServiceExt as _;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// Requests until everything is made anew: forms that are taken make the database larger.
const LIFE: u32 = 5_000;
/// Most bytes of a page.
const PAGE: usize = 8 << 20;

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

#[derive(Default)]
struct Counting(AtomicU64);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

/// The server.
pub(crate) struct Bench {
    runtime: tokio::runtime::Runtime,
    ops: Arc<Ops>,
    /// The session's cookie.
    pub(crate) token: String,
    /// The session's token in forms.
    pub(crate) csrf: String,
}

/// Runs with the thread's server.
pub(crate) fn with_bench(run: impl FnOnce(&Bench)) {
    thread_local! {
        static KEPT: RefCell<Option<(u32, Bench)>> = const { RefCell::new(None) };
    }
    KEPT.with_borrow_mut(|kept| {
        let (left, bench) = kept.take().filter(|(left, _)| *left > 0).unwrap_or_else(|| (LIFE, Bench::new()));
        run(&bench);
        *kept = Some((left - 1, bench));
    });
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (ops, token, csrf) = runtime.block_on(signed_in());
        Self { runtime, ops: Arc::new(ops), token, csrf }
    }

    /// The answer to a request, whole.
    pub(crate) fn ask(&self, request: Request<Body>, https: bool) -> (StatusCode, String) {
        let config = web::WebConfig { https, ..web::WebConfig::default() };
        let router = web::router(Arc::clone(&self.ops) as _, config);
        self.runtime.block_on(async {
            let response: Response = router.oneshot(request).await.expect("a router always answers");
            let status = response.status();
            let bytes = axum::body::to_bytes(response.into_body(), PAGE).await.expect("a whole page");
            (status, String::from_utf8_lossy(&bytes).into_owned())
        })
    }
}

async fn signed_in() -> (Ops, String, String) {
    let entropy = Arc::new(Counting::default());
    let key = SealingKey::from_bytes(vec![7; 32]).expect("32 bytes");
    let options = Options { database_clock: false, ..Options::default() };
    let db = Db::open("sqlite::memory:", &key, entropy.clone(), NOW, options).await.expect("a database");
    let loaded = catalog::Catalog::builtin();
    // Whatever a form asks for, no request leaves this process: nobody listens at the proxy.
    let proxy = Some("http://127.0.0.1:1".parse().expect("an address"));
    let ops = Ops::open(Config {
        db: db.clone(),
        catalog: Arc::new(loaded.catalog),
        load_errors: loaded.errors,
        outbound: Outbound::new(OutboundConfig { proxy, ..OutboundConfig::default() }).expect("a client"),
        clock: Arc::new(Still),
        entropy,
        simulated: true,
        telling: ops::Telling::default(),
    });
    let ops = ops.await.expect("use cases");
    onboard(&db).await;
    let password = SecretString::from("correct horse battery staple");
    ops.create_operator(&command_line(), "ada", &password, Role::Admin).await.expect("an operator");
    let signed = ops.sign_in("ada", &password, None).await.expect("signed in");
    let (token, csrf) = (signed.token.expose_secret().to_owned(), signed.session.csrf);
    (ops, token, csrf)
}

/// An application whose every text tries to be more than text.
async fn onboard(db: &Db) {
    let setup = |kind| ScanSetup {
        kind,
        enablement: Enablement::Enabled,
        interval: default_interval(kind),
        gaps: Vec::new(),
    };
    let hostile = "\"><img src=x onerror=alert(1)>";
    let new = NewInstance {
        id: "i-acme".into(),
        app: "github".into(),
        name: hostile.to_owned(),
        deployment: "cloud".to_owned(),
        settings: BTreeMap::from([("organization".to_owned(), "acme".to_owned())]),
        origins: BTreeMap::from([("api".to_owned(), "https://api.github.com".to_owned())]),
        auth: "token".to_owned(),
        identity: Identity {
            tenant_uid: "uid-acme".to_owned(),
            tenant_name: hostile.to_owned(),
            subject: hostile.to_owned(),
            granted: None,
            expires_at: None,
        },
        secrets: BTreeMap::from([("token".to_owned(), SecretString::from("secret"))]),
        owner: None,
        tags: Vec::new(),
        down_after: 3,
        scans: ScanKind::ALL.into_iter().map(setup).collect(),
    };
    let entry = Entry {
        operator: None,
        by: "test".to_owned(),
        action: "onboarded".to_owned(),
        instance: None,
        target: "acme".to_owned(),
        detail: serde_json::json!({}),
    };
    store::instances::create(db, new, NOW, entry).await.expect("saved");
}
