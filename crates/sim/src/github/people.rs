//! People of an organisation: members, outside collaborators, invitations, and what provisioning made.

use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::data::{MEMBERS, Maker};

pub(super) struct Person {
    pub(super) login: String,
    pub(super) name: String,
    pub(super) id: usize,
    pub(super) owner: bool,
    pub(super) second_factor: bool,
    /// What single sign-on and provisioning know, if anything.
    pub(super) link: Option<Link>,
    /// Addresses under the organisation's verified domains.
    pub(super) verified: Vec<String>,
    pub(super) created: Timestamp,
}

pub(super) struct Link {
    pub(super) name_id: String,
    pub(super) external_id: Option<String>,
    pub(super) email: String,
}

impl Maker<'_> {
    pub(super) fn people(&mut self) -> Vec<Person> {
        (0..self.plan.members)
            .map(|n| {
                let (first, last) = self.seed.person();
                let age = 30 + self.seed.below(2_000);
                let id = 10_000 + n;
                let email = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
                let second_factor = n == 0 || self.seed.chance(70 + self.plan.care * 3 / 10);
                let linked = self.plan.enterprise && (n == 0 || self.seed.chance(93));
                let link = Link {
                    name_id: email.clone(),
                    external_id: Some(format!("00u{id}")),
                    email: email.clone(),
                };
                Person {
                    login: format!("{}-{}{n}", first.to_lowercase(), last.to_lowercase()),
                    name: format!("{first} {last}"),
                    id,
                    owner: n < 3,
                    second_factor,
                    link: linked.then_some(link),
                    verified: vec![email],
                    created: self.plan.now - Duration::days(i64::try_from(age).unwrap_or(0)),
                }
            })
            .collect()
    }

    pub(super) fn outside(&mut self) -> Vec<Person> {
        (0..self.plan.members / 12 + 1)
            .map(|n| {
                let (first, last) = self.seed.person();
                Person {
                    login: format!("{}-{}-ext{n}", first.to_lowercase(), last.to_lowercase()),
                    name: format!("{first} {last}"),
                    id: 90_000 + n,
                    owner: false,
                    second_factor: self.seed.chance(75),
                    link: None,
                    verified: Vec::new(),
                    created: self.plan.now - Duration::days(400),
                }
            })
            .collect()
    }

    pub(super) fn member_lists(&mut self, people: &[Person], outside: &[Person]) {
        let o = self.plan.organization.clone();
        let user = |p: &Person| {
            json!({ "login": p.login, "id": p.id, "node_id": format!("U_{}", p.id), "type": "User", "site_admin": false,
                "html_url": format!("https://github.com/{}", p.login) })
        };
        let list = |of: &[Person], keep: &dyn Fn(&Person) -> bool| {
            Value::Array(of.iter().filter(|p| keep(p)).map(user).collect())
        };
        let base = format!("/orgs/{o}");
        self.put(format!("{base}/members"), MEMBERS, list(people, &|_| true));
        self.put(format!("{base}/members?role=admin"), MEMBERS, list(people, &|p| p.owner));
        self.put(format!("{base}/members?role=member"), MEMBERS, list(people, &|p| !p.owner));
        self.put(format!("{base}/members?filter=2fa_disabled"), MEMBERS, list(people, &|p| !p.second_factor));
        self.put(format!("{base}/outside_collaborators"), MEMBERS, list(outside, &|_| true));
        self.put(
            format!("{base}/outside_collaborators?filter=2fa_disabled"),
            MEMBERS,
            list(outside, &|p| !p.second_factor),
        );
        let invitations = json!([{ "id": 1, "login": "new-hire", "email": "new.hire@example.com", "role": "direct_member",
            "created_at": self.ago(3), "inviter": { "login": people[0].login }, "team_count": 1 }]);
        self.put(format!("{base}/invitations"), MEMBERS, invitations);
        let failed = json!([{ "id": 2, "login": null, "email": "long.gone@example.com", "role": "direct_member",
            "created_at": self.ago(40), "failed_at": self.ago(33), "failed_reason": "Expired",
            "inviter": { "login": people[0].login }, "team_count": 0 }]);
        self.put(format!("{base}/failed_invitations"), MEMBERS, failed);
        if self.plan.enterprise {
            self.scim_users(people);
        }
    }

    fn scim_users(&mut self, people: &[Person]) {
        let users: Vec<Value> = people
            .iter()
            .filter_map(|p| {
                let link = p.link.as_ref()?;
                let external = link.external_id.as_ref()?;
                Some(json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": format!("scim-{}", p.id),
                    "externalId": external, "userName": link.email, "active": true,
                    "name": { "formatted": p.name }, "emails": [{ "value": link.email, "primary": true }] }))
            })
            .collect();
        let path = format!("/scim/v2/organizations/{}/Users", self.plan.organization);
        let count = users.len();
        self.put(
            path,
            MEMBERS,
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": count,
                "itemsPerPage": count, "startIndex": 1, "Resources": users }),
        );
    }
}
