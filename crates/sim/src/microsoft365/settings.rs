//! The tenant's settings: mostly as recommended, some clearly not. A third of sales is spared the second factor, people may
//! consent to whatever asks them, and blocking device codes has been tried out since last winter.

use serde_json::{Value, json};

use super::directory::{Directory, EMERGENCY, EXCEPTIONS, ROLES};
use super::{Document, instant};
use crate::company::{Company, DOMAIN};

pub(super) fn write(company: &Company, directory: &Directory, put: &mut impl FnMut(String, Document)) {
    let mut list = |path: &str, records: Vec<Value>| put(format!("/v1.0{path}"), Document::List(records));
    list("/identity/conditionalAccess/policies", conditional_access(company, directory));
    list(
        "/identity/conditionalAccess/namedLocations",
        vec![
            json!({ "@odata.type": "#microsoft.graph.ipNamedLocation", "id": "10000000-0000-4000-8000-000000000001", "displayName": "Offices",
            "isTrusted": true, "ipRanges": [{ "@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "192.0.2.0/24" }] }),
            json!({ "@odata.type": "#microsoft.graph.countryNamedLocation", "id": "10000000-0000-4000-8000-000000000002", "displayName": "Where we work",
            "countriesAndRegions": ["DE", "NL", "SE"], "includeUnknownCountriesAndRegions": false }),
        ],
    );
    list("/policies/authenticationStrengthPolicies", strengths());
    let idle = r#"{"ActivityBasedTimeoutPolicy":{"Version":1,"ApplicationPolicies":[{"ApplicationId":"default","WebSessionIdleTimeout":"01:00:00"}]}}"#;
    list(
        "/policies/activityBasedTimeoutPolicies",
        vec![json!({ "id": "70000000-0000-4000-8000-000000000001", "displayName": "Idle web sessions",
        "isOrganizationDefault": true, "definition": [idle] })],
    );
    list("/directory/onPremisesSynchronization", Vec::new());
    list("/groupSettings", vec![password_settings()]);
    list("/identityGovernance/accessReviews/definitions", vec![review()]);
    let scored = |name: &str, category: &str, score: f64| json!({ "controlName": name, "controlCategory": category, "score": score });
    list(
        "/security/secureScores",
        vec![json!({ "id": "score-today", "createdDateTime": instant(company.ago(1)), "currentScore": 561.5,
        "maxScore": 690.0, "controlScores": [scored("MFARegistrationV2", "Identity", 7.1), scored("BlockLegacyAuthentication", "Identity", 8.0)] })],
    );
    let mut object = |path: &str, value: Value| put(path.to_owned(), Document::Object(value));
    object(
        "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy",
        json!({ "id": "00000000-0000-0000-0000-000000000005", "isEnabled": false }),
    );
    object("/v1.0/policies/authorizationPolicy", authorization());
    object(
        "/v1.0/policies/authenticationFlowsPolicy",
        json!({ "id": "authenticationFlowsPolicy", "selfServiceSignUp": { "isEnabled": false } }),
    );
    object(
        "/v1.0/policies/adminConsentRequestPolicy",
        json!({ "isEnabled": true, "notifyReviewers": true, "remindersEnabled": true,
        "requestDurationInDays": 30, "reviewers": [{ "query": "/v1.0/users/reviewer", "queryType": "MicrosoftGraph", "queryRoot": null }] }),
    );
    object("/v1.0/policies/defaultAppManagementPolicy", app_management());
    object("/v1.0/policies/deviceRegistrationPolicy", devices());
    object("/v1.0/policies/crossTenantAccessPolicy/default", cross_tenant());
    object("/v1.0/policies/authenticationMethodsPolicy", methods());
    let target = json!({ "id": "all_users", "targetType": "group" });
    object(
        "/beta/policies/authenticationMethodsPolicy",
        json!({ "id": "authenticationMethodsPolicy",
        "systemCredentialPreferences": { "state": "enabled", "includeTargets": [target], "excludeTargets": [] },
        "reportSuspiciousActivitySettings": { "state": "enabled", "includeTarget": target } }),
    );
    object("/v1.0/admin/sharepoint/settings", sharepoint());
    put("/beta/policies/b2bManagementPolicies".to_owned(), Document::List(Vec::new()));
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

/// Graph answers each condition, those that are not set as null.
fn policy(company: &Company, n: usize, name: &str, state: &str, days: usize, more: &Value) -> Value {
    let made = instant(company.ago(days));
    let mut policy = json!({
        "id": format!("2000000{n}-0000-4000-8000-000000000000"), "displayName": name, "state": state, "createdDateTime": made, "modifiedDateTime": null,
        "conditions": {
            "users": { "includeUsers": [], "excludeUsers": [], "includeGroups": [], "excludeGroups": [], "includeRoles": [], "excludeRoles": [],
                "includeGuestsOrExternalUsers": null, "excludeGuestsOrExternalUsers": null },
            "applications": { "includeApplications": ["All"], "excludeApplications": [], "applicationFilter": null, "includeUserActions": [],
                "includeAuthenticationContextClassReferences": [] },
            "clientAppTypes": ["all"], "platforms": null, "locations": null, "devices": null, "signInRiskLevels": [], "userRiskLevels": [],
            "insiderRiskLevels": null, "authenticationFlows": null,
        },
        "grantControls": { "operator": "OR", "builtInControls": [], "customAuthenticationFactors": [], "termsOfUse": [], "authenticationStrength": null },
        "sessionControls": null,
    });
    merge(&mut policy, more);
    policy
}

fn conditional_access(company: &Company, directory: &Directory) -> Vec<Value> {
    let (on, tried) = ("enabled", "enabledForReportingButNotEnforced");
    let emergency = directory.group(EMERGENCY);
    let everybody = json!({ "includeUsers": ["All"], "excludeGroups": [emergency] });
    let roles: Vec<&str> = ROLES.iter().take(16).map(|(id, _)| *id).collect();
    let grant = |controls: Value| json!({ "grantControls": { "builtInControls": controls } });
    let with = |users: &Value, conditions: Value, more: Value| {
        let mut all = json!({ "conditions": { "users": users } });
        merge(&mut all["conditions"], &conditions);
        merge(&mut all, &more);
        all
    };
    let mut spared = everybody.clone();
    spared["excludeGroups"] = json!([emergency, directory.group(EXCEPTIONS)]);
    let admins = json!({ "includeRoles": roles, "excludeGroups": [emergency] });
    let guests = json!({ "includeGuestsOrExternalUsers": { "guestOrExternalUserTypes":
        "internalGuest,b2bCollaborationGuest,b2bCollaborationMember,b2bDirectConnectUser,otherExternalUser,serviceProvider",
        "externalTenants": { "@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all" } } });
    // Graph answers each control of a session, those that are not set as null.
    let session = |more: Value| {
        let mut all = json!({ "disableResilienceDefaults": null, "applicationEnforcedRestrictions": null, "cloudAppSecurity": null,
            "signInFrequency": null, "persistentBrowser": null, "secureSignInSession": null });
        merge(&mut all, &more);
        all
    };
    let each_time = session(
        json!({ "signInFrequency": { "isEnabled": true, "value": null, "type": null, "frequencyInterval": "everyTime" } }),
    );
    let four_hours = session(
        json!({ "signInFrequency": { "isEnabled": true, "value": 4, "type": "hours", "frequencyInterval": "timeBased" },
        "persistentBrowser": { "isEnabled": true, "mode": "never" } }),
    );
    let strong = json!({ "grantControls": { "authenticationStrength": { "id": "00000000-0000-0000-0000-000000000004", "displayName": "Phishing-resistant MFA" } },
        "sessionControls": four_hours });
    let mut risk = grant(json!(["mfa"]));
    risk["sessionControls"] = each_time.clone();
    let mut changed = grant(json!(["passwordChange", "mfa"]));
    changed["grantControls"]["operator"] = json!("AND");
    changed["sessionControls"] = each_time;
    let azure =
        json!({ "applications": { "includeApplications": ["797f4846-ba00-4fd7-ba43-dac1f8f63013"] } });
    let registering = json!({ "applications": { "includeApplications": [], "includeUserActions": ["urn:user:registerdevice"] } });
    vec![
        policy(
            company,
            1,
            "Second factor for everybody",
            on,
            900,
            &with(&spared, json!({}), grant(json!(["mfa"]))),
        ),
        policy(
            company,
            2,
            "Phishing-resistant factors for administrators",
            on,
            700,
            &with(&admins, json!({}), strong),
        ),
        policy(
            company,
            3,
            "No legacy authentication",
            on,
            900,
            &with(
                &everybody,
                json!({ "clientAppTypes": ["exchangeActiveSync", "other"] }),
                grant(json!(["block"])),
            ),
        ),
        policy(
            company,
            4,
            "No device codes",
            tried,
            240,
            &with(
                &everybody,
                json!({ "authenticationFlows": { "transferMethods": "deviceCodeFlow" } }),
                grant(json!(["block"])),
            ),
        ),
        policy(
            company,
            5,
            "Risky sign-ins",
            on,
            500,
            &with(&everybody, json!({ "signInRiskLevels": ["high", "medium"] }), risk),
        ),
        policy(
            company,
            6,
            "Risky users",
            on,
            500,
            &with(&everybody, json!({ "userRiskLevels": ["high"] }), changed),
        ),
        policy(
            company,
            7,
            "Second factor for guests",
            on,
            300,
            &with(&guests, json!({}), grant(json!(["mfa"]))),
        ),
        policy(company, 8, "Azure management", on, 300, &with(&everybody, azure, grant(json!(["mfa"])))),
        policy(
            company,
            9,
            "Second factor to register devices",
            on,
            120,
            &with(&everybody, registering, grant(json!(["mfa"]))),
        ),
    ]
}

fn strengths() -> Vec<Value> {
    let resistant = ["windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"];
    let passwordless = [&resistant[..], &["deviceBasedPush"]].concat();
    let any = [
        &passwordless[..],
        &["password,microsoftAuthenticatorPush", "password,softwareOath", "password,sms"],
    ]
    .concat();
    [
        ("2", "Multifactor authentication", any),
        ("3", "Passwordless MFA", passwordless),
        ("4", "Phishing-resistant MFA", resistant.to_vec()),
    ]
    .into_iter()
    .map(|(n, name, combinations)| {
        json!({ "id": format!("00000000-0000-0000-0000-00000000000{n}"), "displayName": name,
            "policyType": "builtIn", "requirementsSatisfied": "mfa", "allowedCombinations": combinations })
    })
    .collect()
}

fn password_settings() -> Value {
    let value = |name: &str, value: &str| json!({ "name": name, "value": value });
    json!({ "id": "30000000-0000-4000-8000-000000000001", "displayName": "Password Rule Settings", "templateId": "5cf42378-d67d-4f36-ba46-e8b86229381d",
        "values": [value("BannedPasswordCheckOnPremisesMode", "Audit"), value("EnableBannedPasswordCheckOnPremises", "True"),
            value("EnableBannedPasswordCheck", "True"), value("LockoutDurationInSeconds", "60"), value("LockoutThreshold", "10"),
            value("BannedPasswordList", "acme\tsummer")] })
}

fn review() -> Value {
    json!({ "id": "40000000-0000-4000-8000-000000000001", "displayName": "Guests of all teams", "status": "InProgress",
        "scope": { "@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": "./members/microsoft.graph.user/?$filter=(userType eq 'Guest')" },
        "instanceEnumerationScope": { "query": "/groups?$filter=(groupTypes/any(c:c eq 'Unified'))" },
        "settings": { "autoApplyDecisionsEnabled": true, "defaultDecision": "Deny", "defaultDecisionEnabled": true,
            "recurrence": { "pattern": { "type": "absoluteMonthly", "interval": 3 }, "range": { "type": "noEnd" } } } })
}

fn authorization() -> Value {
    json!({ "id": "authorizationPolicy", "displayName": "Authorization Policy", "allowInvitesFrom": "everyone",
        "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3", "allowedToSignUpEmailBasedSubscriptions": false,
        "allowEmailVerifiedUsersToJoinOrganization": false, "allowedToUseSSPR": false, "blockMsolPowerShell": true, "allowUserConsentForRiskyApps": false,
        "defaultUserRolePermissions": { "allowedToCreateApps": false, "allowedToCreateSecurityGroups": false, "allowedToCreateTenants": false,
            "allowedToReadBitlockerKeysForOwnedDevice": false, "allowedToReadOtherUsers": true,
            "permissionGrantPoliciesAssigned": ["ManagePermissionGrantsForSelf.microsoft-user-default-legacy", "ManagePermissionGrantsForOwnedResource.DeveloperConsent"] } })
}

fn app_management() -> Value {
    let restricted = |kind: &str, life: Option<&str>| json!({ "restrictionType": kind, "state": "enabled", "maxLifetime": life, "restrictForAppsCreatedAfterDateTime": "2024-01-01T00:00:00Z" });
    let secrets =
        json!([restricted("passwordLifetime", Some("P180D")), restricted("customPasswordAddition", None)]);
    let keys = json!([restricted("asymmetricKeyLifetime", Some("P365D"))]);
    json!({ "id": "00000000-0000-0000-0000-000000000000", "isEnabled": true, "applicationRestrictions": { "passwordCredentials": secrets, "keyCredentials": keys },
        "servicePrincipalRestrictions": { "passwordCredentials": secrets, "keyCredentials": keys } })
}

fn devices() -> Value {
    let all = json!({ "@odata.type": "#microsoft.graph.allDeviceRegistrationMembership" });
    let none = json!({ "@odata.type": "#microsoft.graph.noDeviceRegistrationMembership" });
    json!({ "id": "deviceRegistrationPolicy", "userDeviceQuota": 15, "multiFactorAuthConfiguration": "notRequired",
        "azureADJoin": { "isAdminConfigurable": true, "allowedToJoin": all, "localAdmins": { "enableGlobalAdmins": false, "registeringUsers": none } },
        "azureADRegistration": { "isAdminConfigurable": false, "allowedToRegister": all }, "localAdminPassword": { "isEnabled": true } })
}

fn cross_tenant() -> Value {
    let blocked = json!({ "usersAndGroups": { "accessType": "blocked", "targets": [] }, "applications": { "accessType": "blocked", "targets": [] } });
    json!({ "isServiceDefault": false, "b2bDirectConnectInbound": blocked, "b2bDirectConnectOutbound": blocked,
        "inboundTrust": { "isMfaAccepted": true, "isCompliantDeviceAccepted": false, "isHybridAzureADJoinedDeviceAccepted": false },
        "automaticUserConsentSettings": { "inboundAllowed": false, "outboundAllowed": false } })
}

fn methods() -> Value {
    let target = |id: &str| json!([{ "targetType": "group", "id": id, "isRegistrationRequired": false }]);
    let feature = |state: &str| json!({ "state": state, "includeTarget": { "targetType": "group", "id": "all_users" }, "excludeTarget": { "targetType": "group", "id": "00000000-0000-0000-0000-000000000000" } });
    let one = |id: &str, on: bool, more: Value| {
        let mut method = json!({ "id": id, "state": if on { "enabled" } else { "disabled" }, "includeTargets": target("all_users"), "excludeTargets": [] });
        merge(&mut method, &more);
        method
    };
    let configurations = json!([
        one(
            "Fido2",
            true,
            json!({ "isAttestationEnforced": true, "isSelfServiceRegistrationAllowed": true,
            "keyRestrictions": { "isEnforced": false, "enforcementType": "block", "aaGuids": [] } })
        ),
        one(
            "MicrosoftAuthenticator",
            true,
            json!({ "isSoftwareOathEnabled": false, "featureSettings": {
            "displayAppInformationRequiredState": feature("enabled"), "displayLocationInformationRequiredState": feature("enabled") } })
        ),
        one("Sms", true, json!({})),
        one("Voice", false, json!({ "isOfficePhoneAllowed": false })),
        one("Email", false, json!({ "allowExternalIdToUseEmailOtp": "default" })),
        one("SoftwareOath", true, json!({})),
        one(
            "TemporaryAccessPass",
            true,
            json!({ "isUsableOnce": true, "defaultLifetimeInMinutes": 60, "maximumLifetimeInMinutes": 480 })
        ),
        one(
            "X509Certificate",
            false,
            json!({ "authenticationModeConfiguration": { "x509CertificateAuthenticationDefaultMode": "x509CertificateSingleFactor" } })
        ),
    ]);
    json!({ "id": "authenticationMethodsPolicy", "policyMigrationState": "migrationComplete",
        "registrationEnforcement": { "authenticationMethodsRegistrationCampaign": { "state": "enabled", "snoozeDurationInDays": 1, "includeTargets": target("all_users") } },
        "authenticationMethodConfigurations": configurations })
}

fn sharepoint() -> Value {
    json!({ "id": "settings", "sharingCapability": "externalUserAndGuestSharing", "sharingDomainRestrictionMode": "none", "sharingAllowedDomainList": [],
        "isResharingByExternalUsersEnabled": true, "isRequireAcceptingUserToMatchInvitedUserEnabled": true, "isLegacyAuthProtocolsEnabled": false,
        "isUnmanagedSyncAppForTenantRestricted": true, "allowedDomainGuidsForSyncApp": ["60000000-0000-4000-8000-000000000001"], "isMacSyncAppEnabled": true, "isSiteCreationEnabled": false,
        "idleSessionSignOut": { "isEnabled": true, "warnAfterInSeconds": 2_700, "signOutAfterInSeconds": 3_600 },
        "deletedUserPersonalSiteRetentionPeriodInDays": 365, "tenantDefaultTimezone": "UTC", "homePage": DOMAIN })
}
