//! Who asks: app registrations that buy tokens with a secret or a signed assertion, and what each token may read.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::{Microsoft365, error};
use crate::server::{Answer, Ask, query};

/// An app registration that may sign in.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// Its client secret, if it has one.
    pub secret: Option<String>,
    /// When the secret ends.
    pub secret_ends: Option<Timestamp>,
    /// The public key of its certificate (PKCS#1 DER), if it has one.
    pub public_key: Option<Vec<u8>>,
    /// When the certificate ends.
    pub certificate_ends: Option<Timestamp>,
    /// Application permissions that were consented to.
    pub roles: BTreeSet<String>,
    /// False: the credentials of this registration were deleted.
    pub valid: bool,
}

/// What the reading app is given, as the catalogue's onboarding text has it.
pub const READ_ROLES: [&str; 18] = [
    "AccessReview.Read.All",
    "Application.Read.All",
    "AuditLog.Read.All",
    "DelegatedPermissionGrant.Read.All",
    "Domain.Read.All",
    "Group.Read.All",
    "GroupMember.Read.All",
    "GroupSettings.Read.All",
    "IdentityRiskyUser.Read.All",
    "OnPremDirectorySynchronization.Read.All",
    "Organization.Read.All",
    "Policy.Read.All",
    "Policy.Read.B2BManagementPolicy",
    "RoleManagement.Read.Directory",
    "SecurityEvents.Read.All",
    "SharePointTenantSettings.Read.All",
    "User.Read.All",
    "Exchange.ManageAsApp",
];

/// For whose interface a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Graph,
    Exchange,
    Teams,
}

impl Resource {
    fn of(scope: &str) -> Option<Self> {
        match scope.strip_suffix("/.default")? {
            "https://graph.microsoft.com" => Some(Self::Graph),
            "https://outlook.office365.com" => Some(Self::Exchange),
            "48ac35b8-9aa8-4d74-927d-1f4a14a0b239" => Some(Self::Teams),
            _ => None,
        }
    }
}

/// A token that was sold.
#[derive(Debug, Clone)]
pub(super) struct Sold {
    ends: Timestamp,
    client: String,
    pub(super) resource: Resource,
    roles: BTreeSet<String>,
}

/// By a path's beginning, which permissions suffice, any one of them; the longest beginning counts.
/// <https://learn.microsoft.com/en-us/graph/permissions-reference>
const NEEDS: [(&str, &[&str]); 38] = [
    ("/organization", &["Organization.Read.All", "Directory.Read.All"]),
    ("/subscribedSkus", &["LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All"]),
    ("/domains", &["Domain.Read.All", "Directory.Read.All"]),
    (
        "/domains/*/federationConfiguration",
        &["Domain-InternalFederation.Read.All", "Domain.Read.All", "Directory.Read.All"],
    ),
    ("/directory/onPremisesSynchronization", &["OnPremDirectorySynchronization.Read.All"]),
    ("/policies/identitySecurityDefaultsEnforcementPolicy", &["Policy.Read.All"]),
    (
        "/policies/authenticationStrengthPolicies",
        &["Policy.Read.AuthenticationMethod", "Policy.Read.ConditionalAccess", "Policy.Read.All"],
    ),
    ("/policies/authenticationMethodsPolicy", &["Policy.Read.AuthenticationMethod", "Policy.Read.All"]),
    ("/policies/authorizationPolicy", &["Policy.Read.All"]),
    ("/policies/authenticationFlowsPolicy", &["Policy.Read.All"]),
    ("/policies/adminConsentRequestPolicy", &["Policy.Read.All"]),
    ("/policies/defaultAppManagementPolicy", &["Policy.Read.ApplicationConfiguration", "Policy.Read.All"]),
    ("/policies/activityBasedTimeoutPolicies", &["Policy.Read.All"]),
    ("/policies/deviceRegistrationPolicy", &["Policy.Read.DeviceConfiguration", "Policy.Read.All"]),
    ("/policies/crossTenantAccessPolicy", &["Policy.Read.All"]),
    (
        "/policies/roleManagementPolicyAssignments",
        &["RoleManagementPolicy.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"],
    ),
    ("/policies/b2bManagementPolicies", &["Policy.Read.B2BManagementPolicy"]),
    ("/identity/conditionalAccess", &["Policy.Read.ConditionalAccess", "Policy.Read.All"]),
    ("/groups", &["Group.Read.All", "Directory.Read.All"]),
    ("/groups/*", &["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"]),
    ("/groupSettings", &["GroupSettings.Read.All", "Directory.Read.All"]),
    ("/identityGovernance/accessReviews", &["AccessReview.Read.All"]),
    (
        "/roleManagement/directory/roleDefinitions",
        &["RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All"],
    ),
    (
        "/roleManagement/directory/roleAssignments",
        &["RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All"],
    ),
    (
        "/roleManagement/directory/roleEligibilityScheduleInstances",
        &[
            "RoleEligibilitySchedule.Read.Directory",
            "RoleManagement.Read.Directory",
            "RoleManagement.Read.All",
        ],
    ),
    (
        "/roleManagement/directory/roleAssignmentScheduleInstances",
        &[
            "RoleAssignmentSchedule.Read.Directory",
            "RoleManagement.Read.Directory",
            "RoleManagement.Read.All",
        ],
    ),
    ("/servicePrincipals", &["Application.Read.All", "Directory.Read.All"]),
    ("/applications", &["Application.Read.All", "Directory.Read.All"]),
    ("/oauth2PermissionGrants", &["DelegatedPermissionGrant.Read.All", "Directory.Read.All"]),
    ("/security/secureScores", &["SecurityEvents.Read.All"]),
    ("/identityProtection/riskyUsers", &["IdentityRiskyUser.Read.All"]),
    ("/admin/sharepoint/settings", &["SharePointTenantSettings.Read.All"]),
    ("/reports/servicePrincipalSignInActivities", &["AuditLog.Read.All"]),
    ("/reports/authenticationMethods", &["AuditLog.Read.All"]),
    ("/users", &["User.Read.All", "Directory.Read.All"]),
    ("/directoryRoles", &["RoleManagement.Read.Directory", "Directory.Read.All"]),
    ("/directoryObjects", &["Directory.Read.All"]),
    ("/auditLogs", &["AuditLog.Read.All"]),
];

/// Which permissions suffice for a path, the version in front of it; none: there is nothing at all there.
pub(super) fn needs(path: &str) -> Option<&'static [&'static str]> {
    let path = path.strip_prefix("/v1.0").or_else(|| path.strip_prefix("/beta"))?;
    let begins = |beginning: &str| {
        let (mut asked, mut named) = (path.split('/'), beginning.split('/'));
        // `applications(appId='...')` is one of the applications by another key.
        let alike = |name: &str, part: &str| name == part.split('(').next().unwrap_or(part);
        named
            .all(|name| asked.next().is_some_and(|part| name == "*" && !part.is_empty() || alike(name, part)))
    };
    NEEDS
        .iter()
        .filter(|(beginning, _)| begins(beginning))
        .max_by_key(|(beginning, _)| beginning.len())
        .map(|(_, n)| *n)
}

impl Microsoft365 {
    /// Whether a token holds one of these, by what its app was consented to when it was sold and has not lost since.
    pub(super) fn holds(&self, sold: &Sold, any_of: &[&str]) -> bool {
        any_of.iter().any(|role| sold.roles.contains(*role) && !self.withdrawn.contains(*role))
    }

    pub(super) fn sold(&self, ask: &Ask) -> Result<&Sold, Box<Answer>> {
        let invalid = |text: &str| Box::new(error(401, "InvalidAuthenticationToken", text));
        let Some(token) = ask.bearer() else { return Err(invalid("Access token is empty.")) };
        let sold = self.sold.get(token).ok_or_else(|| invalid("CompactToken parsing failed."))?;
        let registered = self.registrations.get(&sold.client).is_some_and(|app| app.valid);
        if sold.ends <= ask.now || !registered {
            return Err(invalid("Lifetime validation failed, the token is expired."));
        }
        Ok(sold)
    }

    /// Sells a token. <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
    pub(super) fn token(&mut self, ask: &Ask) -> Answer {
        let form = query(&String::from_utf8_lossy(&ask.body));
        let value = |name: &str| form.get(name).map_or("", String::as_str);
        let refusal = |status: u16, word: &str, code: u32, text: &str| {
            let text = format!("AADSTS{code}: {text} Trace ID: simulated");
            Answer::error(status, json!({ "error": word, "error_description": text, "error_codes": [code] }))
        };
        let tenant = ask.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if tenant != self.tenant && !self.domains.iter().any(|domain| domain == tenant) {
            return refusal(400, "invalid_request", 90_002, &format!("Tenant '{tenant}' not found."));
        }
        if value("grant_type") != "client_credentials" {
            return refusal(
                400,
                "unsupported_grant_type",
                70_003,
                "The app requested an unsupported grant type.",
            );
        }
        let Some(resource) = Resource::of(value("scope")) else {
            return refusal(
                400,
                "invalid_scope",
                70_011,
                "The provided value for the input parameter 'scope' is not valid.",
            );
        };
        let client = value("client_id");
        let Some(app) = self.registrations.get(client).filter(|app| app.valid) else {
            return refusal(
                400,
                "unauthorized_client",
                700_016,
                "Application was not found in the directory.",
            );
        };
        if form.contains_key("client_assertion") {
            if !app.signed(value("client_assertion"), client, &ask.path, ask.now) {
                return refusal(
                    401,
                    "invalid_client",
                    700_027,
                    "The certificate used to sign the client assertion is not registered.",
                );
            }
        } else {
            if app.secret.as_deref().is_none_or(|secret| secret != value("client_secret")) {
                return refusal(401, "invalid_client", 7_000_215, "Invalid client secret provided.");
            }
            if app.secret_ends.is_some_and(|ends| ends <= ask.now) {
                return refusal(
                    401,
                    "invalid_client",
                    7_000_222,
                    "The provided client secret keys are expired.",
                );
            }
        }
        let held = app.roles.iter().filter(|role| !self.withdrawn.contains(*role));
        // A token names the permissions of its own interface.
        let roles: BTreeSet<String> = match resource {
            Resource::Graph => held.filter(|r| *r != "Exchange.ManageAsApp").cloned().collect(),
            Resource::Exchange => held.filter(|r| *r == "Exchange.ManageAsApp").cloned().collect(),
            Resource::Teams => BTreeSet::new(),
        };
        self.issued += 1;
        let ends = ask.now + Duration::minutes(65);
        let claims = json!({ "aud": value("scope").trim_end_matches("/.default"), "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": ask.now.0 / 1000, "exp": ends.0 / 1000, "appid": client, "app_displayname": "Parapet", "idtyp": "app",
            "roles": roles, "tid": self.tenant, "uti": format!("simulated{:08}", self.issued) });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = URL_SAFE_NO_PAD.encode(format!("simulated signature {}", self.issued));
        let token =
            format!("{}.{}.{signature}", part(&json!({ "typ": "JWT", "alg": "RS256" })), part(&claims));
        self.sold.insert(token.clone(), Sold { ends, client: client.to_owned(), resource, roles });
        Answer::ok(
            json!({ "token_type": "Bearer", "expires_in": 3899, "ext_expires_in": 3899, "access_token": token }),
        )
    }
}

impl Registration {
    /// Whether an assertion was signed with the certificate's key, names the certificate, and is fresh.
    fn signed(&self, assertion: &str, client: &str, audience: &str, now: Timestamp) -> bool {
        let Some(key) = &self.public_key else { return false };
        if self.certificate_ends.is_some_and(|ends| ends <= now) {
            return false;
        }
        let key = jsonwebtoken::DecodingKey::from_rsa_der(key);
        let mut last = None;
        for algorithm in [jsonwebtoken::Algorithm::RS256, jsonwebtoken::Algorithm::PS256] {
            let mut rules = jsonwebtoken::Validation::new(algorithm);
            // The simulator has a clock of its own, and looks at the audience itself.
            rules.validate_exp = false;
            rules.validate_aud = false;
            rules.required_spec_claims.clear();
            last = last.or_else(|| jsonwebtoken::decode::<Value>(assertion, &key, &rules).ok());
        }
        let Some(data) = last else { return false };
        let (claims, second) = (data.claims, now.0 / 1000);
        let expires = claims["exp"].as_i64().unwrap_or(0);
        data.header.x5t_s256.is_some()
            && claims["iss"] == client
            && claims["sub"] == client
            && claims["aud"].as_str().is_some_and(|aud| aud.ends_with(audience))
            && expires > second
            && expires <= second + 3_600
    }
}
