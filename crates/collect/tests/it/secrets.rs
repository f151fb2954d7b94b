//! Secrets planted in every field are found nowhere in what a run leaves.

use collect::{Collected, Quiet};
use serde_json::json;

use crate::support::*;

const SECRETS: [(&str, &str); 4] = [
    ("token", "PLANTED-token-0123456789"),
    ("password", "PLANTED password ß/+0123"),
    ("client_secret", "PLANTED-client-secret-99"),
    (
        "private_key",
        "-----BEGIN RSA PRIVATE KEY-----\nPLANTEDkeyLine0123456789abcdef\n-----END RSA PRIVATE KEY-----",
    ),
];

fn kinds() -> [(&'static str, Vec<(&'static str, &'static str)>); 5] {
    let of = |name| SECRETS.iter().find(|s| s.0 == name).unwrap().1;
    [
        ("kind = \"bearer\"", vec![("token", of("token"))]),
        ("kind = \"header\"\nheader = \"X-Key\"\nprefix = \"K \"", vec![("token", of("token"))]),
        ("kind = \"basic\"", vec![("username", "svc"), ("password", of("password"))]),
        (
            "kind = \"client_credentials\"\ntoken = { path = \"/token\" }",
            vec![("client_id", "id-1"), ("client_secret", of("client_secret"))],
        ),
        (
            "kind = \"app_installation\"\ninstallation = { path = \"/i\" }\ntoken = { path = \"/t/{installation_id}\" }",
            vec![("app_id", "1"), ("private_key", of("private_key"))],
        ),
    ]
}

/// Echoes everything it was sent, in every place.
fn echo(status: u16) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    move |seen| {
        let sent: Vec<String> = seen
            .headers
            .values()
            .filter_map(|v| v.to_str().ok())
            .map(str::to_owned)
            .chain([seen.body.clone()])
            .collect();
        if seen.path.ends_with("/token") && status == 200 {
            return json(json!({ "access_token": "PLANTED-bought-token-42", "note": sent }));
        }
        // Whole, in base64 as it travels, and in part.
        let credential = sent.join(" ").replace("Bearer ", "");
        let part: String = credential.chars().filter(|c| *c != ' ').take(30).collect();
        let body = json!([{ "id": 1, "name": credential, "message": credential }]);
        let answer = if status == 200 {
            body
        } else {
            json!({ "message": format!("bad credential {credential} {part}") })
        };
        let id: String = part.chars().filter(char::is_ascii_graphic).collect();
        Answer { status, ..json(answer) }.with("x-request-id", id)
    }
}

#[tokio::test]
async fn nothing_that_a_run_leaves_holds_a_secret() {
    for (kind, values) in kinds() {
        for code in [200, 401, 403, 404, 500] {
            let items = listing("items", r#"{ path = "/items" }"#, "");
            let app = app(&format!("{HEAD}[[auth]]\nid = \"a\"\ntitle = \"A\"\n{kind}\n{items}"));
            let server = Server::start(echo(code)).await;
            let credential = credential("a", &values);
            let target = target(&app, &server);
            let outbound = outbound();
            let Collected::Done(done) =
                collect::run(&outbound, &target, &credential, &server.clock, request(), &Quiet).await
            else {
                panic!("it should end")
            };
            let preflight = collect::preflight(&outbound, &target, &credential, &server.clock).await;
            let shown = format!("{done:?} {credential:?} {preflight:?} {target:?} {outbound:?}");
            for piece in ["PLANTED", "UExBTlRFR", "keyLine0123456789", "ß/+0123"] {
                assert!(!shown.contains(piece), "{kind} {code}: {piece} in {shown}");
            }
        }
    }
}
