//! The two organisations of the invented company: the engineers' with single sign-on, and the older one for what is published.

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::data::{self, MEMBERS, ORG_ADMIN, Plan};
use super::people::{Link, Person};
use super::{GitHub, Resource};
use crate::company::{Account, App, Company, DOMAIN, Factor, Right, State};

impl GitHub {
    /// One of the company's organisations, with so many repositories.
    ///
    /// # Panics
    /// With an application of another vendor.
    #[must_use]
    pub fn of_company(company: &Company, app: App, repositories: usize) -> Self {
        let (organization, enterprise, care) = match app {
            App::GitHub => ("acme", true, 85),
            App::GitHubOpenSource => ("acme-oss", false, 62),
            other => panic!("{other:?} is no organisation on GitHub"),
        };
        let accounts = company.accounts(app);
        let (outside, mut inside): (Vec<_>, Vec<_>) =
            accounts.into_iter().partition(|a| a.right == Right::Outside);
        let invited: Vec<Account> = inside.extract_if(.., |a| a.state == State::Invited).collect();
        // Owners first: they administer the repositories.
        inside.sort_by_key(|a| a.right != Right::All);
        let members: Vec<Person> = inside.iter().map(person).collect();
        let outside: Vec<Person> = outside.iter().map(person).collect();
        let seed = company.seed + u64::from(app == App::GitHubOpenSource);
        let plan = Plan {
            organization: organization.to_owned(),
            seed,
            now: company.now,
            repositories,
            members: members.len(),
            care,
            enterprise,
        };
        let made = data::generate_with(&plan, &members, &outside);
        let mut github = Self::of(plan.organization.clone(), made);
        github.invitations(company, &invited, &members);
        github.programs(company, app);
        github.tokens_of_people(company, &members);
        github.webhooks(company);
        github
    }

    fn place(
        &mut self,
        path: String,
        needs: (&'static str, &'static str),
        value: Value,
        list_at: Option<&str>,
    ) {
        let list_at = list_at.map(str::to_owned);
        self.rest.insert(path, Resource { value, list_at, needs, status: 200 });
    }

    fn invitations(&mut self, company: &Company, invited: &[Account], members: &[Person]) {
        let base = format!("/orgs/{}", self.organization);
        let one = |id: usize, email: &str, days: usize| {
            json!({ "id": id, "login": null, "email": email, "role": "direct_member",
                "created_at": company.ago(days).to_string(), "inviter": { "login": members[0].login }, "team_count": 1 })
        };
        let pending: Vec<Value> = invited
            .iter()
            .enumerate()
            .map(|(n, a)| one(100 + n, a.email.as_deref().unwrap_or_default(), 1 + n % 4))
            .collect();
        self.place(format!("{base}/invitations"), MEMBERS, Value::Array(pending), None);
        let mut expired = one(90, &format!("long.gone@{DOMAIN}"), 40);
        expired["failed_at"] = json!(company.ago(33).to_string());
        expired["failed_reason"] = json!("Expired");
        self.place(format!("{base}/failed_invitations"), MEMBERS, json!([expired]), None);
    }

    fn programs(&mut self, company: &Company, app: App) {
        let o = self.organization.clone();
        let mut installed = Vec::new();
        for (n, grant) in company.grants(app).iter().enumerate() {
            let plugin = grant.plugin;
            let slug = plugin.slug;
            let address =
                format!("https://github.com/organizations/{o}/settings/installations/{}", 9_000 + n);
            self.place(
                format!("/apps/{slug}"),
                ("", ""),
                json!({ "id": 300 + n, "slug": slug, "name": plugin.name,
                    "owner": { "login": plugin.publisher, "type": "Organization" },
                    "external_url": format!("https://{slug}.example"), "html_url": format!("https://github.com/apps/{slug}") }),
                None,
            );
            let permissions: serde_json::Map<String, Value> =
                plugin.github.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect();
            installed.push(json!({ "id": 9_000 + n, "app_id": 300 + n, "app_slug": slug, "target_type": "Organization",
                "account": { "login": o, "type": "Organization" }, "permissions": permissions, "events": ["push"],
                "repository_selection": if plugin.selected { "selected" } else { "all" },
                "created_at": grant.created_at.to_string(), "updated_at": grant.created_at.to_string(),
                "suspended_at": null, "suspended_by": null, "html_url": address }));
        }
        let list = json!({ "total_count": installed.len(), "installations": installed });
        self.place(format!("/orgs/{o}/installations"), ORG_ADMIN, list, Some("installations"));
    }

    /// Fine-grained tokens: some in daily use, one that nobody has used for more than a year and that never ends.
    fn tokens_of_people(&mut self, company: &Company, members: &[Person]) {
        let o = self.organization.clone();
        let token = |n: usize, name: &str, write: bool, used: Option<usize>, ends: Option<i64>| {
            let person = &members[(n * 7) % members.len()];
            let instant = |at: Timestamp| json!(at.to_string());
            json!({ "id": 40 + n, "owner": { "login": person.login, "id": person.id, "type": "User" },
                "repository_selection": if write { "all" } else { "subset" },
                "repositories_url": format!("https://api.github.com/organizations/1/personal-access-tokens/{}/repositories", 40 + n),
                "permissions": { "organization": { "members": "read" },
                    "repository": { "contents": if write { "write" } else { "read" }, "metadata": "read" } },
                "access_granted_at": company.ago(420 + n).to_string(), "token_id": 900 + n, "token_name": name,
                "token_expired": false, "token_expires_at": ends.map(|days| instant(company.now + Duration::days(days))),
                "token_last_used_at": used.map(|days| instant(company.ago(days))) })
        };
        let all = json!([
            token(0, "laptop", false, Some(1), Some(60)),
            token(1, "release-notes", false, Some(3), Some(25)),
            token(2, "migration-2024", true, Some(400), None),
            token(3, "experiment", true, None, Some(300)),
        ]);
        let needs = ("organization_personal_access_tokens:read", "@app only");
        self.place(format!("/orgs/{o}/personal-access-tokens"), needs, all, None);
    }

    /// Three hooks of the organisation; the oldest sends in the clear to somebody's machine.
    fn webhooks(&mut self, company: &Company) {
        let o = self.organization.clone();
        let hook = |n: usize, url: &str, careful: bool, days: usize| {
            let mut config = json!({ "url": url, "content_type": "json", "insecure_ssl": if careful { "0" } else { "1" } });
            if careful {
                config["secret"] = json!("********");
            }
            json!({ "id": 700 + n, "name": "web", "active": true, "events": ["push", "pull_request"],
                "type": "Organization", "config": config, "created_at": company.ago(days).to_string(),
                "updated_at": company.ago(days / 4).to_string(),
                "url": format!("https://api.github.com/orgs/{o}/hooks/{}", 700 + n) })
        };
        let all = json!([
            hook(0, "https://ci.acme.example/github", true, 900),
            hook(1, "https://chat.acme.example/hooks/github", true, 300),
            hook(2, "http://build-old.acme.example:8080/notify", false, 1_400),
        ]);
        self.place(format!("/orgs/{o}/hooks"), ("organization_hooks:read", "admin:org_hook"), all, None);
    }
}

fn person(account: &Account) -> Person {
    let ours = account.email.as_ref().filter(|address| address.ends_with(&format!("@{DOMAIN}")));
    Person {
        login: account.username.clone(),
        name: account.name.clone(),
        id: account.id.parse().unwrap_or(0),
        owner: account.right == Right::All,
        second_factor: account.factor != Factor::None,
        link: account.link.as_ref().map(|link| Link {
            name_id: link.name_id.clone(),
            external_id: link.external_id.clone(),
            email: link.email.clone(),
        }),
        verified: ours.into_iter().cloned().collect(),
        created: account.created_at,
    }
}
