//! Cloud Identity's policies: settings by organisational unit and group, as administrators made them. What nobody made stands at
//! Google's defaults and is not listed. Mostly as recommended; contractors need no second step, and two of the sharing
//! settings are open.

use serde_json::{Value, json};

use super::Document;
use super::directory::{CUSTOMER, UNITS};
use crate::company::Company;

pub(super) fn write(company: &Company, put: &mut impl FnMut(String, Document)) {
    let mut policies: Vec<Value> = settings(company)
        .into_iter()
        .enumerate()
        .map(|(n, (unit, kind, value))| policy(n, unit, kind, &value))
        .collect();
    policies.extend(alerts(policies.len()));
    put("/v1/policies".to_owned(), Document::List("policies", policies));
    let root = UNITS[0].1;
    let profile = "inboundSamlSsoProfiles/03okta0000000001";
    put(
        "/v1/inboundSsoAssignments".to_owned(),
        Document::List(
            "inboundSsoAssignments",
            vec![
                json!({ "name": "inboundSsoAssignments/03sso00000000001", "customer": format!("customers/{CUSTOMER}"), "rank": 0,
                    "targetOrgUnit": format!("orgUnits/{root}"), "ssoMode": "SAML_SSO", "samlSsoInfo": { "inboundSamlSsoProfile": profile } }),
                json!({ "name": "inboundSsoAssignments/03sso00000000002", "customer": format!("customers/{CUSTOMER}"), "rank": 0,
                    "targetOrgUnit": format!("orgUnits/{}", UNITS[6].1), "ssoMode": "SSO_OFF" }),
            ],
        ),
    );
    put(
        "/v1/inboundSamlSsoProfiles".to_owned(),
        Document::List(
            "inboundSamlSsoProfiles",
            vec![
                json!({ "name": profile, "customer": format!("customers/{CUSTOMER}"), "displayName": "Okta",
                "idpConfig": { "entityId": "http://www.okta.com/simulated", "singleSignOnServiceUri": "https://acme.okta.example/app/google/sso/saml" },
                "spConfig": { "entityId": "https://accounts.google.com/samlrp/simulated", "assertionConsumerServiceUri": "https://accounts.google.com/samlrp/simulated/acs" } }),
            ],
        ),
    );
}

fn policy(n: usize, unit: usize, kind: &str, value: &Value) -> Value {
    let id = UNITS[unit].1;
    json!({ "name": format!("policies/ak{n:06}"), "customer": format!("customers/{CUSTOMER}"), "type": "ADMIN",
        "policyQuery": { "query": format!("entity.org_units.exists(org_unit, org_unit.org_unit_id == orgUnitId('{id}'))"),
            "orgUnit": format!("orgUnits/{id}"), "sortOrder": if unit == 0 { 1.0 } else { 2.0 } },
        "setting": { "type": format!("settings/{kind}"), "value": value } })
}

/// Alerts of Google's own, which are settings without a unit.
fn alerts(from: usize) -> Vec<Value> {
    ["User's password changed", "Government-backed attacks", "User suspended due to suspicious activity", "User granted Admin privilege",
        "Suspicious programmatic login", "Suspicious login", "Leaked password", "Gmail potential employee spoofing"]
        .into_iter()
        .enumerate()
        .map(|(n, name)| {
            let on = n != 4;
            let mut policy = policy(from + n, 0, "rule.system_defined_alerts", &json!({ "displayName": name,
                "description": name, "state": if on { "ACTIVE" } else { "INACTIVE" },
                "action": { "alertCenterAction": { "recipients": if on { json!([{ "allSuperAdmins": true }]) } else { json!([]) },
                    "alertCenterConfig": { "severity": "MEDIUM" } } } }));
            policy["policyQuery"]["sortOrder"] = json!(0);
            policy
        })
        .collect()
}

const ROOT: usize = 0;
const MARKETING: usize = 5;
const CONTRACTORS: usize = 6;

/// Settings with the unit for which they were made.
fn settings(company: &Company) -> Vec<(usize, &'static str, Value)> {
    let since = company.ago(700).to_string();
    let mut all = vec![
        (ROOT, "security.two_step_verification_enrollment", json!({ "allowEnrollment": true })),
        (ROOT, "security.two_step_verification_enforcement", json!({ "enforcedFrom": since })),
        // Whoever works for somebody else was to be included later.
        (
            CONTRACTORS,
            "security.two_step_verification_enforcement",
            json!({ "enforcedFrom": "1970-01-01T00:00:00Z" }),
        ),
        (
            ROOT,
            "security.two_step_verification_enforcement_factor",
            json!({ "allowedSignInFactorSet": "NO_TELEPHONY" }),
        ),
        (ROOT, "security.two_step_verification_grace_period", json!({ "enrollmentGracePeriod": "604800s" })),
        (ROOT, "security.two_step_verification_device_trust", json!({ "allowTrustingDevice": false })),
        (ROOT, "security.two_step_verification_sign_in_code", json!({ "backupCodeExceptionPeriod": "0s" })),
        (ROOT, "security.session_controls", json!({ "webSessionDuration": "43200s" })),
        (
            ROOT,
            "security.password",
            json!({ "allowedStrength": "STRONG", "minimumLength": 14, "maximumLength": 100,
            "enforceRequirementsAtLogin": true, "allowReuse": false, "expirationDuration": "0s" }),
        ),
        (
            CONTRACTORS,
            "security.password",
            json!({ "allowedStrength": "STRONG", "minimumLength": 8, "maximumLength": 100,
            "enforceRequirementsAtLogin": false, "allowReuse": true, "expirationDuration": "0s" }),
        ),
        (ROOT, "security.super_admin_account_recovery", json!({ "enableAccountRecovery": false })),
        (ROOT, "security.user_account_recovery", json!({ "enableAccountRecovery": false })),
        (
            ROOT,
            "security.advanced_protection_program",
            json!({ "enableAdvancedProtectionSelfEnrollment": true, "securityCodeOption": "CODES_NOT_ALLOWED" }),
        ),
        (ROOT, "security.login_challenges", json!({ "enableEmployeeIdChallenge": false })),
        (ROOT, "security.less_secure_apps", json!({ "allowLessSecureApps": false })),
        (ROOT, "api_controls.unconfigured_third_party_apps", json!({ "accessLevel": "ALLOW_ALL_SCOPES" })),
        (ROOT, "api_controls.internal_apps", json!({ "trustInternalApps": true })),
        (
            ROOT,
            "api_controls.google_services",
            json!({ "services": [{ "scopesGroup": "DRIVE_ALL", "isEnabled": true },
            { "scopesGroup": "GMAIL_ALL", "isEnabled": true }] }),
        ),
        (ROOT, "workspace_marketplace.apps_access_options", json!({ "accessLevel": "ALLOW_LISTED_APPS" })),
        (
            ROOT,
            "provisioning.conflicting_accounts_management",
            json!({ "conflictingAccountsManagement": "REPLACE_CONFLICTING_ACCOUNTS_WITH_MANAGED" }),
        ),
        (ROOT, "data_regions.data_at_rest_region", json!({ "region": "EUROPE" })),
        (ROOT, "data_regions.data_processing_region", json!({ "limitToStorageRegion": true })),
        (ROOT, "meet.automatic_recording", json!({ "enabled": false })),
        (ROOT, "meet.automatic_transcription", json!({ "enabled": false })),
        (ROOT, "multi_party_approval.require_approvals", json!({ "multiPartyApprovalState": "ENABLED" })),
        (
            ROOT,
            "rule.dlp",
            json!({ "displayName": "Card numbers in Drive", "state": "ACTIVE", "triggers": ["google.workspace.drive.file.v1.share"] }),
        ),
        (
            ROOT,
            "rule.dlp",
            json!({ "displayName": "Card numbers in mail", "state": "ACTIVE", "triggers": ["google.workspace.gmail.email.v1.send"] }),
        ),
    ];
    all.extend(documents());
    all.extend(mail());
    all.extend(talk());
    all
}

fn documents() -> Vec<(usize, &'static str, Value)> {
    let sharing = |mode: &str, publish: bool| {
        json!({ "externalSharingMode": mode, "warnForExternalSharing": true, "warnForSharingOutsideAllowlistedDomains": true,
            "allowReceivingExternalFiles": true, "allowReceivingFilesOutsideAllowlistedDomains": true, "allowNonGoogleInvites": false,
            "allowNonGoogleInvitesInAllowlistedDomains": false, "allowPublishingFiles": publish, "accessCheckerSuggestions": "RECIPIENTS_ONLY",
            "allowedPartiesForDistributingContent": "ELIGIBLE_INTERNAL_USERS" })
    };
    vec![
        (ROOT, "drive_and_docs.external_sharing", sharing("ALLOWLISTED_DOMAINS", false)),
        (MARKETING, "drive_and_docs.external_sharing", sharing("ALLOWED", true)),
        (ROOT, "drive_and_docs.general_access_default", json!({ "defaultFileAccess": "PRIVATE_TO_OWNER" })),
        (ROOT, "drive_and_docs.external_file_warning", json!({ "highlightingEnabled": true })),
        (
            ROOT,
            "drive_and_docs.shared_drive_creation",
            json!({ "allowSharedDriveCreation": true, "orgUnitForNewSharedDrives": "CREATOR_ORG_UNIT",
            "allowManagersToOverrideSettings": true, "allowExternalUserAccess": true, "allowNonMemberAccess": false,
            "allowedPartiesForDownloadPrintCopy": "EDITORS_ONLY", "allowContentManagersToShareFolders": false }),
        ),
        (
            ROOT,
            "drive_and_docs.file_security_update",
            json!({ "securityUpdate": "APPLY_TO_IMPACTED_FILES", "allowUsersToManageUpdate": false }),
        ),
        (ROOT, "drive_and_docs.drive_sdk", json!({ "enableDriveSdkApiAccess": true })),
        (
            ROOT,
            "drive_and_docs.drive_for_desktop",
            json!({ "allowDriveForDesktop": true, "restrictToAuthorizedDevices": true, "showDownloadLink": false }),
        ),
    ]
}

fn mail() -> Vec<(usize, &'static str, Value)> {
    vec![
        (
            ROOT,
            "gmail.mail_delegation",
            json!({ "enableMailDelegation": false, "enableCustomizedDelegate": false }),
        ),
        (
            ROOT,
            "gmail.email_attachment_safety",
            json!({ "enableEncryptedAttachmentProtection": true, "encryptedAttachmentProtectionConsequence": "WARNING",
            "enableAttachmentWithScriptsProtection": true, "scriptsProtectionConsequence": "SPAM_FOLDER", "attachmentWithScriptsProtectionConsequence": "SPAM_FOLDER",
            "enableAnomalousAttachmentProtection": true, "anomalousAttachmentProtectionConsequence": "WARNING", "applyFutureRecommendedSettingsAutomatically": true }),
        ),
        (
            ROOT,
            "gmail.links_and_external_images",
            json!({ "enableShortenerScanning": true, "enableExternalImageScanning": true,
            "enableAggressiveWarningsOnUntrustedLinks": true, "applyFutureSettingsAutomatically": true }),
        ),
        (
            ROOT,
            "gmail.spoofing_and_authentication",
            json!({ "detectDomainNameSpoofing": true, "domainNameSpoofingConsequence": "SPAM_FOLDER",
            "domainSpoofingConsequence": "SPAM_FOLDER", "detectEmployeeNameSpoofing": true, "employeeNameSpoofingConsequence": "SPAM_FOLDER",
            "detectDomainSpoofingFromUnauthenticatedSenders": true, "domainSpoofingFromUnauthenticatedSendersConsequence": "QUARANTINE",
            "detectUnauthenticatedEmails": true, "unauthenticatedEmailConsequence": "WARNING", "detectGroupsSpoofing": true,
            "groupsSpoofingVisibilityType": "PRIVATE_GROUPS_ONLY", "groupsSpoofingConsequence": "NO_ACTION", "applyFutureSettingsAutomatically": true }),
        ),
        (ROOT, "gmail.user_email_uploads", json!({ "enableMailAndContactsImport": false })),
        (ROOT, "gmail.pop_access", json!({ "enablePopAccess": false })),
        (
            ROOT,
            "gmail.imap_access",
            json!({ "imapAccessRestriction": "ALLOW_ALL", "enableImapAccess": true }),
        ),
        (
            ROOT,
            "gmail.workspace_sync_for_outlook",
            json!({ "enableGoogleWorkspaceSyncForMicrosoftOutlook": false }),
        ),
        (ROOT, "gmail.auto_forwarding", json!({ "enableAutoForwarding": true })),
        (ROOT, "gmail.per_user_outbound_gateway", json!({ "allowUsersToUseExternalSmtpServers": false })),
        (ROOT, "gmail.email_spam_filter_ip_allowlist", json!({ "allowedIpAddresses": [] })),
        (
            ROOT,
            "gmail.enhanced_pre_delivery_message_scanning",
            json!({ "enableImprovedSuspiciousContentDetection": true }),
        ),
        (ROOT, "gmail.comprehensive_mail_storage", json!({ "ruleId": "simulated-rule" })),
    ]
}

fn talk() -> Vec<(usize, &'static str, Value)> {
    vec![
        (
            ROOT,
            "calendar.primary_calendar_max_allowed_external_sharing",
            json!({ "maxAllowedExternalSharing": "EXTERNAL_FREE_BUSY_ONLY" }),
        ),
        (
            ROOT,
            "calendar.secondary_calendar_max_allowed_external_sharing",
            json!({ "maxAllowedExternalSharing": "EXTERNAL_ALL_INFO_READ_ONLY" }),
        ),
        (ROOT, "calendar.external_invitations", json!({ "warnOnInvite": true })),
        (
            ROOT,
            "calendar.interoperability",
            json!({ "enableInteroperability": false,
            "enableFullEventDetails": false, "enableExchangeRoomBooking": false }),
        ),
        (ROOT, "calendar.appointment_schedules", json!({ "enablePayments": false })),
        (
            ROOT,
            "chat.chat_file_sharing",
            json!({ "externalFileSharing": "NO_FILES", "internalFileSharing": "ALL_FILES" }),
        ),
        (
            ROOT,
            "chat.external_chat_restriction",
            json!({ "allowExternalChat": true, "externalChatRestriction": "TRUSTED_DOMAINS" }),
        ),
        (
            ROOT,
            "chat.chat_external_spaces",
            json!({ "enabled": true, "domainAllowlistMode": "TRUSTED_DOMAINS" }),
        ),
        (ROOT, "chat.chat_apps_access", json!({ "enableApps": true, "enableWebhooks": true })),
        (
            ROOT,
            "chat.chat_history",
            json!({ "historyOnByDefault": true, "enableChatHistory": true, "allowUserModification": false }),
        ),
        (ROOT, "chat.space_history", json!({ "historyState": "DEFAULT_HISTORY_ON" })),
        (ROOT, "meet.safety_domain", json!({ "usersAllowedToJoin": "ALL" })),
        (ROOT, "meet.safety_access", json!({ "meetingsAllowedToJoin": "WORKSPACE_ORGANIZATIONS_ONLY" })),
        (ROOT, "meet.meet_joining", json!({ "allowedAudience": "NO_ANONYMOUS_USERS" })),
        (ROOT, "meet.safety_host_management", json!({ "enableHostManagement": true })),
        (ROOT, "meet.safety_external_participants", json!({ "enableExternalLabel": true })),
        (ROOT, "meet.video_recording", json!({ "enableRecording": false })),
        (
            ROOT,
            "groups_for_business.groups_sharing",
            json!({ "ownersCanAllowExternalMembers": true, "collaborationCapability": "DOMAIN_USERS_ONLY",
            "createGroupsAccessLevel": "ADMIN_ONLY", "ownersCanAllowIncomingMailFromPublic": true, "viewTopicsDefaultAccessLevel": "GROUP_MEMBERS",
            "ownersCanHideGroups": false, "newGroupsAreHidden": false }),
        ),
        (ROOT, "sites.service_status", json!({ "serviceState": "DISABLED" })),
        (
            ROOT,
            "sites.sites_creation_and_modification",
            json!({ "allowSitesCreation": false, "allowSitesModification": false }),
        ),
        (ROOT, "groups.service_status", json!({ "serviceState": "DISABLED" })),
        (ROOT, "takeout.service_status", json!({ "serviceState": "DISABLED" })),
        (ROOT, "blogger.service_status", json!({ "serviceState": "DISABLED" })),
        (MARKETING, "blogger.service_status", json!({ "serviceState": "ENABLED" })),
        (ROOT, "youtube.service_status", json!({ "serviceState": "ENABLED" })),
        (ROOT, "photos.service_status", json!({ "serviceState": "DISABLED" })),
    ]
}
