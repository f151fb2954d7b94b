//! Policies with their rules: sessions, apps, passwords, enrolment, registration, and the authenticators they speak of.

use serde_json::{Value, json};

use super::data::Shelf;

/// Writes all of them.
pub(super) fn write(shelf: &mut Shelf<'_>) {
    sessions(shelf);
    passwords(shelf);
    enrollment(shelf);
    let (code, words) = ("E0000002", "The request was not valid: Invalid policy type specified.");
    if shelf.plan.classic {
        shelf.lacking("/api/v1/policies?type=ACCESS_POLICY", 400, code, words);
        shelf.lacking("/api/v1/policies?type=PROFILE_ENROLLMENT", 400, code, words);
        let lacking = "You do not have permission to access the feature you are requesting";
        shelf.lacking("/api/v1/authenticators", 401, "E0000015", lacking);
    } else {
        access(shelf);
        registration(shelf);
        authenticators(shelf);
    }
}

fn policy(id: &str, kind: &str, name: &str, priority: u32, groups: &[&str]) -> Value {
    json!({ "id": id, "type": kind, "name": name, "priority": priority, "status": "ACTIVE", "system": groups == ["00gall"],
        "conditions": { "people": { "groups": { "include": groups } } } })
}

fn rule(id: &str, kind: &str, name: &str, priority: u32, actions: &Value) -> Value {
    json!({ "id": id, "type": kind, "name": name, "priority": priority, "status": "ACTIVE", "system": priority == 99,
        "conditions": { "people": { "users": { "exclude": [] } }, "network": { "connection": "ANYWHERE" } },
        "actions": actions })
}

fn rules(policy: &str) -> String {
    format!("/api/v1/policies/{policy}/rules")
}

fn sessions(shelf: &mut Shelf<'_>) {
    let kind = "OKTA_SIGN_ON";
    shelf.list(
        "/api/v1/policies?type=OKTA_SIGN_ON",
        vec![
            policy("00pstaff", kind, "Staff", 1, &["00gstaff"]),
            policy("00pdefault", kind, "Default Policy", 2, &["00gall"]),
        ],
    );
    for (id, first) in [("00pstaff", true), ("00pdefault", false)] {
        let careful = shelf.careful();
        let session = json!({ "maxSessionIdleMinutes": if careful { 15 } else { 120 },
            "maxSessionLifetimeMinutes": if careful { 720 } else { 0 }, "usePersistentCookie": !shelf.careful() });
        let mut signon = json!({ "access": "ALLOW", "requireFactor": shelf.careful(), "factorPromptMode": "ALWAYS", "session": session });
        if !shelf.plan.classic {
            signon["primaryFactor"] =
                json!(if shelf.careful() { "PASSWORD_IDP_ANY_FACTOR" } else { "PASSWORD_IDP" });
        }
        let mut all =
            vec![rule(&format!("0pr{id}"), "SIGN_ON", "Default Rule", 99, &json!({ "signon": signon }))];
        if first && careful {
            let mut office = rule("0proffice", "SIGN_ON", "From the office", 1, &json!({ "signon": signon }));
            office["conditions"]["network"] = json!({ "connection": "ZONE", "include": ["nzooffice"] });
            all.insert(0, office);
        }
        shelf.list(&rules(id), all);
    }
}

/// The Admin Console's policy, and one for all other apps: a rule for everybody before the catch-all rule where the
/// organisation is well run.
fn access(shelf: &mut Shelf<'_>) {
    let kind = "ACCESS_POLICY";
    let mut all = vec![
        policy("rstadmin", kind, "Okta Admin Console", 1, &[]),
        policy("rstany", kind, "Any two factors", 1, &[]),
    ];
    for policy in &mut all {
        policy["conditions"] = Value::Null;
    }
    shelf.list("/api/v1/policies?type=ACCESS_POLICY", all);
    for id in ["rstadmin", "rstany"] {
        let allow = |mode: &str, resistant: bool| {
            let resistant = if resistant { "REQUIRED" } else { "OPTIONAL" };
            json!({ "appSignOn": { "access": "ALLOW", "verificationMethod": { "type": "ASSURANCE", "factorMode": mode,
                "reauthenticateIn": "PT2H", "constraints": [{ "possession": { "phishingResistant": resistant } }] } } })
        };
        let mut catch_all = rule(&format!("rulc{id}"), kind, "Catch-all Rule", 99, &allow("1FA", false));
        catch_all["conditions"] = Value::Null;
        let mut list = vec![catch_all];
        if shelf.careful() {
            list.insert(
                0,
                rule(&format!("rule{id}"), kind, "Everybody", 0, &allow("2FA", shelf.seed.chance(70))),
            );
        }
        shelf.list(&rules(id), list);
    }
}

fn passwords(shelf: &mut Shelf<'_>) {
    let mut all = vec![
        policy("00wstaff", "PASSWORD", "Staff", 1, &["00gstaff"]),
        policy("00wdefault", "PASSWORD", "Default Policy", 2, &["00gall"]),
    ];
    for policy in &mut all {
        let good = shelf.careful();
        let recovery = |on: bool| json!({ "status": if on { "ACTIVE" } else { "INACTIVE" } });
        policy["conditions"]["authProvider"] = json!({ "provider": "OKTA" });
        policy["settings"] = json!({
            "password": {
                "complexity": { "minLength": if good { 15 } else { 8 }, "minLowerCase": 1, "minUpperCase": 1, "minNumber": 1,
                    "minSymbol": i32::from(good), "excludeUsername": true, "dictionary": { "common": { "exclude": good } },
                    "excludeAttributes": if good { json!(["firstName", "lastName"]) } else { json!([]) } },
                "age": { "maxAgeDays": if good { 60 } else { 0 }, "minAgeMinutes": if good { 1_440 } else { 0 },
                    "historyCount": if good { 5 } else { 4 } },
                "lockout": { "maxAttempts": if good { 3 } else { 10 }, "autoUnlockMinutes": if good { 30 } else { 0 } },
                "breachedProtection": { "expireAfterDays": if good { json!(0) } else { Value::Null } },
            },
            "recovery": { "factors": { "recovery_question": recovery(!good), "okta_sms": recovery(!good), "okta_call": recovery(false),
                "okta_email": { "status": "ACTIVE", "properties": { "recoveryToken": { "tokenLifetimeMinutes": if good { 60 } else { 10_080 } } } } } },
        });
    }
    shelf.list("/api/v1/policies?type=PASSWORD", all);
    for id in ["00wstaff", "00wdefault"] {
        let methods = if shelf.careful() { json!(["push", "email"]) } else { json!(["sms", "email"]) };
        let mut actions = json!({ "passwordChange": { "access": "ALLOW" }, "selfServicePasswordReset": { "access": "ALLOW" },
            "selfServiceUnlock": { "access": "ALLOW" } });
        if !shelf.plan.classic {
            actions["selfServicePasswordReset"]["requirement"] =
                json!({ "primary": { "methods": methods }, "stepUp": { "required": false } });
        }
        shelf.list(&rules(id), vec![rule(&format!("0prw{id}"), "PASSWORD", "Default Rule", 1, &actions)]);
    }
}

fn enrollment(shelf: &mut Shelf<'_>) {
    let mut all = vec![policy("00edefault", "MFA_ENROLL", "Default Policy", 1, &["00gall"])];
    let required = if shelf.careful() { "REQUIRED" } else { "OPTIONAL" };
    all[0]["settings"] = if shelf.plan.classic {
        json!({ "factors": { "okta_otp": { "enroll": { "self": required } } } })
    } else {
        json!({ "type": "AUTHENTICATORS", "authenticators": [{ "key": "okta_password", "enroll": { "self": "REQUIRED" } },
            { "key": "okta_verify", "enroll": { "self": required } }] })
    };
    shelf.list("/api/v1/policies?type=MFA_ENROLL", all);
    let actions = json!({ "enroll": { "self": "CHALLENGE" } });
    shelf.list(&rules("00edefault"), vec![rule("0predefault", "MFA_ENROLL", "Default Rule", 1, &actions)]);
}

fn registration(shelf: &mut Shelf<'_>) {
    let mut policy = policy("rstreg", "PROFILE_ENROLLMENT", "Default Policy", 1, &[]);
    policy["conditions"] = Value::Null;
    shelf.list("/api/v1/policies?type=PROFILE_ENROLLMENT", vec![policy]);
    let unknown = if shelf.careful() { "DENY" } else { "REGISTER" };
    let actions = json!({ "profileEnrollment": { "access": "ALLOW", "unknownUserAction": unknown,
        "activationRequirements": { "emailVerification": true } } });
    shelf.list(&rules("rstreg"), vec![rule("rulreg", "PROFILE_ENROLLMENT", "Catch-all Rule", 99, &actions)]);
}

fn authenticators(shelf: &mut Shelf<'_>) {
    let one = |key: &str, name: &str, settings: Value| json!({ "id": format!("aut-{key}"), "key": key, "name": name, "status": "ACTIVE", "settings": settings });
    let allowed = |careful: bool| json!({ "allowedFor": if careful { "recovery" } else { "any" } });
    let careful = shelf.careful();
    let verify = json!({ "channelBinding": { "style": "NUMBER_CHALLENGE", "required": if careful { "ALWAYS" } else { "HIGH_RISK_ONLY" } },
        "compliance": { "fips": "OPTIONAL" }, "userVerification": if careful { "REQUIRED" } else { "PREFERRED" } });
    let phone = allowed(shelf.careful());
    let mail = allowed(shelf.careful());
    shelf.list(
        "/api/v1/authenticators",
        vec![
            one("okta_password", "Password", json!({})),
            one("okta_email", "Email", mail),
            one("phone_number", "Phone", phone),
            one("okta_verify", "Okta Verify", verify),
            one("webauthn", "Passkeys", json!({})),
        ],
    );
}
