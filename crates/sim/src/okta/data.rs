//! What an organisation consists of: people and their roles, apps, hooks, settings.

use std::collections::BTreeMap;

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::{Document, Plan, policies};
use crate::seed::Seed;

/// Everything by path, being collected.
pub(super) struct Shelf<'p> {
    pub(super) plan: &'p Plan,
    pub(super) seed: Seed,
    documents: BTreeMap<String, Document>,
}

impl Shelf<'_> {
    pub(super) fn list(&mut self, path: &str, records: Vec<Value>) {
        self.documents.insert(path.to_owned(), Document::List(records));
    }
    pub(super) fn object(&mut self, path: &str, object: Value) {
        self.documents.insert(path.to_owned(), Document::Object(object));
    }
    pub(super) fn lacking(&mut self, path: &str, status: u16, code: &'static str, summary: &'static str) {
        self.documents.insert(path.to_owned(), Document::Lacking(status, code, summary));
    }
    /// Whether the next setting follows the recommendation.
    pub(super) fn careful(&mut self) -> bool {
        self.seed.chance(self.plan.care)
    }
    /// An instant so many days ago, as Okta writes it.
    pub(super) fn ago(&self, days: usize) -> String {
        instant(self.plan.now, days)
    }
}

fn instant(now: Timestamp, days: usize) -> String {
    (now - Duration::days(i64::try_from(days).unwrap_or(0))).to_string()
}

/// All documents, and the login of the person who owns the token in use.
pub(super) fn documents(plan: &Plan) -> (BTreeMap<String, Document>, String) {
    let mut shelf = Shelf { plan, seed: Seed::new(plan.seed), documents: BTreeMap::new() };
    let owner = people(&mut shelf);
    organization(&mut shelf);
    policies::write(&mut shelf);
    apps(&mut shelf);
    security(&mut shelf);
    credentials(&mut shelf);
    (shelf.documents, owner)
}

fn organization(shelf: &mut Shelf<'_>) {
    let (name, made) = (shelf.plan.subdomain.clone(), shelf.ago(900));
    let id = format!("00o{name}");
    shelf.object(
        "/api/v1/org",
        json!({ "id": id, "companyName": name, "subdomain": name, "status": "ACTIVE", "created": made,
            "lastUpdated": made, "expiresAt": null }),
    );
    let pipeline = if shelf.plan.classic { "v1" } else { "idx" };
    shelf.object("/.well-known/okta-organization", json!({ "id": id, "pipeline": pipeline, "_links": {} }));
    shelf.list(
        "/api/v1/groups?filter=type eq \"BUILT_IN\"",
        vec![
            json!({ "id": "00gall", "type": "BUILT_IN", "profile": { "name": "Everyone" } }),
            json!({ "id": "00gadm", "type": "BUILT_IN", "profile": { "name": "Okta Administrators" } }),
        ],
    );
    let support = if shelf.careful() { "DISABLED" } else { "ENABLED" };
    shelf.object(
        "/api/v1/org/privacy/oktaSupport",
        json!({ "support": support, "expiration": null, "caseNumber": null }),
    );
    let outsiders = !shelf.careful();
    shelf.object("/api/v1/org/orgSettings/thirdPartyAdminSetting", json!({ "thirdPartyAdmin": outsiders }));
    let clients = !shelf.careful();
    shelf.object(
        "/api/v1/org/settings/clientPrivilegesSetting",
        json!({ "clientPrivilegesSetting": clients }),
    );
    shelf.object("/api/v1/org/contacts/TECHNICAL", json!({ "userId": "00u0000" }));
}

/// Users in all states, and administrators with their roles and factors. The first is a super administrator.
fn people(shelf: &mut Shelf<'_>) -> String {
    let (mut present, mut gone, mut owner) = (Vec::new(), Vec::new(), String::new());
    for n in 0..shelf.plan.users {
        let (first, last) = shelf.seed.person();
        let login =
            format!("{}.{}{n}@{}.example", first.to_lowercase(), last.to_lowercase(), shelf.plan.subdomain);
        let status = match n {
            0..=5 => "ACTIVE",
            _ if shelf.seed.chance(3) => "PROVISIONED",
            _ if shelf.seed.chance(3) => "SUSPENDED",
            _ if shelf.seed.chance(5) => "DEPROVISIONED",
            _ => "ACTIVE",
        };
        let idle = if shelf.seed.chance(10) { 45 + shelf.seed.below(300) } else { shelf.seed.below(20) };
        let (kind, source) =
            if shelf.seed.chance(20) { ("ACTIVE_DIRECTORY", "corp.example") } else { ("OKTA", "OKTA") };
        let never = status == "PROVISIONED";
        let made = shelf.ago(400 + shelf.seed.clone().below(400));
        let user = json!({
            "id": format!("00u{n:04}"), "status": status, "created": made, "activated": (!never).then_some(&made),
            "statusChanged": shelf.ago(10), "lastLogin": (!never).then(|| shelf.ago(idle)), "passwordChanged": made,
            "type": { "id": "oty1" },
            "profile": { "login": login, "email": login, "firstName": first, "lastName": last },
            "credentials": { "provider": { "type": kind, "name": source } },
        });
        if n == 0 {
            owner = login;
        }
        if status == "DEPROVISIONED" { gone.push(user) } else { present.push(user) }
    }
    shelf.list("/api/v1/users", present);
    shelf.list("/api/v1/users?filter=status eq \"DEPROVISIONED\"", gone);
    administrators(shelf);
    owner
}

fn administrators(shelf: &mut Shelf<'_>) {
    let supers = if shelf.careful() { 2 } else { 6 }.min(shelf.plan.users);
    let all = (supers + 2).min(shelf.plan.users);
    let admins = (0..all)
        .map(|n| json!({ "id": format!("00u{n:04}"), "orn": format!("orn:okta:directory:users:{n}") }));
    let admins = admins.collect();
    shelf.list("/api/v1/iam/assignees/users", admins);
    for n in 0..all {
        let (kind, label, via) = match n {
            n if n < supers => ("SUPER_ADMIN", "Super Administrator", "USER"),
            n if n == supers => ("HELP_DESK_ADMIN", "Help Desk Administrator", "GROUP"),
            _ => ("READ_ONLY_ADMIN", "Read-only Administrator", "USER"),
        };
        shelf.list(
            &format!("/api/v1/users/00u{n:04}/roles"),
            vec![json!({ "id": format!("ra{n}"), "label": label, "type": kind, "status": "ACTIVE", "assignmentType": via })],
        );
        let factor = if shelf.careful() { "webauthn" } else { "sms" };
        shelf.list(
            &format!("/api/v1/users/00u{n:04}/factors"),
            vec![
                json!({ "id": format!("fa{n}"), "factorType": factor, "provider": "FIDO", "status": "ACTIVE" }),
                json!({ "id": format!("fb{n}"), "factorType": "question", "provider": "OKTA", "status": "ACTIVE" }),
            ],
        );
    }
}

fn apps(shelf: &mut Shelf<'_>) {
    let made = shelf.ago(500);
    let policy = |id: &str| json!({ "accessPolicy": { "href": format!("https://okta.example/api/v1/policies/{id}") } });
    let links = |classic: bool, id: &str| if classic { json!({}) } else { policy(id) };
    let classic = shelf.plan.classic;
    let app = |id: &str, name: &str, label: &str, mode: &str, policy: &str| {
        json!({ "id": id, "name": name, "label": label, "status": "ACTIVE", "signOnMode": mode, "created": made,
            "features": [], "accessibility": { "selfService": false }, "credentials": {}, "settings": {},
            "_links": links(classic, policy) })
    };
    let mut all = Vec::new();
    let console = app("0oaconsole", "saasure", "Okta Admin Console", "OPENID_CONNECT", "rstadmin");
    let dashboard = app("0oadash", "okta_enduser", "Okta Dashboard", "OPENID_CONNECT", "rstany");
    for (n, (name, label)) in [
        ("slack", "Slack"),
        ("github", "GitHub"),
        ("salesforce", "Salesforce"),
        ("zoom", "Zoom"),
        ("hrsuite", "HR suite"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut saml = app(&format!("0oasaml{n}"), name, label, "SAML_2_0", "rstany");
        let (signature, digest) =
            if shelf.careful() { ("RSA_SHA256", "SHA256") } else { ("RSA_SHA1", "SHA1") };
        saml["settings"]["signOn"] = json!({ "signatureAlgorithm": signature, "digestAlgorithm": digest,
            "responseSigned": true, "assertionSigned": shelf.careful() });
        saml["features"] = if shelf.careful() {
            json!(["PUSH_NEW_USERS", "PUSH_USER_DEACTIVATION"])
        } else {
            json!(["PUSH_NEW_USERS"])
        };
        all.push(saml);
    }
    if !shelf.careful() {
        all.push(app("0oafax", "fax", "Fax portal", "BROWSER_PLUGIN", "rstany"));
    }
    let mut wiki = app("0oawiki", "oidc_client", "Wiki", "OPENID_CONNECT", "rstany");
    let grants = if shelf.careful() {
        json!(["authorization_code"])
    } else {
        json!(["authorization_code", "implicit"])
    };
    wiki["settings"]["oauthClient"] = json!({ "application_type": "web", "grant_types": grants,
        "redirect_uris": ["https://wiki.example/callback"], "wildcard_redirect": "DISABLED" });
    wiki["credentials"]["oauthClient"] = json!({ "client_id": "0oawiki", "pkce_required": shelf.careful(),
        "token_endpoint_auth_method": "client_secret_basic" });
    all.push(wiki);
    let mut service = app("0oasvc", "oidc_client", "Directory export", "OPENID_CONNECT", "rstany");
    let method = if shelf.careful() { "private_key_jwt" } else { "client_secret_basic" };
    service["settings"]["oauthClient"] = json!({ "application_type": "service", "grant_types": ["client_credentials"],
        "redirect_uris": [], "network": { "connection": if shelf.careful() { "ZONE" } else { "ANYWHERE" } } });
    service["credentials"]["oauthClient"] =
        json!({ "client_id": "0oasvc", "pkce_required": false, "token_endpoint_auth_method": method });
    all.push(service);
    let role = if shelf.careful() {
        ("READ_ONLY_ADMIN", "Read-only Administrator")
    } else {
        ("SUPER_ADMIN", "Super Administrator")
    };
    shelf.list(
        "/oauth2/v1/clients/0oasvc/roles",
        vec![json!({ "id": "ra9", "type": role.0, "label": role.1, "status": "ACTIVE", "assignmentType": "CLIENT" })],
    );
    shelf.list("/api/v1/apps/0oawiki/grants", Vec::new());
    shelf.list(
        "/api/v1/apps/0oasvc/grants",
        vec![
            json!({ "id": "oag1", "scopeId": "okta.users.read", "status": "ACTIVE", "created": made, "clientId": "0oasvc" }),
            json!({ "id": "oag2", "scopeId": "okta.groups.manage", "status": "ACTIVE", "created": made, "clientId": "0oasvc" }),
        ],
    );
    all.extend([console.clone(), dashboard.clone()]);
    shelf.list("/api/v1/apps", all);
    shelf.list("/api/v1/apps?filter=name eq \"saasure\"", vec![console]);
    shelf.list("/api/v1/apps?filter=name eq \"okta_enduser\"", vec![dashboard]);
}

fn security(shelf: &mut Shelf<'_>) {
    let idle = if shelf.careful() { 15 } else { 60 };
    shelf.object(
        "/api/v1/first-party-app-settings/admin-console",
        json!({ "sessionIdleTimeoutMinutes": idle, "sessionMaxLifetimeMinutes": 720 }),
    );
    shelf.list("/api/v1/idps", Vec::new());
    let action = if shelf.careful() { "block" } else { "audit" };
    shelf.object("/api/v1/threats/configuration", json!({ "action": action, "excludeZones": [] }));
    let categories = if shelf.careful() { json!(["ALL_ANONYMIZERS"]) } else { json!([]) };
    shelf.list(
        "/api/v1/zones",
        vec![
            json!({ "id": "nzooffice", "name": "Office", "type": "IP", "usage": "POLICY", "status": "ACTIVE", "system": false }),
            json!({ "id": "nzoenhanced", "name": "DefaultEnhancedDynamicZone", "type": "DYNAMIC_V2", "usage": "BLOCKLIST",
                "status": "ACTIVE", "system": true, "ipServiceCategories": { "include": categories, "exclude": [] } }),
        ],
    );
    let status = if shelf.careful() { "ACTIVE" } else { "INACTIVE" };
    shelf.list(
        "/api/v1/logStreams",
        vec![json!({ "id": "0oalog", "name": "SIEM", "type": "aws_eventbridge", "status": status })],
    );
    let behaviors = ["ANOMALOUS_DEVICE", "ANOMALOUS_IP", "ANOMALOUS_LOCATION"];
    let behaviors =
        behaviors.map(|kind| json!({ "id": kind, "name": kind, "type": kind, "status": "ACTIVE" }));
    shelf.list("/api/v1/behaviors", behaviors.to_vec());
    let apart = shelf.careful();
    shelf.object(
        "/attack-protection/api/v1/user-lockout-settings",
        json!({ "preventBruteForceLockoutFromUnknownDevices": apart }),
    );
    let first = shelf.careful();
    shelf.object(
        "/attack-protection/api/v1/authenticator-settings",
        json!({ "verifyKnowledgeSecondWhen2faRequired": first }),
    );
    shelf.list("/api/v1/captchas", Vec::new());
    let lacking = "You do not have permission to access the feature you are requesting";
    shelf.lacking("/api/v1/bot-protection/configuration", 401, "E0000015", lacking);
    let origin = if shelf.careful() { "https://portal.example" } else { "http://portal.example" };
    shelf.list(
        "/api/v1/trustedOrigins",
        vec![json!({ "id": "tos1", "name": "Portal", "origin": origin, "status": "ACTIVE", "scopes": [{ "type": "CORS" }] })],
    );
}

fn credentials(shelf: &mut Shelf<'_>) {
    let connection = if shelf.careful() { "ZONE" } else { "ANYWHERE" };
    let last = shelf.plan.users.saturating_sub(1).min(3);
    shelf.list(
        "/api/v1/api-tokens",
        vec![json!({ "id": "00T1", "name": "Backup", "userId": format!("00u{last:04}"), "clientName": "Okta API",
            "tokenWindow": "P30D", "created": shelf.ago(500), "lastUpdated": shelf.ago(1), "expiresAt": shelf.ago(0),
            "network": { "connection": connection } })],
    );
    shelf.list(
        "/integrations/api/v1/api-services",
        vec![json!({ "id": "0oaapi1", "type": "acme_backup", "name": "Acme Backup", "createdAt": shelf.ago(200),
            "createdBy": "00u0000", "grantedScopes": ["okta.users.read", "okta.groups.read"] })],
    );
    let rotation = if shelf.careful() { "AUTO" } else { "MANUAL" };
    shelf.list(
        "/api/v1/authorizationServers",
        vec![json!({ "id": "default", "name": "default", "status": "ACTIVE", "issuer": "https://okta.example/oauth2/default",
            "audiences": ["api://default"], "credentials": { "signing": { "rotationMode": rotation } } })],
    );
    shelf.list(
        "/api/v1/authorizationServers/default/policies",
        vec![json!({ "id": "00pas", "name": "Default Policy", "status": "ACTIVE", "priority": 1,
            "conditions": { "clients": { "include": ["0oawiki"] } } })],
    );
    let minutes = if shelf.careful() { 60 } else { 1_440 };
    shelf.list(
        "/api/v1/authorizationServers/default/policies/00pas/rules",
        vec![json!({ "id": "0pras", "name": "Default Policy Rule", "status": "ACTIVE", "priority": 1,
            "conditions": { "grantTypes": { "include": ["authorization_code"] } },
            "actions": { "token": { "accessTokenLifetimeMinutes": minutes, "refreshTokenWindowMinutes": 10_080 } } })],
    );
    let scheme =
        if shelf.careful() { json!({ "type": "HEADER", "key": "authorization" }) } else { Value::Null };
    let hook = |id: &str, name: &str, scheme: &Value| {
        json!({ "id": id, "name": name, "status": "ACTIVE", "verificationStatus": "VERIFIED",
            "events": { "type": "EVENT_TYPE", "items": ["user.lifecycle.create"] }, "type": "com.okta.oauth2.tokens.transform",
            "channel": { "type": "HTTP", "config": { "uri": "https://hooks.example/okta", "method": "POST", "authScheme": scheme } } })
    };
    let mut event = hook("who1", "SIEM", &scheme);
    event["created"] = json!(shelf.ago(300));
    shelf.list("/api/v1/eventHooks", vec![event]);
    let mut inline = hook("cal1", "Claims", &scheme);
    inline["created"] = json!(shelf.ago(300));
    shelf.list("/api/v1/inlineHooks", vec![inline]);
}
