//! Mistakes with the richer words: ways to authenticate, datasets that are worked out, paces.

use std::fmt::Write as _;

use super::tests::{APP, load, load_builtin, report, sound};

#[test]
fn sign_in_of_service_accounts() {
    let session = |more: &str| format!("kind = \"session\"\nlogin = {{ path = \"/sign-in\" }}\n{more}");
    let cases = [
        "kind = \"session\"".to_owned(),
        session("login_url = \"x\""),
        session("body = \"xml\""),
        session("password_at = \"\""),
        session("username_at = \"auth\"\npassword_at = \"auth.password\""),
        session("extra = { username = \"root\" }"),
        session("extra = { keep = [1] }"),
        session("cookie = \"a b\""),
        session("").replace("/sign-in", "/{team}/sign-in"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|new| ("kind = \"bearer\"", new.as_str())).collect();
    insta::assert_snapshot!(report(APP, &cases));
    // Over two origins, it would have to be shown to one that did not begin it.
    let two = "[deployment.hosts.main]\norigin = \"https://api.example.com\"";
    let mut files = sound();
    let text = files.get_mut(APP).expect("it is there");
    assert!(text.contains(two), "the skeleton has changed:\n{text}");
    *text = text
        .replace("kind = \"bearer\"", &session(""))
        .replace(two, &format!("[deployment.hosts.other]\norigin = \"https://b.example.com\"\n{two}"));
    let errors: Vec<String> = load(&files).errors.iter().map(ToString::to_string).collect();
    assert!(errors.iter().any(|e| e.contains("different origins")), "{errors:?}");
}

#[test]
fn tokens_that_are_bought() {
    let client =
        |more: &str| format!("kind = \"client_credentials\"\ntoken = {{ path = \"/token\" }}\n{more}");
    let cases = [
        client("client_auth = \"jwt\""),
        client("extra = { scope = \"x\" }"),
        client("extra = { account = \"{team}\" }"),
        client("scope_by_permission = true"),
        client("scope_refused = [\"\"]"),
        client("subject_title = \"Act as\""),
        "kind = \"jwt_bearer\"\nkey = \"pem\"\ntoken = { path = \"/token\" }".to_owned(),
        "kind = \"jwt_bearer\"".to_owned(),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|new| ("kind = \"bearer\"", new.as_str()))
        .chain([
            ("base = \"/v1\"", "base = \"/v1\"\nscope = \"x\""),
            ("granted = { header = \"X-Scopes\" }", "granted = { claim = \"roles\" }"),
            ("granted = { header = \"X-Scopes\" }", "granted = { header = \"X-Scopes\", claim = \"roles\" }"),
        ])
        .collect();
    insta::assert_snapshot!(report(APP, &cases));
    // Where scopes are asked for by permission, every dataset says which.
    let mut files = sound();
    let text = files.get_mut(APP).expect("it is there");
    *text = text
        .replace("kind = \"bearer\"", &client("scope_by_permission = true"))
        .replace("granted = { header = \"X-Scopes\" }\n", "")
        .replace("permission = { token = [] }\n", "");
    let errors: Vec<String> = load(&files).errors.iter().map(ToString::to_string).collect();
    assert!(errors.iter().any(|e| e.contains("does not say its permission")), "{errors:?}");
}

#[test]
fn sign_ins_at_the_vendor() {
    let code = |more: &str| {
        format!(
            "kind = \"authorization_code\"\nauthorize = {{ path = \"/authorize\" }}\ntoken = {{ path = \"/token\" }}\n{more}"
        )
    };
    let cases = [
        "kind = \"authorization_code\"\ntoken = { path = \"/token\" }".to_owned(),
        code("").replace("/authorize", "/{team}/authorize"),
        code("client_auth = \"jwt\""),
        code("authorize_extra = { state = \"x\" }"),
        code("authorize_extra = { prompt = \"{team}\" }"),
        code("extra = { code_verifier = \"x\" }"),
        code("grant = \"password\""),
        "kind = \"client_credentials\"\nclient_auth = \"none\"\ntoken = { path = \"/token\" }".to_owned(),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|new| ("kind = \"bearer\"", new.as_str())).collect();
    insta::assert_snapshot!(report(APP, &cases));
}

#[test]
fn datasets_that_are_worked_out() {
    const WHOLE: &str = "\n[[dataset]]\nname = \"made\"\ntitle = \"Made\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nlatest = { by = \"rank\", gone = \"rank < 0\" }\nkey = \"name\"\nrequest = [{ path = \"/made\" }]\nfield = [{ name = \"name\", type = \"string\" }, { name = \"unit\", type = \"string\" }, { name = \"rank\", type = \"int\" }, { name = \"value\", type = \"map<bool>\" }]\n\n[[dataset]]\nname = \"holding\"\ntitle = \"What holds\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"\nresolve = { from = \"made\", setting = \"name\", unit = \"unit\", rank = \"rank\", merge = \"value\", defaults = \"defaults.toml\" }\nfield = [{ name = \"id\", type = \"string\", each = \"@key\" }, { name = \"value\", type = \"map<bool>\" }]\n";
    const FILE: &str = "[[default]]\nsetting = \"mail\"\nsource = \"https://d.example/\"\nfields = { value = { on = true } }\n";
    let mut out = String::new();
    for (old, new) in [
        ("", ""),
        ("from = \"made\"", "from = \"holding\""),
        ("setting = \"name\",", "setting = \"value\","),
        ("rank = \"rank\"", "rank = \"unit\""),
        ("merge = \"value\"", "merge = \"rank\""),
        ("merge = \"value\"", "merge = \"*\""),
        ("merge = \"value\",", "part = \"value\", only = [\"\"],"),
        ("merge = \"value\",", "names = { nobody = \"name\", made = \"value\" },"),
        ("[{ path = \"/made\" }]", "[{ path = \"/made\", empty_with = \"kind\" }]"),
        (
            "[{ path = \"/made\" }]",
            "[{ path = \"/made/{days_ago_3}\", query = { since = \"{days_ago_0}\" } }]",
        ),
        (
            "{ name = \"unit\", type = \"string\" }",
            "{ name = \"unit\", type = \"int\", transform = [{ after = \"\" }, { between = [\"\", \"x\"] }] }",
        ),
        ("key = \"id\"\n", "key = \"id\"\nnever_empty = true\n"),
        ("unit = \"unit\",", "unit = \"unti\","),
        ("merge = \"value\",", "parent = \"name\","),
        ("merge = \"value\",", "tree = \"nobody\","),
        ("each = \"@key\"", "each = \"@kye\""),
        (
            "{ name = \"value\", type = \"map<bool>\" }]\n\n[[dataset]]",
            "{ name = \"value\", type = \"string\" }]\n\n[[dataset]]",
        ),
        ("key = \"id\"\n", ""),
        ("key = \"id\"\n", "key = \"id\"\nrequest = [{ path = \"/x\" }]\n"),
        (
            "scans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"",
            "scans = [\"config\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"",
        ),
        ("defaults.toml", "scopes.toml"),
        ("by = \"rank\"", "by = \"unit\""),
        ("by = \"rank\"", "by = \"when\""),
        ("rank < 0", "rnak < 0"),
        ("https://d.example/\"\nfields", "d.example\"\nfields"),
        ("value = { on", "vlaue = { on"),
        ("on = true", "on = 1"),
        ("setting = \"mail\"", "setting = \"\""),
    ] {
        let (app, file) = (WHOLE.replacen(old, new, 1), FILE.replacen(old, new, 1));
        assert!(old.is_empty() || app != WHOLE || file != FILE, "{old}");
        let mut files = sound();
        files.get_mut(APP).expect("it is there").push_str(&app);
        files.insert("apps/acme/defaults.toml".to_owned(), file);
        let _ = writeln!(out, "{old}  ->  {new}");
        for error in load(&files).errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn paces() {
    let throttle = |text: &str| format!("{text}\n\n[identity]");
    let cases = [
        throttle("[throttle]\nper_minute = 0"),
        throttle("[throttle]\nper_minute = 9\nper_second = 1"),
        throttle("[throttle]\nburst = 9"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|new| ("[identity]", new.as_str())).collect();
    insta::assert_snapshot!(report(APP, &cases));
}

#[test]
fn reads_by_post() {
    const WHOLE: &str = "\n[[dataset]]\nname = \"details\"\ntitle = \"Details\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"\nrequest = [{ path = \"/call\", post = { method = \"details.get\", of = [\"{each}\"] }, for_each = { dataset = \"people\", batch = 50 } }]\nfield = [{ name = \"id\", type = \"string\" }]\n";
    let mut out = String::new();
    for (old, new) in [
        ("", ""),
        ("batch = 50", "batch = 0"),
        (", batch = 50", ""),
        ("post = { method = \"details.get\", of = [\"{each}\"] }, ", ""),
        ("\"{each}\"", "\"id-{each}\""),
        ("\"{each}\"", "\"{each.id}\""),
        ("\"{each}\"", "\"{team}\""),
        (", for_each = { dataset = \"people\", batch = 50 }", ""),
        ("path = \"/call\"", "path = \"/{each}/call\""),
        ("batch = 50 }", "batch = 50 }, paging = { kind = \"link\" }"),
        ("key = \"id\"\n", "key = \"id\"\nrefresh_hours = 24\n"),
        ("type = \"string\" }", "type = \"string\", each = \"id\" }"),
        ("details.get", "details.delete"),
        ("RPC", "rpc = { at = \"method\", allow = [\"*\"] }"),
        ("RPC", "rpc = { at = \"\", allow = [\"*.get\"] }"),
    ] {
        let rpc = if old == "RPC" { new } else { "rpc = { at = \"method\", allow = [\"*.get\"] }" };
        let app = WHOLE.replacen(old, new, 1);
        assert!(old.is_empty() || old == "RPC" || app != WHOLE, "{old}");
        let mut files = sound();
        let text = files.get_mut(APP).expect("it is there");
        text.push_str(&app);
        *text = text.replace("base = \"/v1\"", &format!("base = \"/v1\"\n{rpc}"));
        let _ = writeln!(out, "{old}  ->  {new}");
        for error in load_builtin(&files).errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn since_when_things_are_there() {
    const WHOLE: &str = "\n[[dataset]]\nname = \"rules\"\ntitle = \"Rules\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"\nrequest = [{ path = \"/rules\" }]\nfield = [{ name = \"id\", type = \"string\" }, { name = \"state\", type = \"string\" }, { name = \"tags\", type = \"list<string>\" }, { name = \"since\", type = \"timestamp\", first_seen = { known = \"exactly\", with = \"state\" } }, { name = \"bound\", type = \"timestamp\", first_seen = { known = \"at_latest\", with = \"state\" } }]\n\n[[dataset]]\nname = \"parts\"\ntitle = \"Parts\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"\nrequest = [{ path = \"/rules/{each.id}/parts\", for_each = { dataset = \"rules\", where = \"state != ''\" } }]\nfield = [{ name = \"id\", type = \"string\" }]\n\n[[account]]\nfrom = \"rules\"\nfields = { id = \"id\", created_at = \"since\" }\n";
    const CHECK: &str = "+++\ntitle = \"Rules are not tried out for long\"\nrevision = 1\nseverity = \"low\"\nover = \"rules\"\nwhen = \"state == 'trial'\"\npass = \"now - bound <= duration('720h') && now - since <= duration('720h')\"\nsays = \"{id} has been tried out for more than a month\"\n+++\nA rule that is only tried out stops nobody.\n\n## Remedy\n\n1. Put it into force.\n\n## Examples\n\n```json pass\n{\"id\": \"a\", \"state\": \"trial\", \"bound\": \"2025-12-20T00:00:00Z\", \"since\": \"2025-12-20T00:00:00Z\"}\n```\n\n```json fail\n{\"id\": \"a\", \"state\": \"trial\", \"bound\": \"2025-11-20T00:00:00Z\"}\n```\n\n```json inconclusive\n{\"id\": \"a\", \"state\": \"trial\", \"bound\": \"2025-12-20T00:00:00Z\"}\n```\n\n```json not-applicable\n{\"id\": \"a\", \"state\": \"on\"}\n```\n";
    let mut out = String::new();
    for (old, new) in [
        ("", ""),
        ("key = \"id\"\n", ""),
        ("known = \"exactly\"", "known = \"roughly\""),
        ("known = \"exactly\", ", ""),
        ("with = \"state\"", "with = \"stat\""),
        ("with = \"state\"", "with = \"tags\""),
        ("with = \"state\"", "with = \"bound\""),
        ("\"since\", type = \"timestamp\"", "\"since\", type = \"string\""),
        ("\"since\", type = \"timestamp\"", "\"since\", type = \"timestamp\", path = \"since_at\""),
        ("\"since\", type = \"timestamp\"", "\"since\", type = \"timestamp\", missing = \"absent\""),
        ("key = \"id\"\n", "key = \"id\"\nlatest = { by = \"since\", gone = \"since > bound\" }\n"),
        ("path = \"/rules\"", "path = \"/rules\", paths = { since = \"at\" }"),
        ("path = \"/rules\"", "path = \"/rules\", set = { since = \"2026-01-01\" }"),
        ("state != ''", "since != null"),
        ("{each.id}/parts", "{each.id}/{each.since}"),
        (
            "type = \"string\" }]\n\n[[account]]",
            "type = \"string\" }, { name = \"of\", type = \"timestamp\", each = \"bound\" }]\n\n[[account]]",
        ),
        ("created_at = \"since\"", "created_at = \"bound\""),
        ("created_at = \"since\"", "created_at = \"datasets.rules.get(id).bound\""),
        // Checks.
        (" && now - since <= duration('720h')", ""),
        ("now - bound <= duration('720h') && ", ""),
        ("now - bound <= duration('720h') && now - since", "now - bound <= duration('720h') || now - since"),
        ("when = \"state", "when = \"now - bound > duration('24h') && state"),
        ("{ known = \"exactly\", with = \"state\" }", "{ known = \"exactly\" }"),
    ] {
        let (app, check) = (WHOLE.replacen(old, new, 1), CHECK.replacen(old, new, 1));
        assert!(old.is_empty() || app != WHOLE || check != CHECK, "{old}");
        let mut files = sound();
        files.get_mut(APP).expect("it is there").push_str(&app);
        files.insert("apps/acme/checks/rules-in-force.md".to_owned(), check);
        let _ = writeln!(out, "{}  ->  {}", old.trim(), new.trim());
        for error in load(&files).errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    // Nothing is inherited from one reading to the next.
    let worked_out = "\n[[dataset]]\nname = \"holding\"\ntitle = \"What holds\"\nscans = [\"accounts\"]\npermission = { token = [] }\ndocs = \"https://d.example/\"\nkey = \"id\"\nresolve = { from = \"rules\", setting = \"state\", unit = \"id\" }\nfield = [{ name = \"id\", type = \"string\", each = \"@key\" }, { name = \"since\", type = \"timestamp\", first_seen = { known = \"exactly\" } }]\n";
    let mut files = sound();
    files.get_mut(APP).expect("it is there").push_str(&format!("{WHOLE}{worked_out}"));
    let _ = writeln!(out, "resolve");
    for error in load(&files).errors {
        let _ = writeln!(out, "    {error}");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_is_chosen() {
    let setting =
        |text: &str| format!("[[setting]]\nname = \"extra\"\ntitle = \"Extra\"\n{text}\n\n[[deployment]]");
    let sound_setting = setting("pattern = \"yes|no\"\ndefault = \"no\"");
    let mut out = String::new();
    for (setting, opt_in) in [
        (&sound_setting, "{ setting = \"extra\", is = \"yes\" }"),
        (&sound_setting, "{ setting = \"exrta\", is = \"yes\" }"),
        (&sound_setting, "{ setting = \"extra\", is = \"on\" }"),
        (&sound_setting, "{ setting = \"extra\", is = \"no\" }"),
        (&setting(""), "{ setting = \"extra\", is = \"yes\" }"),
    ] {
        for required in ["", "required = [\"accounts\"]\n"] {
            let mut files = sound();
            let text = files.get_mut(APP).expect("it is there");
            *text = text.replacen("[[deployment]]", setting, 1).replacen(
                "name = \"people\"\n",
                &format!("name = \"people\"\n{required}opt_in = {opt_in}\n"),
                1,
            );
            let _ = writeln!(out, "{required}{opt_in}");
            for error in load(&files).errors {
                let _ = writeln!(out, "    {error}");
            }
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_speaks_against_an_answer() {
    const RULE: &str = "answer = [{ status = [404], unless_any = { dataset = \"people\", where = \"name == 'x'\" }, means = \"absent\" }]\n";
    let mut out = String::new();
    for (old, new) in [
        ("", ""),
        ("\"people\"", "\"poeple\""),
        ("\"people\"", "\"devices\""),
        ("\"people\"", "\"settings\""),
        ("name == 'x'", "nmae == 'x'"),
        ("name == 'x'", "name"),
        ("where", "when"),
    ] {
        let mut files = sound();
        let text = files.get_mut(APP).expect("it is there");
        let rule = RULE.replacen(old, new, 1);
        *text = text.replacen("name = \"devices\"\n", &format!("name = \"devices\"\n{rule}"), 1);
        assert!(text.contains(&rule), "the skeleton has changed");
        let _ = writeln!(out, "{old}  ->  {new}");
        for error in load(&files).errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    // A rule for all datasets cannot look at one of them.
    let general = "[[answer]]\nstatus = [410]\nunless_any = { dataset = \"people\", where = \"true\" }\nmeans = \"absent\"\n\n[identity]";
    out.push_str(&report(APP, &[("[identity]", general)]));
    insta::assert_snapshot!(out);
}
