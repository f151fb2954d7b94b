//! People, organisational units, roles, groups and what people let in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Document;
use crate::company::{
    Account, App, Company, DOMAIN, Department, Factor, NAME, Right, Standing, State, Whose,
};

pub(super) const CUSTOMER: &str = "C01acme00";

/// Organisational units: path and number. Contractors have one of their own, whose settings are not those of the others.
pub(super) const UNITS: [(&str, &str); 8] = [
    ("/", "03root0000000000"),
    ("/Engineering", "03unit0000000001"),
    ("/Data", "03unit0000000002"),
    ("/Product", "03unit0000000003"),
    ("/Design", "03unit0000000004"),
    ("/Marketing", "03unit0000000005"),
    ("/Contractors", "03unit0000000006"),
    ("/Service accounts", "03unit0000000007"),
];

fn unit(company: &Company, account: &Account) -> &'static str {
    match account.whose {
        Whose::Machine(_) => "/Service accounts",
        Whose::Person(n) => match (&company.people[n].standing, company.people[n].department) {
            (Standing::Contractor, _) => "/Contractors",
            (_, Department::Engineering) => "/Engineering",
            (_, Department::Data) => "/Data",
            (_, Department::Product) => "/Product",
            (_, Department::Design) => "/Design",
            (_, Department::Marketing) => "/Marketing",
            _ => "/",
        },
        _ => "/",
    }
}

/// Writes the directory; who administers what, by primary address.
pub(super) fn write(company: &Company, put: &mut impl FnMut(String, Document)) -> BTreeMap<String, bool> {
    let accounts = company.accounts(App::Google);
    let mut users: Vec<Value> = accounts.iter().map(|account| user(company, account)).collect();
    users.sort_by(|a, b| a["primaryEmail"].as_str().cmp(&b["primaryEmail"].as_str()));
    let customer = "/admin/directory/v1/customer/my_customer";
    put("/admin/directory/v1/users".to_owned(), Document::List("users", users));
    for key in ["my_customer", CUSTOMER] {
        let about = json!({ "kind": "admin#directory#customer", "id": CUSTOMER, "etag": "\"simulated\"", "customerDomain": DOMAIN,
            "alternateEmail": format!("admin@{DOMAIN}"), "language": "en", "customerCreationTime": "2014-03-03T09:00:00.000Z",
            "postalAddress": { "organizationName": NAME, "countryCode": "DE" }, "phoneNumber": "" });
        put(format!("/admin/directory/v1/customers/{key}"), Document::Object(about));
    }
    let units = UNITS.iter().map(|(path, id)| {
        let name = if *path == "/" { NAME } else { path.trim_start_matches('/') };
        let mut unit = json!({ "kind": "admin#directory#orgUnit", "etag": "\"simulated\"", "name": name, "description": "",
            "orgUnitPath": path, "orgUnitId": format!("id:{id}"), "blockInheritance": false });
        if *path != "/" {
            unit["parentOrgUnitPath"] = json!("/");
            unit["parentOrgUnitId"] = json!(format!("id:{}", UNITS[0].1));
        }
        unit
    });
    put(format!("{customer}/orgunits"), Document::List("organizationUnits", units.collect()));
    let domain = |name: &str, primary: bool, verified: bool| {
        json!({ "kind": "admin#directory#domain", "domainName": name, "isPrimary": primary, "verified": verified,
            "creationTime": "1393837200000", "domainAliases": [] })
    };
    put(
        format!("{customer}/domains"),
        Document::List(
            "domains",
            vec![domain(DOMAIN, true, true), domain("acme-labs.example", false, false)],
        ),
    );
    roles(customer, &accounts, put);
    groups(company, &accounts, put);
    tokens(company, &accounts, put);
    accounts
        .iter()
        .filter(|a| matches!(a.right, Right::All | Right::Part))
        .map(|a| (a.username.clone(), a.right == Right::All))
        .collect()
}

fn user(company: &Company, account: &Account) -> Value {
    let (given, family) = account.names.unwrap_or((account.name.as_str(), "Account"));
    let enrolled = account.factor != Factor::None;
    let unit = unit(company, account);
    // Two-step verification is off for contractors: it is theirs to enrol.
    let enforced = !matches!(unit, "/Contractors" | "/Service accounts");
    let (person, machine) = match account.whose {
        Whose::Person(n) => (Some(&company.people[n]), None),
        Whose::Machine(n) => (None, Some(&company.machines[n])),
        _ => (None, None),
    };
    let mut external = Vec::new();
    if let Some(link) = account.link.as_ref().and_then(|link| link.external_id.as_ref()) {
        external.push(json!({ "value": link, "type": "login_id" }));
    }
    external.extend(person.map(|p| json!({ "value": p.number, "type": "organization" })));
    let mut emails = vec![json!({ "address": account.username, "primary": true })];
    emails.extend(account.aliases.iter().map(|alias| json!({ "address": alias })));
    let stray = matches!(account.whose, Whose::Stray(_));
    let recovery = match person {
        Some(p) if company.admins[2..3].iter().any(|n| company.people[*n] == *p) => {
            Some(p.private_email.clone())
        }
        _ if stray => account.email.clone(),
        _ => None,
    };
    let mut user = json!({
        "kind": "admin#directory#user", "id": account.id, "etag": "\"simulated\"", "primaryEmail": account.username,
        "name": { "givenName": given, "familyName": family, "fullName": account.name },
        "isAdmin": account.right == Right::All, "isDelegatedAdmin": account.right == Right::Part,
        "lastLoginTime": account.last_seen_at.map_or_else(|| "1970-01-01T00:00:00.000Z".to_owned(), |at| at.to_string()),
        "creationTime": account.created_at.to_string(), "agreedToTerms": true, "suspended": account.state == State::Suspended,
        "archived": false, "changePasswordAtNextLogin": false, "ipWhitelisted": false, "emails": emails, "customerId": CUSTOMER,
        "orgUnitPath": unit, "isMailboxSetup": true, "isEnrolledIn2Sv": enrolled, "isEnforcedIn2Sv": enforced,
        "isGuestUser": false, "includeInGlobalAddressList": true,
    });
    let mut more = |name: &str, value: Value| user[name] = value;
    // What there is none of is left out.
    if !external.is_empty() {
        more("externalIds", json!(external));
    }
    if !account.aliases.is_empty() {
        more("aliases", json!(account.aliases));
    }
    if let Some(recovery) = recovery {
        more("recoveryEmail", json!(recovery));
    }
    if account.state == State::Suspended {
        more("suspensionReason", json!("ADMIN"));
    }
    if let Some(person) = person {
        more("organizations", json!([{ "department": person.department.name(), "primary": true }]));
        if let Some(manager) = person.manager {
            more("relations", json!([{ "value": company.people[manager].email, "type": "manager" }]));
        }
    }
    if let Some(machine) = machine {
        more("notes", json!({ "value": machine.purpose, "contentType": "text_plain" }));
    }
    user
}

fn roles(customer: &str, accounts: &[Account], put: &mut impl FnMut(String, Document)) {
    const ROLES: [(&str, &str, bool); 5] = [
        ("10000000000000001", "_SEED_ADMIN_ROLE", true),
        ("10000000000000002", "_USER_MANAGEMENT_ADMIN_ROLE", false),
        ("10000000000000003", "_HELP_DESK_ADMIN_ROLE", false),
        ("10000000000000004", "_GROUPS_ADMIN_ROLE", false),
        ("10000000000000005", "Room displays", false),
    ];
    let defined = ROLES.iter().map(|(id, name, all)| {
        json!({ "kind": "admin#directory#role", "etag": "\"simulated\"", "roleId": id, "roleName": name, "roleDescription": name,
            "isSystemRole": name.starts_with('_'), "isSuperAdminRole": all,
            "rolePrivileges": [{ "privilegeName": if *all { "SUPER_ADMIN" } else { "USERS_RETRIEVE" }, "serviceId": "00haapch16h1ysv" }] })
    });
    put(format!("{customer}/roles"), Document::List("items", defined.collect()));
    let mut parts = 0;
    let assigned = accounts.iter().filter_map(|account| {
        let role = match account.right {
            Right::All => 0,
            Right::Part => {
                parts += 1;
                1 + parts % 3
            }
            _ => return None,
        };
        Some(json!({ "kind": "admin#directory#roleAssignment", "etag": "\"simulated\"", "roleAssignmentId": format!("2000{}", account.id),
            "roleId": ROLES[role].0, "assignedTo": account.id, "assigneeType": "user", "scopeType": "CUSTOMER" }))
    });
    put(format!("{customer}/roleassignments"), Document::List("items", assigned.collect()));
}

/// Some groups; one takes mail from everybody and lets outsiders in.
fn groups(company: &Company, accounts: &[Account], put: &mut impl FnMut(String, Document)) {
    const GROUPS: [(&str, &str, bool); 5] = [
        ("engineering", "/Engineering", false),
        ("data", "/Data", false),
        ("product", "/Product", false),
        ("marketing", "/Marketing", false),
        ("partners", "/Contractors", true),
    ];
    let mut all = Vec::new();
    for (n, (name, path, open)) in GROUPS.iter().enumerate() {
        let email = format!("{name}@{DOMAIN}");
        let id = format!("01group{n:08}");
        let here = accounts.iter().filter(|a| a.state == State::Active && unit(company, a) == *path);
        let mut members: Vec<Value> = here
            .map(|a| json!({ "kind": "admin#directory#member", "id": a.id, "email": a.username, "role": "MEMBER", "type": "USER", "status": "ACTIVE" }))
            .collect();
        if *open {
            members.extend(company.guests.iter().take(4).map(|g| {
                json!({ "kind": "admin#directory#member", "id": g.ids.google, "email": g.email, "role": "MEMBER", "type": "USER", "status": "ACTIVE" })
            }));
        }
        all.push(json!({ "kind": "admin#directory#group", "id": id, "etag": "\"simulated\"", "email": email, "name": name, "description": "",
            "directMembersCount": members.len().to_string(), "adminCreated": true }));
        let who = |open: bool| if open { "ANYONE_CAN_JOIN" } else { "INVITED_CAN_JOIN" };
        let yes = |on: bool| if on { "true" } else { "false" };
        let settings = json!({ "kind": "groupsSettings#groups", "email": email, "name": name, "description": "", "whoCanJoin": who(*open),
            "whoCanViewMembership": "ALL_MEMBERS_CAN_VIEW", "whoCanViewGroup": if *open { "ANYONE_CAN_VIEW" } else { "ALL_MEMBERS_CAN_VIEW" },
            "allowExternalMembers": yes(*open), "whoCanPostMessage": if *open { "ANYONE_CAN_POST" } else { "ALL_IN_DOMAIN_CAN_POST" },
            "allowWebPosting": "true", "isArchived": "false", "archiveOnly": "false", "includeInGlobalAddressList": "true" });
        for key in [&email, &id] {
            put(
                format!("/admin/directory/v1/groups/{key}/members"),
                Document::List("members", members.clone()),
            );
        }
        put(format!("/groups/v1/groups/{email}"), Document::Object(settings));
    }
    put("/admin/directory/v1/groups".to_owned(), Document::List("groups", all));
}

/// What each person let in, as one listing a person, and the same as events of the last half year.
fn tokens(company: &Company, accounts: &[Account], put: &mut impl FnMut(String, Document)) {
    let mut of: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    let mut events = Vec::new();
    let by_person: BTreeMap<usize, &Account> = accounts
        .iter()
        .filter_map(|a| if let Whose::Person(n) = a.whose { Some((n, a)) } else { None })
        .collect();
    for (number, grant) in company.grants(App::Google).into_iter().enumerate() {
        let plugin = grant.plugin;
        let scopes: Vec<String> = plugin
            .google
            .iter()
            .map(|scope| {
                if *scope == "openid" {
                    (*scope).to_owned()
                } else {
                    format!("https://www.googleapis.com/auth/{scope}")
                }
            })
            .collect();
        let client = format!("{:012}-{}.apps.googleusercontent.com", 700_000_000 + number, plugin.slug);
        for n in &grant.users {
            let Some(account) = by_person.get(n) else { continue };
            of.entry(*n).or_default().push(json!({ "kind": "admin#directory#token", "etag": "\"simulated\"", "clientId": client,
                "displayText": plugin.name, "anonymous": false, "nativeApp": false, "userKey": account.id, "scopes": scopes }));
            if let Some(at) = grant.last_used_at.filter(|at| *at > company.ago(180)) {
                events.push(json!({ "kind": "admin#reports#activity",
                    "id": { "time": at.to_string(), "uniqueQualifier": format!("{}", number * 100_000 + n), "applicationName": "token", "customerId": CUSTOMER },
                    "actor": { "email": account.username, "profileId": account.id },
                    "events": [{ "type": "auth", "name": "authorize", "parameters": [
                        { "name": "client_id", "value": client }, { "name": "app_name", "value": plugin.name },
                        { "name": "scope", "multiValue": scopes }, { "name": "client_type", "value": "WEB" }] }] }));
            }
        }
    }
    for account in accounts {
        let n = if let Whose::Person(n) = account.whose { n } else { usize::MAX };
        let items = of.get(&n).cloned().unwrap_or_default();
        // One in sixty still has a password for a mail program of long ago.
        let old = if n != usize::MAX && n % 60 == 1 {
            vec![
                json!({ "kind": "admin#directory#asp", "codeId": n, "name": "Mail on my telephone", "creationTime": "1546300800000",
                "lastTimeUsed": "1735689600000", "userKey": account.id }),
            ]
        } else {
            Vec::new()
        };
        for key in [&account.id, &account.username] {
            put(format!("/admin/directory/v1/users/{key}/tokens"), Document::List("items", items.clone()));
            put(format!("/admin/directory/v1/users/{key}/asps"), Document::List("items", old.clone()));
        }
    }
    put(
        "/admin/reports/v1/activity/users/all/applications/token".to_owned(),
        Document::List("items", events),
    );
    reports(company, accounts, put);
}

/// What administrators did, and how super administrators sign in.
fn reports(company: &Company, accounts: &[Account], put: &mut impl FnMut(String, Document)) {
    let delegated = |n: usize, days: usize, client: &str, scopes: &[&str]| {
        let scopes: Vec<String> =
            scopes.iter().map(|s| format!("https://www.googleapis.com/auth/{s}")).collect();
        json!({ "kind": "admin#reports#activity",
            "id": { "time": company.ago(days).to_string(), "uniqueQualifier": format!("-{n}"), "applicationName": "admin", "customerId": CUSTOMER },
            "actor": { "email": company.people[company.admins[0]].email },
            "events": [{ "type": "DOMAIN_SETTINGS", "name": "AUTHORIZE_API_CLIENT_ACCESS", "parameters": [
                { "name": "DOMAIN_NAME", "value": DOMAIN }, { "name": "API_CLIENT_NAME", "value": client },
                { "name": "API_SCOPES", "value": scopes.join(",") }] }] })
    };
    let events = vec![
        delegated(1, 60, "110000000000000000001", &super::READ_SCOPES),
        delegated(2, 130, "110000000000000000002", &["gmail.readonly", "drive"]),
    ];
    put(
        "/admin/reports/v1/activity/users/all/applications/admin".to_owned(),
        Document::List("items", events),
    );
    let usage = accounts.iter().filter(|a| a.right == Right::All).map(|a| {
        let keys = i32::from(a.factor == Factor::Passkey);
        json!({ "kind": "admin#reports#usageReport", "date": company.ago(4).to_string()[..10].to_owned(),
            "entity": { "type": "USER", "customerId": CUSTOMER, "userEmail": a.username, "profileId": a.id },
            "parameters": [{ "name": "accounts:num_security_keys", "intValue": keys.to_string() },
                { "name": "accounts:is_2sv_enrolled", "boolValue": a.factor != Factor::None }] })
    });
    put(
        "/admin/reports/v1/usage/users/all/dates".to_owned(),
        Document::List("usageReports", usage.collect()),
    );
}
