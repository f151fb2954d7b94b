//! Exchange's and Teams' settings by the interfaces of their PowerShell modules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::auth::Sold;
use super::programs::own;
use super::{Microsoft365, error};
use crate::company::{Company, DOMAIN};
use crate::server::{Answer, Ask};

impl Microsoft365 {
    /// A cmdlet by name. Exchange refuses what the app's role does not let it see with 403 and no body that says more.
    pub(super) fn invoke(&self, ask: &Ask, sold: &Sold) -> Answer {
        if !self.holds(sold, &["Exchange.ManageAsApp"]) {
            return error(
                403,
                "AccessDenied",
                "The role assigned to application isn't supported in this scenario.",
            );
        }
        let body = ask.json();
        let name = body["CmdletInput"]["CmdletName"].as_str().unwrap_or_default();
        match self.exchange.get(name) {
            Some(records) => Answer::ok(
                json!({ "@odata.context": format!("{}{}", ask.origin, ask.path), "value": records }),
            ),
            None => error(
                400,
                "BadRequest",
                &format!("The term '{name}' is not recognized as the name of a cmdlet."),
            ),
        }
    }

    /// A configuration of Teams by its type.
    pub(super) fn configuration(&self, ask: &Ask) -> Answer {
        match ask.path.strip_prefix("/Skype.Policy/configurations/").and_then(|kind| self.exchange.get(kind))
        {
            Some(records) => Answer::ok(json!(records)),
            None => error(404, "NotFound", "There is no configuration of this type."),
        }
    }
}

/// Mostly as recommended; mail may be forwarded outside by rule, Teams talks to everybody, and of the applications that reach mail
/// only the tenant's own is limited to some mailboxes.
pub(super) fn answers(company: &Company) -> BTreeMap<String, Vec<Value>> {
    let person = &company.people[company.admins[0]];
    let one = |value: Value| vec![value];
    let all = [
        (
            "Get-OrganizationConfig",
            one(
                json!({ "Name": "acme", "AuditDisabled": false, "OAuth2ClientProfileEnabled": true, "MailTipsAllTipsEnabled": true,
            "MailTipsExternalRecipientsTipsEnabled": false, "MailTipsGroupMetricsEnabled": true, "MailTipsLargeAudienceThreshold": 25,
            "RejectDirectSend": false, "CustomerLockBoxEnabled": false }),
            ),
        ),
        (
            "Get-TransportConfig",
            one(
                json!({ "Guid": "50000000-0000-4000-8000-000000000001", "SmtpClientAuthenticationDisabled": true }),
            ),
        ),
        (
            "Get-HostedOutboundSpamFilterPolicy",
            one(json!({ "Name": "Default", "IsDefault": true, "AutoForwardingMode": "On",
            "NotifyOutboundSpam": true, "BccSuspiciousOutboundMail": false })),
        ),
        (
            "Get-RemoteDomain",
            one(json!({ "Name": "Default", "DomainName": "*", "AutoForwardEnabled": true })),
        ),
        (
            "Get-TransportRule",
            one(
                json!({ "Name": "Mark newsletters", "State": "Enabled", "Mode": "Enforce", "SetSCL": null, "SenderDomainIs": null,
            "RedirectMessageTo": null, "BlindCopyTo": null }),
            ),
        ),
        ("Get-ExternalInOutlook", one(json!({ "Identity": "acme", "Enabled": true, "AllowList": [] }))),
        (
            "Get-RoleAssignmentPolicy",
            one(
                json!({ "Name": "Default Role Assignment Policy", "IsDefault": true, "AssignedRoles": ["MyContactInformation", "My Marketplace Apps"] }),
            ),
        ),
        (
            "Get-OwaMailboxPolicy",
            one(
                json!({ "Name": "OwaMailboxPolicy-Default", "IsDefault": true, "AdditionalStorageProvidersAvailable": true,
            "PersonalAccountsEnabled": false, "PersonalAccountCalendarsEnabled": false }),
            ),
        ),
        (
            "Get-MailboxAuditBypassAssociation",
            one(json!({ "Guid": person.ids.entra, "Name": person.name(), "AuditBypassEnabled": false })),
        ),
        ("Get-Mailbox", Vec::new()),
        (
            "Get-SharingPolicy",
            one(
                json!({ "Name": "Default Sharing Policy", "Enabled": true, "Default": true, "Domains": ["*:CalendarSharingFreeBusySimple"] }),
            ),
        ),
        ("Get-AcceptedDomain", one(json!({ "DomainName": DOMAIN, "DomainType": "Authoritative" }))),
        ("Get-DkimSigningConfig", one(json!({ "Domain": DOMAIN, "Enabled": true, "Status": "Valid" }))),
        (
            "Get-MalwareFilterPolicy",
            one(
                json!({ "Name": "Default", "IsDefault": true, "EnableFileFilter": true, "FileTypes": ["exe", "iso", "js"],
            "ZapEnabled": true, "EnableInternalSenderAdminNotifications": false }),
            ),
        ),
        (
            "Get-SafeLinksPolicy",
            one(
                json!({ "Name": "Built-In Protection Policy", "IsBuiltInProtection": true, "EnableSafeLinksForEmail": true,
            "EnableSafeLinksForTeams": true, "EnableSafeLinksForOffice": true, "AllowClickThrough": true, "ScanUrls": true }),
            ),
        ),
        (
            "Get-SafeAttachmentPolicy",
            one(
                json!({ "Name": "Built-In Protection Policy", "IsBuiltInProtection": true, "Enable": true, "Action": "Block" }),
            ),
        ),
        (
            "Get-AntiPhishPolicy",
            one(
                json!({ "Name": "Office365 AntiPhish Default", "IsDefault": true, "Enabled": true, "EnableSpoofIntelligence": true,
            "EnableMailboxIntelligence": true, "EnableMailboxIntelligenceProtection": false, "EnableFirstContactSafetyTips": true,
            "HonorDmarcPolicy": true, "PhishThresholdLevel": 2 }),
            ),
        ),
        (
            "Get-HostedContentFilterPolicy",
            one(
                json!({ "Name": "Default", "IsDefault": true, "AllowedSenderDomains": [], "SpamZapEnabled": true, "PhishZapEnabled": true }),
            ),
        ),
        (
            "Get-HostedConnectionFilterPolicy",
            one(json!({ "Name": "Default", "IPAllowList": ["192.0.2.17"], "EnableSafeList": false })),
        ),
        (
            "Get-ApplicationAccessPolicy",
            one(
                json!({ "Identity": format!("acme\\{}", own(4)), "AppID": own(4), "AccessRight": "RestrictAccess",
            "ScopeName": "Booking mailboxes", "Description": "" }),
            ),
        ),
        ("Get-AdminAuditLogConfig", one(json!({ "UnifiedAuditLogIngestionEnabled": true }))),
        (
            "TenantFederationSettings",
            one(
                json!({ "Identity": "Global", "AllowFederatedUsers": true, "AllowedDomains": { "AllowAllKnownDomains": {} },
            "AllowTeamsConsumer": true, "AllowTeamsConsumerInbound": false, "ExternalAccessWithTrialTenants": "Blocked" }),
            ),
        ),
        (
            "TeamsClientConfiguration",
            one(
                json!({ "Identity": "Global", "AllowDropBox": false, "AllowBox": false, "AllowGoogleDrive": true,
            "AllowShareFile": false, "AllowEgnyte": false, "AllowEmailIntoChannel": true }),
            ),
        ),
        (
            "TeamsMeetingPolicy",
            one(
                json!({ "Identity": "Global", "AllowAnonymousUsersToJoinMeeting": true, "AllowAnonymousUsersToStartMeeting": false,
            "AutoAdmittedUsers": "EveryoneInCompanyExcludingGuests", "AllowPSTNUsersToBypassLobby": false, "MeetingChatEnabledType": "Enabled",
            "DesignatedPresenterRoleMode": "EveryoneUserOverride", "AllowExternalParticipantGiveRequestControl": false, "AllowCloudRecording": true }),
            ),
        ),
        (
            "TeamsAppPermissionPolicy",
            one(
                json!({ "Identity": "Global", "DefaultCatalogAppsType": "BlockedAppList", "GlobalCatalogAppsType": "AllowedAppList",
            "PrivateCatalogAppsType": "BlockedAppList" }),
            ),
        ),
        ("TeamsMessagingPolicy", one(json!({ "Identity": "Global", "AllowSecurityEndUserReporting": true }))),
    ];
    all.into_iter().map(|(name, records)| (name.to_owned(), records)).collect()
}
