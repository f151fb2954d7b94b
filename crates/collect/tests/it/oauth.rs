//! Tokens that are bought with signed assertions and by scope: Okta's, Entra's and Google's ways among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::diagnosis::{Rung, Warning};
use model::scan::FailureCause;
use model::time::Timestamp;
use serde_json::{Value as Json, json};

use crate::auth::{KEY, ok, pem, with_auth};
use crate::support::*;

fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()
}

/// Header and claims of an assertion whose signature is right.
fn verified(jwt: &str, algorithm: jsonwebtoken::Algorithm) -> (jsonwebtoken::Header, Json) {
    let public = KEY.public_key();
    verified_by(&jsonwebtoken::DecodingKey::from_rsa_der(public.as_ref()), jwt, algorithm)
}

fn verified_by(
    key: &jsonwebtoken::DecodingKey,
    jwt: &str,
    algorithm: jsonwebtoken::Algorithm,
) -> (jsonwebtoken::Header, Json) {
    let mut rules = jsonwebtoken::Validation::new(algorithm);
    rules.validate_exp = false;
    rules.validate_aud = false;
    let token = jsonwebtoken::decode::<Json>(jwt, key, &rules).expect("the signature is right");
    let at = |name: &str| token.claims[name].as_i64().expect(name);
    let now = START.0 / 1000;
    assert!(at("iat") <= now && at("nbf") <= now && at("exp") > now && at("exp") - at("iat") <= 600);
    assert!(!token.claims["jti"].as_str().unwrap().is_empty());
    (token.header, token.claims)
}

fn sold(token: &str) -> Answer {
    json(json!({ "access_token": token, "expires_in": 3600, "token_type": "Bearer" }))
}

/// The key as JWK: its parts are taken out of its DER by hand.
fn jwk(kid: &str) -> String {
    use aws_lc_rs::encoding::AsDer;
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    // The parts stand in an octet string of the outer structure, as integers in a row.
    let bytes = der.as_ref();
    let start = bytes.windows(4).rposition(|w| w == [0x02, 0x01, 0x00, 0x02]).unwrap() + 3;
    let mut rest = &bytes[start..];
    let mut parts = Vec::new();
    while parts.len() < 8 {
        assert_eq!(rest[0], 2);
        let (length, head) = match rest[1] {
            n if n < 0x80 => (usize::from(n), 2),
            0x81 => (usize::from(rest[2]), 3),
            _ => (usize::from(rest[2]) << 8 | usize::from(rest[3]), 4),
        };
        let value = &rest[head..head + length];
        parts.push(URL_SAFE_NO_PAD.encode(value.strip_prefix(&[0]).unwrap_or(value)));
        rest = &rest[head + length..];
    }
    let mut jwk = json!({ "kty": "RSA", "kid": kid, "use": "sig" });
    for (name, part) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].iter().zip(parts) {
        jwk[*name] = Json::from(part);
    }
    jwk.to_string()
}

const PRIVATE_KEY_JWT: &str = r#"kind = "client_credentials"
client_auth = "private_key_jwt"
token = { path = "/oauth2/v1/token" }
scope = "okta.users.read""#;

#[tokio::test]
async fn a_client_shows_who_it_is_by_its_key() {
    let app = with_auth(PRIVATE_KEY_JWT);
    let keys = [
        (jwk("key-1"), Some("key-1")),
        (format!("{{\"keys\":[{}]}}", jwk("key-2")), Some("key-2")),
        (format!("kid: key-3\n{}", pem()), Some("key-3")),
        (pem(), None),
    ];
    for (key, kid) in keys {
        let server = Server::start(move |seen| {
            if seen.path != "/api/oauth2/v1/token" {
                assert_eq!(seen.header("authorization"), Some("Bearer at-1234567890abcdef"));
                return ok();
            }
            let form = form(seen);
            assert_eq!(form["grant_type"], "client_credentials");
            assert_eq!(form["scope"], "okta.users.read");
            assert_eq!(form["client_id"], "0oa1");
            assert!(form["client_assertion_type"].ends_with(":jwt-bearer"));
            assert!(!form.contains_key("client_secret"));
            let (header, claims) = verified(&form["client_assertion"], jsonwebtoken::Algorithm::RS256);
            assert_eq!(header.kid.as_deref(), kid);
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("0oa1"), &json!("0oa1")));
            let here = format!("http://{}/api/oauth2/v1/token", seen.header("host").unwrap());
            assert_eq!(claims["aud"], json!(here));
            sold("at-1234567890abcdef")
        })
        .await;
        let credential = credential("a", &[("client_id", "0oa1"), ("private_key", &key)]);
        let done = run_with(&app, &server, &credential, request()).await;
        assert!(dataset(&done, "items").availability.is_complete(), "{kid:?}");
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test]
async fn a_client_shows_who_it_is_by_its_certificate() {
    let app = with_auth(
        "kind = \"client_credentials\"\nclient_auth = \"certificate\"\ntoken = { path = \"/{tenant}/token\" }\naudience = \"https://login.example.com/{tenant}/token\"",
    );
    let certificate = include_str!("../tls/expired.pem");
    let server = Server::start(|seen| {
        if seen.path != "/api/acme/token" {
            return ok();
        }
        let (header, claims) = verified(&form(seen)["client_assertion"], jsonwebtoken::Algorithm::PS256);
        assert_eq!(header.x5t_s256.map(|t| t.len()), Some(43));
        assert_eq!(header.kid, None);
        assert_eq!(claims["aud"], json!("https://login.example.com/acme/token"));
        sold("at-1234567890abcdef")
    })
    .await;
    let values = [("client_id", "app"), ("certificate", certificate), ("private_key", &pem())];
    let done = run_with(&app, &server, &credential("a", &values), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    // Whether it is still accepted is the vendor's to say; that it ends is told.
    let at = Timestamp::parse("2021-01-01T00:00:00Z").unwrap();
    assert_eq!(done.snapshot.warnings, [Warning::CredentialExpires { at }]);
}

/// As Entra looks at it: the certificate that was registered is found by its thumbprint, and the signature is by its key.
#[tokio::test]
async fn the_registered_certificate_verifies_what_the_client_signed() {
    const CERTIFICATE: &str = include_str!("../tls/client.pem");
    // By another tool's reckoning: tests/tls/make.sh says how.
    const THUMBPRINT: &str = "eht1lAJOeG1onQve9eIDlGScS4PaKH9sSx0BMGKRTB8";
    let app = with_auth(
        "kind = \"client_credentials\"\nclient_auth = \"certificate\"\ntoken = { path = \"/{tenant}/token\" }",
    );
    let server = Server::start(|seen| {
        if seen.path != "/api/acme/token" {
            return ok();
        }
        let form = form(seen);
        let registered = jsonwebtoken::DecodingKey::from_rsa_pem(CERTIFICATE.as_bytes()).expect("an RSA key");
        let (header, claims) =
            verified_by(&registered, &form["client_assertion"], jsonwebtoken::Algorithm::PS256);
        assert_eq!(header.x5t_s256.as_deref(), Some(THUMBPRINT));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app"), &json!("app")));
        assert!(!form.contains_key("client_secret"));
        sold("at-1234567890abcdef")
    })
    .await;
    let key = include_str!("../tls/client.key");
    // A certificate is often given with the chain that issued it: the first is the client's own.
    let chain = format!("{CERTIFICATE}{}", include_str!("../tls/ca.pem"));
    for certificate in [CERTIFICATE, &chain] {
        let values = [("client_id", "app"), ("certificate", certificate), ("private_key", key)];
        let done = run_with(&app, &server, &credential("a", &values), request()).await;
        assert!(dataset(&done, "items").availability.is_complete());
    }
    assert_eq!(server.count(), 4);
}

fn key_file() -> String {
    json!({
        "type": "service_account",
        "private_key_id": "kf-1",
        "private_key": pem(),
        "client_email": "parapet@project.example",
        // Not where the key's assertion goes.
        "token_uri": "https://evil.example/token",
    })
    .to_string()
}

#[tokio::test]
async fn a_service_account_acts_as_somebody_by_its_key_file() {
    let app = with_auth(
        "kind = \"jwt_bearer\"\ntoken = { path = \"/token\" }\nscope = \"users.read groups.read\"\nsubject_title = \"Act as\"\nextra = { tenant = \"{tenant}\" }",
    );
    let server = Server::start(|seen| {
        if seen.path != "/api/token" {
            assert_eq!(seen.header("authorization"), Some("Bearer at-1234567890abcdef"));
            return ok();
        }
        let form = form(seen);
        assert!(form["grant_type"].ends_with(":jwt-bearer"));
        assert_eq!((form["tenant"].as_str(), form.get("scope")), ("acme", None));
        let (header, claims) = verified(&form["assertion"], jsonwebtoken::Algorithm::RS256);
        assert_eq!(header.kid.as_deref(), Some("kf-1"));
        assert_eq!(claims["iss"], json!("parapet@project.example"));
        assert_eq!(claims["sub"], json!("admin@acme.example"));
        assert_eq!(claims["scope"], json!("users.read groups.read"));
        sold("at-1234567890abcdef")
    })
    .await;
    let values = [("key_file", key_file()), ("subject", "admin@acme.example".to_owned())];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let done = run_with(&app, &server, &credential("a", &values), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
    // Without whom to act as, nothing is sent.
    let server = Server::start(|_| ok()).await;
    let done = run_with(&app, &server, &credential("a", &values[..1]), request()).await;
    assert_eq!(fault(dataset(&done, "items")).cause, FailureCause::Credentials);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token_without_a_key_file() {
    let app = with_auth(
        "kind = \"jwt_bearer\"\nkey = \"private_key\"\ntoken = { path = \"/token\" }\nscope = \"api\"\naudience = \"https://login.example.com\"",
    );
    let server = Server::start(|seen| {
        if seen.path != "/api/token" {
            return ok();
        }
        let form = form(seen);
        assert_eq!(form["scope"], "api");
        let (_, claims) = verified(&form["assertion"], jsonwebtoken::Algorithm::RS256);
        assert_eq!(claims["iss"], json!("3MVG9"));
        assert_eq!(claims["aud"], json!("https://login.example.com"));
        assert_eq!((claims.get("sub"), claims.get("scope")), (None, None));
        sold("at-1234567890abcdef")
    })
    .await;
    let values = [("client_id", "3MVG9"), ("private_key", &*jwk("x"))];
    let done = run_with(&app, &server, &credential("a", &values), request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
}

#[tokio::test]
async fn a_vendors_own_grant_type() {
    let app = with_auth(
        "kind = \"client_credentials\"\ntoken = { path = \"/token\" }\ngrant = \"account_credentials\"\nextra = { account_id = \"{tenant}\" }",
    );
    let server = Server::start(|seen| {
        if seen.path == "/api/token" {
            let form = form(seen);
            assert_eq!((&*form["grant_type"], &*form["account_id"]), ("account_credentials", "acme"));
            return sold("at-1234567890abcdef");
        }
        ok()
    })
    .await;
    let credential = credential("a", &[("client_id", "c"), ("client_secret", "s3cret-0123")]);
    let done = run_with(&app, &server, &credential, request()).await;
    assert!(dataset(&done, "items").availability.is_complete());
}

/// An application with a check, so that preflight has a scan to tell about.
fn checked(toml: &str) -> Arc<catalog::App> {
    app_with(toml, &[("checks/named.md", &crate::preflight::check_of("users"))])
}

/// Three datasets with a permission each, and one with none.
fn by_permission() -> Arc<catalog::App> {
    let datasets = ["users", "apps", "logs"]
        .map(|n| {
            let request = format!("{{ path = \"/{n}\" }}");
            listing(n, &request, &format!("permission = {{ a = [\"{n}.read\"] }}"))
        })
        .concat();
    let walked = listing(
        "roles",
        "{ path = \"/users/{each.id}/roles\", for_each = { dataset = \"users\" } }",
        "permission = { a = [\"roles.read\"] }",
    )
    .replace("required = [\"config\"]\n", "");
    checked(&format!(
        "{HEAD}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{}\nscope_by_permission = true\nscope_refused = [\"consent_required\"]\n{datasets}{walked}",
        PRIVATE_KEY_JWT.replace("okta.users.read", "self.read")
    ))
}

/// A vendor that sells tokens only for granted scopes, and lets a token read what its scope says.
async fn vendor(granted: &'static [&'static str]) -> Server {
    Server::start(move |seen| {
        if seen.path == "/api/oauth2/v1/token" {
            let scope = form(seen)["scope"].clone();
            if scope.split(' ').all(|s| granted.contains(&s)) {
                return sold(&format!("at-1234567890-{}", scope.replace(' ', "+")));
            }
            let code = if scope.contains(' ') { "invalid_scope" } else { "consent_required" };
            return Answer { status: 400, ..json(json!({ "error": code })) };
        }
        let token = seen.header("authorization").unwrap_or_default();
        let needed = match seen.path.rsplit('/').next().unwrap() {
            "tenant" => "self.read".to_owned(),
            last => format!("{last}.read"),
        };
        assert!(token.contains(&needed), "{} with {token}", seen.path);
        if needed == "self.read" { json(json!({ "id": 9, "name": "acme" })) } else { ok() }
    })
    .await
}

fn key() -> collect::Credential {
    credential("a", &[("client_id", "0oa1"), ("private_key", &pem())])
}

#[tokio::test]
async fn one_token_has_the_scopes_of_all_datasets() {
    let app = by_permission();
    let server = vendor(&["self.read", "users.read", "apps.read", "logs.read", "roles.read"]).await;
    let done = run_with(&app, &server, &key(), request()).await;
    assert!(done.snapshot.datasets.values().all(|d| d.availability.is_complete()));
    assert_eq!(server.paths().iter().filter(|p| p.ends_with("/token")).count(), 1);
}

#[tokio::test]
async fn a_scope_that_is_not_granted_costs_only_what_needs_it() {
    let app = by_permission();
    let server = vendor(&["self.read", "users.read", "apps.read"]).await;
    let done = run_with(&app, &server, &key(), request()).await;
    assert!(dataset(&done, "users").availability.is_complete());
    assert!(dataset(&done, "apps").availability.is_complete());
    for (name, needs) in [("logs", "logs.read"), ("roles", "roles.read")] {
        let fault = fault(dataset(&done, name));
        assert_eq!((fault.cause, fault.reached), (FailureCause::Permission, Rung::Authenticated));
        assert_eq!((fault.dataset.as_deref(), fault.needs.as_slice()), (Some(name), &[needs.to_owned()][..]));
    }
    // All at once, refused; then each dataset's own, once.
    assert_eq!(server.paths().iter().filter(|p| p.ends_with("/token")).count(), 5);
    // The same is known before anything is saved, that of the fan-out included.
    let server = vendor(&["self.read", "users.read", "apps.read"]).await;
    let found = collect::preflight(&outbound(), &target(&app, &server), &key(), &server.clock).await.unwrap();
    assert_eq!(found.readiness[0].missing, ["logs.read"]);
    assert_eq!(found.readiness[0].gaps, ["roles.read"]);
}

#[tokio::test]
async fn other_refusals_of_a_token_are_about_the_credential() {
    let app = by_permission();
    let server =
        Server::start(|_| Answer { status: 401, ..json(json!({ "error": "invalid_client" })) }).await;
    let done = run_with(&app, &server, &key(), request()).await;
    for name in ["users", "apps", "logs", "roles"] {
        assert_eq!(fault(dataset(&done, name)).cause, FailureCause::Credentials);
    }
    assert_eq!(server.count(), 1);
}

/// An application with two hosts, each with tokens of its own.
fn two_hosts() -> Arc<catalog::App> {
    let head = HEAD.replace(
        "[deployment.hosts.main]\nbase = \"/api\"\n",
        "[deployment.hosts.main]\nbase = \"/api\"\nscope = \"https://graph.example/.default\"\n[deployment.hosts.mail]\nbase = \"/mail\"\nscope = \"https://mail.example/.default\"\n[deployment.hosts.login]\nbase = \"/login\"\n",
    );
    let auth = "[[auth]]\nid = \"a\"\ntitle = \"A\"\nkind = \"client_credentials\"\nclient_auth = \"body\"\ntoken = { host = \"login\", path = \"/token\" }\nscope_refused = [\"invalid_resource\"]\ngranted = { claim = \"roles\" }\n";
    let users = listing(
        "users",
        "{ path = \"/users\" }",
        "permission = { a = [\"User.Read.All\", \"Directory.Read.All\"] }",
    );
    let boxes =
        listing("boxes", "{ host = \"mail\", path = \"/boxes\" }", "permission = { a = [\"Mail.Read\"] }");
    checked(&format!("{head}{auth}{users}{boxes}"))
}

fn jwt(roles: &Json) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "none" })), part(&json!({ "roles": roles, "aud": "x" })))
}

async fn resource_server(mail: Option<&'static str>) -> Server {
    Server::start(move |seen| {
        let graph = jwt(&json!(["Directory.Read.All", "Group.Read.All"]));
        let mail_token = mail.map(|role| jwt(&json!([role])));
        match seen.path.as_str() {
            "/login/token" => match (form(seen)["scope"].as_str(), mail_token) {
                ("https://graph.example/.default", _) => sold(&graph),
                ("https://mail.example/.default", Some(token)) => sold(&token),
                ("https://mail.example/.default", None) => {
                    Answer { status: 400, ..json(json!({ "error": "invalid_resource" })) }
                }
                (other, _) => panic!("{other}"),
            },
            "/mail/boxes" => {
                assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {}", mail_token.unwrap())));
                ok()
            }
            path => {
                assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {graph}")));
                if path == "/api/tenant" { json(json!({ "id": 9, "name": "acme" })) } else { ok() }
            }
        }
    })
    .await
}

fn client() -> collect::Credential {
    credential("a", &[("client_id", "c"), ("client_secret", "s3cret-0123456")])
}

#[tokio::test]
async fn each_host_gets_tokens_of_its_own_and_claims_tell_what_is_granted() {
    let app = two_hosts();
    let server = resource_server(Some("Mail.Read")).await;
    let found =
        collect::preflight(&outbound(), &target(&app, &server), &client(), &server.clock).await.unwrap();
    let granted = ["Directory.Read.All", "Group.Read.All", "Mail.Read"].map(str::to_owned).to_vec();
    assert_eq!(found.identity.granted.as_ref(), Some(&granted));
    assert_eq!(found.excess, ["Group.Read.All"]);
    assert!(found.readiness[0].ready && found.readiness[0].gaps.is_empty());
    let mut before = request();
    before.known = Some(found.identity);
    let done = run_with(&app, &server, &client(), before.clone()).await;
    assert!(done.snapshot.datasets.values().all(|d| d.availability.is_complete()));
    assert_eq!(done.snapshot.warnings, []);
    // One that has shrunk is told.
    let server = resource_server(Some("Other.Read")).await;
    let done = run_with(&app, &server, &client(), before).await;
    assert_eq!(done.snapshot.warnings, [Warning::PermissionLost { permission: "Mail.Read".into() }]);
}

#[tokio::test]
async fn a_host_whose_tokens_are_not_sold_costs_only_what_is_read_there() {
    let app = two_hosts();
    let server = resource_server(None).await;
    let done = run_with(&app, &server, &client(), request()).await;
    assert!(dataset(&done, "users").availability.is_complete());
    let fault = fault(dataset(&done, "boxes"));
    assert_eq!(
        (fault.cause, fault.needs.as_slice()),
        (FailureCause::Permission, &["Mail.Read".to_owned()][..])
    );
    // What is granted as a whole is not known then: the requests themselves are tried.
    let server = resource_server(None).await;
    let found =
        collect::preflight(&outbound(), &target(&app, &server), &client(), &server.clock).await.unwrap();
    assert_eq!(
        (found.identity.granted, found.readiness[0].missing.as_slice()),
        (None, &["Mail.Read".to_owned()][..])
    );
}

/// The second host is asked only where somebody chose it, and one way of hosting does not have it at all.
#[tokio::test]
async fn a_host_that_nobody_chose_is_not_asked_for_tokens() {
    let head = HEAD.replace(
        "[deployment.hosts.main]\nbase = \"/api\"\n",
        "[deployment.hosts.main]\nbase = \"/api\"\nscope = \"https://graph.example/.default\"\n[deployment.hosts.mail]\nbase = \"/mail\"\nscope = \"https://mail.example/.default\"\n[deployment.hosts.login]\nbase = \"/login\"\n\n[[deployment]]\nid = \"plain\"\ntitle = \"Without mail\"\nconsole = \"https://plain.example.com\"\nhosts.main = { origin = \"https://plain.example.com\" }\nhosts.login = { origin = \"https://login.example.com\" }\n\n[[setting]]\nname = \"mail\"\ntitle = \"Read mail\"\npattern = \"yes|no\"\ndefault = \"no\"\n",
    );
    let auth = "[[auth]]\nid = \"a\"\ntitle = \"A\"\nkind = \"client_credentials\"\nclient_auth = \"body\"\ntoken = { host = \"login\", path = \"/token\" }\nscope_refused = [\"invalid_resource\"]\ngranted = { claim = \"roles\" }\n";
    let users = listing("users", "{ path = \"/users\" }", "permission = { a = [\"Directory.Read.All\"] }");
    let boxes = listing(
        "boxes",
        "{ host = \"mail\", path = \"/boxes\" }",
        "permission = { a = [\"Mail.Read\"] }\ndeployments = [\"server\"]\nopt_in = { setting = \"mail\", is = \"yes\" }",
    );
    let boxes = boxes.replace("required = [\"config\"]\n", "");
    let app = checked(&format!("{head}{auth}{users}{boxes}"));
    for (choice, role, granted) in [
        ("no", None, Some(vec!["Directory.Read.All".to_owned(), "Group.Read.All".to_owned()])),
        (
            "yes",
            Some("Mail.Read"),
            Some(["Directory.Read.All", "Group.Read.All", "Mail.Read"].map(str::to_owned).to_vec()),
        ),
        ("yes", None, None),
    ] {
        let server = resource_server(role).await;
        let mut target = target(&app, &server);
        target.settings.insert("mail".to_owned(), choice.to_owned());
        let found = collect::preflight(&outbound(), &target, &client(), &server.clock).await.unwrap();
        assert_eq!(found.identity.granted, granted, "{choice}");
        let tokens = server.paths().iter().filter(|p| p.ends_with("/token")).count();
        assert_eq!(tokens, if choice == "no" { 1 } else { 2 });
    }
}

#[tokio::test]
async fn neither_keys_nor_assertions_are_told() {
    let app = with_auth(PRIVATE_KEY_JWT);
    let server = Server::start(|seen| {
        let assertion = form(seen)["client_assertion"].clone();
        error(401, &format!("no: {assertion} and {}", pem().lines().nth(5).unwrap()))
    })
    .await;
    let done = run_with(&app, &server, &key(), request()).await;
    let told = format!("{:?}", fault(dataset(&done, "items")));
    assert!(told.contains("no: "), "{told}");
    assert!(!told.contains("eyJ") && !told.contains(pem().lines().nth(5).unwrap()), "{told}");
}
