//! The real use cases behind the pages: nothing but delegation.

use std::net::IpAddr;

use futures_util::StreamExt as _;
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
    Review, Session, SettingsPage, Shell, SummaryPage, VendorReturnPage,
};
use ops::Ops;
use secrecy::SecretString;
use tokio_stream::wrappers::BroadcastStream;

use super::{Answer, Backend, Export, FindingsFormat, Format, Secrets, SignedIn};

impl Backend for Ops {
    fn shell(&self) -> BoxFuture<'_, Shell> {
        Box::pin(std::future::ready(self.shell()))
    }

    fn changes(&self) -> BoxStream<'static, Option<InstanceId>> {
        // Who lagged behind has missed something, and does not know about which instance.
        BroadcastStream::new(self.changes()).map(|change| change.ok().and_then(|c| c.instance)).boxed()
    }

    fn setup_needed(&self) -> Answer<'_, bool> {
        Box::pin(self.setup_needed())
    }
    fn set_up<'a>(
        &'a self,
        setup_token: &'a SecretString,
        name: &'a str,
        password: &'a SecretString,
        from: Option<IpAddr>,
    ) -> Answer<'a, SignedIn> {
        Box::pin(self.set_up(setup_token, name, password, from))
    }
    fn sign_in<'a>(
        &'a self,
        name: &'a str,
        password: &'a SecretString,
        from: Option<IpAddr>,
    ) -> Answer<'a, SignedIn> {
        Box::pin(self.sign_in(name, password, from))
    }
    fn session<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Session>> {
        Box::pin(self.session(token))
    }
    fn sign_out<'a>(&'a self, token: &'a str) -> Answer<'a, ()> {
        Box::pin(self.sign_out(token))
    }
    fn applications<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a ApplicationsQuery,
    ) -> Answer<'a, ApplicationsPage> {
        Box::pin(self.applications(actor, query))
    }
    fn summary<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, SummaryPage> {
        Box::pin(self.summary(actor, instance))
    }
    fn findings<'a>(&'a self, actor: &'a Actor, query: &'a FindingsQuery) -> Answer<'a, FindingsPage> {
        Box::pin(self.findings(actor, query))
    }
    fn finding<'a>(&'a self, actor: &'a Actor, finding: &'a FindingId) -> Answer<'a, FindingPage> {
        Box::pin(self.finding(actor, finding))
    }
    fn accounts<'a>(&'a self, actor: &'a Actor, query: &'a AccountsQuery) -> Answer<'a, AccountsPage> {
        Box::pin(self.accounts(actor, query))
    }
    fn account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        look_for: Option<&'a str>,
    ) -> Answer<'a, AccountPage> {
        Box::pin(self.account(actor, instance, id, look_for))
    }
    fn plugins<'a>(&'a self, actor: &'a Actor, query: &'a PluginsQuery) -> Answer<'a, PluginsPage> {
        Box::pin(self.plugins(actor, query))
    }
    fn plugin<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
    ) -> Answer<'a, PluginPage> {
        Box::pin(self.plugin(actor, instance, id))
    }
    fn drift<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        cut: &'a Cut,
    ) -> Answer<'a, DriftPage> {
        Box::pin(self.drift(actor, instance, cut))
    }
    fn history<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        query: &'a HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        Box::pin(self.history(actor, instance, query))
    }
    fn settings<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, SettingsPage> {
        Box::pin(self.settings(actor, instance))
    }
    fn checks<'a>(&'a self, actor: &'a Actor, query: &'a ChecksQuery) -> Answer<'a, ChecksPage> {
        Box::pin(self.checks(actor, query))
    }
    fn check<'a>(&'a self, actor: &'a Actor, app: &'a AppId, check: &'a CheckId) -> Answer<'a, CheckPage> {
        Box::pin(self.check(actor, app, check))
    }
    fn owners<'a>(&'a self, actor: &'a Actor) -> Answer<'a, OwnersPage> {
        Box::pin(self.owners(actor))
    }
    fn audit<'a>(&'a self, actor: &'a Actor, query: &'a AuditQuery) -> Answer<'a, AuditPage> {
        Box::pin(self.audit(actor, query))
    }
    fn export_findings<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a FindingsQuery,
        format: FindingsFormat,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_findings(actor, query, format))
    }
    fn export_accounts<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a AccountsQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_accounts(actor, query, format))
    }
    fn export_plugins<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginsQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_plugins(actor, query, format))
    }
    fn identity_providers<'a>(&'a self, actor: &'a Actor) -> Answer<'a, IdentityPage> {
        Box::pin(self.identity_providers(actor))
    }
    fn mark_identity_provider<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(self.mark_identity_provider(actor, instance))
    }
    fn unmark_identity_provider<'a>(&'a self, actor: &'a Actor, id: &'a DirectoryId) -> Answer<'a, ()> {
        Box::pin(self.unmark_identity_provider(actor, id))
    }
    fn set_identity_age<'a>(&'a self, actor: &'a Actor, id: &'a DirectoryId, hours: i64) -> Answer<'a, ()> {
        Box::pin(self.set_identity_age(actor, id, hours))
    }
    fn upload_identities<'a>(&'a self, actor: &'a Actor, input: &'a ListInput) -> Answer<'a, DirectoryId> {
        Box::pin(self.upload_identities(actor, input))
    }
    fn link_account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
        key: &'a str,
        note: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.link_account(actor, instance, account, key, note))
    }
    fn unlink_account<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.unlink_account(actor, instance, account))
    }
    fn people<'a>(&'a self, actor: &'a Actor, query: &'a PeopleQuery) -> Answer<'a, PeoplePage> {
        Box::pin(self.people(actor, query))
    }
    fn person<'a>(&'a self, actor: &'a Actor, key: &'a str) -> Answer<'a, PersonPage> {
        Box::pin(self.person(actor, key))
    }
    fn export_people<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PeopleQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_people(actor, query, format))
    }
    fn exceptions<'a>(&'a self, actor: &'a Actor, query: &'a ExceptionsQuery) -> Answer<'a, ExceptionsPage> {
        Box::pin(self.exceptions(actor, query))
    }
    fn export_exceptions<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a ExceptionsQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_exceptions(actor, query, format))
    }
    fn except_finding<'a>(
        &'a self,
        actor: &'a Actor,
        finding: &'a FindingId,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()> {
        Box::pin(self.except_finding(actor, finding, input))
    }
    fn end_exception<'a>(&'a self, actor: &'a Actor, finding: &'a FindingId) -> Answer<'a, ()> {
        Box::pin(self.end_exception(actor, finding))
    }
    fn account_known_until<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        account: &'a str,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()> {
        Box::pin(self.account_known_until(actor, instance, account, input))
    }
    fn plugin_parties<'a>(&'a self, actor: &'a Actor, query: &'a PartiesQuery) -> Answer<'a, PartiesPage> {
        Box::pin(self.plugin_parties(actor, query))
    }
    fn export_parties<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PartiesQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_parties(actor, query, format))
    }
    fn plugin_users<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginUsersQuery,
    ) -> Answer<'a, PluginUsersPage> {
        Box::pin(self.plugin_users(actor, query))
    }
    fn export_plugin_users<'a>(
        &'a self,
        actor: &'a Actor,
        query: &'a PluginUsersQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_plugin_users(actor, query, format))
    }
    fn review_plugin<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        review: Review,
        note: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.review_plugin(actor, instance, id, review, note))
    }
    fn export_runs<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        query: &'a HistoryQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        Box::pin(self.export_runs(actor, instance, query, format))
    }
    fn catalogue_apps<'a>(&'a self, actor: &'a Actor) -> Answer<'a, CatalogueAppsPage> {
        Box::pin(self.catalogue_apps(actor))
    }
    fn onboard_form<'a>(
        &'a self,
        actor: &'a Actor,
        app: &'a AppId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage> {
        Box::pin(self.onboard_form(actor, app, input))
    }
    fn onboard_step<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep> {
        Box::pin(self.onboard_step(session, app, input, secrets))
    }
    fn onboard_save<'a>(&'a self, actor: &'a Actor, draft: &'a str) -> Answer<'a, InstanceId> {
        Box::pin(self.onboard_save(actor, draft))
    }
    fn reauthenticate_form<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage> {
        Box::pin(self.reauthenticate_form(actor, instance, input))
    }
    fn reauthenticate_step<'a>(
        &'a self,
        session: &'a Session,
        instance: &'a InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep> {
        Box::pin(self.reauthenticate_step(session, instance, input, secrets))
    }
    fn vendor_returned<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        state: &'a str,
    ) -> Answer<'a, VendorReturnPage> {
        Box::pin(self.vendor_returned(session, app, state))
    }
    fn vendor_continue<'a>(
        &'a self,
        session: &'a Session,
        app: &'a AppId,
        state: &'a str,
        code: &'a str,
    ) -> Answer<'a, PreflightPage> {
        Box::pin(self.vendor_continue(session, app, state, code))
    }
    fn reauthenticate_save<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        draft: &'a str,
        stop: &'a [ScanKind],
    ) -> Answer<'a, ()> {
        Box::pin(self.reauthenticate_save(actor, instance, draft, stop))
    }
    fn scan_now<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()> {
        Box::pin(self.scan_now(actor, instance, kind))
    }
    fn cancel<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()> {
        Box::pin(self.cancel(actor, instance, kind))
    }
    fn check_again<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        kind: ScanKind,
    ) -> Answer<'a, ()> {
        Box::pin(self.check_again(actor, instance, kind))
    }
    fn check_now<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(self.check_now(actor, instance))
    }
    fn set_interval<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        kind: ScanKind,
        interval: Duration,
    ) -> Answer<'a, ()> {
        Box::pin(self.set_interval(actor, instance, kind, interval))
    }
    fn agree_empty<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        dataset: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.agree_empty(actor, instance, dataset))
    }
    fn pause<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(self.pause(actor, instance))
    }
    fn resume<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(self.resume(actor, instance))
    }
    fn rename<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, name: &'a str) -> Answer<'a, ()> {
        Box::pin(self.rename(actor, instance, name))
    }
    fn set_param<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        check: &'a CheckId,
        name: &'a str,
        value: Option<&'a str>,
    ) -> Answer<'a, ()> {
        Box::pin(self.set_param(actor, instance, check, name, value))
    }
    fn assign_owner<'a>(
        &'a self,
        actor: &'a Actor,
        instance: &'a InstanceId,
        owner: Option<&'a OwnerId>,
    ) -> Answer<'a, ()> {
        Box::pin(self.assign_owner(actor, instance, owner))
    }
    fn remove<'a>(&'a self, actor: &'a Actor, instance: &'a InstanceId, confirm: &'a str) -> Answer<'a, ()> {
        Box::pin(self.remove(actor, instance, confirm))
    }
    fn set_finding_state<'a>(
        &'a self,
        actor: &'a Actor,
        finding: &'a FindingId,
        state: FindingState,
    ) -> Answer<'a, ()> {
        Box::pin(self.set_finding_state(actor, finding, state))
    }
    fn create_owner<'a>(&'a self, actor: &'a Actor, input: &'a OwnerInput) -> Answer<'a, OwnerId> {
        Box::pin(self.create_owner(actor, input))
    }
    fn update_owner<'a>(
        &'a self,
        actor: &'a Actor,
        owner: &'a OwnerId,
        input: &'a OwnerInput,
    ) -> Answer<'a, ()> {
        Box::pin(self.update_owner(actor, owner, input))
    }
    fn notifications<'a>(&'a self, actor: &'a Actor) -> Answer<'a, NotificationsPage> {
        Box::pin(self.notifications(actor))
    }
    fn digest_preview<'a>(&'a self, actor: &'a Actor, key: &'a str) -> Answer<'a, DigestPreview> {
        Box::pin(self.digest_preview(actor, key))
    }
    fn create_destination<'a>(
        &'a self,
        actor: &'a Actor,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, String> {
        Box::pin(self.create_destination(actor, input, secrets))
    }
    fn update_destination<'a>(
        &'a self,
        actor: &'a Actor,
        id: &'a str,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, ()> {
        Box::pin(self.update_destination(actor, id, input, secrets))
    }
    fn pause_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        Box::pin(self.pause_destination(actor, id))
    }
    fn resume_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        Box::pin(self.resume_destination(actor, id))
    }
    fn remove_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        Box::pin(self.remove_destination(actor, id))
    }
    fn test_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        Box::pin(self.test_destination(actor, id))
    }
    fn test_mail_transport<'a>(&'a self, actor: &'a Actor, to: &'a str) -> Answer<'a, ()> {
        Box::pin(self.test_mail_transport(actor, to))
    }
    fn retry_deliveries<'a>(&'a self, actor: &'a Actor, destination: &'a str) -> Answer<'a, ()> {
        Box::pin(self.retry_deliveries(actor, destination))
    }
    fn set_my_email<'a>(&'a self, actor: &'a Actor, email: &'a str) -> Answer<'a, ()> {
        Box::pin(self.set_my_email(actor, email))
    }
    fn unsubscribe_asks<'a>(&'a self, token: &'a str) -> Answer<'a, String> {
        Box::pin(self.unsubscribe_asks(token))
    }
    fn unsubscribe<'a>(&'a self, token: &'a str) -> Answer<'a, ()> {
        Box::pin(self.unsubscribe(token))
    }
}
