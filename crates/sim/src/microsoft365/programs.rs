//! App registrations, enterprise applications and what was granted to them.

use model::time::Duration;
use serde_json::{Value, json};

use super::directory::{Directory, id};
use super::{Document, READ_ROLES, instant};
use crate::company::{App, Company, Whose};

/// Microsoft's interfaces, by app id.
const APIS: [(&str, &str); 9] = [
    ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    ("00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory"),
    ("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"),
    ("00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"),
    ("c5393580-f805-4401-95e8-94b7a6ef2fc2", "Office 365 Management APIs"),
    ("48ac35b8-9aa8-4d74-927d-1f4a14a0b239", "Skype and Teams Tenant Admin API"),
    ("fc780465-2017-40d4-a0c5-307022471b92", "WindowsDefenderATP"),
    ("c161e42e-d4df-4a3d-9b42-e7a3c31f59d4", "Microsoft Intune API"),
    ("8ee8fdad-f234-4243-8f3b-15c294843740", "Microsoft Threat Protection"),
];
const MICROSOFT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";
/// The app registration that reads for Parapet.
pub const CLIENT: &str = "9a5a7e1c-0000-4000-8000-00000000aca7";

/// The service principal of a foreign program.
pub(super) fn principal(slug: &str) -> String {
    id(0x5b, number(slug))
}

fn number(text: &str) -> usize {
    text.bytes().fold(7, |sum, byte| (sum * 31 + usize::from(byte)) & 0xffff_ffff)
}

struct Writer<'c> {
    company: &'c Company,
    principals: Vec<Value>,
    grants: Vec<Value>,
    /// App roles of Graph, as they are needed.
    roles: Vec<&'static str>,
    assigned: Vec<Value>,
    seen: Vec<Value>,
}

pub(super) fn write(company: &Company, directory: &Directory, put: &mut impl FnMut(String, Document)) {
    let mut writer = Writer {
        company,
        principals: Vec::new(),
        grants: Vec::new(),
        roles: READ_ROLES.to_vec(),
        assigned: Vec::new(),
        seen: Vec::new(),
    };
    writer.foreign(directory);
    writer.own(directory);
    writer.microsoft();
    let mut list = |path: String, records: Vec<Value>| put(path, Document::List(records));
    for (n, (app, _)) in APIS.iter().enumerate() {
        let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignedTo", api(n));
        list(path, if *app == APIS[0].0 { writer.assigned.clone() } else { Vec::new() });
    }
    let owner = &company.people[company.admins[1]].ids.entra;
    list(
        format!("/v1.0/servicePrincipals/{}/owners", principal("people-hub")),
        vec![json!({ "@odata.type": "#microsoft.graph.user", "id": owner })],
    );
    list("/v1.0/servicePrincipals".to_owned(), writer.principals);
    list("/v1.0/oauth2PermissionGrants".to_owned(), writer.grants);
    list("/beta/reports/servicePrincipalSignInActivities".to_owned(), writer.seen);
    let registered = registrations(company);
    list("/v1.0/applications".to_owned(), registered.clone());
    for registration in registered {
        let key = registration["appId"].as_str().unwrap_or_default();
        put(format!("/v1.0/applications(appId='{key}')"), Document::Object(registration));
    }
}

/// The client id of the tenant's own application with this number.
pub(super) fn own(n: usize) -> String {
    id(0xab, n)
}

fn api(n: usize) -> String {
    id(0xa9, n)
}

impl Writer<'_> {
    fn principal(&mut self, id: &str, app: &str, name: &str, owner: &str, verified: Option<&str>) {
        let verified = verified.map(|publisher| json!({ "displayName": publisher, "verifiedPublisherId": format!("{}", 100_000 + number(publisher) % 900_000) }));
        self.principals.push(json!({
            "id": id, "appId": app, "displayName": name, "accountEnabled": true, "appOwnerOrganizationId": owner,
            "verifiedPublisher": verified.unwrap_or_else(|| json!({ "displayName": null, "verifiedPublisherId": null })),
            "servicePrincipalType": "Application", "signInAudience": "AzureADMultipleOrgs", "replyUrls": ["https://login.example/callback"],
            "preferredSingleSignOnMode": null, "appRoleAssignmentRequired": false, "passwordCredentials": [], "keyCredentials": [], "appRoles": [] }));
    }

    fn role(&mut self, name: &'static str) -> String {
        let at = self.roles.iter().position(|role| *role == name).unwrap_or_else(|| {
            self.roles.push(name);
            self.roles.len() - 1
        });
        id(0x09, at)
    }

    fn foreign(&mut self, directory: &Directory) {
        for grant in self.company.grants(App::Microsoft365) {
            let plugin = grant.plugin;
            let (sp, app) = (principal(plugin.slug), id(0xaa, number(plugin.slug)));
            let owner = id(0x7f, number(plugin.publisher));
            self.principal(&sp, &app, plugin.name, &owner, plugin.verified.then_some(plugin.publisher));
            let scope = plugin.graph.join(" ");
            if !plugin.graph.is_empty() && grant.users.is_empty() {
                self.grant(&sp, None, &scope);
            }
            for n in &grant.users {
                // By what the directory calls them, which is the same id wherever it stands.
                let account = directory.accounts.iter().find(|a| a.whose == Whose::Person(*n));
                if let Some(account) = account {
                    self.grant(&sp, Some(&account.id), &scope);
                }
            }
            for role in plugin.graph_roles {
                let role = self.role(role);
                let n = self.assigned.len();
                self.assigned.push(json!({ "id": format!("assigned-{n:06}"), "principalId": sp, "principalDisplayName": plugin.name,
                    "principalType": "ServicePrincipal", "resourceId": api(0), "appRoleId": role, "createdDateTime": instant(grant.created_at) }));
            }
            self.seen.extend(grant.last_used_at.map(|at| json!({ "id": format!("seen-{app}"), "appId": app, "lastSignInActivity": { "lastSignInDateTime": instant(at) } })));
        }
    }

    fn grant(&mut self, client: &str, user: Option<&str>, scope: &str) {
        let n = self.grants.len();
        let consent = if user.is_some() { "Principal" } else { "AllPrincipals" };
        self.grants.push(json!({ "id": format!("grant-{n:06}"), "clientId": client, "consentType": consent, "principalId": user,
            "resourceId": api(0), "scope": scope }));
    }

    /// The tenant's own applications: the one that reads for Parapet, and one that writes for a script.
    fn own(&mut self, directory: &Directory) {
        let (sp, now) = (id(0x5c, 1), self.company.now);
        self.principal(&sp, CLIENT, "Parapet", &directory.tenant, None);
        for role in READ_ROLES.iter().filter(|role| **role != "Exchange.ManageAsApp") {
            let (n, role) = (self.assigned.len(), self.role(role));
            self.assigned.push(json!({ "id": format!("assigned-{n:06}"), "principalId": sp, "principalDisplayName": "Parapet",
                "principalType": "ServicePrincipal", "resourceId": api(0), "appRoleId": role, "createdDateTime": instant(self.company.ago(60)) }));
        }
        self.seen.push(json!({ "id": "seen-parapet", "appId": CLIENT, "lastSignInActivity": { "lastSignInDateTime": instant(now) } }));
        self.principal(&id(0x5c, 2), &own(2), "Intranet", &directory.tenant, None);
        self.grant(&id(0x5c, 2), None, "User.Read openid profile");
    }

    fn microsoft(&mut self) {
        for (n, (app, name)) in APIS.iter().enumerate() {
            self.principal(&api(n), app, name, MICROSOFT, None);
            let roles = if n == 0 { self.roles.clone() } else { Vec::new() };
            let roles: Vec<Value> = roles
                .iter()
                .enumerate()
                .map(|(at, role)| json!({ "id": id(0x09, at), "value": role, "isEnabled": true }))
                .collect();
            if let Some(last) = self.principals.last_mut() {
                last["appRoles"] = json!(roles);
            }
        }
    }
}

/// App registrations of the tenant: one whose secret ended and is still there, one whose secret lives for years, one that takes
/// answers in the clear.
fn registrations(company: &Company) -> Vec<Value> {
    let secret = |name: &str, age: usize, days: i64| {
        // The first three characters are shown, of the demo's `simulated-...` as of any.
        json!({ "displayName": name, "hint": "sim", "keyId": id(0x0c, number(name)), "startDateTime": instant(company.ago(age)),
            "endDateTime": instant(company.now + Duration::days(days)) })
    };
    let one = |app: &str, name: &str, secrets: Value, redirect: Option<&str>| {
        json!({ "id": id(0xaf, number(name)), "appId": app, "displayName": name, "createdDateTime": instant(company.ago(700)),
            "signInAudience": "AzureADMyOrg", "isFallbackPublicClient": null, "passwordCredentials": secrets, "keyCredentials": [],
            "web": { "redirectUris": redirect.into_iter().collect::<Vec<_>>(), "implicitGrantSettings": { "enableAccessTokenIssuance": false, "enableIdTokenIssuance": redirect.is_some_and(|r| r.starts_with("http:")) } },
            "spa": { "redirectUris": [] }, "publicClient": { "redirectUris": [] }, "verifiedPublisher": null })
    };
    vec![
        one(CLIENT, "Parapet", json!([secret("parapet", 60, 90)]), None),
        one(
            &own(2),
            "Intranet",
            json!([secret("intranet", 30, 140)]),
            Some("https://intranet.acme.example/signin"),
        ),
        one(&own(3), "Data warehouse", json!([secret("loader", 300, 430)]), None),
        one(
            &own(4),
            "Old booking tool",
            json!([secret("booking", 800, -70)]),
            Some("http://booking.acme.example/cb"),
        ),
    ]
}
