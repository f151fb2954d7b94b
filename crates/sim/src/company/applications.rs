//! Foreign programs that hold access: what the company decided on, and what somebody let in on a quiet afternoon.

use model::time::Timestamp;

use super::{App, Company, Standing};
use crate::seed::Seed;

/// How many use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Users {
    /// The organisation as a whole let it in.
    Everybody,
    /// So many of a thousand each.
    Some(usize),
    /// So many people, whatever the size of the company.
    Few(usize),
}

/// A foreign program.
#[derive(Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Name in addresses: `sign-desk`.
    pub slug: &'static str,
    /// Name.
    pub name: &'static str,
    /// Who makes it.
    pub publisher: &'static str,
    /// Whether the vendors have verified who makes it.
    pub verified: bool,
    /// Scopes of Google's interfaces, without `https://www.googleapis.com/auth/`.
    pub google: &'static [&'static str],
    /// Delegated permissions of Microsoft Graph.
    pub graph: &'static [&'static str],
    /// Application permissions of Microsoft Graph.
    pub graph_roles: &'static [&'static str],
    /// Permissions of a GitHub App.
    pub github: &'static [(&'static str, &'static str)],
    /// On how much of a GitHub organisation.
    pub selected: bool,
    users: Users,
    age_days: usize,
    /// Days since it was last used; `None`: never.
    idle_days: Option<usize>,
}

impl Plugin {
    const fn new(slug: &'static str, name: &'static str, publisher: &'static str, verified: bool) -> Self {
        Self {
            slug,
            name,
            publisher,
            verified,
            google: &[],
            graph: &[],
            graph_roles: &[],
            github: &[],
            selected: false,
            users: Users::Everybody,
            age_days: 400,
            idle_days: Some(1),
        }
    }
}

/// A program that was let into an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub plugin: &'static Plugin,
    /// Who let it in for themselves, as indices of [`Company::people`]; empty: an administrator did for everybody.
    pub users: Vec<usize>,
    /// Since when.
    pub created_at: Timestamp,
    /// Last used; `None`: never.
    pub last_used_at: Option<Timestamp>,
}

const PLUGINS: [Plugin; 20] = [
    // What the company decided on.
    Plugin {
        google: &["userinfo.email", "userinfo.profile", "calendar.events"],
        graph: &["User.Read", "Calendars.ReadWrite", "offline_access"],
        age_days: 900,
        ..Plugin::new("meetwise", "Meetwise", "Meetwise Ltd", true)
    },
    Plugin {
        google: &["userinfo.email", "drive.file"],
        graph: &["User.Read", "Files.ReadWrite.AppFolder"],
        users: Users::Some(400),
        age_days: 1_100,
        ..Plugin::new("sign-desk", "Sign Desk", "Sign Desk GmbH", true)
    },
    Plugin {
        google: &["userinfo.email", "userinfo.profile"],
        graph: &["User.Read", "openid", "profile"],
        users: Users::Some(700),
        ..Plugin::new("canvasly", "Canvasly", "Canvasly Inc.", true)
    },
    Plugin {
        graph: &["User.Read", "Sites.Read.All"],
        graph_roles: &["Directory.Read.All", "AuditLog.Read.All"],
        age_days: 700,
        ..Plugin::new("north-siem", "North SIEM", "North Security AS", true)
    },
    Plugin {
        graph_roles: &["User.ReadWrite.All", "Group.ReadWrite.All"],
        age_days: 1_300,
        ..Plugin::new("people-hub", "People Hub", "People Hub BV", true)
    },
    Plugin {
        github: &[
            ("contents", "write"),
            ("pull_requests", "write"),
            ("checks", "write"),
            ("metadata", "read"),
        ],
        age_days: 800,
        ..Plugin::new("merge-train", "Merge Train", "merge-train", true)
    },
    Plugin {
        github: &[("checks", "write"), ("metadata", "read"), ("pull_requests", "read")],
        selected: true,
        age_days: 600,
        ..Plugin::new("coverage-bot", "Coverage Bot", "coverage-works", true)
    },
    Plugin {
        github: &[("contents", "read"), ("secret_scanning_alerts", "read"), ("metadata", "read")],
        ..Plugin::new("secret-sweeper", "Secret Sweeper", "sweeper-labs", true)
    },
    // What individuals let in.
    Plugin {
        google: &["userinfo.email", "gmail.modify", "gmail.settings.basic", "contacts.readonly"],
        graph: &["User.Read", "Mail.ReadWrite", "Mail.Send", "offline_access"],
        users: Users::Few(3),
        age_days: 120,
        ..Plugin::new("mail-merge-pro", "Mail Merge Pro", "Growth Tools", false)
    },
    Plugin {
        google: &["userinfo.email", "drive", "calendar"],
        graph: &["User.Read", "Files.ReadWrite.All", "OnlineMeetings.Read", "offline_access"],
        users: Users::Few(5),
        age_days: 40,
        ..Plugin::new("notably", "Notably AI notes", "Notably", false)
    },
    Plugin {
        google: &["userinfo.email", "drive"],
        users: Users::Few(1),
        age_days: 700,
        idle_days: Some(500),
        ..Plugin::new("pdf-wizard", "PDF Wizard", "pdf-wizard-free", false)
    },
    Plugin {
        google: &["userinfo.email", "spreadsheets", "script.external_request"],
        users: Users::Few(2),
        age_days: 300,
        idle_days: Some(20),
        ..Plugin::new("sheet-sync", "Sheet Sync", "sheetsync.example", false)
    },
    Plugin {
        google: &["userinfo.email", "admin.directory.user.readonly", "admin.directory.group"],
        users: Users::Few(1),
        age_days: 410,
        idle_days: Some(210),
        ..Plugin::new("org-charter", "Org Charter", "Org Charter", true)
    },
    Plugin {
        graph: &["User.Read", "Directory.ReadWrite.All", "offline_access"],
        users: Users::Few(1),
        age_days: 530,
        idle_days: None,
        ..Plugin::new("tenant-migrator", "Tenant Migrator", "Migrate Fast", false)
    },
    Plugin {
        graph: &["User.Read", "Mail.Read", "Contacts.Read", "offline_access"],
        users: Users::Some(30),
        age_days: 260,
        ..Plugin::new("lead-finder", "Lead Finder", "Lead Finder Inc.", true)
    },
    Plugin {
        graph_roles: &["Mail.ReadWrite", "Sites.FullControl.All"],
        age_days: 980,
        idle_days: Some(330),
        ..Plugin::new("archive-one", "Archive One", "Archive One", false)
    },
    Plugin {
        google: &["userinfo.email", "userinfo.profile", "openid"],
        graph: &["openid", "profile", "email"],
        users: Users::Some(150),
        age_days: 500,
        ..Plugin::new("learn-room", "Learn Room", "Learn Room", true)
    },
    Plugin {
        github: &[
            ("administration", "write"),
            ("secrets", "write"),
            ("workflows", "write"),
            ("contents", "write"),
        ],
        age_days: 1_150,
        idle_days: Some(400),
        ..Plugin::new("old-deployer", "Old Deployer", "left-the-company", false)
    },
    Plugin {
        github: &[("members", "write"), ("organization_administration", "write"), ("metadata", "read")],
        age_days: 90,
        ..Plugin::new("team-butler", "Team Butler", "butler-apps", false)
    },
    Plugin {
        github: &[("issues", "write"), ("metadata", "read")],
        selected: true,
        age_days: 210,
        ..Plugin::new("issue-triage", "Issue Triage", "triage-oss", true)
    },
];

impl Company {
    /// The foreign programs of an application.
    #[must_use]
    pub fn grants(&self, app: App) -> Vec<Grant> {
        PLUGINS
            .iter()
            .enumerate()
            .filter(|(_, plugin)| match app {
                App::Google => !plugin.google.is_empty(),
                App::Microsoft365 => !plugin.graph.is_empty() || !plugin.graph_roles.is_empty(),
                App::GitHub => !plugin.github.is_empty(),
                App::GitHubOpenSource => {
                    matches!(plugin.slug, "issue-triage" | "coverage-bot" | "old-deployer")
                }
                App::Okta | App::Directory => false,
            })
            .map(|(n, plugin)| {
                let users = self.users_of(app, n, plugin);
                let age = plugin.age_days + n;
                Grant {
                    plugin,
                    users,
                    created_at: self.ago(age),
                    last_used_at: plugin.idle_days.map(|days| self.ago(days.min(age))),
                }
            })
            .collect()
    }

    /// The same people in every application, as far as they have an account that can sign in there.
    fn users_of(&self, app: App, nth: usize, plugin: &Plugin) -> Vec<usize> {
        if matches!(app, App::GitHub | App::GitHubOpenSource) {
            return Vec::new();
        }
        let mut seed = Seed::new(self.seed ^ (0x9106 + nth as u64));
        let here = |n: &usize| self.people[*n].standing == Standing::Employee && self.has_account(app, *n);
        let drawn: Vec<usize> = match plugin.users {
            // Google has no consent for everybody: each of them let it in.
            Users::Everybody if app == App::Google => {
                (0..self.people.len()).filter(|n| n % 20 != 13).collect()
            }
            Users::Everybody => Vec::new(),
            Users::Some(thousandths) => {
                (0..self.people.len()).filter(|_| seed.below(1000) < thousandths).collect()
            }
            // Tried until so many are found who can: few of a company of which half has an account.
            Users::Few(count) => {
                let mut few = Vec::new();
                while few.len() < count {
                    let n = seed.below(self.people.len());
                    if here(&n) && !few.contains(&n) {
                        few.push(n);
                    }
                }
                few.sort_unstable();
                few
            }
        };
        drawn.into_iter().filter(here).collect()
    }

    pub(super) fn has_account(&self, app: App, n: usize) -> bool {
        self.of_person(app, n).is_some()
    }
}
