//! The invented company's Okta organisation: its identity provider.

use serde_json::{Value, json};

use super::{Document, Okta, Plan};
use crate::company::{Account, App, Company, Factor, Right, Standing, State, Whose};

/// The company's subdomain.
const SUBDOMAIN: &str = "acme";

impl Okta {
    /// The company's organisation: settings from a plan, everything about people and who administers from the company.
    #[must_use]
    pub fn of_company(company: &Company) -> Self {
        let plan = Plan {
            subdomain: SUBDOMAIN.to_owned(),
            seed: company.seed,
            now: company.now,
            users: 0,
            care: 82,
            classic: false,
        };
        let mut okta = Self::generate(&plan);
        let accounts = company.accounts(App::Okta);
        let (mut present, mut gone) = (Vec::new(), Vec::new());
        for account in &accounts {
            let user = user(company, account);
            if user["status"] == "DEPROVISIONED" { gone.push(user) } else { present.push(user) }
        }
        okta.list("/api/v1/users", present);
        okta.list("/api/v1/users?filter=status eq \"DEPROVISIONED\"", gone);
        okta.administrators(&accounts);
        okta.tokens_of_people(company);
        let first = &company.people[company.admins[0]];
        okta.owner = first.email.clone();
        okta.owner_id = first.ids.okta.clone();
        okta.signed_by(&first.ids.okta);
        okta.documents.insert(
            "/api/v1/org/contacts/TECHNICAL".to_owned(),
            Document::Object(json!({ "userId": first.ids.okta })),
        );
        okta
    }

    /// Who set up the integration that the plan came with.
    fn signed_by(&mut self, id: &str) {
        if let Some(Document::List(all)) = self.documents.get_mut("/integrations/api/v1/api-services") {
            all.iter_mut().for_each(|service| service["createdBy"] = json!(id));
        }
    }

    fn list(&mut self, path: &str, records: Vec<Value>) {
        self.documents.insert(path.to_owned(), Document::List(records));
    }

    fn administrators(&mut self, accounts: &[Account]) {
        self.documents.retain(|path, _| !path.starts_with("/api/v1/users/"));
        let admins: Vec<&Account> = accounts.iter().filter(|a| a.right != Right::Member).collect();
        let assigned = admins
            .iter()
            .map(|a| json!({ "id": a.id, "orn": format!("orn:okta:directory:00oacme:users:{}", a.id) }));
        self.list("/api/v1/iam/assignees/users", assigned.collect());
        let mut parts = [
            ("HELP_DESK_ADMIN", "Help Desk Administrator", "GROUP"),
            ("READ_ONLY_ADMIN", "Read-only Administrator", "USER"),
            ("APP_ADMIN", "Application Administrator", "USER"),
            ("REPORT_ADMIN", "Report Administrator", "USER"),
        ]
        .into_iter()
        .cycle();
        for (n, admin) in admins.into_iter().enumerate() {
            let all = ("SUPER_ADMIN", "Super Administrator", "USER");
            let (kind, label, via) =
                if admin.right == Right::All { all } else { parts.next().unwrap_or(all) };
            self.list(
                &format!("/api/v1/users/{}/roles", admin.id),
                vec![json!({ "id": format!("ra{n}"), "label": label, "type": kind, "status": "ACTIVE", "assignmentType": via })],
            );
            let mut factors = vec![
                json!({ "id": format!("fb{n}"), "factorType": "question", "provider": "OKTA", "status": "ACTIVE" }),
            ];
            let second = match admin.factor {
                Factor::Passkey => Some(("webauthn", "FIDO")),
                Factor::App => Some(("push", "OKTA")),
                Factor::Sms => Some(("sms", "OKTA")),
                Factor::None => None,
            };
            factors.extend(second.map(|(kind, made_by)| {
                json!({ "id": format!("fa{n}"), "factorType": kind, "provider": made_by, "status": "ACTIVE" })
            }));
            self.list(&format!("/api/v1/users/{}/factors", admin.id), factors);
        }
    }

    /// A token in daily use, and one of the administrator who has not been seen for months.
    fn tokens_of_people(&mut self, company: &Company) {
        let token = |id: &str, name: &str, admin: usize, used: usize, connection: &str| {
            json!({ "id": id, "name": name, "userId": company.people[company.admins[admin]].ids.okta, "clientName": "Okta API",
                "tokenWindow": "P30D", "created": company.ago(600 + used).to_string(), "lastUpdated": company.ago(used).to_string(),
                "expiresAt": company.ago(0).to_string(), "network": { "connection": connection } })
        };
        let all = vec![
            token("00Tbackup", "Backup", 1, 1, "ZONE"),
            token("00Tmigration", "Migration of 2024", 3, 29, "ANYWHERE"),
        ];
        self.list("/api/v1/api-tokens", all);
    }
}

fn user(company: &Company, account: &Account) -> Value {
    let (standing, person) = match account.whose {
        Whose::Person(n) => (Some(company.people[n].standing), Some(&company.people[n])),
        _ => (None, None),
    };
    let status = match standing {
        Some(Standing::Joiner) => "PROVISIONED",
        Some(Standing::OnLeave) => "SUSPENDED",
        Some(Standing::Leaver) => "DEPROVISIONED",
        _ => "ACTIVE",
    };
    let never = account.state == State::Invited;
    let made = account.created_at.to_string();
    let changed = person.and_then(|p| p.left_at).unwrap_or(account.created_at).to_string();
    let (first, last) = account.names.unwrap_or(("Service", "Account"));
    let manager = person.and_then(|p| p.manager).map(|n| &company.people[n]);
    json!({
        "id": account.id, "status": status, "created": made, "activated": (!never).then_some(&made),
        "statusChanged": changed, "lastLogin": account.last_seen_at.map(|at| at.to_string()), "passwordChanged": made,
        "type": { "id": "oty1" },
        "profile": { "login": account.username, "email": account.email, "firstName": first, "lastName": last,
            "displayName": account.name, "userType": if person.is_some() { "person" } else { "service" },
            "secondEmail": person.and_then(|p| p.former_email.as_ref().or_else(|| p.aliases.first())),
            "employeeNumber": person.map(|p| &p.number), "department": person.map(|p| p.department.name()),
            "managerId": manager.map(|m| &m.number), "manager": manager.map(|m| &m.email) },
        "credentials": { "provider": { "type": "OKTA", "name": "OKTA" } },
    })
}
