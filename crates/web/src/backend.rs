//! The use cases that pages call. `ops` carries them out; the gallery and the tests put samples in its place.

mod real;

use std::net::IpAddr;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use model::finding::FindingState;
use model::id::{AppId, CheckId, DirectoryId, FindingId, InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Duration;
use model::view::{
    AccountPage, AccountsPage, AccountsQuery, Actor, ApplicationsPage, ApplicationsQuery, AuditPage,
    AuditQuery, CatalogueAppsPage, CheckPage, ChecksPage, ChecksQuery, CredentialFormPage, CredentialInput,
    CredentialStep, Cut, DestinationInput, DigestPreview, DriftPage, ExceptionInput, ExceptionsPage,
    ExceptionsQuery, FindingPage, FindingsPage, FindingsQuery, HistoryPage, HistoryQuery, IdentityPage,
    ListInput, NotificationsPage, OwnerInput, OwnersPage, PartiesPage, PartiesQuery, PeoplePage, PeopleQuery,
    PersonPage, PluginPage, PluginUsersPage, PluginUsersQuery, PluginsPage, PluginsQuery, PreflightPage,
    Refusal, Review, Session, SettingsPage, Shell, SummaryPage, VendorReturnPage,
};
use secrecy::SecretString;

pub use ops::{Export, FindingsFormat, Format, Secrets, SignedIn};

/// The answer of a use case.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Refusal>>;

/// Everything that pages read and do. Authorisation and audit happen behind it, by the [`Actor`].
pub trait Backend: Send + Sync + 'static {
    /// What stands around every page.
    fn shell(&self) -> BoxFuture<'_, Shell>;
    /// One item for every change: of one instance, or of anything (`None`).
    fn changes(&self) -> BoxStream<'static, Option<InstanceId>>;

    /// Whether no operator exists yet.
    fn setup_needed(&self) -> Answer<'_, bool>;
    /// Makes the first operator with the one-time token from the console.
    fn set_up<'a>(
        &'a self,
        setup_token: &'a SecretString,
        name: &'a str,
        password: &'a SecretString,
        from: Option<IpAddr>,
    ) -> Answer<'a, SignedIn>;
    /// Signs an operator in.
    fn sign_in<'a>(
        &'a self,
        name: &'a str,
        password: &'a SecretString,
        from: Option<IpAddr>,
    ) -> Answer<'a, SignedIn>;
    /// The session of a cookie's token; `None` when it is unknown or has ended.
    fn session<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Session>>;
    /// Ends a session.
    fn sign_out<'a>(&'a self, token: &'a str) -> Answer<'a, ()>;

    /// The Applications page.
    fn applications<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a ApplicationsQuery,
    ) -> Answer<'a, ApplicationsPage>;
    /// The Summary tab.
    fn summary<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, SummaryPage>;
    /// The Findings list.
    fn findings<'a>(&'a self, actor: &'a Actor, query: &'a FindingsQuery) -> Answer<'a, FindingsPage>;
    /// One finding.
    fn finding<'a>(&'a self, actor: &'a Actor, finding: &'a FindingId) -> Answer<'a, FindingPage>;
    /// The Accounts list.
    fn accounts<'a>(&'a self, actor: &'a Actor, query: &'a AccountsQuery) -> Answer<'a, AccountsPage>;
    /// One account.
    fn account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        look_for: Option<&'a str>,
    ) -> Answer<'a, AccountPage>;
    /// The Plugins list.
    fn plugins<'a>(&'a self, actor: &'a Actor, query: &'a PluginsQuery) -> Answer<'a, PluginsPage>;
    /// One plugin.
    fn plugin<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
    ) -> Answer<'a, PluginPage>;
    /// The Drift tab.
    fn drift<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, cut: &'a Cut)
    -> Answer<'a, DriftPage>;
    /// The History tab.
    fn history<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        query: &'a HistoryQuery,
    ) -> Answer<'a, HistoryPage>;
    /// The gear.
    fn settings<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, SettingsPage>;
    /// The Checks list.
    fn checks<'a>(&'a self, actor: &'a Actor, query: &'a ChecksQuery) -> Answer<'a, ChecksPage>;
    /// One check of one product.
    fn check<'a>(&'a self, actor: &'a Actor, app: &'a AppId, check: &'a CheckId) -> Answer<'a, CheckPage>;
    /// Owners.
    fn owners<'a>(&'a self, actor: &'a Actor) -> Answer<'a, OwnersPage>;
    /// The audit log.
    fn audit<'a>(&'a self, actor: &'a Actor, query: &'a AuditQuery) -> Answer<'a, AuditPage>;

    /// All findings that match.
    fn export_findings<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a FindingsQuery,
        format: FindingsFormat,
    ) -> Answer<'a, Export>;
    /// All accounts that match.
    fn export_accounts<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a AccountsQuery,
        format: Format,
    ) -> Answer<'a, Export>;
    /// All plugins that match.
    fn export_plugins<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginsQuery,
        format: Format,
    ) -> Answer<'a, Export>;

    /// The page Identity providers.
    fn identity_providers<'a>(&'a self, actor: &'a Actor) -> Answer<'a, IdentityPage>;
    /// Marks an application as identity provider.
    fn mark_identity_provider<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()>;
    /// Unmarks an identity provider, or deletes a list.
    fn unmark_identity_provider<'a>(&'a self, actor: &'a Actor, id: &'a DirectoryId) -> Answer<'a, ()>;
    /// For how many hours what an identity provider said is believed.
    fn set_identity_age<'a>(&'a self, actor: &'a Actor, id: &'a DirectoryId, hours: i64) -> Answer<'a, ()>;
    /// Takes a list of people.
    fn upload_identities<'a>(&'a self, actor: &'a Actor, input: &'a ListInput) -> Answer<'a, DirectoryId>;
    /// Says whose an account is.
    fn link_account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
        key: &'a str,
        note: &'a str,
    ) -> Answer<'a, ()>;
    /// Takes that back.
    fn unlink_account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
    ) -> Answer<'a, ()>;
    /// Accounts by person.
    fn people<'a>(&'a self, actor: &'a Actor, query: &'a PeopleQuery) -> Answer<'a, PeoplePage>;
    /// One person.
    fn person<'a>(&'a self, actor: &'a Actor, key: &'a str) -> Answer<'a, PersonPage>;
    /// All people that match.
    fn export_people<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PeopleQuery,
        format: Format,
    ) -> Answer<'a, Export>;
    /// The Exceptions list.
    fn exceptions<'a>(&'a self, actor: &'a Actor, query: &'a ExceptionsQuery) -> Answer<'a, ExceptionsPage>;
    /// All exceptions that match.
    fn export_exceptions<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a ExceptionsQuery,
        format: Format,
    ) -> Answer<'a, Export>;
    /// Excepts a finding until a day.
    fn except_finding<'a>(
        &'a self,
        actor: &'a Actor,
        finding: &'a FindingId,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()>;
    /// Ends an exception before its time.
    fn end_exception<'a>(&'a self, actor: &'a Actor, finding: &'a FindingId) -> Answer<'a, ()>;
    /// Notes that an account is known until a day.
    fn account_known_until<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()>;
    /// Plugins across applications.
    fn plugin_parties<'a>(&'a self, actor: &'a Actor, query: &'a PartiesQuery) -> Answer<'a, PartiesPage>;
    /// All third parties that match.
    fn export_parties<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PartiesQuery,
        format: Format,
    ) -> Answer<'a, Export>;
    /// Plugins by user.
    fn plugin_users<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginUsersQuery,
    ) -> Answer<'a, PluginUsersPage>;
    /// All users of plugins that match.
    fn export_plugin_users<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginUsersQuery,
        format: Format,
    ) -> Answer<'a, Export>;
    /// Notes what was made of a plugin.
    fn review_plugin<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        review: Review,
        note: &'a str,
    ) -> Answer<'a, ()>;

    /// All runs of an application that match.
    fn export_runs<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        query: &'a HistoryQuery,
        format: Format,
    ) -> Answer<'a, Export>;

    /// What can be onboarded.
    fn catalogue_apps<'a>(&'a self, actor: &'a Actor) -> Answer<'a, CatalogueAppsPage>;
    /// The form of Add application for what is chosen so far.
    fn onboard_form<'a>(
        &'a self,
        actor: &'a Actor,
        app: &'a AppId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage>;
    /// Verifies, or says where somebody must sign in first; saves nothing.
    fn onboard_step<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep>;
    /// Saves what was verified.
    fn onboard_save<'a>(&'a self, actor: &'a Actor, draft: &'a str) -> Answer<'a, InstanceId>;
    /// The form of Reauthenticate.
    fn reauthenticate_form<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage>;
    /// Verifies a new credential, or says where somebody must sign in first; replaces nothing.
    fn reauthenticate_step<'a>(
        &'a self,
        session: &'a Session,
        instance: &'a InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep>;
    /// Whether a sign-in at a vendor, from which the browser is back, is waited for; changes nothing.
    fn vendor_returned<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        state: &'a str,
    ) -> Answer<'a, VendorReturnPage>;
    /// Redeems what the browser brought back, once, and verifies what comes of it; saves nothing.
    fn vendor_continue<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        state: &'a str,
        code: &'a str,
    ) -> Answer<'a, PreflightPage>;
    /// Replaces the credential by the verified one and stops the scans that were named.
    fn reauthenticate_save<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        draft: &'a str,
        stop: &'a [ScanKind],
    ) -> Answer<'a, ()>;

    /// Makes a scan due.
    fn scan_now<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()>;
    /// Ends a running scan without outcome.
    fn cancel<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()>;
    /// Looks again whether a scan that is not enabled could run.
    fn check_again<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        kind: ScanKind,
    ) -> Answer<'a, ()>;
    /// Climbs the ladder to the application without a scan; the settings page shows what was found.
    fn check_now<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()>;
    /// How often a scan runs.
    fn set_interval<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        kind: ScanKind,
        interval: Duration,
    ) -> Answer<'a, ()>;
    /// Agrees that a dataset is empty now.
    fn agree_empty<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        dataset: &'a str,
    ) -> Answer<'a, ()>;
    /// Stops all scans of an application for the time being.
    fn pause<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()>;
    /// Ends a pause.
    fn resume<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()>;
    /// Gives an application another name.
    fn rename<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, name: &'a str) -> Answer<'a, ()>;
    /// Sets a parameter of a check for an application, or gives it back its default.
    fn set_param<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        check: &'a CheckId,
        name: &'a str,
        value: Option<&'a str>,
    ) -> Answer<'a, ()>;
    /// Says who answers for an application.
    fn assign_owner<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        owner: Option<&'a OwnerId>,
    ) -> Answer<'a, ()>;
    /// Removes an application with everything that is known about it; `confirm` must be its name.
    fn remove<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, confirm: &'a str) -> Answer<'a, ()>;
    /// Takes a finding up, or puts it back.
    fn set_finding_state<'a>(
        &'a self,
        actor: &'a Actor,
        finding: &'a FindingId,
        state: FindingState,
    ) -> Answer<'a, ()>;
    /// Adds an owner.
    fn create_owner<'a>(&'a self, actor: &'a Actor, input: &'a OwnerInput) -> Answer<'a, OwnerId>;
    /// Changes an owner.
    fn update_owner<'a>(
        &'a self,
        actor: &'a Actor,
        owner: &'a OwnerId,
        input: &'a OwnerInput,
    ) -> Answer<'a, ()>;
    /// The page Notifications.
    fn notifications<'a>(&'a self, actor: &'a Actor) -> Answer<'a, NotificationsPage>;
    /// What somebody's digest would be now.
    fn digest_preview<'a>(&'a self, actor: &'a Actor, key: &'a str) -> Answer<'a, DigestPreview>;
    /// Adds a destination of alerts.
    fn create_destination<'a>(
        &'a self,
        actor: &'a Actor,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, String>;
    /// Changes a destination.
    fn update_destination<'a>(
        &'a self,
        actor: &'a Actor,
        id: &'a str,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, ()>;
    /// Sends nothing there for the time being.
    fn pause_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()>;
    /// Ends a pause.
    fn resume_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()>;
    /// Removes a destination.
    fn remove_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()>;
    /// Sends a test to a destination.
    fn test_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()>;
    /// Sends a test mail.
    fn test_mail_transport<'a>(&'a self, actor: &'a Actor, to: &'a str) -> Answer<'a, ()>;
    /// Tries now what waits for a destination (or `mail`).
    fn retry_deliveries<'a>(&'a self, actor: &'a Actor, destination: &'a str) -> Answer<'a, ()>;
    /// Where the operator's own copy of the admins' digest goes.
    fn set_my_email<'a>(&'a self, actor: &'a Actor, email: &'a str) -> Answer<'a, ()>;
    /// Whom a link in a mail is about.
    fn unsubscribe_asks<'a>(&'a self, token: &'a str) -> Answer<'a, String>;
    /// Does what such a link is for.
    fn unsubscribe<'a>(&'a self, token: &'a str) -> Answer<'a, ()>;
}
