//! Identity providers, people, and whose accounts are.

use serde::Serialize;

use super::{Cut, EmptyState, Facet, InstanceRef, Known, Paging, Review};
use crate::finding::Severity;
use crate::id::{AppId, DirectoryId, FindingId, InstanceId};
use crate::identity::{Match, State};
use crate::time::Timestamp;

/// The page Identity providers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdentityPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The one that was marked first at the top: it names people whom several know.
    pub rows: Vec<IdentityRow>,
    /// Instances that can be marked: their accounts are read.
    pub candidates: Vec<InstanceRef>,
    /// The operator may change things here.
    pub may_change: bool,
}

/// One identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityRow {
    /// Which.
    pub id: DirectoryId,
    /// What people call it.
    pub name: String,
    /// The instance; `None`: an uploaded list.
    pub instance: Option<InstanceRef>,
    /// People that are there.
    pub identities: u64,
    /// Accounts elsewhere that were matched with its people.
    pub matched: u64,
    /// When it was last read to its end, or uploaded.
    pub complete_at: Option<Timestamp>,
    /// How old that may become, in words and in days.
    pub max_age: String,
    /// The same in hours.
    pub max_age_hours: u64,
    /// Why accounts cannot be judged by it now; `None`: they can.
    pub lack: Option<String>,
    /// When it was marked or first uploaded.
    pub marked_at: Timestamp,
    /// By whom, or who uploaded it last.
    pub marked_by: String,
}

/// What is uploaded as a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListInput {
    /// The list whose place it takes; `None`: a new one.
    pub id: Option<DirectoryId>,
    /// What people call it.
    pub name: String,
    /// The file.
    pub text: String,
    /// How many days it may be believed.
    pub days: u32,
}

/// Whose an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whose {
    /// In one word.
    pub matched: Match,
    /// The person's address on these pages.
    pub key: Option<String>,
    /// What the identity provider calls the person.
    pub name: Option<String>,
    /// By what it was matched: `immutable id`, `verified e-mail`, `alias`, `linked by hand`, ...
    pub by: Option<String>,
    /// How the person stands at the identity provider; `None`: it cannot be told, or there is nobody.
    pub state: Option<State>,
    /// Why it cannot be told.
    pub note: Option<String>,
}

/// A link that an operator made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// To whom.
    pub name: String,
    /// The person's address on these pages.
    pub key: String,
    /// Why.
    pub note: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody whom an account can be linked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityChoice {
    /// What a form sends.
    pub key: String,
    /// What the identity provider calls the person.
    pub name: String,
    /// The person's name, where it says more.
    pub display_name: Option<String>,
    /// The identity provider.
    pub directory: String,
    /// How the person stands there.
    pub state: Option<State>,
}

/// What the list Accounts by person is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PeopleQuery {
    /// With an account in this product.
    pub app: Option<AppId>,
    /// Deactivated at the identity provider, or not.
    pub deactivated: Option<bool>,
    /// With open findings, or without.
    pub risky: Option<bool>,
    /// With a privileged account.
    pub privileged: Option<bool>,
    /// Text in a name or an address.
    pub search: Option<String>,
    /// Which page. Sorts: `risk` (natural), `name`, `accounts`.
    pub cut: Cut,
}

/// The list Accounts by person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeoplePage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// What limits what can be said.
    pub notices: Vec<String>,
    /// Filters: `deactivated`, `risk`, `privileged`, `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<PersonRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One person or program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonRow {
    /// The address on these pages: [`crate::identity::IdentityKey`] as text.
    pub key: String,
    /// What the identity provider calls it.
    pub name: String,
    /// The name of the person.
    pub display_name: Option<String>,
    /// The identity provider that names it.
    pub directory: Option<String>,
    /// How it stands there, as it was last read; `None`: it cannot be told.
    pub state: Option<State>,
    /// Accounts that are there.
    pub accounts: u64,
    /// Applications that have them.
    pub instances: u64,
    /// Of the accounts, privileged ones.
    pub privileged: u64,
    /// Of the accounts, active ones.
    pub active: u64,
    /// The worst open finding about any of them.
    pub worst: Option<Severity>,
}

/// One person with all accounts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PersonPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The address on these pages.
    pub key: String,
    /// What the identity provider calls it.
    pub name: String,
    /// The identity, as the identity provider last told it; `None`: it is not there any more.
    pub identity: Option<IdentityFacts>,
    /// Every account that was matched, by application.
    pub accounts: Vec<super::AccountRow>,
}

/// What an identity provider says of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityFacts {
    /// The identity provider.
    pub directory: String,
    /// Its instance.
    pub instance: Option<InstanceRef>,
    /// The id there.
    pub id: String,
    /// The name of the person.
    pub display_name: Option<String>,
    /// Addresses it vouches for.
    pub addresses: Vec<String>,
    /// Further addresses.
    pub aliases: Vec<String>,
    /// How the person stands there.
    pub state: Option<State>,
    /// When it was last seen there, or found to be gone.
    pub seen_at: Timestamp,
}

/// What is entered to accept a finding for a while.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExceptionInput {
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// The last day of it, as `2026-12-31` (UTC).
    pub until: String,
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExceptionView {
    /// The finding it suppresses.
    pub finding: FindingId,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// Who entered it, and when.
    pub entered: Option<(Timestamp, String)>,
    /// When it ends and the finding is open again.
    pub ends_at: Timestamp,
}

/// What the Exceptions list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ExceptionsQuery {
    /// Only of this application.
    pub instance: Option<InstanceId>,
    /// Only of this product.
    pub app: Option<AppId>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only those that end within two weeks.
    pub soon: Option<bool>,
    /// Text in title or resource.
    pub search: Option<String>,
    /// Which page. Sorts: `ends` (natural), `severity`, `resource`.
    pub cut: Cut,
}

/// The Exceptions list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExceptionsPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Exceptions that end within two weeks, whatever is filtered.
    pub soon: u64,
    /// Filters: `soon`, `severity`, `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<ExceptionRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One exception in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExceptionRow {
    /// What it suppresses.
    pub finding: super::FindingRow,
    /// The exception.
    pub exception: ExceptionView,
}

/// A review with who, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReviewView {
    /// The state.
    pub state: Review,
    /// When, and who.
    pub reviewed: Option<(Timestamp, String)>,
    /// What was written about it. May be empty.
    pub note: String,
    /// Said to be revoked, and seen by a complete scan since.
    pub still_there: bool,
}

/// What the list Plugins across applications is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PartiesQuery {
    /// With a plugin in this product.
    pub app: Option<AppId>,
    /// Its kind.
    pub kind: Option<String>,
    /// The highest grade.
    pub grade: Option<String>,
    /// With a plugin in this state.
    pub review: Option<Review>,
    /// Text in name, publisher or id.
    pub search: Option<String>,
    /// Which page. Sorts: `grade` (natural), `name`, `applications`, `first_seen`.
    pub cut: Cut,
}

/// The list Plugins across applications.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartiesPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Filters: `review`, `grade`, `kind`, `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<PartyRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// The same third party over all applications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartyRow {
    /// What the list of its plugins is filtered by.
    pub same: String,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: Known<String>,
    /// Who makes it.
    pub publisher: Known<String>,
    /// The highest grade anywhere.
    pub grade: Known<String>,
    /// Plugins of it.
    pub plugins: u64,
    /// Applications that have it.
    pub instances: u64,
    /// Users that the applications told.
    pub users: u64,
    /// Plugins that nobody has reviewed.
    pub unreviewed: u64,
    /// Plugins that are said to be revoked and are still there.
    pub revoked: u64,
    /// Plugins with open findings.
    pub with_findings: u64,
    /// First seen anywhere.
    pub first_seen_at: Timestamp,
    /// Last used anywhere; absent: never.
    pub last_used_at: Known<Timestamp>,
}

/// What the list Plugins by user is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginUsersQuery {
    /// Only of this product.
    pub app: Option<AppId>,
    /// Text in the user's name.
    pub search: Option<String>,
    /// Which page. Sorts: `plugins` (natural), `grade`, `name`.
    pub cut: Cut,
}

/// The list Plugins by user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginUsersPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// Filters: `app`.
    pub facets: Vec<Facet>,
    /// The rows of this page.
    pub rows: Vec<PluginUserRow>,
    /// Where this page lies.
    pub paging: Paging,
    /// Present when there are no rows.
    pub empty: Option<EmptyState>,
}

/// One user of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginUserRow {
    /// Where.
    pub instance: InstanceRef,
    /// What the application calls the user.
    pub user: String,
    /// The account, where there is one of this name.
    pub account: Option<String>,
    /// Whose: the address on these pages, and the name.
    pub person: Option<(String, String)>,
    /// Plugins that act for the user.
    pub plugins: u64,
    /// Of these, not reviewed.
    pub unreviewed: u64,
    /// The highest grade.
    pub grade: Known<String>,
}
