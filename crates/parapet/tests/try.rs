//! `parapet app try`, `app new` and `check new`: what a person sees who writes an application of their own, and each way
//! in which it goes wrong.

mod common;

use std::path::Path;

use common::{Ran, parapet};
use serde_json::{Value, json};
use sim::tape::{Player, Tape};
use tempfile::TempDir;

const TOKEN: (&str, &str) = ("PARAPET_TOKEN", "a-secret-that-is-nowhere-else");

/// A folder with the skeleton of the application `chat`.
fn skeleton() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    parapet(folder.path(), &[], &["app", "new", "mine", "chat"]).ended(0);
    folder
}

fn change(folder: &TempDir, file: &str, from: &str, to: &str) {
    let path = folder.path().join("mine/apps/chat").join(file);
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
}

fn write(folder: &TempDir, file: &str, text: &str) {
    let path = folder.path().join("mine/apps/chat").join(file);
    std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn attempt(folder: &TempDir, more: &[&str]) -> Ran {
    parapet(folder.path(), &[], &[&["app", "try", "mine"], more].concat())
}

/// What the server of the skeleton answers, with one exchange more or changed.
fn vendor(changed: &[(&str, Value)]) -> Tape {
    let mut exchanges = vec![
        ("/v1/workspaces/acme", json!({"body": {"id": "T1", "name": "Acme"}})),
        (
            "/v1/me",
            json!({"body": {"name": "parapet"}, "headers": {"x-scopes": "settings:read,members:read"}}),
        ),
        ("/v1/workspaces/acme/settings", json!({"body": {"invitations": {"by_members": true}}})),
        (
            "/v1/workspaces/acme/members?limit=100",
            json!({"body": {"next": null, "members": [
                {"id": "1", "name": "ada", "email": "ada@example.org", "admin": true, "last_seen_at": null},
                {"id": "2", "name": "grace", "email": "grace@example.org", "admin": false, "two_factor": true,
                 "last_seen_at": "2026-01-01T00:00:00Z"}]}}),
        ),
    ];
    for (path, answer) in changed {
        match exchanges.iter_mut().find(|(known, _)| known == path) {
            Some(known) => known.1 = answer.clone(),
            None => exchanges.push((path, answer.clone())),
        }
    }
    let exchanges: Vec<Value> = exchanges
        .into_iter()
        .map(|(path, mut answer)| {
            answer["get"] = json!(path);
            answer
        })
        .collect();
    let tape = json!({"about": "a workspace", "deployment": "cloud", "auth": "token", "credential": {},
        "now": "2026-01-15T12:00:00Z", "exchanges": exchanges, "otherwise": {"status": 404, "body": {}}});
    Tape::parse(&tape.to_string()).expect("it is a tape")
}

/// One dry run against a server that answers so.
async fn dry_run(folder: &TempDir, changed: &[(&str, Value)], more: &[&str]) -> Ran {
    let player = Player::start(&vendor(changed)).await.expect("a free port");
    let fixed = ["app", "try", "mine", "--set", "workspace=acme", "--address", player.address()];
    parapet(folder.path(), &[TOKEN], &[&fixed, more].concat())
}

#[test]
fn a_skeleton_loads_and_its_check_passes_as_written() {
    let folder = skeleton();
    attempt(&folder, &[]).ended(0).says(&[
        "chat: 2 datasets; 1 check with 3 examples, and 11 checks shared; Config Scan, Risky Account Scan",
        "Every file loads and every example holds. There are no fixtures to play.",
        "No dry run: add --set",
    ]);
    parapet(folder.path(), &[], &["check", "new", "mine", "chat/admins-are-few", "members"]).ended(0);
    attempt(&folder, &[]).ended(0).says(&["2 checks with 6 examples"]);
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let folder = skeleton();
    let new = |arguments: &[&str]| parapet(folder.path(), &[], arguments).ended(2);
    new(&["app", "new", "mine", "chat"]).says(&["application `chat` exists already"]);
    new(&["app", "new", "mine", "Chat"]).says(&["cannot be an application's id", "small letters"]);
    new(&["app", "new", "mine", "scim"]).says(&["application `scim` exists already"]);
    new(&["check", "new", "mine", "chat/members-cannot-invite", "settings"]).says(&["exists already"]);
    new(&["check", "new", "mine", "chat/x", "member"]).says(&["no dataset `member`", "settings, members"]);
    new(&["check", "new", "nowhere", "chat/x", "members"]).says(&["There is no folder nowhere", "app new"]);
    // An application that does not load is not known, but its files are there.
    write(&folder, "app.toml", "name = 1");
    new(&["app", "new", "mine", "chat"]).says(&["mine/apps/chat/app.toml exists and is not overwritten"]);
}

#[test]
fn all_mistakes_are_told_at_once_with_place_and_remedy() {
    let folder = skeleton();
    change(&folder, "app.toml", "records = \"members\"", "records = \"members\"\npaging_size = 5");
    attempt(&folder, &[]).ended(2).says(&["mine/apps/chat/app.toml:", "unknown field `paging_size`"]);
    // Mistakes of single places, in several files.
    let folder = skeleton();
    change(&folder, "app.toml", "from = \"members\"", "from = \"member\"");
    change(&folder, "app.toml", "path = \"/me\"", "path = \"/{me}\"");
    change(&folder, "scopes.toml", "grade = \"high\"", "grade = \"highest\"");
    write(&folder, "notes.txt", "x");
    std::fs::create_dir_all(folder.path().join("mine/apps/empty")).expect("made");
    let all = [
        "mine/apps/chat/app.toml:34:20: `{me}` is not a setting. Known here: workspace",
        "mine/apps/chat/app.toml:106:8: no dataset `member`. Did you mean `members`?",
        "mine/apps/chat/scopes.toml:5:9: unknown word `highest`. Known here: low, medium, high",
        "mine/apps/chat/notes.txt:1:1: nothing reads this file",
        "mine/apps/empty/app.toml: there is no such file",
    ];
    attempt(&folder, &[]).ended(2).says(&all).says(&["mine is not right yet: 5 problems"]);
    let problems = attempt(&folder, &["--json"]).ended(2).json()["offline"]["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(all.len()), "{problems}");
    // Checks are read when the manifest is right.
    let folder = skeleton();
    parapet(folder.path(), &[], &["check", "new", "mine", "chat/other", "members"]).ended(0);
    change(
        &folder,
        "checks/members-cannot-invite.md",
        "members_can_invite == false",
        "members_can_invit == false",
    );
    change(&folder, "checks/other.md", "severity = \"medium\"", "severity = \"dire\"");
    write(&folder, "fixtures/one/note.json", "{}");
    attempt(&folder, &[]).ended(2).says(&[
        "mine/apps/chat/checks/members-cannot-invite.md:6:9: ",
        "Did you mean \"members_can_invite\"?",
        "mine/apps/chat/checks/other.md:4:12: unknown word `dire`",
        "mine/apps/chat/fixtures/one/tape.json: there is no such file",
        "mine is not right yet: 3 problems",
    ]);
}

#[test]
fn an_example_that_does_not_hold_is_a_mistake_at_its_line() {
    let folder = skeleton();
    change(
        &folder,
        "checks/members-cannot-invite.md",
        "{\"members_can_invite\": true}",
        "{\"members_can_invite\": false}",
    );
    attempt(&folder, &[]).ended(2).says(&[
        "members-cannot-invite.md:22:1: this example is tagged fail and the check says pass",
        "members_can_invite = false",
    ]);
}

#[test]
fn examples_that_would_not_notice_a_change_are_remarked() {
    let folder = skeleton();
    assert_eq!(attempt(&folder, &["--json"]).ended(0).json()["offline"]["remarks"], json!([]));
    let pass = "pass = \"members_can_invite == false";
    change(&folder, "checks/members-cannot-invite.md", pass, &format!("{pass} || 1 > 2"));
    attempt(&folder, &[]).ended(0).says(&[
        "remark: mine/apps/chat/checks/members-cannot-invite.md: no example would notice this change: ",
        "Every file loads and every example holds.",
    ]);
}

#[test]
fn a_folder_that_is_none_is_explained() {
    let folder = skeleton();
    std::fs::create_dir(folder.path().join("bare")).expect("made");
    std::fs::create_dir_all(folder.path().join("hollow/apps")).expect("made");
    for (place, says) in [
        ("nowhere", "There is no folder nowhere. `parapet app new nowhere ID` makes one"),
        ("mine/apps/chat/app.toml", "is a file. Give the folder that holds apps/APP/app.toml"),
        ("mine/apps/chat", "is the folder of one application"),
        ("bare", "bare is not a catalogue folder: it must hold apps/APP/app.toml"),
        ("hollow", "hollow holds no application under apps/"),
    ] {
        parapet(folder.path(), &[], &["app", "try", place]).ended(2).says(&[says]);
    }
}

#[test]
fn what_a_dry_run_needs_is_asked_for() {
    let folder = skeleton();
    let ask = |environment: &[(&str, &str)], more: &[&str]| {
        parapet(folder.path(), environment, &[&["app", "try", "mine"], more].concat()).ended(2)
    };
    ask(&[], &["--set", "workspace=acme"]).says(&["PARAPET_TOKEN is not set", "--credential"]);
    ask(&[TOKEN], &["--address", "https://api.example.com"])
        .says(&["Workspace is needed: add --set workspace=acme"]);
    ask(&[TOKEN], &["--set", "workspace=acme", "--set", "team=x"]).says(&["Chat has no setting team"]);
    ask(&[TOKEN], &["--set", "workspace=acme", "--auth", "key"])
        .says(&["Chat cannot authenticate by key; it can by: token"]);
    ask(&[TOKEN], &["--set", "workspace=acme", "--deployment", "moon"])
        .says(&["Chat is not hosted as moon; choose one of: cloud"]);
    ask(&[TOKEN], &["--set", "workspace=acme", "--app", "nothing"])
        .says(&["The catalogue has no product nothing"]);
    ask(&[TOKEN], &["--set", "workspace=acme", "--record", "Not Good"]).says(&["cannot be a case's name"]);
    parapet(folder.path(), &[], &["app", "new", "mine", "mail"]).ended(0);
    ask(&[TOKEN], &["--set", "workspace=acme"])
        .says(&["mine holds several applications (chat, mail): choose with --app"]);
    let refused = ask(&[], &["--set", "workspace=acme", "--app", "chat", "--json"]).json();
    assert!(refused["dry_run"].is_null(), "{refused}");
    assert!(refused["refused"].as_str().is_some_and(|s| s.contains("PARAPET_TOKEN is not set")), "{refused}");
    write(&folder, "app.toml", "name = 1");
    ask(&[TOKEN], &["--set", "workspace=acme", "--app", "chat"])
        .says(&["chat does not load; mend what is named"]);
}

#[test]
fn an_address_that_is_not_contacted_is_told_with_what_allows_it() {
    let folder = skeleton();
    let at = |address: &str| {
        let arguments = ["app", "try", "mine", "--set", "workspace=acme", "--address", address];
        parapet(folder.path(), &[TOKEN], &arguments)
    };
    at("http://chat.example.com").ended(2).says(&["the credential would travel unencrypted"]);
    at("chat.example.com").ended(2).says(&["is not a usable address"]);
    at("https://10.0.0.5").ended(2).says(&["10.0.0.5 is in a private range", "--allow-private 10.0.0.5"]);
    at("https://127.0.0.1:1").ended(2).says(&["is this machine itself", "--allow-private 127.0.0.1"]);
    at("https://169.254.169.254").ended(2).says(&["is in a range that is never contacted"]);
    // Plain http may go to this machine; nobody listens there.
    at("http://127.0.0.1:1").ended(3).says(&["refused the connection"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_each_dataset_yielded_and_which_checks_were_decided() {
    let folder = skeleton();
    let ran = dry_run(&folder, &[], &["--json"]).await.ended(0);
    let report = ran.json()["dry_run"].clone();
    assert_eq!((&report["tenant"], &report["subject"]), (&json!("Acme"), &json!("parapet")));
    assert_eq!(report["granted"], json!(["settings:read", "members:read"]));
    let scan = |kind: &str| {
        let scans = report["scans"].as_array().expect("scans");
        scans.iter().find(|s| s["kind"] == kind).expect("it ran").clone()
    };
    let config = scan("config");
    assert_eq!(config["datasets"][0]["state"], "complete");
    assert_eq!((&config["checks"][0]["fail"], &config["checks"][0]["inconclusive"]), (&json!(1), &json!(0)));
    let accounts = scan("accounts");
    let members = &accounts["datasets"][0];
    assert_eq!((&members["records"], &members["requests"]), (&json!(2), &json!(1)));
    // Of one member the server did not say whether there is a second factor: that one is undecided, and it is said why.
    assert_eq!(members["unknown"], json!([{"field": "two_factor", "records": 1}]));
    let checks = accounts["checks"].as_array().expect("checks");
    let factor = checks.iter().find(|c| c["id"] == "shared/account-second-factor").expect("it takes part");
    assert_eq!((&factor["pass"], &factor["inconclusive"]), (&json!(1), &json!(1)));
    assert_eq!(factor["unknown"], json!([{"field": "second_factor", "records": 1}]));
    assert_eq!(
        (&accounts["accounts"]["count"], &accounts["accounts"]["complete"]),
        (&json!(2), &json!(true))
    );

    let text = dry_run(&folder, &[], &[]).await.ended(0).says(&[
        "Dry run of chat (nothing is saved): tenant Acme (T1), as parapet",
        "permissions: settings:read, members:read",
        "\u{25cf} Config Scan: succeeded, 1 request",
        "members: unknown in some of 2 records: two_factor (1). Say what `missing` and `null` mean",
        "shared/account-second-factor is undecided:",
        "accounts: 2 (these are all)",
    ]);
    assert!(!text.out.contains(TOKEN.1) && !text.err.contains(TOKEN.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_in_no_record_points_at_its_path() {
    let folder = skeleton();
    change(
        &folder,
        "app.toml",
        "name = \"email\"\ntype = \"string\"",
        "name = \"email\"\ntype = \"string\"\npath = \"e_mail\"",
    );
    dry_run(&folder, &[], &[]).await.ended(0).says(&[
        "members: in none of 2 records: email. Check `path` and `type`",
        "accounts: known of none: display_name, email,",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_server_is_told_by_its_cause() {
    let folder = skeleton();
    let settings = "/v1/workspaces/acme/settings";
    let workspace = "/v1/workspaces/acme";
    for (place, answer, code, says) in [
        // The credential.
        (
            workspace,
            json!({"status": 401, "body": {"message": "bad token"}}),
            3,
            &["bad token", "Reauthenticate"][..],
        ),
        // A permission: the scan that needs it is not run, and names it.
        (
            "/v1/me",
            json!({"body": {"name": "p"}, "headers": {"x-scopes": "settings:read"}}),
            4,
            &["\u{25cb} Risky Account Scan: not run, the credential lacks members:read"],
        ),
        (
            settings,
            json!({"status": 403, "body": {"message": "no"}}),
            3,
            &["\u{25a0} Config Scan: failed (permission)", "settings:read"],
        ),
        // A sign-in page.
        (
            settings,
            json!({"text": "<html>Sign in</html>", "headers": {"content-type": "text/html"}}),
            3,
            &[
                "\u{25a0} Config Scan: failed (protocol)",
                "HTML page came instead of JSON",
                "`base`, `path` and `records`",
            ],
        ),
        (
            workspace,
            json!({"text": "<html>", "headers": {"content-type": "text/html"}}),
            3,
            &["HTML page came instead of JSON"],
        ),
        // Another shape than the manifest says.
        (settings, json!({"body": {"other": 1}}), 3, &["(protocol)", "none of the documented fields"]),
        (
            workspace,
            json!({"body": {"name": "Acme"}}),
            3,
            &["does not say which tenant this is: `id` is missing"],
        ),
        (settings, json!({"status": 404, "body": {}}), 3, &["(protocol)", "status 404", "[[answer]]"]),
        // What the plan does not have is no fault.
        (
            settings,
            json!({"status": 402, "body": {}}),
            0,
            &["The plan of this workspace does not have this setting."],
        ),
    ] {
        dry_run(&folder, &[(place, answer.clone())], &[]).await.ended(code).says(says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_dry_run_is_played_again_without_the_server() {
    let folder = skeleton();
    let ran = dry_run(&folder, &[], &["--record", "small"]).await.ended(0);
    ran.says(&[
        "recorded 2 exchanges into mine/apps/chat/fixtures/small/tape.json",
        "edit them before you share it",
    ]);
    let case = folder.path().join("mine/apps/chat/fixtures/small");
    for file in ["tape.json", "expected.json"] {
        let text = std::fs::read_to_string(case.join(file)).expect(file);
        assert!(!text.contains(TOKEN.1), "the token is in {file}");
        assert!(!text.contains("127.0.0.1"), "the address is in {file}");
    }
    attempt(&folder, &[]).ended(0).says(&["fixtures/small: 2 exchanges, played, as expected"]);
    let again = dry_run(&folder, &[], &["--record", "small"]).await.ended(2);
    again.says(&["tape.json exists and is not overwritten"]);
    // A later change of the manifest shows as what it changes.
    change(&folder, "app.toml", "path = \"invitations.by_members\"", "path = \"invitations.by_anybody\"");
    attempt(&folder, &[]).ended(2).says(&[
        "expected.json: /config/datasets/settings: expected \"complete: 1\", found \"unavailable: protocol",
        "fixtures/small: 2 exchanges, does not hold",
    ]);
    attempt(&folder, &["--accept"])
        .ended(0)
        .says(&["expected.json was written, read it before you trust it"]);
    attempt(&folder, &[]).ended(0).says(&["played, as expected"]);
}

/// A tape that fits the skeleton, as text.
fn tape(changed: &[(&str, Value)]) -> String {
    let mut tape = vendor(changed);
    tape.exchanges.retain(|e| e.get.as_deref().is_some_and(|path| path.contains("acme/")));
    tape.credential.insert("token".to_owned(), "planted_token".to_owned());
    tape.settings.insert("workspace".to_owned(), "acme".to_owned());
    tape.otherwise = None;
    serde_json::to_string_pretty(&tape).expect("text keys only")
}

#[test]
fn what_is_wrong_with_a_fixture_is_told_with_its_place() {
    let folder = skeleton();
    std::fs::create_dir_all(folder.path().join("mine/apps/chat/fixtures/one")).expect("made");
    let file = "fixtures/one/tape.json";
    attempt(&folder, &[]).ended(2).says(&["fixtures/one/tape.json: there is no such file. Record one"]);
    let good = tape(&[]);
    write(&folder, file, &good);
    attempt(&folder, &[])
        .ended(2)
        .says(&["fixtures/one/expected.json: there is no such file. --accept writes"]);
    attempt(&folder, &["--accept"]).ended(0);
    for (from, to, says) in [
        ("\"about\"", "\"abuot\"", "fixtures/one/tape.json:2:9: unknown field `abuot`"),
        ("\"get\": \"/v1/workspaces/acme/settings\"", "\"status\": 200", "exchange 1: give exactly one of"),
        (
            "acme/settings\"",
            "acme/setings\"",
            "asked for, and not on the tape: GET /v1/workspaces/acme/settings",
        ),
        (
            "acme/settings\"",
            "acme/setings\"",
            "on the tape, and never asked for: GET /v1/workspaces/acme/setings",
        ),
        ("\"cloud\"", "\"moon\"", "no deployment `moon`; there are: cloud"),
        ("\"auth\": \"token\"", "\"auth\": \"key\"", "no auth `key`; there are: token"),
        ("\"token\": \"planted_token\"", "\"tokn\": \"x\"", "`credential` lacks token"),
        ("2026-01-15T12:00:00Z", "soon", "`now` is \"soon\", which is no instant"),
        (
            "\"by_members\": true",
            "\"by_members\": false",
            "/config/checks/chat/members-cannot-invite/fail: expected, and not there",
        ),
    ] {
        assert!(good.contains(from), "the tape has no {from}");
        write(&folder, file, &good.replacen(from, to, 1));
        attempt(&folder, &[]).ended(2).says(&[says]);
    }
    // The engine lets no secret into a record, wherever the server puts it.
    write(&folder, file, &good.replacen("\"ada\"", "\"planted_token\"", 1));
    let leaking = attempt(&folder, &[]).ended(2).says(&["found [{\"id\":\"1\",\"username\":\"[secret]\""]);
    assert!(!leaking.err.contains("planted_token"), "{}", leaking.err);
    write(&folder, file, &good);
    write(&folder, "fixtures/loose.json", "{}");
    attempt(&folder, &[]).ended(2).says(&["fixtures/loose.json: nothing reads this file"]);
}

#[test]
fn the_documented_tape_is_one() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/fixtures.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let (_, rest) = page.split_once("```json\n").expect("it has an example");
    let (example, _) = rest.split_once("```").expect("the example ends");
    let folder = skeleton();
    write(&folder, "fixtures/documented/tape.json", example);
    attempt(&folder, &["--accept"]).ended(0).says(&["fixtures/documented: 2 exchanges, played"]);
}

#[test]
fn the_server_lists_an_application_of_its_own_folder() {
    let folder = skeleton();
    std::fs::write(folder.path().join("parapet.toml"), "catalog = [\"mine\"]\n").expect("written");
    let list = ["app", "list", "--catalog", "--config", "parapet.toml"];
    let all = parapet(folder.path(), &[], &[&list[..], &["--json"]].concat()).ended(0).json();
    let own =
        all.as_array().expect("a list").iter().find(|a| a["id"] == "chat").expect("it is listed").clone();
    assert_eq!((&own["name"], &own["scans"]), (&json!("Chat"), &json!(["config", "accounts"])));
    parapet(folder.path(), &[], &list).ended(0).says(&["chat", "Chat", "workspace"]);
    // A folder that is not right is said, and the rest of the catalogue is there.
    write(&folder, "app.toml", "name = 1");
    parapet(folder.path(), &[], &list).ended(0).says(&["catalogue: mine/apps/chat/app.toml:1:8", "scim"]);
}

#[test]
fn every_fixture_of_the_built_in_catalogue_leads_to_what_is_expected() {
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = catalog.display().to_string();
    let report = parapet(folder.path(), &[], &["app", "try", &place, "--instead", "--json"]).json();
    assert_eq!(
        report["offline"]["problems"],
        json!([]),
        "`parapet app try catalog --instead --accept` writes what was found; read the difference"
    );
    let cases = report["offline"]["cases"].as_array().expect("cases");
    assert!(cases.len() >= 5 && cases.iter().all(|c| c["holds"] == true), "{cases:?}");
}

#[test]
fn the_references_are_in_the_binary() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    parapet(folder.path(), &[], &["app", "words"]).ended(0).says(&["# The manifest", "`tenant_uid`"]);
    parapet(folder.path(), &[], &["check", "language"])
        .ended(0)
        .says(&["# The language of checks", "on_empty"]);
}
