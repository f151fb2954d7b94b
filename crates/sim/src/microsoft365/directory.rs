//! People, groups and roles of the tenant.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Document, instant};
use crate::company::{Account, App, Company, DOMAIN, Factor, NAME, Right, State, Whose};

/// The domain that came with the tenant.
pub(super) const INITIAL: &str = "acme.onmicrosoft.example";
pub(super) const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
pub(super) const USER_ADMINISTRATOR: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";

/// Directory roles by template id, the same in every tenant.
/// <https://learn.microsoft.com/en-us/entra/identity/role-based-access-control/permissions-reference>
pub(super) const ROLES: [(&str, &str); 19] = [
    (GLOBAL_ADMINISTRATOR, "Global Administrator"),
    ("194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator"),
    ("f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator"),
    ("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"),
    ("b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator"),
    ("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"),
    ("b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"),
    (USER_ADMINISTRATOR, "User Administrator"),
    ("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator"),
    ("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator"),
    ("158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator"),
    ("966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator"),
    ("7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"),
    ("e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator"),
    ("8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator"),
    ("3a2c62db-5318-420d-8d74-23affee5d9d5", "Intune Administrator"),
    ("f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"),
    ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"),
    ("d29b2b05-8046-44ba-8758-1e26182fcf32", "Directory Synchronization Accounts"),
];

/// Microsoft 365 E5, with Entra ID P2.
const E5: &str = "06ebc4ee-1bb5-47dd-8120-11324bc54e06";

/// A group with its members.
pub(super) struct Group {
    pub(super) id: String,
    name: &'static str,
    unified: bool,
    visibility: &'static str,
    role_assignable: bool,
    members: Vec<String>,
}

pub(super) struct Directory {
    pub(super) tenant: String,
    pub(super) accounts: Vec<Account>,
    /// Two accounts for the day on which nothing else works. Nobody uses them.
    pub(super) emergency: [String; 2],
    groups: Vec<Group>,
    assigned: Vec<Value>,
    eligible: Vec<Value>,
    scheduled: Vec<Value>,
    users: Vec<Value>,
    registrations: Vec<Value>,
}

/// The group whose members are spared the second factor: a third of sales, once, for a fair.
pub(super) const EXCEPTIONS: &str = "MFA exceptions";
pub(super) const EMERGENCY: &str = "Emergency access";

/// An id of this tenant, by what it is of and a number.
pub(super) fn id(kind: u16, n: usize) -> String {
    format!("{kind:04x}acde-0000-4000-8000-{n:012x}")
}

impl Directory {
    pub(super) fn of(company: &Company) -> Self {
        let accounts = company.accounts(App::Microsoft365);
        let mut directory = Self {
            tenant: id(0x7e, usize::try_from(company.seed & 0xffff).unwrap_or(0)),
            accounts,
            emergency: [id(0xe1, 1), id(0xe1, 2)],
            groups: Vec::new(),
            assigned: Vec::new(),
            eligible: Vec::new(),
            scheduled: Vec::new(),
            users: Vec::new(),
            registrations: Vec::new(),
        };
        directory.people(company);
        directory.gather(company);
        directory.give_roles();
        directory
    }

    pub(super) fn group(&self, name: &str) -> &str {
        self.groups.iter().find(|group| group.name == name).map_or("", |group| &group.id)
    }

    fn people(&mut self, company: &Company) {
        let people = self.accounts.iter().map(|account| user(company, account));
        self.users.extend(people);
        self.registrations =
            self.accounts.iter().filter(|a| a.state == State::Active).map(registration).collect();
        let since = company.ago(1_500);
        for (n, id) in self.emergency.iter().enumerate() {
            let name = format!("emergency-{}@{INITIAL}", n + 1);
            self.users.push(json!({
                "id": id, "userPrincipalName": name, "mail": null, "displayName": format!("Emergency access {}", n + 1),
                "userType": "Member", "accountEnabled": true, "createdDateTime": instant(since), "externalUserState": null,
                "externalUserStateChangeDateTime": null, "onPremisesSyncEnabled": null, "onPremisesImmutableId": null,
                "proxyAddresses": [], "otherMails": [], "assignedLicenses": [], "creationType": null,
                "isResourceAccount": null, "signInActivity": { "lastSignInDateTime": instant(company.ago(85 + n)),
                    "lastNonInteractiveSignInDateTime": null } }));
            self.registrations.push(json!({
                "id": id, "userPrincipalName": name, "userDisplayName": "Emergency access", "userType": "member", "isAdmin": true,
                "isMfaCapable": true, "isMfaRegistered": true, "isPasswordlessCapable": true, "methodsRegistered": ["fido2SecurityKey"],
                "lastUpdatedDateTime": instant(company.ago(1)) }));
        }
    }

    fn members(&self, fits: impl Fn(&Account) -> bool) -> Vec<String> {
        self.accounts.iter().filter(|a| a.state == State::Active && fits(a)).map(|a| a.id.clone()).collect()
    }

    fn gather(&mut self, company: &Company) {
        use crate::company::Department as D;
        let works_in = |department: D| move |a: &Account| matches!(a.whose, Whose::Person(n) if company.people[n].department == department);
        let sales: Vec<String> = self.members(works_in(D::Sales));
        let excepted =
            sales.iter().enumerate().filter(|(n, _)| n % 3 == 0).map(|(_, id)| id.clone()).collect();
        let everybody = self.members(|a| matches!(a.whose, Whose::Person(_)));
        let all: [(&'static str, bool, &'static str, bool, Vec<String>); 9] = [
            (EXCEPTIONS, false, "", false, excepted),
            (EMERGENCY, false, "", true, self.emergency.to_vec()),
            (
                "Service desk",
                false,
                "",
                true,
                self.members(|a| a.right == Right::Part).into_iter().take(2).collect(),
            ),
            ("All hands", true, "Private", false, everybody),
            ("Engineering", true, "Private", false, self.members(works_in(D::Engineering))),
            ("Sales", true, "Private", false, sales),
            ("Finance", true, "Private", false, self.members(works_in(D::Finance))),
            ("Summer party", true, "Public", false, self.members(works_in(D::People))),
            ("Customer pilots", true, "Public", false, self.members(|a| a.right == Right::Outside)),
        ];
        self.groups = all
            .into_iter()
            .enumerate()
            .map(|(n, (name, unified, visibility, role_assignable, members))| Group {
                id: id(0x6a, n + 1),
                name,
                unified,
                visibility,
                role_assignable,
                members,
            })
            .collect();
    }

    /// The first two administrators activate their role when they need it; the others and the emergency accounts hold theirs
    /// for good. The service desk's role is given to its group.
    fn give_roles(&mut self) {
        let admins: Vec<(Right, String, String)> = self
            .accounts
            .iter()
            .filter(|a| matches!(a.right, Right::All | Right::Part))
            .map(|a| (a.right, a.id.clone(), a.name.clone()))
            .collect();
        let mut parts = [5, 2, 3, 7].into_iter().cycle();
        let mut global = 0;
        for (right, id, name) in admins {
            let role = if right == Right::All { 0 } else { parts.next().unwrap_or(5) };
            global += usize::from(right == Right::All);
            let kept_well = right == Right::All && global <= 2;
            self.give(ROLES[role].0, "user", &id, &name, !kept_well);
        }
        for id in self.emergency.clone() {
            self.give(GLOBAL_ADMINISTRATOR, "user", &id, "Emergency access", true);
        }
        let desk = self.group("Service desk").to_owned();
        self.give("729827e3-9c14-49f7-bb1b-9608f156bbb8", "group", &desk, "Service desk", true);
        self.give(
            USER_ADMINISTRATOR,
            "servicePrincipal",
            &super::programs::principal("people-hub"),
            "People Hub",
            true,
        );
    }

    fn give(&mut self, role: &str, kind: &str, principal: &str, name: &str, for_good: bool) {
        let n = self.assigned.len() + self.eligible.len();
        let principal = json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": principal, "displayName": name });
        let one = |more: Value| {
            let mut all = json!({ "id": id(0x4a, n), "principalId": principal["id"], "+principal": principal,
                "roleDefinitionId": role, "directoryScopeId": "/" });
            if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
                all.extend(more.clone());
            }
            all
        };
        let now = json!({ "memberType": "Direct", "startDateTime": null, "endDateTime": null });
        if for_good {
            self.assigned.push(one(json!({})));
            let mut scheduled = one(now);
            scheduled["assignmentType"] = json!("Assigned");
            self.scheduled.push(scheduled);
        } else {
            self.eligible.push(one(now));
        }
    }

    pub(super) fn write(&self, put: &mut impl FnMut(String, Document)) {
        let mut list = |path: &str, records: Vec<Value>| put(format!("/v1.0{path}"), Document::List(records));
        list(
            "/organization",
            vec![json!({ "id": self.tenant, "displayName": NAME, "createdDateTime": "2015-04-02T08:00:00Z",
            "onPremisesSyncEnabled": null, "technicalNotificationMails": [format!("it@{DOMAIN}")],
            "securityComplianceNotificationMails": [], "privacyProfile": { "contactEmail": format!("privacy@{DOMAIN}"), "statementUrl": null } })],
        );
        let plans =
            ["AAD_PREMIUM", "AAD_PREMIUM_P2", "EXCHANGE_S_ENTERPRISE", "SHAREPOINTENTERPRISE", "TEAMS1"];
        let plans = plans.map(|name| json!({ "servicePlanName": name, "provisioningStatus": "Success" }));
        list(
            "/subscribedSkus",
            vec![json!({ "id": format!("{}_{E5}", self.tenant), "skuId": E5, "skuPartNumber": "SPE_E5",
            "capabilityStatus": "Enabled", "servicePlans": plans, "prepaidUnits": { "enabled": self.accounts.len() } })],
        );
        let domain = |name: &str, first: bool| {
            json!({ "id": name, "authenticationType": "Managed", "isVerified": true, "isDefault": first,
            "isInitial": !first, "isAdminManaged": true, "passwordValidityPeriodInDays": 2_147_483_647_u32 })
        };
        list("/domains", vec![domain(DOMAIN, true), domain(INITIAL, false)]);
        list("/users", self.users.clone());
        list("/reports/authenticationMethods/userRegistrationDetails", self.registrations.clone());
        let defined = ROLES.iter().map(|(id, name)| json!({ "id": id, "templateId": id, "displayName": name, "isBuiltIn": true, "isEnabled": true }));
        list("/roleManagement/directory/roleDefinitions", defined.collect());
        list("/roleManagement/directory/roleAssignments", self.assigned.clone());
        list("/roleManagement/directory/roleEligibilityScheduleInstances", self.eligible.clone());
        list("/roleManagement/directory/roleAssignmentScheduleInstances", self.scheduled.clone());
        list("/policies/roleManagementPolicyAssignments", role_policies());
        let risky: BTreeSet<usize> = [5, 40].into();
        let at_risk = |(n, a): (usize, &Account)| {
            json!({ "id": a.id, "userPrincipalName": a.username, "riskLevel": if n == 5 { "high" } else { "medium" },
            "riskState": "atRisk", "riskLastUpdatedDateTime": a.last_seen_at.map(instant) })
        };
        list(
            "/identityProtection/riskyUsers",
            self.accounts.iter().enumerate().filter(|(n, _)| risky.contains(n)).map(at_risk).collect(),
        );
        self.write_groups(put);
    }

    fn write_groups(&self, put: &mut impl FnMut(String, Document)) {
        let written = |group: &Group| {
            json!({ "id": group.id, "displayName": group.name, "groupTypes": if group.unified { json!(["Unified"]) } else { json!([]) },
                "visibility": Some(group.visibility).filter(|v| !v.is_empty()), "createdDateTime": "2022-05-01T09:00:00Z",
                "mail": group.unified.then(|| format!("{}@{DOMAIN}", group.name.to_lowercase().replace(' ', "-"))),
                "isAssignableToRole": group.role_assignable.then_some(true), "isManagementRestricted": null, "onPremisesSyncEnabled": null })
        };
        put("/v1.0/groups".to_owned(), Document::List(self.groups.iter().map(written).collect()));
        for group in &self.groups {
            let base = format!("/v1.0/groups/{}", group.id);
            let member = |id: &String| json!({ "@odata.type": "#microsoft.graph.user", "id": id });
            put(
                format!("{base}/transitiveMembers"),
                Document::List(group.members.iter().map(member).collect()),
            );
            put(base, Document::Object(written(group)));
        }
    }
}

fn user(company: &Company, account: &Account) -> Value {
    let outside = account.right == Right::Outside;
    let made = instant(account.created_at);
    let email = account.email.clone().unwrap_or_default();
    let licensed = matches!(account.whose, Whose::Person(_)) && account.state == State::Active;
    let mut proxies = Vec::new();
    if !outside {
        proxies.push(json!(format!("SMTP:{email}")));
        proxies.extend(account.aliases.iter().map(|alias| json!(format!("smtp:{alias}"))));
    }
    let room =
        matches!(account.whose, Whose::Machine(n) if company.machines[n].name.starts_with("meeting-rooms"));
    let state =
        outside.then_some(if account.state == State::Invited { "PendingAcceptance" } else { "Accepted" });
    json!({
        "id": account.id, "userPrincipalName": account.username, "mail": email, "displayName": account.name,
        "userType": if outside { "Guest" } else { "Member" }, "accountEnabled": account.state != State::Suspended,
        "createdDateTime": made, "externalUserState": state, "externalUserStateChangeDateTime": state.map(|_| &made),
        "onPremisesSyncEnabled": null, "onPremisesImmutableId": account.link.as_ref().and_then(|link| link.external_id.as_ref()),
        "proxyAddresses": proxies, "otherMails": if outside { json!([email]) } else { json!([]) },
        "assignedLicenses": if licensed { json!([{ "skuId": E5, "disabledPlans": [] }]) } else { json!([]) },
        "creationType": outside.then_some("Invitation"), "isResourceAccount": room.then_some(true),
        "signInActivity": account.last_seen_at.map(|at| json!({ "lastSignInDateTime": instant(at), "lastNonInteractiveSignInDateTime": instant(at) })),
    })
}

fn registration(account: &Account) -> Value {
    let (methods, passwordless) = match account.factor {
        Factor::Passkey => (json!(["fido2SecurityKey", "microsoftAuthenticatorPush"]), true),
        Factor::App => (json!(["microsoftAuthenticatorPush", "softwareOneTimePasscode"]), false),
        Factor::Sms => (json!(["mobilePhone"]), false),
        Factor::None => (json!([]), false),
    };
    let capable = account.factor != Factor::None;
    json!({ "id": account.id, "userPrincipalName": account.username, "userDisplayName": account.name,
        "userType": if account.right == Right::Outside { "guest" } else { "member" },
        "isAdmin": matches!(account.right, Right::All | Right::Part), "isMfaCapable": capable, "isMfaRegistered": capable,
        "isPasswordlessCapable": passwordless, "methodsRegistered": methods,
        "lastUpdatedDateTime": account.last_seen_at.map(instant) })
}

/// What is asked of somebody who activates a role: of the highest, almost everything.
fn role_policies() -> Vec<Value> {
    ROLES
        .iter()
        .enumerate()
        .map(|(n, (role, _))| {
            let highest = n == 0;
            let told = |id: &str| json!({ "id": id, "notificationRecipients": [format!("security@{DOMAIN}")],
                "isDefaultRecipientsEnabled": true, "notificationLevel": "All" });
            let rules = json!([
                { "id": "Approval_EndUser_Assignment", "setting": { "isApprovalRequired": highest } },
                { "id": "Enablement_EndUser_Assignment", "enabledRules": ["MultiFactorAuthentication", "Justification"] },
                { "id": "Enablement_Admin_Assignment", "enabledRules": ["Justification"] },
                { "id": "Expiration_EndUser_Assignment", "isExpirationRequired": true, "maximumDuration": "PT8H" },
                { "id": "Expiration_Admin_Eligibility", "isExpirationRequired": false, "maximumDuration": "P365D" },
                { "id": "Expiration_Admin_Assignment", "isExpirationRequired": n < 12, "maximumDuration": "P180D" },
                told("Notification_Admin_Admin_Assignment"),
                told("Notification_Admin_Admin_Eligibility"),
                told("Notification_Admin_EndUser_Assignment"),
            ]);
            let policy = format!("DirectoryRole_simulated_{n}");
            json!({ "id": format!("{policy}_{role}"), "scopeId": "/", "scopeType": "DirectoryRole", "roleDefinitionId": role, "policyId": policy,
                "+policy": { "id": policy, "displayName": "DirectoryRole", "+rules": rules } })
        })
        .collect()
}
