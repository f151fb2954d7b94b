//! A backend that answers with the samples.

use std::net::IpAddr;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use futures_util::stream::{self, BoxStream};
use model::finding::FindingState;
use model::id::{AppId, CheckId, DirectoryId, FindingId, InstanceId, OwnerId};
use model::scan::ScanKind;
use model::time::Duration;
use model::view::{
    AccountPage, AccountsPage, AccountsQuery, Actor, ApplicationsPage, ApplicationsQuery, AuditPage,
    AuditQuery, CatalogueAppsPage, CheckPage, ChecksPage, ChecksQuery, CredentialFormPage, CredentialInput,
    CredentialStep, Cut, DestinationInput, DigestPreview, DriftPage, ExceptionInput, ExceptionsPage,
    ExceptionsQuery, FindingPage, FindingsPage, FindingsQuery, HistoryPage, HistoryQuery, IdentityPage,
    ListInput, Mark, NotificationsPage, OwnerInput, OwnersPage, PartiesPage, PartiesQuery, PeoplePage,
    PeopleQuery, PersonPage, PluginPage, PluginUsersPage, PluginUsersQuery, PluginsPage, PluginsQuery,
    PreflightPage, RefusalKind, Review, Role, Session, SettingsPage, Shell, SummaryPage, VendorReturnPage,
};
use secrecy::{ExposeSecret as _, SecretString};
use web::{Answer, Backend, Export, FindingsFormat, Format, Secrets, SignedIn};

use super::answers::{
    answer, draft_is_gone, export, export_of_findings, foreign_tenant, found, header, listed, no_such_zone,
    refuse, session, wrong_key,
};
use super::{Samples, across, fleet, inventory, now, questions, scans};

/// Lists as files: the same for all, whatever is filtered.
macro_rules! exports {
    ($($name:ident: $query:ty;)*) => {$(
        fn $name<'a>(&'a self, _: &'a Actor, _: &'a $query, format: Format) -> Answer<'a, Export> {
            answer(export(format))
        }
    )*};
}

impl Backend for Samples {
    fn shell(&self) -> BoxFuture<'_, Shell> {
        ready(Shell { worst: Some(Mark::Down), not_up: 3, simulated: true }).boxed()
    }
    fn changes(&self) -> BoxStream<'static, Option<InstanceId>> {
        let change = async {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            Some(InstanceId::from("i-acme"))
        };
        stream::once(change).chain(stream::pending()).boxed()
    }

    fn setup_needed(&self) -> Answer<'_, bool> {
        answer(self.fresh)
    }
    fn set_up<'a>(
        &'a self,
        token: &'a SecretString,
        _: &'a str,
        _: &'a SecretString,
        _: Option<IpAddr>,
    ) -> Answer<'a, SignedIn> {
        if token.expose_secret() == "sample" {
            answer(SignedIn { token: "admin".into(), session: session(Role::Admin) })
        } else {
            refuse(RefusalKind::Invalid, "This is not the one-time token.", "Copy it from the console again.")
        }
    }
    fn sign_in<'a>(
        &'a self,
        name: &'a str,
        password: &'a SecretString,
        _: Option<IpAddr>,
    ) -> Answer<'a, SignedIn> {
        let role = Role::parse(name);
        match role.filter(|_| password.expose_secret() == "sample") {
            Some(role) => answer(SignedIn { token: name.into(), session: session(role) }),
            None => refuse(RefusalKind::Invalid, "Name or password is wrong.", "Try again."),
        }
    }
    fn session<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Session>> {
        answer(Role::parse(token).map(session))
    }
    fn sign_out<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        self.note("sign out".to_owned())
    }

    fn applications<'a>(
        &'a self,
        _: &'a Actor,
        query: &'a ApplicationsQuery,
    ) -> Answer<'a, ApplicationsPage> {
        answer(fleet::applications(query))
    }
    fn summary<'a>(&'a self, _: &'a Actor, id: &'a InstanceId) -> Answer<'a, SummaryPage> {
        found(header(id).map(scans::summary))
    }
    fn findings<'a>(&'a self, _: &'a Actor, query: &'a FindingsQuery) -> Answer<'a, FindingsPage> {
        listed(&query.instance, |h| questions::findings(h, query))
    }
    fn finding<'a>(&'a self, _: &'a Actor, id: &'a FindingId) -> Answer<'a, FindingPage> {
        found(questions::finding(id.as_str()))
    }
    fn accounts<'a>(&'a self, _: &'a Actor, query: &'a AccountsQuery) -> Answer<'a, AccountsPage> {
        listed(&query.instance, |h| inventory::accounts(h, query))
    }
    fn account<'a>(
        &'a self,
        _: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, AccountPage> {
        found(header(instance).and_then(|h| inventory::account(&h.instance, id)))
    }
    fn plugins<'a>(&'a self, _: &'a Actor, query: &'a PluginsQuery) -> Answer<'a, PluginsPage> {
        listed(&query.instance, |h| inventory::plugins(h, query))
    }
    fn plugin<'a>(&'a self, _: &'a Actor, instance: &'a InstanceId, id: &'a str) -> Answer<'a, PluginPage> {
        found(header(instance).and_then(|h| inventory::plugin(&h.instance, id)))
    }
    fn drift<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, _: &'a Cut) -> Answer<'a, DriftPage> {
        found(header(id).map(scans::drift))
    }
    fn history<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        query: &'a HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        found(header(id).map(|h| scans::history(h, query)))
    }
    fn settings<'a>(&'a self, actor: &'a Actor, id: &'a InstanceId) -> Answer<'a, SettingsPage> {
        found(header(id).map(|h| scans::settings(h, actor.role == Role::Admin)))
    }
    fn checks<'a>(&'a self, _: &'a Actor, query: &'a ChecksQuery) -> Answer<'a, ChecksPage> {
        answer(questions::checks(query))
    }
    fn check<'a>(&'a self, _: &'a Actor, _: &'a AppId, check: &'a CheckId) -> Answer<'a, CheckPage> {
        found(questions::check(check.as_str()))
    }
    fn owners<'a>(&'a self, actor: &'a Actor) -> Answer<'a, OwnersPage> {
        answer(inventory::owners(actor.role == Role::Admin))
    }
    fn audit<'a>(&'a self, _: &'a Actor, query: &'a AuditQuery) -> Answer<'a, AuditPage> {
        answer(inventory::audit(query))
    }
    exports! {
        export_accounts: AccountsQuery;
        export_plugins: PluginsQuery;
        export_people: PeopleQuery;
        export_exceptions: ExceptionsQuery;
        export_parties: PartiesQuery;
        export_plugin_users: PluginUsersQuery;
    }
    fn export_findings<'a>(
        &'a self,
        _: &'a Actor,
        _: &'a FindingsQuery,
        format: FindingsFormat,
    ) -> Answer<'a, Export> {
        answer(export_of_findings(format))
    }
    fn identity_providers<'a>(&'a self, actor: &'a Actor) -> Answer<'a, IdentityPage> {
        answer(across::identities(actor.role == Role::Admin))
    }
    fn mark_identity_provider<'a>(&'a self, _: &'a Actor, id: &'a InstanceId) -> Answer<'a, ()> {
        self.note(format!("mark {id}"))
    }
    fn unmark_identity_provider<'a>(&'a self, _: &'a Actor, id: &'a DirectoryId) -> Answer<'a, ()> {
        self.note(format!("unmark {id}"))
    }
    fn set_identity_age<'a>(&'a self, _: &'a Actor, id: &'a DirectoryId, hours: i64) -> Answer<'a, ()> {
        self.note(format!("{id} is believed for {hours} h"))
    }
    fn upload_identities<'a>(&'a self, _: &'a Actor, input: &'a ListInput) -> Answer<'a, DirectoryId> {
        match model::identity::parse_list(&input.text, now()) {
            Ok(identities) => {
                let what = format!("list {} of {} for {} days", input.name, identities.len(), input.days);
                self.done.lock().expect("no test panics while it holds the list").push(what);
                answer("l-1".into())
            }
            Err(error) => refuse(RefusalKind::Invalid, &format!("The list cannot be used: {error}."), ""),
        }
    }
    fn link_account<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        account: &'a str,
        key: &'a str,
        note: &'a str,
    ) -> Answer<'a, ()> {
        self.note(format!("{account} of {id} is {key}'s ({note})"))
    }
    fn unlink_account<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, account: &'a str) -> Answer<'a, ()> {
        self.note(format!("{account} of {id} is nobody's"))
    }
    fn people<'a>(&'a self, _: &'a Actor, query: &'a PeopleQuery) -> Answer<'a, PeoplePage> {
        answer(across::people(query))
    }
    fn person<'a>(&'a self, _: &'a Actor, key: &'a str) -> Answer<'a, PersonPage> {
        found(across::person(key))
    }
    fn exceptions<'a>(&'a self, _: &'a Actor, query: &'a ExceptionsQuery) -> Answer<'a, ExceptionsPage> {
        answer(across::exceptions(query))
    }
    fn except_finding<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a FindingId,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()> {
        self.note(format!("{id} excepted until {} by {}: {}", input.until, input.approver, input.reason))
    }
    fn end_exception<'a>(&'a self, _: &'a Actor, id: &'a FindingId) -> Answer<'a, ()> {
        self.note(format!("exception of {id} ended"))
    }
    fn account_known_until<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        account: &'a str,
        input: &'a ExceptionInput,
    ) -> Answer<'a, ()> {
        self.note(format!("{account} of {id} known until {}", input.until))
    }
    fn plugin_parties<'a>(&'a self, _: &'a Actor, query: &'a PartiesQuery) -> Answer<'a, PartiesPage> {
        answer(across::parties(query))
    }
    fn plugin_users<'a>(&'a self, _: &'a Actor, query: &'a PluginUsersQuery) -> Answer<'a, PluginUsersPage> {
        answer(across::plugin_users(query))
    }
    fn review_plugin<'a>(
        &'a self,
        _: &'a Actor,
        instance: &'a InstanceId,
        id: &'a str,
        review: Review,
        note: &'a str,
    ) -> Answer<'a, ()> {
        self.note(format!("{id} of {instance} is {} ({note})", review.as_str()))
    }
    fn export_runs<'a>(
        &'a self,
        _: &'a Actor,
        _: &'a InstanceId,
        _: &'a HistoryQuery,
        format: Format,
    ) -> Answer<'a, Export> {
        answer(export(format))
    }
    fn catalogue_apps<'a>(&'a self, _: &'a Actor) -> Answer<'a, CatalogueAppsPage> {
        answer(scans::catalogue())
    }
    fn onboard_form<'a>(
        &'a self,
        _: &'a Actor,
        app: &'a AppId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage> {
        found((app.as_str() == "github").then(|| scans::form(None, input)))
    }
    fn onboard_step<'a>(
        &'a self,
        _: &'a Session,
        _: &'a AppId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep> {
        if input.auth == "person" {
            return answer(CredentialStep::SignIn(Box::new(scans::leaving(None))));
        }
        if secrets.values().any(|s| s.expose_secret() == "wrong") {
            return wrong_key();
        }
        answer(CredentialStep::Verified(Box::new(scans::preflight(None))))
    }
    fn onboard_save<'a>(&'a self, _: &'a Actor, draft: &'a str) -> Answer<'a, InstanceId> {
        match draft {
            "d-1" => answer("i-acme".into()),
            _ => draft_is_gone(),
        }
    }
    fn reauthenticate_form<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        input: &'a CredentialInput,
    ) -> Answer<'a, CredentialFormPage> {
        found(header(id).map(|h| scans::form(Some(h), input)))
    }
    fn reauthenticate_step<'a>(
        &'a self,
        _: &'a Session,
        id: &'a InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Answer<'a, CredentialStep> {
        if input.auth == "person" {
            let leaving = |h| CredentialStep::SignIn(Box::new(scans::leaving(Some(h))));
            return found(header(id).map(leaving));
        }
        if secrets.values().any(|s| s.expose_secret() == "foreign") {
            return foreign_tenant();
        }
        found(header(id).map(|h| CredentialStep::Verified(Box::new(scans::preflight(Some(h))))))
    }
    fn vendor_returned<'a>(
        &'a self,
        _: &'a Session,
        _: &'a AppId,
        state: &'a str,
    ) -> Answer<'a, VendorReturnPage> {
        match state {
            "s-new" => answer(scans::returned(None)),
            "s-known" => found(header(&"i-globex".into()).map(|h| scans::returned(Some(h)))),
            _ => refuse(
                RefusalKind::Conflict,
                "This sign-in at the vendor is not waited for.",
                "Begin it again.",
            ),
        }
    }
    fn vendor_continue<'a>(
        &'a self,
        _: &'a Session,
        app: &'a AppId,
        state: &'a str,
        code: &'a str,
    ) -> Answer<'a, PreflightPage> {
        if code != "good" {
            return refuse(
                RefusalKind::Vendor,
                "GitHub does not accept the code of this sign-in.",
                "Begin the sign-in again.",
            );
        }
        // Not a change, but noted: a GET must not come here.
        drop(self.note(format!("redeem the code of {state} for {app}")));
        answer(scans::preflight(None))
    }
    fn reauthenticate_save<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        draft: &'a str,
        stop: &'a [ScanKind],
    ) -> Answer<'a, ()> {
        self.note(format!("reauthenticate {id} with {draft}, stop {stop:?}"))
    }
    fn scan_now<'a>(&'a self, actor: &'a Actor, id: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()> {
        if actor.role == Role::Auditor {
            return refuse(RefusalKind::Forbidden, "An auditor reads and exports.", "Ask an admin.");
        }
        self.note(format!("scan {id} {kind} now"))
    }
    fn cancel<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()> {
        self.note(format!("cancel {id} {kind}"))
    }
    fn check_again<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, kind: ScanKind) -> Answer<'a, ()> {
        self.note(format!("check {id} {kind} again"))
    }
    fn check_now<'a>(&'a self, _: &'a Actor, id: &'a InstanceId) -> Answer<'a, ()> {
        self.note(format!("check {id} now"))
    }
    fn set_interval<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        kind: ScanKind,
        interval: Duration,
    ) -> Answer<'a, ()> {
        self.note(format!("interval of {id} {kind}: {interval}"))
    }
    fn agree_empty<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, dataset: &'a str) -> Answer<'a, ()> {
        self.note(format!("{dataset} of {id} is empty"))
    }
    fn pause<'a>(&'a self, _: &'a Actor, id: &'a InstanceId) -> Answer<'a, ()> {
        self.note(format!("pause {id}"))
    }
    fn resume<'a>(&'a self, _: &'a Actor, id: &'a InstanceId) -> Answer<'a, ()> {
        self.note(format!("resume {id}"))
    }
    fn rename<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, name: &'a str) -> Answer<'a, ()> {
        self.note(format!("rename {id} to {name}"))
    }
    fn set_param<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        check: &'a CheckId,
        name: &'a str,
        value: Option<&'a str>,
    ) -> Answer<'a, ()> {
        self.note(format!("{name} of {check} in {id}: {}", value.unwrap_or("the default")))
    }
    fn assign_owner<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a InstanceId,
        owner: Option<&'a OwnerId>,
    ) -> Answer<'a, ()> {
        self.note(format!("owner of {id}: {}", owner.map_or("nobody", OwnerId::as_str)))
    }
    fn remove<'a>(&'a self, _: &'a Actor, id: &'a InstanceId, confirm: &'a str) -> Answer<'a, ()> {
        self.note(format!("remove {id} ({confirm})"))
    }
    fn set_finding_state<'a>(
        &'a self,
        _: &'a Actor,
        id: &'a FindingId,
        state: FindingState,
    ) -> Answer<'a, ()> {
        self.note(format!("{id} is {}", state.as_str()))
    }
    fn create_owner<'a>(&'a self, _: &'a Actor, input: &'a OwnerInput) -> Answer<'a, OwnerId> {
        if input.time_zone == "Atlantis" {
            return no_such_zone();
        }
        answer("o-new".into())
    }
    fn update_owner<'a>(&'a self, _: &'a Actor, owner: &'a OwnerId, input: &'a OwnerInput) -> Answer<'a, ()> {
        self.note(format!("owner {owner} is {} (active: {})", input.name, input.active))
    }
    fn notifications<'a>(&'a self, actor: &'a Actor) -> Answer<'a, NotificationsPage> {
        let _ = actor;
        answer(super::notifications::page())
    }
    fn digest_preview<'a>(&'a self, actor: &'a Actor, key: &'a str) -> Answer<'a, DigestPreview> {
        let _ = actor;
        answer(super::notifications::preview(key))
    }
    fn create_destination<'a>(
        &'a self,
        actor: &'a Actor,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, String> {
        let _ = (actor, input, secrets);
        answer("d-new".to_owned())
    }
    fn update_destination<'a>(
        &'a self,
        actor: &'a Actor,
        id: &'a str,
        input: &'a DestinationInput,
        secrets: Secrets,
    ) -> Answer<'a, ()> {
        let _ = (actor, input, secrets);
        self.note(format!("update_destination {id}"))
    }
    fn pause_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("pause_destination {id}"))
    }
    fn resume_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("resume_destination {id}"))
    }
    fn remove_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("remove_destination {id}"))
    }
    fn test_destination<'a>(&'a self, actor: &'a Actor, id: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("test_destination {id}"))
    }
    fn test_mail_transport<'a>(&'a self, actor: &'a Actor, to: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("test_mail_transport {to}"))
    }
    fn retry_deliveries<'a>(&'a self, actor: &'a Actor, destination: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("retry_deliveries {destination}"))
    }
    fn set_my_email<'a>(&'a self, actor: &'a Actor, email: &'a str) -> Answer<'a, ()> {
        let _ = (actor,);
        self.note(format!("set_my_email {email}"))
    }
    fn unsubscribe_asks<'a>(&'a self, token: &'a str) -> Answer<'a, String> {
        if token == "good" {
            return answer("Dana Reyes".to_owned());
        }
        refuse(RefusalKind::NotFound, "This link does not work (any more).", "Use a newer mail.")
    }
    fn unsubscribe<'a>(&'a self, token: &'a str) -> Answer<'a, ()> {
        self.note(format!("unsubscribe {token}"))
    }
}
