//! Simulated tenants behind a door of their own: a name that resolves or not, a certificate that is good or has expired.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catalog::App;
use collect::{Origins, Outbound, OutboundConfig};
use model::id::AppId;
use model::scan::ScanKind;
use model::time::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sim::company::Company;
use sim::github::{AppKey, GitHub, Plan, Token};
use sim::google::{Google, READ_SCOPES, ServiceAccount};
use sim::keys::Pair;
use sim::microsoft365::{CLIENT, Microsoft365, READ_ROLES, Registration};
use sim::scim::{self, Scim};
use sim::{Fault, FaultRule, Now, Server, Vendor};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The name in the certificates of collect's tests.
const NAME: &str = "saas.example";
const AUTHORITY: &[u8] = include_bytes!("../../../../collect/tests/tls/ca.pem");
const GOOD: (&[u8], &[u8]) = (
    include_bytes!("../../../../collect/tests/tls/good.pem"),
    include_bytes!("../../../../collect/tests/tls/good.key"),
);
const EXPIRED: (&[u8], &[u8]) = (
    include_bytes!("../../../../collect/tests/tls/expired.pem"),
    include_bytes!("../../../../collect/tests/tls/expired.key"),
);

/// A way to break a tenant, by product.md's list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Break {
    /// The token no longer is one.
    Revoked,
    /// The client secret came to its end.
    Expired,
    /// The app no longer has the permission to read members.
    Withdrawn,
    /// The account that the credential is of was deleted.
    Deleted,
    /// The name of the vendor leads nowhere.
    Nameless,
    /// The vendor's certificate came to its end.
    Certificate,
    /// Whatever is asked, come back in an hour.
    Throttled,
    /// Whatever is asked, a server error.
    Errors,
    /// Whatever is asked, a page to sign in on.
    Html,
    /// The list of people has nobody on it.
    Emptied,
}

/// The tenant of a row, with the credential that reads it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// An organisation read with an owner's token.
    GitHubToken,
    /// An organisation read by an app.
    GitHubApp,
    /// A tenant read with a client secret.
    Microsoft365,
    /// A workspace read by a service account.
    Google,
    /// A directory read by an OAuth client.
    Scim,
}

enum Running {
    GitHub(Server<GitHub>),
    Microsoft365(Server<Microsoft365>),
    Google(Server<Google>),
    Scim(Server<Scim>),
}

/// A running tenant, and how to reach and to read it.
pub(super) struct Tenant {
    running: Running,
    door: Door,
    /// Id of the application, its deployment, settings, and the scans that it has.
    pub(super) app: AppId,
    pub(super) deployment: &'static str,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) auth: &'static str,
    /// The credential at onboarding, and another that is made when the tenant is mended.
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) fresh: BTreeMap<String, String>,
    /// What was taken away, to be put back.
    taken: Vec<serde_json::Value>,
    account: Option<(String, ServiceAccount)>,
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

impl Tenant {
    pub(super) async fn start(which: Which, now: Now) -> Self {
        match which {
            Which::GitHubToken | Which::GitHubApp => Self::github(which, now).await,
            Which::Microsoft365 => Self::microsoft365(now).await,
            Which::Google => Self::google(now).await,
            Which::Scim => Self::scim(now).await,
        }
    }

    async fn of<V: Vendor>(
        server: Server<V>,
        wrap: fn(Server<V>) -> Running,
        app: &str,
        auth: &'static str,
    ) -> Self {
        let to =
            server.origin().trim_start_matches("http://").parse().expect("the simulator tells its address");
        let door = Door::open(to).await;
        let deployment = match app {
            "microsoft365" => "global",
            "scim" => "server",
            _ => "cloud",
        };
        Self {
            running: wrap(server),
            door,
            app: app.into(),
            deployment,
            settings: BTreeMap::new(),
            auth,
            secrets: BTreeMap::new(),
            fresh: BTreeMap::new(),
            taken: Vec::new(),
            account: None,
        }
    }

    async fn github(which: Which, now: Now) -> Self {
        let mut vendor = GitHub::generate(&Plan {
            organization: "acme".to_owned(),
            seed: 7,
            now: now(),
            repositories: 4,
            members: 12,
            care: 100,
            enterprise: false,
        });
        let permissions =
            ["members", "administration", "contents", "organization_administration", "organization_plan"];
        let permissions = permissions.map(|name| (name, "read"));
        let (key, pem) = AppKey::generate("1001", "parapet", &permissions).expect("a key");
        vendor.app = Some(key);
        for token in ["ghp_first", "ghp_second"] {
            let scopes =
                ["admin:org", "repo", "admin:org_hook", "read:audit_log"].map(str::to_owned).to_vec();
            let made =
                Token { login: "parapet".to_owned(), scopes, valid: token == "ghp_first", expires_at: None };
            vendor.tokens.insert(token.to_owned(), made);
        }
        let server = Server::start(vendor, now).await.expect("a port");
        let by_app = matches!(which, Which::GitHubApp);
        let auth = if by_app { "app" } else { "token" };
        let mut tenant = Self::of(server, Running::GitHub, "github", auth).await;
        tenant.settings = fields(&[("organization", "acme")]);
        let token = |token| fields(&[("token", token)]);
        tenant.secrets =
            if by_app { fields(&[("app_id", "1001"), ("private_key", &pem)]) } else { token("ghp_first") };
        tenant.fresh = token("ghp_second");
        tenant
    }

    async fn microsoft365(now: Now) -> Self {
        let mut vendor = Microsoft365::of_company(&Company::new(3, 40, now()));
        let made = Registration {
            secret: Some("the-first-secret".to_owned()),
            roles: READ_ROLES.map(str::to_owned).into(),
            valid: true,
            ..Registration::default()
        };
        vendor.registrations.insert(CLIENT.to_owned(), made);
        let server = Server::start(vendor, now).await.expect("a port");
        let mut tenant = Self::of(server, Running::Microsoft365, "microsoft365", "secret").await;
        tenant.settings = fields(&[("tenant", sim::company::DOMAIN)]);
        let secret = |secret| fields(&[("client_id", CLIENT), ("client_secret", secret)]);
        (tenant.secrets, tenant.fresh) = (secret("the-first-secret"), secret("the-second-secret"));
        tenant
    }

    async fn google(now: Now) -> Self {
        let mut vendor = Google::of_company(&Company::new(3, 40, now()));
        let pair = Pair::generate().expect("a key");
        let email = "parapet@acme-scans.iam.example";
        let scopes = READ_SCOPES.map(str::to_owned).into();
        let account = ServiceAccount { public_key: pair.public(), scopes, valid: true, key_ends: None };
        vendor.accounts.insert(email.to_owned(), account);
        let subject = vendor.administrator().to_owned();
        let file = serde_json::json!({ "type": "service_account", "project_id": "acme-scans", "private_key_id": "1",
            "private_key": pair.private_pem().expect("a key"), "client_email": email, "client_id": "11",
            "token_uri": "https://oauth2.googleapis.com/token" });
        let server = Server::start(vendor, now).await.expect("a port");
        let mut tenant = Self::of(server, Running::Google, "google_workspace", "service_account").await;
        tenant.secrets = fields(&[("key_file", &file.to_string()), ("subject", &subject)]);
        tenant.fresh = tenant.secrets.clone();
        tenant
    }

    async fn scim(now: Now) -> Self {
        let plan =
            scim::Plan { domain: "example.com".to_owned(), seed: 5, now: now(), users: 14, inactive: 0 };
        let mut vendor = Scim::generate(&plan);
        vendor.clients.insert("parapet".to_owned(), "the-first-secret".to_owned());
        let server = Server::start(vendor, now).await.expect("a port");
        let mut tenant = Self::of(server, Running::Scim, "scim", "client").await;
        let address = tenant.address();
        tenant.settings =
            fields(&[("scim_path", "/scim/v2"), ("token_path", "/oauth/token"), ("address", &address)]);
        tenant.secrets = fields(&[("client_id", "parapet"), ("client_secret", "the-first-secret")]);
        tenant.fresh = tenant.secrets.clone();
        tenant
    }

    /// Where everything of it is.
    pub(super) fn address(&self) -> String {
        format!("https://{NAME}:{}", self.door.port)
    }

    /// Where the application's hosts are, all behind the one door.
    pub(super) fn origins(&self, app: &App) -> BTreeMap<String, String> {
        let address = self.address();
        Origins::resolve(app, self.deployment, None, Some(&address)).expect("an address").to_map()
    }

    /// The one outbound client, as a server would have it that trusts an authority of its own.
    pub(super) fn outbound(&self) -> Outbound {
        let known = Arc::clone(&self.door.known);
        let resolve = move |name: &str| {
            let here = name == NAME && known.load(Ordering::SeqCst);
            if here { vec![IpAddr::from([127, 0, 0, 1])] } else { Vec::new() }
        };
        Outbound::new(OutboundConfig {
            allowed_private_hosts: vec![NAME.to_owned()],
            extra_ca_pem: AUTHORITY.to_vec(),
            resolve: Some(Arc::new(resolve)),
            ..OutboundConfig::default()
        })
        .expect("an authority")
    }

    /// Two kinds tell everything apart that this is about, and a third would only take longer.
    pub(super) const SCANS: [ScanKind; 2] = [ScanKind::Config, ScanKind::Accounts];

    pub(super) fn breaks(&mut self, how: Break, now: Timestamp) {
        match (how, &self.running) {
            (Break::Revoked, Running::GitHub(server)) => server.tenant().vendor.revoke("token"),
            (Break::Withdrawn, Running::GitHub(server)) => {
                server.tenant().vendor.app.as_mut().expect("there is one").permissions.remove("members");
            }
            (Break::Expired, Running::Microsoft365(server)) => {
                let mut tenant = server.tenant();
                tenant.vendor.registrations.get_mut(CLIENT).expect("registered").secret_ends = Some(now);
            }
            (Break::Deleted, Running::Google(server)) => {
                self.account = server.tenant().vendor.accounts.pop_first()
            }
            (Break::Emptied, Running::Scim(server)) => {
                self.taken = std::mem::take(&mut server.tenant().vendor.users)
            }
            (Break::Nameless, _) => self.door.name_is_known(false),
            (Break::Certificate, _) => self.door.certificate_is_good(false),
            (Break::Throttled, _) => self.fault(Some(Fault::RateLimited { retry_after: 3600 })),
            (Break::Errors, _) => self.fault(Some(Fault::Status(500))),
            (Break::Html, _) => self.fault(Some(Fault::Html)),
            (how, _) => panic!("{how:?} is another tenant's"),
        }
    }

    /// Undoes it; where the credential is to blame, with a fresh one.
    pub(super) fn mend(&mut self) {
        self.door.name_is_known(true);
        self.door.certificate_is_good(true);
        self.fault(None);
        match &self.running {
            Running::GitHub(server) => {
                let mut tenant = server.tenant();
                let app = tenant.vendor.app.as_mut().expect("there is one");
                app.permissions.insert("members".to_owned(), "read".to_owned());
                tenant.vendor.tokens.get_mut("ghp_second").expect("there is one").valid = true;
            }
            Running::Microsoft365(server) => {
                let mut tenant = server.tenant();
                let registration = tenant.vendor.registrations.get_mut(CLIENT).expect("registered");
                (registration.secret, registration.secret_ends) =
                    (Some("the-second-secret".to_owned()), None);
            }
            Running::Google(server) => server.tenant().vendor.accounts.extend(self.account.take()),
            Running::Scim(server) => server.tenant().vendor.users.append(&mut self.taken),
        }
    }

    fn fault(&self, fault: Option<Fault>) {
        let rules = fault.map(|fault| FaultRule { path_contains: String::new(), fault, times: None });
        let rules = rules.into_iter().collect();
        match &self.running {
            Running::GitHub(server) => server.tenant().faults = rules,
            Running::Microsoft365(server) => server.tenant().faults = rules,
            Running::Google(server) => server.tenant().faults = rules,
            Running::Scim(server) => server.tenant().faults = rules,
        }
    }
}

/// TLS in front of a simulator, which speaks plain HTTP on this machine only.
struct Door {
    port: u16,
    known: Arc<AtomicBool>,
    good: Arc<AtomicBool>,
    /// Connections end when it changes: a kept one would go on by what was before.
    changed: watch::Sender<()>,
}

fn acceptor((certificate, key): (&[u8], &[u8])) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate).expect("a certificate")];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key).expect("a key"))
        .expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

impl Door {
    async fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let door = Self {
            port: listener.local_addr().expect("an address").port(),
            known: Arc::new(AtomicBool::new(true)),
            good: Arc::new(AtomicBool::new(true)),
            changed: watch::Sender::new(()),
        };
        let (good, changed) = (Arc::clone(&door.good), door.changed.subscribe());
        let (right, wrong) = (acceptor(GOOD), acceptor(EXPIRED));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = if good.load(Ordering::SeqCst) { right.clone() } else { wrong.clone() };
                let mut changed = changed.clone();
                changed.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass_on(socket, acceptor, to) => {}
                        _ = changed.changed() => {}
                    }
                });
            }
        });
        door
    }

    fn name_is_known(&self, known: bool) {
        self.set(&self.known, known);
    }

    fn certificate_is_good(&self, good: bool) {
        self.set(&self.good, good);
    }

    fn set(&self, what: &AtomicBool, to: bool) {
        if what.swap(to, Ordering::SeqCst) != to {
            self.changed.send_replace(());
        }
    }
}

/// One connection. Whoever does not like the certificate hangs up; that is no fault of the test's.
async fn pass_on(socket: TcpStream, acceptor: TlsAcceptor, to: SocketAddr) {
    let Ok(mut outside) = acceptor.accept(socket).await else { return };
    #[expect(clippy::disallowed_methods, reason = "from the test's own door to its own simulator")]
    let Ok(mut inside) = TcpStream::connect(to).await else { return };
    drop(tokio::io::copy_bidirectional(&mut outside, &mut inside).await);
}
