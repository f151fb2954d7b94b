//! Accounts and plugins: the lists and one of each.

use serde::Serialize;

use super::{
    ApplicationHeader, Cut, EmptyState, ExceptionView, Facet, FindingRow, IdentityChoice, InstanceRef, Known,
    Link, LinkView, Paging, Review, ReviewView, Whose,
};
use crate::finding::Severity;
use crate::id::{AppId, FindingId, InstanceId};
use crate::identity::Match;
use crate::time::Timestamp;

/// What the Accounts list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AccountsQuery {
    /// Only of this application.
    pub instance: Option<InstanceId>,
    /// Only of this product.
    pub app: Option<AppId>,
    /// `risky`: with at least one open finding; `unjudged`: a question about it could not be answered.
    pub risk: Option<String>,
    /// `human`, `service`, `bot`.
    pub kind: Option<String>,
    /// `active`, `suspended`, `invited`, `expired`.
    pub state: Option<String>,
    /// Only privileged (or only others).
    pub privileged: Option<bool>,
    /// Whose they are.
    pub identity: Option<Match>,
    /// Text in name, username or e-mail.
    pub search: Option<String>,
    /// Which page. Sorts: `risk` (natural), `username`, `last_active`.
    pub cut: Cut,
}

/// The Accounts list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Present on an application's tab.
    pub header: Option<ApplicationHeader>,
    /// What limits what can be said: `No identity provider is onboarded, so Parapet cannot tell ...`.
    pub notices: Vec<String>,
    /// Why it cannot be told whose accounts are, where an identity provider lacks.
    pub identity_lack: Option<String>,
    /// Filters: `risk`, `identity`, `kind`, `state`, `privileged`, `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<AccountRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// An open finding, as a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskTag {
    /// Which.
    pub finding: FindingId,
    /// How bad.
    pub severity: Severity,
    /// The short sentence.
    pub says: String,
}

/// One account in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountRow {
    /// Where.
    pub instance: InstanceRef,
    /// Unique within the instance.
    pub id: String,
    /// What people type or see.
    pub username: String,
    /// Name of the person.
    pub display_name: Known<String>,
    /// E-mail.
    pub email: Known<String>,
    /// `human`, `service`, `bot`.
    pub kind: Known<String>,
    /// `active`, `suspended`, `invited`, `expired`.
    pub state: Known<String>,
    /// The vendor's word for its role.
    pub role: Known<String>,
    /// Holds administrative rights.
    pub privileged: Known<bool>,
    /// Guest or outside collaborator.
    pub external: Known<bool>,
    /// Signs in with a second factor.
    pub second_factor: Known<bool>,
    /// Whose it is.
    pub whose: Whose,
    /// Last active; absent: never.
    pub last_active_at: Known<Timestamp>,
    /// Open findings, worst first.
    pub risks: Vec<RiskTag>,
    /// First seen by Parapet.
    pub first_seen_at: Timestamp,
    /// Last seen by a complete scan.
    pub last_seen_at: Timestamp,
    /// Could not be confirmed since then.
    pub stale_since: Option<Timestamp>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The row.
    pub account: AccountRow,
    /// Every field of the canonical account in order.
    pub fields: Vec<FieldRow>,
    /// Its open findings.
    pub findings: Vec<FindingRow>,
    /// The vendor's page for it.
    pub console: Option<Link>,
    /// What an operator linked it with.
    pub link: Option<LinkView>,
    /// What was looked for among identities, to link it with.
    pub looked_for: String,
    /// Who was found.
    pub choices: Vec<IdentityChoice>,
    /// The exceptions that keep its findings about identity quiet.
    pub known_until: Vec<ExceptionView>,
    /// Open findings about identity, which can be excepted together.
    pub identity_findings: u64,
    /// The operator may change things here.
    pub may_change: bool,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldRow {
    /// Its name in checks and exports.
    pub name: String,
    /// Its value as text. Absent: known to have none.
    pub value: Known<String>,
}

/// What the Plugins list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginsQuery {
    /// Only of this application.
    pub instance: Option<InstanceId>,
    /// Only of this product.
    pub app: Option<AppId>,
    /// `high`, `medium`, `low`, `unknown`.
    pub grade: Option<String>,
    /// `app`, `oauth_app`, `token`, `ssh_key`, `webhook`, `deploy_key`, `bot`.
    pub kind: Option<String>,
    /// `risky`: with at least one open finding.
    pub risk: Option<String>,
    /// The review.
    pub review: Option<Review>,
    /// Of this third party, in all applications.
    pub same: Option<String>,
    /// Acting for this user.
    pub user: Option<String>,
    /// Text in name, publisher or host.
    pub search: Option<String>,
    /// Which page. Sorts: `grade` (natural), `name`, `last_used`.
    pub cut: Cut,
}

/// The Plugins list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Present on an application's tab.
    pub header: Option<ApplicationHeader>,
    /// What limits what can be said.
    pub notices: Vec<String>,
    /// Filters: `grade`, `review`, `kind`, `risk`, `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<PluginRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One plugin in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginRow {
    /// Where.
    pub instance: InstanceRef,
    /// Unique within the instance.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `app`, `oauth_app`, `token`, `ssh_key`, `webhook`, `deploy_key`, `bot`.
    pub kind: Known<String>,
    /// Who makes it.
    pub publisher: Known<String>,
    /// The vendor verified the publisher.
    pub publisher_verified: Known<bool>,
    /// `user`, `workspace`, `organisation`.
    pub level: Known<String>,
    /// `all`, `selected`.
    pub reach: Known<String>,
    /// The highest grade of its scopes: `high`, `medium`, `low`.
    pub grade: Known<String>,
    /// How many users it acts for.
    pub users: Known<u64>,
    /// Enabled.
    pub active: Known<bool>,
    /// Last used; absent: never.
    pub last_used_at: Known<Timestamp>,
    /// Expires; absent: never.
    pub expires_at: Known<Timestamp>,
    /// Open findings, worst first.
    pub risks: Vec<RiskTag>,
    /// What an operator made of it.
    pub review: ReviewView,
    /// First seen by Parapet.
    pub first_seen_at: Timestamp,
    /// Last seen by a complete scan.
    pub last_seen_at: Timestamp,
    /// Could not be confirmed since then.
    pub stale_since: Option<Timestamp>,
}

/// A scope with its grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScopeView {
    /// As the vendor writes it.
    pub id: String,
    /// `high`, `medium`, `low`; unknown: the catalogue does not grade it.
    pub grade: Known<String>,
    /// What it allows, in our own words. May be empty.
    pub says: String,
}

/// One plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The row.
    pub plugin: PluginRow,
    /// Its scopes, highest grade first; `None`: not known.
    pub scopes: Option<Vec<ScopeView>>,
    /// Every field of the canonical plugin in order.
    pub fields: Vec<FieldRow>,
    /// Its open findings.
    pub findings: Vec<FindingRow>,
    /// The vendor's page to review or revoke it.
    pub console: Option<Link>,
    /// The users it acts for, as far as the application told.
    pub users: Vec<String>,
    /// Other plugins of the same third party.
    pub elsewhere: Vec<PluginRow>,
    /// The operator may change things here.
    pub may_change: bool,
}
