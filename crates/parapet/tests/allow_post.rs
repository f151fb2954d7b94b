//! A read by POST of an application of one's own: it loads where the operator has allowed its path, by each way in which
//! that is said.

mod common;

use common::parapet;
use serde_json::json;
use sim::tape::{Player, Tape};

const FOUND: &str = r#"
[[dataset]]
name = "found"
title = "What a search finds"
scans = ["config"]
permission = { token = ["settings:read"] }
docs = "https://docs.example.com/search"
key = "id"
request = [{ path = "/search", post = { text = "old" } }]
field = [{ name = "id", type = "string" }]

"#;

/// What the server of the skeleton answers, and that of the search.
fn vendor() -> Tape {
    let scopes = json!({"x-scopes": "settings:read"});
    let tape = json!({"about": "a workspace", "deployment": "cloud", "auth": "token", "credential": {},
        "now": "2026-01-15T12:00:00Z", "otherwise": {"status": 404, "body": {}}, "exchanges": [
            {"get": "/v1/workspaces/acme", "body": {"id": "T1", "name": "Acme"}},
            {"get": "/v1/me", "body": {"name": "parapet"}, "headers": scopes},
            {"get": "/v1/workspaces/acme/settings", "body": {"invitations": {"by_members": false}}},
            {"post": "/v1/search", "body": [{"id": "1"}]}]});
    Tape::parse(&tape.to_string()).expect("it is a tape")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_by_post_needs_leave() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    parapet(folder.path(), &[], &["app", "new", "mine", "chat"]).ended(0);
    let file = folder.path().join("mine/apps/chat/app.toml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    let mark = "# How members become";
    assert!(text.contains(mark), "the skeleton has changed");
    std::fs::write(&file, text.replacen(mark, &format!("{FOUND}{mark}"), 1)).expect("written");

    let attempt = |more: &[&str]| parapet(folder.path(), &[], &[&["app", "try", "mine"], more].concat());
    let refused = [
        "`found` would send POST requests to \"/search\", which nobody has allowed",
        "`chat = [\"/search\"]`",
    ];
    attempt(&[]).ended(2).says(&refused);
    attempt(&["--allow-post", "chat=/serach"]).ended(2).says(&refused);
    attempt(&["--allow-post", "chat=/search"]).ended(0);
    attempt(&["--allow-post", "chat=/search", "--allow-post", "chat=/old"])
        .ended(0)
        .says(&["allow_post: `chat` sends no POST to `/old`, to which it is allowed."]);

    let player = Player::start(&vendor()).await.expect("a free port");
    let scan = |more: &[&str]| {
        let at = ["scan", "chat", "--catalog-folder", "mine", "--set", "workspace=acme", "--kind", "config"];
        let token = ("PARAPET_TOKEN", "a-secret-that-is-nowhere-else");
        parapet(folder.path(), &[token], &[&at[..], &["--address", player.address()], more].concat())
    };
    scan(&[]).ended(2).says(&["nobody has allowed", "has no product chat"]);
    scan(&["--allow-post", "chat=/search"]).ended(0);
    assert!(player.seen().played.contains("POST /v1/search"), "{:?}", player.seen().played);

    // By the server's configuration.
    parapet(folder.path(), &[], &["key", "new", "parapet.key"]).ended(0);
    let doctor = |allowed: &str| {
        let config = format!("listen = \"127.0.0.1:0\"\ncatalog = [\"mine\"]\n{allowed}");
        std::fs::write(folder.path().join("parapet.toml"), config).expect("written");
        parapet(folder.path(), &[], &["doctor", "--config", "parapet.toml"])
    };
    doctor("").ended(2).says(&["\u{2717} catalogue folder: ", "nobody has allowed"]);
    doctor("[allow_post]\nchat = [\"/search\"]\n").ended(0);
    doctor("[allow_post]\nchat = [\"/search\"]\nchta = [\"/search\"]\n")
        .ended(2)
        .says(&["\u{2717} allow_post: no application `chta` was loaded"]);
}
