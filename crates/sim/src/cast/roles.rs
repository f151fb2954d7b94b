//! Who plays: each of the company's applications with its credentials, and what becomes of it.

use std::collections::BTreeMap;

use model::time::{Duration, Timestamp};

use super::stage::{Play, Stage, Steer};
use super::{CastError, Credential, Role};
use crate::company::{App, Company};
use crate::github::{AppKey, GitHub, Token};
use crate::google::{Google, READ_SCOPES, ServiceAccount};
use crate::keys::Pair;
use crate::microsoft365::{CLIENT, Microsoft365, READ_ROLES, Registration};
use crate::okta::{Okta, Rank, ServiceApp};
use crate::scim::Scim;
use crate::server::{Now, Server, Vendor};

/// Everything that the GitHub manifest can make use of, read-only.
const APP_PERMISSIONS: [(&str, &str); 18] = [
    ("metadata", "read"),
    ("members", "read"),
    ("administration", "read"),
    ("contents", "read"),
    ("actions", "read"),
    ("environments", "read"),
    ("organization_administration", "read"),
    ("organization_hooks", "read"),
    ("organization_secrets", "read"),
    ("organization_self_hosted_runners", "read"),
    ("organization_personal_access_tokens", "read"),
    ("organization_personal_access_token_requests", "read"),
    ("organization_plan", "read"),
    ("repository_hooks", "read"),
    ("secret_scanning_alerts", "read"),
    ("security_events", "read"),
    ("vulnerability_alerts", "read"),
    ("dependabot_secrets", "read"),
];

/// Everything but what the Risky Account Scan needs.
fn without_members() -> Vec<(&'static str, &'static str)> {
    APP_PERMISSIONS.into_iter().filter(|(name, _)| *name != "members").collect()
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn credential(auth: &str, pairs: &[(&str, &str)]) -> Credential {
    Credential { auth: auth.to_owned(), values: fields(pairs) }
}

/// The cast as it is made.
pub(super) struct Made {
    now: Now,
    roles: Vec<Role>,
    stages: BTreeMap<String, Box<dyn Stage>>,
}

impl Made {
    pub(super) fn new(now: Now) -> Self {
        Self { now, roles: Vec::new(), stages: BTreeMap::new() }
    }

    pub(super) fn done(mut self) -> (Vec<Role>, BTreeMap<String, Box<dyn Stage>>) {
        exchange_foreign(&mut self.roles);
        (self.roles, self.stages)
    }

    /// Everybody, the identity provider first.
    pub(super) async fn all(&mut self, company: &Company) -> Result<(), CastError> {
        self.okta(company).await?;
        // Readable in part once the demo withdraws a permission: Unhealthy.
        self.microsoft365(company).await?;
        self.google(company).await?;
        // Well run and fully readable: Up, with a credential that is about to expire.
        self.github(company, "Acme engineering", App::GitHub, 60, &APP_PERMISSIONS).await?;
        // The app lacks a permission from the start: one scan is not enabled.
        self.github(company, "Acme open source", App::GitHubOpenSource, 25, &without_members()).await?;
        // Its client is deleted after the first scans: Down for credentials.
        self.directory(company).await
    }

    async fn play<V: Vendor + Steer>(&mut self, vendor: V, mut role: Role) -> Result<(), CastError> {
        let server = Server::start(vendor, self.now.clone()).await?;
        role.address = server.origin();
        if role.app == "scim" {
            role.settings.insert("address".to_owned(), server.origin());
        }
        let first = role.credential.auth.clone();
        self.stages.insert(role.tenant.clone(), Box::new(Play { server, first }));
        self.roles.push(role);
        Ok(())
    }

    async fn okta(&mut self, company: &Company) -> Result<(), CastError> {
        let mut vendor = Okta::of_company(company);
        let (app, key) =
            ServiceApp::generate("0oaparapet", &crate::okta::SCOPES_TO_READ).map_err(|_| CastError::Key)?;
        vendor.app = Some(app);
        let token = "00simulated-okta-token";
        vendor.tokens.insert(token.to_owned(), Rank::SuperAdministrator);
        let key = format!("kid: simulated\n{key}");
        let replacement = credential("token", &[("token", token)]);
        self.play(
            vendor,
            Role {
                name: "Acme Okta".to_owned(),
                app: "okta".to_owned(),
                deployment: "cloud".to_owned(),
                tenant: "okta".to_owned(),
                settings: fields(&[("subdomain", "acme")]),
                address: String::new(),
                identity_provider: true,
                credential: credential("service_app", &[("client_id", "0oaparapet"), ("private_key", &key)]),
                foreign: credential("token", &[("token", "00simulated-token-of-others")]),
                replacement,
                fate: None,
            },
        )
        .await
    }

    async fn microsoft365(&mut self, company: &Company) -> Result<(), CastError> {
        let mut vendor = Microsoft365::of_company(company);
        let (pair, ends) = (Pair::generate().map_err(|_| CastError::Key)?, company.now + Duration::days(200));
        let key = pair.private_pem().map_err(|_| CastError::Key)?;
        let certificate = pair.certificate("parapet", company.ago(60), ends).map_err(|_| CastError::Key)?;
        let secret = "simulated-entra-secret";
        let registration = Registration {
            secret: Some(secret.to_owned()),
            secret_ends: None,
            public_key: Some(pair.public()),
            certificate_ends: Some(ends),
            roles: READ_ROLES.map(str::to_owned).into(),
            valid: true,
        };
        vendor.registrations.insert(CLIENT.to_owned(), registration);
        let by_secret = |secret| credential("secret", &[("client_id", CLIENT), ("client_secret", secret)]);
        let by_certificate =
            [("client_id", CLIENT), ("certificate", certificate.as_str()), ("private_key", key.as_str())];
        self.play(
            vendor,
            Role {
                name: "Acme Microsoft 365".to_owned(),
                app: "microsoft365".to_owned(),
                deployment: "global".to_owned(),
                tenant: "microsoft365".to_owned(),
                settings: fields(&[("tenant", crate::company::DOMAIN)]),
                address: String::new(),
                identity_provider: false,
                credential: credential("certificate", &by_certificate),
                replacement: by_secret(secret),
                foreign: by_secret("simulated-secret-of-others"),
                fate: Some(("withdraw?permission=User.Read.All", 1)),
            },
        )
        .await
    }

    async fn google(&mut self, company: &Company) -> Result<(), CastError> {
        let mut vendor = Google::of_company(company);
        let mut file = |n: u8| -> Result<String, CastError> {
            let pair = Pair::generate().map_err(|_| CastError::Key)?;
            let email = format!("parapet-{n}@acme-scans.iam.example");
            let account = ServiceAccount {
                public_key: pair.public(),
                scopes: READ_SCOPES.map(str::to_owned).into(),
                valid: true,
                key_ends: None,
            };
            vendor.accounts.insert(email.clone(), account);
            let key = pair.private_pem().map_err(|_| CastError::Key)?;
            let file = serde_json::json!({ "type": "service_account", "project_id": "acme-scans", "private_key_id": format!("simulated{n}"),
                "private_key": key, "client_email": email, "client_id": "110000000000000000001",
                "token_uri": "https://oauth2.googleapis.com/token" });
            Ok(file.to_string())
        };
        let (first, second) = (file(1)?, file(2)?);
        let foreign = file(3)?;
        vendor.accounts.remove("parapet-3@acme-scans.iam.example");
        let subject = vendor.administrator().to_owned();
        let signed = |key| credential("service_account", &[("key_file", key), ("subject", &subject)]);
        let role = Role {
            name: "Acme Google Workspace".to_owned(),
            app: "google_workspace".to_owned(),
            deployment: "cloud".to_owned(),
            tenant: "google".to_owned(),
            settings: BTreeMap::new(),
            address: String::new(),
            identity_provider: false,
            credential: signed(&first),
            replacement: signed(&second),
            foreign: signed(&foreign),
            fate: None,
        };
        self.play(vendor, role).await
    }

    async fn github(
        &mut self,
        company: &Company,
        name: &str,
        app: App,
        repositories: usize,
        permissions: &[(&str, &str)],
    ) -> Result<(), CastError> {
        let mut vendor = GitHub::of_company(company, app, repositories);
        let organization = vendor.organization.clone();
        let (key, pem) = AppKey::generate("1001", "parapet", permissions).map_err(|_| CastError::Key)?;
        vendor.app = Some(key);
        let token = format!("ghp_simulated_{organization}");
        let about_to_expire = app == App::GitHub;
        vendor.tokens.insert(
            token.clone(),
            Token {
                login: "parapet-reader".to_owned(),
                scopes: ["admin:org", "repo", "admin:org_hook", "read:audit_log"].map(str::to_owned).to_vec(),
                valid: true,
                expires_at: about_to_expire.then_some(company.now + Duration::days(9)),
            },
        );
        let by_app = credential("app", &[("app_id", "1001"), ("private_key", &pem)]);
        let by_token = credential("token", &[("token", &token)]);
        let (first, replacement) =
            if about_to_expire { (by_token.clone(), by_app) } else { (by_app, by_token.clone()) };
        self.play(
            vendor,
            Role {
                name: name.to_owned(),
                app: "github".to_owned(),
                deployment: "cloud".to_owned(),
                tenant: organization.clone(),
                settings: fields(&[("organization", &organization)]),
                address: String::new(),
                identity_provider: false,
                credential: first,
                replacement,
                foreign: by_token,
                fate: None,
            },
        )
        .await
    }

    async fn directory(&mut self, company: &Company) -> Result<(), CastError> {
        let mut vendor = Scim::of_company(company);
        let client = |n: u8| {
            let (id, secret) = (format!("parapet-{n}"), format!("simulated-secret-acme-directory-{n}"));
            credential("client", &[("client_id", &id), ("client_secret", &secret)])
        };
        for n in [1, 2] {
            let values = client(n).values;
            vendor.clients.insert(values["client_id"].clone(), values["client_secret"].clone());
        }
        self.play(
            vendor,
            Role {
                name: "Acme directory".to_owned(),
                app: "scim".to_owned(),
                deployment: "server".to_owned(),
                tenant: "acme-directory".to_owned(),
                settings: fields(&[("scim_path", "/scim/v2"), ("token_path", "/oauth/token")]),
                address: String::new(),
                identity_provider: false,
                credential: client(1),
                replacement: client(2),
                foreign: client(3),
                // Often enough to be Down.
                fate: Some(("revoke", 3)),
            },
        )
        .await
    }
}

/// Each role's foreign credential is the next one's of the same product, where there is another.
fn exchange_foreign(roles: &mut [Role]) {
    let by_app: Vec<(String, Credential)> =
        roles.iter().map(|r| (r.app.clone(), r.foreign.clone())).collect();
    for (at, role) in roles.iter_mut().enumerate() {
        let others = by_app.iter().cycle().skip(at + 1).take(by_app.len() - 1);
        if let Some((_, foreign)) = others.into_iter().find(|(app, _)| *app == role.app) {
            role.foreign = foreign.clone();
        }
    }
}

impl Steer for GitHub {
    fn withdraw(&mut self, permission: &str) {
        self.withdrawn.insert(permission.to_owned());
    }
    fn revoke(&mut self, first: &str) {
        Self::revoke(self, first);
    }
    fn expire(&mut self, first: &str, at: Timestamp) -> bool {
        // The key of an app does not expire.
        first != "app" && {
            self.tokens.values_mut().for_each(|token| token.expires_at = Some(at));
            true
        }
    }
    fn restore(&mut self) {
        Self::restore(self);
    }
}

impl Steer for Okta {
    fn withdraw(&mut self, permission: &str) {
        self.withdrawn.insert(permission.to_owned());
    }
    fn revoke(&mut self, first: &str) {
        match &mut self.app {
            Some(app) if first == "service_app" => app.valid = false,
            _ => self.tokens.values_mut().for_each(|rank| *rank = Rank::Revoked),
        }
    }
    fn expire(&mut self, _: &str, _: Timestamp) -> bool {
        // Okta's keys have no end; its tokens end when nobody uses them.
        false
    }
    fn restore(&mut self) {
        self.withdrawn.clear();
        if let Some(app) = &mut self.app {
            app.valid = true;
        }
        self.tokens.values_mut().for_each(|rank| *rank = Rank::SuperAdministrator);
    }
}

impl Steer for Google {
    fn withdraw(&mut self, permission: &str) {
        self.withdrawn.insert(permission.to_owned());
    }
    fn revoke(&mut self, first: &str) {
        self.expire(first, Timestamp(0));
    }
    fn expire(&mut self, _: &str, at: Timestamp) -> bool {
        // The first service account's key; the replacement is another's.
        let first = self.accounts.values_mut().next();
        first.map(|account| account.key_ends = Some(at)).is_some()
    }
    fn restore(&mut self) {
        self.withdrawn.clear();
        self.accounts.values_mut().for_each(|account| account.key_ends = None);
    }
}

impl Steer for Microsoft365 {
    fn withdraw(&mut self, permission: &str) {
        self.withdrawn.insert(permission.to_owned());
    }
    fn revoke(&mut self, first: &str) {
        self.expire(first, Timestamp(0));
    }
    fn expire(&mut self, first: &str, at: Timestamp) -> bool {
        for app in self.registrations.values_mut() {
            let ends = if first == "certificate" { &mut app.certificate_ends } else { &mut app.secret_ends };
            *ends = Some(at);
        }
        true
    }
    fn restore(&mut self) {
        self.withdrawn.clear();
        for app in self.registrations.values_mut() {
            (app.certificate_ends, app.secret_ends) = (None, None);
        }
    }
}

impl Steer for Scim {
    fn withdraw(&mut self, permission: &str) {
        if permission.is_empty() || permission == "groups" {
            self.may_read_groups = false;
        }
    }
    fn revoke(&mut self, _: &str) {
        self.ends.insert("parapet-1".to_owned(), Timestamp(0));
    }
    fn expire(&mut self, _: &str, at: Timestamp) -> bool {
        self.ends.insert("parapet-1".to_owned(), at);
        true
    }
    fn restore(&mut self) {
        self.may_read_groups = true;
        self.ends.clear();
    }
}
