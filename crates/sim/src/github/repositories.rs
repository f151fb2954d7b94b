//! Repositories of a generated organisation: what GraphQL tells of each, and what only a request per repository answers.

use serde_json::{Value, json};

use super::data::{Maker, REPO_ADMIN};
use super::people::Person;
use crate::seed::{KINDS, THINGS};

impl Maker<'_> {
    pub(super) fn repositories(&mut self, people: &[Person], outside: &[Person]) -> Vec<Value> {
        let mut nodes = Vec::with_capacity(self.plan.repositories);
        for n in 0..self.plan.repositories {
            let name = format!("{}-{}-{n:04}", self.seed.pick(THINGS), self.seed.pick(KINDS));
            let node = self.repository(n, &name, outside);
            self.repository_rest(n, &name, &node, people, outside);
            nodes.push(node);
        }
        nodes.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        nodes
    }

    fn repository(&mut self, n: usize, name: &str, outside: &[Person]) -> Value {
        let o = self.plan.organization.clone();
        let visibility = if self.seed.chance(12) { "PUBLIC" } else { "PRIVATE" };
        let archived = self.seed.chance(6);
        let empty = self.seed.chance(3);
        let lively = self.seed.chance(80);
        let pushed = self.seed.below(if lively { 120 } else { 900 });
        let keys = usize::from(self.seed.chance(6));
        let environments = usize::from(self.seed.chance(15));
        let releases = usize::from(self.seed.chance(20));
        let foreign: Vec<Value> = if self.seed.chance(5) && !outside.is_empty() {
            let person = &outside[self.seed.below(outside.len())];
            let permission = if self.seed.chance(40) { "WRITE" } else { "READ" };
            vec![
                json!({ "__typename": "User", "login": person.login, "@edge": { "permission": permission } }),
            ]
        } else {
            Vec::new()
        };
        let mut files = serde_json::Map::new();
        if self.good() {
            files.insert("HEAD:.github/CODEOWNERS".to_owned(), json!({ "oid": format!("{n:040x}") }));
        }
        if self.good() {
            files.insert("HEAD:SECURITY.md".to_owned(), json!({ "oid": format!("{:040x}", n + 7) }));
        }
        let security = files.contains_key("HEAD:SECURITY.md");
        let branch = if empty { Value::Null } else { self.branch() };
        let ruled = branch["rules"].as_array().is_some_and(|r| !r.is_empty());
        let rulesets = if ruled { vec![self.ruleset(n)] } else { Vec::new() };
        json!({
            "__typename": "Repository", "databaseId": 100_000 + n, "name": name, "nameWithOwner": format!("{o}/{name}"),
            "visibility": visibility, "isArchived": archived, "isDisabled": false, "isFork": false, "isEmpty": empty,
            "isPrivate": visibility == "PRIVATE", "pushedAt": if empty { Value::Null } else { json!(self.ago(pushed)) },
            "createdAt": self.ago(1_200), "deleteBranchOnMerge": self.good(), "hasVulnerabilityAlertsEnabled": self.good(),
            "isSecurityPolicyEnabled": security, "viewerCanAdminister": true, "defaultBranchRef": branch,
            "rulesets": rulesets, "@object": files,
            "deployKeys": vec![json!({ "id": "k" }); keys], "environments": vec![json!({ "name": "production" }); environments],
            "releases": vec![json!({ "name": "v1" }); releases], "collaborators": foreign,
        })
    }

    fn branch(&mut self) -> Value {
        let classic = self.good();
        let ruled = !classic && self.good();
        let protection = if classic {
            let mut flag = || self.seed.chance(self.plan.care);
            json!({ "pattern": "main", "isAdminEnforced": flag(), "allowsForcePushes": !flag(), "allowsDeletions": !flag(),
                "requiresApprovingReviews": flag(), "requiredApprovingReviewCount": if flag() { 2 } else { 1 },
                "dismissesStaleReviews": flag(), "restrictsReviewDismissals": flag(), "requiresCodeOwnerReviews": flag(),
                "requiresStatusChecks": flag(), "requiredStatusCheckContexts": if flag() { json!(["build"]) } else { json!([]) },
                "requiresStrictStatusChecks": flag(), "requiresConversationResolution": flag(),
                "requiresCommitSignatures": flag(), "requiresLinearHistory": flag(), "restrictsPushes": flag(), "lockBranch": false })
        } else {
            Value::Null
        };
        let rules = if ruled {
            json!([
                { "type": "PULL_REQUEST", "repositoryRuleset": { "databaseId": 1, "enforcement": "ACTIVE" },
                  "parameters": { "__typename": "PullRequestParameters", "requiredApprovingReviewCount": 2, "dismissStaleReviewsOnPush": true,
                    "requireCodeOwnerReview": true, "requiredReviewThreadResolution": false } },
                { "type": "NON_FAST_FORWARD", "repositoryRuleset": { "databaseId": 1, "enforcement": "ACTIVE" }, "parameters": null },
                { "type": "DELETION", "repositoryRuleset": { "databaseId": 1, "enforcement": "ACTIVE" }, "parameters": null },
                { "type": "REQUIRED_STATUS_CHECKS", "repositoryRuleset": { "databaseId": 1, "enforcement": "ACTIVE" },
                  "parameters": { "__typename": "RequiredStatusChecksParameters", "strictRequiredStatusChecksPolicy": true,
                    "requiredStatusChecks": [{ "context": "build" }] } }
            ])
        } else {
            json!([])
        };
        let update = if classic { json!({ "pattern": "main" }) } else { Value::Null };
        json!({ "name": "main", "branchProtectionRule": protection, "refUpdateRule": update, "rules": rules })
    }

    pub(super) fn ruleset(&mut self, n: usize) -> Value {
        let bypass = if self.good() {
            json!([])
        } else {
            json!([{ "bypassMode": "ALWAYS", "organizationAdmin": true, "enterpriseOwner": false, "deployKey": false,
                "repositoryRoleName": null, "actor": null }])
        };
        json!({ "databaseId": 50_000 + n, "name": "default branch", "enforcement": "ACTIVE", "target": "BRANCH",
            "conditions": { "refName": { "include": ["~DEFAULT_BRANCH"], "exclude": [] }, "repositoryName": null },
            "rules": [{ "type": "PULL_REQUEST" }, { "type": "NON_FAST_FORWARD" }], "bypassActors": bypass })
    }

    fn repository_rest(&mut self, n: usize, name: &str, node: &Value, people: &[Person], outside: &[Person]) {
        let o = self.plan.organization.clone();
        let base = format!("/repos/{o}/{name}");
        let on = |good: bool| json!({ "status": if good { "enabled" } else { "disabled" } });
        let (scanning, protection) = (self.good(), self.good());
        let public = node["visibility"] == "PUBLIC";
        let summary = json!({ "id": 100_000 + n, "name": name, "full_name": format!("{o}/{name}"), "private": !public,
            "visibility": if public { "public" } else { "private" }, "archived": node["isArchived"], "disabled": false, "fork": false,
            "pushed_at": node["pushedAt"], "default_branch": "main", "delete_branch_on_merge": node["deleteBranchOnMerge"],
            "security_and_analysis": { "secret_scanning": on(scanning), "secret_scanning_push_protection": on(protection) } });
        if let Some(list) = self.rest.get_mut(&format!("/orgs/{o}/repos")) {
            if let Some(items) = list.value.as_array_mut() {
                items.push(summary.clone());
            }
        } else {
            self.put(format!("/orgs/{o}/repos"), ("metadata:read", "repo"), json!([summary]));
        }
        self.put(base.clone(), ("metadata:read", "repo"), summary);
        let hooks = if self.seed.chance(15) {
            let tls = self.good();
            json!([{ "id": n, "name": "web", "active": true, "events": ["push"], "type": "Repository",
                "config": { "url": format!("https://build{n}.example.com/hook"), "content_type": "json", "insecure_ssl": if tls { "0" } else { "1" } },
                "created_at": self.ago(300), "updated_at": self.ago(100) }])
        } else {
            json!([])
        };
        self.put(format!("{base}/hooks"), ("repository_hooks:read", "repo"), hooks);
        let keys = if node["deployKeys"].as_array().is_some_and(|k| !k.is_empty()) {
            let read_only = self.good();
            json!([{ "id": 800_000 + n, "title": "deploy", "read_only": read_only, "verified": true, "enabled": true,
                "created_at": self.ago(600), "last_used": self.ago(10), "added_by": people[0].login }])
        } else {
            json!([])
        };
        self.put(format!("{base}/keys"), REPO_ADMIN, keys);
        let (read, approve) = (self.good(), self.good());
        self.put(
            format!("{base}/actions/permissions/workflow"),
            REPO_ADMIN,
            json!({ "default_workflow_permissions": if read { "read" } else { "write" }, "can_approve_pull_request_reviews": !approve }),
        );
        let environments = if node["environments"].as_array().is_some_and(|k| !k.is_empty()) {
            let reviewed = self.good();
            vec![
                json!({ "id": n, "name": "production", "created_at": self.ago(400), "updated_at": self.ago(40),
                "protection_rules": if reviewed { json!([{ "id": 1, "type": "required_reviewers", "prevent_self_review": true, "reviewers": [] }]) } else { json!([]) },
                "deployment_branch_policy": null }),
            ]
        } else {
            Vec::new()
        };
        self.put_list(format!("{base}/environments"), ("actions:read", "repo"), "environments", environments);
        let (immutable, reporting) = (self.good(), self.good());
        self.put(
            format!("{base}/immutable-releases"),
            REPO_ADMIN,
            json!({ "enabled": immutable, "enforced_by_owner": false }),
        );
        self.put(
            format!("{base}/private-vulnerability-reporting"),
            ("", "repo"),
            json!({ "enabled": reporting }),
        );
        let collaborator = |p: &Person, admin: bool| {
            json!({ "login": p.login, "id": p.id, "type": "User", "role_name": if admin { "admin" } else { "read" },
                "permissions": { "admin": admin, "maintain": admin, "push": admin, "triage": true, "pull": true } })
        };
        let admins: Vec<Value> = people.iter().take(1 + n % 4).map(|p| collaborator(p, true)).collect();
        let foreign: Vec<Value> =
            outside.iter().take(usize::from(n.is_multiple_of(20))).map(|p| collaborator(p, false)).collect();
        self.put(format!("{base}/collaborators"), ("metadata:read", "repo"), Value::Array(admins.clone()));
        self.put(
            format!("{base}/collaborators?permission=admin"),
            ("metadata:read", "repo"),
            Value::Array(admins),
        );
        self.put(
            format!("{base}/collaborators?affiliation=outside"),
            ("metadata:read", "repo"),
            Value::Array(foreign),
        );
    }
}
