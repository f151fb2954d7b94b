//! An organisation from a plan: what REST and GraphQL tell of it, made from one set of facts so that they agree.

use std::collections::BTreeMap;

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::Resource;
use super::people::{Link, Person};
use crate::seed::Seed;

/// What an organisation is to look like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Login: `acme`.
    pub organization: String,
    /// The same seed gives the same organisation.
    pub seed: u64,
    /// The present, from which ages are counted.
    pub now: Timestamp,
    /// Repositories.
    pub repositories: usize,
    /// Members.
    pub members: usize,
    /// How well it is run: share of good settings in percent.
    pub care: usize,
    /// Has SAML single sign-on and Enterprise Cloud features.
    pub enterprise: bool,
}

pub(super) struct Maker<'a> {
    pub(super) plan: &'a Plan,
    pub(super) seed: Seed,
    pub(super) rest: BTreeMap<String, Resource>,
}

pub(super) const ORG_ADMIN: (&str, &str) = ("organization_administration:read", "admin:org");
pub(super) const MEMBERS: (&str, &str) = ("members:read", "read:org");
pub(super) const REPO_ADMIN: (&str, &str) = ("administration:read", "repo");

pub(super) fn generate(plan: &Plan) -> (BTreeMap<String, Resource>, Value) {
    let mut maker = Maker { plan, seed: Seed::new(plan.seed), rest: BTreeMap::new() };
    let people = maker.people();
    let outside = maker.outside();
    maker.finish(&people, &outside)
}

/// An organisation of these people: the plan's numbers of them are not looked at.
pub(super) fn generate_with(
    plan: &Plan,
    people: &[Person],
    outside: &[Person],
) -> (BTreeMap<String, Resource>, Value) {
    Maker { plan, seed: Seed::new(plan.seed), rest: BTreeMap::new() }.finish(people, outside)
}

impl Maker<'_> {
    fn finish(mut self, people: &[Person], outside: &[Person]) -> (BTreeMap<String, Resource>, Value) {
        self.organization();
        self.actions();
        self.hooks_and_apps(people);
        self.member_lists(people, outside);
        let repositories = self.repositories(people, outside);
        self.alerts(&repositories);
        let graphql = self.graphql(people, repositories);
        (self.rest, graphql)
    }
}

impl Maker<'_> {
    pub(super) fn good(&mut self) -> bool {
        let care = self.plan.care;
        self.seed.chance(care)
    }

    pub(super) fn ago(&self, days: usize) -> String {
        (self.plan.now - Duration::days(i64::try_from(days).unwrap_or(0))).to_string()
    }

    pub(super) fn put(&mut self, path: impl Into<String>, needs: (&'static str, &'static str), value: Value) {
        self.rest.insert(path.into(), Resource { value, list_at: None, needs, status: 200 });
    }

    pub(super) fn put_list(
        &mut self,
        path: impl Into<String>,
        needs: (&'static str, &'static str),
        at: &str,
        items: Vec<Value>,
    ) {
        let mut object = serde_json::Map::new();
        object.insert("total_count".to_owned(), json!(items.len()));
        object.insert(at.to_owned(), Value::Array(items));
        self.rest.insert(
            path.into(),
            Resource { value: Value::Object(object), list_at: Some(at.to_owned()), needs, status: 200 },
        );
    }

    fn organization(&mut self) {
        let o = self.plan.organization.clone();
        let mut flag = |good: bool| if self.seed.chance(self.plan.care) { good } else { !good };
        let value = json!({
            "login": o, "id": 5_000_000 + self.plan.seed, "node_id": format!("O_sim{:06}", self.plan.seed),
            "name": o, "type": "Organization", "plan": { "name": if self.plan.enterprise { "enterprise" } else { "team" } },
            "created_at": "2019-02-11T10:00:00Z",
            "two_factor_requirement_enabled": flag(true),
            "default_repository_permission": if flag(true) { "read" } else { "write" },
            "members_can_create_repositories": !flag(true),
            "members_can_create_public_repositories": !flag(true),
            "members_can_create_private_repositories": true,
            "members_can_create_internal_repositories": self.plan.enterprise,
            "members_allowed_repository_creation_type": "all",
            "members_can_delete_repositories": !flag(true),
            "members_can_change_repo_visibility": !flag(true),
            "members_can_fork_private_repositories": !flag(true),
            "members_can_invite_outside_collaborators": !flag(true),
            "members_can_delete_issues": !flag(true),
            "members_can_create_pages": true,
            "members_can_create_public_pages": !flag(true),
            "members_can_create_private_pages": true,
            "members_can_create_teams": true,
            "members_can_view_dependency_insights": true,
            "is_verified": flag(true),
            "web_commit_signoff_required": flag(true),
            "deploy_keys_enabled_for_repositories": !flag(true),
            "readers_can_create_discussions": true,
            "display_commenter_full_name_setting_enabled": false,
            "secret_scanning_enabled_for_new_repositories": flag(true),
            "secret_scanning_push_protection_enabled_for_new_repositories": flag(true),
            "dependabot_alerts_enabled_for_new_repositories": flag(true),
            "dependabot_security_updates_enabled_for_new_repositories": flag(true),
            "dependency_graph_enabled_for_new_repositories": flag(true),
            "advanced_security_enabled_for_new_repositories": flag(true),
        });
        self.put(format!("/orgs/{o}"), ("", ""), value);
        let configuration = |on: bool| if on { "enabled" } else { "disabled" };
        let (a, b, c) = (self.good(), self.good(), self.good());
        self.put(
            format!("/orgs/{o}/code-security/configurations/defaults"),
            ("organization_administration:write", "read:org"),
            json!([{ "default_for_new_repos": "all", "configuration": {
                "id": 17, "target_type": "global", "name": "GitHub recommended", "description": "",
                "advanced_security": configuration(c), "dependency_graph": "enabled",
                "dependabot_alerts": configuration(a), "dependabot_security_updates": configuration(b),
                "code_scanning_default_setup": "enabled", "secret_scanning": configuration(a),
                "secret_scanning_push_protection": configuration(b), "private_vulnerability_reporting": "enabled",
                "enforcement": "enforced", "created_at": self.ago(300), "updated_at": self.ago(30),
            } }]),
        );
    }

    fn actions(&mut self) {
        let o = self.plan.organization.clone();
        let base = format!("/orgs/{o}/actions");
        let needs = ORG_ADMIN;
        let (selected, actions, pinned, patterns, read, approve) =
            (self.good(), self.good(), self.good(), self.good(), self.good(), self.good());
        self.put(
            format!("{base}/permissions"),
            needs,
            json!({ "enabled_repositories": if selected { "selected" } else { "all" },
                "allowed_actions": if actions { "selected" } else { "all" }, "sha_pinning_required": pinned }),
        );
        self.put(
            format!("{base}/permissions/selected-actions"),
            needs,
            json!({ "github_owned_allowed": true, "verified_allowed": true,
                "patterns_allowed": if patterns { json!(["monalisa/octocat@*"]) } else { json!(["*"]) } }),
        );
        self.put(
            format!("{base}/permissions/workflow"),
            needs,
            json!({ "default_workflow_permissions": if read { "read" } else { "write" },
                "can_approve_pull_request_reviews": !approve }),
        );
        let (forks, private) = (self.good(), self.good());
        self.put(
            format!("{base}/permissions/fork-pr-contributor-approval"),
            needs,
            json!({ "approval_policy": if forks { "all_external_contributors" } else { "first_time_contributors" } }),
        );
        self.put(
            format!("{base}/permissions/fork-pr-workflows-private-repos"),
            needs,
            json!({ "run_workflows_from_fork_pull_requests": !private, "send_write_tokens_to_workflows": !private,
                "send_secrets_and_variables": false, "require_approval_for_fork_pr_workflows": true }),
        );
        let (public, visibility) = (self.good(), self.good());
        self.put_list(
            format!("{base}/runner-groups"),
            ("organization_self_hosted_runners:read", "admin:org"),
            "runner_groups",
            vec![
                json!({ "id": 1, "name": "Default", "visibility": "all", "default": true, "inherited": false,
                    "allows_public_repositories": false, "restricted_to_workflows": false, "selected_workflows": [] }),
                json!({ "id": 2, "name": "build-farm", "visibility": if visibility { "selected" } else { "all" },
                    "default": false, "inherited": false, "allows_public_repositories": !public,
                    "restricted_to_workflows": false, "selected_workflows": [] }),
            ],
        );
        let secrets = (0..4)
            .map(|n| {
                let (all, age) = (!self.good(), 20 + self.seed.below(700));
                let name = ["NPM_TOKEN", "DEPLOY_KEY", "SIGNING_KEY", "CHAT_WEBHOOK"][n];
                json!({ "name": name,
                    "created_at": self.ago(age + 50), "updated_at": self.ago(age),
                    "visibility": if all { "all" } else { "selected" } })
            })
            .collect();
        self.put_list(
            format!("{base}/secrets"),
            ("organization_secrets:read", "admin:org"),
            "secrets",
            secrets,
        );
    }

    fn hooks_and_apps(&mut self, people: &[Person]) {
        let o = self.plan.organization.clone();
        let hooks: Vec<Value> = (0..3)
            .map(|n| {
                let (tls, secret) = (self.good(), self.good());
                let host = ["ci.example.com", "chat.example.net", "audit.example.org"][n];
                let mut config = json!({ "url": format!("{}://{host}/github", if tls { "https" } else { "http" }),
                    "content_type": "json", "insecure_ssl": if tls { "0" } else { "1" } });
                if secret {
                    config["secret"] = json!("********");
                }
                json!({ "id": 700 + n, "name": "web", "active": true, "events": ["push", "pull_request"], "type": "Organization",
                    "config": config, "created_at": self.ago(500), "updated_at": self.ago(90),
                    "url": format!("https://api.github.com/orgs/{o}/hooks/{}", 700 + n) })
            })
            .collect();
        self.put(
            format!("/orgs/{o}/hooks"),
            ("organization_hooks:read", "admin:org_hook"),
            Value::Array(hooks),
        );
        let apps = [
            (
                "merge-helper",
                json!({ "contents": "write", "pull_requests": "write", "metadata": "read" }),
                "all",
                "merge-helper-inc",
            ),
            ("coverage-bot", json!({ "checks": "write", "metadata": "read" }), "selected", "coverage-works"),
            (
                "secret-sweeper",
                json!({ "contents": "read", "secret_scanning_alerts": "read", "metadata": "read" }),
                "all",
                "sweeper-labs",
            ),
            (
                "old-deployer",
                json!({ "administration": "write", "secrets": "write", "workflows": "write" }),
                "all",
                "left-the-company",
            ),
        ];
        let installations = apps
            .iter()
            .enumerate()
            .map(|(n, (slug, permissions, reach, publisher))| {
                self.put(
                    format!("/apps/{slug}"),
                    ("", ""),
                    json!({ "id": 300 + n, "slug": slug, "name": slug, "owner": { "login": publisher, "type": "Organization" },
                        "external_url": format!("https://{slug}.example.com"), "html_url": format!("https://github.com/apps/{slug}") }),
                );
                json!({ "id": 9_000 + n, "app_id": 300 + n, "app_slug": slug, "target_type": "Organization",
                    "account": { "login": o, "type": "Organization" }, "repository_selection": reach,
                    "permissions": permissions, "events": ["push"], "created_at": self.ago(400 - n * 60),
                    "updated_at": self.ago(20 + n * 30), "suspended_at": null, "suspended_by": null,
                    "html_url": format!("https://github.com/organizations/{o}/settings/installations/{}", 9_000 + n) })
            })
            .collect();
        self.put_list(format!("/orgs/{o}/installations"), ORG_ADMIN, "installations", installations);
        let fine: Vec<Value> = (0..3)
            .map(|n| {
                let person = &people[n % people.len()];
                json!({ "id": 40 + n, "owner": { "login": person.login, "id": person.id, "type": "User" },
                    "repository_selection": if n == 0 { "all" } else { "subset" },
                    "repositories_url": format!("https://api.github.com/organizations/1/personal-access-tokens/{}/repositories", 40 + n),
                    "permissions": { "organization": { "members": "read" }, "repository": { "contents": if n == 0 { "write" } else { "read" }, "metadata": "read" } },
                    "access_granted_at": self.ago(200), "token_id": 900 + n, "token_name": format!("laptop-{n}"),
                    "token_expired": false, "token_expires_at": if n == 2 { Value::Null } else { json!((self.plan.now + Duration::days(60)).to_string()) },
                    "token_last_used_at": self.ago(3 + n * 90) })
            })
            .collect();
        let needs = ("organization_personal_access_tokens:read", "@app only");
        self.put(format!("/orgs/{o}/personal-access-tokens"), needs, Value::Array(fine));
        self.put(
            format!("/orgs/{o}/personal-access-token-requests"),
            ("organization_personal_access_token_requests:read", "@app only"),
            json!([]),
        );
        let authorizations: Vec<Value> = people
            .iter()
            .take(4)
            .enumerate()
            .map(|(n, person)| {
                let ssh = n % 2 == 1;
                json!({ "login": person.login, "credential_id": 160 + n,
                    "credential_type": if ssh { "SSH key" } else { "personal access token" },
                    "token_last_eight": if ssh { Value::Null } else { json!(format!("c0ffee{n:02}")) },
                    "credential_authorized_at": self.ago(300), "credential_accessed_at": self.ago(2 + n * 60),
                    "authorized_credential_id": 12_345 + n, "authorized_credential_title": if ssh { json!("work laptop") } else { Value::Null },
                    "authorized_credential_note": if ssh { Value::Null } else { json!("release script") },
                    "authorized_credential_expires_at": Value::Null,
                    "scopes": if ssh { json!([]) } else { json!(["repo", "admin:org"]) },
                    "fingerprint": if ssh { json!("SHA256:simulated") } else { Value::Null } })
            })
            .collect();
        if self.plan.enterprise {
            self.put(format!("/orgs/{o}/credential-authorizations"), ORG_ADMIN, Value::Array(authorizations));
        }
    }

    fn alerts(&mut self, repositories: &[Value]) {
        let o = self.plan.organization.clone();
        let pick = |seed: &mut Seed, most: usize| -> Vec<Value> {
            let count = if repositories.is_empty() { 0 } else { seed.below(most + 1) };
            (0..count).map(|_| repositories[seed.below(repositories.len())]["name"].clone()).collect()
        };
        let many = (100 - self.plan.care) / 12;
        let mut seed = self.seed.clone();
        let (secret, dependabot, scanning) =
            (pick(&mut seed, many), pick(&mut seed, many * 2), pick(&mut seed, many));
        self.seed = seed;
        let at = self.ago(12);
        let alert = |n: usize, repository: &Value, more: Value| {
            let mut alert = json!({ "number": n + 1, "state": "open", "created_at": at, "updated_at": at,
                "html_url": format!("https://github.com/{o}/alerts/{n}"),
                "repository": { "id": n, "name": repository, "full_name": format!("{o}/{}", repository.as_str().unwrap_or("")) } });
            if let (Some(alert), Some(more)) = (alert.as_object_mut(), more.as_object()) {
                alert.extend(more.clone());
            }
            alert
        };
        let secret: Vec<Value> = secret.iter().enumerate().map(|(n, r)| {
            alert(n, r, json!({ "secret_type": "slack_api_token", "secret_type_display_name": "Slack API Token", "secret": "hidden", "validity": "unknown", "push_protection_bypassed": false }))
        }).collect();
        let dependabot: Vec<Value> = dependabot.iter().enumerate().map(|(n, r)| {
            alert(n, r, json!({ "dependency": { "package": { "ecosystem": "npm", "name": "left-pad" }, "manifest_path": "package.json", "scope": "runtime" },
                "security_advisory": { "ghsa_id": "GHSA-sim0-0000-0000", "cve_id": null, "severity": "critical", "summary": "Simulated advisory" },
                "security_vulnerability": { "severity": "critical" } }))
        }).collect();
        let scanning: Vec<Value> = scanning.iter().enumerate().map(|(n, r)| {
            alert(n, r, json!({ "rule": { "id": "js/sql-injection", "severity": "error", "security_severity_level": "critical", "description": "Query built from user input" },
                "tool": { "name": "CodeQL", "version": "2.20.0" } }))
        }).collect();
        for (path, needs, items) in [
            ("secret-scanning", ("secret_scanning_alerts:read", "security_events"), secret),
            ("dependabot", ("vulnerability_alerts:read", "security_events"), dependabot),
            ("code-scanning", ("security_events:read", "security_events"), scanning),
        ] {
            self.put(format!("/orgs/{o}/{path}/alerts"), needs, Value::Array(items));
        }
    }

    fn graphql(&mut self, people: &[Person], repositories: Vec<Value>) -> Value {
        let o = self.plan.organization.clone();
        let members: Vec<Value> = people
            .iter()
            .map(|p| {
                json!({ "__typename": "User", "databaseId": p.id, "login": p.login, "name": p.name, "url": format!("https://github.com/{}", p.login), "email": "",
                    "createdAt": p.created.to_string(), "@organizationVerifiedDomainEmails": { o.as_str(): p.verified },
                    "@edge": { "role": if p.owner { "ADMIN" } else { "MEMBER" }, "hasTwoFactorEnabled": p.second_factor } })
            })
            .collect();
        let identities: Vec<Value> = people
            .iter()
            .filter_map(|p| {
                let Link { name_id, email, external_id } = p.link.as_ref()?;
                let scim = external_id
                    .as_ref()
                    .map(|_| json!({ "username": email, "emails": [{ "value": email }] }));
                Some(json!({ "guid": format!("guid-{}", p.id), "user": { "login": p.login },
                    "samlIdentity": { "nameId": name_id, "username": email, "emails": [{ "value": email }] },
                    "scimIdentity": scim }))
            })
            .collect();
        let (allow, apps, restrict) = (self.good(), self.good(), self.good());
        let setting = |on: bool| if on { "ENABLED" } else { "DISABLED" };
        let sso = if self.plan.enterprise {
            json!({ "__typename": "OrganizationIdentityProvider", "ssoUrl": "https://idp.example.com/saml",
                "issuer": "https://idp.example.com", "externalIdentities": identities })
        } else {
            Value::Null
        };
        let rulesets = if self.good() { json!([self.ruleset(0)]) } else { json!([]) };
        json!({
            "viewer": { "login": "parapet" },
            "rateLimit": { "cost": 1, "limit": 5_000, "remaining": 4_990, "resetAt": (self.plan.now + Duration::hours(1)).to_string() },
            "organization": {
                "__typename": "Organization", "login": o, "databaseId": 5_000_000 + self.plan.seed,
                "ipAllowListEnabledSetting": setting(allow), "ipAllowListForInstalledAppsEnabledSetting": setting(apps),
                "notificationDeliveryRestrictionEnabledSetting": setting(restrict),
                "samlIdentityProvider": sso, "membersWithRole": members, "repositories": repositories, "rulesets": rulesets,
            },
        })
    }
}
